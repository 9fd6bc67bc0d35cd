package backup

import (
	"errors"
	"testing"
)

func TestSeveralReasonsAreOneLineAndTheFirstHintCounts(t *testing.T) {
	err := explained(errors.Join(errors.New("one is wrong\nhint: mend one"), errors.New("two is wrong\nhint: mend two")))
	f, ok := errors.AsType[*Failure](err)
	if !ok || f.Reason != "one is wrong;two is wrong" || f.Hint != "mend one" || f.Status != 1 {
		t.Errorf("%+v", f)
	}
}
