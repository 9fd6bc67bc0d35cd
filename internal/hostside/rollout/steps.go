package rollout

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/compose"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
	"github.com/betagouv/mrs-ops/internal/hostside/release"
	"github.com/betagouv/mrs-ops/internal/stack/model"
)

// stillRight sees that what runs is right, where nothing is to change.
func (r *rollout) stillRight(ctx context.Context) error {
	for _, c := range r.olds[r.site.Name] {
		if err := r.right(ctx, r.site, c); err != nil {
			return err
		}
	}
	return r.visited(ctx)
}

// keepUnlessKept keeps what runs as a release, unless the newest one is just that:
// a rollout that was killed may have come that far.
func (r *rollout) keepUnlessKept(ctx context.Context) error {
	n, err := r.releases.Newest()
	if err != nil {
		return err
	}
	kept, _ := r.releases.Images(n) // what can't be read is kept anew
	runs, err := r.runs(ctx)
	if err != nil {
		return err
	}
	if n == 0 || !slices.EqualFunc(kept, runs, release.Image.Same) {
		return r.keep(ctx)
	}
	r.release = n
	if r.commit, err = r.commitOf(ctx); err != nil {
		return err
	}
	return r.replaceCurrent()
}

// replaceCurrent has what is to run be what runs, for the next boot and whoever
// comes next.
func (r *rollout) replaceCurrent() error {
	now, _ := os.ReadFile(r.path(current))
	content, err := os.ReadFile(r.path(next))
	if err != nil {
		return err
	}
	if string(now) == string(content) {
		return os.Remove(r.path(next))
	}
	return durable.Rename(r.path(next), r.path(current))
}

// backUp makes a snapshot of what runs.
func (r *rollout) backUp(ctx context.Context) error {
	if r.asked.Persistent && r.database == "" {
		r.Say(r.asked.Project + " is NOT backed up: none of its services is a database (label " + model.Label + ")")
		return nil
	}
	// Of a release that runs no data is touched: whoever closes a site has no time for more.
	if !r.asked.Persistent || r.first || r.asked.Release == hostapi.Current {
		return nil
	}
	if !r.CanBackUp() {
		r.Say(r.asked.Project + " is NOT backed up before it is changed: RESTIC_PASSWORD is not set")
		return nil
	}
	server, err := r.newest(ctx, r.database)
	if err != nil {
		return err
	}
	if server.Health != "healthy" && (server.Health != "" || !server.Running) {
		// To refuse would keep a sick database sick.
		r.Say(r.asked.Project + " is NOT backed up before it is changed: its " + r.database + " is not healthy")
		return nil
	}
	r.Say("backing up what runs")
	if _, lost := model.Folders(r.services); len(lost) > 0 && r.asked.Release == "" {
		r.Say("NOT in the backup, since it is not in the stack's folder: " + strings.Join(lost, ", "))
	}
	err = r.Backup(ctx, func(line string) { r.Say("  " + line) })
	if errors.Is(err, ErrMirror) {
		r.Say(oneLine(err))
		return nil
	}
	if err != nil && ctx.Err() == nil {
		r.Detail(err.Error())
		return errors.New("the backup failed, so nothing was changed")
	}
	return err
}

// beginLife says when an ephemeral instance is to be removed, where nothing says it.
func (r *rollout) beginLife(context.Context) error {
	if r.asked.Lifetime == 0 || r.is(removeAt) {
		return nil
	}
	return r.live()
}

// live has an ephemeral instance live for its whole lifetime from now on. A life
// that was extended is not cut short.
func (r *rollout) live() error {
	until := time.Now().Unix() + int64(r.asked.Lifetime)
	text, _ := os.ReadFile(r.path(removeAt))
	if set, err := strconv.ParseInt(strings.TrimSpace(string(text)), 10, 64); err == nil && set >= until {
		return nil
	}
	return r.write(removeAt, fmt.Appendln(nil, until))
}

// moment waits until none of the application's jobs runs soon: two containers would
// both run it.
func (r *rollout) moment(ctx context.Context) error {
	olds := r.olds[hostapi.MRS]
	if !r.asked.Jobs || len(olds) == 0 {
		return nil
	}
	server, err := r.newest(ctx, r.database)
	if err != nil || !server.Running {
		return err
	}
	lead := time.Minute + time.Duration(r.asked.Drain)*time.Second
	err = r.Moment(ctx, olds[len(olds)-1].ID, server.ID, lead, r.Say)
	if err != nil && ctx.Err() == nil {
		r.Say(oneLine(err))
		return nil
	}
	return err
}

// start starts a stack where none has run.
func (r *rollout) start(ctx context.Context) error {
	content, err := os.ReadFile(r.path(next))
	if err == nil {
		err = r.write(current, content)
	}
	if err != nil {
		return err
	}
	r.Say("starting the stack")
	if err := r.up(ctx, current, compose.Up{Orphans: true}); err != nil {
		return err
	}
	if err := r.served(ctx); err != nil {
		return err
	}
	// What images make when they start for the first time they do not sync: of
	// PostgreSQL's, its pg_hba.conf.
	return durable.SyncAll(r.asked.Folder)
}

// stop ends the site's old containers, since the new ones can't run beside them.
func (r *rollout) stop(s hostapi.Service, why string) func(context.Context) error {
	return func(ctx context.Context) error {
		r.Say(s.Name + " is stopped and started anew, since " + why + ": the site does not answer meanwhile")
		if len(r.olds[s.Name]) == 0 {
			return nil
		}
		if err := r.write(recreating, nil); err != nil {
			return err
		}
		r.shut(ctx, r.olds[s.Name]...)
		return nil
	}
}

// recreate has services run as next has them.
func (r *rollout) recreate(services []string) func(context.Context) error {
	return func(ctx context.Context) error {
		for _, s := range services {
			switch {
			case s == r.database:
				r.Say(s + " is stopped and started anew: the site is without its database meanwhile")
			case s != r.site.Name && len(r.olds[s]) > 0:
				r.Say(s + " is stopped and started anew, since " + r.fixed(model.Named(r.services, s)))
			}
		}
		return r.up(ctx, next, compose.Up{Alone: true, Services: services})
	}
}

// up has services of a file run, and waits until they are healthy.
func (r *rollout) up(ctx context.Context, file string, up compose.Up) error {
	up.Wait = r.timeout()
	err := r.Up(ctx, r.path(file), up)
	if err == nil {
		return nil
	}
	all, _ := r.Containers(ctx)
	r.showLog(ctx, slices.DeleteFunc(all, func(c docker.Container) bool {
		fine := c.Running && c.Health != "unhealthy" || c.Status == "exited" && c.ExitCode == 0
		return fine && c.Service() != r.site.Name || len(up.Services) > 0 && !slices.Contains(up.Services, c.Service())
	})...)
	return r.refused(err, "the stack does not start well")
}

// bringBack has services run as current has them; those that are new go.
func (r *rollout) bringBack(services []string) func(context.Context) error {
	return func(ctx context.Context) error {
		r.Say("going back to what ran before")
		err := r.untag(ctx)
		stack, e := r.Resolved(ctx, r.path(current))
		was, e2 := model.Parse(stack)
		if err = errors.Join(err, e, e2); err != nil {
			return err
		}
		var back []string
		for _, s := range services {
			for _, c := range r.olds[s] {
				if s == r.site.Name { // it may be closed, and not yet gone
					err = errors.Join(err, r.openOld(c)(ctx))
				}
			}
			if model.Named(was, s).Name != "" {
				back = append(back, s)
				continue
			}
			all, e := r.of(ctx, s)
			r.shut(ctx, all...)
			err = errors.Join(err, e)
		}
		if len(back) > 0 {
			up := compose.Up{Alone: true, Wait: r.timeout(), Services: back}
			if e := r.Up(ctx, r.path(current), up); e != nil {
				err = errors.Join(err, r.refused(e, "what ran before does not start"))
			}
		}
		if e := os.Remove(r.path(recreating)); e != nil && !os.IsNotExist(e) {
			err = errors.Join(err, e)
		}
		return err
	}
}

// served sees that what was started is right, where that is not known yet, and that visitors
// get there.
func (r *rollout) served(ctx context.Context) error {
	fresh, err := r.fresh(ctx, r.site.Name)
	if err != nil {
		return err
	}
	if r.how != rolled || len(fresh) == 0 {
		all, err := r.of(ctx, r.site.Name)
		if err == nil && len(all) == 0 && r.site.Replicas > 0 {
			all = []docker.Container{{}}
		}
		for _, c := range all {
			if err = errors.Join(err, r.right(ctx, r.site, c)); err != nil {
				return err
			}
		}
		if err != nil {
			return err
		}
	}
	return r.visited(ctx)
}

// runOnce runs a one-shot as next has it to its end.
func (r *rollout) runOnce(s hostapi.Service) func(context.Context) error {
	return func(ctx context.Context) error {
		if s.Replicas == 0 {
			return nil
		}
		r.Say("running " + s.Name + " to its end")
		if err := r.Up(ctx, r.path(next), compose.Up{Alone: true, Services: []string{s.Name}}); err != nil {
			return r.refused(err, "%s can't be started", s.Name)
		}
		for begin := time.Now(); ; {
			all, err := r.of(ctx, s.Name)
			if err != nil {
				return err
			}
			failed := slices.IndexFunc(all, func(c docker.Container) bool { return over(c) && c.ExitCode != 0 })
			switch {
			case len(all) == 0:
				return fmt.Errorf("%s is gone, and how it ended is not known", s.Name)
			case failed >= 0:
				r.showLog(ctx, all[failed])
				return fmt.Errorf("%s failed (exit status %d)", s.Name, all[failed].ExitCode)
			case !slices.ContainsFunc(all, func(c docker.Container) bool { return !over(c) }):
				return nil
			case time.Since(begin) >= once:
				return fmt.Errorf("%s does not end within %v", s.Name, once)
			}
			if sleep(ctx, 500*time.Millisecond); ctx.Err() != nil {
				return context.Cause(ctx)
			}
		}
	}
}

// once is how long a one-shot may take.
const once = time.Hour

// over reports whether a container has run, and does not any more.
func over(c docker.Container) bool { return c.Status == "exited" || c.Status == "dead" }

// removeOnce removes the container of a one-shot that was run. What it has done stays: that it
// has run as current has it is in the newest release.
func (r *rollout) removeOnce(s hostapi.Service) func(context.Context) error {
	return func(ctx context.Context) error {
		all, err := r.of(ctx, s.Name)
		r.shut(ctx, all...)
		return err
	}
}

// fresh returns a service's containers that this rollout has started.
func (r *rollout) fresh(ctx context.Context, service string) ([]docker.Container, error) {
	all, err := r.of(ctx, service)
	return slices.DeleteFunc(all, func(c docker.Container) bool { return in(r.olds[service], c) }), err
}

// in reports whether a container is one of some.
func in(all []docker.Container, c docker.Container) bool {
	return slices.ContainsFunc(all, func(other docker.Container) bool { return other.ID == c.ID })
}

// beside starts the container number n, from 0, of so many new ones beside the old ones, and
// sees that it is right. Nobody else gets an answer of it until that is known: healthy is not
// yet right.
func (r *rollout) beside(s hostapi.Service, n, of int) func(context.Context) error {
	return func(ctx context.Context) error {
		which := ""
		if of > 1 {
			which = fmt.Sprintf(", %d of %d,", n+1, of)
		}
		r.Say("starting the new " + s.Name + which + " beside the old one")
		scale := map[string]int{s.Name: len(r.olds[s.Name]) + n + 1}
		up := compose.Up{Alone: true, Kept: true, Scale: scale, Services: []string{s.Name}}
		if err := r.Up(ctx, r.path(next), up); err != nil {
			return r.refused(err, "the new %s can't be started", s.Name)
		}
		all, err := r.fresh(ctx, s.Name)
		if err == nil && len(all) != n+1 {
			err = fmt.Errorf("%d containers of the new %s were started, not %d", len(all), s.Name, n+1)
		}
		if err != nil {
			return err
		}
		c := all[n]
		notClosed := r.Close(ctx, c)
		if c, err = r.healthy(ctx, c); err != nil {
			r.showLog(ctx, c)
			return err
		}
		if notClosed != nil {
			return fmt.Errorf("the new %s can't be closed: %w", s.Name, notClosed)
		}
		if err := r.right(ctx, s, c); err != nil {
			r.showLog(ctx, c)
			return fmt.Errorf("the new %s is healthy, but %w", s.Name, err)
		}
		return nil
	}
}

// healthy waits until a container's health check says so.
func (r *rollout) healthy(ctx context.Context, c docker.Container) (docker.Container, error) {
	begin := time.Now()
	for {
		now, err := r.now(ctx, c)
		switch {
		case err != nil:
			return c, err
		case now.ID == "" || now.Restarts > 0 || now.Status != "running" && now.Status != "created":
			return c, fmt.Errorf("the new %s crashes at start", c.Service())
		case now.Status == "running" && (now.Health == "healthy" || now.Health == ""):
			return now, nil
		case now.Health == "unhealthy", time.Since(begin) >= r.timeout():
			return now, fmt.Errorf("the new %s does not become healthy (%s after %d s)",
				c.Service(), now.Health, int(time.Since(begin).Seconds()))
		}
		if sleep(ctx, 500*time.Millisecond); ctx.Err() != nil {
			return c, context.Cause(ctx)
		}
	}
}

// removeNew removes the container number n that was started beside the old ones.
func (r *rollout) removeNew(s hostapi.Service, n int) func(context.Context) error {
	return func(ctx context.Context) error {
		all, err := r.fresh(ctx, s.Name)
		if err != nil || len(all) <= n {
			return err
		}
		// It may be serving already.
		r.shut(ctx, all[n:]...)
		r.Say("the new " + s.Name + " is removed")
		return nil
	}
}

// knows is how long the load balancer may take to know a new container.
const knows = 30 * time.Second

// admit opens the container number n, and waits until the load balancer has sent it somebody.
func (r *rollout) admit(s hostapi.Service, n int) func(context.Context) error {
	return func(ctx context.Context) error {
		all, err := r.fresh(ctx, s.Name)
		if err != nil || len(all) <= n {
			return errors.Join(err, fmt.Errorf("the new %s is gone", s.Name))
		}
		c := all[n]
		r.Say("it is healthy; waiting for the load balancer to know it")
		if err := r.Count(ctx, c); err != nil {
			return fmt.Errorf("the connections to the new %s can't be counted: %w", s.Name, err)
		}
		if err := r.Open(ctx, c); err != nil {
			return fmt.Errorf("the new %s can't be opened: %w", s.Name, err)
		}
		begin := time.Now()
		for {
			if n, err := r.Visits(ctx, c); err == nil && n > 0 {
				break
			}
			now, err := r.now(ctx, c)
			switch {
			case err != nil:
				return err
			case now.Status != "running" || now.Restarts > 0:
				r.showLog(ctx, c)
				return fmt.Errorf("the new %s was healthy, and then died", s.Name)
			case time.Since(begin) >= knows:
				return fmt.Errorf("the load balancer sends nobody to the new %s", s.Name)
			}
			for range len(r.olds[s.Name]) + 1 { // it sends them to each in turn
				r.visit(ctx, s)
			}
			if ctx.Err() != nil {
				return context.Cause(ctx)
			}
			sleep(ctx, 20*time.Millisecond)
		}
		// What the load balancer was about to send to the old one, when it knew no other, it
		// does not send elsewhere.
		sleep(ctx, time.Second)
		return context.Cause(ctx)
	}
}

// visit comes to a service as a visitor does, whatever it answers.
func (r *rollout) visit(ctx context.Context, s hostapi.Service) {
	if s.Name == r.site.Name || len(s.Hosts) == 0 {
		_ = r.Answers(ctx, "", r.asked.Page, r.maintenance(), 0)
		return
	}
	r.Visit(ctx, s.Hosts[0], cmp.Or(s.Path, "/"))
}

// closeOld keeps new connections from an old container.
func (r *rollout) closeOld(c docker.Container) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := r.Close(ctx, c); err != nil {
			// What is down has no door.
			if now, e := r.now(ctx, c); e != nil || now.Running {
				return fmt.Errorf("the old %s can't be closed: %w", c.Service(), errors.Join(err, e))
			}
		}
		r.Say("the new " + c.Service() + " has taken over")
		return nil
	}
}

// openOld takes that back.
func (r *rollout) openOld(c docker.Container) func(context.Context) error {
	return func(ctx context.Context) error {
		if err := r.Open(ctx, c); err != nil {
			if now, e := r.now(ctx, c); e != nil || now.Running {
				return errors.Join(err, e)
			}
		}
		return nil
	}
}

// commitOf returns which commit of the application runs.
func (r *rollout) commitOf(ctx context.Context) (string, error) {
	c, err := r.newest(ctx, r.site.Name)
	return c.Env["GIT_COMMIT"], err
}

// runs returns the images of what runs now.
func (r *rollout) runs(ctx context.Context) (images []release.Image, err error) {
	all, err := r.Containers(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range r.services {
		c, ok := last(all, s.Name)
		role := ""
		switch {
		case s.Kind == hostapi.OneShot: // what has ended may be gone
			role = release.OneShot
		case s.Replicas == 0:
			role = release.Idle
		case s.Name == r.site.Name:
			role = release.Site
		}
		if role == release.OneShot || role == release.Idle {
			c.Image, c.Labels, ok = r.ids[s.Image], map[string]string{docker.Hash: r.sums[s.Name][0]}, true
		}
		if !ok {
			continue
		}
		image, err := r.Image(ctx, c.Image)
		if err != nil {
			return nil, err
		}
		images = append(images, release.Image{Service: s.Name, Name: s.Image, ID: c.Image,
			Digest: release.DigestOf(s.Image, image.Digests), Config: c.ConfigHash(), Role: role})
	}
	return images, nil
}

// keep has what runs now be current, and a release.
func (r *rollout) keep(ctx context.Context) (err error) {
	if r.commit, err = r.commitOf(ctx); err != nil {
		return err
	}
	images, err := r.runs(ctx)
	if err != nil {
		return err
	}
	content, err := os.ReadFile(r.path(next))
	if err != nil {
		return err
	}
	if !r.first {
		_ = os.Remove(r.path(before))
		if err := os.Link(r.path(current), r.path(before)); err != nil {
			return fmt.Errorf("this release can't be kept: %w", err)
		}
	}
	of, _ := strconv.Atoi(r.asked.Release)
	about := hostapi.Release{
		Time: time.Now().UTC().Truncate(time.Second), Who: r.asked.Who, What: r.asked.What, Commit: r.commit, Of: of,
	}
	n, err := r.releases.Add(about, content, images)
	if err == nil {
		r.release = n
		err = r.replaceCurrent()
	}
	if err != nil {
		return fmt.Errorf("this release can't be kept: %w", err)
	}
	return nil
}

// unkeep takes that back.
func (r *rollout) unkeep(context.Context) error {
	var all error
	if r.release > 0 {
		all = os.RemoveAll(r.releases.File(r.release, ""))
	}
	if r.is(before) {
		all = errors.Join(all, durable.Rename(r.path(before), r.path(current)))
	}
	return all
}

// settle does what is left once what runs is kept: the old one goes. Nothing of it
// can make the deployment fail any more.
func (r *rollout) settle(ctx context.Context) {
	for _, file := range []string{before, recreating} {
		_ = os.Remove(r.path(file))
	}
	// Where something was started anew, Compose has removed the old one already.
	all, err := r.Containers(ctx)
	if err != nil {
		r.Say("what ran before may be left: " + oneLine(err))
	}
	r.shut(ctx, slices.DeleteFunc(all, func(c docker.Container) bool {
		return !in(r.goes, c) && model.Named(r.services, c.Service()).Name != ""
	})...)
	if err := r.tidyFiles(); err != nil {
		r.Say("files that no release reads any more are left: " + oneLine(err))
	}
	if r.asked.Lifetime > 0 {
		if err := r.live(); err != nil {
			r.Say("it is not known when it is to be removed: " + oneLine(err))
		}
	}
	if !r.asked.Persistent && len(r.changes) > 0 && r.site.Name == hostapi.MRS {
		c, err := r.newest(ctx, hostapi.MRS)
		if err == nil {
			err = r.Developers(ctx, c.ID)
		}
		if err != nil {
			r.Say("it is NOT open to dev with the password dev: " + oneLine(err))
			return
		}
		r.Say("it has test data, and the superuser dev with the password dev")
	}
}
