package vagrant

import (
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/betagouv/mrs-ops/internal/bigsudo"
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/local"
	"github.com/betagouv/mrs-ops/internal/setup"
)

// Bigsudo does what words ask for, as [bigsudo.Usage] has it, on the machines
// that their @hosts name; without any, on [Default]. Machines that do not run
// are booted.
//
// The playbook ansible/deploy.yml deploys the instance local there, unless a
// variable names another, and gets the images that the machines can't pull from
// this machine.
func Bigsudo(ctx context.Context, words ...string) error {
	request, err := bigsudo.Parse(words)
	if err != nil {
		return err
	}
	machines := aim(&request)
	if err := checkNames(machines); err != nil {
		return err
	}
	images, err := deployment(ctx, &request)
	if err != nil {
		return err
	}
	if err := setup.Need(ctx, console.Say, "ansible", "git"); err != nil {
		return err
	}
	if err := Ensure(ctx, machines...); err != nil {
		return err
	}
	if err := provideImages(ctx, machines, images); err != nil {
		return err
	}
	options, err := sshOptions()
	if err != nil {
		return err
	}
	// Before those of the operator, which win.
	request.Args = append(options, request.Args...)
	return request.Run(ctx, "")
}

// aim makes the request aim at [Default] where it aims at nothing, and returns
// the machines that it aims at.
func aim(request *bigsudo.Request) []string {
	if len(request.Hosts) == 0 {
		request.Hosts = []string{"@" + Default}
	}
	var machines []string
	for _, host := range request.Hosts {
		_, name, _ := strings.Cut(host, "@")
		if !slices.Contains(machines, name) {
			machines = append(machines, name)
		}
	}
	return machines
}

// sshOptions returns Ansible's options that make it reach the machines.
//
// Ansible shares connections between runs, by names that another clone's
// machines have too; the path given here is this clone's own.
func sshOptions() ([]string, error) {
	config, err := filepath.Abs(SSHConfig)
	if err != nil {
		return nil, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("no folder for shared connections: %w\nhint: set HOME", err)
	}
	sockets := filepath.Join(cache, "mrs-ops", "ssh")
	if err := os.MkdirAll(sockets, 0o700); err != nil {
		return nil, err
	}
	sum := sha256.Sum256([]byte(config))
	control := filepath.Join(sockets, fmt.Sprintf("%x-%%n", sum[:4])) // %n: the machine's name
	// Ansible splits the value as a shell does.
	return []string{"--ssh-common-args=" + local.Quote("-F", config, "-o", "ControlPath="+control)}, nil
}
