package check

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// writes are the functions of package os that change what a power cut may take back.
var writes = []string{"Create", "CreateTemp", "Link", "OpenFile", "Rename", "Symlink", "WriteFile"}

// passing are the files of the server's side that write by themselves, and why what they write may be lost.
var passing = map[string]string{
	"hostside/durable":            "syncs what it writes",
	"hostside/lock":               "/run is empty after a boot",
	"hostside/generation":         "a link in /run; what makes it at boot is written by durable",
	"hostside/command":            "a log that waits for no disk",
	"hostside/rollout/explain.go": "a folder that goes with the program",
	"hostside/unit/unit.go":       "a request to a unit that a power cut ends, too",
	"hostside/compose/compose.go": "a file that goes with the program that reads it",
	"hostside/dump":               "a dump that was cut short is removed; the snapshot of it is restic's",
	"hostside/restore/drill.go":   "a drill that was cut short is removed",
	"hostside/restore/files.go":   "beside what runs; writeDown has all of it on the disk before the swap",
	"hostside/restore/restore.go": "beside what runs, a link for the trial",
	"hostside/restore/stack.go":   "the compose file of a trial or a drill",
	"hostside/restore/swap.go":    "the placeholder, which the next copy puts there again",
	"hostside/backup/init.go":     "the password is kept by durable once it is known to open the repository",
	"hostside/rollout/steps.go":   "a second name of a file that is on the disk, in a folder that is synced next",
	"hostside/wal/recover.go":     "a recovery that was cut short is removed",
	"cmd/mrs-host/server.go":      "a setting of the kernel, which the next deployment sets again",
}

// What has to outlive a power cut is written by durable, which syncs the content and then the name: the lab cuts the
// power in some operations, and this is why that is enough.
func TestWhatHasToOutliveAPowerCutIsWrittenByDurable(t *testing.T) {
	for _, folder := range []string{"internal/hostside", "cmd/mrs-host"} {
		err := filepath.WalkDir(filepath.Join(root, folder), func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
				return err
			}
			name, err := filepath.Rel(root, path)
			if err != nil {
				return err
			}
			name = strings.TrimPrefix(filepath.ToSlash(name), "internal/")
			if passing[name] != "" || passing[filepath.ToSlash(filepath.Dir(name))] != "" {
				return nil
			}
			files := token.NewFileSet()
			file, err := parser.ParseFile(files, path, nil, parser.SkipObjectResolution)
			if err != nil {
				return err
			}
			for _, call := range ofPackage(file, "os") {
				if slices.Contains(writes, call.Sel.Name) {
					t.Errorf("%s: os.%s: the power may take it back; use package durable, or say here why it may",
						fmt.Sprint(files.Position(call.Pos())), call.Sel.Name)
				}
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
}

// ofPackage returns what a file uses of a package.
func ofPackage(file *ast.File, name string) (all []*ast.SelectorExpr) {
	ast.Inspect(file, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == name {
				all = append(all, s)
			}
		}
		return true
	})
	return all
}
