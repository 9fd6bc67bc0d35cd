package rollout

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/release"
)

// brought is a file of this account's, whose name says that it is number n.
func brought(n int) hostapi.Carried {
	return hostapi.Carried{Path: fmt.Sprintf("%s/conf-%016x", hostapi.Files, n), Content: fmt.Appendf(nil, "\x00\xff $number %d", n),
		UID: os.Getuid(), GID: os.Getgid(), Mode: "0640"}
}

// reading is a stack whose application reads file number n.
func reading(n int) string {
	return stack(fmt.Sprintf("app:1;./%s", brought(n).Path), "pg:1")
}

func TestFilesAreThereAsLongAsAReleaseReadsThem(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := way{to: reading(1)}.before(t)
		const releases = release.Keep + 3
		for n := 1; n <= releases; n++ {
			d.File, d.Carried = reading(n), []hostapi.Carried{brought(n)}
			if _, err, _ := w.run(d, nil); err != nil {
				t.Fatal(n, err)
			}
		}
		entries, err := os.ReadDir(filepath.Join(w.folder, hostapi.Files))
		if err != nil || len(entries) != release.Keep {
			t.Errorf("%d files are there, %v", len(entries), err)
		}
		folder, err := os.Stat(filepath.Join(w.folder, hostapi.Files))
		if err != nil || folder.Mode().Perm() != 0o700 {
			t.Errorf("others may look there: %v, %v", folder.Mode(), err)
		}
		// The oldest that is kept has what it had.
		oldest := releases - release.Keep + 1
		d.Release, d.File, d.Carried = fmt.Sprint(oldest), reading(99), []hostapi.Carried{brought(99)}
		if _, err, _ := w.run(d, nil); err != nil {
			t.Fatal(err)
		}
		path := filepath.Join(w.folder, brought(oldest).Path)
		content, err := os.ReadFile(path)
		if err != nil || string(content) != string(brought(oldest).Content) {
			t.Errorf("it has %q, %v", content, err)
		}
		if info, err := os.Stat(path); err != nil || info.Mode().Perm() != 0o640 {
			t.Errorf("its mode is %v, %v", info.Mode(), err)
		}
		if _, err := os.Stat(filepath.Join(w.folder, brought(99).Path)); err == nil {
			t.Error("what a release does not read was brought along")
		}
	})
}

func TestAReleaseWhoseFilesAreGoneIsNotStarted(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := way{to: reading(1)}.before(t)
		for n := range 2 {
			d.File, d.Carried = reading(n), []hostapi.Carried{brought(n)}
			if _, err, _ := w.run(d, nil); err != nil {
				t.Fatal(err)
			}
		}
		was := w.state()
		if err := os.Remove(filepath.Join(w.folder, brought(0).Path)); err != nil {
			t.Fatal(err)
		}
		d.Release = "1"
		_, err, _ := w.run(d, nil)
		want := fmt.Sprintf("what is to run reads %s, gone from %s; nothing was changed\nhint: deploy the instance, instead of a release: that brings its files along",
			brought(0).Path, w.folder)
		if err == nil || err.Error() != want || w.state() != was {
			t.Errorf("%v, and not %s", err, want)
		}
	})
}

func TestAFileIsMendedAndWhatIsRightLeftAlone(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := way{to: reading(1)}.before(t)
		d.Carried = []hostapi.Carried{brought(1)}
		path := filepath.Join(w.folder, brought(1).Path)
		if _, err, _ := w.run(d, nil); err != nil {
			t.Fatal(err)
		}
		first, err := os.Stat(path)
		if err != nil {
			t.Fatal(err)
		}
		again := func() os.FileInfo {
			t.Helper()
			if _, err, _ := w.run(d, nil); err != nil {
				t.Fatal(err)
			}
			content, err := os.ReadFile(path)
			info, e := os.Lstat(path)
			if err != nil || e != nil || string(content) != string(brought(1).Content) || info.Mode() != 0o640 {
				t.Errorf("it is %q, %v, %v, %v", content, info.Mode(), err, e)
			}
			return info
		}
		if !os.SameFile(first, again()) {
			t.Error("what was right was replaced, under who has it mounted")
		}
		for name, spoil := range map[string]func() error{
			"another content": func() error { return os.WriteFile(path, []byte("x"), 0o600) },
			"another mode":    func() error { return os.Chmod(path, 0o644) },
			"a link":          func() error { return os.Symlink("/etc/passwd", path) },
			"half of one":     func() error { return os.WriteFile(filepath.Dir(path)+"/.next."+filepath.Base(path), nil, 0o600) },
		} {
			if name == "a link" {
				_ = os.Remove(path)
			}
			if err := spoil(); err != nil {
				t.Fatal(name, err)
			}
			again()
		}
		if entries, _ := os.ReadDir(filepath.Dir(path)); len(entries) != 1 {
			t.Errorf("left is %v", entries)
		}
	})
}

func TestAFileIsPutNowhereElse(t *testing.T) {
	for _, path := range []string{"/etc/passwd", "../x-0123456789abcdef", ".files/../x-0123456789abcdef", ".files/x", ".files/a/x-0123456789abcdef", "docker-compose.yml", ""} {
		synctest.Test(t, func(t *testing.T) {
			w, d := way{to: reading(1)}.before(t)
			file := brought(1)
			file.Path = path
			d.Carried = []hostapi.Carried{file}
			if _, err, _ := w.run(d, nil); err == nil || !strings.Contains(err.Error(), "the request has another form") || len(w.containers) > 0 {
				t.Errorf("%s: %v", path, err)
			}
		})
	}
}
