package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/betagouv/mrs-ops/internal/local"
)

// link is a connection to a host, over those to its jump hosts.
type link struct {
	target  string // as it was asked for
	user    string
	client  *ssh.Client
	conn    *heardConn
	over    *link // nil where there is no jump host
	forward bool  // commands get the agent
	lent    sync.Once
	notLent error // why the host takes no agent
	way     Way

	gone  chan struct{}         // closed once the connection has ended
	cause atomic.Pointer[error] // why, where it is known
}

// errSlow ends an attempt to connect; those who wait turn it into words.
var errSlow = errors.New("timeout")

// connect connects to a host within the time of opts.
func connect(ctx context.Context, name string, opts Options) (*link, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, opts.Timeout, errSlow)
	defer cancel()
	return reach(ctx, name, nil, 0, opts)
}

// maxJumps is how many jump hosts may lie before a host; a configuration that
// has more of them goes in circles.
const maxJumps = 8

// reach connects to a host over the hosts in jumps, or where there are none,
// over those that its configuration names.
func reach(ctx context.Context, name string, jumps []string, depth int, opts Options) (*link, error) {
	if depth > maxJumps {
		return nil, fmt.Errorf("%s: more than %d jump hosts\n"+
			"hint: does a ProxyJump lead back to where it came from?", name, maxJumps)
	}
	t, err := parseTarget(name)
	if err != nil {
		return nil, err
	}
	s, err := resolve(ctx, t, opts.Config)
	if err != nil {
		return nil, err
	}
	if len(jumps) == 0 {
		jumps = s.jumps
	}
	var over *link
	if len(jumps) > 0 {
		last := len(jumps) - 1
		over, err = reach(ctx, jumps[last], jumps[:last:last], depth+1, opts)
		if err != nil {
			return nil, fmt.Errorf("the way to %s: %w", name, err)
		}
	}
	l, err := open(ctx, name, s, over, opts)
	if err != nil && over != nil {
		over.close()
	}
	return l, err
}

// open connects to a host over the last of its jump hosts, if any.
func open(ctx context.Context, name string, s *settings, over *link, opts Options) (*link, error) {
	address := net.JoinHostPort(s.host, strconv.Itoa(s.port))
	called := fmt.Sprintf("%s (%s@%s)", name, s.user, address)
	raw, err := dial(ctx, address, over)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", called, explainDial(ctx, err, opts))
	}
	l := &link{target: name, user: s.user, conn: &heardConn{Conn: raw}, over: over, gone: make(chan struct{})}
	if err := l.handshake(ctx, s, opts); err != nil {
		raw.Close()
		return nil, fmt.Errorf("%s: %w", called, err)
	}
	go l.watch(opts.KeepAlive)
	if err := l.forwardAgent(s, opts); err != nil {
		l.client.Close()
		return nil, fmt.Errorf("%s: %w", called, err)
	}
	return l, nil
}

// retry returns the command by which a person gets to the same host.
func retry(name string, opts Options, flags ...string) string {
	argv := append([]string{"ssh"}, flags...)
	if opts.Config != "" {
		argv = append(argv, "-F", opts.Config)
	}
	t, err := parseTarget(name)
	if err != nil {
		return "ssh"
	}
	return local.Quote(append(argv, t.SSH()...)...)
}

func dial(ctx context.Context, address string, over *link) (net.Conn, error) {
	if over != nil {
		return over.client.DialContext(ctx, "tcp", address)
	}
	var dialer net.Dialer
	return dialer.DialContext(ctx, "tcp", address)
}

// explainDial says why there is no connection to speak over.
func explainDial(ctx context.Context, err error, opts Options) error {
	if cause := context.Cause(ctx); cause != nil && cause != errSlow {
		return cause
	}
	var dns *net.DNSError
	var refusal *ssh.OpenChannelError
	var timeout net.Error // of the dialer, which is a moment ahead of ctx
	switch {
	case errors.As(err, &dns):
		return fmt.Errorf("its address is not known: %w\n"+
			"hint: is the name right? HostName in the SSH configuration can give the address", err)
	case ctx.Err() != nil, errors.As(err, &timeout) && timeout.Timeout():
		return fmt.Errorf("it does not answer within %s\n"+
			"hint: is the machine up, its address right, and no firewall in the way?", opts.Timeout)
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("nothing listens there: %w\nhint: is the port right, and does sshd run?", err)
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return fmt.Errorf("there is no way to it: %w\n"+
			"hint: is the machine up, its address right, and this machine on its network?", err)
	case errors.As(err, &refusal):
		return fmt.Errorf("the jump host does not get there: %s\n"+
			"hint: is the port right, does sshd run, and may the jump host forward (AllowTcpForwarding)?", refusal.Message)
	}
	return err
}

// handshake speaks SSH: checks the host's key, and gets in.
func (l *link) handshake(ctx context.Context, s *settings, opts Options) error {
	known, err := readHostKeys(s)
	if err != nil {
		return err
	}
	known.retry = retry(l.target, opts, "-o", "StrictHostKeyChecking=ask")
	verbose := retry(l.target, opts, "-v")
	keys := openKeyring(ctx, s)
	defer keys.close()
	if cause := context.Cause(ctx); cause == errSlow {
		return fmt.Errorf("the SSH agent at %s does not answer within %s", s.agent, opts.Timeout)
	} else if cause != nil {
		return cause
	}
	var keyErr error
	keyKnown := false
	config := &ssh.ClientConfig{
		User: s.user,
		Auth: []ssh.AuthMethod{ssh.PublicKeys(keys.signers...)},
		HostKeyCallback: func(_ string, _ net.Addr, key ssh.PublicKey) error {
			keyErr = known.check(key)
			keyKnown = keyErr == nil
			l.way = Way{User: s.user, Host: s.host, Port: s.port, Key: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))}
			return keyErr
		},
		HostKeyAlgorithms: known.algorithms(),
	}
	// A connection through a jump host has no deadlines; closing ends both kinds.
	stop := context.AfterFunc(ctx, func() { l.conn.Close() })
	conn, channels, requests, err := ssh.NewClientConn(l.conn, known.name, config)
	switch inTime := stop(); {
	case err == nil && inTime:
		l.client = ssh.NewClient(conn, channels, requests)
		return nil
	case !inTime && context.Cause(ctx) != errSlow:
		return context.Cause(ctx)
	case !inTime && keyKnown:
		return fmt.Errorf("it has not let %s in within %s\n"+
			"hint: does the SSH agent wait for a touch or a confirmation? more is told by: %s", s.user, opts.Timeout, verbose)
	case !inTime:
		return fmt.Errorf("it takes the connection, but its SSH server is silent (for %s)\n"+
			"hint: the machine may be hung or overloaded, or what listens there is no sshd", opts.Timeout)
	case keyErr != nil:
		return keyErr
	case keyKnown && strings.Contains(err.Error(), "unable to authenticate"):
		return keys.refused(s.user, verbose)
	case keyKnown && strings.Contains(err.Error(), "Too many authentication failures"):
		return fmt.Errorf("%w\n"+
			"hint: it was offered too many keys: name one by IdentityFile, with IdentitiesOnly yes",
			keys.refused(s.user, verbose))
	case keyKnown:
		return fmt.Errorf("it ends the connection before it lets %s in: %w", s.user, err)
	default:
		return fmt.Errorf("it does not speak SSH with us: %w\n"+
			"hint: it may have too many connections (MaxStartups), have banned this address, or be no sshd", err)
	}
}

// forwardAgent lends the agent to the host's commands if that is asked for.
// As for ssh, that there is no agent matters only where opts ask for one.
func (l *link) forwardAgent(s *settings, opts Options) error {
	if !opts.ForwardAgent && (!s.forwardAgent || s.agent == "") {
		return nil
	}
	if s.agent == "" {
		return errors.New("there is no SSH agent to forward\nhint: eval $(ssh-agent) && ssh-add")
	}
	l.forward = true
	return agent.ForwardToRemote(l.client, s.agent)
}

// close ends the connection and those to its jump hosts.
func (l *link) close() error {
	l.end(errors.New("the connection was closed"))
	err := l.client.Close()
	if errors.Is(err, net.ErrClosed) || errors.Is(err, io.EOF) { // it is what was asked for
		err = nil
	}
	if l.over != nil {
		err = errors.Join(err, l.over.close())
	}
	return err
}

// end ends the connection for the reason given, at once: no farewell is sent.
func (l *link) end(reason error) {
	l.cause.CompareAndSwap(nil, &reason)
	l.conn.Close()
}

func (l *link) lost() error {
	if cause := l.cause.Load(); cause != nil {
		return *cause
	}
	return errors.New("the connection was lost")
}

// heardConn counts what it receives.
type heardConn struct {
	net.Conn
	heard atomic.Uint64
}

func (c *heardConn) Read(p []byte) (int, error) {
	n, err := c.Conn.Read(p)
	c.heard.Add(uint64(n))
	return n, err
}

// missed is how many questions in a row may remain without any sign of life.
const missed = 3

// watch ends the connection if the host is not alive any more.
func (l *link) watch(interval time.Duration) {
	go func() {
		l.client.Wait()
		close(l.gone)
	}()
	ask := func() { go l.ask() } // it may be stuck for as long as the connection is there
	if err := alive(interval, l.gone, l.conn.heard.Load, ask); err != nil {
		l.end(err)
	}
}

// alive asks a host every interval for a sign of life until it is gone, and
// returns an error if there is none any more. Whatever it says, of which heard
// tells how much, is one: on a slow line the answer waits behind the data of a
// command.
func alive(interval time.Duration, gone <-chan struct{}, heard func() uint64, ask func()) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var before uint64
	asked := 0
	for {
		select {
		case <-gone:
			return nil
		case <-tick.C:
		}
		if now := heard(); now != before {
			before, asked = now, 0
		}
		if asked == missed {
			return fmt.Errorf("the connection is dead: no sign of life for %s", missed*interval)
		}
		asked++
		ask()
	}
}

// ask returns nil once the host has answered a question that ssh(1) too asks
// to see whether it is there.
func (l *link) ask() error {
	_, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil)
	return err
}
