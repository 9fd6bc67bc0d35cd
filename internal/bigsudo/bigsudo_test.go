package bigsudo

import (
	"errors"
	"os"
	"path/filepath"
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
		{"this machine, by its address", Command{Playbook: "p.yml", Hosts: []string{"u@[::1]"}},
			"--inventory ::1, --user u --become"},
		{"an IPv6 address", Command{Playbook: "p.yml", Hosts: []string{"root@[2001:db8::1]"}},
			"--inventory 2001:db8::1, --user root --become"},
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

func TestAnInventoryOfTheCallersStandsInPlaceOfOurs(t *testing.T) {
	for _, args := range [][]string{{"-i", "lab.ini"}, {"-ilab.ini"}, {"-vbi", "lab.ini"}, {"--inventory=lab.ini"}, {"--inv", "lab.ini"}, {"--inventory-file", "lab.ini"}} {
		got := strings.Join(Command{Playbook: "p.yml", Hosts: []string{"u@a", "u@b"}, Args: args}.Argv(), " ")
		if want := "ansible-playbook --limit a,b --user u --become p.yml " + strings.Join(args, " "); got != want {
			t.Errorf("\n got %s\nwant %s", got, want)
		}
		got = strings.Join(Command{Playbook: "p.yml", Args: args}.Argv(), " ")
		if want := "ansible-playbook --become p.yml " + strings.Join(args, " "); got != want {
			t.Errorf("without hosts:\n got %s\nwant %s", got, want)
		}
	}
	for _, args := range [][]string{{"-v"}, {"-ei=1"}, {"-t", "i"}, {"--ssh-common-args", "--i like spaces"}, {"--", "x"}} {
		if given(args, "inventory") {
			t.Errorf("%q gives no inventory", args)
		}
	}
}

func TestEachHostHasItsUserWhereTheyDiffer(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	c := Command{Playbook: "p.yml", Hosts: []string{"deploy@a.example.org", "@b", "root@[::1]", "root@[2001:db8::1]:2222"}}
	if err := c.writeInventory(); err != nil {
		t.Fatal(err)
	}
	argv := c.Argv()
	content, err := os.ReadFile(argv[2])
	if err != nil {
		t.Fatal(err)
	}
	if got, want := string(content), "a.example.org ansible_user=deploy\nb\n::1 ansible_user=root\n"+
		"2001:db8::1 ansible_port=2222 ansible_user=root\n"; got != want {
		t.Errorf("the inventory is %q, want %q", got, want)
	}
	if slices.Contains(argv, "--user") {
		t.Errorf("one user for all: %q", argv)
	}
	c.Args = []string{"-i", "lab.ini"}
	if err := c.Check(); err == nil || !strings.Contains(err.Error(), "ansible_user") || !strings.Contains(err.Error(), "ansible_port") {
		t.Errorf("an inventory that may say otherwise: %v", err)
	}
}

func TestAPortIsSaidInAnInventory(t *testing.T) {
	t.Setenv("XDG_CACHE_HOME", t.TempDir())
	for host, want := range map[string]string{
		"@host:2222":          "host ansible_port=2222\n",
		"user@host:22":        "host ansible_port=22 ansible_user=user\n",
		"@[2001:db8::1]:2222": "2001:db8::1 ansible_port=2222\n",
		"@localhost:2222":     "localhost ansible_port=2222\n", // by SSH
	} {
		c := Command{Playbook: "p.yml", Hosts: []string{host}}
		if err := errors.Join(c.Check(), c.writeInventory()); err != nil {
			t.Fatal(err)
		}
		argv := c.Argv()
		content, err := os.ReadFile(argv[2])
		if got := strings.Join(argv[3:], " "); err != nil || string(content) != want || got != "--become p.yml" {
			t.Errorf("%s: %v, the inventory is %q, want %q; then %s", host, err, content, want, got)
		}
	}
}

func TestNobodyBecomesRootWithNosudo(t *testing.T) {
	for _, hosts := range [][]string{nil, {"@a"}, {"u@a", "@b"}} {
		if argv := (Command{Playbook: "p.yml", Hosts: hosts, NoSudo: true}).Argv(); slices.Contains(argv, "--become") {
			t.Errorf("%q", argv)
		}
	}
}

func TestEverythingThatIsWrongIsSaidAtOnce(t *testing.T) {
	t.Setenv("SSHPORT", "22; id")
	err := Command{
		Playbook: "-p.yml",
		Hosts: []string{"-oProxyCommand=id", "@", "u@-a", "$(id)@a", "a,b", "a b", "@a/../b", "u@a@b", "fe80::1%eth0",
			"@2001:db8::1", "u@c:22", "@c"},
		Vars: map[string]any{"bytes": "\xff", "channel": make(chan int)},
	}.Check()
	if err == nil {
		t.Fatal("nothing is wrong")
	}
	for _, want := range []string{`"-oProxyCommand=id"`, `"@"`,
		`"u@-a"`, `"$(id)@a"`, `"a,b"`, `"a b"`, `"@a/../b"`, `"u@a@b"`,
		"[fe80::1%eth0]", "[2001:db8::1]", "u@c:22 and @c are one host", "bytes", "channel", `"22; id"`, `"-p.yml"`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("not said: %s", want)
		}
	}
}

func TestConnectionsAreSharedUnlessTheCallerSaysHowToConnect(t *testing.T) {
	const shared = "ANSIBLE_SSH_ARGS=-C -o ControlMaster=auto -o ControlPersist=120s"
	for _, c := range []struct {
		name    string
		command Command
		outer   []string
		want    []string
		note    string
	}{
		{"a host", Command{Hosts: []string{"@a"}}, nil, []string{shared}, ""},
		{"a host at a port", Command{Hosts: []string{"@a"}}, []string{"SSHPORT=2222"}, []string{shared, "ANSIBLE_REMOTE_PORT=2222"}, ""},
		{"this machine", Command{}, []string{"SSHPORT=2222"}, nil, ""},
		{"an inventory", Command{Args: []string{"-i", "x"}}, nil, []string{shared}, ""},
		{"SSH arguments by option", Command{Hosts: []string{"@a"}, Args: []string{"--ssh-common-args", "-F .vagrant-ssh"}}, nil, nil, ""},
		{"by the short form of an option", Command{Hosts: []string{"@a"}, Args: []string{"--ssh-extra=-R 80:localhost:80"}}, []string{"SSHPORT=1"}, nil, "SSHPORT is left aside"},
		{"by a variable", Command{Hosts: []string{"@a"}}, []string{"ANSIBLE_SSH_ARGS=-4"}, nil, ""},
	} {
		env, note := c.command.environ(c.outer)
		if got := env[1:]; !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
		if !strings.HasPrefix(note, c.note) || (note == "") != (c.note == "") {
			t.Errorf("%s: it says %q", c.name, note)
		}
	}
}

func TestARecapIsSummedOverTheHosts(t *testing.T) {
	var got recapWriter
	got.add("PLAY [all] ***\n\nTASK [Gathering Facts] ***\nok: [a]\n\nTASK [include_tasks] ***\nincluded: /tmp/x.yml for a, b => (item=x)\n" +
		"TASK [role : Gathering Facts] ***\nok: [a] => {\n")
	got.add("a : ok=3    changed=2    unreachable=0    failed=0    skipped=1\n" +
		"\x1b[0;31mb\x1b[0m : \x1b[0;32mok=1   \x1b[0m \x1b[0;33mchanged=1   \x1b[0m \x1b[1;31munreachable=1   \x1b[0m \x1b[0;31mfailed=2   \x1b[0m skipped=0\n")
	if want := (Recap{Hosts: 2, Changed: 3, Ran: 3 + 1 + 1 + 2 - 3}); got.Recap != want {
		t.Errorf("got %+v, want %+v", got.Recap, want)
	}
}

func TestConnectionsAreSharedAmongRunsWithOneSSHConfigurationOnly(t *testing.T) {
	t.Setenv("HOME", t.TempDir())
	t.Setenv("XDG_CACHE_HOME", "")
	var shared []string
	for _, clone := range []string{"a clone", "it's another"} {
		config := filepath.Join(t.TempDir(), clone)
		if err := os.WriteFile(config, nil, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := SSHArgs(config)
		if err != nil {
			t.Fatal(err)
		}
		words, err := Words(strings.TrimPrefix(got[0], "--ssh-common-args="))
		if err != nil {
			t.Fatal(err)
		}
		if len(got) != 1 || len(words) != 4 || words[0] != "-F" || words[1] != config {
			t.Errorf("got %q, which is %q", got, words)
		}
		shared = append(shared, words[len(words)-1])
	}
	if shared[0] == shared[1] {
		t.Errorf("both share connections at %s", shared[0])
	}
	if _, err := SSHArgs(filepath.Join(t.TempDir(), "none")); err == nil {
		t.Error("a configuration that is not there is accepted")
	}
}
