package instance

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// complete is an env file that lacks nothing.
const complete = `
home=/home/mrs-x
compose=docker-compose.yml
HOST=x.example.org
ALLOWED_HOSTS=x.example.org
SECRET_KEY=k
`

// completed is an env file that lacks nothing, with more in the place of what it has.
func completed(more string) string {
	names := map[string]bool{}
	for line := range strings.Lines(more) {
		name, _, _ := strings.Cut(line, "=")
		names[name] = true
	}
	var kept string
	for line := range strings.Lines(complete) {
		if name, _, _ := strings.Cut(line, "="); !names[name] {
			kept += line
		}
	}
	return kept + more
}

// project writes files, by path from its root, and returns the root.
func project(t *testing.T, files map[string]string) string {
	t.Helper()
	root := t.TempDir()
	for path, content := range files {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestTheStrongestSourceOfAValueWins(t *testing.T) {
	root := project(t, map[string]string{
		"env/x.env":         complete + "ADMINS=file\nTEAM_EMAIL=file\nEMAIL_HOST=file\n",
		"env/x.secrets.env": "TEAM_EMAIL=secrets\nEMAIL_HOST=secrets\n",
	})
	x, err := Load(root, "x", []string{"EMAIL_HOST=process", "UNRELATED=1"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]Value{
		"PROTO":      {"PROTO", "http", "default", false},
		"ADMINS":     {"ADMINS", "file", "env/x.env", false},
		"TEAM_EMAIL": {"TEAM_EMAIL", "secrets", "env/x.secrets.env", true},
		"EMAIL_HOST": {"EMAIL_HOST", "process", "process environment", false},
	} {
		i := slices.IndexFunc(x.Values(), func(v Value) bool { return v.Name == name })
		if got := x.Values()[i]; got != want {
			t.Errorf("%s: got %+v, want %+v", name, got, want)
		}
	}
	if slices.ContainsFunc(x.Values(), func(v Value) bool { return v.Name == "UNRELATED" }) {
		t.Error("a variable of the process environment that nobody knows became the instance's")
	}
	if value, set := x.Lookup("UNRELATED"); value != "1" || !set {
		t.Error("a compose file can't name a variable of the process environment")
	}
}

func TestAnAddressThatIsEmptyIsLeftToTheApplication(t *testing.T) {
	root := project(t, map[string]string{"env/x.env": complete + "DEFAULT_FROM_EMAIL=\nTEAM_EMAIL=a@b.fr\nEMAIL_HOST=\n"})
	x, err := Load(root, "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if value, set := x.Lookup("DEFAULT_FROM_EMAIL"); set {
		t.Errorf("the sender is set to %q, with which no mail can be sent", value)
	}
	if value, set := x.Lookup("TEAM_EMAIL"); value != "a@b.fr" || !set {
		t.Errorf("an address that is given is %q, %v", value, set)
	}
	if value, set := x.Lookup("EMAIL_HOST"); value != "" || !set {
		t.Errorf("what is empty otherwise is %q, %v", value, set)
	}
}

func TestMRSEnvReadsTheSameInstanceWithOtherValuesAndNoneOfItsSecrets(t *testing.T) {
	root := project(t, map[string]string{
		"env/x.env":             complete + "ADMINS=real\nTEAM_EMAIL=real\n",
		"env/x.secrets.env":     "LFTP_DSN=ftp://real.example.org\nSECRET_KEY=real\n",
		"env/lab/x.env":         "TEAM_EMAIL=lab\nHOST=x.lab\n",
		"env/lab/x.secrets.env": "SECRET_KEY=lab\n",
	})
	x, err := Load(root, "x", []string{"MRS_ENV=lab"})
	if err != nil {
		t.Fatal(err)
	}
	for name, want := range map[string]string{
		"ADMINS": "real", "TEAM_EMAIL": "lab", "HOST": "x.lab", "SECRET_KEY": "lab", "LFTP_DSN": "",
	} {
		if got := x.Get(name); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}

func TestASetHasItsOwnInstances(t *testing.T) {
	root := project(t, map[string]string{"env/x.env": "", "env/y.env": "", "env/lab/x.env": "", "env/lab/x.secrets.env": "", "env/lab/README": ""})
	for set, want := range map[string]string{"": "x,y", "lab": "x"} {
		if names, err := NamesIn(root, set); err != nil || strings.Join(names, ",") != want {
			t.Errorf("%q has %q, %v; want %s", set, names, err, want)
		}
	}
	for _, set := range []string{"nope", "../env", "x.env"} {
		if names, err := NamesIn(root, set); err == nil {
			t.Errorf("%q has %q", set, names)
		}
	}
}

func TestEverythingMissingOrMalformedIsSaidAtOnceWithTheFile(t *testing.T) {
	root := project(t, map[string]string{
		"env/x.env": "compose=docker-compose.yml,docker-compose.traefik.yml\nALLOWED_HOSTS=a b\nPROTO=gopher\nLISTEN=many\n",
	})
	_, err := Load(root, "x", []string{"HOST="})
	invalid, ok := errors.AsType[*Invalid](err)
	if !ok {
		t.Fatalf("got %v, want *Invalid", err)
	}
	for _, want := range []string{
		"HOST is missing (empty in the process environment, which beats the files)",
		"SECRET_KEY is missing\n    hint: put SECRET_KEY=… in env/x.secrets.env",
		"home is missing: or project",
		"HOST_SLUG is missing",
		`ALLOWED_HOSTS names "a b", not a host name` + "\n    hint: correct it in env/x.env",
		`PROTO is "gopher", not one of http, https`,
		`LISTEN is "many", not a whole number`,
	} {
		if !strings.Contains(invalid.Error(), want) {
			t.Errorf("the error does not say %q:\n%s", want, invalid)
		}
	}
	if len(invalid.Problems) != 7 {
		t.Errorf("%d problems, want 7:\n%s", len(invalid.Problems), invalid)
	}
}

func TestValuesAreCheckedBeforeTheyComeNearAShell(t *testing.T) {
	for _, bad := range []string{
		"server=-oProxyCommand=touch", "server=a b", "server=user@", "server=a;b", "server=host:", "server=host:0", "server=host:22:22", "server=[::1",
		"server=2001:db8::1", "server=root@2001:db8::1", "server=[2001:db8::1]x", "peer=2001:db8::1",
		"home=relative", "home=/", "home=/home", "home=/home/../etc/x", "home=/home/x;id", "home=/home/Mrs", "home=/home/x/",
		"home=/home/x\nproject=y", "lifetime=60",
		"compose=../x.sh", "compose='$(id).yml'",
		"HOST=http://x", "HOST=x/y", "HOST=x:port", "HOST=-x", "HOST_SLUG=a.b", "HOST_SLUG=-a",
		"BASICAUTH_DISABLE=0", "BASICAUTH_DISABLE=false", "DB_NAME=a-b", "DB_NAME=abcdefghijklmnopqrstuvwxyz0123456789abc", "DB_USER='a\"b'",
		"EMAIL_PORT=70000", "MAXCONN=50", "LFTP_DSN=localhost", "LFTP_DSN=gopher://x", "POSTGRES_BACKUP=x",
		"EMAIL_USE_TLS=1\nEMAIL_USE_SSL=1", "unknown=1", `LFTP_DSN='ftp://h/";!touch /tmp/pwned;"'`, `RESTIC_REPOSITORY='/a"b'`, `ADMINS="two\nlines"`,
	} {
		root := project(t, map[string]string{"env/x.env": completed(bad + "\n")})
		if _, err := Load(root, "x", nil); err == nil {
			t.Errorf("%s: no error", bad)
		} else if _, ok := errors.AsType[*Invalid](err); !ok {
			t.Errorf("%s: it is refused before it is checked: %v", bad, err)
		}
	}
	for _, good := range []string{
		"server=deploy@mrs.beta.gouv.fr", "server=10.0.0.1", "server=host:2222", "server=user@host:22", "server=root@[2001:db8::1]",
		"server=[2001:db8::1]:2222", "peer=[2001:db8::1]:2222", "HOST=localhost:8000", "ALLOWED_HOSTS=*", "ALLOWED_HOSTS=.x.fr,127.0.0.1",
		"home=/mnt/a.b/mrs_x", "LFTP_DSN=ftps://u:p%40@h:21/path", "RESTIC_REPOSITORY=sftp:h:/x", "MAXCONN=1024\nLISTEN=1024",
		"DB_NAME=abcdefghijklmnopqrstuvwxyz0123456789ab",
		`compose_django_ports='["8000:8000"]'`, "FUTURE_SETTING=1",
	} {
		root := project(t, map[string]string{"env/x.env": completed(good + "\n")})
		if _, err := Load(root, "x", nil); err != nil {
			t.Errorf("%s: %v", good, err)
		}
	}
}

func TestASecretIsNeverShown(t *testing.T) {
	root := project(t, map[string]string{
		"env/x.env":         complete,
		"env/x.secrets.env": "SECRET_KEY=hunter2\nLFTP_DSN=hunter2\nHOME_MADE_TOKEN=hunter2\n",
	})
	x, err := Load(root, "x", nil)
	if err == nil || strings.Contains(err.Error(), "hunter2") {
		t.Errorf("the error about LFTP_DSN is %v", err)
	}
	for _, v := range x.Values() {
		if strings.Contains(v.Masked(), "hunter2") {
			t.Errorf("%s is shown", v.Name)
		}
	}
	if v := (Value{Name: "RESTIC_REPOSITORY", Value: "rest:https://u:hunter2@h/x"}); v.Masked() != "rest:https://u:********@h/x" {
		t.Errorf("shown as %s", v.Masked())
	}
	root = project(t, map[string]string{"env/x.env": complete, "env/x.secrets.env": "SECRET_KEY='hunter2\nnot a line\n"})
	if _, err := Load(root, "x", nil); err == nil || strings.Contains(err.Error(), "hunter2") || !strings.Contains(err.Error(), "env/x.secrets.env") {
		t.Errorf("the error about a broken file is %v", err)
	}
}

func TestASecretIsProvedToHaveArrivedWithoutBeingShown(t *testing.T) {
	for name, c := range map[string]struct {
		value  Value
		length int
		check  string
	}{
		// printf %s 'SECRET_KEY=correct horse #1' | sha256sum | cut -c 1-4
		"a secret":              {Value{Name: "SECRET_KEY", Value: "correct horse #1", Secret: true}, 16, "0951"},
		"another name":          {Value{Name: "DB_PASSWORD", Value: "correct horse #1", Secret: true}, 16, "5c5a"},
		"one that lost its end": {Value{Name: "SECRET_KEY", Value: "correct horse", Secret: true}, 13, "fa89"},
		"characters, not bytes": {Value{Name: "SECRET_KEY", Value: "éééé", Secret: true}, 4, ""},
		"a short one":           {Value{Name: "SECRET_KEY", Value: "1234567", Secret: true}, 7, ""},
		"none":                  {Value{Name: "SECRET_KEY", Secret: true}, 0, ""},
		"no secret":             {Value{Name: "HOST", Value: "x.example.org"}, 0, ""},
	} {
		if length, check := c.value.Proof(); length != c.length || check != c.check {
			t.Errorf("%s: %d, %q; want %d, %q", name, length, check, c.length, c.check)
		}
	}
}

func TestASecretsFileThatOthersCanReadIsRefused(t *testing.T) {
	root := project(t, map[string]string{"env/x.env": complete, "env/x.secrets.env": "SECRET_KEY=a\n"})
	if err := os.Chmod(filepath.Join(root, "env/x.secrets.env"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(root, "x", nil); err == nil || !strings.Contains(err.Error(), "chmod 600 env/x.secrets.env") {
		t.Errorf("got %v", err)
	}
}

func TestAllLinesThatBreakTheGrammarAreSaidAtOnceWithFileAndLine(t *testing.T) {
	root := project(t, map[string]string{
		"env/x.env":         complete + "DEFAULT_FROM_EMAIL=a$B@x.fr\nADMINS='fine'\nTEAM_EMAIL=x #hunter2\n",
		"env/x.secrets.env": "SECRET_KEY=\"hunter2\\b\"\n",
	})
	x, err := Load(root, "x", nil)
	if x != nil || err == nil {
		t.Fatalf("got %v, %v", x, err)
	}
	for _, want := range []string{
		"env/x.env: line 7 holds a $", "env/x.env: line 9 holds a #", "env/x.secrets.env: line 1 holds a \\",
		"\nhint: put the value between '…'",
	} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not said:\n%v", want, err)
		}
	}
	if strings.Contains(err.Error(), "hunter2") {
		t.Errorf("it shows a secret: %v", err)
	}
	if malformed, ok := errors.AsType[*Malformed](err); !ok || len(malformed.Faults) != 2 {
		t.Errorf("got %#v", err)
	}
}

func TestTheProcessEnvironmentIsReadByNoGrammar(t *testing.T) {
	const value = ` a$B "x" #1\ `
	root := project(t, map[string]string{"env/x.env": complete})
	x, err := Load(root, "x", []string{"SECRET_KEY=" + value})
	if err != nil || x.Get("SECRET_KEY") != value {
		t.Errorf("%q, %v", x.Get("SECRET_KEY"), err)
	}
}

func TestAnUnknownInstanceIsAnErrorThatNamesTheKnownOnes(t *testing.T) {
	root := project(t, map[string]string{"env/staging.env": complete, "env/local.env": complete})
	for _, name := range []string{"stagging", "../etc/passwd", "", "a b", "staging.secrets"} {
		x, err := Load(root, name, nil)
		if x != nil || err == nil || !strings.Contains(err.Error(), "local, staging") {
			t.Errorf("%q: got %v, %v", name, x, err)
		}
	}
	if _, err := Load(root, "staging", []string{"MRS_ENV=../x"}); err == nil {
		t.Error("MRS_ENV may leave env/")
	}
}

// What reads like a word of ours is a name as any other; what could be more than
// a name is none.
func TestANameIsNoWordNorAnythingButAName(t *testing.T) {
	files := map[string]string{}
	good := []string{"some", "all", "latest", "none", "0", "list", "branch-x", "a-", strings.Repeat("a", 63)}
	for _, name := range good {
		files["env/"+name+".env"] = complete
	}
	bad := []string{"-x", "--", ".", "..", "a.b", "a/b", `a\b`, "Some", "é", "a_b", "a*", "a b", "a\n", "$(id)", "a\x00", "", strings.Repeat("a", 64)}
	root := project(t, files)
	for _, name := range good {
		if x, err := Load(root, name, nil); x == nil || x.Name != name {
			t.Errorf("%q: %v", name, err)
		}
	}
	for _, name := range bad {
		if x, err := Load(root, name, nil); x != nil || err == nil || !strings.Contains(err.Error(), "is not an instance's name") {
			t.Errorf("%q: %v, %v", name, x, err)
		}
	}
	if names, err := Names(root); err != nil || len(names) != len(good) {
		t.Errorf("the instances are %q, %v", names, err)
	}
}

func TestWhichNameIsTheSiteIsTheEnvFilesChoice(t *testing.T) {
	for name, c := range map[string]struct{ given, url, alias, resolver, more, problem string }{
		"www is what is usual":       {"PROTO=https", "https://www.x.example.org", "x.example.org", "leresolver", "leresolver", ""},
		"the bare one, by choice":    {"PROTO=http canonical=bare", "http://x.example.org", "www.x.example.org", "", "", ""},
		"the bare one by https":      {"PROTO=https canonical=bare", "https://x.example.org", "www.x.example.org", "leresolver", "leresolver", "canonical makes x.example.org the site, whose HSTS closes every http site below it"},
		"HOST is www already":        {"HOST=www.x.example.org", "http://www.x.example.org", "x.example.org", "", "", ""},
		"a name without a domain":    {"HOST=localhost:8000", "http://localhost:8000", "www.localhost:8000", "", "", ""},
		"an address":                 {"HOST=192.0.2.1", "http://192.0.2.1", "www.192.0.2.1", "", "", ""},
		"a branch has a certificate": {"home= project=test-x PROTO=https", "https://x.example.org", "www.x.example.org", "leresolver", "", ""},
		"neither one nor the other":  {"canonical=both", "http://x.example.org", "www.x.example.org", "", "", "canonical is \"both\", not one of www, bare"},
	} {
		environ := append(strings.Split(strings.TrimSpace(complete), "\n"), strings.Fields(c.given)...)
		x, err := Load(t.TempDir(), Environment, environ)
		if c.problem == "" && err != nil || c.problem != "" && (err == nil || !strings.Contains(err.Error(), c.problem)) {
			t.Errorf("%s: %v", name, err)
			continue
		}
		resolver, _ := x.Lookup("CERT_RESOLVER")
		more, _ := x.Lookup("CERT_RESOLVER_MORE")
		if x.URL() != c.url || x.Alias() != c.alias || resolver != c.resolver || more != c.more {
			t.Errorf("%s: %s, %s, certificates by %q and %q", name, x.URL(), x.Alias(), resolver, more)
		}
	}
}

func TestTheApplicationsDefaultKeyIsForLocalInstancesAndBranchesAlone(t *testing.T) {
	for given, refused := range map[string]bool{"server=x.example": true, "server=localhost": false, "server=x.example home= project=test-x": false} {
		environ := append(strings.Split(strings.TrimSpace(complete), "\n"), append(strings.Fields(given), "SECRET_KEY=notsecret")...)
		_, err := Load(t.TempDir(), Environment, environ)
		if got := err != nil && strings.Contains(err.Error(), "a superuser that everybody knows"); got != refused {
			t.Errorf("%s: %v", given, err)
		}
	}
}

func TestWithoutAnEnvFileEverythingComesFromTheProcess(t *testing.T) {
	environ := slices.DeleteFunc(strings.Split(complete, "\n"), func(line string) bool { return line == "" })
	x, err := Load(t.TempDir(), Environment, append(environ, "compose_django_build="))
	if err != nil {
		t.Fatal(err)
	}
	if x.Project() != "mrs-x" || !x.Persistent() || x.URL() != "http://www.x.example.org" {
		t.Errorf("got project %s, persistent %v, %s", x.Project(), x.Persistent(), x.URL())
	}
	if overrides := x.Overrides(); len(overrides) != 1 || overrides["django_build"] != "" {
		t.Errorf("got overrides %v", overrides)
	}
}

func TestTheCommittedEnvFilesDocumentEveryVariableAndLackOnlySecrets(t *testing.T) {
	root := filepath.Join("..", "..")
	names, err := Names(root)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{"branch", "ecole", "local", "production", "staging"}; !slices.Equal(names, want) {
		t.Fatalf("the instances are %v, want %v", names, want)
	}
	for _, name := range names {
		content, err := os.ReadFile(filepath.Join(root, "env", name+".env"))
		if err != nil {
			t.Fatal(err)
		}
		lines := strings.Split(string(content), "\n")
		for _, v := range Variables {
			at := slices.IndexFunc(lines, func(line string) bool {
				return strings.HasPrefix(line, v.Name+"=") || strings.HasPrefix(line, "#"+v.Name+"=")
			})
			if at < 1 || !strings.HasPrefix(lines[at-1], "# ") {
				t.Errorf("env/%s.env: %s has no line with a comment above it", name, v.Name)
			}
		}
		environ := []string{"SECRET_KEY=k"}
		if name == "branch" {
			environ = append(environ, "project=test-x", "HOST=x.test", "HOST_SLUG=mrs-test-x", "ALLOWED_HOSTS=x.test")
		}
		if _, err := Load(root, name, environ); err != nil {
			t.Errorf("env/%s.env: %v", name, err)
		}
	}
}

func FuzzLoad(f *testing.F) {
	f.Add(complete)
	f.Add("SECRET_KEY='a\nb'\nHOST=$(id)\n")
	f.Add("export A=1\nB: 2\n\"")
	f.Add("A=1\r\nB=\"x\\$\" # y\r\n")
	f.Fuzz(func(t *testing.T, content string) {
		root := project(t, map[string]string{"env/x.env": complete, "env/x.secrets.env": content})
		x, err := Load(root, "x", nil)
		if err == nil && (x.Get("HOST") == "" || checkServer(x.Get("server")) != "") {
			t.Errorf("accepted HOST %q and server %q", x.Get("HOST"), x.Get("server"))
		}
	})
}

func TestProductionIsKnownHoweverItIsCalled(t *testing.T) {
	t.Chdir(t.TempDir())
	files := map[string]string{
		"env/production.env":     "server=a\nhome=/home/mrs-production\n",
		"env/staging.env":        "server=b\nhome=/home/mrs-staging\n",
		"env/same.env":           "server=a\nhome=/home/mrs-production\n",
		"env/branch.env":         "server=b\nproject=mrs-production\n",
		"env/lab/production.env": "home=/home/mrs-live\n",
	}
	for name, content := range files {
		if err := errors.Join(os.MkdirAll(filepath.Dir(name), 0o700), os.WriteFile(name, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	for _, test := range []struct {
		name    string
		environ []string
		is      bool
	}{
		{"production", nil, true},
		{"production", []string{"home=/tmp/rehearsal"}, true},
		{"same", nil, true},
		{"staging", nil, false},
		{"branch", nil, false},
		{Environment, []string{"home=/home/mrs-production"}, true},
		{Environment, []string{"home=/srv/mrs-production"}, true},
		{Environment, []string{"home=/tmp/testmrs"}, false},
		{Environment, nil, false},
		{Environment, []string{"home=/home/mrs-live", "MRS_ENV=lab"}, true},
		{Environment, []string{"home=/home/mrs-production", "MRS_ENV=lab"}, false},
	} {
		inst, _ := Load(".", test.name, test.environ)
		if inst == nil || inst.Production() != test.is {
			t.Errorf("%s with %q is production: %v", test.name, test.environ, !test.is)
		}
	}
}
