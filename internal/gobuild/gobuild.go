// Package gobuild builds programs of other projects from the Go module proxy,
// for machines that have no package and no image of them.
//
// It knows how to get a module's source, how to tell that it is the one that was
// pinned, and how to compile it. It must not know what the programs are for, nor
// where they are installed.
package gobuild

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/gofrs/flock"

	"github.com/betagouv/mrs-ops/internal/local"
)

// Program is a program in a module.
type Program struct {
	Name    string // for people
	Module  string
	Version string // as in a go.mod: v1.2.3
	Sum     string // of the module's source, as in a go.sum: h1:…
	Package string // the program's folder in the module: ./cmd
	LDFlags string // the linker's flags, beside those that leave debugging symbols out
}

// Build compiles the program for Linux or, where arch is empty, for this
// machine, to the file out, which has its name when it is whole. Of two that
// build it at once, one builds, and the other waits and takes what comes of it.
//
// `go install` would do it in one step, but refuses modules that replace or
// exclude others.
func (p Program) Build(ctx context.Context, out, arch string) error {
	if _, err := exec.LookPath("go"); err != nil {
		return fmt.Errorf("no go command on the PATH to build %s: %w\nhint: add Go's bin folder to the PATH", p.Name, err)
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return err
	}
	before, _ := os.Stat(out)
	lock := flock.New(out + ".lock")
	if _, err := lock.TryLockContext(ctx, 200*time.Millisecond); err != nil {
		return fmt.Errorf("waiting for another build of %s: %w", p.Name, err)
	}
	defer lock.Close()
	if now, err := os.Stat(out); err == nil && !os.SameFile(before, now) {
		return nil
	}
	dir, err := os.MkdirTemp(filepath.Dir(out), filepath.Base(out)+"-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	source, err := p.download(ctx, dir)
	if err != nil {
		return err
	}
	half := filepath.Join(dir, filepath.Base(out))
	if _, err := local.Combined(ctx, p.Command(source, half, arch)...); err != nil {
		return hintAtToolchain(err)
	}
	return os.Rename(half, out)
}

// Compiled are the flags that go keeps what it has compiled by: what was compiled by others is of no use to a build by
// these. What debuggers read is in no program, so it is not compiled either, which takes a fifth of the time.
var Compiled = []string{"-trimpath", "-gcflags=all=-dwarf=false"}

// Flags returns the flags of go build by which the same source gives the same bytes everywhere, as few as can be, with
// others for the linker besides: "" or "-X …".
func Flags(ldflags string) []string {
	return slices.Concat([]string{"-buildvcs=false"}, Compiled,
		[]string{"-ldflags", strings.TrimSpace("-s -w " + ldflags)})
}

// Command returns the command that compiles the program from its source to out.
// What the operator's environment says about flags and workspaces is about
// other modules.
func (p Program) Command(source, out, arch string) []string {
	argv := []string{"env", "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly"}
	if arch != "" {
		argv = append(argv, "GOOS=linux", "GOARCH="+arch)
	}
	return slices.Concat(argv, []string{"go", "-C", source, "build"}, Flags(p.LDFlags), []string{"-o", out, p.Package})
}

// download returns the folder of the source in the module cache, after a look
// at its sum: GONOSUMDB and its like are not about us. It runs go in dir, out of
// reach of any go.mod.
func (p Program) download(ctx context.Context, dir string) (string, error) {
	out, err := local.Output(ctx, "env", "GOWORK=off", "GOFLAGS=-mod=mod",
		"go", "-C", dir, "mod", "download", "-json", p.Module+"@"+p.Version)
	var module struct{ Dir, Sum, Error string }
	if jsonErr := json.Unmarshal([]byte(out), &module); jsonErr != nil && err == nil {
		err = fmt.Errorf("go mod download: %w", jsonErr)
	}
	switch {
	case module.Error != "":
		return "", hintAtToolchain(fmt.Errorf("the source of %s can't be downloaded: %s\n"+
			"hint: see `go env GOPROXY`", p.Name, module.Error))
	case err != nil:
		return "", hintAtToolchain(err)
	case module.Sum != p.Sum:
		return "", fmt.Errorf("the source of %s %s is not what it was: its sum is %s, not %s\n"+
			"hint: `go env GOPROXY` names who serves it", p.Name, p.Version, module.Sum, p.Sum)
	}
	return module.Dir, nil
}

// hintAtToolchain adds what to do where the go command is older than a go.mod
// asks for and was told not to fetch a newer one.
func hintAtToolchain(err error) error {
	if strings.Contains(err.Error(), "GOTOOLCHAIN=local") {
		return fmt.Errorf("%w\nhint: let go fetch the version it needs, GOTOOLCHAIN=auto, or update Go", err)
	}
	return err
}
