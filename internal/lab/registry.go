package lab

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"net/http"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/gofrs/flock"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/local"
)

// Where the registry of this project's lab leaves what it must remember.
var (
	state      = filepath.Join(".vagrant", "lab")
	pidFile    = filepath.Join(state, "registry.json")
	configFile = filepath.Join(state, "registry.yml")
	logFile    = filepath.Join(state, "registry.log")
)

const (
	program = "docker-registry"
	// port is the usual one; where it is taken, any that is free.
	port = 5000
	// patience is how long a registry may take to answer or to end.
	patience = 10 * time.Second
)

// registry is the process that serves images to the machines.
type registry struct {
	PID     int    `json:"pid"`
	Address string `json:"address"` // ADDRESS:PORT
}

// startRegistry returns a registry that answers on the network which this
// machine shares with the machines, and on no other. One that does so stays.
func startRegistry(ctx context.Context, machines map[string]netip.Addr) (registry, error) {
	here, err := seenFrom(machines)
	old, readErr := readRegistry()
	if err := errors.Join(err, readErr); err != nil {
		return registry{}, err
	}
	if old.runs() && strings.HasPrefix(old.Address, here.String()+":") && old.answers(ctx) == nil {
		return old, nil
	}
	if err := stopRegistry(); err != nil {
		return registry{}, err
	}
	_, oldPort, _ := net.SplitHostPort(old.Address)
	wanted, _ := strconv.Atoi(oldPort)
	// The same port as before: the machines and the env files know it.
	return launch(ctx, here, cmp.Or(wanted, port))
}

// free returns the address with the port wanted, or with another if that is taken.
func free(here netip.Addr, wanted int) (string, error) {
	var errs []error
	for _, p := range []int{wanted, 0} {
		listener, err := net.Listen("tcp", net.JoinHostPort(here.String(), strconv.Itoa(p)))
		if err == nil {
			return listener.Addr().String(), listener.Close()
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("no port of %s is free for the registry: %w", here, errors.Join(errs...))
}

// config is Distribution's configuration (its "Configuring a registry").
func config(address, data string) string {
	return fmt.Sprintf(`# Written by mage lab:up.
version: 0.1
log:
  level: info
  accesslog:
    disabled: true
storage:
  filesystem:
    rootdirectory: %q
http:
  addr: %q
`, data, address)
}

// launch starts a registry in a session of its own, at the port wanted if that is
// free: it stays when this process, its terminal and who waits for its output are gone.
func launch(ctx context.Context, here netip.Addr, wanted int) (registry, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return registry{}, fmt.Errorf("no folder for the registry's images: %w\nhint: set HOME", err)
	}
	data := filepath.Join(cache, "mrs-ops", "registry")
	if err := os.MkdirAll(data, 0o700); err != nil {
		return registry{}, err
	}
	// Until it listens: of two labs that come up side by side, the other would find the same port free,
	// and take this registry's answers for those of its own.
	lock := flock.New(data + ".lock")
	if _, err := lock.TryLockContext(ctx, 50*time.Millisecond); err != nil {
		return registry{}, fmt.Errorf("waiting for the registry of another lab to start: %w", err)
	}
	defer lock.Close()
	address, err := free(here, wanted)
	if err != nil {
		return registry{}, err
	}
	path, err := filepath.Abs(configFile)
	err = errors.Join(err, local.WriteFile(configFile, config(address, data), 0o600))
	if err != nil {
		return registry{}, err
	}
	log, err := os.Create(logFile)
	if err != nil {
		return registry{}, err
	}
	defer log.Close()
	// Its whole path tells it from the registry of another clone's lab.
	cmd := exec.Command(program, "serve", path) // not ended with ctx
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	local.KeepToOurselves()
	if err := cmd.Start(); err != nil {
		return registry{}, err
	}
	r := registry{PID: cmd.Process.Pid, Address: address}
	content, _ := json.Marshal(r) // a number and a text
	if err := local.WriteFile(pidFile, string(content)+"\n", 0o600); err != nil {
		return registry{}, errors.Join(err, cmd.Process.Kill())
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	if err := r.await(ctx, ended); err != nil {
		return registry{}, err
	}
	console.Say("registry %s: started, process %d", address, r.PID)
	return r, nil
}

func (r registry) await(ctx context.Context, ended <-chan error) error {
	deadline := time.After(patience)
	for {
		err := r.answers(ctx)
		if err == nil {
			return nil
		}
		select {
		case end := <-ended:
			said, _ := os.ReadFile(logFile)
			return fmt.Errorf("the registry does not start: %v: %s\nhint: see %s",
				end, local.LastLines(string(said), 1), logFile)
		case <-deadline:
			return fmt.Errorf("the registry runs, but does not answer: %w\nhint: see %s", err, logFile)
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(50 * time.Millisecond):
		}
	}
}

// answers returns nil if a registry answers (its API's "version check").
func (r registry) answers(ctx context.Context) error {
	answer, err := get(ctx, "http://"+r.Address+"/v2/")
	if err != nil {
		return err
	}
	if answer.StatusCode != http.StatusOK || answer.Header.Get("Docker-Distribution-Api-Version") != "registry/2.0" {
		return fmt.Errorf("%s is no registry: it answers %s", r.Address, answer.Status)
	}
	return nil
}

// get asks what is beside us, by no proxy, and returns the head of its answer.
func get(ctx context.Context, url string) (*http.Response, error) {
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	client := http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{DisableKeepAlives: true}}
	answer, err := client.Do(request)
	if err != nil {
		return nil, err
	}
	return answer, answer.Body.Close()
}

// runs reports whether the process is there and is this project's registry, and
// not another that has its id by now (proc(5): the words, each ended by a NUL).
func (r registry) runs() bool {
	path, err := filepath.Abs(configFile)
	if err != nil {
		return false
	}
	words, err := os.ReadFile(filepath.Join("/proc", strconv.Itoa(r.PID), "cmdline"))
	return err == nil && string(words) == program+"\x00serve\x00"+path+"\x00"
}

// readRegistry returns the registry that was started last; the zero value where
// there was none.
func readRegistry() (r registry, err error) {
	content, err := os.ReadFile(pidFile)
	if errors.Is(err, fs.ErrNotExist) {
		return r, nil
	}
	if err != nil {
		return r, err
	}
	if err := json.Unmarshal(content, &r); err != nil {
		return r, fmt.Errorf("%s is damaged: %w\nhint: remove it, after a look at `pgrep -a %s`", pidFile, err, program)
	}
	return r, nil
}

// stopRegistry ends the registry if it runs, and removes what it leaves but the
// images.
func stopRegistry() error {
	r, err := readRegistry()
	if err != nil {
		return err
	}
	if r.runs() {
		if err := r.stop(); err != nil {
			return err
		}
	}
	return os.RemoveAll(state)
}

// stop ends the process: it is asked, and if it does not listen, made to.
func (r registry) stop() error {
	for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGKILL} {
		if err := syscall.Kill(r.PID, signal); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("the registry, process %d, can't be stopped: %w", r.PID, err)
		}
		for deadline := time.Now().Add(patience); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
			if !r.runs() {
				return nil
			}
		}
	}
	return fmt.Errorf("the registry, process %d, does not end", r.PID)
}
