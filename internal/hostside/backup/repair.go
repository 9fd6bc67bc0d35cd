package backup

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/betagouv/mrs-ops/internal/hostside/durable"
	"github.com/betagouv/mrs-ops/internal/hostside/place"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
)

// Repair takes the files of the repository that are damaged, or that the disk refuses to read, from the mirror.
// They are good there, since nothing damaged was ever mirrored; and what comes from there is known by its sum.
func (i *Instance) Repair(ctx context.Context) error {
	r := i.Begin("backup", "repair")
	return r.Ends(ctx, r.repair(ctx))
}

func (r *Run) repair(ctx context.Context) error {
	if r.Mirror == nil || !r.repository.Here() {
		return die("", "there is no mirror to repair from")
	}
	if err := r.TakeRepository(ctx); err != nil {
		return err
	}
	defer r.Release()
	folder := r.Settings.Repository
	list, err := r.list()
	if err != nil {
		return err
	}
	found, err := r.damaged(ctx, folder, list.Names())
	if err != nil {
		return err
	}
	// On the same file system, so that it takes its place at once; restic does not look there.
	next := filepath.Join(folder, ".repair.new")
	defer os.Remove(next)
	var lost []restic.Damage
	for _, damage := range found {
		whole, err := r.replace(ctx, damage.File, next)
		if err != nil {
			return err
		}
		if !whole {
			lost = append(lost, damage)
			continue
		}
		r.Say("repaired: " + damage.File)
	}
	n := len(found) - len(lost)
	if len(lost) > 0 {
		return die("restic find --pack NAME | grep 'in snapshot' | sort -u tells which snapshots need one; "+
			"NAME is what its path ends with",
			"%d files were repaired, and %d are not whole on the mirror either, the first is %s", n, len(lost), lost[0])
	}
	if err := r.whole(ctx); err != nil {
		return err
	}
	r.Say(fmt.Sprintf("%d files were repaired; the repository is whole", n))
	return nil
}

// replace takes one file from the mirror, if it is whole there.
func (r *Run) replace(ctx context.Context, file, next string) (whole bool, err error) {
	_ = os.Remove(next)
	if err := r.Mirror.Get(ctx, file, next); err != nil {
		if ctx.Err() != nil {
			return false, err
		}
		r.Say(fmt.Sprintf("the mirror does not give %s: %v", file, err))
		return false, nil
	}
	is, err := restic.Is(ctx, next, filepath.Base(file))
	if err != nil || !is {
		return false, err
	}
	at := filepath.Join(r.Settings.Repository, file)
	// The inode of a file that can't be read can be.
	if info, err := os.Stat(at); err == nil {
		_ = place.Like(next, info) // where the disk knows owners
		if err := os.Chmod(next, info.Mode().Perm()); err != nil {
			return false, err
		}
	}
	if err := durable.Sync(next); err != nil {
		return false, err
	}
	return true, durable.Rename(next, at)
}
