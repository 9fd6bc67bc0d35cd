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
	for want, value := range map[string]any{
		`{"say":"x"}`: Event{Say: "pulling the images"},
		`{"held":{"token":"t","who":"eve","what":"deploy","pid":"7","since":1}}`: Event{Held: &Holder{"t", "eve", "deploy", "7", 1}},
		`{"deployed":{"changes":2,"how":"x","release":"7","commit":"0123"}}`:     Event{Deployed: &Deployed{2, "started", "7", "0123"}},
		`{"failed":{"outcome":"interrupted","reason":"x","hint":"x"}}`:           Event{Failed: failed},
		`{"time":"2001-09-09T01:46:40Z","who":"eve","what":"deploy","outcome":"ok","reason":"x","seconds":0}`: Entry{
			Time: time.Unix(1e9, 0).UTC(), Who: "eve", What: "deploy", Outcome: OK, Reason: "nothing to change"},
	} {
		if line, err := json.Marshal(value); err != nil || string(line) != want {
			t.Errorf("%s, not %s: %v", line, want, err)
		}
	}
	if failed.Reason == "x" || Said("") != "" {
		t.Error("it is more than what is said that is changed")
	}
}
