package bigsudo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/local"
)

// role is a role that is there to be applied.
type role struct {
	name string // what Ansible finds it by: its name, or its folder's absolute path
	dir  string
}

// library is where roles are found, and how they get there.
type library struct {
	root string   // the project's root
	path []string // folders of roles besides our own; the first is where they are installed
	args []string // more options for ansible-galaxy
	anew bool     // install what is installed, too

	done map[string]bool // what was looked at, so that roles may require each other
}

// newLibrary returns the library of an environment. Without ANSIBLE_ROLES_PATH
// roles are where Ansible has them by default (Ansible, Configuration Settings,
// DEFAULT_ROLES_PATH).
func newLibrary(root string, environ []string) *library {
	path := filepath.SplitList(lookup(environ, "ANSIBLE_ROLES_PATH"))
	if len(path) == 0 {
		path = []string{"~/.ansible/roles", "/usr/share/ansible/roles", "/etc/ansible/roles"}
	}
	for i, dir := range path {
		if rest, found := strings.CutPrefix(dir, "~/"); found {
			path[i] = filepath.Join(lookup(environ, "HOME"), rest)
		}
	}
	return &library{root: root, path: path, done: map[string]bool{}}
}

// environ returns how Ansible finds the library's roles, ours first.
func (l *library) environ() string {
	return "ANSIBLE_ROLES_PATH=" + strings.Join(append([]string{l.ours("")}, l.path...), string(filepath.ListSeparator))
}

// ours returns the folder of one of the project's own roles.
func (l *library) ours(name string) string {
	return filepath.Join(l.root, "ansible", "roles", name)
}

// own returns the project's own role for NAME or yourlabs.NAME.
func (l *library) own(source string) (role, bool) {
	name := strings.TrimPrefix(source, "yourlabs.")
	if !roleName.MatchString(name) || !isRole(l.ours(name)) {
		return role{}, false
	}
	return role{name, l.ours(name)}, true
}

// isRole reports whether dir has what makes a role.
func isRole(dir string) bool { return isDir(filepath.Join(dir, "tasks")) }

// find returns where an installed role is.
func (l *library) find(name string) (dir string, found bool) {
	for _, folder := range l.path {
		if dir := filepath.Join(folder, name); isRole(dir) {
			return dir, true
		}
	}
	return "", false
}

// get returns the role that source names, installed with all it requires.
func (l *library) get(ctx context.Context, source string) (role, error) {
	if r, found := l.own(source); found {
		console.Say("%s is this project's own role: %s", source, r.dir)
		return r, l.require(ctx, r.dir)
	}
	if !isURL(source) && (isPath(source) || isRole(source)) && isDir(source) {
		dir, err := filepath.Abs(source)
		if err != nil {
			return role{}, err
		}
		if !isRole(dir) {
			return role{}, fmt.Errorf("%s is no role: it has no folder tasks", source)
		}
		return role{dir, dir}, l.require(ctx, dir)
	}
	bare := false
	if isPath(source) && !isURL(source) {
		switch {
		case hosted.MatchString(source):
			source = "https://" + source
		case onGitHub.MatchString(source):
			source = "https://github.com/" + source
			console.Say("%s is no folder here; it is looked for on GitHub", strings.TrimPrefix(source, "https://github.com/"))
		default:
			return role{}, fmt.Errorf("there is no role at %s", source)
		}
		bare = true
	}
	r, err := parseRemote(source)
	if err != nil {
		return role{}, err
	}
	r.bare = bare
	if dir, missing := l.lacks(r); !missing {
		console.Say("%s is already in %s; bigsudo roleup brings its newest version", r.name, dir)
	}
	dir, err := l.install(ctx, r)
	return role{r.name, dir}, err
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// lacks reports whether a role is to be installed: it is missing, or there in
// another version than asked for, or all is to be installed anew. It returns
// where the role is now, if it is there.
func (l *library) lacks(r remote) (dir string, lacking bool) {
	dir, found := l.find(r.name)
	other := r.version != "" && r.version != installedVersion(dir)
	return dir, !found || other || l.anew
}

// install installs a role, if the library lacks it, and what it requires.
func (l *library) install(ctx context.Context, r remote) (dir string, err error) {
	dir, lacking := l.lacks(r)
	if l.done[r.name] && dir != "" {
		return dir, nil
	}
	l.done[r.name] = true
	if lacking {
		err := galaxy(ctx, l.galaxyArgv(r, dir != ""), r.otherwise() != "")
		if other := r.otherwise(); err != nil && other != "" {
			console.Say("%s was not got by %s; now by %s", r.name, r.src, other)
			r.src = other
			err = galaxy(ctx, l.galaxyArgv(r, dir != ""), false)
		}
		if err != nil {
			return "", fmt.Errorf("role %s was not installed: %w", r.name, err)
		}
		var found bool
		if dir, found = l.find(r.name); !found {
			return "", fmt.Errorf("ansible-galaxy did not install %s in %s", r.name, l.path[0])
		}
	}
	return dir, l.require(ctx, dir)
}

// galaxyArgv returns the command line that installs r, over what there is if
// force.
func (l *library) galaxyArgv(r remote, force bool) []string {
	argv := []string{"ansible-galaxy", "role", "install", "--roles-path", l.path[0]}
	if force {
		argv = append(argv, "--force")
	}
	return append(append(argv, l.args...), r.spec())
}

// galaxy prints the command line and runs it. Git asks nobody for a password or a
// key's where there is another way to try.
func galaxy(ctx context.Context, argv []string, silent bool) error {
	console.Say("+ %s", local.Quote(argv...))
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	// What it says is about the role, not what was asked for.
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stderr, os.Stderr
	if silent {
		cmd.Env = append([]string{"GIT_SSH_COMMAND=ssh -o BatchMode=yes"}, append(os.Environ(), "GIT_TERMINAL_PROMPT=0")...)
	}
	err := cmd.Run()
	if _, ran := errors.AsType[*exec.ExitError](err); ran {
		return &ExitError{What: strings.Join(argv[:3], " "), Err: err}
	}
	return err
}

// installedVersion returns the version that ansible-galaxy noted in a role's
// folder; empty where it is unknown.
func installedVersion(dir string) string {
	var info struct{ Version string }
	text, err := os.ReadFile(filepath.Join(dir, "meta", ".galaxy_install_info"))
	if err != nil || yaml.Unmarshal(text, &info) != nil {
		return ""
	}
	return info.Version
}

// require installs what the role in dir requires.
func (l *library) require(ctx context.Context, dir string) error {
	err := l.requirements(ctx, filepath.Join(dir, "requirements.yml"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// requirements installs what a file requires, recursively.
func (l *library) requirements(ctx context.Context, file string) error {
	if l.done[file] {
		return nil
	}
	l.done[file] = true
	text, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	required, err := parseRequirements(text)
	if err != nil {
		return fmt.Errorf("%s: %w", file, err)
	}
	var errs []error
	for _, r := range required.roles {
		if _, err := l.install(ctx, r); err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", file, err))
		}
	}
	for _, include := range required.includes {
		errs = append(errs, l.requirements(ctx, filepath.Join(filepath.Dir(file), include)))
	}
	if required.collections {
		errs = append(errs, galaxy(ctx, l.collectionsArgv(file), false))
	}
	return errors.Join(errs...)
}

// collectionsArgv returns the command line that installs the collections which
// file requires.
func (l *library) collectionsArgv(file string) []string {
	argv := []string{"ansible-galaxy", "collection", "install", "--requirements-file", file}
	if l.anew {
		argv = append(argv, "--upgrade")
	}
	return append(argv, l.args...)
}

// required is what a requirements.yml asks for.
type required struct {
	roles       []remote
	includes    []string // other such files, from its folder
	collections bool
}

// parseRequirements reads a requirements.yml: a list of roles, or a map that has
// one and a list of collections (Ansible, Galaxy User Guide, "Installing
// multiple roles from a file").
func parseRequirements(text []byte) (required, error) {
	var document yaml.Node
	if err := yaml.Unmarshal(text, &document); err != nil {
		return required{}, err
	}
	var file struct{ Roles, Collections []yaml.Node }
	if len(document.Content) == 0 {
		return required{}, nil // an empty file
	}
	if document.Content[0].Kind == yaml.MappingNode {
		if err := document.Decode(&file); err != nil {
			return required{}, err
		}
	} else if err := document.Decode(&file.Roles); err != nil {
		return required{}, err
	}
	r := required{collections: len(file.Collections) > 0}
	var errs []error
	for _, node := range file.Roles {
		errs = append(errs, r.add(node))
	}
	return r, errors.Join(errs...)
}

// add reads one entry of the list of roles.
func (r *required) add(node yaml.Node) error {
	var entry struct{ Src, Scm, Version, Name, Include string }
	var into any = &entry
	if node.Kind == yaml.ScalarNode {
		into = &entry.Src
	}
	if err := node.Decode(into); err != nil {
		return err
	}
	if entry.Include != "" {
		r.includes = append(r.includes, entry.Include)
		return nil
	}
	entry.Src = cmp.Or(entry.Src, entry.Name) // as Ansible has it: the name of Galaxy's
	if entry.Scm != "" && !strings.Contains(entry.Src, "+") {
		entry.Src = entry.Scm + "+" + entry.Src
	}
	if entry.Version != "" {
		entry.Src += "," + entry.Version
	}
	role, err := parseRemote(entry.Src)
	if err != nil {
		return fmt.Errorf("line %d: %w", node.Line, err)
	}
	if entry.Name != "" && entry.Name != role.name {
		if !roleName.MatchString(entry.Name) {
			return fmt.Errorf("line %d: %q is no role's name", node.Line, entry.Name)
		}
		role.name, role.renamed = entry.Name, true
	}
	r.roles = append(r.roles, role)
	return nil
}

// link makes the role in dir one of the installed ones, under the name that its
// meta/main.yml says or its folder has.
func (l *library) link(dir string) error {
	var meta struct {
		GalaxyInfo struct {
			RoleName string `yaml:"role_name"`
		} `yaml:"galaxy_info"`
	}
	if text, err := os.ReadFile(filepath.Join(dir, "meta", "main.yml")); err == nil {
		if err := yaml.Unmarshal(text, &meta); err != nil {
			return fmt.Errorf("%s: %w", filepath.Join(dir, "meta", "main.yml"), err)
		}
	}
	name := cmp.Or(meta.GalaxyInfo.RoleName, filepath.Base(dir))
	if !roleName.MatchString(name) {
		return fmt.Errorf("%s: %q is no role's name", dir, name)
	}
	target := filepath.Join(l.path[0], name)
	if _, err := os.Lstat(target); err == nil {
		console.Say("%s is already in place; it was left as it is", target)
		return nil
	}
	if err := os.MkdirAll(l.path[0], 0o755); err != nil {
		return err
	}
	console.Say("%s -> %s", target, dir)
	return os.Symlink(dir, target)
}

// checkTasks returns an error if the role lacks one of the task files, and says
// which it has.
func (r role) checkTasks(tasks []string) error {
	var errs []error
	for _, task := range tasks {
		if _, found := findTasks(r.dir, task); !found {
			err := fmt.Errorf("%q fits nothing: role %s has no such task file; it has %s; a host would be @%s",
				task, filepath.Base(r.name), strings.Join(r.tasks(), ", "), task)
			if now := oldTasks[r.name+" "+task]; now != "" {
				err = fmt.Errorf("%w\nhint: %s", err, now)
			}
			errs = append(errs, err)
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w\nhint: the grammar is\n%s", err, Usage)
	}
	return nil
}

// findTasks returns the path of one of a role's task files, by the names that Ansible
// tries, and whether it is there.
func findTasks(role, name string) (path string, found bool) {
	for _, extension := range []string{"", ".yml", ".yaml", ".json"} {
		if path := filepath.Join(role, "tasks", name+extension); exists(path) {
			return path, true
		}
	}
	return "", false
}

// tasks returns the names of the role's task files, sorted.
func (r role) tasks() []string {
	names := map[string]bool{}
	entries, _ := os.ReadDir(filepath.Join(r.dir, "tasks")) // none: there is nothing to name
	for _, entry := range entries {
		if !entry.IsDir() {
			names[strings.TrimSuffix(entry.Name(), filepath.Ext(entry.Name()))] = true
		}
	}
	return slices.Sorted(maps.Keys(names))
}
