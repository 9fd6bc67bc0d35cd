package hostapi

import "regexp"

// Layouts of times in UTC (package time).
const (
	Stamp  = "20060102T150405Z"        // in the names of files, folders and restore points
	Second = "2006-01-02 15:04:05 UTC" // as people are told it
)

// BackupUnits are the names of a project's units about its backups; of the last there is one for each unit that fails.
func BackupUnits(project string) (names []string) {
	for _, name := range []string{"backup", "prune", "drill", "restore", "recover", "wal", "ship", "alert@"} {
		names = append(names, project+"-"+name)
	}
	return names
}

// LogUnits are the names of a project's units that receive PostgreSQL's log, and that have it in the repository.
func LogUnits(project string) (receive, ship string) { return project + "-wal", project + "-ship" }

var (
	image    = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._:/-]{0,254}(@sha256:[0-9a-f]{64})?$`)
	snapshot = regexp.MustCompile(`^(latest|[0-9a-f]{8,64})$`)
)

// IsImage reports whether a name can be an image's (distribution's reference), and does not look like an option.
func IsImage(name string) bool { return image.MatchString(name) }

// IsSnapshot reports whether a word means a snapshot: the beginning of its id, or latest.
func IsSnapshot(word string) bool { return snapshot.MatchString(word) }
