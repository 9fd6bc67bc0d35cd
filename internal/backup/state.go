package backup

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// State is what an instance's server says of its backups.
type State struct {
	hostapi.BackupStore
	Snapshots []Snapshot `json:"snapshots"` // the newest first
	Runs      []Run      `json:"runs"`      // the oldest first
}

// Snapshot is a backup.
type Snapshot struct {
	ID        string    `json:"id"` // the first 8 digits
	Time      time.Time `json:"time"`
	Cause     string    `json:"cause,omitempty"`  // timer, deploy or hand
	Commit    string    `json:"commit,omitempty"` // of the application that ran
	Bytes     int64     `json:"bytes,omitempty"`  // of all that is in it; 0: not known
	Added     int64     `json:"added,omitempty"`  // what the repository grew by, in bytes
	Unchecked bool      `json:"unchecked"`        // made by a run that ended before it was checked: not to be trusted
	Proven    bool      `json:"proven"`           // it has passed a drill
}

// Run is a backup, prune, drill or restore that has ended: a line that the
// scripts on the server have kept.
type Run struct {
	Time     time.Time `json:"time"` // when it ended
	What     string    `json:"what"` // backup, prune, drill, restore
	Cause    string    `json:"cause,omitempty"`
	Outcome  string    `json:"outcome"`           // good, failed, or: not mirrored, which is good, but only here
	Reason   string    `json:"reason,omitempty"`  // why it is not good
	Differs  string    `json:"differs,omitempty"` // what of a restored database is not as it was backed up
	Snapshot string    `json:"snapshot,omitempty"`
	Seconds  float64   `json:"seconds"`
	Bytes    int64     `json:"bytes,omitempty"`      // of all that is in the snapshot
	Added    int64     `json:"added,omitempty"`      // what the repository grew by
	Files    int64     `json:"files,omitempty"`      // in the snapshot
	Dump     int64     `json:"dump_bytes,omitempty"` // of the database's dump, uncompressed
	Rows     int64     `json:"rows,omitempty"`       // in the database
	Total    int64     `json:"repository_bytes,omitempty"`
	DiskFree int64     `json:"disk_free,omitempty"`
	DiskSize int64     `json:"disk_size,omitempty"`
}

// Good reports whether there is a good snapshot after it, or a proof of one.
func (r Run) Good() bool { return r.Outcome == "good" || r.Outcome == "not mirrored" }

// parse reads what `restore.sh list` prints.
func parse(out string) (*State, error) {
	var said hostapi.BackupList
	unread := func(err error) (*State, error) {
		return nil, fmt.Errorf("what the server says of its backups can't be read: %w", err)
	}
	if err := json.Unmarshal([]byte(out), &said); err != nil {
		return unread(err)
	}
	if said.Version > hostapi.Version {
		return nil, hostapi.Outdated(said.Instance, said.Version, hostapi.Version)
	}
	state := &State{BackupStore: said.BackupStore, Snapshots: []Snapshot{}, Runs: make([]Run, len(said.Runs))}
	for n, line := range said.Runs {
		if err := json.Unmarshal(line, &state.Runs[n]); err != nil {
			return unread(err)
		}
	}
	for _, s := range slices.Backward(said.Snapshots) {
		n := Snapshot{ID: s.ShortID, Time: s.Time, Unchecked: s.Unchecked}
		for _, tag := range s.Tags {
			commit, found := strings.CutPrefix(tag, "commit-")
			switch {
			case found && commit != "unknown":
				n.Commit = commit
			case tag == "timer" || tag == "deploy" || tag == "hand":
				n.Cause = tag
			}
		}
		for _, run := range state.Runs {
			if run.Snapshot != n.ID {
				continue
			}
			switch run.What {
			case "backup":
				n.Bytes, n.Added = run.Bytes, run.Added
			case "drill":
				n.Proven = run.Outcome == "good" // the last one counts
			}
		}
		state.Snapshots = append(state.Snapshots, n)
	}
	return state, nil
}
