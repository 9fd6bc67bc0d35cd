package ci

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/remote"
)

// access is how servers are reached: by our key alone, and only those whose keys
// are known.
type access struct {
	key, knownHosts string
	certificate     string // for the key; empty for none
	include         string // the instance's own SSH configuration, an absolute path; empty for none
}

// newAccess makes an access of SSH_KEY, SSH_CERT and SSH_FINGERPRINTS, or says
// what is wrong with them.
func newAccess(system console.CI, secret func(name string) string) (a access, problems []instance.Problem) {
	problem := func(name, why, mend string) {
		problems = append(problems, instance.Problem{Name: name, Reason: why, Mend: settings(system, name) + ": " + mend})
	}
	key, why := parseKey(secret("SSH_KEY"))
	if why != "" {
		problem("SSH_KEY", why, cmp.Or(keyMends[why], "the private key as its file has it, without passphrase"))
	}
	var certificate string
	if text := secret("SSH_CERT"); strings.TrimSpace(text) != "" {
		if certificate, why = parseCertificate(text, key, time.Now()); why != "" {
			problem("SSH_CERT", why, "what ssh-keygen -s wrote beside the key of SSH_KEY, as NAME-cert.pub; or unset it")
		}
	}
	known, why := parseKnownHosts(secret("SSH_FINGERPRINTS"))
	if why != "" {
		problem("SSH_FINGERPRINTS", why,
			"what ssh-keyscan SERVER prints, or ssh-keyscan -p PORT SERVER, once you have checked it")
	}
	return access{key: key, certificate: certificate, knownHosts: known}, problems
}

// What a text can be that is no private key for us. None of it is shown.
const (
	isEncrypted   = "is encrypted, and nobody is there to give the passphrase"
	isPuTTYs      = "is a key in PuTTY's own format"
	isPublic      = "is a public key"
	isCertificate = "is a certificate, and not the key that it is for"
	isToken       = "is a key that a security key has the other half of, and nobody is there to touch it"
	isPath        = "is the path of a file, and not what is in it"
	isCut         = "is cut off: its last line, -----END …, is missing"
	isNoKey       = "is no private key that can be read"
)

// keyMends say what to do about a text that is no private key for us, where there
// is more to say than what to give instead.
var keyMends = map[string]string{
	isEncrypted: "a private key without passphrase: ssh-keygen -p -N '' -f COPY takes it from a copy of the key, " +
		"or make one for CI alone",
	isPuTTYs: "what `puttygen KEY.ppk -O private-openssh -o KEY` writes, " +
		"or PuTTYgen's Conversions, Export OpenSSH key",
	isPublic:      "the private key, whose file has the same name without .pub",
	isCertificate: "the private key, whose file has the same name without -cert.pub; the certificate goes into SSH_CERT",
	isToken:       "a private key that is whole: ssh-keygen -t ed25519 -N '' -f KEY makes one for CI alone",
	isPath:        "the content of that file",
	isCut:         "the whole of the private key's file, from -----BEGIN to -----END …-----",
}

// parseKey returns the private key that is in text, as a file, or what is wrong
// with it.
func parseKey(text string) (key, why string) {
	return unmangle(text, func(key string) string {
		_, err := ssh.ParsePrivateKey([]byte(key))
		if err == nil && strings.HasPrefix(key, "-----BEGIN ") { // ssh takes nothing before it
			return ""
		}
		public, _, _, _, noPublic := ssh.ParseAuthorizedKey([]byte(key))
		_, certified := public.(*ssh.Certificate)
		_, encrypted := errors.AsType[*ssh.PassphraseMissingError](err)
		block, _ := pem.Decode([]byte(key))
		switch {
		case strings.HasPrefix(key, "PuTTY-User-Key-File-"):
			return isPuTTYs
		case err == nil:
			return isNoKey
		case encrypted, strings.HasPrefix(key, "-----BEGIN ENCRYPTED PRIVATE KEY-----"),
			strings.Contains(key, "Proc-Type: 4,ENCRYPTED"):
			return isEncrypted
		case certified:
			return isCertificate
		case noPublic == nil, publicPEM.MatchString(key):
			return isPublic
		case block != nil && tokenKind.Match(block.Bytes):
			return isToken
		case strings.HasPrefix(key, "-----BEGIN ") && !strings.Contains(key, "-----END "):
			return isCut
		case keyPath.MatchString(key):
			return isPath
		}
		return isNoKey // err may hold some of it
	})
}

var (
	publicPEM = regexp.MustCompile(`^-{4,5} ?BEGIN ([A-Z0-9]+ )*PUBLIC KEY ?-{4,5}`)
	tokenKind = regexp.MustCompile(`sk-(ssh|ecdsa)-`)
	keyPath   = regexp.MustCompile(`^(~|\.{1,2}|[A-Z]:)?[/\\][^\n]*\n$`)
)

// parseCertificate returns the certificate for the key that is in text, as a
// file, or what is wrong with it at the time now. key is empty where it is not
// known.
func parseCertificate(text, key string, now time.Time) (certificate, why string) {
	return unmangle(text, func(text string) string {
		public, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(text))
		cert, ok := public.(*ssh.Certificate)
		switch {
		case err == nil && !ok:
			return "is a public key, and no certificate"
		case err != nil, len(bytes.TrimSpace(rest)) > 0:
			return "is no certificate that can be read"
		}
		if why := remote.Unfit(cert, now); why != "" {
			return why
		}
		signer, err := ssh.ParsePrivateKey([]byte(key))
		if err != nil || bytes.Equal(signer.PublicKey().Marshal(), cert.Key.Marshal()) {
			return ""
		}
		return fmt.Sprintf("is for another key than SSH_KEY: for %s, not %s",
			ssh.FingerprintSHA256(cert.Key), ssh.FingerprintSHA256(signer.PublicKey()))
	})
}

// parseKnownHosts returns the lines of known_hosts that are in text, or what is
// wrong with them.
func parseKnownHosts(text string) (known, why string) {
	return unmangle(text, func(known string) string {
		n := 0
		for line := range strings.Lines(known) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			if n++; strings.HasPrefix(line, "SHA256:") || strings.HasPrefix(line, "MD5:") {
				return "holds a fingerprint: it takes the keys themselves, although it is called so"
			}
			if _, _, _, _, _, err := ssh.ParseKnownHosts([]byte(line)); err != nil {
				return fmt.Sprintf("holds something else than known_hosts has (entry %d)", n)
			}
		}
		if n == 0 {
			return "holds no key"
		}
		return ""
	})
}

// unmangle undoes what happens to a text of several lines on its way through a
// form or a shell: line ends of Windows, \n or %0A for a line end, spaces for line
// ends or none, none at the end, quotes or other text around it, all of it in
// base64, once or twice. It returns the
// first form that check finds nothing wrong with, else what is wrong with the last,
// from which most is undone.
func unmangle(text string, check func(text string) (why string)) (good, why string) {
	if strings.TrimSpace(text) == "" {
		return "", "is missing"
	}
	for _, form := range forms(text) {
		if why = check(form); why == "" {
			return form, ""
		}
	}
	return "", why
}

// forms returns text in the forms that it may have had at first, each once.
func forms(text string) (all []string) {
	add := func(form string) {
		if form = lines(form); !slices.Contains(all, form) {
			all = append(all, form)
		}
	}
	add(text)
	add(lineEnd.ReplaceAllString(invisible.Replace(all[0]), "\n"))
	add(strings.Trim(strings.TrimSpace(all[len(all)-1]), `"'`))
	for range 2 {
		folded := strings.Join(strings.Fields(all[len(all)-1]), "")
		decoded, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(folded, "="))
		if err != nil {
			break
		}
		if bytes.HasPrefix(decoded, []byte("openssh-key-v1\x00")) { // a key without its first and last line
			decoded = pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: decoded})
		}
		add(string(decoded))
	}
	if framed := frame.FindString(all[len(all)-1]); framed != "" {
		add(framed)
	}
	add(unfold(all[len(all)-1]))
	return all
}

var (
	// lineEnd is how a line end may be written, once or more often escaped.
	lineEnd = regexp.MustCompile(`(\\+r)?\\+n|\\+\n|(%0[Dd])?%0[Aa]`)
	// invisible are characters that look like blanks, or like nothing.
	invisible = strings.NewReplacer("\u00a0", " ", "\u200b", "", "\ufeff", "")
	// frame is a text in PEM, whatever is around it.
	frame = regexp.MustCompile(`(?s)-----BEGIN [A-Z0-9 ]+-----.*?-----END [A-Z0-9 ]+-----`)
)

// armour is a text in PEM, whatever its line ends have become, but for one with
// headers: only what is encrypted has those.
var armour = regexp.MustCompile(`(?s)^\s*(-----BEGIN [A-Z0-9 ]+-----)([A-Za-z0-9+/=\s]+)(-----END [A-Z0-9 ]+-----)\s*$`)

// unfold puts the line ends back that a text in PEM has lost.
func unfold(text string) string {
	m := armour.FindStringSubmatch(text)
	if m == nil {
		return text
	}
	body := strings.Fields(m[2])
	if len(body) == 1 { // what was between its lines is gone too
		const width = 64 // RFC 7468
		whole := body[0]
		for body = nil; len(whole) > width; whole = whole[width:] {
			body = append(body, whole[:width])
		}
		body = append(body, whole)
	}
	return m[1] + "\n" + strings.Join(body, "\n") + "\n" + m[3]
}

// lines returns text as whole lines.
func lines(text string) string {
	text = strings.TrimPrefix(text, "\ufeff")
	text = strings.NewReplacer("\r\n", "\n", "\r", "\n").Replace(text)
	return strings.TrimSpace(text) + "\n"
}

// quotable is what a path may be made of: the instance's ssh_config allows no
// more, and nothing in it needs an escape in ssh_config(5).
var quotable = regexp.MustCompile(`^[A-Za-z0-9._/+-]+$`)

// write writes the access into dir, and returns the SSH configuration that has
// it.
func (a access) write(dir string) (config string, err error) {
	if !quotable.MatchString(dir) {
		return "", fmt.Errorf("the folder for temporary files, %q, can't be named in an SSH configuration\n"+
			"hint: let TMPDIR be a path of letters, digits and . _ + -", filepath.Dir(dir))
	}
	config = filepath.Join(dir, "config")
	key, known := filepath.Join(dir, "key"), filepath.Join(dir, "known_hosts")
	files := map[string]string{key: a.key, known: a.knownHosts}
	// Of each keyword ssh takes the first value: ours.
	text := "# Written by mage ci:deploy, and gone when it ends.\n" +
		"IdentityFile " + key + "\n" +
		"IdentitiesOnly yes\n" +
		"UserKnownHostsFile " + known + "\n" +
		"GlobalKnownHostsFile /dev/null\n" +
		"StrictHostKeyChecking yes\n" +
		"BatchMode yes\n"
	if a.certificate != "" {
		files[key+"-cert.pub"] = a.certificate
		text += "CertificateFile " + key + "-cert.pub\n"
	}
	if a.include != "" {
		text += "Include " + a.include + "\n"
	}
	files[config] = text
	for path, content := range files {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	return config, nil
}
