package rollout

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/compose"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/release"
)

// restoreSwap is there while a restore puts its data in the place of what was there.
const restoreSwap = ".restore.swap"

// prepare finds out what is to change, and has all here that it needs. It refuses
// what can't work; what runs is as it was.
func (r *rollout) prepare(ctx context.Context) error {
	r.first = !r.is(current)
	left, _ := filepath.Glob(r.path(".deploy.*"))
	for _, file := range left { // of a deployment by an older version, that was killed
		_ = os.Remove(file)
	}
	if err := r.haveFiles(); err != nil {
		return err
	}
	if err := r.writeNext(ctx); err != nil {
		return err
	}
	if err := r.hasFiles(); err != nil {
		return err
	}
	stack, err := r.read(ctx)
	if err != nil {
		return err
	}
	if err := r.tidy(ctx); err != nil {
		return err
	}
	if r.is(restoreSwap) {
		if err := r.Recover(ctx); err != nil {
			return fmt.Errorf("a restore was cut short, and can't be undone: %w", err)
		}
		if r.is(restoreSwap) {
			return errors.New("a restore was cut short, and is not undone")
		}
	}
	for _, name := range r.asked.Networks {
		made, err := r.Network(ctx, name)
		if err != nil {
			return fmt.Errorf("the network %s can't be made: %w", name, err)
		}
		if made {
			r.Say("made the network " + name)
			r.made++
		}
	}
	if err := r.haveImages(ctx); err != nil {
		return err
	}
	if err := r.Keeps(ctx, stack); err != nil {
		text, hint := hostapi.Explained(err)
		hint, _, _ = strings.Cut(hint, "\n")
		return &hostapi.Failure{Reason: strings.ReplaceAll(text, "\n", "; ") + "; nothing was changed", Hint: hint}
	}
	all, err := r.Containers(ctx)
	if err != nil {
		return fmt.Errorf("what runs can't be compared with what is to run: %w", err)
	}
	for _, c := range all {
		if c.Service() == application {
			r.olds = append(r.olds, c)
		}
	}
	r.changes = compare(r.services, r.hashes, r.ids, all)
	return nil
}

// writeNext has the file next say what is to run.
func (r *rollout) writeNext(ctx context.Context) error {
	content, asMarked := []byte(r.asked.File), false
	if r.asked.Release != "" {
		asMarked = true
		n, err := r.releases.Newest()
		if err == nil && r.asked.Release != hostapi.Current {
			n, err = strconv.Atoi(r.asked.Release)
		}
		if err == nil && n == 0 {
			err = errors.New("nothing has run well here yet: deploy first")
		}
		if err == nil {
			content, err = r.pinned(ctx, n)
		}
		if err != nil {
			return err
		}
	}
	if err := r.write(next, content); err != nil {
		return err
	}
	if r.is(closed) {
		r.Say("maintenance is on: the site stays closed")
	} else if !asMarked {
		return nil
	}
	// Who closed the site opens it again, not the next deployment.
	state := ""
	if r.is(closed) {
		state = "1"
	}
	over := fmt.Appendf(nil, "services: {%s: {environment: {MAINTENANCE_ENABLE: %q}}}\n", application, state)
	content, err := r.Overlay(ctx, r.path(next), over)
	if err != nil {
		return r.refused(err, "%s is not one that Compose takes", next)
	}
	return r.write(next, content)
}

// pinned returns the compose file of a release, with the images that it had then.
func (r *rollout) pinned(ctx context.Context, n int) ([]byte, error) {
	images, err := r.releases.Images(n)
	if err != nil {
		return nil, err
	}
	pins, err := release.Pins(n, images, func(name string) (string, error) {
		image, err := r.Image(ctx, name)
		return image.ID, err
	})
	if err != nil {
		return nil, err
	}
	file := r.releases.File(n, release.Compose)
	if len(pins) == 0 {
		return os.ReadFile(file)
	}
	over := map[string]map[string]map[string]string{"services": {}}
	for service, image := range pins {
		over["services"][service] = map[string]string{"image": image}
	}
	text, err := json.Marshal(over) // JSON is YAML
	if err != nil {
		return nil, err
	}
	content, err := r.Overlay(ctx, file, text)
	if err != nil {
		return nil, r.refused(err, "the docker-compose.yml of release %d is not one that Compose takes", n)
	}
	return content, nil
}

// read reads what is to run, and returns it in JSON.
func (r *rollout) read(ctx context.Context) (stack []byte, err error) {
	file := r.path(next)
	var all sync.WaitGroup
	var errs [3]error
	all.Go(func() { r.services, errs[0] = r.Services(ctx, file) })
	all.Go(func() { r.hashes, errs[1] = r.Hashes(ctx, file) })
	all.Go(func() { stack, errs[2] = r.Resolved(ctx, file) })
	all.Wait()
	for _, err := range errs {
		if err != nil {
			return nil, r.refused(err, "%s is not one that Compose takes", next)
		}
	}
	app, _ := r.service(application)
	r.Listens(cmp.Or(app.Port, compose.HTTPPort))
	return stack, nil
}

// tidy ends what a rollout that was killed has left: of several containers of the
// application, the one that the newest release had stays; a door that was closed is
// opened.
func (r *rollout) tidy(ctx context.Context) error {
	all, err := r.of(ctx, application)
	if err != nil || len(all) == 0 {
		return err
	}
	best := all[0]
	if len(all) > 1 {
		r.Say("tidying up what a deployment that was killed has left")
		n, _ := r.releases.Newest()
		images, _ := r.releases.Images(n)
		for _, c := range all {
			if slices.ContainsFunc(images, func(i release.Image) bool {
				return i.Service == application && i.ID == c.Image && i.Config == c.ConfigHash()
			}) {
				best = c
			}
		}
	}
	if err := r.Open(ctx, best); err != nil && best.Running {
		return fmt.Errorf("the door of %s can't be opened: %w", best.Name, err)
	}
	for _, c := range all {
		if c.ID != best.ID {
			r.shut(ctx, c)
		}
	}
	return nil
}

// shut removes a container, which may be serving.
func (r *rollout) shut(ctx context.Context, all ...docker.Container) {
	var ids []string
	for _, c := range all {
		_ = r.Close(ctx, c) // what is down has no door
		ids = append(ids, c.ID)
	}
	if len(ids) == 0 {
		return
	}
	if err := r.Drain(ctx, ids...); err != nil {
		r.Say(oneLine(err))
	}
}

// haveImages has the images here.
func (r *rollout) haveImages(ctx context.Context) error {
	for _, s := range r.services {
		image, err := r.Image(ctx, s.Image)
		if err != nil {
			return err
		}
		if image.ID != "" {
			r.images[s.Image] = image.ID
		}
	}
	var said []string
	if r.asked.Pull && r.asked.Release == "" {
		r.Say("pulling the images")
		// What the registry can't give may be on the host already.
		said = r.Pull(ctx, r.path(next))
		for _, line := range said {
			r.Say("not pulled, so that what is on this host is used: " + line)
		}
	}
	for _, s := range r.services {
		image, err := r.Image(ctx, s.Image)
		if err == nil && image.ID == "" {
			err = errors.New("it is not here")
			if strings.Contains(s.Image, "@sha256:") {
				err = r.Fetch(ctx, s.Image)
			}
			if err == nil {
				image, err = r.Image(ctx, s.Image)
			} else if ctx.Err() == nil {
				r.Detail(strings.Join(said, "\n"))
				err = fmt.Errorf("the image of %s, %s, can't be had: no registry gives it, and it is not on this host", s.Name, s.Image)
			}
		}
		if err != nil {
			return err
		}
		r.ids[s.Image] = image.ID
		if s.Name == application {
			r.checked = image.Checked
		}
	}
	return nil
}

// compare returns what is to run otherwise than it does: services that are to be,
// the sums of their configurations, the ids of their images, and what there is.
func compare(services []compose.Service, hashes, ids map[string]string, all []docker.Container) (changes []change) {
	for _, s := range services {
		c, ok := last(all, s.Name)
		switch {
		case !ok:
			changes = append(changes, change{s.Name, "is new"})
		case c.ConfigHash() != hashes[s.Name]:
			changes = append(changes, change{s.Name, "has another configuration"})
		case c.Image != ids[s.Image]:
			changes = append(changes, change{s.Name, "has another image"})
		case c.Status != "running" || c.Health == "unhealthy":
			changes = append(changes, change{s.Name, "does not run well"})
		}
	}
	var gone []string
	for _, c := range all {
		if !slices.ContainsFunc(services, func(s compose.Service) bool { return s.Name == c.Service() }) {
			gone = append(gone, c.Service())
		}
	}
	slices.Sort(gone)
	for _, name := range slices.Compact(gone) {
		changes = append(changes, change{name, "is to go"})
	}
	return changes
}

// fixed returns why the old application and the new one can't serve side by side;
// empty: they can.
func (r *rollout) fixed() string {
	s, _ := r.service(application)
	switch {
	case len(r.olds) == 0:
		return "it does not run yet"
	case s.Fixed != "":
		return s.Fixed
	}
	old := r.olds[len(r.olds)-1]
	switch {
	case compose.Routes(old.Labels) != s.Routes:
		return "the load balancer is told other routes"
	case !old.Running:
		return "the old one is down"
	case !s.Checked && (s.Unchecked || !r.checked):
		return "it has no health check"
	}
	if lacks := r.Lacks(); len(lacks) > 0 {
		return "this host has no " + strings.Join(lacks, ", no ")
	}
	return ""
}
