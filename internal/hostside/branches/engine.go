package branches

import (
	"context"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/compose"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
)

// Docker is the engine of this host.
type Docker struct{}

// Containers returns those of a project, the oldest first.
func (Docker) Containers(ctx context.Context, project string) ([]docker.Container, error) {
	return docker.Project(ctx, project)
}

// ends is how long an application that goes may take to end.
const ends = 5 * time.Second

// Down removes what a project has. Compose knows volumes by its containers, which an earlier removal may have removed.
func (Docker) Down(ctx context.Context, project string) error {
	if err := compose.Down(ctx, project, ends); err != nil {
		return err
	}
	return docker.Clear(ctx, project, "volume", "network")
}

// Left names what a project still has.
func (Docker) Left(ctx context.Context, project string) (all []string, err error) {
	for _, kind := range []string{"container", "volume", "network"} {
		left, err := docker.Left(ctx, kind, project)
		if err != nil {
			return nil, err
		}
		for _, name := range left {
			all = append(all, kind+" "+name)
		}
	}
	return all, nil
}

// Used reports whether any container is made of an image.
func (Docker) Used(ctx context.Context, image string) (bool, error) {
	there, err := docker.ImageOf(ctx, image)
	if there.ID == "" || err != nil {
		return false, err
	}
	out, err := docker.Run(ctx, "ps", "--all", "--quiet", "--filter", "ancestor="+image)
	return strings.TrimSpace(out) != "", err
}

// Forget removes an image, which may be gone already.
func (Docker) Forget(ctx context.Context, image string) error {
	there, err := docker.ImageOf(ctx, image)
	if there.ID == "" || err != nil {
		return err
	}
	_, err = docker.Run(ctx, "rmi", "--force", image)
	return err
}
