package pgversion

import (
	"encoding/base64"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// heads are the beginnings of toc.dat, as pg_dump of each version writes it.
var heads = map[string]string{
	"10": "UEdETVABDgAECAMBAQAAAAATAAAAAAQAAAAAAwAAAAAdAAAAAAoAAAAAfgAAAAAAAAAAAAgAAABwb3N0Z3JlcwAFAAAAMTAuMjMAHgAAADEzLjE2IChEZWJpYW4gMTMuMTYtMCtkZWIxMXUxKQAFAAAAAOQKAAA=",
	"13": "UEdETVABDgAECAMBAQAAAAAUAAAAAAQAAAAAAwAAAAAdAAAAAAoAAAAAfgAAAAAAAAAAAAgAAABwb3N0Z3JlcwAeAAAAMTMuMTYgKERlYmlhbiAxMy4xNi0wK2RlYjExdTEpAB4AAAAxMy4xNiAoRGViaWFuIDEzLjE2",
	"15": "UEdETVABDgAECAMBAQAAAAAUAAAAAAQAAAAAAwAAAAAdAAAAAAoAAAAAfgAAAAAAAAAAAAgAAABwb3N0Z3JlcwAeAAAAMTUuMTggKERlYmlhbiAxNS4xOC0wK2RlYjEydTEpAB4AAAAxNS4xOCAoRGViaWFuIDE1LjE4",
	"17": "UEdETVABEAAECAMBABUAAAAABAAAAAADAAAAAB0AAAAACgAAAAB+AAAAAAAAAAAACAAAAHBvc3RncmVzAB4AAAAxNy4xMiAoRGViaWFuIDE3LjEyLTArZGViMTN1MSkAHgAAADE3LjEyIChEZWJpYW4gMTcuMTIt",
}

func TestADumpTellsWhichPostgreSQLItIsOf(t *testing.T) {
	for want, text := range heads {
		head, err := base64.StdEncoding.DecodeString(text)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Dump(strings.NewReader(string(head)))
		if got != want || err != nil {
			t.Errorf("the archive of %s is of %q: %v", want, got, err)
		}
		for cut := range 70 { // before the version is whole
			if got, err := Dump(strings.NewReader(string(head[:cut]))); err == nil && got != "" {
				t.Errorf("the first %d bytes of the archive of %s are of %q", cut, want, got)
			}
		}
	}
	for text, want := range map[string]string{
		"--\n-- PostgreSQL database cluster dump\n--\nCREATE ROLE django;\n--\n-- Dumped from database version 9.6.24\n": "9.6",
		"-- Dumped from database version 10.23 (Debian 10.23-1.pgdg110+1)\n":                                             "10",
		"-- nothing\n": "", "": "", "PGDUMP": "",
	} {
		if got, err := Dump(strings.NewReader(text)); got != want || err != nil {
			t.Errorf("%q is of %q: %v", text, got, err)
		}
	}
	for _, damaged := range []string{"PGDMP", "PGDMP\x01\x09\x00\x04\x08\x03\x01", "PGDMP\x01\x0e\x00\x04\x08\x03" + strings.Repeat("\xff", 200)} {
		if got, err := Dump(strings.NewReader(damaged)); err == nil && got != "" {
			t.Errorf("%q is of %q", damaged, got)
		}
	}
}

func TestOnlyAnOlderPostgreSQLCanNotTakeADump(t *testing.T) {
	for _, c := range []struct {
		has, of string
		older   bool
	}{
		{"10", "15", true}, {"9.6", "10", true}, {"15", "10", false}, {"15", "15", false}, {"10", "9.6", false}, {"17", "", false},
	} {
		if got := Older(c.has, c.of); got != c.older {
			t.Errorf("%s is older than %s: %v", c.has, c.of, got)
		}
	}
}

func TestADataFolderTellsItsVersion(t *testing.T) {
	folder := t.TempDir()
	if got, err := Folder(folder); got != "" || err != nil {
		t.Errorf("an empty folder is of %q: %v", got, err)
	}
	file := filepath.Join(folder, "PG_VERSION")
	if err := os.WriteFile(file, []byte("10\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got, err := Folder(folder); got != "10" || err != nil {
		t.Errorf("it is of %q: %v", got, err)
	}
	if got, err := Folder(file); got != "" || err != nil { // what is mounted may be a file
		t.Errorf("a file is of %q: %v", got, err)
	}
}

func TestTheSettingThatKeepsAVersionNamesItsImage(t *testing.T) {
	for image, want := range map[string]string{
		"postgres:15": "postgres:10", "postgres": "postgres:10", "registry.example:5000/postgres:15-alpine": "registry.example:5000/postgres:10",
		"registry.example:5000/postgres": "registry.example:5000/postgres:10", "postgres:15@sha256:0123": "postgres:10",
	} {
		if got := tagged(image, "10"); got != want {
			t.Errorf("%s: %s, not %s", image, got, want)
		}
	}
}
