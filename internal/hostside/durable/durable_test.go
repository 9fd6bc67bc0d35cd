package durable

import (
	"os"
	"path/filepath"
	"testing"
)

func TestWhatIsWrittenReplacesWhatWasThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	for _, content := range []string{"one", "a longer second", ""} {
		if err := Write(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if got, err := os.ReadFile(path); string(got) != content {
			t.Errorf("%q, %v", got, err)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(filepath.Dir(path), ".*")); len(left) > 0 {
		t.Errorf("left are %v", left)
	}
}

func TestWhatCannotBeWrittenLeavesWhatWasThere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "none", "file")
	if err := Write(path, nil, 0o600); err == nil {
		t.Error("it is written into a folder that is not there")
	}
}

func TestALogGoesOnAfterALineThatWasCutShort(t *testing.T) {
	for before, want := range map[string]string{"": "two\n", "one\n": "one\ntwo\n", "on": "on\ntwo\n", "\x00\x00": "\x00\x00\ntwo\n"} {
		path := filepath.Join(t.TempDir(), "logs", "log")
		if before != "" {
			if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, []byte(before), 0o640); err != nil {
				t.Fatal(err)
			}
		}
		if err := Append(path, []byte("two"), 0o640); err != nil {
			t.Fatal(err)
		}
		if got, _ := os.ReadFile(path); string(got) != want {
			t.Errorf("%q becomes %q, not %q", before, got, want)
		}
	}
}
