package anonymize

import (
	"bytes"
	"encoding/binary"
	"math/bits"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// jsonFilter makes fakes of what its paths lead to in a document, in one walk over
// its bytes, and lets through nothing else. The members that are named keep their
// order; spaces are as in jsonb.
type jsonFilter struct {
	root  *node
	sexes []*sexPath
	dirty bool // a fake may hold what COPY escapes

	// While it walks:
	doc     []byte
	at      int
	row     *Filter
	text    []byte // a string without its escapes
	plain   []byte // a dirty fake before its escapes
	problem string
}

// node is a place in documents, and what is done to what is there.
type node struct {
	keep     bool  // let through, but where a deeper path says otherwise
	null     bool  // whatever is there
	leaf     faker // of strings, and of other scalars too where they can be faked
	number   faker // of numbers, where it isn't the leaf's
	fixed    bool  // null is faked, too
	dirty    bool  // the leaf's fakes have to be escaped
	sex      int   // the column that a sex comes from, or -1
	sexPath  *sexPath
	children []child
	first    int // the child that is likely to come first
	element  *node
}

type child struct {
	key  []byte
	emit []byte // the key and a colon, as they are written
	node *node
	next int // the child that is likely to come next: an application writes its documents alike
}

// sexPath is where in a document a sex is.
type sexPath struct {
	path string
	keys [][]byte
	is   sex // in this document
}

// maxDepth is how deep a document may be. PostgreSQL's limit is its stack.
const maxDepth = 1000

// append appends the document doc with fakes; ok is false, and f.problem says why,
// if it is none.
func (f *jsonFilter) append(out, doc []byte, row *Filter) (_ []byte, ok bool) {
	f.doc, f.row, f.problem = doc, row, ""
	for _, path := range f.sexes {
		f.at, path.is = 0, anybody
		f.find(path, 0, 0)
	}
	f.at = 0
	f.problem = "not a JSON document"
	f.space()
	out, ok = f.value(out, f.root, 0)
	if !ok {
		return out, false
	}
	f.space()
	return out, f.at == len(doc)
}

func (f *jsonFilter) space() {
	for f.at < len(f.doc) {
		switch f.doc[f.at] {
		case ' ', '\n', '\r', '\t':
			f.at++
		default:
			return
		}
	}
}

// value appends what becomes of the value that begins here.
func (f *jsonFilter) value(out []byte, n *node, depth int) ([]byte, bool) {
	if f.at >= len(f.doc) {
		return out, false
	}
	c := f.doc[f.at]
	switch {
	case n.null, n.keep && n.children == nil && n.element == nil: // whatever is in it
	case c == '"' && n.leaf != nil:
		text, ok := f.string()
		if !ok {
			return out, false
		}
		return f.faked(out, n, text), true
	case c == '{' && (n.children != nil || n.keep):
		return f.object(out, n, depth+1)
	case c == '[' && (n.element != nil || n.keep):
		return f.list(out, n, depth+1)
	}
	from := f.at
	if !f.skip(depth) {
		return out, false
	}
	word := c == 't' || c == 'f' || c == 'n'
	switch in := f.doc[from:f.at]; {
	case n.null:
	case n.keep:
		return append(out, in...), true
	case c == '{' || c == '[':
		if n.leaf == nil { // a rule for text says nothing of an object
			return append(out, c, c+2), true
		}
	case n.leaf != nil && (!word || n.fixed):
		return f.scalar(out, n, in, c != 'n'), true
	}
	return append(out, "null"...), true
}

// more goes to the next element of an object or a list, to the first one or behind a
// comma, or past its end; ok is false where neither is there.
func (f *jsonFilter) more(end byte, first bool) (more, ok bool) {
	f.space()
	if f.at < len(f.doc) {
		switch c := f.doc[f.at]; {
		case c == end:
			f.at++
			return false, true
		case c == ',' && !first:
			f.at++
			f.space()
			return true, true
		}
	}
	return first, first
}

// scalar appends the fake of what is no string: a number, where the fake can be one.
func (f *jsonFilter) scalar(out []byte, n *node, in []byte, bare bool) []byte {
	faker := n.leaf
	if n.number != nil {
		faker = n.number
	}
	f.plain = faker.fake(f.plain[:0], in, f.sexOf(n))
	if bare && (isNumber(f.plain) || n.fixed && (string(f.plain) == "true" || string(f.plain) == "false")) {
		return append(out, f.plain...)
	}
	return appendQuoted(out, f.plain)
}

// faked appends the fake of a string.
func (f *jsonFilter) faked(out []byte, n *node, text jsonString) []byte {
	in := text.inside()
	if text.escaped {
		f.text = unquote(f.text[:0], in)
		in = f.text
	}
	if len(in) == 0 && !n.dirty {
		return append(out, `""`...)
	}
	if n.dirty {
		f.plain = n.leaf.fake(f.plain[:0], in, anybody)
		return appendQuoted(out, f.plain)
	}
	out = append(out, '"')
	out = n.leaf.fake(out, in, f.sexOf(n))
	return append(out, '"')
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

func (f *jsonFilter) object(out []byte, n *node, depth int) ([]byte, bool) {
	if depth > maxDepth {
		f.problem = "a JSON document that is too deep"
		return out, false
	}
	f.at++
	out = append(out, '{')
	empty, before := true, -1
	var seen uint64
	for first := true; ; first = false {
		if more, ok := f.more('}', first); !more {
			return append(out, '}'), ok
		}
		i, name, ok := f.member(n, before)
		if !ok {
			return out, false
		}
		if i < 0 && !n.keep {
			if !f.skip(depth) {
				return out, false
			}
			continue
		}
		if !empty {
			out = append(out, ", "...)
		}
		empty = false
		if i < 0 {
			from := f.at
			out = append(out, name.quoted...)
			out = append(out, ": "...)
			if !f.skip(depth) {
				return out, false
			}
			out = append(out, f.doc[from:f.at]...)
			continue
		}
		if i < 64 {
			if seen&(1<<i) != 0 {
				f.problem = "a JSON document with the same member twice"
				return out, false
			}
			seen |= 1 << i
		}
		before = i
		c := &n.children[i]
		out = append(out, c.emit...)
		if out, ok = f.value(out, c.node, depth); !ok {
			return out, false
		}
	}
}

// member reads the name of the member that begins here, up to its value, and
// returns which of n's children it is, or -1. The one before it was before, or -1.
func (f *jsonFilter) member(n *node, before int) (i int, name jsonString, ok bool) {
	likely := &n.first
	if before >= 0 {
		likely = &n.children[before].next
	}
	if *likely < len(n.children) {
		if c := &n.children[*likely]; bytes.HasPrefix(f.doc[f.at:], c.emit) {
			f.at += len(c.emit)
			return *likely, name, true
		}
	}
	if name, ok = f.name(); !ok {
		return -1, name, false
	}
	key := name.inside()
	if name.escaped {
		f.text = unquote(f.text[:0], key)
		key = f.text
	}
	if i = n.child(key); i >= 0 {
		*likely = i
	}
	return i, name, true
}

// name reads the name of the member that begins here, up to its value.
func (f *jsonFilter) name() (name jsonString, ok bool) {
	if f.at >= len(f.doc) || f.doc[f.at] != '"' {
		return name, false
	}
	if name, ok = f.string(); !ok {
		return name, false
	}
	f.space()
	if f.at >= len(f.doc) || f.doc[f.at] != ':' {
		return name, false
	}
	f.at++
	f.space()
	return name, true
}

// child returns the number of the child with a key, or -1.
func (n *node) child(key []byte) int {
	for i := range n.children {
		if bytes.Equal(n.children[i].key, key) {
			return i
		}
	}
	return -1
}

func (f *jsonFilter) list(out []byte, n *node, depth int) ([]byte, bool) {
	if depth > maxDepth {
		f.problem = "a JSON document that is too deep"
		return out, false
	}
	f.at++
	out = append(out, '[')
	for first := true; ; first = false {
		more, ok := f.more(']', first)
		switch {
		case !more:
			return append(out, ']'), ok
		case !first:
			out = append(out, ", "...)
		}
		if n.element != nil {
			out, ok = f.value(out, n.element, depth)
		} else {
			from := f.at
			ok = f.skip(depth)
			out = append(out, f.doc[from:f.at]...)
		}
		if !ok {
			return out, false
		}
	}
}

// jsonString is a string of a document.
type jsonString struct {
	quoted  []byte
	escaped bool
}

func (s jsonString) inside() []byte { return s.quoted[1 : len(s.quoted)-1] }

// string reads the string that begins here.
func (f *jsonFilter) string() (s jsonString, ok bool) {
	const ones, highs = 0x0101010101010101, 0x8080808080808080
	from := f.at
	doc := f.doc
	i := from + 1
	for {
		// Eight bytes at once: a quote, a backslash or a control character?
		for i+8 <= len(doc) {
			x := binary.LittleEndian.Uint64(doc[i:])
			quote, slash := x^ones*'"', x^ones*'\\'
			if found := ((quote-ones)&^quote | (slash-ones)&^slash | (x-ones*0x20)&^x) & highs; found != 0 {
				i += bits.TrailingZeros64(found) / 8
				break
			}
			i += 8
		}
		for i < len(doc) && doc[i] != '"' && doc[i] != '\\' && doc[i] >= 0x20 {
			i++
		}
		if i >= len(doc) || doc[i] < 0x20 {
			return s, false
		}
		if doc[i] == '"' {
			f.at = i + 1
			s.quoted = doc[from:f.at]
			return s, true
		}
		s.escaped = true
		if i+1 >= len(doc) {
			return s, false
		}
		switch doc[i+1] {
		case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
			i += 2
		case 'u':
			if i+6 > len(doc) || hex4(doc[i+2:]) < 0 {
				return s, false
			}
			i += 6
		default:
			return s, false
		}
	}
}

// hex4 returns the number of four hexadecimal digits, or -1.
func hex4(in []byte) rune {
	n, err := strconv.ParseUint(string(in[:4]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}

// unquote appends what a string that was read says.
func unquote(out, in []byte) []byte {
	for {
		i := bytes.IndexByte(in, '\\')
		if i < 0 {
			return append(out, in...)
		}
		out = append(out, in[:i]...)
		c := in[i+1]
		in = in[i+2:]
		if i := strings.IndexByte("bfnrt", c); i >= 0 {
			c = "\b\f\n\r\t"[i]
		} else if c == 'u' {
			r := hex4(in)
			in = in[4:]
			if utf16.IsSurrogate(r) {
				if len(in) >= 6 && in[0] == '\\' && in[1] == 'u' && utf16.DecodeRune(r, hex4(in[2:])) != utf8.RuneError {
					r = utf16.DecodeRune(r, hex4(in[2:]))
					in = in[6:]
				}
			}
			out = utf8.AppendRune(out, r)
			continue
		}
		out = append(out, c)
	}
}

// appendQuoted appends text as a JSON string.
func appendQuoted(out, text []byte) []byte {
	out = append(out, '"')
	for _, c := range text {
		switch {
		case c == '"' || c == '\\':
			out = append(out, '\\', c)
		case c < 0x20:
			const hex = "0123456789abcdef"
			out = append(out, '\\', 'u', '0', '0', hex[c>>4], hex[c&15])
		default:
			out = append(out, c)
		}
	}
	return append(out, '"')
}

// skip goes to the end of the value that begins here.
func (f *jsonFilter) skip(depth int) bool {
	if f.at >= len(f.doc) {
		return false
	}
	switch c := f.doc[f.at]; c {
	case '"':
		_, ok := f.string()
		return ok
	case '{', '[':
		if depth++; depth > maxDepth {
			f.problem = "a JSON document that is too deep"
			return false
		}
		f.at++
		for first := true; ; first = false {
			if more, ok := f.more(c+2, first); !more { // } is two behind {, as ] is behind [
				return ok
			}
			if c == '{' {
				if _, ok := f.name(); !ok {
					return false
				}
			}
			if !f.skip(depth) {
				return false
			}
		}
	case 't':
		return f.literal("true")
	case 'f':
		return f.literal("false")
	case 'n':
		return f.literal("null")
	default:
		n := numberLen(f.doc[f.at:])
		f.at += n
		return n > 0
	}
}

func (f *jsonFilter) literal(word string) bool {
	ok := bytes.HasPrefix(f.doc[f.at:], []byte(word))
	if ok {
		f.at += len(word)
	}
	return ok
}

// numberLen returns the length of the number that in begins with, as RFC 8259
// writes it, or 0.
func numberLen(in []byte) int {
	i := 0
	digits := func() bool {
		from := i
		for i < len(in) && in[i] >= '0' && in[i] <= '9' {
			i++
		}
		return i > from
	}
	if i < len(in) && in[i] == '-' {
		i++
	}
	if i < len(in) && in[i] == '0' {
		i++
	} else if !digits() {
		return 0
	}
	if i < len(in) && in[i] == '.' {
		i++
		if !digits() {
			return 0
		}
	}
	if i < len(in) && in[i]|0x20 == 'e' {
		i++
		if i < len(in) && (in[i] == '+' || in[i] == '-') {
			i++
		}
		if !digits() {
			return 0
		}
	}
	return i
}

func isNumber(in []byte) bool { return len(in) > 0 && numberLen(in) == len(in) }

// find reads the sex at the end of path's keys from key on, if there is one, from
// the value that begins here. What is not a document is found out by the walk.
func (f *jsonFilter) find(path *sexPath, key, depth int) bool {
	f.space()
	if f.at >= len(f.doc) {
		return false
	}
	if key == len(path.keys) {
		if f.doc[f.at] == '"' {
			text, ok := f.string()
			if ok {
				path.is = sexOf(text.inside())
			}
			return ok
		}
		path.is = sexOf(f.doc[f.at:])
		return f.skip(depth)
	}
	if f.doc[f.at] != '{' {
		return f.skip(depth)
	}
	f.at++
	for first := true; ; first = false {
		if more, _ := f.more('}', first); !more {
			return false
		}
		name, ok := f.name()
		if !ok {
			return false
		}
		if bytes.Equal(name.inside(), path.keys[key]) {
			return f.find(path, key+1, depth+1)
		}
		if !f.skip(depth) {
			return false
		}
	}
}
