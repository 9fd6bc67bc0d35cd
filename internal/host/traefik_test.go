package host

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// What an image is called says nothing: a digest, a mirror's name, "latest".
func TestTraefiksImageIsAskedAndNotItsName(t *testing.T) {
	const (
		three  = `printf 'Version:      3.0.4\nCodename:     beaufort\n'`
		sees   = `echo '2026-11-29T10:00:00Z DBG Provider connection established with docker 28.2.2 (API 1.44) providerName=docker'`
		tooOld = `echo '2026-11-29T10:00:00Z ERR Failed to retrieve information of the docker client and server host ` +
			`error="Error response from daemon: client version 1.24 is too old. Minimum supported API version is 1.44" providerName=docker'`
		closed = `echo '2026-11-29T10:00:00Z ERR Failed to retrieve information of the docker client and server host error=EOF providerName=docker'`
	)
	for _, c := range []struct{ image, version, log, want string }{
		{"traefik:v3.0", three, sees, ""},
		{"registry.example:5000/infra/proxy@sha256:" + strings.Repeat("0a", 32), three, tooOld, "(Traefik 3.0.4) can't talk to this host's Docker engine " +
			"(29.0.1, API 1.44 to 1.52): Error response from daemon: client version 1.24 is too old. Minimum supported API version is 1.44\nhint: traefik_image="},
		{"traefik:latest", three, closed, "(29.0.1, API 1.44 to 1.52): EOF\nhint: "},
		{"traefik:v3.6", `printf 'Version: v3.6.2\n'`, sees, ""},
		{"traefik:v2.11", `printf 'Version:      2.11.8\n'`, sees, "is Traefik 2.11.8; this role's configuration is one of Traefik 3\nhint: "},
		{"traefik:v3", `printf 'Version:      2.11.8\n'`, sees, "is Traefik 2.11.8"},
		{"nginx", `echo 'exec: "version": not found' >&2; exit 127`, sees, "is no Traefik: it does not tell its version (exec: \"version\": not found)\nhint: "},
	} {
		bin := t.TempDir()
		docker := `#!/bin/sh
case "$*" in
*" version") ` + c.version + ` ;;
logs*) ` + c.log + ` ;;
version*) echo '29.0.1, API 1.44 to 1.52' ;;
esac`
		if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(docker), 0o700); err != nil {
			t.Fatal(err)
		}
		cmd := exec.Command("bash", "../../ansible/roles/traefik/files/ask.sh")
		cmd.Env = []string{"PATH=" + bin + ":" + os.Getenv("PATH"), "image=" + c.image}
		out, err := cmd.CombinedOutput()
		if err != nil || c.want == "" && len(out) > 0 || !strings.Contains(string(out), c.want) || c.want != "" && !strings.HasPrefix(string(out), c.image+" ") {
			t.Errorf("%s: %v, %q; want %q", c.image, err, out, c.want)
		}
	}
}
