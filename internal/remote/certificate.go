package remote

import (
	"cmp"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// certificate is an authority's word that a key is that of certain users.
type certificate struct {
	*ssh.Certificate
	file string
}

// readCertificate adds the certificate of a file for [keyring.add] to find. One
// that is there already is not added again; that one is absent is not worth a
// word where it is optional.
func (k *keyring) readCertificate(file string, optional bool) {
	text, err := os.ReadFile(file)
	if optional && errors.Is(err, fs.ErrNotExist) {
		return
	}
	if err != nil {
		k.lacking = append(k.lacking, err.Error())
		return
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(text)
	cert, ok := key.(*ssh.Certificate)
	if err != nil || !ok {
		k.lacking = append(k.lacking, file+" is no certificate")
		return
	}
	for _, other := range k.certificates {
		if string(other.Marshal()) == string(cert.Marshal()) {
			return
		}
	}
	k.certificates = append(k.certificates, certificate{cert, file})
}

// Unfit returns what is wrong with a certificate so that no host would let a user
// in by it, "" for nothing. Whom it is for is the host's to judge, which may take
// it for others (AuthorizedPrincipals).
func Unfit(c *ssh.Certificate, now time.Time) string {
	switch {
	case c.CertType != ssh.UserCert:
		return "is a host's certificate, and no user's"
	case c.ValidBefore != ssh.CertTimeInfinity && now.Unix() >= int64(c.ValidBefore):
		return "has expired: it was valid until " + moment(c.ValidBefore)
	case now.Unix() < int64(c.ValidAfter):
		return "is not valid before " + moment(c.ValidAfter)
	}
	return ""
}

// String says what is in the certificate that a host may have something against.
func (c certificate) String() string {
	until := ""
	if c.ValidBefore != ssh.CertTimeInfinity {
		until = ", until " + moment(c.ValidBefore)
	}
	return fmt.Sprintf("a certificate of the authority %s for %s%s", ssh.FingerprintSHA256(c.SignatureKey),
		cmp.Or(strings.Join(c.ValidPrincipals, ", "), "no user"), until)
}

func moment(seconds uint64) string {
	return time.Unix(int64(seconds), 0).UTC().Format("2006-01-02 15:04 UTC")
}
