package anonymize

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
)

// Filter filters the rows of one table. It is for one goroutine at a time.
type Filter struct {
	table   string
	empty   bool
	columns []column
	steps   []step

	// Of the row that is at hand:
	row    []byte
	ends   []int // where its fields end
	number int64
	text   []byte // a field without its escapes
	plain  []byte // a fake before its escapes
}

// step is a stretch of columns: some that are kept, or one that is not.
type step struct{ from, to int }

const (
	// maxRow is as large as PostgreSQL lets a row of text become, 1 GB.
	maxRow = 1 << 30
	// chunk is how much is read and written at once. What is larger for a large row
	// is given back behind it.
	chunk = 256 << 10
)

// Copy filters rows from src to dst, in the text format of COPY … TO STDOUT without
// its end mark, and returns how many it wrote. The rows have the plan's columns in
// the plan's order. A row that has another number of fields or an escape that is
// none, or that does not end, is an error, as is a document or an array that is
// none; of such a row nothing is written, of those before it some may be. The
// error tells the table, the row's number from 1 and perhaps the column, and
// nothing of what is in it.
func (f *Filter) Copy(dst io.Writer, src io.Reader) (rows int64, err error) {
	in, out := newLines(src), &sink{dst: dst}
	rows, err = f.copy(out, in, false)
	if flushErr := out.flush(); err == nil {
		err = flushErr
	}
	return rows, err
}

// copy filters the rows that come next, up to the end mark, which is read, or up to
// the end of in.
func (f *Filter) copy(out *sink, in *lines, marked bool) (rows int64, err error) {
	f.number = 0
	for {
		row, err := in.next()
		switch {
		case err == io.EOF && !marked:
			return rows, nil
		case err == io.EOF:
			return rows, fmt.Errorf("%s: the input ends within the rows, after row %d", f.table, f.number)
		case err == errUnended:
			return rows, fmt.Errorf("%s, row %d: the input ends within the row", f.table, f.number+1)
		case err != nil:
			return rows, fmt.Errorf("%s, row %d: %w", f.table, f.number+1, err)
		}
		if len(row) == 2 && row[0] == '\\' && row[1] == '.' {
			if marked {
				return rows, nil
			}
			return rows, fmt.Errorf("%s, row %d: the end mark among the rows", f.table, f.number+1)
		}
		f.number++
		start := len(out.buf)
		out.buf, err = f.appendRow(out.buf, row)
		if err != nil {
			out.buf = out.buf[:start]
			return rows, err
		}
		if f.empty {
			out.buf = out.buf[:start]
			continue
		}
		rows++
		if len(out.buf) >= chunk {
			if err := out.flush(); err != nil {
				return rows, err
			}
			f.text, f.plain = small(f.text), small(f.plain)
		}
	}
}

// small returns the space of a buffer, unless a large row made it large.
func small(buf []byte) []byte {
	if cap(buf) > 4*chunk {
		return nil
	}
	return buf[:0]
}

// appendRow appends a row with its fakes, and its newline.
func (f *Filter) appendRow(out, row []byte) ([]byte, error) {
	f.row = row
	last := len(f.ends) - 1
	if last < 0 {
		if len(row) > 0 && !f.empty {
			return out, f.fail(-1, "more fields than the 0 columns")
		}
		return append(out, '\n'), nil
	}
	at := 0
	for i := range last {
		n := bytes.IndexByte(row[at:], '\t')
		if n < 0 {
			return out, f.fail(-1, fmt.Sprintf("%d fields, not the %d of the columns", i+1, last+1))
		}
		at += n
		f.ends[i] = at
		at++
	}
	if bytes.IndexByte(row[at:], '\t') >= 0 {
		return out, f.fail(-1, fmt.Sprintf("more fields than the %d columns", last+1))
	}
	f.ends[last] = len(row)
	escapes := bytes.IndexByte(row, '\\') >= 0
	for _, s := range f.steps {
		from, to := 0, f.ends[s.to-1]
		if s.from > 0 {
			from = f.ends[s.from-1] + 1
			out = append(out, '\t')
		}
		field := row[from:to]
		c := &f.columns[s.from]
		if c.how == keepIt {
			if escapes && !valid(field) {
				for i := s.from; i < s.to; i++ { // which one it is
					if !valid(f.field(i)) {
						return out, f.fail(i, "an escape that is none")
					}
				}
				return out, f.fail(s.from, "an escape that is none")
			}
			out = append(out, field...)
			continue
		}
		var problem string
		if out, problem = f.append(out, field, c, escapes); problem != "" {
			return out, f.fail(s.from, problem)
		}
	}
	return append(out, '\n'), nil
}

// append appends what becomes of a field.
func (f *Filter) append(out, field []byte, c *column, escapes bool) (_ []byte, problem string) {
	if escapes {
		if bytes.IndexByte(field, '\\') < 0 {
			escapes = false
		} else if isNull(field) {
			if c.how == fixIt {
				return append(out, c.escaped...), ""
			}
			return append(out, field...), ""
		}
	}
	switch c.how {
	case nullIt, fixIt:
		if escapes && !valid(field) {
			return out, "an escape that is none"
		}
		if c.how == fixIt {
			return append(out, c.escaped...), ""
		}
		return append(out, `\N`...), ""
	}
	if escapes {
		var ok bool
		if f.text, ok = unescape(f.text[:0], field); !ok {
			return out, "an escape that is none"
		}
		field = f.text
	}
	if len(field) == 0 && !c.empty {
		return out, ""
	}
	switch c.how {
	case fakeElements:
		out, ok := c.array.append(out, field, f.sex(c))
		if !ok {
			return out, "not an array"
		}
		return out, "" // nothing of it has to be escaped
	case walkIt:
		start := len(out)
		if out, problem = c.json.append(out, field, f); problem != "" {
			return out, problem
		}
		if escapes || c.json.dirty {
			f.plain = append(f.plain[:0], out[start:]...)
			out = appendEscaped(out[:start], f.plain)
		}
		return out, ""
	}
	if c.dirty {
		f.plain = c.faker.fake(f.plain[:0], field, f.sex(c))
		if t, ok := c.faker.(*templateFaker); ok && t.cut && t.strict {
			return out, "the template makes more than the column takes, and has to stay unique"
		}
		return appendEscaped(out, f.plain), ""
	}
	return c.faker.fake(out, field, f.sex(c)), ""
}

func isNull(field []byte) bool { return len(field) == 2 && field[0] == '\\' && field[1] == 'N' }

// sex returns the sex that a column's names are given by in this row.
func (f *Filter) sex(c *column) sex {
	if c.sex < 0 {
		return anybody
	}
	return sexOf(f.field(c.sex))
}

// field returns a field of the row, with its escapes.
func (f *Filter) field(i int) []byte {
	if i == 0 {
		return f.row[:f.ends[0]]
	}
	return f.row[f.ends[i-1]+1 : f.ends[i]]
}

// becomes appends, without escapes, what becomes of a column of the row: nothing,
// where it is NULL.
func (f *Filter) becomes(out []byte, i int) []byte {
	c, field := &f.columns[i], f.field(i)
	switch {
	case c.how == fixIt:
		return append(out, c.plain...)
	case c.how == nullIt || isNull(field):
		return out
	}
	start := len(out)
	out, _ = unescape(out, field) // what is wrong with it is said where it is written
	if c.how == keepIt || len(out) == start {
		return out
	}
	text := append([]byte(nil), out[start:]...)
	return c.faker.fake(out[:start], text, f.sex(c))
}

// fail returns what is wrong with the row, and nothing of what is in it.
func (f *Filter) fail(column int, problem string) error {
	if column < 0 {
		return fmt.Errorf("%s, row %d: %s", f.table, f.number, problem)
	}
	return fmt.Errorf("%s, row %d, column %s: %s", f.table, f.number, f.columns[column].name, problem)
}

// sink is what is still to be written.
type sink struct {
	dst   io.Writer
	buf   []byte
	bytes int64 // that were written
}

func (s *sink) flush() error {
	if len(s.buf) == 0 {
		return nil
	}
	n, err := s.dst.Write(s.buf)
	s.bytes += int64(n)
	if err == nil && n < len(s.buf) {
		err = io.ErrShortWrite
	}
	s.buf = small(s.buf)
	return err
}

// lines reads lines of any length.
type lines struct {
	src   *bufio.Reader
	long  []byte // the line, where it is larger than src's buffer
	bytes int64  // that were read
}

func newLines(src io.Reader) *lines { return &lines{src: bufio.NewReaderSize(src, 2*chunk)} }

var (
	errUnended = errors.New("the last line does not end")
	errTooLong = errors.New("a line of more than 1 GB")
)

// next returns the next line without its newline, until the next call. At the end
// the error is io.EOF, or errUnended where the last line has no newline.
func (l *lines) next() ([]byte, error) {
	line, err := l.src.ReadSlice('\n')
	if l.long = small(l.long); err == bufio.ErrBufferFull {
		for l.long = append(l.long, line...); err == bufio.ErrBufferFull; l.long = append(l.long, line...) {
			if len(l.long) > maxRow {
				return nil, errTooLong
			}
			line, err = l.src.ReadSlice('\n')
		}
		line = l.long
	}
	l.bytes += int64(len(line))
	switch {
	case err == io.EOF && len(line) > 0:
		return nil, errUnended
	case err != nil:
		return nil, err
	}
	return line[:len(line)-1], nil
}
