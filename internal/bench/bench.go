// Package bench measures whole commands next to each other. It must not know
// what they do.
package bench

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/local"
)

// Command is one of the commands to compare.
type Command struct {
	Name string
	Argv []string
	Env  []string // "NAME=value", beside this process's environment
}

// Compare runs each command rounds times, one after the other in each round so
// that what the machine does meanwhile is shared, and prints the wall times and
// their ratio to the first command's.
func Compare(ctx context.Context, rounds int, commands ...Command) error {
	times := make([][]time.Duration, len(commands))
	for round := -1; round < rounds; round++ { // round -1 warms the caches
		for i, c := range commands {
			took, err := once(ctx, c)
			if err != nil {
				return fmt.Errorf("%s: %w", c.Name, err)
			}
			if round >= 0 {
				times[i] = append(times[i], took)
			}
		}
	}
	rows := [][]string{{"COMMAND", "MIN", "MEDIAN", "MAX", "RATIO"}}
	base := median(times[0])
	for i, c := range commands {
		rows = append(rows, []string{
			c.Name, round(slices.Min(times[i])), round(median(times[i])), round(slices.Max(times[i])),
			fmt.Sprintf("%.1f", float64(median(times[i]))/float64(base)),
		})
	}
	return console.Table(rows...)
}

func once(ctx context.Context, c Command) (time.Duration, error) {
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Env = append(os.Environ(), c.Env...)
	start := time.Now()
	err := cmd.Run() // not a pipeline: nothing of ours may stand beside what is timed
	return time.Since(start), err
}

func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2]
}

func round(d time.Duration) string { return d.Round(100 * time.Microsecond).String() }

// Startup compares the ways to list the targets with the least that a command
// can cost, `bash -c true`.
func Startup(ctx context.Context) error {
	dir, err := os.MkdirTemp("", "mrs-ops-bench-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	mage, compiled := dir+"/mage", dir+"/mrs-ops"
	for _, build := range [][]string{
		{"go", "build", "-o", mage, "github.com/magefile/mage"},
		{"go", "tool", "mage", "-compile", compiled},
	} {
		if _, err := local.Output(ctx, build...); err != nil {
			return err
		}
	}
	return Compare(ctx, 20,
		Command{Name: "bash -c true", Argv: []string{"bash", "-c", "true"}},
		Command{Name: "go tool mage -l", Argv: []string{"go", "tool", "mage", "-l"}},
		Command{Name: "MAGEFILE_HASHFAST=1 mage -l", Argv: []string{mage, "-l"}, Env: []string{"MAGEFILE_HASHFAST=1"}},
		Command{Name: "compiled, -l", Argv: []string{compiled, "-l"}},
	)
}
