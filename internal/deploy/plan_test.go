package deploy

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"

	"github.com/betagouv/mrs-ops/internal/instance"
)

// inProject makes a project with the real compose files and the instance x the
// working directory.
func inProject(t *testing.T, env, secrets string) {
	t.Helper()
	root := t.TempDir()
	compose, err := filepath.Abs("../../compose")
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink(compose, filepath.Join(root, "compose")); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(filepath.Join(root, "env"), 0o700); err != nil {
		t.Fatal(err)
	}
	for path, content := range map[string]string{"env/x.env": env, "env/x.secrets.env": secrets} {
		if err := os.WriteFile(filepath.Join(root, path), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(root)
}

func TestWhatIsInAnEnvFileReachesTheContainer(t *testing.T) {
	const sender, key = "a$B@x.fr", `it's $HOME $$ ${X} "q" \b #1`
	const mirror = `ftp://me:it%27s-hush@ftp.example.org`
	inProject(t,
		"home=/home/mrs-x\nHOST=x.example.org\nALLOWED_HOSTS=x.example.org\ncompose=docker-compose.yml\n"+
			"DEFAULT_FROM_EMAIL='"+sender+"'\n"+
			`compose_django_command='["sh","-c","echo $HOME $(id -u) \"$$\""]'`+"\n",
		instance.Assign("SECRET_KEY", key)+"\n"+instance.Assign("RESTIC_PASSWORD", key)+"\n"+instance.Assign("LFTP_DSN", mirror)+"\n"+
			instance.Assign("SLACK_TOKEN", key)+"\nSLACK_URL=https://slack.example.org")
	plan, err := NewPlan(t.Context(), "x", []string{"B=wrong", "HOME=/wrong", "X=wrong"})
	if err != nil {
		t.Fatal(err)
	}
	// As Docker Compose reads it on the host, which has variables of these names too.
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		ConfigFiles: []types.ConfigFile{{Filename: "docker-compose.yml", Content: []byte(plan.Request.File)}},
		Environment: types.Mapping{"B": "wrong", "HOME": "/wrong", "X": "wrong"},
	}, func(o *loader.Options) { o.SetProjectName("x", false) })
	if err != nil {
		t.Fatal(err)
	}
	django := project.Services["django"]
	for name, want := range map[string]string{"DEFAULT_FROM_EMAIL": sender, "SECRET_KEY": key} {
		if got := django.Environment[name]; got == nil || *got != want {
			t.Errorf("%s is not %q in\n%s", name, want, plan.Request.File)
		}
	}
	if b := plan.Request.Backup; b == nil || b.Password != key || b.Mirror != mirror || b.MirrorPlain || plan.Request.Slack != "https://slack.example.org/"+key {
		t.Errorf("the server is told %+v, Slack %s", b, plan.Request.Slack)
	}
	// The shell in the container expands it.
	if want := []string{"sh", "-c", `echo $HOME $(id -u) "$$"`}; !slices.Equal(django.Command, want) {
		t.Errorf("the command is %q, want %q", django.Command, want)
	}
}

func TestASecretIsShownByItsLengthAndCheck(t *testing.T) {
	const source, long = "env/x.secrets.env", "correct horse #1"
	for want, v := range map[string]instance.Value{
		"KEY|******** (16 characters, check 5a3a)|" + source: {Name: "KEY", Value: long, Source: source, Secret: true},
		"KEY|******** (3 characters)|" + source:              {Name: "KEY", Value: "lol", Source: source, Secret: true},
		"KEY||default":                                       {Name: "KEY", Source: "default", Secret: true},
		"HOST|x.example.org|x.env":                           {Name: "HOST", Value: "x.example.org", Source: "x.env"},
	} {
		if got := strings.Join(newShown(v).row(), "|"); got != want {
			t.Errorf("got %s, want %s", got, want)
		}
	}
}

func TestFilesBesideTheComposeFileGoWithTheRequestAndAreNotShown(t *testing.T) {
	root := t.TempDir()
	for name, content := range map[string]string{
		"env/x.env":                  "home=/home/mrs-x\nHOST=x.example.org\nALLOWED_HOSTS=x.example.org\ncompose=docker-compose.yml\n",
		"env/x.secrets.env":          "SECRET_KEY=hush\n",
		"compose/docker-compose.yml": "services: {django: {image: mrs, volumes: ['./conf:/conf'], env_file: django.env}}\n",
		"compose/conf":               "\x00\xff$hush",
		"compose/django.env":         "FROM_FILE=${SECRET_KEY}\n",
	} {
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(root)
	plan, err := NewPlan(t.Context(), "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(plan.Request.File, "FROM_FILE: hush\n") {
		t.Errorf("what the env file says is not in\n%s", plan.Request.File)
	}
	// As the playbook hands it on: JSON, both times.
	text, err := json.Marshal(plan)
	if err != nil {
		t.Fatal(err)
	}
	var read Plan
	if err := json.Unmarshal(text, &read); err != nil || len(read.Request.Carried) != 1 {
		t.Fatalf("%v, %v", read.Request.Carried, err)
	}
	file := read.Request.Carried[0]
	if string(file.Content) != "\x00\xff$hush" || file.Mode != "0600" || file.UID != 0 || !strings.Contains(read.Request.File, "./"+file.Path+"\n") {
		t.Errorf("%+v, and the stack is\n%s", file, read.Request.File)
	}

	if err := os.WriteFile("compose/conf", []byte("other"), 0o600); err != nil {
		t.Fatal(err)
	}
	other, err := NewPlan(t.Context(), "x", nil)
	if err != nil {
		t.Fatal(err)
	}
	lines, err := differences(plan.Request.File, other.Request.File)
	if err != nil || len(lines) != 2 {
		t.Fatalf("a dry run tells %q, %v", lines, err)
	}
	for _, line := range lines {
		if !regexp.MustCompile(`^[+-] services\.django\.volumes\[0\]\.source: \./\.files/conf-[0-9a-f]{4}$`).MatchString(line) {
			t.Errorf("a dry run tells %q", line)
		}
	}
}

func TestAnotherApplicationNeedsNothingOfMRSAndIsNotBackedUpWithoutADatabase(t *testing.T) {
	root := t.TempDir()
	web := "services:\n  web: {image: w, ports: [\"80:80\"]}\n"
	for path, content := range map[string]string{
		"env/shop.env":          "home=/home/shop\nHOST=shop.example.org\ncompose=shop.yml\nRESTIC_PASSWORD=hush\n",
		"compose/shop.yml":      web + "  db: {image: p, labels: [mrs-ops.database=true]}\n",
		"compose/stateless.yml": web,
	} {
		path = filepath.Join(root, path)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(root)
	for compose, backed := range map[string]bool{"shop.yml": true, "stateless.yml": false} {
		plan, err := NewPlan(t.Context(), "shop", []string{"compose=" + compose})
		if err != nil {
			t.Fatal(err)
		}
		if d := plan.Request; (d.Backup != nil) != backed || d.Jobs || len(d.Services) == 0 {
			t.Errorf("%s: backups %+v, jobs %t, services %+v", compose, d.Backup, d.Jobs, d.Services)
		}
	}
}
