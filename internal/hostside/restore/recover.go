package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
)

// Who asks to recover.
const (
	Boot  = "boot"  // the host has just started
	Again = "again" // somebody has asked before, and is not told every time
	Drill = "drill" // a drill has ended, however; nothing else is looked at
)

// undoing is how long another backup, prune or drill is waited for while a swap is to be undone.
const undoing = 10 * time.Minute

// Recover puts back what a restore that was killed has moved, and writes down which runs were
// killed. by is who asks; empty: a person, or a program. The error is *[backup.Failure].
func (i *Instance) Recover(ctx context.Context, by string) error {
	i.Deafen() // half undone is worse
	ctx = context.WithoutCancel(ctx)
	return backup.Explain(ctx, i.recover(ctx, by))
}

func (i *Instance) recover(ctx context.Context, by string) error {
	if by == Drill {
		return i.recoverDrill(ctx)
	}
	// The site may be down, which is not for who is at the repository to end; but nothing starts on half a swap.
	swapped := i.InSwap()
	var err error
	if by == Boot && !swapped {
		err = i.recreate(ctx)
	}
	err = errors.Join(err, i.recoverDrill(ctx), i.recoverAll(ctx, by))
	if by == Boot && swapped {
		err = errors.Join(err, i.recreate(ctx))
	}
	return err
}

// recoverDrill removes what a drill that was killed has left, which are all data of the instance. It waits for nobody
// who is at the repository: a drill has a lock of its own.
func (i *Instance) recoverDrill(ctx context.Context) error {
	if !i.is(".running.drill") && !i.is(".drill") {
		return nil
	}
	held, free, err := lock.TryFile(i.path(".drill.lock"))
	if err != nil || !free {
		return err
	}
	defer held.Close()
	if err := i.Stack.Engine(ctx); err != nil {
		return err
	}
	if err := i.removeDrill(ctx); err != nil {
		return die("", "what a drill that was killed has left can't be removed: %v", err)
	}
	return i.CutShort(ctx, "drill")
}

func (i *Instance) recoverAll(ctx context.Context, by string) error {
	held, err := i.takeToRecover(ctx, by)
	if err != nil && i.InSwap() {
		return i.swapRemains(ctx, by, err, true)
	}
	if err != nil || held == nil {
		return err
	}
	defer held.Close()
	if i.InSwap() {
		if err := i.recoverSwap(ctx, by); err != nil {
			return err
		}
	}
	if err := i.RecoverDone(ctx); err != nil {
		return err
	}
	return i.recoverRuns(ctx, by)
}

// takeToRecover takes the repository's lock; nil: whoever has it sees to all that there may be.
func (i *Instance) takeToRecover(ctx context.Context, by string) (*lock.File, error) {
	path := i.path(".backup.lock")
	held, free, err := lock.TryFile(path)
	switch {
	case err != nil || free:
		return held, err
	case i.InSwap():
		// Nobody undoes a swap but us, and nobody works on while there is one.
		ctx, cancel := context.WithTimeout(ctx, undoing)
		defer cancel()
		if held, err = lock.Exclusive(ctx, path); err != nil {
			err = die(i.path("restore.sh")+" recover",
				"a restore was cut short, and can't be undone while another backup, prune or drill is at work")
		}
		return held, err
	case by == Boot: // the next one is far
		return lock.Repository(ctx, i.Home, i.Name, i.Say)
	}
	return nil, nil
}

func (i *Instance) recoverSwap(ctx context.Context, by string) error {
	s, err := i.readSwap(swapFile)
	i.Say("the swap of a restore, or an upgrade, was cut short")
	if err == nil {
		err = i.Stack.Engine(ctx)
	}
	if err == nil {
		err = i.undoSwap(ctx, s)
	}
	if errors.Is(err, errNotUnderstood) { // for good
		hint := fmt.Sprintf("what was there has the date of %s behind its name, as database %s_DATE or %[2]s_before_DATE; "+
			"once that is renamed back: rm %[3]s", i.path(".restore-DATE"), i.Database, i.path(swapFile))
		return i.swapRemains(ctx, by, die(hint, "%v", err), false)
	}
	if err != nil {
		i.Say("it can't be undone: " + err.Error())
		reason := strings.ReplaceAll(err.Error(), "\n", "; ")
		return i.swapRemains(ctx, by, i.notUndone(&backup.Failure{Reason: reason, Status: 1}, s), true)
	}
	i.remove(ctx, s, true)
	i.Say(i.Name + " is as it was before")
	if by == Again {
		i.Announce(ctx, fmt.Sprintf("%s on %s: a restore that could not be undone is undone; it is as it was before",
			i.Name, i.Server))
	}
	return nil
}

// swapRemains tells that a swap is not undone, which systemd tries again where that can help, and returns why.
func (i *Instance) swapRemains(ctx context.Context, by string, why error, retry bool) error {
	if by == Again {
		return why
	}
	if retry && i.Systemd.Booted() {
		if err := i.Systemd.Retry(ctx); err != nil {
			i.Say("systemd does not try again")
		}
	}
	i.Announce(ctx, fmt.Sprintf("%s on %s: %s (docs/runbook.md)", i.Name, i.Server, why))
	return why
}

// RecoverDone tidies up after a restore that was killed once it was done, and writes down that it is.
func (i *Instance) RecoverDone(ctx context.Context) error {
	s, err := i.readSwap(doneFile)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	what, asked := s.What(), Request{Only: s.Only}
	if i.isCopy(s.Database) {
		what, asked.Copy = "copy", s.Database
	}
	cut := i.is(".running." + what)
	// Else that was written down already; or the power cut the file short, which was on the disk before it had its name.
	if (cut || what == Upgrade) && err == nil {
		if err := i.Stack.Engine(ctx); err != nil {
			return err
		}
		if err := i.Stack.Ready(ctx); err != nil {
			return err
		}
		r := &run{Instance: i, record: i.Resume(what), asked: asked, moves: s, properties: s.Properties}
		r.record.Snapshot = s.Snapshot
		if what == Upgrade {
			if err := i.Upgraded(ctx, i, s); err != nil {
				return err
			}
		} else {
			r.tidy(ctx)
			r.settle()
		}
		if !cut {
			return i.Files.Remove(i.path(doneFile))
		}
		if err := r.record.Ends(ctx, nil); err != nil {
			return err
		}
		i.Announce(ctx, fmt.Sprintf("%s on %s: a %s was cut short when it tidied up: it is done all the same",
			i.Name, i.Server, what))
	}
	return i.Files.Remove(i.path(doneFile))
}

// recreate brings up what docker-compose.yml says, where the power went while containers were being replaced, and
// nobody else has seen to it since: a deployment is waited for.
func (i *Instance) recreate(ctx context.Context) error {
	if !i.is(".recreating") {
		return nil
	}
	held, err := lock.Share(ctx, i.Locks, i.Name, i.Say)
	if err != nil {
		return err
	}
	defer held.Close()
	if !i.is(".recreating") || i.InSwap() {
		return nil
	}
	i.Say("the power went when the containers were being replaced: starting what docker-compose.yml says")
	if err := i.Stack.Engine(ctx); err != nil {
		return err
	}
	if err := i.Stack.Start(ctx, false); err != nil {
		return die("docker compose --file "+i.path("docker-compose.yml")+" up --detach", "the stack does not start")
	}
	return i.Files.Remove(i.path(".recreating"))
}

// recoverRuns writes down which runs were killed, and ends what they have left.
func (i *Instance) recoverRuns(ctx context.Context, by string) error {
	marks, err := filepath.Glob(i.path(".running.*"))
	if err != nil {
		return err
	}
	for _, mark := range marks {
		what := strings.TrimPrefix(filepath.Base(mark), ".running.")
		if name := i.copyAtWork(); what == "copy" && name != "" {
			if err := i.Stack.Engine(ctx); err != nil {
				return err
			}
			if i.Stack.Ready(ctx) == nil {
				_ = i.Stack.Drop(ctx, name)
			}
		}
		if what == Upgrade { // what it has started beside
			if err := errors.Join(i.Stack.Engine(ctx), i.Stack.Untry(ctx)); err != nil {
				return err
			}
		}
		// It has a lock of its own; and so has a drill, which is seen to.
		if what == "drill" || what == "lend" && !lock.Free(i.path(".lend.lock")) {
			continue
		}
		if err := i.CutShort(ctx, what); err != nil {
			return err
		}
		// The night it was for is not over.
		if what == "backup" && by == Boot {
			if err := i.Systemd.Start(ctx, i.Name+"-backup"); err != nil {
				return err
			}
		}
	}
	return nil
}

// copyAtWork is the copy that is being adopted, or was when that was killed; empty: none.
func (i *Instance) copyAtWork() string {
	text, _ := os.ReadFile(i.path(".running.copy"))
	lines := append(strings.Split(string(text), "\n"), "", "")
	if !i.isCopy(lines[1]) {
		return ""
	}
	return lines[1]
}

var dated = regexp.MustCompile(`\.[0-9]+T[0-9]+Z$`)

// Discard removes what a restore, or an adoption, has kept under a stamp. The error is *[backup.Failure].
func (i *Instance) Discard(ctx context.Context, stamp string) error {
	return backup.Explain(ctx, i.discard(ctx, stamp))
}

// keptAs are the kinds of databases that are kept.
var keptAs = []string{"", "before", "undone"}

func (i *Instance) discard(ctx context.Context, stamp string) error {
	if !aStamp.MatchString(stamp) {
		return refused("restore.sh discard STAMP; there are: "+strings.Join(i.stamps(ctx), " "), "which one?")
	}
	r := i.Begin("discard", "")
	defer r.Release()
	// What a restore that was cut short has moved is not kept: it is all that there is.
	if err := backup.Do(ctx, r.TakeRepository, r.NoSwap); err != nil {
		return err
	}
	// The folders first: their disk may be full, and PostgreSQL have ended of that.
	found := false
	kept, err := filepath.Glob(i.path("*." + stamp))
	for _, path := range kept {
		if !strings.HasPrefix(filepath.Base(path), ".") {
			found, err = true, errors.Join(err, os.RemoveAll(path))
		}
	}
	if err != nil {
		return err
	}
	if err := i.Stack.Ready(ctx); err != nil {
		return die(i.path("restore.sh")+" discard "+stamp+", once PostgreSQL answers",
			"the folders that were kept at %s are removed, its databases are not: %v", stamp, err)
	}
	for _, kind := range keptAs {
		name := i.Database + "_" + strings.ToLower(stamp)
		if kind != "" {
			name = i.Database + "_" + kind + "_" + strings.ToLower(stamp)
		}
		is, err := i.Stack.Server().Has(ctx, name)
		if err == nil && is {
			found, err = true, i.Stack.Drop(ctx, name)
		}
		if err != nil {
			return err
		}
	}
	if !found {
		return die("restore.sh discard tells what there is", "nothing is kept at %s", stamp)
	}
	i.Say("what was kept at " + stamp + " is removed")
	return nil
}

// stamps are the names of all that is kept: folders, and the databases, where PostgreSQL answers.
func (i *Instance) stamps(ctx context.Context) (all []string) {
	entries, _ := os.ReadDir(i.Home)
	for _, entry := range entries {
		if dated.MatchString(entry.Name()) {
			all = append(all, entry.Name())
		}
	}
	if err := i.Stack.Ready(ctx); err != nil {
		return append(all, "(and databases, which are not known: "+err.Error()+")")
	}
	for _, kind := range keptAs {
		names, err := i.Stack.Server().Beside(ctx, kind)
		if err != nil {
			return append(all, "(and databases, which are not known: "+err.Error()+")")
		}
		for _, name := range names {
			stamp := strings.ToUpper(name[strings.LastIndex(name, "_")+1:])
			if !slices.ContainsFunc(all, func(other string) bool { return strings.HasSuffix(other, "."+stamp) }) {
				all = append(all, "database."+stamp)
			}
		}
	}
	return all
}

// Abandon drops all copies that somebody has filled, but one that is being adopted. The error is *[backup.Failure].
func (i *Instance) Abandon(ctx context.Context) error { return backup.Explain(ctx, i.abandon(ctx)) }

func (i *Instance) abandon(ctx context.Context) error {
	adopted := ""
	// Where nobody has the lock, the one that was to be adopted is nobody's either.
	if !lock.Free(i.path(adoptLock)) {
		text, err := os.ReadFile(i.path(adoptLock))
		if err != nil {
			return err
		}
		adopted = strings.TrimSpace(string(text))
	}
	if err := i.Stack.Ready(ctx); err != nil {
		return err
	}
	all, err := i.Stack.Server().Beside(ctx, "copy")
	if err != nil {
		return err
	}
	for _, name := range all {
		if name == adopted {
			continue
		}
		if err := i.Stack.Drop(ctx, name); err != nil {
			return err
		}
		i.Say("dropped: " + name)
	}
	return nil
}
