// Package instance says who an instance of MRS is: its variables, where each
// value came from, and whether they make sense.
//
// An instance is named by its env file: env/staging.env makes "staging". A
// value comes from the first of these that sets it:
//
//  1. the process environment;
//  2. env/NAME.secrets.env, which git ignores;
//  3. env/NAME.env;
//  4. the default in [Variables].
//
// MRS_ENV=DIR reads the same instances with other values: env/DIR/NAME.env
// stands over env/NAME.env, and secrets come from env/DIR/NAME.secrets.env
// alone, so that the secrets of a real server never reach a rehearsal of it.
//
// Names in upper case are for the application and the tools on the host; names
// in lower case say where and how to deploy, in the cookbook's own words (home,
// project, compose, compose_SERVICE_KEY…), and are Ansible's variables too.
//
// # Env files
//
// What is written is what arrives: nothing is ever expanded. A line that another
// program which reads such files (godotenv, Docker Compose) could take for
// something else is refused with its number.
//
//   - NAME=VALUE, with `export ` before it or not, and blanks around NAME and VALUE.
//     Blank lines, and lines that begin with #, say nothing. A name is of letters,
//     digits and _, no digit first, and is set once in a file.
//   - Without quotes VALUE is the rest of the line. Refused are a $, a # at its
//     beginning or behind a blank, a \ at its end, and NAME= behind a blank.
//   - Between '…' all is literal, line ends too. Refused is a \ before the closing '.
//   - Between "…" all is literal, line ends too, but for \\ \" \$ \n \r, which stand for
//     a backslash, a quote, a dollar and line ends. Refused are other \ and $.
//   - Behind the closing quote there is nothing, or a blank and a # comment.
//   - The file is UTF-8, with a byte order mark or not, and holds no NUL. Lines end
//     as in Unix or Windows, within quotes as in Unix.
//
// [Parse] reads them, also where a CI system hands over what would be in one,
// and [Assign] writes them. Variables of the process environment are what they
// are: no grammar is theirs.
//
// The package must not know what is done with an instance: it reads files and
// checks values, and never prints one that is secret.
package instance

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"unicode/utf8"
)

// Environment is the name of the instance that has no env file: all its values
// come from the process environment. It is what `ansible-playbook
// ansible/deploy.yml` deploys when run by hand, as the cookbook does it.
const Environment = "environment"

// Here is the server of an instance that is deployed on this machine.
const Here = "localhost"

// Production is the instance that nobody changes without having been asked.
const Production = "production"

// overridePrefix begins the variables that replace a key of a service.
const overridePrefix = "compose_"

// Value is the value of one variable and where it came from.
type Value struct {
	Name   string
	Value  string
	Source string // a file's path from the project's root, "process environment" or "default"
	Secret bool
}

// Masked returns the value in a form that can be shown: a secret, and the
// password in an address, show only that they are there.
func (v Value) Masked() string {
	if v.Secret && v.Value != "" {
		return mask
	}
	return passwordInAddress.ReplaceAllString(v.Value, "${1}"+mask+"@")
}

const mask = "********"

// shortest is how long a secret has to be, in characters, for [Value.Proof] to
// have a check of it: of a shorter one, length and check together tell too much.
const shortest = 8

// Proof returns what shows that a secret arrived whole without showing it: its
// length in characters, and the check that
//
//	printf %s 'NAME=VALUE' | sha256sum | cut -c 1-4
//
// prints where the secret is kept. A value that lost something fails it, but for
// one in 65,536. Four digits, because whoever reads them in a log can rule
// guesses out by them, but never know that one is right, and of a secret that a
// program made they take 16 bits out of a hundred and more. The name is in it, so
// that variables do not show that they have the same value. Empty for what is no
// secret, or empty; check is empty for what is short.
func (v Value) Proof() (length int, check string) {
	if !v.Secret {
		return 0, ""
	}
	if length = utf8.RuneCountInString(v.Value); length >= shortest {
		check = fmt.Sprintf("%x", sha256.Sum256([]byte(v.Name+"="+v.Value)))[:4]
	}
	return length, check
}

var passwordInAddress = regexp.MustCompile(`(://[^:/@]*:)[^/]*@`)

// From returns where the value of a variable came from, as [Value.Source].
func (i *Instance) From(name string) string { return i.values[name].Source }

const (
	secretsSuffix   = ".secrets.env"
	fromEnvironment = "process environment"
	fromDefault     = "default"
)

// Instance is one deployed MRS stack: its name and its variables.
type Instance struct {
	Name    string
	values  map[string]Value
	process map[string]string // the whole process environment, for Lookup
	files   []string          // the env files that were looked for, weakest first
}

// namePattern is what an instance, and MRS_ENV, may be called: both become
// parts of file names and of command lines.
var namePattern = regexp.MustCompile(`^[a-z0-9][a-z0-9-]{0,62}$`)

const nameForm = "lower-case letters, digits and dashes make one"

// Load reads the instance called name in the project at root, with environ
// ("NAME=value" each, the last one of a name wins) as the process environment.
//
// The error, an [*Invalid], lists everything missing or malformed at once; the
// instance is returned along with it, for those who want to show what there is.
// Where there is no such instance, or a file can't be read, the instance is nil;
// a file that breaks the grammar is a [*Malformed].
func Load(root, name string, environ []string) (*Instance, error) {
	process := parseEnviron(environ)
	i := &Instance{Name: name, values: map[string]Value{}, process: process}
	if name != Environment {
		files, err := envFiles(root, name, process["MRS_ENV"])
		if err != nil {
			return nil, err
		}
		i.files = files
	}
	for _, v := range Variables {
		i.values[v.Name] = Value{Name: v.Name, Value: v.Default, Source: fromDefault, Secret: v.Secret}
	}
	var problems []Problem
	var unread []error
	for _, file := range i.files {
		values, more, err := readFile(root, file)
		unread = append(unread, err)
		problems = append(problems, more...)
		for name, value := range values {
			i.set(name, value, file)
		}
	}
	if err := errors.Join(unread...); err != nil {
		return nil, err
	}
	for name, value := range process {
		if _, known := i.values[name]; known || isOverride(name) {
			i.set(name, value, fromEnvironment)
		}
	}
	problems = append(problems, i.check()...)
	if len(problems) > 0 {
		return i, &Invalid{Instance: name, Problems: problems}
	}
	return i, nil
}

func (i *Instance) set(name, value, source string) {
	v, _ := Find(name)
	secret := v.Secret || strings.HasSuffix(source, secretsSuffix)
	i.values[name] = Value{Name: name, Value: value, Source: source, Secret: secret}
}

// Names returns the instances that the project at root has an env file for.
func Names(root string) ([]string, error) { return NamesIn(root, "") }

// NamesIn returns the instances that the project at root has an env file for in
// env/SET/, the folder that MRS_ENV=SET means; an empty set means env/ itself.
func NamesIn(root, set string) ([]string, error) {
	if err := checkSet(root, set); err != nil {
		return nil, err
	}
	files, err := filepath.Glob(filepath.Join(root, "env", set, "*.env"))
	if err != nil {
		return nil, err
	}
	var names []string
	for _, file := range files {
		if name := strings.TrimSuffix(filepath.Base(file), ".env"); namePattern.MatchString(name) {
			names = append(names, name)
		}
	}
	return names, nil
}

// checkSet returns an error if there are no values for MRS_ENV=SET.
func checkSet(root, set string) error {
	if set == "" {
		return nil
	}
	if !namePattern.MatchString(set) {
		return fmt.Errorf("MRS_ENV=%q is not the name of a folder in env/: %s", set, nameForm)
	}
	if info, err := os.Stat(filepath.Join(root, "env", set)); err != nil || !info.IsDir() {
		return fmt.Errorf("MRS_ENV=%s: there is no folder env/%s", set, set)
	}
	return nil
}

// envFiles returns the files that may set values for an instance, weakest
// first, as paths from root.
func envFiles(root, name, set string) ([]string, error) {
	names, err := Names(root)
	if err != nil {
		return nil, err
	}
	known := strings.Join(names, ", ")
	if !namePattern.MatchString(name) {
		return nil, fmt.Errorf("%q is not an instance's name: %s\nhint: there are %s", name, nameForm, known)
	}
	base := filepath.Join("env", name)
	if set == "" {
		if !slices.Contains(names, name) {
			return nil, fmt.Errorf("there is no instance %s: %s.env does not exist\nhint: there are %s", name, base, known)
		}
		return []string{base + ".env", base + secretsSuffix}, nil
	}
	if err := checkSet(root, set); err != nil {
		return nil, err
	}
	over := filepath.Join("env", set, name)
	if _, err := os.Stat(filepath.Join(root, over+".env")); err != nil && !slices.Contains(names, name) {
		return nil, fmt.Errorf("there is no instance %s: neither %s.env nor %s.env exists\nhint: there are %s",
			name, over, base, known)
	}
	return []string{base + ".env", over + ".env", over + secretsSuffix}, nil
}

// readFile returns the values that one env file sets; a file that does not
// exist sets none.
func readFile(root, file string) (map[string]string, []Problem, error) {
	path := filepath.Join(root, file)
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil, nil
	}
	if err != nil {
		return nil, nil, err
	}
	values, faults := Parse(string(content))
	if faults != nil {
		return nil, nil, &Malformed{file, faults}
	}
	var problems []Problem
	if strings.HasSuffix(file, secretsSuffix) {
		if info, err := os.Stat(path); err == nil && info.Mode().Perm()&0o077 != 0 {
			reason := fmt.Sprintf("others can read it (mode %04o)", info.Mode().Perm())
			problems = append(problems, Problem{Name: file, Reason: reason, Mend: "chmod 600 " + file})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if name == strings.ToLower(name) && !Known(name) {
			mend := "see env/local.env for those it knows; correct " + file
			problems = append(problems, Problem{Name: name, Reason: "is not a name that deploying knows", Mend: mend})
		}
	}
	return values, problems, nil
}

func parseEnviron(environ []string) map[string]string {
	values := make(map[string]string, len(environ))
	for _, pair := range environ {
		if name, value, ok := strings.Cut(pair, "="); ok {
			values[name] = value
		}
	}
	return values
}

// Known reports whether deploying knows a variable called name: one of
// [Variables], or one that replaces a key of a service.
func Known(name string) bool {
	_, known := Find(name)
	return known || isOverride(name)
}

func isOverride(name string) bool {
	return strings.HasPrefix(name, overridePrefix) && len(name) > len(overridePrefix)
}

// Get returns the value of a variable, empty if it has none.
func (i *Instance) Get(name string) string { return i.values[name].Value }

// Lookup returns the value of a variable and whether anything sets it, if only
// to nothing (`FOO=`). It also finds the variables of the process environment
// that no env file knows, since a compose file may name any. An address that is
// empty is none: the application has one of its own then, and can't send without.
func (i *Instance) Lookup(name string) (string, bool) {
	v, ok := i.values[name]
	if !ok {
		if value, follows := i.derived(name); follows {
			return value, true
		}
		value, set := i.process[name]
		return value, set
	}
	set := v.Source != fromDefault && !slices.Contains(addresses, name)
	return v.Value, set || v.Value != ""
}

// addresses are the variables that the application reads as addresses of mail.
var addresses = []string{"DEFAULT_FROM_EMAIL", "TEAM_EMAIL", "LIQUIDATION_EMAIL"}

// Values returns every variable: those of [Variables] in their order, then the
// others by name.
func (i *Instance) Values() []Value {
	var values []Value
	for _, v := range Variables {
		values = append(values, i.values[v.Name])
	}
	for _, name := range slices.Sorted(maps.Keys(i.values)) {
		if _, known := Find(name); !known {
			values = append(values, i.values[name])
		}
	}
	return values
}

// Overrides returns what compose_SERVICE_KEY=VALUE variables ask for, by
// SERVICE_KEY.
func (i *Instance) Overrides() map[string]string {
	overrides := map[string]string{}
	for name, v := range i.values {
		if isOverride(name) {
			overrides[strings.TrimPrefix(name, overridePrefix)] = v.Value
		}
	}
	return overrides
}

// ComposeFiles returns the compose files to merge, in order.
func (i *Instance) ComposeFiles() []string { return splitList(i.Get("compose")) }

// Project returns the name that docker compose prefixes containers and volumes
// with: `project`, or the last part of `home` (cookbook, "Compose").
func (i *Instance) Project() string {
	if project := i.Get("project"); project != "" {
		return project
	}
	return filepath.Base(i.Get("home"))
}

// Persistent reports whether the instance has a home, and so backups and
// timers; an ephemeral one has a project and a lifetime (cookbook, "Compose").
func (i *Instance) Persistent() bool { return i.Get("home") != "" }

// Production reports whether it is production, however it is called: its data are people's. What the process
// environment says of where an instance is says nothing of where production is.
func (i *Instance) Production() bool {
	if i.Name == Production {
		return true
	}
	live, _ := Load(".", Production, []string{"MRS_ENV=" + i.process["MRS_ENV"]})
	return live != nil && i.Persistent() && (i.Project() == live.Project() || i.Get("home") == live.Get("home"))
}

// Site returns the host name that is the site, with :PORT where HOST has one:
// www.HOST or HOST, as `canonical` says.
func (i *Instance) Site() string {
	host, canonical := i.Get("HOST"), i.Get("canonical")
	www := canonical == "www" || canonical == "" && i.Persistent() && domainPattern.MatchString(host)
	if www && !strings.HasPrefix(host, "www.") {
		return "www." + host
	}
	return host
}

// Alias returns the host name that redirects to the site: HOST where that is
// www.HOST, else www.HOST.
func (i *Instance) Alias() string {
	site := i.Site()
	if bare, ok := strings.CutPrefix(site, "www."); ok {
		return bare
	}
	return "www." + site
}

// URL returns where the instance answers.
func (i *Instance) URL() string { return i.Get("PROTO") + "://" + i.Site() }

// derived are variables for the compose files that follow from others, by name.
// CERT_RESOLVER gets the site's certificate, CERT_RESOLVER_MORE those of the names
// beside it: a branch has one or none, for there are many, and the issuer counts.
func (i *Instance) derived(name string) (string, bool) {
	switch name {
	case "SITE":
		return i.Site(), i.Get("HOST") != ""
	case "SITE_ALIAS":
		return i.Alias(), i.Get("HOST") != ""
	case "CERT_RESOLVER", "CERT_RESOLVER_MORE":
		if i.Get("PROTO") == "https" && (i.Persistent() || name == "CERT_RESOLVER") {
			return "leresolver", true
		}
		return "", true
	}
	return "", false
}

func splitList(list string) []string {
	var items []string
	for item := range strings.SplitSeq(list, ",") {
		if item = strings.TrimSpace(item); item != "" {
			items = append(items, item)
		}
	}
	return items
}
