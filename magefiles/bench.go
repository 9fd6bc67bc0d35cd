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
func (Bench) Startup(ctx context.Context) error { return bench.Startup(ctx) }

// Deploy measures deployments in the lab, without a change and of a new image, next to docker compose alone.
//
// The lab must be up (lab:up); its instance staging is deployed a dozen times. It prints what of a
// deployment takes longest.
func (Bench) Deploy(ctx context.Context) error { return bench.Deploy(ctx) }

// Backup measures backups and restores of a database of 1 GB next to pg_dump, restic and psql in a pipe.
//
// And what it costs to receive PostgreSQL's log: pgbench with and without that, in turn, seven times each; and a
// restore to a second. It deploys a local instance of its own in /tmp/mrs-bench, and removes it. It takes about
// 20 minutes, 8 GB of disk and 5 GB of /dev/shm.
func (Bench) Backup(ctx context.Context) error { return bench.Backup(ctx) }

// Copy measures ops:copyProdToStaging in the lab next to pg_dump | psql, pgcopydb and UPDATE, and its filter.
//
// The lab must be up (lab:up), with production and staging deployed; production gets 3,000 people, and then
// 600,000, or -people=, and loses those that it has. -rounds= is how often each is done (3), but for UPDATE, which is
// done once. It takes about 25 minutes and 10 GB of disk. It prints what of a copy took how long.
func (Bench) Copy(ctx context.Context, people, rounds *int) error {
	return bench.Copy(ctx, bench.CopyOptions{People: value(people), Rounds: value(rounds)})
}
