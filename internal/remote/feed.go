package remote

import (
	"errors"
	"fmt"
	"io"
	"sync"
	"time"

	"github.com/bitfield/script"
)

const (
	chunkSize = 1 << 20               // of the largest chunk, in bytes
	chunkWait = 20 * time.Millisecond // for more data before a smaller one goes
	pieceSize = 32 << 10
	headSize  = len("1048576\n") // at most, of what goes before a chunk
)

// inputError is a command whose input can't be had to its end.
type inputError struct{ err error }

func (e *inputError) Error() string { return "its input failed: " + e.err.Error() }
func (e *inputError) Unwrap() error { return e.err }

// errUnread is a command that ended while there was input for it.
var errUnread = errors.New("it ended before it had read all of its input")

// feed sends the contents of in to w, and that this was all only if it was: where they are read in chunks (mrs-host
// leash), as a word, else as the end.
func feed(in *script.Pipe, w io.WriteCloser, chunks bool) error {
	pieces := make(chan piece, chunkSize/pieceSize)
	stop := make(chan struct{})
	defer close(stop)
	go readPieces(in, pieces, stop)
	var chunk []byte
	for {
		var err error
		// Its length goes before it, once that is known.
		chunk, err = gather(pieces, append(chunk[:0], make([]byte, headSize)...))
		if n := len(chunk) - headSize; n > 0 {
			var head []byte
			if chunks {
				head = fmt.Appendf(nil, "%d\n", n)
			}
			start := headSize - len(head)
			copy(chunk[start:], head)
			if _, err := w.Write(chunk[start:]); err != nil {
				return errUnread
			}
		}
		if err == io.EOF { // who has ended by now needs no such word
			if chunks {
				w.Write([]byte("end\n"))
			} else {
				w.Close()
			}
			return nil
		}
		if err != nil {
			return &inputError{err}
		}
	}
}

// piece is what a read returned: the first n bytes of data, which is given back
// to buffers.
type piece struct {
	data *[pieceSize]byte
	n    int
	err  error
}

var buffers = sync.Pool{New: func() any { return new([pieceSize]byte) }}

// readPieces sends what in has until its end, which is an error unless in has
// none: a script filter that fails ends its output as if nothing had happened,
// and leaves the error on the pipe.
func readPieces(in *script.Pipe, pieces chan<- piece, stop <-chan struct{}) {
	for {
		data := buffers.Get().(*[pieceSize]byte)
		n, err := in.Read(data[:])
		if failure := in.Error(); err == io.EOF && failure != nil {
			err = failure
		}
		select {
		case pieces <- piece{data, n, err}:
		case <-stop:
			return
		}
		if err != nil {
			return
		}
	}
}

// gather appends the next pieces to chunk, up to [chunkSize]: each chunk costs
// the host a process. The error is that of the last piece.
func gather(pieces <-chan piece, chunk []byte) ([]byte, error) {
	full := len(chunk) + chunkSize
	take := func(p piece) error {
		chunk = append(chunk, p.data[:p.n]...)
		buffers.Put(p.data)
		return p.err
	}
	err := take(<-pieces)
	late := time.After(chunkWait)
	for err == nil && len(chunk) <= full-pieceSize {
		select {
		case p := <-pieces:
			err = take(p)
		case <-late:
			return chunk, nil
		}
	}
	return chunk, err
}
