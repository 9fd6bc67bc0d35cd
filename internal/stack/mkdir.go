package stack

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"math"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// mkdirLabel is the label that names folders; a suffix after a dot tells several apart.
const mkdirLabel = "io.yourlabs.compose.mkdir"

// Folder is a folder that has to exist before a stack starts.
type Folder struct {
	// Path is clean; relative in the stack's home, or absolute.
	Path string `json:"path"`
	// UID owns the folder.
	UID int `json:"uid"`
	// GID is the folder's group.
	GID int `json:"gid"`
	// Mode is four octal digits, such as 0750.
	Mode string `json:"mode"`
}

var (
	modePattern   = regexp.MustCompile(`^[0-7]{3,4}$`)
	folderPattern = regexp.MustCompile(`^[\pL\pN._/@+]([\pL\pM\pN ._/@+=-]*[\pL\pM\pN._/@+=-])?$`)
)

// isMkdir reports whether the label's key is the mkdir label or that with a suffix.
func isMkdir(key string) bool {
	return key == mkdirLabel || strings.HasPrefix(key, mkdirLabel+".")
}

// parseMkdir returns the folders of a mkdir label, PATH[,PATH…]:UID:GID:MODE.
// Its error names everything that is wrong with it.
func parseMkdir(label string) ([]Folder, error) {
	fields := strings.Split(label, ":")
	if len(fields) != 4 {
		return nil, errors.New("want PATH[,PATH…]:UID:GID:MODE, such as ./log:1000:1000:0750")
	}
	uid, uidErr := parseID("uid", fields[1])
	gid, gidErr := parseID("gid", fields[2])
	errs := []error{uidErr, gidErr}
	if !modePattern.MatchString(fields[3]) {
		errs = append(errs, fmt.Errorf("mode %q is not three or four octal digits, such as 0750", fields[3]))
	}
	var folders []Folder
	for name := range strings.SplitSeq(fields[0], ",") {
		clean, err := cleanFolder(name)
		errs = append(errs, err)
		folders = append(folders, Folder{Path: clean, UID: uid, GID: gid, Mode: fmt.Sprintf("%04s", fields[3])})
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return folders, nil
}

// parseID returns the numeric user or group that digits name. The largest one
// is no id: to chown(2) it means "leave it".
func parseID(what, digits string) (int, error) {
	id, err := strconv.ParseUint(digits, 10, 32)
	if err != nil || id == math.MaxUint32 || strings.HasPrefix(digits, "+") {
		return 0, fmt.Errorf("%s %q is not a number, such as 1000", what, digits)
	}
	return int(id), nil
}

// cleanFolder returns the path without detours. Relative, it must stay below
// home; neither home itself nor / may change hands.
func cleanFolder(name string) (string, error) {
	if name == "" {
		return "", errors.New("a path is empty")
	}
	if !folderPattern.MatchString(name) {
		return "", fmt.Errorf("path %q has characters that a folder here may not have", name)
	}
	clean := path.Clean(name)
	switch {
	case clean == "..", strings.HasPrefix(clean, "../"):
		return "", fmt.Errorf("path %q leaves home", name)
	case clean == ".":
		return "", fmt.Errorf("path %q is home itself", name)
	case clean == "/":
		return "", fmt.Errorf("path %q is the root of the file system", name)
	case clean == hostapi.Files, strings.HasPrefix(clean, hostapi.Files+"/"):
		return "", fmt.Errorf("path %q is where the files are that the stack brings along", name)
	}
	return clean, nil
}

// checkLabels returns an error for every bad mkdir label among a service's
// labels, given as a list or as a mapping.
func checkLabels(at place, labels any) error {
	var parsed types.Labels
	if err := parsed.DecodeMapstructure(labels); err != nil {
		return nil // the schema says so better
	}
	var errs []error
	for _, key := range slices.Sorted(maps.Keys(parsed)) {
		if !isMkdir(key) {
			continue
		}
		if _, err := parseMkdir(parsed[key]); err != nil {
			errs = append(errs, at.each(key, err))
		}
	}
	return errors.Join(errs...)
}

// foldersOf returns the folders that the project's labels name, each once,
// sorted by path. Two labels may name the same folder if they agree on it.
func foldersOf(project *types.Project, sources []*source, overrides []override) ([]Folder, error) {
	folders := []Folder{}
	var errs []error
	declared := map[string]Folder{}
	by := map[string]place{}
	for _, name := range project.ServiceNames() {
		labels := project.Services[name].Labels
		at := place{saidBy(sources, overrides, name, "labels"), name, "labels"}
		if at.file == "" {
			at = place{saidBy(sources, overrides, name, "label_file"), name, "label_file"}
		}
		for _, key := range slices.Sorted(maps.Keys(labels)) {
			if !isMkdir(key) {
				continue
			}
			found, err := parseMkdir(labels[key])
			if err != nil {
				errs = append(errs, at.each(key, err))
			}
			for _, folder := range found {
				other, twice := declared[folder.Path]
				if twice && other != folder {
					errs = append(errs, at.errorf("%s: %s is to be %s, but %s has it as %s",
						key, folder.Path, folder.owner(), by[folder.Path], other.owner()))
				}
				if !twice {
					declared[folder.Path], by[folder.Path] = folder, at
					folders = append(folders, folder)
				}
			}
		}
	}
	slices.SortFunc(folders, func(a, b Folder) int { return cmp.Compare(a.Path, b.Path) })
	return folders, errors.Join(errs...)
}

// keep has the folders that PostgreSQL has as /dump be root's: it makes files there, as their group, but can't move or
// replace what root restores there. The label says otherwise, and stays: with another one PostgreSQL would be replaced.
func keep(project *types.Project, folders []Folder) {
	for _, service := range project.Services {
		for _, volume := range service.Volumes {
			for i, folder := range folders {
				if volume.Target == "/dump" && path.Clean(volume.Source) == folder.Path && folder.UID != 0 {
					folders[i].UID, folders[i].Mode = 0, "1770"
				}
			}
		}
	}
}

// owner returns whose the folder is, and its mode, as in the label.
func (f Folder) owner() string { return fmt.Sprintf("%d:%d:%s", f.UID, f.GID, f.Mode) }

// saidBy returns the files and the override that say something of the service's
// key, or without a service of that section.
func saidBy(sources []*source, overrides []override, service, key string) string {
	var names []string
	for _, s := range sources {
		for at := range s.parts() {
			if at.service == service && at.key == key {
				names = append(names, s.file)
			}
		}
	}
	for _, o := range overrides {
		if o.service == service && o.key == key {
			names = append(names, o.name())
		}
	}
	return strings.Join(slices.Compact(names), ", ")
}
