package bigsudo

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/magefile/mage/mg"

	"github.com/betagouv/mrs-ops/internal/local"
)

// project is a project's root with the role ssh, on a machine whose
// ansible-playbook and ansible-galaxy note how they were called.
type project struct {
	root, home string
	calls      string // a file
}

// newProject makes one and its folder the working directory.
func newProject(t *testing.T) project {
	t.Helper()
	dir := t.TempDir()
	p := project{root: dir, home: filepath.Join(dir, "home"), calls: filepath.Join(dir, "calls")}
	p.write(t, "ansible/roles/ssh/tasks/main.yml", "")
	p.write(t, "ansible/roles/ssh/tasks/adduser.yml", "")
	p.write(t, "ansible/roles/ssh/defaults/main.yml", "username: x\nusergroups: x\n")
	// Galaxy has what is in the folder galaxy, and notes what it installs as the
	// real one does.
	p.program(t, "ansible-galaxy", `printf '%s\0' ansible-galaxy "$@" $'\1' >>"$CALLS"
[ "$1" = collection ] && exit 0
spec=${*: -1} roles=$4
src=${spec%%,*} version=${spec#"$src"} name=
version=${version#,}
case $version in *,*) name=${version#*,} version=${version%%,*} ;; esac
base=${src##*/}; base=${base%.git}
name=${name:-$base}
[ -d "$ROOT/galaxy/$base" ] || { echo "$spec: not found" >&2; exit 1; }
rm -rf "$roles/$name"
mkdir -p "$roles" && cp -r "$ROOT/galaxy/$base" "$roles/$name" && mkdir -p "$roles/$name/meta"
echo "version: '$version'" >"$roles/$name/meta/.galaxy_install_info"`)
	p.program(t, "ansible-playbook", `printf '%s\0' "$ANSIBLE_CONFIG" "$ANSIBLE_ROLES_PATH" ansible-playbook "$@" $'\1' >>"$CALLS"
echo 'localhost : ok=3 changed=2 unreachable=0 failed=0'
exit "${STATUS:-0}"`)
	t.Chdir(dir)
	t.Setenv("PATH", filepath.Join(dir, "bin")+":"+os.Getenv("PATH"))
	t.Setenv("HOME", p.home)
	t.Setenv("XDG_CACHE_HOME", filepath.Join(dir, "cache"))
	t.Setenv("ANSIBLE_ROLES_PATH", "")
	t.Setenv("CALLS", p.calls)
	t.Setenv("ROOT", dir)
	return p
}

func (p project) write(t *testing.T, path, content string) {
	t.Helper()
	path = filepath.Join(p.root, path)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func (p project) program(t *testing.T, name, body string) {
	t.Helper()
	p.write(t, "bin/"+name, "#!/usr/bin/env bash\n"+body+"\n")
	if err := os.Chmod(filepath.Join(p.root, "bin", name), 0o755); err != nil {
		t.Fatal(err)
	}
}

// run does what the words ask for and returns how Ansible was called since the
// last time, with the project's folder as PROJECT.
func (p project) run(t *testing.T, words ...string) (string, error) {
	t.Helper()
	os.Remove(p.calls)
	err := Run(t.Context(), "", words...)
	calls, _ := os.ReadFile(p.calls) // none: Ansible was not called
	var lines strings.Builder
	for call := range strings.SplitSeq(strings.ReplaceAll(string(calls), p.root, "PROJECT"), "\x01\x00") {
		if argv := strings.Split(strings.TrimSuffix(call, "\x00"), "\x00"); call != "" {
			fmt.Fprintln(&lines, local.Quote(argv...))
		}
	}
	return lines.String(), err
}

func TestRolesAndPlaybooksBecomeCommandLines(t *testing.T) {
	p := newProject(t)
	p.write(t, "site.yml", "[]")
	p.write(t, "mine/tasks/main.yml", "")
	p.write(t, "galaxy/you.role/tasks/update.yml", "")
	var out strings.Builder
	for _, words := range [][]string{
		{"yourlabs.ssh", "@host"},
		{"yourlabs.ssh", "adduser", "usergroups=sudo", "username=jpic", "@a.example.org", "@b.example.org"},
		{"ssh", "main", "adduser", "@a", "--nosudo"},
		{"./mine", "u@a", "-v"},
		{"mine", "@a"},
		{"you.role", "update", "@a"},
		{"you.role", "update", "@a"},
		{"site.yml", "@a", `ports=["8000:8000"]`, `{"n": 1.0, "big": 12345678901234567890}`, "name=a b'; $(id)\né", "x={{ y }}", "-e", "@vars.yml", "--check"},
		{"site.yml", "@a", "-i", "lab.ini"},
	} {
		calls, err := p.run(t, words...)
		if err != nil {
			t.Errorf("%q: %v", words, err)
		}
		// What root has not to become on its own machine is tested elsewhere.
		fmt.Fprintf(&out, "%s\n  %s\n", local.Quote(words...), strings.ReplaceAll(strings.TrimSpace(calls), "\n", "\n  "))
	}
	golden(t, "runs", out.String())
}

func TestNothingIsRunWhereAWordIsWrong(t *testing.T) {
	p := newProject(t)
	p.write(t, "norole/README", "")
	for _, c := range []struct{ words, want string }{
		{"yourlabs.ssh host1 @a", `"host1" fits nothing: role ssh has no such task file; it has adduser, main; a host would be @host1`},
		{"./nowhere @a", "there is no role at ./nowhere"},
		{"./norole", "it has no folder tasks"},
		{"nowhere.yml", "there is no playbook at nowhere.yml"},
		{"yourlabs.ssh @-a", `"@-a" is no host: "-a" is no host`},
		{"roleinstall", "there is no role"},
		{"roleinstall site.yml", "only roles are installed"},
		{"roleinstall a;b", "none"},
	} {
		calls, err := p.run(t, strings.Fields(c.words)...)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %s", c.words, err, c.want)
		}
		if calls != "" {
			t.Errorf("%s: ran %s", c.words, calls)
		}
	}
}

func TestTheExitStatusIsAnsibles(t *testing.T) {
	p := newProject(t)
	for status, want := range map[string]string{"2": "a task failed", "4": "hint: does `ssh HOST true` work?", "99": "interrupted", "250": "shown above"} {
		t.Setenv("STATUS", status)
		_, err := p.run(t, "yourlabs.ssh", "@a")
		if got := fmt.Sprint(mg.ExitStatus(err)); got != status {
			t.Errorf("exit status %s, want %s: %v", got, status, err)
		}
		// Mage asks the error itself, not what it wraps.
		if _, ok := err.(interface{ ExitStatus() int }); !ok {
			t.Errorf("%T has no exit status", err)
		}
		if !strings.Contains(err.Error(), want) || !strings.HasPrefix(err.Error(), "yourlabs.ssh: ") {
			t.Errorf("%s: %v", status, err)
		}
	}
	p.program(t, "ansible-playbook", "kill -KILL $$")
	if _, err := p.run(t, "yourlabs.ssh", "@a"); mg.ExitStatus(err) != 1 {
		t.Errorf("killed: %v", err)
	}
	_, err := p.run(t, "roleinstall", "nowhere.role")
	if _, ok := err.(interface{ ExitStatus() int }); !ok || mg.ExitStatus(err) != 1 || !strings.Contains(err.Error(), "role nowhere.role was not installed") {
		t.Errorf("a role that does not exist: %v", err)
	}
}

func TestRolesAreInstalledWithAllTheyRequire(t *testing.T) {
	p := newProject(t)
	p.write(t, "galaxy/one/tasks/main.yml", "")
	p.write(t, "galaxy/one/requirements.yml", "- src: git+https://example.org/two.git\n  version: v2\n- name: renamed\n  src: https://example.org/three\n")
	p.write(t, "galaxy/two/tasks/main.yml", "")
	p.write(t, "galaxy/two/requirements.yml", "roles:\n- one\n- four.role,1.0\ncollections:\n- community.docker\n")
	p.write(t, "galaxy/three/tasks/main.yml", "")
	p.write(t, "galaxy/four.role/tasks/main.yml", "")
	p.write(t, "here/tasks/main.yml", "")
	p.write(t, "here/meta/main.yml", "galaxy_info:\n  role_name: you.here\n")
	p.write(t, "here/requirements.yml", "- include: more.yml\n")
	p.write(t, "here/more.yml", "- five\n")
	p.write(t, "galaxy/five/tasks/main.yml", "")
	var out strings.Builder
	for _, words := range []string{
		"roleinstall https://example.org/one.git",
		"roleinstall https://example.org/one.git",
		"roleinstall https://example.org/two.git,v3 --ignore-certs",
		"roleup one",
		"roleinstall example.org/five",
		"roleinstall git@example.org:you/five",
		"roleup yourlabs.ssh git@example.org:you/five.git",
		"roleinstall ./here",
		"reqinstall here/requirements.yml",
		"one @a",
	} {
		calls, err := p.run(t, strings.Fields(words)...)
		if err != nil {
			t.Errorf("%s: %v", words, err)
		}
		fmt.Fprintf(&out, "%s\n  %s\n", words, strings.ReplaceAll(strings.TrimSpace(calls), "\n", "\n  "))
	}
	golden(t, "installs", out.String())
	if to, err := os.Readlink(filepath.Join(p.home, ".ansible", "roles", "you.here")); err != nil || to != filepath.Join(p.root, "here") {
		t.Errorf("./here is linked to as %s, %v", to, err)
	}

	for _, bad := range []string{"- ../x", "- name: ../../etc\n  src: https://example.org/x", "- src: -x", "a: [", "- [x]", "roles: x", "- src: ext::sh"} {
		p.write(t, "bad.yml", bad)
		if calls, err := p.run(t, "reqinstall", "bad.yml"); err == nil || calls != "" {
			t.Errorf("%q: %v, ran %s", bad, err, calls)
		}
	}
	if _, err := p.run(t, "reqinstall"); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("no requirements.yml: %v", err)
	}
}

func TestAPlaybookIsFetchedFromWhereItCanBeTrusted(t *testing.T) {
	p := newProject(t)
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/site.yml":
			io.WriteString(w, "- hosts: all\n")
		case "/large.yml":
			w.Write(make([]byte, maxPlaybook+1))
		case "/elsewhere.yml":
			http.Redirect(w, r, "http://example.org/site.yml", http.StatusFound)
		case "/again.yml":
			http.Redirect(w, r, "/again.yml", http.StatusFound)
		default:
			http.NotFound(w, r)
		}
	}))
	defer server.Close()

	calls, err := p.run(t, server.URL+"/site.yml", "@a")
	if err != nil {
		t.Fatal(err)
	}
	words := strings.Fields(calls)
	copied := strings.Trim(strings.Replace(words[len(words)-1], "PROJECT", p.root, 1), "'")
	if content, err := os.ReadFile(copied); err != nil || string(content) != "- hosts: all\n" {
		t.Errorf("%s has %q, %v", copied, content, err)
	}
	for path, want := range map[string]string{
		"/nowhere.yml": "404", "/large.yml": "larger than", "/elsewhere.yml": "redirected to example.org", "/again.yml": "again and again",
	} {
		if calls, err := p.run(t, server.URL+path, "@a"); err == nil || !strings.Contains(err.Error(), want) || calls != "" {
			t.Errorf("%s: %v, ran %s", path, err, calls)
		}
	}
}

func TestAnInterruptionIsAnsiblesToHandle(t *testing.T) {
	p := newProject(t)
	p.program(t, "ansible-playbook", `trap 'echo stopped >>"$CALLS"; exit 99' INT; kill -INT $$; exit 0`)
	if calls, err := p.run(t, "yourlabs.ssh", "@a"); mg.ExitStatus(err) != 99 || !strings.Contains(calls, "stopped") {
		t.Errorf("%v, %s", err, calls)
	}
}

func FuzzRequirementsAreReadOrRefused(f *testing.F) {
	f.Add("- src: a\n  version: v1\n- b,c\n- include: d\nroles: [e]\ncollections: [f.g]\n")
	f.Add("roles: [{src: git+https://example.org/x.git, scm: hg, name: y}]")
	f.Fuzz(func(t *testing.T, text string) {
		required, _ := parseRequirements([]byte(text))
		for _, r := range required.roles {
			if !roleName.MatchString(r.name) || strings.HasPrefix(r.spec(), "-") {
				t.Errorf("%q: %+v", text, r)
			}
		}
	})
}
