//go:build e2e

package e2e

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
	"github.com/betagouv/mrs-ops/internal/hostside/restore"
	"github.com/betagouv/mrs-ops/internal/hostside/wal"
)

// cluster is a PostgreSQL of an instance without an application, in a container of this machine, whose log is received.
type cluster struct {
	t       *testing.T
	folder  string // home/ is the instance's, home/run its socket's, home/data its own
	name    string
	image   string
	archive wal.Archive // on another disk

	sync.Mutex
	said []string
}

// newCluster starts one, whose archive is a folder on another disk; empty: in memory.
func newCluster(t *testing.T, image, archive string) *cluster {
	c := &cluster{t: t, folder: t.TempDir(), image: image,
		name: fmt.Sprintf("mrs-e2e-%d-wal%s", os.Getpid(), strings.TrimPrefix(image, "postgres:"))}
	if archive == "" {
		var err error
		if archive, err = os.MkdirTemp("/dev/shm", "mrs-e2e-"); err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(archive) })
	}
	c.archive = wal.Archive{Folder: archive}
	for _, name := range []string{"home", "home/run", "home/data", "home/dump", "home/log"} {
		if err := os.Mkdir(filepath.Join(c.folder, name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	must(t, "chown", "999:999", c.folder+"/home/run", c.folder+"/home/data", c.folder+"/home/dump")
	env := fmt.Sprintf("NAME=%s\nRESTIC_REPOSITORY=%s/restic\nWAL_ARCHIVE=%s\nDB_NAME=mrs\nDB_USER=django\n"+
		"APPLICATION=\nFOLDERS=log\nURL=http://nobody\nTIMEOUT=60\nKEEP_LAST=7\nKEEP_DAILY=7\nKEEP_WEEKLY=5\n"+
		"KEEP_MONTHLY=12\nKEEP_YEARLY=75\n", c.name, c.folder, archive)
	if err := os.WriteFile(filepath.Join(c.folder, "home/.backup.env"), []byte(env), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		for _, name := range []string{"", "-wal", "-base", "-trial-recovery"} {
			run(t, nil, "docker", "rm", "--force", "--volumes", c.name+name)
		}
		must(t, "bash", "-c", "rm -rf /var/log/mrs-ops/"+c.name+".* /var/lib/mrs-ops/"+c.name+".*")
	})
	c.start()
	if err := c.instance().Init(t.Context(), "hush"); err != nil {
		t.Fatal(err)
	}
	return c
}

// instance is what mrs-host has of it.
func (c *cluster) instance() *restore.Instance {
	c.t.Helper()
	i, err := restore.Here(c.folder+"/home", func(line string) { c.Lock(); defer c.Unlock(); c.said = append(c.said, line) })
	if err != nil {
		c.t.Fatal(err)
	}
	return i
}

// start starts PostgreSQL.
func (c *cluster) start() {
	c.t.Helper()
	must(c.t, "docker", "run", "--detach", "--name", c.name, "--label", "com.docker.compose.project="+c.name,
		"--label", "com.docker.compose.service=postgres", "--label", "com.docker.compose.oneoff=False",
		"--env", "POSTGRES_PASSWORD=hush", "--env", "POSTGRES_USER=django", "--env", "POSTGRES_DB=mrs",
		"--volume", c.folder+"/home/run:/var/run/postgresql", "--volume", c.folder+"/home/dump:/dump",
		"--volume", c.folder+"/home/data:/var/lib/postgresql/data", c.image)
	eventually(c.t, "PostgreSQL answers", func() bool {
		return run(c.t, nil, "docker", "exec", c.name, "pg_isready", "-h", "127.0.0.1", "-U", "django").status == 0
	})
}

// receive begins to receive the log, until end is called.
func (c *cluster) receive() (end func()) {
	ctx, cancel := context.WithCancel(c.t.Context())
	ended, i := make(chan struct{}), c.instance()
	go func() { defer close(ended); _ = i.Receive(ctx) }()
	end = func() { cancel(); <-ended }
	c.t.Cleanup(end)
	return end
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

// ship ships what was received until now.
func (c *cluster) ship() {
	c.t.Helper()
	c.received(time.Now())
	if err := c.instance().Ship(c.t.Context()); err != nil {
		c.t.Fatalf("%v; %q", err, c.said)
	}
}

func (c *cluster) open(host string) (*pgx.Conn, error) {
	return pgx.Connect(c.t.Context(), "host="+host+" user=django dbname=mrs")
}

func (c *cluster) sql(statement string) string {
	c.t.Helper()
	pg, err := c.open(c.folder + "/home/run")
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

// recoveryTarget is what a cluster is recovered to: a time, and what it ends at after that, a restore point or the end of a
// transaction; the end of the log where it is zero.
type recoveryTarget struct {
	at    time.Time
	point string
	xid   uint32
}

// recover recovers it to a moment, and calls a function with it.
func (c *cluster) recover(s wal.Stream, to recoveryTarget, look func(*pgx.Conn)) error {
	c.t.Helper()
	spans, err := s.Spans()
	if err != nil {
		return err
	}
	span, ok := wal.Covering(spans, to.at)
	if !ok {
		return fmt.Errorf("%s is not covered by %+v", to.at, spans)
	}
	r := wal.Recovery{Stream: s, Base: span.Base, Until: to.at, Point: to.point, XID: to.xid, Reaches: span.Until, Project: c.name + "-trial",
		Folder: c.archive.Recovery(), Dump: c.folder + "/home/dump", Role: "django", Runner: &bound.System{}}
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
	on(t, here, 80*time.Second)
	step(t, "PostgreSQL 15", func(t *testing.T) { losesNothingWithItsData(t, "15") })
}

// losesNothingWithItsData fails the test unless what a PostgreSQL has committed is recovered from its log, to a second
// and to the end.
func losesNothingWithItsData(t *testing.T, version string) {
	c := newCluster(t, "postgres:"+version, "")
	c.receive()
	c.sql("create table visits (id bigint primary key, at timestamptz default clock_timestamp())")
	c.ship() // with a base backup

	// 50 a second, and who writes keeps a list.
	var committed []int64
	write := func(until time.Time) (last time.Time) {
		pg, err := c.open(c.folder + "/home/run")
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
	if err := c.instance().Point(t.Context(), "before"); err != nil {
		t.Fatal(err)
	}
	deletion, err := strconv.ParseUint(c.sql("with gone as (delete from visits where id % 2 = 0 returning id) "+
		"select (txid_current() % 4294967296)::text from (select count(*) from gone) c"), 10, 32)
	if err != nil {
		t.Fatal(err)
	}
	write(time.Now().Add(8 * time.Second))
	c.ship()

	was := func(pg *pgx.Conn) {
		if got := value1(t, pg, "select count(*)::text from visits"); got != fmt.Sprint(before) {
			t.Errorf("before the rows were deleted there were %d, and %s are recovered", before, got)
		}
	}
	for name, to := range map[string]recoveryTarget{
		"the second before":      {at: wrong},
		"the restore point":      {at: wrong, point: "before"},
		"before the transaction": {at: wrong, xid: uint32(deletion)},
	} {
		if err := c.recover(c.stream(), to, was); err != nil {
			t.Errorf("to %s: %v", name, err)
		}
	}
	shipped, err := c.instance().Begin("list", "").Shipped(t.Context())
	if err != nil || len(shipped) == 0 {
		t.Fatalf("shipped is %v, %v", shipped, err)
	}
	last := shipped[len(shipped)-1]
	if err := c.instance().Repository.Restore(t.Context(), last.ID, restic.Restore{Target: c.folder + "/fetched",
		Include: []string{last.Stream}}); err != nil {
		t.Fatal(err)
	}
	err = c.recover(wal.Stream{Folder: c.folder + "/fetched" + last.Stream}, recoveryTarget{at: wrong}, was)
	if err != nil || wrong.Before(last.From) || wrong.After(last.Until) {
		t.Errorf("from the repository, %s to %s: %v", last.From, last.Until, err)
	}
	q, err := c.instance().Parse([]string{"--only", "database", "--at", wrong.UTC().Format("2006-01-02T15:04:05Z")})
	if err != nil {
		t.Fatal(err)
	}
	if plan, err := c.instance().Explain(t.Context(), q); err != nil || !strings.Contains(strings.Join(plan, "\n"), "from base backup") {
		t.Errorf("the plan is %q, %v", plan, err)
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
	must(t, "bash", "-c", "rm -r '"+c.folder+"'/home/data/*")
	lost := c.stream()
	err = c.recover(lost, recoveryTarget{}, func(pg *pgx.Conn) {
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

	// A page of the log is lost, in the file after that which the base backup goes on from.
	files, err := filepath.Glob(lost.Log() + "/0000*")
	if err != nil || len(files) < 2 {
		t.Fatalf("there is the log %v, %v", files, err)
	}
	must(t, "dd", "if=/dev/zero", "of="+files[len(files)-1], "bs=8192", "seek=4", "count=1", "conv=notrunc", "status=none")
	err = c.recover(lost, recoveryTarget{}, func(*pgx.Conn) {})
	if err == nil || !strings.Contains(err.Error(), "a file of it is damaged") {
		t.Errorf("from damaged log: %v", err)
	}

	// One that is made anew gets a log of its own, and the old one stays.
	c.start()
	c.received(time.Now())
	if c.stream() == lost {
		t.Error("the log of a new cluster goes on with that of the one that is lost")
	}
}

// lose kills PostgreSQL, and takes its data away.
func (c *cluster) lose() {
	c.t.Helper()
	run(c.t, nil, "docker", "kill", "--signal", "KILL", c.name)
	must(c.t, "docker", "rm", "--force", "--volumes", c.name)
	must(c.t, "bash", "-c", "rm -r '"+c.folder+"'/home/data/*")
}

// writes writes rows to the table visits, 50 a second, whatever happens to the cluster, and returns a function that ends
// that and returns those that were acknowledged.
func (c *cluster) writes() (end func() (acknowledged []string)) {
	ctx, cancel := context.WithCancel(c.t.Context())
	all := make(chan []string, 1)
	go func() {
		var acknowledged []string
		defer func() { all <- acknowledged }()
		for n := 0; ctx.Err() == nil; {
			pg, err := c.open(c.folder + "/home/run")
			for ; err == nil && ctx.Err() == nil; n++ {
				if _, err = pg.Exec(ctx, "insert into visits values ($1)", n); err == nil {
					acknowledged = append(acknowledged, fmt.Sprint(n))
				}
				time.Sleep(20 * time.Millisecond)
			}
			if pg != nil {
				_ = pg.Close(context.Background())
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return func() []string { cancel(); return <-all }
}

const visits = "create table if not exists visits (id bigint primary key, at timestamptz default clock_timestamp())"

// losesSecondsAtMost fails the test unless of what was acknowledged until PostgreSQL was killed, and its data were
// gone, at so many moments, at most 5 s are missing, whatever else has happened before.
func losesSecondsAtMost(t *testing.T, moments int) {
	c := newCluster(t, "postgres:15", "")
	end := c.receive()
	before := []struct {
		name string
		do   func()
	}{
		{"nothing else", func() {}},
		{"a restart of PostgreSQL", func() { must(t, "docker", "restart", c.name) }},
		{"its container made anew", func() {
			must(t, "docker", "stop", c.name)
			must(t, "docker", "rm", c.name)
			c.start()
		}},
		{"the end of who receives", func() { must(t, "docker", "kill", "--signal", "KILL", c.name+"-wal") }},
		{"a restart of all", func() {
			end()
			must(t, "docker", "restart", c.name)
			end = c.receive()
		}},
	}
	for n := range moments {
		c.sql(visits)
		c.ship() // with a base backup
		what := before[n%len(before)]
		written := c.writes()
		time.Sleep(time.Second + rand.N(3*time.Second))
		what.do()
		after := rand.N(8 * time.Second)
		time.Sleep(after)
		c.lose()
		acknowledged, lost := written(), c.stream()
		err := c.recover(lost, recoveryTarget{}, func(pg *pgx.Conn) {
			gone := missing(acknowledged, strings.Split(value1(t, pg, "select id::text from visits"), ","))
			t.Logf("moment %d, %.1f s after %s: %d of %d rows are missing that were acknowledged, %.2f s of them",
				n+1, after.Seconds(), what.name, gone, len(acknowledged), float64(gone)/50)
			if gone > 5*50 || len(acknowledged) < 40 {
				t.Errorf("%d of %d rows are missing; %q", gone, len(acknowledged), c.said)
			}
		})
		if err != nil {
			t.Errorf("moment %d, %.1f s after %s: %v; %q", n+1, after.Seconds(), what.name, err, c.said)
		}
		c.start()
		c.received(time.Now())
	}
}

// undoesADeletionOfAnHourAgo fails the test unless a database of a second ago is restored row by row, as who wrote them
// remembers, after an hour of work: 50 transactions a second.
func undoesADeletionOfAnHourAgo(t *testing.T) {
	c := newCluster(t, "postgres:15", "")
	c.receive()
	c.sql(visits)
	c.ship() // with a base backup
	written := c.writes()
	time.Sleep(5 * time.Second)
	acknowledged := written()
	at := time.Now()
	time.Sleep(1100 * time.Millisecond)
	c.sql("delete from visits where id % 2 = 0")
	c.sql("do $$ begin set synchronous_commit to off; for n in 1 .. 180000 loop " +
		"insert into visits values (1000000 + n); commit; end loop; end $$")
	c.ship()
	began := time.Now()
	err := c.recover(c.stream(), recoveryTarget{at: at}, func(pg *pgx.Conn) {
		got := strings.Split(value1(t, pg, "select id::text from visits"), ",")
		t.Logf("%d rows, with 180,000 transactions after it, in %.1f s", len(got), time.Since(began).Seconds())
		if missing(acknowledged, got) > 0 || missing(got, acknowledged) > 1 { // the last may not have been acknowledged
			t.Errorf("acknowledged were %d rows, and %d are there", len(acknowledged), len(got))
		}
	})
	if err != nil {
		t.Errorf("%v; %q", err, c.said)
	}
}

// losesNothingWithItsArchive fails the test unless PostgreSQL serves on whatever happens to the archive of its log, it is
// told what would be lost, and all that was committed can be restored where that is said.
func losesNothingWithItsArchive(t *testing.T) {
	archive := mounted(t, "800m")
	c := newCluster(t, "postgres:15", archive)
	c.receive()
	t.Cleanup(func() {
		if t.Failed() {
			c.Lock()
			defer c.Unlock()
			t.Logf("said is:\n%s", strings.Join(c.said, "\n"))
		}
	})
	c.sql(visits)
	c.ship()              // with a base backup
	rows := func(n int) { // and more log than a file has
		c.sql(fmt.Sprintf("insert into visits select last + generate_series(1, %d) from (select coalesce(max(id), 0) as last from visits) v", n))
	}
	until := func() time.Time {
		l, err := c.archive.Standing()
		if err != nil {
			t.Fatal(err)
		}
		return l.Until
	}
	recovered := func(s wal.Stream, at time.Time, want string) {
		t.Helper()
		err := c.recover(s, recoveryTarget{at: at}, func(pg *pgx.Conn) {
			if got := value1(t, pg, "select count(*)::text from visits"); got != want {
				t.Errorf("%s rows are recovered, not %s", got, want)
			}
		})
		if err != nil {
			t.Error(err)
		}
	}
	said := func(want string) {
		t.Helper()
		eventually(t, "it says "+want, func() bool {
			c.Lock()
			defer c.Unlock()
			return strings.Contains(strings.Join(c.said, "\n"), want)
		})
	}
	stream := c.stream()

	t.Run("its disk is full", func(t *testing.T) {
		c.t = t
		must(t, "bash", "-c", "head -c 1G /dev/zero >'"+archive+"/filler' || true")
		rows(300_000)
		said("No space left on device")
		full := time.Now()
		time.Sleep(10 * time.Second)
		rows(1000)
		if at := until(); at.After(full) {
			t.Errorf("it can be restored to %s, and was full at %s", at, full)
		}
		t.Logf("while it is full, the last %.0f s would be lost", time.Since(until()).Seconds())
		must(t, "rm", archive+"/filler")
		c.received(time.Now())
		if c.stream() != stream {
			t.Errorf("it was begun anew: %q", c.said)
		}
		recovered(stream, time.Time{}, "301000")
		c.ship()
	})
	t.Run("a file of it is missing", func(t *testing.T) {
		c.t = t
		rows(300_000)
		was := time.Now()
		time.Sleep(1100 * time.Millisecond)
		c.ship()
		files, err := filepath.Glob(stream.Log() + "/*[0-9A-F]")
		if err != nil || len(files) < 3 {
			t.Fatalf("there is the log %v, %v", files, err)
		}
		must(t, "mv", files[len(files)-1], c.folder)
		if at := until(); at.After(was) {
			t.Errorf("it can be restored to %s, and a file is missing that was written before %s", at, was)
		}
		c.received(time.Now())
		err = c.instance().Ship(t.Context())
		if err == nil || !strings.HasPrefix(err.Error(), "a file of the log is missing in ") {
			t.Errorf("told is %v", err)
		}
		rows(1000)
		c.ship()
		recovered(stream, time.Time{}, "602000")
		q, err := c.instance().Parse([]string{"--only", "database", "--at", was.UTC().Format("2006-01-02T15:04:05Z")})
		if err != nil {
			t.Fatal(err)
		}
		plan, err := c.instance().Explain(t.Context(), q)
		if err != nil || !strings.Contains(strings.Join(plan, "\n"), "from base backup and log of snapshot ") {
			t.Errorf("what was shipped before is not restored from the repository: %q, %v", plan, err)
		}
		// In neither: the snapshots that have it are gone.
		must(t, "bash", "-c", "rm '"+c.folder+"'/restic/snapshots/*")
		_, err = c.instance().Explain(t.Context(), q)
		t.Logf("in neither of them: %v", err)
		if err == nil {
			t.Error("what is nowhere would be restored")
		}
	})
	t.Run("a file of it is damaged", func(t *testing.T) {
		c.t = t
		rows(300_000)
		c.received(time.Now())
		files, err := filepath.Glob(stream.Log() + "/*[0-9A-F]")
		if err != nil || len(files) < 2 {
			t.Fatalf("there is the log %v, %v", files, err)
		}
		must(t, "dd", "if=/dev/zero", "of="+files[len(files)-1], "bs=8192", "seek=1000", "count=3", "conv=notrunc", "status=none")
		server, err := c.instance().PostgreSQL(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer server.Close()
		err = stream.Check(t.Context(), server)
		t.Logf("told is: %v", err)
		if err == nil {
			t.Error("it is not found")
		}
	})
}

// shipped has the log of staging shipped, until all is that was written until now.
func (l rehearsal) shipped(t *testing.T) {
	t.Helper()
	l.sh(t, "staging", `
now=$(date +%s)
for ((n = 0; n < 60; n++)); do
  until=$(sed -n 's/.*"until":"\([^"]*\)".*/\1/p' "$(ls -d /mnt/archive/wal/*Z-*/ | tail -1)received.json" 2>/dev/null || true)
  [ -z "$until" ] || [ "$(date --date "$until" +%s)" -lt "$now" ] || break
  sleep 1
done
[ "$n" -lt 60 ] || { journalctl --no-pager -u mrs-staging-wal; exit 1; }
systemctl start mrs-staging-ship || { journalctl --no-pager -u mrs-staging-ship; exit 1; }`)
}

// writes writes rows to staging, 50 a second, and returns a function that ends that and returns the rows that were
// acknowledged. They go on where the database was killed.
func (l rehearsal) writes(t *testing.T) (end func() []string) {
	t.Helper()
	l.sh(t, "staging", "docker exec -i "+postgres+" psql -U django -d mrs -qc "+
		"'create table if not exists visits (id serial primary key, at timestamptz default clock_timestamp())'")
	l.sh(t, "staging", `rm -f /tmp/acknowledged /tmp/enough
cat >/tmp/writes <<'SH'
while [ ! -e /tmp/enough ]; do echo "insert into visits default values returning id;"; sleep 0.02; done |
  docker exec -i "$1" stdbuf -oL psql -U django -d mrs -qtA >/tmp/acknowledged 2>/dev/null
SH
systemd-run --quiet --collect --unit writes bash /tmp/writes "`+postgres+`"`)
	return func() []string {
		t.Helper()
		return strings.Fields(l.sh(t, "staging", "touch /tmp/enough; sleep 1; systemctl stop writes 2>/dev/null || true; cat /tmp/acknowledged"))
	}
}

func (l rehearsal) visits(t *testing.T) []string {
	t.Helper()
	return strings.Fields(l.sh(t, "staging", "docker exec -i "+postgres+` psql -U django -d mrs -qtAc "select id from visits order by id"`))
}

// missing is how many of some rows there are not.
func missing(rows, there []string) (n int) {
	for _, row := range rows {
		if !slices.Contains(there, row) {
			n++
		}
	}
	return n
}

// archives is staging with an archive of its log on a disk of its own, until the test ends.
func (l rehearsal) archives(t *testing.T) rehearsal {
	t.Helper()
	l.sh(t, "staging", "mkdir -p /mnt/archive; mountpoint -q /mnt/archive || mount -t tmpfs -o size=3g tmpfs /mnt/archive; rm -rf /mnt/archive/*")
	t.Cleanup(func() {
		_, _ = l.shell("staging", "systemctl disable --now mrs-staging-wal.service mrs-staging-ship.timer 2>/dev/null; "+
			"rm -f /etc/systemd/system/mrs-staging-{wal,ship}.*; systemctl daemon-reload; umount --lazy /mnt/archive")
	})
	return l.given("WAL_ARCHIVE=/mnt/archive/wal", "RESTIC_REPOSITORY=/mnt/archive/restic")
}

// losesItsHome has staging killed while it writes, and its home lost, and more by a script; so many rows at most may be
// missing then.
func (l rehearsal) losesItsHome(t *testing.T, lost string, most int) {
	t.Helper()
	l.mustMage(t, "ops:backup", "staging")
	end := l.writes(t)
	time.Sleep(10 * time.Second)
	l.shipped(t)
	time.Sleep(3 * time.Second)
	l.comesBack(t, end, lost, most)
}

// comesBack kills PostgreSQL of staging now, while end ends who writes.
func (l rehearsal) comesBack(t *testing.T, end func() []string, lost string, most int) {
	t.Helper()
	l.sh(t, "staging", "docker kill --signal KILL "+postgres)
	wrote := end()
	l.lose(t, "staging", "mrs-staging", "/home/mrs-staging")
	l.sh(t, "staging", lost)
	l.mustMage(t, "deploy:staging", "-yes")
	r := l.mage(t, "ops:restore", "staging", "latest", "-yes")
	gone := missing(wrote, l.visits(t))
	t.Logf("%d of %d rows are missing that were acknowledged", gone, len(wrote))
	if gone > most || len(wrote) < 100 || r.status != 0 || !strings.Contains(r.output, "to the end of the log") {
		t.Errorf("%d of %d rows are missing: exit status %d\n%s", gone, len(wrote), r.status, r.output)
	}
	l.healthy(t)
	l.shipped(t)
	l.shipped(t)
}

// The campaign goes back to a restore point, drills the log, and loses the archive with the home, too.
func TestASecondIsRestoredWhateverWasLostSinceThen(t *testing.T) {
	l := inTheLab(t, 150*time.Second).archives(t)
	step(t, "an archive on the disk of the data is refused", func(t *testing.T) {
		r := l.given("WAL_ARCHIVE=/home/archive").mage(t, "deploy:staging", "-yes")
		if r.status == 0 || !strings.Contains(r.output, "is on the disk of PostgreSQL's data") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
	})
	step(t, "the log is received from the first deployment on, with a base backup", func(t *testing.T) {
		l.mustMage(t, "deploy:staging", "-yes")
		l.mustMage(t, "ops:manage", "staging", "seed 200")
		l.shipped(t)
		l.shipped(t)
		l.mustMage(t, "ops:backup", "staging")
		if got := l.sh(t, "staging", "stat -c %a:%u /mnt/archive/wal"); got != "700:0" {
			t.Errorf("the archive is %s", got)
		}
		if n := len(l.backed(t, "staging").Snapshots); n != 1 {
			t.Errorf("there are %d backups, and 1 was made", n)
		}
	})
	if t.Failed() {
		t.FailNow()
	}
	step(t, "a DELETE is undone to the second before, and rows that came since then go too", func(t *testing.T) {
		end := l.writes(t)
		time.Sleep(5 * time.Second)
		at := l.sh(t, "staging", "date -u +'%F %T UTC'")
		time.Sleep(2 * time.Second)
		l.sh(t, "staging", "docker exec -i "+postgres+` psql -U django -d mrs -qc "delete from visits where id % 2 = 0"`)
		time.Sleep(15 * time.Second)
		wrote := end()
		if plan := l.mustMage(t, "ops:restore", "staging", "latest", "-at="+at, "-only=database", "-dryRun"); !strings.Contains(plan, "from base backup") ||
			!strings.Contains(plan, "mrs-staging-trial-recovery --network none") {
			t.Errorf("the plan is\n%s", plan)
		}
		said := l.mustMage(t, "ops:restore", "staging", "latest", "-at="+at, "-only=database", "-yes")
		there := l.visits(t)
		if len(there) < 100 || len(there) > 400 || missing(there, wrote) > 0 || missing(wrote[:len(there)-1], there) > 0 {
			t.Errorf("of %d rows %d are there\n%s", len(wrote), len(there), said)
		}
		l.healthy(t)
		if left := l.sh(t, "staging", "ls -A /mnt/archive/wal/recovery 2>/dev/null || true; docker ps -aq --filter name=recovery"); left != "" {
			t.Errorf("left: %s", left)
		}
	})
	step(t, "a time that is not covered is refused, with what is", func(t *testing.T) {
		r := l.mage(t, "ops:restore", "staging", "latest", "-at=2099-01-01 10:00", "-yes")
		if r.status == 0 || !strings.Contains(r.output, "the log covers") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
	})
	step(t, "its home is lost while it writes: at most 5 s are missing", func(t *testing.T) { l.losesItsHome(t, "", 5*50) })
	step(t, "where it is not to be received any more, nothing of it is left", func(t *testing.T) {
		l.given("WAL_ARCHIVE=").mustMage(t, "deploy:staging", "-yes")
		left := l.sh(t, "staging", `ls /etc/systemd/system/mrs-staging-wal* /etc/systemd/system/mrs-staging-ship* 2>/dev/null || true
docker ps -q --filter name=mrs-staging-wal
docker exec -i "`+postgres+`" psql -U django -d mrs -qtAc "select slot_name from pg_replication_slots"`)
		if left != "" {
			t.Errorf("left: %s", left)
		}
	})
}

// restoresByItsLog is what the lab's test does, by the programs that systemd runs there.
func restoresByItsLog(t *testing.T) {
	archive, err := os.MkdirTemp("/dev/shm", "mrs-e2e-")
	if err != nil {
		t.Fatal(err)
	}
	mrs := newInstance(t, "mrs-e2e-wal", 8791)
	t.Cleanup(func() { os.RemoveAll(archive) })
	mrs.env = append(mrs.env, "WAL_ARCHIVE="+archive)
	host := func(words ...string) []string {
		return append([]string{"bash", "-c", `. "$0/.backup.env"; exec "$MRS_HOST" wal "$1" "$0"`, mrs.home}, words...)
	}
	shipped := func(t *testing.T) {
		t.Helper()
		at := time.Now()
		eventually(t, "the log is received", func() bool {
			l, err := wal.Archive{Folder: archive}.Standing()
			return err == nil && l != nil && l.Until.After(at)
		})
		must(t, host("ship")...)
	}
	count := func(t *testing.T) string { t.Helper(); return mrs.sql(t, "select count(*) from visits") }
	mrs.mustDeploy(t)
	ctx, end := context.WithCancel(context.WithoutCancel(t.Context()))
	receiver := exec.CommandContext(ctx, "bash", host("receive")[1:]...)
	receiver.Cancel = func() error { return receiver.Process.Signal(syscall.SIGTERM) }
	if err := receiver.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { end(); _ = receiver.Wait(); run(t, nil, "docker", "rm", "--force", "mrs-e2e-wal-wal") })

	mrs.sql(t, "create table visits as select generate_series(1, 1000) as id")
	shipped(t)
	shipped(t)
	must(t, mrs.home+"/backup.sh")
	step(t, "a DELETE is undone to the second before", func(t *testing.T) {
		time.Sleep(1100 * time.Millisecond)
		at := time.Now().UTC().Format("2006-01-02 15:04:05Z")
		time.Sleep(1100 * time.Millisecond)
		mrs.sql(t, "delete from visits where id % 2 = 0")
		shipped(t)
		if plan := must(t, mrs.home+"/restore.sh", "explain", "--at", at); !strings.Contains(plan, "mrs-e2e-wal-trial-recovery --network none") {
			t.Errorf("the plan is\n%s", plan)
		}
		out := must(t, mrs.home+"/restore.sh", "--at", at)
		if got := count(t); got != "1000" || !strings.Contains(out, "mrs-e2e-wal is restored to "+at[:19]) {
			t.Errorf("%s rows are there\n%s", got, out)
		}
	})
	step(t, "a restore point is gone back to", func(t *testing.T) {
		must(t, mrs.home+"/restore.sh", "point", "before")
		mrs.sql(t, "delete from visits")
		shipped(t)
		must(t, mrs.home+"/restore.sh", "--only", "database", "--point", "before")
		if got := count(t); got != "1000" {
			t.Errorf("%s rows are there", got)
		}
	})
	step(t, "PostgreSQL is killed, and its data are gone: all that was committed comes back", func(t *testing.T) {
		must(t, mrs.home+"/backup.sh")
		mrs.sql(t, "insert into visits select generate_series(1001, 1500)")
		mrs.compose(t, "kill", "--signal", "KILL", "postgres")
		must(t, "bash", "-c", "rm -rf "+mrs.home+"/postgres/data/*")
		mrs.compose(t, "up", "--detach", "--wait", "postgres")
		out := must(t, mrs.home+"/restore.sh", "latest")
		if got := count(t); got != "1500" || !strings.Contains(out, "mrs-e2e-wal is restored to the end of the log") {
			t.Errorf("%s rows are there\n%s", got, out)
		}
	})
	step(t, "a time after all log is refused, and a drill recovers to another second", func(t *testing.T) {
		if r := run(t, nil, mrs.home+"/restore.sh", "--at", "2099-01-01 10:00"); r.status == 0 || !strings.Contains(r.output, "the log covers") {
			t.Errorf("exit status %d\n%s", r.status, r.output)
		}
		if out := must(t, mrs.home+"/drill.sh"); !strings.Contains(out, "the log is proven: the database was recovered to ") {
			t.Errorf("it says\n%s", out)
		}
	})
	step(t, "an upgrade of PostgreSQL leaves the slot behind, and goes on with a log of its own", func(t *testing.T) {
		mrs.sql(t, "select pg_create_physical_replication_slot('another')")
		r := run(t, nil, mrs.home+"/restore.sh", "upgrade", "postgres:17")
		if r.status == 0 || !strings.Contains(r.output, "another is a replication slot") || strings.Contains(r.output, wal.Slot+" is") {
			t.Errorf("with a slot of somebody else: exit status %d\n%s", r.status, r.output)
		}
		mrs.sql(t, "select pg_drop_replication_slot('another')")
		for _, kept := range strings.Fields(mrs.sql(t, "select datname from pg_database where datname like 'mrs\\_%'")) {
			must(t, mrs.home+"/restore.sh", "discard", strings.ToUpper(strings.TrimPrefix(kept, "mrs_")))
		}
		before := count(t)
		must(t, mrs.home+"/restore.sh", "upgrade", "postgres:17")
		shipped(t)
		shipped(t)
		streams, err := wal.Archive{Folder: archive}.Streams()
		if version := mrs.sql(t, "show server_version"); err != nil || len(streams) < 2 || !strings.HasPrefix(version, "17.") || count(t) != before {
			t.Errorf("on PostgreSQL %s there are %s rows, and were %s; the log is in %v, %v", version, count(t), before, streams, err)
		}
	})
}
