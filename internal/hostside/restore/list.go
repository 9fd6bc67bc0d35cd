package restore

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
)

// Listed is how the backups of an instance stand.
type Listed struct {
	Version    int               `json:"version"` // [hostapi.Version]
	Instance   string            `json:"instance"`
	Repository string            `json:"repository"` // without a password
	Mirrored   bool              `json:"mirrored"`   // there is a mirror
	Bytes      int64             `json:"repository_bytes"`
	DiskFree   int64             `json:"disk_free"`
	DiskSize   int64             `json:"disk_size"`
	Log        *hostapi.Log      `json:"log,omitempty"` // nil: none is received
	Snapshots  []ListedSnapshot  `json:"snapshots"`     // the oldest first
	Runs       []json.RawMessage `json:"runs"`          // lines of the ledger, the oldest first
}

// ListedSnapshot is a snapshot of the instance.
type ListedSnapshot struct {
	restic.Snapshot
	ShortID   string  `json:"short_id"`  // its first 8 digits
	Epoch     float64 `json:"epoch"`     // its time, in Unix seconds
	Unchecked bool    `json:"unchecked"` // made by a run that ended before it was checked
}

// runs is how many lines of the ledger are listed.
const runs = 2000

// List returns how the backups stand. It takes no lock.
func (i *Instance) List(ctx context.Context) (Listed, error) {
	r := i.Begin("restore", "")
	l := Listed{Version: hostapi.Version,
		Instance: i.Name, Repository: r.Repository().Shown(), Mirrored: i.Settings.Mirror != "",
		Snapshots: []ListedSnapshot{}, Runs: []json.RawMessage{}}
	if r.Repository().Here() {
		l.Bytes = dump.Size(i.Settings.Repository)
		l.DiskFree, l.DiskSize, _ = i.Free(i.Settings.Repository)
	}
	all, err := r.Snapshots(ctx)
	if err != nil {
		return l, err
	}
	for _, s := range all {
		l.Snapshots = append(l.Snapshots, ListedSnapshot{Snapshot: s.Snapshot, ShortID: backup.Short(s.ID),
			Epoch: float64(s.Time.UnixMicro()) / 1e6, Unchecked: s.Unchecked})
	}
	if l.Log, err = i.Archive().Standing(); err != nil {
		return l, err
	}
	lines, err := i.Ledger.Last(runs)
	l.Runs = append(l.Runs, lines...)
	return l, err
}

// Lines are the snapshots for people, the oldest first: id, time, tags.
func (l Listed) Lines() (lines []string) {
	for _, s := range l.Snapshots {
		state := ""
		if s.Unchecked {
			state = "(NOT CHECKED)"
		}
		lines = append(lines, fmt.Sprintf("%s %s %s %s",
			s.ShortID, s.Time.Local().Format("2006-01-02 15:04:05"), strings.Join(s.Tags, " "), state))
	}
	return lines
}
