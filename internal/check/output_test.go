package check

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// printers print what was asked for on standard output, and outcome a line about
// it there.
var printers = []string{"console.JSON", "console.Table", "fmt.Print", "fmt.Println", "fmt.Printf", "os.Stdout.Write", "os.Stdout.WriteString"}

const outcome = "console.Done"

// called returns a function's calls, by their names: f, package.f, package.variable.f.
func called(f *ast.FuncDecl) map[string]bool {
	calls := map[string]bool{}
	ast.Inspect(f, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok {
			calls[nameOf(call.Fun)] = true
		}
		return true
	})
	return calls
}

func nameOf(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return nameOf(e.X) + "." + e.Sel.Name
	}
	return ""
}

// mixed returns the functions of a package that print data, themselves or by
// another one of the package, and an outcome among them.
func mixed(calls map[string]map[string]bool) (names []string) {
	prints := func(name string) bool {
		return slices.ContainsFunc(printers, func(p string) bool { return calls[name][p] })
	}
	for _, name := range slices.Sorted(maps.Keys(calls)) {
		others := slices.Collect(maps.Keys(calls[name]))
		if calls[name][outcome] && (prints(name) || slices.ContainsFunc(others, prints)) {
			names = append(names, name)
		}
	}
	return names
}

// A file that a target's output is sent to has the data, and no word about them.
func TestWhatPrintsDataSaysTheOutcomeElsewhere(t *testing.T) {
	packages := map[string]map[string]map[string]bool{} // folder, function, its calls
	for _, root := range []string{"internal", "magefiles"} {
		err := filepath.WalkDir(filepath.Join("../..", root), func(path string, entry os.DirEntry, err error) error {
			if err != nil || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			folder := filepath.Dir(path)
			if packages[folder] == nil {
				packages[folder] = map[string]map[string]bool{}
			}
			for _, d := range file.Decls {
				if f, ok := d.(*ast.FuncDecl); ok {
					packages[folder][f.Name.Name] = called(f)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	// What these print are reports of their own work.
	delete(packages, "../../internal/bench")
	delete(packages, "../../internal/check")
	if len(packages) < 20 {
		t.Fatalf("only %d packages were read", len(packages))
	}
	for folder, calls := range packages {
		for _, name := range mixed(calls) {
			t.Errorf("%s: %s prints data and an outcome on standard output: use console.Summary for that", folder, name)
		}
	}
}

func TestDataAndOutcomeTogetherAreFound(t *testing.T) {
	is := func(names ...string) map[string]bool {
		calls := map[string]bool{}
		for _, name := range names {
			calls[name] = true
		}
		return calls
	}
	got := mixed(map[string]map[string]bool{
		"a": is("console.Table", "console.Done"), "b": is("console.Table", "console.Summary"), "c": is("show", "console.Done"),
		"show": is("fmt.Println"), "d": is("console.Done"), "e": is("os.Stdout.WriteString", "console.Done"),
	})
	if want := []string{"a", "c", "e"}; !slices.Equal(got, want) {
		t.Errorf("%q, not %q", got, want)
	}
}
