package anonymize

// ibanFaker makes account numbers (IBAN, ISO 13616): the country is kept, check
// digits are right, those of a French account number too, and the bank's number
// begins with 00, or XX where banks have letters, as no bank's does. All other
// characters are random ones of the same kind: 63 bits for France.
type ibanFaker struct {
	prf *prf
	max int
	in  []byte
}

// longest IBAN there can be.
const maxIBAN = 34

func (f *ibanFaker) fake(out, in []byte, _ sex) []byte {
	f.in = compact(f.in[:0], in)
	random, more := f.prf.sum(f.in)
	d := digits{stream: stream(random ^ more)}
	// The characters behind the country and the check digits.
	well := len(f.in) >= 15 && len(f.in) <= maxIBAN
	var fake [maxIBAN]byte
	if well && letter(f.in[0]) && letter(f.in[1]) && !letter(f.in[2]) && !letter(f.in[3]) {
		copy(fake[:4], f.in)
		for i, c := range f.in[4:] {
			switch {
			case letter(c) && i < 2:
				c = 'X'
			case letter(c):
				c = byte('A' + d.below(26))
			case i < 2:
				c = '0'
			default:
				c = byte('0' + d.below(10))
			}
			fake[4+i] = c
		}
		if country := string(fake[:2]); (country == "FR" || country == "MC") && len(f.in) == 27 {
			rib(fake[4:27])
		}
		check(fake[:len(f.in)])
		return appendAs(out, in, fake[:len(f.in)], nil, f.max)
	}
	return appendAs(out, in, nil, &d, f.max)
}

func letter(c byte) bool { return c >= 'A' && c <= 'Z' }

// compact appends what counts of a number that has letters: these, as capitals,
// and its digits.
func compact(out, number []byte) []byte {
	for _, c := range number {
		switch {
		case c >= '0' && c <= '9' || letter(c):
			out = append(out, c)
		case c >= 'a' && c <= 'z':
			out = append(out, c-'a'+'A')
		}
	}
	return out
}

// appendAs appends a number that has letters, written as another is: its compact
// form, or, where that is nil, random characters of the same kinds. At most max
// bytes, unless that is 0.
func appendAs(out, other, number []byte, random *digits, max int) []byte {
	start, n := len(out), 0
	for _, c := range other {
		switch {
		case !isWord[c]:
			c = separator(c, digitSeparators)
		case c >= 0x80:
			continue // a space of another kind, or nothing that a number has
		case number != nil:
			if c >= 'a' && c <= 'z' && letter(number[n]) {
				c = number[n] | 0x20
			} else {
				c = number[n]
			}
			n++
		case c >= '0' && c <= '9':
			c = byte('0' + random.below(10))
		default:
			c = "BCDFGHJKLMNPQRSTVWXZ"[random.below(20)]
		}
		out = append(out, c)
	}
	if len(out) == start {
		out = append(out, '0')
	}
	return limit(out, start, max)
}

// check writes the check digits of an IBAN: 98 less the remainder by 97 of the
// number that it is with its beginning at its end, 00 for the digits, and 10 to
// 35 for A to Z.
func check(iban []byte) {
	iban[2], iban[3] = '0', '0'
	rest := uint64(0)
	for i := range iban {
		c := iban[(i+4)%len(iban)]
		if letter(c) {
			rest = (rest*100 + uint64(c-'A') + 10) % 97
		} else {
			rest = (rest*10 + uint64(c-'0')) % 97
		}
	}
	putTwo(iban[2:], 98-rest)
}

// rib writes the key of a French account number (RIB): bank 5, branch 5, account
// 11, key 2, where letters are A=1 … I=9, J=1 … R=9, S=2 … Z=9.
func rib(bban []byte) {
	rest := uint64(0)
	for _, c := range bban[:21] {
		n := uint64(c - '0')
		switch {
		case c >= 'S':
			n = uint64(c-'S') + 2
		case c >= 'J':
			n = uint64(c-'J') + 1
		case c >= 'A':
			n = uint64(c-'A') + 1
		}
		rest = (rest*10 + n) % 97
	}
	putTwo(bban[21:], 97-rest*100%97)
}
