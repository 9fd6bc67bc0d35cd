package restore

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
)

// runs is how many lines of the ledger are listed.
const runs = 2000

// List returns how the backups stand. It takes no lock.
func (i *Instance) List(ctx context.Context) (hostapi.BackupList, error) {
	r := i.Begin("restore", "")
	l := hostapi.BackupList{Version: hostapi.Version, BackupStore: hostapi.BackupStore{
		Instance: i.Name, Repository: r.Repository().Shown(), Mirrored: i.Mirrors(),
	}, Snapshots: []hostapi.ListedSnapshot{}, Runs: []json.RawMessage{}}
	if r.Repository().Here() {
		l.Bytes = dump.Size(i.Settings.Repository)
		l.DiskFree, l.DiskSize, _ = i.Free(i.Settings.Repository)
	}
	all, err := r.Snapshots(ctx)
	if err != nil {
		return l, err
	}
	for _, s := range all {
		l.Snapshots = append(l.Snapshots, hostapi.ListedSnapshot{ID: s.ID, Time: s.Time, Host: s.Host, Tags: s.Tags,
			Paths: s.Paths, ShortID: backup.Short(s.ID), Epoch: float64(s.Time.UnixMicro()) / 1e6, Unchecked: s.Unchecked})
	}
	if l.Log, err = i.Archive().Standing(); err != nil {
		return l, err
	}
	lines, err := i.Ledger.Last(runs)
	l.Runs = append(l.Runs, lines...)
	return l, err
}

// Lines are the snapshots for people, the oldest first: id, time, tags.
func Lines(l hostapi.BackupList) (lines []string) {
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
