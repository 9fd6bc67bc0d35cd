package bigsudo

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/magefile/mage/mg"
)

// withTags writes a playbook and a role that use tags in every way that there is.
func (p project) withTags(t *testing.T) {
	t.Helper()
	for path, content := range map[string]string{
		"ansible/roles/r/tasks/main.yml": `
- ansible.builtin.debug: {msg: untagged}
- ansible.builtin.debug: {msg: foo}
  tags: foo
- ansible.builtin.include_tasks: sub.yml
  tags: [bar]
- ansible.builtin.debug: {msg: ever}
  tags: never
- ansible.builtin.debug: {msg: skipped}
  tags: when
  when: false
- ansible.builtin.meta: flush_handlers
  tags: only-meta
`,
		"ansible/roles/r/tasks/sub.yml":     "- debug: {msg: baz}\n  tags: baz\n",
		"ansible/roles/r/tasks/other.yml":   "- debug: {msg: other}\n  tags: other\n- import_tasks: sub.yml\n  tags: imported\n",
		"ansible/roles/deep/meta/main.yml":  "dependencies: [{role: r, tags: depended}]\n",
		"ansible/roles/deep/tasks/main.yml": "- include_role: {name: r, tasks_from: other, apply: {tags: there}}\n  tags: there\n- debug:\n  tags: always\n",
		"ansible/roles/loop/tasks/main.yml": "- include_tasks: '{{ item }}.yml'\n  loop: [a]\n  tags: looped\n- debug:\n  tags: known\n",
		"ansible/roles/self/tasks/main.yml": "- import_tasks: main.yml\n- debug:\n  tags: self\n",
		"inc.yml":                           "- debug: {msg: inner}\n  tags: inner\n",
		"imported.yml":                      "- hosts: all\n  tags: x, y\n  pre_tasks: [{debug: }]\n",
		"site.yml": `
- import_playbook: imported.yml
  tags: all-of-it
- hosts: all
  gather_facts: false
  tags: play
  roles:
    - {role: r, tags: [applied]}
  tasks:
    - tags: block
      block:
        - include_tasks: inc.yml
          tags: inc
        - import_tasks: inc.yml
          tags: imp
        - include_tasks: {file: inc.yml, apply: {tags: applied2}}
          tags: inc2
`,
		"galaxy.yml": "- hosts: all\n  roles: [some.collection.role]\n  tasks: [{debug: , tags: known}]\n",
		"none.yml":   "- hosts: all\n  tasks: [{debug: }]\n",
		"twice.yml":  "- hosts: all\n  tasks: [{debug: , name: a, name: b, tags: known}]\n",
	} {
		p.write(t, path, content)
	}
}

// What is counted is what ansible-playbook 2.14 ran of the same files.
func TestTheTasksOfTagsAreThoseThatAnsibleRuns(t *testing.T) {
	p := newProject(t)
	p.withTags(t)
	for _, c := range []struct {
		source, args string
		want         int
	}{
		{"site.yml", "", 8}, {"site.yml", "-t play", 8}, {"site.yml", "-t block", 3}, {"site.yml", "-t inc", 0}, {"site.yml", "-t imp", 1},
		{"site.yml", "-t inner", 1}, {"site.yml", "-t applied", 5}, {"site.yml", "-t inc2", 0}, {"site.yml", "-t inc2,applied2", 1},
		{"site.yml", "-t applied2", 0}, {"site.yml", "-t bar", 0}, {"site.yml", "-t bar,baz", 1}, {"site.yml", "-t never", 1},
		{"site.yml", "-t untagged", 0}, {"site.yml", "-t tagged", 8}, {"site.yml", "-t when", 1}, {"site.yml", "-t always", 0},
		{"site.yml", "-t all-of-it", 1}, {"site.yml", "-t y", 1}, {"twice.yml", "-t known", 1},
		{"site.yml", "-t foo --skip-tags foo", 0}, {"site.yml", "--skip-tags foo", 7}, {"site.yml", "-t foo,bar,baz --skip-tags bar", 1},
		{"r", "", 4}, {"r", "-t foo", 1}, {"r", "--tags=bar,baz", 1}, {"r", "-t baz", 0}, {"r", "-t untagged", 1}, {"r", "-t tagged", 3},
		{"r", "-t all", 4}, {"r", "--skip-tags tagged", 1}, {"r", "--skip-tags untagged", 3}, {"r", "--skip-tags always", 4}, {"r", "--skip-tags all", 0},
		{"deep", "-t nobodys", 1}, {"deep", "-t depended", 6}, {"deep", "-t there", 3},
	} {
		l := newLibrary("", nil)
		tagged := l.ofPlaybook(c.source)
		if !playbookSource(c.source) {
			tagged = l.ofRole(role{c.source, filepath.Join("ansible", "roles", c.source)}, []string{"main"})
		}
		if got := tagged.selected(selectionOf(strings.Fields(c.args), nil)); got != c.want {
			t.Errorf("%s %s: %d tasks, want %d", c.source, c.args, got, c.want)
		}
	}
}

func TestATagThatNothingHasIsRefusedBeforeAnyHostIsTouched(t *testing.T) {
	p := newProject(t)
	p.withTags(t)
	const has = "; it has all-of-it, applied, applied2, bar, baz, block, foo, imp, inc, inc2, inner, never, only-meta, play, when, x, y"
	for words, want := range map[string]string{
		"site.yml @a -t fooo":                `site.yml has no tag "fooo"` + has + "\nhint: did you mean foo?",
		"site.yml @a -t foo,inn --tags=zzzz": `site.yml has no tag "inn"` + has + "\nhint: did you mean inc?\n" + `site.yml has no tag "zzzz"` + has,
		"site.yml @a -vt inc":                `the tag "inc" selects no task of site.yml: what has it is skipped, or included by what has not`,
		"site.yml @a --ta always":            `the tag "always" selects no task of site.yml`,
		"none.yml @a -tfoo":                  `the tag "foo" selects nothing: none.yml has no tags`,
		"none.yml @a --tags tagged":          `the tag "tagged" selects no task of none.yml`,
		"none.yml @a --skip-tags all":        "of none.yml nothing is left to run, with --skip-tags all",
		"r @a -t only-meta":                  `the tag "only-meta" selects no task of r: what has it is skipped, or included by what has not`,
		"r other @a -t foo":                  `r has no tag "foo"; it has baz, imported, other`,
		"r @a -t other":                      `r has no tag "other"; it has bar, baz, foo, never, only-meta, when`,
		"yourlabs.ssh @a -t x":               `the tag "x" selects nothing: yourlabs.ssh has no tags`,
	} {
		calls, err := p.run(t, strings.Fields(words)...)
		if err == nil || err.Error() != want || mg.ExitStatus(err) == 0 {
			t.Errorf("%s:\n%v, want\n%s", words, err, want)
		}
		if calls != "" {
			t.Errorf("%s: ran %s", words, calls)
		}
	}
	t.Setenv("ANSIBLE_RUN_TAGS", "foo,nobodys")
	if calls, err := p.run(t, "r", "@a"); err == nil || calls != "" || !strings.Contains(err.Error(), `r has no tag "nobodys"`) {
		t.Errorf("by the environment: %v, ran %s", err, calls)
	}
	t.Setenv("ANSIBLE_RUN_TAGS", "")
	t.Setenv("ANSIBLE_SKIP_TAGS", "untagged")
	if calls, err := p.run(t, "none.yml", "@a"); err == nil || calls != "" || !strings.Contains(err.Error(), "nothing is left to run") {
		t.Errorf("skipped by the environment: %v, ran %s", err, calls)
	}
}

func TestTagsReachTheTasksOfARole(t *testing.T) {
	p := newProject(t)
	p.withTags(t)
	for words, want := range map[string]string{
		"r @a":                                    "",
		"r @a -t foo":                             `{"apply_tags":["always"]}`,
		"r @a -t all":                             "",
		"r @a -t foo --skip-tags x":               `{"apply_tags":["always"]}`,
		"r @a -t foo,bar,baz --skip-tags always":  `{"apply_tags":["foo"]}`,
		"r @a --skip-tags untagged":               `{"apply_tags":["always"]}`,
		"site.yml @a --tags foo --tags=bar -tbaz": "",
	} {
		calls, err := p.run(t, strings.Fields(words)...)
		if err != nil || calls == "" {
			t.Errorf("%s: %v", words, err)
		}
		if strings.Contains(calls, "apply_tags") != (want != "") || !strings.Contains(calls, want) {
			t.Errorf("%s: want %q in %s", words, want, calls)
		}
	}
}

// Ansible ends with 0 of all of these.
func TestARunThatDidNothingIsNotDone(t *testing.T) {
	p := newProject(t)
	p.withTags(t)
	const (
		recap    = "PLAY RECAP ***\n"
		gathered = "TASK [Gathering Facts] ***\nok: [a]\n"
		one      = recap + "a : ok=1 changed=0 unreachable=0 failed=0 skipped=0 rescued=0 ignored=0\n"
		two      = recap + "a : ok=2 changed=0 unreachable=0 failed=0 skipped=0 rescued=0 ignored=0\n"
	)
	for _, c := range []struct{ words, said, want string }{
		{"none.yml @a", "PLAY [web] ***\nskipping: no hosts matched\n\n" + recap, "nothing was run on any host"},
		{"none.yml @a --start-at-task x", recap, "nothing was run on any host"},
		{"none.yml @a --list-tasks", "playbook: none.yml\n", ""},
		{"none.yml @a --syntax-check", "playbook: none.yml\n", ""},
		{"none.yml @a -h", "usage: …\n", ""},
		{"none.yml @a", gathered + one, ""}, // there is nothing that could be meant
		{"loop @a -t known", gathered + one, ""},
		{"loop @a -t nobodys", gathered + one, "no task was run with the tags nobodys\nhint: "},
		{"loop @a -t looped,known", gathered + "TASK [loop : include_tasks] ***\nincluded: /x/a.yml for a => (item=a)\n" + two, "no task was run with the tags looped\nhint: "},
		{"self @a -t nobodys", gathered + one, "no task was run with the tags nobodys"},
		{"loop @a -t nobodys", gathered + "TASK [loop : debug] ***\nok: [a]\n" + two, ""},
		{"galaxy.yml @a -t nobodys", gathered + one, "no task was run with the tags nobodys"},
		{"galaxy.yml @a -t nobodys", gathered + strings.Replace(one, "skipped=0", "skipped=1", 1), ""},
	} {
		p.program(t, "ansible-playbook", "printf %s "+shellQuoted(c.said))
		_, err := p.run(t, strings.Fields(c.words)...)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want) || mg.ExitStatus(err) != 1) {
			t.Errorf("%s, of which Ansible says\n%s\n%v, want %q", c.words, c.said, err, c.want)
		}
	}
	t.Setenv("ANSIBLE_STDOUT_CALLBACK", "json")
	p.program(t, "ansible-playbook", "echo {}")
	if _, err := p.run(t, "none.yml", "@a"); err != nil {
		t.Errorf("of what says it in another way nothing is known: %v", err)
	}
}

func shellQuoted(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func TestTheValuesOfAnOptionAreReadAsAnsibleReadsThem(t *testing.T) {
	for args, want := range map[string]string{
		"-t a": "a", "-ta": "a", "-t=a": "a", "-vvta": "a", "-vt a": "a", "--tags a": "a", "--tags=a,b": "a,b", "--ta a --tag=b": "a b",
		"-e t=1 -i tags": "", "--skip-tags a": "", "-t": "", "--tags= -ta": " a",
	} {
		if got := strings.Join(slices.Collect(options(strings.Fields(args), "tags")), " "); got != want {
			t.Errorf("%s: %q, want %q", args, got, want)
		}
	}
}

func FuzzTasksAreReadWhateverTheyAre(f *testing.F) {
	for _, seed := range []string{"- hosts: a\n  tasks: &x [{debug: , tags: [a, {b: c}]}]\n  roles: *x\n", "tags", "- []", "- &a {block: [*a]}", "- {import_tasks: }", "- {tags: !!binary x}"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p := project{root: t.TempDir()}
		p.write(t, "x.yml", text)
		l := newLibrary(p.root, nil)
		file := filepath.Join(p.root, "x.yml")
		tasks := &tagged{library: l, base: p.root, names: map[string]bool{}}
		tasks.tasks(tasks.read(file), within{file: file})
		for _, tagged := range []*tagged{l.ofPlaybook(file), tasks} {
			if _, err := tagged.check("x", selection{only: []string{"a"}}); err != nil && fmt.Sprint(err) == "" {
				t.Error("an error that says nothing")
			}
		}
	})
}
