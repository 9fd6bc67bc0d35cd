package remote

import (
	"flag"
	"fmt"
	"os"
	"os/user"
	"path/filepath"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/address"
)

var update = flag.Bool("update", false, "write the golden files")

func TestAJumpHostIsReadInTheFormsThatSSHPrints(t *testing.T) {
	for text, want := range map[string]address.Address{
		"bob@a:23":                {User: "bob", Host: "a", Port: 23},
		"[10.0.0.1]:22":           {Host: "10.0.0.1", Port: 22}, // what is numeric is in brackets
		"ssh://jpic@staging:2222": {User: "jpic", Host: "staging", Port: 2222},
		"ssh://[2001:db8::1]":     {Host: "2001:db8::1"},
	} {
		if got, err := parseTarget(text); got != want || err != nil {
			t.Errorf("%s: got %+v, %v, want %+v", text, got, err, want)
		}
	}
}

func TestSSHReadsItsConfigurationForAnyFormOfAHost(t *testing.T) {
	config := write(t, t.TempDir()+"/config", "Host 2001:db8::*\nPort 2200\nUserKnownHostsFile /dev/null\n")
	for text, want := range map[string]string{
		"root@[2001:db8::1]":      "root 2001:db8::1 2200 [2001:db8::1]:2200",
		"root@[2001:db8::1]:22":   "root 2001:db8::1 22 2001:db8::1",
		"root@[2001:DB8:0::1]:22": "root 2001:db8::1 22 2001:db8::1",
		"user@host:2222":          "user host 2222 [host]:2222",
		"user@host":               "user host 22 host",
	} {
		at, err := parseTarget(text)
		if err != nil {
			t.Fatal(err)
		}
		s, err := resolve(t.Context(), at, config)
		if err != nil {
			t.Fatal(err)
		}
		if got := fmt.Sprint(s.user, " ", s.host, " ", s.port, " ", s.knownName()); got != want {
			t.Errorf("%s: got %s, want %s", text, got, want)
		}
	}
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
