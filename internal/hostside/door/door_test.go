package door

import (
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostside/docker"
)

func TestVisitsAreReadFromWhatIptablesLists(t *testing.T) {
	for list, want := range map[string]int{
		"Chain INPUT (policy ACCEPT 0 packets, 0 bytes)\n    pkts      bytes target     prot opt in     out     source               destination\n" +
			"      12      720            tcp  --  !lo    *       0.0.0.0/0            0.0.0.0/0            tcp dpt:8000 flags:0x17/0x02 /* mrs-ops-visits */\n": 12,
		"       0        0            6    --  !lo    *       0.0.0.0/0            0.0.0.0/0            tcp dpt:8000 flags:0x17/0x02 /* mrs-ops-visits */\n": 0,
		"       7        0 REJECT     6    --  !lo    *       0.0.0.0/0            0.0.0.0/0            tcp dpt:8000 /* mrs-ops-closed */\n":                 0,
		"": 0,
	} {
		if got := visits(list); got != want {
			t.Errorf("%d visits are read from %q", got, list)
		}
	}
}

func TestADoorThatIsNotTheContainersAloneStaysOpen(t *testing.T) {
	for _, networks := range [][]string{nil, {"host"}} {
		// There is no such process.
		err := Close(t.Context(), docker.Container{PID: 1 << 30, Networks: networks}, 8000)
		if err == nil || !strings.Contains(err.Error(), "no network of its own") {
			t.Errorf("%v: it was closed for whoever shares the network: %v", networks, err)
		}
	}
}
