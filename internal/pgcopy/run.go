package pgcopy

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/backup"
	"github.com/betagouv/mrs-ops/internal/console"
)

// run copies, checks and swaps in. Where it fails, what it has made is removed;
// the error is context.Canceled where ctx has ended and all is as it was before.
func (c *copying) run(ctx context.Context) (*summary, error) {
	// The name is restore.sh's: what it adopts, or abandons.
	database := c.to.database + "_copy_" + strings.ToLower(time.Now().UTC().Format("20060102T150405Z"))
	if err := c.abandon(); err != nil { // what a copy that was killed has left
		return nil, err
	}
	done := &summary{c: c}
	err := c.fill(ctx, database, done)
	if err == nil && ctx.Err() == nil {
		// From here on the script answers for it, also for the removal.
		return done, backup.Adopt(ctx, c.to.Server, database)
	}
	if undone := c.abandon(); undone != nil {
		console.Say("%s: database %s can't be removed now; the next copy does it: %v", c.to.Name, database, undone)
	}
	if ctx.Err() != nil {
		return nil, context.Canceled // whatever it looked like
	}
	return nil, fmt.Errorf("%w\n%s is as it was before", err, c.to.Name)
}

// abandon removes what copies have left: a swap that could not be undone then,
// as the disk was full, and databases.
func (c *copying) abandon() error {
	for _, what := range []string{"recover", "abandon"} {
		if _, err := c.to.Output(c.to.Folder+"/restore.sh", what); err != nil {
			return fmt.Errorf("what an earlier copy has left can't be removed: %w", err)
		}
	}
	return nil
}

// fill makes the database and brings everything into it.
func (c *copying) fill(ctx context.Context, database string, done *summary) error {
	from, to := *c.from, *c.to // that end with ctx
	from.Server, to.Server = c.from.WithContext(ctx), c.to.WithContext(ctx)

	if err := c.structure(&from); err != nil {
		return err
	}
	// Structure alone: pg_dump reads no rows. It has the snapshot's, so that it fits them.
	schema, err := from.Exec(append([]string{"docker", "exec", from.container, "pg_dump", "-U", from.role, "-d", from.database,
		"--snapshot=" + c.hold.Snapshot, "--format=custom"}, dumped...)...).Bytes()
	if err != nil {
		return fmt.Errorf("%s: its schema can't be read: %w", from.Name, err)
	}
	if _, err := to.query("postgres", fmt.Sprintf("create database %s owner %s template template0", ident(database), ident(to.inst.Get("DB_USER")))); err != nil {
		return fmt.Errorf("%s: no database can be made: %w", to.Name, err)
	}
	if err := to.restore(database, schema, "pre-data"); err != nil {
		return err
	}

	cores := min(from.cores, to.cores)
	lanes := min(4, cores+1) // one waits for the network now and then
	// A table that comes in one piece is written ready for its readers; where there
	// are cores to spare, to write several pieces at once is faster all the same.
	// Scans of a range of pages came with 14.
	divide := cores >= 4 && from.version >= 140000
	jobs := parts(c.plan, c.order(), c.wheres, lanes, divide)
	console.Say("copying %d tables, %d at a time", len(c.plan.Tables), lanes)
	l := &load{from: &from, to: &to, database: database, snapshot: c.hold.Snapshot, plan: c.plan, key: c.key, direct: c.Direct, rows: map[int]int64{}, queue: jobs}
	l.progress = newProgress(c.plan, jobs)
	err = l.run(ctx, lanes)
	l.progress.end()
	if err != nil {
		return err
	}
	done.loaded(l)

	if err := sequences(&from, &to, database); err != nil {
		return err
	}
	console.Say("building indexes, and checking keys")
	if err := to.restore(database, schema, "post-data"); err != nil {
		return err
	}
	if err := views(&from, &to, database); err != nil {
		return err
	}
	return c.count(&to, database, l)
}

// restore brings a part of a schema into a database.
func (e *end) restore(database string, schema []byte, section string) error {
	// A file, as pg_restore works on several things at a time only where it can seek.
	const text = `set -euo pipefail
docker exec -i "$1" bash -c '
set -euo pipefail
f=$(mktemp)
trap "rm -f \"$f\"" EXIT
cat >"$f"
export PGOPTIONS="-c maintenance_work_mem=256MB -c synchronous_commit=off"
pg_restore --exit-on-error --no-owner --no-privileges --section="$4" --jobs="$5" -U "$2" -d "$3" "$f"' bash "$@"`
	jobs := 1
	if section == "post-data" {
		jobs = max(2, min(4, e.cores))
	}
	in := script.NewPipe().WithReader(bytes.NewReader(schema))
	if _, err := e.ScriptFrom(in, text, e.container, e.role, database, section, strconv.Itoa(jobs)).String(); err != nil {
		return fmt.Errorf("%s: the schema's %s can't be restored: %w", e.Name, section, err)
	}
	return nil
}

// sequences makes the numbers that are given next the same.
func sequences(from, to *end, database string) error {
	const sql = `select format('select setval(%L, %s);', quote_ident(schemaname) || '.' || quote_ident(sequencename), last_value) from pg_sequences where last_value is not null`
	if err := to.follow(database, from, sql); err != nil {
		return fmt.Errorf("the sequences can't be set: %w", err)
	}
	return nil
}

// views fills the materialized views that are filled in the source, from the rows
// that have come. A view was restored after those that it reads, so their numbers
// tell the order.
func views(from, to *end, database string) error {
	const sql = `set search_path = '';
select format($$set search_path = '';
select format('refresh materialized view %%s', oid::regclass) from pg_class
where relkind = 'm' and oid::regclass::text = any (%L) order by oid \gexec$$, array_agg(oid::regclass::text))
from pg_class where relkind = 'm' and relispopulated having count(*) > 0`
	if err := to.follow(database, from, sql); err != nil {
		return fmt.Errorf("the materialized views can't be filled: %w", err)
	}
	return nil
}

// count compares what is in the database with what was sent.
func (c *copying) count(to *end, database string, l *load) error {
	var selects []string
	for i, t := range c.plan.Tables {
		selects = append(selects, fmt.Sprintf("select %d, count(*) from only %s.%s", i, ident(t.Schema), ident(t.Name)))
	}
	out, err := to.query(database, strings.Join(selects, " union all ")+" order by 1")
	if err != nil {
		return fmt.Errorf("%s: the rows can't be counted: %w", to.Name, err)
	}
	lines := strings.Fields(out)
	if len(lines) != len(c.plan.Tables) {
		return fmt.Errorf("%s: %d tables were counted, and %d copied", to.Name, len(lines), len(c.plan.Tables))
	}
	var wrong []string
	for _, line := range lines {
		var i int
		var n int64
		if _, err := fmt.Sscanf(line, "%d|%d", &i, &n); err != nil {
			return fmt.Errorf("%s: the count can't be read: %w", to.Name, err)
		}
		if n != l.rows[i] {
			wrong = append(wrong, fmt.Sprintf("%s has %d rows, of %d that were sent", c.plan.Tables[i].Name, n, l.rows[i]))
		}
	}
	if len(wrong) > 0 {
		return fmt.Errorf("%s: %s", to.Name, strings.Join(wrong, "; "))
	}
	return nil
}
