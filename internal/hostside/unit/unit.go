// Package unit hands work over to a unit of systemd, so that it outlives the terminal of
// whoever asked for it, shows what it says, and tells how it ended.
//
// It must not know what the work is.
package unit

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
)

// Systemd is what is asked of it.
type Systemd interface {
	// Has reports whether it runs here, and knows a unit.
	Has(ctx context.Context, unit string) bool
	// State is what systemctl is-active prints; empty: systemd does not answer.
	State(ctx context.Context, unit string) string
	// Property is what systemctl show prints of one.
	Property(ctx context.Context, unit, name string) (string, error)
	Start(ctx context.Context, unit string) error // does not wait for it
	Stop(ctx context.Context, unit string) error  // does not wait for it
	// Journal writes what a unit has said: journalctl(1) with more arguments.
	Journal(ctx context.Context, out io.Writer, argv ...string) error
}

// Order is work to hand over.
type Order struct {
	Unit string // without .service
	// Request is the file that the unit reads what it is asked for from; Lock, one that is
	// locked meanwhile: of two people at the same moment, one is the first.
	Request, Lock string
	Argument      string // lines
	// Refuses is whether a unit that is at work already is an error, [BusyError], and not shown.
	Refuses bool
	Say     func(string)
	Out     io.Writer // gets what the unit says
}

// Exit statuses, as a shell has them.
const (
	interrupted = 128 + int(syscall.SIGINT)
	ended       = 128 + int(syscall.SIGTERM)
)

// BusyError is a unit that is at work already.
type BusyError struct{ Unit string }

func (e *BusyError) Error() string {
	return fmt.Sprintf("%[1]s.service is at work already\nhint: journalctl --follow --unit %[1]s.service", e.Unit)
}

// look is how often the unit is looked at; soon, how soon once its process has ended.
const (
	look = time.Second
	soon = 20 * time.Millisecond
)

// process returns a channel that is closed once a unit's main process has ended; it stays open where it can't be known
// which that is.
func process(ctx context.Context, s Systemd, unit string) <-chan struct{} {
	gone := make(chan struct{})
	text, err := s.Property(ctx, unit, "MainPID")
	if id, e := strconv.Atoi(text); err == nil && e == nil && id > 1 {
		go func() {
			defer close(gone)
			for syscall.Kill(id, 0) != syscall.ESRCH {
				select {
				case <-ctx.Done():
					return
				case <-time.After(soon):
				}
			}
		}()
	}
	return gone
}

// Give hands it over, shows what the unit says, and returns its exit status. A unit that is at
// work already is shown instead. Ctrl-C (a SIGINT) ends the unit, if it is ours; any other
// signal ends us alone. handed false: there is no such unit here.
func (o Order) Give(ctx context.Context, s Systemd, signals <-chan os.Signal) (status int, handed bool, err error) {
	if !s.Has(ctx, o.Unit) {
		return 0, false, nil
	}
	seen, err := os.MkdirTemp("", "mrs-host-")
	if err != nil {
		return 0, true, err
	}
	defer os.RemoveAll(seen)
	cursor := filepath.Join(seen, "cursor")
	which, ours, err := o.begin(ctx, s)
	if err != nil {
		return 0, true, err
	}
	looking, stop := context.WithCancel(ctx)
	defer stop()
	stopped, out, gone := false, &heard{Writer: o.Out}, process(looking, s, o.Unit)
	for pause := look; ; pause = min(2*pause, look) {
		state := s.State(ctx, o.Unit)
		over := (state == "inactive" || state == "failed") && !queued(ctx, s, o.Unit)
		argv := append([]string{"--cursor-file", cursor}, which.match)
		if _, err := os.Stat(cursor); err != nil && which.since != "" { // afterwards, it is after what was seen
			argv = append(argv, "--since", which.since)
		}
		if over {
			_ = s.Journal(ctx, io.Discard, "--sync")
		}
		_ = s.Journal(ctx, out, append([]string{"--quiet", "--no-pager", "--output", "cat"}, argv...)...)
		if over {
			if ours && !out.any {
				if now, err := s.Property(ctx, o.Unit, "InvocationID"); err != nil || now == which.before {
					_ = os.Remove(o.Request) // the timer's run would read it
					if stopped {
						return interrupted, true, nil
					}
					return 0, true, errors.Join(
						fmt.Errorf("systemd has not run %s.service\nhint: systemctl status %[1]s", o.Unit), err)
				}
			}
			return ending(ctx, s, o.Unit, state), true, nil
		}
		select {
		case <-gone:
			gone, pause = nil, soon
		case <-time.After(pause):
		case signal := <-signals:
			switch {
			case signal != os.Interrupt:
				return ended, true, nil
			case !ours:
				return 0, true, fmt.Errorf(
					"somebody else has begun %[1]s.service, and it goes on\nhint: systemctl stop %[1]s.service", o.Unit)
			case stopped:
				continue
			}
			stopped = true
			o.Say("ending it")
			if err := s.Stop(ctx, o.Unit); err != nil {
				return 0, true, err
			}
		}
	}
}

// queued reports whether systemd is yet to do something with a unit, which waits for
// another: docker.service, while that starts. Where that can't be known, it may be.
func queued(ctx context.Context, s Systemd, unit string) bool {
	job, err := s.Property(ctx, unit, "Job")
	return err != nil || job != "" && job != "0"
}

type heard struct {
	io.Writer
	any bool
}

func (h *heard) Write(p []byte) (int, error) {
	h.any = h.any || len(p) > 0
	return h.Writer.Write(p)
}

// shown is what of the journal is the run's; before is the run before it.
type shown struct{ match, since, before string }

func (o Order) begin(ctx context.Context, s Systemd) (which shown, ours bool, err error) {
	one, err := lock.Exclusive(ctx, o.Lock)
	if err != nil {
		return shown{}, false, err
	}
	defer one.Close()
	before, err := s.Property(ctx, o.Unit, "InvocationID")
	if err != nil {
		return shown{}, false, err
	}
	// From here on. Of one that ends at once, the journal knows the unit, but not always
	// which run it was.
	which = shown{match: "_SYSTEMD_UNIT=" + o.Unit + ".service", since: time.Now().Format("2006-01-02 15:04:05.000000")}
	switch state := s.State(ctx, o.Unit); {
	case state == "":
		return shown{}, false, fmt.Errorf("systemd does not answer\nhint: systemctl status %s", o.Unit)
	case state != "inactive" && state != "failed":
		which = shown{match: "_SYSTEMD_INVOCATION_ID=" + before}
		fallthrough
	case queued(ctx, s, o.Unit):
		if o.Refuses {
			return shown{}, false, &BusyError{o.Unit}
		}
		o.Say("it is at work already: this is what it says")
		return which, false, nil
	}
	if err := os.WriteFile(o.Request, []byte(o.Argument+"\n"), 0o600); err != nil {
		return shown{}, false, err
	}
	if err := s.Start(ctx, o.Unit); err != nil {
		return shown{}, false, errors.Join(err, os.Remove(o.Request)) // the timer's run would read it
	}
	for range 200 {
		now, err := s.Property(ctx, o.Unit, "InvocationID")
		if err != nil {
			return shown{}, false, err
		}
		if now != "" && now != before {
			break
		}
		time.Sleep(50 * time.Millisecond)
	}
	which.before = before
	return which, true, nil
}

func ending(ctx context.Context, s Systemd, unit, state string) int {
	if state != "failed" { // of one that ended well, systemd may know nothing any more
		return 0
	}
	text, err := s.Property(ctx, unit, "ExecMainStatus")
	status, e := strconv.Atoi(text)
	if err != nil || e != nil {
		return 1
	}
	// Of one that was killed, this is the signal.
	if code, _ := s.Property(ctx, unit, "ExecMainCode"); code != "1" {
		status += 128
	}
	return max(status, 1)
}

// System is the systemd of this host.
type System struct{ Runner bound.Runner }

func (s System) run(ctx context.Context, out io.Writer, argv ...string) error {
	var said bound.Tail
	err := s.Runner.Run(context.WithoutCancel(ctx),
		bound.Command{Name: argv[0], Argv: argv, Stdout: out, Stderr: &said, Limit: bound.Time(bound.Quick)})
	if text := strings.TrimSpace(said.String()); err != nil && text != "" {
		err = fmt.Errorf("%w: %s", err, text)
	}
	return err
}

// Has implements [Systemd].
func (s System) Has(ctx context.Context, unit string) bool {
	_, err := os.Stat("/run/systemd/system")
	return err == nil && s.run(ctx, nil, "systemctl", "cat", unit+".service") == nil
}

// State implements [Systemd].
func (s System) State(ctx context.Context, unit string) string {
	var out bytes.Buffer
	_ = s.run(ctx, &out, "systemctl", "is-active", unit+".service") // its exit status says the same
	return strings.TrimSpace(out.String())
}

// Property implements [Systemd].
func (s System) Property(ctx context.Context, unit, name string) (string, error) {
	var out bytes.Buffer
	err := s.run(ctx, &out, "systemctl", "show", "--property", name, "--value", unit+".service")
	return strings.TrimSpace(out.String()), err
}

// Start implements [Systemd].
func (s System) Start(ctx context.Context, unit string) error {
	_ = s.run(ctx, nil, "systemctl", "reset-failed", unit+".service") // it may never have failed
	return s.run(ctx, nil, "systemctl", "start", "--no-block", unit+".service")
}

// Stop implements [Systemd].
func (s System) Stop(ctx context.Context, unit string) error {
	return s.run(ctx, nil, "systemctl", "stop", "--no-block", unit+".service")
}

// Journal implements [Systemd].
func (s System) Journal(ctx context.Context, out io.Writer, argv ...string) error {
	return s.run(ctx, out, append([]string{"journalctl"}, argv...)...)
}
