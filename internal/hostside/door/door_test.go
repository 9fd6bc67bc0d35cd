package door

import "testing"

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
