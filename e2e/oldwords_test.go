//go:build e2e

package e2e

import (
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestTheOldWordsDoOnAServerWhatTheyDid(t *testing.T) {
	l := inTheLab(t, 70*time.Second)
	// bigsudo is bigsudo on the machine, by the words of somebody who only knows the old one.
	bigsudo := func(t *testing.T, words string) string {
		t.Helper()
		return l.must(t, mage, "vagrant:bigsudo", words)
	}

	step(t, "yourlabs.timer makes a timer, once", func(t *testing.T) {
		t.Cleanup(func() {
			l.sh(t, "staging", `systemctl disable --now --quiet old.timer
rm -f /etc/systemd/system/old.{timer,service} /root/old
systemctl daemon-reload`)
		})
		const words = `yourlabs.timer @staging name=old cmd="/bin/sh -c 'pwd >/root/old; echo \$A >>/root/old'" ` +
			`oncalendar='*-*-* 05:00:00' chdir=/srv env='{"A": "b c"}' type=oneshot`
		for _, again := range []bool{false, true} {
			if out := bigsudo(t, words); again != (changes(t, out) == "0") {
				t.Errorf("run again: %v\n%s", again, out)
			}
		}
		got := l.sh(t, "staging", "systemctl is-enabled old.timer; systemctl is-active old.timer; systemctl start old.service; cat /root/old")
		if got != "enabled\nactive\n/srv\nb c" {
			t.Errorf("got %q", got)
		}
	})

	step(t, "a variable that no role knows is refused, and a role without any too", func(t *testing.T) {
		for words, want := range map[string]string{
			"yourlabs.timer @staging name=x cmd=/x onclendar=daily": "did you mean oncalendar?",
			"yourlabs.timer @staging":                               "there is no timer to make of this",
			"yourlabs.compose backup @staging":                      "which stack is meant is not said",
			"yourlabs.compose down @staging home=/home/nowhere":     "there is no stack in /home/nowhere",
		} {
			if r := l.run(t, mage, "vagrant:bigsudo", words); r.status == 0 || !strings.Contains(r.output, want) {
				t.Errorf("%s: exit status %d\n%s", words, r.status, r.output)
			}
		}
	})

	step(t, "yourlabs.docker prune and prunecron leave what is young, and volumes", func(t *testing.T) {
		before := l.sh(t, "staging", "docker images -q | sort; docker volume ls -q | sort")
		// The weekly timer.
		const timer = "/etc/systemd/system/docker-prune.timer"
		l.sh(t, "staging", "cp "+timer+" /root/weekly")
		t.Cleanup(func() {
			l.sh(t, "staging", "mv /root/weekly "+timer+"; systemctl daemon-reload; systemctl restart docker-prune.timer")
		})
		bigsudo(t, "yourlabs.docker prune @staging")
		out := l.must(t, "./do", "vagrant", "bigsudo", "yourlabs.docker", "prunecron", "@staging")
		if !strings.Contains(out, "images younger than a week stay") {
			t.Errorf("what stays is not said:\n%s", out)
		}
		if got := l.sh(t, "staging", "docker images -q | sort; docker volume ls -q | sort"); got != before {
			t.Errorf("there is\n%s\nthere was\n%s", got, before)
		}
		if got := l.sh(t, "staging", "grep OnCalendar "+timer); got != "OnCalendar=*-*-* 00:00:00" {
			t.Errorf("the timer has %s", got)
		}
	})

	var files []string
	for _, part := range []string{"", "maildev.", "traefik.", "persist."} {
		files = append(files, filepath.Join("internal/stack/testdata/application", "docker-compose."+part+"yml"))
	}
	theirs := l.given("compose="+strings.Join(files, ","), "LISTEN=100")

	step(t, "the application's own compose files are deployed, twice", func(t *testing.T) {
		r := theirs.mage(t, "deploy:staging", "-yes")
		if r.status != 0 || !strings.Contains(r.output, "is a file of its own") || !strings.Contains(r.output, "no label declares postgres/data") {
			t.Fatalf("exit status %d\n%s", r.status, r.output)
		}
		if status, _, _ := ask(t, l.staging, "www.staging.lab"); status != 200 && status != 401 {
			t.Errorf("the site answers %d", status)
		}
		if got := l.sh(t, "staging", "stat -c '%u:%g:%a' /home/mrs-staging/{mrsattachments,postgres,postgres/run}"); got != "1000:1000:750\n0:0:700\n999:999:3775" {
			t.Errorf("the folders are %q", got)
		}
		if r := theirs.mage(t, "deploy:staging", "-yes"); r.status != 0 || !strings.Contains(lastLine(r.stdout), "changed=0 in ") {
			t.Errorf("again: exit status %d\n%s", r.status, r.output)
		}
	})

	step(t, "yourlabs.compose backs it up, and takes it down, its data apart", func(t *testing.T) {
		theirs.mustMage(t, "ops:backup", "staging")
		bigsudo(t, "yourlabs.compose backup home=/home/mrs-staging @staging")
		bigsudo(t, "yourlabs.compose down home=/home/mrs-staging @staging")
		const data = "/home/mrs-staging/postgres/data/PG_VERSION"
		if got := l.sh(t, "staging", "docker ps -aq --filter label=com.docker.compose.project=mrs-staging; ls "+data); got != data {
			t.Errorf("there is %q", got)
		}
	})
}
