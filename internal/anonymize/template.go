package anonymize

import (
	"errors"
	"fmt"
	"strings"
	"unicode"
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

// parseTemplate reads the text of a Template: column names in braces become what
// number returns for them.
func parseTemplate(text string, number func(name string) (int, error)) ([]part, error) {
	var parts []part
	literal := func(s string) {
		if n := len(parts); n > 0 && parts[n-1].text != "" {
			parts[n-1].text += s
		} else if s != "" {
			parts = append(parts, part{text: s})
		}
	}
	for text != "" {
		i := strings.IndexAny(text, "{}")
		if i < 0 {
			literal(text)
			break
		}
		literal(text[:i])
		text = text[i:]
		if len(text) > 1 && text[1] == text[0] { // {{, and }} for those who expect it
			literal(text[:1])
			text = text[2:]
			continue
		}
		if text[0] == '}' { // {{ is a brace, so } is one, too
			literal("}")
			text = text[1:]
			continue
		}
		end := strings.IndexByte(text, '}')
		if end < 0 {
			return nil, errors.New("a { without a }\nhint: {{ is a brace")
		}
		name, how, _ := strings.Cut(text[1:end], "|")
		if how != "" && how != "lower" && how != "slug" {
			return nil, fmt.Errorf("{%s|%s}: there are only lower and slug", name, how)
		}
		n, err := number(name)
		if err != nil {
			return nil, fmt.Errorf("{%s}: %w", name, err)
		}
		parts = append(parts, part{column: n, how: how})
		text = text[end+1:]
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
	start := len(out)
	gap := false
	add := func(c byte) {
		if gap && len(out) > start {
			out = append(out, '-')
		}
		gap = false
		out = append(out, c)
	}
	ascii := true
	for _, c := range text {
		ascii = ascii && c < utf8.RuneSelf
	}
	if !ascii {
		text = norm.NFKD.Bytes(text)
	}
	for len(text) > 0 {
		r, n := utf8.DecodeRune(text)
		text = text[n:]
		switch r = unicode.ToLower(r); {
		case r >= 'a' && r <= 'z' || r >= '0' && r <= '9':
			add(byte(r))
		case r == 'œ':
			add('o')
			add('e')
		case r == 'æ':
			add('a')
			add('e')
		case r == 'ß':
			add('s')
			add('s')
		case unicode.Is(unicode.Mn, r): // an accent
		default:
			gap = true
		}
	}
	return out
}
