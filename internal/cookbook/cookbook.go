// Package cookbook reads the commands of docs/cookbook.fr.rst, for the tests that hold them and those that run them.
//
// It must not know what the commands do.
package cookbook

import "strings"

// Block is a block of commands.
type Block struct {
	Mark  string // where the lab runs it
	Lines []string
}

// Blocks reads the literal blocks of a page in reStructuredText, and the mark before each.
func Blocks(page string) (all []Block) {
	mark, inside := "", false
	for line := range strings.Lines(page) {
		line = strings.TrimRight(line, "\n")
		switch command, indented := strings.CutPrefix(line, "    "); {
		case strings.HasPrefix(line, ".. lab: "):
			mark = strings.TrimPrefix(line, ".. lab: ")
		case strings.HasSuffix(line, "::"):
			inside = true
			all = append(all, Block{Mark: mark})
			mark = ""
		case inside && indented:
			all[len(all)-1].Lines = append(all[len(all)-1].Lines, command)
		case line != "":
			inside = false
		}
	}
	return all
}
