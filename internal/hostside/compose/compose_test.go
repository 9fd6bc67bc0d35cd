package compose

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
)

func TestUpNamesAllInFull(t *testing.T) {
	p := Project{"mrs-x", "/home/x"}
	up := Up{Alone: true, Kept: true, Scale: map[string]int{"django": 2}, Wait: time.Minute, Services: []string{"django"}}
	got := strings.Join(p.argv([]string{"/home/x/f.yml"}, up.Argv()...), " ")
	want := "compose --progress plain --project-name mrs-x --project-directory /home/x --env-file /dev/null --file /home/x/f.yml " +
		"up --detach --no-deps --no-recreate --scale django=2 --wait --wait-timeout 60 django"
	if got != want {
		t.Errorf("%s\nnot %s", got, want)
	}
	if got := (Up{Orphans: true}).Argv(); !slices.Equal(got, []string{"up", "--detach", "--remove-orphans"}) {
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

func TestAnEngineOrARegistryThatHangsIsGivenUpByABoundThatIsNamed(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte("#!/bin/sh\necho pulling\nexec sleep 1000\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	defer func(r, a, p time.Duration) { reads, acts, pulls = r, a, p }(reads, acts, pulls)
	reads, acts, pulls = 50*time.Millisecond, 60*time.Millisecond, 70*time.Millisecond
	p := Project{"mrs-x", t.TempDir()}
	_, err := p.Resolved(t.Context(), "x.yml")
	for what, err := range map[string]error{
		"config": err, "stop": p.Stop(t.Context(), "x.yml"), "up": p.Up(t.Context(), "x.yml", Up{Wait: time.Millisecond}),
		"down": Down(t.Context(), "mrs-x", time.Millisecond),
	} {
		if _, ok := errors.AsType[*bound.Exceeded](err); !ok || !strings.HasPrefix(err.Error(), "docker compose "+what+" did not end within ") {
			t.Errorf("%s: %v", what, err)
		}
	}
	others := p.Pull(t.Context(), "x.yml")
	if len(others) != 1 || !strings.HasPrefix(others[0], "docker compose pull did not end within ") {
		t.Errorf("of a registry that stalls: %q", others)
	}
}
