package pgcopy

import (
	"errors"
	"fmt"
	"testing"

	"github.com/betagouv/mrs-ops/internal/remote"
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
