package provision

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestProgramsThatDecideForNobodyGoAfterAWeek(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	write := func(age time.Duration, name, content string) string {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		if err := os.Chtimes(path, now, now.Add(-age)); err != nil {
			t.Fatal(err)
		}
		return path
	}
	const month = 30 * 24 * time.Hour
	name := func(digit string) string { return "mrs-host-" + strings.Repeat(digit, 16) }
	write(month, "tools/"+name("1"), "")
	write(month, "tools/"+name("2"), "")
	write(month, "tools/"+name("3"), "")
	write(time.Hour, "tools/"+name("4"), "")
	write(month, "tools/pgcopy-"+strings.Repeat("5", 16), "")
	write(month, "tools/"+name("6"), "")
	write(month, "tools/"+name("6")+"-"+strings.Repeat("7", 16), "")
	write(month, "tools/"+name("6")+"-"+strings.Repeat("8", 16), "")
	write(0, "units/mrs-ops-branches.service", "[Service]\nExecStart=/usr/local/lib/mrs-ops/"+name("6")+" branches expire\n")
	write(month, "tools/README", "")
	write(month, "tools/mrs-host-of-mine", "")
	write(0, "a/.program", "/usr/local/lib/mrs-ops/"+name("1")+"\n")
	write(0, "b/.backup.env", "NAME='b'\nMRS_HOST='/usr/local/lib/mrs-ops/"+name("2")+"'\n")
	write(0, "units/b-ship.service", "[Service]\nExecStart=/usr/local/lib/mrs-ops/"+name("6")+"-"+strings.Repeat("7", 16)+" wal ship /b\n")
	write(0, "units/b-backup.service", "[Service]\nExecStart=/bin/bash "+dir+"/b/backup.sh timer\n")

	homes := Homes([]string{dir + "/a", "", dir + "/a", dir + "/gone"}, dir+"/units")
	if want := []string{dir + "/a", dir + "/gone", dir + "/b"}; !slices.Equal(homes[:min(3, len(homes))], want) {
		t.Fatalf("the homes are %q", homes)
	}
	gone, err := Forget(dir+"/tools", dir+"/units", homes[:3], now)
	if want := []string{name("3"), name("6") + "-" + strings.Repeat("8", 16), "pgcopy-" + strings.Repeat("5", 16)}; err != nil || !slices.Equal(gone, want) {
		t.Errorf("gone: %q, %v", gone, err)
	}
	if left, _ := os.ReadDir(dir + "/tools"); len(left) != 7 {
		t.Errorf("left: %v", left)
	}
	// A home that can't be read may name any of them.
	if err := os.Mkdir(dir+"/a/.backup.env", 0o700); err != nil {
		t.Fatal(err)
	}
	if gone, err := Forget(dir+"/tools", dir+"/units", homes[:3], now.Add(month)); err == nil || gone != nil {
		t.Errorf("gone though it is not known who needs it: %q", gone)
	}
}
