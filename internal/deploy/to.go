package deploy

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/bigsudo"
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/setup"
	"github.com/betagouv/mrs-ops/internal/target"
)

// playbook is what the cookbook's command line deploys with.
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
	more, err := instance.OfBranch(".", branch, os.Environ())
	if err != nil {
		return err
	}
	return newDeployment(instance.Branches, more, o).run(ctx)
}

type deployment struct {
	name    string   // of the env file
	env     []string // what the process environment has beside its own
	options Options  // as they were given
	what    string   // is done, for the lock and the audit log
	release string   // one that ran before, instead of what is rendered ([hostapi.Deploy])
	here    bool     // the images are on the server already
	// prepare and undo change the server before the deployment, once the lock is
	// held, and take that back if it fails.
	prepare, undo func(s *target.Target) error
	beside        Beside
}

// Beside is what is done to an instance's server beside a deployment, mostly by mrs-host ([Have]): Before and After
// under the instance's lock, Undo where one of them or the deployment has failed, and the lock is free again.
type Beside struct {
	Before, Undo, After func(ctx context.Context, s *target.Target, request hostapi.Deploy) error
}

// With is [To] with more beside it. what is what it is called, for the lock and the audit log.
func With(ctx context.Context, name, what string, o Options, b Beside) error {
	d := newDeployment(name, nil, o)
	d.what, d.beside = what, b
	return d.run(ctx)
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
	if err := setup.Need(ctx, console.Say, "git", "ssh"); err != nil {
		return err
	}
	deployed, err := d.apply(ctx, plan)
	if err != nil || d.options.DryRun {
		return err
	}
	took := time.Since(start).Round(100 * time.Millisecond)
	console.Done("%s: %s answers (%s in %s)", plan.Name, plan.Request.URL, came(deployed), took)
	return nil
}

// apply has the plan carried out on the instance's server, or, in a dry run,
// tells what that would change.
func (d deployment) apply(ctx context.Context, plan *Plan) (deployed hostapi.Deployed, err error) {
	inst := plan.inst
	if !d.options.DryRun {
		if err := d.ask(inst); err != nil {
			return deployed, err
		}
	}
	ctx, stop := console.Interruptible(ctx)
	defer stop()
	// The connection outlives the interruption, so that the end of what was begun
	// can be waited for.
	s, err := target.Open(context.WithoutCancel(ctx), inst)
	if err != nil {
		return deployed, fmt.Errorf("%s: nothing was changed: %w", inst.Name, err)
	}
	defer s.Close()
	if d.options.DryRun {
		return deployed, d.dryRun(s, plan, inst)
	}
	_, err = s.Program()
	if err == nil && ctx.Err() != nil {
		err = errors.New("interrupted")
	}
	if err != nil {
		return deployed, fmt.Errorf("%s: nothing was changed: %w", inst.Name, err)
	}
	return d.locked(ctx, s, plan)
}

// ask asks whether production is meant, of who can be asked.
func (d deployment) ask(inst *instance.Instance) error {
	if d.options.Yes || inst.Name != instance.Production || os.Getenv("CI") != "" {
		return nil
	}
	return console.Sure(fmt.Sprintf("%s: %s on %s, which serves %s?", inst.Name, d.what, inst.Get("server"), inst.URL()))
}

// locked deploys under the instance's lock.
func (d deployment) locked(ctx context.Context, s *target.Target, plan *Plan) (deployed hostapi.Deployed, err error) {
	lock, err := s.Lock(plan.Request.Who, d.what)
	if err != nil {
		return deployed, err
	}
	console.Say("%s: %s, on %s", plan.Name, d.what, s)
	// What still works there ends by this, and undoes what it has begun.
	release := sync.OnceValue(lock.Release)
	defer context.AfterFunc(ctx, func() {
		console.Say("%s: interrupted; what was begun is being undone", plan.Name)
		_ = release()
	})()
	began := false // as far as we were told
	before, err := s.Audit()
	if err == nil && d.prepare != nil {
		err = d.prepare(s)
	}
	if err == nil {
		request := plan.Request
		request.Release, request.Pull, request.Token = d.release, !d.here, lock.Token
		request.What, request.Change = d.what, d.options.change()
		if d.beside.Before != nil {
			err = d.beside.Before(ctx, s, request)
		}
		if err == nil {
			deployed, began, err = carryOut(s, request, "deploy")
		}
		if err == nil && d.beside.After != nil {
			err = d.beside.After(ctx, s, request)
		}
	}
	released := release()
	if err != nil && d.undo != nil {
		err = errors.Join(err, d.undo(s))
	}
	if err != nil && d.beside.Undo != nil {
		err = errors.Join(err, d.beside.Undo(context.WithoutCancel(ctx), s, plan.Request))
	}
	failed, known := errors.AsType[*hostapi.Failure](err)
	if err != nil && !known {
		err = fmt.Errorf("%s: %w", d.ended(s, len(before), began), err)
	}
	switch {
	case ctx.Err() != nil:
		if known && failed.Outcome == hostapi.Interrupted {
			err = errors.New(strings.TrimPrefix(failed.Reason, "interrupted; "))
		} else if err == nil {
			err = errors.New("it was done all the same")
		}
		return deployed, fmt.Errorf("%s: interrupted: %w\n"+
			"hint: mage ops:audit %[1]s tells what came of it; deploying again goes on from there", plan.Name, err)
	case err != nil:
		return deployed, fmt.Errorf("%s: %s was not done: %w", plan.Name, d.what, err)
	}
	return deployed, released
}

// ended says how a deployment whose end was not heard has ended on the server, of
// whose audit log seen is the length from before; began is whether it had begun.
func (d deployment) ended(s *target.Target, seen int, began bool) string {
	entries, err := s.Audit()
	return endedWith(entries, err, seen, began)
}

// endedWith says that of the audit log, which can't be read where there is an err.
func endedWith(entries []hostapi.Entry, err error, seen int, began bool) string {
	switch {
	case err != nil:
		return "what came of it is not known: " + err.Error()
	case len(entries) <= seen && began:
		return "it was killed there, and what came of it is not known; deploying again goes on from there"
	case len(entries) <= seen:
		return "nothing was changed"
	}
	last := entries[len(entries)-1]
	if last.Outcome == hostapi.OK {
		return "it was done all the same"
	}
	return strings.TrimSuffix(string(last.Outcome)+": "+last.Reason, ": ")
}

// Have hands a request to a command of mrs-host, and shows what it says.
func Have(s *target.Target, request hostapi.Deploy, words ...string) error {
	_, _, err := carryOut(s, request, words...)
	return err
}

// carryOut hands a request to a command of mrs-host, and shows what it says: began is whether that
// was anything. The error is a [*hostapi.Failure] where it says what came of it.
func carryOut(s *target.Target, request hostapi.Deploy, words ...string) (
	deployed hostapi.Deployed, began bool, err error,
) {
	text, marshalErr := json.Marshal(request)
	mrsHost, err := s.Program()
	if err = cmp.Or(marshalErr, err); err != nil {
		return deployed, false, err
	}
	// In a session of its own: where the connection is lost it is told to end, and
	// takes the time that it needs to undo what it has begun.
	out := s.ExecFrom(script.Echo(string(text)), append([]string{"setsid", "--wait", mrsHost}, words...)...)
	return listen(out, console.Narrate(request.Name, 10*time.Second))
}

// listen shows what mrs-host says, and returns what came of it.
func listen(out *script.Pipe, show *console.Narrator) (deployed hostapi.Deployed, began bool, err error) {
	defer show.End()
	var came hostapi.Event
	lines := bufio.NewScanner(out)
	lines.Buffer(nil, 8<<20)
	for lines.Scan() {
		began = true
		var event hostapi.Event
		if err := json.Unmarshal(lines.Bytes(), &event); err != nil {
			event.Say = lines.Text()
		}
		switch {
		case event.Say != "":
			show.Say(event.Say)
		case event.Detail != "":
			show.End()
			fmt.Fprintln(os.Stderr, event.Detail)
		default:
			came = event
		}
	}
	switch {
	case came.Failed != nil:
		return deployed, true, came.Failed
	case came.Deployed != nil:
		return *came.Deployed, true, nil
	}
	return deployed, began, cmp.Or(out.Error(), lines.Err(), errors.New("mrs-host ended without telling what came of it"))
}

// command returns the cookbook's command line, which comes to the same.
func (d deployment) command(inst *instance.Instance) (bigsudo.Command, error) {
	binary, err := os.Executable()
	if err != nil {
		return bigsudo.Command{}, err
	}
	host := inst.Get("server")
	if host != instance.Here && !strings.Contains(host, "@") {
		host = "@" + host
	}
	command := bigsudo.Command{
		Playbook: playbook,
		Hosts:    []string{host},
		Vars:     map[string]any{"instance": d.name, "mage": []string{binary}, "what": d.what},
		Env:      d.env,
	}
	if d.release != "" {
		command.Vars["release"] = d.release
	}
	if config := inst.Get("ssh_config"); config != "" {
		command.Args, err = bigsudo.SSHArgs(config)
	}
	return command, err
}

// came says what a run has changed.
func came(deployed hostapi.Deployed) string {
	if deployed.Changes == 0 {
		return "nothing to change, changed=0"
	}
	return fmt.Sprintf("changed=%d", deployed.Changes)
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
	if commit != "" {
		commit = "commit " + short(commit)
	}
	if author != "" {
		author = "by " + author
	}
	parts := slices.DeleteFunc([]string{commit, author, o.Image, o.Link}, func(part string) bool { return part == "" })
	return " (" + strings.Join(parts, ", ") + ")"
}

// Unlock ends who has the instance locked, after a question unless yes.
func Unlock(ctx context.Context, name string, yes bool) error {
	s, _, err := target.Find(ctx, name)
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
	what := "unlock: " + holder.Who + ", " + holder.What
	if err := s.Audited(target.Operator(), what, func() error { return s.Unlock(holder) }); err != nil {
		return fmt.Errorf("%s can't be unlocked: %w", s.Name, err)
	}
	console.Done("%s: unlocked; what came of what %s had begun is in mage ops:audit %[1]s", s.Name, holder.Who)
	return nil
}
