package provision

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// unused is how long a program stays that decides for no instance: whoever has just
// shipped it may be about to start it, as a copy does.
const unused = 7 * 24 * time.Hour

// programName is how a program is called: NAME-KEY-SUM, once NAME-SUM. A copy's agent was one of its own, pgcopy.
var programName = regexp.MustCompile(`\b(mrs-host|pgcopy)(-[0-9a-f]{16}){1,2}\b`)

// Forget removes the programs in the folder tools that decide for no instance any more, and that no unit in the
// folder units runs. homes are the folders of all instances that are known here.
func Forget(tools, units string, homes []string, now time.Time) (gone []string, err error) {
	named, err := filepath.Glob(filepath.Join(units, "*.service"))
	if err != nil {
		return nil, err
	}
	for _, home := range homes {
		named = append(named, filepath.Join(home, ".program"), filepath.Join(home, ".backup.env"))
	}
	kept := map[string]bool{}
	for _, file := range named {
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err // what can't be known is not removed
		}
		for _, program := range programName.FindAllString(string(text), -1) {
			kept[program] = true
		}
	}
	there, err := os.ReadDir(tools)
	if err != nil {
		return nil, err
	}
	var all error
	for _, entry := range there {
		info, err := entry.Info()
		name := entry.Name()
		if err != nil || kept[name] || programName.FindString(name) != name || now.Sub(info.ModTime()) < unused {
			continue
		}
		if err := os.Remove(filepath.Join(tools, name)); err != nil {
			all = errors.Join(all, err)
			continue
		}
		gone = append(gone, name)
	}
	return gone, all
}

// script is what a unit of ours runs: bash and a script in a home.
var script = regexp.MustCompile(`(?m)^ExecStart=/bin/bash (/.+)/backup\.sh timer$`)

// Homes returns the folders of the instances that are known here: those that containers run from, those that
// units in the folder units back up, and those that are where the cookbook has them.
func Homes(running []string, units string) (homes []string) {
	homes = slices.Clone(running)
	files, _ := filepath.Glob(filepath.Join(units, "*-backup.service"))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		if m := script.FindStringSubmatch(string(text)); m != nil {
			homes = append(homes, m[1])
		}
	}
	for _, pattern := range []string{"/home/*/.program", hostapi.Ephemerals + "/*/.program"} {
		found, _ := filepath.Glob(pattern)
		for _, file := range found {
			homes = append(homes, strings.TrimSuffix(file, "/.program"))
		}
	}
	seen := map[string]bool{"": true}
	return slices.DeleteFunc(homes, func(home string) bool {
		before := seen[home]
		seen[home] = true
		return before
	})
}
