//go:build mage

package main

import (
	"github.com/magefile/mage/mg"

	"github.com/betagouv/mrs-ops/internal/deploy"
)

// Env is the namespace of the instances' variables.
type Env mg.Namespace

// Show prints an instance's variables and where each value came from, secrets masked.
//
// Of a secret it tells the length and, from 8 characters on, what this prints where the secret is kept:
// printf %s 'NAME=VALUE' | sha256sum | cut -c 1-4
//
// What is missing or malformed is said below them. -json prints the same for scripts.
func (Env) Show(instance string, json *bool) error { return deploy.Show(instance, value(json)) }
