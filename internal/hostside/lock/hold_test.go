package lock

import (
	"context"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/gofrs/flock"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// holds is one that holds the operator's lock.
type holds struct {
	end   func() // of its input
	ended chan error
}

// begin has somebody hold the lock, and fails the test unless they do.
func begin(t *testing.T, ctx context.Context, folder, token string) holds {
	t.Helper()
	r, w := io.Pipe()
	h := holds{func() { w.Close() }, make(chan error, 1)}
	t.Cleanup(h.end)
	got := make(chan hostapi.Holder, 1)
	go func() {
		h.ended <- Hold(ctx, folder, "mrs", hostapi.Holder{Token: token, Who: "eve", What: "deploy"}, r, func(by hostapi.Holder) { got <- by })
	}()
	select {
	case by := <-got:
		if by.Token != token || by.PID != strconv.Itoa(os.Getpid()) || by.Since == 0 {
			t.Fatalf("it is held by %+v", by)
		}
	case err := <-h.ended:
		t.Fatal(err)
	}
	return h
}

func TestTheOperatorsLockIsHeldUntilTheirInputEnds(t *testing.T) {
	folder := filepath.Join(t.TempDir(), "locks")
	if _, held, err := HeldBy(folder, "mrs"); held || err != nil {
		t.Fatal(held, err)
	}
	first := begin(t, t.Context(), folder, "abc")
	if by, held, err := HeldBy(folder, "mrs"); !held || by.Token != "abc" || err != nil {
		t.Errorf("%+v, %v, %v", by, held, err)
	}
	var by hostapi.Holder
	err := Hold(t.Context(), folder, "mrs", hostapi.Holder{Token: "other"}, strings.NewReader(""), func(h hostapi.Holder) { by = h })
	if !errors.Is(err, ErrBusy) || by.Who != "eve" {
		t.Errorf("a second one: %v, %+v", err, by)
	}
	first.end()
	if err := <-first.ended; err != nil {
		t.Error(err)
	}
	if _, held, err := HeldBy(folder, "mrs"); held || err != nil {
		t.Errorf("after its end: %v, %v", held, err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	second := begin(t, ctx, folder, "def")
	cancel() // SIGTERM
	if err := <-second.ended; err != nil {
		t.Error(err)
	}
}

// worker is a process that works under the operator's lock, and takes its time to
// undo what it has begun.
func worker(t *testing.T, folder, file string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command("bash", "-c", `exec 8>>"$0/mrs.work"; echo $$ >"$0/mrs.$1"
trap 'sleep 0.3; echo undone >"$0/undone"; rm -f "$0/mrs.$1"; exit' TERM
echo; while :; do sleep 0.05 8>&-; done`, folder, file)
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		_, err = out.Read(make([]byte, 1))
	}
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Process.Kill() })
	go func() { _ = cmd.Wait() }()
	return cmd
}

func TestWhoeverLetsTheOperatorsLockGoEndsWhatWorksUnderItAndWaitsForItsUndoing(t *testing.T) {
	for _, file := range []string{"pid", "waits"} {
		folder := t.TempDir()
		h := begin(t, t.Context(), folder, "abc")
		worker(t, folder, file)
		h.end()
		if err := <-h.ended; err != nil {
			t.Error(err)
		}
		if _, err := os.Stat(filepath.Join(folder, "undone")); err != nil {
			t.Errorf("%s: it was not waited for: %v", file, err)
		}
	}
}

func TestAProcessThatHasTheNumberOfAKilledOneIsLeftAlone(t *testing.T) {
	folder := t.TempDir()
	h := begin(t, t.Context(), folder, "abc")
	for _, file := range []string{"pid", "waits"} {
		number := "0"
		if file == "pid" {
			number = strconv.Itoa(os.Getpid()) // has no lock
		}
		if err := os.WriteFile(filepath.Join(folder, "mrs."+file), []byte(number+"\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	h.end()
	if err := <-h.ended; err != nil {
		t.Error(err)
	}
}

func TestTheWorkersLockIsWaitedForAndHeldUntilTheInputEnds(t *testing.T) {
	folder := t.TempDir()
	backup := flock.New(filepath.Join(folder, "mrs.work"))
	if ok, err := backup.TryRLock(); !ok || err != nil {
		t.Fatal(ok, err)
	}
	r, _ := io.Pipe()
	if err := HoldWork(t.Context(), folder, "mrs", 150*time.Millisecond, r, func() {}); !errors.Is(err, ErrBusy) {
		t.Errorf("while a backup works: %v", err)
	}
	r, w := io.Pipe()
	held, ended := make(chan struct{}), make(chan error, 1)
	go func() { ended <- HoldWork(t.Context(), folder, "mrs", time.Minute, r, func() { close(held) }) }()
	backup.Close()
	<-held
	if ok, _ := backup.TryRLock(); ok {
		t.Error("a backup may begin")
	}
	w.Close()
	if err := <-ended; err != nil {
		t.Error(err)
	}
	if err := HoldWork(t.Context(), "/proc/no-such-folder", "mrs", time.Minute, strings.NewReader(""), func() {}); err == nil || errors.Is(err, ErrBusy) {
		t.Errorf("where no lock can be: %v", err)
	}
}

func TestUnlockEndsWhoeverHoldsTheLockAndNobodyElse(t *testing.T) {
	folder := t.TempDir()
	if err := Unlock(t.Context(), folder, "mrs", hostapi.Holder{Token: "abc"}); err != nil {
		t.Errorf("where nobody has it: %v", err)
	}
	h := begin(t, t.Context(), folder, "abc")
	if err := Unlock(t.Context(), folder, "mrs", hostapi.Holder{Token: "before"}); err != nil {
		t.Errorf("another: %v", err)
	}
	if _, held, _ := HeldBy(folder, "mrs"); !held {
		t.Error("another was ended")
	}
	h.end()
	<-h.ended

	// A process of its own, which SIGTERM ends.
	cmd := exec.Command("bash", "-c", `exec 9>>"$0"; flock 9; printf '{"token": "abc", "pid": "%s"}\n' $$ >"$0"; echo; exec sleep 60`, filepath.Join(folder, "mrs.lock"))
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err == nil {
		_, err = out.Read(make([]byte, 1))
	}
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = cmd.Wait() }()
	if err := Unlock(t.Context(), folder, "mrs", hostapi.Holder{Token: "abc"}); err != nil {
		t.Error(err)
	}
	if _, held, _ := HeldBy(folder, "mrs"); held {
		t.Error("it is still held")
	}
}
