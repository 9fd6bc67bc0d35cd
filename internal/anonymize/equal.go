package anonymize

import (
	"bytes"
	"errors"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/cases"
	"golang.org/x/text/unicode/norm"
)

// What a database takes for equal has one fake, however it is spelt: keys and joins
// hold by what is equal. Of text that is only what has the same bytes; of some types
// and collations it is more.

// spelling is how values of a column that are equal may differ.
type spelling byte

const (
	sameBytes spelling = 0
	anyCase   spelling = 1 << iota // citext
	anyForm                        // a collation that tells neither cases nor ways to write a letter apart
	anyMarks                       // a collation of which no more is known
	padded                         // with spaces at the end: character(n)
)

// caseless is the locale of a nondeterministic collation whose equality is known:
// it has the root's, to the strength that is said. Without one, case counts.
var caseless = regexp.MustCompile(`^(und|root|[a-z]{2,3})?(-[A-Z]{2})?(-u-ks-level2|@colStrength=secondary)$`)

// spelt tells how equal values of a column may differ.
func (c *Column) spelt() spelling {
	base := typeName(strings.TrimRight(c.Type, "[]"))
	s := sameBytes
	switch {
	case c.Collation == "":
	case caseless.MatchString(c.Collation):
		s = anyForm
	default:
		s = anyMarks
	}
	switch base {
	case "citext":
		s |= anyCase
	case "character", "bpchar":
		s |= padded
	}
	return s
}

// typeName is a type without what is in parentheses, citext in whatever schema.
func typeName(name string) string {
	base := strings.TrimSpace(modifier.ReplaceAllString(name, ""))
	if i := strings.LastIndexByte(base, '.'); i >= 0 && strings.Trim(base[i+1:], `"`) == "citext" {
		return "citext" // an extension's
	}
	return base
}

// errUnequal is what is wrong with fakes in keys by whose collation nobody knows here
// what is equal.
var errUnequal = errors.New("its collation takes values for equal that are spelt differently, and it is in a key\n" +
	"hint: keep or null, or a collation of the locale und-u-ks-level2, which is known")

// speltFaker makes the same fake of all values that are equal.
type speltFaker struct {
	faker
	spelt  spelling
	folder cases.Caser
	form   []byte
}

func newSpeltFaker(f faker, s spelling) faker {
	if s == sameBytes {
		return f
	}
	return &speltFaker{faker: f, spelt: s, folder: cases.Fold()}
}

func (f *speltFaker) fake(out, in []byte, s sex) []byte {
	if f.spelt&padded != 0 {
		if in = bytes.TrimRight(in, " "); len(in) == 0 {
			return out
		}
	}
	switch {
	case f.spelt&anyMarks != 0:
		f.form = withoutMarks(f.form[:0], f.folder.Bytes(norm.NFKD.Bytes(in)))
		in = f.form
	case f.spelt&anyForm != 0:
		in = norm.NFC.Bytes(withoutIgnored(f.folder.Bytes(norm.NFKD.Bytes(in))))
	case f.spelt&anyCase != 0:
		f.form, _, _ = lowerCase(f.form[:0], in)
		in = f.form
	}
	if len(in) == 0 { // nothing that counts
		in = []byte{'x'}
	}
	return f.faker.fake(out, in, s)
}

// withoutIgnored returns text without the characters that no collation counts.
func withoutIgnored(text []byte) []byte {
	return bytes.Map(func(r rune) rune {
		if unicode.Is(unicode.Cf, r) {
			return -1
		}
		return r
	}, text)
}

// withoutMarks appends text, which is decomposed, without accents. What is between
// words stays, for the form of a number or a day.
func withoutMarks(out, text []byte) []byte {
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		switch {
		case unicode.Is(unicode.Mn, r), unicode.Is(unicode.Cf, r):
		case r == 'œ':
			out = append(out, "oe"...)
		case r == 'æ':
			out = append(out, "ae"...)
		case r == 'ø':
			out = append(out, 'o')
		case r == 'ß':
			out = append(out, "ss"...)
		default:
			out = utf8.AppendRune(out, r)
		}
	}
	return out
}
