package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"golang.org/x/term"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/restore"
	"github.com/betagouv/mrs-ops/internal/hostside/unit"
)

// restoreScript is restore.sh: the working directory is the instance's home.
func restoreScript(argv []string) int {
	words := slices.Concat(argv, []string{"", ""})
	return script("restore", func(ctx context.Context, i *restore.Instance, signals <-chan os.Signal) (int, error) {
		switch words[0] {
		case "", "list":
			return 0, list(ctx, i, words[0] == "list")
		case "explain":
			return 0, explainRestore(ctx, i, argv[1:])
		case "recover":
			return 0, i.Recover(ctx, words[1])
		case "discard":
			return 0, i.Discard(ctx, strings.Join(argv[1:], " "))
		case "abandon":
			return 0, i.Abandon(ctx)
		case "unit": // what was handed over
			argv = request(i, "restore")
		}
		asked, err := i.Parse(argv)
		if err != nil {
			return 0, err
		}
		restores := func() error { return i.Restore(ctx, asked) }
		if words[0] == "unit" {
			return 0, restores()
		}
		return handOver(i, "restore", signals, restores, argv...)
	})
}

// list prints the snapshots, a line each; or how all of the backups stands, in JSON.
func list(ctx context.Context, i *restore.Instance, all bool) error {
	l, err := i.List(ctx)
	if err != nil {
		return err
	}
	if all {
		text, err := hostapi.Marshal(l)
		if err == nil {
			fmt.Println(string(text))
		}
		return err
	}
	for _, line := range restore.Lines(l) {
		fmt.Println(line)
	}
	return nil
}

func drillScript(argv []string) int {
	wanted, cause := slices.Concat(argv, []string{"latest"})[0], "hand"
	return script("drill", func(ctx context.Context, i *restore.Instance, signals <-chan os.Signal) (int, error) {
		byUnit := wanted == "timer"
		if byUnit {
			wanted, cause = "latest", "timer"
			if handed := request(i, "drill"); len(handed) > 0 {
				wanted, cause = handed[0], "hand"
			}
		}
		snapshot, err := restore.ParseID(wanted)
		if err != nil {
			return 0, err
		}
		drills := func() error { return i.Drill(ctx, snapshot, cause) }
		if byUnit {
			return 0, drills()
		}
		return handOver(i, "drill", signals, drills, snapshot)
	})
}

func lendScript(argv []string) int {
	wanted := slices.Concat(argv, []string{""})[0]
	return script("lend", func(ctx context.Context, i *restore.Instance, _ <-chan os.Signal) (int, error) {
		// By that name, the next one finds what one that was killed has left at work.
		i.Calls(restore.Lender)
		i.Answer = func(line string) { fmt.Println(line) }
		if wanted == "--return" {
			return 0, i.Return(ctx)
		}
		snapshot, err := restore.ParseID(wanted)
		if err != nil {
			return 0, err
		}
		return 0, i.Lend(ctx, snapshot, os.Stdin)
	})
}

// exportScript is export.sh: [--lines] SNAPSHOT.
func exportScript(argv []string) int {
	lines := len(argv) > 0 && argv[0] == "--lines"
	if lines {
		argv = argv[1:]
	}
	wanted := slices.Concat(argv, []string{""})[0]
	return script("export", func(ctx context.Context, i *restore.Instance, _ <-chan os.Signal) (int, error) {
		if wanted == "--return" {
			return 0, i.EndExport(ctx)
		}
		snapshot, err := restore.ParseID(wanted)
		if err != nil {
			return 0, err
		}
		if term.IsTerminal(int(os.Stdout.Fd())) {
			return 0, &backup.Failure{Reason: "a tar is nothing for a terminal",
				Hint: fmt.Sprintf("%s/export.sh %s >FILE", i.Home, snapshot), Status: 1}
		}
		announce := func(line string) { fmt.Println(line) }
		if !lines {
			announce = func(string) {}
			i.Say = func(line string) { fmt.Fprintln(os.Stderr, hostapi.Said(line)) }
		}
		return 0, i.Export(ctx, snapshot, os.Stdout, announce)
	})
}

// alertScript is alert.sh: UNIT.
func alertScript(argv []string) int {
	return script("alert", func(ctx context.Context, i *restore.Instance, _ <-chan os.Signal) (int, error) {
		if len(argv) != 1 {
			return 0, errors.New("name the unit that has failed")
		}
		name := strings.TrimSuffix(argv[0], ".service")
		systemd := unit.System{Runner: &bound.System{}}
		result, err := systemd.Property(ctx, name, "Result")
		if err != nil {
			result = "how is not known"
		}
		began, _ := systemd.Property(ctx, name, "ExecMainStartTimestamp")
		since, _ := time.ParseInLocation("Mon 2006-01-02 15:04:05 MST", began, time.Local) // 0 where it is not known
		return 0, i.Alert(ctx, name+".service", result, since)
	})
}
