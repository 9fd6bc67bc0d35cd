package pgcopy

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/anonymize"
	"github.com/betagouv/mrs-ops/internal/pgcopy/wire"
	"github.com/betagouv/mrs-ops/internal/remote"
	"github.com/betagouv/mrs-ops/internal/target"
)

func TestOfCommandsThatFeedEachOtherTheOneThatFailedFirstIsToldOf(t *testing.T) {
	lost := errors.New("the connection was lost")
	send := &remote.Error{Host: "production", Argv: []string{"send"}, Err: lost}
	receive := &remote.Error{Host: "staging", Argv: []string{"receive"}, Err: fmt.Errorf("its input failed: %w", send)}
	for _, c := range []struct{ err, want error }{
		{fmt.Errorf("a lane: %w", receive), send},
		{send, send},
		{lost, lost},
	} {
		if got := first(c.err); got != c.want {
			t.Errorf("of %q it is %q", c.err, got)
		}
	}
}

func TestAReceiverThatEndsBeforeATableIsThereIsAnErrorWhateverItsStatus(t *testing.T) {
	const done = `{"rows":1}` + "\n"
	for said, whole := range map[string]bool{"": false, done: false, done + `{"partial":true,"rows":1}` + "\n": false, done + done: true} {
		plan := &anonymize.Plan{Tables: make([]anonymize.TablePlan, 2)}
		jobs := []wire.Job{{Table: 0}, {Table: 1}}
		l := &load{from: &end{Target: &target.Target{}}, to: &end{Target: &target.Target{}}, plan: plan, rows: map[int]int64{}, parts: map[int]int{}, queue: jobs}
		l.progress = newProgress(plan, jobs)
		orders, w := io.Pipe()
		go io.Copy(io.Discard, orders)
		err := l.carry(w, script.NewPipe().WithReader(strings.NewReader(said)))
		l.progress.end()
		if (err == nil) != whole {
			t.Errorf("it says %q: %v", said, err)
		}
	}
}
