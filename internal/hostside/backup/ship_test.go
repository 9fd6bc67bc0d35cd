package backup

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
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
		files, err := filepath.Glob(filepath.Join(folder, "../../wal/*"))
		label := fmt.Sprintf("START WAL LOCATION: 0/3000028 (file %s)\n", filepath.Base(files[len(files)-1]))
		return errors.Join(err, os.Mkdir(folder, 0o700), os.WriteFile(filepath.Join(folder, "backup_label"), []byte(label), 0o600))
	})
}
func (c cluster) Point(ctx context.Context, _ string) error {
	return c.call(ctx, "pg_create_restore_point", func() error { return nil })
}
func (c cluster) Check(ctx context.Context, _, _, _ string) error {
	return c.call(ctx, "pg_waldump", func() error { return nil })
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

func TestWhileTheMirrorIsDownTheLogGoesIntoTheRepositoryAndThenCatchesUp(t *testing.T) {
	w := logging(t, time.Minute)
	w.must(ship)
	for n := 2; n < 5; n++ {
		w.receive(time.Duration(n) * time.Minute)
		err := w.run(strike.At{"lftp cls#1": strike.Fails}, ship)
		f, _ := errors.AsType[*Failure](err)
		if f == nil || f.Hint != "check LFTP_DSN, then run systemctl start mrs-x-ship" || len(w.told) != map[bool]int{true: 1}[n == 2] {
			t.Errorf("time %d: %+v; told is %q", n, f, w.told)
		}
		got, _ := w.stream().Received()
		if l, err := w.instance().Archive().Standing(); err != nil || !l.Repository.Equal(got.Until) || !l.Elsewhere(true).Before(got.Until) {
			t.Errorf("time %d: what would be lost is %+v, %v", n, l, err)
		}
	}
	w.receive(5 * time.Minute)
	w.must(ship)
	l, err := w.instance().Archive().Standing()
	if err != nil || !l.Elsewhere(true).Equal(l.Until) || len(w.there) != len((mirrored{w}).all())+1 {
		t.Errorf("it has not caught up: %+v, %v; there are %v", l, err, w.there)
	}
}

// It is by what is elsewhere, and not by what was begun: so whatever holds it up is a part of it.
func TestHowMuchWouldBeLostHasTheTimeThatThePruneBeforeItTakes(t *testing.T) {
	w := logging(t, time.Minute)
	w.must(ship)
	first, _ := w.stream().Received()
	held, err := lock.Repository(t.Context(), w.path("home"), "mrs-x", func(string) {})
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	waits, shipped := make(chan bool), make(chan error)
	go func() {
		i := w.instance()
		i.Say = func(string) { waits <- true; i.Say = func(string) {} }
		w.calls = &strike.Calls{}
		shipped <- i.Ship(t.Context())
	}()
	<-waits
	w.receive(2 * time.Minute)
	if l, err := (wal.Archive{Folder: w.path("archive")}).Standing(); err != nil || !l.Mirror.Equal(first.Until) {
		t.Errorf("while it waits it is %+v, %v", l, err)
	}
	held.Close()
	if err := <-shipped; err != nil {
		t.Error(err)
	}
	second, _ := w.stream().Received()
	if l, err := (wal.Archive{Folder: w.path("archive")}).Standing(); err != nil || !l.Mirror.Equal(second.Until) {
		t.Errorf("then it is %+v, and was received until %s: %v", l, second.Until, err)
	}
}

func TestAFileOfTheLogThatIsMissingIsToldAndTheNextBaseBackupGoesOn(t *testing.T) {
	w := logging(t, time.Minute)
	w.must(ship)
	bases, err := w.stream().Bases()
	if err != nil {
		t.Fatal(err)
	}
	old := bases[0] // of an hour ago
	old.Began, old.Ended = old.Began.Add(-time.Hour), old.Ended.Add(-time.Hour)
	old.Name = old.Began.Format(hostapi.Stamp)
	text, err := json.Marshal(old)
	if err := errors.Join(err, os.Rename(w.stream().Data(bases[0]), w.stream().Data(old)),
		os.Remove(w.stream().Data(bases[0])+".json")); err != nil {
		t.Fatal(err)
	}
	w.write(stream+"/base/"+old.Name+".json", string(text))
	w.write(stream+"/wal/000000010000000000000005", "log")
	w.receive(2 * time.Minute)
	standing := func() time.Time {
		t.Helper()
		l, err := w.instance().Archive().Standing()
		if err != nil {
			t.Fatal(err)
		}
		return l.Until
	}
	err = w.run(strike.At{"pg_basebackup#1": strike.Fails}, ship)
	if err == nil || !strings.HasPrefix(err.Error(), "a file of the log is missing in ") || len(w.told) != 1 {
		t.Errorf("%v; told is %q", err, w.told)
	}
	if until := standing(); until.After(time.Now()) {
		t.Errorf("it can be restored to %s", until)
	}
	got, _ := w.stream().Received()
	if err := w.run(nil, ship); err == nil || !standing().Equal(got.Until) {
		t.Errorf("with another base backup it can be restored to %s; %v", standing(), err)
	}
	if w.must(ship); len(w.told) != 1 || !strings.Contains(w.told[0], "again") {
		t.Errorf("then told is %q", w.told)
	}
}

func TestLogThatIsDamagedIsFoundWithTheNextBaseBackup(t *testing.T) {
	w := logging(t, time.Minute)
	w.write(stream+"/wal/000000010000000000000004", "log")
	err := w.run(strike.At{"pg_waldump#1": strike.Fails}, ship)
	if err == nil || !strings.HasPrefix(err.Error(), "the log before base backup ") || len(w.told) != 1 {
		t.Errorf("%v; told is %q", err, w.told)
	}
	// The base backup is good, and what it goes on to is shipped.
	got, _ := w.stream().Received()
	if l, err := w.instance().Archive().Standing(); err != nil || l.From.IsZero() || !l.Mirror.Equal(got.Until) {
		t.Errorf("what can be restored is %+v, %v", l, err)
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
