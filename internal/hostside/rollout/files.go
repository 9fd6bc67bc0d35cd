package rollout

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
	"github.com/betagouv/mrs-ops/internal/hostside/release"
)

// carriedPath is what the path of a file that a stack brings along looks like. Its
// end follows from what is in it: none is ever another one.
var carriedPath = regexp.MustCompile(regexp.QuoteMeta(hostapi.Files) + `/[A-Za-z0-9._-]+-[0-9a-f]{16}\b`)

// haveFiles has the files here that what is to run brings along. Those that the
// services of a release read are here, as long as it is kept.
func (r *rollout) haveFiles() error {
	if r.asked.Release != "" || len(r.asked.Carried) == 0 {
		return nil
	}
	if err := os.Mkdir(r.path(hostapi.Files), 0o700); err != nil && !errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("the files that the stack brings along can't be here: %w", err)
	}
	for _, file := range r.asked.Carried {
		if err := r.haveFile(file); err != nil {
			return fmt.Errorf("the file %s, that the stack brings along, can't be here: %w", file.Path, err)
		}
	}
	return nil
}

// haveFile has one of them here, as it has to be. One that is here already may be
// mounted, and is left alone.
func (r *rollout) haveFile(file hostapi.Carried) error {
	mode, err := strconv.ParseUint(file.Mode, 8, 32)
	if err != nil || mode > 0o777 || file.Path == "" || carriedPath.FindString(file.Path) != file.Path {
		return errors.New("the request has another form")
	}
	path := r.path(file.Path)
	info, err := os.Lstat(path)
	if err == nil && info.Mode().IsRegular() {
		content, err := os.ReadFile(path)
		owner, _ := info.Sys().(*syscall.Stat_t)
		if err == nil && bytes.Equal(content, file.Content) && info.Mode().Perm() == fs.FileMode(mode) &&
			owner != nil && int(owner.Uid) == file.UID && int(owner.Gid) == file.GID {
			return nil
		}
	}
	if err := durable.Write(path, file.Content, 0o600); err != nil {
		return err
	}
	// In this order: chown(2) may take bits of the mode away.
	return errors.Join(os.Chown(path, file.UID, file.GID), os.Chmod(path, fs.FileMode(mode)))
}

// hasFiles fails where what is to run names a file that is not here: Docker might
// make an empty folder of it.
func (r *rollout) hasFiles() error {
	content, err := os.ReadFile(r.path(next))
	if err != nil {
		return err
	}
	var gone []string
	for _, name := range carriedPath.FindAllString(string(content), -1) {
		if info, err := os.Stat(r.path(name)); err != nil || !info.Mode().IsRegular() {
			gone = append(gone, name)
		}
	}
	if len(gone) == 0 {
		return nil
	}
	slices.Sort(gone)
	return &hostapi.Failure{
		Reason: fmt.Sprintf("what is to run reads %s, gone from %s; nothing was changed",
			strings.Join(slices.Compact(gone), ", "), r.asked.Folder),
		Hint: "deploy the instance, instead of a release: that brings its files along",
	}
}

// tidyFiles removes the files that neither what runs nor a kept release reads.
func (r *rollout) tidyFiles() error {
	entries, err := os.ReadDir(r.path(hostapi.Files))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	kept, e := r.releases.List()
	if err := errors.Join(err, e); err != nil {
		return err
	}
	files := []string{r.path(current), r.path(next), r.path(before)}
	for _, n := range kept {
		files = append(files, r.releases.File(n, release.Compose))
	}
	named := map[string]bool{}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err // and what it names is not known
		}
		for _, name := range carriedPath.FindAllString(string(content), -1) {
			named[filepath.Base(name)] = true
		}
	}
	var all error
	for _, entry := range entries {
		if !named[entry.Name()] {
			all = errors.Join(all, os.RemoveAll(filepath.Join(r.path(hostapi.Files), entry.Name())))
		}
	}
	return all
}
