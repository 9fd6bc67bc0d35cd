//go:build e2e

package e2e

import (
	"crypto/sha256"
	"flag"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

// fact is a line of docs/mrs.md, by its first words, and how demo/ shows it.
type fact struct {
	line  string
	shows func(t *testing.T, f *facts)
}

// facts are a network of this machine with a PostgreSQL, and the applications
// that were started in it.
type facts struct {
	network string
	started map[string]*app
}

// app is a container of the application.
type app struct {
	name, address string
}

// postgresOfFacts are the variables of an application that uses it.
var postgresOfFacts = []string{
	"DB_ENGINE=django.db.backends.postgresql", "DB_HOST=postgres", "DB_NAME=mrs", "DB_USER=django", "DB_PASSWORD=django",
	"SECRET_KEY=secret", "ALLOWED_HOSTS=www.mrs.example", "HOST=mrs.example",
}

// start starts the application, once for the same options of docker run. More
// variables win.
func (f *facts) start(t *testing.T, name string, options ...string) *app {
	t.Helper()
	return f.startWithout(t, "", name, options...)
}

// startWithout is start for one that lacks a variable.
func (f *facts) startWithout(t *testing.T, variable, name string, options ...string) *app {
	t.Helper()
	if a := f.started[name]; a != nil {
		return a
	}
	a := &app{name: f.network + "-" + name}
	argv := []string{"docker", "run", "--detach", "--name", a.name, "--network", f.network}
	for _, pair := range postgresOfFacts {
		if given, _, _ := strings.Cut(pair, "="); given != variable {
			argv = append(argv, "--env", pair)
		}
	}
	must(t, append(append(argv, options...), "betagouv/mrs:master")...)
	a.address = must(t, "docker", "inspect", "--format", "{{range .NetworkSettings.Networks}}{{.IPAddress}}{{end}}", a.name)
	f.started[name] = a
	return a
}

// serving is start for one that has to serve.
func (f *facts) serving(t *testing.T, name string, options ...string) *app {
	t.Helper()
	a := f.start(t, name, options...)
	a.serves(t)
	return a
}

// serves waits until it does.
func (a *app) serves(t *testing.T) {
	t.Helper()
	if !soon(func() bool { _, err := http.Get("http://" + a.address + ":8000" + alive); return err == nil }) {
		t.Fatalf("%s does not serve:\n%s", a.name, must(t, "docker", "logs", a.name))
	}
}

// open and closed are the usual ones: for everybody, and behind basic auth.
func (f *facts) open(t *testing.T) *app   { return f.serving(t, "open", "--env", "BASICAUTH_DISABLE=1") }
func (f *facts) closed(t *testing.T) *app { return f.serving(t, "closed") }

// ask returns the status of a page, and where it sends on to. A header is
// NAME: VALUE.
func (a *app) ask(t *testing.T, path string, headers ...string) string {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://"+a.address+":8000"+path, nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = "www.mrs.example"
	for _, header := range headers {
		name, value, _ := strings.Cut(header, ": ")
		switch name {
		case "Host":
			request.Host = value
		case "User":
			user, password, _ := strings.Cut(value, ":")
			request.SetBasicAuth(user, password)
		default:
			request.Header.Set(name, value)
		}
	}
	client := http.Client{CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }, Timeout: 20 * time.Second}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	return strings.TrimSpace(fmt.Sprint(answer.StatusCode, " ", answer.Header.Get("Location")))
}

// is fails the test unless got is want.
func is(t *testing.T, what, got, want string) {
	t.Helper()
	if got != want {
		t.Errorf("%s: %q, want %q", what, got, want)
	}
}

// exec runs a command in the container.
func (a *app) exec(t *testing.T, words ...string) result {
	t.Helper()
	return run(t, nil, append([]string{"docker", "exec", a.name}, words...)...)
}

// ends returns the exit status of one that ends.
func (a *app) ends(t *testing.T) string {
	t.Helper()
	return must(t, "docker", "wait", a.name)
}

// sql returns what the PostgreSQL says.
func (f *facts) sql(t *testing.T, database, query string) string {
	t.Helper()
	return must(t, "docker", "exec", f.network+"-postgres", "psql", "-XqtA", "-U", "django", "-d", database, "-c", query)
}

const listens = "cat /proc/net/tcp | grep -c ':1F40 '"

// factsOfMRS are all lines of docs/mrs.md.
var factsOfMRS = []fact{
	{"It has no health check", func(t *testing.T, _ *facts) {
		const format = "{{json .Config.Healthcheck}} {{json .Config.Entrypoint}} {{json .Config.Volumes}} {{json .Config.StopSignal}}"
		got := must(t, "docker", "image", "inspect", "--format", format, "betagouv/mrs:master")
		is(t, "the image", strings.ReplaceAll(got, `""`, "null"), "null null null null")
	}},
	{"It runs as uid 1000", func(t *testing.T, f *facts) {
		is(t, "id", strings.TrimSpace(f.open(t).exec(t, "id", "-u").stdout), "1000")
	}},
	{"GIT_COMMIT in its environment", func(t *testing.T, f *facts) {
		if got := strings.TrimSpace(f.open(t).exec(t, "printenv", "GIT_COMMIT").stdout); got == "" {
			t.Error("it is empty")
		}
	}},
	{"It has bash and curl", func(t *testing.T, f *facts) {
		out := f.open(t).exec(t, "sh", "-c", "which bash curl psql pg_dump").stdout
		is(t, "programs", strings.Join(strings.Fields(out), " "), "/usr/bin/bash /usr/bin/curl")
	}},
	{"Its build needs more", func(t *testing.T, _ *facts) {
		// To build it without would take all of its packages again.
		dockerfile, err := os.ReadFile(filepath.Join(root, "demo/app/Dockerfile"))
		if err != nil || !strings.Contains(string(dockerfile), "head -c 128M /dev/zero >/dev/shm/") {
			t.Errorf("it does not fill /dev/shm: %v", err)
		}
	}},
	{"It waits for its database for ever", func(t *testing.T, f *facts) {
		a := f.start(t, "wrong", "--env", "DB_PASSWORD=wrong")
		time.Sleep(4 * time.Second)
		is(t, "it runs", must(t, "docker", "inspect", "--format", "{{.State.Status}} {{.RestartCount}}", a.name), "running 0")
		is(t, "it listens", strings.TrimSpace(a.exec(t, "sh", "-c", listens).stdout), "0")
	}},
	{"It applies its migrations", func(t *testing.T, f *facts) {
		f.open(t)
		f.sql(t, "mrs", "delete from django_migrations where app = 'mrsuser' and name = '0002_test_user'")
		a := f.serving(t, "again", "--env", "BASICAUTH_DISABLE=1")
		is(t, "migrations of the same name", f.sql(t, "mrs", "select count(*) from django_migrations where app = 'mrsuser' and name = '0002_test_user'"), "1")
		must(t, "docker", "rm", "--force", a.name)
	}},
	{"Without SECRET_KEY", func(t *testing.T, f *facts) {
		for _, without := range []string{"SECRET_KEY", "ALLOWED_HOSTS"} {
			a := f.startWithout(t, without, "without-"+strings.ToLower(without))
			is(t, "exit status without "+without, a.ends(t), "1")
			if said := run(t, nil, "docker", "logs", a.name).output; !strings.Contains(said, without+" is required") {
				t.Errorf("without %s it says\n%s", without, said)
			}
		}
	}},
	{"Without DB_ENGINE", func(t *testing.T, f *facts) {
		a := f.startWithout(t, "DB_ENGINE", "lite", "--env", "BASICAUTH_DISABLE=1")
		a.serves(t)
		is(t, "/", a.ask(t, "/"), "200")
		is(t, "its file", strings.TrimSpace(a.exec(t, "sh", "-c", "head -c 15 /app/mrs").stdout), "SQLite format 3")
	}},
	{"A secret key that is exactly", func(t *testing.T, f *facts) {
		for name, want := range map[string]string{"known": "1", "tested": "0"} {
			f.sql(t, "postgres", "create database "+name)
			options := []string{"--env", "DB_NAME=" + name, "--env", "SECRET_KEY=notsecret"}
			if name == "tested" {
				options = append(options, "--env", "CI=1")
			}
			a := f.serving(t, name, options...)
			is(t, "superusers of "+name, f.sql(t, name, "select count(*) from auth_user where username = 'test' and is_superuser"), want)
			if want == "1" {
				is(t, "test / test", a.ask(t, "/", "User: test:test"), "200")
			}
		}
	}},
	{"Any text in a variable", func(t *testing.T, f *facts) {
		a := f.serving(t, "zero", "--env", "BASICAUTH_DISABLE=0", "--env", "MAINTENANCE_ENABLE=0")
		is(t, "/", a.ask(t, "/"), "302 /maintenance/")
	}},
	{"LISTEN above", func(t *testing.T, f *facts) {
		is(t, "exit status", f.start(t, "listen", "--env", "LISTEN=300", "--sysctl", "net.core.somaxconn=200").ends(t), "1")
	}},
	{"Where uid 1000 can't write", func(t *testing.T, f *facts) {
		is(t, "exit status", f.start(t, "log", "--tmpfs", "/app/log:mode=0755,uid=0").ends(t), "1")
	}},
	{"Twelve workers", func(t *testing.T, f *facts) {
		a := f.open(t)
		workers := func() int {
			return strings.Count(run(t, nil, "docker", "logs", a.name).output, "spawned uWSGI worker ")
		}
		eventually(t, "they are there", func() bool { return workers() >= 12 })
		is(t, "workers, of a core each", fmt.Sprint(workers(), strings.Count(run(t, nil, "docker", "logs", a.name).output, ", cores: 1)")), "12 12")
		conn, err := net.Dial("tcp", a.address+":8000")
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_ = conn.SetDeadline(time.Now().Add(20 * time.Second))
		for range 2 {
			_, _ = fmt.Fprintf(conn, "GET %s HTTP/1.1\r\nHost: www.mrs.example\r\n\r\n", alive)
		}
		said, _ := io.ReadAll(conn) // a connection that is reset ends it too
		is(t, "answers on one connection", fmt.Sprint(strings.Count(string(said), "HTTP/1.1 200 OK")), "1")
		if strings.Contains(string(said), "Connection:") {
			t.Errorf("a header says that it is closed:\n%s", said)
		}
	}},
	{"It ignores SIGTERM", func(t *testing.T, f *facts) {
		a := f.serving(t, "term")
		begin := time.Now()
		must(t, "docker", "stop", a.name)
		if took := time.Since(begin); took < 10*time.Second {
			t.Errorf("it ends after %v, before it is killed", took)
		}
		is(t, "exit status", must(t, "docker", "inspect", "--format", "{{.State.ExitCode}}", a.name), "137")
	}},
	{"A q in the FIFO", func(t *testing.T, f *facts) {
		a := f.serving(t, "fifo", "--env", "UWSGI_MASTER_FIFO=/tmp/q")
		// Its first worker serves before the master has made it: what is written there then is a file, and read by nobody.
		eventually(t, "the master has made its FIFO", func() bool { return a.exec(t, "test", "-p", "/tmp/q").status == 0 })
		is(t, "q is written", fmt.Sprint(a.exec(t, "sh", "-c", "echo q >/tmp/q").status), "0")
		is(t, "exit status", a.ends(t), "0")
	}},
	{"/ asks the database", func(t *testing.T, f *facts) {
		is(t, "with it", f.open(t).ask(t, "/"), "200")
		f.closed(t)
		f.away(t, func() {
			is(t, "without it", f.open(t).ask(t, "/"), "500")
			is(t, "its static files", f.open(t).ask(t, alive), "200")
			is(t, "its manifest", f.open(t).ask(t, "/manifest.json"), "200")
			is(t, "without credentials", f.closed(t).ask(t, "/"), "401")
		})
		is(t, "with it again", f.open(t).ask(t, "/"), "200")
	}},
	{"Basic auth asks", func(t *testing.T, f *facts) { is(t, "/", f.closed(t).ask(t, "/"), "401") }},
	{"Each right password", func(t *testing.T, f *facts) {
		a := f.closed(t)
		f.dev(t, a, "dev")
		before := f.sql(t, "mrs", "select count(*) from django_session")
		for range 3 {
			is(t, "dev", a.ask(t, "/", "User: dev:dev"), "200")
		}
		is(t, "wrong", a.ask(t, "/", "User: dev:wrong"), "401")
		is(t, "rows more", f.sql(t, "mrs", "select count(*) - "+before+" from django_session"), "3")
	}},
	{"A password with a colon", func(t *testing.T, f *facts) {
		a := f.closed(t)
		f.dev(t, a, "d:v")
		is(t, "dev", a.ask(t, "/", "User: dev:d:v"), "401")
	}},
	{"A wrong Host", func(t *testing.T, f *facts) {
		is(t, "open", f.open(t).ask(t, "/", "Host: evil.example"), "400")
		is(t, "closed", f.closed(t).ask(t, "/", "Host: evil.example"), "400")
	}},
	{"In maintenance", func(t *testing.T, f *facts) {
		a := f.serving(t, "maintenance", "--env", "MAINTENANCE_ENABLE=1", "--env", "BASICAUTH_DISABLE=1")
		for path, want := range map[string]string{
			"/": "302 /maintenance/", "/maintenance/": "200", "/demande": "302 /maintenance/", "/manifest.json": "302 /maintenance/",
			"/admin/login/": "200", "/nothing": "404", alive: "200",
		} {
			is(t, path, a.ask(t, path), want)
		}
	}},
	{"/maintenance/ is 200", func(t *testing.T, f *facts) { is(t, "open", f.open(t).ask(t, "/maintenance/"), "200") }},
	{"With PROTO=https", func(t *testing.T, f *facts) {
		a := f.serving(t, "https", "--env", "PROTO=https", "--env", "BASICAUTH_DISABLE=1")
		is(t, "plain", a.ask(t, "/"), "301 https://www.mrs.example/")
		is(t, "plain, wrong Host", a.ask(t, "/", "Host: evil.example"), "400")
		is(t, "forwarded", a.ask(t, "/", "X-Forwarded-Proto: https"), "200")
	}},
	{"/static/ is 200", func(t *testing.T, f *facts) {
		is(t, "wrong Host, no password", f.closed(t).ask(t, alive, "Host: evil.example"), "200")
	}},
	{"/manifest.json needs", func(t *testing.T, f *facts) {
		is(t, "open", f.open(t).ask(t, "/manifest.json"), "200")
		is(t, "no password", f.closed(t).ask(t, "/manifest.json"), "401")
		is(t, "wrong Host", f.open(t).ask(t, "/manifest.json", "Host: evil.example"), "400")
	}},
	{"For a visitor with a session cookie", func(t *testing.T, f *facts) {
		const cookie = "Cookie: sessionid=abcdefghijklmnopqrstuvwxyz012345"
		count := func() string { return f.sql(t, "mrs", "select count(*) from django_session") }
		before := count()
		is(t, "with it", f.open(t).ask(t, "/admin/", cookie), "302 /admin/login/?next=/admin/")
		is(t, "rows", count(), before)
		f.closed(t)
		f.away(t, func() {
			is(t, "open, without it", f.open(t).ask(t, "/admin/", cookie), "500")
			is(t, "closed, without it", f.closed(t).ask(t, "/admin/", cookie), "500")
		})
	}},
	{"`mrs` sets DEBUG=1", func(t *testing.T, f *facts) {
		a := f.open(t)
		r := a.exec(t, "mrs", "sendtestemail", "somebody@example.org")
		if r.status != 0 || !strings.Contains(r.stdout, "Subject: Test email") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		if r := a.exec(t, "env", "DEBUG=", "mrs", "sendtestemail", "somebody@example.org"); r.status == 0 {
			t.Errorf("without a mail server it is sent:\n%s", r.output)
		}
	}},
	{"Django is 2.2", func(t *testing.T, f *facts) {
		a := f.open(t)
		if r := a.exec(t, "mrs", "migrate", "--check"); r.status != 2 || !strings.Contains(r.output, "unrecognized arguments: --check") {
			t.Errorf("migrate --check: exit status %d\n%s", r.status, r.output)
		}
		r := a.exec(t, "env", "DJANGO_SUPERUSER_PASSWORD=x", "mrs", "createsuperuser", "--noinput", "--username=locked", "--email=x@example.org")
		is(t, "exit status", fmt.Sprint(r.status), "0")
		is(t, "its password", f.sql(t, "mrs", "select left(password, 1) from auth_user where username = 'locked'"), "!")
	}},
	{"`CI=1 mrs loaddata", func(t *testing.T, f *facts) {
		for range 2 {
			r := f.open(t).exec(t, "env", "CI=1", "mrs", "loaddata", "src/mrs/tests/data.json")
			is(t, "it says", strings.TrimSpace(r.stdout), "Installed 106 object(s) from 1 fixture(s)")
		}
	}},
	{"Without CI loaddata", func(t *testing.T, f *facts) {
		is(t, "exit status", fmt.Sprint(f.open(t).exec(t, "timeout", "3", "mrs", "loaddata", "src/mrs/tests/data.json").status), "124")
	}},
	{"`djcli save`", func(t *testing.T, f *facts) {
		f.dev(t, f.open(t), "dev")
		f.dev(t, f.open(t), "dev")
		f.dev(t, f.open(t), "-")
		is(t, "by its password", f.closed(t).ask(t, "/", "User: dev:-"), "200")
		is(t, "nobody", fmt.Sprint(f.open(t).exec(t, "djcli", "chpasswd", "username=nobody", "x").status), "1")
	}},
	{"The jobs are rows", func(t *testing.T, f *facts) {
		f.open(t)
		is(t, "rows", f.sql(t, "mrs", "select string_agg(hour || ':' || minute || ' ' || day || ' ' || weekday, ', ' order by id) from djcall_cron"),
			"2:0 * *, 4:0 * *, 8:0 * 1-5, 8:0 1 *")
	}},
	{"A mail is a row", func(t *testing.T, f *facts) {
		a := f.open(t)
		before := f.sql(t, "mrs", "select count(*) from djcall_call where status in (1, 5)")
		is(t, "it is asked for", must(t, "curl", "--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--header", "Host: www.mrs.example", "--data", "email=jean.dupont@example.org", "http://"+a.address+":8000/demande"), "302")
		eventually(t, "the attempt is in the database", func() bool {
			return f.sql(t, "mrs", "select count(*) > "+before+" from djcall_call where status = 5") == "t"
		})
		file := a.exec(t, "sh", "-c", "cd /app/spooler/mail; cat *").stdout
		if !strings.Contains(file, "call") || strings.Contains(file, "jean.dupont") {
			t.Errorf("the file has %q", file)
		}
	}},
	{"The text of a mail", func(t *testing.T, f *facts) {
		is(t, "in clear", f.sql(t, "mrs", "select count(*) from djcall_caller where kwargs like '%jean.dupont%'"), "0")
		is(t, "in base64", f.sql(t, "mrs", "select count(*) > 0 from djcall_caller where encode(decode(kwargs, 'base64'), 'escape') like '%jean.dupont%'"), "t")
	}},
	{"Its tables, columns, types", func(t *testing.T, f *facts) {
		f.open(t)
		sameColumns(t, f.columns(t, "mrs"), schemaOfMRS(t))
		is(t, "constraints", f.constraints(t, "mrs"), constraintsOfMRS)
		for _, index := range []string{
			"mrsrequest_mrsrequest USING btree (creation_datetime)", "mrsrequest_mrsrequest USING btree (status_datetime)",
			"mrsrequest_mrsrequest USING btree (suspended)", "person_person USING btree (creation_datetime)", "djcall_call USING btree (status)",
		} {
			if !strings.Contains(f.indexes(t, "mrs"), "INDEX ON public."+index) {
				t.Errorf("no index on %s", index)
			}
		}
		is(t, "defaults", f.sql(t, "mrs", "select count(*) from information_schema.columns where table_schema = 'public' and column_default not like 'nextval(%'"), "0")
	}},
	{"One that is older", func(t *testing.T, f *facts) {
		f.sql(t, "postgres", "create database old")
		for _, words := range [][]string{{"migrate", "--noinput"}, {"oldhistory"}} {
			if r := f.open(t).exec(t, append([]string{"env", "DB_NAME=old", "mrs"}, words...)...); r.status != 0 {
				t.Fatalf("mrs %v: exit status %d\n%s", words, r.status, r.output)
			}
		}
		columns := f.columns(t, "old")
		orders := map[string][]string{}
		for _, line := range columns {
			fields := strings.Split(line, "\t")
			orders[fields[0]] = append(orders[fields[0]], fields[1])
		}
		sameColumns(t, slices.Sorted(slices.Values(columns)), slices.Sorted(slices.Values(schemaOfMRS(t))))
		for table, order := range oldOrders {
			is(t, "the order of "+table, strings.Join(orders[table], " "), order)
		}
		const more = "mrsstat_stat UNIQUE (date, caisse_id, institution_id)"
		is(t, "constraints", f.constraints(t, "old"), constraintsOfMRS+"\n"+more)
		const index = "CREATE UNIQUE INDEX ON public.mrsstat_stat USING btree (date, caisse_id, institution_id)\n"
		is(t, "indexes", strings.Replace(f.indexes(t, "old")+"\n", index, "", 1), f.indexes(t, "mrs")+"\n")
		f.dev(t, f.open(t), "dev")
		if r := f.open(t).exec(t, "mrs", "oldhistory"); r.status == 0 || !strings.Contains(r.output, "auth_user has rows") {
			t.Errorf("where there are rows: exit status %d\n%s", r.status, r.output)
		}
	}},
}

// The order of the columns of an old database, where it is not that of demo/schema.tsv.
var oldOrders = map[string]string{
	"auth_user":     "id password last_login username first_name last_name email is_active date_joined is_superuser number",
	"caisse_caisse": "id code name number liquidation_email active score parking_enable import_datetime habilitation_email nopmt_enable",
	"mrsrequest_mrsrequest": "id creation_datetime display_id status_datetime distancevp expensevp status caisse_id institution_id insured_id " +
		"status_user_id mandate_datevp payment_amount payment_base adeli delay saving taxi_cost insured_shift data expenseatp modeatp modevp " +
		"mandate_dateatp conflicts_accepted conflicts_resolved token suspended pel expensevp_parking expensevp_toll convocation",
	"mrsstat_stat": "id date validation_average_delay mrsrequest_count_new mrsrequest_count_validated mrsrequest_count_rejected savings " +
		"caisse_id institution_id insured_shifts mrsrequest_count_inprogress insured_shifts_total mrsrequest_total_inprogress " +
		"mrsrequest_total_new mrsrequest_total_rejected mrsrequest_total_validated mrsrequest_count_conflicted " +
		"mrsrequest_count_conflicting mrsrequest_count_resolved",
}

// What demo/schema.tsv does not say of the tables: unique constraints of several columns, and checks.
const constraintsOfMRS = `auth_group_permissions UNIQUE (group_id, permission_id)
auth_permission UNIQUE (content_type_id, codename)
auth_user_caisses UNIQUE (user_id, caisse_id)
auth_user_groups UNIQUE (user_id, group_id)
auth_user_user_permissions UNIQUE (user_id, permission_id)
caisse_caisse CHECK ((score >= 0))
caisse_caisse_regions UNIQUE (caisse_id, region_id)
django_admin_log CHECK ((action_flag >= 0))
django_content_type UNIQUE (app_label, model)
mrsrequest_mrsrequest CHECK ((conflicts_accepted >= 0))
mrsrequest_mrsrequest CHECK ((conflicts_resolved >= 0))
mrsrequest_mrsrequest CHECK ((distancevp >= 0))`

// columns returns what demo/schema.tsv says of each column, as the database says it.
func (f *facts) columns(t *testing.T, database string) []string {
	t.Helper()
	return strings.Split(f.sql(t, database, `select concat_ws(e'\t', c.relname, a.attname, format_type(a.atttypid, a.atttypmod),
case when a.attnotnull then 'n' else 'y' end,
case when exists (select from pg_index i where i.indrelid = c.oid and i.indisunique and i.indnkeyatts = 1 and i.indkey[0] = a.attnum) then 'y' else 'n' end,
(select r.relname || '.' || ra.attname from pg_constraint k join pg_class r on r.oid = k.confrelid
  join pg_attribute ra on ra.attrelid = r.oid and ra.attnum = k.confkey[1]
  where k.contype = 'f' and k.conrelid = c.oid and k.conkey = array[a.attnum]))
from pg_class c join pg_attribute a on a.attrelid = c.oid
where c.relkind = 'r' and c.relnamespace = 'public'::regnamespace and a.attnum > 0 and not a.attisdropped
order by c.relname, a.attnum`), "\n")
}

// constraints returns the checks, and the unique constraints of several columns.
func (f *facts) constraints(t *testing.T, database string) string {
	t.Helper()
	return f.sql(t, database, `select (conrelid::regclass || ' ' || pg_get_constraintdef(oid)) collate "C" from pg_constraint
where connamespace = 'public'::regnamespace and (contype = 'c' or contype = 'u' and cardinality(conkey) > 1) order by 1`)
}

// indexes returns them without their names.
func (f *facts) indexes(t *testing.T, database string) string {
	t.Helper()
	return f.sql(t, database, `select regexp_replace(indexdef, 'INDEX \S+ ', 'INDEX ') collate "C" from pg_indexes where schemaname = 'public' order by 1`)
}

// schemaOfMRS returns the first columns of demo/schema.tsv, as columns does.
func schemaOfMRS(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "demo/schema.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(text)) {
		lines = append(lines, strings.TrimRight(strings.Join(strings.Split(line, "\t")[:6], "\t"), "\t"))
	}
	return lines[1:]
}

// sameColumns tells which only one of both has, and whether their order is the
// same.
func sameColumns(t *testing.T, got, want []string) {
	t.Helper()
	for _, line := range got {
		if !slices.Contains(want, line) {
			t.Errorf("only the stand-in has %q", line)
		}
	}
	for _, line := range want {
		if !slices.Contains(got, line) {
			t.Errorf("the stand-in has not %q", line)
		}
	}
	if !t.Failed() && !slices.Equal(got, want) {
		t.Errorf("another order:\n%s", strings.Join(got, "\n"))
	}
}

// dev makes the superuser dev.
func (f *facts) dev(t *testing.T, a *app, password string) {
	t.Helper()
	for _, words := range [][]string{
		{"djcli", "save", "settings.AUTH_USER_MODEL", "+username=dev", "is_superuser=True"}, {"djcli", "chpasswd", "username=dev", password},
	} {
		if r := a.exec(t, words...); r.status != 0 {
			t.Fatalf("%v: exit status %d\n%s", words, r.status, r.output)
		}
	}
}

// away stops the PostgreSQL while something is done.
func (f *facts) away(t *testing.T, meanwhile func()) {
	t.Helper()
	must(t, "docker", "stop", f.network+"-postgres")
	meanwhile()
	must(t, "docker", "start", f.network+"-postgres")
	eventually(t, "PostgreSQL is back", func() bool {
		return run(t, nil, "docker", "exec", f.network+"-postgres", "pg_isready", "-qh", "127.0.0.1").status == 0
	})
}

func TestTheStandInIsNoKinderThanMRS(t *testing.T) {
	mark, before := seenOfStandIn(t)
	if before != "" {
		t.Logf("seen on %s, of the same images, words and tests", before)
		return
	}
	on(t, alongside, 120*time.Second)
	paper, err := os.ReadFile(filepath.Join(root, "docs/mrs.md"))
	if err != nil {
		t.Fatal(err)
	}
	lines := 0
	for line := range strings.Lines(string(paper)) {
		text, ok := strings.CutPrefix(line, "- ")
		if !ok {
			continue
		}
		lines++
		held := 0
		for _, f := range factsOfMRS {
			if strings.HasPrefix(text, f.line) {
				held++
			}
		}
		if held != 1 {
			t.Errorf("%d tests hold demo/ to: %s", held, text)
		}
	}
	if lines != len(factsOfMRS) {
		t.Errorf("docs/mrs.md has %d lines, and %d are tested", lines, len(factsOfMRS))
	}

	f := &facts{network: fmt.Sprintf("mrs-e2e-facts-%d", os.Getpid()), started: map[string]*app{}}
	must(t, "docker", "network", "create", f.network)
	t.Cleanup(func() {
		must(t, "bash", "-c", "docker ps --all --quiet --filter network="+f.network+" | xargs --no-run-if-empty docker rm --force --volumes; docker network rm "+f.network)
	})
	must(t, "docker", "run", "--detach", "--name", f.network+"-postgres", "--network", f.network, "--network-alias", "postgres",
		"--env", "POSTGRES_DB=mrs", "--env", "POSTGRES_USER=django", "--env", "POSTGRES_PASSWORD=django", "postgres:15")
	for _, fact := range factsOfMRS {
		step(t, fact.line, func(t *testing.T) { fact.shows(t, f) })
	}
	if t.Failed() {
		return
	}
	// Those of other images are of no use any more.
	older, _ := filepath.Glob(filepath.Join(filepath.Dir(mark), "stand-in-*"))
	for _, file := range older {
		os.Remove(file)
	}
	if err := os.WriteFile(mark, nil, 0o644); err != nil {
		t.Error(err)
	}
}

// seenOfStandIn returns the file that is there once the stand-in was held to its description, and since when it is: for
// these images, words and tests. Nothing else is in it, so that to look again tells nothing; go test keeps what it saw in
// the same way. Where tests are chosen by name it is looked at again.
func seenOfStandIn(t *testing.T) (mark, before string) {
	t.Helper()
	sum := sha256.New()
	fmt.Fprintln(sum, must(t, "docker", "image", "inspect", "--format", "{{.Id}}", "betagouv/mrs:master", "postgres:15"))
	for _, file := range []string{"docs/mrs.md", "demo/schema.tsv", "e2e/mrs_test.go", "e2e/harness_test.go"} {
		content, err := os.ReadFile(filepath.Join(root, file))
		if err != nil {
			t.Fatal(err)
		}
		fmt.Fprintf(sum, "%s %d\n%s", file, len(content), content)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	mark = filepath.Join(cache, "mrs-ops", fmt.Sprintf("stand-in-%x", sum.Sum(nil)[:8]))
	if info, err := os.Stat(mark); err == nil && flag.Lookup("test.run").Value.String() == "" {
		before = info.ModTime().Format(time.DateOnly)
	}
	return mark, before
}
