package backup

import (
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/betagouv/mrs-ops/internal/hostside/dump"
)

func TestSeveralReasonsAreOneLineAndTheFirstHintCounts(t *testing.T) {
	err := explained(errors.Join(errors.New("one is wrong\nhint: mend one"), errors.New("two is wrong\nhint: mend two")))
	f, ok := errors.AsType[*Failure](err)
	if !ok || f.Reason != "one is wrong;two is wrong" || f.Hint != "mend one" || f.Status != 1 {
		t.Errorf("%+v", f)
	}
}

func TestADatabaseThatCanNotBeDroppedIsNotSaidToBeGone(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///nowhere")
	synctest.Test(t, func(t *testing.T) {
		var said []string
		s := &Running{
			postgres: dump.Container{Database: "mrs"}, // which refuses to drop that
			Say:      func(line string) { said = append(said, line) },
			Free:     func(string) (int64, int64, error) { return 0, 0, nil },
		}
		err := s.Drop(t.Context(), strings.Repeat("m", 64))
		if err == nil || !strings.HasPrefix(err.Error(), "the database mmm") || !strings.Contains(err.Error(), " can't be dropped: ") ||
			len(said) != 1 || said[0] != err.Error() {
			t.Errorf("%v, %q", err, said)
		}
	})
}
