package bigsudo

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/cookbook"
)

// oldLines are as the README files of bigsudo and of the yourlabs.* roles, MRS's cookbook and its pipelines have them.
var oldLines = []string{
	"yourlabs.ssh @host",
	"yourlabs.ssh user@host --become-method=su --ask-become-pass",
	"yourlabs.ssh user@host -v",
	`yourlabs.ssh adduser username=jimi key=https://yourlabs.io/hendrix.keys sudos='["ALL"]' --become -v @host`,
	"yourlabs.ssh user@host adduser username=jpic usergroups=sudo",
	"yourlabs.ssh user@host adduser username=jpic key=https://yourlabs.io/jpic.keys",
	"yourlabs.ssh adduser usergroups=sudo username=jpic @mrs.beta.gouv.fr @staging.mrs.beta.gouv.fr",
	"yourlabs.ssh adduser username=ci sudo=/usr/bin/docker @host",
	`yourlabs.ssh adduser @host username=ci '{"sudos": ["ALL", "ALL=(root) NOPASSWD: /usr/bin/id"]}'`,
	"yourlabs.ssh username=jpic key=https://github.com/jpic.keys @host",
	"yourlabs.ssh ip=0.0.0.0 port=22 @host",
	"yourlabs.ssh port=2222 @host",
	`yourlabs.ssh users @host '{"users": [{"name": "jpic"}]}'`,
	`yourlabs.ssh sshd_options='{"Ciphers": "aes128-ctr"}' @host`,
	"yourlabs.ssh forceask=ip @host",
	"yourlabs.traefik @host",
	"yourlabs.traefik -v",
	"yourlabs.traefik @example.com --become -v acme=production email=your@email",
	"yourlabs.traefik @example.com --become -v acme=production domain=example.com email=your@email",
	"yourlabs.traefik url=https://traefik.example.com/ http_redirect=false ip=all bind_ssh=false home=/etc/traefik @host",
	"yourlabs.traefik password=sesame dnsprovider=cloudflare cloudflare_api_key=sesame @host",
	"yourlabs.traefik -e acme=production @host",
	"yourlabs.docker @host",
	"yourlabs.docker prune @host",
	"yourlabs.docker prunecron @ci.your.host",
	`yourlabs.docker '{"users": [{"name": "jpic"}], "firewall_allow_ping": true}' @host`,
	"yourlabs.netdata @host",
	"yourlabs.netdata netdata_dns=n.example.com prometheus_dns=p.example.com @host",
	"yourlabs.netdata grafana_dns=g.example.com slack_webhook=sesame telegram_bot_token=sesame @host",
	"yourlabs.timer name=your-backup cmd=/your/backup.sh oncalendar='*-*-* 00:00:00 Europe/Paris'",
	`yourlabs.timer name=x cmd=/x oncalendar=daily chdir=/srv env='{"A": "1"}' type=oneshot @host`,
	"yourlabs.timer name=x cmd=/x onclendar=daily @host",
	"yourlabs.compose home=/home/staging user@host",
	"yourlabs.compose home=/home/staging compose_django_image=x compose=docker-compose.yml,docker-compose.staging.yml",
	"yourlabs.compose home=/home/test compose_django_networks=web compose_django_build=",
	"yourlabs.compose backup home=/home/mrs-production @host",
	"yourlabs.compose down project=test-branch @host",
	"yourlabs.compose project=test-x lifetime=604800 pull=yes timeout=300 deploy@host -v",
	"yourlabs.compose home=/home/x postdeploy='mrs migrate' wait_grep=spawned docker_auth_password=sesame @host",
	"./ansible/deploy.yml home=/home/mrs-production compose=docker-compose.yml,docker-compose.traefik.yml,docker-compose.persist.yml " +
		"compose_django_image=betagouv/mrs:1234567 deploy@mrs.beta.gouv.fr -v",
	`ansible/deploy.yml home=/tmp/testmrs compose_django_ports='["8000:8000"]' compose_django_build= compose_django_image=betagouv/mrs:master ` +
		"compose=docker-compose.yml,docker-compose.persist.yml",
	"ansible/deploy.yml hom=/tmp/testmrs",
	"run yourlabs.ssh @host",
	"role yourlabs.ssh host",
	"role ansible/deploy.yml host",
	"playbook ./ansible/deploy.yml host home=/tmp/x",
	"tasks ./ansible/roles/ssh/tasks/sudo.yml host1,host2",
	"github.com/your/repo,yourbranch @localhost somearg=foo update",
	"your/repo @host update foo=bar",
	"git+ssh://git@example.org/you/private @host",
	"role.name @host update foo=bar",
	`role.name '{"foo":"bar"}' -v`,
	"yourlabs.fqdn -e foo=bar",
	"yourlabs.ssh @host --tags nothing",
	"yourlabs.ssh nosuch @host",
}

func TestAnOldLineDoesWhatItDidOrIsRefusedWithTheNewOne(t *testing.T) {
	ours, err := filepath.Abs("../..")
	if err != nil {
		t.Fatal(err)
	}
	p := newProject(t)
	if err := os.RemoveAll(filepath.Join(p.root, "ansible")); err != nil {
		t.Fatal(err)
	}
	if err := os.CopyFS(filepath.Join(p.root, "ansible"), os.DirFS(filepath.Join(ours, "ansible"))); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"repo", "private", "role.name", "yourlabs.fqdn"} {
		for _, task := range []string{"main", "update"} {
			p.write(t, "galaxy/"+name+"/tasks/"+task+".yml", "")
		}
	}
	// Nobody has a key: what needs one is refused.
	galaxy, err := os.ReadFile(filepath.Join(p.root, "bin", "ansible-galaxy"))
	if err != nil {
		t.Fatal(err)
	}
	p.program(t, "ansible-galaxy", strings.TrimPrefix(string(galaxy), "#!/usr/bin/env bash\n")+"case $spec in git+ssh*) rm -r \"${roles:?}/$name\"; exit 1 ;; esac")
	page, err := os.ReadFile(filepath.Join(ours, "docs", "cookbook.fr.rst"))
	if err != nil {
		t.Fatal(err)
	}
	lines := oldLines
	for _, block := range cookbook.Blocks(string(page)) {
		for _, line := range block.Lines {
			if words, typed := strings.CutPrefix(line, "go tool bigsudo "); typed {
				lines = append(lines, words)
			}
		}
	}
	var out strings.Builder
	for n, line := range lines {
		words, err := Words(line)
		if err != nil {
			t.Fatal(err)
		}
		calls, err := p.run(t, words...)
		fmt.Fprintf(&out, "bigsudo %s\n", line)
		for call := range strings.Lines(calls) {
			call = strings.TrimPrefix(call, "ansible/ansible.cfg ansible/roles:PROJECT/home/.ansible/roles:/usr/share/ansible/roles:/etc/ansible/roles ")
			// Root has nothing to become on its own machine.
			call = strings.Replace(call, "--connection local --become", "--connection local", 1)
			fmt.Fprint(&out, "  ", strings.ReplaceAll(call, "PROJECT/home/.ansible/", "~/.ansible/"))
		}
		if err != nil {
			if n >= len(oldLines) {
				t.Errorf("docs/cookbook.fr.rst: %s: %v", line, err)
			}
			said, _, _ := strings.Cut(err.Error(), "\nhint: the grammar is\n")
			fmt.Fprintf(&out, "  refused: %s\n", strings.ReplaceAll(said, "\n", "\n  "))
			if !strings.Contains(err.Error(), "\nhint: ") && !strings.Contains(err.Error(), "; it has ") && !strings.Contains(err.Error(), "has no tags") {
				t.Errorf("%s: what to do instead is not said: %v", line, err)
			}
		}
		if (err == nil) != strings.Contains(calls, "ansible-playbook") {
			t.Errorf("%s: %v, and Ansible was called as %q", line, err, calls)
		}
		if said := fmt.Sprint(calls, err); strings.Contains(said, "sesame") {
			t.Errorf("%s: a secret is told: %s", line, said)
		}
	}
	golden(t, "old", out.String())
}

func TestEveryOldVariableIsReadOrRefusedWithAHint(t *testing.T) {
	if len(oldVariables()) < 50 {
		t.Errorf("%d lines were read", len(oldVariables()))
	}
	l := newLibrary("../..", nil)
	for key, old := range oldVariables() {
		scope, variable, _ := strings.Cut(key, " ")
		role, _, _ := strings.Cut(scope, "/")
		known := map[string]bool{}
		if role != "*" {
			known = l.parameters(role, nil).known
		}
		switch {
		case old.ours == "-" && old.hint == "":
			t.Errorf("%s is refused without a hint", key)
		case old.ours != "-" && !known[old.ours]:
			t.Errorf("%s: role %s has no %s", key, role, old.ours)
		case old.reading != "" && readings[old.reading] == nil:
			t.Errorf("%s: there is no reading %q", key, old.reading)
		case known[variable] && old.ours == "-":
			t.Errorf("%s is refused, and role %s has it", variable, role)
		}
	}
}

// What the roles took is in the README files and the defaults of yourlabs.ssh, .traefik, .netdata, .timer, .compose and
// .docker.
func TestNoVariableOfTheOldRolesIsUnknown(t *testing.T) {
	l := newLibrary("../..", nil)
	for role, names := range map[string]string{
		"ssh/main":    "ip port username key usergroups sudos sudo sshd_options users users_remove forceask",
		"ssh/adduser": "username key usergroups sudos sudo",
		"traefik": "home password url ip bind_ssh acme email http_redirect dnsprovider cloudflare_api_key cloudflare_email image " +
			"logLevel log_driver forceask",
		"netdata": "home netdata_dns prometheus_dns grafana_dns email_sender recipient_email slack_webhook slack_channel " +
			"telegram_bot_token telegram_recipient forceask",
		"timer": "name cmd oncalendar env chdir description dest environment type",
		"compose": "compose home project lifetime compose_django_image pull build postdeploy wait_grep docker_auth_username " +
			"docker_auth_password docker_auth_registry services timeout restic_backup BASICAUTH_ENABLE",
		"docker": "users firewall_allow_ping",
	} {
		role, task, _ := strings.Cut(role, "/")
		for name := range strings.FieldsSeq(names) {
			_, _, err := l.parameters(role, []string{task}).variable(name, []byte(`"x"`))
			if err != nil && strings.Contains(err.Error(), "no such variable") {
				t.Error(err)
			}
		}
	}
}
