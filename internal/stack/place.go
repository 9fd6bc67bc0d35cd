package stack

import (
	"errors"
	"fmt"
	"strings"
)

// place is where something stands: a file or an override, and as far down as known.
type place struct{ file, service, key string }

func (p place) String() string {
	words := []string{p.file}
	if p.service != "" {
		words = append(words, "service "+p.service)
	}
	if p.key != "" {
		words = append(words, p.key)
	}
	return strings.Join(words, ": ")
}

// errorf returns an error about this place.
func (p place) errorf(format string, args ...any) error {
	return fmt.Errorf("%s: %w", p, fmt.Errorf(format, args...))
}

// each returns the errors joined in err, each about what stands at this place.
func (p place) each(what string, err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return p.errorf("%s: %w", what, err)
	}
	var errs []error
	for _, err := range joined.Unwrap() {
		errs = append(errs, p.errorf("%s: %w", what, err))
	}
	return errors.Join(errs...)
}

// didYouMean returns a hint line with the known word that is nearest to word,
// and nothing where none is near.
func didYouMean(word string, known []string) string {
	best, distance := "", 3
	for _, candidate := range known {
		if d := editDistance(word, candidate); d < distance && d < len(candidate) {
			best, distance = candidate, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf("\nhint: did you mean %s?", best)
}

// editDistance returns how many characters to insert, delete or replace, or
// neighbours to swap, for a to become b.
func editDistance(a, b string) int {
	var beforeLast []int
	last := make([]int, len(b)+1)
	for j := range last {
		last[j] = j
	}
	for i := range len(a) {
		row := make([]int, len(b)+1)
		row[0] = i + 1
		for j := range len(b) {
			cost := 1
			if a[i] == b[j] {
				cost = 0
			}
			row[j+1] = min(row[j]+1, last[j+1]+1, last[j]+cost)
			if i > 0 && j > 0 && a[i] == b[j-1] && a[i-1] == b[j] {
				row[j+1] = min(row[j+1], beforeLast[j-1]+1)
			}
		}
		beforeLast, last = last, row
	}
	return last[len(b)]
}
