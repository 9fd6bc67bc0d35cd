package vagrant

import (
	"cmp"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/demo"
	"github.com/betagouv/mrs-ops/internal/engine"
	"github.com/betagouv/mrs-ops/internal/local"
	"github.com/betagouv/mrs-ops/internal/setup"
)

// base is the image that vagrant/Dockerfile builds on.
const base = "debian:bookworm-slim"

// provider returns who runs new machines, by the rule of the Vagrantfile:
// VirtualBox, and where it is absent Docker.
func provider() string {
	usual := "docker"
	if _, err := exec.LookPath("VBoxManage"); err == nil {
		usual = "virtualbox"
	}
	return cmp.Or(os.Getenv("VAGRANT_DEFAULT_PROVIDER"), usual)
}

// need sets up vagrant, and the engine where that is the provider.
func need(ctx context.Context) error {
	needs := slices.Clone(setup.Vagrant)
	if provider() == "docker" {
		needs = append(needs, "docker")
	}
	return setup.Need(ctx, console.Say, needs...)
}

// ensureBase makes the engine have what the box is built on, if the box is
// needed: the Vagrantfile builds the box itself.
func ensureBase(ctx context.Context) error {
	if provider() != "docker" || engine.Has(ctx, base) {
		return nil
	}
	return demo.Ensure(ctx, ".", []string{base}, console.Say)
}

// searchPath returns the PATH for vagrant. Its docker provider runs docker from
// there, as the account that runs vagrant; where the engine answers this account
// by sudo only, the first docker on the PATH is one that runs it so.
func searchPath() (string, error) {
	path, docker := os.Getenv("PATH"), engine.Docker()
	if provider() != "docker" || docker[0] == "docker" {
		return path, nil
	}
	// Its full name, for the script itself is the first docker there is.
	program, err := exec.LookPath(docker[len(docker)-1])
	if err != nil {
		return "", err
	}
	docker[len(docker)-1] = program
	dir, err := filepath.Abs(filepath.Join(".vagrant", "sudo"))
	if err != nil {
		return "", err
	}
	script := fmt.Sprintf("#!/bin/sh\nexec %s \"$@\"\n", local.Quote(docker...))
	return dir + string(os.PathListSeparator) + path, local.WriteFile(filepath.Join(dir, "docker"), script, 0o700)
}
