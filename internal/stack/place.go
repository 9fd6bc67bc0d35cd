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
	return each(err, func(err error) error { return p.errorf("%s: %w", what, err) })
}

// each returns what becomes of the errors that are joined in err, joined.
func each(err error, become func(error) error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return become(err)
	}
	var errs []error
	for _, err := range joined.Unwrap() {
		errs = append(errs, become(err))
	}
	return errors.Join(errs...)
}
