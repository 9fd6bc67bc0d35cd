package place

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

func TestWhatIsAsItHasToBeStays(t *testing.T) {
	dir := t.TempDir()
	folders := []hostapi.Folder{{Path: dir + "/a/b", Mode: "1750", UID: os.Getuid(), GID: os.Getgid()}}
	files := []hostapi.File{{Path: dir + "/a/b/run.sh", Content: "#!/bin/sh\n", Mode: "0700"}, {Path: dir + "/new/plain", Content: "x"}}
	for _, want := range []int{3, 0} {
		made, err := Folders(folders)
		if err != nil {
			t.Fatal(err)
		}
		more, err := Files(files)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(made) + len(more); got != want {
			t.Errorf("%v and %v are made, not %d", made, more, want)
		}
	}
	for path, want := range map[string]string{"a/b": "dtrwxr-x---", "a/b/run.sh": "-rwx------", "new/plain": "-rw-r--r--"} {
		info, err := os.Stat(filepath.Join(dir, path))
		if err != nil || info.Mode().String() != want {
			t.Errorf("%s: %v, %v", path, info.Mode(), err)
		}
	}
}

func TestWhatIsOtherwiseIsMended(t *testing.T) {
	dir := t.TempDir()
	path := dir + "/file"
	f := []hostapi.File{{Path: path, Content: "right", Mode: "0400"}}
	for name, before := range map[string]func() error{
		"another content": func() error { return os.WriteFile(path, []byte("wrong"), 0o400) },
		"another mode":    func() error { return os.WriteFile(path, []byte("right"), 0o644) },
		"a link":          func() error { return os.Symlink("/etc/hostname", path) },
	} {
		t.Run(name, func(t *testing.T) {
			_ = os.Remove(path)
			if err := before(); err != nil {
				t.Fatal(err)
			}
			made, err := Files(f)
			if err != nil || fmt.Sprint(made) != "["+path+"]" {
				t.Error(made, err)
			}
			info, _ := os.Lstat(path)
			content, _ := os.ReadFile(path)
			if string(content) != "right" || info.Mode().String() != "-r--------" {
				t.Errorf("it is %v: %s", info.Mode(), content)
			}
		})
	}
}

func TestAModeThatIsNoneIsRefused(t *testing.T) {
	for _, mode := range []string{"rwx", "0888", "77777"} {
		if _, err := Files([]hostapi.File{{Path: t.TempDir() + "/x", Mode: mode}}); err == nil {
			t.Errorf("%q is a mode", mode)
		}
	}
}
