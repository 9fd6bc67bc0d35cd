package cookbook

import (
	"fmt"
	"testing"
)

func TestTheBlocksOfAPageAreReadWithTheirMarks(t *testing.T) {
	got := fmt.Sprint(Blocks(".. lab: local\n\n::\n\n    a\n    b\n\nText ::\n\n    c\nEnd\n    d\n"))
	if got != "[{local [a b]} { [c]}]" {
		t.Errorf("%s", got)
	}
}
