//go:build e2e

package e2e

import (
	"encoding/json"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestAVagrantMachineIsAServerThatCanBeReplacedAndLeavesNothing(t *testing.T) {
	on(t, boxes, 120*time.Second)
	c := newClone(t)

	step(t, "the Vagrantfile is valid for both providers", func(t *testing.T) {
		c.must(t, "vagrant", "validate")
		c.must(t, "env", "VAGRANT_DEFAULT_PROVIDER=virtualbox", "VAGRANT_IP=192.168.56.10", "VAGRANT_GUI=1", "vagrant", "validate", "--ignore-provider")
	})

	var volumes []string
	step(t, "apply boots a new server, twice", func(t *testing.T) {
		for range 2 {
			if out := c.must(t, mage, "vagrant:apply"); !strings.HasPrefix(lastLine(out), "up: default ") {
				t.Fatalf("the last line is %q", lastLine(out))
			}
			if state := c.must(t, "ssh", "-F", ".vagrant-ssh", "default", "systemctl", "is-system-running", "--wait"); state != "running" {
				t.Errorf("systemd is %s", state)
			}
			if out := c.must(t, "ssh", "-F", ".vagrant-ssh", "default", "sudo", "-n", "sh", "-c", "'ls /root/mark; id -un; touch /root/mark; hostname'"); out != "root\ndefault" {
				t.Errorf("the server is not as new: %q", out)
			}
			if ports := must(t, "docker", "port", c.containers(t)); ports != "" {
				t.Errorf("ports of this machine lead to it, which another server may be given too: %s", ports)
			}
			volumes = append(volumes, must(t, "docker", "inspect", "--format", `{{range .Mounts}}{{if eq .Type "volume"}}{{.Name}}{{end}}{{end}}`, c.containers(t)))
		}
		if info, err := os.Stat(filepath.Join(c.dir, ".vagrant-ssh")); err != nil || info.Mode() != 0o600 {
			t.Errorf(".vagrant-ssh: %v, %v", info, err)
		}
	})
	if t.Failed() {
		t.FailNow()
	}

	step(t, "nobody gets in by the key that everybody knows", func(t *testing.T) {
		known, err := os.ReadFile(filepath.Join(c.dir, "vagrant/vagrant.pub"))
		if err != nil {
			t.Fatal(err)
		}
		keys := c.must(t, "ssh", "-F", ".vagrant-ssh", "default", "cat", ".ssh/authorized_keys")
		if n := strings.Count(keys, "\n") + 1; n != 1 || strings.Contains(keys, strings.Fields(string(known))[1]) {
			t.Errorf("the server lets in:\n%s", keys)
		}
	})

	step(t, "status shows the server and its address", func(t *testing.T) {
		var machines []struct{ Name, Provider, State, Address string }
		if err := json.Unmarshal([]byte(c.must(t, mage, "vagrant:status", "-json")), &machines); err != nil {
			t.Fatal(err)
		}
		m := machines[0]
		if m.Name != "default" || m.Provider != "docker" || m.State != "running" || len(machines) != 3 {
			t.Errorf("got %+v", machines)
		}
		if want := must(t, "docker", "inspect", "--format", "{{.NetworkSettings.IPAddress}}", c.containers(t)); m.Address != want {
			t.Errorf("its address is %s, not %s", want, m.Address)
		}
	})

	role := filepath.Join(t.TempDir(), "mark")
	must(t, "mkdir", "-p", role+"/tasks")
	if err := os.WriteFile(role+"/tasks/main.yml", []byte(`---
- name: Leave a mark
  ansible.builtin.copy:
    content: "{{ text }}"
    dest: /root/text
    mode: "0600"
`), 0o644); err != nil {
		t.Fatal(err)
	}
	const text = `a b'; touch /tmp/pwned; $(id) é`

	step(t, "bigsudo aims at default, and the second time changes nothing", func(t *testing.T) {
		for _, changed := range []string{"changed=1", "changed=0"} {
			out := c.must(t, mage, "vagrant:bigsudo", role+` text="a b'; touch /tmp/pwned; \$(id) é" -v`)
			if !strings.Contains(lastLine(out), changed) {
				t.Errorf("the last line is %q, want %s", lastLine(out), changed)
			}
		}
		if got := c.must(t, "ssh", "-F", ".vagrant-ssh", "default", "sudo", "cat", "/root/text"); got != text {
			t.Errorf("the variable arrived as %q", got)
		}
	})

	step(t, "bigsudo never aims at a real server", func(t *testing.T) {
		r := c.run(t, mage, "vagrant:bigsudo", role+" @production @mrs")
		if r.status == 0 || !strings.Contains(r.output, "no machine called mrs") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		if strings.Contains(c.containers(t), "\n") {
			t.Error("production was booted for a request that is wrong")
		}
	})

	step(t, "bigsudo boots a server that is halted", func(t *testing.T) {
		c.must(t, "vagrant", "halt")
		if out := c.must(t, mage, "vagrant:bigsudo", role+" text=x --check"); !strings.Contains(lastLine(out), "changed=1") {
			t.Errorf("the last line is %q", lastLine(out))
		}
	})

	step(t, "destroy leaves nothing", func(t *testing.T) {
		if out := c.must(t, mage, "vagrant:destroy"); out != "destroyed: default" {
			t.Errorf("got %q", out)
		}
		if left := c.containers(t); left != "" {
			t.Errorf("containers are left: %s", left)
		}
		all := strings.Fields(must(t, "docker", "volume", "ls", "--quiet"))
		for _, volume := range volumes {
			if slices.Contains(all, volume) {
				t.Errorf("volume %s is left", volume)
			}
		}
		if _, err := os.Stat(filepath.Join(c.dir, ".vagrant-ssh")); !os.IsNotExist(err) {
			t.Errorf(".vagrant-ssh is left: %v", err)
		}
		if out := c.must(t, mage, "vagrant:destroy"); out != "destroyed: default" {
			t.Errorf("again, it says %q", out)
		}
	})
}
