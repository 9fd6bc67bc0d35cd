package anonymize

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// class is what a type's values look like.
type class int

const (
	otherClass class = iota
	textClass
	dateClass
	timestampClass
	integerClass
	numericClass
	floatClass
	boolClass
	uuidClass
	byteaClass
	jsonClass
	arrayClass
)

// columnType is what a filter has to know of a column's type.
type columnType struct {
	class   class
	name    string // for people
	max     int    // characters; 0 is no limit
	limit   uint64 // of integers
	scale   bool   // a numeric type that says how many digits it has behind the point
	element *columnType
}

var plainTypes = map[string]columnType{
	"text": {class: textClass}, "character varying": {class: textClass}, "citext": {class: textClass},
	"varchar": {class: textClass}, "character": {class: textClass}, "bpchar": {class: textClass},
	"name":                        {class: textClass, max: 63},
	"date":                        {class: dateClass},
	"timestamp without time zone": {class: timestampClass}, "timestamp with time zone": {class: timestampClass},
	"smallint": {class: integerClass, limit: math.MaxInt16}, "integer": {class: integerClass, limit: math.MaxInt32},
	"bigint":  {class: integerClass, limit: math.MaxInt64},
	"numeric": {class: numericClass},
	"real":    {class: floatClass}, "double precision": {class: floatClass},
	"boolean": {class: boolClass}, "uuid": {class: uuidClass}, "bytea": {class: byteaClass},
	"json": {class: jsonClass}, "jsonb": {class: jsonClass},
}

// modifier is what types have in parentheses: (70), (10,2), (3) in the midst of
// timestamp(3) with time zone.
var modifier = regexp.MustCompile(`\((\d+)(?:,(-?\d+))?\)`)

// typeOf reads a type as format_type writes it. Domains and enumerations are types
// of which nothing is known.
func typeOf(name string, length int) columnType {
	if element, ok := strings.CutSuffix(name, "[]"); ok {
		t := typeOf(strings.TrimSuffix(element, "[]"), length)
		return columnType{class: arrayClass, name: name, element: &t}
	}
	base, length2, scale := typeName(name), 0, false
	if m := modifier.FindStringSubmatch(name); m != nil {
		length2, _ = strconv.Atoi(m[1])
		scale = true
	}
	t := plainTypes[base]
	t.name = name
	switch {
	case t.class == numericClass:
		t.scale = scale
	case t.class == textClass && base == "character":
		t.max = cmp.Or(length, length2, 1)
	case t.class == textClass:
		t.max = cmp.Or(length, length2, t.max)
	}
	return t
}

// compiler makes the filter of a table.
type compiler struct {
	table  *TablePlan
	key    Key
	filter *Filter
	wide   bool // columns may be unique that aren't known to be
}

// Filter returns what filters the rows of the table. The error says all that does
// not fit: rules that can't make a value of their column's type, that would make
// NULL what must not be, or twice the same value where there may be one only.
func (t *TablePlan) Filter(key Key) (*Filter, error) { return t.compile(key, false) }

func (t *TablePlan) compile(key Key, wide bool) (*Filter, error) {
	f := &Filter{table: t.Schema + "." + t.Name, empty: t.Empty, ends: make([]int, len(t.Columns))}
	c := &compiler{table: t, key: key, filter: f, wide: wide}
	var problems []error
	keeps := -1 // where a stretch of columns that are kept begins
	for i := range t.Columns {
		plan := &t.Columns[i]
		wrong := func(path string, err error) {
			problems = append(problems, &columnError{f.table, plan, path, err})
		}
		col, err := c.column(plan, wrong)
		if err != nil {
			wrong("", err)
		}
		f.columns = append(f.columns, col)
		if col.how == keepIt && !t.Empty {
			if keeps < 0 {
				keeps = i
			}
			if i+1 < len(t.Columns) {
				continue
			}
			i++
		}
		if keeps >= 0 {
			f.steps = append(f.steps, step{keeps, i})
			keeps = -1
		}
		if col.how != keepIt {
			f.steps = append(f.steps, step{i, i + 1})
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	return f, nil
}

// columnError is why a rule can't be applied to a column, or to a path of documents in it.
type columnError struct {
	table  string
	column *ColumnPlan
	path   string
	err    error
}

// Error names the column.
func (e *columnError) Error() string { return e.table + "." + e.column.Name + ": " + e.problem() }

func (e *columnError) problem() string {
	if e.path == "" {
		return e.err.Error()
	}
	return e.path + ": " + e.err.Error()
}

// How a column is written.
type how byte

const (
	keepIt how = iota
	nullIt
	fixIt
	fakeIt
	fakeElements
	walkIt
)

// column is a column as it is filtered.
type column struct {
	how     how
	name    string
	faker   faker
	dirty   bool // what the faker makes has to be escaped
	empty   bool // it fakes the empty string, too
	sex     int  // the column that a sex comes from, or -1
	plain   []byte
	escaped []byte // plain, as COPY has it
	array   *arrayFaker
	json    *jsonFilter
}

// column compiles a column; of the paths of its documents wrong is told.
func (c *compiler) column(plan *ColumnPlan, wrong func(path string, err error)) (col column, err error) {
	col = column{name: plan.Name, sex: -1}
	rule, t := &plan.Rule, typeOf(plan.Type, plan.Length)
	if plan.Generated {
		return col, errors.New("is generated: it can't be copied")
	}
	switch rule.Kind {
	case Keep, Public:
		return col, nil
	case Null:
		if col.how = nullIt; plan.NotNull {
			return col, errors.New("null: the column is NOT NULL\nhint: fixed writes one value for all")
		}
		return col, nil
	case Fixed:
		col.how = fixIt
		col.plain = []byte(rule.Text)
		col.escaped = appendEscaped(nil, col.plain)
		if plan.Unique {
			return col, errors.New("fixed: the column is unique")
		}
		return col, fits(rule.Text, t)
	case JSON:
		col.how = walkIt
		if t.class != jsonClass && (t.class != textClass || t.max > 0) {
			return col, fmt.Errorf("json: the type is %s, not json, jsonb or text without a limit", t.name)
		}
		if plan.Unique {
			return col, errors.New("json: the column is unique")
		}
		col.json = &jsonFilter{root: &node{sex: -1}}
		for _, path := range sorted(rule.Paths) {
			if err := c.path(col.json, path, rule.Paths[path]); err != nil {
				wrong(path, err)
			}
		}
		return col, nil
	}
	if t.class == arrayClass {
		col.how = fakeElements
		if t.element.class == byteaClass || t.element.class == jsonClass || rule.Kind == Template {
			return col, fmt.Errorf("%s: nothing makes an element of %s", rule.Kind, t.name)
		}
		t = *t.element
	} else {
		col.how = fakeIt
	}
	if plan.Unique && col.how == fakeElements {
		return col, fmt.Errorf("%s: the column is unique\n"+
			"hint: there is no rule for arrays that have to stay unique but keep", rule.Kind)
	}
	unique := uniqueNo
	switch {
	case plan.Unique:
		unique = uniqueYes
	case plan.References != "" || c.wide:
		unique = uniqueMaybe
	}
	spelt := plan.spelt()
	if spelt&anyMarks != 0 && unique != uniqueNo {
		return col, fmt.Errorf("%s: %w", rule.Kind, errUnequal)
	}
	if col.sex, err = c.sexColumn(rule); err != nil {
		return col, err
	}
	if col.faker, err = c.faker(rule, t, unique); err != nil {
		return col, err
	}
	_, col.dirty = col.faker.(dirty)
	if col.empty = rule.Kind == Template; !col.empty {
		col.faker = newSpeltFaker(col.faker, spelt)
	}
	if col.how == fakeElements {
		col.array = &arrayFaker{element: col.faker}
	}
	return col, nil
}

// sexColumn returns the number of the column that a rule has a sex from, or -1.
func (c *compiler) sexColumn(rule *Rule) (int, error) {
	if rule.Sex == "" {
		return -1, nil
	}
	if rule.Kind != FirstName && rule.Kind != FullName {
		return -1, fmt.Errorf("%s: only names have a sex", rule.Kind)
	}
	if i, err := c.table.number(rule.Sex); err == nil {
		return i, nil
	}
	return -1, fmt.Errorf("%s: there is no column %s to have a sex from", rule.Kind, rule.Sex)
}

// number returns the number of a column of the table.
func (t *TablePlan) number(name string) (int, error) {
	if i := slices.IndexFunc(t.Columns, func(c ColumnPlan) bool { return c.Name == name }); i >= 0 {
		return i, nil
	}
	return -1, errors.New("there is no such column")
}

// Whether the fakes of a column have to differ wherever its values do.
const (
	uniqueNo    = iota
	uniqueMaybe // nobody knows, or it refers to a column where they have to
	uniqueYes
)

// sameFakes are the kinds that may make one fake of two values, and what is done to a
// column instead where they have to differ.
var sameFakes = map[Kind]string{
	FirstName: hashDiffers, LastName: hashDiffers, FullName: hashDiffers, Address: hashDiffers, FreeText: hashDiffers,
	Phone:     "there are only 10 000 numbers of each zone that are kept for fiction; " + hashDiffers,
	BirthDate: "null or keep",
}

const hashDiffers = "hash makes a different value of each"

// faker returns what makes the fakes of a rule for a type.
func (c *compiler) faker(rule *Rule, t columnType, unique int) (faker, error) {
	prf := func(purpose string) *prf { return newPRF(c.key, purpose) }
	same := func(hint string) error {
		return fmt.Errorf("%s: the column is unique, and two fakes may be the same\nhint: %s", rule.Kind, hint)
	}
	isText := t.class == textClass
	switch rule.Kind {
	case BirthDate:
		isText = isText || t.class == dateClass || t.class == timestampClass
	case UUID:
		isText = isText && (t.max == 0 || t.max >= 36) || t.class == uuidClass
	case Hash:
		return c.hash(t, unique, same)
	}
	if !isText {
		return nil, refused(rule.Kind, t)
	}
	if hint, ok := sameFakes[rule.Kind]; ok && unique == uniqueYes {
		return nil, same(hint)
	}
	switch rule.Kind {
	case FirstName:
		return remember(&nameFaker{first: prf("first name"), max: t.max}), nil
	case LastName:
		return remember(&nameFaker{last: prf("last name"), max: t.max}), nil
	case FullName:
		return remember(&nameFaker{first: prf("first name"), last: prf("last name"), max: t.max}), nil
	case Email:
		least := len(mailDomain) + 4
		if unique == uniqueYes {
			least = len(mailDomain) + suffixLen
		}
		if t.max > 0 && t.max < least {
			return nil, fmt.Errorf("email: needs %d characters, the type is %s\nhint: hash", least, t.name)
		}
		return &emailFaker{prf: prf("email"), max: t.max}, nil
	case Phone:
		return &phoneFaker{prf: prf("phone"), max: t.max}, nil
	case BirthDate:
		days := cmp.Or(rule.Days, defaultDays)
		if days < 0 || days > maxDays {
			return nil, fmt.Errorf("birthDate: days is %d, not 1 to %d", rule.Days, maxDays)
		}
		return remember(&dateFaker{prf: prf("birth date"), days: days, max: t.max, time: t.class == timestampClass}), nil
	case NIR:
		return &nirFaker{permutation: prf("nir"), malformed: prf("malformed nir"), max: t.max}, nil
	case IBAN:
		return &ibanFaker{prf: prf("iban"), max: t.max}, nil
	case Address:
		return remember(&addressFaker{prf: prf("address"), max: t.max}), nil
	case FreeText:
		return &textFaker{prf: prf("free text"), max: t.max}, nil
	case UUID:
		return &uuidFaker{prf: prf("uuid"), max: t.max}, nil
	case Template:
		return c.template(rule, t, unique)
	}
	return nil, fmt.Errorf("%q is no kind of rule", rule.Kind)
}

func refused(kind Kind, t columnType) error {
	return fmt.Errorf("%s: can't make a value of the type %s", kind, t.name)
}

// numbers is what hashes of numbers are made by, in whatever type these are.
func (c *compiler) numbers() digitPermutation {
	return digitPermutation{newPRF(c.key, "hash of a number"), newPRF(c.key, "hash of digits")}
}

// hash returns what makes hashes of a type; same is the error where they could be the same.
func (c *compiler) hash(t columnType, unique int, same func(hint string) error) (faker, error) {
	switch t.class {
	case textClass:
		if unique == uniqueYes && t.max > 0 && t.max < suffixLen {
			return nil, fmt.Errorf("hash: %s is unique, and too short for hashes that differ: %d characters are enough",
				t.name, suffixLen)
		}
		f := &hashFaker{prf: newPRF(c.key, "hash"), numbers: c.numbers(), max: t.max}
		if unique != uniqueNo {
			f.min = suffixLen
		}
		return f, nil
	case integerClass:
		return &numberFaker{numbers: c.numbers(), limit: t.limit}, nil
	case numericClass:
		if unique == uniqueYes && !t.scale {
			return nil, same("of a numeric type that says how many digits it has, each has a different one")
		}
		return &numberFaker{numbers: c.numbers(), free: !t.scale}, nil
	case floatClass:
		if unique == uniqueYes {
			return nil, same("keep")
		}
		return &numberFaker{numbers: c.numbers()}, nil
	case byteaClass:
		return &bytesFaker{newPRF(c.key, "hash of bytes")}, nil
	case uuidClass:
		return nil, errors.New("hash: a value of the type uuid can't be made\nhint: uuid")
	}
	return nil, refused(Hash, t)
}

func (c *compiler) template(rule *Rule, t columnType, unique int) (faker, error) {
	differs := false
	parts, err := parseTemplate(rule.Text, func(name string) (int, error) {
		i, err := c.table.number(name)
		if err != nil {
			return 0, err
		}
		col := &c.table.Columns[i]
		switch col.Rule.Kind {
		case Template, JSON:
			return 0, fmt.Errorf("is a %s itself", col.Rule.Kind)
		}
		if typeOf(col.Type, 0).class == arrayClass {
			return 0, errors.New("is an array")
		}
		// Columns that are unique stay so, or were refused.
		differs = differs || col.Unique
		return i, nil
	})
	if err != nil {
		return nil, fmt.Errorf("template: %w", err)
	}
	if unique == uniqueYes && !differs {
		return nil, errors.New("template: the column is unique, and no column in the template is\n" +
			"hint: put the primary key in")
	}
	return &templateFaker{parts: parts, filter: c.filter, max: t.max, strict: unique == uniqueYes}, nil
}

// path puts the rule of a path where it belongs in the tree of nodes.
func (c *compiler) path(f *jsonFilter, path string, rule Rule) error {
	n := f.root
	if path == "" {
		return errors.New("an empty path")
	}
	for _, name := range strings.Split(path, ".") {
		bare := strings.TrimRight(name, "[]")
		lists := name[len(bare):]
		if strings.Trim(lists, "[]") != "" || strings.Count(lists, "[]")*2 != len(lists) {
			return errors.New("not a path: names have dots between them, and [] behind where they are lists")
		}
		if bare == "" && (lists == "" || n != f.root) {
			return errors.New("a name is missing")
		}
		if bare != "" {
			i := n.child([]byte(bare))
			if i < 0 {
				i = len(n.children)
				n.children = append(n.children, child{bare, &node{sex: -1}})
			}
			n = n.children[i].node
		}
		for ; lists != ""; lists = lists[2:] {
			if n.element == nil {
				n.element = &node{sex: -1}
			}
			n = n.element
		}
	}
	text := columnType{class: textClass, name: "text"}
	switch rule.Kind {
	case Keep, Public:
		n.keep = true
		return nil
	case Null:
		n.null = true
		return nil
	case JSON:
		return errors.New("json: a document has no documents in it\nhint: name the paths below")
	case Fixed:
		n.leaf, n.fixed, n.dirty = fixedFaker(rule.Text), true, true
		f.dirty = true
		return nil
	case Template:
		n.dirty = true
		f.dirty = true
	case Hash:
		n.number = &numberFaker{numbers: c.numbers(), free: true}
	}
	var err error
	if rule.Sex != "" {
		if n.sex, err = c.sexColumn(&rule); err != nil {
			// Of the document, then.
			if rule.Kind != FirstName && rule.Kind != FullName || strings.Contains(rule.Sex, "[]") {
				return err
			}
			n.sexPath = f.sexAt(rule.Sex)
		}
	}
	n.leaf, err = c.faker(&rule, text, uniqueNo)
	return err
}

// sexAt returns the path of a sex, once for all that have it from there.
func (f *jsonFilter) sexAt(path string) *sexPath {
	for _, s := range f.sexes {
		if s.path == path {
			return s
		}
	}
	s := &sexPath{path: path}
	f.sexes = append(f.sexes, s)
	return s
}

// fixedFaker makes one value of all.
type fixedFaker string

func (fixedFaker) dirty() {}

func (f fixedFaker) fake(out, _ []byte, _ sex) []byte { return append(out, f...) }

// fits reports whether a fixed text is a value of a type, as far as that can be
// told from here.
func fits(text string, t columnType) error {
	ok := true
	switch t.class {
	case textClass:
		if t.max > 0 && utf8.RuneCountInString(text) > t.max {
			return fmt.Errorf("fixed: the text is longer than %s", t.name)
		}
		ok = utf8.ValidString(text) && !strings.ContainsRune(text, 0)
	case dateClass, timestampClass:
		d, isDate := parseDate([]byte(text))
		ok = isDate && d.year == 0 || text == "infinity" || text == "-infinity"
	case integerClass:
		n, err := strconv.ParseInt(text, 10, 64)
		ok = err == nil && (n >= 0 && uint64(n) <= t.limit || n < 0 && n >= -int64(t.limit)-1)
	case numericClass, floatClass:
		_, err := strconv.ParseFloat(text, 64)
		ok = err == nil && isNumber([]byte(text))
	case boolClass:
		ok = slices.Contains([]string{"t", "f", "true", "false"}, text)
	case uuidClass:
		ok = uuidText.MatchString(text)
	case byteaClass:
		ok = byteaText.MatchString(text)
	case jsonClass:
		ok = json.Valid([]byte(text))
	case arrayClass:
		_, ok = (&arrayFaker{element: fixedFaker("")}).append(nil, bytes.TrimSpace([]byte(text)), anybody)
	}
	if !ok {
		return fmt.Errorf("fixed: the text is no value of the type %s", t.name)
	}
	return nil
}

const uuidForm = `[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}`

var (
	uuidText  = regexp.MustCompile("^" + uuidForm + "$")
	byteaText = regexp.MustCompile(`^\\x([0-9A-Fa-f]{2})*$`)
)
