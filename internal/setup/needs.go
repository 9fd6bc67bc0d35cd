package setup

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"sync"

	"github.com/betagouv/mrs-ops/internal/engine"
	"github.com/betagouv/mrs-ops/internal/local"
)

// need is one thing that this machine may lack; needs.tsv says what its fields are.
type need struct {
	name, what, program, version, least, os string
	apt, dnf, brew                          string
	docs                                    string
}

//go:embed needs.tsv
var needsText string

// table is all that can be needed.
var table = func() (all []need) {
	for line := range strings.Lines(needsText) {
		if f := strings.Split(strings.TrimSuffix(line, "\n"), "\t"); !strings.HasPrefix(line, "#") {
			all = append(all, need{f[0], f[1], f[2], f[3], f[4], f[5], f[6], f[7], f[8], f[9]})
		}
	}
	return all
}()

// finding is what a check found out about a need.
type finding struct {
	need    *need
	version string
	err     error // nil if all is well
	install bool  // packages may mend err
	start   bool  // starting the engine may mend err
}

// check looks at all the needs at the same moment, but for those that are
// known to serve.
func (m *machine) check(ctx context.Context, needs []*need) []finding {
	findings := make([]finding, len(needs))
	var all sync.WaitGroup
	for i, n := range needs {
		if f, known := m.served[n.name]; known {
			findings[i] = f
			continue
		}
		all.Go(func() { findings[i] = m.checkOne(ctx, n) })
	}
	all.Wait()
	for _, f := range findings {
		if f.err == nil {
			m.served[f.need.name] = f
		}
	}
	return findings
}

func (m *machine) checkOne(ctx context.Context, n *need) finding {
	switch n.name {
	case "docker":
		return m.checkEngine(ctx, n)
	case "compose":
		return m.checkCompose(ctx, n)
	default:
		return m.checkProgram(ctx, n)
	}
}

func (m *machine) checkProgram(ctx context.Context, n *need) finding {
	program, err := m.find(n.program)
	if err != nil {
		return finding{need: n, err: err, install: true}
	}
	if n.version == "" {
		return finding{need: n}
	}
	// logrotate tells it on standard error.
	said, err := local.Combined(ctx, append([]string{program}, strings.Fields(n.version)...)...)
	return judge(n, said, err)
}

func (m *machine) checkCompose(ctx context.Context, n *need) finding {
	if _, err := m.find(n.program); err != nil {
		return finding{need: n, err: err, install: true}
	}
	said, err := engine.Output(ctx, "compose", "version", "--short")
	return judge(n, said, err)
}

// judge reads the version from what a program said.
func judge(n *need, said string, err error) finding {
	f := finding{need: n, version: dotted.FindString(said), err: err}
	switch {
	case err != nil:
	case f.version == "":
		line, _, _ := strings.Cut(said, "\n")
		f.err = fmt.Errorf("%s tells no version: %q", n.program, line)
	case !atLeast(f.version, n.least):
		f.err = fmt.Errorf("%s %s is too old: %s is the oldest that serves", n.what, f.version, n.least)
	}
	f.install = f.err != nil
	return f
}

// defaultEndpoint is the only one whose engine is ours to start.
const defaultEndpoint = "unix:///var/run/docker.sock"

func (m *machine) checkEngine(ctx context.Context, n *need) finding {
	if _, err := m.find(n.program); err != nil {
		return finding{need: n, err: err, install: true, start: runtime.GOOS == "linux"}
	}
	said, err := engine.Version(ctx)
	if err == nil {
		return finding{need: n, version: dotted.FindString(said)}
	}
	f := finding{need: n, err: fmt.Errorf("no engine answers: %w", err)}
	endpoint, _ := local.Output(ctx, "docker", "context", "inspect", "--format", "{{.Endpoints.docker.Host}}")
	switch {
	case endpoint != "" && endpoint != defaultEndpoint:
		f.err = fmt.Errorf("%w\nhint: start the engine at %s, or choose this machine's: "+
			"docker context use default, DOCKER_HOST not set", f.err, endpoint)
	case strings.Contains(err.Error(), "API version"):
		f.err = fmt.Errorf("%w\nhint: the client and the engine are too far apart in age: update the older one", f.err)
	case runtime.GOOS == "darwin":
		f.err = fmt.Errorf("%w\nhint: start Docker Desktop, or: brew install colima && colima start", f.err)
	default:
		_, noEngine := m.find("dockerd")
		f.install, f.start = noEngine != nil, true
	}
	return f
}

// find returns the path of a program, also of one that lives where only root
// usually looks.
func (m *machine) find(program string) (string, error) {
	path, err := exec.LookPath(program)
	if err == nil {
		return path, nil
	}
	for _, dir := range m.sbin {
		path := filepath.Join(dir, program)
		if info, err := os.Stat(path); err == nil && !info.IsDir() && info.Mode()&0o111 != 0 {
			return path, nil
		}
	}
	return "", errors.New(program + " is not installed")
}

var dotted = regexp.MustCompile(`\d+(\.\d+)+`)

// atLeast reports whether version, dotted numbers, is not older than least.
func atLeast(version, least string) bool {
	have, want := strings.Split(version, "."), strings.Split(least, ".")
	for i := range want {
		if i == len(have) {
			return false
		}
		h, _ := strconv.Atoi(have[i])
		w, _ := strconv.Atoi(want[i])
		if h != w {
			return h > w
		}
	}
	return true
}
