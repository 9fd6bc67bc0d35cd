// Package door keeps new connections from a container, and counts those that come,
// in the container's own network: its load balancer is told at once that it is
// closed, before anything of a request was sent, and tries its next server.
//
// It knows nsenter(1) and iptables(8). It must not know why somebody is kept out.
package door

import (
	"context"
	"errors"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strconv"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/command"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
)

// Programs are those of the host that it needs.
func Programs() []string { return []string{"nsenter", "iptables"} }

// Connections from outside to the port. A rule without a target only counts.
func entries(port int) []string {
	return []string{"INPUT", "!", "-i", "lo", "-p", "tcp", "--syn", "--dport", strconv.Itoa(port)}
}

var (
	closed = []string{"-m", "comment", "--comment", "mrs-ops-closed", "-j", "REJECT", "--reject-with", "tcp-reset"}
	counts = []string{"-m", "comment", "--comment", "mrs-ops-visits"}
)

// Close refuses new connections to a port of the container. Those that are open go on.
func Close(ctx context.Context, c docker.Container, port int) error {
	if len(c.Networks) == 0 || slices.Contains(c.Networks, "host") {
		return errors.New("it has no network of its own: others would be closed, too")
	}
	_, err := inside(ctx, c, slices.Concat([]string{"-I"}, entries(port), closed)...)
	return err
}

// Open takes back every Close.
func Open(ctx context.Context, c docker.Container, port int) error {
	for {
		if _, err := inside(ctx, c, slices.Concat([]string{"-D"}, entries(port), closed)...); err != nil {
			if _, gone := errors.AsType[*exec.ExitError](err); gone {
				return nil // there is no such rule any more
			}
			return err
		}
	}
}

// Count begins to count the connections to a port.
func Count(ctx context.Context, c docker.Container, port int) error {
	_, err := inside(ctx, c, slices.Concat([]string{"-I"}, entries(port), counts)...)
	return err
}

// Visits returns how many connections there were since Count.
func Visits(ctx context.Context, c docker.Container) (int, error) {
	out, err := inside(ctx, c, "-nvx", "-L", "INPUT")
	if err != nil {
		return 0, err
	}
	return visits(out), nil
}

var counted = regexp.MustCompile(`(?m)^ *(\d+) .*mrs-ops-visits`)

func visits(list string) int {
	if found := counted.FindStringSubmatch(list); found != nil {
		n, _ := strconv.Atoi(found[1])
		return n
	}
	return 0
}

// inside runs iptables of the host in the container's network.
func inside(ctx context.Context, c docker.Container, argv ...string) (string, error) {
	if c.PID == 0 {
		return "", docker.ErrDown // it has no door
	}
	ctx, cancel := bound.Within(ctx, "iptables", bound.Quick)
	defer cancel()
	words := slices.Concat([]string{"--target", strconv.Itoa(c.PID), "--net", "iptables"}, argv)
	out, err := command.Context(ctx, "nsenter", words...).Output()
	if err != nil && ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok {
		return "", fmt.Errorf("iptables: %w: %s", err, exit.Stderr)
	}
	return string(out), err
}
