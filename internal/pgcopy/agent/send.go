package agent

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/klauspost/compress/s2"

	"github.com/betagouv/mrs-ops/internal/anonymize"
	"github.com/betagouv/mrs-ops/internal/pgcopy/wire"
)

// sender sends tables of one snapshot, anonymised.
type sender struct {
	conn *pgconn.PgConn
	plan anonymize.Plan
	key  anonymize.Key
	scan *anonymize.Scan
	out  *bufio.Writer
	to   *wire.Writer // of out
}

// send sends a table, or a part of one, for each line of its input.
func send(ctx context.Context, lines *bufio.Reader, stdout io.Writer) error {
	out := bufio.NewWriterSize(stdout, 1<<16)
	to := wire.NewWriter(out)
	err := sendAll(ctx, lines, out, to)
	if err == nil {
		err = to.Write(wire.Last, nil)
	} else {
		// The receiver is to know why, and the operator.
		_ = to.Write(wire.Fault, []byte(err.Error()))
	}
	return errors.Join(err, out.Flush())
}

// ordered reads the order that the input begins with, and connects to its database,
// in its snapshot.
func ordered(ctx context.Context, lines *bufio.Reader) (order wire.Sender, conn *pgconn.PgConn, err error) {
	if err := read(lines, &order); err != nil {
		return order, nil, err
	}
	conn, err = connect(ctx, order.Server, begin, "set transaction snapshot "+literal(order.Snapshot))
	return order, conn, err
}

// keyOf is the key that the fakes of an order are made with.
func keyOf(order wire.Sender) (key anonymize.Key, err error) {
	if copy(key[:], order.Key) != len(key) {
		err = errors.New("the key is too short")
	}
	return key, err
}

func sendAll(ctx context.Context, lines *bufio.Reader, out *bufio.Writer, to *wire.Writer) error {
	order, conn, err := ordered(ctx, lines)
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	s := &sender{conn: conn, plan: order.Plan, scan: anonymize.NewScan(), out: out, to: to}
	if s.key, err = keyOf(order); err != nil {
		return err
	}
	if err := learn(ctx, conn, s.scan, s.plan.Tables); err != nil {
		return err
	}
	for {
		var job wire.Job
		if err := read(lines, &job); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		if job.Table < 0 || job.Table >= len(s.plan.Tables) {
			return errors.New("there is no such table in the plan")
		}
		t := &s.plan.Tables[job.Table]
		if err := s.table(ctx, t, job); err != nil {
			if _, ok := errors.AsType[*anonymize.Leak](err); ok {
				return err // it tells where
			}
			return fmt.Errorf("%s.%s: %w", t.Schema, t.Name, err)
		}
	}
}

// table sends the rows of a job.
func (s *sender) table(ctx context.Context, t *anonymize.TablePlan, job wire.Job) error {
	names := columnNames(t)
	err := s.to.WriteJSON(wire.Table, wire.Begin{Schema: t.Schema, Name: t.Name, Columns: names,
		Whole: job.From == 0 && job.To == 0})
	if err != nil {
		return err
	}
	filter, err := t.Filter(s.key)
	if err != nil {
		return err
	}
	from := wire.Ident(t.Schema) + "." + wire.Ident(t.Name)
	var conditions []string
	if job.Where != "" {
		conditions = append(conditions, "("+job.Where+")")
	}
	if job.From > 0 {
		conditions = append(conditions, fmt.Sprintf("ctid >= '(%d,0)'", job.From))
	}
	if job.To > 0 {
		conditions = append(conditions, fmt.Sprintf("ctid < '(%d,0)'", job.To))
	}
	if job.Where != "" {
		// PostgreSQL takes the rows that are chosen by chance for many, and would look
		// for each in all of them rather than keep them in little memory.
		if err := run(ctx, s.conn, "set local work_mem = '512MB'"); err != nil {
			return err
		}
	}
	sql := "copy (" + job.With + " select " + wire.Idents(names) + " from only " + from
	if len(conditions) > 0 {
		sql += " where " + strings.Join(conditions, " and ")
	}
	sql += ") to stdout"

	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	raw, clear := newBlocks(), newBlocks()
	read := make(chan error, 1)
	go func() {
		_, err := s.conn.CopyTo(ctx, raw, sql)
		err = clean(err)
		raw.close(err)
		read <- err
	}()
	var rows int64
	filtered := make(chan error, 1)
	go func() {
		n, err := filter.Copy(clear, raw)
		raw.stop() // nobody reads on
		rows = n
		clear.close(err)
		filtered <- err
	}()
	done, err := s.rows(t, clear)
	clear.stop()
	if err != nil {
		cancel()
	}
	// The first of them is the cause of the others.
	if err := errors.Join(firstOf(<-read, <-filtered, err)); err != nil {
		return err
	}
	done.Rows, done.Values = rows, s.scan.Values()
	if err := s.to.WriteJSON(wire.End, done); err != nil {
		return err
	}
	return s.out.Flush()
}

func columnNames(t *anonymize.TablePlan) []string {
	names := make([]string, len(t.Columns))
	for i, c := range t.Columns {
		names[i] = c.Name
	}
	return names
}

// firstOf returns the first error that is not the consequence of another.
func firstOf(errs ...error) error {
	var all error
	for _, err := range errs {
		if err != nil && (all == nil || errors.Is(all, errStopped) || errors.Is(all, context.Canceled)) {
			all = err
		}
	}
	return all
}

// rows looks at what the filter lets through, and sends it. Of that each block is whole
// rows: the filter writes nothing else, and what is written at once is not divided.
func (s *sender) rows(t *anonymize.TablePlan, in *blocks) (done wire.Done, err error) {
	var packed []byte
	for {
		rows, err := in.next()
		if err == io.EOF {
			return done, nil
		}
		if err == nil {
			err = s.scan.Look(t, rows)
		}
		if err != nil {
			return done, err
		}
		packed = s2.Encode(packed[:cap(packed)], rows)
		done.Bytes += int64(len(rows))
		done.Sent += int64(len(packed))
		in.free(rows)
		if err := s.to.Write(wire.Rows, packed); err != nil {
			return done, err
		}
	}
}
