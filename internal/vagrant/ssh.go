package vagrant

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/betagouv/mrs-ops/internal/local"
)

// SSHConfig is the file, in the form of ssh_config(5), that tells how the
// running machines are reached: `ssh -F .vagrant-ssh default`. Only its owner
// may read it. It is there while a machine runs.
const SSHConfig = ".vagrant-ssh"

// writeSSHConfig writes [SSHConfig] for the machines, which run; where not all of
// them do any more, for those that do. Without any it is removed.
func writeSSHConfig(ctx context.Context, machines []string) error {
	if len(machines) == 0 {
		return os.RemoveAll(SSHConfig)
	}
	config, err := output(ctx, append([]string{"ssh-config"}, machines...)...)
	if err == nil {
		return local.WriteFile(SSHConfig, config+"\n", 0o600)
	}
	all, stateErr := states(ctx)
	run := slices.DeleteFunc(slices.Clone(machines), func(name string) bool {
		return !slices.ContainsFunc(all, func(m Machine) bool { return m.Name == name && m.running() })
	})
	if stateErr != nil || len(run) == len(machines) {
		return err
	}
	return writeSSHConfig(ctx, run)
}

var hostLine = regexp.MustCompile(`(?m)^Host (\S+)$`)

// reachable returns the machines that [SSHConfig] knows.
func reachable() []string {
	config, _ := os.ReadFile(SSHConfig)
	var names []string
	for _, m := range hostLine.FindAllStringSubmatch(string(config), -1) {
		names = append(names, m[1])
	}
	return names
}

// others returns the machines that [SSHConfig] knows, without some.
func others(machines []string) []string {
	return slices.DeleteFunc(reachable(), func(name string) bool { return slices.Contains(machines, name) })
}

// ssh returns the command line that runs argv on a machine, asking nothing.
func ssh(machine string, argv ...string) []string {
	options := []string{"ssh", "-F", SSHConfig, "-o", "BatchMode=yes", "-o", "ConnectTimeout=5", "--", machine}
	return append(options, argv...)
}

// answers reports whether a command can be run on the machine. Each machine
// has a key of its own, so a stale address never leads to another one.
func answers(ctx context.Context, machine string) bool {
	_, err := local.Output(ctx, ssh(machine, "true")...)
	return err == nil
}

// Address returns where this machine reaches the machine given, empty where
// that can't be found out.
func Address(ctx context.Context, machine string) string {
	out, _ := local.Output(ctx, ssh(machine, "ip", "-4", "-o", "address", "show", "scope", "global")...)
	return parseAddress(out)
}

var (
	addressLine = regexp.MustCompile(`(?m)^\d+: (\S+) +inet ([0-9.]+)/`)
	bridge      = regexp.MustCompile(`^(docker|br-|veth)`)
)

// natAddress is the one that VirtualBox gives to the first card of every
// machine, for the way out only (its manual, "Network Address Translation").
const natAddress = "10.0.2.15"

// parseAddress reads the address from what `ip -o address` prints: the first
// that is neither VirtualBox's way out nor a bridge of the engine's.
func parseAddress(text string) string {
	for _, m := range addressLine.FindAllStringSubmatch(text, -1) {
		if m[2] != natAddress && !bridge.MatchString(m[1]) {
			return m[2]
		}
	}
	return ""
}

// SSH opens a shell on the machine, which is booted if need be; the shell's own
// exit status is no error.
func SSH(ctx context.Context, machine string) error {
	machine = cmp.Or(machine, Default)
	if err := Ensure(ctx, machine); err != nil {
		return err
	}
	err := local.Terminal(ctx, "ssh", "-F", SSHConfig, "--", machine)
	if local.ExitCode(err) == 255 {
		return fmt.Errorf("the connection to %s failed\nhint: mage vagrant:up writes anew how it is reached", machine)
	}
	return err
}

// Ensure makes the machines run and be in [SSHConfig]; it takes a moment where
// they are already.
func Ensure(ctx context.Context, machines ...string) error {
	if err := prepare(ctx, machines); err != nil {
		return err
	}
	known := reachable()
	var missing []string
	for _, name := range machines {
		if !slices.Contains(known, name) || !answers(ctx, name) {
			missing = append(missing, name)
		}
	}
	if missing == nil {
		return nil
	}
	err := Up(ctx, missing...) // of those that do not exist, vagrant boots none
	if err != nil {
		err = cmp.Or(checkExist(ctx, missing), err)
	}
	return err
}

// checkExist returns an error if the Vagrantfile has no such machines. To ssh
// their names might be those of real servers.
func checkExist(ctx context.Context, names []string) error {
	machines, err := states(ctx)
	if err != nil {
		return err
	}
	var known []string
	for _, m := range machines {
		known = append(known, m.Name)
	}
	var errs []error
	for _, name := range names {
		if !slices.Contains(known, name) {
			errs = append(errs, fmt.Errorf("the Vagrantfile has no machine called %s, only %s\n"+
				"hint: mage bigsudo is for other servers", name, strings.Join(known, ", ")))
		}
	}
	return errors.Join(errs...)
}
