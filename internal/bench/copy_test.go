package bench

import (
	"testing"
	"time"
)

func TestWhatAMachineHasWorkedIsReadFromProc(t *testing.T) {
	got, err := parseBusy("cpu  100 1 50 9999 77 2 3 4 0 0\ncpu0 1 1 1 1 1 1 1 0 0 0\n")
	if want := 1560 * time.Millisecond; err != nil || got != want {
		t.Errorf("%v, not %v: %v", got, want, err)
	}
	for _, text := range []string{"", "cpu 1 2", "cpu a b c d e f g h"} {
		if _, err := parseBusy(text); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

func TestHowLongTheRowsTookIsReadFromTheTarget(t *testing.T) {
	m := loadingLine.FindStringSubmatch("940 MiB of rows, 331 MiB sent, in 1m2.3s; none of 20,479 real values")
	if m == nil || m[1] != "1m2.3s" {
		t.Errorf("%q", m)
	}
}
