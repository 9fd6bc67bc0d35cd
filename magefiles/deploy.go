//go:build mage

package main

import (
	"context"
	"time"

	"github.com/magefile/mage/mg"

	"github.com/betagouv/mrs-ops/internal/deploy"
)

// Deploy is the namespace of deployments.
type Deploy mg.Namespace

// Local deploys MRS on this machine as production is deployed, at http://localhost:8000.
//
// It needs Docker, Compose, restic and lftp, and installs what is missing; images that
// can't be pulled are built from demo/. It makes the home (/tmp/testmrs), its containers, the
// backup repository (/tmp/backup) and, where systemd runs, the backup timers. A second run changes
// only what differs. Values come from env/local.env.
func (Deploy) Local(ctx context.Context, image, home *string, port *int) error {
	return deploy.Local(ctx, deploy.LocalOptions{Image: value(image), Home: value(home), Port: value(port)})
}

// Production deploys production, after a question.
//
// -image=betagouv/mrs:COMMIT deploys that image, -dryRun prints what would change, -yes asks nothing.
// What runs goes on until what is to run is healthy and answers; then it takes over without a gap, or
// else what ran stays. What changes is backed up first.
func (Deploy) Production(ctx context.Context, image *string, dryRun, yes *bool) error {
	return deploy.To(ctx, "production", options(image, dryRun, yes))
}

// Staging deploys staging: see deploy:production.
func (Deploy) Staging(ctx context.Context, image *string, dryRun, yes *bool) error {
	return deploy.To(ctx, "staging", options(image, dryRun, yes))
}

// Ecole deploys ecole, on the staging server: see deploy:production.
func (Deploy) Ecole(ctx context.Context, image *string, dryRun, yes *bool) error {
	return deploy.To(ctx, "ecole", options(image, dryRun, yes))
}

// To deploys the instance of an env file: see deploy:production.
func (Deploy) To(ctx context.Context, instance string, image *string, dryRun, yes *bool) error {
	return deploy.To(ctx, instance, options(image, dryRun, yes))
}

// Branch deploys a branch on the staging server for a week, at SLUG.test.staging.mrs.beta.gouv.fr.
//
// A branch's name of any shape becomes a slug of its own. It has an empty database with test data and
// the superuser dev/dev, and a mail server that sends nothing. Each deployment gives it a week anew.
func (Deploy) Branch(ctx context.Context, name string, image *string, dryRun, yes *bool) error {
	return deploy.Branch(ctx, name, options(image, dryRun, yes))
}

// Branches prints the deployments of branches, and what is left of their lives.
//
// -json prints the same for scripts.
func (Deploy) Branches(ctx context.Context, json *bool) error {
	return deploy.Branches(ctx, value(json))
}

// Extend lets the deployment of a branch live longer: 72h is three days.
func (Deploy) Extend(ctx context.Context, name string, duration time.Duration) error {
	return deploy.Extend(ctx, name, duration)
}

// Destroy removes the deployment of a branch with its database, after a question.
//
// -yes asks nothing.
func (Deploy) Destroy(ctx context.Context, name string, yes *bool) error {
	return deploy.Destroy(ctx, name, value(yes))
}

// History prints what ran as an instance, the newest first: the releases to go back to.
//
// -json prints the same for scripts, the oldest first.
func (Deploy) History(ctx context.Context, instance string, json *bool) error {
	return deploy.History(ctx, instance, value(json))
}

// Rollback goes back to the release before the one that runs, or to that of -to=, after a question.
//
// It is a deployment of that release's docker-compose.yml and images, checked and undone like any
// other. The database stays as it is: migrations are not taken back. -dryRun prints what would change,
// -yes asks nothing.
func (Deploy) Rollback(ctx context.Context, instance string, to *int, dryRun, yes *bool) error {
	return deploy.Rollback(ctx, instance, value(to), options(nil, dryRun, yes))
}

// Unlock ends the operation that has an instance locked, after a question.
//
// What that has begun is undone. -yes asks nothing.
func (Deploy) Unlock(ctx context.Context, instance string, yes *bool) error {
	return deploy.Unlock(ctx, instance, value(yes))
}

func options(image *string, dryRun, yes *bool) deploy.Options {
	return deploy.Options{Image: value(image), DryRun: value(dryRun), Yes: value(yes)}
}
