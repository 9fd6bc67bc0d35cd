package restore

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/plan"
)

// environment is what the commands of an explanation have, as restic and the scripts do.
const environment = "set -a; . ./.backup.env; " +
	"export RESTIC_PASSWORD_FILE=$PWD/.restic_password RESTIC_CACHE_DIR=/var/cache/mrs-ops"

// Explain returns what a restore would do, and the commands behind it, in lines for people. Nothing is done, and no
// lock is taken: it only asks restic which snapshot it would be. The error is *[backup.Failure].
func (i *Instance) Explain(ctx context.Context, q Request) ([]string, error) {
	r := &run{Instance: i, record: i.Begin("restore", ""), asked: q}
	r.named("STAMP")
	r.moves.LiveDump = "DUMP"
	what := "adopting " + q.Copy
	if q.Copy == "" {
		if err := r.pick(ctx); err != nil {
			return nil, backup.Explain(ctx, err)
		}
		what = "restoring snapshot " + backup.Short(r.record.Snapshot)
	}
	lines := []string{
		fmt.Sprintf(
			"%s would be this. Nothing of it is done now. STAMP is the time then, DUMP PostgreSQL's folder /dump.",
			what,
		),
		"cd " + r.Home,
		environment,
	}
	runs, undoes := r.commands(), r.undoes()
	steps := plan.Explain(r.plan(), func(name string) []string { return runs[name] },
		func(name string) string { return undoes[name] })
	steps = append(steps, hostapi.Step{Name: "keep what was there until somebody says that it may go", Runs: []string{
		hostapi.Quote(r.path("restore.sh"), "discard", r.moves.Stamp)}})
	return append(lines, hostapi.Explain(steps)...), nil
}

// commands are those behind the steps of the plan, by their names.
func (r *run) commands() map[string][]string {
	id := r.record.Snapshot
	role := []string{"--username", r.Role}
	in := func(argv ...string) string {
		return hostapi.Quote(append([]string{"docker", "exec", "--user", "postgres", "POSTGRES"}, argv...)...)
	}
	sql := func(text string) string { return in(append([]string{"psql"}, append(role, "--command", text)...)...) }
	compose := func(project, file string, argv ...string) string {
		words := []string{"docker", "compose", "--project-name", project, "--env-file", "/dev/null", "--file", file}
		return hostapi.Quote(append(words, argv...)...)
	}
	live := func(argv ...string) string { return compose(r.Name, r.path("docker-compose.yml"), argv...) }
	database, folders := r.asked.Only != "attachments", r.moves.Folders

	fetch, try, lead := []string{hostapi.Quote("mkdir", r.moves.Beside)}, []string(nil), []string(nil)
	if len(folders) > 0 {
		argv := []string{"restic", "restore", id, "--quiet", "--target", r.moves.Beside}
		for _, folder := range folders {
			argv = append(argv, "--include="+folder)
		}
		fetch = append(fetch, hostapi.Quote(argv...))
	}
	if database && r.asked.Copy == "" {
		there := filepath.Join(r.moves.LiveDump, "restore")
		fetch = append(
			fetch,
			hostapi.Quote("restic", "restore", id, "--quiet", "--target", there,
				"--exclude=mrsattachments", "--exclude=/log", "--exclude="+r.path("log")),
			sql(fmt.Sprintf(`create database "%s" template template0`, r.moves.Database)),
			in(
				append(
					[]string{"pg_restore"},
					append(role, "--dbname", r.moves.Database, "--jobs", fmt.Sprint(jobs()), "--exit-on-error",
						"/dump/restore/…/data")...)...),
			"# and the rows of each table are counted: they are as many as the backup has counted (tables.tsv)",
		)
	}
	if database {
		try = []string{
			compose(r.Name+"-trial", r.path(".trial.json"), "up", "--detach"),
			in(append([]string{"vacuumdb"}, append(role, "--dbname", r.moves.Database, "--analyze-only")...)...),
			"# and it is asked for its pages, and seen to use that database",
			compose(r.Name+"-trial", r.path(".trial.json"), "down", "--volumes"),
		}
		lead = []string{
			"# where there is a spooler: " + hostapi.Quote("mkdir", "-p", filepath.Join(r.moves.Beside, "spooler")),
		}
		folders = append(folders[:len(folders):len(folders)], "spooler")
	}
	var mounted []string
	for _, folder := range folders {
		mounted = append(mounted, hostapi.Quote("mountpoint", r.path(folder)))
	}
	swap := []string{
		"# how it is undone is written to " + r.path(swapFile) + " first",
		hostapi.Quote("docker", "update", "--restart", "no", "DJANGO"), live("stop", "django"),
	}
	if database {
		swap = append(
			swap,
			sql(fmt.Sprintf(`begin; alter database "%s" rename to "%s"; alter database "%s" rename to "%s"; commit`,
				r.Database, r.moves.Kept, r.moves.Database, r.Database)),
		)
	}
	for _, folder := range folders {
		swap = append(swap, hostapi.Quote("mv", r.path(folder), r.path(folder+"."+r.moves.Stamp)),
			hostapi.Quote("mv", filepath.Join(r.moves.Beside, folder), r.path(folder)))
	}
	swap = append(swap, hostapi.Quote("docker", "update", "--restart", "always", "DJANGO"),
		hostapi.Quote("docker", "start", "DJANGO"), hostapi.Quote("rm", r.path(swapFile)))
	return map[string][]string{
		"see that what is replaced can be moved": mounted,
		"find the snapshot":                      {"restic snapshots --json --no-lock"},
		"write down which copy it is":            {"echo " + r.asked.Copy + " >>" + r.path(".running.copy")},
		"see that there is room": {
			hostapi.Quote("restic", "ls", "--json", id),
			hostapi.Quote("df", r.Home, r.moves.LiveDump, r.path("postgres/data")),
		},
		"restore it beside what runs": fetch,
		"try the application on it":   try,
		"swap it in":                  swap,
		"see that PostgreSQL answers, and remove what earlier runs have left": {
			in(
				append([]string{"pg_isready"}, role...)...),
			"# databases " + r.Database + "_restore_…, and " + r.path(".restore-…"),
		},
		"keep what waits to be mailed with its database, and wait for a minute without jobs": lead,
	}
}

// undoes tells what takes back the steps of the plan that have something to be taken back, by their names.
func (r *run) undoes() map[string]string {
	beside := fmt.Sprintf("%s and the database %s are removed; what runs was not touched",
		r.moves.Beside, r.moves.Database)
	moved := "the databases have their names again"
	if len(r.moves.Folders) > 0 {
		moved += ", " + strings.Join(r.moves.Folders, " and ") + " are where they were"
	}
	return map[string]string{
		"find the snapshot":           beside,
		"write down which copy it is": beside,
		"swap it in": moved + ", and the application is started on them; also after a kill or a power cut, by " +
			r.path("restore.sh") + " recover, which systemd runs",
	}
}
