//go:build e2e && soak

package e2e

import (
	"fmt"
	"strings"
	"testing"
)

// copiesToAFullDisk are refused where there is no room; then the disk of staging's PostgreSQL fills up in phases.
func (l rehearsal) copiesToAFullDisk(t *testing.T, phases ...string) {
	t.Helper()
	d := l.smallDisk(t)
	had := l.sql(t, "staging", "mrs", site)
	d.fill(t, 550)
	r := l.mage(t, "ops:copyProdToStaging", "-yes")
	if r.status == 0 || !strings.Contains(r.output, "nothing was copied") || !strings.Contains(r.output, "free below") {
		t.Errorf("exit status %d\n%s", r.status, r.output)
	}
	if now := l.sql(t, "staging", "mrs", site); now != had || l.left(t) != "" {
		t.Errorf("staging has\n%s\nand had\n%s; left: %s", now, had, l.left(t))
	}
	d.empty(t)
	for _, phase := range phases {
		t.Run(phase, func(t *testing.T) {
			// All of it: a part may be there before the disk is full.
			b := l.begin(t, phase, "ops:copyProdToStaging", "-yes")
			d.full(t)
			err := b.end(t)
			t.Logf("it ended with %v", err)
			if err == nil && phase == "copying" {
				t.Errorf("it interrupted nothing\n%s", b.said())
			}
			d.recovered(t, b)
			l.copiedWhole(t, b)
		})
	}
}

// smallDisk is what staging's PostgreSQL has for a disk.
type smallDisk struct{ l rehearsal }

// smallDisk gives staging's PostgreSQL a disk of its own, until the test ends.
func (l rehearsal) smallDisk(t *testing.T) smallDisk {
	t.Helper()
	const stack = `cd /home/mrs-staging
stack() { docker compose --project-name mrs-staging --env-file /dev/null --file docker-compose.yml "$@" >/dev/null 2>&1; }
`
	l.sh(t, "staging", stack+`stack stop
mv postgres/data postgres/data.kept; mkdir postgres/data
mount -t tmpfs -o size=3g tmpfs postgres/data
cp -a postgres/data.kept/. postgres/data/; chown --reference postgres/data.kept postgres/data; chmod 0700 postgres/data
stack up --detach --wait`)
	t.Cleanup(func() {
		l.sh(t, "staging", stack+`rm -f postgres/data/filler*; stack stop
rm -rf postgres/data.kept; cp -a postgres/data postgres/data.kept; umount postgres/data; rmdir postgres/data; mv postgres/data.kept postgres/data
stack up --detach --wait`)
	})
	return smallDisk{l}
}

// fill leaves so many MiB free on the disk.
func (d smallDisk) fill(t *testing.T, free int) {
	t.Helper()
	d.l.sh(t, "staging", fmt.Sprintf(filling, free))
}

const filling = `cd /home/mrs-staging/postgres/data
n=$(($(df --output=avail --block-size=1M . | tail -n 1) - %d))
[ $n -le 0 ] || fallocate -l ${n}M filler || true
`

// full leaves nothing free on the disk. PostgreSQL takes some of it at the same moment.
func (d smallDisk) full(t *testing.T) {
	t.Helper()
	d.l.sh(t, "staging", fmt.Sprintf(filling, 16)+"head -c 100M /dev/zero >filler.more 2>/dev/null || true")
}

// empty makes room on the disk again.
func (d smallDisk) empty(t *testing.T) {
	t.Helper()
	d.l.sh(t, "staging", "rm -f /home/mrs-staging/postgres/data/filler*")
}

// recovered makes room, and waits until what the full disk kept from being
// undone is.
func (d smallDisk) recovered(t *testing.T, b began) {
	t.Helper()
	d.empty(t)
	// Where nothing could be written any more in the middle of the swap, it can't be undone either
	// until there is room; that is said, and then it is undone.
	if d.l.sh(t, "staging", settled+"ls /home/mrs-staging/.restore.swap 2>/dev/null || true") != "" {
		if !strings.Contains(b.said(), "it is tried again every 30 s, or at once by /home/mrs-staging/restore.sh recover") {
			t.Errorf("it does not say how it goes on:\n%s", b.said())
		}
		d.l.sh(t, "staging", "n=0; while [ -e /home/mrs-staging/.restore.swap ]; do ((++n < 90)); sleep 1; done")
	}
	// What crashed while its database was away, the engine starts again after up to a minute
	// (docker-run(1), --restart).
	d.l.sh(t, "staging", `n=0
until [ -n "$(docker ps -q --filter label=com.docker.compose.project=mrs-staging --filter label=com.docker.compose.service=django --filter health=healthy)" ] || ((++n > 90)); do sleep 1; done`)
}
