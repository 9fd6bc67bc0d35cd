// Package compose is the docker compose of this host, for one project: its command lines.
//
// COMPOSE_… variables and a .env in the folder are not the project's, so that all is
// named in full. It must not know in which order things are replaced.
package compose

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/command"
)

// Project is one, and the folder that its relative paths are of.
type Project struct{ Name, Folder string }

// Error is docker compose that failed.
type Error struct {
	What string // its command
	Said string // what it printed, all of it
	Err  error
}

// Error is what it said last, or how it ended.
func (e *Error) Error() string {
	if hit, ok := errors.AsType[*bound.Exceeded](e.Err); ok {
		return hit.Error()
	}
	text := strings.TrimSpace(e.Said)
	return fmt.Sprintf("docker compose %s: %s", e.What, cmp.Or(text[strings.LastIndex(text, "\n")+1:], e.Err.Error()))
}

func (e *Error) Unwrap() error { return e.Err }

// argv returns a command line, of files of which each is merged over the one before it.
func (p Project) argv(files []string, argv ...string) []string {
	words := []string{"compose", "--progress", "plain", "--project-name", p.Name, "--project-directory", p.Folder,
		"--env-file", "/dev/null"}
	for _, file := range files {
		words = append(words, "--file", file)
	}
	return append(words, argv...)
}

const patience = 20 * time.Second

// Bounds, beside those that a command is given: an engine that hangs, or a registry, is not to hold the locks of
// whoever waits for it.
var (
	reads = 2 * time.Minute  // a file
	acts  = 15 * time.Minute // containers may take their time to end
	pulls = time.Hour
)

func limit(command string) time.Duration {
	switch command {
	case "config":
		return reads
	case "pull":
		return pulls
	}
	return acts
}

// run runs it, and returns what it prints on standard output, and all that it says.
func (p Project) run(ctx context.Context, files []string, argv ...string) (out []byte, said string, err error) {
	return p.within(ctx, limit(argv[0]), files, argv...)
}

// within is run with another bound.
func (p Project) within(
	ctx context.Context, limit time.Duration, files []string, argv ...string,
) (out []byte, said string, err error) {
	return run(ctx, limit, p.Folder, nil, argv[0], p.argv(files, argv...))
}

func run(
	ctx context.Context, limit time.Duration, folder string, env []string, what string, argv []string,
) (out []byte, said string, err error) {
	ctx, cancel := bound.Within(ctx, "docker compose "+what, limit)
	defer cancel()
	var stdout, all bytes.Buffer
	cmd := command.Context(ctx, "docker", argv...)
	cmd.Dir, cmd.Env = folder, env
	cmd.Stdout, cmd.Stderr = io.MultiWriter(&stdout, &all), &all
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, patience
	if err := cmd.Run(); err != nil {
		if ctx.Err() != nil {
			err = context.Cause(ctx)
		}
		return nil, all.String(), &Error{What: what, Said: all.String(), Err: err}
	}
	return stdout.Bytes(), all.String(), nil
}

// Resolved returns a file in JSON, its variables and paths resolved.
func (p Project) Resolved(ctx context.Context, file string) ([]byte, error) {
	out, _, err := p.run(ctx, []string{file}, "config", "--format", "json")
	return out, err
}

// Services returns the names of the services that the project's docker-compose.yml has.
func (p Project) Services(ctx context.Context) ([]string, error) {
	out, _, err := p.run(ctx, []string{filepath.Join(p.Folder, "docker-compose.yml")}, "config", "--services")
	return strings.Fields(string(out)), err
}

// Hashes returns Compose's sums of the services' configurations, as their containers have them.
func (p Project) Hashes(ctx context.Context, file string) (map[string]string, error) {
	out, _, err := p.run(ctx, []string{file}, "config", "--hash", "*")
	if err != nil {
		return nil, err
	}
	hashes := map[string]string{}
	for line := range strings.Lines(string(out)) {
		if words := strings.Fields(line); len(words) == 2 {
			hashes[words[0]] = words[1]
		}
	}
	return hashes, nil
}

// Overlay returns a file with another merged over it, otherwise as it is.
func (p Project) Overlay(ctx context.Context, file string, over []byte) ([]byte, error) {
	upper, err := os.CreateTemp(p.Folder, ".over.*.yml")
	if err != nil {
		return nil, err
	}
	defer os.Remove(upper.Name())
	_, err = upper.Write(over)
	if err = errors.Join(err, upper.Close()); err != nil {
		return nil, err
	}
	out, _, err := p.run(ctx, []string{file, upper.Name()},
		"config", "--no-interpolate", "--no-path-resolution", "--no-normalize")
	return out, err
}

var notPulled = regexp.MustCompile(`(?i) (error|warning) `)

// Pull has the images of a file brought here that a registry gives. It returns what it says of the others.
func (p Project) Pull(ctx context.Context, file string) (others []string) {
	_, said, err := p.run(ctx, []string{file}, "pull", "--ignore-pull-failures", "--quiet")
	for line := range strings.Lines(said) {
		if notPulled.MatchString(line) {
			others = append(others, strings.TrimSpace(line))
		}
	}
	if hit, ok := errors.AsType[*bound.Exceeded](err); ok {
		others = append(others, hit.Error())
	}
	return others
}

// Up has services run as a file has them.
type Up struct {
	Services []string // empty: all
	Wait     time.Duration
	// Alone leaves those that they depend on as they are; Orphans removes what is of
	// no service any more; Kept leaves the containers that are there as they are.
	Alone, Orphans, Kept bool
	Scale                map[string]int // of how many containers of a service there are
}

// Argv is what docker compose is told.
func (u Up) Argv() []string {
	argv := []string{"up", "--detach"}
	for _, option := range []struct {
		given bool
		name  string
	}{{u.Alone, "--no-deps"}, {u.Orphans, "--remove-orphans"}, {u.Kept, "--no-recreate"}} {
		if option.given {
			argv = append(argv, option.name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(u.Scale)) {
		argv = append(argv, "--scale", fmt.Sprintf("%s=%d", name, u.Scale[name]))
	}
	if u.Wait > 0 {
		argv = append(argv, "--wait", "--wait-timeout", strconv.Itoa(int(u.Wait.Seconds())))
	}
	return append(argv, u.Services...)
}

// Up carries that out.
func (p Project) Up(ctx context.Context, file string, up Up) error {
	_, _, err := p.within(ctx, up.Wait+acts, []string{file}, up.Argv()...)
	return err
}

// Stop ends services of a file, as their containers are told to.
func (p Project) Stop(ctx context.Context, file string, services ...string) error {
	_, _, err := p.run(ctx, []string{file}, append([]string{"stop"}, services...)...)
	return err
}

// Down removes what a project has: containers, networks and volumes. It goes by what
// the engine knows, and not by a file, which need not be whole.
func Down(ctx context.Context, project string, within time.Duration) error {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool { return strings.HasPrefix(v, "COMPOSE_") })
	_, _, err := run(ctx, within+acts, "/", env, "down", []string{"compose", "--progress", "plain",
		"--project-name", project, "--env-file", "/dev/null", "down", "--volumes", "--remove-orphans",
		"--timeout", strconv.Itoa(int(within.Seconds()))})
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}
