package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/agent"

	"github.com/betagouv/mrs-ops/internal/local"
)

// keyring is the keys that are offered to a host, in order.
type keyring struct {
	signers []ssh.Signer
	names   []string // what each signer is, for people
	lacking []string // why other keys are not among them
	hints   []string // how to mend that
	agent   net.Conn // nil where there is none

	certificates []certificate // that no key was found for yet
	certified    bool          // whether one is among those that are offered
}

// openKeyring collects the keys that s tells to use: those of its files, by
// the agent where the agent has them; then all others of the agent, unless
// only the files are to be used. A key that there is a certificate for is offered
// with it first. An agent that may be asking somebody is waited
// for until ctx ends.
func openKeyring(ctx context.Context, s *settings) *keyring {
	k := &keyring{}
	fromAgent, comments := k.openAgent(ctx, s.agent)
	for _, file := range s.certificates {
		k.readCertificate(file, false)
	}
	for _, file := range s.identities {
		k.readCertificate(file+"-cert.pub", true)
	}
	for _, file := range s.identities {
		public := publicKey(file)
		if i := indexOf(fromAgent, public); i >= 0 {
			k.add(fromAgent[i], file+" (agent)")
			continue
		}
		k.addFile(file)
	}
	if !s.identitiesOnly {
		for i, signer := range fromAgent {
			k.add(signer, comments[i]+" (agent)")
		}
	}
	for _, c := range k.certificates {
		k.lacking = append(k.lacking, c.file+" is for a key that is not offered, "+ssh.FingerprintSHA256(c.Key))
	}
	return k
}

// close ends the connection to the agent, which no offered key outlives.
func (k *keyring) close() {
	if k.agent != nil {
		k.agent.Close()
	}
}

// openAgent returns the agent's keys, and what each of them is called.
func (k *keyring) openAgent(ctx context.Context, socket string) (signers []ssh.Signer, comments []string) {
	if socket == "" {
		return nil, nil
	}
	conn, err := net.Dial("unix", socket)
	if err != nil {
		k.lacking = append(k.lacking, fmt.Sprintf("the SSH agent does not answer: %v", err))
		return nil, nil
	}
	k.agent = conn
	context.AfterFunc(ctx, func() { conn.Close() })
	client := agent.NewClient(conn)
	keys, listErr := client.List()
	signers, err = client.Signers()
	if err := errors.Join(listErr, err); err != nil {
		k.lacking = append(k.lacking, fmt.Sprintf("the SSH agent tells no keys: %v", err))
		return nil, nil
	}
	for _, signer := range signers {
		comment := "a key"
		for _, key := range keys {
			if bytes.Equal(key.Marshal(), signer.PublicKey().Marshal()) {
				comment = key.Comment
			}
		}
		comments = append(comments, comment)
	}
	return signers, comments
}

// add adds a key, after the certificates for it, unless it is there already.
func (k *keyring) add(signer ssh.Signer, name string) {
	var others []certificate
	for _, c := range k.certificates {
		certified, err := ssh.NewCertSigner(c.Certificate, signer)
		if err != nil { // it is for another key
			others = append(others, c)
			continue
		}
		if why := Unfit(c.Certificate, time.Now()); why != "" {
			k.lacking = append(k.lacking, c.file+" "+why)
			k.hints = append(k.hints, "have "+c.file+" made anew, by who signs the certificates")
			continue
		}
		k.signers = append(k.signers, certified)
		k.names = append(k.names, fmt.Sprintf("%s, %s", c.file, c))
		k.certified = true
	}
	k.certificates = others
	if indexOf(k.signers, signer.PublicKey()) < 0 {
		k.signers = append(k.signers, signer)
		k.names = append(k.names, name)
	}
}

// addFile adds the key of a private key file. That one of the usual files is
// absent is not worth a word.
func (k *keyring) addFile(file string) {
	text, err := os.ReadFile(file)
	if errors.Is(err, fs.ErrNotExist) && isUsual(file) {
		return
	}
	if err != nil {
		k.lacking = append(k.lacking, err.Error())
		return
	}
	signer, err := ssh.ParsePrivateKey(text)
	if _, encrypted := errors.AsType[*ssh.PassphraseMissingError](err); encrypted {
		k.lacking = append(k.lacking, file+" is encrypted, and nobody is asked for its passphrase")
		k.hints = append(k.hints, "give it to the SSH agent: "+local.Quote("ssh-add", file))
		return
	}
	if bytes.HasPrefix(text, []byte("PuTTY-User-Key-File-")) {
		k.lacking = append(k.lacking, file+" is a key in PuTTY's own format")
		k.hints = append(k.hints, "make it one of OpenSSH: "+
			local.Quote("puttygen", file, "-O", "private-openssh", "-o", strings.TrimSuffix(file, ".ppk")+".key"))
		return
	}
	if err != nil {
		k.lacking = append(k.lacking, file+" is no private key that can be used: "+strings.TrimPrefix(err.Error(), "ssh: "))
		return
	}
	k.add(signer, file)
}

// isUsual reports whether the file is one that ssh tries unasked.
func isUsual(file string) bool {
	return filepath.Base(filepath.Dir(file)) == ".ssh" && strings.HasPrefix(filepath.Base(file), "id_")
}

// publicKey returns the public key that belongs to a private key file as far as
// it can be told without a passphrase, else nil. The file itself may be the
// public key of one that only the agent has.
func publicKey(file string) ssh.PublicKey {
	for _, path := range []string{file + ".pub", file} {
		text, err := os.ReadFile(path)
		if err != nil {
			continue
		}
		if key, _, _, _, err := ssh.ParseAuthorizedKey(text); err == nil {
			return key
		}
		_, err = ssh.ParseRawPrivateKey(text)
		if missing, ok := errors.AsType[*ssh.PassphraseMissingError](err); ok {
			return missing.PublicKey
		}
	}
	return nil
}

func indexOf(signers []ssh.Signer, key ssh.PublicKey) int {
	if key == nil {
		return -1
	}
	return slices.IndexFunc(signers, func(s ssh.Signer) bool {
		return bytes.Equal(s.PublicKey().Marshal(), key.Marshal())
	})
}

// refused explains that the host lets none of the keys in.
func (k *keyring) refused(user, retry string) error {
	msg := fmt.Sprintf("it does not let %s in", user)
	for i, signer := range k.signers {
		key := signer.PublicKey()
		if cert, ok := key.(*ssh.Certificate); ok { // as ssh-keygen -l has it
			key = cert.Key
		}
		msg += fmt.Sprintf("\noffered: %s %s", ssh.FingerprintSHA256(key), k.names[i])
	}
	if k.signers == nil {
		msg += ": there was no key to offer"
	}
	for _, why := range k.lacking {
		msg += "\nnot offered: " + why
	}
	hints := k.hints
	if k.certified {
		const trusted = "does it trust the authority that signed the certificate (TrustedUserCAKeys there), and for "
		hints = append(hints, trusted+user+"?")
	}
	hints = append(hints, "is "+user+" the right user, and is the key in its ~/.ssh/authorized_keys there? "+
		"more is told by: "+retry)
	for _, hint := range hints {
		msg += "\nhint: " + hint
	}
	return errors.New(msg)
}
