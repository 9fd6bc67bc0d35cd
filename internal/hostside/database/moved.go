package database

import (
	"context"
	"fmt"

	"github.com/jackc/pgx/v5"

	"github.com/betagouv/mrs-ops/internal/hostside/docker"
)

// Moved returns an error where an application is to use another database of the server than it
// has, was, whose data are there, while the new one has none: the site would begin anew, and
// what is backed up would be the empty one. What can't be asked is no error here.
func Moved(ctx context.Context, server docker.Container, want Want, was string) error {
	return moved(was, want.Name, func(name string) (int, error) { return tables(ctx, server, want.Role, name) })
}

func moved(was, is string, tables func(name string) (int, error)) error {
	if was == "" || was == is {
		return nil
	}
	if n, err := tables(was); err != nil || n == 0 {
		return nil
	}
	if n, err := tables(is); err == nil && n > 0 {
		return nil
	}
	return fmt.Errorf("the data are in the database %s, and DB_NAME is %s, which is empty or not there\n"+
		"hint: DB_NAME=%[1]s goes on with them; or have them in %[2]s first", was, is)
}

// tables returns how many tables of people's a database has.
func tables(ctx context.Context, server docker.Container, role, name string) (n int, err error) {
	pg, err := OpenAs(ctx, server, role, name, "")
	if err != nil {
		return 0, err
	}
	defer pg.Close(context.WithoutCancel(ctx))
	const count = "select count(*) from pg_tables where schemaname not in ('pg_catalog', 'information_schema')"
	rows, err := pg.Query(ctx, count)
	if err != nil {
		return 0, err
	}
	return pgx.CollectExactlyOneRow(rows, pgx.RowTo[int])
}
