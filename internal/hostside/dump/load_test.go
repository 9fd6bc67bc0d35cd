package dump

import (
	"bytes"
	"context"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

const all = `--
-- PostgreSQL database cluster dump
--
CREATE ROLE django;
\connect template1
CREATE TABLE public.other (a int);
COPY public.other (a) FROM stdin;
\connect mrs
\.
-- PostgreSQL database dump complete
\connect -reuse-previous=on "dbname='mrs'"
\restrict abc
SET default_with_oids = false;
ALTER DATABASE mrs SET statement_timeout TO '5s';
ALTER ROLE django IN DATABASE mrs SET search_path TO 'public';
\connect mrs
CREATE TABLE public.a (a text);
COPY public.a (a) FROM stdin;
\\connect other
-- PostgreSQL database dump complete
\.
\unrestrict abc
-- PostgreSQL database dump complete
\connect postgres
CREATE TABLE public.last (a int);
-- PostgreSQL database dump complete
`

func TestOfAPlainDumpTheDatabaseAloneIsTaken(t *testing.T) {
	var out bytes.Buffer
	if err := section(strings.NewReader(all), &out, "mrs", "mrs_restore"); err != nil {
		t.Fatal(err)
	}
	const want = `ALTER DATABASE "mrs_restore" SET statement_timeout TO '5s';
ALTER ROLE django IN DATABASE "mrs_restore" SET search_path TO 'public';
CREATE TABLE public.a (a text);
COPY public.a (a) FROM stdin;
\\connect other
-- PostgreSQL database dump complete
\.
`
	if out.String() != want {
		t.Errorf("it takes\n%s", out.String())
	}
}

func TestAPlainDumpThatWasCutShortIsNotWhole(t *testing.T) {
	const end = "-- PostgreSQL database dump complete"
	whole := strings.LastIndex(all[:strings.LastIndex(all, `\connect postgres`)], end) + len(end)
	for n := range len(all) {
		err := section(strings.NewReader(all[:n]), io.Discard, "mrs", "mrs")
		if done := n >= whole; done != (err == nil) {
			t.Errorf("cut after %d bytes, %q: %v", n, all[max(0, n-20):n], err)
		}
	}
	if err := section(strings.NewReader(all), io.Discard, "another", "x"); !errors.Is(err, errCut) {
		t.Errorf("of a database that is not in it: %v", err)
	}
}

func TestWhatIsSetForADatabaseIsSetForAnother(t *testing.T) {
	got := settingsFor(`ALTER DATABASE mrs SET a TO 'b';
ALTER DATABASE "mrs" SET c TO 'd';
ALTER DATABASE mrs_2 SET e TO 'f';
ALTER ROLE django IN DATABASE mrs SET g TO 'h';
DROP DATABASE mrs;
`, "mrs", "new")
	want := []string{
		`ALTER DATABASE "new" SET a TO 'b';`,
		`ALTER DATABASE "new" SET c TO 'd';`,
		`ALTER ROLE django IN DATABASE "new" SET g TO 'h';`,
	}
	if !slices.Equal(got, want) {
		t.Errorf("it is %q", got)
	}
}

// target is a PostgreSQL that remembers what it was asked.
type target struct {
	asked  []string
	tables []Table
	fails  string
}

func (s *target) ask(what string) error {
	s.asked = append(s.asked, what)
	if s.fails != "" && strings.HasPrefix(what, s.fails) {
		return errors.New(s.fails + " fails")
	}
	return nil
}

func (s *target) Takes(context.Context, io.Reader) error { return s.ask("takes") }
func (s *target) Create(context.Context, string, string) ([]string, error) {
	return nil, s.ask("create")
}
func (s *target) Roles(context.Context, io.Reader) ([]string, error) {
	return []string{"made the role x"}, s.ask("roles")
}
func (s *target) Restore(_ context.Context, database, folder string, _ int) error {
	return s.ask("pg_restore " + folder + " " + database)
}
func (s *target) Schema(_ context.Context, _ string, out io.Writer) error {
	_, _ = io.WriteString(out, "ALTER DATABASE mrs SET x TO 'y';\n")
	return s.ask("schema")
}
func (s *target) Feed(_ context.Context, database string, sql io.Reader) error {
	text, err := io.ReadAll(sql)
	return errors.Join(err, s.ask("psql "+database+" "+strings.ReplaceAll(string(text), "\n", "|")))
}
func (s *target) Bring(context.Context, string, string) ([]string, error) {
	return nil, s.ask("bring")
}
func (s *target) CountIn(context.Context, string) ([]Table, error) { return s.tables, s.ask("count") }

func TestASnapshotOfEveryAgeIsLoaded(t *testing.T) {
	for name, c := range map[string]struct {
		files map[string]string
		want  []string
	}{
		"of today": {map[string]string{"data/toc.dat": "", "globals.sql": "", "globals.json": "{}", "settings.sql": "",
			"tables.tsv": "public.a\t7\n"},
			[]string{"takes", "roles", "pg_restore /dump/data new", "bring", "count"}},
		"without properties": {map[string]string{"data/toc.dat": "", "globals.sql": "",
			"settings.sql": "ALTER DATABASE mrs SET a TO 'b';\n"},
			[]string{"takes", "roles", "pg_restore /dump/data new", `psql postgres ALTER DATABASE "new" SET a TO 'b';|`}},
		"without settings": {map[string]string{"data/toc.dat": ""},
			[]string{"takes", "pg_restore /dump/data new", "schema", `psql postgres ALTER DATABASE "new" SET x TO 'y';|`}},
		"of all databases": {map[string]string{"data.dump": "\\connect mrs\nselect 1;\n-- PostgreSQL database dump complete\n"},
			[]string{"takes", "roles", "psql new select 1;|"}},
	} {
		folder := t.TempDir()
		for file, content := range c.files {
			if err := os.MkdirAll(filepath.Dir(filepath.Join(folder, file)), 0o700); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(folder, file), []byte(content), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		var said []string
		l := Load{
			Folder:   folder,
			Inside:   "/dump",
			Was:      "mrs",
			Database: "new",
			Jobs:     2,
			Say:      func(line string) { said = append(said, line) },
		}
		s := &target{tables: []Table{{"public.a", 7}}}
		if err := l.Run(t.Context(), s); err != nil || !slices.Equal(s.asked, c.want) {
			t.Errorf("%s: it asks %q, %v", name, s.asked, err)
		}
		if found, err := Find(filepath.Dir(folder)); err != nil || !slices.Contains(found, folder) {
			t.Errorf("%s: found is %q, %v", name, found, err)
		}
		if c.files["tables.tsv"] == "" {
			continue
		}
		s = &target{tables: []Table{{"public.a", 6}, {"public.b", 0}}}
		if err := l.Run(t.Context(), s); err == nil ||
			err.Error() != "the restored database has not the rows that the backup counted: public.a public.b" {
			t.Errorf("%s: other rows: %v", name, err)
		}
		said = nil
		s = &target{fails: "pg_restore"}
		if err := l.Run(t.Context(), s); err == nil || err.Error() != "the database can't be restored" ||
			!slices.Contains(said, "pg_restore fails") {
			t.Errorf("%s: where it fails: %v, %q", name, err, said)
		}
		s = &target{fails: "takes"}
		if err := l.Run(t.Context(), s); err == nil || !strings.Contains(err.Error(), "\nhint: an older snapshot; ") ||
			len(s.asked) != 1 {
			t.Errorf("%s: of a newer one: %v, %q", name, err, s.asked)
		}
	}
}

func TestWhatIsNoFileInADumpIsNotRead(t *testing.T) {
	secret := filepath.Join(t.TempDir(), "shadow")
	if err := os.WriteFile(secret, []byte("root:hash\t1\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"data/toc.dat", "data.dump", "globals.sql", "globals.json", "settings.sql", "tables.tsv"} {
		folder := t.TempDir()
		if err := os.Mkdir(filepath.Join(folder, "data"), 0o700); err != nil {
			t.Fatal(err)
		}
		if name != "data.dump" {
			if err := os.WriteFile(filepath.Join(folder, "data/toc.dat"), nil, 0o600); err != nil {
				t.Fatal(err)
			}
		}
		_ = os.Remove(filepath.Join(folder, name))
		if err := os.Symlink(secret, filepath.Join(folder, name)); err != nil {
			t.Fatal(err)
		}
		err := Load{Folder: folder, Was: "mrs", Database: "new", Say: func(string) {}}.Run(t.Context(), &target{})
		if err == nil || err.Error() != name+" in the dump is no file" {
			t.Errorf("%s: %v", name, err)
		}
	}
}

func TestATableMayHaveAnEndOfALineInItsName(t *testing.T) {
	tables := []Table{{"public.\"a\n\x1b[2J\t9\"", 7}, {"public.b", 0}}
	var counted string
	for _, table := range tables {
		counted += table.line() + "\n"
	}
	if strings.Count(counted, "\n") != 2 || strings.Count(counted, "\t") != 2 || strings.Contains(counted, "\x1b") {
		t.Errorf("it is %q", counted)
	}
	if other := others(counted, tables); len(other) > 0 {
		t.Errorf("others: %q", other)
	}
}
