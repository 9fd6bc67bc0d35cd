// Package bound runs other programs, each within a bound, and says which one it hit:
// whoever waits for a program holds locks that others wait for.
//
// What moves data is bound by progress: it may take as long as it takes, as long as it moves. What only asks is
// bound by its time. It must not know what the programs do.
package bound

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/command"
)

// Limit is when a program is ended. One of both has to be set.
type Limit struct {
	// Total is how long it may take in all; 0: as long as it moves.
	Total time.Duration
	// Idle is how long it may take to move Least bytes; 0: it need not move.
	// What it reads and writes counts, as the kernel has it (proc_pid_io(5)): files, and
	// sockets that it uses by read(2) and write(2), but not what it says to us.
	Idle  time.Duration
	Least int64
	// Also counts what is moved otherwise, in bytes so far; nil: nothing is.
	Also func() int64
}

// Time bounds a program by its time.
func Time(total time.Duration) Limit { return Limit{Total: total} }

// Within returns a context that ends with [Exceeded] after a time: the bound of what
// is not run by a [Runner]. The program that has it ends with the context.
func Within(ctx context.Context, name string, total time.Duration) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, total, &Exceeded{Name: name, Limit: Time(total), Total: true})
}

// Quick is a total for what is answered at once.
const Quick = time.Minute

// blind is Idle where the kernel does not count what a program moves.
const blind = 24 * time.Hour

// Exceeded is the error of a program that hit its bound.
type Exceeded struct {
	Name  string // of the program, for people
	Limit Limit
	Total bool // it hit that
}

// Error names the bound.
func (e *Exceeded) Error() string {
	if e.Total {
		return fmt.Sprintf("%s did not end within %s, and was ended", e.Name, span(e.Limit.Total))
	}
	return fmt.Sprintf("%s stood still: nothing moved for %s, so it was ended", e.Name, span(e.Limit.Idle))
}

// span tells a bound: 10 min, 90 s.
func span(d time.Duration) string {
	if d >= time.Minute && d%time.Minute == 0 {
		return fmt.Sprintf("%d min", d/time.Minute)
	}
	return fmt.Sprintf("%d s", d/time.Second)
}

// Every calls a function each time that much has passed, until the function that it returns has been called; never,
// where that is not positive.
func Every(pause time.Duration, do func()) (stop func()) {
	if pause <= 0 {
		return func() {}
	}
	over, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		ticker := time.NewTicker(pause)
		defer ticker.Stop()
		for {
			select {
			case <-over:
				return
			case <-ticker.C:
				do()
			}
		}
	}()
	return func() { close(over); <-ended }
}

// Command is a program to run.
type Command struct {
	Name  string   // for people: "restic check"
	Argv  []string // nothing secret
	Dir   string
	Env   []string // more of the environment, NAME=VALUE
	Stdin io.Reader
	// Stdout and Stderr take what it says; nil: nobody does.
	Stdout, Stderr io.Writer
	Limit          Limit
}

// Runner runs programs.
type Runner interface {
	// Run returns the error of a program that failed: *[exec.ExitError], *[Exceeded], or
	// the cause of ctx, which ends it.
	Run(ctx context.Context, c Command) error
}

// System runs them on this machine.
type System struct {
	// Holds are open files that each program has, too: a lock that must not be free as
	// long as one runs, also where we are killed.
	Holds []*os.File
}

// held are those of Holds that are open: a lock that was given free since is not held any more.
func (s *System) held() []*os.File {
	return slices.DeleteFunc(slices.Clone(s.Holds), func(f *os.File) bool {
		_, err := f.Stat()
		return err != nil
	})
}

// grace is how long a program may take to end after SIGTERM.
const grace = 30 * time.Second

// Run implements [Runner]. The program is in a process group of its own: what the
// terminal sends is for us, who end it.
func (s *System) Run(ctx context.Context, c Command) error {
	ctx, end := context.WithCancelCause(ctx)
	defer end(nil)
	cmd := command.Context(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Dir, cmd.Stdin, cmd.ExtraFiles = c.Dir, c.Stdin, s.held()
	cmd.Env = append(os.Environ(), c.Env...)
	said := &Counter{}
	cmd.Stdout, cmd.Stderr = said.Over(c.Stdout), said.Over(c.Stderr)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, grace
	if err := context.Cause(ctx); err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	limit := c.Limit
	if limit.Idle > 0 {
		if _, counts := moved(cmd.Process.Pid); !counts && limit.Also == nil {
			limit.Idle = max(limit.Idle, blind)
		}
	}
	all := func() int64 {
		n, _ := moved(cmd.Process.Pid)
		if limit.Also != nil {
			n += limit.Also()
		}
		return n - said.Bytes()
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		watch(ctx, c.Name, limit, all, end)
	}()
	err := cmd.Wait()
	cause := context.Cause(ctx)
	end(nil)
	<-watched
	if err != nil && cause != nil {
		return cause
	}
	return err
}

// watch calls end with [Exceeded] once a bound is hit, and returns then, or when ctx ends.
func watch(ctx context.Context, name string, l Limit, moved func() int64, end func(error)) {
	var total <-chan time.Time
	if l.Total > 0 {
		timer := time.NewTimer(l.Total)
		defer timer.Stop()
		total = timer.C
	}
	var look <-chan time.Time
	if l.Idle > 0 {
		ticker := time.NewTicker(max(l.Idle/60, 100*time.Millisecond))
		defer ticker.Stop()
		look = ticker.C
	}
	since, at := time.Now(), int64(0)
	for {
		select {
		case <-ctx.Done():
			return
		case <-total:
			end(&Exceeded{Name: name, Limit: l, Total: true})
			return
		case now := <-look:
			if n := moved(); n-at >= max(l.Least, 1) {
				since, at = now, n
			} else if now.Sub(since) >= l.Idle {
				end(&Exceeded{Name: name, Limit: l})
				return
			}
		}
	}
}

// moved returns what a process has read and written, in bytes, and whether the kernel tells.
func moved(pid int) (n int64, counts bool) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/io", pid))
	if err != nil {
		return 0, false
	}
	for line := range strings.Lines(string(text)) {
		var bytes int64
		name, value, _ := strings.Cut(line, ":")
		if name == "rchar" || name == "wchar" {
			_, err := fmt.Sscan(value, &bytes)
			counts = counts || err == nil
			n += bytes
		}
	}
	return n, counts
}

// Status returns the exit status of a program that failed; as a shell has it, 128 and the
// signal where one has ended it; -1 where it is none.
func Status(err error) int {
	exit, ok := errors.AsType[*exec.ExitError](err)
	if !ok {
		return -1
	}
	if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
		return 128 + int(s.Signal())
	}
	return exit.ExitCode()
}
