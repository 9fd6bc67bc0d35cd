package bigsudo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"path"
	"path/filepath"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/local"
)

// Run does what words ask for, as [Usage] has it, for the project whose root is
// given. Its last line on standard output is the outcome. The error is an
// [*ExitError] where Ansible ran and failed.
func Run(ctx context.Context, root string, words ...string) error {
	if len(words) > 0 {
		switch words[0] {
		case "-h", "--help", "help":
			fmt.Println(Usage)
			return nil
		case "roleinstall", "roleup", "reqinstall":
			return install(ctx, root, words[0], words[1:])
		}
	}
	request, err := Parse(words)
	if err != nil {
		return err
	}
	return request.Run(ctx, root)
}

// Run does what the request asks for, as [Run] does.
func (r Request) Run(ctx context.Context, root string) error {
	start := time.Now()
	command, doubtful, err := r.command(ctx, root)
	if err != nil {
		return err
	}
	recap, err := command.Run(ctx)
	if err == nil {
		err = r.idle(command, recap, doubtful)
	}
	if exit, ok := errors.AsType[*ExitError](err); ok {
		exit.What = r.Source
		return exit
	}
	if err == nil && recap.Hosts > 0 { // there is no recap of --list-tasks and the like
		hosts := "1 host"
		if recap.Hosts > 1 {
			hosts = fmt.Sprintf("%d hosts", recap.Hosts)
		}
		took := time.Since(start).Round(100 * time.Millisecond)
		console.Done("%s: done, changed=%d on %s (%s)", r.Source, recap.Changed, hosts, took)
	}
	return err
}

// command returns the request's command line, once the role or the playbook is
// on this machine. Of its tags that are doubtful, only the run can tell whether
// anything has them.
func (r Request) command(ctx context.Context, root string) (command Command, doubtful []string, err error) {
	roles := newLibrary(root, os.Environ())
	command = Command{
		Hosts: r.Hosts, Objects: r.Vars, Args: r.Args, NoSudo: r.NoSudo, Root: root, Env: []string{roles.environ()},
	}
	if err := command.Check(); err != nil {
		return command, nil, err
	}
	tags := selectionOf(r.Args, os.Environ())
	if r.Kind == "tasks" || r.isPlaybook() {
		file, err := playbook(ctx, r.Source)
		if err != nil {
			return command, nil, err
		}
		command.Playbook = file
		found := roles.ofPlaybook(file)
		if r.Kind == "tasks" {
			command.Playbook = filepath.Join(command.Root, "ansible", "bigsudo", "tasks.yml")
			if file, err = filepath.Abs(file); err != nil {
				return command, nil, err
			}
			command.Vars = map[string]any{"apply_file": file}
			found = roles.ofTasks(file)
		} else if ours, err := filepath.Abs(filepath.Join(root, "ansible", "deploy.yml")); err == nil {
			if named, _ := filepath.Abs(file); named == ours { // it has the role's variables
				if command.Objects, err = roles.told("compose", nil, r); err != nil {
					return command, nil, err
				}
			}
		}
		doubtful, err = found.check(r.Source, tags)
		return command, doubtful, err
	}
	role, err := roles.get(ctx, r.Source)
	if err != nil {
		return command, nil, err
	}
	if err := role.checkTasks(r.Tasks); err != nil {
		return command, nil, err
	}
	tasks := r.Tasks
	if len(tasks) == 0 {
		tasks = []string{"main"}
	}
	if _, own := roles.own(r.Source); own {
		if command.Objects, err = roles.told(role.name, tasks, r); err != nil {
			return command, nil, err
		}
	}
	command.Playbook = filepath.Join(command.Root, "ansible", "bigsudo", "role.yml")
	command.Vars = map[string]any{"apply_role": role.name, "apply_tasks": tasks}
	if opening := tags.opening(); len(opening) > 0 {
		command.Vars["apply_tags"] = opening
	}
	doubtful, err = roles.ofRole(role, tasks).check(r.Source, tags)
	return command, doubtful, err
}

// told returns the request's variables under the names that one of our own roles has
// for them.
func (l *library) told(role string, tasks []string, r Request) ([]string, error) {
	p := l.parameters(role, tasks)
	objects, err := p.translate(r.Vars)
	return objects, errors.Join(err, p.checkArgs(r.Args))
}

// idle returns an error for a run that did nothing, and that Ansible calls done all
// the same: none of its tasks has one of the tags that are doubtful.
func (r Request) idle(command Command, recap Recap, doubtful []string) error {
	if len(doubtful) == 0 || recap.Ran > 0 || !command.recaps(os.Environ()) {
		return nil
	}
	return &failure{fmt.Errorf("%s: no task was run with the tags %s\n"+
		"hint: a task that is included is selected by tags of its own, and only where what includes it is, too",
		r.Source, strings.Join(doubtful, ", ")), 1}
}

// playbook returns the path of a playbook, which is fetched if it is not here.
func playbook(ctx context.Context, source string) (string, error) {
	if isURL(source) {
		return fetch(ctx, source)
	}
	if _, err := os.Stat(source); err != nil {
		return "", fmt.Errorf("there is no playbook at %s", source)
	}
	return source, nil
}

// maxPlaybook is the size, in bytes, beyond which nothing is a playbook.
const maxPlaybook = 1 << 20

// fetch gets a playbook and returns the path of its copy in this user's cache,
// whose name follows from its content.
func fetch(ctx context.Context, source string) (string, error) {
	fail := func(err error) (string, error) {
		return "", fmt.Errorf("playbook %s can't be fetched: %w", source, err)
	}
	u, err := checkURL(source)
	if err != nil {
		return "", err
	}
	if u.Scheme == "file" {
		return u.Path, nil
	}
	client := http.Client{
		Timeout: 30 * time.Second,
		CheckRedirect: func(request *http.Request, before []*http.Request) error {
			if len(before) > 5 {
				return errors.New("it is redirected again and again")
			}
			if request.URL.Scheme != "https" && !loopback(request.URL.Hostname()) {
				return fmt.Errorf("it is redirected to %s, where anybody could change it", request.URL.Host)
			}
			return nil
		},
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, source, nil)
	if err != nil {
		return fail(err)
	}
	response, err := client.Do(request)
	if err != nil {
		return fail(err)
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fail(fmt.Errorf("the server answers %s", response.Status))
	}
	content, err := io.ReadAll(io.LimitReader(response.Body, maxPlaybook+1))
	if err != nil {
		return fail(err)
	}
	if len(content) > maxPlaybook {
		return fail(fmt.Errorf("it is larger than %d bytes", maxPlaybook))
	}
	name, extension := path.Base(u.Path), path.Ext(u.Path)
	copied := cached(strings.TrimSuffix(name, extension), extension, string(content))
	return copied, local.WriteFile(copied, string(content), 0o600)
}

// install does roleinstall, roleup and reqinstall.
func install(ctx context.Context, root, command string, words []string) error {
	start := time.Now()
	what, options := beforeOptions(words)
	roles := newLibrary(root, os.Environ())
	roles.args, roles.anew = options, command == "roleup"
	if command == "reqinstall" && len(what) == 0 {
		what = []string{"requirements.yml"}
	}
	if len(what) == 0 {
		return fmt.Errorf("there is no role\nhint: the grammar is\n%s", Usage)
	}
	var errs []error
	for _, source := range what {
		if command == "reqinstall" {
			errs = append(errs, roles.requirements(ctx, source))
		} else {
			errs = append(errs, roles.add(ctx, source))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return exiting(err)
	}
	took := time.Since(start).Round(100 * time.Millisecond)
	console.Done("%s %s: done (%s)", command, strings.Join(what, " "), took)
	return nil
}

// add installs the role that source names; one that is a folder is linked to.
func (l *library) add(ctx context.Context, source string) error {
	if playbookSource(source) {
		return fmt.Errorf("%s is a playbook, and only roles are installed", source)
	}
	if err := checkSource(source); err != nil {
		return err
	}
	role, err := l.get(ctx, source)
	if err != nil {
		return err
	}
	if filepath.IsAbs(role.name) {
		return l.link(role.dir)
	}
	return nil
}

// exiting returns err as one that ends with Ansible's exit status, if it has one.
func exiting(err error) error {
	if exit, ok := errors.AsType[*ExitError](err); ok {
		return &failure{err, exit.ExitStatus()}
	}
	return err
}

// failure is an error that mage ends with a status for, whatever it wraps.
type failure struct {
	error
	status int
}

// ExitStatus returns the status to end with.
func (f *failure) ExitStatus() int { return f.status }

// Unwrap returns the error itself.
func (f *failure) Unwrap() error { return f.error }
