package remote

import (
	"flag"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files")

func TestATargetIsReadAsSSHReadsIt(t *testing.T) {
	for text, want := range map[string]target{
		"staging.mrs.beta.gouv.fr": {host: "staging.mrs.beta.gouv.fr"},
		"jpic@staging":             {user: "jpic", host: "staging"},
		"jpic@staging:2222":        {user: "jpic", host: "staging", port: 2222},
		"10.0.0.1:22":              {host: "10.0.0.1", port: 22},
		"2001:db8::1":              {host: "2001:db8::1"},
		"[2001:db8::1]:2222":       {host: "2001:db8::1", port: 2222},
		"root@[fe80::1%eth0]":      {user: "root", host: "fe80::1%eth0"},
		"ssh://jpic@staging:2222":  {user: "jpic", host: "staging", port: 2222},
	} {
		if got, err := parseTarget(text); got != want || err != nil {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
	}
}

func TestWhatIsNoTargetIsRefused(t *testing.T) {
	for _, text := range []string{
		"", "@", "jpic@", "@host", "-oProxyCommand=x", "host -v", "ho'st", "$(id)", "host;id", "a\nb", "-l@host", "a b@host",
		"host:", "host:0", "host:65536", "host:ssh", "host:22:22", "[::1", "[::1]x", "[::1]:", "a@b@c d", "host-", ".",
	} {
		if got, err := parseTarget(text); err == nil {
			t.Errorf("%q: got %+v", text, got)
		}
	}
}

func FuzzNothingBecomesAnOptionOfSSH(f *testing.F) {
	for _, seed := range []string{"jpic@staging:22", "[::1]:22", "-oX=y", "a@-l", "ssh://x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		got, err := parseTarget(text)
		if err != nil {
			return
		}
		if got.host == "" || strings.HasPrefix(got.host, "-") || strings.HasPrefix(got.user, "-") || strings.ContainsAny(got.host+got.user, " \t\n'\"$`;|&<>\\\x00") {
			t.Errorf("%q: %+v", text, got)
		}
	})
}

// TestWhatSSHSaysBecomesSettings reads recorded output of `ssh -G`.
func TestWhatSSHSaysBecomesSettings(t *testing.T) {
	files, err := filepath.Glob("testdata/*.ssh-G")
	if err != nil || len(files) == 0 {
		t.Fatal(files, err)
	}
	for _, file := range files {
		t.Run(filepath.Base(file), func(t *testing.T) {
			text, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			s, err := parseSettings(string(text), "box", jpic, environment)
			got := fmt.Sprintf("error: %v\n", err)
			if err == nil {
				got = strings.ReplaceAll(fmt.Sprintf("%#v\n", *s), ", ", ",\n")
			}
			golden(t, strings.TrimSuffix(file, ".ssh-G")+".golden", got)
		})
	}
}

func golden(t *testing.T, file, got string) {
	t.Helper()
	if *update {
		if err := os.WriteFile(file, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s: got\n%s\nwant\n%s", file, got, want)
	}
}

var jpic = &user.User{Username: "jpic", Uid: "1000", HomeDir: "/home/jpic"}

func environment(name string) string {
	return map[string]string{"SSH_AUTH_SOCK": "/run/agent.1", "OTHER": "/run/other"}[name]
}

func TestTheAgentIsTheOneThatTheConfigurationChooses(t *testing.T) {
	s := &settings{host: "10.0.0.1", user: "deploy", port: 22}
	for value, want := range map[string]string{
		"none":             "",
		"SSH_AUTH_SOCK":    "/run/agent.1",
		"$OTHER":           "/run/other",
		"${OTHER}":         "/run/other",
		"~/.agent-%r@%h":   "/home/jpic/.agent-deploy@10.0.0.1",
		"/run/user/%i/ssh": "/run/user/1000/ssh",
	} {
		if got, err := agentSocket(value, s.expander("box", jpic), environment); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", value, got, err, want)
		}
	}
}

func TestTokensOfPathsAreExpandedOrRefused(t *testing.T) {
	s := &settings{host: "10.0.0.1", user: "deploy", port: 2222, alias: "other"}
	expand := s.expander("box", jpic)
	for path, want := range map[string]string{
		"~/.ssh/id":               "/home/jpic/.ssh/id",
		"%d/%u/%h/%n/%p/%r/100%%": "/home/jpic/jpic/10.0.0.1/box/2222/deploy/100%",
		"%k":                      "other",
		"a~/b":                    "a~/b",
	} {
		if got, err := expand(path); got != want || err != nil {
			t.Errorf("%s: got %q, %v, want %q", path, got, err, want)
		}
	}
	for _, path := range []string{"%", "%C", "a%"} {
		if got, err := expand(path); err == nil {
			t.Errorf("%s: got %q", path, got)
		}
	}
}
