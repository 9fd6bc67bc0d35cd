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
	Doc     string
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
// of the tools on the host. Each is documented in env/local.env as well.
var Variables = []Variable{
	{Name: "server", Doc: "the machine to deploy to: localhost, or [USER@]HOST[:PORT], with an IPv6 address in brackets", Default: "localhost", Required: true, check: checkServer},
	{Name: "ssh_config", Doc: "the SSH configuration that tells how server is reached, from the project's folder; empty: your own", check: matches(configPattern, "a file's path of letters, digits and . _ / + -")},
	{Name: "peer", Doc: "where other servers reach server by SSH, for copies from host to host; empty: where we do", check: checkServer},
	{Name: "home", Doc: "the folder of a persistent instance, whose last part names the project", check: checkHome},
	{Name: "project", Doc: "the compose project of an ephemeral instance", check: matches(projectPattern, "lower-case letters, digits, dashes and underscores")},
	{Name: "lifetime", Doc: "seconds until an ephemeral instance is removed", check: whole(1, 1<<31)},
	{Name: "domain", Doc: "the domain below which branches answer, at SLUG.domain", check: matches(hostPattern, "a host name")},
	{Name: "compose", Doc: "the compose files to merge, in order, separated by commas", Required: true, check: checkFiles},
	{Name: "healthcheck_path", Doc: "the page that the health check asks for: one that needs no database, and that maintenance closes", Default: "/manifest.json", Required: true, check: matches(pagePattern, "a path")},
	{Name: "request_timeout", Doc: "seconds that the application lets a request last (uWSGI's harakiri); so long its old container is waited for", Default: "120", Required: true, check: whole(1, 3600)},
	{Name: "wait_for_jobs", Doc: "1: no container starts near a minute in which the application's own jobs run; empty: at once, and a job may run twice", Default: "1", check: flag},
	{Name: "healthcheck_timeout", Doc: "seconds to wait for a deployed instance to answer", Default: "120", Required: true, check: whole(1, 3600)},

	{Name: "HOST", Doc: "the name that the site answers to, with :PORT unless it is PROTO's own", Required: true, check: matches(hostPattern, "HOST or HOST:PORT")},
	{Name: "HOST_SLUG", Doc: "HOST in a form that can name a router of the load balancer", check: matches(slugPattern, "lower-case letters, digits and dashes")},
	{Name: "canonical", Doc: "which of www.HOST and HOST is the site, to which the other redirects: www or bare; empty: www for an instance with a home whose HOST is a domain", check: oneOf("www", "bare")},
	{Name: "PROTO", Doc: "http or https: how the health check asks", Default: "http", Required: true, check: oneOf("http", "https")},
	{Name: "ALLOWED_HOSTS", Doc: "the host names that the site accepts, separated by commas; others get a 400", Required: true, MRS: true, check: checkHosts},
	{Name: "SECRET_KEY", Doc: "the key that signs sessions and password links", Secret: true, Required: true, MRS: true, check: printable},
	{Name: "BASICAUTH_DISABLE", Doc: "1: no HTTP Basic Auth in front of the site; empty: users in the database only", check: flag},
	{Name: "MAINTENANCE_ENABLE", Doc: "1: the site shows its maintenance page", check: flag},
	{Name: "DEBUG", Doc: "1: Django shows tracebacks; never on a server", check: flag},
	{Name: "DB_NAME", Doc: "the database", Default: "mrs", Required: true, check: matches(identifierPattern, "an SQL identifier")},
	{Name: "DB_USER", Doc: "the role that owns it", Default: "django", Required: true, check: matches(identifierPattern, "an SQL identifier")},
	{Name: "DB_PASSWORD", Doc: "the role's password; only the stack's own network can reach the database, hence the default", Default: "django", Secret: true, Required: true, check: printable},
	{Name: "DB_READER", Doc: "the role that the database is read by when it is copied, which need not be able to write; empty: DB_USER", check: matches(identifierPattern, "an SQL identifier")},
	{Name: "MAXCONN", Doc: "net.core.somaxconn of the host; empty: left as it is", check: whole(1, 65535)},
	{Name: "LISTEN", Doc: "the backlog of uWSGI's socket and net.core.somaxconn in its container", Default: "100", Required: true, check: whole(1, 65535)},
	{Name: "DEFAULT_FROM_EMAIL", Doc: "the sender of the site's mails", check: printable},
	{Name: "EMAIL_HOST", Doc: "the SMTP server", check: matches(hostPattern, "a host name")},
	{Name: "EMAIL_PORT", Doc: "its port; empty: 25", check: whole(1, 65535)},
	{Name: "EMAIL_HOST_USER", Doc: "the account there, if any", check: printable},
	{Name: "EMAIL_HOST_PASSWORD", Doc: "its password", Secret: true, check: printable},
	{Name: "EMAIL_USE_TLS", Doc: "1: STARTTLS", check: flag},
	{Name: "EMAIL_USE_SSL", Doc: "1: TLS from the first byte", check: flag},
	{Name: "ADMINS", Doc: "who is mailed the site's errors", check: printable},
	{Name: "TEAM_EMAIL", Doc: "where users' messages go", check: printable},
	{Name: "LIQUIDATION_EMAIL", Doc: "where requests to be paid go", check: printable},
	{Name: "SENTRY_DSN", Doc: "where exceptions are reported", Secret: true, check: printable},
	{Name: "SENTRY_AUTH_TOKEN", Doc: "the token that registers releases there", Secret: true, check: printable},
	{Name: "SENTRY_ORG", Doc: "Sentry's organisation", check: printable},
	{Name: "SENTRY_PROJECT", Doc: "Sentry's project", check: printable},
	{Name: "SENTRY_URL", Doc: "Sentry's address", check: checkURL("http", "https")},

	{Name: "RESTIC_PASSWORD", Doc: "the key of the backups; empty: none are set up", Secret: true, check: printable},
	{Name: "RESTIC_REPOSITORY", Doc: "where the backups are; empty: home/restic", check: matches(locationPattern, "a path or an address without spaces and quotes")},
	{Name: "S3_ACCESS_KEY_ID", Doc: "the account of a RESTIC_REPOSITORY that is s3:…", check: printable},
	{Name: "S3_SECRET_ACCESS_KEY", Doc: "its key", Secret: true, check: printable},
	{Name: "S3_REGION", Doc: "its region; empty: us-east-1", check: matches(slugPattern, "lower-case letters, digits and dashes")},
	{Name: "POSTGRES_BACKUP", Doc: "the folder that PostgreSQL dumps to; empty: home/postgres/dump", check: absolute},
	{Name: "LFTP_DSN", Doc: "where the encrypted backups are mirrored to: ftp://, ftps:// or sftp://[USER:PASSWORD@]HOST[/PATH]; empty: nowhere", Secret: true, check: checkURL("ftp", "ftps", "sftp")},
	{Name: "LFTP_PLAIN", Doc: "1: the mirror has no TLS, and its password goes in the clear; empty: its certificate is checked", check: flag},
	{Name: "SLACK_TOKEN", Doc: "the secret part of the Slack webhook, T…/B…/…; empty: no messages", Secret: true, check: printable},
	{Name: "SLACK_URL", Doc: "what precedes SLACK_TOKEN in the webhook's address", Default: "https://hooks.slack.com/services", check: checkURL("http", "https")},
}

// Find returns the variable called name.
func Find(name string) (Variable, bool) {
	n := slices.IndexFunc(Variables, func(v Variable) bool { return v.Name == name })
	if n < 0 {
		return Variable{}, false
	}
	return Variables[n], true
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
		return fmt.Sprintf("is %q: its last part names the project, so it is of lower-case letters, digits, dashes and underscores", value)
	}
	return ""
}

// isTraefik reports whether the compose file is that for Traefik, ours or the application's.
func isTraefik(file string) bool { return filepath.Base(file) == "docker-compose.traefik.yml" }

func checkFiles(value string) string {
	for _, file := range splitList(value) {
		if !filePattern.MatchString(file) {
			return fmt.Sprintf("names %q, not a .yml file", file)
		}
	}
	return ""
}

func checkHosts(value string) string {
	for _, host := range splitList(value) {
		if !allowedPattern.MatchString(host) {
			return fmt.Sprintf("names %q, not a host name", host)
		}
	}
	return ""
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
func (i *Instance) checkTogether() []Problem {
	var problems []Problem
	home, project := i.Get("home"), i.Get("project")
	switch {
	case home == "" && project == "":
		problems = append(problems, i.missing("home", "or project: a persistent instance has a home, an ephemeral one a project"))
	case home != "" && project != "":
		problems = append(problems, i.malformed("project", "is set beside home: a persistent instance has a home, an ephemeral one a project"))
	}
	if home != "" && i.Get("lifetime") != "" {
		problems = append(problems, i.malformed("lifetime", "is set beside home: a persistent instance is never removed by itself"))
	}
	if i.Get("HOST_SLUG") == "" && slices.ContainsFunc(i.ComposeFiles(), isTraefik) {
		problems = append(problems, i.missing("HOST_SLUG", "docker-compose.traefik.yml names its routers by it"))
	}
	// The application tells browsers that all below the site's name is https, for six months.
	if i.Persistent() && i.Get("PROTO") == "https" && i.Site() == i.Get("HOST") && !strings.HasPrefix(i.Site(), "www.") {
		problems = append(problems, i.malformed("canonical", "makes "+i.Site()+" the site, whose HSTS closes every http site below it to whoever was there: www covers www alone"))
	}
	// With this very key a migration makes a superuser test with the password test.
	if i.Persistent() && i.Get("server") != "localhost" && i.Get("SECRET_KEY") == "notsecret" {
		problems = append(problems, i.malformed("SECRET_KEY", "is the application's default, with which it makes a superuser that everybody knows"))
	}
	listen, _ := strconv.Atoi(i.Get("LISTEN"))
	maxconn, err := strconv.Atoi(i.Get("MAXCONN"))
	if err == nil && listen > maxconn {
		problems = append(problems, i.malformed("LISTEN", fmt.Sprintf("is %d, more than MAXCONN, which is %d", listen, maxconn)))
	}
	if i.Get("EMAIL_USE_TLS") != "" && i.Get("EMAIL_USE_SSL") != "" {
		problems = append(problems, i.malformed("EMAIL_USE_SSL", "is set beside EMAIL_USE_TLS: Django refuses both"))
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
	var b strings.Builder
	noun := "problems"
	if len(e.Problems) == 1 {
		noun = "problem"
	}
	fmt.Fprintf(&b, "instance %s: %d %s with its variables", e.Instance, len(e.Problems), noun)
	for _, p := range e.Problems {
		fmt.Fprintf(&b, "\n  %s %s\n    hint: %s", p.Name, p.Reason, p.Mend)
	}
	return b.String()
}

func (i *Instance) missing(name, why string) Problem {
	reason := "is missing"
	if why != "" {
		reason += ": " + why
	}
	value := i.values[name]
	if value.Source == fromEnvironment && i.Name != Environment {
		return Problem{name, reason + " (empty in the process environment, which beats the files)", "unset it, or give it a value there"}
	}
	return Problem{name, reason, "put " + name + "=… in " + i.fileFor(name)}
}

func (i *Instance) malformed(name, reason string) Problem {
	value := i.values[name]
	if value.Source == fromDefault {
		return Problem{name, reason, "set it in " + i.fileFor(name)}
	}
	return Problem{name, reason, "correct it in " + describeSource(value.Source)}
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

func describeSource(source string) string {
	if source == fromEnvironment {
		return "the process environment"
	}
	return source
}
