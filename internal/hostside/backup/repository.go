package backup

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
)

// known is what .restic_id says of the repository that the backups are in.
type known struct{ id, sum string }

func (i *Instance) known() (k known, ok bool) {
	text, err := os.ReadFile(i.path(".restic_id"))
	if err != nil {
		return known{}, false
	}
	lines := append(strings.Split(string(text), "\n"), "", "")
	return known{lines[0], lines[1]}, lines[0] != ""
}

// remember writes down which repository the backups are in.
func (r *Run) remember(id string) error {
	sum, err := r.configSum()
	if err != nil {
		return err
	}
	return durable.Write(r.path(".restic_id"), fmt.Appendf(nil, "%s\n%s\n", id, sum), 0o600)
}

// configSum is that of the config of a repository in a folder, and empty elsewhere: what has
// the same is the same repository.
func (r *Run) configSum() (string, error) {
	if !r.repository.Here() {
		return "", nil
	}
	config, err := os.ReadFile(filepath.Join(r.Settings.Repository, "config"))
	if err != nil {
		return "", err
	}
	return fmt.Sprintf("%x", sha256.Sum256(config)), nil
}

// same reports whether the repository in a folder is the one that was opened before, and not touched since.
func (r *Run) same() bool {
	k, ok := r.known()
	sum, err := r.configSum()
	return ok && err == nil && sum != "" && sum == k.sum
}

// Open makes sure that the repository is there and is the one of this instance, so that a disk
// that is not mounted is never taken for a repository without snapshots; and forgets what a run that
// was killed has left there. The lock must be held.
func (r *Run) Open(ctx context.Context) error {
	if err := r.NoSwap(ctx); err != nil && !r.within {
		return err
	}
	if !r.same() {
		id, err := r.repository.ID(ctx)
		if err != nil {
			if err := r.configReads(); err != nil {
				return err
			}
			hint := "is its disk mounted? is it reachable? if it is lost, restore.sh latest fetches it from the mirror. "
			return die(hint+"restic says: "+SaidBy(err), "the repository %s can't be opened", r.repository.Shown())
		}
		if k, _ := r.known(); id != k.id {
			return r.notOurs()
		}
		if err := r.remember(id); err != nil {
			return err
		}
	}
	if err := r.leftInRepository(ctx); err != nil {
		return err
	}
	return r.forgetUnchecked(ctx)
}

// configReads makes sure that the config of a repository in a folder can be read, if it is there.
func (r *Run) configReads() error {
	_, err := r.configSum()
	if err == nil || errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return die(r.path("backup.sh")+" repair takes it from the mirror; look at the disk: dmesg, smartctl",
		"the config of the repository %s can't be read: %v", r.repository.Shown(), bare(err))
}

// bare is what the system says, without the name of the file.
func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// notOurs is the failure where a repository is another one than the instance's.
func (r *Run) notOurs() error {
	return die("if it is to be from now on: rm "+r.path(".restic_id")+", then deploy",
		"%s is not the repository that the backups of %s are in", r.repository.Shown(), r.Name)
}

// SaidBy is what restic has to say itself.
func SaidBy(err error) string {
	if f, ok := errors.AsType[*restic.Failed](err); ok && f.Said != "" {
		return f.Said
	}
	return err.Error()
}

// leftInRepository removes locks of runs that were killed, and files that they have not
// finished. Locks of those that live stay.
func (r *Run) leftInRepository(ctx context.Context) error {
	if !r.repository.Here() {
		return r.repository.Unlock(ctx)
	}
	locks := filepath.Join(r.Settings.Repository, "locks")
	if locked(locks) {
		if err := r.repository.Unlock(ctx); err != nil {
			return err
		}
	}
	if locked(locks) { // somebody is at work there by hand
		return nil
	}
	return restic.RemovePartial(r.Settings.Repository)
}

func locked(folder string) bool {
	entries, _ := os.ReadDir(folder)
	return slices.ContainsFunc(entries, func(e fs.DirEntry) bool { return e.Type().IsRegular() })
}

// Snapshot is one of the instance's.
type Snapshot struct {
	restic.Snapshot
	Unchecked bool // it was made by a run that ended before it was checked: not to be trusted
}

// Snapshots returns those of the instance, the oldest first, but those of the log ([Run.Shipped]).
func (r *Run) Snapshots(ctx context.Context) ([]Snapshot, error) {
	all, err := r.listed(ctx)
	return slices.DeleteFunc(all, func(s Snapshot) bool { return s.Host == r.logs() }), err
}

// listed returns all of them.
func (r *Run) listed(ctx context.Context) ([]Snapshot, error) {
	// Which there were is written down, not when: a clock may go back.
	text, err := os.ReadFile(r.path(".backup.unchecked"))
	begun := err == nil
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	before := strings.Fields(string(text))
	mine, err := r.mine(ctx)
	var all []Snapshot
	for _, s := range mine {
		ours := s.Host == r.Name || s.Host == r.logs()
		all = append(all, Snapshot{s, begun && ours && !slices.Contains(before, s.ID)})
	}
	return all, err
}

// forgetUnchecked forgets the snapshot of a run that ended before it was checked.
func (r *Run) forgetUnchecked(ctx context.Context) error {
	if _, err := os.Stat(r.path(".backup.unchecked")); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	left := func() (ids []string, err error) {
		all, err := r.listed(ctx)
		if err != nil {
			return nil, die(
				"", "the snapshots of %s can't be listed, so that one that was never checked may be among them: %v",
				r.repository.Shown(), err,
			)
		}
		for _, s := range all {
			if s.Unchecked {
				ids = append(ids, s.ID)
			}
		}
		return ids, nil
	}
	ids, err := left()
	if err != nil {
		return err
	}
	// A run makes one.
	if len(ids) > 1 {
		return die("look at them: restic snapshots; then rm "+r.path(".backup.unchecked"),
			"%d snapshots count as never checked, which can't be", len(ids))
	}
	if len(ids) == 1 {
		r.Say("forgetting a snapshot that was made, but never checked")
		if err := r.repository.Forget(ctx, ids...); err != nil {
			return err
		}
		if ids, err = left(); err != nil {
			return err
		}
		if len(ids) > 0 {
			return die("may it delete there? restic forget "+Short(ids[0]),
				"snapshot %s, which was never checked, is still there after restic has forgotten it", Short(ids[0]))
		}
	}
	return durable.Remove(r.path(".backup.unchecked"))
}

// mine are the snapshots of this instance, the oldest first: our own, and those that
// earlier scripts have made of this home under another host.
func (r *Run) mine(ctx context.Context) ([]restic.Snapshot, error) {
	all, err := r.repository.Snapshots(ctx)
	return slices.DeleteFunc(all, func(s restic.Snapshot) bool {
		return s.Host != r.Name && s.Host != r.logs() &&
			!slices.ContainsFunc(s.Paths, func(p string) bool { return strings.HasPrefix(p, r.Home+"/") })
	}), err
}

// intact makes sure that no file of a repository in a folder is damaged: none that was
// written since this was last made sure of, or none at all.
func (r *Run) intact(ctx context.Context, all bool) error {
	if !r.repository.Here() {
		return nil
	}
	list, err := r.list()
	if err != nil {
		return err
	}
	suspects := list
	if all {
		// Until it is made sure of, none is known to be whole.
		if err := durable.Remove(r.path(".backup.intact")); err != nil {
			return err
		}
	} else if whole, ok, err := restic.ReadFiles(r.path(".backup.intact")); err != nil {
		return err
	} else if ok {
		suspects = list.Without(whole)
	}
	found, err := r.damaged(ctx, r.Settings.Repository, suspects.Names())
	if err != nil {
		return err
	}
	if len(found) > 0 {
		for _, d := range found {
			r.Say("damaged: " + d.String())
		}
		return die(
			r.path("backup.sh")+" repair takes them from the mirror; look at the disk: dmesg, smartctl",
			"the repository %s is damaged: %d of its files are not what was written, the first is %s; nothing was mirrored",
			r.repository.Shown(), len(found), found[0],
		)
	}
	return durable.Write(r.path(".backup.intact"), []byte(list.String()), 0o600)
}

func (r *Run) list() (restic.Files, error) {
	list, err := restic.List(r.Settings.Repository)
	if err != nil {
		err = fmt.Errorf("what is in %s can't be listed: %w", r.Settings.Repository, err)
	}
	return list, err
}

// whole makes sure that nothing of the repository is damaged, and that restic finds it whole.
func (r *Run) whole(ctx context.Context) error {
	if err := r.intact(ctx, true); err != nil {
		return err
	}
	return r.check(ctx, "")
}

// damaged returns which of the files of a repository in a folder are, and says how far it is.
func (i *Instance) damaged(ctx context.Context, folder string, names []string) ([]restic.Damage, error) {
	var read restic.Sum
	s := i.Showing(func() string { return "checked " + Human(read.Load()) + " of the repository" })
	defer s.Stop()
	return i.Damaged(ctx, folder, names, &read)
}

// measure returns the bytes of the repository, and has them in the record, with the room on its disk.
func (r *Run) measure() (total int64, err error) {
	total = dump.Size(r.Settings.Repository)
	free, size, err := r.Free(r.Settings.Repository)
	r.Fact("repository_bytes", total)
	r.Fact("disk_free", free)
	r.Fact("disk_size", size)
	return total, err
}

// Mirrors reports whether the repository is a folder, and has a mirror.
func (i *Instance) Mirrors() bool {
	return i.Mirror != nil && i.With(i.path(".restic_password")).Here()
}

// mirror copies the repository to the mirror: what is new since it last was, or, where it deletes,
// all of it, and deletes there what is no longer here. A mirror of another repository is left
// alone. The error has the status [hostapi.NotMirrored].
func (r *Run) mirror(ctx context.Context, deletes bool) error {
	err := r.mirrored(ctx, deletes)
	if err == nil || ctx.Err() != nil {
		return err
	}
	f := &Failure{Reason: err.Error(), Hint: "check LFTP_DSN, then run " + r.script()}
	if own, ok := errors.AsType[*Failure](err); ok {
		f = own
	}
	if !deletes {
		f.Reason = "the snapshot is good, but " + f.Reason
	}
	f.Status = hostapi.NotMirrored
	return f
}

func (r *Run) mirrored(ctx context.Context, deletes bool) error {
	if r.Mirror == nil {
		return nil
	}
	if !r.repository.Here() {
		r.Say(r.repository.Shown() + " is not a folder: not mirrored")
		return nil
	}
	folder := r.Settings.Repository
	r.Say("mirroring " + folder)
	has, err := r.Mirror.HasRepository(ctx)
	if err != nil {
		return fmt.Errorf("the mirror can't be written to: %w", err)
	}
	if has {
		if err := r.isOurs(ctx); err != nil {
			return err
		}
	}
	list, err := r.list()
	if err != nil {
		return err
	}
	before, ok, err := restic.ReadFiles(r.path(".mirrored"))
	if err != nil {
		return err
	}
	added := list.Without(before)
	// Many go faster by all at once.
	if deletes || !ok || !has || len(added) > 100 {
		err = r.Mirror.Copy(ctx, folder, !has)
	} else {
		err = r.Mirror.Put(ctx, folder, added.Names())
	}
	if err == nil && deletes {
		err = r.Mirror.Remove(ctx, folder)
	}
	if err != nil {
		return fmt.Errorf("mirroring failed: %w", err)
	}
	return durable.Write(r.path(".mirrored"), []byte(list.String()), 0o600)
}

// isOurs makes sure that the mirror has the repository that is here.
func (r *Run) isOurs(ctx context.Context) error {
	there, err := r.Mirror.Config(ctx)
	if err != nil {
		return fmt.Errorf("which repository the mirror holds can't be read: %w", err)
	}
	here, err := os.ReadFile(filepath.Join(r.Settings.Repository, "config"))
	if err != nil {
		return err
	}
	if !bytes.Equal(there, here) {
		return die(
			fmt.Sprintf(
				"if that is the one to go on with: move %s and %s away, then deploy; else move it away there, then run %s",
				r.Settings.Repository, r.path(".restic_id"), r.script(),
			),
			"the mirror holds another repository, which is left alone",
		)
	}
	return nil
}
