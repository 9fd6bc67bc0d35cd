package demo

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"
	"unicode/utf8"
)

var (
	errOffline = errors.New(`dial tcp: lookup registry.example: no such host`)
	errDenied  = errors.New("pull access denied for betagouv/mrs\ndenied")
)

// fakeMachine has images and a registry, and remembers what was done.
type fakeMachine struct {
	images map[string]presence
	pulls  map[string]error // an image that is not here is pulled
	hashes map[string]error
	builds map[string]error

	one  sync.Mutex // of several builds
	done []string
}

func (f *fakeMachine) did(what string) {
	f.one.Lock()
	defer f.one.Unlock()
	f.done = append(f.done, what)
}

func (f *fakeMachine) inspect(_ context.Context, image string) (presence, error) {
	return f.images[image], nil
}

func (f *fakeMachine) pull(_ context.Context, image string) error {
	f.did("pull " + image)
	return f.pulls[image]
}

func (f *fakeMachine) inputs(s standIn) (string, error) { return "new", f.hashes[s.image] }

func (f *fakeMachine) build(_ context.Context, s standIn, inputs string) error {
	f.did("build " + s.image + " " + inputs)
	return f.builds[s.image]
}

// run ensures the images on the machine and returns what was said.
func (f *fakeMachine) run(images ...string) (string, error) {
	var said strings.Builder
	err := ensureAll(context.Background(), f, images, func(format string, args ...any) {
		f.one.Lock()
		defer f.one.Unlock()
		fmt.Fprintf(&said, format+"\n", args...)
	})
	return strings.TrimSpace(said.String()), err
}

func TestEnsure(t *testing.T) {
	const mrs, pg, old, base, other = "betagouv/mrs:master", "postgres:15", "debian:bullseye-slim", "debian:bookworm-slim", "mailhog/mailhog:v1"
	nothing := map[string]error{mrs: errOffline, pg: errOffline, old: errOffline, base: errOffline, other: errOffline}
	tests := map[string]struct {
		machine *fakeMachine
		images  []string
		done    []string
		said    string
		fails   []string // what the error says
	}{
		"an image that the registry hands out is pulled": {
			images: []string{mrs},
			done:   []string{"pull " + mrs},
			said:   mrs + ": pulled",
		},
		"a pulled image replaces a stand-in": {
			machine: &fakeMachine{images: map[string]presence{mrs: {true, "new"}}},
			images:  []string{mrs},
			done:    []string{"pull " + mrs},
			said:    mrs + ": pulled",
		},
		"an image named twice is pulled once": {
			images: []string{pg, pg},
			done:   []string{"pull " + pg},
			said:   pg + ": pulled",
		},
		"a stand-in that is up to date stays": {
			machine: &fakeMachine{pulls: nothing, images: map[string]presence{pg: {true, "new"}}},
			images:  []string{pg},
			done:    []string{"pull " + pg},
			said:    pg + ": already here, stand-in (the registry can't be reached)",
		},
		"a real image stays when the registry is gone": {
			machine: &fakeMachine{pulls: nothing, images: map[string]presence{pg: {true, ""}, other: {true, ""}}},
			images:  []string{pg, other},
			done:    []string{"pull " + pg},
			said: pg + ": already here (the registry can't be reached)\n" +
				other + ": already here (the registry can't be reached)",
		},
		"a stale stand-in is built again, on the base that is here": {
			machine: &fakeMachine{pulls: nothing, images: map[string]presence{pg: {true, "old"}, base: {true, "new"}}},
			images:  []string{pg},
			done:    []string{"pull " + pg, "build " + pg + " new"},
			said: base + ": already here, stand-in (the registry can't be reached)\n" +
				pg + ": building a stand-in from demo/postgres, about 20 s\n" +
				pg + ": built from demo/postgres (the registry can't be reached)",
		},
		"on an empty machine a base is built once, before what needs it": {
			machine: &fakeMachine{pulls: nothing},
			images:  []string{mrs, pg, base},
			done:    []string{"pull " + mrs, "build " + old + " new", "build " + mrs + " new", "build " + base + " new", "build " + pg + " new"},
			said: old + ": building a stand-in from Debian's packages, about a minute\n" +
				old + ": built from Debian's packages (the registry can't be reached)\n" +
				mrs + ": building a stand-in from demo/app, about 20 s\n" +
				mrs + ": built from demo/app (the registry can't be reached)\n" +
				base + ": building a stand-in from Debian's packages, about a minute\n" +
				base + ": built from Debian's packages (the registry can't be reached)\n" +
				pg + ": building a stand-in from demo/postgres, about 20 s\n" +
				pg + ": built from demo/postgres (the registry can't be reached)",
		},
		"a registry that refuses is not one that is gone: the next image is asked for": {
			machine: &fakeMachine{pulls: map[string]error{mrs: errDenied}, images: map[string]presence{old: {true, ""}}},
			images:  []string{mrs, pg},
			done:    []string{"pull " + mrs, "pull " + old, "build " + mrs + " new", "pull " + pg},
			said: old + ": pulled\n" +
				mrs + ": building a stand-in from demo/app, about 20 s\n" +
				mrs + ": built from demo/app (not pulled: denied)\n" +
				pg + ": pulled",
		},
		"registries are told apart": {
			machine: &fakeMachine{pulls: map[string]error{other: errOffline}},
			images:  []string{other, "10.0.0.2:5000/x", "localhost/y", "z/w"},
			done:    []string{"pull " + other, "pull 10.0.0.2:5000/x", "pull localhost/y"},
			said:    "10.0.0.2:5000/x: pulled\nlocalhost/y: pulled",
			fails:   []string{other + ": not on this machine, and the pull failed", "z/w: not on this machine", "no such host", "\nhint: "},
		},
		"everything that can't be had is reported, and the rest is there": {
			machine: &fakeMachine{pulls: map[string]error{other: errDenied, "a/b:1": errDenied}},
			images:  []string{other, "--privileged", "a/b:1", pg},
			done:    []string{"pull " + other, "pull a/b:1", "pull " + pg},
			said:    pg + ": pulled",
			fails:   []string{other + ": not on this machine", `"--privileged" is not the name of an image`, "a/b:1: not on this machine"},
		},
		"a base that can't be built is explained once, for all that need it": {
			machine: &fakeMachine{pulls: nothing, builds: map[string]error{base: errors.New("disk full")}},
			images:  []string{pg, base},
			done:    []string{"pull " + pg, "build " + base + " new"},
			said:    base + ": building a stand-in from Debian's packages, about a minute",
			fails: []string{
				base + ": the build from Debian's packages failed: disk full",
				pg + ": can't be built without its base " + base,
			},
		},
		"a stand-in whose sources can't be read is an error": {
			machine: &fakeMachine{pulls: nothing, hashes: map[string]error{pg: errors.New("no such folder")}},
			images:  []string{pg},
			done:    []string{"pull " + pg},
			fails:   []string{"postgres:15: no such folder"},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			machine := cmp.Or(test.machine, &fakeMachine{})
			said, err := machine.run(test.images...)
			// What is built is built beside the rest, after its base: what is said of each image is in order.
			if !inOrder(strings.Split(said, "\n"), strings.Split(test.said, "\n"), ": ") {
				t.Errorf("said\n%s\nwant\n%s", said, test.said)
			}
			did := machine.done
			if !inOrder(did, test.done, " ") {
				t.Errorf("did   %q\nwant  %q", did, test.done)
			}
			for n, step := range did {
				image := strings.Fields(step)[1]
				if strings.HasPrefix(step, "build ") && slices.Contains(did[n:], "build "+standIns[image].base+" new") {
					t.Errorf("%s is built before its base: %q", image, did)
				}
			}
			if (err != nil) != (len(test.fails) > 0) {
				t.Errorf("error %v, want %q", err, test.fails)
			}
			for _, want := range test.fails {
				if !strings.Contains(fmt.Sprint(err), want) {
					t.Errorf("error does not say %q:\n%v", want, err)
				}
			}
		})
	}
}

// inOrder reports whether both have the same lines, and those that begin alike, up to a mark, in the same order; builds
// in any.
func inOrder(a, b []string, mark string) bool {
	sorted := func(lines []string) []string {
		return slices.SortedStableFunc(slices.Values(lines), func(x, y string) int {
			one, rest, _ := strings.Cut(x, mark)
			other, others, _ := strings.Cut(y, mark)
			if one == "build" && other == "build" {
				return cmp.Compare(rest, others)
			}
			return cmp.Compare(one, other)
		})
	}
	return slices.Equal(sorted(a), sorted(b))
}

// What a machine without images waits for is the longest chain, not their sum.
func TestWhatDoesNotNeedEachOtherIsBuiltAtOnce(t *testing.T) {
	machine := &meeting{fakeMachine: fakeMachine{pulls: map[string]error{"betagouv/mrs:master": errOffline}}}
	machine.other.Add(2)
	if err := ensureAll(t.Context(), machine, []string{"betagouv/mrs:master", "postgres:15"}, t.Logf); err != nil {
		t.Error(err)
	}
}

// meeting is a machine on which each build of a base waits for another one.
type meeting struct {
	fakeMachine
	other sync.WaitGroup
}

func (m *meeting) build(ctx context.Context, s standIn, inputs string) error {
	if s.suite != "" {
		m.other.Done()
		m.other.Wait()
	}
	return m.fakeMachine.build(ctx, s, inputs)
}

func TestEnsureStopsWhenItIsCancelled(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	machine := &fakeMachine{}
	err := ensureAll(ctx, machine, []string{"a", "b"}, t.Logf)
	if !errors.Is(err, context.Canceled) || len(machine.done) > 1 {
		t.Errorf("error %v after %q", err, machine.done)
	}
}

func TestUnreachableIsToldFromRefused(t *testing.T) {
	tests := map[string]bool{
		`Get "https://r.example/v2/": dial tcp 192.0.2.1:443: connect: connection refused`:                            true,
		`Get "https://r.example/v2/": net/http: request canceled (Client.Timeout exceeded while awaiting headers)`:    true,
		`Get "https://r.example/v2/": dial tcp: lookup r.example on 192.0.2.53:53: server misbehaving`:                true,
		`failed to do request: Head "https://r.example/v2/x/manifests/1": dial tcp 192.0.2.1:443: i/o timeout`:        true,
		`Head "https://r.example/v2/x/manifests/1": denied: denied`:                                                   false,
		`manifest for postgres:99 not found: manifest unknown: manifest unknown`:                                      false,
		`pull access denied for x, repository does not exist or may require 'docker login': denied: access is denied`: false,
		`toomanyrequests: You have reached your pull rate limit.`:                                                     false,
		`Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?`:           false,
	}
	for text, want := range tests {
		if got := isUnreachable(errors.New(text)); got != want {
			t.Errorf("isUnreachable(%q) = %t", text, got)
		}
	}
	if !isUnreachable(fmt.Errorf("pull: %w", errSilent)) {
		t.Error("a silent registry counts as reachable")
	}
	if isUnreachable(nil) {
		t.Error("no error counts as unreachable")
	}
}

func TestRegistry(t *testing.T) {
	for image, want := range map[string]string{
		"postgres:15":                   "",
		"betagouv/mrs:master":           "",
		"localhost/mrs":                 "localhost",
		"localhost:5000/mrs:1":          "localhost:5000",
		"registry.example/team/app@sha": "registry.example",
	} {
		if got := registry(image); got != want {
			t.Errorf("registry(%q) = %q, want %q", image, got, want)
		}
	}
}

func TestReferenceAcceptsImagesAndNothingElse(t *testing.T) {
	good := []string{
		"postgres", "postgres:15", "betagouv/mrs:master", "localhost:5000/a/b_c:1.2-x", "r.example/a@sha256:" + strings.Repeat("0f", 32),
		"10.0.0.2:5000/mrs:BRANCH-1",
	}
	bad := []string{"", "-v", "--privileged", "a b", "a;b", "a\nb", "$(x)", "a:", "a:b:c:d", "../x", "a@sha256:12", "é"}
	for _, image := range good {
		if !reference.MatchString(image) {
			t.Errorf("%q is refused", image)
		}
	}
	for _, image := range bad {
		if reference.MatchString(image) {
			t.Errorf("%q is accepted", image)
		}
	}
}

// FuzzReference checks that what is accepted is one harmless word.
func FuzzReference(f *testing.F) {
	for _, seed := range []string{"postgres:15", "-v", "a b", "localhost:5000/x:1", "a@sha256:", "\n"} {
		f.Add(seed)
	}
	harmless := regexp.MustCompile(`\A[A-Za-z0-9][A-Za-z0-9._:/@-]*\z`)
	f.Fuzz(func(t *testing.T, image string) {
		if reference.MatchString(image) && (!harmless.MatchString(image) || !utf8.ValidString(image)) {
			t.Errorf("%q is accepted", image)
		}
		if host := registry(image); host != "" && !strings.HasPrefix(image, host+"/") {
			t.Errorf("registry(%q) = %q", image, host)
		}
		if tagged := withTag(image); !strings.HasPrefix(tagged, image) {
			t.Errorf("withTag(%q) = %q", image, tagged)
		}
	})
}

func TestWithTag(t *testing.T) {
	for image, want := range map[string]string{
		"postgres":           "postgres:latest",
		"postgres:15":        "postgres:15",
		"localhost:5000/x":   "localhost:5000/x:latest",
		"localhost:5000/x:1": "localhost:5000/x:1",
		"x@sha256:00":        "x@sha256:00",
	} {
		if got := withTag(image); got != want {
			t.Errorf("withTag(%q) = %q, want %q", image, got, want)
		}
	}
}

func TestTheHashChangesWithWhatIsBuilt(t *testing.T) {
	base := fstest.MapFS{
		"Dockerfile": {Data: []byte("FROM x"), Mode: 0o644},
		"app/start":  {Data: []byte("exec y"), Mode: 0o755},
	}
	same, err := hashFiles(base)
	if err != nil {
		t.Fatal(err)
	}
	changes := map[string]struct {
		change  func(fstest.MapFS)
		differs bool
	}{
		"nothing":             {func(fstest.MapFS) {}, false},
		"the umask":           {func(m fstest.MapFS) { m["Dockerfile"].Mode = 0o600 }, false},
		"compiled Python":     {func(m fstest.MapFS) { m["app/__pycache__/x.pyc"] = &fstest.MapFile{} }, false},
		"a content":           {func(m fstest.MapFS) { m["Dockerfile"].Data = []byte("FROM z") }, true},
		"an executable bit":   {func(m fstest.MapFS) { m["app/start"].Mode = 0o644 }, true},
		"a file more":         {func(m fstest.MapFS) { m["app/new"] = &fstest.MapFile{} }, true},
		"a file less":         {func(m fstest.MapFS) { delete(m, "app/start") }, true},
		"a name":              {func(m fstest.MapFS) { m["app/begin"] = m["app/start"]; delete(m, "app/start") }, true},
		"content moved apart": {func(m fstest.MapFS) { m["Dockerfile"].Data = nil; m["app/start"].Data = []byte("FROM xexec y") }, true},
	}
	for name, test := range changes {
		t.Run(name, func(t *testing.T) {
			files := fstest.MapFS{}
			for name, file := range base {
				copied := *file
				files[name] = &copied
			}
			test.change(files)
			got, err := hashFiles(files)
			if err != nil {
				t.Fatal(err)
			}
			if (got != same) != test.differs {
				t.Errorf("differs: %t, want %t", got != same, test.differs)
			}
		})
	}
}

// What the Dockerfiles start from must be what is built before them.
func TestStandInsStartFromTheirBase(t *testing.T) {
	for _, image := range slices.Sorted(maps.Keys(standIns)) {
		s := standIns[image]
		if s.image != image {
			t.Errorf("%s is filed under %s", s.image, image)
		}
		if s.suite != "" {
			continue
		}
		dockerfile, err := os.ReadFile("../../" + s.dir + "/Dockerfile")
		if err != nil {
			t.Fatal(err)
		}
		base := cmp.Or(s.base, "scratch")
		told := slices.Contains(s.args, "BASE="+base) && strings.Contains(string(dockerfile), "\nFROM $BASE\n")
		if !told && !strings.Contains(string(dockerfile), "\nFROM "+base+"\n") {
			t.Errorf("%s: %s/Dockerfile is not FROM %s", image, s.dir, base)
		}
		if s.base != "" && standIns[s.base].suite == "" {
			t.Errorf("%s: nothing stands in for its base %s", image, s.base)
		}
	}
}

// program puts a script in the place of a program.
func program(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte("#!/bin/sh\n"+text), 0o755); err != nil {
		t.Fatal(err)
	}
}

func TestAPackageOfNpmIsInTheContextAndGoesWithIt(t *testing.T) {
	bin, root := t.TempDir(), t.TempDir()
	if err := os.WriteFile(filepath.Join(root, "Dockerfile"), []byte("FROM $BASE\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	t.Setenv("SAID", filepath.Join(bin, "said"))
	program(t, bin, "docker", `[ "$1" = build ] || exit 0
for context; do :; done
echo "$@" >"$SAID"; cat "$context"/* >>"$SAID"; exit "$BUILD"`)
	// npm pack --ignore-scripts --pack-destination FOLDER PACKAGE
	program(t, bin, "npm", `echo "$5" >"$4/package.tgz"; exit "$PACK"`)

	s := standIn{image: "x:1", dir: ".", npm: "@of/x@1", args: []string{"BASE=y"}}
	folder := regexp.MustCompile(`\S*/mrs-ops-image-\S+`)
	for name, test := range map[string]struct{ pack, build, error string }{
		"all goes well":   {"0", "0", ""},
		"no package":      {"1", "0", "npm pack"},
		"the build fails": {"0", "1", "docker build"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Setenv("PACK", test.pack)
			t.Setenv("BUILD", test.build)
			err := (&dockerEngine{root, t.Logf}).build(t.Context(), s, "hash")
			if (err != nil) != (test.error != "") || !strings.Contains(fmt.Sprint(err), test.error) {
				t.Errorf("error %v, want %q", err, test.error)
			}
			told := fmt.Sprint(err)
			if test.pack == "0" {
				said, err := os.ReadFile(filepath.Join(bin, "said"))
				if err != nil {
					t.Fatal(err)
				}
				told = string(said)
				for _, want := range []string{"--tag x:1", "=hash", "--build-arg BASE=y", "\nFROM $BASE\n@of/x@1\n"} {
					if !strings.Contains(told, want) {
						t.Errorf("the engine was not told %q:\n%s", want, told)
					}
				}
			}
			if _, err := os.Stat(folder.FindString(told)); !errors.Is(err, os.ErrNotExist) {
				t.Errorf("the context is still there: %v\n%s", err, told)
			}
		})
	}
}

func TestWhatTheDockerfileIsToldIsAmongTheInputs(t *testing.T) {
	d := &dockerEngine{"../..", t.Logf}
	seen := map[string]string{}
	for image, s := range standIns {
		inputs, err := d.inputs(s)
		if err != nil {
			t.Fatal(err)
		}
		if other, ok := seen[inputs]; ok {
			t.Errorf("%s and %s have the same inputs", image, other)
		}
		seen[inputs] = image
	}
	changed := standIns["postgres:10"]
	changed.npm += "1"
	if inputs, err := d.inputs(changed); err != nil || seen[inputs] != "" {
		t.Errorf("inputs %q with another package: %v", inputs, err)
	}
}
