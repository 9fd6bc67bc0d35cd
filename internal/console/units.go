package console

import (
	"strconv"
	"strings"
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
