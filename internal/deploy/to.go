package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/bigsudo"
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/server"
	"github.com/betagouv/mrs-ops/internal/setup"
)

// playbook does on the server what there is to do.
var playbook = filepath.Join("ansible", "deploy.yml")

// Options is what may differ from an instance's env file, and how to go about it.
type Options struct {
	Image  string // of django; empty: the env file's
	DryRun bool   // print what would change, and change nothing
	Yes    bool   // ask no question

	// What Slack is told of the change; empty: what git says here.
	Commit, Author, Link string
}

// To deploys the instance called name, that of an env file, to its server. Its
// last line on standard output is the outcome.
//
// What runs there goes on until what is to run is known to work, and comes back
// if it does not: then, and where somebody else has the instance locked, the
// error says so.
func To(ctx context.Context, name string, o Options) error {
	if name == "local" {
		return errors.New("the instance local is deployed by mage deploy:local")
	}
	return newDeployment(name, nil, o).run(ctx)
}

// Branch deploys a branch as an ephemeral instance, under a name that is made of
// the branch's, and says which. Without an image in o it gets that of the env
// file.
func Branch(ctx context.Context, branch string, o Options) error {
	slug, err := instance.Slug(branch)
	if err != nil {
		return err
	}
	more, err := instance.OfBranch(".", slug, os.Environ())
	if err != nil {
		return err
	}
	return newDeployment(instance.Branches, more, o).run(ctx)
}

// deployment is a run of the playbook for one instance.
type deployment struct {
	name    string         // of the env file
	env     []string       // what the process environment has beside its own
	options Options        // as they were given
	what    string         // is done, for the lock and the audit log
	vars    map[string]any // more variables for the playbook
	// prepare and undo change the server before the playbook, once the lock is
	// held, and take that back if it fails.
	prepare, undo func(s *server.Server) error
}

func newDeployment(name string, env []string, o Options) deployment {
	d := deployment{name: name, env: env, options: o, what: "deploy"}
	if o.Image != "" {
		d.env = append(d.env, "compose_django_image="+o.Image)
		d.what = "deploy " + o.Image
	}
	return d
}

// run does what there is to do: everything is checked first, and all that is
// wrong is said at once.
func (d deployment) run(ctx context.Context) error {
	start := time.Now()
	plan, err := NewPlan(ctx, d.name, append(os.Environ(), d.env...))
	if err != nil {
		return err
	}
	if err := setup.Need(ctx, console.Say, "ansible", "git", "ssh"); err != nil {
		return err
	}
	recap, err := d.apply(ctx, plan)
	if err != nil || d.options.DryRun {
		return err
	}
	console.Done("%s: %s answers (%s in %s)", plan.Name, plan.URL, came(recap), time.Since(start).Round(100*time.Millisecond))
	return nil
}

// apply has the plan carried out on the instance's server, or, in a dry run,
// tells what that would change.
func (d deployment) apply(ctx context.Context, plan *Plan) (recap bigsudo.Recap, err error) {
	inst, err := instance.Load(".", d.name, append(os.Environ(), d.env...))
	if err != nil {
		return recap, err
	}
	inst.Name = plan.Name
	if !d.options.DryRun {
		if err := d.ask(inst); err != nil {
			return recap, err
		}
	}
	ctx, stop := console.Interruptible(ctx)
	defer stop()
	// The connection outlives the interruption, so that the end of what was begun
	// can be waited for.
	s, err := server.Open(context.WithoutCancel(ctx), inst)
	if err != nil {
		return recap, fmt.Errorf("%s: nothing was changed: %w", inst.Name, err)
	}
	defer s.Close()
	if d.options.DryRun {
		return recap, d.dryRun(s, plan, inst)
	}
	if ctx.Err() != nil {
		return recap, fmt.Errorf("%s: interrupted; nothing was changed", inst.Name)
	}
	return d.locked(ctx, s, plan, inst)
}

// ask asks whether production is meant, of who can be asked.
func (d deployment) ask(inst *instance.Instance) error {
	if d.options.Yes || inst.Name != instance.Production || os.Getenv("CI") != "" {
		return nil
	}
	return console.Sure(fmt.Sprintf("%s: %s on %s, which serves %s?", inst.Name, d.what, inst.Get("server"), inst.URL()))
}

// locked runs the playbook under the instance's lock, and shows what the server
// says meanwhile.
func (d deployment) locked(ctx context.Context, s *server.Server, plan *Plan, inst *instance.Instance) (recap bigsudo.Recap, err error) {
	show := progress{name: inst.Name}
	lock, err := s.Lock(plan.Who, d.what, show.line)
	if err != nil {
		return recap, err
	}
	defer show.end()
	before, err := s.Audit()
	if err == nil && d.prepare != nil {
		err = d.prepare(s)
	}
	if err == nil {
		recap, err = d.play(ctx, inst, lock.Token)
	}
	if ctx.Err() != nil {
		console.Say("%s: interrupted; what was begun is being undone", inst.Name)
	}
	// What still works there ends by this, and undoes what it has begun.
	released := lock.Release()
	if err != nil && d.undo != nil {
		err = errors.Join(err, d.undo(s))
	}
	switch {
	case ctx.Err() != nil:
		return recap, fmt.Errorf("%s: interrupted: %s\nhint: mage ops:audit %s tells what came of it; deploying again goes on from there", inst.Name, d.ended(s, len(before)), inst.Name)
	case err != nil:
		return recap, fmt.Errorf("%s: %s was not done: %s: %w", inst.Name, d.what, d.ended(s, len(before)), err)
	}
	return recap, released
}

// ended says how the run has ended on the server, of whose audit log seen is
// the length from before.
func (d deployment) ended(s *server.Server, seen int) string {
	entries, err := s.Audit()
	switch {
	case err != nil:
		return "what came of it is not known: " + err.Error()
	case len(entries) <= seen:
		return "nothing was changed"
	}
	last := entries[len(entries)-1]
	if last.Outcome == "ok" {
		return "it was done all the same"
	}
	return strings.TrimSuffix(string(last.Outcome)+": "+last.Reason, ": ")
}

// play runs the playbook.
func (d deployment) play(ctx context.Context, inst *instance.Instance, token string) (bigsudo.Recap, error) {
	command, err := d.command(inst)
	if err != nil {
		return bigsudo.Recap{}, err
	}
	if err := os.Setenv(changeVariable, d.options.change()); err != nil {
		return bigsudo.Recap{}, err
	}
	// Who holds the lock is no secret, but of no use to who pastes the line.
	command.Objects = append(command.Objects, `{"lock":"`+token+`"}`)
	return command.Run(ctx)
}

// command returns the playbook's command line.
func (d deployment) command(inst *instance.Instance) (bigsudo.Command, error) {
	binary, err := os.Executable()
	if err != nil {
		return bigsudo.Command{}, err
	}
	host := inst.Get("server")
	if host != server.Here && !strings.Contains(host, "@") {
		host = "@" + host
	}
	command := bigsudo.Command{
		Playbook: playbook,
		Hosts:    []string{host},
		Vars:     map[string]any{"instance": d.name, "mage": []string{binary}, "what": d.what},
		Env:      d.env,
	}
	for name, value := range d.vars {
		command.Vars[name] = value
	}
	if config := inst.Get("ssh_config"); config != "" {
		command.Args, err = bigsudo.SSHArgs(config)
	}
	return command, err
}

// came says what a run has changed.
func came(recap bigsudo.Recap) string {
	if recap.Changed == 0 {
		return "nothing to change, changed=0"
	}
	return fmt.Sprintf("changed=%d", recap.Changed)
}

func brackets(text string) string {
	if text == "" {
		return ""
	}
	return " (" + text + ")"
}

// short returns a commit as people write it.
func short(commit string) string { return commit[:min(len(commit), 8)] }

// change returns what Slack is told of the change.
func (o Options) change() string {
	commit, author := o.Commit, o.Author
	if commit == "" && o.Image == "" {
		return "" // what git says here is about these recipes, not about the image
	}
	var parts []string
	if commit != "" {
		parts = append(parts, "commit "+short(commit))
	}
	if author != "" {
		parts = append(parts, "by "+author)
	}
	if o.Image != "" {
		parts = append(parts, o.Image)
	}
	if o.Link != "" {
		parts = append(parts, o.Link)
	}
	return " (" + strings.Join(parts, ", ") + ")"
}

// progress shows what a deployment says, and that it is alive.
type progress struct {
	name string
	stop func()
}

func (p *progress) line(text string) {
	p.end()
	console.Say("%s: %s", p.name, text)
	p.stop = console.Pulse(10*time.Second, console.Say, p.name+": "+strings.TrimSpace(text))
}

// end ends the signs of life.
func (p *progress) end() {
	if p.stop != nil {
		p.stop()
		p.stop = nil
	}
}

// Unlock ends who has the instance locked, after a question unless yes.
func Unlock(ctx context.Context, name string, yes bool) error {
	s, _, err := open(ctx, name)
	if err != nil {
		return err
	}
	defer s.Close()
	holder, locked, err := s.Holder()
	if err != nil {
		return err
	}
	if !locked {
		console.Done("%s: nobody has it locked", s.Name)
		return nil
	}
	if !yes {
		if err := console.Sure(fmt.Sprintf("%s is locked by %s. End that?", s.Name, holder)); err != nil {
			return err
		}
	}
	if err := s.Audited(server.Operator(), "unlock: "+holder.Who+", "+holder.What, func() error { return s.Unlock(holder) }); err != nil {
		return fmt.Errorf("%s can't be unlocked: %w", s.Name, err)
	}
	console.Done("%s: unlocked; what came of what %s had begun is in mage ops:audit %s", s.Name, holder.Who, s.Name)
	return nil
}

// open connects to the server of an instance or a branch. What its variables
// lack keeps nobody from looking after it, as long as it can be found.
func open(ctx context.Context, name string) (*server.Server, *instance.Instance, error) {
	inst, _, err := instance.Lookup(name)
	if err := instance.Findable(err); err != nil {
		return nil, nil, err
	}
	s, err := server.Open(ctx, inst)
	return s, inst, err
}
