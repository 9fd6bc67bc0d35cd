package provision

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// program decides for what is deployed here.
const program = "/usr/local/lib/mrs-ops/mrs-host-1"

// hostile is what a value may have in it.
const hostile = `it's $HOME $(id) "q" \b #1`

func persistent() hostapi.Deploy {
	return hostapi.Deploy{
		Project: "mrs-x", Folder: "/home/mrs-x", Persistent: true, URL: "https://x.example.org", Names: []string{"x.example.org", "b"},
		Page: "/", BasicAuth: true, Timeout: 60, Database: "mrs", Role: "django", Slack: "https://slack/" + hostile,
		Folders: []hostapi.Folder{{Path: "/home/mrs-x/log", UID: 1000, GID: 1000, Mode: "0750"}},
		Backup:  &hostapi.Backup{Password: "secret", Mirror: "ftp://me:" + hostile + "@h", S3: hostapi.S3{KeyID: "id", Secret: hostile}},
	}
}

func (n Needs) file(t *testing.T, path string) hostapi.File {
	t.Helper()
	i := slices.IndexFunc(n.Files, func(f hostapi.File) bool { return f.Path == path })
	if i < 0 {
		t.Fatalf("there is no %s", path)
	}
	return n.Files[i]
}

func TestTheScriptsReadTheirSettingsAsTheyWereGiven(t *testing.T) {
	file := Of(persistent(), program).file(t, "/home/mrs-x/.backup.env")
	if file.Mode != "0400" {
		t.Errorf("its mode is %s", file.Mode)
	}
	for name, want := range map[string]string{
		"NAME": "mrs-x", "RESTIC_REPOSITORY": "/home/mrs-x/restic", "LFTP_DSN": "ftp://me:" + hostile + "@h", "LFTP_PLAIN": "",
		"DB_NAME": "mrs", "DB_USER": "django", "KEEP_YEARLY": "75", "MRS_HOST": program, "URL": "https://x.example.org", "NAMES": "x.example.org,b",
		"PAGE": "/", "BASICAUTH": "1", "JOBS": "", "PRODUCTION": "", "TIMEOUT": "60", "SLACK": "https://slack/" + hostile,
	} {
		cmd := exec.Command("bash", "-euc", `. /dev/stdin; printf %s "$`+name+`"`)
		cmd.Stdin = strings.NewReader(file.Content)
		if out, err := cmd.CombinedOutput(); err != nil || string(out) != want {
			t.Errorf("%s is %q, not %q: %v", name, out, want, err)
		}
	}
	cmd := exec.Command("bash", "-euc", `. /dev/stdin; env | grep ^AWS | sort`)
	cmd.Env = []string{"PATH=" + os.Getenv("PATH")}
	cmd.Stdin = strings.NewReader(file.Content)
	if out, err := cmd.CombinedOutput(); err != nil || string(out) != "AWS_ACCESS_KEY_ID=id\nAWS_SECRET_ACCESS_KEY="+hostile+"\n" {
		t.Errorf("restic finds in its environment %q, %v", out, err)
	}
	if strings.Contains(file.Content, "secret") {
		t.Error("the repository's password is in it")
	}
}

func TestWhatAnInstanceNeedsIsWhatItIs(t *testing.T) {
	unbacked := persistent()
	unbacked.Backup = nil
	branch := hostapi.Deploy{Project: "test-a", Folder: "/root/.yourlabs.compose/test-a", Lifetime: 60}
	forever := branch
	forever.Lifetime = 0
	for name, c := range map[string]struct {
		deploy                 hostapi.Deploy
		programs, files, units string
	}{
		"backed up": {persistent(), "curl restic lftp", "mrs-ops-commands " +
			"mrs-ops-mrs-x .backup.env backup.sh restore.sh prune.sh drill.sh export.sh lend.sh alert.sh",
			"mrs-x-backup mrs-x-prune mrs-x-drill mrs-x-restore mrs-x-recover mrs-x-alert@"},
		"persistent":       {unbacked, "", "mrs-ops-commands mrs-ops-mrs-x", ""},
		"a branch":         {branch, "", "mrs-ops-commands", "mrs-ops-branches"},
		"one that remains": {forever, "", "mrs-ops-commands", ""},
	} {
		n := Of(c.deploy, program)
		var files, units []string
		for _, f := range n.Files {
			files = append(files, filepath.Base(f.Path))
		}
		for _, u := range n.Units {
			units = append(units, u.Name)
			after := map[string]string{"mrs-x-restore": "recover", "mrs-x-drill": "recover drill"}[u.Name]
			if c.deploy.Backup != nil && !strings.HasSuffix(u.CommandAfter, after) {
				t.Errorf("after %s, however it ended, there is %q", u.Name, u.CommandAfter)
			}
			if u.OnFailure != "" && u.OnFailure != "mrs-x-alert@%n.service" {
				t.Errorf("%s: of a failure of %s hears %s", name, u.Name, u.OnFailure)
			}
		}
		for what, words := range map[string][2]string{
			"programs": {strings.Join(n.Programs, " "), c.programs}, "files": {strings.Join(files, " "), c.files}, "units": {strings.Join(units, " "), c.units},
		} {
			if words[0] != words[1] {
				t.Errorf("%s: the %s are %q, not %q", name, what, words[0], words[1])
			}
		}
	}
	if f := Of(persistent(), program).Folders; f[1].Mode != "0700" || f[len(f)-1].UID != 1000 {
		t.Errorf("the folders are %+v", f)
	}
}

// fake is a host.
type fake struct {
	programs   []string
	down       bool // the engine is
	opened     error
	booted     bool
	said, sent []string
}

func (f *fake) Root() bool { return true }
func (f *fake) Engine(context.Context) (string, error) {
	if f.down {
		return "", errors.New("exit status 1")
	}
	return "20.10", nil
}
func (f *fake) Compose(context.Context) (string, error)             { return "2.27", nil }
func (f *fake) Free(string) (uint64, error)                         { return 1 << 40, nil }
func (f *fake) Elsewhere(context.Context, string) ([]string, error) { return []string{"/srv/x"}, nil }
func (f *fake) Has(program string) bool                             { return slices.Contains(f.programs, program) }
func (f *fake) Install(_ context.Context, packages ...string) error {
	f.programs = append(f.programs, packages...)
	return nil
}
func (f *fake) Open(_ context.Context, folder, password string) (string, error) {
	f.sent = append(f.sent, folder+" "+password)
	if len(f.sent) == 1 {
		return "the mirror does not tell: a new repository is begun\n\npassword kept\n", f.opened
	}
	return "", f.opened
}
func (f *fake) Booted() (bool, error)                                { return f.booted, nil }
func (f *fake) Systemctl(context.Context, ...string) (string, error) { return "", nil }
func (f *fake) say(line string)                                      { f.said = append(f.said, line) }

func TestWhatKeepsAHostFromADeploymentIsOneFailureWithAllHints(t *testing.T) {
	f := &fake{down: true}
	err := Check(t.Context(), persistent(), f)
	want := "the Docker engine does not answer; nothing was changed\nhint: systemctl start docker, or dockerd"
	if err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
	f.down = false
	err = Check(t.Context(), persistent(), f)
	if want := "project mrs-x runs already, from /srv/x; nothing was changed\nhint: another last part of home makes another project"; err == nil || err.Error() != want {
		t.Errorf("%v", err)
	}
}

func TestWhatIsThereAlreadyIsNoChange(t *testing.T) {
	home := t.TempDir()
	n := Needs{
		Programs: []string{"restic", "lftp"}, Folder: home, Password: "secret",
		Files: []hostapi.File{{Path: filepath.Join(home, "a.sh"), Content: "x", Mode: "0700"}},
		Units: []hostapi.Unit{{Name: "x-backup", Calendar: "daily"}},
	}
	f := &fake{programs: []string{"restic"}}
	for i, want := range []int{3, 0} { // lftp, a.sh, the repository
		provided, err := Provide(t.Context(), n, f, f.say)
		if err != nil || provided.Changes != want {
			t.Errorf("time %d: %d changes, not %d: %v", i, provided.Changes, want, err)
		}
	}
	if want := []string{home + " secret", home + " secret"}; !slices.Equal(f.sent, want) {
		t.Errorf("opened: %q", f.sent)
	}
	const nobody = "systemd does not run here, so there is nobody to run x-backup"
	if want := []string{"installing lftp", "the mirror does not tell: a new repository is begun", "password kept", nobody, nobody}; !slices.Equal(f.said, want) {
		t.Errorf("said: %q", f.said)
	}
	f.opened = fmt.Errorf("it can't be opened")
	if _, err := Provide(t.Context(), n, f, f.say); err == nil {
		t.Error("a repository that can't be opened is no error")
	}
}

func TestWhatAScriptSaysLastIsTheReasonAndItsHint(t *testing.T) {
	for said, want := range map[string]string{
		"restic: x\nthe repository can't be opened\nhint: is it mounted?\n": "the repository can't be opened\nhint: is it mounted?",
		"the disk is full\n": "the disk is full",
		"":                   "the repository of the backups can't be opened: exit status 1",
		"hint: x":            "the repository of the backups can't be opened: exit status 1\nhint: x",
	} {
		if err := failure(said, errors.New("exit status 1")); err.Error() != want {
			t.Errorf("%q: %v", said, err)
		}
	}
}

func TestWhatTheBackupsAreSetToStaysWhereTheNewCanNotBe(t *testing.T) {
	home := t.TempDir()
	path := filepath.Join(home, ".backup.env")
	older := filepath.Join(home, "backup-common.sh")
	if err := os.WriteFile(older, []byte("of an older version"), 0o700); err != nil {
		t.Fatal(err)
	}
	needs := func(content string) Needs {
		n := Needs{Folder: home, Password: "secret", Files: []hostapi.File{{Path: path, Content: content, Mode: "0400"}}}
		if content == "second" {
			n.Gone = []string{older}
		}
		return n
	}
	is := func(want string) {
		t.Helper()
		if got, err := os.ReadFile(path); string(got) != want {
			t.Errorf("it is %q, not %q: %v", got, want, err)
		}
	}
	f := &fake{}
	if _, err := Provide(t.Context(), needs("first"), f, f.say); err != nil {
		t.Fatal(err)
	}
	f.opened = errors.New("it can't be opened")
	if _, err := Provide(t.Context(), needs("mistyped"), f, f.say); err == nil {
		t.Error("a repository that can't be opened is no error")
	}
	is("first")
	f.opened = nil
	provided, err := Provide(t.Context(), needs("second"), f, f.say)
	if err != nil {
		t.Fatal(err)
	}
	is("second")
	if _, err := os.Stat(older); err == nil {
		t.Error("what was to go is there")
	}
	// The new one does not run well.
	if err := provided.Undo(); err != nil {
		t.Error(err)
	}
	is("first")
	if got, err := os.ReadFile(older); string(got) != "of an older version" {
		t.Errorf("what older scripts call is %q, %v", got, err)
	}
}

func TestWhatIsInTheWayOfOlderScriptsStays(t *testing.T) {
	home := t.TempDir()
	n := Needs{Folder: home, Gone: []string{
		filepath.Join(home, "backup-common.sh"), filepath.Join(home, "branches.sh")}}
	if err := os.MkdirAll(filepath.Join(n.Gone[0], "why"), 0o755); err != nil {
		t.Fatal(err)
	}
	f := &fake{}
	if p, err := Provide(t.Context(), n, f, f.say); err != nil || p.Changes != 0 || p.Undo() != nil {
		t.Errorf("%d changes, %v", p.Changes, err)
	}
	if _, err := os.Stat(filepath.Join(n.Gone[0], "why")); err != nil {
		t.Error(err)
	}
}
