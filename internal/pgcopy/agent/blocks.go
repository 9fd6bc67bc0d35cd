package agent

import (
	"errors"
	"io"
	"sync"
)

// blockSize is what is handed on at a time: PostgreSQL hands over row by row,
// and every hand-over costs a switch of goroutines.
const blockSize = 256 << 10

// blocks is a pipe of large blocks, whose writer works ahead of its reader. It
// has one of each. What is written at once is in one block.
type blocks struct {
	full  chan []byte
	empty chan []byte
	gone  chan struct{} // nobody reads
	once  sync.Once
	block []byte // the writer's
	rest  []byte // the reader's
	whole []byte // the block that rest is of
	err   error  // of the writer, once full is closed
}

// errStopped is what a writer gets when nobody reads on.
var errStopped = errors.New("stopped")

func newBlocks() *blocks {
	b := &blocks{full: make(chan []byte, 2), empty: make(chan []byte, 4), gone: make(chan struct{})}
	for range cap(b.empty) {
		b.empty <- make([]byte, 0, blockSize)
	}
	return b
}

// Write gathers p until a block is full.
func (b *blocks) Write(p []byte) (int, error) {
	if b.block == nil {
		select {
		case b.block = <-b.empty:
		case <-b.gone:
			return 0, errStopped
		}
	}
	if len(b.block) > 0 && len(b.block)+len(p) > blockSize {
		if err := b.hand(); err != nil {
			return 0, err
		}
		return b.Write(p)
	}
	b.block = append(b.block, p...) // a row may be larger
	return len(p), nil
}

func (b *blocks) hand() error {
	select {
	case b.full <- b.block:
		b.block = nil
		return nil
	case <-b.gone:
		return errStopped
	}
}

// close ends the writing, with an error if it did not go well.
func (b *blocks) close(err error) {
	if err == nil && len(b.block) > 0 {
		err = b.hand()
	}
	b.err = err
	close(b.full)
}

// next returns the next block, or the writer's error, or io.EOF.
func (b *blocks) next() ([]byte, error) {
	block, ok := <-b.full
	switch {
	case ok:
		return block, nil
	case b.err != nil:
		return nil, b.err
	}
	return nil, io.EOF
}

// free gives a block back.
func (b *blocks) free(block []byte) {
	if cap(block) > 4*blockSize {
		block = make([]byte, 0, blockSize)
	}
	b.empty <- block[:0]
}

// Read is next for who wants a reader.
func (b *blocks) Read(p []byte) (int, error) {
	for len(b.rest) == 0 {
		if b.whole != nil {
			b.free(b.whole)
			b.whole = nil
		}
		block, err := b.next()
		if err != nil {
			return 0, err
		}
		b.whole, b.rest = block, block
	}
	n := copy(p, b.rest)
	b.rest = b.rest[n:]
	return n, nil
}

// stop ends the reading; the writer gets errStopped.
func (b *blocks) stop() { b.once.Do(func() { close(b.gone) }) }
