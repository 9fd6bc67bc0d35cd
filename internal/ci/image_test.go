package ci

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// dockerTag is Docker's own grammar (distribution, reference/regexp.go).
var dockerTag = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}$`)

func TestABranchsNameIsItsTagWhereItCanBe(t *testing.T) {
	for _, branch := range []string{"master", "staging", "v1.2", "fix_mail-2", "_x", "UPPER", strings.Repeat("a", 128)} {
		if got := Tag(branch); got != branch {
			t.Errorf("%q: got %q", branch, got)
		}
	}
}

// hostileBranches are names that git allows, and then some.
var hostileBranches = []string{
	hostile, "feature/x", "feature-x", "feature--x", "-x", ".x", "..", "", "-", "é", "ÉCOLE", "master ", "master!", "/master",
	"$(reboot)", "`id`", "a;b", "a\nb", "x:latest", "@{-1}", "--help", strings.Repeat("a", 129), strings.Repeat("a", 128) + "b",
	strings.Repeat("é", 200), commit, "feature-x-1a2b3c4d", "\x00", "\xff", "🙂",
}

func TestHostileBranchesHaveTagsOfTheirOwn(t *testing.T) {
	seen := map[string]string{"master": "master"}
	for _, branch := range hostileBranches {
		tag := Tag(branch)
		if !dockerTag.MatchString(tag) {
			t.Errorf("%q: %q is no tag", branch, tag)
		}
		if commitPattern.MatchString(tag) {
			t.Errorf("%q: %q is a commit's", branch, tag)
		}
		if other, taken := seen[tag]; taken && other != branch {
			t.Errorf("%q and %q are both %q", branch, other, tag)
		}
		seen[tag] = branch
	}
	// A tag that was made of a branch's name is nobody's name.
	if made := Tag("feature/x"); Tag(made) == made {
		t.Errorf("a branch called %q has the tag of feature/x", made)
	}
}

func FuzzEveryBranchHasATag(f *testing.F) {
	for _, branch := range hostileBranches {
		f.Add(branch, "master")
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		x, y := Tag(a), Tag(b)
		if !dockerTag.MatchString(x) || commitPattern.MatchString(x) {
			t.Errorf("%q: %q is no tag of a branch", a, x)
		}
		if a != b && x == y {
			t.Errorf("%q and %q are both %q", a, b, x)
		}
	})
}

// application returns a folder with a Dockerfile.
func application(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte("FROM scratch\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	return dir
}

func TestAllThatAnImageLacksIsSaidAtOnce(t *testing.T) {
	env := changed(recorded(t, "drone-push-branch"), "DOCKER_USER", "bot")
	r, err := Read(getenv(env))
	if err != nil {
		t.Fatal(err)
	}
	_, err = newBuild(r, Source{Dir: t.TempDir(), Args: []string{"oops"}}, getenv(env))
	refused, ok := errors.AsType[*Refused](err)
	if !ok || len(refused.Problems) != 4 {
		t.Fatalf("got %v, want four problems", err)
	}
	for _, want := range []string{"REPO is missing", "DOCKER_PASS is missing", "Dockerfile is missing", `-buildArg is "oops", not NAME=VALUE`, "from_secret", "-context=FOLDER", "nothing was touched"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q is not in: %v", want, err)
		}
	}
}

func TestAnImageHasTheNamesOfItsCommitAndItsBranch(t *testing.T) {
	for repo, registry := range map[string]string{
		"betagouv/mrs": "", "mrs": "", "registry.example.org/mrs": "registry.example.org", "localhost:5000/betagouv/mrs": "localhost:5000",
	} {
		env := changed(recorded(t, "gitlab-push-branch"), "REPO", repo, "DOCKER_USER", "bot", "DOCKER_PASS", "hunter2")
		r, err := Read(getenv(env))
		if err != nil {
			t.Fatal(err)
		}
		b, err := newBuild(r, Source{Dir: application(t)}, getenv(env))
		if err != nil {
			t.Fatal(err)
		}
		if b.images[0] != repo+":"+commit || b.images[1] != repo+":"+Tag(hostile) || b.registry != registry || b.user == "" {
			t.Errorf("%s: got %q at %q", repo, b.images, b.registry)
		}
	}
}

func TestWhatIsNoRepositoryIsRefused(t *testing.T) {
	for _, repo := range []string{"betagouv/mrs:master", "Betagouv/MRS", "https://registry.example.org/mrs", "-x", "a b", "mrs@sha256:" + strings.Repeat("0", 64), "$(id)", commit + "000000000000000000000000"} {
		env := changed(recorded(t, "gitlab-push-branch"), "REPO", repo)
		r, err := Read(getenv(env))
		if err != nil {
			t.Fatal(err)
		}
		if _, err := newBuild(r, Source{Dir: application(t)}, getenv(env)); err == nil || !strings.Contains(err.Error(), "no repository of images") {
			t.Errorf("%q: got %v", repo, err)
		}
	}
}

// setAll makes the process environment that of a recorded run.
func setAll(t *testing.T, env map[string]string) {
	t.Helper()
	for _, name := range []string{"DRONE", "GITLAB_CI", "GITHUB_ACTIONS", "MRS_ENV", "MRS_OPERATOR", "REPO", "ssh_config", "SECRET_KEY"} {
		t.Setenv(name, "") // so that it is restored
		os.Unsetenv(name)
	}
	for _, name := range handed {
		t.Setenv(name, "")
		os.Unsetenv(name)
	}
	for name, value := range env {
		t.Setenv(name, value)
	}
}

// fakeDocker puts a docker on the PATH that writes down how it was called and
// what it was told, and fails where FAIL names its command.
func fakeDocker(t *testing.T) (log func() string) {
	t.Helper()
	dir := t.TempDir()
	script := `#!/bin/sh
[ "$1" = version ] && { echo 20.10.24; exit; }
echo "docker $*" >>"$FAKE_LOG"
command=$1; [ "$1" = --config ] && { command=$3; ls -ld "$2" | cut -c1-10 >>"$FAKE_LOG"; echo "$2" >"$FAKE_LOG.config"; }
[ "$command" = login ] && { cat >>"$FAKE_LOG.stdin"; echo >"$2/config.json"; }
[ "$command" != "$FAIL" ]
`
	if err := os.WriteFile(filepath.Join(dir, "docker"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	t.Setenv("FAKE_LOG", filepath.Join(dir, "log"))
	return func() string {
		said, _ := os.ReadFile(filepath.Join(dir, "log"))
		return string(said)
	}
}

func TestALoginIsForThisImageAloneAndItsPasswordIsInNoArgument(t *testing.T) {
	for _, fail := range []string{"", "login", "build", "push"} {
		t.Run("fails: "+fail, func(t *testing.T) {
			log := fakeDocker(t)
			setAll(t, changed(recorded(t, "gitlab-push-branch"), "REPO", "registry.example.org/mrs", "DOCKER_USER", "bot", "DOCKER_PASS", "hunter2", "FAIL", fail))
			err := Image(t.Context(), Source{Dir: application(t)})
			if (err != nil) != (fail != "") || err != nil && strings.Contains(err.Error(), "hunter2") {
				t.Errorf("got %v", err)
			}
			if strings.Contains(log(), "hunter2") {
				t.Errorf("the password is an argument: %s", log())
			}
			told, _ := os.ReadFile(os.Getenv("FAKE_LOG") + ".stdin")
			if string(told) != "hunter2" {
				t.Errorf("login was told %q", told)
			}
			if !strings.Contains(log(), "login --username=bot --password-stdin registry.example.org\ndrwx------") {
				t.Errorf("no login, or its folder is open: %s", log())
			}
			config, _ := os.ReadFile(os.Getenv("FAKE_LOG") + ".config")
			if _, err := os.Stat(strings.TrimSpace(string(config))); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("%s is left (%v)", config, err)
			}
			pushed := strings.Count(log(), " push registry.example.org/mrs:")
			if want := map[string]int{"": 2, "push": 1}[fail]; pushed != want {
				t.Errorf("%d pushes, want %d: %s", pushed, want, log())
			}
			if fail == "" && !strings.Contains(log(), "build --build-arg GIT_COMMIT="+commit+" --tag registry.example.org/mrs:"+commit+" --tag registry.example.org/mrs:"+Tag(hostile)+" -- ") {
				t.Errorf("got %s", log())
			}
		})
	}
}

func TestAnImageIsBuiltWithTheSharedMemoryThatTheStackSaysAndWhatIsAskedFor(t *testing.T) {
	log := fakeDocker(t)
	dir := application(t)
	setAll(t, changed(recorded(t, "gitlab-push-branch"), "REPO", "betagouv/mrs"))
	t.Chdir(filepath.Join("..", ".."))
	source := Source{Dir: dir, File: filepath.Join(dir, "Dockerfile"), Args: []string{"RELEASE=1 2", "DEBUG="}}
	if err := Image(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	if want := " --build-arg RELEASE=1 2 --build-arg DEBUG= --shm-size 512mb --file " + source.File + " --tag betagouv/mrs:"; !strings.Contains(log(), want) {
		t.Errorf("got %s, want%s", log(), want)
	}
}

func TestWithoutAUserThereIsNoLogin(t *testing.T) {
	log := fakeDocker(t)
	setAll(t, changed(recorded(t, "github-push-branch"), "REPO", "betagouv/mrs"))
	if err := Image(t.Context(), Source{Dir: application(t)}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(log(), "login") || strings.Contains(log(), "--config") {
		t.Errorf("got %s", log())
	}
}

// TestPullRequestsTagsAndPromotionsHaveNoImage: a pull request would replace the
// image of the branch that it is for.
func TestPullRequestsTagsAndPromotionsHaveNoImage(t *testing.T) {
	for _, name := range []string{"drone-pull-request", "drone-tag", "drone-promote-production", "gitlab-merge-request", "github-pull-request-of-a-fork", "github-pull-request-target", "github-schedule"} {
		t.Run(name, func(t *testing.T) {
			log := fakeDocker(t)
			setAll(t, changed(recorded(t, name), "REPO", "betagouv/mrs"))
			if err := Image(t.Context(), Source{Dir: application(t)}); err != nil || log() != "" {
				t.Errorf("got %v, %s", err, log())
			}
		})
	}
}
