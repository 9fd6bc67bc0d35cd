// Package upgrade has an instance's database run on a newer major version of PostgreSQL, and goes back.
//
// [run.plan] has all steps. What runs is dumped by the programs of the new version, loaded into a new data folder
// beside, and compared, and the application is tried on it: a rehearsal, while the site runs on, which finds what would
// fail, and how long the site will be away. Then the application ends, so that no row is written any more; the same is
// done once more, and the new folder takes the place of the old one, which is kept under a dated name.
//
// The swap is package restore's, and so are its journal and what undoes it: whoever finds .restore.swap after SIGKILL
// or a power cut undoes it. It must not know the engine's or PostgreSQL's commands: it asks [Host].
package upgrade

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
	"github.com/betagouv/mrs-ops/internal/hostside/pgversion"
	"github.com/betagouv/mrs-ops/internal/hostside/plan"
	"github.com/betagouv/mrs-ops/internal/hostside/restore"
)

// Host is what an upgrade asks of this host, beside what a restore does.
type Host interface {
	// Image has an image here, and returns which PostgreSQL it brings, and where in its containers that has its data.
	Image(ctx context.Context, image string) (version, data string, err error)
	// Live is the server that runs.
	Live(ctx context.Context) (Live, error)
	// Sessions are those of others than us in its database, by what PostgreSQL calls them.
	Sessions(ctx context.Context) ([]string, error)
	// Compose writes the stack's docker-compose.yml, with another image of the server, to a file.
	Compose(ctx context.Context, image, file string) error
	// Dump dumps the database of the server that runs into a folder, by the programs of an image.
	Dump(ctx context.Context, image, folder string) (dump.Made, error)
	// Configure has a new server be configured as the one that runs: who gets in, and what ALTER SYSTEM has set. It
	// returns what can't be, a sentence each. The server takes it up when it starts the next time.
	Configure(ctx context.Context, server restore.Server) (unfit []string, err error)
	// Superuser gives the superuser of a new server what the dump in a folder says of him: his password above all.
	Superuser(ctx context.Context, server restore.Server, folder string) error
	// Objects are those of the database of a server.
	Objects(ctx context.Context, server restore.Server) (Objects, error)
	// Written are the tables of the server that runs into which something was written since another state of them.
	Written(ctx context.Context, since Written) ([]string, int64, error)
	// End ends a new server as it has to be ended: all that it has is in its folder then. It returns that folder.
	End(ctx context.Context, server restore.Server) (folder string, err error)
	// Release keeps what runs now as a release.
	Release(ctx context.Context, what string) error
}

// Live is the server that runs.
type Live struct {
	Image   string // as the stack has it
	Version string // of its data folder
	Data    string // the folder, of the host
	Inside  string // the same, in the container
	Bytes   int64  // of the database
	// Unfit is what a dump of the database would not have, a sentence each.
	Unfit []string
}

// Objects are what a database has beside its rows, a line each; Moving of them, what changes as long as it is used.
type Objects struct {
	Fixed, Moving []string
	Written       Written
}

// Written is a state of the tables of a database: how many rows each has, and the transaction that comes next.
type Written struct {
	Next   int64            `json:"next"`
	Tables map[string]int64 `json:"tables"`
}

// Request is what was asked for: an image, or to go back from the last one.
type Request struct {
	Image string
	Back  bool
	Lose  bool // what was written since
}

// kept is what is written down of an upgrade, in upgrade.STAMP: what going back has to know.
type kept struct {
	From    string  `json:"from"`    // the images
	To      string  `json:"to"`      //
	Version string  `json:"version"` // that To brings
	Data    string  `json:"data"`    // the data folder, below the home
	Written Written `json:"written"`
}

// Instance is one that is upgraded.
type Instance struct {
	*restore.Instance
	Host Host
	// Backup makes a snapshot as a part of a run that has the locks ([backup.Instance.Within]).
	Backup func(ctx context.Context, cause string) (snapshot string, err error)
}

func die(hint, format string, args ...any) error {
	return &backup.Failure{Reason: fmt.Sprintf(format, args...), Hint: hint, Status: 1}
}

// Parse reads what was asked for: IMAGE, or back [lose].
func Parse(argv []string) (q Request, err error) {
	switch {
	case slices.Equal(argv, []string{"back"}), slices.Equal(argv, []string{"back", "lose"}):
		return Request{Back: true, Lose: len(argv) > 1}, nil
	case len(argv) == 1 && hostapi.IsImage(argv[0]):
		return Request{Image: argv[0]}, nil
	}
	return q, die("restore.sh upgrade postgres:15, or restore.sh upgrade back", "%q is no image", strings.Join(argv, " "))
}

// run is an upgrade that is at work.
type run struct {
	*Instance
	record  *backup.Run
	asked   Request
	live    Live
	kept    kept
	moves   restore.Swap
	beside  restore.Stack
	closed  time.Time // when the application was ended
	since   string    // the stamp of the upgrade that is gone back from
	written int64
}

// plan is all that is done, in this order. Whatever fails, what has begun is undone, the last first.
func (r *run) plan() []plan.Step {
	beside := r.moves.Beside + " is removed; what runs was not touched"
	end := plan.To("wait for a minute without jobs, and end the application", r.close, r.Unswap).
		By(plan.Lines("# how it is undone is written to .restore.swap",
			"docker update --restart no DJANGO; docker compose stop")).
		Back("the folders are where they were, and the application is started on them; also after a kill or a power cut, " +
			"by " + r.path("restore.sh") + " recover, which systemd runs")
	if r.asked.Back {
		return []plan.Step{
			plan.To("see that the old data folder is there", r.checkBack, r.removeBeside).Back(beside),
			plan.To("see what was written since", r.count, nil),
			end,
			plan.To("see once more what was written, and save it as a snapshot", r.save, nil),
			plan.To("swap the old folder in", r.swap, nil).By(r.swapCommands),
		}
	}
	return []plan.Step{
		plan.To("see that PostgreSQL can be upgraded", r.check, nil),
		plan.To("see that there is room", r.room, nil),
		plan.To("back up", r.backup, nil).By(plan.Lines("# as backup.sh does")),
		plan.To("rehearse it beside what runs", r.rehearse, r.removeBeside).By(r.rehearseCommands).Back(beside),
		end,
		plan.To("dump, load and compare what is there now", r.loadLast, nil).By(r.loadCommands),
		plan.To("swap the new folder in", r.swap, nil).By(r.swapCommands),
	}
}

// Run upgrades, or goes back. The error is *[backup.Failure].
func (i *Instance) Run(ctx context.Context, q Request) error {
	r := i.begun(q, i.Now().UTC().Format(hostapi.Stamp))
	defer r.record.Release() // once it is written down
	err := backup.Explain(ctx, backup.Do(ctx, func(ctx context.Context) error {
		return r.record.Keep(lock.Alone(ctx, r.Locks, r.Name, r.Say))
	}, r.record.TakeRepository, r.NoSwap, r.RecoverDone, r.record.Counts))
	if err == nil {
		err = r.do(ctx)
	}
	if err = r.record.Ends(context.WithoutCancel(ctx), err); err == nil {
		i.Forget()
	}
	return err
}

func (i *Instance) begun(q Request, stamp string) *run {
	r := &run{Instance: i, record: i.Begin(restore.Upgrade, ""), asked: q}
	folder := ".restore-" + stamp
	r.moves = restore.Swap{Stamp: stamp, Beside: i.path(folder), Restarts: "always", Only: "forward"}
	if _, err := os.Stat(i.path("spooler")); err == nil {
		r.moves.Folders = []string{"spooler"}
	}
	if q.Back {
		r.moves.Only = "back"
	}
	if q.Lose {
		r.moves.Only = "lose"
	}
	r.beside = i.As(filepath.Join(r.moves.Beside, composeFile))
	return r
}

const composeFile = "docker-compose.yml"

func (i *Instance) path(name string) string { return filepath.Join(i.Home, name) }

// do carries the plan out, or undoes it.
func (r *run) do(ctx context.Context) error {
	if begun, err := plan.Do(ctx, r.plan()); err != nil {
		return r.Undo(ctx, begun, err, r.moves, "upgraded")
	}
	// It is done, and who interrupts it comes too late.
	ctx = context.WithoutCancel(ctx)
	r.Await(ctx)
	r.Say(fmt.Sprintf("the site was away for %s", time.Since(r.closed).Round(time.Second)))
	if err := r.Settle(ctx, r.moves); err != nil {
		return die(r.path("restore.sh")+" recover does the rest", "PostgreSQL is swapped, but not all is tidied up: %v", err)
	}
	return nil
}

// removeBeside removes all that came beside. What can't be is for the next run.
func (r *run) removeBeside(ctx context.Context) error {
	err := r.Stack.Untry(ctx)
	if err = errors.Join(err, os.RemoveAll(r.moves.Beside)); err != nil {
		r.Say("left, and removed by the next run: " + err.Error())
	}
	return nil
}

// check makes sure that the image is a newer PostgreSQL, and that a dump has all that the server has.
func (r *run) check(ctx context.Context) error {
	if err := r.look(ctx); err != nil {
		return err
	}
	version, data, err := r.Host.Image(ctx, r.asked.Image)
	if err != nil {
		return err
	}
	below, err := filepath.Rel(r.Home, r.live.Data)
	var problems []string
	refuse := func(format string, args ...any) { problems = append(problems, fmt.Sprintf(format, args...)) }
	if !pgversion.Older(r.live.Version, version) {
		refuse("%s is PostgreSQL %s, no newer one than %s, which the data are of", r.asked.Image, version, r.live.Version)
	}
	if data != r.live.Inside {
		refuse("%s has its data in %s, and the stack's folder is %s", r.asked.Image, data, r.live.Inside)
	}
	here, e := r.Device(r.Home)
	there, e2 := r.Device(r.live.Data)
	if err != nil || !filepath.IsLocal(below) || r.MountPoint(r.live.Data) || e != nil || e2 != nil || here != there {
		refuse("%s can't be renamed: it is to be a folder below %s, on the same disk", r.live.Data, r.Home)
	}
	problems = append(problems, r.live.Unfit...)
	if len(problems) > 0 {
		return die("see what each is in docs/runbook.md; nothing was changed", "%s", strings.Join(problems, "; "))
	}
	r.kept = kept{From: r.live.Image, To: r.asked.Image, Version: version, Data: below}
	return nil
}

// room makes sure that the dump and the new folder have room, beside the old one; and says how long it may take.
func (r *run) room(context.Context) error {
	bytes := r.live.Bytes
	need := 2*bytes + bytes/5 + min(bytes, 1<<30) + 64<<20 // dump, rows and indexes, the log of writing them, a server
	if err := r.Enough(map[string]int64{r.Home: need}); err != nil {
		return err
	}
	r.record.Fact("bytes", bytes)
	r.Say(r.estimate())
	return nil
}

// pace is how much of a database is dumped, loaded and indexed in a second, on a slow disk.
const pace = 10 << 20

func (r *run) estimate() string {
	once := time.Duration(r.live.Bytes/pace+20) * time.Second
	return fmt.Sprintf("the database has %s: a rehearsal beside what runs, of about %s; then the site is away for "+
		"about as long, which the rehearsal tells better", backup.Human(r.live.Bytes), once)
}

// backup makes a snapshot. That the mirror has not got it is said.
func (r *run) backup(ctx context.Context) (err error) {
	r.record.Snapshot, err = r.Backup(ctx, restore.Upgrade)
	if f, ok := errors.AsType[*backup.Failure](err); ok && f.Status == hostapi.NotMirrored {
		r.Say(f.Reason)
		return nil
	}
	return err
}

// rehearse does all of it beside what runs, and tries the application on it.
func (r *run) rehearse(ctx context.Context) error {
	if err := os.Mkdir(r.moves.Beside, 0o700); err != nil {
		return err
	}
	if err := r.Host.Compose(ctx, r.asked.Image, filepath.Join(r.moves.Beside, composeFile)); err != nil {
		return err
	}
	r.Say("rehearsing: making a new data folder, of PostgreSQL " + r.kept.Version)
	server, err := r.start(ctx)
	if err != nil {
		return err
	}
	unfit, err := r.Host.Configure(ctx, server)
	if err != nil {
		return err
	}
	if len(unfit) > 0 {
		return die("alter system set NAME = 'VALUE' in the database that runs is taken along, what is in files is not",
			"the new server would not be configured as this one: %s", strings.Join(unfit, "; "))
	}
	if _, err := r.Host.End(ctx, server); err != nil {
		return err
	}
	began := time.Now()
	if server, err = r.load(ctx, false); err != nil {
		return err
	}
	took := time.Since(began)
	r.Say("trying the application on it")
	container, err := r.beside.RunDrill(ctx, r.moves.Beside)
	if err != nil {
		r.SayWhy(ctx, err)
		return die("", "the application can't be started on PostgreSQL %s", r.kept.Version)
	}
	err = backup.Do(ctx, func(ctx context.Context) error { return r.Well(ctx, container, server, r.Database) },
		func(ctx context.Context) error { return r.Application.Migrated(ctx, container) })
	if err != nil {
		return err
	}
	if _, err := r.Host.End(ctx, server); err != nil {
		return err
	}
	r.Say(fmt.Sprintf("rehearsed: from now on the site is away for about %s",
		(took + 20*time.Second).Round(time.Second)))
	return r.Stack.Untry(ctx)
}

func (r *run) start(ctx context.Context) (restore.Server, error) {
	server, err := r.beside.StartDrill(ctx, r.moves.Beside)
	if err != nil {
		r.SayWhy(ctx, err)
		err = die("", "PostgreSQL %s does not start", r.kept.Version)
	}
	return server, err
}

// load has the new server have what the one that runs has; still says that nobody writes there meanwhile.
func (r *run) load(ctx context.Context, still bool) (restore.Server, error) {
	server, err := r.start(ctx)
	if err != nil {
		return nil, err
	}
	folder := filepath.Join(r.moves.Beside, "dump")
	if err := errors.Join(dump.Remove(folder), os.MkdirAll(folder, 0o700)); err != nil {
		return nil, err
	}
	r.Say("dumping the database, by the programs of PostgreSQL " + r.kept.Version)
	if _, err := r.Host.Dump(ctx, r.asked.Image, folder); err != nil {
		return nil, err
	}
	if err := restore.ShowAll(folder); err != nil {
		return nil, err
	}
	r.Say("loading it into the new folder")
	properties, err := r.Fill(ctx, server, dump.Load{Folder: folder, Inside: "/dump", Database: r.Database})
	if err == nil {
		err = r.Host.Superuser(ctx, server, folder)
	}
	if err == nil {
		err = server.Analyze(ctx, r.Database, 2)
	}
	if err != nil {
		return nil, err
	}
	r.Say("comparing it")
	differs, err := server.Settle(ctx, r.Database, properties)
	if err != nil {
		return nil, err
	}
	was, err := r.Host.Objects(ctx, r.Stack.Server())
	if err != nil {
		return nil, err
	}
	is, err := r.Host.Objects(ctx, server)
	if err != nil {
		return nil, err
	}
	differs = append(differs, different(was.Fixed, is.Fixed)...)
	if still {
		differs = append(differs, different(was.Moving, is.Moving)...)
	}
	if len(differs) > 0 {
		for _, line := range differs {
			r.Say("- " + line)
		}
		return nil, die("see docs/runbook.md", "the database on PostgreSQL %s is not what it was: %s", r.kept.Version,
			strings.Join(differs[:min(5, len(differs))], "; "))
	}
	r.kept.Written = is.Written
	return server, nil
}

// different are the lines that only one of two has.
func different(was, is []string) (all []string) {
	for _, line := range was {
		if !slices.Contains(is, line) {
			all = append(all, "gone: "+line)
		}
	}
	for _, line := range is {
		if !slices.Contains(was, line) {
			all = append(all, "new: "+line)
		}
	}
	return all
}

// close ends the application. From here on the journal says how all is undone.
func (r *run) close(ctx context.Context) error {
	if r.Jobs {
		// Where that can't be known, it is not waited for.
		_ = r.Application.Moment(ctx, r.Stack.Application(ctx))
	}
	r.moves.Restarts = cmp.Or(r.Stack.Restarts(ctx), r.moves.Restarts)
	beside := filepath.Base(r.moves.Beside)
	r.moves.Moves = []restore.Move{
		{Path: r.kept.Data, From: filepath.Join(beside, "data")},
		{Path: composeFile, From: filepath.Join(beside, composeFile)},
	}
	if r.asked.Back {
		old := restore.Swap{Stamp: r.since}
		for n, m := range r.moves.Moves {
			r.moves.Moves[n].From = old.Dated(m)
		}
	}
	if err := os.MkdirAll(r.moves.Beside, 0o700); err != nil {
		return err
	}
	if err := r.WriteDown(r.moves); err != nil {
		return err
	}
	r.closed = time.Now()
	r.Say("the application ends: the site is away")
	// Killed from here on, it is for [restore.Instance.Recover].
	return backup.Do(ctx, func(ctx context.Context) error { return r.Stack.Policy(ctx, "no") }, r.Stack.Stop, r.alone)
}

// alone makes sure that nobody else writes into the database.
func (r *run) alone(ctx context.Context) error {
	others, err := r.Host.Sessions(ctx)
	if err == nil && len(others) > 0 {
		err = die("end them; pg_stat_activity tells more", "the database is used by others than the application: %s",
			strings.Join(others, ", "))
	}
	return err
}

// loadLast loads what is there now that nobody writes.
func (r *run) loadLast(ctx context.Context) error {
	server, err := r.load(ctx, true)
	if err != nil {
		return err
	}
	if err := r.alone(ctx); err != nil {
		return err
	}
	data, err := r.Host.End(ctx, server)
	if err != nil {
		return err
	}
	if below, err := filepath.Rel(r.Home, data); err != nil || below != r.moves.Moves[0].From {
		return fmt.Errorf("the new data folder is %s, and not where it was to be", data)
	}
	return r.Stack.Untry(ctx)
}

// swap has the folder that comes take the place of the one that is there, and the application run on it.
func (r *run) swap(ctx context.Context) error {
	r.Say("swapping")
	if len(r.moves.Folders) > 0 {
		// What waits to be mailed is done on what is swapped in, once that is sure; or with the database that goes.
		if err := restore.SameFolders(r.path("spooler"), filepath.Join(r.moves.Beside, "spooler")); err != nil {
			return err
		}
	}
	about, err := json.Marshal(r.kept)
	if err != nil {
		return err
	}
	r.moves.Properties, r.moves.Snapshot = string(about), r.record.Snapshot
	if err := os.MkdirAll(r.moves.Beside, 0o700); err != nil {
		return err
	}
	return backup.Do(ctx, func(context.Context) error { return r.WriteDown(r.moves) }, r.Stack.StopServer,
		func(context.Context) error { return r.MoveIn(r.moves) }, r.Stack.StartServer,
		func(ctx context.Context) error { return r.StartOn(ctx, r.moves) }, r.Commit)
}

// Settle writes down what came of a swap, and brings back the mails that wait. It may be done twice.
func (i *Instance) Settle(ctx context.Context, s restore.Swap) error {
	var about kept
	if err := json.Unmarshal([]byte(s.Properties), &about); err != nil {
		return fmt.Errorf("what was upgraded is not known: %w", err)
	}
	if s.Only != "lose" {
		if err := i.bringBack("spooler."+s.Stamp, "spooler"); err != nil {
			return err
		}
	}
	image, what := about.To, "upgrade to "+about.To
	if s.Only != "forward" {
		image, what = about.From, "back to "+about.From
		err := i.Files.Remove(i.path("upgrade" + filepath.Ext(s.Moves[0].From)))
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	} else if err := i.Files.Write(i.path("upgrade."+s.Stamp), []byte(s.Properties+"\n")); err != nil {
		return err
	}
	if err := i.Host.Release(ctx, what); err != nil {
		return err
	}
	if err := errors.Join(i.Stack.Untry(ctx), os.RemoveAll(s.Beside)); err != nil {
		return err
	}
	i.Say("kept as it was: " + i.path(s.Dated(restore.Move{Path: about.Data})))
	if s.Only == "lose" && len(s.Folders) > 0 {
		i.Say("with the rows that are lost, what waited to be mailed is set aside: spooler." + s.Stamp)
	}
	i.Say(fmt.Sprintf("once all is well: %s discard %s", i.path("restore.sh"), s.Stamp))
	i.Say(fmt.Sprintf("the env file is to say compose_%s_image=%s from now on: deployments refuse another version",
		i.Settings.Server, image))
	i.Say(fmt.Sprintf("%s runs on %s", i.Name, image))
	return nil
}

// bringBack has the files of a folder that was set aside be in the one that is there, which is the application's: no
// link in it leads us out of it. A file that is killed over is there twice rather than never.
func (i *Instance) bringBack(aside, there string) error {
	from, err := os.OpenRoot(i.path(aside))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	defer from.Close()
	to, err := os.OpenRoot(i.path(there))
	if err != nil {
		return err
	}
	defer to.Close()
	err = fs.WalkDir(from.FS(), ".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		content, err := from.ReadFile(path)
		if err != nil {
			return err
		}
		next, owner := path+".next", info.Sys().(*syscall.Stat_t)
		file, err := to.OpenFile(next, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, 0o600)
		if err != nil {
			return err
		}
		_, err = file.Write(content)
		err = errors.Join(err, file.Chown(int(owner.Uid), int(owner.Gid)), file.Chmod(info.Mode().Perm()), file.Sync(),
			file.Close())
		if err == nil {
			err = to.Rename(next, path)
		}
		if err == nil {
			err = from.Remove(path)
		}
		return err
	})
	if err == nil {
		err = os.RemoveAll(i.path(aside))
	}
	return err
}

// look sees what runs.
func (r *run) look(ctx context.Context) (err error) {
	if err = r.Stack.Ready(ctx); err == nil {
		r.live, err = r.Host.Live(ctx)
	}
	return err
}

// checkBack finds the last upgrade whose old folder is there.
func (r *run) checkBack(ctx context.Context) error {
	if err := r.look(ctx); err != nil {
		return err
	}
	found, err := filepath.Glob(r.path("upgrade.*"))
	if err != nil {
		return err
	}
	for _, path := range slices.Backward(found) {
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		var about kept
		if json.Unmarshal(text, &about) != nil || about.Version != r.live.Version || !filepath.IsLocal(about.Data) {
			continue
		}
		stamp := strings.TrimPrefix(filepath.Ext(path), ".")
		old := restore.Swap{Stamp: stamp}
		_, err = os.Stat(r.path(old.Dated(restore.Move{Path: composeFile})))
		if version, e := pgversion.Folder(r.path(old.Dated(restore.Move{Path: about.Data}))); err == nil && e == nil &&
			pgversion.Older(version, about.Version) {
			r.kept, r.since = about, stamp
			_, _, err := r.Host.Image(ctx, about.From) // it may be gone from here
			return err
		}
	}
	return die("restore.sh latest restores a snapshot, on this version or a newer one",
		"there is no way back: nothing of before an upgrade to PostgreSQL %s is kept", r.live.Version)
}

// count says what was written since the upgrade, and refuses to lose it unless that was asked for.
func (r *run) count(ctx context.Context) error {
	tables, n, err := r.Host.Written(ctx, r.kept.Written)
	if err != nil {
		return err
	}
	if r.written = n; len(tables) == 0 {
		r.Say("nothing was written since the upgrade")
		return nil
	}
	told := fmt.Sprintf("%d rows were written since the upgrade, in %s", n, strings.Join(tables, ", "))
	if !r.asked.Lose {
		return die("with -lose they are lost, and saved as a snapshot of PostgreSQL "+r.live.Version, "%s", told)
	}
	r.Say(told)
	return nil
}

// save counts again, now that nobody writes, and backs up.
func (r *run) save(ctx context.Context) error {
	if err := backup.Do(ctx, r.count, r.backup); err != nil {
		return err
	}
	if r.written > 0 {
		r.Say(fmt.Sprintf("they are in snapshot %s, which PostgreSQL %s or a newer one can restore",
			backup.Short(r.record.Snapshot), r.live.Version))
	}
	return nil
}
