//go:build mage

package main

import (
	"context"
	"strings"
	"time"

	"github.com/magefile/mage/mg"

	"github.com/betagouv/mrs-ops/internal/bigsudo"
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/vagrant"
)

// Vagrant is the namespace of the servers to play with.
type Vagrant mg.Namespace

// Up boots a server to play with, and writes into .vagrant-ssh how to reach it.
//
// It needs Vagrant, and Docker where VirtualBox is absent, and installs what is missing. The server
// is the machine default of the Vagrantfile; -machine=production,staging names others.
func (Vagrant) Up(ctx context.Context, machine *string) error {
	return booted(ctx, machine, vagrant.Up)
}

// booted boots machines, and says how they are reached.
func booted(ctx context.Context, list *string, boot func(context.Context, ...string) error) error {
	start, machines := time.Now(), vagrant.Names(value(list))
	if err := boot(ctx, machines...); err != nil {
		return err
	}
	vagrant.Report(ctx, start, machines)
	return nil
}

// Apply replaces the server by a new one: destroy, then up.
//
// -machine=production,staging names others than default.
func (Vagrant) Apply(ctx context.Context, machine *string) error {
	return booted(ctx, machine, vagrant.Apply)
}

// Bigsudo is bigsudo on the server, booted if need be: "ROLE|PLAYBOOK [@MACHINE …] [NAME=VALUE …] [TASKS …] [OPTIONS]".
//
// Without @MACHINE it aims at default, and never at anything but a machine of the Vagrantfile. The
// words are one argument, quoted within as in a shell but never expanded. The ansible-playbook
// command line is printed; what it changes is up to the role. The exit status is Ansible's.
func (Vagrant) Bigsudo(ctx context.Context, words string) error {
	list, err := bigsudo.Words(words)
	if err != nil {
		return err
	}
	return vagrant.Bigsudo(ctx, list...)
}

// SSH opens a shell on the server, booted if need be.
//
// -machine=production opens it on another than default. Files go by scp -F .vagrant-ssh.
func (Vagrant) SSH(ctx context.Context, machine *string) error {
	return vagrant.SSH(ctx, value(machine))
}

// Destroy removes the server with all that is on it.
//
// -machine=production,staging names others than default. The package caches in .vagrant/cache and
// the box, which the next one is made from, stay.
func (Vagrant) Destroy(ctx context.Context, machine *string) error {
	machines := vagrant.Names(value(machine))
	if err := vagrant.Destroy(ctx, machines...); err != nil {
		return err
	}
	console.Done("destroyed: %s", strings.Join(machines, ", "))
	return nil
}

// Status prints the machines of the Vagrantfile, their states and addresses.
//
// -json prints the same for scripts.
func (Vagrant) Status(ctx context.Context, json *bool) error { return vagrant.Show(ctx, value(json)) }
