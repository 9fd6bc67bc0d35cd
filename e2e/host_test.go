//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
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
	on(t, boxes, 220*time.Second)
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

	step(t, "host:docker configures the engine without forgetting what was there", func(t *testing.T) {
		c.root(t, `mkdir -p /etc/docker && echo '{"debug": false, "insecure-registries": ["10.0.0.1:5000"]}' >/etc/docker/daemon.json`)
		c.must(t, mage, "host:docker", "default", config)
		if again := c.must(t, mage, "host:docker", "default", config); changes(t, again) != "0" {
			t.Errorf("a second run changes something:\n%s", again)
		}
		var daemon struct {
			Debug    *bool
			Driver   string            `json:"log-driver"`
			Options  map[string]string `json:"log-opts"`
			Insecure []string          `json:"insecure-registries"`
		}
		if err := json.Unmarshal([]byte(c.root(t, "cat /etc/docker/daemon.json")), &daemon); err != nil {
			t.Fatal(err)
		}
		if daemon.Debug == nil || daemon.Driver != "json-file" || daemon.Options["max-size"] == "" || len(daemon.Insecure) != 1 {
			t.Errorf("daemon.json is %+v", daemon)
		}
		r := c.run(t, mage, "vagrant:bigsudo", `yourlabs.docker '{"docker_daemon": {"nonsense": 1}}'`)
		if r.status == 0 || !strings.Contains(r.output, "the old one is back") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		// The weekly prune takes images, and never volumes.
		c.root(t, `docker info >/dev/null && docker volume create precious >/dev/null && systemctl start docker-prune.service && docker volume inspect precious >/dev/null
			systemctl is-enabled --quiet docker-prune.timer`)
	})

	step(t, "host:traefik serves, and closes all but 22, 80 and 443", func(t *testing.T) {
		c.must(t, mage, "host:traefikImage", runtime.GOARCH)
		hash := must(t, "openssl", "passwd", "-apr1", "secret")
		c := c.with("TRAEFIK_HTPASSWD=ops:" + hash)
		c.must(t, mage, "host:traefik", "default", config)
		if again := c.must(t, mage, "host:traefik", "default", config); changes(t, again) != "0" {
			t.Errorf("a second run changes something:\n%s", again)
		}
		address := must(t, "docker", "inspect", "--format", "{{.NetworkSettings.IPAddress}}", c.containers(t))
		client := &http.Client{Timeout: 5 * time.Second}
		if answer, err := client.Get("http://" + address + "/"); err != nil || answer.StatusCode != http.StatusNotFound {
			t.Errorf("port 80: %v, %v", answer, err)
		}
		api := []string{"curl", "--silent", "--insecure", "--max-time", "5", "--resolve", "traefik.default:443:" + address, "https://traefik.default/api/entrypoints"}
		if out := must(t, append(api, "--output", "/dev/null", "--write-out", "%{http_code}")...); out != "401" {
			t.Errorf("the dashboard without a password: %s", out)
		}
		points := must(t, append(api, "--user", "ops:secret")...)
		for _, want := range []string{`"name":"web"`, `"name":"websecure"`} {
			if !strings.Contains(points, want) {
				t.Errorf("the entry points have no %s: %s", want, points)
			}
		}
		// A container that publishes a port, and a program of the host's.
		c.root(t, `docker run --detach --name published --publish 8123:80 traefik:v3.0 --entrypoints.web.address=:80 --ping --ping.entrypoint=web >/dev/null
			systemd-run --quiet --unit listens python3 -m http.server 8124
			for port in 8123/ping 8124/; do curl --silent --fail --output /dev/null --retry 20 --retry-delay 1 --retry-all-errors "localhost:$port"; done`)
		for _, port := range []string{"8123/ping", "8124/"} {
			if answer, err := (&http.Client{Timeout: 2 * time.Second}).Get("http://" + address + ":" + port); err == nil {
				t.Errorf("%s answers from outside: %s", port, answer.Status)
			}
		}
		if log := c.root(t, "cat /var/log/traefik/access.log"); !strings.Contains(log, `"GET / HTTP/1.1" 404`) {
			t.Errorf("the access log is %s", log)
		}
		// It is rotated, and Traefik goes on in a new one.
		c.root(t, `logrotate --force /etc/logrotate.d/traefik && grep -q '"GET / HTTP/1.1" 404' /var/log/traefik/access.log.1
			for try in $(seq 100); do
				curl --silent --output /dev/null localhost
				[ ! -s /var/log/traefik/access.log ] || exit 0
				sleep 0.2
			done
			exit 1`)
	})

	step(t, "host:netdata watches, and tells Slack", func(t *testing.T) {
		told := make(chan string, 100)
		gateway := must(t, "docker", "inspect", "--format", "{{.NetworkSettings.Gateway}}", c.containers(t))
		slack := serve(t, gateway, func(w http.ResponseWriter, r *http.Request) {
			told <- r.URL.Path + " " + r.FormValue("payload")
		})

		hooked := c.with("NETDATA_SLACK_WEBHOOK=http://" + slack + "/services/T/B/hook")
		if out := hooked.run(t, mage, "host:netdata", "default", config); out.status != 0 || strings.Contains(out.output, "/T/B/hook") {
			t.Fatalf("exit status %d, or the webhook is shown\n%s", out.status, out.output)
		}
		if again := c.must(t, mage, "host:netdata", "default", config); changes(t, again) != "0" {
			t.Errorf("a second run changes or asks something:\n%s", again)
		}
		if mode := c.root(t, "stat -c '%U %a' /etc/ansible/facts.d/yourlabs_netdata.fact"); mode != "root 600" {
			t.Errorf("the webhook is remembered in a file of %s", mode)
		}
		c.root(t, `runuser -u netdata -- "$(dpkg -L netdata-plugins-bash | grep alarm-notify.sh)" test`)
		select {
		case said := <-told:
			if !strings.HasPrefix(said, "/services/T/B/hook ") || !strings.Contains(said, "netdata on default") {
				t.Errorf("Slack was told %s", said)
			}
		default:
			t.Error("Slack was told nothing")
		}
		address := must(t, "docker", "inspect", "--format", "{{.NetworkSettings.IPAddress}}", c.containers(t))
		for name, path := range map[string]string{"netdata.default": "/api/v1/info", "prometheus.default": "/-/ready"} {
			ask := []string{"curl", "--silent", "--insecure", "--max-time", "5", "--output", "/dev/null", "--write-out", "%{http_code}",
				"--resolve", name + ":443:" + address, "https://" + name + path}
			if without, with := must(t, ask...), must(t, append(ask, "--user", "ops:secret")...); without != "401" || with != "200" {
				t.Errorf("%s: %s without password, %s with it", name, without, with)
			}
		}

		// What is known of backups; the other files are none that a backup writes.
		c.root(t, `mkdir -p /var/lib/mrs-ops && cd /var/lib/mrs-ops
			write() {
				printf 'mrs_backup_%s{instance="%s"} %s\n' last_good_timestamp_seconds "$1" "$(($(date +%s) - $2))" good "$1" 1 bytes "$1" 734003200 >"$1.new"
				mv "$1.new" "$1.prom"
			}
			write fresh 3600; write stale 108000
			head -c 1000000 /dev/urandom >garbage.prom; mkfifo pipe.prom; touch -- 'a b;$(touch pwned).prom'
			printf 'mrs_backup_good{instance="half"} 1\nmrs_backup_bytes{instance="half"} 73' >half.prom`)
		// samples are those that Prometheus has of an instance, by name and dimension.
		samples := func(family string) map[string]float64 {
			var answer struct {
				Data struct {
					Result []struct {
						Metric map[string]string
						Value  [2]any
					}
				}
			}
			out := must(t, "curl", "--silent", "--insecure", "--max-time", "5", "--user", "ops:secret", "--resolve", "prometheus.default:443:"+address,
				"--get", "--data-urlencode", `query={__name__=~"netdata_mrs_.*",family="`+family+`"}`, "https://prometheus.default/api/v1/query")
			if err := json.Unmarshal([]byte(out), &answer); err != nil {
				t.Fatalf("%v: %s", err, out)
			}
			found := map[string]float64{}
			for _, sample := range answer.Data.Result {
				text, _ := sample.Value[1].(string)
				value, err := strconv.ParseFloat(text, 64)
				if err != nil {
					t.Errorf("%v is %v", sample.Metric, sample.Value)
				}
				found[sample.Metric["__name__"]+" "+sample.Metric["dimension"]] = value
			}
			return found
		}
		const age, size = "netdata_mrs_backup_age_seconds_average age", "netdata_mrs_backup_size_bytes_average snapshot"
		// It is measured every 10 s, and asked for every 15 s.
		eventually(t, "Prometheus knows the backup", func() bool { return len(samples("fresh")) == 3 && len(samples("half")) == 1 })
		if got := samples("fresh"); got[age] < 3600 || got[age] > 3900 || got[size] != 734003200 || got["netdata_mrs_backup_good_boolean_average good"] != 1 {
			t.Errorf("Prometheus knows %v", got)
		}
		for late := time.After(time.Minute); ; {
			select {
			case said := <-told:
				if strings.Contains(said, "mrs_backup.age_fresh") {
					t.Errorf("Slack was told of a fresh backup: %s", said)
				}
				if !strings.Contains(said, "mrs_backup.age_stale") {
					continue
				}
				if !strings.Contains(said, "needs attention") || !strings.Contains(said, "age of the last good backup of stale") {
					t.Errorf("Slack was told %s", said)
				}
			case <-late:
				t.Error("Slack was not told of the old backup")
			}
			break
		}
		c.root(t, "rm /var/lib/mrs-ops/stale.prom")
		netdata := func(path string) string { return c.root(t, "curl --silent --fail http://127.0.0.1:19999/api/v1/"+path) }
		eventually(t, "an instance without a file is forgotten", func() bool {
			return !strings.Contains(netdata("charts")+netdata("alarms?all"), "_stale")
		})
		charted := regexp.MustCompile(`"id": "mrs_[^"]*"`).FindAllString(netdata("charts"), -1)
		if want := []string{`"id": "mrs_backup.age_fresh"`, `"id": "mrs_backup.good_fresh"`, `"id": "mrs_backup.good_half"`, `"id": "mrs_backup.size_fresh"`}; !slices.Equal(slices.Sorted(slices.Values(charted)), want) {
			t.Errorf("netdata's charts of backups are %q, want %q", charted, want)
		}
	})
}
