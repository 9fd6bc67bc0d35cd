package restore

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
	"github.com/betagouv/mrs-ops/internal/hostside/strike"
)

// way is something that can be restored, and what there is then.
type way struct {
	name   string
	asked  []string
	want   string // database, log, attachments and spooler
	moves  []string
	adopts bool
	logged string // where there is log
}

// world is where it is restored.
func (c way) world(t *testing.T) *world {
	w := newWorld(t)
	if w.logged = c.logged; c.logged == "here" {
		w.log(w.path("archive/" + stream))
	}
	return w
}

var ways = []way{
	{
		name:  "all",
		asked: []string{"latest"},
		want:  "new new new -",
		moves: []string{"log", "mrsattachments", "spooler"},
	},
	{
		name:  "the database",
		asked: []string{"--only", "database", "latest"},
		want:  "new old old -",
		moves: []string{"spooler"},
	},
	{
		name:  "the attachments",
		asked: []string{"--only", "attachments", "latest"},
		want:  "old old new old",
		moves: []string{"mrsattachments"},
	},
	{
		name:   "a copy",
		asked:  []string{"adopt", aCopy},
		want:   "copied old old -",
		moves:  []string{"spooler"},
		adopts: true,
	},
	{
		name:   "a second, from the log that is here",
		asked:  []string{"--at", "2026-11-29T09:00:00Z"},
		want:   "recovered new new -",
		moves:  []string{"log", "mrsattachments", "spooler"},
		logged: "here",
	},
	{
		name:   "the database of a second, from the repository",
		asked:  []string{"--only", "database", "--at", "2026-11-29T09:00:00Z"},
		want:   "recovered old old -",
		moves:  []string{"spooler"},
		logged: "repository",
	},
	{
		name:   "a second, with folders of five minutes before",
		asked:  []string{"--at", "2026-11-29T09:00:00Z"},
		want:   "recovered new new -",
		moves:  []string{"log", "mrsattachments", "spooler"},
		logged: "with folders",
	},
	{
		name:   "the database at a restore point",
		asked:  []string{"--only", "database", "--point", "before"},
		want:   "recovered old old -",
		moves:  []string{"spooler"},
		logged: "here",
	},
	{
		name:   "the end of the log of a cluster that is lost",
		asked:  []string{"--only", "database", "latest"},
		want:   "recovered old old -",
		moves:  []string{"spooler"},
		logged: "repository",
	},
	{
		name:   "the end of a lost log whose base backup came after the last backup",
		asked:  []string{"--only", "database", "latest"},
		want:   "recovered old old -",
		moves:  []string{"spooler"},
		logged: "a newer base",
	},
}

const before = "old old old old"

// has is what the application that runs has: database, log, attachments and spooler; where it does
// not run, it has nothing.
func (w *world) has() string {
	if !w.running || w.policy != "always" {
		return fmt.Sprintf("running %t, restarts %s", w.running, w.policy)
	}
	part := func(name string) string {
		if text := w.read(name); text != "" {
			return text
		}
		return "-"
	}
	return strings.Join(
		[]string{w.databases["mrs"], part("log/mrs.log"), part("mrsattachments/1.pdf"), part("spooler/mail/1")},
		" ",
	)
}

// left are files and databases that a restore is to remove, in whichever way it ends.
func (w *world) left() (all []string) {
	for _, pattern := range []string{".restore*", ".running.*", ".trial.json", "postgres/dump/*", ".next.*",
		"mrsattachments/1x1.png"} {
		found, _ := filepath.Glob(w.home(pattern))
		all = append(all, found...)
	}
	if _, err := os.Stat(w.path("archive/recovery")); err == nil {
		all = append(all, "a recovery")
	}
	for name := range w.databases {
		if strings.HasPrefix(name, "mrs_restore_") {
			all = append(all, name)
		}
	}
	return all
}

// lost fails the test where something of what was there is nowhere.
func (w *world) lost(what string) {
	w.t.Helper()
	if !slices.Contains(slices.Collect(maps.Values(w.databases)), "old") {
		w.t.Errorf("%s: the old database is lost: %v", what, w.databases)
	}
	for _, name := range []string{"log/mrs.log", "mrsattachments/1.pdf", "spooler/mail/1"} {
		folder, file, _ := strings.Cut(name, "/")
		found, _ := filepath.Glob(w.home(folder + "*/" + file))
		if !slices.ContainsFunc(found, func(path string) bool {
			text, _ := os.ReadFile(path)
			return string(text) == "old"
		}) {
			w.t.Errorf("%s: %s is lost", what, name)
		}
	}
}

func (c way) do(ctx context.Context, i *Instance) error {
	q, err := i.Parse(c.asked)
	if err != nil {
		return err
	}
	return i.Restore(ctx, q)
}

func reclaim(ctx context.Context, i *Instance) error { return i.Recover(ctx, Boot) }

// must fails the test unless it ends well.
func (w *world) must(do func(context.Context, *Instance) error) {
	w.t.Helper()
	if err := w.run(nil, do); err != nil {
		w.t.Fatalf("%v\n%s", err, strings.Join(w.said, "\n"))
	}
}

func (w *world) ledger() []string {
	text, _ := os.ReadFile(w.path("log/mrs-x.backups.log"))
	return strings.Split(strings.TrimSpace(string(text)), "\n")
}

func last(lines []string) string { return lines[max(0, len(lines)-1)] }

func TestWhatIsRestoredTakesThePlaceOfWhatWasThereWhichIsKept(t *testing.T) {
	for _, c := range ways {
		t.Run(c.name, func(t *testing.T) {
			w := c.world(t)
			w.must(c.do)
			if w.has() != c.want {
				t.Errorf("the application has %s, want %s", w.has(), c.want)
			}
			if left := slices.DeleteFunc(w.left(), func(name string) bool {
				return c.adopts && strings.HasSuffix(name, "1x1.png")
			}); len(left) > 0 {
				t.Errorf("left: %v", left)
			}
			w.lost("after it")
			kept, _ := filepath.Glob(w.home("*.20261129T1000*Z"))
			var names []string
			for _, path := range kept {
				name, _, _ := strings.Cut(filepath.Base(path), ".")
				names = append(names, name)
			}
			if !slices.Equal(names, c.moves) {
				t.Errorf("kept are %v, want %v", names, c.moves)
			}
			what, ends := "restore", "mrs-x is restored from snapshot 01234567"
			switch {
			case strings.Contains(c.name, "restore point"):
				ends = "mrs-x is restored to the restore point before"
			case strings.Contains(c.name, "a second"):
				ends = "mrs-x is restored to 2026-11-29 09:00:00 UTC"
			case c.logged != "":
				ends = "mrs-x is restored to the end of the log"
			case c.adopts:
				what, ends = "copy", "mrs-x has adopted "+aCopy
			}
			if line := last(w.ledger()); !strings.Contains(line, `"what": "`+what+`", "outcome": "good"`) {
				t.Errorf("the record is %s", line)
			}
			if last(w.said) != ends {
				t.Errorf("it says %q", w.said)
			}
			stamp := strings.TrimPrefix(filepath.Ext(last(kept)), ".")
			w.discards = true
			w.must(func(ctx context.Context, i *Instance) error { return i.Discard(ctx, stamp) })
			if kept, _ := filepath.Glob(w.home("*." + stamp)); len(kept) > 0 || w.has() != c.want {
				t.Errorf("after its discard there are %v, and the application has %s", kept, w.has())
			}
		})
	}
}

func TestWhatNoLogHasIsRefusedAndWithoutLogItIsTheSnapshot(t *testing.T) {
	for _, c := range []struct {
		logged string
		asked  []string
		why    string // empty: it is restored
		said   string
	}{
		{"here", []string{"--at", "2026-11-29T09:30:01Z"}, "the log covers 2026-11-29 08:00:00 UTC to 2026-11-29 09:30:00 UTC, and not 2026-11-29 09:30:01 UTC", ""},
		{"here", []string{"--point", "never"}, "no log has the restore point never", ""},
		{"", []string{"--point", "never"}, "no log has the restore point never", ""},
		{"", []string{"--at", "2026-11-29T09:00:00Z", "--xid", "4711"}, "there is no log that could have transaction 4711", ""},
		{"here", []string{"--at", "2026-11-29T07:00:00Z", "--xid", "4711"}, "the log covers 2026-11-29 08:00:00 UTC to 2026-11-29 09:30:00 UTC, and not 2026-11-29 07:00:00 UTC", ""},
		{"here", []string{"--only", "database", "--at", "2026-11-29T09:00:00Z", "--xid", "4711"}, "", "mrs-x is restored to the moment before transaction 4711 ended"},
		{"here", []string{"--at", "2026-11-29T07:00:00Z"}, "there is no such snapshot of mrs-x", ""},
		{"", []string{"--at", "2026-11-29T09:00:00Z"}, "", "there is no log of 2026-11-29 09:00:00 UTC: it is the last snapshot before that, 01234567"},
	} {
		w := way{logged: c.logged}.world(t)
		err := w.run(nil, way{asked: c.asked}.do)
		if (err == nil) != (c.why == "") || err != nil && !strings.HasPrefix(err.Error(), c.why) || c.said != "" && !slices.Contains(w.said, c.said) {
			t.Errorf("%s: %v; it said %q", c.asked, err, w.said)
		}
	}
}

func TestLogThatIsDamagedHereComesFromTheRepository(t *testing.T) {
	for call, from := range map[string]string{"": "/archive/" + stream, "recover#1": "/fetched/mnt/archive/" + stream} {
		w := way{logged: "repository"}.world(t)
		w.log(w.path("archive/" + stream))
		if err := w.run(strike.At{call: strike.Fails}, ways[4].do); err != nil || w.has() != ways[4].want || len(w.left()) > 0 {
			t.Errorf("%s: %v; the application has %s; left: %v", call, err, w.has(), w.left())
		}
		if last := w.recovered[len(w.recovered)-1]; !strings.HasSuffix(last.Stream.Folder, from) {
			t.Errorf("%s: it comes from %s", call, last.Stream.Folder)
		}
	}
}

// Every restore is struck before, in and after every call of it; what undoes it is struck at every
// call, too, once where several restores are undone by the same calls.
func TestWhateverStrikesARestoreAtWhateverMomentNothingIsLost(t *testing.T) {
	count, undone := 0, map[string]bool{}
	for _, c := range ways {
		w := c.world(t)
		w.must(c.do)
		for _, call := range w.calls.Made() {
			for _, s := range strike.All {
				t.Run(fmt.Sprintf("%s, %s %s", c.name, call, s), func(t *testing.T) {
					count++
					w := c.struck(t, strike.At{call: s})
					if s != strike.Fails {
						return
					}
					undoing := slices.Index(w, call)
					if undoing < 0 || undone[strings.Join(w[undoing:], " ")] {
						return
					}
					undone[strings.Join(w[undoing:], " ")] = true
					for _, next := range w[undoing+1:] {
						for _, again := range []strike.Strike{strike.Fails, strike.Ended, strike.Killed, strike.KilledLate} {
							count++
							c.struck(t, strike.At{call: s, next: again})
						}
					}
				})
			}
		}
	}
	t.Logf("%d restores were struck", count)
}

// struck carries it out with strikes, and has the next one get it straight. It returns what was called.
func (c way) struck(t *testing.T, strikes strike.At) (calls []string) {
	t.Helper()
	w := c.world(t)
	err := w.run(strikes, c.do)
	calls = w.calls.Made()
	what := fmt.Sprint(strikes)
	if w.wreck != nil {
		w = w.wrecked()
		w.lost(what)
		if !w.is(".running.restore") && !w.is(".running.copy") && !strings.Contains(last(w.ledger()), `"outcome"`) {
			t.Errorf("%s: nobody would hear of it", what)
		}
	} else {
		c.ended(w, strikes, what, err)
	}
	if w.wreck == nil && err == nil {
		return calls
	}
	w.lost(what)
	// What was killed, or could not be undone, is by whoever comes next.
	cut := w.is(".running.restore") || w.is(".running.copy")
	w.must(reclaim)
	if cut != slices.ContainsFunc(w.told, func(text string) bool { return strings.Contains(text, "was cut short") }) {
		t.Errorf("%s: it was cut short: %t; told is %q", what, cut, w.told)
	}
	w.lost(what + ", recovered")
	if has := w.has(); has != before && has != c.want {
		t.Errorf("%s: recovered, the application has %s\n%s", what, has, strings.Join(w.said, "\n"))
	}
	if marks, _ := filepath.Glob(w.home(".running.*")); len(marks) > 0 || w.is(swapFile) {
		t.Errorf("%s: recovered, there is %v", what, marks)
	}
	if c.adopts {
		w.databases[aCopy] = "copied"
	}
	w.must(c.do)
	if w.has() != c.want {
		t.Errorf("%s: the next one leaves the application with %s", what, w.has())
	}
	left := slices.DeleteFunc(w.left(), func(name string) bool { return strings.HasSuffix(name, "1x1.png") })
	if len(left) > 0 {
		t.Errorf("%s: the next one leaves %v", what, left)
	}
	w.lost(what + ", once more")
	return calls
}

func (w *world) is(name string) bool {
	_, err := os.Lstat(w.home(name))
	return err == nil
}

// ended fails the test unless one that was struck, and not killed, has ended as it has to.
func (c way) ended(w *world, strikes strike.At, what string, err error) {
	w.t.Helper()
	if len(w.ledger()) != 1 {
		w.t.Errorf("%s: the record is %q", what, w.ledger())
	}
	if err == nil {
		if w.has() != c.want || w.is(swapFile) {
			w.t.Errorf("%s: it ends well, and the application has %s", what, w.has())
		}
		return
	}
	f, ok := errors.AsType[*backup.Failure](err)
	if !ok {
		w.t.Fatalf("%s: %v", what, err)
	}
	for _, s := range strikes {
		told := s == strike.Ended || s == strike.Hangs
		if told && len(strikes) == 1 && (!strings.HasPrefix(f.Reason, "interrupted") || f.Status != 130) {
			w.t.Errorf("%s: it ends with %+v", what, f)
		}
	}
	if !strings.Contains(last(w.ledger()), `"outcome": "failed"`) {
		w.t.Errorf("%s: the record is %s", what, last(w.ledger()))
	}
	if strings.Contains(f.Reason, "NOT all could be put back") {
		if len(strikes) == 1 {
			w.t.Errorf("%s: nothing struck what undoes it, and it says %s", what, f.Reason)
		}
		if !w.is(swapFile) || !strings.Contains(f.Hint, "restore.sh recover") {
			w.t.Errorf("%s: of %s nothing is written down; %s", what, f.Reason, f.Hint)
		}
		return
	}
	if w.has() != before {
		w.t.Errorf("%s: it says %q, and the application has %s", what, f.Reason, w.has())
	}
	left := w.left()
	for _, pattern := range []string{"log.*", "mrsattachments.*", "spooler.*"} {
		found, _ := w.glob(pattern)
		left = append(left, found...)
	}
	left = slices.DeleteFunc(left, func(name string) bool { // a database that can't be dropped is for the next one
		return strings.HasPrefix(name, "mrs_restore_") && struckAt(strikes, "drop database")
	})
	if len(left) > 0 {
		w.t.Errorf("%s: left: %v", what, left)
	}
}

// struckAt reports whether one of the strikes is at a call of that name.
func struckAt(strikes strike.At, name string) bool {
	return slices.ContainsFunc(slices.Collect(maps.Keys(strikes)), func(call string) bool {
		return strings.HasPrefix(call, name+"#")
	})
}

// Also where all of it seems to be there: what has ended with an error may be a part.
func TestARestoreThatFailsSaysWhyAndIsUndone(t *testing.T) {
	for call, why := range map[string]string{
		"restic restore of folders#1":  "the folders can't be read from the repository: struck",
		"restic restore of the dump#1": "the dump can't be read from the repository: struck",
		"pg_restore#1":                 "the database can't be restored",
		"up trial#1":                   "the application can't be started on it",
		"well trial#1":                 "the application does not run well on it: struck",
		"analyze#1":                    "the database can't be analyzed",
		"alter database rename#1":      "the databases can't be renamed: struck",
		"up#1":                         "the stack does not start on it",
		"well django#1":                "the application does not run well on it: struck",
	} {
		for _, s := range []strike.Strike{strike.Fails, strike.FailsLate} {
			w := newWorld(t)
			err := w.run(strike.At{call: s}, ways[0].do)
			if err == nil || err.Error() != why+"; nothing was restored, mrs-x is as it was before" {
				t.Errorf("%s %s: %v", call, s, err)
			}
			if line := last(w.ledger()); !strings.Contains(line, `"reason": "`+why) {
				t.Errorf("%s %s: the record, which Slack is told of, is %s", call, s, line)
			}
		}
	}
}

func TestARestoreThatAnOldScriptBeganIsUndone(t *testing.T) {
	w := newWorld(t)
	const stamp = "20261128T230000Z"
	w.write(
		"home/.restore.swap",
		"stamp="+stamp+"\nbeside="+w.home(".restore-"+stamp)+"\ndatabase=mrs_restore_20261128t230000z\n"+
			"kept=mrs_20261128t230000z\nlive_dump="+w.home("postgres/dump")+"\nrestarts=always\nplaceholder=''\n"+
			"folders=(log mrsattachments spooler)\nstar",
	)
	w.databases = map[string]string{"mrs": "new", "mrs_20261128t230000z": "old"}
	w.running, w.policy = false, "no"
	if err := os.Rename(w.home("log"), w.home("log."+stamp)); err != nil {
		t.Fatal(err)
	}
	w.write("home/log/mrs.log", "new")
	if err := os.Rename(w.home("mrsattachments"), w.home("mrsattachments."+stamp)); err != nil {
		t.Fatal(err)
	}
	w.write("home/.running.restore", "1764370800\n")
	w.must(reclaim)
	if w.has() != before || len(w.left()) > 0 {
		t.Errorf("the application has %s; left: %v", w.has(), w.left())
	}
	if !slices.Contains(w.said, "mrs-x is as it was before") || len(w.told) != 1 ||
		!strings.Contains(w.told[0], "was cut short (docs/runbook.md)") {
		t.Errorf("it says %q, and tells %q", w.said, w.told)
	}
}

// From the moment on that the site is started on it, visitors may have entered what is nowhere else.
func TestWhatPeopleMayHaveUsedIsKeptWhenItIsUndone(t *testing.T) {
	kept := func(w *world) string {
		var all []string
		for name, content := range w.databases {
			if strings.HasPrefix(name, "mrs_undone_") {
				all = append(all, "database "+content)
			}
		}
		for _, file := range []string{"log.undone/mrs.log", "mrsattachments.undone/1.pdf"} {
			if found, _ := w.glob("undone.*/" + file); len(found) == 1 {
				all = append(all, file)
			}
		}
		return strings.Join(all, ", ")
	}
	want := []string{"database new, log.undone/mrs.log, mrsattachments.undone/1.pdf", "database new",
		"mrsattachments.undone/1.pdf", ""} // a copy is somebody else's
	for n, c := range ways[:len(want)] {
		for _, strikes := range []strike.At{
			{"up#1": strike.KilledLate}, {"well django#1": strike.KilledLate}, {"mv .restore.swap#1": strike.Killed},
			{"well django#1": strike.Ended}, {"well django#1": strike.EndedLate}, {"well django#1": strike.Fails},
			{"mv .restore.swap#1": strike.Fails}, {"up#1": strike.FailsLate},
		} {
			w := newWorld(t)
			err := w.run(strikes, c.do)
			if w.wreck != nil {
				w = w.wrecked()
				w.must(reclaim)
			}
			if w.has() != before || kept(w) != want[n] || w.is(swapFile) {
				t.Errorf("%s, %v: %v; the application has %s; kept is %q", c.name, strikes, err, w.has(), kept(w))
			}
			w.must(ways[2].do) // which removes what it takes for left over
			if kept(w) != want[n] {
				t.Errorf("%s, %v: after the next one, kept is %q", c.name, strikes, kept(w))
			}
			if told := slices.ContainsFunc(w.said, func(line string) bool {
				return strings.HasPrefix(line, "kept, as the site had been started on it: ")
			}); told {
				t.Errorf("%s, %v: the next one says it", c.name, strikes)
			}
		}
	}
}

func TestWhatPeopleMayHaveUsedIsKeptThoughTheUndoIsKilledToo(t *testing.T) {
	killed := func() *world {
		w := newWorld(t)
		_ = w.run(strike.At{"up#1": strike.KilledLate}, ways[0].do)
		return w.wrecked()
	}
	w := killed()
	w.must(reclaim)
	for _, call := range w.calls.Made() {
		for _, s := range []strike.Strike{strike.Fails, strike.FailsLate, strike.Killed, strike.KilledLate} {
			w := killed()
			_ = w.run(strike.At{call: s}, reclaim)
			if w.wreck != nil {
				w = w.wrecked()
			}
			_ = w.run(nil, reclaim)
			w.must(ways[2].do)
			undone, _ := w.glob("undone.*/*.undone/*")
			if !slices.Contains(slices.Collect(maps.Values(w.databases)), "new") || len(undone) != 3 {
				t.Errorf("%s %s: kept are %v, %v", call, s, undone, w.databases)
			}
		}
	}
}

// Somebody restores because what runs is broken: it was not healthy before, and is not to be afterwards.
func TestAnUndoDoesNotDependOnTheHealthOfWhatWasThere(t *testing.T) {
	ill := strike.At{"well django#1": strike.Fails, "up until healthy#1": strike.Fails}
	w := newWorld(t)
	err := w.run(ill, ways[0].do)
	if f, ok := errors.AsType[*backup.Failure](err); !ok || f.Status != hostapi.AsBefore || w.has() != before ||
		w.is(swapFile) || !slices.Contains(w.said, "not all that runs is healthy, as it was not before, maybe: struck") {
		t.Errorf("%v; it has %s, and says %q", err, w.has(), w.said)
	}
	w.must(ways[0].do) // another snapshot may heal it
	if w.has() != ways[0].want {
		t.Errorf("the next one leaves it with %s", w.has())
	}

	// Nor on that of its neighbours, which Compose waits for.
	w = newWorld(t)
	if err := w.run(strike.At{"well django#1": strike.Fails, "up#2": strike.FailsLate}, ways[0].do); w.has() != before ||
		w.is(swapFile) || !slices.Contains(w.said, "not all of it starts: struck") {
		t.Errorf("%v; it has %s, and says %q", err, w.has(), w.said)
	}

	w = newWorld(t)
	_ = w.run(strike.At{"well django#1": strike.Killed}, ways[0].do)
	w = w.wrecked()
	if err := w.run(strike.At{"up until healthy#1": strike.Fails}, reclaim); err != nil || w.has() != before ||
		w.is(swapFile) || w.retried > 0 {
		t.Errorf("after a kill: %v; it has %s", err, w.has())
	}
}

// It is what may go where the disk is full, which ends PostgreSQL.
func TestADiscardMakesRoomFirst(t *testing.T) {
	w := newWorld(t)
	w.must(ways[0].do)
	w.discards = true
	discards := func(ctx context.Context, i *Instance) error { return i.Discard(ctx, "20261129T100001Z") }
	err := w.run(strike.At{"pg_isready#1": strike.Fails}, discards)
	kept, _ := w.glob("*.20261129T100001Z")
	_, database := w.databases["mrs_20261129t100001z"]
	f, ok := errors.AsType[*backup.Failure](err)
	if !ok || f.Reason != "the folders that were kept at 20261129T100001Z are removed, its databases are not: struck" ||
		f.Hint != w.home("restore.sh")+" discard 20261129T100001Z, once PostgreSQL answers" || len(kept) > 0 || !database {
		t.Errorf("%+v; there are %v, and %v", err, kept, w.databases)
	}
	w.must(discards)
	if _, is := w.databases["mrs_20261129t100001z"]; is || w.has() != ways[0].want {
		t.Errorf("there are %v; the application has %s", w.databases, w.has())
	}
	if err := w.run(nil, discards); err == nil || err.Error() != "nothing is kept at 20261129T100001Z" {
		t.Errorf("once more: %v", err)
	}
}

func TestADiscardWithoutAStampNamesAllThereAre(t *testing.T) {
	w := newWorld(t)
	if err := os.RemoveAll(w.home("spooler")); err != nil {
		t.Fatal(err)
	}
	w.must(ways[1].do) // keeps a database alone
	w.must(ways[2].do)
	asks := func(ctx context.Context, i *Instance) error { return i.Discard(ctx, "") }
	f, ok := errors.AsType[*backup.Failure](w.run(nil, asks))
	if !ok || !strings.Contains(f.Hint, "mrsattachments.20261129T10") || !strings.Contains(f.Hint, "20261129T100001Z") {
		t.Errorf("%+v", f)
	}
}

func TestWhatCanNotBeUndoneIsTriedAgainAndToldOnce(t *testing.T) {
	w := newWorld(t)
	_ = w.run(strike.At{"stop#1": strike.KilledLate}, ways[0].do)
	w = w.wrecked()
	discards := func(ctx context.Context, i *Instance) error { return i.Discard(ctx, "20261129T100001Z") }
	if err := w.run(nil, discards); err == nil || err.Error() != "a restore was cut short, and is to be undone first" {
		t.Errorf("what is all that there is can be discarded: %v", err)
	}
	stuck := strike.At{"up postgres#1": strike.Fails}
	err := w.run(stuck, func(ctx context.Context, i *Instance) error { return i.Recover(ctx, "") })
	f, ok := errors.AsType[*backup.Failure](err)
	if !ok || !strings.Contains(f.Reason, "NOT all could be put back, and nothing more is touched") ||
		!strings.Contains(f.Hint, "it is tried again every 30 s, or at once by "+w.home("restore.sh")+" recover") ||
		w.retried != 1 || len(w.told) != 1 {
		t.Errorf("%+v; it is tried again %d times, and told %q", f, w.retried, w.told)
	}
	if err := w.run(stuck, func(ctx context.Context, i *Instance) error { return i.Recover(ctx, Again) }); err == nil ||
		w.retried != 1 || len(w.told) != 0 {
		t.Errorf("once more: %v; it is tried again %d times, and told %q", err, w.retried, w.told)
	}
	w.must(func(ctx context.Context, i *Instance) error { return i.Recover(ctx, Again) })
	if w.has() != before || !strings.Contains(w.told[0], "a restore that could not be undone is undone") {
		t.Errorf("the application has %s; told is %q", w.has(), w.told)
	}
}

// A disk can't be moved aside: rename(2) says EBUSY, hours later, with the site down.
func TestAFolderThatIsADiskIsRefusedBeforeAnythingIsDone(t *testing.T) {
	for _, disk := range movable {
		for _, c := range ways {
			w := c.world(t)
			w.disks = []string{disk}
			err := w.run(nil, c.do)
			if !slices.Contains(c.moves, disk) {
				if err != nil || w.has() != c.want {
					t.Errorf("%s, and %s is a disk: %v", c.name, disk, err)
				}
				continue
			}
			f, ok := errors.AsType[*backup.Failure](err)
			if !ok || f.Status != hostapi.AsBefore || !strings.HasPrefix(f.Reason, w.home(disk)+" is a disk of its own") ||
				w.has() != before {
				t.Errorf("%s, and %s is a disk: %+v", c.name, disk, err)
			}
			for _, call := range w.calls.Made() {
				if call != "keeps#1" && !strings.HasPrefix(call, "append to .running") && !strings.HasPrefix(call, "rm trial#") {
					t.Errorf("%s, and %s is a disk: %s was called", c.name, disk, call)
				}
			}
		}
	}
}

// The snapshot has a dump of 40 bytes, attachments of 1000 and a log of 10: the live PostgreSQL ends where its disk is
// full.
func TestThereHasToBeRoomForAllThatIsMadeOnEachDisk(t *testing.T) {
	drill := func(ctx context.Context, i *Instance) error { return i.Drill(ctx, "latest", "hand") }
	lend := func(ctx context.Context, i *Instance) error { return i.Lend(ctx, "latest", strings.NewReader("")) }
	for _, c := range []struct {
		name  string
		do    func(context.Context, *Instance) error
		disks []string
		full  string // the folder that has too little
		needs int64
	}{
		{"all on one disk", ways[0].do, nil, "", 1010 + 40 + 120},
		{"the dumps have one of their own", ways[0].do, []string{"postgres/dump"}, "", 1010 + 120},
		{"the data have one of their own", ways[0].do, []string{"postgres/data"}, "", 1010 + 40},
		{"the database", ways[1].do, nil, "postgres/data", 40 + 120},
		{"the attachments", ways[2].do, nil, "", 1000},
		{"a copy, which is there", ways[3].do, nil, "", 0},
		{"a drill", drill, nil, "", 1010 + 40 + 120},
		{"one that is lent", lend, []string{"postgres/dump"}, "postgres/data", 120},
	} {
		w := newWorld(t)
		if err := os.MkdirAll(w.home("postgres/data"), 0o700); err != nil {
			t.Fatal(err)
		}
		w.disks, w.free = c.disks, c.needs
		if err := w.run(nil, c.do); err != nil {
			t.Errorf("%s, and there is as much as it needs: %v", c.name, err)
		}
		w.free = c.needs - 1
		err := w.run(nil, c.do)
		if c.needs == 0 {
			continue
		}
		want := fmt.Sprintf("%s has %s free, and about %s are needed", filepath.Join(w.home(""), c.full),
			backup.Human(w.free), backup.Human(c.needs))
		if err == nil || !strings.HasPrefix(err.Error(), want) || slices.Contains(w.calls.Made(), "pg_restore#1") {
			t.Errorf("%s, and a byte is missing: %v, want %s", c.name, err, want)
		}
	}
}

// The hint of a backup that misses them says so: restore them.
func TestAFolderThatIsGoneIsRestored(t *testing.T) {
	for _, gone := range []string{"mrsattachments", "log"} {
		for _, c := range []way{ways[0], ways[2]} {
			if gone == "log" && c.asked[0] == "--only" {
				continue
			}
			w := newWorld(t)
			if err := os.RemoveAll(w.home(gone)); err != nil {
				t.Fatal(err)
			}
			if err := w.run(nil, c.do); err != nil || w.has() != c.want {
				t.Errorf("%s, and %s is gone: %v; it has %s", c.name, gone, err, w.has())
			}
			// Undone, there is an empty one, which is what was lost.
			w = newWorld(t)
			if err := os.RemoveAll(w.home(gone)); err != nil {
				t.Fatal(err)
			}
			err := w.run(strike.At{"well django#1": strike.Fails}, c.do)
			if err == nil || strings.Contains(err.Error(), "NOT all") || w.is(swapFile) {
				t.Errorf("%s, and %s is gone, undone: %v; it has %s", c.name, gone, err, w.has())
			}
		}
	}
}

func TestWhatIsAskedForIsUnderstoodOrRefused(t *testing.T) {
	i := newWorld(t).instance()
	for words, want := range map[string]string{
		"latest": "", "0123abcd": "", "--only database latest": "", "--only attachments --at 2026-11-20": "",
		"adopt " + aCopy:    "",
		"0123abc":           "'0123abc' is not a snapshot",
		"../x":              "'../x' is not a snapshot",
		"$(id)":             "'$(id)' is not a snapshot",
		"--only":            "--only '' is not known",
		"--only log latest": "--only 'log' is not known",
		"--at yesterday":    "'yesterday' is not a time",
		"--at 2026-13-20":   "'2026-13-20' is not a time",
		"adopt mrs":         "'mrs' is no name of a copy",
		"adopt":             "'' is no name of a copy",
		// What is restored is what was meant, or nothing.
		"latest --at 2026-11-20": "", "--at 2026-11-20 latest": "",
		"0123abcd --at 2026-11-20":          "a snapshot and a time are two answers to which one",
		"--at 2026-11-20 0123abcd":          "a snapshot and a time are two answers to which one",
		"0123abcd 89abcdef":                 "'0123abcd' and '89abcdef' are two snapshots",
		"latest 89abcdef":                   "'latest' and '89abcdef' are two snapshots",
		"--at 2026-11-20 --at 2026-11-21":   "--at is there twice",
		"--only database --only log":        "--only 'log' is not known",
		"adopt " + aCopy + " now":           "'now' is too much",
		"--only database --only database x": "'x' is not a snapshot",
		"--at 2026-11-20 --xid 4711":        "", "--only database latest --at 2026-11-20 --xid 4711": "",
		"--at 2026-11-20 --xid 2":                       "'2' is no transaction",
		"--at 2026-11-20 --xid 0x1267":                  "'0x1267' is no transaction",
		"latest --xid 4711":                             "a transaction is of the database, and says not when it was",
		"--only attachments --at 2026-11-20 --xid 4711": "a transaction is of the database, and says not when it was",
		"--at 2026-11-20 --xid 4711 --point before":     "a restore point is of the database alone, and by itself says when",
	} {
		_, err := i.Parse(strings.Fields(words))
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%s: %v", words, err)
		}
	}
	for _, words := range []string{"--at 2026-11-20 latest", "latest --at 2026-11-20"} {
		if q, err := i.Parse(strings.Fields(words)); err != nil || q.Wanted != "" || q.At.IsZero() {
			t.Errorf("%s is the last one before that time: %+v, %v", words, q, err)
		}
	}
	i.Settings.Name, i.Settings.Production = "mrs-production", true
	if _, err := i.Parse([]string{"adopt", aCopy}); err == nil ||
		err.Error() != "mrs-production adopts no copy, whoever asks" {
		t.Errorf("%v", err)
	}
	zone := time.Local
	time.Local = time.FixedZone("CET", 3600)
	defer func() { time.Local = zone }()
	for text, want := range map[string]string{
		"2026-11-20": "2026-11-19T23:00:00Z", "2026-11-20 14:00": "2026-11-20T13:00:00Z",
		"2026-11-20T14:00:30":  "2026-11-20T13:00:30Z",
		"2026-11-20 14:00 UTC": "2026-11-20T14:00:00Z", "2026-11-20 14:00Z": "2026-11-20T14:00:00Z",
		"2026-11-20 14:00+02:00": "2026-11-20T12:00:00Z", "2026-11-20 14:00-0330": "2026-11-20T17:30:00Z",
	} {
		if got, ok := parseTime(text); !ok || got.UTC().Format(time.RFC3339) != want {
			t.Errorf("%s is %s, %t", text, got.UTC().Format(time.RFC3339), ok)
		}
	}
}

func TestAJournalIsReadAsAShellReadsIt(t *testing.T) {
	const stamp = "20261128T230000Z"
	s := Swap{Stamp: stamp, Beside: "/home/it's x/.restore-" + stamp, Database: "a", Kept: "b", Restarts: "always",
		Folders: []string{"log", "spooler"}, Placeholder: true, Started: true,
		Snapshot: theSnapshot, Only: "database", Properties: `{"a":"it's"}`}
	if got, err := parseSwap(s.String()); err != nil || fmt.Sprint(got) != fmt.Sprint(s) {
		t.Errorf("%+v, %v\n%s", got, err, s.String())
	}
	upgrade := Swap{Stamp: stamp, Beside: "/home/x/.restore-" + stamp, Restarts: "always", Folders: []string{"spooler"},
		Moves: []Move{{"postgres/data", ".restore-" + stamp + "/data"}, {"docker-compose.yml", "docker-compose.yml.1"}}}
	if got, err := parseSwap(upgrade.String() + "started=yes\n"); err != nil || !got.Started ||
		fmt.Sprint(got.Moves) != fmt.Sprint(upgrade.Moves) || got.Dated(got.Moves[0]) != "postgres-data."+stamp {
		t.Errorf("%+v, %v\n%s", got, err, upgrade.String())
	}
	for text, want := range map[string]string{
		`/home/it\'s\ x`: "/home/it's x", `$'/h\303\251\n\''`: "/hé\n'", "''": "", "": "", "'a b'": "a b",
	} {
		if got, err := word(text); err != nil || got != want {
			t.Errorf("%s is %q, %v", text, got, err)
		}
	}
	for name, text := range map[string]string{
		"nothing":        "",
		"another folder": strings.Replace(s.String(), "folders=(log", "folders=(../etc", 1),
		"elsewhere":      strings.Replace(s.String(), ".restore-", "", 1),
		"a way out":      strings.Replace(upgrade.String(), "(postgres/data", "(../etc", 1),
		"from anywhere":  strings.Replace(upgrade.String(), ":.restore-", ":/etc/.restore-", 1),
		"no databases":   strings.Replace(upgrade.String(), "moves=", "mooves=", 1),
		"no stamp":       strings.Replace(s.String(), "stamp="+stamp, "stamp=", 1),
	} {
		if got, err := parseSwap(text); err == nil {
			t.Errorf("%s is read as %+v", name, got)
		}
	}
}

// ahead is a restic with a snapshot that was made while the clock was ahead.
type ahead struct{ repository }

var ofTheFuture = strings.Repeat("f", 64)

func (a ahead) Snapshots(ctx context.Context) ([]restic.Snapshot, error) {
	all, err := a.repository.Snapshots(ctx)
	return append(all, restic.Snapshot{ID: ofTheFuture, Host: "mrs-x", Time: a.now.AddDate(1, 0, 0),
		Tags: []string{"mrs-x", "timer"}}), err
}

func TestTheLatestSnapshotIsNotOneThatSeemsToBeYetToCome(t *testing.T) {
	made := func(snapshot string) string {
		return `{"time": "2026-11-29T09:00:00Z", "what": "backup", "outcome": "good", "snapshot": "` + snapshot + `"}` + "\n"
	}
	for name, c := range map[string]struct{ wanted, ledger, want string }{
		"one was made since":        {"latest", made("ffffffff") + made("01234567"), theSnapshot},
		"it is the last one":        {"latest", made("01234567") + made("ffffffff"), ofTheFuture},
		"nothing is known":          {"latest", "", ofTheFuture},
		"the last one is gone":      {"latest", made("89abcdef"), theSnapshot},
		"somebody wants it":         {"ffffffff", made("01234567"), ofTheFuture},
		"a prune was the last work": {"latest", made("ffffffff") + `{"what": "prune", "outcome": "good"}` + "\n", ofTheFuture},
	} {
		w := newWorld(t)
		w.write("log/mrs-x.backups.log", c.ledger)
		w.must(func(ctx context.Context, i *Instance) error {
			i.With = func(string) backup.Repository { return ahead{repository{w}} }
			r := &run{Instance: i, record: i.Begin("restore", ""), asked: Request{Wanted: c.wanted}}
			err := r.pick(ctx)
			if said := len(w.said) > 0; r.record.Snapshot != c.want || said != (c.wanted == "latest" && c.want == theSnapshot) {
				t.Errorf("%s: it is %s; said is %q", name, r.record.Snapshot, w.said)
			}
			return err
		})
	}
}
