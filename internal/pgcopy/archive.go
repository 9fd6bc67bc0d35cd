package pgcopy

import (
	"bytes"
	"fmt"
	"regexp"
	"strconv"
	"strings"
	"sync"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/anonymize"
)

// archive is a schema as pg_dump writes it in its custom format, and its table of
// contents, as pg_restore --list prints it.
type archive struct {
	text   []byte
	follow []entry // the rows

	mu      sync.Mutex
	brought []string // ids of entries that are in the database already
}

// entry is a line of the table of contents: ID; CATALOG OID TYPE SCHEMA NAME OWNER.
type entry struct{ id, is string }

// schema dumps the end's schema as of a snapshot; its contents are listed by the
// other end's pg_restore, which will bring it.
func (e *end) schema(snapshot string, to *end) (*archive, error) {
	argv := []string{"docker", "exec", e.container, "pg_dump", "-U", e.role, "-d", e.database, "--snapshot=" + snapshot, "--format=custom"}
	text, err := e.Exec(append(argv, dumped...)...).Bytes()
	if err != nil {
		return nil, fmt.Errorf("%s: its schema can't be read: %w", e.Name, err)
	}
	in := script.NewPipe().WithReader(bytes.NewReader(text))
	list, err := to.ExecFrom(in, "docker", "exec", "-i", to.container, "pg_restore", "--list", "--section=post-data").String()
	if err != nil {
		return nil, fmt.Errorf("%s: the schema's contents can't be read: %w", to.Name, err)
	}
	return &archive{text: text, follow: contents(list)}, nil
}

// contentsLine is a line of the table of contents; those of comments begin with a semicolon.
var contentsLine = regexp.MustCompile(`(?m)^(\d+); \d+ \d+ (.*)$`)

func contents(list string) (entries []entry) {
	for _, m := range contentsLine.FindAllStringSubmatch(list, -1) {
		entries = append(entries, entry{m[1], m[2] + " "})
	}
	return entries
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
		for _, e := range a.follow {
			if strings.HasPrefix(e.is, is) {
				found = append(found, e.id)
			}
		}
	}
	return found
}

// begin brings what has to be there before the rows.
func (a *archive) begin(e *end, database string) error {
	return a.restore(e, database, 1, "pre-data", "", "")
}

// index brings the indexes of a table, schema.name.
func (a *archive) index(e *end, database string, s *anonymize.Schema, table string) error {
	entries := a.indexes(s, table)
	if len(entries) == 0 {
		return nil
	}
	if err := a.restore(e, database, 1, "post-data", strings.Join(entries, "|"), ""); err != nil {
		return err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	a.brought = append(a.brought, entries...)
	return nil
}

// finish brings what of the rest is not there yet, several at a time.
func (a *archive) finish(e *end, database string) error {
	return a.restore(e, database, max(2, min(4, e.cores)), "post-data", "", strings.Join(a.brought, "|"))
}

// restore brings the entries of a section whose ids are among only and not among
// but, which are separated by |; empty: all, and none.
func (a *archive) restore(e *end, database string, jobs int, section, only, but string) error {
	// A file, as pg_restore works on several things at a time only where it can seek.
	const text = `set -euo pipefail
docker exec -i "$1" bash -c '
set -euo pipefail
f=$(mktemp)
trap "rm -f \"$f\" \"$f.list\"" EXIT
cat >"$f"
pg_restore --list --section="$4" "$f" | awk -F ";" -v only="^($6)\$" -v but="^($7)\$" "\$1 ~ /^[0-9]+\$/ && (only == \"^()\$\" || \$1 ~ only) && \$1 !~ but" >"$f.list"
export PGOPTIONS="-c maintenance_work_mem=256MB -c synchronous_commit=off"
pg_restore --exit-on-error --no-owner --no-privileges --use-list="$f.list" --jobs="$5" -U "$2" -d "$3" "$f"' bash "$@"`
	in := script.NewPipe().WithReader(bytes.NewReader(a.text))
	if _, err := e.ScriptFrom(in, text, e.container, e.role, database, section, strconv.Itoa(jobs), only, but).String(); err != nil {
		return fmt.Errorf("%s: the schema's %s can't be restored: %w", e.Name, section, err)
	}
	return nil
}
