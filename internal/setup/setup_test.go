package setup

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"maps"
	"os"
	"os/user"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/local"
)

var (
	update    = flag.Bool("update", false, "write the golden files")
	temporary = regexp.MustCompile(`docker-compose-v[0-9.]+-\d+`)
)

var four = []string{"docker", "compose", "ansible", "restic"}

func TestNothingMissingNothingSaidNothingChanged(t *testing.T) {
	w := newWorld(t).serving()
	if err := w.need(t.Context(), four); err != nil {
		t.Fatal(err)
	}
	if said := w.said.String(); said != "" {
		t.Errorf("said %q", said)
	}
	if changes := w.changes(); changes != "" {
		t.Errorf("changed:\n%s", changes)
	}
}

func TestWhatServedIsNotLookedAtAgain(t *testing.T) {
	w := newWorld(t).serving()
	if err := w.need(t.Context(), four); err != nil {
		t.Fatal(err)
	}
	w.remove("calls")
	if err := w.need(t.Context(), four); err != nil {
		t.Fatal(err)
	}
	if w.exists("calls") {
		t.Error("programs were asked again")
	}
}

func TestEverythingMissingIsSetUpInOneGoComposeBesideThePackages(t *testing.T) {
	w := newWorld(t)
	// Nothing is built before apt-get installs, which ends only after that.
	w.script("cache/docker-compose-"+compose.Version, waitFor("install")+"exit 1")
	w.program("apt-get", `[ "$1" = update ] && exit
`+waitFor("build")+aptGetScript)
	if err := w.need(t.Context(), four); err != nil {
		t.Fatal(err)
	}
	seconds := regexp.MustCompile(`\d+ s\n`)
	golden(t, "bare-debian12", seconds.ReplaceAllString(w.neutral(w.said.String()), "N s\n")+"\n"+w.changes())
	if err := w.need(t.Context(), four); err != nil {
		t.Errorf("again: %v", err)
	}
}

func TestWhatWasNotBuiltBesideThePackagesIsBuiltOnceTheyAreThere(t *testing.T) {
	w := newWorld(t)
	w.program("apt-get", `[ "$1" = update ] && exit
`+waitFor("mod download")+aptGetScript)
	w.program("go", `[ -x $WORLD/bin/restic ] || { echo 'exec: "git": not found' >&2; exit 1; }
`+goScript)
	if err := w.need(t.Context(), four); err != nil {
		t.Error(err)
	}
}

func TestPackagesThatCanNotBeInstalledEndTheBuildBesideThem(t *testing.T) {
	w := newWorld(t)
	w.program("apt-get", `[ "$1" = update ] && exit
`+waitFor("mod download")+"echo 'E: no space left on device' >&2; exit 100")
	w.program("go", "exec sleep 3600")
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if err := w.need(ctx, four); local.ExitCode(err) != 100 {
		t.Errorf("error %v, not that of apt-get", err)
	}
	if ctx.Err() != nil {
		t.Error("the build went on")
	}
}

func TestOnlyWhatIsMissingIsInstalled(t *testing.T) {
	w := newWorld(t).serving()
	w.remove("bin/restic")
	if err := w.need(t.Context(), four); err != nil {
		t.Fatal(err)
	}
	if changes := w.changes(); !strings.HasSuffix(changes, "DPkg::Lock::Timeout=300 restic\n") {
		t.Errorf("changes:\n%s", changes)
	}
}

func TestProgramsOfRootAreFoundByOrdinaryUsers(t *testing.T) {
	w := newWorld(t)
	sbin := t.TempDir()
	w.sbin = []string{sbin}
	if err := os.WriteFile(filepath.Join(sbin, "debootstrap"), []byte("#!/bin/sh\necho debootstrap 1.0.128\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := w.need(t.Context(), []string{"debootstrap"}); err != nil {
		t.Error(err)
	}
}

func TestEngineIsStartedTheBestWayThatWorks(t *testing.T) {
	const start = "touch $WORLD/engine"
	tests := []struct {
		name               string
		systemctl, service string // what they do; empty where the machine has none
		want               string
	}{
		{"systemd", start, start, "systemctl"},
		{"no systemd", "", start, "service"},
		{"neither", "", "", "dockerd"},
		{"the service fails", "", "echo 'ulimit: error setting limit' >&2; exit 1", "dockerd"},
		{"the service does nothing", "", "exit 0", "dockerd"},
		{"systemd fails", "exit 1", start, "service"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t).serving()
			w.remove("engine")
			w.patience = 300 * time.Millisecond
			if test.systemctl != "" {
				w.file("systemd", "")
				w.program("systemctl", test.systemctl)
			}
			if test.service != "" {
				w.program("service", test.service)
			}
			if err := w.need(t.Context(), []string{"docker"}); err != nil {
				t.Fatal(err)
			}
			want := fmt.Sprintf("docker: engine 20.10.24 answers (started by %s)\n", test.want)
			if said := w.said.String(); !strings.HasSuffix(said, want) {
				t.Errorf("said %q, want …%q", said, want)
			}
			if strings.Contains(w.changes(), "apt-get") {
				t.Error("packages were installed, though the engine only had to be started")
			}
		})
	}
}

func TestEngineStartedByItsPackageIsLeftToIt(t *testing.T) {
	w := newWorld(t)
	w.program("apt-get", strings.Replace(aptGetScript, "exit 0", "touch $WORLD/engine", 1))
	if err := w.need(t.Context(), []string{"docker"}); err != nil {
		t.Fatal(err)
	}
	if said := w.said.String(); !strings.Contains(said, "(started by its package)") {
		t.Errorf("said %q", said)
	}
}

func TestEngineThatDoesNotStartShowsItsLog(t *testing.T) {
	w := newWorld(t).serving()
	w.remove("engine")
	w.program("dockerd", "echo 'failed to start daemon: no room' >&2; exit 1")
	began := time.Now()
	err := w.need(t.Context(), []string{"docker"})
	if took := time.Since(began); took > w.patience/2 {
		t.Errorf("it waited %v for an engine that had ended", took)
	}
	for _, want := range []string{"failed to start daemon: no room", "Cannot connect", "hint: "} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not tell %q", err, want)
		}
	}
}

// A CI reads our output until its end; the engine must not hold that open, nor
// anything else that we got from our parents.
func TestEngineInheritsNothing(t *testing.T) {
	w := newWorld(t).serving()
	w.remove("engine")
	w.root = func(argv ...string) []string { return argv } // sudo closes files by itself
	leash := filepath.Join(w.dir, "leash")
	if err := syscall.Mkfifo(leash, 0o600); err != nil {
		t.Fatal(err)
	}
	w.program("dockerd", "touch $WORLD/engine; read line <$WORLD/leash; touch $WORLD/gone")
	var pipe [2]int
	if err := syscall.Pipe(pipe[:]); err != nil { // unlike os.Pipe's, its ends are inherited
		t.Fatal(err)
	}
	if err := w.need(t.Context(), []string{"docker"}); err != nil {
		t.Fatal(err)
	}
	syscall.Close(pipe[1])
	reader := os.NewFile(uintptr(pipe[0]), "pipe")
	defer reader.Close()
	ended := make(chan error, 1)
	go func() {
		_, err := io.ReadAll(reader)
		ended <- err
	}()
	select {
	case err := <-ended:
		if err != nil {
			t.Error(err)
		}
	case <-time.After(10 * time.Second):
		t.Error("the engine holds a file of ours open")
	}
	if w.exists("gone") {
		t.Error("the engine was gone before the end of the test")
	}
	if err := os.WriteFile(leash, []byte("go\n"), 0); err != nil {
		t.Error(err)
	}
	for deadline := time.Now().Add(10 * time.Second); !w.exists("gone"); time.Sleep(time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatal("the engine stays")
		}
	}
}

func TestWhatPackagesCanNotMendIsSaidAndNothingChanged(t *testing.T) {
	tests := []struct {
		name             string
		docker, endpoint string
		want             string
	}{
		{"an engine elsewhere", dockerScript, "ssh://somewhere", "start the engine at ssh://somewhere"},
		{
			"client and engine decades apart",
			strings.Replace(dockerScript, "Cannot connect", "Error: client version 1.52 is too new. Maximum supported API version is 1.41", 1),
			defaultEndpoint, "update the older one",
		},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t).serving()
			w.remove("engine")
			w.remove("bin/restic")
			w.program("docker", test.docker)
			w.file("endpoint", test.endpoint)
			err := w.need(t.Context(), four)
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v does not tell %q", err, test.want)
			}
			if changes := w.changes(); changes != "" {
				t.Errorf("changed:\n%s", changes)
			}
		})
	}
}

func TestWithoutRootTheErrorListsTheCommands(t *testing.T) {
	tests := []struct {
		name  string
		world func(*testing.T) *world
	}{
		{"refusal-bare", newWorld},
		{"refusal-built-before", func(t *testing.T) *world {
			w := newWorld(t).serving()
			w.remove("plugins/docker-compose")
			w.script("cache/docker-compose-"+compose.Version, composeScript)
			return w
		}},
		{"refusal-engine-down", func(t *testing.T) *world {
			w := newWorld(t).serving()
			w.remove("engine")
			return w
		}},
		{"refusal-systemd-down", func(t *testing.T) *world {
			w := newWorld(t).serving()
			w.remove("engine")
			w.file("systemd", "")
			return w
		}},
		{"refusal-socket-denied", func(t *testing.T) *world {
			w := newWorld(t).serving()
			w.remove("engine")
			w.program("docker", strings.Replace(dockerScript, "Cannot connect", "permission denied while trying to connect", 1))
			return w
		}},
	}
	me, err := user.Current()
	if err != nil {
		t.Fatal(err)
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := test.world(t)
			w.canRoot = func(context.Context) bool { return false }
			err := w.need(t.Context(), four)
			if err == nil {
				t.Fatal("no error")
			}
			if changes := w.changes(); changes != "" {
				t.Errorf("changed:\n%s", changes)
			}
			text := strings.ReplaceAll(w.neutral(err.Error()), "docker "+me.Username+" ", "docker USER ")
			golden(t, test.name, text+"\n")
		})
	}
}

func TestUnknownSystemIsToldWhereToRead(t *testing.T) {
	w := newWorld(t)
	w.remove("bin/apt-get")
	err := w.need(t.Context(), four)
	if err == nil {
		t.Fatal("no error")
	}
	golden(t, "no-manager", err.Error()+"\n")
}

func TestUnknownNeedsAreNamedTogether(t *testing.T) {
	err := newWorld(t).need(t.Context(), []string{"dockr", "restic", "podman"})
	if err == nil || !strings.HasPrefix(err.Error(), `no need is called "dockr", "podman"`) {
		t.Errorf("error: %v", err)
	}
}

func TestWhatDoesNotServeAfterwardsIsAnError(t *testing.T) {
	tests := []struct{ name, need, pkg, program, body, want string }{
		{"the package lacks it", "restic", "restic", "other", "", "restic was set up, but does not serve: restic is not installed"},
		{"it breaks", "restic", "restic", "restic", "echo no libc >&2; exit 1", "no libc"},
		{"it is too old", "ansible", "ansible-core", "ansible-playbook", "echo ansible-playbook 2.9.6", "Ansible core 2.9.6 is too old: 2.13 is the oldest that serves"},
		{"it is silent", "ansible", "ansible-core", "ansible-playbook", "", "tells no version"},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t)
			if err := os.RemoveAll(filepath.Join(w.dir, "packages", test.pkg)); err != nil {
				t.Fatal(err)
			}
			w.pack(test.pkg, test.program, test.body)
			err := w.need(t.Context(), []string{test.need})
			if err == nil || !strings.Contains(err.Error(), test.want) {
				t.Errorf("error %v does not tell %q", err, test.want)
			}
		})
	}
}

func TestFailedInstallationShowsTheEndOfWhatItSaid(t *testing.T) {
	w := newWorld(t)
	w.program("apt-get", `[ "$1" = update ] && exit
i=1; while [ $i -le 60 ]; do echo "line $i."; i=$((i+1)); done; echo "E: no room" >&2; exit 100`)
	err := w.need(t.Context(), []string{"restic"})
	if err == nil {
		t.Fatal("no error")
	}
	text := err.Error()
	for _, want := range []string{"apt-get install", "exit status 100", "line 22.", "E: no room"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	if strings.Contains(text, "line 21.") {
		t.Errorf("more than 40 lines:\n%s", text)
	}
}

func TestOneBrokenRepositoryIsAWarning(t *testing.T) {
	w := newWorld(t)
	w.program("apt-get", strings.Replace(aptGetScript, "exit\n", "{ echo E: no Release file; exit 100; }\n", 1))
	if err := w.need(t.Context(), []string{"restic"}); err != nil {
		t.Fatal(err)
	}
	if said := w.said.String(); !strings.Contains(said, "warning: ") || !strings.Contains(said, "E: no Release file") {
		t.Errorf("said %q", said)
	}
}

func TestWaitsWhileAnotherUpdates(t *testing.T) {
	w := newWorld(t)
	w.program("apt-get", strings.Replace(aptGetScript, "exit\n", `{
	[ -e $WORLD/tried ] && exit
	touch $WORLD/tried
	echo "E: Could not get lock /var/lib/apt/lists/lock. It is held by process 7 (apt-get)"; exit 100
}
`, 1))
	if err := w.need(t.Context(), []string{"restic"}); err != nil {
		t.Fatal(err)
	}
	if updates := strings.Count(w.changes(), "apt-get update"); updates != 2 || strings.Contains(w.said.String(), "warning") {
		t.Errorf("%d updates; said %q", updates, w.said.String())
	}
}

func TestLongWorkShowsThatItIsAlive(t *testing.T) {
	w := newWorld(t)
	w.pulse = time.Millisecond
	if err := syscall.Mkfifo(filepath.Join(w.dir, "leash"), 0o600); err != nil {
		t.Fatal(err)
	}
	var once sync.Once
	var mu sync.Mutex
	w.say = func(format string, args ...any) {
		mu.Lock()
		defer mu.Unlock()
		if line := fmt.Sprintf(format, args...); line == "apt: 0 s" {
			once.Do(func() { go os.WriteFile(filepath.Join(w.dir, "leash"), []byte("go\n"), 0) })
		}
	}
	w.program("apt-get", strings.Replace(aptGetScript, "exit\n", "exit\nread line <$WORLD/leash\n", 1))
	if err := w.need(t.Context(), []string{"restic"}); err != nil {
		t.Fatal(err)
	}
}

func TestInterruptedSetupStops(t *testing.T) {
	w := newWorld(t).serving()
	w.remove("engine")
	w.program("service", "exit 0")
	w.pulse = time.Millisecond
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	w.say = func(format string, _ ...any) {
		if !strings.HasPrefix(format, "this machine lacks") { // it waits for the engine
			cancel()
		}
	}
	began := time.Now()
	if err := w.need(ctx, []string{"docker"}); err == nil {
		t.Error("no error")
	}
	if took := time.Since(began); took > w.patience/2 {
		t.Errorf("took %v", took)
	}
}

func TestComposeIsBuiltOnce(t *testing.T) {
	w := newWorld(t).serving()
	for range 2 {
		w.remove("plugins/docker-compose")
		delete(w.served, "compose")
		if err := w.need(t.Context(), []string{"compose"}); err != nil {
			t.Fatal(err)
		}
	}
	if builds := strings.Count(w.changes(), " build "); builds != 1 {
		t.Errorf("%d builds", builds)
	}
	for dir, want := range map[string]string{"plugins": "docker-compose", "cache": "docker-compose-" + compose.Version} {
		files, err := os.ReadDir(filepath.Join(w.dir, dir))
		files = slices.DeleteFunc(files, func(f os.DirEntry) bool { return f.Name() == want+".lock" })
		if err != nil || len(files) != 1 || files[0].Name() != want {
			t.Errorf("%s has %v, want only %s", dir, files, want)
		}
	}
}

func TestBrokenBuildInTheCacheIsBuiltAgain(t *testing.T) {
	w := newWorld(t).serving()
	w.remove("plugins/docker-compose")
	w.script("cache/docker-compose-"+compose.Version, "exit 1")
	if err := w.need(t.Context(), []string{"compose"}); err != nil {
		t.Error(err)
	}
}

func TestTwoBuildsAtOnceBothSucceed(t *testing.T) {
	w := newWorld(t).serving()
	w.say = func(string, ...any) {}
	var both sync.WaitGroup
	for range 2 {
		both.Go(func() {
			if _, err := w.buildCompose(t.Context()); err != nil {
				t.Error(err)
			}
		})
	}
	both.Wait()
}

func TestComposeThatCanNotBeBuilt(t *testing.T) {
	const tooOld = "go: go.mod requires go >= 1.26.8 (running go 1.26.0; GOTOOLCHAIN=local)"
	tests := []struct {
		name   string
		damage func(*world)
		want   []string
	}{
		{"no go", func(w *world) { w.remove("bin/go") }, []string{"no go command on the PATH", "hint: add Go's bin folder"}},
		{"no network", func(w *world) {
			w.file("module.json", `{"Error": "dial tcp: lookup proxy: no such host"}`)
			w.program("go", "cat $WORLD/module.json; exit 1")
		}, []string{"no such host", "GOPROXY"}},
		{"another source", func(w *world) {
			w.file("module.json", `{"Dir": "/evil", "Sum": "h1:evil"}`)
		}, []string{"its sum is h1:evil, not " + compose.Sum}},
		{"go too old to download", func(w *world) {
			w.file("module.json", `{"Error": "`+tooOld+`"}`)
		}, []string{"running go 1.26.0", "hint: let go fetch"}},
		{"go too old to build", func(w *world) {
			w.program("go", strings.Replace(goScript, "\n\twhile", "\n\techo '"+tooOld+"'; exit 1\n\twhile", 1))
		}, []string{"running go 1.26.0", "hint: let go fetch"}},
		{"no JSON", func(w *world) { w.file("module.json", "<html>") }, []string{"go mod download: invalid character"}},
		{"build fails", func(w *world) {
			w.program("go", strings.Replace(goScript, "\n\twhile", "\n\techo no room; exit 1\n\twhile", 1))
		}, []string{"no room"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			w := newWorld(t).serving()
			w.remove("plugins/docker-compose")
			test.damage(w)
			err := w.need(t.Context(), []string{"compose"})
			for _, want := range test.want {
				if err == nil || !strings.Contains(err.Error(), want) {
					t.Errorf("error %v does not tell %q", err, want)
				}
			}
			if w.exists("plugins/docker-compose") {
				t.Error("something was installed")
			}
		})
	}
}

func TestProblemsOfComposeAndOfTheEngineAreToldTogether(t *testing.T) {
	w := newWorld(t).serving()
	w.remove("engine")
	w.remove("plugins/docker-compose")
	w.remove("bin/go")
	w.program("dockerd", "exit 1")
	err := w.need(t.Context(), four)
	for _, want := range []string{"no go command", "engine can't be started"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error %v does not tell %q", err, want)
		}
	}
}

func TestPackagesFitTheSystem(t *testing.T) {
	tests := []struct {
		policy  string
		want    string
		compose bool // built
	}{
		{"debian12", "ca-certificates docker.io iptables", true},
		{"debian13", "ca-certificates docker-cli docker-compose docker.io iptables", false},
		{"ubuntu2404", "ca-certificates docker-compose-v2 docker.io iptables", false},
		{"dockers-own", "ca-certificates docker-ce docker-ce-cli docker-compose-plugin iptables", false},
		{"debians-engine-dockers-repository", "ca-certificates docker-ce-cli docker-compose-plugin docker.io iptables", false},
	}
	for _, test := range tests {
		t.Run(test.policy, func(t *testing.T) {
			w := newWorld(t)
			w.file("policy", w.testdata(test.policy+".policy"))
			needs, err := lookup([]string{"docker", "compose"})
			if err != nil {
				t.Fatal(err)
			}
			p := plan{manager: w.manager()}
			if err := p.pick(t.Context(), needs); err != nil {
				t.Fatal(err)
			}
			if got := strings.Join(p.packages, " "); got != test.want || p.compose != test.compose {
				t.Errorf("packages %s, compose built: %v\nwant     %s, %v", got, p.compose, test.want, test.compose)
			}
		})
	}
}

func TestDnfIsAskedWhatItHas(t *testing.T) {
	w := newWorld(t)
	w.remove("bin/apt-get")
	w.program("dnf", `case "$*" in
*repoquery*) printf 'moby-engine 28.3.3\n\ndocker-cli 28.3.3\n\niptables-nft 1.8.11\n\ndocker-compose 2.38.2\n' ;;
esac`)
	needs, err := lookup([]string{"docker", "compose"})
	if err != nil {
		t.Fatal(err)
	}
	p := plan{manager: w.manager()}
	if err := p.pick(t.Context(), needs); err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(p.packages, " "), "docker-cli docker-compose iptables-nft moby-engine"; got != want {
		t.Errorf("packages %s, want %s", got, want)
	}
}

func TestBrewNeedsNoRoot(t *testing.T) {
	w := newWorld(t)
	w.canRoot = func(context.Context) bool { return false }
	w.remove("bin/apt-get")
	w.program("brew", strings.ReplaceAll(aptGetScript, "update", "never"))
	if err := w.need(t.Context(), []string{"restic"}); err != nil {
		t.Fatal(err)
	}
	if got, want := w.changes(), "brew install restic\n"; got != want {
		t.Errorf("changes %q, want %q", got, want)
	}
}

func TestListsOfNeedsAreKnownAndComplete(t *testing.T) {
	for _, list := range [][]string{Deploy, StandIns, Lint, Test, All()} {
		if _, err := lookup(list); err != nil {
			t.Error(err)
		}
	}
	if runtime.GOOS == "linux" {
		for _, name := range Test {
			if !slices.Contains(All(), name) {
				t.Errorf("mage setup leaves out %s", name)
			}
		}
	}
	for _, n := range table {
		if n.what == "" || n.docs == "" || n.apt == "" || n.dnf == "" || n.brew == "" && n.os == "" {
			t.Errorf("%s is not described in full", n.name)
		}
	}
}

func TestEverythingEndsWithHowItStands(t *testing.T) {
	before := maps.Clone(served)
	t.Cleanup(func() { served = before })
	for _, name := range All() { // so that the machine that runs this test is left alone
		n, err := lookup([]string{name})
		if err != nil {
			t.Fatal(err)
		}
		served[name] = finding{need: n[0], version: "1.2.3"}
	}
	var said strings.Builder
	if err := Everything(t.Context(), func(format string, args ...any) { fmt.Fprintf(&said, format+"\n", args...) }); err != nil {
		t.Fatal(err)
	}
	golden(t, "everything", said.String())
}

func TestVersionsAreComparedByNumber(t *testing.T) {
	tests := []struct {
		version, least string
		want           bool
	}{
		{"2.14.18", "2.13", true},
		{"2.13", "2.13", true},
		{"2.9.6", "2.13", false},
		{"1.29.2", "2", false},
		{"10.0", "2", true},
		{"2", "2.13", false},
		{"0.14.0", "", true},
		{"", "2", false},
	}
	for _, test := range tests {
		if got := atLeast(test.version, test.least); got != test.want {
			t.Errorf("atLeast(%q, %q) = %v", test.version, test.least, got)
		}
	}
}

func FuzzPolicy(f *testing.F) {
	files, err := filepath.Glob("testdata/*.policy")
	if err != nil || len(files) == 0 {
		f.Fatal(err, files)
	}
	for _, file := range files {
		content, err := os.ReadFile(file)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(content))
	}
	f.Fuzz(func(t *testing.T, text string) {
		for name, c := range parsePolicy(text) {
			if !strings.Contains(text, name) || !strings.Contains(text, c.version) {
				t.Errorf("%q %q come from nowhere", name, c.version)
			}
		}
	})
}

// golden compares got with the golden file of that name.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if errors.Is(err, os.ErrNotExist) {
		t.Fatalf("%s is missing: run the test with -update", path)
	}
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s differs; got:\n%s\nwant:\n%s", path, got, want)
	}
}
