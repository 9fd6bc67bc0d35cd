package restore

import (
	"archive/tar"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
	"github.com/betagouv/mrs-ops/internal/hostside/strike"
)

// asks is a person to whom a database is lent, who looks at it once and gives it back.
type asks struct{ look func() }

func (a asks) Read([]byte) (int, error) {
	a.look()
	return 0, io.EOF
}

func lends(look func()) func(context.Context, *Instance) error {
	return func(ctx context.Context, i *Instance) error { return i.Lend(ctx, "latest", asks{look}) }
}

func (w *world) lent() (names []string) {
	for name := range w.databases {
		if strings.HasPrefix(name, "mrs_lent_") {
			names = append(names, name)
		}
	}
	return names
}

func TestADatabaseIsLentUntilItIsGivenBack(t *testing.T) {
	w := newWorld(t)
	var there []string
	w.must(lends(func() { there = w.lent() }))
	if len(there) != 1 || !slices.Contains(w.said, "lent "+there[0]) {
		t.Errorf("lent were %v; it said %q", there, w.said)
	}
	if len(w.lent()) > 0 || len(w.left()) > 0 || w.has() != before {
		t.Errorf("afterwards there are %v, %v", w.lent(), w.left())
	}
	if !slices.Equal(w.leaves, []string{"lend --return"}) {
		t.Errorf("what goes on by itself is %q", w.leaves)
	}
	if line := last(w.ledger()); !strings.Contains(line, `"what": "lend", "outcome": "good"`) ||
		!strings.Contains(line, `"bytes": 40`) {
		t.Errorf("the record is %s", line)
	}
}

func TestWhateverStrikesWhoLendsNothingStays(t *testing.T) {
	w := newWorld(t)
	w.must(lends(func() {}))
	for _, call := range w.calls.Made() {
		for _, s := range strike.All {
			t.Run(fmt.Sprintf("%s %s", call, s), func(t *testing.T) {
				w := newWorld(t)
				err := w.run(strike.At{call: s}, lends(func() {}))
				if w.wreck != nil {
					w = w.wrecked()
					w.must(func(ctx context.Context, i *Instance) error { return i.Return(ctx) })
				} else if f, ok := errors.AsType[*backup.Failure](err); ok && (s == strike.Ended || s == strike.Hangs) &&
					f.Status != 130 {
					t.Errorf("it ends with %+v", f)
				}
				dump, _ := os.ReadDir(w.home("postgres/dump"))
				// What can't be dropped is for the next one.
				if len(w.lent()) > 0 && !strings.HasPrefix(call, "drop database") || len(dump) > 0 ||
					w.has() != before {
					t.Errorf("there are %v, %v; the application has %s", w.lent(), dump, w.has())
				}
				w.must(lends(func() {}))
				if len(w.lent()) > 0 {
					t.Errorf("the next one leaves %v", w.lent())
				}
			})
		}
	}
}

// exports exports the snapshot, and has what came.
func exports(to *bytes.Buffer, lines *[]string) func(context.Context, *Instance) error {
	return func(ctx context.Context, i *Instance) error {
		return i.Export(ctx, "latest", to, func(line string) { *lines = append(*lines, line) })
	}
}

func TestAnExportIsARepositoryOfItsOwnAsATar(t *testing.T) {
	w := newWorld(t)
	var out bytes.Buffer
	var lines []string
	w.must(exports(&out, &lines))
	if want := []string{"snapshot " + theSnapshot, "about 100", "tar 14 2"}; !slices.Equal(lines, want) {
		t.Errorf("it announces %q", lines)
	}
	var names []string
	for r := tar.NewReader(&out); ; {
		header, err := r.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if header.Uid != 0 || header.Uname != "" {
			t.Errorf("%s is of %d, %s", header.Name, header.Uid, header.Uname)
		}
		names = append(names, header.Name)
	}
	want := []string{"config", "data/", "index/", "keys/", "locks/", "snapshots/", "snapshots/" + theSnapshot}
	if !slices.Equal(names, want) {
		t.Errorf("in the tar are %q", names)
	}
	if w.is(".export") || w.has() != before {
		t.Error("something of it is left")
	}
}

func TestWhateverStrikesAnExportNothingStays(t *testing.T) {
	w := newWorld(t)
	var out bytes.Buffer
	var lines []string
	w.must(exports(&out, &lines))
	for _, call := range w.calls.Made() {
		for _, s := range strike.All {
			w := newWorld(t)
			err := w.run(strike.At{call: s}, exports(&out, &lines))
			if w.wreck != nil {
				w = w.wrecked()
				w.must(func(ctx context.Context, i *Instance) error { return i.EndExport(ctx) })
			} else if f, ok := errors.AsType[*backup.Failure](err); ok && (s == strike.Ended || s == strike.Hangs) &&
				f.Status != 130 {
				t.Errorf("%s %s: it ends with %+v", call, s, f)
			}
			if w.is(".export") {
				t.Errorf("%s %s: something of it is left", call, s)
			}
		}
	}
	w.damage = []restic.Damage{{File: "data/ab"}}
	if err := w.run(nil, exports(&out, &lines)); err == nil ||
		!strings.HasPrefix(
			err.Error(),
			"the copy is damaged: 1 of its files are not what was written, the first is data/ab",
		) {
		t.Errorf("a copy that is damaged: %v", err)
	}
}

func TestThatAUnitHasFailedIsToldWithWhatIsKnown(t *testing.T) {
	since := time.Date(2026, 11, 28, 23, 0, 0, 0, time.UTC)
	for name, c := range map[string]struct{ ledger, unit, want string }{
		"nothing is known": {"", "mrs-x-backup.service",
			"the backup failed: no reason is known. The last good backup is of no time at all"},
		"a backup": {`{"time": "T1", "what": "backup", "outcome": "good"}
{"time": "T2", "what": "backup", "outcome": "not mirrored"}
{"time": "T3", "what": "backup", "outcome": "failed", "reason": "the disk is full"}
{"time": "T4", "what": "drill", "outcome": "failed", "reason": "another"}
`, "mrs-x-backup.service", "the backup failed: the disk is full. The last good backup is of T2"},
		"what an earlier run has written": {`{"time": "2026-11-28T22:59:59Z", "what": "backup", "outcome": "failed", "reason": "old"}
`, "mrs-x-backup.service", "the backup failed: no reason is known. The last good backup is of no time at all"},
		"what this run has written": {`{"time": "2026-11-28T23:00:00Z", "what": "backup", "outcome": "failed", "reason": "new"}
`, "mrs-x-backup.service", "the backup failed: new. The last good backup is of no time at all"},
		"a copy": {`{"time": "T1", "what": "restore", "outcome": "failed", "reason": "one"}
{"time": "T2", "what": "copy", "outcome": "failed", "reason": "two"}
`, "mrs-x-restore.service", "the copy failed: two. The last good backup is of no time at all"},
	} {
		w := newWorld(t)
		w.write("log/mrs-x.backups.log", c.ledger)
		w.must(func(ctx context.Context, i *Instance) error { return i.Alert(ctx, c.unit, "signal", since) })
		want := "mrs-x on host: " + c.want + " (journalctl --unit " + c.unit + "; docs/runbook.md)"
		if len(w.told) != 1 || w.told[0] != want {
			t.Errorf("%s: told is %q", name, w.told)
		}
	}
	w := newWorld(t)
	w.write("home/.running.backup", "1764370800\n")
	w.must(func(ctx context.Context, i *Instance) error {
		return i.Alert(ctx, "mrs-x-backup.service", "oom-kill", since)
	})
	if left, _ := filepath.Glob(w.home(".running.*")); len(left) > 0 ||
		!strings.Contains(last(w.ledger()), `"outcome": "failed", "reason": "killed: oom-kill"`) ||
		!strings.Contains(w.told[0], "killed: oom-kill") {
		t.Errorf("left is %v, the record %s, told %q", left, last(w.ledger()), w.told)
	}
}
