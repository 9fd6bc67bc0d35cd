//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/anonymize"
	"github.com/betagouv/mrs-ops/internal/pgcopy/agent"
	"github.com/betagouv/mrs-ops/internal/pgcopy/wire"
)

// oddSchema has what other databases have and MRS has not.
const oddSchema = `
create schema "Odd ""one""";
create type "Odd ""one""".mood as enum ('sad', 'ok', 'héhé, oui');
create domain "Odd ""one""".short as varchar(10) check (value <> 'never');
create table "Odd ""one"""."T able" (
  "I d" bigint generated always as identity primary key,
  "quoted ""column""" text,
  twice int generated always as (length("quoted ""column""")) stored,
  list text[], grid int[][], moods "Odd ""one""".mood[], raw bytea, kind "Odd ""one""".mood, s "Odd ""one""".short,
  doc json, docb jsonb, at timestamptz, d date, span int4range, address inet, amount numeric(10,2), real8 double precision, flag boolean, u uuid
);
insert into "Odd ""one"""."T able" ("quoted ""column""", list, grid, moods, raw, kind, s, doc, docb, at, d, span, address, amount, real8, flag, u)
select case when n % 7 = 0 then null when n % 7 = 1 then '' when n % 7 = 2 then E'\\N' when n % 7 = 3 then E'tab\tline\nback\\slash\r\b\f\v' else 'déjà 日本語 😀 ' || n end,
  array['a', null, '', 'NULL', 'with "quotes"', E'and \\ , {braces}', E'new\nline'], array[[n, 2], [3, null]], array['sad', 'héhé, oui']::"Odd ""one""".mood[],
  decode(md5(n::text), 'hex'), 'héhé, oui', 'x' || n % 100, ('{"a" : [1, "' || n || '"],   "b": null}')::json, jsonb_build_object('k', E'v\n"', 'n', n), now() - n * interval '1 hour',
  case when n % 11 = 0 then 'infinity' else date '2000-02-29' - n end, int4range(n, n + 5), '192.0.2.1', n / 3.0, 'NaN', n % 2 = 0, gen_random_uuid()
from generate_series(1, 5000) n;
create table parts (id bigserial, day date not null, who text) partition by range (day);
create table parts_old partition of parts for values from (minvalue) to ('2020-01-01');
create table parts_new partition of parts for values from ('2020-01-01') to (maxvalue) partition by list (who);
create table parts_new_a partition of parts_new for values in ('a');
create table parts_new_rest partition of parts_new default;
insert into parts (day, who) select date '2019-06-01' + n, chr(97 + n % 5) from generate_series(1, 1000) n;
create table base (a int, b text);
create table derived (c text) inherits (base);
insert into base select n, 'base' from generate_series(1, 10) n;
insert into derived select n, 'derived', 'c' from generate_series(1, 20) n;
create table nothing ();
insert into nothing default values;
create table wide (id int primary key, big text);
insert into wide select n, repeat(md5(n::text), 100000) from generate_series(1, 3) n;
create materialized view summary as select count(*) as n from base;
create view seen as select * from base;
create table kept (id int primary key, parent int references kept, t int references wide);
insert into kept select n, nullif(n / 2, 0), 1 + n % 3 from generate_series(1, 100) n;
`

// database is a PostgreSQL of the test's own, whose socket is in a folder.
type database struct {
	container, socket string
	reader            string // whom a copy reads by; empty: the superuser
}

// oddSchemaOf is oddSchema, as far as a version of PostgreSQL has it.
func oddSchemaOf(version string) string {
	var older []string
	if version == "10" {
		older = append(older,
			"  twice int generated always as (length(\"quoted \"\"column\"\"\")) stored,\n", "",
			"id bigserial, day date", "id bigserial, day date", " default;", " for values in ('b', 'c', 'd', 'e');",
			"gen_random_uuid()", "md5(n::text)::uuid")
	}
	return strings.NewReplacer(older...).Replace(oddSchema)
}

// newDatabase starts one that answers.
func newDatabase(t *testing.T, name string, options ...string) database {
	t.Helper()
	d := startDatabase(t, name, options...)
	d.answers(t)
	return d
}

// startDatabase starts one, with more options of docker run's (--…), settings of
// PostgreSQL's, and perhaps another image. Nothing of it has to outlive a crash of the machine.
func startDatabase(t *testing.T, name string, options ...string) database {
	t.Helper()
	socket, err := os.MkdirTemp("", "pg-") // t.TempDir's name can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(socket) })
	d := database{container: fmt.Sprintf("mrs-e2e-pg-%s-%d", name, os.Getpid()), socket: socket}
	argv := []string{"docker", "run", "--detach", "--name", d.container, "--env=POSTGRES_PASSWORD=x", "--volume=" + d.socket + ":/var/run/postgresql"}
	server := []string{"postgres:15", "postgres", "-c", "fsync=off"}
	for _, option := range options {
		if strings.HasPrefix(option, "postgres:") {
			server[0] = option
		} else if strings.HasPrefix(option, "--") {
			argv = append(argv, option)
		} else {
			server = append(server, "-c", option)
		}
	}
	must(t, append(argv, server...)...)
	t.Cleanup(func() { must(t, "docker", "rm", "--force", "--volumes", d.container) })
	return d
}

// answers waits until PostgreSQL does. While it sets itself up, it does not by
// TCP.
func (d database) answers(t *testing.T) {
	t.Helper()
	eventually(t, "PostgreSQL answers", func() bool {
		return run(t, nil, "docker", "exec", d.container, "pg_isready", "-qh", "127.0.0.1").status == 0
	})
}

// server is what agents are told of one of its databases.
func (d database) server(name, role string) wire.Server {
	return wire.Server{Socket: d.socket, Database: name, Role: role}
}

func (d database) sql(t *testing.T, name, text string) string {
	t.Helper()
	return d.sqlAs(t, "postgres", name, text)
}

// sqlAs is sql of a role.
func (d database) sqlAs(t *testing.T, role, name, text string) string {
	t.Helper()
	file, err := os.CreateTemp(d.socket, "query-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Chmod(0o644), file.Close()); err != nil {
		t.Fatal(err)
	}
	return must(t, "docker", "exec", d.container, "psql", "-U", role, "-d", name, "-XqtA", "-v", "ON_ERROR_STOP=1", "-f", "/var/run/postgresql/"+filepath.Base(file.Name()))
}

// line is a value as agents are told it.
func line(t *testing.T, value any) string {
	t.Helper()
	text, err := json.Marshal(value)
	if err != nil {
		t.Fatal(err)
	}
	return string(text) + "\n"
}

// hold runs the agent that holds a snapshot, in this process, until release is
// called.
func hold(ctx context.Context, t *testing.T, of wire.Server) (held wire.Held, release func()) {
	t.Helper()
	in, w := io.Pipe()
	out, said := io.Pipe()
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		said.CloseWithError(agent.Run(ctx, "hold", in, said))
	}()
	go io.WriteString(w, line(t, wire.Hold{Server: of}))
	first, err := bufio.NewReader(out).ReadBytes('\n')
	if err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal(first, &held); err != nil {
		t.Fatal(err)
	}
	return held, func() { w.Close(); <-ended }
}

// fit makes the plan of a copy by the rules.
func fit(held wire.Held, rules *anonymize.Rules) (*anonymize.Plan, error) {
	schema, err := anonymize.ParseSchema(held.Schema)
	if err != nil {
		return nil, err
	}
	return rules.Fit(schema)
}

// copy runs the agents of a copy from one of its databases to one of another's, in
// this process.
func (d database) copy(t *testing.T, rules *anonymize.Rules, from string, other database, to string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	reader := cmp.Or(d.reader, "postgres")
	held, release := hold(ctx, t, d.server(from, reader))
	defer release()
	plan, err := fit(held, rules)
	if err != nil {
		return err
	}
	key, err := anonymize.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	section := func(name string) {
		t.Helper()
		must(t, "bash", "-c", `set -o pipefail
docker exec --env PGOPTIONS="-c statement_timeout=0" "$1" pg_dump -U postgres --schema-only --section="$2" --snapshot="$3" "$4" | grep -Ev '^SET (default_table_access_method|transaction_timeout)' |
docker exec -i --env PGOPTIONS="-c statement_timeout=0" "$5" psql -U postgres -qX -v ON_ERROR_STOP=1 -d "$6"`, "bash", d.container, name, held.Snapshot, from, other.container, to)
	}
	section("pre-data")
	order := wire.Sender{Server: d.server(from, reader), Snapshot: held.Snapshot, Key: key[:], Plan: *plan}
	schema := must(t, "docker", "exec", "--env", "PGOPTIONS=-c statement_timeout=0", d.container, "pg_dump", "-U", "postgres", "--schema-only", from)
	if err := agent.Run(ctx, "structure", strings.NewReader(line(t, order)+schema), io.Discard); err != nil {
		return err
	}
	orders := line(t, order)
	for i, table := range plan.Tables {
		if !table.Empty {
			orders += line(t, wire.Job{Table: i})
		}
	}
	frames, sending := io.Pipe()
	go func() {
		_, _ = io.WriteString(sending, line(t, wire.Receiver{Server: other.server(to, "postgres")}))
		err := agent.Run(ctx, "send", strings.NewReader(orders), sending)
		sending.CloseWithError(err)
	}()
	var counts bytes.Buffer
	if err := agent.Run(ctx, "receive", frames, &counts); err != nil {
		return err
	}
	section("post-data")
	return nil
}

func TestWhateverIsInADatabaseComesAsItWasOrIsRefused(t *testing.T) {
	oneStep(t, 60*time.Second)
	rules, err := anonymize.ParseRules("rules.yml", []byte("tables:\n  nothing: {}\nothers:\n  - {name: \"*\", rule: public}\n"))
	if err != nil {
		t.Fatal(err)
	}
	servers := make([]database, len(versions))
	for i, version := range versions {
		servers[i] = startDatabase(t, "odd-"+version, "postgres:"+version)
	}
	for i, version := range versions {
		servers[i].answers(t)
		servers[i].sql(t, "postgres", "create database source; create database target")
		servers[i].sql(t, "source", oddSchemaOf(version))
	}
	newest := servers[len(servers)-1]
	for i, d := range servers {
		t.Run("PostgreSQL "+versions[i], func(t *testing.T) {
			if err := d.copy(t, rules, "source", d, "target"); err != nil {
				t.Fatal(err)
			}
			same(t, d.dump(t, "source"), d.dump(t, "target"))
		})
		if d == newest {
			continue
		}
		t.Run("PostgreSQL "+versions[i]+", to a newer one", func(t *testing.T) {
			to := "from_" + versions[i]
			newest.sql(t, "postgres", "create database "+to)
			if err := d.copy(t, rules, "source", newest, to); err != nil {
				t.Fatal(err)
			}
			const rows = `select md5(string_agg(t::text, ',' order by "I d")) from (select "I d", "quoted ""column""", list, grid, moods, raw, kind, s, doc::text, docb, at, d, span, address, amount, flag, u from "Odd ""one"""."T able") t`
			if there, here := d.sql(t, "source", rows), newest.sql(t, to, rows); there != here {
				t.Errorf("the rows are %s, not %s", here, there)
			}
		})
	}
	t.Run("settings of the database and the role change no value", func(t *testing.T) {
		d := servers[0]
		d.sql(t, "postgres", "create database spelt; create database written; create role speller superuser login")
		d.sql(t, "spelt", `create table v (id int primary key, d date, i interval, f double precision, b bytea, t timestamptz, x xml, m money, a text[], c regclass);
insert into v select n, date '1999-04-03' + n, n * interval '1 day 2 hours', 0.1 + n / 3.0, decode(md5(n::text), 'hex'), now(), '<a/>', n + 0.07, array['NULL', null], 'v' from generate_series(1, 50) n;
create table rows (id int primary key); insert into rows select generate_series(1, 10)`)
		for _, name := range []string{"spelt", "written"} {
			for _, set := range []string{"datestyle = 'SQL, DMY'", "intervalstyle = 'sql_standard'", "extra_float_digits = -10", "bytea_output = 'escape'", "timezone = 'Asia/Tokyo'", "search_path = pg_catalog", "array_nulls = off", "lc_monetary = 'C.UTF-8'",
				"statement_timeout = '1ms'", "lock_timeout = '1ms'", "idle_in_transaction_session_timeout = '1ms'"} {
				d.sql(t, "postgres", fmt.Sprintf("alter role postgres in database %s set %s", name, set))
			}
		}
		rules, err := anonymize.ParseRules("rules.yml", []byte("tables:\n  v: {id: keep, d: keep, i: keep, f: keep, b: keep, t: keep, x: keep, m: keep, a: keep, c: keep}\n  rows: {id: keep}\n"))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.copy(t, rules, "spelt", d, "written"); err != nil {
			t.Fatal(err)
		}
		const sum = "set datestyle = 'ISO'; set statement_timeout = 0; select md5(string_agg(extract(epoch from d)::text || extract(epoch from i) || encode(float8send(f), 'hex') || encode(b, 'hex') || extract(epoch from t) || m::numeric || (a[2] is null) || c::oid::regclass, ',' order by id)) from v"
		was, is := d.sqlAs(t, "speller", "spelt", sum), d.sqlAs(t, "speller", "written", sum)
		if was != is {
			t.Errorf("the values are %s, and were %s", is, was)
		}
	})
	t.Run("rows that the reader may not see are an error", func(t *testing.T) {
		d := servers[0]
		d.sql(t, "postgres", "create database hiding; create database half; create role half_blind login")
		d.sql(t, "hiding", "create table v (id int primary key); insert into v select generate_series(1, 10); grant select on v to half_blind; alter table v enable row level security; create policy p on v using (id < 5)")
		rules, err := anonymize.ParseRules("rules.yml", []byte("tables:\n  v: {id: keep}\n"))
		if err != nil {
			t.Fatal(err)
		}
		d.reader = "half_blind"
		if err := d.copy(t, rules, "hiding", d, "half"); err == nil || !strings.Contains(err.Error(), "row-level security") {
			t.Errorf("it ends with %v", err)
		}
	})
	t.Run("a database of bytes that are no letters", func(t *testing.T) {
		d := servers[0]
		d.sql(t, "postgres", "create database bytes encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C' template template0")
		d.sql(t, "bytes", "create table base (a int)")
		if err := d.copy(t, rules, "bytes", d, "target"); err == nil || !strings.Contains(err.Error(), "SQL_ASCII") {
			t.Errorf("it is copied: %v", err)
		}
	})
	t.Run("a schema with somebody in it", func(t *testing.T) {
		d := servers[len(servers)-2]
		d.sql(t, "postgres", "create database somebody; create database nowhere")
		d.sql(t, "somebody", `create table people (id int primary key, name text, mail text, nir text, note text);
insert into people select n, 'Kerviel' || n, 'jean' || n || '@orange.example', '185057512' || lpad(n::text, 4, '0'), 'Bill' from generate_series(1, 300) n`)
		rules, err := anonymize.ParseRules("rules.yml", []byte("tables:\n  people: {id: keep, name: lastName, mail: email, nir: nir, note: firstName}\n"))
		if err != nil {
			t.Fatal(err)
		}
		if err := d.copy(t, rules, "somebody", d, "nowhere"); err != nil {
			t.Fatalf("nobody is in it: %v", err)
		}
		n := 0
		for what, sql := range map[string]string{
			"comment table people":       `comment on table people is 'ask jean7@orange.example'`,
			"comment column people.name": `comment on column people.name is 'as in: Kerviel7'`,
			"table people":               `alter table people alter name set default 'Kerviel7'`,
			"check constraint people c":  `alter table people add constraint c check (name <> 'Kerviel7' or id > 0)`,
			"view seen":                  `create view seen as select * from people where name <> 'Kerviel7'`,
			"function f()":               `create function f() returns text language sql as $$ select 'kerviel7'::text $$`,
			"type word":                  `create type word as enum ('Kerviel7')`,
			"index few":                  `create index few on people (id) where nir = '1850575120007'`,
			"table part":                 `create table whole (n text) partition by list (n); create table part partition of whole for values in ('Kerviel7')`,
			"a name in the schema":       `create type "Kerviel7" as (id int)`, // of tables and columns, names are words like any
			"policy people p":            `alter table people enable row level security; create policy p on people using (name <> 'Kerviel7')`,
		} {
			name := fmt.Sprintf("somebody_%d", n)
			n++
			d.sql(t, "postgres", "create database "+name+" template somebody; create database to_"+name)
			d.sql(t, name, sql)
			more, err := anonymize.ParseRules("rules.yml", []byte("tables:\n  people: {id: keep, name: lastName, mail: email, nir: nir, note: firstName}\nothers:\n  - {name: \"*\", rule: keep}\n"))
			if err != nil {
				t.Fatal(err)
			}
			err = d.copy(t, more, name, d, "to_"+name)
			if leak, ok := errors.AsType[*anonymize.Leak](err); !ok || leak.Of.Table != "people" || !strings.Contains(err.Error(), "a real value of people.") {
				t.Errorf("%s: %v", sql, err)
			} else if strings.Contains(strings.ToLower(err.Error()), "kerviel7") || strings.Contains(err.Error(), "jean7") {
				t.Errorf("%s: the error quotes it: %v", sql, err)
			} else {
				t.Logf("%s: %v", what, err)
			}
		}
	})
}

// dump returns the lines of a database's dump.
func (d database) dump(t *testing.T, name string) []string {
	t.Helper()
	return strings.Split(must(t, "docker", "exec", d.container, "bash", "-c", "pg_dump -U postgres --data-only "+name+" | grep -Ev '^(SELECT pg_catalog.setval|.(un)?restrict )'; pg_dump -U postgres --schema-only "+name+" | grep -Ev '^.(un)?restrict '"), "\n")
}

// same compares two dumps line by line.
func same(t *testing.T, source, target []string) {
	t.Helper()
	for i := range min(len(source), len(target)) {
		if source[i] != target[i] {
			t.Fatalf("line %d of the dump is\n%.300s\nnot\n%.300s", i, target[i], source[i])
		}
	}
	if len(source) != len(target) {
		t.Errorf("%d lines came of %d", len(target), len(source))
	}
}

// unfit runs the agent that tries fakes, as a role, and returns what it says.
func (d database) unfit(t *testing.T, rules, name, role string) []wire.Unfit {
	t.Helper()
	parsed, err := anonymize.ParseRules("rules.yml", []byte(rules))
	if err != nil {
		t.Fatal(err)
	}
	held, release := hold(t.Context(), t, d.server(name, role))
	defer release()
	plan, err := fit(held, parsed)
	if err != nil {
		t.Fatal(err)
	}
	key, err := anonymize.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	order := wire.Sender{Server: d.server(name, role), Snapshot: held.Snapshot, Key: key[:], Plan: *plan}
	if err := agent.Run(t.Context(), "try", strings.NewReader(line(t, order)), &out); err != nil {
		t.Fatal(err)
	}
	var all []wire.Unfit
	for lines := json.NewDecoder(&out); lines.More(); {
		var u wire.Unfit
		if err := lines.Decode(&u); err != nil {
			t.Fatal(err)
		}
		all = append(all, u)
	}
	return all
}

// demanding has a column for each way to refuse a fake.
const demanding = `
create domain word as text constraint lively check (value <> '' and value !~ 'yx');
create function doubts(t text) returns boolean language plpgsql immutable as $$begin if t ~ 'yx' then raise exception 'what is %?', t; end if; return true; end$$;
create function hidden(t text) returns boolean language sql immutable as 'select false';
revoke execute on function hidden(text) from public;
create table people (id int primary key, name text constraint short check (name !~ 'zyx$'), "First name" word, code text, note text, born date, other text,
  constraint grown check (born < '1991-01-01' or id < 0), constraint fine check (length(other) < 90),
  constraint doubted check (doubts(note)), constraint secret check (hidden(other) or true));
create index numbered on people ((code::int)) where code <> '';
create table days (day date not null, who text) partition by range (day);
create table days_1 partition of days for values from ('1990-01-01') to ('1990-01-02');
insert into people select n, 'Le ' || n, 'Jean', n, 'Bon' || n, date '1990-12-31' - n % 100, 'x' || n from generate_series(1, 500) n;
insert into days select '1990-01-01', 'x' from generate_series(1, 9);
alter table people add constraint old check (other = '') not valid;
create role looks login; grant select on all tables in schema public to looks;
`

func TestFakesThatAConstraintRefusesAreNamedBeforeTheCopy(t *testing.T) {
	oneStep(t, 10*time.Second)
	const rules = `tables:
  people: {id: keep, name: lastName, First name: firstName, code: fullName, note: fullName, born: birthDate, other: hash}
  days: {day: birthDate, who: keep}
`
	want := []string{
		`{"schema":"public","table":"days_1","columns":["day"],"what":"bounds of the partition","name":"days_1","rows":9,"of":9}`,
		`{"schema":"public","table":"people","columns":["First name"],"what":"type word","name":"lively","raised":true,"of":500}`,
		`{"schema":"public","table":"people","columns":["born"],"what":"constraint","name":"grown","rows":500,"of":500}`,
		`{"schema":"public","table":"people","columns":["code"],"what":"index","name":"numbered","raised":true,"of":500}`,
		`{"schema":"public","table":"people","columns":["name"],"what":"constraint","name":"short","rows":500,"of":500}`,
		`{"schema":"public","table":"people","columns":["note"],"what":"constraint","name":"doubted","raised":true,"of":500}`,
	}
	servers := map[string]database{}
	for _, version := range versions {
		servers[version] = startDatabase(t, "try-"+version, "postgres:"+version)
	}
	for version, d := range servers {
		t.Run("PostgreSQL "+version, func(t *testing.T) {
			d.answers(t)
			d.sql(t, "postgres", demanding)
			want := slices.Clone(want)
			if version != "10" {
				d.sql(t, "postgres", "alter table people add twice int generated always as (code::int * 2) stored")
				want = append(want, `{"schema":"public","table":"people","columns":["code"],"what":"generated column","name":"twice","raised":true,"of":500}`)
			}
			var got []string
			for _, u := range d.unfit(t, rules, "postgres", "looks") {
				if u.Name == "grown" && u.Rows > 0 { // some days move beyond it
					u.Rows = u.Of
				}
				got = append(got, strings.TrimSpace(line(t, u)))
			}
			slices.Sort(got)
			slices.Sort(want)
			if !slices.Equal(got, want) {
				t.Errorf("it says\n%s\nnot\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
			}
			if all := d.unfit(t, strings.NewReplacer("lastName", "keep", "firstName", "keep", "fullName", "keep", "birthDate", "keep").Replace(rules), "postgres", "looks"); len(all) > 0 {
				t.Errorf("what fits is refused: %+v", all)
			}
		})
	}
}
