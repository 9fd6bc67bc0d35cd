package restore

import (
	"context"
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/plan"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
)

func TestARestoreIsExplainedStepByStepAndNothingIsDone(t *testing.T) {
	for _, c := range ways {
		t.Run(c.name, func(t *testing.T) {
			w := c.world(t)
			files := func() (all []string) {
				_ = filepath.WalkDir(
					w.folder,
					func(path string, _ fs.DirEntry, _ error) error { all = append(all, path); return nil },
				)
				return all
			}
			were := strings.Join(files(), "\n")
			var lines []string
			w.must(func(ctx context.Context, i *Instance) error {
				q, err := i.Parse(c.asked)
				if err == nil {
					lines, err = i.Explain(ctx, q)
				}
				return err
			})
			if is := strings.Join(files(), "\n"); is != were || w.has() != before {
				t.Errorf("it has done something: %s\n%s", w.has(), is)
			}
			for _, call := range w.calls.Made() {
				if !strings.HasPrefix(call, "restic snapshots#") {
					t.Errorf("it asks for %s", call)
				}
			}
			text := strings.Join(lines, "\n")
			for _, moved := range c.moves {
				if want := "mv " + w.home(moved) + " " + w.home(moved) + ".STAMP"; !strings.Contains(text, want) {
					t.Errorf("there is no %q in\n%s", want, text)
				}
			}
			if is := strings.Contains(
				text,
				`alter database "mrs" rename to "mrs_`,
			); is != (c.name != "the attachments") {
				t.Errorf("the database: %v in\n%s", is, text)
			}
			if is := strings.Contains(text, "docker run --detach --name mrs-x-trial-recovery --network none"); is != (c.logged != "") {
				t.Errorf("the recovery: %v in\n%s", is, text)
			}
			if strings.Contains(text, "hush") || strings.Contains(text, "restic restore  ") {
				t.Errorf("it says\n%s", text)
			}
		})
	}
}

func TestEveryStepOfTheRestoresPlanIsExplained(t *testing.T) {
	w := newWorld(t)
	for _, q := range []Request{{Wanted: "latest"}, {Only: "database", Copy: aCopy}} {
		r := &run{Instance: w.instance(), record: w.instance().Begin("restore", ""), asked: q}
		r.named("STAMP")
		steps := r.plan()
		for n, s := range plan.Explain(steps) {
			if len(s.Runs) == 0 {
				t.Errorf("nothing is told of what %q runs", s.Name)
			}
			if told := s.Undo != ""; told != (steps[n].Undo != nil) {
				t.Errorf("what takes back %q is told: %v", s.Name, told)
			}
		}
	}
	if _, err := w.instance().
		Explain(t.Context(), Request{Wanted: "ffffffff"}); err == nil ||
		!strings.Contains(err.Error(), "no such snapshot") {
		t.Errorf("a snapshot that is not there: %v", err)
	}
	i := w.instance()
	i.With = func(string) backup.Repository { return empty{repository{w}} }
	_, err := i.Explain(t.Context(), Request{Wanted: "latest"})
	if f, ok := errors.AsType[*backup.Failure](err); !ok || f.Reason != "there is no snapshot of mrs-x yet" ||
		f.Hint != w.home("backup.sh")+" makes one" {
		t.Errorf("where there is none at all: %v", err)
	}
}

// empty is a restic without a snapshot.
type empty struct{ repository }

func (empty) Snapshots(context.Context) ([]restic.Snapshot, error) { return nil, nil }
