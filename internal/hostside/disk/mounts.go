// Package disk tells what room a host's disks have, and which of them are there.
//
// It must not know who needs the room.
package disk

import (
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
