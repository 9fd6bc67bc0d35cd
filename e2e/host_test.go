//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// newKey makes a pair of SSH keys, and returns the path of the private one and
// the public one's text.
func newKey(t *testing.T) (path, public string) {
	t.Helper()
	path = filepath.Join(t.TempDir(), "key")
	must(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "somebody's key; $(touch /tmp/pwned)", "-f", path)
	text, err := os.ReadFile(path + ".pub")
	if err != nil {
		t.Fatal(err)
	}
	return path, string(text)
}

// as tries to run a command on the clone's server default as user, by the key
// given and no other.
func (c clone) as(t *testing.T, user, key string, words ...string) result {
	t.Helper()
	config := filepath.Join(t.TempDir(), "config")
	must(t, "bash", "-c", `grep -v IdentityFile "$0" > "$1"`, filepath.Join(c.dir, ".vagrant-ssh"), config)
	return c.run(t, append([]string{"ssh", "-F", config, "-o", "BatchMode=yes", "-i", key, "-l", user, "default"}, words...)...)
}

// root runs a script as root on the clone's server default.
func (c clone) root(t *testing.T, script string) string {
	t.Helper()
	return c.must(t, "bash", "-c", `ssh -F .vagrant-ssh default sudo -n bash -s <<<"$0"`, script)
}

var changed = regexp.MustCompile(`changed=(\d+) on 1 host`)

// changes returns how many changes a target's last line tells of.
func changes(t *testing.T, out string) string {
	t.Helper()
	match := changed.FindStringSubmatch(lastLine(out))
	if match == nil {
		t.Fatalf("the last line tells of no changes: %q", lastLine(out))
	}
	return match[1]
}

func TestAServerBecomesWhatTheCookbookSays(t *testing.T) {
	on(t, boxes, 120*time.Second)
	c := newClone(t)
	c.must(t, mage, "vagrant:up")
	mine, public := newKey(t)
	const config = "-config=.vagrant-ssh"

	step(t, "host:ssh gives me an account with sudo, and keeps root and passwords out", func(t *testing.T) {
		first := c.must(t, mage, "host:ssh", "default", "-user=me.myself", "-key="+mine+".pub", config)
		if changes(t, first) == "0" {
			t.Errorf("nothing was changed:\n%s", first)
		}
		if r := c.as(t, "me.myself", mine, "sudo", "-n", "id", "-un"); strings.TrimSpace(r.stdout) != "root" {
			t.Errorf("I am not root by sudo: %s", r.output)
		}
		effective := c.root(t, "sshd -T")
		for _, want := range []string{"permitrootlogin no", "passwordauthentication no", "kbdinteractiveauthentication no"} {
			if !strings.Contains(effective, want) {
				t.Errorf("sshd has no %q", want)
			}
		}
		if left := c.root(t, "ls -d /var/lib/mrs-ssh-undo /etc/systemd/system/mrs-ssh-undo* 2>/dev/null || true"); left != "" {
			t.Errorf("the dead man's switch is still there: %s", left)
		}
		if again := c.must(t, mage, "host:ssh", "default", "-user=me.myself", "-key="+mine+".pub", config); changes(t, again) != "0" {
			t.Errorf("a second run changes something:\n%s", again)
		}
	})
	if t.Failed() {
		t.FailNow()
	}

	step(t, "a configuration that keeps me out is taken back by the host", func(t *testing.T) {
		r := c.run(t, mage, "vagrant:bigsudo", `yourlabs.ssh '{"ssh_user": "vagrant", "ssh_key": "", "ssh_settings": {"AllowUsers": "nobody"}, "ssh_patience": 12}'`)
		if r.status == 0 || !strings.Contains(r.output, "the host took the old one back") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		if effective := c.root(t, "sshd -T"); strings.Contains(effective, "allowusers") {
			t.Errorf("the configuration is still there:\n%s", effective)
		}
	})

	step(t, "a configuration that sshd refuses never reaches it", func(t *testing.T) {
		r := c.run(t, mage, "vagrant:bigsudo", `yourlabs.ssh '{"ssh_user": "vagrant", "ssh_key": "", "ssh_settings": {"Nonsense": "yes"}}'`)
		if r.status == 0 || !strings.Contains(r.output, "sshd refuses the new configuration, so the old one stays") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		if said := c.root(t, "sshd -t && cat /etc/ssh/sshd_config.d/*"); strings.Contains(said, "Nonsense") {
			t.Errorf("it is there:\n%s", said)
		}
	})

	step(t, "host:addUser lets a key from a web server in, host:delUser keeps it out", func(t *testing.T) {
		theirs, public := newKey(t)
		keys := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			switch r.URL.Path {
			case "/carol.keys":
				_, _ = w.Write([]byte(public))
			case "/page.keys":
				_, _ = w.Write([]byte("<html>"))
			default:
				http.NotFound(w, r)
			}
		}))
		defer keys.Close()

		for address, want := range map[string]string{
			keys.URL + "/nobody.keys":    "gives no keys",
			keys.URL + "/page.keys":      "something else than public keys",
			"http://192.0.2.1/dave.keys": "no safe place to take keys from",
		} {
			if r := c.run(t, mage, "host:addUser", "dave", "default", "-groups=sudo", "-key="+address, config); r.status == 0 || !strings.Contains(r.output, want) {
				t.Errorf("a key from %s: exit status %d, does not say %q\n%s", address, r.status, want, r.output)
			}
		}
		if said := c.root(t, "id dave 2>&1 || true"); !strings.Contains(said, "no such user") {
			t.Errorf("dave has an account: %s", said)
		}

		add := []string{mage, "host:addUser", "carol", "default", "-groups=sudo", "-key=" + keys.URL + "/carol.keys", config}
		c.must(t, add...)
		if r := c.as(t, "carol", theirs, "sudo", "-n", "id", "-un"); strings.TrimSpace(r.stdout) != "root" {
			t.Errorf("carol is not root by sudo: %s", r.output)
		}
		if again := c.must(t, add...); changes(t, again) != "0" {
			t.Errorf("a second run changes something:\n%s", again)
		}
		if said := c.root(t, "ls /tmp/pwned 2>&1 || true"); !strings.Contains(said, "No such file") {
			t.Errorf("a key's comment was run: %s", said)
		}

		c.must(t, mage, "host:delUser", "carol", "default", config)
		if r := c.as(t, "carol", theirs, "true"); r.status != 255 {
			t.Errorf("carol still gets in: exit status %d\n%s", r.status, r.output)
		}
		if said := c.root(t, "stat -c '%U %a' /home/carol.*"); said != "root 700" {
			t.Errorf("carol's home is %s", said)
		}
		if again := c.must(t, mage, "host:delUser", "carol", "default", config); changes(t, again) != "0" {
			t.Errorf("a second run changes something:\n%s", again)
		}
		if r := c.run(t, mage, "host:delUser", "vagrant", "default", config); r.status == 0 || !strings.Contains(r.output, "is who you are on this host") {
			t.Errorf("one can remove oneself: exit status %d\n%s", r.status, r.output)
		}
	})

	step(t, "host:check tells who can operate which host", func(t *testing.T) {
		c.must(t, mage, "host:addUser", "guest", "default", "-key="+public, config)
		c.root(t, "install -d -o guest -g guest -m 700 ~guest/.ssh; cat ~vagrant/.ssh/authorized_keys >>~guest/.ssh/authorized_keys")
		r := c.run(t, mage, "host:check", "default guest@default nobody@default default.invalid", config, "-json")
		var states []struct {
			Host, User, Problem string
			SSH, Sudo           bool
			Seconds             float64
		}
		if err := json.Unmarshal([]byte(r.stdout), &states); err != nil || len(states) != 4 || r.status == 0 {
			t.Fatalf("exit status %d, %v\n%s", r.status, err, r.output)
		}
		for i, want := range [][2]bool{{true, true}, {true, false}, {false, false}, {false, false}} {
			if s := states[i]; s.SSH != want[0] || s.Sudo != want[1] || s.Seconds > 15 || (s.Problem == "") != want[1] {
				t.Errorf("%+v, want SSH and sudo %v", s, want)
			}
		}
		if r := c.run(t, mage, "host:check", "default", config); lastLine(r.stderr) != "all hosts can be operated: 1" {
			t.Errorf("the last line is %q", lastLine(r.output))
		}
	})
}

// closed fails the test unless a machine lets nobody from outside in to a container that publishes a port, or to a program
// of its own. sh is root's shell there, which has the image of Traefik by that name.
func closed(t *testing.T, address, traefik string, sh func(script string) string) {
	t.Helper()
	sh(`docker run --detach --name published --publish 8123:80 ` + traefik + ` --entrypoints.web.address=:80 --ping --ping.entrypoint=web >/dev/null
		systemd-run --quiet --unit listens python3 -m http.server 8124
		for port in 8123/ping 8124/; do curl --silent --fail --output /dev/null --retry 20 --retry-delay 1 --retry-all-errors "localhost:$port"; done`)
	for _, port := range []string{"8123/ping", "8124/"} {
		if answer, err := (&http.Client{Timeout: 2 * time.Second}).Get("http://" + address + ":" + port); err == nil {
			t.Errorf("%s answers from outside: %s", port, answer.Status)
		}
	}
	sh("docker rm --force published >/dev/null; systemctl stop listens")
}
