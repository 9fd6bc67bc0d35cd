package anonymize

import (
	"cmp"
	_ "embed"
	"encoding/json"
	"fmt"
	"regexp"
	"slices"
	"strings"
)

// proposal is what a column's rule may be.
type proposal struct {
	rule      Rule
	uncertain string            // why somebody has to look at it
	paths     map[string]string // why somebody has to look at a document's paths
}

// text writes the rule as a file of rules has it.
func (p proposal) text() string { return p.lines("") }

// lines writes the rule; the paths of a document are indented by more than indent.
func (p proposal) lines(indent string) string {
	r := p.rule
	switch {
	case r.Kind == Fixed || r.Kind == Template:
		return fmt.Sprintf("{%s: %s}", r.Kind, quoted(r.Text))
	case r.Sex != "":
		return fmt.Sprintf("{%s: {sex: %s}}", r.Kind, quoted(r.Sex))
	case r.Kind == JSON && len(r.Paths) == 0:
		return "{json: {}}"
	case r.Kind == JSON:
		var b strings.Builder
		b.WriteString("\n" + indent + "  json:")
		for _, path := range sorted(r.Paths) {
			inner := proposal{rule: r.Paths[path]}
			fmt.Fprintf(&b, "\n%s    %s: %s%s", indent, quoted(path), inner.text(), mark(p.paths[path]))
		}
		return b.String()
	}
	return string(r.Kind)
}

// mark is the comment behind what is uncertain.
func mark(why string) string {
	if why == "" {
		return ""
	}
	return " # uncertain: " + why
}

func quoted(text string) string {
	special := []string{"null", "true", "false", "yes", "no", "on", "off", "y", "n"}
	if plainText.MatchString(text) && !slices.Contains(special, strings.ToLower(text)) {
		return text
	}
	b, _ := json.Marshal(text) // JSON's strings are YAML's
	return string(b)
}

//go:embed meanings.txt
var meaningsText string

type meant struct {
	name *regexp.Regexp
	rule Rule
}

// meanings are what names of columns mean.
var meanings = func() (all []meant) {
	for line := range strings.Lines(meaningsText) {
		if rule, pattern, ok := strings.Cut(strings.TrimSpace(line), " "); ok && rule != "#" {
			kind, text, _ := strings.Cut(rule, ":")
			all = append(all, meant{regexp.MustCompile(pattern), Rule{Kind: Kind(kind), Text: text}})
		}
	}
	return all
}()

// meaning returns what is done to columns of a name, without a kind if it means
// nothing.
func meaning(name string) Rule {
	name = strings.ToLower(name)
	for _, m := range meanings {
		if m.name.MatchString(name) {
			return m.rule
		}
	}
	return Rule{}
}

// nobodysTypes are types whose values are nobody's.
var nobodysTypes = []string{"interval", "oid", "time without time zone", "time with time zone", "money"}

// patterns are what names of tables and columns, and values, look like; patterns.txt says which there are.
var patterns = func() map[string][]*regexp.Regexp {
	all, parts := map[string][]*regexp.Regexp{}, []string{}
	for line := range strings.Lines(patternsText) {
		if name, text, ok := strings.Cut(strings.TrimSpace(line), " "); ok && name != "#" {
			text = strings.NewReplacer(parts...).Replace(strings.TrimSpace(text))
			all[name] = append(all[name], regexp.MustCompile(text))
			parts = append(parts, "<"+name+">", text)
		}
	}
	return all
}()

//go:embed patterns.txt
var patternsText string

// pattern returns the one of a name.
func pattern(name string) *regexp.Regexp { return patterns[name][0] }

var (
	sexes      = pattern("sexes")
	nobodys    = pattern("nobodys")
	passing    = pattern("passing")
	fromSource = pattern("fromSource")
	plainText  = pattern("plainText")
	nirShape   = pattern("nirShape")
	choice     = pattern("choice")
	key        = pattern("key")
)

// shapes are what values look like.
var shapes = []struct {
	kind Kind
	fits func(string) bool
}{
	{Email, pattern("email").MatchString},
	{NIR, looksLikeNIR},
	{IBAN, pattern("iban").MatchString},
	{Phone, pattern("phone").MatchString},
	{BirthDate, pattern("birthDate").MatchString},
	{UUID, pattern("uuid").MatchString},
	{JSON, func(v string) bool { return (v[0] == '{' || v[0] == '[') && json.Valid([]byte(v)) }},
}

// looksLikeNIR reports whether a value is a social security number, with a right
// key if it has one.
func looksLikeNIR(value string) bool {
	nir := strings.ToUpper(strings.Join(strings.Fields(value), ""))
	if !nirShape.MatchString(nir) {
		return false
	}
	key, _ := nirKey(nir[:13])
	return nir[13:] == "" || nir[13:] == key
}

// shapeOf returns what at least nine in ten of the values look like.
func shapeOf(values []string) Kind {
	for _, s := range shapes {
		n, some := 0, 0
		for _, v := range values {
			if v = strings.TrimSpace(v); v != "" {
				some++
				if s.fits(v) {
					n++
				}
			}
		}
		if some > 0 && n*10 >= some*9 {
			return s.kind
		}
	}
	return ""
}

// distinct returns how many different values there are.
func distinct(values []string) int { return len(slices.Compact(slices.Sorted(slices.Values(values)))) }

// choices reports whether many values are a few different ones, such as programs
// have.
func choices(values []string) bool {
	return len(values) >= 50 && distinct(values) <= 12 &&
		!slices.ContainsFunc(values, func(v string) bool { return v != "" && !choice.MatchString(v) })
}

// propose guesses a column's rule by its name, its type, and what a sample of its
// values looks like. Where it is not sure, it hides; nothing of the sample is in
// what it says. The rule can be applied to the column.
func (s *Schema) propose(t *Table, c *Column, values []string) proposal {
	return s.guess(t, c, values).settle(c)
}

func (s *Schema) guess(t *Table, c *Column, values []string) proposal {
	rule := func(kind Kind, uncertain string) proposal {
		return proposal{rule: Rule{Kind: kind}, uncertain: uncertain}
	}
	typ := typeOf(c.Type, c.Length)
	if t != nil && typ.class == textClass && fromSource.MatchString(t.Name) {
		return rule(Public, "")
	}
	shape, meant := shapeOf(values), meaning(c.Name)
	switch typ.class {
	case jsonClass:
		return proposeDocument(values)
	case boolClass:
		return rule(Keep, "")
	case dateClass, timestampClass:
		if meant.Kind == BirthDate {
			return rule(BirthDate, "")
		}
		return rule(Keep, "")
	case uuidClass:
		if meant.Kind == Hash {
			return rule(UUID, "")
		}
		return rule(Keep, "")
	case integerClass, numericClass, floatClass:
		switch {
		case c.References != "":
			return rule(Keep, "")
		case meant.Kind == Null:
			return rule(Null, "")
		case meant.Kind != "":
			return rule(Hash, "its name is that of something personal, its type a number's")
		case shape == NIR || shape == Phone:
			return rule(Hash, fmt.Sprintf("its values look like %s", shape))
		}
		return rule(Keep, "")
	case byteaClass:
		return rule(Null, "nobody can tell what bytes are")
	case arrayClass:
		if c.NotNull {
			return proposal{rule: Rule{Kind: Fixed, Text: "{}"}, uncertain: "a list"}
		}
		return rule(Null, "a list")
	case textClass:
	default:
		switch base := modifier.ReplaceAllString(c.Type, ""); {
		case base == "inet" || base == "cidr":
			return proposal{rule: Rule{Kind: Fixed, Text: "192.0.2.1"}} // RFC 5737: nobody's
		case slices.Contains(s.Enums, c.Type), slices.Contains(nobodysTypes, base):
			return rule(Keep, "")
		}
		return rule(Null, fmt.Sprintf("the type %q is not known", c.Type))
	}

	lower := strings.ToLower(c.Name)
	switch {
	case meant.Kind == Fixed:
		return proposal{rule: meant}
	case s.steers(t, c, values):
		return rule(Keep, "a setting of the program, it seems, which other text may keep from starting")
	case shape == JSON && typ.max == 0:
		return proposeDocument(values)
	case meant.Kind == Hash && (shape == "" || shape == UUID):
		return rule(cmp.Or(shape, Hash), "")
	case meant.Kind != "" && shape != "" && meant.Kind != shape && shape != JSON:
		return rule(shape, fmt.Sprintf("its name says %s, its values look like %s", meant.Kind, shape))
	case meant.Kind != "":
		return proposal{rule: meant}
	case shape == UUID:
		return rule(UUID, "its values are UUIDs: keep, if they are no secret")
	case shape != "" && shape != JSON:
		return rule(shape, "by its values alone")
	case pickled(values):
		return rule(Null, "objects of the program, with whatever is in them")
	case sexes.MatchString(lower):
		return rule(Keep, "it says little, if all around it is changed")
	case nobodys.MatchString(lower) && len(values) >= 50 && distinct(values)*2 > len(values):
		return rule(FreeText, "its name says that it is nobody's, but hardly two values are the same")
	case nobodys.MatchString(lower):
		return rule(Keep, "by its name alone")
	case choices(values):
		return rule(Keep, "few values, like those of a choice")
	case slices.Contains([]string{"name", "label", "libelle", "title", "titre"}, lower):
		return rule(FullName, "of people, or of things? public, if of things")
	}
	return rule(FreeText, "nothing tells what it is")
}

// settle makes a proposal one that can be applied to a column: what comes next
// hides as much, or else the column stays as it is.
func (p proposal) settle(c *Column) proposal {
	if c.takes(p.rule) {
		return p
	}
	why := fmt.Sprintf("%s can't be done to it", p.rule.Kind)
	for _, rule := range []Rule{{Kind: Hash}, {Kind: Null}, {Kind: Fixed}, {Kind: Fixed, Text: "0"},
		{Kind: Fixed, Text: "{}"}} {
		if c.takes(rule) {
			return proposal{rule: rule, uncertain: cmp.Or(p.uncertain, why)}
		}
	}
	return proposal{rule: Rule{Kind: Keep}, uncertain: why + ", nor anything else; may everybody see it?"}
}

// takes reports whether a rule can be applied to the column.
func (c *Column) takes(rule Rule) bool {
	table := TablePlan{Columns: []ColumnPlan{{*c, rule}}}
	_, err := table.compile(Key{}, false)
	return err == nil
}

// places are where values are in documents, by path.
type places struct {
	at    map[string]*place
	known map[string]map[string]bool // the keys of the objects at a path
}

// place is what is at a path.
type place struct {
	values                 []string
	texts, numbers, truths int
	documents, last        int
}

// maxKeys is how many keys the objects of a form may have. More are no names of
// fields: they are values themselves, as in {"1850575…": {…}}.
const maxKeys = 64

// isField reports whether a key is the name of a field. Others may be somebody's
// name or number, which no rule may show.
func isField(name string) bool {
	digits := 0
	for _, c := range name {
		if c >= '0' && c <= '9' {
			digits++
		}
	}
	return digits < 4 && (key.MatchString(name) ||
		plainText.MatchString(name) && !strings.Contains(name, ".") && meaning(name).Kind != "")
}

// walk finds the values of a document.
func (w *places) walk(doc any, path string, number int) {
	var text string
	p := w.at[path]
	if p == nil {
		p = &place{}
	}
	switch doc := doc.(type) {
	case map[string]any:
		keys := w.known[path]
		if keys == nil {
			keys = map[string]bool{}
			w.known[path] = keys
		}
		for name, v := range doc {
			keys[name] = true
			if isField(name) {
				w.walk(v, strings.TrimPrefix(path+"."+name, "."), number)
			}
		}
		return
	case []any:
		for _, v := range doc {
			w.walk(v, path+"[]", number)
		}
		return
	case string:
		text = doc
		p.texts++
	case json.Number:
		text = string(doc)
		p.numbers++
	case bool:
		p.truths++
	default:
		return
	}
	if path == "" {
		return
	}
	if w.at[path] = p; p.documents == 0 || p.last != number {
		p.documents, p.last = p.documents+1, number
	}
	p.values = append(p.values, text)
}

// isMap reports whether there is an object above the path whose keys are values.
func (w *places) isMap(path string) bool {
	for at := path; at != ""; {
		at = at[:max(strings.LastIndexAny(at, ".["), 0)]
		if len(w.known[strings.TrimSuffix(at, ".")]) > maxKeys {
			return true
		}
	}
	return false
}

// proposeDocument guesses the rules of the paths that documents have.
func proposeDocument(values []string) proposal {
	w := &places{map[string]*place{}, map[string]map[string]bool{}}
	documents := 0
	for number, v := range values {
		if doc, ok := document(v); ok {
			documents++
			w.walk(doc, "", number)
		}
	}
	all := proposal{Rule{Kind: JSON, Paths: map[string]Rule{}}, "what no path names is removed", map[string]string{}}
	for path, p := range w.at {
		// What one document has in a hundred may be a value, too.
		if w.isMap(path) || p.documents < 2 || p.documents*100 < documents {
			continue
		}
		c := &Column{Name: strings.TrimRight(path[strings.LastIndexByte(path, '.')+1:], "[]"), Type: "text"}
		switch {
		case p.texts == 0 && p.numbers == 0:
			c.Type = "boolean"
		case p.texts == 0 && p.truths == 0:
			c.Type = "numeric"
		}
		inner := (&Schema{}).propose(nil, c, p.values)
		if inner.rule.Kind == JSON { // a document in a text
			inner = proposal{rule: Rule{Kind: Null}, uncertain: "its values are documents"}
		}
		all.rule.Paths[path], all.paths[path] = inner.rule, inner.uncertain
	}
	// Who has a first name may have a social security number beside it.
	numbers := map[string]string{}
	above := func(path string) string { return path[:strings.LastIndexByte(path, '.')+1] }
	for _, path := range sorted(all.rule.Paths) {
		if all.rule.Paths[path].Kind == NIR && !strings.Contains(path, "[]") && numbers[above(path)] == "" {
			numbers[above(path)] = path
		}
	}
	for path, rule := range all.rule.Paths {
		if rule.Kind == FirstName && !strings.Contains(path, "[]") {
			rule.Sex = numbers[above(path)]
			all.rule.Paths[path] = rule
		}
	}
	return all
}

// Propose returns a first file of rules for a database, guessed from its schema
// and from samples of its values, by table.column as rules name it, of which it
// shows none. What somebody has to look at is marked as uncertain. The rules fit
// the schema.
func Propose(s *Schema, samples map[string][]string) []byte {
	var b strings.Builder
	b.WriteString("# What is done to each column when the database is copied. This is a first guess: read it, above all" +
		" what is\n# uncertain, and take the marks off.\n")
	if s.LargeObjects > 0 {
		b.WriteString("\n# uncertain: nobody can tell what is in large objects\nlargeObjects: drop\n")
	}
	tables := roots(s.Tables)
	proposals := s.proposals(tables, samples)
	b.WriteString("\ntables:\n")
	var always []string
	for _, t := range tables {
		name := t.Called()
		if fromSource.MatchString(t.Name) {
			always = append(always, quoted(name))
		}
		if s.passes(t) {
			fmt.Fprintf(&b, "  %s: empty\n\n", quoted(name))
			continue
		}
		var lines []string
		for _, c := range t.Columns {
			p := proposals[name+"."+c.Name]
			if p == nil { // generated
				continue
			}
			text := p.lines("    ")
			if strings.HasPrefix(text, "\n") {
				lines = append(lines, "    "+quoted(c.Name)+":"+mark(p.uncertain)+text)
			} else {
				lines = append(lines, "    "+quoted(c.Name)+": "+text+mark(p.uncertain))
			}
		}
		if len(lines) == 0 {
			fmt.Fprintf(&b, "  %s: {}\n\n", quoted(name))
			continue
		}
		fmt.Fprintf(&b, "  %s:\n%s\n\n", quoted(name), strings.Join(lines, "\n"))
	}
	if len(tables) == 0 {
		b.WriteString("  {}\n")
	}
	if len(always) > 0 {
		fmt.Fprintf(&b, "always: [%s]\n", strings.Join(always, ", "))
	}
	return []byte(strings.TrimRight(b.String(), "\n") + "\n")
}

// passes reports whether a table's rows are of no use elsewhere, and nothing of
// use refers to them.
func (s *Schema) passes(t *Table) bool {
	return passing.MatchString(strings.ToLower(t.Name)) &&
		!slices.ContainsFunc(s.ForeignKeys, func(k ForeignKey) bool {
			return called(k.References) == t.Called() && k.Table != k.References
		})
}

// proposals returns those of all columns, by table.column.
func (s *Schema) proposals(tables []*Table, samples map[string][]string) map[string]*proposal {
	all, columns := map[string]*proposal{}, map[string]*Column{}
	jointly := s.jointly()
	for _, t := range tables {
		if s.passes(t) {
			continue
		}
		number, sex := "", ""
		for _, c := range t.Columns {
			if c.Generated {
				continue
			}
			c.Unique = c.Unique || jointly[t.full()+"."+c.Name]
			name := t.Called() + "." + c.Name
			p := s.propose(t, &c, samples[name])
			all[name], columns[name] = &p, &c
			switch {
			case number == "" && p.rule.Kind == NIR:
				number = c.Name
			case sex == "" && sexes.MatchString(strings.ToLower(c.Name)):
				sex = c.Name
			}
		}
		for _, c := range t.Columns {
			if p := all[t.Called()+"."+c.Name]; p != nil && p.rule.Kind == FirstName {
				p.rule.Sex = cmp.Or(number, sex)
			}
		}
	}
	s.agree(all, columns)
	return all
}

// agree gives columns that refer to each other one rule, as foreign keys would not
// hold otherwise.
func (s *Schema) agree(all map[string]*proposal, columns map[string]*Column) {
	group := map[string][]string{} // the columns that are bound together, by each of them
	refers := map[string]bool{}
	for _, k := range s.ForeignKeys {
		for i := range k.Columns {
			from, to := called(k.Table)+"."+k.Columns[i], called(k.References)+"."+k.Referenced[i]
			if all[from] == nil || all[to] == nil {
				continue
			}
			if from != to {
				refers[from] = true
			}
			both := slices.Concat(group[from], group[to], []string{from, to})
			slices.Sort(both)
			both = slices.Compact(both)
			for _, name := range both {
				group[name] = both
			}
		}
	}
	for _, name := range sorted(group) {
		if group[name][0] != name { // once for each group
			continue
		}
		var rules []Rule
		kept := true
		for _, name := range group[name] {
			if rule := all[name].rule; !refers[name] {
				rules = append(rules, rule)
				kept = kept && keeps(rule)
			}
		}
		keep := proposal{rule: Rule{Kind: Keep}}
		if kept = kept && len(rules) > 0; !kept {
			keep.uncertain = "what refers to it would be lost if it were changed"
		}
		agreed := &keep
		for _, rule := range append(rules, Rule{Kind: Hash}) {
			if !kept && slices.Contains(keyKinds, rule.Kind) && !slices.ContainsFunc(group[name], func(other string) bool {
				return columns[other].Type != columns[name].Type || !columns[other].takes(rule)
			}) {
				agreed = &proposal{rule: rule}
				break
			}
		}
		for _, name := range group[name] {
			if agreed != &keep || !keeps(all[name].rule) {
				p := *agreed
				p.uncertain = cmp.Or(p.uncertain, all[name].uncertain)
				if kept {
					p.uncertain = ""
				}
				all[name] = &p
			}
		}
	}
}
