package lock

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"
)

func TestWhoSharesTheWorkWaitsOnlyForWhoChangesIt(t *testing.T) {
	folder := t.TempDir()
	quiet := func(line string) { t.Errorf("it waits: %s", line) }
	one, err := Share(t.Context(), folder, "mrs-x", quiet)
	if err != nil {
		t.Fatal(err)
	}
	two, err := Share(t.Context(), folder, "mrs-x", quiet)
	if err != nil {
		t.Fatal(err)
	}
	if Free(filepath.Join(folder, "mrs-x.work")) {
		t.Error("a deployment could begin")
	}
	one.Close()
	two.Close()
	if !Free(filepath.Join(folder, "mrs-x.work")) {
		t.Error("a deployment can't begin")
	}
}

func TestWhoChangesTheDataIsAlone(t *testing.T) {
	folder := t.TempDir()
	one, err := Alone(t.Context(), folder, "mrs-x", func(line string) { t.Errorf("it waits: %s", line) })
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	two, err := Share(t.Context(), folder, "mrs-x", func(line string) {
		said = append(said, line)
		one.Close()
	})
	if err != nil || len(said) != 1 {
		t.Fatalf("%v, %q", err, said)
	}
	defer two.Close()
	if held, free, err := TryFile(filepath.Join(folder, "mrs-x.work")); free || held != nil || err != nil {
		t.Errorf("what is shared is taken: %v, %v", free, err)
	}
	if held, free, err := TryFile(filepath.Join(folder, "another")); !free || err != nil {
		t.Errorf("what is free: %v, %v", free, err)
	} else {
		held.Close()
	}
}

func TestTheRepositoryIsForOneAndTheNextOneSaysThatItWaits(t *testing.T) {
	home := t.TempDir()
	held, err := Repository(t.Context(), home, "mrs-x", func(line string) { t.Error(line) })
	if err != nil {
		t.Fatal(err)
	}
	var said []string
	next, err := Repository(t.Context(), home, "mrs-x", func(line string) {
		said = append(said, line)
		held.Close()
	})
	if err != nil || len(said) != 1 ||
		said[0] != "another backup, restore, prune or drill of mrs-x is at the repository: waiting for its end" {
		t.Fatalf("%v, %q", err, said)
	}
	defer next.Close()
	ctx, end := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	if _, err := Repository(ctx, home, "mrs-x", func(string) { end(why) }); err != why {
		t.Errorf("one that is interrupted: %v", err)
	}
}

func TestALockThatDoesNotGetFreeIsGivenUpAndWhoHasItCanBeSeen(t *testing.T) {
	home := t.TempDir()
	synctest.Test(t, func(t *testing.T) {
		held, err := Repository(t.Context(), home, "mrs-x", func(string) {})
		if err != nil {
			t.Fatal(err)
		}
		defer held.Close()
		_, err = Repository(t.Context(), home, "mrs-x", func(string) {})
		stuck, ok := errors.AsType[*Stuck](err)
		if !ok || !strings.Contains(err.Error(), "does not end (waited for 2h0m0s)") ||
			stuck.Hint() != "see who: fuser -v "+home+"/.backup.lock" {
			t.Errorf("%v", err)
		}
	})
}

func TestALockOutlivesWhoOpensTheFileAgain(t *testing.T) {
	home := t.TempDir()
	held, err := Exclusive(t.Context(), filepath.Join(home, "lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	// Another one has the very file.
	again, err := os.OpenFile(held.File().Name(), os.O_RDONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	again.Close()
	if Free(held.File().Name()) {
		t.Error("it is free")
	}
}
