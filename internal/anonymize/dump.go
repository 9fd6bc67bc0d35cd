package anonymize

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strings"
)

// Summary is what [Dump] has done.
type Summary struct {
	Tables  int      // whose rows were written
	Rows    int64    // that were written
	Read    int64    // bytes
	Written int64    // bytes
	Left    []string // what was left out, as it gives access to other servers: "server archive"
}

// Dump filters a plain dump of one database, as pg_dump writes it with its
// schema, in constant memory: the rows of each COPY by the rules, everything else
// byte for byte. Servers, user mappings and subscriptions are left out: passwords
// are in them, and whoever has them reaches other databases.
//
// It lets through no statement that it does not know, as data may be in it:
// INSERT, large objects, statistics, DO. Nor rows of a table whose CREATE TABLE it
// has not read, as in a dump of data alone, unless the rules call it empty, nor
// letters other than UTF-8. The error then comes before any of it is written.
func Dump(dst io.Writer, src io.Reader, rules *Rules, key Key) (Summary, error) {
	d := newDump(dst, src, rules)
	d.key = key
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
	d := newDump(io.Discard, src, rules)
	d.check = true
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
	types     map[string][]Column // composite ones, by schema.name
	domains   map[string]Column   // what they are made of, by their name as it is written
	equal     map[string]string   // the locales of collations that are not deterministic, by their name as it is written
	plan      map[string]*TablePlan
}

func newDump(dst io.Writer, src io.Reader, rules *Rules) *dump {
	return &dump{rules: rules, in: newLines(src), out: &sink{dst: dst},
		types: map[string][]Column{}, domains: map[string]Column{}, equal: map[string]string{}}
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
	}
	leave, err := d.judge(ended) // before any of it is written
	if err != nil {
		return err
	}
	if !ended {
		if !leave {
			d.write(line)
		}
		return nil
	}
	text := string(bytes.TrimSpace(d.statement))
	d.statement = d.statement[:0]
	if leave {
		if m := leftOut.FindStringSubmatch(text); m != nil {
			d.done.Left = append(d.done.Left, strings.ToLower(m[1])+" "+m[2])
		}
		return nil
	}
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

const conninfo = `host|hostaddr|port|dbname|user|service|sslmode|application_name|connect_timeout`

const name1 = `(?:"(?:[^"]|"")+"|[^\s".(),;]+)`

var (
	meta = regexp.MustCompile(`^\\(restrict|unrestrict|connect|encoding) `)
	// known are the statements that pg_dump writes and that have no rows in them.
	known = regexp.MustCompile(`^(SET|CREATE|ALTER|COMMENT ON|GRANT|REVOKE|DROP|REFRESH MATERIALIZED VIEW|` +
		`SECURITY LABEL|BEGIN|COMMIT|SELECT pg_catalog\.(set_config|setval)\()`)
	// values are statements that are known and have some all the same.
	values = regexp.MustCompile(`^CREATE (UNLOGGED |TEMPORARY |TEMP )?TABLE (IF NOT EXISTS )?` +
		name1 + `(\.` + name1 + `)? (\([^()]*\)\s)?(USING \S+ )?AS\s`)
	// access are statements about what gives access to other servers.
	access = regexp.MustCompile(`(?s)^(?:(?:CREATE|ALTER|DROP|COMMENT ON)|(?:GRANT|REVOKE)\s[^;]*?\sON FOREIGN|` +
		`SECURITY LABEL FOR \S+ ON)\s+(?:SERVER|USER MAPPING|SUBSCRIPTION|(?:FOREIGN )?DATA WRAPPER)\s`)
	// leftOut are those of them by which it is told what is missing.
	leftOut = regexp.MustCompile(`^CREATE (SERVER|SUBSCRIPTION|FOREIGN DATA WRAPPER|USER MAPPING FOR) (` +
		name1 + `(?: SERVER ` + name1 + `)?)`)
	// password is an address with one, in the forms of libpq (PostgreSQL, Connection Strings), of which others
	// have the first, too: in a function, a view, a default.
	password = regexp.MustCompile(`(?i)\b[a-z][a-z0-9+.-]*://[^\s:/@'"]+:[^\s@/'"]+@[^\s'"]` +
		`|\b(?:` + conninfo + `)=[^\s']+(?:\s+\w+=[^\s']*)*\s+password=[^\s']` +
		`|\bpassword=[^\s']+(?:\s+\w+=[^\s']*)*\s+(?:` + conninfo + `)=`)
	// roles are of pg_dumpall, with passwords; settings of a role in a database are pg_dump's.
	roles    = regexp.MustCompile(`^(CREATE|ALTER) (ROLE|USER|GROUP) `)
	inOne    = regexp.MustCompile(`^ALTER ROLE (` + name1 + `) IN DATABASE `)
	mapping  = regexp.MustCompile(`^(CREATE|ALTER) USER MAPPING `)
	foreign  = regexp.MustCompile(`^CREATE FOREIGN TABLE (` + name1 + `\.` + name1 + `)`)
	encoding = regexp.MustCompile(`^SET client_encoding = '([^']*)'`)
	copyFrom = regexp.MustCompile(`(?s)^COPY (` + name1 + `)\.(` + name1 + `) (?:\((.*)\))? *FROM stdin$`)
	create   = regexp.MustCompile(`^CREATE (?:UNLOGGED )?TABLE (?:IF NOT EXISTS )?(` + name1 + `)\.(` + name1 + `)\s` +
		`(?:(OF|PARTITION OF) (` + name1 + `)\.(` + name1 + `)\s?)?`)
	inherits = regexp.MustCompile(`^\)\s*INHERITS \((.*?)\)(?:\n|$)`)
	composed = regexp.MustCompile(`(?s)^CREATE TYPE (` + name1 + `)\.(` + name1 + `) AS \((.*)`)
	domain   = regexp.MustCompile(`^CREATE DOMAIN (` + name1 + `\.` + name1 + `) AS (.+)`)
	// A locale is LC_COLLATE where pg_dump is older than 15.
	collation = regexp.MustCompile(`(?s)^CREATE COLLATION (` + name1 + `\.` + name1 + `) \((.*)\)`)
	locale    = regexp.MustCompile(`(?:locale|lc_collate) = '([^']*)'`)
	collated  = regexp.MustCompile(` COLLATE (` + name1 + `\.` + name1 + `)`)
	attach    = regexp.MustCompile(`^ALTER TABLE ONLY (` + name1 + `)\.(` + name1 + `) ` +
		`ATTACH PARTITION (` + name1 + `)\.(` + name1 + `) `)
	field    = regexp.MustCompile(`(?s)^(` + name1 + `) (.+)$`)
	notField = regexp.MustCompile(`^(CONSTRAINT |NOT NULL |` + name1 + ` WITH OPTIONS\b)`)
	options  = regexp.MustCompile(`(?s) (COLLATE|DEFAULT|GENERATED|NOT NULL|CONSTRAINT)\b.*`)
	idents   = regexp.MustCompile(name1)
)

// HasPassword reports whether the text of a schema has an address with its password.
func HasPassword(text []byte) bool { return password.Match(text) }

// judge refuses a statement that data may be in, as soon as its first line is there,
// and tells whether it is to be left out.
func (d *dump) judge(ended bool) (leave bool, err error) {
	text := bytes.TrimSpace(d.statement)
	if len(text) == 0 {
		return false, nil
	}
	switch {
	case copyFrom.Match(text), bytes.HasPrefix(text, []byte("COPY ")) && !ended:
		return false, nil
	case !known.Match(text):
		word, _, _ := bytes.Cut(bytes.ReplaceAll(text, []byte("\n"), []byte(" ")), []byte(" "))
		return false, fmt.Errorf("line %d: a statement that begins with %.20s may have data in it, "+
			"and only COPY is filtered\n"+
			"hint: pg_dump without --inserts, --statistics, and large objects (--no-large-objects, or --no-blobs)",
			d.number, word)
	case HasPassword(text) && !access.Match(text):
		return false, fmt.Errorf("line %d: an address with its password\n"+
			"hint: put it into a user mapping (CREATE USER MAPPING), which is left out", d.number)
	case values.Match(text):
		return false, fmt.Errorf("line %d: a table is made of a query", d.number)
	case roles.Match(text) && !mapping.Match(text) && !inOne.Match(text):
		return false, fmt.Errorf("line %d: a role, which may have a password\n"+
			"hint: pg_dump dumps a database without roles, pg_dumpall with them", d.number)
	}
	if m := foreign.FindSubmatch(text); m != nil {
		return false, fmt.Errorf("line %d: the rows of %.130s are on another server\n"+
			"hint: pg_dump --exclude-table=%[2]s", d.number, m[1])
	}
	if m := encoding.FindSubmatch(text); m != nil && string(m[1]) != "UTF8" {
		return false, fmt.Errorf("line %d: the encoding is %.20s, and not UTF8\n"+
			"hint: pg_dump --encoding=UTF8", d.number, m[1])
	}
	return access.Match(text), nil
}

// learn takes what a statement says of the schema.
func (d *dump) learn(text string) {
	if m := create.FindStringSubmatch(text); m != nil {
		d.table(m, text[len(m[0]):])
	}
	if m := composed.FindStringSubmatch(text); m != nil {
		columns, _ := d.columns(m[3])
		d.types[both(m[1], m[2])] = columns
	}
	if m := domain.FindStringSubmatch(text); m != nil {
		c := Column{Type: options.ReplaceAllString(m[2], "")}
		d.collate(&c, m[2])
		d.domains[m[1]] = c
	}
	if m := collation.FindStringSubmatch(text); m != nil && strings.Contains(m[2], "deterministic = false") {
		d.equal[m[1]] = "of a locale that is not said"
		if l := locale.FindStringSubmatch(m[2]); l != nil && !strings.Contains(m[2], "rules = ") {
			d.equal[m[1]] = l[1]
		}
	}
	if m := attach.FindStringSubmatch(text); m != nil {
		if t := d.known(both(m[3], m[4])); t != nil {
			t.Root = both(m[1], m[2])
		}
	}
}

// table learns a table, whose CREATE TABLE goes on with rest. Columns that it has of
// a parent, or of a type, are not named there again.
func (d *dump) table(m []string, rest string) {
	t := Table{Schema: bare(m[1]), Name: bare(m[2])}
	of := both(m[4], m[5])
	switch m[3] {
	case "OF":
		t.Columns = slices.Clone(d.types[of])
	case "PARTITION OF": // as pg_dump of PostgreSQL 10 writes it
		t.Root = of
		t.Columns = slices.Clone(d.columnsOf(of))
	}
	if list, ok := strings.CutPrefix(rest, "("); ok {
		own, end := d.columns(list)
		if m := inherits.FindStringSubmatch(list[end:]); m != nil {
			parents, _ := parts(m[1])
			for _, parent := range parents {
				if p := idents.FindAllString(parent, 2); len(p) == 2 {
					t.Columns = append(t.Columns, d.columnsOf(both(p[0], p[1]))...)
				}
			}
		}
		t.Columns = append(t.Columns, own...)
	}
	t.Columns = once(t.Columns)
	for i := range t.Columns {
		c := &t.Columns[i]
		for range d.domains { // one may be of another
			if base, ok := d.domains[c.Type]; ok {
				c.Type, c.Collation = base.Type, cmp.Or(c.Collation, base.Collation)
			}
		}
	}
	d.schema.Tables = append(d.schema.Tables, t)
}

// columnsOf are the columns of a table, schema.name, that was read before.
func (d *dump) columnsOf(table string) []Column {
	if t := d.known(table); t != nil {
		return t.Columns
	}
	return nil
}

// known is a table, schema.name, that was read before, or nil.
func (d *dump) known(table string) *Table {
	i := slices.IndexFunc(d.schema.Tables, func(t Table) bool { return t.full() == table })
	if i < 0 {
		return nil
	}
	return &d.schema.Tables[i]
}

// once keeps of columns of one name, which parents have alike, the last.
func once(columns []Column) []Column {
	var all []Column
	for _, c := range columns {
		if i := slices.IndexFunc(all, func(other Column) bool { return other.Name == c.Name }); i >= 0 {
			all[i] = c
			continue
		}
		all = append(all, c)
	}
	return all
}

// columns are those of a list up to its closing parenthesis, which is at end.
func (d *dump) columns(list string) (all []Column, end int) {
	lines, end := parts(list)
	for _, line := range lines {
		if f := field.FindStringSubmatch(line); f != nil && !notField.MatchString(line) {
			c := Column{
				Name: bare(f[1]), Type: options.ReplaceAllString(f[2], ""),
				NotNull: strings.Contains(f[2], " NOT NULL"), Generated: strings.Contains(f[2], " GENERATED ALWAYS AS ("),
			}
			d.collate(&c, f[2])
			all = append(all, c)
		}
	}
	return all, end
}

// collate takes the collation of a column from its definition.
func (d *dump) collate(c *Column, definition string) {
	if m := collated.FindStringSubmatch(definition); m != nil {
		c.Collation = d.equal[m[1]]
	}
}

// parts divides at the commas that are in no parentheses and no quotes, up to a
// parenthesis that was opened before, which is at end.
func parts(text string) (all []string, end int) {
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
				return append(all, strings.TrimSpace(text[from:i])), i
			}
		case c == ',' && depth == 0:
			all = append(all, strings.TrimSpace(text[from:i]))
			from = i + 1
		}
	}
	return append(all, strings.TrimSpace(text[from:])), len(text)
}

// bare is a name without its quotes.
func bare(name string) string {
	if strings.HasPrefix(name, `"`) {
		return strings.ReplaceAll(name[1:len(name)-1], `""`, `"`)
	}
	return name
}

// both is the name of what is in a schema, without their quotes.
func both(schema, name string) string { return bare(schema) + "." + bare(name) }

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
	table := both(m[1], m[2])
	plan := d.plan[table]
	if plan == nil && d.rules.Tables[called(table)].Empty { // as those of extensions can be
		plan = &TablePlan{Schema: bare(m[1]), Name: bare(m[2]), Empty: true}
	}
	if plan == nil {
		switch next, err := d.in.next(); {
		case err == nil && string(next) == `\.`: // there are none
			d.write(line)
			d.write(next)
			d.number++
			return nil
		case err != nil && err != io.EOF && err != errUnended:
			return err
		}
		return fmt.Errorf("line %d: rows of %s, whose CREATE TABLE is not in the dump\nhint: a dump of data alone does not"+
			" tell what is in it; those of an extension go by %s: empty", d.number, table, called(table))
	}
	ordered := *plan
	ordered.Columns = nil
	for _, quoted := range idents.FindAllString(m[3], -1) {
		i := slices.IndexFunc(plan.Columns, func(c ColumnPlan) bool { return c.Name == bare(quoted) })
		if i >= 0 {
			ordered.Columns = append(ordered.Columns, plan.Columns[i])
		} else if !plan.Empty {
			return fmt.Errorf("line %d: %s has no column %s", d.number, table, bare(quoted))
		}
	}
	filter, err := ordered.compile(d.key, true)
	if err != nil {
		return err
	}
	d.write(line)
	rows, err := filter.copy(d.out, d.in, true)
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

// lexer tells statements from what is quoted in them (PostgreSQL, 4.1 Lexical
// Structure), line by line. In parentheses, as of a rule with several commands, and
// in the body of a function between BEGIN ATOMIC and END, a semicolon ends none; by
// which words that is told is as in psql (psqlscan.l).
type lexer struct {
	quote   string // that ends what we are in: ' or " or $tag$ or */
	escapes bool   // \ is one there, as in E'…'
	depth   int    // of /* */
	some    bool   // a statement has begun
	two     bool   // one began in the line in which another one ended
	parens  int    // that are open
	blocks  int    // BEGIN and CASE that are open, in what makes a function
	words   []byte // the first letters of the first words: c, f, p, o, r of create, function, procedure, or, replace
}

var makesFunction = regexp.MustCompile(`^(c[fp]|cor[fp]$)`)

// word takes a word of a statement.
func (x *lexer) word(word []byte) {
	lower := strings.ToLower(string(word))
	if len(x.words) < 4 {
		letter := byte(0)
		if slices.Contains([]string{"create", "function", "procedure", "or", "replace"}, lower) {
			letter = lower[0]
		}
		x.words = append(x.words, letter)
	}
	first := string(x.words)
	if x.parens > 0 || !makesFunction.MatchString(first) {
		return
	}
	switch {
	case lower == "begin", lower == "case" && x.blocks > 0:
		x.blocks++
	case lower == "end" && x.blocks > 0:
		x.blocks--
	}
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
			if len(rest) > 1 && (x.escapes && rest[0] == '\\' || rest[0] == x.quote[0] && rest[1] == rest[0]) {
				code(rest[:2])
				i += 2
				continue
			}
			if rest[0] == x.quote[0] {
				x.quote = ""
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
		case c == ';' && x.parens == 0 && x.blocks == 0:
			x.some, ended = false, true
			x.words = x.words[:0]
			i++
			continue
		case c == '(':
			x.parens++
		case c == ')' && x.parens > 0:
			x.parens--
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
		n := 1
		if rest[0] != ' ' && rest[0] != '\t' && rest[0] != '\r' {
			x.some = true
			x.two = x.two || ended
			if wordBefore(rest[0]) {
				for n < len(rest) && (wordBefore(rest[n]) || rest[n] == '$') {
					n++
				}
				x.word(rest[:n])
			}
		}
		code(rest[:n])
		i += n
	}
	return ended
}

func wordBefore(c byte) bool {
	return c == '_' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z' || c >= 0x80
}
