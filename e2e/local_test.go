//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"
)

// instance is a local deployment of this test's own.
type instance struct {
	home string
	port int
	env  []string // what differs from env/local.env
}

// newInstance returns an instance that is removed when the test ends.
func newInstance(t *testing.T, name string, port int) *instance {
	t.Helper()
	i := &instance{home: filepath.Join("/tmp/mrs-e2e", name), port: port, env: []string{"LFTP_DSN="}}
	remove := []string{mage, "local:destroy", "-home=" + i.home, "-yes"}
	if r := run(t, nil, remove...); r.status != 0 {
		t.Fatalf("removing what an earlier run left: %s", r.output)
	}
	t.Cleanup(func() {
		cmd := exec.Command(remove[0], remove[1:]...)
		cmd.Dir = root
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("removing %s: %v\n%s", i.home, err, out)
		}
	})
	return i
}

// deploy runs deploy:local with more variables or flags ("-image=…").
func (i *instance) deploy(t *testing.T, more ...string) result {
	t.Helper()
	argv := []string{mage, "deploy:local", "-home=" + i.home, fmt.Sprintf("-port=%d", i.port)}
	env := i.env
	for _, word := range more {
		if strings.HasPrefix(word, "-") {
			argv = append(argv, word)
		} else {
			env = append(env, word)
		}
	}
	start := time.Now()
	r := run(t, env, argv...)
	t.Logf("deploy:local %s: exit status %d in %s", strings.Join(more, " "), r.status, time.Since(start).Round(100*time.Millisecond))
	return r
}

// mustDeploy is deploy for what has to succeed; it returns how many changes
// it made.
func (i *instance) mustDeploy(t *testing.T, more ...string) int {
	t.Helper()
	r := i.deploy(t, more...)
	if r.status != 0 {
		t.Fatalf("deploy:local %v: exit status %d\n%s", more, r.status, r.output)
	}
	m := regexp.MustCompile(`changed=(\d+) in `).FindStringSubmatch(lastLine(r.stdout))
	if m == nil {
		t.Fatalf("the last line does not say what has changed:\n%s", r.output)
	}
	changed, _ := strconv.Atoi(m[1])
	if !strings.Contains(lastLine(r.stdout), fmt.Sprintf("http://localhost:%d answers", i.port)) {
		t.Errorf("the last line is not the outcome: %q", lastLine(r.stdout))
	}
	return changed
}

// compose runs docker compose on the deployed file and returns its output.
func (i *instance) compose(t *testing.T, args ...string) string {
	t.Helper()
	return must(t, append([]string{"docker", "compose", "-f", i.home + "/docker-compose.yml"}, args...)...)
}

// sql returns what the database answers.
func (i *instance) sql(t *testing.T, query string) string {
	t.Helper()
	return i.compose(t, "exec", "-T", "postgres", "psql", "-U", "django", "-d", "mrs", "-qtAc", query)
}

// get asks for path under a Host header of choice and returns status and body.
func (i *instance) get(t *testing.T, host, path string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(t.Context(), http.MethodGet, fmt.Sprintf("http://127.0.0.1:%d%s", i.port, path), nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Host = host
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

func TestALocalDeploymentLivesAsProductionDoes(t *testing.T) {
	on(t, here, 100*time.Second)
	mrs := newInstance(t, "mrs-e2e", 8765)

	step(t, "deploys from nothing", func(t *testing.T) {
		if mrs.mustDeploy(t) == 0 {
			t.Error("nothing was changed")
		}
	})
	if t.Failed() {
		t.FailNow()
	}

	step(t, "answers to its own name and refuses others", func(t *testing.T) {
		if status, body := mrs.get(t, "localhost:8765", "/"); status != http.StatusOK || !strings.Contains(body, "<html") {
			t.Errorf("localhost: %d\n%s", status, body)
		}
		if status, _ := mrs.get(t, "evil.example.org", "/"); status != http.StatusBadRequest {
			t.Errorf("evil: %d, want 400", status)
		}
	})

	step(t, "deploys the file that compose:render prints, and docker compose accepts it", func(t *testing.T) {
		deployed, err := os.ReadFile(mrs.home + "/docker-compose.yml")
		if err != nil {
			t.Fatal(err)
		}
		rendered := run(t, append(mrs.env, "home="+mrs.home, "HOST=localhost:8765", `compose_django_ports=["8765:8000"]`, "RESTIC_REPOSITORY=", "POSTGRES_BACKUP="), mage, "compose:render", "local")
		if rendered.status != 0 || rendered.stdout != string(deployed) {
			t.Errorf("compose:render prints something else (exit status %d):\n%s", rendered.status, rendered.output)
		}
		var config struct {
			Name     string
			Services map[string]any
		}
		if err := json.Unmarshal([]byte(mrs.compose(t, "config", "--format", "json")), &config); err != nil {
			t.Fatal(err)
		}
		if config.Name != "mrs-e2e" || len(config.Services) != 2 {
			t.Errorf("docker compose reads %+v", config)
		}
	})

	step(t, "keeps secrets from other users of the machine", func(t *testing.T) {
		for name, mode := range map[string]os.FileMode{"": 0o700, "docker-compose.yml": 0o600, ".restic_password": 0o400, ".backup.env": 0o400} {
			info, err := os.Stat(filepath.Join(mrs.home, name))
			if err != nil {
				t.Fatal(err)
			}
			if info.Mode().Perm() != mode {
				t.Errorf("%s has mode %04o, want %04o", info.Name(), info.Mode().Perm(), mode)
			}
		}
	})

	step(t, "changes nothing the second time", func(t *testing.T) {
		before := mrs.compose(t, "ps", "--quiet")
		if changed := mrs.mustDeploy(t); changed != 0 {
			t.Errorf("changed=%d", changed)
		}
		if after := mrs.compose(t, "ps", "--quiet"); after != before {
			t.Errorf("containers were replaced: %s, then %s", before, after)
		}
	})

	step(t, "keeps data, attachments and logs when it is deployed again, after a backup", func(t *testing.T) {
		mrs.compose(t, "exec", "-T", "django", "mrs", "seed", "300")
		people := mrs.sql(t, "select count(*), sum(hashtext(p::text)) from person_person p")
		attachments := must(t, "bash", "-c", "cd "+mrs.home+"/mrsattachments && find . -type f | sort | xargs sha256sum | sha256sum && find . -type f | wc -l")
		if strings.HasSuffix(attachments, "\n0") {
			t.Error("seeding made no attachment")
		}
		log := must(t, "bash", "-c", "cat "+mrs.home+"/log/*.log | head -c 200")
		if log == "" {
			t.Error("there is no log")
		}
		before := mrs.compose(t, "ps", "--quiet", "django")

		mrs.env = append(mrs.env, "TEAM_EMAIL=team@example.org")
		if r := mrs.deploy(t); r.status != 0 || !strings.Contains(r.output, "is stopped and started anew, since no load balancer is before it: the site does not answer meanwhile") {
			t.Fatalf("exit status %d\n%s", r.status, r.output)
		}

		if mrs.compose(t, "ps", "--quiet", "django") == before {
			t.Error("the container was not replaced")
		}
		if got := mrs.compose(t, "exec", "-T", "django", "printenv", "TEAM_EMAIL"); got != "team@example.org" {
			t.Errorf("TEAM_EMAIL is %q", got)
		}
		if got := mrs.sql(t, "select count(*), sum(hashtext(p::text)) from person_person p"); got != people {
			t.Errorf("people were %s, are %s", people, got)
		}
		if got := must(t, "bash", "-c", "cd "+mrs.home+"/mrsattachments && find . -type f | sort | xargs sha256sum | sha256sum && find . -type f | wc -l"); got != attachments {
			t.Errorf("attachments were %s, are %s", attachments, got)
		}
		if got := must(t, "bash", "-c", "cat "+mrs.home+"/log/*.log"); !strings.HasPrefix(got, strings.TrimSpace(log)) {
			t.Error("the logs began anew")
		}
		if snapshots := mrs.snapshots(t); len(snapshots) != 1 || !strings.Contains(strings.Join(snapshots[0].Tags, " "), "deploy") {
			t.Errorf("the snapshots are %+v, want one tagged deploy", snapshots)
		}
	})

	step(t, "rotates the logs while the application writes them, and follows no link that is put there", func(t *testing.T) {
		first, _, _ := strings.Cut(must(t, "bash", "-c", "cat "+mrs.home+"/log/*.log"), "\n")
		if first == "" {
			t.Fatal("there is no log")
		}
		rotates(t, "/etc/logrotate.d/mrs-ops-mrs-e2e", mrs.home)
		if kept := must(t, "bash", "-c", "cd "+mrs.home+"/log; zcat --force *.log.*"); !strings.Contains(kept, first) {
			t.Errorf("%q is not in what was rotated", first)
		}
		eventually(t, "the application's log has lines again", func() bool {
			_, _ = mrs.get(t, "localhost:8765", "/there-is-none/")
			return must(t, "bash", "-c", "find "+mrs.home+"/log -name '*.log' -type f -exec cat {} +") != ""
		})
	})

	step(t, "backup.sh, then restore.sh, bring back a deleted row and a deleted attachment", func(t *testing.T) {
		must(t, mrs.home+"/backup.sh")
		people := mrs.sql(t, "select count(*), sum(hashtext(p::text)) from person_person p")
		mrs.sql(t, "truncate person_person cascade")
		must(t, "bash", "-c", "find "+mrs.home+"/mrsattachments -type f -delete")

		out := must(t, mrs.home+"/restore.sh", "latest")

		if got := mrs.sql(t, "select count(*), sum(hashtext(p::text)) from person_person p"); got != people {
			t.Errorf("people were %s, are %s\n%s", people, got, out)
		}
		if n := must(t, "bash", "-c", "find "+mrs.home+"/mrsattachments -type f | wc -l"); n == "0" {
			t.Error("no attachment came back")
		}
		if status, _ := mrs.get(t, "localhost:8765", "/"); status != http.StatusOK {
			t.Errorf("the site answers %d", status)
		}
		if changed := mrs.mustDeploy(t); changed != 0 {
			t.Errorf("a deployment after a restore changes %d things", changed)
		}
		must(t, mrs.home+"/prune.sh")
	})

	step(t, "refuses a snapshot that is not one, and changes nothing", func(t *testing.T) {
		people := mrs.sql(t, "select count(*) from person_person")
		for _, bad := range []string{"0123abcd", "$(id)", "latest;id", "../x"} {
			if r := run(t, nil, mrs.home+"/restore.sh", bad); r.status == 0 {
				t.Errorf("%s: restored\n%s", bad, r.output)
			}
		}
		if got := mrs.sql(t, "select count(*) from person_person"); got != people {
			t.Errorf("people were %s, are %s", people, got)
		}
	})

	step(t, "undoes a restore that is interrupted in the middle of the swap", func(t *testing.T) {
		people := mrs.sql(t, "select count(*), sum(hashtext(p::text)) from person_person p")
		files := must(t, "bash", "-c", "cd "+mrs.home+"/mrsattachments && find . -type f | sort | xargs sha256sum | sha256sum")
		folders := must(t, "ls", "-A", mrs.home)
		// It is told to end once the swap has begun.
		r := run(t, nil, "bash", "-c", "exec 3< <(exec "+mrs.home+"/restore.sh latest 2>&1); pid=$!; "+
			"while read -r line <&3; do echo \"$line\"; [ \"$line\" != swapping ] || { sleep 0.3; kill -TERM $pid; }; done; wait $pid")
		if r.status == 0 || !strings.Contains(r.output, "undoing") || !strings.Contains(r.output, "nothing was restored") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		if got := mrs.sql(t, "select count(*), sum(hashtext(p::text)) from person_person p"); got != people {
			t.Errorf("people were %s, are %s", people, got)
		}
		if got := must(t, "bash", "-c", "cd "+mrs.home+"/mrsattachments && find . -type f | sort | xargs sha256sum | sha256sum"); got != files {
			t.Error("the attachments are others")
		}
		if got := must(t, "ls", "-A", mrs.home); got != folders {
			t.Errorf("home had\n%s\nand has\n%s", folders, got)
		}
		if status, _ := mrs.get(t, "localhost:8765", "/"); status != http.StatusOK {
			t.Errorf("the site answers %d", status)
		}
	})

	step(t, "takes neither a lost repository for an empty one nor a wrong password for the right one", func(t *testing.T) {
		r := mrs.deploy(t, "RESTIC_PASSWORD=another")
		if r.status == 0 || !strings.Contains(r.output, "can't be opened with RESTIC_PASSWORD") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		must(t, mrs.home+"/backup.sh")

		must(t, "mv", mrs.home+"/restic", mrs.home+"/unmounted")
		for _, script := range []string{"backup.sh", "prune.sh", "restore.sh latest"} {
			if r := run(t, nil, "bash", "-c", mrs.home+"/"+script); r.status == 0 || !strings.Contains(r.output, "is its disk mounted?") {
				t.Errorf("%s: exit status %d\n%s", script, r.status, r.output)
			}
		}
		if r := mrs.deploy(t); r.status == 0 {
			t.Errorf("a deployment began another repository\n%s", r.output)
		}
		must(t, "mv", mrs.home+"/unmounted", mrs.home+"/restic")
		must(t, mrs.home+"/backup.sh")
	})

	step(t, "neither deploys over nor destroys the stack of another home with its name", func(t *testing.T) {
		before := mrs.compose(t, "ps", "--quiet")
		other := &instance{home: "/tmp/mrs-e2e/other/mrs-e2e", port: 8765, env: mrs.env}
		if r := other.deploy(t); r.status == 0 || !strings.Contains(r.output, "runs already, from "+mrs.home) {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		if r := run(t, nil, mage, "local:destroy", "-home="+other.home, "-yes"); r.status == 0 {
			t.Errorf("exit status 0\n%s", r.output)
		}
		if after := mrs.compose(t, "ps", "--quiet"); after != before {
			t.Errorf("containers were %s, are %s", before, after)
		}
	})

	step(t, "can be deployed again when its database has stopped", func(t *testing.T) {
		mrs.compose(t, "stop", "postgres")
		mrs.mustDeploy(t)
		if status, _ := mrs.get(t, "localhost:8765", "/"); status != http.StatusOK {
			t.Errorf("the site answers %d", status)
		}
	})

	step(t, "fails with the logs when the image is broken, and recovers with a good one", func(t *testing.T) {
		broken(t)
		r := mrs.deploy(t, "-image=mrs-e2e/broken:1", "healthcheck_timeout=20")
		if r.status == 0 {
			t.Error("exit status 0")
		}
		for _, want := range []string{"this image is broken on purpose", "hint:"} {
			if !strings.Contains(r.output, want) {
				t.Errorf("the output does not say %q:\n%s", want, r.output)
			}
		}
		mrs.mustDeploy(t)
		if status, _ := mrs.get(t, "localhost:8765", "/"); status != http.StatusOK {
			t.Errorf("the site answers %d", status)
		}
	})

	step(t, "refuses an image that does not exist before it touches anything", func(t *testing.T) {
		before := mrs.compose(t, "ps", "--quiet")
		if r := mrs.deploy(t, "-image=mrs-e2e/nowhere:1"); r.status == 0 || !strings.Contains(r.output, "mrs-e2e/nowhere:1") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		if after := mrs.compose(t, "ps", "--quiet"); after != before {
			t.Errorf("containers were replaced: %s, then %s", before, after)
		}
	})

	step(t, "refuses a port that is taken", func(t *testing.T) {
		listener, err := net.Listen("tcp", ":8766")
		if err != nil {
			t.Fatal(err)
		}
		defer listener.Close()
		if r := mrs.deploy(t, "-port=8766"); r.status == 0 || !strings.Contains(r.output, "port 8766 is taken") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
	})

	step(t, "is destroyed without a trace, once asked", func(t *testing.T) {
		if out := must(t, mage, "local:destroy", "-home="+mrs.home); !strings.Contains(out, "is kept") {
			t.Errorf("nobody answered, and the home was not kept: %s", out)
		}
		if _, err := os.Stat(mrs.home); err != nil {
			t.Error(err)
		}
		must(t, mage, "local:destroy", "-home="+mrs.home, "-yes")
		if _, err := os.Stat(mrs.home); !os.IsNotExist(err) {
			t.Errorf("%s is still there", mrs.home)
		}
		for _, kind := range []string{"container", "network", "volume"} {
			if left := must(t, "docker", kind, "ls", "--quiet", "--filter", "label=com.docker.compose.project=mrs-e2e"); left != "" {
				t.Errorf("%s left: %s", kind, left)
			}
		}
	})
}

// build builds an image of a Dockerfile alone. Where that installs packages, the image stays: the next run takes its
// layers.
func build(t *testing.T, tag, dockerfile string) {
	t.Helper()
	cmd := exec.Command("docker", "build", "--quiet", "--tag", tag, "-")
	cmd.Env = append(os.Environ(), "DOCKER_BUILDKIT=0")
	cmd.Stdin = strings.NewReader(dockerfile)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("docker build: %v\n%s", err, out)
	}
}

// broken builds an image that says so and dies.
func broken(t *testing.T) {
	t.Helper()
	build(t, "mrs-e2e/broken:1", "FROM betagouv/mrs:master\nENTRYPOINT []\nCMD [\"sh\", \"-c\", \"echo this image is broken on purpose; exit 1\"]\n")
	t.Cleanup(func() { exec.Command("docker", "rmi", "--force", "mrs-e2e/broken:1").Run() })
}

type snapshot struct {
	Tags []string
}

// snapshots returns what the instance's repository holds.
func (i *instance) snapshots(t *testing.T) []snapshot {
	t.Helper()
	r := run(t, []string{"RESTIC_PASSWORD_FILE=" + i.home + "/.restic_password", "RESTIC_REPOSITORY=" + i.home + "/restic"}, "restic", "snapshots", "--json")
	var list []snapshot
	if err := json.Unmarshal([]byte(r.stdout), &list); err != nil {
		t.Fatalf("%v\n%s", err, r.output)
	}
	return list
}
