package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/betagouv/mrs-ops/internal/answer"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/application"
	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/command"
	"github.com/betagouv/mrs-ops/internal/hostside/compose"
	"github.com/betagouv/mrs-ops/internal/hostside/database"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/door"
	"github.com/betagouv/mrs-ops/internal/hostside/drain"
	"github.com/betagouv/mrs-ops/internal/hostside/pgversion"
	"github.com/betagouv/mrs-ops/internal/hostside/rollout"
	"github.com/betagouv/mrs-ops/internal/hostside/site"
)

// server is this one, as a rollout asks it ([rollout.Host]): each method is a line or two over the package that knows.
type server struct {
	compose.Project
	site  site.Site
	ports map[string]int // of the services
	want  database.Want
	drain time.Duration
	say   func(string)
}

func (s *server) Containers(ctx context.Context) ([]docker.Container, error) {
	return docker.Project(ctx, s.Name)
}

func (s *server) Image(ctx context.Context, name string) (docker.Image, error) {
	return docker.ImageOf(ctx, name)
}

func (s *server) Tag(ctx context.Context, id, name string) error {
	_, err := docker.Run(ctx, "tag", id, name)
	return err
}

func (s *server) Fetch(ctx context.Context, digest string) error {
	_, err := docker.Run(ctx, "pull", "--quiet", digest)
	return err
}

func (s *server) Network(ctx context.Context, name string) (made bool, err error) {
	if _, err := docker.Run(ctx, "network", "inspect", name); err == nil {
		return false, nil
	}
	_, err = docker.Run(ctx, "network", "create", name)
	return err == nil, err
}

// endsWithin is how long the application may take to end by itself, once it is idle.
const endsWithin = 30 * time.Second

func (s *server) Drain(ctx context.Context, all ...docker.Container) (err error) {
	cut, byPort := 0, map[int][]string{}
	for _, c := range all {
		byPort[s.port(c)] = append(byPort[s.port(c)], c.ID)
	}
	for port, ids := range byPort {
		n, e := drain.Drain(ctx, drain.Docker{}, port, drain.Limits{Requests: s.drain, Quit: endsWithin}, ids...)
		cut, err = cut+n, errors.Join(err, e)
	}
	if cut > 0 {
		err = errors.Join(fmt.Errorf("%d connections were still open after %v, and were cut", cut, s.drain), err)
	}
	return err
}

// port is where a container listens; one of a service that is no more, where the site does.
func (s *server) port(c docker.Container) int { return cmp.Or(s.ports[c.Service()], s.site.Port) }

func (s *server) Log(ctx context.Context, c docker.Container) string {
	var text strings.Builder
	fmt.Fprintf(&text, "== %s: %s, exit status %d", c.Name, c.Status, c.ExitCode)
	if c.Health != "" {
		fmt.Fprintf(&text, ", %s", c.Health)
	}
	for _, said := range c.Checks[max(0, len(c.Checks)-3):] {
		fmt.Fprintf(&text, "\n%s", strings.TrimSpace(said))
	}
	log := logs(ctx, "--tail", "5000", c.ID)
	fmt.Fprintf(&text, "\n== the first exception and the last lines of its log, without requests\n%s",
		application.Telling(string(log), 50))
	return text.String()
}

// logs returns what a container has said, as much as is told at once.
func logs(ctx context.Context, argv ...string) []byte {
	ctx, cancel := bound.Within(ctx, "docker logs", bound.Quick)
	defer cancel()
	log, _ := command.Context(ctx, "docker", append([]string{"logs"}, argv...)...).CombinedOutput()
	return log
}

func (s *server) Close(ctx context.Context, c docker.Container) error {
	return door.Close(ctx, c, s.port(c))
}
func (s *server) Open(ctx context.Context, c docker.Container) error {
	return door.Open(ctx, c, s.port(c))
}
func (s *server) Count(ctx context.Context, c docker.Container) error {
	return door.Count(ctx, c, s.port(c))
}
func (s *server) Visits(ctx context.Context, c docker.Container) (int, error) {
	return door.Visits(ctx, c)
}

func (s *server) Lacks() []string {
	return slices.DeleteFunc(door.Programs(), func(program string) bool {
		_, err := exec.LookPath(program)
		return err == nil
	})
}

func (s *server) Listens(all []hostapi.Service, site string) {
	s.ports = map[string]int{}
	for _, service := range all {
		s.ports[service.Name] = service.Port
	}
	s.site.Port = s.ports[site]
}

func (s *server) Answers(ctx context.Context, container, path string, m answer.Maintenance,
	within time.Duration) error {
	asked := s.site
	asked.Path, asked.Maintenance = path, m
	return asked.Answers(ctx, container, within)
}

func (s *server) Visit(ctx context.Context, host, path string) {
	scheme, _, _ := strings.Cut(s.site.URL, "://")
	_, _, _ = answer.Way{Dial: answer.Visitor}.Get(ctx, &url.URL{Scheme: scheme, Host: host, Path: path}, nil)
}

func (s *server) Proves(ctx context.Context, container, postgres string) error {
	want := s.want
	want.Server = postgres
	return s.site.Proves(ctx, container, "", want)
}

func (s *server) Moment(ctx context.Context, container, postgres string, lead time.Duration, say func(string)) error {
	want := s.want
	want.Server = postgres
	return site.Moment(ctx, container, want, lead, say)
}

func (s *server) Developers(ctx context.Context, container string) error {
	return s.site.Developers(ctx, container, true)
}

// trail is how many lines of the load balancer's log are shown.
const trail = 5

func (s *server) Trail(ctx context.Context) string {
	var lines []string
	find := func(log io.Reader) {
		all := bufio.NewScanner(log)
		for all.Scan() {
			if strings.Contains(all.Text(), s.site.Check) {
				lines = append(lines, all.Text())
			}
		}
	}
	files, _ := filepath.Glob("/var/log/traefik/*.log")
	for _, name := range files {
		if file, err := os.Open(name); err == nil {
			find(file)
			file.Close()
		}
	}
	if len(lines) == 0 {
		find(bytes.NewReader(logs(ctx, "--since", "1h", "traefik")))
	}
	if len(lines) == 0 {
		lines = []string{"(nothing)"}
	}
	lines = lines[max(0, len(lines)-trail):]
	return "== the load balancer about health check " + s.site.Check + "\n" + strings.Join(lines, "\n")
}

func (s *server) Keeps(ctx context.Context, stack []byte, all []docker.Container) error {
	if err := pgversion.Keeps(ctx, bytes.NewReader(stack)); err != nil {
		return err
	}
	application, _ := docker.Serving(all, hostapi.MRS)
	postgres, _ := docker.Serving(all, application.Env["DB_HOST"])
	return database.Moved(ctx, postgres, s.want, application.Env["DB_NAME"])
}

func (s *server) CanBackUp() bool { return s.executable("backup.sh") }

func (s *server) executable(name string) bool {
	info, err := os.Stat(filepath.Join(s.Folder, name))
	return err == nil && info.Mode()&0o111 != 0
}

func (s *server) Backup(ctx context.Context, say func(string)) error {
	said, err := s.script(ctx, say, "backup.sh", "deploy")
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && exit.ExitCode() == hostapi.NotMirrored && ctx.Err() == nil {
		return fmt.Errorf("%w: %s", rollout.ErrMirror, reason(said))
	}
	if err != nil {
		return fmt.Errorf("%w\n%s", err, said)
	}
	return nil
}

func (s *server) Recover(ctx context.Context) error {
	if !s.executable("restore.sh") {
		return nil
	}
	said, err := s.script(ctx, s.say, "restore.sh", "recover")
	if err != nil {
		return fmt.Errorf("%w: %s", err, reason(said))
	}
	return nil
}

// ends is how long a script may take to undo what it does.
const ends = 10 * time.Minute

// script runs one of the instance's, and returns what it says on standard error.
func (s *server) script(ctx context.Context, say func(string), name string, argv ...string) (said string, err error) {
	var stderr bytes.Buffer
	cmd := command.Context(ctx, "./"+name, argv...)
	cmd.Dir, cmd.Stderr = s.Folder, &stderr
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, ends
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return "", err
	}
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		say(lines.Text())
	}
	err = cmd.Wait()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return stderr.String(), err
}

// reason is the last line that is no hint.
func reason(said string) string {
	last := ""
	for line := range strings.SplitSeq(strings.TrimSpace(said), "\n") {
		if !strings.HasPrefix(line, "hint:") {
			last = line
		}
	}
	return last
}

func (s *server) Queue(ctx context.Context, length string) error {
	now, err := os.ReadFile("/proc/sys/net/core/somaxconn")
	if length == "" || err == nil && strings.TrimSpace(string(now)) == length {
		return err
	}
	path := "/etc/sysctl.d/90-mrs-ops-" + s.Name + ".conf"
	if err := os.WriteFile(path, []byte("net.core.somaxconn = "+length+"\n"), 0o644); err != nil {
		return err
	}
	if err := os.Chmod(path, 0o644); err != nil { // whatever the umask
		return err
	}
	ctx, cancel := bound.Within(ctx, "sysctl", bound.Quick)
	defer cancel()
	if out, err := command.Context(ctx, "sysctl", "--quiet", "--load", path).CombinedOutput(); err != nil {
		return fmt.Errorf("net.core.somaxconn can't be %s: %w: %s", length, err, bytes.TrimSpace(out))
	}
	return nil
}
