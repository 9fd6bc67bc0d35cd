// Package project finds the project's own files on this machine. It must not
// know what is in them.
package project

import (
	"fmt"
	"os"
	"path/filepath"
)

// Root returns the nearest folder, from the working directory up, that holds
// magefiles/ and ansible/.
func Root() (string, error) {
	start, err := os.Getwd()
	if err != nil {
		return "", err
	}
	for dir := start; ; dir = filepath.Dir(dir) {
		if isDir(filepath.Join(dir, "magefiles")) && isDir(filepath.Join(dir, "ansible")) {
			return dir, nil
		}
		if dir == filepath.Dir(dir) {
			return "", fmt.Errorf("%s is not in a clone of the project\nhint: cd to one", start)
		}
	}
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}
