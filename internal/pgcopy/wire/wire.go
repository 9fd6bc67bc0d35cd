// Package wire is what the two ends of a copy say to each other: what an agent
// is told on its standard input, and the frames that tables travel in.
//
// It must not know where either end is.
package wire

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
	"strings"

	"github.com/betagouv/mrs-ops/internal/anonymize"
)

// Server is the database that an agent works on, by PostgreSQL's socket, and who
// it becomes once it is connected.
type Server struct {
	Socket   string `json:"socket"` // the folder
	Database string `json:"database"`
	Role     string `json:"role"`
	UID      int    `json:"uid"`
	GID      int    `json:"gid"`
}

// Hold is the first line that an agent gets which holds a snapshot, or proposes
// rules.
type Hold struct {
	Server
}

// Held is what the agent that holds the snapshot says, once it does.
type Held struct {
	Snapshot string          `json:"snapshot"`
	Schema   json.RawMessage `json:"schema"` // as anonymize.ParseSchema takes it
}

// Sender is the first line that an agent gets which sends tables, or tries their fakes.
type Sender struct {
	Server
	Snapshot string         `json:"snapshot"`
	Key      []byte         `json:"key"`
	Plan     anonymize.Plan `json:"plan"`
}

// Unfit is a line of what an agent says that tries fakes: the fakes of some columns are
// not what a constraint of theirs, or their type, takes.
type Unfit struct {
	Schema  string   `json:"schema"`
	Table   string   `json:"table"`
	Columns []string `json:"columns"`          // that are changed, and that it is about
	What    string   `json:"what"`             // "constraint", "type word", "index"
	Name    string   `json:"name,omitempty"`   // of the constraint
	Raised  bool     `json:"raised,omitempty"` // it ends in an error, so that rows are not counted
	Rows    int      `json:"rows,omitempty"`   // that do not fit
	Of      int      `json:"of"`               // of so many that were tried
}

// Receiver is the first line that an agent gets which receives tables.
type Receiver struct {
	Server
	Data    string `json:"data"`    // PostgreSQL's folder of data
	Reserve int64  `json:"reserve"` // bytes that are to stay free on its disk
}

// Job is a table to send, or a part of it: a line for each after the first.
type Job struct {
	Table int `json:"table"` // its place in the plan
	Chosen
	From int64 `json:"from,omitempty"` // the first page
	To   int64 `json:"to,omitempty"`   // the page after the last; 0: to the end
}

// Chosen is which rows of a table are sent, in SQL; all, where it is empty.
type Chosen struct {
	With  string `json:"with,omitempty"` // queries that Where refers to, WITH before them
	Where string `json:"where,omitempty"`
}

// Begin precedes the rows of a job.
type Begin struct {
	Schema  string   `json:"schema"`
	Name    string   `json:"name"`
	Columns []string `json:"columns"`
	Whole   bool     `json:"whole"` // there are no other parts of it
}

// Done follows the rows of a job. The receiver says it too, once they are
// written, and meanwhile how far it is.
type Done struct {
	Partial bool `json:"partial,omitempty"`

	Rows   int64 `json:"rows"`
	Bytes  int64 `json:"bytes"`  // of COPY's text, before they were compressed
	Sent   int64 `json:"sent"`   // after that
	Values int   `json:"values"` // real ones that were looked for in them
}

// Ident quotes a name for SQL.
func Ident(name string) string { return `"` + strings.ReplaceAll(name, `"`, `""`) + `"` }

// Idents quotes names for a list of SQL's.
func Idents(names []string) string {
	quoted := make([]string, len(names))
	for i, name := range names {
		quoted[i] = Ident(name)
	}
	return strings.Join(quoted, ", ")
}

// Kind tells what a frame holds.
type Kind byte

// The kinds of frames.
const (
	Table Kind = 'b' // a Begin
	Rows  Kind = 'd' // whole rows of COPY's text, as a block of S2
	End   Kind = 'e' // a Done
	Fault Kind = 'x' // why there is no more: a text for people, without values
	Last  Kind = 'z' // all that was asked for was sent: without it, the end is none
)

// MaxFrame is how many bytes a frame can have: a row is not divided, and has at
// most 1 GB in PostgreSQL.
const MaxFrame = 2 << 30

// A frame is its kind, the size of its payload, a sum, and the payload. The sum
// is of all that came before and of this kind and size, so that a frame which was
// changed, is missing, or is there twice is noticed with the one after it, and
// nobody waits for what a wrong size promises. SSH sees to it that this does not
// happen; it costs next to nothing not to have to believe it.
const (
	sized  = 5 // kind and size
	headed = sized + 4
)

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Writer writes frames.
type Writer struct {
	w   io.Writer
	sum uint32 // of all that was written
}

// NewWriter returns a Writer of w's first frames, and of all that follow.
func NewWriter(w io.Writer) *Writer { return &Writer{w: w} }

// Write writes a frame.
func (w *Writer) Write(kind Kind, payload []byte) error {
	var head [headed]byte
	head[0] = byte(kind)
	binary.BigEndian.PutUint32(head[1:], uint32(len(payload)))
	w.sum = crc32.Update(w.sum, castagnoli, head[:sized])
	binary.BigEndian.PutUint32(head[sized:], w.sum)
	if _, err := w.w.Write(head[:]); err != nil {
		return err
	}
	w.sum = crc32.Update(w.sum, castagnoli, payload)
	_, err := w.w.Write(payload)
	return err
}

// WriteJSON writes a frame with a value.
func (w *Writer) WriteJSON(kind Kind, value any) error {
	payload, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return w.Write(kind, payload)
}

// Reader reads frames.
type Reader struct {
	r   io.Reader
	buf bytes.Buffer
	sum uint32 // of all that was read
}

// NewReader returns a Reader of what r has.
func NewReader(r io.Reader) *Reader { return &Reader{r: r} }

// ErrChanged is what a Reader returns where the frames are not those that were
// written.
var ErrChanged = errors.New("what came is not what was sent")

// Next returns the next frame, whose payload lasts until the one after it is
// asked for. The error is io.EOF where there is no more, and any other in the
// middle of one. What is wrong with a payload is noticed with the frame after it.
func (r *Reader) Next() (Kind, []byte, error) {
	var head [headed]byte
	if _, err := io.ReadFull(r.r, head[:]); err != nil {
		return 0, nil, err
	}
	r.sum = crc32.Update(r.sum, castagnoli, head[:sized])
	if binary.BigEndian.Uint32(head[sized:]) != r.sum {
		return 0, nil, ErrChanged
	}
	n := binary.BigEndian.Uint32(head[1:])
	if n > MaxFrame {
		return 0, nil, fmt.Errorf("a frame of %d bytes: this is not what a copy sends", n)
	}
	r.buf.Reset()
	if _, err := io.CopyN(&r.buf, r.r, int64(n)); err == io.EOF { // it grows as that comes: a size is only a promise
		return 0, nil, io.ErrUnexpectedEOF
	} else if err != nil {
		return 0, nil, err
	}
	r.sum = crc32.Update(r.sum, castagnoli, r.buf.Bytes())
	return Kind(head[0]), r.buf.Bytes(), nil
}
