// Do takes the words of the application's old ./do: it runs the target that replaces
// one, or names it. The script of that name, beside go.mod, runs it.
package main

import (
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strings"
	"syscall"

	"github.com/betagouv/mrs-ops/internal/local"
)

//go:embed words.tsv
var table string

// became is what has become of a word: a line of words.tsv, which says what its fields are.
type became struct{ word, how, target, note string }

func rows() (all []became) {
	for line := range strings.Lines(table) {
		if fields := append(strings.Split(strings.TrimSuffix(line, "\n"), "\t"), "", ""); !strings.HasPrefix(line, "#") {
			all = append(all, became{fields[0], fields[1], fields[2], fields[3]})
		}
	}
	return all
}

// find returns what has become of the words that arguments begin with, and those behind them.
func find(arguments []string) (found became, rest []string) {
	for _, row := range rows() {
		n := len(strings.Fields(row.word))
		if len(arguments) >= n && strings.Join(arguments[:n], " ") == row.word && len(row.word) > len(found.word) {
			found, rest = row, arguments[n:]
		}
	}
	return found, rest
}

var instanceName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// argv returns the command line of the word's target: INSTANCE where the old system's
// variable instance says none that can be one.
func (b became) argv(instance string, rest []string) []string {
	argv := []string{"go", "tool", "mage"}
	for _, word := range strings.Fields(b.target) {
		switch word {
		case "{words}":
			word, rest = local.Quote(rest...), nil
		case "{instance}":
			if word = strings.TrimPrefix(instance, "mrs-"); !instanceName.MatchString(word) {
				word = "local"
			}
		}
		argv = append(argv, word)
	}
	return append(argv, rest...)
}

// answer returns the command line to run, or what there is to say of the words instead.
func answer(arguments []string, instance string) (argv []string, err error) {
	found, rest := find(arguments)
	switch found.how {
	case "run":
		return found.argv(instance, rest), nil
	case "see":
		return nil, fmt.Errorf("%s is not run by this name any more: %s\nhint: %s", found.word, found.note,
			local.Quote(found.argv(instance, nil)...))
	case "app":
		hint := "run it there"
		if found.note != "" {
			hint += "; " + found.note
		}
		return nil, fmt.Errorf("%s is of the application's own ./do, and stays there: it develops it\nhint: %s",
			found.word, hint)
	}
	var list strings.Builder
	for _, row := range rows() {
		fmt.Fprintf(&list, "\n  %-18s %s", row.word, strings.TrimSpace(row.target+" ("+row.how+") "+row.note))
	}
	return nil, errors.New("which word is meant? These were there, and this is what they have become:" + list.String() +
		"\nhint: go tool mage lists all targets")
}

func main() {
	argv, err := answer(os.Args[1:], os.Getenv("instance"))
	if err == nil {
		var program string
		if program, err = exec.LookPath(argv[0]); err == nil {
			fmt.Fprintln(os.Stderr, "+", local.Quote(argv...))
			err = syscall.Exec(program, argv, os.Environ())
		}
	}
	fmt.Fprintln(os.Stderr, "Error:", err)
	os.Exit(1)
}
