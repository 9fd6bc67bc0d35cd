package ci

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/deploy"
)

// projectFiles are the env files of a project, without a secret.
var projectFiles = map[string]string{
	"env/production.env": "home=/home/mrs-production\ncompose=docker-compose.yml\nHOST=example.org\nALLOWED_HOSTS=example.org\nserver=example.org\n",
	"env/staging.env":    "home=/home/mrs-staging\ncompose=docker-compose.yml\nHOST=staging.example.org\nALLOWED_HOSTS=staging.example.org\nserver=staging.example.org\n",
	"env/ecole.env":      "home=/home/mrs-ecole\ncompose=docker-compose.yml\nHOST=ecole.example.org\nALLOWED_HOSTS=ecole.example.org\nserver=staging.example.org\n",
	"env/branch.env":     "domain=test.staging.example.org\nlifetime=604800\ncompose=docker-compose.yml,docker-compose.traefik.yml\nserver=staging.example.org\nssh_config=own-config\n",
	"own-config":         "Host staging.example.org\n  Port 2222\n",
}

// inProject makes a project the working directory, with a folder for temporary
// files of its own.
func inProject(t *testing.T) (temporary string) {
	t.Helper()
	root, temporary := t.TempDir(), t.TempDir()
	for path, content := range projectFiles {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	records, err := filepath.Abs("testdata")
	if err != nil {
		t.Fatal(err)
	}
	t.Chdir(root)
	if err := os.Symlink(records, "testdata"); err != nil { // GITHUB_EVENT_PATH is below it
		t.Fatal(err)
	}
	t.Setenv("TMPDIR", temporary)
	return temporary
}

// hidden is a value that must never be seen.
const hidden = "hunter2"

// equipped returns a recorded environment with all that a deployment needs.
func equipped(t *testing.T, name string) map[string]string {
	t.Helper()
	key, _ := newKey(t, "")
	env := changed(recorded(t, name),
		"REPO", "betagouv/mrs", "SSH_KEY", key, "SSH_FINGERPRINTS", scanned(t, "staging.example.org"), "DOCKER_PASS", hidden)
	for _, name := range []string{"PRODUCTION_ENV", "STAGING_ENV", "ECOLE_ENV", "BRANCH_ENV"} {
		env[name] = "# from " + name + "\r\nSECRET_KEY='" + hidden + "$PATH$x${HOME}$(id)'\nRESTIC_PASSWORD='a # b'\nADMINS=" + strings.ToLower(name) + "@example.org\n"
	}
	return env
}

// call is how a deployer was called, and what it found then.
type call struct {
	what    string
	options deploy.Options
	environ []string
	config  string // the content of the SSH configuration
	folder  os.FileMode
}

// recorder returns a deployer that writes down how it is called, and what.
func recorder(calls *[]call, err error) deployer {
	record := func(what string, o deploy.Options) error {
		c := call{what: what, options: o, environ: os.Environ()}
		config, _ := os.ReadFile(os.Getenv("ssh_config"))
		c.config = string(config)
		if info, err := os.Stat(filepath.Dir(os.Getenv("ssh_config"))); err == nil {
			c.folder = info.Mode().Perm()
		}
		*calls = append(*calls, c)
		return err
	}
	return deployer{
		to:     func(_ context.Context, name string, o deploy.Options) error { return record("to "+name, o) },
		branch: func(_ context.Context, branch string, o deploy.Options) error { return record("branch "+branch, o) },
	}
}

// captured returns what is printed while what is done.
func captured(t *testing.T, what func()) string {
	t.Helper()
	file, err := os.CreateTemp(t.TempDir(), "")
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	out, errOut := os.Stdout, os.Stderr
	os.Stdout, os.Stderr = file, file
	defer func() { os.Stdout, os.Stderr = out, errOut }()
	what()
	said, err := os.ReadFile(file.Name())
	if err != nil {
		t.Fatal(err)
	}
	return string(said)
}

func leftIn(t *testing.T, dir string) []string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

func TestEachRecordedRunDeploysTheImageOfItsCommitAndLeavesNoSecret(t *testing.T) {
	for name, m := range meanings {
		t.Run(name, func(t *testing.T) {
			setAll(t, equipped(t, name))
			temporary := inProject(t)
			before := os.Environ()
			var calls []call
			var err error
			said := captured(t, func() { err = recorder(&calls, nil).deploy(t.Context()) })
			if (err != nil) != (m.err != "") {
				t.Fatal(err)
			}
			if strings.Contains(said, hidden) {
				t.Errorf("a secret was printed: %s", said)
			}
			if left := leftIn(t, temporary); left != nil {
				t.Errorf("%q are left", left)
			}
			if after := os.Environ(); !slices.Equal(slices.Sorted(slices.Values(before)), slices.Sorted(slices.Values(after))) {
				t.Error("the process environment is another than before")
			}
			if m.err != "" || m.want == nothing {
				if calls != nil {
					t.Errorf("%+v were deployed", calls)
				}
				return
			}
			want := "to " + m.want.Instance
			if m.want.Branch != "" {
				want = "branch " + m.want.Branch
			}
			if len(calls) != 1 || calls[0].what != want {
				t.Fatalf("got %+v, want %s", calls, want)
			}
			c := calls[0]
			if o := c.options; o.Image != "betagouv/mrs:"+commit || o.Commit != commit || !o.Yes || o.DryRun || o.Author == "" || !strings.HasPrefix(o.Link, "https://") {
				t.Errorf("got %+v", o)
			}
			for _, pair := range []string{"SECRET_KEY=" + hidden + "$PATH$x${HOME}$(id)", "RESTIC_PASSWORD=a # b", "ADMINS=" + strings.ToLower(m.want.secret()) + "@example.org"} {
				if !slices.Contains(c.environ, pair) {
					t.Errorf("the deployment does not have %s", pair)
				}
			}
			for _, pair := range c.environ {
				name, _, _ := strings.Cut(pair, "=")
				if slices.Contains(handed, name) {
					t.Errorf("what is run has %s", name)
				}
				if name == "MRS_OPERATOR" && !strings.Contains(pair, "#") {
					t.Errorf("got %s", pair)
				}
			}
			// Branches have a configuration of their own here, which may name a user.
			if logsIn := slices.ContainsFunc(c.environ, func(pair string) bool { return strings.HasPrefix(pair, "server=deploy@") }); logsIn == (m.want.Branch != "") {
				t.Errorf("it logs in as deploy: %t", logsIn)
			}
			if c.folder != 0o700 || !strings.Contains(c.config, "StrictHostKeyChecking yes") {
				t.Errorf("folder %o has %q", c.folder, c.config)
			}
			if root, _ := os.Getwd(); strings.Contains(c.config, "Include "+root+"/own-config\n") != (m.want.Branch != "") {
				t.Errorf("got %q", c.config)
			}
		})
	}
}

func TestAFailedDeploymentLeavesNothingAndIsTheError(t *testing.T) {
	setAll(t, equipped(t, "gitlab-push-master"))
	temporary := inProject(t)
	var calls []call
	broken := errors.New("the old version answers again")
	if err := recorder(&calls, broken).deploy(t.Context()); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if left := leftIn(t, temporary); left != nil || os.Getenv("ssh_config") != "" || os.Getenv("SSH_KEY") == "" {
		t.Errorf("%q are left, or the environment is another", left)
	}
}

func TestAllThatIsMissingIsSaidAtOnceInTheSystemsOwnWordsAndNothingIsTouched(t *testing.T) {
	for name, c := range map[string]struct {
		secret, where string
	}{
		"drone-push-branch":          {"BRANCH_ENV", "from_secret"},
		"drone-promote-production":   {"PRODUCTION_ENV", "from_secret"},
		"gitlab-push-master-ecole":   {"ECOLE_ENV", "Settings, CI/CD, Variables"},
		"github-push-master":         {"STAGING_ENV", "Secrets and variables, Actions"},
		"github-dispatch-production": {"PRODUCTION_ENV", "Secrets and variables, Actions"},
	} {
		t.Run(name, func(t *testing.T) {
			setAll(t, recorded(t, name))
			temporary := inProject(t)
			var calls []call
			err := recorder(&calls, nil).deploy(t.Context())
			refused, ok := errors.AsType[*Refused](err)
			if !ok {
				t.Fatalf("got %v", err)
			}
			var names []string
			for _, p := range refused.Problems {
				names = append(names, p.Name)
			}
			want := []string{"REPO", "SSH_KEY", "SSH_FINGERPRINTS", c.secret, "SECRET_KEY"}
			if !slices.Equal(names, want) {
				t.Errorf("got %q, want %q", names, want)
			}
			if n := strings.Count(err.Error(), c.where); n != 4 {
				t.Errorf("where to set it is said %d times: %v", n, err)
			}
			if !strings.Contains(err.Error(), "put SECRET_KEY=… in "+c.secret) {
				t.Errorf("got %v", err)
			}
			if calls != nil || leftIn(t, temporary) != nil {
				t.Error("something was touched")
			}
		})
	}
}

func TestWhatIsMalformedIsSaidWithoutShowingIt(t *testing.T) {
	for name, c := range map[string]struct {
		change []string
		want   string
	}{
		"no dotenv":                         {[]string{"STAGING_ENV", "A=1\nSECRET KEY " + hidden + "\n"}, "STAGING_ENV can't be read: line 2 is not NAME=VALUE"},
		"an open quote":                     {[]string{"STAGING_ENV", "SECRET_KEY=\"" + hidden + "\n"}, "STAGING_ENV can't be read: line 1 opens a quote"},
		"a name that is none":               {[]string{"STAGING_ENV", "SECRET_KEY=x\n" + hidden + ".x=1\n"}, "STAGING_ENV can't be read: line 2 has no name"},
		"a $ outside quotes":                {[]string{"STAGING_ENV", "SECRET_KEY=" + hidden + "$HOME\n"}, "STAGING_ENV can't be read: line 1 holds a $"},
		"a # behind a blank":                {[]string{"STAGING_ENV", "A=1\r\nSECRET_KEY=" + hidden + " #1\n"}, "STAGING_ENV can't be read: line 2 holds a #"},
		"a backslash that is lost":          {[]string{"STAGING_ENV", `SECRET_KEY="` + hidden + `\b"`}, "STAGING_ENV can't be read: line 1 holds a \\"},
		"a variable twice":                  {[]string{"STAGING_ENV", "SECRET_KEY=x\nSECRET_KEY=" + hidden + "\n"}, "STAGING_ENV can't be read: line 2 sets what line 1 sets"},
		"a secret under another name":       {[]string{"STAGING_ENV", "SECRET_KEY=x\nserver=" + hidden + " \\\"x\n"}, "correct it in STAGING_ENV"},
		"a key that is none":                {[]string{"SSH_KEY", hidden}, "SSH_KEY is no private key"},
		"fingerprints that are none":        {[]string{"SSH_FINGERPRINTS", hidden}, "SSH_FINGERPRINTS holds something else"},
		"an SSH configuration that is gone": {[]string{"ssh_config", "nowhere"}, "ssh_config names a file that can't be read"},
	} {
		t.Run(name, func(t *testing.T) {
			setAll(t, changed(equipped(t, "gitlab-push-master"), c.change...))
			inProject(t)
			var calls []call
			err := recorder(&calls, nil).deploy(t.Context())
			if err == nil || !strings.Contains(err.Error(), c.want) || calls != nil {
				t.Fatalf("got %v, want %q", err, c.want)
			}
			if strings.Contains(err.Error(), hidden) {
				t.Errorf("it shows a secret: %v", err)
			}
		})
	}
}

func TestAVariableThatIsSetAlreadyStays(t *testing.T) {
	setAll(t, changed(equipped(t, "gitlab-push-master"), "SECRET_KEY", "mine", "MRS_OPERATOR", "me"))
	inProject(t)
	var calls []call
	if err := recorder(&calls, nil).deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
	for _, pair := range []string{"SECRET_KEY=mine", "MRS_OPERATOR=me"} {
		if !slices.Contains(calls[0].environ, pair) {
			t.Errorf("no %s", pair)
		}
	}
}

func TestOnlySecretsAreMasked(t *testing.T) {
	r, err := Read(getenv(recorded(t, "github-push-master")))
	if err != nil {
		t.Fatal(err)
	}
	env := changed(equipped(t, "github-push-master"), "STAGING_ENV",
		"SECRET_KEY='k$1'\nHOST=staging.example.org\nRESTIC_REPOSITORY=rest:https://u:"+hidden+"@example.org/\nANOTHER=x\nEMPTY=\nSERVER_KEY=\"a\\nb\"\n")
	setAll(t, env)
	inProject(t)
	var environ []string
	for name, value := range env {
		environ = append(environ, name+"="+value)
	}
	j, err := newJob(".", r, Target{Instance: "staging"}, environ)
	if err != nil {
		t.Fatal(err)
	}
	want := []string{"x", "", "rest:https://u:" + hidden + "@example.org/", "k$1", "a\nb"}
	if !slices.Equal(j.masks, want) {
		t.Errorf("got %q, want %q", j.masks, want)
	}
}

// TestInterruptedDeploymentsLeaveNothingBehind runs this test's program as the one that deploys.
func TestInterruptedDeploymentsLeaveNothingBehind(t *testing.T) {
	if os.Getenv("MRS_TEST_DEPLOY") != "" {
		deployUntilKilled(t)
		return
	}
	for name, c := range map[string]struct {
		signals []syscall.Signal
		said    string
	}{
		"SIGTERM":                {[]syscall.Signal{syscall.SIGTERM}, "terminated signal received"},
		"SIGINT":                 {[]syscall.Signal{syscall.SIGINT}, "interrupt signal received"},
		"SIGHUP":                 {[]syscall.Signal{syscall.SIGHUP}, "hangup signal received"},
		"SIGKILL":                {[]syscall.Signal{syscall.SIGKILL}, ""},
		"one that goes on twice": {[]syscall.Signal{syscall.SIGINT, syscall.SIGTERM}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			setAll(t, equipped(t, "gitlab-push-master"))
			temporary := inProject(t)
			cmd := exec.Command(os.Args[0], "-test.run=^TestInterruptedDeploymentsLeaveNothingBehind$", "-test.v")
			cmd.Env = append(os.Environ(), "MRS_TEST_DEPLOY="+name)
			var said bytes.Buffer
			cmd.Stdout, cmd.Stderr = &said, &said
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			defer cmd.Process.Kill()
			exists := func(path string) func() bool {
				return func() bool { _, err := os.Stat(path); return err == nil }
			}
			until(t, exists("deploying"))
			if left := leftIn(t, temporary); len(left) != 1 {
				t.Fatalf("while it deploys there are %q", left)
			}
			for i, s := range c.signals {
				if i > 0 {
					until(t, exists("interrupted"))
				}
				if err := cmd.Process.Signal(s); err != nil {
					t.Fatal(err)
				}
			}
			err := cmd.Wait()
			until(t, func() bool { return leftIn(t, temporary) == nil })
			if err == nil || !strings.Contains(said.String(), c.said) {
				t.Errorf("%v: %s", err, said.String())
			}
			if strings.Contains(said.String(), hidden) {
				t.Errorf("it shows a secret: %s", said.String())
			}
		})
	}
}

func until(t *testing.T, what func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(10 * time.Millisecond) {
		if what() {
			return
		}
	}
	t.Fatal("it does not come")
}

// deployUntilKilled deploys nothing until it is interrupted, or goes on even then.
func deployUntilKilled(t *testing.T) {
	touch := func(path string) {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	d := deployer{to: func(ctx context.Context, _ string, _ deploy.Options) error {
		touch("deploying")
		<-ctx.Done()
		if strings.HasPrefix(os.Getenv("MRS_TEST_DEPLOY"), "one that goes on") {
			time.Sleep(50 * time.Millisecond) // the next signal is the default's again
			touch("interrupted")
			time.Sleep(time.Minute)
		}
		return context.Cause(ctx)
	}}
	if err := d.deploy(t.Context()); err != nil {
		t.Fatal(err)
	}
}

// TestACancelledDeploymentLeavesNothing: mage cancels at Ctrl-C.
func TestACancelledDeploymentLeavesNothing(t *testing.T) {
	setAll(t, equipped(t, "drone-push-master"))
	temporary := inProject(t)
	ctx, cancel := context.WithCancel(t.Context())
	d := deployer{to: func(ctx context.Context, _ string, _ deploy.Options) error {
		cancel()
		<-ctx.Done()
		return ctx.Err()
	}}
	if err := d.deploy(ctx); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
	if left := leftIn(t, temporary); left != nil {
		t.Errorf("%q are left", left)
	}
}

// TestTheProjectsOwnInstancesNeedNoMoreThanTheirSecrets keeps env/ and what this
// package takes for granted about it together.
func TestTheProjectsOwnInstancesNeedNoMoreThanTheirSecrets(t *testing.T) {
	for _, target := range []Target{{Instance: "production"}, {Instance: "staging"}, {Instance: "ecole"}, {Instance: "branch", Branch: hostile}} {
		_, problems, err := load("../..", target, map[string]string{"SECRET_KEY": "k"}, nil)
		if err != nil || problems != nil {
			t.Errorf("%s: %v, %v", target, problems, err)
		}
	}
}

func TestSecretsInTheOldFormAreReadAsThePipelineBeforeReadThem(t *testing.T) {
	staging := Target{Instance: "staging"}
	for text, want := range map[string]string{
		"SECRET_KEY=abc HOST=x.example LISTEN=":        "map[HOST:x.example LISTEN: SECRET_KEY:abc]",
		"SECRET_KEY=abc=1\nHOST=x.example LISTEN=10\n": "map[HOST:x.example LISTEN:10 SECRET_KEY:abc=1]",
		"SECRET_KEY=a$B LISTEN=10 ADMINS=#x":           "map[ADMINS:#x LISTEN:10 SECRET_KEY:a$B]",
		"SECRET_KEY=x B=1":                             "",
		"SECRET_KEY=x LISTEN=1 LISTEN=2":               "",
		"A=correct B=x horse":                          "",
		"A=1 B='2 3'":                                  "",
		"A='x B=1'\nC=2":                               "map[A:x B=1 C:2]",
		"# A=1 B=2\nC=3":                               "map[C:3]",
		"A=https://x.example/?a=1&b=2\n":               "map[A:https://x.example/?a=1&b=2]",
	} {
		values, problems := parseEnv(console.Drone, staging, text)
		if want == "" {
			if len(problems) != 1 ||
				!strings.Contains(problems[0].Reason, "line 1 holds several variables") || strings.Contains(problems[0].Reason+problems[0].Mend, "correct B") {
				t.Errorf("%q: %v, %v", text, values, problems)
			}
			continue
		}
		if got := fmt.Sprint(values); got != want || problems != nil {
			t.Errorf("%q: got %s, %v; want %s", text, got, problems, want)
		}
	}
}

func TestAPipelineLogsInAsDeployAtAnyFormOfAServer(t *testing.T) {
	for server, want := range map[string]string{
		"[2001:db8::1]:2222": "deploy@[2001:db8::1]:2222",
		"host:2222":          "deploy@host:2222",
		"user@host:22":       "",
		"root@[2001:db8::1]": "",
	} {
		env := changed(equipped(t, "gitlab-push-master"), "server", server)
		r, err := Read(func(name string) string { return env[name] })
		if err != nil {
			t.Fatal(err)
		}
		var environ []string
		for name, value := range env {
			environ = append(environ, name+"="+value)
		}
		inProject(t)
		j, err := newJob(".", r, Target{Instance: "staging"}, environ)
		if got := j.env["server"]; err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", server, got, err, want)
		}
	}
}
