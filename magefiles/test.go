//go:build mage

package main

import (
	"context"
	"time"

	"github.com/betagouv/mrs-ops/internal/check"
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/setup"
)

// Setup installs what the operations need of this machine, and starts its Docker engine.
//
// It says what is missing before it installs it, by apt, dnf or brew, as root or by sudo. A second
// run changes nothing.
func Setup(ctx context.Context) error {
	return setup.Everything(ctx, console.Say)
}

// Test sets up what is missing and runs every check: linters, unit tests, end-to-end tests.
//
// The end-to-end tests deploy on this machine's Docker engine, under names of their own.
func Test(ctx context.Context) error {
	start := time.Now()
	if err := setup.Need(ctx, console.Say, setup.Test...); err != nil {
		return err
	}
	for _, part := range []func(context.Context) error{check.Lint, check.Unit, check.EndToEnd} {
		if err := part(ctx); err != nil {
			return err
		}
	}
	check.Took(start, "all tests pass")
	return nil
}

// Unit runs the unit tests: seconds, and nothing but Go.
func Unit(ctx context.Context) error {
	return check.Unit(ctx)
}

// Lint checks the sources: gofmt, go vet, staticcheck, shellcheck, ansible-lint.
func Lint(ctx context.Context) error {
	if err := setup.Need(ctx, console.Say, setup.Lint...); err != nil {
		return err
	}
	return check.Lint(ctx)
}
