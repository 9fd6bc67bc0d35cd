package console

import (
	"fmt"
	"slices"
	"testing"
	"testing/synctest"
	"time"
)

func TestSomethingLongGivesASignOfLifeAtEveryIntervalUntilItEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var said []string
		stop := Pulse(10*time.Second, func(format string, args ...any) { said = append(said, fmt.Sprintf(format, args...)) }, "building")
		time.Sleep(35 * time.Second)
		stop()
		time.Sleep(time.Hour)
		if want := []string{"building: 10 s", "building: 20 s", "building: 30 s"}; !slices.Equal(said, want) {
			t.Errorf("it said %q", said)
		}
	})
}
