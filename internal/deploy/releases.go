package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"path"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/target"
)

// Releases returns what ran, the oldest first: the last one runs.
func Releases(s *target.Target) (releases []hostapi.Release, err error) {
	out, err := s.Ask("releases", "-folder="+s.Folder).Bytes()
	if err == nil {
		err = json.Unmarshal(out, &releases)
	}
	if err != nil {
		return nil, fmt.Errorf("%s: its releases can't be read: %w", s.Name, err)
	}
	return releases, nil
}

// History prints the releases of an instance or a branch, the newest first.
func History(ctx context.Context, name string, asJSON bool) error {
	s, _, err := target.Find(ctx, name)
	if err != nil {
		return err
	}
	defer s.Close()
	releases, err := Releases(s)
	if err != nil {
		return err
	}
	if asJSON {
		return console.JSON(releases)
	}
	if len(releases) == 0 {
		console.Summary("%s: nothing was deployed on %s yet", s.Name, s)
		return nil
	}
	if err := console.Table(table(releases, time.Now())...); err != nil {
		return err
	}
	now := releases[len(releases)-1]
	console.Summary("%s: release %d runs%s; mage deploy:rollback %[1]s goes back to another",
		s.Name, now.Release, brackets(short(now.Commit)))
	return nil
}

// digest is that of an image, of which people read the beginning only.
var digest = regexp.MustCompile(`(sha256:[0-9a-f]{12})[0-9a-f]{52}`)

func table(releases []hostapi.Release, now time.Time) [][]string {
	rows := [][]string{{"RELEASE", "AGE", "COMMIT", "IMAGE", "WHAT", "BY"}}
	for i, r := range slices.Backward(releases) {
		n := strconv.Itoa(r.Release)
		if i == len(releases)-1 {
			n += " runs"
		}
		image := digest.ReplaceAllString(r.Image, "$1")
		rows = append(rows, []string{n, console.Span(now.Sub(r.Time)), short(r.Commit), image, r.What, r.Who})
	}
	return rows
}

// rolledBack is what was done for a release of which nothing else says that it is an earlier one: as older versions
// did it.
var rolledBack = regexp.MustCompile(`^rollback to (\d+)`)

// before returns the release to go back to where none is named: the one before
// the one that runs. A release that is itself a rollback counts as the one that
// it went back to, so that going back twice goes back further.
func before(releases []hostapi.Release) (hostapi.Release, bool) {
	if len(releases) == 0 {
		return hostapi.Release{}, false
	}
	at := len(releases) - 1
	// back is the release that the one at hand went back to; 0: none.
	back := func() int {
		n := releases[at].Of
		if m := rolledBack.FindStringSubmatch(releases[at].What); n == 0 && m != nil {
			n, _ = strconv.Atoi(m[1])
		}
		return n
	}
	for n := back(); n != 0; n = back() {
		to := slices.IndexFunc(releases[:at], func(r hostapi.Release) bool { return r.Release == n })
		if to < 0 {
			return hostapi.Release{}, false // what it went back to is not kept any more
		}
		at = to
	}
	if at == 0 {
		return hostapi.Release{}, false
	}
	return releases[at-1], true
}

// Rollback goes back to a release of an instance or a branch, with the images
// that it had: to the one called to, or where to is 0 to the one before the one
// that runs. It is a deployment like any other. The database stays as it is.
func Rollback(ctx context.Context, name string, to int, o Options) error {
	as, more, err := instance.Resolve(".", name, os.Environ())
	if err != nil {
		return err
	}
	s, inst, err := target.Find(ctx, name)
	if err != nil {
		return err
	}
	releases, err := Releases(s)
	s.Close()
	if err != nil {
		return err
	}
	if len(releases) > 0 {
		if err := console.WriteTable(os.Stderr, table(releases, time.Now())...); err != nil {
			return err
		}
	}
	target, found := before(releases)
	if to != 0 {
		i := slices.IndexFunc(releases, func(r hostapi.Release) bool { return r.Release == to })
		if found = i >= 0; found {
			target = releases[i]
		}
	}
	switch {
	case !found && to != 0:
		return fmt.Errorf("%s has no release %d\nhint: mage deploy:history %s lists those it has", inst.Name, to, inst.Name)
	case !found:
		return fmt.Errorf("%s has no earlier release to go back to\nhint: mage deploy:history %s", inst.Name, inst.Name)
	}
	d := newDeployment(as, more, o)
	d.what = fmt.Sprintf("rollback to %d", target.Release)
	d.release = strconv.Itoa(target.Release)
	if !o.Yes && !o.DryRun && os.Getenv("CI") == "" {
		question := fmt.Sprintf("%s on %s: go back to release %d, %s old%s?", inst.Name, inst.Get("server"), target.Release,
			console.Span(time.Since(target.Time)), brackets(short(target.Commit)))
		if err := console.Sure(question); err != nil {
			return err
		}
		d.options.Yes = true
	}
	return d.run(ctx)
}

// Maintenance closes the site of an instance or a branch where state is "on", and
// opens it again where it is "off". It
// stays closed whatever is deployed meanwhile. Only MAINTENANCE_ENABLE changes:
// the release and its images are those that run.
func Maintenance(ctx context.Context, name, state string, o Options) error {
	if state != "on" && state != "off" {
		return fmt.Errorf("maintenance is on or off, not %q", state)
	}
	on := state == "on"
	as, more, err := instance.Resolve(".", name, os.Environ())
	if err != nil {
		return err
	}
	d := newDeployment(as, more, o)
	d.release = hostapi.Current
	var was bool
	mark := func(s *target.Target, on bool) error {
		verb := "rm -f"
		if on {
			verb = "touch"
		}
		// Who was told that it is closed finds it closed after a power cut, and after the next deployment.
		_, err := s.Script("set -e; "+verb+` -- "$1/.maintenance"; sync -- "$1"`, s.Folder).String()
		return err
	}
	d.prepare = func(s *target.Target) error {
		if err := s.Runs(); err != nil {
			return err
		}
		_, err := s.Output("test", "-e", path.Join(s.Folder, ".maintenance"))
		was = err == nil
		return mark(s, on)
	}
	d.undo = func(s *target.Target) error { return mark(s, was) }
	d.what = "maintenance " + state
	return d.run(ctx)
}
