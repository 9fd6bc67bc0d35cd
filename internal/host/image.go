package host

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"time"

	"github.com/betagouv/mrs-ops/internal/local"
)

// The Traefik that stands in where its image can't be pulled.
const (
	traefikModule  = "github.com/traefik/traefik/v3"
	traefikVersion = "v3.0.4"
	traefikSum     = "h1:OivAymGtWCAL8BoIEIMOZyYffED4jaujR0o+W3wD1tA=" // as in a go.sum
)

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
		return "", fmt.Errorf("no Traefik can be built for the processor %q\nhint: amd64 or arm64; or put the image on the host: docker load", arch)
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return "", err
	}
	cache = filepath.Join(cache, "mrs-ops")
	if err := os.MkdirAll(cache, 0o755); err != nil {
		return "", err
	}
	archive := filepath.Join(cache, "traefik-"+traefikVersion+"-"+arch+".tar.gz")
	if _, err := os.Stat(archive); err == nil {
		return archive, nil
	}
	program := filepath.Join(cache, programName(arch))
	if _, err := os.Stat(program); err != nil {
		if err := buildTraefik(ctx, cache, program, arch, say); err != nil {
			return "", err
		}
	}
	return archive, whole(archive, func(w io.Writer) error { return pack(w, program) })
}

// programName is the program's file in the cache; that of another processor
// than this machine's says so.
func programName(arch string) string {
	name := "traefik-" + traefikVersion
	if arch != runtime.GOARCH {
		name += "-" + arch
	}
	return name
}

// buildTraefik compiles Traefik to program. `go install` would do it in one
// step, but refuses modules that replace others.
func buildTraefik(ctx context.Context, cache, program, arch string, say func(format string, args ...any)) error {
	if _, err := exec.LookPath("go"); err != nil {
		return fmt.Errorf("no go command to build Traefik with: %w\nhint: add Go's bin folder to the PATH", err)
	}
	say("Traefik: %s is built from source: about ten minutes, once; kept in %s", traefikVersion, cache)
	defer pulse(say, "Traefik: building")()
	dir, err := os.MkdirTemp(cache, "traefik-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	source, err := downloadTraefik(ctx, dir)
	if err != nil {
		return err
	}
	half := filepath.Join(dir, "traefik")
	if _, err := local.Output(ctx, "env", "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch, "GOWORK=off", "GOFLAGS=-mod=readonly",
		"go", "-C", source, "build", "-buildvcs=false", "-trimpath",
		"-ldflags", "-s -w -X "+traefikModule+"/pkg/version.Version="+traefikVersion[1:],
		"-o", half, "./cmd/traefik"); err != nil {
		return err
	}
	return os.Rename(half, program) // two that build at once both end up with a whole file
}

// downloadTraefik returns the folder of Traefik's source in the module cache,
// after a look at its sum. It runs go in dir, out of reach of any go.mod.
func downloadTraefik(ctx context.Context, dir string) (string, error) {
	out, err := local.Output(ctx, "env", "GOWORK=off", "GOFLAGS=-mod=mod",
		"go", "-C", dir, "mod", "download", "-json", traefikModule+"@"+traefikVersion)
	var module struct{ Dir, Sum, Error string }
	if jsonErr := json.Unmarshal([]byte(out), &module); jsonErr != nil && err == nil {
		err = fmt.Errorf("go mod download: %w", jsonErr)
	}
	switch {
	case module.Error != "":
		return "", fmt.Errorf("the source of Traefik can't be downloaded: %s\nhint: see `go env GOPROXY`", module.Error)
	case err != nil:
		return "", err
	case module.Sum != traefikSum:
		return "", fmt.Errorf("the source of Traefik %s is not what it was: its sum is %s, not %s\nhint: `go env GOPROXY` names who serves it", traefikVersion, module.Sum, traefikSum)
	}
	return module.Dir, nil
}

// pack writes the image's root folder: what Traefik needs, and nothing else.
func pack(w io.Writer, program string) error {
	trusted, err := readFirst(certificates)
	if err != nil {
		return err
	}
	traefik, err := os.ReadFile(program)
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
		{tar.Header{Name: "usr/local/bin/traefik", Mode: 0o755}, traefik},
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
	return nil, fmt.Errorf("this machine has no certificate authorities for Traefik to trust: no %q\nhint: install ca-certificates", paths)
}

// whole writes a file that has its name only when all of it is there.
func whole(path string, write func(io.Writer) error) error {
	half, err := os.CreateTemp(filepath.Dir(path), "."+filepath.Base(path))
	if err != nil {
		return err
	}
	defer os.Remove(half.Name())
	if err := errors.Join(write(half), half.Close()); err != nil {
		return err
	}
	return os.Rename(half.Name(), path)
}

// pulse tells label and the time since now, every 10 seconds, until the
// function it returns is called.
func pulse(say func(format string, args ...any), label string) (stop func()) {
	began, ticker := time.Now(), time.NewTicker(10*time.Second)
	done := make(chan struct{})
	go func() {
		for {
			select {
			case <-ticker.C:
				say("%s: %v", label, time.Since(began).Round(time.Second))
			case <-done:
				return
			}
		}
	}()
	return func() { ticker.Stop(); close(done) }
}
