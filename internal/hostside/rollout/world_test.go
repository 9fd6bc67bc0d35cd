package rollout

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/answer"
	"github.com/betagouv/mrs-ops/internal/hostside/compose"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/strike"
)

// world is a server that can fail, hang or die at any call. Its compose files are
// JSON: {"django": "IMAGE", "postgres": "IMAGE"}.
type world struct {
	folder     string
	containers []docker.Container
	closed     map[string]bool // containers whose door is
	counted    map[string]int  // visits; containers that are counted have an entry
	images     map[string]string
	moved      map[string]string // what else than theirs names mean in the registry
	made       int
	backups    int
	calls      *strike.Calls
	fixed      string // why the application can't run twice
	unchecked  bool   // no service has a health check
	// after is asked after every call.
	after func(call string)
}

// death is the panic of a rollout that is killed.
type death struct{}

// call does what a call does, or what strikes it.
func (w *world) call(ctx context.Context, name string, do func() error) error {
	return w.calls.Do(ctx, name, func() error {
		err := do()
		if w.after != nil {
			w.after(name)
		}
		return err
	})
}

func (w *world) services(file string) map[string]string {
	all := map[string]string{}
	if content, err := os.ReadFile(file); err == nil {
		_ = json.Unmarshal(content, &all)
	}
	return all
}

func hash(service, image string) string { return service + "-of-" + image }

func (w *world) Services(ctx context.Context, file string) (all []compose.Service, err error) {
	services := w.services(file)
	for _, name := range slices.Sorted(maps.Keys(services)) {
		s := compose.Service{Name: name, Image: services[name], Routes: compose.Routes(nil)}
		if name == application {
			s.Fixed, s.Checked, s.Unchecked = w.fixed, !w.unchecked, w.unchecked
		}
		all = append(all, s)
	}
	return all, context.Cause(ctx)
}

func (w *world) Resolved(context.Context, string) ([]byte, error) { return nil, nil }

func (w *world) Hashes(_ context.Context, file string) (map[string]string, error) {
	hashes := map[string]string{}
	for name, image := range w.services(file) {
		hashes[name] = hash(name, image)
	}
	return hashes, nil
}

// Overlay knows the images of services alone.
func (w *world) Overlay(ctx context.Context, file string, over []byte) (out []byte, err error) {
	return out, w.call(ctx, "overlay", func() error {
		if out, err = os.ReadFile(file); err != nil {
			return err
		}
		var what struct {
			Services map[string]struct{ Image string }
		}
		if json.Unmarshal(over, &what) != nil {
			return nil
		}
		services := w.services(file)
		for name, s := range what.Services {
			services[name] = s.Image
		}
		out, err = json.Marshal(services)
		return err
	})
}

// Pull has the names of the registry's images mean those: an id is the name, and which pull brought it.
func (w *world) Pull(ctx context.Context, file string) []string {
	_ = w.call(ctx, "pull", func() error {
		for _, image := range w.services(file) {
			if was := w.images[image]; was != "" {
				w.images[was] = was // without a name it is known by its id
			}
			w.images[image] = cmp.Or(w.moved[image], "id-of-"+image)
		}
		return nil
	})
	return nil
}

func (w *world) start(service, image string) {
	w.made++
	c := docker.Container{ID: fmt.Sprintf("%s-%d", service, w.made), Image: w.images[image], Running: true, Status: "running", Health: "healthy", PID: w.made,
		Labels: map[string]string{"com.docker.compose.service": service, "com.docker.compose.config-hash": hash(service, image)}}
	c.Name = c.ID
	switch {
	case w.unchecked:
		c.Health = ""
	case strings.Contains(image, "sick"):
		c.Health = "unhealthy"
	case strings.Contains(image, "crash"):
		c.Restarts = 1
	}
	w.containers = append(w.containers, c)
}

func (w *world) remove(which func(docker.Container) bool) {
	w.containers = slices.DeleteFunc(w.containers, which)
}

func (w *world) Up(ctx context.Context, file string, up compose.Up) error {
	return w.call(ctx, "up", func() error {
		services := w.services(file)
		sick := false
		for _, name := range slices.Sorted(maps.Keys(services)) {
			if len(up.Services) > 0 && !slices.Contains(up.Services, name) {
				continue
			}
			image := services[name]
			if !up.Kept {
				w.remove(func(c docker.Container) bool {
					return c.Service() == name && (c.ConfigHash() != hash(name, image) || c.Image != w.images[image])
				})
			}
			there := 0
			for _, c := range w.containers {
				if c.Service() == name {
					there++
				}
			}
			for ; there < max(1, up.Scale[name]); there++ {
				w.start(name, image)
			}
			sick = sick || name == application && strings.Contains(image, "sick")
		}
		if up.Orphans {
			w.remove(func(c docker.Container) bool { return services[c.Service()] == "" })
		}
		if sick && up.Wait > 0 {
			return &compose.Error{What: "up", Said: "unhealthy", Err: errors.New("exit status 1")}
		}
		return nil
	})
}

func (w *world) Containers(ctx context.Context) (all []docker.Container, err error) {
	return all, w.call(ctx, "containers", func() error { all = slices.Clone(w.containers); return nil })
}

func (w *world) Image(_ context.Context, name string) (docker.Image, error) {
	if id, ok := w.images[name]; ok {
		return docker.Image{ID: id, Checked: true}, nil
	}
	for _, id := range w.images {
		if id == name {
			return docker.Image{ID: id, Checked: true}, nil
		}
	}
	return docker.Image{}, nil
}

func (w *world) Tag(ctx context.Context, id, name string) error {
	return w.call(ctx, "tag", func() error { w.images[name] = id; return nil })
}

func (w *world) Fetch(context.Context, string) error { return errors.New("no registry has it") }

func (w *world) Network(ctx context.Context, _ string) (made bool, err error) {
	return made, w.call(ctx, "network", func() error { return nil })
}

func (w *world) Drain(ctx context.Context, ids ...string) error {
	return w.call(ctx, "drain", func() error {
		w.remove(func(c docker.Container) bool { return slices.Contains(ids, c.ID) })
		return nil
	})
}

func (w *world) Log(context.Context, docker.Container) string { return "its log" }

func (w *world) Close(ctx context.Context, c docker.Container) error {
	return w.call(ctx, "close", func() error { w.closed[c.ID] = true; return nil })
}

func (w *world) Open(ctx context.Context, c docker.Container) error {
	return w.call(ctx, "open", func() error { delete(w.closed, c.ID); return nil })
}

func (w *world) Count(ctx context.Context, c docker.Container) error {
	return w.call(ctx, "count", func() error { w.counted[c.ID] = 0; return nil })
}

func (w *world) Visits(_ context.Context, c docker.Container) (int, error) {
	return w.counted[c.ID], nil
}

func (w *world) Lacks() []string { return nil }
func (w *world) Listens(int)     {}

// serving are the containers of the application that a visitor may come to.
func (w *world) serving() (all []docker.Container) {
	for _, c := range w.containers {
		if c.Service() == application && c.Running && c.Restarts == 0 && !w.closed[c.ID] {
			all = append(all, c)
		}
	}
	return all
}

func (w *world) Answers(ctx context.Context, container, _ string, _ answer.Maintenance, within time.Duration) error {
	return w.call(ctx, "answers", func() error {
		all := w.serving()
		if container != "" {
			all = slices.DeleteFunc(slices.Clone(w.containers), func(c docker.Container) bool { return c.ID != container })
		}
		if len(all) == 0 || slices.ContainsFunc(all, func(c docker.Container) bool { return strings.Contains(c.Image, "wrong") || c.Restarts > 0 }) {
			sleep(ctx, within)
			return errors.New("answers 500, not 200")
		}
		for _, c := range all {
			if _, counts := w.counted[c.ID]; counts && container == "" {
				w.counted[c.ID]++
			}
		}
		return nil
	})
}

func (w *world) Proves(ctx context.Context, _, _ string) error {
	return w.call(ctx, "proves", func() error { return nil })
}

func (w *world) Moment(ctx context.Context, _, _ string, _ time.Duration, _ func(string)) error {
	return w.call(ctx, "moment", func() error { return nil })
}

func (w *world) Developers(ctx context.Context, _ string) error {
	return w.call(ctx, "developers", func() error { return nil })
}

func (w *world) Trail(context.Context) string { return "" }

func (w *world) Keeps(ctx context.Context, _ []byte) error {
	return w.call(ctx, "keeps", func() error { return nil })
}

func (w *world) CanBackUp() bool { return true }

func (w *world) Backup(ctx context.Context, _ func(string)) error {
	return w.call(ctx, "backup", func() error { w.backups++; return nil })
}

func (w *world) Recover(ctx context.Context) error {
	return w.call(ctx, "recover", func() error { return os.Remove(filepath.Join(w.folder, restoreSwap)) })
}

func (w *world) Queue(ctx context.Context, _ string) error {
	return w.call(ctx, "queue", func() error { return nil })
}
