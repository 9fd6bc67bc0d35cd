package restic

import (
	"fmt"
	"io/fs"
	"syscall"
)

// changed is when a file's inode last changed, as find(1) prints %C@: ten decimals.
func changed(info fs.FileInfo) string {
	if s, ok := info.Sys().(*syscall.Stat_t); ok {
		return fmt.Sprintf("%d.%09d0", s.Ctim.Sec, s.Ctim.Nsec)
	}
	return ""
}
