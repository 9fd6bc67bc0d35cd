package target

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/local"
)

// inFolder is a server whose programs are in a folder of the test's.
func inFolder(folder string) *Target {
	return &Target{Name: "staging", host: plays(`exec "$0" "${@//` + strings.ReplaceAll(hostapi.Programs, "/", `\/`) + `/` + folder + `}"`)}
}

// noBuild has go refuse to build.
func noBuild(t *testing.T) {
	t.Helper()
	real, err := local.Output(t.Context(), "bash", "-c", "command -v go")
	if err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	text := "#!/bin/sh\n[ \"$1\" != build ] || { echo it is built >&2; exit 1; }\nexec " + real + " \"$@\"\n"
	if err := os.WriteFile(filepath.Join(folder, "go"), []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", folder+":"+os.Getenv("PATH"))
}

func TestAProgramIsBuiltAndSentOnlyWhereTheServerHasNoneThatIsWhole(t *testing.T) {
	compiled, err := local.Output(t.Context(), "go", "env", "GOCACHE")
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("GOCACHE", compiled)
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	t.Chdir(t.TempDir())
	for path, content := range map[string]string{
		"go.mod":            "module example.org/x\n\ngo 1.26.0\n",
		"cmd/shown/main.go": "package main\n\nfunc main() { println(\"shown\") }\n",
	} {
		if err := local.WriteFile(path, content, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	programs := filepath.Join(t.TempDir(), "programs")
	paused := 0
	ship := func() (there string, err error) {
		s := inFolder(programs)
		s.Pause = func() func() { paused++; return func() { paused-- } }
		path, err := s.Ship(t.Context(), "shown")
		return strings.Replace(path, hostapi.Programs, programs, 1), err
	}

	first, err := ship()
	if err != nil {
		t.Fatal(err)
	}
	runs := func() {
		t.Helper()
		if out, err := local.Combined(t.Context(), first); err != nil || out != "shown\n" {
			t.Errorf("%s says %q, %v", first, out, err)
		}
	}
	runs()
	// By what older clones called it, nobody asks.
	older := filepath.Join(programs, "shown-"+strings.Repeat("0", 16))
	if err := os.WriteFile(older, nil, 0o755); err != nil {
		t.Fatal(err)
	}

	t.Run("from a machine that has not built it", func(t *testing.T) {
		t.Setenv("XDG_CACHE_HOME", t.TempDir())
		noBuild(t)
		if again, err := ship(); err != nil || again != first {
			t.Errorf("%s, %v; it was %s", again, err, first)
		}
		whole, err := os.ReadFile(first)
		if err != nil {
			t.Fatal(err)
		}
		for what, damage := range map[string]func() error{
			"cut off":        func() error { return os.Truncate(first, 1000) },
			"not executable": func() error { return os.Chmod(first, 0o644) },
			"gone":           func() error { return os.Remove(first) },
		} {
			if err := errors.Join(os.WriteFile(first, whole, 0o755), os.Chmod(first, 0o755), damage()); err != nil {
				t.Fatal(err)
			}
			if _, err := ship(); err == nil || !strings.Contains(err.Error(), "it is built") {
				t.Errorf("where it is %s: %v", what, err)
			}
		}
	})
	if again, err := ship(); err != nil || again != first {
		t.Errorf("%s, %v; it was %s", again, err, first)
	}
	runs()
	if all, _ := filepath.Glob(programs + "/*"); len(all) != 2 || paused != 0 {
		t.Errorf("there are %q, and %d clocks stand still", all, paused)
	}
}
