package deploy

import (
	"context"
	"errors"
)

// Options is what may differ from an instance's env file, and how to go about it.
type Options struct {
	Image  string // of django; empty: the env file's
	DryRun bool   // print what would change, and change nothing
	Yes    bool   // ask no question

	// What Slack is told of the change; empty: what git says here.
	Commit, Author, Link string
}

// To deploys the instance called name to its server.
func To(ctx context.Context, name string, o Options) error {
	return errors.New("not yet")
}

// Branch deploys a branch as an ephemeral instance.
func Branch(ctx context.Context, branch string, o Options) error {
	return errors.New("not yet")
}
