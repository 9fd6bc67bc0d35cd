package globals

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
)

// Dump is what pg_dumpall has written of the roles of a server.
type Dump struct {
	roles      []dumped
	members    []Member
	parameters []privilege
}

// dumped is a role, and the statements that make it what it was.
type dumped struct {
	name       string
	statements []string
}

// privilege is a statement that grants one on a parameter to a role.
type privilege struct{ role, statement string }

func (d *Dump) role(name string) *dumped {
	for i := range d.roles {
		if d.roles[i].name == name {
			return &d.roles[i]
		}
	}
	return nil
}

// ReadDump reads what pg_dumpall has written, up to the first database: what is in that may look like anything.
func ReadDump(r io.Reader) (*Dump, error) {
	d := &Dump{}
	lines := bufio.NewReader(r)
	for {
		statement, err := next(lines)
		if errors.Is(err, io.EOF) {
			return d, nil
		}
		if err != nil {
			return nil, err
		}
		d.add(statement)
	}
}

// add keeps a statement where it is about a role. What is set for a role in a
// database is of that database, and what is of tablespaces is of the old server.
func (d *Dump) add(statement string) {
	w := words(statement)
	switch {
	case w.are("CREATE", "ROLE", "*") && len(w) == 3:
		d.roles = append(d.roles, dumped{w[2].text, []string{statement}})
	case w.are("ALTER", "ROLE", "*", "WITH"), w.are("ALTER", "ROLE", "*", "SET"):
		if role := d.role(w[2].text); role != nil {
			role.statements = append(role.statements, statement)
		}
	case w.are("COMMENT", "ON", "ROLE", "*"), w.are("SECURITY", "LABEL", "FOR", "*", "ON", "ROLE", "*"):
		at := 3
		if w[0].is("SECURITY") {
			at = 6
		}
		if role := d.role(w[at].text); role != nil {
			role.statements = append(role.statements, statement)
		}
	case w.are("GRANT", "*", "TO", "*"):
		d.members = append(d.members, w.member())
	case w.are("GRANT"):
		for i := range w {
			if w[i:].are("TO", "*") && strings.Contains(strings.ToUpper(statement), " ON PARAMETER ") {
				d.parameters = append(d.parameters, privilege{w[i+1].text, statement})
				break
			}
		}
	}
}

// member reads GRANT role TO member [WITH option, …] [GRANTED BY grantor]. Before
// PostgreSQL 16 the one option was ADMIN OPTION.
func (w sentence) member() Member {
	m := Member{Role: w[1].text, Member: w[3].text}
	for i := 4; i < len(w); i++ {
		switch rest := w[i:]; {
		case rest.are("ADMIN"):
			m.Admin = true
		case rest.are("INHERIT", "*"):
			yes := !rest[1].is("FALSE")
			m.Inherit = &yes
			if m.Set == nil {
				m.Set = new(bool)
				*m.Set = true // pg_dumpall names it where it is not
			}
		case rest.are("SET", "*"):
			yes := !rest[1].is("FALSE")
			m.Set = &yes
		case rest.are("GRANTED", "BY", "*"):
			m.Grantor = rest[2].text
			i += 2
		}
	}
	if m.Inherit == nil {
		m.Grantor = ""
	}
	return m
}

// word is a keyword or a name of SQL.
type word struct {
	text   string
	quoted bool
}

func (w word) is(keyword string) bool { return !w.quoted && strings.EqualFold(w.text, keyword) }

type sentence []word

// are reports whether it begins with these keywords; * is any name.
func (w sentence) are(keywords ...string) bool {
	if len(w) < len(keywords) {
		return false
	}
	for i, keyword := range keywords {
		if keyword != "*" && !w[i].is(keyword) {
			return false
		}
	}
	return true
}

// words returns the names and keywords of a statement, and no literals.
func words(statement string) (all sentence) {
	for i := 0; i < len(statement); {
		switch c := statement[i]; {
		case c == '"' || c == '\'':
			text, end := quoted(statement, i, i > 0 && (statement[i-1] == 'E' || statement[i-1] == 'e'))
			if c == '"' {
				all = append(all, word{text, true})
			}
			i = end
		case isLetter(c):
			end := i
			for end < len(statement) && isLetter(statement[end]) {
				end++
			}
			all = append(all, word{strings.ToLower(statement[i:end]), false})
			i = end
		default:
			i++
		}
	}
	return all
}

func isLetter(c byte) bool {
	return c == '_' || c == '$' || c >= 0x80 || '0' <= c && c <= '9' || 'a' <= c|0x20 && c|0x20 <= 'z'
}

// quoted returns what is between the quote at a place and the one that ends it, and where it has ended.
func quoted(text string, at int, escapes bool) (inside string, end int) {
	var b strings.Builder
	quote := text[at]
	for i := at + 1; i < len(text); i++ {
		switch c := text[i]; {
		case c == '\\' && escapes && quote == '\'' && i+1 < len(text):
			i++
			b.WriteByte(text[i])
		case c != quote:
			b.WriteByte(c)
		case i+1 < len(text) && text[i+1] == quote:
			b.WriteByte(quote)
			i++
		default:
			return b.String(), i + 1
		}
	}
	return b.String(), len(text)
}

// longest is how many bytes a statement about a role may have.
const longest = 1 << 20

// next returns the next statement, without its semicolon; io.EOF at the end, which
// is where psql is told to connect to a database.
func next(r *bufio.Reader) (string, error) {
	var b strings.Builder
	var quote, before byte // the quote that is open; the last byte
	escapes, escaped := false, false
	fresh := true // at the beginning of a line
	for {
		c, err := r.ReadByte()
		if err != nil {
			if errors.Is(err, io.EOF) && strings.TrimSpace(b.String()) != "" {
				err = errors.New("the dump of the roles ends within a statement: it was cut short")
			}
			return "", err
		}
		if quote == 0 && (fresh && c == '\\' || c == '-' && before == '-') {
			line, err := r.ReadString('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				return "", err
			}
			if c == '\\' && strings.HasPrefix(line, "connect") {
				return "", io.EOF
			}
			text := strings.TrimSuffix(b.String(), "-")
			b.Reset()
			b.WriteString(text)
			fresh, before = true, '\n'
			continue
		}
		switch {
		case quote != 0 && escaped:
			escaped = false
		case quote == '\'' && escapes && c == '\\':
			escaped = true
		case quote != 0 && c == quote:
			quote = 0 // a doubled one opens it again
		case quote == 0 && (c == '\'' || c == '"'):
			quote, escapes = c, before == 'E' || before == 'e' || escapes && before == c
		case quote == 0 && c == ';':
			return strings.TrimSpace(b.String()), nil
		}
		if b.WriteByte(c); b.Len() > longest {
			return "", fmt.Errorf("the dump of the roles has a statement of more than %d bytes", longest)
		}
		fresh, before = c == '\n', c
	}
}
