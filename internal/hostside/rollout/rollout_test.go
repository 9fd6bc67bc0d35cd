package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/release"
	"github.com/betagouv/mrs-ops/internal/hostside/strike"
	"github.com/betagouv/mrs-ops/internal/stack/model"
)

// stack is a compose file of MRS, with more of the keys of each service.
func stack(app, postgres string, more ...spec) string {
	services := map[string]spec{
		"django": {"image": app, "labels": spec{"traefik.enable": "true"}, "healthcheck": spec{"test": "x"},
			"depends_on": spec{"postgres": spec{"condition": "service_healthy"}}},
		"postgres": {"image": postgres},
	}
	for _, m := range more {
		for name, keys := range m {
			if services[name] == nil {
				services[name] = spec{}
			}
			maps.Copy(services[name], keys.(spec))
		}
	}
	text, _ := json.Marshal(map[string]any{"services": services})
	return string(text)
}

var mailed = spec{"mail": spec{"image": "mail:1"}}

// foreign is a stack without django: web and api roll, migrate and before it seed run once,
// worker waits for that, db is labelled.
func foreign(web, api, migrate string, webs int, apis ...int) string {
	apis = append(apis, 1)
	rolling := func(name, image string, n int, after string) spec {
		return spec{"image": image, "scale": n, "healthcheck": spec{"test": "x"}, "labels": spec{"traefik.enable": "true",
			"traefik.http.routers." + name + ".rule": "Host(`" + name + ".test`)", "traefik.http.services.a.loadbalancer.server.port": "80"},
			"depends_on": spec{after: spec{"condition": "service_completed_successfully"}}}
	}
	text, _ := json.Marshal(map[string]any{"services": map[string]spec{
		"web":     rolling("web", web, webs, "migrate"),
		"api":     rolling("api", api, apis[0], "migrate"),
		"worker":  {"image": web, "depends_on": spec{"migrate": spec{"condition": "service_completed_successfully"}}},
		"migrate": {"image": migrate, "restart": "no", "depends_on": spec{"seed": spec{"condition": "service_completed_successfully"}}},
		"seed":    {"image": "seed:1", "restart": "on-failure", "depends_on": spec{"db": spec{"condition": "service_healthy"}}},
		"db":      {"image": "pg:1", "labels": spec{model.Label: true}},
	}})
	return string(text)
}

// way is a way in which one stack becomes another.
type way struct {
	name, from, to string
	fixed          bool // the application publishes a port
	unchecked      bool // no service has a health check
	gapless        bool // visitors are served at every moment
	ask            func(*hostapi.Deploy)
}

var ways = []way{
	{name: "for the first time", to: stack("app:2", "pg:1")},
	{name: "nothing changes", from: stack("app:1", "pg:1"), to: stack("app:1", "pg:1"), gapless: true},
	{name: "the application takes over", from: stack("app:1", "pg:1"), to: stack("app:2", "pg:1"), gapless: true},
	{name: "both change", from: stack("app:1", "pg:1"), to: stack("app:2", "pg:2")},
	{name: "the database changes", from: stack("app:1", "pg:1"), to: stack("app:1", "pg:2")},
	{name: "it can't run twice", from: stack("app:1", "pg:1"), to: stack("app:2", "pg:1"), fixed: true},
	{name: "no service has a health check", from: stack("app:1", "pg:1"), to: stack("app:2", "pg:1"), unchecked: true},
	{name: "a service goes", from: stack("app:1", "pg:1", mailed), to: stack("app:2", "pg:1"), gapless: true},
	{name: "the name of the image means another one", from: stack("app:1", "pg:1"), to: stack("app:1", "pg:1"), gapless: true},
	{name: "a file is brought along", from: stack("app:1", "pg:1"), to: reading(2), gapless: true, ask: func(d *hostapi.Deploy) {
		d.Carried = []hostapi.Carried{brought(2)}
	}},
	{name: "to the first release", from: stack("app:1", "pg:1"), gapless: true, ask: func(d *hostapi.Deploy) { d.Release = "1" }},
	{name: "foreign: for the first time", to: foreign("web:1", "api:1", "web:1", 2)},
	{name: "foreign: nothing changes", from: foreign("web:1", "api:1", "web:1", 2), to: foreign("web:1", "api:1", "web:1", 2), gapless: true},
	{name: "foreign: all of it rolls", from: foreign("web:1", "api:1", "web:1", 2), to: foreign("web:2", "api:2", "web:2", 2), gapless: true},
	{name: "foreign: one rolls, and one-shots do not run", from: foreign("web:1", "api:1", "web:1", 2), to: foreign("web:1", "api:2", "web:1", 2), gapless: true},
	{name: "foreign: only a one-shot", from: foreign("web:1", "api:1", "web:1", 2), to: foreign("web:1", "api:1", "web:2", 2), gapless: true},
	{name: "foreign: more of them", from: foreign("web:1", "api:1", "web:1", 1), to: foreign("web:2", "api:1", "web:1", 2), gapless: true},
	{name: "foreign: fewer of them", from: foreign("web:1", "api:1", "web:1", 3), to: foreign("web:1", "api:1", "web:1", 2), gapless: true},
	{name: "foreign: one is switched off", from: foreign("web:1", "api:1", "web:1", 1), to: foreign("web:2", "api:1", "web:1", 1, 0), gapless: true},
	{name: "foreign: one is switched on", from: foreign("web:1", "api:1", "web:1", 1, 0), to: foreign("web:1", "api:1", "web:1", 1, 2), gapless: true},
	{name: "foreign: to the first release", from: foreign("web:1", "api:1", "web:1", 2), gapless: true, ask: func(d *hostapi.Deploy) { d.Release = "1" }},
	{name: "a branch", from: stack("app:1", "pg:1"), to: stack("app:2", "pg:1"), gapless: true, ask: func(d *hostapi.Deploy) {
		d.Persistent, d.Lifetime = false, 3600
	}},
}

// file is a compose file as the way has it.
func (w way) file(text string) string {
	if w.fixed {
		text = strings.Replace(text, `"image":"app`, `"ports":["80:8000"],"image":"app`, 1)
	}
	if w.unchecked {
		text = strings.ReplaceAll(text, `"healthcheck":{"test":"x"}`, `"healthcheck":{"disable":true}`)
	}
	return text
}

// before has a world where the way begins, and what is asked for.
func (w way) before(t *testing.T) (*world, hostapi.Deploy) {
	t.Helper()
	w.from, w.to = w.file(w.from), w.file(w.to)
	world := &world{calls: new(strike.Calls), folder: strike.Memory(t), closed: map[string]bool{}, counted: map[string]int{}}
	world.images, world.unchecked = map[string]string{}, w.unchecked
	d := hostapi.Deploy{Project: "mrs", Folder: world.folder, File: w.from, Pull: true, URL: "http://web.test", Page: "/",
		Timeout: 60, Drain: 10, Jobs: true, Persistent: true}
	if w.from != "" {
		if _, _, err := Run(t.Context(), d, world, quiet); err != nil {
			t.Fatal(err)
		}
		// One that was killed when it had kept its release has left what ran before that.
		if err := os.WriteFile(filepath.Join(world.folder, before), []byte("services: {}\n"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(w.name, "means another one") {
		world.images["app:1"] = "older-id-of-app:1"
		for i, c := range world.containers {
			if c.Service() == hostapi.MRS {
				world.containers[i].Image = "older-id-of-app:1"
			}
		}
	}
	world.backups = 0
	d.File = w.to
	if w.ask != nil {
		w.ask(&d)
	}
	return world, d
}

var quiet = Talk{Say: func(string) {}, Detail: func(string) {}}

// run carries it out while that strikes, and reports how: dead, if it was killed.
func (w *world) run(d hostapi.Deploy, strikes strike.At) (deployed hostapi.Deployed, err error, dead bool) {
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	w.calls = &strike.Calls{Strikes: strikes, End: cancel, Kill: func() { panic(death{}) }, Hung: func() {}}
	// Whoever waits for what hangs loses patience.
	defer time.AfterFunc(24*time.Hour, cancel).Stop()
	defer func() {
		if p := recover(); p != nil {
			if _, ok := p.(death); !ok {
				panic(p)
			}
			dead = true
		}
	}()
	deployed, _, err = Run(ctx, d, w, quiet)
	return deployed, err, false
}

// state is what there is, for comparison.
func (w *world) state() string {
	var lines []string
	for _, c := range w.containers {
		if c.Status == "exited" { // a one-shot: it has run
			continue
		}
		lines = append(lines, fmt.Sprintf("%s %s closed=%t", c.ConfigHash(), c.Image, w.closed[c.ID]))
	}
	slices.Sort(lines)
	current, _ := os.ReadFile(filepath.Join(w.folder, current))
	n, _ := release.Of(w.folder).Newest()
	images, _ := release.Of(w.folder).Images(n)
	return strings.Join(lines, "\n") + "\n" + string(current) + fmt.Sprintf("\nrelease %d: %v", n, images)
}

// straight returns what is wrong where a way has been gone to its end.
func (w *world) straight(way way) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	to := way.to
	if to == "" {
		to = way.from
	}
	to = way.file(to)
	file := filepath.Join(w.folder, current)
	if got, _ := os.ReadFile(file); string(got) != to {
		say("%s is %s, not %s", current, got, to)
	}
	specs, services := w.specs(file)
	want := map[string]string{}
	for _, s := range services {
		want[s.Name] = s.Image
		n := 0
		for _, c := range w.containers {
			if c.Service() != s.Name {
				continue
			}
			n++
			if c.ConfigHash() != w.hash(s.Name, specs[s.Name]) && w.plugin == "" || c.Image != w.images[s.Image] || w.closed[c.ID] {
				say("there is %s, closed: %t", c.Name, w.closed[c.ID])
			}
		}
		if s.Kind == hostapi.OneShot {
			if !slices.Contains(w.ran, w.hash(s.Name, specs[s.Name])) {
				say("%s has not run", s.Name)
			}
		} else if n != s.Replicas {
			say("%d containers of %s run, not %d", n, s.Name, s.Replicas)
		}
	}
	for _, c := range w.containers {
		if specs[c.Service()] == nil {
			say("there is %s", c.Name)
		}
	}
	if len(w.early) > 0 {
		say("%v were started before what they wait for had ended", w.early)
	}
	n, _ := release.Of(w.folder).Newest()
	images, err := release.Of(w.folder).Images(n)
	if err != nil || len(images) != len(want) {
		say("of release %d the images are %v, %v", n, images, err)
	}
	for _, i := range images {
		if i.Name != want[i.Service] {
			say("release %d has %s", n, i.Name)
		}
	}
	for _, file := range []string{next, before, recreating} {
		if _, err := os.Stat(filepath.Join(w.folder, file)); err == nil {
			say("%s is left", file)
		}
	}
	return wrong
}

func TestEachWayFromOneStackToAnotherIsGoneToItsEnd(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				w, d := way.before(t)
				if _, err, _ := w.run(d, nil); err != nil {
					t.Fatal(err)
				}
				for _, wrong := range w.straight(way) {
					t.Error(wrong)
				}
				if backed := w.backups > 0; backed != (way.from != "" && d.Persistent && !strings.Contains(way.name, "nothing")) && !strings.Contains(way.name, "to the first release") {
					t.Errorf("%d backups were made", w.backups)
				}
			})
		})
	}
}

// Every plan is struck before, in and after every call of it, in every way. What undoes it is killed at each of its
// calls, once where it is the same calls whatever has struck.
func TestWhateverStrikesARolloutAtWhateverMomentNothingIsLost(t *testing.T) {
	count := 0
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			var calls []string
			synctest.Test(t, func(t *testing.T) {
				w, d := way.before(t)
				_, _, _ = w.run(d, nil)
				calls = w.calls.Made()
			})
			undone := map[string]bool{}
			for _, call := range calls {
				for _, s := range strike.All {
					var made []string
					synctest.Test(t, func(t *testing.T) { made = way.struck(t, strike.At{call: s}) })
					count++
					if s != strike.Fails && s != strike.Ended {
						continue
					}
					undoing := made[slices.Index(made, call)+1:]
					if seen := call + " " + strings.Join(undoing, " "); undone[seen] {
						continue
					} else {
						undone[seen] = true
					}
					for _, next := range undoing {
						synctest.Test(t, func(t *testing.T) { way.struck(t, strike.At{call: s, next: strike.Killed}) })
						count++
					}
				}
			}
		})
	}
	t.Logf("%d rollouts were struck", count)
}

// struck goes a way on which that strikes, and returns what was called.
func (way way) struck(t *testing.T, strikes strike.At) (calls []string) {
	t.Helper()
	w, d := way.before(t)
	before := w.state()
	gap := ""
	if way.gapless {
		fewest := map[string]int{}
		for _, file := range []string{d.File, way.from} {
			services, _ := model.Parse([]byte(file))
			for _, s := range services {
				if n, there := fewest[s.Name]; s.Kind == hostapi.Rolls && (!there || s.Replicas < n) {
					fewest[s.Name] = s.Replicas
				}
			}
		}
		w.after = func(call string) {
			for name, n := range fewest {
				if serve := len(w.serving(name)); gap == "" && serve < n {
					gap = fmt.Sprintf("after %s, number %d, %d of %s serve", call, len(w.calls.Made()), serve, name)
				}
			}
		}
	}
	deployed, err, dead := w.run(d, strikes)
	calls = w.calls.Made()
	fail := func(format string, args ...any) {
		t.Helper()
		t.Errorf("%v: %s\nerror: %v\n%s", strikes, fmt.Sprintf(format, args...), err, strings.Join(calls, " "))
	}
	if gap != "" {
		fail("%s", gap)
	}
	w.after = nil
	switch f, _ := errors.AsType[*hostapi.Failure](err); {
	case dead:
	case err == nil && deployed.How == "":
		fail("it does not say how")
	case err == nil:
		if d.Release == "" && len(strikes) == 1 {
			for _, s := range strikes {
				// Of what is struck once a release is kept, something may be left, and is said; the next rollout ends it.
				if wrong := w.straight(way); len(wrong) > 0 && s != strike.Fails && s != strike.FailsLate && s != strike.Hangs {
					fail("it says that it is done, but %v", wrong)
				}
			}
		}
	case f == nil:
		fail("it is no Failure")
	case f.Outcome == hostapi.RolledBack, strings.HasSuffix(f.Reason, "answers"):
		if now := w.state(); now != before {
			fail("there was\n%s\nand is\n%s", before, now)
		}
	case len(strikes) == 1 && way.from != "" && w.state() != before:
		fail("it says nothing of what it has changed: there was\n%s\nand is\n%s", before, w.state())
	}
	// Whoever comes next finds a way on.
	if _, err, _ := w.run(d, nil); err != nil {
		fail("the next one: %v", err)
	}
	if d.Release == "" {
		for _, wrong := range w.straight(way) {
			fail("after the next one %s", wrong)
		}
	}
	return calls
}

func TestAReleaseThatDoesNotWorkOutChangesNothing(t *testing.T) {
	for image, reason := range map[string]string{
		"app:sick":  "the new django does not become healthy (unhealthy after 0 s); what ran before answers",
		"app:crash": "the new django crashes at start; what ran before answers",
		"app:wrong": "the new django is healthy, but answers 500, not 200; what ran before answers",
	} {
		for _, fixed := range []bool{false, true} {
			t.Run(fmt.Sprint(image, fixed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w, d := way{from: stack("app:1", "pg:1"), to: stack(image, "pg:1"), fixed: fixed}.before(t)
					was := w.state()
					_, err, _ := w.run(d, nil)
					f, _ := errors.AsType[*hostapi.Failure](err)
					if f == nil || f.Outcome != hostapi.RolledBack || !fixed && f.Reason != reason {
						t.Errorf("%v, not %s", err, reason)
					}
					if now := w.state(); now != was {
						t.Errorf("there was\n%s\nand is\n%s", was, now)
					}
				})
			})
		}
	}
}

func TestWhatCanNotBeTakenBackIsNamedAndNotSaidToBeDown(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		// deploy deploys with strikes, and returns how it failed and the last of its calls of each name.
		deploy := func(strikes strike.At) (f hostapi.Failure, last map[string]string) {
			w, d := way{from: stack("app:1", "pg:1"), to: stack("app:2", "pg:1")}.before(t)
			_, err, _ := w.run(d, strikes)
			if failure, ok := errors.AsType[*hostapi.Failure](err); ok {
				f = *failure
			}
			last = map[string]string{}
			for _, call := range w.calls.Made() {
				name, _, _ := strings.Cut(call, "#")
				last[name] = call
			}
			return f, last
		}
		_, last := deploy(nil)
		visited := last["answers"]
		f, last := deploy(strike.At{visited: strike.Fails})
		if want := "struck; what ran before answers"; f.Reason != want || f.Outcome != hostapi.RolledBack {
			t.Errorf("%+v, not %s", f, want)
		}
		for call, want := range map[string]string{
			last["open"]:    "struck; what ran before answers, but not all could be taken back: struck",
			last["answers"]: "struck; what ran before does NOT answer: struck",
		} {
			f, _ := deploy(strike.At{visited: strike.Fails, call: strike.FailsLate})
			if f.Reason != want || f.Outcome != hostapi.Failed {
				t.Errorf("%s: %+v, not %s", call, f, want)
			}
		}
	})
}

func TestAOneShotThatFailsChangesNothing(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := way{from: foreign("web:1", "api:1", "web:1", 2), to: foreign("web:2", "api:2", "web:fails", 2)}.before(t)
		was := w.state()
		_, err, _ := w.run(d, nil)
		if want := "migrate failed (exit status 1); what ran before answers"; err == nil || err.Error() != want {
			t.Errorf("%v, not %s", err, want)
		}
		if now := w.state(); now != was {
			t.Errorf("there was\n%s\nand is\n%s", was, now)
		}
		d.File = foreign("web:1", "api:1", "web:1", 2)
		if deployed, err, _ := w.run(d, nil); err != nil || deployed.Changes != 0 {
			t.Errorf("what runs is deployed once more: %+v, %v", deployed, err)
		}
	})
}

func TestAnotherVersionOfComposeRestartsNothing(t *testing.T) {
	for _, way := range []way{
		{from: foreign("web:1", "api:1", "web:1", 2), to: foreign("web:1", "api:1", "web:1", 2)},
		{from: foreign("web:1", "api:1", "web:1", 2), to: foreign("web:1", "api:2", "web:1", 2)},
		{from: stack("app:1", "pg:1", mailed), to: stack("app:2", "pg:1", mailed)},
		{from: stack("app:1", "pg:1", mailed), to: stack("app:1", "pg:1", spec{"mail": spec{"image": "mail:2"}})},
	} {
		synctest.Test(t, func(t *testing.T) {
			w, d := way.before(t)
			w.plugin = "-by-another-version"
			before, ran := slices.Clone(w.containers), len(w.ran)
			_, services := w.specs(filepath.Join(w.folder, current))
			if _, err, _ := w.run(d, nil); err != nil {
				t.Fatal(err)
			}
			for _, c := range before {
				was := model.Named(services, c.Service())
				to, _ := model.Parse([]byte(way.to))
				if now := model.Named(to, c.Service()); now.Image == was.Image && !in(w.containers, c) {
					t.Errorf("%s was replaced", c.Name)
				}
			}
			if len(w.ran) != ran {
				t.Errorf("one-shots were run once more: %v", w.ran[ran:])
			}
			if deployed, err, _ := w.run(d, nil); err != nil || deployed.Changes != 0 {
				t.Errorf("once more: %+v, %v", deployed, err)
			}
		})
	}
}

func TestAStackWithoutADatabaseOrASiteIsRecreatedAndToldThatItIsNotBackedUp(t *testing.T) {
	const one, two = `{"services": {"worker": {"image": "w:1"}}}`, `{"services": {"worker": {"image": "w:2"}}}`
	synctest.Test(t, func(t *testing.T) {
		way := way{from: one, to: two}
		w, d := way.before(t)
		var said []string
		talk := Talk{Say: func(line string) { said = append(said, line) }, Detail: func(string) {}}
		deployed, _, err := Run(t.Context(), d, w, talk)
		if err != nil || deployed.How != "started anew" || w.backups > 0 {
			t.Errorf("%+v, %v, %d backups", deployed, err, w.backups)
		}
		for _, want := range []string{
			"mrs is NOT backed up: none of its services is a database (label mrs-ops.database)",
			"worker is stopped and started anew, since no load balancer is before it",
		} {
			if !slices.Contains(said, want) {
				t.Errorf("it does not say %q, but\n%s", want, strings.Join(said, "\n"))
			}
		}
		for _, wrong := range w.straight(way) {
			t.Error(wrong)
		}
	})
}

func TestWhatCannotRollIsRecreatedAndSaid(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		sick := func(image string) string {
			return strings.ReplaceAll(foreign(image, "api:1", "web:1", 2), `{"test":"x"}`, `{"disable":true}`)
		}
		way := way{from: sick("web:1"), to: sick("web:2")}
		w, d := way.before(t)
		var said []string
		talk := Talk{Say: func(line string) { said = append(said, line) }, Detail: func(string) {}}
		deployed, _, err := Run(t.Context(), d, w, talk)
		want := "web is stopped and started anew, since it has no health check: the site does not answer meanwhile"
		if err != nil || deployed.How != "started anew" || !slices.Contains(said, want) {
			t.Errorf("%+v, %v:\n%s", deployed, err, strings.Join(said, "\n"))
		}
		for _, wrong := range w.straight(way) {
			t.Error(wrong)
		}
	})
}

func TestMaintenanceIsRefusedWhereItIsNotMRS(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := way{from: foreign("web:1", "api:1", "web:1", 1)}.before(t)
		if err := os.WriteFile(filepath.Join(w.folder, closed), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		was := w.state()
		d.Release = hostapi.Current
		if _, err, _ := w.run(d, nil); err == nil || !strings.Contains(err.Error(), "can't be closed for maintenance") || w.state() != was {
			t.Errorf("%v\n%s", err, w.state())
		}
	})
}

func TestOnlyMRSIsAskedWhatOnlyMRSKnows(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := way{from: foreign("web:1", "api:1", "web:1", 2), to: foreign("web:2", "api:2", "web:2", 2)}.before(t)
		if _, err, _ := w.run(d, nil); err != nil {
			t.Fatal(err)
		}
		for _, call := range []string{"moment", "proves", "developers", "overlay"} {
			if slices.ContainsFunc(w.calls.Made(), func(made string) bool { return strings.HasPrefix(made, call) }) {
				t.Errorf("%s was asked", call)
			}
		}
	})
}

func TestARestoreThatWasCutShortIsUndoneFirst(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := ways[2].before(t)
		if err := os.WriteFile(filepath.Join(w.folder, restoreSwap), nil, 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err, _ := w.run(d, nil); err != nil || !slices.Contains(w.calls.Made(), "recover#1") {
			t.Error(err, w.calls.Made())
		}
	})
}

func TestARollbackBringsBackTheImageWhoseNameMeansAnotherByNow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := way{from: stack("app:1", "pg:1"), to: stack("app:1", "pg:1")}.before(t)
		runs := func() string {
			for _, c := range w.containers {
				if c.Service() == hostapi.MRS {
					return c.Image
				}
			}
			return "nothing"
		}
		w.moved = map[string]string{"app:1": "newer-id-of-app:1"}
		if _, err, _ := w.run(d, nil); err != nil || runs() != "newer-id-of-app:1" {
			t.Fatalf("%s runs: %v", runs(), err)
		}
		d.Release = "1"
		if _, err, _ := w.run(d, nil); err != nil || runs() != "id-of-app:1" {
			t.Errorf("%s runs: %v", runs(), err)
		}
	})
}

func TestWhatCannotBeHadIsRefusedByName(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		w, d := ways[2].before(t)
		d.Pull = false
		was := w.state()
		_, err, _ := w.run(d, nil)
		if want := "the image of django, app:2, can't be had: no registry gives it, and it is not on this host"; err == nil || err.Error() != want {
			t.Errorf("%v, not %s", err, want)
		}
		if w.state() != was {
			t.Errorf("it has changed something: %s", w.state())
		}
	})
}

func TestWhatRunsOtherwiseThanItIsToIsNamed(t *testing.T) {
	at := func(service, config, image, status, health string) docker.Container {
		return docker.Container{Image: image, Status: status, Health: health,
			Labels: map[string]string{"com.docker.compose.service": service, "com.docker.compose.config-hash": config}}
	}
	services, err := model.Parse([]byte(stack("app", "pg")))
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct {
		there []docker.Container
		want  string
	}{
		"nothing runs":      {nil, "[{django is new} {postgres is new}]"},
		"all is as it is":   {[]docker.Container{at("django", "1", "a", "running", "healthy"), at("postgres", "2", "p", "running", "")}, "[]"},
		"it starts":         {[]docker.Container{at("django", "1", "a", "running", "starting"), at("postgres", "2", "p", "running", "")}, "[]"},
		"configuration":     {[]docker.Container{at("django", "0", "a", "running", "healthy"), at("postgres", "2", "p", "running", "")}, "[{django has another configuration}]"},
		"image":             {[]docker.Container{at("django", "1", "0", "running", "healthy"), at("postgres", "2", "p", "running", "")}, "[{django has another image}]"},
		"it is unhealthy":   {[]docker.Container{at("django", "1", "a", "running", "unhealthy"), at("postgres", "2", "p", "exited", "")}, "[{django does not run well} {postgres does not run well}]"},
		"there are two":     {[]docker.Container{at("django", "1", "a", "running", "healthy"), at("django", "1", "a", "running", "healthy"), at("postgres", "2", "p", "running", "")}, "[{django has 2 containers, not 1}]"},
		"a service is gone": {[]docker.Container{at("django", "1", "a", "running", ""), at("postgres", "2", "p", "running", ""), at("mail", "", "", "", ""), at("mail", "", "", "", "")}, "[{mail is to go}]"},
	} {
		got, _ := compare(services, map[string][]string{"django": {"1"}, "postgres": {"2"}}, map[string]string{"app": "a", "pg": "p"}, test.there, nil)
		if fmt.Sprint(got) != test.want {
			t.Errorf("%s: %v, not %s", name, got, test.want)
		}
	}
}
