// Command pgcopy is what mage ops:copyProdToStaging runs on the servers: see
// package agent. It is told what to do on its standard input, so that nothing of
// it is seen in a list of processes.
package main

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"syscall"

	"github.com/betagouv/mrs-ops/internal/pgcopy/agent"
)

func main() {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	if len(os.Args) != 2 {
		fmt.Fprintln(os.Stderr, "usage: pgcopy hold|try|send|receive|structure|propose, with what to do on standard input")
		os.Exit(2)
	}
	if err := agent.Run(ctx, os.Args[1], os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, "error:", err)
		os.Exit(1)
	}
}
