//go:build mage

package main

import (
	"cmp"
	"context"
	"strings"
	"time"

	"github.com/magefile/mage/mg"

	"github.com/betagouv/mrs-ops/internal/check"
	"github.com/betagouv/mrs-ops/internal/ci"
	"github.com/betagouv/mrs-ops/internal/console"
)

// CI is the namespace of what pipelines do: Drone, GitLab CI and GitHub Actions are understood.
type CI mg.Namespace

// Test is what runs before the others: linters and unit tests, in minutes. mage test is everything.
//
// It needs shellcheck, Ansible and ansible-lint, and installs what is missing.
func (CI) Test(ctx context.Context) error {
	start := time.Now()
	if err := console.Group("lint", func() error { return Lint(ctx) }); err != nil {
		return err
	}
	if err := console.Group("unit tests", func() error { return Unit(ctx) }); err != nil {
		return err
	}
	check.Took(start, "linters and unit tests pass")
	return nil
}

// Image builds the application's image, and pushes it as REPO:COMMIT and REPO:BRANCH.
//
// The Dockerfile is in the project's folder, or in that which -context= names; it gets the commit as
// GIT_COMMIT, and the shared memory that compose/docker-compose.yml says. -file= names another Dockerfile,
// -buildArg="NAME=VALUE NAME=VALUE" gives it more, nothing secret. DOCKER_USER and DOCKER_PASS log in, for
// this alone. A branch whose name can't be a tag gets one of what can be of it, with a hash. Pull requests
// and tags have no image.
func (CI) Image(ctx context.Context, context, file, buildArg *string) error {
	source := ci.Source{Dir: cmp.Or(value(context), "."), File: value(file), Args: strings.Fields(value(buildArg))}
	return ci.Image(ctx, source)
}

// Deploy does what the pipeline means, with the image of its commit.
//
// A promotion or manual job for production, staging or ecole deploys that. A push of master or staging
// deploys staging, one of master deploys ecole where the job is for it; any other branch becomes an
// ephemeral instance. Pull requests and tags deploy nothing. It takes REPO, SSH_KEY (a private key),
// SSH_CERT (the certificate for it, if servers want one), SSH_FINGERPRINTS (what ssh-keyscan prints) and, of
// PRODUCTION_ENV, STAGING_ENV, ECOLE_ENV and BRANCH_ENV, the one with the secrets of what is deployed:
// NAME=value a line, as in an env file. All that is missing or can't be read is said at once, before anything
// is touched.
func (CI) Deploy(ctx context.Context) error { return ci.Deploy(ctx) }
