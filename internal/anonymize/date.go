package anonymize

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
	if d.parts[1].digits > 2 || d.parts[2-d.year].digits > 2 ||
		year < 1 || month < 1 || month > 12 || day < 1 || day > daysIn(year, month) || !isTime(in[d.tail:]) {
		return d, false
	}
	d.day = dayOf(year, month, day)
	return d, true
}

// append writes the day as the date that was read from in is written.
func (d *date) append(out, in []byte, day int) []byte {
	year, month, dayOfMonth := civil(day)
	n := [3]int{1: month}
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

// isTime reports whether in is nothing, or a time of day as ISO 8601 and
// PostgreSQL write it: 12:34, T12:34:56.789+01:00.
func isTime(in []byte) bool {
	if len(in) == 0 {
		return true
	}
	if in[0] != ' ' && in[0] != 'T' {
		return false
	}
	rest, ok := clock(in[1:], 24)
	if !ok || len(in)-len(rest) < 6 {
		return false
	}
	if len(rest) > 1 && rest[0] == '.' {
		for rest = rest[1:]; len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9'; {
			rest = rest[1:]
		}
	}
	switch {
	case len(rest) == 0 || string(rest) == "Z":
		return true
	case rest[0] == '+' || rest[0] == '-':
		rest, ok = clock(rest[1:], 15)
		return ok && len(rest) == 0
	}
	return false
}

// clock reads hours up to max, and perhaps minutes and seconds, and returns what
// follows.
func clock(in []byte, max int) (rest []byte, ok bool) {
	for i := range 3 {
		if i > 0 {
			if len(in) == 0 || in[0] != ':' {
				return in, true
			}
			in = in[1:]
		}
		if len(in) < 2 || in[0] < '0' || in[0] > '9' || in[1] < '0' || in[1] > '9' || two(in) > max {
			return in, false
		}
		in, max = in[2:], 60 // a leap second
	}
	return in, true
}

func daysIn(year, month int) int {
	switch month {
	case 2:
		if year%4 == 0 && (year%100 != 0 || year%400 == 0) {
			return 29
		}
		return 28
	case 4, 6, 9, 11:
		return 30
	}
	return 31
}

// dayOf returns the days since 1970-01-01, in the Gregorian calendar at all times,
// as PostgreSQL has it. (Howard Hinnant, chrono-compatible low-level date
// algorithms: years begin with March, so that the leap day is the last.)
func dayOf(year, month, day int) int {
	if month <= 2 {
		year--
		month += 12
	}
	era := year / 400
	ofEra := year % 400
	ofYear := (153*(month-3)+2)/5 + day - 1
	return era*146097 + ofEra*365 + ofEra/4 - ofEra/100 + ofYear - 719468
}

// civil is the opposite of dayOf.
func civil(days int) (year, month, day int) {
	days += 719468
	era := days / 146097
	ofEra := days % 146097
	yearOfEra := (ofEra - ofEra/1460 + ofEra/36524 - ofEra/146096) / 365
	ofYear := ofEra - (365*yearOfEra + yearOfEra/4 - yearOfEra/100)
	m := (5*ofYear + 2) / 153
	year, month, day = yearOfEra+era*400, m+3, ofYear-(153*m+2)/5+1
	if month > 12 {
		month -= 12
		year++
	}
	return year, month, day
}
