package server

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"strings"
	"testing"
	"time"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/local"
)

// me runs commands on this machine, as who runs the test.
type me struct{}

func (me) WithContext(context.Context) runner { return me{} }
func (me) Close() error                       { return nil }
func (me) String() string                     { return Here }

func (me) ExecFrom(in *script.Pipe, argv ...string) *script.Pipe {
	cmd := exec.Command(argv[0], argv[1:]...)
	out, w := io.Pipe()
	cmd.Stdin, cmd.Stdout, cmd.WaitDelay = in, w, 100*time.Millisecond
	go func() {
		err := cmd.Run()
		if err != nil {
			err = &local.Error{Argv: argv, Err: err}
		}
		w.CloseWithError(err)
	}()
	return script.NewPipe().WithReader(out)
}

func TestWhatWorksIsHeldOffUntilTheLockIsReleased(t *testing.T) {
	dir := t.TempDir()
	s := &Server{Name: "production", Project: "mrs-production", host: me{}}
	taken := func() bool {
		// As a backup takes it (backup-common.sh, order shared).
		return exec.Command("flock", "--nonblock", "--shared", dir+"/mrs-production.work", "true").Run() != nil
	}
	lock, err := s.work(dir, time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	if !taken() {
		t.Error("a backup may begin under the lock")
	}
	if _, err := s.work(dir, 0); !errors.Is(err, ErrAtWork) || !strings.Contains(err.Error(), "\nhint: ") {
		t.Errorf("a second one: %v", err)
	}
	if err := lock.Release(); err != nil {
		t.Fatal(err)
	}
	if taken() {
		t.Error("it is held after its release")
	}
	if _, err := s.work("/proc/no-such-folder", 0); err == nil || errors.Is(err, ErrAtWork) {
		t.Errorf("where no lock can be: %v", err)
	}
}
