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
}

// To returns the step that is called name.
func To(name string, do, undo func(context.Context) error) Step { return Step{name, do, undo} }

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

// Explain tells the steps: runs are the commands behind one, by its name, and undoes is what takes it back, which is
// asked of those alone that can be.
func Explain(steps []Step, runs func(name string) []string, undoes func(name string) string) (told []hostapi.Step) {
	for _, s := range steps {
		t := hostapi.Step{Name: s.Name, Runs: runs(s.Name)}
		if s.Undo != nil {
			t.Undo = undoes(s.Name)
		}
		told = append(told, t)
	}
	return told
}
