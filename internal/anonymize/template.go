package anonymize

import (
	"bytes"
	"errors"
	"fmt"
	"regexp"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// templateFaker makes a value of those that other columns of the row get.
type templateFaker struct {
	parts  []part
	filter *Filter
	max    int
	strict bool   // to cut it is not allowed
	cut    bool   // it was
	value  []byte // of the column that is put in
}

func (*templateFaker) dirty() {}

// part is a piece of a template: a text, or a column.
type part struct {
	text   string
	column int // where text is ""
	how    string
}

// token is a piece of the text of a Template: {{ is a brace, so } is one, too, and }}
// for those who expect it.
var token = regexp.MustCompile(`\{\{|\}\}?|\{([^}|]*)(?:\|([^}]*))?\}|[^{}]+|\{`)

// parseTemplate reads the text of a Template: column names in braces become what
// number returns for them.
func parseTemplate(text string, number func(name string) (int, error)) ([]part, error) {
	var parts []part
	for _, m := range token.FindAllStringSubmatch(text, -1) {
		switch text, name, how := m[0], m[1], m[2]; {
		case text == "{":
			return nil, errors.New("a { without a }\nhint: {{ is a brace")
		case text[0] != '{' && text[0] != '}':
			parts = append(parts, part{text: text})
		case len(text) < 3 && text != "{}":
			parts = append(parts, part{text: text[:1]})
		case how != "" && how != "lower" && how != "slug":
			return nil, fmt.Errorf("{%s|%s}: there are only lower and slug", name, how)
		default:
			n, err := number(name)
			if err != nil {
				return nil, fmt.Errorf("{%s}: %w", name, err)
			}
			parts = append(parts, part{column: n, how: how})
		}
	}
	return parts, nil
}

func (f *templateFaker) fake(out, _ []byte, _ sex) []byte {
	start := len(out)
	f.cut = false
	for _, p := range f.parts {
		if p.text != "" {
			out = append(out, p.text...)
			continue
		}
		f.value = f.filter.becomes(f.value[:0], p.column)
		switch p.how {
		case "lower":
			out, _, _ = lowerCase(out, f.value)
		case "slug":
			out = slug(out, f.value)
		default:
			out = append(out, f.value...)
		}
	}
	if f.max > 0 {
		n := 0
		for i := start; i < len(out); n++ {
			if n == f.max {
				f.cut = true
				return out[:i]
			}
			_, size := utf8.DecodeRune(out[i:])
			i += size
		}
	}
	return out
}

// slug appends text in lower case without accents, with one - for whatever is
// neither letter nor digit, and none at either end.
func slug(out, text []byte) []byte {
	plain := withoutMarks(nil, norm.NFKD.Bytes(bytes.ToLower(text)))
	words := bytes.FieldsFunc(plain, func(r rune) bool { return (r < 'a' || r > 'z') && (r < '0' || r > '9') })
	return append(out, bytes.Join(words, []byte{'-'})...)
}
