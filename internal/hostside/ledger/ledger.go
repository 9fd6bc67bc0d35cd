// Package ledger is the record of what was done to an instance's backups: a line of JSON for
// each run in /var/log/mrs-ops/PROJECT.backups.log, and what the monitoring reads, in
// /var/lib/mrs-ops/PROJECT.prom (Prometheus' text format).
//
// The scripts and targets read both: lines are as Python's json.dumps writes them, a
// blank behind each colon and comma. It must not know how backups are made.
package ledger

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
)

// Ledger is that of an instance.
type Ledger struct {
	Project  string
	Mirrored bool   // there is a mirror
	Log      string // the file of the record
	Metrics  string // the file for the monitoring
}

// Outcomes of a run.
const (
	Good        = "good"
	NotMirrored = "not mirrored" // a good backup, which is only here
	Failed      = "failed"
)

// Pair is a name and its value, a text or a number. An empty text is not kept.
type Pair struct {
	Name  string
	Value any
}

// Entry is a run that has ended, in the order in which it is written.
type Entry []Pair

// encode returns the line.
func (e Entry) encode() ([]byte, error) {
	var line bytes.Buffer
	for _, p := range e {
		if p.Value == "" {
			continue
		}
		name, err := hostapi.Marshal(p.Name)
		if err != nil {
			return nil, err
		}
		value, err := hostapi.Marshal(said(p))
		if err != nil {
			return nil, err
		}
		if line.Len() > 0 {
			line.WriteString(", ")
		}
		fmt.Fprintf(&line, "%s: %s", name, value)
	}
	return []byte("{" + line.String() + "}"), nil
}

// said is the value of a pair, where it is a sentence as it is said.
func said(p Pair) any {
	if text, ok := p.Value.(string); ok && (p.Name == "reason" || p.Name == "differs") {
		return hostapi.Said(text)
	}
	return p.Value
}

// Record keeps a run that ended at a time, and tells the monitoring.
func (l Ledger) Record(now time.Time, e Entry) error {
	line, err := append(Entry{{"time", now.UTC().Format(stamp)}}, e...).encode()
	if err != nil {
		return err
	}
	if err := durable.Append(l.Log, line, 0o600); err != nil {
		return err
	}
	all, err := l.runs()
	if err != nil {
		return err
	}
	folder := filepath.Dir(l.Metrics)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	if err := os.Chmod(folder, 0o755); err != nil { // whatever the umask
		return err
	}
	// For everybody to read.
	return durable.Write(l.Metrics, []byte(metrics(l.Project, l.Mirrored, all)), 0o644)
}

const stamp = "2006-01-02T15:04:05Z"

// run is a line, with its numbers as they are written.
type run map[string]any

func (r run) text(name string) string {
	s, _ := r[name].(string)
	return s
}

func (r run) good() bool { return r.text("outcome") == Good || r.text("outcome") == NotMirrored }

// runs reads the record. A line that the power cut short is left out.
func (l Ledger) runs() (all []run, err error) {
	text, err := os.ReadFile(l.Log)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	for line := range bytes.Lines(text) {
		decoder := json.NewDecoder(bytes.NewReader(line))
		decoder.UseNumber()
		var r run
		if decoder.Decode(&r) == nil && r != nil {
			all = append(all, r)
		}
	}
	return all, nil
}

// LastKnown returns the number of that name in the last run that has one; 0 if none has.
func (l Ledger) LastKnown(name string) (last int64, err error) {
	all, err := l.runs()
	for _, r := range all {
		if n, ok := r[name].(json.Number); ok {
			if i, err := n.Int64(); err == nil {
				last = i
			}
		}
	}
	return last, err
}

// Latest returns what the last run of some kinds was that ended since then, and why it failed; empty: there was none.
func (l Ledger) Latest(since time.Time, kinds ...string) (what, reason string, err error) {
	all, err := l.runs()
	for _, r := range all {
		at, unknown := time.Parse(stamp, r.text("time"))
		if slices.Contains(kinds, r.text("what")) && (unknown != nil || !at.Before(since)) {
			what, reason = r.text("what"), r.text("reason")
		}
	}
	return what, reason, err
}

// RowsAround returns how many rows the last good backup had that ended before a time, and the first after it; 0: there
// was none, or it is not known.
func (l Ledger) RowsAround(at time.Time) (before, after int64, err error) {
	all, err := l.runs()
	for _, r := range all {
		n, _ := r["rows"].(json.Number)
		rows, unknown := n.Int64()
		ended, undated := time.Parse(stamp, r.text("time"))
		switch {
		case r.text("what") != "backup" || !r.good() || unknown != nil || undated != nil:
		case ended.Before(at):
			before = rows
		case after == 0:
			after = rows
		}
	}
	return before, after, err
}

// LastGood returns when the last good run of a kind ended, as it is written; empty: none was good.
func (l Ledger) LastGood(what string) (at string, err error) {
	all, err := l.runs()
	for _, r := range all {
		if r.text("what") == what && r.good() {
			at = r.text("time")
		}
	}
	return at, err
}

// LastSnapshot returns the snapshot of the last good backup, as short as it is written; empty: none is known.
func (l Ledger) LastSnapshot() (snapshot string, err error) {
	all, err := l.runs()
	for _, r := range all {
		if made := r.text("snapshot"); r.text("what") == "backup" && r.good() && made != "" {
			snapshot = made
		}
	}
	return snapshot, err
}

// Last returns the last n lines of the record, but those that the power cut short.
func (l Ledger) Last(n int) (lines []json.RawMessage, err error) {
	text, err := os.ReadFile(l.Log)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	for line := range bytes.Lines(text) {
		if line = bytes.TrimSpace(line); json.Valid(line) && len(line) > 0 {
			lines = append(lines, line)
		}
	}
	return lines[max(0, len(lines)-n):], nil
}

// metrics is what the monitoring reads.
func metrics(project string, mirrored bool, all []run) string {
	var text strings.Builder
	metric := func(name string, value any) {
		if value != nil {
			fmt.Fprintf(&text, "mrs_%s{instance=\"%s\"} %v\n", name, project, value)
		}
	}
	for _, what := range []string{"backup", "drill"} {
		var last, good run
		for _, r := range all {
			if r.text("what") != what {
				continue
			}
			last = r
			if r.good() {
				good = r
			}
		}
		if last != nil {
			metric(what+"_good", digit(last.good()))
			// Where there never was a good one, it is too old for every alarm.
			var at int64
			if t, err := time.Parse(stamp, good.text("time")); err == nil {
				at = t.Unix()
			}
			metric(what+"_last_good_timestamp_seconds", at)
		}
		if good == nil {
			continue
		}
		metric(what+"_duration_seconds", good["seconds"])
		if what == "backup" {
			metric("backup_mirrored", digit(!mirrored || good.text("outcome") == Good))
			metric("backup_bytes", good["bytes"])
			metric("backup_added_bytes", good["added"])
			metric("backup_repository_bytes", good["repository_bytes"])
		}
	}
	return text.String()
}

func digit(yes bool) int {
	if yes {
		return 1
	}
	return 0
}
