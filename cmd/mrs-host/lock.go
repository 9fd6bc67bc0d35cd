package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/audit"
	"github.com/betagouv/mrs-ops/internal/hostside/generation"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
)

// ours is the instance, and who holds its lock.
func (o options) ours() (project string, h hostapi.Holder, err error) {
	if o.project == "" {
		return "", h, errors.New("-project= names no instance")
	}
	if o.holder != "" {
		err = json.Unmarshal([]byte(o.holder), &h)
	}
	return o.project, h, err
}

func hold(ctx context.Context, o options) error {
	project, h, err := o.ours()
	if err != nil {
		return err
	}
	syscall.Umask(0o077)
	out := &events{out: json.NewEncoder(os.Stdout)}
	if o.folder != "" {
		if err := generation.Refuse(project, o.folder); err != nil {
			_ = out.send(hostapi.Event{Failed: failure(ctx, err)})
			return errSaid
		}
	}
	held := func(h hostapi.Holder) { _ = out.send(hostapi.Event{Held: &h}) }
	if o.within > 0 {
		return lock.HoldWork(ctx, hostapi.Locks, project, o.within, os.Stdin, func() { held(h) })
	}
	return lock.Hold(ctx, hostapi.Locks, project, h, os.Stdin, held)
}

func unlock(ctx context.Context, o options) error {
	project, h, err := o.ours()
	if err != nil {
		return err
	}
	return lock.Unlock(ctx, hostapi.Locks, project, h)
}

func appendEntry(_ context.Context, o options) error {
	project, _, err := o.ours()
	if err != nil {
		return err
	}
	var e hostapi.Entry
	if err := json.NewDecoder(os.Stdin).Decode(&e); err != nil {
		return fmt.Errorf("the entry can't be read: %w", err)
	}
	return audit.Append(hostapi.Logs, project, e)
}
