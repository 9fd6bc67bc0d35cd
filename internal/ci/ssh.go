package ci

import (
	"encoding/base64"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"golang.org/x/crypto/ssh"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/instance"
)

// access is how servers are reached: by our key alone, and only those whose keys
// are known.
type access struct {
	key, knownHosts string
	include         string // the instance's own SSH configuration, an absolute path; empty for none
}

// newAccess makes an access of SSH_KEY and SSH_FINGERPRINTS, or says what is
// wrong with them.
func newAccess(system console.CI, secret func(name string) string) (a access, problems []instance.Problem) {
	key, why := parseKey(secret("SSH_KEY"))
	if why != "" {
		problems = append(problems, instance.Problem{Name: "SSH_KEY", Reason: why, Mend: settings(system, "SSH_KEY") + ": the private key as its file has it, without passphrase"})
	}
	known, why := parseKnownHosts(secret("SSH_FINGERPRINTS"))
	if why != "" {
		problems = append(problems, instance.Problem{Name: "SSH_FINGERPRINTS", Reason: why,
			Mend: settings(system, "SSH_FINGERPRINTS") + ": what ssh-keyscan SERVER prints, or ssh-keyscan -p PORT SERVER, once you have checked it"})
	}
	return access{key: key, knownHosts: known}, problems
}

// parseKey returns the private key that is in text, as a file, or what is wrong
// with it.
func parseKey(text string) (key, why string) {
	return unmangle(text, func(key string) string {
		_, err := ssh.ParsePrivateKey([]byte(key))
		if err == nil {
			return ""
		}
		if _, encrypted := errors.AsType[*ssh.PassphraseMissingError](err); encrypted {
			return "is encrypted, and nobody is there to give the passphrase"
		}
		if _, _, _, _, err := ssh.ParseAuthorizedKey([]byte(key)); err == nil {
			return "is a public key"
		}
		return "is no private key that can be read" // err may hold some of it
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
// form or a shell: line ends of Windows, \n for a line end, none at the end, all
// of it in base64. It returns the first form that check finds nothing wrong
// with, else what is wrong with the first.
func unmangle(text string, check func(text string) (why string)) (good, why string) {
	if strings.TrimSpace(text) == "" {
		return "", "is missing"
	}
	text = lines(text)
	forms := []string{text, lines(strings.ReplaceAll(text, `\n`, "\n"))}
	if decoded, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), "")); err == nil {
		forms = append(forms, lines(string(decoded)))
	}
	for _, form := range forms {
		said := check(form)
		if said == "" {
			return form, ""
		}
		if why == "" {
			why = said
		}
	}
	return "", why
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
		return "", fmt.Errorf("the folder for temporary files, %q, can't be named in an SSH configuration\nhint: let TMPDIR be a path of letters, digits and . _ + -", filepath.Dir(dir))
	}
	config = filepath.Join(dir, "config")
	key, known := filepath.Join(dir, "key"), filepath.Join(dir, "known_hosts")
	// Of each keyword ssh takes the first value: ours.
	text := "# Written by mage ci:deploy, and gone when it ends.\n" +
		"IdentityFile " + key + "\n" +
		"IdentitiesOnly yes\n" +
		"UserKnownHostsFile " + known + "\n" +
		"GlobalKnownHostsFile /dev/null\n" +
		"StrictHostKeyChecking yes\n" +
		"BatchMode yes\n"
	if a.include != "" {
		text += "Include " + a.include + "\n"
	}
	for path, content := range map[string]string{key: a.key, known: a.knownHosts, config: text} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			return "", err
		}
	}
	return config, nil
}
