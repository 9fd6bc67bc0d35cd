//go:build e2e

package e2e

import (
	"encoding/json"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
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
func (c clone) registry(t *testing.T) int {
	t.Helper()
	var registry struct{ PID int }
	content, err := os.ReadFile(filepath.Join(string(c), ".vagrant/lab/registry.json"))
	if err == nil {
		err = json.Unmarshal(content, &registry)
	}
	if err != nil {
		t.Fatal(err)
	}
	return registry.PID
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

func TestTheLabIsWhereTheInstancesRunThatMRSEnvAimsAt(t *testing.T) {
	must(t, mage, "setup")
	c := newClone(t)
	t.Cleanup(func() { // before that of the clone
		if r := c.run(t, mage, "lab:down"); r.status != 0 {
			t.Errorf("lab:down: exit status %d\n%s", r.status, r.output)
		}
	})

	t.Run("without a lab, MRS_ENV=lab is refused rather than aimed at the servers", func(t *testing.T) {
		if r := c.run(t, "env", "MRS_ENV=lab", mage, "env:show", "production"); r.status == 0 || !strings.Contains(r.output, "there is no folder env/lab") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		if out := c.must(t, mage, "lab:status"); lastLine(out) != "there is no lab; mage lab:up makes it" {
			t.Errorf("the last line is %q", lastLine(out))
		}
	})

	t.Run("lab:up makes it, and the second time changes nothing", func(t *testing.T) {
		if out := c.must(t, mage, "lab:up"); !strings.HasPrefix(lastLine(out), "the lab is up: production ") {
			t.Fatalf("the last line is %q", lastLine(out))
		}
		pid := c.registry(t)
		again := c.must(t, mage, "lab:up")
		if !strings.Contains(again, "ansible/lab.yml: done, changed=0 on 2 hosts") {
			t.Errorf("a second run changes something:\n%s", again)
		}
		if now := c.registry(t); now != pid {
			t.Errorf("the registry was process %d, and is %d", pid, now)
		}
		for _, secret := range []string{"production", "staging", "ecole", "branch"} {
			if info, err := os.Stat(filepath.Join(string(c), "env/lab", secret+".secrets.env")); err != nil || info.Mode() != 0o600 {
				t.Errorf("%v, %v", info, err)
			}
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	lab := c.lab(t)

	t.Run("on both machines the engine, Traefik and the registry answer", func(t *testing.T) {
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
		if out := must(t, "ss", "--no-header", "--listening", "--numeric", "--tcp", "--processes"); strings.Count(out, "pid="+strconv.Itoa(c.registry(t))+",") != 1 {
			t.Errorf("the registry listens at more than one address:\n%s", out)
		}
	})

	t.Run("a machine pulls from the registry what the lab has pushed", func(t *testing.T) {
		c.must(t, "ssh", "-F", ".vagrant-ssh", "staging", "sudo", "docker", "pull", "--quiet", lab["staging"].Registry+"/mailhog/mailhog")
	})

	deploy := []string{"env", "MRS_ENV=lab", mage, "vagrant:bigsudo", "ansible/deploy.yml @staging instance=staging"}
	t.Run("staging is deployed there, answers by Traefik, and a second run changes nothing", func(t *testing.T) {
		if out := c.must(t, deploy...); changes(t, out) == "0" {
			t.Errorf("nothing was deployed:\n%s", out)
		}
		address := lab["staging"].Address
		for host, want := range map[string]int{
			"staging.lab": http.StatusUnauthorized, "mail.staging.lab": http.StatusUnauthorized, "www.staging.lab": http.StatusMovedPermanently, "evil.lab": http.StatusNotFound,
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
		if out := c.must(t, "ssh", "-F", ".vagrant-ssh", "production", "sudo", "docker", "ps", "--format", "{{.Names}}"); out != "traefik" {
			t.Errorf("on production runs %s", out)
		}
	})

	t.Run("what the site mails stays in the lab", func(t *testing.T) {
		const compose = "sudo docker compose --file /home/mrs-staging/docker-compose.yml "
		c.must(t, "ssh", "-F", ".vagrant-ssh", "staging", compose+"exec -T django mrs sendtestemail somebody@example.org </dev/null")
		said := c.must(t, "ssh", "-F", ".vagrant-ssh", "staging",
			"curl --silent --fail http://$(sudo docker inspect --format '{{.NetworkSettings.Networks.web.IPAddress}}' mrs-staging-mail-1):8025/api/v2/messages")
		if !strings.Contains(said, `"total":1`) || !strings.Contains(said, `"somebody@example.org"`) {
			t.Errorf("the mail server has %s", said)
		}
	})

	rehearsed := rehearsal{c, lab["production"].Address, lab["staging"].Address, lab["staging"].Registry}
	rehearsed.noNight(t)
	t.Run("deployments", func(t *testing.T) { deployments(t, rehearsed) })
	t.Run("backups", func(t *testing.T) { backups(t, rehearsed) })
	t.Run("copies", func(t *testing.T) { copies(t, rehearsed) })

	t.Run("lab:up mends what is broken: a dead registry, forgotten names", func(t *testing.T) {
		must(t, "kill", "-KILL", strconv.Itoa(c.registry(t)))
		c.must(t, "ssh", "-F", ".vagrant-ssh", "production", "sudo sh -c 'grep -v lab /etc/hosts >/tmp/hosts; cat /tmp/hosts >/etc/hosts'")
		if out := c.must(t, mage, "lab:status"); lastLine(out) != "the lab is not complete: production, staging; mage lab:up mends it" {
			t.Errorf("the last line is %q", lastLine(out))
		}
		if out := c.must(t, mage, "lab:up"); !strings.Contains(out, "ansible/lab.yml: done, changed=1 on 2 hosts") {
			t.Errorf("it does more than mend:\n%s", out)
		}
		if out := c.must(t, mage, "lab:status"); lastLine(out) != "the lab is up; MRS_ENV=lab aims at it" {
			t.Errorf("the last line is %q", lastLine(out))
		}
		if registry := c.lab(t)["staging"].Registry; registry != lab["staging"].Registry {
			t.Errorf("the registry has moved from %s to %s", lab["staging"].Registry, registry)
		}
	})

	t.Run("lab:down leaves nothing", func(t *testing.T) {
		pid := strconv.Itoa(c.registry(t))
		for range 2 {
			c.must(t, mage, "lab:down")
		}
		if left := c.containers(t); left != "" {
			t.Errorf("machines are left: %s", left)
		}
		if out := run(t, nil, "ps", "-o", "args=", "-p", pid).stdout; strings.Contains(out, "registry serve") { // a zombie is nobody's
			t.Errorf("the registry is left: %s", out)
		}
		for _, path := range []string{"env/lab", ".vagrant/lab", ".vagrant-ssh"} {
			if _, err := os.Stat(filepath.Join(string(c), path)); !os.IsNotExist(err) {
				t.Errorf("%s is left: %v", path, err)
			}
		}
	})
}

func TestTheCookbooksExampleMakesALoadBalancerOfANewServer(t *testing.T) {
	must(t, mage, "setup")
	c := newClone(t)
	for range 2 {
		c.must(t, mage, "vagrant:apply")
	}
	for _, again := range []bool{false, true} {
		out := c.must(t, mage, "vagrant:bigsudo", "yourlabs.traefik -v")
		if again != (changes(t, out) == "0") {
			t.Errorf("run again: %v\n%s", again, out)
		}
	}
	address := must(t, "docker", "inspect", "--format", "{{.NetworkSettings.IPAddress}}", c.containers(t))
	if status, _, body := ask(t, address, address); status != http.StatusNotFound || !strings.Contains(body, "404 page not found") {
		t.Errorf("port 80: %d\n%s", status, body)
	}
}
