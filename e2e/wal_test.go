//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
	"github.com/betagouv/mrs-ops/internal/hostside/wal"
)

// cluster is a PostgreSQL whose log is received, in containers of this machine.
type cluster struct {
	t       *testing.T
	folder  string // run/ is its socket's, archive/ the log's, data/ its own
	name    string
	image   string
	archive wal.Archive
	end     func() // of the receiver

	sync.Mutex
	said []string
}

func newCluster(t *testing.T, image string) *cluster {
	c := &cluster{t: t, folder: t.TempDir(), image: image,
		name: fmt.Sprintf("mrs-e2e-%d-wal%s", os.Getpid(), strings.TrimPrefix(image, "postgres:"))}
	c.archive = wal.Archive{Folder: filepath.Join(c.folder, "archive")}
	for _, name := range []string{"archive", "run", "data", "dump"} {
		if err := os.Mkdir(filepath.Join(c.folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	must(t, "chown", "999:999", filepath.Join(c.folder, "run"), filepath.Join(c.folder, "data"),
		filepath.Join(c.folder, "dump"))
	t.Cleanup(func() {
		for _, name := range []string{"", "-wal", "-base", "-trial-recovery"} {
			run(t, nil, "docker", "rm", "--force", "--volumes", c.name+name)
		}
	})
	c.start()
	return c
}

// start starts PostgreSQL.
func (c *cluster) start() {
	c.t.Helper()
	must(c.t, "docker", "run", "--detach", "--name", c.name, "--env", "POSTGRES_PASSWORD=hush", "--env",
		"POSTGRES_USER=django", "--env", "POSTGRES_DB=mrs", "--volume", c.folder+"/run:/var/run/postgresql",
		"--volume", c.folder+"/data:/var/lib/postgresql/data", c.image)
	eventually(c.t, "PostgreSQL answers", func() bool {
		s, err := c.find(c.t.Context())
		if err != nil {
			return false
		}
		defer s.Close()
		_, err = os.Stat(filepath.Join(c.folder, "data", "postmaster.pid"))
		return err == nil && run(c.t, nil, "docker", "exec", c.name, "pg_isready", "-h", "127.0.0.1").status == 0
	})
}

func (c *cluster) find(ctx context.Context) (wal.Server, error) {
	found, err := docker.Inspect(ctx, c.name)
	if err != nil {
		return nil, err
	}
	s, err := wal.Open(ctx, c.name, dump.Container{Container: found, Role: "django", Runner: &bound.System{}})
	if err != nil {
		return nil, err
	}
	return s, nil
}

// receive begins to receive the log.
func (c *cluster) receive() {
	ctx, end := context.WithCancel(c.t.Context())
	r := wal.Receiver{Archive: c.archive, Find: c.find, Fits: func(string) error { return nil }, Now: time.Now,
		Say: func(line string) { c.Lock(); defer c.Unlock(); c.said = append(c.said, line) }}
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	c.end = func() { end(); <-ended }
	c.t.Cleanup(c.end)
}

// stream is the newest.
func (c *cluster) stream() wal.Stream {
	c.t.Helper()
	all, err := c.archive.Streams()
	if err != nil || len(all) == 0 {
		c.t.Fatalf("there is no log: %v; %q", err, c.said)
	}
	return all[len(all)-1]
}

// received waits until the log was received until a time.
func (c *cluster) received(at time.Time) {
	c.t.Helper()
	eventually(c.t, "the log is received", func() bool {
		all, _ := c.archive.Streams()
		if len(all) == 0 {
			return false
		}
		r, err := all[len(all)-1].Received()
		return err == nil && r.Until.After(at)
	})
}

// base makes a base backup.
func (c *cluster) base() {
	c.t.Helper()
	s, err := c.find(c.t.Context())
	if err == nil {
		defer s.Close()
		_, err = c.stream().Base(c.t.Context(), s, time.Now)
	}
	if err != nil {
		c.t.Fatal(err)
	}
}

func (c *cluster) open(host string) (*pgx.Conn, error) {
	return pgx.Connect(c.t.Context(), "host="+host+" user=django dbname=mrs")
}

func (c *cluster) sql(statement string) string {
	c.t.Helper()
	pg, err := c.open(c.folder + "/run")
	if err != nil {
		c.t.Fatal(err)
	}
	defer pg.Close(c.t.Context())
	return value1(c.t, pg, statement)
}

func value1(t *testing.T, pg *pgx.Conn, statement string) (text string) {
	t.Helper()
	rows, err := pg.Query(t.Context(), statement)
	if err == nil {
		var all []string
		if all, err = pgx.CollectRows(rows, pgx.RowTo[string]); err == nil {
			text = strings.Join(all, ",")
		}
	}
	if err != nil {
		t.Fatalf("%s: %v", statement, err)
	}
	return text
}

// recover recovers it to a time, and calls a function with it.
func (c *cluster) recover(s wal.Stream, at time.Time, point string, look func(*pgx.Conn)) error {
	c.t.Helper()
	spans, err := s.Spans()
	if err != nil {
		return err
	}
	span, ok := wal.Covering(spans, at)
	if !ok {
		return fmt.Errorf("%s is not covered by %+v", at, spans)
	}
	r := wal.Recovery{Stream: s, Base: span.Base, Until: at, Point: point, Project: c.name + "-trial",
		Folder: c.archive.Recovery(), Dump: c.folder + "/dump", Role: "django", Runner: &bound.System{}}
	server, err := r.Start(c.t.Context())
	defer r.End(c.t.Context())
	if err != nil {
		return err
	}
	pg, err := server.Connect(c.t.Context(), "mrs")
	if err != nil {
		return err
	}
	defer pg.Close(c.t.Context())
	look(pg)
	return nil
}

func TestNothingThatWasCommittedIsLostWithTheDataFolder(t *testing.T) {
	on(t, "here")
	for _, version := range []string{"13", "15", "17"} {
		step(t, "PostgreSQL "+version, func(t *testing.T) {
			c := newCluster(t, "postgres:"+version)
			c.receive()
			c.sql("create table visits (id bigint primary key, at timestamptz default clock_timestamp())")
			c.received(time.Now())
			c.base()

			// 50 a second, and who writes keeps a list.
			var committed []int64
			write := func(until time.Time) (last time.Time) {
				pg, err := c.open(c.folder + "/run")
				if err != nil {
					return
				}
				defer pg.Close(t.Context())
				for n := int64(len(committed)); time.Now().Before(until); n++ {
					if _, err := pg.Exec(t.Context(), "insert into visits values ($1)", n); err != nil {
						return
					}
					committed, last = append(committed, n), time.Now()
					time.Sleep(20 * time.Millisecond)
				}
				return
			}
			write(time.Now().Add(5 * time.Second))
			before := len(committed)
			wrong := time.Now()
			time.Sleep(time.Second)
			c.sql("delete from visits where id % 2 = 0")
			write(time.Now().Add(8 * time.Second))
			c.received(time.Now().Add(-time.Second))

			err := c.recover(c.stream(), wrong, "", func(pg *pgx.Conn) {
				if got := value1(t, pg, "select count(*)::text from visits"); got != fmt.Sprint(before) {
					t.Errorf("before the rows were deleted there were %d, and %s are recovered", before, got)
				}
			})
			if err != nil {
				t.Errorf("to the second before: %v", err)
			}

			// While somebody writes.
			killed := make(chan struct{})
			go func() {
				defer close(killed)
				time.Sleep(3*time.Second + time.Duration(rand.IntN(2000))*time.Millisecond)
				run(t, nil, "docker", "kill", "--signal", "KILL", c.name)
			}()
			write(time.Now().Add(time.Minute))
			<-killed
			must(t, "docker", "rm", "--force", "--volumes", c.name)
			must(t, "bash", "-c", "rm -r '"+c.folder+"'/data/*")
			lost := c.stream()
			err = c.recover(lost, time.Time{}, "", func(pg *pgx.Conn) {
				got := strings.Split(value1(t, pg, "select id::text from visits order by id"), ",")
				missing := 0
				for _, id := range committed {
					if (id >= int64(before) || id%2 == 1) && !slices.Contains(got, fmt.Sprint(id)) {
						missing++
					}
				}
				t.Logf("PostgreSQL %s: %d of %d rows are missing that were acknowledged", version, missing, len(committed))
				if missing > 5*50 {
					t.Errorf("%d rows are missing, more than 5 s of them", missing)
				}
			})
			if err != nil {
				t.Errorf("to the end: %v; %q", err, c.said)
			}

			// One that is made anew gets a log of its own, and the old one stays.
			c.start()
			c.received(time.Now())
			if c.stream() == lost {
				t.Error("the log of a new cluster goes on with that of the one that is lost")
			}
		})
	}
}
