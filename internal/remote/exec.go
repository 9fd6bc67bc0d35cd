package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/bitfield/script"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/betagouv/mrs-ops/internal/local"
)

// Exec runs argv on the host, with no input, and sends its standard output to
// the pipe. No shell parses the words.
//
// The pipe has all of the output before it has an error, and without an error
// all of the output is there: a reader downstream sees the end of the data only
// if the command ended well. The error, if any, is an [*Error].
//
// Where the host has a leash ([Host.Leash]), the command ends with its context
// or connection, or when nobody reads the pipe any more: all of its process
// group gets SIGTERM within a second or two, and SIGKILL five seconds later.
// Otherwise it may go on after that, to its own end.
func (h *Host) Exec(argv ...string) *script.Pipe { return h.start(nil, argv) }

// ExecFrom is [Host.Exec] with the contents of in as the command's standard
// input:
//
//	staging.ExecFrom(production.Exec("pg_dump", "mrs").Filter(anonymize), "psql", "mrs_new")
//
// With a leash, the command sees the end of its input only if in ended without
// an error. Otherwise the command is ended, and the pipe's error says why.
// Without, it has to know by itself whether its input is whole. A command that
// ends well before it has read all of in is an error too, as in a shell with
// pipefail.
func (h *Host) ExecFrom(in *script.Pipe, argv ...string) *script.Pipe { return h.start(in, argv) }

func (h *Host) start(in *script.Pipe, argv []string) *script.Pipe {
	out, w := io.Pipe()
	go func() {
		// Not a script filter: the end of one's output looks the same whether
		// it failed or not.
		w.CloseWithError(h.run(in, w, argv))
	}()
	stderr := h.opts.Stderr
	if stderr == nil {
		stderr = os.Stderr
	}
	return script.NewPipe().WithContext(h.ctx).WithStderr(stderr).WithReader(out)
}

func (h *Host) run(in *script.Pipe, out io.Writer, argv []string) error {
	said := &tail{live: h.opts.Stderr}
	err := h.session(in, out, said, argv)
	if in != nil {
		in.Close() // so that what feeds it does not wait for a reader
	}
	if err != nil {
		return &Error{Host: h.String(), Argv: argv, Stderr: said.String(), Err: err}
	}
	return nil
}

// session runs argv in a session of its own.
func (h *Host) session(in *script.Pipe, out io.Writer, said *tail, argv []string) error {
	command, err := h.commandLine(in != nil, argv)
	if err != nil {
		return err
	}
	if h.ctx.Err() != nil {
		return context.Cause(h.ctx)
	}
	if in != nil && in.Error() != nil {
		return &inputError{in.Error()}
	}
	session, err := h.openSession()
	if err != nil {
		return err
	}
	defer session.Close()
	session.Stdout = &stopper{out, session}
	session.Stderr = said
	var stdin io.WriteCloser
	if in != nil {
		if stdin, err = session.StdinPipe(); err != nil {
			return err
		}
	}
	if err := session.Start(command); err != nil {
		return h.explainEnd(err)
	}
	fed := make(chan error, 1)
	if in == nil {
		fed <- nil
	} else {
		go func() { fed <- feed(in, stdin, h.leash != "") }()
	}
	return h.wait(session, fed)
}

func (h *Host) openSession() (*ssh.Session, error) {
	session, err := h.link.client.NewSession()
	if refusal, ok := errors.AsType[*ssh.OpenChannelError](err); ok {
		return nil, fmt.Errorf("the host starts no more commands: %s\n"+
			"hint: sshd runs at most MaxSessions (10) at a time over one connection", refusal.Message)
	}
	if err != nil {
		return nil, h.explainEnd(err)
	}
	if !h.link.forward {
		return session, nil
	}
	// sshd lets one session of a connection ask, and lends the agent to all.
	h.link.lent.Do(func() { h.link.notLent = agent.RequestAgentForwarding(session) })
	if err := h.link.notLent; err != nil && h.opts.ForwardAgent {
		session.Close()
		return nil, fmt.Errorf("the host takes no SSH agent: %w\nhint: AllowAgentForwarding in its sshd_config", err)
	}
	return session, nil
}

// grace is how long to wait for the end of a command that is to end. The leash
// takes a second or two; a command that does not obey is left to it.
const grace = 4 * time.Second

// wait waits for the command of a session to end, and for its input.
func (h *Host) wait(session *ssh.Session, fed <-chan error) error {
	ended := make(chan error, 1)
	go func() { ended <- session.Wait() }()
	abort := func(reason error) error {
		session.Close()
		select {
		case <-ended:
		case <-time.After(grace):
		}
		return reason
	}
	select {
	case <-h.ctx.Done():
		return abort(context.Cause(h.ctx))
	case err := <-ended:
		if err := h.explainEnd(err); err != nil {
			return err
		}
		select {
		case <-h.ctx.Done():
			return context.Cause(h.ctx)
		case err := <-fed:
			return err
		}
	case unfed := <-fed:
		if _, failed := errors.AsType[*inputError](unfed); failed {
			return abort(unfed)
		}
		select {
		case <-h.ctx.Done():
			return abort(context.Cause(h.ctx))
		case err := <-ended:
			if err := h.explainEnd(err); err != nil {
				return err
			}
			return unfed
		}
	}
}

// explainEnd says how a command ended, given what its session says.
//
// A session says "exit status 0" as soon as it was told so, even if the
// connection was lost while output was still on its way, and the end of the
// output looks the same either way. So a good end counts only if the host
// still answers after it.
func (h *Host) explainEnd(err error) error {
	if exit, ok := errors.AsType[*ssh.ExitError](err); ok {
		if exit.Signal() != "" {
			return fmt.Errorf("ended by SIG%s", exit.Signal())
		}
		return exitStatus(exit.ExitStatus())
	}
	if h.link.ask() != nil {
		return h.link.lost()
	}
	if _, missing := errors.AsType[*ssh.ExitMissingError](err); missing {
		return errors.New("the host ended it without telling how it went")
	}
	return err
}

// stopper ends the session where what reads its output does not read on.
type stopper struct {
	io.Writer
	session *ssh.Session
}

func (s *stopper) Write(p []byte) (int, error) {
	n, err := s.Writer.Write(p)
	if err != nil {
		s.session.Close()
	}
	return n, err
}

// commandLine returns the words for the host's login shell that run argv, on the leash if there is one.
func (h *Host) commandLine(input bool, argv []string) (string, error) {
	if len(argv) == 0 {
		return "", errors.New("there is no command to run")
	}
	words := argv
	if h.leash != "" {
		mode := "nothing"
		if input {
			mode = "chunks"
		}
		words = slices.Concat([]string{h.leash, "leash", mode}, argv)
	}
	if h.sudo {
		words = slices.Concat([]string{"sudo", "-n", "--"}, words)
	}
	return quote(words)
}

var plain = regexp.MustCompile(`^[A-Za-z0-9_@%+:,./-]+$`)

// quote returns the words as every login shell reads them: POSIX's quotes and
// no others, unlike [local.Quote], which is for people with bash.
func quote(words []string) (string, error) {
	quoted := make([]string, len(words))
	for i, word := range words {
		if strings.ContainsRune(word, 0) {
			return "", fmt.Errorf("a command can't receive a NUL, as in %q", word)
		}
		quoted[i] = word
		if !plain.MatchString(word) {
			quoted[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(quoted, " "), nil
}

// Error is a command on a host that did not end well.
type Error struct {
	Host   string // as given to [Dial]
	Argv   []string
	Stderr string // the last 20 lines that it said, at most 16 KiB
	Err    error
}

// Error names the host, the command, what it said, and at the end how it ended,
// where [script.Pipe.ExitStatus] looks for it.
func (e *Error) Error() string {
	msg := e.Host + ": " + local.Quote(e.Argv...) + ":"
	if e.Stderr == "" {
		return msg + " " + e.Err.Error()
	}
	return msg + "\n" + e.Stderr + "\n" + e.Err.Error()
}

// Unwrap returns it without the host, as a command of this machine is told of.
func (e *Error) Unwrap() error { return &local.Error{Argv: e.Argv, Stderr: e.Stderr, Err: e.Err} }

// exitStatus is a command that ended by itself, but not well.
type exitStatus int

func (s exitStatus) Error() string { return fmt.Sprintf("exit status %d", int(s)) }

// ExitCode is what [local.ExitCode] asks for.
func (s exitStatus) ExitCode() int { return int(s) }

// tail keeps the end of what commands say on their standard error, without the
// NULs of the leash.
type tail struct {
	live io.Writer // gets all of it; nil for nobody
	kept []byte
}

const (
	tailBytes = 16 << 10
	tailLines = 20
)

func (t *tail) Write(p []byte) (int, error) {
	said := bytes.ReplaceAll(p, []byte{0}, nil)
	if t.live != nil && len(said) > 0 {
		t.live.Write(said) // its failure is no reason to stop the command
	}
	t.kept = append(t.kept, said...)
	if over := len(t.kept) - tailBytes; over > 0 {
		t.kept = append(t.kept[:0], t.kept[over:]...)
	}
	return len(p), nil
}

// String returns the last lines.
func (t *tail) String() string { return local.LastLines(string(t.kept), tailLines) }
