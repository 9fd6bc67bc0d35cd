package deploy

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/local"
	"github.com/betagouv/mrs-ops/internal/remote"
)

func TestGoingBackTwiceGoesBackFurther(t *testing.T) {
	releases := []hostapi.Release{{Release: 4, What: "deploy a"}, {Release: 5, What: "deploy b"}, {Release: 6, What: "maintenance on"}, {Release: 7, What: "deploy c"}}
	for i, want := range []int{6, 5, 4} {
		got, found := before(releases)
		if !found || got.Release != want {
			t.Fatalf("after %d rollbacks: %+v, %v; want %d", i, got, found, want)
		}
		releases = append(releases, hostapi.Release{Release: 8 + i, What: "rollback to " + []string{"6", "5", "4"}[i]})
	}
	if got, found := before(releases); found {
		t.Errorf("before the first there is %+v", got)
	}
	for _, none := range [][]hostapi.Release{nil, {{Release: 1}}, {{Release: 9, What: "rollback to 2"}}, {{Release: 3, What: "rollback to 3"}}} {
		if got, found := before(none); found {
			t.Errorf("%+v: before it there is %+v", none, got)
		}
	}
}

func TestAReleaseIsShownByWhatTellsItsImageApart(t *testing.T) {
	long := []hostapi.Release{{Release: 1, Image: "mrs@sha256:" + strings.Repeat("ab", 32)}}
	if row := table(long, time.Now())[1]; row[3] != "mrs@sha256:abababababab" {
		t.Errorf("the image is %q", row[3])
	}
}

func TestADifferenceShowsNoSecretNeitherTheOldNorTheNew(t *testing.T) {
	have := "services:\n  django:\n    image: mrs:1\n    environment: {SECRET_KEY: old, HOST: a, GONE: '1'}\n  postgres:\n    environment: {POSTGRES_PASSWORD: hush}\n"
	want := "services:\n  django:\n    image: mrs:2\n    environment: {SECRET_KEY: new, HOST: a, LISTEN: 100}\n    ports: ['80:80']\n  postgres:\n    environment: {POSTGRES_PASSWORD: hush2}\n"
	got, err := differences(have, want)
	if err != nil {
		t.Fatal(err)
	}
	if want := []string{
		"- services.django.environment.GONE: 1",
		"+ services.django.environment.LISTEN: 100",
		"- services.django.environment.SECRET_KEY: ********",
		"+ services.django.environment.SECRET_KEY: ********",
		"- services.django.image: mrs:1",
		"+ services.django.image: mrs:2",
		"+ services.django.ports[0]: 80:80",
		"- services.postgres.environment.POSTGRES_PASSWORD: ********",
		"+ services.postgres.environment.POSTGRES_PASSWORD: ********",
	}; !slices.Equal(got, want) {
		t.Errorf("the differences are\n%s", strings.Join(got, "\n"))
	}
	if same, err := differences(want, want); err != nil || len(same) != 0 {
		t.Errorf("of the same: %q, %v", same, err)
	}
	if all, err := differences("", want); err != nil || len(all) != 6 {
		t.Errorf("of nothing: %q, %v", all, err)
	}
}

func TestTheServersBranchesAreReadAsItListsThem(t *testing.T) {
	now := time.Unix(1_800_000_000, 0)
	var branches []hostapi.Branch
	err := understood(`[{"project":"test-a","host":"a.test.example.org","until":"2027-01-22T08:00:00Z","state":"healthy"},
{"project":"test-b","state":"gone"},{"project":"test-c","until":"2023-11-14T22:13:20Z","state":"exited"}]`, &branches)
	if err != nil || len(branches) != 3 {
		t.Fatalf("%+v, %v", branches, err)
	}
	for i, want := range []string{"7d", "for ever", "its time has passed"} {
		if got := left(branches[i], now); got != want {
			t.Errorf("%s is left of %+v", got, branches[i])
		}
	}
	if branches[1].Host != "" || branches[1].State != "gone" {
		t.Errorf("%+v", branches[1])
	}
	if err := understood("what is that", &branches); err == nil {
		t.Error("anything is a branch")
	}
}

func TestOfAServersFailureTheReasonIsShownWithItsHint(t *testing.T) {
	failed := errors.New("exit status 1")
	for stderr, want := range map[string]string{
		"first\nthe reason\nhint: the mend\n": "the reason\nhint: the mend",
		"first\nthe reason\n":                 "the reason",
		"hint: alone":                         "hint: alone",
	} {
		for _, err := range []error{&local.Error{Argv: []string{"a"}, Stderr: stderr, Err: failed}, &remote.Error{Host: "h", Argv: []string{"a"}, Stderr: stderr, Err: failed}} {
			if got := said(err); got != want {
				t.Errorf("of %q is shown %q", stderr, got)
			}
		}
	}
}

func TestSlackIsToldOfTheChangeAndNotOfTheseRecipes(t *testing.T) {
	if got := (Options{}).change(); got != "" {
		t.Errorf("of nothing: %q", got)
	}
	o := Options{Image: "mrs:3f1c", Commit: "3f1c9ad0b7e24c5d", Author: "Alice", Link: "https://ci.example.org/1"}
	if got, want := o.change(), " (commit 3f1c9ad0, by Alice, mrs:3f1c, https://ci.example.org/1)"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}
