package check

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// unbounded are bound itself, what writes down what is run, the functions that run a program of ours, whose
// commands have bounds themselves, one whose caller bounds all that it runs, and one that runs what an operator does
// as long as that listens.
var unbounded = []string{"bound.go Run", "command.go Context", "provision.go Open", "server.go script", "here.go leave", "preflight.go install", "leash.go Run"}

// Whoever waits for a program on a server holds locks that others wait for.
func TestEveryProgramOnAServerHasABound(t *testing.T) {
	read := 0
	for _, root := range []string{"../hostside", "../../cmd/mrs-host"} {
		err := filepath.WalkDir(root, func(path string, entry os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for _, d := range file.Decls {
				f, ok := d.(*ast.FuncDecl)
				if !ok {
					continue
				}
				calls := called(f)
				if !calls["exec.Command"] && !calls["exec.CommandContext"] && !calls["command.Context"] {
					continue
				}
				read++
				if name := filepath.Base(path) + " " + f.Name.Name; !calls["bound.Within"] && !slices.Contains(unbounded, name) {
					t.Errorf("%s: %s runs a program without a bound: use bound.Within, or a bound.Runner", path, f.Name.Name)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if read < 8 {
		t.Errorf("only %d functions were found that run programs", read)
	}
}
