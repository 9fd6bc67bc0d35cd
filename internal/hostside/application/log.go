package application

import (
	"regexp"
	"slices"
	"strings"
)

// requests are the lines in which servers tell of a request, also of a health
// check's: uWSGI (Formatting uWSGI requests logs), and those that quote its first
// line, as the common log format does.
var requests = regexp.MustCompile(`^\[pid: \d+\|app: |"(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) \S+ HTTP/\d(\.\d)?"`)

// complaint is what a line with a request may be about besides.
var complaint = regexp.MustCompile(`(?i)\b(error|exception|crit|critical|emerg|fatal|alert)\b`)

func isRequest(line string) bool {
	return requests.MatchString(line) && (strings.HasPrefix(line, "[pid: ") || !complaint.MatchString(line))
}

// most is how many lines of an exception are told.
const most = 60

// forms are the ways in which exceptions that nobody has caught are told: how a
// line is that may begin one, and from which of the lines on it has ended, 0 if it
// is none.
var forms = []struct {
	begins *regexp.Regexp
	ends   func(lines []string) int
}{
	{regexp.MustCompile(`^\s*Traceback \(most recent call last\):$`), pythonEnds},
	{regexp.MustCompile(`^  \+ Exception Group Traceback `), func(lines []string) int { return while(lines, indented) }},
	{regexp.MustCompile(`^  File ".*", line \d+$`), pythonEnds}, // of a syntax error
	{regexp.MustCompile(`^(panic: |fatal error: )`), goEnds},
	{regexp.MustCompile(`^thread '.*' panicked at `), rustEnds},
	{regexp.MustCompile(`^(file:|node:|/)\S+:\d+$`), nodeEnds}, // the place in the source
	{uncaught, framesEnd},
	{regexp.MustCompile(`^\S+:\d+:in .+ \([A-Z][\w:]*\)$`), rubyEnds},
	{regexp.MustCompile(`^(PHP )?Fatal error: `), phpEnds},
}

var (
	// uncaught is what Node and Java say before the frames.
	uncaught = regexp.MustCompile(`^((Uncaught|Exception in thread) .*|` +
		`[A-Za-z_$][\w.$]*(Error|Exception|Throwable)\b.*)$`)
	ofPHP = regexp.MustCompile(`^(Stack trace:|(PHP )?\s*\d+\. |#\d+ |\s+\S)`)
	// frame is a line of the stack of Node or Java.
	frame = regexp.MustCompile(`^\s+at `)
	// ofFrames are lines among these.
	ofFrames = regexp.MustCompile(`^(\s+\S|Caused by: |[\]}])`)
	// leads is how Python leads from an exception to the one that came of it.
	leads = regexp.MustCompile(`^(During handling of the above exception, another exception occurred|` +
		`The above exception was the direct cause of the following exception):$`)
	// ofMessage are further lines of a message: PostgreSQL's.
	ofMessage = regexp.MustCompile(`^(\s+\S|(DETAIL|HINT|CONTEXT|LINE \d+): )`)
	goroutine = regexp.MustCompile(`^goroutine \d+ `)
)

// while returns how many of the lines, from the first on, are so.
func while(lines []string, is func(string) bool) int {
	if n := slices.IndexFunc(lines, func(line string) bool { return !is(line) }); n >= 0 {
		return n
	}
	return len(lines)
}

func indented(line string) bool    { return line != "" && strings.TrimLeft(line, " \t") != line }
func besideBlank(line string) bool { return line != "" }

// pythonEnds: frames are indented; then comes the exception, and, after a line
// that leads there, the next one.
func pythonEnds(lines []string) int {
	n := 1
	for {
		n += while(lines[n:], func(line string) bool { return line == "" || indented(line) })
		n = min(n+1, len(lines))
		n += while(lines[n:], ofMessage.MatchString)
		next := n + while(lines[n:], func(line string) bool { return line == "" })
		if next >= len(lines) || !leads.MatchString(lines[next]) {
			return n
		}
		n = next + 1
		n += while(lines[n:], func(line string) bool { return line == "" })
		n = min(n+1, len(lines)) // its first line
	}
}

func rustEnds(lines []string) int { return while(lines, besideBlank) }
func rubyEnds(lines []string) int { return 1 + while(lines[1:], indented) }
func phpEnds(lines []string) int  { return 1 + while(lines[1:], ofPHP.MatchString) }

// goEnds: that of the goroutine which has panicked is the first stack.
func goEnds(lines []string) int {
	n := slices.IndexFunc(lines, goroutine.MatchString)
	if n < 0 {
		return 1
	}
	return n + while(lines[n:], besideBlank)
}

// nodeEnds: behind the place come its line of the source, and a mark below it; then the error.
func nodeEnds(lines []string) int {
	for n := 1; n < min(8, len(lines)); n++ {
		if ends := framesEnd(lines[n:]); ends > 0 {
			return n + ends
		}
	}
	return 0
}

// framesEnd: what is said, in a line or some, then the frames.
func framesEnd(lines []string) int {
	n := slices.IndexFunc(lines[:min(5, len(lines))], frame.MatchString)
	if n < 1 {
		return 0
	}
	return n + while(lines[n:], ofFrames.MatchString)
}

// exception returns where the first one begins and ends.
func exception(lines []string) (begins, ends int) {
	for n, line := range lines {
		for _, form := range forms {
			if form.begins.MatchString(line) {
				if length := form.ends(lines[n:]); length > 0 {
					return n, n + length
				}
			}
		}
	}
	return 0, 0
}

// Telling returns what of a container's log helps to understand why the
// application does not work: its first exception, and the last lines, at most that
// many, without those about requests.
func Telling(log string, last int) string {
	var lines, first []string
	for line := range strings.Lines(log) {
		line = strings.TrimRight(line, "\r\n")
		if !isRequest(line) {
			lines = append(lines, line)
		}
	}
	begins, ends := exception(lines)
	from := max(0, len(lines)-last)
	if ends > 0 && begins < from {
		first = slices.Clone(lines[begins:min(ends, from)])
		if len(first) > most { // what it is is said at its begin, or at its end
			first = slices.Concat(first[:most/2], []string{"[…]"}, first[len(first)-most/2:])
		}
		first = append(first, "[…]")
	}
	return strings.Join(append(first, lines[from:]...), "\n")
}
