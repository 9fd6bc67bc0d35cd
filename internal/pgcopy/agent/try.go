package agent

import (
	"bufio"
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/betagouv/mrs-ops/internal/anonymize"
	"github.com/betagouv/mrs-ops/internal/pgcopy/wire"
)

// try makes fakes of some rows of each table, and asks PostgreSQL whether the types
// and constraints of their columns take them: it is the one that will refuse them in
// the middle of a copy. It says what does not fit, a line for each.
//
// PostgreSQL is asked by queries that have the rows in them, so that nothing has to be
// made in the database: the transaction is read only, and who reads may make nothing.
// What that role may not evaluate is not tried.
func try(ctx context.Context, lines *bufio.Reader, out io.Writer) error {
	order, conn, err := ordered(ctx, lines)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	key, err := keyOf(order)
	if err != nil {
		return err
	}
	for i := range order.Plan.Tables {
		t := &order.Plan.Tables[i]
		if t.Empty || !slices.ContainsFunc(t.Columns, func(c anonymize.ColumnPlan) bool { return changed(&c) }) {
			continue
		}
		unfit, err := tryTable(ctx, conn, t, key)
		if err != nil {
			return fmt.Errorf("%s.%s: %w", t.Schema, t.Name, err)
		}
		for _, u := range unfit {
			if err := write(out, u); err != nil {
				return err
			}
		}
	}
	return nil
}

// demands are what PostgreSQL checks of the rows of a table.
type demands struct {
	Types  map[string]string `json:"types"` // of columns, as SQL writes them
	Checks []demand          `json:"checks"`
}

// demand is one of them: what must not be false, or else has only to be something.
type demand struct {
	What  string `json:"what"` // "constraint", "generated column", "index", "partition"
	Name  string `json:"name"`
	SQL   string `json:"sql"`
	False bool   `json:"false"` // whether it can be
}

// demandsQuery returns [demands] as JSON. What is generated, and of what, older
// versions don't know.
//
//go:embed demands.sql
var demandsQuery string

// tryTable returns what of a table does not take its fakes.
func tryTable(ctx context.Context, conn *pgconn.PgConn, t *anonymize.TablePlan, key anonymize.Key) (
	[]wire.Unfit, error) {
	name := literal(wire.Ident(t.Schema) + "." + wire.Ident(t.Name))
	text, err := value(ctx, conn, strings.ReplaceAll(demandsQuery, "$1", name))
	if err != nil {
		return nil, err
	}
	var d demands
	if err := json.Unmarshal(text, &d); err != nil {
		return nil, errors.New("what PostgreSQL says of its constraints can't be read")
	}
	part := tried(t, d.Checks)
	values, err := fakes(ctx, conn, &part, key)
	if err != nil || len(part.Columns) == 0 || len(values[0]) == 0 {
		return nil, err
	}
	var all []wire.Unfit
	wrong := func(what, name string, columns []string, raised bool, rows int) {
		all = append(all, wire.Unfit{Schema: t.Schema, Table: t.Name, Columns: columns, What: what, Name: name,
			Raised: raised, Rows: rows, Of: len(values[0])})
	}
	// Each column for itself, before what is about several: an error of its type is none of theirs.
	bad := map[string]bool{}
	for i := range part.Columns {
		c := &part.Columns[i]
		if kept(c) {
			continue
		}
		counted := "select count(v::" + d.Types[c.Name] + ") from unnest(" + array(1) + ") v"
		_, constraint, err := judged(ctx, conn, counted, values[i:i+1])
		switch {
		case errors.Is(err, errRefused):
			bad[c.Name] = true
			wrong("type "+d.Types[c.Name], constraint, []string{c.Name}, true, 0)
		case err != nil:
			return nil, err
		}
	}
	for _, check := range d.Checks {
		columns := changedIn(check.SQL, &part)
		if len(columns) == 0 || slices.ContainsFunc(columns, func(c string) bool { return bad[c] }) {
			continue
		}
		n, _, err := judged(ctx, conn, checkQuery(check, t.Name, &part, d.Types), values)
		switch {
		case errors.Is(err, errRefused):
			wrong(check.What, check.Name, columns, true, 0)
		case err != nil:
			return nil, err
		case n > 0:
			wrong(check.What, check.Name, columns, false, n)
		}
	}
	return all, nil
}

// checkQuery counts the rows that do not fit a check: $1, $2… are the values of each column.
func checkQuery(check demand, table string, t *anonymize.TablePlan, types map[string]string) string {
	var params, names, casts []string
	for i, c := range t.Columns {
		params = append(params, array(i+1))
		names = append(names, fmt.Sprintf("v%d", i+1))
		casts = append(casts, fmt.Sprintf("v%d::%s as %s", i+1, types[c.Name], wire.Ident(c.Name)))
	}
	rows := fmt.Sprintf("(select %s from unnest(%s) as v(%s)) %s", strings.Join(casts, ", "), strings.Join(params, ", "),
		strings.Join(names, ", "), wire.Ident(table))
	if check.False {
		return "select count(*) from " + rows + " where not (" + check.SQL + ")"
	}
	return "select 0 * count(row(" + check.SQL + ")::text) from " + rows
}

// tried is the table with those columns that have to be there to try it: those that are
// changed, but for documents and free text of which nothing is demanded, what demands are
// about, and what fakes are made of.
func tried(t *anonymize.TablePlan, checks []demand) anonymize.TablePlan {
	wanted := map[string]bool{}
	for i := range t.Columns {
		c := &t.Columns[i]
		if changed(c) && c.Rule.Kind != anonymize.JSON && c.Rule.Kind != anonymize.FreeText ||
			slices.ContainsFunc(checks, func(d demand) bool { return mentions(d.SQL, c.Name) }) {
			wanted[c.Name] = true
		}
	}
	for before := -1; before != len(wanted); { // what is wanted may want more
		before = len(wanted)
		for i := range t.Columns {
			c := &t.Columns[i]
			for _, other := range t.Columns {
				if wanted[c.Name] && madeOf(&c.Rule, other.Name) {
					wanted[other.Name] = true
				}
			}
		}
	}
	part := *t
	part.Columns = nil
	for _, c := range t.Columns {
		if wanted[c.Name] {
			part.Columns = append(part.Columns, c)
		}
	}
	return part
}

// madeOf reports whether fakes of a rule depend on another column.
func madeOf(r *anonymize.Rule, column string) bool {
	if r.Sex == column || r.Kind == anonymize.Template && mentions(r.Text, column) {
		return true
	}
	for _, path := range r.Paths {
		if path.Sex == column {
			return true
		}
	}
	return false
}

// mentions reports whether a name is a word of some SQL, or stands there in quotes.
func mentions(sql, name string) bool {
	if strings.Contains(sql, wire.Ident(name)) {
		return true
	}
	found, err := regexp.MatchString(`(^|[^\pL\pN_])`+regexp.QuoteMeta(name)+`($|[^\pL\pN_])`, sql)
	return err != nil || found
}

// changedIn are the columns that are changed and that a check is about.
func changedIn(sql string, t *anonymize.TablePlan) (names []string) {
	for i := range t.Columns {
		if c := &t.Columns[i]; changed(c) && mentions(sql, c.Name) {
			names = append(names, c.Name)
		}
	}
	return names
}

// fakes are the values of some rows of a table, by column; nil is NULL.
func fakes(ctx context.Context, conn *pgconn.PgConn, t *anonymize.TablePlan, key anonymize.Key) ([][]*string, error) {
	values := make([][]*string, len(t.Columns))
	if len(values) == 0 {
		return nil, nil
	}
	filter, err := t.Filter(key)
	if err != nil {
		return nil, err
	}
	var raw, clear bytes.Buffer
	rows := some(t.Schema, t.Name, t.Rows, wire.Idents(columnNames(t)))
	if _, err := conn.CopyTo(ctx, &raw, "copy ("+rows+") to stdout"); err != nil {
		return nil, clean(err)
	}
	if _, err := filter.Copy(&clear, &raw); err != nil {
		return nil, err
	}
	for row := range bytes.Lines(clear.Bytes()) {
		fields, err := anonymize.Fields(bytes.TrimSuffix(row, []byte("\n")))
		if err != nil || len(fields) != len(values) {
			return nil, errors.New("what the filter makes is no row")
		}
		for i := range values {
			values[i] = append(values[i], fields[i])
		}
	}
	return values, nil
}

// errRefused is that PostgreSQL does not take a value.
var errRefused = errors.New("a value does not fit")

// judged returns the number that a query answers with, whose parameters are arrays
// of text. The error is errRefused where a value is, with the constraint that says so, and
// none where the role may not ask, or the query can't be asked here.
func judged(ctx context.Context, conn *pgconn.PgConn, sql string, arrays [][]*string) (
	n int, constraint string, err error) {
	if err := run(ctx, conn, "savepoint tried"); err != nil {
		return 0, "", err
	}
	params := make([][]byte, len(arrays))
	for i, values := range arrays {
		if params[i], err = json.Marshal(values); err != nil {
			return 0, "", err
		}
	}
	result := conn.ExecParams(ctx, sql, params, nil, nil, nil).Read()
	pgErr, ok := errors.AsType[*pgconn.PgError](result.Err)
	switch {
	case result.Err == nil:
		_, err = fmt.Sscan(string(result.Rows[0][0]), &n)
		return n, "", errors.Join(err, run(ctx, conn, "release savepoint tried"))
	case !ok:
		return 0, "", result.Err
	}
	if err := run(ctx, conn, "rollback to savepoint tried; release savepoint tried"); err != nil {
		return 0, "", err
	}
	switch class := pgErr.Code[:min(2, len(pgErr.Code))]; {
	case class == "22" || class == "23", pgErr.Code == "P0001", pgErr.Routine == "exec_stmt_raise":
		return 0, pgErr.ConstraintName, errRefused
	case class == "42" || class == "0A" || class == "25": // no right, no such function, nothing may be written
		return 0, "", nil
	}
	return 0, "", clean(pgErr)
}

// array is SQL for the array of text that the parameter n is, as JSON.
func array(n int) string { return fmt.Sprintf("array(select json_array_elements_text($%d))", n) }

// literal quotes a text.
func literal(text string) string { return "'" + strings.ReplaceAll(text, "'", "''") + "'" }
