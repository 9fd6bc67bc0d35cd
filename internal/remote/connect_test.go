package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

func TestWhyThereIsNoConnectionIsSaidWithTheMend(t *testing.T) {
	slow, cancel := context.WithTimeoutCause(t.Context(), 0, errSlow)
	defer cancel()
	<-slow.Done()
	reason := errors.New("changed my mind")
	stopped, stop := context.WithCancelCause(t.Context())
	stop(reason)
	dialing := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	for name, test := range map[string]struct {
		ctx  context.Context
		err  error
		want string
	}{
		"refused":            {t.Context(), dialing(syscall.ECONNREFUSED), "nothing listens there"},
		"unreachable host":   {t.Context(), dialing(syscall.EHOSTUNREACH), "there is no way to it"},
		"unreachable net":    {t.Context(), dialing(syscall.ENETUNREACH), "there is no way to it"},
		"no such name":       {t.Context(), &net.DNSError{Name: "x", IsNotFound: true}, "its address is not known"},
		"slow name server":   {t.Context(), &net.DNSError{Name: "x", IsTimeout: true}, "its address is not known"},
		"silence":            {t.Context(), dialing(syscall.ETIMEDOUT), "it does not answer within 12s"},
		"our patience ended": {slow, slow.Err(), "it does not answer within 12s"},
		"refused by a jump":  {t.Context(), &ssh.OpenChannelError{Reason: ssh.ConnectionFailed, Message: "No route"}, "the jump host does not get there: No route"},
	} {
		err := explainDial(test.ctx, fmt.Errorf("wrapped: %w", test.err), Options{Timeout: 12 * time.Second})
		if !strings.HasPrefix(err.Error(), test.want) || !strings.Contains(err.Error(), "\nhint: ") {
			t.Errorf("%s: got %q, want %q and a hint", name, err, test.want)
		}
	}
	if err := explainDial(stopped, dialing(syscall.ECONNREFUSED), Options{}); err != reason {
		t.Errorf("what was stopped: %v", err)
	}
}

func TestTheCommandForAPersonGetsToTheSameHost(t *testing.T) {
	for target, want := range map[string]string{
		"box":              "ssh -v -F 'my config' -- box",
		"jpic@box:2222":    "ssh -v -F 'my config' -l jpic -p 2222 -- box",
		"ssh://[::1]:2222": "ssh -v -F 'my config' -p 2222 -- ::1",
	} {
		if got := retry(target, Options{Config: "my config"}, "-v"); got != want {
			t.Errorf("%s: got %s, want %s", target, got, want)
		}
	}
}
