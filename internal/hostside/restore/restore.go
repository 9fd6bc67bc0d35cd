// Package restore restores a snapshot of an instance, or has it take over a copy of another's
// database. What is restored comes into a new database and new folders beside the live ones, which
// go on serving meanwhile, and the application is tried on it. Only when all that went well is it
// swapped in. What was there is kept, under the same names with the date behind them.
//
// [run.plan] has all steps on a screen. If anything fails before the swap, nothing has changed. The
// swap writes down how it is undone before it begins (.restore.swap, [Swap]); whoever finds that
// file after SIGKILL or a power cut undoes it ([Instance.Recover]).
//
// It reads and writes the files of package backup, takes the same locks, and must not know Docker's
// or PostgreSQL's commands: it asks [Stack], [Server] and [Application].
package restore

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
	"github.com/betagouv/mrs-ops/internal/hostside/plan"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
	"github.com/betagouv/mrs-ops/internal/hostside/wal"
)

// Repository is what a snapshot is read from ([restic.Repository]).
type Repository interface {
	Restore(ctx context.Context, snapshot string, o restic.Restore) error
	// Stored is how many bytes a snapshot takes in the repository.
	Stored(ctx context.Context, snapshot string) (int64, error)
	// Files calls a function with each file of a snapshot, and its bytes.
	Files(ctx context.Context, snapshot string, each func(path string, size int64)) error
	// Copies reports whether it can copy a snapshot into another repository.
	Copies(ctx context.Context) bool
}

// Copy is a repository that a snapshot is copied into ([restic.Repository.In]).
type Copy interface {
	InitCopy(ctx context.Context) error
	Copy(ctx context.Context, snapshot string) error
	Check(ctx context.Context, subset string) error
}

// Server is the PostgreSQL of an instance ([dump.Container]).
type Server interface {
	dump.Target
	// ContainerID is that of the container that it runs in.
	ContainerID() string
	// Drop drops a database, whoever is connected to it.
	Drop(ctx context.Context, database string) error
	Analyze(ctx context.Context, database string, jobs int) error
	SizeOf(ctx context.Context, database string) (int64, error)
	Has(ctx context.Context, database string) (bool, error)
	// Rename gives databases new names, all of them or none, whoever is connected.
	Rename(ctx context.Context, all ...dump.Rename) error
	// Beside returns the databases beside the live one that have a kind and a date in their names; of no kind, a date.
	Beside(ctx context.Context, kind string) ([]string, error)
	// Properties are those of the live database, as globals.json has them.
	Properties(ctx context.Context) (string, error)
	// Settle gives the superuser what he had, and returns what differs from the properties.
	Settle(ctx context.Context, database, properties string) (differences []string, err error)
}

// Stack is what runs of the instance, and of a trial beside it.
type Stack interface {
	// Engine waits for the Docker engine.
	Engine(ctx context.Context) error
	// Keeps makes sure that PostgreSQL is of the version of its data folder.
	Keeps(ctx context.Context) error
	// Ready waits for PostgreSQL. Where it does not come, the error says why.
	Ready(ctx context.Context) error
	// Server is PostgreSQL, as it was found last.
	Server() Server
	// DumpFolder is the folder of the host that PostgreSQL has as /dump.
	DumpFolder(ctx context.Context) (string, error)
	// Drop drops a database as soon as PostgreSQL lets us. One that it does not is said, and no error.
	Drop(ctx context.Context, database string) error

	// Try starts the application alone, on a database of PostgreSQL and the data in a folder, as a
	// compose file in home that it writes, and returns its container.
	Try(ctx context.Context, folder, database string) (container string, err error)
	// Untry removes what is left of it.
	Untry(ctx context.Context) error

	// Recover recovers a cluster in a container of its own, without a network, and dumps its database.
	Recover(ctx context.Context, recovery wal.Recovery) error

	// StartDrill starts a PostgreSQL of its own, in a network without a way out, with a dump in a
	// folder as its /dump, as a compose file there that it writes.
	StartDrill(ctx context.Context, folder string) (Server, error)
	// RunDrill starts the application on it, and returns its container.
	RunDrill(ctx context.Context, folder string) (container string, err error)
	// EndDrill removes what is left of both.
	EndDrill(ctx context.Context) error

	// Restarts is the restart policy of the application's container.
	Restarts(ctx context.Context) string
	// Policy gives all of its containers one: "no" keeps the engine from starting it by itself.
	Policy(ctx context.Context, restarts string) error
	// Stop ends the application: what it serves and its spoolers' files first. An error is of one that may still run.
	Stop(ctx context.Context) error
	// StopServer ends PostgreSQL as it has to be ended, and removes its container: no engine starts it again.
	StopServer(ctx context.Context) error
	// StartServer starts PostgreSQL and waits for it.
	StartServer(ctx context.Context) error
	// Resume starts the application again that was stopped, and what it needs.
	Resume(ctx context.Context) error
	// Start starts all of it, with wait also waits until it is healthy.
	Start(ctx context.Context, wait bool) error
	// Application is its container; empty: it does not run.
	Application(ctx context.Context) string
}

// Application is MRS as it runs.
type Application interface {
	// Well waits until the container's own answers are right, and it is proven to use a database of
	// the PostgreSQL in another container.
	Well(ctx context.Context, container, postgres, database string) error
	// Migrated fails unless all migrations are applied in the container.
	Migrated(ctx context.Context, container string) error
	// Log is the last of what it has said, without what may be somebody's data.
	Log(ctx context.Context, container string) []string
	// Visited waits until visitors get an answer.
	Visited(ctx context.Context) error
	// Developers has a superuser dev with the password dev in the database that the container uses, which may still
	// be starting: it fails where that has migrations to come.
	Developers(ctx context.Context, container string) error
	// LetsIn fails unless the container lets dev in.
	LetsIn(ctx context.Context, container string) error
	// Moment waits until no job of the application is near, and says what it waits for.
	Moment(ctx context.Context, container string) error
}

// Files are those of the home, whose order of change counts. Each change is on the disk when the call returns.
type Files interface {
	Rename(from, to string) error
	Write(path string, content []byte) error
	Append(path, line string) error
	Remove(path string) error
	// Sync has all of a folder's file system on the disk.
	Sync(folder string) error
}

// Systemd is that of the host.
type Systemd interface {
	// Booted reports whether it runs the host.
	Booted() bool
	// Retry has it run restore.sh recover again, as often as it takes; it may be at that already.
	Retry(ctx context.Context) error
	// Start starts a unit of the instance's, and does not wait for it.
	Start(ctx context.Context, unit string) error
}

// Instance is one whose snapshots are restored.
type Instance struct {
	*backup.Instance
	Repository  Repository
	Stack       Stack
	Application Application
	Files       Files
	// Into is a repository of its own in a folder, to copy a snapshot into; what it caches is in another folder.
	Into func(folder, cache string) Copy
	// Answer says a line that programs read, as Say says those for people; nil: it is Say.
	Answer func(line string)
	// Calls has PostgreSQL call us by a name.
	Calls func(name string)
	Now   func() time.Time
	// Deafen has no signal end us any more, nor what we run from then on.
	Deafen  func()
	Systemd Systemd
	// As is the stack, whose drills are of another compose file, and a project NAME-upgrade.
	As func(file string) Stack
	// Upgraded writes down what comes of a swap that has replaced PostgreSQL's data folder; it may be done twice.
	Upgraded func(ctx context.Context, i *Instance, s Swap) error
	// Leave has this program run with arguments by itself, so that it goes on when we are killed.
	Leave func(argv ...string) error
}

func (i *Instance) path(name string) string { return filepath.Join(i.Home, name) }

func (i *Instance) is(name string) bool {
	_, err := os.Lstat(i.path(name))
	return err == nil
}

func die(hint, format string, args ...any) error {
	return &backup.Failure{Reason: fmt.Sprintf(format, args...), Hint: hint, Status: 1}
}

// refused is the failure of what somebody has typed.
func refused(hint, format string, args ...any) error { return die(hint, format, args...) }

// Request is what to restore.
type Request struct {
	Only   string    // database or attachments; empty: both, and the logs
	Wanted string    // latest, or the beginning of an id; empty: the last one before At
	At     time.Time // a second, that the log may cover
	Point  string    // a restore point of the log
	XID    uint32    // a transaction in it after At: to before its end; 0: none
	Copy   string    // the database to adopt, and nothing else
}

var (
	aStamp = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z$`)
	aDate  = regexp.MustCompile(`^[0-9]{8}t[0-9]{6}z$`)
)

const listed = "restore.sh without argument lists them"

// parseTime reads a time of the server's clock, or with a zone, as people write it for date(1).
func parseTime(text string) (time.Time, bool) {
	text = strings.Replace(strings.Replace(text, " UTC", "Z", 1), "T", " ", 1)
	for _, layout := range []string{"2006-01-02", "2006-01-02 15:04", "2006-01-02 15:04:05"} {
		for _, zone := range []string{"", "Z07:00", "Z0700"} {
			if t, err := time.ParseInLocation(layout+zone, text, time.Local); err == nil {
				return t, t.Unix() >= 0
			}
		}
	}
	return time.Time{}, false
}

// Parse reads what restore.sh was asked for: [--only PART] latest|ID, [--only PART] [latest] --at TIME [--xid NUMBER],
// [--only database] [latest] --point NAME, or adopt DATABASE. What could be meant otherwise is refused.
func (i *Instance) Parse(argv []string) (q Request, err error) {
	if len(argv) > 0 && argv[0] == "adopt" {
		if i.Production {
			return q, die("", "%s adopts no copy, whoever asks", i.Name)
		}
		name := slices.Concat(argv[1:], []string{""})[0]
		if !i.isCopy(name) {
			example := i.Database + "_copy_" + i.Now().UTC().Format("20060102t150405z")
			return q, refused(example, "'%s' is no name of a copy", name)
		}
		if len(argv) > 2 {
			return q, refused("", "'%s' is too much", argv[2])
		}
		return Request{Only: "database", Copy: name}, nil
	}
	for n := 0; n < len(argv); n++ {
		value := slices.Concat(argv[n+1:], []string{""})[0]
		switch argv[n] {
		case "--only":
			if q.Only = value; q.Only != "database" && q.Only != "attachments" {
				return q, refused("database, or attachments", "--only '%s' is not known", q.Only)
			}
			n++
		case "--at":
			at, ok := parseTime(value)
			if !ok {
				return q, refused(`--at "2026-11-20 14:00"`, "'%s' is not a time", value)
			}
			if !q.At.IsZero() {
				return q, refused("", "--at is there twice")
			}
			q.At = at
			n++
		case "--point":
			if q.Point = value; !wal.IsPoint(value) {
				return q, refused("letters, digits and . _ -", "'%s' is no name of a restore point", value)
			}
			n++
		case "--xid":
			var is bool
			if q.XID, is = wal.ParseXID(value); !is {
				return q, refused("what xmin of a row says that it has written", "'%s' is no transaction", value)
			}
			n++
		default:
			if !hostapi.IsSnapshot(argv[n]) {
				return q, refused(listed, "'%s' is not a snapshot", argv[n])
			}
			if q.Wanted != "" {
				return q, refused(listed, "'%s' and '%s' are two snapshots", q.Wanted, argv[n])
			}
			q.Wanted = argv[n]
		}
	}
	switch {
	case q.XID != 0 && (q.At.IsZero() || q.Only == "attachments"):
		return q, refused(`--at "2026-11-20 14:00": a time shortly before it`,
			"a transaction is of the database, and says not when it was")
	case q.Point != "" && (!q.At.IsZero() || q.Wanted != "" && q.Wanted != "latest" || q.Only == "attachments"):
		return q, refused(listed, "a restore point is of the database alone, and by itself says when")
	case q.Point != "":
		q.Wanted = ""
	case q.At.IsZero() && q.Wanted == "":
		return q, refused(listed, "'' is not a snapshot")
	case !q.At.IsZero() && q.Wanted == "latest": // before that time
		q.Wanted = ""
	case !q.At.IsZero() && q.Wanted != "":
		return q, refused(listed, "a snapshot and a time are two answers to which one")
	}
	return q, nil
}

// isCopy reports whether a name is that of a copy that somebody has filled: MRS_copy_20261120t140000z.
func (i *Instance) isCopy(name string) bool {
	date, is := strings.CutPrefix(name, i.Database+"_copy_")
	return is && aDate.MatchString(date)
}

// run is a restore that is at work.
type run struct {
	*Instance
	record     *backup.Run
	asked      Request
	moves      Swap // what comes beside, and takes the place of what is there
	bytes      int64
	log        *logged // what the database is recovered from; nil: it is the snapshot's
	properties string  // of the database that was dumped, where the snapshot has them
	answers    bool    // PostgreSQL has answered
	differs    []string
	untrying   sync.WaitGroup // what the application was tried in goes, while what comes next begins
	untried    error          // once it has gone
}

// database reports whether the database is restored.
func (r *run) database() bool { return r.asked.Only != "attachments" }

// folders are those that take the place of others, if there is a spooler.
func (r *run) folders() []string {
	if r.database() {
		return append(slices.Clone(r.moves.Folders), "spooler")
	}
	return r.moves.Folders
}

// plan is all that is done, in this order. Whatever fails, what has begun is undone, the last first.
func (r *run) plan() []plan.Step {
	beside := fmt.Sprintf("%s and the database %s are removed; what runs was not touched",
		r.moves.Beside, r.moves.Database)
	find := plan.To("find the snapshot", r.choose, r.removeBeside).
		By(plan.Lines("restic snapshots --json --no-lock"))
	if r.asked.Copy != "" {
		find = plan.To("write down which copy it is", r.noteCopy, r.removeBeside).
			By(plan.Lines("echo " + r.asked.Copy + " >>" + r.path(".running.copy")))
	}
	return []plan.Step{
		plan.To("see that what is replaced can be moved", r.movable, nil).By(r.movableCommands),
		find.Back(beside),
		plan.To("see that PostgreSQL answers, and remove what earlier runs have left", r.prepare, nil).
			By(r.prepareCommands),
		plan.To("see that there is room", r.room, nil).By(r.roomCommands),
		plan.To("restore it beside what runs", r.restoreBeside, nil).By(r.besideCommands),
		plan.To("try the application on it", r.try, nil).By(r.tryCommands),
		plan.To("keep what waits to be mailed with its database, and wait for a minute without jobs", r.lead, nil).
			By(r.leadCommands),
		plan.To("swap it in", r.swap, r.Unswap).By(r.swapCommands).Back(r.movedBack()),
	}
}

// Restore restores what is asked for. The error is *[backup.Failure].
func (i *Instance) Restore(ctx context.Context, q Request) error {
	what := "restore"
	if q.Copy != "" {
		what = "copy" // for the record
	}
	r := &run{Instance: i, record: i.Begin(what, ""), asked: q}
	defer r.record.Release() // once it is written down
	err := backup.Explain(ctx, r.begin(ctx))
	if err == nil {
		err = r.do(ctx)
	}
	// Interrupted or not: it says what became of it.
	if err = r.record.Ends(context.WithoutCancel(ctx), err); err == nil {
		i.Forget()
	}
	return err
}

// begin takes the locks, and writes down that it is at work.
func (r *run) begin(ctx context.Context) error {
	if r.asked.Copy != "" {
		if err := r.noteAdoption(ctx); err != nil {
			return err
		}
	}
	if err := r.record.Keep(lock.Alone(ctx, r.Locks, r.Name, r.Say)); err != nil {
		return err
	}
	return backup.Do(ctx, r.record.TakeRepository, r.NoSwap, r.RecoverDone, r.record.Counts)
}

// named gives names to what is to be there, by the stamp of the restore.
func (r *run) named(stamp string) {
	date := strings.ToLower(stamp)
	r.moves = Swap{Stamp: stamp, Beside: r.path(".restore-" + stamp), Restarts: "always",
		Database: r.Database + "_restore_" + date, Kept: r.Database + "_" + date}
	if r.asked.Copy != "" {
		r.moves.Database, r.moves.Kept = r.asked.Copy, r.Database+"_before_"+date
	}
	switch r.asked.Only {
	case "":
		r.moves.Folders = slices.Clone(r.Folders)
	case "attachments":
		r.moves.Folders = slices.DeleteFunc(slices.Clone(r.Folders), func(name string) bool { return name == "log" })
	}
}

// do carries the plan out, or undoes it.
func (r *run) do(ctx context.Context) error {
	if err := r.Stack.Keeps(ctx); err != nil {
		return backup.Explain(ctx, err)
	}
	r.named(r.Now().UTC().Format(hostapi.Stamp))
	begun, err := plan.Do(ctx, r.plan())
	if r.untrying.Wait(); err != nil {
		done := "restored"
		if r.asked.Copy != "" {
			done = "adopted"
		}
		return r.Undo(ctx, begun, err, r.moves, done)
	}
	// It is done, and who interrupts it comes too late. The load balancer knows it a moment later.
	ctx = context.WithoutCancel(ctx)
	var visited sync.WaitGroup
	visited.Go(func() { r.Await(ctx) })
	r.tidy(ctx)
	visited.Wait()
	r.settle()
	return nil
}

// Undo takes back what the steps have done, the last first, and adds to why they failed what became
// of it. Where something can't be, nothing more is touched. done is what they were to have.
func (i *Instance) Undo(ctx context.Context, steps []plan.Step, err error, moves Swap, done string) error {
	why, _ := errors.AsType[*backup.Failure](backup.Explain(ctx, err))
	i.Deafen()
	ctx = context.WithoutCancel(ctx)
	for _, s := range slices.Backward(steps) {
		if s.Undo == nil {
			continue
		}
		if err := s.Undo(ctx); err != nil {
			i.Say("it can't be undone: " + err.Error())
			return i.notUndone(why, moves)
		}
	}
	why.Reason += fmt.Sprintf("; nothing was %s, %s is as it was before", done, i.Name)
	if why.Status == 1 { // one that was interrupted has a status of its own
		why.Status = hostapi.AsBefore
	}
	return why
}

// removeBeside removes all that came beside. What can't be is for the next restore.
func (r *run) removeBeside(ctx context.Context) error {
	r.remove(ctx, r.moves, r.answers)
	return nil
}

// remove removes what a swap has not moved, or has moved back.
func (i *Instance) remove(ctx context.Context, s Swap, drop bool) {
	_ = i.Stack.Untry(ctx)
	left := []string{s.Beside, i.path(".trial.json"), i.path(".bring.restore"), i.path(".counted.restore")}
	if s.LiveDump != "" {
		left = append(left, filepath.Join(s.LiveDump, "restore"))
	}
	if i.LogArchive != "" {
		left = append(left, i.Archive().Recovery())
	}
	for _, path := range left {
		if err := os.RemoveAll(path); err != nil {
			i.Say(fmt.Sprintf("left, and removed by the next restore: %v", err))
		}
	}
	if drop && s.Database != "" {
		_ = i.Stack.Drop(ctx, s.Database)
	}
}

// movable makes sure that what takes the place of a folder can be renamed to it.
func (r *run) movable(context.Context) error {
	var disks []string
	for _, folder := range r.folders() {
		if r.MountPoint(r.path(folder)) {
			disks = append(disks, r.path(folder))
		}
	}
	if len(disks) == 0 {
		return nil
	}
	return die("unmount it, and have its files in the folder; all of "+r.Home+" may be on a disk of its own",
		"%s is a disk of its own, which no restore can put another in the place of", strings.Join(disks, ", "))
}

// adoptLock is locked by who adopts a copy, or waits for that, and has its name in it.
const adoptLock = ".adopt.lock"

// noteAdoption has nobody abandon the copy meanwhile.
func (r *run) noteAdoption(ctx context.Context) error {
	held, err := lock.Exclusive(ctx, r.path(adoptLock))
	if err := r.record.Keep(held, err); err != nil {
		return err
	}
	if err := held.File().Truncate(0); err != nil {
		return err
	}
	_, err = held.File().WriteString(r.asked.Copy + "\n")
	return err
}

// noteCopy writes down which copy it is, so that one that is killed is dropped.
func (r *run) noteCopy(context.Context) error {
	return r.Files.Append(r.path(".running.copy"), r.asked.Copy)
}

// choose opens the repository, which it has from the mirror if it is gone, and finds the snapshot.
func (r *run) choose(ctx context.Context) error {
	repository := r.With(r.path(".restic_password"))
	if _, err := os.Stat(filepath.Join(r.Settings.Repository, "config")); repository.Here() && err != nil {
		err := r.Fetch(ctx)
		if errors.Is(err, backup.ErrNoMirror) {
			why := ""
			if err != backup.ErrNoMirror { // there is more to say
				why = ": " + err.Error()
			}
			return die("is its disk mounted?", "the repository %s is gone, and no mirror has it%s", repository.Shown(), why)
		}
		if err != nil {
			return err
		}
	}
	if err := r.record.Open(ctx); err != nil {
		return err
	}
	return r.find(ctx)
}

func (r *run) pick(ctx context.Context) error {
	all, err := r.record.Snapshots(ctx)
	if err != nil {
		return err
	}
	// By when they were made, one that was made while the clock was ahead would be the latest for as long as it was.
	made, err := r.Ledger.LastSnapshot()
	if err != nil {
		return err
	}
	now := r.Now()
	for _, s := range slices.Backward(all) {
		good := r.asked.Wanted == "latest" || strings.HasPrefix(s.ID, r.asked.Wanted)
		if !r.asked.At.IsZero() {
			good = !s.Time.After(r.asked.At)
		}
		if !good || s.Unchecked {
			continue
		}
		if r.asked.Wanted == "latest" && s.Time.After(now) && made != "" && backup.Short(s.ID) != made {
			r.Say(fmt.Sprintf("not the latest is snapshot %s: its time, %s, is yet to come, and the last backup made %s",
				backup.Short(s.ID), s.Time.UTC().Format("2006-01-02 15:04 UTC"), made))
			continue
		}
		r.record.Snapshot = s.ID
		return nil
	}
	if len(all) == 0 {
		return die(filepath.Join(r.Home, "backup.sh")+" makes one", "there is no snapshot of %s yet", r.Name)
	}
	return die(listed, "there is no such snapshot of %s", r.Name)
}

// prepare waits for PostgreSQL, and removes what runs that were killed have left.
func (r *run) prepare(ctx context.Context) (err error) {
	if err := r.Stack.Ready(ctx); err != nil {
		return err
	}
	r.answers = true
	if r.moves.LiveDump, err = r.Stack.DumpFolder(ctx); err != nil {
		return err
	}
	return r.Leftovers(ctx, r.moves.LiveDump)
}

// room makes sure that what comes beside has room there.
func (r *run) room(ctx context.Context) (err error) {
	if copied := r.asked.Copy; copied != "" {
		is, err := r.Stack.Server().Has(ctx, copied)
		if err != nil {
			return err
		}
		if !is {
			return die("", "there is no database %s", copied)
		}
		r.bytes, err = r.Stack.Server().SizeOf(ctx, copied)
		r.record.Fact("bytes", r.bytes)
		return err
	}
	var dump, recovery int64
	all := map[string]int64{}
	if r.record.Snapshot != "" {
		if dump, all, err = r.weigh(ctx); err != nil {
			return err
		}
	}
	if r.log != nil {
		if recovery, err = r.needs(ctx); err != nil {
			return err
		}
		dump = recovery / 2 // rows without their indexes
	}
	if !r.database() {
		dump = 0
	}
	var folders int64
	for _, folder := range r.moves.Folders {
		folders += all[folder]
	}
	need := r.besides(dump, folders)
	if r.log != nil {
		need[r.LogArchive] += recovery
	}
	if err := r.Enough(need); err != nil {
		return err
	}
	r.bytes = dump + folders
	r.record.Fact("bytes", r.bytes)
	return nil
}

// weigh asks restic how many bytes the snapshot has of the dump, with a few small files, and of each folder.
func (r *run) weigh(ctx context.Context) (dump int64, folders map[string]int64, err error) {
	folders = map[string]int64{}
	err = r.Repository.Files(ctx, r.record.Snapshot, func(path string, size int64) {
		for _, folder := range r.Folders {
			if strings.Contains(path, "/"+folder+"/") {
				folders[folder] += size
				return
			}
		}
		dump += size
	})
	return dump, folders, err
}

// loaded is about what a database takes whose dump, uncompressed, has so many bytes: the rows and their indexes, and
// the log of writing them (WAL, of which there is about 1 GiB at a time). PostgreSQL ends where its disk is full, the
// live one too.
func loaded(dump int64) int64 { return 2*dump + min(dump, 1<<30) }

// besides is the room that what comes beside takes, by the folders that it comes into.
func (r *run) besides(dump, folders int64) map[string]int64 {
	data := r.path("postgres/data")
	if _, err := os.Stat(data); err != nil {
		data = r.Home
	}
	need := map[string]int64{data: loaded(dump)}
	need[r.moves.LiveDump] += dump
	need[r.Home] += folders
	return need
}

// restoreBeside restores the snapshot into new folders and a new database. The database is restored
// while the folders still come.
func (r *run) restoreBeside(ctx context.Context) error {
	if r.asked.Copy == "" && r.record.Snapshot != "" {
		r.Say(fmt.Sprintf("restoring snapshot %s beside what runs: %s",
			backup.Short(r.record.Snapshot), backup.Human(r.bytes)))
	}
	if err := os.Mkdir(r.moves.Beside, 0o700); err != nil {
		return err
	}
	if r.asked.Copy != "" {
		return nil
	}
	fetching, stop := context.WithCancel(ctx)
	defer stop()
	folders := make(chan error, 1)
	if len(r.moves.Folders) > 0 {
		go func() {
			folders <- r.Repository.Restore(fetching, r.record.Snapshot,
				restic.Restore{Target: r.moves.Beside, Include: r.included()})
		}()
	} else {
		folders <- nil
	}
	if r.database() {
		if err := r.bringBeside(ctx, "restore"); err != nil {
			stop()
			<-folders
			return err
		}
	}
	s := r.fetched(r.moves.Beside, filepath.Join(r.moves.LiveDump, "restore"))
	err := <-folders
	s.Stop()
	if err != nil {
		return r.unread("the folders", err)
	}
	for _, folder := range r.moves.Folders {
		if err := partIn(r.moves.Beside, r.moves.Beside, folder, r.record.Snapshot); err != nil {
			return err
		}
	}
	// What of the dump is still in memory never has to be written.
	return os.RemoveAll(filepath.Join(r.moves.LiveDump, "restore"))
}

// unread is the failure where restic can't restore. What it says are names of people's files.
func (i *Instance) unread(what string, err error) error {
	return die(i.path("backup.sh")+" repair takes from the mirror what is damaged here; look at the disk: dmesg, smartctl",
		"%s can't be read from the repository: %v", what, err)
}

// fetched says now and then how much of the snapshot is there.
func (r *run) fetched(folders ...string) *backup.Shower {
	begun := time.Now()
	return r.Showing(func() string {
		return "fetched " + backup.Far(dump.Size(folders...), r.bytes, time.Since(begun))
	})
}

// bringBeside makes the database beside the live one and fills it with the snapshot's, by way of a
// folder in the one that PostgreSQL has as /dump, which the caller removes.
func (r *run) bringBeside(ctx context.Context, name string) error {
	there := filepath.Join(r.moves.LiveDump, name)
	if err := os.Mkdir(there, 0o700); err != nil {
		return err
	}
	folder := filepath.Join(there, "dump")
	var err error
	if r.log != nil {
		err = r.recoverInto(ctx, folder)
	} else {
		folder, err = r.dumpFrom(ctx, there)
	}
	if err != nil {
		return err
	}
	if err := ShowAll(there); err != nil {
		return err
	}
	inside, err := filepath.Rel(r.moves.LiveDump, folder)
	if err != nil {
		return err
	}
	r.Say("restoring the database beside the live one")
	return r.fill(ctx, r.Stack.Server(), folder, filepath.Join("/dump", inside))
}

// dumpFrom has the snapshot's dump in a folder, and returns where it is there.
func (r *run) dumpFrom(ctx context.Context, there string) (string, error) {
	s := r.fetched(r.moves.Beside, there)
	var exclude []string
	for _, folder := range r.Folders {
		exclude = append(exclude, "/"+folder, r.path(folder))
		if folder == "mrsattachments" { // of a home that was another one
			exclude = append(exclude, folder)
		}
	}
	err := r.Repository.Restore(ctx, r.record.Snapshot, restic.Restore{Target: there, Exclude: exclude})
	s.Stop()
	if err != nil {
		return "", r.unread("the dump", err)
	}
	return dumpIn(there, r.record.Snapshot)
}

// fill makes the database and loads a dump into it, which the server has in another folder; and says now and then how
// far that is.
func (r *run) fill(ctx context.Context, server Server, folder, inside string) (err error) {
	r.properties, err = r.Fill(ctx, server, dump.Load{Folder: folder, Inside: inside, Database: r.moves.Database})
	return err
}

// Fill is fill, of a load that names its folders and its database. It returns the properties of the one dumped.
func (i *Instance) Fill(ctx context.Context, server Server, load dump.Load) (properties string, err error) {
	load.Was, load.Jobs, load.Say = i.Database, jobs(), i.Say
	if properties, err = load.Properties(); err != nil {
		return "", err
	}
	there := load.Database == load.Was // a drill's own: the empty one that the image has made, which sorts as that does
	if there && properties != "" {
		if err := server.Drop(ctx, load.Database); err != nil {
			return "", err
		}
	}
	if !there || properties != "" {
		said, err := server.Create(ctx, load.Database, properties)
		i.sayAll(said)
		if err != nil {
			return "", err
		}
	}
	s := i.Showing(func() string {
		asked, cancel := context.WithTimeout(ctx, 5*time.Second)
		defer cancel()
		n, err := server.SizeOf(asked, load.Database)
		if err != nil {
			return ""
		}
		return "restored " + backup.Human(n) + " of the database"
	})
	defer s.Stop()
	return properties, load.Run(ctx, server)
}

func (i *Instance) sayAll(lines []string) {
	for _, line := range lines {
		i.Say(line)
	}
}

// jobs is how much PostgreSQL does at once.
func jobs() int { return min(max(runtime.NumCPU(), 2), 4) }

// try tries the application on what came beside. Meanwhile the database is analyzed.
func (r *run) try(ctx context.Context) error {
	if !r.database() {
		return nil
	}
	on := "it"
	if r.asked.Copy != "" {
		on = r.asked.Copy
	}
	r.Say("trying the application on " + on)
	stack := r.Stack
	both, stop := context.WithCancel(ctx)
	defer stop()
	analyzed := make(chan error, 1)
	go func() { analyzed <- stack.Server().Analyze(both, r.moves.Database, jobs()) }()
	if err := r.runsOn(ctx); err != nil {
		stop()
		<-analyzed
		return err
	}
	if err := <-analyzed; err != nil {
		if ctx.Err() == nil {
			r.Say(err.Error())
		}
		return die("", "the database can't be analyzed")
	}
	return nil
}

// runsOn makes sure that the application runs on it.
func (r *run) runsOn(ctx context.Context) error {
	trial := filepath.Join(r.moves.Beside, "trial")
	if err := os.Mkdir(trial, 0o700); err != nil {
		return err
	}
	// What is not restored stays as it is, and is not there to be tried.
	for _, folder := range r.moves.Folders {
		if err := os.Symlink(filepath.Join(r.moves.Beside, folder), filepath.Join(trial, folder)); err != nil {
			return err
		}
	}
	stack := r.Stack
	container, err := stack.Try(ctx, trial, r.moves.Database)
	if err != nil {
		r.SayWhy(ctx, err)
		return die("", "the application can't be started on it")
	}
	// The command takes as long as the application does to start, which rarely has anything to migrate.
	early, stop := context.WithCancel(ctx)
	var opening sync.WaitGroup
	defer opening.Wait()
	defer stop()
	var closed error
	if r.asked.Copy != "" {
		opening.Go(func() { closed = r.Application.Developers(early, container) })
	}
	if err := r.Well(ctx, container, stack.Server(), r.moves.Database); err != nil {
		return err
	}
	if r.asked.Copy == "" {
		r.untry(ctx)
		return nil
	}
	// It is to be what the live one is, but for its data.
	properties, err := stack.Server().Properties(ctx)
	if err != nil {
		return err
	}
	said, err := stack.Server().Bring(ctx, r.moves.Database, properties)
	r.sayAll(said)
	if err != nil {
		return err
	}
	if opening.Wait(); closed != nil {
		closed = r.Application.Developers(ctx, container)
	}
	if closed == nil {
		closed = r.Application.LetsIn(ctx, container)
	}
	if closed != nil {
		return fmt.Errorf("it is not open to dev with the password dev: %w", closed)
	}
	r.untry(ctx)
	return nil
}

// untry begins to remove what the application was tried in. It is in nobody's way until the databases are renamed.
func (r *run) untry(ctx context.Context) {
	r.untrying.Go(func() { r.untried = r.Stack.Untry(ctx) })
}

// SayWhy says what a program has complained of, in at most five lines.
func (i *Instance) SayWhy(ctx context.Context, err error) {
	if ctx.Err() != nil {
		return
	}
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	i.sayAll(lines[max(0, len(lines)-5):])
}

// Well makes sure that the application in a container runs well on a database.
func (i *Instance) Well(ctx context.Context, container string, server Server, database string) error {
	err := i.Application.Well(ctx, container, server.ContainerID(), database)
	if err == nil || ctx.Err() != nil {
		return err
	}
	i.sayAll(i.Application.Log(ctx, container))
	return fmt.Errorf("the application does not run well on it: %w", err)
}

// lead has folders of the spooler without a file in them beside, and waits until no job is near.
func (r *run) lead(ctx context.Context) error {
	if !r.database() {
		return nil
	}
	// What waits to be mailed names rows of the database that goes: in another one it would be somebody else's.
	if _, err := os.Stat(r.path("spooler")); err == nil {
		if err := SameFolders(r.path("spooler"), filepath.Join(r.moves.Beside, "spooler")); err != nil {
			return err
		}
		r.moves.Folders = append(r.moves.Folders, "spooler")
	}
	if r.Jobs {
		// Where that can't be known, it is not waited for.
		_ = r.Application.Moment(ctx, r.Stack.Application(ctx))
	}
	return nil
}
