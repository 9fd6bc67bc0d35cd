package restore

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
	"github.com/betagouv/mrs-ops/internal/hostside/place"
)

// swapFile is there while a swap moves things.
const swapFile = ".restore.swap"

// doneFile is what the swap's file is called once it is done, until that is written down.
const doneFile = ".restore.done"

// pixel is the picture of a single pixel, which a copy's rows may name.
const pixel = "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="

const picture = "mrsattachments/1x1.png"

// swap puts what came beside in the place of what is there, in an order that can be undone at
// every moment: what was there has its dated name if and only if it was moved.
func (r *run) swap(ctx context.Context) error {
	r.Say("swapping")
	r.moves.Placeholder = r.asked.Copy != "" && !r.is(picture)
	r.moves.Restarts = cmp.Or(r.Stack.Restarts(ctx), r.moves.Restarts)
	r.moves.Snapshot, r.moves.Only, r.moves.Properties = r.record.Snapshot, r.asked.Only, r.properties
	if err := r.standIn(); err != nil {
		return err
	}
	if err := r.WriteDown(r.moves); err != nil {
		return err
	}
	// Killed from here on, it is for [Instance.Recover].
	return backup.Do(ctx, func(ctx context.Context) error { return r.Stack.Policy(ctx, "no") },
		r.Stack.Stop, r.moveIn, r.start, r.Commit)
}

// standIn has an empty folder be where one that is replaced is gone, so that it can be moved as all are.
func (r *run) standIn() error {
	for _, folder := range r.moves.Folders {
		if r.is(folder) {
			continue
		}
		comes, err := os.Stat(filepath.Join(r.moves.Beside, folder))
		if err != nil {
			return err
		}
		if err := os.Mkdir(r.path(folder), 0o700); err != nil {
			return err
		}
		if err := place.Like(r.path(folder), comes); err != nil {
			return err
		}
	}
	return nil
}

// WriteDown has the journal on the disk. It has its name once it is whole, and so is all that is
// to be moved; until then it goes with all that is beside.
func (i *Instance) WriteDown(s Swap) error {
	next := filepath.Join(s.Beside, "swap")
	if err := i.Files.Write(next, []byte(s.String())); err != nil {
		return err
	}
	if err := i.Files.Sync(s.Beside); err != nil {
		return err
	}
	return i.Files.Rename(next, i.path(swapFile))
}

func (r *run) moveIn(ctx context.Context) error {
	if r.untrying.Wait(); r.untried != nil {
		return r.untried
	}
	if r.database() {
		err := r.Stack.Server().Rename(ctx, dump.Rename{From: r.Database, To: r.moves.Kept},
			dump.Rename{From: r.moves.Database, To: r.Database})
		if err != nil {
			return fmt.Errorf("the databases can't be renamed: %w", err)
		}
	}
	return r.MoveIn(r.moves)
}

// MoveIn has folders, and what else a swap moves, take the places of what is there.
func (i *Instance) MoveIn(s Swap) error {
	for _, folder := range s.Folders {
		if err := i.Files.Rename(i.path(folder), i.path(folder+"."+s.Stamp)); err != nil {
			return err
		}
		if err := i.Files.Rename(filepath.Join(s.Beside, folder), i.path(folder)); err != nil {
			return err
		}
	}
	for _, m := range s.Moves {
		if err := i.Files.Rename(i.path(m.Path), i.path(s.Dated(m))); err != nil {
			return err
		}
		if err := i.Files.Rename(i.path(m.From), i.path(m.Path)); err != nil {
			return err
		}
	}
	return nil
}

// start starts the application on it, and makes sure that it runs well.
func (r *run) start(ctx context.Context) error {
	if err := r.StartOn(ctx, r.moves); err != nil || !r.moves.Placeholder {
		return err
	}
	return r.putPixel()
}

// StartOn starts the application on what was moved in, and makes sure that it runs well.
func (i *Instance) StartOn(ctx context.Context, s Swap) error {
	if err := i.Files.Append(i.path(swapFile), "started=yes"); err != nil {
		return err
	}
	if err := i.Stack.Policy(ctx, s.Restarts); err != nil {
		return err
	}
	again := i.Stack.Resume
	if len(s.Moves) > 0 { // another docker-compose.yml, and its PostgreSQL
		again = func(ctx context.Context) error { return i.Stack.Start(ctx, false) }
	}
	if err := again(ctx); err != nil {
		i.SayWhy(ctx, err)
		return die("", "the stack does not start on it")
	}
	return i.Well(ctx, i.Stack.Application(ctx), i.Stack.Server(), i.Database)
}

// Await waits until visitors get an answer, once nothing is undone any more: the load balancer knows the application
// a moment after it has started.
func (i *Instance) Await(ctx context.Context) {
	if err := i.Application.Visited(ctx); err != nil {
		i.Say("visitors do not get there yet: " + err.Error())
	}
}

// putPixel has the picture there, as the folder's owner has his files. The folder is the application's, and we are
// root: where something has come to be there since, be it a link, it is left alone.
func (r *run) putPixel() error {
	content, err := base64.StdEncoding.DecodeString(pixel)
	if err != nil {
		return err
	}
	name, file := filepath.Split(picture)
	folder, err := os.OpenRoot(r.path(name))
	if err != nil {
		return err
	}
	defer folder.Close()
	info, err := folder.Stat(".")
	if err != nil {
		return err
	}
	put, err := folder.OpenFile(file, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o640)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	_, err = put.Write(content)
	if err == nil {
		err = put.Chmod(0o640) // whatever the umask
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok && err == nil {
		err = put.Chown(int(owner.Uid), int(owner.Gid))
	}
	return errors.Join(err, put.Close())
}

// Commit ends the swap: from here on it is done.
func (i *Instance) Commit(context.Context) error {
	if err := i.endSwap(i.Files.Rename(i.path(swapFile), i.path(doneFile))); err != nil {
		return err
	}
	i.Deafen()
	return nil
}

// Forget removes what tells that a swap is done, once that is written down. Alone, it means nothing.
func (i *Instance) Forget() { _ = i.Files.Remove(i.path(doneFile)) }

// Unswap undoes the swap, if it has begun.
func (i *Instance) Unswap(ctx context.Context) error {
	if !i.InSwap() {
		return nil
	}
	s, err := i.readSwap(swapFile)
	if err == nil {
		err = i.undoSwap(ctx, s)
	}
	return err
}

var errNotUnderstood = errors.New("can't be understood")

func (i *Instance) readSwap(name string) (Swap, error) {
	text, err := os.ReadFile(i.path(name))
	if err != nil {
		return Swap{}, err
	}
	s, err := parseSwap(string(text), i.Folders...)
	if err == nil && filepath.Dir(s.Beside) != i.Home {
		err = fmt.Errorf("%s is not in %s", s.Beside, i.Home)
	}
	if err != nil {
		return Swap{}, fmt.Errorf("%s %w: %w", i.path(name), errNotUnderstood, err)
	}
	return s, nil
}

// undoSwap puts back what a swap has moved, and starts it. The error is nil once all of it is back, be it healthy or
// not; it may be done more than once.
func (i *Instance) undoSwap(ctx context.Context, s Swap) error {
	i.Say("undoing")
	// Nothing is moved below one that still writes, or that the engine starts after a loss of power.
	if err := i.Stack.Policy(ctx, "no"); err != nil {
		return err
	}
	if err := i.Stack.Stop(ctx); err != nil {
		return err
	}
	if s.Placeholder {
		if err := os.Remove(i.path(picture)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	for _, folder := range s.Folders {
		if !i.is(folder + "." + s.Stamp) {
			continue
		}
		if i.is(folder) {
			if err := os.MkdirAll(s.Beside, 0o700); err != nil {
				return err
			}
			if err := i.Files.Rename(i.path(folder), filepath.Join(s.Beside, folder+".undone")); err != nil {
				return err
			}
		}
		if err := i.Files.Rename(i.path(folder+"."+s.Stamp), i.path(folder)); err != nil {
			return err
		}
	}
	if err := i.moveBack(ctx, s); err != nil {
		return err
	}
	if err := i.Stack.StartServer(ctx); err != nil {
		return err
	}
	moved, err := i.has(ctx, s.Kept)
	if err != nil {
		return err
	}
	if moved {
		err := i.Stack.Server().Rename(ctx, dump.Rename{From: i.Database, To: s.Database},
			dump.Rename{From: s.Kept, To: i.Database})
		if err != nil {
			return err
		}
	}
	if err := i.Stack.Policy(ctx, s.Restarts); err != nil {
		return err
	}
	if err := i.startAgain(ctx); err != nil {
		return err
	}
	// As long as it is written down, the next one does what of this is not done.
	if err := i.keepUndone(ctx, s); err != nil {
		return err
	}
	if err := i.endSwap(i.Files.Remove(i.path(swapFile))); err != nil {
		return err
	}
	if err := i.Stack.Start(ctx, true); err != nil {
		i.Say("not all that runs is healthy, as it was not before, maybe: " + err.Error())
	}
	return nil
}

// has reports whether there is a database of that name; of none, there is not.
func (i *Instance) has(ctx context.Context, name string) (bool, error) {
	if name == "" {
		return false, nil
	}
	return i.Stack.Server().Has(ctx, name)
}

// moveBack has the data folder of PostgreSQL, and what goes with it, be where it was.
func (i *Instance) moveBack(ctx context.Context, s Swap) error {
	if !slices.ContainsFunc(s.Moves, func(m Move) bool { return i.is(s.Dated(m)) }) {
		return nil
	}
	if err := i.Stack.StopServer(ctx); err != nil {
		return err
	}
	for _, m := range slices.Backward(s.Moves) {
		if !i.is(s.Dated(m)) {
			continue
		}
		if i.is(m.Path) {
			if err := i.Files.Rename(i.path(m.Path), i.path(m.From)); err != nil {
				return err
			}
		}
		if err := i.Files.Rename(i.path(s.Dated(m)), i.path(m.Path)); err != nil {
			return err
		}
	}
	return nil
}

// keepUndone puts away what people may have used, once it is moved back: it goes only when somebody says so. What was
// adopted is somebody else's, and is not kept. It may be done more than once.
func (i *Instance) keepUndone(ctx context.Context, s Swap) error {
	if !s.Started || i.isCopy(s.Database) {
		return nil
	}
	var kept []string
	if folder := "undone." + s.Stamp; i.is(filepath.Base(s.Beside)) {
		if err := i.Files.Rename(s.Beside, i.path(folder)); err != nil {
			return err
		}
		kept = append(kept, folder)
	}
	is, err := i.has(ctx, s.Database)
	if err != nil {
		return err
	}
	if is {
		undone := fmt.Sprintf("%s_undone_%s", i.Database, strings.ToLower(s.Stamp))
		if err := i.Stack.Server().Rename(ctx, dump.Rename{From: s.Database, To: undone}); err != nil {
			return err
		}
		kept = append(kept, "database "+undone)
	}
	if len(kept) > 0 {
		i.Say(fmt.Sprintf("kept, as the site had been started on it: %s; restore.sh discard %s",
			strings.Join(kept, ", "), s.Stamp))
	}
	return nil
}

// startAgain starts what was there before. Whether that is well is not asked: it may be why somebody restores.
func (i *Instance) startAgain(ctx context.Context) error {
	err := i.Stack.Start(ctx, false)
	if err != nil && i.Stack.Application(ctx) != "" {
		i.Say("not all of it starts: " + err.Error())
		return nil
	}
	return err
}

// endSwap judges the error of what was to end the swap.
func (i *Instance) endSwap(err error) error {
	if err != nil && i.InSwap() {
		return err
	}
	if err != nil {
		i.Say("that the swap has ended may be forgotten, if the power goes now: " + err.Error())
	}
	return nil
}

// notUndone adds to why something failed that not all could be put back, and where it is.
func (i *Instance) notUndone(why *backup.Failure, s Swap) *backup.Failure {
	if why.Reason != "" {
		why.Reason += "; "
	}
	why.Reason += "NOT all could be put back, and nothing more is touched"
	why.Status = 1 // also of one that was interrupted
	there := s.aside()
	if s.Kept != "" {
		there = strings.TrimSuffix("database "+s.Kept+" and "+there, " and ")
	}
	again := ""
	if i.Systemd.Booted() {
		again = "it is tried again every 30 s, or at once by "
	}
	why.Hint = fmt.Sprintf("what was there is %s; mend what is in the way (a full disk?): %s%s recover",
		there, again, i.path("restore.sh"))
	return why
}

// tidy removes what is not needed any more, and says what differs and what is set aside. Nothing of it is an error: the
// data are there.
func (r *run) tidy(ctx context.Context) {
	r.remove(ctx, r.moves, true)
	r.differing(ctx, r.Stack.Server())
	r.waiting()
	if r.asked.Copy != "" {
		r.forgetEarlier(ctx)
	}
}

// settle says what became of it.
func (r *run) settle() {
	if r.database() {
		r.Say("kept as it was: database " + r.moves.Kept)
	}
	if len(r.moves.Folders) > 0 {
		r.Say("kept as it was: " + r.moves.aside())
	}
	r.Say(fmt.Sprintf("once all is well: %s discard %s", r.path("restore.sh"), r.moves.Stamp))
	if r.asked.Copy != "" {
		r.Say(fmt.Sprintf("%s has adopted %s", r.Name, r.asked.Copy))
		return
	}
	differs := ""
	if len(r.differs) > 0 {
		differs = ", and differs from what was backed up: see above"
	}
	from := "from snapshot " + backup.Short(r.record.Snapshot)
	if r.log != nil {
		from = "to " + r.log.second()
	}
	r.Say(fmt.Sprintf("%s is restored %s%s", r.Name, from, differs))
}

// differing says what of the database is not as it was backed up, and has it in the record.
func (r *run) differing(ctx context.Context, server Server) {
	if r.properties == "" {
		return
	}
	differences, err := server.Settle(ctx, r.Database, r.properties)
	switch {
	case err != nil:
		r.differs = append(r.differs, "what differs can't be found out: "+err.Error())
		r.Say(r.differs[len(r.differs)-1])
	case len(differences) > 0:
		r.Say("what is not as it was backed up:")
		for _, line := range differences {
			r.Say("- " + line)
		}
		r.differs = append(r.differs, differences...)
	default:
		return
	}
	r.record.Fact("differs", strings.Join(r.differs, "; "))
}

// waiting says what waited to be mailed, and is set aside.
func (r *run) waiting() {
	if n, _ := countFiles(r.path("spooler." + r.moves.Stamp)); n > 0 {
		r.Say(fmt.Sprintf("%d mails or jobs were waiting to be done: with the database that they are of they are set aside, "+
			"in spooler.%s", n, r.moves.Stamp))
	}
}

// forgetEarlier removes what an earlier adoption has kept: one is. What a restore has kept is not its own.
func (r *run) forgetEarlier(ctx context.Context) {
	databases, err := r.Stack.Server().Beside(ctx, "before")
	if err != nil {
		r.Say("what earlier copies have kept can't be found: " + err.Error())
	}
	for _, earlier := range slices.DeleteFunc(databases, func(name string) bool { return name == r.moves.Kept }) {
		stamp := strings.ToUpper(earlier[strings.LastIndex(earlier, "_")+1:])
		// Its spooler first: without the database, nothing tells whose it is.
		if err := os.RemoveAll(r.path("spooler." + stamp)); err != nil {
			r.Say("left: " + err.Error())
			continue
		}
		_ = r.Stack.Drop(ctx, earlier)
	}
}
