package anonymize

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Misfit lists what keeps the rules from being applied to a schema.
type Misfit struct {
	File     string
	Problems []string
}

// Error has a line for each problem.
func (e *Misfit) Error() string {
	text := fmt.Sprintf("%s and the database do not fit:\n%s", e.File, strings.Join(e.Problems, "\n"))
	if strings.Contains(text, noRule) {
		text += fmt.Sprintf("\nhint: name each column in %s; if it is nobody's, as keep", e.File)
	}
	return text
}

const noRule = "has no rule"

// Fit brings the rules together with the tables of a database. Every column has
// to be named by its table's rules, or covered by one of the others, or its table
// is empty: what nobody has thought of is not let through. The error, a
// [*Misfit], lists all that does not fit, with a proposal for what is not named.
func (r *Rules) Fit(s *Schema) (*Plan, error) { return r.fit(s, false) }

// fit is Fit; of a part of a database, not all tables of the rules have to be
// there, and which columns are unique is not known.
func (r *Rules) fit(s *Schema, part bool) (*Plan, error) {
	f := &fitting{rules: r, schema: s, plan: &Plan{}, seen: map[string]bool{}}
	if s.LargeObjects > 0 && !r.DropLarge {
		f.wrong("the database has %d large objects, which no rule is about; largeObjects: drop leaves them behind",
			s.LargeObjects)
	}
	if s.Encoding == "SQL_ASCII" { // any other is UTF-8 by the time we see it
		f.wrong("the database has no encoding (SQL_ASCII), so its letters can't be told")
	}
	f.tables(part)
	f.keys()
	for i := range f.plan.Tables {
		f.compile(&s.Tables[i], f.plan.Tables[i], part)
	}
	if len(f.problems) > 0 {
		return nil, &Misfit{r.File, f.problems}
	}
	return f.plan, nil
}

// fitting is what is known while rules and a schema are brought together.
type fitting struct {
	rules    *Rules
	schema   *Schema
	plan     *Plan // its tables are those of the schema, in the same order
	problems []string
	seen     map[string]bool
}

// wrong adds a problem, once: partitions have those of their root.
func (f *fitting) wrong(format string, args ...any) {
	if p := fmt.Sprintf(format, args...); !f.seen[p] {
		f.seen[p] = true
		f.problems = append(f.problems, p)
	}
}

// wrongAt adds a problem of a line of the rules.
func (f *fitting) wrongAt(line int, format string, args ...any) {
	f.wrong("%s:%d: %s", f.rules.File, line, fmt.Sprintf(format, args...))
}

// tables finds the rule of each column. Columns without one are in the plan, too,
// without a kind.
func (f *fitting) tables(part bool) {
	r := f.rules
	roots, schemas := map[string]string{}, map[string]string{}
	jointly := f.schema.jointly()
	for i := range f.schema.Tables {
		t := &f.schema.Tables[i]
		name, root := t.Called(), cmp.Or(t.Root, t.full())
		// public."a.b" and a.b, or "a.b".c and a."b.c": the rules of one would be the other's.
		if cmp.Or(roots[name], root) != root || cmp.Or(schemas[t.full()], t.Schema) != t.Schema {
			f.wrong("there are two tables that rules would call %s; rename one", name)
		}
		roots[name], schemas[t.full()] = root, t.Schema
		rules := r.Tables[name]
		p := TablePlan{Schema: t.Schema, Name: t.Name, Empty: rules.Empty, Rows: t.Rows, Bytes: t.Bytes, Pages: t.Pages}
		known := make([]string, 0, len(t.Columns))
		for _, c := range t.Columns {
			known = append(known, c.Name)
			if rules.Empty || c.Generated { // PostgreSQL makes it of the others
				continue
			}
			rule, ok := r.of(rules, &c)
			if !ok {
				f.wrong("%s.%s (%s) %s; proposal: %s", name, c.Name, c.Type, noRule, f.schema.propose(t, &c, nil).text())
			}
			if jointly[t.full()+"."+c.Name] && !keeps(rule) { // its fakes have to differ as the values do
				c.Unique = true
			}
			p.Columns = append(p.Columns, ColumnPlan{Column: c, Rule: rule})
		}
		for _, column := range sorted(rules.Columns) {
			if !slices.Contains(known, column) {
				f.wrongAt(rules.Columns[column].Line, "%s.%s: there is no such column%s", name, column, closest(column, known...))
			}
		}
		f.plan.Tables = append(f.plan.Tables, p)
	}
	for _, table := range sorted(r.Tables) {
		if roots[table] == "" && !part && !r.Optional[table] {
			f.wrongAt(r.Tables[table].Line, "there is no table %s%s", table, closest(table, sorted(roots)...))
		}
	}
}

// of returns the rule of a column.
func (r *Rules) of(table TableRules, c *Column) (Rule, bool) {
	if rule, ok := table.Columns[c.Name]; ok {
		return rule, true
	}
	for i := range r.Others {
		if r.Others[i].fits(c) {
			return r.Others[i].Rule, true
		}
	}
	return Rule{}, false
}

// compile looks whether the rules of a table can be applied to its columns.
func (f *fitting) compile(t *Table, p TablePlan, part bool) {
	p.Columns = slices.Clone(p.Columns)
	for i := range p.Columns {
		if p.Columns[i].Rule.Kind == "" { // told already; the others may refer to it
			p.Columns[i].Rule.Kind = Keep
		}
	}
	_, err := p.compile(Key{}, part)
	if err == nil {
		return
	}
	for _, err := range err.(interface{ Unwrap() []error }).Unwrap() {
		e := err.(*columnError)
		line := e.column.Rule.Line
		if e.path != "" {
			line = e.column.Rule.Paths[e.path].Line
		}
		f.wrongAt(line, "%s.%s (%s): %s", t.Called(), e.column.Name, e.column.Type, inLine(e.problem()))
	}
}

// keys looks whether foreign keys will hold: both ends stay as they are, or both
// are changed in the same way.
func (f *fitting) keys() {
	columns := map[string]*ColumnPlan{}
	emptied := map[string]bool{}
	for i := range f.plan.Tables {
		table := f.schema.Tables[i].Called()
		for n := range f.plan.Tables[i].Columns {
			c := &f.plan.Tables[i].Columns[n]
			columns[table+"."+c.Name] = c
		}
		emptied[table] = f.plan.Tables[i].Empty
	}
	for _, k := range f.schema.ForeignKeys {
		from, to := called(k.Table), called(k.References)
		if emptied[from] {
			continue
		}
		for i, column := range k.Columns {
			a, b := columns[from+"."+column], columns[to+"."+k.Referenced[i]]
			if a == nil || a.Rule.Kind == "" || a.Rule.Kind == Null {
				continue
			}
			wrong := func(format string, args ...any) {
				f.wrongAt(a.Rule.Line, "%s.%s (%s) refers to %s", from, column, a.Rule.Kind, fmt.Sprintf(format, args...))
			}
			switch {
			case emptied[to]:
				wrong("%s, which is empty; proposal: null, or empty for both", to)
			case b == nil || b.Rule.Kind == "" || keeps(a.Rule) && keeps(b.Rule):
			case a.Rule.Kind != b.Rule.Kind || !slices.Contains(keyKinds, a.Rule.Kind):
				wrong("%s.%s (%s): both have to be keep, or both the same of uuid, hash, nir and email",
					to, k.Referenced[i], b.Rule.Kind)
			case a.spelt()&anyMarks != 0 || b.spelt()&anyMarks != 0:
				wrong("%s.%s: %s", to, k.Referenced[i], inLine(errUnequal.Error()))
			case a.Collation != b.Collation:
				wrong("%s.%s of another collation: both have to be keep", to, k.Referenced[i])
			case a.Type != b.Type: // fakes depend on what there is room for
				wrong("%s.%s of another type, %s and not %s: both have to be keep", to, k.Referenced[i], b.Type, a.Type)
			}
		}
	}
}

// keyKinds are what a key and what refers to it may both become.
var keyKinds = []Kind{UUID, Hash, NIR, Email}

func keeps(r Rule) bool { return r.Kind == Keep || r.Kind == Public }
