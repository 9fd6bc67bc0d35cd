package anonymize

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Scan looks for real values in what is about to leave: it is what still stands
// when a rule, or this package, is wrong. It learns values of the columns that
// are anonymised, and then reads all of what comes out, as rows of COPY, word by
// word: letter case and what stands between words do not matter.
//
// It keeps no value, only hashes under a seed of its own that dies with it.
//
// Birth dates are not learnt: every day of a century is somebody's. That none
// stays as it is, the filter sees to. Nor is what names nobody: words of less
// than 4 letters, numbers of less than 7 digits, values that more than one row
// in 20 has.
type Scan struct {
	seed   uint64
	starts hashes                   // the hashes of first words
	ends   hashes                   // the hashes of values, to be asked before whole
	whole  map[uint64]*ScannedField // the same
	words  []window
}

// ScannedField is a column, or what a path of a document in it leads to.
type ScannedField struct {
	Table, Column, Path string
}

// String returns the field as rules name it.
func (f *ScannedField) String() string {
	name := f.Table + "." + f.Column
	if f.Path != "" {
		name += ": " + f.Path
	}
	return name
}

// Leak is the error where a real value is met in what is about to leave. It
// tells whose value it was, and never which.
type Leak struct {
	Of *ScannedField // what the value is in the source
	In string        // the table in which it was met
}

// Error names the two columns.
func (l *Leak) Error() string {
	return fmt.Sprintf("a real value of %s was about to leave in %s\nhint: a rule lets it through: look at what %s says; what everybody may know is public", l.Of, l.In, l.In)
}

// maxWords is how many words a value is known by, from its beginning.
const maxWords = 6

// hashes are a set of them that may say yes to others as well.
type hashes [1 << 14]uint64

func (b *hashes) add(hash uint64)      { b[hash>>6&(1<<14-1)] |= 1 << (hash & 63) }
func (b *hashes) has(hash uint64) bool { return b[hash>>6&(1<<14-1)]&(1<<(hash&63)) != 0 }

type window struct {
	hash uint64
	n    int
}

// NewScan returns a Scan that knows no value.
func NewScan() *Scan {
	return &Scan{seed: rand.Uint64(), whole: map[uint64]*ScannedField{}}
}

// Values returns how many values the scan knows.
func (s *Scan) Values() int { return len(s.whole) }

// name is how rules call a table.
func name(t *TablePlan) string {
	if t.Schema == "public" {
		return t.Name
	}
	return t.Schema + "." + t.Name
}

// Learn takes a sample of the real values of a table's column, as they are and
// not as COPY writes them.
func (s *Scan) Learn(t *TablePlan, column *ColumnPlan, values []string) {
	table := name(t)
	if column.Rule.Kind != JSON {
		s.learn(&ScannedField{table, column.Name, ""}, column.Rule.Kind, values)
		return
	}
	byPath := map[string][]string{}
	for _, v := range values {
		var doc any
		decoder := json.NewDecoder(strings.NewReader(v))
		decoder.UseNumber()
		if decoder.Decode(&doc) == nil {
			leaves(doc, "", byPath)
		}
	}
	for path, values := range byPath {
		s.learn(&ScannedField{table, column.Name, path}, kindAt(column.Rule.Paths, path), values)
	}
}

// leaves adds the strings and numbers of a document to those of their paths.
func leaves(doc any, path string, to map[string][]string) {
	switch doc := doc.(type) {
	case map[string]any:
		for key, v := range doc {
			if path != "" {
				key = path + "." + key
			}
			leaves(v, key, to)
		}
	case []any:
		for _, v := range doc {
			leaves(v, path+"[]", to)
		}
	case string:
		to[path] = append(to[path], doc)
	case json.Number:
		to[path] = append(to[path], string(doc))
	}
}

// kindAt returns what is done to the value at a path, Null where nothing is said
// of it: it is removed.
func kindAt(paths map[string]Rule, path string) Kind {
	for at := path; at != ""; {
		if rule, ok := paths[at]; ok {
			return rule.Kind
		}
		cut := max(strings.LastIndexByte(at, '.'), 0)
		if strings.HasSuffix(at, "[]") {
			cut = len(at) - 2
		}
		at = at[:cut]
	}
	return Null
}

func (s *Scan) learn(field *ScannedField, kind Kind, values []string) {
	switch kind {
	case Keep, Public, BirthDate, "":
		return
	}
	seen := make(map[string]int, len(values))
	for _, v := range values {
		seen[v]++
	}
	for v, n := range seen {
		if n*20 > len(values) && len(values) >= 100 {
			continue
		}
		s.add(field, v)
		for _, other := range spellings(kind, v) {
			s.add(field, other)
		}
	}
}

// spellings are other ways in which people write a value.
func spellings(kind Kind, v string) []string {
	var groups []int
	switch kind {
	case NIR:
		groups = []int{1, 2, 2, 2, 3, 3, 2}
	case Phone:
		groups = []int{2, 2, 2, 2, 2}
	case IBAN:
		groups = []int{4, 4, 4, 4, 4, 4, 4, 4, 4}
	default:
		return nil
	}
	bare := strings.Map(func(r rune) rune {
		if unicode.IsLetter(r) || unicode.IsDigit(r) {
			return r
		}
		return -1
	}, v)
	spaced, rest := "", bare
	for _, n := range groups {
		n = min(n, len(rest))
		spaced, rest = spaced+" "+rest[:n], rest[n:]
	}
	all := []string{bare, spaced + rest}
	if kind == NIR && len(bare) == 15 {
		all = append(all, bare[:13])
	}
	return all
}

// add makes the scan know a value, unless it names nobody.
func (s *Scan) add(field *ScannedField, value string) {
	var hash, start uint64
	words, letters, digits := 0, 0, 0
	for rest := []byte(value); words < maxWords; words++ {
		word, after := nextWord(rest)
		if word == nil {
			break
		}
		h := s.hash(word)
		if words == 0 {
			start = h
		}
		hash = join(hash, h)
		for _, c := range word {
			if c >= '0' && c <= '9' {
				digits++
			} else {
				letters++
			}
		}
		rest = after
	}
	switch {
	case letters == 0 && digits < 7, letters+digits < 4:
		return
	case letters < 4 && digits < 4:
		return
	}
	s.starts.add(start)
	s.ends.add(hash)
	s.whole[hash] = field
}

// Look reads whole rows of a table, as COPY writes them, but for the columns that
// are public. The error is a [*Leak].
func (s *Scan) Look(t *TablePlan, rows []byte) error {
	public := false
	for i := range t.Columns {
		public = public || t.Columns[i].Rule.Kind == Public
	}
	if !public {
		return s.look(t, rows)
	}
	for field := 0; len(rows) > 0; {
		end := bytes.IndexAny(rows, "\t\n")
		if end < 0 {
			end = len(rows) - 1
		}
		if field >= len(t.Columns) || t.Columns[field].Rule.Kind != Public {
			if err := s.look(t, rows[:end]); err != nil {
				return err
			}
		}
		field++
		if rows[end] == '\n' {
			field = 0
		}
		rows = rows[end+1:]
	}
	return nil
}

func (s *Scan) look(t *TablePlan, rows []byte) error {
	s.words = s.words[:0]
	for i := 0; i < len(rows); {
		c := rows[i]
		if lower[c] == 0 {
			if c == '\t' || c == '\n' {
				s.words = s.words[:0]
			}
			i++
			continue
		}
		from := i
		h := s.seed
		for ; i < len(rows); i++ {
			c := lower[rows[i]]
			if c == 0 {
				break
			}
			h = (h ^ uint64(c)) * prime
		}
		hash := finish(h)
		// After a backslash the first letter may belong to that, as in \n, or to the
		// word, as in C:\\names.
		if from > 0 && rows[from-1] == '\\' && i-from > 1 {
			if field := s.word(s.hash(rows[from+1:i]), hash); field != nil {
				return &Leak{field, name(t)}
			}
			continue
		}
		if len(s.words) == 0 && !s.starts.has(hash) {
			continue // the most of all words
		}
		if field := s.word(hash, hash); field != nil {
			return &Leak{field, name(t)}
		}
	}
	return nil
}

// word takes the hash of the next word of a field, and what else it may be, and
// returns whose value ends with it.
func (s *Scan) word(hash, other uint64) *ScannedField {
	open := len(s.words)
	kept := 0
	for _, was := range s.words[:open] {
		now := window{join(was.hash, hash), was.n + 1}
		if field := s.value(now.hash); field != nil {
			return field
		}
		if hash != other {
			if field := s.value(join(was.hash, other)); field != nil {
				return field
			}
		}
		if now.n < maxWords {
			s.words[kept] = now
			kept++
		}
	}
	s.words = s.words[:kept]
	if field := s.begin(hash); field != nil || hash == other {
		return field
	}
	return s.begin(other)
}

// begin takes a word as the first of a value.
func (s *Scan) begin(hash uint64) *ScannedField {
	if !s.starts.has(hash) {
		return nil
	}
	now := window{join(0, hash), 1}
	s.words = append(s.words, now)
	return s.value(now.hash)
}

func (s *Scan) value(hash uint64) *ScannedField {
	if !s.ends.has(hash) {
		return nil
	}
	return s.whole[hash]
}

const prime = 0x9e3779b97f4a7c15

func join(hash, word uint64) uint64 { return finish((hash ^ word) * prime) }

func finish(h uint64) uint64 { return h ^ h>>29 }

// hash is that of a word, in lower case.
func (s *Scan) hash(word []byte) uint64 {
	h := s.seed
	for _, c := range word {
		h = (h ^ uint64(lower[c])) * prime
	}
	return finish(h)
}

// lower are the bytes that words are made of, in lower case: ASCII's letters and
// digits, and all that is not ASCII. Others are 0. À to Þ end in 0x80 to 0x9e in
// UTF-8; that the same is done to other characters makes the scan see some words
// as one that are not.
var lower = func() (table [256]byte) {
	for i := range table {
		switch c := byte(i); {
		case c >= 'A' && c <= 'Z':
			table[c] = c + 'a' - 'A'
		case c >= 0x80 && c <= 0x9e:
			table[c] = c + 0x20
		case c >= utf8.RuneSelf, c >= '0' && c <= '9', c >= 'a' && c <= 'z':
			table[c] = c
		}
	}
	return table
}()

// nextWord returns the first word of text, nil if it has none, and what follows.
func nextWord(text []byte) (word, after []byte) {
	from := 0
	for from < len(text) && lower[text[from]] == 0 {
		from++
	}
	to := from
	for to < len(text) && lower[text[to]] != 0 {
		to++
	}
	if from == to {
		return nil, nil
	}
	return text[from:to], text[to:]
}
