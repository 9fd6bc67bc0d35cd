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
		if err := r.find(ctx); err != nil {
			return nil, backup.Explain(ctx, err)
		}
		what = "restoring snapshot " + backup.Short(r.record.Snapshot)
		if r.log != nil {
			what = "recovering the database to " + r.log.String()
		}
	}
	lines := []string{
		fmt.Sprintf(
			"%s would be this. Nothing of it is done now. STAMP is the time then, DUMP PostgreSQL's folder /dump.",
			what,
		),
		"cd " + r.Home,
		environment,
	}
	steps := append(plan.Explain(r.plan()), hostapi.Step{
		Name: "keep what was there until somebody says that it may go",
		Runs: []string{hostapi.Quote(r.path("restore.sh"), "discard", r.moves.Stamp)},
	})
	return append(lines, hostapi.Explain(steps)...), nil
}

// inPostgres is a command that PostgreSQL's superuser runs in its container.
func inPostgres(argv ...string) string {
	return hostapi.Quote(append([]string{"docker", "exec", "--user", "postgres", "POSTGRES"}, argv...)...)
}

func (r *run) sqlCommand(text string) string {
	return inPostgres("psql", "--username", r.Role, "--command", text)
}

// composeCommand is one of Compose's, of a file of the home.
func (r *run) composeCommand(project, file string, argv ...string) string {
	words := []string{"docker", "compose", "--project-name", project, "--env-file", "/dev/null", "--file", r.path(file)}
	return hostapi.Quote(append(words, argv...)...)
}

func (r *run) movableCommands() (all []string) {
	for _, folder := range r.folders() {
		all = append(all, hostapi.Quote("mountpoint", r.path(folder)))
	}
	return all
}

func (r *run) prepareCommands() []string {
	return []string{
		inPostgres("pg_isready", "--username", r.Role),
		"# databases " + r.Database + "_restore_…, and " + r.path(".restore-…"),
	}
}

func (r *run) roomCommands() []string {
	return []string{
		hostapi.Quote("restic", "ls", "--json", r.record.Snapshot),
		hostapi.Quote("df", r.Home, r.moves.LiveDump, r.path("postgres/data")),
	}
}

func (r *run) besideCommands() []string {
	id := r.record.Snapshot
	all := []string{hostapi.Quote("mkdir", r.moves.Beside)}
	if len(r.moves.Folders) > 0 {
		argv := []string{"restic", "restore", id, "--quiet", "--target", r.moves.Beside}
		for _, folder := range r.included() {
			argv = append(argv, "--include="+folder)
		}
		all = append(all, hostapi.Quote(argv...))
	}
	if !r.database() || r.asked.Copy != "" {
		return all
	}
	there := filepath.Join(r.moves.LiveDump, "restore")
	if r.log != nil {
		all = append(all, r.recovers(filepath.Join(there, "dump"))...)
	} else {
		all = append(all, hostapi.Quote("restic", "restore", id, "--quiet", "--target", there,
			"--exclude=mrsattachments", "--exclude=/log", "--exclude="+r.path("log")))
	}
	return append(all,
		r.sqlCommand(fmt.Sprintf(`create database "%s" template template0`, r.moves.Database)),
		inPostgres("pg_restore", "--username", r.Role, "--dbname", r.moves.Database, "--jobs", fmt.Sprint(jobs()),
			"--exit-on-error", "/dump/restore/…/data"),
		"# and the rows of each table are counted: they are as many as the backup has counted (tables.tsv)",
	)
}

func (r *run) tryCommands() []string {
	if !r.database() {
		return nil
	}
	return []string{
		r.composeCommand(r.Name+"-trial", ".trial.json", "up", "--detach"),
		inPostgres("vacuumdb", "--username", r.Role, "--dbname", r.moves.Database, "--analyze-only"),
		"# and it is asked for its pages, and seen to use that database",
		r.composeCommand(r.Name+"-trial", ".trial.json", "down", "--volumes"),
	}
}

func (r *run) leadCommands() []string {
	if !r.database() {
		return nil
	}
	return []string{
		"# where there is a spooler: " + hostapi.Quote("mkdir", "-p", filepath.Join(r.moves.Beside, "spooler")),
	}
}

func (r *run) swapCommands() []string {
	all := []string{
		"# how it is undone is written to " + r.path(swapFile) + " first",
		hostapi.Quote("docker", "update", "--restart", "no", "DJANGO"),
		r.composeCommand(r.Name, "docker-compose.yml", "stop", "django"),
	}
	if r.database() {
		all = append(all,
			r.sqlCommand(fmt.Sprintf(`begin; alter database "%s" rename to "%s"; alter database "%s" rename to "%s"; commit`,
				r.Database, r.moves.Kept, r.moves.Database, r.Database)))
	}
	for _, folder := range r.folders() {
		all = append(all, hostapi.Quote("mv", r.path(folder), r.path(folder+"."+r.moves.Stamp)),
			hostapi.Quote("mv", filepath.Join(r.moves.Beside, folder), r.path(folder)))
	}
	return append(all, hostapi.Quote("docker", "update", "--restart", "always", "DJANGO"),
		hostapi.Quote("docker", "start", "DJANGO"), hostapi.Quote("rm", r.path(swapFile)))
}

// movedBack is what undoes the swap, in words.
func (r *run) movedBack() string {
	moved := "the databases have their names again"
	if len(r.moves.Folders) > 0 {
		moved += ", " + strings.Join(r.moves.Folders, " and ") + " are where they were"
	}
	return moved + ", and the application is started on them; also after a kill or a power cut, by " +
		r.path("restore.sh") + " recover, which systemd runs"
}
