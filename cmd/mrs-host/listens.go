package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"golang.org/x/sys/unix"
)

// errNobody is why something ends that nobody listens to any more.
var errNobody = errors.New("nobody listens any more")

// whileListened returns a context that ends when nobody reads standard output any
// more, which is not in the middle of a line.
func whileListened(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, end := context.WithCancelCause(ctx)
	broken := make(chan os.Signal, 1)
	signal.Notify(broken, syscall.SIGPIPE)
	go func() {
		for {
			select {
			case <-ctx.Done():
				signal.Stop(broken)
				return
			case <-broken:
				if !listened() {
					end(errNobody)
				}
			}
		}
	}()
	return ctx, func() { end(nil) }
}

// listened reports whether somebody reads standard output. SIGPIPE is of any pipe or
// connection that somebody else has closed, since it is heeded (signal.Notify).
func listened() bool {
	out := []unix.PollFd{{Fd: int32(os.Stdout.Fd())}}
	n, err := unix.Poll(out, 0)
	return err != nil || n == 0 || out[0].Revents&(unix.POLLERR|unix.POLLHUP|unix.POLLNVAL) == 0
}
