package jobs

import (
	"fmt"
	"testing"
	"time"
)

// daily are the jobs of the real application.
var daily = []Job{{"0", "2", "*", "*", "*"}, {"0", "4", "*", "*", "*"}, {"0", "8", "*", "*", "1-5"}, {"0", "8", "1", "*", "*"}}

// at is a time of Monday, 2 November 2026, or of the day that is given.
func at(clock string) time.Time {
	day := "2026-11-02 "
	if len(clock) > 8 {
		day = ""
	}
	t, err := time.Parse("2006-01-02 15:04:05", day+clock)
	if err != nil {
		panic(err)
	}
	return t
}

func TestAJobRunsInItsMinute(t *testing.T) {
	for _, c := range []struct {
		job  Job
		time string
		want bool
	}{
		{Job{"0", "8", "*", "*", "1-5"}, "08:00:59", true},
		{Job{"0", "8", "*", "*", "1-5"}, "08:01:00", false},
		{Job{"0", "8", "*", "*", "1-5"}, "2026-11-01 08:00:00", false}, // a Sunday
		{Job{"0", "8", "*", "*", "7"}, "2026-11-01 08:00:00", true},
		{Job{"0", "8", "*", "*", "0"}, "2026-11-01 08:00:00", true},
		{Job{"0", "8", "1", "*", "*"}, "2026-11-01 08:00:00", true},
		{Job{"0", "8", "1", "*", "*"}, "08:00:00", false},
		{Job{"0", "8", "1", "*", "1"}, "08:00:00", true}, // either is enough
		{Job{"-15", "*", "*", "*", "*"}, "10:45:00", true},
		{Job{"-15", "*", "*", "*", "*"}, "10:46:00", false},
		{Job{"*", "*", "*", "12", "*"}, "10:46:00", false},
		{Job{"0", "words of a fake", "*", "*", "*"}, "10:00:00", true}, // it may be
	} {
		if got := c.job.Fires(at(c.time)); got != c.want {
			t.Errorf("%v at %s: %t", c.job, c.time, got)
		}
	}
}

func TestAContainerStartsWhereNoJobIsNear(t *testing.T) {
	const lead = 3 * time.Minute
	for name, c := range map[string]struct {
		jobs []Job
		now  string
		wait string
		near string
		more string // ceaseless
	}{
		"at ease":                     {daily, "09:00:00", "0s", "[]", "[]"},
		"20 s before it":              {daily, "07:59:40", "1m21s", "[0 8 * * 1-5]", "[]"},
		"at it":                       {daily, "08:00:00", "1m1s", "[0 8 * * 1-5]", "[]"},
		"20 s after it":               {daily, "08:00:20", "41s", "[0 8 * * 1-5]", "[]"},
		"after its minute":            {daily, "08:01:00", "0s", "[]", "[]"},
		"as long as all takes before": {daily, "07:57:00", "4m1s", "[0 8 * * 1-5]", "[]"},
		"longer before":               {daily, "07:56:59", "0s", "[]", "[]"},
		"one after another":           {[]Job{{"0", "8", "*", "*", "*"}, {"3", "8", "*", "*", "*"}}, "07:59:00", "5m1s", "[0 8 * * *]", "[]"},
		"every minute":                {[]Job{{"*", "*", "*", "*", "*"}, {"0", "8", "*", "*", "*"}}, "07:59:40", "1m21s", "[0 8 * * *]", "[* * * * *]"},
		"none at all":                 {nil, "08:00:00", "0s", "[]", "[]"},
	} {
		wait, near, ceaseless := Wait(c.jobs, at(c.now), lead)
		if got := fmt.Sprint(wait, " ", near, " ", ceaseless); got != c.wait+" "+c.near+" "+c.more {
			t.Errorf("%s: %s, want %s %s %s", name, got, c.wait, c.near, c.more)
		}
	}
}

func TestTheMinuteIsThatOfTheContainersClock(t *testing.T) {
	paris := time.FixedZone("", 3600)
	if wait, _, _ := Wait(daily, at("06:59:40").In(paris), time.Minute); wait != 81*time.Second {
		t.Errorf("it waits %v", wait)
	}
	if wait, _, _ := Wait(daily, at("07:59:40").In(paris), time.Minute); wait != 0 {
		t.Errorf("it waits %v", wait)
	}
}
