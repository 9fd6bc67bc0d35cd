package host

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/gobuild"
	"github.com/betagouv/mrs-ops/internal/local"
)

// traefik is the Traefik that stands in where its image can't be pulled.
var traefik = gobuild.Program{
	Name:    "Traefik",
	Module:  "github.com/traefik/traefik/v3",
	Version: "v3.0.4",
	Sum:     "h1:OivAymGtWCAL8BoIEIMOZyYffED4jaujR0o+W3wD1tA=",
	Package: "./cmd/traefik",
	LDFlags: "-X github.com/traefik/traefik/v3/pkg/version.Version=3.0.4",
}

// certificates are where systems keep the authorities that they trust, all in
// one file: Debian, the RedHat family, macOS.
var certificates = []string{
	"/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt", "/etc/ssl/cert.pem",
}

// architecture is what Go and Docker call a processor.
var architecture = regexp.MustCompile(`^(amd64|arm64)$`)

// TraefikImage returns the path of a tar.gz with the root folder of an image of
// Traefik for Linux on the processor arch (amd64 or arm64), for `docker import`:
// the program, built from its source, and this machine's certificate
// authorities. Both are kept in the user's cache; the first build takes about
// ten minutes on two cores, during which a line every 10 seconds is told to say.
func TraefikImage(ctx context.Context, arch string, say func(format string, args ...any)) (string, error) {
	if !architecture.MatchString(arch) {
		return "", fmt.Errorf("no Traefik can be built for the processor %q\n"+
			"hint: amd64 or arm64; or put the image on the host: docker load", arch)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "mrs-ops")
	archive := filepath.Join(cache, "traefik-"+traefik.Version+"-"+arch+".tar.gz")
	if _, err := os.Stat(archive); err == nil {
		return archive, nil
	}
	name := "traefik-" + traefik.Version
	if arch != runtime.GOARCH {
		name += "-" + arch
	}
	program := filepath.Join(cache, name)
	if _, err := os.Stat(program); err != nil {
		say("Traefik: %s is built from source: about ten minutes, once; kept in %s", traefik.Version, cache)
		stop := console.Pulse(10*time.Second, say, "Traefik: building")
		err := traefik.Build(ctx, program, arch)
		stop()
		if err != nil {
			return "", err
		}
	}
	return archive, local.Create(archive, 0o644, func(w io.Writer) error { return pack(w, program) })
}

// pack writes the image's root folder: what Traefik needs, and nothing else.
func pack(w io.Writer, program string) error {
	trusted, err := readFirst(certificates)
	if err != nil {
		return err
	}
	binary, err := os.ReadFile(program)
	if err != nil {
		return err
	}
	compressed, _ := gzip.NewWriterLevel(w, gzip.BestSpeed)
	files := tar.NewWriter(compressed)
	for _, file := range []struct {
		header  tar.Header
		content []byte
	}{
		{tar.Header{Typeflag: tar.TypeDir, Name: "tmp/", Mode: 0o1777}, nil},
		{tar.Header{Name: "etc/ssl/certs/ca-certificates.crt", Mode: 0o644}, trusted},
		{tar.Header{Name: "usr/local/bin/traefik", Mode: 0o755}, binary},
	} {
		file.header.Size = int64(len(file.content))
		if err := files.WriteHeader(&file.header); err != nil {
			return err
		}
		if _, err := io.Copy(files, bytes.NewReader(file.content)); err != nil {
			return err
		}
	}
	return errors.Join(files.Close(), compressed.Close())
}

// readFirst returns the content of the first file that there is.
func readFirst(paths []string) ([]byte, error) {
	for _, path := range paths {
		if content, err := os.ReadFile(path); err == nil {
			return content, nil
		}
	}
	return nil, fmt.Errorf("this machine has no certificate authorities for Traefik to trust: no %q\n"+
		"hint: install ca-certificates", paths)
}
