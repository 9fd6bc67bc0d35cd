// Package branches looks after the ephemeral instances of this server, which are the
// deployments of branches: each has a folder, named as its Compose project, and in
// that the file removeat, the Unix seconds at which it is to be removed.
//
// What can't be removed now is removed the next time: the folder goes last, and is what says that there is
// something to remove. It must not know how an instance is deployed.
package branches

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/audit"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
	"github.com/betagouv/mrs-ops/internal/hostside/release"
)

// removeAt is the file that says when an instance is to be removed.
const removeAt = "removeat"

// removed is what the folder of an instance that is gone is called until it is
// removed: no project's name begins with a dot.
const removed = ".removed-"

// application is the service that answers, where no release says which does.
const application = hostapi.MRS

var project = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`)

// Engine is what of the Docker engine a removal needs.
type Engine interface {
	// Containers returns those of a project, the oldest first.
	Containers(ctx context.Context, project string) ([]docker.Container, error)
	// Down removes what a project has.
	Down(ctx context.Context, project string) error
	// Left names what a project still has.
	Left(ctx context.Context, project string) ([]string, error)
	// Used reports whether any container is made of an image.
	Used(ctx context.Context, image string) (bool, error)
	// Forget removes an image, which may be gone already.
	Forget(ctx context.Context, image string) error
}

// Server is this one.
type Server struct {
	Engine
	Folder      string   // of the ephemeral instances' folders
	Homes       []string // patterns of the folders of all instances, whose releases have images
	Locks, Logs string   // [hostapi.Locks], [hostapi.Logs]
	Name        string   // the host's
	Now         func() time.Time
	Say         func(line string)
	RemoveAll   func(path string) error // os.RemoveAll
}

// Unknown is the error where there is no such instance.
type Unknown struct {
	Project string
	There   []string // those that there are
}

// Error names those that there are.
func (u *Unknown) Error() string {
	return fmt.Sprintf("there is no ephemeral instance %s on this host; there are: %s",
		u.Project, cmp.Or(strings.Join(u.There, " "), "none"))
}

// Status is the exit status by which callers know it.
func (*Unknown) Status() int { return 3 }

func (s *Server) names() ([]string, error) {
	entries, err := os.ReadDir(s.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []string
	for _, e := range entries {
		if e.IsDir() && project.MatchString(e.Name()) { // a link is none
			all = append(all, e.Name())
		}
	}
	return all, err
}

// Stacks returns the projects that have a docker-compose.yml, without asking the engine.
func (s *Server) Stacks() ([]string, error) {
	names, err := s.names()
	return slices.DeleteFunc(names, func(name string) bool {
		_, err := os.Stat(s.path(name, "docker-compose.yml"))
		return err != nil
	}), err
}

// known returns an error unless there is such an instance.
func (s *Server) known(name string) error {
	if !project.MatchString(name) {
		return fmt.Errorf("%q is no project", name)
	}
	all, err := s.names()
	if err == nil && !slices.Contains(all, name) {
		err = &Unknown{name, all}
	}
	return err
}

func (s *Server) path(name string, more ...string) string {
	return filepath.Join(append([]string{s.Folder, name}, more...)...)
}

// until returns when an instance is to be removed; zero: nothing says it, or what is there is no time.
func (s *Server) until(name string) (time.Time, error) {
	text, err := os.ReadFile(s.path(name, removeAt))
	if errors.Is(err, fs.ErrNotExist) {
		return time.Time{}, nil
	}
	if err != nil {
		return time.Time{}, err
	}
	seconds, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 62)
	if err != nil || seconds == 0 {
		return time.Time{}, nil
	}
	return time.Unix(int64(seconds), 0).UTC(), nil
}

// List returns the instances, by their names.
func (s *Server) List(ctx context.Context) ([]hostapi.Branch, error) {
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	all := []hostapi.Branch{}
	for _, name := range names {
		b := hostapi.Branch{Project: name, State: "gone"}
		if b.Until, err = s.until(name); err != nil {
			return nil, err
		}
		containers, err := s.Containers(ctx, name)
		if err != nil {
			return nil, err
		}
		site, folder := application, release.Of(s.path(name))
		if n, _ := folder.Newest(); n > 0 {
			images, _ := folder.Images(n)
			if i := slices.IndexFunc(images, func(i release.Image) bool { return i.Role == release.Site }); i >= 0 {
				site = images[i].Service
			}
		}
		for _, c := range containers { // the newest counts
			if c.Service() == site {
				b.Host, b.Commit, b.Image, b.State = c.Env["HOST"], c.Env["GIT_COMMIT"], c.Named, cmp.Or(c.Health, c.Status)
			}
		}
		all = append(all, b)
	}
	return all, nil
}

// longest is how much longer an instance may be let live at once.
const longest = 366 * 24 * time.Hour

// Extend lets an instance live longer: from now, if its time has passed. It returns when it is removed now.
func (s *Server) Extend(name string, by time.Duration) (hostapi.Branch, error) {
	b := hostapi.Branch{Project: name}
	if by <= 0 || by > longest {
		return b, fmt.Errorf("%v is no time to live longer by", by)
	}
	if err := s.known(name); err != nil {
		return b, err
	}
	// Who is removing it would not see it.
	held, err := lock.Try(s.Locks, name, hostapi.Holder{Who: "mrs-host", What: "extend by " + by.String()})
	if err != nil {
		return b, err
	}
	defer held.Release()
	if err := s.known(name); err != nil {
		return b, err
	}
	at, err := s.until(name)
	if err != nil {
		return b, err
	}
	if now := s.Now(); at.Before(now) {
		at = now
	}
	b.Until = at.Add(by).UTC().Truncate(time.Second)
	// Without a time, as a power cut could leave it, it would live for ever.
	return b, durable.Write(s.path(name, removeAt), fmt.Appendln(nil, b.Until.Unix()), 0o600)
}

// Remove removes an instance, on behalf of who. The error is a [lock.ErrBusy] where somebody works on it.
func (s *Server) Remove(ctx context.Context, name, who string) error {
	if err := s.known(name); err != nil {
		return err
	}
	begin := s.Now()
	err := s.locked(name, who, func() error { return s.remove(ctx, name) })
	if errors.Is(err, lock.ErrBusy) {
		return err
	}
	e := hostapi.Entry{Who: who, What: "removed", Outcome: hostapi.OK}
	e.Seconds = s.Now().Sub(begin).Round(time.Second).Seconds()
	if err != nil {
		e.What, e.Outcome, e.Reason = "remove", hostapi.Failed, err.Error()
		if ctx.Err() != nil {
			e.Outcome = hostapi.Interrupted
		}
	}
	return errors.Join(err, s.audit(name, e))
}

// Expire removes the instances whose time has passed, and finishes what an earlier
// removal has left. The error is of all that could not be removed; the others are.
func (s *Server) Expire(ctx context.Context) error {
	names, err := s.names()
	errs := []error{err, s.sweep()}
	for _, name := range names {
		if ctx.Err() != nil {
			return errors.Join(append(errs, errors.New("interrupted: the others are looked at the next time"))...)
		}
		if err := s.expire(ctx, name); err != nil {
			errs = append(errs, fmt.Errorf("%s could not be removed: %w", name, err))
		}
	}
	return errors.Join(errs...)
}

func (s *Server) expire(ctx context.Context, name string) error {
	if why, _, err := s.stays(name); why != "" || err != nil {
		if err == nil {
			s.Say(name + " " + why)
		}
		return err
	}
	who := "the timer of " + s.Name
	var at time.Time
	why := ""
	err := s.locked(name, who, func() (err error) {
		// Somebody else may have had it until now, and have removed it, or deployed it anew.
		if err := s.known(name); err != nil {
			return err
		}
		if why, at, err = s.stays(name); why != "" || err != nil {
			return err
		}
		return s.remove(ctx, name)
	})
	_, gone := errors.AsType[*Unknown](err)
	switch {
	case gone:
		return nil
	case errors.Is(err, lock.ErrBusy):
		s.Say(name + " is being worked on: later")
		return nil
	case why != "" && err == nil:
		s.Say(name + " stays: it was deployed at this moment")
		return nil
	case err != nil:
		return err
	}
	s.Say(fmt.Sprintf("%s is removed: its time has passed %d min ago", name, int(s.Now().Sub(at).Minutes())))
	return s.audit(name, hostapi.Entry{Who: who, What: "removed: its time had passed", Outcome: hostapi.OK})
}

// stays says why an instance is not to be removed now; empty: it is, since its time.
func (s *Server) stays(name string) (why string, at time.Time, err error) {
	at, err = s.until(name)
	switch left := at.Sub(s.Now()); {
	case err != nil:
	case at.IsZero():
		why = "stays: no time is set for it"
	case left > 0:
		why = fmt.Sprintf("stays for %d h", int(left.Hours()))
	}
	return why, at, err
}

func (s *Server) audit(name string, e hostapi.Entry) error {
	e.Time = s.Now().UTC().Truncate(time.Second)
	if err := audit.Append(s.Logs, name, e); err != nil {
		return fmt.Errorf("what became of %s is not in the audit log: %w", name, err)
	}
	return nil
}

// locked does something while nobody else works on an instance.
func (s *Server) locked(name, who string, do func() error) error {
	held, err := lock.Try(s.Locks, name, hostapi.Holder{Who: who, What: "remove " + name})
	if err != nil {
		return err
	}
	defer held.Release()
	return do()
}

// patience is how long the engine may take for one instance.
const patience = 10 * time.Minute

// remove removes an instance: what runs, then its images, and at last its folder, so
// that what is interrupted is found again. The locks must be held.
func (s *Server) remove(ctx context.Context, name string) error {
	if err := s.known(name); err != nil { // somebody else may have had it locked until now
		return err
	}
	err := s.removeWithin(ctx, name)
	if err != nil && ctx.Err() != nil {
		return errors.New("interrupted: what is left of it is removed the next time")
	}
	return err
}

func (s *Server) removeWithin(ctx context.Context, name string) error {
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("the engine takes too long"))
	defer cancel()
	images, err := s.images(ctx, name)
	if err != nil {
		return err
	}
	if err := s.Down(ctx, name); err != nil {
		return err
	}
	left, err := s.Left(ctx, name)
	if err != nil {
		return err
	}
	if len(left) > 0 {
		return fmt.Errorf("the engine has not removed %s", strings.Join(left, ", "))
	}
	for _, image := range images {
		if err := s.forget(ctx, name, image); err != nil {
			s.Say("an image of " + name + " is left: " + err.Error())
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	// A folder of which some files can't be removed, removeat not among them, would stay for ever.
	away, err := os.MkdirTemp(s.Folder, removed+name+"-")
	if err != nil {
		return err
	}
	if err := durable.Rename(s.path(name), filepath.Join(away, name)); err != nil {
		return errors.Join(err, os.Remove(away))
	}
	return s.clear(away)
}

// clear removes a folder. Names of files in it are nobody's business.
func (s *Server) clear(folder string) error {
	err := s.RemoveAll(folder)
	if err == nil {
		return nil
	}
	if of, ok := errors.AsType[*fs.PathError](err); ok {
		err = of.Err
	}
	return fmt.Errorf("its folder can't be removed as a whole: %w\n"+
		"hint: what is left of it is %s; the timer tries it again", err, folder)
}

// images returns the ids of those that an instance runs, and may go back to.
func (s *Server) images(ctx context.Context, name string) (all []string, err error) {
	containers, err := s.Containers(ctx, name)
	if err != nil {
		return nil, err
	}
	for _, c := range containers {
		all = append(all, c.Image)
	}
	// A release that the power has cut short is no reason to keep it all.
	releases := release.Of(s.path(name))
	numbers, _ := releases.List()
	for _, n := range numbers {
		of, _ := releases.Images(n)
		for _, image := range of {
			all = append(all, image.ID)
		}
	}
	slices.Sort(all)
	return slices.Compact(all), nil
}

// forget removes an image, but one that another instance is made of, or may go back to.
func (s *Server) forget(ctx context.Context, name, image string) error {
	if used, err := s.Used(ctx, image); used || err != nil {
		return err
	}
	own, err := os.Stat(s.path(name))
	if err != nil {
		return err
	}
	for _, pattern := range s.Homes {
		folders, err := filepath.Glob(pattern)
		if err != nil {
			return err
		}
		for _, folder := range folders {
			if of, err := os.Stat(folder); err == nil && os.SameFile(of, own) {
				continue
			}
			if kept, err := keeps(release.Of(folder), image); kept || err != nil {
				return err
			}
		}
	}
	return s.Forget(ctx, image)
}

// keeps reports whether a release has an image.
func keeps(releases release.Folder, image string) (bool, error) {
	numbers, err := releases.List()
	if err != nil {
		return false, err
	}
	for _, n := range numbers {
		text, err := os.ReadFile(releases.File(n, "images"))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return false, err
		}
		if strings.Contains(string(text), image) {
			return true, nil
		}
	}
	return false, nil
}

// sweep removes the folders of instances that are gone, of which something was left.
func (s *Server) sweep() error {
	left, err := filepath.Glob(filepath.Join(s.Folder, removed+"*"))
	errs := []error{err}
	for _, folder := range left {
		errs = append(errs, s.clear(folder))
	}
	return errors.Join(errs...)
}
