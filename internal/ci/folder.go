package ci

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
)

// withFolder does what with a new folder that only we can enter, and which is
// gone when it returns or when this process ends, however it does.
//
// SIGTERM, by which runners end a job, interrupts it as Ctrl-C does.
func withFolder(ctx context.Context, what func(ctx context.Context, dir string) error) (err error) {
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGINT, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	context.AfterFunc(ctx, stop) // the second one ends us
	dir, err := os.MkdirTemp("", "mrs-ops-ci-")
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	leave, err := survivor(dir)
	if err != nil {
		return fmt.Errorf("nobody would remove %s if this was killed: %w", dir, err)
	}
	defer leave()
	return what(ctx, dir)
}

// survivor starts a process that removes dir once this one has ended: no deferred
// call is of use against SIGKILL, nor where somebody exits in our place. It is in
// a session of its own, so that what ends us by the group does not end it.
func survivor(dir string) (leave func(), err error) {
	cmd := exec.Command("sh", "-c", `cat >/dev/null; exec rm -rf -- "$1"`, "sh", dir)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")} // not the secrets that are still in ours
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	alive, err := cmd.StdinPipe() // which the kernel closes with us
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	return func() {
		alive.Close()
		_ = cmd.Wait() // the folder is ours to remove, and its failure ours to tell
	}, nil
}
