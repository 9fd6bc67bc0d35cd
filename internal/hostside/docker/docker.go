// Package docker asks the engine of this host about containers, and reaches into them: their network, their commands.
//
// It knows the engine's command line and the kernel's tables of connections. It must not know what a container is for.
package docker

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/command"
)

// Container is one, as it was when it was asked for.
type Container struct {
	ID        string
	Name      string
	PID       int // of its first process; 0: it does not run
	Running   bool
	Restarts  int    // by the engine
	Started   string // when it did last
	Image     string // its id
	Named     string // the image, as the container's maker has called it
	Env       map[string]string
	Folders   []string          // of the host, which it has mounted; volumes too
	Mounts    map[string]string // the same, by where they are in the container
	Addresses []netip.Addr      // in all of its networks
	Networks  []string          // their names, sorted
	Restart   string            // its restart policy: no, always …
	Labels    map[string]string
	Status    string // created, running, restarting, exited …
	ExitCode  int
	Health    string   // starting, healthy, unhealthy; empty: it has no health check
	Checks    []string // what its health checks have said, the newest last
	created   string
}

// Service is what Compose calls what the container is of.
func (c Container) Service() string { return c.Labels["com.docker.compose.service"] }

// Hash is the label in which Compose keeps a sum of the configuration that a container was made of.
const Hash = "com.docker.compose.config-hash"

// ConfigHash is that sum.
func (c Container) ConfigHash() string { return c.Labels[Hash] }

// Project returns the containers of a Compose project, also those that do not run,
// the oldest first. Those of docker compose run are none of them.
func Project(ctx context.Context, project string) ([]Container, error) {
	return containers(ctx, labelled(project, "com.docker.compose.oneoff=False"))
}

// All returns all containers of this host, also those that do not run, the oldest first.
func All(ctx context.Context) ([]Container, error) { return containers(ctx, url.Values{}) }

func containers(ctx context.Context, filters url.Values) (all []Container, err error) {
	// One may go between the two questions.
	for try := 0; ; try++ {
		ids, err := list(ctx, "container", filters)
		if err != nil {
			return nil, err
		}
		if all, err = InspectAll(ctx, ids...); err == nil {
			break
		}
		if try == 3 || ctx.Err() != nil {
			return nil, err
		}
	}
	slices.SortFunc(all, func(a, b Container) int { return strings.Compare(a.created, b.created) })
	return all, nil
}

// Serving returns the newest container of a service that runs, of those of its project ([Project]); ok is whether
// there is one.
func Serving(all []Container, service string) (newest Container, ok bool) {
	for _, c := range all { // the oldest first
		if c.Service() == service && c.Running {
			newest, ok = c, true
		}
	}
	return newest, ok
}

// Inspect asks about a container by its id or name.
func Inspect(ctx context.Context, id string) (Container, error) {
	all, err := InspectAll(ctx, id)
	if err != nil {
		return Container{}, err
	}
	return all[0], nil
}

// InspectAll asks about several. It returns as many as were asked for.
func InspectAll(ctx context.Context, ids ...string) (all []Container, err error) {
	for _, id := range ids {
		var c inspected
		if _, err := get(ctx, "/containers/"+id+"/json", nil, &c); err != nil {
			return nil, err
		}
		all = append(all, c.container())
	}
	return all, nil
}

// inspected is what the engine tells of a container.
type inspected struct {
	ID           string `json:"Id"`
	Name         string
	Image        string
	Created      time.Time
	RestartCount int
	Mounts       []struct{ Source, Destination string }
	State        struct {
		Running   bool
		Status    string
		ExitCode  int
		Pid       int
		StartedAt string
		Health    *struct {
			Status string
			Log    []struct{ Output string }
		}
	}
	Config struct {
		Image  string
		Env    []string
		Labels map[string]string
	}
	HostConfig      struct{ RestartPolicy struct{ Name string } }
	NetworkSettings struct {
		Networks map[string]struct{ IPAddress, GlobalIPv6Address string }
	}
}

func (r inspected) container() Container {
	c := Container{ID: r.ID, Name: strings.TrimPrefix(r.Name, "/"), PID: r.State.Pid, Running: r.State.Running,
		Restarts: r.RestartCount, Started: r.State.StartedAt, Image: r.Image, Named: r.Config.Image,
		Env: variables(r.Config.Env), Labels: r.Config.Labels, Status: r.State.Status, ExitCode: r.State.ExitCode,
		Restart: r.HostConfig.RestartPolicy.Name, Mounts: map[string]string{},
		created: r.Created.UTC().Format("20060102150405.000000000")}
	if h := r.State.Health; h != nil {
		c.Health = h.Status
		for _, check := range h.Log {
			c.Checks = append(c.Checks, check.Output)
		}
	}
	for _, m := range r.Mounts {
		c.Folders = append(c.Folders, m.Source)
		c.Mounts[m.Destination] = m.Source
	}
	for _, name := range slices.Sorted(maps.Keys(r.NetworkSettings.Networks)) {
		c.Networks = append(c.Networks, name)
		network := r.NetworkSettings.Networks[name]
		for _, address := range []string{network.IPAddress, network.GlobalIPv6Address} {
			if a, err := netip.ParseAddr(address); err == nil {
				c.Addresses = append(c.Addresses, a)
			}
		}
	}
	return c
}

// variables are lines of the form NAME=VALUE.
func variables(lines []string) map[string]string {
	all := map[string]string{}
	for _, line := range lines {
		name, value, _ := strings.Cut(line, "=")
		all[name] = value
	}
	return all
}

// Image is one that is on this host.
type Image struct {
	ID      string
	Digests []string          // NAME@sha256:…, of those that came from a registry
	Env     map[string]string // the variables that it sets
	Checked bool              // it has a health check of its own
}

// Have has the image of a name or a digest here, and returns it. Where it is not, it is pulled, which is said.
func Have(ctx context.Context, name string, say func(string)) (Image, error) {
	there, err := ImageOf(ctx, name)
	if err != nil || there.ID != "" {
		return there, err
	}
	say("pulling " + name)
	if _, err := Run(ctx, "pull", "--quiet", name); err != nil {
		return there, err
	}
	return ImageOf(ctx, name)
}

// ImageOf returns the image that has a name, a digest or an id here; without an ID where none has it.
func ImageOf(ctx context.Context, name string) (Image, error) {
	var i struct {
		ID          string `json:"Id"`
		RepoDigests []string
		Config      struct {
			Env         []string
			Healthcheck *struct{ Test []string }
		}
	}
	if found, err := get(ctx, "/images/"+name+"/json", nil, &i); err != nil {
		if !found {
			err = nil
		}
		return Image{}, err
	}
	check := i.Config.Healthcheck
	checked := check != nil && len(check.Test) > 0 && check.Test[0] != "NONE"
	return Image{ID: i.ID, Digests: i.RepoDigests, Env: variables(i.Config.Env), Checked: checked}, nil
}

// Owner returns the name of the running container that has an address; empty: none has it.
func Owner(ctx context.Context, address netip.Addr) string {
	all, _ := All(ctx)
	for _, c := range all {
		if slices.Contains(c.Addresses, address) {
			return c.Name
		}
	}
	return ""
}

// Exec runs a command in the container, with more in its environment, and returns what it prints. input may be nil.
func (c Container) Exec(ctx context.Context, env []string, input io.Reader, argv ...string) (string, error) {
	words := []string{"exec"}
	if input != nil {
		words = append(words, "--interactive")
	}
	for _, e := range env {
		words = append(words, "--env", e)
	}
	out, err := run(ctx, input, append(append(words, c.ID), argv...)...)
	return string(out), err
}

// Run runs docker with these arguments, which hold nothing secret, and returns what it prints.
func Run(ctx context.Context, argv ...string) (string, error) {
	out, err := run(ctx, nil, argv...)
	return string(out), err
}

// Bounds: an engine that hangs, or a registry, is not to hold the locks of whoever waits for it. Most is answered at
// once; a container may take its time to end.
var (
	answers = 10 * time.Minute
	pulls   = time.Hour
)

func run(ctx context.Context, input io.Reader, argv ...string) ([]byte, error) {
	limit := answers
	if argv[0] == "pull" {
		limit = pulls
	}
	ctx, cancel := bound.Within(ctx, "docker "+argv[0], limit)
	defer cancel()
	var out, said bytes.Buffer
	cmd := command.Context(ctx, "docker", argv...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr, cmd.WaitDelay = input, &out, &said, delay
	err := cmd.Run()
	// What it says last is why; what it says before may be of the application.
	text := strings.TrimSpace(said.String())
	if last := text[strings.LastIndex(text, "\n")+1:]; err != nil && last != "" && ctx.Err() == nil {
		err = fmt.Errorf("%w: %s", err, last)
	}
	return out.Bytes(), failed(ctx, argv[0], err)
}

// failed is the error of what was asked of the engine: the bound that it has hit, why nobody waits for it, or its own.
func failed(ctx context.Context, what string, err error) error {
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	if hit, ok := errors.AsType[*bound.Exceeded](err); ok {
		return hit
	}
	if err != nil {
		err = fmt.Errorf("docker %s: %w", what, err)
	}
	return err
}

// delay is how long is waited for what a program that was ended has begun.
const delay = 5 * time.Second

// Left lists what a Compose project has of a kind: container, volume or network.
func Left(ctx context.Context, kind, project string) ([]string, error) {
	return list(ctx, kind, labelled(project))
}

// Clear removes what a Compose project has of some kinds, at once and in their order.
func Clear(ctx context.Context, project string, kinds ...string) error {
	for _, kind := range kinds {
		left, err := Left(ctx, kind, project)
		argv := []string{kind, "rm"}
		if kind == "container" {
			argv = append(argv, "--force", "--volumes")
		}
		if err == nil && len(left) > 0 {
			_, err = Run(ctx, append(argv, left...)...)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// ErrDown is a container that does not run.
var ErrDown = errors.New("the container does not run")

// Dial opens a connection from inside the container's network: its loopback is 127.0.0.1.
func (c Container) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	if c.PID == 0 {
		return nil, ErrDown
	}
	return dialIn(ctx, fmt.Sprintf("/proc/%d/ns/net", c.PID), network, address)
}

// Loopback returns the way to a port of the container's own loopback, whatever the address says.
func (c Container) Loopback(port int) func(ctx context.Context, network, address string) (net.Conn, error) {
	return func(ctx context.Context, network, _ string) (net.Conn, error) {
		return c.Dial(ctx, network, net.JoinHostPort("127.0.0.1", strconv.Itoa(port)))
	}
}

// Connections returns the TCP connections of the container's network.
func (c Container) Connections() ([]Connection, error) {
	if c.PID == 0 {
		return nil, ErrDown
	}
	var all []Connection
	for _, file := range []string{"tcp", "tcp6"} {
		text, err := os.ReadFile(fmt.Sprintf("/proc/%d/net/%s", c.PID, file))
		if errors.Is(err, os.ErrNotExist) && file == "tcp6" {
			continue
		}
		if err != nil {
			return nil, err
		}
		some, err := ParseConnections(string(text))
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}
