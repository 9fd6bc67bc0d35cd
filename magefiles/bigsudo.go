//go:build mage

package main

import (
	"context"

	"github.com/betagouv/mrs-ops/internal/bigsudo"
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/setup"
)

// Bigsudo applies a role or a playbook: "ROLE|PLAYBOOK [@HOST …] [NAME=VALUE …] [TASKS …] [OPTIONS]".
//
// The words are one argument, quoted within as in a shell but never expanded; go tool bigsudo takes
// them one by one. mage bigsudo --help shows the grammar. The ansible-playbook command line is
// printed; what it changes is up to the role. The exit status is Ansible's.
func Bigsudo(ctx context.Context, words string) error {
	list, err := bigsudo.Words(words)
	if err != nil {
		return err
	}
	if err := setup.Need(ctx, console.Say, "ansible", "git"); err != nil {
		return err
	}
	return bigsudo.Run(ctx, "", list...)
}
