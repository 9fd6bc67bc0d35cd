package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
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

	"github.com/betagouv/mrs-ops/internal/hostside/dump"
	"github.com/betagouv/mrs-ops/internal/hostside/ledger"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
	"github.com/betagouv/mrs-ops/internal/hostside/strike"
	"github.com/betagouv/mrs-ops/internal/hostside/wal"
)

func TestMain(m *testing.M) { strike.Main(m) }

// world is a server with one instance, whose repository is a folder in its home. Its other
// parts can fail, hang or die at any call.
type world struct {
	t         *testing.T
	folder    string // home, locks, log and lib are in it
	snapshots map[string]restic.Snapshot
	there     map[string]string // on the mirror: contents by their paths
	dump      string            // what the database holds
	n         int               // of contents that were made

	calls *strike.Calls
	wreck *world // the world as it was when the run was killed
	said  []string
	told  []string

	unreadable int // how many backups can't read a file
	keeps      int // how many snapshots the policy keeps
	append     bool
	logs       bool // PostgreSQL's log is received
}

func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{
		t:         t,
		folder:    strike.Memory(t),
		snapshots: map[string]restic.Snapshot{},
		there:     map[string]string{},
		dump:      "people",
		keeps:     100,
	}
	for _, name := range []string{"home/log", "home/mrsattachments", "home/postgres/dump", "home/restic/locks",
		"home/restic/data", "home/restic/index", "home/restic/keys", "home/restic/snapshots"} {
		if err := os.MkdirAll(filepath.Join(w.folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	w.write("home/docker-compose.yml", "services: {}")
	w.write("home/mrsattachments/1.pdf", "a file")
	w.write("home/restic/config", "config")
	w.write("home/.restic_id", "id\n"+sum("config")+"\n")
	w.write("home/.restic_password", "hush\n")
	return w
}

func sum(text string) string { return fmt.Sprintf("%x", sha256.Sum256([]byte(text))) }

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

// copy is the world as the power would leave it now.
func (w *world) copy() *world {
	c := &world{
		t:         w.t,
		folder:    strike.Memory(w.t),
		snapshots: maps.Clone(w.snapshots),
		there:     maps.Clone(w.there),
		dump:      w.dump,
		n:         w.n,
		keeps:     w.keeps,
		logs:      w.logs,
	}
	if err := os.CopyFS(c.folder, os.DirFS(w.folder)); err != nil {
		w.t.Fatal(err)
	}
	return c
}

// call is a call of something outside. do does it.
func (w *world) call(ctx context.Context, name string, do func() error) error {
	return w.calls.Do(ctx, name, do)
}

// instance is the one of the world, as a run has it.
func (w *world) instance() *Instance {
	archive := ""
	if w.logs {
		archive = w.path("archive")
	}
	return &Instance{
		PostgreSQL: func(context.Context) (wal.Server, error) { return cluster{world: w}, nil },
		Settings: Settings{
			LogArchive: archive,
			KeepDaily:  7,
			Name:       "mrs-x",
			Repository: w.home("restic"),
			Mirror:     "ftp://…",
			Database:   "mrs",
			Role:       "django",
			KeepLast:   7,
			Server:     "postgres",
			Folders:    []string{"log", "mrsattachments"},
		},
		Home: w.path("home"), Locks: w.path("locks"), Server: "host",
		With:   func(string) Repository { return repository{w} },
		Mirror: mirrored{w}, Stack: stack{w},
		Ledger: ledger.Ledger{
			Project:  "mrs-x",
			Mirrored: true,
			Log:      w.path("log/mrs-x.backups.log"),
			Metrics:  w.path("lib/mrs-x.prom"),
		},
		Say:     func(line string) { w.said = append(w.said, line) },
		Tell:    func(_ context.Context, text string) error { w.told = append(w.told, text); return nil },
		Hold:    func(*os.File) {},
		Free:    func(string) (free, size int64, err error) { return 1 << 40, 1 << 41, nil },
		Device:  func(string) (uint64, error) { return 0, nil },
		Mounts:  func() map[string]bool { return map[string]bool{"/": true} },
		Damaged: restic.Damaged,
	}
}

// run does something with the instance, whose calls are struck.
func (w *world) run(strikes strike.At, do func(context.Context, *Instance) error) error {
	ctx, end := context.WithCancelCause(w.t.Context())
	defer end(nil)
	w.calls = &strike.Calls{
		Strikes: strikes,
		End:     func() { end(&Interrupted{Reason: "interrupted", Status: 130}) },
		Kill:    func() { w.wreck = w.copy() },
	}
	w.said, w.told = nil, nil
	return do(ctx, w.instance())
}

// called reports whether something was called.
func (w *world) called(name string) bool { return slices.Contains(w.calls.Made(), name+"#1") }

// repository is a restic.
type repository struct{ *world }

func (r repository) Here() bool    { return true }
func (r repository) Shown() string { return "REPOSITORY" }

func (r repository) ID(ctx context.Context) (id string, err error) {
	return "id", r.call(ctx, "restic cat config", func() error {
		_, err := os.Stat(r.home("restic/config"))
		return err
	})
}
func (r repository) Init(ctx context.Context) error {
	return r.call(ctx, "restic init", func() error { r.write("home/restic/config", "config"); return nil })
}
func (r repository) Unlock(ctx context.Context) error {
	return r.call(ctx, "restic unlock", func() error { return nil })
}
func (r repository) Check(ctx context.Context, _ string) error {
	return r.call(ctx, "restic check", func() error { return nil })
}
func (r repository) IDs(context.Context) ([]string, error) { return nil, errors.New("it is a folder") }

func (r repository) Snapshots(ctx context.Context) (all []restic.Snapshot, err error) {
	return all, r.call(ctx, "restic snapshots", func() error {
		for _, s := range r.snapshots {
			all = append(all, s)
		}
		slices.SortFunc(all, func(a, b restic.Snapshot) int { return a.Time.Compare(b.Time) })
		return nil
	})
}

// put writes a file that is named by its content.
func (w *world) put(folder, content string) string {
	name := sum(content)
	if folder == "data" {
		folder += "/" + name[:2]
	}
	w.write("home/restic/"+folder+"/"+name, content)
	return name
}

func (r repository) Backup(ctx context.Context, b restic.Backup, _ func(restic.Status)) (made restic.Made, err error) {
	err = r.call(ctx, "restic backup", func() error {
		r.n++
		if b.Host == "mrs-x" {
			if _, err := os.Stat(filepath.Join(b.Paths[3], "data", "toc.dat")); err != nil {
				r.t.Errorf("there is no dump: %v", err)
			}
		}
		r.put("data", fmt.Sprint("data ", r.n))
		id := r.put("snapshots", fmt.Sprint("snapshot ", r.n))
		r.snapshots[id] = restic.Snapshot{ID: id, Host: b.Host, Tags: b.Tags, Paths: b.Paths,
			Time: time.Unix(int64(r.n), 0)}
		made = restic.Made{ID: id[:8], Bytes: 100, Files: 3, Added: 10}
		return nil
	})
	if err == nil && r.unreadable > 0 {
		r.unreadable--
		return made, restic.Unreadable{"no such file or directory": 1}
	}
	return made, err
}

func (r repository) Forget(ctx context.Context, ids ...string) error {
	return r.call(ctx, "restic forget", func() error {
		for _, id := range ids {
			delete(r.snapshots, id)
			_ = os.Remove(r.home("restic/snapshots/" + id))
		}
		return nil
	})
}

func (w *world) removes() (ids []string) {
	var all []restic.Snapshot
	for _, s := range w.snapshots {
		all = append(all, s)
	}
	slices.SortFunc(all, func(a, b restic.Snapshot) int { return b.Time.Compare(a.Time) })
	for _, s := range all[min(w.keeps, len(all)):] {
		ids = append(ids, s.ID)
	}
	return ids
}

func (r repository) Removes(ctx context.Context, _ restic.Policy) (ids []string, err error) {
	return ids, r.call(ctx, "restic forget --dry-run", func() error { ids = r.removes(); return nil })
}

func (r repository) Prune(ctx context.Context, _ restic.Policy) error {
	return r.call(ctx, "restic forget --prune", func() error {
		if r.append { // and says that all is well
			return nil
		}
		for _, id := range r.removes() {
			delete(r.snapshots, id)
			_ = os.Remove(r.home("restic/snapshots/" + id))
		}
		return nil
	})
}

// mirrored is an lftp, and what it reaches.
type mirrored struct{ *world }

func (m mirrored) HasRepository(ctx context.Context) (has bool, err error) {
	err = m.call(ctx, "lftp cls", func() error { return nil })
	_, has = m.there["config"]
	return has, err
}
func (m mirrored) Config(ctx context.Context) (config []byte, err error) {
	err = m.call(ctx, "lftp cat", func() error { return nil })
	return []byte(m.there["config"]), err
}
func (m mirrored) upload(names ...string) error {
	for _, name := range names {
		text, err := os.ReadFile(m.home("restic/" + name))
		if err != nil {
			return err
		}
		m.there[name] = string(text)
	}
	return nil
}
func (m mirrored) all() (names []string) {
	list, err := restic.List(m.home("restic"))
	if err != nil {
		m.t.Error(err)
	}
	return list.Names()
}
func (m mirrored) Put(ctx context.Context, _ string, files []string) error {
	if len(files) == 0 {
		return nil
	}
	return m.call(ctx, "lftp put", func() error { return m.upload(files...) })
}
func (m mirrored) Copy(ctx context.Context, _ string, config bool) error {
	return m.call(ctx, "lftp mirror", func() error {
		if config {
			defer func() { _ = m.upload("config") }()
		}
		return m.upload(m.all()...)
	})
}
func (m mirrored) Remove(ctx context.Context, _ string) error {
	return m.call(ctx, "lftp mirror --delete", func() error {
		for name := range m.there {
			if name != "config" && !slices.Contains(m.all(), name) {
				delete(m.there, name)
			}
		}
		return nil
	})
}
func (m mirrored) Get(ctx context.Context, file, to string) error {
	return m.call(ctx, "lftp get", func() error {
		text, ok := m.there[file]
		if !ok {
			return fs.ErrNotExist
		}
		return os.WriteFile(to, []byte(text), 0o600)
	})
}
func (m mirrored) Size(ctx context.Context) (int64, error) {
	return 100, m.call(ctx, "lftp du", func() error { return nil })
}
func (m mirrored) Fetch(ctx context.Context, to string) error {
	return m.call(ctx, "lftp mirror back", func() error {
		for name, text := range m.there {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(to, name)), 0o700); err != nil {
				return err
			}
			if err := os.WriteFile(filepath.Join(to, name), []byte(text), 0o600); err != nil {
				return err
			}
		}
		return nil
	})
}

// stack is what runs.
type stack struct{ *world }

func (s stack) Ready(ctx context.Context) error {
	return s.call(ctx, "pg_isready", func() error { return nil })
}
func (s stack) DumpFolder(context.Context) (string, error) { return s.home("postgres/dump"), nil }
func (s stack) EndOurs(ctx context.Context) error {
	return s.call(ctx, "pg_terminate_backend", func() error { return nil })
}
func (s stack) Leftovers(ctx context.Context, _ bool) error {
	return s.call(ctx, "drop database", func() error { return nil })
}
func (s stack) Commit(context.Context) string { return "0123456" }
func (s stack) Dump(ctx context.Context, o dump.Options) (dump.Made, error) {
	return dump.Made{Bytes: 10, Rows: 7}, s.call(ctx, "pg_dump", func() error {
		s.write("home/postgres/dump/data/toc.dat", s.world.dump)
		s.write("home/postgres/dump/tables.tsv", "public.a\t7\n")
		return nil
	})
}

// ledger returns the lines of the record.
func (w *world) ledger() []string {
	text, _ := os.ReadFile(w.path("log/mrs-x.backups.log"))
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

// trusted are the ids of the snapshots that a restore may choose.
func (w *world) trusted() (ids []string) {
	text, err := os.ReadFile(w.home(".backup.unchecked"))
	known := strings.Fields(string(text))
	for id := range w.snapshots {
		if err != nil || slices.Contains(known, id) {
			ids = append(ids, id)
		}
	}
	return ids
}

// whole fails the test unless all is as it has to be, whatever has happened.
func (w *world) whole(what string) {
	w.t.Helper()
	for name, content := range w.there {
		if name != "config" && sum(content) != filepath.Base(name) {
			w.t.Errorf("%s: the mirror holds %s, which is %q", what, name, content)
		}
	}
	for _, id := range w.trusted() {
		if text, err := os.ReadFile(w.home("restic/snapshots/" + id)); err != nil || sum(string(text)) != id {
			w.t.Errorf("%s: a snapshot that is trusted is not whole: %v", what, err)
		}
	}
	if text, err := os.ReadFile(w.home(".restic_id")); err != nil || !bytes.HasPrefix(text, []byte("id\n")) {
		w.t.Errorf("%s: .restic_id is %q, %v", what, text, err)
	}
}

// settled fails the test unless nothing of a run is left.
func (w *world) settled(what string) {
	w.t.Helper()
	w.whole(what)
	left, _ := filepath.Glob(w.home(".running.*"))
	dumps, _ := filepath.Glob(w.home("postgres/dump/*"))
	news, _ := filepath.Glob(w.home(".*.new"))
	if all := slices.Concat(left, dumps, news); len(all) > 0 {
		w.t.Errorf("%s: left: %v", what, all)
	}
}
