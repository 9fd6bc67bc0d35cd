package pgcopy

import (
	"strings"
	"testing"
)

// A server refuses a setting that its version does not have.
func TestNoTimeoutOfAVersionEndsAStatement(t *testing.T) {
	for version, want := range map[int]int{100000: 4, 130022: 4, 140000: 5, 160003: 5, 170000: 6, 180000: 6} {
		options := unhindered(version)
		if got := strings.Count(options, "-c "); got != want || strings.Count(options, "timeout=0") != want-1 {
			t.Errorf("%d: %s", version, options)
		}
	}
}
