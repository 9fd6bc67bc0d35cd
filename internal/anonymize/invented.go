package anonymize

import (
	"fmt"
	"regexp"
	"strings"
)

// oneSyllable matches what [syllable] makes.
const oneSyllable = "(?:[" + onsets + "][" + vowels + "])"

var (
	// inventedWord is a word of a name, a town, an address or a text that was invented, in lower case.
	inventedWord = regexp.MustCompile("^(?:" + strings.Join([]string{
		oneSyllable + "{2}[" + onsets + "](?:" + string(endMan) + "|" + string(endWoman) + ")",
		oneSyllable + "{3}(?:" + string(endFamily) + "|" + string(endTown) + ")",
		strings.ReplaceAll(fillers, " ", "|"), streetWord, "(?:xy)+x?",
	}, "|") + ")$")
	// inventedEmail is what [emailFaker] makes: where there is room for names, the suffix is whole.
	inventedEmail = regexp.MustCompile(fmt.Sprintf(`^(?:[a-z.]+\.[%[1]s]{%[2]d}|[%[1]s]{1,%[2]d})%[3]s$`,
		alphabet, suffixLen, regexp.QuoteMeta(mailDomain)))
)

// longestPostCode is how many digits may be a post code's: a telephone number with its country, 0033 and nine digits,
// begins with 00 too, and has more.
const longestPostCode = 10

// invented reports whether a value has the form of what a kind of rule makes, which nothing has that is anybody's. A
// database that was anonymised is copied, too: staging to a developer's machine. There the values are fakes, of which
// there are only so many, and some of them come again as somebody else's.
func invented(kind Kind, value string) bool {
	value = strings.ToLower(strings.Trim(value, " "))
	switch kind {
	case Email:
		return inventedEmail.MatchString(value)
	case Phone:
		return fictional(value)
	case Address:
		if len(value) <= longestPostCode && strings.HasPrefix(value, "00") && allDigits([]byte(value)) {
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
	digits := compact(nil, []byte(number))
	if len(digits) < 9 || !allDigits(digits) {
		return false
	}
	digits = digits[len(digits)-9:] // behind 0, 33, 0033
	return strings.HasPrefix(string(digits), fiction[digits[0]-'0'])
}

// templated returns what reports whether a value is one that a template of the table's makes, as far as that can be
// told without its row: where it is of numbers, UUIDs and what is invented.
func (t *TablePlan) templated(template string) func(value string) bool {
	parts, err := parseTemplate(template, t.number)
	if err != nil { // the plan would not have been made
		return func(string) bool { return false }
	}
	form := "(?is)^"
	var kinds []Kind // of what is in parentheses
	for _, p := range parts {
		if p.text != "" {
			form += regexp.QuoteMeta(p.text)
			continue
		}
		c := &t.Columns[p.column]
		switch typeOf(c.Type, c.Length).class {
		case integerClass:
			form += `-?\d+`
		case uuidClass:
			form += uuidForm
		default:
			form += "(.*)"
			kinds = append(kinds, c.Rule.Kind)
		}
	}
	pattern := regexp.MustCompile(form + "$")
	return func(value string) bool {
		found := pattern.FindStringSubmatch(value)
		if found == nil {
			return false
		}
		for i, kind := range kinds {
			if !invented(kind, found[i+1]) {
				return false
			}
		}
		return true
	}
}
