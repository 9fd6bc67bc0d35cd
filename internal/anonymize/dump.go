package anonymize

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"strings"
)

// Summary is what [Dump] has done.
type Summary struct {
	Tables  int   // whose rows were written
	Rows    int64 // that were written
	Read    int64 // bytes
	Written int64 // bytes
}

// Dump filters a plain dump of one database, as pg_dump writes it with its
// schema, in constant memory: the rows of each COPY by the rules, everything else
// byte for byte.
//
// It lets through no statement that it does not know, as data may be in it:
// INSERT, large objects, DO. Nor rows of a table whose CREATE TABLE it has not
// read, as in a dump of data alone, nor letters other than UTF-8. The error then
// comes before any of it is written.
func Dump(dst io.Writer, src io.Reader, rules *Rules, key Key) (Summary, error) {
	d := &dump{rules: rules, key: key, in: &lines{src: src}, out: &sink{dst: dst}}
	err := d.run()
	if flushErr := d.out.flush(); err == nil {
		err = flushErr
	}
	d.done.Read, d.done.Written = d.in.bytes, d.out.bytes
	return d.done, err
}

// CheckDump reports whether the rules fit the schema of a dump, whose rows are
// not looked at.
func CheckDump(src io.Reader, rules *Rules) error {
	d := &dump{rules: rules, in: &lines{src: src}, out: &sink{dst: io.Discard}, check: true}
	if err := d.run(); err != errChecked && err != nil {
		return err
	}
	return d.fit()
}

var errChecked = errors.New("the rows begin")

type dump struct {
	rules *Rules
	key   Key
	in    *lines
	out   *sink
	check bool
	done  Summary

	complete bool // pg_dump has said so

	number    int // of the line
	sql       lexer
	statement []byte // without comments, as far as it is needed
	schema    Schema
	plan      map[string]*TablePlan
}

func (d *dump) run() error {
	for {
		line, err := d.in.next()
		if err == io.EOF {
			if !d.sql.between() {
				return fmt.Errorf("line %d: the dump ends within a statement", d.number)
			}
			if !d.complete {
				return fmt.Errorf("line %d: the dump is not complete: pg_dump says so at its end", d.number)
			}
			return nil
		}
		if err != nil {
			return fmt.Errorf("line %d: %w", d.number+1, err)
		}
		d.number++
		if err := d.line(line); err != nil {
			return err
		}
		if len(d.out.buf) >= chunk {
			if err := d.out.flush(); err != nil {
				return err
			}
		}
	}
}

// line reads a line that is not a row.
func (d *dump) line(line []byte) error {
	if d.sql.between() && len(line) > 0 && line[0] == '\\' {
		// psql's own: \restrict, \connect.
		if !meta.Match(line) {
			return fmt.Errorf("line %d: a command of psql that is not known", d.number)
		}
		d.write(line)
		return nil
	}
	if d.sql.between() && string(line) == "-- PostgreSQL database dump complete" {
		d.complete = true
	}
	ended := d.sql.read(line, func(code []byte) {
		if len(d.statement) < maxStatement {
			d.statement = append(d.statement, code...)
		}
	})
	if d.sql.two {
		return fmt.Errorf("line %d: two statements in a line, as pg_dump writes none", d.number)
	}
	if !ended {
		d.statement = append(d.statement, '\n')
		d.write(line)
		return d.judge(false)
	}
	if err := d.judge(true); err != nil {
		return err
	}
	text := string(bytes.TrimSpace(d.statement))
	d.statement = d.statement[:0]
	if m := copyFrom.FindStringSubmatch(text); m != nil {
		return d.rows(line, m)
	}
	d.learn(text)
	d.write(line)
	return nil
}

func (d *dump) write(line []byte) {
	d.out.buf = append(append(d.out.buf, line...), '\n')
}

// maxStatement is how much of a statement is kept: the CREATE TABLE of a table
// with PostgreSQL's most columns, 1600, has less.
const maxStatement = 1 << 20

const name1 = `(?:"(?:[^"]|"")+"|[^\s".(),;]+)`

var (
	meta = regexp.MustCompile(`^\\(restrict|unrestrict|connect|encoding) `)
	// known are the statements that pg_dump writes and that have no rows in them.
	known = regexp.MustCompile(`^(SET|CREATE|ALTER|COMMENT ON|GRANT|REVOKE|DROP|REFRESH MATERIALIZED VIEW|SECURITY LABEL|BEGIN|COMMIT|SELECT pg_catalog\.(set_config|setval)\()`)
	// values are statements that are known and have some all the same.
	values   = regexp.MustCompile(`^CREATE (UNLOGGED |TEMPORARY |TEMP )?TABLE .* AS\s`)
	encoding = regexp.MustCompile(`^SET client_encoding = '([^']*)'`)
	copyFrom = regexp.MustCompile(`(?s)^COPY (` + name1 + `)\.(` + name1 + `) (?:\((.*)\) )?FROM stdin$`)
	create   = regexp.MustCompile(`(?s)^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(` + name1 + `)\.(` + name1 + `) \((.*)`)
	attach   = regexp.MustCompile(`^ALTER TABLE ONLY (` + name1 + `)\.(` + name1 + `) ATTACH PARTITION (` + name1 + `)\.(` + name1 + `) `)
	field    = regexp.MustCompile(`(?s)^(` + name1 + `) (.+)$`)
	options  = regexp.MustCompile(`(?s) (COLLATE|DEFAULT|GENERATED|NOT NULL|CONSTRAINT)\b.*`)
	idents   = regexp.MustCompile(name1)
)

// judge refuses a statement that data may be in, as soon as it can be told.
func (d *dump) judge(ended bool) error {
	text := bytes.TrimSpace(d.statement)
	if len(text) == 0 || !ended && len(text) < 40 {
		return nil
	}
	switch {
	case copyFrom.Match(text), bytes.HasPrefix(text, []byte("COPY ")) && !ended:
		return nil
	case !known.Match(text):
		word, _, _ := bytes.Cut(text, []byte(" "))
		return fmt.Errorf("line %d: a statement that begins with %.20s may have data in it, and only COPY is filtered\nhint: pg_dump without --inserts and without large objects (--no-large-objects, or --no-blobs)", d.number, word)
	case values.Match(text):
		return fmt.Errorf("line %d: a table is made of a query", d.number)
	}
	if m := encoding.FindSubmatch(text); m != nil && string(m[1]) != "UTF8" {
		return fmt.Errorf("line %d: the encoding is %.20s, and not UTF8\nhint: pg_dump --encoding=UTF8", d.number, m[1])
	}
	return nil
}

// learn takes what a statement says of the schema.
func (d *dump) learn(text string) {
	if m := create.FindStringSubmatch(text); m != nil {
		t := Table{Schema: bare(m[1]), Name: bare(m[2])}
		for _, line := range parts(m[3]) {
			if f := field.FindStringSubmatch(line); f != nil && !strings.HasPrefix(line, "CONSTRAINT ") {
				t.Columns = append(t.Columns, Column{
					Name: bare(f[1]), Type: options.ReplaceAllString(f[2], ""),
					NotNull: strings.Contains(f[2], " NOT NULL"), Generated: strings.Contains(f[2], " GENERATED ALWAYS AS ("),
				})
			}
		}
		d.schema.Tables = append(d.schema.Tables, t)
	}
	if m := attach.FindStringSubmatch(text); m != nil {
		parent := bare(m[1]) + "." + bare(m[2])
		for i := range d.schema.Tables {
			if t := &d.schema.Tables[i]; t.full() == bare(m[3])+"."+bare(m[4]) {
				t.Root = parent
			}
		}
	}
}

// parts divides at the commas that are in no parentheses and no quotes, up to a
// parenthesis that was opened before.
func parts(text string) []string {
	var all []string
	depth, from := 0, 0
	var quote byte
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case quote != 0:
			if c == quote {
				quote = 0
			}
		case c == '\'' || c == '"':
			quote = c
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			if depth--; depth < 0 {
				return append(all, strings.TrimSpace(text[from:i]))
			}
		case c == ',' && depth == 0:
			all = append(all, strings.TrimSpace(text[from:i]))
			from = i + 1
		}
	}
	return append(all, strings.TrimSpace(text[from:]))
}

// bare is a name without its quotes.
func bare(name string) string {
	if strings.HasPrefix(name, `"`) {
		return strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
	}
	return name
}

// fit brings the rules together with what was read of the schema. Roots of roots
// come right, as partitions of partitions are attached later.
func (d *dump) fit() error {
	roots := map[string]string{}
	for _, t := range d.schema.Tables {
		roots[t.full()] = t.Root
	}
	for i := range d.schema.Tables {
		for t := &d.schema.Tables[i]; roots[t.Root] != ""; {
			t.Root = roots[t.Root]
		}
	}
	plan, err := d.rules.fit(&d.schema, true)
	if err != nil {
		return err
	}
	d.plan = map[string]*TablePlan{}
	for i := range plan.Tables {
		t := &plan.Tables[i]
		d.plan[t.Schema+"."+t.Name] = t
	}
	return nil
}

// rows filters the rows behind a COPY.
func (d *dump) rows(line []byte, m []string) error {
	if d.check {
		return errChecked
	}
	if d.plan == nil {
		if err := d.fit(); err != nil {
			return err
		}
	}
	table := bare(m[1]) + "." + bare(m[2])
	plan := d.plan[table]
	if plan == nil {
		return fmt.Errorf("line %d: rows of %s, whose CREATE TABLE is not in the dump\nhint: a dump of data alone does not tell what is in it", d.number, table)
	}
	ordered := *plan
	ordered.Columns = nil
	for _, quoted := range idents.FindAllString(m[3], -1) {
		name, found := bare(quoted), false
		for _, c := range plan.Columns {
			if found = c.Name == name; found {
				ordered.Columns = append(ordered.Columns, c)
				break
			}
		}
		if !found && !plan.Empty {
			return fmt.Errorf("line %d: %s has no column %s", d.number, table, name)
		}
	}
	filter, err := ordered.compile(d.key, true)
	if err != nil {
		return err
	}
	d.write(line)
	var rows int64
	if plan.Empty { // its columns have no rules
		rows, err = 0, d.skip(table)
	} else {
		rows, err = filter.copy(d.out, d.in, true)
	}
	if err != nil {
		return fmt.Errorf("behind line %d: %w", d.number, err)
	}
	d.number += int(filter.number) + 1
	d.out.buf = append(d.out.buf, "\\.\n"...)
	d.done.Rows += rows
	if rows > 0 {
		d.done.Tables++
	}
	return nil
}

// skip reads up to the end mark.
func (d *dump) skip(table string) error {
	for {
		line, err := d.in.next()
		if err == io.EOF || err == errUnended {
			return fmt.Errorf("%s: the input ends within the rows", table)
		}
		if err != nil {
			return err
		}
		if string(line) == `\.` {
			return nil
		}
		d.number++
	}
}

// lexer tells statements from what is quoted in them (PostgreSQL, 4.1 Lexical
// Structure), line by line.
type lexer struct {
	quote   string // that ends what we are in: ' or " or $tag$ or */
	escapes bool   // \ is one there, as in E'…'
	depth   int    // of /* */
	some    bool   // a statement has begun
	two     bool   // one began in the line in which another one ended
}

// between reports whether no statement is under way.
func (x *lexer) between() bool { return x.quote == "" && !x.some }

var dollar = regexp.MustCompile(`^\$([A-Za-z_\x80-\xff][A-Za-z0-9_\x80-\xff]*)?\$`)

// read reads a line and hands what is no comment to code, without what is in
// dollar quotes. It reports whether a statement ends with the line.
func (x *lexer) read(line []byte, code func([]byte)) (ended bool) {
	for i := 0; i < len(line); {
		rest := line[i:]
		switch {
		case x.quote == "*/":
			switch {
			case bytes.HasPrefix(rest, []byte("*/")):
				i += 2
				if x.depth--; x.depth == 0 {
					x.quote = ""
				}
			case bytes.HasPrefix(rest, []byte("/*")):
				i += 2
				x.depth++
			default:
				i++
			}
			continue
		case x.quote == "'" || x.quote == `"`:
			if x.escapes && rest[0] == '\\' && len(rest) > 1 {
				code(rest[:2])
				i += 2
				continue
			}
			if rest[0] == x.quote[0] {
				x.quote = "" // a doubled one opens it again
			}
			code(rest[:1])
			i++
			continue
		case x.quote != "":
			end := bytes.Index(rest, []byte(x.quote))
			if end < 0 {
				return false
			}
			i += end + len(x.quote)
			x.quote = ""
			continue
		}
		switch c := rest[0]; {
		case bytes.HasPrefix(rest, []byte("--")):
			return ended
		case bytes.HasPrefix(rest, []byte("/*")):
			x.quote, x.depth = "*/", 1
			i += 2
			continue
		case c == ';':
			x.some, ended = false, true
			i++
			continue
		case c == '\'' || c == '"':
			x.quote = string(c)
			x.escapes = c == '\'' && i > 0 && (line[i-1] == 'E' || line[i-1] == 'e') && (i == 1 || !wordBefore(line[i-2]))
		case c == '$' && (i == 0 || !wordBefore(line[i-1])):
			if tag := dollar.Find(rest); tag != nil {
				x.quote = string(tag)
				x.some = true
				i += len(tag)
				continue
			}
		}
		if rest[0] != ' ' && rest[0] != '\t' && rest[0] != '\r' {
			x.some = true
			x.two = x.two || ended
		}
		code(rest[:1])
		i++
	}
	return ended
}

func wordBefore(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= 0x80
}
