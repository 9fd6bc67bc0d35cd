package anonymize

import (
	"fmt"
	"strconv"
	"strings"
)

// nirFaker makes social security numbers (NIR, INSEE): sex, year, month,
// department and commune of birth, order, and perhaps a key of two digits.
//
// The fakes keep the sex, have a key that is right, and months from 50 to 99. These
// are legal, INSEE gives them to people whose certificate of birth is incomplete,
// but next to nobody has one. All the rest is permuted: real numbers, with the
// months 01 to 12 or 20 to 42 and a department, have fakes that differ wherever
// they do. What has not the form of a NIR becomes characters of the same form.
type nirFaker struct {
	permutation *prf
	malformed   *prf
	max         int
	in          []byte
}

// Departments are 00 to 99, 2A and 2B; of these 00 and 96 are nobody's, which
// leaves a hundred.
const (
	departments = 100
	nirLefts    = 100 * 50 * departments // years, months, departments
	nirRights   = 1000 * 1000            // communes, orders
)

func (f *nirFaker) fake(out, in []byte, _ sex) []byte {
	f.in = compact(f.in[:0], in)
	var fake [15]byte
	if f.nir(&fake, f.in) {
		return appendAs(out, in, fake[:], nil, f.max)
	}
	random, _ := f.malformed.sum(f.in)
	return appendAs(out, in, nil, &digits{stream: stream(random)}, f.max)
}

// nir makes the fake of a NIR of 13 or 15 characters, and reports whether it is one.
func (f *nirFaker) nir(fake *[15]byte, in []byte) bool {
	if len(in) != 13 && len(in) != 15 {
		return false
	}
	corsica := in[5] == '2' && (in[6] == 'A' || in[6] == 'B')
	for i, c := range in {
		if (c < '0' || c > '9') && !(i == 6 && corsica) {
			return false
		}
	}
	year := uint64(two(in[1:]))
	var month uint64
	switch m := uint64(two(in[3:])); {
	case m >= 1 && m <= 12:
		month = m - 1
	case m >= 20 && m <= 42: // the same, of people whose birth is being looked up
		month = m - 20 + 12
	default:
		month = 35 + m%15
	}
	var department uint64
	if corsica {
		department = uint64(98 + in[6] - 'A')
	} else if department = uint64(two(in[5:])); department >= 97 {
		department -= 2 // 97, 98 and 99 follow 95
	} else if department > 0 {
		department = (department - 1) % 95
	}
	rest := uint64(two(in[7:]))*10000 + uint64(two(in[9:]))*100 + uint64(two(in[11:]))

	left, right := f.permutation.permute(0, (year*50+month)*departments+department, nirLefts, rest, nirRights)

	fake[0] = in[0]
	putTwo(fake[1:], left/(50*departments))
	putTwo(fake[3:], 50+left/departments%50)
	number := uint64(in[0]-'0')*10000 + left/(50*departments)*100 + 50 + left/departments%50
	switch d := left % departments; {
	case d >= 98:
		fake[5], fake[6] = '2', byte('A'+d-98)
		number = number*100 + 19 - (d - 98) // how the key counts 2A and 2B
	case d >= 95:
		putTwo(fake[5:], d+2)
		number = number*100 + d + 2
	default:
		putTwo(fake[5:], d+1)
		number = number*100 + d + 1
	}
	putTwo(fake[7:], right/10000)
	putTwo(fake[9:], right/100%100)
	putTwo(fake[11:], right%100)
	putTwo(fake[13:], 97-(number*1000000+right)%97)
	return true
}

// nirKey returns the key of a NIR of 13 characters: 97 less the remainder by 97 of
// the number that it is, 2A counting as 19 and 2B as 18.
func nirKey(nir string) (key string, ok bool) {
	nir = strings.NewReplacer("2A", "19", "2B", "18", "2a", "19", "2b", "18").Replace(nir[:7]) + nir[7:]
	number, err := strconv.ParseUint(nir, 10, 64)
	return fmt.Sprintf("%02d", 97-number%97), err == nil
}

// two returns the number of two digits.
func two(in []byte) int { return int(in[0]-'0')*10 + int(in[1]-'0') }

// putTwo writes a number below 100.
func putTwo(out []byte, n uint64) {
	out[0], out[1] = byte('0'+n/10), byte('0'+n%10)
}
