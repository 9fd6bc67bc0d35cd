// Package takeover goes over from the old system to this one on a server where that runs: yourlabs.* roles, homes that
// yourlabs.compose deployed, their scripts and timers; and back.
//
// [Server.Look] reads what is there, and changes nothing. [Server.Prepare], before the new load balancer and the first
// deployment, makes a snapshot by the old means, and keeps what will be replaced; [Server.Finish], after them, ends
// what would run twice. [Server.Back] undoes it all, however far it came. Each is a plan of steps that can be begun
// again wherever it ended: a step looks at what is there, and does what is missing.
//
// What is kept are copies in two folders of one date, HOME/old-system.DATE for the instance and
// /var/lib/mrs-ops/old-system.DATE for what all instances of the server share, each under its whole path. The data are
// neither copied nor converted: both systems use the same folders and the same PostgreSQL, so the way back loses no
// row.
//
// It must not know how an instance is deployed, nor how the load balancer is set up.
package takeover

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
	"github.com/betagouv/mrs-ops/internal/hostside/generation"
	"github.com/betagouv/mrs-ops/internal/hostside/place"
	"github.com/betagouv/mrs-ops/internal/hostside/plan"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
	"github.com/betagouv/mrs-ops/internal/hostside/systemd"
)

// Host is what is asked of the server, beside its files.
type Host interface {
	// Run runs a program in a folder, with more in its environment, and returns what it prints. After a time it is ended,
	// with all that it has begun.
	Run(ctx context.Context, within time.Duration, folder string, env []string, argv ...string) (string, error)
	// Containers returns all that there are, also those that do not run.
	Containers(ctx context.Context) ([]docker.Container, error)
	// Snapshots lists those of a repository; End reads a file of one, by the end of its path, and returns its end.
	Snapshots(ctx context.Context, repository, passwordFile string) ([]restic.Snapshot, error)
	End(ctx context.Context, repository, passwordFile, snapshot, file string) (string, error)
	// Mirror reports whether a repository is at a mirror, in a folder there.
	Mirror(ctx context.Context, address, folder string) (bool, error)
	// Known returns who gets into a database's application with a password that everybody knows.
	Known(ctx context.Context, server docker.Container, database, role string) ([]string, error)
	// Quit has the application in a container end what it serves, and then itself, if it can.
	Quit(ctx context.Context, container string)
	// Answers waits until the site in a container answers.
	Answers(ctx context.Context, container string) error
}

// Server is the one that this runs on.
type Server struct {
	Host
	Root string // before all paths; empty but in tests
	Now  func() time.Time
	Say  func(line string)
	// around is what tests do around each step; nil: nothing.
	around func(ctx context.Context, step string, do func() error) error
}

// Instance is one of its homes.
type Instance struct {
	*Server
	Project, Folder string
	Within          time.Duration // for the snapshot by the old means
	Password        string        // RESTIC_PASSWORD of the new system; empty: it is to have no backups
	Repository      string        // RESTIC_REPOSITORY of it; empty: the folder restic beside docker-compose.yml
	Image           string        // of its PostgreSQL
	DBPassword      string        // that the application is to have
	Request         []byte        // what a takeover that was cut short is gone on with; without secrets
	Program         string        // mrs-host
}

// What of the server the old system has beside the homes: shared by all instances, so that it is ended with the first
// that is taken over, and is back with the last that goes back.
var (
	sharedUnits = []string{"yourlabs-compose-cleaner", "yourlabs-docker-prune"}
	sharedFiles = []string{"/etc/logrotate.d/mrs", "/etc/logrotate.d/yourlabs.compose"}
	// traefikFiles are kept, and not removed: the new load balancer replaces them. What it has got of certificates
	// since is not to be lost, so acme.json is not put back.
	traefikFiles = []string{traefik + "/" + current, traefik + "/traefik.toml", traefik + "/htpasswd/root"}
)

const (
	acme     = "/etc/traefik/acme/acme.json"
	lib      = "/var/lib/mrs-ops"
	units    = systemd.Folder
	traefik  = "/etc/traefik"
	balancer = "traefik" // its container, and its Compose project
	current  = "docker-compose.yml"
	// ourBalancer is a label of the load balancer that the role traefik has made.
	ourBalancer = "io.mrs-ops.files"
	// enabled is the folder that has a file for each unit that was, in one that keeps units.
	enabled = "/enabled"
	// mark is there while a takeover is under way: the direction.
	mark = ".takeover"
)

// oldUnits are the names of the units of an instance: those of the playbooks, and of the role since May 2021.
func (i *Instance) oldUnits() []string {
	return []string{i.Project + "-backup", i.Project + "-prune", "backup-" + i.Project}
}

// newUnits are those that a deployment of ours makes.
func (i *Instance) newUnits() []string { return hostapi.BackupUnits(i.Project) }

// oldFiles are the files of the home that the old system has written.
func (i *Instance) oldFiles() (files []string) {
	for _, name := range []string{current, "backup.sh", "restore.sh", "prune.sh"} {
		files = append(files, i.path(name))
	}
	return files
}

// newFiles are what a deployment of ours makes in the home beside data, some of them folders.
func (i *Instance) newFiles() (files []string) {
	for _, name := range []string{"drill.sh", "export.sh", "lend.sh", "alert.sh", "backup-common.sh", ".backup.env",
		".program", ".version", ".docker-compose.before.yml", "docker-compose.next.yml", ".recreating", "releases"} {
		files = append(files, i.path(name))
	}
	return append(files, "/etc/logrotate.d/mrs-ops-"+i.Project)
}

// --- files

func (i *Instance) path(name string) string { return filepath.Join(i.Folder, name) }

func (s *Server) real(path string) string { return s.Root + path }

func (s *Server) is(path string) bool {
	_, err := os.Lstat(s.real(path))
	return err == nil
}

// text is what a file has in it; empty where it can't be read.
func (s *Server) text(path string) string {
	text, _ := os.ReadFile(s.real(path))
	return string(text)
}

// found returns what matches a pattern, without the root.
func (s *Server) found(pattern string) []string {
	all, _ := filepath.Glob(s.real(pattern))
	for n := range all {
		all[n] = strings.TrimPrefix(all[n], s.Root)
	}
	return all
}

// keep copies files into a folder, each under its whole path. What was copied before is left as it is: it may be the
// only one.
func (s *Server) keep(folder string, files ...string) error {
	for _, file := range files {
		to := folder + file
		info, err := os.Stat(s.real(file))
		if errors.Is(err, fs.ErrNotExist) || err == nil && (s.is(to) || !info.Mode().IsRegular()) {
			continue
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(s.real(to)), 0o700)
		}
		if err == nil {
			err = s.copy(file, to, info)
		}
		if err != nil {
			return fmt.Errorf("%s can't be kept: %w", file, err)
		}
	}
	return nil
}

func (s *Server) copy(from, to string, like fs.FileInfo) error {
	content, err := os.ReadFile(s.real(from))
	if err == nil {
		err = durable.Write(s.real(to), content, like.Mode().Perm())
	}
	if err == nil && os.Geteuid() == 0 {
		err = place.Like(s.real(to), like)
	}
	return err
}

// putBack has files be what a folder has kept of them; of those that it has not, nothing is done.
func (s *Server) putBack(folder string, files ...string) error {
	for _, file := range files {
		info, err := os.Stat(s.real(folder + file))
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil {
			err = os.MkdirAll(filepath.Dir(s.real(file)), 0o755)
		}
		if err == nil {
			err = s.copy(folder+file, file, info)
		}
		if err != nil {
			return fmt.Errorf("%s can't be put back: %w", file, err)
		}
	}
	return nil
}

// aside takes files and folders away into a folder of the home, each under its whole path; what is elsewhere has to be
// a file.
func (i *Instance) aside(folder string, files ...string) error {
	for _, file := range files {
		if !i.is(file) {
			continue
		}
		err := os.MkdirAll(filepath.Dir(i.real(folder+file)), 0o700)
		switch {
		case err != nil:
		case strings.HasPrefix(file, i.Folder+"/"):
			err = errors.Join(os.RemoveAll(i.real(folder+file)), durable.Rename(i.real(file), i.real(folder+file)))
		default:
			err = errors.Join(i.keep(folder, file), durable.Remove(i.real(file)))
		}
		if err != nil {
			return fmt.Errorf("%s can't be set aside: %w", file, err)
		}
	}
	return nil
}

// backFrom is the opposite of aside.
func (i *Instance) backFrom(folder string, files ...string) (err error) {
	for _, file := range files {
		switch {
		case !i.is(folder + file):
		case strings.HasPrefix(file, i.Folder+"/"):
			err = errors.Join(err, os.RemoveAll(i.real(file)), durable.Rename(i.real(folder+file), i.real(file)))
		default:
			err = errors.Join(err, i.putBack(folder, file))
		}
	}
	return err
}

// kept returns the folder in which a takeover of the instance keeps its files, and that of the server's; empty: there
// is none.
func (i *Instance) kept() (own, shared string) {
	for _, found := range i.found(i.path(generation.Kept + "*")) {
		own = found
	}
	for _, found := range i.found(lib + "/" + generation.Kept + "*") {
		shared = found
	}
	return own, shared
}

// --- units

// end has units neither run nor start any more, keeps their files in a folder, and removes them: this project's, or
// the old system's. Where the files of these are this project's by now, which stay, it takes the links away by which
// they started at boot.
func (s *Server) end(ctx context.Context, folder string, ours bool, names ...string) error {
	var goes []string
	for _, file := range systemd.Paths(names...) {
		switch unit := filepath.Base(file); {
		case !s.is(file):
		case ours == strings.Contains(s.text(file), "written by mrs-ops"):
			goes = append(goes, file)
		case !ours && strings.HasSuffix(unit, ".service"):
			if _, err := s.systemctl(ctx, "disable", unit); err != nil {
				return fmt.Errorf("%s can't be disabled: %w", unit, err)
			}
		}
	}
	if len(goes) == 0 {
		return nil
	}
	if err := s.keepUnits(ctx, folder, goes...); err != nil {
		return err
	}
	_, err := systemd.End(ctx, s.systemctl, s.Root, goes...)
	return err
}

// keepUnits copies files of units into a folder, and writes down there which of them are enabled. What was found once
// stays: later they may be ended already.
func (s *Server) keepUnits(ctx context.Context, folder string, files ...string) error {
	err := errors.Join(s.keep(folder, files...), os.MkdirAll(s.real(folder+enabled), 0o700))
	for _, file := range files {
		unit := filepath.Base(file)
		if _, isNot := s.systemctl(ctx, "is-enabled", unit); isNot == nil && s.is(folder+file) {
			err = errors.Join(err, durable.Write(s.real(folder+enabled+"/"+unit), nil, 0o600))
		}
	}
	return err
}

// begin has units be there that a folder has kept, and those that were enabled be it, and of these what runs at all
// times run.
func (s *Server) begin(ctx context.Context, folder string, names ...string) error {
	files := slices.DeleteFunc(systemd.Paths(names...), func(file string) bool { return !s.is(folder + file) })
	if len(files) == 0 {
		return nil
	}
	gone := slices.DeleteFunc(slices.Clone(files), s.is)
	if err := s.putBack(folder, gone...); err != nil {
		return err
	}
	if _, err := s.systemctl(ctx, "daemon-reload"); err != nil {
		return err
	}
	for _, file := range files {
		argv := []string{"enable", filepath.Base(file)}
		if systemd.Lasts(file, s.text(file)) {
			argv = []string{"enable", "--now", filepath.Base(file)}
		}
		was := s.is(folder+enabled+"/"+filepath.Base(file)) || !s.is(folder+enabled) // which older versions have not kept
		if was && strings.Contains(s.text(file), "[Install]") {
			if _, err := s.systemctl(ctx, argv...); err != nil {
				return fmt.Errorf("%s can't be enabled: %w", filepath.Base(file), err)
			}
		}
	}
	return nil
}

// carryOut does steps, and undoes those that have begun where one fails, the last first. whole is whether all of them
// are done, or none.
func (s *Server) carryOut(ctx context.Context, steps []plan.Step) (whole bool, err error) {
	if s.around != nil {
		for n, step := range steps {
			steps[n].Do = func(ctx context.Context) error {
				return s.around(ctx, step.Name, func() error { return step.Do(ctx) })
			}
		}
	}
	begun, err := plan.Do(ctx, steps)
	if err == nil {
		return true, nil
	}
	// Whoever began has left, maybe.
	bounded, stop := context.WithTimeout(context.WithoutCancel(ctx), undoes)
	defer stop()
	_, undone := plan.Undo(bounded, begun, func(step plan.Step, err error) {
		s.Say(fmt.Sprintf("to %s can't be undone: %v", step.Name, err))
	})
	return undone == nil, errors.Join(err, undone)
}

// undoes bounds an undo, and each program but a backup.
const undoes = 10 * time.Minute

func (s *Server) docker(ctx context.Context, argv ...string) (string, error) {
	return s.Run(ctx, undoes, "/", nil, append([]string{"docker"}, argv...)...)
}

func (s *Server) systemctl(ctx context.Context, argv ...string) (string, error) {
	return s.Run(ctx, undoes, "/", nil, append([]string{"systemctl", "--quiet"}, argv...)...)
}

// busy reports whether a unit is at work.
func (s *Server) busy(ctx context.Context, unit string) bool {
	out, err := s.systemctl(ctx, "show", "--property", "ActiveState", "--value", unit)
	return err == nil && (strings.TrimSpace(out) == "activating" || strings.TrimSpace(out) == "active")
}
