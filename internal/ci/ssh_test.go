package ci

import (
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"github.com/betagouv/mrs-ops/internal/console"
)

// newKey returns a private key as ssh-keygen writes it, encrypted where there is
// a passphrase, and the public key as a line of authorized_keys.
func newKey(t *testing.T, passphrase string) (private, public string) {
	t.Helper()
	pub, priv, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(priv, "ci")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(priv, "ci", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block)), string(ssh.MarshalAuthorizedKey(key))
}

// scanned returns what ssh-keyscan prints about a host.
func scanned(t *testing.T, host string) string {
	t.Helper()
	_, public := newKey(t, "")
	return "# " + host + ":22 SSH-2.0-OpenSSH_9.2p1\n" + host + " " + public
}

func TestAKeyIsMendedOfWhatFormsAndShellsDoToIt(t *testing.T) {
	key, _ := newKey(t, "")
	for name, mangled := range map[string]string{
		"as it is":                  key,
		"without its last line end": strings.TrimSuffix(key, "\n"),
		"line ends of Windows":      strings.ReplaceAll(key, "\n", "\r\n"),
		"line ends of old":          strings.ReplaceAll(key, "\n", "\r"),
		"spaces around":             "\n  " + key + "\n\n",
		"a byte order mark":         "\ufeff" + key,
		"\\n for line ends":         strings.ReplaceAll(key, "\n", `\n`),
		"base64":                    base64.StdEncoding.EncodeToString([]byte(key)),
		"spaces for line ends":      strings.ReplaceAll(key, "\n", " "),
		"spaces, none at the end":   strings.ReplaceAll(strings.TrimSpace(key), "\n", " "),
		"spaces before its lines":   "    " + strings.ReplaceAll(key, "\n", "\n    "),
		"\\r\\n for line ends":      strings.ReplaceAll(key, "\n", `\r\n`),
		"in quotes":                 `"` + strings.ReplaceAll(key, "\n", `\n`) + `"`,
		"base64 without padding":    strings.TrimRight(base64.StdEncoding.EncodeToString([]byte(key)), "="),
		"base64 of spaces":          base64.StdEncoding.EncodeToString([]byte(strings.ReplaceAll(key, "\n", " "))),
		"tabs for line ends":        strings.ReplaceAll(key, "\n", "\t"),
		"escaped twice":             strings.ReplaceAll(key, "\n", `\\n`),
		"lines that go on":          strings.ReplaceAll(key, "\n", "\\\n"),
		"as in an address":          strings.ReplaceAll(key, "\n", "%0A"),
		"blanks that do not break":  strings.ReplaceAll(key, "\n", "\u00a0"),
		"an invisible character":    "\u200b" + key,
		"quotes of a text program":  "“" + key + "”",
		"with its name before it":   `SSH_KEY="` + key + `"`,
		"a comment before it":       "# the key of CI\n" + key,
		"of a chat":                 "```\n" + key + "```\n",
		"of a YAML file":            "|\n  " + strings.ReplaceAll(key, "\n", "\n  "),
		"base64 twice":              base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(key)))),
		"base64 in lines":           strings.Join(chunks(base64.StdEncoding.EncodeToString([]byte(key)), 76), "\r\n"),
	} {
		if got, why := parseKey(mangled); got != key {
			t.Errorf("%s: %s", name, why)
		}
	}
}

func TestAKeyWithoutLineEndsOrWithoutItsFrameIsWhatSSHReads(t *testing.T) {
	key, _ := newKey(t, "")
	body := strings.Split(strings.TrimSpace(key), "\n")
	body = body[1 : len(body)-1]
	_, old := pemOf(t)
	for name, mangled := range map[string]string{
		"no line ends": strings.ReplaceAll(key, "\n", ""),
		"no frame":     strings.Join(body, "\n"),
		"PKCS #1":      strings.ReplaceAll(old, "\n", " "),
	} {
		got, why := parseKey(mangled)
		path := filepath.Join(t.TempDir(), "key")
		if err := os.WriteFile(path, []byte(got), 0o600); err != nil || why != "" {
			t.Fatal(name, err, why)
		}
		if out, err := exec.Command("ssh-keygen", "-y", "-f", path).CombinedOutput(); err != nil {
			t.Errorf("%s: %v: %s", name, err, out)
		}
	}
}

// pemOf returns an RSA key in the old format of OpenSSL's, encrypted and not.
func pemOf(t *testing.T) (encrypted, plain string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	block := &pem.Block{Type: "RSA PRIVATE KEY", Bytes: x509.MarshalPKCS1PrivateKey(key)}
	plain = string(pem.EncodeToMemory(block))
	block.Headers = map[string]string{"Proc-Type": "4,ENCRYPTED", "DEK-Info": "AES-128-CBC,00112233445566778899AABBCCDDEEFF"}
	return string(pem.EncodeToMemory(block)), plain
}

func chunks(text string, n int) (list []string) {
	for len(text) > n {
		list, text = append(list, text[:n]), text[n:]
	}
	return append(list, text)
}

func TestWhatIsNoKeyIsSaidWithoutShowingIt(t *testing.T) {
	encrypted, _ := newKey(t, "secret")
	key, public := newKey(t, "")
	old, _ := pemOf(t)
	token := pem.EncodeToMemory(&pem.Block{Type: "OPENSSH PRIVATE KEY", Bytes: []byte("openssh-key-v1\x00sk-ssh-ed25519@openssh.com")})
	for text, want := range map[string]string{
		" \n":                                    "is missing",
		encrypted:                                isEncrypted,
		old:                                      isEncrypted,
		strings.ReplaceAll(encrypted, "\n", " "): isEncrypted,
		strings.ReplaceAll(old, "\n", `\n`):      isEncrypted,
		base64.StdEncoding.EncodeToString([]byte(encrypted)):                                       isEncrypted,
		"-----BEGIN ENCRYPTED PRIVATE KEY-----\nMIIFHDBOBgkq\n-----END ENCRYPTED PRIVATE KEY-----": isEncrypted,
		public: isPublic,
		base64.StdEncoding.EncodeToString([]byte(public)):                                  isPublic,
		"-----BEGIN PUBLIC KEY-----\nMIIBIjANBgkq\n-----END PUBLIC KEY-----":               isPublic,
		"---- BEGIN SSH2 PUBLIC KEY ----\nAAAAC3NzaC1lZDI1\n---- END SSH2 PUBLIC KEY ----": isPublic,
		"PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none\r\nComment: ci\r\n":        isPuTTYs,
		certificateFor(t, public, nil):                                                     isCertificate,
		string(token):                                                                      isToken,
		"~/.ssh/id_ed25519":                                                                isPath,
		`C:\Users\ci\key`:                                                                  isPath,
		key[:len(key)/2]:                                                                   isCut,
		"hunter2":                                                                          isNoKey,
	} {
		_, why := parseKey(text)
		if why != want {
			t.Errorf("%.40q: got %q, want %q", text, why, want)
		}
		_, problems := newAccess(console.GitLab, func(name string) string { return map[string]string{"SSH_KEY": text}[name] })
		if len(problems) != 2 || problems[0].Name != "SSH_KEY" || keyMends[want] != "" && !strings.HasSuffix(problems[0].Mend, keyMends[want]) {
			t.Errorf("%s: the problems are %q", want, problems)
		}
		for _, line := range strings.Fields(text) {
			if len(line) > 12 && strings.Contains(why, line) {
				t.Errorf("%q shows it", why)
			}
		}
	}
}

// certificateFor returns a certificate for a public key, for a day from now on
// unless change says otherwise.
func certificateFor(t *testing.T, public string, change func(c *ssh.Certificate)) string {
	t.Helper()
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(public))
	if err != nil {
		t.Fatal(err)
	}
	private, _ := newKey(t, "")
	authority, err := ssh.ParsePrivateKey([]byte(private))
	if err != nil {
		t.Fatal(err)
	}
	now := uint64(time.Now().Unix())
	c := &ssh.Certificate{Key: key, CertType: ssh.UserCert, ValidPrincipals: []string{"deploy"}, ValidAfter: now - 60, ValidBefore: now + 24*60*60}
	if change != nil {
		change(c)
	}
	if err := c.SignCert(rand.Reader, authority); err != nil {
		t.Fatal(err)
	}
	return string(ssh.MarshalAuthorizedKey(c))
}

func TestACertificateIsTakenOrNamed(t *testing.T) {
	key, public := newKey(t, "")
	_, others := newKey(t, "")
	right := certificateFor(t, public, nil)
	for name, c := range map[string]struct{ text, want string }{
		"as it is":      {right, ""},
		"CRLF":          {strings.ReplaceAll(right, "\n", "\r\n"), ""},
		"no line end":   {strings.TrimSpace(right), ""},
		"base64":        {base64.StdEncoding.EncodeToString([]byte(right)), ""},
		"expired":       {certificateFor(t, public, func(c *ssh.Certificate) { c.ValidBefore = c.ValidAfter + 1 }), "has expired: it was valid until 20"},
		"not yet valid": {certificateFor(t, public, func(c *ssh.Certificate) { c.ValidAfter = c.ValidBefore - 1 }), "is not valid before 20"},
		"a host's":      {certificateFor(t, public, func(c *ssh.Certificate) { c.CertType = ssh.HostCert }), "is a host's certificate"},
		"another key's": {certificateFor(t, others, nil), "is for another key than SSH_KEY: for SHA256:"},
		"a public key":  {public, "is a public key"},
		"the key":       {key, "is no certificate that can be read"},
	} {
		given := map[string]string{"SSH_KEY": key, "SSH_CERT": c.text, "SSH_FINGERPRINTS": scanned(t, "staging.example.org")}
		a, problems := newAccess(console.Drone, func(name string) string { return given[name] })
		if c.want == "" && (problems != nil || a.certificate != right) {
			t.Errorf("%s: %q", name, problems)
		}
		if c.want != "" && (len(problems) != 1 || problems[0].Name != "SSH_CERT" || !strings.HasPrefix(problems[0].Reason, c.want)) {
			t.Errorf("%s: got %q, want %q", name, problems, c.want)
		}
	}
}

func TestKnownHostsAreWhatSSHKeyscanPrints(t *testing.T) {
	known := scanned(t, "staging.example.org")
	for name, text := range map[string]string{"as it is": known, "CRLF": strings.ReplaceAll(known, "\n", "\r\n"), "base64": base64.StdEncoding.EncodeToString([]byte(known))} {
		if got, why := parseKnownHosts(text); got != known {
			t.Errorf("%s: %s", name, why)
		}
	}
	for want, text := range map[string]string{
		"is missing":          "",
		"holds no key":        "# staging.example.org:22 SSH-2.0\n",
		"holds a fingerprint": "SHA256:47DEQpj8HBSa+/TImW+5JCeuQeRkm5NMpJWZG3hSuFU\n",
		"holds something else than known_hosts has (entry 2)": known + "hunter2\n",
	} {
		if _, why := parseKnownHosts(text); !strings.Contains(why, want) || strings.Contains(why, "hunter2") {
			t.Errorf("got %q, want %q", why, want)
		}
	}
}

// TestSSHTakesOurKeyAndHostsFirst asks ssh itself.
func TestSSHTakesOurKeyAndHostsFirst(t *testing.T) {
	key, public := newKey(t, "")
	own := filepath.Join(t.TempDir(), "own-config")
	if err := os.WriteFile(own, []byte("Host box\n  HostName 127.0.0.1\n  Port 2222\n  User vagrant\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config, err := access{key: key, certificate: certificateFor(t, public, nil), knownHosts: scanned(t, "box"), include: own}.write(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config", "key", "key-cert.pub", "known_hosts"} {
		if info, err := os.Stat(filepath.Join(dir, name)); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
	said, err := exec.Command("ssh", "-G", "-F", config, "box").CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, said)
	}
	got := strings.Split(strings.ToLower(string(said)), "\n")
	for _, want := range []string{
		"identityfile " + dir + "/key", "certificatefile " + dir + "/key-cert.pub", "identitiesonly yes", "userknownhostsfile " + dir + "/known_hosts", "globalknownhostsfile /dev/null",
		"stricthostkeychecking true", "batchmode yes", "hostname 127.0.0.1", "port 2222", "user vagrant",
	} {
		if !slices.Contains(got, strings.ToLower(want)) {
			t.Errorf("%q is not in what ssh takes:\n%s", want, said)
		}
	}
	if out, err := exec.Command("ssh-keygen", "-y", "-f", filepath.Join(dir, "key")).CombinedOutput(); err != nil {
		t.Errorf("ssh-keygen does not take the key: %v: %s", err, out)
	}
}

func TestAFolderThatSSHCouldMisreadIsRefused(t *testing.T) {
	dir := filepath.Join(t.TempDir(), `a "b`)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := (access{}).write(dir); err == nil || !strings.Contains(err.Error(), "TMPDIR") {
		t.Errorf("got %v", err)
	}
}

// TestGitLabMayGiveAFile, as it recommends for keys.
func TestGitLabMayGiveAFile(t *testing.T) {
	key, _ := newKey(t, "")
	path := filepath.Join(t.TempDir(), "SSH_KEY")
	if err := os.WriteFile(path, []byte(key), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := secretOf(console.GitLab, path); got != key {
		t.Error("GitLab's file is not read")
	}
	if got := secretOf(console.Drone, path); got != path {
		t.Error("Drone gives no files")
	}
	if got := secretOf(console.GitLab, "/no/such"); got != "/no/such" {
		t.Errorf("got %q", got)
	}
}
