//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// The power goes in the lab as it goes on a server: what was not synced is lost.
//
// A machine of the lab is a container, and what it has not yet written to a disk is in the page cache of this machine,
// which outlives the container's death. So all that mrs-ops keeps on staging is moved to a disk of its own: ext4 in a
// file, by a loop device. A power cut kills the machine, all of it at once, and then tells that file system to forget
// what it has in memory only: it writes nothing any more, not even its journal (EXT4_IOC_SHUTDOWN with NOLOGFLUSH, as
// xfstests has it). The next boot mounts what is in the file, and the journal is replayed.
//
// It is the worst ext4 that its options make of it: nothing is written because time has passed (commit=, and
// vm.dirty_writeback_centisecs while a test is about it), and nothing because a file is renamed over another
// (noauto_da_alloc), which many programs rely on and XFS never had.
//
// What can't be had this way: the nested engine's own folder, /var/lib/docker, with containers and images is on no such
// disk (engine 20.10 does not sync the layers of an image that it pulls), nor are the rest of /etc and systemd's
// journal. ext4 commits what happened to names in the order in which it happened: a file system that reorders that, as
// btrfs may, isn't here; nor a disk that says it has written what it has not, or half of a sector.

// diskFolders are what is on it: data, scripts and releases of all instances, the load balancer, ledgers, audit logs,
// what restic caches.
const diskFolders = "/home /etc/traefik /root/.yourlabs.compose /var/cache/mrs-ops /var/lib/mrs-ops /var/log/mrs-ops"

// survives is what the disk has, after a power cut, of what was not synced.
type survives string

const (
	// Nothing. But whoever syncs anything syncs all names that were changed before.
	nothing survives = "nothing"
	// The names, as when somebody else has just synced a file; but no content: new files are empty.
	names survives = "names"
)

// rootCommand is a script on this machine, with words as its arguments.
func rootCommand(script string, words ...string) *exec.Cmd {
	argv := append([]string{"bash", "-c", "set -euo pipefail\n" + script, "bash"}, words...)
	if os.Geteuid() != 0 {
		argv = append([]string{"sudo", "--non-interactive"}, argv...)
	}
	return exec.Command(argv[0], argv[1:]...)
}

// asRoot runs one.
func asRoot(t *testing.T, script string, words ...string) {
	t.Helper()
	if out, err := rootCommand(script, words...).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s\n%s", err, script, out)
	}
}

// diskFile is the file that is the disk of staging.
func (l rehearsal) diskFile() string { return filepath.Join(l.dir, ".vagrant/staging.ext4") }

// disk has staging keep what it keeps on a disk that loses what is not synced, from now on; and until the test ends,
// nothing is synced because time has passed.
func (l rehearsal) disk(t *testing.T) {
	t.Helper()
	noWriteback(t)
	t.Cleanup(func() { l.letGo(t) })
	if _, err := l.shell("staging", "mountpoint --quiet /disk"); err == nil {
		l.hold(t)
		return
	}
	box := l.container(t, "staging")
	asRoot(t, `rm -f "$1"; truncate --size 16G "$1"; mkfs.ext4 -q -F "$1"`, l.diskFile())
	l.sh(t, "staging", `
cat >/etc/systemd/system/disk.service <<'UNIT'
[Unit]
Description=The disk, which the outer machine mounts
DefaultDependencies=no
Before=local-fs.target
[Service]
Type=oneshot
ExecStart=/bin/bash -c 'for f in `+diskFolders+`; do until mountpoint --quiet "$$f"; do sleep 0.05; done; done'
[Install]
WantedBy=local-fs.target
UNIT
systemctl --quiet enable disk.service`)
	begin := time.Now()
	must(t, "docker", "stop", "--time", "60", box)
	t.Logf("staging is off after %s", time.Since(begin).Round(time.Second))
	l.boot(t, box)
	t.Logf("it is there again, with its disk, after %s", time.Since(begin).Round(time.Second))
}

// noWriteback keeps this machine's kernel, all of it, from writing what is old, until the test ends, however it ends.
// Of several tests at once, also of other clones, the last one puts back what the first one found.
func noWriteback(t *testing.T) {
	t.Helper()
	keeper := rootCommand(`trap '' HUP INT TERM
exec 8>>"$2.turn" 9>>"$2"
flock 8
[ -s "$2" ] || cat "$1" >"$2"
echo 0 >"$1"
flock --shared 9
flock --unlock 8
echo
cat >/dev/null # until nobody is there any more
flock 8
! flock --nonblock 9 || { cat "$2" >"$1"; : >"$2"; }`,
		"/proc/sys/vm/dirty_writeback_centisecs", "/run/mrs-e2e.writeback")
	letGo, err := keeper.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := keeper.StdoutPipe()
	if err == nil {
		err = keeper.Start()
	}
	if err == nil {
		_, err = said.Read(make([]byte, 1))
	}
	if err != nil {
		t.Fatalf("vm.dirty_writeback_centisecs can't be set: %v", err)
	}
	t.Cleanup(func() {
		letGo.Close()
		if err := keeper.Wait(); err != nil {
			t.Errorf("vm.dirty_writeback_centisecs is not put back: %v", err)
		}
	})
}

// boot turns the container on that is staging, with its disk. Nothing of it starts before that is there.
func (l rehearsal) boot(t *testing.T, box string) {
	t.Helper()
	asRoot(t, `
box=$1 image=$2 address=$3
# The engine writes the file anew, whose lines a server would still have.
names=$(grep '# the lab$' "$(docker inspect --format '{{.HostsPath}}' "$box")" || true)
for label in "$5" "$6"; do
  docker ps --quiet --filter "label=$label" | xargs --no-run-if-empty docker rm --force >/dev/null
done
docker start "$box" >/dev/null
read -r pid now < <(docker inspect --format '{{.State.Pid}} {{.NetworkSettings.IPAddress}}' "$box")
# Where other containers have gone meanwhile, Docker gives it another one; where they have come, its own is theirs,
# who are other tests, and go. What it takes then Docker knows nothing of, and would give to the next container: so
# one has it as far as Docker knows, and does not use it.
if [ "$now" != "$address" ]; then
  for ((n = 0; n < 600; n++)); do
    id=$(docker run --detach --label "$6" debian:bookworm-slim sleep infinity)
    read -r keeper has < <(docker inspect --format '{{.State.Pid}} {{.NetworkSettings.IPAddress}}' "$id")
    [ "$has" != "$address" ] || break
    # Those that have what is free below it stay until one is given it.
    taken=$(docker network inspect bridge --format '{{range .Containers}}{{.Name}} {{.IPv4Address}}{{println}}{{end}}' | grep -F " $address/" || true)
    if [ -n "$taken" ]; then
      docker rm --force "$id" >/dev/null
      sleep 1
    fi
  done
  [ "$has" = "$address" ] || { echo "its address is another's now: $taken"; exit 1; }
  nsenter --target "$keeper" --net ip address delete "$address/16" dev eth0
  docker ps --quiet --no-trunc --filter "label=$6" | { grep -vF "$id" || true; } | xargs --no-run-if-empty docker rm --force >/dev/null
  nsenter --target "$pid" --net ip address add "$address/16" dev eth0
fi
[ -z "$names" ] || nsenter --target "$pid" --mount -- tee --append /etc/hosts >/dev/null <<<"$names"
loop=$(losetup --find --show "$image")
# It goes when nobody has it mounted any more, however that comes about.
trap 'losetup --detach "$loop"' EXIT
# The machine may not open it, but it has what is mounted where it looks.
nsenter --target "$pid" --mount -- bash -euc '
mknod "$1" b "$2" "$3"
mkdir -p /disk
mount -t ext4 -o noatime,commit=86400,noauto_da_alloc "$1" /disk
rm "$1"
shift 3
for folder in "$@"; do
  mkdir -p "$folder"
  # What is there is what it begins with.
  [ -e "/disk$folder" ] || { mkdir -p "/disk${folder%/*}"; cp -a "$folder" "/disk$folder"; sync --file-system /disk; }
  mount --bind "/disk$folder" "$folder"
done' bash "$loop" $((0x$(stat --format %t "$loop"))) $((0x$(stat --format %T "$loop"))) $4`,
		box, l.diskFile(), l.staging, diskFolders, l.holding(), keeping(l.dir))
	l.hold(t)
	l.booted(t, "staging")
}

// hold makes the containers that hold staging's address while it is off: ten, since the first of them that start may
// be given others, that are free.
func (l rehearsal) hold(t *testing.T) {
	asRoot(t, `for ((n = $(docker ps --all --quiet --filter "label=$1" | wc -l); n < 10; n++)); do
  docker create --label "$1" debian:bookworm-slim sleep 300
done >/dev/null`, l.holding())
}

// letGo removes them.
func (l rehearsal) letGo(t *testing.T) {
	asRoot(t, `docker ps --all --quiet --filter "label=$1" | xargs --no-run-if-empty docker rm --force >/dev/null`, l.holding())
}

// holding is the label of the containers that hold staging's address while it is off.
func (l rehearsal) holding() string { return "mrs-e2e.holds=" + filepath.Base(l.dir) }

// keeping is the label of the container that has staging's address as far as Docker knows, while staging uses it, in the
// lab in a folder. It goes with the lab.
func keeping(folder string) string { return "mrs-e2e.keeps=" + filepath.Base(folder) }

// booted waits until a machine has booted, and its engine runs.
func (l rehearsal) booted(t *testing.T, machine string) {
	t.Helper()
	eventually(t, machine+" boots", func() bool {
		_, err := l.shell(machine, "systemctl is-system-running --wait >/dev/null || true; docker version")
		return err == nil
	})
}

// reboot restarts staging as its administrator does.
func (l rehearsal) reboot(t *testing.T) {
	t.Helper()
	box := l.container(t, "staging")
	must(t, "docker", "stop", "--time=60", box)
	l.boot(t, box)
}

// powerCut turns staging off, hard, and on again: of what it had not synced, nothing is left.
func (l rehearsal) powerCut(t *testing.T) {
	t.Helper()
	l.powerCutWhen(t, nothing, "true")
}

// powerCutWhen does it as soon as a condition holds, a shell's, in the home of staging.
func (l rehearsal) powerCutWhen(t *testing.T, left survives, condition string) {
	t.Helper()
	box := l.container(t, "staging")
	asRoot(t, `
box=$1 left=$2 image=$3
pid=$(docker inspect --format '{{.State.Pid}}' "$box")
disk=/proc/$pid/root/disk
cd "/proc/$pid/root/home/mrs-staging" 2>/dev/null || cd "/proc/$pid/root/home" # nothing is deployed yet
holds() { `+condition+`; }
for ((n = 0; n < 24000; n++)); do
  ! holds || break
  sleep 0.01
done
holds
[ "$left" = nothing ] || { echo >"$disk/another"; sync "$disk/another"; }
# Who has it open keeps it from being unmounted, which would write all of it.
exec 9<"$disk"
kill -KILL "$pid"
cd /
docker wait "$box" >/dev/null
# While a machine is off, a container that starts would be given its address: one of these gets it.
for id in $(docker ps --all --quiet --filter "label=$4"); do
  docker start "$id" >/dev/null
  [ "$(docker inspect --format '{{.NetworkSettings.IPAddress}}' "$id")" != "$5" ] || break
done
python3 -c 'import fcntl, struct; fcntl.ioctl(9, 0x8004587D, struct.pack("I", 2))'
exec 9<&-
until [ -z "$(losetup --associated "$image")" ]; do sleep 0.05; done`, box, string(left), l.diskFile(), l.holding(), l.staging)
	l.boot(t, box)
}

// dark is staging, of which two releases take turns when the power has gone.
type dark struct {
	rehearsal
	first, second string // images of the versions 1111111 and 2222222
	good          map[string]bool
}

// intact fails the test unless all that is kept can be read, and the snapshots that were good still are.
func (d *dark) intact(t *testing.T) {
	t.Helper()
	said := d.sh(t, "staging", `
cd /home/mrs-staging
docker compose --project-name mrs-staging --env-file /dev/null --file docker-compose.yml config --quiet 2>&1 || true
find . -maxdepth 1 \( -name .restore.swap -o -name '.running.*' \)
for f in .restic_id .restic_password .backup.env releases/*/* /var/lib/mrs-ops/*.prom \
  /root/.yourlabs.compose/*/removeat; do
  [ -s "$f" ] || [ ! -e "$f" ] || echo "$f is empty"
done
(cd restic && find data index keys snapshots -type f | xargs sha256sum |
  awk '{ name = $2; sub(/.*\//, "", name); if (name != $1) print $2 " is damaged" }')
set -a; . ./.backup.env
export RESTIC_PASSWORD_FILE=.restic_password RESTIC_CACHE_DIR=/var/cache/mrs-ops
restic check --quiet --with-cache --no-lock 2>&1 || true`)
	if said != "" {
		t.Errorf("it is not whole: %s", said)
	}
	now := map[string]bool{}
	for _, s := range d.backed(t, "staging").Snapshots {
		now[s.ID] = !s.Unchecked
	}
	for id := range d.good {
		if !now[id] {
			t.Errorf("snapshot %s was good, and is not", id)
		}
	}
	d.good = now
}

// serves fails the test unless the second version serves, and is what is on record.
func (d *dark) serves(t *testing.T) {
	t.Helper()
	d.healthy(t)
	if got := version(d.staging, "www.staging.lab"); got != "2222222" {
		t.Errorf("it serves %s", got)
	}
	if file := d.sh(t, "staging", "cat /home/mrs-staging/docker-compose.yml"); !strings.Contains(file, d.second) {
		t.Errorf("docker-compose.yml has not %s:\n%s", d.second, file)
	}
	var releases []struct{ Commit, Image string }
	if err := json.Unmarshal([]byte(d.mustMage(t, "deploy:history", "staging", "-json")), &releases); err != nil {
		t.Fatal(err)
	}
	if last := releases[len(releases)-1]; last.Commit != "2222222" || last.Image != d.second {
		t.Errorf("the last release is %+v", last)
	}
	if e := d.last(t, "staging"); e.What != "deploy "+d.second || e.Outcome != "ok" {
		t.Errorf("the audit log says %+v", e)
	}
}

// cut cuts the power in a deployment of the first version over the second, as soon as it has said so much and a
// condition holds: the site comes back, and the next deployment tidies up.
func (d *dark) cut(t *testing.T, until string, left survives, condition string, env ...string) {
	t.Helper()
	b := d.given(env...).begin(t, until, "deploy:staging", "-yes", "-image="+d.first)
	d.powerCutWhen(t, left, condition)
	_ = syscall.Kill(-b.Process.Pid, syscall.SIGKILL)
	_ = b.end(t)
	d.healthy(t)
	d.intact(t)
	d.mustMage(t, "deploy:staging", "-yes", "-image="+d.second)
	d.serves(t)
	d.whole(t, "staging", "mrs-staging", "/home/mrs-staging")
}

// maintained fails the test unless the mark of maintenance is there, and the application closed, as it has to be.
func (d *dark) maintained(t *testing.T, want string) {
	t.Helper()
	// Who has no password sees nothing of it.
	marked := d.sh(t, "staging", `test -e /home/mrs-staging/.maintenance && echo yes || echo no
docker exec "$(docker ps --quiet --filter name=mrs-staging-django)" printenv MAINTENANCE_ENABLE || true`)
	if got := strings.Join(strings.Fields(marked), " "); got != want {
		t.Errorf("the mark is there, and the application closed: %s", got)
	}
}

// What was at work, or had just ended, when the power went. Each begins on what the one before it has left. The
// campaign cuts it at other moments, too, and in backups and restores.
func TestAPowerCutTakesNothingBackThatWasSaidToBeDone(t *testing.T) {
	l := inTheLab(t, 150*time.Second)
	l.disk(t)
	d := &dark{rehearsal: l, first: l.image(t, "dark-1", "1111111"), second: l.image(t, "dark-2", "2222222")}

	step(t, "what was not synced is lost, or all but its name where somebody else has synced", func(t *testing.T) {
		const lost, nameless = "kept:kept replaced:old .", "kept:kept new: replaced: ."
		for left, want := range map[survives][]string{
			nothing: {lost, nameless}, // PostgreSQL may have synced something of its own
			names:   {nameless},
		} {
			l.sh(t, "staging", `
rm -rf /home/layer; mkdir /home/layer; cd /home/layer
echo old >replaced; echo kept >kept; sync replaced kept . /home
echo new >new; echo new >.replaced; mv .replaced replaced`)
			l.powerCutWhen(t, left, "true")
			got := l.sh(t, "staging", `cd /home/layer; for f in *; do printf '%s:%s ' "$f" "$(cat "$f")"; done; echo .`)
			if !slices.Contains(want, got) {
				t.Errorf("with %s there is %s, and not %q", left, got, want)
			}
		}
		l.sh(t, "staging", "rm -r /home/layer")
	})

	l.mustMage(t, "deploy:staging", "-yes", "-image="+d.first)
	step(t, "the power goes when a new instance has a repository, and nothing else", func(t *testing.T) {
		l.remove(t, "staging", "mrs-ecole", "/home/mrs-ecole")
		b := l.begin(t, "pulling the images", "deploy:to", "ecole")
		l.powerCutWhen(t, names, "true")
		_ = syscall.Kill(-b.Process.Pid, syscall.SIGKILL)
		_ = b.end(t)
	})
	step(t, "what was deployed when the power went is deployed, also a new instance and a branch", func(t *testing.T) {
		var all sync.WaitGroup
		for _, words := range [][]string{
			{"deploy:staging", "-yes", "-image=" + d.second}, {"deploy:to", "ecole"},
			{"deploy:branch", "plain", "-image=" + d.first},
		} {
			all.Go(func() {
				if r := l.mage(t, words...); r.status != 0 {
					t.Errorf("%v: exit status %d\n%s", words, r.status, r.output)
				}
			})
		}
		all.Wait()
		l.powerCutWhen(t, names, "true")
		d.serves(t)
		runs := l.backed(t, "staging").Runs
		if last := runs[len(runs)-1]; last.What != "backup" || last.Cause != "deploy" || last.Outcome != "good" {
			t.Errorf("the last thing that the ledger has is %+v", last)
		}
		d.intact(t)
		if out := l.mustMage(t, "deploy:branches"); !strings.Contains(out, "7d") && !strings.Contains(out, "6d") {
			t.Errorf("the branches are\n%s", out)
		}
		if !soon(func() bool { return version(l.staging, "plain.test.lab") == "1111111" }) {
			t.Errorf("the branch serves %s", version(l.staging, "plain.test.lab"))
		}
		l.mustMage(t, "deploy:destroy", "plain", "-yes")
		l.mustMage(t, "ops:backup", "ecole")
		// It boots slower with more to start.
		l.remove(t, "staging", "mrs-ecole", "/home/mrs-ecole")
	})
	step(t, "maintenance that was on when the power went is on", func(t *testing.T) {
		l.mustMage(t, "ops:maintenance", "staging", "on", "-yes")
		l.powerCutWhen(t, nothing, "true")
		l.healthy(t)
		d.maintained(t, "yes 1")
		l.mustMage(t, "ops:maintenance", "staging", "off", "-yes")
	})
	step(t, "the power goes in a deployment, when the old one is gone, and no new one is there", func(t *testing.T) {
		// Of an entry that was being written, a part is there.
		l.sh(t, "staging", `echo '{"what": "cut"}' >>/var/log/mrs-ops/mrs-staging.log`)
		d.cut(t, "stopped and started anew", names, `[ -z "$(docker ps --quiet --filter name=mrs-staging-django)" ]`,
			`compose_django_ports=["8999:8000"]`)
		d.maintained(t, "no")
	})
}
