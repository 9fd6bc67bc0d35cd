package remote

import (
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

func TestAHostIsGivenUpAfterThreeQuestionsWithoutASignOfLife(t *testing.T) {
	const interval = 5 * time.Second
	for name, c := range map[string]struct {
		answers time.Duration    // for so long it answers, at once
		says    func(say func()) // what it says besides
		ends    time.Duration    // when it is given up; 0: not within a day
	}{
		"it answers":         {answers: 24 * time.Hour},
		"it never does":      {ends: 4 * interval},
		"it stops to answer": {answers: 62 * time.Second, ends: 16 * interval},
		"it is busy with something else": {says: func(say func()) {
			for range 24 * 60 * 6 {
				time.Sleep(2 * interval)
				say()
			}
		}},
		"it says something, and nothing any more": {says: func(say func()) {
			time.Sleep(2*interval + time.Second)
			say()
		}, ends: 6 * interval},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				begin := time.Now()
				var heard atomic.Uint64
				say := func() { heard.Add(1) }
				if c.says != nil {
					go c.says(say)
				}
				gone := make(chan struct{})
				time.AfterFunc(24*time.Hour, func() { close(gone) })
				err := alive(interval, gone, heard.Load, func() {
					if time.Since(begin) < c.answers {
						say()
					}
				})
				switch lasted := time.Since(begin); {
				case c.ends == 0 && (err != nil || lasted != 24*time.Hour):
					t.Errorf("%v after %s", err, lasted)
				case c.ends != 0 && (err == nil || err.Error() != "the connection is dead: no sign of life for 15s" || lasted != c.ends):
					t.Errorf("%v after %s, not %s", err, lasted, c.ends)
				}
			})
		})
	}
}
