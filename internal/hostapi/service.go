package hostapi

// MRS is the service that is MRS itself (cookbook, "Compose"): what is known of that
// application alone is asked of a stack's service of this name, and of no other.
const MRS = "django"

// Kind is what a service is to whoever replaces it.
type Kind string

// What a service can be.
const (
	Rolls    Kind = "rolls"    // the load balancer is before it, and it can run twice
	OneShot  Kind = "one-shot" // runs to its end before those that wait for it start
	Database Kind = "database" // is backed up, and recreated
	Other    Kind = "other"    // is recreated
)

// Service is a service of a stack, as its compose file has it (package stack/model).
type Service struct {
	Name     string   `json:"name"`
	Image    string   `json:"image"`
	Kind     Kind     `json:"kind"`
	Replicas int      `json:"replicas"`        // containers of it that run at a time
	After    []string `json:"after,omitempty"` // services that have to be there before it starts
	// Fixed is why it can't run twice, after "since"; empty: it can.
	Fixed string `json:"fixed,omitempty"`
	// Routes is a sum of what the load balancer is told of it; Hosts and Path are where that
	// sends visitors on to it: names, and what the path begins with.
	Routes string   `json:"routes"`
	Hosts  []string `json:"hosts,omitempty"`
	Path   string   `json:"path,omitempty"`
	Port   int      `json:"port,omitempty"` // where it listens in its container; 0: not known
	// Published are the ports of the host that lead to it.
	Published []string `json:"published,omitempty"`
	Writes    []string `json:"writes,omitempty"` // folders of the host and volumes that it has, not only to read
	// Checked is whether the file says how to tell that it is healthy; Unchecked, whether it
	// says that the image's own health check does not count.
	Checked   bool `json:"checked,omitempty"`
	Unchecked bool `json:"unchecked,omitempty"`
}
