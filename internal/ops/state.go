package ops

import (
	"cmp"
	"encoding/json"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/answer"
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/instance"
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
	hostapi.Found
	Image       string           `json:"image,omitempty"`        // the application's
	Commit      string           `json:"commit,omitempty"`       // that it was built from
	UpSince     hostapi.Moment   `json:"up_since"`               // the application
	Backup      *hostapi.Backups `json:"backup"`                 // null: not known, or a branch
	EnvProblems []string         `json:"env_problems,omitempty"` // names of variables that are missing or malformed here
	Seconds     float64          `json:"seconds"`                // how long it took to find out

	site       answer.Site // how it has to answer
	persistent bool
}

// well is whether a container does its work.
func well(c hostapi.Container) bool {
	return c.State == "running" && (c.Health == "" || c.Health == "healthy")
}

// problem is why it does not.
func problem(c hostapi.Container) string {
	switch {
	case c.State == "running":
		return c.Service + " " + c.Health
	case c.State == "exited", c.State == "dead":
		return fmt.Sprintf("%s %s (%d)", c.Service, c.State, c.ExitCode)
	}
	return c.Service + " " + c.State
}

// ask asks an instance where it runs, and fills in the row.
func (r *Row) ask(s *target.Target, repository string) {
	request, err := json.Marshal(hostapi.StatusRequest{
		Project: s.Project, Folder: s.Folder, URL: r.URL, Page: r.site.Path, Repository: repository,
	})
	var out []byte
	if err == nil {
		out, err = s.AskFrom(script.Echo(string(request)), "status").Bytes()
	}
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

// read fills in the row from what mrs-host printed, a [hostapi.Status].
func (r *Row) read(out []byte) error {
	var a hostapi.Status
	if err := json.Unmarshal(out, &a); err != nil {
		return fmt.Errorf("it answered what is no answer: %w", err)
	}
	r.Found = a.Found
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
	if r.Backup = a.Backup; !r.persistent {
		r.Backup = nil
	} else if r.Backup == nil {
		r.Backup = &hostapi.Backups{SetUp: true, Error: "it takes too long"}
	}
	return nil
}

func (r *Row) readContainers(a *hostapi.Status) {
	if r.Containers == nil {
		r.Problems = append(r.Problems, "the Docker engine does not answer")
		return
	}
	engine, told := "", false
	r.Containers = slices.DeleteFunc(r.Containers, func(c hostapi.Container) bool { // it has done its work
		return slices.Contains(a.OneShots, c.Service) && c.State == "exited" && c.ExitCode == 0
	})
	for i, c := range r.Containers {
		if c.Service == application && c.State == "running" && c.Engine != nil {
			engine, told = *c.Engine, true
		}
		r.Containers[i].Engine = nil
	}
	for _, service := range a.Services {
		there := slices.ContainsFunc(r.Containers, func(c hostapi.Container) bool { return c.Service == service })
		if !there && !slices.Contains(a.OneShots, service) {
			r.Containers = append(r.Containers, hostapi.Container{Service: service, State: "absent"})
		}
	}
	// While one takes over from another a service has two: the best counts, and
	// of those that are as good the one that started last.
	slices.SortStableFunc(r.Containers, func(a, b hostapi.Container) int {
		good := map[bool]int{true: 0, false: 1}
		return cmp.Or(cmp.Compare(a.Service, b.Service), cmp.Compare(good[well(a)], good[well(b)]),
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
			if same && !well(replica) {
				r.Problems = append(r.Problems, problem(replica))
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
func bestOf(sorted []hostapi.Container) []hostapi.Container {
	return slices.CompactFunc(slices.Clone(sorted), func(a, b hostapi.Container) bool { return a.Service == b.Service })
}

// The limits beyond which somebody should look.
const (
	oldBackup   = 26 * time.Hour // one is made every night
	certificate = 14 * 24 * time.Hour
	fullDisk    = 90 // percent; deploying an image takes a few
)

// judge says whether the instance is well, once all is known. here is what it
// answered to this machine, nil where its name is not known here.
func (r *Row) judge(here *hostapi.HTTP, now time.Time) {
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
		if r.Instance == instance.Production {
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
func (r *Row) wrong(h *hostapi.HTTP) error {
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

func (r *Row) judgeCertificate(h *hostapi.HTTP, now time.Time, problem func(string, ...any)) {
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
	case b.Last.IsZero() && now.Sub(b.Since.Time) > oldBackup:
		problem("never backed up")
	case !b.Last.IsZero() && now.Sub(b.Last.Time) > oldBackup:
		problem("last backup %s ago", console.Span(now.Sub(b.Last.Time)))
	}
	if r.Backup == nil || r.Backup.Log == nil {
		return
	}
	// Where none was ever received, or is elsewhere, the server itself says so.
	l := *r.Backup.Log
	elsewhere := l.Elsewhere(r.Backup.Mirrored)
	if !l.Until.IsZero() && now.Sub(l.Until) > hostapi.LogLate {
		problem("the log of PostgreSQL was not received since %s", l.Until.UTC().Format(hostapi.Second))
	}
	switch old := now.Sub(elsewhere); {
	case elsewhere.IsZero() || old <= hostapi.LogLateElsewhere:
	case r.Backup.Mirrored:
		problem("%s of the log would be lost with the server", console.Span(old))
	default:
		problem("%s of the log would be lost with the archive", console.Span(old))
	}
}

// branches returns those that are on a server, with the beginnings of their rows.
func branches(s *target.Target) ([]asked, error) {
	names, err := s.Ask("branches", "names").Slice()
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
