package dump

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/database"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/globals"
)

// Application is what PostgreSQL calls us: by that, the next run finds what one that was killed has left at work.
const Application = "mrs-backup"

// Container is the PostgreSQL in a container.
type Container struct {
	docker.Container
	Role, Database string
	Application    string // what PostgreSQL calls us; empty: [Application]
	Runner         bound.Runner
}

func (c Container) application() string { return cmp.Or(c.Application, Application) }

// Program implements [Server]. What the error says has nothing that may be somebody's data.
func (c Container) Program(ctx context.Context, limit bound.Limit, out io.Writer, argv ...string) error {
	return c.program(ctx, limit, "", nil, out, argv...)
}

// program runs one with more options for the server (PGOPTIONS); in may be nil.
func (c Container) program(ctx context.Context, limit bound.Limit, options string, in io.Reader, out io.Writer,
	argv ...string) error {
	exec := []string{"docker", "exec", "--user", "postgres", "--env", "PGAPPNAME=" + c.application()}
	if options != "" {
		exec = append(exec, "--env", "PGOPTIONS="+options)
	}
	if in != nil {
		exec = append(exec, "--interactive")
	}
	return c.run(ctx, bound.Command{Name: argv[0], Argv: append(append(exec, c.ID), argv...), Stdin: in, Stdout: out,
		Limit: limit})
}

// run runs a program of PostgreSQL's.
func (c Container) run(ctx context.Context, program bound.Command) error {
	var said bound.Tail
	program.Stderr = &said
	err := c.Runner.Run(ctx, program)
	if err != nil && bound.Status(err) >= 0 {
		return fmt.Errorf("%s ended with %d: %s", program.Name, bound.Status(err), complaints(said.String()))
	}
	return err
}

// By is the same server, with the programs of another image: each runs in a container of a Compose project, which has
// a folder of the host as /dump. They get in by the server's socket where that is in a folder of the host, and else as
// from the server's own host, which pg_hba.conf of the images trusts.
func (c Container) By(image, project, folder string) Server {
	return byImage{c, image, project, folder}
}

type byImage struct {
	Container
	image, project, folder string
}

// Program implements [Server].
func (b byImage) Program(ctx context.Context, limit bound.Limit, out io.Writer, argv ...string) error {
	way := []string{"--network", "container:" + b.ID, "--env", "PGHOST=127.0.0.1"}
	if socket := b.Mounts["/var/run/postgresql"]; socket != "" {
		way = []string{"--network", "none", "--volume", socket + ":/var/run/postgresql",
			"--env", "PGHOST=/var/run/postgresql"}
	}
	words := append([]string{"docker", "run", "--rm", "--pull", "never", "--user", "root",
		"--label", "com.docker.compose.project=" + b.project, "--volume", b.folder + ":/dump",
		"--env", "PGAPPNAME=" + b.application(), "--entrypoint", argv[0]}, append(way, b.image)...)
	return b.run(ctx, bound.Command{Name: argv[0], Argv: append(words, argv[1:]...), Stdout: out, Limit: limit})
}

var (
	details = regexp.MustCompile(`^(DETAIL|CONTEXT|COPY|LINE|STATEMENT|Command was|  )`)
	data    = regexp.MustCompile(`(CONTEXT|DETAIL|Key \(|: ").*`)
)

// complaints of PostgreSQL's programs, without what may be somebody's data.
func complaints(text string) string {
	var lines []string
	for line := range strings.Lines(text) {
		line = strings.TrimRight(line, "\n")
		if line != "" && !details.MatchString(line) && len(lines) < 5 {
			lines = append(lines, data.ReplaceAllString(line, ""))
		}
	}
	if len(lines) == 0 {
		return "it says nothing"
	}
	return strings.Join(lines, "; ")
}

// Connect opens a session of a database of the server.
func (c Container) Connect(ctx context.Context, name string) (*pgx.Conn, error) {
	return database.OpenAs(ctx, c.Container, c.Role, name, c.application())
}

// in runs something in a session of a database, bound by time.
func (c Container) in(ctx context.Context, database string, do func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := bound.Within(ctx, "PostgreSQL", asks.Total)
	defer cancel()
	return c.session(ctx, database, do)
}

func (c Container) session(ctx context.Context, database string, do func(context.Context, *pgx.Conn) error) error {
	pg, err := c.Connect(ctx, database)
	if err == nil {
		err = do(ctx, pg)
		_ = pg.Close(context.WithoutCancel(ctx))
	}
	if err != nil && ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return err
}

// exec runs a statement in a database.
func (c Container) exec(ctx context.Context, database, sql string, args ...any) error {
	return c.in(ctx, database, func(ctx context.Context, pg *pgx.Conn) error {
		_, err := pg.Exec(ctx, sql, args...)
		return err
	})
}

// values asks a database for the values of a column.
func values[T any](ctx context.Context, c Container, database, sql string, args ...any) (all []T, err error) {
	return all, c.in(ctx, database, func(ctx context.Context, pg *pgx.Conn) error {
		rows, err := pg.Query(ctx, sql, args...)
		if err == nil {
			all, err = pgx.CollectRows(rows, pgx.RowTo[T])
		}
		return err
	})
}

// value asks a database for one.
func value[T any](ctx context.Context, c Container, database, sql string, args ...any) (one T, err error) {
	all, err := values[T](ctx, c, database, sql, args...)
	if err == nil && len(all) == 1 {
		one = all[0]
	}
	return one, err
}

// Size implements [Server].
func (c Container) Size(ctx context.Context) (int64, error) { return c.SizeOf(ctx, c.Database) }

// Properties implements [Server].
func (c Container) Properties(ctx context.Context) (text string, err error) {
	return text, c.in(ctx, c.Database, func(ctx context.Context, pg *pgx.Conn) error {
		facts, err := globals.Read(ctx, pg)
		if err != nil {
			return err
		}
		content, err := json.Marshal(facts)
		text = string(content)
		return err
	})
}

// settings: lists are kept as they are written, as pg_dump keeps them.
//
//go:embed settings.sql
var settings string

// Settings implements [Server]: pg_dump --create has them too, but since PostgreSQL 11 only.
func (c Container) Settings(ctx context.Context) ([]string, error) {
	return values[string](ctx, c, "postgres", settings, c.Database)
}

// patiently has nothing ended early, nor rows hidden by a policy be missing rather than an error, whatever the role or
// the database is set to. [lasting] is the part of it that not all versions have.
const patiently = "set statement_timeout = 0; set lock_timeout = 0; set idle_in_transaction_session_timeout = 0; " +
	"set row_security = off; " + lasting

const (
	lasting = "select set_config(name, '0', false) " + newer
	newer   = "from pg_catalog.pg_settings where name in ('idle_session_timeout', 'transaction_timeout')"
)

// Begin implements [Server].
func (c Container) Begin(ctx context.Context) (Transaction, error) {
	ctx, cancel := bound.Within(ctx, "PostgreSQL", asks.Total)
	defer cancel()
	pg, err := c.Connect(ctx, c.Database)
	if err != nil {
		return nil, err
	}
	t := &transaction{pg: pg}
	if _, err = pg.Exec(ctx, patiently); err == nil {
		_, err = pg.Exec(ctx, "begin isolation level repeatable read read only")
	}
	if err == nil {
		err = pg.QueryRow(ctx, "select pg_export_snapshot()").Scan(&t.exported)
	}
	if err != nil {
		t.End()
		return nil, err
	}
	return t, nil
}

type transaction struct {
	pg       *pgx.Conn
	exported string
}

func (t *transaction) Exported() string { return t.exported }
func (t *transaction) End()             { _ = t.pg.Close(context.Background()) }

// tables are those whose data pg_dump dumps, and how their rows are counted.
//
//go:embed tables.sql
var tables string

func (t *transaction) Count(ctx context.Context) ([]Table, error) { return count(ctx, t.pg) }

func count(ctx context.Context, pg *pgx.Conn) (all []Table, err error) {
	rows, err := pg.Query(ctx, tables)
	if err != nil {
		return nil, err
	}
	found, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (names [2]string, err error) {
		return names, row.Scan(&names[0], &names[1])
	})
	for _, table := range found {
		var n int64
		if err := pg.QueryRow(ctx, table[1]).Scan(&n); err != nil {
			return nil, fmt.Errorf("%s: %w", table[0], err)
		}
		all = append(all, Table{table[0], n})
	}
	return all, err
}

// Ready reports whether the server lets the instance's role in, over TCP: while it is made,
// it listens at its socket only.
func (c Container) Ready(ctx context.Context) bool {
	return c.Program(ctx, bound.Time(bound.Quick), nil, "pg_isready", "--quiet", "--host", "127.0.0.1", "--username",
		c.Role, "--dbname", c.Database) == nil
}

// EndOurs ends what a run of ours that is no more has left at work.
func (c Container) EndOurs(ctx context.Context) error {
	return c.exec(ctx, "postgres", "select pg_terminate_backend(pid) from pg_stat_activity "+
		"where application_name = $1 and pid <> pg_backend_pid()", c.application())
}

// Beside returns the databases beside the live one that have a kind and a date in their names:
// MRS_restore_20261120t140000z; of no kind, a date alone: MRS_20261120t140000z.
func (c Container) Beside(ctx context.Context, kind string) ([]string, error) {
	if kind != "" {
		kind += "_"
	}
	pattern := fmt.Sprintf("^%s_%s[0-9]{8}t[0-9]{6}z$", regexp.QuoteMeta(c.Database), kind)
	return values[string](ctx, c, "postgres", "select datname from pg_database where datname ~ $1 order by 1", pattern)
}

// fits makes sure that PostgreSQL does not cut names (NAMEDATALEN): what is left of one may be that of the live
// database.
func fits(names ...string) error {
	for _, name := range names {
		if len(name) > 63 {
			return errors.New(name + " has more than 63 bytes: PostgreSQL would cut the name")
		}
	}
	return nil
}

// Drop drops a database, whoever is connected to it.
func (c Container) Drop(ctx context.Context, name string) error {
	if name == c.Database || name == "" {
		return errors.New("the live database is not dropped")
	}
	if err := fits(name); err != nil {
		return err
	}
	return c.in(ctx, "postgres", func(ctx context.Context, pg *pgx.Conn) error {
		// "with (force)" came with PostgreSQL 13.
		_, err := pg.Exec(ctx, "select pg_terminate_backend(pid) from pg_stat_activity where datname = $1", name)
		if err != nil {
			return err
		}
		_, err = pg.Exec(ctx, "drop database if exists "+pgx.Identifier{name}.Sanitize())
		return err
	})
}
