package main

import (
	"slices"
	"strings"
	"testing"
)

func TestAnOldWordRunsItsTargetOrNamesIt(t *testing.T) {
	for _, c := range []struct{ words, instance, argv, err string }{
		{"vagrant bigsudo yourlabs.traefik -v", "", "vagrant:bigsudo|yourlabs.traefik -v", ""},
		{"vagrant bigsudo ansible/deploy.yml x=a;b", "", "vagrant:bigsudo|ansible/deploy.yml 'x=a;b'", ""},
		{"vagrant up", "", "vagrant:up", ""},
		{"vagrant halt", "", "", "vagrant WORDS"},
		{"docker.logs -follow", "mrs-staging", "ops:logs|staging|-follow", ""},
		{"docker.shell", "", "ops:shell|local", ""},
		{"docker.logs", "; id", "ops:logs|local", ""},
		{"docker.load", "mrs-production", "", "hint: go tool mage ops:restore production latest"},
		{"docker.start", "", "", "hint: go tool mage deploy:local"},
		{"py.test", "", "", "the application's own ./do"},
		{"db.load", "", "", "ops:seedLocal"},
		{"nosuch", "", "", "which word is meant?"},
		{"", "", "", "docker.dumpbackup"},
	} {
		argv, err := answer(strings.Fields(c.words), c.instance)
		if c.argv != "" && (err != nil || strings.Join(argv, "|") != "go|tool|mage|"+c.argv) {
			t.Errorf("%s: %q, %v, want %s", c.words, argv, err, c.argv)
		}
		if c.err != "" && (err == nil || argv != nil || !strings.Contains(err.Error(), c.err)) {
			t.Errorf("%s: %q, %v, want %s", c.words, argv, err, c.err)
		}
	}
}

func TestEveryOldWordHasAnAnswer(t *testing.T) {
	for _, row := range rows() {
		if !slices.Contains([]string{"run", "see", "app"}, row.how) || (row.how == "app") != (row.target == "") ||
			row.how == "see" && row.note == "" {
			t.Errorf("%+v", row)
		}
	}
}
