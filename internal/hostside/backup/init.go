package backup

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/disk"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
)

// Init opens the repository with a password; has it from the mirror if it is gone, or makes it if there never
// was one; and keeps the password. Nothing is overwritten before it is known to open the repository.
func (i *Instance) Init(ctx context.Context, password string) error {
	next := i.path(".restic_password.new")
	defer os.Remove(next)
	r := i.Begin("backup", "init")
	r.repository = i.With(next)
	return r.Ends(ctx, r.init(ctx, next, []byte(password+"\n")))
}

func (r *Run) init(ctx context.Context, next string, password []byte) error {
	_ = os.Remove(next) // with the mode that one that was killed has given it
	if err := os.WriteFile(next, password, 0o600); err != nil {
		return err
	}
	kept, _ := os.ReadFile(r.path(".restic_password"))
	if r.same() && bytes.Equal(kept, password) {
		return nil
	}
	id, err := r.repository.ID(ctx)
	if err != nil {
		if id, err = r.beginAlone(ctx, err); err != nil {
			return err
		}
	}
	k, ok := r.known()
	if ok && k.id != id {
		return r.notOurs()
	}
	if err := r.remember(id); err != nil {
		return err
	}
	if !ok {
		r.Say(fmt.Sprintf("the backups of %s are in repository %s", r.Name, id))
	}
	if bytes.Equal(kept, password) {
		return nil
	}
	if err := durable.Write(r.path(".restic_password"), password, 0o400); err != nil {
		return err
	}
	r.Say("password kept")
	return nil
}

// beginAlone begins the repository when nobody else is at it. why is why it can't be opened.
func (r *Run) beginAlone(ctx context.Context, why error) (id string, err error) {
	config := filepath.Join(r.Settings.Repository, "config")
	_, before := os.Stat(config)
	if err := r.TakeRepository(ctx); err != nil {
		return "", err
	}
	defer r.Release()
	if _, now := os.Stat(config); before != nil && now == nil { // who was at it has fetched it
		return r.repository.ID(ctx)
	}
	return r.beginRepository(ctx, why)
}

// beginRepository fetches the repository from the mirror, or makes it. why is why it can't be opened.
func (r *Run) beginRepository(ctx context.Context, why error) (id string, err error) {
	_, noID := os.Stat(r.path(".restic_id"))
	_, noConfig := os.Stat(filepath.Join(r.Settings.Repository, "config"))
	if noID == nil || r.repository.Here() && noConfig == nil || ctx.Err() != nil || bounded(why) {
		return "", die(
			"is its disk mounted? a new password is first added by: restic key add. restic says: "+SaidBy(why),
			"the repository %s can't be opened with RESTIC_PASSWORD; the password that was kept is still there",
			r.repository.Shown(),
		)
	}
	err = r.fetch(ctx)
	if err == nil {
		if id, err = r.repository.ID(ctx); err != nil {
			return "", die("it is in "+r.Settings.Repository+" now",
				"the repository that the mirror holds can't be opened with RESTIC_PASSWORD")
		}
		r.Say(r.Name + " had backups, which the mirror held: restore.sh latest restores the last one")
		return id, nil
	}
	if f, ok := errors.AsType[*unanswered](err); ok && ctx.Err() == nil {
		r.Say(f.Error() + ": a new repository is begun")
	} else if !errors.Is(err, ErrNoMirror) || ctx.Err() != nil {
		return "", err
	}
	if err := r.repository.Init(ctx); err != nil {
		return "", fmt.Errorf("the repository %s can't be made: %w", r.repository.Shown(), err)
	}
	return r.repository.ID(ctx)
}

// ErrNoMirror is the error where no mirror has the repository.
var ErrNoMirror = errors.New("no mirror has it")

// unanswered is a mirror that does not say what it has.
type unanswered struct{ err error }

func (u *unanswered) Error() string   { return "the mirror does not tell: " + u.err.Error() }
func (u *unanswered) Unwrap() []error { return []error{ErrNoMirror, u.err} }

// Fetch has the repository from the mirror, if that holds one of this instance. The error wraps
// [ErrNoMirror] where it does not, or does not tell. The caller has the repository's lock.
func (i *Instance) Fetch(ctx context.Context) error {
	r := i.Begin("restore", "")
	err := r.fetch(ctx)
	if errors.Is(err, ErrNoMirror) {
		return err
	}
	return r.Ends(ctx, err)
}

func (r *Run) fetch(ctx context.Context) error {
	if !r.Mirrors() {
		return ErrNoMirror
	}
	folder := r.Settings.Repository
	to := folder + ".fetched"
	has, err := r.Mirror.HasRepository(ctx)
	if err != nil {
		return &unanswered{err}
	}
	if !has {
		return ErrNoMirror
	}
	// A disk that is to be there, and is not, is not written below.
	if err := disk.There(folder, r.Mounts()); err != nil {
		return err
	}
	total, _ := r.Mirror.Size(ctx) // only for what is said
	if err := os.MkdirAll(to, 0o700); err != nil {
		return err
	}
	// What an earlier attempt has fetched is not fetched again.
	if err := r.Enough(map[string]int64{to: total - dump.Size(to)}); err != nil {
		return err
	}
	r.Say("fetching the repository from the mirror: " + Human(total))
	begun := time.Now()
	copied := func() error {
		s := r.Showing(func() string { return "fetched " + Far(dump.Size(to), total, time.Since(begun)) })
		defer s.Stop()
		if err := r.Mirror.Fetch(ctx, to); err != nil {
			return die("once more: "+r.path("restore.sh")+" latest goes on where it ended",
				"the repository can't be fetched from the mirror: %v", err)
		}
		return nil
	}
	if err := copied(); err != nil {
		return err
	}
	for _, name := range append([]string{"locks"}, restic.Folders...) {
		if err := os.MkdirAll(filepath.Join(to, name), 0o700); err != nil {
			return err
		}
	}
	list, err := restic.List(to)
	if err != nil {
		return fmt.Errorf("what was fetched into %s can't be listed: %w", to, err)
	}
	found, err := r.damaged(ctx, to, list.Names())
	if err != nil {
		return err
	}
	// It may have been damaged on its way, or by this disk: then another copy is whole.
	if len(found) > 0 {
		r.Say(fmt.Sprintf("%d files are not whole here, the first is %s: once more", len(found), found[0]))
		var names []string
		for _, damage := range found {
			names = append(names, damage.File)
			if err := os.Remove(filepath.Join(to, damage.File)); err != nil {
				return err
			}
		}
		if err := copied(); err != nil {
			return err
		}
		if found, err = r.damaged(ctx, to, names); err != nil {
			return err
		}
	}
	for _, damage := range found {
		if damage.Err != nil {
			return die("look at the disk: dmesg, smartctl; another one can be mounted at "+filepath.Dir(folder),
				"what was fetched from the mirror can't be read again: %s", damage)
		}
	}
	if len(found) > 0 {
		return die("the first is "+found[0].String(), "what the mirror holds is damaged, and is in %s", to)
	}
	// It has no name by its sum.
	if _, err := os.ReadFile(filepath.Join(to, "config")); err != nil {
		return die("look at the disk: dmesg, smartctl", "what was fetched from the mirror can't be read again: %v", err)
	}
	// Else the power could leave a repository of empty files, which nobody fetches again.
	if err := durable.SyncAll(to); err != nil {
		return err
	}
	if _, err := os.Lstat(folder); err == nil {
		if err := durable.Rename(folder, folder+"."+time.Now().UTC().Format(hostapi.Stamp)); err != nil {
			return err
		}
	}
	return durable.Rename(to, folder)
}
