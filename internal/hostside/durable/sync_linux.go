package durable

import (
	"os"

	"golang.org/x/sys/unix"
)

// SyncAll has all of the file system that a folder is on written to the disk.
func SyncAll(folder string) error {
	f, err := os.Open(folder)
	if err != nil {
		return err
	}
	defer f.Close()
	return unix.Syncfs(int(f.Fd()))
}
