//go:build mage

package main

import (
	"context"
	"time"

	"github.com/magefile/mage/mg"

	"github.com/betagouv/mrs-ops/internal/takeover"
)

// Takeover is the namespace of the way from the old system (yourlabs.*) to this one, and back.
type Takeover mg.Namespace

// Check tells what servers have of the old system, what becomes of it, and what stands in the way.
//
// Hosts are one argument, "HOST USER@HOST:PORT …". Nothing is changed there, but that mrs-host is in its
// folder in /usr/local/lib. It tells how long the snapshot takes and how long the sites are away. The exit
// status is not 0 if something stands in the way. -json prints the same for scripts, -config=.vagrant-ssh
// reaches Vagrant's machines.
func (Takeover) Check(ctx context.Context, hosts string, config *string, json *bool) error {
	return takeover.Check(ctx, hosts, value(config), value(json))
}

// Run takes an instance over on the server where the old system runs it, after a question.
//
// First a snapshot by the old backup.sh, within -limit= (1h), which is read again. Then Traefik 3, which serves
// the neighbours' labels as before and keeps the certificates; then the instance's first deployment, on the same
// data and the same PostgreSQL; last, the old timers, cleaner and scripts are ended, and kept. Where it fails or
// is interrupted the old system runs on, and where it is killed, or the power goes, it does again a minute later;
// then once more. -image= is of django, -traefik= another image of Traefik 3, -yes asks nothing.
func (Takeover) Run(ctx context.Context, instance string, image, traefik *string, limit *time.Duration,
	yes *bool) error {
	return takeover.Run(ctx, instance, takeover.Options{
		Image: value(image), Traefik: value(traefik), Limit: value(limit), Yes: value(yes)})
}

// Back has the old system run an instance again, with every row that was written since, after a question.
//
// It works as long as HOME/old-system.DATE is there. What runs is backed up first. -yes asks nothing.
func (Takeover) Back(ctx context.Context, instance string, yes *bool) error {
	return takeover.Back(ctx, instance, value(yes))
}
