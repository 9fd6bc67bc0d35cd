package lock

import (
	"bufio"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// old is a part of the scripts of commit 721196b, from before mrs-host, as a server may still run it: its
// locks are in a folder of the test's.
func old(t *testing.T, file, folder string) string {
	t.Helper()
	for _, program := range []string{"bash", "python3", "flock"} {
		if _, err := exec.LookPath(program); err != nil {
			t.Fatal("there is no " + program + ", which those scripts need")
		}
	}
	text, err := os.ReadFile("../generation/testdata/721196b/" + file)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer("cd /run/lock &&", "cd "+filepath.Dir(folder)+" &&", "/run/lock/mrs-ops", folder).
		Replace(string(text))
}

// runs is a script that runs until its input ends, and has said a line.
type runs struct {
	cmd   *exec.Cmd
	input io.WriteCloser
	lines *bufio.Scanner
}

func script(t *testing.T, text string, args ...string) runs {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", append([]string{"-c", text, "bash"}, args...)...)
	cmd.Stderr = os.Stderr
	input, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { input.Close(); _ = cmd.Wait() })
	return runs{cmd, input, bufio.NewScanner(out)}
}

// says fails the test unless the next line is that.
func (r runs) says(t *testing.T, want string) {
	t.Helper()
	if !r.lines.Scan() || r.lines.Text() != want {
		t.Fatalf("it says %q, not %q", r.lines.Text(), want)
	}
}

func TestWhoeverHoldsAnInstanceByAnOldScriptIsNamedAndCanBeEnded(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "mrs-ops")
	holder := script(t, old(t, "hold.sh.txt", folder), "mrs", "TOKEN", `eve@laptop "é`, "deploy img:1")
	holder.says(t, "held")
	_, err := Take(t.Context(), folder, "mrs", hostapi.Holder{Who: "bob"}, nobody)
	if !errors.Is(err, ErrBusy) || !strings.Contains(err.Error(), `eve@laptop "é: deploy img:1, since `) {
		t.Errorf("it can be taken: %v", err)
	}
	by, held, err := HeldBy(folder, "mrs")
	if err != nil || !held || by.Token != "TOKEN" {
		t.Fatalf("%+v, %v, %v", by, held, err)
	}
	if err := Unlock(t.Context(), folder, "mrs", by); err != nil {
		t.Errorf("it can't be ended: %v", err)
	}
	_ = holder.cmd.Wait()
	l, err := Take(t.Context(), folder, "mrs", hostapi.Holder{Who: "bob"}, nobody)
	if err != nil {
		t.Fatal(err)
	}
	l.Release()
}

func TestAnOldScriptDoesNotGetWhatIsHeldAndIsToldByWhom(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "mrs-ops")
	begin(t, t.Context(), folder, "abc")
	second := script(t, old(t, "hold.sh.txt", folder), "mrs", "TOKEN", "bob", "deploy")
	second.lines.Scan()
	if said := second.lines.Text(); !strings.Contains(said, `"who":"eve"`) ||
		!strings.Contains(said, `"token":"abc"`) {
		t.Errorf("it says %q", said)
	}
	if exit, ok := errors.AsType[*exec.ExitError](second.cmd.Wait()); !ok || exit.ExitCode() != hostapi.Busy {
		t.Errorf("it ends with %v", exit)
	}
}

// deploys is the old deployment as far as it takes the locks, and holds them then.
const deploys = `set -euo pipefail
umask 077
project=mrs folder=/ token=$1 who=bob what=deploy
say() { printf '%s\n' "$*"; }
die() { printf '%s\n' "$1"; exit 1; }
`

func TestAnOldDeploymentAndANewOneWaitForEachOther(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "mrs-ops")
	text := deploys + old(t, "take_locks.txt", folder) + "take_locks\necho works\nread -r _ || true\n"
	first, err := Take(t.Context(), folder, "mrs", hostapi.Holder{Who: "eve", What: "deploy"}, nobody)
	if err != nil {
		t.Fatal(err)
	}
	refused := script(t, text, "")
	refused.lines.Scan()
	if said := refused.lines.Text(); !strings.HasPrefix(
		said,
		`mrs is locked by somebody else: {"token":"-","who":"eve"`,
	) {
		t.Errorf("it says %q", said)
	}
	first.Release()

	// One whose operator is gone works on under its own lock.
	backup, err := Share(t.Context(), folder, "mrs", nobody)
	if err != nil {
		t.Fatal(err)
	}
	works := script(t, text, "")
	works.says(t, "mrs is being backed up or restored, or an earlier deployment undone: waiting for the end of that")
	backup.Close()
	works.says(t, "works")
	if _, err := Try(
		folder,
		"mrs",
		hostapi.Holder{Who: "eve"},
	); !errors.Is(err, ErrBusy) ||
		!strings.Contains(err.Error(), "bob") {
		t.Errorf("a new one does not see it: %v", err)
	}
	if f, free, err := TryFile(filepath.Join(folder, "mrs.work")); free || err != nil {
		f.Close()
		t.Errorf("it works without the lock: %v", err)
	}
}

func TestAnOldDeploymentUnderALockOfANewOperatorIsEndedWithIt(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "mrs-ops")
	holder := begin(t, t.Context(), folder, "abc")
	text := deploys + old(
		t,
		"take_locks.txt",
		folder,
	) + "trap 'echo undone; exit 143' TERM\ntake_locks\necho works\nread -r _ || true\n"
	works := script(t, text, "abc")
	works.says(t, "works")
	holder.end()
	if err := <-holder.ended; err != nil {
		t.Error(err)
	}
	works.says(t, "undone")
}

func TestAnOldBackupSharesTheWorkersLockWithNewOnes(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "mrs-ops")
	text := "set -euo pipefail\nNAME=mrs\nsay() { printf '%s\\n' \"$*\"; }\n" + old(t, "order.txt", folder) +
		"order shared\necho works\nread -r _ || true\n"
	works := script(t, text)
	works.says(t, "works")
	shared, err := Share(t.Context(), folder, "mrs", nobody)
	if err != nil {
		t.Fatal(err)
	}
	shared.Close()
	if _, err := Try(folder, "mrs", hostapi.Holder{}); !errors.Is(err, ErrBusy) {
		t.Errorf("a deployment does not wait for it: %v", err)
	}
	works.input.Close()
	_ = works.cmd.Wait()
	alone, err := Alone(t.Context(), folder, "mrs", nobody)
	if err != nil {
		t.Fatal(err)
	}
	defer alone.Close()
	waits := script(t, text)
	waits.says(t, "mrs is being deployed, restored or backed up: waiting for the end of that")
}
