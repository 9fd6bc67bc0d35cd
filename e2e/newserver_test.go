//go:build e2e && soak

package e2e

import (
	"encoding/json"
	"net/http"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"
)

// loadBalancerOfANewServer has the role traefik make one of a server that has nothing.
func loadBalancerOfANewServer(t *testing.T) {
	c := newClone(t)
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

// servesFromNothing has the roles docker, traefik and netdata make a server of one that has nothing. The lab's machines
// are made by the first two in each run of the tests.
func servesFromNothing(t *testing.T) {
	c := newClone(t)
	c.must(t, mage, "vagrant:up")
	const config = "-config=.vagrant-ssh"

	t.Run("host:docker configures the engine without forgetting what was there", func(t *testing.T) {
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

	t.Run("host:traefik serves, and closes all but 22, 80 and 443", func(t *testing.T) {
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
		closed(t, address, "traefik:v3.0", func(script string) string { return c.root(t, script) })
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

	t.Run("host:netdata watches, and tells Slack", func(t *testing.T) {
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
