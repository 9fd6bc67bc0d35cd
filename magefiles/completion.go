//go:build mage

package main

import (
	"github.com/magefile/mage/mg"

	"github.com/betagouv/mrs-ops/internal/setup"
)

// Completion is the namespace of what shells know of the targets.
type Completion mg.Namespace

// Install has bash, zsh and fish complete the targets and the instances behind mage, for you.
//
// It writes a file for each shell below your home, and prints where, and what to add to your own files.
func (Completion) Install() error { return setup.InstallCompletion() }
