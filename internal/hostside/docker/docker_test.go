package docker

import (
	"context"
	"errors"
	"fmt"
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

func TestWhatTheEngineTellsOfAContainerIsRead(t *testing.T) {
	all, err := parse([]byte(`[{"Id": "ab", "Name": "/mrs-1", "Image": "sha256:cd", "Mounts": [{"Source": "/home/x", "Destination": "/data"}], "RestartCount": 2, "State": {"Running": true, "Pid": 7, "StartedAt": "2026-11-02T08:00:00Z",
		"Status": "running", "Health": {"Status": "starting", "Log": [{"Output": "no"}]}}, "Created": "2026-11-02T07:00:00.5Z",
		"Config": {"Image": "mrs:1", "Env": ["A=b=c", "D"], "Labels": {"com.docker.compose.service": "django", "com.docker.compose.config-hash": "ef"}},
		"NetworkSettings": {"Networks": {"web": {"IPAddress": "172.18.0.3", "GlobalIPv6Address": ""}, "default": {"IPAddress": "172.19.0.2"}}}}]`))
	if err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprintf("%+v", all); got != `[{ID:ab Name:mrs-1 PID:7 Running:true Restarts:2 Started:2026-11-02T08:00:00Z Image:sha256:cd Named:mrs:1 Env:map[A:b=c D:] Folders:[/home/x] Mounts:map[/data:/home/x] Addresses:[172.19.0.2 172.18.0.3] Networks:[default web] Restart: Labels:map[com.docker.compose.config-hash:ef com.docker.compose.service:django] Status:running ExitCode:0 Health:starting Checks:[no] created:20261102070000.500000000}]` ||
		all[0].Service() != "django" || all[0].ConfigHash() != "ef" {
		t.Error(got)
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
	// The caller's own reason goes before it.
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(errors.New("interrupted"))
	if _, err := Run(ctx, "inspect", "x"); err == nil || err.Error() != "docker inspect: interrupted" {
		t.Errorf("%v", err)
	}
}
