package main

import (
	"context"
	"fmt"
	"os"

	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/restore"
)

// walScript is mrs-host wal COMMAND HOME: what is done with the log of the instance that has a home.
func walScript(argv []string) int {
	if len(argv) < 2 || os.Chdir(argv[1]) != nil {
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	return script("wal", func(ctx context.Context, i *restore.Instance, _ <-chan os.Signal) (int, error) {
		switch argv[0] {
		case "receive":
			return 0, i.Receive(ctx)
		case "ship":
			return 0, i.Ship(ctx)
		case "ended":
			return 0, i.ReceivedNoMore(ctx)
		}
		return 0, &backup.Failure{Reason: "unknown: wal " + argv[0], Hint: "receive, ship, or ended", Status: 1}
	})
}
