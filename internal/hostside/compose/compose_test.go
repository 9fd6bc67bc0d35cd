package compose

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
)

const traefik = `"labels": {"traefik.enable": "true", "traefik.http.services.mrs.loadbalancer.server.port": "8100"`

func TestWhatCountsOfAServiceIsReadFromAComposeFile(t *testing.T) {
	for name, test := range map[string]struct{ service, want string }{
		"it can run twice":                     {`{"image": "app", ` + traefik + `}}`, "app fixed= port=8100 checked=false unchecked=false"},
		"labels in a list":                     {`{"image": "app", "labels": ["traefik.enable=true", "other"]}`, "app fixed= port=0 checked=false unchecked=false"},
		"no load balancer is before it":        {`{"image": "app"}`, "app fixed=no load balancer is before it port=0 checked=false unchecked=false"},
		"it is switched off":                   {`{"image": "app", "labels": {"traefik.enable": false}}`, "app fixed=no load balancer is before it port=0 checked=false unchecked=false"},
		"a port, in short":                     {`{"ports": ["8000:8000"], ` + traefik + `}}`, " fixed=it publishes a port port=8100 checked=false unchecked=false"},
		"a port, at length":                    {`{"ports": [{"target": 1}], ` + traefik + `}}`, " fixed=it publishes a port port=8100 checked=false unchecked=false"},
		"a fixed name":                         {`{"container_name": "x", ` + traefik + `}}`, " fixed=its container has a fixed name port=8100 checked=false unchecked=false"},
		"a health check":                       {`{"healthcheck": {"test": ["CMD", "x"]}, ` + traefik + `}}`, " fixed= port=8100 checked=true unchecked=false"},
		"a health check in a word":             {`{"healthcheck": {"test": "x"}, ` + traefik + `}}`, " fixed= port=8100 checked=true unchecked=false"},
		"only its interval":                    {`{"healthcheck": {"interval": "1s"}, ` + traefik + `}}`, " fixed= port=8100 checked=false unchecked=false"},
		"no health check: disable":             {`{"healthcheck": {"disable": true}, ` + traefik + `}}`, " fixed= port=8100 checked=false unchecked=true"},
		"no health check: NONE":                {`{"healthcheck": {"test": ["NONE"]}, ` + traefik + `}}`, " fixed= port=8100 checked=false unchecked=true"},
		"no health check: disable, as a text":  {`{"healthcheck": {"disable": "yes", "test": ["CMD", "x"]}, ` + traefik + `}}`, " fixed= port=8100 checked=false unchecked=true"},
		"no health check: NONE, as a text":     {`{"healthcheck": {"test": "NONE"}, ` + traefik + `}}`, " fixed= port=8100 checked=false unchecked=true"},
		"no health check: NONE, not disabled":  {`{"healthcheck": {"disable": false, "test": ["NONE", "x"]}, ` + traefik + `}}`, " fixed= port=8100 checked=false unchecked=true"},
		"a health check that is not disabled":  {`{"healthcheck": {"disable": "false", "test": ["CMD", "x"]}, ` + traefik + `}}`, " fixed= port=8100 checked=true unchecked=false"},
		"the image's: an empty test":           {`{"healthcheck": {"test": []}, ` + traefik + `}}`, " fixed= port=8100 checked=false unchecked=false"},
		"the image's: nothing is said":         {`{"healthcheck": {}, ` + traefik + `}}`, " fixed= port=8100 checked=false unchecked=false"},
		"no health check: disable, and a test": {`{"healthcheck": {"disable": true, "test": "x"}, ` + traefik + `}}`, " fixed= port=8100 checked=false unchecked=true"},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := Parse([]byte(`{"services": {"s": ` + test.service + `}}`))
			if err != nil || len(all) != 1 {
				t.Fatal(all, err)
			}
			s := all[0]
			if got := fmt.Sprintf("%s fixed=%s port=%d checked=%t unchecked=%t", s.Image, s.Fixed, s.Port, s.Checked, s.Unchecked); got != test.want {
				t.Errorf("%s\nnot %s", got, test.want)
			}
		})
	}
}

func TestAnApplicationListensWhereItsLabelsSay(t *testing.T) {
	for labels, want := range map[string]int{
		"": 8000, "traefik.http.services.mrs.loadbalancer.server.port=8100": 8100, "traefik.http.services.mrs.loadbalancer.server.port=x": 8000,
		"traefik.tcp.services.mrs.loadbalancer.server.port=5432": 8000,
	} {
		name, value, _ := strings.Cut(labels, "=")
		if got := PortOf(map[string]string{name: value}); got != want {
			t.Errorf("%s: %d", labels, got)
		}
	}
}

func TestRoutesAreTheSameForAFileAndItsContainer(t *testing.T) {
	all, err := Parse([]byte(`{"services": {"s": {"labels": {"traefik.enable": "true", "traefik.a": "^x$$", "other": "1"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	container := map[string]string{"traefik.a": "^x$", "traefik.enable": "true", "com.docker.compose.service": "s"}
	if all[0].Routes != Routes(container) {
		t.Error("they differ")
	}
	container["traefik.a"] = "y"
	if all[0].Routes == Routes(container) {
		t.Error("other routes are the same")
	}
}

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
