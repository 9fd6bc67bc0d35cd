package restore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/answer"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/application"
	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/command"
	"github.com/betagouv/mrs-ops/internal/hostside/compose"
	"github.com/betagouv/mrs-ops/internal/hostside/database"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/drain"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
	"github.com/betagouv/mrs-ops/internal/hostside/site"
	"github.com/betagouv/mrs-ops/internal/hostside/unit"
)

// thisStack is one on this host ([Stack]).
type thisStack struct {
	*backup.Running
	Patience time.Duration // that PostgreSQL may take to start
	Folders  []string      // of the stack's, that are backed up
	of       string        // the compose file that drills are of; empty: that of the stack
	drills   string        // what is behind the name of the stack in that of a drill's
}

func (s thisStack) trial(folder string) Trial {
	return Trial{Folder: folder, Was: s.Database, Server: s.Running.Server, Site: s.Site(), Folders: s.Folders}
}

// Bounds: an engine may hang, and what undoes a swap is not to hang with it.
const (
	comes  = 5 * time.Minute  // the engine, after a loss of power
	ends   = 5 * time.Minute  // the application
	quits  = time.Minute      // the same, by itself
	starts = 15 * time.Minute // the stack
)

func (s thisStack) file() string { return filepath.Join(s.Folder, "docker-compose.yml") }

func (s thisStack) Server() Server { return s.PostgreSQL() }

func (s thisStack) Engine(ctx context.Context) error {
	ctx, cancel := bound.Within(ctx, "docker", comes)
	defer cancel()
	for {
		if _, err := docker.Run(ctx, "version"); err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return errors.New("the Docker engine does not answer")
		case <-time.After(500 * time.Millisecond):
		}
	}
}

func (s thisStack) Try(ctx context.Context, folder, database string) (string, error) {
	t := s.trial(folder)
	t.Database = database
	if networks := s.PostgreSQL().Networks; len(networks) > 0 {
		t.Network = networks[0]
	}
	file := filepath.Join(s.Folder, ".trial.json")
	if err := s.write(ctx, t, file); err != nil {
		return "", err
	}
	return start(ctx, compose.Project{Name: s.Name + "-trial", Folder: folder}, file, "trial", 0)
}

func (s thisStack) write(ctx context.Context, t Trial, file string) error {
	config, err := s.Resolved(ctx, cmp.Or(s.of, s.file()))
	if err != nil {
		return err
	}
	text, err := t.File(config)
	if err != nil {
		return err
	}
	return os.WriteFile(file, text, 0o600)
}

// start starts a service of a trial, waits for it if it is to, and returns its container.
func start(ctx context.Context, p compose.Project, file, service string, wait time.Duration) (id string, err error) {
	up, cancel := bound.Within(ctx, "docker compose up", starts)
	defer cancel()
	if err := p.Up(up, file, compose.Up{Services: []string{service}, Wait: wait}); err != nil {
		return "", all(err)
	}
	containers, err := docker.Project(ctx, p.Name)
	for _, c := range containers { // the oldest first
		if c.Service() == service {
			id = c.ID
		}
	}
	if err == nil && id == "" {
		err = fmt.Errorf("there is no container of %s", service)
	}
	return id, err
}

func (s thisStack) drill(folder string) (drill compose.Project, file string) {
	return compose.Project{Name: s.Name + s.drills, Folder: folder}, filepath.Join(folder, "compose.json")
}

func (s thisStack) StartDrill(ctx context.Context, folder string) (Server, error) {
	drill, file := s.drill(folder)
	if err := s.write(ctx, s.trial(folder), file); err != nil {
		return nil, err
	}
	id, err := start(ctx, drill, file, s.Running.Server, s.Patience)
	if err != nil {
		return nil, err
	}
	c, err := docker.Inspect(ctx, id)
	if err != nil {
		return nil, err
	}
	// None of its databases is the live one.
	return dump.Container{Container: c, Role: s.Role, Application: s.Running.Application, Runner: s.Runner}, nil
}

func (s thisStack) RunDrill(ctx context.Context, folder string) (string, error) {
	drill, file := s.drill(folder)
	return start(ctx, drill, file, "trial", 0)
}

func (s thisStack) EndDrill(ctx context.Context) error { return backup.Gone(ctx, s.Name+s.drills) }

// all is all that docker compose has said, not its last line alone.
func all(err error) error {
	if e, ok := errors.AsType[*compose.Error](err); ok && strings.TrimSpace(e.Said) != "" {
		return errors.New(strings.TrimSpace(e.Said))
	}
	return err
}

// Untry removes what an upgrade has started beside, too.
func (s thisStack) Untry(ctx context.Context) error {
	return errors.Join(backup.Gone(ctx, s.Name+"-trial"), backup.Gone(ctx, s.Name+"-upgrade"))
}

// application returns the containers of it, also those that do not run.
func (s thisStack) application(ctx context.Context) (found []docker.Container, err error) {
	all, err := docker.Project(ctx, s.Name)
	for _, c := range all {
		if slices.Contains(s.Users, c.Service()) {
			found = append(found, c)
		}
	}
	return found, err
}

func (s thisStack) Application(ctx context.Context) string {
	c, _, _ := s.Container(ctx, s.Site())
	return c.ID
}

func (s thisStack) Restarts(ctx context.Context) string {
	c, _, _ := s.Container(ctx, s.Site())
	return c.Restart
}

func (s thisStack) Policy(ctx context.Context, restarts string) error {
	ctx, cancel := bound.Within(ctx, "docker update", ends)
	defer cancel()
	containers, err := s.application(ctx)
	if err != nil || len(containers) == 0 {
		return err
	}
	argv := []string{"update", "--restart", restarts}
	for _, c := range containers {
		argv = append(argv, c.ID)
	}
	_, err = docker.Run(ctx, argv...)
	return err
}

func (s thisStack) Stop(ctx context.Context) error {
	ctx, cancel := bound.Within(ctx, "docker compose stop", ends)
	defer cancel()
	containers, err := s.application(ctx)
	deadline := time.Now().Add(quits)
	for _, c := range containers {
		if c.Running && drain.Quit(ctx, drain.Docker{}, deadline, c.ID) {
			_, _ = docker.Run(ctx, "kill", c.ID) // it may have gone by itself
		}
	}
	ended := func() bool {
		containers, err := s.application(ctx)
		return err == nil && !slices.ContainsFunc(containers, func(c docker.Container) bool { return c.Running })
	}
	if err == nil && !ended() {
		err = s.Project.Stop(ctx, s.file(), s.Users...)
	}
	if err != nil && ended() {
		return nil
	}
	return err
}

func (s thisStack) StopServer(ctx context.Context) error {
	all, err := docker.Project(ctx, s.Name)
	for _, c := range all {
		if c.Service() != s.Running.Server {
			continue
		}
		if _, err := docker.Run(ctx, "stop", "-t", fmt.Sprint(int(ends.Seconds())), c.ID); err != nil {
			return err
		}
		if _, err := docker.Run(ctx, "rm", c.ID); err != nil {
			return err
		}
	}
	return err
}

func (s thisStack) StartServer(ctx context.Context) error {
	up, cancel := bound.Within(ctx, "docker compose up", starts)
	defer cancel()
	if err := s.Up(up, s.file(), compose.Up{Kept: true, Services: []string{s.Running.Server}, Wait: ends}); err != nil {
		return err
	}
	return s.Ready(ctx)
}

func (s thisStack) Resume(ctx context.Context) error {
	all, err := docker.Project(ctx, s.Name)
	if err != nil {
		return err
	}
	all = slices.DeleteFunc(all, func(c docker.Container) bool { return c.Running })
	if len(all) != 1 || !slices.Contains(s.Users, all[0].Service()) { // several, or one-shots before it
		return s.Start(ctx, false)
	}
	// Compose would wait for what runs all the time, and look only each half second.
	_, err = docker.Run(ctx, "start", all[0].ID)
	return err
}

func (s thisStack) Start(ctx context.Context, wait bool) error {
	ctx, cancel := bound.Within(ctx, "docker compose up", starts)
	defer cancel()
	var up compose.Up
	if wait {
		up.Wait = ends
	}
	return all(s.Up(ctx, s.file(), up))
}

// thisSite is the application as the host asks it ([Application]).
type thisSite struct {
	site.Site
	Page     string        // that visitors come to
	Timeout  time.Duration // that it may take to start
	Role     string
	Database string // the live one
	Stack    thisStack
	Say      func(string)
}

// siteOf is that of an instance.
func siteOf(s backup.Settings, stack thisStack, say func(string)) thisSite {
	return thisSite{
		Site: site.Site{
			Site: answer.Site{URL: s.URL, Names: s.Names, Path: "/", BasicAuth: s.BasicAuth,
				Maintenance: answer.Either}, Port: s.Port,
		},
		Page: s.Page, Timeout: time.Duration(s.Timeout) * time.Second,
		Role: s.Role, Database: s.Database, Stack: stack, Say: say,
	}
}

// page is the site, asked for the page that visitors come to.
func (s thisSite) page() site.Site {
	asked := s.Site
	asked.Path = s.Page
	return asked
}

func (s thisSite) Well(ctx context.Context, container, postgres, name string) error {
	if container == "" {
		return errors.New("it does not run")
	}
	if err := s.page().Answers(ctx, container, s.Timeout); err != nil {
		return err
	}
	if s.Stack.Site() != hostapi.MRS {
		return nil
	}
	if err := s.Answers(ctx, container, s.Timeout); err != nil {
		return err
	}
	return s.Proves(ctx, container, "", database.Want{Server: postgres, Name: name, Role: s.Role})
}

func (s thisSite) Visited(ctx context.Context) error { return s.page().Answers(ctx, "", time.Minute) }

func (s thisSite) Developers(ctx context.Context, container string) error {
	if s.Stack.Site() != hostapi.MRS {
		return nil
	}
	c, err := docker.Inspect(ctx, container)
	if err != nil {
		return err
	}
	return application.MRS.OpenTo(ctx, c.Exec, site.Dev, site.Dev)
}

func (s thisSite) LetsIn(ctx context.Context, container string) error {
	if s.Stack.Site() != hostapi.MRS {
		return nil
	}
	return s.Site.LetsIn(ctx, container)
}

func (s thisSite) Moment(ctx context.Context, container string) error {
	want := database.Want{Server: s.Stack.PostgreSQL().ID, Name: s.Database, Role: s.Role}
	return site.Moment(ctx, container, want, time.Minute, s.Say)
}

func (s thisSite) Migrated(ctx context.Context, container string) error {
	if s.Stack.Site() != hostapi.MRS {
		return nil
	}
	c, err := docker.Inspect(ctx, container)
	if err != nil {
		return err
	}
	return application.MRS.Migrated(ctx, c.Exec)
}

var (
	details = regexp.MustCompile(`DETAIL|CONTEXT`)
	values  = regexp.MustCompile(`(Key \(|: ").*`)
)

func (s thisSite) Log(ctx context.Context, container string) (lines []string) {
	ctx, cancel := bound.Within(ctx, "docker logs", time.Minute)
	defer cancel()
	out, _ := command.Context(ctx, "docker", "logs", "--tail", "5000", container).CombinedOutput()
	for line := range strings.Lines(application.Telling(string(out), 20)) {
		if !details.MatchString(line) {
			lines = append(lines, values.ReplaceAllString(strings.TrimRight(line, "\r\n"), ""))
		}
	}
	return lines
}

// thisSystemd is that of this host ([Systemd]).
type thisSystemd struct {
	Project, Home string
	Runner        bound.Runner
}

func (s thisSystemd) Booted() bool {
	_, err := os.Stat("/run/systemd/system")
	return err == nil
}

// The next boot has a unit of its own.
func (s thisSystemd) Retry(ctx context.Context) error {
	name := s.Project + "-undo"
	switch (unit.System{Runner: s.Runner}).State(ctx, name) {
	case "activating", "active":
		return nil
	}
	return s.Runner.Run(ctx, bound.Command{
		Name: "systemd-run", Limit: bound.Time(bound.Quick),
		Argv: []string{"systemd-run", "--quiet", "--collect", "--unit", name,
			"--description", "What a restore of " + s.Project + " has left half way",
			"--property", "Restart=on-failure", "--property", "RestartSec=30",
			"/bin/bash", filepath.Join(s.Home, "restore.sh"), "recover", Again},
	})
}

func (s thisSystemd) Start(ctx context.Context, name string) error {
	return unit.System{Runner: s.Runner}.Start(ctx, name)
}
