package hostapi

import (
	"encoding/json"
	"time"
)

// BackupStore is where the backups of an instance are, and what room they take.
type BackupStore struct {
	Instance   string `json:"instance"`
	Repository string `json:"repository"` // a folder or an address, without a password
	Mirrored   bool   `json:"mirrored"`   // whether there is a mirror
	Bytes      int64  `json:"repository_bytes"`
	DiskFree   int64  `json:"disk_free"` // of the repository's file system; 0 where it is none of the server's
	DiskSize   int64  `json:"disk_size"`
}

// BackupList is how the backups of an instance stand: what restore.sh list prints.
type BackupList struct {
	Version int `json:"version"` // [Version]; 0: of one from before that was said
	BackupStore
	Snapshots []ListedSnapshot  `json:"snapshots"` // the oldest first
	Runs      []json.RawMessage `json:"runs"`      // lines of the ledger, the oldest first
}

// ListedSnapshot is a snapshot of the instance, as restic has it.
type ListedSnapshot struct {
	ID        string    `json:"id"`
	Time      time.Time `json:"time"`
	Host      string    `json:"hostname"`
	Tags      []string  `json:"tags"`
	Paths     []string  `json:"paths"`
	ShortID   string    `json:"short_id"`  // its first 8 digits
	Epoch     float64   `json:"epoch"`     // its time, in Unix seconds
	Unchecked bool      `json:"unchecked"` // made by a run that ended before it was checked: not to be trusted
}
