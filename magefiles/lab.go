//go:build mage

package main

import (
	"context"

	"github.com/magefile/mage/mg"

	"github.com/betagouv/mrs-ops/internal/lab"
)

// Lab is the namespace of the rehearsal: production and staging on two machines of the Vagrantfile.
type Lab mg.Namespace

// Up boots production and staging as local machines, with a registry: MRS_ENV=lab then aims at them.
//
// It needs Vagrant, Docker, Compose, Ansible and docker-registry, and installs what is missing. Images
// that can't be pulled are built (Traefik takes about ten minutes, once). It writes env/lab. A second
// run mends what is broken, and changes nothing where nothing is.
func (Lab) Up(ctx context.Context) error { return lab.Up(ctx) }

// Status prints how the lab's machines stand: address, engine, load balancer, registry.
//
// -json prints the same for scripts.
func (Lab) Status(ctx context.Context, json *bool) error { return lab.Show(ctx, value(json)) }

// Push gives the lab's registry an image of this machine's engine, to deploy in the lab.
//
// The last line is the name that -image= then takes.
func (Lab) Push(ctx context.Context, image string) error { return lab.Push(ctx, image) }

// Down removes the lab: both machines with all that is on them, the registry, env/lab.
//
// Images and packages stay in the caches, for the next one.
func (Lab) Down(ctx context.Context) error { return lab.Down(ctx) }
