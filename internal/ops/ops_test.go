package ops

import (
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/betagouv/mrs-ops/internal/answer"
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/remote"
	"github.com/betagouv/mrs-ops/internal/target"
)

var now = time.Date(2026, 11, 24, 20, 0, 0, 0, time.UTC)

// healthy is what mrs-host says of an instance that is well.
const healthy = `{"deployed": true, "maintenance": false, "remove_at": null,
 "containers": [
  {"service": "django", "state": "running", "health": "healthy", "started": "2026-11-24T17:00:00Z", "image": "registry:5000/betagouv/mrs:master", "commit": "0123456789abcdef"},
  {"service": "postgres", "state": "running", "health": "healthy", "started": "2026-11-20T17:00:00Z", "image": "postgres:15", "commit": ""}],
 "services": ["django", "postgres"],
 "http": {"status": 401, "seconds": 0.012, "certificate_trusted": true, "error": "", "certificate_expires": null},
 "backup": {"set_up": true, "since": "2023-11-14T22:13:20Z", "last": "2026-11-23T23:00:00Z", "id": "bbbb", "tags": ["timer"]},
 "timers": [{"name": "backup", "next": "2026-11-24T23:00:00Z", "last": null, "result": "success"}, {"name": "prune", "next": "2026-11-25T04:00:00Z", "last": "2026-11-24T04:00:00Z", "result": "success"}],
 "disks": [{"path": "/home", "used_percent": 41, "free_bytes": 1000, "size_bytes": 2000}], "lock": null}`

// standing returns the row of a persistent instance of which mrs-host says text,
// with the old text replaced by the new in pairs.
func standing(t *testing.T, text string, pairs ...string) Row {
	t.Helper()
	for n := 0; n < len(pairs); n += 2 {
		if !strings.Contains(text, pairs[n]) {
			t.Fatalf("mrs-host does not say %s", pairs[n])
		}
		text = strings.Replace(text, pairs[n], pairs[n+1], 1)
	}
	r := Row{Instance: "x", Server: "deploy@x.example", URL: "http://x.example", persistent: true, site: answer.Site{URL: "http://x.example", Path: "/", BasicAuth: true}}
	if err := r.read([]byte(text)); err != nil {
		r.unreachable(err)
	}
	r.judge(nil, now)
	return r
}

func TestAReplicaThatIsDownIsAProblemUnlessItIsBeingReplaced(t *testing.T) {
	const down = `"containers": [{"service": "django", "state": "exited", "exit_code": 3, "image": "registry:5000/betagouv/mrs:master"},`
	for want, pairs := range map[string][]string{
		"django exited (3)": {`"containers": [`, down},
		"":                  {`"containers": [`, down, `"lock": null`, `"lock": {"who": "me", "what": "deploy", "since": "1970-01-01T00:00:01Z"}`},
	} {
		if r := standing(t, healthy, pairs...); strings.Join(r.Problems, " ") != want {
			t.Errorf("its problems are %q, not %q", r.Problems, want)
		}
	}
	other := strings.Replace(down, "mrs:master", "mrs:other", 1)
	if r := standing(t, healthy, `"containers": [`, other); r.State != Well {
		t.Errorf("what a deployment that was killed has left: %q", r.Problems)
	}
}

func TestAOneShotThatHasEndedIsNoProblem(t *testing.T) {
	const shop = `"services": ["django", "postgres", "migrate", "idle"], "site": ["django"], "one_shots": ["migrate", "idle"]`
	const ended = `"containers": [{"service": "migrate", "state": "exited", "exit_code": 0},`
	for _, pairs := range [][]string{{}, {`"containers": [`, ended}} {
		r := standing(t, healthy, append(pairs, `"services": ["django", "postgres"]`, shop)...)
		if r.State != Well {
			t.Errorf("%v: it is %s: %q", pairs, r.State, r.Problems)
		}
	}
	r := standing(t, healthy, `"services": ["django", "postgres"]`, shop, `"containers": [`, strings.Replace(ended, `"exit_code": 0`, `"exit_code": 1`, 1))
	if r.State != NotWell || strings.Join(r.Problems, " ") != "migrate exited (1)" {
		t.Errorf("one that failed: %s: %q", r.State, r.Problems)
	}
}

func TestAnInstanceIsWellWhereNothingIsWrong(t *testing.T) {
	r := standing(t, healthy)
	if r.State != Well || r.Problems != nil {
		t.Errorf("it is %s: %q", r.State, r.Problems)
	}
	if r.Commit != "0123456789abcdef" || r.Image != "registry:5000/betagouv/mrs:master" || r.UpSince.Hour() != 17 || r.Backup.ID != "bbbb" {
		t.Errorf("row is %+v", r)
	}
}

func TestWhatIsWrongIsSaidInAFewWords(t *testing.T) {
	postgres := `"service": "postgres", "state": "running", "health": "healthy"`
	for name, test := range map[string]struct {
		change []string
		want   string
	}{
		"a sick container":      {[]string{postgres, `"service": "postgres", "state": "running", "health": "unhealthy"`}, "postgres unhealthy"},
		"one that starts":       {[]string{postgres, `"service": "postgres", "state": "running", "health": "starting"`}, "postgres starting"},
		"one that ended":        {[]string{postgres, `"service": "postgres", "state": "exited", "exit_code": 137`}, "postgres exited (137)"},
		"one in circles":        {[]string{postgres, `"service": "postgres", "state": "restarting", "exit_code": 1`}, "postgres restarting"},
		"one that is not there": {[]string{`["django", "postgres"]`, `["django", "mail", "postgres"]`}, "mail absent"},
		"an error page":         {[]string{`"status": 401`, `"status": 502`}, "answers 502, not 200"},
		"silence":               {[]string{`"status": 401`, `"status": 0`}, "does not answer"},
		"an old certificate":    {[]string{`"certificate_expires": null`, `"certificate_expires": "2026-11-24T19:53:20Z"`}, "certificate expired"},
		"an ageing one":         {[]string{`"certificate_expires": null`, `"certificate_expires": "2026-11-30T00:53:20Z"`}, "certificate expires in 5d"},
		"anybody's":             {[]string{`"certificate_expires": null`, `"certificate_expires": "2027-01-15T08:00:00Z"`, `"certificate_trusted": true`, `"certificate_trusted": false`}, "certificate not trusted"},
		"an old backup":         {[]string{"2026-11-23T23", "2026-11-22T13"}, "last backup 2d ago"},
		"no log":                {[]string{`"set_up": true`, `"set_up": true, "log": {"until": "2026-11-24T12:00:00Z"}`}, "the log of PostgreSQL was not received since 2026-11-24 12:00:00 UTC"},
		"log that is only here": {[]string{`"set_up": true`, `"set_up": true, "mirrored": true, "log": {"until": "2026-11-24T19:59:58Z", "repository": "2026-11-24T19:58:00Z", "mirror": "2026-11-24T17:50:00Z"}`}, "2h of the log would be lost with the server"},
		"log without a mirror":  {[]string{`"set_up": true`, `"set_up": true, "log": {"until": "2026-11-24T19:59:58Z", "repository": "2026-11-24T17:50:00Z"}`}, "2h of the log would be lost with the archive"},
		"no backup":             {[]string{`"last": "2026-11-23T23:00:00Z", "id": "bbbb"`, `"last": null`}, "never backed up"},
		"a locked repository":   {[]string{`"since": "2023-11-14T22:13:20Z"`, `"error": "wrong password"`}, "backups can't be read"},
		"a slow repository":     {[]string{`"backup": {`, `"backup": null, "was": {`}, "backups can't be read"},
		"a night that failed":   {[]string{`"last": "2026-11-24T04:00:00Z", "result": "success"`, `"last": "2026-11-24T04:00:00Z", "result": "exit-code"`}, "its last prune failed"},
		"a full disk":           {[]string{`"used_percent": 41`, `"used_percent": 93`}, "/home 93 % full"},
		"no engine":             {[]string{`"containers": [`, `"containers": null, "were": [`}, "the Docker engine does not answer"},
		"another database":      {[]string{`"commit": "0`, `"engine": "django.db.backends.sqlite3", "commit": "0`}, `uses no PostgreSQL: its DB_ENGINE is "django.db.backends.sqlite3"`},
		"no database's name":    {[]string{`"commit": "0`, `"engine": "", "commit": "0`}, `uses no PostgreSQL: its DB_ENGINE is ""`},
		"no word of the site":   {[]string{`"http": {`, `"http": null, "was": {`}, "whether it answers is not known"},
		"no word of the disks":  {[]string{`"disks": [`, `"disks": null, "were": [`}, "how full its disks are is not known"},
		"no file":               {[]string{`"deployed": true`, `"deployed": false`}, "its docker-compose.yml is gone"},
	} {
		r := standing(t, healthy, test.change...)
		if r.State != NotWell || !slices.Equal(r.Problems, []string{test.want}) {
			t.Errorf("%s: %s: %q, want %q", name, r.State, r.Problems, test.want)
		}
	}
}

func TestAPasswordThatEverybodyKnowsIsAProblemInProductionAlone(t *testing.T) {
	for instance, want := range map[string]string{"production": "dev gets in with a password that everybody knows", "staging": ""} {
		r := Row{Instance: instance, URL: "http://x.example", persistent: true, site: answer.Site{URL: "http://x.example", Path: "/", BasicAuth: true}}
		if err := r.read([]byte(strings.Replace(healthy, `"lock": null`, `"lock": null, "known_passwords": ["dev"]`, 1))); err != nil {
			t.Fatal(err)
		}
		r.judge(nil, now)
		if got := strings.Join(r.Problems, ", "); got != want {
			t.Errorf("%s: %q, want %q", instance, got, want)
		}
	}
}

func TestWhatIsMeantIsNoProblem(t *testing.T) {
	for name, change := range map[string][]string{
		"maintenance":                   {`"maintenance": false`, `"maintenance": true`, `"status": 401`, `"status": 302, "sends_to": "http://x.example/maintenance/"`},
		"no backups before their night": {`"since": "2023-11-14T22:13:20Z", "last": "2026-11-23T23:00:00Z"`, `"since": "2026-11-24T19:53:20Z", "last": null`},
		"no backups at all":             {`"backup": {"set_up": true`, `"backup": {"set_up": false`},
		"log as it is to be":            {`"set_up": true`, `"set_up": true, "mirrored": true, "log": {"until": "2026-11-24T19:59:58Z", "repository": "2026-11-24T19:50:00Z", "mirror": "2026-11-24T19:10:00Z"}`},
		"log that is not elsewhere yet": {`"set_up": true`, `"set_up": true, "mirrored": true, "log": {"until": "2026-11-24T19:59:58Z"}`},
		"a timer that never ran":        {`"last": null, "result": "success"`, `"last": null, "result": "start-limit-hit"`},
		"PostgreSQL's engine":           {`"commit": "0`, `"engine": "django.db.backends.postgresql", "commit": "0`},
		"that of its extension":         {`"commit": "0`, `"engine": "django.contrib.gis.db.backends.postgis", "commit": "0`},
		"a service with no check":       {`"running", "health": "healthy", "started": "2026-11-20`, `"running", "health": "", "started": "2026-11-20`},
	} {
		if r := standing(t, healthy, change...); r.State != Well {
			t.Errorf("%s: %s: %q", name, r.State, r.Problems)
		}
	}
}

func TestAnInstanceThatIsNotDeployedIsNeitherWellNorNot(t *testing.T) {
	r := standing(t, `{"deployed": false, "containers": [], "http": {"status": 404}, "disks": [{"path": "/home", "used_percent": 99}]}`)
	if r.State != NotDeployed || r.Problems != nil {
		t.Errorf("it is %s: %q", r.State, r.Problems)
	}
}

func TestWhileOneContainerTakesOverFromAnotherTheServiceIsWell(t *testing.T) {
	r := standing(t, healthy, `"containers": [`, `"containers": [
		{"service": "django", "state": "running", "health": "starting", "started": "2026-11-24T19:59:00Z", "commit": "new"},
		{"service": "django", "state": "exited", "exit_code": 1, "started": "2026-11-24T19:00:00Z", "commit": "old"},`)
	if r.State != Well || r.Commit != "0123456789abcdef" {
		t.Errorf("it is %s at %s: %q", r.State, r.Commit, r.Problems)
	}
}

func TestTheSitesAnswerIsTheOneGotHereWhereItsNameIsKnown(t *testing.T) {
	for name, test := range map[string]struct {
		here  hostapi.HTTP
		there string
		want  []string
	}{
		"both answer":       {hostapi.HTTP{Status: 200}, "401", nil},
		"only there":        {hostapi.HTTP{Error: "refused"}, "401", []string{"answers on its server only"}},
		"nowhere":           {hostapi.HTTP{Error: "refused"}, "0", []string{"does not answer"}},
		"an error page":     {hostapi.HTTP{Status: 500}, "200", []string{"answers 500, not 200"}},
		"another redirects": {hostapi.HTTP{Status: 301}, "200", []string{"answers 301, and does not say where to go"}},
	} {
		r := Row{URL: "http://x.example", persistent: true, site: answer.Site{URL: "http://x.example", Path: "/", BasicAuth: true}}
		if err := r.read([]byte(strings.Replace(healthy, `"status": 401`, `"status": `+test.there, 1))); err != nil {
			t.Fatal(err)
		}
		r.judge(&test.here, now)
		if !slices.Equal(r.Problems, test.want) || r.HTTP != &test.here {
			t.Errorf("%s: %q, want %q", name, r.Problems, test.want)
		}
	}
}

func TestAnAnswerThatIsNoneIsSaid(t *testing.T) {
	for _, text := range []string{"", "bash: no such thing", `{"deployed": "perhaps"}`, "[]"} {
		if r := standing(t, text); r.State != Unreachable || r.Error == "" {
			t.Errorf("%q: %s: %s", text, r.State, r.Error)
		}
	}
}

func FuzzNoAnswerBreaksTheTable(f *testing.F) {
	f.Add(healthy)
	f.Add(`{"deployed": true, "containers": [{"service": "\u001b[2J\n", "commit": ""}], "timers": [{"next": -1}], "lock": {"who": "\u0000"}}`)
	f.Fuzz(func(t *testing.T, text string) {
		r := Row{Instance: "x", Server: "x", persistent: true}
		if err := r.read([]byte(text)); err != nil {
			r.unreachable(err)
		}
		r.judge(nil, now)
		line, _ := summary([]Row{r})
		for _, row := range slices.Concat(instances([]Row{r}, now), servers([]Row{r}), [][]string{{line}}) {
			for _, cell := range row {
				if strings.ContainsFunc(cell, func(r rune) bool { return r < ' ' || 0x7f <= r && r < 0xa0 }) {
					t.Errorf("a cell is %q", cell)
				}
			}
		}
	})
}

func TestTheTableFitsIn160Columns(t *testing.T) {
	timers := healthy[strings.Index(healthy, `"timers"`):strings.Index(healthy, `"disks"`)]
	rows := []Row{
		standing(t, healthy, `"certificate_expires": null`, `"certificate_expires": "2027-01-15T08:00:00Z"`, `"lock": null`, `"lock": {"who": "jpic@laptop", "what": "deploy", "since": "2026-11-24T19:53:20Z"}`),
		standing(t, healthy, timers, "", `"remove_at": null`, `"remove_at": "2026-11-30T00:53:20Z"`, `"maintenance": false`, `"maintenance": true`),
		{Instance: "local", Server: "localhost", State: NotDeployed},
	}
	rows[1].Instance = "test-feature-e-reboot-x-1a2b3c"
	rows[1].Backup = nil
	rows[0].Server, rows[1].Server = "deploy@staging.mrs.beta.gouv.fr", "deploy@staging.mrs.beta.gouv.fr"
	var out strings.Builder
	if err := console.WriteTable(&out, instances(rows, now)...); err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(out.String()) {
		if n := utf8.RuneCountInString(strings.TrimRight(line, "\n")); n > 160 {
			t.Errorf("%d columns: %s", n, line)
		}
	}
	for _, want := range []string{"well, locked", "maintenance", "2/2", "mrs:master", "0123456 ", "401 12ms*", "51d", "21h", "backup 3h", "removal 5d", "not deployed"} {
		if !strings.Contains(out.String(), want) {
			t.Errorf("the table does not say %q:\n%s", want, out.String())
		}
	}
}

func TestAnImageIsShownByWhatTellsItApart(t *testing.T) {
	digest := "sha256:" + strings.Repeat("0123456789abcdef", 4)
	for image, want := range map[string]string{
		"registry:5000/betagouv/mrs:master": "mrs:master", "postgres:15": "postgres:15", "": "",
		"betagouv/mrs@" + digest: "mrs@0123456789ab", digest: "0123456789ab",
	} {
		if got := tag(image); got != want {
			t.Errorf("%q is shown as %q, want %q", image, got, want)
		}
	}
}

func TestTheSummaryNamesWhatIsNotWellAndWhy(t *testing.T) {
	well, absent := Row{Instance: "a", State: Well}, Row{Instance: "local", State: NotDeployed}
	for _, test := range []struct {
		rows []Row
		line string
		well bool
	}{
		{[]Row{well, well}, "2 instances: 2 well", true},
		{[]Row{well}, "1 instance: 1 well", true},
		{[]Row{well, absent}, "2 instances: 1 well, 1 not deployed", true},
		{[]Row{well, {Instance: "staging", State: NotWell, Problems: []string{"postgres unhealthy", "answers 502"}}, {Instance: "b", State: Unreachable, Problems: []string{"unreachable"}}},
			"3 instances: 1 well, 2 not: staging (postgres unhealthy, answers 502), b (unreachable)", false},
	} {
		if line, well := summary(test.rows); line != test.line || well != test.well {
			t.Errorf("%q, %v; want %q", line, well, test.line)
		}
	}
}

func TestADeadHostAndABrokenFileAreRows(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("MRS_ENV", "")
	files := map[string]string{
		"env/a.env":  "server=gone\nssh_config=config\nhome=/home/mrs-a\n", // no secrets either
		"env/b.env":  "server=gone\nssh_config=config\nhome=/home/mrs-b\n",
		"env/c.env":  "not = \"dotenv\n",
		"env/me.env": "server=localhost\nhome=/nowhere/mrs-me\n",
		"config":     "Host gone\n  HostName 127.0.0.1\n  Port 1\n",
	}
	for name, content := range files {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	rows, err := Status(t.Context(), "")
	if err != nil || len(rows) != 4 {
		t.Fatalf("%d rows, %v", len(rows), err)
	}
	for i, want := range []State{Unreachable, Unreachable, NotDeployed, NotWell} {
		if rows[i].State != want {
			t.Errorf("%s is %s, want %s", rows[i].Instance, rows[i].State, want)
		}
	}
	if !strings.Contains(rows[0].Error, "hint: ") || !slices.Contains(rows[0].EnvProblems, "SECRET_KEY") {
		t.Errorf("row is %+v", rows[0])
	}
	if said := notes(rows, now); len(said) != 3 { // the host once, the file, the secrets
		t.Errorf("%d notes: %q", len(said), said)
	}
	if _, err := Status(t.Context(), "nope"); err == nil {
		t.Error("an instance that nobody knows is no error")
	}
}

func TestABranchIsKnownByItsProject(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("MRS_ENV", "")
	if err := errors.Join(os.Mkdir("env", 0o700), os.WriteFile("env/branch.env", []byte("server=staging.example\nhome=/home/x\ndomain=test.example\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	inst, err := instance.Locate("test-feature-x")
	if err != nil {
		t.Fatal(err)
	}
	if inst.Name != "test-feature-x" || inst.Project() != "test-feature-x" || inst.Persistent() || target.Folder(inst) != "/root/.yourlabs.compose/test-feature-x" {
		t.Errorf("instance is %s, %s, %s", inst.Name, inst.Project(), target.Folder(inst))
	}
	for _, name := range []string{"test-$(id)", "../x", "", "é $(reboot)"} {
		if inst, err := instance.Locate(name); err == nil && strings.Trim(inst.Name, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
			t.Errorf("%q is the instance %q", name, inst.Name)
		}
	}
}

func TestWhoReadsLogsMayLackTheSecretsButNotTheServer(t *testing.T) {
	t.Chdir(t.TempDir())
	t.Setenv("MRS_ENV", "")
	for content, fine := range map[string]bool{"server=a\nhome=/home/x\n": true, "server=a b\nhome=/home/x\n": false, "server=a\nhome=x\n": false, "server=a\n": false} {
		if err := errors.Join(os.MkdirAll("env", 0o700), os.WriteFile("env/x.env", []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
		if _, err := instance.Locate("x"); (err == nil) != fine {
			t.Errorf("%q: %v", content, err)
		}
	}
}

func TestLogsAreTheLastLinesUnlessMoreIsAskedFor(t *testing.T) {
	for want, o := range map[string]LogOptions{
		"--ansi never logs --timestamps --tail=100":                  {},
		"--ansi never logs --timestamps --since=90m django":          {Since: "90m", Service: "django"},
		"--ansi never logs --timestamps --follow --tail=3":           {Follow: true, Tail: 3},
		"--ansi never logs --timestamps":                             {Tail: -1},
		"--ansi never logs --timestamps --since=2026-11-24T08:00:00": {Since: "2026-11-24T08:00:00"},
	} {
		if got, err := o.args(false); err != nil || strings.Join(got, " ") != want {
			t.Errorf("%q, %v; want %q", got, err, want)
		}
	}
	if got, _ := (LogOptions{}).args(true); got[1] != "always" {
		t.Errorf("on a terminal: %q", got)
	}
	for _, o := range []LogOptions{{Since: "-x"}, {Since: "yesterday; id"}, {Service: "--help"}, {Service: "a b"}} {
		if _, err := o.args(false); err == nil || !strings.Contains(err.Error(), "hint: ") {
			t.Errorf("%+v: %v", o, err)
		}
	}
}

func TestOnlyAPlainMailAddressIsWrittenTo(t *testing.T) {
	for _, to := range []string{"a@example.org", "first.last+tag@beta.gouv.fr", "o'neil@x"} {
		if err := checkAddress(to); err != nil {
			t.Error(err)
		}
	}
	for _, to := range []string{"", "a", "@x", "a@", "-a@x", "a@-x", "a b@x", "a@x y", "a@x\n", "A <a@x>", "a@x,b@x", "a@x;id", "a@$(id)", "\"a b\"@x", "a@[1.2.3.4]"} {
		if err := checkAddress(to); err == nil || !strings.Contains(err.Error(), "hint: ") {
			t.Errorf("%q: %v", to, err)
		}
	}
}

func TestACommandIsWordsThatNothingExpands(t *testing.T) {
	got, err := words("exec", `sh -c 'echo "$HOME"' $(id) ~ *`)
	if want := []string{"sh", "-c", `echo "$HOME"`, "$(id)", "~", "*"}; err != nil || !slices.Equal(got, want) {
		t.Errorf("%q, %v", got, err)
	}
	for _, command := range []string{"", "  ", "''", "a; b", "a | b", "'a"} {
		if _, err := words("exec", command); err == nil || !strings.Contains(err.Error(), "hint: ") {
			t.Errorf("%q: %v", command, err)
		}
	}
}

func TestTheAuditLogHasNoSecretThatWasTypedForACommand(t *testing.T) {
	for word, want := range map[string]string{"psql": "psql", "PGPASSWORD=geheim=x": "PGPASSWORD=…", "a\x1b[2J\nb": "a[2J b"} {
		if got := logged(word); got != want {
			t.Errorf("%q is logged as %q, want %q", word, got, want)
		}
	}
}

// exit is a command that ended with a status.
type exit int

func (exit) Error() string   { return "exit status" }
func (e exit) ExitCode() int { return int(e) }

func TestAFailedCommandKeepsItsStatusAndHidesItsArguments(t *testing.T) {
	err := ended("x", "exec django mrs", &remote.Error{Host: "x", Argv: []string{"mrs", "changepassword", "geheim"}, Stderr: "geheim is too short", Err: exit(3)})
	failed, ok := errors.AsType[*Failed](err)
	if !ok || failed.ExitStatus() != 3 || strings.Contains(err.Error(), "geheim") {
		t.Errorf("error is %v", err)
	}
	if failed := ended("x", "exec", errors.New("the connection was lost")).(*Failed); failed.ExitStatus() != 1 {
		t.Errorf("status %d", failed.ExitStatus())
	}
	if err := ended("x", "exec", context.Canceled); !strings.HasPrefix(err.Error(), "x: exec: interrupted\n") {
		t.Errorf("error is %v", err)
	}
}

func TestTheAuditLogMovesNoCursor(t *testing.T) {
	table := auditTable([]hostapi.Entry{{Time: now.Add(-3 * time.Hour), Who: "eve\x1b[2J", What: "deploy\nok", Outcome: "failed", Reason: "tab\there \u202e", Seconds: 61.5, Commit: "0123456789abcdef"}}, now)
	got := table[1][1:]
	if want := []string{"3h", "eve[2J", "deploy ok", "failed", "1m1.5s", "0123456", "tab here"}; !slices.Equal(got, want) {
		t.Errorf("row is %q", got)
	}
}

func TestTheShellIsOneWordForTheServersShell(t *testing.T) {
	t.Chdir(t.TempDir())
	if err := errors.Join(os.Mkdir("env", 0o700), os.WriteFile("env/x.env", []byte("server=deploy@[2001:db8::1]:2222\nssh_config=conf\nhome=/home/mrs-x\n"), 0o600)); err != nil {
		t.Fatal(err)
	}
	t.Setenv("MRS_ENV", "")
	inst, err := instance.Locate("x")
	if err != nil {
		t.Fatal(err)
	}
	line, err := shellLine(inst, &target.Target{Name: "x", Project: "mrs-x", Folder: "/home/mrs-x"}, "")
	if err != nil {
		t.Fatal(err)
	}
	if !slices.Contains(line, "-t") || !strings.Contains(strings.Join(line, " "), " -l deploy -p 2222 -- 2001:db8::1 ") || !slices.Contains(line, "conf") {
		t.Errorf("command line %q", line)
	}
	// What the server's shell makes of it, with sudo's place taken by echo.
	out, err := exec.Command("sh", "-c", "sudo() { :; }; "+strings.Replace(line[len(line)-1], `exec "$@"`, `printf "%s|" "$@"`, 1)).Output()
	if err != nil || !strings.Contains(string(out), "docker|compose|--project-name|mrs-x|") || !strings.HasSuffix(string(out), "|exec|django|sh|-c|command -v bash >/dev/null && exec bash; exec sh|") {
		t.Errorf("%s, %v", out, err)
	}
}

// Compose waits for a container without a health check until it runs.
func TestOnlyWhatAHealthCheckHasSaidIsHealthy(t *testing.T) {
	const told = "django Up 3 seconds\npostgres Up 3 seconds (healthy)\nmail Up 2 hours (health: starting)\n"
	if got := withoutCheck(told, nil); !slices.Equal(got, []string{"django", "mail"}) {
		t.Errorf("%q", got)
	}
	for service, want := range map[string]int{"postgres": 0, "django": 1} {
		if got := withoutCheck(told, []string{service}); len(got) != want {
			t.Errorf("of %s alone: %q", service, got)
		}
	}
}
