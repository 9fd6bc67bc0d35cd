// Package address reads [USER@]HOST[:PORT], the one form in which a server is
// named: in an env file, on the command line, and as a jump host.
//
// HOST is a name, also one of the SSH configuration, or an IP address; an IPv6
// address is in brackets, since a port could not be told from its end.
package address

import (
	"fmt"
	"net/netip"
	"regexp"
	"strconv"
	"strings"
)

// Form is how a server is named, for who named one otherwise.
const Form = "[USER@]HOST[:PORT], with an IPv6 address in brackets: [2001:db8::1]:22"

// Address is where a server is, in parts.
type Address struct {
	User string // empty where the SSH configuration decides
	Host string // a name or an IP address, without brackets
	Port int    // 0 where the SSH configuration decides
}

var (
	userPattern = regexp.MustCompile(`^[A-Za-z0-9_][A-Za-z0-9._-]*$`)
	hostPattern = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?$`)
	zonePattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
)

// Parse reads an address. Nothing in its parts is an option of a command, or
// anything to a shell. The error names the part that is wrong, and has a hint.
func Parse(text string) (Address, error) {
	a, why := parse(text)
	if why != "" {
		hint := Form
		if host := text[strings.LastIndex(text, "@")+1:]; isIPv6(host) {
			hint = fmt.Sprintf("an IPv6 address is in brackets: %s[%s]", strings.TrimSuffix(text, host), host)
		}
		return Address{}, fmt.Errorf("%s\nhint: %s", why, hint)
	}
	return a, nil
}

// parse reads an address, or says why text is none.
func parse(text string) (a Address, why string) {
	rest := text
	if i := strings.LastIndex(text, "@"); i >= 0 {
		a.User, rest = text[:i], text[i+1:]
		if !userPattern.MatchString(a.User) {
			return a, fmt.Sprintf("%q is no user name", a.User)
		}
	}
	host, port, withPort := rest, "", false
	if inner, bracket := strings.CutPrefix(rest, "["); bracket {
		var after string
		var closed bool
		if host, after, closed = strings.Cut(inner, "]"); !closed {
			return a, fmt.Sprintf("%q has no end ]", rest)
		}
		if port, withPort = strings.CutPrefix(after, ":"); after != "" && !withPort {
			return a, fmt.Sprintf("%q follows the brackets, where only a port may", after)
		}
	} else if strings.Count(rest, ":") == 1 {
		host, port, withPort = strings.Cut(rest, ":")
	}
	// As brackets are not needed for a name, they are not refused: `ssh -G` prints
	// those of jump hosts so.
	if !hostPattern.MatchString(host) && (host == rest || !isIPv6(host)) {
		return a, fmt.Sprintf("%q is no host", host)
	}
	a.Host = host
	if withPort {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || n == 0 {
			return a, fmt.Sprintf("%q is no port, which is a number from 1 to 65535", port)
		}
		a.Port = int(n)
	}
	return a, ""
}

// IsHost reports whether text is a host without user, port and brackets.
func IsHost(text string) bool { return hostPattern.MatchString(text) || isIPv6(text) }

// IsUser reports whether text is a user's name.
func IsUser(text string) bool { return userPattern.MatchString(text) }

func isIPv6(text string) bool {
	ip, err := netip.ParseAddr(text)
	return err == nil && ip.Is6() && (ip.Zone() == "" || zonePattern.MatchString(ip.Zone()))
}

// SSH returns the words by which ssh(1) is told of the address, last the host
// itself: ssh takes no USER@HOST:PORT.
func (a Address) SSH() []string {
	var words []string
	if a.User != "" {
		words = append(words, "-l", a.User)
	}
	if a.Port != 0 {
		words = append(words, "-p", strconv.Itoa(a.Port))
	}
	return append(words, "--", a.Host)
}
