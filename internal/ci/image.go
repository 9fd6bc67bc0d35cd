package ci

import (
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/distribution/reference"
	"go.yaml.in/yaml/v4"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/engine"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/local"
	"github.com/betagouv/mrs-ops/internal/setup"
)

var (
	notInTag = regexp.MustCompile(`[^A-Za-z0-9_.-]+`)
	// hashed is what ends a tag that is not its branch's name.
	hashed = regexp.MustCompile(`-[0-9a-f]{8}$`)
)

// Tag returns the tag of a branch's image: its name where that can be a tag
// (docker tag: 128 letters, digits and _ . -, no . or - first), else what can be
// of it and a hash. Two branches never have the same tag, and none has that of
// a commit.
func Tag(branch string) string {
	tag := strings.TrimLeft(notInTag.ReplaceAllString(branch, "-"), "-.")
	if tag == branch && tag != "" && len(tag) <= 128 && !hashed.MatchString(tag) && !commitPattern.MatchString(tag) {
		return tag
	}
	tag = cmp.Or(tag, "branch")
	sum := sha256.Sum256([]byte(branch))
	return fmt.Sprintf("%s-%x", tag[:min(len(tag), 119)], sum[:4])
}

// parseRepo returns REPO as what Docker takes it for, or what is wrong with it.
func parseRepo(system console.CI, repo string) (reference.Named, []instance.Problem) {
	if repo == "" {
		const reason = "is missing: the repository of the image, as betagouv/mrs"
		return nil, []instance.Problem{{Name: "REPO", Reason: reason, Mend: settings(system, "REPO")}}
	}
	named, err := reference.ParseNormalizedNamed(repo)
	if err != nil || !reference.IsNameOnly(named) {
		const mend = "write it as NAME/NAME, with the registry's HOST[:PORT]/ before it where it has one, and no tag"
		reason := fmt.Sprintf("is %q, which is no repository of images", repo)
		return nil, []instance.Problem{{Name: "REPO", Reason: reason, Mend: mend}}
	}
	return named, nil
}

type build struct {
	Source
	commit     string
	images     []string
	user, pass string // none: there is no login
	registry   string // to log in at; empty for Docker's own
	shm        string // the size of /dev/shm; empty: Docker's own
}

// Source is what an image is built from.
type Source struct {
	Dir  string   // the build context
	File string   // the Dockerfile; empty: that in Dir
	Args []string // build arguments, NAME=VALUE, which everybody can read in the image
}

// stackFile is where the stack says how its application is built.
const stackFile = "compose/docker-compose.yml"

var argPattern = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*=`)

// shmSize returns how much shared memory the stack gives the build of the
// application: build.shm_size of django. Empty: Docker's 64 MB.
func shmSize() (string, error) {
	text, err := os.ReadFile(stackFile)
	if errors.Is(err, fs.ErrNotExist) {
		return "", nil
	}
	if err != nil {
		return "", err
	}
	var stack struct {
		Services map[string]struct {
			Build struct {
				Shm string `yaml:"shm_size"`
			}
		}
	}
	if err := yaml.Unmarshal(text, &stack); err != nil {
		return "", fmt.Errorf("%s: %w", stackFile, err)
	}
	return stack.Services["django"].Build.Shm, nil
}

func newBuild(r Run, s Source, getenv func(string) string) (build, error) {
	b := build{Source: s, commit: r.Commit, user: getenv("DOCKER_USER"), pass: getenv("DOCKER_PASS")}
	repo := getenv("REPO")
	named, problems := parseRepo(r.System, repo)
	problem := func(name, reason, mend string) {
		problems = append(problems, instance.Problem{Name: name, Reason: reason, Mend: mend})
	}
	if named != nil {
		b.images = []string{repo + ":" + r.Commit, repo + ":" + Tag(r.Branch)}
		if domain := reference.Domain(named); strings.HasPrefix(repo, domain+"/") { // else it is the default
			b.registry = domain
		}
	}
	if b.user != "" && b.pass == "" {
		problem("DOCKER_PASS", "is missing: the password of DOCKER_USER", settings(r.System, "DOCKER_PASS"))
	}
	file := cmp.Or(s.File, filepath.Join(s.Dir, "Dockerfile"))
	if info, err := os.Stat(file); err != nil || info.IsDir() {
		problem("Dockerfile", fmt.Sprintf("is missing: there is no %q", file),
			"-context=FOLDER names the application's folder, -file=FILE another Dockerfile")
	}
	for _, arg := range s.Args {
		if !argPattern.MatchString(arg) {
			problem("-buildArg", fmt.Sprintf("is %q, not NAME=VALUE", arg), "-buildArg=\"NAME=VALUE NAME=VALUE\"")
		}
	}
	var err error
	if b.shm, err = shmSize(); err != nil {
		problem(stackFile, "can't be read: "+err.Error(), "mage compose:render local tells where")
	}
	if problems != nil {
		return b, &Refused{What: "ci:image", Problems: problems}
	}
	return b, nil
}

// Image builds the application at the run's commit, and pushes it as
// REPO:COMMIT and REPO:BRANCH. Only a push of a branch has an image: a pull
// request must not replace that of the branch it is for.
func Image(ctx context.Context, s Source) error {
	start := time.Now()
	r, err := Read(os.Getenv)
	if err != nil {
		return err
	}
	if r.Event != Push {
		console.Done("no image is built for %q: a push of a branch builds that of its commit", r.Said)
		return nil
	}
	b, err := newBuild(r, s, os.Getenv)
	if err != nil {
		return err
	}
	if err := setup.Need(ctx, console.Say, "docker"); err != nil {
		return err
	}
	if err := b.run(ctx); err != nil {
		return err
	}
	took := time.Since(start).Round(100 * time.Millisecond)
	console.Done("%s: built and pushed, also as %s (%s)", b.images[0], b.images[1], took)
	return nil
}

// run builds and pushes. A login is one in a folder of our own, which is gone
// afterwards: a runner is not ours alone.
func (b build) run(ctx context.Context) error {
	if b.user == "" {
		return b.push(ctx, nil)
	}
	return withFolder(ctx, func(ctx context.Context, dir string) error {
		// By option: sudo would not hand DOCKER_CONFIG on.
		options := []string{"--config", dir}
		login := slices.Concat(options, []string{"login", "--username=" + b.user, "--password-stdin"})
		if b.registry != "" {
			login = append(login, b.registry)
		}
		if _, err := local.Input(ctx, b.pass, engine.Docker(login...)...); err != nil {
			return fmt.Errorf("the registry does not let %s in: %w\nhint: are DOCKER_USER and DOCKER_PASS right?", b.user, err)
		}
		return b.push(ctx, options)
	})
}

// push builds the image and pushes it under all its names; options are docker's.
func (b build) push(ctx context.Context, options []string) error {
	docker := func(args ...string) error {
		argv := engine.Docker(slices.Concat(options, args)...)
		if _, err := local.Exec(ctx, argv...).Stdout(); err != nil {
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return fmt.Errorf("docker %s: %w\nhint: what went wrong is above", args[0], err)
		}
		return nil
	}
	args := []string{"build", "--build-arg", "GIT_COMMIT=" + b.commit}
	for _, arg := range b.Args {
		args = append(args, "--build-arg", arg)
	}
	if b.shm != "" {
		args = append(args, "--shm-size", b.shm)
	}
	if b.File != "" {
		args = append(args, "--file", b.File)
	}
	for _, image := range b.images {
		args = append(args, "--tag", image)
	}
	args = append(args, "--", b.Dir)
	if err := console.Group("build "+b.images[0], func() error { return docker(args...) }); err != nil {
		return err
	}
	for _, image := range b.images {
		if err := console.Group("push "+image, func() error { return docker("push", image) }); err != nil {
			return err
		}
	}
	return nil
}
