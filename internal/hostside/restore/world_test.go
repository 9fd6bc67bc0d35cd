package restore

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
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
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
	"github.com/betagouv/mrs-ops/internal/hostside/strike"
	"github.com/betagouv/mrs-ops/internal/hostside/wal"
)

func TestMain(m *testing.M) { strike.Main(m) }

// aCopy is a database that somebody has filled.
const aCopy = "mrs_copy_20261120t140000z"

// world is a server with one instance and a snapshot of it. What is there before is "old", what
// the snapshot has is "new", and a copy of another's database "copied". It can fail, hang or die at
// any call. Calls are known by their names and how often they were made: some are made at once.
type world struct {
	t         *testing.T
	lock      *sync.Mutex
	folder    string            // home, locks, log and lib are in it
	databases map[string]string // contents
	running   bool              // the application
	policy    string            // its restart policy
	now       time.Time
	discards  bool     // what was kept may go
	disks     []string // folders in home that are disks of their own
	free      int64    // bytes on each disk

	calls   *strike.Calls
	wreck   *world // the world as it was when the run was killed
	said    []string
	told    []string
	damage  []restic.Damage
	retried int
	units   []string
	leaves  []string // what goes on by itself

	logged    string // where there is log: here, or in the repository
	recovered []wal.Recovery
}

// stream is the folder of log, in an archive.
const stream = "20261127T230000Z-7"

// log has a folder be log, received until 09:30, and a base backup of 08:00.
func (w *world) log(folder string) {
	w.t.Helper()
	part := func(name, content string) {
		path := filepath.Join(folder, name)
		err := os.MkdirAll(filepath.Dir(path), 0o700)
		if err == nil {
			err = os.WriteFile(path, []byte(content), 0o600)
		}
		if err != nil {
			w.t.Fatal(err)
		}
	}
	part("wal/000000010000000000000003", "log")
	part("wal/000000010000000000000004.partial", "log")
	part("points", "1795942800 before\n")
	part("received.json", `{"until": "2026-11-29T09:30:00Z"}`)
	part("base/20261129T075900Z/backup_label", "")
	part("base/20261129T075900Z.json", `{"name": "20261129T075900Z", "major": 15, "began": "2026-11-29T07:59:00Z",
		"ended": "2026-11-29T08:00:00Z", "first": "000000010000000000000003", "bytes": 1000}`)
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t: t, lock: new(sync.Mutex), calls: new(strike.Calls), folder: strike.Memory(t), running: true, policy: "always",
		free:      1 << 40,
		databases: map[string]string{"mrs": "old", aCopy: "copied"},
		now:       time.Date(2026, 11, 29, 10, 0, 0, 0, time.UTC),
	}
	for name, content := range map[string]string{
		"home/docker-compose.yml": "services: {}", "home/log/mrs.log": "old", "home/mrsattachments/1.pdf": "old",
		"home/spooler/mail/1": "old", "home/restic/config": "config", "home/.restic_password": "hush\n",
		"home/.restic_id": fmt.Sprintf("id\n%x\n", sha256.Sum256([]byte("config"))),
	} {
		w.write(name, content)
	}
	for _, folder := range []string{"home/postgres/dump", "home/restic/locks", "home/restic/snapshots", "home/restic/data",
		"home/restic/index", "home/restic/keys"} {
		if err := os.MkdirAll(w.path(folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return w
}

func (w *world) path(name string) string { return filepath.Join(w.folder, name) }
func (w *world) home(name string) string { return filepath.Join(w.folder, "home", name) }

func (w *world) write(name, content string) {
	if err := os.MkdirAll(filepath.Dir(w.path(name)), 0o700); err != nil {
		w.t.Fatal(err)
	}
	if err := os.WriteFile(w.path(name), []byte(content), 0o600); err != nil {
		w.t.Fatal(err)
	}
}

// read is the content of a file in home; empty: there is none.
func (w *world) read(name string) string {
	text, _ := os.ReadFile(w.home(name))
	return string(text)
}

// glob are the files in home whose names match.
func (w *world) glob(pattern string) ([]string, error) { return filepath.Glob(w.home(pattern)) }

// copy is the world as the power would leave it now.
func (w *world) copy() *world {
	c := *w
	c.databases, c.lock = maps.Clone(w.databases), new(sync.Mutex)
	c.calls, c.said, c.told = nil, nil, nil
	for {
		c.folder = strike.Memory(w.t)
		err := os.CopyFS(c.folder, os.DirFS(w.folder))
		if err == nil {
			return &c
		}
		if !errors.Is(err, fs.ErrNotExist) { // what is tidied up meanwhile goes while we look
			w.t.Fatal(err)
		}
	}
}

// wrecked is the world as it was when the run was killed: what that did afterwards, it has not done.
func (w *world) wrecked() *world {
	w.t.Helper()
	if w.wreck == nil {
		w.t.Fatal("it was not killed")
	}
	if err := errors.Join(os.RemoveAll(w.folder), os.Rename(w.wreck.folder, w.folder)); err != nil {
		w.t.Fatal(err)
	}
	w.wreck.folder = w.folder
	return w.wreck
}

// call is a call of something outside. do does it.
func (w *world) call(ctx context.Context, name string, do func() error) error {
	return w.calls.Do(ctx, name, func() error {
		w.lock.Lock()
		defer w.lock.Unlock()
		return do()
	})
}

// instance is the one of the world, as a run has it.
func (w *world) instance() *Instance {
	if w.databases == nil {
		w.t.Fatal("there is no world")
	}
	archive := ""
	if w.logged != "" {
		archive = w.path("archive")
	}
	return &Instance{
		Instance: &backup.Instance{
			Settings: backup.Settings{
				Name: "mrs-x", Repository: w.home("restic"), Database: "mrs", Role: "django", Jobs: true,
				Server: "postgres", Folders: []string{"log", "mrsattachments"}, LogArchive: archive,
			},
			PostgreSQL: func(context.Context) (wal.Server, error) { return cluster{}, nil },
			Home:       w.path("home"), Locks: w.path("locks"), Server: "host",
			With:  func(string) backup.Repository { return repository{w} },
			Stack: stack{w},
			Ledger: ledger.Ledger{
				Project: "mrs-x",
				Log:     w.path("log/mrs-x.backups.log"),
				Metrics: w.path("lib/mrs-x.prom"),
			},
			Say: func(line string) {
				w.lock.Lock()
				defer w.lock.Unlock()
				w.said = append(w.said, line)
			},
			Tell: func(_ context.Context, text string) error { w.told = append(w.told, text); return nil },
			Hold: func(*os.File) {},
			Free: func(string) (free, size int64, err error) { return w.free, 1 << 41, nil },
			Device: func(path string) (uint64, error) {
				for n, disk := range w.disks {
					if path == w.home(disk) {
						return uint64(n + 1), nil
					}
				}
				return 0, nil
			},
			Mounts: func() map[string]bool { return map[string]bool{"/": true} },
			MountPoint: func(path string) bool {
				return slices.ContainsFunc(w.disks, func(disk string) bool { return path == w.home(disk) })
			},
			Damaged: func(context.Context, string, []string, *restic.Sum) ([]restic.Damage, error) {
				return w.damage, nil
			},
		},
		Repository: repository{w}, Stack: stack{w}, Application: mrs{w}, Files: files{w}, Systemd: systemd{w},
		Now:    func() time.Time { w.now = w.now.Add(time.Second); return w.now },
		Deafen: w.calls.Deafen,
		Into:   func(folder, _ string) Copy { return exported{w, folder} },
		Leave:  func(argv ...string) error { w.leaves = append(w.leaves, strings.Join(argv, " ")); return nil },
	}
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
			w.wreck = w.copy()
		},
	}
	w.said, w.told = nil, nil
	return do(ctx, w.instance())
}

// repository is a restic with one snapshot.
type repository struct{ *world }

func (r repository) Here() bool                            { return true }
func (r repository) Shown() string                         { return "REPOSITORY" }
func (r repository) ID(context.Context) (string, error)    { return "id", nil }
func (r repository) Init(context.Context) error            { return errors.New("a restore makes none") }
func (r repository) Unlock(context.Context) error          { return nil }
func (r repository) IDs(context.Context) ([]string, error) { return nil, errors.New("it is a folder") }
func (r repository) Check(context.Context, string) error   { return errors.New("a restore checks none") }
func (r repository) Forget(context.Context, ...string) error {
	return errors.New("a restore forgets none")
}
func (r repository) Prune(context.Context, restic.Policy) error { return errors.New("nor this") }
func (r repository) Backup(context.Context, restic.Backup, func(restic.Status)) (restic.Made, error) {
	return restic.Made{}, errors.New("a restore makes none")
}
func (r repository) Removes(context.Context, restic.Policy) ([]string, error) {
	return nil, errors.New("a restore removes none")
}

// theSnapshot is the id of it.
var theSnapshot = strings.Repeat("0123456789abcdef", 4)

// theLog is that of one of the log.
var theLog = strings.Repeat("fedcba9876543210", 4)

// theFolders is that of one of the log with the folders.
var theFolders = strings.Repeat("0f1e2d3c4b5a6978", 4)

// cluster is the one that runs, whose log there is none of.
type cluster struct{ wal.Server }

func (cluster) Facts(context.Context) (wal.Facts, error) { return wal.Facts{System: "8"}, nil }
func (cluster) Close()                                   {}

func (r repository) Snapshots(ctx context.Context) (all []restic.Snapshot, err error) {
	return all, r.call(ctx, "restic snapshots", func() error {
		all = []restic.Snapshot{
			{ID: theSnapshot, Host: "mrs-x", Time: time.Unix(1e9, 0), Tags: []string{"mrs-x", "timer"}},
		}
		if r.logged != "" { // a backup of 08:30, and log that was shipped
			all[0].Time = time.Date(2026, 11, 29, 8, 30, 0, 0, time.UTC)
		}
		if r.logged == "a newer base" {
			all[0].Time = time.Date(2026, 11, 29, 7, 59, 55, 0, time.UTC)
		}
		if r.logged == "with folders" { // five minutes before
			all = append(all, restic.Snapshot{ID: theFolders, Host: "mrs-x-wal", Time: time.Date(2026, 11, 29, 8, 55, 0, 0, time.UTC),
				Tags:  []string{"mrs-x", "from-1795939201", "until-1795942200"},
				Paths: []string{"/mnt/archive/" + stream, r.home("log"), r.home("mrsattachments")}})
		}
		if slices.Contains([]string{"repository", "with folders", "a newer base"}, r.logged) {
			all = append(all, restic.Snapshot{ID: theLog, Host: "mrs-x-wal", Time: time.Date(2026, 11, 29, 9, 31, 0, 0, time.UTC),
				Tags: []string{"mrs-x", "from-1795939201", "until-1795944600"}, Paths: []string{"/mnt/archive/" + stream}})
		}
		return nil
	})
}

func (r repository) Stored(ctx context.Context, _ string) (int64, error) {
	return 100, r.call(ctx, "restic stats raw-data", func() error { return nil })
}

func (r repository) Files(ctx context.Context, _ string, each func(string, int64)) error {
	return r.call(ctx, "restic ls", func() error {
		each("/home/mrs-x/postgres/dump/data/toc.dat", 40)
		each("/home/mrs-x/mrsattachments/1.pdf", 1000)
		each("/home/mrs-x/log/mrs.log", 10)
		return nil
	})
}

func (r repository) Copies(context.Context) bool { return true }

// exported is a repository of its own.
type exported struct {
	*world
	folder string
}

func (e exported) InitCopy(ctx context.Context) error {
	return e.call(ctx, "restic init", func() error {
		for _, part := range parts[1:] {
			if err := os.MkdirAll(filepath.Join(e.folder, part), 0o700); err != nil {
				return err
			}
		}
		return os.WriteFile(filepath.Join(e.folder, "config"), []byte("config"), 0o600)
	})
}
func (e exported) Copy(ctx context.Context, id string) error {
	return e.call(ctx, "restic copy", func() error {
		return os.WriteFile(filepath.Join(e.folder, "snapshots", id), []byte("snapshot"), 0o600)
	})
}
func (e exported) Check(ctx context.Context, _ string) error {
	return e.call(ctx, "restic check", func() error { return nil })
}

func (r repository) Restore(ctx context.Context, id string, o restic.Restore) error {
	if id == theLog {
		return r.call(ctx, "restic restore of the log", func() error {
			r.log(o.Target + "/mnt/archive/" + stream)
			return nil
		})
	}
	folders := ""
	if id == theFolders { // which has others of these names
		folders = r.home("") + "/"
	} else if id != theSnapshot {
		r.t.Errorf("it restores %s", id)
	}
	put := func(name, content string) error {
		file := filepath.Join(o.Target, "home/mrs-x", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
			return err
		}
		return os.WriteFile(file, []byte(content), 0o600)
	}
	if len(o.Include) == 0 && len(o.Exclude) == 0 {
		if err := errors.Join(put("log/mrs.log", "new"), put("mrsattachments/1.pdf", "new")); err != nil {
			return err
		}
	}
	if len(o.Include) == 0 {
		return r.call(ctx, "restic restore of the dump", func() error {
			return errors.Join(put("postgres/dump/data/toc.dat", "new"), put("postgres/dump/globals.sql", ""),
				put("postgres/dump/globals.json", "{}"), put("postgres/dump/tables.tsv", "public.a\t7\n"))
		})
	}
	return r.call(ctx, "restic restore of folders", func() error {
		for _, folder := range o.Include {
			name := map[string]string{"log": "log/mrs.log", "mrsattachments": "mrsattachments/1.pdf"}[strings.TrimPrefix(folder, folders)]
			if err := put(name, "new"); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s stack) Recover(ctx context.Context, recovery wal.Recovery) error {
	return s.call(ctx, "recover", func() error {
		put := func(name, content string) error {
			return os.WriteFile(filepath.Join(recovery.Dump, name), []byte(content), 0o600)
		}
		s.world.recovered = append(s.world.recovered, recovery)
		return errors.Join(os.Mkdir(filepath.Join(recovery.Dump, "data"), 0o700), put("data/toc.dat", "recovered"),
			put("globals.sql", ""), put("globals.json", "{}"), put("tables.tsv", "public.a\t7\n"))
	})
}

// server is a PostgreSQL.
type server struct{ *world }

func (s server) Takes(ctx context.Context, _ io.Reader) error {
	return s.call(ctx, "takes", func() error { return nil })
}
func (s server) Create(ctx context.Context, database, _ string) ([]string, error) {
	return nil, s.call(ctx, "create database", func() error {
		if _, there := s.databases[database]; there {
			return errors.New("it exists")
		}
		s.databases[database] = ""
		return nil
	})
}
func (s server) Roles(ctx context.Context, _ io.Reader) ([]string, error) {
	return nil, s.call(ctx, "roles", func() error { return nil })
}
func (s server) Restore(ctx context.Context, database, folder string, _ int) error {
	return s.call(ctx, "pg_restore", func() error {
		text, err := os.ReadFile(s.home("postgres" + folder + "/toc.dat"))
		s.databases[database] = string(text)
		return err
	})
}
func (s server) Schema(context.Context, string, io.Writer) error { return nil }
func (s server) Feed(ctx context.Context, database string, sql io.Reader) error {
	return s.call(ctx, "psql", func() error {
		text, err := io.ReadAll(sql)
		s.databases[database] = "all of it: " + strings.TrimSpace(string(text))
		return err
	})
}
func (s server) Properties(ctx context.Context) (string, error)      { return "{}", nil }
func (s server) SizeOf(context.Context, string) (n int64, err error) { return 100, nil }
func (s server) Analyze(ctx context.Context, _ string, _ int) error {
	return s.call(ctx, "analyze", func() error { return nil })
}
func (s server) Bring(ctx context.Context, _, _ string) ([]string, error) {
	return nil, s.call(ctx, "bring", func() error { return nil })
}
func (s server) CountIn(ctx context.Context, _ string) ([]dump.Table, error) {
	return []dump.Table{{Name: "public.a", Rows: 7}}, s.call(ctx, "count", func() error { return nil })
}
func (s server) Has(ctx context.Context, database string) (is bool, err error) {
	err = s.call(ctx, "has", func() error { return nil })
	_, is = s.databases[database]
	return is, err
}
func (s server) Rename(ctx context.Context, all ...dump.Rename) error {
	return s.call(ctx, "alter database rename", func() error {
		next := maps.Clone(s.databases)
		for _, r := range all {
			if r.From == "mrs" && (s.running || s.policy != "no") {
				s.t.Error("the database goes below an application that runs, or may")
			}
			if _, there := next[r.To]; there {
				return errors.New(r.To + " exists")
			}
			content, there := next[r.From]
			if !there {
				return errors.New("there is no " + r.From)
			}
			delete(next, r.From)
			next[r.To] = content
		}
		s.databases = next
		return nil
	})
}
func (s server) Beside(ctx context.Context, kind string) (names []string, err error) {
	return names, s.call(ctx, "databases", func() error {
		for _, name := range slices.Sorted(maps.Keys(s.databases)) {
			if strings.HasPrefix(name, "mrs_"+kind+"_") ||
				kind == "" && aDate.MatchString(strings.TrimPrefix(name, "mrs_")) {
				names = append(names, name)
			}
		}
		return nil
	})
}
func (s server) Settle(ctx context.Context, _, _ string) ([]string, error) {
	return nil, s.call(ctx, "settle", func() error { return nil })
}

func (s server) ContainerID() string { return "postgres" }
func (s server) Drop(ctx context.Context, database string) error {
	return s.call(ctx, "drop", func() error { delete(s.databases, database); return nil })
}

// drillServer is the PostgreSQL of a drill, which is struck as the others are.
type drillServer struct {
	server
	folder string
}

func (s drillServer) ContainerID() string { return "postgres of the drill" }
func (s drillServer) Restore(ctx context.Context, database, folder string, _ int) error {
	return s.call(ctx, "pg_restore", func() error {
		text, err := os.ReadFile(filepath.Join(s.folder, folder, "toc.dat"))
		s.databases[database] = string(text)
		return err
	})
}

// stack is what runs, for a backup too.
type stack struct{ *world }

func (s stack) Server() Server { return server(s) }
func (s stack) Engine(ctx context.Context) error {
	return s.call(ctx, "docker version", func() error { return nil })
}
func (s stack) Keeps(ctx context.Context) error {
	return s.call(ctx, "keeps", func() error { return nil })
}
func (s stack) Ready(ctx context.Context) error {
	return s.call(ctx, "pg_isready", func() error { return nil })
}
func (s stack) DumpFolder(context.Context) (string, error) { return s.home("postgres/dump"), nil }
func (s stack) EndOurs(ctx context.Context) error {
	return s.call(ctx, "pg_terminate_backend", func() error { return nil })
}
func (s stack) Commit(context.Context) string { return "" }
func (s stack) Dump(context.Context, dump.Options) (dump.Made, error) {
	return dump.Made{}, errors.New("a restore dumps nothing")
}
func (s stack) Leftovers(ctx context.Context, _ bool) error {
	return s.call(ctx, "leftovers", func() error {
		maps.DeleteFunc(s.databases, func(name, _ string) bool { return strings.HasPrefix(name, "mrs_restore_") })
		return nil
	})
}
func (s stack) Drop(ctx context.Context, database string) error {
	return s.call(ctx, "drop database", func() error {
		if database == "mrs" || s.databases[database] == "old" && !s.discards {
			s.t.Errorf("%s is dropped, which is %s", database, s.databases[database])
		}
		delete(s.databases, database)
		return nil
	})
}
func (s stack) Try(ctx context.Context, folder, database string) (string, error) {
	return "trial", s.call(ctx, "up trial", func() error {
		if content := s.databases[database]; content != "new" && content != "copied" && content != "recovered" &&
			!strings.HasPrefix(content, "all of it") {
			s.t.Errorf("it is tried on %q", content)
		}
		_, err := os.Stat(folder)
		return err
	})
}
func (s stack) Untry(ctx context.Context) error {
	return s.call(ctx, "rm trial", func() error { return nil })
}
func (s stack) StartDrill(ctx context.Context, folder string) (Server, error) {
	own := &world{t: s.t, lock: s.lock, calls: s.calls, folder: s.folder, databases: map[string]string{"mrs": ""}}
	return drillServer{server{own}, folder}, s.call(ctx, "up postgres of the drill", func() error { return nil })
}
func (s stack) RunDrill(ctx context.Context, _ string) (string, error) {
	return "drill", s.call(ctx, "up application of the drill", func() error { return nil })
}
func (s stack) EndDrill(ctx context.Context) error {
	return s.call(ctx, "rm drill", func() error { return nil })
}
func (s stack) Restarts(context.Context) string { return s.policy }
func (s stack) Policy(ctx context.Context, restarts string) error {
	return s.call(ctx, "docker update", func() error { s.policy = restarts; return nil })
}
func (s stack) Stop(ctx context.Context) error {
	return s.call(ctx, "stop", func() error { s.running = false; return nil })
}
func (s stack) StopServer(ctx context.Context) error {
	return s.call(ctx, "stop postgres", func() error { return nil })
}
func (s stack) StartServer(ctx context.Context) error {
	return s.call(ctx, "up postgres", func() error { return nil })
}
func (s stack) Resume(ctx context.Context) error { return s.Start(ctx, false) }
func (s stack) Start(ctx context.Context, wait bool) error {
	name := "up"
	if wait {
		name = "up until healthy"
	}
	return s.call(ctx, name, func() error { s.running = true; return nil })
}
func (s stack) Application(context.Context) string {
	if !s.running {
		return ""
	}
	return "django"
}

// mrs is the application.
type mrs struct{ *world }

func (a mrs) Well(ctx context.Context, container, postgres, _ string) error {
	if (container == "drill") != (postgres == "postgres of the drill") {
		a.t.Errorf("%s is on %s", container, postgres)
	}
	return a.call(ctx, "well "+container, func() error { return nil })
}
func (a mrs) Migrated(ctx context.Context, _ string) error {
	return a.call(ctx, "migrated", func() error { return nil })
}
func (a mrs) Log(context.Context, string) []string { return []string{"its last words"} }
func (a mrs) Visited(ctx context.Context) error {
	return a.call(ctx, "visited", func() error { return nil })
}
func (a mrs) Developers(ctx context.Context, _ string) error {
	return a.call(ctx, "developers", func() error { return nil })
}
func (a mrs) LetsIn(ctx context.Context, _ string) error {
	return a.call(ctx, "lets in", func() error { return nil })
}
func (a mrs) Moment(ctx context.Context, _ string) error {
	return a.call(ctx, "moment", func() error { return nil })
}

// files are those of the disk, of which those that the application writes to are not moved below it.
type files struct{ *world }

func (f files) Rename(from, to string) error {
	name := "mv " + filepath.Base(from)
	return f.call(context.Background(), name, func() error {
		for _, folder := range movable {
			if (f.running || f.policy != "no") && (from == f.home(folder) || to == f.home(folder)) {
				f.t.Errorf("%s goes below an application that runs, or may", folder)
			}
		}
		if _, err := os.Lstat(to); err == nil {
			return errors.New(to + " exists")
		}
		return Disk{}.Rename(from, to)
	})
}
func (f files) Write(path string, content []byte) error {
	return f.call(
		context.Background(),
		"write "+filepath.Base(path),
		func() error { return Disk{}.Write(path, content) },
	)
}
func (f files) Append(path, line string) error {
	return f.call(
		context.Background(),
		"append to "+filepath.Base(path),
		func() error { return Disk{}.Append(path, line) },
	)
}
func (f files) Remove(path string) error {
	return f.call(context.Background(), "rm "+filepath.Base(path), func() error { return Disk{}.Remove(path) })
}
func (f files) Sync(string) error {
	return f.call(context.Background(), "sync", func() error { return nil })
}

// systemd is there, and does nothing.
type systemd struct{ *world }

func (systemd) Booted() bool                  { return true }
func (s systemd) Retry(context.Context) error { s.retried++; return nil }
func (s systemd) Start(_ context.Context, unit string) error {
	s.units = append(s.units, unit)
	return nil
}
