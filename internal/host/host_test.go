package host

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/bigsudo"
)

func TestHostsAreWordsBetweenSpacesOrCommas(t *testing.T) {
	for list, want := range map[string][]string{
		"mrs.beta.gouv.fr":              {"mrs.beta.gouv.fr"},
		"@a.example.org @b.example.org": {"a.example.org", "b.example.org"},
		"deploy@a, b\n10.0.0.2":         {"deploy@a", "b", "10.0.0.2"},
		"root@[2001:db8::1] @[2001:db8::1]:2222,host:2222 user@host:22": {
			"root@[2001:db8::1]", "[2001:db8::1]:2222", "host:2222", "user@host:22"},
		"first.last@staging.mrs.beta.gouv.fr": {"first.last@staging.mrs.beta.gouv.fr"},
	} {
		got, err := Hosts(list)
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("Hosts(%q) = %q, %v; want %q", list, got, err, want)
		}
	}
}

func TestAllThatIsNoHostIsSaidAtOnce(t *testing.T) {
	_, err := Hosts("-oProxyCommand=x good a;b $(id) é 2001:db8::1")
	for _, want := range []string{`"-oProxyCommand=x"`, `"a;b"`, `"$(id)"`, `"é"`, "hint: an IPv6 address is in brackets: [2001:db8::1]"} {
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("error does not say %s: %v", want, err)
		}
	}
	if strings.Contains(err.Error(), `"good"`) {
		t.Errorf("a good host is refused: %v", err)
	}
	if _, err := Hosts(" , "); err == nil {
		t.Error("no host at all is accepted")
	}
}

func FuzzAHostIsNeverAnOption(f *testing.F) {
	for _, seed := range []string{"a b", "-v", "@-v", "u@-v", "a,@b", "a\x00b", "[::1]", "@@a"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, list string) {
		hosts, err := Hosts(list)
		if err == nil && len(hosts) == 0 {
			t.Error("neither a host nor an error")
		}
		for _, host := range hosts {
			if strings.HasPrefix(host, "-") || strings.Contains(host, "@-") || strings.ContainsAny(host, " \t\n\x00;$'\"") {
				t.Errorf("%q is a host", host)
			}
		}
	})
}

func TestARoleBecomesARequestWithoutWhatWasNotSaid(t *testing.T) {
	request, err := Role{Name: "ssh", Tasks: "adduser", Hosts: "a deploy@b", Vars: map[string]any{
		"username": "eve'; $(id)", "key": "", "usergroups": "sudo",
	}}.request()
	if err != nil {
		t.Fatal(err)
	}
	if got, want := strings.Join(request.Vars, ""), `{"usergroups":"sudo","username":"eve'; $(id)"}`; got != want {
		t.Errorf("variables %s, want %s", got, want)
	}
	if got, want := request.Hosts, []string{"@a", "deploy@b"}; !slices.Equal(got, want) {
		t.Errorf("hosts %q, want %q", got, want)
	}
	if request.Source != "yourlabs.ssh" || !slices.Equal(request.Tasks, []string{"adduser"}) || request.Args != nil {
		t.Errorf("request is %+v", request)
	}
}

func TestAnotherSSHConfigurationIsHandedOverAsOneWord(t *testing.T) {
	config := filepath.Join(t.TempDir(), "it's mine")
	if err := os.WriteFile(config, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	request, err := Role{Name: "ssh", Hosts: "a", Config: config}.request()
	if err != nil || len(request.Args) != 1 {
		t.Fatalf("options %q, %v", request.Args, err)
	}
	words, err := bigsudo.Words(strings.TrimPrefix(request.Args[0], "--ssh-common-args="))
	if err != nil || len(words) < 2 || words[0] != "-F" || words[1] != config {
		t.Errorf("options %q are the words %q, %v", request.Args, words, err)
	}
	_, err = Role{Name: "ssh", Hosts: "-x", Config: config + "no"}.request()
	if !errors.Is(err, fs.ErrNotExist) || !strings.Contains(err.Error(), `"-x"`) {
		t.Errorf("a missing file and a bad host are not both said: %v", err)
	}
}

func TestAHostThatDoesNotAnswerIsAStateNotAnError(t *testing.T) {
	config := filepath.Join(t.TempDir(), "config")
	text := "Host gone\n  HostName 127.0.0.1\n  Port 1\n"
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	states := Check(context.Background(), []string{"gone"}, config)
	if s := states[0]; s.SSH || s.Sudo || s.Host != "gone" || !strings.Contains(s.Problem, "hint: ") {
		t.Errorf("state is %+v", s)
	}
}

func TestAnImageHasTheProgramAndTheCertificates(t *testing.T) {
	dir := t.TempDir()
	trusted := filepath.Join(dir, "ca.pem")
	program := filepath.Join(dir, "traefik")
	for path, content := range map[string]string{trusted: "authorities", program: "program"} {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	defer func(was []string) { certificates = was }(certificates)
	certificates = []string{filepath.Join(dir, "none"), trusted}
	var image bytes.Buffer
	if err := pack(&image, program); err != nil {
		t.Fatal(err)
	}
	compressed, err := gzip.NewReader(&image)
	if err != nil {
		t.Fatal(err)
	}
	got := map[string]string{}
	for files := tar.NewReader(compressed); ; {
		header, err := files.Next()
		if err == io.EOF {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		content, _ := io.ReadAll(files)
		got[header.Name] = string(content)
	}
	if got["usr/local/bin/traefik"] != "program" || got["etc/ssl/certs/ca-certificates.crt"] != "authorities" || len(got) != 3 {
		t.Errorf("the image has %v", got)
	}
	certificates = certificates[:1]
	if err := pack(io.Discard, program); err == nil || !strings.Contains(err.Error(), "hint: ") {
		t.Errorf("an image without certificates: %v", err)
	}
}

func TestTraefikIsBuiltForKnownProcessorsOnly(t *testing.T) {
	for _, arch := range []string{"", "riscv64", "amd64/../x", "-o"} {
		if path, err := TraefikImage(context.Background(), arch, t.Logf); err == nil {
			t.Errorf("%q gives %s", arch, path)
		}
	}
}
