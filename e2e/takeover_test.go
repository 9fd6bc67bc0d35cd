//go:build e2e

package e2e

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// away asks for a page of a site every 100 ms, until the function is called that it returns: that tells the longest
// time without an answer that is wanted.
func away(address, host string, want ...int) (longest func() time.Duration) {
	client := &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}
	served := func() bool {
		request, err := http.NewRequest(http.MethodGet, "http://"+address+"/", nil)
		if err != nil {
			return false
		}
		request.Host = host
		answer, err := client.Do(request)
		if err != nil {
			return false
		}
		defer answer.Body.Close()
		for _, status := range want {
			if answer.StatusCode == status {
				return true
			}
		}
		return false
	}
	var gap time.Duration
	over := make(chan struct{})
	var all sync.WaitGroup
	all.Go(func() {
		last := time.Now()
		for {
			good := served()
			gap = max(gap, time.Since(last))
			if good {
				last = time.Now()
			}
			select {
			case <-over:
				return
			case <-time.After(100 * time.Millisecond):
			}
		}
	})
	return func() time.Duration { close(over); all.Wait(); return gap }
}

// neighbours are names of the two stacks beside, and what they answer.
var neighbours = map[string]int{"one.lab": 200, "www.one.lab": 200, "two.lab": 200, "www.two.lab": 200, "shut.two.lab": 401,
	"closed.two.lab": 401, "sure.two.lab": 302, "nobodys.lab": 302}

func (o oldServer) neighboursAnswer(t *testing.T) {
	t.Helper()
	for host, want := range neighbours {
		if !soon(func() bool {
			status, _, _ := ask(t, o.address(), host)
			return status == want || want == 302 && status/100 == 3
		}) {
			status, _, body := ask(t, o.address(), host)
			t.Errorf("%s: %d, not %d: %s", host, status, want, body)
		}
	}
}

// serial is that of the certificate that a name is served with.
func (o oldServer) serial(t *testing.T, host string) string {
	t.Helper()
	return o.sh(t, o.machine, "openssl s_client -connect 127.0.0.1:443 -servername "+host+" </dev/null 2>/dev/null | openssl x509 -noout -serial")
}

// data is what is not to be lost: rows, and attachments.
func (o oldServer) data(t *testing.T) string {
	t.Helper()
	return o.sh(t, o.machine, `
id=$(docker ps --quiet --filter label=com.docker.compose.project=`+o.name+` --filter label=com.docker.compose.service=postgres)
docker exec "$id" psql -U django -d mrs -XqtAc 'select count(*), md5(string_agg(p::text, $$,$$ order by id)) from person_person p'
docker exec "$id" psql -U django -d mrs -XqtAc 'show server_version_num'
find `+o.home+`/mrsattachments -name '*.jpg' | sort | xargs sha256sum | sha256sum`)
}

// seed adds people by the application that runs.
func (o oldServer) seed(t *testing.T) {
	t.Helper()
	o.sh(t, o.machine, `docker exec --env DEBUG= $(docker ps --quiet --filter label=com.docker.compose.project=`+o.name+` --filter label=com.docker.compose.service=django) mrs seed 3 >/dev/null`)
}

// everything is a sum of what the old system consists of, and of what runs.
func (o oldServer) everything(t *testing.T) string {
	t.Helper()
	return o.sh(t, o.machine, `
find /etc /root/.yourlabs.compose `+o.home+` /home/one /home/two -path '*/postgres/*' -prune -o -path '*/log/*' -prune -o -path '*/restic/locks*' -prune -o -type f -print0 | sort -z | xargs -0 sha256sum | sha256sum
docker ps --no-trunc --format '{{.ID}} {{.Names}}' | sort
systemctl list-unit-files --state=enabled --no-legend | sort`)
}

// ofTheOld is what of the old system is at work or ready to be.
func (o oldServer) ofTheOld(t *testing.T) string {
	t.Helper()
	return o.sh(t, o.machine, `
ls /etc/systemd/system/yourlabs-* /etc/systemd/system/basic.target.wants/mrs-* /etc/logrotate.d/mrs 2>/dev/null || true
systemctl list-timers --all --no-legend | grep -o 'yourlabs-[a-z-]*' || true
grep -L 'mrs-ops' /etc/systemd/system/`+o.name+`-*.service /etc/systemd/system/`+o.name+`-*.timer 2>/dev/null || true
grep -l RESTIC_PASSWORD_FILE=/home `+o.home+`/*.sh 2>/dev/null || true
docker ps --format '{{.Names}}' | grep '`+o.name+`_' || true`)
}

// taking is the lab with what a takeover by it has to be told: what the old system has.
func (l rehearsal) taking() rehearsal {
	return l.given("DB_PASSWORD=django", "compose_postgres_image="+l.registry+"/postgres:10", "BASICAUTH_DISABLE=1")
}

// over and back are the words that take the instance over, and give it back.
func (o oldServer) over() []string {
	return []string{"takeover:run", o.machine, "-yes", "-traefik=" + o.registry + "/traefik:v3.0"}
}

func (o oldServer) back() []string { return []string{"takeover:back", o.machine, "-yes"} }

func TestAServerOfTheOldSystemIsTakenOverAndGivenBack(t *testing.T) {
	takesOver(t, inTheLab(t, 350*time.Second), false)
}

// takesOver fails the test unless a server of the old system is taken over, and given back; as a whole also once more.
func takesOver(t *testing.T, l rehearsal, whole bool) {
	o := makeOld(t, l.taking(), "production")
	l = o.rehearsal
	serial, data := o.serial(t, "www.production.lab"), o.data(t)
	snapshots := o.sh(t, "production", "ls /home/mrs-production/restic/snapshots | sort")
	o.neighboursAnswer(t)
	var told struct {
		Homes []struct{ Away int }
		Away  int
	}

	step(t, "takeover:check tells what is there, and changes nothing", func(t *testing.T) {
		before := o.everything(t)
		r := l.mage(t, "takeover:check", "production", "-config=.vagrant-ssh")
		t.Log(r.output)
		for _, want := range []string{"Debian GNU/Linux 12", "yourlabs-compose-cleaner", "yourlabs_netdata.fact", "10, ", "2 snapshots in /home/mrs-production/restic",
			"www.one.lab", "test gets in with the password test", "everybody on the server may read", "whether the mirror holds anything is not known",
			"the site serves; then it is away for at most", "/etc/logrotate.d/mrs", "replaced by Traefik 3", "1 instances can be taken over"} {
			if r.status != 0 || !strings.Contains(r.output, want) {
				t.Errorf("%q is missing: exit status %d\n%s", want, r.status, r.output)
			}
		}
		for _, secret := range []string{"hush", "notsecret-"} {
			if strings.Contains(r.output, secret) {
				t.Errorf("%s is said", secret)
			}
		}
		var all map[string]json.RawMessage
		out := l.mustMage(t, "takeover:check", "production", "-config=.vagrant-ssh", "-json")
		if err := json.Unmarshal([]byte(out), &all); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal(all["production"], &told); err != nil || len(told.Homes) != 1 || told.Away == 0 {
			t.Fatalf("%v: %s", err, out)
		}
		if after := o.everything(t); after != before {
			t.Errorf("there was\n%s\nand is\n%s", before, after)
		}
	})
	step(t, "the first deployment over it is refused, and says what does it", func(t *testing.T) {
		before := o.everything(t)
		r := l.mage(t, "deploy:production", "-yes")
		if r.status == 0 || !strings.Contains(r.output, "was deployed by the old system") || !strings.Contains(r.output, "mage takeover:run production") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		if after := o.everything(t); after != before {
			t.Errorf("there was\n%s\nand is\n%s", before, after)
		}
	})
	if whole {
		step(t, "a takeover that can't be is refused before anything is changed", func(t *testing.T) {
			before := o.everything(t)
			r := l.given("RESTIC_PASSWORD=another", "compose_postgres_image="+l.registry+"/postgres:15", "DB_PASSWORD=another").mage(t, o.over()...)
			for _, want := range []string{"RESTIC_PASSWORD is not what opens the old repository", "the data are of PostgreSQL 10", "DB_PASSWORD is not the one"} {
				if r.status == 0 || !strings.Contains(r.output, want) {
					t.Errorf("%q is missing: exit status %d\n%s", want, r.status, r.output)
				}
			}
			if after := o.everything(t); after != before {
				t.Errorf("there was\n%s\nand is\n%s", before, after)
			}
		})
	}
	if t.Failed() {
		t.FailNow()
	}

	// takes goes over, with visitors.
	takes := func(t *testing.T, words ...string) {
		t.Helper()
		site, one, two := away(l.production, "www.production.lab", 200), away(l.production, "www.one.lab", 200), away(l.production, "closed.two.lab", 401)
		r := l.mage(t, words...)
		for host, gap := range map[string]time.Duration{"the site": site(), "neighbour one": one(), "neighbour two": two()} {
			limit := told.Away
			if host == "the site" {
				limit = told.Homes[0].Away
			}
			t.Logf("%s: %s was away for %s, of %d s", words[0], host, gap.Round(100*time.Millisecond), limit)
			if gap > time.Duration(limit)*time.Second {
				t.Errorf("%s was away for %s, and %d s were said", host, gap, limit)
			}
		}
		if r.status != 0 {
			t.Fatalf("%v: exit status %d\n%s", words, r.status, r.output)
		}
		t.Log(r.output)
		o.neighboursAnswer(t)
	}
	taken := func(t *testing.T) {
		t.Helper()
		if left := o.ofTheOld(t); left != "" {
			t.Errorf("of the old system there is\n%s", left)
		}
		if now := o.serial(t, "www.production.lab"); now != serial || serial == "" {
			t.Errorf("the certificate is %s, and was %s", now, serial)
		}
		if now := o.data(t); now != data {
			t.Errorf("there is\n%s\nand was\n%s", now, data)
		}
		now := o.sh(t, "production", "ls /home/mrs-production/restic/snapshots | sort")
		for _, id := range strings.Fields(snapshots) {
			if !strings.Contains(now, id) {
				t.Errorf("snapshot %s is gone", id)
			}
		}
		if left := o.sh(t, "production", "ls -d /home/mrs-production/.takeover /etc/systemd/system/mrs-production-takeover* 2>/dev/null || true"); left != "" {
			t.Errorf("%s is left", left)
		}
	}
	step(t, "takeover:run", func(t *testing.T) {
		takes(t, o.over()...)
		taken(t)
		if out := l.mustMage(t, "ops:drill", "production", "-snapshot="+strings.Fields(snapshots)[0]); !strings.Contains(out, "is done") {
			t.Errorf("an old snapshot: %s", out)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	step(t, "a second takeover:run changes nothing", func(t *testing.T) {
		before := o.everything(t)
		r := l.mage(t, o.over()...)
		if r.status != 0 || !strings.Contains(r.output, "is taken over already") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		if after := o.everything(t); after != before {
			t.Errorf("there was\n%s\nand is\n%s", before, after)
		}
	})
	step(t, "takeover:back has the old system again, with what was written since", func(t *testing.T) {
		o.seed(t)
		data = o.data(t)
		takes(t, o.back()...)
		if now := o.data(t); now != data {
			t.Errorf("there is\n%s\nand was\n%s", now, data)
		}
		if old := o.ofTheOld(t); !strings.Contains(old, "yourlabs-compose-cleaner") || !strings.Contains(old, "mrs-production-backup.service") ||
			!strings.Contains(old, "backup.sh") || !strings.Contains(old, "/etc/logrotate.d/mrs") || !strings.Contains(old, "mrs-production_django_1") {
			t.Errorf("of the old system there is\n%s", old)
		}
		if ours := o.sh(t, "production", "ls -d /home/mrs-production/.program /home/mrs-production/releases /etc/systemd/system/mrs-production-drill* 2>/dev/null || true"); ours != "" {
			t.Errorf("of this one there is\n%s", ours)
		}
		n := len(strings.Fields(o.sh(t, "production", "ls /home/mrs-production/restic/snapshots")))
		o.sh(t, "production", "BACKUP_FORCE=1 /home/mrs-production/backup.sh </dev/null >/dev/null 2>&1")
		if now := o.sh(t, "production", "ls /home/mrs-production/restic/snapshots | wc -l"); now != strconv.Itoa(n+1) {
			t.Errorf("the old backup.sh has made %s of %d snapshots", now, n+1)
		}
		if r := l.mage(t, "deploy:production", "-yes"); r.status == 0 || !strings.Contains(r.output, "was deployed by the old system") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
	})
	if t.Failed() || !whole {
		return
	}
	step(t, "takeover:run once more", func(t *testing.T) {
		o.seed(t)
		data = o.data(t)
		takes(t, o.over()...)
		taken(t)
	})
}
