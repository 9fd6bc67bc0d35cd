package application

import (
	"crypto/pbkdf2"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// Known are the users whose passwords everybody knows, by their names: test comes
// with the application's default secret key and its test data, dev with every
// branch and every copy.
var Known = map[string]string{"test": "test", "dev": "dev"}

// Open returns, sorted, as which of some users everybody gets in: those whose hashes are of passwords that are [Known].
func Open(hashes map[string]string) []string {
	open := []string{}
	for _, name := range slices.Sorted(maps.Keys(hashes)) {
		if password, known := Known[name]; known && Opens(hashes[name], password) {
			open = append(open, name)
		}
	}
	return open
}

// Opens reports whether a password is the one that a hash is of, in Django's form
// pbkdf2_sha256$ITERATIONS$SALT$HASH (django.contrib.auth.hashers). No password
// opens a hash in another form.
func Opens(hash, password string) bool {
	parts := strings.Split(hash, "$")
	if len(parts) != 4 || parts[0] != "pbkdf2_sha256" {
		return false
	}
	iterations, err := strconv.Atoi(parts[1])
	if err != nil || iterations < 1 || iterations > 10_000_000 {
		return false
	}
	want, err := base64.StdEncoding.DecodeString(parts[3])
	if err != nil {
		return false
	}
	got, err := pbkdf2.Key(sha256.New, password, []byte(parts[2]), iterations, sha256.Size)
	return err == nil && subtle.ConstantTimeCompare(got, want) == 1
}
