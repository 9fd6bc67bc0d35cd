//go:build mage

package main

import (
	"cmp"
	"context"
	"time"

	"github.com/magefile/mage/mg"

	"github.com/betagouv/mrs-ops/internal/check"
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/setup"
)

// Setup installs what the operations need of this machine, and starts its Docker engine.
//
// It says what is missing before it installs it, by apt, dnf or brew, as root or by sudo. A second
// run changes nothing.
func Setup(ctx context.Context) error { return setup.Everything(ctx, console.Say) }

// Test is the namespace of the project's own tests.
type Test mg.Namespace

// Aliases are the targets that have a second name: mage test is everything.
var Aliases = map[string]any{"test": Test.All}

// All sets up what is missing and runs every check, as mage test: linters, unit tests, end-to-end tests.
//
// The end-to-end tests deploy on this machine's Docker engine, under names of their own. At the end
// are those that failed and the ten slowest; .test/times.tsv has all of them.
func (Test) All(ctx context.Context) error {
	return test(ctx, "all tests pass", check.Lint, check.Unit, check.EndToEnd)
}

// test sets up what tests need, runs the parts, and says what came of it.
func test(ctx context.Context, said string, parts ...func(context.Context) error) error {
	start := time.Now()
	if err := setup.Need(ctx, console.Say, setup.Test...); err != nil {
		return err
	}
	for _, part := range parts {
		if err := part(ctx); err != nil {
			return err
		}
	}
	check.Took(start, said)
	return nil
}

// One runs the tests whose names match, of whatever level: Backups, or "Backups/a byte that flips".
//
// A name is a regular expression for each part between slashes, as go test -run takes it. -keep keeps
// the lab that they have made for the next run with -keep, which begins within seconds then.
func (Test) One(ctx context.Context, name string, keep *bool) error {
	return test(ctx, "the tests of that name pass", func(ctx context.Context) error {
		return check.One(ctx, name, value(keep))
	})
}

// Soak strikes deployments, backups, restores and copies in the lab at random moments, for 1h or -for=.
//
// What happens, to what and when, is drawn from a seed, which is printed; each finding tells the
// -seed= that repeats it. It goes on after a finding, and fails at the end. -seed=whole draws nothing: what is tried
// as a whole, since it takes minutes, is tried once each.
func (Test) Soak(ctx context.Context, For *time.Duration, seed *string) error {
	campaign := check.Campaign{For: cmp.Or(value(For), time.Hour), Seed: value(seed)}
	return test(ctx, "the campaign found nothing", func(ctx context.Context) error { return check.Soak(ctx, campaign) })
}

// Unit runs the unit tests: seconds, and nothing but Go.
func Unit(ctx context.Context) error { return check.Unit(ctx) }

// Lint checks the sources: gofmt, lines of at most 120 characters, go vet, staticcheck, shellcheck, ansible-lint.
func Lint(ctx context.Context) error {
	if err := setup.Need(ctx, console.Say, setup.Lint...); err != nil {
		return err
	}
	return check.Lint(ctx)
}
