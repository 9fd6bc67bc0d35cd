//go:build e2e

package e2e

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// targets returns the command line of a target in the lab. Nobody is asked, as
// on a terminal nobody answers, and CI's own rules are for those who say so.
func (l rehearsal) targets(words ...string) []string {
	return append([]string{"env", "--unset=CI", "MRS_ENV=lab", mage}, words...)
}

// given is the lab with more in the environment of what is run.
func (l rehearsal) given(env ...string) rehearsal {
	l.clone = l.with(env...)
	return l
}

func (l rehearsal) mage(t *testing.T, words ...string) result {
	t.Helper()
	return l.run(t, l.targets(words...)...)
}

func (l rehearsal) mustMage(t *testing.T, words ...string) string {
	t.Helper()
	return l.must(t, l.targets(words...)...)
}

// image builds an application of its own version, which Dockerfile lines may
// change, and returns what the machines call it.
func (l rehearsal) image(t *testing.T, tag, version string, lines ...string) string {
	t.Helper()
	name := "mrs-e2e/app:" + tag
	build(t, name, "FROM betagouv/mrs:master\nENV GIT_COMMIT="+version+"\n"+strings.Join(lines, "\n")+"\n")
	t.Cleanup(func() { run(t, nil, "docker", "rmi", "--no-prune", name) })
	return lastLine(l.must(t, mage, "lab:push", name))
}

// sh runs a script as root on a machine.
func (l rehearsal) sh(t *testing.T, machine, script string) string {
	t.Helper()
	out, err := l.shell(machine, script)
	if err != nil {
		t.Fatalf("on %s: %v\n%s\n%s", machine, err, script, out)
	}
	return strings.TrimSpace(out)
}

// shell does that, by a connection that the next one has, too: a new one takes longer than most scripts, and there are
// five hundred. Where it is gone, as the machine was off, ssh makes another.
func (l rehearsal) shell(machine, script string) (string, error) {
	cmd := exec.Command("ssh", "-F", ".vagrant-ssh", "-o", "ControlMaster=auto", "-o", "ControlPersist=60",
		"-o", "ControlPath="+filepath.Join(filepath.Dir(mage), "%C"), machine, "sudo", "bash", "-s")
	cmd.Dir = l.dir
	cmd.Stdin = strings.NewReader("set -euo pipefail\n" + script)
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// alive is what everybody gets, whatever the database, maintenance and basic auth say.
const alive = "/static/img/favicon.ico"

// version returns the commit that a site serves; what it says instead if it
// does not answer.
func version(address, host string) string {
	request, err := http.NewRequest(http.MethodGet, "http://"+address+alive, nil)
	if err != nil {
		return err.Error()
	}
	request.Host = host
	client := http.Client{Timeout: 10 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		return answer.Status
	}
	return answer.Header.Get("X-Demo-Commit")
}

// visit asks a site for a path, or with POST before it sends a form there, and returns the answer's status or what
// went wrong.
func visit(client *http.Client, address, host, path string) string {
	method, body := http.MethodGet, io.Reader(nil)
	if posted, ok := strings.CutPrefix(path, "POST "); ok {
		method, body, path = http.MethodPost, strings.NewReader("email=somebody@example.org"), posted
	}
	request, err := http.NewRequest(method, "http://"+address+path, body)
	if err != nil {
		return err.Error()
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	}
	request.Host = host
	answer, err := client.Do(request)
	if err != nil {
		return err.Error()
	}
	defer answer.Body.Close()
	if _, err := io.Copy(io.Discard, answer.Body); err != nil {
		return err.Error()
	}
	return answer.Status
}

// visitors ask a site rate times a second for one of paths, in turn; POST before
// a path sends a form there. They do until the function that is returned is called, which tells how often each answer came.
func visitors(address, host string, rate int, paths ...string) (leave func() map[string]int) {
	client := &http.Client{Timeout: time.Minute, Transport: &http.Transport{MaxIdleConnsPerHost: 64}}
	answers := map[string]int{}
	var mu sync.Mutex
	var all sync.WaitGroup
	gone := make(chan struct{})
	all.Go(func() {
		tick := time.NewTicker(time.Second / time.Duration(rate))
		defer tick.Stop()
		for n := 0; ; n++ {
			select {
			case <-gone:
				return
			case <-tick.C:
			}
			all.Go(func() {
				status := visit(client, address, host, paths[n%len(paths)])
				mu.Lock()
				defer mu.Unlock()
				answers[status]++
			})
		}
	})
	return func() map[string]int {
		close(gone)
		all.Wait()
		return answers
	}
}

// allServed fails the test unless every visitor was served.
func allServed(t *testing.T, answers map[string]int) {
	t.Helper()
	t.Logf("visitors got %v", answers)
	if len(answers) != 1 || answers["200 OK"] == 0 {
		t.Errorf("visitors got %v", answers)
	}
}

// underLoad has visitors ask for paths, and fails the test unless all of them are
// served while something happens, as often as rounds says. They are 70 % of as many a
// second as the site keeps pace with while nothing happens: of rate or, where this
// machine is busy with something else, of fewer. A failure counts where the site kept
// pace before what happened and does after it.
func underLoad(t *testing.T, address, host string, rate, rounds int, paths []string, happens func()) {
	t.Helper()
	served := func(rate int, meanwhile func()) (answers map[string]int, pace bool) {
		leave := visitors(address, host, rate, paths...)
		meanwhile()
		late := time.Now()
		answers = leave()
		queue := time.Since(late)
		t.Logf("%d a second: visitors got %v, the last one after %s", rate, answers, queue.Round(10*time.Millisecond))
		return answers, len(answers) == 1 && answers["200 OK"] > 0 && queue < 2*time.Second
	}
	nothing := func() { time.Sleep(15 * time.Second) }
	for done := 0; done < rounds; {
		if rate <= 10 {
			t.Fatalf("this machine is too busy to serve %d visitors a second, even while nothing happens", rate)
		}
		if _, pace := served(rate, nothing); !pace {
			rate = rate * 7 / 10
			continue
		}
		answers, _ := served(rate*7/10, happens)
		if len(answers) == 1 && answers["200 OK"] > 0 {
			done++
			continue
		}
		if _, pace := served(rate, nothing); pace {
			t.Fatalf("visitors got %v; before and after it, all of them were served at once", answers)
		}
		rate = rate * 7 / 10
	}
}

// entry is a line of the audit log.
type entry struct{ Who, What, Outcome, Reason, Commit string }

// last returns the last line of an instance's audit log.
func (l rehearsal) last(t *testing.T, instance string) entry {
	t.Helper()
	var entries []entry
	if err := json.Unmarshal([]byte(l.mustMage(t, "ops:audit", instance, "-json")), &entries); err != nil || len(entries) == 0 {
		t.Fatalf("the audit log of %s: %v, %v", instance, entries, err)
	}
	return entries[len(entries)-1]
}

// whole fails the test unless the instance of project in folder is as a
// deployment that has ended leaves it.
func (l rehearsal) whole(t *testing.T, machine, project, folder string) {
	t.Helper()
	left := l.sh(t, machine, `
cd `+folder+`
find . -maxdepth 1 -name '.deploy.*'
for lock in lock work; do # there are none after a boot
  file=/run/lock/mrs-ops/`+project+`.$lock
  [ ! -e "$file" ] || flock --nonblock "$file" true || echo "$file is held"
done
n=$(docker ps --all --quiet --filter label=com.docker.compose.project=`+project+` --filter label=com.docker.compose.service=django | wc -l)
[ "$n" = 1 ] || echo "there are $n containers of django"
docker compose --project-name `+project+` --env-file /dev/null --file docker-compose.yml config --quiet`)
	if left != "" {
		t.Errorf("%s is not whole: %s", project, left)
	}
}

// began is a target that was started and has said what was waited for.
type began struct {
	*exec.Cmd
	output *lockedBuffer
	ended  chan error
}

// start starts a command in a process group of its own, as a terminal does.
func (l rehearsal) start(t *testing.T, argv ...string) began {
	t.Helper()
	b := began{Cmd: exec.Command(argv[0], argv[1:]...), output: &lockedBuffer{}, ended: make(chan error, 1)}
	b.Dir, b.Stdout, b.Stderr = l.dir, b.output, b.output
	b.Env = append(os.Environ(), l.env...)
	b.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	b.WaitDelay = time.Minute
	if err := b.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { b.ended <- b.Wait() }()
	return b
}

// begin starts a target, and waits until it has said so much.
func (l rehearsal) begin(t *testing.T, until string, words ...string) began {
	t.Helper()
	b := l.start(t, l.targets(words...)...)
	deadline := time.After(2 * time.Minute)
	for !strings.Contains(b.said(), until) {
		select {
		case err := <-b.ended:
			t.Fatalf("%v ended (%v) before it said %q:\n%s", words, err, until, b.said())
		case <-deadline:
			t.Fatalf("%v does not say %q:\n%s", words, until, b.said())
		case <-time.After(20 * time.Millisecond):
		}
	}
	return b
}

func (b began) said() string { return b.output.String() }

// end waits for the end of it: ten minutes, as on a machine at its slowest an application takes two to start. What hangs
// is killed, so that it holds no lock that the next test needs.
func (b began) end(t *testing.T) error {
	t.Helper()
	select {
	case err := <-b.ended:
		return err
	case <-time.After(10 * time.Minute):
		_ = b.Process.Kill()
		t.Fatalf("it does not end:\n%s", b.said())
	}
	return nil
}

// container returns the container that is a machine.
func (l rehearsal) container(t *testing.T, machine string) string {
	t.Helper()
	return must(t, "docker", "ps", "--quiet", "--filter", "name="+filepath.Base(l.dir)+"_"+machine)
}

// watch collects the command lines of all processes, as ps reads them, until the function that is
// returned is called.
func watch(t *testing.T) (seen func() string) {
	ctx, cancel := context.WithCancel(t.Context())
	var all bytes.Buffer
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		for ctx.Err() == nil {
			lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
			for _, file := range lines {
				argv, _ := os.ReadFile(file) // it may have ended
				all.Write(append(bytes.ReplaceAll(argv, []byte{0}, []byte{' '}), '\n'))
			}
			time.Sleep(200 * time.Millisecond)
		}
	}()
	return func() string {
		cancel()
		<-ended
		return all.String()
	}
}

func readFile(t *testing.T, path string) []byte {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return content
}
