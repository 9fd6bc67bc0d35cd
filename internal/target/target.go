// Package target reaches an instance where it runs: on a server over SSH, or on
// this machine.
//
// It knows where an instance's files are, how its stack is addressed, how mrs-host
// gets there and is asked, who holds the instance at the moment (the lock), and where
// what was done to it is written down (the audit log). It must not know what is done
// to an instance, nor how.
//
// What it runs, it runs as root, as the playbooks do.
package target

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/local"
	"github.com/betagouv/mrs-ops/internal/remote"
)

// Target is an instance where it runs. [Target.Close] ends what it holds open.
type Target struct {
	Name    string // the instance's
	Project string // the compose project
	Folder  string // where the stack's docker-compose.yml is
	// Pause is called before a program is built or sent, which takes as long as it takes, and what it returns after it;
	// nil: nobody has a clock running.
	Pause func() (resume func())

	host    runner
	peer    string                 // where other servers reach it; empty: where we do
	program func() (string, error) // has mrs-host there, and returns its path
}

// runner runs commands as root, with in, or nothing where it is nil, as their
// standard input.
type runner interface {
	ExecFrom(in *script.Pipe, argv ...string) *script.Pipe
	WithContext(ctx context.Context) runner
	WithStderr(w io.Writer) runner
	Close() error
	String() string
}

// Open connects to the server of an instance. Nobody is asked anything.
func Open(ctx context.Context, inst *instance.Instance) (*Target, error) {
	return open(ctx, inst, remote.Options{})
}

// OpenLending is [Open], and lets what runs there use this machine's SSH agent,
// for [Target.Relay].
func OpenLending(ctx context.Context, inst *instance.Instance) (*Target, error) {
	return open(ctx, inst, remote.Options{ForwardAgent: true})
}

// OpenHost is [Open] for a server of which no instance is known: for what is asked of it as a whole. config is an SSH
// configuration in place of the user's own, if it is not empty.
func OpenHost(ctx context.Context, address, config string) (*Target, error) {
	host, err := remote.Dial(ctx, address, remote.Options{Config: config, Stderr: io.Discard})
	if err != nil {
		return nil, err
	}
	s := &Target{Name: address, host: there{host.Sudo(), host}}
	s.program = shipped(ctx, s)
	return s, nil
}

func open(ctx context.Context, inst *instance.Instance, o remote.Options) (*Target, error) {
	s := &Target{Name: inst.Name, Project: inst.Project(), Folder: Folder(inst), peer: inst.Get("peer")}
	s.program = shipped(ctx, s)
	if inst.Get("server") == instance.Here {
		s.host = here{ctx, io.Discard}
		return s, nil
	}
	o.Config, o.Stderr = inst.Get("ssh_config"), io.Discard
	host, err := remote.Dial(ctx, inst.Get("server"), o)
	if err != nil {
		return nil, err
	}
	s.host = there{host.Sudo(), host}
	return s, nil
}

// Reach is [Open] with a ctx that ends the attempt, and nothing that comes after it:
// what was interrupted can still be undone, and written down.
func Reach(ctx context.Context, inst *instance.Instance) (*Target, error) {
	longer, cancel := context.WithCancelCause(context.WithoutCancel(ctx))
	attempt := context.AfterFunc(ctx, func() { cancel(context.Cause(ctx)) })
	s, err := Open(longer, inst)
	if inTime := attempt(); !inTime && err == nil {
		s.Close()
		return nil, context.Cause(ctx)
	}
	return s, err
}

// Find is [Reach] for the instance that name means ([instance.Locate]).
func Find(ctx context.Context, name string) (*Target, *instance.Instance, error) {
	inst, err := instance.Locate(name)
	if err != nil {
		return nil, nil, err
	}
	s, err := Reach(ctx, inst)
	return s, inst, err
}

// Folder returns where the stack of an instance is on its server.
func Folder(inst *instance.Instance) string {
	if inst.Persistent() {
		return inst.Get("home")
	}
	return path.Join(hostapi.Ephemerals, inst.Project())
}

// For returns the same connection for another instance on the same server.
func (s *Target) For(inst *instance.Instance) *Target {
	return &Target{Name: inst.Name, Project: inst.Project(), Folder: Folder(inst), peer: inst.Get("peer"),
		host: s.host, program: s.program}
}

// WithContext returns the same connection with ctx to end its commands.
func (s *Target) WithContext(ctx context.Context) *Target {
	of := *s
	of.host = s.host.WithContext(ctx)
	return &of
}

// WithStderr returns the same connection, whose commands say on w too what they say
// on their standard error.
func (s *Target) WithStderr(w io.Writer) *Target {
	of := *s
	of.host = s.host.WithStderr(w)
	return &of
}

// Close ends the connection, and with it all commands that still run.
func (s *Target) Close() error { return s.host.Close() }

// String returns the server's name.
func (s *Target) String() string { return s.host.String() }

// Exec runs argv there as root, with no input, and sends its standard output to
// the pipe, whose error tells what the command said.
func (s *Target) Exec(argv ...string) *script.Pipe { return s.ExecFrom(nil, argv...) }

// ExecFrom is [Target.Exec] with the contents of in as standard input.
func (s *Target) ExecFrom(in *script.Pipe, argv ...string) *script.Pipe {
	host, err := s.leashed()
	if err != nil && in != nil {
		return script.NewPipe().WithError(err)
	}
	return host.ExecFrom(in, argv...)
}

// leashed returns the server with mrs-host there as the leash of commands. Where that can't be had, as on a full disk,
// what reads no input may do without: it may outlive the connection, and that is all.
func (s *Target) leashed() (runner, error) {
	t, remote := s.host.(there)
	if !remote {
		return s.host, nil
	}
	mrsHost, err := s.Program()
	if err != nil {
		return t, err
	}
	return there{t.Host.Leash(mrsHost), t.user.Leash(mrsHost)}, nil
}

// Script runs a bash script there, which has args as $1, $2 ….
func (s *Target) Script(text string, args ...string) *script.Pipe {
	return s.ScriptFrom(nil, text, args...)
}

// ScriptFrom is [Target.Script] with the contents of in as standard input.
func (s *Target) ScriptFrom(in *script.Pipe, text string, args ...string) *script.Pipe {
	return s.ExecFrom(in, inBash(text, args)...)
}

func inBash(text string, args []string) []string {
	return append([]string{"bash", "-c", text, "bash"}, args...)
}

// relay runs $2 words here as root, and by the words that follow them ssh(1), to a host
// that is known by the key $1, whose input is the first one's output. The first line of
// the input is for the second one, the rest for the first.
const relay = `set -euo pipefail
known=$(mktemp); trap 'rm -f "$known"' EXIT
printf 'relayed %s\n' "$1" >"$known"
IFS= read -r first
{ printf '%s\n' "$first"; sudo -n -- "${@:3:$2}"; } | ssh -o UserKnownHostsFile="$known" "${@:3+$2}"`

// Relay runs send here, with in behind its first line as standard input, and
// receive on the server to, with that first line and then what send prints. What
// receive prints is the pipe's. The data goes from host to host; this server must
// have been opened by [OpenLending]. The words of receive are plain ones.
func (s *Target) Relay(in *script.Pipe, send []string, to *Target, receive []string) *script.Pipe {
	leashed, err := s.leashed()
	if err != nil {
		return script.NewPipe().WithError(err)
	}
	from, isRemote := leashed.(there)
	target, isRemoteToo := to.host.(there)
	if !isRemote || !isRemoteToo {
		return script.NewPipe().WithError(fmt.Errorf("from %s to %s there is no SSH connection", s, to))
	}
	way, err := target.Way()
	if err == nil && to.peer != "" {
		err = way.At(to.peer)
	}
	if err != nil {
		return script.NewPipe().WithError(err)
	}
	ssh := []string{"-o", "BatchMode=yes", "-o", "StrictHostKeyChecking=yes", "-o", "GlobalKnownHostsFile=/dev/null",
		"-o", "HostKeyAlias=relayed", "-o", "ServerAliveInterval=5",
		"-l", way.User, "-p", strconv.Itoa(way.Port), "--", way.Host}
	argv := []string{"bash", "-c", relay, "bash", way.Key, strconv.Itoa(len(send))}
	return from.user.ExecFrom(in, slices.Concat(argv, send, ssh, []string{"sudo", "-n", "--"}, receive)...)
}

// Compose returns the command line `docker compose args…` for the instance's
// stack, as the deployment calls it: COMPOSE_… variables and an .env file do not
// count.
func (s *Target) Compose(args ...string) []string {
	return append([]string{"docker", "compose", "--project-name", s.Project, "--env-file", "/dev/null",
		"--file", path.Join(s.Folder, "docker-compose.yml")}, args...)
}

// there is a server over SSH.
type there struct {
	*remote.Host
	user *remote.Host // the same without root's rights
}

func (t there) WithContext(ctx context.Context) runner {
	return there{t.Host.WithContext(ctx), t.user.WithContext(ctx)}
}

func (t there) WithStderr(w io.Writer) runner {
	return there{t.Host.WithStderr(w), t.user.WithStderr(w)}
}

// here is this machine.
type here struct {
	ctx    context.Context
	stderr io.Writer
}

func (h here) WithContext(ctx context.Context) runner { return here{ctx, h.stderr} }
func (h here) WithStderr(w io.Writer) runner          { return here{h.ctx, w} }
func (here) Close() error                             { return nil }
func (here) String() string                           { return instance.Here }

// ExecFrom ends the output with the command's error, as that of a remote
// command ends.
func (h here) ExecFrom(in *script.Pipe, argv ...string) *script.Pipe {
	return execFrom(h.ctx, in, h.stderr, local.Root(argv...))
}

// execFrom sees to it that the command sees the end of its input only if in ended
// without an error: half of a stream is not all of it.
func execFrom(ctx context.Context, in *script.Pipe, stderr io.Writer, argv []string) *script.Pipe {
	running, end := context.WithCancelCause(ctx)
	cmd := local.Command(running, argv...)
	var said bytes.Buffer
	out, w := io.Pipe()
	cmd.Stdout, cmd.Stderr = w, io.MultiWriter(&said, stderr)
	run := func() (err error) {
		defer func() {
			if err != nil && running.Err() != nil {
				err = context.Cause(running)
			}
		}()
		if in == nil {
			return cmd.Run()
		}
		// Not cmd.Stdin, whose end would be waited for: it may come from whoever waits
		// for the command's.
		defer in.Close()
		stdin, err := cmd.StdinPipe()
		if err == nil {
			err = cmd.Start()
		}
		if err != nil {
			return err
		}
		go func() {
			all := &reading{Reader: in}
			if _, _ = io.Copy(stdin, all); all.err != nil {
				end(all.err)
				return
			}
			stdin.Close()
		}()
		return cmd.Wait()
	}
	go func() {
		err := run()
		if err != nil {
			err = &local.Error{Argv: argv, Stderr: said.String(), Err: err}
		}
		w.CloseWithError(err)
		end(nil)
	}()
	return script.NewPipe().WithContext(ctx).WithReader(out)
}

// reading remembers how its reader failed, if it did.
type reading struct {
	io.Reader
	err error
}

func (r *reading) Read(p []byte) (n int, err error) {
	n, err = r.Reader.Read(p)
	if err != io.EOF {
		r.err = err
	}
	return n, err
}

// text returns what a pipe has, without the last newline.
func text(p *script.Pipe) (string, error) {
	out, err := p.String()
	return strings.TrimRight(out, "\n"), err
}

// Output runs argv there and returns its standard output without the last
// newline.
func (s *Target) Output(argv ...string) (string, error) { return text(s.Exec(argv...)) }

// Runs returns an error if the instance was never deployed there.
func (s *Target) Runs() error {
	return s.Has("docker-compose.yml", "is not deployed",
		"mage deploy:to NAME deploys an instance, deploy:branch NAME a branch")
}

// Has returns an error if a file is not in the instance's folder: what that means
// of the instance, and a hint.
func (s *Target) Has(file, without, hint string) error {
	_, err := s.Output("test", "-e", path.Join(s.Folder, file))
	if local.ExitCode(err) != 1 {
		return err
	}
	return fmt.Errorf("%s %s on %s: there is no %s/%s\nhint: %s", s.Name, without, s, s.Folder, file, hint)
}
