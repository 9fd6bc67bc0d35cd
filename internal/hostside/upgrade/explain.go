package upgrade

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/plan"
)

// Explain returns what an upgrade would do, and the commands behind it, in lines for people. Nothing is done, and no
// lock is taken; what stands in its way already is the error, which is *[backup.Failure].
func (i *Instance) Explain(ctx context.Context, q Request) ([]string, error) {
	r := i.begun(q, "STAMP")
	check, to := r.check, q.Image
	if q.Back {
		check = r.checkBack
	}
	if err := check(ctx); err != nil {
		return nil, backup.Explain(ctx, err)
	}
	lines := []string{r.estimate()}
	if q.Back {
		to, lines = r.kept.From, nil
	}
	lines = append(lines, fmt.Sprintf("%s would go from %s to %s so. Nothing of it is done now. STAMP is the time then.",
		r.Name, r.live.Image, to), "cd "+r.Home)
	return append(lines, hostapi.Explain(plan.Explain(r.plan()))...), nil
}

// loadCommands are those by which the new server comes, and gets what the old one has.
func (r *run) loadCommands() []string {
	beside := filepath.Base(r.moves.Beside)
	return []string{
		"docker compose --project-name " + r.Name + "-upgrade --file " + beside + "/compose.json up --detach " +
			r.Settings.Server,
		"docker run --volume " + beside + "/dump:/dump " + r.asked.Image + " pg_dump …; the same with pg_dumpall …",
		"docker exec NEW pg_restore …",
		"# rows, objects, sequences, roles, grants and settings are compared",
	}
}

func (r *run) rehearseCommands() []string {
	return append(r.loadCommands(), "# and the application is asked for its pages on it")
}

func (r *run) swapCommands() []string {
	comes := filepath.Base(r.moves.Beside) + "/data"
	if r.asked.Back {
		comes = "postgres-data." + r.since
	}
	return []string{
		"docker compose rm --stop " + r.Settings.Server,
		"mv " + r.kept.Data + " postgres-data." + r.moves.Stamp + "; mv " + comes + " " + r.kept.Data,
		"# the same with docker-compose.yml; docker compose up --detach; rm .restore.swap",
	}
}
