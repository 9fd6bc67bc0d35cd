package remote

import (
	"cmp"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/rsa"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"
)

// publicOf returns the public key of a key that is always the same for a byte.
func publicOf(t testing.TB, b byte) ssh.PublicKey {
	t.Helper()
	key, err := ssh.NewPublicKey(signer(b).Public())
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func signer(b byte) ed25519.PrivateKey {
	return ed25519.NewKeyFromSeed([]byte(strings.Repeat(string(rune(b)), ed25519.SeedSize)))
}

func line(names string, key ssh.PublicKey) string {
	return names + " " + string(ssh.MarshalAuthorizedKey(key))
}

// knowing returns what is known where known_hosts is text.
func knowing(t *testing.T, s *settings, text string) *hostKeys {
	t.Helper()
	file := filepath.Join(t.TempDir(), "known_hosts")
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	s.knownHosts = []string{file, file + "2"}
	k, err := readHostKeys(s)
	if err != nil {
		t.Fatal(err)
	}
	k.retry = "ssh box"
	return k
}

func TestAHostKeyIsBelievedRefusedOrUnknown(t *testing.T) {
	right, wrong := publicOf(t, 'r'), publicOf(t, 'w')
	const believed, changed, unknown, revoked = "", "has changed", "is not known", "is revoked"
	for name, test := range map[string]struct {
		host  string
		port  int
		alias string
		text  string
		want  string
	}{
		"by name":                          {text: line("box.example", right), want: believed},
		"by name in capitals":              {text: line("BOX.example", right), want: believed},
		"by one of several names":          {text: line("other,box.example", right), want: believed},
		"by pattern":                       {text: line("*.ex?mple", right), want: believed},
		"a dot is no pattern":              {text: line("boxxexample", right), want: unknown},
		"but for an exception":             {text: line("*.example,!box.*", right), want: unknown},
		"by hash":                          {text: line(knownhosts.HashHostname("box.example"), right), want: believed},
		"by another host's hash":           {text: line(knownhosts.HashHostname("other"), right), want: unknown},
		"by broken hashes":                 {text: line("|1|x|y", right) + line("|2|a|b", right) + line("|1|", right), want: unknown},
		"after lines that nobody can read": {text: "# x\n\nnonsense\nbox.example ssh-new AAAA\n" + line("box.example", right), want: believed},
		"by the second of its keys":        {text: line("box.example", wrong) + line("box.example", right), want: believed},
		"on a port":                        {port: 2222, text: line("[box.example]:2222", right), want: believed},
		"on a port, by hash":               {port: 2222, text: line(knownhosts.HashHostname("[box.example]:2222"), right), want: believed},
		"on another port":                  {port: 2222, text: line("[box.example]:2223", right), want: unknown},
		"on a port, known by port 22":      {port: 2222, text: line("box.example", right), want: believed},
		"on a port, other than port 22's":  {port: 2222, text: line("box.example", wrong), want: unknown},
		"on port 22, known by a port":      {text: line("[box.example]:2222", right), want: unknown},
		"by alias":                         {port: 2222, alias: "other", text: line("other", right), want: believed},
		"by name where an alias is given":  {alias: "other", text: line("box.example", right), want: unknown},
		"another key":                      {text: line("box.example", wrong), want: changed},
		"another key by hash":              {text: line(knownhosts.HashHostname("box.example"), wrong), want: changed},
		"a revoked key":                    {text: line("box.example", right) + "@revoked * " + line("", right)[1:], want: revoked},
		"another key is revoked":           {text: line("box.example", right) + "@revoked * " + line("", wrong)[1:], want: believed},
		"the key of an authority":          {text: "@cert-authority * " + line("", right)[1:], want: unknown},
		"nothing":                          {want: unknown},
		"IPv6":                             {host: "2001:db8::1", text: line("2001:db8::1", right), want: believed},
		"IPv6, by hash":                    {host: "2001:db8::1", text: line(knownhosts.HashHostname("2001:db8::1"), right), want: believed},
		"IPv6 on a port":                   {host: "2001:db8::1", port: 2222, text: line("[2001:db8::1]:2222", right), want: believed},
		"IPv6 on a port, known by port 22": {host: "2001:db8::1", port: 2222, text: line("2001:db8::1", right), want: believed},
		"IPv6 on another port":             {host: "2001:db8::1", port: 2222, text: line("[2001:db8::1]:2223", right), want: unknown},
	} {
		t.Run(name, func(t *testing.T) {
			if test.port == 0 {
				test.port = 22
			}
			k := knowing(t, &settings{host: cmp.Or(test.host, "Box.Example"), port: test.port, alias: test.alias, strict: "ask"}, test.text)
			err := k.check(right)
			if (err == nil) != (test.want == believed) || err != nil && !strings.Contains(err.Error(), test.want) {
				t.Errorf("got %v, want %q", err, test.want)
			}
		})
	}
}

func TestWhatToDoAboutAHostKeyIsSaid(t *testing.T) {
	key := publicOf(t, 'r')
	s := func() *settings { return &settings{host: "10.0.0.1", port: 2222, strict: "ask"} }
	known := knowing(t, s(), line("# x\n[10.0.0.1]:2222", publicOf(t, 'w')))
	where := strings.NewReplacer(filepath.Dir(known.s.knownHosts[0]), "/home/jpic/.ssh")
	golden(t, "testdata/changed.txt", where.Replace(known.check(key).Error())+"\n")
	unknown := knowing(t, s(), "")
	where = strings.NewReplacer(filepath.Dir(unknown.s.knownHosts[0]), "/home/jpic/.ssh")
	golden(t, "testdata/unknown.txt", where.Replace(unknown.check(key).Error())+"\n")
}

func TestStrictnessDecidesAboutNewKeysAndNeverAboutChangedOnes(t *testing.T) {
	right, wrong := publicOf(t, 'r'), publicOf(t, 'w')
	for strict, accepted := range map[string]bool{"ask": false, "yes": false, "accept-new": true, "no": true, "nonsense": false} {
		k := knowing(t, &settings{host: "box", port: 22, strict: strict}, "")
		if err := k.check(right); (err == nil) != accepted {
			t.Errorf("%s: a new key: %v", strict, err)
		}
		k = knowing(t, &settings{host: "box", port: 22, strict: strict}, line("box", wrong))
		if err := k.check(right); err == nil {
			t.Errorf("%s: a changed key is accepted", strict)
		}
	}
}

func TestANewKeyIsRemembered(t *testing.T) {
	key := publicOf(t, 'r')
	for _, hash := range []bool{false, true} {
		before := strings.TrimSuffix(line("other", publicOf(t, 'w')), "\n") // somebody's editor took the last newline
		k := knowing(t, &settings{host: "box", port: 2222, strict: "accept-new", hashHosts: hash}, before)
		if err := k.check(key); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(k.s.knownHosts[0])
		if err != nil {
			t.Fatal(err)
		}
		if !strings.HasPrefix(string(text), before+"\n") || strings.Contains(string(text), "[box]:2222 ") == hash {
			t.Errorf("hash %v:\n%s", hash, text)
		}
		again, err := readHostKeys(k.s)
		if err != nil {
			t.Fatal(err)
		}
		again.s.strict = "yes"
		if err := again.check(key); err != nil {
			t.Errorf("hash %v: %v", hash, err)
		}
	}
}

func TestTheKeyThatIsKnownIsAskedForFirst(t *testing.T) {
	private, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(private.Public())
	if err != nil {
		t.Fatal(err)
	}
	s := &settings{host: "box", port: 22}
	for text, first := range map[string]string{
		line("box", key):                                       ssh.KeyAlgoRSASHA256,
		line("box", publicOf(t, 'r')):                          ssh.KeyAlgoED25519,
		"@cert-authority " + line("*", key):                    "-cert-",
		line("box", key) + "@cert-authority " + line("*", key): "-cert-",
		"": "",
	} {
		got := knowing(t, s, text).algorithms()
		if !strings.Contains(got[0], first) {
			t.Errorf("%s: %v", text, got)
		}
		if authority := strings.Contains(text, "@cert"); strings.Contains(strings.Join(got, " "), "-cert-") != authority {
			t.Errorf("%s: certificates are asked for: %v", text, got)
		}
	}
}

func TestOnlyAnAuthoritysCertificateForThisHostIsBelieved(t *testing.T) {
	host, authority := publicOf(t, 'h'), publicOf(t, 'a')
	certify := func(principal string, kind uint32, before uint64) *ssh.Certificate {
		cert := &ssh.Certificate{Key: host, CertType: kind, ValidPrincipals: []string{principal}, ValidBefore: before}
		key, err := ssh.NewSignerFromKey(signer('a'))
		if err != nil {
			t.Fatal(err)
		}
		if err := cert.SignCert(rand.Reader, key); err != nil {
			t.Fatal(err)
		}
		return cert
	}
	good := certify("box", ssh.HostCert, ssh.CertTimeInfinity)
	known := "@cert-authority *ox " + line("", authority)[1:]
	for name, test := range map[string]struct {
		text string
		cert *ssh.Certificate
		want string
	}{
		"believed":                  {known, good, ""},
		"no authority":              {"", good, "no authorities for hostname"},
		"another host's authority":  {strings.Replace(known, "*ox", "other", 1), good, "no authorities for hostname"},
		"another authority":         {"@cert-authority * " + line("", host)[1:], good, "no authorities for hostname"},
		"for another host":          {known, certify("other", ssh.HostCert, ssh.CertTimeInfinity), "not in the set of valid principals"},
		"a user's":                  {known, certify("box", ssh.UserCert, ssh.CertTimeInfinity), "has type 1"},
		"expired":                   {known, certify("box", ssh.HostCert, 1), "expired"},
		"of a revoked key":          {known + "@revoked * " + line("", host)[1:], good, "its key is revoked"},
		"by an authority withdrawn": {known + "@revoked * " + line("", authority)[1:], good, "its key is revoked"},
	} {
		err := knowing(t, &settings{host: "box", port: 22}, test.text).check(test.cert)
		if (err == nil) != (test.want == "") || err != nil && !strings.Contains(err.Error(), test.want) {
			t.Errorf("%s: got %v, want %q", name, err, test.want)
		}
	}
}

func FuzzKnownHostsNeverBelieveAKeyThatTheyDoNotHave(f *testing.F) {
	stranger, known := publicOf(f, 's'), publicOf(f, 'k')
	f.Add([]byte(line("box", known)))
	f.Add([]byte(line(knownhosts.HashHostname("box"), known) + "@revoked * x\n|1|\n\x00"))
	f.Fuzz(func(t *testing.T, text []byte) {
		k := &hostKeys{name: "box", entries: entriesFor(text, "known_hosts", "box"), s: &settings{host: "box", port: 22, strict: "yes"}}
		if strings.Contains(string(text), string(ssh.MarshalAuthorizedKey(stranger)[:70])) {
			return
		}
		if k.check(stranger) == nil {
			t.Errorf("believed by %q", text)
		}
		k.algorithms()
	})
}
