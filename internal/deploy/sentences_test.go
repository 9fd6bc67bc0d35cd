package deploy

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// x has every sentence of an event be another one: nothing of what is decided may follow from them.
func x(e hostapi.Event) hostapi.Event {
	said := func(text string) string {
		if text != "" {
			return "x"
		}
		return text
	}
	e.Say, e.Detail = said(e.Say), said(e.Detail)
	if e.Failed != nil {
		e.Failed = &hostapi.Failure{
			Outcome: e.Failed.Outcome,
			Reason:  said(e.Failed.Reason),
			Hint:    said(e.Failed.Hint),
		}
	}
	if e.Deployed != nil {
		d := *e.Deployed
		d.How = said(d.How)
		e.Deployed = &d
	}
	return e
}

func TestWhatADeploymentCameToFollowsFromNoSentence(t *testing.T) {
	failed := func(outcome hostapi.Outcome, reason string) hostapi.Event {
		return hostapi.Event{Failed: &hostapi.Failure{Outcome: outcome, Reason: reason}}
	}
	ways := map[string][]hostapi.Event{
		"took over": {
			{Say: "pulling the images"},
			{Deployed: &hostapi.Deployed{Changes: 1, How: "took over without a gap", Release: "7", Commit: "01"}},
		},
		"no change": {{Deployed: &hostapi.Deployed{How: "nothing to change", Release: "7"}}},
		"rolled back": {
			{Say: "starting"},
			{Detail: "a log"},
			failed(hostapi.RolledBack, "it crashes; what ran before answers"),
		},
		"failed":      {failed(hostapi.Failed, "the backup failed, so nothing was changed")},
		"interrupted": {{Say: "starting"}, failed(hostapi.Interrupted, "interrupted; what ran before answers")},
		"killed":      {{Say: "starting"}},
		"nothing":     nil,
	}
	hear := func(events []hostapi.Event, as func(hostapi.Event) hostapi.Event) string {
		var lines strings.Builder
		for _, e := range events {
			line, err := json.Marshal(as(e))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(&lines, "%s\n", line)
		}
		deployed, began, err := listen(script.Echo(lines.String()), console.Narrate("x", time.Hour))
		outcome := "unknown"
		if f, ok := errors.AsType[*hostapi.Failure](err); ok {
			outcome = string(f.Outcome)
		}
		if err == nil {
			outcome = "done, " + came(deployed)
		}
		return fmt.Sprintf(
			"%s; it began: %v; release %s, commit %s",
			outcome,
			began,
			deployed.Release,
			deployed.Commit,
		)
	}
	for name, events := range ways {
		same := func(e hostapi.Event) hostapi.Event { return e }
		if real, other := hear(events, same), hear(events, x); real != other {
			t.Errorf("%s: it came to %q, and in other words to %q", name, real, other)
		}
	}
}

func TestWhatTheAuditLogSaysOfADeploymentFollowsFromNoSentence(t *testing.T) {
	for outcome, want := range map[hostapi.Outcome]string{
		hostapi.OK:         "it was done all the same",
		hostapi.RolledBack: "rolled back: x", hostapi.Failed: "failed: x", hostapi.Interrupted: "interrupted: x",
	} {
		if got := endedWith([]hostapi.Entry{{}, {Outcome: outcome, Reason: "x"}}, nil, 1, true); got != want {
			t.Errorf("%s: %q", outcome, got)
		}
	}
	for began, want := range map[bool]string{true: "it was killed there", false: "nothing was changed"} {
		if got := endedWith([]hostapi.Entry{{}}, nil, 1, began); !strings.HasPrefix(got, want) {
			t.Errorf("%v: %q", began, got)
		}
	}
	if got := endedWith(
		nil,
		errors.New("no connection"),
		1,
		true,
	); !strings.Contains(
		got,
		"is not known: no connection",
	) {
		t.Error(got)
	}
}

func TestWhichReleaseIsGoneBackToFollowsFromNoSentence(t *testing.T) {
	all := []hostapi.Release{{Release: 1}, {Release: 2}, {Release: 3}, {Release: 4, Of: 2, What: "x"}}
	if r, ok := before(all); !ok || r.Release != 1 {
		t.Errorf("it goes back to %+v, %v", r, ok)
	}
	all[3] = hostapi.Release{Release: 4, What: "rollback to 2"} // as older versions have it
	if r, ok := before(all); !ok || r.Release != 1 {
		t.Errorf("of an older version, it goes back to %+v, %v", r, ok)
	}
}
