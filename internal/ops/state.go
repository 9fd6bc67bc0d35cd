package ops

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/answer"
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/local"
	"github.com/betagouv/mrs-ops/internal/target"
)

// State is how an instance stands.
type State string

// An instance that was never deployed is neither well nor not.
const (
	Well        State = "well"
	NotWell     State = "not well"
	NotDeployed State = "not deployed"
	Unreachable State = "unreachable" // its server is; the instance may be well
)

// Row is what [Status] found out about an instance.
type Row struct {
	Instance string   `json:"instance"` // a branch has its project's name
	Server   string   `json:"server"`
	State    State    `json:"state"`
	Problems []string `json:"problems"` // why it is not well, a few words each
	Error    string   `json:"error,omitempty"`
	URL      string   `json:"url"`
	Found
	Image       string   `json:"image,omitempty"`        // the application's
	Commit      string   `json:"commit,omitempty"`       // that it was built from
	UpSince     moment   `json:"up_since"`               // the application
	Backup      *Backup  `json:"backup"`                 // null: not known, or a branch
	EnvProblems []string `json:"env_problems,omitempty"` // names of variables that are missing or malformed here
	Seconds     float64  `json:"seconds"`                // how long it took to find out

	site       answer.Site // how it has to answer
	persistent bool
}

// Found is what of a [Row] is as the instance's server says it.
type Found struct {
	Containers  []Container `json:"containers"`
	HTTP        *HTTP       `json:"http"`
	Timers      []Timer     `json:"timers"` // by name
	Disks       []Disk      `json:"disks"`  // of its server
	Lock        *Holder     `json:"lock"`   // who changes it at this moment
	Maintenance bool        `json:"maintenance"`
	Known       []string    `json:"known_passwords"`    // users whose password everybody knows
	RemoveAt    moment      `json:"remove_at,omitzero"` // when a branch's time is over
}

// moment is a time, null where there is none. To state.sh it is Unix seconds, of
// which 0 is none, or what the engine has.
type moment struct{ time.Time }

// UnmarshalJSON reads it in all of these forms.
func (m *moment) UnmarshalJSON(text []byte) error {
	seconds, err := strconv.ParseInt(string(text), 10, 64)
	if err != nil {
		return m.Time.UnmarshalJSON(text)
	}
	if seconds != 0 {
		m.Time = time.Unix(seconds, 0).UTC()
	}
	return nil
}

// MarshalJSON writes it as RFC 3339 has it.
func (m moment) MarshalJSON() ([]byte, error) {
	if m.IsZero() {
		return []byte("null"), nil
	}
	return m.Time.MarshalJSON()
}

// Container is a container of an instance.
type Container struct {
	Service  string `json:"service"`
	State    string `json:"state"`            // as docker has it: running, exited, restarting …; absent
	Health   string `json:"health,omitempty"` // healthy, unhealthy, starting; empty: nobody checks it
	ExitCode int    `json:"exit_code"`
	Restarts int    `json:"restarts"` // by the engine, since it was made
	Started  moment `json:"started"`
	Image    string `json:"image,omitempty"`
	Commit   string `json:"commit,omitempty"`

	// Engine is DB_ENGINE, Django's, until it has been judged.
	Engine *string `json:"engine,omitempty"`
}

func (c Container) well() bool {
	return c.State == "running" && (c.Health == "" || c.Health == "healthy")
}

func (c Container) problem() string {
	switch {
	case c.State == "running":
		return c.Service + " " + c.Health
	case c.State == "exited", c.State == "dead":
		return fmt.Sprintf("%s %s (%d)", c.Service, c.State, c.ExitCode)
	}
	return c.Service + " " + c.State
}

// HTTP is what the instance answered.
type HTTP struct {
	From    string  `json:"from"`   // "here", or "server" where the name is not known here
	Status  int     `json:"status"` // 0: there was no answer
	Seconds float64 `json:"seconds"`
	Sends   string  `json:"sends_to,omitempty"` // where visitors are sent on
	Error   string  `json:"error,omitempty"`
	Expires moment  `json:"certificate_expires"` // null: not https
	Trusted bool    `json:"certificate_trusted"` // says nothing where there is none
}

// Backup is how the backups of an instance stand.
type Backup struct {
	SetUp bool     `json:"set_up"`
	Last  moment   `json:"last"` // null: there is none
	ID    string   `json:"id,omitempty"`
	Tags  []string `json:"tags,omitempty"`
	Error string   `json:"error,omitempty"` // why the repository does not tell

	since moment // when they were set up
}

// Timer is a systemd timer of an instance.
type Timer struct {
	Name   string `json:"name"` // without the project
	Next   moment `json:"next"`
	Last   moment `json:"last"`
	Result string `json:"result"` // of the last run, as systemd has it
}

// Disk is the file system that a folder is on.
type Disk struct {
	Path string `json:"path"`
	Used int    `json:"used_percent"`
	Free int64  `json:"free_bytes"`
	Size int64  `json:"size_bytes"`
}

// Holder is who has an instance locked, without the lock's token.
type Holder struct {
	Who   string `json:"who"`
	What  string `json:"what"`
	Since moment `json:"since"`
}

//go:embed state.sh
var stateScript string

// report is what state.sh prints. Null, which is nil here, is what was not to
// be found out.
type report struct {
	Deployed bool     `json:"deployed"`
	Services []string `json:"services"`
	Site     []string `json:"site"`      // the service that visitors come to
	OneShots []string `json:"one_shots"` // services that have ended, or of which none is to run
	Backup   *struct {
		SetUp     bool   `json:"set_up"`
		Since     moment `json:"since"`
		Snapshots []struct {
			ID   string   `json:"short_id"`
			Time moment   `json:"time"`
			Tags []string `json:"tags"`
		} `json:"snapshots"`
		Error string `json:"error"`
	} `json:"backup"`
	*Found
}

// ask asks an instance where it runs, and fills in the row.
func (r *Row) ask(s *target.Target, repository string) {
	out, err := s.Script(stateScript, s.Project, s.Folder, r.URL, repository, r.site.Path).Bytes()
	if err == nil {
		err = r.read(out)
	}
	if err != nil {
		r.unreachable(err)
	}
}

func (r *Row) unreachable(err error) {
	r.State, r.Error, r.Problems = Unreachable, local.Said(err), []string{"unreachable"}
}

// read fills in the row from what state.sh printed.
func (r *Row) read(out []byte) error {
	a := report{Found: &r.Found}
	if err := json.Unmarshal(out, &a); err != nil {
		return fmt.Errorf("it answered what is no answer: %w", err)
	}
	slices.SortStableFunc(r.Timers, func(a, b Timer) int { return cmp.Compare(a.Name, b.Name) })
	if !a.Deployed && len(r.Containers) == 0 {
		r.State, r.HTTP = NotDeployed, nil
		return nil
	}
	if !a.Deployed {
		r.Problems = append(r.Problems, "its docker-compose.yml is gone")
	}
	r.readContainers(&a)
	if r.HTTP != nil {
		r.HTTP.From = "server"
	}
	if r.persistent {
		r.readBackup(&a)
	}
	return nil
}

func (r *Row) readContainers(a *report) {
	if r.Containers == nil {
		r.Problems = append(r.Problems, "the Docker engine does not answer")
		return
	}
	engine, told := "", false
	r.Containers = slices.DeleteFunc(r.Containers, func(c Container) bool { // it has done its work
		return slices.Contains(a.OneShots, c.Service) && c.State == "exited" && c.ExitCode == 0
	})
	for i, c := range r.Containers {
		if c.Service == application && c.State == "running" && c.Engine != nil {
			engine, told = *c.Engine, true
		}
		r.Containers[i].Engine = nil
	}
	for _, service := range a.Services {
		there := slices.ContainsFunc(r.Containers, func(c Container) bool { return c.Service == service })
		if !there && !slices.Contains(a.OneShots, service) {
			r.Containers = append(r.Containers, Container{Service: service, State: "absent"})
		}
	}
	// While one takes over from another a service has two: the best counts, and
	// of those that are as good the one that started last.
	slices.SortStableFunc(r.Containers, func(a, b Container) int {
		good := map[bool]int{true: 0, false: 1}
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(good[a.well()], good[b.well()]),
			b.Started.Compare(a.Started.Time))
	})
	// It runs happily on an empty file in its container (docs/mrs.md).
	if told && slices.Contains(a.Services, "postgres") && !strings.Contains(engine, "postg") {
		r.Problems = append(r.Problems, fmt.Sprintf("uses no PostgreSQL: its DB_ENGINE is %q", engine))
	}
	for _, c := range bestOf(r.Containers) {
		for _, replica := range r.Containers {
			// While something is deployed, and after one that was killed, others are of another image.
			same := replica == c || replica.Service == c.Service && replica.Image == c.Image && r.Lock == nil
			if same && !replica.well() {
				r.Problems = append(r.Problems, replica.problem())
			}
		}
		if c.Service == application || slices.Contains(a.Site, c.Service) {
			r.Image, r.Commit = c.Image, c.Commit
			if c.State == "running" {
				r.UpSince = c.Started
			}
		}
	}
}

// bestOf returns the first container of each service.
func bestOf(sorted []Container) []Container {
	return slices.CompactFunc(slices.Clone(sorted), func(a, b Container) bool { return a.Service == b.Service })
}

func (r *Row) readBackup(a *report) {
	if a.Backup == nil {
		r.Backup = &Backup{SetUp: true, Error: "it takes too long"}
		return
	}
	r.Backup = &Backup{SetUp: a.Backup.SetUp, Error: a.Backup.Error, since: a.Backup.Since}
	for _, snapshot := range a.Backup.Snapshots {
		if snapshot.Time.After(r.Backup.Last.Time) {
			r.Backup.Last, r.Backup.ID, r.Backup.Tags = snapshot.Time, snapshot.ID, snapshot.Tags
		}
	}
}

// production is the instance with people's data.
const production = "production"

// The limits beyond which somebody should look.
const (
	oldBackup   = 26 * time.Hour // one is made every night
	certificate = 14 * 24 * time.Hour
	fullDisk    = 90 // percent; deploying an image takes a few
)

// judge says whether the instance is well, once all is known. here is what it
// answered to this machine, nil where its name is not known here.
func (r *Row) judge(here *HTTP, now time.Time) {
	problem := func(format string, args ...any) { r.Problems = append(r.Problems, fmt.Sprintf(format, args...)) }
	switch r.State {
	case NotDeployed:
		return
	case Unreachable:
		r.HTTP = here
		return
	}
	there := r.HTTP
	if here != nil {
		r.HTTP = here
	}
	if r.HTTP == nil {
		problem("whether it answers is not known")
	} else {
		h := r.HTTP
		switch wrong := r.wrong(h); {
		case wrong == nil:
		case h.Status != 0:
			problem("%v", wrong)
		case there != nil && there != h && r.wrong(there) == nil:
			problem("answers on its server only")
		default:
			problem("does not answer")
		}
		r.judgeCertificate(h, now, problem)
	}
	r.judgeBackup(now, problem)
	for _, name := range r.Known {
		if r.Instance == production {
			problem("%s gets in with a password that everybody knows", name)
		}
	}
	for _, t := range r.Timers {
		if t.Result != "" && t.Result != "success" && !t.Last.IsZero() {
			problem("its last %s failed", t.Name)
		}
	}
	for _, d := range r.Disks {
		if d.Used >= fullDisk {
			problem("%s %d %% full", d.Path, d.Used)
		}
	}
	if r.Disks == nil {
		problem("how full its disks are is not known")
	}
	r.State = Well
	if len(r.Problems) > 0 {
		r.State = NotWell
	}
}

// wrong says what is wrong with an answer, by the rule that deployments go by.
func (r *Row) wrong(h *HTTP) error {
	site := r.site
	if r.Maintenance {
		site.Maintenance = answer.Closed
	}
	at, err := url.Parse(r.URL + site.Path)
	if err != nil {
		return err
	}
	_, err = site.Judge(at, h.Status, h.Sends)
	return err
}

func (r *Row) judgeCertificate(h *HTTP, now time.Time, problem func(string, ...any)) {
	switch {
	case h.Expires.IsZero():
	case h.Expires.Before(now):
		problem("certificate expired")
	case !h.Trusted:
		problem("certificate not trusted")
	case h.Expires.Sub(now) < certificate:
		problem("certificate expires in %s", console.Span(h.Expires.Sub(now)))
	}
}

func (r *Row) judgeBackup(now time.Time, problem func(string, ...any)) {
	switch b := r.Backup; {
	case b == nil || !b.SetUp:
	case b.Error != "":
		problem("backups can't be read")
	case b.Last.IsZero() && now.Sub(b.since.Time) > oldBackup:
		problem("never backed up")
	case !b.Last.IsZero() && now.Sub(b.Last.Time) > oldBackup:
		problem("last backup %s ago", console.Span(now.Sub(b.Last.Time)))
	}
}

// branchesScript prints the projects of the branches that are on a server.
const branchesScript = `cd "$1" 2>/dev/null || exit 0
for file in */docker-compose.yml; do [ ! -e "$file" ] || echo "${file%/*}"; done`

func branches(s *target.Target) ([]asked, error) {
	names, err := s.Script(branchesScript, hostapi.Ephemerals).Slice()
	if err != nil {
		return nil, err
	}
	var targets []asked
	for _, name := range names {
		// Any other folder is somebody else's.
		if t, err := prepare(name); err == nil && t.inst.Project() == name {
			targets = append(targets, t)
		}
	}
	return targets, nil
}
