//go:build mage

package main

import (
	"context"

	"github.com/magefile/mage/mg"

	"github.com/betagouv/mrs-ops/internal/deploy"
)

// Local is the namespace of what deploy:local made.
type Local mg.Namespace

// Destroy removes the local deployment: containers, networks, timers and, after a question, the home.
//
// -yes removes the home without asking; without a terminal it is kept. Backups outside the home
// stay.
func (Local) Destroy(ctx context.Context, home *string, yes *bool) error {
	return deploy.DestroyLocal(ctx, value(home), value(yes))
}
