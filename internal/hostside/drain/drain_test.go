package drain

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// fake is an engine whose containers serve requests until times of their own.
type fake struct {
	began time.Time
	busy  map[string]time.Duration // until when it has an open connection
	quits bool                     // whether the application ends by itself
	ends  time.Duration            // how long that takes
	again bool                     // whether the engine starts it again
	asked map[string]time.Time
	did   []string
}

func (f *fake) note(format string, args ...any) {
	f.did = append(f.did, fmt.Sprintf("%v "+format, append([]any{time.Since(f.began).Round(time.Second)}, args...)...))
}

func (f *fake) Open(_ context.Context, id string, _ int) (int, error) {
	if f.busy[id] < 0 {
		return 0, errors.New("down")
	}
	if time.Since(f.began) < f.busy[id] {
		return 1, nil
	}
	return 0, nil
}

func (f *fake) Stay(context.Context, string) error { return nil }

func (f *fake) Quit(_ context.Context, id string) bool {
	f.note("quit %s", id)
	f.asked[id] = time.Now()
	return f.quits
}

func (f *fake) Started(_ context.Context, id string) string {
	if asked, ok := f.asked[id]; ok && f.again && time.Since(asked) >= f.ends {
		return "again"
	}
	return "before"
}

func (f *fake) Restart(_ context.Context, id string) error {
	f.note("restart %s", id)
	return nil
}

func (f *fake) Running(_ context.Context, id string) bool {
	return time.Since(f.asked[id]) < f.ends || f.again
}

func (f *fake) Serves(ctx context.Context, id string) bool { return f.Running(ctx, id) }

func (f *fake) Remove(_ context.Context, id string) error {
	f.note("remove %s", id)
	return nil
}

func TestWhatIsBeingServedIsServedBeforeAContainerGoes(t *testing.T) {
	limits := Limits{Requests: 2 * time.Minute, Quit: 30 * time.Second}
	for name, test := range map[string]struct {
		busy  map[string]time.Duration
		quits bool
		ends  time.Duration
		cut   int
		did   string
	}{
		"nobody is there":                              {quits: true, ends: time.Second, did: "0s quit a, 1s remove a, 1s quit b, 2s remove b"},
		"a long request is waited for":                 {busy: map[string]time.Duration{"a": 100 * time.Second}, quits: true, did: "1m40s quit a, 1m40s remove a, 1m40s quit b, 1m40s remove b"},
		"one that has no end is cut, and that is said": {busy: map[string]time.Duration{"a": time.Hour}, quits: true, cut: 1, did: "2m0s quit a, 2m0s remove a, 2m0s quit b, 2m0s remove b"},
		"a spooler that has no end is not waited for":  {quits: true, ends: time.Hour, did: "0s quit a, 30s remove a, 30s quit b, 1m0s remove b"},
		"what can't end by itself is stopped":          {did: "0s quit a, 0s remove a, 0s quit b, 0s remove b"},
		"what is down already is removed":              {busy: map[string]time.Duration{"a": -1}, did: "0s quit a, 0s remove a, 0s quit b, 0s remove b"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{began: time.Now(), busy: test.busy, quits: test.quits, ends: test.ends, asked: map[string]time.Time{}}
				cut, err := Drain(t.Context(), f, 8000, limits, "a", "b")
				if got := strings.Join(f.did, ", "); err != nil || cut != test.cut || got != test.did {
					t.Errorf("did %s; %d were cut; %v\nwant %s; %d", got, cut, err, test.did, test.cut)
				}
			})
		})
	}
}

func TestWhoIsInterruptedLeavesNoContainerBehind(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		cancel()
		f := &fake{began: time.Now(), busy: map[string]time.Duration{"a": time.Hour}, asked: map[string]time.Time{}}
		if _, err := Drain(ctx, f, 8000, Limits{Requests: time.Hour}, "a"); err != nil || !strings.Contains(strings.Join(f.did, ","), "remove a") {
			t.Error(f.did, err)
		}
	})
}

func TestARestartLetsTheApplicationEndByItself(t *testing.T) {
	for name, test := range map[string]struct {
		quits, again bool
		ends         time.Duration
		did          string
	}{
		"it ends, and the engine starts it": {true, true, 3 * time.Second, "0s quit a"},
		"it can't":                          {false, true, 0, "0s quit a, 0s restart a"},
		"it does not end in time":           {true, true, time.Hour, "0s quit a, 1m0s restart a"},
		"it ends, and nobody starts it":     {true, false, 3 * time.Second, "0s quit a, 1m0s restart a"},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{began: time.Now(), quits: test.quits, ends: test.ends, again: test.again, asked: map[string]time.Time{}}
				err := Restart(t.Context(), f, time.Now().Add(time.Minute), "a")
				if got := strings.Join(f.did, ", "); err != nil || got != test.did {
					t.Errorf("did %s; %v\nwant %s", got, err, test.did)
				}
			})
		})
	}
}
