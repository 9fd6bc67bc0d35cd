package plan

import (
	"context"
	"errors"
	"fmt"
	"testing"
)

func TestStepsAreDoneUntilOneFailsOrSomebodyEndsThem(t *testing.T) {
	broken, enough := errors.New("broken"), errors.New("enough")
	for name, c := range map[string]struct {
		fails, ends int // at which step, from 1
		did, begun  string
		err         error
	}{
		"all is well":              {0, 0, "[1 2 3]", "3", nil},
		"the second fails":         {2, 0, "[1 2]", "2", broken},
		"it is ended in the first": {0, 1, "[1]", "2", enough},
		"it is ended in the last":  {0, 3, "[1 2 3]", "3", nil},
	} {
		ctx, end := context.WithCancelCause(t.Context())
		defer end(nil)
		var did []int
		var steps []Step
		for n := 1; n <= 3; n++ {
			steps = append(steps, Step{Name: fmt.Sprint(n), Do: func(context.Context) error {
				did = append(did, n)
				if n == c.ends {
					end(enough)
				}
				if n == c.fails {
					return broken
				}
				return nil
			}})
		}
		begun, err := Do(ctx, steps)
		if fmt.Sprint(did) != c.did || fmt.Sprint(len(begun)) != c.begun || !errors.Is(err, c.err) {
			t.Errorf("%s: it did %v, %d began, %v", name, did, len(begun), err)
		}
	}
}

func TestAllThatBeganIsUndoneTheLastFirstAlsoWhereSomethingCannotBe(t *testing.T) {
	broken := errors.New("broken")
	var did, told []string
	var steps []Step
	for _, name := range []string{"a", "b", "c"} {
		steps = append(steps, To(name, nil, func(context.Context) error {
			if did = append(did, name); name == "b" {
				return broken
			}
			return nil
		}))
	}
	steps = append(steps, To("d", nil, nil))
	tried, err := Undo(t.Context(), steps, func(s Step, err error) { told = append(told, s.Name+": "+err.Error()) })
	if !tried || !errors.Is(err, broken) || fmt.Sprint(did) != "[c b a]" || fmt.Sprint(told) != "[b: broken]" {
		t.Errorf("undone are %v, told %v: %t, %v", did, told, tried, err)
	}
	if tried, err := Undo(t.Context(), steps[3:], nil); tried || err != nil {
		t.Errorf("where there is nothing to take back: %t, %v", tried, err)
	}
}
