package upgrade

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
	"github.com/betagouv/mrs-ops/internal/hostside/ledger"
	"github.com/betagouv/mrs-ops/internal/hostside/restore"
	"github.com/betagouv/mrs-ops/internal/hostside/strike"
	"github.com/betagouv/mrs-ops/internal/hostside/wal"
)

func TestMain(m *testing.M) { strike.Main(m) }

// world is a server with one instance of PostgreSQL 10. A data folder has its version and its rows in files. It can
// fail, hang or die at any call.
type world struct {
	t       *testing.T
	lock    *sync.Mutex
	folder  string // home, locks, log and lib are in it
	server  string // the image of the container of PostgreSQL that runs; empty: there is none
	running bool   // the application, which writes a last row when it is ended
	policy  string // its restart policy
	free    int64
	now     time.Time

	live  Live     // what differs from what there is
	wrong []string // what can't be configured
	other []string // sessions of others
	extra []string // objects that the new server has, and the old one has not

	calls   *strike.Calls
	wreck   *world
	said    []string
	told    []string
	release []string
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, lock: new(sync.Mutex), calls: new(strike.Calls), folder: strike.Memory(t), server: "postgres:10",
		running: true, policy: "always", free: 1 << 40, now: time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC)}
	for name, content := range map[string]string{
		"docker-compose.yml": "postgres:10", "postgres/data/PG_VERSION": "10\n", "postgres/data/rows": "old",
		"spooler/mail/1": "mail", ".restic_password": "hush\n",
	} {
		w.write(name, content)
	}
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.folder, name) }
func (w *world) home(name string) string { return filepath.Join(w.folder, "home", name) }

func (w *world) write(name, content string) {
	err := os.MkdirAll(filepath.Dir(w.home(name)), 0o700)
	if err == nil {
		err = os.WriteFile(w.home(name), []byte(content), 0o600)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) read(name string) string {
	text, _ := os.ReadFile(w.home(name))
	return string(text)
}

func (w *world) is(name string) bool {
	_, err := os.Lstat(w.home(name))
	return err == nil
}

// has is what the application has: the version, the rows and what waits to be mailed; where it does not run, nothing.
func (w *world) has() string {
	if !w.running || w.policy != "always" || w.server == "" {
		return fmt.Sprintf("running %t, restarts %s, PostgreSQL %q", w.running, w.policy, w.server)
	}
	return strings.Join([]string{w.server, strings.ReplaceAll(w.read("postgres/data/rows"), "+late", ""),
		w.read("spooler/mail/1")}, " ")
}

// call is a call of something outside.
func (w *world) call(ctx context.Context, name string, do func() error) error {
	return w.calls.Do(ctx, name, func() error {
		w.lock.Lock()
		defer w.lock.Unlock()
		return do()
	})
}

func nothing() error { return nil }

func (w *world) instance() *Instance {
	if w.folder == "" {
		w.t.Fatal("there is no world")
	}
	i := &restore.Instance{
		Instance: &backup.Instance{
			Settings: backup.Settings{Name: "mrs-x", Database: "mrs", Role: "django", Jobs: true, Server: "postgres"},
			Home:     w.path("home"), Locks: w.path("locks"), Server: "host",
			With: func(string) backup.Repository { return nil },
			Ledger: ledger.Ledger{Project: "mrs-x", Log: w.path("log/mrs-x.backups.log"),
				Metrics: w.path("lib/mrs-x.prom")},
			Say: func(line string) {
				w.lock.Lock()
				defer w.lock.Unlock()
				w.said = append(w.said, line)
			},
			Tell:       func(_ context.Context, text string) error { w.told = append(w.told, text); return nil },
			Hold:       func(*os.File) {},
			Free:       func(string) (free, size int64, err error) { return w.free, 1 << 41, nil },
			Device:     func(string) (uint64, error) { return 0, nil },
			MountPoint: func(string) bool { return false },
		},
		Stack: stack{w}, Application: mrs{w}, Files: files{w}, Systemd: systemd{},
		Now:    func() time.Time { w.now = w.now.Add(time.Second); return w.now },
		Deafen: w.calls.Deafen, As: func(string) restore.Stack { return stack{w} },
	}
	here := &Instance{Instance: i, Host: host{w}, Backup: func(ctx context.Context, _ string) (string, error) {
		return "0123456789abcdef", w.call(ctx, "backup", func() error {
			left, _ := filepath.Glob(w.home(".restore-*"))
			for _, path := range left {
				_ = os.RemoveAll(path)
			}
			return nil
		})
	}}
	i.Upgraded = func(ctx context.Context, _ *restore.Instance, s restore.Swap) error { return here.Settle(ctx, s) }
	return here
}

// run does something with the instance, whose calls are struck.
func (w *world) run(strikes strike.At, do func(context.Context, *Instance) error) error {
	ctx, end := context.WithCancelCause(w.t.Context())
	defer end(nil)
	w.calls = &strike.Calls{
		Strikes: strikes,
		End:     func() { end(&backup.Interrupted{Reason: "interrupted", Status: 130}) },
		Kill: func() {
			w.lock.Lock()
			defer w.lock.Unlock()
			c := *w
			c.folder, c.lock, c.calls, c.said, c.told = strike.Memory(w.t), new(sync.Mutex), nil, nil, nil
			if err := os.CopyFS(c.folder, os.DirFS(w.folder)); err != nil {
				w.t.Fatal(err)
			}
			w.wreck = &c
		},
	}
	w.said, w.told = nil, nil
	return do(ctx, w.instance())
}

// wrecked is the world as it was when the run was killed: what that did afterwards, it has not done.
func (w *world) wrecked() *world {
	if err := errors.Join(os.RemoveAll(w.folder), os.Rename(w.wreck.folder, w.folder)); err != nil {
		w.t.Fatal(err)
	}
	w.wreck.folder = w.folder
	return w.wreck
}

// stack is what runs, and what is started beside.
type stack struct{ *world }

// postgres is a server, by the folder of its data.
type postgres struct {
	*world
	id, data string
}

func (s stack) Server() restore.Server { return postgres{s.world, "postgres", s.home("postgres/data")} }
func (s stack) Engine(ctx context.Context) error {
	return s.call(ctx, "docker version", nothing)
}
func (s stack) Keeps(context.Context) error                { return nil }
func (s stack) DumpFolder(context.Context) (string, error) { return s.home("postgres/dump"), nil }
func (s stack) Drop(context.Context, string) error         { return errors.New("an upgrade drops no database") }
func (s stack) Try(context.Context, string, string) (string, error) {
	return "", errors.New("nor this")
}
func (s stack) EndDrill(context.Context) error  { return nil }
func (s stack) Restarts(context.Context) string { return s.policy }
func (s stack) Ready(ctx context.Context) error {
	return s.call(ctx, "pg_isready", func() error {
		if s.server == "" {
			return errors.New("PostgreSQL does not run")
		}
		return nil
	})
}
func (s stack) Untry(ctx context.Context) error             { return s.call(ctx, "rm beside", nothing) }
func (s stack) Recover(context.Context, wal.Recovery) error { return errors.New("no log is asked for") }
func (s stack) StartDrill(ctx context.Context, folder string) (restore.Server, error) {
	data := filepath.Join(folder, "data")
	return postgres{s.world, "beside", data}, s.call(ctx, "up postgres beside", func() error {
		if _, err := os.Stat(data); err == nil {
			return nil
		}
		return errors.Join(os.Mkdir(data, 0o700), os.WriteFile(filepath.Join(data, "PG_VERSION"), []byte("15\n"), 0o600))
	})
}
func (s stack) RunDrill(ctx context.Context, _ string) (string, error) {
	return "trial", s.call(ctx, "up application beside", nothing)
}
func (s stack) Policy(ctx context.Context, restarts string) error {
	return s.call(ctx, "docker update", func() error { s.policy = restarts; return nil })
}
func (s stack) Stop(ctx context.Context) error {
	return s.call(ctx, "stop", func() error {
		if s.running {
			s.write("postgres/data/rows", s.read("postgres/data/rows")+"+late")
		}
		s.running = false
		return nil
	})
}
func (s stack) StopServer(ctx context.Context) error {
	return s.call(ctx, "stop postgres", func() error { s.server = ""; return nil })
}

// up has PostgreSQL run as docker-compose.yml says, on what is there.
func (s stack) up() error {
	image := s.read("docker-compose.yml")
	version := strings.TrimSpace(s.read("postgres/data/PG_VERSION"))
	if image != "postgres:"+version {
		return fmt.Errorf("%s does not start on data of %s", image, version)
	}
	s.server = image
	return nil
}
func (s stack) StartServer(ctx context.Context) error { return s.call(ctx, "up postgres", s.up) }
func (s stack) Resume(ctx context.Context) error      { return s.Start(ctx, false) }

func (s stack) Start(ctx context.Context, wait bool) error {
	return s.call(ctx, map[bool]string{false: "up", true: "up until healthy"}[wait], func() error {
		s.running = true
		return s.up()
	})
}
func (s stack) Application(context.Context) string {
	if !s.running {
		return ""
	}
	return "django"
}

func (p postgres) ContainerID() string                           { return p.id }
func (p postgres) Takes(context.Context, io.Reader) error        { return nil }
func (p postgres) Drop(ctx context.Context, _ string) error      { return p.call(ctx, "drop", nothing) }
func (p postgres) Analyze(context.Context, string, int) error    { return nil }
func (p postgres) SizeOf(context.Context, string) (int64, error) { return 100, nil }
func (p postgres) Has(context.Context, string) (bool, error) {
	return false, nil
}
func (p postgres) Rename(context.Context, ...dump.Rename) error     { return errors.New("none is renamed") }
func (p postgres) Beside(context.Context, string) ([]string, error) { return nil, nil }
func (p postgres) Properties(context.Context) (string, error)       { return "{}", nil }
func (p postgres) Create(ctx context.Context, _, _ string) ([]string, error) {
	return nil, p.call(ctx, "create database", nothing)
}
func (p postgres) Roles(ctx context.Context, _ io.Reader) ([]string, error) {
	return nil, p.call(ctx, "roles", nothing)
}
func (p postgres) Restore(ctx context.Context, _, _ string, _ int) error {
	return p.call(ctx, "pg_restore", func() error {
		rows, err := os.ReadFile(filepath.Join(filepath.Dir(p.data), "dump/data/toc.dat"))
		return errors.Join(err, os.WriteFile(filepath.Join(p.data, "rows"), rows, 0o600))
	})
}
func (p postgres) Schema(context.Context, string, io.Writer) error { return nil }
func (p postgres) Feed(context.Context, string, io.Reader) error   { return nil }
func (p postgres) Bring(ctx context.Context, _, _ string) ([]string, error) {
	return nil, p.call(ctx, "bring", nothing)
}
func (p postgres) CountIn(context.Context, string) ([]dump.Table, error) {
	return []dump.Table{{Name: "public.a", Rows: 7}}, nil
}
func (p postgres) Settle(ctx context.Context, _, _ string) ([]string, error) {
	return nil, p.call(ctx, "settle", nothing)
}

// host is what an upgrade asks of it.
type host struct{ *world }

func (h host) Image(ctx context.Context, image string) (version, data string, err error) {
	return strings.TrimPrefix(image, "postgres:"), dataIn(nil), h.call(ctx, "pull", nothing)
}
func (h host) Live(ctx context.Context) (Live, error) {
	l := h.live
	l.Image, l.Inside, l.Data, l.Bytes = h.server, dataIn(nil), h.home("postgres/data"), 1000
	l.Version = strings.TrimSpace(h.read("postgres/data/PG_VERSION"))
	return l, h.call(ctx, "live", nothing)
}
func (h host) Sessions(ctx context.Context) ([]string, error) {
	return h.other, h.call(ctx, "sessions", nothing)
}
func (h host) Compose(ctx context.Context, image, file string) error {
	return h.call(ctx, "compose config", func() error { return os.WriteFile(file, []byte(image), 0o600) })
}
func (h host) Dump(ctx context.Context, _, folder string) (dump.Made, error) {
	return dump.Made{}, h.call(ctx, "pg_dump", func() error {
		err := os.MkdirAll(filepath.Join(folder, "data"), 0o700)
		for name, content := range map[string]string{"data/toc.dat": h.read("postgres/data/rows"), "globals.json": "{}",
			"globals.sql": "", "tables.tsv": "public.a\t7\n"} {
			err = errors.Join(err, os.WriteFile(filepath.Join(folder, name), []byte(content), 0o600))
		}
		return err
	})
}
func (h host) Configure(ctx context.Context, _ restore.Server) ([]string, error) {
	return h.wrong, h.call(ctx, "configure", nothing)
}
func (h host) Superuser(ctx context.Context, _ restore.Server, _ string) error {
	return h.call(ctx, "superuser", nothing)
}
func (h host) Objects(ctx context.Context, server restore.Server) (o Objects, err error) {
	p := server.(postgres)
	o.Fixed, o.Moving = []string{"relation a"}, []string{"sequence s at 1"}
	if p.id == "beside" {
		o.Fixed = append(o.Fixed, h.extra...)
	}
	return o, h.call(ctx, "objects", nothing)
}
func (h host) Written(ctx context.Context, _ Written) (tables []string, n int64, err error) {
	if strings.Contains(h.read("postgres/data/rows"), "new") {
		tables, n = []string{"a"}, 3
	}
	return tables, n, h.call(ctx, "written", nothing)
}
func (h host) End(ctx context.Context, server restore.Server) (string, error) {
	return server.(postgres).data, h.call(ctx, "stop beside", nothing)
}
func (h host) Release(ctx context.Context, what string) error {
	return h.call(ctx, "release", func() error {
		if !slices.Contains(h.release, what) {
			h.release = append(h.release, what)
		}
		return nil
	})
}

// mrs is the application.
type mrs struct{ *world }

func (a mrs) Well(ctx context.Context, container, postgres, _ string) error {
	if (container == "trial") != (postgres == "beside") {
		a.t.Errorf("%s is on %s", container, postgres)
	}
	return a.call(ctx, "well "+container, nothing)
}
func (a mrs) Migrated(ctx context.Context, _ string) error { return a.call(ctx, "migrated", nothing) }
func (a mrs) Log(context.Context, string) []string         { return nil }
func (a mrs) Visited(ctx context.Context) error            { return a.call(ctx, "visited", nothing) }
func (a mrs) Developers(context.Context, string) error     { return errors.New("nobody is let in") }
func (a mrs) LetsIn(context.Context, string) error         { return errors.New("nobody is let in") }
func (a mrs) Moment(ctx context.Context, _ string) error   { return a.call(ctx, "moment", nothing) }

// files are those of the disk, of which none is moved below what has it open.
type files struct{ *world }

func (f files) Rename(from, to string) error {
	return f.call(context.Background(), "mv "+filepath.Base(from), func() error {
		for _, path := range []string{from, to} {
			if path == f.home("postgres/data") && f.server != "" || path == f.home("spooler") && (f.running || f.policy != "no") {
				f.t.Errorf("%s goes below who runs, or may", path)
			}
		}
		return restore.Disk{}.Rename(from, to)
	})
}
func (f files) Write(path string, content []byte) error {
	return f.call(context.Background(), "write "+filepath.Base(path),
		func() error { return restore.Disk{}.Write(path, content) })
}
func (f files) Append(path, line string) error {
	return f.call(context.Background(), "append to "+filepath.Base(path),
		func() error { return restore.Disk{}.Append(path, line) })
}
func (f files) Remove(path string) error {
	return f.call(context.Background(), "rm "+filepath.Base(path), func() error { return restore.Disk{}.Remove(path) })
}
func (f files) Sync(string) error { return f.call(context.Background(), "sync", nothing) }

// systemd is there, and does nothing.
type systemd struct{}

func (systemd) Booted() bool                        { return true }
func (systemd) Retry(context.Context) error         { return nil }
func (systemd) Start(context.Context, string) error { return nil }
