package strike

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestAStrikeHappensToOneCallAlone(t *testing.T) {
	why := errors.New("told to end")
	for s, want := range map[Strike]string{
		"":         "a b c",
		Fails:      "a struck c",
		FailsLate:  "a b struck c",
		Ended:      "a told to end told to end",
		EndedLate:  "a b told to end",
		Hangs:      "a told to end told to end",
		Killed:     "a killed struck struck",
		KilledLate: "a b killed struck struck",
	} {
		ctx, end := context.WithCancelCause(t.Context())
		var seen []string
		c := &Calls{Strikes: At{"call#2": s}, End: func() { end(why) }}
		c.Kill = func() { seen = append(seen, "killed") }
		for _, what := range []string{"a", "b", "c"} {
			if err := c.Do(ctx, "call", func() error { seen = append(seen, what); return nil }); err != nil {
				seen = append(seen, err.Error())
			}
		}
		if got := fmt.Sprint(seen); got != "["+want+"]" {
			t.Errorf("%q: %s, want %s", s, got, want)
		}
		if made := c.Made(); !slices.Equal(made, []string{"call#1", "call#2", "call#3"}) {
			t.Errorf("%q: the calls are %q", s, made)
		}
	}
	if !slices.Equal(All, slices.Compact(slices.Clone(All))) || len(All) != 7 {
		t.Errorf("all are %q", All)
	}
}

func TestWhoIsDeafIsNotEnded(t *testing.T) {
	for s, want := range map[Strike]error{Ended: nil, EndedLate: nil, Hangs: Err, FailsLate: Err} {
		c := &Calls{Strikes: At{"call#1": s}, End: func() { t.Errorf("%s: it is told to end", s) }}
		c.Deafen()
		if err := c.Do(t.Context(), "call", func() error { return nil }); err != want {
			t.Errorf("%s: %v", s, err)
		}
	}
}

func TestWhatHeedsNobodyIsDone(t *testing.T) {
	for _, s := range []Strike{Ended, Hangs} {
		told, done := false, false
		c := &Calls{Strikes: At{"call#1": s}, End: func() { told = true }}
		if err := c.Do(context.Background(), "call", func() error { done = true; return nil }); err != nil || !told || !done {
			t.Errorf("%s: %v; told: %t, done: %t", s, err, told, done)
		}
	}
}
