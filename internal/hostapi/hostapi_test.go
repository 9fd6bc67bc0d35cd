package hostapi

import (
	"encoding/json"
	"reflect"
	"strings"
	"testing"
	"time"
)

func TestWhatIsSaidIsUnderstoodAsItWasMeant(t *testing.T) {
	for _, e := range []Event{
		{Say: "pulling the images"}, {Detail: "two\nlines"}, {Held: &Holder{Token: "t", Who: "eve", Since: 1}},
		{Deployed: &Deployed{Changes: 2, How: "took over without a gap", Release: "7", Commit: "0123"}},
		{Failed: &Failure{Outcome: RolledBack, Reason: "it crashes", Hint: "look"}},
	} {
		line, err := json.Marshal(e)
		var got Event
		if err == nil {
			err = json.Unmarshal(line, &got)
		}
		if err != nil || !reflect.DeepEqual(got, e) || strings.Contains(string(line), "\n") {
			t.Errorf("%s is %+v, not %+v: %v", line, got, e, err)
		}
	}
}

func TestATestBuildSaysNoSentenceButAllThatHasAType(t *testing.T) {
	words = "x"
	t.Cleanup(func() { words = "" })
	failed := &Failure{Outcome: Interrupted, Reason: "interrupted; what ran before answers", Hint: "look"}
	holder := &Holder{Token: "t", Who: "eve", What: "deploy", PID: "7", Since: 1}
	entry := Entry{Time: time.Unix(1e9, 0).UTC(), Who: "eve", What: "deploy", Outcome: OK, Reason: "nothing to change"}
	for _, c := range []struct {
		value any
		want  string
	}{
		{Event{Say: "pulling the images"}, `{"say":"x"}`},
		{Event{Held: holder}, `{"held":{"token":"t","who":"eve","what":"deploy","pid":"7","since":1}}`},
		{Event{Deployed: &Deployed{Changes: 2, How: "started", Release: "7", Commit: "0123"}},
			`{"deployed":{"changes":2,"how":"x","release":"7","commit":"0123"}}`},
		{Event{Failed: failed}, `{"failed":{"outcome":"interrupted","reason":"x","hint":"x"}}`},
		{entry, `{"time":"2001-09-09T01:46:40Z","who":"eve","what":"deploy","outcome":"ok","reason":"x","seconds":0}`},
	} {
		if line, err := json.Marshal(c.value); err != nil || string(line) != c.want {
			t.Errorf("%s, not %s: %v", line, c.want, err)
		}
	}
	if failed.Reason == "x" || Said("") != "" {
		t.Error("it is more than what is said that is changed")
	}
}
