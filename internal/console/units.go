package console

import (
	"strconv"
	"strings"
	"time"
)

// Bytes returns a number of bytes in the unit that suits.
func Bytes(n float64) string {
	sign := ""
	if n < 0 {
		sign, n = "-", -n
	}
	units := []string{"B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"}
	i := 0
	for n >= 1023.5 && i < len(units)-1 {
		n /= 1024
		i++
	}
	return sign + Rounded(n) + "\u00a0" + units[i]
}

// Rounded returns n with a decimal where that says something.
func Rounded(n float64) string {
	if n >= 9.95 {
		return strconv.FormatFloat(n, 'f', 0, 64)
	}
	return strings.TrimSuffix(strconv.FormatFloat(n, 'f', 1, 64), ".0")
}

// Span returns how long a duration is as [SpanIn] tells it: 95s, 30min, 7h, 12d.
func Span(d time.Duration) string {
	n, unit := SpanIn(d)
	return strconv.Itoa(n) + unit
}

// SpanIn returns how long a duration is, forwards or back, in whole units of the
// largest that says enough: s, min, h or d.
func SpanIn(d time.Duration) (n int, unit string) {
	switch d = d.Abs(); {
	case d < 2*time.Minute:
		return int(d.Seconds()), "s"
	case d < 2*time.Hour:
		return int(d.Minutes()), "min"
	case d < 48*time.Hour:
		return int(d.Hours()), "h"
	}
	return int(d.Hours()) / 24, "d"
}
