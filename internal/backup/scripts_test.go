package backup

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// common is what the scripts on the server share.
var common = filepath.Join("..", "..", "internal", "hostside", "provision", "files", "backup-common.sh")

// failing runs a script of an instance's home that goes on as text says, and returns what it says on standard error.
func failing(t *testing.T, text string) string {
	t.Helper()
	home := t.TempDir()
	shared, err := os.ReadFile(common)
	if err != nil {
		t.Fatal(err)
	}
	const env = "NAME=mrs-x RESTIC_REPOSITORY=/none DB_NAME=mrs DB_USER=django MRS_HOST=/none URL=http://x.example TIMEOUT=1\n"
	// Whoever tests is not root.
	begin := "set -euo pipefail\ncd \"$1\"\nid() { echo 0; }\n. ./backup-common.sh\ncareful\n"
	for name, content := range map[string]string{"backup-common.sh": string(shared), ".backup.env": env, "restore.sh": begin + text + "\n"} {
		if err := os.WriteFile(filepath.Join(home, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	cmd := exec.Command("bash", filepath.Join(home, "restore.sh"), home)
	var said strings.Builder
	cmd.Stderr = &said
	if err := cmd.Run(); err == nil {
		t.Errorf("%s\ndoes not fail", text)
	}
	return said.String()
}

func TestAScriptThatDiesSaysWhyInASentence(t *testing.T) {
	const unexpected = `restore\.sh: it failed unexpectedly, the last it said is: restoring the database
hint: why is above, if a program has said it; for whoever mends the scripts: [a-z-]+\.sh, line \d+
$`
	for text, want := range map[string]string{
		"say 'restoring the database'\nfound=$(false | cat)":          unexpected,
		"say 'restoring the database'\nf() { false; }\nf":             unexpected,
		"say 'restoring the database'\nother_than .none </none/there": `(?s).*: No such file or directory\n` + unexpected,
		"false": `restore\.sh: it failed unexpectedly\nhint: why is above.*line 6\n$`,
		"say 'restoring'\ndie 'the disk is full' 'df -h'": `restore\.sh: the disk is full\nhint: df -h\n$`,
		"say 'restoring'\ndie 'the disk is full'":         `restore\.sh: the disk is full\n$`,
		"say 'restoring'\nkill -TERM $$\n:":               `restore\.sh: interrupted\n$`,
	} {
		if said := failing(t, text); !regexp.MustCompile("^" + want).MatchString(said) {
			t.Errorf("%s\nsays\n%s", text, said)
		}
	}
}
