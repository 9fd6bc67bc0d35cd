package anonymize

import (
	"crypto/aes"
	"crypto/cipher"
	"encoding/binary"
	"math/bits"
)

// prf is a pseudorandom function with a key: who doesn't have the key can't tell
// its outputs from random numbers, nor find an input by its output.
//
// It is AES-128 in CBC-MAC over the length and the input. With the length in
// front no message is the beginning of another, for which CBC-MAC is proved to
// be a PRF (Bellare, Kilian, Rogaway 1994). Processors have AES: eight bytes cost
// one block of 10 ns, which no hash function beats, and it is in the standard
// library.
type prf struct {
	block cipher.Block
	buf   [aes.BlockSize]byte // here, since what is handed to an interface's method is on the heap
}

func newPRF(key Key, purpose string) *prf {
	block, err := aes.NewCipher(key.derive(purpose))
	if err != nil {
		panic(err) // only for a key of another length
	}
	return &prf{block: block}
}

// sum returns 128 bits for in.
func (p *prf) sum(in []byte) (lo, hi uint64) {
	buf := p.buf[:]
	lo, hi = uint64(len(in)), 0
	if len(in) >= 8 {
		hi = binary.LittleEndian.Uint64(in)
		in = in[8:]
	} else {
		hi = partial(in)
		in = nil
	}
	for {
		binary.LittleEndian.PutUint64(buf, lo)
		binary.LittleEndian.PutUint64(buf[8:], hi)
		p.block.Encrypt(buf, buf)
		lo, hi = binary.LittleEndian.Uint64(buf), binary.LittleEndian.Uint64(buf[8:])
		switch {
		case len(in) >= 16:
			lo ^= binary.LittleEndian.Uint64(in)
			hi ^= binary.LittleEndian.Uint64(in[8:])
			in = in[16:]
		case len(in) >= 8:
			lo ^= binary.LittleEndian.Uint64(in)
			hi ^= partial(in[8:])
			in = nil
		case len(in) > 0:
			lo ^= partial(in)
			in = nil
		default:
			return lo, hi
		}
	}
}

// partial returns fewer than eight bytes as a number.
func partial(in []byte) (n uint64) {
	for i := len(in) - 1; i >= 0; i-- {
		n = n<<8 | uint64(in[i])
	}
	return n
}

// number returns 64 bits for two small numbers: the round of a permutation, and
// a half of what it permutes.
func (p *prf) number(tweak, half uint64) uint64 {
	buf := p.buf[:]
	binary.LittleEndian.PutUint64(buf, tweak)
	binary.LittleEndian.PutUint64(buf[8:], half)
	p.block.Encrypt(buf, buf)
	return binary.LittleEndian.Uint64(buf)
}

// rounds of a permutation. Six are enough for whoever may ask for as many pairs
// as the root of the domain (Patarin 2003); nobody can ask here.
const rounds = 8

// permute maps left and right, below a and b, to other such numbers, no two pairs
// to the same: a Feistel network over numbers instead of bits, as in FF1 (NIST
// SP 800-38G), which leaves no cycles to walk. Permutations with different tweaks
// have nothing to do with each other.
func (p *prf) permute(tweak, left, a, right, b uint64) (l, r uint64) {
	for round := uint64(0); round < rounds; round += 2 {
		left += below(p.number(tweak<<8|round, right), a)
		if left >= a {
			left -= a
		}
		right += below(p.number(tweak<<8|round+1, left), b)
		if right >= b {
			right -= b
		}
	}
	return left, right
}

// below maps a random number to one below n, all as likely but for 2⁻⁶⁴·n.
func below(random, n uint64) uint64 {
	high, _ := bits.Mul64(random, n)
	return high
}

// stream is as many numbers as are needed from one output of a prf. It need not
// be unpredictable from itself, only from the input: splitmix64 will do.
type stream uint64

func (s *stream) next() uint64 {
	*s += 0x9e3779b97f4a7c15
	z := uint64(*s)
	z = (z ^ z>>30) * 0xbf58476d1ce4e5b9
	z = (z ^ z>>27) * 0x94d049bb133111eb
	return z ^ z>>31
}

// digits is a supply of random digits, of letters and of other choices.
type digits struct {
	stream stream
	pool   uint64
	left   int
}

// below returns a number below n, which is at most 64: eight of 64 bits.
func (d *digits) below(n uint64) uint64 {
	if d.left == 0 {
		d.pool, d.left = d.stream.next(), 8
	}
	d.left--
	high, low := bits.Mul64(d.pool, n)
	d.pool = low
	return high
}
