package remote

import (
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/bitfield/script"
)

const (
	chunkSize = 1 << 20               // of the largest chunk, in bytes
	chunkWait = 20 * time.Millisecond // for more data before a smaller one goes
	pieceSize = 32 << 10
)

// inputError is a command whose input can't be had to its end.
type inputError struct{ err error }

func (e *inputError) Error() string { return "its input failed: " + e.err.Error() }
func (e *inputError) Unwrap() error { return e.err }

// errUnread is a command that ended while there was input for it.
var errUnread = errors.New("it ended before it had read all of its input")

// feed sends the contents of in to w in the chunks that leash.sh reads, and the
// word that this was all only if it was.
func feed(in *script.Pipe, w io.Writer) error {
	pieces := make(chan piece, chunkSize/pieceSize)
	stop := make(chan struct{})
	defer close(stop)
	go readPieces(in, pieces, stop)
	for {
		chunk, err := gather(pieces)
		if len(chunk) > 0 {
			if _, err := w.Write(append(fmt.Appendf(nil, "%d\n", len(chunk)), chunk...)); err != nil {
				return errUnread
			}
		}
		if err == io.EOF {
			w.Write([]byte("end\n")) // who has ended by now needs no such word
			return nil
		}
		if err != nil {
			return &inputError{err}
		}
	}
}

// piece is what a read returned.
type piece struct {
	data []byte
	err  error
}

// readPieces sends what in has until its end, which is an error unless in has
// none: a script filter that fails ends its output as if nothing had happened,
// and leaves the error on the pipe.
func readPieces(in *script.Pipe, pieces chan<- piece, stop <-chan struct{}) {
	for {
		data := make([]byte, pieceSize)
		n, err := in.Read(data)
		if failure := in.Error(); err == io.EOF && failure != nil {
			err = failure
		}
		select {
		case pieces <- piece{data[:n], err}:
		case <-stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// gather joins the next pieces into a chunk: each one costs the host a process.
// The error is that of the last piece.
func gather(pieces <-chan piece) ([]byte, error) {
	first := <-pieces
	chunk, err := first.data, first.err
	late := time.After(chunkWait)
	for err == nil && len(chunk) <= chunkSize-pieceSize {
		select {
		case p := <-pieces:
			chunk, err = append(chunk, p.data...), p.err
		case <-late:
			return chunk, nil
		}
	}
	return chunk, err
}
