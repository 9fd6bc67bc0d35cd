//go:build e2e

// Package e2e drives the targets as an operator does, on the real engine, and
// looks at what they made from outside.
//
// Every test says which [lane] it needs for itself ([on], [inTheLab]). Those in
// different ones run side by side, in any order. What measures how visitors fare
// is run [alone]. Nothing is set for the whole process: an environment belongs to
// a [clone] or an [instance], ports and names to one test.
package e2e

import (
	"bytes"
	"context"
	"flag"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/check"
	"github.com/betagouv/mrs-ops/internal/demo"
)

// mage is the compiled targets, root the project's root.
var mage, root string

// keep is whether labs are kept for the next run, and those that were kept are used.
var keep = flag.Bool("keep", false, "keep the labs, and use those that were kept")

func TestMain(m *testing.M) {
	flag.Parse()
	os.Exit(func() int {
		dir, err := os.MkdirTemp("", "mrs-e2e-")
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(dir)
		if err := prepare(dir); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return m.Run()
	}())
}

// prepare makes what all tests need: the targets, compiled into dir, and what
// is run and built on; on a bare machine nothing is there yet.
func prepare(dir string) (err error) {
	if root, err = filepath.Abs(".."); err != nil {
		return err
	}
	// How many run side by side is up to the lanes, not to the number of processors.
	if err := flag.Set("test.parallel", "64"); err != nil {
		return err
	}
	mage = filepath.Join(dir, "mrs-ops")
	for _, argv := range [][]string{{"go", "tool", "mage", "-compile", mage}, {mage, "setup"}} {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir, cmd.Env = root, append(os.Environ(), check.Anywhere...)
		if out, err := cmd.CombinedOutput(); err != nil {
			return fmt.Errorf("%v: %w\n%s", argv, err, out)
		}
	}
	say := func(format string, args ...any) { fmt.Printf(format+"\n", args...) }
	images := []string{"debian:bookworm-slim", "betagouv/mrs:master"}
	for _, version := range versions {
		images = append(images, "postgres:"+version)
	}
	return demo.Ensure(context.Background(), root, images, say)
}

// versions are those of PostgreSQL that instances may have, the oldest first: production's, two that Debian has, and
// the one that new instances get.
var versions = []string{"10", "13", "15", "17"}

// result is how a command ended.
type result struct {
	stdout, stderr string
	output         string // both streams, as they came: what is written to each at once in any order
	status         int
}

// run runs argv in the project with env beside the process environment.
func run(t *testing.T, env []string, argv ...string) result {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Dir = root
	cmd.Env = append(os.Environ(), env...)
	var stdout, stderr bytes.Buffer
	var output lockedBuffer
	cmd.Stdout = io.MultiWriter(&stdout, &output)
	cmd.Stderr = io.MultiWriter(&stderr, &output)
	err := cmd.Run()
	if err != nil && cmd.ProcessState == nil {
		t.Fatalf("%v: %v", argv, err)
	}
	return result{stdout.String(), stderr.String(), output.String(), cmd.ProcessState.ExitCode()}
}

// lockedBuffer takes what two streams write at the same time.
type lockedBuffer struct {
	mu   sync.Mutex
	text strings.Builder
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.text.String()
}

// must is run for what has to succeed; it returns standard output.
func must(t *testing.T, argv ...string) string {
	t.Helper()
	r := run(t, nil, argv...)
	if r.status != 0 {
		t.Fatalf("%s: exit status %d\n%s", strings.Join(argv, " "), r.status, r.output)
	}
	return strings.TrimSpace(r.stdout)
}

func lastLine(s string) string {
	s = strings.TrimSpace(s)
	return s[strings.LastIndexByte(s, '\n')+1:]
}

// patience is how long is waited for what takes moments, at most: as long as a
// loaded machine may take.
const patience = 4 * time.Minute

// soon waits until something holds, and reports whether it came to that. It asks
// less often as time goes by: to ask may be work.
func soon(holds func() bool) bool {
	late := time.Now().Add(patience)
	for nap := 20 * time.Millisecond; !holds(); nap = min(2*nap, time.Second) {
		if time.Now().After(late) {
			return false
		}
		time.Sleep(nap)
	}
	return true
}

// eventually ends the test unless something holds soon.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if !soon(holds) {
		t.Fatalf("not within %s: %s", patience, what)
	}
}

// clone is a copy of what is committed or new in the project, in a folder of
// its own: its Vagrant machines are not those of whoever works in the project,
// nor those of another test.
type clone struct {
	dir string
	env []string // of what is run in it, beside the process environment
}

// clones counts those of this process.
var clones atomic.Int32

// newClone makes one that goes, with its machines, when the test ends.
func newClone(t *testing.T) clone {
	t.Helper()
	c := clone{dir: filepath.Join(t.TempDir(), fmt.Sprintf("mrs-e2e-%d-%d", os.Getpid(), clones.Add(1)))}
	c.fill(t)
	t.Cleanup(func() {
		cmd := exec.Command("vagrant", "destroy", "--force")
		cmd.Dir = c.dir
		if out, err := cmd.CombinedOutput(); err != nil {
			t.Errorf("vagrant destroy: %v\n%s", err, out)
		}
	})
	return c
}

// fill makes the sources in the clone those of the project. What a lab has left
// there stays.
func (c clone) fill(t *testing.T) {
	t.Helper()
	must(t, "bash", "-c", `set -o pipefail
		mkdir -p "$0/env"
		find "$0" -mindepth 1 -not -path "$0/.vagrant*" -not -path "$0/env" -not -path "$0/env/lab*" -delete
		git ls-files -z --cached --others --exclude-standard |
			xargs -0 sh -c 'for f; do test -e "$f" && printf "%s\0" "$f"; done; :' sh |
			tar --null --files-from=- -c | tar -C "$0" -x`, c.dir)
}

// with is the clone with more in its environment.
func (c clone) with(env ...string) clone {
	return clone{c.dir, append(c.env[:len(c.env):len(c.env)], env...)}
}

// run runs argv in the clone, where the targets of the project are mage.
func (c clone) run(t *testing.T, argv ...string) result {
	t.Helper()
	start := time.Now()
	r := run(t, c.env, append([]string{"env", "--chdir=" + c.dir}, argv...)...)
	t.Logf("%s: exit status %d in %s", strings.Join(argv, " "), r.status, time.Since(start).Round(100*time.Millisecond))
	return r
}

func (c clone) must(t *testing.T, argv ...string) string {
	t.Helper()
	r := c.run(t, argv...)
	if r.status != 0 {
		t.Fatalf("%s: exit status %d\n%s", strings.Join(argv, " "), r.status, r.output)
	}
	return strings.TrimSpace(r.stdout)
}

// containers returns the containers that Vagrant made for the clone.
func (c clone) containers(t *testing.T) string {
	t.Helper()
	return must(t, "docker", "ps", "--all", "--quiet", "--filter", "name=^/?"+filepath.Base(c.dir)+"_")
}
