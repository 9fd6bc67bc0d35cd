package program

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/local"
)

func TestAProcessorThatNothingIsBuiltForIsRefused(t *testing.T) {
	if _, err := Build(t.Context(), "mrs-host", "riscv64"); err == nil || !strings.Contains(err.Error(), `mrs-host is not built for the processor "riscv64"`) {
		t.Error(err)
	}
	if processors[Here()] == "" {
		t.Errorf("nothing is built for %q", Here())
	}
}

// clone is a project with a program that consists of two packages, and one of them of an embedded file too.
var clone = map[string]string{
	"go.mod":            "module example.org/x\n\ngo 1.26.0\n",
	"cmd/p/main.go":     "package main\n\nimport \"example.org/x/used\"\n\nfunc main() { print(used.Text) }\n",
	"used/used.go":      "package used\n\nimport _ \"embed\"\n\n//go:embed *.txt\nvar Text string\n",
	"used/text.txt":     "text\n",
	"used/used_test.go": "package used\n",
	"used/on_plan9.go":  "package used\n",
	"beside/beside.go":  "package beside\n",
}

// cloned makes a clone the working directory, with changes of files to it; "" is no file.
func cloned(t *testing.T, changes map[string]string) {
	t.Helper()
	root := t.TempDir()
	t.Chdir(root)
	for _, files := range []map[string]string{clone, changes} {
		for path, content := range files {
			err := local.WriteFile(path, content, 0o644)
			if content == "" {
				err = os.Remove(path)
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
}

func keyOf(t *testing.T, s source) string {
	t.Helper()
	key, err := s.key(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func TestAProgramIsKnownByWhatGoesIntoItAndByNothingElse(t *testing.T) {
	cloned(t, nil)
	first := keyOf(t, source{"p", "amd64"})
	if !regexp.MustCompile(`^p-[0-9a-f]{16}$`).MatchString(first) {
		t.Errorf("it is known as %s", first)
	}
	for what, c := range map[string]struct {
		changes map[string]string
		arch    string
		env     [2]string
		other   bool
	}{
		"another clone":                 {},
		"a test":                        {changes: map[string]string{"used/used_test.go": "package used\n\nvar x int\n"}},
		"a package that is not in it":   {changes: map[string]string{"beside/beside.go": "package beside\n\nvar x int\n"}},
		"a file for another system":     {changes: map[string]string{"used/on_plan9.go": "package used\n\nvar x int\n"}},
		"a file that nothing embeds":    {changes: map[string]string{"used/README": "words"}},
		"flags of the operator's":       {env: [2]string{"GOFLAGS", "-tags=mage"}},
		"its own source":                {changes: map[string]string{"cmd/p/main.go": "package main\n\nfunc main() {}\n"}, other: true},
		"a comment, as it moves lines":  {changes: map[string]string{"used/used.go": "// x\n" + clone["used/used.go"]}, other: true},
		"a file of a package":           {changes: map[string]string{"used/more.go": "package used\n"}, other: true},
		"what is embedded":              {changes: map[string]string{"used/text.txt": "words\n"}, other: true},
		"the name of what is embedded":  {changes: map[string]string{"used/text.txt": "", "used/words.txt": "text\n"}, other: true},
		"the version of the language":   {changes: map[string]string{"go.mod": "module example.org/x\n\ngo 1.25.0\n"}, other: true},
		"a setting of the runtime":      {changes: map[string]string{"go.mod": clone["go.mod"] + "\ngodebug panicnil=1\n"}, other: true},
		"another processor":             {arch: "arm64", other: true},
		"a later one of the same kind":  {env: [2]string{"GOAMD64", "v3"}, other: true},
		"the word for all of its words": {env: [2]string{"MRS_OPS_X", "word"}, other: true},
	} {
		t.Run(what, func(t *testing.T) {
			cloned(t, c.changes)
			if c.env[0] != "" {
				t.Setenv(c.env[0], c.env[1])
			}
			if key := keyOf(t, source{"p", cmp.Or(c.arch, "amd64")}); (key != first) != c.other {
				t.Errorf("%s, and it was %s", key, first)
			}
		})
	}
}

func TestWhatCanNotBeListedIsAnErrorInTheWordsOfGo(t *testing.T) {
	cloned(t, map[string]string{"used/used.go": "package used\n\nimport \"example.org/x/gone\"\n"})
	if _, err := (source{"p", "amd64"}).key(t.Context()); err == nil || !strings.Contains(err.Error(), "p can't be built: ") ||
		!strings.Contains(err.Error(), "example.org/x/gone") {
		t.Error(err)
	}
}

func TestAProgramIsBuiltOnceWhileItIsWhole(t *testing.T) {
	compiled, err := local.Output(t.Context(), "go", "env", "GOCACHE")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOCACHE", compiled)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Setenv("HOME", t.TempDir()) // on a Mac
	cloned(t, nil)
	first, err := Build(t.Context(), "p", Here())
	if err != nil || first.Machine != Here() || first.Name != Name(keyOf(t, source{"p", processors[Here()]}), first.Sum) {
		t.Fatalf("%+v, %v", first, err)
	}
	before, err := os.Stat(first.Path)
	if err != nil || before.Mode().Perm() != 0o755 {
		t.Fatal(before, err)
	}
	again := func() os.FileInfo {
		t.Helper()
		built, err := Build(t.Context(), "p", Here())
		if err != nil || built != first {
			t.Errorf("%+v, %v; it was %+v", built, err, first)
		}
		now, err := os.Stat(built.Path)
		if err != nil {
			t.Fatal(err)
		}
		return now
	}
	if !os.SameFile(before, again()) {
		t.Error("it was built twice")
	}
	if err := os.Truncate(first.Path, 1000); err != nil {
		t.Fatal(err)
	}
	if now := again(); now.Size() != before.Size() {
		t.Errorf("what is here has %d bytes of %d", now.Size(), before.Size())
	}
	if all, _ := filepath.Glob(filepath.Join(filepath.Dir(first.Path), "*")); len(all) != 2 {
		t.Errorf("beside its lock there are %q", all)
	}
}

func TestTheNewestBuildsStay(t *testing.T) {
	dir := t.TempDir()
	for n := range keep + 3 {
		path := filepath.Join(dir, fmt.Sprintf("x-amd64-%02d", n))
		if err := os.WriteFile(path, nil, 0o755); err != nil {
			t.Fatal(err)
		}
		when := time.Now().Add(time.Duration(n-100) * time.Hour)
		if err := os.Chtimes(path, when, when); err != nil {
			t.Fatal(err)
		}
	}
	forget(filepath.Join(dir, "x-amd64-*"))
	left, _ := filepath.Glob(filepath.Join(dir, "*"))
	if len(left) != keep || filepath.Base(left[0]) != "x-amd64-03" {
		t.Errorf("left are %v", left)
	}
}
