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
// lock is taken; what can be seen to stand in the way already is said. The error is *[backup.Failure].
func (i *Instance) Explain(ctx context.Context, q Request) ([]string, error) {
	r := i.begun(q, "STAMP")
	check := r.check
	if q.Back {
		check = r.checkBack
	}
	if err := check(ctx); err != nil {
		return nil, backup.Explain(ctx, err)
	}
	lines := []string{fmt.Sprintf("%s would go from %s to %s so. Nothing of it is done now. STAMP is the time then.",
		r.Name, r.live.Image, map[bool]string{false: q.Image, true: r.kept.From}[q.Back]), "cd " + r.Home}
	if !q.Back {
		lines = append(lines, r.estimate())
	}
	return append(lines, hostapi.Explain(plan.Explain(r.plan(), r.runs, r.undoes))...), nil
}

// runs are the commands behind a step.
func (r *run) runs(name string) []string {
	beside, data, server := filepath.Base(r.moves.Beside), r.kept.Data, r.Settings.Server
	old := beside + "/data"
	if r.asked.Back {
		old = "what is kept of " + r.since
	}
	load := []string{
		"docker compose --project-name " + r.Name + "-upgrade --file " + beside + "/compose.json up --detach " + server,
		"docker run --network container:POSTGRES --volume " + beside + "/dump:/dump " + r.asked.Image + " pg_dump …",
		"# the same with pg_dumpall --globals-only; pg_restore in the new container",
		"# rows, objects, sequences, roles, grants and settings are compared",
	}
	return map[string][]string{
		"back up": {"# as backup.sh does"},
		"see once more what was written, and save it as a snapshot": {"# as backup.sh does"},
		"rehearse it beside what runs":                              append(load, "# and the application is asked for its pages on it"),
		"dump, load and compare what is there now":                  load,
		"wait for a minute without jobs, and end the application": {
			"# how it is undone is written to .restore.swap first", "docker update --restart no DJANGO; docker compose stop"},
		"swap the new folder in": r.swaps(data, old), "swap the old folder in": r.swaps(data, old),
	}[name]
}

func (r *run) swaps(data, comes string) []string {
	server := r.Settings.Server
	return []string{"docker compose rm --stop " + server,
		"mv " + data + " postgres-data." + r.moves.Stamp + "; mv " + comes + " " + data,
		"# the same with docker-compose.yml, and with spooler, whose files come back",
		"docker compose up --detach; rm .restore.swap"}
}

// undoes tells what takes back a step.
func (r *run) undoes(name string) string {
	if name == "wait for a minute without jobs, and end the application" {
		return "the folders are where they were, and the application is started on them; also after a kill or a power cut, " +
			"by " + r.path("restore.sh") + " recover, which systemd runs"
	}
	return r.moves.Beside + " is removed; what runs was not touched"
}
