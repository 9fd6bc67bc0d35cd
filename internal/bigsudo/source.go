package bigsudo

import (
	"fmt"
	"net/netip"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"
)

// commands are the first words that are no source.
var commands = []string{"roleinstall", "roleup", "reqinstall"}

var (
	// schemed and scpLike are the two forms of an address: SCHEME://… , with the
	// version control system before it if need be, and USER@HOST:PATH.
	schemed = regexp.MustCompile(`^([a-z]+\+)?[a-z][a-z0-9]*://`)
	scpLike = regexp.MustCompile(
		`^(git\+)?([A-Za-z_][A-Za-z0-9_.-]*)@([A-Za-z0-9][A-Za-z0-9.-]*):([A-Za-z0-9_~/][A-Za-z0-9_.~/-]*)$`)

	// hosted is an address without its scheme: example.org/you/role.
	hosted = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*(\.[A-Za-z0-9-]+)+(:[0-9]+)?/[^/]`)

	// onGitHub is a repository of GitHub's: you/role.
	onGitHub = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]*/[A-Za-z0-9_.-]+(,[^/,]+)?$`)
	// bySSH is an address that needs a key, whichever of its two forms it has.
	bySSH = regexp.MustCompile(`^git\+(?:ssh://(?:[^@/]+@)?([^/:@]+)(?::[0-9]+)?/|[^@/]+@([^/:@]+):)(.+)$`)

	roleName = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_.-]*$`)
	version  = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9_./+-]*$`)
	urlPath  = regexp.MustCompile(`^[A-Za-z0-9_.~/%+-]*$`)
)

// isURL reports whether source is an address and no path.
func isURL(source string) bool {
	return schemed.MatchString(source) || scpLike.MatchString(source)
}

// isPath reports whether source can only be a path or an address without its
// scheme: role names have no slash.
func isPath(source string) bool {
	return source == "." || source == ".." || strings.Contains(source, "/")
}

// playbookSource reports whether source is a playbook and no role.
func playbookSource(source string) bool {
	if isURL(source) {
		if u, err := url.Parse(source); err == nil {
			source = u.Path
		}
	}
	return strings.HasSuffix(source, ".yml") || strings.HasSuffix(source, ".yaml")
}

// checkSource returns an error if source can be neither a role nor a playbook,
// by its form alone.
func checkSource(source string) error {
	switch {
	case slices.Contains(commands, source):
		return fmt.Errorf("%s installs roles on this machine and applies none", source)
	case isURL(source) && playbookSource(source):
		_, err := checkURL(source)
		return err
	case isURL(source):
		_, err := parseRemote(source)
		return err
	case playbookSource(source), isPath(source):
		if !strings.ContainsAny(source, "\x00\n") && !strings.HasPrefix(source, "@") && !strings.HasPrefix(source, "{") &&
			!assignment.MatchString(source) {
			return nil
		}
	default:
		if _, err := parseRemote(source); err == nil {
			return nil
		}
	}
	return fmt.Errorf("the first word is a role or a playbook, and %q is none", source)
}

// checkURL parses an address and returns an error if what comes from there can't
// be trusted with root on the hosts, or if the address has a secret.
func checkURL(source string) (*url.URL, error) {
	u, err := url.Parse(source)
	if err != nil {
		scheme, _, _ := strings.Cut(source, "://")
		return nil, fmt.Errorf("%s://… is no URL", scheme) // the rest may hold a secret
	}
	if _, secret := u.User.Password(); secret {
		return nil, fmt.Errorf("%s has a password, which everybody on this machine could read\n"+
			"hint: use an SSH key or git's credential helper", u.Redacted())
	}
	switch {
	case !urlPath.MatchString(u.EscapedPath()) || u.RawQuery != "" || u.Fragment != "":
		return nil, fmt.Errorf("%q is no URL of a role or a playbook", source)
	case u.Scheme == "file" && u.Host == "", (u.Scheme == "https" || u.Scheme == "ssh") && u.Host != "",
		u.Scheme == "http" && loopback(u.Hostname()):
		return u, nil
	}
	return nil, fmt.Errorf("%q is not from where one can tell who wrote it\n"+
		"hint: https://, ssh:// and file:// are", source)
}

// loopback reports whether host is this machine.
func loopback(host string) bool {
	addr, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && addr.IsLoopback()
}

// remote is a role to be installed by ansible-galaxy.
type remote struct {
	src     string // a name of Galaxy's, or SCM+URL
	version string // empty: the newest
	name    string // the folder it is installed in
	renamed bool   // the name does not follow from src
	bare    bool   // it was given without a scheme: by HTTPS or SSH
}

// otherwise returns the address by which the role may be had too: without a key where
// the one given needs one, and by a key where none was said; empty: there is none.
func (r remote) otherwise() string {
	if m := bySSH.FindStringSubmatch(r.src); m != nil {
		return "git+https://" + m[1] + m[2] + "/" + strings.TrimPrefix(m[3], "/")
	}
	if address, found := strings.CutPrefix(r.src, "git+https://"); found && r.bare {
		return "git+ssh://git@" + address
	}
	return ""
}

// spec returns the role in the form that `ansible-galaxy role install` reads.
func (r remote) spec() string {
	switch {
	case r.renamed:
		return r.src + "," + r.version + "," + r.name
	case r.version != "":
		return r.src + "," + r.version
	}
	return r.src
}

// parseRemote reads NAME or URL, and VERSION after a comma if there is one.
func parseRemote(source string) (remote, error) {
	src, ref, versioned := strings.Cut(source, ",")
	r := remote{src: src, version: ref, name: src}
	if versioned && !version.MatchString(ref) {
		return remote{}, fmt.Errorf("%q is no version of %q", ref, src)
	}
	if isURL(src) {
		var err error
		if r.src, err = repository(src); err != nil {
			return remote{}, err
		}
		r.name = path.Base(strings.TrimRight(strings.ReplaceAll(src, ":", "/"), "/"))
		r.name = strings.TrimSuffix(strings.TrimSuffix(r.name, ".git"), ".tar.gz")
	}
	if !roleName.MatchString(r.name) {
		return remote{}, fmt.Errorf("%q is no role's name", r.name)
	}
	return r, nil
}

// repository returns an address as ansible-galaxy wants it: with what the
// repository is kept in before it, unless it is an archive.
func repository(src string) (string, error) {
	scm, address, found := strings.Cut(src, "+")
	if !found || !slices.Contains([]string{"git", "hg"}, scm) {
		scm, address = "git", src
	}
	if !scpLike.MatchString(address) {
		if _, err := checkURL(address); err != nil {
			return "", err
		}
		if strings.HasSuffix(address, ".tar.gz") {
			return address, nil
		}
	}
	return scm + "+" + address, nil
}
