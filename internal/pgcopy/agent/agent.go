// Package agent is the part of a copy that runs on the servers, beside
// PostgreSQL: it holds the snapshot, sends tables through the filter, and
// receives them.
//
// Personal data is in this process on production's server and in no other; what
// it says, to whomever, never has values of the data in it. It knows PostgreSQL's
// socket and what it is told on its standard input; it must not know of
// instances, SSH or the operator.
package agent

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/betagouv/mrs-ops/internal/anonymize"
	"github.com/betagouv/mrs-ops/internal/pgcopy/wire"
)

// Run does what an agent is started for: "hold", "try", "send", "receive", "structure"
// or "propose". It ends when in does.
func Run(ctx context.Context, what string, in io.Reader, out io.Writer) error {
	do, ok := map[string]func(context.Context, *bufio.Reader, io.Writer) error{
		"hold": hold, "try": try, "send": send, "receive": receive, "structure": structure, "propose": propose,
	}[what]
	if !ok {
		return fmt.Errorf("%q is not known; hold, try, send, receive, structure or propose", what)
	}
	return do(ctx, bufio.NewReaderSize(in, 1<<16), out)
}

// read reads the next line into value. The error is io.EOF where there is none;
// half a line is no end.
func read(lines *bufio.Reader, value any) error {
	line, err := lines.ReadBytes('\n')
	if err == io.EOF && len(line) > 0 {
		err = io.ErrUnexpectedEOF
	}
	if err != nil {
		return err
	}
	if err := json.Unmarshal(line, value); err != nil {
		return errors.New("what the agent is told is no JSON") // the error would quote it
	}
	return nil
}

// write writes a value as a line.
func write(out io.Writer, value any) error { return json.NewEncoder(out).Encode(value) }

// pinned is what both ends of a copy have alike, whatever the role's and the
// database's settings are: how values are written, how long things may take, and
// that rows which a policy hides are an error rather than missing. It is what
// pg_dump pins (setup_connection in its source), and what it leaves to chance: how
// money is written, whether NULL is one in an array, what a name without a schema
// is of (as by default, which rules may name types by).
var pinned = map[string]string{
	"client_encoding": "UTF8", "application_name": "mrs-ops copy",
	"datestyle": "ISO", "intervalstyle": "postgres", "extra_float_digits": "3",
	"bytea_output": "hex", "xmloption": "content",
	"lc_monetary": "C", "array_nulls": "on", "standard_conforming_strings": "on", "search_path": "public",
	"statement_timeout": "0", "lock_timeout": "0", "idle_in_transaction_session_timeout": "0",
	"row_security": "off", "synchronize_seqscans": "off", "default_transaction_read_only": "off",
}

// unbounded lifts the bounds on idle sessions and on transactions, which are of PostgreSQL 14 and 17: others have none
// of these names.
const unbounded = "select set_config(name, '0', false) from pg_settings " +
	"where name in ('idle_session_timeout', 'transaction_timeout')"

// connect connects to PostgreSQL by its socket, which only root reaches, and
// becomes the user it is told to be.
func connect(ctx context.Context, s wire.Server, settings ...string) (*pgconn.PgConn, error) {
	config, err := pgconn.ParseConfig("")
	if err != nil {
		return nil, err
	}
	config.Host, config.Port, config.Database, config.User, config.Password = s.Socket, 5432, s.Database, s.Role, ""
	config.Fallbacks, config.TLSConfig = nil, nil
	config.RuntimeParams = maps.Clone(pinned)
	conn, err := pgconn.ConnectConfig(ctx, config)
	if err != nil {
		return nil, clean(err)
	}
	if err := become(s.UID, s.GID); err != nil {
		return nil, err
	}
	if err := run(ctx, conn, unbounded); err != nil {
		return nil, err
	}
	for _, setting := range settings {
		if err := run(ctx, conn, setting); err != nil {
			return nil, err
		}
	}
	return conn, nil
}

// become gives up what root may do.
func become(uid, gid int) error {
	if os.Getuid() != 0 || uid == 0 {
		return nil
	}
	if err := syscall.Setgroups(nil); err != nil {
		return fmt.Errorf("the groups can't be given up: %w", err)
	}
	if err := syscall.Setgid(gid); err != nil {
		return fmt.Errorf("the group can't be %d: %w", gid, err)
	}
	if err := syscall.Setuid(uid); err != nil {
		return fmt.Errorf("the user can't be %d: %w", uid, err)
	}
	return nil
}

func run(ctx context.Context, conn *pgconn.PgConn, sql string) error {
	_, err := conn.Exec(ctx, sql).ReadAll()
	return clean(err)
}

// value returns the one value that a query has.
func value(ctx context.Context, conn *pgconn.PgConn, sql string) ([]byte, error) {
	results, err := conn.Exec(ctx, sql).ReadAll()
	if err != nil {
		return nil, clean(err)
	}
	if len(results) != 1 || len(results[0].Rows) != 1 || len(results[0].Rows[0]) != 1 {
		return nil, errors.New("PostgreSQL answers with more or less than a value")
	}
	return results[0].Rows[0][0], nil
}

// telling are the classes of PostgreSQL's errors that are about the server, the
// statement or the schema (PostgreSQL, appendix A). A message of any other may
// quote a value: of 22, "data exception", and 23, "integrity constraint
// violation", and whatever a function of the database's own raises: P0001, or a
// code of its choice.
var telling = strings.Fields("08 0A 25 26 28 34 3B 3D 3F 40 42 53 54 55 57 58 72 F0 XX")

// Refused is an error of PostgreSQL's, without what of it may quote data.
type Refused struct {
	Code    string // SQLSTATE (PostgreSQL, appendix A)
	message string
}

// Error says what went wrong, and the code.
func (r *Refused) Error() string {
	return fmt.Sprintf("PostgreSQL: %s (SQLSTATE %s)", r.message, r.Code)
}

// clean takes out of PostgreSQL's error what may quote data: its detail and
// context, and its message where that is not of a class that tells. It becomes a [Refused].
func clean(err error) error {
	pgErr, ok := errors.AsType[*pgconn.PgError](err)
	if !ok {
		return err
	}
	var where []string
	for _, name := range []string{pgErr.TableName, pgErr.ColumnName, pgErr.ConstraintName} {
		if name != "" {
			where = append(where, name)
		}
	}
	message := pgErr.Message
	switch class := pgErr.Code[:min(2, len(pgErr.Code))]; {
	case class == "22" || class == "23":
		message = "a value does not fit"
	case !slices.Contains(telling, class) || pgErr.Routine == "exec_stmt_raise": // PL/pgSQL's
		message = "something of the database's own raised an error, which may quote a value"
	}
	if len(where) > 0 {
		message += " (" + strings.Join(where, ", ") + ")"
	}
	return &Refused{Code: pgErr.Code, message: message}
}

// open reads a [wire.Hold], and begins a transaction in its database.
func open(ctx context.Context, lines *bufio.Reader) (*pgconn.PgConn, error) {
	var order wire.Hold
	if err := read(lines, &order); err != nil {
		return nil, err
	}
	return connect(ctx, order.Server, begin)
}

// schema returns what [anonymize.ParseSchema] reads.
func schema(ctx context.Context, conn *pgconn.PgConn) ([]byte, error) {
	text, err := value(ctx, conn, "show server_version_num")
	if err != nil {
		return nil, err
	}
	version, err := strconv.Atoi(string(text))
	if err != nil {
		return nil, fmt.Errorf("PostgreSQL says that its version is %q", text)
	}
	return value(ctx, conn, anonymize.SchemaQuery(version))
}

// hold opens the snapshot that all senders read, says what is in the database,
// and keeps it open until its input ends.
func hold(ctx context.Context, lines *bufio.Reader, out io.Writer) error {
	conn, err := open(ctx, lines)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	snapshot, err := value(ctx, conn, "select pg_export_snapshot()")
	if err != nil {
		return err
	}
	there, err := schema(ctx, conn)
	if err != nil {
		return err
	}
	if err := write(out, wire.Held{Snapshot: string(snapshot), Schema: there}); err != nil {
		return err
	}
	_, err = io.Copy(io.Discard, lines)
	return err
}

// propose prints a first file of rules for a database.
func propose(ctx context.Context, lines *bufio.Reader, out io.Writer) error {
	conn, err := open(ctx, lines)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	text, err := schema(ctx, conn)
	if err != nil {
		return err
	}
	there, err := anonymize.ParseSchema(text)
	if err != nil {
		return err
	}
	samples := map[string][]string{}
	for i := range there.Tables {
		t := &there.Tables[i]
		names := make([]string, len(t.Columns))
		for n, c := range t.Columns {
			names[n] = c.Name
		}
		values, err := sample(ctx, conn, t.Schema, t.Name, t.Rows, names)
		if err != nil {
			return err
		}
		for n, c := range t.Columns {
			samples[t.Called()+"."+c.Name] = values[n]
		}
	}
	_, err = out.Write(anonymize.Propose(there, samples))
	return err
}

// sampleRows is about how many rows of a table are looked at.
const sampleRows = 2000

// sample returns values of columns from all over a table, without the NULLs.
func sample(ctx context.Context, conn *pgconn.PgConn, schema, table string, rows int64, columns []string) (
	[][]string, error) {
	values := make([][]string, len(columns))
	if len(columns) == 0 {
		return values, nil
	}
	texts := make([]string, len(columns))
	for i, name := range columns {
		texts[i] = wire.Ident(name) + "::text"
	}
	result := conn.ExecParams(ctx, some(schema, table, rows, strings.Join(texts, ", ")), nil, nil, nil, nil).Read()
	if result.Err != nil {
		return nil, clean(result.Err)
	}
	for _, row := range result.Rows {
		for i := range columns {
			if row[i] != nil {
				values[i] = append(values[i], string(row[i]))
			}
		}
	}
	return values, nil
}

// some is a query for some rows from all over a table.
func some(schema, table string, rows int64, columns string) string {
	part := ""
	if rows > 2*sampleRows {
		part = fmt.Sprintf(" tablesample system (%g) repeatable (1)", min(100, 2*sampleRows*100/float64(rows)))
	}
	return fmt.Sprintf("select %s from only %s.%s%s limit %d",
		columns, wire.Ident(schema), wire.Ident(table), part, sampleRows)
}

// begin is how whoever reads production begins: it can't write.
const begin = "begin transaction isolation level repeatable read, read only"
