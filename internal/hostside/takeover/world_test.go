package takeover

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/provision"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
	"github.com/betagouv/mrs-ops/internal/hostside/strike"
	"github.com/betagouv/mrs-ops/internal/hostside/systemd"
)

func TestMain(m *testing.M) { strike.Main(m) }

const home = "/home/mrs-x"

// byAnother is behind the file of a site whose containers were made of it by another Compose than the old system's.
const byAnother = ", by another Compose"

// atWork is before the name of a unit that runs at all times, where it does.
const atWork = "at work: "

// world is a server with a home of the old system. Its files are real, below a root; all else is here, and can fail,
// hang or die at any call.
type world struct {
	t         *testing.T
	root      string
	enabled   map[string]bool // units
	site      string          // docker-compose.yml that the site's container was made of; empty: it does not run
	balancer  string          // the same of the load balancer
	starting  string          // what that is soon, since somebody starts it; empty: nobody does
	snapshots int
	cut       bool     // dumps are
	mails     []string // that wait in the old container
	mirror    error
	known     []string
	said      []string

	calls *strike.Calls
	wreck *world // the world as it was when the run was killed
}

var oldUnitFiles = []string{"mrs-x-backup", "mrs-x-prune", "yourlabs-compose-cleaner"}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, root: strike.Memory(t), enabled: map[string]bool{}, snapshots: 2, calls: &strike.Calls{}}
	for path, content := range map[string]string{
		home + "/docker-compose.yml": "old", home + "/backup.sh": "export RESTIC_PASSWORD_FILE=x\nconnect ftp://mrs:hush@mirror.example.org; mirror -Rve " + home + "/restic",
		home + "/restore.sh": "old", home + "/prune.sh": "old", home + "/.restic_password": "secret\n",
		home + "/postgres/data/PG_VERSION": "10\n", home + "/mrsattachments/scan.jpg": "scan",
		"/etc/logrotate.d/mrs": "old", traefik + "/docker-compose.yml": "old", traefik + "/htpasswd/root": "root:x",
		acme:              `{"leresolver": {"Certificates": [{}, {}]}}`,
		"/etc/os-release": "ID=centos\nVERSION_ID=\"8\"\nPRETTY_NAME=\"CentOS Linux 8\"\n", "/sys/fs/selinux/enforce": "1",
		"/etc/ansible/facts.d/yourlabs_netdata.fact": "#!/bin/sh\n", "/root/.yourlabs.compose/test-a/removeat": "1",
	} {
		w.write(path, content)
	}
	for _, unit := range oldUnitFiles {
		w.write(units+"/"+unit+".service", "[Service]\n")
		w.write(units+"/"+unit+".timer", "[Timer]\n[Install]\n")
		w.enabled[unit+".timer"] = true
	}
	w.write(units+"/mrs-x-backup.service", "[Service]\n[Install]\nWantedBy=basic.target\n")
	w.enabled["mrs-x-backup.service"] = true
	// It could be enabled, and is not: it would run at boot.
	w.write(units+"/yourlabs-compose-cleaner.service", "[Service]\n[Install]\nWantedBy=basic.target\n")
	w.site, w.balancer = "old", "old"
	return w
}

func (w *world) write(path, content string) {
	w.t.Helper()
	if err := os.MkdirAll(filepath.Dir(w.root+path), 0o755); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.root+path, []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(path string) string {
	content, _ := os.ReadFile(w.root + path)
	return string(content)
}

// deployed has it there what a deployment of this project leaves, and the new load balancer.
func (w *world) deployed() *world {
	for _, name := range []string{"docker-compose.yml", "backup.sh", "restore.sh", "prune.sh", "drill.sh", ".program", ".backup.env", ".version", "releases/1/release.json"} {
		w.write(home+"/"+name, "new: mrs-host")
	}
	needs := provision.Of(hostapi.Deploy{Project: "mrs-x", Folder: home, Persistent: true,
		Backup: &hostapi.Backup{Password: "secret", LogArchive: "/mnt/archive"}}, "/mrs-host")
	for _, file := range systemd.Files(needs.Units) {
		w.write(file.Path, file.Content)
		if strings.Contains(file.Content, "[Install]") {
			w.enabled[filepath.Base(file.Path)] = true
		}
	}
	for _, unit := range needs.Units {
		if unit.Always {
			w.enabled[atWork+unit.Name+".service"] = true
		}
	}
	w.write("/etc/logrotate.d/mrs-ops-mrs-x", "new")
	w.write(traefik+"/docker-compose.yml", "new: role traefik")
	w.site, w.balancer = "new: mrs-host", "new: role traefik"
	return w
}

// copied is the world as it is now.
func (w *world) copied() *world {
	c := *w
	c.root, c.enabled = strike.Memory(w.t), maps.Clone(w.enabled)
	if err := os.CopyFS(c.root, os.DirFS(w.root)); err != nil {
		w.t.Fatal(err)
	}
	c.calls, c.wreck = &strike.Calls{}, nil
	return &c
}

// is what there is, without snapshots, and what tells of a takeover that is under way or was.
func (w *world) is() string {
	var all []string
	_ = filepath.WalkDir(w.root, func(path string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			name := strings.TrimPrefix(path, w.root)
			if !strings.Contains(name, "-system.") {
				all = append(all, name+": "+w.read(name))
			}
		}
		return nil
	})
	for _, unit := range slices.Sorted(maps.Keys(w.enabled)) {
		if w.enabled[unit] {
			all = append(all, "enabled "+unit)
		}
	}
	return strings.Join(append(all, "site "+w.site, "balancer "+w.balancer), "\n")
}

func (w *world) instance() *Instance {
	return &Instance{
		Server: &Server{Host: w, Root: w.root, Now: func() time.Time { return time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC) },
			Say: func(line string) { w.said = append(w.said, line) },
			around: func(ctx context.Context, step string, do func() error) error {
				return w.call(ctx, "step "+step, do)
			}},
		Project: "mrs-x", Folder: home, Within: time.Minute, Password: "secret", Image: "postgres:10", Program: "/mrs-host",
		DBPassword: "django", Request: []byte(`{"project": "mrs-x"}`),
	}
}

// run does something under a strike, and returns what there is afterwards: where it was killed, what was there then.
func (w *world) run(at strike.At, do func(*Instance, context.Context) error) (after *world, err error) {
	ctx, end := context.WithCancelCause(w.t.Context())
	defer end(nil)
	w.calls = &strike.Calls{Strikes: at, End: func() { end(errors.New("told to end")) }}
	w.calls.Kill = func() { w.wreck = w.copied() }
	err = do(w.instance(), ctx)
	if w.wreck != nil {
		return w.wreck, err
	}
	return w, err
}

// call is [strike.Calls.Do]. What has a bound of its own is done whoever wants us to end: who hangs then is ended.
func (w *world) call(ctx context.Context, name string, do func() error) error {
	if _, bounded := ctx.Deadline(); bounded {
		w.calls.Deafen()
	}
	return w.calls.Do(ctx, name, do)
}

func (w *world) Run(ctx context.Context, _ time.Duration, folder string, _ []string, argv ...string) (string, error) {
	switch argv[0] {
	case "docker":
		return w.docker(ctx, argv[1:]...)
	case "systemctl":
		return "", w.systemctl(ctx, argv[2:]...)
	}
	return "", w.call(ctx, "script "+filepath.Base(folder), func() error {
		switch {
		case argv[0] == "flock":
			w.start()
		case argv[1] == home+"/backup.sh":
			w.snapshots++
		case folder == traefik:
			w.balancer = w.read(traefik + "/docker-compose.yml")
		case folder == home:
			w.site = w.read(home + "/docker-compose.yml")
		default:
			return fmt.Errorf("%s: %q", folder, argv)
		}
		return nil
	})
}

// start is the end of whoever starts the load balancer.
func (w *world) start() {
	if w.starting != "" {
		w.balancer, w.starting = w.starting, ""
	}
}

func (w *world) docker(ctx context.Context, argv ...string) (out string, err error) {
	err = w.call(ctx, "docker "+argv[0], func() error {
		switch {
		case argv[0] == "rm":
			w.site = ""
		case argv[0] == "compose" && slices.Contains(argv, "--project-name"):
			w.site = w.read(home + "/docker-compose.yml")
		case argv[0] == "compose" && slices.Contains(argv, "up"):
			w.balancer = w.read(traefik + "/docker-compose.yml")
		case argv[0] == "compose":
			return errors.New("docker: 'compose' is not a docker command")
		case argv[0] == "version":
			out = "20.10.24\n"
		case argv[0] == "exec" && slices.Contains(argv, "find"):
			out = strings.Join(w.mails, "\n")
		case argv[0] == "exec":
			out = "Version:      3.1.0\nCodename: x\n"
		case argv[0] == "inspect":
			out = `["--certificatesresolvers.leresolver.acme.email=ops@example.org", "--api"]`
		}
		return nil
	})
	return out, err
}

func (w *world) systemctl(ctx context.Context, argv ...string) error {
	argv = slices.DeleteFunc(slices.Clone(argv), func(word string) bool { return word == "--quiet" })
	unit := argv[len(argv)-1]
	switch argv[0] {
	case "show":
		return nil
	case "is-enabled", "is-active":
		if !w.enabled[unit] {
			return errors.New("exit status 1")
		}
		return nil
	}
	return w.call(ctx, "systemctl "+argv[0], func() error {
		switch argv[0] {
		case "enable":
			w.enabled[unit] = true
			if slices.Contains(argv, "--now") && strings.HasSuffix(unit, ".service") {
				w.enabled[atWork+unit] = true
			}
		case "disable":
			delete(w.enabled, unit)
			if slices.Contains(argv, "--now") {
				delete(w.enabled, atWork+unit)
			}
		}
		return nil
	})
}

func (w *world) Containers(ctx context.Context) (all []docker.Container, err error) {
	label := func(project, service string) map[string]string {
		return map[string]string{"com.docker.compose.project": project, "com.docker.compose.service": service}
	}
	one := label("one", "site")
	one["traefik.http.routers.one.rule"] = "Host(`one.lab`, `www.one.lab`)"
	site := docker.Container{ID: "django of " + w.site, Name: "mrs-x_django_1", Running: w.site != "", Labels: label("mrs-x", "django"), Named: "betagouv/mrs:1",
		Env: map[string]string{"DB_HOST": "postgres", "DB_NAME": "mrs", "DB_PASSWORD": "django", "GIT_COMMIT": "3f1c9ad"}, Mounts: map[string]string{}}
	front := docker.Container{ID: "traefik", Name: "traefik", Running: w.balancer != "", Labels: map[string]string{}, Named: "traefik:latest"}
	if strings.Contains(w.balancer, "role traefik") {
		front.Labels[ourBalancer] = "x"
	}
	return []docker.Container{site, front, {ID: "one", Name: "one_site_1", Running: true, Labels: one},
		{ID: "postgres", Name: "mrs-x_postgres_1", Running: true, Labels: label("mrs-x", "postgres")}}, nil
}

func (w *world) Snapshots(context.Context, string, string) ([]restic.Snapshot, error) {
	all := make([]restic.Snapshot, w.snapshots)
	for n := range all {
		all[n].ID = fmt.Sprintf("%064x", n)
	}
	return all, nil
}

func (w *world) End(ctx context.Context, _, _, _, file string) (out string, err error) {
	err = w.call(ctx, "restic dump", func() error {
		if out = dumped; w.cut || file != "/postgres/dump/data.dump" {
			out = "COPY"
		}
		return nil
	})
	return out, err
}

func (w *world) Mirror(context.Context, string, string) (bool, error) { return false, w.mirror }

func (w *world) Known(context.Context, docker.Container, string, string) ([]string, error) {
	return w.known, nil
}

func (w *world) Quit(context.Context, string) {}

func (w *world) Answers(ctx context.Context, _ string) error {
	return w.call(ctx, "answers", func() error {
		if w.site == "" {
			return errors.New("nobody answers")
		}
		return nil
	})
}
