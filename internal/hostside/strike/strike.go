// Package strike strikes what a plan calls: before, in and after every call, by errors, by signals and by calls that
// do not return. The tests of packages rollout, backup and restore strike their plans with it; no program has it.
//
// It must not know what is called, nor what is there then: that is the world of each test.
package strike

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"strings"
	"sync"
	"testing"
)

// A Strike is what happens to a call.
type Strike string

// What may happen to a call.
const (
	Fails      Strike = "fails"              // and does nothing
	FailsLate  Strike = "fails, having done" // what it was to do
	Ended      Strike = "is told to end"     // who makes it is, by SIGTERM; what heeds no context is done
	EndedLate  Strike = "is told to end after it"
	Killed     Strike = "is killed" // who makes it
	KilledLate Strike = "is killed after it"
	Hangs      Strike = "hangs" // until who makes it is told to end
)

// At are strikes by call. One is known by its name and by how often that was called: "pg_dump#1".
type At map[string]Strike

// All are all strikes.
var All = []Strike{Fails, FailsLate, Ended, EndedLate, Killed, KilledLate, Hangs}

// Err is the error of a call that was struck.
var Err = errors.New("struck")

// Calls are those that one run of a plan makes, maybe several at once.
type Calls struct {
	Strikes At
	// End tells the run to end, as a signal does: its context is cancelled.
	End func()
	// Kill is called where the run is killed: what there is now is what whoever comes next finds. Where it
	// returns, the run goes on, but does nothing any more.
	Kill func()
	// Hung is called where a call hangs. Nil: End is, by somebody who has no patience.
	Hung func()

	lock       sync.Mutex
	made       []string
	deaf, dead bool
}

// Made returns all calls so far, in their order.
func (c *Calls) Made() []string {
	c.lock.Lock()
	defer c.lock.Unlock()
	return append([]string(nil), c.made...)
}

// Deafen has the run heed no signal from now on.
func (c *Calls) Deafen() {
	c.lock.Lock()
	defer c.lock.Unlock()
	c.deaf = true
}

// Do makes a call: do does what it is to do. It does nothing where the context has ended, or the run was killed.
func (c *Calls) Do(ctx context.Context, name string, do func() error) error {
	s, dead := c.begin(name)
	if dead || s == Fails {
		return Err
	}
	switch s {
	case Killed:
		return c.kill()
	case Ended:
		c.End()
	case Hangs:
		if c.Hung != nil {
			c.Hung()
		} else {
			c.End()
		}
		if ctx.Done() != nil {
			<-ctx.Done()
		}
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if err := do(); err != nil {
		return err
	}
	switch s {
	case FailsLate:
		return Err
	case EndedLate:
		c.End()
	case KilledLate:
		return c.kill()
	}
	return nil
}

// begin writes the call down, and returns what strikes it.
func (c *Calls) begin(name string) (s Strike, dead bool) {
	c.lock.Lock()
	defer c.lock.Unlock()
	n := 1
	for _, call := range c.made {
		if before, _, _ := strings.Cut(call, "#"); before == name {
			n++
		}
	}
	call := fmt.Sprintf("%s#%d", name, n)
	c.made = append(c.made, call)
	s = c.Strikes[call]
	if c.deaf {
		switch s {
		case Ended, EndedLate:
			s = ""
		case Hangs: // and is ended itself, by somebody who loses patience
			s = Fails
		}
	}
	return s, c.dead
}

func (c *Calls) kill() error {
	c.Kill()
	c.lock.Lock()
	defer c.lock.Unlock()
	c.dead = true
	return Err
}

// Memory is a folder for a world that is not on a disk, where there is memory for it: what is synced there costs
// nothing. It goes with the test.
func Memory(t testing.TB) string {
	t.Helper()
	folder, err := os.MkdirTemp("/dev/shm", "strike")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}

// Main runs the tests of a package that opens a million files. go test has a list of these, and resolves each for the
// sake of its cache, which takes several times as long as the tests: there is no list, so they run each time.
func Main(m *testing.M) {
	flag.Parse()
	_ = flag.Set("test.testlogfile", "")
	os.Exit(m.Run())
}
