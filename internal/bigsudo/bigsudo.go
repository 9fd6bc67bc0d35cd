// Package bigsudo builds ansible-playbook command lines and runs them, as the
// Python program of the same name does: a role or a playbook, hosts, variables.
//
// It knows Ansible's options, and nothing of what the roles and playbooks do.
// Every value goes to Ansible as one argument, which no shell parses. Whoever
// calls must keep secrets out of it: the command line is printed, and everybody
// on the machine can read it. Secrets go by the environment.
//
// What Ansible does with a variable is Ansible's: it holds {{ … }} in a value
// for a template, and fills it in when a task uses it, as it does for its own
// --extra-vars. The JSON object {"name": {"__ansible_unsafe": "{{ … }}"}} is
// its way to say that a value is no template.
package bigsudo

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
	"unicode/utf8"

	"github.com/betagouv/mrs-ops/internal/address"
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/local"
)

// Command is one run of a playbook.
type Command struct {
	Playbook string         // a path
	Hosts    []string       // [USER@]HOST[:PORT] or @HOST[:PORT]; none, or localhost alone: this machine, with no SSH
	Vars     map[string]any // extra variables, in JSON where they are not strings
	Objects  []string       // more extra variables, as JSON objects; a later one wins
	Env      []string       // "NAME=value", shown with the command line: nothing secret
	Args     []string       // more options for ansible-playbook; they win
	NoSudo   bool           // do not become root
	Root     string         // the project's root, where ansible/ is; empty: the working directory
}

// Argv returns the command line. Each variable is a JSON object of its own, so
// that nothing parses its value again. It is meaningful where [Command.Check]
// finds nothing.
//
// An inventory among the Args stands in place of ours: the hosts then limit the
// run to some of its own.
func (c Command) Argv() []string {
	argv := append([]string{"ansible-playbook"}, c.aim()...)
	// Root on its own machine has nothing to become, and may have no sudo.
	if !c.NoSudo && (!c.local() || os.Geteuid() != 0) {
		argv = append(argv, "--become")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Vars)) {
		object, err := object(name, c.Vars[name])
		if err != nil {
			continue // Check says so
		}
		argv = append(argv, "--extra-vars", object)
	}
	for _, object := range c.Objects {
		argv = append(argv, "--extra-vars", object)
	}
	// The options of the caller are last, so that they win, and so that one that
	// lacks its value does not take the playbook for it.
	argv = append(argv, c.Playbook)
	return append(argv, c.Args...)
}

// aim returns the options that say where to run and as whom.
func (c Command) aim() []string {
	var argv, names []string
	for _, host := range c.Hosts {
		names = append(names, splitHost(host).Host)
	}
	user, same := c.user()
	path, _ := c.inventory()
	switch {
	case given(c.Args, "inventory"):
		if len(names) > 0 {
			argv = append(argv, "--limit", strings.Join(names, ","))
		}
	case len(names) == 0:
		argv = append(argv, "--inventory", "localhost,")
	case path != "":
		argv = append(argv, "--inventory", path)
		same = false // it says who the users are
	default:
		argv = append(argv, "--inventory", strings.Join(names, ",")+",")
	}
	if c.local() {
		argv = append(argv, "--connection", "local")
	}
	if same && user != "" {
		argv = append(argv, "--user", user)
	}
	return argv
}

// local reports whether the run needs no SSH.
func (c Command) local() bool {
	if given(c.Args, "inventory") {
		return false
	}
	if len(c.Hosts) == 1 {
		only := splitHost(c.Hosts[0])
		return only.Host == "localhost" && only.Port == 0
	}
	return len(c.Hosts) == 0
}

// user returns the one user of all hosts, empty for the operator's own; same is
// false where there is no such user.
func (c Command) user() (user string, same bool) {
	for i, host := range c.Hosts {
		u := splitHost(host).User
		if i > 0 && u != user {
			return "", false
		}
		user = u
	}
	return user, true
}

// inventory returns the file that says who each host's user is and which its
// port, where no option of Ansible's can say it, and its content; else nothing.
// The name follows from the content, so that a command line that was printed
// stays true.
func (c Command) inventory() (path, content string) {
	_, needless := c.user()
	for _, host := range c.Hosts {
		h := splitHost(host)
		content += h.Host
		if h.Port != 0 {
			content += fmt.Sprintf(" ansible_port=%d", h.Port)
			needless = false
		}
		if h.User != "" {
			content += " ansible_user=" + h.User
		}
		content += "\n"
	}
	if needless {
		return "", ""
	}
	return cached("hosts", ".ini", content), content
}

// cached returns the path, in this user's cache, of what has the content given.
func cached(name, extension, content string) string {
	dir, err := os.UserCacheDir()
	if err != nil { // no HOME: what is written there is public all the same
		dir = os.TempDir()
	}
	sum := sha256.Sum256([]byte(content))
	return filepath.Join(dir, "mrs-ops", "bigsudo", fmt.Sprintf("%s-%x%s", name, sum[:6], extension))
}

// object returns the JSON object {name: value}.
func object(name string, value any) (string, error) {
	if s, ok := value.(string); ok && !utf8.ValidString(s) {
		return "", fmt.Errorf("variable %s is not UTF-8 text, so Ansible can't receive it", name)
	}
	var buffer bytes.Buffer
	encoder := json.NewEncoder(&buffer)
	encoder.SetEscapeHTML(false)
	if err := encoder.Encode(map[string]any{name: value}); err != nil {
		return "", fmt.Errorf("variable %s: %w", name, err)
	}
	return strings.TrimSuffix(buffer.String(), "\n"), nil
}

// splitHost returns the parts of [USER@]HOST[:PORT] or @HOST[:PORT], which
// checkHost finds nothing wrong with.
func splitHost(word string) address.Address {
	a, err := address.Parse(strings.TrimPrefix(word, "@"))
	if err != nil {
		return address.Address{Host: word}
	}
	return a
}

// checkHost returns an error if word is not [USER@]HOST[:PORT] or @HOST[:PORT].
func checkHost(word string) error {
	if _, err := address.Parse(strings.TrimPrefix(word, "@")); err != nil {
		return fmt.Errorf("%q is no host: %w", word, err)
	}
	return nil
}

// checkTwice returns an error if a host is named twice, with different users or
// ports: Ansible knows a host by its name, and would do all at the last of them.
func (c Command) checkTwice() error {
	var errs []error
	named := map[string]string{}
	for _, word := range c.Hosts {
		at := splitHost(word)
		if before, twice := named[at.Host]; twice && splitHost(before) != at {
			errs = append(errs, fmt.Errorf("%s and %s are one host to Ansible, which would go to one of them only\n"+
				"hint: name them in two runs", before, word))
		}
		named[at.Host] = word
	}
	return errors.Join(errs...)
}

// Check returns everything that keeps the command from being run.
func (c Command) Check() error {
	var errs []error
	for _, host := range c.Hosts {
		errs = append(errs, checkHost(host))
	}
	if given(c.Args, "inventory") {
		if _, same := c.user(); !same {
			errs = append(errs, errors.New("the hosts have different users, and an inventory is given\n"+
				"hint: say in the inventory who they are, by ansible_user"))
		}
		if slices.ContainsFunc(c.Hosts, func(word string) bool { return splitHost(word).Port != 0 }) {
			errs = append(errs, errors.New("a host has a port, and an inventory is given\n"+
				"hint: say the port in the inventory, by ansible_port"))
		}
	}
	errs = append(errs, c.checkTwice())
	for _, name := range slices.Sorted(maps.Keys(c.Vars)) {
		_, err := object(name, c.Vars[name])
		errs = append(errs, err)
	}
	if port := os.Getenv("SSHPORT"); port != "" && !c.local() {
		if n, err := strconv.Atoi(port); err != nil || n < 1 || n > 65535 {
			errs = append(errs, fmt.Errorf("SSHPORT is %q, which is no port: it is a number from 1 to 65535", port))
		}
	}
	if strings.HasPrefix(c.Playbook, "-") {
		errs = append(errs, fmt.Errorf("playbook %q begins with a dash\nhint: ./%s", c.Playbook, c.Playbook))
	}
	return errors.Join(errs...)
}

// environ returns what the command's environment has beside outer, the
// environment of this process, and what there is to tell about it.
//
// Connections are shared and kept for two minutes (ControlMaster,
// ControlPersist), at the port SSHPORT if it is set. Where the caller gives SSH
// arguments of their own, by option or by Ansible's variables, these stand alone.
func (c Command) environ(outer []string) (env []string, note string) {
	env = []string{"ANSIBLE_CONFIG=" + filepath.Join(c.Root, "ansible", "ansible.cfg")}
	if !c.local() {
		port := lookup(outer, "SSHPORT")
		if own := c.sshArguments(outer); own != "" {
			if port != "" {
				note = "SSHPORT is left aside: " + own + " says how to connect"
			}
		} else {
			env = append(env, "ANSIBLE_SSH_ARGS=-C -o ControlMaster=auto -o ControlPersist=120s")
			if port != "" {
				env = append(env, "ANSIBLE_REMOTE_PORT="+port)
			}
		}
	}
	return append(env, c.Env...), note
}

// sshArguments names where the caller says how to connect; empty for nowhere.
func (c Command) sshArguments(outer []string) string {
	for _, option := range []string{"ssh-common-args", "ssh-extra-args"} {
		if given(c.Args, option) {
			return "--" + option
		}
	}
	for _, name := range []string{"ANSIBLE_SSH_ARGS", "ANSIBLE_SSH_COMMON_ARGS", "ANSIBLE_SSH_EXTRA_ARGS"} {
		if lookup(outer, name) != "" || lookup(c.Env, name) != "" {
			return name
		}
	}
	return ""
}

// lookup returns the value of name among "NAME=value" pairs, of which the last
// wins.
func lookup(env []string, name string) string {
	for _, pair := range slices.Backward(env) {
		if value, found := strings.CutPrefix(pair, name+"="); found {
			return value
		}
	}
	return ""
}

// ExitError is a run of Ansible's that ended with an exit status other than 0.
type ExitError struct {
	What string // what was run
	Err  error  // how it ended
}

// Error says what was run, and how it ended in words where the status has some.
func (e *ExitError) Error() string {
	// The meanings are those of ansible/executor/task_queue_manager.py and
	// ansible/cli/__init__.py; 1 and 250 are Ansible's own errors.
	meaning := map[int]string{
		2:  "a task failed; it is shown above",
		3:  "a task failed; it is shown above",
		4:  "a host can't be reached; why is shown above\nhint: does `ssh HOST true` work?",
		5:  "ansible-playbook does not know an option; it is shown above",
		99: "it was interrupted",
	}[e.ExitStatus()]
	return fmt.Sprintf("%s: %v: %s", e.What, e.Err, cmp.Or(meaning, "the reason is shown above"))
}

// ExitStatus returns Ansible's exit status, which mage ends with too; 1 where a
// signal ended it.
func (e *ExitError) ExitStatus() int {
	return max(1, local.ExitCode(e.Err))
}

// Unwrap returns how the run ended.
func (e *ExitError) Unwrap() error { return e.Err }

// Recap is what a run changed, summed over the hosts.
type Recap struct {
	Hosts, Changed int
	// Ran is how many tasks were run, or skipped for another reason than their tags.
	// That a play looks at its hosts is none, nor that tasks are included.
	Ran int
}

// Line returns the command line in a form that can be pasted into a shell.
func (c Command) Line() string {
	env, _ := c.environ(os.Environ())
	var assignments string
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		assignments += name + "=" + local.Quote(value) + " "
	}
	return assignments + local.Quote(c.Argv()...)
}

// patience is how long Ansible may go on after ctx has ended. An interruption
// reaches it by itself, through the terminal, and it is Ansible that ends its
// tasks; other ends of ctx do not.
const patience = 2 * time.Second

// Run prints the command line in a form that can be pasted into a shell, runs it
// in this process's environment and on its standard input, and shows what
// Ansible says as it says it. Ansible ends with ctx, and with this process.
//
// The error is an [*ExitError] where Ansible ran and failed; a run that did nothing
// on any host is an error, too.
func (c Command) Run(ctx context.Context) (Recap, error) {
	if err := c.Check(); err != nil {
		return Recap{}, err
	}
	if err := c.writeInventory(); err != nil {
		return Recap{}, err
	}
	env, note := c.environ(os.Environ())
	if note != "" {
		console.Say("%s", note)
	}
	argv := c.Argv()
	console.Say("+ %s", c.Line())
	environ := append(os.Environ(), env...)
	if console.Colour(os.Stdout) {
		environ = append(environ, "ANSIBLE_FORCE_COLOR=1")
	}
	// Not a script pipeline: a role that asks needs the terminal itself.
	var recap recapWriter
	cmd := exec.CommandContext(context.WithoutCancel(ctx), argv[0], argv[1:]...)
	cmd.Env = environ
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, &recap, os.Stderr
	local.DieWithUs(cmd)
	err := cmd.Start()
	if err == nil {
		stop := context.AfterFunc(ctx, func() {
			time.Sleep(patience)
			_ = cmd.Process.Signal(syscall.SIGTERM)
		})
		err = cmd.Wait()
		stop()
	}
	if _, ran := errors.AsType[*exec.ExitError](err); ran {
		err = &ExitError{What: c.Playbook, Err: err}
	}
	if err == nil && recap.Hosts == 0 && c.recaps(environ) {
		// Ansible ends with 0.
		err = &failure{fmt.Errorf("%s: nothing was run on any host; why is shown above\n"+
			"hint: does the playbook name a host of those given, and has it what --start-at-task and tags name, "+
			"also those in ANSIBLE_RUN_TAGS and ANSIBLE_SKIP_TAGS?", c.Playbook), 1}
	}
	return recap.Recap, err
}

// listings are the options by which ansible-playbook runs nothing.
var listings = []string{"list-hosts", "list-tasks", "list-tags", "syntax-check", "version", "help"}

// recaps reports whether a run ends with a recap of the form that is known: one that
// only lists has none, and who asks Ansible to speak in another way gets another.
func (c Command) recaps(environ []string) bool {
	lists := slices.Contains(c.Args, "-h") ||
		slices.ContainsFunc(listings, func(option string) bool { return given(c.Args, option) })
	return !lists && lookup(environ, "ANSIBLE_STDOUT_CALLBACK") == ""
}

// writeInventory writes the inventory that the command line names, if it names
// one of ours, and tells what is in it.
func (c Command) writeInventory() error {
	path, content := c.inventory()
	if path == "" || given(c.Args, "inventory") {
		return nil
	}
	console.Say("%s has:\n  %s", path, strings.ReplaceAll(strings.TrimSpace(content), "\n", "\n  "))
	return local.WriteFile(path, content, 0o600)
}

// colour is what Ansible puts around the numbers where it shows colour.
var colour = regexp.MustCompile(`\x1b\[[0-9;]*m`)

var (
	recapLine = regexp.MustCompile(`\bok=(\d+)\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)(?:\s+skipped=(\d+))?`)
	// banner begins what is told of a task; gathered and included are of tasks that
	// count as run, and do nothing of their own, as one of python.yml.
	banner   = regexp.MustCompile(`^[A-Z][A-Z ]* \[(.*)\] \**$`)
	gathered = regexp.MustCompile(`^(ok|changed): \[`)
	included = regexp.MustCompile(`^included: .* for ([^=]*)`)
)

// recapWriter shows what Ansible says, and sums the lines of its recap.
type recapWriter struct {
	Recap
	line []byte // begun, not ended
	task string // which is told of
}

func (w *recapWriter) Write(p []byte) (int, error) {
	w.line = append(w.line, p...)
	end := bytes.LastIndexByte(w.line, '\n') + 1
	w.add(string(w.line[:end]))
	w.line = append(w.line[:0], w.line[end:]...)
	return os.Stdout.Write(p)
}

// add reads whole lines of what Ansible says.
func (w *recapWriter) add(text string) {
	for line := range strings.Lines(colour.ReplaceAllString(text, "")) {
		w.read(strings.TrimRight(line, "\r\n"))
	}
}

func (w *recapWriter) read(line string) {
	if m := banner.FindStringSubmatch(line); m != nil {
		w.task = m[1]
	}
	switch m := included.FindStringSubmatch(line); {
	case m != nil:
		w.Ran -= strings.Count(m[1], ",") + 1
	case (w.task == "Gathering Facts" || w.task == "Have Python") && gathered.MatchString(line):
		w.Ran--
	}
	if m := recapLine.FindStringSubmatch(line); m != nil {
		numbers := make([]int, len(m))
		for i, digits := range m[1:] {
			numbers[i], _ = strconv.Atoi(digits)
		}
		w.Hosts++
		w.Changed += numbers[1]
		w.Ran += numbers[0] + numbers[3] + numbers[4]
	}
}
