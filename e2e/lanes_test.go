//go:build e2e

package e2e

import (
	"cmp"
	"runtime"
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

// lanes are those of a run. Two tests for each processor keep it busy; with more of them each takes longer.
var lanes = turns{
	lanes:  map[lane]int{alongside: 1 << 10, here: 1, boxes: 1, aLab: len(labs)},
	atOnce: max(4, 2*runtime.NumCPU()),
	taken:  map[lane]int{},
	unmade: len(labs),
}

// turns gives lanes to the tests that wait for them.
type turns struct {
	mu      sync.Mutex
	lanes   map[lane]int // how many there are
	atOnce  int          // how many tests may run
	taken   map[lane]int // how many do
	unmade  int          // labs that are still to be made
	making  int          // labs that are being made: their lanes are the longest, so nobody else begins meanwhile
	waiting []*turn      // who takes longest first, of those that take equally long who asked first
}

// turn is what one waits for.
type turn struct {
	lane   lane
	lasts  time.Duration
	begins chan struct{} // closed once the lane is given
	makes  bool          // its lab, and that is not there yet
}

// ask joins the others that wait. Nobody is given anything before somebody calls give.
func (q *turns) ask(l lane, lasts time.Duration) *turn {
	q.mu.Lock()
	defer q.mu.Unlock()
	t := &turn{lane: l, lasts: lasts, begins: make(chan struct{})}
	q.waiting = append(q.waiting, t)
	slices.SortStableFunc(q.waiting, func(a, b *turn) int { return cmp.Compare(b.lasts, a.lasts) })
	return t
}

// give gives what is free to those that wait for it.
func (q *turns) give() {
	q.mu.Lock()
	defer q.mu.Unlock()
	for t := q.next(); t != nil; t = q.next() {
		q.waiting = slices.DeleteFunc(q.waiting, func(w *turn) bool { return w == t })
		q.taken[t.lane]++
		if t.lane == aLab && q.unmade > 0 {
			q.unmade--
			q.making++
			t.makes = true
		}
		close(t.begins)
	}
}

// made says that the lab of a turn is there, or can't be.
func (q *turns) made(t *turn) {
	q.mu.Lock()
	if t.makes {
		t.makes = false
		q.making--
	}
	q.mu.Unlock()
	q.give()
}

// next returns who begins next, or nil where none may: the longest of the lane where it takes longest until nobody waits,
// so that no lane is left for the end.
func (q *turns) next() (next *turn) {
	running := 0
	for _, n := range q.taken {
		running += n
	}
	if running >= q.atOnce {
		return nil
	}
	todo, asked := map[lane]time.Duration{}, map[lane]int{}
	for _, t := range q.waiting {
		todo[t.lane] += t.lasts
		asked[t.lane]++
	}
	left := func(l lane) time.Duration { return todo[l] / time.Duration(min(q.lanes[l], asked[l])) }
	for _, t := range q.waiting {
		if q.making > 0 && t.lane != aLab {
			continue
		}
		if q.taken[t.lane] < q.lanes[t.lane] && (next == nil || left(t.lane) > left(next.lane)) {
			next = t
		}
	}
	return next
}

// end takes a lane back, for the next one.
func (q *turns) end(t *turn) {
	q.mu.Lock()
	q.taken[t.lane]--
	q.mu.Unlock()
	q.made(t)
}

// wanted reports whether somebody waits for a lane.
func (q *turns) wanted(l lane) bool {
	q.mu.Lock()
	defer q.mu.Unlock()
	return slices.ContainsFunc(q.waiting, func(t *turn) bool { return t.lane == l })
}

// on begins a test that runs beside others, once it has its lane. lasts is how long it takes, about: the longest of
// those that wait begins first, so that none is left for the end. How long it has waited is not counted as its time.
func on(t *testing.T, l lane, lasts time.Duration) *turn {
	t.Helper()
	turn := lanes.ask(l, lasts) // while one test after the other comes to its Parallel: all have asked before any begins
	t.Parallel()
	begin := time.Now()
	lanes.give()
	<-turn.begins
	t.Cleanup(func() { lanes.end(turn) })
	t.Attr("waited", strconv.FormatFloat(time.Since(begin).Seconds(), 'f', 2, 64))
	return turn
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

func TestWhileALabIsMadeOnlyThoseBeginWhoMakeOne(t *testing.T) {
	q := turns{lanes: map[lane]int{here: 1, aLab: 2}, atOnce: 4, taken: map[lane]int{}, unmade: 2}
	first, second, third, other := q.ask(aLab, 9), q.ask(aLab, 8), q.ask(aLab, 1), q.ask(here, 2)
	begun := func(t *turn) bool {
		select {
		case <-t.begins:
			return true
		default:
			return false
		}
	}
	q.give()
	if !begun(first) || !begun(second) || begun(other) {
		t.Error("not those begin who make labs")
	}
	q.made(first)
	if begun(other) {
		t.Error("another begins where one of two labs is there")
	}
	q.made(second)
	if !begun(other) || begun(third) {
		t.Error("another does not begin where both are there, or a third without a lab")
	}
	q.end(first)
	if !begun(third) || third.makes || q.making != 0 {
		t.Error("the next one makes a lab again")
	}
}

func TestWhereItTakesLongestATestBeginsFirstAndALaneIsOneTests(t *testing.T) {
	q := turns{lanes: map[lane]int{alongside: 99, here: 1, boxes: 1, aLab: 2}, atOnce: 3, taken: map[lane]int{}}
	var all []*turn
	for _, asked := range []struct {
		lane  lane
		lasts time.Duration
	}{{aLab, 1}, {here, 4}, {aLab, 5}, {here, 3}, {aLab, 2}, {boxes, 5}, {alongside, 2}} {
		all = append(all, q.ask(asked.lane, asked.lasts*time.Second))
	}
	is := func(when string, want ...int) {
		t.Helper()
		var got []int
		for i, t := range all {
			select {
			case <-t.begins:
				got = append(got, i)
			default:
			}
		}
		if !slices.Equal(got, want) {
			t.Errorf("%s %v have begun, not %v", when, got, want)
		}
	}
	is("before anything is given")
	q.give()
	is("where 7 s are left here, 5 in a box, 4 in each lab, the longest of each", 1, 2, 5)
	q.end(all[5])
	is("where 3 s are left here, in a lane that is taken, and 2 alongside", 1, 2, 5, 6)
	q.end(all[6])
	is("where 1.5 s are left in each lab", 1, 2, 4, 5, 6)
	if !q.wanted(aLab) || !q.wanted(here) || q.wanted(boxes) {
		t.Error("others wait than those that do")
	}
	q.end(all[1])
	is("where here is free", 1, 2, 3, 4, 5, 6)
	q.end(all[2])
	is("at last", 0, 1, 2, 3, 4, 5, 6)
	if q.wanted(aLab) || q.wanted(here) {
		t.Error("somebody waits")
	}
}
