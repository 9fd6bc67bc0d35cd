// Package local runs commands on this machine, as script pipelines.
//
// It knows how to run a command line without a shell, how to tell what went
// wrong in the command's own words, and how to become root. It must not know
// what any command is for.
package local

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/bitfield/script"
	"mvdan.cc/sh/v3/syntax"
)

// patience is how long a command may take to end, once it is asked to.
var patience = 5 * time.Second

// Command returns argv as a command that ends with ctx: by SIGTERM, which sudo
// passes on, and seconds later by force. No shell parses the words.
func Command(ctx context.Context, argv ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	cmd.WaitDelay = patience
	return cmd
}

// Exec runs argv and sends its standard output to the pipe; its standard error
// goes to the operator's.
func Exec(ctx context.Context, argv ...string) *script.Pipe {
	return script.NewPipe().WithContext(ctx).WithStderr(os.Stderr).ExecCommand(argv[0], argv[1:]...)
}

// Output runs argv and returns its standard output without the last newline.
// The error, if any, is an [*Error].
func Output(ctx context.Context, argv ...string) (string, error) { return Input(ctx, "", argv...) }

// Input is [Output] with stdin as the command's standard input: the way for a
// secret to reach a command, whose arguments everybody on the machine can read.
func Input(ctx context.Context, stdin string, argv ...string) (string, error) {
	var stderr bytes.Buffer
	out, err := script.Echo(stdin).WithContext(ctx).WithStderr(&stderr).ExecCommand(argv[0], argv[1:]...).String()
	out = strings.TrimRight(out, "\n")
	if err != nil {
		return out, &Error{Argv: argv, Stderr: stderr.String(), Err: err}
	}
	return out, nil
}

// Combined runs argv and returns what it prints, be it the result or the
// complaints. The error, if any, ends with the last 40 lines of it: the way to
// run what is of interest only when it fails.
func Combined(ctx context.Context, argv ...string) (string, error) {
	out, err := Command(ctx, argv...).CombinedOutput()
	if errors.Is(err, exec.ErrWaitDelay) { // what it has left running is not waited for
		err = nil
	}
	switch {
	case err != nil && ctx.Err() != nil:
		err = context.Cause(ctx)
	case err != nil:
		err = fmt.Errorf("%s: %w\n%s", Quote(argv...), err, LastLines(string(out), 40))
	}
	return string(out), err
}

// LastLines returns the end of a text, which is where programs say why they fail.
func LastLines(text string, n int) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return strings.Join(lines[max(0, len(lines)-n):], "\n")
}

// Root returns argv as a command line that runs as root: as it is for root
// itself, by sudo without a question for everybody else.
func Root(argv ...string) []string {
	if os.Geteuid() == 0 {
		return argv
	}
	return append([]string{"sudo", "-n", "--"}, argv...)
}

// CanRoot reports whether [Root] works for who runs this: root, or sudo
// without password.
func CanRoot(ctx context.Context) bool {
	if os.Geteuid() == 0 {
		return true
	}
	_, err := Output(ctx, Root("true")...)
	return err == nil
}

// WriteFile is [Create] for a text.
func WriteFile(path, content string, mode os.FileMode) error {
	return Create(path, mode, func(w io.Writer) error {
		_, err := io.WriteString(w, content)
		return err
	})
}

// Create makes a file of what write writes, and the folders above it, in one go: who
// reads it at the same moment reads the old one or the new one.
func Create(path string, mode os.FileMode, write func(io.Writer) error) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path)+"-*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // gone where all went well
	if err := errors.Join(write(file), file.Chmod(mode), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), path)
}

// KeepToOurselves marks what our parents left open beyond the standard streams
// as not to be inherited by a daemon that we start. A CI that waits for the end
// of such a pipe would wait for the end of the daemon.
func KeepToOurselves() {
	open, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		return // no Linux, no daemon of ours
	}
	for _, entry := range open {
		if fd, err := strconv.Atoi(entry.Name()); err == nil && fd > 2 {
			syscall.CloseOnExec(fd)
		}
	}
}

// Terminal runs argv, which may be ssh, on this terminal. The exit status of the shell
// in it is no error: it is that of the last command somebody typed.
func Terminal(ctx context.Context, argv ...string) error {
	// An interruption is for the shell.
	cmd := exec.CommandContext(context.WithoutCancel(ctx), argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	err := cmd.Run()
	_, ran := errors.AsType[*exec.ExitError](err)
	if ran && (argv[0] != "ssh" || ExitCode(err) != 255) { // ssh(1): its own
		return nil
	}
	return err
}

// Quote returns argv as one line that can be pasted into a shell.
func Quote(argv ...string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		quoted, err := syntax.Quote(word, syntax.LangBash)
		if err != nil { // a NUL byte: no shell can express it, and no command can receive it
			quoted = fmt.Sprintf("%q", word)
		}
		words[i] = quoted
	}
	return strings.Join(words, " ")
}

// Error is a command that failed, with what it said on its standard error.
type Error struct {
	Argv   []string
	Stderr string // as printed, unlimited
	Err    error  // *exec.ExitError where the command ran
}

// Error names the command, how it ended and the last 20 lines it said.
func (e *Error) Error() string {
	msg := fmt.Sprintf("%s: %v", Quote(e.Argv...), e.Err)
	if said := LastLines(e.Stderr, 20); said != "" {
		msg += "\n" + said
	}
	return msg
}

// Unwrap returns how the command ended.
func (e *Error) Unwrap() error { return e.Err }

// Said returns what the command that err is about, on this machine or another, said
// on its standard error: without the command line, which may hold what is not to be
// shown. Of one that said nothing it is how it ended, of any other error what that says.
func Said(err error) string {
	if e, ok := errors.AsType[*Error](err); ok {
		return cmp.Or(strings.TrimSpace(e.Stderr), e.Err.Error())
	}
	return err.Error()
}

// ExitCode returns the exit status of the command that err is about, on this
// machine or another, and -1 where err is about no command that ended by itself.
func ExitCode(err error) int {
	type exitError interface { // *exec.ExitError is one
		error
		ExitCode() int
	}
	if exit, ok := errors.AsType[exitError](err); ok {
		return exit.ExitCode()
	}
	return -1
}
