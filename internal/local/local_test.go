package local

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

func TestTheLastLinesAreThoseThatSaySomething(t *testing.T) {
	for text, want := range map[string]string{"1\n2\n3\n\n": "2\n3", "1\n": "1", " \n": "", "": ""} {
		if got := LastLines(text, 2); got != want {
			t.Errorf("of %q they are %q, want %q", text, got, want)
		}
	}
}

func TestWhatACommandSaidIsToldWithoutItsWords(t *testing.T) {
	failed := errors.New("exit status 3")
	for _, test := range []struct {
		err  error
		want string
	}{
		{&Error{Argv: []string{"a", "secret"}, Stderr: "no such table\n", Err: failed}, "no such table"},
		{fmt.Errorf("there: %w", &Error{Argv: []string{"a", "secret"}, Stderr: "\n", Err: failed}), "exit status 3"},
		{failed, "exit status 3"},
	} {
		if got := Said(test.err); got != test.want {
			t.Errorf("%v: %q, want %q", test.err, got, test.want)
		}
	}
}

func TestACommandIsAskedToEndBeforeItIsMadeTo(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cmd := Command(ctx, "sh", "-c", "trap 'exit 7' TERM; echo; while :; do sleep 0.05; done")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 1)); err != nil { // it has its trap by now
		t.Fatal(err)
	}
	cancel()
	err = cmd.Wait()
	if exit, ok := errors.AsType[*exec.ExitError](err); !ok || exit.ExitCode() != 7 {
		t.Errorf("it ended by %v", err)
	}
	if cmd.WaitDelay < time.Second {
		t.Errorf("it has %v to end", cmd.WaitDelay)
	}
}

func TestWhatWasInterruptedSaysSo(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("no time"))
	if _, err := Combined(ctx, "true"); err == nil || err.Error() != "no time" {
		t.Errorf("error is %v", err)
	}
}

func TestAFileThatCanNotBeWrittenWholeIsNotThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	err := Create(path, 0o600, func(w io.Writer) error {
		_, _ = io.WriteString(w, "half")
		return errors.New("disk full")
	})
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*file*")); err == nil || len(left) > 0 {
		t.Errorf("error %v, left %q", err, left)
	}
	if _, err := os.Stat(path); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("half a file is there: %v", err)
	}
}

func TestWhatACommandLeavesRunningIsNotWaitedFor(t *testing.T) {
	defer func(was time.Duration) { patience = was }(patience)
	patience = 300 * time.Millisecond
	out, err := Combined(t.Context(), "sh", "-c", "sleep 60 & echo $!")
	if err != nil {
		t.Fatalf("%q, %v", out, err)
	}
	if err := exec.Command("kill", LastLines(out, 1)).Run(); err != nil {
		t.Errorf("it does not run any more: %v", err)
	}
}
