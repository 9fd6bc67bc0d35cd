package anonymize

import (
	"bytes"
	"encoding/binary"
	"encoding/hex"
	"hash/maphash"
	"strconv"
)

// faker makes the fakes of one kind.
//
// What it appends to out stands for in, which is never empty nor NULL. It is
// ASCII without quotes, backslashes and control characters, so that it can be
// written into COPY's text, an array and a JSON string alike without a second
// look; [dirty] fakers, which can't promise that, say so. It never copies a
// character of in but separators of a closed list.
type faker interface {
	fake(out, in []byte, s sex) []byte
}

// dirty is a faker whose fakes have to be escaped.
type dirty interface{ dirty() }

// trim returns in without the spaces around it: people type them, and the
// character(n) type pads with them.
func trim(in []byte) []byte { return bytes.Trim(in, " ") }

// cached keeps some fakes that were made: names, towns and days come again and
// again, and to remember them is three times as fast as to make them anew. It has
// a fixed size, 64 KiB, and forgets whatever comes into the way.
type cached struct {
	faker
	seed  maphash.Seed
	slots [1024]slot
}

type slot struct {
	key, fake uint8 // their lengths
	sex       sex
	text      [61]byte
}

// maxCached is the longest input that is kept.
const maxCached = 26

func remember(f faker) faker { return &cached{faker: f, seed: maphash.MakeSeed()} }

func (c *cached) fake(out, in []byte, s sex) []byte {
	if len(in) > maxCached {
		return c.faker.fake(out, in, s)
	}
	slot := &c.slots[maphash.Bytes(c.seed, in)%uint64(len(c.slots))]
	if int(slot.key) == len(in) && slot.sex == s && bytes.Equal(slot.text[:len(in)], in) {
		return append(out, slot.text[len(in):len(in)+int(slot.fake)]...)
	}
	start := len(out)
	out = c.faker.fake(out, in, s)
	if made := out[start:]; len(in)+len(made) <= len(slot.text) {
		slot.key, slot.fake, slot.sex = uint8(len(in)), uint8(len(made)), s
		copy(slot.text[:], in)
		copy(slot.text[len(in):], made)
	}
	return out
}

// alphabet is what suffixes and hashes are written with: without vowels no word
// comes about.
const alphabet = "0123456789bcdfghjklmnpqrstvwxyz"

// emailFaker makes first.last.suffix@example.org.
type emailFaker struct {
	prf   *prf
	max   int
	lower []byte
}

const (
	mailDomain = "@example.org" // nobody can ever have a mailbox there: RFC 2606
	suffixLen  = 13             // of alphabet, which is 64 bits
)

func (f *emailFaker) fake(out, in []byte, _ sex) []byte {
	var upper, lower bool
	in = trim(in)
	f.lower, upper, lower = lowerCase(f.lower[:0], in)
	lo, hi := f.prf.sum(f.lower)
	start := len(out)
	room := 1 << 30
	if f.max > 0 {
		room = f.max - len(mailDomain)
	}
	suffix := min(room, suffixLen)
	if names := room - suffix; names > 1 {
		out = stem(out, hi, endMan)
		out = append(out, '.')
		out = stem(out, hi^0x5555, endFamily)
		out = limit(out, start, names-1)
		out = append(out, '.')
	}
	out = append(appendSuffix(out, lo, suffix), mailDomain...)
	mirrorCase(out[start:], in, upper, lower)
	return out
}

// appendSuffix appends n characters of alphabet; in 13 are all 64 bits.
func appendSuffix(out []byte, random uint64, n int) []byte {
	for range n {
		out = append(out, alphabet[random%uint64(len(alphabet))])
		random /= uint64(len(alphabet))
	}
	return out
}

// phoneFaker makes French numbers that are kept for fiction and never assigned:
// decision 2018-0881 of ARCEP, the numbering plan, 2.5.12.
type phoneFaker struct {
	prf *prf
	max int
}

// fiction is what the numbers of each zone begin with, by their first digit
// after 0; four digits follow.
var fiction = [10]string{
	1: "19900", 2: "26191", 3: "35301", 4: "46571", 5: "53649", 6: "63998", 7: "63998",
	0: "19900", 8: "19900", 9: "19900",
}

func (f *phoneFaker) fake(out, in []byte, _ sex) []byte {
	in = trim(in)
	var number [16]byte
	n := 0 // digits
	for _, c := range in {
		if c >= '0' && c <= '9' {
			if n < len(number) {
				number[n] = c
			}
			n++
		}
	}
	// The nine digits that a French number has behind 0, +33, 0033 or +33 (0).
	skip := -1
	plus := len(in) > 0 && (in[0] == '+' || in[0] == '(' && len(in) > 1 && in[1] == '+')
	switch {
	case plus && n == 11 && string(number[:2]) == "33":
		skip = 2
	case plus && n == 12 && string(number[:3]) == "330":
		skip = 3
	case n == 13 && string(number[:4]) == "0033":
		skip = 4
	case n == 14 && string(number[:5]) == "00330":
		skip = 5
	case n == 11 && string(number[:2]) == "33":
		skip = 2
	case n == 10 && number[0] == '0':
		skip = 1
	case n == 9 && number[0] != '0' && !plus:
		skip = 0
	}
	start := len(out)
	if skip < 0 {
		random, _ := f.prf.sum(in)
		switch {
		case plus:
			out = append(out, "+33 "...)
		case n > 10 && number[0] == '0' && number[1] == '0':
			out = append(out, "0033 "...)
		default:
			out = append(out, '0')
		}
		out = append(out, "6 39 98 00 00"...)
		four := below(random, 10000)
		putTwo(out[len(out)-5:], four/100)
		putTwo(out[len(out)-2:], four%100)
		return limit(out, start, f.max)
	}
	random, _ := f.prf.sum(number[skip:n])
	four := below(random, 10000)
	var fake [9]byte
	copy(fake[:], fiction[number[skip]-'0'])
	putTwo(fake[5:], four/100)
	putTwo(fake[7:], four%100)
	digit := 0
	for _, c := range in {
		switch {
		case c >= '0' && c <= '9':
			if digit >= skip {
				c = fake[digit-skip]
			}
			digit++
			out = append(out, c)
		case c < 0x80:
			out = append(out, separator(c, digitSeparators))
		}
	}
	return limit(out, start, f.max)
}

// uuidFaker makes UUIDs of version 4 (RFC 9562) of 122 random bits.
type uuidFaker struct {
	prf *prf
	max int
	in  []byte
}

func (f *uuidFaker) fake(out, in []byte, _ sex) []byte {
	in = trim(in)
	f.in = f.in[:0]
	hyphens, upper, other := false, false, false
	for _, c := range in {
		switch {
		case unhex(c) >= 0:
			if c >= 'A' && c <= 'F' {
				upper = true
				c += 'a' - 'A'
			}
			f.in = append(f.in, c)
		case c == '-':
			hyphens = true
		default:
			other = true
			f.in = append(f.in, c)
		}
	}
	// What is no UUID becomes one, of the usual form.
	hyphens = hyphens || other || len(f.in) != 32
	lo, hi := f.prf.sum(f.in)
	lo = lo&^(0xf<<12) | 4<<12
	hi = hi&^(3<<62) | 2<<62
	var random [16]byte
	binary.BigEndian.PutUint64(random[:], lo)
	binary.BigEndian.PutUint64(random[8:], hi)
	start := len(out)
	for i, part := range [...][]byte{random[:4], random[4:6], random[6:8], random[8:10], random[10:]} {
		if i > 0 && hyphens {
			out = append(out, '-')
		}
		out = hex.AppendEncode(out, part)
	}
	if upper {
		copy(out[start:], bytes.ToUpper(out[start:]))
	}
	return limit(out, start, f.max)
}

// streetWord is neither rue nor avenue: there are people called Rue.
const streetWord = "ruyx"

// addressFaker makes a post code of digits, which begins with 00 as none does
// (La Poste's begin with 01 to 98), a street of what has both digits and
// letters, and a town of what has letters alone.
type addressFaker struct {
	prf   *prf
	max   int
	lower []byte
}

func (f *addressFaker) fake(out, in []byte, _ sex) []byte {
	in = trim(in)
	var upper, lower bool
	f.lower, upper, lower = lowerCase(f.lower[:0], in)
	numbers, letters := false, false
	for _, c := range f.lower {
		if c >= '0' && c <= '9' {
			numbers = true
		} else if isWord[c] {
			letters = true
		}
	}
	lo, hi := f.prf.sum(f.lower)
	start := len(out)
	switch {
	case numbers && !letters:
		d, n := digits{stream: stream(lo)}, 0
		for _, c := range in {
			switch {
			case c < '0' || c > '9':
				c = separator(c, digitSeparators)
			case n < 2:
				c, n = '0', n+1
			default:
				c = byte('0' + d.below(10))
			}
			out = append(out, c)
		}
	case numbers:
		out = strconv.AppendUint(out, 1+below(hi, 199), 10)
		out = append(out, " "+streetWord+" "...)
		begin := len(out)
		out = stem(out, lo, endTown)
		if !upper || lower {
			out[begin] -= 'a' - 'A'
		}
		if upper && !lower {
			mirrorCase(out[start:], in, upper, lower)
		}
	default:
		out = stem(out, lo, endTown)
		mirrorCase(out[start:], in, upper, lower)
	}
	return limit(out, start, f.max)
}

// textFaker makes words that say nothing, about as long as what they stand for.
type textFaker struct {
	prf *prf
	max int
}

// fillers are lorem ipsum with a twist, for amet is somebody's name.
const fillers = "loryx ipsyx dolyx sitryx ametyx consyx teturyx adipyx scingyx elityx sedryx diamyx nonumyx eirmyx " +
	"tempyx invidyx laboryx dolorex magnyx aliquyx eratyx volupyx veroyx accusyx justyx duoryx dolorex rebumyx " +
	"stetyx clityx kasdyx guberyx takimyx sanctyx"

// tape is the fillers in many orders, for as long a text as is copied at once, and
// starts is where words begin in its first part.
var tape, starts = func() (tape []byte, starts [1024]uint16) {
	words := bytes.Fields([]byte(fillers))
	s := stream(1)
	for i := 0; i < len(starts) || len(tape) < 1<<15; i++ {
		if i < len(starts) {
			starts[i] = uint16(len(tape))
		}
		tape = append(append(tape, words[below(s.next(), uint64(len(words)))]...), ' ')
	}
	return tape, starts
}()

func (f *textFaker) fake(out, in []byte, _ sex) []byte {
	// The beginning tells texts apart well enough to choose one of a thousand places.
	random, _ := f.prf.sum(in[:min(len(in), 24)])
	n := 0 // characters
	for _, c := range in {
		if c&0xc0 != 0x80 {
			n++
		}
	}
	if f.max > 0 {
		n = min(n, f.max)
	}
	n = max(n, 1) // for what isn't UTF-8
	start, from := len(out), int(starts[random%uint64(len(starts))])
	for n > 0 {
		piece := tape[from:]
		if len(piece) >= n { // the last one: cut behind a word
			end := n
			if len(piece) > n && piece[n] != ' ' {
				end = max(0, bytes.LastIndexByte(piece[:n], ' '))
			}
			out = append(out, piece[:end]...)
			break
		}
		out = append(out, piece...)
		n -= len(piece)
		from = 0
	}
	out = out[:start+len(bytes.TrimRight(out[start:], " "))]
	if len(out) == start { // shorter than a word
		out = append(out, "xyxyxyxy"[:min(max(n, 1), 8)]...)
	}
	return out
}
