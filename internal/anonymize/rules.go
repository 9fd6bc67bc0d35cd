package anonymize

import (
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Rules are what is done to the columns of a database: the content of
// env/anonymize.yml, which begins with a description of its form.
type Rules struct {
	File      string
	Tables    map[string]TableRules // by name, with the schema where it is not public
	Others    []Other               // for columns that no table names; the first that fits counts
	DropLarge bool                  // large objects are left behind
}

// TableRules are the rules of a table.
type TableRules struct {
	Empty   bool // no row is copied
	Columns map[string]Rule
	Line    int
}

// Other is a rule for columns of some names and types.
type Other struct {
	Name  string   // a pattern as of path.Match; empty: any
	Types []string // as format_type writes them, without what is in parentheses; none: any
	Rule  Rule
	Line  int
}

// Invalid lists the mistakes in a file of rules.
type Invalid struct {
	Problems []string // each with the file and the line
}

// Error has a line for each mistake.
func (e *Invalid) Error() string {
	return strings.Join(e.Problems, "\n") + "\nhint: the beginning of env/anonymize.yml says what a rule can be"
}

// words are the kinds that a rule may be by name alone.
var words = []Kind{Keep, Public, Null, FirstName, LastName, FullName, Email, Phone, BirthDate, NIR, Address, FreeText, IBAN, UUID, Hash}

// empty is what stands for a table of which no row is copied.
const empty = "empty"

// ParseRules reads a file of rules, whose name is for the errors. The error, an
// [*Invalid], lists all mistakes.
func ParseRules(name string, text []byte) (*Rules, error) {
	p := &parser{file: name}
	rules := &Rules{File: name, Tables: map[string]TableRules{}}
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return nil, &Invalid{[]string{name + ": it is no YAML: " + strings.TrimPrefix(err.Error(), "yaml: ")}}
	}
	if len(document.Content) == 0 {
		return nil, &Invalid{[]string{name + ": it has no rules"}}
	}
	p.each(document.Content[0], "the file", func(key string, n *yaml.Node) {
		switch key {
		case "tables":
			p.each(n, "tables", func(table string, n *yaml.Node) {
				rules.Tables[strings.TrimPrefix(table, "public.")] = p.table(table, n)
			})
		case "others":
			if n.Kind != yaml.SequenceNode {
				p.wrong(n, "others: it is a list of {name: …, type: …, rule: …}")
				return
			}
			for _, n := range n.Content {
				rules.Others = append(rules.Others, p.other(n))
			}
		case "largeObjects":
			if rules.DropLarge = n.Value == "drop"; !rules.DropLarge {
				p.wrong(n, "largeObjects: %q is not known; drop leaves them behind", n.Value)
			}
		default:
			p.wrong(n, "%q is not known%s", key, didYouMean(key, "tables", "others", "largeObjects"))
		}
	})
	if len(p.problems) > 0 {
		return nil, &Invalid{p.problems}
	}
	return rules, nil
}

type parser struct {
	file     string
	problems []string
}

func (p *parser) wrong(n *yaml.Node, format string, args ...any) {
	p.problems = append(p.problems, fmt.Sprintf("%s:%d: ", p.file, n.Line)+fmt.Sprintf(format, args...))
}

// each calls do with each key of a mapping, once.
func (p *parser) each(n *yaml.Node, what string, do func(key string, value *yaml.Node)) {
	if n.Kind == yaml.AliasNode {
		p.wrong(n, "%s: aliases are not read: write it out", what)
		return
	}
	if n.Kind != yaml.MappingNode {
		p.wrong(n, "%s: there should be names with a : behind each", what)
		return
	}
	seen := map[string]int{}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		if line, again := seen[key.Value]; again {
			p.wrong(key, "%s: %s was named before, in line %d", what, key.Value, line)
			continue
		}
		seen[key.Value] = key.Line
		do(key.Value, value)
	}
}

func (p *parser) table(name string, n *yaml.Node) TableRules {
	t := TableRules{Columns: map[string]Rule{}, Line: n.Line}
	if n.Kind == yaml.ScalarNode {
		if t.Empty = n.Value == empty; !t.Empty {
			p.wrong(n, "%s: %q is not known; a table is empty, or has a rule for each column", name, n.Value)
		}
		return t
	}
	p.each(n, name, func(column string, n *yaml.Node) { t.Columns[column] = p.rule(name+"."+column, n) })
	return t
}

// rule reads what is done to a column or a path: a word, or one word with what it
// needs.
func (p *parser) rule(what string, n *yaml.Node) Rule {
	rule := Rule{Line: n.Line}
	if n.Kind == yaml.ScalarNode {
		if n.Value == "" || n.Tag == "!!null" && n.Value != "null" {
			p.wrong(n, "%s: there is no rule", what)
			return rule
		}
		rule.Kind = Kind(n.Value)
		switch {
		case slices.Contains(words, rule.Kind):
		case rule.Kind == Fixed, rule.Kind == Template, rule.Kind == JSON:
			p.wrong(n, "%s: %s needs to be told more, as in {%s: …}", what, rule.Kind, rule.Kind)
		default:
			p.wrong(n, "%s: %q is not a rule%s", what, n.Value, didYouMean(n.Value, names(words)...))
		}
		return rule
	}
	if n.Kind != yaml.MappingNode || len(n.Content) != 2 {
		p.wrong(n, "%s: a rule is one word, or {word: what it needs}", what)
		return rule
	}
	key, arg := n.Content[0], n.Content[1]
	rule.Kind = Kind(key.Value)
	text := func() string {
		if arg.Kind != yaml.ScalarNode {
			p.wrong(arg, "%s: %s takes a text", what, rule.Kind)
		}
		return arg.Value
	}
	switch rule.Kind {
	case Fixed, Template:
		rule.Text = text()
	case FirstName, FullName:
		p.each(arg, what, func(option string, n *yaml.Node) {
			if rule.Sex = n.Value; option != "sex" || n.Kind != yaml.ScalarNode || n.Value == "" {
				p.wrong(n, "%s: %s takes {sex: COLUMN}", what, rule.Kind)
			}
		})
	case BirthDate:
		p.each(arg, what, func(option string, n *yaml.Node) {
			days, err := strconv.Atoi(n.Value)
			if rule.Days = days; option != "days" || err != nil || days < 1 || days > 3660 {
				p.wrong(n, "%s: birthDate takes {days: N}, by how many it moves at most, up to 3660", what)
			}
		})
	case JSON:
		rule.Paths = map[string]Rule{}
		p.each(arg, what, func(path string, n *yaml.Node) {
			inner := p.rule(what+": "+path, n)
			if inner.Kind == JSON || inner.Kind == Template {
				p.wrong(n, "%s: %s: %s is for columns", what, path, inner.Kind)
			}
			rule.Paths[path] = inner
		})
	default:
		p.wrong(key, "%s: %q is not a rule that takes more%s", what, key.Value, didYouMean(key.Value, string(Fixed), string(Template), string(FirstName), string(BirthDate), string(JSON)))
	}
	return rule
}

func (p *parser) other(n *yaml.Node) Other {
	o := Other{Line: n.Line}
	ruled := false
	p.each(n, "others", func(key string, n *yaml.Node) {
		switch key {
		case "name":
			if o.Name = n.Value; n.Kind != yaml.ScalarNode || !patternFits(o.Name) {
				p.wrong(n, "others: %q is no pattern of names, like *_id", n.Value)
			}
		case "type":
			nodes := []*yaml.Node{n}
			if n.Kind == yaml.SequenceNode {
				nodes = n.Content
			}
			for _, n := range nodes {
				if n.Kind != yaml.ScalarNode || n.Value == "" {
					p.wrong(n, "others: a type is a name, or a list of names")
				}
				o.Types = append(o.Types, n.Value)
			}
		case "rule":
			o.Rule, ruled = p.rule("others", n), true
		default:
			p.wrong(n, "others: %q is not known%s", key, didYouMean(key, "name", "type", "rule"))
		}
	})
	if n.Kind == yaml.MappingNode && (!ruled || o.Name == "" && len(o.Types) == 0) {
		p.wrong(n, "others: it needs a rule, and a name or a type")
	}
	return o
}

func patternFits(pattern string) bool {
	_, err := path.Match(pattern, "x")
	return err == nil
}

// fits reports whether the rule is for a column.
func (o *Other) fits(c *Column) bool {
	if o.Name != "" {
		if ok, _ := path.Match(o.Name, c.Name); !ok {
			return false
		}
	}
	base := modifier.ReplaceAllString(c.Type, "")
	return len(o.Types) == 0 || slices.Contains(o.Types, base) || slices.Contains(o.Types, c.Type)
}

func names(kinds []Kind) []string {
	all := make([]string, len(kinds))
	for i, k := range kinds {
		all[i] = string(k)
	}
	return all
}

// didYouMean returns what goes behind the name of something that there is not.
func didYouMean(word string, known ...string) string {
	best, least := "", 3
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	if best != "" {
		return "; did you mean " + best + "?"
	}
	return "; there are " + strings.Join(known, ", ")
}

// distance is how many letters have to be put in, taken out or replaced
// (Levenshtein) to make a b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			next := min(row[j]+1, row[j+1]+1, diagonal)
			if a[i] != b[j] {
				next = min(row[j]+1, row[j+1]+1, diagonal+1)
			}
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}

// Misfit lists what keeps the rules from being applied to a schema.
type Misfit struct {
	File     string
	Problems []string
}

// Error has a line for each problem.
func (e *Misfit) Error() string {
	return fmt.Sprintf("%s and the database do not fit:\n%s\nhint: name each column in %s; if it is nobody's, as keep", e.File, strings.Join(e.Problems, "\n"), e.File)
}

// Fit brings the rules together with the tables of a database. Every column has
// to be named by its table's rules, or covered by one of the others, or its table
// is empty: what nobody has thought of is not let through. The error, a
// [*Misfit], lists all that does not fit, with a proposal for what is not named.
func (r *Rules) Fit(s *Schema) (*Plan, error) { return r.fit(s, false) }

// fit is Fit; of a part of a database, not all tables of the rules have to be
// there, and which columns are unique is not known.
func (r *Rules) fit(s *Schema, part bool) (*Plan, error) {
	m := &Misfit{File: r.File}
	wrong := func(format string, args ...any) { m.Problems = append(m.Problems, fmt.Sprintf(format, args...)) }
	if s.LargeObjects > 0 && !r.DropLarge {
		wrong("the database has %d large objects, which no rule is about; largeObjects: drop leaves them behind", s.LargeObjects)
	}
	if s.Encoding == "SQL_ASCII" { // any other is UTF-8 by the time we see it
		wrong("the database has no encoding (SQL_ASCII), so its letters can't be told")
	}
	for _, table := range s.Foreign {
		wrong("%s: its rows are in another database", table)
	}
	used := map[string]bool{}
	plan := &Plan{}
	for i := range s.Tables {
		t := &s.Tables[i]
		rules := r.Tables[t.Called()]
		used[t.Called()] = true
		p := TablePlan{Schema: t.Schema, Name: t.Name, Empty: rules.Empty, Rows: t.Rows, Bytes: t.Bytes, Pages: t.Pages}
		known := map[string]bool{}
		for _, c := range t.Columns {
			known[c.Name] = true
			rule, ok := rules.Columns[c.Name]
			if rules.Empty || c.Generated { // PostgreSQL makes it of the others
				continue
			}
			for n := 0; !ok && n < len(r.Others); n++ {
				if o := &r.Others[n]; o.fits(&c) {
					rule, ok = o.Rule, true
				}
			}
			if !ok {
				wrong("%s.%s (%s) has no rule; proposal: %s", t.Called(), c.Name, c.Type, propose(t, &c, nil).text())
			}
			p.Columns = append(p.Columns, ColumnPlan{Column: c, Rule: rule})
		}
		for _, column := range sorted(rules.Columns) {
			if !known[column] {
				wrong("%s:%d: %s.%s: there is no such column", r.File, rules.Columns[column].Line, t.Called(), column)
			}
		}
		plan.Tables = append(plan.Tables, p)
	}
	for _, table := range sorted(r.Tables) {
		if !used[table] && !part {
			wrong("%s:%d: there is no table %s", r.File, r.Tables[table].Line, table)
		}
	}
	r.keys(s, plan, wrong)
	if len(m.Problems) == 0 {
		for i := range plan.Tables {
			if _, err := plan.Tables[i].compile(Key{}, part); err != nil {
				m.Problems = append(m.Problems, strings.Split(err.Error(), "\n")...)
			}
		}
	}
	if len(m.Problems) > 0 {
		slices.Sort(m.Problems)
		m.Problems = slices.Compact(m.Problems)
		return nil, m
	}
	return plan, nil
}

// keys looks whether foreign keys will hold: both ends stay as they are, or both
// are changed in the same way.
func (r *Rules) keys(s *Schema, plan *Plan, wrong func(format string, args ...any)) {
	rules := map[string]Rule{}
	emptied := map[string]bool{}
	for i, t := range plan.Tables {
		for _, c := range t.Columns {
			rules[s.Tables[i].Called()+"."+c.Name] = c.Rule
		}
		emptied[s.Tables[i].Called()] = t.Empty
	}
	for _, k := range s.ForeignKeys {
		from, to := strings.TrimPrefix(k.Table, "public."), strings.TrimPrefix(k.References, "public.")
		if emptied[from] {
			continue
		}
		for i, column := range k.Columns {
			a, b := rules[from+"."+column], rules[to+"."+k.Referenced[i]]
			switch {
			case a.Kind == "" || a.Kind == Null:
			case emptied[to]:
				wrong("%s.%s refers to %s, which is empty; proposal: null, or empty for both", from, column, to)
			case b.Kind == "":
			case keeps(a) && keeps(b):
			case a.Kind == b.Kind && (a.Kind == UUID || a.Kind == Hash || a.Kind == NIR || a.Kind == Email):
			default:
				wrong("%s.%s (%s) refers to %s.%s (%s): both have to be keep, or both the same of uuid, hash, nir and email", from, column, a.Kind, to, k.Referenced[i], b.Kind)
			}
		}
	}
}

func keeps(r Rule) bool { return r.Kind == Keep || r.Kind == Public }

func sorted[V any](m map[string]V) []string {
	keys := make([]string, 0, len(m))
	for k := range m {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	return keys
}
