//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
)

// applicationID is the user and the group that the application runs as, in its image.
const applicationID = 1000

// writer is an application that keeps its log open.
type writer struct {
	path  string
	in    io.WriteCloser
	done  *bufio.Reader
	lines int
}

// newWriter starts one. It could not walk to its log: to a container, that is mounted.
func newWriter(t *testing.T, path string) *writer {
	t.Helper()
	log, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o640)
	if err == nil {
		err = log.Chown(applicationID, applicationID)
	}
	if err != nil {
		t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command("bash", "-c", `while IFS= read -r line; do echo "$line"; echo >&2; done`)
	cmd.Stdout = log
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: applicationID, Gid: applicationID}}
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	said, err := cmd.StderrPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_, _ = io.Copy(io.Discard, said)
		_ = cmd.Wait()
	})
	return &writer{path: path, in: in, done: bufio.NewReader(said)}
}

// write has it write n more lines, and returns once they are there.
func (w *writer) write(t *testing.T, n int) {
	t.Helper()
	for range n {
		w.lines++
		fmt.Fprintf(w.in, "line %d\n", w.lines)
		if _, err := w.done.ReadString('\n'); err != nil {
			t.Fatal(err)
		}
	}
}

// has fails the test unless a file of the log has the lines from first to last.
func (w *writer) has(t *testing.T, file string, first, last int) {
	t.Helper()
	text := readFile(t, file)
	if strings.HasSuffix(file, ".gz") {
		unpacked, err := gzip.NewReader(bytes.NewReader(text))
		if err == nil {
			text, err = io.ReadAll(unpacked)
		}
		if err != nil {
			t.Fatalf("%s: %v", file, err)
		}
	}
	var want strings.Builder
	for n := first; n <= last; n++ {
		fmt.Fprintf(&want, "line %d\n", n)
	}
	if string(text) != want.String() {
		t.Errorf("%s has %q, and not the lines %d to %d", file, text, first, last)
	}
}

// rotates fails the test unless logrotate, as root's timer runs it, rotates with a configuration the logs in a home
// that is closed, while the application writes them, and follows nothing that the application has put there.
func rotates(t *testing.T, config, home string) {
	logs := filepath.Join(home, "log")
	state := filepath.Join(t.TempDir(), "state")
	rotate := func() result { return run(t, nil, "logrotate", "--force", "--state", state, config) }
	own := func(path string) {
		t.Helper()
		if err := os.Lchown(path, applicationID, applicationID); err != nil {
			t.Fatal(err)
		}
	}

	w := newWriter(t, filepath.Join(logs, "rotated.log"))
	w.write(t, 3)
	if r := rotate(); r.status != 0 {
		t.Fatalf("exit status %d\n%s", r.status, r.output)
	}
	w.has(t, w.path, 1, 0)
	w.has(t, w.path+".1", 1, 3)
	w.write(t, 2)
	w.has(t, w.path, 4, 5)
	if r := rotate(); r.status != 0 {
		t.Fatalf("exit status %d\n%s", r.status, r.output)
	}
	w.write(t, 1)
	w.has(t, w.path+".2.gz", 1, 3)
	w.has(t, w.path+".1", 4, 5)
	w.has(t, w.path, 6, 6)
	log, err := os.Stat(w.path)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{w.path + ".1", w.path + ".2.gz"} {
		info, err := os.Stat(name)
		if err != nil || info.Sys().(*syscall.Stat_t).Uid != applicationID || info.Mode() != log.Mode() {
			t.Errorf("%s is %+v, %v", name, info, err)
		}
	}

	// What is planted: links to a file of root's, under the name of a log, of a rotated one, of one that is made.
	secret := filepath.Join(home, ".of-root")
	if err := os.WriteFile(secret, []byte("hush\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.Remove(secret) })
	for _, planted := range []string{"link.log", "made.log.1", "packed.log.1.gz", "packed.log.2.gz", "dangling.log"} {
		to := secret
		if planted == "dangling.log" {
			to = filepath.Join(home, "new")
		}
		if err := os.Symlink(to, filepath.Join(logs, planted)); err != nil {
			t.Fatal(err)
		}
		own(filepath.Join(logs, planted))
	}
	if err := os.Link(secret, filepath.Join(logs, "hard.log")); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"made.log", "packed.log", "packed.log.1"} {
		if err := os.WriteFile(filepath.Join(logs, name), []byte("x\n"), 0o640); err != nil {
			t.Fatal(err)
		}
		own(filepath.Join(logs, name))
	}
	t.Cleanup(func() {
		for _, pattern := range []string{"rotated.log*", "link.log*", "made.log*", "packed.log*", "dangling.log*", "hard.log*"} {
			all, _ := filepath.Glob(filepath.Join(logs, pattern))
			for _, path := range all {
				os.Remove(path)
			}
		}
	})
	for range 3 {
		_ = rotate() // what it thinks of it is its own affair
		if text := readFile(t, secret); string(text) != "hush\n" {
			t.Fatalf("root's file has %q", text)
		}
		info, err := os.Stat(secret)
		if err != nil || info.Mode().Perm() != 0o600 || info.Sys().(*syscall.Stat_t).Uid != 0 {
			t.Fatalf("root's file is %v: %v", info, err)
		}
		if _, err := os.Lstat(filepath.Join(home, "new")); !errors.Is(err, fs.ErrNotExist) {
			t.Fatalf("a file is made where a link leads: %v", err)
		}
		// Nothing that the application may read is a copy of it.
		all, err := filepath.Glob(filepath.Join(logs, "*"))
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range all {
			if info, err := os.Lstat(path); err != nil || !info.Mode().IsRegular() || filepath.Base(path) == "hard.log" {
				continue
			}
			text := readFile(t, path)
			if unpacked, err := gzip.NewReader(bytes.NewReader(text)); err == nil {
				text, _ = io.ReadAll(unpacked)
			}
			if strings.Contains(string(text), "hush") {
				t.Fatalf("%s has what root's file has", path)
			}
		}
	}
	// What is planted beside them hinders no other log.
	w.has(t, w.path+".2.gz", 4, 5)
}
