package check

import (
	"bufio"
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// timing is how long a test took, its subtests included.
type timing struct {
	name    string // as it is written: "TestX/what it shows"
	seconds float64
	parent  bool // it has subtests
}

// timings reads what `go test -json` prints, and returns the tests that have
// ended, the slowest first. What a test says that it has waited for its turn, in
// seconds, as its attribute "waited" ([testing.T.Attr]), is not counted. A line
// that is none of its events is passed over: the tests' own output may be among
// them.
func timings(events io.Reader) ([]timing, error) {
	var all []timing
	parents := map[string]bool{}
	waited := map[string]float64{}
	lines := bufio.NewScanner(events)
	lines.Buffer(nil, 1<<24)
	for lines.Scan() {
		var event struct {
			Action, Package, Test string
			Elapsed               float64
			Key, Value            string // of an attribute
		}
		if json.Unmarshal(lines.Bytes(), &event) != nil || event.Test == "" {
			continue
		}
		id := event.Package + " " + event.Test
		switch event.Action {
		case "attr":
			if event.Key == "waited" {
				waited[id], _ = strconv.ParseFloat(event.Value, 64)
			}
		case "pass", "fail", "skip":
			for i, c := range event.Test {
				if c == '/' {
					parents[event.Package+" "+event.Test[:i]] = true
				}
			}
			// Subtests end before the test that they are part of.
			all = append(all, timing{
				strings.ReplaceAll(event.Test, "_", " "), max(0, event.Elapsed-waited[id]), parents[id],
			})
		}
	}
	slices.SortStableFunc(all, func(a, b timing) int { return cmp.Compare(b.seconds, a.seconds) })
	return all, lines.Err()
}

// writeTimings writes a line a test, of its seconds and its name, with a tab
// between them.
func writeTimings(w io.Writer, all []timing) error {
	out := bufio.NewWriter(w)
	for _, t := range all {
		fmt.Fprintf(out, "%.2f\t%s\n", t.seconds, t.name)
	}
	return out.Flush()
}

// slowest returns a table of the n tests without subtests that took longest.
func slowest(all []timing, n int) [][]string {
	rows := [][]string{{"SECONDS", "THE SLOWEST TESTS"}}
	for _, t := range all {
		if t.parent {
			continue
		}
		if len(rows) > n {
			break
		}
		rows = append(rows, []string{fmt.Sprintf("%.1f", t.seconds), t.name})
	}
	return rows
}
