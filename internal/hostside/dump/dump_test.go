package dump

import (
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
)

// server is a PostgreSQL that can fail, or hang, at any call.
type server struct {
	folder  string
	fails   string // the call that does
	hangs   string // the call that does, until it is ended
	ran     []string
	ended   bool
	counted []Table
	export  string
}

var errStruck = errors.New("struck")

func (s *server) call(ctx context.Context, name string) error {
	s.ran = append(s.ran, name)
	if s.hangs == name {
		<-ctx.Done()
		return context.Cause(ctx)
	}
	if s.fails == name {
		return errStruck
	}
	return nil
}

func (s *server) Program(ctx context.Context, limit bound.Limit, _ io.Writer, argv ...string) error {
	if limit.Total == 0 && limit.Idle == 0 {
		return errors.New("without a bound")
	}
	for _, word := range argv {
		if to, ok := strings.CutPrefix(word, "/dump/data."); ok {
			_ = os.MkdirAll(filepath.Join(s.folder, "data."+to), 0o700)
			_ = os.WriteFile(filepath.Join(s.folder, "data."+to, "toc.dat"), []byte("PGDMP"), 0o600)
		}
	}
	s.ran = append(s.ran, strings.Join(argv, " "))
	return s.call(ctx, argv[0])
}
func (s *server) Begin(ctx context.Context) (Transaction, error) { return s, s.call(ctx, "begin") }
func (s *server) Size(ctx context.Context) (int64, error)        { return 1000, s.call(ctx, "size") }
func (s *server) Properties(ctx context.Context) (string, error) {
	return `{"name": "mrs"}`, s.call(ctx, "properties")
}
func (s *server) Settings(ctx context.Context) ([]string, error) {
	return []string{"ALTER DATABASE mrs SET work_mem TO '7MB';"}, s.call(ctx, "settings")
}
func (s *server) Exported() string { return s.export }
func (s *server) End()             { s.ended = true }

// Count runs beside pg_dump.
func (s *server) Count(ctx context.Context) ([]Table, error) {
	if s.hangs == "count" {
		<-ctx.Done()
		return nil, ctx.Err()
	}
	if s.fails == "count" {
		return nil, errStruck
	}
	return s.counted, nil
}

func newServer(t *testing.T) (*server, Options) {
	t.Helper()
	s := &server{folder: t.TempDir(), export: "00000003-0000001B-1", counted: []Table{{"public.a", 3}, {`public."B"`, 4}}}
	return s, Options{Database: "mrs", Role: "django", Folder: s.folder, Inside: "/dump", Jobs: 2}
}

func TestADumpIsOneMomentAndHasItsNameOnceItIsWhole(t *testing.T) {
	s, o := newServer(t)
	made, err := Make(t.Context(), s, o)
	if err != nil || made.Rows != 7 || made.Bytes == 0 || !s.ended {
		t.Fatalf("%v, %+v, ended: %v", err, made, s.ended)
	}
	if !slices.ContainsFunc(s.ran, func(line string) bool {
		return strings.HasPrefix(
			line,
			"pg_dump --username django --no-password --dbname mrs --format directory --snapshot 00000003-0000001B-1 --jobs 2 "+
				"--compress 0 --file /dump/data.",
		)
	}) {
		t.Errorf("it ran %q", s.ran)
	}
	for name, want := range map[string]string{
		"globals.json": "{\"name\": \"mrs\"}\n", "settings.sql": "ALTER DATABASE mrs SET work_mem TO '7MB';\n", "tables.tsv": "public.a\t3\npublic.\"B\"\t4\n",
		"data/toc.dat": "PGDMP",
	} {
		if got, err := os.ReadFile(filepath.Join(s.folder, name)); string(got) != want {
			t.Errorf("%s is %q, %v", name, got, err)
		}
	}
	if err := Remove(s.folder); err != nil {
		t.Fatal(err)
	}
	if left, _ := os.ReadDir(s.folder); len(left) != 0 {
		t.Errorf("left: %v", left)
	}
}

func TestADumpThatFailsAtAnyCallHasNoName(t *testing.T) {
	for call, want := range map[string]string{
		"begin": "PostgreSQL gives no snapshot: struck", "size": "PostgreSQL does not say how large the database is: struck",
		"pg_dump": "the database can't be dumped: struck", "pg_dumpall": "the roles can't be dumped: struck",
		"properties": "what of the database is not in its dump can't be read: struck",
		"settings":   "what is set for the database can't be read: struck", "count": "the rows can't be counted: struck",
		"pg_restore": "what was dumped can't be read: struck",
	} {
		s, o := newServer(t)
		s.fails = call
		_, err := Make(t.Context(), s, o)
		if err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", call, err, want)
		}
		if _, err := os.Stat(filepath.Join(s.folder, "data")); err == nil {
			t.Errorf("%s: there is a dump", call)
		}
		if call != "begin" && !s.ended {
			t.Errorf("%s: its transaction is open", call)
		}
		if err := Remove(s.folder); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(s.folder); len(left) != 0 {
			t.Errorf("%s: left: %v", call, left)
		}
	}
	s, o := newServer(t)
	s.export = "ERROR: --clean"
	if _, err := Make(t.Context(), s, o); err == nil || len(s.ran) != 1 {
		t.Errorf("what is no snapshot: %v, and it ran %q", err, s.ran)
	}
}

func TestALinkThatPostgreSQLPutsInItsFolderLeadsNowhere(t *testing.T) {
	for _, name := range []string{"globals.json", "settings.sql", "tables.tsv"} {
		s, o := newServer(t)
		target := filepath.Join(t.TempDir(), "authorized_keys")
		if err := os.WriteFile(target, []byte("ours\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(target, filepath.Join(s.folder, name)); err != nil {
			t.Fatal(err)
		}
		if _, err := Make(t.Context(), s, o); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if content, _ := os.ReadFile(target); string(content) != "ours\n" {
			t.Errorf("%s: what it leads to is %q", name, content)
		}
		if info, err := os.Lstat(filepath.Join(s.folder, name)); err != nil || info.Mode() != 0o600 {
			t.Errorf("%s is %v, %v", name, info.Mode(), err)
		}
		if err := os.WriteFile(filepath.Join(s.folder, ".next."+name+".1"), nil, 0o600); err != nil { // of one killed
			t.Fatal(err)
		}
		if err := Remove(s.folder); err != nil {
			t.Error(err)
		}
		if left, _ := os.ReadDir(s.folder); len(left) != 0 {
			t.Errorf("left: %v", left)
		}
	}
}

func TestADumpThatHangsAtAnyCallEndsWhenItIsTold(t *testing.T) {
	why := errors.New("interrupted")
	for _, call := range []string{"begin", "size", "pg_dump", "pg_dumpall", "properties", "settings", "count", "pg_restore"} {
		synctest.Test(t, func(t *testing.T) {
			s, o := newServer(t)
			s.hangs = call
			ctx, end := context.WithCancelCause(t.Context())
			time.AfterFunc(time.Minute, func() { end(why) })
			if _, err := Make(ctx, s, o); !errors.Is(err, why) {
				t.Errorf("%s: %v", call, err)
			}
		})
	}
}

func TestACountThatDoesNotEndHasABound(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s, o := newServer(t)
		s.hangs = "count"
		_, err := Make(t.Context(), s, o)
		if err == nil ||
			err.Error() != "the rows can't be counted: the count of the rows did not end within 120 min, and was ended" {
			t.Errorf("%v", err)
		}
	})
}

func TestComplaintsHaveNobodysData(t *testing.T) {
	got := complaints(`pg_dump: error: Dumping the contents of table "person" failed: PQgetResult() failed.
DETAIL:  Key (email)=(dupont@example.org) already exists.
CONTEXT:  COPY person, line 3: "dupont"
ERROR:  duplicate key Key (email)=(dupont@example.org)
`)
	if strings.Contains(got, "dupont") || !strings.Contains(got, `table "person" failed`) {
		t.Errorf("it says %q", got)
	}
	if got := complaints("DETAIL: x\n"); got != "it says nothing" {
		t.Errorf("it says %q", got)
	}
}

func TestANameThatPostgreSQLWouldCutIsRefused(t *testing.T) {
	live := strings.Repeat("m", 63)
	c, long := Container{Database: live}, live+"_20200101t000000z" // dropped, it was the live one
	_, created := c.Create(t.Context(), long, "")
	for what, err := range map[string]error{
		"create": created, "drop": c.Drop(t.Context(), long),
		"rename": c.Rename(t.Context(), Rename{live, long}), "rename back": c.Rename(t.Context(), Rename{long, live}),
	} {
		if err == nil || err.Error() != long+" has more than 63 bytes: PostgreSQL would cut the name" {
			t.Errorf("%s: %v", what, err)
		}
	}
}
