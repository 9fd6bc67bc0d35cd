// Command mrs-host is what decides on a server: the scripts there call it. Each of its commands ends with 0
// where all is as it has to be; otherwise the reason is on standard error.
package main

import (
	"context"
	_ "embed"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"os/signal"
	"slices"
	"syscall"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/command"
	"github.com/betagouv/mrs-ops/internal/hostside/drain"
	"github.com/betagouv/mrs-ops/internal/hostside/leash"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
	"github.com/betagouv/mrs-ops/internal/pgcopy/agent"
)

//go:embed usage.txt
var usage string

// options are those of all commands, so that a script can keep them in one list.
type options struct {
	within     time.Duration
	project    string
	holder     string
	folder     string
	containers []string
}

func main() {
	if !slices.Contains(quiet, slices.Concat(os.Args, []string{""})[1]) {
		command.Keep(hostapi.Logs, "mrs-host") // until it is known which instance it is about
	}
	scripts := map[string]func([]string) int{
		"backup": backupScript, "prune": pruneScript, "restore": restoreScript, "drill": drillScript,
		"lend": lendScript, "export": exportScript, "alert": alertScript, "explain": explain, "leash": onLeash,
		"wal": walScript,
	}
	if len(os.Args) > 1 && scripts[os.Args[1]] != nil {
		os.Exit(scripts[os.Args[1]](os.Args[2:]))
	}
	// What a caller that is ending ignores, its children ignore too.
	heed := slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}, signal.Ignored)
	ctx, stop := context.WithCancel(context.Background())
	if len(heed) > 0 {
		ctx, stop = signal.NotifyContext(ctx, heed...)
	}
	defer stop()
	commands := map[string]func(context.Context, options) error{
		"restart": restart, "status": statusCommand, "releases": releases, "deploy": deploy,
		"hold": hold, "unlock": unlock, "audit": appendEntry,
	}
	if len(os.Args) > 2 && groups[os.Args[1]] != nil {
		if err := groups[os.Args[1]](ctx, os.Args[2], os.Args[3:]); err != nil {
			fail(err)
		}
		return
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	o, err := parse(os.Args[2:])
	if err == nil {
		err = commands[os.Args[1]](ctx, o)
	}
	if err != nil {
		fail(err)
	}
}

// quiet are commands that leave nothing behind, not even what they have run, or not before they know of which instance.
var quiet = []string{"leash", "status", "releases", "takeover"}

// onLeash runs a command on a leash: its exit status is ours.
func onLeash(argv []string) int {
	if len(argv) < 2 || argv[0] != "nothing" && argv[0] != "chunks" {
		fmt.Fprint(os.Stderr, usage)
		return 2
	}
	var in io.Reader
	if argv[0] == "chunks" {
		in = os.Stdin
	}
	return leash.Run(in, argv[1:]...)
}

// groups are commands that have commands of their own: mrs-host GROUP COMMAND …
var groups = map[string]func(ctx context.Context, command string, args []string) error{
	"branches": branchesCommand, "takeover": takeoverCommand,
	"copy": func(ctx context.Context, command string, _ []string) error {
		return agent.Run(ctx, command, os.Stdin, os.Stdout)
	},
}

// fail ends it. An error may know the exit status that its caller looks for.
func fail(err error) {
	if !errors.Is(err, errSaid) {
		reason, hint := hostapi.Explained(err)
		fmt.Fprintln(os.Stderr, &hostapi.Failure{Reason: hostapi.Said(reason), Hint: hostapi.Said(hint)})
	}
	status := 1
	if errors.Is(err, lock.ErrBusy) {
		status = hostapi.Busy
	}
	if known, ok := errors.AsType[interface {
		error
		Status() int
	}](err); ok {
		status = known.Status()
	}
	os.Exit(status)
}

func parse(args []string) (o options, err error) {
	f := flag.NewFlagSet("mrs-host", flag.ExitOnError)
	f.DurationVar(&o.within, "within", 0, "how long to wait")
	f.StringVar(&o.project, "project", "", "the instance's Compose project")
	f.StringVar(&o.holder, "holder", "", "who holds its lock, in JSON")
	f.StringVar(&o.folder, "folder", "", "the instance's: a newer version may have deployed it")
	err = f.Parse(args)
	o.containers = f.Args()
	return o, err
}

func restart(ctx context.Context, o options) error {
	deadline := time.Now().Add(o.within)
	for _, id := range o.containers {
		if err := drain.Restart(ctx, drain.Docker{}, deadline, id); err != nil {
			return err
		}
	}
	return nil
}
