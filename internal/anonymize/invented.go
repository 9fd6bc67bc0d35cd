package anonymize

import (
	"regexp"
	"strings"
)

// A database that was anonymised is copied, too: staging to a developer's machine. There the values are fakes, of
// which there are only so many, and some of them come again as somebody else's. The scan learns none of them: a fake
// has a form that nothing has that is anybody's.

// syllables is what stands for so many of [syllable] in a pattern, of which most are followed by a consonant.
const syllables = "(?:[" + onsets + "][" + vowels + "])"

// inventedWord is a word of a name, a town, an address or a text that was invented.
var inventedWord = regexp.MustCompile("^(?:" + strings.Join([]string{
	syllables + "{2}[" + onsets + "](?:" + string(endMan) + "|" + string(endWoman) + ")",
	syllables + "{3}(?:" + string(endFamily) + "|" + string(endTown) + ")",
	strings.ReplaceAll(fillers, " ", "|"), streetWord, "(?:xy)+x?",
}, "|") + ")$")

// invented reports whether a value is such a fake as a kind of rule makes.
func invented(kind Kind, value string) bool {
	value = strings.ToLower(strings.Trim(value, " "))
	switch kind {
	case Email:
		return strings.HasSuffix(value, mailDomain)
	case Phone:
		return fictional(value)
	case Address:
		if strings.HasPrefix(value, "00") && allDigits([]byte(value)) {
			return true
		}
	case FirstName, LastName, FullName, FreeText:
	default:
		return false
	}
	some := false
	for word, rest := nextWord([]byte(value)); word != nil; word, rest = nextWord(rest) {
		switch {
		case inventedWord.Match(word):
			some = true
		case kind != Address || !allDigits(word):
			return false
		}
	}
	return some
}

// fictional reports whether a telephone number is one of those that are kept for fiction.
func fictional(number string) bool {
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, number)
	if len(digits) < 9 {
		return false
	}
	digits = digits[len(digits)-9:] // behind 0, 33, 0033
	return strings.HasPrefix(digits, fiction[digits[0]-'0'])
}

// templated returns what reports whether a value is one that a template of a table's makes, as far as that can be told
// without its row: where it is of numbers, UUIDs and what is invented.
func (t *TablePlan) templated(template string) func(value string) bool {
	var form strings.Builder
	var kinds []Kind // of what is in parentheses
	parts, err := parseTemplate(template, func(name string) (int, error) { return t.number(name), nil })
	if err != nil {
		return func(string) bool { return false } // the plan would not have been made
	}
	form.WriteString("(?is)^")
	for _, p := range parts {
		if p.text != "" {
			form.WriteString(regexp.QuoteMeta(p.text))
			continue
		}
		c := &t.Columns[p.column]
		switch class := typeOf(c.Type, c.Length).class; {
		case class == integerClass:
			form.WriteString(`-?\d+`)
		case class == uuidClass:
			form.WriteString(`[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}`)
		default:
			form.WriteString(`(.*)`)
			kinds = append(kinds, c.Rule.Kind)
		}
	}
	pattern := regexp.MustCompile(form.String() + "$")
	return func(value string) bool {
		found := pattern.FindStringSubmatch(value)
		for i := range found {
			if i > 0 && !invented(kinds[i-1], found[i]) {
				return false
			}
		}
		return found != nil
	}
}
