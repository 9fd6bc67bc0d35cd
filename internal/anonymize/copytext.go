package anonymize

import (
	"bytes"
	"errors"
	"strings"
)

// The text format of COPY
// (https://www.postgresql.org/docs/current/sql-copy.html#SQL-COPY-FILE-FORMATS):
// a line is a row, a tab is between fields, \N is NULL, and a backslash begins an
// escape: \b \f \n \r \t \v, \\, \ and one to three octal digits, \x and one or two
// hexadecimal ones. PostgreSQL reads any other escape as the character behind the
// backslash, but never writes one: here it is an error, for whoever reads it in
// another way than we do sees other values than we did.

// unescape appends what a field that is not \N says; ok is false for an escape that
// is none.
func unescape(out, field []byte) (text []byte, ok bool) {
	for {
		i := bytes.IndexByte(field, '\\')
		if i < 0 {
			return append(out, field...), true
		}
		out = append(out, field[:i]...)
		c, n := escape(field[i:])
		if n == 0 {
			return out, false
		}
		out = append(out, c)
		field = field[i+n:]
	}
}

// Fields returns the values of a row of COPY's text; nil is NULL.
func Fields(row []byte) ([]*string, error) {
	var values []*string
	for field := range bytes.SplitSeq(row, []byte{'\t'}) {
		if isNull(field) {
			values = append(values, nil)
			continue
		}
		text, ok := unescape(nil, field)
		if !ok {
			return nil, errors.New("an escape that is none")
		}
		value := string(text)
		values = append(values, &value)
	}
	return values, nil
}

// escape returns the byte that an escape at the beginning of in stands for, and the
// escape's length, which is 0 if there is none.
func escape(in []byte) (c byte, length int) {
	if len(in) < 2 {
		return 0, 0
	}
	if i := strings.IndexByte(`bfnrtv\`, in[1]); i >= 0 {
		return "\b\f\n\r\t\v\\"[i], 2
	}
	if in[1] == 'x' {
		n := 0
		for length = 2; length < min(4, len(in)) && unhex(in[length]) >= 0; length++ {
			n = n<<4 | unhex(in[length])
		}
		if n == 0 { // no digit, or a byte that no text has
			return 0, 0
		}
		return byte(n), length
	}
	n := 0
	for length = 1; length < min(4, len(in)) && in[length] >= '0' && in[length] <= '7'; length++ {
		n = n<<3 | int(in[length]-'0')
	}
	if n == 0 || n > 255 {
		return 0, 0
	}
	return byte(n), length
}

// valid reports whether all escapes of some fields are escapes.
func valid(fields []byte) bool {
	for at := 0; ; {
		i := bytes.IndexByte(fields[at:], '\\')
		if i < 0 {
			return true
		}
		at += i
		if at+1 < len(fields) && fields[at+1] == 'N' {
			if at > 0 && fields[at-1] != '\t' || at+2 < len(fields) && fields[at+2] != '\t' {
				return false
			}
			at += 2
			continue
		}
		_, n := escape(fields[at:])
		if n == 0 {
			return false
		}
		at += n
	}
}

// special is what is escaped, by its escape's letter.
var special = [256]byte{'\b': 'b', '\f': 'f', '\n': 'n', '\r': 'r', '\t': 't', '\v': 'v', '\\': '\\'}

// appendEscaped appends text as a field.
func appendEscaped(out, text []byte) []byte {
	for {
		i := 0
		for i < len(text) && special[text[i]] == 0 {
			i++
		}
		out = append(out, text[:i]...)
		if i == len(text) {
			return out
		}
		out = append(out, '\\', special[text[i]])
		text = text[i+1:]
	}
}

// arrayFaker makes fakes of an array's elements, in the array's format
// (https://www.postgresql.org/docs/current/arrays.html#ARRAYS-IO). Its dimensions
// and its NULLs stay.
type arrayFaker struct {
	element faker // not dirty
	scratch []byte
}

// append appends the array with the fakes of its elements; ok is false if in is no
// array.
func (f *arrayFaker) append(out, in []byte, s sex) (_ []byte, ok bool) {
	// Bounds that are not 1 are in front: [0:1]={…}.
	if len(in) > 0 && in[0] == '[' {
		end := bytes.IndexByte(in, '=')
		if end < 0 {
			return out, false
		}
		for _, c := range in[:end] {
			if (c < '0' || c > '9') && c != '[' && c != ']' && c != ':' && c != '-' {
				return out, false
			}
		}
		out, in = append(out, in[:end+1]...), in[end+1:]
	}
	depth, value := 0, true // value: whether one may come here
	for i := 0; i < len(in); {
		switch c := in[i]; {
		case c == '{' && value && (depth > 0 || i == 0):
			depth++
			out = append(out, c)
			i++
		case c == '}' && depth > 0 && (!value || in[i-1] == '{'):
			depth--
			value = false
			out = append(out, c)
			i++
			if depth == 0 {
				return out, i == len(in)
			}
		case c == ',' && depth > 0 && !value:
			value = true
			out = append(out, c)
			i++
		case c == '"' && depth > 0 && value:
			f.scratch = f.scratch[:0]
			for i++; ; i++ {
				if i == len(in) {
					return out, false
				}
				if in[i] == '"' {
					i++
					break
				}
				if in[i] == '\\' {
					if i++; i == len(in) {
						return out, false
					}
				}
				f.scratch = append(f.scratch, in[i])
			}
			out = append(out, '"')
			if len(f.scratch) > 0 {
				out = f.element.fake(out, f.scratch, s)
			}
			out = append(out, '"')
			value = false
		case depth > 0 && value && c != ',':
			end := i
			for end < len(in) && in[end] != ',' && in[end] != '}' {
				if in[end] == '{' || in[end] == '"' || in[end] == '\\' {
					return out, false // PostgreSQL writes these between quotes
				}
				end++
			}
			if element := in[i:end]; bytes.EqualFold(element, []byte("null")) {
				out = append(out, element...)
			} else {
				out = append(out, '"')
				out = f.element.fake(out, element, s)
				out = append(out, '"')
			}
			i, value = end, false
		default:
			return out, false
		}
	}
	return out, false
}
