package anonymize

import (
	"bytes"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Scan looks for real values in what is about to leave: it is what still stands
// when a rule, or this package, is wrong. It learns values of the columns that
// are anonymised, and then reads all of what comes out, as rows of COPY, word by
// word: letter case and what stands between words do not matter.
//
// It looks where a person would, too: what is escaped, or in base64, or pickled in
// that, is read as well.
//
// It keeps no value, only hashes under a seed of its own that dies with it.
//
// Every day of a century is somebody's birthday, so these are looked for only in
// what is kept of text and documents. That no date stays as it is, the filter sees
// to. What names nobody is not learnt: words of less than 4 letters, numbers of
// less than 7 digits, values that more than one row in 20 has, and fakes, where what
// is copied is a copy itself. Nor is a short hash looked at in the column that it is
// the fake of: of a million of them some are by chance what somebody else has.
type Scan struct {
	seed   uint64
	values dictionary
	dates  dictionary
	mixed  []int // where words of the text are that base64 could be

	nobody map[uint64]bool // texts that are kept anyway, and words of which names are made
	fixed  map[uint64]bool // texts that the rules put in the place of values
	schema bool            // it is to read a schema
}

// dictionary is what is known, by the hashes of its words.
type dictionary struct {
	starts hashes                   // the hashes of first words
	ends   hashes                   // the hashes of values, to be asked before whole
	whole  map[uint64]*ScannedField // the same
	words  []window                 // what may go on with the next word
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
	In string        // the table in which it was met, or the part of the schema

	schema bool
}

// Error names the two columns.
func (l *Leak) Error() string {
	hint := fmt.Sprintf("a rule lets it through: look at what %s says; what everybody may know is public", l.In)
	if l.schema {
		hint = "change it in the database: a schema is copied as it is"
	}
	return fmt.Sprintf("a real value of %s was about to leave in %s\nhint: %s", l.Of, l.In, hint)
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
	s := &Scan{seed: rand.Uint64(), nobody: map[uint64]bool{}, fixed: map[uint64]bool{}}
	s.values.whole, s.dates.whole = map[uint64]*ScannedField{}, map[uint64]*ScannedField{}
	return s
}

// NewSchemaScan returns a Scan for the text of a schema, where the words that names
// of tables and columns are made of, and SQL's, are nobody's name.
func NewSchemaScan() *Scan {
	s := NewScan()
	s.schema = true
	s.Names("add alter array as bigint boolean btree by cache character check collate column comment constraint create" +
		" data database date default deferrable deferred domain double dump enum extension foreign function generated" +
		" grant identity increment index initially integer is jsonb key language local maxvalue minvalue name numeric" +
		" ops order owned owner parameters partition pattern postgresql precision primary procedure public references" +
		" return returns role rule schema security select sequence serial server smallint start table text time" +
		" timestamp timezone trigger type unique user using uuid value values varchar version view with without zone")
	return s
}

// Values returns how many values the scan knows.
func (s *Scan) Values() int { return len(s.values.whole) + len(s.dates.whole) }

// name is how rules call a table.
func name(t *TablePlan) string { return called(t.Schema + "." + t.Name) }

// Nobody makes the scan know texts that leave as they are, before it learns others:
// where one of these is a free text too, as the name of a template that a comment
// tells of, it is nobody's.
func (s *Scan) Nobody(texts []string) {
	for _, text := range texts {
		if hash, _, ok := s.known([]byte(text)); ok {
			s.nobody[hash] = true
		}
	}
}

// Fixed makes the scan know the texts that [Fixed] rules put in the place of values,
// before it learns these: a value that is the same says nothing of anybody, and
// leaves in every row.
func (s *Scan) Fixed(tables []TablePlan) {
	var know func(Rule)
	know = func(r Rule) {
		if hash, _, ok := s.known([]byte(r.Text)); ok && r.Kind == Fixed {
			s.fixed[hash] = true
		}
		for _, below := range r.Paths {
			know(below)
		}
	}
	for _, t := range tables {
		for _, c := range t.Columns {
			know(c.Rule)
		}
	}
}

// Names does the same as Nobody for the words in names of tables and columns: a comment may
// be a list of them.
func (s *Scan) Names(names ...string) {
	for _, name := range names {
		for word, rest := nextWord([]byte(name)); word != nil; word, rest = nextWord(rest) {
			s.nobody[s.hash(word)] = true
		}
	}
}

// nobodys reports whether a free text is nobody's.
func (s *Scan) nobodys(text string) bool {
	if hash, _, ok := s.known([]byte(text)); ok && s.nobody[hash] {
		return true
	}
	for word, rest := nextWord([]byte(text)); word != nil; word, rest = nextWord(rest) {
		if !s.nobody[s.hash(word)] {
			return false
		}
	}
	return true
}

// Learn takes a sample of the real values of a table's column, as they are and
// not as COPY writes them.
func (s *Scan) Learn(t *TablePlan, column *ColumnPlan, values []string) {
	table := name(t)
	class := typeOf(column.Type, column.Length).class
	if column.Rule.Kind != BirthDate && (class == dateClass || class == timestampClass) {
		return // nobody is known by a day but that of his birth
	}
	if column.Rule.Kind == Template {
		values = slices.DeleteFunc(slices.Clone(values), t.templated(column.Rule.Text))
	}
	if column.Rule.Kind != JSON {
		s.learn(&ScannedField{table, column.Name, ""}, column.Rule.Kind, values)
		return
	}
	byPath := map[string][]string{}
	for _, v := range values {
		if doc, ok := document(v); ok {
			leaves(doc, "", byPath)
		}
	}
	for path, values := range byPath {
		s.learn(&ScannedField{table, column.Name, path}, kindAt(column.Rule.Paths, path), values)
	}
}

// document reads a JSON document, whose numbers stay as they are written.
func document(text string) (doc any, ok bool) {
	decoder := json.NewDecoder(strings.NewReader(text))
	decoder.UseNumber()
	return doc, decoder.Decode(&doc) == nil
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
	case Keep, Public, "":
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
		if (kind == FreeText || s.schema) && s.nobodys(v) {
			continue
		}
		if invented(kind, v) {
			continue
		}
		if kind == BirthDate {
			for _, day := range days(v) {
				s.add(&s.dates, field, day)
			}
			continue
		}
		s.add(&s.values, field, v)
		for _, other := range spellings(kind, v) {
			s.add(&s.values, field, other)
		}
	}
}

// days are the two ways in which people write a day.
func days(v string) []string {
	d, ok := parseDate(trim([]byte(v)))
	if !ok {
		return nil
	}
	year, month, day := civil(d.day)
	return []string{fmt.Sprintf("%04d-%02d-%02d", year, month, day), fmt.Sprintf("%02d/%02d/%04d", day, month, year)}
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
	switch {
	case kind == NIR && len(bare) == 15:
		all = append(all, bare[:13])
	case kind == NIR && len(bare) == 13:
		if key, ok := nirKey(bare); ok {
			all = append(all, bare+key)
		}
	}
	return all
}

// add makes a dictionary know a value, unless it names nobody.
func (s *Scan) add(d *dictionary, field *ScannedField, value string) {
	hash, start, ok := s.known([]byte(value))
	if !ok || s.fixed[hash] {
		return
	}
	d.starts.add(start)
	d.ends.add(hash)
	d.whole[hash] = field
}

// known returns the hash by which a value is known, and that of its first word; ok
// is false where it is too short to name anybody.
func (s *Scan) known(value []byte) (hash, start uint64, ok bool) {
	words, letters, digits := 0, 0, 0
	for rest := asBlanks(value); words < maxWords; words++ {
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
	case letters == 0 && digits < 7, letters+digits < 4, letters < 4 && digits < 4:
		return 0, 0, false
	}
	return hash, start, true
}

// Look reads whole rows of a table, as COPY writes them, but for the columns that
// are public. The error is a [*Leak].
func (s *Scan) Look(t *TablePlan, rows []byte) error {
	in, alike, dates := name(t), true, make([]bool, len(t.Columns))
	for i := range t.Columns {
		dates[i] = s.datable(&t.Columns[i])
		alike = alike && t.Columns[i].Rule.Kind != Public && !dates[i]
	}
	if alike {
		return s.read(in, rows, t.Columns, false, 0)
	}
	for field := 0; len(rows) > 0; {
		end := bytes.IndexAny(rows, "\t\n")
		if end < 0 {
			end = len(rows) - 1
		}
		if field >= len(t.Columns) {
			return fmt.Errorf("a row of %s has more fields than the table has columns", in)
		}
		if t.Columns[field].Rule.Kind != Public {
			if err := s.read(in, rows[:end], t.Columns[field:field+1], dates[field], 0); err != nil {
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

// LookAt reads a text. in says what it is. The error is a [*Leak].
func (s *Scan) LookAt(in string, text []byte) error { return s.read(in, text, nil, true, 0) }

// datable reports whether a birth date in a column would be a real one: not where
// fakes of such are written, nor other days.
func (s *Scan) datable(c *ColumnPlan) bool {
	if len(s.dates.whole) == 0 {
		return false
	}
	switch class := typeOf(c.Type, c.Length).class; c.Rule.Kind {
	case Keep:
		return class == textClass || class == jsonClass
	case JSON:
		for _, rule := range c.Rule.Paths {
			if rule.Kind == BirthDate {
				return false
			}
		}
		return true
	}
	return false
}

// maxDeep is how often what is in a text in another form is read for what is in
// that again.
const maxDeep = 3

// read looks for values in text, and in whatever of it is something else in another
// form; columns are those of the rows that it is, none where it is no rows; dates
// says whether for birth dates, too.
func (s *Scan) read(in string, text []byte, columns []ColumnPlan, dates bool, deep int) error {
	text = asBlanks(text)
	if dates {
		if field := s.look(&s.dates, text, columns); field != nil {
			return &Leak{field, in, s.schema}
		}
	}
	if field := s.look(&s.values, text, columns); field != nil {
		return &Leak{field, in, s.schema}
	}
	if deep == maxDeep {
		return nil
	}
	mixed := slices.Clone(s.mixed) // what is in this text has its own
	if plain := withoutEscapes(text); plain != nil {
		if !alikeRows(text, plain) {
			columns = nil
		}
		if err := s.read(in, plain, columns, dates, deep+1); err != nil {
			return err
		}
	}
	return decodings(text, mixed, func(other []byte) error { return s.read(in, other, nil, dates, deep+1) })
}

// alikeRows reports whether rows have as many fields without their escapes: a tab may have been one.
func alikeRows(rows, plain []byte) bool {
	return bytes.Count(rows, []byte{'\t'}) == bytes.Count(plain, []byte{'\t'}) &&
		bytes.Count(rows, []byte{'\n'}) == bytes.Count(plain, []byte{'\n'})
}

// look returns whose value is in the text.
func (s *Scan) look(d *dictionary, text []byte, columns []ColumnPlan) *ScannedField {
	d.words = d.words[:0]
	s.mixed = s.mixed[:0]
	for i := 0; i < len(text); {
		c := text[i]
		if lower[c] == 0 {
			if c == '\t' || c == '\n' {
				d.words = d.words[:0]
			}
			i++
			continue
		}
		from := i
		h := s.seed
		for ; i < len(text); i++ {
			c := lower[text[i]]
			if c == 0 {
				break
			}
			h = (h ^ uint64(c)) * prime
		}
		hash := finish(h)
		if i-from >= least && mixedCase(text[from:i]) {
			s.mixed = append(s.mixed, from)
		}
		// After a backslash the first letter may belong to that, as in \n, or to the
		// word, as in C:\\names.
		if from > 0 && text[from-1] == '\\' && i-from > 1 {
			if field := d.word(s.hash(text[from+1:i]), hash); field != nil {
				return field
			}
			continue
		}
		if len(d.words) == 0 && !d.starts.has(hash) {
			continue // the most of all words
		}
		if field := d.word(hash, hash); field != nil {
			if field != d.whole[join(0, hash)] || !chance(columns, text, from, i) {
				return field
			}
		}
	}
	return nil
}

// chance reports whether a word of rows is in a column whose fakes may be values by chance: there are only so many
// numbers of a few digits.
func chance(columns []ColumnPlan, rows []byte, from, to int) bool {
	column := bytes.Count(rows[bytes.LastIndexByte(rows[:from], '\n')+1:from], []byte{'\t'})
	if column >= len(columns) {
		return false
	}
	switch columns[column].Rule.Kind {
	case NIR:
		return allDigits(rows[from:to])
	case Hash:
		return to-from <= suffixLen
	}
	return false
}

// mixedCase reports whether a word has both a small letter and a capital that does
// not begin it.
func mixedCase(word []byte) bool {
	var upper, lower bool
	for i, c := range word {
		upper = upper || c >= 'A' && c <= 'Z' && i > 0
		lower = lower || c >= 'a' && c <= 'z'
	}
	return upper && lower
}

// word takes the hash of the next word of a field, and what else it may be, and
// returns whose value ends with it.
func (d *dictionary) word(hash, other uint64) *ScannedField {
	open := len(d.words)
	kept := 0
	for _, was := range d.words[:open] {
		now := window{join(was.hash, hash), was.n + 1}
		if field := d.value(now.hash); field != nil {
			return field
		}
		if hash != other {
			if field := d.value(join(was.hash, other)); field != nil {
				return field
			}
		}
		if now.n < maxWords {
			d.words[kept] = now
			kept++
		}
	}
	d.words = d.words[:kept]
	if field := d.begin(hash); field != nil || hash == other {
		return field
	}
	return d.begin(other)
}

// begin takes a word as the first of a value.
func (d *dictionary) begin(hash uint64) *ScannedField {
	if !d.starts.has(hash) {
		return nil
	}
	now := window{join(0, hash), 1}
	d.words = append(d.words, now)
	return d.value(now.hash)
}

func (d *dictionary) value(hash uint64) *ScannedField {
	if !d.ends.has(hash) {
		return nil
	}
	return d.whole[hash]
}

// asBlanks returns text with blanks for what is between words in French and is not
// ASCII: the blanks that do not break, guillemets, dashes, the apostrophe. To
// [lower] their bytes are letters. These are U+0080 to U+00BF and U+2000 to
// U+203F, of two bytes and of three, and as many blanks.
func asBlanks(text []byte) []byte {
	copied := false
	blank := func(at, n int) {
		if text[at+n-1]&0xc0 != 0x80 { // it is no UTF-8, of which this goes on a letter
			return
		}
		if !copied {
			text, copied = bytes.Clone(text), true
		}
		copy(text[at:at+n], "   ")
	}
	for at := 0; ; at += 2 {
		next := bytes.IndexByte(text[at:], 0xc2)
		if next < 0 || at+next+2 > len(text) {
			break
		}
		at += next
		blank(at, 2)
	}
	for at := 0; ; at += 3 {
		next := bytes.Index(text[at:], []byte("\xe2\x80"))
		if next < 0 || at+next+3 > len(text) {
			return text
		}
		at += next
		blank(at, 3)
	}
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
