//go:build e2e && soak

package e2e

import (
	"math/rand/v2"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// keepsItsLog fails the test unless staging loses at most 5 s with its home, and so much as is said with its archive,
// after whatever else has happened to it.
func (l rehearsal) keepsItsLog(t *testing.T) {
	was := l
	t.Cleanup(func() {
		_, _ = was.shell("staging", "systemctl disable --now mrs-staging-wal.service mrs-staging-ship.timer 2>/dev/null; "+
			"rm -rf /etc/systemd/system/mrs-staging-{wal,ship}.* /mnt/archive; systemctl daemon-reload")
		was.fresh(t)
	})
	ftp, trusted := newFTPServer(t)
	slack := newSlack(t, l.bridge(t))
	l.sh(t, "staging", "cat >/usr/local/share/ca-certificates/mrs-e2e.crt <<'PEM'\n"+string(trusted)+"PEM\nupdate-ca-certificates >/dev/null 2>&1")
	l.clear(t, "staging")
	// On the machine's own disk, which outlives what happens to that of its homes.
	l.clone = l.with("WAL_ARCHIVE=/mnt/archive/wal", "RESTIC_REPOSITORY=/mnt/archive/restic",
		"LFTP_DSN=ftp://mirror:hush-ftp@"+ftp.address, "SLACK_URL="+slack.URL, "SLACK_TOKEN=T0/B0/hush-slack")
	l.mustMage(t, "deploy:staging", "-yes", "-image="+images[0])
	l.mustMage(t, "ops:manage", "staging", "seed 200")
	l.shipped(t)
	l.shipped(t)
	l.mustMage(t, "ops:backup", "staging")
	for _, c := range []struct {
		name string
		do   func()
		ends bool // who writes, with it
	}{
		{"a deployment", func() { l.mustMage(t, "deploy:staging", "-yes", "-image="+images[1]) }, false},
		{"its unit is killed", func() { l.sh(t, "staging", "systemctl kill --signal KILL mrs-staging-wal") }, false},
		{"a reboot", func() { l.reboot(t); l.healthy(t) }, true},
		{"a power cut", func() { l.powerCut(t); l.healthy(t) }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			end := l.writes(t)
			time.Sleep(3 * time.Second)
			before := []string{}
			if c.ends {
				time.Sleep(5 * time.Second)
				before = end()
			}
			c.do()
			if c.ends {
				end = l.writes(t)
			}
			after := time.Second + rand.N(8*time.Second)
			time.Sleep(after)
			t.Logf("%.1f s after it", after.Seconds())
			l.comesBack(t, func() []string { return append(before, end()...) }, "", 5*50)
			l.mustMage(t, "ops:backup", "staging")
		})
	}
	t.Run("its mirror is down, and back", func(t *testing.T) {
		both := readFile(t, filepath.Join(ftp.folder, "both.pem"))
		if err := os.Remove(filepath.Join(ftp.folder, "both.pem")); err != nil {
			t.Fatal(err)
		}
		must(t, "docker", "exec", ftp.container, "bash", "-c", "pkill -KILL vsftpd || true")
		end := l.writes(t)
		for range 3 {
			time.Sleep(10 * time.Second)
			if out, err := l.shell("staging", "systemctl start mrs-staging-ship"); err == nil {
				t.Errorf("it is well: %s", out)
			}
		}
		wrote := end()
		_, said, _ := strings.Cut(l.mage(t, "ops:snapshots", "staging").output, "what would be lost now is ")
		t.Logf("lost would be %s", lastLine(said))
		if s := l.backed(t, "staging").Log; s.Repository.Sub(s.Mirror) < 20*time.Second || s.Until.Sub(s.Repository) > time.Minute {
			t.Errorf("it is received until %s, shipped until %s, and mirrored until %s", s.Until, s.Repository, s.Mirror)
		}
		slack.heard(t, "the snapshot is good, but ")
		if status := l.mage(t, "ops:status", "-instance=staging"); status.status == 0 || !strings.Contains(status.output, "its last ship failed") {
			t.Errorf("exit status %d\n%s", status.status, status.output)
		}
		ftp.use(t, both)
		l.shipped(t)
		slack.heard(t, "is received and shipped again")
		// Server, archive and repository are gone: the mirror has all that was shipped.
		l.comesBack(t, func() []string { return wrote }, "rm -rf /mnt/archive", 0)
	})
}
