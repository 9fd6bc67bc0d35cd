package instance

import (
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	"github.com/joho/godotenv"
)

// Fault is what keeps a variable of an env file from being read.
type Fault struct {
	Line   int    // where the variable begins, counted from 1
	Reason string // follows "line N" in a sentence; holds nothing of the file
	Hint   string // how to write it
}

// Malformed lists everything that is wrong with an env file.
type Malformed struct {
	File   string // its path from the project's root
	Faults []Fault
}

// Error has a line for each fault, and below it how to write it.
func (e *Malformed) Error() string {
	var said []string
	for _, f := range e.Faults {
		said = append(said, fmt.Sprintf("%s: line %d %s\nhint: %s", e.File, f.Line, f.Reason, f.Hint))
	}
	return strings.Join(said, "\n")
}

const (
	useUnix   = "save the file with line ends of Unix"
	useSingle = "put the value between '…', where all is literal"
	useDouble = `put the value between "…", with \\ \" \$ \n \r for a backslash, a quote, a dollar and line ends`
	form      = "NAME=VALUE"
	longValue = "a value of several lines stands between quotes"
)

var (
	envName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	export  = regexp.MustCompile(`^export[ \t]+`) // where a shell reads the file too
	comment = regexp.MustCompile(`^#|[ \t]#`)     // what some programs take for one
	another = regexp.MustCompile(`[ \t][A-Za-z_][A-Za-z0-9_]*=`)
	behind  = regexp.MustCompile(`^[ \t]*([ \t]#.*)?$`) // what may follow a closing quote
	plain   = regexp.MustCompile(`^[A-Za-z0-9_./:@,+=%-]*$`)
)

const blanks = " \t"

// Parse returns the values that the text of an env file sets, by the grammar in
// the package's documentation, and all that breaks it. Where anything does, the
// values are not to be used.
func Parse(text string) (map[string]string, []Fault) {
	values, lines := map[string]string{}, map[string]int{}
	var faults []Fault
	text = strings.TrimPrefix(text, "\ufeff")
	for line := 1; text != ""; {
		s := next(text)
		name, value, why := s.read()
		switch first := lines[name]; {
		case why != nil:
			faults = append(faults, Fault{line, why.Reason, why.Hint})
		case name == "":
		case first > 0:
			faults = append(faults, Fault{line, fmt.Sprintf("sets what line %d sets", first), "remove one of them"})
		default:
			values[name], lines[name] = value, line
		}
		text = text[len(s.text):]
		line += strings.Count(s.text, "\n")
	}
	return values, faults
}

// statement is a line of an env file, or as many as a quoted value has.
type statement struct {
	text   string // with the line end
	equals int    // where the = is, -1 without
	value  int    // where the value begins, at its quote
	quote  byte   // ' or ", 0 without
	closed int    // where the closing quote is, -1 without
}

// next returns the statement that text begins with.
func next(text string) statement {
	s := statement{text: firstLine(text), closed: -1}
	if first := strings.TrimLeft(s.text, blanks); first != "" && first[0] == '#' {
		s.equals = -1
		return s
	}
	if s.equals = strings.IndexByte(s.text, '='); s.equals < 0 {
		return s
	}
	s.value = len(s.text) - len(strings.TrimLeft(s.text[s.equals+1:], blanks))
	if s.value == len(s.text) || s.text[s.value] != '\'' && s.text[s.value] != '"' {
		return s
	}
	s.quote = text[s.value]
	for i := s.value + 1; i < len(text); i++ {
		switch {
		case text[i] == s.quote:
			s.closed = i
			s.text = text[:i] + firstLine(text[i:])
			return s
		case text[i] == '\\' && s.quote == '"':
			i++
		}
	}
	s.text = text // nobody knows where it was meant to end
	return s
}

// firstLine returns the first line of text, with its end.
func firstLine(text string) string {
	line, _, more := strings.Cut(text, "\n")
	if more {
		line += "\n"
	}
	return line
}

// read returns the variable that the statement sets, none if it is a comment or
// blank, or why it is refused.
func (s statement) read() (name, value string, why *Fault) {
	refused := func(reason, hint string) (string, string, *Fault) { return "", "", fault(reason, hint) }
	line := strings.TrimSuffix(strings.TrimSuffix(s.text, "\n"), "\r")
	trimmed := strings.Trim(line, blanks)
	switch {
	case s.quote != 0 && s.closed < 0:
		return refused("opens a quote that nothing closes", "a value that begins with a quote goes between the others")
	case strings.Contains(line, "\r") && s.quote != 0:
		return refused("holds the line ends of Windows in its value", useUnix+`, or write \r\n between "…"`)
	case strings.Contains(line, "\r"):
		return refused("holds a line end that is none of Unix nor of Windows", useUnix)
	case trimmed == "" || trimmed[0] == '#':
		return "", "", nil
	case strings.Contains(line, "\x00") || !utf8.ValidString(line):
		return refused("is no text in UTF-8", "save the file in UTF-8; a variable can hold no other bytes")
	case s.equals < 0:
		return refused("is not "+form, "a comment begins with #; "+longValue)
	}
	name = strings.TrimRight(export.ReplaceAllString(strings.TrimLeft(line[:s.equals], blanks), ""), blanks)
	switch {
	case !envName.MatchString(name):
		return refused("has no name before the =", "it is of letters, digits and _; "+longValue)
	case s.quote != 0 && !behind.MatchString(line[s.closed+1:]):
		return refused("goes on behind the closing quote", useDouble)
	case s.quote == 0:
		value, why = bare(strings.Trim(line[s.value:], blanks))
	case s.quote == '\'':
		value, why = single(line[s.value+1 : s.closed])
	default:
		value, why = double(line[s.value+1 : s.closed])
	}
	if why == nil && !s.agreed(name, value) {
		return refused("holds what other programs read otherwise", useDouble)
	}
	return name, value, why
}

func fault(reason, hint string) *Fault { return &Fault{Reason: reason, Hint: hint} }

// bare returns a value without quotes: itself, unless it is one that programs
// differ about.
func bare(written string) (string, *Fault) {
	switch {
	case strings.Contains(written, "$"):
		return "", fault("holds a $ that others would expand", useSingle)
	case comment.MatchString(written):
		return "", fault("holds a # that others take for a comment", useSingle+"; a comment goes on a line of its own")
	case another.MatchString(written):
		return "", fault("holds several variables, or one that looks so", form+", one a line; or "+useSingle)
	case strings.HasSuffix(written, `\`):
		return "", fault(`ends with a \, which others would go on behind in the next line`, useDouble)
	}
	return written, nil
}

func single(written string) (string, *Fault) {
	if strings.HasSuffix(written, `\`) {
		return "", fault(`holds \', of which others differ whether it closes the quote`, useDouble)
	}
	return written, nil
}

// unescape says what stands behind a backslash between double quotes.
var unescape = map[byte]byte{'\\': '\\', '"': '"', '$': '$', 'n': '\n', 'r': '\r'}

func double(written string) (string, *Fault) {
	var value strings.Builder
	for i := 0; i < len(written); i++ {
		c := written[i]
		if c == '$' {
			return "", fault("holds a $ that others would expand", useSingle+`, or write \$`)
		}
		if c == '\\' {
			i++ // one follows, or the quote would not be closed
			known := false
			if c, known = unescape[written[i]]; !known {
				return "", fault(`holds a \ that others would drop or keep`, useSingle+`, or write \\`)
			}
		}
		value.WriteByte(c)
	}
	return value.String(), nil
}

// agreed reports whether godotenv reads the statement as we do.
//
// Of a value between double quotes that ends with a quote or a backslash it
// loses that, so there it is asked about the value with a dot behind.
func (s statement) agreed(name, value string) bool {
	text := s.text
	if s.quote == '"' {
		text, value = text[:s.closed]+`."`, value+"."
	}
	theirs, err := godotenv.Unmarshal(text)
	got, set := theirs[name]
	return err == nil && len(theirs) == 1 && set && got == value
}

// Assign returns the line that sets a variable in an env file: the value as it
// is, or in the quotes that hold it.
func Assign(name, value string) string {
	switch {
	case plain.MatchString(value):
	case !strings.ContainsAny(value, "'\r") && !strings.HasSuffix(value, `\`):
		value = "'" + value + "'"
	default:
		value = `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`, "$", `\$`, "\n", `\n`, "\r", `\r`).Replace(value) + `"`
	}
	return name + "=" + value + "\n"
}
