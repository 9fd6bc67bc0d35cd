//go:build mage

package main

import (
	"context"

	"github.com/magefile/mage/mg"

	"github.com/betagouv/mrs-ops/internal/deploy"
)

// Compose is the namespace of what is deployed.
type Compose mg.Namespace

// Render prints the docker-compose.yml that an instance is deployed with, secrets included.
//
// -json prints all that the playbook needs: the file, the folders and networks to make, the
// instance's variables. Nothing is changed.
func (Compose) Render(ctx context.Context, instance string, json *bool) error {
	return deploy.Print(ctx, instance, value(json))
}

// Program builds mrs-host for a server's processor (uname -m), and prints in JSON where it is.
func (Compose) Program(ctx context.Context, machine string) error {
	return deploy.PrintProgram(ctx, machine)
}
