package console

import (
	"fmt"
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

// Span returns how long a duration is, forwards or back, in the largest unit that
// says enough: 95s, 30min, 7h, 12d.
func Span(d time.Duration) string {
	switch d = d.Abs(); {
	case d < 2*time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < 2*time.Hour:
		return fmt.Sprintf("%dmin", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%.0fd", d.Hours()/24)
}
