// Package remote runs commands on other machines over SSH, as script pipelines.
//
// It knows how to reach a host the way ssh(1) does, how to tell a host that
// answers from one that lies, lags or is gone, and how to make sure that a
// command that was cut off looks like one, on both ends. It must not know what
// any command or host is for.
package remote

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"time"

	"github.com/betagouv/mrs-ops/internal/address"
)

// Options are what [Dial] does not take from the SSH configuration. The zero
// value serves.
type Options struct {
	// Config is the file to read instead of ~/.ssh/config and
	// /etc/ssh/ssh_config, like -F of ssh(1).
	Config string

	// ForwardAgent lets commands on the host use this machine's SSH agent, as
	// ForwardAgent in the configuration does.
	ForwardAgent bool

	// Stderr receives what commands say on their standard error at the moment
	// they say it; writes may come from several commands at once. Errors have
	// the last lines of it in any case.
	Stderr io.Writer

	// Timeout is how long connecting may take, jump hosts included; 0 means 12
	// seconds.
	Timeout time.Duration

	// KeepAlive is the time between two questions whether the host is alive; 0
	// means 5 seconds. The connection is given up after three without a sign
	// of life.
	KeepAlive time.Duration
}

// Host is a connection to a host, for any number of commands at the same time
// (sshd allows 10 unless its MaxSessions says otherwise).
type Host struct {
	ctx  context.Context
	link *link
	opts Options
	sudo bool
	// leash is the path of mrs-host there; empty: it has none.
	leash string
}

// Dial connects to target, [USER@]HOST[:PORT] as [address.Parse] reads it, as
// ssh(1) would without a terminal: it asks nobody anything.
//
// `ssh -G` tells what the configuration says; heeded are HostName, User, Port,
// IdentityFile, CertificateFile, IdentitiesOnly, IdentityAgent, ProxyJump,
// UserKnownHostsFile, GlobalKnownHostsFile, HashKnownHosts, HostKeyAlias,
// StrictHostKeyChecking and ForwardAgent. Unlike ssh, a host whose key has changed is refused under
// `StrictHostKeyChecking no` too, and a ProxyCommand is an error.
//
// Commands end when ctx does; the connection stays until [Host.Close].
func Dial(ctx context.Context, target string, opts Options) (*Host, error) {
	opts.Timeout, opts.KeepAlive = cmp.Or(opts.Timeout, 12*time.Second), cmp.Or(opts.KeepAlive, 5*time.Second)
	l, err := connect(ctx, target, opts)
	if err != nil {
		return nil, err
	}
	return &Host{ctx: ctx, link: l, opts: opts}, nil
}

// Close ends the connection, and with it all commands that still run.
func (h *Host) Close() error { return h.link.close() }

// String returns the host as it was given to [Dial].
func (h *Host) String() string { return h.link.target }

// Way is how ssh(1) on another machine gets to a host: as whom, where, and by
// which key the host is known, in the form of known_hosts without the name.
type Way struct {
	User, Host string
	Port       int
	Key        string
}

// At makes it the way to another address of the same host, of the form that
// [Dial] takes.
func (w *Way) At(place string) error {
	t, err := address.Parse(place)
	if err != nil {
		return err
	}
	w.Host, w.Port, w.User = t.Host, cmp.Or(t.Port, 22), cmp.Or(t.User, w.User)
	return nil
}

// Way returns how the host was reached. The error is where it takes a jump host:
// another machine has no such way.
func (h *Host) Way() (Way, error) {
	if h.link.over != nil {
		return Way{}, fmt.Errorf("%s is reached through a jump host, which another machine can't take", h)
	}
	return h.link.way, nil
}

// WithContext returns the same connection with ctx to end its commands.
func (h *Host) WithContext(ctx context.Context) *Host {
	other := *h
	other.ctx = ctx
	return &other
}

// WithStderr returns the same connection, whose commands say on w what they say on
// their standard error, as in [Options].
func (h *Host) WithStderr(w io.Writer) *Host {
	other := *h
	other.opts.Stderr = w
	return &other
}

// Leash returns the same connection with commands on a leash: they end once
// nobody listens to them any more, and see the end of their input only where
// that is all of it. mrsHost is the path of mrs-host on the host, which holds it.
func (h *Host) Leash(mrsHost string) *Host {
	other := *h
	other.leash = mrsHost
	return &other
}

// Sudo returns the same connection with commands that run as root: by sudo
// without a question, unless the user is root already.
func (h *Host) Sudo() *Host {
	other := *h
	other.sudo = h.link.user != "root"
	return &other
}
