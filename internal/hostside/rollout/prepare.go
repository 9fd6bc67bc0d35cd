package rollout

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/release"
	"github.com/betagouv/mrs-ops/internal/stack/model"
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
	// One that was killed when it had kept its release has left this; to keep another would go back to it.
	if err := os.Remove(r.path(before)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := r.haveFiles(); err != nil {
		return err
	}
	stack, err := r.writeNext(ctx)
	if err != nil {
		return err
	}
	if err := r.hasFiles(); err != nil {
		return err
	}
	r.read(ctx)
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
	all, err := r.Containers(ctx)
	if err != nil {
		return fmt.Errorf("what runs can't be compared with what is to run: %w", err)
	}
	if err := r.Keeps(ctx, stack, all); err != nil {
		text, hint := hostapi.Explained(err)
		hint, _, _ = strings.Cut(hint, "\n")
		return &hostapi.Failure{Reason: strings.ReplaceAll(text, "\n", "; ") + "; nothing was changed", Hint: hint}
	}
	r.compare(all)
	return nil
}

// compare finds out what is to change of what there is.
func (r *rollout) compare(all []docker.Container) {
	r.olds = map[string][]docker.Container{}
	for _, c := range all {
		r.olds[c.Service()] = append(r.olds[c.Service()], c)
	}
	r.changes, r.stale = compare(r.services, r.sums, r.ids, all, r.kept())
}

// kept returns the images of the newest release; what can't be read is kept anew.
func (r *rollout) kept() []release.Image {
	n, _ := r.releases.Newest()
	images, _ := r.releases.Images(n)
	return images
}

// writeNext has the file next say what is to run, and returns it in JSON.
func (r *rollout) writeNext(ctx context.Context) (stack []byte, err error) {
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
			return nil, err
		}
	}
	if err := r.write(next, content); err != nil {
		return nil, err
	}
	var both sync.WaitGroup
	var notSummed error
	both.Go(func() { notSummed = r.sum(ctx) })
	stack, err = r.Resolved(ctx, r.path(next))
	both.Wait()
	if err = cmp.Or(err, notSummed); err != nil {
		return nil, r.refused(err, "%s is not one that Compose takes", next)
	}
	if r.services = r.asked.Services; asMarked || len(r.services) == 0 {
		if r.services, err = model.Parse(stack); err != nil {
			return nil, err
		}
	}
	if r.site = model.Site(r.services, r.asked.URL, r.asked.Page); r.site.Name != hostapi.MRS {
		if r.is(closed) {
			const format = "%s can't be closed for maintenance: that is %s's own, which it has not"
			return nil, fmt.Errorf(format, r.asked.Project, hostapi.MRS)
		}
		return stack, nil
	}
	if r.is(closed) {
		r.Say("maintenance is on: the site stays closed")
	} else if !asMarked {
		return stack, nil
	}
	// Who closed the site opens it again, not the next deployment.
	state := ""
	if r.is(closed) {
		state = "1"
	}
	over := fmt.Appendf(nil, "services: {%s: {environment: {MAINTENANCE_ENABLE: %q}}}\n", hostapi.MRS, state)
	if content, err = r.Overlay(ctx, r.path(next), over); err != nil {
		return nil, r.refused(err, "%s is not one that Compose takes", next)
	}
	if err = r.write(next, content); err == nil {
		err = r.sum(ctx)
	}
	return stack, err
}

// sum has Compose sum up the services that are to run.
func (r *rollout) sum(ctx context.Context) error {
	all, err := r.Hashes(ctx, r.path(next))
	r.sums = map[string][]string{}
	for service, sum := range all {
		r.sums[service] = []string{sum}
	}
	return err
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

// read learns from what is to run, and from what runs.
func (r *rollout) read(ctx context.Context) {
	r.database = model.Of(r.services, hostapi.Database).Name
	r.Listens(r.services, r.site.Name)
	// Another version of Compose makes another sum of the same: what it says of the file that
	// runs is what the containers of the newest release were made of.
	kept := slices.DeleteFunc(r.kept(), func(i release.Image) bool {
		return i.Config == "" || len(r.sums[i.Service]) == 0 || r.sums[i.Service][0] == i.Config
	})
	if len(kept) == 0 || !r.is(current) {
		return
	}
	was, _ := r.Hashes(ctx, r.path(current)) // where that can't be told, what differs is made anew
	for _, i := range kept {
		if was[i.Service] == r.sums[i.Service][0] {
			r.sums[i.Service] = append(r.sums[i.Service], i.Config)
		}
	}
}

// tidy ends what a rollout that was killed has left: of the containers of a service that can
// run twice, or of the site, those that the newest release had stay; a door that was closed is
// opened. Of a one-shot none stays that no release is known to have had.
func (r *rollout) tidy(ctx context.Context) error {
	all, err := r.Containers(ctx)
	if err != nil {
		return err
	}
	kept := r.kept()
	had := func(c docker.Container) bool {
		return slices.ContainsFunc(kept, func(i release.Image) bool {
			return i.Service == c.Service() && i.ID == c.Image && i.Config == c.ConfigHash()
		})
	}
	said := false
	for _, s := range r.services {
		if s.Kind != hostapi.Rolls && s.Kind != hostapi.OneShot && s.Name != r.site.Name {
			continue
		}
		mine := slices.DeleteFunc(slices.Clone(all), func(c docker.Container) bool { return c.Service() != s.Name })
		if s.Kind == hostapi.OneShot && len(kept) == 0 || len(mine) == 0 {
			continue
		}
		best := mine[0]
		if i := slices.IndexFunc(mine, had); i >= 0 {
			best = mine[i]
		}
		var left []docker.Container
		for _, c := range mine {
			switch {
			case c.Image != best.Image || c.ConfigHash() != best.ConfigHash() || s.Kind == hostapi.OneShot && !had(c):
				left = append(left, c)
			case s.Kind == hostapi.OneShot:
			default:
				if err := r.Open(ctx, c); err != nil && c.Running {
					return fmt.Errorf("the door of %s can't be opened: %w", c.Name, err)
				}
			}
		}
		if len(left) > 0 && !said {
			said = true
			r.Say("tidying up what a deployment that was killed has left")
		}
		r.shut(ctx, left...)
	}
	return nil
}

// shut removes a container, which may be serving.
func (r *rollout) shut(ctx context.Context, all ...docker.Container) {
	if len(all) == 0 {
		return
	}
	for _, c := range all {
		_ = r.Close(ctx, c) // what is down has no door
	}
	if err := r.Drain(ctx, all...); err != nil {
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
				err = fmt.Errorf("the image of %s, %s, can't be had: no registry gives it, and it is not on this host",
					s.Name, s.Image)
			}
		}
		if err != nil {
			return err
		}
		r.ids[s.Image] = image.ID
		r.checked[s.Name] = image.Checked
	}
	return nil
}

// compare returns what is to run otherwise than it does, and by service the containers that are
// to go: of services that are to be, the sums of their configurations, the ids of their images,
// what there is, and what the newest release had. A one-shot that it had has run.
func compare(
	services []hostapi.Service, sums map[string][]string, ids map[string]string,
	all []docker.Container, kept []release.Image,
) (changes []change, stale map[string][]docker.Container) {
	stale = map[string][]docker.Container{}
	for _, s := range services {
		if s.Kind == hostapi.OneShot {
			i := slices.IndexFunc(kept, func(i release.Image) bool { return i.Service == s.Name })
			switch {
			case i < 0:
				changes = append(changes, change{s.Name, "is new"})
			case !slices.Contains(sums[s.Name], kept[i].Config):
				changes = append(changes, change{s.Name, "has another configuration"})
			case kept[i].ID != ids[s.Image]:
				changes = append(changes, change{s.Name, "has another image"})
			}
			continue
		}
		what, there, good := "", 0, 0
		for _, c := range all {
			if c.Service() != s.Name {
				continue
			}
			there++
			switch {
			case !slices.Contains(sums[s.Name], c.ConfigHash()):
				what = "has another configuration"
			case c.Image != ids[s.Image]:
				what = cmp.Or(what, "has another image")
			case c.Status != "running" || c.Health == "unhealthy":
				what = cmp.Or(what, "does not run well")
			case good == s.Replicas: // more than are to be
			default:
				good++
				continue
			}
			stale[s.Name] = append(stale[s.Name], c)
		}
		switch {
		case there == 0 && s.Replicas > 0:
			changes = append(changes, change{s.Name, "is new"})
		case what != "":
			changes = append(changes, change{s.Name, what})
		case there != s.Replicas:
			changes = append(changes, change{s.Name, fmt.Sprintf("has %d containers, not %d", there, s.Replicas)})
		}
	}
	var gone []string
	for _, c := range all {
		if model.Named(services, c.Service()).Name == "" {
			gone = append(gone, c.Service())
		}
	}
	slices.Sort(gone)
	for _, name := range slices.Compact(gone) {
		changes = append(changes, change{name, "is to go"})
	}
	return changes, stale
}

// fixed returns why old containers of a service and new ones can't serve side by side; empty:
// they can.
func (r *rollout) fixed(s hostapi.Service) string {
	olds := r.olds[s.Name]
	runs := func(c docker.Container) bool { return c.Running }
	other := func(c docker.Container) bool { return model.Routes(c.Labels) != s.Routes }
	switch {
	case len(olds) == 0:
		return "it does not run yet"
	case s.Fixed != "":
		return s.Fixed
	case slices.ContainsFunc(olds, other):
		return "the load balancer is told other routes"
	case !slices.ContainsFunc(olds, runs):
		return "the old one is down"
	case !s.Checked && (s.Unchecked || !r.checked[s.Name]):
		return "it has no health check"
	}
	if lacks := r.Lacks(); len(lacks) > 0 {
		return "this host has no " + strings.Join(lacks, ", no ")
	}
	return ""
}
