package disk

import (
	"os"

	"golang.org/x/sys/unix"
)

// Free returns how many bytes the file system of a path has left, and how many in all, as df(1) tells it.
func Free(path string) (free, size int64, err error) {
	var s unix.Statfs_t
	if err := unix.Statfs(path, &s); err != nil {
		return 0, 0, err
	}
	block := int64(s.Frsize)
	if block == 0 {
		block = int64(s.Bsize)
	}
	return int64(s.Bavail) * block, int64(s.Blocks) * block, nil
}

// Device returns the number of the file system that a path is on (stat(2)).
func Device(path string) (uint64, error) {
	var s unix.Stat_t
	if err := unix.Stat(path, &s); err != nil {
		return 0, &os.PathError{Op: "stat", Path: path, Err: err}
	}
	return s.Dev, nil
}
