package generation

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// place is a server of a test.
func place(t *testing.T) Place {
	t.Helper()
	root := t.TempDir()
	p := Place{
		Folder: filepath.Join(
			root,
			"home",
		),
		Locks:    filepath.Join(root, "lock/mrs-ops"),
		Programs: filepath.Join(root, "programs"),
		Tmpfiles: filepath.Join(root, "tmpfiles.d"),
		Backed:   true,
		Branches: true,
	}
	for _, folder := range []string{p.Folder, p.Locks, p.Programs} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

func TestAnOlderMrsHostRefusesWhatANewerOneHasDeployedAndSaysTheVersion(t *testing.T) {
	p := place(t)
	if err := Refuse("production", p.Folder); err != nil {
		t.Errorf("one that never said its version: %v", err)
	}
	if _, err := Mark(p); err != nil {
		t.Fatal(err)
	}
	if err := Refuse("production", p.Folder); err != nil {
		t.Errorf("our own: %v", err)
	}
	write := func(text string) {
		if err := os.WriteFile(filepath.Join(p.Folder, version), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(fmt.Sprintln(hostapi.Version + 1))
	err := Refuse("production", p.Folder)
	f, ok := errors.AsType[*hostapi.Failure](err)
	want := fmt.Sprintf(
		"production is operated by mrs-ops of version %d, and this clone is of version %d; nothing was changed",
		hostapi.Version+1,
		hostapi.Version,
	)
	if !ok || f.Reason != want || f.Outcome != hostapi.Failed || !strings.Contains(f.Hint, "git pull") {
		t.Errorf("a newer one: %v", err)
	}
	for _, text := range []string{"", "x\n", "-1\n", "2 2\n"} {
		write(text)
		if err := Refuse("production", p.Folder); err == nil {
			t.Errorf("%q is taken for a version", text)
		}
	}
}

func TestARequestOfAnotherVersionIsRefusedWithTheVersionThatItNeeds(t *testing.T) {
	if f := hostapi.Mismatched(hostapi.Version); f != nil {
		t.Errorf("the same: %v", f)
	}
	for request, said := range map[int]string{
		0: fmt.Sprintf("of version 1, and mrs-host is of version %d;", hostapi.Version),
		hostapi.Version + 1: fmt.Sprintf(
			"of version %d, and mrs-host is of version %d;", hostapi.Version+1, hostapi.Version),
	} {
		if f := hostapi.Mismatched(request); f == nil || !strings.Contains(f.Reason, said) || f.Hint == "" {
			t.Errorf("%d: %v", request, f)
		}
	}
}

func TestMarksAreMadeOnce(t *testing.T) {
	p := place(t)
	script := filepath.Join(p.Folder, "backup-common.sh")
	if err := os.WriteFile(script, []byte("# of an older clone"), 0o700); err != nil {
		t.Fatal(err)
	}
	if n, err := Mark(p); err != nil || n != 6 {
		t.Fatalf("%d, %v", n, err)
	}
	if n, err := Mark(p); err != nil || n != 0 {
		t.Errorf("the second time: %d, %v", n, err)
	}
	// As role place of older clones has a script there: a new file gets its name.
	for _, path := range []string{script, filepath.Join(p.Programs, "branches.sh")} {
		half := path + ".new"
		if err := os.WriteFile(half, nil, 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(half, path); err == nil {
			t.Errorf("an older clone gets %s in its place", path)
		}
		said, err := os.ReadFile(filepath.Join(path, notice))
		if err != nil || !strings.Contains(string(said), "git pull") {
			t.Errorf("%q, %v", said, err)
		}
	}
}

func TestACloneFromBeforeMrsHostIsRefusedByItsOwnScriptBeforeItChangesAnything(t *testing.T) {
	for _, program := range []string{"bash", "python3", "flock"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatal("there is no " + program + ", which that script needs")
		}
	}
	script, err := os.ReadFile("testdata/721196b/hold.sh.txt")
	if err != nil {
		t.Fatal(err)
	}
	p := place(t)
	text := strings.Replace(string(script), "cd /run/lock", "cd "+filepath.Dir(p.Locks), 1)
	hold := func() (out, said string, err error) {
		var stdout, stderr bytes.Buffer
		cmd := exec.CommandContext(
			t.Context(),
			"bash",
			"-c",
			text,
			"bash",
			"mrs-production",
			"TOKEN",
			"eve",
			"deploy",
		)
		cmd.Stdout, cmd.Stderr = &stdout, &stderr
		err = cmd.Run()
		return stdout.String(), stderr.String(), err
	}
	if out, said, err := hold(); out != "held\n" || err != nil { // its input ends at once
		t.Fatalf("before: %q, %q, %v", out, said, err)
	}
	if _, err := Mark(p); err != nil {
		t.Fatal(err)
	}
	out, said, err := hold()
	want := fmt.Sprintf(
		"this server is operated by mrs-ops of version %d or later, and this clone is older: nothing was changed\n"+
			"hint: git pull in your clone of mrs-ops, then again\n",
		hostapi.Version,
	)
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 1 || out != "" || said != want {
		t.Errorf("%q, %q, %v", out, said, err)
	}
	if lock, err := os.ReadFile(filepath.Join(p.Locks, "mrs-production.lock")); err != nil || len(lock) > 0 {
		t.Errorf("it leaves in the lock %q, %v", lock, err)
	}
}
