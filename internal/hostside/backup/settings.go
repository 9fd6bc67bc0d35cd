package backup

import (
	"fmt"
	"regexp"
	"strconv"
	"strings"
)

// Settings are those of an instance's backups, as the deployment has written them to
// .backup.env in its home.
type Settings struct {
	Name           string   // the Compose project
	Repository     string   // of restic; it may hold a password
	Account        []string // of the repository, NAME=VALUE: what restic has from its environment
	Mirror         string   // LFTP_DSN, which holds a password; empty: there is none
	Plain          bool     // the mirror has no TLS
	Database, Role string
	Slack          string // the webhook, a secret; empty: there is none

	// How the site is asked whether it works on what was restored.
	URL       string   // where visitors come: PROTO://NAME
	Names     []string // others of the instance
	Page      string   // that is asked for
	BasicAuth bool     // being asked for a password is an answer
	Jobs      bool     // the application has jobs of its own
	Timeout   int      // seconds that the application may take to start

	KeepLast, KeepDaily, KeepWeekly, KeepMonthly, KeepYearly int
}

// project is a name that units, locks and folders on the mirror are named after.
var project = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// ParseSettings reads .backup.env: lines NAME=VALUE, of which each value is one word of a
// POSIX shell without anything to expand, as Python's shlex.quote writes it. "export" before a
// name is for what restic has from its environment.
func ParseSettings(text string) (Settings, error) {
	var s Settings
	values := map[string]string{}
	for rest, n := text, 1; rest != ""; {
		line := n
		rest = strings.TrimLeft(rest, " \t")
		if strings.HasPrefix(rest, "#") || strings.HasPrefix(rest, "\n") {
			_, after, _ := strings.Cut(rest, "\n")
			rest, n = after, n+1
			continue
		}
		exported := strings.HasPrefix(rest, "export ")
		rest = strings.TrimLeft(strings.TrimPrefix(rest, "export "), " \t")
		name, after, ok := strings.Cut(rest, "=")
		if !ok || !variable.MatchString(name) {
			return s, fmt.Errorf("line %d of .backup.env is no NAME=VALUE", line)
		}
		value, after, err := word(after)
		if err != nil {
			return s, fmt.Errorf("line %d of .backup.env: %s: %w", line, name, err)
		}
		n += strings.Count(rest[:len(rest)-len(after)], "\n")
		rest = after
		values[name] = value
		if exported {
			s.Account = append(s.Account, name+"="+value)
		}
	}
	s.Name, s.Repository = values["NAME"], values["RESTIC_REPOSITORY"]
	s.Mirror, s.Plain = values["LFTP_DSN"], values["LFTP_PLAIN"] != ""
	s.Database, s.Role, s.Slack = values["DB_NAME"], values["DB_USER"], values["SLACK"]
	s.URL, s.Page = values["URL"], values["PAGE"]
	s.BasicAuth, s.Jobs = values["BASICAUTH"] != "", values["JOBS"] != ""
	if values["NAMES"] != "" {
		s.Names = strings.Split(values["NAMES"], ",")
	}
	for _, name := range []string{"NAME", "RESTIC_REPOSITORY", "DB_NAME", "DB_USER", "URL", "TIMEOUT"} {
		if values[name] == "" {
			return s, fmt.Errorf(".backup.env has no %s\nhint: deploy the instance, which writes it", name)
		}
	}
	if !project.MatchString(s.Name) {
		return s, fmt.Errorf(".backup.env: %q is no name of an instance", s.Name)
	}
	for name, to := range map[string]*int{
		"KEEP_LAST": &s.KeepLast, "KEEP_DAILY": &s.KeepDaily, "KEEP_WEEKLY": &s.KeepWeekly,
		"KEEP_MONTHLY": &s.KeepMonthly, "KEEP_YEARLY": &s.KeepYearly, "TIMEOUT": &s.Timeout,
	} {
		n, err := strconv.Atoi(values[name])
		if err != nil || n < 0 {
			return s, fmt.Errorf(".backup.env: %s=%s is no number\nhint: deploy the instance, which writes it", name,
				values[name])
		}
		*to = n
	}
	return s, nil
}

var variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// word reads a word of a shell up to the end of the line.
func word(text string) (value, rest string, err error) {
	var w strings.Builder
	for i := 0; i < len(text); i++ {
		switch c := text[i]; c {
		case '\n':
			return w.String(), text[i+1:], nil
		case '\'':
			end := strings.IndexByte(text[i+1:], '\'')
			if end < 0 {
				return "", "", fmt.Errorf("a quote is not closed")
			}
			w.WriteString(text[i+1 : i+1+end])
			i += 1 + end
		case '"':
			closed := false
			for i++; i < len(text) && !closed; i++ {
				switch c := text[i]; {
				case c == '"':
					closed = true
					i--
				case c == '\\' && i+1 < len(text) && strings.IndexByte("\"\\$`", text[i+1]) >= 0:
					i++
					w.WriteByte(text[i])
				case c == '$' || c == '`':
					return "", "", fmt.Errorf("nothing is expanded here, but there is a %c", c)
				default:
					w.WriteByte(c)
				}
			}
			if !closed {
				return "", "", fmt.Errorf("a quote is not closed")
			}
		case '\\':
			if i+1 == len(text) {
				return "", "", fmt.Errorf("it ends with a backslash")
			}
			i++
			w.WriteByte(text[i])
		case '$', '`', ' ', '\t', ';', '&', '|', '<', '>', '(', ')', '*', '?', '[', '~':
			return "", "", fmt.Errorf("%q is not between quotes", c)
		default:
			w.WriteByte(c)
		}
	}
	return w.String(), "", nil
}
