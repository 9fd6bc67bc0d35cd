// Command mrs-host is what decides on a server: the scripts there call it. Each of its commands ends with 0
// where all is as it has to be; otherwise the reason is on standard error.
package main

import (
	"context"
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

const usage = `usage: mrs-host COMMAND [-option=value …] [CONTAINER …]

  hold        holds the lock of -project for -holder until standard input ends, and ends then what works
              under it; with -within, holds off what works on it, once that has ended; exit status 75: somebody has it;
              with -folder, not where a newer version has deployed what is in it
  unlock      ends -holder, who has the lock of -project
  audit       appends the entry on standard input to the audit log of -project
  deploy      carries out the request on standard input: what is to run replaces what runs
  explain     restore …, or deploy with a request on standard input: prints the plan and the commands behind it, and
              does nothing of it
  leash       nothing|chunks COMMAND…: runs a command, with no input or one in chunks, and ends it and all that it
              has started once nobody listens to it any more
  status      prints, in JSON, how the instance of the request on standard input stands
  releases    prints, in JSON, what ran of the stack in -folder, the oldest first
  restart     has the application in the containers end what it serves, and then itself, within -within; the
              engine starts it again
  branches    the ephemeral instances of this server:
              names   prints those that have a docker-compose.yml, a line each
              list    prints them, in JSON
              expire  removes those whose time has passed; what a timer runs
              extend  lets -project live longer, -by that much
              remove  removes -project: containers, volumes, images, folder
  takeover    from the old system (yourlabs.*) to this one:
              look     prints what the server has of it, in JSON
              prepare  with a request on standard input: backs up by the old means, keeps what will be replaced
              finish   with a request on standard input: ends what the old system would do beside the new one
              back     with a request on standard input: the old system runs again
              recover  goes on with what was cut short in -folder; what a timer runs
  copy        the ends of a copy of a database, with what to do on standard input, as nothing of it is to be seen in a
              list of processes: hold, try, structure, propose, send, receive

In the home of an instance that has backups; the scripts there have the same names, and tell the rest:

  backup      [timer|deploy|hand|init|repair]; exit status 75: the snapshot is good, but the mirror has not got it
  prune       [timer]
  restore     [list|[explain] [--only PART] SNAPSHOT|point NAME|recover|discard STAMP|adopt DATABASE|abandon|unit]
              [explain] upgrade IMAGE|back [lose]
  drill       [timer|SNAPSHOT]
  lend        SNAPSHOT|--return
  export      [--lines] SNAPSHOT|--return
  alert       UNIT

  wal         the log of PostgreSQL of the instance whose home is HOME:
              receive HOME  receives it for ever, into WAL_ARCHIVE; what PROJECT-wal runs
              ship HOME     has it in the repository and at the mirror; what PROJECT-ship runs every five minutes
              ended HOME    tidies up after receive; where there is no WAL_ARCHIVE any more, PostgreSQL keeps none
`

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
