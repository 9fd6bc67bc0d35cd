package dump

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/betagouv/mrs-ops/internal/hostside/globals"
)

// Target is the PostgreSQL that a dump is loaded into.
type Target interface {
	// Takes fails where a dump, of which it reads the beginning, is of a newer PostgreSQL.
	Takes(ctx context.Context, dump io.Reader) error
	// Create makes an empty database, as the properties in globals.json were; without any, as the
	// server makes one. It returns what could not be as it was, a sentence each.
	Create(ctx context.Context, database, properties string) (said []string, err error)
	// Roles makes those of a dump of roles that the server lacks, and says which.
	Roles(ctx context.Context, dump io.Reader) (said []string, err error)
	// Restore loads a folder of pg_dump's, as the server sees it.
	Restore(ctx context.Context, database, folder string, jobs int) error
	// Schema writes what pg_restore makes of such a folder, without rows.
	Schema(ctx context.Context, folder string, out io.Writer) error
	// Feed runs SQL in a database.
	Feed(ctx context.Context, database string, sql io.Reader) error
	// Bring gives a database what its properties say, and returns what could not be, a sentence each.
	Bring(ctx context.Context, database, properties string) (said []string, err error)
	// CountIn counts the rows of the tables of a database.
	CountIn(ctx context.Context, database string) ([]Table, error)
}

// Load is a dump to load.
type Load struct {
	Folder   string // of the host, where the dump is ([Find])
	Inside   string // the same, where the server runs
	Was      string // the database that was dumped
	Database string // an empty one, that gets it
	Jobs     int    // at once
	Say      func(string)
}

// Find returns the folder of the one dump in what was restored from a snapshot: that is wherever
// the folder for dumps was when the snapshot was made. Of found there may be none, or several.
func Find(folder string) (found []string, err error) {
	err = filepath.WalkDir(folder, func(path string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && entry.Name() == "mrsattachments":
			return fs.SkipDir
		case entry.Name() == "toc.dat" && filepath.Base(filepath.Dir(path)) == "data":
			found = append(found, filepath.Dir(filepath.Dir(path)))
		case entry.Name() == plain:
			found = append(found, filepath.Dir(path))
		}
		return nil
	})
	return found, err
}

// plain is what the scripts before ours have dumped: a plain pg_dumpall of all databases.
const plain = "data.dump"

func (l Load) is(name string) bool {
	_, err := os.Lstat(filepath.Join(l.Folder, name))
	return err == nil
}

// open opens a file of the dump, which was made where PostgreSQL may put links, to anywhere.
func (l Load) open(name string) (*os.File, error) {
	folder, err := os.OpenRoot(l.Folder)
	if err != nil {
		return nil, err
	}
	defer folder.Close()
	info, err := folder.Lstat(name)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New(name + " in the dump is no file")
	}
	return folder.Open(name)
}

func (l Load) read(name string) ([]byte, error) {
	file, err := l.open(name)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	return io.ReadAll(file)
}

// Properties are those that the database had, the content of globals.json; empty in snapshots that
// have none.
func (l Load) Properties() (string, error) {
	text, err := l.read(globals.File)
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	return string(text), err
}

// Run fills the database, which is empty, with the dump, and makes sure that it has the rows that were counted
// when it was made. Of what PostgreSQL complains, nothing is said that may be somebody's data.
func (l Load) Run(ctx context.Context, t Target) error {
	properties, err := l.Properties()
	if err != nil {
		return err
	}
	if err := l.takes(ctx, t); err != nil {
		return err
	}
	if err := l.roles(ctx, t); err != nil {
		return err
	}
	if !l.is("data/toc.dat") {
		err = l.section(ctx, t)
	} else if err = t.Restore(ctx, l.Database, l.Inside+"/data", l.Jobs); err != nil {
		err = l.refused(ctx, err, "the database can't be restored")
	} else {
		err = l.bring(ctx, t, properties)
	}
	if err != nil {
		return err
	}
	return l.sameRows(ctx, t)
}

// refused says what PostgreSQL complains of. The reason has none of it.
func (l Load) refused(ctx context.Context, err error, reason string) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	l.Say(err.Error())
	return errors.New(reason)
}

func (l Load) takes(ctx context.Context, t Target) error {
	name := plain
	if l.is("data/toc.dat") {
		name = "data/toc.dat"
	}
	file, err := l.open(name)
	if err != nil {
		return err
	}
	defer file.Close()
	if err := t.Takes(ctx, file); err != nil {
		return fmt.Errorf("%w\nhint: an older snapshot; or an instance with compose_postgres_image of that version", err)
	}
	return nil
}

func (l Load) roles(ctx context.Context, t Target) error {
	for _, name := range []string{"globals.sql", plain} {
		file, err := l.open(name)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return err
		}
		said, err := t.Roles(ctx, file)
		file.Close()
		l.sayAll(said)
		return err
	}
	return nil
}

func (l Load) sayAll(lines []string) {
	for _, line := range lines {
		l.Say(line)
	}
}

// bring brings back what the database had beside its data: of snapshots without globals.json, what was set for
// it, which is in settings.sql or, of older ones and but for PostgreSQL 10's, in the archive.
func (l Load) bring(ctx context.Context, t Target, properties string) error {
	if properties != "" {
		said, err := t.Bring(ctx, l.Database, properties)
		l.sayAll(said)
		return err
	}
	var text bytes.Buffer
	if l.is("settings.sql") {
		content, err := l.read("settings.sql")
		if err != nil {
			return err
		}
		text.Write(content)
	} else if err := t.Schema(ctx, l.Inside+"/data", &text); err != nil {
		return fmt.Errorf("what is set for the database can't be read: %w", err)
	}
	lines := settingsFor(text.String(), l.Was, l.Database)
	if len(lines) == 0 {
		return nil
	}
	if err := t.Feed(ctx, "postgres", strings.NewReader(strings.Join(lines, "\n")+"\n")); err != nil {
		return fmt.Errorf("what is set for the database can't be restored: %w", err)
	}
	return nil
}

// settingsFor returns the statements that set something for a database, as those of another.
func settingsFor(text, was, is string) (lines []string) {
	name := `"?` + regexp.QuoteMeta(was) + `"? SET `
	all := regexp.MustCompile(`^ALTER DATABASE ` + name)
	ofRole := regexp.MustCompile(`^(ALTER ROLE .+ IN DATABASE )` + name)
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if rest := all.FindString(line); rest != "" {
			lines = append(lines, `ALTER DATABASE "`+is+`" SET `+line[len(rest):])
		} else if m := ofRole.FindStringSubmatch(line); m != nil {
			lines = append(lines, m[1]+`"`+is+`" SET `+line[len(m[0]):])
		}
	}
	return lines
}

// section loads the database's part of a plain dump of all.
func (l Load) section(ctx context.Context, t Target) error {
	const reason = "the database can't be restored from a plain dump"
	file, err := l.open(plain)
	if err != nil {
		return err
	}
	defer file.Close()
	read, write := io.Pipe()
	cut := make(chan error, 1)
	go func() {
		err := section(file, write, l.Was, l.Database)
		cut <- err
		write.CloseWithError(err)
	}()
	err = t.Feed(ctx, l.Database, read)
	read.CloseWithError(errors.New("PostgreSQL takes no more"))
	if e := <-cut; err == nil {
		err = e
	}
	if err != nil {
		return l.refused(ctx, err, reason)
	}
	return nil
}

var rowsFollow = regexp.MustCompile(`^COPY .* FROM stdin;$`)

// errCut is a plain dump that ends before its end, which must not look like one that ended.
var errCut = errors.New("the dump of the database is not whole")

// section writes, of a plain pg_dumpall, the part that is in the database was; what is set for that is set for is.
func section(from io.Reader, to io.Writer, was, is string) error {
	named := regexp.MustCompile(` DATABASE "?` + regexp.QuoteMeta(was) + `"? `)
	in, out := bufio.NewReaderSize(from, 1<<20), bufio.NewWriterSize(to, 1<<20)
	var inside, found, complete, copying bool
	for {
		line, err := in.ReadString('\n') // a row may be of any length
		if err != nil && err != io.EOF {
			return err
		}
		if line == "" {
			break
		}
		text := strings.TrimSuffix(line, "\n")
		keep := inside
		switch words := strings.Fields(text); {
		case copying:
			copying = text != `\.`
		case len(words) > 0 && words[0] == `\connect`:
			// pg_dump connects to the same database once more where something is set for it.
			inside, keep = connected(text) == was, false
			found = found || inside
		case rowsFollow.MatchString(text):
			copying = true
		case inside && strings.HasPrefix(text, "-- PostgreSQL database dump complete"):
			inside, complete, keep = false, true, false
		case strings.HasPrefix(text, "SET default_with_oids"),
			len(words) > 0 && (words[0] == `\restrict` || words[0] == `\unrestrict`):
			keep = false // what servers of today do not know any more
		case len(words) > 0 && words[0] == "ALTER" && strings.Contains(text, " SET "):
			if at := named.FindStringIndex(line); at != nil {
				line = line[:at[0]] + ` DATABASE "` + is + `" ` + line[at[1]:]
			}
		}
		if keep {
			if _, err := out.WriteString(line); err != nil {
				return err
			}
		}
		if err == io.EOF {
			break
		}
	}
	if !found || !complete || copying {
		return errCut
	}
	return out.Flush()
}

// connected is the database in a line of psql's that connects to one.
func connected(line string) string {
	to := strings.TrimSpace(strings.TrimPrefix(line, `\connect`))
	to = strings.TrimSpace(strings.TrimPrefix(to, "-reuse-previous=on"))
	to = strings.ReplaceAll(to, `"`, "")
	return strings.ReplaceAll(strings.TrimPrefix(to, "dbname="), "'", "")
}

// sameRows makes sure that the database has the rows that were counted, where they were.
func (l Load) sameRows(ctx context.Context, t Target) error {
	text, err := l.read("tables.tsv")
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	tables, err := t.CountIn(ctx, l.Database)
	if err != nil {
		return fmt.Errorf("the rows of the restored database can't be counted: %w", err)
	}
	if other := others(string(text), tables); len(other) > 0 {
		return fmt.Errorf("the restored database has not the rows that the backup counted: %s",
			strings.Join(other[:min(5, len(other))], " "))
	}
	return nil
}

// others are the tables that have not as many rows as counted says.
func others(counted string, tables []Table) (names []string) {
	is := map[string]int{}
	for line := range strings.Lines(counted) {
		is[strings.TrimSuffix(line, "\n")]++
	}
	for _, t := range tables {
		is[t.line()]--
	}
	for line, n := range is {
		if n != 0 {
			name, _, _ := strings.Cut(line, "\t")
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Rows returns how many rows a dump has, as they were counted when it was made; 0 where they were not.
func Rows(folder string) (n int64) {
	text, _ := os.ReadFile(filepath.Join(folder, "tables.tsv"))
	for line := range strings.Lines(string(text)) {
		var rows int64
		_, count, _ := strings.Cut(line, "\t")
		if _, err := fmt.Sscan(count, &rows); err == nil {
			n += rows
		}
	}
	return n
}
