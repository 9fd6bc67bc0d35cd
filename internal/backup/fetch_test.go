package backup

import (
	"archive/tar"
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"testing/iotest"
)

// file is an entry of a tar; a folder where its name ends with a slash.
type file struct {
	name, content string
	kind          byte   // of the tar; 0: what the name says
	link          string // to what
}

// named is a file in a folder, called as restic calls it.
func named(folder, content string) file {
	sum := sha256.Sum256([]byte(content))
	name := hex.EncodeToString(sum[:])
	if folder == "data" {
		folder += "/" + name[:2]
	}
	return file{name: folder + "/" + name, content: content}
}

// repository is what export.sh sends, in a small way.
func repository() []file {
	return []file{
		{name: "config", content: "config"},
		{name: "data/"}, {name: "data/00/"}, {name: "data/ff/"}, named("data", strings.Repeat("a", 100_000)), named("data", "b"),
		{name: "index/"}, named("index", "i"),
		{name: "keys/"}, named("keys", "k"),
		{name: "locks/"},
		{name: "snapshots/"}, named("snapshots", "s"),
	}
}

// tarred returns a tar of the files, how many there are and their bytes.
func tarred(t *testing.T, files []file) (archive []byte, n int, bytesOf int64) {
	t.Helper()
	var b bytes.Buffer
	w := tar.NewWriter(&b)
	for _, f := range files {
		h := &tar.Header{Name: f.name, Mode: 0o777, Size: int64(len(f.content)), Typeflag: f.kind, Linkname: f.link}
		if f.kind == 0 {
			h.Typeflag = tar.TypeReg
			if strings.HasSuffix(f.name, "/") {
				h.Typeflag = tar.TypeDir
			}
		}
		if h.Typeflag == tar.TypeReg {
			n, bytesOf = n+1, bytesOf+h.Size
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := io.WriteString(w, f.content); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes(), n, bytesOf
}

// unpacked unpacks in to a folder in dir, whose path it returns.
func unpacked(t *testing.T, dir string, in io.Reader, n int, bytesOf int64) (string, error) {
	t.Helper()
	part := filepath.Join(dir, "part")
	if err := os.Mkdir(part, 0o700); err != nil {
		t.Fatal(err)
	}
	root, err := os.OpenRoot(part)
	if err != nil {
		t.Fatal(err)
	}
	defer root.Close()
	var came atomic.Int64
	err = unpack(in, root, bytesOf, n, &came)
	if err == nil && came.Load() != bytesOf {
		t.Errorf("%d bytes were counted, not %d", came.Load(), bytesOf)
	}
	return part, err
}

func TestARepositoryIsUnpackedAsItIs(t *testing.T) {
	for name, change := range map[string]func([]file) []file{
		"as it is": func(f []file) []file { return f },
		"without folders": func(f []file) []file {
			return slices.DeleteFunc(f, func(f file) bool { return strings.HasSuffix(f.name, "/") })
		},
		"backwards": func(f []file) []file { slices.Reverse(f); return f },
	} {
		t.Run(name, func(t *testing.T) {
			files := change(repository())
			archive, n, bytesOf := tarred(t, files)
			part, err := unpacked(t, t.TempDir(), iotest.HalfReader(bytes.NewReader(archive)), n, bytesOf)
			if err != nil {
				t.Fatal(err)
			}
			for _, f := range files {
				is, err := os.ReadFile(filepath.Join(part, f.name))
				if !strings.HasSuffix(f.name, "/") && (err != nil || string(is) != f.content) {
					t.Errorf("%s is not what was sent: %v", f.name, err)
				}
			}
			err = filepath.WalkDir(part, func(path string, entry fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				if info, err := entry.Info(); err != nil || info.Mode().Perm()&0o077 != 0 {
					t.Errorf("%s: others can read it (%v, %v)", path, info.Mode(), err)
				}
				return nil
			})
			if err != nil {
				t.Error(err)
			}
		})
	}
}

func TestWhatIsNoRepositoryIsRefused(t *testing.T) {
	hash := named("index", "x").name[len("index/"):]
	for name, test := range map[string]struct {
		more []file // before what a repository has
		want string
	}{
		"a path out":             {[]file{{name: "../escaped"}}, "belongs to no restic repository"},
		"a path out of data":     {[]file{{name: "data/../../escaped"}}, "belongs to no restic repository"},
		"a hash behind a way up": {[]file{{name: "index/../" + hash, content: "x"}}, "belongs to no restic repository"},
		"a path from the root":   {[]file{{name: "/tmp/escaped"}}, "belongs to no restic repository"},
		"a dot":                  {[]file{{name: "./config"}}, "belongs to no restic repository"},
		"the folder itself":      {[]file{{name: "./"}}, "belongs to no restic repository"},
		"a folder above":         {[]file{{name: "../"}}, "belongs to no restic repository"},
		"a foreign folder":       {[]file{{name: "bin/"}}, "belongs to no restic repository"},
		"a folder of a folder":   {[]file{{name: "keys/aa/"}}, "belongs to no restic repository"},
		"a foreign file":         {[]file{{name: "README"}}, "belongs to no restic repository"},
		"a line's end":           {[]file{{name: "config\n"}}, "belongs to no restic repository"},
		"a lock":                 {[]file{named("locks", "x")}, "belongs to no restic repository"},
		"a temporary file":       {[]file{{name: "index/" + hash + "-tmp-1"}}, "belongs to no restic repository"},
		"data in a wrong folder": {[]file{{name: "data/00/" + hash, content: "x"}}, "belongs to no restic repository"},
		"data without a folder":  {[]file{{name: "data/" + hash, content: "x"}}, "belongs to no restic repository"},
		"a symbolic link":        {[]file{{name: "config", kind: tar.TypeSymlink, link: "/etc/passwd"}}, "belongs to no restic repository"},
		"a link as a folder":     {[]file{{name: "data", kind: tar.TypeSymlink, link: ".."}}, "belongs to no restic repository"},
		"a hard link":            {[]file{{name: "index/" + hash, kind: tar.TypeLink, link: "../escaped"}}, "belongs to no restic repository"},
		"a pipe":                 {[]file{{name: "config", kind: tar.TypeFifo}}, "belongs to no restic repository"},
		"a device":               {[]file{{name: "config", kind: tar.TypeBlock}}, "belongs to no restic repository"},
		"a folder as config":     {[]file{{name: "config", kind: tar.TypeDir}}, "belongs to no restic repository"},
		"a file as data":         {[]file{{name: "data", content: "x"}}, "belongs to no restic repository"},
		"a wrong sum":            {[]file{{name: "index/" + hash, content: "y"}}, "was damaged on its way"},
		"an empty file":          {[]file{{name: "keys/" + hash}}, "was damaged on its way"},
		"a file twice":           {[]file{named("index", "i")}, "file exists"},
		"two snapshots":          {[]file{named("snapshots", "another")}, "no repository of one snapshot"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			archive, n, bytesOf := tarred(t, append(test.more, repository()...))
			_, err := unpacked(t, dir, bytes.NewReader(archive), n, bytesOf)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("got the error %v, want one with %q", err, test.want)
			}
			if entries, _ := os.ReadDir(dir); len(entries) != 1 {
				t.Errorf("something is beside the folder: %v", entries)
			}
		})
	}
}

func TestWhatIsNotWholeIsRefused(t *testing.T) {
	for kind := range map[string]bool{"config": true, "data": true, "index": true, "keys": true, "snapshots": true} {
		archive, n, bytesOf := tarred(t, slices.DeleteFunc(repository(), func(f file) bool { return strings.HasPrefix(f.name, kind) }))
		if _, err := unpacked(t, t.TempDir(), bytes.NewReader(archive), n, bytesOf); err == nil || !strings.Contains(err.Error(), "no repository of one snapshot") {
			t.Errorf("without %s: %v", kind, err)
		}
	}
	archive, n, bytesOf := tarred(t, repository())
	for name, test := range map[string]struct {
		n     int
		bytes int64
		want  string
	}{
		"a file too many":   {n - 1, bytesOf, "more than it has said"},
		"a byte too many":   {n, bytesOf - 1, "more than it has said"},
		"a file is missing": {n + 1, bytesOf, "did not come"},
		"a byte is missing": {n, bytesOf + 1, "did not come"},
	} {
		if _, err := unpacked(t, t.TempDir(), bytes.NewReader(archive), test.n, test.bytes); err == nil || !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got the error %v, want one with %q", name, err, test.want)
		}
	}
}

// Wherever a stream ends before its end, and whether or not that is said.
func TestAStreamThatIsCutIsRefused(t *testing.T) {
	archive, n, bytesOf := tarred(t, repository())
	lost := errors.New("the connection was lost")
	// Nothing is lost with what follows the last file: padding, and the two blocks that end a tar.
	for end := 0; end < len(archive)-3*512; end += 1300 {
		dir := t.TempDir()
		if _, err := unpacked(t, dir, bytes.NewReader(archive[:end]), n, bytesOf); err == nil {
			t.Errorf("of %d bytes %d are enough", len(archive), end)
		}
		if err := os.RemoveAll(filepath.Join(dir, "part")); err != nil {
			t.Fatal(err)
		}
		if _, err := unpacked(t, dir, io.MultiReader(bytes.NewReader(archive[:end]), iotest.ErrReader(lost)), n, bytesOf); !errors.Is(err, lost) {
			t.Errorf("cut after %d bytes: %v", end, err)
		}
	}
	// All is there, but the server has not ended well.
	if _, err := unpacked(t, t.TempDir(), io.MultiReader(bytes.NewReader(archive), iotest.ErrReader(lost)), n, bytesOf); !errors.Is(err, lost) {
		t.Errorf("cut at its end: %v", err)
	}
}

// sent is what export.sh --lines says.
func sent(archive []byte, n int, bytesOf int64) string {
	return fmt.Sprintf("waiting\nsnapshot %s\nabout 5\ncopying\ntar %d %d\n", strings.Repeat("01", 32), bytesOf, n) + string(archive)
}

// fetching fetches what says to the folder to.
func fetching(says, to string) (*fetch, error) {
	f := &fetch{name: "x", to: to, in: bufio.NewReaderSize(strings.NewReader(says), 1<<16)}
	err := f.chosen()
	if err == nil {
		err = f.run()
	}
	return f, err
}

func TestAFolderIsThereOnceAllIsInIt(t *testing.T) {
	archive, n, bytesOf := tarred(t, repository())
	whole := sent(archive, n, bytesOf)
	bad, _, _ := tarred(t, append([]file{{name: "../x"}}, repository()...))
	for name, test := range map[string]struct {
		before func(to string) error // what is there already
		says   string
		want   string // of the error
	}{
		"nothing was there":  {nil, whole, ""},
		"an empty folder":    {func(to string) error { return os.Mkdir(to, 0o755) }, whole, ""},
		"an earlier part":    {func(to string) error { return os.MkdirAll(to+".part/data/00", 0o755) }, whole, ""},
		"another's part":     {func(to string) error { return os.MkdirAll(to+".part/mine", 0o755) }, whole, "holds mine"},
		"a folder with data": {func(to string) error { return os.MkdirAll(to+"/mine", 0o755) }, whole, "not empty"},
		"a file":             {func(to string) error { return os.WriteFile(to, nil, 0o600) }, whole, "is no folder"},
		"cut":                {nil, whole[:len(whole)/2], "cut off"},
		"cut early":          {nil, "snapshot ", "ended without"},
		"nothing is said":    {nil, "", "ended without"},
		"too much":           {nil, sent(archive, n, 1<<60/2000), "are needed"},
		"hostile":            {nil, sent(bad, n+1, bytesOf), "belongs to no"},
		"an endless line":    {nil, strings.Repeat("x", 1<<17), "buffer full"},
	} {
		t.Run(name, func(t *testing.T) {
			to := filepath.Join(t.TempDir(), "below", "x")
			if err := os.MkdirAll(filepath.Dir(to), 0o700); err != nil {
				t.Fatal(err)
			}
			if test.before != nil {
				if err := test.before(to); err != nil {
					t.Fatal(err)
				}
			}
			f, err := fetching(test.says, to)
			if test.want != "" {
				if err == nil || !strings.Contains(err.Error(), test.want) || f.done {
					t.Errorf("got the error %v, want one with %q", err, test.want)
				}
				if entries, _ := os.ReadDir(to + ".part"); len(entries) > 0 && entries[0].Name() != "mine" {
					t.Errorf("%s.part is left: %v", to, entries)
				}
				if _, err := os.Stat(filepath.Join(to, "config")); err == nil {
					t.Errorf("%s is there", to)
				}
				return
			}
			if err != nil || !f.done || f.snapshot != "01010101" {
				t.Fatalf("snapshot %s: %v", f.snapshot, err)
			}
			if _, err := os.Stat(to + ".part"); !errors.Is(err, fs.ErrNotExist) {
				t.Errorf("%s.part is left: %v", to, err)
			}
			if info, err := os.Stat(to); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%s: %v, %v", to, info.Mode(), err)
			}
		})
	}
}

func TestTwoDoNotWriteToTheSameFolder(t *testing.T) {
	to := filepath.Join(t.TempDir(), "x")
	first, err := claim(to + ".part")
	if err != nil {
		t.Fatal(err)
	}
	archive, n, bytesOf := tarred(t, repository())
	if _, err := fetching(sent(archive, n, bytesOf), to); err == nil || !strings.Contains(err.Error(), "being written by another") {
		t.Errorf("got the error %v", err)
	}
	first.Close()
	if _, err := fetching(sent(archive, n, bytesOf), to); err != nil {
		t.Error(err)
	}
}

func TestThePlaceIsTheProjectsWhereNoneIsSaid(t *testing.T) {
	t.Chdir(t.TempDir())
	archive, n, bytesOf := tarred(t, repository())
	if _, err := fetching(sent(archive, n, bytesOf), ""); err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat("backups/x-01010101/config"); err != nil {
		t.Error(err)
	}
	if info, err := os.Stat("backups"); err != nil || info.Mode().Perm() != 0o700 {
		t.Errorf("others can read backups: %v, %v", info, err)
	}
	if _, err := fetching(sent(archive, n, bytesOf), ""); err == nil || !strings.Contains(err.Error(), "not empty") {
		t.Errorf("a second time: %v", err)
	}
}

func TestTheServersReasonIsTold(t *testing.T) {
	for said, want := range map[string]string{
		"host: x:\nrestic: no\nexport.sh: it can't\nhint: df -h\nexit status 1": "it can't\nhint: df -h",
		"host: x: the connection was lost":                                      "host: x: the connection was lost",
	} {
		if is := told(errors.New(said)).Error(); is != want {
			t.Errorf("of %q %q is told, not %q", said, is, want)
		}
	}
}
