package address

import (
	"slices"
	"strings"
	"testing"
)

func TestAServerIsNamedInOneForm(t *testing.T) {
	for text, want := range map[string]Address{
		"staging.mrs.beta.gouv.fr": {Host: "staging.mrs.beta.gouv.fr"},
		"jpic@staging":             {User: "jpic", Host: "staging"},
		"host:2222":                {Host: "host", Port: 2222},
		"user@host:22":             {User: "user", Host: "host", Port: 22},
		"10.0.0.1:22":              {Host: "10.0.0.1", Port: 22},
		"[10.0.0.1]:22":            {Host: "10.0.0.1", Port: 22},
		"[2001:db8::1]":            {Host: "2001:db8::1"},
		"[2001:db8::1]:2222":       {Host: "2001:db8::1", Port: 2222},
		"root@[2001:db8::1]":       {User: "root", Host: "2001:db8::1"},
		"root@[::ffff:10.0.0.1]":   {User: "root", Host: "::ffff:10.0.0.1"},
		"root@[fe80::1%eth0]:22":   {User: "root", Host: "fe80::1%eth0", Port: 22},
	} {
		if got, err := Parse(text); got != want || err != nil {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
	}
}

func TestWhatIsNoServerIsRefusedWithAHint(t *testing.T) {
	for text, want := range map[string]string{
		"2001:db8::1":      "hint: an IPv6 address is in brackets: [2001:db8::1]",
		"root@2001:db8::1": "hint: an IPv6 address is in brackets: root@[2001:db8::1]",
		// Its last part would be a port as well as not.
		"root@2001:db8::1:2222": "hint: an IPv6 address is in brackets: root@[2001:db8::1:2222]",
		"":                      `"" is no host`,
		"@":                     `"" is no user name`,
		"jpic@":                 `"" is no host`,
		"@host":                 `"" is no user name`,
		"-l@host":               `"-l" is no user name`,
		"a@b@host":              `"a@b" is no user name`,
		"-oProxyCommand=x":      `"-oProxyCommand=x" is no host`,
		"host -v":               `"host -v" is no host`,
		"$(id)":                 `"$(id)" is no host`,
		"a\nb":                  `"a\nb" is no host`,
		"host-":                 `"host-" is no host`,
		"host:":                 `"" is no port`,
		"host:0":                `"0" is no port`,
		"host:65536":            `"65536" is no port`,
		"host:+22":              `"+22" is no port`,
		"host:ssh":              `"ssh" is no port`,
		"host:22:22":            `"host:22:22" is no host`,
		"[::1":                  `"[::1" has no end ]`,
		"[::1]x":                `"x" follows the brackets`,
		"[::1]:":                `"" is no port`,
		"[::1]2222":             `"2222" follows the brackets`,
		"[]:22":                 `"" is no host`,
		"[2001:db8::1::2]":      `"2001:db8::1::2" is no host`,
		"[fe80::1%e th]":        `"fe80::1%e th" is no host`,
		"[host:22]":             `"host:22" is no host`,
	} {
		got, err := Parse(text)
		if err == nil || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "\nhint: ") {
			t.Errorf("%q: got %+v, %v, want %s", text, got, err, want)
		}
	}
}

func TestSSHIsToldOfAnAddressInItsOwnWords(t *testing.T) {
	for text, want := range map[string]string{
		"box":                     "-- box",
		"root@[2001:db8::1]:2222": "-l root -p 2222 -- 2001:db8::1",
	} {
		a, err := Parse(text)
		if got := a.SSH(); err != nil || !slices.Equal(got, strings.Fields(want)) {
			t.Errorf("%s: got %q, %v, want %s", text, got, err, want)
		}
	}
}

func FuzzNothingBecomesAnOption(f *testing.F) {
	for _, seed := range []string{"jpic@staging:22", "[::1]:22", "-oX=y", "a@-l", "[fe80::1%-x]", "@@a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := Parse(text)
		if err != nil {
			return
		}
		if !IsHost(got.Host) || got.User != "" && !IsUser(got.User) || strings.HasPrefix(got.Host, "-") || strings.HasPrefix(got.User, "-") ||
			strings.ContainsAny(got.Host+got.User, " \t\r\n'\"$`;|&<>()\\/\x00") {
			t.Errorf("%q: %+v", text, got)
		}
	})
}
