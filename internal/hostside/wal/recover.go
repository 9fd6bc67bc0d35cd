package wal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
)

// Recovery is a cluster that a base backup and the log from it on make, in a container without a network.
type Recovery struct {
	Stream Stream
	Base   Base
	// Until is the second that it is recovered to; zero: the end of the log. Point, if not empty, is a restore point; XID,
	// if not 0, the transaction before whose end it is recovered to. Both of these come after Until.
	Until time.Time
	Point string
	XID   uint32
	// Reaches is what the end of the log has to come after, where it is recovered to that: PostgreSQL takes a file that
	// is damaged for the end.
	Reaches time.Time

	Project string // Compose's, whose leftovers are removed: the container is one of its
	Folder  string // for the data, on a disk that has room for them; it is made, and is the caller's to remove
	Dump    string // a folder of the host that the cluster has as /dump
	Role    string // its superuser
	Runner  bound.Runner
}

// points are the names that a restore point may have.
var points = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)

// IsPoint reports whether a restore point may have a name.
func IsPoint(name string) bool { return points.MatchString(name) }

// ParseXID reads the number of a transaction, as xmin has it, or pg_current_xact_id(), which counts on after 2³².
func ParseXID(text string) (xid uint32, ok bool) {
	n, err := strconv.ParseUint(text, 10, 64)
	return uint32(n), err == nil && uint32(n) >= 3 // those before are PostgreSQL's own
}

// settings are those of the cluster that is recovered. What production's own configuration says else stays.
func (r Recovery) settings() (argv []string) {
	all := [][2]string{
		// The last file may be one that was not full yet.
		{"restore_command", `cp "/wal/%f" "%p" || cp "/wal/%f.partial" "%p"`},
		{"recovery_target_action", "promote"},
		// Else it would need as much of everything as production has, before it is promoted.
		{"hot_standby", "off"},
		// Nobody reads its log, nor copies it, and where it is killed it is made again.
		{"archive_mode", "off"}, {"synchronous_standby_names", ""}, {"fsync", "off"}, {"autovacuum", "off"},
		{"listen_addresses", ""}, {"unix_socket_directories", socket}, {"port", "5432"}, {"ssl", "off"},
		{"logging_collector", "off"}, {"log_destination", "stderr"}, {"shared_buffers", "128MB"}, {"huge_pages", "off"},
	}
	switch {
	case r.XID != 0:
		all = append(all, [2]string{"recovery_target_xid", strconv.FormatUint(uint64(r.XID), 10)},
			[2]string{"recovery_target_inclusive", "off"})
	case r.Point != "":
		all = append(all, [2]string{"recovery_target_name", r.Point})
	case !r.Until.IsZero():
		all = append(all, [2]string{"recovery_target_time", r.Until.UTC().Format("2006-01-02 15:04:05.999999") + "+00"})
	}
	for _, s := range all {
		argv = append(argv, "-c", s[0]+"="+s[1])
	}
	return argv
}

// Argv is the command line that starts it.
func (r Recovery) Argv(image string) []string {
	return append([]string{"docker", "run", "--detach", "--name", r.container(), "--network", "none",
		"--label", "com.docker.compose.project=" + r.Project, "--user", "postgres", "--shm-size", "256m",
		"--volume", filepath.Join(r.Folder, "data") + ":/recovered", "--volume", r.Stream.Log() + ":/wal:ro",
		"--volume", r.Dump + ":/dump", "--entrypoint", "postgres", image, "-D", "/recovered"}, r.settings()...)
}

func (r Recovery) container() string { return r.Project + "-recovery" }

// Start recovers it, and returns the server once it is what was asked for. The caller ends it ([Recovery.End]).
func (r Recovery) Start(ctx context.Context) (server dump.Container, err error) {
	if r.Point != "" && !points.MatchString(r.Point) {
		return server, fmt.Errorf("%q is no name of a restore point", r.Point)
	}
	if err := r.End(ctx); err != nil {
		return server, err
	}
	image, err := r.image(ctx)
	if err != nil {
		return server, err
	}
	if err := os.MkdirAll(r.Folder, 0o700); err != nil {
		return server, err
	}
	data := filepath.Join(r.Folder, "data")
	limit := bound.Limit{Idle: time.Hour, Least: 1}
	err = r.Runner.Run(ctx, bound.Command{Name: "cp", Limit: limit,
		Argv: []string{"cp", "--archive", "--reflink=auto", "--", r.Stream.Data(r.Base), data}})
	if err != nil {
		return server, fmt.Errorf("the base backup can't be copied: %w", err)
	}
	if err := os.WriteFile(filepath.Join(data, "recovery.signal"), nil, 0o644); err != nil {
		return server, err
	}
	if _, err := docker.Run(ctx, r.Argv(image)[1:]...); err != nil {
		return server, err
	}
	ctx, cancel := bound.Within(ctx, "the recovery", recovers)
	defer cancel()
	for {
		c, err := docker.Inspect(ctx, r.container())
		if err != nil {
			return server, err
		}
		if !c.Running {
			return server, r.failed(ctx)
		}
		server = dump.Container{Container: c, Role: r.Role, Application: name, Runner: r.Runner}
		// Until it is promoted, it lets nobody in.
		if pg, err := server.Connect(ctx, "postgres"); err == nil {
			defer pg.Close(ctx)
			return server, r.reached(ctx, pg)
		}
		select {
		case <-ctx.Done():
			return server, context.Cause(ctx)
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// reached makes sure that what was recovered to its end is all of it.
func (r Recovery) reached(ctx context.Context, pg *pgx.Conn) error {
	if !r.Until.IsZero() || r.Point != "" {
		return nil // PostgreSQL does
	}
	var last time.Time
	err := pg.QueryRow(ctx, "select coalesce(pg_last_xact_replay_timestamp(), 'epoch')").Scan(&last)
	if err == nil && last.Before(r.Reaches) {
		err = fmt.Errorf("the log was received until %s, and ends at %s: a file of it is damaged",
			r.Reaches.UTC().Format(hostapi.Second), last.UTC().Format(hostapi.Second))
	}
	return err
}

// recovers bounds a recovery: a day of log takes minutes.
const recovers = 12 * time.Hour

// image is that of the base backup, which may have to be pulled.
func (r Recovery) image(ctx context.Context) (string, error) {
	i, err := docker.ImageOf(ctx, r.Base.Image)
	if err == nil && i.ID == "" && r.Base.Named != "" {
		i, err = docker.Have(ctx, r.Base.Named, func(string) {})
	}
	if err == nil && i.ID == "" {
		err = errors.New("it is not on this server")
	}
	if err != nil {
		err = fmt.Errorf("the image of the base backup, %s (PostgreSQL %d), can't be had: %w",
			r.Base.Named, r.Base.Major, err)
	}
	return i.ID, err
}

// fatal is what PostgreSQL says of why it ends.
var fatal = regexp.MustCompile(`(?m)(?:FATAL|PANIC):\s+(.*)$`)

// failed is why the cluster could not be recovered, in PostgreSQL's words.
func (r Recovery) failed(ctx context.Context) error {
	why := "it does not say why"
	var out bound.Tail
	err := r.Runner.Run(ctx, bound.Command{Name: "docker logs", Limit: bound.Time(bound.Quick), Stdout: &out, Stderr: &out,
		Argv: []string{"docker", "logs", "--tail", "50", r.container()}})
	if all := fatal.FindAllStringSubmatch(out.String(), -1); err == nil && len(all) > 0 {
		why = strings.TrimSpace(all[len(all)-1][1])
	}
	err = fmt.Errorf("base backup %s and the log from it on can't be recovered: PostgreSQL says: %s", r.Base.Name, why)
	if r.XID != 0 { // PostgreSQL stops at no savepoint's number, which xmin may be
		err = fmt.Errorf("%w\nhint: did transaction %d end in this log, after --at? Of a row that was written within a "+
			"savepoint, xmin is the savepoint's number: the transaction's is a little lower", err, r.XID)
	}
	return err
}

// End removes the cluster.
func (r Recovery) End(ctx context.Context) error {
	_, err := docker.Run(ctx, "rm", "--force", "--volumes", r.container())
	return errors.Join(err, os.RemoveAll(r.Folder))
}

// Point is a restore point.
type Point struct {
	Name string
	At   time.Time // a second before it
}

// Mark makes a restore point, and writes it down first: the second before it is what its base backup has to be older
// than. A name is one moment's.
func (s Stream) Mark(ctx context.Context, server Server, name string, now func() time.Time) error {
	if !points.MatchString(name) {
		return fmt.Errorf("%q is no name of a restore point\nhint: letters, digits and . _ -, at most 63", name)
	}
	all, err := s.Points()
	if err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(p Point) bool { return p.Name == name }) {
		return fmt.Errorf("there is a restore point %s already", name)
	}
	f, err := server.Facts(ctx)
	if err != nil {
		return err
	}
	if f.System != s.System() {
		return errors.New("the log of the PostgreSQL that runs is not received yet")
	}
	line := fmt.Appendf(nil, "%d %s", now().Unix(), name)
	if err := durable.Append(filepath.Join(s.Folder, "points"), line, 0o600); err != nil {
		return err
	}
	return server.Point(ctx, name)
}

// Points returns the restore points of a stream, the oldest first.
func (s Stream) Points() (all []Point, err error) {
	text, err := os.ReadFile(filepath.Join(s.Folder, "points"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	for line := range strings.Lines(string(text)) {
		if p, ok := ParsePoint(line); ok {
			all = append(all, p)
		}
	}
	return all, err
}

// ParsePoint reads a line of the file points.
func ParsePoint(line string) (p Point, ok bool) {
	var at int64
	n, _ := fmt.Sscanf(line, "%d %s", &at, &p.Name)
	p.At = time.Unix(at, 0).UTC()
	return p, n == 2 && points.MatchString(p.Name)
}
