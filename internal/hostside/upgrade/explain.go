package upgrade

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

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
	return append(lines, hostapi.Explain(plan.Explain(r.plan(), r.runs, r.undoes))...), nil
}

// runs are the commands behind a step: of those that have any, by their first word.
func (r *run) runs(name string) []string {
	beside, server := filepath.Base(r.moves.Beside), r.Settings.Server
	comes := beside + "/data"
	if r.asked.Back {
		comes = "postgres-data." + r.since
	}
	load := []string{
		"docker compose --project-name " + r.Name + "-upgrade --file " + beside + "/compose.json up --detach " + server,
		"docker run --volume " + beside + "/dump:/dump " + r.asked.Image + " pg_dump …; the same with pg_dumpall …",
		"docker exec NEW pg_restore …",
		"# rows, objects, sequences, roles, grants and settings are compared",
	}
	first, _, _ := strings.Cut(name, " ")
	return map[string][]string{
		"back": {"# as backup.sh does"}, "rehearse": append(load, "# and the application is asked for its pages on it"),
		"dump,": load,
		"wait":  {"# how it is undone is written to .restore.swap", "docker update --restart no DJANGO; docker compose stop"},
		"swap": {"docker compose rm --stop " + server,
			"mv " + r.kept.Data + " postgres-data." + r.moves.Stamp + "; mv " + comes + " " + r.kept.Data,
			"# the same with docker-compose.yml; docker compose up --detach; rm .restore.swap"},
	}[first]
}

// undoes tells what takes back a step.
func (r *run) undoes(name string) string {
	if strings.HasPrefix(name, "wait") {
		return "the folders are where they were, and the application is started on them; also after a kill or a power cut, " +
			"by " + r.path("restore.sh") + " recover, which systemd runs"
	}
	return r.moves.Beside + " is removed; what runs was not touched"
}
