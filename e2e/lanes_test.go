//go:build e2e

package e2e

import (
	"cmp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"
)

// lane is what a test has for itself while it runs; who needs the same waits.
type lane int

const (
	alongside lane = iota // nothing: all that it uses is of its own name
	here                  // this machine: its engine's names, its ports, its folders
	boxes                 // a machine that the test makes, by Vagrant or not, and what that takes of this one
	aLab                  // production and staging, of any lab
)

// lanes are those of a run. Few are enough to keep two processors busy; more of them make each test take longer.
var lanes = turns{free: map[lane]int{alongside: 1 << 10, here: 1, boxes: 1, aLab: len(labs)}}

// turns gives lanes to the tests that wait for them.
type turns struct {
	mu      sync.Mutex
	free    map[lane]int // how many there are that nobody has
	waiting []*turn      // who takes longest first, of those that take equally long who asked first
}

// turn is what one waits for.
type turn struct {
	lane   lane
	lasts  time.Duration
	begins chan struct{} // closed once the lane is given
}

// ask joins the others that wait. Nobody is given anything before somebody calls give.
func (q *turns) ask(l lane, lasts time.Duration) *turn {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := &turn{l, lasts, make(chan struct{})}
	q.waiting = append(q.waiting, t)
	slices.SortStableFunc(q.waiting, func(a, b *turn) int { return cmp.Compare(b.lasts, a.lasts) })
	return t
}

// give gives what is free to those that wait for it.
func (q *turns) give() {
	q.mu.Lock()
	defer q.mu.Unlock()
	q.waiting = slices.DeleteFunc(q.waiting, func(t *turn) bool {
		if q.free[t.lane] == 0 {
			return false
		}
		q.free[t.lane]--
		close(t.begins)
		return true
	})
}

// end takes a lane back, for the next one.
func (q *turns) end(t *turn) {
	q.mu.Lock()
	q.free[t.lane]++
	q.mu.Unlock()
	q.give()
}

// wanted reports whether somebody waits for a lane.
func (q *turns) wanted(l lane) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.ContainsFunc(q.waiting, func(t *turn) bool { return t.lane == l })
}

// on begins a test that runs beside others, once it has its lane. lasts is how long it takes, about: the longest of
// those that wait begins first, so that none is left for the end. How long it has waited is not counted as its time.
func on(t *testing.T, l lane, lasts time.Duration) {
	t.Helper()
	turn := lanes.ask(l, lasts) // while one test after the other comes to its Parallel: all have asked before any begins
	t.Parallel()
	begin := time.Now()
	lanes.give()
	<-turn.begins
	t.Cleanup(func() { lanes.end(turn) })
	t.Attr("waited", strconv.FormatFloat(time.Since(begin).Seconds(), 'f', 2, 64))
}

// calm is held for reading by whoever keeps a processor busy, for writing by
// whoever measures.
var calm sync.RWMutex

// brief begins a test of this machine that is one step, of seconds.
func brief(t *testing.T) {
	t.Helper()
	oneStep(t, 0)
}

// oneStep begins a test of this machine beside which nobody may measure.
func oneStep(t *testing.T, lasts time.Duration) {
	t.Helper()
	on(t, here, lasts)
	calm.RLock()
	t.Cleanup(calm.RUnlock)
}

// step is a part of a test that is not run while another measures.
func step(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	calm.RLock()
	defer calm.RUnlock()
	t.Run(name, f)
}

// alone is a part of a test beside which nothing else is run.
func alone(t *testing.T, name string, f func(t *testing.T)) {
	t.Helper()
	calm.Lock()
	defer calm.Unlock()
	t.Run(name, f)
}

func TestWhoTakesLongestBeginsFirstAndALaneIsOneTests(t *testing.T) {
	q := turns{free: map[lane]int{here: 1, aLab: 2}}
	var all []*turn
	for n, lasts := range []time.Duration{1, 3, 2, 2} {
		all = append(all, q.ask(aLab, lasts))
		if n < 2 {
			all = append(all, q.ask(here, 1))
		}
	}
	begun := func() (n []int) {
		for i, t := range all {
			select {
			case <-t.begins:
				n = append(n, i)
			default:
			}
		}
		return n
	}
	// all: labs 1, 3, 2, 2 are 0, 2, 4, 5; here are 1, 3.
	is := func(want ...int) {
		t.Helper()
		if got := begun(); !slices.Equal(got, want) {
			t.Errorf("%v have begun, not %v", got, want)
		}
	}
	is()
	q.give()
	is(1, 2, 4)
	q.end(all[4])
	is(1, 2, 4, 5)
	if !q.wanted(aLab) || !q.wanted(here) {
		t.Error("nobody waits")
	}
	q.end(all[2])
	q.end(all[1])
	is(0, 1, 2, 3, 4, 5)
	if q.wanted(aLab) || q.wanted(here) {
		t.Error("somebody waits")
	}
}
