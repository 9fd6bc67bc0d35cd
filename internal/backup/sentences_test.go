package backup

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// status is the error of a script that ended so.
type status int

func (s status) Error() string { return fmt.Sprintf("exit status %d", int(s)) }
func (s status) ExitCode() int { return int(s) }

func TestWhetherAJobWasUndoneFollowsFromItsStatusAndFromNoSentence(t *testing.T) {
	gone, end := context.WithCancel(t.Context())
	end()
	for _, c := range []struct {
		name   string
		ctx    context.Context
		status int
		why    string
		undone bool
	}{
		{"restore", gone, hostapi.AsBefore, "interrupted; nothing was restored, x is as it was before", true},
		{"restore", gone, hostapi.AsBefore, "pg_restore ended with 143; x is as it was before", true},
		{"restore", gone, 1, "interrupted; NOT all could be put back, and nothing more is touched", false},
		{"restore", gone, 130, "interrupted; nothing was restored, x is as it was before", true},
		{"restore of an older version", gone, 130, "interrupted; NOT all could be put back", false},
		{"restore", gone, 143, "", true}, // before it had begun
		{"restore", t.Context(), hostapi.AsBefore, "there is no such snapshot", false},
		{"backup", gone, 130, "interrupted", true},
		{"backup", gone, 1, "the database can't be dumped", false},
		{"backup", t.Context(), 130, "interrupted", false}, // by somebody else
		{"drill", gone, 130, "interrupted", true},
	} {
		for _, why := range []string{c.why, "x"} {
			if c.why == "" {
				why = ""
			}
			name, _, older := strings.Cut(c.name, " ")
			err := job{name: name}.came(c.ctx, why, status(c.status), func() bool { return !older })
			if undone := errors.Is(err, context.Canceled); undone != c.undone || err == nil {
				t.Errorf("%s that ended with %d, and said %q: undone %v, %v", c.name, c.status, why, undone, err)
			}
		}
	}
	if err := (job{name: "backup"}).came(gone, "", nil, nil); err != nil {
		t.Errorf("one that the interruption came too late for: %v", err)
	}
}
