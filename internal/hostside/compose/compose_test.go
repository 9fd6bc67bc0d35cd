package compose

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"
)

func TestUpNamesAllInFull(t *testing.T) {
	p := Project{"mrs-x", "/home/x"}
	up := Up{Alone: true, Kept: true, Scale: map[string]int{"django": 2}, Wait: time.Minute, Services: []string{"django"}}
	got := strings.Join(p.argv([]string{"/home/x/f.yml"}, up.argv()...), " ")
	want := "compose --progress plain --project-name mrs-x --project-directory /home/x --env-file /dev/null --file /home/x/f.yml " +
		"up --detach --no-deps --no-recreate --scale django=2 --wait --wait-timeout 60 django"
	if got != want {
		t.Errorf("%s\nnot %s", got, want)
	}
	if got := (Up{Orphans: true}).argv(); !slices.Equal(got, []string{"up", "--detach", "--remove-orphans"}) {
		t.Error(got)
	}
}

func TestAnErrorIsWhatComposeSaidLast(t *testing.T) {
	for said, want := range map[string]string{"a\nb\n": "docker compose up: b", "": "docker compose up: exit status 1"} {
		if err := (&Error{What: "up", Said: said, Err: errors.New("exit status 1")}); err.Error() != want {
			t.Error(err)
		}
	}
}
