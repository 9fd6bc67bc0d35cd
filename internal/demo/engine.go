package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/betagouv/mrs-ops/internal/engine"
	"github.com/betagouv/mrs-ops/internal/gobuild"
	"github.com/betagouv/mrs-ops/internal/local"
	"github.com/betagouv/mrs-ops/internal/setup"
)

// patience is how long a registry may take to say its first word about an
// image. What follows, the download, may take as long as it takes.
const patience = 5 * time.Second

// dockerEngine is the machine that this program runs on.
type dockerEngine struct {
	root string // the project's folder
	say  func(format string, args ...any)
}

func (d *dockerEngine) inspect(ctx context.Context, image string) (presence, error) {
	out, err := engine.Output(ctx, "image", "inspect", "--format", "{{json .Config.Labels}}", image)
	if err != nil {
		if strings.Contains(strings.ToLower(err.Error()), "no such image") {
			return presence{}, nil
		}
		return presence{}, fmt.Errorf("the engine can't say whether it has %s: %w", image, err)
	}
	var labels map[string]string
	if err := json.Unmarshal([]byte(out), &labels); err != nil {
		return presence{}, fmt.Errorf("the labels of %s are not what docker promises: %w", image, err)
	}
	return presence{here: true, inputs: labels[label]}, nil
}

// pull gets the image from its registry, which has [patience] to begin: docker
// prints its first line once the registry has answered for this image.
func (d *dockerEngine) pull(ctx context.Context, image string) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	timer := time.AfterFunc(patience, func() { cancel(errSilent) })
	defer timer.Stop()
	first := sync.OnceFunc(func() {
		if timer.Stop() {
			d.say("%s: pulling", image)
		}
	})

	// Without --quiet, the default tag is the one line said before any answer.
	var stderr bytes.Buffer
	cmd := local.Command(ctx, engine.Docker("pull", withTag(image))...)
	cmd.Stdout, cmd.Stderr = writerFunc(first), &stderr
	if err := cmd.Run(); err != nil {
		if context.Cause(ctx) == errSilent {
			return errSilent
		}
		return &local.Error{Argv: cmd.Args, Stderr: stderr.String(), Err: err}
	}
	return nil
}

// withTag spells out the tag that docker pulls by default.
func withTag(image string) string {
	if name := image[strings.LastIndex(image, "/")+1:]; !strings.ContainsAny(name, ":@") {
		return image + ":latest"
	}
	return image
}

// inputs are also those of what it is built on.
func (d *dockerEngine) inputs(s standIn) (string, error) {
	sum, err := hashFiles(os.DirFS(filepath.Join(d.root, s.dir)))
	all := slices.Concat([]string{sum, s.suite}, s.args, strings.Fields(s.npm))
	if base, ok := standIns[s.base]; ok && err == nil {
		sum, err = d.inputs(base)
		all = append(all, sum)
	}
	return strings.Join(all, " "), err
}

func (d *dockerEngine) build(ctx context.Context, s standIn, inputs string) error {
	if s.suite != "" {
		return d.bootstrap(ctx, s, inputs)
	}
	dir := filepath.Join(d.root, s.dir)
	if s.goMain || s.npm != "" {
		// Not the default folder for temporary files, which is often in memory: a
		// package of npm may have tens of megabytes.
		folder, err := os.MkdirTemp("/var/tmp", "mrs-ops-image-")
		if err != nil {
			return err
		}
		defer os.RemoveAll(folder)
		if s.goMain {
			err = compile(ctx, dir, folder)
		} else {
			err = d.pack(ctx, dir, s.npm, folder)
		}
		if err != nil {
			return err
		}
		dir = folder
	}
	args := []string{"build", "--force-rm", "--shm-size=512m", "--tag", s.image, "--label", label + "=" + inputs}
	for _, arg := range append([]string{"GIT_COMMIT=" + d.commit(ctx)}, s.args...) {
		args = append(args, "--build-arg", arg)
	}
	return quiet(ctx, engine.Docker(append(args, dir)...)...)
}

// compile fills folder with the Dockerfile in dir, and the Go program there as
// one that needs nothing of the system that it runs on. The engine is taken to
// have this machine's processor.
func compile(ctx context.Context, dir, folder string) error {
	dockerfile, err := os.ReadFile(filepath.Join(dir, "Dockerfile"))
	if err = errors.Join(err, os.WriteFile(filepath.Join(folder, "Dockerfile"), dockerfile, 0o644)); err != nil {
		return err
	}
	return quiet(ctx, slices.Concat(
		[]string{"env", "CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + runtime.GOARCH, "go", "-C", dir, "build"},
		gobuild.Flags(""), []string{"-o", filepath.Join(folder, filepath.Base(dir)), "."})...)
}

// pack fills folder with what is in dir, and the archive of a package of npm. The
// Dockerfile unpacks it: nothing that it brings runs on this machine.
func (d *dockerEngine) pack(ctx context.Context, dir, name, folder string) error {
	if err := setup.Need(ctx, d.say, "npm"); err != nil {
		return err
	}
	if err := os.CopyFS(folder, os.DirFS(dir)); err != nil {
		return err
	}
	return quiet(ctx, "npm", "pack", "--ignore-scripts", "--pack-destination", folder, name)
}

// commit returns the version that the stand-in reports: the project's commit.
func (d *dockerEngine) commit(ctx context.Context) string {
	commit, err := local.Output(ctx, "git", "-C", d.root, "rev-parse", "HEAD")
	if err != nil { // not a clone, or somebody else's
		return "demo"
	}
	return commit
}

// bootstrap makes the base image from Debian's packages.
func (d *dockerEngine) bootstrap(ctx context.Context, s standIn, inputs string) (err error) {
	if !local.CanRoot(ctx) {
		return errors.New("debootstrap needs root\n" +
			"hint: run this as root or as somebody with passwordless sudo, or `docker load` the image")
	}
	if err := setup.Need(ctx, d.say, setup.StandIns...); err != nil {
		return err
	}
	// Not the default folder for temporary files, which is often a small one in
	// memory: this needs about 300 MB.
	dir, err := os.MkdirTemp("/var/tmp", "mrs-ops-base-")
	if err != nil {
		return err
	}
	rootfs := filepath.Join(dir, "rootfs")
	defer func() { err = errors.Join(err, discard(context.WithoutCancel(ctx), dir, rootfs)) }()

	if err := quiet(ctx, local.Root("debootstrap", "--variant=minbase", s.suite, rootfs)...); err != nil {
		return err
	}
	clean := []string{"install", "-m", "0644", filepath.Join(d.root, s.dir, "docker-clean"),
		filepath.Join(rootfs, "etc/apt/apt.conf.d/")}
	if err := quiet(ctx, local.Root(clean...)...); err != nil {
		return err
	}
	d.say("%s: importing", s.image)
	id, err := importFolder(ctx, rootfs, "LABEL "+label+"="+strconv.Quote(inputs), `CMD ["bash"]`)
	if err != nil {
		return err
	}
	return quiet(ctx, engine.Docker("tag", id, s.image)...)
}

// importFolder makes an image of a folder that belongs to root, and returns its
// id. It gets no name yet: half a folder makes an image too.
func importFolder(ctx context.Context, dir string, changes ...string) (string, error) {
	args := []string{"import"}
	for _, change := range changes {
		args = append(args, "--change", change)
	}
	tar := local.Command(ctx, local.Root("tar", "-C", dir, "--one-file-system",
		"--exclude=./var/cache/apt/archives/*.deb", "--exclude=./var/lib/apt/lists/*", "-c", ".")...)
	docker := local.Command(ctx, engine.Docker(append(args, "-")...)...)
	var said, tarSaid, dockerSaid bytes.Buffer
	tar.Stderr, docker.Stderr, docker.Stdout = &tarSaid, &dockerSaid, &said

	stream, err := tar.StdoutPipe()
	if err != nil {
		return "", err
	}
	docker.Stdin = stream
	if err := tar.Start(); err != nil {
		return "", err
	}
	dockerErr := docker.Run()
	if dockerErr != nil {
		stream.Close() // nobody reads it any more: tar ends by a broken pipe
		dockerErr = &local.Error{Argv: docker.Args, Stderr: dockerSaid.String(), Err: dockerErr}
	}
	tarErr := tar.Wait()
	if tarErr != nil {
		tarErr = &local.Error{Argv: tar.Args, Stderr: tarSaid.String(), Err: tarErr}
	}
	return strings.TrimSpace(said.String()), errors.Join(dockerErr, tarErr)
}

// discard removes what bootstrap leaves. A debootstrap that was killed may
// leave its mounts, which must go first and are usually not there.
func discard(ctx context.Context, dir, rootfs string) error {
	for _, mount := range []string{"proc", "sys"} {
		_, _ = local.Output(ctx, local.Root("umount", filepath.Join(rootfs, mount))...)
	}
	return quiet(ctx, local.Root("rm", "-rf", "--one-file-system", "--", dir)...)
}

func quiet(ctx context.Context, argv ...string) error {
	_, err := local.Combined(ctx, argv...)
	return err
}

// writerFunc calls itself for everything that is written to it.
type writerFunc func()

// Write calls f.
func (f writerFunc) Write(p []byte) (int, error) {
	f()
	return len(p), nil
}
