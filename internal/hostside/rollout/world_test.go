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
	"sync"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/answer"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/compose"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/strike"
	"github.com/betagouv/mrs-ops/internal/stack/model"
)

func TestMain(m *testing.M) { strike.Main(m) }

// world is a server that can fail, hang or die at any call. Its compose files are JSON. An image
// whose name has sick, crash, wrong or fails in it does just that.
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
	unchecked  bool   // no service has a health check
	plugin     string // the version of Compose
	site       string
	ran        []string // one-shots, by their sums
	early      []string // what was started before a one-shot that it waits for had run
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

// spec is a service of a compose file.
type spec = map[string]any

// specs are those of a file, and what they are.
func (w *world) specs(file string) (map[string]spec, []hostapi.Service) {
	var all struct{ Services map[string]spec }
	content, err := os.ReadFile(file)
	if err != nil {
		return nil, nil
	}
	_ = json.Unmarshal(content, &all)
	services, known := parsed.Load(string(content))
	if !known {
		if services, err = model.Parse(content); err != nil {
			panic(err)
		}
		parsed.Store(string(content), services)
	}
	return all.Services, slices.Clone(services.([]hostapi.Service))
}

// parsed are the services of files, of which there are few, by their text.
var parsed sync.Map

// hash is Compose's sum of a service's configuration, which has not how many there are.
func (w *world) hash(name string, s spec) string {
	s = maps.Clone(s)
	delete(s, "scale")
	text, _ := json.Marshal(s)
	return name + w.plugin + string(text)
}

func (w *world) Resolved(_ context.Context, file string) ([]byte, error) { return os.ReadFile(file) }

func (w *world) Hashes(_ context.Context, file string) (map[string]string, error) {
	specs, _ := w.specs(file)
	hashes := map[string]string{}
	for name, s := range specs {
		hashes[name] = w.hash(name, s)
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
		specs, _ := w.specs(file)
		for name, s := range what.Services {
			if s.Image != "" {
				specs[name]["image"] = s.Image
			}
		}
		out, err = json.Marshal(map[string]any{"services": specs})
		return err
	})
}

// Pull has the names of the registry's images mean those: an id is the name, and which pull brought it.
func (w *world) Pull(ctx context.Context, file string) []string {
	_ = w.call(ctx, "pull", func() error {
		_, services := w.specs(file)
		for _, s := range services {
			if was := w.images[s.Image]; was != "" {
				w.images[was] = was // without a name it is known by its id
			}
			w.images[s.Image] = cmp.Or(w.moved[s.Image], "id-of-"+s.Image)
		}
		return nil
	})
	return nil
}

// start starts a container of a service, or ends one that has one.
func (w *world) start(s hostapi.Service, of spec, others map[string]spec) {
	w.made++
	labels := map[string]string{"com.docker.compose.service": s.Name, docker.Hash: w.hash(s.Name, of)}
	more, _ := of["labels"].(map[string]any)
	for name, value := range more {
		labels[name] = fmt.Sprint(value)
	}
	c := docker.Container{ID: fmt.Sprintf("%s-%d", s.Name, w.made), Image: w.images[s.Image], Running: true, Status: "running", Health: "healthy", PID: w.made, Labels: labels}
	c.Name = c.ID
	switch {
	case s.Kind == hostapi.OneShot:
		c.Running, c.Status, c.Health, c.PID = false, "exited", "", 0
		if strings.Contains(s.Image, "fails") {
			c.ExitCode = 1
		} else {
			w.ran = append(w.ran, c.ConfigHash())
		}
	case w.unchecked:
		c.Health = ""
	case strings.Contains(s.Image, "sick"):
		c.Health = "unhealthy"
	case strings.Contains(s.Image, "crash"):
		c.Restarts = 1
	}
	waits, _ := of["depends_on"].(map[string]any)
	for name, on := range waits {
		if condition := on.(map[string]any)["condition"]; condition == "service_completed_successfully" &&
			!slices.Contains(w.ran, w.hash(name, others[name])) {
			w.early = append(w.early, c.Name)
		}
	}
	w.containers = append(w.containers, c)
}

func (w *world) remove(which func(docker.Container) bool) {
	w.containers = slices.DeleteFunc(w.containers, which)
}

func (w *world) Up(ctx context.Context, file string, up compose.Up) error {
	return w.call(ctx, "up", func() error {
		specs, services := w.specs(file)
		sick := false
		for _, s := range model.Order(services) {
			if len(up.Services) > 0 && !slices.Contains(up.Services, s.Name) {
				continue
			}
			if !up.Kept {
				w.remove(func(c docker.Container) bool {
					return c.Service() == s.Name && (c.ConfigHash() != w.hash(s.Name, specs[s.Name]) || c.Image != w.images[s.Image])
				})
			}
			there := 0
			for i, c := range w.containers {
				if c.Service() != s.Name {
					continue
				}
				there++
				if s.Kind == hostapi.OneShot { // it runs once more
					if c.ExitCode == 0 {
						w.ran = append(w.ran, c.ConfigHash())
					}
					continue
				}
				w.containers[i].Running, w.containers[i].Status = true, "running"
			}
			wanted := s.Replicas
			if n, given := up.Scale[s.Name]; given {
				wanted = n
			}
			for ; there < wanted; there++ {
				w.start(s, specs[s.Name], specs)
			}
			w.remove(func(c docker.Container) bool {
				if c.Service() == s.Name && there > wanted {
					there--
					return true
				}
				return false
			})
			if s.Kind == hostapi.OneShot && strings.Contains(s.Image, "fails") && up.Wait > 0 {
				return &compose.Error{What: "up", Said: "exit 1", Err: errors.New("exit status 1")}
			}
			sick = sick || s.Kind == hostapi.Rolls && strings.Contains(s.Image, "sick") || s.Name == "django" && strings.Contains(s.Image, "sick")
		}
		if up.Orphans {
			w.remove(func(c docker.Container) bool { return specs[c.Service()] == nil })
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

func (w *world) Drain(ctx context.Context, all ...docker.Container) error {
	return w.call(ctx, "drain", func() error {
		w.remove(func(c docker.Container) bool { return in(all, c) })
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

func (w *world) Listens(_ []hostapi.Service, site string) { w.site = site }

// serving are the containers of a service that a visitor may come to.
func (w *world) serving(service string) (all []docker.Container) {
	for _, c := range w.containers {
		if c.Service() == service && c.Running && c.Restarts == 0 && !w.closed[c.ID] {
			all = append(all, c)
		}
	}
	return all
}

// come counts a visitor who comes to a service.
func (w *world) come(service string) {
	for _, c := range w.serving(service) {
		if _, counts := w.counted[c.ID]; counts {
			w.counted[c.ID]++
		}
	}
}

func (w *world) Visit(_ context.Context, host, _ string) {
	_, services := w.specs(filepath.Join(w.folder, next))
	for _, s := range services {
		if slices.Contains(s.Hosts, host) {
			w.come(s.Name)
		}
	}
}

func (w *world) Answers(ctx context.Context, container, _ string, _ answer.Maintenance, within time.Duration) error {
	return w.call(ctx, "answers", func() error {
		all := w.serving(w.site)
		if container != "" {
			all = slices.DeleteFunc(slices.Clone(w.containers), func(c docker.Container) bool { return c.ID != container })
		}
		if len(all) == 0 || slices.ContainsFunc(all, func(c docker.Container) bool { return strings.Contains(c.Image, "wrong") || c.Restarts > 0 }) {
			sleep(ctx, within)
			return errors.New("answers 500, not 200")
		}
		if container == "" {
			w.come(w.site)
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

func (w *world) Keeps(ctx context.Context, _ []byte, _ []docker.Container) error {
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
