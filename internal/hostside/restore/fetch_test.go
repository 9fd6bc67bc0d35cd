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
	"github.com/betagouv/mrs-ops/internal/hostside/strike"
)

// fakeMirror holds the repository, where it has a config.
type fakeMirror struct {
	backup.Mirror // what a restore does not ask
	*world
	config string
}

func (m fakeMirror) HasRepository(ctx context.Context) (bool, error) {
	return m.config != "", m.call(ctx, "lftp cls", func() error { return nil })
}
func (m fakeMirror) Size(ctx context.Context) (int64, error) {
	return 100, m.call(ctx, "lftp du", func() error { return nil })
}
func (m fakeMirror) Fetch(ctx context.Context, to string) error {
	return m.call(ctx, "lftp mirror back", func() error {
		return os.WriteFile(filepath.Join(to, "config"), []byte(m.config), 0o600)
	})
}

func TestARepositoryThatIsGoneIsFetchedByTheRestore(t *testing.T) {
	fetches := func(w *world, config string) func(context.Context, *Instance) error {
		return func(ctx context.Context, i *Instance) error {
			i.Mirror = fakeMirror{world: w, config: config}
			return ways[0].do(ctx, i)
		}
	}
	gone := func() *world {
		w := newWorld(t)
		if err := os.RemoveAll(w.home("restic")); err != nil {
			t.Fatal(err)
		}
		return w
	}
	w := gone()
	w.must(fetches(w, "config"))
	if w.has() != ways[0].want || w.read("restic/config") != "config" ||
		!slices.Contains(w.said, "fetching the repository from the mirror: 100B") {
		t.Errorf("the application has %s; it says %q", w.has(), w.said)
	}

	// Whatever strikes meanwhile, nothing but all of it is the repository.
	for _, call := range []string{"lftp cls#1", "lftp du#1", "lftp mirror back#1"} {
		for _, s := range strike.All {
			t.Run(fmt.Sprintf("%s %s", call, s), func(t *testing.T) {
				w := gone()
				err := w.run(strike.At{call: s}, fetches(w, "config"))
				if w.wreck != nil {
					w = w.wrecked()
				} else if _, ok := errors.AsType[*backup.Failure](err); err != nil && !ok {
					t.Errorf("it ends with %v", err)
				}
				if w.wreck == nil && err != nil && w.has() != before {
					t.Errorf("the application has %s", w.has())
				}
				w.must(reclaim)
				w.must(fetches(w, "config"))
				if w.has() != ways[0].want {
					t.Errorf("after the next one the application has %s", w.has())
				}
			})
		}
	}

	w = gone()
	err := w.run(nil, fetches(w, ""))
	f, ok := errors.AsType[*backup.Failure](err)
	if !ok || f.Hint != "is its disk mounted?" ||
		!strings.HasPrefix(f.Reason, "the repository REPOSITORY is gone, and no mirror has it; nothing was restored") {
		t.Errorf("where no mirror has it: %+v", f)
	}
}
