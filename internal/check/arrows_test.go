package check

import (
	"fmt"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const (
	root   = "../.."
	module = "github.com/betagouv/mrs-ops"
)

// imports are those of one file which are of the module's own packages. A
// package is named as the README does it: by its folder, without internal/.
type imports struct {
	file string
	of   string   // the file's package
	to   []string // the packages that it imports
}

var ourArrows = regexp.MustCompile(`(?s)Arrows go down only: (.+?); (.+?) import nothing of ours\.`)

// arrows reads the README's sentence: the rooms from the top down, a layer an
// element. The last layer is of those that import nothing of ours.
func arrows(text string) ([][]string, error) {
	sentence := ourArrows.FindStringSubmatch(text)
	if sentence == nil {
		return nil, fmt.Errorf("there is no sentence that %s matches", ourArrows)
	}
	var layers [][]string
	for layer := range strings.SplitSeq(sentence[1], "→") {
		layers = append(layers, rooms(layer))
	}
	return append(layers, rooms(sentence[2])), nil
}

// rooms returns the names in "one, two and three", on however many lines.
func rooms(list string) []string {
	return strings.Fields(strings.NewReplacer(",", " ", " and ", " ").Replace(strings.Join(strings.Fields(list), " ")))
}

// against returns what of the imports is against the arrows, and what of the
// arrows is not true of the packages.
func against(layers [][]string, files []imports) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }

	place := map[string]int{}
	for i, layer := range layers {
		for _, room := range layer {
			if _, twice := place[room]; twice {
				say("the arrows name %s twice", room)
			}
			place[room] = i
		}
	}
	// A package that is not named belongs to the nearest folder that is.
	roomOf := func(pkg string) string {
		for pkg != "." {
			if _, named := place[pkg]; named {
				return pkg
			}
			pkg = path.Dir(pkg)
		}
		return ""
	}

	inhabited, homeless := map[string]bool{}, map[string]bool{}
	for _, f := range files {
		from := roomOf(f.of)
		inhabited[from] = true
		if from == "" && !homeless[f.of] {
			homeless[f.of] = true
			say("%s: the arrows have no place for %s", f.file, f.of)
		}
		for _, pkg := range f.to {
			to := roomOf(pkg)
			if from == "" || to == "" || from == to || place[to] > place[from] {
				continue
			}
			where := "above it"
			if place[to] == place[from] {
				where = "beside it"
			}
			say("%s: %s imports %s, which is %s", f.file, f.of, pkg, where)
		}
	}
	for room := range place {
		if !inhabited[room] {
			say("the arrows name %s, and there is no such package", room)
		}
	}
	slices.Sort(wrong)
	return wrong
}

// everyImport reads the imports of all of the module's Go files, whatever the
// system or tag that they are for. It walks the folders itself, rather than ask
// go list: what a test has read itself, go test knows to run it again for.
func everyImport(t *testing.T) (files []imports) {
	t.Helper()
	named := func(folder string) string { return strings.TrimPrefix(filepath.ToSlash(folder), "internal/") }
	err := filepath.WalkDir(root, func(file string, entry fs.DirEntry, err error) error {
		if err != nil || file == root {
			return err
		}
		if entry.IsDir() {
			_, noModule := os.Stat(filepath.Join(file, "go.mod"))
			if name := entry.Name(); noModule == nil || name == "testdata" || name == "vendor" || name[0] == '.' || name[0] == '_' {
				return fs.SkipDir
			}
			return nil
		}
		if filepath.Ext(file) != ".go" {
			return nil
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, parser.ImportsOnly)
		if err != nil {
			return err
		}
		relative, err := filepath.Rel(root, file)
		if err != nil {
			return err
		}
		f := imports{file: relative, of: named(filepath.Dir(relative))}
		for _, spec := range parsed.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				return fmt.Errorf("%s: %w", relative, err)
			}
			if ours, ok := strings.CutPrefix(imported, module+"/"); ok {
				f.to = append(f.to, named(ours))
			}
		}
		files = append(files, f)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}

func TestArrowsGoDownOnlyAsTheREADMESays(t *testing.T) {
	readme, err := os.ReadFile(filepath.Join(root, "README.md"))
	if err != nil {
		t.Fatal(err)
	}
	layers, err := arrows(string(readme))
	if err != nil {
		t.Fatalf("README.md: %v", err)
	}
	if wrong := against(layers, everyImport(t)); wrong != nil {
		t.Errorf("%s\nhint: the arrows are in README.md, below The rooms; what is above asks, what is below knows nothing of it. "+
			"Move what both need further down, or, for a new package, name it where it belongs", strings.Join(wrong, "\n"))
	}
}

func TestArrowsAreReadFromASentenceOfAnyLength(t *testing.T) {
	got, err := arrows("# A\n\nArrows go down only: door, cmd → a,\nb/c →\nd; e, f\nand g import nothing of ours. More.\n")
	if want := "[[door cmd] [a b/c] [d] [e f g]]"; err != nil || fmt.Sprint(got) != want {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
	if got, err := arrows("Arrows go wherever they like."); err == nil {
		t.Errorf("%v is read from no such sentence", got)
	}
}

func TestWhatIsAgainstTheArrowsIsNamedWithItsFile(t *testing.T) {
	layers := [][]string{{"door", "cmd"}, {"deploy", "copy", "copy/agent"}, {"remote"}, {"console"}}
	all := []imports{ // somebody in each room
		{"door/door.go", "door", []string{"deploy", "remote", "console"}},
		{"cmd/one/main.go", "cmd/one", []string{"copy/agent"}},
		{"internal/deploy/deploy.go", "deploy", []string{"remote"}},
		{"internal/copy/copy.go", "copy", nil},
		{"internal/copy/agent/agent.go", "copy/agent", []string{"remote"}},
		{"internal/remote/remote.go", "remote", []string{"console"}},
		{"internal/console/console.go", "console", nil},
	}
	for _, test := range []struct {
		name   string
		layers [][]string
		files  []imports
		want   []string
	}{
		{"nothing", layers, all, nil},
		{"upwards", layers, append(all, imports{"internal/remote/a_test.go", "remote", []string{"console", "deploy"}}),
			[]string{"internal/remote/a_test.go: remote imports deploy, which is above it"}},
		{"sideways", layers, append(all, imports{"internal/deploy/b.go", "deploy", []string{"copy"}}),
			[]string{"internal/deploy/b.go: deploy imports copy, which is beside it"}},
		{"sideways, among those that import nothing", append(slices.Clone(layers[:3]), []string{"console", "project"}),
			append(all, imports{"internal/project/p.go", "project", []string{"console"}}),
			[]string{"internal/project/p.go: project imports console, which is beside it"}},
		{"from a room's folder to what is named itself", layers, append(all, imports{"internal/copy/c.go", "copy", []string{"copy/agent"}}),
			[]string{"internal/copy/c.go: copy imports copy/agent, which is beside it"}},
		{"within a room, in folders that are not named", layers,
			append(all, imports{"internal/deploy/plan/p.go", "deploy/plan", []string{"deploy", "remote"}}, imports{"internal/deploy/d.go", "deploy", []string{"deploy/plan"}}), nil},
		{"upwards, in a folder that is not named", layers, append(all, imports{"internal/remote/keys/k.go", "remote/keys", []string{"deploy/plan"}}),
			[]string{"internal/remote/keys/k.go: remote/keys imports deploy/plan, which is above it"}},
		{"a package without a place", layers, append(all, imports{"internal/new/a.go", "new", []string{"door"}}, imports{"internal/new/b.go", "new", nil}),
			[]string{"internal/new/a.go: the arrows have no place for new"}},
		{"a place without a package", append(slices.Clone(layers), []string{"gone"}), all,
			[]string{"the arrows name gone, and there is no such package"}},
		{"two places", append(slices.Clone(layers), []string{"deploy"}), all,
			[]string{"internal/deploy/deploy.go: deploy imports remote, which is above it", "the arrows name deploy twice"}},
	} {
		t.Run(test.name, func(t *testing.T) {
			if got := against(test.layers, test.files); !slices.Equal(got, test.want) {
				t.Errorf("%q\nwant %q", got, test.want)
			}
		})
	}
}
