package restore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
	"github.com/betagouv/mrs-ops/internal/hostside/strike"
)

func drills(ctx context.Context, i *Instance) error { return i.Drill(ctx, "latest", "timer") }

func TestADrillProvesASnapshotAndLeavesNothing(t *testing.T) {
	w := newWorld(t)
	w.must(drills)
	if w.has() != before || len(w.left()) > 0 || w.is(".drill") {
		t.Errorf("the application has %s; left: %v", w.has(), w.left())
	}
	if want := "snapshot 01234567 of mrs-x is proven: it was restored, and the application runs on it"; last(
		w.said,
	) != want {
		t.Errorf("it says %q", w.said)
	}
	if line := last(w.ledger()); !strings.Contains(
		line,
		`"what": "drill", "cause": "timer", "outcome": "good", "snapshot": "01234567"`,
	) ||
		!strings.Contains(line, `"bytes": 1050, "rows": 7, "files": 1`) {
		t.Errorf("the record is %s", line)
	}
}

func TestADrillProvesTheLogToASecondThatNobodyHasChosen(t *testing.T) {
	for _, where := range []string{"here", "repository"} {
		w := way{logged: where}.world(t)
		for range 20 {
			w.must(drills)
			at := last(w.ledger())
			_, at, _ = strings.Cut(at, `"second": "2026-11-29 `)
			if at < "08:00:00" || at > "09:30:01" || !slices.ContainsFunc(w.said, func(line string) bool {
				return strings.HasPrefix(line, "the log is proven: the database was recovered to ") && strings.HasSuffix(line, "with 7 rows")
			}) {
				t.Errorf("%s: %s; it said %q", where, last(w.ledger()), w.said)
			}
			if r := w.recovered[len(w.recovered)-1]; r.Until.Format("15:04:05") != at[:8] || len(w.left()) > 0 || w.is(".drill") {
				t.Errorf("%s: recovered is %s, not %s; left: %v", where, r.Until, at, w.left())
			}
		}
	}
}

func TestADrillOfTheLogIsComparedWithTheBackupsAroundItsSecond(t *testing.T) {
	for name, c := range map[string]struct {
		before, after string // rows
		differs       bool
	}{
		"none is known": {"", "", false}, "as many": {"7", "9", false}, "others, a few": {"900", "7", false},
		"another database": {"70000", "80000", true}, "that of before": {"70000", "", true},
	} {
		w := way{logged: "here"}.world(t)
		lines := ""
		for at, rows := range map[string]string{"2026-11-29T07:30:00Z": c.before, "2026-11-29T09:59:00Z": c.after} {
			if rows != "" {
				lines += fmt.Sprintf(`{"time": %q, "what": "backup", "outcome": "good", "rows": %s}`+"\n", at, rows)
			}
		}
		w.write("log/mrs-x.backups.log", lines)
		w.must(drills)
		if is := strings.Contains(last(w.ledger()), `"differs": "recovered to 2026-11-29 `); is != c.differs {
			t.Errorf("%s: %s; it said %q", name, last(w.ledger()), w.said)
		}
	}
}

func TestADrillFailsWhereTheLogThatIsHereIsDamagedThoughTheRepositoryHasItWhole(t *testing.T) {
	w := way{logged: "repository"}.world(t)
	w.log(w.path("archive/" + stream))
	if err := w.run(strike.At{"recover#1": strike.Fails}, drills); err == nil || len(w.recovered) > 0 {
		t.Errorf("%v; recovered is %+v", err, w.recovered)
	}
}

func TestWhateverStrikesADrillNothingOfWhatRunsIsTouched(t *testing.T) {
	for _, where := range []string{"", "here"} {
		strikeADrill(t, way{logged: where}.world)
	}
}

func strikeADrill(t *testing.T, newWorld func(*testing.T) *world) {
	w := newWorld(t)
	w.must(drills)
	for _, call := range w.calls.Made() {
		for _, s := range strike.All {
			what := fmt.Sprintf("%s %s", call, s)
			t.Run(what, func(t *testing.T) {
				w := newWorld(t)
				err := w.run(strike.At{call: s}, drills)
				dead := w.wreck != nil
				if dead {
					w = w.wrecked()
				} else if f, ok := errors.AsType[*backup.Failure](err); ok && (s == strike.Ended || s == strike.Hangs) &&
					(f.Reason != "interrupted" || f.Status != 130) {
					t.Errorf("it ends with %+v", f)
				}
				if w.has() != before || !dead && (w.is(".drill") || w.is(".running.drill")) {
					t.Errorf("the application has %s", w.has())
				}
				w.must(drills)
				if w.is(".drill") || len(w.left()) > 0 || !strings.Contains(last(w.ledger()), `"outcome": "good"`) {
					t.Errorf("the next one leaves %v, and writes down %s", w.left(), last(w.ledger()))
				}
			})
		}
	}
}

// old is a restic whose snapshot the scripts before these have made: one plain dump of all databases.
type old struct{ repository }

func (r old) Restore(ctx context.Context, id string, o restic.Restore) error {
	if err := r.repository.Restore(ctx, id, o); err != nil {
		return err
	}
	dump := filepath.Join(o.Target, "home/mrs-x/postgres/dump")
	return errors.Join(os.RemoveAll(dump), os.MkdirAll(dump, 0o700),
		os.WriteFile(filepath.Join(dump, "data.dump"), []byte(plain), 0o600))
}

const plain = "\\connect mrs\nselect 1;\n-- PostgreSQL database dump complete\n"

func TestASnapshotOfTheScriptsBeforeTheseIsRestoredAndDrilled(t *testing.T) {
	for name, do := range map[string]func(context.Context, *Instance) error{"restore": ways[0].do, "drill": drills} {
		w := newWorld(t)
		w.must(func(ctx context.Context, i *Instance) error {
			i.Repository = old{repository{w}}
			return do(ctx, i)
		})
		want := before
		if name == "restore" {
			want = "all of it: select 1; new new -"
		}
		if w.has() != want || len(w.left()) > 0 || !strings.Contains(last(w.ledger()), `"outcome": "good"`) {
			t.Errorf("%s: the application has %s; left: %v; the record is %s", name, w.has(), w.left(), last(w.ledger()))
		}
	}
}

func TestADrillBesideAnotherIsRefused(t *testing.T) {
	w := newWorld(t)
	held, _, err := lock.TryFile(w.home(".drill.lock"))
	if err != nil {
		t.Fatal(err)
	}
	defer held.Close()
	if err := w.run(nil, drills); err == nil || err.Error() != "a drill of mrs-x is at work" {
		t.Errorf("%v", err)
	}
	if w.is("../log") {
		t.Errorf("it is written down: %q", w.ledger())
	}
}
