package status

import (
	"bytes"
	"context"
	"net"

	"github.com/betagouv/mrs-ops/internal/answer"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/compose"
	"github.com/betagouv/mrs-ops/internal/hostside/database"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
	"github.com/betagouv/mrs-ops/internal/hostside/systemd"
)

// This is the host that this process runs on.
type This struct{}

// Containers implements [Host].
func (This) Containers(ctx context.Context, project string) ([]docker.Container, error) {
	return docker.Project(ctx, project)
}

// Services implements [Host].
func (This) Services(ctx context.Context, p compose.Project) ([]string, error) {
	return p.Services(ctx)
}

// See implements [Host].
func (This) See(ctx context.Context, url string) *hostapi.HTTP {
	return answer.See(ctx, url, func(ctx context.Context, network, address string) (net.Conn, error) {
		_, port, err := net.SplitHostPort(address)
		if err != nil {
			return nil, err
		}
		return new(net.Dialer).DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port))
	})
}

// Snapshots implements [Host].
func (This) Snapshots(ctx context.Context, r restic.Repository) ([]restic.Snapshot, error) {
	r.Runner = &bound.System{}
	return r.Snapshots(ctx)
}

// Systemctl implements [Host].
func (This) Systemctl(ctx context.Context, argv ...string) (string, error) {
	return systemd.Systemctl(ctx, argv...)
}

// Df implements [Host].
func (This) Df(ctx context.Context, path string) (string, error) {
	var out bytes.Buffer
	err := (&bound.System{}).Run(ctx, bound.Command{Name: "df", Stdout: &out, Limit: bound.Time(limit),
		Argv: []string{"df", "--block-size=1", "--output=pcent,avail,size", "--", path}})
	if bound.Status(err) > 0 && ctx.Err() == nil { // there is no such path
		return "", nil
	}
	return out.String(), err
}

// Holder implements [Host].
func (This) Holder(project string) (hostapi.Holder, bool, error) {
	return lock.HeldBy(hostapi.Locks, project)
}

// Passwords implements [Host].
func (This) Passwords(ctx context.Context, want database.Want, names []string) (map[string]string, error) {
	return database.Passwords(ctx, want, names)
}
