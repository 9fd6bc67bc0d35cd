package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/restic"
	"github.com/betagouv/mrs-ops/internal/hostside/strike"
	"github.com/betagouv/mrs-ops/internal/hostside/wal"
)

// cluster is the PostgreSQL whose log is received.
type cluster struct {
	wal.Server
	*world
}

func (c cluster) Facts(ctx context.Context) (wal.Facts, error) {
	return wal.Facts{System: "7", Major: 15}, c.call(ctx, "facts", func() error { return nil })
}
func (c cluster) Base(ctx context.Context, _ wal.Facts, folder string) error {
	return c.call(ctx, "pg_basebackup", func() error {
		label := "START WAL LOCATION: 0/3000028 (file 000000010000000000000003)\n"
		return errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(filepath.Join(folder, "backup_label"), []byte(label), 0o600))
	})
}
func (c cluster) Point(ctx context.Context, _ string) error {
	return c.call(ctx, "pg_create_restore_point", func() error { return nil })
}
func (cluster) Close() {}

func ship(ctx context.Context, i *Instance) error { return i.Ship(ctx) }

// stream is what was received.
const stream = "archive/20261120T220000Z-7"

// logging is a world whose log was received until so long from now on, and no base backup was made.
func logging(t *testing.T, until time.Duration) *world {
	w := newWorld(t)
	w.logs = true
	if err := os.MkdirAll(w.path(stream+"/base"), 0o700); err != nil {
		t.Fatal(err)
	}
	w.write(stream+"/wal/000000010000000000000003", "log")
	w.receive(until)
	return w
}

func (w *world) receive(until time.Duration) {
	w.write(stream+"/received.json", fmt.Sprintf(`{"until": %q, "left": -1}`, time.Now().Add(until).UTC().Format(time.RFC3339Nano)))
}

func (w *world) stream() wal.Stream { return wal.Stream{Folder: w.path(stream)} }

func TestTheLogIsShippedWithABaseBackupAndAgainWhereThereIsMoreOfIt(t *testing.T) {
	w := logging(t, time.Minute)
	for n, c := range []struct {
		until time.Duration
		made  int
	}{{time.Minute, 1}, {0, 1}, {2 * time.Minute, 2}} {
		if c.until > 0 {
			w.receive(c.until)
		}
		w.must(ship)
		if len(w.snapshots) != c.made {
			t.Errorf("time %d: there are %d snapshots, not %d", n, len(w.snapshots), c.made)
		}
		got, _ := w.stream().Received()
		if done, err := w.stream().Shipped(); err != nil || !done.Repository.Equal(got.Until) || !done.Mirror.Equal(got.Until) {
			t.Errorf("time %d: shipped is %+v of %+v, %v", n, done, got, err)
		}
		for _, name := range (mirrored{w}).all() {
			if _, ok := w.there[name]; !ok {
				t.Errorf("time %d: the mirror lacks %s", n, name)
			}
		}
	}
	if bases, err := w.stream().Bases(); len(bases) != 1 || err != nil {
		t.Errorf("the base backups are %v, %v", bases, err)
	}
	// No backup is one of them.
	w.must(func(ctx context.Context, i *Instance) error {
		r := i.Begin("list", "")
		all, err := r.Snapshots(ctx)
		shipped, e := r.Shipped(ctx)
		if len(all) != 0 || len(shipped) != 2 || shipped[1].Stream != w.path(stream) || !shipped[1].Until.After(shipped[1].From) {
			t.Errorf("%+v, %+v", all, shipped)
		}
		return errors.Join(err, e)
	})
}

func TestWhateverStrikesWhoShipsTheLogTheNextOneShipsAllOfIt(t *testing.T) {
	w := logging(t, time.Minute)
	w.must(ship)
	for _, call := range w.calls.Made() {
		for _, s := range strike.All {
			t.Run(fmt.Sprintf("%s %s", call, s), func(t *testing.T) {
				w := logging(t, time.Minute)
				err := w.run(strike.At{call: s}, ship)
				if w.wreck != nil {
					w = w.wreck
				} else if err == nil && s != strike.EndedLate {
					t.Errorf("it ends well; it said %q", w.said)
				}
				w.whole("struck")
				if done, _ := w.stream().Shipped(); !done.Repository.IsZero() && len(w.trusted()) == 0 {
					t.Error("it is written down that it was shipped, and it was not")
				}
				w.must(ship)
				w.settled("the next one")
				got, _ := w.stream().Received()
				done, err := w.stream().Shipped()
				if err != nil || !done.Mirror.Equal(got.Until) || len(w.trusted()) != 1 {
					t.Errorf("%+v of %+v, %v; %d snapshots", done, got, err, len(w.trusted()))
				}
			})
		}
	}
}

func TestThatTheLogDoesNotComeAnyMoreIsToldOnceAndThatItComesAgain(t *testing.T) {
	w := logging(t, -time.Hour)
	said := 0
	for n, c := range []struct {
		until time.Duration
		well  bool
		told  string
	}{
		{-time.Hour, false, "the log of PostgreSQL was not received since"}, {-time.Hour, false, ""},
		{time.Minute, true, "is received and shipped again"}, {2 * time.Minute, true, ""},
	} {
		w.receive(c.until)
		err := w.run(nil, ship)
		if (err == nil) != c.well || len(w.told) != min(len(c.told), 1) || c.told != "" && !strings.Contains(w.told[0], c.told) {
			t.Errorf("time %d: %v; told is %q", n, err, w.told)
		}
		if f, failed := errors.AsType[*Failure](err); failed && f.Hint != "journalctl --unit mrs-x-wal" {
			t.Errorf("time %d: it hints at %q", n, f.Hint)
		}
		said += len(w.told)
	}
	if lines := w.ledger(); len(lines) != said {
		t.Errorf("written down is %q", lines)
	}
}

func TestEachDeploymentHasARestorePoint(t *testing.T) {
	w := logging(t, time.Minute)
	w.must(func(ctx context.Context, i *Instance) error { return i.Backup(ctx, "deploy") })
	points, err := w.stream().Points()
	if err != nil || len(points) != 1 || !strings.HasPrefix(points[0].Name, "deploy-") {
		t.Fatalf("%v, %v", points, err)
	}
	w.must(ship)
	w.must(func(ctx context.Context, i *Instance) error {
		shipped, err := i.Begin("list", "").Shipped(ctx)
		if len(shipped) != 1 || !slices.Equal(shipped[0].Points, points) {
			t.Errorf("shipped is %+v", shipped)
		}
		return err
	})
	// It does not hold up one that can be done without.
	w = logging(t, time.Minute)
	if err := w.run(strike.At{"pg_create_restore_point#1": strike.Fails}, func(ctx context.Context, i *Instance) error {
		return i.Backup(ctx, "deploy")
	}); err != nil || !slices.Contains(w.said, "there is no restore point before this deployment: struck") {
		t.Errorf("%v; it said %q", err, w.said)
	}
}

func TestSnapshotsOfTheLogAreKeptSoThatEverySecondOfTheDaysIsCovered(t *testing.T) {
	now := time.Date(2026, 11, 20, 23, 2, 0, 0, time.UTC)
	var all []Shipped
	for at := now.AddDate(0, 0, -12); at.Before(now); at = at.Add(5 * time.Minute) {
		// Of base backups of the two nights before it.
		night := at.Truncate(24 * time.Hour).Add(-25 * time.Hour)
		s := Shipped{Snapshot: Snapshot{Snapshot: restic.Snapshot{ID: at.String(), Time: at}},
			Stream: "/mnt/a/20261101T000000Z-7", From: night, Until: at}
		if at.Before(now.AddDate(0, 0, -5)) {
			s.Stream = "/mnt/a/20261001T000000Z-6"
		}
		all = append(all, s)
	}
	gone := expired(all, 7, now)
	left := slices.DeleteFunc(slices.Clone(all), func(s Shipped) bool { return slices.Contains(gone, s.ID) })
	if len(left) < 50 || len(left) > 62 {
		t.Errorf("%d are left", len(left))
	}
	for at := now.AddDate(0, 0, -7); at.Before(now.Add(-5 * time.Minute)); at = at.Add(time.Minute) {
		covers := func(s Shipped) bool { return !at.Before(s.From) && !at.After(s.Until) }
		if !slices.ContainsFunc(left, covers) && slices.ContainsFunc(all, covers) {
			t.Errorf("%s is not covered any more", at)
		}
	}
	if again := expired(left, 7, now); len(again) > 0 {
		t.Errorf("a second time, %d go", len(again))
	}
	if left := expired(all, 7, now.AddDate(0, 1, 0)); len(left) != len(all) {
		t.Errorf("a month later %d are left", len(all)-len(left))
	}
}

func TestALogThatWouldGoWithTheDataIsRefused(t *testing.T) {
	w := logging(t, time.Minute)
	for name, c := range map[string]struct {
		device  uint64
		mounted bool
		want    string
	}{
		"another disk": {1, true, ""}, "the same": {2, true, "is on the disk of PostgreSQL's data"},
		"one that is not mounted": {1, false, "is not mounted"},
	} {
		w.must(func(_ context.Context, i *Instance) error {
			i.Mounts = func() map[string]bool { return map[string]bool{"/": true, w.folder: c.mounted} }
			i.Device = func(path string) (uint64, error) {
				return map[bool]uint64{true: 2, false: c.device}[path == "/data"], nil
			}
			err := i.Fits("/data")
			if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
				t.Errorf("%s: %v", name, err)
			}
			return nil
		})
	}
}
