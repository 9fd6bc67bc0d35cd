package bigsudo

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"go.yaml.in/yaml/v4"

	"github.com/betagouv/mrs-ops/internal/console"
)

//go:embed old.tsv
var oldTable string

// oldVariable is what became of a variable of a yourlabs.* role; old.tsv says what
// its fields are.
type oldVariable struct {
	ours, reading string
	same          []string
	hint          string
}

// oldVariables are those of old.tsv, by "ROLE variable" or "ROLE/TASKS variable".
var oldVariables = sync.OnceValue(func() map[string]oldVariable {
	all := map[string]oldVariable{}
	for line := range strings.Lines(oldTable) {
		if strings.HasPrefix(line, "#") {
			continue
		}
		fields := append(strings.Split(strings.TrimSuffix(line, "\n"), "\t"), "", "")
		ours, reading, _ := strings.Cut(fields[2], " ")
		all[fields[0]+" "+fields[1]] = oldVariable{ours, reading, strings.Fields(fields[3]), fields[4]}
	}
	return all
})

// oldTasks are task files that the roles had and ours do not, and what to use.
var oldTasks = map[string]string{
	"ssh users":     "bigsudo yourlabs.ssh adduser username=NAME key=URL @HOST, a run for each",
	"ssh user":      "bigsudo yourlabs.ssh adduser username=NAME key=URL @HOST",
	"compose check": "go tool mage ops:status INSTANCE",
	"traefik check": "bigsudo yourlabs.traefik @HOST: it ends well only if Traefik serves",
}

// readings are how the value of an old variable becomes that of ours.
var readings = map[string]func(value any) (any, error){
	"host": func(value any) (any, error) {
		_, host, found := strings.Cut(fmt.Sprint(value), "://")
		if !found {
			host = fmt.Sprint(value)
		}
		return strings.TrimRight(host, "/"), nil
	},
	"acme": func(value any) (any, error) {
		directories := map[any]string{"staging": "https://acme-staging-v02.api.letsencrypt.org/directory",
			"production": "https://acme-v02.api.letsencrypt.org/directory"}
		if directory, found := directories[value]; found {
			return directory, nil
		}
		if text, _ := value.(string); strings.HasPrefix(text, "https://") {
			return text, nil
		}
		return nil, errors.New("it is staging, production or the address of a directory")
	},
	"pull": func(value any) (any, error) {
		switch fmt.Sprint(value) {
		case "yes", "true", "1", "always":
			return "always", nil
		case "never":
			return value, nil
		}
		return nil, errors.New("it is yes, or never where the images are on the host already")
	},
	"object": func(value any) (any, error) {
		if text, isText := value.(string); isText {
			if err := json.Unmarshal([]byte(text), &value); err != nil {
				return nil, errors.New(`it is a JSON object, as in '{"NAME": "VALUE"}'`)
			}
		}
		return value, nil
	},
	"rules": sudoRules,
}

// ruled begins a rule of sudoers(5) that says on which hosts it holds.
var ruled = regexp.MustCompile(`^[A-Za-z0-9_!,. -]+=`)

// sudoRules returns a list of sudoers' rules. The old ones were commands, ALL among
// them, that need no password.
func sudoRules(value any) (any, error) {
	text, isText := value.(string)
	if isText && strings.HasPrefix(strings.TrimSpace(text), "[") {
		if err := json.Unmarshal([]byte(text), &value); err != nil {
			return nil, fmt.Errorf(`it is no JSON list: %w; as in sudos='["ALL"]'`, err)
		}
	} else if isText {
		value = []any{text}
	}
	list, isList := value.([]any)
	if !isList {
		return nil, errors.New(`it is a list of commands, as in sudos='["ALL"]'`)
	}
	rules := []any{}
	for _, each := range list {
		rule, isText := each.(string)
		switch {
		case !isText:
			return nil, errors.New(`it is a list of commands, as in sudos='["ALL"]'`)
		case ruled.MatchString(rule):
			rules = append(rules, rule)
		case rule != "":
			rules = append(rules, "ALL=(ALL) NOPASSWD: "+rule)
		}
	}
	return rules, nil
}

// parameters are the variables of one of the project's own roles.
type parameters struct {
	role  string
	tasks []string
	known map[string]bool
}

var includesRole = regexp.MustCompile(`(?:include|import)_role:\s+name: ([a-z]+)\n`)

// parameters returns what the role in dir, with the task files given, may be told.
func (l *library) parameters(name string, tasks []string) parameters {
	p := parameters{name, tasks, map[string]bool{}}
	p.add(l, name)
	if name == "compose" { // what compose:render takes
		for _, variable := range []string{"home", "project", "lifetime", "compose", "healthcheck_timeout"} {
			p.known[variable] = true
		}
	}
	return p
}

// add adds the variables of a role, and of those that it includes.
func (p parameters) add(l *library, name string) {
	var defaults map[string]yaml.Node
	if text, err := os.ReadFile(filepath.Join(l.ours(name), "defaults", "main.yml")); err == nil {
		_ = yaml.Unmarshal(text, &defaults) // Ansible says what is wrong with it
	}
	for variable := range defaults {
		if !strings.HasPrefix(variable, "__") {
			p.known[variable] = true
		}
	}
	files, _ := filepath.Glob(filepath.Join(l.ours(name), "tasks", "*.yml"))
	for _, file := range files {
		text, _ := os.ReadFile(file)
		for _, other := range includesRole.FindAllStringSubmatch(string(text), -1) {
			p.add(l, other[1])
		}
	}
}

// translate returns the objects with every variable under the name that ours has for
// it. The error names all that the role knows under no name.
func (p parameters) translate(objects []string) ([]string, error) {
	var all []string
	var errs []error
	for _, text := range objects {
		var values map[string]json.RawMessage
		if err := json.Unmarshal([]byte(text), &values); err != nil {
			return nil, err
		}
		changed := map[string]any{}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			now, value, err := p.variable(name, values[name])
			errs = append(errs, err)
			if err == nil && (now != name || value != nil) {
				delete(values, name)
				if now != "" {
					changed[now] = value
				}
			}
		}
		if len(values) > 0 {
			all = append(all, rest(text, values))
		}
		for _, name := range slices.Sorted(maps.Keys(changed)) {
			object, err := object(name, changed[name])
			console.Say("%s has it as %s", p.role, object)
			all, errs = append(all, object), append(errs, err)
		}
	}
	return all, errors.Join(errs...)
}

// rest returns the object of the values that are left; the text itself where all are.
func rest(text string, values map[string]json.RawMessage) string {
	var before map[string]json.RawMessage
	if json.Unmarshal([]byte(text), &before) == nil && len(before) == len(values) {
		return text
	}
	encoded, _ := json.Marshal(values) // it was decoded
	return string(encoded)
}

// variable returns under which name, and with which value, the role has a variable:
// its own name and nil for as it is, no name for nothing to say.
func (p parameters) variable(name string, raw json.RawMessage) (now string, value any, err error) {
	old, found := oldVariables()["* "+name]
	for _, scope := range append([]string{""}, p.tasks...) {
		if other, there := oldVariables()[strings.TrimSuffix(p.role+"/"+scope, "/")+" "+name]; there {
			old, found = other, true
		}
	}
	fail := func(format string, args ...any) (string, any, error) {
		return "", nil, fmt.Errorf("yourlabs.%s: %s: %w", p.role, name, fmt.Errorf(format, args...))
	}
	if !found {
		override := p.role == "compose" && strings.HasPrefix(name, "compose_")
		if p.known[name] || override || strings.HasPrefix(name, "ansible_") {
			return name, nil, nil
		}
		known := slices.Collect(maps.Keys(p.known))
		for key, old := range oldVariables() {
			scope, other, _ := strings.Cut(key, " ")
			if old.ours != "-" && !p.known[other] && strings.HasPrefix(scope+"/", p.role+"/") {
				known = append(known, other)
			}
		}
		slices.Sort(known)
		return fail("the role has no such variable; it has %s%s", strings.Join(known, ", "), console.DidYouMean(name, known))
	}
	if err := json.Unmarshal(raw, &value); err != nil {
		return fail("%w", err)
	}
	switch {
	case old.ours != "-" && old.reading == "":
		return old.ours, value, nil
	case old.ours != "-":
		if value, err = readings[old.reading](value); err != nil {
			return fail("%w", err)
		}
		return old.ours, value, nil
	case slices.Contains(old.same, strings.ToLower(fmt.Sprint(value))):
		return "", nil, nil
	}
	// The value may be a secret.
	return fail("this is not to be said here any more\nhint: %s", old.hint)
}

// assigned returns the variables that the values of --extra-vars have, as JSON
// objects: of NAME=VALUE and JSON. What a file has is not looked at.
func assigned(args []string) (objects []string) {
	for text := range options(args, "extra-vars") {
		if trimmed := strings.TrimSpace(text); strings.HasPrefix(trimmed, "{") {
			objects = append(objects, trimmed)
			continue
		}
		words, _ := Words(text) // Ansible says what is wrong with it
		for _, word := range words {
			if m := assignment.FindStringSubmatch(word); m != nil {
				if object, err := object(m[1], m[2]); err == nil {
					objects = append(objects, object)
				}
			}
		}
	}
	return objects
}

// checkArgs returns an error for each variable that options for ansible-playbook give,
// and that the role has not under that name.
func (p parameters) checkArgs(args []string) error {
	var errs []error
	for _, text := range assigned(args) {
		var values map[string]json.RawMessage
		if json.Unmarshal([]byte(text), &values) != nil {
			continue
		}
		for _, name := range slices.Sorted(maps.Keys(values)) {
			now, value, err := p.variable(name, values[name])
			if err == nil && (now != name || value != nil) {
				err = fmt.Errorf("yourlabs.%s: %s is not read by that name or in that form here\n"+
					"hint: %s=VALUE without -e is translated", p.role, name, name)
			}
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
