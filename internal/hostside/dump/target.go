package dump

import (
	"context"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/globals"
	"github.com/betagouv/mrs-ops/internal/hostside/pgversion"
)

// patient is what [patiently] is, as an option of the server's.
const patient = "-c statement_timeout=0 -c lock_timeout=0 -c idle_in_transaction_session_timeout=0"

// ours are the options of the server for a database that is ours alone until it is used: a commit
// need not wait for the disk. Where it is interrupted, PostgreSQL's log would have the row it was at.
//
// In an array, NULL is one, and no text.
const ours = patient + " -c array_nulls=on -c synchronous_commit=off" +
	" -c maintenance_work_mem=256MB -c log_error_verbosity=terse"

// loads bounds what loads: rows come all the time, but an index or a key of a large table may take
// long before the first of it is written.
var loads = bound.Limit{Idle: 2 * time.Hour, Least: 1}

func (c Container) loading(ctx context.Context, database string) bound.Limit {
	limit, last := loads, int64(0)
	limit.Also = func() int64 {
		if n, err := c.SizeOf(ctx, database); err == nil {
			last = max(last, n)
		}
		return last
	}
	return limit
}

func (c Container) as(database string, more ...string) []string {
	return append([]string{"--username", c.Role, "--no-password", "--dbname", database}, more...)
}

// ContainerID is the container's.
func (c Container) ContainerID() string { return c.ID }

// Takes implements [Target].
func (c Container) Takes(ctx context.Context, dump io.Reader) error {
	return pgversion.Takes(ctx, dump, c.Image)
}

// Create implements [Target].
func (c Container) Create(ctx context.Context, database, properties string) (said []string, err error) {
	if err := fits(database); err != nil {
		return nil, err
	}
	if properties == "" {
		return nil, c.exec(ctx, "postgres", "create database "+pgx.Identifier{database}.Sanitize()+" template template0")
	}
	return c.given(ctx, "postgres", properties,
		func(f *globals.Facts, ctx context.Context, pg *pgx.Conn) ([]string, error) {
			return f.Create(ctx, pg, database)
		})
}

// given runs something that takes the properties of a database, in a session of one.
func (c Container) given(ctx context.Context, database, properties string,
	do func(*globals.Facts, context.Context, *pgx.Conn) ([]string, error)) (lines []string, err error) {
	facts, err := globals.Parse([]byte(properties))
	if err != nil {
		return nil, err
	}
	return lines, c.in(ctx, database, func(ctx context.Context, pg *pgx.Conn) (err error) {
		lines, err = do(facts, ctx, pg)
		return err
	})
}

// Bring implements [Target].
func (c Container) Bring(ctx context.Context, database, properties string) ([]string, error) {
	return c.given(ctx, database, properties, (*globals.Facts).Bring)
}

// Settle gives the server's superuser what he had, once a database is the one that counts, and
// returns what then differs from the properties, a sentence each.
func (c Container) Settle(ctx context.Context, database, properties string) ([]string, error) {
	return c.given(ctx, database, properties, (*globals.Facts).Settle)
}

// Roles implements [Target].
func (c Container) Roles(ctx context.Context, dump io.Reader) (said []string, err error) {
	roles, err := globals.ReadDump(dump)
	if err != nil {
		return nil, err
	}
	return said, c.in(ctx, "postgres", func(ctx context.Context, pg *pgx.Conn) (err error) {
		said, err = roles.Roles(ctx, pg)
		return err
	})
}

// Superuser gives the superuser that initdb has made, whom [Container.Roles] leaves as he is, what a dump of roles says
// of him: his password above all.
func (c Container) Superuser(ctx context.Context, dump io.Reader) error {
	roles, err := globals.ReadDump(dump)
	if err != nil {
		return err
	}
	return c.in(ctx, "postgres", func(ctx context.Context, pg *pgx.Conn) error {
		return roles.Superuser(ctx, pg, c.Role)
	})
}

// Restore implements [Target].
func (c Container) Restore(ctx context.Context, database, folder string, jobs int) error {
	argv := append([]string{"pg_restore"}, c.as(database, "--jobs", strconv.Itoa(jobs), "--exit-on-error", folder)...)
	return c.program(ctx, c.loading(ctx, database), ours, nil, nil, argv...)
}

// Schema implements [Target].
func (c Container) Schema(ctx context.Context, folder string, out io.Writer) error {
	return c.Program(ctx, asks, out, "pg_restore", "--create", "--schema-only", "--file", "-", folder)
}

// Feed implements [Target].
func (c Container) Feed(ctx context.Context, database string, sql io.Reader) error {
	argv := append([]string{"psql"}, c.as(database, "--no-psqlrc", "--quiet",
		"--set", "ON_ERROR_STOP=1", "--set", "VERBOSITY=terse")...)
	// A dump by an older pg_dump does not know of all that may end it.
	sql = io.MultiReader(strings.NewReader("do $$begin perform "+strings.TrimPrefix(lasting, "select ")+"; end$$;\n"), sql)
	return c.program(ctx, c.loading(ctx, database), ours, sql, nil, argv...)
}

// CountIn implements [Target].
func (c Container) CountIn(ctx context.Context, database string) (all []Table, err error) {
	ctx, cancel := bound.Within(ctx, "the count of the rows", counts)
	defer cancel()
	return all, c.session(ctx, database, func(ctx context.Context, pg *pgx.Conn) (err error) {
		if _, err = pg.Exec(ctx, patiently); err == nil {
			all, err = count(ctx, pg)
		}
		return err
	})
}

// Analyze has the queries of a database be planned as they were.
func (c Container) Analyze(ctx context.Context, database string, jobs int) error {
	options := patient
	err := c.in(ctx, database, func(ctx context.Context, pg *pgx.Conn) error {
		var more string
		err := pg.QueryRow(ctx, "select coalesce(string_agg(' -c ' || name || '=0', ''), '') "+newer).Scan(&more)
		options += more
		return err
	})
	if err != nil {
		return err
	}
	argv := append([]string{"vacuumdb"}, c.as(database, "--analyze-only", "--jobs", strconv.Itoa(jobs), "--quiet")...)
	return c.program(ctx, bound.Time(counts), options, nil, nil, argv...)
}

// SizeOf returns how large a database is, in bytes.
func (c Container) SizeOf(ctx context.Context, database string) (int64, error) {
	return value[int64](ctx, c, "postgres", "select pg_database_size($1::name)", database)
}

// Has reports whether there is a database.
func (c Container) Has(ctx context.Context, database string) (bool, error) {
	return value[bool](ctx, c, "postgres", "select exists (select from pg_database where datname = $1)", database)
}

// Rename is the new name of a database.
type Rename struct{ From, To string }

// Rename gives databases new names, all of them or none, in that order, whoever is connected.
func (c Container) Rename(ctx context.Context, all ...Rename) error {
	for _, r := range all {
		if err := fits(r.From, r.To); err != nil {
			return err
		}
	}
	return c.in(ctx, "postgres", func(ctx context.Context, pg *pgx.Conn) error {
		var names []string
		statements := []string{"begin"}
		for _, r := range all {
			names = append(names, r.From)
			statements = append(statements, "alter database "+pgx.Identifier{r.From}.Sanitize()+
				" rename to "+pgx.Identifier{r.To}.Sanitize())
		}
		_, err := pg.Exec(ctx, "select pg_terminate_backend(pid) from pg_stat_activity "+
			"where datname = any($1::text[]) and pid <> pg_backend_pid()", slices.Compact(names))
		if err != nil {
			return err
		}
		_, err = pg.Exec(ctx, strings.Join(append(statements, "commit"), "; "))
		return err
	})
}
