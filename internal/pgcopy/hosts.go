package pgcopy

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"path"
	"strings"
	"sync"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/pgcopy/wire"
	"github.com/betagouv/mrs-ops/internal/program"
	"github.com/betagouv/mrs-ops/internal/target"
)

// end is an instance at one end of the copy, with its PostgreSQL.
type end struct {
	*target.Target
	inst     *instance.Instance
	database string // the instance's own, or what of it is lent
	role     string // that the database is read or written by

	uid, gid  int // whose the instance's files are, other than root's and postgres's
	cores     int
	free      int64  // bytes on the disk of PostgreSQL's data
	container string // PostgreSQL's
	version   int    // server_version_num
	adopts    bool   // its restore.sh knows how to
	agent     string // the path of mrs-host, which has the agents, once it is there
}

// look tells what an end has to be asked before anything is begun.
const look = `set -euo pipefail; stat -c '%u %g' "$1/mrsattachments" 2>/dev/null || echo 65534 65534
nproc; df --output=avail --block-size=1 -- "$1/postgres/data" 2>/dev/null | tail -n 1 || echo 0
pg=$(docker ps -q --filter "label=com.docker.compose.project=$2" --filter label=com.docker.compose.service=postgres)
echo "${pg:--}"; [ -z "$pg" ] && echo 0 || docker exec "$pg" psql -XqtA -U "$3" -d "$4" -c 'show server_version_num'
grep -qs 'restore.sh adopt DATABASE' "$1/restore.sh" && echo yes || echo no`

// opener connects to the server of an instance.
type opener func(context.Context, *instance.Instance) (*target.Target, error)

// reach connects to the server of an instance that is to be read or written, asks it
// what is to be known, and has the agent there.
func reach(ctx context.Context, name string, read bool, open opener) (*end, error) {
	inst, _, err := instance.Lookup(name)
	if err := instance.Findable(err); err != nil {
		return nil, err
	}
	if !inst.Persistent() {
		return nil, fmt.Errorf("%s is a branch, whose database can't be copied", inst.Name)
	}
	// The connection outlives ctx, so that what was begun can still be undone.
	s, err := open(context.WithoutCancel(ctx), inst)
	if err != nil {
		return nil, err
	}
	e := &end{Target: s, inst: inst, database: inst.Get("DB_NAME"), role: inst.Get("DB_USER")}
	if read {
		e.role = cmp.Or(inst.Get("DB_READER"), e.role)
	}
	// Nothing runs there without it, and it is built for as long as ctx lasts.
	var looking sync.WaitGroup
	var unseen error
	if _, err = program.Build(ctx, "mrs-host", program.Here()); err == nil {
		looking.Go(func() { unseen = e.look() })
		err = s.Runs()
	}
	if err == nil {
		e.agent, err = s.Program()
	}
	looking.Wait()
	if err := cmp.Or(err, unseen); err != nil {
		s.Close()
		return nil, err
	}
	return e, nil
}

func (e *end) look() error {
	out, err := e.Script(look, e.Folder, e.Project, e.role, e.database).String()
	if err != nil {
		return fmt.Errorf("%s: its PostgreSQL can't be asked: %w", e.Name, err)
	}
	var adopts string
	if _, err := fmt.Sscan(out, &e.uid, &e.gid, &e.cores, &e.free, &e.container, &e.version, &adopts); err != nil {
		return fmt.Errorf("%s: what its server says of itself can't be read: %w", e.Name, err)
	}
	e.adopts = adopts == "yes"
	if e.container == "-" {
		return fmt.Errorf("%s: its PostgreSQL does not run on %s\nhint: mage ops:status -instance=%s", e.Name, e, e.Name)
	}
	return nil
}

// unhindered are settings of a version of PostgreSQL (server_version_num) by which
// nothing that a role or a database is set to ends a statement, or hides rows from it.
func unhindered(version int) string {
	options := "PGOPTIONS=-c statement_timeout=0 -c lock_timeout=0" +
		" -c idle_in_transaction_session_timeout=0 -c row_security=off"
	if version >= 140000 {
		options += " -c idle_session_timeout=0"
	}
	if version >= 170000 {
		options += " -c transaction_timeout=0"
	}
	return options
}

// does returns the command of an agent.
func (e *end) does(what string) []string { return []string{e.agent, "copy", what} }

// psql returns the command that runs SQL from its standard input in a database.
func (e *end) psql(database string) []string {
	return []string{"docker", "exec", "-i", "--env", unhindered(e.version), e.container,
		"psql", "-XqtA", "-v", "ON_ERROR_STOP=1", "-U", e.role, "-d", database}
}

// dump returns the command that dumps the schema as of a snapshot, in the container.
func (e *end) dump(snapshot string) []string {
	return []string{e.container, "pg_dump", "-U", e.role, "-d", e.database, "--snapshot=" + snapshot,
		"--schema-only", "--no-owner", "--no-privileges", "--no-publications", "--no-subscriptions"}
}

// query returns what a query says.
func (e *end) query(database, sql string) (string, error) {
	out, err := e.ExecFrom(script.Echo(sql), e.psql(database)...).String()
	return strings.TrimSpace(out), err
}

// follow does in a database what a query of another end's answers: statements.
func (e *end) follow(database string, from *end, query string) error {
	_, err := e.ExecFrom(from.ExecFrom(script.Echo(query), from.psql(from.database)...), e.psql(database)...).String()
	return err
}

// wireServer is what the agent is told about PostgreSQL.
func (e *end) wireServer(database string) wire.Server {
	return wire.Server{Socket: path.Join(e.Folder, "postgres/run"), Database: database, Role: e.role,
		UID: e.uid, GID: e.gid}
}

// hold is a snapshot of a database that is kept open.
type hold struct {
	wire.Held
	input *io.PipeWriter
	out   *script.Pipe
}

// holdSnapshot opens a snapshot of the end's database.
func (e *end) holdSnapshot() (*hold, error) {
	r, w := io.Pipe()
	h := &hold{input: w, out: e.ExecFrom(script.NewPipe().WithReader(r), e.does("hold")...)}
	order := wire.Hold{Server: e.wireServer(e.database)}
	go func() { _ = json.NewEncoder(w).Encode(order) }()
	line, err := bufio.NewReader(h.out).ReadBytes('\n')
	if err == nil {
		err = json.Unmarshal(line, &h.Held)
	}
	if err != nil {
		w.Close()
		return nil, fmt.Errorf("%s: its database can't be read: %w", e.Name, cmp.Or(h.out.Error(), err))
	}
	return h, nil
}

// release closes the snapshot.
func (h *hold) release() { h.input.Close() }
