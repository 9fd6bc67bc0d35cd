package restore

import (
	"archive/tar"
	"context"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
)

// Export copies a snapshot out of the repository, still encrypted: into a restic repository of its own, which
// holds that snapshot alone and opens with the same password. It is written to out as a tar; nothing of it
// stays here, however this ends. Before the tar, announce is called with "snapshot ID" once it is chosen,
// "about BYTES" once that is known, and "tar BYTES FILES". The error is *[backup.Failure].
func (i *Instance) Export(ctx context.Context, snapshot string, out io.Writer, announce func(line string)) error {
	r := &run{Instance: i, record: i.Begin("export", ""), asked: Request{Wanted: snapshot}}
	return backup.Explain(ctx, r.export(ctx, out, announce))
}

func (r *run) export(ctx context.Context, out io.Writer, announce func(string)) error {
	if !r.Repository.Copies(ctx) {
		return die("it has to be 0.14 or later: restic version", "the restic of %s can't do it", r.Server)
	}
	held, err := r.once(ctx, "export", die("see who: fuser -v "+r.path(".export.lock"),
		"another export of %s is at work", r.Name))
	if err != nil {
		return err
	}
	defer held.Close()
	folder := r.path(".export")
	if err := os.RemoveAll(folder); err != nil {
		return err
	}
	defer os.RemoveAll(folder)
	if err := os.Mkdir(folder, 0o700); err != nil {
		return err
	}
	own := filepath.Join(folder, "repository")
	into := r.Into(own, filepath.Join(folder, "cache"))
	if err := r.copyOut(ctx, own, into, announce); err != nil {
		return err
	}
	r.Say("checking the copy")
	if err := r.checkCopy(ctx, own, into); err != nil {
		return err
	}
	files, bytes := countFiles(own)
	announce(fmt.Sprintf("tar %d %d", bytes, files))
	if err := writeTar(ctx, own, out); err != nil {
		return die("", "the tar was not taken as a whole")
	}
	return nil
}

// copyOut copies the snapshot. Only so long the instance's repository is needed.
func (r *run) copyOut(ctx context.Context, own string, into Copy, announce func(string)) error {
	defer r.record.Release()
	err := backup.Do(ctx, r.record.TakeRepository, r.record.Open, r.pick)
	if err != nil {
		return err
	}
	id := r.record.Snapshot
	announce("snapshot " + id)
	if r.bytes, err = r.Repository.Stored(ctx, id); err != nil {
		return die("", "snapshot %s can't be read: %s", backup.Short(id), backup.SaidBy(err))
	}
	announce(fmt.Sprintf("about %d", r.bytes))
	// What is around the data is little.
	if err := r.Enough(map[string]int64{r.Home: r.bytes * 21 / 20}); err != nil {
		return err
	}
	r.Say(fmt.Sprintf("copying snapshot %s into a repository of its own: about %s",
		backup.Short(id), backup.Human(r.bytes)))
	if err := into.InitCopy(ctx); err != nil {
		return die("", "no repository can be made: %s", backup.SaidBy(err))
	}
	begun := time.Now()
	s := r.Showing(func() string {
		return "copied " + backup.Far(dump.Size(own), r.bytes, time.Since(begun))
	})
	defer s.Stop()
	if err := into.Copy(ctx, id); err != nil {
		return die("", "snapshot %s can't be copied: %s", backup.Short(id), backup.SaidBy(err))
	}
	return nil
}

func (r *run) checkCopy(ctx context.Context, own string, into Copy) error {
	list, err := restic.List(own)
	if err != nil {
		return err
	}
	found, err := r.Damaged(ctx, own, list.Names(), nil)
	if err != nil {
		return err
	}
	if len(found) > 0 {
		return die("look at the disk: dmesg, smartctl",
			"the copy is damaged: %d of its files are not what was written, the first is %s", len(found), found[0])
	}
	if err := into.Check(ctx, ""); err != nil {
		return die("", "the copy has errors: %s", backup.SaidBy(err))
	}
	return nil
}

// parts are those of a repository, in the order in which they are sent.
var parts = []string{"config", "data", "index", "keys", "locks", "snapshots"}

// writeTar writes a repository as a tar (ustar), of root.
func writeTar(ctx context.Context, folder string, out io.Writer) error {
	w := tar.NewWriter(out)
	for _, part := range parts {
		err := filepath.WalkDir(filepath.Join(folder, part), func(path string, entry fs.DirEntry, err error) error {
			if err != nil {
				return err
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			return writeEntry(w, folder, path, entry)
		})
		if err != nil {
			return err
		}
	}
	return w.Close()
}

func writeEntry(w *tar.Writer, folder, path string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	header, err := tar.FileInfoHeader(info, "")
	if err != nil {
		return err
	}
	if header.Name, err = filepath.Rel(folder, path); err != nil {
		return err
	}
	if entry.IsDir() {
		header.Name += "/"
	}
	header.Format = tar.FormatUSTAR
	header.Uid, header.Gid, header.Uname, header.Gname = 0, 0, "", ""
	header.ModTime = header.ModTime.Truncate(time.Second)
	header.AccessTime, header.ChangeTime = time.Time{}, time.Time{}
	if err := w.WriteHeader(header); err != nil || entry.IsDir() {
		return err
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = io.Copy(w, file)
	return err
}

// EndExport removes what one that was killed has left, once nobody exports. The error is *[backup.Failure].
func (i *Instance) EndExport(ctx context.Context) error {
	return i.tidy(ctx, ".export.lock", func() error { return os.RemoveAll(i.path(".export")) })
}
