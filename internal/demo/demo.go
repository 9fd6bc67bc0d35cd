// Package demo makes images available on this machine's Docker engine: pulled
// where the registry answers, and where it does not, some of them built from the
// project's demo/ folder, so that MRS runs on a machine without a registry.
//
// It knows which images demo/ can stand in for, and when a stand-in is stale.
// It must not know what the images are run for, nor which ones a stack needs.
package demo

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"runtime"
	"slices"
	"sync"

	"github.com/betagouv/mrs-ops/internal/local"
)

// Ensure makes the engine have each image. One that its registry hands out is
// pulled; else one that is here stays; else betagouv/mrs:master, postgres:10,
// :13, :15 and :17, their bases and mailhog/mailhog are built from the demo folder
// of root, the project's folder, and built again when that folder has changed.
// Which of these happened is told to say, one line per image, and so is what
// takes longer than 5 seconds. Those that are built are built beside each other.
//
// The images that can't be had are reported together, each with the reason and
// a hint. The others are there nevertheless.
func Ensure(ctx context.Context, root string, images []string, say func(format string, args ...any)) error {
	var one sync.Mutex
	inTurn := func(format string, args ...any) {
		one.Lock()
		defer one.Unlock()
		say(format, args...)
	}
	return ensureAll(ctx, &dockerEngine{root, inTurn}, images, inTurn)
}

// machine is what Ensure asks of the world; tests have one without an engine.
type machine interface {
	// inspect tells whether the image is on the engine.
	inspect(ctx context.Context, image string) (presence, error)
	// pull gets the image from its registry.
	pull(ctx context.Context, image string) error
	// inputs returns the hash of what the stand-in is built from.
	inputs(s standIn) (string, error)
	// build makes the stand-in and labels it with the hash of its inputs.
	build(ctx context.Context, s standIn, inputs string) error
}

// ensureAll is [Ensure] on any machine.
func ensureAll(ctx context.Context, m machine, images []string, say func(format string, args ...any)) error {
	e := &ensurer{machine: m, say: say, done: map[string]func() error{}, unreachable: map[string]error{},
		building: make(chan struct{}, max(2, runtime.NumCPU()))}
	for _, image := range images {
		if e.once(ctx, image); ctx.Err() != nil {
			break
		}
	}
	var failed []error
	for _, image := range slices.Sorted(maps.Keys(e.done)) {
		failed = append(failed, e.done[image]())
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return errors.Join(failed...)
}

// ensurer is one run of [Ensure].
type ensurer struct {
	machine
	say         func(format string, args ...any)
	done        map[string]func() error // image -> what comes of it, waited for
	unreachable map[string]error        // registry -> why: it is asked only once per run
	building    chan struct{}           // by each build while it goes on: so many at once
}

// once is ensure for an image that may come up again: in the list, or as the
// base of another.
func (e *ensurer) once(ctx context.Context, image string) func() error {
	if e.done[image] == nil {
		outcome := make(chan error, 1)
		s, inputs, pulled, err := e.ensure(ctx, image)
		if err != nil || s.image == "" {
			outcome <- err
		} else {
			base := func() error { return nil }
			if s.base != "" {
				base = e.once(ctx, s.base)
			}
			go func() { outcome <- e.standIn(ctx, s, inputs, pulled, base) }()
		}
		e.done[image] = sync.OnceValue(func() error { return <-outcome })
	}
	return e.done[image]
}

// ensure makes the engine have the image, and says how; or returns the stand-in that has to be built, with the hash
// of its inputs, and why the image was not pulled.
func (e *ensurer) ensure(ctx context.Context, image string) (s standIn, inputs string, pulled, err error) {
	if !reference.MatchString(image) {
		return standIn{}, "", nil, fmt.Errorf("%q is not the name of an image\n"+
			"hint: write it as NAME:TAG, with the registry's host before it where it has one", image)
	}
	here, err := e.inspect(ctx, image)
	if err != nil {
		return standIn{}, "", nil, err
	}
	pulled = e.tryPull(ctx, image)
	if ctx.Err() != nil {
		return standIn{}, "", nil, context.Cause(ctx)
	}
	s, ok := standIns[image]
	if ok && pulled != nil {
		if inputs, err = e.inputs(s); err != nil {
			return standIn{}, "", nil, fmt.Errorf("%s: %w", image, err)
		}
	}
	switch decide(here, pulled, inputs) {
	case build:
		return s, inputs, pulled, nil
	case fresh:
		e.say("%s: pulled", image)
	case keep:
		e.say("%s: already here%s (%s)", image, origin(here), why(pulled))
	case refuse:
		err = fmt.Errorf("%s: not on this machine, and the pull failed: %s\nhint: check the name, "+
			"log in with `docker login`, or load the image with `docker load`", image, local.LastLines(pulled.Error(), 1))
	}
	return standIn{}, "", nil, err
}

// standIn builds what stands in for an image, after what that is based on.
func (e *ensurer) standIn(ctx context.Context, s standIn, inputs string, pulled error, base func() error) error {
	if base() != nil {
		return fmt.Errorf("%s: can't be built without its base %s", s.image, s.base)
	}
	e.building <- struct{}{}
	defer func() { <-e.building }()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	e.say("%s: building a stand-in from %s, %s", s.image, s.from(), s.takes)
	if err := e.build(ctx, s, inputs); err != nil {
		return fmt.Errorf("%s: the build from %s failed: %w", s.image, s.from(), err)
	}
	e.say("%s: built from %s (%s)", s.image, s.from(), why(pulled))
	return nil
}

// tryPull pulls the image, unless its registry was out of reach a moment ago.
func (e *ensurer) tryPull(ctx context.Context, image string) error {
	host := registry(image)
	if err := e.unreachable[host]; err != nil {
		return err
	}
	err := e.pull(ctx, image)
	if isUnreachable(err) {
		e.unreachable[host] = err
	}
	return err
}
