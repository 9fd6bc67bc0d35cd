//go:build mage

package main

import (
	"context"

	"github.com/magefile/mage/mg"

	"github.com/betagouv/mrs-ops/internal/deploy"
)

// Deploy is the namespace of deployments.
type Deploy mg.Namespace

// Local deploys MRS on this machine as production is deployed, at http://localhost:8000.
//
// It needs Docker, Compose, Ansible, restic and lftp, and installs what is missing; images that
// can't be pulled are built from demo/. It makes the home (/tmp/testmrs), its containers, the
// backup repository (/tmp/backup) and, where systemd runs, the backup timers. A second run changes
// only what differs. Values come from env/local.env.
func (Deploy) Local(ctx context.Context, image, home *string, port *int) error {
	return deploy.Local(ctx, deploy.LocalOptions{Image: value(image), Home: value(home), Port: value(port)})
}
