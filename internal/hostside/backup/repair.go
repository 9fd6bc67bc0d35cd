package backup

import (
	"context"
	"crypto/sha256"
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
	if !r.Mirrors() {
		return die("", "there is no mirror to repair from")
	}
	if err := r.TakeRepository(ctx); err != nil {
		return err
	}
	defer r.Release()
	if err := r.NoSwap(ctx); err != nil { // what undoes it waits for the lock
		return err
	}
	folder := r.Settings.Repository
	config, err := r.repairConfig(ctx)
	if err != nil {
		return err
	}
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
	n := config + len(found) - len(lost)
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

// repairConfig has the repository's config from the mirror where it can't be read here, or is
// another one than was written down, and returns how many files that were. It has no name by its sum.
func (r *Run) repairConfig(ctx context.Context) (int, error) {
	k, _ := r.known()
	sum, err := r.configSum()
	if err == nil && (sum == k.sum || k.sum == "") {
		return 0, nil
	}
	if k.sum == "" {
		return 0, die("look at the disk: dmesg, smartctl",
			"which config the repository has had was not written down: %v", err)
	}
	content, err := r.Mirror.Config(ctx)
	if err != nil {
		return 0, fmt.Errorf("the repository's config can't be read from the mirror: %w", err)
	}
	if fmt.Sprintf("%x", sha256.Sum256(content)) != k.sum {
		return 0, die("", "the repository's config is not whole, and the mirror's is another one")
	}
	if err := durable.Write(filepath.Join(r.Settings.Repository, "config"), content, 0o600); err != nil {
		return 0, err
	}
	r.Say("repaired: config")
	return 1, nil
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
