//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/local"
	"github.com/betagouv/mrs-ops/internal/ops"
	"github.com/betagouv/mrs-ops/internal/remote"
)

// sshServer is a real sshd of this test's own on the loopback interface, which
// lets in whoever runs the test.
type sshServer struct {
	dir    string // with host_key, client_key and their .pub
	port   int
	config string // what a client's ssh_config says about it, under the name "box"
	pid    int
}

// startSSHD starts a server with more lines for its configuration.
func startSSHD(t *testing.T, more ...string) *sshServer {
	t.Helper()
	s := &sshServer{dir: t.TempDir(), port: freePort(t)}
	for _, key := range []string{"host_key", "client_key"} {
		must(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", key, "-f", s.path(key))
	}
	s.write(t, "authorized_keys", s.read(t, "client_key.pub"))
	s.write(t, "sshd_config", fmt.Sprintf(`
ListenAddress 127.0.0.1:%d
HostKey %s
AuthorizedKeysFile %s
PidFile none
StrictModes no
UsePAM no
PasswordAuthentication no
KbdInteractiveAuthentication no
LogLevel VERBOSE
%s
`, s.port, s.path("host_key"), s.path("authorized_keys"), strings.Join(more, "\n")))
	s.write(t, "known_hosts", fmt.Sprintf("# ours\n[127.0.0.1]:%d %s", s.port, s.read(t, "host_key.pub")))
	s.config = s.write(t, "ssh_config", s.clientConfig(t, ""))
	s.run(t)
	return s
}

// clientConfig returns the lines about the server, after more lines that win.
func (s *sshServer) clientConfig(t *testing.T, more string) string {
	t.Helper()
	return fmt.Sprintf(`Host box
%s
HostName 127.0.0.1
Port %d
User %s
IdentityFile "%s"
IdentitiesOnly yes
IdentityAgent none
UserKnownHostsFile "%s"
GlobalKnownHostsFile none
StrictHostKeyChecking yes
`, more, s.port, myself(t), s.path("client_key"), s.path("known_hosts"))
}

func (s *sshServer) run(t *testing.T) {
	t.Helper()
	if os.Geteuid() == 0 { // sshd as root wants the folder that its unit makes
		if err := os.MkdirAll("/run/sshd", 0o755); err != nil {
			t.Fatal(err)
		}
	}
	log, err := os.Create(s.path("log"))
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/usr/sbin/sshd", "-D", "-e", "-f", s.path("sshd_config"))
	cmd.Stderr = log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	s.pid = cmd.Process.Pid
	t.Cleanup(func() {
		for _, pid := range append(s.sessions(t), s.pid) {
			syscall.Kill(pid, syscall.SIGCONT)
			syscall.Kill(pid, syscall.SIGKILL)
		}
		cmd.Wait()
		if t.Failed() {
			t.Logf("sshd said:\n%s", s.read(t, "log"))
		}
	})
	eventually(t, "sshd listens", func() bool {
		conn, err := net.Dial("tcp", fmt.Sprintf("127.0.0.1:%d", s.port))
		if err == nil {
			conn.Close()
		}
		return err == nil
	})
}

func (s *sshServer) path(name string) string { return filepath.Join(s.dir, name) }

func (s *sshServer) write(t *testing.T, name, text string) string {
	t.Helper()
	if err := os.WriteFile(s.path(name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return s.path(name)
}

func (s *sshServer) read(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(s.path(name))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// dial connects with the server's client configuration.
func (s *sshServer) dial(t *testing.T, opts remote.Options) *remote.Host {
	t.Helper()
	if opts.Config == "" {
		opts.Config = s.config
	}
	h, err := remote.Dial(t.Context(), "box", opts)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := h.Close(); err != nil {
			t.Errorf("closing: %v", err)
		}
	})
	mrsHost, err := mrsHost()
	if err != nil {
		t.Fatal(err)
	}
	return h.Leash(mrsHost)
}

// mrsHost is mrs-host as servers have it, which holds the leash of commands.
var mrsHost = sync.OnceValues(func() (string, error) {
	to := filepath.Join(filepath.Dir(mage), "mrs-host")
	cmd := exec.Command("go", "build", "-o", to, "./cmd/mrs-host")
	cmd.Dir = root
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%w\n%s", err, out)
	}
	return to, nil
})

// sessions returns the server's processes that hold its connections.
func (s *sshServer) sessions(t *testing.T) []int {
	t.Helper()
	parents := map[int]int{}
	var ours []int
	for pid, stat := range processes(t) {
		fields := strings.Fields(stat[strings.LastIndex(stat, ")")+1:])
		parents[pid], _ = strconv.Atoi(fields[1])
	}
	for pid, stat := range processes(t) {
		if !strings.Contains(stat, "(sshd") {
			continue
		}
		for up := parents[pid]; up > 1; up = parents[up] {
			if up == s.pid {
				ours = append(ours, pid)
			}
		}
	}
	return ours
}

// signal sends a signal to the processes that hold the server's connections.
func (s *sshServer) signal(t *testing.T, signal syscall.Signal) {
	t.Helper()
	sessions := s.sessions(t)
	if len(sessions) == 0 {
		t.Fatal("no session to send a signal to")
	}
	for _, pid := range sessions {
		if err := syscall.Kill(pid, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			t.Fatal(err)
		}
	}
}

// processes returns the line of proc_pid_stat(5) of each process.
func processes(t *testing.T) map[int]string {
	t.Helper()
	all := map[int]string{}
	paths, err := filepath.Glob("/proc/[0-9]*/stat")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		if text, err := os.ReadFile(path); err == nil {
			pid, _ := strconv.Atoi(filepath.Base(filepath.Dir(path)))
			all[pid] = string(text)
		}
	}
	return all
}

// runs reports whether a process runs with marker among its arguments.
func runs(t *testing.T, marker string) bool {
	t.Helper()
	paths, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, path := range paths {
		text, err := os.ReadFile(path)
		if err == nil && strings.Contains("\x00"+string(text), "\x00"+marker+"\x00") {
			return true
		}
	}
	return false
}

func freePort(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

func myself(t *testing.T) string {
	t.Helper()
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	return me.Username
}

// unique returns an argument of sleep(1) that no other process has.
func unique(t *testing.T) string {
	t.Helper()
	return fmt.Sprintf("%d.%d", 40000+os.Getpid()%1000, time.Now().UnixNano())
}

func TestARemoteCommandReceivesItsWordsIntactAndItsOutputComesBack(t *testing.T) {
	brief(t)
	h := startSSHD(t).dial(t, remote.Options{})
	words := []string{"", " ", "a b'; touch /tmp/pwned; $(id)", `"\`, "line\nbreak", "é\xff\x01", "-n", "*", "~", "!!", "#"}
	got, err := h.Exec(append([]string{"printf", `%s\0`}, words...)...).String()
	if err != nil {
		t.Fatal(err)
	}
	if want := strings.Join(words, "\x00") + "\x00"; got != want {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestARemoteFailureHasItsOutputItsErrorsAndItsStatus(t *testing.T) {
	brief(t)
	var live strings.Builder
	h := startSSHD(t).dial(t, remote.Options{Stderr: &live})
	// More than two seconds, so that the leash has pulled.
	p := h.Exec("sh", "-c", "echo out; sleep 2.5; echo complaint >&2; exit 7")
	out, err := p.String()
	if out != "out\n" {
		t.Errorf("output: %q", out)
	}
	failure, ok := errors.AsType[*remote.Error](err)
	if !ok || failure.Stderr != "complaint" || failure.Host != "box" {
		t.Fatalf("error: %#v", err)
	}
	if local.ExitCode(err) != 7 || p.ExitStatus() != 7 {
		t.Errorf("status: %d, %d", local.ExitCode(err), p.ExitStatus())
	}
	if live.String() != "complaint\n" {
		t.Errorf("live: %q", live.String())
	}
	if want := "box: sh -c 'echo out; sleep 2.5; echo complaint >&2; exit 7':\ncomplaint\nexit status 7"; err.Error() != want {
		t.Errorf("error:\n%s\nwant:\n%s", err, want)
	}
	if _, err := h.Exec("no-such-program").String(); local.ExitCode(err) != 127 || !strings.Contains(err.Error(), "not found") {
		t.Errorf("a missing program: %v", err)
	}
}

func TestAStreamPassesThroughTwoHostsAndAFilterUnchanged(t *testing.T) {
	brief(t)
	from, to := startSSHD(t).dial(t, remote.Options{}), startSSHD(t).dial(t, remote.Options{})
	const size = 100 << 20
	sum := sha256.New()
	p := from.Exec("head", "-c", strconv.Itoa(size), "/dev/urandom").Filter(func(r io.Reader, w io.Writer) error {
		_, err := io.Copy(io.MultiWriter(sum, w), r)
		return err
	})
	start := time.Now()
	got, err := to.ExecFrom(p, "sha256sum").String()
	if err != nil {
		t.Fatal(err)
	}
	if want := fmt.Sprintf("%x  -\n", sum.Sum(nil)); got != want {
		t.Errorf("got %q, want %q", got, want)
	}
	t.Logf("%.0f MB/s", size/1e6/time.Since(start).Seconds())
}

func TestASlowTrickleArrivesWhileItTrickles(t *testing.T) {
	brief(t)
	h := startSSHD(t).dial(t, remote.Options{})
	r, w := io.Pipe()
	out := h.ExecFrom(script.NewPipe().WithReader(r), "cat")
	for i := range 3 {
		line := fmt.Sprintf("line %d\n", i)
		go io.WriteString(w, line)
		got := make([]byte, len(line))
		if _, err := io.ReadFull(out, got); err != nil || string(got) != line {
			t.Fatalf("got %q, %v, want %q", got, err, line)
		}
	}
	w.Close()
	if rest, err := out.String(); rest != "" || err != nil {
		t.Errorf("rest: %q, %v", rest, err)
	}
}

func TestManyCommandsShareAConnection(t *testing.T) {
	brief(t)
	s := startSSHD(t)
	h := s.dial(t, remote.Options{})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			want := strings.Repeat(strconv.Itoa(i), 100_000)
			got, err := h.ExecFrom(script.Echo(want), "cat").String()
			if got != want || err != nil {
				t.Errorf("command %d: %d bytes, %v", i, len(got), err)
			}
		})
	}
	all.Wait()
	if n := strings.Count(s.read(t, "log"), "Accepted publickey"); n != 1 {
		t.Errorf("%d connections", n)
	}
}

func TestTooManyCommandsAtOnceAreRefusedWithAReason(t *testing.T) {
	brief(t)
	h := startSSHD(t, "MaxSessions 1").dial(t, remote.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	first := h.WithContext(ctx).Exec("sh", "-c", "echo on; exec sleep 60")
	io.ReadFull(first, make([]byte, 3))
	_, err := h.Exec("true").String()
	wants(t, err, "starts no more commands", "hint: sshd runs at most MaxSessions")
}

func TestSudoRunsAsRoot(t *testing.T) {
	brief(t)
	h := startSSHD(t).dial(t, remote.Options{}).Sudo()
	if got, err := h.Exec("id", "-u").String(); got != "0\n" || err != nil {
		t.Errorf("id -u: %q, %v", got, err)
	}
	if got, err := h.ExecFrom(script.Echo("data"), "cat").String(); got != "data" || err != nil {
		t.Errorf("cat: %q, %v", got, err)
	}
}

func TestCancellingEndsTheRemoteCommand(t *testing.T) {
	brief(t)
	h := startSSHD(t).dial(t, remote.Options{})
	endless := func() *script.Pipe { return script.NewPipe().WithReader(zeros{}) }
	for name, start := range map[string]func(h *remote.Host, mark string) *script.Pipe{
		"a command":              func(h *remote.Host, mark string) *script.Pipe { return h.Exec("sleep", mark) },
		"one with children":      func(h *remote.Host, mark string) *script.Pipe { return h.Exec("sh", "-c", "sleep "+mark+"; true") },
		"one by root":            func(h *remote.Host, mark string) *script.Pipe { return h.Sudo().Exec("sleep", mark) },
		"one that does not read": func(h *remote.Host, mark string) *script.Pipe { return h.ExecFrom(endless(), "sleep", mark) },
		"one that reads": func(h *remote.Host, mark string) *script.Pipe {
			return h.ExecFrom(endless(), "sh", "-c", "cat >/dev/null & sleep "+mark)
		},
		"one whose input is at its end": func(h *remote.Host, mark string) *script.Pipe { return h.ExecFrom(script.Echo(""), "sleep", mark) },
		"one whose output nobody reads": func(h *remote.Host, mark string) *script.Pipe {
			return h.Exec("sh", "-c", "cat /dev/zero; sleep 600", mark)
		},
		"one that ignores being told so": func(h *remote.Host, mark string) *script.Pipe { return h.Exec("sh", "-c", "trap '' TERM; sleep "+mark) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancelCause(t.Context())
			mark := unique(t)
			p := start(h.WithContext(ctx), mark)
			eventually(t, "the command runs", func() bool { return runs(t, mark) })
			reason := errors.New("changed my mind")
			cancel(reason)
			start := time.Now()
			if err := p.Wait(); !errors.Is(err, reason) {
				t.Errorf("error: %v", err)
			}
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
			eventually(t, "the command is gone", func() bool { return !runs(t, mark) })
		})
	}
}

// zeros never ends.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) { return len(p), nil }

func TestALostConnectionIsNoEndOfTheData(t *testing.T) {
	brief(t)
	s := startSSHD(t)
	h := s.dial(t, remote.Options{})
	p := h.Exec("cat", "/dev/zero")
	filtered := make(chan error, 1)
	downstream := p.Filter(func(r io.Reader, w io.Writer) error {
		n, err := io.Copy(io.Discard, io.LimitReader(r, 10<<20))
		if err == nil && n == 10<<20 {
			s.signal(t, syscall.SIGKILL)
			_, err = io.Copy(io.Discard, r)
		}
		filtered <- err
		return err
	})
	_, err := downstream.String()
	wants(t, err, "the connection was lost")
	wants(t, <-filtered, "the connection was lost")
	_, err = h.Exec("true").String()
	wants(t, err, "the connection was lost")
}

func TestAGoodStatusThatOvertookTheOutputIsNotBelieved(t *testing.T) {
	brief(t)
	s := startSSHD(t)
	// What is on its way to a reader that does not read: the 2 MiB that the
	// client takes unread, and a little more, which sshd has when the command
	// has ended well.
	const size = 2<<20 + 50_000
	mark := unique(t)
	p := s.dial(t, remote.Options{}).Exec("sh", "-c", `head -c "$1" /dev/zero`, mark, strconv.Itoa(size))
	if _, err := io.ReadFull(p, make([]byte, 1)); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the command has ended", func() bool { return !runs(t, mark) })
	s.signal(t, syscall.SIGKILL)
	n, err := io.Copy(io.Discard, p)
	if n+1 >= size {
		t.Fatalf("all of the output came: %d bytes", n+1)
	}
	wants(t, err, "the connection was lost")
}

func TestALostConnectionIsNoEndOfACommandsInput(t *testing.T) {
	brief(t)
	s := startSSHD(t)
	h := s.dial(t, remote.Options{})
	committed, mark := s.path("committed"), unique(t)
	r, w := io.Pipe()
	p := h.ExecFrom(script.NewPipe().WithReader(r), "sh", "-c", `cat; touch "$1"`, mark, committed)
	go io.WriteString(w, "half")
	if _, err := io.ReadFull(p, make([]byte, 4)); err != nil {
		t.Fatal(err)
	}
	s.signal(t, syscall.SIGKILL)
	_, err := p.String()
	wants(t, err, "the connection was lost")
	eventually(t, "the command is gone", func() bool { return !runs(t, mark) })
	if _, err := os.Stat(committed); err == nil {
		t.Error("the command took the loss for the end of its input")
	}
}

func TestAStageThatFailsStopsTheStagesAfterIt(t *testing.T) {
	brief(t)
	s := startSSHD(t)
	h := s.dial(t, remote.Options{})
	for name, in := range map[string]func() *script.Pipe{
		"a remote command": func() *script.Pipe { return h.Exec("sh", "-c", "echo half; echo broke >&2; exit 3") },
		"a local command":  func() *script.Pipe { return local.Exec(t.Context(), "sh", "-c", "echo half; echo broke >&2; exit 3") },
		"a filter": func() *script.Pipe {
			return h.Exec("echo", "half").Filter(func(r io.Reader, w io.Writer) error {
				io.Copy(w, r)
				return errors.New("broke")
			})
		},
		"a filter after it": func() *script.Pipe {
			return h.Exec("sh", "-c", "echo half; echo broke >&2; exit 3").Match("half")
		},
	} {
		t.Run(name, func(t *testing.T) {
			committed := s.path(strings.ReplaceAll(name, " ", "-"))
			_, err := h.ExecFrom(in(), "sh", "-c", `cat >/dev/null; touch "$1"`, "sh", committed).String()
			wants(t, err, "its input failed")
			if name != "a local command" { // which told the operator
				wants(t, err, "broke")
			}
			if _, err := os.Stat(committed); err == nil {
				t.Error("the next stage took the failure for the end of its input")
			}
		})
	}
}

func TestAStageThatEndsEarlyIsAnError(t *testing.T) {
	brief(t)
	h := startSSHD(t).dial(t, remote.Options{})
	_, err := h.ExecFrom(script.NewPipe().WithReader(zeros{}), "head", "-c", "1").String()
	wants(t, err, "ended before it had read all of its input")
	_, err = h.ExecFrom(h.Exec("cat", "/dev/zero"), "sh", "-c", "echo no space >&2; exit 4").String()
	wants(t, err, "no space\nexit status 4")
}

func TestAReaderThatStopsEndsTheCommand(t *testing.T) {
	brief(t)
	h := startSSHD(t).dial(t, remote.Options{})
	mark := unique(t)
	p := h.Exec("sh", "-c", "cat /dev/zero; sleep 600", mark)
	if _, err := io.ReadFull(p, make([]byte, 10)); err != nil {
		t.Fatal(err)
	}
	p.Close()
	eventually(t, "the command is gone", func() bool { return !runs(t, mark) })
}

func TestAHostThatStopsAnsweringIsGivenUp(t *testing.T) {
	brief(t)
	s := startSSHD(t)
	h := s.dial(t, remote.Options{KeepAlive: 500 * time.Millisecond})
	p := h.Exec("sh", "-c", "echo on; exec sleep 600")
	if _, err := io.ReadFull(p, make([]byte, 3)); err != nil {
		t.Fatal(err)
	}
	s.signal(t, syscall.SIGSTOP)
	start := time.Now()
	_, err := p.String()
	wants(t, err, "the connection is dead: no sign of life for 1.5s")
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestAnIdleHostIsNotGivenUp(t *testing.T) {
	brief(t)
	h := startSSHD(t).dial(t, remote.Options{KeepAlive: 200 * time.Millisecond}) // after 0.6 s without an answer
	if _, err := h.Exec("sleep", "0.9").String(); err != nil {                   // less than the leash takes to pull
		t.Error(err)
	}
}

func TestEachWayNotToGetInHasItsOwnError(t *testing.T) {
	brief(t)
	s := startSSHD(t)
	other := startSSHD(t)
	must(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "a passphrase", "-f", s.path("locked"))
	must(t, "ssh-keygen", "-q", "-t", "ecdsa", "-N", "", "-f", s.path("stranger"))
	wrong := s.write(t, "wrong_hosts", fmt.Sprintf("\n[127.0.0.1]:%d %s", s.port, other.read(t, "host_key.pub")))
	revoked := s.write(t, "revoked", "@revoked * "+s.read(t, "host_key.pub"))
	broken := s.write(t, "broken_config", "Host box\nNonsense yes\n")
	stopped := startSSHD(t)
	syscall.Kill(stopped.pid, syscall.SIGSTOP)
	for name, test := range map[string]struct {
		config string
		target string
		wants  []string
	}{
		"a changed host key": {"UserKnownHostsFile " + wrong, "box", []string{
			"its key has changed", wrong + " line 2 has ssh-ed25519 SHA256:",
			fmt.Sprintf("hint: if you know why it changed: ssh-keygen -f %s -R '[127.0.0.1]:%d'", wrong, s.port)}},
		"a changed host key, without strictness": {"StrictHostKeyChecking no\nUserKnownHostsFile " + wrong, "box", []string{"its key has changed"}},
		"an unknown host key": {"UserKnownHostsFile " + s.path("none_yet"), "box", []string{
			"its key is not known", "hint: ", "ssh-keyscan -p " + strconv.Itoa(s.port) + " 127.0.0.1"}},
		"a revoked host key":                  {"UserKnownHostsFile " + revoked, "box", []string{"its key is revoked: " + revoked + " line 1"}},
		"a closed port":                       {"Port " + strconv.Itoa(freePort(t)), "box", []string{"nothing listens there", "hint: is the port right"}},
		"a wrong user":                        {"User nobody-of-that-name", "box", []string{"it does not let nobody-of-that-name in", "offered: SHA256:", "hint: is nobody-of-that-name the right user"}},
		"a wrong key":                         {"IdentityFile " + s.path("stranger"), "stranger", []string{"it does not let", "offered: SHA256:", s.path("stranger")}},
		"an encrypted key":                    {"IdentityFile " + s.path("locked"), "stranger", []string{s.path("locked") + " is encrypted", "hint: give it to the SSH agent: ssh-add " + s.path("locked")}},
		"no key":                              {"IdentityFile none", "stranger", []string{"it does not let", "there was no key to offer"}},
		"a host unknown to DNS":               {"HostName no-such-host.invalid", "box", []string{"its address is not known", "hint: is the name right"}},
		"a host that never answers":           {"Port " + strconv.Itoa(blackHole(t)), "box", []string{"it does not answer within 5s", "hint: is the machine up"}},
		"a host whose sshd hangs":             {"Port " + strconv.Itoa(stopped.port), "box", []string{"its SSH server is silent (for 5s)", "hint: the machine may be hung"}},
		"something else than sshd":            {"Port " + strconv.Itoa(babbler(t)), "box", []string{"it does not speak SSH with us", "hint: "}},
		"a jump host that does not get there": {"ProxyJump jump\nPort " + strconv.Itoa(freePort(t)), "box", []string{"the jump host does not get there"}},
		"a jump host that does not let us in": {"ProxyJump nobody-of-that-name@jump", "box", []string{"the way to box", "it does not let nobody-of-that-name in"}},
		"a jump host behind itself":           {"ProxyJump circle", "box", []string{"more than 8 jump hosts", "hint: does a ProxyJump lead back"}},
		"a configuration that can't be read":  {"\nInclude " + broken, "box", []string{"the SSH configuration can't be read", "Bad configuration option: nonsense"}},
		"a target that is an option":          {"", "-oProxyCommand=touch /tmp/pwned", []string{"is no host"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := filepath.Join(t.TempDir(), "config")
			text := s.clientConfig(t, test.config) +
				fmt.Sprintf("Host stranger\n%s\nHostName 127.0.0.1\nPort %d\nUserKnownHostsFile %s\nIdentitiesOnly yes\nIdentityAgent none\n", test.config, s.port, s.path("known_hosts")) +
				strings.Replace(other.clientConfig(t, ""), "Host box", "Host jump", 1) +
				"Host circle\nHostName 127.0.0.1\nProxyJump box\n"
			if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
				t.Fatal(err)
			}
			start := time.Now()
			h, err := remote.Dial(t.Context(), test.target, remote.Options{Config: config, Timeout: 5 * time.Second})
			if took := time.Since(start); took > 20*time.Second {
				t.Errorf("it took %s", took)
			}
			if err == nil {
				h.Close()
			}
			t.Logf("%v", err)
			if test.wants != nil {
				wants(t, err, test.wants...)
			}
		})
	}
}

// wants checks that an error says all that it should.
func wants(t *testing.T, err error, texts ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("no error; want one with %q", texts)
	}
	for _, text := range texts {
		if !strings.Contains(err.Error(), text) {
			t.Errorf("the error lacks %q:\n%v", text, err)
		}
	}
}

// blackHole returns a port that drops what is sent there, as a dead host does:
// the queue of a listener that nobody serves is full.
func blackHole(t *testing.T) int {
	t.Helper()
	fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { syscall.Close(fd) })
	if err := errors.Join(syscall.Bind(fd, &syscall.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), syscall.Listen(fd, 0)); err != nil {
		t.Fatal(err)
	}
	address, err := syscall.Getsockname(fd)
	if err != nil {
		t.Fatal(err)
	}
	port := address.(*syscall.SockaddrInet4).Port
	for {
		conn, err := net.DialTimeout("tcp", fmt.Sprintf("127.0.0.1:%d", port), 300*time.Millisecond)
		if err != nil {
			return port
		}
		t.Cleanup(func() { conn.Close() })
	}
}

// babbler returns a port where something says what is no SSH, and hangs up.
func babbler(t *testing.T) int {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			io.WriteString(conn, "HTTP/1.1 400 Bad Request\r\n\r\n")
			conn.Close()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}

func TestANewHostIsRememberedWhereTheConfigurationAcceptsIt(t *testing.T) {
	brief(t)
	s, other := startSSHD(t), startSSHD(t)
	known := s.path("new/known_hosts")
	s.config = s.write(t, "accepting", s.clientConfig(t, "StrictHostKeyChecking accept-new\nHashKnownHosts yes\nUserKnownHostsFile "+known))
	s.dial(t, remote.Options{})
	before, err := os.ReadFile(known)
	if err != nil || !strings.HasPrefix(string(before), "|1|") {
		t.Fatalf("known_hosts: %q, %v", before, err)
	}
	must(t, "ssh-keygen", "-f", known, "-F", fmt.Sprintf("[127.0.0.1]:%d", s.port))
	s.dial(t, remote.Options{})
	if after, _ := os.ReadFile(known); string(after) != string(before) {
		t.Errorf("known_hosts after the second time:\n%s", after)
	}
	config := s.write(t, "moved", s.clientConfig(t, fmt.Sprintf("StrictHostKeyChecking accept-new\nHostKeyAlias [127.0.0.1]:%d\nPort %d\nUserKnownHostsFile %s", s.port, other.port, known)))
	_, err = remote.Dial(t.Context(), "box", remote.Options{Config: config})
	wants(t, err, "its key has changed", known+" line 1")
}

func TestWhatVagrantWritesIsUnderstood(t *testing.T) {
	brief(t)
	s := startSSHD(t)
	config := s.write(t, ".vagrant-ssh", fmt.Sprintf(`Host default
  HostName 127.0.0.1
  User %s
  Port %d
  UserKnownHostsFile /dev/null
  StrictHostKeyChecking no
  PasswordAuthentication no
  IdentityFile %s
  IdentitiesOnly yes
  LogLevel FATAL
  ForwardAgent yes
  PubkeyAcceptedKeyTypes +ssh-rsa
  HostKeyAlgorithms +ssh-rsa

`, myself(t), s.port, s.path("client_key")))
	h, err := remote.Dial(t.Context(), "default", remote.Options{Config: config})
	if err != nil {
		t.Fatal(err)
	}
	defer h.Close()
	if got, err := h.Exec("whoami").String(); got != myself(t)+"\n" || err != nil {
		t.Errorf("whoami: %q, %v", got, err)
	}
}

func TestAHostWithACertificateIsKnownByItsAuthority(t *testing.T) {
	brief(t)
	s := startSSHD(t)
	must(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", s.path("authority"))
	must(t, "ssh-keygen", "-q", "-s", s.path("authority"), "-I", "box", "-h", "-n", "127.0.0.1", s.path("host_key.pub"))
	certified := startSSHD(t, "HostKey "+s.path("host_key"), "HostCertificate "+s.path("host_key-cert.pub"))
	authority := s.write(t, "authorities", "@cert-authority [127.0.0.*]:* "+s.read(t, "authority.pub"))
	config := certified.write(t, "certified", certified.clientConfig(t, "UserKnownHostsFile "+authority))
	certified.dial(t, remote.Options{Config: config})
	config = certified.write(t, "renamed", certified.clientConfig(t, "HostName localhost\nUserKnownHostsFile "+s.write(t, "all", "@cert-authority * "+s.read(t, "authority.pub"))))
	_, err := remote.Dial(t.Context(), "box", remote.Options{Config: config})
	wants(t, err, "the certificate that it shows is not believed", `"localhost" not in the set of valid principals`)
}

func TestAHostIsReachedThroughItsJumpHosts(t *testing.T) {
	brief(t)
	first, second, last := startSSHD(t), startSSHD(t), startSSHD(t)
	config := last.write(t, "jumping", last.clientConfig(t, "ProxyJump first,second")+
		strings.Replace(first.clientConfig(t, ""), "Host box", "Host first", 1)+
		strings.Replace(second.clientConfig(t, ""), "Host box", "Host second", 1))
	h := last.dial(t, remote.Options{Config: config})
	got, err := h.Exec("sh", "-c", "echo $SSH_CONNECTION").String()
	if fields := strings.Fields(got); err != nil || len(fields) != 4 || fields[3] != strconv.Itoa(last.port) {
		t.Errorf("SSH_CONNECTION: %q, %v", got, err)
	}
	if !strings.Contains(first.read(t, "log"), "Accepted publickey") || !strings.Contains(second.read(t, "log"), "Accepted publickey") {
		t.Error("not both jump hosts were used")
	}
	first.signal(t, syscall.SIGKILL)
	_, err = h.Exec("true").String()
	wants(t, err, "the connection was lost")
}

func TestAKeyThatOnlyTheAgentHasGetsInAndIsLent(t *testing.T) {
	brief(t)
	s := startSSHD(t)
	socket := s.path("agent")
	agent := exec.Command("ssh-agent", "-D", "-a", socket)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { agent.Process.Kill(); agent.Wait() })
	eventually(t, "the agent listens", func() bool { _, err := os.Stat(socket); return err == nil })
	must(t, "env", "SSH_AUTH_SOCK="+socket, "ssh-add", "-q", s.path("client_key"))
	if err := os.Remove(s.path("client_key")); err != nil {
		t.Fatal(err)
	}
	for name, more := range map[string]string{
		"by its public key": "IdentityAgent " + socket,
		"unnamed":           "IdentitiesOnly no\nIdentityFile none\nIdentityAgent " + socket,
	} {
		h := s.dial(t, remote.Options{ForwardAgent: true, Config: s.write(t, "agent_config", s.clientConfig(t, more))})
		if got, err := h.Exec("ssh-add", "-l").String(); err != nil || !strings.Contains(got, "client_key (ED25519)") {
			t.Errorf("%s: ssh-add -l: %q, %v", name, got, err)
		}
	}
	h := s.dial(t, remote.Options{Config: s.path("agent_config")})
	if _, err := h.Exec("ssh-add", "-l").String(); err == nil {
		t.Error("the agent is lent unasked")
	}
}

func TestHowAnInstanceStandsIsToldAlsoByAServerThatHasNoMrsHostOfThisVersion(t *testing.T) {
	brief(t)
	s := startSSHD(t)
	c := clone{dir: t.TempDir()}
	c.fill(t)
	home := s.path("home")
	// Its sentences are a word of this test's, so nobody has brought this one there before.
	word := "word" + strings.ReplaceAll(unique(t), ".", "")
	t.Cleanup(func() {
		all, _ := filepath.Glob(hostapi.Programs + "/mrs-host-*")
		for _, program := range all {
			if text, _ := os.ReadFile(program); bytes.Contains(text, []byte(word)) {
				must(t, local.Root("rm", program)...)
			}
		}
	})
	for path, content := range map[string]string{
		filepath.Join(c.dir, "env/stands.env"): "server=box\nssh_config=" + s.config + "\nhome=" + home + "\nHOST=stands.invalid\n",
		home + "/docker-compose.yml":           "services: {django: {image: nothing}}\n",
		home + "/.restic_password":             "geheim",
		home + "/.maintenance":                 "",
	} {
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	stands := func() (row ops.Row) {
		t.Helper()
		r := c.with("MRS_OPS_X="+word).run(t, mage, "ops:status", "-instance=stands", "-json")
		var rows []ops.Row
		if err := json.Unmarshal([]byte(r.stdout), &rows); err != nil || len(rows) != 1 || r.status != 1 {
			t.Fatalf("exit status %d, %v\n%s", r.status, err, r.output)
		}
		return rows[0]
	}
	row := stands()
	if row.State != ops.NotWell || !row.Maintenance || len(row.Disks) == 0 || len(row.Containers) != 1 ||
		row.Containers[0].State != "absent" || row.Backup.Error != word || row.HTTP == nil || row.HTTP.From != "server" {
		t.Errorf("it is %+v, its backups %+v, its site %+v", row, row.Backup, row.HTTP)
	}
	if err := syscall.Kill(s.pid, syscall.SIGSTOP); err != nil { // it takes connections, and says nothing
		t.Fatal(err)
	}
	row = stands()
	syscall.Kill(s.pid, syscall.SIGCONT)
	if row.State != ops.Unreachable || !strings.Contains(row.Error, "it does not answer within 5s") {
		t.Errorf("of a server that says nothing it is %+v", row)
	}
}
