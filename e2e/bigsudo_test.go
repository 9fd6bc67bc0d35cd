//go:build e2e

package e2e

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func TestBigsudoHandsAnsibleEveryValueAsItIs(t *testing.T) {
	oneStep(t, 20*time.Second)
	dir := t.TempDir()
	for path, content := range map[string]string{
		"role/tasks/told.yml": `
- name: Show the value, and its bytes
  ansible.builtin.debug:
    msg: ["{{ name }}", "bytes {{ name | b64encode }} {{ n | type_debug }} {{ ansible_system }}"]
`,
		"tagged/tasks/main.yml": `
- name: Show one
  ansible.builtin.debug:
    msg: one
  tags: one
- name: Show two
  ansible.builtin.debug:
    msg: two
  tags: two
- name: Include what only the run knows
  ansible.builtin.include_tasks: "{{ item }}.yml"
  loop: [more]
  tags: three
`,
		"tagged/tasks/more.yml": `
- name: Show three
  ansible.builtin.debug:
    msg: inner
  tags: inner
`,
		"play.yml": `
- hosts: all
  gather_facts: false
  tasks:
    - ansible.builtin.debug:
        msg: ["{{ name }}", "bytes {{ name | b64encode }} {{ n | type_debug }}"]
    - ansible.builtin.fail:
        msg: on purpose
`,
	} {
		path = filepath.Join(dir, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	pwned := filepath.Join(root, "e2e-pwned")
	hostile := "a b'; touch e2e-pwned; $(id)\n`id` $HOME * é"
	// Short enough that Ansible shows it in one line.
	bytes := "bytes " + base64.StdEncoding.EncodeToString([]byte(hostile)) + " int"

	t.Run("a role's task file, by mage, in one string", func(t *testing.T) {
		r := run(t, nil, mage, "bigsudo", dir+`/role told name="`+hostile+`" '{"n": 1}' --nosudo`)
		if r.status != 0 || !strings.Contains(r.stdout, bytes+" Linux") || !strings.Contains(lastLine(r.stdout), "done, changed=0 on 1 host") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
	})

	t.Run("a playbook that fails, word by word, with Ansible's exit status", func(t *testing.T) {
		r := run(t, nil, "go", "build", "-o", filepath.Join(dir, "bigsudo"), "./cmd/bigsudo")
		if r.status != 0 {
			t.Fatal(r.output)
		}
		r = run(t, nil, filepath.Join(dir, "bigsudo"), dir+"/play.yml", "name="+hostile, `{"n": 1}`)
		if r.status != 2 || !strings.Contains(r.stdout, bytes) || !strings.Contains(r.output, "on purpose") {
			t.Errorf("exit status %d, want 2\n%s", r.status, r.output)
		}
		_, printed, _ := strings.Cut("\n"+r.output, "\n+ ANSIBLE_CONFIG=")
		printed, _, _ = strings.Cut("ANSIBLE_CONFIG="+printed, "\n")
		if r := run(t, nil, "bash", "-c", printed); r.status != 2 || !strings.Contains(r.stdout, bytes) {
			t.Errorf("pasted into a shell: %s\nexit status %d, want 2\n%s", printed, r.status, r.output)
		}
		if r := run(t, nil, mage, "bigsudo", dir+`/play.yml name=x '{"n": 1}'`); r.status != 2 {
			t.Errorf("by mage: exit status %d, want 2\n%s", r.status, r.output)
		}
	})

	t.Run("the tasks of a role that have the tags run, and no other", func(t *testing.T) {
		for tags, want := range map[string]string{"one": "msg: one", "two,nobodys": "msg: two", "three,inner": "msg: inner", "all": "msg: two", "": "msg: one"} {
			words := dir + "/tagged --nosudo"
			if tags != "" {
				words += " --tags " + tags
			}
			r := run(t, nil, mage, "bigsudo", words)
			shown := strings.Count(r.stdout, "msg: ")
			if r.status != 0 || !strings.Contains(r.stdout, want) || (shown == 3) != (tags == "" || tags == "all") {
				t.Errorf("%s: exit status %d\n%s", tags, r.status, r.output)
			}
		}
	})

	t.Run("a run in which nothing has the tag is not done", func(t *testing.T) {
		for words, want := range map[string]string{
			"/play.yml --tags nobodys":            "play.yml has no tags",
			"/tagged --nosudo --tags nobodys":     "no task was run with the tags nobodys",
			"/tagged --nosudo --tags three":       "no task was run with the tags three",
			"/play.yml --start-at-task nowhere":   "nothing was run on any host",
			"/tagged more --nosudo --tags inner,": `has no tag ""`,
		} {
			if r := run(t, nil, mage, "bigsudo", dir+words); r.status == 0 || !strings.Contains(r.output, want) || strings.Contains(r.output, ": done, ") {
				t.Errorf("%s: exit status %d\n%s", words, r.status, r.output)
			}
		}
	})

	t.Run("nothing of it was run", func(t *testing.T) {
		if _, err := os.Stat(pwned); !os.IsNotExist(err) {
			t.Errorf("%s exists: %v", pwned, err)
		}
	})
}
