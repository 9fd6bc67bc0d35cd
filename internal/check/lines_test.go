package check

import (
	"slices"
	"strings"
	"testing"
)

func TestALineOfMoreThan120CharactersIsFound(t *testing.T) {
	full := strings.Repeat("x", 120)
	said := func(place, n string) string {
		return place + ": a line of " + n + " characters, of which it may have 120"
	}
	for _, tt := range []struct {
		name, content string
		want          []string
	}{
		{"an empty file", "", nil},
		{"the longest that there may be", full + "\n" + full, nil},
		{"one more", full + "x\n", []string{said("a.go:1", "121")}},
		{"without an end", "short\n\n" + full + "xx", []string{said("a.go:3", "122")}},
		{"more than one", full + "x\nshort\n" + full + "x\n", []string{said("a.go:1", "121"), said("a.go:3", "121")}},
		{"characters of more than a byte", strings.Repeat("é…", 60) + "\n", nil},
		{"one more of these", strings.Repeat("…", 121) + "\n", []string{said("a.go:1", "121")}},
		{"a tab is one", "\t" + full + "\n", []string{said("a.go:1", "121")}},
	} {
		t.Run(tt.name, func(t *testing.T) {
			if got := longLines("a.go", tt.content); !slices.Equal(got, tt.want) {
				t.Errorf("%q, not %q", got, tt.want)
			}
		})
	}
}
