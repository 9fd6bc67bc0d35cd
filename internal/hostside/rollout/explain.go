package rollout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/compose"
	"github.com/betagouv/mrs-ops/internal/hostside/plan"
	"github.com/betagouv/mrs-ops/internal/hostside/release"
)

// Explain returns what [Run] would do, and the commands behind it, in lines for people. Nothing of it is done: what
// is to run is written to the empty folder scratch, and nothing is pulled, so that an image whose name means another
// one by then is not seen.
func Explain(ctx context.Context, d hostapi.Deploy, host Host, scratch string) ([]string, error) {
	var said []string
	r := &rollout{
		asked:    d,
		Host:     host,
		Talk:     Talk{Say: func(line string) { said = append(said, line) }, Detail: func(string) {}},
		releases: release.Of(d.Folder),
		images:   map[string]string{},
		ids:      map[string]string{},
		checked:  map[string]bool{},
	}
	for _, name := range []string{current, closed, removeAt} {
		if r.is(name) {
			if err := os.Symlink(
				r.path(name),
				filepath.Join(scratch, name),
			); err != nil &&
				!errors.Is(err, fs.ErrExist) {
				return nil, err
			}
		}
	}
	r.asked.Folder = scratch
	r.first = !r.is(current)
	if _, err := r.writeNext(ctx); err != nil {
		return nil, err
	}
	r.read(ctx)
	var missing []string
	for _, s := range r.services {
		image, err := r.Image(ctx, s.Image)
		if err != nil {
			return nil, err
		}
		r.ids[s.Image] = image.ID
		r.checked[s.Name] = image.Checked
		if image.ID == "" {
			missing = append(missing, s.Image)
		}
	}
	all, err := r.Containers(ctx)
	if err != nil {
		return nil, err
	}
	r.compare(all)
	steps := plan.Explain(r.plan(), r.commands, undoes)
	lines := []string{
		fmt.Sprintf("%s: %s would be this. Nothing of it is done now.", d.Name, d.What),
		"cd " + d.Folder,
	}
	for _, image := range missing {
		lines = append(lines, "not here yet, and pulled then: "+image)
	}
	return append(append(lines, said...), hostapi.Explain(steps)...), nil
}

// commands are those behind a step of the plan; none: it is this program's own work.
func (r *rollout) commands(step string) []string {
	up := func(file string, up compose.Up) string {
		words := []string{
			"docker",
			"compose",
			"--project-name",
			r.asked.Project,
			"--env-file",
			"/dev/null",
			"--file",
			file,
		}
		return hostapi.Quote(append(words, up.Argv()...)...)
	}
	alone := func(services ...string) []string {
		return []string{up(next, compose.Up{Alone: true, Wait: r.timeout(), Services: services})}
	}
	words := strings.Fields(step)
	backs := r.asked.Persistent && !r.first && r.asked.Release != hostapi.Current && r.CanBackUp()
	switch begins := func(name string) bool { return strings.HasPrefix(step, name) }; {
	case begins("back up what runs") && backs:
		return []string{"./backup.sh deploy"}
	case begins("back up what runs"):
		return []string{"# nothing: there is nothing yet, it is not backed up, or no data is touched"}
	case begins("set the host's queue") && r.asked.MaxConn != "":
		return []string{"sysctl net.core.somaxconn=" + r.asked.MaxConn}
	case begins("start the stack"):
		return []string{up(current, compose.Up{Orphans: true, Wait: r.timeout()})}
	case begins("end what can't run twice"):
		return []string{"docker rm OLD   # once it serves nothing any more"}
	case begins("start anew "):
		return alone(words[2:]...)
	case begins("start it anew"):
		return alone(r.site.Name)
	case begins("run "):
		return []string{up(next, compose.Up{Alone: true, Services: words[1:2]}), "docker wait NEW"}
	case begins("start a new "):
		scale := map[string]int{words[3]: len(r.olds[words[3]]) + 1}
		return []string{up(next, compose.Up{Alone: true, Kept: true, Scale: scale, Services: words[3:4]})}
	case begins("close the old "):
		return []string{
			"nsenter --target PID --net iptables -I INPUT … -j REJECT   # new connections; those that are open go on",
		}
	case begins("see that"):
		return []string{"curl --include " + hostapi.Quote(r.asked.URL+r.asked.Page)}
	case begins("keep it as a release"):
		return []string{
			"mkdir releases/N && cp " + next + " releases/N/" + release.Compose,
			"mv " + next + " " + current,
		}
	}
	return nil
}

// undoes tells what takes back a step of the plan.
func undoes(step string) string {
	switch begins := func(name string) bool { return strings.HasPrefix(step, name) }; {
	case begins("run "):
		return "its container is removed; what it did stays"
	case begins("start a new "):
		return "the new one is removed, once it serves nothing"
	case begins("close the old "):
		return "the old one takes connections again"
	case begins("keep it as a release"):
		return "the release is removed, and " + current + " is what it was"
	}
	return "what ran before is started again, as " + current + " has it"
}
