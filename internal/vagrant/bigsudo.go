package vagrant

import (
	"context"
	"fmt"
	"slices"
	"strings"

	"github.com/betagouv/mrs-ops/internal/bigsudo"
	"github.com/betagouv/mrs-ops/internal/console"
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
	for _, machine := range machines {
		if err := provide(ctx, machine, images); err != nil {
			return fmt.Errorf("%s did not get its images: %w", machine, err)
		}
	}
	options, err := bigsudo.SSHArgs(SSHConfig)
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
