// Package check holds the project's own sources to its rules: formatted,
// vetted, linted, tested. It must not know what the sources are about.
package check

import (
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
	"time"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/local"
)

// tags are the build constraints that hide sources from plain `go vet ./...`.
const tags = "-tags=mage,e2e"

var blank = regexp.MustCompile(`^$`)

// Lint runs every linter on the sources, and returns all that they say.
func Lint(ctx context.Context) error {
	scripts, err := sources(ctx, "*.sh", ".ci/run")
	if err != nil {
		return err
	}
	return errors.Join(
		step("gofmt", gofmt(ctx)),
		step("go vet", run(ctx, "go", "vet", tags, "./...")),
		step("staticcheck", run(ctx, "go", "tool", "staticcheck", tags, "./...")),
		step("shellcheck", run(ctx, append([]string{"shellcheck", "--external-sources"}, scripts...)...)),
		step("ansible-lint", ansibleLint(ctx)),
	)
}

// Unit runs the tests that need nothing but Go.
func Unit(ctx context.Context) error {
	return run(ctx, "go", "test", "./...")
}

// EndToEnd runs the tests that deploy on this machine's Docker engine. They
// print as they go; those that failed are printed once more at the end, where
// the log of a CI system is read.
func EndToEnd(ctx context.Context) error {
	return run(ctx, "go", "tool", "gotestsum", "--format=standard-verbose", "--",
		"-tags=e2e", "-count=1", "-timeout=80m", "./e2e/...")
}

func run(ctx context.Context, argv ...string) error {
	_, err := local.Exec(ctx, argv...).Stdout()
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
