package instance

import (
	"fmt"
	"net/url"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/betagouv/mrs-ops/internal/address"
)

// Variable is one variable that an instance may set.
type Variable struct {
	Name    string
	Default string
	Secret  bool // never shown, and belongs in env/NAME.secrets.env
	// Required variables must have a value in every instance; what is
	// needed by some instances only is in [Instance.check].
	Required bool
	// MRS variables are required where MRS is in the stack.
	MRS bool
	// check says what is wrong with a value that is not empty, "" if nothing;
	// it must not repeat the value of a secret.
	check func(value string) string
}

// Variables are all the variables that the project knows, in the order in which
// they are shown: where and how to deploy, then the application's, then those
// of the tools on the host. What each means is in env/local.env.
var Variables = []Variable{
	{Name: "server", Default: Here, Required: true, check: checkServer},
	{Name: "ssh_config", check: matches(configPattern, "a file's path of letters, digits and . _ / + -")},
	{Name: "peer", check: checkServer},
	{Name: "home", check: checkHome},
	{Name: "project", check: matches(projectPattern, "lower-case letters, digits, dashes and underscores")},
	{Name: "lifetime", check: whole(1, 1<<31)},
	{Name: "domain", check: matches(hostPattern, "a host name")},
	{Name: "compose", Required: true, check: each(filePattern, "a .yml file")},
	{Name: "healthcheck_path", Default: "/manifest.json", Required: true, check: matches(pagePattern, "a path")},
	{Name: "request_timeout", Default: "120", Required: true, check: whole(1, 3600)},
	{Name: "wait_for_jobs", Default: "1", check: flag},
	{Name: "healthcheck_timeout", Default: "120", Required: true, check: whole(1, 3600)},

	{Name: "HOST", Required: true, check: matches(hostPattern, "HOST or HOST:PORT")},
	{Name: "HOST_SLUG", check: matches(slugPattern, "lower-case letters, digits and dashes")},
	{Name: "canonical", check: oneOf("www", "bare")},
	{Name: "PROTO", Default: "http", Required: true, check: oneOf("http", "https")},
	{Name: "ALLOWED_HOSTS", Required: true, MRS: true, check: each(allowedPattern, "a host name")},
	{Name: "SECRET_KEY", Secret: true, Required: true, MRS: true, check: printable},
	{Name: "BASICAUTH_DISABLE", check: flag},
	{Name: "MAINTENANCE_ENABLE", check: flag},
	{Name: "DEBUG", check: flag},
	{Name: "DB_NAME", Default: "mrs", Required: true, check: matches(databasePattern,
		"an SQL identifier of at most 38 characters: what is restored beside it has a name that is longer by 25")},
	{Name: "DB_USER", Default: "django", Required: true, check: matches(identifierPattern, "an SQL identifier")},
	{Name: "DB_PASSWORD", Default: "django", Secret: true, Required: true, check: printable},
	{Name: "DB_READER", check: matches(identifierPattern, "an SQL identifier")},
	{Name: "MAXCONN", check: whole(1, 65535)},
	{Name: "LISTEN", Default: "100", Required: true, check: whole(1, 65535)},
	{Name: "DEFAULT_FROM_EMAIL", check: printable},
	{Name: "EMAIL_HOST", check: matches(hostPattern, "a host name")},
	{Name: "EMAIL_PORT", check: whole(1, 65535)},
	{Name: "EMAIL_HOST_USER", check: printable},
	{Name: "EMAIL_HOST_PASSWORD", Secret: true, check: printable},
	{Name: "EMAIL_USE_TLS", check: flag},
	{Name: "EMAIL_USE_SSL", check: flag},
	{Name: "ADMINS", check: printable},
	{Name: "TEAM_EMAIL", check: printable},
	{Name: "LIQUIDATION_EMAIL", check: printable},
	{Name: "SENTRY_DSN", Secret: true, check: printable},
	{Name: "SENTRY_AUTH_TOKEN", Secret: true, check: printable},
	{Name: "SENTRY_ORG", check: printable},
	{Name: "SENTRY_PROJECT", check: printable},
	{Name: "SENTRY_URL", check: checkURL("http", "https")},

	{Name: "RESTIC_PASSWORD", Secret: true, check: printable},
	{Name: "RESTIC_REPOSITORY", check: matches(locationPattern, "a path or an address without spaces and quotes")},
	{Name: "S3_ACCESS_KEY_ID", check: printable},
	{Name: "S3_SECRET_ACCESS_KEY", Secret: true, check: printable},
	{Name: "S3_REGION", check: matches(slugPattern, "lower-case letters, digits and dashes")},
	{Name: "POSTGRES_BACKUP", check: absolute},
	{Name: "WAL_ARCHIVE", check: absolute},
	{Name: "LFTP_DSN", Secret: true, check: checkURL("ftp", "ftps", "sftp")},
	{Name: "LFTP_PLAIN", check: flag},
	{Name: "SLACK_TOKEN", Secret: true, check: printable},
	{Name: "SLACK_URL", Default: "https://hooks.slack.com/services", check: checkURL("http", "https")},
}

// Find returns the variable called name.
func Find(name string) (Variable, bool) {
	for _, v := range Variables {
		if v.Name == name {
			return v, true
		}
	}
	return Variable{}, false
}

// The patterns are stricter than what the tools would take: a name that passes
// can stand in a file name, a label or a command line.
var (
	hostname          = `(?i:[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)*)`
	hostPattern       = regexp.MustCompile(`^` + hostname + `(:[0-9]{1,5})?$`)
	domainPattern     = regexp.MustCompile(`^` + hostname + `\.(?i:[a-z][a-z0-9-]*)$`) // with a dot, and no address
	allowedPattern    = regexp.MustCompile(`^(\*|\.?` + hostname + `)$`)               // Django's ALLOWED_HOSTS
	configPattern     = regexp.MustCompile(`^[A-Za-z0-9._/+][A-Za-z0-9._/+-]*$`)
	slugPattern       = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?$`)
	projectPattern    = regexp.MustCompile(`^[a-z0-9][a-z0-9_-]*$`) // compose-spec, "name"
	databasePattern   = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,37}$`)
	identifierPattern = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)
	pagePattern       = regexp.MustCompile(`^/[A-Za-z0-9._/-]*$`)
	pathPattern       = regexp.MustCompile(`^/[A-Za-z0-9._/+-]*$`)
	locationPattern   = regexp.MustCompile(`^[^\s"'\\\x00-\x1f\x7f]+$`) // what lftp's quotes can hold
	filePattern       = regexp.MustCompile(`^[A-Za-z0-9._/+-]+\.ya?ml$`)
)

func matches(pattern *regexp.Regexp, form string) func(string) string {
	return func(value string) string {
		if pattern.MatchString(value) {
			return ""
		}
		return fmt.Sprintf("is %q, not %s", value, form)
	}
}

func oneOf(choices ...string) func(string) string {
	return func(value string) string {
		if slices.Contains(choices, value) {
			return ""
		}
		return fmt.Sprintf("is %q, not one of %s", value, strings.Join(choices, ", "))
	}
}

func whole(least, most int) func(string) string {
	return func(value string) string {
		if n, err := strconv.Atoi(value); err == nil && n >= least && n <= most {
			return ""
		}
		return fmt.Sprintf("is %q, not a whole number from %d to %d", value, least, most)
	}
}

// flag refuses "0" and "false": the application takes any text for "on".
func flag(value string) string {
	if value == "1" {
		return ""
	}
	return fmt.Sprintf("is %q: 1 turns it on, nothing turns it off", value)
}

func printable(value string) string {
	for _, r := range value {
		if r < ' ' && r != '\t' {
			return "holds a control character or a line break"
		}
	}
	return ""
}

func absolute(value string) string {
	if !pathPattern.MatchString(value) {
		return fmt.Sprintf("is %q, not an absolute path of letters, digits and . _ + -", value)
	}
	if filepath.Clean(value) != value {
		return fmt.Sprintf("is %q: write %q", value, filepath.Clean(value))
	}
	return ""
}

func checkServer(value string) string {
	if _, err := address.Parse(value); err != nil {
		return fmt.Sprintf("is %q, not %s", value, address.Form)
	}
	return ""
}

func checkHome(value string) string {
	if problem := absolute(value); problem != "" {
		return problem
	}
	if filepath.Dir(value) == "/" {
		return fmt.Sprintf("is %q: an instance's home is below another folder, such as /home", value)
	}
	if !projectPattern.MatchString(filepath.Base(value)) {
		return fmt.Sprintf("is %q: its last part names the project, "+
			"so it is of lower-case letters, digits, dashes and underscores", value)
	}
	return ""
}

// isTraefik reports whether the compose file is that for Traefik, ours or the application's.
func isTraefik(file string) bool { return filepath.Base(file) == "docker-compose.traefik.yml" }

// each checks a list whose items are to match.
func each(pattern *regexp.Regexp, form string) func(string) string {
	return func(value string) string {
		for _, item := range splitList(value) {
			if !pattern.MatchString(item) {
				return fmt.Sprintf("names %q, not %s", item, form)
			}
		}
		return ""
	}
}

func checkURL(schemes ...string) func(string) string {
	return func(value string) string {
		u, err := url.Parse(value)
		if err == nil && slices.Contains(schemes, u.Scheme) && u.Hostname() != "" && locationPattern.MatchString(value) {
			return ""
		}
		return "is not an address that begins with " + strings.Join(schemes, ":// or ") + "://"
	}
}

// check returns what is wrong with the values, in the order of [Variables].
func (i *Instance) check() []Problem {
	var problems []Problem
	for _, variable := range Variables {
		value := i.values[variable.Name]
		switch {
		case value.Value == "" && variable.MRS && !i.mrs():
		case value.Value == "" && variable.Required:
			problems = append(problems, i.missing(variable.Name, ""))
		case value.Value != "" && variable.check != nil:
			if reason := variable.check(value.Value); reason != "" {
				problems = append(problems, i.malformed(variable.Name, reason))
			}
		}
	}
	return append(problems, i.checkTogether()...)
}

// mrs reports whether MRS is in the stack: its file is the one that others are merged over.
func (i *Instance) mrs() bool {
	files := i.ComposeFiles()
	return len(files) == 0 || slices.ContainsFunc(files, func(file string) bool {
		return filepath.Base(file) == "docker-compose.yml"
	})
}

// checkTogether returns what is wrong with values that are right by themselves.
func (i *Instance) checkTogether() (problems []Problem) {
	missing := func(name, why string) { problems = append(problems, i.missing(name, why)) }
	wrong := func(name, why string) { problems = append(problems, i.malformed(name, why)) }
	const which = "a persistent instance has a home, an ephemeral one a project"
	home, project := i.Get("home"), i.Get("project")
	switch {
	case home == "" && project == "":
		missing("home", "or project: "+which)
	case home != "" && project != "":
		wrong("project", "is set beside home: "+which)
	}
	if home != "" && i.Get("lifetime") != "" {
		wrong("lifetime", "is set beside home: a persistent instance is never removed by itself")
	}
	if i.Get("HOST_SLUG") == "" && slices.ContainsFunc(i.ComposeFiles(), isTraefik) {
		missing("HOST_SLUG", "docker-compose.traefik.yml names its routers by it")
	}
	// The application tells browsers that all below the site's name is https, for six months.
	if i.Persistent() && i.Get("PROTO") == "https" && i.Site() == i.Get("HOST") && !strings.HasPrefix(i.Site(), "www.") {
		wrong("canonical", "makes "+i.Site()+" the site, whose HSTS closes every http site below it "+
			"to whoever was there: www covers www alone")
	}
	// With this very key a migration makes a superuser test with the password test.
	if i.Persistent() && i.Get("server") != Here && i.Get("SECRET_KEY") == "notsecret" {
		wrong("SECRET_KEY", "is the application's default, with which it makes a superuser that everybody knows")
	}
	listen, _ := strconv.Atoi(i.Get("LISTEN"))
	maxconn, err := strconv.Atoi(i.Get("MAXCONN"))
	if err == nil && listen > maxconn {
		wrong("LISTEN", fmt.Sprintf("is %d, more than MAXCONN, which is %d", listen, maxconn))
	}
	if i.Get("EMAIL_USE_TLS") != "" && i.Get("EMAIL_USE_SSL") != "" {
		wrong("EMAIL_USE_SSL", "is set beside EMAIL_USE_TLS: Django refuses both")
	}
	return problems
}

// Problem is one variable that is missing or malformed.
type Problem struct {
	Name   string
	Reason string // follows the name in a sentence; never holds a secret
	Mend   string // what to do, naming the file
}

// Invalid lists everything that is wrong with an instance's variables.
type Invalid struct {
	Instance string
	Problems []Problem
}

// Error has a line for each problem, and below it how to mend it.
func (e *Invalid) Error() string {
	return Listed("instance "+e.Instance, " with its variables", e.Problems)
}

// Listed returns how many problems something has, and below that each of them with
// how to mend it.
func Listed(what, with string, problems []Problem) string {
	noun := "problems"
	if len(problems) == 1 {
		noun = "problem"
	}
	text := fmt.Sprintf("%s: %d %s%s", what, len(problems), noun, with)
	for _, p := range problems {
		text += fmt.Sprintf("\n  %s %s\n    hint: %s", p.Name, p.Reason, p.Mend)
	}
	return text
}

func (i *Instance) missing(name, why string) Problem {
	reason := "is missing"
	if why != "" {
		reason += ": " + why
	}
	value := i.values[name]
	if value.Source == fromEnvironment && i.Name != Environment {
		reason += " (empty in the process environment, which beats the files)"
		return Problem{name, reason, "unset it, or give it a value there"}
	}
	return Problem{name, reason, "put " + name + "=… in " + i.fileFor(name)}
}

func (i *Instance) malformed(name, reason string) Problem {
	value := i.values[name]
	if value.Source == fromDefault {
		return Problem{name, reason, "set it in " + i.fileFor(name)}
	}
	where := value.Source
	if where == fromEnvironment {
		where = "the process environment"
	}
	return Problem{name, reason, "correct it in " + where}
}

// fileFor returns where a variable belongs: the strongest file for secrets, the
// strongest that is committed for the rest.
func (i *Instance) fileFor(name string) string {
	if len(i.files) == 0 {
		return "the process environment"
	}
	strongest := i.files[len(i.files)-1]
	if variable, _ := Find(name); variable.Secret {
		return strongest
	}
	return strings.TrimSuffix(strongest, secretsSuffix) + ".env"
}
