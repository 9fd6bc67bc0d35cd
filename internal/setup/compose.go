package setup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/betagouv/mrs-ops/internal/gobuild"
	"github.com/betagouv/mrs-ops/internal/local"
)

// compose is the Compose plugin that is built where none is packaged, as on
// Debian 12. The flags are those of Docker's own build.
var compose = gobuild.Program{
	Name:    "Compose",
	Module:  "github.com/docker/compose/v5",
	Version: "v5.6.0",
	Sum:     "h1:WCDEV0D1CtZLyPdklHdEjFBnCStosBYkfsD3tvM/ITU=",
	Package: "./cmd",
	LDFlags: "-X github.com/docker/compose/v5/internal.Version=v5.6.0",
}

func (m *machine) composeFile() string {
	return filepath.Join(m.cache, "docker-compose-"+compose.Version)
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
	if said, err := local.Output(ctx, file, "version", "--short"); err == nil && strings.HasSuffix(compose.Version, said) {
		return file, nil
	}
	m.say("compose: no package here, so %s is built from source: two minutes, once; kept in %s", compose.Version, m.cache)
	defer m.pulsing("compose: building")()
	if err := compose.Build(ctx, file, ""); err != nil {
		return "", fmt.Errorf("%w\nhint: or install the Docker Compose plugin, version 2 or newer", err)
	}
	return file, nil
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
	module := compose.Module + "@" + compose.Version
	build := local.Quote(compose.Command(source, file, "")...)
	return []string{
		local.Quote("mkdir", "-p", m.cache),
		local.Quote("go", "-C", "/", "mod", "download", module),
		strings.Replace(build, source, `"$(go env GOMODCACHE)/`+module+`"`, 1),
		install,
	}
}
