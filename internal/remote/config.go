package remote

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"regexp"
	"strconv"
	"strings"

	"github.com/betagouv/mrs-ops/internal/address"
	"github.com/betagouv/mrs-ops/internal/local"
)

// parseTarget reads what [Dial] is given; ssh:// may stand before it, as in
// ProxyJump of ssh_config(5).
func parseTarget(text string) (address.Address, error) {
	at, err := address.Parse(strings.TrimPrefix(text, "ssh://"))
	if err != nil {
		return at, fmt.Errorf("%q: %w", text, err)
	}
	return at, nil
}

// settings is what the SSH configuration says about a target.
type settings struct {
	host, user     string
	port           int
	alias          string // HostKeyAlias
	identities     []string
	certificates   []string // CertificateFile
	identitiesOnly bool
	agent          string // the agent's socket; empty for none
	jumps          []string
	knownHosts     []string // the files of this user, the first one is written to
	globalHosts    []string
	hashHosts      bool
	strict         string // StrictHostKeyChecking: "ask", "yes", "accept-new" or "no"
	forwardAgent   bool
}

// resolve asks ssh what the configuration says about t.
//
// Nothing else reads Match, Include and the defaults of the distribution
// exactly as ssh does, and who is not let in looks into ssh's manual.
func resolve(ctx context.Context, t address.Address, config string) (*settings, error) {
	argv := []string{"ssh", "-T", "-G"}
	if config != "" {
		argv = append(argv, "-F", config)
	}
	said, err := local.Output(ctx, append(argv, t.SSH()...)...)
	if errors.Is(err, exec.ErrNotFound) {
		return nil, errors.New("ssh is not installed, and it is what reads the SSH configuration\n" +
			"hint: install the package openssh-client (Debian) or openssh-clients (RedHat)")
	}
	if err != nil {
		return nil, fmt.Errorf("the SSH configuration can't be read: %w", err)
	}
	me, err := user.Current()
	if err != nil {
		return nil, err
	}
	return parseSettings(said, t.Host, me, os.Getenv)
}

// parseSettings reads what `ssh -G` printed about the host of the given name,
// for the user who runs this.
func parseSettings(text, name string, me *user.User, getenv func(string) string) (*settings, error) {
	said := map[string][]string{}
	for line := range strings.Lines(text) {
		key, value, _ := strings.Cut(strings.TrimRight(line, "\r\n"), " ")
		said[key] = append(said[key], value)
	}
	one := func(key string) string {
		if values := said[key]; values != nil && values[0] != "none" {
			return values[0]
		}
		return ""
	}
	s := &settings{
		host:           one("hostname"),
		user:           one("user"),
		alias:          one("hostkeyalias"),
		identitiesOnly: one("identitiesonly") == "yes",
		knownHosts:     splitPaths(one("userknownhostsfile")),
		globalHosts:    splitPaths(one("globalknownhostsfile")),
		hashHosts:      one("hashknownhosts") == "yes",
		strict:         strictness(one("stricthostkeychecking")),
		forwardAgent:   one("forwardagent") == "yes",
	}
	s.port, _ = strconv.Atoi(one("port"))
	if jumps := one("proxyjump"); jumps != "" {
		s.jumps = strings.Split(jumps, ",")
	}
	expand := s.expander(name, me)
	var errs []error
	files := func(key string) (paths []string) {
		for _, path := range said[key] {
			if path == "none" {
				continue
			}
			expanded, err := expand(path)
			errs = append(errs, err)
			paths = append(paths, expanded)
		}
		return paths
	}
	s.identities = files("identityfile")
	s.certificates = files("certificatefile")
	s.agent = getenv("SSH_AUTH_SOCK")
	if values := said["identityagent"]; values != nil {
		var err error
		s.agent, err = agentSocket(values[0], expand, getenv)
		errs = append(errs, err)
	}
	if one("proxycommand") != "" {
		errs = append(errs, errors.New("a ProxyCommand is not understood\nhint: ProxyJump is"))
	}
	if value := one("forwardagent"); value != "" && value != "yes" && value != "no" {
		errs = append(errs, fmt.Errorf("ForwardAgent %s is not understood\n"+
			"hint: yes and no are; IdentityAgent chooses an agent", value))
	}
	if err := errors.Join(append(errs, s.check())...); err != nil {
		return nil, fmt.Errorf("the SSH configuration of %s: %w", name, err)
	}
	return s, nil
}

// strictness undoes that `ssh -G` prints yes and no as true and false.
func strictness(value string) string {
	switch value {
	case "true":
		return "yes"
	case "false", "off":
		return "no"
	}
	return value
}

func agentSocket(value string, expand func(string) (string, error), getenv func(string) string) (string, error) {
	if value == "none" {
		return "", nil
	}
	if value == "SSH_AUTH_SOCK" {
		return getenv(value), nil
	}
	if name, ok := strings.CutPrefix(value, "$"); ok {
		return getenv(strings.Trim(name, "{}")), nil
	}
	return expand(value)
}

// splitPaths splits a list of paths as `ssh -G` prints it. It quotes nothing,
// so that a space is part of a path unless something that begins one follows.
func splitPaths(list string) []string {
	if list == "" {
		return nil
	}
	var paths []string
	for word := range strings.SplitSeq(list, " ") {
		if len(paths) == 0 || strings.HasPrefix(word, "/") || strings.HasPrefix(word, "~") {
			paths = append(paths, word)
		} else {
			paths[len(paths)-1] += " " + word
		}
	}
	return paths
}

// check returns what in the settings can't be connected to.
func (s *settings) check() error {
	var errs []error
	if !address.IsHost(s.host) {
		errs = append(errs, fmt.Errorf("the HostName %q is no host", s.host))
	}
	if !address.IsUser(s.user) {
		errs = append(errs, fmt.Errorf("the User %q is no user name", s.user))
	}
	if s.port < 1 || s.port > 65535 {
		errs = append(errs, fmt.Errorf("the Port %d is no port", s.port))
	}
	return errors.Join(errs...)
}

// expander returns a function that expands ~ and those tokens of ssh_config(5)
// that say something about the host or the user. The home folder is that of
// the password database, as for ssh, whatever HOME says.
func (s *settings) expander(name string, me *user.User) func(path string) (string, error) {
	known := map[string]string{
		"%%": "%", "%d": me.HomeDir, "%i": me.Uid, "%u": me.Username,
		"%h": s.host, "%n": name, "%k": cmp.Or(s.alias, name), "%p": strconv.Itoa(s.port), "%r": s.user,
	}
	return func(path string) (expanded string, err error) {
		full := path
		if rest, ok := strings.CutPrefix(path, "~/"); ok {
			full = me.HomeDir + "/" + rest
		}
		expanded = token.ReplaceAllStringFunc(full, func(found string) string {
			value, ok := known[found]
			switch {
			case found == "%":
				err = fmt.Errorf("%s ends in the middle of a token", path)
			case !ok:
				err = fmt.Errorf("%s: the token %s is not understood", path, found)
			}
			return value
		})
		return expanded, err
	}
}

var token = regexp.MustCompile(`(?s)%.?`)
