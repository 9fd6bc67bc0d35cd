package hostapi

import (
	"encoding/json"
	"time"
)

// StatusRequest asks how an instance stands. It is read from standard input, since Repository may hold a password.
type StatusRequest struct {
	Project string `json:"project"` // of Compose
	Folder  string `json:"folder"`  // the stack's: absolute
	URL     string `json:"url"`     // where visitors come; empty: not known
	Page    string `json:"page"`    // what is asked for there
	// Repository is where the backups are, if no deployment wrote it down; empty: the folder restic in Folder.
	Repository string `json:"repository,omitempty"`
}

// Status is how an instance stands, as its server says it. What the server did not find out in time is null.
type Status struct {
	Deployed bool     `json:"deployed"`  // it has a docker-compose.yml
	Services []string `json:"services"`  // that its stack has, whether they have a container or not
	Site     []string `json:"site"`      // the service that visitors come to
	OneShots []string `json:"one_shots"` // services that have ended, or of which none is to run
	Backup   *Backups `json:"backup"`
	Found
}

// Found is what of a [Status] is told as it is.
type Found struct {
	Containers  []Container `json:"containers"` // null: the engine does not answer
	HTTP        *HTTP       `json:"http"`
	Timers      []Timer     `json:"timers"` // by name
	Disks       []Disk      `json:"disks"`  // of the server
	Lock        *Locked     `json:"lock"`   // who changes it at this moment
	Maintenance bool        `json:"maintenance"`
	Known       []string    `json:"known_passwords"`    // users whose password everybody knows
	RemoveAt    Moment      `json:"remove_at,omitzero"` // when a branch's time is over
}

// Moment is a time, null where there is none.
type Moment struct{ time.Time }

// MarshalJSON writes it as RFC 3339 has it.
func (m Moment) MarshalJSON() ([]byte, error) {
	if m.IsZero() {
		return []byte("null"), nil
	}
	return json.Marshal(m.Time)
}

// Container is a container of an instance.
type Container struct {
	Service  string `json:"service"`
	State    string `json:"state"`            // as docker has it: running, exited, restarting …; absent
	Health   string `json:"health,omitempty"` // healthy, unhealthy, starting; empty: nobody checks it
	ExitCode int    `json:"exit_code"`
	Restarts int    `json:"restarts"` // by the engine, since it was made
	Started  Moment `json:"started"`
	Image    string `json:"image,omitempty"`
	Commit   string `json:"commit,omitempty"`

	// Engine is DB_ENGINE, Django's, until it has been judged.
	Engine *string `json:"engine,omitempty"`
}

// HTTP is what the site of an instance answered.
type HTTP struct {
	From    string  `json:"from"`   // "here", or "server" where the name is not known here
	Status  int     `json:"status"` // 0: there was no answer
	Seconds float64 `json:"seconds"`
	Sends   string  `json:"sends_to,omitempty"` // where visitors are sent on
	Error   string  `json:"error,omitempty"`
	Expires Moment  `json:"certificate_expires"` // null: not https
	Trusted bool    `json:"certificate_trusted"` // says nothing where there is none
}

// Backups is how the backups of an instance stand.
type Backups struct {
	SetUp bool     `json:"set_up"`
	Since Moment   `json:"since"` // when they were set up; null: not known
	Last  Moment   `json:"last"`  // null: there is none
	ID    string   `json:"id,omitempty"`
	Tags  []string `json:"tags,omitempty"`
	Log   *Log     `json:"log,omitempty"`   // nil: no log is received
	Error string   `json:"error,omitempty"` // why the repository does not tell
	// Mirrored says whether there is a mirror.
	Mirrored bool `json:"mirrored,omitempty"`
}

// Timer is a systemd timer of an instance.
type Timer struct {
	Name   string `json:"name"` // without the project
	Next   Moment `json:"next"`
	Last   Moment `json:"last"`
	Result string `json:"result"` // of the last run, as systemd has it
}

// Disk is the file system that a folder is on.
type Disk struct {
	Path string `json:"path"`
	Used int    `json:"used_percent"`
	Free int64  `json:"free_bytes"`
	Size int64  `json:"size_bytes"`
}

// Locked is who has an instance locked: a [Holder] without the lock's token.
type Locked struct {
	Who   string `json:"who"`
	What  string `json:"what"`
	Since Moment `json:"since"`
}
