// Package rollout replaces what runs of an instance by what is to run. What runs
// goes on until what is to run is known to work, and comes back if it does not.
//
// A rollout first prepares: it looks, has all images here, and refuses what can't
// work; nothing that runs is touched. Then it carries out a plan of steps
// ([rollout.plan] has all of them on a screen), each of which knows how to take back
// what it did. The last of them keeps the release; after that nothing is taken back
// any more.
//
// SIGTERM or a lost caller end it in order. What SIGKILL or a power cut leave, the
// next rollout finds and tidies up ([rollout.tidy]); until then the site answers.
//
// It must not know Docker's or PostgreSQL's commands: it asks [Host] for them.
package rollout

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/answer"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/compose"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
	"github.com/betagouv/mrs-ops/internal/hostside/plan"
	"github.com/betagouv/mrs-ops/internal/hostside/release"
	"github.com/betagouv/mrs-ops/internal/stack/model"
)

// Host is what a rollout asks of the server that it happens on.
type Host interface {
	Compose
	Engine
	Door
	Application
	Data
}

// Compose is docker compose for the project ([compose.Project]).
type Compose interface {
	Resolved(ctx context.Context, file string) ([]byte, error)
	Hashes(ctx context.Context, file string) (map[string]string, error)
	Overlay(ctx context.Context, file string, over []byte) ([]byte, error)
	Pull(ctx context.Context, file string) (others []string)
	Up(ctx context.Context, file string, up compose.Up) error
}

// Engine is the Docker engine.
type Engine interface {
	// Containers returns those of the project, the oldest first.
	Containers(ctx context.Context) ([]docker.Container, error)
	// Image returns the one that has a name here; without an ID, none has.
	Image(ctx context.Context, name string) (docker.Image, error)
	Tag(ctx context.Context, id, name string) error
	// Fetch has an image here that is named by its digest.
	Fetch(ctx context.Context, digest string) error
	// Network has an external network, and reports whether it was made.
	Network(ctx context.Context, name string) (made bool, err error)
	// Drain ends and removes containers that nobody is to reach any more, once what
	// they are serving is served.
	Drain(ctx context.Context, all ...docker.Container) error
	// Log is what helps to understand why a container does not work.
	Log(ctx context.Context, c docker.Container) string
}

// Door keeps new connections from a container, and counts them.
type Door interface {
	Close(ctx context.Context, c docker.Container) error
	Open(ctx context.Context, c docker.Container) error
	Count(ctx context.Context, c docker.Container) error
	Visits(ctx context.Context, c docker.Container) (int, error)
	// Lacks names what the host has not, that the others need.
	Lacks() []string
}

// Application is the site as it runs, and what only MRS is asked. A container is named by
// its id; "" is what visitors get, by the load balancer.
type Application interface {
	// Listens tells which services there are from now on, and which of them is the site.
	Listens(all []hostapi.Service, site string)
	Answers(ctx context.Context, container, path string, m answer.Maintenance, within time.Duration) error
	// Visit asks for a page of another name of the stack's, whatever the answer is.
	Visit(ctx context.Context, host, path string)
	// Proves that the container uses the database that is backed up, of the container server.
	Proves(ctx context.Context, container, server string) error
	// Moment waits until no job runs within lead.
	Moment(ctx context.Context, container, server string, lead time.Duration, say func(string)) error
	// Developers has test data and lets developers in.
	Developers(ctx context.Context, container string) error
	// Trail is what the load balancer's log has about our own visits.
	Trail(ctx context.Context) string
}

// Data is the instance's data, and what of the host is set for it.
type Data interface {
	// Keeps fails where a stack, in JSON, has another PostgreSQL than its data folder, or another database than the
	// one of its containers, where the data are.
	Keeps(ctx context.Context, stack []byte, all []docker.Container) error
	// CanBackUp reports whether the instance has backups.
	CanBackUp() bool
	// Backup makes a snapshot. The error [ErrMirror] is of one that is good, but for its mirror.
	Backup(ctx context.Context, say func(string)) error
	// Recover finishes or undoes a restore that was cut short.
	Recover(ctx context.Context) error
	// Queue has the host's queue of connections that long.
	Queue(ctx context.Context, length string) error
}

// ErrMirror is a snapshot that is good, and could not be mirrored.
var ErrMirror = errors.New("the snapshot is good, but its mirror is not")

const (
	// current is what runs, next what is to run; before is what ran, while a release is kept.
	current = "docker-compose.yml"
	next    = "docker-compose.next.yml"
	before  = ".docker-compose.before.yml"
	// recreating is there while what can't run twice is replaced: the boot after a power
	// cut brings up what current says.
	recreating = ".recreating"
	// closed is there while the site is closed for maintenance.
	closed = ".maintenance"
	// removeAt says when an ephemeral instance is to be removed, in Unix seconds.
	removeAt = "removeat"
)

// Talk is where a rollout says what it does.
type Talk struct {
	Say    func(line string) // for whoever waits
	Detail func(text string) // what helps to understand a failure
}

// rollout is one, under way.
type rollout struct {
	asked hostapi.Deploy
	Host
	Talk
	releases release.Folder
	first    bool                // nothing was deployed here yet
	services []hostapi.Service   // that are to run
	site     hostapi.Service     // the one of them that visitors come to; without a name, nobody knows
	database string              // the one of them that is backed up; empty: there is none
	sums     map[string][]string // Compose's of the services' configurations: today's first, then another version's
	ids      map[string]string   // of the images that are to run, by their names
	images   map[string]string   // name -> id, before this rollout
	checked  map[string]bool     // services whose image has a health check
	changes  []change
	olds     map[string][]docker.Container // by service, that were there before
	stale    map[string][]docker.Container // of these, those that are to go
	goes     []docker.Container            // of these, those that new ones take over from
	how      string
	release  int
	commit   string
	made     int // networks
}

// rolled is how a rollout ends that nobody has to notice.
const rolled = "took over without a gap"

// change is what is to run otherwise than it does.
type change struct{ service, what string }

// Run deploys what d asks for, under the instance's locks. An error is a [*hostapi.Failure].
func Run(ctx context.Context, d hostapi.Deploy, host Host, talk Talk) (hostapi.Deployed, int, error) {
	r := &rollout{asked: d, Host: host, Talk: talk, releases: release.Of(d.Folder)}
	r.images, r.ids, r.checked = map[string]string{}, map[string]string{}, map[string]bool{}
	if err := r.prepare(ctx); err != nil {
		bounded, stop := r.whoeverLeaves(ctx)
		defer stop()
		return hostapi.Deployed{}, 0, r.failed(ctx, err, undone{left: r.untag(bounded)})
	}
	if begun, err := plan.Do(ctx, r.plan()); err != nil {
		bounded, stop := r.whoeverLeaves(ctx)
		defer stop()
		return hostapi.Deployed{}, 0, r.failed(ctx, err, r.undo(bounded, begun))
	}
	// There is no way back: what follows is done whoever wants us to end.
	bounded, stop := r.whoeverLeaves(ctx)
	defer stop()
	r.settle(bounded)
	return r.result(), r.release, nil
}

// whoeverLeaves returns a context that goes on though whoever began has left, and
// has a bound of its own: an engine may hang.
func (r *rollout) whoeverLeaves(ctx context.Context) (context.Context, context.CancelFunc) {
	bound := 2*r.timeout() + time.Duration(r.asked.Drain)*time.Second + 10*time.Minute
	late := fmt.Errorf("the host did not do it within %v", bound)
	return context.WithTimeoutCause(context.WithoutCancel(ctx), bound, late)
}

// plan is all that is done once everything is prepared, in this order. Whatever
// fails, what has begun is undone, the last first.
func (r *rollout) plan() []plan.Step {
	const startsAgain = "what ran before is started again, as " + current + " has it"
	visits := plan.Lines("curl --include " + hostapi.Quote(r.asked.URL+r.asked.Page))
	keeps := plan.Lines("mkdir releases/N && cp "+next+" releases/N/"+release.Compose, "mv "+next+" "+current)
	if len(r.changes) == 0 {
		r.how = "nothing to change"
		return []plan.Step{
			plan.To("see that what runs is right", r.stillRight, nil).By(visits),
			plan.To("keep it as a release, unless it is one", r.keepUnlessKept, nil).By(keeps),
		}
	}
	for _, c := range r.changes {
		r.Say(c.service + " " + c.what)
	}
	queue := plan.To("set the host's queue of connections",
		func(ctx context.Context) error { return r.Queue(ctx, r.asked.MaxConn) }, nil)
	if r.asked.MaxConn != "" {
		queue = queue.By(plan.Lines("sysctl net.core.somaxconn=" + r.asked.MaxConn))
	}
	steps := []plan.Step{
		plan.To("back up what runs", r.backUp, nil).By(r.backUpCommands),
		queue,
		// Also one that never gets well is removed in time.
		plan.To("say when an ephemeral instance ends", r.beginLife, nil),
	}
	if r.first {
		r.how = "started"
		return append(steps,
			plan.To("start the stack", r.start, nil).
				By(plan.Lines(r.upCommand(current, compose.Up{Orphans: true, Wait: r.timeout()}))),
			plan.To("keep it as a release", r.keepUnlessKept, nil).By(keeps))
	}
	if r.changed(hostapi.MRS) {
		steps = append(steps, plan.To("wait for a minute without jobs", r.moment, nil))
	}
	anew := func(services ...string) func() []string {
		return plan.Lines(r.upCommand(next, compose.Up{Alone: true, Wait: r.timeout(), Services: services}))
	}
	rolls, stops := false, false
	var together []string // what is recreated at the same time
	recreate := func() {
		if len(together) > 0 {
			name := "start anew " + strings.Join(together, " ")
			steps = append(steps, plan.To(name, r.recreate(together), r.bringBack(together)).
				By(anew(together...)).Back(startsAgain))
		}
		together = nil
	}
	all := slices.Clone(r.services)
	for i, s := range all {
		if s.Kind == hostapi.Rolls && r.fixed(s) != "" {
			all[i].Kind = hostapi.Other
		}
	}
	for _, s := range model.Order(all) {
		switch {
		case !r.changed(s.Name):
		case s.Kind == hostapi.OneShot:
			recreate()
			steps = append(steps, plan.To("run "+s.Name+" to its end", r.runOnce(s), r.removeOnce(s)).
				By(plan.Lines(r.upCommand(next, compose.Up{Alone: true, Services: []string{s.Name}}), "docker wait NEW")).
				Back("its container is removed; what it did stays"))
		case s.Kind == hostapi.Rolls:
			recreate()
			rolls = true
			steps = append(steps, r.roll(s)...)
		case s.Name == r.site.Name:
			recreate()
			stops = true
			why := r.fixed(model.Named(r.services, s.Name))
			steps = append(steps,
				plan.To("end what can't run twice: "+why, r.stop(s, why), r.bringBack([]string{s.Name})).
					By(plan.Lines("docker rm OLD   # once it serves nothing any more")).Back(startsAgain),
				plan.To("start it anew", r.recreate([]string{s.Name}), nil).By(anew(s.Name)))
		default:
			together = append(together, s.Name)
		}
	}
	recreate()
	if r.how = "started anew"; rolls && !stops {
		r.how = rolled
	}
	return append(steps,
		plan.To("see that visitors are served", r.served, nil).By(visits),
		plan.To("keep it as a release", r.keep, r.unkeep).By(keeps).
			Back("the release is removed, and "+current+" is what it was"))
}

// roll replaces the containers of a service, one after the other: never fewer than before are
// there for visitors, unless fewer are to be.
func (r *rollout) roll(s hostapi.Service) (steps []plan.Step) {
	stale := r.stale[s.Name]
	r.goes = append(r.goes, stale...)
	scale := map[string]int{s.Name: len(r.olds[s.Name]) + 1}
	beside := r.upCommand(next, compose.Up{Alone: true, Kept: true, Scale: scale, Services: []string{s.Name}})
	missing := s.Replicas - len(r.olds[s.Name]) + len(stale)
	for n := range max(missing, len(stale)) {
		if n < missing {
			steps = append(steps,
				plan.To("start a new "+s.Name+" beside the old one", r.beside(s, n, missing), r.removeNew(s, n)).
					By(plan.Lines(beside)).Back("the new one is removed, once it serves nothing"),
				plan.To("wait until the load balancer knows it", r.admit(s, n), nil))
		}
		if n < len(stale) {
			steps = append(steps, plan.To("close the old "+s.Name, r.closeOld(stale[n]), r.openOld(stale[n])).
				By(plan.Lines("nsenter --target PID --net iptables -I INPUT … -j REJECT   "+
					"# new connections; those that are open go on")).Back("the old one takes connections again"))
		}
	}
	return steps
}

// undo takes back what the steps have done, the last first, and sees that what ran
// before answers.
func (r *rollout) undo(ctx context.Context, steps []plan.Step) (u undone) {
	u.began, u.left = plan.Undo(ctx, steps, func(s plan.Step, err error) {
		r.Detail(fmt.Sprintf("%q can't be undone: %v", s.Name, err))
	})
	if err := r.untag(ctx); err != nil {
		r.Detail(fmt.Sprintf("images do not have their names back: %v", err))
		u.left = errors.Join(u.left, err)
	}
	if u.began && r.site.Name != "" {
		u.silent = r.Answers(ctx, "", r.asked.Page, answer.Either, again)
	}
	return u
}

// again is how long what ran before may take to answer again: a host where much is started
// at once, with its visitors waiting meanwhile, is no dead site.
const again = 2 * time.Minute

// undone is what became of taking back a rollout that failed.
type undone struct {
	began  bool  // there was something to take back
	left   error // what could not be taken back
	silent error // why what ran before does not answer
}

// failed says how it ended: err is why.
func (r *rollout) failed(ctx context.Context, err error, u undone) *hostapi.Failure {
	f, ok := errors.AsType[*hostapi.Failure](err)
	if !ok {
		f = &hostapi.Failure{Reason: oneLine(err)}
	}
	f.Outcome = hostapi.Failed
	if ctx.Err() != nil {
		f.Outcome, f.Reason, f.Hint = hostapi.Interrupted, "interrupted", ""
	}
	switch {
	case u.silent != nil:
		f.Reason += "; what ran before does NOT answer: " + oneLine(u.silent)
	case u.began && u.left != nil:
		f.Reason += "; what ran before answers, but not all could be taken back: " + oneLine(u.left)
	case u.began:
		f.Reason += "; what ran before answers"
		if f.Outcome != hostapi.Interrupted {
			f.Outcome = hostapi.RolledBack
		}
	case u.left != nil:
		f.Reason += "; not all could be taken back: " + oneLine(u.left)
	case r.first && len(r.changes) > 0:
		r.Say("there is no earlier release to go back to: the stack is left as it is")
	}
	return f
}

func (r *rollout) result() hostapi.Deployed {
	d := hostapi.Deployed{Changes: len(r.changes) + r.made, How: r.how, Commit: r.commit}
	if r.release > 0 {
		d.Release = strconv.Itoa(r.release)
	}
	return d
}

// untag has the names of the images mean again what they meant before.
func (r *rollout) untag(ctx context.Context) error {
	var all error
	for name, was := range r.images {
		now, err := r.Image(ctx, name)
		if err == nil && now.ID != was {
			err = r.Tag(ctx, was, name)
		}
		all = errors.Join(all, err)
	}
	return all
}

// --- what there is

func (r *rollout) path(name string) string { return filepath.Join(r.asked.Folder, name) }

func (r *rollout) is(name string) bool {
	_, err := os.Stat(r.path(name))
	return err == nil
}

func (r *rollout) maintenance() answer.Maintenance {
	if r.is(closed) {
		return answer.Closed
	}
	return answer.Open
}

func (r *rollout) timeout() time.Duration { return time.Duration(r.asked.Timeout) * time.Second }

// of returns a service's containers, the oldest first.
func (r *rollout) of(ctx context.Context, service string) ([]docker.Container, error) {
	all, err := r.Containers(ctx)
	return slices.DeleteFunc(all, func(c docker.Container) bool { return c.Service() != service }), err
}

// newest returns a service's container that was made last; without an ID, there is none.
func (r *rollout) newest(ctx context.Context, service string) (docker.Container, error) {
	all, err := r.Containers(ctx)
	c, _ := last(all, service)
	return c, err
}

// last returns a service's container of all that was made last, if there is one.
func last(all []docker.Container, service string) (docker.Container, bool) {
	for _, c := range slices.Backward(all) {
		if c.Service() == service {
			return c, true
		}
	}
	return docker.Container{}, false
}

// now returns a container as it is now; without an ID, it is gone.
func (r *rollout) now(ctx context.Context, c docker.Container) (docker.Container, error) {
	all, err := r.Containers(ctx)
	i := slices.IndexFunc(all, func(other docker.Container) bool { return other.ID == c.ID })
	if err != nil || i < 0 {
		return docker.Container{}, err
	}
	return all[i], nil
}

func (r *rollout) changed(service string) bool {
	return slices.ContainsFunc(r.changes, func(c change) bool { return c.service == service })
}

// right waits until a container's own answers are right, if it is the site's, and of MRS sees
// that it uses the database that is backed up.
func (r *rollout) right(ctx context.Context, s hostapi.Service, c docker.Container) error {
	if c.ID == "" {
		return fmt.Errorf("there is no container of %s", s.Name)
	}
	if s.Name != r.site.Name || s.Port == 0 {
		return nil
	}
	if err := r.Answers(ctx, c.ID, r.asked.Page, r.maintenance(), r.timeout()); err != nil {
		return err
	}
	if s.Name != hostapi.MRS {
		return nil
	}
	if err := r.Answers(ctx, c.ID, "/", r.maintenance(), r.timeout()); err != nil {
		return err
	}
	server, err := r.newest(ctx, r.database)
	if err != nil || server.ID == "" {
		return err
	}
	return r.Proves(ctx, c.ID, server.ID)
}

// visited waits until visitors are served, by the load balancer.
func (r *rollout) visited(ctx context.Context) error {
	if r.site.Name == "" {
		return nil
	}
	err := r.Answers(ctx, "", r.asked.Page, r.maintenance(), r.timeout())
	if err != nil && ctx.Err() == nil {
		r.Detail(r.Trail(ctx))
	}
	return err
}

// showLog tells why the application does not work.
func (r *rollout) showLog(ctx context.Context, all ...docker.Container) {
	for _, c := range all {
		if ctx.Err() == nil && c.ID != "" {
			r.Detail(r.Log(ctx, c))
		}
	}
}

// refused is why docker compose did not do something, in our words; what it said
// itself is shown.
func (r *rollout) refused(err error, format string, args ...any) error {
	if said, ok := errors.AsType[*compose.Error](err); ok {
		r.Detail(strings.TrimSpace(said.Said))
	}
	return fmt.Errorf(format, args...)
}

func oneLine(err error) string {
	text, _, _ := strings.Cut(strings.TrimSpace(err.Error()), "\n")
	return text
}

// write gives a file of the stack's folder a content that the power leaves there.
func (r *rollout) write(name string, content []byte) error {
	return durable.Write(r.path(name), content, 0o600)
}

func sleep(ctx context.Context, d time.Duration) {
	select {
	case <-ctx.Done():
	case <-time.After(d):
	}
}
