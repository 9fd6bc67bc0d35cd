//go:build mage

package main

import (
	"context"

	"github.com/magefile/mage/mg"

	"github.com/betagouv/mrs-ops/internal/bench"
)

// Bench is the namespace of measurements.
type Bench mg.Namespace

// Startup measures how long it takes to list the targets, as ratios to `bash -c true`.
func (Bench) Startup(ctx context.Context) error {
	return bench.Startup(ctx)
}
