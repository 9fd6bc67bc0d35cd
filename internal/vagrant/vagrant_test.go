package vagrant

import (
	"encoding/json"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/bigsudo"

	"github.com/betagouv/mrs-ops/internal/local"
)

var update = flag.Bool("update", false, "write the golden files")

func TestTheStatesOfMachinesAreRead(t *testing.T) {
	files, err := filepath.Glob("testdata/*.status")
	if err != nil || len(files) == 0 {
		t.Fatalf("no status to read: %v", err)
	}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		got, err := json.MarshalIndent(parseStatus(string(text)), "", "  ")
		if err != nil {
			t.Fatal(err)
		}
		golden := strings.TrimSuffix(file, ".status") + ".json"
		if *update {
			if err := os.WriteFile(golden, append(got, '\n'), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(golden)
		if err != nil {
			t.Fatal(err)
		}
		if string(got)+"\n" != string(want) {
			t.Errorf("%s:\n got %s\nwant %s", file, got, want)
		}
	}
}

func TestWhyVagrantGaveUpIsReadFromWhatItPrintsForMachines(t *testing.T) {
	const text = "1,default,metadata,provider,docker\n" +
		"1,,ui,error,Nope\n" +
		`1,,error-exit,Vagrant::Errors::ProviderNotUsable,The provider 'virtualbox'\nisn't usable%!(VAGRANT_COMMA) sorry` + "\n"
	err := readError(text)
	if want := "The provider 'virtualbox'\nisn't usable, sorry"; err == nil || err.Error() != want {
		t.Errorf("got %v, want %s", err, want)
	}
	if err := readError("1,default,state,running\n"); err != nil {
		t.Errorf("got %v where all went well", err)
	}
}

func FuzzStatesAreOfMachinesThatCanBeNamed(f *testing.F) {
	f.Add("1795415523,default,state,running\n")
	f.Add("1,-x,state,running\n2,,ui,info,a\\nb\n")
	f.Fuzz(func(t *testing.T, text string) {
		for _, m := range parseStatus(text) {
			if err := checkNames([]string{m.Name}); err != nil {
				t.Error(err)
			}
		}
		_ = readError(text)
	})
}

func TestTheAddressIsTheOneThatLeadsToTheMachine(t *testing.T) {
	for _, c := range []struct{ name, text, want string }{
		{"a container with an engine of its own", "" +
			"2: docker0    inet 172.18.0.1/16 brd 172.18.255.255 scope global docker0\\       valid_lft forever preferred_lft forever\n" +
			"310: eth0    inet 172.17.0.3/16 brd 172.17.255.255 scope global eth0\\       valid_lft forever preferred_lft forever\n", "172.17.0.3"},
		{"a VirtualBox machine", "" +
			"2: eth0    inet 10.0.2.15/24 brd 10.0.2.255 scope global dynamic noprefixroute eth0\\       valid_lft 86287sec preferred_lft 86287sec\n" +
			"3: eth1    inet 192.168.56.10/24 brd 192.168.56.255 scope global noprefixroute eth1\\       valid_lft forever preferred_lft forever\n", "192.168.56.10"},
		{"only the way out", "2: eth0    inet 10.0.2.15/24 scope global eth0\n", ""},
		{"nothing", "", ""},
	} {
		if got := parseAddress(c.text); got != c.want {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestMachinesAreNamedInAListAndDefaultNeedsNoName(t *testing.T) {
	for _, c := range []struct {
		list  string
		names []string
	}{
		{"", []string{"default"}},
		{"production", []string{"production"}},
		{"production, staging,production", []string{"production", "staging"}},
	} {
		got := Names(c.list)
		if !slices.Equal(got, c.names) {
			t.Errorf("%q: got %q, want %q", c.list, got, c.names)
		}
		if err := checkNames(got); err != nil {
			t.Errorf("%q: %v", c.list, err)
		}
	}
}

func TestEveryNameThatCanBeNoMachinesIsSaid(t *testing.T) {
	err := checkNames(Names("-f,default,Prod,a b,../x,"))
	if err == nil {
		t.Fatal("all were taken")
	}
	for _, want := range []string{`"-f"`, `"Prod"`, `"a b"`, `"../x"`, `""`} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not in the error: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), `"default"`) {
		t.Errorf("default is in the error: %v", err)
	}
	if err := checkNames(nil); err == nil {
		t.Error("no name at all, which to vagrant is all machines, was taken")
	}
}

func TestARequestAimsAtDefaultUnlessItNamesMachines(t *testing.T) {
	for _, c := range []struct {
		words    []string
		hosts    []string
		machines []string
	}{
		{[]string{"yourlabs.traefik", "-v"}, []string{"@default"}, []string{"default"}},
		{[]string{"yourlabs.ssh", "@production", "root@staging"}, []string{"@production", "root@staging"}, []string{"production", "staging"}},
		{[]string{"yourlabs.ssh", "root@default", "vagrant@default"}, []string{"root@default", "vagrant@default"}, []string{"default"}},
	} {
		request, err := bigsudo.Parse(c.words)
		if err != nil {
			t.Fatal(err)
		}
		machines := aim(&request)
		if !slices.Equal(machines, c.machines) || !slices.Equal(request.Hosts, c.hosts) {
			t.Errorf("%q: aims at %q as %q, want %q as %q", c.words, machines, request.Hosts, c.machines, c.hosts)
		}
	}
}

func TestThePlaybookDeploysTheLocalInstanceUnlessAnotherIsNamed(t *testing.T) {
	t.Chdir("../..")
	for _, c := range []struct {
		words []string
		local bool
	}{
		{[]string{"ansible/deploy.yml"}, true},
		{[]string{"./ansible/deploy.yml", "home=/home/x"}, true},
		{[]string{"ansible/deploy.yml", "instance=ecole"}, false},
		{[]string{"ansible/deploy.yml", `{"a": 1, "instance": "ecole"}`}, false},
		{[]string{"elsewhere/deploy.yml"}, false},
		{[]string{"yourlabs.traefik"}, false},
	} {
		request, err := bigsudo.Parse(c.words)
		if err != nil {
			t.Fatal(err)
		}
		before := len(request.Vars)
		images, err := deployment(t.Context(), &request)
		if err != nil {
			t.Fatal(err)
		}
		if got := len(request.Vars) > before; got != c.local {
			t.Errorf("%q: the variables are %q", c.words, request.Vars)
		}
		if got := slices.Equal(images, []string{"betagouv/mrs:master", "postgres:15"}); got != c.local {
			t.Errorf("%q: the images are %q", c.words, images)
		}
	}
}

func TestOnlyMachinesOfTheSSHConfigurationAreReachable(t *testing.T) {
	t.Chdir(t.TempDir())
	if got := reachable(); got != nil {
		t.Errorf("without a file: %q", got)
	}
	config := "Host default\n  HostName 127.0.0.1\n  Port 2222\n\nHost staging\n  HostName 127.0.0.1\n"
	if err := local.WriteFile(SSHConfig, config, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := reachable(); !slices.Equal(got, []string{"default", "staging"}) {
		t.Errorf("got %q", got)
	}
}

func TestAFileIsReplacedInOneGoAndNothingIsLeft(t *testing.T) {
	path := filepath.Join(t.TempDir(), "new", SSHConfig)
	for _, content := range []string{"one\n", "two\n"} {
		if err := local.WriteFile(path, content, 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := os.ReadFile(path)
		if err != nil || string(got) != content {
			t.Errorf("got %q, %v", got, err)
		}
	}
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	if info.Mode() != 0o600 {
		t.Errorf("its mode is %v", info.Mode())
	}
	entries, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(entries) != 1 {
		t.Errorf("left: %v, %v", entries, err)
	}
}
