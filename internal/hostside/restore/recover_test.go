package restore

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
	"github.com/betagouv/mrs-ops/internal/hostside/strike"
)

// It has the whole of the data, decrypted, and takes the room that the next restore needs.
func TestOfADrillThatWasKilledNothingStays(t *testing.T) {
	for _, by := range []string{Boot, "", Drill} {
		w := newWorld(t)
		_ = w.run(strike.At{"pg_restore#1": strike.KilledLate}, drills)
		w = w.wrecked()
		w.must(func(ctx context.Context, i *Instance) error { return i.Recover(ctx, by) })
		if w.is(".drill") || !slices.Contains(w.calls.Made(), "rm drill#1") || w.is(".running.drill") {
			t.Errorf("recovered by %q: .drill is there: %t; calls: %v", by, w.is(".drill"), w.calls.Made())
		}
	}
	// One that is at work is left alone.
	w := newWorld(t)
	_ = w.run(strike.At{"pg_restore#1": strike.KilledLate}, drills)
	w = w.wrecked()
	held, _, err := lock.TryFile(w.home(".drill.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	w.must(reclaim)
	if !w.is(".drill") || !w.is(".running.drill") {
		t.Error("what a drill works with is removed")
	}
}

func TestARestoreThatIsDoneIsToldAsDoneThoughItWasKilledWhileItTidiedUp(t *testing.T) {
	for _, c := range ways {
		w := c.world(t)
		w.must(c.do)
		calls := w.calls.Made()
		done := slices.Index(calls, "mv .restore.swap#1")
		if done < 0 {
			t.Fatalf("%s: nothing says that it is done: %v", c.name, calls)
		}
		for _, call := range calls[done:] {
			w := c.world(t)
			_ = w.run(strike.At{call: strike.KilledLate}, c.do)
			w = w.wrecked()
			if !w.is(".running.restore") && !w.is(".running.copy") {
				continue // it is written down
			}
			w.must(reclaim)
			if line := last(w.ledger()); w.has() != c.want || !strings.Contains(line, `"outcome": "good"`) {
				t.Errorf("%s, %s: the application has %s, and the record is %s", c.name, call, w.has(), line)
			}
			if !slices.ContainsFunc(w.told, func(text string) bool { return strings.Contains(text, "is done all the same") }) ||
				!strings.Contains(strings.Join(w.said, "\n"), "restore.sh discard ") {
				t.Errorf("%s, %s: told is %q, said %q", c.name, call, w.told, w.said)
			}
		}
	}
}

// By who comes next, too, and not by one that was killed later, before its own swap.
func TestOnlyTheRestoreThatIsDoneIsToldAsDone(t *testing.T) {
	w := newWorld(t)
	_ = w.run(strike.At{"settle#1": strike.Killed}, ways[0].do)
	w = w.wrecked()
	w.must(ways[0].do)
	if n := strings.Count(strings.Join(w.ledger(), "\n"), `"outcome": "good"`); n != 2 || w.is(doneFile) {
		t.Errorf("%d are good: %q; %s is there: %t", n, w.ledger(), doneFile, w.is(doneFile))
	}
	w = newWorld(t)
	_ = w.run(strike.At{"rm .restore.done#1": strike.Killed}, ways[0].do)
	w = w.wrecked()
	_ = w.run(strike.At{"up trial#1": strike.Killed}, ways[0].do)
	w = w.wrecked()
	w.must(reclaim)
	if !strings.Contains(last(w.ledger()), `"outcome": "failed"`) {
		t.Errorf("the record is %q", w.ledger())
	}
}

// The power went while containers were replaced, and the backup that the night has missed begins first: the site is down.
func TestAtBootTheSiteDoesNotWaitForWhoIsAtTheRepository(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.running = false
		w.write("home/.recreating", "")
		w.write("home/.running.prune", "1\n")
		held, err := lock.Repository(t.Context(), w.path("home"), "mrs-x", func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() { ended <- w.run(nil, reclaim) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		if !w.running || w.is(".recreating") {
			t.Errorf("running: %t; .recreating is there: %t", w.running, w.is(".recreating"))
		}
		held.Close()
		if err := <-ended; err != nil || w.is(".running.prune") {
			t.Errorf("%v; .running.prune is there: %t", err, w.is(".running.prune"))
		}
	})
}

// A deployment has its own .recreating, and what it replaces is not started meanwhile.
func TestAtBootADeploymentIsWaitedFor(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.write("home/.recreating", "")
		held, err := lock.Alone(t.Context(), w.path("locks"), "mrs-x", func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() { ended <- w.run(nil, reclaim) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		if slices.Contains(w.calls.Made(), "up#1") {
			t.Error("it does not wait")
		}
		if err := (Disk{}).Remove(w.home(".recreating")); err != nil {
			t.Fatal(err)
		}
		held.Close()
		if err := <-ended; err != nil || slices.Contains(w.calls.Made(), "up#1") {
			t.Errorf("%v; calls: %v", err, w.calls.Made())
		}
	})
}

// Whatever kept it from being undone: the site is down.
func TestASwapThatRemainsIsTriedAgainAndTold(t *testing.T) {
	half := func() *world {
		w := newWorld(t)
		_ = w.run(strike.At{"stop#1": strike.KilledLate}, ways[0].do)
		return w.wrecked()
	}
	asks := func(ctx context.Context, i *Instance) error { return i.Recover(ctx, "") }
	w := half()
	err := w.run(strike.At{"docker version#1": strike.Fails}, asks)
	if err == nil || !strings.Contains(err.Error(), "struck; NOT all could be put back") || w.retried != 1 ||
		len(w.told) != 1 {
		t.Errorf("without an engine: %v; tried again %d times; told is %q", err, w.retried, w.told)
	}
	w = half()
	synctest.Test(t, func(t *testing.T) {
		w.t = t
		held, err := lock.Repository(t.Context(), w.path("home"), "mrs-x", func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
		err = w.run(nil, asks)
		if err == nil || !strings.HasPrefix(err.Error(), "a restore was cut short, and can't be undone while another") ||
			w.retried != 1 || len(w.told) != 1 {
			t.Errorf("behind another: %v; tried again %d times; told is %q", err, w.retried, w.told)
		}
	})
	// What nobody understands is for a person, who is told what to look at.
	for _, text := range []string{"", "stamp=", "folders=(../etc)\n"} {
		w = half()
		w.write("home/"+swapFile, text)
		err := w.run(nil, asks)
		f, _ := errors.AsType[*backup.Failure](err)
		if f == nil || !strings.Contains(f.Reason, swapFile+" can't be understood: ") || w.retried != 0 ||
			!strings.Contains(f.Hint, w.home(".restore-DATE")) || len(w.told) != 1 || !strings.Contains(w.told[0], "understood") {
			t.Errorf("%q: %+v; tried again %d times; told is %q", text, err, w.retried, w.told)
		}
	}
}

// The engine may not have answered when the drill's unit ended, and the word of that takes its mark away.
func TestWhatADrillHasLeftIsRemovedThoughItsEndIsWrittenDown(t *testing.T) {
	w := newWorld(t)
	_ = w.run(strike.At{"pg_restore#1": strike.KilledLate}, drills)
	w = w.wrecked()
	err := w.run(strike.At{"docker version#1": strike.Fails},
		func(ctx context.Context, i *Instance) error { return i.Recover(ctx, Drill) })
	if err == nil || !w.is(".drill") {
		t.Fatalf("%v", err)
	}
	w.must(func(ctx context.Context, i *Instance) error {
		return i.Alert(ctx, "mrs-x-drill.service", "signal", time.Time{})
	})
	w.must(reclaim)
	if w.is(".drill") {
		t.Error("it is there yet")
	}
}

func TestTheUnitOfARestoreThatIsDoneIsNotToldAsOneOfNoReason(t *testing.T) {
	w := newWorld(t)
	_ = w.run(strike.At{"settle#1": strike.Killed}, ways[0].do)
	w = w.wrecked()
	alert := func(ctx context.Context, i *Instance) error {
		return i.Alert(ctx, "mrs-x-restore.service", "signal", time.Time{})
	}
	w.must(alert) // before it is recovered
	if len(w.ledger()) > 1 || !w.is(".running.restore") {
		t.Errorf("what came of it is written down: %q", w.ledger())
	}
	w.must(reclaim)
	w.must(alert)
	if !strings.Contains(w.told[0], "the restore failed: it is done all the same. ") {
		t.Errorf("told is %q", w.told)
	}
}
