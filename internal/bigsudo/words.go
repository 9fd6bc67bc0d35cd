package bigsudo

import (
	"fmt"
	"strings"

	"mvdan.cc/sh/v3/expand"
	"mvdan.cc/sh/v3/syntax"
)

// Words splits line into words as a shell does it, quotes and backslashes
// included, and expands nothing: $NAME, $(command), ~ and * stay as written.
// What a shell would take for something else than words (; | & < > ( ) # at
// their beginning) is an error where it is not quoted.
func Words(line string) ([]string, error) {
	if i := strings.IndexByte(line, 0); i >= 0 {
		return nil, fmt.Errorf("a NUL byte can't be in a word")
	}
	var words []string
	end := 0
	parser := syntax.NewParser(syntax.Variant(syntax.LangBash))
	for word, err := range parser.WordsSeq(strings.NewReader(line)) {
		if err != nil {
			return nil, fmt.Errorf("%q can't be split into words: %w\n"+
				"hint: quote what is meant as it is, 'like this'", line, err)
		}
		start := int(word.Pos().Offset())
		if err := blank(line[end:start]); err != nil {
			return nil, err
		}
		end = int(word.End().Offset())
		words = append(words, unquote(line, word.Parts, false))
	}
	return words, blank(line[end:])
}

// blank returns an error if gap, which is between two words, has a comment: what
// is left out must not be left out silently.
func blank(gap string) error {
	if text := strings.TrimSpace(strings.ReplaceAll(gap, "\\\n", "")); text != "" {
		return fmt.Errorf("%q is a comment to a shell\nhint: quote it, 'like this'", text)
	}
	return nil
}

// unquote returns what the parts of a word of line mean.
func unquote(line string, parts []syntax.WordPart, inQuotes bool) string {
	var text strings.Builder
	for _, part := range parts {
		switch part := part.(type) {
		case *syntax.Lit:
			text.WriteString(unescape(part.Value, inQuotes))
		case *syntax.SglQuoted:
			text.WriteString(single(part))
		case *syntax.DblQuoted:
			text.WriteString(unquote(line, part.Parts, true))
		default: // what a shell would expand
			text.WriteString(line[part.Pos().Offset():part.End().Offset()])
		}
	}
	return text.String()
}

// single returns what 'text' or $'text' means.
func single(part *syntax.SglQuoted) string {
	if !part.Dollar {
		return part.Value
	}
	text, _, _ := expand.Format(nil, part.Value, nil)
	text, _, _ = strings.Cut(text, "\x00") // as Bash has it
	return text
}

// unescape removes the backslashes that quote: between double quotes they do so
// only before $ ` " \ and the end of a line (POSIX, Shell Command Language, 2.2.3).
func unescape(text string, inQuotes bool) string {
	var out strings.Builder
	for i := 0; i < len(text); i++ {
		if text[i] == '\\' && i+1 < len(text) && (!inQuotes || strings.IndexByte("$`\"\\\n", text[i+1]) >= 0) {
			i++
			if text[i] == '\n' {
				continue
			}
		}
		out.WriteByte(text[i])
	}
	return out.String()
}
