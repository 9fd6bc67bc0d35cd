package setup

import (
	"context"
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

// need is one thing that this machine may lack.
type need struct {
	name    string
	what    string
	program string // whose presence is the first thing to check
	version string // the arguments that make it tell its version; none: presence is enough
	least   string // the oldest version that serves
	os      string // the only system that has it; empty for all

	// The packages that bring it, all of them: words, of whose parts between | one is
	// enough, the preferred one first. A name may end in ">=VERSION"; the empty one
	// means that none is fine too.
	apt, dnf, brew string

	// docs names the page to read where there is no package.
	docs string
}

// table is all that can be needed. Debian's names are those of releases 12 and
// 13 and Ubuntu's from 22.04 on; docker-ce and docker-compose-plugin are the
// names in Docker's own repositories, where somebody has added these.
var table = []need{
	// Recommended by docker.io, and missed when absent: the client, which is a package
	// of its own since Debian 13, and the certificates.
	{name: "docker", what: "Docker engine", program: "docker", docs: "Install Docker Engine (Docker)",
		apt:  "docker-ce|docker.io docker-ce-cli|docker-cli| iptables ca-certificates",
		dnf:  "docker-ce|moby-engine docker-ce-cli|docker-cli| iptables-nft|iptables",
		brew: "docker"},
	{name: "compose", what: "Docker Compose", program: "docker", least: "2",
		docs: "Install the Docker Compose plugin (Docker)",
		apt:  "docker-compose-plugin|docker-compose-v2|docker-compose>=2",
		dnf:  "docker-compose-plugin|docker-compose>=2",
		brew: "docker-compose"},
	// The package ansible is core and 250 MB of collections, none of which is used.
	{name: "ansible", what: "Ansible core", program: "ansible-playbook", version: "--version", least: "2.13",
		docs: "Installing Ansible (Ansible)", apt: "ansible-core>=2.13|ansible", dnf: "ansible-core", brew: "ansible"},
	{name: "restic", what: "restic", program: "restic", version: "version",
		docs: "Installation (restic)", apt: "restic", dnf: "restic", brew: "restic"},
	{name: "lftp", what: "LFTP", program: "lftp", version: "--version",
		docs: "Get LFTP (LFTP)", apt: "lftp", dnf: "lftp", brew: "lftp"},
	{name: "logrotate", what: "logrotate", program: "logrotate", version: "--version",
		docs: "README (logrotate)", apt: "logrotate", dnf: "logrotate", brew: "logrotate"},
	{name: "git", what: "Git", program: "git", version: "--version",
		docs: "Getting Started: Installing Git (Git)", apt: "git", dnf: "git", brew: "git"},
	{name: "python3", what: "Python", program: "python3", version: "--version",
		docs: "Python Setup and Usage (Python)", apt: "python3", dnf: "python3", brew: "python"},
	// It says who it is on standard error, and by -V alone.
	{name: "ssh", what: "OpenSSH client", program: "ssh", version: "-V",
		docs: "Installing OpenSSH (OpenSSH)", apt: "openssh-client", dnf: "openssh-clients", brew: "openssh"},
	{name: "sysctl", what: "procps", program: "sysctl", version: "--version", os: "linux",
		docs: "README (procps-ng)", apt: "procps", dnf: "procps-ng"},
	{name: "ss", what: "iproute2", program: "ss", version: "-V", os: "linux",
		docs: "README (iproute2)", apt: "iproute2", dnf: "iproute"},
	{name: "openssl", what: "OpenSSL", program: "openssl", version: "version",
		docs: "Downloads (OpenSSL)", apt: "openssl", dnf: "openssl", brew: "openssl"},
	// Without the keyring, Ubuntu's debootstrap installs a Debian that it has not checked.
	{name: "debootstrap", what: "debootstrap", program: "debootstrap", version: "--version", os: "linux",
		docs: "Debootstrap (Debian wiki)", apt: "debootstrap debian-archive-keyring|", dnf: "debootstrap debian-keyring|"},
	// This one, vagrant and ansible-lint take most of a second to tell their versions.
	{name: "npm", what: "npm", program: "npm",
		docs: "Downloading and installing Node.js and npm (npm)", apt: "npm", dnf: "npm|nodejs-npm", brew: "node"},
	// VirtualBox is up to who wants it: without, Vagrant runs its machines on the Docker engine.
	{name: "vagrant", what: "Vagrant", program: "vagrant",
		docs: "Install Vagrant (HashiCorp)", apt: "vagrant openssh-client", dnf: "vagrant openssh-clients", brew: "vagrant"},
	// The lab runs one itself. Most of the RedHat family have no package of it.
	{name: "docker-registry", what: "Docker registry", program: "docker-registry", version: "--version", os: "linux",
		docs: "README (Distribution)", apt: "docker-registry", dnf: "docker-registry|"},
	// The tests run it themselves, and it tells no version.
	{name: "sshd", what: "OpenSSH server", program: "sshd",
		docs: "Installing OpenSSH (OpenSSH)", apt: "openssh-server", dnf: "openssh-server", brew: "openssh"},
	{name: "shellcheck", what: "ShellCheck", program: "shellcheck", version: "--version",
		docs: "Installing (ShellCheck)", apt: "shellcheck", dnf: "ShellCheck", brew: "shellcheck"},
	{name: "ansible-lint", what: "ansible-lint", program: "ansible-lint",
		docs: "Installing (Ansible Lint)",
		apt:  "ansible-lint", dnf: "ansible-lint|python3-ansible-lint", brew: "ansible-lint"},
}

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
