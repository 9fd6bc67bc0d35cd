package restic

import (
	"bufio"
	"cmp"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
)

// Folders are those of a repository whose files are named by the SHA-256 of what is in
// them, in an order in which what others refer to is first.
var Folders = []string{"data", "index", "keys", "snapshots"}

// Files are those of a repository in a folder, but config, sorted. Each is a line: its path
// in the repository, a tab, and when it was last changed, as find(1) prints %C@. Times
// are for being compared for being the same only: a clock may go back.
type Files []string

// partial reports whether a file is one that restic has not finished writing: those of a
// killed run stay, and no restic reads them.
func partial(name string) bool { return strings.Contains(name, "-tmp-") }

// List returns the files of the repository in a folder.
func List(folder string) (Files, error) {
	var all Files
	err := walk(folder, func(name string, info fs.FileInfo) error {
		if !partial(name) {
			all = append(all, name+"\t"+changed(info))
		}
		return nil
	})
	slices.Sort(all)
	return all, err
}

// walk calls a function with the regular files of a repository.
func walk(folder string, do func(name string, info fs.FileInfo) error) error {
	for _, part := range Folders {
		err := filepath.WalkDir(filepath.Join(folder, part), func(file string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			info, err := entry.Info()
			if errors.Is(err, fs.ErrNotExist) { // gone since
				return nil
			}
			if err != nil {
				return err
			}
			name, err := filepath.Rel(folder, file)
			if err != nil {
				return err
			}
			return do(name, info)
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// RemovePartial removes what runs that were killed have not finished writing. Nobody may be at work in the repository.
func RemovePartial(folder string) error {
	return walk(folder, func(name string, _ fs.FileInfo) error {
		if !partial(path.Base(name)) {
			return nil
		}
		return os.Remove(filepath.Join(folder, name))
	})
}

// ReadFiles reads a list that [Files.String] has written; ok is false where there is none.
func ReadFiles(file string) (list Files, ok bool, err error) {
	f, err := os.Open(file)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, false, nil
	}
	if err != nil {
		return nil, false, err
	}
	defer f.Close()
	lines := bufio.NewScanner(f)
	for lines.Scan() {
		list = append(list, lines.Text())
	}
	return list, true, lines.Err()
}

// String is the list, a line a file.
func (f Files) String() string {
	if len(f) == 0 {
		return ""
	}
	return strings.Join(f, "\n") + "\n"
}

// Names returns the files' paths in the repository.
func (f Files) Names() []string {
	names := make([]string, len(f))
	for i, line := range f {
		names[i], _, _ = strings.Cut(line, "\t")
	}
	return names
}

// Without returns the files that are not, as they are, in another list.
func (f Files) Without(known Files) Files {
	is := make(map[string]bool, len(known))
	for _, line := range known {
		is[line] = true
	}
	return slices.DeleteFunc(slices.Clone(f), func(line string) bool { return is[line] })
}

// Damage is a file that is not what was written.
type Damage struct {
	File string // its path in the repository
	Err  error  // why it can't be read; nil: its content is another one
}

// String names it, and says why.
func (d Damage) String() string {
	if d.Err == nil {
		return d.File
	}
	return fmt.Sprintf("%s: it can't be read: %v", d.File, bare(d.Err))
}

// bare is what the system says, without the name of the file.
func bare(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}

// open is for a test that has a disk which refuses to read.
var open = func(file string) (io.ReadCloser, error) { return os.Open(file) }

// Sum adds up what is read, in bytes so far.
type Sum = atomic.Int64

// Damaged returns which of the named files of the repository in a folder are not what was
// written, or can't be read, sorted. read, which may be nil, tells how far it is. The error is that of ctx.
func Damaged(ctx context.Context, folder string, names []string, read *Sum) ([]Damage, error) {
	if read == nil {
		read = new(Sum)
	}
	todo := make(chan string)
	var lock sync.Mutex
	var found []Damage
	var all sync.WaitGroup
	for range min(max(runtime.NumCPU(), 2), 4) {
		all.Go(func() {
			for name := range todo {
				if whole, err := sound(ctx, folder, name, read, path.Base(name)); !whole {
					lock.Lock()
					found = append(found, Damage{name, err})
					lock.Unlock()
				}
			}
		})
	}
	for _, name := range names {
		if ctx.Err() != nil {
			break
		}
		todo <- name
	}
	close(todo)
	all.Wait()
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	slices.SortFunc(found, func(a, b Damage) int { return cmp.Compare(a.File, b.File) })
	return found, nil
}

func sound(ctx context.Context, folder, name string, read *Sum, want string) (bool, error) {
	f, err := open(filepath.Join(folder, name))
	if err != nil {
		return false, err
	}
	defer f.Close()
	sum := sha256.New()
	block := make([]byte, 256<<10)
	for ctx.Err() == nil {
		n, err := f.Read(block)
		sum.Write(block[:n])
		read.Add(int64(n))
		if err == io.EOF {
			return fmt.Sprintf("%x", sum.Sum(nil)) == want, nil
		}
		if err != nil {
			return false, err
		}
	}
	return false, context.Cause(ctx)
}

// Is reports whether a file has a content by its sum.
func Is(ctx context.Context, file, sum string) (bool, error) {
	is, err := sound(ctx, filepath.Dir(file), filepath.Base(file), new(Sum), sum)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return is, err
}
