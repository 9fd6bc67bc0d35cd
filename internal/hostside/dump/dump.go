// Package dump dumps the database of an instance, as one moment: pg_dump and the count of the rows look through the
// same snapshot of PostgreSQL. It loads such a dump into an empty database, and makes sure that it has the rows that
// were counted; a plain pg_dumpall, which earlier scripts have made, too. It works with PostgreSQL 10 to 17.
//
// A dump is, in a folder:
//
//	data/         pg_dump's directory format, uncompressed: restic compresses, and finds what did not change
//	globals.sql   roles, and what else no database has (pg_dumpall --globals-only)
//	globals.json  what of the database pg_dump does not hold (internal/hostside/globals)
//	settings.sql  what is set for the database, as ALTER DATABASE … SET: of that, what older scripts read
//	tables.tsv    SCHEMA.TABLE, a tab, how many rows it has; a line for each table
//
// It must not know where the dump goes from there, nor what the database that it is loaded into is for.
package dump

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"time"
	"unicode"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
	"github.com/betagouv/mrs-ops/internal/hostside/globals"
)

// Server is the PostgreSQL of an instance.
type Server interface {
	// Program runs a program of PostgreSQL's where the server runs, and writes what it prints.
	// The error has what it complains of.
	Program(ctx context.Context, limit bound.Limit, out io.Writer, argv ...string) error
	// Begin begins a transaction that reads one snapshot of the database, and exports it.
	Begin(ctx context.Context) (Transaction, error)
	// Size is how large the database is, in bytes.
	Size(ctx context.Context) (int64, error)
	// Properties is the content of globals.json.
	Properties(ctx context.Context) (string, error)
	// Settings are the lines of settings.sql.
	Settings(ctx context.Context) ([]string, error)
}

// Transaction reads one snapshot.
type Transaction interface {
	Exported() string // its name, for pg_dump --snapshot
	// Count counts the rows of the tables whose data pg_dump dumps.
	Count(ctx context.Context) ([]Table, error)
	End()
}

// Table has so many rows.
type Table struct {
	Name string // SCHEMA.TABLE, quoted as SQL wants it
	Rows int64
}

// line is its line of tables.tsv. A quoted name may have an end of a line in it.
func (t Table) line() string {
	name := t.Name
	if strings.ContainsFunc(name, unicode.IsControl) {
		name = strconv.Quote(name)
	}
	return fmt.Sprintf("%s\t%d", name, t.Rows)
}

// Options is what to dump, and to where.
type Options struct {
	Database, Role string
	Folder         string // of the host
	Inside         string // the same, where the server runs
	Jobs           int    // at once
	// Progress is called with how many bytes are dumped, and how large the database is.
	Progress func(dumped, of int64)
	Every    time.Duration // how often; 0: never
}

// Made is a dump that was made.
type Made struct{ Bytes, Rows int64 }

// Bounds. A table's rows come all the time while it is dumped; pg_dump moves nothing while it
// waits for a lock that somebody else has on a table.
var (
	dumps = bound.Limit{Idle: 30 * time.Minute, Least: 1}
	asks  = bound.Time(10 * time.Minute)
)

// counts bounds the count of the rows, once the dump is there: it has begun with that.
const counts = 2 * time.Hour

// ErrDump is the error where pg_dump fails.
var ErrDump = errors.New("the database can't be dumped")

var exported = regexp.MustCompile(`^[0-9A-F-]+$`)

// Make makes it. What it leaves in the folder where it fails is for [Remove].
func Make(ctx context.Context, s Server, o Options) (Made, error) {
	t, err := s.Begin(ctx)
	if err != nil {
		return Made{}, fmt.Errorf("PostgreSQL gives no snapshot: %w", err)
	}
	over := make(chan struct{}) // nobody uses the session any more
	close(over)
	defer func() { <-over; t.End() }()
	if !exported.MatchString(t.Exported()) {
		return Made{}, fmt.Errorf("PostgreSQL gives no snapshot: %q", t.Exported())
	}
	of, err := s.Size(ctx)
	if err != nil {
		return Made{}, fmt.Errorf("PostgreSQL does not say how large the database is: %w", err)
	}

	var tables []Table
	counting, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	rows := make(chan error, 1)
	over = make(chan struct{})
	go func() {
		defer close(over)
		var err error
		if tables, err = t.Count(counting); err != nil && counting.Err() != nil {
			err = context.Cause(counting)
		}
		rows <- err
	}()

	// It has its name once it is whole.
	data := "data." + strconv.Itoa(os.Getpid())
	limit := dumps
	limit.Also = func() int64 { return Size(o.Folder) }
	watched := bound.Every(o.Every, func() { o.Progress(Size(o.Folder), of) })
	err = s.Program(
		ctx, limit, nil, "pg_dump", "--username", o.Role, "--no-password", "--dbname", o.Database, "--format", "directory",
		"--snapshot", t.Exported(), "--jobs", strconv.Itoa(o.Jobs), "--compress", "0", "--file", o.Inside+"/"+data,
	)
	watched()
	if err != nil {
		return Made{}, fmt.Errorf("%w: %w", ErrDump, err)
	}
	err = s.Program(ctx, asks, nil, "pg_dumpall", "--username", o.Role, "--no-password", "--globals-only",
		"--file", o.Inside+"/globals.sql")
	if err != nil {
		return Made{}, fmt.Errorf("the roles can't be dumped: %w", err)
	}
	properties, err := s.Properties(ctx)
	if err != nil {
		return Made{}, fmt.Errorf("what of the database is not in its dump can't be read: %w", err)
	}
	if err := o.write(globals.File, []string{properties}); err != nil {
		return Made{}, err
	}
	settings, err := s.Settings(ctx)
	if err != nil {
		return Made{}, fmt.Errorf("what is set for the database can't be read: %w", err)
	}
	if err := o.write("settings.sql", settings); err != nil {
		return Made{}, err
	}
	late := time.AfterFunc(counts,
		func() { stop(&bound.Exceeded{Name: "the count of the rows", Limit: bound.Time(counts), Total: true}) })
	defer late.Stop()
	if err := <-rows; err != nil {
		return Made{}, fmt.Errorf("the rows can't be counted: %w", err)
	}
	var made Made
	var lines []string
	for _, table := range tables {
		made.Rows += table.Rows
		lines = append(lines, table.line())
	}
	if err := o.write("tables.tsv", lines); err != nil {
		return Made{}, err
	}
	if err := s.Program(ctx, asks, nil, "pg_restore", "--list", o.Inside+"/"+data); err != nil {
		return Made{}, fmt.Errorf("what was dumped can't be read: %w", err)
	}
	if err := os.Rename(filepath.Join(o.Folder, data), filepath.Join(o.Folder, "data")); err != nil {
		return Made{}, err
	}
	made.Bytes = Size(o.Folder)
	return made, nil
}

// write writes a file beside and renames it: PostgreSQL, whose folder it is too, may have put a link there.
func (o Options) write(name string, lines []string) error {
	var text strings.Builder
	for _, line := range lines {
		text.WriteString(line + "\n")
	}
	return durable.Write(filepath.Join(o.Folder, name), []byte(text.String()), 0o600)
}

// Remove removes a dump, and what one that was cut short has left.
func Remove(folder string) (err error) {
	for _, pattern := range []string{
		"data", "data.*", "globals.sql", globals.File, "settings.sql", "tables.tsv", ".next.*",
	} {
		left, e := filepath.Glob(filepath.Join(folder, pattern))
		err = errors.Join(err, e)
		for _, path := range left {
			err = errors.Join(err, os.RemoveAll(path))
		}
	}
	return err
}

// Size is how many bytes files and folders have, with all that is in them. What goes meanwhile is not counted.
func Size(paths ...string) (n int64) {
	for _, path := range paths {
		_ = filepath.WalkDir(path, func(_ string, entry os.DirEntry, err error) error {
			if err != nil {
				return nil
			}
			if info, err := entry.Info(); err == nil {
				n += info.Size()
			}
			return nil
		})
	}
	return n
}
