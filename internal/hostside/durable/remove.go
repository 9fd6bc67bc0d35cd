package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Remove removes a file, which need not be there.
func Remove(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return SyncFolder(filepath.Dir(path))
}
