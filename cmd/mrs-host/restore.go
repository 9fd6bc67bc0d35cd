package main

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"

	"github.com/betagouv/mrs-ops/internal/hostside/restore"
)

// restoreScript is restore.sh: the working directory is the instance's home.
func restoreScript(argv []string) int {
	words := slices.Concat(argv, []string{"", ""})
	return script("restore", func(ctx context.Context, i *restore.Instance, signals <-chan os.Signal) (int, error) {
		switch words[0] {
		case "", "list":
			return 0, list(ctx, i, words[0] == "list")
		case "recover":
			return 0, i.Recover(ctx, words[1])
		case "discard":
			return 0, i.Discard(ctx, words[1])
		case "abandon":
			return 0, i.Abandon(ctx)
		case "unit": // what was handed over
			argv = request(i, "restore")
		}
		asked, err := i.Parse(argv)
		if err != nil {
			return 0, err
		}
		if words[0] != "unit" {
			if status, handed, err := handOver(i, "restore", signals, argv...); handed || err != nil {
				return status, err
			}
		}
		return 0, i.Restore(ctx, asked)
	})
}

// list prints the snapshots, a line each; or how all of the backups stands, in JSON.
func list(ctx context.Context, i *restore.Instance, all bool) error {
	l, err := i.List(ctx)
	if err != nil {
		return err
	}
	if all {
		encoder := json.NewEncoder(os.Stdout)
		encoder.SetEscapeHTML(false)
		return encoder.Encode(l)
	}
	for _, line := range l.Lines() {
		fmt.Println(line)
	}
	return nil
}

// drillScript is drill.sh.
func drillScript(argv []string) int {
	wanted, cause := slices.Concat(argv, []string{"latest"})[0], "hand"
	return script("drill", func(ctx context.Context, i *restore.Instance, signals <-chan os.Signal) (int, error) {
		unit := wanted == "timer"
		if unit {
			wanted, cause = "latest", "timer"
			if handed := request(i, "drill"); len(handed) > 0 {
				wanted, cause = handed[0], "hand"
			}
		}
		snapshot, err := restore.ParseID(wanted)
		if err != nil {
			return 0, err
		}
		if !unit {
			if status, handed, err := handOver(i, "drill", signals, snapshot); handed || err != nil {
				return status, err
			}
		}
		return 0, i.Drill(ctx, snapshot, cause)
	})
}
