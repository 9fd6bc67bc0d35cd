package remote

import (
	"bytes"
	"crypto/hmac"
	"crypto/sha1"
	"encoding/base64"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"github.com/betagouv/mrs-ops/internal/local"
)

// hostKeys is what this machine knows about the keys of one host.
type hostKeys struct {
	name    string // under which the files know the host: "host", or "[host]:port"
	entries []knownKey
	s       *settings
	retry   string // the command by which a person gets to the same host and is asked about its key
}

// knownKey is a line of a known_hosts file that is about the host.
type knownKey struct {
	file   string
	line   int
	marker string // "", "cert-authority" or "revoked"
	key    ssh.PublicKey

	// elsewhere: it is the key of the host's port 22, not of the one at hand.
	elsewhere bool
}

// knownName returns the name that known_hosts files have for the host: see
// "SSH_KNOWN_HOSTS FILE FORMAT" in sshd(8). An alias stands for host and port.
func (s *settings) knownName() string {
	if s.alias != "" {
		return s.alias
	}
	return knownhosts.Normalize(net.JoinHostPort(strings.ToLower(s.host), strconv.Itoa(s.port)))
}

// readHostKeys reads the known_hosts files of s. As for ssh, a file may be
// absent, and a key of port 22 serves for another port that nothing is known about.
func readHostKeys(s *settings) (*hostKeys, error) {
	k := &hostKeys{name: s.knownName(), s: s}
	var elsewhere []knownKey
	for _, file := range slices.Concat(s.knownHosts, s.globalHosts) {
		text, err := os.ReadFile(file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, fmt.Errorf("the keys of known hosts can't be read: %w", err)
		}
		k.entries = append(k.entries, entriesFor(text, file, k.name)...)
		if s.alias == "" {
			elsewhere = append(elsewhere, entriesFor(text, file, strings.ToLower(s.host))...)
		}
	}
	if k.entries == nil {
		for _, e := range elsewhere {
			e.elsewhere = true
			k.entries = append(k.entries, e)
		}
	}
	return k, nil
}

// entriesFor returns the lines of a known_hosts file about the host of the
// given name. What can't be read as a line is about nobody, as for ssh.
func entriesFor(text []byte, file, name string) []knownKey {
	var entries []knownKey
	number := 0
	for line := range bytes.Lines(text) {
		number++
		marker, patterns, key, _, _, err := ssh.ParseKnownHosts(line)
		if err == nil && matches(patterns, name) {
			entries = append(entries, knownKey{file: file, line: number, marker: marker, key: key})
		}
	}
	return entries
}

// matches reports whether name fits one of the patterns and none that is
// negated.
func matches(patterns []string, name string) bool {
	fits := false
	for _, pattern := range patterns {
		bare, negated := strings.CutPrefix(pattern, "!")
		if !fitsOne(bare, name) {
			continue
		}
		if negated {
			return false
		}
		fits = true
	}
	return fits
}

func fitsOne(pattern, name string) bool {
	if strings.HasPrefix(pattern, "|") {
		return fitsHash(pattern, name)
	}
	expression := regexp.QuoteMeta(strings.ToLower(pattern))
	expression = strings.NewReplacer(`\*`, `.*`, `\?`, `.`).Replace(expression)
	fits, err := regexp.MatchString(`^(?s:`+expression+`)$`, strings.ToLower(name))
	return err == nil && fits
}

// fitsHash reports whether pattern, "|1|SALT|HASH", is a hash of name.
func fitsHash(pattern, name string) bool {
	parts := strings.Split(pattern, "|")
	if len(parts) != 4 || parts[1] != "1" { // HMAC-SHA1, the only one there is
		return false
	}
	salt, saltErr := base64.StdEncoding.DecodeString(parts[2])
	hash, hashErr := base64.StdEncoding.DecodeString(parts[3])
	mac := hmac.New(sha1.New, salt)
	mac.Write([]byte(name))
	return saltErr == nil && hashErr == nil && hmac.Equal(mac.Sum(nil), hash)
}

// algorithms returns the host key algorithms to ask for: those of the known
// keys first, so that a host with several keys shows the one that is known;
// certificates only where an authority is known.
func (k *hostKeys) algorithms() []string {
	authority := slices.ContainsFunc(k.entries, func(e knownKey) bool { return e.marker == "cert-authority" })
	var certified, known, others []string
	for _, algorithm := range ssh.SupportedAlgorithms().HostKeys {
		switch {
		case strings.Contains(algorithm, "-cert-"):
			if authority {
				certified = append(certified, algorithm)
			}
		case k.knows(algorithm):
			known = append(known, algorithm)
		default:
			others = append(others, algorithm)
		}
	}
	// The order of preference of ssh(1), which has its newest first.
	slices.Reverse(others)
	return slices.Concat(certified, known, others)
}

// knows reports whether a known key signs by algorithm.
func (k *hostKeys) knows(algorithm string) bool {
	return slices.ContainsFunc(k.entries, func(e knownKey) bool {
		kind := e.key.Type()
		return e.marker == "" && (kind == algorithm || kind == ssh.KeyAlgoRSA && strings.HasPrefix(algorithm, "rsa-sha2-"))
	})
}

// check returns nil if key is the host's.
func (k *hostKeys) check(key ssh.PublicKey) error {
	if cert, ok := key.(*ssh.Certificate); ok {
		return k.checkCertificate(cert)
	}
	var others []knownKey
	known := false
	for _, e := range k.entries {
		same := bytes.Equal(e.key.Marshal(), key.Marshal())
		switch {
		case e.marker == "revoked" && same:
			return k.revoked(e)
		case e.marker == "" && same:
			known = true
		case e.marker == "" && !e.elsewhere:
			others = append(others, e)
		}
	}
	switch {
	case known:
		return nil
	case others != nil:
		return k.changed(key, others)
	case k.s.strict == "no" || k.s.strict == "accept-new":
		return k.remember(key)
	default:
		return k.unknown(key)
	}
}

// checkCertificate returns nil if an authority that is known for the host
// signed that the key is the host's.
func (k *hostKeys) checkCertificate(cert *ssh.Certificate) error {
	is := func(marker string, key ssh.PublicKey) func(knownKey) bool {
		return func(e knownKey) bool {
			return e.marker == marker && bytes.Equal(e.key.Marshal(), key.Marshal())
		}
	}
	for _, key := range []ssh.PublicKey{cert.Key, cert.SignatureKey} {
		if i := slices.IndexFunc(k.entries, is("revoked", key)); i >= 0 {
			return k.revoked(k.entries[i])
		}
	}
	checker := ssh.CertChecker{IsHostAuthority: func(authority ssh.PublicKey, _ string) bool {
		return slices.ContainsFunc(k.entries, is("cert-authority", authority))
	}}
	name := k.s.host
	if k.s.alias != "" {
		name = k.s.alias
	}
	if err := checker.CheckHostKey(net.JoinHostPort(name, "22"), nil, cert); err != nil {
		return fmt.Errorf("the certificate that it shows is not believed: %w\n"+
			"hint: known_hosts needs a line @cert-authority for it", err)
	}
	return nil
}

func (k *hostKeys) revoked(e knownKey) error {
	return fmt.Errorf("its key is revoked: %s line %d", e.file, e.line)
}

// changed explains that the host shows another key than the known ones.
func (k *hostKeys) changed(key ssh.PublicKey, known []knownKey) error {
	msg := "its key has changed: either the host was installed anew, or another machine answers in its place\n" +
		"it shows " + describe(key)
	var files []string
	for _, e := range known {
		msg += fmt.Sprintf("\n%s line %d has %s", e.file, e.line, describe(e.key))
		if !slices.Contains(files, e.file) {
			files = append(files, e.file)
		}
	}
	for _, file := range files {
		msg += "\nhint: if you know why it changed: " + local.Quote("ssh-keygen", "-f", file, "-R", k.name)
	}
	return errors.New(msg)
}

// unknown explains that nothing is known about the host's key.
func (k *hostKeys) unknown(key ssh.PublicKey) error {
	msg := "its key is not known\nit shows " + describe(key) + "\nhint: if that is what `ssh-keygen -lf` says " +
		"of the key in the host's /etc/ssh, answer yes once to: " + k.retry
	if k.s.jumps == nil && k.s.alias == "" && len(k.s.knownHosts) > 0 && k.s.knownHosts[0] != os.DevNull {
		scan := local.Quote("ssh-keyscan", "-p", strconv.Itoa(k.s.port), k.s.host)
		msg += "\nhint: or, unseen: " + scan + " >>" + local.Quote(k.s.knownHosts[0])
	}
	return errors.New(msg)
}

// describe returns a key the way ssh-keygen -l does.
func describe(key ssh.PublicKey) string { return key.Type() + " " + ssh.FingerprintSHA256(key) }

// remember adds the key to the user's first known_hosts file.
func (k *hostKeys) remember(key ssh.PublicKey) error {
	if len(k.s.knownHosts) == 0 {
		return nil
	}
	name := k.name
	if k.s.hashHosts {
		name = knownhosts.HashHostname(name)
	}
	if err := appendLine(k.s.knownHosts[0], name+" "+string(ssh.MarshalAuthorizedKey(key))); err != nil {
		return fmt.Errorf("its key, which is new, can't be remembered: %w\n"+
			"hint: UserKnownHostsFile /dev/null in the configuration remembers nothing", err)
	}
	return nil
}

// appendLine adds a line to a file of this user's alone, which may lack the
// end of its last line.
func appendLine(path, line string) error {
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	before, err := os.ReadFile(path)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if len(before) > 0 && !bytes.HasSuffix(before, []byte("\n")) {
		line = "\n" + line
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.WriteString(line)
	return errors.Join(err, file.Close())
}
