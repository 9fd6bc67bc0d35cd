package anonymize

import (
	"regexp"
	"time"
)

// dateFaker moves days by up to its days, never by none: the same day always to
// the same other one, so that an age stays what it was within limits.
type dateFaker struct {
	prf  *prf
	days int
	max  int
	time bool // of a timestamp: what is malformed becomes one
}

// defaultDays is how far a day moves where the rule says nothing.
const defaultDays = 180

// maxDays is as far as it may move: ages stay ages.
const maxDays = 36500

// Days since 1970-01-01 of 0001-01-01 and 9999-12-31.
const firstDay, lastDay = -719162, 2932896

// centuryAgo is 1900-01-01.
const centuryAgo = -25567

func (f *dateFaker) fake(out, in []byte, _ sex) []byte {
	start := len(out)
	in = trim(in)
	switch string(in) {
	case "infinity", "-infinity": // not anybody's birthday
		return append(out, in...)
	}
	date, ok := parseDate(in)
	if !ok {
		out = append(out, "1970-01-01"...)
		if f.time {
			out = append(out, " 00:00:00"...)
		}
		return limit(out, start, f.max)
	}
	random := f.prf.number(0, uint64(int64(date.day)))
	move := int(below(random, uint64(2*f.days))) - f.days
	if move >= 0 {
		move++ // -days … -1, 1 … days
	}
	day := date.day + move
	// Applications that know people's birthdays take none before 1900 for one.
	if day < firstDay || day > lastDay || day < centuryAgo && date.day >= centuryAgo {
		day = date.day - move
	}
	out = date.append(out, in, day)
	return limit(out, start, f.max)
}

// date is a day as it is written: where its parts are, and how many digits they have.
type date struct {
	day   int // since 1970-01-01
	parts [3]struct{ at, digits int }
	year  int // which of the parts
	short bool
	tail  int // where what follows the day begins
}

// parseDate reads year-month-day or day-month-year, with any of -/. and space
// between or nothing, days and months of one or two digits and years of four or
// two, and perhaps a time of day and a zone behind.
func parseDate(in []byte) (d date, ok bool) {
	part, i := 0, 0
	for ; i < len(in) && part < 3; part++ {
		at := i
		for i < len(in) && in[i] >= '0' && in[i] <= '9' {
			i++
		}
		d.parts[part].at, d.parts[part].digits = at, i-at
		if i == at {
			return d, false
		}
		if part == 0 && i-at == 8 {
			// Without separators: the year is first where that makes sense.
			d.parts[0].digits, d.parts[1].at, d.parts[1].digits, d.parts[2].at, d.parts[2].digits = 4, at+4, 2, at+6, 2
			if century := two(in[at:]); century < 18 || century > 21 || two(in[at+4:]) > 12 {
				d.parts[0].digits, d.parts[1].at, d.parts[2].at, d.parts[2].digits = 2, at+2, at+4, 4
			}
			part = 2
			continue
		}
		if part < 2 {
			if i == len(in) {
				return d, false
			}
			if c := in[i]; c != '-' && c != '/' && c != '.' && c != ' ' || part == 1 && c != in[i-d.parts[1].digits-1] {
				return d, false
			}
			i++
		}
	}
	if part < 3 {
		return d, false
	}
	d.tail = i
	var n [3]int
	for p := range n {
		if d.parts[p].digits > 4 {
			return d, false
		}
		for _, c := range in[d.parts[p].at : d.parts[p].at+d.parts[p].digits] {
			n[p] = n[p]*10 + int(c-'0')
		}
	}
	switch {
	case d.parts[0].digits == 4:
		d.year = 0
	case d.parts[2].digits == 4:
		d.year = 2
	case d.parts[2].digits == 2:
		d.year, d.short = 2, true
		// Who is born in the year 30 is so in 1930.
		if n[2] += 1900; n[2] < 1930 {
			n[2] += 100
		}
	default:
		return d, false
	}
	year, month, day := n[d.year], n[1], n[2-d.year]
	d.day, ok = unixDay(year, month, day)
	return d, ok && year > 0 && d.parts[1].digits <= 2 && d.parts[2-d.year].digits <= 2 && isTime.Match(in[d.tail:])
}

// append writes the day as the date that was read from in is written.
func (d *date) append(out, in []byte, day int) []byte {
	year, month, dayOfMonth := civil(day)
	n := [3]int{1: int(month)}
	n[d.year], n[2-d.year] = year, dayOfMonth
	at := 0
	for p, part := range d.parts {
		out = append(out, in[at:part.at]...)
		at = part.at + part.digits
		switch {
		case p == d.year && !d.short:
			out = append(out, byte('0'+n[p]/1000), byte('0'+n[p]/100%10), byte('0'+n[p]/10%10), byte('0'+n[p]%10))
		case part.digits == 1 && n[p]%100 < 10 && p != d.year:
			out = append(out, byte('0'+n[p]))
		default:
			out = append(out, byte('0'+n[p]%100/10), byte('0'+n[p]%10))
		}
	}
	return append(out, in[at:]...)
}

// isTime is a time of day as ISO 8601 and PostgreSQL write it, 12:34, T12:34:56.789+01:00, with room for leap
// seconds, or nothing.
var isTime = regexp.MustCompile(
	`^([ T]([01]\d|2[0-4])(:([0-5]\d|60)){1,2}(\.\d+)?(Z|[+-](0\d|1[0-5])(:([0-5]\d|60)){0,2})?)?$`)

// unixDay returns the days since 1970-01-01, in the Gregorian calendar at all times, as PostgreSQL has it.
func unixDay(year, month, day int) (days int, exists bool) {
	t := time.Date(year, time.Month(month), day, 0, 0, 0, 0, time.UTC)
	return int(t.Unix() / 86400), t.Year() == year && int(t.Month()) == month && t.Day() == day
}

// civil is the opposite of unixDay.
func civil(days int) (year int, month time.Month, day int) {
	return time.Unix(int64(days)*86400, 0).UTC().Date()
}
