package stack_test

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"

	"github.com/betagouv/mrs-ops/internal/stack"
)

// beside renders a compose file with files beside it, names that end in / being folders.
func beside(t testing.TB, content string, files, values map[string]string) (*stack.Stack, error) {
	t.Helper()
	dir := t.TempDir()
	put(t, dir, files)
	put(t, dir, map[string]string{"docker-compose.yml": content})
	rendered, err := stack.Render(t.Context(), stack.Options{Dir: dir, Files: []string{"docker-compose.yml"}, Name: "test", Lookup: from(values)})
	if err != nil {
		t.Log(strings.ReplaceAll(err.Error(), dir, "DIR"))
	}
	return rendered, err
}

func put(t testing.TB, dir string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if strings.HasSuffix(name, "/") {
			if err := os.MkdirAll(path, 0o700); err != nil {
				t.Fatal(err)
			}
			continue
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWhatEnvFilesSayIsSaidByTheRenderedFile(t *testing.T) {
	onHost := filepath.Join(t.TempDir(), "on-the-host.env")
	put(t, filepath.Dir(onHost), map[string]string{"on-the-host.env": "A=1\n"})
	rendered, err := beside(t, `
services:
  a:
    image: x
    env_file:
      - first.env
      - path: conf/second.env
      - {path: not-there.env, required: false}
      - {path: raw.env, format: raw}
    environment: [EXPLICIT=wins, UNSET]
  b: {image: x, env_file: first.env}
  c: {image: x, env_file: [`+onHost+`, first.env]}
`, map[string]string{
		"first.env":       "\ufeff# a comment\nEXPLICIT=loses\nUNSET=loses\nFIRST=1 # comment\nBOTH=first\nexport PASSED\nNOWHERE\nDOLLAR='$x ${y'\n",
		"conf/second.env": "BOTH=second\nREFERS=\"${FIRST}-${INSTANCE}-${EXPLICIT}-${NONE:-default}\\n\"\nMANY='a\nb'\n",
		"raw.env":         "RAW='$x' # no comment\n\n# comment\n  PASSED_RAW\nEMPTY=\n",
	}, map[string]string{"INSTANCE": "i", "PASSED": "p", "PASSED_RAW": "$p"})
	if err != nil {
		t.Fatal(err)
	}
	services := load(t, rendered.YAML).Services
	got := map[string]string{}
	for name, value := range services["a"].Environment {
		got[name] = *value
	}
	want := map[string]string{
		"EXPLICIT": "wins", "FIRST": "1", "BOTH": "second", "PASSED": "p", "DOLLAR": "$x ${y", "REFERS": "1-i-wins-default\n", "MANY": "a\nb",
		"RAW": "'$x' # no comment", "PASSED_RAW": "$p", "EMPTY": "",
	}
	if !maps.Equal(got, want) {
		t.Errorf("the environment is %q, want %q", got, want)
	}
	if b := services["b"]; len(b.EnvFiles) != 0 || *b.Environment["BOTH"] != "first" {
		t.Errorf("of a service without environment:\n%s", rendered.YAML)
	}
	if c := services["c"]; len(c.EnvFiles) != 1 || c.EnvFiles[0].Path != onHost || *c.Environment["FIRST"] != "1" {
		t.Errorf("what is on the host does not stay:\n%s", rendered.YAML)
	}
	if len(rendered.Files) != 0 {
		t.Errorf("carried along: %v", rendered.Files)
	}
}

func TestWhatLabelFilesSayIsALabelAndMayDeclareFolders(t *testing.T) {
	rendered, err := beside(t, `
services: {a: {image: x, label_file: [one, two], labels: {explicit: wins}, volumes: ['./log:/log']}}
`, map[string]string{"one": "explicit=loses\nfirst=1\n", "two": "second=${first}2\nio.yourlabs.compose.mkdir=./log:1:1:0700\n"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	a := load(t, rendered.YAML).Services["a"]
	if len(a.LabelFiles) != 0 || a.Labels["explicit"] != "wins" || a.Labels["second"] != "12" {
		t.Errorf("the labels are %v", a.Labels)
	}
	if len(rendered.Folders) != 1 || rendered.Folders[0].Path != "log" {
		t.Errorf("the folders are %v", rendered.Folders)
	}
}

const reads = `
services:
  web:
    image: x
    volumes:
      - ./nginx.conf:/etc/nginx/nginx.conf:ro
      - {type: bind, source: conf/odd name $$.bin, target: /odd}
      - ./log:/log
      - /etc/hosts:/etc/hosts
      - named:/named
    configs: [app, {source: app, target: /etc/other, uid: "101", gid: "102", mode: 0440}, on-host, {source: inline}]
    secrets: [key, {source: key, target: other}]
    security_opt: ["seccomp:profile.json", no-new-privileges:true]
    labels: ["io.yourlabs.compose.mkdir=./log:0:0:0700"]
  other: {image: x}
configs: {app: {file: ./app.ini}, on-host: {file: /etc/app.ini}, inline: {content: a}}
secrets: {key: {file: key.pem}, nobody: {file: not-there}}
volumes: {named: {}}
`

var readBy = map[string]string{"nginx.conf": "listen $port;\n", "conf/odd name $.bin": "\x00\xff$", "app.ini": "[a]", "key.pem": "hush", "profile.json": "{}"}

func TestFilesThatServicesReadAreCarriedAlong(t *testing.T) {
	rendered, err := beside(t, reads, readBy, nil)
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]stack.File{}
	for _, f := range rendered.Files {
		if !regexp.MustCompile(`^\.files/[A-Za-z0-9._-]+-[0-9a-f]{16}$`).MatchString(f.Path) {
			t.Errorf("%q is no path that the host takes", f.Path)
		}
		files["./"+f.Path] = f
	}
	if len(files) != 6 {
		t.Errorf("%d files are carried along", len(files))
	}
	project := load(t, rendered.YAML)
	web := project.Services["web"]
	got := map[string]string{}
	for _, v := range web.Volumes {
		if f, carried := files[v.Source]; carried {
			got[v.Target] = string(f.Content)
			if want := v.Target != "/odd"; v.ReadOnly != want {
				t.Errorf("%s is mounted read-only: %t", v.Target, v.ReadOnly)
			}
			if v.Bind == nil || bool(v.Bind.CreateHostPath) {
				t.Errorf("Docker would make a folder of %s", v.Source)
			}
			owner, mode := [2]int{f.UID, f.GID}, f.Mode
			if v.Target == "/etc/other" && (owner != [2]int{101, 102} || mode != "0440") || v.Target != "/etc/other" && (owner != [2]int{} || mode != "0600") {
				t.Errorf("%s is %v, %s", v.Target, owner, mode)
			}
			continue
		}
		got[v.Target] = v.Source
	}
	if want := map[string]string{
		"/etc/nginx/nginx.conf": "listen $port;\n", "/odd": "\x00\xff$", "/log": "./log", "/etc/hosts": "/etc/hosts", "/named": "named",
		"/app": "[a]", "/etc/other": "[a]", "/run/secrets/key": "hush", "/run/secrets/other": "hush",
	}; !maps.Equal(got, want) {
		t.Errorf("mounted are %q, want %q", got, want)
	}
	profile := strings.TrimPrefix(web.SecurityOpt[0], "seccomp:")
	if string(files[profile].Content) != "{}" || web.SecurityOpt[1] != "no-new-privileges:true" {
		t.Errorf("the security options are %q", web.SecurityOpt)
	}
	// What is on the host, or in the file itself, stays as it was.
	if len(web.Configs) != 2 || len(web.Secrets) != 0 || len(project.Configs) != 2 || len(project.Secrets) != 0 {
		t.Errorf("configs and secrets are\n%s", rendered.YAML)
	}
}

// Compose does not look into files, and replaces a service that says something else.
func TestAServiceChangesWithTheFilesThatItReadsAndNoOtherDoes(t *testing.T) {
	before, err := beside(t, reads, readBy, nil)
	if err != nil {
		t.Fatal(err)
	}
	again, err := beside(t, reads, readBy, nil)
	if err != nil || string(again.YAML) != string(before.YAML) {
		t.Errorf("in another folder it is rendered differently: %v\n%s\n%s", err, before.YAML, again.YAML)
	}
	for name := range readBy {
		changed := maps.Clone(readBy)
		changed[name] += "!"
		after, err := beside(t, reads, changed, nil)
		if err != nil {
			t.Fatal(err)
		}
		services := func(s *stack.Stack, name string) string { return mustJSON(t, load(t, s.YAML).Services[name]) }
		if services(before, "web") == services(after, "web") {
			t.Errorf("another %s changes nothing", name)
		}
		if services(before, "other") != services(after, "other") {
			t.Errorf("another %s changes another service", name)
		}
	}
}

func TestFilesThatCannotBeCarriedAreNamedAllTogether(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string]string{
		"stack/folder/": "", "stack/large": strings.Repeat("x", 1<<20+1), "outside.env": "A=1", "stack/ok.env": "A=1\n",
		"stack/bad.env":   "GOOD=1\nPW=hunter2$swordfish\n=x\nPW2=${hunter2\n",
		"stack/open.env":  "A='hunter2\n",
		"stack/words.env": "hunter2 hunter2=1",
		"stack/raw.env":   "=hunter2\nhunter2 x=1\nB=\xff",
		"stack/docker-compose.yml": `
services:
  a:
    image: x
    env_file: [missing.env, ../outside.env, folder, link.env, bad.env, open.env, words.env, {path: raw.env, format: raw}, {path: ok.env, format: json}]
    label_file: missing.labels
    configs: [app, {source: app, uid: root, mode: 04755}, {source: on-host, mode: 0440}]
    secrets: [large]
    security_opt: [seccomp=none.json]
    volumes: ["./missing.conf:/a", "./folder:/b", ".:/c", "~/x:/d", "./pipe:/e", {type: bind, source: ./made-by-a-service, target: /f, bind: {create_host_path: false}}]
  b:
    image: x
    env_file: [ok.env, /etc/b.env]
    pre_start: [{image: x, volumes: ["./none:/a"]}]
configs: {app: {file: ./missing.ini}, on-host: {file: /etc/app.ini}}
secrets: {large: {file: ./large}}
volumes: {v: {driver: local, driver_opts: {type: none, o: bind, device: ./v}}}
`})
	for name, to := range map[string]string{"link.env": "../outside.env"} {
		if err := os.Symlink(to, filepath.Join(dir, "stack", name)); err != nil {
			t.Fatal(err)
		}
	}
	if err := syscall.Mkfifo(filepath.Join(dir, "stack", "pipe"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := stack.Render(t.Context(), stack.Options{Dir: filepath.Join(dir, "stack"), Files: []string{"docker-compose.yml"}, Name: "test"})
	if err == nil {
		t.Fatal("no error")
	}
	got := strings.ReplaceAll(err.Error(), filepath.Join(dir, "stack"), "DIR")
	const mount = "\nhint: put the file there, or have the label io.yourlabs.compose.mkdir declare the folder; " +
		"what the host has itself is named by its absolute path\n"
	const dollar = "\nhint: a literal $ is written $$, and between '…' all is literal\n"
	want := strings.ReplaceAll(`@a: env_file: missing.env: there is no such file in DIR
@a: env_file: ../outside.env: it is not in DIR, the folder of the compose file
hint: what is there is carried along
@a: env_file: folder: it is a folder, and only files are carried along
@a: env_file: link.env: it is a link that leaves DIR, the folder of the compose file
@a: env_file: bad.env: line 2: PW: a $ in it begins no variable that has a value`+dollar+
		`@a: env_file: bad.env: line 3: there is no name of a variable
@a: env_file: open.env: line 1: A: the quote does not end
@a: env_file: words.env: line 1: a name has no blank in it
@a: env_file: raw.env: line 1: there is no name of a variable
@a: env_file: raw.env: line 2: a name has no blank in it
@a: env_file: raw.env: line 3: B holds bytes that are no UTF-8 text
@a: env_file: ok.env: format "json" is not known
hint: there is raw; without a format it is read as Compose reads a .env
@a: label_file: missing.labels: there is no such file in DIR
@b: env_file: /etc/b.env: it is on the host, and comes after one that is not, over which it would have to win
hint: name those with an absolute path first
@a: volumes: ./missing.conf: there is no such file in DIR`+mount+
		`@a: volumes: ./folder: it is a folder, and only files are carried along`+mount+
		`@a: volumes: .: it is a folder, and only files are carried along`+mount+
		`@a: volumes: ~/x: ~ is another folder for each user
hint: what the host has is named by its absolute path
@a: volumes: ./pipe: it is no regular file`+mount+
		`@a: security_opt: none.json: there is no such file in DIR
@a: configs: app: uid "root" is not a number, such as 1000
@a: configs: app: mode 4755 has more than permissions, such as 0440
@a: configs: app: ./missing.ini: there is no such file in DIR
@a: configs: on-host: uid, gid and mode change nothing of /etc/app.ini, which is the host's own
hint: leave them out, and give it to its reader on the host
@a: secrets: large: ./large: it is larger than 1024 KiB, and too large to be carried along
hint: put it on the host, and name it by its absolute path
@b: pre_start: volumes: ./none: there is no such file in DIR`+mount+
		`docker-compose.yml: volumes: v: device ./v is no folder that the stack declares
hint: have the label io.yourlabs.compose.mkdir declare it`, "@", "docker-compose.yml: service ")
	if got != want {
		t.Errorf("got:\n%s\nwant:\n%s", got, want)
	}
	for _, secret := range []string{"hunter2", "swordfish"} {
		if strings.Contains(got, secret) {
			t.Errorf("%s is shown", secret)
		}
	}
}

func TestAllFilesTogetherAreNotTooLarge(t *testing.T) {
	files := map[string]string{}
	volumes := []string{}
	for _, name := range []string{"a", "b", "c", "d", "e"} {
		files[name] = strings.Repeat(name, 1<<20)
		volumes = append(volumes, "./"+name+":/"+name)
	}
	content := func(n int) string {
		return "services: {a: {image: x, volumes: " + mustJSON(t, volumes[:n]) + "}}"
	}
	if _, err := beside(t, content(4), files, nil); err != nil {
		t.Error(err)
	}
	if _, err := beside(t, content(5), files, nil); err == nil || !strings.Contains(err.Error(), "have 5120 KiB together, and may have 4096\nhint: ") {
		t.Errorf("five: %v", err)
	}
}

func TestWhatIsNamedTwiceIsCarriedOnce(t *testing.T) {
	rendered, err := beside(t, "services: {a: {image: x, volumes: ['./f:/a', './d/../f:/b']}, b: {image: x, volumes: ['./f:/a']}}", map[string]string{"f": "1"}, nil)
	if err != nil || len(rendered.Files) != 1 {
		t.Errorf("%v, %v", rendered, err)
	}
}

func TestALinkWithinTheFolderIsFollowed(t *testing.T) {
	dir := t.TempDir()
	put(t, dir, map[string]string{"conf/real": "content", "docker-compose.yml": "services: {a: {image: x, volumes: ['./link:/a']}}"})
	if err := os.Symlink("conf/real", filepath.Join(dir, "link")); err != nil {
		t.Fatal(err)
	}
	rendered := render(t, stack.Options{Dir: "/nowhere", Files: []string{filepath.Join(dir, "docker-compose.yml")}, Name: "test"})
	if len(rendered.Files) != 1 || string(rendered.Files[0].Content) != "content" {
		t.Errorf("%v", rendered.Files)
	}
}

func TestWhatAnEnvFileHoldsIsNotInLaterErrors(t *testing.T) {
	_, err := beside(t, "services: {a: {image: x, env_file: a.env, volumes: ['./correct-horse:/a']}}", map[string]string{"a.env": "PW=correct-horse\n"}, nil)
	if err == nil || strings.Contains(err.Error(), "horse") || !strings.Contains(err.Error(), "the value of PW in a.env") {
		t.Errorf("%v", err)
	}
}

func TestNoFileIsCarriedByTheStacksThatThereAre(t *testing.T) {
	for name, o := range typical {
		o.Dir = composeDir
		if files := render(t, o).Files; len(files) != 0 {
			t.Errorf("%s: %s", name, files[0].Path)
		}
	}
}
