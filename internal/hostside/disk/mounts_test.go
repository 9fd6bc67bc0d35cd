package disk

import (
	"testing"
)

func TestDisksThatAreNotMountedAreKnown(t *testing.T) {
	got := mounts(
		"# a comment\nUUID=1 / ext4 defaults 0 1\nUUID=2 /srv/back\\040ups ext4 defaults 0 2\nUUID=3 none swap sw 0 "+
			"0\n/dev/x /mnt ext4\n",
		"22 1 0:21 / / rw - ext4 /dev/a rw\n23 22 0:22 / /mnt rw shared:1 - ext4 /dev/x rw\n",
	)
	want := map[string]bool{"/": true, "/srv/back ups": false, "/mnt": true}
	if len(got) != len(want) {
		t.Errorf("got %v", got)
	}
	if at := points("23 22 8:1 /home/a /srv/back\\040ups rw shared:1 - ext4 /dev/x rw\n"); !at["/srv/back ups"] || at["/srv"] {
		t.Errorf("what is mounted there is one of the same disk: %v", at)
	}
	for folder, is := range want {
		if got[folder] != is {
			t.Errorf("%s: %v", folder, got[folder])
		}
	}
}
