package bigsudo

import (
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/betagouv/mrs-ops/internal/address"
)

// Usage is the grammar, as it is shown to who asks for it or misses it.
var Usage = strings.TrimSuffix(usage, "\n")

//go:embed usage.txt
var usage string

// Request is what the words of a command line ask for.
type Request struct {
	Kind   string   // role, playbook or tasks; empty: a role, or a playbook if Source looks like one
	Source string   // a role or a playbook, as given
	Hosts  []string // @HOST[:PORT] or USER@HOST[:PORT], as given; none: this machine
	Vars   []string // variables, as JSON objects; a later one wins
	Tasks  []string // task files of the role; none: main
	NoSudo bool     // do not become root
	Args   []string // options for ansible-playbook, as given
}

var (
	assignment = regexp.MustCompile(`(?s)^([A-Za-z_][A-Za-z0-9_]*)=(.*)$`)
	variable   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	taskFile   = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_-]*([./][A-Za-z0-9_][A-Za-z0-9_-]*)*$`)
)

// Parse reads words as [Usage] has it. The error tells of every word that fits
// nothing and shows the grammar; the request has all the others.
func Parse(words []string) (Request, error) {
	var r Request
	var errs []error
	if len(words) > 0 && slices.Contains(firstWords, words[0]) {
		r.Kind, words = strings.TrimPrefix(words[0], "run"), words[1:]
	}
	before, after := beforeOptions(words)
	for i, word := range after {
		value := i > 0 && wantsValue(after[i-1]) && !strings.HasPrefix(word, "-")
		_, host := address.Parse(strings.TrimPrefix(word, "@"))
		switch {
		case word == "--nosudo":
			r.NoSudo = true
		case !value && (assignment.MatchString(word) || strings.Contains(word, "@") && host == nil):
			before = append(slices.Clip(before), word)
		default:
			r.Args = append(r.Args, word)
		}
	}
	if len(words) == 0 || strings.HasPrefix(words[0], "-") {
		problem := "there is no role and no playbook"
		if len(words) > 0 {
			problem += fmt.Sprintf(" before %q", words[0])
		}
		errs = append(errs, errors.New(problem))
	} else {
		r.Source, before = before[0], before[1:]
		errs = append(errs, r.checkSource())
	}
	for _, word := range before {
		errs = append(errs, r.add(word))
	}
	if err := errors.Join(errs...); err != nil {
		return r, fmt.Errorf("%w\nhint: the grammar is\n%s", err, Usage)
	}
	return r, nil
}

// beforeOptions divides words before the first that begins with a dash.
func beforeOptions(words []string) (before, options []string) {
	i := slices.IndexFunc(words, func(word string) bool { return strings.HasPrefix(word, "-") })
	if i < 0 {
		return words, nil
	}
	return words[:i], words[i:]
}

// firstWords say of which kind the source is.
var firstWords = []string{"run", "role", "playbook", "tasks"}

// isPlaybook reports whether the source is a playbook.
func (r Request) isPlaybook() bool {
	return r.Kind == "playbook" || r.Kind == "" && playbookSource(r.Source)
}

// checkSource returns an error if the source can't be what it is said to be.
func (r Request) checkSource() error {
	if r.Kind == "role" && playbookSource(r.Source) {
		return fmt.Errorf("%s is a playbook and no role", r.Source)
	}
	return checkSource(r.Source)
}

// add puts a word where it belongs.
func (r *Request) add(word string) error {
	text := strings.TrimSpace(word)
	switch m := assignment.FindStringSubmatch(word); {
	case !utf8.ValidString(word):
		return fmt.Errorf("%q is not UTF-8 text, so Ansible can't receive it", word)
	case m != nil:
		object, err := object(m[1], m[2])
		r.Vars = append(r.Vars, object)
		return err
	case strings.HasPrefix(text, "{"):
		r.Vars = append(r.Vars, text)
		return checkObject(text)
	case strings.Contains(word, "@") && (r.Kind == "" || !strings.Contains(word, ",")):
		r.Hosts = append(r.Hosts, word)
		return checkHost(word)
	case strings.Contains(word, "="):
		name, _, _ := strings.Cut(word, "=")
		return fmt.Errorf("%q fits nothing: %q is no variable's name, which is made of letters, digits and _", word, name)
	case r.Kind != "":
		var errs []error
		for host := range strings.SplitSeq(strings.Trim(word, "[]"), ",") {
			host = strings.Trim(host, `" `)
			if !strings.Contains(host, "@") {
				host = "@" + host
			}
			r.Hosts = append(r.Hosts, host)
			errs = append(errs, checkHost(r.Hosts[len(r.Hosts)-1]))
		}
		return errors.Join(errs...)
	case !taskFile.MatchString(word):
		return fmt.Errorf("%q fits nothing: it is no host, no variable and no task file", word)
	case r.isPlaybook():
		return fmt.Errorf("%q fits nothing: only roles have task files, and %s is a playbook; a host would be @%s",
			word, r.Source, word)
	}
	r.Tasks = append(r.Tasks, word)
	return nil
}

// checkObject returns an error if text is not a JSON object whose names are
// variables'.
func checkObject(text string) error {
	var values map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &values); err != nil {
		return fmt.Errorf("%q is no JSON object: %w; a shell removes quotes that are not quoted: '{\"a\": 1}'", text, err)
	}
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !variable.MatchString(name) {
			errs = append(errs, fmt.Errorf("%q in %q is no variable's name, which is made of letters, digits and _", name, text))
		}
	}
	return errors.Join(errs...)
}
