package setup

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// world is a machine made of small scripts: the PATH leads to them only, each
// notes how it was called, and what they install or start is a file.
type world struct {
	*machine
	t    *testing.T
	dir  string
	mu   sync.Mutex // over said
	said strings.Builder
}

// Scripts that stand in for the programs of a real machine.
const (
	dockerScript = `case "$*" in
"version "*)
	[ -e $WORLD/engine ] && echo 20.10.24+dfsg1 && exit
	echo "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?" >&2; exit 1 ;;
"compose version"*)
	[ -x $WORLD/plugins/docker-compose ] && exec $WORLD/plugins/docker-compose version --short
	echo "docker: 'compose' is not a docker command." >&2; exit 1 ;;
"context inspect"*) cat $WORLD/endpoint ;;
esac`
	composeScript = "echo 5.6.0"
	dockerdScript = "touch $WORLD/engine"
	sudoScript    = `shift 2; exec "$@"`

	// A package is a folder of the programs that it brings.
	aptGetScript = `[ "$1" = update ] && exit
for word; do [ -d $WORLD/packages/$word ] && cp $WORLD/packages/$word/* $WORLD/bin/; done; exit 0`
	aptCacheScript = "cat $WORLD/policy"

	goScript = `case "$*" in
*"mod download"*) cat $WORLD/module.json ;;
*" build "*)
	while [ "$1" != -o ]; do shift; done
	cp $WORLD/bin/.docker-compose "$2"; chmod +x "$2" ;;
esac`
)

// waitFor is a script that waits until a program is called by words that have these among them.
func waitFor(words string) string {
	return `until case "$(cat $WORLD/calls)" in *"` + words + `"*) true ;; *) false ;; esac; do sleep 0.01; done
`
}

var goodModule = `{"Dir": "/source/of/compose", "Sum": "` + compose.Sum + `"}`

// newWorld returns a machine with apt, sudo and go, and nothing that is needed.
func newWorld(t *testing.T) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	for _, dir := range []string{"bin", "packages", "plugins", "cache"} {
		if err := os.Mkdir(filepath.Join(w.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	w.machine = &machine{
		say: func(format string, args ...any) {
			w.mu.Lock()
			defer w.mu.Unlock()
			fmt.Fprintf(&w.said, format+"\n", args...)
		},
		root:       func(argv ...string) []string { return append([]string{"sudo", "-n", "--"}, argv...) },
		canRoot:    func(context.Context) bool { return true },
		systemd:    filepath.Join(w.dir, "systemd"),
		plugins:    filepath.Join(w.dir, "plugins"),
		dockerdLog: filepath.Join(w.dir, "dockerd.log"),
		cache:      filepath.Join(w.dir, "cache"),
		served:     map[string]finding{},
		patience:   10 * time.Second,
		grace:      time.Millisecond,
		pulse:      time.Hour,

		lockPatience: 10 * time.Second,
		lockPoll:     time.Millisecond,
	}
	for _, tool := range []string{"sh", "env", "setsid", "tail", "install", "mv", "cp", "cat", "touch", "chmod", "sleep"} {
		path, err := exec.LookPath(tool)
		if err != nil {
			t.Fatal(err)
		}
		if err := os.Symlink(path, filepath.Join(w.dir, "bin", tool)); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", filepath.Join(w.dir, "bin"))
	t.Setenv("WORLD", w.dir)
	w.program("sudo", sudoScript)
	w.program("apt-get", aptGetScript)
	w.program("apt-cache", aptCacheScript)
	w.program("go", goScript)
	w.program(".docker-compose", composeScript)
	w.file("module.json", goodModule)
	w.file("endpoint", defaultEndpoint)
	w.file("policy", w.testdata("debian12.policy"))
	w.pack("docker.io", "docker", dockerScript)
	w.pack("docker.io", "dockerd", dockerdScript)
	w.pack("ansible-core", "ansible-playbook", "echo 'ansible-playbook [core 2.14.18]'")
	w.pack("restic", "restic", "echo restic 0.14.0 compiled with go1.19.8 on linux/amd64")
	return w
}

// serving gives w docker with its engine, the plugin, ansible and restic.
func (w *world) serving() *world {
	w.program("docker", dockerScript)
	w.program("dockerd", dockerdScript)
	w.program("ansible-playbook", "echo 'ansible-playbook [core 2.14.18]'")
	w.program("restic", "echo restic 0.14.0 compiled with go1.19.8 on linux/amd64")
	w.script("plugins/docker-compose", composeScript)
	w.file("engine", "")
	return w
}

// program puts a program on the PATH that notes its call and does body.
func (w *world) program(name, body string) {
	w.script("bin/"+name, `echo "${0##*/} $*" >>$WORLD/calls`+"\n"+body)
}

// pack makes a program part of a package.
func (w *world) pack(pkg, name, body string) {
	if err := os.MkdirAll(filepath.Join(w.dir, "packages", pkg), 0o755); err != nil {
		w.t.Fatal(err)
	}
	w.script("packages/"+pkg+"/"+name, `echo "${0##*/} $*" >>$WORLD/calls`+"\n"+body)
}

func (w *world) script(path, body string) {
	w.file(path, "#!/bin/sh\n"+body+"\n")
	if err := os.Chmod(filepath.Join(w.dir, path), 0o755); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) file(path, content string) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, path), []byte(content), 0o644); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) remove(path string) {
	w.t.Helper()
	if err := os.Remove(filepath.Join(w.dir, path)); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) exists(path string) bool {
	_, err := os.Stat(filepath.Join(w.dir, path))
	return err == nil
}

func (w *world) testdata(name string) string {
	w.t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name))
	if err != nil {
		w.t.Fatal(err)
	}
	return string(content)
}

// changes returns the calls that change something, one a line.
func (w *world) changes() string {
	calls, err := os.ReadFile(filepath.Join(w.dir, "calls"))
	if err != nil && !os.IsNotExist(err) {
		w.t.Fatal(err)
	}
	var lines []string
	for line := range strings.Lines(string(calls)) {
		program, _, _ := strings.Cut(line, " ")
		switch program {
		case "apt-get", "systemctl", "service", "dockerd", "go", "brew", "dnf":
			lines = append(lines, line)
		}
	}
	return w.neutral(strings.Join(lines, ""))
}

// neutral replaces what differs from one world to the next.
func (w *world) neutral(text string) string {
	return temporary.ReplaceAllString(strings.ReplaceAll(text, w.dir, "WORLD"), "docker-compose-TEMP")
}
