// Package disk tells what room a host's disks have, and which of them are there.
//
// It must not know who needs the room.
package disk

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
)

// Mounts returns the folders that are to be disks of their own (fstab(5)), and whether each is one.
func Mounts() map[string]bool {
	table, _ := os.ReadFile("/etc/fstab")
	now, _ := os.ReadFile("/proc/self/mountinfo")
	return mounts(string(table), string(now))
}

// There fails where a folder is on a disk of its own, by mounts ([Mounts]), that is not mounted.
func There(folder string, mounts map[string]bool) error {
	for disk, mounted := range mounts {
		if disk != "/" && !mounted && strings.HasPrefix(folder+"/", strings.TrimSuffix(disk, "/")+"/") {
			return fmt.Errorf("the disk of %s is not mounted\nhint: mount %s", folder, disk)
		}
	}
	return nil
}

// Apart fails where an archive is on the disk of the data in a folder, by device ([Device]): one disk that dies would
// take both.
func Apart(archive, data string, device func(path string) (uint64, error)) error {
	here, err := device(archive)
	there, e := device(data)
	if err = errors.Join(err, e); err == nil && here == there {
		err = fmt.Errorf("%s is on the disk of PostgreSQL's data, and would go with them\n"+
			"hint: another WAL_ARCHIVE in the instance's env file, then deploy; is its disk mounted?", archive)
	}
	return err
}

// MountPoint reports whether something is mounted at a folder, be it another folder of the same file system.
func MountPoint(path string) bool {
	now, _ := os.ReadFile("/proc/self/mountinfo")
	if whole, err := filepath.EvalSymlinks(filepath.Dir(path)); err == nil {
		path = filepath.Join(whole, filepath.Base(path))
	}
	return points(string(now))[path]
}

// points are the folders at which something is mounted.
func points(now string) map[string]bool {
	mounted := map[string]bool{}
	for line := range strings.Lines(now) {
		if words := strings.Fields(line); len(words) > 4 { // proc_pid_mountinfo(5)
			mounted[unescape(words[4])] = true
		}
	}
	return mounted
}

func mounts(table, now string) map[string]bool {
	mounted := points(now)
	all := map[string]bool{}
	for line := range strings.Lines(table) {
		words := strings.Fields(line)
		if len(words) < 2 || strings.HasPrefix(words[0], "#") || !strings.HasPrefix(words[1], "/") {
			continue
		}
		folder := unescape(words[1])
		all[folder] = mounted[folder]
	}
	return all
}

// unescape has blanks as both files write them.
func unescape(folder string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(folder)
}
