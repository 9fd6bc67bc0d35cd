package ci

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/deploy"
	"github.com/betagouv/mrs-ops/internal/instance"
)

// job is all that a deployment from CI needs.
type job struct {
	target  Target
	options deploy.Options
	access  access
	env     map[string]string // for the process environment: what X_ENV sets, and who we are
	masks   []string          // what no log must show
}

// handed are the variables that hold secrets as CI systems hand them over, those
// of ci:image included. Nothing that we run needs them.
var handed = []string{"SSH_KEY", "SSH_CERT", "SSH_FINGERPRINTS", "DOCKER_PASS",
	"PRODUCTION_ENV", "STAGING_ENV", "ECOLE_ENV", "BRANCH_ENV"}

// user is whom pipelines log in as where nothing names somebody else.
const user = "deploy"

// newJob plans the deployment of target for a run, in the project at root and
// with environ as the process environment. The error is a [*Refused] that lists
// all that is missing or malformed.
func newJob(root string, r Run, target Target, environ []string) (job, error) {
	process := map[string]string{}
	for _, pair := range environ {
		name, value, _ := strings.Cut(pair, "=")
		process[name] = value
	}
	secret := func(name string) string { return secretOf(r.System, process[name]) }

	repo, problems := parseRepo(r.System, process["REPO"])
	j := job{target: target, env: map[string]string{"MRS_OPERATOR": r.Operator()}}
	if repo != nil {
		j.options = deploy.Options{Image: process["REPO"] + ":" + r.Commit, Yes: true,
			Commit: r.Commit, Author: r.Author, Link: r.Link}
	}
	var more []instance.Problem
	j.access, more = newAccess(r.System, secret)
	problems = append(problems, more...)

	values, more := parseEnv(r.System, target, secret(target.secret()))
	problems = append(problems, more...)
	maps.Copy(j.env, values)
	for name := range j.env {
		if _, set := process[name]; set {
			delete(j.env, name)
		}
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		v, known := instance.Find(name)
		if masked := (instance.Value{Value: values[name]}).Masked(); !known || v.Secret || masked != values[name] {
			j.masks = append(j.masks, values[name])
		}
	}
	inst, more, err := load(root, target, j.env, environ)
	if err != nil {
		return j, err
	}
	problems = append(problems, more...)
	// A runner has no name of its own there, unless the configuration gives it one.
	host, config := inst.Get("server"), inst.Get("ssh_config")
	if host != "" && host != instance.Here && !strings.Contains(host, "@") && config == "" {
		j.env["server"] = user + "@" + host
	}
	if config != "" {
		if j.access.include, err = include(root, config); err != nil {
			problems = append(problems, instance.Problem{Name: "ssh_config", Reason: "names a file that can't be read",
				Mend: "correct it where `mage env:show " + target.Instance + "` says that it is from"})
		}
	}
	if problems != nil {
		return j, &Refused{What: "ci:deploy " + target.String(), Problems: problems}
	}
	return j, nil
}

// secretOf returns a secret from the value of its variable. GitLab gives the
// path of a file instead where the variable's type is File, as it recommends for
// SSH keys.
func secretOf(system console.CI, value string) string {
	if system == console.GitLab && filepath.IsAbs(value) && !strings.Contains(value, "\n") {
		if content, err := os.ReadFile(value); err == nil {
			return string(content)
		}
	}
	return value
}

// parseEnv reads what X_ENV sets for the target: by the grammar of env files, or
// in the old form. Nothing in it is expanded: a secret is what is written.
func parseEnv(system console.CI, target Target, text string) (map[string]string, []instance.Problem) {
	name := target.secret()
	problem := func(reason, mend string) instance.Problem {
		return instance.Problem{Name: name, Reason: reason, Mend: settings(system, name) + ": " + mend}
	}
	if strings.TrimSpace(text) == "" {
		return nil, []instance.Problem{problem("is missing", "a line NAME=value for each of the instance's secrets")}
	}
	if words, ok := oldForm(text); ok {
		return words, nil
	}
	values, faults := instance.Parse(text)
	var problems []instance.Problem
	for _, f := range faults {
		problems = append(problems, problem(fmt.Sprintf("can't be read: line %d %s", f.Line, f.Reason), f.Hint))
	}
	return values, problems
}

// oldWord is a variable in the old form.
var oldWord = regexp.MustCompile(`^([A-Za-z_][A-Za-z0-9_]*)=([^'"\\*?\[]*)$`)

// oldForm reads variables that are separated by blanks, as the pipeline before
// this one did: export $(echo $X_ENV | xargs). It knew no quotes, and no blank in
// a value. A text that has such, that sets a variable twice, or that has something
// else than a variable of ours behind the first one in a line, is not in that form.
func oldForm(text string) (map[string]string, bool) {
	values, several := map[string]string{}, false
	for line := range strings.Lines(text) {
		for i, word := range strings.Fields(line) {
			parts := oldWord.FindStringSubmatch(word)
			if parts == nil || i > 0 && !instance.Known(parts[1]) {
				return nil, false
			}
			if _, twice := values[parts[1]]; twice {
				return nil, false
			}
			values[parts[1]] = parts[2]
			several = several || i > 0
		}
	}
	return values, several
}

// quoted is a value in a sentence: of X_ENV none is shown, since a secret may
// have come under the name of what is none.
var quoted = regexp.MustCompile(`"(\\.|[^"\\])*"`)

// load loads the target's instance with env in the process environment. The
// problems tell where this CI system has the variable.
func load(root string, target Target, env map[string]string, environ []string) (
	*instance.Instance, []instance.Problem, error,
) {
	var all []string
	for name, value := range env {
		all = append(all, name+"="+value)
	}
	all = append(all, environ...)
	if target.Branch != "" { // as deploy.Branch has it
		more, err := instance.OfBranch(root, target.Branch, all)
		if err != nil {
			return nil, nil, err
		}
		all = append(all, more...)
	}
	inst, err := instance.Load(root, target.Instance, all)
	invalid, ok := errors.AsType[*instance.Invalid](err)
	if !ok {
		return inst, nil, err
	}
	problems := invalid.Problems
	for i, p := range problems {
		v, _ := instance.Find(p.Name)
		_, ours := env[p.Name]
		if _, set := inst.Lookup(p.Name); ours {
			problems[i].Reason = quoted.ReplaceAllString(p.Reason, `"…"`)
			problems[i].Mend = "correct it in " + target.secret()
		} else if v.Secret && !set {
			problems[i].Mend = "put " + p.Name + "=… in " + target.secret()
		}
	}
	return inst, problems, nil
}

// include returns the absolute path of an SSH configuration, which ssh would
// silently do without.
func include(root, config string) (string, error) {
	if !filepath.IsAbs(config) {
		config = filepath.Join(root, config)
	}
	config, err := filepath.Abs(config)
	if err != nil {
		return "", err
	}
	if !quotable.MatchString(config) {
		return "", errors.New("its path can't be named in an SSH configuration")
	}
	file, err := os.Open(config)
	if err != nil {
		return "", err
	}
	return config, file.Close()
}

// deployer is what a job is handed to; tests have one that deploys nothing.
type deployer struct {
	to     func(ctx context.Context, name string, o deploy.Options) error
	branch func(ctx context.Context, branch string, o deploy.Options) error
}

// Deploy does what the run of a CI system means ([Run.Target]), with the image
// REPO:COMMIT, in the project that is the working directory.
func Deploy(ctx context.Context) error { return deployer{deploy.To, deploy.Branch}.deploy(ctx) }

func (d deployer) deploy(ctx context.Context) error {
	r, err := Read(os.Getenv)
	if err != nil {
		return err
	}
	target, err := r.Target()
	if err != nil {
		return err
	}
	if target.Nothing != "" {
		console.Done("%s", target.Nothing)
		return nil
	}
	j, err := newJob(".", r, target, os.Environ())
	if err != nil {
		return err
	}
	for _, value := range j.masks {
		console.Mask(value)
	}
	start := time.Now()
	if err := d.run(ctx, j); err != nil {
		return err
	}
	console.Done("%s: %s is deployed (%s)", target, j.options.Image, time.Since(start).Round(100*time.Millisecond))
	return nil
}

// run deploys with the job's secrets where they are looked for, and leaves none.
func (d deployer) run(ctx context.Context, j job) error {
	return withFolder(ctx, func(ctx context.Context, dir string) error {
		config, err := j.access.write(dir)
		if err != nil {
			return err
		}
		env := maps.Clone(j.env)
		env["ssh_config"] = config
		restore, err := setenv(env, handed)
		defer restore()
		if err != nil {
			return err
		}
		return console.Group("deploy "+j.options.Image+" to "+j.target.String(), func() error {
			if j.target.Branch != "" {
				return d.branch(ctx, j.target.Branch, j.options)
			}
			return d.to(ctx, j.target.Instance, j.options)
		})
	})
}

// setenv sets and unsets variables of the process environment, until restore.
func setenv(values map[string]string, unset []string) (restore func(), err error) {
	before := map[string]string{}
	names := slices.Concat(slices.Collect(maps.Keys(values)), unset)
	for _, name := range names {
		if value, set := os.LookupEnv(name); set {
			before[name] = value
		}
	}
	restore = func() {
		for _, name := range names {
			if value, set := before[name]; set {
				os.Setenv(name, value)
			} else {
				os.Unsetenv(name)
			}
		}
	}
	for _, name := range unset {
		os.Unsetenv(name)
	}
	for name, value := range values {
		if err := os.Setenv(name, value); err != nil {
			return restore, fmt.Errorf("%s can't be set: %w", name, err)
		}
	}
	return restore, nil
}
