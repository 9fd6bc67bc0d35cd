// Package place makes folders and files be as they have to be, and says which were not.
//
// It must not know what they are for.
package place

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"syscall"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
)

// Folders makes folders, in this order. Those above them that are missing become
// root's. It returns the paths of those that were not as they had to be.
func Folders(all []hostapi.Folder) (made []string, err error) {
	for _, f := range all {
		mode, err := modeOf(f.Mode, 0o755)
		if err != nil {
			return made, fmt.Errorf("%s: %w", f.Path, err)
		}
		info, err := os.Stat(f.Path)
		if err == nil && info.IsDir() && as(info, f.UID, f.GID, mode) {
			continue
		}
		if err := os.MkdirAll(f.Path, 0o755); err != nil {
			return made, err
		}
		if err := own(f.Path, f.UID, f.GID, mode); err != nil {
			return made, err
		}
		made = append(made, f.Path)
	}
	return made, nil
}

// Files makes files, which are the owner's of this process, root's that is. A file is replaced whole, or not at
// all. It returns the paths of those that were not as they had to be.
func Files(all []hostapi.File) (made []string, err error) {
	for _, f := range all {
		mode, err := modeOf(f.Mode, 0o644)
		if err != nil {
			return made, fmt.Errorf("%s: %w", f.Path, err)
		}
		info, err := os.Lstat(f.Path)
		same := false
		if err == nil && info.Mode().IsRegular() {
			content, err := os.ReadFile(f.Path)
			if err != nil {
				return made, err
			}
			same = bytes.Equal(content, []byte(f.Content))
		}
		if same && as(info, os.Getuid(), os.Getgid(), mode) {
			continue
		}
		if !same {
			if err := os.MkdirAll(filepath.Dir(f.Path), 0o755); err != nil {
				return made, err
			}
			if err := durable.Write(f.Path, []byte(f.Content), mode); err != nil {
				return made, err
			}
		}
		// Whatever the umask.
		if err := own(f.Path, os.Getuid(), os.Getgid(), mode); err != nil {
			return made, err
		}
		made = append(made, f.Path)
	}
	return made, nil
}

// modeOf reads a mode in octal.
func modeOf(text string, otherwise fs.FileMode) (fs.FileMode, error) {
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.ParseUint(text, 8, 12)
	if err != nil {
		return 0, fmt.Errorf("%q is no mode in octal", text)
	}
	mode := fs.FileMode(n & 0o777)
	for bit, of := range map[uint64]fs.FileMode{0o4000: fs.ModeSetuid, 0o2000: fs.ModeSetgid, 0o1000: fs.ModeSticky} {
		if n&bit != 0 {
			mode |= of
		}
	}
	return mode, nil
}

// bits are those of a mode that are wanted or not.
const bits = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky

// as reports whether what is there has the owner and the mode.
func as(info fs.FileInfo, uid, gid int, mode fs.FileMode) bool {
	stat, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(stat.Uid) == uid && int(stat.Gid) == gid && info.Mode()&bits == mode
}

// own gives what is there the owner and the mode; chown may take bits away, so it is first.
func own(path string, uid, gid int, mode fs.FileMode) error {
	return errors.Join(os.Chown(path, uid, gid), os.Chmod(path, mode))
}

// Like gives what is there the owner and the mode that something else has.
func Like(path string, other fs.FileInfo) error {
	stat, ok := other.Sys().(*syscall.Stat_t)
	if !ok {
		return fmt.Errorf("whose %s is can't be known", other.Name())
	}
	return own(path, int(stat.Uid), int(stat.Gid), other.Mode()&bits)
}
