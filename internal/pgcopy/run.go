package pgcopy

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/backup"
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/pgcopy/wire"
)

// run copies, checks and swaps in. Where it fails, what it has made is removed;
// the error is context.Canceled where ctx has ended and all is as it was before.
func (c *copying) run(ctx context.Context) (*summary, error) {
	// The name is restore.sh's: what it adopts, or abandons.
	database := c.to.database + "_copy_" + strings.ToLower(time.Now().UTC().Format(hostapi.Stamp))
	from, to := *c.from, *c.to // that end with ctx
	from.Target, to.Target = c.from.WithContext(ctx), c.to.WithContext(ctx)

	if left := c.abandon(); left != nil { // what a copy that was killed has left
		return nil, left
	}
	made := to.create(database)
	c.looking.Wait() // nothing of a schema with somebody in it leaves
	done := &summary{c: c}
	err := cmp.Or(c.somebody, made)
	if err == nil {
		err = c.fill(ctx, &from, &to, database, done)
	}
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
	_, err := c.to.Script(`"$1" recover && "$1" abandon`, c.to.Folder+"/restore.sh").String()
	if err != nil {
		return fmt.Errorf("what an earlier copy has left can't be removed: %w", err)
	}
	return nil
}

// create makes a database that is the instance's.
func (e *end) create(database string) error {
	sql := fmt.Sprintf("create database %s owner %s template template0",
		wire.Ident(database), wire.Ident(e.inst.Get("DB_USER")))
	if _, err := e.query("postgres", sql); err != nil {
		return fmt.Errorf("%s: no database can be made: %w", e.Name, err)
	}
	return nil
}

// fill brings everything into the database.
func (c *copying) fill(ctx context.Context, from, to *end, database string, done *summary) error {
	cores := min(from.cores, to.cores)
	lanes := min(4, cores+1) // one waits for the network now and then
	// A table that comes in one piece is written ready for its readers; where there
	// are cores to spare, to write several pieces at once is faster all the same.
	// Scans of a range of pages came with 14.
	divide := cores >= 4 && from.version >= 140000
	jobs := parts(c.plan, c.tables(), c.wheres, lanes, divide)
	var refresh string
	l := &load{from: from, to: to, database: database, snapshot: c.hold.Snapshot, plan: c.plan, key: c.key,
		direct: c.Direct, queue: jobs, progress: newProgress(c.plan, jobs),
		begin: func() error { return c.archive.begin(to, database) },
		beside: func() (err error) {
			console.Say("copying %d tables, %d at a time", len(c.plan.Tables), lanes)
			if err := to.follow(database, from, nextNumbers); err != nil {
				return fmt.Errorf("the sequences can't be set: %w", err)
			}
			if refresh, err = from.query(from.database, populated); err != nil {
				err = fmt.Errorf("the materialized views can't be asked for: %w", err)
			}
			return err
		},
		index: func(table string) error { return c.archive.index(to, database, c.schema, table) },
	}
	err := l.run(ctx, lanes)
	l.progress.end()
	if err != nil {
		return err
	}
	done.progress, done.loading = l.progress, time.Since(l.progress.start)

	console.Say("building indexes, and checking keys")
	if err := c.archive.finish(to, database); err != nil {
		return err
	}
	if refresh != "" {
		if _, err := to.query(database, refresh); err != nil {
			return fmt.Errorf("the materialized views can't be filled: %w", err)
		}
	}
	return nil
}

// nextNumbers answers with a statement for each sequence, by which its next number
// becomes the same. One that was set and not called gives that very number next.
// Those of after the snapshot do as well, so they are set while rows still come.
const nextNumbers = `select format($$
  select format('select pg_catalog.setval(%%L, %%s, %%L);', %L, last_value, is_called) from %s$$, name, name)
from (select quote_ident(schemaname) || '.' || quote_ident(sequencename) as name from pg_sequences) s
order by name \gexec`

// populated answers with what fills the materialized views that are filled, from the
// rows that have come; with nothing where there are none. A view was restored after
// those that it reads, so their numbers tell the order.
const populated = `set search_path = '';
select format($$set search_path = '';
select format('refresh materialized view %%s', oid::regclass) from pg_class
where relkind = 'm' and oid::regclass::text = any (%L) order by oid \gexec$$, array_agg(oid::regclass::text))
from pg_class where relkind = 'm' and relispopulated having count(*) > 0`
