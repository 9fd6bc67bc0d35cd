//go:build e2e

package e2e

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// labState is a machine in what lab:status -json prints.
type labState struct{ Machine, State, Address, Engine, Traefik, Registry string }

// lab returns the machines of the clone's lab, by name.
func (c clone) lab(t *testing.T) map[string]labState {
	t.Helper()
	var states []labState
	if err := json.Unmarshal([]byte(c.must(t, mage, "lab:status", "-json")), &states); err != nil {
		t.Fatal(err)
	}
	lab := map[string]labState{}
	for _, s := range states {
		lab[s.Machine] = s
	}
	return lab
}

// registry returns the process that the clone's lab has for a registry.
func (c clone) registry() (pid int, err error) {
	var registry struct{ PID int }
	content, err := os.ReadFile(filepath.Join(c.dir, ".vagrant/lab/registry.json"))
	if err == nil {
		err = json.Unmarshal(content, &registry)
	}
	return registry.PID, err
}

func (c clone) mustRegistry(t *testing.T) int {
	t.Helper()
	pid, err := c.registry()
	if err != nil {
		t.Fatal(err)
	}
	return pid
}

// ask asks a machine for the front page of host, without following redirects.
func ask(t *testing.T, address, host string) (status int, header http.Header, body string) {
	t.Helper()
	request, err := http.NewRequest(http.MethodGet, "http://"+address+"/", nil)
	if err != nil {
		t.Fatal(err)
	}
	request.Host = host
	client := &http.Client{Timeout: 10 * time.Second, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	answer, err := client.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil {
		t.Fatal(err)
	}
	return answer.StatusCode, answer.Header, string(content)
}

// rehearsal is the lab, and what is deployed in it.
type rehearsal struct {
	clone
	fixture             *fixture
	production, staging string // addresses
	registry            string
}

// fixture is a lab of a run, made by the first test that gets it.
type fixture struct {
	name string // that of its folder in /tmp, where it is kept for the next run
	clone
	refused  result // of MRS_ENV=lab before it was there
	absent   string // what lab:status said then
	said     string // by lab:up
	machines map[string]labState
	err      error // why there is none
}

// labs are all that a run may have: the second is made where two tests want one at once. Of those that nobody has,
// the free ones, a test gets one that is there, or makes one.
var labs = [...]*fixture{{name: "mrs-e2e-lab"}, {name: "mrs-e2e-lab-2"}}

var free = struct {
	sync.Mutex
	labs []*fixture
}{labs: labs[:]}

// inTheLab begins a test that has a lab for itself, and returns that. It lasts so long, about.
func inTheLab(t *testing.T, lasts time.Duration) rehearsal {
	t.Helper()
	turn := on(t, aLab, lasts)
	f := takeLab()
	t.Cleanup(func() { f.leave(t) })
	calm.RLock()
	defer calm.RUnlock()
	if f.err != nil {
		t.Fatal(f.err)
	}
	if f.dir == "" {
		f.err = fmt.Errorf("the lab %s can't be made: see %s, which tried to", f.name, t.Name())
		f.open(t)
		f.err = nil
	}
	lanes.made(turn)
	// Whatever time it is: the test about the jobs' minutes waits for them.
	l := rehearsal{f.with("wait_for_jobs="), f, f.machines["production"].Address, f.machines["staging"].Address, f.machines["staging"].Registry}
	// In whatever order tests are run: another may have left data of another PostgreSQL.
	for _, name := range []string{"production", "staging"} {
		l.clear(t, name)
	}
	return l
}

// takeLab returns a lab that nobody has: as many tests as there are labs have the lane.
func takeLab() *fixture {
	free.Lock()
	defer free.Unlock()
	n := max(0, slices.IndexFunc(free.labs, func(f *fixture) bool { return f.dir != "" }))
	f := free.labs[n]
	free.labs = slices.Delete(slices.Clone(free.labs), n, n+1)
	return f
}

// leave gives a lab to whoever wants one; where nobody does, it goes.
func (f *fixture) leave(t *testing.T) {
	t.Helper()
	if !lanes.wanted(aLab) {
		calm.RLock()
		defer calm.RUnlock()
		if err := f.close(); err != nil {
			t.Error(err)
		}
	}
	free.Lock()
	defer free.Unlock()
	free.labs = append(free.labs, f)
}

// open makes the lab, or goes on with the one that was kept.
func (f *fixture) open(t *testing.T) {
	t.Helper()
	dir := filepath.Join("/tmp", f.name)
	if !*keep {
		parent, err := os.MkdirTemp("", f.name+"-")
		if err != nil {
			t.Fatal(err)
		}
		dir = filepath.Join(parent, fmt.Sprintf("%s-%d", f.name, os.Getpid()))
	}
	f.clone = clone{dir: dir}
	f.fill(t)
	if _, err := os.Stat(filepath.Join(f.dir, "env/lab")); os.IsNotExist(err) {
		f.refused, f.absent = f.run(t, "env", "MRS_ENV=lab", mage, "env:show", "production"), f.run(t, mage, "lab:status").stderr
	}
	up := f.run(t, mage, "lab:up")
	if up.status != 0 {
		t.Fatalf("the lab %s can't be made: exit status %d\n%s", f.name, up.status, up.output)
	}
	f.said = up.stdout
	f.machines = f.lab(t)
	f.noNight(t)
}

// noNight keeps the clock from backing up, pruning and drilling what the tests count: it may be night now.
func (c clone) noNight(t *testing.T) {
	t.Helper()
	for machine, instances := range map[string]string{"production": "production", "staging": "staging ecole"} {
		// Of all units whose names begin so (systemd.unit(5)).
		c.must(t, "ssh", "-F", ".vagrant-ssh", machine, `sudo bash -euc '
for instance in `+instances+`; do
  folder=/etc/systemd/system/mrs-$instance-.timer.d
  mkdir -p "$folder"
  printf "[Timer]\nOnCalendar=\nOnCalendar=2099-01-01\n" >"$folder/no-night.conf"
done
systemctl daemon-reload' </dev/null`)
	}
}

// clear removes an instance that is called like its machine, with its home.
func (l rehearsal) clear(t *testing.T, name string) {
	t.Helper()
	l.remove(t, name, "mrs-"+name, "/home/mrs-"+name)
}

// remove removes a project and its folder from a machine, and what is remembered
// of it. What runs on for nobody costs the others: its health checks alone take a
// tenth of a processor.
func (l rehearsal) remove(t *testing.T, machine, project, folder string) {
	t.Helper()
	l.lose(t, machine, project, folder)
	l.sh(t, machine, "rm -f /var/log/mrs-ops/"+project+".* /var/lib/mrs-ops/"+project+".*")
}

// lose takes a project's containers and its folder away.
func (l rehearsal) lose(t *testing.T, machine, project, folder string) {
	t.Helper()
	l.sh(t, machine, `docker ps -aq --filter label=com.docker.compose.project=`+project+` | xargs -r docker rm --force --volumes >/dev/null
rm -rf `+folder)
}

// close removes the lab, unless it is kept, and returns what is left of it.
func (f *fixture) close() error {
	if f.dir == "" {
		return nil
	}
	if *keep {
		fmt.Printf("the lab is kept in %s; to remove it: cd %[1]s && go tool mage lab:down\n", f.dir)
		return nil
	}
	defer func() { *f = fixture{name: f.name, err: f.err} }()
	pid, _ := f.registry()
	var errs []error
	const gone = `set -o pipefail; docker ps --all --quiet --filter "label=$0" | xargs --no-run-if-empty docker rm --force`
	if out, err := exec.Command("bash", "-c", gone, keeping(f.dir)).CombinedOutput(); err != nil {
		errs = append(errs, fmt.Errorf("who keeps an address stays: %w\n%s", err, out))
	}
	for range 2 { // the second time there is nothing to do
		cmd := exec.Command(mage, "lab:down")
		cmd.Dir = f.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			errs = append(errs, fmt.Errorf("lab:down: %w\n%s", err, out))
		}
	}
	if left, _ := exec.Command("docker", "ps", "--all", "--quiet", "--filter", "name=^/?"+filepath.Base(f.dir)+"_").Output(); len(left) > 0 {
		errs = append(errs, fmt.Errorf("lab:down leaves machines: %s", left))
	}
	if out, _ := exec.Command("ps", "-o", "args=", "-p", strconv.Itoa(pid)).Output(); strings.Contains(string(out), "registry serve") { // a zombie is nobody's
		errs = append(errs, fmt.Errorf("lab:down leaves the registry: %s", out))
	}
	for _, path := range []string{"env/lab", ".vagrant/lab", ".vagrant-ssh"} {
		if _, err := os.Stat(filepath.Join(f.dir, path)); !os.IsNotExist(err) {
			errs = append(errs, fmt.Errorf("lab:down leaves %s: %v", path, err))
		}
	}
	return errors.Join(append(errs, os.RemoveAll(filepath.Dir(f.dir)))...)
}

func TestTheLabIsWhereTheInstancesRunThatMRSEnvAimsAt(t *testing.T) {
	// It takes less, but comes before the power cut in whichever lab: of a machine whose address was taken meanwhile, Docker
	// knows another one, which lab:up would have in the names.
	l := inTheLab(t, 160*time.Second)
	c := l.clone

	step(t, "without a lab, MRS_ENV=lab is refused rather than aimed at the servers", func(t *testing.T) {
		if l.fixture.absent == "" {
			t.Log("not seen now: this lab was kept")
			return
		}
		if r := l.fixture.refused; r.status == 0 || !strings.Contains(r.output, "there is no folder env/lab") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		if lastLine(l.fixture.absent) != "there is no lab; mage lab:up makes it" {
			t.Errorf("the last line is %q", lastLine(l.fixture.absent))
		}
	})

	step(t, "lab:up makes it, and the second time changes nothing", func(t *testing.T) {
		if !strings.HasPrefix(lastLine(l.fixture.said), "the lab is up: production ") {
			t.Fatalf("the last line is %q", lastLine(l.fixture.said))
		}
		pid := c.mustRegistry(t)
		again := c.must(t, mage, "lab:up")
		if !strings.Contains(again, "ansible/lab.yml: done, changed=0 on 2 hosts") {
			t.Errorf("a second run changes something:\n%s", again)
		}
		if now := c.mustRegistry(t); now != pid {
			t.Errorf("the registry was process %d, and is %d", pid, now)
		}
		for _, secret := range []string{"production", "staging", "ecole", "branch"} {
			if info, err := os.Stat(filepath.Join(c.dir, "env/lab", secret+".secrets.env")); err != nil || info.Mode() != 0o600 {
				t.Errorf("%v, %v", info, err)
			}
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	lab := c.lab(t)

	step(t, "on both machines the engine, Traefik and the registry answer", func(t *testing.T) {
		for _, name := range []string{"production", "staging"} {
			m := lab[name]
			if m.State != "running" || m.Engine == "" || m.Traefik != "404 Not Found" || m.Registry == "" {
				t.Errorf("%s: %+v", name, m)
			}
			if status, _, _ := ask(t, m.Address, m.Address); status != http.StatusNotFound {
				t.Errorf("port 80 of %s: %d", name, status)
			}
		}
		if out := must(t, "ss", "--no-header", "--listening", "--numeric", "--tcp", "src", lab["staging"].Registry); out == "" {
			t.Error("the registry listens elsewhere than it says")
		}
		if out := must(t, "ss", "--no-header", "--listening", "--numeric", "--tcp", "--processes"); strings.Count(out, "pid="+strconv.Itoa(c.mustRegistry(t))+",") != 1 {
			t.Errorf("the registry listens at more than one address:\n%s", out)
		}
	})

	step(t, "a machine is closed but for 22, 80 and 443", func(t *testing.T) {
		m := lab["staging"]
		closed(t, m.Address, m.Registry+"/traefik:v3.0", func(script string) string { return l.sh(t, "staging", script) })
	})

	step(t, "a machine pulls from the registry what the lab has pushed", func(t *testing.T) {
		c.must(t, "ssh", "-F", ".vagrant-ssh", "staging", "sudo", "docker", "pull", "--quiet", lab["staging"].Registry+"/mailhog/mailhog")
	})

	l.clear(t, "staging")
	const running = "docker ps --format '{{.Names}}' | sort"
	neighbours := l.sh(t, "production", running)
	deploy := []string{"env", "MRS_ENV=lab", mage, "vagrant:bigsudo", "ansible/deploy.yml @staging instance=staging"}
	step(t, "staging is deployed there, answers by Traefik, and a second run changes nothing", func(t *testing.T) {
		if out := c.must(t, deploy...); changes(t, out) == "0" {
			t.Errorf("nothing was deployed:\n%s", out)
		}
		address := lab["staging"].Address
		for host, want := range map[string]int{
			"www.staging.lab": http.StatusUnauthorized, "staging.lab": http.StatusFound, "mail.staging.lab": http.StatusUnauthorized, "evil.lab": http.StatusNotFound,
		} {
			if status, header, body := ask(t, address, host); status != want {
				t.Errorf("%s: %d, not %d: %v\n%s", host, status, want, header, body)
			}
		}
		if again := c.must(t, deploy...); changes(t, again) != "0" {
			t.Errorf("a second run changes something:\n%s", again)
		}
		images := c.must(t, "ssh", "-F", ".vagrant-ssh", "staging", "sudo", "docker", "ps", "--format", "{{.Image}}")
		for _, image := range []string{"betagouv/mrs:master", "postgres:15", "mailhog/mailhog", "traefik:v3.0"} {
			if !slices.Contains(strings.Fields(images), lab["staging"].Registry+"/"+image) {
				t.Errorf("%s is not from the registry:\n%s", image, images)
			}
		}
		if out := l.sh(t, "production", running); out != neighbours {
			t.Errorf("on production runs\n%s\nand ran\n%s", out, neighbours)
		}
	})

	step(t, "what the site mails stays in the lab", func(t *testing.T) {
		const compose = "sudo docker compose --file /home/mrs-staging/docker-compose.yml "
		c.must(t, "ssh", "-F", ".vagrant-ssh", "staging", compose+"exec -T django mrs sendtestemail somebody@example.org </dev/null")
		said := c.must(t, "ssh", "-F", ".vagrant-ssh", "staging",
			"curl --silent --fail http://$(sudo docker inspect --format '{{.NetworkSettings.Networks.web.IPAddress}}' mrs-staging-mail-1):8025/api/v2/messages")
		if !strings.Contains(said, `"total":1`) || !strings.Contains(said, `"somebody@example.org"`) {
			t.Errorf("the mail server has %s", said)
		}
	})

	step(t, "lab:up mends what is broken: a dead registry, forgotten names", func(t *testing.T) {
		must(t, "kill", "-KILL", strconv.Itoa(c.mustRegistry(t)))
		c.must(t, "ssh", "-F", ".vagrant-ssh", "production", "sudo sh -c 'grep -v lab /etc/hosts >/tmp/hosts; cat /tmp/hosts >/etc/hosts'")
		if out := c.run(t, mage, "lab:status").stderr; lastLine(out) != "the lab is not complete: production, staging; mage lab:up mends it" {
			t.Errorf("the last line is %q", lastLine(out))
		}
		if out := c.must(t, mage, "lab:up"); !strings.Contains(out, "ansible/lab.yml: done, changed=1 on 2 hosts") {
			t.Errorf("it does more than mend:\n%s", out)
		}
		if out := c.run(t, mage, "lab:status").stderr; lastLine(out) != "the lab is up; MRS_ENV=lab aims at it" {
			t.Errorf("the last line is %q", lastLine(out))
		}
		if registry := c.lab(t)["staging"].Registry; registry != lab["staging"].Registry {
			t.Errorf("the registry has moved from %s to %s", lab["staging"].Registry, registry)
		}
	})
}
