package console

import (
	"testing"
	"time"
)

func TestASpanIsToldInTheLargestUnitThatSaysEnough(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0:                              "0s",
		119 * time.Second:              "119s",
		2 * time.Minute:                "2min",
		119 * time.Minute:              "119min",
		47 * time.Hour:                 "47h",
		48 * time.Hour:                 "2d",
		7*24*time.Hour - time.Minute:   "6d",
		-(3*time.Hour + 5*time.Minute): "3h",
	} {
		if got := Span(d); got != want {
			t.Errorf("%v is told as %s, want %s", d, got, want)
		}
	}
}
