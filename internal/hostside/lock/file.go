package lock

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// File is a file that is locked as a whole (flock(2)), as scripts do it by flock(1).
type File struct{ file *os.File }

// Share takes the worker's lock of a project in a folder together with others that share
// it: whoever changes what runs, or its data, is waited for, and then waits.
func Share(ctx context.Context, folder, project string, say func(string)) (*File, error) {
	return work(ctx, folder, project, syscall.LOCK_SH, say)
}

// Alone takes the worker's lock of a project in a folder for who changes the instance's data:
// nobody else works on it then.
func Alone(ctx context.Context, folder, project string, say func(string)) (*File, error) {
	return work(ctx, folder, project, syscall.LOCK_EX, say)
}

func work(ctx context.Context, folder, project string, how int, say func(string)) (*File, error) {
	if err := own(folder); err != nil {
		return nil, err
	}
	return wait(ctx, filepath.Join(folder, project+".work"), how,
		func() { say(project + " is being deployed, restored or backed up: waiting for the end of that") },
		fmt.Sprintf("a deployment, restore or backup of %s does not end", project))
}

// TryFile takes a file if nobody has locked it.
func TryFile(path string) (held *File, free bool, err error) {
	l, err := open(path)
	if err != nil {
		return nil, false, err
	}
	err = l.try(syscall.LOCK_EX)
	if err == nil {
		return l, true, nil
	}
	l.Close()
	if errors.Is(err, syscall.EWOULDBLOCK) {
		err = nil
	}
	return nil, false, err
}

// Repository takes the third lock, the one of the repository of the instance in a home:
// backup, restore, prune and drill are at it one at a time.
func Repository(ctx context.Context, home, project string, say func(string)) (*File, error) {
	return wait(ctx, filepath.Join(home, ".backup.lock"), syscall.LOCK_EX,
		func() {
			say(fmt.Sprintf("another backup, restore, prune or drill of %s is at the repository: waiting for its end", project))
		},
		fmt.Sprintf("another backup, restore, prune or drill of %s does not end", project))
}

// Exclusive waits for a file that is held for moments only.
func Exclusive(ctx context.Context, path string) (*File, error) {
	return wait(ctx, path, syscall.LOCK_EX, func() {}, "whoever has it does not let go of it")
}

// Free reports whether nobody has locked a file, which is made where it is not there.
func Free(path string) bool {
	l, err := open(path)
	if err != nil {
		return false
	}
	defer l.Close()
	return l.try(syscall.LOCK_EX) == nil
}

// Stuck is a lock that its holder does not give free within [Patience].
type Stuck struct {
	Why, Path string
}

func (s *Stuck) Error() string { return fmt.Sprintf("%s (waited for %v)", s.Why, Patience) }

// Hint is how to see who has it.
func (s *Stuck) Hint() string { return "see who: fuser -v " + s.Path }

func open(path string) (*File, error) {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	return &File{f}, nil
}

func (f *File) try(how int) error { return syscall.Flock(int(f.file.Fd()), how|syscall.LOCK_NB) }

func wait(ctx context.Context, path string, how int, waiting func(), stuck string) (*File, error) {
	l, err := open(path)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeoutCause(ctx, Patience, &Stuck{stuck, path})
	defer cancel()
	for first := true; ; first = false {
		err := l.try(how)
		if err == nil {
			return l, nil
		}
		if !errors.Is(err, syscall.EWOULDBLOCK) && !errors.Is(err, syscall.EINTR) {
			l.Close()
			return nil, err
		}
		if first {
			waiting()
		}
		select {
		case <-ctx.Done():
			l.Close()
			return nil, context.Cause(ctx)
		case <-time.After(100 * time.Millisecond):
		}
	}
}

// File is the open file: whoever has it, too, holds the lock.
func (f *File) File() *os.File { return f.file }

// Close gives the lock free, once no other program has the file open.
func (f *File) Close() { _ = f.file.Close() }
