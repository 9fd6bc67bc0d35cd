// Package backup backs up an instance: a dump of its database, then one restic snapshot of
// docker-compose.yml, log, mrsattachments and the dump, then the mirror. It makes and opens the
// repository, repairs it from the mirror, and applies the retention policy.
//
// In the instance's home, beside what it backs up:
//
//	.backup.env         settings, written by the deployment ([Settings])
//	.restic_password    the repository's password; .restic_id: its id, and the sum of its config
//	.running.WHAT       WHAT is at work, since its time; one that nobody has a lock for was killed
//	.backup.unchecked   a backup is at work, or was killed: snapshots that are not in this list were
//	                    not checked, and are not to be trusted
//	.backup.intact      the files of the repository that are known to be whole ([restic.Files])
//	.mirrored           those that the mirror has
//	.request.WHAT       what somebody has handed over to a unit of systemd
//	.restore.swap       a restore is moving things: nothing is read or changed meanwhile
//	.restore.done       it has moved them, and what came of it is not written down yet
//
// Package restore reads and writes these too, takes the same locks, and is a [Run] of what is
// written down. This package must not know how a snapshot is restored.
package backup

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
	"github.com/betagouv/mrs-ops/internal/hostside/ledger"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
	"github.com/betagouv/mrs-ops/internal/hostside/wal"
)

// Repository is the restic repository of an instance ([restic.Repository]).
type Repository interface {
	Here() bool
	Shown() string
	ID(ctx context.Context) (string, error)
	Init(ctx context.Context) error
	Unlock(ctx context.Context) error
	Snapshots(ctx context.Context) ([]restic.Snapshot, error)
	IDs(ctx context.Context) ([]string, error)
	Backup(ctx context.Context, b restic.Backup, progress func(restic.Status)) (restic.Made, error)
	Check(ctx context.Context, subset string) error
	Forget(ctx context.Context, ids ...string) error
	Removes(ctx context.Context, p restic.Policy) ([]string, error)
	Prune(ctx context.Context, p restic.Policy) error
}

// Mirror is another place for the repository ([mirror.Mirror]).
type Mirror interface {
	HasRepository(ctx context.Context) (bool, error)
	Config(ctx context.Context) ([]byte, error)
	Put(ctx context.Context, repository string, files []string) error
	Copy(ctx context.Context, repository string, config bool) error
	Remove(ctx context.Context, repository string) error
	Get(ctx context.Context, file, to string) error
	Size(ctx context.Context) (int64, error)
	Fetch(ctx context.Context, to string) error
}

// Stack is what runs of the instance.
type Stack interface {
	// Ready waits for PostgreSQL. Where it does not come, the error says why.
	Ready(ctx context.Context) error
	// DumpFolder is the folder of the host that PostgreSQL has as /dump.
	DumpFolder(ctx context.Context) (string, error)
	// EndOurs ends what a run that was killed has left at work in the database.
	EndOurs(ctx context.Context) error
	// Leftovers removes what else runs that were killed have left: trials, and databases beside
	// the live one. lent says whether those that were lent go too.
	Leftovers(ctx context.Context, lent bool) error
	// Dump dumps the database into a folder, which is /dump to PostgreSQL.
	Dump(ctx context.Context, o dump.Options) (dump.Made, error)
	// Commit is that of the application that runs; empty: it does not tell.
	Commit(ctx context.Context) string
}

// Instance is one whose backups are made.
type Instance struct {
	Settings
	Home  string
	Locks string // the folder of the worker's lock
	// With is the repository, opened with the password in a file.
	With   func(passwordFile string) Repository
	Mirror Mirror // nil: there is none
	Stack  Stack
	// PostgreSQL is the instance's, for who receives its log; an error: it does not answer.
	PostgreSQL func(ctx context.Context) (wal.Server, error)
	Ledger     ledger.Ledger
	Say        func(string)
	Tell       func(ctx context.Context, text string) error // the team
	// Hold has all restics and lftps from now on hold a lock too, so that it is not free as long as one runs.
	Hold func(*os.File)
	// Free is how many bytes a file system has left, and how many in all.
	Free func(path string) (free, size int64, err error)
	// Device is the number of the file system that a path is on.
	Device func(path string) (uint64, error)
	// Mounts are the folders that are to be disks of their own (fstab(5)), and whether each is.
	Mounts func() map[string]bool
	// MountPoint reports whether a folder is where something is mounted: it can't be renamed.
	MountPoint func(path string) bool
	// Damaged is [restic.Damaged].
	Damaged func(ctx context.Context, folder string, names []string, read *restic.Sum) ([]restic.Damage, error)
	// Server is the name of this host.
	Server string
	Every  time.Duration // how often it says how far it is
}

// Failure is why something was not done, for people.
type Failure struct {
	Reason string
	Hint   string // what to do; may be empty
	Status int    // exit status
}

// Error is the reason alone.
func (f *Failure) Error() string { return f.Reason }

// Interrupted is the cause of a context that a signal has ended.
type Interrupted struct {
	Reason string
	Status int // as a shell has it
}

func (i *Interrupted) Error() string { return i.Reason }

// InSwap reports whether a restore that was cut short has left things half way: nobody reads or changes
// them until it is undone.
func (i *Instance) InSwap() bool {
	_, err := os.Lstat(i.path(".restore.swap"))
	return err == nil
}

// NoSwap is the failure where there is such a restore.
func (i *Instance) NoSwap(context.Context) error {
	if !i.InSwap() {
		return nil
	}
	return die(i.path("restore.sh")+" recover", "a restore was cut short, and is to be undone first")
}

func die(hint, format string, args ...any) error {
	return &Failure{Reason: fmt.Sprintf(format, args...), Hint: hint, Status: 1}
}

// Run is what is done to the backups: a backup, a prune, a restore, a drill …
type Run struct {
	*Instance
	what, cause string
	began       time.Time
	repository  Repository
	counted     bool   // it is one that is written down
	within      bool   // it is a part of another run, which has the locks, and may have begun a swap
	dumped      bool   // nothing of ours is at work in the database
	folder      string // for dumps: that of the host which PostgreSQL has as /dump
	Snapshot    string
	locks       []*lock.File
	facts       ledger.Entry
}

// Begin has everything ready but the locks.
func (i *Instance) Begin(what, cause string) *Run {
	return &Run{Instance: i, what: what, cause: cause, began: time.Now(), repository: i.With(i.path(".restic_password"))}
}

func (i *Instance) path(name string) string { return filepath.Join(i.Home, name) }

// Repository is the instance's.
func (r *Run) Repository() Repository { return r.repository }

// script is what people run to have it once more.
func (r *Run) script() string {
	if r.what == "wal" {
		_, ship := hostapi.LogUnits(r.Name)
		return "systemctl start " + ship
	}
	return filepath.Join(r.Home, r.what+".sh")
}

// Keep has a lock be the run's until [Run.Release]: of what it runs, too, so that it is not free as long as one does.
func (r *Run) Keep(l *lock.File, err error) error {
	if err == nil {
		r.locks = append(r.locks, l)
		r.Hold(l.File())
	}
	return err
}

// TakeRepository takes the repository's lock.
func (r *Run) TakeRepository(ctx context.Context) error {
	return r.Keep(lock.Repository(ctx, r.Home, r.Name, r.Say))
}

// Release gives the run's locks free, the last one first.
func (r *Run) Release() {
	for _, l := range slices.Backward(r.locks) {
		l.Close()
	}
	r.locks = nil
}

// Do does what a run consists of, up to what fails first, or the end of ctx.
func Do(ctx context.Context, steps ...func(context.Context) error) error {
	for _, step := range steps {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		if err := step(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Counts writes down that the run is one that is written down. The lock must be held.
func (r *Run) Counts(ctx context.Context) error {
	if err := r.CutShort(ctx, r.what); err != nil {
		return err
	}
	// Else nobody would ever hear of a run that the power cut short.
	if err := durable.Write(r.running(), fmt.Appendf(nil, "%d\n", r.began.Unix()), 0o600); err != nil {
		return err
	}
	r.counted = true
	return nil
}

// Resume has a run of a kind that was killed be written down by who ends it.
func (i *Instance) Resume(what string) *Run {
	r := i.Begin(what, "")
	r.counted = true
	return r
}

func (r *Run) running() string { return r.path(".running." + r.what) }

// CutShort writes down, and tells, that the last run that did something was killed, if it was.
func (i *Instance) CutShort(ctx context.Context, what string) error {
	text, err := os.ReadFile(i.path(".running." + what))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	since := "some time ago"
	first, _, _ := strings.Cut(string(text), "\n")
	if epoch, err := strconv.ParseInt(first, 10, 64); err == nil {
		since = time.Unix(epoch, 0).UTC().Format("2006-01-02 15:04 UTC")
	}
	if err := i.WriteKilled(what, "killed, or the power went"); err != nil {
		return err
	}
	i.Announce(ctx,
		fmt.Sprintf("%s on %s: the %s that began %s was cut short (docs/runbook.md)", i.Name, i.Server, what, since))
	return nil
}

// WriteKilled writes down what a run that was killed could not.
func (i *Instance) WriteKilled(what, reason string) error {
	if err := i.Ledger.Record(time.Now(), ledger.Entry{{Name: "what", Value: what},
		{Name: "outcome", Value: ledger.Failed}, {Name: "reason", Value: reason}}); err != nil {
		return err
	}
	return durable.Remove(i.path(".running." + what))
}

// Announce tells in the journal, and the team.
func (i *Instance) Announce(ctx context.Context, text string) {
	i.Say(text)
	if err := i.Tell(ctx, text); err != nil {
		i.Say("Slack did not take this message: " + err.Error())
	}
}

// Ends writes down what came of the run, and returns why it is not good.
func (r *Run) Ends(ctx context.Context, err error) error {
	failure, _ := errors.AsType[*Failure](Explain(ctx, err))
	outcome, reason := ledger.Good, ""
	if failure != nil {
		outcome, reason = ledger.Failed, failure.Reason
		if failure.Status == hostapi.NotMirrored {
			outcome = ledger.NotMirrored
		}
	}
	if r.counted {
		entry := ledger.Entry{
			{Name: "what", Value: r.what}, {Name: "cause", Value: r.cause},
			{Name: "outcome", Value: outcome}, {Name: "reason", Value: reason},
			{Name: "snapshot", Value: Short(r.Snapshot)}, {Name: "seconds", Value: int(time.Since(r.began).Seconds())},
		}
		e := r.Ledger.Record(time.Now(), append(entry, r.facts...))
		if e == nil {
			e = durable.Remove(r.running())
		}
		if e != nil && failure != nil {
			r.Say("what came of it can't be written down: " + e.Error())
		} else if e != nil {
			reason := "it is done, but can't be written down: " + e.Error()
			failure = &Failure{Reason: reason, Hint: "df -h /var/log /var/lib", Status: 1}
		}
	}
	if failure == nil {
		return nil
	}
	return failure
}

// Explain has an error as people are told of it, which is a *[Failure].
func Explain(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	if i, ok := errors.AsType[*Interrupted](context.Cause(ctx)); ok && ctx.Err() != nil {
		return &Failure{Reason: i.Reason, Status: i.Status}
	}
	if f, ok := errors.AsType[*Failure](err); ok {
		return f
	}
	if s, ok := errors.AsType[*lock.Stuck](err); ok {
		return &Failure{Reason: s.Error(), Hint: s.Hint(), Status: 1}
	}
	reason, hint := hostapi.Explained(err)
	return &Failure{Reason: strings.ReplaceAll(reason, "\n", "; "), Hint: hint, Status: 1}
}

func Short(id string) string { return id[:min(8, len(id))] }

// Backup backs up the instance. cause is timer, deploy or hand; a deployment has the instance's lock already.
// The error is *[Failure]; its status is [hostapi.NotMirrored] where the snapshot is good.
func (i *Instance) Backup(ctx context.Context, cause string) error {
	r := i.Begin("backup", cause)
	defer r.Release() // once it is written down: whoever waits finds that
	return r.Ends(ctx, r.backup(ctx))
}

// Within backs up the instance as a part of another run, which has its locks, and returns the snapshot. The error is
// *[Failure].
func (i *Instance) Within(ctx context.Context, cause string) (snapshot string, err error) {
	r := i.Begin("backup", cause)
	r.within = true
	err = r.Ends(ctx, r.backup(ctx))
	return r.Snapshot, err
}

func (r *Run) backup(ctx context.Context) error {
	if r.cause != "deploy" && !r.within {
		if err := r.Keep(lock.Share(ctx, r.Locks, r.Name, r.Say)); err != nil {
			return err
		}
	}
	if !r.within {
		if err := r.TakeRepository(ctx); err != nil {
			return err
		}
	}
	err := Do(ctx, r.Counts, r.source, r.Open, r.Stack.Ready, r.clear, r.room)
	if err != nil {
		return err
	}
	defer r.tidy(ctx)
	err = Do(ctx, r.dump, r.makeSnapshot, r.markDeployment,
		func(ctx context.Context) error { return r.mirror(ctx, false) })
	if err != nil {
		return err
	}
	r.Say(r.Name + " is backed up")
	return nil
}

// kept are what of home is in a snapshot beside the dump.
func (r *Run) kept() []string { return append([]string{"docker-compose.yml"}, r.Folders...) }

// source makes sure that what is backed up is there.
func (r *Run) source(context.Context) error {
	var problems []string
	for _, name := range r.kept() {
		switch info, err := os.Lstat(r.path(name)); {
		case err != nil:
			problems = append(problems, r.path(name)+" is gone: a snapshot without it would not be one")
		case info.Mode()&fs.ModeSymlink != 0:
			problems = append(problems,
				r.path(name)+" is a link, and a snapshot has the link alone: move what it leads to there")
		}
	}
	if r.InSwap() && !r.within {
		problems = append(problems, "a restore was cut short, and is to be undone first: "+r.path("restore.sh")+" recover")
	}
	if len(problems) > 0 {
		return die("restore it, or deploy", "%s", strings.Join(problems, "; "))
	}
	if !slices.Contains(r.Folders, "mrsattachments") {
		return nil
	}
	var attachments int64
	err := filepath.WalkDir(r.path("mrsattachments"), func(_ string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) { // gone since
			return nil
		}
		if err == nil && entry.Type().IsRegular() {
			attachments++
		}
		return err
	})
	if err != nil {
		return fmt.Errorf("the attachments can't be listed: %w", err)
	}
	before, err := r.Ledger.LastKnown("attachments")
	if err != nil {
		return err
	}
	// A disk that is not mounted looks like that.
	if attachments == 0 && before != 0 {
		return die(
			fmt.Sprintf("is its disk mounted? if they are meant to be gone: touch %s/.emptied", r.path("mrsattachments")),
			"mrsattachments is empty, and had %d files at the last backup", before,
		)
	}
	r.Fact("attachments", attachments)
	return nil
}

// Fact has something be in the record, in the place of what was there by that name.
func (r *Run) Fact(name string, value any) {
	r.facts = append(slices.DeleteFunc(r.facts, func(p ledger.Pair) bool { return p.Name == name }),
		ledger.Pair{Name: name, Value: value})
}

// clear finds the folder for dumps, and has nothing be left there.
func (r *Run) clear(ctx context.Context) (err error) {
	if r.folder, err = r.Stack.DumpFolder(ctx); err != nil {
		return err
	}
	return r.Leftovers(ctx, r.folder)
}

// Leftovers ends what a run that was killed has left at work in the database, and removes what
// it left in the folder for dumps, in home and in PostgreSQL. The locks must be held.
func (i *Instance) Leftovers(ctx context.Context, folder string) error {
	if err := i.Stack.EndOurs(ctx); err != nil {
		return fmt.Errorf("what an earlier backup has left at work in the database can't be ended: %w", err)
	}
	if err := dump.Remove(folder); err != nil {
		return err
	}
	left, err := filepath.Glob(i.path(".restore-*"))
	left = append(left, filepath.Join(folder, "restore"))
	for _, name := range []string{".restore.swap.new", ".trial.json", ".bring.restore", ".counted.restore"} {
		left = append(left, i.path(name))
	}
	if i.LogArchive != "" {
		left = append(left, i.Archive().Recovery())
	}
	for _, path := range left {
		err = errors.Join(err, os.RemoveAll(path))
	}
	if err != nil {
		return err
	}
	// What was lent goes with who lent it.
	return i.Stack.Leftovers(ctx, lock.Free(i.path(".lend.lock")))
}

// room makes sure that there is as much room for a dump as the last time, and some more.
func (r *Run) room(context.Context) error {
	before, err := r.Ledger.LastKnown("dump_bytes")
	if err != nil {
		return err
	}
	return r.Enough(map[string]int64{r.folder: before * 11 / 10})
}

// Enough makes sure that there is room for so many bytes below each path, all of it on its file systems at once, and
// says of all of them which have not.
func (i *Instance) Enough(need map[string]int64) error {
	var on []uint64 // file systems
	paths, bytes := map[uint64]string{}, map[uint64]int64{}
	for _, path := range slices.Sorted(maps.Keys(need)) {
		if need[path] <= 0 {
			continue
		}
		device, err := i.Device(path)
		if err != nil {
			return err
		}
		if paths[device] == "" {
			on, paths[device] = append(on, device), path
		}
		bytes[device] += need[path]
	}
	var full, problems []string
	for _, device := range on {
		path := paths[device]
		free, _, err := i.Free(path)
		if err != nil {
			return err
		}
		if free < bytes[device] {
			full = append(full, path)
			problems = append(problems,
				fmt.Sprintf("%s has %s free, and about %s are needed", path, Human(free), Human(bytes[device])))
		}
	}
	if len(problems) == 0 {
		return nil
	}
	return die("df -h "+strings.Join(full, " "), "%s", strings.Join(problems, "; "))
}

// tidy removes the dump, however the run ends.
func (r *Run) tidy(ctx context.Context) {
	if !r.dumped {
		// A pg_dump in a container outlives the program that has started it.
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 30*time.Second)
		defer cancel()
		_ = r.Stack.EndOurs(ctx)
	}
	if err := dump.Remove(r.folder); err != nil {
		r.Say("the dump can't be removed: " + err.Error())
	}
}

func (r *Run) dump(ctx context.Context) error {
	r.Say("dumping the database")
	made, err := r.Stack.Dump(ctx, dump.Options{
		Database: r.Database, Role: r.Role, Folder: r.folder, Inside: "/dump",
		Jobs: min(max(runtime.NumCPU(), 2), 4), Every: r.Every,
		Progress: func(dumped, of int64) {
			r.Say(fmt.Sprintf("dumped %s, of a database of %s", Human(dumped), Human(of)))
		},
	})
	if err != nil {
		return die("docker compose --file "+r.path("docker-compose.yml")+" logs "+r.Server, "%v", err)
	}
	r.dumped = true
	r.Fact("dump_bytes", made.Bytes)
	r.Fact("rows", made.Rows)
	return nil
}

// paths are names in home, and absolute paths.
func (r *Run) paths(names []string) (all []string) {
	for _, name := range names {
		if !filepath.IsAbs(name) {
			name = r.path(name)
		}
		all = append(all, name)
	}
	return all
}

// makeSnapshot makes a snapshot, and makes sure that it is whole.
func (r *Run) makeSnapshot(ctx context.Context) error {
	commit := cmp.Or(r.Stack.Commit(ctx), "unknown")
	paths := append(r.kept(), r.folder)
	wanted := restic.Backup{Host: r.Name, Tags: []string{r.Name, "commit-" + commit, r.cause}, Paths: paths}
	r.Say("making a snapshot: " + Human(dump.Size(r.paths(paths)...)))
	here := r.repository.Here()
	var was int64
	if here {
		was = dump.Size(r.Settings.Repository)
	}
	made, err := r.backupTwice(ctx, wanted)
	if err != nil {
		return err
	}
	if err := r.verified(ctx, made.ID); err != nil {
		return err
	}
	if err := durable.Remove(r.path(".backup.unchecked")); err != nil {
		return err
	}
	r.Snapshot = made.ID
	added := made.Added
	if here {
		total, err := r.measure()
		if err != nil {
			return err
		}
		added = total - was // restic tells what is new before it compresses it
	}
	r.Fact("bytes", made.Bytes)
	r.Fact("files", made.Files)
	r.Fact("added", added)
	r.Say(fmt.Sprintf("snapshot %s is good: %s in %d files, %s of it new",
		Short(r.Snapshot), Human(made.Bytes), made.Files, Human(added)))
	return nil
}

// backupTwice makes a snapshot. Where a file can't be read, as one that goes while it is read, it tries once
// more: that is no reason for a night without a backup, and a second time no chance.
func (r *Run) backupTwice(ctx context.Context, wanted restic.Backup) (restic.Made, error) {
	for first := true; ; first = false {
		if err := r.unchecked(ctx); err != nil {
			return restic.Made{}, err
		}
		var last restic.Status
		end := r.Showing(func() string { return progressed(last) })
		made, err := r.repository.Backup(ctx, wanted, func(s restic.Status) { end.Update(func() { last = s }) })
		end.Stop()
		if err == nil {
			return made, nil
		}
		unreadable, incomplete := errors.AsType[restic.Unreadable](err)
		if !incomplete {
			why := "restic could not make a whole snapshot: " + err.Error()
			if f, ok := errors.AsType[*restic.Failed](err); ok && f.Status >= 0 {
				why = fmt.Sprintf("restic could not make a whole snapshot (exit status %d): %s", f.Status, f.Said)
			}
			return made, die("df -h "+r.repository.Shown(), "%s", why)
		}
		if first {
			r.Say(unreadable.Error() + ": once more")
		}
		// It forgets the half of one.
		if err := r.Open(ctx); err != nil {
			return made, err
		}
		if !first {
			return made, die("does something write to them all the time? is their disk well? dmesg, smartctl",
				"restic could not make a whole snapshot, in two attempts: %v", unreadable)
		}
	}
}

// unchecked writes down which snapshots there are: what comes is not to be trusted until it was checked.
func (r *Run) unchecked(ctx context.Context) error {
	ids, err := r.ids(ctx)
	if err != nil {
		return fmt.Errorf("the snapshots that there are can't be listed: %w", err)
	}
	return durable.Write(r.path(".backup.unchecked"), []byte(strings.Join(append(ids, ""), "\n")), 0o600)
}

func (r *Run) ids(ctx context.Context) ([]string, error) {
	if !r.repository.Here() {
		return r.repository.IDs(ctx)
	}
	entries, err := os.ReadDir(filepath.Join(r.Settings.Repository, "snapshots"))
	var ids []string
	for _, entry := range entries {
		ids = append(ids, entry.Name())
	}
	return ids, err
}

// verified makes sure that the snapshot is there, and that all that was written is what was to be written.
func (r *Run) verified(ctx context.Context, snapshot string) error {
	if r.repository.Here() {
		if err := r.intact(ctx, false); err != nil {
			return err
		}
	} else if err := r.check(ctx, ""); err != nil {
		return err
	}
	ids, err := r.ids(ctx)
	if err != nil {
		return err
	}
	if snapshot != "" && slices.ContainsFunc(ids, func(id string) bool { return strings.HasPrefix(id, snapshot) }) {
		return nil
	}
	return die("look: restic snapshots", "restic says that it has made snapshot %s, which is not in the repository",
		Short(snapshot))
}

// check has restic look whether the repository is whole ([restic.Repository.Check]).
func (r *Run) check(ctx context.Context, subset string) error {
	err := r.repository.Check(ctx, subset)
	if f, ok := errors.AsType[*restic.Failed](err); !ok || f.Status < 0 {
		return err
	}
	return die("restic check tells which", "the repository %s has errors: %v", r.repository.Shown(), err)
}

func progressed(s restic.Status) string {
	if s.TotalFiles == 0 {
		return ""
	}
	left := ""
	if s.SecondsRemaining > 0 {
		left = fmt.Sprintf(", %d s left", s.SecondsRemaining)
	}
	return fmt.Sprintf("snapshot: %d %%, %d of %d files, %.1f of %.1f MB%s", int(100*s.Percent), s.Files, s.TotalFiles,
		float64(s.Bytes)/1e6, float64(s.TotalBytes)/1e6, left)
}

func bounded(err error) bool {
	_, ok := errors.AsType[*bound.Exceeded](err)
	return ok
}
