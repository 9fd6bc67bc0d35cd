package bigsudo

import (
	"os"
	"slices"
	"strings"
	"testing"
)

func TestACommandLineAimsAtItsHostsAsTheirUser(t *testing.T) {
	for _, c := range []struct {
		name    string
		command Command
		want    string
	}{
		{"this machine, no SSH", Command{Playbook: "p.yml"},
			"--inventory localhost, --connection local"},
		{"one host, its user", Command{Playbook: "p.yml", Hosts: []string{"deploy@a.example.org"}},
			"--inventory a.example.org, --user deploy --become"},
		{"two hosts, one user each", Command{Playbook: "p.yml", Hosts: []string{"@a", "b"}},
			"--inventory a,b, --become"},
	} {
		got := strings.Join(c.command.Argv(), " ")
		if os.Geteuid() != 0 {
			got = strings.Replace(got, "local --become", "local", 1)
		}
		if want := "ansible-playbook " + c.want + " p.yml"; got != want {
			t.Errorf("%s:\n got %s\nwant %s", c.name, got, want)
		}
	}
}

func TestAVariableArrivesAsItIs(t *testing.T) {
	hostile := "a b'; touch /tmp/pwned; $(id) \"é\n"
	argv := Command{Playbook: "p.yml", Vars: map[string]any{"b": []string{"x y"}, "a": hostile}}.Argv()
	first := slices.Index(argv, "--extra-vars")
	if got, want := argv[first+1], `{"a":"a b'; touch /tmp/pwned; $(id) \"é\n"}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
	if got, want := argv[first+3], `{"b":["x y"]}`; got != want {
		t.Errorf("got %s, want %s", got, want)
	}
}

func TestARecapIsSummedOverTheHosts(t *testing.T) {
	got := parseRecap("a : ok=3    changed=2    unreachable=0    failed=0    skipped=1\n" +
		"\x1b[0;31mb\x1b[0m : ok=1    changed=1    unreachable=1    failed=2    skipped=0\n")
	if want := (Recap{Changed: 3, Unreachable: 1, Failed: 2}); got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
}
