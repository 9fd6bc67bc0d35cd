package provision

import (
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

func TestTheLogIsReceivedAtAllTimesWhereThereIsAFolderForItAndElseNoMore(t *testing.T) {
	d := persistent()
	if n := Of(d, program); !slices.Equal(n.Ended, []string{"mrs-x-wal", "mrs-x-ship"}) {
		t.Errorf("ended are %v", n.Ended)
	}
	d.Backup.LogArchive = "/mnt/backup/wal"
	n := Of(d, program)
	unit := func(name string) hostapi.Unit {
		i := slices.IndexFunc(n.Units, func(u hostapi.Unit) bool { return u.Name == name })
		if i < 0 {
			t.Fatalf("there is no %s", name)
		}
		return n.Units[i]
	}
	if u := unit("mrs-x-wal"); !u.Always || u.Command != program+" wal receive /home/mrs-x" || !strings.Contains(u.CommandAfter, "wal ended") {
		t.Errorf("it is received by %+v", u)
	}
	if u := unit("mrs-x-ship"); u.Calendar != "*:00/5" || u.OnFailure != "" {
		t.Errorf("it is shipped by %+v", u)
	}
	if !slices.Contains(n.Folders, hostapi.Folder{Path: "/mnt/backup/wal", Mode: "0700"}) || len(n.Ended) > 0 {
		t.Errorf("the folders are %+v; ended are %v", n.Folders, n.Ended)
	}
	if !strings.Contains(n.file(t, "/home/mrs-x/.backup.env").Content, "WAL_ARCHIVE='/mnt/backup/wal'\n") {
		t.Error("nothing tells who receives it where to")
	}
}

func TestAnArchiveOnTheDiskOfTheDataIsRefused(t *testing.T) {
	d, f := persistent(), &fake{}
	d.Folder = filepath.Join(t.TempDir(), "home")
	d.Backup.LogArchive = filepath.Join(filepath.Dir(d.Folder), "not", "there", "yet")
	if err := Check(t.Context(), d, f); err == nil || !strings.Contains(err.Error(), "is on the disk of PostgreSQL's data") {
		t.Errorf("%v", err)
	}
}
