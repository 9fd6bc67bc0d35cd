//go:build e2e

package e2e

import (
	"bufio"
	"encoding/base64"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
	"unicode"
)

// copiedPeople is how many production has when it is copied, MRS_COPIED_PEOPLE or 24,000: enough for every
// phase of a copy to be met. What a copy of 600,000 costs, mage bench:copy says.
var copiedPeople = func() int {
	if n, err := strconv.Atoi(os.Getenv("MRS_COPIED_PEOPLE")); err == nil {
		return n
	}
	return 24_000
}()

// sql runs SQL in the database of an instance's project, and returns what it
// prints.
func (l rehearsal) sql(t *testing.T, machine, database, query string) string {
	t.Helper()
	return l.sh(t, machine, "docker exec -i mrs-"+machine+"-postgres-1 psql -U django -d "+database+" -v ON_ERROR_STOP=1 -XqtA <<'SQL'\n"+query+"\nSQL")
}

// left lists the databases of staging that copies have made and not removed.
func (l rehearsal) left(t *testing.T) string {
	t.Helper()
	return l.sql(t, "staging", "postgres", `select datname from pg_database where datname like '%\_copy\_%'`)
}

// site sums up what a site shows of people and requests.
const site = `select count(*), md5(string_agg(md5(t::text), '' order by id)) from person_person t
union all select count(*), md5(string_agg(md5(t::text), '' order by id)) from mrsrequest_mrsrequest t`

// real is what is personal in production: each word of a name, each address,
// each number, in one form, and the beginning of each text.
type real map[string]string

// personal are the columns of demo/schema.tsv that are, as table.column, but for days: every one is somebody's.
func personal(t *testing.T) (columns []string) {
	t.Helper()
	for _, line := range strings.Split(string(readFile(t, filepath.Join(root, "demo/schema.tsv"))), "\n") {
		if f := strings.Split(line, "\t"); len(f) > 6 && f[6] == "y" && f[2] != "date" {
			columns = append(columns, f[0]+"."+f[1])
		}
	}
	if len(columns) < 25 {
		t.Fatalf("there are %d personal columns", len(columns))
	}
	return columns
}

// learn adds the values of a column. Of documents it is those of persons, wherever they are.
func (r real) learn(t *testing.T, l rehearsal, column string) {
	t.Helper()
	table, name, _ := strings.Cut(column, ".")
	values, kind := name+"::text", "text"
	switch {
	case strings.Contains(name, "email"):
		kind = "address"
	case name == "nir" || name == "number":
		kind = "number"
	case strings.HasSuffix(name, "name") && name != "filename":
		kind = "name"
	case slices.Contains([]string{"password", "session_key", "session_data", "kwargs", "token", "pel"}, name):
		kind = "secret"
	case name == "data":
		for key, kind := range map[string]string{"nir": "number", "email": "address", "first_name": "name", "last_name": "name"} {
			r.add(kind, l.sql(t, "production", "mrs", fmt.Sprintf(`with recursive all_of(k, v) as (
  select e.key, e.value from %s, jsonb_each(case jsonb_typeof(data) when 'object' then data else '{}' end) e
  union all
  select coalesce(e.key, k), e.value from all_of, lateral (
    select key, value from jsonb_each(case jsonb_typeof(v) when 'object' then v else '{}' end)
    union all select null, value from jsonb_array_elements(case jsonb_typeof(v) when 'array' then v else '[]' end)) e)
select distinct v #>> '{}' from all_of where k = '%s' and jsonb_typeof(v) in ('string', 'number')`, table, key)))
		}
		return
	}
	if r.add(kind, l.sql(t, "production", "mrs", fmt.Sprintf("select distinct %s from %s where %[1]s > ''", values, table))) == 0 {
		t.Errorf("production has nothing in %s", column)
	}
}

// add adds values, a line each, and returns how many.
func (r real) add(kind, values string) (n int) {
	for _, v := range strings.Split(values, "\n") {
		v = strings.ToLower(v)
		switch kind {
		case "number":
			if v = bare(v); len(v) < 7 {
				n++ // an agent's, which many a row's number is too
				continue
			}
		case "secret":
			if v = v[:min(len(v), 40)]; len(v) < 12 {
				continue // nothing, pickled
			}
		case "text":
			words := strings.FieldsFunc(v, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
			if len(words) < textWords {
				continue // a label, or a name that is learnt as such
			}
			v = strings.Join(words[:textWords], " ")
		}
		if len([]rune(v)) > 2 {
			r[v] = kind
			n++
		}
	}
	return n
}

// textWords is how many words of a text are told from those of another.
const textWords = 5

func bare(s string) string { return spacing.Replace(s) }

// tokens calls meet with what stands together in a line.
func tokens(line string, together func(c byte) bool, meet func(token string, from, to int)) {
	for i := 0; i < len(line); {
		from := i
		for i < len(line) && together(line[i]) {
			i++
		}
		if i > from {
			meet(line[from:i], from, i)
		}
		i++
	}
}

// hash says whether a line's part is in the middle of a hash or a token, where any three letters may be together.
func hash(line string, from, to int) bool {
	together := func(c byte) bool { return letter(c) && c < 0x80 || digit(c) || c == '+' || c == '/' || c == '=' }
	for from > 0 && together(line[from-1]) {
		from--
	}
	for to < len(line) && together(line[to]) {
		to++
	}
	return to-from >= 16 && strings.ContainsAny(line[from:to], "0123456789")
}

func letter(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= 0x80 || c == '\''
}
func digit(c byte) bool { return c >= '0' && c <= '9' }

// in returns what of it a text has, up to 20 of it, each with what is around it.
func (r real) in(text io.Reader) (found []string, lines int, err error) {
	scanner := bufio.NewScanner(text)
	scanner.Buffer(nil, 1<<24)
	seen := map[string]bool{}
	for scanner.Scan() && len(found) < 20 {
		lines++
		for _, line := range append(decoded(scanner.Text()), scanner.Text()) {
			r.line(line, func(s string) {
				if r[s] != "" && !seen[s] {
					seen[s] = true
					at := max(strings.Index(strings.ToLower(line), s), 0)
					found = append(found, s+" in "+line[min(max(at-60, 0), len(line)):min(at+60, len(line))])
				}
			})
		}
	}
	return found, lines, scanner.Err()
}

var (
	wrapped  = strings.NewReplacer(`\\n`, "", `\n`, "")
	inBase64 = regexp.MustCompile(`[A-Za-z0-9+/]{16,}={0,2}`)
	spacing  = strings.NewReplacer(" ", "", ".", "", "-", "")
)

// decoded is what else a line says: unescaped, and what is in base64 in it.
func decoded(line string) (more []string) {
	for _, word := range inBase64.FindAllString(wrapped.Replace(line), -1) {
		if text, err := base64.StdEncoding.DecodeString(word); err == nil {
			more = append(more, string(text))
		}
	}
	if strings.Contains(line, `\u`) {
		if text, err := strconv.Unquote(`"` + strings.NewReplacer(`\\u`, `\u`, `\`, `\\`, `"`, `\"`).Replace(line) + `"`); err == nil {
			more = append(more, text)
		}
	}
	return more
}

// line calls meet with whatever in a line may be somebody's.
func (r real) line(line string, meet func(string)) {
	line = strings.ReplaceAll(line, `\n`, " ")
	lower := strings.ToLower(line)
	words := strings.FieldsFunc(lower, func(c rune) bool { return !unicode.IsLetter(c) && !unicode.IsDigit(c) })
	for i := range len(words) - textWords + 1 {
		meet(strings.Join(words[i:i+textWords], " "))
	}
	for _, field := range strings.Split(lower, "\t") {
		meet(field[:min(len(field), 40)]) // a secret
	}
	before := ""
	tokens(lower, func(c byte) bool { return letter(c) || c == '-' }, func(word string, from, to int) {
		word = strings.Trim(word, "-")
		if len(word) > 4 || !hash(lower, from, to) {
			meet(word)
		}
		meet(before + " " + word)
		before = word
	})
	tokens(lower, func(c byte) bool { return letter(c) || digit(c) || strings.IndexByte("@._+-", c) >= 0 }, func(word string, _, _ int) {
		if strings.IndexByte(word, '@') > 0 {
			meet(word)
		}
	})
	tokens(line, func(c byte) bool { return digit(c) || c == ' ' || c == '.' || c >= 'A' && c <= 'Z' }, func(number string, from, to int) {
		hex := func(i int) bool { return i >= 0 && i < len(line) && (line[i] == '-' || letter(line[i])) }
		if len(number) > 8 && !hex(from-1) && !hex(to) { // and no part of a UUID
			meet(strings.ToLower(bare(number)))
		}
	})
}

// works fails the test unless dev can do on staging what it is there for: the number of a request finds it, its
// attachment opens as a placeholder, the statistics and the persons are there, by the fakes of their documents too.
func (l rehearsal) works(t *testing.T) {
	t.Helper()
	const try = `
from django.test import Client
from mrsattachment.models import MRSAttachment
from mrsrequest.models import MRSRequest
from person.models import Person
c = Client(HTTP_HOST='www.staging.lab')
assert c.login(username='dev', password='dev'), 'dev can not log in'
r = MRSRequest.objects.filter(insured__isnull=False, data__isnull=False).order_by('-creation_datetime').first()
page = c.get('/admin/mrsrequest/mrsrequest/', {'q': r.display_id})
assert page.status_code == 200 and str(r.display_id) in page.content.decode(), page.status_code
assert c.get('/admin/mrsrequest/mrsrequest/%s/change/' % r.pk).status_code == 200
a = MRSAttachment.objects.filter(attachment_file__gt='').first()
got = c.get('/attachments/%d' % a.pk)
assert got.status_code == 200 and len(b''.join(got.streaming_content)) > 50, got.status_code
assert c.get('/admin/mrsstat/stat/').status_code == 200
found = 0
for r in MRSRequest.objects.filter(insured__isnull=False).select_related('insured')[:2000]:
    p, d = r.insured, r.data
    p.full_clean(exclude=['email'])
    if isinstance(d, dict) and d.get('nir') == p.nir and d['birth_date']:
        born = d['birth_date']
        born = born if '-' in born else '-'.join(reversed(born.split('/')))
        assert not p.birth_date or born == str(p.birth_date), (born, p.birth_date)
        assert d['first_name'].lower() == p.first_name.lower()
        found += 1
assert found > 100, found
`
	code := base64.StdEncoding.EncodeToString([]byte(try))
	l.sh(t, "staging", `docker exec "$(docker ps --quiet --filter name=mrs-staging-django)" mrs shell -c 'import base64; exec(base64.b64decode("'`+code+`'"))'`)
	l.sh(t, "staging", `[ "$(docker exec mrs-staging-postgres-1 psql -U django -d mrs -XqtAc "select distinct attachment_file from mrsattachment_mrsattachment where attachment_file > ''")" = 1x1.png ]`)
}

func TestACopyOfProductionHasNobodyInIt(t *testing.T) {
	l := inTheLab(t, 270*time.Second)
	rules := filepath.Join(l.dir, "env/anonymize.yml")
	key := filepath.Join(t.TempDir(), "key")
	const keyText = "a-key-that-nobody-may-see-anywhere-7261"
	if err := os.WriteFile(key, []byte(keyText), 0o600); err != nil {
		t.Fatal(err)
	}
	step(t, "production and staging are deployed, and production is backed up", func(t *testing.T) {
		l.must(t, mage, "lab:push", "postgres:"+versions[0])
		var both sync.WaitGroup
		for name, with := range map[string]rehearsal{
			"production": l.given("compose_postgres_image=" + l.registry + "/postgres:" + versions[0]), "staging": l,
		} {
			both.Go(func() {
				if r := with.mage(t, "deploy:"+name, "-yes"); r.status != 0 {
					t.Errorf("%s: exit status %d\n%s", name, r.status, r.output)
				}
			})
		}
		both.Wait()
		if t.Failed() {
			t.FailNow()
		}
		// Its tables are those of a database of 2018, staging's those of a new one.
		l.mustMage(t, "ops:manage", "production", "oldhistory")
		// What pg_read_all_data is from PostgreSQL 14 on.
		l.sql(t, "production", "mrs", `create role reader login;
alter default privileges for role django grant usage on schemas to reader;
alter default privileges for role django grant select on tables to reader;
alter default privileges for role django grant select on sequences to reader;
grant select on all tables in schema public to reader;
grant select on all sequences in schema public to reader`)
		l.mustMage(t, "ops:manage", "production", "seed 2000")
		l.mustMage(t, "ops:backup", "production")
	})
	if t.Failed() {
		t.FailNow()
	}
	const count = "select count(*) from person_person"
	backedUp := l.sql(t, "production", "mrs", count)
	l.mustMage(t, "ops:manage", "production", fmt.Sprintf("seed %d", copiedPeople))
	l.clone = l.with("DB_READER=reader")
	copyAs := func(words ...string) result { return l.mage(t, words...) }

	people := real{}
	for _, c := range personal(t) {
		people.learn(t, l, c)
	}
	l.sql(t, "staging", "postgres", "alter database mrs set work_mem = '7MB'")
	before := l.sql(t, "staging", "mrs", site)
	production := l.sql(t, "production", "mrs", site)
	untouched := func(t *testing.T) {
		t.Helper()
		if now := l.sql(t, "staging", "mrs", site); now != before {
			t.Errorf("staging has\n%s\nand had\n%s", now, before)
		}
		if left := l.left(t); left != "" {
			t.Errorf("left: %s", left)
		}
	}

	step(t, "the rules name every column, whichever history the tables have", func(t *testing.T) {
		l.mustMage(t, "ops:anonymizeCheck", "production")
		l.given("DB_READER=").mustMage(t, "ops:anonymizeCheck", "staging") // which has no reader
	})

	step(t, "production is never copied to, whatever it is called", func(t *testing.T) {
		for _, words := range [][]string{
			{"-to=production", "-yes"}, {"-from=staging", "-to=production", "-yes"}, {"-from=production", "-to=production", "-yes"},
		} {
			r := copyAs(append([]string{"ops:copyProdToStaging"}, words...)...)
			if r.status == 0 || !strings.Contains(r.output, "production is production: nothing is ever copied there") {
				t.Errorf("%v: exit status %d\n%s", words, r.status, r.output)
			}
		}
	})

	step(t, "a column that no rule names stops it, and is named", func(t *testing.T) {
		l.sql(t, "production", "mrs", "alter table person_person add column phone varchar(20); select lo_from_bytea(4711, 'x')")
		r := copyAs("ops:copyProdToStaging", "-yes")
		for _, want := range []string{"person_person.phone", "character varying(20)", "1 large objects"} {
			if r.status == 0 || !strings.Contains(r.output, want) {
				t.Errorf("%s is missing: exit status %d\n%s", want, r.status, r.output)
			}
		}
		if r := copyAs("ops:anonymizeCheck", "production"); r.status == 0 || !strings.Contains(r.output, "person_person.phone") {
			t.Errorf("ops:anonymizeCheck: exit status %d\n%s", r.status, r.output)
		}
		l.sql(t, "production", "mrs", "alter table person_person drop column phone; select lo_unlink(4711)")
		untouched(t)
	})

	step(t, "mistakes in the rules are told at once, with their lines", func(t *testing.T) {
		good := readFile(t, rules)
		defer os.WriteFile(rules, good, 0o644)
		bad := strings.Replace(strings.Replace(string(good), " nir: nir", " nir: nirr", 1), " email: email", " email: mail", 1)
		if err := os.WriteFile(rules, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		r := copyAs("ops:copyProdToStaging", "-yes")
		for _, want := range []string{`"nirr"`, `"mail"`} {
			if r.status == 0 || !regexp.MustCompile(`env/anonymize.yml:\d+: .*`+want).MatchString(r.output) {
				t.Errorf("%s: exit status %d\n%s", want, r.status, r.output)
			}
		}
		untouched(t)
	})

	step(t, "-dryRun tells what would become of what, and changes nothing", func(t *testing.T) {
		r := copyAs("ops:copyProdToStaging", "-dryRun")
		for _, want := range []string{"person_person", "lastName: last_name", "no rows", "nothing was changed"} {
			if r.status != 0 || !strings.Contains(r.output, want) {
				t.Errorf("%s is missing: exit status %d\n%s", want, r.status, r.output)
			}
		}
		untouched(t)
	})

	step(t, "staging has production's structure and volume, and nothing of anybody", func(t *testing.T) {
		// What is seen on the three machines meanwhile.
		var looking sync.WaitGroup
		stop := make(chan struct{})
		seen := map[string]*strings.Builder{}
		for _, machine := range []string{"production", "staging", "here"} {
			all := &strings.Builder{}
			seen[machine] = all
			looking.Go(func() {
				const look = "ps -eo args; find /tmp /var/tmp /dev/shm -xdev -type f -newer /proc/1 -size -1000k -print -exec cat {} + 2>/dev/null || true"
				for {
					select {
					case <-stop:
						return
					case <-time.After(300 * time.Millisecond):
					}
					out := ""
					if machine == "here" {
						b, _ := exec.Command("ps", "-eo", "args").Output()
						out = string(b)
					} else {
						out, _ = l.shell(machine, look)
					}
					all.WriteString(out)
				}
			})
		}
		l.sql(t, "production", "mrs", `create schema stats;
create materialized view stats.b as select count(*) as people, max(email) as one from person_person;
create view a as select * from stats.b;
create materialized view stats.a as select people, one || '!' as one from a;
create materialized view "Not yet" as select 1 as n with no data;
create sequence told; select setval('told', 5000, false); create sequence unused start 7`)
		defer l.sql(t, "production", "mrs", `drop schema stats cascade; drop materialized view "Not yet"; drop sequence told, unused`)
		r := copyAs("ops:copyProdToStaging", "-key="+key, "-yes")
		close(stop)
		looking.Wait()
		if r.status != 0 {
			t.Fatalf("exit status %d\n%s", r.status, r.output)
		}
		t.Log(r.output)
		for _, machine := range []string{"production", "staging"} {
			log, _ := l.shell(machine, "docker logs mrs-"+machine+"-postgres-1 2>&1 | tail -n 1000; journalctl --no-pager -n 3000")
			seen[machine].WriteString(log)
		}
		seen["here"].WriteString(r.output)
		for machine, all := range seen {
			if strings.Contains(all.String(), keyText) {
				t.Errorf("the key is seen on %s", machine)
			}
			for kind := range map[string]bool{"address": true, "number": true} {
				some := real{}
				for v, k := range people {
					if k == kind {
						some[v] = k
					}
				}
				if found, _, err := some.in(strings.NewReader(all.String())); len(found) > 0 || err != nil {
					t.Errorf("on %s is seen: %q, %v", machine, found, err)
				}
			}
		}

		dump := exec.Command("ssh", "-F", ".vagrant-ssh", "staging", "sudo docker exec mrs-staging-postgres-1 pg_dump -U django --exclude-table-data=caisse_caisse mrs")
		dump.Dir = l.dir
		text, err := dump.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := dump.Start(); err != nil {
			t.Fatal(err)
		}
		found, lines, err := people.in(text)
		_, _ = io.Copy(io.Discard, text)
		if waited := dump.Wait(); len(found) > 0 || err != nil || waited != nil || lines < copiedPeople {
			t.Errorf("in %d lines of staging's dump is found: %q; %v, %v", lines, found, err, waited)
		}

		const counts = `select (select count(*) from person_person), (select count(*) from mrsrequest_mrsrequest),
(select count(*) from mrsattachment_mrsattachment), (select count(*) from caisse_caisse)`
		if there, here := l.sql(t, "production", "mrs", counts), l.sql(t, "staging", "mrs", counts); there != here {
			t.Errorf("production has %s rows, and staging %s", there, here)
		}
		const duplicates = `select md5(string_agg(first::text, ',' order by id)), count(*) filter (where first <> id) from (select id, min(id) over (partition by nir) as first from person_person) t`
		if there, here := l.sql(t, "production", "mrs", duplicates), l.sql(t, "staging", "mrs", duplicates); there != here || strings.HasSuffix(there, "|0") {
			t.Errorf("who has the same number in production (%s) has not in staging (%s)", there, here)
		}
		const births = `select md5(string_agg(id || ' ' || birth_date, ',' order by id)) from person_person where id %% 1000 = %d`
		for rest := range 3 {
			q := fmt.Sprintf(births, rest)
			if l.sql(t, "production", "mrs", q) == l.sql(t, "staging", "mrs", q) {
				t.Error("birth dates are the same")
			}
		}
		const constraints = `select contype, count(*), bool_and(convalidated) from pg_constraint where connamespace = 'public'::regnamespace group by 1 order by 1`
		if there, here := l.sql(t, "production", "mrs", constraints), l.sql(t, "staging", "mrs", constraints); there != here || strings.Contains(here, "|f") {
			t.Errorf("production has the constraints\n%s\nand staging\n%s", there, here)
		}
		const views = `select a.people = count(p) and a.one = max(p.email) || '!', (select string_agg(relname, ' ') from pg_class where relkind = 'm' and not relispopulated)
from stats.a, person_person p group by a.people, a.one`
		if got := l.sql(t, "staging", "mrs", views); got != "t|Not yet" {
			t.Errorf("staging's materialized views: %s", got)
		}
		if got := l.sql(t, "staging", "mrs", "select nextval('told'), nextval('unused')"); got != "5000|7" {
			t.Errorf("the numbers that are given next: %s", got)
		}
		if got := l.sql(t, "staging", "mrs", "show work_mem"); got != "7MB" {
			t.Errorf("what was set for staging's database is lost: work_mem is %s", got)
		}
		l.works(t)
		l.healthy(t)
		if now := l.sql(t, "production", "mrs", site); now != production {
			t.Error("production has changed")
		}
		if left := l.left(t); left != "" {
			t.Errorf("left: %s", left)
		}
	})
	before = l.sql(t, "staging", "mrs", site)

	step(t, "a rule that lets somebody through is noticed before anything leaves", func(t *testing.T) {
		good := readFile(t, rules)
		defer os.WriteFile(rules, good, 0o644)
		bad := strings.Replace(string(good), "filename:", "filename: keep #", 1)
		if bad == string(good) {
			t.Fatal("there is no such rule")
		}
		if err := os.WriteFile(rules, []byte(bad), 0o644); err != nil {
			t.Fatal(err)
		}
		r := copyAs("ops:copyProdToStaging", "-yes")
		if r.status == 0 || !strings.Contains(r.output, "was about to leave in mrsattachment_mrsattachment") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		untouched(t)
	})

	step(t, "some tables, and what they refer to; the others are there without rows", func(t *testing.T) {
		out := copyAs("ops:copyProdToStaging", "-tables=person_person,nothing_such", "-yes")
		if out.status == 0 || !strings.Contains(out.output, "nothing_such") {
			t.Errorf("exit status %d\n%s", out.status, out.output)
		}
		untouched(t)
		out = copyAs("ops:copyProdToStaging", "-tables=auth_user,caisse_caisse", "-yes")
		if out.status != 0 {
			t.Fatalf("exit status %d\n%s", out.status, out.output)
		}
		const some = `select (select count(*) > 0 from caisse_caisse), (select count(*) from person_person), (select count(*) from mrsrequest_mrsrequest)`
		if got := l.sql(t, "staging", "mrs", some); got != "t|0|0" {
			t.Errorf("it is %q", got)
		}
		l.healthy(t)
	})

	keyed := []string{"ops:copyProdToStaging", "-sample=0.25", "-key=" + key, "-yes"}
	step(t, "a part of the rows, with all that they refer to", func(t *testing.T) {
		out := copyAs(keyed...)
		if out.status != 0 {
			t.Fatalf("exit status %d\n%s", out.status, out.output)
		}
		few := fmt.Sprintf(`select count(*) between %d and %d from person_person union all select count(*) > 5000 from mrsrequest_mrsrequest
union all select bool_and(convalidated) from pg_constraint where contype = 'f'`, copiedPeople/8, copiedPeople*3/8)
		if got := l.sql(t, "staging", "mrs", few); got != "t\nt\nt" {
			t.Errorf("it is %q", got)
		}
		l.healthy(t)
		before = l.sql(t, "staging", "mrs", site)
	})
	step(t, "deploy:local gets the data of the last snapshot, and nothing of anybody", func(t *testing.T) {
		l.mustMage(t, "deploy:local")
		defer l.mustMage(t, "local:destroy", "-yes")
		lent := func(t *testing.T) {
			t.Helper()
			const names = `select datname from pg_database where datname like '%\_lent\_%'`
			// It goes once the connection has gone, and the disk has caught up.
			if !soon(func() bool { return l.sql(t, "production", "postgres", names) == "" }) {
				t.Errorf("production still has %s", l.sql(t, "production", "postgres", names))
			}
			const folder = "/home/mrs-production/postgres/dump/lend"
			if !soon(func() bool { _, err := l.shell("production", "test ! -e "+folder); return err == nil }) {
				t.Errorf("production still has %s", folder)
			}
		}
		if r := copyAs("ops:seedLocal", "production", "-snapshot=0123abcd", "-yes"); r.status == 0 || !strings.Contains(r.output, "there is no such snapshot") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		for moment, signal := range map[string]syscall.Signal{
			"restoring the database beside": syscall.SIGKILL, "copying": syscall.SIGINT,
		} {
			b := l.begin(t, moment, "ops:seedLocal", "production", "-yes")
			_ = syscall.Kill(-b.Process.Pid, signal)
			if err := b.end(t); err == nil {
				t.Errorf("%s at %q interrupts nothing", signal, moment)
			}
			lent(t)
		}
		// PostgreSQL likes to tell which row it was at.
		if found, _, err := people.in(strings.NewReader(l.sh(t, "production", "docker logs mrs-production-postgres-1 2>&1"))); len(found) > 0 || err != nil {
			t.Errorf("in the log of production's PostgreSQL is found: %q, %v", found, err)
		}
		r := copyAs("ops:seedLocal", "production", "-yes")
		if r.status != 0 {
			t.Fatalf("exit status %d\n%s", r.status, r.output)
		}
		lent(t)
		if got := strings.TrimSpace(must(t, "docker", "exec", "testmrs-postgres-1", "psql", "-U", "django", "-d", "mrs", "-XqtAc", count)); got != backedUp {
			t.Errorf("it has %s people, and the snapshot has %s", got, backedUp)
		}
		dump := must(t, "docker", "exec", "testmrs-postgres-1", "pg_dump", "-U", "django", "--data-only", "--exclude-table=caisse_caisse", "mrs")
		if found, _, err := people.in(strings.NewReader(dump)); len(found) > 0 || err != nil {
			t.Errorf("in its dump is found: %q, %v", found, err)
		}
		if r := l.mage(t, "ops:audit", "production"); !strings.Contains(r.output, "lend snapshot latest to local") {
			t.Errorf("it is not in the audit log:\n%s", r.output)
		}
	})

	t.Run("whatever happens meanwhile, staging serves what it had, or all of what is new", func(t *testing.T) {
		for _, s := range strikes {
			if s.phase != "" {
				step(t, s.name+", "+s.phase, func(t *testing.T) { l.struckCopy(t, s, s.phase) })
			}
		}
	})
	step(t, "the same key makes the same fakes, also -direct, from host to host; production is as it was, and nothing is left", func(t *testing.T) {
		words := append(slices.Clone(keyed), "-direct")
		r := l.run(t, append([]string{"env", "--unset=SSH_AUTH_SOCK"}, l.targets(words...)...)...)
		if r.status == 0 || !strings.Contains(r.output, "nothing was copied") || !strings.Contains(r.output, "SSH agent") {
			t.Errorf("without an agent: exit status %d\n%s", r.status, r.output)
		}
		socket := filepath.Join(t.TempDir(), "agent")
		agent := exec.Command("ssh-agent", "-D", "-a", socket)
		if err := agent.Start(); err != nil {
			t.Fatal(err)
		}
		defer func() { _ = agent.Process.Kill(); _ = agent.Wait() }()
		identity := regexp.MustCompile(`(?m)^\s*IdentityFile "?([^"\n]+)`)
		for _, file := range identity.FindAllStringSubmatch(string(readFile(t, filepath.Join(l.dir, ".vagrant-ssh"))), -1) {
			must(t, "bash", "-c", `until [ -S "$0" ]; do sleep 0.05; done; SSH_AUTH_SOCK=$0 ssh-add -q "$1"`, socket, file[1])
		}
		l.clone.with("SSH_AUTH_SOCK="+socket).must(t, l.targets(words...)...)
		untouched(t) // as it was through here
		if now := l.sql(t, "production", "mrs", site); now != production {
			t.Error("production has changed")
		}
	})
}

// struck is what can happen to a copy.
type struck struct {
	name  string
	hit   func(t *testing.T, l rehearsal, b began)
	phase string // in which it happens here; empty: it does in the campaign alone
}

// strikes are all that happens to copies, but for a full disk. Here a connection is lost, and an operator: what the
// agents do at every message is in copyfaults_test.go, what adopts a copy at every call in the tests of
// internal/hostside/restore. The campaign has all of them in all phases, and fills the disk in each.
var strikes = []struck{
	{
		name:  "the connection to production is cut",
		hit:   func(_ *testing.T, l rehearsal, _ began) { _, _ = l.shell("production", "pkill -9 -x -u vagrant sshd") },
		phase: "copying",
	},
	{
		name: "the connection to staging is cut",
		hit:  func(_ *testing.T, l rehearsal, _ began) { _, _ = l.shell("staging", "pkill -9 -x -u vagrant sshd") },
	},
	{
		name: "production's PostgreSQL is killed",
		hit:  func(_ *testing.T, l rehearsal, _ began) { l.killPostgres("production") },
	},
	{
		name: "staging's PostgreSQL is killed",
		hit:  func(_ *testing.T, l rehearsal, _ began) { l.killPostgres("staging") },
	},
	{
		name:  "the operator's process is killed",
		hit:   func(_ *testing.T, _ rehearsal, b began) { _ = syscall.Kill(-b.Process.Pid, syscall.SIGKILL) },
		phase: "building indexes",
	},
	{
		name: "Ctrl-C",
		hit:  func(_ *testing.T, _ rehearsal, b began) { _ = syscall.Kill(-b.Process.Pid, syscall.SIGINT) },
	},
}

func (l rehearsal) killPostgres(machine string) {
	_, _ = l.shell(machine, "kill -9 $(docker inspect --format '{{.State.Pid}}' mrs-"+machine+"-postgres-1)")
}

// struckCopy is one, in a phase.
func (l rehearsal) struckCopy(t *testing.T, s struck, phase string) {
	t.Helper()
	b := l.begin(t, phase, partOfProduction...)
	s.hit(t, l, b)
	err := b.end(t)
	t.Logf("it ended with %v", err)
	if err == nil && phase == "copying" {
		t.Errorf("it interrupted nothing\n%s", b.said())
	}
	l.copiedWhole(t, b)
}

// partOfProduction copies as much as takes seconds.
var partOfProduction = []string{"ops:copyProdToStaging", "-sample=0.4", "-yes"}

// settled waits, on staging, for what was cut off: it goes on for a moment, to its own end.
const settled = `sleep 0.5
while pgrep -f '[r]estore\.sh|[m]rs-host-[0-9a-f]* copy' >/dev/null || [[ $(systemctl is-active mrs-staging-restore) == *activating ]]; do sleep 0.2; done
`

// copiedWhole fails the test unless staging has all of a copy, the one before or
// this one, and answers.
func (l rehearsal) copiedWhole(t *testing.T, b began) {
	t.Helper()
	l.sh(t, "staging", settled+"until docker exec mrs-staging-postgres-1 pg_isready -qh 127.0.0.1; do sleep 0.1; done")
	l.sh(t, "production", "until docker exec mrs-production-postgres-1 pg_isready -qh 127.0.0.1; do sleep 0.1; done")
	const all = `select count(*) > 5000 from person_person union all select count(*) > 5000 from mrsrequest_mrsrequest
union all select bool_and(convalidated) from pg_constraint where contype = 'f'`
	if now := l.sql(t, "staging", "mrs", all); now != "t\nt\nt" {
		t.Errorf("staging has %q\n%s", now, b.said())
	}
	l.healthy(t)
}
