// Package engine reaches the Docker engine of this machine.
//
// It knows the command that the engine answers to: docker, or docker by sudo
// for those who are not in the docker group (membership is root by another
// name, so it is not ours to grant). It must not know what is run in it.
package engine

import (
	"context"
	"slices"
	"sync"

	"github.com/betagouv/mrs-ops/internal/local"
)

// Docker returns the command line `docker args…` in the form that reaches the
// engine from this account.
func Docker(args ...string) []string { return slices.Concat(prefix(), args) }

// reached is the command line that an engine has answered to. That none
// answers is not worth remembering: somebody may be about to start it.
var reached struct {
	sync.Mutex
	docker []string
}

func prefix() []string {
	reached.Lock()
	defer reached.Unlock()
	plain := []string{"docker"}
	for _, docker := range [][]string{plain, local.Root(plain...)} {
		if reached.docker != nil {
			break
		}
		if _, err := local.Output(context.Background(), append(slices.Clip(docker), version...)...); err == nil {
			reached.docker = docker
		}
	}
	if reached.docker == nil {
		return plain
	}
	return reached.docker
}

var version = []string{"version", "--format", "{{.Server.Version}}"}

// Version returns the version of the engine that answers. The error says that none does.
func Version(ctx context.Context) (string, error) { return Output(ctx, version...) }

// Has reports whether the engine has an image.
func Has(ctx context.Context, image string) bool {
	_, err := Output(ctx, "image", "inspect", "--format", "{{.Id}}", image)
	return err == nil
}

// Output runs `docker args…` and returns its standard output without the last
// newline. The error, if any, is a [*local.Error].
func Output(ctx context.Context, args ...string) (string, error) {
	return local.Output(ctx, Docker(args...)...)
}
