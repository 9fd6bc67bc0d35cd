package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
	"github.com/betagouv/mrs-ops/internal/hostside/strike"
)

func backUp(ctx context.Context, i *Instance) error { return i.Backup(ctx, "hand") }
func prune(ctx context.Context, i *Instance) error  { return i.Prune(ctx, "timer") }

// must fails the test unless the instance is backed up.
func (w *world) must(do func(context.Context, *Instance) error) {
	w.t.Helper()
	if err := w.run(nil, do); err != nil {
		w.t.Fatalf("%v\n%s", err, strings.Join(w.said, "\n"))
	}
}

func last(lines []string) string { return lines[len(lines)-1] }

func TestABackupIsDumpedSnapshottedCheckedMirroredAndWrittenDown(t *testing.T) {
	w := newWorld(t)
	w.must(backUp)
	want := []string{
		"pg_isready#1",
		"pg_terminate_backend#1",
		"drop database#1",
		"pg_dump#1",
		"restic backup#1",
		"lftp cls#1",
		"lftp mirror#1",
	}
	if !slices.Equal(w.calls.Made(), want) {
		t.Errorf("it called %q, want %q", w.calls.Made(), want)
	}
	w.must(backUp)
	if !w.called("lftp put") || w.called("lftp mirror") {
		t.Errorf("the second one called %q", w.calls.Made())
	}
	w.settled("after two")
	if len(w.trusted()) != 2 || len(w.there) != 5 {
		t.Errorf("%d snapshots, on the mirror are %d files", len(w.trusted()), len(w.there))
	}
	if line := last(w.ledger()); !strings.Contains(
		line,
		`"what": "backup", "cause": "hand", "outcome": "good", "snapshot": "`,
	) ||
		!strings.Contains(line, `"attachments": 1, "dump_bytes": 10, "rows": 7, "repository_bytes": `) ||
		!strings.Contains(line, `"bytes": 100, "files": 3, "added": `) {
		t.Errorf("the record is %s", line)
	}
	if line := last(w.said); line != "mrs-x is backed up" {
		t.Errorf("it says last: %s", line)
	}
}

// What strikes a backup at any of its calls, the next one is good, and nothing is trusted or
// mirrored that is not whole.
func TestWhateverStrikesABackupTheNextOneIsGood(t *testing.T) {
	eachStrike(t, backUp, func(*world) {})
}

func TestWhateverStrikesAPruneTheNextOneIsGood(t *testing.T) {
	eachStrike(t, prune, func(w *world) {
		w.must(backUp)
		w.must(backUp)
		w.keeps = 1
	})
}

func eachStrike(t *testing.T, do func(context.Context, *Instance) error, prepare func(*world)) {
	t.Helper()
	before := func(t *testing.T) *world {
		w := newWorld(t)
		w.must(backUp)
		prepare(w)
		return w
	}
	w := before(t)
	w.must(do)
	calls := w.calls.Made()
	for _, call := range calls {
		for _, s := range strike.All {
			what := fmt.Sprintf("%s %s", call, s)
			t.Run(what, func(t *testing.T) {
				w := before(t)
				had := len(w.ledger())
				err := w.run(strike.At{call: s}, do)
				if w.wreck != nil {
					// What the run did after it was killed, it has not done.
					w = w.wreck
					w.whole(what)
					if _, err := os.Stat(w.home(".running.backup")); err != nil {
						if _, err := os.Stat(w.home(".running.prune")); err != nil {
							t.Error("nobody would hear of it")
						}
					}
				} else {
					w.settled(what)
					if err == nil && !(s == strike.EndedLate && call == last(calls)) {
						t.Errorf("it ends well; it said %q", w.said)
					}
					f, _ := errors.AsType[*Failure](err)
					if (s == strike.Ended || s == strike.Hangs) && (f == nil || f.Reason != "interrupted" || f.Status != 130) {
						t.Errorf("it ends with %+v", f)
					}
					if now := w.ledger(); len(now) != had+1 {
						t.Errorf("%d lines were written down", len(now)-had)
					} else if err != nil && f.Status != hostapi.NotMirrored && !strings.Contains(last(now), `"outcome": "failed"`) {
						t.Errorf("what is written down is %s", last(now))
					}
				}
				lines := len(w.ledger())
				w.must(do)
				w.settled("the next one")
				if _, err := os.Stat(w.home(".backup.unchecked")); err == nil {
					t.Error("what was never checked is still there")
				}
				now := w.ledger()[lines:]
				if s == strike.Killed || s == strike.KilledLate {
					if len(now) != 2 || !strings.Contains(now[0], `"outcome": "failed", "reason": "killed, or the power went"`) ||
						len(w.told) != 1 {
						t.Errorf("written down is %q, told %q", now, w.told)
					}
				}
				if !strings.Contains(last(now), `"outcome": "good"`) {
					t.Errorf("written down is %s", last(now))
				}
				for _, name := range (mirrored{w}).all() {
					if _, ok := w.there[name]; !ok {
						t.Errorf("the mirror lacks %s", name)
					}
				}
			})
		}
	}
}

func TestAFileThatVanishesIsNoReasonForANightWithoutABackup(t *testing.T) {
	w := newWorld(t)
	w.must(backUp)
	w.unreadable = 1
	w.must(backUp)
	if len(w.trusted()) != 2 ||
		!slices.Contains(w.said, "1 files could not be read (no such file or directory): once more") {
		t.Errorf("%d snapshots; it said %q", len(w.trusted()), w.said)
	}
	w.settled("after it")

	w.unreadable = 2
	err := w.run(nil, backUp)
	f, ok := errors.AsType[*Failure](err)
	if !ok || f.Status != 1 ||
		f.Reason != "restic could not make a whole snapshot, in two attempts: 1 files could not be read (no such file or "+
			"directory)" {
		t.Errorf("a second time: %v", err)
	}
	if len(w.snapshots) != 2 {
		t.Errorf("there are %d snapshots: the halves are not forgotten", len(w.snapshots))
	}
	w.settled("after two attempts")
}

func TestASnapshotThatResticSaysItHasMadeHasToBeThere(t *testing.T) {
	w := newWorld(t)
	w.must(backUp)
	err := w.run(nil, func(ctx context.Context, i *Instance) error {
		i.With = func(string) Repository { return lying{repository{w}} }
		return i.Backup(ctx, "timer")
	})
	if err == nil || !strings.Contains(err.Error(), "which is not in the repository") ||
		w.called("lftp put") {
		t.Errorf("%v, %q", err, w.calls.Made())
	}
}

// lying is a restic that says that it has made what it has not.
type lying struct{ repository }

func (lying) Backup(context.Context, restic.Backup, func(restic.Status)) (restic.Made, error) {
	return restic.Made{ID: "0123abcd"}, nil
}

func TestAMirrorThatStallsIsNamedAndTheSnapshotIsGood(t *testing.T) {
	w := newWorld(t)
	err := w.run(nil, func(ctx context.Context, i *Instance) error {
		i.Mirror = stalling{mirrored{w}}
		return i.Backup(ctx, "timer")
	})
	f, ok := errors.AsType[*Failure](err)
	if !ok || f.Status != hostapi.NotMirrored || f.Hint != "check LFTP_DSN, then run "+w.home("backup.sh") ||
		f.Reason != "the snapshot is good, but mirroring failed: the copy to the mirror stood still: nothing moved for 10 "+
			"min, so it was ended" {
		t.Errorf("%+v", f)
	}
	if len(w.trusted()) != 1 || !strings.Contains(last(w.ledger()), `"outcome": "not mirrored"`) {
		t.Errorf("%d snapshots, %s", len(w.trusted()), last(w.ledger()))
	}
}

type stalling struct{ mirrored }

func (stalling) Copy(context.Context, string, bool) error {
	return &bound.Exceeded{Name: "the copy to the mirror", Limit: bound.Limit{Idle: 10 * 60e9}}
}

func TestAMirrorOfAnotherRepositoryIsLeftAlone(t *testing.T) {
	w := newWorld(t)
	w.there["config"] = "another"
	err := w.run(nil, backUp)
	if f, ok := errors.AsType[*Failure](err); !ok || f.Status != hostapi.NotMirrored ||
		!strings.Contains(f.Reason, "holds another repository") ||
		len(w.there) != 1 {
		t.Errorf("%v, %v", err, w.there)
	}
}

func TestWhatIsNotThereIsNoBackup(t *testing.T) {
	for name, c := range map[string]struct {
		prepare func(*world)
		want    string
	}{
		"folders": {func(w *world) { _ = os.RemoveAll(w.home("log")); _ = os.Remove(w.home("docker-compose.yml")) },
			"/home/log is gone"},
		"a disk that is not mounted": {func(w *world) { _ = os.Remove(w.home("mrsattachments/1.pdf")) },
			"mrsattachments is empty, and had 1 files at the last backup"},
		"a restore that was cut short": {func(w *world) { w.write("home/.restore.swap", "") },
			"a restore was cut short, and is to be undone first"},
		"the repository": {func(w *world) { _ = os.RemoveAll(w.home("restic")) },
			"the repository REPOSITORY can't be opened"},
		"another repository": {func(w *world) { w.write("home/.restic_id", "other\n\n") },
			"REPOSITORY is not the repository that the backups of mrs-x are in"},
		"two that were never checked": {func(w *world) { w.write("home/.backup.unchecked", "") },
			"2 snapshots count as never checked, which can't be"},
	} {
		w := newWorld(t)
		w.must(backUp)
		w.must(backUp)
		c.prepare(w)
		err := w.run(nil, backUp)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", name, err)
		}
		if len(w.snapshots) != 2 || !strings.Contains(last(w.ledger()), `"outcome": "failed"`) {
			t.Errorf("%s: %d snapshots, %s", name, len(w.snapshots), last(w.ledger()))
		}
	}
	w := newWorld(t)
	err := w.run(nil, func(ctx context.Context, i *Instance) error {
		w.write("log/mrs-x.backups.log", `{"dump_bytes": 1000}`+"\n")
		i.Free = func(string) (free, size int64, err error) { return 1000, 2000, nil }
		return i.Backup(ctx, "timer")
	})
	if err == nil || err.Error() != w.home("postgres/dump")+" has 1000B free, and about 1.1KiB are needed" {
		t.Errorf("no room for the dump: %v", err)
	}
}

func TestAFileThatARunThatWasKilledHasNotFinishedIsNoDamage(t *testing.T) {
	w := newWorld(t)
	w.must(backUp)
	w.write("home/restic/data/ab/"+sum("x")+"-tmp-1234", "half of it")
	w.must(backUp)
	if found, _ := filepath.Glob(w.home("restic/data/ab/*-tmp-*")); len(found) != 0 {
		t.Errorf("left: %v", found)
	}
}

// damage has a data file of the repository hold something else, and returns its path in it.
func (w *world) damage() string {
	found, err := filepath.Glob(w.home("restic/data/*/*"))
	if err != nil || len(found) == 0 {
		w.t.Fatal("there are no data")
	}
	name, _ := filepath.Rel(w.home("restic"), found[0])
	w.write("home/restic/"+name, "another")
	return name
}

func TestAByteThatFlipsIsNamedKeptFromTheMirrorAndMendedFromThere(t *testing.T) {
	w := newWorld(t)
	w.must(backUp)
	file := w.damage()
	for _, do := range []func(context.Context, *Instance) error{backUp, prune} {
		err := w.run(nil, do)
		f, ok := errors.AsType[*Failure](err)
		if !ok || !strings.Contains(f.Hint, "/home/backup.sh repair") || !slices.Contains(w.said, "damaged: "+file) {
			t.Errorf("%v\n%q", err, w.said)
		}
		w.whole("after it")
	}
	w.must(func(ctx context.Context, i *Instance) error { return i.Repair(ctx) })
	if !slices.Contains(w.said, "repaired: "+file) || last(w.said) != "1 files were repaired; the repository is whole" {
		t.Errorf("it says %q", w.said)
	}
	w.must(backUp)
	w.settled("after it")
}

// The undo of a restore would wait for it, for hours, with the site down.
func TestNothingIsRepairedBeforeARestoreIsUndone(t *testing.T) {
	w := newWorld(t)
	w.must(backUp)
	w.write("home/.restore.swap", "")
	err := w.run(nil, func(ctx context.Context, i *Instance) error { return i.Repair(ctx) })
	if err == nil || err.Error() != "a restore was cut short, and is to be undone first" {
		t.Errorf("%v", err)
	}
}

func TestAFileThatTheDiskRefusesToReadIsRepairedToo(t *testing.T) {
	w := newWorld(t)
	w.must(backUp)
	file := w.damage()
	refused := func(i *Instance) {
		i.Damaged = func(ctx context.Context, folder string, names []string, read *restic.Sum) ([]restic.Damage, error) {
			found, err := restic.Damaged(ctx, folder, names, read)
			for n := range found {
				found[n].Err = syscall.EIO
			}
			return found, err
		}
	}
	delete(w.there, file)
	err := w.run(nil, func(ctx context.Context, i *Instance) error { refused(i); return i.Repair(ctx) })
	want := "0 files were repaired, and 1 are not whole on the mirror either, the first is " + file +
		": it can't be read: input/output error"
	if err == nil || err.Error() != want {
		t.Errorf("where the mirror has it not: %v", err)
	}
	for name := range w.snapshots {
		content, _ := os.ReadFile(w.home("restic/snapshots/" + name))
		if sum(string(content)) != name {
			t.Errorf("%s was touched", name)
		}
	}
	w.there[file] = "also damaged"
	err = w.run(nil, func(ctx context.Context, i *Instance) error { refused(i); return i.Repair(ctx) })
	if err == nil || err.Error() != want {
		t.Errorf("where the mirror's is damaged too: %v", err)
	}
	if text, _ := os.ReadFile(w.home("restic/" + file)); string(text) != "another" {
		t.Errorf("it was replaced by %q", text)
	}
	w.there[file] = "data 1"
	w.must(func(ctx context.Context, i *Instance) error { refused(i); return i.Repair(ctx) })
	if text, _ := os.ReadFile(w.home("restic/" + file)); string(text) != "data 1" {
		t.Errorf("it is %q", text)
	}
}

func TestPruneBelievesWhatItSees(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.must(backUp)
	}
	w.keeps, w.append = 1, true
	err := w.run(nil, prune)
	if err == nil ||
		!strings.Contains(
			err.Error(),
			"restic says that all went well, but 2 of 2 snapshots that were to go are still there",
		) {
		t.Errorf("where nothing was removed: %v", err)
	}
	if w.called("lftp mirror --delete") || !strings.Contains(last(w.ledger()), `"outcome": "failed"`) {
		t.Errorf("it called %q; %s", w.calls.Made(), last(w.ledger()))
	}
	w.append = false
	err = w.run(nil, func(ctx context.Context, i *Instance) error {
		i.With = func(string) Repository { return greedy{repository{w}} }
		return i.Prune(ctx, "hand")
	})
	if err == nil || !strings.Contains(err.Error(), "1 snapshots that the policy keeps are gone") ||
		w.called("lftp mirror --delete") {
		t.Errorf("where too much was removed: %v, %q", err, w.calls.Made())
	}
}

// greedy is a restic that removes all.
type greedy struct{ repository }

func (g greedy) Prune(ctx context.Context, p restic.Policy) error {
	g.keeps = 0
	defer func() { g.keeps = 1 }()
	return g.repository.Prune(ctx, p)
}

func TestPruneHasTheMirrorFollow(t *testing.T) {
	w := newWorld(t)
	for range 3 {
		w.must(backUp)
	}
	w.keeps = 1
	w.must(prune)
	// What remains has passed its check before anything is deleted there.
	calls := w.calls.Made()
	calls = calls[slices.Index(calls, "restic forget --prune#1"):]
	checked := slices.IndexFunc(calls, func(call string) bool { return strings.HasPrefix(call, "restic check#") })
	deleted := slices.Index(calls, "lftp mirror --delete#1")
	if checked < 0 || deleted < checked {
		t.Errorf("it called %q", w.calls.Made())
	}
	w.settled("after it")
	n := 0
	for name := range w.there {
		if strings.HasPrefix(name, "snapshots/") {
			n++
		}
	}
	if n != 1 || len(w.snapshots) != 1 {
		t.Errorf("%d snapshots, %d on the mirror", len(w.snapshots), n)
	}
	if !slices.Contains(w.said, "3 snapshots; forgetting those that are not to be kept") ||
		last(w.said) != "the backups of mrs-x are pruned and checked" {
		t.Errorf("it says %q", w.said)
	}
}

func TestARepositoryIsMadeOnceOpenedLaterAndFetchedWhenItIsLost(t *testing.T) {
	w := newWorld(t)
	for _, name := range []string{".restic_id", ".restic_password", "restic/config"} {
		_ = os.Remove(w.home(name))
	}
	begin := func(password string) func(context.Context, *Instance) error {
		return func(ctx context.Context, i *Instance) error { return i.Init(ctx, password) }
	}
	w.must(begin("hush"))
	if !w.called("restic init") ||
		!slices.Equal(w.said, []string{"the backups of mrs-x are in repository id", "password kept"}) {
		t.Errorf("it called %q, said %q", w.calls.Made(), w.said)
	}
	w.must(begin("hush"))
	if len(w.calls.Made()) != 0 || len(w.said) != 0 {
		t.Errorf("a second time it called %q, said %q", w.calls.Made(), w.said)
	}
	if info, err := os.Stat(w.home(".restic_password")); err != nil || info.Mode().Perm() != 0o400 {
		t.Errorf("the password: %v, %v", info, err)
	}
	w.must(backUp)

	// It is lost alone: nothing is begun anew.
	_ = os.Rename(w.home("restic"), w.home("unmounted"))
	err := w.run(nil, begin("hush"))
	if f, ok := errors.AsType[*Failure](err); !ok || !strings.Contains(f.Reason, "can't be opened with RESTIC_PASSWORD") ||
		w.called("restic init") {
		t.Errorf("a repository that is lost: %v, %q", err, w.calls.Made())
	}

	// The server is lost.
	_ = os.Remove(w.home(".restic_id"))
	_ = os.Remove(w.home(".restic_password"))
	w.must(begin("hush"))
	if !slices.Contains(w.said, "mrs-x had backups, which the mirror held: restore.sh latest restores the last one") ||
		w.called("restic init") {
		t.Errorf("it called %q, said %q", w.calls.Made(), w.said)
	}
	w.must(backUp)
	w.settled("at the end")
}

// A restore that fetches it, say: two of them in the same folder would leave neither's.
func TestARepositoryIsBegunByOneAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.must(backUp)
		for _, name := range []string{".restic_id", ".restic_password"} {
			_ = os.Remove(w.home(name))
		}
		_ = os.Rename(w.home("restic"), w.home("fetching"))
		held, err := lock.Repository(t.Context(), w.home(""), "mrs-x", func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() {
			ended <- w.run(nil, func(ctx context.Context, i *Instance) error { return i.Init(ctx, "hush") })
		}()
		time.Sleep(time.Minute)
		synctest.Wait()
		if _, err := os.Stat(w.home("restic")); err == nil || w.called("restic init") {
			t.Errorf("it does not wait: %q", w.calls.Made())
		}
		_ = os.Rename(w.home("fetching"), w.home("restic"))
		held.Close()
		if err := <-ended; err != nil || w.called("restic init") || !slices.Contains(w.said, "password kept") {
			t.Errorf("%v; it called %q", err, w.calls.Made())
		}
	})
}

func TestWhateverStrikesTheFirstDeploymentTheNextOneHasARepository(t *testing.T) {
	begin := func(ctx context.Context, i *Instance) error { return i.Init(ctx, "hush") }
	before := func() *world {
		w := newWorld(t)
		for _, name := range []string{".restic_id", ".restic_password", "restic/config"} {
			if err := os.Remove(w.home(name)); err != nil {
				t.Fatal(err)
			}
		}
		return w
	}
	w := before()
	w.must(begin)
	for _, call := range w.calls.Made() {
		for _, s := range strike.All {
			t.Run(fmt.Sprintf("%s %s", call, s), func(t *testing.T) {
				w := before()
				_ = w.run(strike.At{call: s}, begin)
				if w.wreck != nil {
					w = w.wreck
				}
				w.must(begin)
				w.must(backUp)
				w.settled("the next one")
				if len(w.trusted()) != 1 {
					t.Errorf("%d snapshots are trusted", len(w.trusted()))
				}
			})
		}
	}
}

func TestWhatIsFetchedAndDamagedIsNotTheRepository(t *testing.T) {
	w := newWorld(t)
	w.must(backUp)
	for name := range w.there {
		if strings.HasPrefix(name, "data/") {
			w.there[name] = "another"
		}
	}
	_ = os.RemoveAll(w.home("restic"))
	fetch := func(ctx context.Context, i *Instance) error { return i.Fetch(ctx) }
	if err := w.run(nil, fetch); err == nil || !strings.Contains(err.Error(), "what the mirror holds is damaged") {
		t.Errorf("%v", err)
	}
	if _, err := os.Stat(w.home("restic")); err == nil {
		t.Error("it is the repository now")
	}
	clear(w.there)
	if err := w.run(nil, fetch); !errors.Is(err, ErrNoMirror) {
		t.Errorf("of a mirror that holds none: %v", err)
	}
	w.there["config"] = "config"
	err := w.run(nil, func(ctx context.Context, i *Instance) error {
		i.Mounts = func() map[string]bool { return map[string]bool{"/": true, w.path("home"): false} }
		return i.Fetch(ctx)
	})
	if err == nil || !strings.Contains(err.Error(), "is not mounted") {
		t.Errorf("below a disk that is not there: %v", err)
	}
}

// A disk may refuse to read what was just written there, and a copy may be damaged on its way.
func TestWhatIsFetchedAndNotWholeIsFetchedOnceMore(t *testing.T) {
	for name, test := range map[string]struct {
		refusals int // how often a file can't be read
		want     string
	}{
		"once":       {1, ""},
		"time again": {2, "what was fetched from the mirror can't be read again: "},
	} {
		w := newWorld(t)
		w.must(backUp)
		_ = os.RemoveAll(w.home("restic"))
		refusals := test.refusals
		err := w.run(nil, func(ctx context.Context, i *Instance) error {
			i.Damaged = func(ctx context.Context, folder string, names []string, read *restic.Sum) ([]restic.Damage, error) {
				found, err := restic.Damaged(ctx, folder, names, read)
				if refusals--; refusals >= 0 {
					found = append(found, restic.Damage{File: names[0], Err: syscall.EIO})
				}
				return found, err
			}
			return i.Fetch(ctx)
		})
		fetched := 0
		for _, call := range w.calls.Made() {
			if strings.HasPrefix(call, "lftp mirror back#") {
				fetched++
			}
		}
		if test.want == "" && err != nil || test.want != "" && (err == nil || !strings.HasPrefix(err.Error(), test.want) ||
			!strings.HasSuffix(err.Error(), ": it can't be read: input/output error")) || fetched != 2 {
			t.Errorf("%s: %v; fetched %d times", name, err, fetched)
		}
		if _, err := os.Stat(w.home("restic/config")); (err == nil) != (test.want == "") {
			t.Errorf("%s: the repository: %v", name, err)
		}
	}
}

// The config has no name by its sum, so it is in no list of files.
func TestAConfigThatTheDiskRefusesToReadIsRepairedToo(t *testing.T) {
	repair := func(ctx context.Context, i *Instance) error { return i.Repair(ctx) }
	w := newWorld(t)
	w.must(backUp)
	config := w.home("restic/config")
	refuse := func() { // a folder can't be read as a file
		_ = os.Remove(config)
		if err := os.Mkdir(config, 0o700); err != nil {
			t.Fatal(err)
		}
	}
	refuse()
	if err := w.run(strike.At{"restic cat config#1": strike.Fails}, backUp); err == nil || !strings.HasPrefix(err.Error(), "the config of the repository REPOSITORY can't be read: ") {
		t.Errorf("a backup: %v", err)
	}
	w.there["config"] = "another"
	if err := w.run(nil, repair); err == nil || err.Error() != "the repository's config is not whole, and the mirror's is another one" {
		t.Errorf("where the mirror's is another one: %v", err)
	}
	w.there["config"] = "config"
	for _, damage := range []func(){func() { w.write("home/restic/config", "confix") }, func() { _ = os.Remove(config) }} {
		_ = os.RemoveAll(config)
		damage()
		w.must(repair)
		if text, err := os.ReadFile(config); string(text) != "config" {
			t.Errorf("it is %q, %v", text, err)
		}
	}
	if !slices.Contains(w.said, "1 files were repaired; the repository is whole") {
		t.Errorf("said: %q", w.said)
	}
	w.must(backUp)
}

func TestSizesAreSaidAsNumfmtSaysThem(t *testing.T) {
	for n, want := range map[int64]string{0: "0B", 999: "999B", 1023: "1023B", 1024: "1.0KiB", 1025: "1.1KiB",
		10189: "10KiB", 10240: "10KiB", 10241: "11KiB", 1048575: "1.0MiB",
		1048576: "1.0MiB", 163200000: "156MiB", 1 << 40: "1.0TiB", -2048: "-2.0KiB"} {
		if got := Human(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
	}
}

// A disk that forgets changes no time of a file: only whoever reads all of it sees that.
func TestAPruneReadsAllOfItAndWhatItFindsNoBackupForgets(t *testing.T) {
	w := newWorld(t)
	w.must(backUp)
	w.must(backUp)
	w.keeps = 1
	rotten := (mirrored{w}).all()[0]
	forgets := func(do func(context.Context, *Instance) error) func(context.Context, *Instance) error {
		return func(ctx context.Context, i *Instance) error {
			i.Damaged = func(_ context.Context, _ string, names []string, _ *restic.Sum) (found []restic.Damage, err error) {
				if slices.Contains(names, rotten) {
					found = append(found, restic.Damage{File: rotten})
				}
				return found, nil
			}
			return do(ctx, i)
		}
	}
	if err := w.run(nil, forgets(backUp)); err != nil {
		t.Errorf("a backup reads what is new: %v", err)
	}
	for _, do := range []func(context.Context, *Instance) error{prune, backUp} {
		if err := w.run(nil, forgets(do)); err == nil || !strings.Contains(err.Error(), "is damaged") {
			t.Errorf("%v", err)
		}
		if w.called("restic forget --prune") || w.called("lftp put") {
			t.Errorf("it called %q", w.calls.Made())
		}
	}
}
