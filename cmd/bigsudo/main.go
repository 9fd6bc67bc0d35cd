// Bigsudo builds and runs an ansible-playbook command line: a role or a
// playbook, hosts, variables. Its arguments are the words, which nothing parses
// again; its exit status is Ansible's.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"

	"github.com/magefile/mage/mg"

	"github.com/betagouv/mrs-ops/internal/bigsudo"
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/project"
	"github.com/betagouv/mrs-ops/internal/setup"
)

func main() {
	// An interruption is Ansible's to handle: this waits for it to end.
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	if err := run(ctx, os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "Error:", err)
		os.Exit(mg.ExitStatus(err))
	}
}

func run(ctx context.Context, words []string) error {
	// The working directory stays what it is: the words' paths are given from there.
	root, err := project.Root()
	if err != nil {
		return err
	}
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	if root, err = filepath.Rel(here, root); err != nil {
		return err
	}
	if err := setup.Need(ctx, console.Say, "ansible", "git"); err != nil {
		return err
	}
	return bigsudo.Run(ctx, root, words...)
}
