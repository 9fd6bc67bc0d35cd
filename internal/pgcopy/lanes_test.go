package pgcopy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"slices"
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
		_, ok := l.next(ctx, false)
		asked <- ok
	}()
	cancel()
	if <-asked {
		t.Error("a table is asked for that is not made")
	}
	close(l.begun)
	if job, ok := l.next(t.Context(), false); !ok || job.Table != 1 {
		t.Errorf("it is %+v", job)
	}
}

func TestLittleTablesAreOrderedBesideAnotherAndLargeOnesAlone(t *testing.T) {
	plan := &anonymize.Plan{Tables: make([]anonymize.TablePlan, 8)}
	plan.Tables[0].Pages, plan.Tables[1].Pages = 2*littlePages, littlePages
	var jobs []wire.Job
	for i := range plan.Tables {
		plan.Tables[i].Name = fmt.Sprint("t", i)
		jobs = append(jobs, wire.Job{Table: i})
	}
	l := &load{from: &end{Target: &target.Target{}}, to: &end{Target: &target.Target{}}, plan: plan,
		begun: make(chan struct{}), queue: slices.Clone(jobs), filled: make(chan int, len(jobs))}
	close(l.begun)
	l.progress = newProgress(plan, jobs)
	defer l.progress.end()
	orders, w := io.Pipe()
	said, saying := io.Pipe()
	carried := make(chan error, 1)
	go func() { carried <- l.carry(t.Context(), w, script.NewPipe().WithReader(said)) }()
	lines := json.NewDecoder(orders)
	lines.Decode(&wire.Receiver{})
	lines.Decode(&wire.Sender{})
	for n, tables := range [][]int{{0}, {1}, {2, 3, 4, 5}, {6}, {7}, nil, nil, nil} {
		for _, want := range tables {
			var job wire.Job
			if err := lines.Decode(&job); err != nil || job.Table != want {
				t.Fatalf("after %d answers table %d is ordered, not %d: %v", n, job.Table, want, err)
			}
		}
		fmt.Fprintln(saying, "{}") // one is there
	}
	saying.Close()
	if err := <-carried; err != nil {
		t.Error(err)
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
