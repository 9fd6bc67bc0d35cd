package check

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// What decides is Go: of shell there is what a server can't do without, and no more.
const (
	shellLines = 150 // in all, comments among them
	shellText  = 5   // lines of a text in Go
)

// inShell is what a text has that a shell is to read, and none other: arguments, substitutions, tests, redirections.
var inShell = regexp.MustCompile(
	`(?m)^#!/|"\$[@1-9$]|(^|[^\\])\$\(|\$\{@|\$\{[A-Z_]+:-|\[ (! )?-[a-z] |[12]?>(&[12]|/dev/null)|\bset -[eou]`)

// shellIn returns the texts in Go files that are shell. What somebody is told to type is none.
func shellIn(files []*ast.File) (all []string) {
	for _, said := range everyText(files) {
		if inShell.MatchString(said) && !strings.Contains(said, "hint: ") {
			all = append(all, strings.TrimSpace(said))
		}
	}
	return all
}

func lineCount(text string) int { return strings.Count(strings.TrimSuffix(text, "\n"), "\n") + 1 }

// scripts are the files of shell that are the project's, of the server's side and of what asks it.
func scripts(t *testing.T) (all []string) {
	t.Helper()
	cmd := exec.Command("git", "ls-files", "-z", "ansible/roles/compose", "ansible/roles/backup", "internal")
	cmd.Dir = root
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	for file := range strings.SplitSeq(string(out), "\x00") {
		if strings.HasSuffix(file, ".sh") {
			all = append(all, read(t, filepath.Join(root, file)))
		}
	}
	return all
}

func TestOfShellThereIsLittle(t *testing.T) {
	files := scripts(t)
	texts := shellIn(slices.Concat(everySource(t, "internal"), everySource(t, "cmd")))
	if len(files) == 0 || len(texts) == 0 {
		t.Fatalf("%d scripts, %d texts", len(files), len(texts))
	}
	total := 0
	for _, text := range slices.Concat(files, texts) {
		total += lineCount(text)
		if strings.Contains(text, "python3") {
			t.Errorf("shell runs Python:\n%s", text)
		}
	}
	for _, text := range texts {
		if n := lineCount(text); n > shellText {
			t.Errorf("a text of %d lines in Go is shell, and may have %d:\n%s", n, shellText, text)
		}
	}
	for _, line := range lines(t, "ansible/roles/compose", ".yml") {
		if strings.Contains(line, "shell:") || strings.Contains(line, "raw:") {
			t.Errorf("a role has shell, which is counted nowhere: %s", line)
		}
	}
	t.Logf("%d lines of shell in %d scripts and %d texts in Go", total, len(files), len(texts))
	if total > shellLines {
		t.Errorf("there are %d lines of shell, and at most %d are to be\nhint: what decides is Go: cmd/mrs-host", total,
			shellLines)
	}
}

func TestShellIsKnownInATextOfGo(t *testing.T) {
	for text, is := range map[string]bool{
		"#!/bin/sh\nexec x": true, `cat "$1"`: true, "set -eu": true, "x=$(id)": true, `[ -e x ] || y`: true, "a >/dev/null": true,
		`[ ! -s x ]`: true, `exec "$@"`: true, "date ${TZ:-UTC}": true, "exec 2>&1": true,
		`^\$(x)`: false, "${1}…": false, "it failed\nhint: eval $(ssh-agent)": false, "a [b] -c": false, "a -> b": false,
	} {
		source := fmt.Sprintf("package x\nvar y = %q", text)
		file, err := parser.ParseFile(token.NewFileSet(), "", source, 0)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(shellIn([]*ast.File{file})) > 0; got != is {
			t.Errorf("%q is shell: %v", text, got)
		}
	}
}
