package database

import (
	"net/netip"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostside/docker"
)

func TestWhatAnApplicationUsesInsteadIsNamed(t *testing.T) {
	server := docker.Container{Name: "mrs-postgres-1", Addresses: []netip.Addr{netip.MustParseAddr("172.18.0.2")}}
	to := func(remote string, state docker.TCPState) docker.Connection {
		return docker.Connection{Local: netip.MustParseAddrPort("172.18.0.3:40000"), Remote: netip.MustParseAddrPort(remote), State: state}
	}
	neighbour := func(a netip.Addr) string {
		if a == netip.MustParseAddr("172.18.0.9") {
			return "ecole-postgres-1"
		}
		return ""
	}
	for name, c := range map[string]struct {
		connections []docker.Connection
		env         map[string]string
		seen        map[string]bool
		want        string
	}{
		"SQLite": {nil, map[string]string{"DB_ENGINE": "django.db.backends.sqlite3"}, nil,
			`it is connected to no PostgreSQL; its DB_ENGINE is "django.db.backends.sqlite3" (see the compose file)`},
		"no engine at all": {nil, nil, nil, `it is connected to no PostgreSQL; its DB_ENGINE is "" (see the compose file)`},
		"another database": {nil, nil, map[string]bool{"postgres": true, "other": true}, "it uses the database other, postgres there (see DB_NAME)"},
		"a neighbour's": {[]docker.Connection{to("172.18.0.9:5432", docker.TimeWait)}, nil, nil,
			"it is connected to the PostgreSQL of ecole-postgres-1 (172.18.0.9:5432) (see DB_HOST)"},
		"one elsewhere, on a port of its own": {[]docker.Connection{to("192.0.2.1:6543", docker.Established)}, map[string]string{"DB_PORT": "6543"}, nil,
			"it is connected to the PostgreSQL of 192.0.2.1:6543 (see DB_HOST)"},
		"a mail server is no database": {[]docker.Connection{to("172.18.0.9:25", docker.Established)}, map[string]string{"DB_ENGINE": "x"}, nil,
			`it is connected to no PostgreSQL; its DB_ENGINE is "x" (see the compose file)`},
		"this one, too briefly to be seen": {[]docker.Connection{to("172.18.0.2:5432", docker.TimeWait)}, nil, nil,
			"it comes there, but was seen in none of its databases"},
	} {
		if got := other(c.connections, docker.Container{Env: c.env}, server, c.seen, neighbour); got != c.want {
			t.Errorf("%s: %s\nwant %s", name, got, c.want)
		}
	}
}
