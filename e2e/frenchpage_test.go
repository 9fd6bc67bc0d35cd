//go:build e2e && soak

package e2e

import (
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/cookbook"
)

// What docs/cookbook.fr.rst has to type is typed here, in the page's order, as whoever reads it does: by a shell, in the
// project's folder. The names of its servers are those of machines: mrs.beta.gouv.fr is a new one, staging.mrs.beta.gouv.fr
// the lab's, since the page has production itself for one line that changes nothing.

// unrun are the lines that are not run, and why. Each of the others is, and succeeds.
var unrun = map[string]string{
	"go tool bigsudo yourlabs.ssh adduser usergroups=sudo username=jpic @mrs.beta.gouv.fr":               "it takes GitHub, which shows keys",
	`go tool mage host:addUser github_username "mrs.beta.gouv.fr staging.mrs.beta.gouv.fr" -groups=sudo`: "it takes GitHub",
	`go tool mage host:addUser your_username "mrs.beta.gouv.fr staging.mrs.beta.gouv.fr" -groups=sudo -key=https://gitlab.com/your_gitlab_username.keys`: "it takes GitLab; " +
		"TestAServerBecomesWhatTheCookbookSays has a web server of its own",
	"go tool bigsudo yourlabs.ssh adduser usergroups=sudo username=github_username @mrs.beta.gouv.fr @staging.mrs.beta.gouv.fr":                                                "it takes GitHub",
	"go tool bigsudo yourlabs.ssh adduser usergroups=sudo username=your_username key=https://gitlab.com/your_gitlab_username.keys @mrs.beta.gouv.fr @staging.mrs.beta.gouv.fr": "it takes GitLab",
	"go tool bigsudo yourlabs.traefik @mrs.beta.gouv.fr acme=production email=equipe@example.org":                                                                              "Let's Encrypt gives certificates to names that the Internet knows",
	"go tool mage ci:image": "it is for a pipeline, whose registry it pushes to",

	"go tool mage lab:up":                                                    "the lab that it makes is there, and staging is a server of the old system by then, which it would mend",
	"MRS_ENV=lab go tool mage deploy:staging -yes":                           "staging is a server of the old system by then, which refuses it; deploy:staging is run above",
	"MRS_ENV=lab go tool mage ops:status":                                    "not all of the lab's instances are deployed by then; ops:status is run below",
	"go tool mage lab:down":                                                  "it would take the lab away; each run of the tests ends with it",
	"go tool mage test:one TestAServerOfTheOldSystemIsTakenOverAndGivenBack": "it is a test of its own, in a lab of its own",
}

// typed is what is answered to a question.
var typed = map[string]string{
	"go tool mage ops:restore staging latest": "y",
	"go tool mage ops:shell staging":          "exit",
	"go tool mage ops:copyProdToStaging":      "y",
	"go tool mage ops:seedLocal staging":      "y",
	"go tool mage local:destroy":              "y",
	"go tool mage takeover:back staging":      "y",
	"ssh -t staging.mrs.beta.gouv.fr sudo find /home/mrs-staging /var/lib/mrs-ops -maxdepth 1 -name 'old-system.*' -exec rm -r {} +": "",
}

// frenchPage runs it.
func frenchPage(t *testing.T, l rehearsal) {
	reader := newReader(t, l)
	// What is done before a line, by somebody else or long ago.
	before := map[string]func(){
		// From here on, staging is what the chapter is about.
		`go tool mage takeover:check "mrs.beta.gouv.fr staging.mrs.beta.gouv.fr"`: func() { makeOld(t, l.taking(), "staging") },
		// What the reader has found out about the old system, and put there.
		"install -m 600 /dev/null env/staging.secrets.env": func() {
			reader.rehearsal = reader.taking()
			t.Cleanup(func() { _ = os.Remove(filepath.Join(l.dir, "env/staging.secrets.env")) })
		},
		// The way back was tried, and the old system is not needed any more.
		"ssh -t staging.mrs.beta.gouv.fr sudo find /home/mrs-staging /var/lib/mrs-ops -maxdepth 1 -name 'old-system.*' -exec rm -r {} +": func() {
			reader.mustMage(t, "takeover:run", "staging", "-traefik="+l.registry+"/traefik:v3.0")
		},
	}
	// What has to be true after one.
	after := map[string]func(t *testing.T, r result){
		`go tool mage takeover:check "mrs.beta.gouv.fr staging.mrs.beta.gouv.fr"`: func(t *testing.T, r result) {
			if !strings.Contains(r.output, "1 instances can be taken over") {
				t.Errorf("it does not see the old system:\n%s", r.output)
			}
		},
		"go tool mage takeover:back staging": func(t *testing.T, r result) {
			if !strings.Contains(r.output, "the old system runs again, on the data as they are") {
				t.Errorf("it does not say what the page has:\n%s", r.output)
			}
		},
		"ssh -t staging.mrs.beta.gouv.fr sudo find /home/mrs-staging /var/lib/mrs-ops -maxdepth 1 -name 'old-system.*' -exec rm -r {} +": func(t *testing.T, _ result) {
			if left := l.sh(t, "staging", "ls -d /home/mrs-staging/old-system.* /var/lib/mrs-ops/old-system.* 2>/dev/null || true"); left != "" {
				t.Errorf("%s is left", left)
			}
		},
	}
	reasons := maps.Clone(unrun)
	for _, b := range cookbook.Blocks(string(readFile(t, filepath.Join(root, "docs/cookbook.fr.rst")))) {
		exported := ""
		for _, line := range b.Lines {
			if reason, is := unrun[line]; is {
				t.Logf("not run: %s: %s", line, reason)
				delete(reasons, line)
				continue
			}
			if b.Mark == "papier" {
				t.Errorf("why it is not run is not said: %s", line)
				continue
			}
			if strings.HasPrefix(line, "export ") {
				exported += line + "\n"
				continue
			}
			if do := before[line]; do != nil {
				do()
			}
			t.Run(line, func(t *testing.T) {
				r := reader.types(t, exported, line)
				if r.status != 0 {
					t.Fatalf("exit status %d\n%s", r.status, r.output)
				}
				t.Logf("%s", r.output)
				if check := after[line]; check != nil {
					check(t, r)
				}
			})
		}
	}
	for line := range reasons {
		t.Errorf("it is not on the page, and said not to be run: %s", line)
	}
}

// reader is somebody who types what the page has.
type reader struct{ rehearsal }

// newReader makes one, and the new server, with all that the page takes for granted: an SSH configuration that knows the
// servers, root's key on the new one, an account's name here that is not root's, a webhook.
func newReader(t *testing.T, l rehearsal) *reader {
	t.Helper()
	l.must(t, mage, "vagrant:up")
	t.Cleanup(func() {
		l.must(t, mage, "vagrant:destroy")
		l.remove(t, "staging", "test-ma-branche", "/root/.yourlabs.compose/test-ma-branche")
		l.sh(t, "staging", "systemctl disable --now --quiet menage.timer || true; rm -f /etc/systemd/system/menage.{timer,service}; systemctl daemon-reload")
		asRoot(t, "rm -rf /tmp/backup/mrs-production-restic /tmp/backup/mrs-production-postgres")
		run(t, nil, mage, "local:destroy", "-yes")
	})
	l.must(t, "ssh", "-F", ".vagrant-ssh", "default", "sudo install -D -m 600 ~vagrant/.ssh/authorized_keys /root/.ssh/authorized_keys")
	dir := t.TempDir()
	config, program := filepath.Join(dir, "config"), filepath.Join(dir, "ssh")
	// Nobody who has a key of his own is kept from showing it.
	servers := strings.NewReplacer("IdentitiesOnly yes", "IdentitiesOnly no", "Host default\n", "Host default mrs.beta.gouv.fr\n", "Host staging\n", "Host staging staging.mrs.beta.gouv.fr\n").
		Replace(string(readFile(t, filepath.Join(l.dir, ".vagrant-ssh"))))
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		t.Fatal(err)
	}
	for path, text := range map[string]string{
		config:                          servers,
		program:                         "#!/bin/sh\nexec " + ssh + " -F " + config + " \"$@\"\n",
		filepath.Join(l.dir, "webhook"): "https://hooks.slack.invalid/services/T0/B0/hush\n",
	} {
		if err := os.WriteFile(path, []byte(text), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	key, _ := newKey(t)
	socket := filepath.Join(dir, "agent")
	agent := exec.Command("ssh-agent", "-D", "-a", socket)
	if err := agent.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = agent.Process.Kill(); _ = agent.Wait() })
	must(t, "bash", "-c", `until [ -S "$0" ]; do sleep 0.05; done; SSH_AUTH_SOCK=$0 ssh-add -q "$1"`, socket, key)
	// Who has just taken a server over has no reader.
	return &reader{l.given("MRS_ENV=lab", "DB_READER=", "USER=jpic", "SSH_AUTH_SOCK="+socket, "PATH="+dir+":"+os.Getenv("PATH"))}
}

// standsFor is what is typed instead of what the page says, where that is somebody's own.
var standsFor = strings.NewReplacer(
	`"$(htpasswd -nB root)"`, `"root:$(openssl passwd -apr1 hush)"`, // htpasswd asks for the password
	"../docker-compose", "internal/stack/testdata/application/docker-compose", // the application's clone
)

// image is an image of MRS on the page: the lab has it from its own registry.
var image = regexp.MustCompile(`-image=(betagouv/mrs:master)`)

// types has a line of the page run. What asks gets its answer on a terminal; what asks unforeseen finds none, and fails.
func (p *reader) types(t *testing.T, exported, line string) result {
	t.Helper()
	answer, asks := typed[line]
	line = image.ReplaceAllString(standsFor.Replace(line), "-image="+p.registry+"/$1")
	if line == "go tool mage takeover:run staging" { // there is no other registry that has one
		line += " -traefik=" + p.registry + "/traefik:v3.0"
	}
	argv := []string{"env", "--unset=CI", "bash", "-euc", exported + line}
	if asks {
		argv = []string{"env", "--unset=CI", "bash", "-euo", "pipefail", "-c",
			`printf '%s\n' "$1" | script --quiet --return --flush --command "$0" /dev/null`, exported + line, answer}
	}
	return p.run(t, argv...)
}
