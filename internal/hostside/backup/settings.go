package backup

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// Settings are those of an instance's backups, as the deployment has written them to .backup.env in its home.
type Settings struct {
	Name           string   // the Compose project
	Repository     string   // of restic; it may hold a password
	Account        []string // of the repository, NAME=VALUE: what restic has from its environment
	Mirror         string   // LFTP_DSN, which holds a password; empty: there is none
	Plain          bool     // the mirror has no TLS
	Database, Role string
	Slack          string // the webhook, a secret; empty: there is none
	Production     bool   // its data are people's: no copy is ever adopted

	// Server is the service of the database; Application are those that use it, that of the site
	// first; Port is where that listens; Folders are backed up with the database, and may be none.
	Server      string
	Application []string
	Port        int
	Folders     []string

	// How the site is asked whether it works on what was restored.
	URL       string   // where visitors come: PROTO://NAME
	Names     []string // others of the instance
	Page      string   // that is asked for
	BasicAuth bool     // being asked for a password is an answer
	Jobs      bool     // the application has jobs of its own
	Timeout   int      // seconds that the application may take to start

	KeepLast, KeepDaily, KeepWeekly, KeepMonthly, KeepYearly int
}

// Names of PostgreSQL's. Databases beside that of the instance are named after it, by up to 25 bytes more; PostgreSQL
// cuts all names after 63.
var (
	database = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,37}$`)
	role     = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)
)

// project is a name that units, locks and folders on the mirror are named after.
var project = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// production is what older deployments, which have not written what is, have called it.
var production = regexp.MustCompile(`^(mrs-)?production$`)

// ParseValues reads .backup.env: lines NAME=VALUE, of which each value is one word of a POSIX shell without anything
// to expand, as Python's shlex.quote writes it. "export" before a name is for what restic has from its environment:
// these are in account, as NAME=VALUE, too.
func ParseValues(text string) (values map[string]string, account []string, err error) {
	values = map[string]string{}
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
			return nil, nil, fmt.Errorf("line %d of .backup.env is no NAME=VALUE", line)
		}
		value, after, err := word(after)
		if err != nil {
			return nil, nil, fmt.Errorf("line %d of .backup.env: %s: %w", line, name, err)
		}
		n += strings.Count(rest[:len(rest)-len(after)], "\n")
		rest = after
		values[name] = value
		if exported {
			account = append(account, name+"="+value)
		}
	}
	return values, account, nil
}

// ParseSettings reads .backup.env ([ParseValues]), and refuses what a backup can't be made by.
func ParseSettings(text string) (Settings, error) {
	values, account, err := ParseValues(text)
	if err != nil {
		return Settings{}, err
	}
	s := Settings{Account: account}
	for name, mrs := range map[string]string{ // what older deployments have not written
		"DB_SERVICE": "postgres", "APPLICATION": hostapi.MRS, "PORT": "8000", "FOLDERS": "log,mrsattachments",
	} {
		if _, there := values[name]; !there {
			values[name] = mrs
		}
	}
	if _, there := values["PRODUCTION"]; !there && production.MatchString(values["NAME"]) {
		values["PRODUCTION"] = "1"
	}
	list := func(name string) []string {
		return strings.FieldsFunc(values[name], func(r rune) bool { return r == ',' })
	}
	s.Server, s.Application, s.Folders = values["DB_SERVICE"], list("APPLICATION"), list("FOLDERS")
	s.Name, s.Repository = values["NAME"], values["RESTIC_REPOSITORY"]
	s.Mirror, s.Plain = values["LFTP_DSN"], values["LFTP_PLAIN"] != ""
	s.Database, s.Role, s.Slack = values["DB_NAME"], values["DB_USER"], values["SLACK"]
	s.URL, s.Page = values["URL"], values["PAGE"]
	s.BasicAuth, s.Jobs, s.Production = values["BASICAUTH"] != "", values["JOBS"] != "", values["PRODUCTION"] != ""
	if values["NAMES"] != "" {
		s.Names = strings.Split(values["NAMES"], ",")
	}
	for _, name := range []string{"NAME", "RESTIC_REPOSITORY", "DB_NAME", "DB_USER", "URL", "TIMEOUT"} {
		if values[name] == "" {
			return s, fmt.Errorf(".backup.env has no %s\nhint: deploy the instance, which writes it", name)
		}
	}
	for _, name := range slices.Concat([]string{s.Name, s.Server}, s.Application, s.Folders) {
		if !project.MatchString(name) {
			return s, fmt.Errorf(".backup.env: %q is no name of an instance, a service or a folder", name)
		}
	}
	if !database.MatchString(s.Database) || !role.MatchString(s.Role) {
		return s, fmt.Errorf(".backup.env: DB_NAME=%q, DB_USER=%q: not identifiers of at most 38 and 63 characters\n"+
			"hint: mend them in the env file, and deploy", s.Database, s.Role)
	}
	for name, to := range map[string]*int{
		"KEEP_LAST": &s.KeepLast, "KEEP_DAILY": &s.KeepDaily, "KEEP_WEEKLY": &s.KeepWeekly,
		"KEEP_MONTHLY": &s.KeepMonthly, "KEEP_YEARLY": &s.KeepYearly, "TIMEOUT": &s.Timeout, "PORT": &s.Port,
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

// forms are those that a part of a shell's word has, and what it then is (bash(1), QUOTING): as it is; between single
// quotes; behind a backslash; between double quotes; between $' and '.
var forms = []struct {
	is   *regexp.Regexp
	read func(string) (string, error)
}{
	{regexp.MustCompile("^([^'\"\\\\$` \\t\\n;&|<>()*?\\[~]+)"), asItIs},
	{regexp.MustCompile(`^'([^']*)'`), asItIs},
	{regexp.MustCompile(`^\\(?s:(.))`), asItIs},
	{regexp.MustCompile("^\"((?:[^\"\\\\$`]|\\\\(?s:.))*)\""), func(text string) (string, error) {
		return inDouble.ReplaceAllString(text, "$1"), nil
	}},
	{regexp.MustCompile(`^\$'((?:[^'\\]|\\.)*)'`), func(text string) (string, error) {
		return strconv.Unquote(`"` + likeGo.Replace(text) + `"`)
	}},
}

func asItIs(text string) (string, error) { return text, nil }

var (
	inDouble = regexp.MustCompile("\\\\([\"\\\\$`])")
	likeGo   = strings.NewReplacer(`\\`, `\\`, `\'`, `'`, `"`, `\"`, `\e`, `\033`, `\E`, `\033`)
)

// word reads a word of a shell up to the end of the line.
func word(text string) (value, rest string, err error) {
	for rest = text; rest != ""; {
		if after, ended := strings.CutPrefix(rest, "\n"); ended {
			return value, after, nil
		}
		part, found := "", false
		for _, form := range forms {
			if m := form.is.FindStringSubmatch(rest); m != nil {
				part, err = form.read(m[1])
				rest, found = rest[len(m[0]):], true
				break
			}
		}
		if !found || err != nil {
			return "", "", errors.New("a quote is not closed, or something is to be expanded, which nothing is here")
		}
		value += part
	}
	return value, "", nil
}

// Word reads a text that is one word of a shell.
func Word(text string) (string, error) {
	value, _, err := word(text)
	return value, err
}
