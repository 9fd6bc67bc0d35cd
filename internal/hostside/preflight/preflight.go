// Package preflight looks whether a host can take a stack, before anything is
// changed on it, and installs the programs that are missing.
//
// It must not know what the stack is.
package preflight

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/command"
	"github.com/betagouv/mrs-ops/internal/hostside/disk"
)

// Host is what is asked about a host.
type Host interface {
	Root() bool
	// Engine returns the version of the Docker engine that answers, Compose that of its plugin.
	Engine(ctx context.Context) (string, error)
	Compose(ctx context.Context) (string, error)
	// Free returns how many bytes the file system of a folder has left.
	Free(folder string) (uint64, error)
	// Elsewhere returns the folders that a Compose project runs from.
	Elsewhere(ctx context.Context, project string) ([]string, error)
	Has(program string) bool
}

// room is how much must be free where a stack is to be.
const room = 256 << 20

// Problems returns what keeps the host from taking a stack of a project in a folder,
// each with what to do about it: all of it, as far as it can be known.
func Problems(ctx context.Context, h Host, project, folder string) (all []error) {
	problem := func(hint, format string, args ...any) {
		all = append(all, fmt.Errorf("%s\nhint: %s", fmt.Sprintf(format, args...), hint))
	}
	if !h.Root() {
		problem("become root", "this needs root")
	}
	_, down := h.Engine(ctx)
	if down != nil {
		problem("systemctl start docker, or dockerd", "the Docker engine does not answer")
	}
	switch version, err := h.Compose(ctx); {
	case err != nil:
		problem("install docker-compose-plugin", "there is no Compose plugin")
	case strings.HasPrefix(strings.TrimPrefix(version, "v"), "1."):
		problem("install docker-compose-plugin", "Compose is %s, not 2 or newer", version)
	}
	on := Nearest(folder)
	if free, err := h.Free(on); err != nil {
		problem("df -h "+on, "how much %s has free can't be told: %v", on, err)
	} else if free < room {
		problem("docker system df, df -h "+on, "%s has %d MiB free, less than %d", on, free>>20, uint64(room)>>20)
	}
	if down != nil {
		return all
	}
	// Compose knows a project by its name alone: one of the same name in another folder
	// would be taken over, its containers recreated on this folder's data.
	elsewhere, err := h.Elsewhere(ctx, project)
	if err != nil {
		problem("docker ps", "what runs can't be listed: %v", err)
	}
	slices.Sort(elsewhere)
	for _, other := range slices.Compact(elsewhere) {
		if other != "" && other != folder {
			problem("another last part of home makes another project", "project %s runs already, from %s", project, other)
		}
	}
	return all
}

// Nearest is the folder, or the nearest above it that is there: what tells the file system that it will be on.
func Nearest(folder string) string {
	for {
		if info, err := os.Stat(folder); err == nil && info.IsDir() || folder == filepath.Dir(folder) {
			return folder
		}
		folder = filepath.Dir(folder)
	}
}

// Missing returns which of some programs the host has not.
func Missing(h Host, programs ...string) []string {
	return slices.DeleteFunc(slices.Clone(programs), h.Has)
}

// Installer returns the command line that installs packages, by a package manager
// that waits for others; nil where none is known. has tells whether a program is there.
func Installer(has func(program string) bool, packages ...string) [][]string {
	switch {
	case has("apt-get"):
		const wait = "DPkg::Lock::Timeout=300"
		return [][]string{{"apt-get", "-o", wait, "update", "--quiet"},
			append([]string{"apt-get", "-o", wait, "install", "--yes", "--quiet", "--no-install-recommends"}, packages...)}
	case has("dnf"): // waits by itself
		return [][]string{append([]string{"dnf", "install", "--assumeyes", "--quiet"}, packages...)}
	}
	return nil
}

// installs bounds an installation. Whoever leaves meanwhile does not cut it: half of it
// would keep later ones from beginning.
const installs = 15 * time.Minute

// again is how long is waited before somebody else is expected to have ended.
var again = 2 * time.Second

// Install has packages of these names there. Somebody else may be at it: another
// deployment, the updates of the night. They are waited for.
func Install(ctx context.Context, h Host, packages ...string) error {
	if Installer(h.Has, packages...) == nil {
		return fmt.Errorf("%s is missing, and there is no package manager that is known\nhint: install it",
			strings.Join(packages, ", "))
	}
	ctx, stop := bound.Within(context.WithoutCancel(ctx), "the installation of packages", installs)
	defer stop()
	for {
		missing := Missing(h, packages...)
		if len(missing) == 0 {
			return nil
		}
		busy, err := install(ctx, Installer(h.Has, missing...))
		if err == nil {
			return nil
		}
		err = fmt.Errorf("%s can't be installed: %w", strings.Join(missing, ", "), err)
		if !busy {
			return err
		}
		select {
		case <-time.After(again):
		case <-ctx.Done():
			return fmt.Errorf("%w (somebody else was at it for %v)", err, installs)
		}
	}
}

// install runs command lines. busy is whether it failed because somebody else is at it.
func install(ctx context.Context, lines [][]string) (busy bool, err error) {
	for _, argv := range lines {
		cmd := command.Context(ctx, argv[0], argv[1:]...)
		cmd.Env = append(os.Environ(), "DEBIAN_FRONTEND=noninteractive", "LC_ALL=C")
		if out, err := cmd.CombinedOutput(); err != nil {
			if ctx.Err() != nil {
				return false, context.Cause(ctx)
			}
			text := strings.TrimSpace(string(out))
			// apt-get waits for dpkg's lock, and not for that of its lists.
			last := text[strings.LastIndex(text, "\n")+1:]
			return strings.Contains(text, " lock"), fmt.Errorf("%s: %w: %s", strings.Join(argv, " "), err, last)
		}
	}
	return false, nil
}

// This is the host that this runs on.
type This struct{}

// Root asks the kernel.
func (This) Root() bool { return os.Geteuid() == 0 }

// Engine asks the engine.
func (This) Engine(ctx context.Context) (string, error) {
	return said(ctx, "docker", "version", "--format", "{{.Server.Version}}")
}

// Compose asks its plugin.
func (This) Compose(ctx context.Context) (string, error) {
	return said(ctx, "docker", "compose", "version", "--short")
}

// Free asks the file system (statfs(2)).
func (This) Free(folder string) (uint64, error) {
	free, _, err := disk.Free(folder)
	return uint64(free), err
}

// Elsewhere reads the labels of the project's containers.
func (This) Elsewhere(ctx context.Context, project string) ([]string, error) {
	return folders(ctx, "="+project)
}

// All reads those of all projects.
func (This) All(ctx context.Context) ([]string, error) { return folders(ctx, "") }

// folders returns those that the containers run from whose project's label is as said.
func folders(ctx context.Context, project string) ([]string, error) {
	out, err := said(ctx, "docker", "ps", "--all", "--filter", "label=com.docker.compose.project"+project,
		"--format", `{{.Label "com.docker.compose.project.working_dir"}}`)
	return strings.Split(out, "\n"), err
}

// Has looks in PATH.
func (This) Has(program string) bool {
	_, err := exec.LookPath(program)
	return err == nil
}

func said(ctx context.Context, argv ...string) (string, error) {
	ctx, cancel := bound.Within(ctx, strings.Join(argv[:2], " "), 2*bound.Quick)
	defer cancel()
	out, err := command.Context(ctx, argv[0], argv[1:]...).Output()
	if err != nil && ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	text := strings.TrimSpace(string(out))
	if err == nil && text == "" && argv[1] == "version" {
		err = errors.New("it does not answer")
	}
	return text, err
}
