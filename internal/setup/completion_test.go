package setup

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

func TestTheShellCompletesTargetsAndInstances(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("HOME", dir)
	t.Setenv("XDG_DATA_HOME", "")
	t.Setenv("XDG_CONFIG_HOME", "")
	if err := InstallCompletion(); err != nil {
		t.Fatal(err)
	}
	for _, file := range []string{".local/share/zsh/site-functions/_mage", ".config/fish/completions/mage.fish"} {
		if _, err := os.Stat(filepath.Join(dir, file)); err != nil {
			t.Error(err)
		}
	}
	for name, content := range map[string]string{
		"bin/go":          "#!/bin/sh\nprintf 'Targets:\\n  ops:logs      prints\\n  ops:status*   shows\\n  deploy:local  deploys\\n'\n",
		"env/staging.env": "", "env/staging.secrets.env": "", "env/local.env": "",
	} {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for line, want := range map[string]string{
		"mage ": "ops:logs ops:status deploy:local", "mage d": "deploy:local", "mage ops:l": "logs", "mage ops:logs ": "local staging",
		"mage ops:logs st": "staging", "mage nosuch": "",
	} {
		cmd := exec.Command("bash", "-euc", `source "$HOME/.local/share/bash-completion/completions/mage"
COMP_LINE=$1 COMP_POINT=${#1} COMP_WORDBREAKS=' :='
_mrs_mage && echo "$(printf '%s\n' ${COMPREPLY[@]+"${COMPREPLY[@]}"} | sort -r)"`, "bash", line)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "PATH="+filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
		out, err := cmd.CombinedOutput()
		got := strings.Fields(string(out))
		if err != nil || len(got) != len(strings.Fields(want)) || want != "" && !strings.Contains(" "+want+" ", " "+got[0]+" ") {
			t.Errorf("%q: %q, %v, want %q", line, got, err, want)
		}
	}
}
