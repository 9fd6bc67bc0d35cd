//go:build e2e

package e2e

import (
	"embed"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"
)

// The server that yourlabs.* roles and the application's own playbooks leave, on a machine of the lab. What is not the
// real thing there: Traefik is 3.0 that reads the rules of 2 (core.defaultRuleSyntax), since no registry has a 2; the
// image of MRS is the stand-in; the system is Debian 12. docker-compose is the real Compose 1.
//
//go:embed testdata/old
var oldFiles embed.FS

// oldServer is a machine of the lab in the state of the old system.
type oldServer struct {
	rehearsal
	machine, name string // name is of the instance, which is called like the machine
	home          string
}

// makeOld makes a machine a server of the old system, with two neighbours, and has it be what the lab needs again when
// the test ends. What else was deployed there goes.
func makeOld(t *testing.T, l rehearsal, machine string) oldServer {
	t.Helper()
	o := oldServer{l, machine, "mrs-" + machine, "/home/mrs-" + machine}
	l.must(t, mage, "lab:push", "postgres:10")
	secrets := string(readFile(t, filepath.Join(l.dir, "env/lab", machine+".secrets.env")))
	secret := func(name string) string {
		m := regexp.MustCompile(`(?m)^` + name + `='?([A-Z0-9]+)'?$`).FindStringSubmatch(secrets)
		if m == nil {
			t.Fatalf("the lab has no %s", name)
		}
		return m[1]
	}
	gone := func() {
		o.clear(t, o.machine)
		o.sh(t, o.machine, o.file(t, "gone.sh.txt"))
	}
	gone()
	t.Cleanup(gone)
	o.sh(t, o.machine, o.file(t, "server.sh.txt", "@REGISTRY@", l.registry))
	o.put(t, "/etc/traefik/docker-compose.yml", "traefik.yml", 0o644)
	o.put(t, "/home/one/docker-compose.yml", "one.yml", 0o644)
	o.put(t, "/home/two/docker-compose.yml", "two.yml", 0o644)
	o.put(t, "/root/.yourlabs.compose/remove.sh", "remove.sh.txt", 0o755)
	o.put(t, o.home+"/docker-compose.yml", "docker-compose.yml", 0o644)
	for _, script := range []string{"backup.sh", "restore.sh", "prune.sh"} {
		o.put(t, o.home+"/"+script, script+".txt", 0o700)
	}
	o.sh(t, o.machine, o.file(t, "start.sh.txt", "@REGISTRY@", l.registry, "@PASSWORD@", secret("RESTIC_PASSWORD")))
	eventually(t, "the old site answers", func() bool { return o.answers() == "200 OK" })
	o.sh(t, o.machine, o.file(t, "data.sh.txt"))
	return o
}

// site is what its visitors call it.
func (o oldServer) site() string { return "www." + o.machine + ".lab" }

// address is where the machine is.
func (o oldServer) address() string { return o.fixture.machines[o.machine].Address }

// file is one of the fixture's, with words of it replaced by others: in it, the machine is production.
func (o oldServer) file(t *testing.T, name string, replaced ...string) string {
	t.Helper()
	text, err := oldFiles.ReadFile("testdata/old/" + name)
	if err != nil {
		t.Fatal(err)
	}
	return strings.NewReplacer(append([]string{"production", o.machine}, replaced...)...).Replace(string(text))
}

// put has a file of the fixture there.
func (o oldServer) put(t *testing.T, path, name string, mode os.FileMode) {
	t.Helper()
	o.sh(t, o.machine, "mkdir -p "+filepath.Dir(path)+"\ncat >"+path+" <<'OLD-FILE'\n"+o.file(t, name, "@REGISTRY@", o.registry)+
		"OLD-FILE\nchmod "+strings.TrimPrefix(modeText(mode), "0o")+" "+path)
}

func modeText(mode os.FileMode) string {
	return string([]byte{'0' + byte(mode>>6&7), '0' + byte(mode>>3&7), '0' + byte(mode&7)})
}

// answers is what a visitor of the site gets.
func (o oldServer) answers() string {
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{DisableKeepAlives: true}}
	return visit(client, o.address(), o.site(), "/")
}
