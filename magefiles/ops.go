//go:build mage

package main

import (
	"cmp"
	"context"

	"github.com/magefile/mage/mg"

	"github.com/betagouv/mrs-ops/internal/backup"
	"github.com/betagouv/mrs-ops/internal/deploy"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/ops"
	"github.com/betagouv/mrs-ops/internal/pgcopy"
)

// Ops is the namespace of day-to-day work: an INSTANCE is an env file's name, or test-SLUG for a branch.
type Ops mg.Namespace

// Status prints how all instances and branches stand, side by side; it changes nothing.
//
// All are asked at the same moment, over one connection to each server; what does not answer within
// 9 s is a row too. -instance=NAME asks one (branch: all branches), -json prints everything. The exit
// status is 1 if one that is deployed is not well: a container, the site's answer, its certificate
// (14 days left), the last backup (26 h old), a timer's last run, a disk (90 % full).
func (Ops) Status(ctx context.Context, instance *string, json *bool) error {
	return ops.Show(ctx, value(instance), value(json))
}

// Logs prints what an instance's containers say: the last 100 lines of each, or all -since= a time.
//
// -service=django shows one, -since=90m or -since=2026-11-24T08:00:00, -tail=N another number of
// lines (-1: all), -follow goes on until Ctrl-C.
func (Ops) Logs(ctx context.Context, instance string, service *string, follow *bool, since *string, tail *int) error {
	return ops.Logs(ctx, instance, ops.LogOptions{
		Service: value(service), Follow: value(follow), Since: value(since), Tail: value(tail)})
}

// Exec runs a command in an instance's django container, or in that of -service=.
//
// The command is one argument, quoted within as in a shell but never expanded; it has no input. Its
// exit status is the target's. Its first word is in the audit log.
func (Ops) Exec(ctx context.Context, instance, command string, service *string) error {
	return ops.Exec(ctx, instance, command, value(service))
}

// Shell opens a shell in an instance's django container, or in that of -service=.
//
// It needs a terminal and ssh. That it was opened is in the audit log, what is typed is not.
func (Ops) Shell(ctx context.Context, instance string, service *string) error {
	return ops.Shell(ctx, instance, value(service))
}

// Manage runs a command of the application in an instance: "migrate --plan" is mrs migrate --plan.
//
// It is for the rest as ops:exec.
func (Ops) Manage(ctx context.Context, instance, command string) error {
	return ops.Manage(ctx, instance, command)
}

// SendTestEmail makes an instance send a test mail to an address.
//
// That its mail server took it is all that is known then.
func (Ops) SendTestEmail(ctx context.Context, instance, to string) error {
	return ops.SendTestEmail(ctx, instance, to)
}

// Restart restarts an instance's containers, or -service= alone: it does not answer meanwhile.
//
// It holds the instance's lock, waits until all is healthy again, and is in the audit log.
func (Ops) Restart(ctx context.Context, instance string, service *string) error {
	return ops.Restart(ctx, instance, value(service))
}

// Audit prints what was done to an instance: when, by whom, and how it ended.
//
// -json prints the same for scripts. The log is on the server, and stays when the instance goes.
func (Ops) Audit(ctx context.Context, instance string, json *bool) error {
	return ops.Audit(ctx, instance, value(json))
}

// Maintenance closes an instance's site (on) or opens it again (off); the release stays the same.
//
// Visitors are sent to the maintenance page until it is opened, whatever is deployed meanwhile. -yes asks
// nothing before production.
func (Ops) Maintenance(ctx context.Context, instance, onOrOff string, yes *bool) error {
	return deploy.Maintenance(ctx, instance, onOrOff, deploy.Options{Yes: value(yes)})
}

// Backup backs up an instance now, by the unit that its timer starts at night.
//
// It goes on where the connection is lost; Ctrl-C ends it.
func (Ops) Backup(ctx context.Context, instance string) error { return backup.Make(ctx, instance) }

// Snapshots prints the backups of an instance, the newest first, and which have passed a drill.
//
// -json prints the same for scripts, and the runs that made and proved them.
func (Ops) Snapshots(ctx context.Context, instance string, json *bool) error {
	return backup.Snapshots(ctx, instance, value(json))
}

// Restore replaces an instance's data by those of a snapshot (an id, or latest), after a question.
//
// The snapshot is restored beside what is there, which serves meanwhile and is kept under a dated name;
// the application is tried on it before it is swapped in. If anything fails, or Ctrl-C is hit, all is
// as it was before. -at="2026-11-20 14:03:07" with latest takes the database of that second (the server's
// clock) where its log was received (WAL_ARCHIVE), else the last snapshot before it; -restorePoint=NAME what
// ops:restorePoint or a deployment has named; -xid=NUMBER, with an -at= shortly before it, the moment before
// that transaction (xmin of its rows) ended. -only=database or -only=attachments takes a part. A repository
// that is gone is fetched from the mirror. Before production its name is to be typed; -yes asks nothing before
// others. -dryRun prints the plan, and the commands behind it.
func (Ops) Restore(
	ctx context.Context, instance, snapshot string, at, restorePoint, xid, only *string, dryRun, yes *bool,
) error {
	return backup.Restore(ctx, instance, snapshot, backup.RestoreOptions{At: value(at), Point: value(restorePoint),
		XID: value(xid), Only: value(only), DryRun: value(dryRun), Yes: value(yes)})
}

// RestorePoint has the log of an instance's database know this moment by a NAME, for ops:restore latest -restorePoint=.
//
// It is for an instance with WAL_ARCHIVE. Each deployment sets one before it changes anything, and says its name.
func (Ops) RestorePoint(ctx context.Context, instance, name string) error {
	return backup.RestorePoint(ctx, instance, name)
}

// UpgradePostgres moves an instance to a newer PostgreSQL (-image=postgres:15), or back to the old one (-back).
//
// It is rehearsed beside what runs, by the programs of the new version, compared and tried; then the site is away for
// as long as that took, and the new data folder takes the place of the old one, which is kept under a dated name. If
// anything fails, or Ctrl-C is hit, the old one answers. -back says how many rows were written since, and with -lose
// goes back without them: a snapshot has them. -dryRun prints the plan and an estimate, -yes asks nothing before
// others than production. Then the env file is to name the image, which the last lines say.
func (Ops) UpgradePostgres(ctx context.Context, instance string, image *string, back, lose, dryRun, yes *bool) error {
	return backup.UpgradePostgres(ctx, instance, backup.UpgradeOptions{Image: value(image), Back: value(back),
		Lose: value(lose), DryRun: value(dryRun), Yes: value(yes)})
}

// Drill proves the last snapshot of an instance, or -snapshot=: it is restored into a stack of its own.
//
// On the same server, without ports, mail or a way out; the application migrates it and has to answer,
// the tables must have the rows that the backup counted. It is removed afterwards, the result is kept.
func (Ops) Drill(ctx context.Context, instance string, snapshot *string) error {
	return backup.Drill(ctx, instance, cmp.Or(value(snapshot), "latest"))
}

// Prune applies the retention policy to the backups of an instance, and checks what remains.
func (Ops) Prune(ctx context.Context, instance string) error { return backup.Prune(ctx, instance) }

// Report writes a page about the backups of all instances: snapshots, sizes, durations, drills, disks.
//
// It is one file, backups.html or -to=, which asks nothing of anybody when it is opened.
func (Ops) Report(ctx context.Context, to *string) error {
	return backup.Report(ctx, cmp.Or(value(to), "backups.html"))
}

// FetchBackup copies an instance's last good snapshot, or -snapshot=, to this machine, still encrypted.
//
// It becomes a restic repository that holds that snapshot alone and opens with the instance's
// RESTIC_PASSWORD: backups/INSTANCE-SNAPSHOT, or -to=, a folder that is not there yet or empty. Every
// file is checked by its sum as it comes; what was cut off or interrupted (Ctrl-C) is removed. It is in
// the audit log.
func (Ops) FetchBackup(ctx context.Context, instance string, snapshot, to *string) error {
	return backup.Fetch(ctx, instance, cmp.Or(value(snapshot), "latest"), value(to))
}

// CopyProdToStaging copies production's database to staging, anonymised before it leaves production.
//
// env/anonymize.yml says what is done to every column; one that it does not name stops the copy before
// anything is sent. Staging serves its own data until all is there and its application runs well on it;
// they are kept under a dated name until the next copy. -from= and -to= are other instances (never to
// production), -dryRun tells what would be copied, -tables=a,b copies these and what they refer to,
// -sample=0.1 one row in ten and what refers to it, -key=FILE has a text that makes the same fakes each
// time, -direct sends the rows from host to host by the SSH agent, -yes asks nothing. Afterwards dev,
// password dev, may do everything there.
func (Ops) CopyProdToStaging(ctx context.Context, from, to *string, dryRun *bool, tables *string, sample *float64,
	key *string, direct, yes *bool) error {
	return pgcopy.Copy(ctx, pgcopy.Options{
		From: cmp.Or(value(from), instance.Production), To: cmp.Or(value(to), "staging"),
		DryRun: value(dryRun), Direct: value(direct), Yes: value(yes),
		Tables: value(tables), Sample: value(sample), KeyFile: value(key)})
}

// SeedLocal fills deploy:local with the data of an instance's last snapshot, anonymised on its server.
//
// The snapshot's database is restored there beside the live one, copied to this machine as
// ops:copyProdToStaging copies, and dropped. -snapshot=ID takes another one, -tables=, -sample=, -key=
// and -yes are as there. Afterwards dev, password dev, may do everything at http://localhost:8000.
func (Ops) SeedLocal(ctx context.Context, instance string, snapshot, tables *string, sample *float64, key *string,
	yes *bool) error {
	return pgcopy.Copy(ctx, pgcopy.Options{From: instance, To: "local", Snapshot: cmp.Or(value(snapshot), "latest"),
		Tables: value(tables), Sample: value(sample), KeyFile: value(key), Yes: value(yes)})
}

// AnonymizeInit prints a first env/anonymize.yml for an instance's database, to be read and corrected.
//
// It is guessed from the names and types of the columns and from a look at some values, of which it
// prints none. What is uncertain is marked so.
func (Ops) AnonymizeInit(ctx context.Context, instance string) error {
	return pgcopy.Init(ctx, instance)
}

// AnonymizeCheck tells whether env/anonymize.yml still names every column of an instance's database.
func (Ops) AnonymizeCheck(ctx context.Context, instance string) error {
	return pgcopy.Check(ctx, instance)
}
