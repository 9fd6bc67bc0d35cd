package stack

import (
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v4"
)

// variables looks variables up, and remembers what it gave out to keep it out of errors.
type variables struct {
	lookup func(string) (string, bool)
	given  map[string]string // value -> how to call it
	public string            // the names that errors are about
	unfit  map[string]bool   // variables whose value no YAML file can hold
	notes  []string          // what there is to tell
}

// newVariables returns the variables of o, COMPOSE_PROJECT_NAME among them as Compose has it.
func newVariables(o Options, sources []*source) *variables {
	lookup := func(name string) (string, bool) {
		if name == "COMPOSE_PROJECT_NAME" {
			return o.Name, true
		}
		if o.Lookup == nil {
			return "", false
		}
		return o.Lookup(name)
	}
	names := slices.Concat(o.Files, serviceNames(sources), serviceKeys(), slices.Collect(maps.Keys(o.Overrides)))
	return &variables{
		lookup: lookup,
		given:  map[string]string{},
		public: strings.Join(names, "\n"),
		unfit:  map[string]bool{},
	}
}

// get returns the value of the variable and whether it has one.
func (v *variables) get(name string) (string, bool) {
	value, ok := v.lookup(name)
	if !isText(value) {
		v.unfit[name] = true
		return "", ok
	}
	v.remember("${"+name+"}", value)
	return value, ok
}

// isText reports whether a YAML file and a process's environment can hold value.
func isText(value string) bool { return utf8.ValidString(value) && !strings.ContainsRune(value, 0) }

// remember keeps value out of errors. One of three characters or less keeps no
// secret, nor does one that is part of the name of a file, service or key; to
// hide these would make messages unreadable.
func (v *variables) remember(name, value string) {
	if len(value) > 3 && !strings.Contains(v.public, value) {
		v.given[value] = name
	}
}

// hide keeps the values of the overrides out of errors.
func (v *variables) hide(overrides []override) {
	for _, o := range overrides {
		for _, text := range texts(o.value) {
			v.remember("the value of "+o.name(), text)
		}
	}
}

// unfitError returns an error that names the variables whose value is no text.
func (v *variables) unfitError() error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(v.unfit)) {
		errs = append(errs, fmt.Errorf("variable %s holds bytes that are no UTF-8 text", name))
	}
	return errors.Join(errs...)
}

// redact returns err with the values of variables replaced by their names.
func (v *variables) redact(err error) error {
	text := err.Error()
	values := slices.SortedFunc(maps.Keys(v.given), func(a, b string) int { return len(b) - len(a) })
	for _, value := range values {
		quoted := strconv.Quote(value)
		text = strings.ReplaceAll(text, value, v.given[value])
		text = strings.ReplaceAll(text, quoted[1:len(quoted)-1], v.given[value])
	}
	if text == err.Error() {
		return err
	}
	return errors.New(text)
}

// missing is a variable that has to have a value and does not.
type missing struct {
	place
	variable string
	empty    bool   // set, to nothing, where that is not enough
	reason   string // what the file's author has to say, from ${NAME:?reason}
}

func (m missing) String() string {
	state := "is not set"
	if m.empty {
		state = "is empty"
	}
	text := fmt.Sprintf("%s: %s %s", m.place, m.variable, state)
	if m.reason != "" {
		text += ": " + m.reason
	}
	return text
}

// missingError returns one error for all that is missing, nil for nothing.
func missingError(all []missing) error {
	if len(all) == 0 {
		return nil
	}
	var lines, names []string
	for _, m := range all {
		lines = append(lines, m.String())
		names = append(names, m.variable)
	}
	slices.Sort(names)
	lines = append(lines, fmt.Sprintf("hint: give %s a value; where empty is fine, the compose file says ${NAME:-}",
		strings.Join(slices.Compact(names), ", ")))
	return errors.New(strings.Join(unique(lines), "\n"))
}

// unique returns the lines without those that were there before.
func unique(lines []string) []string {
	seen := map[string]bool{}
	return slices.DeleteFunc(lines, func(line string) bool {
		defer func() { seen[line] = true }()
		return seen[line]
	})
}

// interpolate replaces the variables in all sources. It returns the parts that
// lack one, and an error that names each.
func interpolate(sources []*source, vars *variables) (lacking map[place]bool, err error) {
	lacking = map[place]bool{}
	var all []missing
	var errs []error
	for _, s := range sources {
		for at, node := range s.parts() {
			e := expansion{get: vars.get, lenient: s.foreign && slices.Contains(lenient, at.key)}
			e.node(node, at.service != "")
			for _, m := range e.missing {
				m.place = at
				all = append(all, m)
			}
			for _, err := range e.errs {
				errs = append(errs, at.errorf("%w", err))
			}
			for _, name := range e.empty {
				vars.notes = append(vars.notes, fmt.Sprintf("%s: %s is not set, and so it is empty, as Compose has it", at, name))
			}
			lacking[at] = lacking[at] || len(e.missing)+len(e.errs) > 0
		}
	}
	return lacking, errors.Join(append(errs, missingError(all))...)
}

// expansion replaces variables by their values and collects what is wrong.
type expansion struct {
	get     func(string) (string, bool)
	missing []missing
	errs    []error
	lenient bool     // a variable that is all of a value may be without one
	empty   []string // those that are
}

// node replaces the variables in the texts of n, in keys only if told so.
func (e *expansion) node(n *yaml.Node, keys bool) {
	switch n.Kind {
	case yaml.ScalarNode:
		if left, unset := e.unset(n.Value); unset {
			n.Value, n.Style = left, yaml.DoubleQuotedStyle
		} else if strings.Contains(n.Value, "$") {
			n.Value = e.text(n.Value)
			// Quoted, since the value may read as a number or hold anything.
			n.Style = yaml.DoubleQuotedStyle
		}
	case yaml.MappingNode:
		for i, child := range n.Content {
			if i%2 == 1 {
				e.node(child, keys)
			} else if keys {
				lenient := e.lenient
				e.lenient = false
				e.node(child, keys)
				e.lenient = lenient
			}
		}
	default:
		for _, child := range n.Content {
			e.node(child, keys)
		}
	}
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*`)

// text returns s with $NAME, ${NAME} and its forms replaced, and $$ become $.
// The grammar is Compose's: any other $ is a $.
func (e *expansion) text(s string) string {
	var out strings.Builder
	for {
		before, rest, found := strings.Cut(s, "$")
		out.WriteString(before)
		if !found {
			return out.String()
		}
		name := variableName.FindString(rest)
		switch {
		case strings.HasPrefix(rest, "$"):
			out.WriteByte('$')
			s = rest[1:]
		case strings.HasPrefix(rest, "{"):
			body, after, ok := braces(rest)
			if !ok {
				e.errs = append(e.errs, fmt.Errorf("%q is no variable\nhint: a literal $ is written $$", "$"+rest))
				return out.String()
			}
			out.WriteString(e.braced(body))
			s = after
		case name != "":
			out.WriteString(e.required(name, "", false))
			s = rest[len(name):]
		default:
			out.WriteByte('$')
			s = rest
		}
	}
}

// braced returns the value of ${body}.
func (e *expansion) braced(body string) string {
	name := variableName.FindString(body)
	rest := body[len(name):]
	value, set := "", false
	if name != "" {
		value, set = e.get(name)
	}
	emptyCounts := !strings.HasPrefix(rest, ":")
	has := set && (emptyCounts || value != "")
	operator, word := "", ""
	if form := strings.TrimPrefix(rest, ":"); form != "" {
		operator, word = form[:1], form[1:]
	}
	switch {
	case name != "" && rest == "":
		return e.required(name, "", false)
	case name != "" && operator == "-":
		if has {
			return value
		}
		return e.text(word)
	case name != "" && operator == "+":
		if has {
			return e.text(word)
		}
		return ""
	case name != "" && operator == "?":
		return e.required(name, word, !emptyCounts)
	}
	e.errs = append(e.errs, fmt.Errorf("%q is no variable\nhint: a literal $ is written $$", "${"+body+"}"))
	return ""
}

// required returns the value of the variable, and notes where it has none.
func (e *expansion) required(name, reason string, notEmpty bool) string {
	value, ok := e.get(name)
	if !ok || notEmpty && value == "" {
		e.missing = append(e.missing, missing{variable: name, empty: ok, reason: reason})
	}
	return value
}

// braces splits s, that begins with {, into what its braces enclose and what follows them.
func braces(s string) (body, after string, ok bool) {
	open := 0
	for i, c := range s {
		switch c {
		case '{':
			open++
		case '}':
			if open--; open == 0 {
				return s[1:i], s[i+1:], true
			}
		}
	}
	return "", "", false
}

// asIs is the substitution of a text whose variables are already replaced.
func asIs[M ~func(string) (string, bool)](text string, _ M) (string, error) { return text, nil }
