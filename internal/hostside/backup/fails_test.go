package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
	"github.com/betagouv/mrs-ops/internal/hostside/strike"
)

// failing is a restic whose backup ends with an error.
type failing struct {
	repository
	err error
}

func (f failing) Backup(context.Context, restic.Backup, func(restic.Status)) (restic.Made, error) {
	return restic.Made{}, f.err
}

func TestABackupThatFailsIsToldWithItsReasonAndNoSnapshotCounts(t *testing.T) {
	for name, c := range map[string]struct {
		restic error  // how its backup ends
		call   string // that fails
		reason string
		status int
		made   int // snapshots that are good all the same
	}{
		"the database can't be dumped": {call: "pg_dump", reason: "struck", status: 1},
		"PostgreSQL does not answer":   {call: "pg_isready", reason: "struck", status: 1},
		"restic is killed": {restic: &restic.Failed{Command: "backup", Status: 137},
			reason: "restic could not make a whole snapshot (exit status 137): ", status: 1},
		"the repository's disk is full": {
			restic: &restic.Failed{Command: "backup", Status: 1, Said: "Fatal: no space left on device"},
			reason: "restic could not make a whole snapshot (exit status 1): Fatal: no space left on device", status: 1,
		},
		"the mirror is down": {call: "lftp cls", reason: "the mirror can't be written to: struck",
			status: hostapi.NotMirrored, made: 1},
		"the mirror goes away": {call: "lftp put", reason: "struck", status: hostapi.NotMirrored, made: 1},
	} {
		t.Run(name, func(t *testing.T) {
			w := newWorld(t)
			w.must(backUp)
			good := len(w.trusted())
			var strikes strike.At
			if c.call != "" {
				strikes = strike.At{c.call + "#1": strike.Fails}
			}
			err := w.run(strikes, func(ctx context.Context, i *Instance) error {
				if c.restic != nil {
					i.With = func(string) Repository { return failing{repository{w}, c.restic} }
				}
				return i.Backup(ctx, "timer")
			})
			f, ok := errors.AsType[*Failure](err)
			if !ok || f.Status != c.status || !strings.HasSuffix(f.Reason, c.reason) {
				t.Errorf("it ends with %+v", f)
			}
			if line := last(w.ledger()); ok && !strings.Contains(line, `"reason": "`+f.Reason+`"`) {
				t.Errorf("the record, which Slack is told of, is %s", line)
			}
			if now := len(w.trusted()); now != good+c.made {
				t.Errorf("there were %d good snapshots, and are %d", good, now)
			}
			w.settled("after it")
			w.must(backUp)
			if now := len(w.trusted()); now != good+c.made+1 || len(w.snapshots) != now {
				t.Errorf("after the next one there are %d, of which %d are good", len(w.snapshots), now)
			}
		})
	}
}

func TestAClockThatWasAheadCostsNoSnapshotAndKeepsNothingFromTheMirror(t *testing.T) {
	w := newWorld(t)
	w.must(backUp)
	later := time.Now().Add(time.Hour)
	for _, name := range []string{".mirrored", ".backup.intact"} {
		if err := os.Chtimes(w.home(name), later, later); err != nil {
			t.Fatal(err)
		}
	}
	ahead := w.put("snapshots", "of a clock that was ahead")
	w.snapshots[ahead] = restic.Snapshot{ID: ahead, Host: "mrs-x", Time: later}
	_ = w.run(strike.At{"restic backup#1": strike.KilledLate}, backUp)
	w = w.wreck
	if w == nil {
		t.Fatal("it was not killed")
	}
	if now := w.trusted(); len(w.snapshots) != 3 || len(now) != 2 || !slices.Contains(now, ahead) {
		t.Errorf("of %d snapshots those that are trusted are %v", len(w.snapshots), now)
	}
	w.must(backUp)
	if now := w.trusted(); len(now) != 3 || !slices.Contains(now, ahead) || len(w.snapshots) != 3 {
		t.Errorf("after the next one, of %d snapshots those that are trusted are %v", len(w.snapshots), now)
	}
	for _, name := range (mirrored{w}).all() {
		if _, ok := w.there[name]; !ok {
			t.Errorf("the mirror lacks %s", name)
		}
	}
}

func TestARepositoryThatIsLostIsNoReasonToBeginAnother(t *testing.T) {
	w := newWorld(t)
	w.must(backUp)
	_ = os.RemoveAll(w.home("restic"))
	for _, do := range []func(context.Context, *Instance) error{backUp, prune} {
		err := w.run(nil, do)
		f, ok := errors.AsType[*Failure](err)
		if !ok || f.Reason != "the repository REPOSITORY can't be opened" ||
			!strings.Contains(f.Hint, "is its disk mounted? ") || !strings.Contains(f.Hint, "restore.sh latest fetches it") {
			t.Errorf("%+v", f)
		}
		if _, err := os.Stat(w.home("restic")); err == nil || w.called("restic init") {
			t.Errorf("there is another one; it called %q", w.calls.Made())
		}
	}
}

// rotten is a restic that says that all is well, and what it has written is something else.
type rotten struct{ repository }

func (r rotten) Backup(ctx context.Context, b restic.Backup, progress func(restic.Status)) (restic.Made, error) {
	made, err := r.repository.Backup(ctx, b, progress)
	r.write("home/restic/snapshots/"+sum(fmt.Sprint("snapshot ", r.n)), "something else")
	return made, err
}

func TestASnapshotThatIsNotWholeNeitherCountsNorIsMirrored(t *testing.T) {
	w := newWorld(t)
	w.must(backUp)
	good := w.trusted()
	err := w.run(nil, func(ctx context.Context, i *Instance) error {
		i.With = func(string) Repository { return rotten{repository{w}} }
		return i.Backup(ctx, "timer")
	})
	if err == nil || !strings.Contains(err.Error(), "1 of its files are not what was written") {
		t.Errorf("%v", err)
	}
	if now := w.trusted(); !slices.Equal(now, good) || w.called("lftp put") {
		t.Errorf("%v are trusted, and were %v; it called %q", now, good, w.calls.Made())
	}
}
