package restic

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// repository has files with these contents, and returns their paths in it.
func repository(t *testing.T, contents ...string) (folder string, names []string) {
	t.Helper()
	folder = t.TempDir()
	for _, part := range Folders {
		if err := os.MkdirAll(filepath.Join(folder, part), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	for _, content := range contents {
		sum := fmt.Sprintf("%x", sha256.Sum256([]byte(content)))
		name := filepath.Join("data", sum[:2], sum)
		write(t, filepath.Join(folder, name), content)
		names = append(names, name)
	}
	slices.Sort(names)
	return folder, names
}

func write(t *testing.T, file, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
}

func TestFilesAreListedAsFindListsThem(t *testing.T) {
	folder, names := repository(t, "one", "two")
	write(t, filepath.Join(folder, "config"), "config")
	write(t, filepath.Join(folder, names[0]+"-tmp-123"), "half of it")
	list, err := List(folder)
	if err != nil || !slices.Equal(list.Names(), names) {
		t.Fatalf("%v, %q", err, list)
	}
	for _, line := range list {
		if !regexp.MustCompile(`^data/../[0-9a-f]{64}\t\d+\.\d{9}0$`).MatchString(line) {
			t.Errorf("a line is %q", line)
		}
	}
	file := filepath.Join(t.TempDir(), "list")
	write(t, file, list.String())
	again, ok, err := ReadFiles(file)
	if err != nil || !ok || !slices.Equal(again, list) {
		t.Errorf("read again it is %q, %v, %v", again, ok, err)
	}
	if none, ok, err := ReadFiles(file + ".gone"); ok || err != nil || none != nil {
		t.Errorf("of no file: %q, %v, %v", none, ok, err)
	}
	// One that is written anew is another one.
	if err := os.Chmod(filepath.Join(folder, names[1]), 0o400); err != nil {
		t.Fatal(err)
	}
	later, err := List(folder)
	if err != nil || !slices.Equal(later.Without(list).Names(), names[1:]) {
		t.Errorf("new are %q, %v", later.Without(list), err)
	}
	if err := os.RemoveAll(filepath.Join(folder, "index")); err != nil {
		t.Fatal(err)
	}
	if _, err := List(folder); err == nil {
		t.Error("a repository without a part of it is listed")
	}
}

func TestWhatARunThatWasKilledHasNotFinishedIsRemoved(t *testing.T) {
	folder, names := repository(t, "one")
	half := filepath.Join(folder, names[0]+"-tmp-123")
	write(t, half, "half of it")
	if err := RemovePartial(folder); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(half); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it is there: %v", err)
	}
	if _, err := os.Stat(filepath.Join(folder, names[0])); err != nil {
		t.Error(err)
	}
}

// broken is a file of a disk that refuses to read on.
type broken struct{ io.ReadCloser }

func (b broken) Read(p []byte) (int, error) {
	n, _ := b.ReadCloser.Read(p[:1])
	return n, &fs.PathError{Op: "read", Path: "/somewhere", Err: syscall.EIO}
}

func TestAFileThatFlipsGoesOrCantBeReadIsDamaged(t *testing.T) {
	folder, names := repository(t, "one", "two", "three", "four", "five")
	write(t, filepath.Join(folder, names[0]), "another")
	if err := os.Remove(filepath.Join(folder, names[1])); err != nil {
		t.Fatal(err)
	}
	was := open
	defer func() { open = was }()
	open = func(file string) (io.ReadCloser, error) {
		f, err := was(file)
		if filepath.Base(file) == filepath.Base(names[2]) {
			return broken{f}, err
		}
		return f, err
	}
	found, err := Damaged(t.Context(), folder, names, nil)
	var said []string
	for _, d := range found {
		said = append(said, d.String())
	}
	want := []string{
		names[0],
		names[1] + ": it can't be read: no such file or directory",
		names[2] + ": it can't be read: input/output error",
	}
	if err != nil || !slices.Equal(said, want) {
		t.Errorf("%v\n%s\nwant\n%s", err, strings.Join(said, "\n"), strings.Join(want, "\n"))
	}
	ctx, end := context.WithCancelCause(t.Context())
	why := errors.New("interrupted")
	end(why)
	if found, err := Damaged(ctx, folder, names, nil); err != why || found != nil {
		t.Errorf("where it is ended: %v, %v", found, err)
	}
}
