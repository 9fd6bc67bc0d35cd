package remote

import (
	"context"
	"encoding/pem"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
)

// keyFile writes the private key of a byte, encrypted if there is a passphrase.
func keyFile(t *testing.T, path string, b byte, passphrase string) string {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(signer(b), "")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(signer(b), "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return write(t, path, string(pem.EncodeToMemory(block)))
}

func write(t *testing.T, path, text string) string {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}

func TestEveryKeyIsOfferedOrItIsSaidWhyNot(t *testing.T) {
	dir := t.TempDir()
	keys := openKeyring(t.Context(), &settings{identities: []string{
		keyFile(t, dir+"/one", '1', ""),
		keyFile(t, dir+"/two", '2', ""),
		keyFile(t, dir+"/one-again", '1', ""),
		keyFile(t, dir+"/locked", 'l', "secret"),
		write(t, dir+"/broken", "not a key"),
		write(t, dir+"/putty.ppk", "PuTTY-User-Key-File-3: ssh-ed25519\r\nEncryption: none\r\n"),
		dir + "/absent",
		dir + "/.ssh/id_rsa", // one of the usual ones: that it is absent is no news
	}, agent: dir + "/no-agent"})
	if len(keys.signers) != 2 || keys.names[0] != dir+"/one" || keys.names[1] != dir+"/two" {
		t.Errorf("offered: %v", keys.names)
	}
	got := strings.ReplaceAll(keys.refused("deploy", "ssh box -v").Error(), dir, "/home/jpic/.ssh") + "\n"
	golden(t, "testdata/refused.txt", got)
	if strings.Contains(got, "secret") || strings.Contains(got, "PRIVATE") {
		t.Error("the error has a secret")
	}
}

func TestThePublicKeyOfALockedKeyIsFound(t *testing.T) {
	dir := t.TempDir()
	want := ssh.FingerprintSHA256(publicOf(t, 'l'))
	alone := keyFile(t, dir+"/alone", 'l', "secret")
	public := write(t, dir+"/public", string(ssh.MarshalAuthorizedKey(publicOf(t, 'l'))))
	write(t, dir+"/beside.pub", string(ssh.MarshalAuthorizedKey(publicOf(t, 'l'))))
	for _, file := range []string{alone, public, dir + "/beside"} {
		if key := publicKey(file); key == nil || ssh.FingerprintSHA256(key) != want {
			t.Errorf("%s: %v", file, key)
		}
	}
	if key := publicKey(dir + "/absent"); key != nil {
		t.Errorf("an absent file: %v", key)
	}
}

func TestAnAgentThatHangsIsNotWaitedForForever(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "agent")
	l, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		conn, err := l.Accept()
		if err == nil {
			defer conn.Close()
			conn.Read(make([]byte, 1)) // it was asked
			cancel()
			<-t.Context().Done()
		}
	}()
	keys := openKeyring(ctx, &settings{agent: socket})
	if len(keys.signers) != 0 || len(keys.lacking) != 1 || !strings.Contains(keys.lacking[0], "the SSH agent tells no keys") {
		t.Errorf("offered %v, lacking %q", keys.names, keys.lacking)
	}
}
