// Package bigsudo builds ansible-playbook command lines and runs them.
//
// It knows Ansible's options, and nothing of what the playbooks do. Secrets
// must not be among a command's variables, since everybody on the machine can
// read its arguments: they go by the environment.
package bigsudo

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/local"
)

// Command is one run of a playbook.
type Command struct {
	Playbook string         // a path
	Hosts    []string       // [USER@]HOST; none, or localhost alone: this machine, with no SSH
	Vars     map[string]any // extra variables, in JSON where they are not strings
	Env      []string       // "NAME=value", shown with the command line: nothing secret
	Args     []string       // more options for ansible-playbook
}

// Argv returns the command line. Each variable is a JSON object of its own, so
// that nothing parses its value again.
func (c Command) Argv() []string {
	argv := []string{"ansible-playbook"}
	var inventory []string
	users := map[string]bool{}
	for _, host := range c.Hosts {
		user, name, found := strings.Cut(host, "@")
		if !found {
			user, name = "", host
		}
		inventory = append(inventory, name)
		users[user] = true
	}
	if len(inventory) == 0 {
		inventory = []string{"localhost"}
	}
	argv = append(argv, "--inventory", strings.Join(inventory, ",")+",")
	local := len(inventory) == 1 && inventory[0] == "localhost"
	if local {
		argv = append(argv, "--connection", "local")
	}
	if len(users) == 1 {
		for user := range users {
			if user != "" {
				argv = append(argv, "--user", user)
			}
		}
	}
	// Root on its own machine has nothing to become, and may have no sudo.
	if !local || os.Geteuid() != 0 {
		argv = append(argv, "--become")
	}
	for _, name := range slices.Sorted(maps.Keys(c.Vars)) {
		pair, err := json.Marshal(map[string]any{name: c.Vars[name]})
		if err != nil {
			panic(err) // variables are strings, lists and maps of them
		}
		argv = append(argv, "--extra-vars", string(pair))
	}
	argv = append(argv, c.Args...)
	return append(argv, c.Playbook)
}

// Recap is what a run changed, summed over the hosts.
type Recap struct {
	Changed, Failed, Unreachable int
}

var recapLine = regexp.MustCompile(`\bok=\d+\s+changed=(\d+)\s+unreachable=(\d+)\s+failed=(\d+)`)

// Run prints the command line in a form that can be pasted into a shell, runs it
// in this process's environment, and shows what Ansible says as it says it. An
// interruption reaches Ansible by itself, through the terminal, and it is
// Ansible that ends its tasks.
func (c Command) Run(ctx context.Context) (Recap, error) {
	env := append([]string{"ANSIBLE_CONFIG=" + filepath.Join("ansible", "ansible.cfg")}, c.Env...)
	argv := c.Argv()
	var assignments string
	for _, pair := range env {
		name, value, _ := strings.Cut(pair, "=")
		assignments += name + "=" + local.Quote(value) + " "
	}
	console.Say("+ %s%s", assignments, local.Quote(argv...))
	environ := append(os.Environ(), env...)
	if console.Colour(os.Stdout) {
		environ = append(environ, "ANSIBLE_FORCE_COLOR=1")
	}
	pipe := script.NewPipe().WithContext(context.WithoutCancel(ctx)).WithEnv(environ).WithStderr(os.Stderr).
		ExecCommand(argv[0], argv[1:]...).Tee(os.Stdout)
	lines, err := pipe.MatchRegexp(recapLine).String()
	recap := parseRecap(lines)
	if err != nil {
		return recap, fmt.Errorf("%s: %w", c.Playbook, err)
	}
	return recap, nil
}

func parseRecap(lines string) Recap {
	var recap Recap
	for _, m := range recapLine.FindAllStringSubmatch(lines, -1) {
		changed, _ := strconv.Atoi(m[1])
		unreachable, _ := strconv.Atoi(m[2])
		failed, _ := strconv.Atoi(m[3])
		recap.Changed += changed
		recap.Unreachable += unreachable
		recap.Failed += failed
	}
	return recap
}
