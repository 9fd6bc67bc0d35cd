package hostapi

import (
	"fmt"
	"strings"
)

// Step is a part of a plan, as it is explained to people: nothing of it is done.
type Step struct {
	Name string
	Runs []string // the commands behind it, as a shell would be given them; what is in capitals is not known before
	Undo string   // what takes it back, where something fails from here on; empty: there is nothing to take back
}

// Explain returns the lines that tell a plan.
func Explain(steps []Step) (lines []string) {
	for n, s := range steps {
		lines = append(lines, fmt.Sprintf("%2d. %s", n+1, s.Name))
		for _, command := range s.Runs {
			lines = append(lines, "      "+command)
		}
		if s.Undo != "" {
			lines = append(lines, "    where it fails from here on: "+s.Undo)
		}
	}
	return lines
}

// Quote returns a command line as a shell is given it.
func Quote(argv ...string) string {
	words := make([]string, len(argv))
	for i, word := range argv {
		words[i] = word
		if word == "" || strings.ContainsAny(word, " \t\n'\"\\$`;&|<>()*?[]#~!{}") {
			words[i] = "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
		}
	}
	return strings.Join(words, " ")
}
