// Package bench measures whole commands next to each other. It must not know
// what they do.
package bench

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/engine"
	"github.com/betagouv/mrs-ops/internal/local"
)

func median(times []time.Duration) time.Duration {
	sorted := slices.Sorted(slices.Values(times))
	return sorted[len(sorted)/2]
}

func round(d time.Duration) string { return d.Round(100 * time.Microsecond).String() }

func seconds(d time.Duration) string { return fmt.Sprintf("%.1f s", d.Seconds()) }

type printed struct {
	at   time.Time
	text string
}

// runLines runs a command in a process group of its own, which is asked to end
// as a whole, and has the time to, when ctx does.
func runLines(ctx context.Context, env []string, argv ...string) (lines []printed, err error) {
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = append(os.Environ(), env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error {
		group := fmt.Sprintf("-%d", cmd.Process.Pid)
		_, err := local.Output(context.WithoutCancel(ctx), local.Root("kill", "-TERM", "--", group)...)
		return err
	}
	cmd.WaitDelay = time.Minute
	r, out := io.Pipe()
	cmd.Stdout, cmd.Stderr = out, out
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait(); out.Close() }()
	var all strings.Builder
	for scanner := bufio.NewScanner(r); scanner.Scan(); {
		lines = append(lines, printed{time.Now(), scanner.Text()})
		all.WriteString(scanner.Text() + "\n")
	}
	_, _ = io.Copy(io.Discard, r) // behind a line that is too long
	if err = <-ended; err != nil {
		err = fmt.Errorf("%s: %w\n%s", local.Quote(argv...), err, local.LastLines(all.String(), 20))
	}
	return lines, err
}

// busyTime is how long this machine's processors have worked, of which the lab is
// a part (proc(5), /proc/stat).
func busyTime() (time.Duration, error) {
	text, err := os.ReadFile("/proc/stat")
	if err != nil {
		return 0, err
	}
	return parseBusy(string(text))
}

func parseBusy(text string) (time.Duration, error) {
	line, _, _ := strings.Cut(text, "\n")
	fields := strings.Fields(line)
	if len(fields) < 8 || fields[0] != "cpu" {
		return 0, errors.New("/proc/stat does not begin with cpu")
	}
	var ticks int64
	for i, f := range fields[1:8] {
		n, err := strconv.ParseInt(f, 10, 64)
		if err != nil {
			return 0, err
		}
		if i != 3 && i != 4 { // idle, and waiting for disks
			ticks += n
		}
	}
	return time.Duration(ticks) * (time.Second / 100), nil // USER_HZ
}

// pushed gives the lab an image that is built from a Dockerfile, and returns what
// the lab calls it.
func pushed(ctx context.Context, binary, name, dockerfile string) (string, error) {
	if _, err := local.Input(ctx, dockerfile, engine.Docker("build", "--quiet", "--tag", name, "-")...); err != nil {
		return "", err
	}
	said, err := local.Output(ctx, binary, "lab:push", name)
	return local.LastLines(said, 1), err
}

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
	commands := []struct {
		name, env string
		argv      []string
	}{
		{"bash -c true", "", []string{"bash", "-c", "true"}},
		{"go tool mage -l", "", []string{"go", "tool", "mage", "-l"}},
		{"MAGEFILE_HASHFAST=1 mage -l", "MAGEFILE_HASHFAST=1", []string{mage, "-l"}},
		{"compiled, -l", "", []string{compiled, "-l"}},
	}
	times := make([][]time.Duration, len(commands))
	// One after the other in each round, so that what the machine does meanwhile is shared.
	for turn := range 21 {
		for i, c := range commands {
			cmd := exec.CommandContext(ctx, c.argv[0], c.argv[1:]...)
			cmd.Env = append(os.Environ(), c.env)
			start := time.Now()
			if err := cmd.Run(); err != nil { // not a pipeline: nothing of ours may stand beside what is timed
				return fmt.Errorf("%s: %w", c.name, err)
			}
			if turn > 0 { // the first one warms the caches
				times[i] = append(times[i], time.Since(start))
			}
		}
	}
	rows := [][]string{{"COMMAND", "MIN", "MEDIAN", "MAX", "RATIO"}}
	for i, c := range commands {
		middle := median(times[i])
		rows = append(rows, []string{c.name, round(slices.Min(times[i])), round(middle), round(slices.Max(times[i])),
			fmt.Sprintf("%.1f", float64(middle)/float64(median(times[0])))})
	}
	return console.Table(rows...)
}
