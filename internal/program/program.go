// Package program builds the programs of this project that run on servers.
//
// It knows how they are compiled, so that the same source gives the same bytes
// wherever that is done, and for which processors. It must not know what they do,
// nor how they get to a server.
package program

import (
	"cmp"
	"context"
	"crypto/sha256"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"sync"

	"github.com/gofrs/flock"

	"github.com/betagouv/mrs-ops/internal/local"
)

// Built is a program that is ready to be shipped.
type Built struct {
	Path    string `json:"path"`    // on this machine
	Sum     string `json:"sum"`     // SHA-256, in hexadecimal: what it is known by
	Machine string `json:"machine"` // that it runs on, as uname -m says it
}

// processors are Go's names for what uname -m says.
var processors = map[string]string{"x86_64": "amd64", "aarch64": "arm64"}

// Here returns this machine's processor, as uname -m says it; where a server
// can't have it, the commonest of servers.
func Here() string {
	for machine, arch := range processors {
		if arch == runtime.GOARCH {
			return machine
		}
	}
	return "x86_64"
}

// built are those that this process has built: to ask go whether anything has changed takes half a second.
var built struct {
	sync.Mutex
	programs map[string]Built
}

// Build compiles ./cmd/NAME of this project, whose root is the working
// directory, for a processor; once, whoever asks how often.
func Build(ctx context.Context, name, machine string) (Built, error) {
	arch, ok := processors[machine]
	if !ok {
		return Built{}, fmt.Errorf("%s is not built for the processor %q", name, machine)
	}
	built.Lock()
	defer built.Unlock()
	program := built.programs[name+"-"+arch]
	if _, err := os.Stat(program.Path); err == nil {
		return program, nil
	}
	program, err := build(ctx, name, arch)
	if err == nil {
		program.Machine = machine
		if built.programs == nil {
			built.programs = map[string]Built{}
		}
		built.programs[name+"-"+arch] = program
	}
	return program, err
}

func build(ctx context.Context, name, arch string) (Built, error) {
	cache, err := os.UserCacheDir()
	if err != nil {
		return Built{}, err
	}
	path := filepath.Join(cache, "mrs-ops", name+"-"+arch)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return Built{}, err
	}
	// It stays there, as go builds nothing anew that is as it would be; so whoever
	// builds it is alone.
	lock := flock.New(path + ".lock")
	if err := lock.Lock(); err != nil {
		return Built{}, err
	}
	defer lock.Close()
	// Nothing of the machine or the moment goes into it, so its hash is the source's.
	argv := []string{"env", "CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + arch, "GOFLAGS=-mod=readonly",
		"go", "build", "-buildvcs=false", "-trimpath", "-ldflags=-s -w" + testWords(), "-o", path, "./cmd/" + name}
	if _, err := local.Combined(ctx, argv...); err != nil {
		return Built{}, fmt.Errorf("%s can't be built: %w", name, err)
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return Built{}, err
	}
	// Another clone may build another one there while this one is shipped.
	sum := fmt.Sprintf("%x", sha256.Sum256(content))
	kept := path + "-" + sum[:16]
	if _, err := os.Stat(kept); err != nil {
		if err := local.WriteFile(kept, string(content), 0o755); err != nil {
			return Built{}, err
		}
		forget(path + "-*")
	}
	return Built{Path: kept, Sum: sum}, nil
}

// testWords has a program say the value of MRS_OPS_X instead of each of its sentences: for tests.
func testWords() string {
	if x := os.Getenv("MRS_OPS_X"); x != "" {
		return " -X=github.com/betagouv/mrs-ops/internal/hostapi.words=" + x
	}
	return ""
}

// keep is how many of the newest builds of a program stay.
const keep = 8

// forget removes older builds.
func forget(pattern string) {
	files, _ := filepath.Glob(pattern)
	age := func(path string) int64 {
		info, err := os.Stat(path)
		if err != nil {
			return 0
		}
		return info.ModTime().UnixNano()
	}
	slices.SortFunc(files, func(a, b string) int { return cmp.Compare(age(b), age(a)) })
	for _, path := range files[min(keep, len(files)):] {
		_ = os.Remove(path)
	}
}
