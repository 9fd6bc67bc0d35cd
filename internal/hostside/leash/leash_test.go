package leash

import (
	"bytes"
	"errors"
	"io"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// TestMain is the leash itself where a test says so.
func TestMain(m *testing.M) {
	every, grace = every/10, grace/10
	switch os.Getenv("LEASH") {
	case "nothing":
		os.Exit(Run(nil, os.Args[1:]...))
	case "chunks":
		os.Exit(Run(os.Stdin, os.Args[1:]...))
	}
	os.Exit(m.Run())
}

// on returns the leash with a command, in a process group of its own, as sshd starts it.
func on(t *testing.T, mode string, argv ...string) *exec.Cmd {
	t.Helper()
	cmd := exec.Command(os.Args[0], argv...)
	cmd.Env = append(os.Environ(), "LEASH="+mode)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	return cmd
}

func TestACommandEndsWithItsOwnStatus(t *testing.T) {
	for _, test := range []struct {
		argv           []string
		status         int
		out, complains string
	}{
		{[]string{"sh", "-c", `cat; echo "$1"; exit 3`, "sh", "a b"}, 3, "a b\n", ""},
		{[]string{"sh", "-c", "echo why >&2"}, 0, "", "why"},
		{[]string{"sh", "-c", "kill -s TERM $$"}, 128 + 15, "", ""},
		{[]string{"/nowhere/at/all"}, 127, "", "no such file"},
		{[]string{"no-such-program-at-all"}, 127, "", "not found"},
		{[]string{"/dev"}, 126, "", "permission denied"},
	} {
		cmd := on(t, "nothing", test.argv...)
		var out, complains strings.Builder
		cmd.Stdout, cmd.Stderr = &out, &complains
		_ = cmd.Run()
		if cmd.ProcessState.ExitCode() != test.status || out.String() != test.out || !strings.Contains(complains.String(), test.complains) {
			t.Errorf("%q: %d, %q, %q", test.argv, cmd.ProcessState.ExitCode(), &out, &complains)
		}
	}
}

func TestTheEndOfTheInputIsSeenOnlyIfItWasSaid(t *testing.T) {
	cmd := on(t, "chunks", "sh", "-c", "cat; echo all")
	cmd.Stdin = strings.NewReader("3\none4\n\nendend\n")
	if out, err := cmd.Output(); string(out) != "one\nendall\n" || err != nil {
		t.Errorf("%q, %v", out, err)
	}
	// What is not at its end is waited for, until nobody listens any more.
	errors1, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd = on(t, "chunks", "sh", "-c", "cat; echo all")
	var out bytes.Buffer
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader("4\nhalf"), &out, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	w.Close()
	errors1.Close()
	if err := cmd.Wait(); err == nil || strings.Contains(out.String(), "all") {
		t.Errorf("%q, %v", &out, err)
	}
}

func TestWhatIgnoresThatItIsToEndIsKilled(t *testing.T) {
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	// A child that outlives its parent holds this open.
	out, held, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd := on(t, "nothing", "sh", "-c", "(trap '' TERM; sleep 600) & echo on; wait")
	cmd.Stdout, cmd.Stderr = held, w
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	held.Close()
	w.Close()
	if _, err := io.ReadFull(out, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	r.Close()
	if rest, err := io.ReadAll(out); len(rest) > 0 || err != nil {
		t.Errorf("%q, %v", rest, err)
	}
	if err := cmd.Wait(); err == nil {
		t.Error("it has ended well")
	}
}

func TestNobodyIsEndedAsLongAsSomebodyListens(t *testing.T) {
	var heard bytes.Buffer
	left := 3
	ended := false
	watch(writer(func(p []byte) (int, error) {
		if left--; left == 0 {
			return 0, errors.New("nobody reads")
		}
		return heard.Write(p)
	}), time.Nanosecond, func() { ended = true })
	if heard.String() != "\x00\x00" || !ended {
		t.Errorf("%q, %v", heard.String(), ended)
	}
}

type writer func([]byte) (int, error)

func (w writer) Write(p []byte) (int, error) { return w(p) }

func TestChunksAreReadAsTheyWereSent(t *testing.T) {
	for text, want := range map[string]struct {
		data  string
		whole bool
	}{
		"end\n": {"", true}, "1\nxend\n": {"x", true}, "4\nend\n3\nabcend\nrest": {"end\nabc", true}, "0\nend\n": {"", true},
		"": {"", false}, "end": {"", false}, "5\nhalf": {"half", false}, "-1\nx": {"", false}, "x\nend\n": {"", false},
		"99999999999999999999999\nx": {"", false}, "1\nx": {"x", false},
	} {
		var data strings.Builder
		if err := unchunk(&data, strings.NewReader(text)); data.String() != want.data || (err == nil) != want.whole {
			t.Errorf("%q: %q, %v", text, &data, err)
		}
	}
	full := writer(func([]byte) (int, error) { return 0, errors.New("it takes no more") })
	if err := unchunk(full, strings.NewReader("3\nabc3\ndefend\n")); err != nil {
		t.Error(err)
	}
}
