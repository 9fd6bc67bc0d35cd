// Package status finds out how an instance of this host stands. It changes nothing, and takes no lock.
//
// All parts are asked at the same moment, each against the clock: one that does not answer in time is null, whatever
// it hangs on, and keeps nobody waiting. Whatever touches a disk that is not the instance's own is a program, not this
// process, which could not end as long as the kernel waits for a disk that is gone.
//
// It must not know what is well and what is not: that is the operator's side.
package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/application"
	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/compose"
	"github.com/betagouv/mrs-ops/internal/hostside/database"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/release"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
	"github.com/betagouv/mrs-ops/internal/hostside/wal"
)

const (
	limit = 6 * time.Second // a part may take
	slack = time.Second     // it may take to end one that takes longer
)

// Host is what of this one is asked. Each answer is waited for as long as the context lasts, and no longer.
type Host interface {
	// Containers are those of a project ([docker.Project]).
	Containers(ctx context.Context, project string) ([]docker.Container, error)
	// Services are those of a project's docker-compose.yml.
	Services(ctx context.Context, p compose.Project) ([]string, error)
	// See asks what serves a URL on this host.
	See(ctx context.Context, url string) *hostapi.HTTP
	// Snapshots are those of a repository, the oldest first.
	Snapshots(ctx context.Context, r restic.Repository) ([]restic.Snapshot, error)
	// Systemctl is [systemd.Systemctl].
	Systemctl(ctx context.Context, argv ...string) (string, error)
	// Df is what df(1) prints of the file system of a path; empty: there is no such path.
	Df(ctx context.Context, path string) (string, error)
	// Holder is who has the operator's lock of a project, and whether anybody has.
	Holder(project string) (hostapi.Holder, bool, error)
	// Passwords are the hashes of users who may log in ([database.Passwords]).
	Passwords(ctx context.Context, want database.Want, names []string) (map[string]string, error)
}

// instance is the one that is asked for.
type instance struct {
	hostapi.StatusRequest
	Host

	listing    chan struct{} // is closed once containers and unlisted are there
	containers []docker.Container
	unlisted   error
}

var project = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// Of returns how an instance stands. The error is of a request that can't be one.
func Of(ctx context.Context, h Host, r hostapi.StatusRequest) (s hostapi.Status, err error) {
	if !project.MatchString(r.Project) || !filepath.IsAbs(r.Folder) {
		return s, fmt.Errorf("%q in %q is no instance", r.Project, r.Folder)
	}
	i := &instance{StatusRequest: r, Host: h, listing: make(chan struct{})}
	asking, cancel := bound.Within(ctx, "docker ps", limit)
	defer cancel()
	go func() {
		defer close(i.listing)
		i.containers, i.unlisted = h.Containers(asking, r.Project)
	}()
	containers, services := begin(ctx, i.listed), begin(ctx, i.services)
	http, backups, timers := begin(ctx, i.site), begin(ctx, i.backups), begin(ctx, i.timers)
	disks, locked, known := begin(ctx, i.disks), begin(ctx, i.locked), begin(ctx, i.known)

	s.Deployed, s.Maintenance = i.has("docker-compose.yml"), i.has(".maintenance")
	s.RemoveAt = removeAt(i.read("removeat"))
	s.Site, s.OneShots = i.roles(release.Site), i.roles(release.OneShot, release.Idle)
	late, cancel := context.WithTimeout(ctx, limit+slack)
	defer cancel()
	s.Containers, s.Services = take(late, containers), take(late, services)
	s.HTTP, s.Backup, s.Timers = take(late, http), take(late, backups), take(late, timers)
	s.Disks, s.Lock, s.Known = take(late, disks), take(late, locked), take(late, known)
	return s, context.Cause(ctx)
}

// begin has a part found out.
func begin[T any](ctx context.Context, find func(context.Context) (T, error)) <-chan T {
	found := make(chan T, 1)
	go func() {
		ctx, cancel := bound.Within(ctx, "what is asked", limit)
		defer cancel()
		part, err := find(ctx)
		if err != nil {
			part = *new(T) // half of it is none
		}
		found <- part
	}()
	return found
}

// take returns a part, null if it is not there once it is late.
func take[T any](late context.Context, found <-chan T) (part T) {
	select {
	case part = <-found:
	case <-late.Done(): // what is there by now counts
		select {
		case part = <-found:
		default:
		}
	}
	return part
}

func (i *instance) path(name string) string { return filepath.Join(i.Folder, name) }

func (i *instance) has(name string) bool {
	_, err := os.Stat(i.path(name))
	return err == nil
}

// read is what a file has; empty: it is not there.
func (i *instance) read(name string) string {
	text, _ := os.ReadFile(i.path(name))
	return string(text)
}

// removeAt is when a branch is removed, as its file says it, in Unix seconds.
func removeAt(text string) hostapi.Moment {
	seconds, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || seconds <= 0 {
		return hostapi.Moment{}
	}
	return hostapi.Moment{Time: time.Unix(seconds, 0).UTC()}
}

// roles are the services that have one of these roles in the newest release.
func (i *instance) roles(roles ...string) []string {
	releases := release.Of(i.Folder)
	newest, err := releases.Newest()
	if err != nil || newest == 0 {
		return nil
	}
	var services []string
	images, _ := releases.Images(newest)
	for _, image := range images {
		if slices.Contains(roles, image.Role) {
			services = append(services, image.Service)
		}
	}
	return services
}

// stack is the containers as the engine has them, which several parts ask for, and it is asked once.
func (i *instance) stack(ctx context.Context) ([]docker.Container, error) {
	select {
	case <-i.listing:
		return i.containers, i.unlisted
	case <-ctx.Done():
		return nil, context.Cause(ctx)
	}
}

// listed are the containers. Of their environment, which holds secrets, only the commit and what kind of database is
// used.
func (i *instance) listed(ctx context.Context) ([]hostapi.Container, error) {
	found, err := i.stack(ctx)
	all := []hostapi.Container{}
	for _, c := range found {
		engine := c.Env["DB_ENGINE"]
		started, _ := time.Parse(time.RFC3339Nano, c.Started) // none where it never did
		all = append(all, hostapi.Container{
			Service: c.Service(), State: c.Status, Health: c.Health, ExitCode: c.ExitCode, Restarts: c.Restarts,
			Started: hostapi.Moment{Time: started}, Image: c.Named, Commit: c.Env["GIT_COMMIT"], Engine: &engine,
		})
	}
	return all, err
}

func (i *instance) services(ctx context.Context) ([]string, error) {
	if !i.has("docker-compose.yml") {
		return nil, nil
	}
	return i.Services(ctx, compose.Project{Name: i.Project, Folder: i.Folder})
}

var address = regexp.MustCompile(`^https?://[A-Za-z0-9][A-Za-z0-9.:-]*$`)

// site is what this very host answers under the instance's name, whatever the DNS says.
func (i *instance) site(ctx context.Context) (*hostapi.HTTP, error) {
	if !address.MatchString(i.URL) {
		return nil, nil
	}
	h := i.See(ctx, i.URL+i.Page)
	if h != nil {
		h.From, h.Error = "server", hostapi.Said(h.Error)
	}
	return h, nil
}

// settings are those of the backups, by their names, and what of them restic has in its environment. Of those that
// older deployments have not written there is none.
func (i *instance) settings() (values map[string]string, account []string, err error) {
	return backup.ParseValues(i.read(".backup.env"))
}

func (i *instance) backups(ctx context.Context) (*hostapi.Backups, error) {
	if !i.has(".restic_password") {
		return &hostapi.Backups{}, nil
	}
	b := &hostapi.Backups{SetUp: true}
	if info, err := os.Stat(i.path(".restic_id")); err == nil {
		b.Since = hostapi.Moment{Time: info.ModTime().UTC()}
	}
	values, account, err := i.settings()
	repository := restic.Repository{
		Location:     cmp.Or(values["RESTIC_REPOSITORY"], i.Repository, i.path("restic")),
		PasswordFile: i.path(".restic_password"), Folder: i.Folder, Env: account,
	}
	b.Mirrored = values["LFTP_DSN"] != "" && repository.Here()
	var all []restic.Snapshot
	if err == nil {
		all, err = i.Snapshots(ctx, repository)
	}
	if err == nil {
		b.Log, err = wal.Archive{Folder: values["WAL_ARCHIVE"]}.Standing()
	}
	if err != nil {
		b.Error = hostapi.Said(err.Error())
		return b, nil
	}
	for _, s := range all { // the oldest first
		if s.Host == i.Project {
			b.Last, b.ID, b.Tags = hostapi.Moment{Time: s.Time}, backup.Short(s.ID), s.Tags
		}
	}
	return b, nil
}

// known is who gets in with a password that everybody knows.
func (i *instance) known(ctx context.Context) ([]string, error) {
	values, _, err := i.settings()
	if err != nil || values["DB_NAME"] == "" {
		return nil, err
	}
	all, err := i.stack(ctx)
	if err != nil {
		return nil, err
	}
	server, ok := docker.Serving(all, cmp.Or(values["DB_SERVICE"], "postgres"))
	if !ok {
		return nil, errors.New("its PostgreSQL does not run")
	}
	hashes, err := i.Passwords(ctx, database.Want{Server: server.ID, Name: values["DB_NAME"], Role: values["DB_USER"]},
		slices.Collect(maps.Keys(application.Known)))
	return application.Open(hashes), err
}

func (i *instance) timers(ctx context.Context) ([]hostapi.Timer, error) {
	text, err := i.Systemctl(ctx, "show", "--property", "Id,NextElapseUSecRealtime,LastTriggerUSec", "--",
		i.Project+"-*.timer")
	if err != nil {
		return nil, err
	}
	timers := parseTimers(i.Project, text)
	for n := range timers {
		timers[n].Result, err = i.Systemctl(ctx, "show", "--property", "Result", "--value", "--",
			i.Project+"-"+timers[n].Name+".service")
		if err != nil {
			return nil, err
		}
	}
	return timers, nil
}

var timerName = regexp.MustCompile(`^[a-z]+$`)

// parseTimers reads what systemctl show prints of timers: lines NAME=VALUE, an empty one after each. Those of an
// instance whose name begins like ours are not ours.
func parseTimers(project, text string) []hostapi.Timer {
	timers := []hostapi.Timer{}
	for block := range strings.SplitSeq(text, "\n\n") {
		values := map[string]string{}
		for line := range strings.Lines(block) {
			name, value, _ := strings.Cut(strings.TrimSpace(line), "=")
			values[name] = value
		}
		name, ours := strings.CutPrefix(strings.TrimSuffix(values["Id"], ".timer"), project+"-")
		if ours && timerName.MatchString(name) {
			timers = append(timers, hostapi.Timer{Name: name, Next: moment(values["NextElapseUSecRealtime"]),
				Last: moment(values["LastTriggerUSec"])})
		}
	}
	slices.SortFunc(timers, func(a, b hostapi.Timer) int { return strings.Compare(a.Name, b.Name) })
	return timers
}

// moment reads a time as systemctl prints it, in the time zone of this host; none where there is none.
func moment(text string) hostapi.Moment {
	at, err := time.ParseInLocation("Mon 2006-01-02 15:04:05 MST", text, time.Local)
	if err != nil {
		return hostapi.Moment{}
	}
	return hostapi.Moment{Time: at.UTC()}
}

// folders are those whose disks may be full.
var folders = []string{"/home", "/var/lib/docker", "/mnt/backup"}

// disks are theirs, or none where one of them does not answer.
func (i *instance) disks(ctx context.Context) ([]hostapi.Disk, error) {
	said, errs := make([]string, len(folders)), make([]error, len(folders))
	var all sync.WaitGroup
	for n, path := range folders {
		all.Go(func() { said[n], errs[n] = i.Df(ctx, path) })
	}
	all.Wait()
	disks := []hostapi.Disk{}
	for n, path := range folders {
		if d, ok := parseDf(said[n]); ok {
			d.Path = path
			disks = append(disks, d)
		}
	}
	return disks, errors.Join(errs...)
}

// parseDf reads the last line of what df --output=pcent,avail,size prints.
func parseDf(text string) (d hostapi.Disk, ok bool) {
	text = strings.TrimSpace(text)
	n, _ := fmt.Sscanf(text[strings.LastIndex(text, "\n")+1:], "%d%% %d %d", &d.Used, &d.Free, &d.Size)
	return d, n == 3
}

func (i *instance) locked(context.Context) (*hostapi.Locked, error) {
	h, held, err := i.Holder(i.Project)
	if err != nil || !held {
		return nil, err
	}
	l := &hostapi.Locked{Who: h.Who, What: h.What}
	if h.Since > 0 {
		l.Since = hostapi.Moment{Time: time.Unix(h.Since, 0).UTC()}
	}
	return l, nil
}
