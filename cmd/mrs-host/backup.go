package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/restore"
	"github.com/betagouv/mrs-ops/internal/hostside/unit"
	"github.com/betagouv/mrs-ops/internal/hostside/upgrade"
)

// backupScript is backup.sh: the working directory is the instance's home.
func backupScript(argv []string) int {
	cause := "hand"
	if len(argv) > 0 {
		cause = argv[0]
	}
	return script("backup", func(ctx context.Context, i *restore.Instance, signals <-chan os.Signal) (int, error) {
		switch cause {
		case "timer":
			// Who has handed over has said why.
			return 0, i.Backup(ctx, requested(i, "backup", cause))
		case "deploy":
			return 0, i.Backup(ctx, cause)
		case "hand":
			return handOver(i, "backup", signals, func() error { return i.Backup(ctx, cause) })
		case "init":
			password, err := bufio.NewReader(os.Stdin).ReadString('\n')
			if err != nil && !errors.Is(err, io.EOF) {
				return 0, err
			}
			if password = strings.TrimSuffix(password, "\n"); password == "" {
				return 0, errors.New("the password is read from standard input, which has none")
			}
			return 0, i.Init(ctx, password)
		case "repair":
			return 0, i.Repair(ctx)
		default:
			return 0, &backup.Failure{Reason: "unknown cause: " + cause, Hint: "timer, deploy or hand; or init, or repair",
				Status: 1}
		}
	})
}

func pruneScript(argv []string) int {
	return script("prune", func(ctx context.Context, i *restore.Instance, signals <-chan os.Signal) (int, error) {
		if len(argv) > 0 && argv[0] == "timer" {
			return 0, i.Prune(ctx, requested(i, "prune", "timer"))
		}
		return handOver(i, "prune", signals, func() error { return i.Prune(ctx, "hand") })
	})
}

// script does something for the instance whose home is the working directory, heeds signals as
// the scripts do, and says how it failed in their words: NAME.sh: REASON, and a hint.
func script(name string, do func(context.Context, *restore.Instance, <-chan os.Signal) (int, error)) int {
	syscall.Umask(0o077)
	ctx, end := context.WithCancelCause(context.Background())
	defer end(nil)
	signals := make(chan os.Signal, 16)
	// What a caller that is ending ignores is ignored here too. Nobody listens any more
	// (SIGPIPE): that ends it as a lost terminal does, and not in the middle of a line.
	heed := slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE}, signal.Ignored)
	heard := make(chan os.Signal, 16)
	if len(heed) > 0 {
		signal.Notify(heard, heed...)
	}
	go func() {
		for s := range heard {
			if s == syscall.SIGPIPE && listened() { // of something else
				continue
			}
			select {
			case signals <- s:
			default:
			}
			switch s {
			case syscall.SIGHUP, syscall.SIGPIPE:
				end(&backup.Interrupted{Reason: "interrupted: the terminal is gone", Status: 128 + int(syscall.SIGHUP)})
			default:
				end(&backup.Interrupted{Reason: "interrupted", Status: 128 + int(syscall.SIGINT)})
			}
		}
	}()
	i, err := thisInstance()
	var status int
	if err == nil {
		status, err = do(ctx, i, signals)
	}
	if err == nil {
		return status
	}
	failure, ok := errors.AsType[*backup.Failure](err)
	if !ok {
		reason, hint := hostapi.Explained(err)
		failure = &backup.Failure{Reason: reason, Hint: hint, Status: 1}
	}
	fmt.Fprintf(os.Stderr, "%s.sh: %s\n", name, hostapi.Said(strings.ReplaceAll(failure.Reason, "\n", "; ")))
	if failure.Hint != "" {
		fmt.Fprintf(os.Stderr, "hint: %s\n", hostapi.Said(failure.Hint))
	}
	return failure.Status
}

// thisInstance is the one whose home is the working directory.
func thisInstance() (*restore.Instance, error) {
	if os.Geteuid() != 0 {
		return nil, errors.New("must run as root\nhint: sudo")
	}
	home, err := os.Getwd()
	if err == nil {
		home, err = filepath.EvalSymlinks(home)
	}
	if err != nil {
		return nil, err
	}
	i, err := restore.Here(home, func(line string) { fmt.Println(hostapi.Said(line)) })
	if err == nil {
		upgrade.Here(i) // what one has begun is ended by whoever recovers
	}
	return i, err
}

// handOver has systemd do it, so that it outlives this terminal, and shows what it says; where systemd does not run,
// or has no such unit, it is done here. Of a restore or a drill that is at work already, what it says is not what was
// asked for: that is an error.
func handOver(
	i *restore.Instance, what string, signals <-chan os.Signal, do func() error, argv ...string,
) (int, error) {
	order := unit.Order{Unit: i.Name + "-" + what, Request: filepath.Join(i.Home, ".request."+what),
		Lock: filepath.Join(i.Home, ".request.lock"), Argument: "hand", Say: i.Say, Out: os.Stdout}
	if len(argv) > 0 {
		order.Argument, order.Refuses = strings.Join(argv, "\n"), true
	}
	status, handed, err := order.Give(context.Background(), unit.System{Runner: &bound.System{}}, signals)
	if handed || err != nil {
		return status, err
	}
	return 0, do()
}

// request is what was handed over to this run, a word a line; none, if it is the clock that began it.
func request(i *restore.Instance, what string) []string {
	path := filepath.Join(i.Home, ".request."+what)
	text, err := os.ReadFile(path)
	_ = os.Remove(path)
	if err != nil || len(text) == 0 {
		return nil
	}
	return strings.Split(strings.TrimSuffix(string(text), "\n"), "\n")
}

// requested is what was handed over to this run; else, what has begun it.
func requested(i *restore.Instance, what, cause string) string {
	if handed := request(i, what); len(handed) == 1 && strings.TrimSpace(handed[0]) == "hand" {
		return "hand"
	}
	return cause
}
