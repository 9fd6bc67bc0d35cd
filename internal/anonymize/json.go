package anonymize

import (
	"bytes"
	"errors"
	"io"
	"strings"

	"github.com/go-json-experiment/json/jsontext"
)

// jsonFilter makes fakes of what its paths lead to in a document, in one walk over
// it, and lets through nothing else. The members that are named keep their order;
// spaces are as in jsonb.
type jsonFilter struct {
	root  *node
	sexes []*sexPath
	dirty bool // a fake may hold what COPY escapes

	// While it walks:
	in    jsontext.Decoder
	row   *Filter
	text  []byte // a string without its escapes
	plain []byte // a fake before its escapes
}

// node is a place in documents, and what is done to what is there.
type node struct {
	keep     bool  // let through, but where a deeper path says otherwise
	null     bool  // whatever is there
	leaf     faker // of strings, and of other scalars too where they can be faked
	number   faker // of numbers, where it isn't the leaf's
	fixed    bool  // null is faked, too
	dirty    bool  // and the empty string
	sex      int   // the column that a sex comes from, or -1
	sexPath  *sexPath
	children []child
	element  *node
}

type child struct {
	key  string
	node *node
}

// kept is a place that no path leads to, in one that is kept.
var kept = &node{keep: true}

// sexPath is where in a document a sex is.
type sexPath struct {
	path string
	is   sex // in this document
}

// lenient are the options by which a document is read as PostgreSQL's type json takes it: of what we write, we look
// for members that are there twice ourselves.
var lenient = []jsontext.Options{jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true)}

var errTwice = errors.New("a JSON document with the same member twice")

// append appends the document doc with fakes; problem says why it is none.
func (f *jsonFilter) append(out, doc []byte, row *Filter) (_ []byte, problem string) {
	f.row = row
	for _, path := range f.sexes {
		path.is = f.find(doc, path.path)
	}
	f.in.Reset(bytes.NewBuffer(doc), lenient...)
	out, err := f.value(out, f.root)
	if err == nil {
		_, err = f.in.ReadToken()
	}
	switch err {
	case io.EOF:
		return out, ""
	case errTwice:
		return out, err.Error()
	}
	return out, "not a JSON document" // the error may hold some of it
}

// value appends what becomes of the value that begins here.
func (f *jsonFilter) value(out []byte, n *node) ([]byte, error) {
	kind := f.in.PeekKind()
	switch {
	case n.null, n.keep && n.children == nil && n.element == nil: // whatever is in it
	case kind == '{' && (n.children != nil || n.keep):
		return f.object(out, n)
	case kind == '[' && (n.element != nil || n.keep):
		return f.list(out, n)
	}
	in, err := f.in.ReadValue()
	switch {
	case err != nil:
		return out, err
	case n.null:
	case n.keep:
		return append(out, in...), nil
	case kind == '{' || kind == '[':
		if n.leaf == nil { // a rule for text says nothing of an object
			return append(out, byte(kind), byte(kind)+2), nil
		}
	case n.leaf != nil && (kind == '"' || kind == '0' || n.fixed):
		return f.scalar(out, n, in), nil
	}
	return append(out, "null"...), nil
}

// scalar appends the fake of a string, or of what is none: a number, where the fake can be one.
func (f *jsonFilter) scalar(out []byte, n *node, in jsontext.Value) []byte {
	faker, text := n.leaf, []byte(in)
	if in.Kind() == '"' {
		if text = f.unquoted(in); len(text) == 0 && !n.dirty {
			return append(out, in...)
		}
	} else if n.number != nil {
		faker = n.number
	}
	f.plain = faker.fake(f.plain[:0], text, f.sexOf(n))
	word := n.fixed && (string(f.plain) == "true" || string(f.plain) == "false")
	if in.Kind() != '"' && in.Kind() != 'n' && (word || isNumber(f.plain)) {
		return append(out, f.plain...)
	}
	if !n.dirty {
		return append(append(append(out, '"'), f.plain...), '"')
	}
	out, _ = jsontext.AppendQuote(out, f.plain)
	return out
}

// unquoted returns what a string says, until the next call.
func (f *jsonFilter) unquoted(in jsontext.Value) []byte {
	if bytes.IndexByte(in, '\\') < 0 { // as it is nearly always
		return in[1 : len(in)-1]
	}
	f.text, _ = jsontext.AppendUnquote(f.text[:0], in)
	return f.text
}

func (f *jsonFilter) sexOf(n *node) sex {
	if n.sexPath != nil {
		return n.sexPath.is
	}
	if n.sex >= 0 {
		return sexOf(f.row.field(n.sex))
	}
	return anybody
}

func (f *jsonFilter) object(out []byte, n *node) ([]byte, error) {
	if _, err := f.in.ReadToken(); err != nil {
		return out, err
	}
	out = append(out, '{')
	begin, seen := len(out), uint64(0)
	for f.in.PeekKind() != '}' {
		name, err := f.in.ReadValue()
		if err != nil {
			return out, err
		}
		i := n.child(f.unquoted(name))
		if i < 0 && !n.keep {
			if err := f.in.SkipValue(); err != nil {
				return out, err
			}
			continue
		}
		if len(out) > begin {
			out = append(out, ", "...)
		}
		out = append(append(out, name...), ": "...)
		to := kept
		if i >= 0 {
			if to = n.children[i].node; seen&(1<<i) != 0 {
				return out, errTwice
			}
			seen |= 1 << i
		}
		if out, err = f.value(out, to); err != nil {
			return out, err
		}
	}
	_, err := f.in.ReadToken()
	return append(out, '}'), err
}

// child returns the number of the child with a key, or -1.
func (n *node) child(key []byte) int {
	for i := range n.children {
		if n.children[i].key == string(key) {
			return i
		}
	}
	return -1
}

func (f *jsonFilter) list(out []byte, n *node) ([]byte, error) {
	if _, err := f.in.ReadToken(); err != nil {
		return out, err
	}
	out = append(out, '[')
	begin, to := len(out), n.element
	if to == nil {
		to = kept
	}
	for f.in.PeekKind() != ']' {
		if len(out) > begin {
			out = append(out, ", "...)
		}
		var err error
		if out, err = f.value(out, to); err != nil {
			return out, err
		}
	}
	_, err := f.in.ReadToken()
	return append(out, ']'), err
}

// isNumber reports whether in is a number as RFC 8259 writes it.
func isNumber(in []byte) bool {
	return jsontext.Value(in).Kind() == '0' && jsontext.Value(in).IsValid()
}

// find returns the sex at the end of a path, if there is one. What is not a document
// is found out by the walk.
func (f *jsonFilter) find(doc []byte, path string) sex {
	f.in.Reset(bytes.NewBuffer(doc), lenient...)
	for key := range strings.SplitSeq(path, ".") {
		if token, err := f.in.ReadToken(); err != nil || token.Kind() != '{' {
			return anybody
		}
		for found := false; !found; {
			name, err := f.in.ReadValue()
			if err != nil { // at its end, too
				return anybody
			}
			if found = string(f.unquoted(name)) == key; !found && f.in.SkipValue() != nil {
				return anybody
			}
		}
	}
	value, _ := f.in.ReadValue()
	return sexOf(bytes.TrimLeft(value, `"`))
}
