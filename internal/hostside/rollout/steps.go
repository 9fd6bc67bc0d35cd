package rollout

import (
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
)

// stillRight sees that what runs is right, where nothing is to change.
func (r *rollout) stillRight(ctx context.Context) error {
	if len(r.olds) == 0 {
		return nil
	}
	if err := r.right(ctx, r.olds[len(r.olds)-1]); err != nil {
		return err
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
	// Of a release that runs no data is touched: whoever closes a site has no time for more.
	if !r.asked.Persistent || r.first || r.asked.Release == hostapi.Current {
		return nil
	}
	if !r.CanBackUp() {
		r.Say(r.asked.Project + " is NOT backed up before it is changed: RESTIC_PASSWORD is not set")
		return nil
	}
	server, err := r.newest(ctx, database)
	if err != nil {
		return err
	}
	if server.Health != "healthy" && (server.Health != "" || !server.Running) {
		// To refuse would keep a sick database sick.
		r.Say(r.asked.Project + " is NOT backed up before it is changed: its " + database + " is not healthy")
		return nil
	}
	r.Say("backing up what runs")
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
	if !r.asked.Jobs || len(r.olds) == 0 {
		return nil
	}
	server, err := r.newest(ctx, database)
	if err != nil || !server.Running {
		return err
	}
	lead := time.Minute + time.Duration(r.asked.Drain)*time.Second
	err = r.Moment(ctx, r.olds[len(r.olds)-1].ID, server.ID, lead, r.Say)
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
	if err := r.up(ctx, current); err != nil {
		return err
	}
	// What images make when they start for the first time they do not sync: of
	// PostgreSQL's, its pg_hba.conf.
	return durable.SyncAll(r.asked.Folder)
}

// stop ends the old application, since the new one can't run beside it.
func (r *rollout) stop(why string) func(context.Context) error {
	return func(ctx context.Context) error {
		r.Say(application + " is stopped and started anew, since " + why + ": the site does not answer meanwhile")
		if len(r.olds) == 0 {
			return nil
		}
		if err := r.write(recreating, nil); err != nil {
			return err
		}
		r.shut(ctx, r.olds...)
		return nil
	}
}

// recreate has all services run as next has them, and sees that they are right.
func (r *rollout) recreate(ctx context.Context) error { return r.up(ctx, next) }

func (r *rollout) up(ctx context.Context, file string) error {
	err := r.Up(ctx, r.path(file), compose.Up{Orphans: true, Wait: r.timeout()})
	if err != nil {
		all, _ := r.of(ctx, application)
		r.showLog(ctx, all...)
		return r.refused(err, "the stack does not start well")
	}
	c, err := r.newest(ctx, application)
	if err == nil {
		err = r.right(ctx, c)
	}
	if err == nil {
		err = r.visited(ctx)
	}
	return err
}

// bringBack has all services run as current has them.
func (r *rollout) bringBack(ctx context.Context) error {
	r.Say("going back to what ran before")
	err := errors.Join(r.openOld(ctx), r.untag(ctx))
	if e := r.Up(ctx, r.path(current), compose.Up{Orphans: true, Wait: r.timeout()}); e != nil {
		err = errors.Join(err, r.refused(e, "what ran before does not start"))
	}
	if e := os.Remove(r.path(recreating)); e != nil && !os.IsNotExist(e) {
		err = errors.Join(err, e)
	}
	return err
}

// startOthers has all services but the application run as next has them.
func (r *rollout) startOthers(ctx context.Context) error {
	var others []string
	for _, s := range r.services {
		if s.Name != application {
			others = append(others, s.Name)
		}
	}
	if slices.ContainsFunc(r.changes, func(c change) bool { return c.service == database }) {
		r.Say(database + " is stopped and started anew: the site is without its database meanwhile")
	}
	if len(others) == 0 {
		return nil
	}
	if err := r.Up(ctx, r.path(next), compose.Up{Alone: true, Wait: r.timeout(), Services: others}); err != nil {
		return r.refused(err, "%s do not start well", strings.Join(others, " "))
	}
	return nil
}

// fresh returns the application's containers that this rollout has started.
func (r *rollout) fresh(ctx context.Context) ([]docker.Container, error) {
	all, err := r.of(ctx, application)
	return slices.DeleteFunc(all, func(c docker.Container) bool {
		return slices.ContainsFunc(r.olds, func(old docker.Container) bool { return old.ID == c.ID })
	}), err
}

// beside starts the new application beside the old one, and sees that it is right.
// Nobody else gets an answer of it until that is known: healthy is not yet right.
func (r *rollout) beside(ctx context.Context) error {
	r.Say("starting the new " + application + " beside the old one")
	up := compose.Up{Alone: true, Kept: true, Scale: map[string]int{application: len(r.olds) + 1}, Services: []string{application}}
	if err := r.Up(ctx, r.path(next), up); err != nil {
		return r.refused(err, "the new %s can't be started", application)
	}
	all, err := r.fresh(ctx)
	if err == nil && len(all) != 1 {
		err = fmt.Errorf("%d containers of the new %s were started, not one", len(all), application)
	}
	if err != nil {
		return err
	}
	c := all[0]
	notClosed := r.Close(ctx, c)
	if c, err = r.healthy(ctx, c); err != nil {
		r.showLog(ctx, c)
		return err
	}
	if notClosed != nil {
		return fmt.Errorf("the new %s can't be closed: %w", application, notClosed)
	}
	if err := r.right(ctx, c); err != nil {
		r.showLog(ctx, c)
		return fmt.Errorf("the new %s is healthy, but %w", application, err)
	}
	return nil
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
			return c, fmt.Errorf("the new %s crashes at start", application)
		case now.Status == "running" && (now.Health == "healthy" || now.Health == ""):
			return now, nil
		case now.Health == "unhealthy", time.Since(begin) >= r.timeout():
			return now, fmt.Errorf("the new %s does not become healthy (%s after %d s)", application, now.Health, int(time.Since(begin).Seconds()))
		}
		if sleep(ctx, 500*time.Millisecond); ctx.Err() != nil {
			return c, context.Cause(ctx)
		}
	}
}

// removeNew removes what was started beside the old one.
func (r *rollout) removeNew(ctx context.Context) error {
	all, err := r.fresh(ctx)
	if err != nil || len(all) == 0 {
		return err
	}
	// It may be serving already.
	r.shut(ctx, all...)
	r.Say("the new " + application + " is removed")
	return nil
}

// knows is how long the load balancer may take to know a new container.
const knows = 30 * time.Second

// admit opens the new one, and waits until the load balancer has sent it somebody.
func (r *rollout) admit(ctx context.Context) error {
	all, err := r.fresh(ctx)
	if err != nil || len(all) == 0 {
		return errors.Join(err, fmt.Errorf("the new %s is gone", application))
	}
	c := all[0]
	r.Say("it is healthy; waiting for the load balancer to know it")
	if err := r.Count(ctx, c); err != nil {
		return fmt.Errorf("the connections to the new %s can't be counted: %w", application, err)
	}
	if err := r.Open(ctx, c); err != nil {
		return fmt.Errorf("the new %s can't be opened: %w", application, err)
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
			return fmt.Errorf("the new %s was healthy, and then died", application)
		case time.Since(begin) >= knows:
			return fmt.Errorf("the load balancer sends nobody to the new %s", application)
		}
		for range 2 { // it sends them to each in turn
			_ = r.Answers(ctx, "", r.asked.Page, r.maintenance(), 0)
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

// closeOld keeps new connections from the old one.
func (r *rollout) closeOld(ctx context.Context) error {
	for _, c := range r.olds {
		if err := r.Close(ctx, c); err != nil {
			// What is down has no door.
			if now, e := r.now(ctx, c); e != nil || now.Running {
				return fmt.Errorf("the old %s can't be closed: %w", application, errors.Join(err, e))
			}
		}
	}
	r.Say("the new " + application + " has taken over")
	return nil
}

// openOld takes that back.
func (r *rollout) openOld(ctx context.Context) error {
	var all error
	for _, c := range r.olds {
		if err := r.Open(ctx, c); err != nil {
			if now, e := r.now(ctx, c); e != nil || now.Running {
				all = errors.Join(all, err, e)
			}
		}
	}
	return all
}

// commitOf returns which commit of the application runs.
func (r *rollout) commitOf(ctx context.Context) (string, error) {
	c, err := r.newest(ctx, application)
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
		if !ok {
			continue
		}
		image, err := r.Image(ctx, c.Image)
		if err != nil {
			return nil, err
		}
		images = append(images, release.Image{Service: s.Name, Name: s.Image, ID: c.Image,
			Digest: release.DigestOf(s.Image, image.Digests), Config: c.ConfigHash()})
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
	// Where it was started anew, Compose has removed the old one already.
	all, err := r.of(ctx, application)
	fresh, e := r.fresh(ctx)
	if err == nil && e == nil && len(fresh) > 0 && len(all) > len(fresh) {
		r.shut(ctx, slices.DeleteFunc(all, func(c docker.Container) bool {
			return slices.ContainsFunc(fresh, func(f docker.Container) bool { return f.ID == c.ID })
		})...)
		// What belongs to no service any more.
		if err := r.Up(ctx, r.path(current), compose.Up{Kept: true, Orphans: true}); err != nil {
			_ = r.refused(err, "what belongs to no service any more is left")
		}
	}
	if err := r.tidyFiles(); err != nil {
		r.Say("files that no release reads any more are left: " + oneLine(err))
	}
	if r.asked.Lifetime > 0 {
		if err := r.live(); err != nil {
			r.Say("it is not known when it is to be removed: " + oneLine(err))
		}
	}
	if !r.asked.Persistent && len(r.changes) > 0 {
		c, err := r.newest(ctx, application)
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
