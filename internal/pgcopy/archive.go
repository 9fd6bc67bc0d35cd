package pgcopy

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/anonymize"
)

// archive is a schema as pg_dump writes it in its custom format, and its table of
// contents, as pg_restore --list --verbose prints it.
type archive struct {
	text    []byte
	entries []entry  // in the order in which they are restored
	left    []string // names of what stays behind

	mu     sync.Mutex
	passed []string // ids of entries that are in the database already, or stay behind
}

// entry is a line of the table of contents: ID; CATALOG OID TYPE SCHEMA NAME OWNER.
type entry struct {
	id, is string
	needs  []string // ids of entries
}

// schema dumps the end's schema as of a snapshot, without what gives access to other
// servers.
func (e *end) schema(snapshot string) (*archive, error) {
	argv := append([]string{"docker", "exec"}, e.dump(snapshot)...)
	text, err := e.Exec(append(argv, "--format=custom")...).Bytes()
	if err != nil {
		return nil, fmt.Errorf("%s: its schema can't be read: %w", e.Name, err)
	}
	in := script.NewPipe().WithReader(bytes.NewReader(text))
	list, err := e.ExecFrom(in, "docker", "exec", "-i", e.container, "pg_restore", "--list", "--verbose").String()
	if err != nil {
		return nil, fmt.Errorf("%s: the schema's contents can't be read: %w", e.Name, err)
	}
	a := &archive{text: text, entries: contents(list)}
	if err := a.leave(); err != nil {
		return nil, fmt.Errorf("%s: its schema: %w", e.Name, err)
	}
	return a, nil
}

var (
	// contentsLine is a line of the table of contents; those of comments begin with a semicolon.
	contentsLine = regexp.MustCompile(`^(\d+); \d+ \d+ (.*)$`)
	// needsLine follows it.
	needsLine = regexp.MustCompile(`^;\s+depends on:((?: \d+)+)$`)
)

func contents(list string) (entries []entry) {
	for _, line := range strings.Split(list, "\n") {
		if m := contentsLine.FindStringSubmatch(line); m != nil {
			entries = append(entries, entry{id: m[1], is: m[2] + " "})
		} else if m := needsLine.FindStringSubmatch(line); m != nil && len(entries) > 0 {
			entries[len(entries)-1].needs = strings.Fields(m[1])
		}
	}
	return entries
}

// elsewhere are the types of entries that give access to other servers: addresses and
// passwords are in them, and what has them reaches out. Subscriptions pg_dump is told
// not to dump; jobs of pg_cron are rows of an extension's table, which are not copied.
var elsewhere = []string{"FOREIGN DATA WRAPPER", "SERVER", "USER MAPPING", "FOREIGN TABLE", "SUBSCRIPTION"}

// about are the types of entries that say something of another one.
var about = []string{"COMMENT", "SECURITY LABEL", "ACL"}

// of tells which of some types an entry is of.
func (e entry) of(types []string) (string, bool) {
	for _, t := range types {
		if strings.HasPrefix(e.is, t+" ") {
			return t, true
		}
	}
	return "", false
}

// name is what an entry is called among people, without its owner.
func (e entry) name() string {
	is := strings.TrimSuffix(e.is, " ")
	is = is[:max(strings.LastIndexByte(is, ' '), 0)]
	kind, ok := e.of(elsewhere)
	if !ok {
		return is
	}
	schema, name, _ := strings.Cut(strings.TrimPrefix(is, kind+" "), " ")
	if schema != "-" {
		name = schema + "." + name
	}
	return strings.ToLower(kind) + " " + strings.TrimPrefix(name, kind+" ")
}

// leave takes what gives access to other servers out of the archive, and what is said
// of it. The error says what needs it and would have to stay.
func (a *archive) leave() error {
	gone := map[string]entry{}
	for _, e := range a.entries {
		if _, ok := e.of(elsewhere); ok {
			gone[e.id] = e
			a.left = append(a.left, e.name())
		}
	}
	var problems []error
	for _, e := range a.entries {
		if _, ok := gone[e.id]; ok {
			continue
		}
		for _, id := range e.needs {
			needed, ok := gone[id]
			if !ok {
				continue
			}
			if _, ok := e.of(about); !ok {
				problems = append(problems, fmt.Errorf("%s needs %s, which gives access to another server and is not"+
					" copied\nhint: drop what is needed there, or make a table of it", e.name(), needed.name()))
				break
			}
			a.passed = append(a.passed, e.id)
			break
		}
	}
	for _, e := range a.entries {
		if _, ok := gone[e.id]; ok {
			a.passed = append(a.passed, e.id)
		}
	}
	if n := blank(a.text, elsewhere); n != len(gone) {
		problems = append(problems,
			fmt.Errorf("%d of the %d entries that give access to other servers are found", n, len(gone)))
	}
	return errors.Join(problems...)
}

// blank overwrites the definitions of the entries of some types, so that no password
// gets to where they are not restored, and returns how many there were. An entry has
// its type, its section (1 to 4) and its definition one after the other; a number is
// a byte for its sign and four, the lowest first, and a text has its length before
// it (WriteToc in pg_backup_archiver.c, the same from PostgreSQL 9.0 on). No text has
// a zero byte in it, so these are found nowhere else.
func blank(text []byte, types []string) (n int) {
	number := func(at int) int {
		if at+5 > len(text) || text[at] != 0 {
			return -1
		}
		return int(binary.LittleEndian.Uint32(text[at+1:]))
	}
	for _, t := range types {
		is := append(binary.LittleEndian.AppendUint32([]byte{0}, uint32(len(t))), t...)
		for at := 0; ; {
			i := bytes.Index(text[at:], is)
			if i < 0 {
				break
			}
			at += i + len(is)
			section, size := number(at), number(at+5)
			if section < 1 || section > 4 || size < 0 || at+10+size > len(text) {
				continue
			}
			for i := range text[at+10 : at+10+size] {
				text[at+10+i] = ' '
			}
			n++
		}
	}
	return n
}

// indexes are the entries of a table's indexes, of those that can be told.
func (a *archive) indexes(s *anonymize.Schema, table string) []string {
	var found []string
	for _, i := range s.Indexes {
		if i.Table != table {
			continue
		}
		is := fmt.Sprintf("INDEX %s %s ", i.Schema, i.Name)
		if i.Constraint {
			is = fmt.Sprintf("CONSTRAINT %s %s %s ", i.Schema, i.Relation, i.Name)
		}
		for _, e := range a.entries {
			if strings.HasPrefix(e.is, is) {
				found = append(found, e.id)
			}
		}
	}
	return found
}

// begin brings what has to be there before the rows.
func (a *archive) begin(e *end, database string) error {
	return a.restore(e, database, 1, "pre-data", a.missing())
}

// index brings the indexes of a table, schema.name.
func (a *archive) index(e *end, database string, s *anonymize.Schema, table string) error {
	entries := a.indexes(s, table)
	if len(entries) == 0 {
		return nil
	}
	if err := a.restore(e, database, 1, "post-data", entries); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.passed = append(a.passed, entries...)
	return nil
}

// finish brings what of the rest is not there yet, several at a time.
func (a *archive) finish(e *end, database string) error {
	return a.restore(e, database, max(2, min(4, e.cores)), "post-data", a.missing())
}

// missing are the ids of the entries that are not in the database yet.
func (a *archive) missing() (ids []string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, e := range a.entries {
		if !slices.Contains(a.passed, e.id) {
			ids = append(ids, e.id)
		}
	}
	return ids
}

// restore brings those of some entries that are of a section.
func (a *archive) restore(e *end, database string, jobs int, section string, ids []string) error {
	// The first line of the input says which; the archive becomes a file, as pg_restore
	// works on several things at a time only where it can seek.
	const text = `IFS= read -r ids; f=$(mktemp); trap 'rm -f "$f"' EXIT; cat >"$f"
pg_restore --exit-on-error --no-owner --no-privileges --use-list=<(tr ' ' '\n' <<<"$ids") "$@" "$f"`
	const fast = "PGOPTIONS=-c maintenance_work_mem=256MB -c synchronous_commit=off"
	in := script.NewPipe().WithReader(io.MultiReader(
		strings.NewReader(strings.Join(ids, " ")+"\n"), bytes.NewReader(a.text)))
	_, err := e.ExecFrom(in, "docker", "exec", "-i", "--env", fast, e.container, "bash", "-euc", text, "bash",
		"--section="+section, "--jobs="+strconv.Itoa(jobs), "-U", e.role, "-d", database).String()
	if err != nil {
		return fmt.Errorf("%s: the schema's %s can't be restored: %w", e.Name, section, err)
	}
	return nil
}
