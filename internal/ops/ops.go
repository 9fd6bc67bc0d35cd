// Package ops is the day-to-day work on instances that are deployed: how they
// stand, what they log, commands in their containers, a restart, and what was
// done to them.
//
// An instance is named by its env file, or, as a branch, by the branch or its
// project ([instance.Resolve]). What only reads needs none of the instance's secrets. What
// changes something is in the instance's audit log, without the arguments of
// commands, which may be somebody's data.
//
// The working directory is the project's root. The package must not know how an
// instance is deployed.
package ops

import (
	"context"
	"fmt"
	"regexp"

	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/target"
)

// open connects to the server of the instance that name means, which must be
// deployed there ([target.Find]).
func open(ctx context.Context, name string) (*target.Target, *instance.Instance, error) {
	s, inst, err := target.Find(ctx, name)
	if err != nil {
		return nil, nil, err
	}
	if err := s.Runs(); err != nil {
		s.Close()
		return nil, nil, err
	}
	return s, inst, nil
}

var servicePattern = regexp.MustCompile(`^[a-zA-Z0-9][a-zA-Z0-9._-]*$`) // compose-spec, "services"

// checkService returns an error if name, unless it is empty, can be no
// service's.
func checkService(name string) error {
	if name == "" || servicePattern.MatchString(name) {
		return nil
	}
	return fmt.Errorf("%q is not the name of a service\nhint: -service=django", name)
}

// Failed is a command in a container that did not end well.
type Failed struct {
	What   string // the command as the audit log has it
	Name   string // the instance's
	status int
	Err    error // how it ended
}

// Error says which command, and how it ended. What it said was printed as it
// said it.
func (f *Failed) Error() string { return fmt.Sprintf("%s: %s: %v", f.Name, f.What, f.Err) }

// ExitStatus returns the command's own exit status, which mage ends with too.
func (f *Failed) ExitStatus() int { return max(1, f.status) }

// Unwrap returns how the command ended.
func (f *Failed) Unwrap() error { return f.Err }
