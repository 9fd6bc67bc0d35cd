package agent

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"

	"github.com/betagouv/mrs-ops/internal/anonymize"
)

// learn makes a scan learn real values of the columns that are anonymised; before
// that, what of text leaves as it is.
func learn(ctx context.Context, conn *pgconn.PgConn, scan *anonymize.Scan, tables []anonymize.TablePlan) error {
	text := func(c *anonymize.ColumnPlan) bool { return kept(c) && c.Text() }
	scan.Fixed(tables)
	for i := range tables {
		t := &tables[i]
		scan.Names(t.Name)
		for n := range t.Columns {
			scan.Names(t.Columns[n].Name)
		}
		err := sampled(ctx, conn, t, text, func(_ *anonymize.ColumnPlan, values []string) { scan.Nobody(values) })
		if err != nil {
			return err
		}
	}
	for i := range tables {
		t := &tables[i]
		err := sampled(ctx, conn, t, changed, func(c *anonymize.ColumnPlan, values []string) { scan.Learn(t, c, values) })
		if err != nil {
			return err
		}
	}
	return nil
}

func kept(c *anonymize.ColumnPlan) bool {
	return c.Rule.Kind == anonymize.Keep || c.Rule.Kind == anonymize.Public
}

func changed(c *anonymize.ColumnPlan) bool { return !kept(c) }

// sampled calls use with values of those columns of a table that are wanted.
func sampled(ctx context.Context, conn *pgconn.PgConn, t *anonymize.TablePlan,
	wanted func(*anonymize.ColumnPlan) bool, use func(*anonymize.ColumnPlan, []string)) error {
	var columns []*anonymize.ColumnPlan
	var names []string
	for i := range t.Columns {
		if c := &t.Columns[i]; !t.Empty && wanted(c) {
			columns = append(columns, c)
			names = append(names, c.Name)
		}
	}
	values, err := sample(ctx, conn, t.Schema, t.Name, t.Rows, names)
	for i := range values {
		use(columns[i], values[i])
	}
	return err
}

// structure looks for real values in the text of a schema, as pg_dump writes it,
// which follows a [wire.Sender] on its input.
func structure(ctx context.Context, lines *bufio.Reader, _ io.Writer) error {
	order, conn, err := ordered(ctx, lines)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	scan := anonymize.NewSchemaScan()
	if err := learn(ctx, conn, scan, order.Plan.Tables); err != nil {
		return err
	}
	text, err := io.ReadAll(lines)
	if err != nil {
		return err
	}
	return lookAtSchema(scan, text)
}

// lookAtSchema looks at the text of a schema, entry by entry.
func lookAtSchema(scan *anonymize.Scan, text []byte) error {
	if len(bytes.TrimSpace(text)) == 0 {
		return errors.New("there is no schema to look at")
	}
	for _, part := range bytes.Split(text, []byte("\n-- Name: ")) {
		head, _, _ := bytes.Cut(part, []byte("\n"))
		// A name may be somebody's, too.
		if err := scan.LookAt("a name in the schema", head); err != nil {
			return err
		}
		if anonymize.HasPassword(part) {
			return fmt.Errorf("an address with its password was about to leave in the schema's %s\n"+
				"hint: put it into a user mapping (CREATE USER MAPPING), which is not copied", entry(string(head)))
		}
		if err := scan.LookAt("the schema's "+entry(string(head)), part); err != nil {
			return err
		}
	}
	return nil
}

// entry says what an entry of pg_dump's is, whose first line is NAME; Type: TYPE;
// Schema: SCHEMA; Owner: OWNER.
func entry(head string) string {
	fields := strings.Split(head, "; ")
	for _, f := range fields[1:] {
		if kind, ok := strings.CutPrefix(f, "Type: "); ok {
			return strings.ToLower(kind) + " " + fields[0]
		}
	}
	return "beginning"
}
