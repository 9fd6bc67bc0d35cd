package engine

import (
	"os"
	"path/filepath"
	"slices"
	"testing"
)

// forget makes the next command look for the engine again.
func forget() { reached.docker = nil }

// fake puts a docker command and a sudo on the PATH. The first fails where the
// file named engine is missing, and the second where the file named sudoer is.
func fake(t *testing.T) (dir string) {
	t.Helper()
	dir = t.TempDir()
	scripts := map[string]string{
		"docker": `[ -e "$FAKE/engine" ] || [ -n "$BY_SUDO" ] && echo 20.10.24`,
		"sudo":   `[ -e "$FAKE/sudoer" ] || exit 1; shift 2; BY_SUDO=1 exec "$@"`,
	}
	for name, body := range scripts {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+body+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", dir)
	t.Setenv("FAKE", dir)
	forget()
	t.Cleanup(forget)
	return dir
}

func touch(t *testing.T, path string) {
	t.Helper()
	if err := os.WriteFile(path, nil, 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEngineThatStartsLateIsReached(t *testing.T) {
	dir := fake(t)
	if _, err := Output(t.Context(), "version"); err == nil {
		t.Fatal("an engine answered that does not run")
	}
	touch(t, filepath.Join(dir, "engine"))
	if out, err := Output(t.Context(), "version"); err != nil || out != "20.10.24" {
		t.Errorf("got %q, %v", out, err)
	}
}

func TestEngineOfTheDockerGroupIsReachedBySudo(t *testing.T) {
	if os.Geteuid() == 0 {
		if got, want := Docker("ps"), []string{"docker", "ps"}; !slices.Equal(got, want) {
			t.Errorf("root runs %q, want %q", got, want)
		}
		return
	}
	touch(t, filepath.Join(fake(t), "sudoer"))
	if got, want := Docker("ps"), []string{"sudo", "-n", "--", "docker", "ps"}; !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestCommandsDoNotShareTheirWords(t *testing.T) {
	reached.docker = append(make([]string, 0, 8), "docker") // room for a second word
	t.Cleanup(forget)
	first := Docker("ps")
	Docker("rm")
	if want := []string{"docker", "ps"}; !slices.Equal(first, want) {
		t.Errorf("got %q, want %q", first, want)
	}
}
