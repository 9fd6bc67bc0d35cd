package upgrade

import (
	"context"
	_ "embed" // objects
	"fmt"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/betagouv/mrs-ops/internal/hostside/dump"
)

// plainly has names be written in full, and nothing be ended early or hidden.
const plainly = "set search_path = pg_catalog; set statement_timeout = 0; set lock_timeout = '2min'; " +
	"set row_security = off"

// objects are those of a database, a line each.
//
//go:embed objects.sql
var objects string

// Where sequences are, and large objects with who has them: this changes as long as somebody writes.
const (
	sequences = `select format('%I.%I', schemaname, sequencename) from pg_sequences order by 1`
	large     = `select concat_ws(' ', 'large objects', count(*), sum(hashtext(concat(lomowner::regrole, lomacl)::text)),
  (select concat_ws(' ', count(*), sum(length(data))) from pg_largeobject)) from pg_largeobject_metadata`
)

// read reads the objects of the database of a server.
func read(ctx context.Context, server dump.Container, database string) (o Objects, err error) {
	pg, err := server.Connect(ctx, database)
	if err != nil {
		return o, err
	}
	defer pg.Close(context.WithoutCancel(ctx))
	if _, err = pg.Exec(ctx, plainly); err != nil {
		return o, err
	}
	if o.Fixed, err = lines(ctx, pg, objects); err != nil {
		return o, fmt.Errorf("what the database has can't be read: %w", err)
	}
	if o.Moving, err = lines(ctx, pg, large); err != nil {
		return o, err
	}
	names, err := lines(ctx, pg, sequences)
	for _, name := range names {
		var at string
		if err := pg.QueryRow(ctx, "select concat_ws(' ', last_value, is_called) from "+name).Scan(&at); err != nil {
			return o, fmt.Errorf("the sequence %s: %w", name, err)
		}
		o.Moving = append(o.Moving, "sequence "+name+" at "+at)
	}
	if err == nil {
		err = pg.QueryRow(ctx, "select txid_current() % 4294967296").Scan(&o.Written.Next)
	}
	return o, err
}

func lines(ctx context.Context, pg *pgx.Conn, sql string) ([]string, error) {
	rows, err := pg.Query(ctx, sql)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// largeRows are the parts of large objects, which no table of the database has.
const largeRows = "pg_catalog.pg_largeobject"

// written are the tables of a database into which something was written since, and about how many rows: those that a
// later transaction than the next one then has made or changed, and those that there are less.
func written(
	ctx context.Context, server dump.Container, database string, since Written,
) (names []string, n int64, err error) {
	now, err := server.CountIn(ctx, database)
	if err != nil {
		return nil, 0, err
	}
	pg, err := server.Connect(ctx, database)
	if err != nil {
		return nil, 0, err
	}
	defer pg.Close(context.WithoutCancel(ctx))
	if _, err = pg.Exec(ctx, plainly); err != nil {
		return nil, 0, err
	}
	now = append(now, dump.Table{Name: largeRows})
	gone := map[string]int64{}
	for name, rows := range since.Tables {
		gone[name] = rows
	}
	for _, t := range now {
		var newer int64
		was, there := since.Tables[t.Name]
		delete(gone, t.Name)
		err := pg.QueryRow(ctx, "select count(*) from "+t.Name+" where xmin::text::bigint > $1", since.Next).Scan(&newer)
		if err != nil {
			return nil, 0, fmt.Errorf("%s: %w", t.Name, err)
		}
		if rows := newer + max(0, was-t.Rows); rows > 0 || !there {
			names, n = append(names, strings.TrimPrefix(t.Name, "public.")), n+rows
		}
	}
	for name, rows := range gone {
		names, n = append(names, name+", which is gone"), n+rows
	}
	return names, n, nil
}
