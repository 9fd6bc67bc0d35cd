package restore

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
	"github.com/betagouv/mrs-ops/internal/hostside/place"
)

// Disk is that of this host ([Files]).
type Disk struct{}

// Rename implements [Files].
func (Disk) Rename(from, to string) error { return durable.Rename(from, to) }

// Write implements [Files].
func (Disk) Write(path string, content []byte) error { return durable.Write(path, content, 0o600) }

// Append implements [Files].
func (Disk) Append(path, line string) error { return durable.Append(path, []byte(line), 0o600) }

// Remove implements [Files].
func (Disk) Remove(path string) error { return durable.Remove(path) }

// few is how many files and folders are synced one by one: the whole file system may have gigabytes to write, as
// PostgreSQL's disk has behind a copy.
const few = 64

// Sync implements [Files].
func (Disk) Sync(folder string) error {
	var all []string
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if all = append(all, path); len(all) > few || err == nil && !entry.IsDir() && !entry.Type().IsRegular() {
			return errMany
		}
		return err
	})
	if err != nil {
		return durable.SyncAll(folder)
	}
	for _, path := range slices.Backward(all) {
		if err := durable.Sync(path); err != nil {
			return err
		}
	}
	return nil
}

var errMany = errors.New("there are too many, or others than files and folders")

// dumpIn returns the folder of the dump in what was restored of a snapshot.
func dumpIn(folder, snapshot string) (string, error) {
	found, err := dump.Find(folder)
	if err != nil {
		return "", err
	}
	if len(found) != 1 {
		return "", die("", "snapshot %s holds %d database dumps, not one", backup.Short(snapshot), len(found))
	}
	return found[0], nil
}

// partIn moves a folder that is backed up into a folder, wherever it is in what was restored of a snapshot.
func partIn(folder, to, name, snapshot string) error {
	found := ""
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case !entry.IsDir() || path == folder:
			return nil
		case entry.Name() == name:
			found = path
			return fs.SkipAll
		case entry.Name() == "mrsattachments":
			return fs.SkipDir
		}
		return nil
	})
	if err != nil {
		return err
	}
	if found == "" {
		return die("", "snapshot %s holds no %s", backup.Short(snapshot), name)
	}
	if to = filepath.Join(to, name); found == to {
		return nil
	}
	return os.Rename(found, to)
}

// showAll has PostgreSQL read a folder and all in it. It stays root's, and so does what restic has given to others:
// their containers see it, and could put links there meanwhile. Until all is done nobody else comes in.
func showAll(folder string) error {
	err := filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || path == folder {
			return err
		}
		if err := os.Lchown(path, os.Getuid(), os.Getgid()); err != nil {
			return err
		}
		return readable(path, entry, 0o444)
	})
	if err != nil {
		return err
	}
	return os.Chmod(folder, 0o755)
}

// readable adds to who may read a file, and enter it where it is a folder, or a program already.
func readable(path string, entry fs.DirEntry, who fs.FileMode) error {
	if entry.Type()&fs.ModeSymlink != 0 {
		return nil
	}
	info, err := entry.Info()
	if err != nil {
		return err
	}
	mode := info.Mode().Perm() | who
	if entry.IsDir() || mode&0o111 != 0 {
		mode |= who >> 2 & 0o111
	}
	if mode == info.Mode().Perm() {
		return nil
	}
	return os.Chmod(path, mode)
}

// sameFolders makes the folders that are in one, and no files, in another.
func sameFolders(from, to string) error {
	return filepath.WalkDir(from, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		made := to + strings.TrimPrefix(path, from)
		if err := os.MkdirAll(made, 0o700); err != nil {
			return err
		}
		return place.Like(made, info)
	})
}
