package hostapi

// OldServer is what a server has of the old system: yourlabs.* roles, and homes that yourlabs.compose deployed.
type OldServer struct {
	Things   []OldThing   `json:"things"`
	Homes    []OldHome    `json:"homes"`
	Problems []OldProblem `json:"problems"`
	Traefik  OldTraefik   `json:"traefik"`
	Away     int          `json:"away"` // about how many seconds the neighbours can't be reached, at most
}

// OldThing is a part of it, and what a takeover does to it.
type OldThing struct {
	Where string `json:"where"` // host, traefik, or a Compose project: of a home, or of a neighbour
	What  string `json:"what"`
	Is    string `json:"is"`    // its version, state or size
	After string `json:"after"` // kept, replaced: by what, disabled, left alone: why
}

// OldHome is an instance that the old system deployed.
type OldHome struct {
	Name     string `json:"name"`     // its Compose project
	Folder   string `json:"folder"`   // absolute
	Postgres string `json:"postgres"` // the major version that its data folder is of; empty: it has none
	Bytes    int64  `json:"bytes"`    // of its database and its attachments
	Backup   int    `json:"backup"`   // about how many seconds the snapshot takes, while the site serves
	Away     int    `json:"away"`     // about how many seconds the site is away then, at most
}

// OldProblem is what an operator has to know.
type OldProblem struct {
	Where  string `json:"where"` // as that of a thing
	What   string `json:"what"`
	Mend   string `json:"mend"`
	Blocks bool   `json:"blocks"` // nothing is taken over as long as it is so
}

// OldTraefik is the load balancer, as far as the new one has to be like it.
type OldTraefik struct {
	Version   string `json:"version"`   // empty: there is none of the old system's
	Directory string `json:"directory"` // of ACME; empty: Let's Encrypt's
	Email     string `json:"email"`     // of the account there
}
