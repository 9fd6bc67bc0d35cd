// Package vagrant boots, reaches and removes the servers of the Vagrantfile.
//
// It knows the vagrant command, what its providers need of this machine, and
// the file that tells ssh how to reach the machines. It must not know what is
// done on them: that is for the roles and playbooks that [Bigsudo] applies.
//
// The working directory is the project's root. What vagrant says goes to
// standard error as it comes.
package vagrant

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/local"
)

// Default is the machine that is meant where none is named.
const Default = "default"

// Up boots the machines, those that do not run yet, and writes [SSHConfig].
// Where VirtualBox is absent it builds the box that the docker provider needs.
func Up(ctx context.Context, machines ...string) error {
	if err := prepare(ctx, machines); err != nil {
		return err
	}
	if err := boot(ctx, machines); err != nil {
		return err
	}
	return writeSSHConfig(ctx, append(others(machines), machines...))
}

// Destroy removes the machines with all that is on them, and takes them out of
// [SSHConfig]. Machines that do not exist are no error; the package caches and
// the box stay.
func Destroy(ctx context.Context, machines ...string) error {
	if err := prepare(ctx, machines); err != nil {
		return err
	}
	if err := run(ctx, os.Stderr, append([]string{"destroy", "--force"}, machines...)...); err != nil {
		return err
	}
	return writeSSHConfig(ctx, others(machines))
}

// Apply is [Destroy], then [Up]: the machines are as new.
func Apply(ctx context.Context, machines ...string) error {
	if err := Destroy(ctx, machines...); err != nil {
		return err
	}
	return Up(ctx, machines...)
}

// boot is vagrant up, after what only some providers need.
func boot(ctx context.Context, machines []string) error {
	if err := ensureBase(ctx); err != nil {
		return err
	}
	for tries := 1; ; tries++ {
		var said strings.Builder
		err := run(ctx, io.MultiWriter(os.Stderr, &said), append([]string{"up"}, machines...)...)
		// Its docker provider looks at every container of the engine, one after the other: where somebody
		// removes one meanwhile, it gives up. A second vagrant up goes on from there.
		if err == nil || tries == 3 || ctx.Err() != nil || !strings.Contains(said.String(), "No such object") {
			return err
		}
		console.Say("a container has gone that vagrant was looking at: once more")
	}
}

// prepare checks the machines' names, and makes this machine able to run vagrant.
func prepare(ctx context.Context, machines []string) error {
	if err := checkNames(machines); err != nil {
		return err
	}
	return need(ctx)
}

// Names returns the machines that a list names, separated by commas; [Default]
// alone where it is empty.
func Names(list string) []string {
	if list == "" {
		return []string{Default}
	}
	var names []string
	for name := range strings.SplitSeq(list, ",") {
		if name = strings.TrimSpace(name); !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

var namePattern = regexp.MustCompile(`^[a-z][a-z0-9-]{0,62}$`)

// checkNames returns an error that names all that can't be a machine's name.
// Without any name vagrant would take all machines, which is never meant.
func checkNames(machines []string) error {
	if len(machines) == 0 {
		return errors.New("no machine is named")
	}
	var errs []error
	for _, name := range machines {
		if !namePattern.MatchString(name) {
			errs = append(errs, fmt.Errorf("%q is no machine's name\nhint: mage vagrant:status lists the machines", name))
		}
	}
	return errors.Join(errs...)
}

// command returns the command line `vagrant args…`, with the PATH that its
// providers need.
func command(args ...string) ([]string, error) {
	path, err := searchPath()
	if err != nil {
		return nil, err
	}
	return append([]string{"env", "PATH=" + path, "vagrant"}, args...), nil
}

// run runs vagrant, which says what it does. An interruption reaches vagrant by itself, through the
// terminal, and it is vagrant that cleans up.
func run(ctx context.Context, says io.Writer, args ...string) error {
	argv, err := command(args...)
	if err != nil {
		return err
	}
	cmd := local.Command(context.WithoutCancel(ctx), argv...)
	cmd.Stdout, cmd.Stderr = says, says
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("vagrant %s: %w; the reason is shown above", local.Quote(args...), err)
	}
	return nil
}

// output runs vagrant and returns what it prints.
func output(ctx context.Context, args ...string) (string, error) {
	argv, err := command(args...)
	if err != nil {
		return "", err
	}
	out, err := local.Output(ctx, argv...)
	if failed, ok := errors.AsType[*local.Error](err); ok {
		failed.Argv = failed.Argv[2:] // the PATH tells nothing
	}
	return out, err
}

// Report prints how a target ended that began at start: the machines, where they
// are, and how to reach them.
func Report(ctx context.Context, start time.Time, machines []string) {
	var said []string
	for _, name := range machines {
		said = append(said, strings.TrimSpace(name+" "+Address(ctx, name)))
	}
	took := time.Since(start).Round(100 * time.Millisecond)
	console.Done("up: %s (%s); ssh -F %s %s", strings.Join(said, ", "), took, SSHConfig, machines[0])
}
