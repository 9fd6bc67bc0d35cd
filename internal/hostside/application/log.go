package application

import (
	"regexp"
	"slices"
	"strings"
)

// request is a line in which uWSGI tells of one, also of a health check's
// (uWSGI: Formatting uWSGI requests logs).
var request = regexp.MustCompile(`^\[pid: \d+\|app: `)

// traceback is how Python begins to tell of an exception that nobody has caught.
const traceback = "Traceback (most recent call last):"

// Telling returns what of a container's log helps to understand why the
// application does not work: its first exception, and the last lines, at most that
// many, without those about requests.
func Telling(log string, last int) string {
	var lines, first []string
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, "\r\n")
		if !request.MatchString(line) {
			lines = append(lines, line)
		}
	}
	begins, ends := 0, 0
	for n, line := range lines {
		if strings.TrimSpace(line) != traceback {
			continue
		}
		begins, ends = n, n+1
		// Its frames are indented; then comes the exception.
		for ends < len(lines) && (strings.HasPrefix(lines[ends], " ") || lines[ends] == "") {
			ends++
		}
		ends = min(ends+1, len(lines))
		break
	}
	from := max(0, len(lines)-last)
	if ends > 0 && begins < from {
		first = append(slices.Clone(lines[begins:min(ends, from)]), "[…]")
	}
	return strings.Join(append(first, lines[from:]...), "\n")
}
