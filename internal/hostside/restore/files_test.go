package restore

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestPostgreSQLReadsTheDumpThatIsRestoredAndCanNotChangeIt(t *testing.T) {
	postgres, me := 999, os.Getuid()
	if me != 0 { // root alone gives files to others
		postgres = me
	}
	folder := filepath.Join(t.TempDir(), "restore")
	data := filepath.Join(folder, "home/mrs-x/postgres/dump/data")
	if err := os.MkdirAll(data, 0o700); err != nil {
		t.Fatal(err)
	}
	outside := filepath.Join(t.TempDir(), "shadow")
	for _, path := range []string{filepath.Join(data, "toc.dat"), outside} {
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	link := filepath.Join(data, "link")
	if err := os.Symlink(outside, link); err != nil {
		t.Fatal(err)
	}
	for _, path := range []string{filepath.Dir(data), data, filepath.Join(data, "toc.dat"), link} { // as restic does
		if err := os.Lchown(path, postgres, -1); err != nil {
			t.Fatal(err)
		}
	}
	if err := showAll(folder); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]os.FileMode{folder: 0o755, filepath.Dir(data): 0o755, data: 0o755,
		filepath.Join(data, "toc.dat"): 0o644, link: 0o777, outside: 0o600} {
		info, err := os.Lstat(path)
		if err != nil || info.Mode().Perm() != want || info.Sys().(*syscall.Stat_t).Uid != uint32(me) {
			t.Errorf("%s is %v, %v", path, info, err)
		}
	}
}

func TestAFolderIsFoundWhereverItIsInASnapshot(t *testing.T) {
	for _, was := range []string{"log", "home/mrs-x/log", "mrsattachments/../log"} { // of a relative path, and of an absolute one
		folder := t.TempDir()
		if err := os.MkdirAll(filepath.Join(folder, was, "inside"), 0o700); err != nil {
			t.Fatal(err)
		}
		for range 2 { // it may be there already
			if err := partIn(folder, folder, "log", "0123456789abcdef"); err != nil {
				t.Errorf("%s: %v", was, err)
			}
		}
		if _, err := os.Stat(filepath.Join(folder, "log/inside")); err != nil {
			t.Errorf("%s: %v", was, err)
		}
	}
	if err := partIn(t.TempDir(), t.TempDir(), "log", "0123456789abcdef"); err == nil {
		t.Error("what is not there is found")
	}
}

func TestAFolderIsSyncedWhateverIsInIt(t *testing.T) {
	for name, make := range map[string]func(folder string) error{
		"nothing": func(string) error { return nil },
		"files":   func(folder string) error { return os.WriteFile(filepath.Join(folder, "swap"), []byte("x"), 0o600) },
		"a link":  func(folder string) error { return os.Symlink("nowhere", filepath.Join(folder, "link")) },
		"many files": func(folder string) (err error) {
			for n := range 2 * few {
				err = errors.Join(err, os.WriteFile(filepath.Join(folder, fmt.Sprint(n)), nil, 0o600))
			}
			return err
		},
	} {
		folder := filepath.Join(t.TempDir(), "a")
		if err := errors.Join(os.MkdirAll(filepath.Join(folder, "b", "c"), 0o700), make(filepath.Join(folder, "b"))); err != nil {
			t.Fatal(err)
		}
		if err := (Disk{}).Sync(folder); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
}
