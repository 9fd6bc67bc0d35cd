package ops

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/mail"
	"os"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/address"
	"github.com/betagouv/mrs-ops/internal/bigsudo"
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/local"
	"github.com/betagouv/mrs-ops/internal/target"
)

// application is the service that commands are for unless another is named.
const application = "django"

// stream runs argv as root on the server, with no input, and prints what it says as
// it says it. It ends with ctx.
func stream(ctx context.Context, s *target.Target, argv []string) error {
	_, err := s.WithContext(ctx).WithStderr(os.Stderr).Exec(argv...).Stdout()
	return err
}

// LogOptions is what of the logs to show; the zero value: the last lines of all
// services.
type LogOptions struct {
	Service string
	Follow  bool   // until interrupted
	Since   string // a time, or a duration before now: 2026-11-24T08:00:00, 90m
	Tail    int    // lines of each container; 0: 100, or all where Since is given; less than 0: all
}

var sincePattern = regexp.MustCompile(`^[0-9][0-9A-Za-z:.+-]*$`)

func (o LogOptions) args(colour bool) ([]string, error) {
	if o.Since != "" && !sincePattern.MatchString(o.Since) {
		return nil, fmt.Errorf("-since=%q is neither a time nor a duration\n"+
			"hint: -since=90m, or -since=2026-11-24T08:00:00", o.Since)
	}
	if err := checkService(o.Service); err != nil {
		return nil, err
	}
	args := []string{"--ansi", map[bool]string{false: "never", true: "always"}[colour], "logs", "--timestamps"}
	if o.Follow {
		args = append(args, "--follow")
	}
	if o.Since != "" {
		args = append(args, "--since="+o.Since)
	}
	switch {
	case o.Tail > 0:
		args = append(args, "--tail="+strconv.Itoa(o.Tail))
	case o.Tail == 0 && o.Since == "":
		args = append(args, "--tail=100")
	}
	if o.Service != "" {
		args = append(args, o.Service)
	}
	return args, nil
}

// Logs prints what the containers of an instance say. That somebody interrupts
// what follows is its end, not an error.
func Logs(ctx context.Context, name string, o LogOptions) error {
	args, err := o.args(console.Colour(os.Stdout))
	if err != nil {
		return err
	}
	s, _, err := open(ctx, name)
	if err != nil {
		return err
	}
	defer s.Close()
	err = stream(ctx, s, s.Compose(args...))
	if o.Follow && ctx.Err() != nil {
		return nil
	}
	if ctx.Err() != nil {
		return errors.New("interrupted")
	}
	return ended(name, "logs", err)
}

// ended returns how a command ended without its command line, which may hold
// what is not for the audit log.
func ended(name, what string, err error) error {
	if err == nil {
		return nil
	}
	if e, ok := errors.AsType[*local.Error](err); ok {
		err = e.Err
	}
	if errors.Is(err, context.Canceled) {
		err = errors.New("interrupted\nhint: what runs in a container goes on there; mage ops:restart ends it")
	}
	return &Failed{What: what, Name: name, status: local.ExitCode(err), Err: err}
}

// inContainer runs words in a container of an instance, with no input, and
// prints what they say. The audit log has what.
func inContainer(ctx context.Context, name, service, what string, words ...string) error {
	if err := checkService(service); err != nil {
		return err
	}
	s, _, err := open(ctx, name)
	if err != nil {
		return err
	}
	defer s.Close()
	argv := append(s.Compose("exec", "-T", cmp.Or(service, application)), words...)
	return s.Audited(target.Operator(), what, func() error { return ended(name, what, stream(ctx, s, argv)) })
}

// words splits a command, which is not to be empty. verb says what it is of.
func words(verb, command string) ([]string, error) {
	list, err := bigsudo.Words(command)
	if err == nil && (len(list) == 0 || list[0] == "") {
		err = fmt.Errorf("there is no command\nhint: mage ops:%s INSTANCE \"COMMAND ARGUMENTS\"", verb)
	}
	return list, err
}

// logged returns what the audit log has of a command's first word, which may be
// a NAME=secret by mistake.
func logged(word string) string {
	if name, _, assigned := strings.Cut(plain(word), "="); assigned {
		return name + "=…"
	}
	return plain(word)
}

// Exec runs a command in a container of an instance, of the application unless
// service names another. The error is a [*Failed] where the command ran.
func Exec(ctx context.Context, name, command, service string) error {
	list, err := words("exec", command)
	if err != nil {
		return err
	}
	return inContainer(ctx, name, service, "exec "+cmp.Or(service, application)+" "+logged(list[0]), list...)
}

// Manage runs a command of Django's or of the application's in an instance:
// `mrs COMMAND`.
func Manage(ctx context.Context, name, command string) error {
	list, err := words("manage", command)
	if err != nil {
		return err
	}
	if list[0] == "mrs" && len(list) > 1 { // as one types it in the container
		list = list[1:]
	}
	return inContainer(ctx, name, "", "manage "+logged(list[0]), append([]string{"mrs"}, list...)...)
}

var domain = regexp.MustCompile(`@[a-zA-Z0-9]([a-zA-Z0-9.-]*[a-zA-Z0-9])?$`)

// checkAddress returns an error if to is not a plain mail address.
func checkAddress(to string) error {
	parsed, err := mail.ParseAddress(to)
	if err != nil || parsed.Address != to || !domain.MatchString(to) || strings.HasPrefix(to, "-") {
		return fmt.Errorf("%q is not a mail address\nhint: somebody@example.org", to)
	}
	return nil
}

// SendTestEmail makes an instance send a mail to an address (cookbook, "Envoyer
// un mail de test").
func SendTestEmail(ctx context.Context, name, to string) error {
	if err := checkAddress(to); err != nil {
		return err
	}
	// With DEBUG, which mrs sets where it is not, mails are printed.
	if err := inContainer(ctx, name, "", "sendTestEmail", "env", "DEBUG=", "mrs", "sendtestemail", to); err != nil {
		return fmt.Errorf("%w\nhint: mage ops:exec %s \"sh -c 'env | grep ^EMAIL_ | grep -v PASSWORD'\" "+
			"shows its mail server", err, name)
	}
	console.Done("%s: its mail server has taken a test mail for %s", name, to)
	return nil
}

// Shell opens a shell in a container of an instance, on this terminal.
func Shell(ctx context.Context, name, service string) error {
	if err := checkService(service); err != nil {
		return err
	}
	if !console.Interactive() {
		return fmt.Errorf("a shell needs a terminal\nhint: mage ops:exec %s \"COMMAND\" needs none", name)
	}
	s, inst, err := open(ctx, name)
	if err != nil {
		return err
	}
	defer s.Close()
	line, err := shellLine(inst, s, service)
	if err != nil {
		return err
	}
	what := "shell " + cmp.Or(service, application)
	// When it ends there may be nobody left to write it down.
	if err := s.Audited(target.Operator(), what+": opened", func() error { return nil }); err != nil {
		return err
	}
	return s.Audited(target.Operator(), what, func() error {
		if err := local.Terminal(ctx, line...); err != nil {
			return fmt.Errorf("the connection to %s failed: %w", inst.Get("server"), err)
		}
		return nil
	})
}

// shellLine returns the command line that opens a shell in a container.
func shellLine(inst *instance.Instance, s *target.Target, service string) ([]string, error) {
	// The image may have no bash.
	const shell = "command -v bash >/dev/null && exec bash; exec sh"
	argv := s.Compose("exec", cmp.Or(service, application), "sh", "-c", shell)
	if inst.Get("server") == instance.Here {
		return local.Root(argv...), nil
	}
	line := []string{"ssh", "-t", "-o", "LogLevel=ERROR", "-o", "ConnectTimeout=10"}
	if config := inst.Get("ssh_config"); config != "" {
		line = append(line, "-F", config)
	}
	root := append([]string{"sh", "-c", `[ "$(id -u)" = 0 ] || set -- sudo -n -- "$@"; exec "$@"`, "sh"}, argv...)
	at, err := address.Parse(inst.Get("server"))
	if err != nil {
		return nil, err
	}
	return append(append(line, at.SSH()...), local.Quote(root...)), nil
}

// Restart restarts an instance's containers, or those of one service, under its
// lock, and waits until they are healthy again. It does not answer meanwhile.
//
// An interruption ends the waiting: the engine goes on with a restart that it
// has begun.
func Restart(ctx context.Context, name, service string) error {
	if err := checkService(service); err != nil {
		return err
	}
	s, inst, err := open(ctx, name)
	if err != nil {
		return err
	}
	defer s.Close()
	what, subject, only := "restart", name, []string(nil)
	if service != "" {
		what, subject, only = "restart "+service, name+"'s "+service, []string{service}
	}
	lock, err := s.Lock(target.Operator(), what)
	if err != nil {
		return err
	}
	defer lock.Release()
	start := time.Now()
	err = s.Audited(target.Operator(), what, func() error {
		console.Say("%s restarts: it does not answer meanwhile", subject)
		defer console.Pulse(10*time.Second, console.Say, "waiting until it is healthy")()
		restarted := make(chan error, 1)
		go func() { restarted <- restart(s, inst.Get("healthcheck_timeout"), inst.Get("request_timeout"), only) }()
		select {
		case err := <-restarted:
			return err
		case <-ctx.Done():
			return fmt.Errorf("interrupted while %s restarts\n"+
				"hint: what has begun goes on; mage ops:status -instance=%s tells how it ends", subject, name)
		}
	})
	if err != nil {
		return err
	}
	took := time.Since(start).Round(100 * time.Millisecond)
	out, err := s.Output("docker", "ps", "--filter", "label=com.docker.compose.project="+s.Project,
		"--format", `{{.Label "com.docker.compose.service"}} {{.Status}}`)
	if err != nil {
		return said("it is restarted; whether it is healthy can't be asked", name, err)
	}
	if unchecked := withoutCheck(out, only); len(unchecked) > 0 {
		console.Done("%s: restarted, and runs after %s; whether %s works no health check tells",
			subject, took, strings.Join(unchecked, ", "))
		return nil
	}
	console.Done("%s: restarted, and healthy after %s", subject, took)
	return nil
}

// withoutCheck returns which of some services, of all if there are none, have no
// health check that says that they are well: docker ps has told SERVICE STATUS.
func withoutCheck(told string, only []string) (services []string) {
	for line := range strings.Lines(told) {
		service, status, _ := strings.Cut(strings.TrimSpace(line), " ")
		if service != "" && (len(only) == 0 || slices.Contains(only, service)) && !strings.HasSuffix(status, "(healthy)") {
			services = append(services, service)
		}
	}
	slices.Sort(services)
	return slices.Compact(services)
}

// restart restarts services, all if there are none, and waits up to timeout, in
// seconds, until they are healthy. What the application serves has requests
// seconds to end.
func restart(s *target.Target, timeout, requests string, services []string) error {
	// A deployment whose caller is gone has given up the lock, and may still be
	// at work on the server; a backup that began meanwhile would lose its database.
	work, err := s.Work(3 * time.Minute)
	if errors.Is(err, target.ErrAtWork) {
		return err
	}
	if err != nil {
		return said("it can't be held", s.Name, err)
	}
	defer work.Release()
	all := services
	if len(all) == 0 {
		out, err := s.Output(s.Compose("config", "--services")...)
		if err != nil {
			return said("its services can't be listed", s.Name, err)
		}
		all = strings.Fields(out)
	}
	for _, service := range all {
		if service == application && gently(s, requests) == nil {
			continue
		}
		if _, err := s.Output(s.Compose("restart", service)...); err != nil {
			return said("it could not be restarted", s.Name, err)
		}
	}
	// Nothing is made anew: this only waits, and starts what was not running.
	up := append([]string{"up", "--detach", "--no-recreate", "--wait", "--wait-timeout", timeout}, services...)
	if _, err := s.Output(s.Compose(up...)...); err != nil {
		return said("it is restarted, but not healthy", s.Name, err)
	}
	return nil
}

// gently restarts the application after what it serves.
func gently(s *target.Target, requests string) error {
	ids, err := s.Output("docker", "ps", "--quiet", "--filter", "label=com.docker.compose.project="+s.Project,
		"--filter", "label=com.docker.compose.service="+application)
	if err != nil {
		return err
	}
	_, err = s.Ask(append([]string{"restart", "-within=" + requests + "s"}, strings.Fields(ids)...)...).String()
	return err
}

// said returns a problem with the last line of what a command said about it.
func said(problem, name string, err error) error {
	return fmt.Errorf("%s: %s: %s\nhint: mage ops:logs %s", name, problem, local.LastLines(local.Said(err), 1), name)
}
