// Package pgversion knows which major version of PostgreSQL an image brings, a data folder needs and a dump is
// of: no server reads the folder of another (PostgreSQL documentation, "Upgrading a PostgreSQL Cluster"), and
// none restores the dump of a newer one (pg_dump(1), notes).
//
// It must not know what a deployment or a restore is.
package pgversion

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/betagouv/mrs-ops/internal/hostside/docker"
)

// Folder returns the version that a data folder is of: "15", or "9.6". It is empty where there is no cluster.
func Folder(path string) (string, error) {
	text, err := os.ReadFile(filepath.Join(path, "PG_VERSION"))
	if errors.Is(err, fs.ErrNotExist) || errors.Is(err, syscall.ENOTDIR) { // a file may be mounted, too
		return "", nil
	}
	return strings.TrimSpace(string(text)), err
}

// told is how PostgreSQL's programs say which they are: postgres (PostgreSQL) 15.8.
var told = regexp.MustCompile(`\(PostgreSQL\) (\d+(?:\.\d+)?)`)

// Image returns the version of the PostgreSQL in an image, which says so by itself or by its program.
func Image(ctx context.Context, image string) (string, error) {
	there, err := docker.ImageOf(ctx, image)
	if err == nil && there.ID == "" {
		err = fmt.Errorf("there is no image %s here", image)
	}
	if err != nil {
		return "", err
	}
	if there.Env["PG_MAJOR"] != "" {
		return there.Env["PG_MAJOR"], nil
	}
	out, err := docker.Run(ctx, "run", "--rm", "--network=none", "--entrypoint=postgres", image, "--version")
	if err != nil {
		return "", fmt.Errorf("which PostgreSQL is in %s can't be found out: %w", image, err)
	}
	version := told.FindStringSubmatch(out)
	if version == nil {
		return "", fmt.Errorf("which PostgreSQL is in %s can't be found out: it says %q", image, out)
	}
	return major(version[1]), nil
}

// major of "15.8" is "15", and of "9.6.24" "9.6": since 10 it is one number (PostgreSQL's versioning policy).
func major(version string) string {
	first, rest, _ := strings.Cut(version, ".")
	if n, err := strconv.Atoi(first); err == nil && n < 10 {
		second, _, _ := strings.Cut(rest, ".")
		return first + "." + second
	}
	return first
}

// Older reports whether a version comes before another.
func Older(a, b string) bool {
	x, errX := strconv.ParseFloat(a, 64)
	y, errY := strconv.ParseFloat(b, 64)
	return errX == nil && errY == nil && x < y
}

// stack is what `docker compose config --format json` prints, as far as it counts here.
type stack struct {
	Name     string
	Services map[string]service
}

type service struct {
	Image   string
	Volumes []struct{ Type, Source, Target string }
}

// Keeps returns an error for each service of a stack whose image has another version of PostgreSQL than the
// data folder that it is to have. compose is what `docker compose config --format json` prints.
func Keeps(ctx context.Context, compose io.Reader) error {
	var s stack
	if err := json.NewDecoder(compose).Decode(&s); err != nil {
		return fmt.Errorf("what docker compose says of the stack can't be read: %w", err)
	}
	var problems []error
	for _, name := range slices.Sorted(maps.Keys(s.Services)) {
		folder, of, err := data(ctx, s.Name, name, s.Services[name])
		if err != nil {
			return err
		}
		if of == "" {
			continue
		}
		image := s.Services[name].Image
		version, err := Image(ctx, image)
		if err != nil {
			return err
		}
		if version != of {
			problems = append(problems, fmt.Errorf(
				"%s is PostgreSQL %s, and %s is of PostgreSQL %s, which no other version can read\n"+
					"hint: compose_%s_image=%s in the instance's env file keeps that version",
				image, version, folder, of, name, tagged(image, of)))
		}
	}
	return errors.Join(problems...)
}

// tagged returns the name of an image with the version as its tag.
func tagged(image, version string) string {
	name, _, _ := strings.Cut(image, "@")
	if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
		name = name[:colon]
	}
	return name + ":" + version
}

// data returns the folder that a service keeps a cluster in, and its version: of
// the folders that it is to have, and those that its container has.
func data(ctx context.Context, project, name string, s service) (folder, version string, err error) {
	var folders []string
	for _, v := range s.Volumes {
		if v.Type == "bind" {
			folders = append(folders, v.Source)
		}
	}
	all, err := docker.Project(ctx, project)
	if err != nil {
		return "", "", err
	}
	for _, c := range all {
		if c.Service() == name {
			folders = append(folders, c.Folders...)
		}
	}
	for _, folder := range folders {
		if version, err := Folder(folder); version != "" || err != nil {
			return folder, version, err
		}
	}
	return "", "", nil
}

// dumped is the line of a plain dump; in an archive, only the version is there.
var dumped = regexp.MustCompile(`(?m)^-- Dumped from database version (\S+)`)

// Dump returns the version of the server that a dump is of: toc.dat of pg_dump's
// directory format, or a plain one. It is empty where the dump does not tell.
func Dump(dump io.Reader) (string, error) {
	// Both have it near their beginning: pg_dumpall after the roles.
	head, err := io.ReadAll(io.LimitReader(dump, 1<<20))
	if err != nil {
		return "", err
	}
	if !bytes.HasPrefix(head, []byte("PGDMP")) {
		version := dumped.FindSubmatch(head)
		if version == nil {
			return "", nil
		}
		return major(string(version[1])), nil
	}
	version, err := archive(bufio.NewReader(bytes.NewReader(head)))
	if err != nil {
		return "", fmt.Errorf("the dump's table of contents can't be read: %w", err)
	}
	return major(version), nil
}

// archive reads the version of the server from the header of an archive (ReadHead in PostgreSQL's
// pg_backup_archiver.c): formats 1.12 to 1.16, of pg_dump 9.0 to 17 and later as long as it stays so.
func archive(r *bufio.Reader) (version string, err error) {
	fixed := make([]byte, len("PGDMP")+6) // three of the format's version, sizes of an integer and an offset, format
	if _, err := io.ReadFull(r, fixed); err != nil {
		return "", err
	}
	format := [2]byte{fixed[5], fixed[6]}
	size := int(fixed[8])
	number := func() int {
		if err != nil {
			return 0
		}
		var raw []byte
		raw, err = read(r, 1+size) // its sign, and the lowest byte first
		n := 0
		for i := len(raw) - 1; i > 0; i-- {
			n = n<<8 | int(raw[i])
		}
		if len(raw) > 0 && raw[0] != 0 {
			n = -n
		}
		return n
	}
	text := func() string {
		n := number()
		if err != nil || n < 0 {
			return ""
		}
		if n > 1<<16 {
			err = errors.New("it is damaged")
			return ""
		}
		var raw []byte
		raw, err = read(r, n)
		return string(raw)
	}
	if format[0] != 1 || format[1] < 12 {
		return "", fmt.Errorf("its format is %d.%d", format[0], format[1])
	}
	// How it is compressed: by level, or since 1.15 by method.
	if format[1] >= 15 {
		_, err = read(r, 1)
	} else {
		number()
	}
	for range 7 { // when it was made, as struct tm
		number()
	}
	text() // the database
	version = text()
	return version, err
}

func read(r io.Reader, n int) ([]byte, error) {
	raw := make([]byte, n)
	_, err := io.ReadFull(r, raw)
	return raw, err
}

// Takes returns an error where a dump is of a newer PostgreSQL than the one in an image: that can't restore it.
func Takes(ctx context.Context, dump io.Reader, image string) error {
	of, err := Dump(dump)
	if err != nil || of == "" {
		return err
	}
	has, err := Image(ctx, image)
	if err != nil {
		return err
	}
	if Older(has, of) {
		return fmt.Errorf("it was dumped from PostgreSQL %s, which PostgreSQL %s of %s can't read: "+
			"a dump goes to the same version, or a newer one", of, has, image)
	}
	return nil
}
