package agent

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/klauspost/compress/s2"

	"github.com/betagouv/mrs-ops/internal/pgcopy/wire"
)

// receive writes the tables that come in frames, and says of each how many rows
// PostgreSQL has taken.
func receive(ctx context.Context, lines *bufio.Reader, out io.Writer) error {
	var r wire.Receiver
	if err := read(lines, &r); err != nil {
		return err
	}
	disk, err := watchDisk(r) // which only root may
	if err != nil {
		return err
	}
	// Nothing is lost with what a crash takes: the database is thrown away then.
	conn, err := connect(ctx, r.Server, "set synchronous_commit = off")
	if err != nil {
		return err
	}
	defer conn.Close(context.WithoutCancel(ctx))
	frames := wire.NewReader(lines)
	for {
		kind, payload, err := frames.Next()
		switch {
		case err == io.EOF:
			return errors.New("the sender ended before it was done")
		case err != nil:
			return err
		case kind == wire.Last:
			return nil
		case kind != wire.Table:
			return unexpected(kind, payload)
		}
		var b wire.Begin
		if err := json.Unmarshal(payload, &b); err != nil {
			return errors.New("the beginning of a table can't be read")
		}
		rows := &rowsReader{frames: frames, said: time.Now(), disk: disk,
			say: func(d wire.Done) error { return write(out, d) }}
		done, err := table(ctx, conn, b, rows)
		if err != nil {
			return fmt.Errorf("%s.%s: %w", b.Schema, b.Name, err)
		}
		if err := write(out, done); err != nil {
			return err
		}
	}
}

func unexpected(kind wire.Kind, payload []byte) error {
	if kind == wire.Fault {
		return fmt.Errorf("the sender gave up: %s", payload)
	}
	return fmt.Errorf("a frame %q out of order", byte(kind))
}

// table writes the rows of one table, up to its End, in one transaction.
func table(ctx context.Context, conn *pgconn.PgConn, b wire.Begin, rows *rowsReader) (wire.Done, error) {
	name := wire.Ident(b.Schema) + "." + wire.Ident(b.Name)
	sql := "copy " + name
	if len(b.Columns) > 0 { // a table without columns has rows all the same
		sql += " (" + wire.Idents(b.Columns) + ")"
	}
	sql += " from stdin"
	start := "begin"
	if b.Whole {
		// What nobody else can see need not be looked at again by the next reader.
		start, sql = "begin; truncate only "+name, sql+" with (freeze)"
	}
	if err := run(ctx, conn, start); err != nil {
		return wire.Done{}, err
	}
	tag, err := conn.CopyFrom(ctx, rows, sql)
	if rows.err != nil {
		return wire.Done{}, rows.err // why PostgreSQL was told to give up
	}
	if err != nil {
		return wire.Done{}, clean(err)
	}
	if tag.RowsAffected() != rows.done.Rows {
		return wire.Done{}, fmt.Errorf("%d rows were sent, and PostgreSQL took %d", rows.done.Rows, tag.RowsAffected())
	}
	return rows.done, run(ctx, conn, "commit")
}

// rowsReader reads the rows of the frames up to an End, which must come.
type rowsReader struct {
	frames *wire.Reader
	block  []byte
	rest   []byte
	far    wire.Done // how far it is
	said   time.Time // when that was said
	say    func(wire.Done) error
	disk   func() error
	done   wire.Done
	ended  bool
	err    error
}

func (r *rowsReader) Read(p []byte) (int, error) {
	for len(r.rest) == 0 {
		if r.ended {
			return 0, io.EOF
		}
		if err := r.next(); err != nil {
			r.err = err
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	return n, nil
}

func (r *rowsReader) next() error {
	kind, payload, err := r.frames.Next()
	switch {
	case err == io.EOF:
		return io.ErrUnexpectedEOF
	case err != nil:
		return err
	case kind == wire.Rows:
		if r.block, err = s2.Decode(r.block[:cap(r.block)], payload); err != nil {
			return err
		}
		r.rest = r.block
		r.far.Rows += int64(bytes.Count(r.block, []byte{'\n'})) // COPY has no other: those in values are escaped
		r.far.Sent += int64(len(payload))
		if err := r.disk(); err != nil { // it costs nothing, and many tables take no second
			return err
		}
		if time.Since(r.said) < time.Second {
			return nil
		}
		r.far.Partial, r.said = true, time.Now()
		return r.say(r.far)
	case kind == wire.End:
		r.ended = true
		return json.Unmarshal(payload, &r.done)
	}
	return unexpected(kind, payload)
}

// watchDisk returns what tells whether there still is as much free on PostgreSQL's
// disk as there has to be: a disk that is full stops the databases that are in
// use, too.
func watchDisk(r wire.Receiver) (func() error, error) {
	if r.Data == "" {
		return func() error { return nil }, nil
	}
	folder, err := os.Open(r.Data)
	if err != nil {
		return nil, err
	}
	return func() error {
		var disk syscall.Statfs_t
		if err := syscall.Fstatfs(int(folder.Fd()), &disk); err != nil {
			return err
		}
		if free := int64(disk.Bavail) * disk.Bsize; free < r.Reserve {
			return fmt.Errorf("the disk fills up: %d MiB are free below %s, and %d are to stay so",
				free>>20, r.Data, r.Reserve>>20)
		}
		return nil
	}, nil
}
