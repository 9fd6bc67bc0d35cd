package branches

import (
	"context"
	"encoding/json"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
)

// engine is one that can fail, and that others can act on in the middle.
type engine struct {
	mu         sync.Mutex
	containers map[string][]docker.Container
	have       []string
	used       []string // by others
	fails      map[string]error
	meanwhile  map[string]func()
	stuck      []string // what down does not remove
	downs      int
}

func (e *engine) act(what string) error {
	if f := e.meanwhile[what]; f != nil {
		f()
	}
	return e.fails[what]
}

func (e *engine) Containers(_ context.Context, project string) ([]docker.Container, error) {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.containers[project], e.act("containers")
}

func (e *engine) Down(_ context.Context, project string) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.downs++
	if err := e.act("down"); err != nil {
		return err
	}
	delete(e.containers, project)
	return nil
}

func (e *engine) Left(context.Context, string) ([]string, error) { return e.stuck, e.act("left") }

func (e *engine) Used(_ context.Context, image string) (bool, error) {
	return slices.Contains(e.used, image), e.act("used")
}

func (e *engine) Forget(_ context.Context, image string) error {
	if err := e.act("forget"); err != nil {
		return err
	}
	e.have = slices.DeleteFunc(e.have, func(i string) bool { return i == image })
	return nil
}

// world is a server with three instances: over is one whose time has passed, young
// one that lives on, and endless one of which nothing says.
type world struct {
	*Server
	*engine
	said []string
	now  time.Time
}

func newWorld(t *testing.T) *world {
	t.Helper()
	root := t.TempDir()
	w := &world{now: time.Unix(1_800_000_000, 0)}
	w.engine = &engine{
		containers: map[string][]docker.Container{}, fails: map[string]error{}, meanwhile: map[string]func(){},
		have: []string{"sha256:own", "sha256:kept", "sha256:old", "sha256:used"}, used: []string{"sha256:used"},
	}
	w.Server = &Server{
		Engine: w.engine, Folder: filepath.Join(root, "all"),
		Homes: []string{filepath.Join(root, "home", "*"), filepath.Join(root, "all", "*")},
		Locks: filepath.Join(root, "locks"), Logs: filepath.Join(root, "logs"), Name: "box",
		Now: func() time.Time { return w.now },
		Say: func(line string) { w.said = append(w.said, line) }, RemoveAll: os.RemoveAll,
	}
	for name, at := range map[string]string{"test-over": "1799996400", "test-young": "1800007200", "test-endless": ""} {
		w.deploy(t, name, at)
	}
	w.write(t, filepath.Join(root, "home", "mrs-staging", "releases", "3", "images"), "django mrs:1 sha256:kept - x\n")
	w.write(t, w.path("test-over", "releases", "1", "images"), "django mrs:0 sha256:old - x\n")
	w.write(t, w.path("no project", "removeat"), "1")
	if err := os.Symlink("test-over", w.path("test-link")); err != nil {
		t.Fatal(err)
	}
	return w
}

func (w *world) deploy(t *testing.T, name, at string) {
	t.Helper()
	w.write(t, w.path(name, "docker-compose.yml"), "services:")
	if at != "" {
		w.write(t, w.path(name, removeAt), at+"\n")
	}
	of := func(service, image, state string) docker.Container {
		return docker.Container{
			Image: image, Named: "mrs:1", Status: state, Labels: map[string]string{"com.docker.compose.service": service},
			Env: map[string]string{"HOST": name + ".lab", "GIT_COMMIT": "c0ffee"},
		}
	}
	w.containers[name] = []docker.Container{
		of("django", "sha256:kept", "exited"), of("django", "sha256:own", "running"), of("postgres", "sha256:used", "running"),
	}
}

func (w *world) write(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

func (w *world) there(name string) bool { _, err := os.Stat(w.path(name)); return err == nil }

// trash are folders of what is gone.
func (w *world) trash() []string {
	all, _ := filepath.Glob(filepath.Join(w.Folder, removed+"*"))
	return all
}

// audited returns what the audit log has last of an instance.
func (w *world) audited(t *testing.T, name string) (e hostapi.Entry) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(w.Logs, name+".log"))
	if err != nil {
		return e
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	if err := json.Unmarshal([]byte(lines[len(lines)-1]), &e); err != nil {
		t.Fatal(err)
	}
	return e
}

func TestWhatHasHadItsTimeIsRemovedAndNothingElse(t *testing.T) {
	w := newWorld(t)
	if err := w.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if want := []string{
		"test-endless stays: no time is set for it", "test-over is removed: its time has passed 60 min ago",
		"test-young stays for 2 h",
	}; !slices.Equal(w.said, want) {
		t.Errorf("it says %q", w.said)
	}
	others := w.there("test-young") && w.there("test-endless") && w.there("no project") && len(w.containers) == 2
	if w.there("test-over") || !others || len(w.trash()) > 0 {
		t.Errorf("there are %v, and in the trash %v", w.containers, w.trash())
	}
	// Those that others use, or may go back to, stay.
	if want := []string{"sha256:kept", "sha256:used"}; !slices.Equal(w.have, want) {
		t.Errorf("there are the images %v", w.have)
	}
	want := hostapi.Entry{Time: w.now.UTC(), Who: "the timer of box", What: "removed: its time had passed", Outcome: hostapi.OK}
	if e := w.audited(t, "test-over"); e != want {
		t.Errorf("the audit log has %+v", e)
	}
}

func TestTheListSaysHowEachStands(t *testing.T) {
	w := newWorld(t)
	delete(w.containers, "test-endless")
	list, err := w.List(t.Context())
	if err != nil || len(list) != 3 {
		t.Fatalf("%+v, %v", list, err)
	}
	want := hostapi.Branch{
		Project: "test-over", Host: "test-over.lab", Until: time.Unix(1799996400, 0).UTC(), Commit: "c0ffee", Image: "mrs:1",
		State: "running",
	}
	if list[1] != want || list[0] != (hostapi.Branch{Project: "test-endless", State: "gone"}) {
		t.Errorf("it is %+v", list)
	}
	w.fails["containers"] = errors.New("the engine is down")
	if _, err := w.List(t.Context()); err == nil {
		t.Error("without an engine there is a list")
	}
	w.Folder += "-none"
	if list, err := w.List(t.Context()); err != nil || list == nil || len(list) != 0 {
		t.Errorf("of none: %v, %v", list, err)
	}
}

// Whatever fails, removed is said of nothing, what is left is found again, and the others are removed.
func TestWhatFailsIsSaidAndIsDoneTheNextTime(t *testing.T) {
	down := errors.New("the engine does not answer")
	fails := func(what string) func(w *world) { return func(w *world) { w.fails[what] = down } }
	readOnly := errors.New("read-only file system")
	for name, c := range map[string]struct {
		breaks func(w *world)
		says   string
		gone   bool // for visitors and lists, all the same
	}{
		"the engine is down":               {fails("containers"), down.Error(), false},
		"it can't take it down":            {fails("down"), down.Error(), false},
		"it can't tell what is left":       {fails("left"), down.Error(), false},
		"it says that it did, and did not": {func(w *world) { w.stuck = []string{"volume a"} }, "the engine has not removed volume a", false},
		"rm fails": {func(w *world) {
			w.RemoveAll = func(path string) error {
				return &fs.PathError{Op: "unlinkat", Path: path + "/mrsattachments/of-a-person.pdf", Err: readOnly}
			}
		}, "its folder can't be removed as a whole: read-only file system\nhint: what is left of it is ", true},
	} {
		t.Run(name, func(t *testing.T) {
			for _, by := range []string{"expire", "remove"} {
				w := newWorld(t)
				w.deploy(t, "test-over2", "1")
				c.breaks(w)
				var err error
				if by == "expire" {
					err = w.Expire(t.Context())
				} else {
					err = w.Remove(t.Context(), "test-over", "eve")
					e := w.audited(t, "test-over")
					if e.Outcome != hostapi.Failed || e.Reason == "" || e.Who != "eve" || e.What != "remove" {
						t.Errorf("the audit log has %+v", e)
					}
				}
				if err == nil || !strings.Contains(err.Error(), c.says) || strings.Contains(err.Error(), "person") {
					t.Errorf("%s: %v", by, err)
				}
				if by == "expire" && strings.Count(err.Error(), c.says) != 2 {
					t.Errorf("not both are tried: %v", err)
				}
				if w.there("test-over") == c.gone || strings.Contains(strings.Join(w.said, "\n"), "is removed") {
					t.Errorf("%s: it says %q, and is there: %t", by, w.said, w.there("test-over"))
				}
				clear(w.fails)
				w.stuck, w.RemoveAll = nil, os.RemoveAll
				if err := w.Expire(t.Context()); err != nil || w.there("test-over") || w.there("test-over2") || len(w.trash()) > 0 {
					t.Errorf("%s: the next time: %v, and there are %v", by, err, w.trash())
				}
			}
		})
	}
}

func TestAnImageThatStaysIsSaidAndHindersNothing(t *testing.T) {
	for _, what := range []string{"used", "forget"} {
		w := newWorld(t)
		w.fails[what] = errors.New("conflict")
		if err := w.Remove(t.Context(), "test-over", "eve"); err != nil || w.there("test-over") {
			t.Errorf("%s: %v", what, err)
		}
		if !slices.Contains(w.said, "an image of test-over is left: conflict") {
			t.Errorf("%s: it says %q", what, w.said)
		}
	}
}

func TestABranchThatIsDeployedMeanwhileLivesOn(t *testing.T) {
	w := newWorld(t)
	looked := 0
	// Between the look and the lock the deployment ends, which gives it another week.
	w.Server.Now = func() time.Time {
		if looked++; looked == 2 { // of the first instance that has a time
			w.write(t, w.path("test-over", removeAt), "1800604800\n")
		}
		return w.now
	}
	if err := w.Expire(t.Context()); err != nil {
		t.Fatal(err)
	}
	if w.downs != 0 || !slices.Contains(w.said, "test-over stays: it was deployed at this moment") {
		t.Errorf("it is there: %t; %d were taken down; it says %q", w.there("test-over"), w.downs, w.said)
	}
	// Or somebody has removed it.
	w = newWorld(t)
	looked = 0
	w.Server.Now = func() time.Time {
		if looked++; looked == 2 {
			_ = os.RemoveAll(w.path("test-over"))
		}
		return w.now
	}
	if err := w.Expire(t.Context()); err != nil || w.downs != 0 {
		t.Errorf("%v; %d were taken down", err, w.downs)
	}
}

func TestWhoWorksOnAnInstanceIsLeftInPeace(t *testing.T) {
	for _, kind := range []string{"lock", "work"} {
		w := newWorld(t)
		held, err := lock.Try(w.Locks, "test-over", hostapi.Holder{Who: "bob", What: "deploy mrs:2"})
		if err != nil {
			t.Fatal(err)
		}
		if kind == "work" { // a deployment that has lost its operator
			other, err := lock.Try(w.Locks, "other", hostapi.Holder{})
			if err != nil {
				t.Fatal(err)
			}
			held.Release()
			other.Release()
			if err := os.Remove(filepath.Join(w.Locks, "test-over.lock")); err != nil {
				t.Fatal(err)
			}
			held, err = lock.Take(t.Context(), w.Locks, "test-over", hostapi.Holder{}, func(string) {})
			if err != nil {
				t.Fatal(err)
			}
			// Its operator's lock is another file by now.
			if err := os.Remove(filepath.Join(w.Locks, "test-over.lock")); err != nil {
				t.Fatal(err)
			}
		}
		if err := w.Expire(t.Context()); err != nil || !slices.Contains(w.said, "test-over is being worked on: later") {
			t.Errorf("%s: %v, and it says %q", kind, err, w.said)
		}
		err = w.Remove(t.Context(), "test-over", "eve")
		if !errors.Is(err, lock.ErrBusy) || kind == "lock" && !strings.Contains(err.Error(), "bob") {
			t.Errorf("%s: %v", kind, err)
		}
		if _, err := w.Extend("test-over", time.Hour); !errors.Is(err, lock.ErrBusy) {
			t.Errorf("%s: %v", kind, err)
		}
		if !w.there("test-over") || w.downs != 0 {
			t.Errorf("%s: it is removed", kind)
		}
		held.Release()
		if err := w.Remove(t.Context(), "test-over", "eve"); err != nil {
			t.Errorf("%s: %v", kind, err)
		}
	}
}

func TestOfTwoAtOnceOneRemovesIt(t *testing.T) {
	w := newWorld(t)
	w.Say = func(string) {}
	var all sync.WaitGroup
	errs := make([]error, 8)
	for i := range errs {
		all.Go(func() { errs[i] = w.Remove(t.Context(), "test-over", "eve"+strconv.Itoa(i)) })
	}
	all.Wait()
	good := 0
	for _, err := range errs {
		_, unknown := errors.AsType[*Unknown](err)
		switch {
		case err == nil:
			good++
		case !errors.Is(err, lock.ErrBusy) && !unknown:
			t.Error(err)
		}
	}
	if good != 1 || w.downs != 1 || w.there("test-over") {
		t.Errorf("%d have removed it, and %d have taken it down", good, w.downs)
	}
}

func TestWhatIsInterruptedIsFinishedTheNextTime(t *testing.T) {
	for _, at := range []string{"containers", "down", "left", "used", "forget"} {
		w := newWorld(t)
		w.deploy(t, "test-z", "1")
		ctx, cancel := context.WithCancel(t.Context())
		w.meanwhile[at] = func() {
			cancel()
			if at != "used" && at != "forget" {
				w.fails[at] = context.Canceled // as a command that is ended
			}
		}
		err := w.Expire(ctx)
		for _, want := range []string{
			"test-over could not be removed: interrupted: what is left of it is removed the next time",
			"the others are looked at the next time",
		} {
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("in %s: %v", at, err)
			}
		}
		if !w.there("test-over") || !w.there("test-z") {
			t.Errorf("in %s: it has lost its folder", at)
		}
		clear(w.meanwhile)
		clear(w.fails)
		if err := w.Expire(t.Context()); err != nil || w.there("test-over") || w.there("test-z") || len(w.trash()) > 0 {
			t.Errorf("after %s: %v", at, err)
		}
	}
	// And one that was killed after that.
	w := newWorld(t)
	w.write(t, w.path(removed+"test-gone-1", "postgres", "data"), "x")
	if err := w.Expire(t.Context()); err != nil || len(w.trash()) > 0 {
		t.Errorf("%v, and there are %v", err, w.trash())
	}
}

func TestALifeIsExtendedFromItsEndOrFromNow(t *testing.T) {
	w := newWorld(t)
	for _, c := range []struct {
		name string
		want int64
	}{{"test-young", 1800007200 + 3600}, {"test-over", 1_800_000_000 + 3600}, {"test-endless", 1_800_000_000 + 3600}} {
		b, err := w.Extend(c.name, time.Hour)
		text, _ := os.ReadFile(w.path(c.name, removeAt))
		if err != nil || b.Until.Unix() != c.want || strings.TrimSpace(string(text)) != strconv.FormatInt(c.want, 10) {
			t.Errorf("%s: %+v, %v; the file says %q", c.name, b, err, text)
		}
	}
	for _, by := range []time.Duration{0, -time.Hour, longest + time.Hour} {
		if _, err := w.Extend("test-young", by); err == nil {
			t.Errorf("it lives longer by %v", by)
		}
	}
	for _, name := range []string{"", "..", "../home", "test-none", "no project", "test-link", "-rf"} {
		if _, err := w.Extend(name, time.Hour); err == nil {
			t.Errorf("%q lives longer", name)
		}
		err := w.Remove(t.Context(), name, "eve")
		if _, unknown := errors.AsType[*Unknown](err); err == nil || unknown != strings.HasPrefix(name, "test-") {
			t.Errorf("%q is removed: %v", name, err)
		}
	}
}

func TestWhatIsNoTimeIsNone(t *testing.T) {
	w := newWorld(t)
	for _, text := range []string{"", "0", "-5", "1e9", "soon", "99999999999999999999999", "1\n2"} {
		w.write(t, w.path("test-over", removeAt), text)
		if at, err := w.until("test-over"); err != nil || !at.IsZero() {
			t.Errorf("%q is %v, %v", text, at, err)
		}
	}
}
