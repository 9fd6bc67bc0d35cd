package anonymize

import (
	"bytes"
	"compress/zlib"
	"encoding/base64"
	"encoding/binary"
	"html"
	"io"
	"strconv"
	"unicode/utf8"
)

// decodings calls read with what is in a text in base64, pickled or compressed in that.
// mixed is where words are that base64 could be. It stops at read's first error.
func decodings(text []byte, mixed []int, read func(other []byte) error) error {
	end := 0
	for _, at := range mixed {
		if at < end {
			continue // it is in the one before
		}
		var run []byte
		run, end = base64Run(text, at)
		// What is before it may be in base64's alphabet, too, like the path of a URL.
		for skip := range min(4, len(run)) {
			part := run[skip:]
			decoded := make([]byte, base64.RawStdEncoding.DecodedLen(len(part)))
			n, _ := base64.RawStdEncoding.Decode(decoded, part[:len(part)&^3])
			if rest := part[len(part)&^3:]; len(rest) > 1 {
				more, _ := base64.RawStdEncoding.Decode(decoded[n:], rest)
				n += more
			}
			if err := contents(decoded[:n], read); err != nil {
				return err
			}
		}
	}
	return nil
}

// contents calls read with data that may be text, and with the strings of a pickle.
func contents(data []byte, read func([]byte) error) error {
	if len(data) > 2 && data[0]&0x0f == 8 && (uint(data[0])<<8|uint(data[1]))%31 == 0 { // RFC 1950, 2.2
		if r, err := zlib.NewReader(bytes.NewReader(data)); err == nil {
			inflated, _ := io.ReadAll(io.LimitReader(r, 1<<24))
			if len(inflated) > 0 {
				return contents(inflated, read)
			}
		}
	}
	if !textual(data) {
		return nil
	}
	if err := read(data); err != nil {
		return err
	}
	// In a pickle the next opcode, which may be a letter, follows a string at once
	// (Python's pickletools).
	for i, op := range data {
		rest, n := data[i+1:], -1
		switch {
		case (op == 'X' || op == 'T' || op == 'B') && len(rest) > 4:
			n, rest = int(binary.LittleEndian.Uint32(rest)), rest[4:]
		case (op == 0x8c || op == 'U' || op == 'C') && len(rest) > 1:
			n, rest = int(rest[0]), rest[1:]
		case op == 0x8d && len(rest) > 8 && binary.LittleEndian.Uint64(rest) < 1<<31:
			n, rest = int(binary.LittleEndian.Uint64(rest)), rest[8:]
		}
		if n < 4 || n > len(rest) || !utf8.Valid(rest[:n]) {
			continue
		}
		if err := read(rest[:n]); err != nil {
			return err
		}
	}
	return nil
}

// textual reports whether the most of data are characters that are written: of
// bytes by chance it is not, and names would be found in them by chance.
func textual(data []byte) bool {
	written := 0
	for rest := data; len(rest) > 0; {
		r, n := utf8.DecodeRune(rest)
		if r >= ' ' && r != 0x7f && (r != utf8.RuneError || n > 1) || r == '\n' || r == '\r' || r == '\t' {
			written += n
		}
		rest = rest[n:]
	}
	return written*10 >= len(data)*7
}

// inBase64 are the characters of both alphabets (RFC 4648), those of the second as
// the first has them.
var inBase64 = func() (table [256]byte) {
	for i := range table {
		switch c := byte(i); {
		case c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9', c == '+', c == '/':
			table[i] = c
		}
	}
	table['-'], table['_'] = '+', '/'
	return table
}()

// least is how long a word is to be for base64: 6 bytes.
const least = 8

// base64Run returns the stretch of text around i that may be base64, without its
// line ends, as COPY and JSON write these, and where it ends.
func base64Run(text []byte, i int) (run []byte, end int) {
	from := i
	for from > 0 && inBase64[text[from-1]] != 0 {
		from--
	}
	// The n of a line end is no letter.
	if from > 0 && text[from-1] == '\\' && from < i {
		from++
	}
	run = make([]byte, 0, 2*(i-from)+64)
	for end = from; end < len(text); end++ {
		if c := inBase64[text[end]]; c != 0 {
			run = append(run, c)
			continue
		}
		// \n in COPY, \\n in a document in it
		next := end
		for next < len(text) && text[next] == '\\' {
			next++
		}
		if next == end || next == len(text) || text[next] != 'n' && text[next] != 'r' {
			break
		}
		end = next
	}
	return run, end
}

// withoutEscapes returns text without the escapes \u00e9, %C3%A9 and &eacute;, nil where
// there are none.
func withoutEscapes(text []byte) []byte {
	if bytes.IndexByte(text, '&') >= 0 {
		if plain := html.UnescapeString(string(text)); plain != string(text) {
			text = []byte(plain)
			if more := withoutEscapes(text); more != nil {
				return more
			}
			return text
		}
	}
	if !bytes.Contains(text, []byte(`\u`)) && bytes.IndexByte(text, '%') < 0 {
		return nil
	}
	plain, found := make([]byte, 0, len(text)), false
	for i := 0; i < len(text); i++ {
		c := text[i]
		switch {
		case c == '\\' && i+6 <= len(text) && text[i+1] == 'u' && hex4(text[i+2:]) >= 0:
			// COPY has doubled the backslash.
			for len(plain) > 0 && plain[len(plain)-1] == '\\' {
				plain = plain[:len(plain)-1]
			}
			plain = utf8.AppendRune(plain, hex4(text[i+2:]))
			i, found = i+5, true
		case c == '%' && i+3 <= len(text) && unhex(text[i+1]) >= 0 && unhex(text[i+2]) >= 0:
			plain = append(plain, byte(unhex(text[i+1])<<4|unhex(text[i+2])))
			i, found = i+2, true
		default:
			plain = append(plain, c)
		}
	}
	if !found {
		return nil
	}
	return plain
}

// hex4 returns the number of four hexadecimal digits, or -1.
func hex4(in []byte) rune {
	n, err := strconv.ParseUint(string(in[:4]), 16, 16)
	if err != nil {
		return -1
	}
	return rune(n)
}
