package rollout

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

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
	steps := plan.Explain(r.plan())
	lines := []string{
		fmt.Sprintf("%s: %s would be this. Nothing of it is done now.", d.Name, d.What),
		"cd " + d.Folder,
	}
	for _, image := range missing {
		lines = append(lines, "not here yet, and pulled then: "+image)
	}
	return append(append(lines, said...), hostapi.Explain(steps)...), nil
}

// upCommand is that by which Compose has services of a file run.
func (r *rollout) upCommand(file string, up compose.Up) string {
	words := []string{"docker", "compose", "--project-name", r.asked.Project, "--env-file", "/dev/null", "--file", file}
	return hostapi.Quote(append(words, up.Argv()...)...)
}

func (r *rollout) backUpCommands() []string {
	if r.asked.Persistent && !r.first && r.asked.Release != hostapi.Current && r.CanBackUp() {
		return []string{"./backup.sh deploy"}
	}
	return []string{"# nothing: there is nothing yet, it is not backed up, or no data is touched"}
}
