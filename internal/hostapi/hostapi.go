// Package hostapi is what the operator's side and a server say to each other:
// requests, and what becomes of them, in JSON.
//
// It must not know how either side does its part.
package hostapi

import (
	"fmt"
	"time"
)

// Where a server keeps what both sides have to find.
const (
	Locks = "/run/lock/mrs-ops" // PROJECT.lock and what is beside it
	Logs  = "/var/log/mrs-ops"  // the audit logs, PROJECT.log
	// Files is the folder, in a stack's own, of the files that it brings along.
	Files = ".files"
)

// Deploy asks for a deployment of an instance on the server that reads it. It has
// secrets in it: it travels by standard input.
type Deploy struct {
	Project string `json:"project"` // of Compose
	Folder  string `json:"folder"`  // the stack's, which exists
	// File is the docker-compose.yml to deploy. Empty: that of Release.
	File string `json:"file"`
	// Release is one that ran, with the images that it had then: its number, or [Current].
	Release string `json:"release,omitempty"`
	// Pull false: the images are on the server already.
	Pull     bool     `json:"pull"`
	Networks []string `json:"networks"` // external ones, to make
	// Carried are the files that File names in the folder [Files].
	Carried []Carried `json:"carried,omitempty"`

	URL       string   `json:"url"`        // where visitors come
	Names     []string `json:"names"`      // other names of the site
	Page      string   `json:"page"`       // what is asked for, to tell whether it answers
	BasicAuth bool     `json:"basic_auth"` // being asked for a password is an answer
	Timeout   int      `json:"timeout"`    // seconds, within which it has to answer
	Drain     int      `json:"drain"`      // seconds that requests which are being served may take
	// Jobs true: nothing starts near a minute in which the application's own jobs run.
	Jobs     bool   `json:"jobs"`
	Database string `json:"database"` // that is backed up
	Role     string `json:"role"`     // its superuser
	MaxConn  string `json:"max_conn"` // the server's net.core.somaxconn; empty: left as it is

	// Persistent true: what runs is backed up before it is changed; false: it gets test data.
	Persistent bool `json:"persistent"`
	// Lifetime is how many seconds an ephemeral instance lives from now on; 0: for ever.
	Lifetime int `json:"lifetime"`

	Who  string `json:"who"`  // asks, for the audit log
	What string `json:"what"` // is done, for the audit log
	// Token is of the lock that the caller holds; empty: it is taken for the deployment alone.
	Token string `json:"token,omitempty"`
}

// Carried is a file of the operator's that services read on the server. Another
// content, owner or mode has another name, so that what a release names stays as
// it was.
type Carried struct {
	Path    string `json:"path"`    // [Files]/NAME, in the stack's folder
	Content []byte `json:"content"` // in base64; may be secret
	UID     int    `json:"uid"`
	GID     int    `json:"gid"`
	Mode    string `json:"mode"` // in octal
}

// Current is the release that runs.
const Current = "current"

// Deployed is what came of a deployment that worked.
type Deployed struct {
	Changed bool   `json:"changed"`
	How     string `json:"how"` // for people
	Release string `json:"release,omitempty"`
	Commit  string `json:"commit,omitempty"` // of the application
}

// Release is a stack that ran and passed its health check: a release.json.
type Release struct {
	Release int       `json:"release"`
	Time    time.Time `json:"time"`
	Who     string    `json:"who,omitempty"`
	What    string    `json:"what,omitempty"`
	Commit  string    `json:"commit,omitempty"` // of the application
}

// Entry is what was done to an instance: a line of the audit log.
type Entry struct {
	Time    time.Time `json:"time"` // when it ended
	Who     string    `json:"who"`
	What    string    `json:"what"`
	Outcome Outcome   `json:"outcome"`
	Reason  string    `json:"reason,omitempty"` // why it is not ok
	Release int       `json:"release,omitempty"`
	Commit  string    `json:"commit,omitempty"`
	Seconds float64   `json:"seconds"` // how long it took
}

// Outcome is how what was done has ended.
type Outcome string

const (
	OK          Outcome = "ok"
	Failed      Outcome = "failed"
	RolledBack  Outcome = "rolled back" // what ran before answers
	Interrupted Outcome = "interrupted"
)

// Holder is who has an instance locked.
type Holder struct {
	Token string `json:"token"`
	Who   string `json:"who"`
	What  string `json:"what"`
	PID   string `json:"pid"`   // on the server
	Since int64  `json:"since"` // Unix seconds
}

// String says who, what and since when.
func (h Holder) String() string {
	if h.Who == "" { // between taking the lock and writing it down
		return "somebody, since this moment"
	}
	since := time.Unix(h.Since, 0)
	return fmt.Sprintf("%s: %s, since %s (%s)", h.Who, h.What, since.Format("15:04:05"), time.Since(since).Round(time.Second))
}
