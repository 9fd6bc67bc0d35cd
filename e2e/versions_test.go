//go:build e2e

package e2e

import (
	"os"
	"path/filepath"
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
