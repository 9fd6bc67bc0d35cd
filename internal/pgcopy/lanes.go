package pgcopy

import (
	"bufio"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"sync"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/anonymize"
	"github.com/betagouv/mrs-ops/internal/pgcopy/wire"
	"github.com/betagouv/mrs-ops/internal/remote"
)

// load is tables on their way: lanes that each carry one at a time, from an
// agent through this process to the other's.
type load struct {
	from, to *end
	database string // that the tables go into
	snapshot string
	plan     *anonymize.Plan
	key      anonymize.Key
	direct   bool // the rows don't come by here
	progress *progress

	// begin makes the tables, while the senders get ready; beside is done then, while rows
	// come.
	begin, beside func() error

	// index builds the indexes of a table, schema.name, whose rows are all there; nil:
	// that is not done beside the rows of others.
	index func(table string) error

	mu     sync.Mutex
	queue  []wire.Job
	begun  chan struct{} // closed once the tables are made
	filled chan int      // tables whose rows are there, and large
	fault  error         // what an agent says of the failure, the first one of them
}

// worthIndexing is how many pages a table has whose indexes are built while others
// still come: those of smaller ones are built together, at the end.
const worthIndexing = 8 << 20 / 8192

// Of tables of fewer than littlePages pages a lane has up to ahead under way at once: to wait for the answer to each
// takes longer than their rows.
const (
	littlePages = 1 << 20 / 8192
	ahead       = 4
)

// partPages is how many pages a part of a table has at least.
const partPages = 16 << 20 / 8192

// parts divides the tables into jobs, the largest table first, so that the lanes
// end at about the same time.
func parts(plan *anonymize.Plan, order []int, wheres map[int]wire.Chosen, lanes int, divide bool) []wire.Job {
	var pages int64
	for _, t := range plan.Tables {
		pages += t.Pages
	}
	size := max(partPages, pages/int64(lanes*8))
	var jobs []wire.Job
	for _, i := range order {
		t := plan.Tables[i]
		if t.Empty {
			continue
		}
		if !divide || t.Pages < 2*size {
			jobs = append(jobs, wire.Job{Table: i, Chosen: wheres[i]})
			continue
		}
		for from := int64(0); ; from += size {
			job := wire.Job{Table: i, Chosen: wheres[i], From: from, To: from + size}
			if from+2*size > t.Pages { // the rest, and what came since it was last counted
				job.To = 0
			}
			jobs = append(jobs, job)
			if job.To == 0 {
				break
			}
		}
	}
	return jobs
}

// next takes a job off the queue, once there are tables; beside another, only one of a little table.
func (l *load) next(ctx context.Context, beside bool) (wire.Job, bool) {
	select {
	case <-l.begun:
	case <-ctx.Done():
		return wire.Job{}, false
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	if len(l.queue) == 0 || beside && !l.little(l.queue[0]) {
		return wire.Job{}, false
	}
	job := l.queue[0]
	l.queue = l.queue[1:]
	return job, true
}

func (l *load) little(job wire.Job) bool { return l.plan.Tables[job.Table].Pages < littlePages }

// run runs the lanes until all tables are there. Where one fails, so do the
// others.
func (l *load) run(ctx context.Context, lanes int) error {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	l.begun, l.filled = make(chan struct{}), make(chan int, len(l.plan.Tables))
	var building, running sync.WaitGroup
	building.Go(func() {
		for table := range l.filled {
			t := &l.plan.Tables[table]
			if ctx.Err() != nil || l.index == nil {
				continue
			}
			if err := l.index(t.Schema + "." + t.Name); err != nil {
				cancel(first(err))
			}
		}
	})
	run := func(do func() error) {
		running.Go(func() {
			if err := do(); err != nil {
				cancel(first(err))
			}
		})
	}
	run(func() error {
		if err := l.begin(); err != nil {
			return err
		}
		l.progress.begin()
		close(l.begun)
		return l.beside()
	})
	for range lanes {
		run(func() error { return l.lane(ctx) })
	}
	running.Wait()
	close(l.filled)
	building.Wait()
	if err := context.Cause(ctx); err != nil {
		return cmp.Or(l.fault, err)
	}
	return nil
}

// first returns the error of the command that failed first, where commands that
// feed each other have.
func first(err error) error {
	for {
		outer, ok := errors.AsType[*remote.Error](err)
		if !ok {
			return err
		}
		inner, ok := errors.AsType[*remote.Error](outer.Err)
		if !ok {
			return err
		}
		err = inner
	}
}

// reserve is how many bytes stay free on the disk that is written to: what
// PostgreSQL needs for its log, 1 GiB unless max_wal_size says otherwise.
const reserve = 1 << 30

// lane carries tables until the queue is empty, large ones one at a time: what a lane took
// ahead, another that is idle could not carry.
func (l *load) lane(ctx context.Context) error {
	r, w := io.Pipe()
	return l.carry(ctx, w, l.connect(ctx, script.NewPipe().WithReader(r)))
}

// carry writes orders, and reads what comes of them: taken is what the receiver
// says.
func (l *load) carry(ctx context.Context, w *io.PipeWriter, taken *script.Pipe) error {
	defer w.Close()
	orders := json.NewEncoder(w)
	var under []wire.Job // way, in this order
	order := func() error {
		for len(under) < ahead {
			job, ok := l.next(ctx, len(under) > 0)
			if !ok {
				break
			}
			under = append(under, job)
			if err := orders.Encode(job); err != nil {
				return err
			}
			if !l.little(job) {
				break
			}
		}
		if len(under) == 0 {
			return w.Close()
		}
		return nil
	}
	lines := bufio.NewReader(taken)
	err := orders.Encode(wire.Receiver{Server: l.to.wireServer(l.database), Data: path.Join(l.to.Folder, "postgres/data"),
		Reserve: reserve})
	if err == nil {
		err = orders.Encode(wire.Sender{Server: l.from.wireServer(l.from.database), Snapshot: l.snapshot,
			Key: l.key[:], Plan: *l.plan})
	}
	if err == nil {
		err = order()
	}
	for err == nil {
		var line []byte
		if line, err = lines.ReadBytes('\n'); err != nil {
			break
		}
		var done wire.Done
		if err := json.Unmarshal(line, &done); err != nil || len(under) == 0 {
			return fmt.Errorf("%s: what the receiver says can't be read", l.to.Name)
		}
		job := under[0]
		if done.Partial {
			l.progress.far(job, done)
			continue
		}
		under = under[1:]
		if l.progress.took(job, done) && l.plan.Tables[job.Table].Pages >= worthIndexing {
			l.filled <- job.Table
		}
		err = order()
	}
	// The pipe knows why there is no more, and why nobody takes more orders.
	w.Close()
	if err == io.EOF {
		if err = taken.Error(); err == nil && len(under) > 0 {
			err = fmt.Errorf("%s: the receiver ended before all was there", l.to.Name)
		}
		return err
	}
	_, why := io.Copy(io.Discard, lines)
	return cmp.Or(taken.Error(), why, err)
}

// connect starts a sender whose output goes to a receiver, and returns what that
// one says. The first line of orders is the receiver's, the others the sender's.
func (l *load) connect(ctx context.Context, orders *script.Pipe) *script.Pipe {
	send, receive := l.from.does("send"), l.to.does("receive")
	if l.direct {
		return l.from.WithContext(ctx).Relay(orders, send, l.to.Target, receive)
	}
	// The first line goes past the sender.
	in := bufio.NewReader(orders)
	first := make(chan []byte, 1)
	rest, w := io.Pipe()
	go func() {
		line, err := in.ReadBytes('\n')
		first <- line
		if err == nil {
			_, err = io.Copy(w, in)
		}
		w.CloseWithError(err)
		orders.Close() // nobody is to wait for a sender that takes no more
	}()
	sent := l.from.WithContext(ctx).ExecFrom(script.NewPipe().WithReader(rest), send...)
	sent = sent.Filter(func(in io.Reader, out io.Writer) error {
		if _, err := out.Write(<-first); err != nil {
			return err
		}
		return l.pass(in, out)
	})
	return l.to.WithContext(ctx).ExecFrom(sent, receive...)
}

// pass hands frames on, and notices why a sender gives up.
func (l *load) pass(in io.Reader, out io.Writer) error {
	frames := wire.NewReader(in)
	buffered := bufio.NewWriterSize(out, 1<<16)
	to := wire.NewWriter(buffered)
	for {
		kind, payload, err := frames.Next()
		if err == io.EOF {
			return buffered.Flush()
		}
		if err != nil {
			return err
		}
		if kind == wire.Fault {
			err := errors.New(string(payload))
			l.mu.Lock()
			l.fault = cmp.Or(l.fault, err)
			l.mu.Unlock()
			return err
		}
		if err := to.Write(kind, payload); err != nil {
			return err
		}
		if kind == wire.End {
			if err := buffered.Flush(); err != nil {
				return err
			}
		}
	}
}
