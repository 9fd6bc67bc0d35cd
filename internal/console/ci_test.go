package console

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// outside makes the environment that of no CI.
func outside(t *testing.T) {
	t.Helper()
	for _, name := range []string{"NO_COLOR", string(Drone), string(GitHub), string(GitLab)} {
		t.Setenv(name, "")
	}
}

// pipe returns the writing end of a pipe: what a runner gives as standard output.
func pipe(t *testing.T) *os.File {
	t.Helper()
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { r.Close(); w.Close() })
	return w
}

func TestTheLogOfACISystemIsColouredAndAFileOrAPipeIsNot(t *testing.T) {
	outside(t)
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	w := pipe(t)
	if Colour(w) {
		t.Error("a pipe is coloured where there is no CI")
	}
	for _, c := range []CI{Drone, GitHub, GitLab} {
		t.Run(c.String(), func(t *testing.T) {
			t.Setenv(string(c), "true")
			t.Setenv("TERM", "dumb") // what a runner has
			if !Colour(w) {
				t.Error("the log is not coloured")
			}
			if Colour(file) {
				t.Error("a file is coloured")
			}
			t.Setenv("NO_COLOR", "1")
			if Colour(w) {
				t.Error("NO_COLOR does not count")
			}
		})
	}
}

func TestGroupsAreFoldedInTheWordsOfEachSystem(t *testing.T) {
	noon := func() time.Time { return time.Unix(1700000000, 0) }
	for c, want := range map[CI]string{
		GitHub: "::group::push 100%25\nline\n::endgroup::\n",
		GitLab: "\x1b[0Ksection_start:1700000000:mrs_ops_N[collapsed=true]\r\x1b[0K\x1b[36mpush 100%\x1b[0m\nline\n\x1b[0Ksection_end:1700000000:mrs_ops_N\r\x1b[0K\n",
		Drone:  "line\n",
		"":     "line\n",
	} {
		var b strings.Builder
		groups.Store(6)
		end := group(&b, c, "push 100%", noon)
		b.WriteString("line\n")
		end()
		if got := strings.ReplaceAll(b.String(), "mrs_ops_7", "mrs_ops_N"); got != want {
			t.Errorf("%s: got %q, want %q", c, got, want)
		}
	}
}

func TestAMaskIsOneLineAndNeverEmpty(t *testing.T) {
	var b strings.Builder
	mask(&b, "50%\r\nsecond line")
	mask(&b, " ")
	mask(&b, "")
	if want := "::add-mask::50%25%0D%0Asecond line\n"; b.String() != want {
		t.Errorf("got %q, want %q", b.String(), want)
	}
}

// TestNobodyButGitHubsRunnerIsToldASecretToMask looks at what would be shown.
func TestNobodyButGitHubsRunnerIsToldASecretToMask(t *testing.T) {
	outside(t)
	said := func() string {
		t.Helper()
		r, w, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		real := os.Stdout
		os.Stdout = w
		Mask("hunter2")
		os.Stdout = real
		w.Close()
		defer r.Close()
		b := make([]byte, 100)
		n, _ := r.Read(b)
		return string(b[:n])
	}
	if got := said(); got != "" {
		t.Errorf("no CI: %q", got)
	}
	t.Setenv(string(GitLab), "true")
	if got := said(); got != "" {
		t.Errorf("GitLab: %q", got)
	}
	t.Setenv(string(GitHub), "true")
	if got := said(); got != "" {
		t.Errorf("GitLab and GitHub at once: %q", got)
	}
	t.Setenv(string(GitLab), "")
	if got := said(); got != "::add-mask::hunter2\n" {
		t.Errorf("GitHub: %q", got)
	}
	file, err := os.Create(filepath.Join(t.TempDir(), "log"))
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	real := os.Stdout
	os.Stdout = file
	Mask("hunter2")
	os.Stdout = real
	if content, _ := os.ReadFile(file.Name()); len(content) > 0 {
		t.Errorf("a file has %q", content)
	}
}
