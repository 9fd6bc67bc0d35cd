//go:build e2e

package e2e

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

func TestWhatIsDeployedAnswersWhateverGoesWrong(t *testing.T) {
	l := inTheLab(t, 320*time.Second)
	first, second := l.image(t, "first", "1111111"), l.image(t, "second", "2222222")
	t.Cleanup(func() {
		l.remove(t, "staging", "mrs-ecole", "/home/mrs-ecole")
		for _, branch := range []string{slug, "plain"} {
			l.remove(t, "staging", "test-"+branch, "/root/.yourlabs.compose/test-"+branch)
		}
	})

	step(t, "staging, ecole, production and two branches live at once, each under its own name", func(t *testing.T) {
		if r := l.mage(t, "deploy:production", "-image="+first); r.status == 0 || !strings.Contains(r.output, "vagrant@production") || !strings.Contains(r.output, "hint: -yes") {
			t.Errorf("production is deployed without a question that names its host:\n%s", r.output)
		}
		var all sync.WaitGroup
		for _, words := range [][]string{
			{"deploy:production", "-yes", "-image=" + first}, {"deploy:staging", "-image=" + first}, {"deploy:to", "ecole"},
			{"deploy:branch", hostile, "-image=" + first}, {"deploy:branch", "plain", "-image=" + second},
		} {
			all.Go(func() {
				if r := l.mage(t, words...); r.status != 0 {
					t.Errorf("%v: exit status %d\n%s", words, r.status, r.output)
				}
			})
		}
		all.Wait()
		for host, want := range map[string]string{"www.staging.lab": "1111111", slug + ".test.lab": "1111111", "plain.test.lab": "2222222"} {
			if got := version(l.staging, host); got != want {
				t.Errorf("%s serves %s, not %s", host, got, want)
			}
		}
		if got := version(l.staging, "www.ecole.lab"); len(got) != 40 {
			t.Errorf("ecole serves %s", got)
		}
		if got := version(l.production, "www.production.lab"); got != "1111111" {
			t.Errorf("production serves %s", got)
		}
		for host, want := range map[string]int{"www.production.lab": http.StatusOK} {
			if status, _, _ := ask(t, l.production, host); status != want {
				t.Errorf("%s: %d", host, status)
			}
		}
		if status, _, _ := ask(t, l.staging, "mail.plain.test.lab"); status != http.StatusUnauthorized {
			t.Errorf("the mail of a branch: %d", status)
		}
	})
	if t.Failed() {
		t.FailNow()
	}

	// They have nothing to do with each other.
	t.Run("side by side", func(t *testing.T) {
		t.Run("production", func(t *testing.T) {
			t.Parallel()
			deploymentsOfProduction(t, l, second)
		})
		t.Run("staging", func(t *testing.T) {
			t.Parallel()
			deploymentsOfStaging(t, l, first, second)
		})
		t.Run("branches", func(t *testing.T) {
			t.Parallel()
			deploymentsOfBranches(t, l)
		})
	})

	step(t, "from CI: the right instance, by its own key, and nothing is left or shown", func(t *testing.T) { fromCI(t, l) })

	step(t, "a dead host is a row, not an error", func(t *testing.T) {
		must(t, "docker", "pause", l.container(t, "staging"))
		start := time.Now()
		r := l.mage(t, "ops:status")
		took := time.Since(start)
		must(t, "docker", "unpause", l.container(t, "staging"))
		t.Logf("with a dead host ops:status took %s\n%s", took, r.output)
		for _, want := range []string{"production", "staging", "ecole"} {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("%s has no row:\n%s", want, r.output)
			}
		}
		if r.status != 1 {
			t.Errorf("exit status %d", r.status)
		}
	})
}

// hostile is the name of a branch, slug what becomes of it.
const hostile, slug = `feature/É$(reboot)_x`, "feature-e-reboot-x-9b0fae6"

// page is a page, and what it is made of; and a form that is sent.
var page = []string{"/", "/static/admin/css/base.css", "/static/admin/css/fonts.css", "/static/admin/css/login.css", "/static/admin/css/forms.css",
	"/static/admin/css/responsive.css", "/static/admin/css/base.css", "/static/admin/css/dashboard.css", "POST /demande", "/static/admin/js/core.js"}

// deploymentsOfProduction are those of production, which serves 1111111.
func deploymentsOfProduction(t *testing.T, l rehearsal, second string) {
	// The campaign has three in a row.
	alone(t, "who is served while nothing is deployed is served during a deployment", func(t *testing.T) {
		underLoad(t, l.production, "www.production.lab", 200, 1, page, func() {
			l.mustMage(t, "deploy:production", "-yes", "-image="+second)
		})
		if got := version(l.production, "www.production.lab"); got != "2222222" {
			t.Errorf("it serves %s", got)
		}
		l.whole(t, "production", "mrs-production", "/home/mrs-production")
		// Nobody takes production's mails here, and they are tried again for ever.
		l.sh(t, "production", "find /home/mrs-production/spooler -type f -delete")
	})

	// The campaign has one that crashes at start.
	step(t, "a release that uses its neighbour's database changes nothing for visitors", func(t *testing.T) {
		const own, other = "- DB_HOST=postgres\n", "- DB_HOST=neighbour\n"
		base := must(t, "cat", filepath.Join(root, "compose/docker-compose.yml"))
		if !strings.Contains(base, own) {
			t.Fatalf("the compose file does not say %s", own)
		}
		if err := os.WriteFile(filepath.Join(l.dir, "compose/elsewhere.yml"), []byte(strings.Replace(base, own, other, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		l.sh(t, "production", `docker run --detach --name neighbour --network mrs-production_default --network-alias neighbour \
--env POSTGRES_DB=mrs --env POSTGRES_USER=django --env POSTGRES_PASSWORD="$(docker exec mrs-production-postgres-1 printenv POSTGRES_PASSWORD)" `+l.registry+`/postgres:15 >/dev/null`)
		defer l.sh(t, "production", "docker rm --force --volumes neighbour >/dev/null")
		wrong := l.given("compose=elsewhere.yml,docker-compose.traefik.yml,docker-compose.persist.yml")
		l.worksNotOut(t, wrong, second, "2222222", "it is connected to the PostgreSQL of neighbour")
		if r := l.mage(t, "ops:status", "-instance=production"); !strings.Contains(r.output, "2222222") {
			t.Errorf("the status does not tell what runs:\n%s", r.output)
		}
	})

	step(t, "back to the release before", func(t *testing.T) {
		var releases []struct {
			Release      int
			Commit, What string
		}
		read := func() {
			if err := json.Unmarshal([]byte(l.mustMage(t, "deploy:history", "production", "-json")), &releases); err != nil {
				t.Fatal(err)
			}
		}
		read()
		before := len(releases)
		if before < 2 || releases[before-1].Commit != "2222222" {
			t.Fatalf("the history is %+v", releases)
		}
		database := l.sh(t, "production", "docker ps --quiet --filter name=mrs-production-postgres")
		leave := visitors(l.production, "www.production.lab", 10, alive)
		l.mustMage(t, "deploy:rollback", "production", "-yes")
		if got := version(l.production, "www.production.lab"); got != "1111111" {
			t.Errorf("it serves %s", got)
		}
		allServed(t, leave())
		earlier := releases[before-2].Release
		read()
		if last := releases[len(releases)-1]; last.What != fmt.Sprintf("rollback to %d", earlier) {
			t.Errorf("the last release is %+v", last)
		}
		if now := l.sh(t, "production", "docker ps --quiet --filter name=mrs-production-postgres"); now != database {
			t.Error("the database was replaced")
		}
		if r := l.mage(t, "deploy:rollback", "production", "-to=99", "-yes"); r.status == 0 || !strings.Contains(r.output, "has no release 99") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
	})

	step(t, "it is restored only by who types its name", func(t *testing.T) {
		if r := l.mage(t, "ops:restore", "production", "latest", "-yes"); r.status == 0 || !strings.Contains(r.output, `to type "production"`) {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
	})

	step(t, "maintenance closes the site until it is opened, whatever is deployed meanwhile", func(t *testing.T) {
		for _, step := range []struct {
			words []string
			want  int
		}{
			{[]string{"ops:maintenance", "production", "on", "-yes"}, http.StatusFound},
			{[]string{"deploy:production", "-yes", "-image=" + second}, http.StatusFound},
			{[]string{"ops:maintenance", "production", "off", "-yes"}, http.StatusOK},
		} {
			l.mustMage(t, step.words...)
			if status, _, _ := ask(t, l.production, "www.production.lab"); status != step.want {
				t.Errorf("after %v: %d", step.words, status)
			}
		}
		if got := version(l.production, "www.production.lab"); got != "2222222" {
			t.Errorf("it serves %s", got)
		}
	})
}

// worksNotOut fails the test unless a deployment of production, as the lab is then, fails for a reason and changes nothing
// for visitors, to whom a version was served.
func (l rehearsal) worksNotOut(t *testing.T, then rehearsal, image, was, reason string) {
	t.Helper()
	// Few: other tests run beside it, and a page takes a quarter of a second of a slow processor. Who comes faster than
	// that is served keeps the site down, whatever is deployed.
	leave := visitors(l.production, "www.production.lab", 2, alive, "/")
	r := then.mage(t, "deploy:production", "-yes", "-image="+image)
	allServed(t, leave())
	if r.status == 0 || !strings.Contains(r.output, reason) {
		t.Errorf("exit status %d\n%s", r.status, r.output)
	}
	if strings.Contains(r.output, "set -euo pipefail") {
		t.Errorf("the script is in the output:\n%s", r.output)
	}
	if got := version(l.production, "www.production.lab"); got != was {
		t.Errorf("it serves %s", got)
	}
	if e := l.last(t, "production"); e.Outcome != "rolled back" || e.What != "deploy "+image || !strings.Contains(e.Reason, reason) || !strings.Contains(e.Who, "@") {
		t.Errorf("the audit log says %+v", e)
	}
	l.whole(t, "production", "mrs-production", "/home/mrs-production")
}

// deploymentsOfStaging are those of staging, which serves first.
func deploymentsOfStaging(t *testing.T, l rehearsal, first, second string) {
	step(t, "nothing to change: nothing is changed, and it is said", func(t *testing.T) {
		out := l.mustMage(t, "deploy:staging", "-image="+first)
		if !strings.Contains(lastLine(out), "http://www.staging.lab answers (nothing to change, changed=0 in ") {
			t.Errorf("the last line is %q", lastLine(out))
		}
	})

	step(t, "a file beside the compose files comes along, and goes with what reads it", func(t *testing.T) {
		write := func(name, text string) {
			t.Helper()
			if err := os.WriteFile(filepath.Join(l.dir, "compose", name), []byte(text), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		write("docker-compose.motd.yml", `services:
  motd:
    image: `+l.registry+`/postgres:15
    entrypoint: [sh, -c, "cat /motd; exec sleep 1000"]
    volumes: ["./motd:/motd:ro"]
`)
		with := l.given("compose=docker-compose.yml,docker-compose.maildev.yml,docker-compose.traefik.yml,docker-compose.persist.yml,docker-compose.motd.yml")
		const text = "it's $HOME, é"
		write("motd", text+"\n")
		with.mustMage(t, "deploy:staging", "-image="+first)
		eventually(t, "the service reads it", func() bool { return l.sh(t, "staging", "docker logs mrs-staging-motd-1") == text })
		if got := l.sh(t, "staging", "cd /home/mrs-staging/.files; stat -c '%a %U' . *"); got != "700 root\n600 root" {
			t.Errorf("the files are\n%s", got)
		}
		if err := os.Remove(filepath.Join(l.dir, "compose/motd")); err != nil {
			t.Fatal(err)
		}
		if r := with.mage(t, "deploy:staging", "-image="+first); r.status == 0 || !strings.Contains(r.output, "motd") || !strings.Contains(r.output, "hint: ") {
			t.Errorf("a file that is not there: exit status %d\n%s", r.status, r.output)
		}
		l.mustMage(t, "deploy:staging", "-image="+first)
		if got := l.sh(t, "staging", "docker ps --all --quiet --filter name=mrs-staging-motd"); got != "" {
			t.Errorf("what is in no compose file any more runs: %s", got)
		}
	})

	step(t, "-dryRun tells the difference and no secret, and changes nothing", func(t *testing.T) {
		// What else is on the machine is deployed meanwhile.
		const state = "cd /home/mrs-staging; md5sum docker-compose.yml; docker ps -q --filter name=mrs-staging-; wc -l /var/log/mrs-ops/mrs-staging.log"
		before := l.sh(t, "staging", state)
		r := l.run(t, append([]string{"env", "SECRET_KEY=hush-new"}, l.targets("deploy:staging", "-image="+second, "-dryRun")...)...)
		for _, want := range []string{"- services.django.image: " + first, "+ services.django.image: " + second, "+ services.django.environment.SECRET_KEY: ********", "ansible-playbook "} {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("it does not say %q:\n%s", want, r.output)
			}
		}
		old := l.sh(t, "staging", "sed -n 's/.*SECRET_KEY: //p' /home/mrs-staging/docker-compose.yml")
		if r.status != 0 || strings.Contains(r.output, "hush-new") || strings.Contains(r.output, old) {
			t.Errorf("exit status %d, or a secret in\n%s", r.status, r.output)
		}
		if after := l.sh(t, "staging", state); after != before {
			t.Errorf("before\n%s\nafter\n%s", before, after)
		}
	})

	step(t, "a failed backup stops a deployment", func(t *testing.T) {
		l.sh(t, "staging", "mv /home/mrs-staging/restic/config /home/mrs-staging/restic/config.gone")
		r := l.mage(t, "deploy:staging", "-image="+second)
		l.sh(t, "staging", "mv /home/mrs-staging/restic/config.gone /home/mrs-staging/restic/config")
		if got := version(l.staging, "www.staging.lab"); r.status == 0 || got != "1111111" {
			t.Errorf("exit status %d, and it serves %s\n%s", r.status, got, r.output)
		}
	})

	step(t, "two at once: one runs, the other says who holds the lock; whoever is killed frees it", func(t *testing.T) {
		one := l.begin(t, "backing up what runs", "deploy:staging", "-image="+second)
		two := l.mage(t, "deploy:staging", "-image="+first)
		if two.status == 0 || !strings.Contains(two.output, "staging is locked by ") || !strings.Contains(two.output, "deploy "+second) || !strings.Contains(two.output, "hint: ") {
			t.Errorf("exit status %d\n%s", two.status, two.output)
		}
		if err := one.end(t); err != nil {
			t.Errorf("the first: %v\n%s", err, one.said())
		}
		// A deployment would have ended before Ansible asks for the lock.
		const lock = "/run/lock/mrs-ops/mrs-staging.lock"
		l.sh(t, "staging", "setsid flock --close "+lock+" sleep 3600 >/dev/null 2>&1 </dev/null & until ! flock --nonblock "+lock+" true; do sleep 0.1; done")
		hand := l.run(t, "env", "MRS_ENV=lab", mage, "vagrant:bigsudo", "ansible/deploy.yml @staging instance=staging")
		l.sh(t, "staging", "pkill -f '^(flock --close "+lock+" )?sleep 3600$'")
		if hand.status == 0 || !strings.Contains(hand.output, "is locked by somebody else") {
			t.Errorf("by hand: exit status %d\n%s", hand.status, hand.output)
		}
		killed := l.begin(t, "starting the new django", "deploy:staging", "-image="+first)
		if err := killed.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		eventually(t, "what was killed is no longer locked", func() bool {
			r := l.mage(t, "deploy:staging", "-image="+first)
			if r.status != 0 && !strings.Contains(r.output, "is locked by") {
				t.Fatalf("exit status %d\n%s", r.status, r.output)
			}
			return r.status == 0
		})
		if got := version(l.staging, "www.staging.lab"); got != "1111111" {
			t.Errorf("it serves %s", got)
		}
		l.whole(t, "staging", "mrs-staging", "/home/mrs-staging")
	})

	step(t, "Ctrl-C: the site answers, nothing is half done", func(t *testing.T) {
		leave := visitors(l.staging, "www.staging.lab", 5, alive)
		for _, phase := range []string{"backing up what runs", "has taken over"} {
			d := l.begin(t, phase, "deploy:staging", "-image="+second)
			if err := syscall.Kill(-d.Process.Pid, syscall.SIGINT); err != nil {
				t.Fatal(err)
			}
			err := d.end(t)
			got := version(l.staging, "www.staging.lab")
			t.Logf("at %q: %v; it serves %s", phase, err, got)
			e := l.last(t, "staging")
			switch {
			case err == nil || !strings.Contains(d.said(), "Error: staging: interrupted: "):
				t.Errorf("at %q: %v\n%s", phase, err, d.said())
			case got == "2222222" && phase == "has taken over": // beyond the point of no return
				if e.Outcome != "ok" || !strings.Contains(d.said(), "it was done all the same") {
					t.Errorf("at %q it was done, and the audit log says %+v\n%s", phase, e, d.said())
				}
				l.mustMage(t, "deploy:staging", "-image="+first)
			case got != "1111111" || e.Outcome != "interrupted":
				t.Errorf("at %q it serves %s, and the audit log says %+v\n%s", phase, got, e, d.said())
			}
			l.whole(t, "staging", "mrs-staging", "/home/mrs-staging")
		}
		l.mustMage(t, "deploy:staging", "-image="+second)
		allServed(t, leave())
	})

	step(t, "what a deployment that is killed in the middle leaves is tidied up by the next one", func(t *testing.T) {
		d := l.begin(t, "it is healthy", "deploy:staging", "-image="+first)
		l.sh(t, "staging", `kill -KILL "$(cat /run/lock/mrs-ops/mrs-staging.pid)"`)
		if err := d.end(t); err == nil {
			t.Error("it ended well")
		}
		if got := version(l.staging, "www.staging.lab"); got != "1111111" && got != "2222222" {
			t.Errorf("it serves %s", got)
		}
		l.mustMage(t, "deploy:staging", "-image="+second)
		if got := version(l.staging, "www.staging.lab"); got != "2222222" {
			t.Errorf("it serves %s", got)
		}
		l.whole(t, "staging", "mrs-staging", "/home/mrs-staging")
	})

	step(t, "day-to-day: test mail, logs, commands", func(t *testing.T) {
		l.mustMage(t, "ops:sendTestEmail", "staging", "day-to-day@example.org")
		if got := l.mailed(t, "mrs-staging-mail-1"); got["day-to-day@example.org"] != 1 {
			t.Errorf("the mail server has %v", got)
		}
		if out := l.mustMage(t, "ops:logs", "staging", "-service=django"); !strings.Contains(out, "=> generated ") {
			t.Errorf("the logs are\n%s", out)
		}
		if out := l.sh(t, "staging", "journalctl --output cat CONTAINER_NAME=$(docker ps --format '{{.Names}}' --filter name=mrs-staging-django)"); !strings.Contains(out, "=> generated ") {
			t.Errorf("the journal has\n%s", out)
		}
		if out := l.mustMage(t, "ops:exec", "staging", `printf '%s|' "a b" '$HOME'`); out != "a b|$HOME|" {
			t.Errorf("it printed %q", out)
		}
		if out := l.mustMage(t, "ops:manage", "staging", "showmigrations person"); !strings.Contains(out, "[X] 0001_initial") {
			t.Errorf("it printed %q", out)
		}
		l.mustMage(t, "ops:restart", "staging", "-service=django")
		if e := l.last(t, "staging"); !strings.HasPrefix(e.What, "restart") || e.Outcome != "ok" {
			t.Errorf("the audit log says %+v", e)
		}
	})
}

// deploymentsOfBranches are those of the branches.
func deploymentsOfBranches(t *testing.T, l rehearsal) {
	step(t, "a branch lets dev in, and comes back when the engine does", func(t *testing.T) {
		enters := func() int {
			request, err := http.NewRequest(http.MethodGet, "http://"+l.staging+"/", nil)
			if err != nil {
				t.Fatal(err)
			}
			request.Host = "plain.test.lab"
			request.SetBasicAuth("dev", "dev")
			answer, err := http.DefaultClient.Do(request)
			if err != nil {
				return 0
			}
			answer.Body.Close()
			return answer.StatusCode
		}
		if got := enters(); got != http.StatusOK {
			t.Errorf("it answers %d", got)
		}
		if got := l.sh(t, "staging", "docker inspect --format '{{.HostConfig.RestartPolicy.Name}}' test-plain-django-1 test-plain-postgres-1 test-plain-mail-1"); got != "unless-stopped\nunless-stopped\nunless-stopped" {
			t.Errorf("after a reboot: %s", got)
		}
	})

	step(t, "the branches of a server: listed, extended, and gone when their time has passed", func(t *testing.T) {
		// A lab that is kept may have others.
		if out := l.mage(t, "deploy:branches").output; !strings.Contains(out, "test-plain ") || !strings.Contains(out, "test-"+slug+" ") || !strings.Contains(out, "7d") || !strings.Contains(out, " branches on vagrant@staging") {
			t.Errorf("the branches are\n%s", out)
		}
		l.mustMage(t, "deploy:extend", "plain", "72h")
		if out := l.mustMage(t, "deploy:branches"); !strings.Contains(out, "10d") {
			t.Errorf("the branches are\n%s", out)
		}
		r := l.mage(t, "ops:status")
		for _, want := range []string{"production", "staging", "ecole", "test-plain", "test-" + slug} {
			if !strings.Contains(r.stdout, want) {
				t.Errorf("%s has no row:\n%s", want, r.output)
			}
		}
		// Somebody else is at work on staging and ecole.
		const others = "docker ps --format '{{.Names}}' | grep -v -e mrs-ecole -e mrs-staging"
		neighbours := l.sh(t, "staging", others+" -e "+slug)
		l.sh(t, "staging", "echo 1600000000 >/root/.yourlabs.compose/test-"+slug+"/removeat")
		l.sh(t, "staging", "systemctl is-active mrs-ops-branches.timer; systemctl start mrs-ops-branches.service")
		if left := l.sh(t, "staging", "docker ps --all --quiet --filter label=com.docker.compose.project=test-"+slug+"; docker volume ls --quiet --filter label=com.docker.compose.project=test-"+slug+"; ls -d /root/.yourlabs.compose/test-"+slug+" 2>/dev/null || true"); left != "" {
			t.Errorf("of the branch is left\n%s", left)
		}
		if now := l.sh(t, "staging", others); now != neighbours {
			t.Errorf("its neighbours were\n%s\nand are\n%s", neighbours, now)
		}
		if said := l.sh(t, "staging", "journalctl --unit mrs-ops-branches.service --output cat"); !strings.Contains(said, "test-"+slug+" is removed: its time has passed") {
			t.Errorf("the journal says\n%s", said)
		}
		if e := l.last(t, hostile); !strings.HasPrefix(e.What, "removed") {
			t.Errorf("the audit log says %+v", e)
		}
		l.mustMage(t, "deploy:destroy", "plain", "-yes")
		if out := l.mage(t, "deploy:branches").output; strings.Contains(out, "test-plain ") || strings.Contains(out, "test-"+slug+" ") || !strings.Contains(out, " branches on vagrant@staging") {
			t.Errorf("the branches are\n%s", out)
		}
		l.healthy(t)
	})
}

// pipeline returns the environment that a CI system gives a run, as recorded.
func pipeline(t *testing.T, name string) []string {
	t.Helper()
	folder := filepath.Join(root, "internal/ci")
	content, err := os.ReadFile(filepath.Join(folder, "testdata", name+".env"))
	if err != nil {
		t.Fatal(err)
	}
	env := strings.Split(strings.TrimSpace(string(content)), "\n")
	for i, pair := range env {
		env[i] = strings.Replace(pair, "GITHUB_EVENT_PATH=", "GITHUB_EVENT_PATH="+folder+"/", 1)
	}
	return env
}

// runner returns the environment of a CI runner's process: none of this
// machine's CI, and a temporary folder of its own.
func (l rehearsal) runner(folder string, more ...string) []string {
	env := slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains([]string{"CI", "GITLAB_CI", "GITHUB_ACTIONS", "DRONE"}, name)
	})
	return slices.Concat(env, []string{"MRS_ENV=lab", "TMPDIR=" + folder, "REPO=" + l.registry + "/mrs-e2e/app"}, more)
}

// fromCI deploys as the pipelines do.
func fromCI(t *testing.T, l rehearsal) {
	const commit = "3f1c9ad0b7e24c5d8a6f90e1b2c3d4e5f6a7b8c9" // of all that was recorded
	l.image(t, commit, commit)
	key := filepath.Join(t.TempDir(), "key")
	must(t, "ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", key)
	public, private := string(readFile(t, key+".pub")), string(readFile(t, key))
	var fingerprints string
	for _, machine := range []string{"production", "staging"} {
		l.sh(t, machine, "echo '"+strings.TrimSpace(public)+"' >>~vagrant/.ssh/authorized_keys")
		config := l.must(t, "ssh", "-G", "-F", ".vagrant-ssh", machine)
		field := func(name string) string {
			return regexp.MustCompile(`(?m)^` + name + ` (\S+)$`).FindStringSubmatch(config)[1]
		}
		fingerprints += must(t, "ssh-keyscan", "-T", "10", "-p", field("port"), field("hostname")) + "\n"
	}
	// values are what an instance on a machine was deployed with.
	values := func(machine, home string) string {
		return "\nDB_PASSWORD=" + l.sh(t, machine, "sed -n 's/.*POSTGRES_PASSWORD: //p' "+home+"/docker-compose.yml") +
			"\nRESTIC_PASSWORD=" + l.sh(t, machine, "cat "+home+"/.restic_password")
	}

	t.Run("what is missing is listed at once, and nothing is touched", func(t *testing.T) {
		before := l.sh(t, "staging", "wc -l /var/log/mrs-ops/mrs-staging.log")
		cmd := exec.Command(mage, "ci:deploy")
		cmd.Dir, cmd.Env = l.dir, l.runner(t.TempDir(), pipeline(t, "gitlab-push-master")...)
		out, err := cmd.CombinedOutput()
		for _, want := range []string{"SSH_KEY", "SSH_FINGERPRINTS", "STAGING_ENV"} {
			if err == nil || !strings.Contains(string(out), want+" is missing") {
				t.Errorf("%s is not listed (%v):\n%s", want, err, out)
			}
		}
		if after := l.sh(t, "staging", "wc -l /var/log/mrs-ops/mrs-staging.log"); after != before {
			t.Error("something was done")
		}
	})

	const secret = "hush-Se$cret #1"
	for _, c := range []struct {
		name, recorded, variable, values string
		machine, project, address, host  string
		audit, folded                    string
	}{
		{"a push of master, by GitLab, deploys staging", "gitlab-push-master", "STAGING_ENV", values("staging", "/home/mrs-staging"),
			"staging", "mrs-staging", l.staging, "www.staging.lab", "staging", "section_start:"},
		{"a promotion, by Drone, deploys production", "drone-promote-production", "PRODUCTION_ENV", values("production", "/home/mrs-production"),
			"production", "mrs-production", l.production, "www.production.lab", "production", ""},
		{"a push of a branch, by GitHub, deploys that", "github-push-branch", "BRANCH_ENV", "\nDB_PASSWORD=x",
			"staging", "test-feature-e-reboot-x-9b0fae6", l.staging, "feature-e-reboot-x-9b0fae6.test.lab", `feature/É$(reboot)_x`, "::group::"},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			folder := t.TempDir()
			seen := watch(t)
			cmd := exec.Command(mage, "ci:deploy")
			cmd.Dir = l.dir
			cmd.Env = l.runner(folder, append(pipeline(t, c.recorded),
				"SSH_KEY="+private, "SSH_FINGERPRINTS="+fingerprints, c.variable+"=SECRET_KEY='"+secret+"'"+c.values)...)
			out, err := cmd.CombinedOutput()
			processes := seen()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			if got := version(c.address, c.host); got != commit {
				t.Errorf("%s serves %s", c.host, got)
			}
			// GitHub is told what to mask, in the only way there is.
			shown := regexp.MustCompile(`(?m)^::add-mask::.*$`).ReplaceAllString(string(out), "")
			for _, s := range []string{secret, strings.Split(private, "\n")[2]} {
				if strings.Contains(shown, s) || strings.Contains(processes, s) {
					t.Errorf("a secret is in the output or in ps:\n%s", out)
				}
			}
			if !strings.Contains(string(out), c.folded) {
				t.Errorf("the output is not folded:\n%s", out)
			}
			if got := l.sh(t, c.machine, "docker exec $(docker ps --quiet --filter name="+c.project+"-django) printenv SECRET_KEY"); got != secret {
				t.Errorf("SECRET_KEY became %q", got)
			}
			if left, _ := filepath.Glob(filepath.Join(folder, "*")); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
			if e := l.last(t, c.audit); !strings.Contains(strings.ToLower(e.Who), c.recorded[:5]) || e.Outcome != "ok" {
				t.Errorf("the audit log says %+v", e)
			}
		})
	}
}

// mailed returns how many mails for whom a test server on staging's machine has.
func (l rehearsal) mailed(t *testing.T, container string) map[string]int {
	t.Helper()
	out := l.sh(t, "staging", "curl --silent --fail http://$(docker inspect --format '{{.NetworkSettings.Networks.web.IPAddress}}' "+container+"):8025/api/v2/messages")
	var messages struct {
		Items []struct{ Raw struct{ To []string } }
	}
	if err := json.Unmarshal([]byte(out), &messages); err != nil {
		t.Fatal(err)
	}
	got := map[string]int{}
	for _, message := range messages.Items {
		for _, to := range message.Raw.To {
			got[to]++
		}
	}
	return got
}
