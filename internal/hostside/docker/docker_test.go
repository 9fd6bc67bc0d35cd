package docker

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
)

func TestTheKernelsTableOfConnectionsIsRead(t *testing.T) {
	const table = `  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode
   0: 00000000:1F40 00000000:0000 0A 00000000:00000000 00:00000000 00000000  1000        0 35 1 0 100 0 0 10 0
   1: 030012AC:1F40 020012AC:D4B2 01 00000000:00000000 00:00000000 00000000  1000        0 36 1 0 20 4 30 10 -1
   2: 030012AC:A1B2 040012AC:1538 06 00000000:00000000 00:00000000 00000000     0        0 0 3 0
`
	all, err := ParseConnections(table)
	if err != nil {
		t.Fatal(err)
	}
	want := "[{0.0.0.0:8000 0.0.0.0:0 10} {172.18.0.3:8000 172.18.0.2:54450 1} {172.18.0.3:41394 172.18.0.4:5432 6}]"
	if got := fmt.Sprint(all); got != want {
		t.Errorf("reads %s\nwant  %s", got, want)
	}
	if all[0].Open() || !all[1].Open() || all[2].Open() {
		t.Error("not the connection alone that is established counts as open")
	}
	six, err := ParseConnections("head\n 0: 0000000000000000FFFF0000030012AC:1F40 B80D01200000000000000000010000:0 01\n")
	if err == nil {
		t.Errorf("half an address is read as %v", six)
	}
	six, err = ParseConnections("head\n 0: 0000000000000000FFFF0000030012AC:1F40 B80D0120000000000000000001000000:0001 01\n")
	if err != nil || fmt.Sprint(six) != "[{172.18.0.3:8000 [2001:db8::1]:1 1}]" {
		t.Errorf("reads %v, %v", six, err)
	}
}

func TestATableThatCannotBeReadIsAnError(t *testing.T) {
	for _, table := range []string{"head\n 0: x", "head\n 0: 0000:1 00000000:1 01", "head\n 0: 00000000:1 00000000:1 zz", "head\n 0: 00000000:1 00000000:FFFFF 01"} {
		if all, err := ParseConnections(table); err == nil {
			t.Errorf("%q is read as %v", table, all)
		}
	}
}

// listens has an engine that answers so.
func listens(t *testing.T, answer http.HandlerFunc) {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "s")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.Server{Listener: listener, Config: &http.Server{Handler: answer}}
	server.Start()
	t.Cleanup(server.Close)
	t.Cleanup(engine.CloseIdleConnections)
	t.Setenv("DOCKER_HOST", "unix://"+socket)
}

// told is what the engine tells, by what it is asked; everything else is not there.
type told map[string]string

func (a told) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	asked, _ := url.QueryUnescape(r.URL.RequestURI())
	if text, is := a[asked]; is {
		fmt.Fprint(w, text)
		return
	}
	w.WriteHeader(http.StatusNotFound)
	fmt.Fprintf(w, `{"message": "no such thing: %s"}`, r.URL.Path)
}

const ofMRS = `"com.docker.compose.project=mrs"`

func TestWhatTheEngineTellsIsRead(t *testing.T) {
	engine := told{
		`/containers/json?all=true&filters={"label":["com.docker.compose.oneoff=False",` + ofMRS + `]}`: `[{"Id": "ab"}, {"Id": "older"}]`,
		`/containers/ab/json`: `{"Id": "ab", "Name": "/mrs-1", "Image": "sha256:cd", "Mounts": [{"Source": "/home/x", "Destination": "/data"}], "RestartCount": 2, "State": {"Running": true, "Pid": 7, "StartedAt": "2026-11-02T08:00:00Z",
		"Status": "running", "Health": {"Status": "starting", "Log": [{"Output": "no"}]}}, "Created": "2026-11-02T07:00:00.5Z",
		"Config": {"Image": "mrs:1", "Env": ["A=b=c", "D"], "Labels": {"com.docker.compose.service": "django", "com.docker.compose.config-hash": "ef"}},
		"NetworkSettings": {"Networks": {"web": {"IPAddress": "172.18.0.3", "GlobalIPv6Address": ""}, "default": {"IPAddress": "172.19.0.2"}}}}`,
		`/containers/older/json`: `{"Id": "older", "Created": "2026-11-02T07:00:00.05Z"}`,
		`/containers/json?all=true&filters={"label":[` + ofMRS + `]}`: `[{"Id": "ab"}]`,
		`/networks?filters={"label":[` + ofMRS + `]}`:                 `[{"Id": "cd", "Name": "mrs_default"}]`,
		`/volumes?filters={"label":[` + ofMRS + `]}`:                  `{"Volumes": [{"Name": "mrs_data"}]}`,
		`/images/a.example:5000/mrs:1@sha256:0/json`:                  `{"Id": "sha256:cd", "RepoDigests": ["mrs@sha256:0"], "Config": {"Env": ["PG_MAJOR=15"], "Healthcheck": {"Test": ["NONE"]}}}`,
	}
	listens(t, engine.ServeHTTP)
	all, err := Project(t.Context(), "mrs")
	if err != nil || len(all) != 2 || all[0].ID != "older" {
		t.Fatalf("the oldest is not the first: %v, %v", all, err)
	}
	if got := fmt.Sprintf("%+v", all[1]); got != `{ID:ab Name:mrs-1 PID:7 Running:true Restarts:2 Started:2026-11-02T08:00:00Z Image:sha256:cd Named:mrs:1 Env:map[A:b=c D:] Folders:[/home/x] Mounts:map[/data:/home/x] Addresses:[172.19.0.2 172.18.0.3] Networks:[default web] Restart: Labels:map[com.docker.compose.config-hash:ef com.docker.compose.service:django] Status:running ExitCode:0 Health:starting Checks:[no] created:20261102070000.500000000}` ||
		all[1].Service() != "django" || all[1].ConfigHash() != "ef" {
		t.Error(got)
	}
	for kind, want := range map[string]string{"container": "ab", "network": "cd", "volume": "mrs_data"} {
		if got, err := Left(t.Context(), kind, "mrs"); err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: %v, %v", kind, got, err)
		}
	}
	image, err := ImageOf(t.Context(), "a.example:5000/mrs:1@sha256:0")
	if got := fmt.Sprintf("%+v", image); err != nil || got != "{ID:sha256:cd Digests:[mrs@sha256:0] Env:map[PG_MAJOR:15] Checked:false}" {
		t.Errorf("%s, %v", got, err)
	}
	if image, err := ImageOf(t.Context(), "other"); image.ID != "" || err != nil {
		t.Errorf("an image that is not there: %+v, %v", image, err)
	}
	if _, err := Inspect(t.Context(), "gone"); err == nil || err.Error() != "docker /containers/gone/json: no such thing: /containers/gone/json" {
		t.Errorf("a container that is not there: %v", err)
	}
}

func TestAContainerThatGoesBetweenTwoQuestionsIsNone(t *testing.T) {
	asked := 0
	listens(t, func(w http.ResponseWriter, r *http.Request) {
		switch {
		case r.URL.Path != "/containers/json":
			http.NotFound(w, r)
		case asked == 0:
			fmt.Fprint(w, `[{"Id": "going"}]`)
		default:
			fmt.Fprint(w, `[]`)
		}
		asked++
	})
	if all, err := Project(t.Context(), "mrs"); len(all) != 0 || err != nil {
		t.Errorf("%v, %v", all, err)
	}
}

func TestAnEngineThatHangsIsGivenUpByABoundThatIsNamed(t *testing.T) {
	bin := t.TempDir()
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte("#!/bin/sh\nexec sleep 1000\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	defer func(a, p time.Duration) { answers, pulls = a, p }(answers, pulls)
	answers, pulls = 90*time.Millisecond, 50*time.Millisecond
	for command, limit := range map[string]time.Duration{"inspect": answers, "pull": pulls} {
		_, err := Run(t.Context(), command, "x")
		hit, ok := err.(*bound.Exceeded)
		if !ok || hit.Name != "docker "+command || hit.Limit.Total != limit {
			t.Errorf("%s: %v", command, err)
		}
	}
	listens(t, func(_ http.ResponseWriter, r *http.Request) { <-r.Context().Done() })
	if _, err := Inspect(t.Context(), "x"); err == nil || err.Error() != (&bound.Exceeded{Name: "docker /containers/x/json", Limit: bound.Time(answers), Total: true}).Error() {
		t.Errorf("%v", err)
	}
	// The caller's own reason goes before it.
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	if _, err := Run(ctx, "inspect", "x"); err == nil || err.Error() != "docker inspect: interrupted" {
		t.Errorf("%v", err)
	}
	if _, err := Inspect(ctx, "x"); err == nil || err.Error() != "docker /containers/x/json: interrupted" {
		t.Errorf("%v", err)
	}
}

func TestAnEngineThatDoesNotRunIsSaid(t *testing.T) {
	t.Setenv("DOCKER_HOST", "unix:///nowhere")
	if _, err := Inspect(t.Context(), "x"); err == nil || err.Error() != "docker /containers/x/json: dial unix /nowhere: connect: no such file or directory" {
		t.Errorf("%v", err)
	}
}
