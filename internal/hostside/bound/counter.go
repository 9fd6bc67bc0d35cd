package bound

import (
	"io"
	"sync/atomic"
)

// Counter counts what is written to several writers.
type Counter struct{ n atomic.Int64 }

// Bytes is how many bytes that is, so far.
func (c *Counter) Bytes() int64 { return c.n.Load() }

// Over returns a writer that counts what it hands on; nil for nil.
func (c *Counter) Over(w io.Writer) io.Writer {
	if w == nil {
		return nil
	}
	return counted{c, w}
}

type counted struct {
	counter *Counter
	to      io.Writer
}

func (w counted) Write(p []byte) (int, error) {
	n, err := w.to.Write(p)
	w.counter.n.Add(int64(n))
	return n, err
}

// Tail keeps the last bytes of what is written to it, for what a program complains of last.
type Tail struct{ text []byte }

const kept = 64 << 10

// Write keeps them.
func (t *Tail) Write(p []byte) (int, error) {
	t.text = append(t.text, p...)
	if over := len(t.text) - kept; over > 0 {
		t.text = append(t.text[:0], t.text[over:]...)
	}
	return len(p), nil
}

func (t *Tail) String() string { return string(t.text) }

// Lines calls a function with each line that is written to it, without its end. What
// follows the last end of a line is kept for the next one.
type Lines struct {
	Each func(line string)
	rest []byte
}

// longest is a line that is cut.
const longest = 1 << 20

// Write calls it.
func (l *Lines) Write(p []byte) (int, error) {
	for _, b := range p {
		if b != '\n' {
			if len(l.rest) < longest {
				l.rest = append(l.rest, b)
			}
			continue
		}
		l.Each(string(l.rest))
		l.rest = l.rest[:0]
	}
	return len(p), nil
}

// Close calls it with a last line that has no end.
func (l *Lines) Close() {
	if len(l.rest) > 0 {
		l.Each(string(l.rest))
		l.rest = nil
	}
}
