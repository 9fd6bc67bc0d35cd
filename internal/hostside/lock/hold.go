package lock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// undoing is how long is waited for what is told to end, and undoes what it has begun.
const undoing = 2 * time.Minute

// Hold takes the operator's lock of a project in a folder for a holder, whose PID and Since it knows better,
// and calls held with who has it: the error is [ErrBusy] where that is somebody else. It holds until the input
// until ends, or ctx does. Then it ends the process that works under the lock, which undoes what it has begun.
// One that was left alone goes on to its own end, under the worker's lock.
func Hold(ctx context.Context, folder, project string, holder hostapi.Holder, until io.Reader,
	held func(hostapi.Holder)) error {
	l, err := of(folder, project)
	if err != nil {
		return err
	}
	operator, free, err := TryFile(l.file("lock"))
	if err != nil {
		return err
	}
	if !free {
		held(l.holder())
		return ErrBusy
	}
	defer operator.Close()
	if holder, err = l.names(holder); err != nil {
		return err
	}
	defer os.Truncate(l.file("lock"), 0)
	_ = os.Remove(l.file("waits")) // of one that was killed
	held(holder)
	<-whileOpen(ctx, until).Done()
	l.end(undoing)
	return nil
}

// end ends the process that works under the operator's lock, or waits to, and waits for its end.
func (l *Instance) end(within time.Duration) {
	told := l.worker()
	if told == 0 {
		return
	}
	_ = syscall.Kill(told, syscall.SIGTERM)
	// What works after that is another's.
	for deadline := time.Now().Add(within); l.worker() == told && time.Now().Before(deadline); {
		time.Sleep(100 * time.Millisecond)
	}
}

// worker is the process that works under the operator's lock, or waits to; 0: there is none.
func (l *Instance) worker() int {
	// One that waits for another's end is ours; one that works is, unless it is that other.
	if pid := l.number("waits"); pid != 0 && syscall.Kill(pid, 0) == nil {
		return pid
	}
	pid := l.number("pid")
	if pid == 0 {
		return 0
	}
	// A process that has the number of one that was killed has not its lock.
	open, _ := filepath.Glob(fmt.Sprintf("/proc/%d/fd/*", pid))
	for _, fd := range open {
		if file, _ := os.Readlink(fd); file == l.file("work") {
			return pid
		}
	}
	return 0
}

// number is the process that a file names.
func (l *Instance) number(kind string) int {
	text, _ := os.ReadFile(l.file(kind))
	pid, _ := strconv.Atoi(strings.TrimSpace(string(text)))
	return pid
}

// holder reads who has the operator's lock; empty between taking the lock and writing it down.
func (l *Instance) holder() (h hostapi.Holder) {
	text, _ := os.ReadFile(l.file("lock"))
	_ = json.Unmarshal(text, &h)
	return h
}

// HeldBy returns who has the operator's lock of a project, and whether anybody has.
func HeldBy(folder, project string) (holder hostapi.Holder, held bool, err error) {
	l := &Instance{folder: folder, project: project}
	// What is empty is not tried: to try is to have it for a moment.
	if info, err := os.Stat(l.file("lock")); err != nil || info.Size() == 0 {
		if errors.Is(err, os.ErrNotExist) {
			err = nil
		}
		return holder, false, err
	}
	operator, free, err := TryFile(l.file("lock"))
	if err != nil {
		return holder, false, err
	}
	if free {
		operator.Close()
		return holder, false, nil
	}
	return l.holder(), true, nil
}

// ErrStays is the error where whoever is told to end does not.
var ErrStays = errors.New("it does not end")

// Unlock ends who has the operator's lock of a project, as the end of its input does.
func Unlock(ctx context.Context, folder, project string, holder hostapi.Holder) error {
	told := false
	for deadline := time.Now().Add(undoing); time.Now().Before(deadline); {
		now, held, err := HeldBy(folder, project)
		// By the token: a process that has the number by now is another.
		if err != nil || !held || now.Token != holder.Token {
			return err
		}
		if !told {
			pid, err := strconv.Atoi(now.PID)
			if err != nil || pid < 2 {
				return fmt.Errorf("the process that holds it is not known: %q", now.PID)
			}
			if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
				return err
			}
			told = true
		}
		select {
		case <-time.After(200 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
	return ErrStays
}

// HoldWork takes the worker's lock of a project, so that nothing works on the
// instance, calls held, and holds it until the input until ends, or ctx does. What
// is at work already is waited for, up to patience; then the error is [ErrBusy].
func HoldWork(ctx context.Context, folder, project string, patience time.Duration, until io.Reader, held func()) error {
	l, err := of(folder, project)
	if err != nil {
		return err
	}
	ended := whileOpen(ctx, until)
	waiting, cancel := context.WithTimeoutCause(ended, patience, ErrBusy)
	defer cancel()
	work, err := wait(waiting, l.file("work"), syscall.LOCK_EX, func() {}, "")
	if err != nil {
		return err
	}
	defer work.Close()
	held()
	<-ended.Done()
	return nil
}

// errEnded is why a context ends whose input has ended.
var errEnded = errors.New("nobody waits for it any more")

// whileOpen returns a context that ends with an input, or with ctx.
func whileOpen(ctx context.Context, until io.Reader) context.Context {
	ctx, end := context.WithCancelCause(ctx)
	go func() {
		_, _ = io.Copy(io.Discard, until)
		end(errEnded)
	}()
	return ctx
}
