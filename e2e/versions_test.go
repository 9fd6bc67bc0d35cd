//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// Production's; the campaign tries all of them, and is thorough.
func TestAnInstanceKeepsTheVersionOfItsPostgreSQL(t *testing.T) {
	on(t, here, 70*time.Second)
	step(t, "PostgreSQL "+versions[0], func(t *testing.T) { keepsItsVersion(t, versions[0], false) })
}

// keepsItsVersion fails the test unless backups of an instance with a version of PostgreSQL come back on it, and on
// the newest, and no other meets its data. Where it is thorough, one is drilled, and one of the newest version is
// refused: what archives say of their version is in the tests of internal/hostside/pgversion, as PostgreSQL wrote it.
func keepsItsVersion(t *testing.T, version string, thorough bool) {
	newest := versions[len(versions)-1]
	mrs := newInstance(t, "mrs-pg"+version, 8770)
	repository := filepath.Join(t.TempDir(), "restic")
	mrs.env = append(mrs.env, "RESTIC_PASSWORD=of-all-versions", "RESTIC_REPOSITORY="+repository)
	of := func(version string) string { return "compose_postgres_image=postgres:" + version }
	script := func(words ...string) result {
		t.Helper()
		words[0] = filepath.Join(mrs.home, words[0])
		return run(t, nil, words...)
	}
	good := func(words ...string) {
		t.Helper()
		if r := script(words...); r.status != 0 || strings.Contains(r.output, "not as it was backed up") {
			t.Fatalf("%v: exit status %d\n%s", words, r.status, r.output)
		}
	}
	const people = `select count(*), (select string_agg(setting, ' ') from pg_settings where name = 'work_mem'),
(select datconnlimit from pg_database where datname = current_database()), has_database_privilege('reader', current_database(), 'connect'),
pg_has_role('reader', 'pg_monitor', 'member') from person_person`
	is := func(want string) {
		t.Helper()
		if got := mrs.sql(t, "show server_version_num"); !strings.HasPrefix(got, want) {
			t.Errorf("it is PostgreSQL %s, not %s", got, want)
		}
	}
	mrs.mustDeploy(t, of(version))
	is(version)
	mrs.sql(t, "alter database mrs set work_mem = '7MB'; alter database mrs connection limit 55; revoke connect on database mrs from public; create role reader in role pg_monitor")
	mrs.compose(t, "exec", "-T", "django", "mrs", "seed", "50")
	was := mrs.sql(t, people)
	good("backup.sh")
	if thorough {
		good("drill.sh")
	}
	id := mrs.lastSnapshot(t)

	refused := func(r result) {
		t.Helper()
		for _, want := range []string{"postgres:" + newest + " is PostgreSQL " + newest, "is of PostgreSQL " + version, "hint: compose_postgres_image=postgres:" + version + " "} {
			if r.status == 0 || !strings.Contains(r.output, want) {
				t.Errorf("%q is missing: exit status %d\n%s", want, r.status, r.output)
			}
		}
	}
	running := mrs.compose(t, "ps", "--quiet")
	r := mrs.deploy(t, of(newest))
	refused(r)
	if !strings.Contains(r.output, "deploy was not done: postgres:"+newest+" is PostgreSQL") {
		t.Errorf("what failed is not said with its reason:\n%s", r.output)
	}
	file := filepath.Join(mrs.home, "docker-compose.yml")
	text := readFile(t, file)
	if err := os.WriteFile(file, []byte(strings.Replace(string(text), "postgres:"+version, "postgres:"+newest, 1)), 0o600); err != nil {
		t.Fatal(err)
	}
	refused(script("restore.sh", id))
	if err := os.WriteFile(file, text, 0o600); err != nil {
		t.Fatal(err)
	}
	if now := mrs.compose(t, "ps", "--quiet"); now != running {
		t.Error("containers were replaced")
	}

	mrs.compose(t, "exec", "-T", "django", "mrs", "seed", "5")
	good("restore.sh", id)
	if now := mrs.sql(t, people); now != was {
		t.Errorf("there is %s, not %s", now, was)
	}

	// A new server: it has neither the role nor what was set.
	must(t, mage, "local:destroy", "-home="+mrs.home, "-yes")
	mrs.mustDeploy(t, of(newest))
	good("restore.sh", id)
	is(newest)
	if now := mrs.sql(t, people); now != was {
		t.Errorf("on PostgreSQL %s there is %s, not %s", newest, now, was)
	}
	good("backup.sh")
	if !thorough {
		return
	}
	newer := mrs.lastSnapshot(t)
	must(t, mage, "local:destroy", "-home="+mrs.home, "-yes")
	mrs.mustDeploy(t, of(version))
	r = script("restore.sh", newer)
	for _, want := range []string{"it was dumped from PostgreSQL " + newest, "which PostgreSQL " + version, "a dump goes to the same version, or a newer one", "nothing was restored"} {
		if r.status == 0 || !strings.Contains(r.output, want) {
			t.Errorf("%q is missing: exit status %d\n%s", want, r.status, r.output)
		}
	}
	good("restore.sh", id)
}

// lastSnapshot returns the id of the instance's newest snapshot.
func (i *instance) lastSnapshot(t *testing.T) string {
	t.Helper()
	lines := strings.Split(strings.TrimSpace(must(t, filepath.Join(i.home, "restore.sh"))), "\n")
	id, _, _ := strings.Cut(lines[len(lines)-1], " ")
	return id
}

func TestAnUpgradeOfPostgreSQLKeepsEveryRowAndGoesBack(t *testing.T) {
	on(t, here, 130*time.Second)
	step(t, "of fifty people", func(t *testing.T) { upgrades(t, 50, "15") })
}

// odd is what a database has beside the application's tables, which an upgrade keeps.
const odd = `create role reader login password 'x' in role pg_monitor; alter role reader set work_mem to '6MB';
create table person_odd (id bigserial primary key, n int generated by default as identity, "Né ""x""" varchar(9) check ("Né ""x""" in ('a', 'b')),
  person_id int references person_person (id) deferrable initially deferred, data jsonb, at timestamptz default now());
insert into person_odd ("Né ""x""", data) select 'a', '{"k": [1, null]}' from generate_series(1, 100);
set constraints all immediate; alter table person_odd drop column n; grant select ("Né ""x""") on person_odd to reader; grant update on person_person to reader;
create index lower_odd on person_odd (lower("Né ""x""")) where id > 7;
create view odd_view as select p.id, count(*) from person_odd p group by p.id; create type mood as enum ('sad', 'ok');
create function odd(a int) returns int language plpgsql as $$begin return a; end$$; revoke execute on function odd(int) from public;
select setval('person_odd_id_seq', 7777, false); select lo_from_bytea(0, 'hello'::bytea);
alter database mrs set work_mem = '7MB'; alter database mrs connection limit 55`

// upgrades fails the test unless an instance with so many people goes from PostgreSQL 10 to each of some newer ones, and
// back from the last, with all that it had, by columns, is undone where it is ended, and its image is what deployments
// take from then on.
func upgrades(t *testing.T, people int, newer ...string) {
	mrs := newInstance(t, "mrs-upgrade", 8771)
	mrs.env = append(mrs.env, "RESTIC_PASSWORD=of-upgrades", "RESTIC_REPOSITORY="+filepath.Join(t.TempDir(), "restic"))
	of := func(version string) string { return "compose_postgres_image=postgres:" + version }
	script := func(words ...string) result {
		return run(t, nil, append([]string{mrs.home + "/restore.sh"}, words...)...)
	}
	says := func(r result, good bool, wants ...string) {
		t.Helper()
		for _, want := range wants {
			if (r.status == 0) != good || !strings.Contains(r.output, want) {
				t.Fatalf("%q is missing: exit status %d\n%s", want, r.status, r.output)
			}
		}
		t.Logf("exit status %d\n%s", r.status, r.output)
	}
	is := func(version, was string) {
		t.Helper()
		if now := mrs.sql(t, "show server_version"); !strings.HasPrefix(now, version+".") {
			t.Errorf("it is PostgreSQL %s, not %s", now, version)
		}
		if now := mrs.sums(t); now != was {
			t.Errorf("on PostgreSQL %s there is\n%s\nand was\n%s", version, now, was)
		}
		if status, _ := mrs.get(t, "localhost", "/"); status != 200 {
			t.Errorf("on PostgreSQL %s it answers %d", version, status)
		}
	}
	mrs.mustDeploy(t, of("10"))
	mrs.sql(t, odd)
	mrs.sql(t, "alter system set max_connections = 77")
	mrs.compose(t, "restart", "postgres")
	mrs.compose(t, "up", "--detach", "--wait")
	mrs.compose(t, "exec", "-T", "django", "mrs", "seed", strconv.Itoa(people))
	was := mrs.sums(t)

	mrs.sql(t, "create database other")
	says(script("upgrade", "postgres:15"), false, "other is another database, which would stay behind", "is as it was before")
	mrs.sql(t, "drop database other")
	says(script("upgrade", "postgres:10"), false, "postgres:10 is PostgreSQL 10, no newer one than 10")
	says(script("upgrade", "back"), false, "there is no way back")
	target := func(words ...string) result {
		return run(t, append(mrs.env, "home="+mrs.home), append([]string{mage, "ops:upgradePostgres", "local"}, words...)...)
	}
	says(target("-image=postgres:15", "-dryRun"), true, "rehearse it beside what runs", "a rehearsal beside what runs, of about")
	is("10", was)

	versions := append([]string{"10"}, newer...)
	before := versions[len(versions)-2]
	for n, to := range newer {
		says(target("-image=postgres:"+to, "-yes"), true, "rehearsed: from now on the site is away for about", "the site was away for",
			"the env file is to say compose_postgres_image=postgres:"+to, "kept as it was: "+mrs.home+"/postgres-data.")
		is(to, was)
		if r := mrs.deploy(t, of("10")); r.status == 0 || !strings.Contains(r.output, "hint: compose_postgres_image=postgres:"+to+" ") {
			t.Errorf("the old image is not refused: exit status %d\n%s", r.status, r.output)
		}
		if changed := mrs.mustDeploy(t, of(to)); changed != 0 {
			t.Errorf("what runs is not what the env file says: changed=%d", changed)
		}
		mrs.compose(t, "exec", "-T", "django", "mrs", "migrate")
		if n < len(newer)-1 {
			continue
		}
		mrs.compose(t, "exec", "-T", "django", "mrs", "seed", "3")
		says(script("upgrade", "back"), false, "rows were written since the upgrade, in ", "hint: with -lose they are lost")
		says(script("upgrade", "back", "lose"), true, "they are in snapshot ", "the env file is to say compose_postgres_image=postgres:"+before)
		is(before, was)
	}
	if now := must(t, "sh", "-c", "cat "+mrs.home+"/spooler/* 2>/dev/null; ls -d "+mrs.home+"/.restore* 2>/dev/null || true"); now != "" {
		t.Errorf("left is %s", now)
	}
	for _, path := range strings.Fields(must(t, "sh", "-c", "ls -d "+mrs.home+"/postgres-data.*")) {
		says(script("discard", strings.TrimPrefix(filepath.Ext(path), ".")), true, "is removed")
	}
	is(before, was)
}

// sums are those of each column of the instance's tables, the places of its sequences, who may what, and what is set.
func (i *instance) sums(t *testing.T) string {
	t.Helper()
	query := i.sql(t, `select string_agg(format('select %L, count(*), md5(string_agg(md5(coalesce(%I::text, '''')), '','' order by md5(coalesce(%I::text, ''''))))
 from %I.%I', table_name || '.' || column_name, column_name, column_name, table_schema, table_name), ' union all ' order by table_name, column_name)
 from information_schema.columns join information_schema.tables using (table_schema, table_name)
 where table_schema = 'public' and table_type = 'BASE TABLE' and table_name !~ 'session|djcall'`)
	sequences := i.sql(t, `select string_agg(format('select %L, last_value, is_called from %I.%I', sequencename, schemaname, sequencename), ' union all ' order by sequencename) from pg_sequences`)
	// With many rows PostgreSQL counts the parts beside each other, and tells them in no order.
	return strings.Join([]string{i.sql(t, strings.TrimSpace(query)+" order by 1, 2, 3"), i.sql(t, strings.TrimSpace(sequences)), i.sql(t, `select has_column_privilege('reader', 'person_odd', 'Né "x"', 'select'),
has_column_privilege('reader', 'person_odd', 'data', 'select'), has_table_privilege('reader', 'person_person', 'update'), pg_has_role('reader', 'pg_monitor', 'member'),
has_schema_privilege('reader', 'public', 'create'), has_function_privilege('reader', 'odd(int)', 'execute'), current_setting('work_mem'), current_setting('max_connections'),
(select datconnlimit from pg_database where datname = 'mrs'), (select convert_from(lo_get(oid), 'utf8') from pg_largeobject_metadata),
(select count(*) from pg_constraint where convalidated and contype <> 'n' and conrelid >= 16384), (select count(*) from pg_index join pg_class c on c.oid = indexrelid where indisvalid and relnamespace = 'public'::regnamespace),
(select string_agg(left(rolpassword, 50), ' ' order by rolname) from pg_authid where rolpassword is not null)`)}, "")
}
