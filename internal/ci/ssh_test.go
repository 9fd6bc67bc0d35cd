package ci

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/base64"
	"encoding/pem"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

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
		"base64 in lines":           strings.Join(chunks(base64.StdEncoding.EncodeToString([]byte(key)), 76), "\r\n"),
	} {
		if got, why := parseKey(mangled); got != key {
			t.Errorf("%s: %s", name, why)
		}
	}
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
	for want, text := range map[string]string{
		"is missing":                         " \n",
		"is encrypted":                       encrypted,
		"is a public key":                    public,
		"is no private key that can be read": key[:len(key)/2],
	} {
		_, why := parseKey(text)
		if !strings.Contains(why, want) {
			t.Errorf("got %q, want %q", why, want)
		}
		for _, line := range strings.Fields(text) {
			if len(line) > 12 && strings.Contains(why, line) {
				t.Errorf("%q shows it", why)
			}
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
	key, _ := newKey(t, "")
	own := filepath.Join(t.TempDir(), "own-config")
	if err := os.WriteFile(own, []byte("Host box\n  HostName 127.0.0.1\n  Port 2222\n  User vagrant\n  StrictHostKeyChecking no\n  UserKnownHostsFile /dev/null\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	config, err := access{key: key, knownHosts: scanned(t, "box"), include: own}.write(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"config", "key", "known_hosts"} {
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
		"identityfile " + dir + "/key", "identitiesonly yes", "userknownhostsfile " + dir + "/known_hosts", "globalknownhostsfile /dev/null",
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
