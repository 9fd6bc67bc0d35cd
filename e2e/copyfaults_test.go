//go:build e2e

package e2e

import (
	"bufio"
	"bytes"
	"context"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime/pprof"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgproto3"

	"github.com/betagouv/mrs-ops/internal/anonymize"
	"github.com/betagouv/mrs-ops/internal/pgcopy/agent"
	"github.com/betagouv/mrs-ops/internal/pgcopy/wire"
)

// The agents of a copy run here in this process, as one lane of it drives them,
// and each copy breaks at one point that was chosen: hundreds in the time that
// one of the lab's takes.

// shape and contents are what is copied. All values of persons have "geheim" in
// them, and all others that only rows have "zimtstern", so that they are known
// wherever they turn up.
const shape = `
create table people (id int primary key, name text not null, email text, note text not null);
create table visits (id int primary key, person text, note text);
create table nothing ();
create table "Odd ""one""" (id int, "e mail" text);
create table leaky (id int, email text, note text);
create table long (id int, note text);
`
const contents = `
insert into people select n, 'Geheimrat' || n, 'geheim' || n || '@example.com', (
  select 'zimtstern ' || string_agg(md5(n || ' ' || m), ' ') from generate_series(1, 50) m)
from generate_series(1, 320) n;
insert into visits select n, 'Geheimrat' || n, (
  select 'zimtstern ' || string_agg(md5(n || '-' || m), ' ') from generate_series(1, 50) m)
from generate_series(1, 460) n;
insert into nothing default values;
insert into nothing default values;
insert into "Odd ""one""" select n, 'geheim' || n || '@example.net' from generate_series(1, 9) n;
insert into leaky select n, 'geheim.leak' || n || '@example.net', 'zimtstern of geheim.leak' || n || '@example.net'
from generate_series(1, 9) n;
insert into long select n, (
  select 'zimtstern ' || string_agg(md5(n || '+' || m), ' ') from generate_series(1, 50) m)
from generate_series(1, 2400) n;
analyze;
`
const contentsRules = `
tables:
  people: {id: keep, name: lastName, email: email, note: keep}
  visits: {id: keep, person: lastName, note: keep}
  nothing: {}
  'Odd "one"': {id: keep, "e mail": email}
  leaky: {id: keep, email: email, note: keep}
  long: {id: keep, note: keep}
`

// secrets are in every row, and may be in no error.
var secrets = []string{"geheim", "zimtstern"}

// part is a job of the copy, and how the rows are told that it brings.
type part struct {
	job  wire.Job
	from string // the table, and where of it
}

// content is what the rows of a part are.
type content struct{ rows, hash string }

var none = content{"0", "0"}

// ground is where copies break.
type ground struct {
	database
	whole   bool   // whether all faults are tried everywhere
	disk    string // a small one, where PostgreSQL sees it as /small
	held    wire.Held
	plan    anonymize.Plan
	key     anonymize.Key
	parts   []part
	usual   int       // how many of them most copies have
	leaky   int       // the part whose rows are not let out
	long    int       // one that is more than what the sender works ahead
	want    []content // of the parts, once they are copied
	workers chan *worker
	struck  atomic.Int64
}

// worker does one copy at a time, into a database of its own, in a role of its
// own by which its connections are told from the others'.
type worker struct {
	*ground
	to           database // where it copies to
	role, target string
	look         *pgconn.PgConn
	taps         string // the folder of its taps' sockets
	copies       int    // since it was emptied
	dirty        bool
}

// workers is how many copies are under way at a time: the most of what a silence
// takes is waiting.
const workers = 6

// atMost is what a copy takes before it counts as hanging, whatever else the
// machine does.
const atMost = time.Minute

func newGround(t *testing.T, disk string) *ground {
	t.Helper()
	g := &ground{disk: disk, workers: make(chan *worker, workers)}
	// Less work for it than it makes itself.
	g.database = newDatabase(t, "faults", "--volume="+disk+":/small",
		"autovacuum=off", "wal_level=minimal", "max_wal_senders=0")
	g.sql(t, "postgres", "create database source; create database shape")
	g.sql(t, "source", shape+contents)
	g.sql(t, "shape", shape)
	rules, err := anonymize.ParseRules("rules.yml", []byte(contentsRules))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(t.Context()))
	var release func()
	g.held, release = hold(ctx, t, g.server("source", "postgres"))
	t.Cleanup(func() { release(); cancel() })
	plan, err := fit(g.held, rules)
	if err != nil {
		t.Fatal(err)
	}
	g.plan = *plan
	if g.key, err = anonymize.ParseKey("the same in every copy of this test"); err != nil {
		t.Fatal(err)
	}
	table := func(name string) int {
		return slices.IndexFunc(g.plan.Tables, func(t anonymize.TablePlan) bool { return t.Name == name })
	}
	// The table that comes in parts, as lanes on many cores take it.
	const pages = 37
	end := func(page int) string {
		return g.sql(t, "source", fmt.Sprintf("select max(id) from visits where ctid < '(%d,0)'", page))
	}
	first, second, visits := end(pages), end(2*pages), table("visits")
	g.parts = []part{
		{wire.Job{Table: table("people")}, "people t"},
		{wire.Job{Table: visits, To: pages}, "visits t where id <= " + first},
		{wire.Job{Table: table("nothing")}, "nothing t"},
		{wire.Job{Table: visits, From: pages, To: 2 * pages}, "visits t where id > " + first + " and id <= " + second},
		{wire.Job{Table: visits, From: 2 * pages}, "visits t where id > " + second},
		{wire.Job{Table: table(`Odd "one"`)}, `"Odd ""one""" t`},
		{wire.Job{Table: table("leaky")}, "leaky t"},
		{wire.Job{Table: table("long")}, "long t"},
	}
	g.long, g.leaky, g.usual = len(g.parts)-1, len(g.parts)-2, len(g.parts)-2
	for i := range workers {
		w := g.worker(t, g.database, fmt.Sprintf("copier%d", i), "")
		g.workers <- w
	}
	return g
}

// worker makes a database, and a role of the same name, and a worker of them.
func (g *ground) worker(t *testing.T, to database, name, options string) *worker {
	t.Helper()
	g.sql(t, "postgres", fmt.Sprintf("create role %s superuser login", name))
	if to != g.database {
		to.sql(t, "postgres", fmt.Sprintf("create role %s superuser login", name))
	}
	to.sql(t, "postgres", fmt.Sprintf("create database %s template shape %s", name, options))
	taps, err := os.MkdirTemp("", "tap-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(taps) })
	w := &worker{ground: g, to: to, role: name, target: name, taps: taps}
	w.connect(t)
	t.Cleanup(func() { w.look.Close(context.WithoutCancel(t.Context())) })
	return w
}

// connect makes the connection by which a worker looks at what there is.
func (w *worker) connect(t *testing.T) {
	t.Helper()
	eventually(t, "PostgreSQL takes connections", func() bool {
		conn, err := pgconn.Connect(t.Context(), fmt.Sprintf("host=%s user=postgres dbname=%s", w.to.socket, w.target))
		if err != nil {
			must(t, "docker", "start", w.to.container) // which the engine does in the field, where it has crashed
			return false
		}
		w.look = conn
		// One that is about to crash, and does not know it yet, takes them too.
		time.Sleep(500 * time.Millisecond)
		_, err = w.ask("select 1")
		return err == nil
	})
}

// ask returns the rows of a query.
func (w *worker) ask(query string) ([][]string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), atMost)
	defer cancel()
	results, err := w.look.Exec(ctx, query).ReadAll()
	if err != nil {
		return nil, err
	}
	var rows [][]string
	for _, row := range results[len(results)-1].Rows {
		var fields []string
		for _, f := range row {
			fields = append(fields, string(f))
		}
		rows = append(rows, fields)
	}
	return rows, nil
}

// contents tells what is there of each part.
func (w *worker) contents() ([]content, error) {
	var selects []string
	for i, p := range w.parts {
		const sum = "select %d, count(*), coalesce(sum(hashtextextended(t::text, 0)), 0) from %s"
		selects = append(selects, fmt.Sprintf(sum, i, p.from))
	}
	rows, err := w.ask(strings.Join(selects, " union all ") + " order by 1")
	if err != nil {
		return nil, err
	}
	var all []content
	for _, row := range rows {
		all = append(all, content{row[1], row[2]})
	}
	return all, nil
}

// empty makes the worker's database as it was. What was undone leaves files that
// nobody sees, so it is not always needed.
func (w *worker) empty() error {
	if w.copies++; !w.dirty && w.copies < 10 {
		return nil
	}
	w.copies, w.dirty = 0, true
	_, err := w.ask(`truncate people, visits, nothing, "Odd ""one""", leaky, long`)
	w.dirty = err != nil
	return err
}

// breaking is a copy, and what goes wrong with it.
type breaking struct {
	name  string
	pipe  func(r io.Reader, w io.Writer) error // how frames get to the receiver; nil: as they are
	tap   *tap                                 // between an agent and PostgreSQL
	at    string                               // the agent that it is for
	says  func(n int) error                    // the receiver's n-th line is written
	jobs  []int                                // parts; none: the usual ones
	disk  wire.Receiver                        // of the receiver: Data and Reserve
	want  string                               // what has to be in the receiver's error
	ahead bool                                 // all jobs are given at once
	lose  bool                                 // what was done may be lost: PostgreSQL crashes

	hit atomic.Bool // it went wrong
}

// outcome is what became of a copy.
type outcome struct {
	sent, received error
	done           []int // the parts that the receiver said were written
	hangs          bool
}

// marked are the goroutines of this test's agents.
var marked = pprof.Labels("agent of", mark)

const mark = "a copy that breaks"

func (o outcome) String() string {
	sent, received := fmt.Sprint(o.sent), fmt.Sprint(o.received)
	return fmt.Sprintf("the sender: %.300s\nthe receiver: %.300s\ndone: %v", sent, received, o.done)
}

var errStruck = errors.New("this is where it breaks")

// copy runs a copy as a lane does: a job is given when the one before is done.
// The agents are processes in the field, so what reaches the one of the other's
// end is an end, and no error.
func (w *worker) copy(ctx context.Context, b *breaking) outcome {
	calm.RLock() // for each of them, and not for all, which take minutes: who measures waits no longer
	defer calm.RUnlock()
	var o outcome
	w.dirty = true
	jobs := b.jobs
	if jobs == nil {
		for i := range w.usual {
			jobs = append(jobs, i)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, atMost)
	defer cancel()
	servers := map[string]wire.Server{"send": w.server("source", w.role), "receive": w.to.server(w.target, w.role)}
	ctxs := map[string]context.Context{"send": ctx, "receive": ctx}
	if b.tap != nil {
		own, stop := context.WithCancel(ctx)
		defer stop()
		s := servers[b.at]
		if err := b.tap.open(w.taps, s.Socket, stop, &b.hit); err != nil {
			return outcome{sent: err, received: err}
		}
		defer b.tap.close()
		s.Socket = w.taps
		servers[b.at], ctxs[b.at] = s, own
	}
	ordersIn, orders := io.Pipe()
	framesIn, frames := io.Pipe()
	in, toReceiver := io.Pipe()
	said, says := io.Pipe()
	var running sync.WaitGroup
	running.Go(func() {
		pprof.Do(ctxs["send"], marked, func(ctx context.Context) { o.sent = agent.Run(ctx, "send", ordersIn, frames) })
		frames.Close()
		ordersIn.Close()
	})
	running.Go(func() {
		pipe := b.pipe
		if pipe == nil {
			pipe = func(r io.Reader, w io.Writer) error { _, err := io.Copy(w, r); return err }
		}
		receiver := b.disk
		receiver.Server = servers["receive"]
		if err := json.NewEncoder(toReceiver).Encode(receiver); err == nil {
			if pipe(framesIn, toReceiver) == errStruck {
				b.hit.Store(true)
			}
		}
		toReceiver.Close()
		framesIn.Close()
	})
	running.Go(func() {
		var out io.Writer = says
		if b.says != nil {
			out = &sayings{says, b, 0}
		}
		pprof.Do(ctxs["receive"], marked, func(ctx context.Context) { o.received = agent.Run(ctx, "receive", in, out) })
		says.Close()
		in.Close()
	})
	ended := make(chan struct{})
	running.Go(func() {
		defer orders.Close()
		give := json.NewEncoder(orders)
		if give.Encode(wire.Sender{Server: servers["send"], Snapshot: w.held.Snapshot, Key: w.key[:], Plan: w.plan}) != nil {
			return
		}
		lines := bufio.NewReader(said)
		defer said.Close()
		// taken waits until the next part is said to be written.
		taken := func() bool {
			for {
				var done wire.Done
				line, err := lines.ReadBytes('\n')
				if err != nil || json.Unmarshal(line, &done) != nil {
					return false
				}
				if !done.Partial {
					o.done = append(o.done, jobs[len(o.done)])
					return true
				}
			}
		}
		order := func(reply func() bool) {
			defer orders.Close()
			for _, part := range jobs {
				if give.Encode(w.parts[part].job) != nil || !reply() {
					return
				}
			}
		}
		if b.ahead {
			go order(func() bool { return true })
			for len(o.done) < len(jobs) && taken() {
			}
			return
		}
		order(taken)
		_, _ = io.Copy(io.Discard, lines)
	})
	go func() { running.Wait(); close(ended) }()
	select {
	case <-ended:
		o.hangs = ctx.Err() != nil
		return o
	case <-ctx.Done(): // which may have ended it by now
		for _, p := range []io.Closer{ordersIn, framesIn, in, said, orders, frames, toReceiver, says} {
			p.Close()
		}
		return outcome{hangs: true}
	}
}

// sayings is where the receiver's lines are written.
type sayings struct {
	to io.WriteCloser
	b  *breaking
	n  int
}

func (s *sayings) Write(p []byte) (int, error) {
	s.n++
	if err := s.b.says(s.n); err != nil {
		s.b.hit.Store(true)
		s.to.Close() // as the operator's process has gone
		return 0, err
	}
	return s.to.Write(p)
}

// wrong returns what does not hold after a copy, that has to hold after each.
func (w *worker) wrong(b *breaking, o outcome) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	if o.hangs {
		say("it hangs")
	}
	for agent, err := range map[string]error{"sender": o.sent, "receiver": o.received} {
		if err == nil {
			continue
		}
		for _, secret := range secrets {
			if strings.Contains(strings.ToLower(err.Error()), secret) {
				say("the %s's error has a value in it: %.300q", agent, err)
			}
		}
	}
	if b.want != "" && (o.received == nil || !strings.Contains(o.received.Error(), b.want)) {
		say("the receiver does not say %q", b.want)
	}
	// What has no client any more ends by itself, but not at once.
	var left [][]string
	if !soon(func() bool {
		var err error
		left, err = w.ask("select state, query from pg_stat_activity where usename = '" + w.role + "'")
		return err == nil && len(left) == 0
	}) {
		say("connections are left: %q", left)
	}
	there, err := w.contents()
	if err != nil {
		say("its database can't be read: %v", err)
		return wrong
	}
	all := true
	w.dirty = slices.ContainsFunc(there, func(c content) bool { return c != none })
	for i, c := range there {
		asked := slices.Contains(b.jobs, i) || b.jobs == nil && i < w.usual
		switch {
		case c == w.want[i] && asked:
		case c == none:
			all = all && !asked
			if slices.Contains(o.done, i) && !b.lose {
				say("part %d was said to be written, and is not there", i)
			}
		default:
			say("of part %d there is %v, not %v", i, c, w.want[i])
		}
	}
	if o.received == nil && !all {
		say("the receiver says that all is well, and not all is there: %v", there)
	}
	return wrong
}

// breaks runs copies, each of which breaks.
func (g *ground) breaks(t *testing.T, all []*breaking) {
	t.Helper()
	var running sync.WaitGroup
	var failed, missed atomic.Int64
	start := time.Now()
	for _, b := range all {
		w := <-g.workers
		running.Go(func() {
			defer func() { g.workers <- w }()
			wrong := []string{}
			var o outcome
			if err := w.empty(); err != nil {
				wrong = append(wrong, err.Error())
			} else {
				o = w.copy(t.Context(), b)
				wrong = w.wrong(b, o)
			}
			if !b.hit.Load() {
				missed.Add(1)
			}
			if len(wrong) > 0 && failed.Add(1) <= 20 {
				t.Errorf("%s: %s\n%s", b.name, strings.Join(wrong, "; "), o)
			}
		})
	}
	running.Wait()
	struck := int64(len(all)) - missed.Load()
	g.struck.Add(struck)
	took := time.Since(start).Round(100 * time.Millisecond)
	t.Logf("%d faults in %s; %d copies were through before", struck, took, missed.Load())
	if n := failed.Load(); n > 20 {
		t.Errorf("and %d others", n-20)
	}
	if missed.Load()*20 > int64(len(all)) {
		t.Errorf("of %d faults %d never came about", len(all), missed.Load())
	}
}

// headSize is how many bytes of a frame come before its payload; the kind is the
// first of them, the size of the payload are the next four, and the rest is a sum.
const headSize = 9

// eachFrame hands frames on as they are, but for what change makes of the k-th
// one; it ends where change says so.
func eachFrame(r io.Reader, w io.Writer, change func(k int, frame []byte) (instead []byte, over bool)) error {
	in := bufio.NewReaderSize(r, 1<<16)
	for k := 0; ; k++ {
		frame := make([]byte, headSize)
		if _, err := io.ReadFull(in, frame); err != nil {
			return nil
		}
		frame = append(frame, make([]byte, binary.BigEndian.Uint32(frame[1:]))...)
		if _, err := io.ReadFull(in, frame[headSize:]); err != nil {
			return nil
		}
		frame, over := change(k, frame)
		if _, err := w.Write(frame); err != nil || over {
			return err
		}
	}
}

// atFrame returns a pipe in which something happens to the k-th frame.
func atFrame(k int, change func(frame []byte) (instead []byte, over bool)) func(io.Reader, io.Writer) error {
	return func(r io.Reader, w io.Writer) error {
		hit := false
		_ = eachFrame(r, w, func(n int, frame []byte) ([]byte, bool) {
			if n != k {
				return frame, false
			}
			hit = true
			return change(frame)
		})
		if hit {
			return errStruck
		}
		return nil
	}
}

// again returns a pipe that makes all frames anew, and the k-th one as many times
// as is said: what a sender would send that is wrong.
func again(k, times int) func(io.Reader, io.Writer) error {
	return func(r io.Reader, w io.Writer) error {
		in, out, hit := wire.NewReader(r), wire.NewWriter(w), false
		for n := 0; ; n++ {
			kind, payload, err := in.Next()
			if err != nil {
				break
			}
			count := 1
			if n == k {
				hit, count = true, times
			}
			for range count {
				if err := out.Write(kind, payload); err != nil {
					break
				}
			}
		}
		if hit {
			return errStruck
		}
		return nil
	}
}

// some are those of the faults at one point that are tried: all of them at the first two points of a kind, of which nth
// is the number, and after that one in turn. The campaign tries the whole of them everywhere.
func some[T any](whole bool, nth int, faults []T) []T {
	if whole || nth < 2 {
		return faults
	}
	return faults[nth%len(faults):][:1]
}

// pipeFaults are what can happen to a frame on its way.
func pipeFaults(k int, frame []byte, jobs []int) (all []*breaking) {
	kind, size, ahead := wire.Kind(frame[0]), len(frame), false
	add := func(what string, pipe func(io.Reader, io.Writer) error) {
		name := fmt.Sprintf("frame %d, %c: %s", k, kind, what)
		all = append(all, &breaking{name: name, pipe: pipe, jobs: jobs, ahead: ahead})
	}
	cuts := []int{0, 1, 3, headSize - 1, headSize, headSize + (size-headSize)/2, size - 1, size}
	for _, n := range slices.Compact(slices.Sorted(slices.Values(cuts))) {
		add(fmt.Sprintf("cut after %d of %d bytes", n, size), atFrame(k, func(f []byte) ([]byte, bool) {
			return f[:n], true
		}))
	}
	flip := func(at int, mask byte) {
		add(fmt.Sprintf("byte %d of %d changes by %#x", at, size, mask), atFrame(k, func(f []byte) ([]byte, bool) {
			f[at] ^= mask
			return f, false
		}))
	}
	flip(1+k%2, 1<<(k%8)) // it becomes much larger, or smaller
	flip(3+k%2, 1<<(k%8))
	flip(5+k%4, 1<<(k%8))
	kinds := []wire.Kind{wire.Table, wire.Rows, wire.End, wire.Fault, wire.Last}
	other := kinds[(slices.Index(kinds, kind)+1+k%4)%5]
	flip(0, byte(kind^other))
	flip(0, 1<<(k%8))
	if size > headSize {
		flip(headSize, 1<<(k%8))
		flip(headSize+(size-headSize)/2, 1<<(k%8))
		flip(size-1, 1<<(k%8))
	}
	// A pipe that loses a part's end and stays open, with no job after it, would be
	// waited for by everybody.
	ahead = kind == wire.End
	add("lost", atFrame(k, func([]byte) ([]byte, bool) { return nil, false }))
	add("not sent", again(k, 0))
	ahead = false
	add("twice", atFrame(k, func(f []byte) ([]byte, bool) { return append(bytes.Clone(f), f...), false }))
	add("sent twice", again(k, 2))
	return all
}

// way is where a message of PostgreSQL's protocol goes.
type way int

const (
	toServer way = iota
	toClient
)

func (w way) String() string { return [...]string{"to PostgreSQL", "from PostgreSQL"}[w] }

// message is one that passed a tap: its type, 0 for the first of a connection.
type message struct {
	way  way
	kind byte
}

// deed is what a tap does at its point.
type deed int

const (
	refuse  deed = iota // an error comes instead of the message's effect
	hangUp              // the connection is lost
	silence             // nothing passes any more, until the agent is told to end
	noReply             // the message passes, and the connection is lost before it is answered
)

// tap stands between an agent and PostgreSQL. It counts the messages of an
// agent's one connection, and does something at one of them.
type tap struct {
	way    way
	n      int // of the messages that go this way; -1: it only listens
	does   deed
	answer pgproto3.ErrorResponse // for refuse

	listener net.Listener
	server   string
	stop     func()       // tells the agent to end
	hit      *atomic.Bool // it was done
	over     chan struct{}
	serving  sync.WaitGroup

	mu    sync.Mutex // of what follows, and of what is written to the agent
	seen  []message
	count [2]int
	conns []net.Conn
	state state
	ready bool // the connection is made
	last  byte // the kind of the agent's last message
}

// state is what a tap does with what follows.
type state int

const (
	passing state = iota
	muted
	leaving // with the next message that comes from PostgreSQL
	refused
	unsynced // refused, and all is left out up to the agent's Sync
)

const socketName = ".s.PGSQL.5432"

func (p *tap) open(folder, server string, stop func(), hit *atomic.Bool) (err error) {
	p.server, p.stop, p.hit, p.over = filepath.Join(server, socketName), stop, hit, make(chan struct{})
	if p.listener, err = net.Listen("unix", filepath.Join(folder, socketName)); err != nil {
		return err
	}
	p.serving.Go(func() {
		for {
			conn, err := p.listener.Accept()
			if err != nil {
				return
			}
			p.serving.Go(func() { p.serve(conn) })
		}
	})
	return nil
}

// close ends it as the end of the agent's process would end its connections.
func (p *tap) close() {
	p.listener.Close()
	close(p.over)
	p.hangUp()
	p.serving.Wait()
}

func (p *tap) hangUp() {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		c.Close()
	}
}

// keep makes a connection end with the tap.
func (p *tap) keep(c net.Conn) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.conns = append(p.conns, c)
	select {
	case <-p.over:
		c.Close()
	default:
	}
}

// cancelRequest is what a connection begins with that only cancels another's
// statement.
const cancelRequest = 80877102

func (p *tap) serve(client net.Conn) {
	defer client.Close()
	p.keep(client)
	in := bufio.NewReaderSize(client, 1<<17)
	head := make([]byte, 8)
	if _, err := io.ReadFull(in, head); err != nil {
		return
	}
	start := append(head, make([]byte, binary.BigEndian.Uint32(head)-8)...)
	if _, err := io.ReadFull(in, start[8:]); err != nil {
		return
	}
	server, err := net.Dial("unix", p.server)
	if err != nil {
		return
	}
	defer server.Close()
	p.keep(server)
	if binary.BigEndian.Uint32(start[4:]) == cancelRequest {
		_, _ = server.Write(start)
		_, _ = io.Copy(io.Discard, server)
		return
	}
	var back sync.WaitGroup
	defer back.Wait()
	back.Go(func() { p.answers(client, server) })
	if !p.asks(client, server, 0, start) {
		server.Close()
		return
	}
	for {
		kind, raw, err := readMessage(in)
		if err != nil || !p.asks(client, server, kind, raw) {
			server.Close()
			return
		}
	}
}

// readMessage reads a message of either side, but the first of a connection.
func readMessage(in *bufio.Reader) (kind byte, raw []byte, err error) {
	raw = make([]byte, 5, 512)
	if _, err := io.ReadFull(in, raw); err != nil {
		return 0, nil, err
	}
	raw = append(raw, make([]byte, binary.BigEndian.Uint32(raw[1:])-4)...)
	_, err = io.ReadFull(in, raw[5:])
	return raw[0], raw, err
}

// meets counts a message, and reports whether it is the one.
func (p *tap) meets(w way, kind byte) bool {
	p.seen = append(p.seen, message{w, kind})
	p.count[w]++
	if w != p.way || p.count[w]-1 != p.n {
		return false
	}
	p.hit.Store(true)
	return true
}

// asks takes a message of the agent's, and reports whether another may come.
func (p *tap) asks(client, server net.Conn, kind byte, raw []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.last = kind
	switch p.state {
	case refused, unsynced:
		p.refuses(client, kind, raw)
		return kind != 'X'
	case muted:
		return p.mute()
	}
	if p.meets(toServer, kind) {
		switch p.does {
		case refuse:
			return p.fails(client, server)
		case silence:
			return p.mute()
		case hangUp:
			return false
		case noReply:
			p.state = leaving
			if strings.IndexByte("\x00QSc", kind) < 0 { // no answer comes to the others alone
				_, _ = server.Write(raw)
				return false
			}
		}
	}
	p.mu.Unlock() // as it may have to wait
	_, err := server.Write(raw)
	p.mu.Lock()
	return err == nil
}

// answers hands on what PostgreSQL says.
func (p *tap) answers(client, server net.Conn) {
	in, out := bufio.NewReaderSize(server, 1<<17), bufio.NewWriterSize(client, 1<<16)
	for {
		kind, raw, err := readMessage(in)
		if err != nil {
			if p.lost() {
				client.Close()
			}
			return
		}
		if !p.answered(client, server, out, kind, raw) {
			return
		}
		if in.Buffered() == 0 && out.Flush() != nil {
			return
		}
	}
}

// lost reports whether the agent is to see that PostgreSQL has hung up.
func (p *tap) lost() bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.state == passing || p.state == leaving
}

func (p *tap) answered(client, server net.Conn, out *bufio.Writer, kind byte, raw []byte) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch p.state {
	case muted:
		return p.mute()
	case leaving:
		client.Close()
		server.Close()
		return false
	case refused, unsynced:
		return false
	}
	if p.meets(toClient, kind) {
		_ = out.Flush()
		switch p.does {
		case refuse:
			p.fails(client, server)
			return false
		case silence:
			return p.mute()
		case hangUp, noReply:
			client.Close()
			server.Close()
			return false
		}
	}
	p.ready = p.ready || kind == 'Z'
	p.mu.Unlock()
	_, err := out.Write(raw)
	p.mu.Lock()
	return err == nil
}

// mute makes it silent. The agent is told to end once it may have noticed nothing
// for a moment.
func (p *tap) mute() bool {
	if p.state != muted {
		p.state = muted
		time.AfterFunc(10*time.Millisecond, p.stop)
	}
	p.mu.Unlock()
	<-p.over
	p.mu.Lock()
	return false
}

// say writes messages to the agent.
func say(client net.Conn, messages ...pgproto3.BackendMessage) {
	var raw []byte
	for _, m := range messages {
		raw, _ = m.Encode(raw)
	}
	_, _ = client.Write(raw)
}

var failedTransaction = &pgproto3.ReadyForQuery{TxStatus: 'E'}

// fails answers with the error, as PostgreSQL would, whose transaction is undone.
// It reports whether the agent can go on.
func (p *tap) fails(client, server net.Conn) bool {
	server.Close()
	if p.answer.Severity == "FATAL" || !p.ready {
		say(client, &p.answer)
		client.Close()
		return false
	}
	say(client, &p.answer)
	if strings.IndexByte("PBDEH", p.last) >= 0 {
		p.state = unsynced
		return true
	}
	p.state = refused
	say(client, failedTransaction)
	return true
}

// refuses answers to what comes after an error, as PostgreSQL does until the
// transaction ends: to commit it is no error, and undoes it.
func (p *tap) refuses(client net.Conn, kind byte, raw []byte) {
	aborted := &pgproto3.ErrorResponse{Severity: "ERROR", Code: "25P02",
		Message: "current transaction is aborted, commands ignored until end of transaction block"}
	switch kind {
	case 'Q':
		if text := strings.TrimRight(string(raw[5:]), "\x00"); text == "commit" || text == "rollback" {
			say(client, &pgproto3.CommandComplete{CommandTag: []byte("ROLLBACK")}, &pgproto3.ReadyForQuery{TxStatus: 'I'})
			return
		}
		say(client, aborted, failedTransaction)
	case 'P', 'B', 'D', 'E', 'H':
		if p.state == refused {
			say(client, aborted)
			p.state = unsynced
		}
	case 'S':
		p.state = refused
		say(client, failedTransaction)
	}
}

// refusals are errors of PostgreSQL's. What it may quote rows in has one.
var refusals = []pgproto3.ErrorResponse{
	{Severity: "ERROR", Code: "53100", Message: `could not extend file "base/16384/16385": No space left on device`},
	{Severity: "ERROR", Code: "40001", Message: "could not serialize access due to concurrent update"},
	{Severity: "ERROR", Code: "22P02", Message: `invalid input syntax for type integer: "Geheimrat1"`},
	{Severity: "ERROR", Code: "23514", Message: `new row for relation "people" violates "zimtstern"`},
	{Severity: "ERROR", Code: "P0001", Message: "a trigger does not like Geheimrat1"},
	{Severity: "ERROR", Code: "57014", Message: "canceling statement due to user request"},
	{Severity: "ERROR", Code: "XX001", Message: "invalid page in block 1 of relation base/16384/16385"},
	{Severity: "FATAL", Code: "57P01", Message: "terminating connection due to administrator command"},
	{Severity: "FATAL", Code: "53300", Message: "sorry, too many clients already"},
}

// refusal returns one of them.
func refusal(n int, fatal bool) pgproto3.ErrorResponse {
	const row = `1	Geheimrat1	geheim1@example.com	zimtstern`
	fits := func(r pgproto3.ErrorResponse) bool { return (r.Severity == "FATAL") == fatal }
	var all []pgproto3.ErrorResponse
	for _, r := range refusals {
		if fits(r) {
			all = append(all, r)
		}
	}
	r := all[n%len(all)]
	r.SeverityUnlocalized, r.Detail, r.Hint = r.Severity, "Failing row contains ("+row+").", "Look at "+row
	r.Where, r.InternalQuery = `COPY people, line 1: "`+row+`"`, "select '"+row+"'"
	r.DataTypeName, r.Routine = "zimtstern", "geheim"
	return r
}

// tapFaults are what can happen between an agent and PostgreSQL, at each message
// of a copy that went well. Of rows, which are messages of their own where
// PostgreSQL sends them, some will do.
func tapFaults(whole bool, seen []message) (all []*tap) {
	var count [2]int
	kinds := map[message]int{}
	rows := 0
	for _, m := range seen {
		if m.way == toClient && (m.kind == 'd' || m.kind == 'D') {
			rows++
		}
	}
	row := 0
	for _, m := range seen {
		n := count[m.way]
		count[m.way]++
		if m.kind == 'X' {
			continue // the end, to which nothing is said
		}
		if m.way == toClient && (m.kind == 'd' || m.kind == 'D') {
			row++
			if row%max(1, rows/12) != 1 {
				continue
			}
		}
		var here []*tap
		add := func(does deed, answer pgproto3.ErrorResponse) {
			here = append(here, &tap{way: m.way, n: n, does: does, answer: answer})
		}
		add(refuse, refusal(n, false))
		add(refuse, refusal(n, true))
		add(hangUp, pgproto3.ErrorResponse{})
		add(silence, pgproto3.ErrorResponse{})
		if m.way == toServer {
			add(noReply, pgproto3.ErrorResponse{})
		}
		all = append(all, some(whole, kinds[m], here)...)
		kinds[m]++
	}
	return all
}

func (p *tap) String() string {
	what := [...]string{"is answered by " + p.answer.Severity + " " + p.answer.Code, "meets a lost connection",
		"meets silence", "is the last before the connection is lost"}[p.does]
	return fmt.Sprintf("message %d %s %s", p.n, p.way, what)
}

// holds breaks the agent that holds the snapshot.
func (g *ground) holds(t *testing.T) {
	try := func(w *worker, p *tap, hit *atomic.Bool) (wrong string) {
		calm.RLock()
		defer calm.RUnlock()
		late, cancel := context.WithTimeout(t.Context(), atMost)
		defer cancel()
		ctx, stop := context.WithCancel(late)
		if err := p.open(w.taps, w.socket, stop, hit); err != nil {
			return err.Error()
		}
		defer p.close()
		in, orders := io.Pipe()
		said, says := io.Pipe()
		ended := make(chan error, 1)
		go pprof.Do(ctx, marked, func(ctx context.Context) {
			err := agent.Run(ctx, "hold", in, says)
			in.Close()
			says.Close()
			ended <- err
		})
		of := w.server("source", w.role)
		of.Socket = w.taps
		_ = json.NewEncoder(orders).Encode(wire.Hold{Server: of})
		first, _ := bufio.NewReader(said).ReadBytes('\n')
		orders.Close()
		var err error
		select {
		case err = <-ended:
		case <-late.Done():
			return "it hangs"
		}
		var held wire.Held
		whole := func() bool {
			if json.Unmarshal(first, &held) != nil || held.Snapshot == "" {
				return false
			}
			schema, err := anonymize.ParseSchema(held.Schema)
			return err == nil && len(schema.Tables) == len(g.plan.Tables)
		}
		switch {
		case len(first) == 0 && err == nil:
			return "it says neither what is there, nor that anything is wrong"
		case len(first) > 0 && !whole():
			return fmt.Sprintf("it says %.100q", first)
		case err != nil:
			for _, secret := range secrets {
				if strings.Contains(strings.ToLower(err.Error()), secret) {
					return "its error has a value in it: " + err.Error()
				}
			}
		}
		return ""
	}
	all := []*tap{{n: -1}} // which only listens
	for i := 0; i < len(all); i++ {
		w := <-g.workers
		var hit atomic.Bool
		if wrong := try(w, all[i], &hit); wrong != "" {
			t.Errorf("%s: %s", all[i], wrong)
		}
		g.workers <- w
		if i == 0 {
			all = append(all, tapFaults(g.whole, all[0].seen)...)
		} else if hit.Load() {
			g.struck.Add(1)
		} else {
			t.Errorf("%s: it never came to that", all[i])
		}
	}
	t.Logf("%d faults", len(all)-1)
}

// quotes makes PostgreSQL itself refuse rows, and quote them.
func (g *ground) quotes(t *testing.T) {
	w := g.worker(t, g.database, "quoted", "")
	const doubts = `create or replace function doubts(t text) returns boolean language plpgsql as
$$begin raise exception 'what is %?', t; end$$;`
	w.role = "reader"
	g.sql(t, "source", doubts+`create role reader login; grant select on all tables in schema public to reader`)
	g.sql(t, w.target, "grant all on all tables in schema public to reader")
	for _, c := range []struct{ name, database, before, after, want string }{
		{"a check", w.target, "alter table people add constraint tidy check (length(note) < 5)",
			"alter table people drop constraint tidy", "a value does not fit (people, tidy) (SQLSTATE 23514)"},
		{"a type", w.target, "alter table people alter column note type int using 0",
			"alter table people alter column note type text", "SQLSTATE 22P02"},
		{"a length", w.target, "alter table visits alter column note type varchar(9)",
			"alter table visits alter column note type text", "SQLSTATE 22001"},
		{"a key", w.target, "create unique index twice on visits (left(note, 10))",
			"drop index twice", "a value does not fit (visits, twice) (SQLSTATE 23505)"},
		{"a function", w.target, doubts + "alter table people add constraint doubted check (doubts(note))",
			"alter table people drop constraint doubted", "SQLSTATE P0001"},
		{"a policy of who may read", "source",
			"alter table people enable row level security; create policy doubted on people using (doubts(name))",
			// It is not asked: what it would hide is not left out.
			"drop policy doubted on people; alter table people disable row level security", "SQLSTATE 42501"},
	} {
		g.sql(t, c.database, c.before)
		b := &breaking{name: c.name, want: c.want}
		o := w.copy(t.Context(), b)
		for _, wrong := range w.wrong(b, o) {
			t.Errorf("%s: %s\n%s", c.name, wrong, o)
		}
		if err := w.empty(); err != nil {
			t.Fatal(err)
		}
		g.sql(t, c.database, c.after)
		g.struck.Add(1)
	}
}

// mounted returns a folder that is a small disk of its own.
func mounted(t *testing.T, size string) string {
	t.Helper()
	folder, sudo := t.TempDir(), []string{}
	if os.Getuid() != 0 {
		sudo = []string{"sudo", "--non-interactive"}
	}
	must(t, append(sudo, "mount", "-t", "tmpfs", "-o", "mode=1777,size="+size, "tmpfs", folder)...)
	t.Cleanup(func() {
		argv := append(sudo, "umount", folder)
		if out, err := exec.Command(argv[0], argv[1:]...).CombinedOutput(); err != nil {
			t.Errorf("%v: %v\n%s", argv, err, out)
		}
	})
	return folder
}

// fill leaves so much room on a folder's disk; with less than none it takes back
// what it has filled. It is called by the goroutines of pipes, too.
func fill(t *testing.T, folder string, room int64) {
	t.Helper()
	name := filepath.Join(folder, "filler")
	err := func() error {
		if room < 0 {
			return os.Remove(name)
		}
		var disk syscall.Statfs_t
		if err := syscall.Statfs(folder, &disk); err != nil {
			return err
		}
		f, err := os.Create(name)
		if err != nil {
			return err
		}
		defer f.Close()
		return syscall.Fallocate(int(f.Fd()), 0, 0, max(4096, int64(disk.Bavail)*disk.Bsize-room))
	}()
	if err != nil {
		t.Errorf("%d bytes can't be left on %s: %v", room, folder, err)
	}
}

// whole makes a copy that has to succeed.
func (w *worker) whole(t *testing.T, after string) {
	t.Helper()
	if err := w.empty(); err != nil {
		t.Fatal(err)
	}
	b := &breaking{}
	o := w.copy(t.Context(), b)
	if wrong := w.wrong(b, o); len(wrong) > 0 || o.sent != nil || o.received != nil {
		t.Errorf("after %s there is room again, and: %q\n%s", after, wrong, o)
	}
}

// fills fills the disk that the tables are on: before a copy, so that PostgreSQL
// notices, and during one, so that the receiver does.
func (g *ground) fills(t *testing.T) {
	must(t, "docker", "exec", g.container, "install", "-d", "-o", "postgres", "-m", "0700", "/small/data")
	g.sql(t, "postgres", "create tablespace small location '/small/data'")
	w := g.worker(t, g.database, "cramped", "tablespace small")
	w.whole(t, "nothing")
	full := 0
	for room := int64(0); room < 4<<20; room += 200 << 10 {
		if err := w.empty(); err != nil {
			t.Fatal(err)
		}
		fill(t, g.disk, room)
		b := &breaking{name: fmt.Sprintf("%d KiB", room>>10)}
		o := w.copy(t.Context(), b)
		for _, wrong := range w.wrong(b, o) {
			t.Errorf("with %s: %s\n%s", b.name, wrong, o)
		}
		if o.received != nil {
			full++
			// disk_full, be it the system that says so, or a page of which half could be written.
			if r, ok := errors.AsType[*agent.Refused](o.received); !ok || r.Code != "53100" {
				t.Errorf("with %s the receiver says %v", b.name, o.received)
			}
		}
		fill(t, g.disk, -1)
		w.whole(t, b.name)
	}
	if full < 8 {
		t.Errorf("the disk was full %d times", full)
	}
	g.struck.Add(int64(full))
	t.Logf("it was full %d times", full)

	for k := range 12 {
		if err := w.empty(); err != nil {
			t.Fatal(err)
		}
		const reserve = 8 << 20
		b := &breaking{name: fmt.Sprintf("frame %d", k), want: "the disk fills up"}
		b.disk = wire.Receiver{Data: g.disk, Reserve: reserve}
		b.pipe = atFrame(k, func(f []byte) ([]byte, bool) {
			fill(t, g.disk, reserve-4096)
			return f, false
		})
		o := w.copy(t.Context(), b)
		for _, wrong := range w.wrong(b, o) {
			t.Errorf("less than the reserve is free at %s: %s; done: %v", b.name, wrong, o.done)
		}
		g.struck.Add(1)
		fill(t, g.disk, -1)
	}
	w.whole(t, "the reserve")
}

// crashes fills the disk that PostgreSQL's log is on, so that it crashes where a
// segment of it is full. The tables are on another.
func (g *ground) crashes(t *testing.T, d database, disk string) {
	d.answers(t)
	must(t, "docker", "exec", d.container, "install", "-d", "-o", "postgres", "-m", "0700", "/roomy")
	d.sql(t, "postgres", "create tablespace roomy location '/roomy'")
	d.sql(t, "postgres", "create database shape tablespace roomy")
	d.sql(t, "shape", shape)
	w := g.worker(t, d, "crashed", "tablespace roomy")
	w.whole(t, "nothing")
	const segment = 16 << 20
	for _, left := range []int{0, 300 << 10, 600 << 10, 900 << 10, 1200 << 10} {
		if err := w.empty(); err != nil {
			t.Fatal(err)
		}
		if _, err := w.ask("checkpoint"); err != nil {
			t.Fatal(err)
		}
		// Up to so much before the end of a segment; a page's head takes 24 bytes.
		if _, err := w.ask("select pg_switch_wal()"); err != nil {
			t.Fatal(err)
		}
		const message = "select pg_logical_emit_message(false, 'x', repeat('x', %d))"
		if _, err := w.ask(fmt.Sprintf(message, (segment-left)/8192*(8192-24)-4096)); err != nil {
			t.Fatal(err)
		}
		fill(t, disk, 0)
		b := &breaking{name: fmt.Sprintf("%d KiB", left>>10), lose: true}
		o := w.copy(t.Context(), b)
		fill(t, disk, -1)
		if o.received == nil {
			t.Errorf("with room for %s of its log PostgreSQL goes on", b.name)
		}
		w.connect(t)
		for _, wrong := range w.wrong(b, o) {
			t.Errorf("with room for %s of its log: %s\n%s", b.name, wrong, o)
		}
		g.struck.Add(1)
		w.whole(t, b.name)
	}
	if log := run(t, nil, "docker", "logs", d.container).output; !strings.Contains(log, "PANIC") {
		t.Error("it never crashed")
	}
}

// well makes a copy that nothing happens to, once for each agent, and returns its
// frames and what each agent and PostgreSQL said to each other.
func (g *ground) well(t *testing.T, jobs ...int) (frames [][]byte, seen map[string][]message) {
	t.Helper()
	w := <-g.workers
	defer func() { g.workers <- w }()
	seen = map[string][]message{}
	for _, at := range []string{"send", "receive"} {
		frames = nil
		b := &breaking{tap: &tap{n: -1}, at: at, jobs: jobs, pipe: func(r io.Reader, w io.Writer) error {
			return eachFrame(r, w, func(_ int, f []byte) ([]byte, bool) {
				frames = append(frames, f)
				return f, false
			})
		}}
		o := w.copy(t.Context(), b)
		seen[at] = b.tap.seen
		if jobs == nil && (o.sent != nil || o.received != nil || len(o.done) != g.usual) {
			t.Fatalf("where nothing breaks: %s", o)
		}
		there, err := w.contents()
		if err != nil {
			t.Fatal(err)
		}
		if g.want == nil {
			g.want = make([]content, len(g.parts))
		}
		for _, part := range o.done {
			g.want[part] = there[part]
		}
		if err := w.empty(); err != nil {
			t.Fatal(err)
		}
	}
	return frames, seen
}

func TestACopyThatBreaksAnywhereSaysSoAndLeavesNoHalfTable(t *testing.T) {
	on(t, here, 120*time.Second)
	breaksAnywhere(t, false)
}

// breaksAnywhere breaks copies at each point of one, in all ways where it is to be the whole of them.
func breaksAnywhere(t *testing.T, whole bool) {
	start := time.Now()
	log := mounted(t, "160m")
	crashing, g := func() (database, *ground) {
		calm.RLock()
		defer calm.RUnlock()
		return startDatabase(t, "crashes", "--volume="+log+":/log", "--env=PGDATA=/log/data",
			"wal_buffers=64kB", "wal_recycle=off"), newGround(t, mounted(t, "24m"))
	}()
	g.whole = whole
	frames, seen := g.well(t)
	long, _ := g.well(t, g.long)
	for i, p := range g.parts[:g.usual] {
		if n := g.sql(t, "source", "select count(*) from "+p.from); g.want[i].rows != n || n == "0" {
			t.Fatalf("of %s there are %s rows, and %s in the source", p.from, g.want[i].rows, n)
		}
	}
	between := func(at string) func(t *testing.T) {
		return func(t *testing.T) {
			var all []*breaking
			for _, p := range tapFaults(g.whole, seen[at]) {
				all = append(all, &breaking{name: at + ": " + p.String(), at: at, tap: p})
			}
			g.breaks(t, all)
		}
	}
	t.Run("it breaks", func(t *testing.T) {
		for _, c := range []struct {
			where string
			test  func(t *testing.T)
		}{
			{"in the pipe between the agents, at every frame", func(t *testing.T) {
				var all []*breaking
				kinds := map[byte]int{}
				for k, f := range frames {
					all = append(all, some(g.whole, kinds[f[0]], pipeFaults(k, f, nil))...)
					kinds[f[0]]++
				}
				g.breaks(t, all)
			}},
			{"in the pipe, where the sender says why there is no more", func(t *testing.T) {
				jobs := []int{g.usual - 1, g.leaky}
				frames, _ := g.well(t, jobs...)
				last := len(frames) - 1
				if kind := wire.Kind(frames[last][0]); kind != wire.Fault {
					t.Fatalf("the last frame is %c", kind)
				}
				g.breaks(t, pipeFaults(last, frames[last], jobs))
			}},
			{"in the pipe, in the middle of a long table", func(t *testing.T) {
				frames, jobs := long, []int{g.long}
				var all []*breaking
				for _, k := range []int{1, len(frames) / 2} {
					all = append(all, pipeFaults(k, frames[k], jobs)...)
				}
				g.breaks(t, all)
			}},
			{"between the sender and PostgreSQL, at every message", between("send")},
			{"between the receiver and PostgreSQL, at every message", between("receive")},
			{"between who holds the snapshot and PostgreSQL, at every message", g.holds},
			{"where nobody takes what the receiver says", func(t *testing.T) {
				var all []*breaking
				for k := 1; k <= g.usual; k++ {
					all = append(all, &breaking{name: fmt.Sprintf("line %d", k), want: errStruck.Error(), says: func(n int) error {
						if n < k {
							return nil
						}
						return errStruck
					}})
				}
				g.breaks(t, all)
			}},
			{"where PostgreSQL does not take a row, and quotes it", g.quotes},
			{"where the disk is full", g.fills},
			{"where PostgreSQL crashes, as the disk with its log is full", func(t *testing.T) { g.crashes(t, crashing, log) }},
		} {
			t.Run(c.where, func(t *testing.T) {
				t.Parallel()
				c.test(t)
			})
		}
	})

	// What a copy has begun ends with it.
	var left string
	if !soon(func() bool {
		var all bytes.Buffer
		_ = pprof.Lookup("goroutine").WriteTo(&all, 1)
		left = ""
		for _, g := range strings.Split(all.String(), "\n\n") {
			if strings.Contains(g, mark) && strings.Contains(g, "pgcopy/agent") {
				left += g + "\n"
			}
		}
		return left == ""
	}) {
		t.Errorf("it goes on:\n%s", left)
	}
	t.Logf("%d faults in %s", g.struck.Load(), time.Since(start).Round(time.Second))
}
