// Package compose is the docker compose of this host, for one project: what of a
// compose file counts for replacing what runs, and the command lines for it.
//
// COMPOSE_… variables and a .env in the folder are not the project's, so that all is
// named in full. It must not know in which order things are replaced.
package compose

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
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

// Service is a service of a compose file.
type Service struct {
	Name  string
	Image string
	// Fixed is why it can't run twice; empty: it can.
	Fixed  string
	Routes string // what the load balancer is told of it ([Routes])
	Port   int    // that the load balancer is told to send to; 0: none is named
	// Checked is whether the file says how to tell that it is healthy; Unchecked,
	// whether it says that the image's own health check does not count.
	Checked, Unchecked bool
}

// Parse reads what docker compose config --format json prints: the services by their names.
func Parse(config []byte) ([]Service, error) {
	var file struct {
		Services map[string]struct {
			Image         string
			Labels        labels
			Ports         []any
			ContainerName string `json:"container_name"`
			Healthcheck   *struct {
				Disable any
				Test    any
			}
		}
	}
	if err := json.Unmarshal(config, &file); err != nil {
		return nil, fmt.Errorf("docker compose config: %w", err)
	}
	var all []Service
	for _, name := range slices.Sorted(maps.Keys(file.Services)) {
		s := file.Services[name]
		service := Service{Name: name, Image: s.Image, Routes: Routes(s.Labels), Port: port(s.Labels)}
		switch {
		case s.Labels["traefik.enable"] != "true":
			service.Fixed = "no load balancer is before it"
		case len(s.Ports) > 0:
			service.Fixed = "it publishes a port"
		case s.ContainerName != "":
			service.Fixed = "its container has a fixed name"
		}
		if check := s.Healthcheck; check != nil {
			service.Unchecked = isTrue(check.Disable) || isNone(check.Test)
			service.Checked = !service.Unchecked && isTest(check.Test)
		}
		all = append(all, service)
	}
	return all, nil
}

// isNone reports whether a health check's test is NONE, which is that there is none.
func isNone(test any) bool {
	words, ok := test.([]any)
	return ok && len(words) > 0 && words[0] == "NONE" || test == "NONE"
}

// isTest reports whether there is a test; an empty list is as if there were no key.
func isTest(test any) bool {
	words, ok := test.([]any)
	return ok && len(words) > 0 || !ok && test != nil
}

// isTrue reads a boolean, also one that is written as a text, as Compose does.
func isTrue(value any) bool {
	text := strings.ToLower(fmt.Sprint(value))
	return slices.Contains([]string{"true", "yes", "on", "y", "t", "1"}, text)
}

// labels are a map, or a list of NAME=VALUE.
type labels map[string]string

// UnmarshalJSON reads both, of which a value may be a number or a boolean. A $ is doubled in a compose file.
func (l *labels) UnmarshalJSON(text []byte) error {
	*l = labels{}
	var list []string
	if json.Unmarshal(text, &list) == nil {
		for _, line := range list {
			name, value, _ := strings.Cut(line, "=")
			(*l)[name] = strings.ReplaceAll(value, "$$", "$")
		}
		return nil
	}
	var values map[string]any
	if err := json.Unmarshal(text, &values); err != nil {
		return err
	}
	for name, value := range values {
		if value == nil {
			value = ""
		}
		(*l)[name] = strings.ReplaceAll(fmt.Sprint(value), "$$", "$")
	}
	return nil
}

// Routes returns a sum of what Traefik reads of these labels.
func Routes(labels map[string]string) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if strings.HasPrefix(name, "traefik.") {
			fmt.Fprintf(sum, "%q=%q\n", name, labels[name])
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil))[:12]
}

// HTTPPort is where an application listens unless the load balancer is told otherwise.
const HTTPPort = 8000

// PortOf returns where an application listens whose container has these labels.
func PortOf(labels map[string]string) int { return cmp.Or(port(labels), HTTPPort) }

// IsPort reports whether a label tells that.
func IsPort(label string) bool { return portLabel.MatchString(label) }

var portLabel = regexp.MustCompile(`^traefik\.http\.services\.[^.]+\.loadbalancer\.server\.port$`)

func port(labels map[string]string) int {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if n, err := strconv.Atoi(labels[name]); err == nil && portLabel.MatchString(name) {
			return n
		}
	}
	return 0
}

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

// Services returns those of a file.
func (p Project) Services(ctx context.Context, file string) ([]Service, error) {
	out, _, err := p.run(ctx, []string{file}, "config", "--no-interpolate", "--format", "json")
	if err != nil {
		return nil, err
	}
	return Parse(out)
}

// Resolved returns a file in JSON, its variables and paths resolved.
func (p Project) Resolved(ctx context.Context, file string) ([]byte, error) {
	out, _, err := p.run(ctx, []string{file}, "config", "--format", "json")
	return out, err
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
