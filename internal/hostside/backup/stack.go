package backup

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/compose"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
	"github.com/betagouv/mrs-ops/internal/hostside/pgversion"
)

// Running is a stack on this host ([Stack]).
type Running struct {
	compose.Project
	Database, Role string
	Server         string   // the service of the database
	Users          []string // the services that use it, that of the site first
	Application    string   // what PostgreSQL calls us; empty: [dump.Application]
	Runner         bound.Runner
	Say            func(string)
	Free           func(path string) (free, size int64, err error)
	postgres       dump.Container
	text, resolved []byte // of the stack's file, as it was read last
}

// Bounds of the engine's answers, and of PostgreSQL: how long it may take to come, and to let a database go.
const (
	engine = 2 * time.Minute
	comes  = time.Minute
	pause  = 200 * time.Millisecond
	lets   = 30 * time.Second
	inVain = 32 << 20 // bytes that its disk has free: with less, it can't even write its log
)

// asked bounds a question to the engine.
func asked(ctx context.Context) (context.Context, context.CancelFunc) {
	return bound.Within(ctx, "docker", engine)
}

// Container returns the newest one of a service that runs, and whether there is one.
func (s *Running) Container(ctx context.Context, service string) (found docker.Container, ok bool, err error) {
	ctx, cancel := asked(ctx)
	defer cancel()
	all, err := docker.Project(ctx, s.Name)
	found, ok = docker.Serving(all, service)
	return found, ok, err
}

// PostgreSQL is the container of it, as it was found last.
func (s *Running) PostgreSQL() dump.Container { return s.postgres }

// find has in postgres the container of PostgreSQL, and reports whether it answers.
func (s *Running) find(ctx context.Context) bool {
	c, ok, err := s.Container(ctx, s.Server)
	s.postgres = dump.Container{Container: c, Role: s.Role, Database: s.Database, Application: s.Application,
		Runner: s.Runner}
	return err == nil && ok && s.postgres.Ready(ctx)
}

// Site is the service of the site; empty: there is none.
func (s *Running) Site() string { return append(slices.Clone(s.Users), "")[0] }

// data is where the database has its data.
func (s *Running) data() string {
	return cmp.Or(s.postgres.Mounts["/var/lib/postgresql/data"], filepath.Join(s.Folder, "postgres", "data"))
}

// vain reports whether PostgreSQL is waited for in vain: its disk is full.
func (s *Running) vain() bool {
	free, _, err := s.Free(s.data())
	return err == nil && free < inVain
}

// waits tries something of PostgreSQL until it succeeds, for so long at most, or until that is
// in vain. An error is that nobody waits any more.
func (s *Running) waits(ctx context.Context, within time.Duration, try func() bool) (ok bool, err error) {
	for begun := time.Now(); time.Since(begun) < within; {
		if try() {
			return true, nil
		}
		if time.Since(begun) > 5*time.Second && s.vain() {
			return false, nil
		}
		select {
		case <-ctx.Done():
			return false, context.Cause(ctx)
		case <-time.After(pause):
		}
	}
	return false, nil
}

// Ready implements [Stack].
func (s *Running) Ready(ctx context.Context) error {
	if ok, err := s.waits(ctx, comes, func() bool { return s.find(ctx) }); ok || err != nil {
		return err
	}
	if s.vain() {
		return die("df -h "+s.data(), "PostgreSQL of %s does not answer, and its disk is full", s.Name)
	}
	ctx, cancel := asked(ctx)
	defer cancel()
	if stack, err := s.Resolved(ctx, s.file()); err == nil {
		if err := keeps(ctx, stack); err != nil {
			return err
		}
	}
	return die("docker compose --file "+s.file()+" logs "+s.Server, "PostgreSQL of %s does not answer", s.Name)
}

// Resolved is [compose.Project.Resolved], of a file that is as it was the same again.
func (s *Running) Resolved(ctx context.Context, file string) ([]byte, error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	if s.resolved == nil || !bytes.Equal(text, s.text) {
		s.text = text
		s.resolved, err = s.Project.Resolved(ctx, file)
	}
	return s.resolved, err
}

func (s *Running) file() string { return filepath.Join(s.Folder, "docker-compose.yml") }

// Keeps makes sure that the stack's PostgreSQL is of the version that its data folder is of.
func (s *Running) Keeps(ctx context.Context) error {
	ctx, cancel := asked(ctx)
	defer cancel()
	stack, err := s.Resolved(ctx, s.file())
	if err != nil {
		return explained(err)
	}
	return keeps(ctx, stack)
}

func keeps(ctx context.Context, stack []byte) error {
	if err := pgversion.Keeps(ctx, bytes.NewReader(stack)); err != nil {
		return explained(err)
	}
	return nil
}

// explained is a failure of several reasons, of which each may have a hint.
func explained(err error) error {
	f := &Failure{Status: 1}
	var reasons []string
	for line := range strings.Lines(err.Error()) {
		line = strings.TrimSpace(line)
		if hint, is := strings.CutPrefix(line, "hint: "); !is {
			reasons = append(reasons, line)
		} else if f.Hint == "" {
			f.Hint = hint
		}
	}
	f.Reason = strings.Join(reasons, ";")
	return f
}

// DumpFolder implements [Stack].
func (s *Running) DumpFolder(context.Context) (string, error) {
	folder := s.postgres.Mounts["/dump"]
	if info, err := os.Stat(folder); folder == "" || err != nil || !info.IsDir() {
		return "", fmt.Errorf("the %s container of %s has no folder of the host as /dump", s.Server, s.Name)
	}
	return folder, nil
}

// EndOurs implements [Stack].
func (s *Running) EndOurs(ctx context.Context) error { return s.postgres.EndOurs(ctx) }

// Dump implements [Stack].
func (s *Running) Dump(ctx context.Context, o dump.Options) (dump.Made, error) {
	return dump.Make(ctx, s.postgres, o)
}

// Commit implements [Stack].
func (s *Running) Commit(ctx context.Context) string {
	c, _, _ := s.Container(ctx, s.Site())
	return c.Env["GIT_COMMIT"]
}

// Leftovers implements [Stack].
func (s *Running) Leftovers(ctx context.Context, lent bool) error {
	if err := Gone(ctx, s.Name+"-trial"); err != nil {
		return err
	}
	kinds := []string{"restore"}
	if lent {
		kinds = append(kinds, "lent")
	}
	for _, kind := range kinds {
		names, err := s.postgres.Beside(ctx, kind)
		if err != nil {
			return err
		}
		for _, name := range names {
			// What is left is for the next time.
			if err := s.Drop(ctx, name); err != nil && ctx.Err() != nil {
				return err
			}
		}
	}
	return nil
}

// Gone removes a stack that nobody needs to say goodbye to: its containers, volumes and networks.
func Gone(ctx context.Context, project string) error {
	ctx, cancel := asked(ctx)
	defer cancel()
	return docker.Clear(ctx, project, "container", "network")
}

// Drop drops a database as soon as PostgreSQL lets us: it may just have been killed, and be at
// its recovery. Where it can't be dropped, that is said, too.
func (s *Running) Drop(ctx context.Context, name string) error {
	var last error
	ok, err := s.waits(ctx, lets, func() bool {
		if last = s.postgres.Drop(ctx, name); last == nil {
			return true
		}
		s.find(ctx) // it may be another container by now
		return false
	})
	if ok || err != nil {
		return err
	}
	last = fmt.Errorf("the database %s can't be dropped: %w", name, last)
	s.Say(last.Error())
	return last
}
