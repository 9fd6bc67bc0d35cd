//go:build e2e

package e2e

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/check"
	"github.com/betagouv/mrs-ops/internal/local"
)

// machine is a container that stands for a fresh Debian machine: systemd, git,
// Go, an ordinary user who may sudo, and nothing else.
type machine string

// freshMachine boots one. It reads Go, its modules and what this machine has
// compiled; its Docker engine will be its own.
func freshMachine(t *testing.T, name string) machine {
	t.Helper()
	image := "mrs-e2e/" + name
	build(t, image, `FROM debian:bookworm-slim
RUN apt-get update && DEBIAN_FRONTEND=noninteractive apt-get install -y --no-install-recommends \
      ca-certificates curl dbus git iproute2 procps sudo systemd systemd-sysv
RUN systemctl mask systemd-udevd.service systemd-networkd.service console-getty.service getty@.service
RUN useradd --create-home --shell /bin/bash dev \
 && echo 'dev ALL=(ALL) NOPASSWD: ALL' > /etc/sudoers.d/dev
STOPSIGNAL SIGRTMIN+3
CMD ["/sbin/init"]
`)
	exec.Command("docker", "rm", "--force", "--volumes", name).Run()
	t.Cleanup(func() {
		for _, argv := range [][]string{
			{"docker", "rm", "--force", "--volumes", name},
			{"docker", "volume", "rm", "--force", name + "-docker"},
		} {
			if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
				t.Errorf("%v: %v\n%s", argv, err, out)
			}
		}
	})
	modules := must(t, "go", "env", "GOMODCACHE")
	must(t, "docker", "run", "--detach", "--name", name, "--hostname", name,
		// All that systemd and an engine of its own need; --privileged would also
		// ask for CAP_SYS_RESOURCE, which a machine that is itself a VM may lack.
		"--cap-add=ALL", "--cap-drop=SYS_RESOURCE",
		"--security-opt=seccomp=unconfined", "--security-opt=systempaths=unconfined",
		"--tmpfs=/run:exec", "--tmpfs=/run/lock",
		"--volume=/sys/fs/cgroup:/sys/fs/cgroup:rw", "--cgroupns=host",
		"--volume="+name+"-docker:/var/lib/docker",
		"--volume="+must(t, "go", "env", "GOROOT")+":/usr/local/go:ro",
		"--volume="+modules+":"+modules+":ro",
		"--volume="+must(t, "go", "env", "GOCACHE")+":/mnt/compiled:ro", "--tmpfs=/mnt/more:exec",
		image)
	// What is compiled anew goes elsewhere.
	must(t, "docker", "exec", name, "bash", "-euc", `
		cache=/home/dev/.cache/go-build
		mkdir -p "$cache" /mnt/more/{new,work}
		mount -t overlay -o lowerdir=/mnt/compiled,upperdir=/mnt/more/new,workdir=/mnt/more/work overlay "$cache"
		chmod a+rwx "$cache" "$cache"/*
		chown dev: /home/dev/.cache
		# The way to the modules may be root's.
		way=$0
		while [ "$way" != / ]; do chmod a+x "$way"; way=$(dirname "$way"); done`, filepath.Dir(modules))
	m := machine(name)
	eventually(t, name+" boots", func() bool {
		state := strings.TrimSpace(run(t, nil, "docker", "exec", name, "systemctl", "is-system-running").stdout)
		return state == "running" || state == "degraded"
	})
	return m
}

// sh runs a script as the ordinary user, in the clone if there is one.
func (m machine) sh(t *testing.T, script string) result {
	t.Helper()
	start := time.Now()
	r := run(t, nil, "docker", "exec", "--user", "dev", string(m), "bash", "-c", `
set -euo pipefail
export HOME=/home/dev PATH=/usr/local/go/bin:$PATH
# The modules that this machine has already, and what it has compiled.
export GOMODCACHE=`+must(t, "go", "env", "GOMODCACHE")+` GOSUMDB=off `+local.Quote(check.Anywhere...)+`
cd ~/mrs-ops 2>/dev/null || cd
`+script)
	t.Logf("%s: exit status %d in %s", strings.TrimSpace(script), r.status, time.Since(start).Round(100*time.Millisecond))
	return r
}

func (m machine) mustSh(t *testing.T, script string) string {
	t.Helper()
	r := m.sh(t, script)
	if r.status != 0 {
		t.Fatalf("%s: exit status %d\n%s", script, r.status, r.output)
	}
	return strings.TrimSpace(r.stdout)
}

func TestAnOrdinaryUserDeploysFromACleanCloneOnAFreshMachine(t *testing.T) {
	on(t, boxes, 260*time.Second)
	m := freshMachine(t, "mrs-e2e-fresh")
	must(t, "bash", "-c", fmt.Sprintf("set -o pipefail; git bundle create --quiet - HEAD | docker exec -i --user dev %s tee /home/dev/mrs-ops.bundle >/dev/null", m))
	m.mustSh(t, "git clone --quiet ~/mrs-ops.bundle ~/mrs-ops")
	// Building Compose takes minutes, and was done here when this machine was set up.
	cache, err := os.UserCacheDir()
	if err != nil {
		t.Fatal(err)
	}
	built, _ := filepath.Glob(filepath.Join(cache, "mrs-ops", "docker-compose-*"))
	must(t, "docker", "exec", "--user", "dev", string(m), "mkdir", "-p", "/home/dev/.cache/mrs-ops")
	for _, file := range built {
		must(t, "docker", "cp", file, string(m)+":/home/dev/.cache/mrs-ops/")
	}

	step(t, "without sudo, setup lists the commands to run and does nothing", func(t *testing.T) {
		must(t, "docker", "exec", string(m), "mv", "/etc/sudoers.d/dev", "/root/sudoers")
		defer must(t, "docker", "exec", string(m), "mv", "/root/sudoers", "/etc/sudoers.d/dev")
		r := m.sh(t, "go tool mage setup")
		if r.status == 0 || !strings.Contains(r.output, "apt-get install") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		if r := m.sh(t, "command -v ansible-playbook"); r.status == 0 {
			t.Error("ansible was installed")
		}
	})

	step(t, "setup installs what is missing, by sudo", func(t *testing.T) {
		t.Log(m.mustSh(t, "go tool mage setup 2>&1"))
		if out := m.sh(t, "systemctl is-active ssh docker-registry").stdout; strings.HasPrefix(out, "active") || strings.Contains(out, "\nactive") {
			t.Errorf("a server runs that nobody asked for:\n%s", out)
		}
	})
	if t.Failed() {
		t.FailNow()
	}

	step(t, "a second setup changes nothing", func(t *testing.T) {
		packages := m.mustSh(t, "dpkg -l | sha256sum")
		m.mustSh(t, "go tool mage setup")
		if m.mustSh(t, "dpkg -l | sha256sum") != packages {
			t.Error("packages were changed")
		}
	})

	step(t, "deploy:local deploys, with timers", func(t *testing.T) {
		// The images were built here already.
		must(t, "bash", "-c", fmt.Sprintf("set -o pipefail; docker save betagouv/mrs:master postgres:15 debian:bookworm-slim | docker exec -i %s docker load", m))
		if out := m.mustSh(t, "go tool mage deploy:local"); !strings.Contains(lastLine(out), "http://localhost:8000 answers") {
			t.Errorf("the last line is %q", lastLine(out))
		}
		if out := m.mustSh(t, "go tool mage deploy:local"); !strings.Contains(lastLine(out), "changed=0") {
			t.Errorf("the second time, the last line is %q\n%s", lastLine(out), out)
		}
		if status := m.mustSh(t, "curl -so /dev/null -w '%{http_code}' -H 'Host: localhost:8000' localhost:8000"); status != "200" {
			t.Errorf("the site answers %s", status)
		}
		timers := m.mustSh(t, "systemctl list-timers --all --no-pager")
		for _, want := range []string{"23:00:00", "testmrs-backup.timer", "04:00:00", "testmrs-prune.timer"} {
			if !strings.Contains(timers, want) {
				t.Errorf("list-timers does not show %s:\n%s", want, timers)
			}
		}
	})

	step(t, "no secret is in the journal", func(t *testing.T) {
		journal := m.mustSh(t, "sudo journalctl --no-pager --output cat")
		if journal == "" || strings.Contains(journal, "notsecret") {
			t.Errorf("SECRET_KEY is in the journal, or nothing is (%d bytes)", len(journal))
		}
	})

	step(t, "the host's somaxconn is set, once", func(t *testing.T) {
		m.mustSh(t, "MAXCONN=2048 LISTEN=512 go tool mage deploy:local")
		if got := m.mustSh(t, "cat /proc/sys/net/core/somaxconn"); got != "2048" {
			t.Errorf("it is %s", got)
		}
		if out := m.mustSh(t, "MAXCONN=2048 LISTEN=512 go tool mage deploy:local"); !strings.Contains(lastLine(out), "changed=0") {
			t.Errorf("the second time, the last line is %q\n%s", lastLine(out), out)
		}
	})

	step(t, "the backup's unit makes a snapshot", func(t *testing.T) {
		m.sh(t, "sudo systemctl start testmrs-backup") // there is no FTP server for the mirror, so the unit fails
		if out := m.mustSh(t, "sudo /tmp/testmrs/restore.sh"); !strings.Contains(out, "timer") {
			t.Errorf("no snapshot tagged timer:\n%s", out)
		}
	})

	step(t, "local:destroy removes it all", func(t *testing.T) {
		m.mustSh(t, "go tool mage local:destroy -yes")
		if out := m.mustSh(t, "systemctl list-timers --all --no-pager; sudo docker ps -aq; ls /tmp"); strings.Contains(out, "testmrs") {
			t.Errorf("left:\n%s", out)
		}
	})
}
