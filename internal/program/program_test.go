package program

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestAProcessorThatNothingIsBuiltForIsRefused(t *testing.T) {
	if _, err := Build(t.Context(), "mrs-host", "riscv64"); err == nil || !strings.Contains(err.Error(), `mrs-host is not built for the processor "riscv64"`) {
		t.Error(err)
	}
	if processors[Here()] == "" {
		t.Errorf("nothing is built for %q", Here())
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
