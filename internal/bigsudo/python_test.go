package bigsudo

import (
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

func TestAHostWithoutPythonGetsItFromItsPackages(t *testing.T) {
	var plays []struct {
		Tasks []struct {
			Raw string `yaml:"ansible.builtin.raw"`
		}
	}
	text, err := os.ReadFile("../../ansible/bigsudo/python.yml")
	if err != nil {
		t.Fatal(err)
	}
	if err := yaml.Unmarshal(text, &plays); err != nil {
		t.Fatal(err)
	}
	script := regexp.MustCompile(`{{.*}}`).ReplaceAllString(plays[0].Tasks[0].Raw, "")
	for _, c := range []struct{ has, ran, said string }{
		{"python3 apt-get", "", ""},
		{"apt-get", "apt-get -qq update\napt-get -qq install -y python3\n", "installed\n"},
		{"dnf yum", "dnf -q install -y python3\n", "installed\n"},
		{"zypper", "zypper -q --non-interactive install python3\n", "installed\n"},
		{"apk", "apk add --quiet python3\n", "installed\n"},
		{"", "", "fails"},
		{"false-apt-get", "apt-get -qq update\n", "fails"},
	} {
		bin, calls := t.TempDir(), filepath.Join(t.TempDir(), "calls")
		for name := range strings.FieldsSeq(c.has) {
			name, fails := strings.CutPrefix(name, "false-")
			body := "#!/bin/sh\necho noise\necho ${0##*/} \"$@\" >>" + calls + "\n"
			if fails {
				body += "exit 1\n"
			}
			if err := os.WriteFile(filepath.Join(bin, name), []byte(body), 0o755); err != nil {
				t.Fatal(err)
			}
		}
		cmd := exec.Command("/bin/sh", "-c", script)
		cmd.Env = []string{"PATH=" + bin}
		out, err := cmd.Output()
		ran, _ := os.ReadFile(calls) // none: nothing was run
		said := string(out)
		if err != nil {
			said = "fails"
		}
		if string(ran) != c.ran || said != c.said {
			t.Errorf("with %q: ran %q, said %q, want %q, %q", c.has, ran, said, c.ran, c.said)
		}
	}
}
