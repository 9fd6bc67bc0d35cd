package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/signal"
	"strings"
	"syscall"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/command"
	"github.com/betagouv/mrs-ops/internal/hostside/restore"
	"github.com/betagouv/mrs-ops/internal/hostside/rollout"
	"github.com/betagouv/mrs-ops/internal/hostside/upgrade"
)

// explain prints what another command would do, and the commands behind it, and does nothing of it.
func explain(argv []string) int {
	what, rest := "", []string(nil)
	if len(argv) > 0 {
		what, rest = argv[0], argv[1:]
	}
	switch what {
	case "restore":
		return script("restore", func(ctx context.Context, i *restore.Instance, _ <-chan os.Signal) (int, error) {
			return 0, explainRestore(ctx, i, rest)
		})
	case "deploy":
		ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
		defer stop()
		if err := explainDeploy(ctx); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		return 0
	case "backup", "prune", "drill", "lend", "export":
		return script(what, func(_ context.Context, i *restore.Instance, _ <-chan os.Signal) (int, error) {
			return 0, &backup.Failure{
				Reason: what + " is no plan of steps that could be explained",
				Status: 1,
				Hint: "the commands are in the comments of " + i.Home + "/" + what + ".sh; what it ran last is in " +
					hostapi.Logs + "/" + i.Name + ".commands.log",
			}
		})
	}
	fmt.Fprintln(
		os.Stderr,
		"mrs-host explain restore SNAPSHOT, in the instance's home; mrs-host explain deploy <REQUEST",
	)
	return 2
}

// explainRestore takes what restore.sh takes.
func explainRestore(ctx context.Context, i *restore.Instance, argv []string) error {
	lines, err := explained(ctx, i, argv)
	if err == nil {
		fmt.Println(hostapi.Said(strings.Join(lines, "\n")))
	}
	return err
}

func explained(ctx context.Context, i *restore.Instance, argv []string) ([]string, error) {
	if len(argv) > 0 && argv[0] == restore.Upgrade {
		asked, err := upgrade.Parse(argv[1:])
		if err != nil {
			return nil, err
		}
		return upgrade.Here(i).Explain(ctx, asked)
	}
	asked, err := i.Parse(argv)
	if err != nil {
		return nil, err
	}
	return i.Explain(ctx, asked)
}

// explainDeploy reads a request from standard input, as deploy does.
func explainDeploy(ctx context.Context) error {
	var d hostapi.Deploy
	if err := json.NewDecoder(os.Stdin).Decode(&d); err != nil {
		return fmt.Errorf("the request can't be read: %w", err)
	}
	if err := current(d); err != nil {
		return err
	}
	command.Keep(hostapi.Logs, d.Project)
	// In memory: what is to run has secrets in it.
	scratch, err := os.MkdirTemp("/run", "mrs-ops-explain-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(scratch)
	from := d
	if _, err := os.Stat(d.Folder); err != nil { // nothing was deployed there yet
		from.Folder = scratch
	}
	lines, err := rollout.Explain(ctx, d, newServer(from, func(string) {}), scratch)
	if err == nil {
		fmt.Println(hostapi.Said(strings.Join(lines, "\n")))
	}
	return err
}
