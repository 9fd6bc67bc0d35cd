package preflight

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// fake is a host.
type fake struct {
	root            bool
	engine, compose string // versions; empty: it does not answer
	free            uint64
	elsewhere       []string
	programs        string
}

func answer(version string) (string, error) {
	if version == "" {
		return "", errors.New("exit status 1")
	}
	return version, nil
}

func (f fake) Root() bool                                          { return f.root }
func (f fake) Engine(context.Context) (string, error)              { return answer(f.engine) }
func (f fake) Compose(context.Context) (string, error)             { return answer(f.compose) }
func (f fake) Free(string) (uint64, error)                         { return f.free, nil }
func (f fake) Elsewhere(context.Context, string) ([]string, error) { return f.elsewhere, nil }
func (f fake) Has(program string) bool                             { return strings.Contains(f.programs, program) }

func TestAllThatKeepsAHostFromTakingAStackIsSaidAtOnce(t *testing.T) {
	well := fake{root: true, engine: "20.10.24", compose: "2.27.0", free: 1 << 30, elsewhere: []string{"/home/mrs", ""}}
	with := func(change func(*fake)) fake { f := well; change(&f); return f }
	for name, test := range map[string]struct {
		host fake
		want []string
	}{
		"nothing":             {well, nil},
		"no engine":           {with(func(f *fake) { f.engine = "" }), []string{"the Docker engine does not answer\nhint: systemctl start docker, or dockerd"}},
		"an old Compose":      {with(func(f *fake) { f.compose = "1.29.2" }), []string{"Compose is 1.29.2, not 2 or newer\nhint: install docker-compose-plugin"}},
		"a full disk":         {with(func(f *fake) { f.free = 100 << 20 }), []string{"/ has 100 MiB free, less than 256\nhint: docker system df, df -h /"}},
		"the project's there": {with(func(f *fake) { f.elsewhere = []string{"/x", "/home/mrs", "/x"} }), []string{"project mrs runs already, from /x\nhint: another last part of home makes another project"}},
		"all of it": {fake{}, []string{"this needs root\nhint: become root", "the Docker engine does not answer\nhint: systemctl start docker, or dockerd",
			"there is no Compose plugin\nhint: install docker-compose-plugin", "/ has 0 MiB free, less than 256\nhint: docker system df, df -h /"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, err := range Problems(t.Context(), test.host, "mrs", "/home/mrs") {
				got = append(got, strings.ReplaceAll(err.Error(), "/home", "/"))
			}
			// Which of them is there depends on the machine.
			if g, w := strings.ReplaceAll(fmt.Sprintf("%q", got), "//", "/"), fmt.Sprintf("%q", test.want); g != w {
				t.Errorf("%s\nnot %s", g, w)
			}
		})
	}
}

func TestPackagesAreInstalledByWhatTheHostHas(t *testing.T) {
	for programs, want := range map[string]string{
		"apt-get": "[[apt-get -o DPkg::Lock::Timeout=300 update --quiet] [apt-get -o DPkg::Lock::Timeout=300 install --yes --quiet --no-install-recommends restic lftp]]",
		"dnf":     "[[dnf install --assumeyes --quiet restic lftp]]",
		"pacman":  "[]",
	} {
		if got := fmt.Sprint(Installer(fake{programs: programs}.Has, "restic", "lftp")); got != want {
			t.Errorf("%s: %s", programs, got)
		}
	}
}

func TestWhoeverInstallsPackagesIsWaitedFor(t *testing.T) {
	again = time.Millisecond
	dir := t.TempDir()
	script := `#!/bin/sh
case "$*" in
*update*)
	echo x >>"$0.tries"
	[ "$(wc -l <"$0.tries")" -gt 2 ] || { echo "E: Unable to lock directory /var/lib/apt/lists/"; exit 100; } ;;
*nowhere*) echo "E: Unable to locate package nowhere"; exit 100 ;;
*) for name; do :; done; printf '#!/bin/sh\n' >"${0%/*}/$name"; chmod 755 "${0%/*}/$name" ;;
esac
`
	if err := os.WriteFile(dir+"/apt-get", []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	if err := Install(t.Context(), This{}, "mrs-ops-no-such-program"); err != nil || !(This{}).Has("mrs-ops-no-such-program") {
		t.Errorf("%v", err)
	}
	err := Install(t.Context(), This{}, "nowhere")
	if err == nil || !strings.Contains(err.Error(), "E: Unable to locate package nowhere") {
		t.Errorf("what there is not: %v", err)
	}
}

// "some" was a word of the script before this, and listed what all projects run from.
func TestAProjectOfAnyNameIsAskedAboutByThatNameAlone(t *testing.T) {
	bin := t.TempDir()
	docker := "#!/bin/sh\n[ \"$5\" = '--format' ] && echo \"$4\"\n"
	if err := os.WriteFile(filepath.Join(bin, "docker"), []byte(docker), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	for _, project := range []string{"some", "all", "mrs-some", "0"} {
		got, err := This{}.Elsewhere(t.Context(), project)
		if want := "label=com.docker.compose.project=" + project; err != nil || len(got) != 1 || got[0] != want {
			t.Errorf("%s: %q, %v", project, got, err)
		}
	}
}
