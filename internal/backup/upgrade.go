package backup

import (
	"context"
	"errors"
	"fmt"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// UpgradeOptions is which PostgreSQL an instance is to have.
type UpgradeOptions struct {
	Image string // of a newer version
	Back  bool   // to what the last upgrade has kept
	Lose  bool   // what was written since, which a snapshot has then
	// DryRun prints the plan of the server, and an estimate, and does nothing of it.
	DryRun bool
	Yes    bool // no question, but before production
}

// UpgradePostgres has the data of an instance be of a newer version of PostgreSQL, or goes back from that. It holds the
// instance's lock. What runs answers until all of it was rehearsed beside. Before production its name must be typed.
func UpgradePostgres(ctx context.Context, name string, o UpgradeOptions) error {
	args, what := []string{"upgrade", o.Image}, "upgrade PostgreSQL to "+o.Image
	switch {
	case o.Back && o.Image != "":
		return errors.New("-back goes to the image that was there before: -image= says another")
	case o.Back:
		args[1], what = "back", "upgrade back to the PostgreSQL that was there before"
		if o.Lose {
			args, what = append(args, "lose"), what+", losing what was written since"
		}
	case o.Lose:
		return errors.New("-lose is for -back: an upgrade loses nothing")
	case !hostapi.IsImage(o.Image):
		return fmt.Errorf("-image=%q is no image\nhint: -image=postgres:15", o.Image)
	}
	return replace(ctx, name, job{what, "restore", args}, o.DryRun, o.Yes)
}
