package restore

import (
	"context"
	"slices"
	"testing"

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
