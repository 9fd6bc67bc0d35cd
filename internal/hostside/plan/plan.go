// Package plan carries out lists of steps, each of which can be taken back, and tells them without doing anything.
//
// It must not know what the steps do, nor what becomes of one that fails: whoever has the list has what began undone.
package plan

import (
	"context"
	"errors"
	"slices"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// Step is a part of a plan. What it begins, Undo takes back, however far it came.
type Step struct {
	Name string
	Do   func(context.Context) error
	Undo func(context.Context) error // nil: there is nothing to take back

	runs   func() []string
	undone string
}

// To returns the step that is called name.
func To(name string, do, undo func(context.Context) error) Step {
	return Step{Name: name, Do: do, Undo: undo}
}

// By returns the step with the commands behind it, for [Explain]. Without any it is this program's own work.
func (s Step) By(runs func() []string) Step {
	s.runs = runs
	return s
}

// Back returns the step with what taking it back does, in words, for [Explain].
func (s Step) Back(does string) Step {
	s.undone = does
	return s
}

// Lines are commands that are always the same.
func Lines(all ...string) func() []string { return func() []string { return all } }

// Do does the steps in their order, until one fails or the context ends. Where err is not nil, begun are those that
// may have done something, the one that failed or was not to begin any more as the last.
func Do(ctx context.Context, steps []Step) (begun []Step, err error) {
	for n, s := range steps {
		if err = context.Cause(ctx); err == nil {
			err = s.Do(ctx)
		}
		if err != nil {
			return steps[:n+1], err
		}
	}
	return steps, nil
}

// Undo takes back what has begun, the last first; where something can't be, also what began before it. failed is told
// each that can't. tried is whether there was anything to take back.
func Undo(ctx context.Context, begun []Step, failed func(Step, error)) (tried bool, err error) {
	for _, s := range slices.Backward(begun) {
		if s.Undo == nil {
			continue
		}
		tried = true
		if e := s.Undo(ctx); e != nil {
			failed(s, e)
			err = errors.Join(err, e)
		}
	}
	return tried, err
}

// Explain tells the steps, the commands behind each, and what takes it back.
func Explain(steps []Step) (told []hostapi.Step) {
	for _, s := range steps {
		t := hostapi.Step{Name: s.Name, Undo: s.undone}
		if s.runs != nil {
			t.Runs = s.runs()
		}
		told = append(told, t)
	}
	return told
}
