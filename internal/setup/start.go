package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/engine"
	"github.com/betagouv/mrs-ops/internal/local"
)

type starter struct {
	name string
	argv []string
}

// inBackground starts $1 in a session of its own, with nothing of ours open,
// and its log in $0: whoever waits for the end of our output must not wait for
// the end of the engine's. It prints the process id.
const inBackground = `setsid "$1" >>"$0" 2>&1 </dev/null & echo $!`

// starters are the ways that this machine has, the best first.
func (m *machine) starters() []starter {
	var ways []starter
	if _, err := os.Stat(m.systemd); err == nil {
		ways = append(ways, starter{"systemctl", []string{"systemctl", "enable", "--now", "docker"}})
	}
	if service, err := m.find("service"); err == nil {
		ways = append(ways, starter{"service", []string{service, "docker", "start"}})
	}
	dockerd, err := m.find("dockerd")
	if err != nil {
		dockerd = "dockerd" // not installed yet
	}
	return append(ways, starter{"dockerd", []string{"sh", "-c", inBackground, m.dockerdLog, dockerd}})
}

// startEngine starts the engine in the first way that works, and returns its
// name. Packages that start it themselves are left to it.
func (m *machine) startEngine(ctx context.Context) (string, error) {
	if _, err := engine.Version(ctx); err == nil {
		return "its package", nil
	}
	local.KeepToOurselves()
	var errs []error
	for _, way := range m.starters() {
		said, err := local.Combined(ctx, m.root(way.argv...)...)
		if err == nil {
			err = m.await(ctx, way.name, func() bool { return way.name == "dockerd" && ended(said) })
		}
		if err == nil {
			return way.name, nil
		}
		errs = append(errs, err)
		if ctx.Err() != nil {
			break
		}
	}
	if said := m.engineLog(ctx); said != "" {
		errs = append(errs, fmt.Errorf("the end of %s:\n%s", m.dockerdLog, said))
	}
	return "", fmt.Errorf("the Docker engine can't be started:\n%w\nhint: run `dockerd` as root to watch it fail; "+
		"in a container it needs capabilities that only the container's host can give", errors.Join(errs...))
}

// await polls until the engine answers, for as long as m has patience, which
// is short with an engine that has ended.
func (m *machine) await(ctx context.Context, startedBy string, ended func() bool) error {
	defer m.pulsing("docker: waiting for the engine")()
	began, patience := time.Now(), m.patience
	for {
		_, err := engine.Version(ctx)
		if err == nil {
			return nil
		}
		took := time.Since(began)
		if ended() {
			patience = min(patience, took+m.grace)
		}
		if took > patience || ctx.Err() != nil {
			return fmt.Errorf("started by %s, but after %v it does not answer: %w", startedBy, took.Round(time.Second), err)
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// ended reports whether the process whose id is printed in said has ended, be
// it that nobody has taken note of that yet (a zombie, proc(5)).
func ended(said string) bool {
	stat, err := os.ReadFile(filepath.Join("/proc", strings.TrimSpace(said), "stat"))
	_, state, _ := strings.Cut(string(stat), ") ")
	return err != nil || strings.HasPrefix(state, "Z")
}

// engineLog returns the end of the log of an engine that nobody keeps a log of.
func (m *machine) engineLog(ctx context.Context) string {
	said, err := local.Output(ctx, m.root("tail", "-n", "20", m.dockerdLog)...)
	if err != nil {
		return "" // it never got as far as to write one
	}
	return strings.TrimSpace(said)
}

// startByHand returns the lines that start the engine, unless it seems to run,
// and let this account talk to it.
func (m *machine) startByHand(p plan, root func(argv ...string) string) []string {
	var lines []string
	if !p.denied {
		var ways []string
		for _, way := range m.starters() {
			ways = append(ways, root(way.argv...))
		}
		lines = append(lines, strings.Join(ways, " || "))
	}
	if me, err := user.Current(); err == nil {
		lines = append(lines, root("usermod", "-aG", "docker", me.Username)+" # then log in again")
	}
	return lines
}
