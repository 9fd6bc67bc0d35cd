package stack

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode"
)

// envFile is an env_file or label_file that is being read. It goes by Compose's
// grammar (compose-go, package dotenv), so that what a container gets is what
// Compose would give it. It differs where Compose goes on with what nobody meant:
// a variable without a value is an error, and so is a value without a name.
//
// It is read here and not by that package, which shows values in its errors and
// in its log. A fuzz test holds that both read the same.
type envFile struct {
	// get returns what the variables of the file stand for, from elsewhere.
	get func(name string) (string, bool)
	// vars has what was there before, which is what the file's variables stand for
	// too, and gets what is read.
	vars map[string]string

	line int
	errs []error
}

// readDotenv reads text as Compose does an env file without a format. The error
// names lines and variables, and never shows what is in the file.
func (f *envFile) readDotenv(text string) error {
	f.line = 1
	rest := strings.TrimPrefix(text, "\uFEFF")
	for {
		if rest = f.statement(rest); rest == "" {
			return errors.Join(f.errs...)
		}
		name, value, found, err := f.name(rest)
		if err != nil {
			return errors.Join(append(f.errs, err)...)
		}
		if !found {
			f.bare(name)
			rest = value
			continue
		}
		if rest, err = f.value(name, value); err != nil {
			return errors.Join(append(f.errs, err)...)
		}
	}
}

// readRaw reads text as Compose does an env file whose format is raw: what is
// behind the = is the value (docker/cli, package kvfile).
func (f *envFile) readRaw(text string) error {
	for text := range strings.Lines(strings.TrimPrefix(text, "\uFEFF")) {
		f.line++
		line := strings.TrimLeftFunc(strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r"), unicode.IsSpace)
		if line == "" || line[0] == '#' {
			continue
		}
		name, value, found := strings.Cut(line, "=")
		switch {
		case name == "":
			f.errs = append(f.errs, f.errorf("there is no name of a variable"))
		case strings.ContainsFunc(name, unicode.IsSpace):
			f.errs = append(f.errs, f.errorf("a name has no blank in it"))
		case found:
			f.set(name, value)
		default:
			f.bare(name)
		}
	}
	return errors.Join(f.errs...)
}

// errorf returns an error about the line that is being read.
func (f *envFile) errorf(format string, args ...any) error {
	return fmt.Errorf("line %d: %w", f.line, fmt.Errorf(format, args...))
}

// set has the name mean the value from now on.
func (f *envFile) set(name, value string) {
	if !isText(value) {
		f.errs = append(f.errs, f.errorf("%s holds bytes that are no UTF-8 text", name))
		return
	}
	f.vars[name] = value
}

// bare passes a variable on that the file names without a value, if it has one.
func (f *envFile) bare(name string) {
	if value, ok := f.get(name); ok {
		f.set(name, value)
	}
}

// statement returns what follows blanks and comments.
func (f *envFile) statement(text string) string {
	for {
		start := strings.IndexFunc(text, func(r rune) bool {
			if r == '\n' {
				f.line++
			}
			return !unicode.IsSpace(r)
		})
		if start < 0 {
			return ""
		}
		text = text[start:]
		if text[0] != '#' {
			return text
		}
		end := strings.IndexByte(text, '\n')
		if end < 0 {
			return ""
		}
		text = text[end:]
	}
}

var exportWord = regexp.MustCompile(`^export\s+`)

// name returns the name that text begins with, and what follows the = or : behind
// it. Where the line ends without one, it was not found, and what follows is the
// rest of the file.
func (f *envFile) name(text string) (name, rest string, found bool, err error) {
	if exportWord.MatchString(text) {
		text = strings.TrimLeftFunc(strings.TrimPrefix(text, "export"), isBlank)
	}
	end := strings.IndexFunc(text, func(r rune) bool {
		return !isBlank(r) && !strings.ContainsRune("_.-[]", r) && !unicode.IsLetter(r) && !unicode.IsNumber(r)
	})
	switch {
	case end < 0:
		name, rest = text, ""
	case text[end] == '\n':
		name, rest = text[:end], text[end:]
	case text[end] == '=' || text[end] == ':':
		name, rest, found = text[:end], strings.TrimLeftFunc(text[end+1:], isBlank), true
	default:
		return "", "", false, f.errorf("no NAME=VALUE: a name has letters, digits and _ . - [ ]")
	}
	name = strings.TrimRightFunc(name, unicode.IsSpace)
	switch {
	case strings.ContainsFunc(name, unicode.IsSpace):
		err = f.errorf("a name has no blank in it")
	case name == "":
		err = f.errorf("there is no name of a variable")
	}
	return name, rest, found, err
}

// isBlank reports whether r is a blank that ends no line.
func isBlank(r rune) bool {
	return slices.Contains([]rune{'\t', '\v', '\f', '\r', ' ', 0x85, 0xA0}, r)
}

// value has the name mean the value that text begins with, and returns what follows it.
func (f *envFile) value(name, text string) (rest string, err error) {
	if text == "" || text[0] != '"' && text[0] != '\'' {
		value, rest, ended := strings.Cut(text, "\n")
		value, _, _ = strings.Cut(value, " #")
		f.expand(name, strings.TrimRightFunc(value, unicode.IsSpace))
		if ended {
			f.line++
		}
		return rest, nil
	}
	quote := text[0]
	var value []byte
	escaped := false
	lines := 0
	for i := 1; i < len(text); i++ {
		c := text[i]
		if c == '\n' {
			lines++
		}
		switch {
		case c == quote && !escaped:
			if quote == '"' {
				f.expand(name, unescape(string(value)))
			} else {
				f.set(name, string(value))
			}
			f.line += lines
			return text[i+1:], nil
		case c == '\\' && !escaped:
			escaped = true
			continue
		case escaped && c != quote:
			value = append(value, '\\')
		}
		escaped = false
		value = append(value, c)
	}
	return "", f.errorf("%s: the quote does not end", name)
}

// expand has the name mean the value with its variables replaced.
func (f *envFile) expand(name, value string) {
	e := expansion{get: func(name string) (string, bool) {
		if value, ok := f.get(name); ok {
			return value, true
		}
		value, ok := f.vars[name]
		return value, ok
	}}
	text := e.text(value)
	if len(e.missing)+len(e.errs) > 0 { // which hold a part of the value
		f.errs = append(f.errs, f.errorf("%s: a $ in it begins no variable that has a value\n"+
			"hint: a literal $ is written $$, and between '…' all is literal", name))
		return
	}
	f.set(name, text)
}

var escapeSequence = regexp.MustCompile(`\\(?:[abcfnrtv$"\\]|0\d{0,3})`)

// unescape replaces the escape sequences between double quotes. A \$ becomes $$,
// which is no variable.
func unescape(text string) string {
	return escapeSequence.ReplaceAllStringFunc(text, func(sequence string) string {
		if sequence == `\$` {
			return "$$"
		}
		if digits, octal := strings.CutPrefix(sequence, `\0`); octal {
			sequence = `\` + digits
		}
		r, _, _, err := strconv.UnquoteChar(sequence, '"')
		if err != nil {
			return sequence
		}
		return string(r)
	})
}
