package bigsudo

import (
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"

	"github.com/betagouv/mrs-ops/internal/console"
)

// selection is which tasks a run executes, by their tags.
type selection struct{ only, skip []string }

// selectionOf returns what the options ask for, and the environment, to which
// Ansible adds them.
func selectionOf(args, environ []string) selection {
	list := func(option, variable string) []string {
		given := slices.Collect(options(args, option))
		if text := lookup(environ, variable); text != "" {
			given = append(given, text)
		}
		var tags []string
		for _, text := range given {
			for tag := range strings.SplitSeq(text, ",") {
				tags = append(tags, strings.TrimSpace(tag))
			}
		}
		return tags
	}
	return selection{list("tags", "ANSIBLE_RUN_TAGS"), list("skip-tags", "ANSIBLE_SKIP_TAGS")}
}

// takes reports whether a task with these tags is executed (Ansible,
// playbook/taggable.py).
func (s selection) takes(tags []string) bool {
	tagged := len(tags) > 0 && !slices.Equal(tags, []string{"untagged"})
	if !tagged {
		tags = []string{"untagged"}
	}
	has := func(tag string) bool { return slices.Contains(tags, tag) }
	only, skip := s.only, s.skip
	if len(only) == 0 {
		only = []string{"all"}
	}
	switch {
	case has("always"):
	case slices.Contains(only, "all") && !has("never"):
	case slices.ContainsFunc(only, has):
	case slices.Contains(only, "tagged") && tagged && !has("never"):
	default:
		return false
	}
	if slices.Contains(skip, "all") {
		return has("always") && !slices.Contains(skip, "always")
	}
	return !slices.ContainsFunc(skip, has) && !(slices.Contains(skip, "tagged") && tagged)
}

// opening returns tags with which a task is executed whatever is selected: the one
// that includes a role, whose tasks are selected by their own.
func (s selection) opening() []string {
	if s.takes(nil) {
		return nil
	}
	for _, tag := range append([]string{"always"}, s.only...) {
		if tags := []string{tag}; s.takes(tags) {
			return tags
		}
	}
	return nil
}

// tagged is the tasks of a playbook or a role, as their files have them. It does
// not ask Ansible, whose --list-tags knows nothing of what is included while a run
// goes on: of our own playbook for roles, all.
type tagged struct {
	library *library
	base    string // the playbook's folder

	names map[string]bool // of all tags
	// unsure: something is included that only the run knows, or that is not found.
	unsure bool
	looked int          // how many tasks were read
	found  [][][]string // of each that does something the tags of what includes it, and its own
}

// within is where tasks stand.
type within struct {
	file     string     // their file
	role     string     // their role's folder; empty: none's
	tags     []string   // that they inherit
	included [][]string // the tags of each task that includes them
	depth    int
}

// maxDepth and maxTasks are where reading ends, of what contains itself.
const (
	maxDepth = 40
	maxTasks = 10_000
)

// tagged has no tasks yet; paths that are relative are of the folder base.
func (l *library) tagged(base string) *tagged {
	return &tagged{library: l, base: base, names: map[string]bool{}}
}

// ofPlaybook returns the tasks of a playbook.
func (l *library) ofPlaybook(file string) *tagged {
	t := l.tagged(filepath.Dir(file))
	t.playbook(file, within{})
	return t
}

// ofRole returns the tasks of a role's task files.
func (l *library) ofRole(r role, files []string) *tagged {
	t := l.tagged(filepath.Join(l.root, "ansible", "bigsudo"))
	for _, file := range files {
		t.role(r.dir, file, within{})
	}
	return t
}

// ofTasks returns the tasks of a file of tasks.
func (l *library) ofTasks(file string) *tagged {
	t := l.tagged(filepath.Dir(file))
	t.tasks(t.read(file), within{file: file})
	return t
}

// selected returns how many tasks a run executes.
func (t *tagged) selected(s selection) (count int) {
	for _, all := range t.found {
		if !slices.ContainsFunc(all, func(tags []string) bool { return !s.takes(tags) }) {
			count++
		}
	}
	return count
}

// nobody's is no tag of anybody's: who asks for it alone gets what always runs.
const nobodys = "\x00"

// check returns an error for every tag that selects nothing of what is called
// source. Of those that it returns as doubtful, only a run can tell.
func (t *tagged) check(source string, s selection) (doubtful []string, err error) {
	if len(s.only)+len(s.skip) == 0 {
		return nil, nil
	}
	all := t.selected(s)
	base := t.selected(selection{[]string{nobodys}, s.skip})
	var errs []error
	for _, tag := range slices.Compact(slices.Sorted(slices.Values(s.only))) {
		others := slices.DeleteFunc(slices.Clone(s.only), func(other string) bool { return other == tag })
		alone := t.selected(selection{[]string{tag}, s.skip}) > base
		beside := all > t.selected(selection{append(others, nobodys), s.skip})
		switch {
		case tag == "all", alone, beside:
		case t.unsure:
			doubtful = append(doubtful, tag)
		default:
			errs = append(errs, t.nothing(source, tag))
		}
	}
	if len(errs)+len(doubtful) == 0 && all == 0 && !t.unsure {
		skipped := strings.Join(s.skip, ",")
		errs = append(errs, fmt.Errorf("of %s nothing is left to run, with --skip-tags %s", source, skipped))
	}
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	for _, tag := range doubtful {
		console.Say("whether anything of %s has the tag %q is known once it runs: "+
			"not all that it includes can be read before", source, tag)
	}
	for _, tag := range s.skip {
		if !t.unsure && !t.names[tag] && !special(tag) {
			console.Say("%s has no tag %q: nothing is skipped for it", source, tag)
		}
	}
	return doubtful, nil
}

// special reports whether Ansible gives the tag a meaning of its own.
func special(tag string) bool {
	return slices.Contains([]string{"all", "always", "never", "tagged", "untagged"}, tag)
}

// nothing returns the error for a tag that selects nothing.
func (t *tagged) nothing(source, tag string) error {
	known := slices.Sorted(maps.Keys(t.names))
	switch {
	case t.names[tag]:
		return fmt.Errorf("the tag %q selects no task of %s: what has it is skipped, "+
			"or included by what has not", tag, source)
	case special(tag):
		return fmt.Errorf("the tag %q selects no task of %s", tag, source)
	case len(known) == 0:
		return fmt.Errorf("the tag %q selects nothing: %s has no tags", tag, source)
	}
	all := strings.Join(known, ", ")
	return fmt.Errorf("%s has no tag %q; it has %s%s", source, tag, all, console.DidYouMean(tag, known))
}

// read returns what a YAML file has; nil, where it can't be read, which is for Ansible
// to say.
func (t *tagged) read(file string) (content any) {
	in, err := os.Open(file)
	if err == nil {
		defer in.Close()
		var loader *yaml.Loader
		// Of a key that is there twice Ansible takes the last, and warns.
		if loader, err = yaml.NewLoader(in, yaml.WithUniqueKeys(false)); err == nil {
			err = loader.Load(&content)
		}
	}
	t.unsure = t.unsure || err != nil && err != io.EOF // which is an empty file
	return content
}

// key returns the value of a mapping's key, by one of its names and with or without
// the name of Ansible's own collection; nil: there is none.
func key(n any, names ...string) any {
	mapping, _ := n.(map[string]any)
	for _, name := range names {
		for _, collection := range []string{"", "ansible.builtin.", "ansible.legacy."} {
			if value, found := mapping[collection+name]; found {
				return value
			}
		}
	}
	return nil
}

// items returns what is in a list.
func items(n any) []any {
	list, _ := n.([]any)
	return list
}

// with returns the place, with what the mapping says of tags.
func (t *tagged) with(at within, n any) within {
	tags := key(n, "tags")
	texts := items(tags)
	if texts == nil && tags != nil {
		for text := range strings.SplitSeq(fmt.Sprint(tags), ",") {
			texts = append(texts, strings.TrimSpace(text))
		}
	}
	at.tags = slices.Clone(at.tags)
	for _, each := range texts {
		text := fmt.Sprint(each)
		if templated(text) {
			t.unsure = true
			continue
		}
		t.names[text] = true
		at.tags = append(at.tags, text)
	}
	return at
}

// templated reports whether only a run knows what the text is.
func templated(text string) bool { return strings.Contains(text, "{{") || strings.Contains(text, "{%") }

// playbook reads a playbook.
func (t *tagged) playbook(file string, at within) {
	if at.depth++; at.depth > maxDepth {
		t.unsure = true
		return
	}
	at.file = file
	for _, play := range items(t.read(file)) {
		in := t.with(at, play)
		if imported := key(play, "import_playbook"); imported != nil {
			if file, found := t.find(imported, filepath.Dir(at.file)); found {
				t.playbook(file, in)
			}
			continue
		}
		t.applied(key(play, "roles"), in)
		for _, section := range []string{"pre_tasks", "tasks", "post_tasks"} {
			t.tasks(key(play, section), in)
		}
	}
}

// applied reads the roles in a list of a play's, or that a role depends on.
func (t *tagged) applied(list any, at within) {
	for _, entry := range items(list) {
		if name, ok := entry.(string); ok {
			t.named(name, "main", at)
			continue
		}
		t.called(entry, t.with(at, entry))
	}
}

// named reads a role that is called by its name.
func (t *tagged) named(name, file string, at within) {
	if templated(name) || templated(file) {
		t.unsure = true
		return
	}
	candidates := []string{filepath.Join(t.base, "roles", name), t.library.ours(name)}
	for _, folder := range t.library.path {
		candidates = append(candidates, filepath.Join(folder, name))
	}
	candidates = append(candidates, filepath.Join(t.base, name))
	if at.role != "" {
		candidates = append(candidates, filepath.Join(filepath.Dir(at.role), name))
	}
	if filepath.IsAbs(name) {
		candidates = []string{name}
	}
	i := slices.IndexFunc(candidates, isDir)
	if i < 0 { // of a collection, maybe
		t.unsure = true
		return
	}
	t.role(candidates[i], file, at)
}

// role reads a role's task file, and what the role depends on.
func (t *tagged) role(dir, file string, at within) {
	if at.depth++; at.depth > maxDepth {
		t.unsure = true
		return
	}
	at.role = dir
	for _, name := range []string{"main.yml", "main.yaml"} {
		if meta := filepath.Join(dir, "meta", name); exists(meta) {
			t.applied(key(t.read(meta), "dependencies"), at)
			break
		}
	}
	if path, found := findTasks(dir, file); found {
		at.file = path
		t.tasks(t.read(path), at)
	}
}

func exists(file string) bool {
	info, err := os.Stat(file)
	return err == nil && !info.IsDir()
}

// find returns the path of a file that is named by a text, in one of the folders.
func (t *tagged) find(text any, folders ...string) (string, bool) {
	if name, ok := text.(string); ok && !templated(name) {
		for _, folder := range folders {
			path := filepath.Join(folder, name)
			if filepath.IsAbs(name) {
				path = name
			}
			if exists(path) {
				return path, true
			}
		}
	}
	t.unsure = true
	return "", false
}

// tasks reads a list of tasks.
func (t *tagged) tasks(list any, at within) {
	for _, task := range items(list) {
		t.task(task, at)
	}
}

// task reads a task. What is imported inherits its tags; what is included does
// not, and is only there if the task that includes it is executed.
func (t *tagged) task(task any, at within) {
	at.depth++
	if t.looked++; at.depth > maxDepth || t.looked > maxTasks {
		t.unsure = true
		return
	}
	in := t.with(at, task)
	if block := key(task, "block"); block != nil {
		for _, part := range []string{"block", "rescue", "always"} {
			t.tasks(key(task, part), in)
		}
		return
	}
	if file := key(task, "import_tasks"); file != nil {
		t.file(file, in)
		return
	}
	if role := key(task, "import_role"); role != nil {
		t.called(role, in)
		return
	}
	file, role := key(task, "include_tasks", "include"), key(task, "include_role")
	if file == nil && role == nil {
		if key(task, "meta") == nil {
			t.found = append(t.found, append(slices.Clone(at.included), in.tags))
		}
		return
	}
	arguments := file
	if file == nil {
		arguments = role
	}
	inner := t.with(at, key(arguments, "apply"))
	inner.included = append(slices.Clone(at.included), in.tags)
	if file != nil {
		t.file(file, inner)
	} else {
		t.called(role, inner)
	}
}

// file reads the file of tasks that the arguments of a task name.
func (t *tagged) file(arguments any, at within) {
	name := arguments
	if _, more := arguments.(map[string]any); more {
		name = key(arguments, "file", "_raw_params")
	}
	folders := []string{filepath.Dir(at.file)}
	if at.role != "" {
		folders = append(folders, filepath.Join(at.role, "tasks"), at.role)
	}
	if path, found := t.find(name, append(folders, t.base, filepath.Join(t.base, "tasks"))...); found {
		at.file = path
		t.tasks(t.read(path), at)
	}
}

// called reads the role that the arguments of a task, or an entry in a list of roles,
// name, and whose tasks they may say.
func (t *tagged) called(arguments any, at within) {
	name, ok := key(arguments, "name", "role").(string)
	if !ok {
		t.unsure = true
		return
	}
	file := "main"
	if from := key(arguments, "tasks_from"); from != nil {
		file = fmt.Sprint(from)
	}
	t.named(name, file, at)
}
