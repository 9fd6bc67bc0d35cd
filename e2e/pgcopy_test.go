//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
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
type database struct{ container, socket string }

// newDatabase starts one that answers.
func newDatabase(t *testing.T, name string, options ...string) database {
	t.Helper()
	d := startDatabase(t, name, options...)
	d.answers(t)
	return d
}

// startDatabase starts one, with more options of docker run's (--…) and settings
// of PostgreSQL's. Nothing of it has to outlive a crash of the machine.
func startDatabase(t *testing.T, name string, options ...string) database {
	t.Helper()
	socket, err := os.MkdirTemp("", "pg-") // t.TempDir's name can be too long for a socket
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(socket) })
	d := database{fmt.Sprintf("mrs-e2e-pg-%s-%d", name, os.Getpid()), socket}
	argv := []string{"docker", "run", "--detach", "--name", d.container, "--env=POSTGRES_PASSWORD=x", "--volume=" + d.socket + ":/var/run/postgresql"}
	server := []string{"postgres:15", "postgres", "-c", "fsync=off"}
	for _, option := range options {
		if strings.HasPrefix(option, "--") {
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
	file, err := os.CreateTemp(d.socket, "query-")
	if err != nil {
		t.Fatal(err)
	}
	defer os.Remove(file.Name())
	_, err = file.WriteString(text)
	if err := errors.Join(err, file.Chmod(0o644), file.Close()); err != nil {
		t.Fatal(err)
	}
	return must(t, "docker", "exec", d.container, "psql", "-U", "postgres", "-d", name, "-XqtA", "-v", "ON_ERROR_STOP=1", "-f", "/var/run/postgresql/"+filepath.Base(file.Name()))
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

// copy runs the agents of a copy from one of its databases to another, in this
// process.
func (d database) copy(t *testing.T, rules *anonymize.Rules, from, to string) error {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	held, release := hold(ctx, t, d.server(from, "postgres"))
	defer release()
	plan, err := fit(held, rules)
	if err != nil {
		return err
	}
	key, err := anonymize.NewKey()
	if err != nil {
		t.Fatal(err)
	}
	must(t, "docker", "exec", d.container, "bash", "-c", "pg_dump -U postgres --schema-only --section=pre-data --snapshot="+held.Snapshot+" "+from+" | psql -U postgres -qX -v ON_ERROR_STOP=1 -d "+to)
	orders := line(t, wire.Sender{Server: d.server(from, "postgres"), Snapshot: held.Snapshot, Key: key[:], Plan: *plan})
	for i, table := range plan.Tables {
		if !table.Empty {
			orders += line(t, wire.Job{Table: i})
		}
	}
	frames, sending := io.Pipe()
	go func() {
		_, _ = io.WriteString(sending, line(t, wire.Receiver{Server: d.server(to, "postgres")}))
		err := agent.Run(ctx, "send", strings.NewReader(orders), sending)
		sending.CloseWithError(err)
	}()
	var counts bytes.Buffer
	if err := agent.Run(ctx, "receive", frames, &counts); err != nil {
		return err
	}
	must(t, "docker", "exec", d.container, "bash", "-c", "pg_dump -U postgres --schema-only --section=post-data "+from+" | psql -U postgres -qX -v ON_ERROR_STOP=1 -d "+to)
	return nil
}

func TestWhateverIsInADatabaseComesAsItWasOrIsRefused(t *testing.T) {
	brief(t)
	d := newDatabase(t, "odd")
	d.sql(t, "postgres", "create database source; create database target")
	d.sql(t, "source", oddSchema)
	rules, err := anonymize.ParseRules("rules.yml", []byte("tables:\n  nothing: {}\nothers:\n  - {name: \"*\", rule: public}\n"))
	if err != nil {
		t.Fatal(err)
	}
	if err := d.copy(t, rules, "source", "target"); err != nil {
		t.Fatal(err)
	}
	dump := func(name string) string {
		return must(t, "docker", "exec", d.container, "bash", "-c", "pg_dump -U postgres --data-only "+name+" | grep -Ev '^(SELECT pg_catalog.setval|.(un)?restrict )'; pg_dump -U postgres --schema-only "+name+" | grep -Ev '^.(un)?restrict '")
	}
	source, target := strings.Split(dump("source"), "\n"), strings.Split(dump("target"), "\n")
	for i := range min(len(source), len(target)) {
		if source[i] != target[i] {
			t.Fatalf("line %d of the dump is\n%.300s\nnot\n%.300s", i, target[i], source[i])
		}
	}
	if len(source) != len(target) {
		t.Errorf("%d lines came of %d", len(target), len(source))
	}

	d.sql(t, "postgres", "create database bytes encoding 'SQL_ASCII' locale 'C' template template0")
	d.sql(t, "bytes", "create table base (a int)")
	if err := d.copy(t, rules, "bytes", "target"); err == nil || !strings.Contains(err.Error(), "SQL_ASCII") {
		t.Errorf("a database of bytes that are no letters is copied: %v", err)
	}
}
