package anonymize

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"regexp"
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
	Optional  map[string]bool       // tables that need not be there
	Always    map[string]bool       // tables whose rows the application can't do without
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
var words = []Kind{Keep, Public, Null, FirstName, LastName, FullName, Email, Phone, BirthDate, NIR, Address, FreeText,
	IBAN, UUID, Hash}

// empty is what stands for a table of which no row is copied.
const empty = "empty"

// ParseRules reads a file of rules, whose name is for the errors. The error, an
// [*Invalid], lists all mistakes.
func ParseRules(name string, text []byte) (*Rules, error) {
	p := &parser{file: name}
	rules := &Rules{File: name, Tables: map[string]TableRules{}, Optional: map[string]bool{}, Always: map[string]bool{}}
	var document yaml.Node
	in := yaml.NewDecoder(bytes.NewReader(text))
	if err := in.Decode(&document); err != nil && err != io.EOF {
		return nil, &Invalid{[]string{noYAML(name, text, err)}}
	}
	if len(document.Content) == 0 || document.Content[0].Tag == "!!null" {
		return nil, &Invalid{[]string{name + ":1: it has no rules"}}
	}
	type list struct {
		what   string
		tables map[string]bool
		nodes  map[string]*yaml.Node
	}
	lists := map[string]list{
		"optional": {"tables that need not be there", rules.Optional, map[string]*yaml.Node{}},
		"always":   {"tables whose rows are always copied", rules.Always, map[string]*yaml.Node{}},
	}
	p.each(document.Content[0], "the file", func(key string, n *yaml.Node) {
		switch key {
		case "tables":
			p.each(n, "tables", func(table string, n *yaml.Node) {
				name := called(table)
				if t, again := rules.Tables[name]; again { // public.t and t
					p.wrong(n, "tables: %s is the table of line %d", table, t.Line)
					return
				}
				rules.Tables[name] = p.table(table, n)
			})
		case "others":
			if n.Kind != yaml.SequenceNode {
				p.wrong(n, "others: it is a list of {name: …, type: …, rule: …}")
				return
			}
			for _, n := range n.Content {
				rules.Others = append(rules.Others, p.other(n))
			}
		case "optional", "always":
			if n.Kind != yaml.SequenceNode {
				p.wrong(n, "%s: it is a list of %s", key, lists[key].what)
				return
			}
			for _, n := range n.Content {
				lists[key].nodes[called(n.Value)] = n
			}
		case "largeObjects":
			if rules.DropLarge = n.Value == "drop"; !rules.DropLarge {
				p.wrong(n, "largeObjects: %q is not known; drop leaves them behind", n.Value)
			}
		default:
			p.wrong(n, "%q is not known%s", key, didYouMean(key, "tables", "others", "optional", "always", "largeObjects"))
		}
	})
	for _, key := range sorted(lists) {
		for _, table := range sorted(lists[key].nodes) {
			if _, ok := rules.Tables[table]; !ok {
				p.wrong(lists[key].nodes[table], "%s: no table %q is named in tables%s",
					key, table, closest(table, sorted(rules.Tables)...))
			}
			lists[key].tables[table] = true
		}
	}
	// What a reader would see below, and nobody would apply.
	var more yaml.Node
	switch err := in.Decode(&more); {
	case err == nil:
		p.wrong(&more, "a second YAML document begins here; rules are one")
	case err != io.EOF:
		p.problems = append(p.problems, noYAML(name, text, err))
	}
	if len(p.problems) > 0 {
		return nil, &Invalid{p.problems}
	}
	return rules, nil
}

// yamlPlace is where an error of YAML is, in the words of its library.
var yamlPlace = regexp.MustCompile(`( at )?(line (\d+)(, column \d+)?|<unknown position>)(: )?`)

// noYAML says where and why a file is no YAML.
func noYAML(file string, in []byte, err error) string {
	text, line := strings.TrimPrefix(err.Error(), "yaml: "), 1
	if all := yamlPlace.FindAllStringSubmatch(text, -1); all != nil {
		line, _ = strconv.Atoi(all[len(all)-1][3]) // the first is where what is wrong begins
	}
	if strings.Contains(text, "while parsing") { // the library's parser counts lines from 0, its scanner from 1
		line++
	}
	line = min(line, 1+bytes.Count(in, []byte("\n")))
	text = strings.Trim(yamlPlace.ReplaceAllString(text, "$5"), ": ")
	return fmt.Sprintf("%s:%d: it is no YAML: %s", file, line, strings.ReplaceAll(text, ": : ", ": "))
}

// called is how rules call a table that is written with or without the schema
// public.
func called(table string) string { return strings.TrimPrefix(table, "public.") }

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
		if key.Kind != yaml.ScalarNode {
			p.wrong(key, "%s: a name is a text", what)
			continue
		}
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
			p.wrong(n, "%s: %q is not a rule%s", what, n.Value,
				didYouMean(n.Value, names(append(words[:len(words):len(words)], Fixed, Template, JSON))...))
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
		} else if arg.Tag == "!!null" { // nothing, or the word null, which is somebody's name
			p.wrong(arg, "%s: %s takes a text, in quotes if it is empty or says null; the rule null writes NULL",
				what, rule.Kind)
		}
		return arg.Value
	}
	switch rule.Kind {
	case Fixed:
		rule.Text = text()
	case Template:
		rule.Text = text()
		if _, err := parseTemplate(rule.Text, func(name string) (int, error) { return 0, named(name) }); err != nil {
			p.wrong(arg, "%s: template: %s", what, inLine(err.Error()))
		}
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
			if err := pathProblem(path); err != nil {
				p.wrong(n, "%s: %s: %s", what, path, inLine(err.Error()))
			}
			if inner.Kind == JSON || inner.Kind == Template {
				p.wrong(n, "%s: %s: %s is for columns", what, path, inner.Kind)
			}
			rule.Paths[path] = inner
		})
	default:
		p.wrong(key, "%s: %q is not a rule that takes more%s", what, key.Value,
			didYouMean(key.Value, names([]Kind{Fixed, Template, FirstName, BirthDate, JSON})...))
	}
	return rule
}

// named refuses a column without a name.
func named(name string) error {
	if name == "" {
		return errors.New("a column's name is missing; {{ is a brace")
	}
	return nil
}

// pathProblem says what is wrong with a path, in the words of what compiles it.
func pathProblem(path string) error {
	return (&compiler{}).path(&jsonFilter{root: &node{}}, path, Rule{Kind: Keep})
}

// inLine writes a problem in one line, its hints behind it.
func inLine(problem string) string { return strings.ReplaceAll(problem, "\nhint: ", "; ") }

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
	if close := closest(word, known...); close != "" {
		return close
	}
	return "; there are " + strings.Join(known, ", ")
}

// closest asks for the known word that differs in up to two letters, if any does.
func closest(word string, known ...string) string {
	best, least := "", 3
	for _, k := range known {
		if d := distance(strings.ToLower(word), strings.ToLower(k)); d < least {
			best, least = k, d
		}
	}
	if best == "" {
		return ""
	}
	return "; did you mean " + best + "?"
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
			next := diagonal
			if a[i] != b[j] {
				next = 1 + min(row[j], row[j+1], diagonal)
			}
			diagonal, row[j+1] = row[j+1], next
		}
	}
	return row[len(b)]
}

func sorted[V any](m map[string]V) []string { return slices.Sorted(maps.Keys(m)) }
