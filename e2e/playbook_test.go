//go:build e2e

package e2e

import (
	"encoding/json"
	"net"
	"net/http"
	"os"
	"strings"
	"sync"
	"testing"
	"time"
)

// slack stands in for Slack's webhooks and keeps what it is told.
type slack struct {
	URL    string
	mu     sync.Mutex
	status int
	texts  []string
	paths  []string
}

// serve serves at an address of this machine's, until the test ends.
func serve(t *testing.T, host string, handler http.HandlerFunc) (address string) {
	t.Helper()
	listener, err := net.Listen("tcp", net.JoinHostPort(host, "0"))
	if err != nil {
		t.Fatal(err)
	}
	server := http.Server{Handler: handler}
	go func() { _ = server.Serve(listener) }()
	t.Cleanup(func() { server.Close() })
	return listener.Addr().String()
}

// newSlack listens at an address of this machine's.
func newSlack(t *testing.T, host string) *slack {
	t.Helper()
	s := &slack{status: http.StatusOK}
	s.URL = "http://" + serve(t, host, func(w http.ResponseWriter, r *http.Request) {
		var message struct{ Text string }
		if err := json.NewDecoder(r.Body).Decode(&message); err != nil || r.Method != http.MethodPost {
			t.Errorf("Slack was sent %s with %v", r.Method, err)
		}
		s.mu.Lock()
		defer s.mu.Unlock()
		s.texts = append(s.texts, message.Text)
		s.paths = append(s.paths, r.URL.Path)
		w.WriteHeader(s.status)
	})
	return s
}

// told returns what Slack was told since the last call.
func (s *slack) told() (texts, paths string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	texts, paths = strings.Join(s.texts, "\n"), strings.Join(s.paths, "\n")
	s.texts, s.paths = nil, nil
	return texts, paths
}

// byHand are the variables of the cookbook, for a stack without home.
func byHand(project string, more ...string) []string {
	return append([]string{
		"ANSIBLE_CONFIG=ansible/ansible.cfg",
		"SECRET_KEY=not secret: 'a' \"b\" $c {{ d }} #e é",
		"HOST=localhost:8771",
		"ALLOWED_HOSTS=127.0.0.1,localhost",
		"BASICAUTH_DISABLE=1",
		"project=" + project,
	}, more...)
}

// playbook runs ansible-playbook as the cookbook's bigsudo does.
func playbook(t *testing.T, env []string, vars ...string) result {
	t.Helper()
	argv := []string{"ansible-playbook", "-i", "localhost,", "-c", "local", "ansible/deploy.yml",
		"-e", `{"mage": ["` + mage + `"]}`, "-e", "pull=never"}
	if os.Geteuid() != 0 {
		argv = append(argv, "--become")
	}
	for _, v := range vars {
		argv = append(argv, "-e", v)
	}
	return run(t, env, argv...)
}

func TestThePlaybookByHandDeploysAnEphemeralInstanceAndTellsSlack(t *testing.T) {
	oneStep(t, 40*time.Second)
	const project = "test-e2e"
	folder := must(t, "bash", "-c", "echo ~root") + "/.yourlabs.compose/" + project
	clean := func() {
		run(t, nil, "docker", "compose", "-p", project, "down", "--volumes", "--remove-orphans")
		run(t, nil, "rm", "-rf", "--", folder)
	}
	clean()
	t.Cleanup(clean)
	slack := newSlack(t, "127.0.0.1")
	env := byHand(project, "SLACK_TOKEN=T0/B0/hush", "SLACK_URL="+slack.URL)
	vars := []string{
		"compose=docker-compose.yml", "compose_django_image=betagouv/mrs:master", "compose_django_build=",
		`{"compose_django_ports": ["8771:8000"]}`,
	}
	mrs := &instance{home: folder, port: 8771}

	t.Run("deploys and fills it", func(t *testing.T) {
		r := playbook(t, env, vars...)
		if r.status != 0 {
			t.Fatalf("exit status %d\n%s", r.status, r.output)
		}
		if status, _ := mrs.get(t, "localhost:8771", "/"); status != http.StatusOK {
			t.Errorf("the site answers %d", status)
		}
		if got := mrs.sql(t, "select count(*) from auth_user where username = 'dev' and is_superuser"); got != "1" {
			t.Errorf("%s superusers are called dev", got)
		}
		if got := mrs.compose(t, "exec", "-T", "django", "printenv", "SECRET_KEY"); "SECRET_KEY="+got != env[1] {
			t.Errorf("SECRET_KEY became %q", got)
		}
		texts, paths := slack.told()
		for _, want := range []string{"environment: deployment to localhost:8771 starts, by ", "\nenvironment: deployed, http://localhost:8771 answers, commit "} {
			if !strings.Contains(texts, want) {
				t.Errorf("Slack was told %q, not %q", texts, want)
			}
		}
		if paths != "/T0/B0/hush\n/T0/B0/hush" {
			t.Errorf("Slack was asked for %q", paths)
		}
		for _, secret := range []string{"hush", "not secret"} {
			if strings.Contains(r.output, secret) {
				t.Errorf("%q is in the output", secret)
			}
		}
	})

	t.Run("changes nothing the second time, though Slack is down", func(t *testing.T) {
		slack.status = http.StatusInternalServerError
		r := playbook(t, env, vars...)
		if r.status != 0 || !strings.Contains(r.output, "changed=0") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		if !strings.Contains(r.output, "Slack did not take the message (status 500)") || strings.Contains(r.output, "hush") {
			t.Errorf("of Slack, the output says\n%s", r.output)
		}
		slack.told()
	})

	t.Run("lists what is missing and touches nothing", func(t *testing.T) {
		before := mrs.compose(t, "ps", "--quiet")
		r := playbook(t, append(env, "SECRET_KEY=", "ALLOWED_HOSTS="), vars...)
		if r.status == 0 || !strings.Contains(r.output, "SECRET_KEY is missing") || !strings.Contains(r.output, "ALLOWED_HOSTS is missing") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		if after := mrs.compose(t, "ps", "--quiet"); after != before {
			t.Error("containers were replaced")
		}
	})

	t.Run("tells Slack why it failed", func(t *testing.T) {
		slack.status = http.StatusOK
		r := playbook(t, env, append(vars, "compose_django_image=mrs-e2e/nowhere:1")...)
		if r.status == 0 {
			t.Errorf("exit status 0\n%s", r.output)
		}
		if texts, _ := slack.told(); !strings.Contains(texts, "environment: deployment to localhost:8771 failed: ") || !strings.Contains(texts, "the image of django, mrs-e2e/nowhere:1, can't be had") {
			t.Errorf("Slack was told %q", texts)
		}
	})
}
