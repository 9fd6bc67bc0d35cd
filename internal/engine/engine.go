// Package engine reaches the Docker engine of this machine.
//
// It knows the command that the engine answers to: docker, or docker by sudo
// for those who are not in the docker group (membership is root by another
// name, so it is not ours to grant). It must not know what is run in it.
package engine

import (
	"context"
	"fmt"
	"sync"

	"github.com/betagouv/mrs-ops/internal/local"
)

// Docker returns the command line `docker args…` in the form that reaches the
// engine from this account.
func Docker(args ...string) []string {
	return append(prefix(), args...)
}

var prefix = sync.OnceValue(func() []string {
	argv := []string{"docker"}
	if Answers(context.Background(), argv...) == nil {
		return argv
	}
	if asRoot := local.Root(argv...); Answers(context.Background(), asRoot...) == nil {
		return asRoot
	}
	return argv
})

// Answers returns nil if the engine answers the docker command given: plain
// `docker`, or the same by sudo.
func Answers(ctx context.Context, docker ...string) error {
	argv := append(append([]string{}, docker...), "version", "--format", "{{.Server.Version}}")
	if _, err := local.Output(ctx, argv...); err != nil {
		return fmt.Errorf("the Docker engine does not answer: %w", err)
	}
	return nil
}

// Output runs `docker args…` and returns its standard output without the last
// newline. The error, if any, is a [*local.Error].
func Output(ctx context.Context, args ...string) (string, error) {
	return local.Output(ctx, Docker(args...)...)
}
