// Package check holds the project's own sources to its rules: formatted,
// vetted, linted, tested. It must not know what the sources are about.
package check

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/gobuild"
	"github.com/betagouv/mrs-ops/internal/local"
)

// tags are the build constraints that hide sources from plain `go vet ./...`.
const tags = "-tags=mage,e2e,soak"

// Anywhere is of the environment of go, which finds then what it has compiled from whatever folder, in a clone, on a
// machine that has no C compiler, and for mrs-host, which is built by the same flags: nothing has to be compiled anew.
var Anywhere = []string{"GOFLAGS=" + strings.Join(gobuild.Compiled, " "), "CGO_ENABLED=0"}

var blank = regexp.MustCompile(`^$`)

// shellcheck with what it has to be asked for: where errexit is off, and where
// a status is lost, something that failed goes on as if it had not.
var shellcheck = []string{"shellcheck", "--external-sources",
	"--enable=check-set-e-suppressed,check-extra-masked-returns"}

// Lint runs every linter on the sources, those of Go beside the others, and returns all that they say.
func Lint(ctx context.Context) error {
	scripts, err := sources(ctx, "*.sh", "*.bash", "do", ".ci/run")
	if err != nil {
		return err
	}
	var ofGo, others error
	var both sync.WaitGroup
	both.Go(func() { // one after the other: they compile the same packages
		ofGo = errors.Join(
			step("go vet", errors.Join(run(ctx, "go", "vet", tags, "./..."),
				run(ctx, "go", "vet", "-tags=e2e", "./e2e/..."))), // without the campaign it has to compile, too
			step("staticcheck", run(ctx, "go", "tool", "staticcheck", tags, "./...")),
		)
	})
	both.Go(func() {
		others = errors.Join(
			step("gofmt", gofmt(ctx)),
			step("lines", lineLengths(ctx)),
			step("shellcheck", run(ctx, append(shellcheck, scripts...)...)),
			step("ansible-lint", ansibleLint(ctx)),
		)
	})
	both.Wait()
	return errors.Join(ofGo, others)
}

// Unit runs the tests that need nothing but Go.
func Unit(ctx context.Context) error {
	return run(ctx, "go", "test", "./...")
}

// folder is where a run of tests leaves what it has measured and said. It is
// not committed.
const folder = ".test"

// A Campaign strikes at random moments, for as long as it is told.
type Campaign struct {
	For time.Duration
	// Seed is what its trials are drawn from: N, or N.K for trial K of N alone; empty: a new one. With "whole" nothing is
	// drawn, and what is tried as a whole is tried once each.
	Seed string
}

// EndToEnd runs the tests that deploy on this machine's Docker engine. They are
// told as they end; those that failed are printed once more at the end, where
// the log of a CI system is read.
func EndToEnd(ctx context.Context) error {
	return gotestsum(ctx, nil, "./e2e/...", "-timeout=80m")
}

// One runs the tests, of all levels, whose names match: a regular expression for
// each part of a name, with slashes between them, as go test -run takes it. With
// keep, the lab stays for the next run, and the one that stayed is used.
func One(ctx context.Context, name string, keep bool) error {
	if strings.HasPrefix(name, "-") {
		return fmt.Errorf("%q is no test's name\nhint: options come behind it: mage test:one NAME -keep", name)
	}
	flags := []string{"-timeout=80m", "-run=" + name}
	if !keep {
		return gotestsum(ctx, nil, "./...", flags...)
	}
	return gotestsum(ctx, nil, "./e2e/...", append(flags, "-args", "-keep")...)
}

// Soak runs the campaign. Each of its trials is told as it ends, by a name that
// begins with the seed that repeats it.
func Soak(ctx context.Context, c Campaign) error {
	c.Seed = cmp.Or(c.Seed, strconv.Itoa(rand.IntN(1_000_000)))
	seed, _, _ := strings.Cut(c.Seed, ".")
	if c.Seed != "whole" {
		console.Say("the campaign is drawn from seed %s; each trial is named by what repeats it: mage test:soak -seed=%s.K",
			c.Seed, seed)
	}
	// What it begins it ends; to lay it out takes some minutes, too.
	timeout := "-timeout=" + (c.For + 90*time.Minute).String()
	return gotestsum(ctx, []string{"soak"}, "./e2e/...", timeout, "-run=^TestSoak$",
		"-args", "-for="+c.For.String(), "-seed="+c.Seed)
}

// gotestsum runs tests of packages with more flags of go test, tells what they
// say where they fail, and how long the slowest took.
func gotestsum(ctx context.Context, tags []string, packages string, flags ...string) error {
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	said := filepath.Join(folder, "events.json")
	argv := []string{"go", "tool", "gotestsum", "--format=testname", "--format-hide-empty-pkg", "--jsonfile=" + said, "--",
		"-tags=" + strings.Join(append([]string{"e2e"}, tags...), ","), "-count=1", packages}
	err := run(ctx, append(argv, flags...)...)
	return errors.Join(err, measured(said, filepath.Join(folder, "times.tsv")))
}

// measured writes how long each test took that events tell of, and prints the
// slowest. That there was none is an error.
func measured(events, times string) error {
	in, err := os.Open(events)
	if err != nil {
		return err
	}
	defer in.Close()
	all, err := timings(in)
	if err != nil {
		return err
	}
	if len(all) == 0 {
		return errors.New("no test was run: none has such a name\nhint: go test -tags=e2e -list=. ./... lists them")
	}
	out, err := os.Create(times)
	if err != nil {
		return err
	}
	if err := errors.Join(writeTimings(out, all), out.Close()); err != nil {
		return err
	}
	return errors.Join(console.Table(slowest(all, 10)...),
		console.Table([]string{"all of them:", times}, []string{"what they said:", events}))
}

func run(ctx context.Context, argv ...string) error {
	_, err := local.Exec(ctx, slices.Concat([]string{"env"}, Anywhere, argv)...).Stdout()
	if err != nil {
		return fmt.Errorf("%s: %w", strings.Join(argv[:min(3, len(argv))], " "), err)
	}
	return nil
}

// step says how a linter ended.
func step(name string, err error) error {
	verdict := "ok"
	if err != nil {
		verdict = "FAILED"
	}
	console.Say("%-12s  %s", name, verdict)
	return err
}

// sources returns the committed and the new files that match the patterns.
func sources(ctx context.Context, patterns ...string) ([]string, error) {
	argv := append([]string{"git", "ls-files", "--cached", "--others", "--exclude-standard", "--"}, patterns...)
	return script.NewPipe().WithContext(ctx).WithStderr(os.Stderr).ExecCommand(argv[0], argv[1:]...).
		FilterLine(func(file string) string {
			if _, err := os.Stat(file); err != nil {
				return "" // deleted, not yet committed
			}
			return file
		}).RejectRegexp(blank).Slice()
}

func gofmt(ctx context.Context) error {
	files, err := sources(ctx, "*.go")
	if err != nil {
		return err
	}
	changed, err := local.Output(ctx, append([]string{"gofmt", "-l"}, files...)...)
	if err != nil || changed == "" {
		return err
	}
	return fmt.Errorf("gofmt would change:\n%s\nhint: gofmt -w them", changed)
}

// ansibleLint lints the playbooks and roles; it reads no network.
func ansibleLint(ctx context.Context) error {
	_, err := local.Output(ctx, "ansible-lint", "--offline", "--nocolor", "--project-dir", "ansible", "ansible")
	return err
}

// Took prints the outcome of a target that began at start.
func Took(start time.Time, outcome string) {
	console.Done("%s (%s)", outcome, time.Since(start).Round(100*time.Millisecond))
}
