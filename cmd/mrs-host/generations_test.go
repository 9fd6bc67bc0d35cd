package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/ledger"
	"github.com/betagouv/mrs-ops/internal/hostside/release"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
)

// old is a file as the scripts of commit 721196b have written it, which were before mrs-host: made by running them.
func old(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile("../../internal/hostside/generation/testdata/721196b/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// put has a file in a folder of the test's.
func put(t *testing.T, path, content string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestTenReleasesOfTheScriptsAreTheHistoryAndCanBeGoneBackTo(t *testing.T) {
	stack := t.TempDir()
	for n := 7; n < 17; n++ {
		for _, file := range []string{"images", "release.json"} {
			text := strings.ReplaceAll(old(t, "release/"+file), "mrs:7", fmt.Sprintf("mrs:%d", n))
			put(
				t,
				filepath.Join(stack, "releases", fmt.Sprint(n), file),
				strings.Replace(text, `"release": 7`, fmt.Sprintf(`"release": %d`, n), 1),
			)
		}
		put(
			t,
			filepath.Join(stack, "releases", fmt.Sprint(n), release.Compose),
			fmt.Sprintf("services: {django: {image: mrs:%d}}\n", n),
		)
	}
	releases := release.Of(stack)
	if all, err := releases.List(); err != nil || !slices.Equal(all, []int{7, 8, 9, 10, 11, 12, 13, 14, 15, 16}) {
		t.Fatalf("%v, %v", all, err)
	}
	images, err := releases.Images(7)
	digest, own := "registry.example.org/mrs@sha256:"+strings.Repeat("2", 64), "sha256:"+strings.Repeat("4", 64)
	want := []release.Image{
		{
			Service: "django",
			Name:    "registry.example.org/mrs:7",
			ID:      "sha256:" + strings.Repeat("1", 64),
			Digest:  digest,
			Config:  strings.Repeat("3", 64),
		},
		{Service: "postgres", Name: "mrs-postgres:10", ID: own, Config: strings.Repeat("5", 64)},
	}
	if err != nil || !slices.Equal(images, want) {
		t.Fatalf("%+v, %v", images, err)
	}
	// The names mean others by now; what came from a registry is not here any more, what did not is.
	pins, err := release.Pins(7, images, func(name string) (string, error) {
		here := map[string]string{"registry.example.org/mrs:7": "sha256:new", "mrs-postgres:10": "sha256:new", own: own}
		return here[name], nil
	})
	if err != nil || pins["django"] != digest || pins["postgres"] != own {
		t.Errorf("%v, %v", pins, err)
	}
	var about hostapi.Release
	text, err := os.ReadFile(releases.File(7, "release.json"))
	if err == nil {
		err = json.Unmarshal(text, &about)
	}
	if err != nil || about.Release != 7 || about.Who != "eve@laptop" || about.Commit != "0123abcd" ||
		about.Time.Year() != 2026 {
		t.Errorf("%+v, %v", about, err)
	}
	n, err := releases.Add(hostapi.Release{Who: "bob"}, []byte("services: {}\n"), images)
	if all, _ := releases.List(); err != nil || n != 17 || len(all) != release.Keep || all[0] != 8 {
		t.Errorf("the next one is %d, %v; there are %v", n, err, all)
	}
}

func TestTheAuditLogOfTheScriptsIsRead(t *testing.T) {
	var entries []hostapi.Entry
	for line := range strings.Lines(old(t, "audit.log")) {
		var e hostapi.Entry
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			t.Fatal(err)
		}
		entries = append(entries, e)
	}
	at := time.Date(2026, 11, 20, 13, 36, 13, 0, time.UTC)
	want := []hostapi.Entry{
		{
			Time:    at,
			Who:     "eve@laptop",
			What:    "deploy registry.example.org/mrs:7",
			Outcome: hostapi.OK,
			Release: 7,
			Commit:  "0123abcd",
			Seconds: 12,
		},
		{Time: at.Add(time.Hour), Who: `é"ve@laptop`, What: "deploy", Outcome: hostapi.RolledBack,
			Reason: "the new django crashes at start; what ran before answers"},
	}
	if !reflect.DeepEqual(entries, want) {
		t.Errorf("%+v", entries)
	}
}

func TestTheLedgerOfTheScriptsIsGoneOnWith(t *testing.T) {
	folder := t.TempDir()
	l := ledger.Ledger{
		Project:  "mrs-production",
		Mirrored: true,
		Log: put(
			t,
			filepath.Join(folder, "backups.log"),
			old(t, "backups.log"),
		),
		Metrics: filepath.Join(folder, "backups.prom"),
	}
	for name, want := range map[string]int64{"attachments": 1, "dump_bytes": 4096, "bytes": 8192} {
		if n, err := l.LastKnown(name); err != nil || n != want {
			t.Errorf("the last %s are %d, %v", name, n, err)
		}
	}
	if at, err := l.LastGood("backup"); err != nil || at != "2026-11-29T13:35:56Z" {
		t.Errorf("the last good backup is of %q, %v", at, err)
	}
	if _, reason, err := l.Latest(time.Time{}, "drill"); err != nil || reason != "line 12: false failed" {
		t.Errorf("the last drill: %q, %v", reason, err)
	}
	// The line that the power cut short is of nobody, and the next one begins behind it.
	if err := l.Record(
		time.Unix(1e9, 0),
		ledger.Entry{{Name: "what", Value: "prune"}, {Name: "outcome", Value: ledger.Good}},
	); err != nil {
		t.Fatal(err)
	}
	if all, err := l.Last(100); err != nil || len(all) != 6 {
		t.Errorf("%d lines, %v", len(all), err)
	}
	// What the monitoring reads is the same.
	if now, err := os.ReadFile(l.Metrics); err != nil || string(now) != old(t, "backups.prom") {
		t.Errorf("the monitoring reads\n%s%v", now, err)
	}
}

func TestTheSettingsOfTheScriptsAreRead(t *testing.T) {
	s, err := backup.ParseSettings(old(t, "backup.env"))
	want := backup.Settings{
		Name:        "mrs-production",
		Repository:  "/home/mrs-production/restic",
		Mirror:      "ftp://mirror:se'cr$et word@ftp.example.org/backups",
		Database:    "mrs",
		Role:        "django",
		Slack:       "https://hooks.example.org/services/T0/B0/token",
		Server:      "postgres",
		Application: []string{"django"},
		Port:        8000,
		Folders:     []string{"log", "mrsattachments"},
		URL:         "https://mrs.example.org",
		Timeout:     90,
		Production:  true,
		KeepLast:    7,
		KeepDaily:   7,
		KeepWeekly:  5,
		KeepMonthly: 12,
		KeepYearly:  75,
	}
	if err != nil || !reflect.DeepEqual(s, want) {
		t.Errorf("%+v, %v", s, err)
	}
}

func TestWhatTheScriptsKnewToBeWholeIsNotReadAgain(t *testing.T) {
	home := t.TempDir()
	list, ok, err := restic.ReadFiles(put(t, filepath.Join(home, ".backup.intact"), old(t, "backup.intact")))
	if err != nil || !ok || len(list) != 6 || !slices.IsSorted(list) {
		t.Fatalf("%v, %v, %v", list, ok, err)
	}
	// As find(1) of theirs and this program name the same file.
	file := put(t, filepath.Join(home, "restic/data/02", strings.Repeat("0", 64)), "")
	for _, folder := range []string{"index", "keys", "snapshots"} {
		if err := os.MkdirAll(filepath.Join(home, "restic", folder), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	now, err := restic.List(filepath.Join(home, "restic"))
	if err != nil || len(now) != 1 || strings.Count(now[0], "\t") != 1 || len(now[0]) != len(list[0]) {
		t.Errorf("%s is %q, %v, and was %q", file, now, err, list[0])
	}
}

func TestARequestIsCarriedOutByItsOwnVersionAndNotWhereANewerOneHasDeployed(t *testing.T) {
	home := t.TempDir()
	d := hostapi.Deploy{Version: hostapi.Version, Name: "production", Folder: home}
	if err := current(d); err != nil {
		t.Errorf("its own: %v", err)
	}
	older := d
	older.Version = 0 // as a clone sends it that does not say its version
	if err := current(older); err == nil || !strings.Contains(err.Error(), "hint: ") {
		t.Errorf("an older request: %v", err)
	}
	put(t, filepath.Join(home, ".version"), fmt.Sprintln(hostapi.Version+1))
	newer := fmt.Sprintf("of version %d", hostapi.Version+1)
	if err := current(d); err == nil || !strings.Contains(err.Error(), newer) {
		t.Errorf("where a newer one has deployed: %v", err)
	}
}
