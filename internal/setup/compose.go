package setup

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/betagouv/mrs-ops/internal/local"
)

// The Compose plugin that is built where none is packaged, as on Debian 12.
const (
	composeModule  = "github.com/docker/compose/v5"
	composeVersion = "v5.6.0"
	composeSum     = "h1:WCDEV0D1CtZLyPdklHdEjFBnCStosBYkfsD3tvM/ITU=" // as in a go.sum
)

// composeFile is where the built plugin is kept.
func (m *machine) composeFile() string {
	return filepath.Join(m.cache, "docker-compose-"+composeVersion)
}

// goBuild returns the command that compiles the plugin from its source to out.
// `go install` would do both, but refuses modules that exclude versions of
// others. The flags are those of Docker's own build; what the operator's
// environment says about flags and workspaces is about other modules.
func goBuild(source, out string) []string {
	return []string{"env", "CGO_ENABLED=0", "GOWORK=off", "GOFLAGS=-mod=readonly",
		"go", "-C", source, "build", "-buildvcs=false", "-trimpath",
		"-ldflags", "-s -w -X " + composeModule + "/internal.Version=" + composeVersion,
		"-o", out, "./cmd"}
}

// installCompose installs the plugin for all accounts: the docker command may
// be one by sudo.
func (m *machine) installCompose(ctx context.Context) error {
	built, err := m.buildCompose(ctx)
	if err != nil {
		return fmt.Errorf("compose: %w", err)
	}
	// A name that is not a plugin's until the file is whole.
	half := filepath.Join(m.plugins, ".docker-compose."+strconv.Itoa(os.Getpid()))
	if _, err := local.Output(ctx, m.root("install", "-D", "-m", "755", built, half)...); err != nil {
		return err
	}
	_, err = local.Output(ctx, m.root("mv", "-f", half, filepath.Join(m.plugins, "docker-compose"))...)
	return err
}

// buildCompose returns the path of the built plugin. It builds it if that
// wasn't done before.
func (m *machine) buildCompose(ctx context.Context) (string, error) {
	file := m.composeFile()
	if said, err := local.Output(ctx, file, "version", "--short"); err == nil && strings.HasSuffix(composeVersion, said) {
		return file, nil
	}
	if _, err := exec.LookPath("go"); err != nil {
		return "", fmt.Errorf("no package here, and no go command on the PATH to build it: %w\n"+
			"hint: add Go's bin folder to the PATH, or install the Docker Compose plugin, version 2 or newer", err)
	}
	m.say("compose: no package here, so %s is built from source: two minutes, once; kept in %s", composeVersion, m.cache)
	if err := os.MkdirAll(m.cache, 0o755); err != nil {
		return "", err
	}
	dir, err := os.MkdirTemp(m.cache, "compose-")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	source, err := m.downloadCompose(ctx, dir)
	if err != nil {
		return "", err
	}
	half := filepath.Join(dir, "docker-compose")
	if err := m.run(ctx, "compose: building", goBuild(source, half)...); err != nil {
		return "", hintAtToolchain(err)
	}
	return file, os.Rename(half, file) // two that build at once both end up with a whole file
}

// downloadCompose returns the folder of the plugin's source in the module
// cache, after a look at its sum: GONOSUMDB and its like are not about us. It
// runs go in dir, out of reach of any go.mod.
func (m *machine) downloadCompose(ctx context.Context, dir string) (string, error) {
	defer m.pulsing("compose: downloading")()
	out, err := local.Output(ctx, "env", "GOWORK=off", "GOFLAGS=-mod=mod",
		"go", "-C", dir, "mod", "download", "-json", composeModule+"@"+composeVersion)
	var module struct{ Dir, Sum, Error string }
	if jsonErr := json.Unmarshal([]byte(out), &module); jsonErr != nil && err == nil {
		err = fmt.Errorf("go mod download: %w", jsonErr)
	}
	switch {
	case module.Error != "":
		return "", hintAtToolchain(fmt.Errorf("the source of Compose can't be downloaded: %s\nhint: see `go env GOPROXY`", module.Error))
	case err != nil:
		return "", hintAtToolchain(err)
	case module.Sum != composeSum:
		return "", fmt.Errorf("the source of Compose %s is not what it was: its sum is %s, not %s\nhint: `go env GOPROXY` names who serves it", composeVersion, module.Sum, composeSum)
	}
	return module.Dir, nil
}

// hintAtToolchain adds what to do where the go command is older than the
// plugin's go.mod asks for and was told not to fetch a newer one.
func hintAtToolchain(err error) error {
	if strings.Contains(err.Error(), "GOTOOLCHAIN=local") {
		return fmt.Errorf("%w\nhint: let go fetch the version it needs, GOTOOLCHAIN=auto, or update Go", err)
	}
	return err
}

// composeByHand returns the lines that do what installCompose does.
func (m *machine) composeByHand(root func(argv ...string) string) []string {
	file := m.composeFile()
	install := root("install", "-D", "-m", "755", file, filepath.Join(m.plugins, "docker-compose"))
	if _, err := os.Stat(file); err == nil {
		return []string{install}
	}
	// The shell is to look the folder up, so that word is quoted by hand.
	const source = "SOURCE"
	build := strings.Replace(local.Quote(goBuild(source, file)...), source, `"$(go env GOMODCACHE)/`+composeModule+"@"+composeVersion+`"`, 1)
	return []string{
		local.Quote("mkdir", "-p", m.cache),
		local.Quote("go", "-C", "/", "mod", "download", composeModule+"@"+composeVersion),
		build,
		install,
	}
}
