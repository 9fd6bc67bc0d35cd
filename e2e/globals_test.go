//go:build e2e

package e2e

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/betagouv/mrs-ops/internal/hostside/globals"
)

// beside is what a database has that is not in its archive, as far as every version has it; {super} is the superuser.
const beside = `
create role reader login password 'hush-of-reader' connection limit 7 valid until '2031-05-06 07:08:09+02' in role pg_monitor;
create role "Odd ""one"" \ $x é; drop" nologin noinherit;
comment on role "Odd ""one"" \ $x é; drop" is E'it''s \\ odd;\nvery';
create role keeper createrole createdb password 'hush-of-keeper';
create role owning;
create role leaves;
grant reader to "Odd ""one"" \ $x é; drop" with admin option;
grant owning to {super};
set role "Odd ""one"" \ $x é; drop"; grant reader to keeper; reset role;
alter role reader set work_mem to '7MB';
alter role reader set search_path to "$user", "Odd, ""one""", public;
alter role reader set app.key to E'hush-of-app \\ ''';
alter role {super} set work_mem to '9MB';
create database mrs owner owning template template0 encoding 'UTF8' lc_collate 'C' lc_ctype 'C.UTF-8';
alter database mrs set statement_timeout to '61s';
alter database mrs set search_path to public, "$user";
alter database mrs set datestyle to 'SQL, DMY';
alter role reader in database mrs set statement_timeout to '5s';
alter role {super} in database mrs set default_transaction_read_only to on;
alter database mrs connection limit 42;
comment on database mrs is E'it''s \\ é;\nhers';
revoke connect, temporary on database mrs from public;
grant connect on database mrs to reader with grant option;
set role reader; grant connect on database mrs to keeper; reset role`

// inside is what goes with the archive, but for what the schema public is made with.
const inside = `
set default_transaction_read_only = off;
alter default privileges for role owning grant select on tables to reader;
alter default privileges for role owning revoke execute on functions from public;
revoke create on schema public from public;
grant create on schema public to reader;
create table t (a int);
insert into t values (1);
alter table t owner to owning`

// since is what versions after 10 have.
var since = map[string]string{
	"15": "grant set on parameter log_min_messages to reader with grant option; grant pg_read_all_data to reader",
	"17": `grant pg_read_all_data to reader; grant owning to keeper with inherit false, set false;
grant owning to reader with admin true, inherit false; grant set on parameter work_mem to reader`,
}

// open opens a session of one of its databases.
func (d database) open(t *testing.T, name string) *pgx.Conn {
	t.Helper()
	pg, err := pgx.Connect(t.Context(), fmt.Sprintf("host=%s user=postgres dbname=%s", d.socket, name))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { pg.Close(t.Context()) })
	return pg
}

// facts are those of one of its databases.
func (d database) facts(t *testing.T, name string) *globals.Facts {
	t.Helper()
	facts, err := globals.Read(t.Context(), d.open(t, name))
	if err != nil {
		t.Fatal(err)
	}
	return facts
}

// has makes, on a server, the database mrs and all that is beside it.
func (d database) has(t *testing.T, version string) {
	t.Helper()
	d.sql(t, "postgres", strings.ReplaceAll(beside, "{super}", "postgres"))
	d.sql(t, "postgres", since[version])
	d.sql(t, "mrs", inside)
}

// restores restores the database mrs of another server, as restore.sh does, and returns what was said, and what differs.
func (d database) restores(t *testing.T, from database, facts *globals.Facts) (said, differences []string) {
	t.Helper()
	ctx := t.Context()
	hear := func(more []string, err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
		said = append(said, more...)
	}
	roles := must(t, "docker", "exec", from.container, "pg_dumpall", "-U", "postgres", "--globals-only")
	dump, err := globals.ReadDump(strings.NewReader(roles))
	if err != nil {
		t.Fatal(err)
	}
	rows := must(t, "docker", "exec", from.container, "pg_dump", "-U", "postgres", "mrs")
	hear(dump.Roles(ctx, d.open(t, "postgres")))
	hear(facts.Create(ctx, d.open(t, "postgres"), "mrs_beside"))
	before := len(said)
	d.sql(t, "mrs_beside", rows)
	pg := d.open(t, "mrs_beside")
	hear(facts.Bring(ctx, pg))
	pg.Close(ctx)
	d.sql(t, "postgres", "alter database mrs_beside rename to mrs")
	again, err := dump.Roles(ctx, d.open(t, "postgres"))
	if err != nil || len(again) != 0 {
		t.Errorf("a second time: %q, %v", again, err)
	}
	pg = d.open(t, "mrs")
	again, err = facts.Bring(ctx, pg)
	if err != nil || len(again) != len(said)-before {
		t.Errorf("what is refused a second time is %q, %v", again, err)
	}
	differences, err = facts.Settle(ctx, pg)
	if err != nil {
		t.Fatal(err)
	}
	return said, differences
}

// passwords are those of two roles, as they are kept.
const passwords = `select string_agg(rolname || rolpassword, ' ' order by rolname) from pg_authid
where rolname in ('reader', 'keeper')`

// besideData are the versions of a PostgreSQL and of one that has all of it afterwards.
type besideData struct{ from, to string }

// Production's, the newest, and the way there; the campaign has others.
func TestNothingIsLostOfWhatADatabaseHadBesideItsData(t *testing.T) {
	on(t, here, 30*time.Second)
	keepsWhatIsBesideData(t, besideData{"10", "10"}, besideData{"10", "17"}, besideData{"17", "17"})
}

func keepsWhatIsBesideData(t *testing.T, all ...besideData) {
	for _, c := range all {
		step(t, "from PostgreSQL "+c.from+" to "+c.to, func(t *testing.T) {
			loud := []string{"log_statement=all", "log_min_duration_statement=0"}
			from := newDatabase(t, "was"+c.from, "postgres:"+c.from)
			to := newDatabase(t, "is"+c.to, append(loud, "postgres:"+c.to)...)
			from.has(t, c.from)
			own := to.sql(t, "postgres", "select rolpassword from pg_authid where oid = 10")
			to.sql(t, "postgres", "create role leaves login") // is there already, and another
			said, differences := to.restores(t, from, from.facts(t, "mrs"))
			for _, name := range []string{"reader", `Odd "one" \ $x é; drop`, "keeper", "owning"} {
				if want := "made the role " + name + ", which the snapshot has"; !slices.Contains(said, want) {
					t.Errorf("it does not say %q: %q", want, said)
				}
			}
			if len(said) != 4 {
				t.Errorf("it says %q", said)
			}
			if want := []string{"the role leaves: LOGIN was not there"}; !slices.Equal(differences, want) {
				t.Errorf("it differs in\n%s", strings.Join(differences, "\n"))
			}
			if was, is := from.sql(t, "postgres", passwords), to.sql(t, "postgres", passwords); was != is || was == "" {
				t.Error("passwords are not what they were")
			}
			if now := to.sql(t, "postgres", "select rolpassword from pg_authid where oid = 10"); now != own {
				t.Error("the superuser has another password")
			}
			if got := to.sql(t, "mrs", "select a from public.t"); got != "1" {
				t.Errorf("there are the rows %q", got)
			}
			for _, secret := range []string{"SCRAM-SHA-256$", "hush-of", "md5"} {
				if log := run(t, nil, "docker", "logs", to.container).output; strings.Contains(log, secret) {
					t.Errorf("the server's log has %s", secret)
				}
			}
		})
	}
}

func TestWhatCanNotComeBackIsSaidAndTheRestDoes(t *testing.T) {
	on(t, here, 6*time.Second)
	from, to := newDatabase(t, "said15", "postgres:15"), newDatabase(t, "said17", "postgres:17")
	from.has(t, "15")
	facts := from.facts(t, "mrs")
	facts.Database.Collate, facts.Database.Ctype = "xx_XX.utf8", "xx_XX.utf8"
	facts.Database.Tablespace = "fast"
	gone := globals.Setting{Name: "operator_precedence_warning", Value: "on"}
	facts.Database.Settings = append(facts.Database.Settings, gone)
	facts.Members = append(facts.Members, globals.Member{Role: "pg_of_tomorrow", Member: "reader"})
	granted := globals.Grant{Grantor: "gone", Grantee: "reader", Privilege: "TEMPORARY"}
	facts.Database.Grants = append(facts.Database.Grants, granted)
	said, differences := to.restores(t, from, facts)
	for _, want := range []string{
		"the locale of the database, xx_XX.utf8, is not on this server",
		"the setting operator_precedence_warning is not restored: unrecognized configuration parameter",
		`TEMPORARY of reader is not restored: role "gone" does not exist`,
	} {
		if !slices.ContainsFunc(said, func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("it does not say %q:\n%s", want, strings.Join(said, "\n"))
		}
	}
	for _, want := range []string{
		"LC_COLLATE is ", "the tablespace is pg_default, and was fast", "the setting operator_precedence_warning is gone",
		"not granted any more: membership of reader in pg_of_tomorrow",
		"not granted any more: TEMPORARY on the database to reader, by gone",
	} {
		if !slices.ContainsFunc(differences, func(line string) bool { return strings.HasPrefix(line, want) }) {
			t.Errorf("it does not list %q:\n%s", want, strings.Join(differences, "\n"))
		}
	}
	if len(differences) != 6 { // LC_CTYPE, too
		t.Errorf("it differs in\n%s", strings.Join(differences, "\n"))
	}
}

func TestADatabaseSortsAsItDidWhateverSaysHow(t *testing.T) {
	on(t, here, 4*time.Second)
	d := newDatabase(t, "sorts", "postgres:17")
	for i, how := range []string{
		"encoding 'LATIN1' lc_collate 'C' lc_ctype 'C'",
		"encoding 'SQL_ASCII' lc_collate 'C' lc_ctype 'C'",
		"encoding 'UTF8' locale_provider libc lc_collate 'C.UTF-8' lc_ctype 'C'",
		"encoding 'UTF8' locale_provider icu icu_locale 'fr-u-ks-level2' locale 'C.UTF-8'",
		"encoding 'UTF8' locale_provider icu icu_locale 'und' icu_rules '&a < b <<< ''c''' locale 'C.UTF-8'",
		"encoding 'UTF8' locale_provider builtin builtin_locale 'C.UTF-8' locale 'C'",
	} {
		name, copied := fmt.Sprintf("sorts%d", i), fmt.Sprintf("copy%d", i)
		d.sql(t, "postgres", "create database "+name+" template template0 "+how)
		was := d.facts(t, name)
		if said, err := was.Create(t.Context(), d.open(t, "postgres"), copied); err != nil || len(said) != 0 {
			t.Errorf("%s: %q, %v", how, said, err)
			continue
		}
		if differences := globals.Differences(was, d.facts(t, copied)); len(differences) != 0 {
			t.Errorf("%s differs in %q", how, differences)
		}
	}
	was := *d.facts(t, "sorts0")
	was.Database.Encoding = "EBCDIC"
	if _, err := was.Create(t.Context(), d.open(t, "postgres"), "lost"); err == nil || !strings.Contains(err.Error(), "with encoding EBCDIC") {
		t.Errorf("with another encoding: %v", err)
	}
}
