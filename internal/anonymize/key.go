package anonymize

import (
	"crypto/hkdf"
	"crypto/rand"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"unicode/utf8"

	"golang.org/x/crypto/scrypt"
)

// Key makes the fakes: with it, and with it alone, can it be told which fake an
// input has. It never prints itself, whatever the verb or the encoder: who has to
// hand it on takes its bytes.
type Key [32]byte

// NewKey returns a random key: fakes that are the same throughout a run, and
// others in the next.
func NewKey() (Key, error) {
	var key Key
	_, err := rand.Read(key[:])
	return key, err
}

// minPassphrase is how many characters a passphrase has at least.
const minPassphrase = 16

// ParseKey returns the key of a passphrase of at least 16 characters, always the
// same one.
//
// A passphrase may be words that somebody thought of, and a fake and its input
// are enough to try guesses against, so the key is derived by scrypt (RFC 7914),
// which makes a guess cost 32 MiB and about a tenth of a second. The salt is
// fixed: the same passphrase has to give the same key on every machine.
func ParseKey(passphrase string) (Key, error) {
	if utf8.RuneCountInString(passphrase) < minPassphrase {
		return Key{}, fmt.Errorf("a key has at least %d characters\nhint: openssl rand -base64 32", minPassphrase)
	}
	derived, err := scrypt.Key([]byte(passphrase), []byte("mrs-ops anonymize key 1"), 1<<15, 8, 1, len(Key{}))
	if err != nil {
		return Key{}, err
	}
	return Key(derived), nil
}

// Format hides the key from every verb, %x and %d too.
func (Key) Format(state fmt.State, _ rune) { io.WriteString(state, "(a key)") }

var errKeyEncoded = errors.New("a key is not encoded by accident")

// MarshalText refuses, for JSON and YAML too: a key in a document is a key in a log.
func (Key) MarshalText() ([]byte, error) { return nil, errKeyEncoded }

// MarshalBinary refuses, as MarshalText does.
func (Key) MarshalBinary() ([]byte, error) { return nil, errKeyEncoded }

// derive returns a key of 16 bytes for one purpose (HKDF, RFC 5869), so that the
// fakes of one kind say nothing about those of another.
func (k Key) derive(purpose string) []byte {
	derived, err := hkdf.Expand(sha256.New, k[:], "mrs-ops anonymize 1 "+purpose, 16)
	if err != nil {
		panic(err) // only for a length that SHA-256 can't give
	}
	return derived
}

// unhex returns the value of a hexadecimal digit, or -1.
func unhex(c byte) int {
	switch {
	case c >= '0' && c <= '9':
		return int(c - '0')
	case c >= 'a' && c <= 'f':
		return int(c-'a') + 10
	case c >= 'A' && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}
