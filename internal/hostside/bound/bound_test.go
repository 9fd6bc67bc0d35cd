package bound

import (
	"bytes"
	"context"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"
)

// TestMain is also the programs that the tests run.
func TestMain(m *testing.M) {
	switch os.Getenv("BOUND_TEST") {
	case "says":
		os.Stdout.WriteString("a line\nand a half")
		os.Stderr.WriteString("a complaint\n")
		os.Exit(3)
	case "hangs":
		os.Stdout.WriteString("hangs\n")
		time.Sleep(time.Hour)
	case "held":
		f := os.NewFile(3, "lock")
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			os.Exit(1)
		}
		os.Exit(0)
	}
	os.Exit(m.Run())
}

func program(t *testing.T, what string) Command {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	return Command{Name: what, Argv: []string{self}, Env: []string{"BOUND_TEST=" + what}}
}

func TestABoundIsHitByWhatStandsStillAndNotByWhatMoves(t *testing.T) {
	for _, c := range []struct {
		name  string
		limit Limit
		moves func(since time.Duration) int64 // bytes so far
		want  string                          // the error; empty: it ends by itself, after a day
		after time.Duration
	}{
		{"a byte now and then is enough", Limit{Idle: 10 * time.Minute},
			func(d time.Duration) int64 { return int64(d / (9 * time.Minute)) }, "", 24 * time.Hour},
		{"nothing moves at all", Limit{Idle: 10 * time.Minute}, func(time.Duration) int64 { return 0 },
			"it stood still: nothing moved for 10 min, so it was ended", 10 * time.Minute},
		{"it stops after an hour", Limit{Idle: 10 * time.Minute},
			func(d time.Duration) int64 { return int64(min(d, time.Hour)) },
			"it stood still: nothing moved for 10 min, so it was ended", 70 * time.Minute},
		{"less than what counts", Limit{Idle: 10 * time.Minute, Least: 1000},
			func(d time.Duration) int64 { return int64(d / time.Second) },
			"it stood still: nothing moved for 10 min, so it was ended", 10 * time.Minute},
		{"as much as counts", Limit{Idle: 10 * time.Minute, Least: 500},
			func(d time.Duration) int64 { return int64(d / time.Second) }, "", 24 * time.Hour},
		{"it takes too long", Limit{Total: 90 * time.Second}, nil, "it did not end within 90 s, and was ended",
			90 * time.Second},
		{"both bounds, and it moves", Limit{Total: time.Hour, Idle: time.Minute},
			func(d time.Duration) int64 { return int64(d) },
			"it did not end within 60 min, and was ended", time.Hour},
	} {
		t.Run(c.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, end := context.WithCancelCause(t.Context())
				begun := time.Now()
				time.AfterFunc(24*time.Hour, func() { end(nil) })
				watch(ctx, "it", c.limit, func() int64 { return c.moves(time.Since(begun)) }, end)
				got := ""
				if e, ok := errors.AsType[*Exceeded](context.Cause(ctx)); ok {
					got = e.Error()
				}
				if got != c.want {
					t.Errorf("it ends with %q, want %q", got, c.want)
				}
				if took := time.Since(begun); took < c.after || took > c.after+c.limit.Idle/30 {
					t.Errorf("it ends after %v, want %v", took, c.after)
				}
			})
		})
	}
}

func TestAProgramThatFailsSaysHow(t *testing.T) {
	var lines []string
	out := &Lines{Each: func(line string) { lines = append(lines, line) }}
	var said Tail
	c := program(t, "says")
	c.Stdout, c.Stderr, c.Limit = out, &said, Limit{Idle: time.Hour}
	err := new(System).Run(t.Context(), c)
	out.Close()
	if Status(err) != 3 || strings.Join(lines, "|") != "a line|and a half" || said.String() != "a complaint\n" {
		t.Errorf("%v, %q, %q", err, lines, said.String())
	}
}

func TestAProgramThatHangsIsEndedAndTheBoundIsNamed(t *testing.T) {
	c := program(t, "hangs")
	c.Limit = Time(500 * time.Millisecond)
	err := new(System).Run(t.Context(), c)
	if e, ok := errors.AsType[*Exceeded](err); !ok || !e.Total || Status(err) != -1 {
		t.Errorf("it ends with %v", err)
	}
	c.Limit = Limit{Idle: 200 * time.Millisecond, Least: 1 << 30}
	if e, ok := errors.AsType[*Exceeded](new(System).Run(t.Context(), c)); !ok || e.Total {
		t.Errorf("it ends with %v", e)
	}
}

func TestAProgramEndsWithItsContextAndTheCauseIsTheError(t *testing.T) {
	ctx, end := context.WithCancelCause(t.Context())
	c := program(t, "hangs")
	why := errors.New("interrupted")
	c.Stdout = &Lines{Each: func(string) { end(why) }}
	c.Limit = Time(time.Hour)
	if err := new(System).Run(ctx, c); err != why {
		t.Errorf("it ends with %v", err)
	}
	if err := new(System).Run(ctx, c); err != why {
		t.Errorf("a second one begins: %v", err)
	}
}

func TestALockIsHeldByTheProgramsToo(t *testing.T) {
	f, err := os.Create(filepath.Join(t.TempDir(), "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	s := &System{Holds: []*os.File{f}}
	c := program(t, "held")
	c.Limit = Time(time.Minute)
	if err := s.Run(t.Context(), c); err != nil {
		t.Errorf("the program has not the lock: %v", err)
	}
	f.Close()
	if err := s.Run(t.Context(), Command{Name: "true", Argv: []string{"true"}, Limit: Time(time.Minute)}); err != nil {
		t.Errorf("once the lock is given free: %v", err)
	}
}

func TestAProgramThatIsKilledHasAShellsStatus(t *testing.T) {
	var out bytes.Buffer
	c := program(t, "hangs")
	c.Limit = Time(time.Hour)
	cmd := exec.Command(c.Argv[0])
	cmd.Env, cmd.Stdout = append(os.Environ(), c.Env...), &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Process.Kill()
	if err := cmd.Wait(); Status(err) != 137 {
		t.Errorf("status %d: %v", Status(err), err)
	}
}

func TestWhatIsSaidLastIsKept(t *testing.T) {
	var said Tail
	for range 1000 {
		_, _ = said.Write([]byte(strings.Repeat("x", 999) + "\n"))
	}
	_, _ = said.Write([]byte("the end\n"))
	if text := said.String(); len(text) > kept || !strings.HasSuffix(text, "\nthe end\n") {
		t.Errorf("%d bytes, ending with %q", len(text), text[max(0, len(text)-20):])
	}
}
