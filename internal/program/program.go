// Package program builds the programs of this project that run on servers.
//
// It knows what goes into them, so that a server can be asked for one before it is
// built, and how they are compiled, so that the same source gives the same bytes
// wherever that is done, and for which processors. It must not know what they do,
// nor how they get to a server.
package program

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"

	"github.com/gofrs/flock"

	"github.com/betagouv/mrs-ops/internal/gobuild"
	"github.com/betagouv/mrs-ops/internal/local"
)

// Built is a program that is ready to be shipped.
type Built struct {
	Path    string `json:"path"`    // on this machine
	Name    string `json:"name"`    // what it is called on a server
	Sum     string `json:"sum"`     // SHA-256, in hexadecimal
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

// source is what a program is built from: ./cmd/NAME, for Go's name of a processor.
type source struct{ name, arch string }

// keys are those that this process knows, by their source: to ask go takes a fifth of a second.
var keys sync.Map

// Key returns what ./cmd/NAME of this project, whose root is the working directory, is known by for a processor:
// NAME-HASH, of all that goes into it. It is the same wherever the clone is, and nothing is compiled for it.
func Key(ctx context.Context, name, machine string) (string, error) {
	arch, ok := processors[machine]
	if !ok {
		return "", fmt.Errorf("%s is not built for the processor %q", name, machine)
	}
	s := source{name, arch}
	if key, known := keys.Load(s); known {
		return key.(string), nil
	}
	return s.key(ctx)
}

// key is [Key], asked anew.
func (s source) key(ctx context.Context) (string, error) {
	// What of the toolchain and its settings is in the bytes.
	toolchain, err := local.Output(ctx,
		s.run("go", "env", "GOVERSION", "GOAMD64", "GOARM64", "GOEXPERIMENT", "GOFIPS140")...)
	if err != nil {
		return "", fmt.Errorf("%s can't be built: %w", s.name, err)
	}
	listed, err := local.Output(ctx, s.run("go", "list", "-deps", "-json=ImportPath,Dir,Standard,Module,DefaultGODEBUG,"+
		"GoFiles,SFiles,HFiles,SysoFiles,EmbedFiles", "./cmd/"+s.name)...)
	if err != nil {
		return "", fmt.Errorf("%s can't be built: %w", s.name, err)
	}
	sum := sha256.New()
	fmt.Fprintln(sum, s.build(""), toolchain)
	for packages := json.NewDecoder(strings.NewReader(listed)); ; {
		var p struct {
			ImportPath, Dir, DefaultGODEBUG                string
			Standard                                       bool // it is the toolchain's
			Module                                         struct{ Path, Version, GoVersion string }
			GoFiles, SFiles, HFiles, SysoFiles, EmbedFiles []string
		}
		if err := packages.Decode(&p); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return "", fmt.Errorf("what go says of the packages of %s can't be read: %w", s.name, err)
		}
		if p.Standard {
			continue
		}
		fmt.Fprintf(sum, "%s %+v %s\n", p.ImportPath, p.Module, p.DefaultGODEBUG)
		for _, file := range slices.Concat(p.GoFiles, p.SFiles, p.HFiles, p.SysoFiles, p.EmbedFiles) {
			content, err := os.ReadFile(filepath.Join(p.Dir, file))
			if err != nil {
				return "", err
			}
			fmt.Fprintf(sum, "%s %x\n", file, sha256.Sum256(content))
		}
	}
	key := fmt.Sprintf("%s-%x", s.name, sum.Sum(nil)[:8])
	keys.Store(s, key)
	return key, nil
}

// Build compiles ./cmd/NAME of this project, whose root is the working directory, for
// a processor, where this machine does not have it yet.
func Build(ctx context.Context, name, machine string) (Built, error) {
	key, err := Key(ctx, name, machine)
	if err != nil {
		return Built{}, err
	}
	cache, err := os.UserCacheDir()
	if err != nil {
		return Built{}, err
	}
	folder := filepath.Join(cache, "mrs-ops")
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return Built{}, err
	}
	// Of two that build it at once, one builds, and the other takes what comes of it.
	lock := flock.New(filepath.Join(folder, name+".lock"))
	if err := lock.Lock(); err != nil {
		return Built{}, err
	}
	defer lock.Close()
	s, path := source{name, processors[machine]}, filepath.Join(folder, "."+name)
	defer os.Remove(path)
	for {
		if built, there := kept(folder, key); there {
			built.Machine = machine
			return built, nil
		}
		if _, err := local.Combined(ctx, s.build(path)...); err != nil {
			return Built{}, fmt.Errorf("%s can't be built: %w", name, err)
		}
		// Where somebody has edited it meanwhile, nobody knows what is in it.
		before := key
		if key, err = s.key(ctx); err != nil {
			return Built{}, err
		}
		if key != before {
			continue
		}
		sum, err := hash(path)
		if err != nil {
			return Built{}, err
		}
		if err := os.Rename(path, filepath.Join(folder, Name(key, sum))); err != nil {
			return Built{}, err
		}
		forget(filepath.Join(folder, name+"-*"))
	}
}

// kept returns what was built here before, if it is whole.
func kept(folder, key string) (Built, bool) {
	found, _ := filepath.Glob(filepath.Join(folder, key+"-*"))
	for _, path := range found {
		sum, err := hash(path)
		if name := Name(key, sum); err == nil && name == filepath.Base(path) {
			return Built{Path: path, Name: name, Sum: sum}, true
		}
	}
	return Built{}, false
}

// Name returns what a program with a key and a SHA-256 is called on a server: so it can be
// told whether one is whole by itself.
func Name(key, sum string) string { return key + "-" + sum[:min(16, len(sum))] }

func hash(path string) (string, error) {
	content, err := os.ReadFile(path)
	return fmt.Sprintf("%x", sha256.Sum256(content)), err
}

// run returns a command of go's about the source.
func (s source) run(argv ...string) []string {
	return append([]string{"env", "CGO_ENABLED=0", "GOOS=linux", "GOARCH=" + s.arch,
		"GOWORK=off", "GOFLAGS=-mod=readonly"}, argv...)
}

// build returns the command that compiles it to path. Nothing of the machine or the moment goes into it.
func (s source) build(path string) []string {
	out := []string{"-o", path, "./cmd/" + s.name}
	return s.run(slices.Concat([]string{"go", "build"}, gobuild.Flags(testWords()), out)...)
}

// testWords has a program say the value of MRS_OPS_X instead of each of its sentences: for tests.
func testWords() string {
	if x := os.Getenv("MRS_OPS_X"); x != "" {
		return "-X=github.com/betagouv/mrs-ops/internal/hostapi.words=" + x
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
