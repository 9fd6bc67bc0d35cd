//go:build e2e && soak

package e2e

import (
	"encoding/json"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// beforeMrsHost is the last commit from before mrs-host: it deploys with scripts of bash and Python.
const beforeMrsHost = "721196b"

// older is a clone of that commit, which knows the lab.
type older struct {
	rehearsal
	mage string // its compiled targets
}

// olderClone makes one. Where this clone has not that commit, as a shallow one has not, the test fails.
func (l rehearsal) olderClone(t *testing.T) older {
	t.Helper()
	git := exec.Command("git", "cat-file", "-e", beforeMrsHost+"^{commit}")
	git.Dir = root
	if err := git.Run(); err != nil {
		t.Fatalf("this clone has no commit %s, which is what is deployed first; git fetch --unshallow has it there",
			beforeMrsHost)
	}
	o := older{l, filepath.Join(t.TempDir(), "mage")}
	o.clone = clone{dir: filepath.Join(t.TempDir(), "older"), env: l.env}
	must(t, "bash", "-c", `set -euo pipefail
mkdir -p "$0"
git archive `+beforeMrsHost+` | tar -C "$0" -x
cp -r "$1/env/lab" "$0/env/"
cp "$1/.vagrant-ssh" "$0/"
# The application of today's demo is on SQLite unless it is told otherwise; that one's was not.
sed -i 's/^      - HOST #.*/&\n      - DB_ENGINE=django.db.backends.postgresql/' "$0/compose/docker-compose.yml"
cd "$0"
go tool mage -compile "$2"`, o.dir, l.dir, o.mage)
	return o
}

func (o older) words(words ...string) []string {
	return append([]string{"env", "--unset=CI", "MRS_ENV=lab", o.mage}, words...)
}

// unmarked has staging as it was before any newer clone has deployed there.
func (l rehearsal) unmarked(t *testing.T) {
	t.Helper()
	l.clear(t, "staging")
	l.sh(
		t,
		"staging",
		`rm -rf /run/lock/mrs-ops/json.py /etc/tmpfiles.d/mrs-ops.conf /usr/local/lib/mrs-ops/older.py \
  /usr/local/lib/mrs-ops/branches.sh`,
	)
}

// history returns the numbers of staging's releases, the oldest first.
func (l rehearsal) history(t *testing.T) (numbers []int) {
	t.Helper()
	var all []struct{ Release int }
	if err := json.Unmarshal([]byte(l.mustMage(t, "deploy:history", "staging", "-json")), &all); err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		numbers = append(numbers, r.Release)
	}
	return numbers
}

// goesOnFromAnOlderGeneration has a clone from before mrs-host deploy staging ten times, close it and back it up, and
// goes on from there; then that clone tries again, and is refused.
func goesOnFromAnOlderGeneration(t *testing.T, l rehearsal) {
	o := l.olderClone(t)
	l.unmarked(t)
	for n := range 10 {
		o.must(t, o.words("deploy:staging", "-yes", "-image="+images[n%2])...)
	}
	o.must(t, o.words("ops:maintenance", "staging", "on", "-yes")...)
	were := l.history(t)
	if len(were) != 10 {
		t.Fatalf("the older clone has left the releases %v", were)
	}
	backup := o.start(t, o.words("ops:backup", "staging")...)
	eventually(t, "the older clone's backup is at work", func() bool {
		_, err := l.shell("staging", "test -e /home/mrs-staging/.running.backup")
		return err == nil
	})
	l.mustMage(t, "deploy:staging", "-yes", "-image="+images[0])
	if err := backup.end(t); err != nil {
		t.Errorf("the older clone's backup, while a newer one deploys: %v\n%s", err, backup.said())
	}
	now := l.history(t)
	if len(now) != 10 || now[8] != were[9] || now[9] != were[9]+1 {
		t.Errorf("the releases were %v, and are %v", were, now)
	}
	(&dark{rehearsal: l}).maintained(t, "yes 1")
	l.mustMage(t, "ops:maintenance", "staging", "off", "-yes")
	l.mustMage(t, "deploy:rollback", "staging", "-to="+strconv.Itoa(now[4]), "-yes")
	l.healthyAt(t, "staging.lab") // to that release, the right name
	if l.goodSnapshots(t) == 0 {
		t.Error("the snapshots of the older clone are gone")
	}

	audit := l.mustMage(t, "ops:audit", "staging", "-json")
	releases := l.sh(t, "staging", "cd /home/mrs-staging && sha256sum docker-compose.yml backup.sh .backup.env")
	for _, words := range [][]string{
		{"deploy:staging", "-yes", "-image=" + images[1]}, {"deploy:rollback", "staging", "-yes"},
		{"ops:maintenance", "staging", "on", "-yes"},
		{"ops:restore", "staging", "latest", "-yes"},
	} {
		if r := o.run(t, o.words(words...)...); r.status == 0 || !strings.Contains(r.output, "hint: git pull") {
			t.Errorf("the older clone's %v: exit status %d\n%s", words, r.status, r.output)
		}
	}
	// The cookbook's own line takes no lock first. The dry run prints it.
	for line := range strings.Lines(o.must(t, o.words("deploy:staging", "-dryRun")...)) {
		if !strings.Contains(line, "ansible/deploy.yml") {
			continue
		}
		if r := o.run(
			t,
			"env",
			"--unset=CI",
			"MRS_ENV=lab",
			"bash",
			"-c",
			line,
		); r.status == 0 ||
			!strings.Contains(r.output, "Is a directory") {
			t.Errorf("the older clone's %s: exit status %d\n%s", line, r.status, r.output)
		}
	}
	if is := l.mustMage(t, "ops:audit", "staging", "-json"); is != audit {
		t.Errorf("the audit log was\n%s\nand is\n%s", audit, is)
	}
	if is := l.sh(
		t,
		"staging",
		"cd /home/mrs-staging && sha256sum docker-compose.yml backup.sh .backup.env",
	); is != releases {
		t.Errorf("the older clone has changed\n%s\ninto\n%s", releases, is)
	}
	l.reboot(t) // what keeps it away outlives the boot
	if r := o.run(
		t,
		o.words("deploy:staging", "-yes")...); r.status == 0 ||
		!strings.Contains(r.output, "hint: git pull") {
		t.Errorf("the older clone's deployment after a boot: exit status %d\n%s", r.status, r.output)
	}
	l.mustMage(t, "deploy:staging", "-yes", "-image="+images[0])
	l.healthy(t)
}

// undoesAnOlderGenerationsSwap kills a restore of a clone from before mrs-host in its swap, and deploys.
func undoesAnOlderGenerationsSwap(t *testing.T, l rehearsal) {
	o := l.olderClone(t)
	l.unmarked(t)
	o.must(t, o.words("deploy:staging", "-yes", "-image="+images[0])...)
	l.mustMage(t, "ops:manage", "staging", "seed 20")
	o.must(t, o.words("ops:backup", "staging")...)
	l.mustMage(t, "ops:manage", "staging", "seed 20")
	were := l.whatIsThere(t)
	// Nobody but the next deployment is to undo it.
	const dropIn = "/etc/systemd/system/mrs-staging-restore.service.d"
	l.sh(t, "staging", `mkdir -p `+dropIn+`
printf '[Service]\nExecStopPost=\n' >`+dropIn+`/killed.conf
systemctl daemon-reload`)
	defer l.sh(t, "staging", "rm -r "+dropIn+"; systemctl daemon-reload")
	restore := o.start(t, o.words("ops:restore", "staging", "latest", "-yes")...)
	l.sh(t, "staging", `for ((n = 0; n < 60000; n++)); do
  [ ! -e /home/mrs-staging/.restore.swap ] || break
  sleep 0.005
done
systemctl kill --signal=KILL mrs-staging-restore.service
test -e /home/mrs-staging/.restore.swap`)
	if err := restore.end(t); err == nil {
		t.Errorf("the restore that was killed ended well\n%s", restore.said())
	}
	said := l.mustMage(t, "deploy:staging", "-yes", "-image="+images[1])
	l.healthy(t)
	l.stillThere(t, were)
	l.whole(t, "staging", "mrs-staging", "/home/mrs-staging")
	if left := l.sh(t, "staging", "ls -A /home/mrs-staging"); strings.Contains(left, ".restore") {
		t.Errorf("left: %s\n%s", left, said)
	}
}
