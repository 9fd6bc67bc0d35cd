package setup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/betagouv/mrs-ops/internal/local"
)

type manager struct {
	name    string
	program string // which tells that it is the one of this system
	asRoot  bool
	update  []string // refreshes what it knows; nil where installing does so
	install []string // followed by the names of packages

	packages func(*need) string // its own field

	// known tells what it could install of some packages.
	known func(ctx context.Context, packages []string) (map[string]candidate, error)
}

// candidate is what a package manager has of a package.
type candidate struct {
	version   string
	installed bool
}

// managers in the order in which they are looked for.
var managers = []manager{
	{
		name: "apt", program: "apt-get", asRoot: true,
		update: []string{"env", "LC_ALL=C", "apt-get", "update", "-q"}, // English, for locked
		install: []string{"env", "DEBIAN_FRONTEND=noninteractive", "apt-get", "install", "-q", "-y",
			"--no-install-recommends", "-o", "DPkg::Lock::Timeout=300"},
		packages: func(n *need) string { return n.apt },
		known:    aptKnows,
	},
	{
		name: "dnf", program: "dnf", asRoot: true,
		install:  []string{"dnf", "install", "-y", "--setopt=install_weak_deps=False"},
		packages: func(n *need) string { return n.dnf },
		known:    dnfKnows,
	},
	{
		name: "brew", program: "brew",
		install:  []string{"brew", "install"},
		packages: func(n *need) string { return n.brew },
		known:    brewKnows,
	},
}

// oneOf are packages of which one is enough, as [need] has them.
type oneOf []string

// bring returns the packages that bring a need, all of which are needed.
func (pm *manager) bring(n *need) (all []oneOf) {
	for _, word := range strings.Fields(pm.packages(n)) {
		all = append(all, strings.Split(word, "|"))
	}
	return all
}

// manager returns the package manager of this system, or nil.
func (m *machine) manager() *manager {
	for i := range managers {
		if _, err := m.find(managers[i].program); err == nil {
			return &managers[i]
		}
	}
	return nil
}

func aptKnows(ctx context.Context, packages []string) (map[string]candidate, error) {
	out, err := local.Output(ctx, append([]string{"env", "LC_ALL=C", "apt-cache", "policy"}, packages...)...)
	return parsePolicy(out), err
}

// parsePolicy reads what `apt-cache policy` prints about packages.
func parsePolicy(text string) map[string]candidate {
	known := map[string]candidate{}
	var name string
	var installed bool
	for line := range strings.Lines(text) {
		if !strings.HasPrefix(line, " ") {
			name = strings.TrimSuffix(strings.TrimSpace(line), ":")
			continue
		}
		key, value, _ := strings.Cut(strings.TrimSpace(line), ": ")
		switch {
		case key == "Installed":
			installed = value != "(none)"
		case key == "Candidate" && value != "(none)":
			known[name] = candidate{withoutEpoch(value), installed}
		}
	}
	return known
}

// withoutEpoch returns a Debian version from its upstream part on (deb-version(7)).
func withoutEpoch(version string) string {
	if _, upstream, found := strings.Cut(version, ":"); found {
		return upstream
	}
	return version
}

func dnfKnows(ctx context.Context, packages []string) (map[string]candidate, error) {
	query := []string{"dnf", "-q", "repoquery", "--qf", "%{name} %{version}\n"}
	out, err := local.Output(ctx, append(query, packages...)...)
	known := map[string]candidate{}
	for line := range strings.Lines(out) {
		if fields := strings.Fields(line); len(fields) == 2 {
			known[fields[0]] = candidate{version: fields[1]}
		}
	}
	return known, err
}

// brewKnows takes brew at its word: its formulae are the same everywhere.
func brewKnows(_ context.Context, packages []string) (map[string]candidate, error) {
	known := map[string]candidate{}
	for _, name := range packages {
		known[name] = candidate{}
	}
	return known, nil
}

// choose returns the package to install: one that is installed already, so
// that nothing takes its place, else the first that the manager has. Without
// any it returns false.
func (o oneOf) choose(known map[string]candidate) (string, bool) {
	first, found := "", false
	for _, spec := range o {
		name, least, _ := strings.Cut(spec, ">=")
		c, has := known[name]
		switch {
		case name != "" && (!has || !atLeast(dotted.FindString(c.version), least)):
		case c.installed:
			return name, true
		case !found:
			first, found = name, true
		}
	}
	return first, found
}

// last returns the package that the system's own distribution would have.
func (o oneOf) last() string {
	name, _, _ := strings.Cut(o[len(o)-1], ">=")
	return name
}

type plan struct {
	manager   *manager
	update    bool // still to be done
	packages  []string
	compose   bool // build and install the plugin
	engine    bool // start it
	denied    bool // the engine may run, but this account may not talk to it
	startedBy string
}

// plan decides what to do about what is lacking. If it may, it asks the package
// manager to refresh what it knows first.
func (m *machine) plan(ctx context.Context, lacking []finding, may bool) (plan, error) {
	var p plan
	var wanted []*need
	for _, f := range lacking {
		p.engine = p.engine || f.start
		p.denied = p.denied || f.start && strings.Contains(f.err.Error(), "permission denied")
		if f.install {
			wanted = append(wanted, f.need)
		}
	}
	if len(wanted) == 0 {
		return p, nil
	}
	p.manager = m.manager()
	if p.manager == nil {
		return p, noManager(wanted)
	}
	p.update = p.manager.update != nil
	if p.update && may {
		m.update(ctx, p.manager)
		p.update = false
	}
	return p, p.pick(ctx, wanted)
}

// update refreshes what the package manager knows. It only warns if it fails:
// one repository that is out of order need not matter for what is wanted.
func (m *machine) update(ctx context.Context, pm *manager) {
	defer m.pulsing(pm.name + ": updating the lists of packages")()
	for deadline := time.Now().Add(m.lockPatience); ; time.Sleep(m.lockPoll) {
		_, err := local.Combined(ctx, m.asManager(pm, pm.update)...)
		if locked(err) && time.Now().Before(deadline) && ctx.Err() == nil {
			continue
		}
		if err != nil {
			m.say("warning: %v", err)
		}
		return
	}
}

// locked reports whether err is that another apt-get updates at this moment,
// as many systems do after boot. Only when it installs does apt wait by itself.
func locked(err error) bool {
	return err != nil && strings.Contains(err.Error(), "Could not get lock /var/lib/apt/lists/")
}

// pick fills in the packages that bring the wanted needs.
func (p *plan) pick(ctx context.Context, wanted []*need) error {
	var asked []string
	for _, n := range wanted {
		for _, o := range p.manager.bring(n) {
			for _, spec := range o {
				if name, _, _ := strings.Cut(spec, ">="); name != "" {
					asked = append(asked, name)
				}
			}
		}
	}
	known, err := p.manager.known(ctx, asked)
	if err != nil {
		return fmt.Errorf("the package manager does not tell what it has: %w", err)
	}
	for _, n := range wanted {
		for _, o := range p.manager.bring(n) {
			name, found := o.choose(known)
			switch {
			case !found && n.name == "compose":
				p.compose = true
			case !found: // the manager says best what is wrong with the name
				p.packages = append(p.packages, o.last())
			case name != "":
				p.packages = append(p.packages, name)
			}
		}
	}
	slices.Sort(p.packages)
	p.packages = slices.Compact(p.packages)
	return nil
}

// noManager is the error of a system with no package manager that is known here.
func noManager(wanted []*need) error {
	var b strings.Builder
	for _, n := range wanted {
		fmt.Fprintf(&b, "\n    %-12s %s", n.name, n.docs)
	}
	return fmt.Errorf("this machine lacks the following and has none of apt, dnf and brew to install it; "+
		"the page that says how:%s", b.String())
}

// needsRoot reports whether somebody who may not become root is stuck.
func (p plan) needsRoot() bool { return p.compose || p.engine || p.manager != nil && p.manager.asRoot }

// asManager returns argv as the command line of whom the manager wants to be
// run by.
func (m *machine) asManager(pm *manager, argv []string) []string {
	if pm.asRoot {
		return m.root(argv...)
	}
	return argv
}

// carryOut does what the plan says, and notes in it how the engine was started.
func (m *machine) carryOut(ctx context.Context, p *plan) error {
	if len(p.packages) > 0 {
		if err := m.installAndBuild(ctx, p); err != nil {
			return err
		}
	}
	var composed, started error
	if p.compose {
		composed = m.installCompose(ctx)
	}
	if p.engine {
		p.startedBy, started = m.startEngine(ctx)
	}
	return errors.Join(composed, started)
}

// installAndBuild installs the packages, and builds Compose beside them. Whatever keeps it from being built is told
// where it is installed, which tries it again: go may need git, which is one of them.
func (m *machine) installAndBuild(ctx context.Context, p *plan) error {
	building, stop := context.WithCancel(ctx)
	defer stop()
	var beside sync.WaitGroup
	if p.compose {
		beside.Go(func() { _, _ = m.buildCompose(building) })
	}
	err := m.installPackages(ctx, p)
	if err != nil {
		stop()
	}
	beside.Wait()
	return err
}

func (m *machine) installPackages(ctx context.Context, p *plan) error {
	began := time.Now()
	m.say("%s: installing %s", p.manager.name, strings.Join(p.packages, " "))
	stop := m.pulsing(p.manager.name)
	_, err := local.Combined(ctx, m.asManager(p.manager, slices.Concat(p.manager.install, p.packages))...)
	if stop(); err != nil {
		return err
	}
	m.say("%s: installed in %d s", p.manager.name, int(time.Since(began).Seconds()))
	return m.stopUnasked(ctx, p.packages)
}

// unasked are the servers that Debian's packages start where systemd runs, by
// package. The programs are needed; a server for everybody who can reach this
// machine is not.
var unasked = map[string]string{"docker-registry": "docker-registry", "openssh-server": "ssh"}

// stopUnasked stops what the packages, which were just installed, have started
// by themselves.
func (m *machine) stopUnasked(ctx context.Context, packages []string) error {
	if _, err := os.Stat(m.systemd); err != nil {
		return nil
	}
	var errs []error
	for _, name := range packages {
		if unit, ok := unasked[name]; ok {
			m.say("%s: its server is stopped, nobody asked for one", name)
			_, err := local.Output(ctx, m.root("systemctl", "disable", "--now", unit)...)
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}

// refusal is the error for those who can't become root: the commands that the
// plan would have run.
func (m *machine) refusal(lacking []finding, p plan) error {
	var lines []string
	root := func(argv ...string) string { return local.Quote(append([]string{"sudo"}, argv...)...) }
	if p.update && len(p.packages) > 0 {
		lines = append(lines, root(p.manager.update...))
	}
	if len(p.packages) > 0 {
		lines = append(lines, root(slices.Concat(p.manager.install, p.packages)...))
	}
	if p.compose {
		lines = append(lines, m.composeByHand(root)...)
	}
	if p.engine {
		lines = append(lines, m.startByHand(p, root)...)
	}
	return fmt.Errorf("this machine lacks %s, and this account can't become root without a password\n"+
		"nothing was changed; these commands would have been run:\n    %s\n"+
		"hint: have them run, then try again; where sudo asks for a password, `sudo -v` first is enough",
		names(lacking), strings.Join(lines, "\n    "))
}
