// Package setup makes this machine able to do what is asked of it.
//
// It knows which programs an operation needs, how to tell whether they work,
// and how to get them: from the system's package manager, and for the Compose
// plugin, where nobody packages it, from its source. It must not know what the
// programs are used for, and it grants nobody any right.
package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/local"
)

var (
	// Deploy names what deploying to this machine or to another one needs.
	Deploy = []string{"docker", "compose", "restic", "lftp", "logrotate", "git", "python3", "ssh", "sysctl"}

	// StandIns names what building the images of the demonstration needs.
	StandIns = []string{"docker", "debootstrap"}

	// Vagrant names what the servers of the Vagrantfile need. Where VirtualBox is
	// absent, they need docker as well.
	Vagrant = []string{"vagrant"}

	// Lab names what the lab needs beside what its parts ask for themselves.
	Lab = []string{"docker", "docker-registry", "compose", "ansible"}

	// Lint names what reading the scripts and the playbooks for mistakes needs.
	Lint = []string{"ansible", "shellcheck", "ansible-lint"}

	// Test names what the tests need.
	Test = slices.Concat(Deploy, StandIns, Vagrant, Lab, Lint, []string{"sshd", "ss", "openssl"})
)

// All returns the names of everything that [Need] can set up here.
func All() []string {
	var names []string
	for _, n := range table {
		if n.here() {
			names = append(names, n.name)
		}
	}
	return names
}

// Need makes this machine have what needs name, and says what it does for that.
// It is silent and changes nothing where nothing is missing. Where root is
// needed and can't be had, nothing is changed and the error lists the commands
// that a person who can must run.
func Need(ctx context.Context, say func(format string, args ...any), needs ...string) error {
	one.Lock()
	defer one.Unlock()
	m, err := thisMachine(say)
	if err != nil {
		return err
	}
	return m.need(ctx, needs)
}

var (
	// one keeps targets that run side by side from installing the same thing.
	one sync.Mutex

	// served remembers what was found to serve, by name: programs stay, and
	// targets that depend on each other ask again and again.
	served = map[string]finding{}
)

// Everything is [Need] for [All], and then says how it stands with each.
func Everything(ctx context.Context, say func(format string, args ...any)) error {
	needErr := Need(ctx, say, All()...)
	one.Lock()
	defer one.Unlock()
	m, err := thisMachine(say)
	if err != nil {
		return errors.Join(needErr, err)
	}
	needs, err := lookup(All())
	met := 0
	for _, f := range m.check(ctx, needs) {
		state := "missing"
		if f.err == nil {
			state = "ok"
			met++
		}
		say("%s", strings.TrimSpace(fmt.Sprintf("%-15s %-15s %-8s %s", f.need.name, f.need.what, state, f.version)))
	}
	say("%d of %d needs are met", met, len(needs))
	return errors.Join(needErr, err)
}

// machine is where things are on the machine that is set up.
type machine struct {
	say     func(format string, args ...any)
	root    func(argv ...string) []string
	canRoot func(ctx context.Context) bool

	sbin       []string // where the PATH of an ordinary user does not lead
	systemd    string   // exists where systemd is in charge
	plugins    string   // where the docker command looks for its plugins
	dockerdLog string   // for an engine that nobody else keeps a log of
	cache      string   // what was built here once
	served     map[string]finding
	patience   time.Duration // how long a started engine may take to answer
	grace      time.Duration // the same for one that has ended
	pulse      time.Duration // between two signs of life of something long

	lockPatience time.Duration // how long somebody else may update the lists of packages
	lockPoll     time.Duration
}

// pulsing is [console.Pulse] at m's pace.
func (m *machine) pulsing(label string) (stop func()) { return console.Pulse(m.pulse, m.say, label) }

func thisMachine(say func(format string, args ...any)) (*machine, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return nil, fmt.Errorf("no folder to keep what is built: %w\nhint: set HOME", err)
	}
	return &machine{
		say:        say,
		root:       local.Root,
		canRoot:    local.CanRoot,
		sbin:       []string{"/usr/local/sbin", "/usr/sbin", "/sbin"},
		systemd:    "/run/systemd/system", // sd_booted(3)
		plugins:    "/usr/local/lib/docker/cli-plugins",
		dockerdLog: "/var/log/dockerd.log",
		cache:      filepath.Join(cache, "mrs-ops"),
		served:     served,
		patience:   time.Minute,
		grace:      5 * time.Second, // somebody else's may be what ended ours
		pulse:      10 * time.Second,

		lockPatience: 5 * time.Minute,
		lockPoll:     time.Second,
	}, nil
}

// need is [Need] on m.
func (m *machine) need(ctx context.Context, names []string) error {
	needs, err := lookup(names)
	if err != nil {
		return err
	}
	var lacking []finding
	for _, f := range m.check(ctx, needs) {
		if f.err != nil {
			lacking = append(lacking, f)
		}
	}
	if len(lacking) == 0 {
		return nil
	}
	if err := beyondUs(lacking); err != nil {
		return err
	}
	return m.mend(ctx, lacking)
}

// mend installs and starts what is lacking, and looks whether it then works.
func (m *machine) mend(ctx context.Context, lacking []finding) error {
	may := m.canRoot(ctx)
	if may {
		m.say("this machine lacks %s", names(lacking))
	}
	p, err := m.plan(ctx, lacking, may)
	if err != nil {
		return err
	}
	if !may && p.needsRoot() {
		return m.refusal(lacking, p)
	}
	if err := m.carryOut(ctx, &p); err != nil {
		return err
	}
	return m.verify(ctx, lacking, p)
}

func (m *machine) verify(ctx context.Context, lacking []finding, p plan) error {
	var needs []*need
	for _, f := range lacking {
		needs = append(needs, f.need)
	}
	var errs []error
	for _, f := range m.check(ctx, needs) {
		switch {
		case f.err != nil:
			errs = append(errs, fmt.Errorf("%s was set up, but does not serve: %w", f.need.name, f.err))
		case f.need.name == "docker":
			m.say("docker: engine %s answers (started by %s)", f.version, p.startedBy)
		default:
			m.say("%s", strings.TrimSpace(f.need.name+": installed "+f.version))
		}
	}
	return errors.Join(errs...)
}

// beyondUs returns the error about findings that no installation mends.
func beyondUs(lacking []finding) error {
	var errs []error
	for _, f := range lacking {
		if !f.install && !f.start {
			errs = append(errs, fmt.Errorf("%s: %w", f.need.name, f.err))
		}
	}
	return errors.Join(errs...)
}

// lookup returns the needs of the given names that exist on this kind of
// system, each once, in the order of the table.
func lookup(names []string) ([]*need, error) {
	var unknown []string
	for _, name := range names {
		if !slices.ContainsFunc(table, func(n need) bool { return n.name == name }) {
			unknown = append(unknown, strconv.Quote(name))
		}
	}
	if unknown != nil {
		return nil, fmt.Errorf("no need is called %s\nhint: there are %s",
			strings.Join(unknown, ", "), strings.Join(All(), ", "))
	}
	var needs []*need
	for i := range table {
		if n := &table[i]; n.here() && slices.Contains(names, n.name) {
			needs = append(needs, n)
		}
	}
	return needs, nil
}

// here reports whether the need exists on this kind of system.
func (n need) here() bool { return n.os == "" || n.os == runtime.GOOS }

func names(lacking []finding) string {
	var list []string
	for _, f := range lacking {
		list = append(list, f.need.name)
	}
	return strings.Join(list, ", ")
}
