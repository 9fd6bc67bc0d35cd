package ledger

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

func newLedger(t *testing.T, before string) Ledger {
	t.Helper()
	folder := t.TempDir()
	l := Ledger{
		Project:  "mrs-x",
		Mirrored: true,
		Log:      filepath.Join(folder, "log", "mrs-x.backups.log"),
		Metrics:  filepath.Join(folder, "lib", "mrs-x.prom"),
	}
	if before != "" {
		if err := os.MkdirAll(filepath.Dir(l.Log), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(l.Log, []byte(before), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return l
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

var now = time.Date(2026, 11, 29, 23, 0, 5, 0, time.UTC)

func TestARunIsALineThatTheScriptsRead(t *testing.T) {
	l := newLedger(t, `{"what": "half a li`)
	err := l.Record(
		now,
		Entry{
			{"what", "backup"},
			{"cause", "hand"},
			{"outcome", "good"},
			{"reason", ""},
			{"snapshot", "9bee833a"},
			{"seconds", 7},
			{"bytes", int64(4)},
		},
	)
	if err != nil {
		t.Fatal(err)
	}
	const want = `{"what": "half a li` + "\n" +
		`{"time": "2026-11-29T23:00:05Z", "what": "backup", "cause": "hand", "outcome": "good", "snapshot": "9bee833a", ` +
		`"seconds": 7, "bytes": 4}` + "\n"
	if got := read(t, l.Log); got != want {
		t.Errorf("got\n%swant\n%s", got, want)
	}
	if info, err := os.Stat(l.Metrics); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the metrics: %v, %v", info.Mode(), err)
	}
}

func TestWhatTheMonitoringReads(t *testing.T) {
	const (
		good = `{"time": "2026-11-29T23:00:05Z", "what": "backup", "outcome": "good", "seconds": 7, "bytes": 4, ` +
			`"added": 1, "repository_bytes": 9}` + "\n"
		only = `{"time": "2026-11-29T23:00:06Z", "what": "backup", "outcome": "not mirrored", "seconds": 8.5, ` +
			`"bytes": 5}` + "\n"
		failed   = `{"time": "2026-11-29T23:00:07Z", "what": "backup", "outcome": "failed", "reason": "x"}` + "\n"
		drilled  = `{"time": "2026-11-29T23:00:08Z", "what": "drill", "outcome": "good", "seconds": 60}` + "\n"
		pruned   = `{"time": "2026-11-29T23:00:09Z", "what": "prune", "outcome": "good", "seconds": 1}` + "\n"
		nonsense = "null\n[1]\nno JSON\n"
	)
	for name, c := range map[string]struct{ lines, want string }{
		"a good one": {good + nonsense, `mrs_backup_good 1
mrs_backup_last_good_timestamp_seconds 1795993205
mrs_backup_duration_seconds 7
mrs_backup_mirrored 1
mrs_backup_bytes 4
mrs_backup_added_bytes 1
mrs_backup_repository_bytes 9
`},
		"one that failed, after one that is only here": {good + only + failed, `mrs_backup_good 0
mrs_backup_last_good_timestamp_seconds 1795993206
mrs_backup_duration_seconds 8.5
mrs_backup_mirrored 0
mrs_backup_bytes 5
`},
		"never a good one": {failed, `mrs_backup_good 0
mrs_backup_last_good_timestamp_seconds 0
`},
		"a drill, and what is not of interest": {pruned + drilled, `mrs_drill_good 1
mrs_drill_last_good_timestamp_seconds 1795993208
mrs_drill_duration_seconds 60
`},
	} {
		all, err := newLedger(t, c.lines).runs()
		if err != nil {
			t.Fatal(err)
		}
		got := strings.ReplaceAll(metrics("mrs-x", true, all), `{instance="mrs-x"}`, "")
		if got != c.want {
			t.Errorf("%s: got\n%swant\n%s", name, got, c.want)
		}
	}
}

func TestTheLastNumberOfAKindIsKnown(t *testing.T) {
	l := newLedger(t, `{"attachments": 3}
{"attachments": 5, "x": "y"}
{"attachments": "none"}
{"what": "drill"}
{"attachm`)
	for name, want := range map[string]int64{"attachments": 5, "dump_bytes": 0} {
		if n, err := l.LastKnown(name); n != want || err != nil {
			t.Errorf("%s: %d, %v", name, n, err)
		}
	}
	if n, err := newLedger(t, "").LastKnown("attachments"); n != 0 || err != nil {
		t.Errorf("of no ledger: %d, %v", n, err)
	}
}

func TestWhatTheRunsWereIsKnown(t *testing.T) {
	l := newLedger(t, `{"time": "T1", "what": "backup", "outcome": "good", "snapshot": "0123abcd", "bytes": 7}
{"time": "T2", "what": "backup", "outcome": "failed", "reason": "full"}
{"time": "T3", "what": "drill", "outcome": "good", "snapshot": "0123abcd", "bytes": 9}
{"time": "T4", "wh`)
	if what, reason, err := l.Latest(time.Time{}, "backup", "prune"); what != "backup" || reason != "full" || err != nil {
		t.Errorf("the last one was %s: %s, %v", what, reason, err)
	}
	if at, err := l.LastGood("backup"); at != "T1" || err != nil {
		t.Errorf("the last good one is of %s, %v", at, err)
	}
	lines, err := l.Last(2)
	if err != nil || len(lines) != 2 || !strings.Contains(string(lines[1]), "T3") {
		t.Errorf("the last lines are %s, %v", lines, err)
	}
	if lines, err := newLedger(t, "").Last(2); err != nil || len(lines) != 0 {
		t.Errorf("of no ledger: %s, %v", lines, err)
	}
}

func TestTheRowsAroundATimeAreThoseOfGoodBackups(t *testing.T) {
	l := newLedger(t, `{"time": "2026-11-26T23:00:00Z", "what": "backup", "outcome": "good", "rows": 5}
{"time": "2026-11-27T23:00:00Z", "what": "backup", "outcome": "not mirrored", "rows": 7}
{"time": "2026-11-28T04:00:00Z", "what": "drill", "outcome": "good", "rows": 6}
{"time": "2026-11-28T22:00:00Z", "what": "backup", "outcome": "failed", "rows": 1}
{"time": "2026-11-28T23:00:00Z", "what": "backup", "outcome": "good"}
{"time": "2026-11-29T23:00:00Z", "what": "backup", "outcome": "good", "rows": 9}
`)
	for at, want := range map[string][2]int64{
		"2026-11-26T12:00:00Z": {0, 5}, "2026-11-28T12:00:00Z": {7, 9}, "2026-11-30T12:00:00Z": {9, 0},
	} {
		when, err := time.Parse(stamp, at)
		if err != nil {
			t.Fatal(err)
		}
		if before, after, err := l.RowsAround(when); err != nil || before != want[0] || after != want[1] {
			t.Errorf("%s: %d and %d, %v", at, before, after, err)
		}
	}
}
