package target

import (
	"errors"
	"strings"
	"testing"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/remote"
)

// What the leash does is tested where it is, and over SSH in e2e.
func TestWhatRunsOnAServerIsOnALeashUnlessThereIsNoneAndItReadsNothing(t *testing.T) {
	none := errors.New("no space left on device")
	s := &Target{host: there{new(remote.Host), new(remote.Host)}, program: func() (string, error) { return "/mrs-host", nil }}
	host, err := s.leashed()
	if err != nil || *host.(there).Host != *new(remote.Host).Leash("/mrs-host") || *host.(there).user != *new(remote.Host).Leash("/mrs-host") {
		t.Errorf("%+v, %v", host, err)
	}
	s.program = func() (string, error) { return "", none }
	if host, err := s.leashed(); !errors.Is(err, none) || *host.(there).Host != (remote.Host{}) {
		t.Errorf("without a program: %+v, %v", host, err)
	}
	if _, err := s.ExecFrom(script.Echo("data"), "cat").String(); !errors.Is(err, none) {
		t.Errorf("what reads would take a lost connection for the end: %v", err)
	}
	if _, err := s.Relay(script.Echo("data"), []string{"cat"}, s, []string{"cat"}).String(); !errors.Is(err, none) {
		t.Errorf("from host to host: %v", err)
	}
	here := playing("cat; echo on")
	here.program = s.program
	if out, err := here.Exec().String(); strings.TrimSpace(out) != "on" || err != nil {
		t.Errorf("this machine ends its own processes: %q, %v", out, err)
	}
}
