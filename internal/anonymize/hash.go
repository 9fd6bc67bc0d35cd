package anonymize

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"strconv"
)

// hashFaker makes letters and digits, as many as there were characters, and of
// digits alone as many digits.
type hashFaker struct {
	prf     *prf
	numbers digitPermutation
	max     int
	min     int // characters at least, where they have to stay unique
}

func (f *hashFaker) fake(out, in []byte, _ sex) []byte {
	start := len(out)
	if allDigits(in) && (f.max == 0 || len(in) <= f.max) {
		return f.numbers.append(out, in, 0)
	}
	lo, hi := f.prf.sum(in)
	n := 0
	for _, c := range in {
		if c&0xc0 != 0x80 {
			n++
		}
	}
	n = max(n, f.min, 1)
	if f.max > 0 {
		n = min(n, f.max)
	}
	d := digits{stream: stream(hi)}
	// All 64 bits of one half in the first 13, so that these are as good as unique.
	out = appendSuffix(out, lo, min(n, suffixLen))
	for range n - suffixLen {
		out = append(out, alphabet[d.below(uint64(len(alphabet)))])
	}
	// Digits alone would look like the fake of a number.
	if allDigits(out[start:]) && n > 1 {
		out[len(out)-1] = 'x'
	}
	return out
}

func allDigits(in []byte) bool {
	for _, c := range in {
		if c < '0' || c > '9' {
			return false
		}
	}
	return len(in) > 0
}

// digitPermutation maps numbers to numbers of as many digits, no two to the same,
// up to 19 digits behind leading zeros, which stay: an integer has the same fake
// as a text, and the same in a larger type. More digits than that are random.
type digitPermutation struct {
	permutation *prf
	stream      *prf
}

var powers = func() (p [20]uint64) {
	p[0] = 1
	for i := 1; i < len(p); i++ {
		p[i] = p[i-1] * 10
	}
	return p
}()

// append appends the fake of in, which is digits; those of numbers up to limit are
// up to limit, unless it is 0.
func (p *digitPermutation) append(out, in []byte, limit uint64) []byte {
	for len(in) > 0 && in[0] == '0' {
		out, in = append(out, '0'), in[1:]
	}
	if len(in) > 19 {
		random, more := p.stream.sum(in)
		d := digits{stream: stream(random ^ more)}
		out = append(out, byte('1'+d.below(9)))
		for range len(in) - 1 {
			out = append(out, byte('0'+d.below(10)))
		}
		return out
	}
	if len(in) == 0 {
		return out
	}
	number, _ := strconv.ParseUint(string(in), 10, 64) // of 19 digits at most
	smallest := powers[len(in)-1]
	// Halves: the first digit is not 0.
	low := powers[len(in)/2]
	high := 9 * powers[len(in)-1-len(in)/2]
	outside := limit > 0 && number > limit
	for {
		x := number - smallest
		l, r := p.permutation.permute(uint64(len(in)), x/low, high, x%low, low)
		number = l*low + r + smallest
		// What leaves the range is permuted until it is back, as it will be: it is
		// on a cycle that began there.
		if limit == 0 || outside || number <= limit {
			break
		}
	}
	return strconv.AppendUint(out, number, 10)
}

// numberFaker makes numbers of as many digits, of the same sign, with the point in
// the same place.
type numberFaker struct {
	numbers digitPermutation
	limit   uint64 // of integers
	free    bool   // 1.0 and 1.00 may both be there, and are equal
	scratch []byte
}

func (f *numberFaker) fake(out, in []byte, _ sex) []byte {
	in = trim(in)
	var zeros []byte
	if f.free {
		in, zeros = significant(in)
	}
	f.scratch = f.scratch[:0]
	end := len(in) // of the mantissa
	for i, c := range in {
		if c == 'e' || c == 'E' {
			end = i
			break
		}
		if c >= '0' && c <= '9' {
			f.scratch = append(f.scratch, c)
		} else if c != '.' && (c != '-' || i > 0) {
			return append(out, '0') // NaN, Infinity
		}
	}
	if len(f.scratch) == 0 {
		return append(out, '0')
	}
	n := len(f.scratch)
	limit := f.limit
	if limit > 0 && in[0] == '-' {
		limit++
	}
	f.scratch = f.numbers.append(f.scratch, f.scratch, limit)
	fake := f.scratch[n:]
	for _, c := range in[:end] {
		if c >= '0' && c <= '9' {
			c, fake = fake[0], fake[1:]
		}
		out = append(out, c)
	}
	// The exponent says how large a number is, and its form is checked like the rest.
	if exponent := in[end:]; len(exponent) > 1 {
		digits := exponent[1:]
		if digits[0] == '+' || digits[0] == '-' {
			digits = digits[1:]
		}
		if allDigits(digits) {
			out = append(out, exponent...)
		}
	}
	return append(out, zeros...)
}

// significant divides a number before the zeros behind its point that say nothing,
// and before the point where there is nothing else behind it.
func significant(in []byte) (number, zeros []byte) {
	if bytes.IndexByte(in, '.') < 0 || bytes.ContainsAny(in, "eE") {
		return in, nil
	}
	end := len(bytes.TrimRight(in, "0"))
	if in[end-1] == '.' {
		end--
	}
	return in[:end], in[end:]
}

// bytesFaker makes random bytes of the same number, as bytea is written: \x and
// hexadecimal digits.
type bytesFaker struct{ prf *prf }

func (*bytesFaker) dirty() {}

func (f *bytesFaker) fake(out, in []byte, _ sex) []byte {
	n := len(in) // the old format, escape, has a character or more for each byte
	if n >= 2 && in[0] == '\\' && in[1] == 'x' {
		n = (n - 2) / 2
	}
	lo, hi := f.prf.sum(in)
	out = append(out, '\\', 'x')
	s := stream(lo ^ hi)
	var eight [8]byte
	for ; n > 0; n -= 8 {
		binary.LittleEndian.PutUint64(eight[:], s.next())
		out = hex.AppendEncode(out, eight[:min(n, 8)])
	}
	return out
}
