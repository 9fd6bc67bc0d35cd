package restore

import (
	"context"
	"errors"
	"maps"
	"os"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
	"github.com/betagouv/mrs-ops/internal/hostside/strike"
)

// beside are the databases beside the live one.
func (w *world) beside() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(w.databases)), func(name string) bool { return name == "mrs" })
}

func adopts(name string) func(context.Context, *Instance) error {
	return way{asked: []string{"adopt", name}}.do
}

// The folder is the application's, which runs meanwhile; the picture is put there by root.
func TestThePictureIsPutWhereNothingIsAndFollowsNoLink(t *testing.T) {
	for _, there := range []string{"", "a file", "a link"} {
		w := newWorld(t)
		w.write("etc/shadow", "secret")
		switch there {
		case "a file":
			w.write("home/"+picture, "theirs")
		case "a link":
			if err := os.Symlink(w.path("etc/shadow"), w.home(picture)); err != nil {
				t.Fatal(err)
			}
		}
		if err := (&run{Instance: w.instance()}).putPixel(); err != nil {
			t.Errorf("%s: %v", there, err)
		}
		info, err := os.Stat(w.path("etc/shadow"))
		if text, _ := os.ReadFile(w.path("etc/shadow")); string(text) != "secret" || err != nil || info.Mode() != 0o600 {
			t.Errorf("%s: what it leads to is %q, %v", there, text, info.Mode())
		}
		is := w.read(picture)
		if png := strings.HasPrefix(is, "\x89PNG"); png != (there == "") || there == "a file" && is != "theirs" {
			t.Errorf("where there is %q, it is %q", there, is)
		}
		if info, err := os.Lstat(w.home(picture)); there == "" && (err != nil || info.Mode() != 0o640) {
			t.Errorf("its mode is %v", info.Mode())
		}
	}
}

func TestOfWhatAdoptionsKeepTheLastIsLeft(t *testing.T) {
	w := newWorld(t)
	w.must(adopts(aCopy))
	first := w.beside()
	if len(first) != 1 || w.databases[first[0]] != "old" || !strings.HasPrefix(first[0], "mrs_before_") {
		t.Fatalf("beside it are %v", first)
	}
	const another = "mrs_copy_20261121t140000z"
	w.databases[another] = "copied"
	w.write("home/spooler/mail/2", "waits")
	w.discards = true
	w.must(adopts(another))
	now := w.beside()
	if len(now) != 1 || slices.Equal(now, first) || w.databases[now[0]] != "copied" {
		t.Errorf("beside it were %v, and are %v", first, now)
	}
	if kept, _ := w.glob("spooler.*"); len(kept) != 1 {
		t.Errorf("of the spooler are kept %v", kept)
	}
}

func TestACopyOnWhichTheApplicationDoesNotRunIsDropped(t *testing.T) {
	for call, why := range map[string]string{
		"up trial#1":   "the application can't be started on it",
		"well trial#1": "the application does not run well on it: struck",
		"bring#1":      "struck",
		"lets in#1":    "it is not open to dev with the password dev: struck",
		"analyze#1":    "the database can't be analyzed",
	} {
		w := newWorld(t)
		err := w.run(strike.At{call: strike.Fails}, adopts(aCopy))
		if err == nil || err.Error() != why+"; nothing was adopted, mrs-x is as it was before" {
			t.Errorf("%s: %v", call, err)
		}
		if w.has() != before || len(w.beside()) > 0 {
			t.Errorf("%s: the application has %s; beside it are %v", call, w.has(), w.beside())
		}
		if line := last(w.ledger()); !strings.Contains(line, `"what": "copy", "outcome": "failed", "reason": "`+why) {
			t.Errorf("%s: the record is %s", call, line)
		}
	}
}

func TestDevelopersWhoComeTooEarlyAreLetInOnceAllIsMigrated(t *testing.T) {
	w := newWorld(t)
	if err := w.run(strike.At{"developers#1": strike.Fails}, adopts(aCopy)); err != nil || w.databases["mrs"] != "copied" {
		t.Errorf("%v; it has %s", err, w.has())
	}
	w = newWorld(t)
	err := w.run(strike.At{"developers#1": strike.Fails, "developers#2": strike.Fails}, adopts(aCopy))
	if err == nil || !strings.HasPrefix(err.Error(), "it is not open to dev with the password dev: struck") ||
		w.has() != before || len(w.beside()) > 0 {
		t.Errorf("%v; it has %s; beside it are %v", err, w.has(), w.beside())
	}
}

func TestWhatIsNotThereIsNotAdopted(t *testing.T) {
	w := newWorld(t)
	const none = "mrs_copy_20261124t140000z"
	err := w.run(nil, adopts(none))
	if err == nil || err.Error() != "there is no database "+none+"; nothing was adopted, mrs-x is as it was before" {
		t.Errorf("%v", err)
	}
}

func abandons(ctx context.Context, i *Instance) error { return i.Abandon(ctx) }

func TestCopiesThatNobodyAdoptsAreAbandoned(t *testing.T) {
	w := newWorld(t)
	w.databases["mrs_before_20261120t140000z"] = "old"
	w.must(abandons)
	if got := w.beside(); !slices.Equal(got, []string{"mrs_before_20261120t140000z"}) ||
		!slices.Equal(w.said, []string{"dropped: " + aCopy}) {
		t.Errorf("beside it are %v; it says %q", got, w.said)
	}

	// One that was being adopted when that was killed is nobody's either.
	w = newWorld(t)
	_ = w.run(strike.At{"up trial#1": strike.Killed}, adopts(aCopy))
	w = w.wrecked()
	w.must(abandons)
	if len(w.beside()) > 0 || w.has() != before {
		t.Errorf("beside it are %v; the application has %s", w.beside(), w.has())
	}

	// One that is being adopted is not theirs.
	w = newWorld(t)
	const another = "mrs_copy_20261121t140000z"
	w.databases[another] = "copied"
	var meanwhile error
	w.must(func(ctx context.Context, i *Instance) error {
		i.Say = func(line string) {
			if strings.HasPrefix(line, "trying the application") {
				meanwhile = i.Abandon(ctx)
			}
		}
		return adopts(aCopy)(ctx, i)
	})
	if _, left := w.databases[another]; left || meanwhile != nil || w.databases["mrs"] != "copied" {
		t.Errorf("%v; beside it are %v", meanwhile, w.beside())
	}

	w = newWorld(t)
	err := w.run(strike.At{"drop database#1": strike.Fails}, abandons)
	if _, ok := errors.AsType[*backup.Failure](err); !ok {
		t.Errorf("one that can't be dropped: %v", err)
	}
}

// It belongs to the database that the restore has kept, whose mails are nowhere else.
func TestAnAdoptionLeavesWhatARestoreHasKept(t *testing.T) {
	w := newWorld(t)
	w.must(ways[0].do)
	restored, _ := w.glob("spooler.*")
	w.must(ways[3].do)
	w.databases[aCopy] = "copied"
	adopted, _ := w.glob("spooler.*")
	w.discards = true
	w.must(ways[3].do)
	if len(restored) != 1 || len(adopted) != 2 {
		t.Errorf("after the restore there is %v, after an adoption %v", restored, adopted)
	}
	for _, path := range append(restored, adopted...) {
		_, err := os.Stat(path)
		if kept := err == nil; kept != slices.Contains(restored, path) {
			t.Errorf("%s is kept: %t", path, kept)
		}
	}
}

// An adoption that waits behind a backup is of a copy that is filled; every other copy that begins abandons all.
func TestACopyThatIsAboutToBeAdoptedIsNotAbandoned(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w := newWorld(t)
		w.databases["mrs_copy_20261120t150000z"] = "copied"
		held, err := lock.Share(t.Context(), w.path("locks"), "mrs-x", func(string) {}) // a backup
		if err != nil {
			t.Fatal(err)
		}
		ended := make(chan error)
		go func() { ended <- w.run(nil, ways[3].do) }()
		time.Sleep(time.Minute)
		synctest.Wait()
		if err := w.instance().Abandon(t.Context()); err != nil {
			t.Error(err)
		}
		_, other := w.databases["mrs_copy_20261120t150000z"]
		if w.databases[aCopy] != "copied" || other {
			t.Errorf("there are %v", w.databases)
		}
		held.Close()
		if err := <-ended; err != nil || w.has() != ways[3].want {
			t.Errorf("%v; the application has %s", err, w.has())
		}
		w.databases[aCopy] = "copied"
		if err := w.instance().Abandon(t.Context()); err != nil || w.databases[aCopy] != "" {
			t.Errorf("%v; once it has ended, there are %v", err, w.databases)
		}
	})
}
