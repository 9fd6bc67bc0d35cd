package wal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/disk"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
)

// Slot is the replication slot that keeps the log until it is received. Where it is gone, or lost, another is made.
const Slot = "mrs_ops"

// Names that PostgreSQL knows us by.
const (
	role = "mrs_ops_wal" // may do nothing but replication; the socket lets it in without a password
	name = "mrs-ops-wal"
)

// socket is where the containers have PostgreSQL's.
const socket = "/var/run/postgresql"

// PostgreSQL is one in a container of this host ([Server]).
type PostgreSQL struct {
	Project string // of the instance
	dump.Container
	pg *pgx.Conn
}

// Open opens a session of the PostgreSQL in a container, as the superuser that it has as its role.
func Open(ctx context.Context, project string, c dump.Container) (*PostgreSQL, error) {
	ctx, cancel := bound.Within(ctx, "PostgreSQL", bound.Quick)
	defer cancel()
	c.Application = name
	pg, err := c.Connect(ctx, "postgres")
	return &PostgreSQL{Project: project, Container: c, pg: pg}, err
}

// Close implements [Server].
func (p *PostgreSQL) Close() { _ = p.pg.Close(context.Background()) }

// ask asks for one row.
func (p *PostgreSQL) ask(ctx context.Context, sql string, to ...any) error {
	ctx, cancel := bound.Within(ctx, "PostgreSQL", bound.Quick)
	defer cancel()
	return p.pg.QueryRow(ctx, sql).Scan(to...)
}

func (p *PostgreSQL) exec(ctx context.Context, sql string) error {
	ctx, cancel := bound.Within(ctx, "PostgreSQL", bound.Quick)
	defer cancel()
	_, err := p.pg.Exec(ctx, sql)
	return err
}

// Facts implements [Server].
func (p *PostgreSQL) Facts(ctx context.Context) (f Facts, err error) {
	var folder string
	err = p.ask(ctx, "select system_identifier::text, current_setting('server_version_num')::int / 10000, "+
		"pg_is_in_recovery(), current_setting('data_directory'), bytes_per_wal_segment "+
		"from pg_control_system(), pg_control_init()", &f.System, &f.Major, &f.Standby, &folder, &f.Segment)
	if err != nil {
		return f, err
	}
	f.Data = filepath.Join(fmt.Sprintf("/proc/%d/root", p.PID), folder)
	info, err := os.Stat(f.Data)
	if err != nil {
		return f, err
	}
	if owner, ok := info.Sys().(*syscall.Stat_t); ok {
		f.UID, f.GID = int(owner.Uid), int(owner.Gid)
	}
	f.Image, f.Named = p.Image, p.Named
	if image, err := docker.ImageOf(ctx, p.Image); err == nil && len(image.Digests) > 0 {
		f.Named = image.Digests[0]
	}
	return f, nil
}

// kept is how many megabytes of log PostgreSQL keeps for us where we do not read: a tenth of its disk, but not less
// than a busy hour, nor more than a bad day.
func kept(disk int64) int64 { return min(max(disk/10, 1<<30), 64<<30) >> 20 }

// Prepare implements [Server].
func (p *PostgreSQL) Prepare(ctx context.Context, f Facts) error {
	var there bool
	var keeps string
	err := p.ask(ctx, "select exists (select from pg_roles where rolname = '"+role+"'), "+
		"current_setting('max_slot_wal_keep_size')", &there, &keeps)
	if err == nil && !there {
		err = p.exec(ctx, "create role "+role+" login replication connection limit 5")
	}
	if err != nil || keeps != "-1" { // somebody has chosen it
		return err
	}
	_, size, err := disk.Free(f.Data)
	if err == nil {
		err = p.exec(ctx, fmt.Sprintf("alter system set max_slot_wal_keep_size = '%dMB'", kept(size)))
	}
	if err == nil {
		err = p.exec(ctx, "select pg_reload_conf()")
	}
	return err
}

// Slot implements [Server].
func (p *PostgreSQL) Slot(ctx context.Context) (whole bool, err error) {
	return whole, p.ask(ctx, "select exists (select from pg_replication_slots "+
		"where slot_name = '"+Slot+"' and slot_type = 'physical' and wal_status <> 'lost')", &whole)
}

// Renew implements [Server].
func (p *PostgreSQL) Renew(ctx context.Context) error {
	if err := p.End(ctx, true); err != nil {
		return err
	}
	return p.exec(ctx, "select pg_create_physical_replication_slot('"+Slot+"', true)")
}

// End implements [Server].
func (p *PostgreSQL) End(ctx context.Context, drop bool) error {
	if _, err := docker.Run(ctx, "rm", "--force", p.receiver()); err != nil || !drop {
		return err
	}
	// What it served lasts for a moment.
	err := p.exec(ctx, "select pg_terminate_backend(active_pid) from pg_replication_slots "+
		"where slot_name = '"+Slot+"' and active_pid is not null")
	for n := 0; err == nil && n < 50; n++ {
		var active bool
		err = p.ask(ctx, "select exists (select from pg_replication_slots where slot_name = '"+Slot+"' and active)", &active)
		if !active {
			break
		}
		time.Sleep(100 * time.Millisecond)
	}
	if err == nil {
		err = p.exec(ctx,
			"select pg_drop_replication_slot(slot_name) from pg_replication_slots where slot_name = '"+Slot+"'")
	}
	return err
}

// receiver is the container that receives the log.
func (p *PostgreSQL) receiver() string { return p.Project + "-wal" }

// program is a program of the instance's PostgreSQL in a container of its own, without a network: all that it reaches
// is the server's socket, and a folder of ours as /wal.
func (p *PostgreSQL) program(container, folder string, argv ...string) ([]string, error) {
	run := p.Mounts[socket]
	if run == "" {
		run = p.Mounts["/run/postgresql"]
	}
	if run == "" {
		return nil, fmt.Errorf("%s has no folder of the host as %s, by which its log could be received\n"+
			"hint: mount one there, as compose/docker-compose.persist.yml does", p.Container.Name, socket)
	}
	return append([]string{"docker", "run", "--rm", "--name", container, "--network", "none", "--log-driver", "none",
		"--user", "postgres", "--env", "PGAPPNAME=" + name, "--volume", run + ":" + socket,
		"--volume", folder + ":/wal", "--entrypoint", argv[0], p.Image}, argv[1:]...), nil
}

// connects is how they find the server.
var connects = []string{"--host", socket, "--username", role, "--no-password"}

// run runs one to its end, however that comes.
func (p *PostgreSQL) run(ctx context.Context, limit bound.Limit, container, folder string, argv ...string) error {
	words, err := p.program(container, folder, argv...)
	if err != nil {
		return err
	}
	// One outlives the program that has started it, and heeds no SIGTERM where it is the first of its container.
	remove := func() error { _, err := docker.Run(context.WithoutCancel(ctx), "rm", "--force", container); return err }
	if err := remove(); err != nil {
		return err
	}
	defer remove()
	defer context.AfterFunc(ctx, func() { _ = remove() })()
	var said bound.Tail
	err = p.Runner.Run(ctx, bound.Command{Name: argv[0], Argv: words, Stdout: &said, Stderr: &said, Limit: limit})
	if text := firstError(argv[0], said.String()); err != nil && bound.Status(err) >= 0 && text != "" {
		return fmt.Errorf("%s: %s", argv[0], text)
	}
	return err
}

// firstError is what a program of PostgreSQL's has said of its end: the first of its errors, which the others come
// of, else the last line.
func firstError(program, said string) string {
	said = strings.TrimSpace(said)
	for line := range strings.Lines(said) {
		for _, begin := range []string{program + ": error: ", program + ": fatal: ", "docker: "} {
			if text, ok := strings.CutPrefix(line, begin); ok {
				return strings.TrimSpace(text)
			}
		}
	}
	return said[strings.LastIndex(said, "\n")+1:]
}

// Receive implements [Server]. What was received is on the disk before PostgreSQL is told so (--synchronous), within
// milliseconds: so what it says of us is true after any loss of power, and no commit waits for us.
func (p *PostgreSQL) Receive(ctx context.Context, f Facts, folder string) error {
	err := begun(folder, f.Segment)
	if err != nil {
		return err
	}
	err = p.run(ctx, bound.Limit{}, p.receiver(), folder,
		append([]string{"pg_receivewal", "--directory=/wal", "--slot=" + Slot, "--synchronous", "--no-loop"}, connects...)...)
	if err == nil {
		err = errors.New("pg_receivewal has ended")
	}
	return err
}

// begun removes the file of the log that a full disk has kept from getting the length that it has from its beginning:
// nothing is written into it before, and pg_receivewal does not go on with it, nor begin it anew.
func begun(folder string, length int64) error {
	files, err := filepath.Glob(filepath.Join(folder, "*.partial"))
	for _, file := range files {
		if info, e := os.Stat(file); e != nil || info.Size() != length {
			err = errors.Join(err, e, durable.Remove(file))
		}
	}
	return err
}

// Beat implements [Server].
func (p *PostgreSQL) Beat(ctx context.Context) (r Received, ok bool, err error) {
	// The time comes before that of the commit, which so is one after it.
	if err := p.ask(ctx, "select clock_timestamp(), txid_current()", &r.Until, new(int64)); err != nil {
		return r, false, err
	}
	var at string
	if err := p.ask(ctx, "select pg_current_wal_insert_lsn()::text", &at); err != nil {
		return r, false, err
	}
	if !position.MatchString(at) {
		return r, false, fmt.Errorf("PostgreSQL says that its log ends at %q", at)
	}
	for n := 0; n < 60 && !ok && err == nil; n++ {
		if n > 0 {
			time.Sleep(50 * time.Millisecond)
		}
		err = p.ask(ctx, "select coalesce(max(safe_wal_size), -1), coalesce(bool_or(flush_lsn >= '"+at+"'), false) "+
			"from pg_replication_slots s left join pg_stat_replication r on r.pid = s.active_pid "+
			"where s.slot_name = '"+Slot+"'", &r.Left, &ok)
	}
	r.Until = r.Until.UTC()
	return r, ok, err
}

var position = regexp.MustCompile(`^[0-9A-F]+/[0-9A-F]+$`)

// Base implements [Server]. The log of the time that it takes is with it: it can be recovered by itself.
func (p *PostgreSQL) Base(ctx context.Context, f Facts, folder string) error {
	limit := bound.Limit{Idle: time.Hour, Least: 1, Also: func() int64 { return dump.Size(folder) }}
	parent, container := filepath.Dir(folder), p.Project+"-base"
	to := "/wal/" + filepath.Base(folder)
	err := p.run(ctx, limit, container, parent, append([]string{"pg_basebackup", "--pgdata=" + to, "--wal-method=stream",
		"--no-slot", "--checkpoint=fast", "--manifest-checksums=SHA256"}, connects...)...)
	if err != nil {
		return fmt.Errorf("no base backup can be made: %w", err)
	}
	if err := p.run(ctx, bound.Time(6*time.Hour), container, parent, "pg_verifybackup", "--quiet", to); err != nil {
		return fmt.Errorf("the base backup is not what its manifest says: %w", err)
	}
	return durable.SyncAll(folder)
}

// Check implements [Server].
func (p *PostgreSQL) Check(ctx context.Context, folder, first, last string) error {
	return p.run(ctx, bound.Time(6*time.Hour), p.Project+"-base", folder,
		"pg_waldump", "--quiet", "--path=/wal", first, last)
}

// label is how a base backup says which file of the log it goes on from.
var label = regexp.MustCompile(`(?m)^START WAL LOCATION: \S+ \(file ([0-9A-F]{24})\)$`)

func first(folder string) (string, error) {
	text, err := os.ReadFile(filepath.Join(folder, "backup_label"))
	if err != nil {
		return "", err
	}
	m := label.FindSubmatch(text)
	if m == nil {
		return "", fmt.Errorf("%s does not say which file of the log it goes on from", filepath.Join(folder, "backup_label"))
	}
	return string(m[1]), nil
}

// Point implements [Server].
func (p *PostgreSQL) Point(ctx context.Context, point string) error {
	ctx, cancel := bound.Within(ctx, "PostgreSQL", bound.Quick)
	defer cancel()
	_, err := p.pg.Exec(ctx, "select pg_create_restore_point($1)", point)
	return err
}
