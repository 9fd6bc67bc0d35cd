// Package lock keeps two from changing an instance at once. An instance has two
// locks, files in [hostapi.Locks], and whoever wants both takes them in this order:
//
//  1. PROJECT.lock, the operator's: who may decide what becomes of the instance.
//     It is held for as long as the operator's connection lasts, by whoever holds
//     it for them, and names the holder ([hostapi.Holder]).
//  2. PROJECT.work, the worker's: who changes what runs, or its data. A deployment
//     that lost its operator goes on to its own end under it. A backup shares it
//     ([Share]), and then takes a third one, the repository's, in the instance's home
//     ([Repository]).
//
// All are the kernel's (flock(2)): free once the holder is gone, however it went. They are closed on exec, so
// that no child that stays behind holds them, but for programs that are at work in the repository.
//
// Beside them are PROJECT.pid, the process that works, and PROJECT.waits, the one
// that waits to: whoever ends the operator's lock ends these ([Hold]).
//
// It must not know what is done under the locks.
package lock

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// Patience is how long an instance's work is waited for.
const Patience = 2 * time.Hour

// Instance is both locks of an instance.
type Instance struct {
	folder, project string
	operator, work  *File // nil: we have it not; of the operator's, somebody may hold it for us
}

// Take takes both locks of a project in a folder: the operator's, or where holder has a token, the right to
// work under it; then the worker's. It says where it has to wait for that.
func Take(ctx context.Context, folder, project string, holder hostapi.Holder, say func(string)) (*Instance, error) {
	l, err := of(folder, project)
	if err != nil {
		return nil, err
	}
	if err := l.takeOperator(holder); err != nil {
		return nil, err
	}
	return l.working(l.takeWork(ctx, holder.Token, say))
}

// working writes down which process works, unless it could not take the lock to.
func (l *Instance) working(err error) (*Instance, error) {
	if err == nil {
		err = os.WriteFile(l.file("pid"), pid(), 0o600)
	}
	if err != nil {
		l.Release()
		return nil, err
	}
	return l, nil
}

// of is a project whose locks nobody has yet, in a folder that is there then.
func of(folder, project string) (*Instance, error) {
	if err := own(folder); err != nil {
		return nil, err
	}
	return &Instance{folder: folder, project: project}, nil
}

// own makes the folder of the locks, which has to be ours alone: /run/lock is
// everybody's, and whoever made it first could swap what is in it.
func own(folder string) error {
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return err
	}
	info, err := os.Lstat(folder)
	if err != nil {
		return err
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !ok || int(stat.Uid) != os.Geteuid() || info.Mode().Perm()&0o022 != 0 {
		return fmt.Errorf("%s is not a folder of root's alone, so it can't have locks\n"+
			"hint: see who made it: ls -ld %[1]s; then rm -r %[1]s", folder)
	}
	return nil
}

// ErrBusy is the error where somebody else has what is asked for.
var ErrBusy = errors.New("somebody works on it")

// Try takes both locks of a project in a folder if both are free, and waits for neither. Where one is not, the
// error is an [ErrBusy] that says who has it, as far as that is known.
func Try(folder, project string, holder hostapi.Holder) (*Instance, error) {
	l, err := of(folder, project)
	if err != nil {
		return nil, err
	}
	holder.Token = ""
	if err := l.takeOperator(holder); err != nil {
		return nil, err
	}
	free := false
	if l.work, free, err = TryFile(l.file("work")); err == nil && !free {
		err = busy(project + " is being backed up or restored, or an earlier deployment undone")
	}
	return l.working(err)
}

// ErrGone is the error where the operator's lock is not held any more by whose token was given.
var ErrGone = errors.New("whoever began this is gone")

func (l *Instance) takeOperator(holder hostapi.Holder) error {
	operator, free, err := TryFile(l.file("lock"))
	switch {
	case err != nil:
		return err
	case holder.Token != "":
		if free {
			operator.Close()
		}
		if free || !l.held(holder.Token) {
			return ErrGone
		}
		return nil
	case !free:
		return busy(fmt.Sprintf("%s is locked by somebody else: %s", l.project, l.holder()))
	}
	l.operator = operator
	holder.Token = "-"
	if _, err = l.names(holder); err != nil {
		l.Release()
	}
	return err
}

// names writes down who has the operator's lock, from now on and as this process.
func (l *Instance) names(holder hostapi.Holder) (hostapi.Holder, error) {
	holder.PID, holder.Since = strconv.Itoa(os.Getpid()), time.Now().Unix()
	line, err := json.Marshal(holder)
	if err != nil {
		return holder, err
	}
	return holder, os.WriteFile(l.file("lock"), append(line, '\n'), 0o600)
}

// busy is an [ErrBusy] that says by whom.
type busy string

func (b busy) Error() string      { return string(b) }
func (busy) Is(target error) bool { return target == ErrBusy }

// held reports whether the operator's lock names a token.
func (l *Instance) held(token string) bool {
	text, err := os.ReadFile(l.file("lock"))
	return err == nil && strings.Contains(string(text), strconv.Quote(token))
}

func (l *Instance) takeWork(ctx context.Context, token string, say func(string)) error {
	if token != "" {
		// Whoever ends the operator's lock ends us, also while we wait.
		if err := os.WriteFile(l.file("waits"), pid(), 0o600); err != nil {
			return err
		}
	}
	work, err := wait(ctx, l.file("work"), syscall.LOCK_EX, func() {
		say(l.project + " is being backed up or restored, or an earlier deployment undone: waiting for the end of that")
	}, "")
	if _, stuck := errors.AsType[*Stuck](err); stuck {
		return fmt.Errorf("a backup, a restore or an earlier deployment does not end; see: fuser -v %s", l.file("work"))
	}
	if err != nil {
		return err
	}
	l.work = work
	if token != "" {
		l.waitsNoMore()
		if !l.held(token) {
			return ErrGone
		}
	}
	return nil
}

// Release gives the instance free.
func (l *Instance) Release() {
	// Whoever holds the operator's lock waits for as long as these are there.
	if l.work != nil {
		_ = os.Remove(l.file("pid"))
	}
	l.waitsNoMore()
	if l.work != nil {
		l.work.Close()
	}
	if l.operator != nil {
		_ = os.Truncate(l.file("lock"), 0)
		l.operator.Close()
	}
}

func (l *Instance) waitsNoMore() {
	if text, _ := os.ReadFile(l.file("waits")); strings.TrimSpace(string(text)) == strconv.Itoa(os.Getpid()) {
		_ = os.Remove(l.file("waits"))
	}
}

func (l *Instance) file(kind string) string { return filepath.Join(l.folder, l.project+"."+kind) }

func pid() []byte { return []byte(strconv.Itoa(os.Getpid()) + "\n") }
