package gobuild

import (
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
)

// goCommand stands in for go: it notes each build, which takes a moment.
const goCommand = `#!/bin/sh
case "$*" in
*"mod download"*) printf '{"Dir": "%s", "Sum": "h1:x"}' "$WORLD" ;;
*build*)
	echo >>"$WORLD/builds"
	sleep 0.2
	while [ "$1" != -o ]; do shift; done
	echo built >"$2"
	;;
esac
`

func TestTwoThatBuildAtOnceBuildOnce(t *testing.T) {
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "go"), []byte(goCommand), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("WORLD", dir)
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	p := Program{Name: "Example", Module: "example.org/x", Version: "v1.0.0", Sum: "h1:x", Package: "."}
	out := filepath.Join(dir, "cache", "x")
	builds := func() int {
		noted, err := os.ReadFile(filepath.Join(dir, "builds"))
		if err != nil {
			t.Fatal(err)
		}
		return strings.Count(string(noted), "\n")
	}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if err := p.Build(t.Context(), out, ""); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
	if content, err := os.ReadFile(out); err != nil || string(content) != "built\n" || builds() != 1 {
		t.Errorf("%q, %v, after %d builds", content, err, builds())
	}
	// What is there already, and does not serve, is built again.
	if err := p.Build(t.Context(), out, ""); err != nil || builds() != 2 {
		t.Errorf("%v after %d builds", err, builds())
	}
}
