// Package durable writes files so that the power takes nothing back: whatever
// happens, what has a name is whole, the old content or the new one.
//
// It must not know what is in them.
package durable

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// Write gives a file a content, and the mode, whatever the umask. The file is there on
// the disk when Write returns. Of two who write at once, one is the last.
func Write(path string, content []byte, mode fs.FileMode) error {
	next, err := os.CreateTemp(filepath.Dir(path), ".next."+filepath.Base(path)+".*")
	if err != nil {
		return err
	}
	_, err = next.Write(content)
	if err == nil {
		err = next.Chmod(mode)
	}
	if err == nil {
		err = next.Sync()
	}
	if err = errors.Join(err, next.Close()); err == nil {
		err = Rename(next.Name(), path)
	}
	if err != nil {
		return errors.Join(err, Remove(next.Name()))
	}
	return nil
}

// Rename gives a file or a folder that is on the disk another name, or another place.
func Rename(from, to string) error {
	err := os.Rename(from, to)
	if err == nil {
		err = Sync(filepath.Dir(to))
	}
	if err == nil && filepath.Dir(from) != filepath.Dir(to) {
		err = Sync(filepath.Dir(from))
	}
	return err
}

// Append adds a line to a log, which it makes where it is not there yet. After a
// line that the power cut short it begins a new one.
func Append(path string, line []byte, mode fs.FileMode) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	line = append(line, '\n')
	if cut, err := endsWithinALine(path); err != nil {
		return err
	} else if cut {
		line = append([]byte{'\n'}, line...)
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_WRONLY|os.O_APPEND, mode)
	if err != nil {
		return err
	}
	_, err = file.Write(line)
	if err == nil {
		err = file.Sync()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return err
	}
	return Sync(filepath.Dir(path))
}

func endsWithinALine(path string) (bool, error) {
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	if err != nil {
		return false, err
	}
	defer file.Close()
	info, err := file.Stat()
	if err != nil || info.Size() == 0 {
		return false, err
	}
	last := make([]byte, 1)
	_, err = file.ReadAt(last, info.Size()-1)
	return last[0] != '\n', err
}

// Sync has a file, or the names in a folder, on the disk.
func Sync(path string) error {
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	return errors.Join(file.Sync(), file.Close())
}

// Remove removes a file, which need not be there.
func Remove(path string) error {
	err := os.Remove(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return Sync(filepath.Dir(path))
}
