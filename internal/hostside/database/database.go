// Package database proves that an application uses the PostgreSQL that is backed up: not by what its variables
// say, but by whom that PostgreSQL serves while the application answers.
//
// It must not know what a deployment or a restore is.
package database

import (
	"context"
	"crypto/rand"
	"fmt"
	"maps"
	"net/http"
	"net/netip"
	"net/url"
	"os"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/betagouv/mrs-ops/internal/answer"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/jobs"
)

// Want is what the application has to use.
type Want struct {
	Server string // the container of the PostgreSQL that is backed up
	Name   string // the database
	Role   string // whom the socket lets in without a password
}

// App is the application, as it runs.
type App struct {
	Container string
	Port      int    // of HTTP, in the container
	URL       string // PROTO://NAME that it answers to
	// Path is a page for which the application looks up the visitor's session. One that
	// does not exist is looked up too: it costs a search by key, and leaves no row.
	Path string
}

// session is one that the PostgreSQL serves.
type session struct {
	database string
	from     netip.Addr
}

// patience is how long PostgreSQL may take to answer. proof is how long the application may take to be seen coming to
// it: it serves some pages for that, behind those of its visitors.
const (
	patience = 15 * time.Second
	proof    = time.Minute
)

// Prove has the application look up a session, and returns nil once the PostgreSQL has been seen serving it in
// the right database. Otherwise the error says what the application uses instead.
func Prove(ctx context.Context, app App, want Want) error {
	ctx, cancel := context.WithTimeout(ctx, proof)
	defer cancel()
	both, err := docker.InspectAll(ctx, app.Container, want.Server)
	if err != nil {
		return err
	}
	container, server := both[0], both[1]
	pg, err := OpenAs(ctx, server, want.Role, "postgres", "")
	if err != nil {
		return err
	}
	defer pg.Close(context.WithoutCancel(ctx))

	// A session may be over before all have been looked at. Who came to this PostgreSQL and was not seen comes again.
	for began := time.Now(); ; {
		seen, err := watch(ctx, pg, server, container, app, want.Name)
		if err != nil || seen[want.Name] {
			return err
		}
		// The kernel remembers connections for a minute.
		connections, err := container.Connections()
		if err == nil && len(seen) == 0 && comes(connections, server) && time.Since(began) <= proof/2 {
			continue
		}
		what := other(connections, container, server, seen, func(a netip.Addr) string { return docker.Owner(ctx, a) })
		if err != nil {
			what = "what it uses could not be found out: " + err.Error()
		}
		return fmt.Errorf("the application does not use the database %s of %s, which is what is backed up: %s",
			want.Name, server.Name, what)
	}
}

// watch has the application look up a session some times, and returns in which databases of the server it was seen:
// until it is in the right one.
func watch(ctx context.Context, pg *pgx.Conn, server, container docker.Container, app App, right string) (
	map[string]bool, error) {
	visits := make(chan error, 1)
	go func() { visits <- visit(ctx, container, app, 5) }()
	var visited error
	seen := map[string]bool{}
	for going := true; going; {
		select {
		case visited = <-visits:
			going = false // and a last look
		default:
		}
		sessions, err := served(ctx, pg)
		if err != nil {
			return nil, fmt.Errorf("the PostgreSQL that is backed up, %s, can't be asked: %w", server.Name, err)
		}
		for _, s := range sessions {
			if slices.Contains(container.Addresses, s.from) {
				seen[s.database] = true
			}
		}
		if seen[right] {
			return seen, nil
		}
		if going {
			time.Sleep(300 * time.Microsecond)
		}
	}
	return seen, visited
}

// comes reports whether one of the connections leads to the server.
func comes(connections []docker.Connection, server docker.Container) bool {
	return slices.ContainsFunc(connections, func(c docker.Connection) bool {
		return slices.Contains(server.Addresses, c.Remote.Addr())
	})
}

// OpenAs opens a session of the server by its own socket, as root of the host.
// application is what PostgreSQL calls it; empty: nothing.
func OpenAs(ctx context.Context, server docker.Container, role, database, application string) (*pgx.Conn, error) {
	if server.PID == 0 {
		return nil, fmt.Errorf("the PostgreSQL that is backed up, %s, does not run", server.Name)
	}
	config, err := pgx.ParseConfig("")
	if err != nil {
		return nil, err
	}
	// /var/run is a link to /run in most images, and would lead to the host's.
	config.Host = fmt.Sprintf("/proc/%d/root/run/postgresql", server.PID)
	if _, err := os.Stat(config.Host); err != nil {
		config.Host = fmt.Sprintf("/proc/%d/root/var/run/postgresql", server.PID)
	}
	config.Port, config.User, config.Database, config.Password = 5432, role, database, ""
	config.TLSConfig, config.Fallbacks = nil, nil
	if application != "" {
		config.RuntimeParams["application_name"] = application
	}
	pg, err := pgx.ConnectConfig(ctx, config)
	if err != nil {
		return nil, fmt.Errorf("the PostgreSQL that is backed up, %s, can't be asked: %w", server.Name, err)
	}
	return pg, nil
}

// Open opens a session of a database as its superuser, whom the server's own socket lets in without a password.
func Open(ctx context.Context, want Want) (*pgx.Conn, error) {
	server, err := docker.Inspect(ctx, want.Server)
	if err != nil {
		return nil, err
	}
	return OpenAs(ctx, server, want.Role, want.Name, "")
}

// Jobs returns when the application's jobs run, as its database has it: none where there is no such table.
func Jobs(ctx context.Context, want Want) (all []jobs.Job, err error) {
	err = ask(ctx, want, "public.djcall_cron", func(ctx context.Context, pg *pgx.Conn) error {
		rows, err := pg.Query(ctx, "select minute, hour, day, month, weekday from public.djcall_cron order by id")
		if err == nil {
			all, err = pgx.CollectRows(rows, pgx.RowToStructByPos[jobs.Job])
		}
		return err
	})
	return all, err
}

// Passwords returns the hashes of those of the named users who may log in, by
// their names: none where there is no such table.
func Passwords(ctx context.Context, want Want, names []string) (map[string]string, error) {
	hashes := map[string]string{}
	return hashes, ask(ctx, want, "public.auth_user", func(ctx context.Context, pg *pgx.Conn) error {
		rows, err := pg.Query(ctx,
			"select username, password from public.auth_user where is_active and username = any($1)", names)
		if err != nil {
			return err
		}
		var name, hash string
		_, err = pgx.ForEachRow(rows, []any{&name, &hash}, func() error {
			hashes[name] = hash
			return nil
		})
		return err
	})
}

// ask opens a session of the database for a question about a table, which is not asked where there is no such table.
func ask(ctx context.Context, want Want, table string, question func(context.Context, *pgx.Conn) error) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	pg, err := Open(ctx, want)
	if err != nil {
		return err
	}
	defer pg.Close(context.WithoutCancel(ctx))
	var there bool
	if err := pg.QueryRow(ctx, "select to_regclass($1) is not null", table).Scan(&there); err != nil || !there {
		return err
	}
	return question(ctx, pg)
}

func served(ctx context.Context, pg *pgx.Conn) ([]session, error) {
	rows, err := pg.Query(ctx,
		"select datname, host(client_addr) from pg_stat_activity where client_addr is not null and datname is not null")
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, func(row pgx.CollectableRow) (session, error) {
		var database, from string
		if err := row.Scan(&database, &from); err != nil {
			return session{}, err
		}
		address, err := netip.ParseAddr(from)
		return session{database, address.Unmap()}, err
	})
}

// visit has the application look up a session that does not exist, times times.
func visit(ctx context.Context, container docker.Container, app App, times int) error {
	at, err := url.Parse(app.URL)
	if err != nil {
		return err
	}
	at.Path = app.Path
	way := answer.Way{Dial: container.Loopback(app.Port), Behind: true, Limit: proof}
	for range times {
		nobody := strings.ToLower(rand.Text() + rand.Text())[:32]
		if _, _, err := way.Get(ctx, at, http.Header{"Cookie": {"sessionid=" + nobody}}); err != nil {
			return err
		}
	}
	return nil
}

// ports of PostgreSQL, as far as an application's variables name another.
func ports(container docker.Container) []uint16 {
	all := []uint16{5432}
	if p, err := strconv.ParseUint(container.Env["DB_PORT"], 10, 16); err == nil {
		all = append(all, uint16(p))
	}
	return all
}

// other says what an application uses that was seen in other databases of the
// server, and has these connections. owner names the container with an address.
func other(connections []docker.Connection, container, server docker.Container, seen map[string]bool,
	owner func(netip.Addr) string) string {
	if len(seen) > 0 {
		return "it uses the database " + strings.Join(slices.Sorted(maps.Keys(seen)), ", ") + " there (see DB_NAME)"
	}
	for _, c := range connections {
		if !slices.Contains(ports(container), c.Remote.Port()) || slices.Contains(server.Addresses, c.Remote.Addr()) {
			continue
		}
		where := c.Remote.String()
		if name := owner(c.Remote.Addr()); name != "" {
			where = name + " (" + where + ")"
		}
		return "it is connected to the PostgreSQL of " + where + " (see DB_HOST)"
	}
	if comes(connections, server) {
		return "it comes there, but was seen in none of its databases"
	}
	return fmt.Sprintf("it is connected to no PostgreSQL; its DB_ENGINE is %q (see the compose file)",
		container.Env["DB_ENGINE"])
}
