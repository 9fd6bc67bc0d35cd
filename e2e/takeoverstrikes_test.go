//go:build e2e && soak

package e2e

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// moment is one of a takeover, or of the way back: when a condition holds, a shell's, in the home of the instance.
type moment struct{ name, holds string }

// ofOver and ofBack are those at which something strikes: each part of what is done, in its order. NAME is the
// instance's project.
var (
	ofOver = []moment{
		{"while the old backup.sh makes its snapshot", `[ -e .takeover ] && [ -s postgres/dump/data.dump ]`},
		{"when the new load balancer is about to start", `grep --quiet 'role traefik' ../../etc/traefik/docker-compose.yml`},
		{"when the old application is gone", `[ -e .takeover ] && [ -e .recreating ]`},
		{"while the old units are ended", `[ -e .version ] && [ ! -e ../../etc/systemd/system/yourlabs-compose-cleaner.timer ]`},
	}
	ofBack = []moment{
		{"while what runs is backed up", `[ -e .takeover ] && [ -e .backup.unchecked ]`},
		{"when the application is gone", `! grep --quiet --no-messages '"Name":"/NAME-django' ../../var/lib/docker/containers/*/config.v2.json`},
		{"while the old containers are started", `grep --quiet --no-messages '"Name":"/NAME_' ../../var/lib/docker/containers/*/config.v2.json`},
		{"when the old load balancer is about to start", `grep --quiet traefik:latest ../../etc/traefik/docker-compose.yml`},
	}
)

// crossing is a server that is taken over and given back, and struck meanwhile. Two states of it are allowed.
type crossing struct {
	oldServer
	old, over  string // facts of it; what it is when it is taken over is known once that has been done
	data       string
	stillThere func(t *testing.T) // what was written meanwhile
}

// facts are what the server consists of, without data: files, units, containers of either system.
func (c *crossing) facts(t *testing.T) string {
	t.Helper()
	return c.sh(t, c.machine, `
cd `+c.home+`
sha256sum docker-compose.yml backup.sh restore.sh prune.sh /etc/traefik/docker-compose.yml
ls -d .program .version .recreating .takeover .backup.env docker-compose.next.yml drill.sh releases old-system.* 2>/dev/null | sed 's/[0-9TZ]*$//' || true
systemctl list-unit-files --no-legend --state=enabled '`+c.name+`-*' 'yourlabs-*' | awk '{ print "enabled", $1 }'
systemctl list-timers --no-legend '`+c.name+`-*' 'yourlabs-*' | grep -o '[^ ]*[.]timer' | sort || true
grep -l mrs-ops /etc/systemd/system/`+c.name+`-* 2>/dev/null || true
ls /etc/logrotate.d | grep mrs || true
docker ps --format '{{.Names}} {{.Image}}' | grep -E '^(`+c.name+`|traefik)' | sort`)
}

// crossingOf makes staging such a server, on which something is written all the time. What a takeover that was cut short
// is gone on with by, each minute, looks four times as often, and by night as well (noNight).
func crossingOf(t *testing.T, l rehearsal) *crossing {
	t.Helper()
	c := &crossing{oldServer: makeOld(t, l.taking(), "staging")}
	const often = "/etc/systemd/system/mrs-staging-takeover.timer.d"
	c.sh(t, c.machine, "mkdir -p "+often+`
printf '[Timer]\nOnCalendar=\nOnCalendar=*:*:0/15\nAccuracySec=1s\n' >`+often+`/often.conf
systemctl daemon-reload`)
	t.Cleanup(func() { c.sh(t, c.machine, "rm -r "+often+"; systemctl daemon-reload") })
	c.old, c.data, c.stillThere = c.facts(t), c.oldServer.data(t), c.writes(t)
	t.Logf("of the old system there is\n%s", c.old)
	return c
}

// psql asks the instance's database.
func (c *crossing) psql(ctx context.Context, query string) (string, error) {
	cmd := exec.CommandContext(ctx, "ssh", "-F", ".vagrant-ssh", "-o", "ConnectTimeout=5", c.machine, "sudo", "bash", "-s")
	cmd.Dir, cmd.WaitDelay = c.dir, time.Second
	cmd.Stdin = strings.NewReader(`docker exec "$(docker ps --quiet --filter label=com.docker.compose.project=` + c.name +
		` --filter label=com.docker.compose.service=postgres | head -n 1)" psql -U django -d mrs -XqtAc "` + query + `"`)
	out, err := cmd.Output()
	return strings.TrimSpace(string(out)), err
}

// writes writes rows until the test ends. What it returns fails the test unless all are there of which the database has
// said so.
func (c *crossing) writes(t *testing.T) (intact func(t *testing.T)) {
	t.Helper()
	if _, err := c.psql(t.Context(), "create table written (n int primary key)"); err != nil {
		t.Fatal(err)
	}
	said, ended := make(chan int, 1<<20), make(chan struct{})
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	go func() {
		defer close(ended)
		for n := 1; ctx.Err() == nil; n++ {
			bounded, stop := context.WithTimeout(ctx, 15*time.Second) // a connection to what is off has no end
			if _, err := c.psql(bounded, fmt.Sprintf("insert into written values (%d)", n)); err == nil {
				said <- n
			}
			stop()
			time.Sleep(time.Second)
		}
	}()
	t.Cleanup(func() { end(); <-ended })
	var all []string
	return func(t *testing.T) {
		t.Helper()
		for len(said) > 0 {
			all = append(all, strconv.Itoa(<-said))
		}
		there, err := c.psql(t.Context(), "select n from written order by n")
		if err != nil {
			t.Errorf("what was written can't be read: %v", err)
		}
		lost := slices.DeleteFunc(slices.Clone(all), func(n string) bool { return slices.Contains(strings.Fields(there), n) })
		t.Logf("%d rows were written", len(all))
		if len(lost) > 0 || len(all) == 0 {
			t.Errorf("of %d rows these are lost: %q", len(all), lost)
		}
	}
}

// settled waits until nobody is at it any more, and returns the facts then. The site answers, so do the neighbours, and
// nothing is lost.
func (c *crossing) settled(t *testing.T) string {
	t.Helper()
	c.sh(t, c.machine, `n=0
busy() { [ -e `+c.home+`/.takeover ] || pgrep -f '/mrs-host-[0-9a-f]+ (takeover|deploy|hold)|[b]ackup[.]sh|[p]rune[.]sh' >/dev/null; }
while busy; do
  ((++n < 240)) || { journalctl --no-pager --lines 60 --unit `+c.name+`-takeover; ps -eo args | grep -E 'mrs-|[.]sh'; ls -la `+c.home+`; exit 1; }
  sleep 1
done`)
	if !soon(func() bool { return c.answers() == "200 OK" }) {
		t.Errorf("the site answers %s", c.answers())
	}
	c.neighboursAnswer(t)
	c.stillThere(t)
	if now := c.oldServer.data(t); now != c.data {
		t.Errorf("there is\n%s\nand was\n%s", now, c.data)
	}
	return c.facts(t)
}

// be has the server be one of both, by the operator's words if it is not.
func (c *crossing) be(t *testing.T, over bool) {
	t.Helper()
	words := c.oldServer.back()
	if over {
		words = c.oldServer.over()
	}
	if over == (c.facts(t) != c.old) {
		return
	}
	c.mustMage(t, words...)
	is := c.settled(t)
	if over && c.over == "" {
		if left := c.ofTheOld(t); left != "" {
			t.Errorf("of the old system there is\n%s", left)
		}
		t.Logf("of this one there is\n%s", is)
		c.over = is
	}
	if want := map[bool]string{false: c.old, true: c.over}[over]; is != want {
		t.Fatalf("after %v there is\n%s\nand not\n%s", words, is, want)
	}
}

// overStrike is what strikes a takeover.
type overStrike struct {
	name string
	// hit strikes what was begun as soon as a condition holds, the n-th of a test.
	hit func(t *testing.T, c *crossing, b began, holds string, n int)
}

var overStrikes = []overStrike{
	{"Ctrl-C", func(t *testing.T, c *crossing, b began, holds string, _ int) {
		c.when(t, b, holds, `kill -INT -- "-$3"`)
	}},
	{"a kill of all that works on it", func(t *testing.T, c *crossing, b began, holds string, _ int) {
		c.when(t, b, holds, `nsenter --target "$pid" --pid --mount pkill -KILL --full '/mrs-host-|AnsiballZ|[.]sh|docker.compose|restic' || true
kill -KILL -- "-$3" || true`) // what it waited for is gone, so it may be, too
	}},
	{"a loss of power", func(t *testing.T, c *crossing, b began, holds string, n int) {
		c.powerCutWhen(t, []survives{nothing, names}[n%2], holds)
		_ = syscall.Kill(-b.Process.Pid, syscall.SIGKILL)
	}},
}

// when waits until a condition holds, and has a script done at once, as root of this machine: $pid is the first process
// of the server's, $3 what was begun.
func (c *crossing) when(t *testing.T, b began, holds, then string) {
	t.Helper()
	out, err := rootCommand(`
pid=$(docker inspect --format '{{.State.Pid}}' "$1")
cd "/proc/$pid/root$2"
until `+holds+`; do
  kill -0 "$3" || { echo "it has ended before"; exit 1; }
  sleep 0.01
done
`+then, c.container(t, c.machine), c.home, strconv.Itoa(b.Process.Pid)).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s\n%s", err, out, b.said())
	}
}

// struck begins something, and strikes it at a moment: either system serves then, and wholly.
func (c *crossing) struck(t *testing.T, s overStrike, m moment, n int, words []string) {
	t.Helper()
	b := c.start(t, c.targets(words...)...)
	s.hit(t, c, b, strings.ReplaceAll(m.holds, "NAME", c.name), n)
	t.Logf("it ended with %v\n%s", b.end(t), b.said())
	switch is := c.settled(t); is {
	case c.old:
		t.Log("the old system runs")
	case c.over:
		t.Log("the new one runs")
	default:
		if left := c.ofTheOld(t); c.over != "" || left != "" {
			t.Errorf("there is\n%s\nwhich is neither\n%s\nnor\n%s\nof the old system there is\n%s", is, c.old, c.over, left)
		}
	}
}

// crosses strikes a takeover at each of its moments, and then the way back: after each of them either system serves
// wholly, and the same words end it.
func crosses(t *testing.T, l rehearsal, s overStrike) {
	c := crossingOf(t, l)
	for n, m := range ofOver {
		t.Run("takeover:run is struck "+m.name, func(t *testing.T) {
			c.be(t, false)
			c.struck(t, s, m, n, c.oldServer.over())
		})
	}
	for n, m := range ofBack {
		t.Run("takeover:back is struck "+m.name, func(t *testing.T) {
			c.be(t, true)
			c.struck(t, s, m, n, c.oldServer.back())
		})
	}
	t.Run("it is given back", func(t *testing.T) { c.be(t, true); c.be(t, false) })
}
