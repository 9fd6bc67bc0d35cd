package anonymize

import (
	"bytes"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Invented names are syllables that anybody can say, and an ending that no name
// has: -yx for a man, -yxa for a woman, -zyx for a family, -vyx for a town. So
// nobody takes a fake for a real name, and whoever looks for real ones among the
// fakes finds none.
const (
	onsets = "bdfgjklmnprstvzb" + "dlmn" // 20, the common ones twice
	vowels = "aeiou"
)

type ending string

const (
	endMan    ending = "yx"
	endWoman  ending = "yxa"
	endFamily ending = "zyx"
	endTown   ending = "vyx"
)

// syllable is one of a hundred.
func syllable(out []byte, d *digits) []byte {
	return append(out, onsets[d.below(20)], vowels[d.below(5)])
}

// stem appends a name in lower case: 2 syllables and a consonant for a first
// name, of which there are 200 000, or 3 for the others, of which there are a
// million.
func stem(out []byte, random uint64, end ending) []byte {
	d := digits{stream: stream(random)}
	out = syllable(out, &d)
	out = syllable(out, &d)
	if end == endMan || end == endWoman {
		out = append(out, onsets[d.below(20)])
	} else {
		out = syllable(out, &d)
	}
	return append(out, end...)
}

// sex is what a first name is given by.
type sex byte

const (
	anybody sex = iota
	man
	woman
)

// sexOf reads a sex from a value: a NIR, which begins with 1 or 2 (3 and 4 while
// it is being registered, 7 and 8 when it is provisional), or M, H, F, 1, 2,
// Mr, Mme, homme, femme… of its own.
func sexOf(value []byte) sex {
	if value = bytes.TrimLeft(value, " "); len(value) == 0 {
		return anybody
	}
	switch value[0] {
	case '1', '3', '7', 'H', 'h':
		return man
	case '2', '4', '8', 'F', 'f', 'W', 'w':
		return woman
	case 'M', 'm':
		if len(value) > 2 {
			switch string([]byte{value[1] | 0x20, value[2] | 0x20}) {
			case "me", "ll", "ad", "is", "rs": // Mme, Mlle, Madame, Miss, Mrs
				return woman
			}
		}
		return man
	}
	return anybody
}

// nameFaker makes a name of a name, word by word: "Le Goff" is two words with a
// space between whatever the words stand for, and "LE GOFF" the same in capitals.
type nameFaker struct {
	first, last *prf // one of them is nil, but for a full name
	max         int
	lower       []byte
}

// maxName is how much of a word counts; nobody's name is longer.
const maxName = 256

func (f *nameFaker) fake(out, in []byte, s sex) []byte {
	start, firsts := len(out), f.first != nil
	capitalsAreLast := f.first != nil && f.last != nil && mixesCapitals(in)
	for len(in) > 0 {
		n := wordLen(in)
		if n == 0 {
			out = append(out, separator(in[0], nameSeparators))
			in = in[1:]
			// What joins two words of a first name doesn't begin the last one.
			continue
		}
		word := in[:n]
		last := !firsts
		if capitalsAreLast {
			last = isCapitals(word)
		}
		in = in[n:]
		out = f.word(out, word, last || f.first == nil, s)
		if f.last != nil && len(in) > 0 && in[0] == ' ' {
			firsts = false
		}
	}
	return limit(out, start, f.max)
}

// word appends the fake of a word.
func (f *nameFaker) word(out, word []byte, last bool, s sex) []byte {
	if len(word) > maxName {
		word = word[:maxName]
	}
	var upper, lower bool
	f.lower, upper, lower = lowerCase(f.lower[:0], word)
	begin := len(out)
	if last {
		random, _ := f.last.sum(f.lower)
		out = stem(out, random, endFamily)
	} else {
		random, extra := f.first.sum(f.lower)
		end := endMan
		if s == woman || s == anybody && extra&1 == 1 {
			end = endWoman
		}
		out = stem(out, random, end)
	}
	mirrorCase(out[begin:], word, upper, lower)
	return out
}

// mirrorCase puts a fake in lower case into the case of what it stands for.
func mirrorCase(fake, word []byte, upper, lower bool) {
	if !upper {
		return
	}
	if lower || len(word) == 1 {
		fake = fake[:1]
	}
	for i, c := range fake {
		if c >= 'a' && c <= 'z' {
			fake[i] = c - 'a' + 'A'
		}
	}
}

// mixesCapitals reports whether a full name has words in capitals and others, as
// in DUPONT Jean: then those in capitals are the last name, wherever they are.
func mixesCapitals(in []byte) bool {
	var capitals, others bool
	for len(in) > 0 {
		n := wordLen(in)
		if n == 0 {
			in = in[1:]
			continue
		}
		if isCapitals(in[:n]) {
			capitals = true
		} else {
			others = true
		}
		in = in[n:]
	}
	return capitals && others
}

// isCapitals reports whether a word of two letters or more has none in lower case.
func isCapitals(word []byte) bool {
	letters := 0
	for len(word) > 0 {
		r, n := utf8.DecodeRune(word)
		if unicode.IsLower(r) {
			return false
		}
		letters++
		word = word[n:]
	}
	return letters > 1
}

// wordLen returns how many bytes in begins with are of a word. Whatever isn't
// ASCII is: letters with accents, and nothing that would be passed on.
func wordLen(in []byte) int {
	for i, c := range in {
		if !isWord[c] {
			return i
		}
	}
	return len(in)
}

var isWord = func() (is [256]bool) {
	for c := range 256 {
		is[c] = c >= 0x80 || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
	}
	return is
}()

// Separators are what stands for itself between words and between digits: what names
// and numbers have there. Anything else becomes a space.
const nameSeparators, digitSeparators = " -',.()/&", " -./()+,"

func separator(c byte, of string) byte {
	if strings.IndexByte(of, c) < 0 {
		return ' '
	}
	return c
}

// lowerCase appends in in lower case, and tells whether it had letters of either.
// Invalid UTF-8 stays what it is.
func lowerCase(out, in []byte) (lowered []byte, upper, lower bool) {
	for i := 0; i < len(in); {
		c := in[i]
		switch {
		case c >= 'a' && c <= 'z':
			lower = true
		case c >= 'A' && c <= 'Z':
			upper = true
			c += 'a' - 'A'
		case c == 0xc3 && i+1 < len(in) && in[i+1]|0x20 >= 0xa0 && in[i+1]|0x20 <= 0xbe && in[i+1]|0x20 != 0xb7:
			// À to þ: nearly all letters with an accent that French has.
			if in[i+1] == in[i+1]|0x20 {
				lower = true
			} else {
				upper = true
			}
			out = append(out, c, in[i+1]|0x20)
			i += 2
			continue
		case c >= utf8.RuneSelf:
			r, n := utf8.DecodeRune(in[i:])
			if r == utf8.RuneError && n == 1 {
				break
			}
			small := unicode.ToLower(r)
			if small != r {
				upper = true
			} else if unicode.IsLower(r) {
				lower = true
			}
			out = utf8.AppendRune(out, small)
			i += n
			continue
		}
		out = append(out, c)
		i++
	}
	return out, upper, lower
}

// limit cuts what out has from start to max characters, which are ASCII; 0 is no
// limit.
func limit(out []byte, start, max int) []byte {
	if max > 0 && len(out)-start > max {
		return out[:start+max]
	}
	return out
}
