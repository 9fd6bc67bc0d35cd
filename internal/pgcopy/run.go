package pgcopy

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

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
		return done, backup.Adopt(ctx, c.to.Target, database)
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
	from.Target, to.Target = c.from.WithContext(ctx), c.to.WithContext(ctx)

	// Structure alone: pg_dump reads no rows. It has the snapshot's, so that it fits them.
	var making sync.WaitGroup
	var made error
	making.Go(func() {
		_, made = to.query("postgres", fmt.Sprintf("create database %s owner %s template template0", ident(database), ident(to.inst.Get("DB_USER"))))
	})
	err := c.structure(&from)
	making.Wait()
	if err == nil && made != nil {
		err = fmt.Errorf("%s: no database can be made: %w", to.Name, made)
	}
	if err != nil {
		return err
	}
	if err := c.archive.begin(&to, database); err != nil {
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
	l.index = func(table string) error { return c.archive.index(&to, database, c.schema, table) }
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
	if err := c.archive.finish(&to, database); err != nil {
		return err
	}
	return views(&from, &to, database)
}

// sequences makes the numbers that are given next the same. One that can't be read
// is an error.
func sequences(from, to *end, database string) error {
	if err := to.follow(database, from, nextNumbers); err != nil {
		return fmt.Errorf("the sequences can't be set: %w", err)
	}
	return nil
}

// nextNumbers answers with a statement for each sequence. One that was set and not
// called gives that very number next.
const nextNumbers = `select format($$select format('select pg_catalog.setval(%%L, %%s, %%L);', %L, last_value, is_called) from %s$$, name, name)
from (select quote_ident(schemaname) || '.' || quote_ident(sequencename) as name from pg_sequences) s order by name \gexec`

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
