package restore

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
)

// ParseID makes sure that what somebody has typed is the id of a snapshot, or latest.
func ParseID(text string) (string, error) {
	if !hostapi.IsSnapshot(text) {
		return "", refused(listed, "'%s' is not a snapshot", text)
	}
	return text, nil
}

// Drill proves a snapshot: it is restored into a stack of its own on this host, which nobody reaches and which
// reaches nobody, the application migrates it and answers, what is in it is compared with what the backup
// counted, and all of it is removed. cause is timer or hand. The error is *[backup.Failure].
func (i *Instance) Drill(ctx context.Context, snapshot, cause string) error {
	path := i.path(".drill.lock")
	held, free, err := lock.TryFile(path)
	if err == nil && !free {
		err = die("see who: fuser -v "+path, "a drill of %s is at work", i.Name)
	}
	if err != nil {
		return backup.Explain(ctx, err)
	}
	defer held.Close()
	r := &run{Instance: i, record: i.Begin("drill", cause), asked: Request{Wanted: snapshot},
		moves: Swap{Database: i.Database}}
	r.tidyDrill(ctx)
	err = backup.Explain(ctx, r.drill(ctx))
	i.Deafen()
	ctx = context.WithoutCancel(ctx)
	r.tidyDrill(ctx)
	return r.record.Ends(ctx, err)
}

func (r *run) drillFolder() string { return r.path(".drill") }

// removeDrill removes what a drill has left. Its lock must be held.
func (i *Instance) removeDrill(ctx context.Context) error {
	err := i.Stack.EndDrill(ctx)
	for _, name := range []string{".drill", ".bring.drill", ".counted.drill"} {
		err = errors.Join(err, os.RemoveAll(i.path(name)))
	}
	return err
}

func (r *run) tidyDrill(ctx context.Context) {
	err := r.removeDrill(ctx)
	if err != nil && ctx.Err() == nil {
		r.Say("left, and removed by the next drill: " + err.Error())
	}
}

func (r *run) drill(ctx context.Context) error {
	if err := r.fetchDrill(ctx); err != nil {
		return err
	}
	folder := r.drillFolder()
	r.Say("starting a stack of its own")
	server, err := r.Stack.StartDrill(ctx, folder)
	if err != nil {
		r.SayWhy(ctx, err)
		return die("", "PostgreSQL does not start")
	}
	r.Say("restoring the database")
	if err := r.fill(ctx, server, filepath.Join(folder, "dump"), "/dump"); err != nil {
		return err
	}
	r.differing(ctx, server)
	r.Say("starting the application, which migrates it")
	container, err := r.Stack.RunDrill(ctx, folder)
	if err != nil {
		r.SayWhy(ctx, err)
		return die("", "the application can't be started on it")
	}
	err = backup.Do(ctx, func(ctx context.Context) error { return r.Well(ctx, container, server, r.Database) },
		func(ctx context.Context) error { return r.Application.Migrated(ctx, container) })
	if err != nil {
		return err
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	r.record.Fact("rows", dump.Rows(filepath.Join(folder, "dump")))
	files, _ := countFiles(filepath.Join(folder, "mrsattachments"))
	r.record.Fact("files", files)
	r.Say(fmt.Sprintf("snapshot %s of %s is proven: it was restored, and the application runs on it",
		backup.Short(r.record.Snapshot), r.Name))
	return nil
}

// fetchDrill restores all of the snapshot. Only so long the repository is needed.
func (r *run) fetchDrill(ctx context.Context) error {
	defer r.record.Release()
	err := backup.Do(ctx, r.record.TakeRepository, r.record.Counts, r.record.Open, r.pick)
	if err != nil {
		return err
	}
	dump, folders, err := r.weigh(ctx)
	if err != nil {
		return err
	}
	r.bytes = dump
	for _, bytes := range folders {
		r.bytes += bytes
	}
	r.record.Fact("bytes", r.bytes)
	if err := r.Enough(map[string]int64{r.Home: r.bytes + loaded(dump)}); err != nil {
		return err
	}
	short := backup.Short(r.record.Snapshot)
	r.Say(fmt.Sprintf("restoring snapshot %s for a drill: %s", short, backup.Human(r.bytes)))
	folder := r.drillFolder()
	all := filepath.Join(folder, "all")
	if err := os.MkdirAll(all, 0o700); err != nil {
		return err
	}
	if err := r.drillLog(ctx); err != nil {
		return err
	}
	s := r.fetched(folder)
	err = r.Repository.Restore(ctx, r.record.Snapshot, restic.Restore{Target: all})
	s.Stop()
	if err != nil {
		return r.unread("snapshot "+short, err)
	}
	found, err := dumpIn(all, r.record.Snapshot)
	if err != nil {
		return err
	}
	if err := os.Rename(found, filepath.Join(folder, "dump")); err != nil {
		return err
	}
	// For the PostgreSQL in the container; the folders above are ours alone.
	err = filepath.WalkDir(filepath.Join(folder, "dump"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		return readable(path, entry, 0o444)
	})
	for _, part := range r.Folders {
		if err == nil {
			err = partIn(all, folder, part, r.record.Snapshot)
		}
	}
	return err
}

// countFiles is how many files there are in a folder, and how many bytes they have.
func countFiles(folder string) (n, bytes int64) {
	_ = filepath.WalkDir(folder, func(_ string, entry fs.DirEntry, err error) error {
		if err == nil && entry.Type().IsRegular() {
			if info, err := entry.Info(); err == nil {
				n, bytes = n+1, bytes+info.Size()
			}
		}
		return nil
	})
	return n, bytes
}
