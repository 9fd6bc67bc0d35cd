package ci

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/signal"
	"syscall"
	"time"
)

// patience is how long what was interrupted may go on with the secrets' files:
// less than the 5 seconds after which mage ends the process.
const patience = 4 * time.Second

// withFolder does what with a new folder that only we can enter, and which is
// gone when it returns, or at the latest when it was interrupted and patience
// has passed since. SIGTERM, by which runners end a job, interrupts it as Ctrl-C
// does; on its own it would end us with the folder left behind.
func withFolder(ctx context.Context, patience time.Duration, what func(ctx context.Context, dir string) error) (err error) {
	signals := make(chan os.Signal, 1)
	signal.Notify(signals, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer signal.Stop(signals)
	dir, err := os.MkdirTemp("", "mrs-ops-ci-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()

	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	done := make(chan struct{})
	defer close(done)
	go func() {
		select {
		case s := <-signals:
			cancel(fmt.Errorf("interrupted (%s)", s))
		case <-ctx.Done():
		case <-done:
			return
		}
		select {
		case <-time.After(patience):
			os.RemoveAll(dir)
		case <-done:
		}
	}()
	return what(ctx, dir)
}
