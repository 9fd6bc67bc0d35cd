// Package hostapi is what the operator's side and a server say to each other:
// requests, and what becomes of them, in JSON.
//
// It must not know how either side does its part.
package hostapi

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// Version is that of what both sides say to each other. It is raised where an older operator's side, or an older
// mrs-host, would do something else with a request, an answer or a file than is meant; not where one only knows less.
// 1 is all that did not say it.
const Version = 2

// Outdated is the failure of one who is of an older version than what it is needed for: an instance, by its name.
func Outdated(name string, needed, is int) *Failure {
	return &Failure{
		Outcome: Failed,
		Reason: fmt.Sprintf(
			"%s is operated by mrs-ops of version %d, and this clone is of version %d; nothing was changed",
			name, needed, is),
		Hint: "git pull in your clone of mrs-ops, then again",
	}
}

// Mismatched is the failure of a request of another version than that of mrs-host, which reads it; nil: it is of the
// same.
func Mismatched(request int) *Failure {
	if request == Version {
		return nil
	}
	return &Failure{
		Outcome: Failed,
		Reason: fmt.Sprintf(
			"the request is of mrs-ops of version %d, and mrs-host is of version %d; nothing was changed",
			max(request, 1), Version),
		Hint: "both come from one clone: mage deploy:to NAME, or ansible/deploy.yml with its own mage; git pull there",
	}
}

// Where a server keeps what both sides have to find.
const (
	Locks = "/run/lock/mrs-ops" // PROJECT.lock and what is beside it
	Logs  = "/var/log/mrs-ops"  // the audit logs, PROJECT.log
	// Ephemerals is where the stacks of ephemeral instances are (cookbook, "Compose").
	Ephemerals = "/root/.yourlabs.compose"
	// Programs is where the programs of this project are, NAME-KEY-SUM: for root to change,
	// for all to run. Not in a home, where SELinux lets no unit execute anything.
	Programs = "/usr/local/lib/mrs-ops"
	// Files is the folder, in a stack's own, of the files that it brings along.
	Files = ".files"
)

// Exit statuses of mrs-host, by what it was asked for (EX_TEMPFAIL of sysexits.h).
const (
	Busy        = 75  // a lock, or a branch: somebody else has it
	NotMirrored = 75  // a backup, or a prune: the repository is good, but its mirror is not
	AsBefore    = 4   // a restore, or an adoption, that failed: all is as it was before
	Stopped     = 130 // what was interrupted, and undone; of a restore that could not be undone it is 1
)

// Deploy asks for a deployment of an instance on the server that reads it. It has
// secrets in it: it travels by standard input.
type Deploy struct {
	Version int    `json:"version"` // [Version] of whoever asks
	Name    string `json:"name"`    // of the instance, for people
	Project string `json:"project"` // of Compose
	Folder  string `json:"folder"`  // the stack's: absolute
	// File is the docker-compose.yml to deploy. Empty: that of Release.
	File string `json:"file"`
	// Services are File's; of another file the server finds them out by itself.
	Services []Service `json:"services,omitempty"`
	// Release is one that ran, with the images that it had then: its number, or [Current].
	Release string `json:"release,omitempty"`
	// Pull false: the images are on the server already.
	Pull     bool     `json:"pull"`
	Networks []string `json:"networks"` // external ones, to make
	Folders  []Folder `json:"folders"`  // that the stack needs
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
	// Production true: its data are people's, which nothing that is copied ever takes the place of.
	Production bool `json:"production,omitempty"`
	// Lifetime is how many seconds an ephemeral instance lives from now on; 0: for ever.
	Lifetime int `json:"lifetime"`

	// Backup is how it is backed up; nil: it is not.
	Backup *Backup `json:"backup,omitempty"`
	// Slack is the webhook that is told of it, with its token; empty: none.
	Slack  string `json:"slack,omitempty"`
	Change string `json:"change,omitempty"` // what that is told of the change, after a sentence

	Who  string `json:"who"`  // asks, for the audit log
	What string `json:"what"` // is done, for the audit log
	// Token is of the lock that the caller holds; empty: it is taken for the deployment alone.
	Token string `json:"token,omitempty"`
}

// Folder is one that has to be there.
type Folder struct {
	Path string `json:"path"` // absolute
	UID  int    `json:"uid"`
	GID  int    `json:"gid"`
	Mode string `json:"mode"` // octal; empty: 0755
}

// File is one that has to be there. It is root's.
type File struct {
	Path    string `json:"path"`    // absolute
	Content string `json:"content"` // may be secret
	Mode    string `json:"mode"`    // octal; empty: 0644
}

// Unit is a service of systemd, and its timer.
type Unit struct {
	Name         string   `json:"name"` // without .service
	Description  string   `json:"description"`
	Command      string   `json:"command"`
	CommandAfter string   `json:"command_after,omitempty"` // however that has ended
	Calendar     string   `json:"calendar,omitempty"`      // systemd.time(7); empty: it has no timer
	AtBoot       bool     `json:"at_boot,omitempty"`
	Always       bool     `json:"always,omitempty"`     // it is to run at all times: however it ends, it is started again
	IfExists     []string `json:"if_exists,omitempty"`  // it runs only where one of these is there
	Before       []string `json:"before,omitempty"`     // units that wait for it, where both are to run
	OnFailure    string   `json:"on_failure,omitempty"` // the unit that is started then
}

// Backup is how an instance is backed up.
type Backup struct {
	Password   string `json:"password"`   // of the repository
	Repository string `json:"repository"` // restic's; empty: the folder restic beside docker-compose.yml
	S3         S3     `json:"s3"`
	// LogArchive is the folder that PostgreSQL's log is received into; empty: it is not.
	LogArchive string `json:"log_archive,omitempty"`
	// Mirror is what lftp mirrors the repository to, with its password; empty: nothing.
	Mirror string `json:"mirror"`
	// MirrorPlain true: its password may go in the clear.
	MirrorPlain bool `json:"mirror_plain"`
}

// S3 is the account of a repository that is s3:…; empty: there is none.
type S3 struct {
	KeyID  string `json:"key_id"`
	Secret string `json:"secret"`
	Region string `json:"region"`
}

// Event is what a request's reader says, one JSON object a line on its standard
// output: one field is set. The last one is Deployed or Failed.
type Event struct {
	Say      string    `json:"say,omitempty"`    // what is done, a line for people
	Detail   string    `json:"detail,omitempty"` // what helps to understand a failure, many lines
	Held     *Holder   `json:"held,omitempty"`   // who has the instance locked from now on, or already
	Deployed *Deployed `json:"deployed,omitempty"`
	Failed   *Failure  `json:"failed,omitempty"`
}

// Failure is what came of a request that was not carried out.
type Failure struct {
	Outcome Outcome `json:"outcome"`
	Reason  string  `json:"reason"` // a line
	Hint    string  `json:"hint,omitempty"`
}

// words is what a test build says instead of every sentence (-ldflags=-X, internal/program): a program that reads
// one, and not what has a type, does not work with it.
var words string

// Said returns a sentence of mrs-host's as it is said.
func Said(sentence string) string {
	if words != "" && sentence != "" {
		return words
	}
	return sentence
}

// MarshalJSON writes it with its sentences as they are said.
func (e Event) MarshalJSON() ([]byte, error) {
	type plain Event
	e.Say, e.Detail = Said(e.Say), Said(e.Detail)
	if e.Failed != nil {
		f := *e.Failed
		f.Reason, f.Hint = Said(f.Reason), Said(f.Hint)
		e.Failed = &f
	}
	if e.Deployed != nil {
		d := *e.Deployed
		d.How = Said(d.How)
		e.Deployed = &d
	}
	return Marshal(plain(e))
}

// Marshal is JSON in one line, without its end, that leaves <, > and & as they are.
func Marshal(value any) ([]byte, error) {
	var text bytes.Buffer
	encoder := json.NewEncoder(&text)
	encoder.SetEscapeHTML(false)
	err := encoder.Encode(value)
	return bytes.TrimSuffix(text.Bytes(), []byte("\n")), err
}

// beforeHint is what comes before the hint of an error.
const beforeHint = "\nhint: "

// Error is the reason, and the hint on a line of its own.
func (f *Failure) Error() string {
	if f.Hint != "" {
		return f.Reason + beforeHint + f.Hint
	}
	return f.Reason
}

// Explained returns what an error says, and its hint, which is on a line of its own
// at the end; empty: it has none.
func Explained(err error) (reason, hint string) {
	reason, hint, _ = strings.Cut(err.Error(), beforeHint)
	return reason, hint
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
	Changes int    `json:"changes"` // how many things are not as they were
	How     string `json:"how"`     // for people
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
	Image   string    `json:"image,omitempty"`  // of the site; not in release.json
	// Of is the release that it is, where that was gone back to; 0: it is one of its own.
	Of int `json:"of,omitempty"`
}

// Branch is an ephemeral instance, the deployment of a branch.
type Branch struct {
	Project string    `json:"project"`
	Host    string    `json:"host,omitempty"`
	Until   time.Time `json:"until,omitzero"` // when it is removed; zero: never
	Commit  string    `json:"commit,omitempty"`
	Image   string    `json:"image,omitempty"`
	State   string    `json:"state"` // of django: healthy, unhealthy, exited …; gone where it has no container
}

// MarshalJSON writes it with its sentence as it is said.
func (e Entry) MarshalJSON() ([]byte, error) {
	type plain Entry
	e.Reason = Said(e.Reason)
	return Marshal(plain(e))
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

// Log is how far the log of an instance's PostgreSQL is received: any second between From and Until can be restored,
// also where the data's disk is lost; up to Repository from the repository, up to Mirror where the server is lost.
type Log struct {
	From       time.Time `json:"from,omitzero"`
	Until      time.Time `json:"until,omitzero"`
	Repository time.Time `json:"repository,omitzero"`
	Mirror     time.Time `json:"mirror,omitzero"`
}

// Elsewhere is up to when it is where the loss of the server does not reach: at the mirror, or, where there is none,
// in the repository.
func (l Log) Elsewhere(mirrored bool) time.Time {
	if mirrored {
		return l.Mirror
	}
	return l.Repository
}

// What is older somebody should look at: the last second of a log that can be restored here, and elsewhere. One comes
// after the other, and every five minutes they go elsewhere, but not while a prune or a drill is at the repository.
const (
	LogLate          = 5 * time.Minute
	LogLateElsewhere = time.Hour
)

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
	held := time.Since(since).Round(time.Second)
	return fmt.Sprintf("%s: %s, since %s (%s)", h.Who, h.What, since.Format("15:04:05"), held)
}
