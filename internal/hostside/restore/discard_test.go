package restore

import (
	"context"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostside/strike"
)

func TestWhatWasKeptCanBeDiscardedWhereAFullDiskHasEndedPostgreSQL(t *testing.T) {
	const stamp = "20261120T140000Z"
	discards := func(ctx context.Context, i *Instance) error { return i.Discard(ctx, stamp) }
	w := newWorld(t)
	w.discards = true
	w.write("home/log."+stamp+"/a", "old")
	w.databases["mrs_20261120t140000z"] = "old"
	err := w.run(strike.At{"pg_isready#1": strike.Fails}, discards)
	if err == nil || last(w.said) != "what was kept at "+stamp+" is removed, but for its database" || w.is("log."+stamp) {
		t.Errorf("%v, said %q, the folder is there: %v", err, w.said, w.is("log."+stamp))
	}
	w.must(discards)
	if _, is := w.databases["mrs_20261120t140000z"]; is || last(w.said) != "what was kept at "+stamp+" is removed" {
		t.Errorf("the database is there: %v, said %q", is, w.said)
	}
	if err := w.run(nil, discards); err == nil || err.Error() != "nothing was kept at "+stamp {
		t.Errorf("what is not there: %v", err)
	}
}
