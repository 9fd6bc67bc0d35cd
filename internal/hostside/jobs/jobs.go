// Package jobs knows when the application's own jobs run, and so when none of its containers may start or serve beside
// another: uWSGI's cron knows no past, and runs a job in every container that is there in its minute (docs/mrs.md).
//
// It must not know what the jobs do.
package jobs

import (
	"strconv"
	"strings"
	"time"
)

// Job is a row of djcall_cron. A field is *, N, -N (every N) or A-B.
type Job struct {
	Minute, Hour, Day, Month, Weekday string
}

// Fires reports whether the job runs in the minute of t, in t's time zone. Of a
// day and a weekday that are both given either is enough, as crontab(5) has it.
func (j Job) Fires(t time.Time) bool {
	if !fits(j.Minute, t.Minute()) || !fits(j.Hour, t.Hour()) || !fits(j.Month, int(t.Month())) {
		return false
	}
	day := fits(j.Day, t.Day())
	weekday := fits(j.Weekday, int(t.Weekday())) || t.Weekday() == time.Sunday && fits(j.Weekday, 7)
	if j.Day != "*" && j.Weekday != "*" {
		return day || weekday
	}
	return day && weekday
}

// fits reports whether a field is true of a value. One that can't be read is: it may be.
func fits(field string, value int) bool {
	field = strings.TrimSpace(field)
	if field == "*" || field == "-1" {
		return true
	}
	if every, ok := strings.CutPrefix(field, "-"); ok {
		n, err := strconv.Atoi(every)
		return err != nil || n <= 0 || value%n == 0
	}
	first, last, isRange := strings.Cut(field, "-")
	from, err := strconv.Atoi(first)
	if err != nil {
		return true
	}
	if !isRange {
		return from == value
	}
	to, err := strconv.Atoi(last)
	return err != nil || from <= value && value <= to
}

// String is the time of the job in the order of crontab(5).
func (j Job) String() string {
	return strings.Join([]string{j.Minute, j.Hour, j.Day, j.Month, j.Weekday}, " ")
}

// longest is how long is looked ahead for a moment at which no job is near.
const longest = 2 * time.Hour

// Wait returns how long to wait until no job runs within lead. Those that run so often that there is no such
// moment are returned as ceaseless, and not waited for. Which jobs are waited for is in near.
func Wait(all []Job, now time.Time, lead time.Duration) (wait time.Duration, near, ceaseless []Job) {
	var rare []Job
	for _, j := range all {
		if _, clear := next([]Job{j}, now, lead); clear {
			rare = append(rare, j)
		} else {
			ceaseless = append(ceaseless, j)
		}
	}
	wait, clear := next(rare, now, lead)
	if !clear { // together they leave none
		return 0, nil, all
	}
	for _, j := range rare {
		if fires, _ := first([]Job{j}, now, now.Add(lead)); fires {
			near = append(near, j)
		}
	}
	return wait, near, ceaseless
}

// next returns how long it is until no job runs within lead, if that comes.
func next(all []Job, now time.Time, lead time.Duration) (time.Duration, bool) {
	at := now
	for at.Sub(now) < longest {
		fires, minute := first(all, at, at.Add(lead))
		if !fires {
			return at.Sub(now), true
		}
		at = minute.Add(time.Minute + time.Second) // clocks differ
	}
	return 0, false
}

// first returns the first minute between two times in which one of the jobs runs.
func first(all []Job, from, to time.Time) (bool, time.Time) {
	for minute := from.Truncate(time.Minute); !minute.After(to); minute = minute.Add(time.Minute) {
		for _, j := range all {
			if j.Fires(minute) {
				return true, minute
			}
		}
	}
	return false, time.Time{}
}
