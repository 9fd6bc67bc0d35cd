package remote

import (
	"cmp"
	"crypto/rand"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// certificateOf writes the certificate for the key of a byte, changed by change,
// that the key of another byte signs.
func certificateOf(t *testing.T, path string, b, authority byte, change func(c *ssh.Certificate)) string {
	t.Helper()
	c := &ssh.Certificate{Key: publicOf(t, b), CertType: ssh.UserCert, KeyId: "ci", ValidPrincipals: []string{"deploy"}, ValidBefore: ssh.CertTimeInfinity}
	if change != nil {
		change(c)
	}
	by, err := ssh.NewSignerFromKey(signer(authority))
	if err != nil {
		t.Fatal(err)
	}
	if err := c.SignCert(rand.Reader, by); err != nil {
		t.Fatal(err)
	}
	return write(t, path, string(ssh.MarshalAuthorizedKey(c)))
}

func at(text string) uint64 {
	moment, _ := time.Parse(time.DateTime, text)
	return uint64(moment.Unix())
}

func TestACertificateIsOfferedBeforeItsKeyOrItIsSaidWhyNot(t *testing.T) {
	dir := t.TempDir()
	keyFile(t, dir+"/one", '1', "")
	certificateOf(t, dir+"/one-cert.pub", '1', 'a', nil)
	keyFile(t, dir+"/two", '2', "")
	certificateOf(t, dir+"/two-cert.pub", '2', 'a', func(c *ssh.Certificate) { c.ValidBefore = at("2026-01-02 03:04:05") })
	keyFile(t, dir+"/three", '3', "")
	certificateOf(t, dir+"/three-cert.pub", '9', 'a', nil)
	early := certificateOf(t, dir+"/early", '3', 'a', func(c *ssh.Certificate) { c.ValidAfter = at("2226-01-02 03:04:05") })
	another := certificateOf(t, dir+"/for-two", '2', 'a', func(c *ssh.Certificate) {
		c.ValidPrincipals, c.ValidBefore = nil, at("2226-01-02 03:04:05")
	})
	host := certificateOf(t, dir+"/host", '1', 'a', func(c *ssh.Certificate) { c.CertType = ssh.HostCert })
	keys := openKeyring(t.Context(), &settings{
		identities:   []string{dir + "/one", dir + "/two", dir + "/three"},
		certificates: []string{early, another, host, dir + "/one-cert.pub", write(t, dir+"/broken", "x"), dir + "/absent"},
	})
	got := strings.ReplaceAll(keys.refused("deploy", "ssh box -v").Error(), dir, "/home/jpic/.ssh") + "\n"
	golden(t, "testdata/certificates.txt", got)
}

func TestAHostThatTakesCertificatesAloneLetsOneIn(t *testing.T) {
	dir := t.TempDir()
	port := certifying(t, 'a')
	for name, test := range map[string]struct {
		config    string // beside what all have
		authority byte
		want      string
	}{
		"beside its key":       {"IdentityFile " + keyFile(t, dir+"/beside/id_x", '1', ""), 'a', ""},
		"by CertificateFile":   {"CertificateFile " + dir + "/mine\nIdentityFile " + keyFile(t, dir+"/named/id_x", '1', ""), 'a', ""},
		"of another authority": {"IdentityFile " + dir + "/beside/id_x", 'b', "a certificate of the authority " + ssh.FingerprintSHA256(publicOf(t, 'b')) + " for deploy"},
	} {
		t.Run(name, func(t *testing.T) {
			certificateOf(t, dir+"/beside/id_x-cert.pub", '1', test.authority, nil)
			certificateOf(t, dir+"/mine", '1', test.authority, nil)
			known := write(t, dir+"/known", line(fmt.Sprintf("[127.0.0.1]:%d", port), publicOf(t, 'h')))
			config := write(t, dir+"/config", "Host *\nUserKnownHostsFile "+known+"\nIdentitiesOnly yes\nIdentityAgent none\n"+test.config+"\n")
			h, err := Dial(t.Context(), "deploy@127.0.0.1:"+strconv.Itoa(port), Options{Config: config})
			if err == nil {
				h.Close()
			}
			if said := fmt.Sprint(err); (err == nil) != (test.want == "") || !strings.Contains(said, cmp.Or(test.want, "<nil>")) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

// certifying returns the port of a host that lets in whom the key of a byte has
// certified, and nobody else.
func certifying(t *testing.T, authority byte) int {
	t.Helper()
	checker := ssh.CertChecker{IsUserAuthority: func(key ssh.PublicKey) bool {
		return string(key.Marshal()) == string(publicOf(t, authority).Marshal())
	}}
	config := &ssh.ServerConfig{PublicKeyCallback: checker.Authenticate}
	own, err := ssh.NewSignerFromKey(signer('h'))
	if err != nil {
		t.Fatal(err)
	}
	config.AddHostKey(own)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				_, channels, requests, err := ssh.NewServerConn(conn, config)
				if err != nil {
					conn.Close()
					return
				}
				go ssh.DiscardRequests(requests)
				for channel := range channels {
					_ = channel.Reject(ssh.Prohibited, "")
				}
			}()
		}
	}()
	return l.Addr().(*net.TCPAddr).Port
}
