package pgcopy

import (
	"context"
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
		l := &load{from: &end{Target: &target.Target{}}, to: &end{Target: &target.Target{}}, plan: plan, begun: make(chan struct{}), queue: jobs}
		close(l.begun)
		l.progress = newProgress(plan, jobs)
		orders, w := io.Pipe()
		go io.Copy(io.Discard, orders)
		err := l.carry(t.Context(), w, script.NewPipe().WithReader(strings.NewReader(said)))
		l.progress.end()
		if (err == nil) != whole {
			t.Errorf("it says %q: %v", said, err)
		}
	}
}

func TestNoTableIsAskedForBeforeItIsMade(t *testing.T) {
	l := &load{begun: make(chan struct{}), queue: []wire.Job{{Table: 1}}}
	ctx, cancel := context.WithCancel(t.Context())
	asked := make(chan bool)
	go func() {
		_, ok := l.next(ctx)
		asked <- ok
	}()
	cancel()
	if <-asked {
		t.Error("a table is asked for that is not made")
	}
	close(l.begun)
	if job, ok := l.next(t.Context()); !ok || job.Table != 1 {
		t.Errorf("it is %+v", job)
	}
}

func TestWhatFailsWhileTheTablesAreMadeEndsTheLoad(t *testing.T) {
	full := errors.New("the disk is full")
	fail, well := func() error { return full }, func() error { return nil }
	for name, l := range map[string]*load{
		"the tables":    {begin: fail, beside: func() error { panic("there are no tables") }},
		"the sequences": {begin: well, beside: fail},
	} {
		l.plan = &anonymize.Plan{}
		l.progress = newProgress(l.plan, nil)
		if err := l.run(t.Context(), 0); err != full {
			t.Errorf("%s: %v", name, err)
		}
		l.progress.end()
	}
}
