// Package drain ends containers that nobody is to reach any more, once what they
// are serving is served.
//
// It knows when a container of uWSGI is idle, and how it ends by itself. It must
// not know how visitors are kept from it: that has to have happened.
package drain

import (
	"context"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/docker"
)

// Engine is what draining asks of the engine.
type Engine interface {
	// Open returns how many connections to the container's port are open, from
	// elsewhere than the container itself.
	Open(ctx context.Context, id string, port int) (int, error)
	// Stay switches off that the engine starts the container again when it ends.
	Stay(ctx context.Context, id string) error
	// Quit asks the application to end by itself, once its workers and spoolers are
	// idle. It reports whether that was possible.
	Quit(ctx context.Context, id string) bool
	// Running reports whether the container runs.
	Running(ctx context.Context, id string) bool
	// Serves reports whether the container runs, and something in it may still serve.
	Serves(ctx context.Context, id string) bool
	// Started returns when the container started last.
	Started(ctx context.Context, id string) string
	// Restart ends the container, whatever it serves, and starts it again.
	Restart(ctx context.Context, id string) error
	// Remove ends and removes the container.
	Remove(ctx context.Context, id string) error
}

// Limits are how long it may take.
type Limits struct {
	Requests time.Duration // that are being served
	Quit     time.Duration // for the application to end by itself after them
}

// pause is between two looks at what may go on for minutes, soon at what is about to end.
const (
	pause = 200 * time.Millisecond
	soon  = 100 * time.Millisecond
)

// Drain waits until each container is idle, has it end, and removes it. A
// container that is not idle in time is removed all the same; cut returns how
// many connections were cut by that.
func Drain(ctx context.Context, engine Engine, port int, limits Limits, ids ...string) (cut int, err error) {
	deadline := time.Now().Add(limits.Requests)
	for _, id := range ids {
		open := idle(ctx, engine, port, deadline, id)
		cut += open
		if engine.Stay(ctx, id) == nil {
			Quit(ctx, engine, time.Now().Add(limits.Quit), id)
		}
		// Whoever is interrupted does not leave two of them.
		if e := engine.Remove(context.WithoutCancel(ctx), id); e != nil {
			err = e
		}
	}
	return cut, err
}

// Quit has the application in a container end what it serves, and waits for that
// until deadline: it has ended then, or is about to, and ended is true. An
// application that can't is left as it is.
func Quit(ctx context.Context, engine Engine, deadline time.Time, id string) (ended bool) {
	if !engine.Quit(ctx, id) {
		return false
	}
	for engine.Serves(ctx, id) {
		if !time.Now().Before(deadline) || ctx.Err() != nil {
			return false
		}
		sleep(ctx, soon)
	}
	return true
}

// Restart has the application in a container end what it serves, and then itself;
// the engine starts it again by the container's restart policy. Where that does
// not happen in time, the engine restarts it whatever it serves.
func Restart(ctx context.Context, engine Engine, deadline time.Time, id string) error {
	before := engine.Started(ctx, id)
	if engine.Quit(ctx, id) {
		for time.Now().Before(deadline) && ctx.Err() == nil {
			if engine.Started(ctx, id) != before && engine.Running(ctx, id) {
				return nil
			}
			sleep(ctx, pause)
		}
	}
	return engine.Restart(ctx, id)
}

// idle waits until no connection is open, seen twice: what is about to be a
// connection is none yet. It returns how many there are at the end.
func idle(ctx context.Context, engine Engine, port int, deadline time.Time, id string) int {
	for quiet := 0; ; sleep(ctx, pause) {
		open, err := engine.Open(ctx, id, port)
		if err != nil {
			return 0 // it is down
		}
		if open > 0 {
			quiet = 0
		} else if quiet++; quiet == 2 {
			return 0
		}
		if time.Now().After(deadline) || ctx.Err() != nil {
			return open
		}
	}
}

func sleep(ctx context.Context, pause time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(pause):
	}
}

// Docker is the engine of this host.
type Docker struct{}

// Open counts in the kernel's table.
func (Docker) Open(ctx context.Context, id string, port int) (int, error) {
	c, err := docker.Inspect(ctx, id)
	if err != nil {
		return 0, err
	}
	connections, err := c.Connections()
	n := 0
	for _, c := range connections {
		if int(c.Local.Port()) == port && c.Open() && !c.Remote.Addr().IsLoopback() {
			n++
		}
	}
	return n, err
}

// Stay changes the container's restart policy.
func (Docker) Stay(ctx context.Context, id string) error {
	_, err := docker.Run(ctx, "update", "--restart=no", id)
	return err
}

// Quit writes q to uWSGI's master FIFO, where the container has one: no new
// requests, those under way end, the spoolers finish their file, then it exits
// (uWSGI: The Master FIFO).
func (Docker) Quit(ctx context.Context, id string) bool {
	const quit = `[ -p "$UWSGI_MASTER_FIFO" ] && echo q >"$UWSGI_MASTER_FIFO"`
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	_, err := docker.Run(ctx, "exec", id, "sh", "-c", quit)
	return err == nil
}

// Running asks the engine.
func (Docker) Running(ctx context.Context, id string) bool {
	c, err := docker.Inspect(ctx, id)
	return err == nil && c.Running
}

// Serves asks the engine, and the kernel whom uWSGI's master still has.
func (Docker) Serves(ctx context.Context, id string) bool {
	c, err := docker.Inspect(ctx, id)
	return err == nil && c.Running && !idleMaster(processes(), c.PID)
}

// Started asks the engine.
func (Docker) Started(ctx context.Context, id string) string {
	c, err := docker.Inspect(ctx, id)
	if err != nil {
		return ""
	}
	return c.Started
}

// Restart is the engine's own.
func (Docker) Restart(ctx context.Context, id string) error {
	_, err := docker.Run(ctx, "restart", id)
	return err
}

// Remove stops it first: an application that does heed SIGTERM may have its own end.
func (d Docker) Remove(ctx context.Context, id string) error {
	if d.Running(ctx, id) {
		_, _ = docker.Run(ctx, "stop", id)
	}
	_, err := docker.Run(ctx, "rm", "--force", id)
	return err
}
