package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
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
)

// stack is a compose file of the world.
func stack(app, postgres string) string {
	text, _ := json.Marshal(map[string]string{application: app, database: postgres})
	return string(text)
}

// way is a way in which one stack becomes another.
type way struct {
	name, from, to string
	fixed          string // why the application can't run twice
	unchecked      bool   // no service has a health check
	gapless        bool   // visitors are served at every moment
	ask            func(*hostapi.Deploy)
}

var ways = []way{
	{name: "for the first time", to: stack("app:2", "pg:1")},
	{name: "nothing changes", from: stack("app:1", "pg:1"), to: stack("app:1", "pg:1"), gapless: true},
	{name: "the application takes over", from: stack("app:1", "pg:1"), to: stack("app:2", "pg:1"), gapless: true},
	{name: "both change", from: stack("app:1", "pg:1"), to: stack("app:2", "pg:2")},
	{name: "the database changes", from: stack("app:1", "pg:1"), to: stack("app:1", "pg:2")},
	{name: "it can't run twice", from: stack("app:1", "pg:1"), to: stack("app:2", "pg:1"), fixed: "it publishes a port"},
	{name: "no service has a health check", from: stack("app:1", "pg:1"), to: stack("app:2", "pg:1"), unchecked: true},
	{name: "a service goes", from: `{"django": "app:1", "postgres": "pg:1", "mail": "mail:1"}`, to: stack("app:2", "pg:1"), gapless: true},
	{name: "the name of the image means another one", from: stack("app:1", "pg:1"), to: stack("app:1", "pg:1"), gapless: true},
	{name: "a file is brought along", from: stack("app:1", "pg:1"), to: reading(2), gapless: true, ask: func(d *hostapi.Deploy) {
		d.Carried = []hostapi.Carried{brought(2)}
	}},
	{name: "to the first release", from: stack("app:1", "pg:1"), gapless: true, ask: func(d *hostapi.Deploy) { d.Release = "1" }},
	{name: "a branch", from: stack("app:1", "pg:1"), to: stack("app:2", "pg:1"), gapless: true, ask: func(d *hostapi.Deploy) {
		d.Persistent, d.Lifetime = false, 3600
	}},
}

// before has a world where the way begins, and what is asked for.
func (w way) before(t *testing.T) (*world, hostapi.Deploy) {
	t.Helper()
	world := &world{calls: new(strike.Calls), folder: memory(t), closed: map[string]bool{}, counted: map[string]int{}, images: map[string]string{}, fixed: w.fixed, unchecked: w.unchecked}
	d := hostapi.Deploy{Project: "mrs", Folder: world.folder, File: w.from, Pull: true, Page: "/", Timeout: 60, Drain: 10, Jobs: true, Persistent: true}
	if w.from != "" {
		if _, _, err := Run(t.Context(), d, world, quiet); err != nil {
			t.Fatal(err)
		}
	}
	if strings.Contains(w.name, "means another one") {
		world.images["app:1"] = "older-id-of-app:1"
		for i, c := range world.containers {
			if c.Service() == application {
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
	if got, _ := os.ReadFile(filepath.Join(w.folder, current)); string(got) != to {
		say("%s is %s, not %s", current, got, to)
	}
	want := map[string]string{}
	_ = json.Unmarshal([]byte(to), &want)
	for _, c := range w.containers {
		if image := want[c.Service()]; image == "" || c.ConfigHash() != hash(c.Service(), image) || c.Image != w.images[image] || w.closed[c.ID] {
			say("there is %s, closed: %t", c.Name, w.closed[c.ID])
		}
	}
	if len(w.containers) != len(want) {
		say("%d containers run, not %d", len(w.containers), len(want))
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
				if backed := w.backups > 0; backed != (way.from != "" && d.Persistent && !strings.Contains(way.name, "nothing")) && way.name != "to the first release" {
					t.Errorf("%d backups were made", w.backups)
				}
			})
		})
	}
}

// Every plan is struck before, in and after every call of it, in every way.
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
			for _, call := range calls {
				for _, s := range strike.All {
					var made []string
					synctest.Test(t, func(t *testing.T) { made = way.struck(t, strike.At{call: s}) })
					count++
					if s != strike.Fails && s != strike.Ended {
						continue
					}
					// What is being undone is killed, at each call of that.
					for _, next := range made[slices.Index(made, call)+1:] {
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
		w.after = func(call string) {
			if gap == "" && len(w.serving()) == 0 {
				gap = fmt.Sprintf("after %s, number %d, nobody serves", call, len(w.calls.Made()))
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
		for _, fixed := range []string{"", "it publishes a port"} {
			t.Run(strings.TrimSpace(image+" "+fixed), func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					w, d := way{from: stack("app:1", "pg:1"), to: stack(image, "pg:1"), fixed: fixed}.before(t)
					was := w.state()
					_, err, _ := w.run(d, nil)
					f, _ := errors.AsType[*hostapi.Failure](err)
					if f == nil || f.Outcome != hostapi.RolledBack || fixed == "" && f.Reason != reason {
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
				if c.Service() == application {
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
	w := &world{}
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte(stack("app", "pg")), 0o600); err != nil {
		t.Fatal(err)
	}
	services, _ := w.Services(t.Context(), file)
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
		"a service is gone": {[]docker.Container{at("django", "1", "a", "running", ""), at("postgres", "2", "p", "running", ""), at("mail", "", "", "", ""), at("mail", "", "", "", "")}, "[{mail is to go}]"},
	} {
		got := compare(services, map[string]string{"django": "1", "postgres": "2"}, map[string]string{"app": "a", "pg": "p"}, test.there)
		if fmt.Sprint(got) != test.want {
			t.Errorf("%s: %v, not %s", name, got, test.want)
		}
	}
}

// memory returns a folder where syncing costs nothing, if this machine has one.
func memory(t *testing.T) string {
	t.Helper()
	folder, err := os.MkdirTemp("/dev/shm", "rollout")
	if err != nil {
		return t.TempDir()
	}
	t.Cleanup(func() { _ = os.RemoveAll(folder) })
	return folder
}
