package lab

import (
	"context"
	"errors"
	"flag"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	mrs "github.com/betagouv/mrs-ops/internal/instance"
)

var update = flag.Bool("update", false, "write the golden files anew")

// project returns a copy of the project's own env files in a new folder.
func project(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	files, err := filepath.Glob(filepath.Join("..", "..", "env", "*.env"))
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		if strings.HasSuffix(file, ".secrets.env") {
			continue
		}
		content, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		put(t, filepath.Join(root, "env", filepath.Base(file)), string(content))
	}
	return root
}

func put(t *testing.T, path, content string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
}

func planned(t *testing.T, root string) []instance {
	t.Helper()
	instances, err := plan(root)
	if err != nil {
		t.Fatal(err)
	}
	return instances
}

func TestEveryInstanceOnAServerHasItsMachine(t *testing.T) {
	root := project(t)
	put(t, filepath.Join(root, "env", "new.env"), "server=new.example.org\nhome=/home/mrs-new\ncompose=docker-compose.yml\n")
	got := map[string]string{}
	for _, i := range planned(t, root) {
		got[i.name] = i.machine
	}
	for name, machine := range map[string]string{"production": production, "staging": staging, "ecole": staging, "branch": staging, "new": staging, "local": ""} {
		if got[name] != machine {
			t.Errorf("%s is on %q, not on %q", name, got[name], machine)
		}
	}
}

func TestNoInstanceAimsAtAServerInTheLab(t *testing.T) {
	root := project(t)
	// What a real server has must not be what a rehearsal has.
	put(t, filepath.Join(root, "env", "production.secrets.env"), "SECRET_KEY=real\n")
	instances := planned(t, root)
	if err := write(root, instances, "172.17.0.1:5000"); err != nil {
		t.Fatal(err)
	}
	seen := map[string]bool{}
	for _, i := range instances {
		inst, err := mrs.Load(root, i.name, []string{"MRS_ENV=lab"})
		if err != nil {
			t.Errorf("%s: %v", i.name, err)
			continue
		}
		if server := inst.Get("server"); server != "vagrant@"+i.machine || inst.Get("ssh_config") != ".vagrant-ssh" {
			t.Errorf("%s is on %s by %q", i.name, server, inst.Get("ssh_config"))
		}
		site := i.host()
		if i.persistent {
			site = "www." + site
		}
		if inst.URL() != "http://"+site || inst.Get("ALLOWED_HOSTS") != i.host()+",www."+i.host() {
			t.Errorf("%s answers at %s to %s", i.name, inst.URL(), inst.Get("ALLOWED_HOSTS"))
		}
		for _, service := range []string{"django", "postgres"} {
			if image := inst.Get("compose_" + service + "_image"); !strings.HasPrefix(image, "172.17.0.1:5000/") {
				t.Errorf("%s: %s is %s", i.name, service, image)
			}
		}
		for _, secret := range []string{"SECRET_KEY", "DB_PASSWORD"} {
			value := inst.Get(secret)
			if len(value) < 26 || seen[value] {
				t.Errorf("%s: %s is short, or not its own", i.name, secret)
			}
			seen[value] = true
		}
		if inst.Persistent() != (len(inst.Get("RESTIC_PASSWORD")) >= 26) {
			t.Errorf("%s: a key for its backups: %v", i.name, inst.Get("RESTIC_PASSWORD") != "")
		}
	}
}

func TestEnvFiles(t *testing.T) {
	for _, i := range planned(t, project(t)) {
		golden := filepath.Join("testdata", i.name+".env.golden")
		got := i.env("172.17.0.1:5000")
		if *update {
			put(t, golden, got)
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if got != string(want) {
			t.Errorf("%s is\n%s\nwant\n%s", golden, got, want)
		}
	}
}

func TestSecretsAreMadeOnceAndAreOnlyOurs(t *testing.T) {
	root := project(t)
	path := filepath.Join(root, folder, "staging.secrets.env")
	var contents []string
	for _, registry := range []string{"172.17.0.1:5000", "172.17.0.1:6000"} {
		if err := write(root, planned(t, root), registry); err != nil {
			t.Fatal(err)
		}
		content, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		contents = append(contents, string(content))
		env, err := os.ReadFile(filepath.Join(root, folder, "staging.env"))
		if err != nil || !strings.Contains(string(env), registry+"/postgres") {
			t.Errorf("the env file does not have the registry: %v\n%s", err, env)
		}
	}
	if contents[0] != contents[1] {
		t.Error("a second run makes other secrets")
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o600 {
		t.Errorf("%v, %v", info, err)
	}
}

func TestWhatTheLabDidNotWriteIsNeitherChangedNorRemoved(t *testing.T) {
	root := project(t)
	instances := planned(t, root)
	if err := write(root, instances, "172.17.0.1:5000"); err != nil {
		t.Fatal(err)
	}
	mine := filepath.Join(root, folder, "mine.env")
	put(t, mine, "server=localhost\n")
	for name, err := range map[string]error{"write": write(root, instances, "172.17.0.1:5000"), "remove": removeFiles(root)} {
		if err == nil || !strings.Contains(err.Error(), "mine.env was not written by the lab\nhint: ") {
			t.Errorf("%s: %v", name, err)
		}
	}
	left, err := os.ReadDir(filepath.Join(root, folder))
	if err != nil || len(left) != 1 {
		t.Errorf("left: %v, %v", left, err)
	}
	if err := os.Remove(mine); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := removeFiles(root); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := os.Stat(filepath.Join(root, folder)); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the folder is left: %v", err)
	}
	if _, err := mrs.Load(root, "production", []string{"MRS_ENV=lab"}); err == nil || !strings.Contains(err.Error(), "there is no folder env/lab") {
		t.Errorf("MRS_ENV=lab without a lab: %v", err)
	}
}

func TestTheMachinesKnowAllNames(t *testing.T) {
	lines := hostLines(
		[]instance{{name: "ecole", machine: staging}, {name: "production", machine: production}, {name: "staging", machine: staging}},
		map[string]netip.Addr{production: netip.MustParseAddr("172.17.0.2"), staging: netip.MustParseAddr("172.17.0.3")})
	want := []string{
		"172.17.0.2 production.lab www.production.lab mail.production.lab",
		"172.17.0.3 ecole.lab www.ecole.lab mail.ecole.lab staging.lab www.staging.lab mail.staging.lab",
	}
	if !slices.Equal(lines, want) {
		t.Errorf("got %q", lines)
	}
}

func TestTheRegistryIsNeverEverybodys(t *testing.T) {
	loopback := netip.MustParseAddr("127.0.0.1")
	if here, err := seenFrom(map[string]netip.Addr{production: loopback, staging: loopback}); err == nil || !strings.Contains(err.Error(), "no private address") {
		t.Errorf("got %v, %v", here, err)
	}
}

func TestATakenPortIsLeftToWhoHasIt(t *testing.T) {
	taken, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := taken.Addr().(*net.TCPAddr).Port
	here := netip.MustParseAddr("127.0.0.1")
	if got, err := free(here, port); err != nil || got == taken.Addr().String() {
		t.Errorf("got %s, %v", got, err)
	}
	taken.Close()
	if got, err := free(here, port); err != nil || got != taken.Addr().String() {
		t.Errorf("got %s, %v", got, err)
	}
}

func TestOnlyOurOwnRegistryIsStopped(t *testing.T) {
	t.Chdir(t.TempDir())
	put(t, pidFile, `{"pid": `+strconv.Itoa(os.Getpid())+`, "address": "127.0.0.1:1"}`)
	if err := stopRegistry(); err != nil { // or this test ends here
		t.Fatal(err)
	}
	if _, err := os.Stat(state); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("the state is left: %v", err)
	}
	put(t, pidFile, "{")
	if err := stopRegistry(); err == nil || !strings.Contains(err.Error(), "is damaged") {
		t.Errorf("got %v", err)
	}
}

func TestOnlyARegistryCountsAsOne(t *testing.T) {
	kind := "registry/2.0"
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Docker-Distribution-Api-Version", kind)
	}))
	defer server.Close()
	r := registry{Address: server.Listener.Addr().String()}
	if err := r.answers(context.Background()); err != nil {
		t.Error(err)
	}
	kind = ""
	if err := r.answers(context.Background()); err == nil {
		t.Error("a web server counts as a registry")
	}
}

func TestWhatIsForwardedArrivesUntilTheListenerIsClosed(t *testing.T) {
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, _ = io.Copy(w, r.Body)
	}))
	defer server.Close()
	near, err := forward(server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	const size = 1 << 20
	answer, err := client.Post("http://"+near.Addr().String(), "text/plain", strings.NewReader(strings.Repeat("x", size)))
	if err != nil {
		t.Fatal(err)
	}
	content, err := io.ReadAll(answer.Body)
	answer.Body.Close()
	if err != nil || len(content) != size {
		t.Errorf("%d bytes, %v", len(content), err)
	}
	near.Close()
	if _, err := client.Get("http://" + near.Addr().String()); err == nil {
		t.Error("it goes on after it was closed")
	}
}

func TestVerdict(t *testing.T) {
	well := State{Machine: production, Address: "172.17.0.2", Engine: "20", Traefik: "404 Not Found", Registry: "172.17.0.1:5000"}
	sick := State{Machine: staging, Address: "172.17.0.3", Engine: "20"}
	for want, states := range map[string][]State{
		"the lab is up":                       {well},
		"the lab is not complete: staging":    {well, sick},
		"there is no lab":                     {{Machine: production, State: "not_created"}, {Machine: staging, State: "not_created"}},
		"the lab is not complete: production": {{Machine: production, State: "running"}},
	} {
		if got := verdict(states); !strings.HasPrefix(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	}
}
