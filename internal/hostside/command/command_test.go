package command

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"
)

// kept begins a log, and returns what is in it later, without times.
func kept(t *testing.T) func() []string {
	t.Helper()
	folder := filepath.Join(t.TempDir(), "log")
	Keep(folder, "mrs-x")
	t.Cleanup(func() { log.Store(nil) })
	times := regexp.MustCompile(`^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z (\S+) \d+\.\d{3} `)
	return func() (lines []string) {
		file := filepath.Join(folder, "mrs-x.commands.log")
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%v, %v", info, err)
		}
		text, _ := os.ReadFile(file)
		for line := range strings.Lines(string(text)) {
			if !times.MatchString(line) {
				t.Errorf("a line has another form: %q", line)
			}
			lines = append(lines, times.ReplaceAllString(strings.TrimSuffix(line, "\n"), "$1 "))
		}
		return lines
	}
}

func TestEveryProgramIsWrittenDownAsItWasRunWithItsEnd(t *testing.T) {
	lines := kept(t)
	ctx := t.Context()
	_ = Context(ctx, "true", "a b", "it's", "two\nlines", "").Run()
	_, _ = Context(ctx, "sh", "-c", "exit 3").Output()
	_, _ = Context(ctx, "sh", "-c", "kill -TERM $$").CombinedOutput()
	_ = Context(ctx, "/no/such/program").Run()
	in := Context(ctx, "cat")
	in.Dir, in.Stdin = "/", strings.NewReader("")
	if err := errors.Join(in.Start(), in.Wait()); err != nil {
		t.Error(err)
	}
	if err := Context(ctx, "sleep", "0").Leave(); err != nil {
		t.Error(err)
	}
	want := []string{
		`0 true 'a b' 'it'\''s' $'two\nlines' ''`,
		"3 sh -c 'exit 3'",
		"143 sh -c 'kill -TERM $$'",
		"? /no/such/program",
		"0 cd / && cat",
		"- sleep 0",
	}
	if got := lines(); strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("%q", got)
	}
}

func TestWhatAProgramReadsAndItsEnvironmentAreNeverWrittenDown(t *testing.T) {
	lines := kept(t)
	cmd := Context(t.Context(), "cat")
	cmd.Stdin, cmd.Env = strings.NewReader("hush-input"), []string{"RESTIC_PASSWORD=hush-environment"}
	if out, err := cmd.Output(); string(out) != "hush-input" || err != nil {
		t.Fatal(string(out), err)
	}
	// None of these words is anywhere; if one is, one day, it is not here.
	_ = Context(
		t.Context(),
		"true",
		"--env",
		"DB_PASSWORD=hush-1",
		"PGPASSWORD=hush-2",
		"S3_SECRET_ACCESS_KEY=hush-3",
		"LFTP_DSN=hush-4",
		"ftp://mirror:hush-5@host/x",
		"SLACK_TOKEN=hush-6",
		"--password=hush-7",
		"--keep-last=7",
		"tokens",
	).Run()
	got := strings.Join(lines(), "\n")
	if strings.Contains(got, "hush") || !strings.Contains(got, "--keep-last=7 tokens") ||
		!strings.Contains(got, "'ftp://mirror:…@host/x'") {
		t.Errorf("%s", got)
	}
}

func TestALineIsOfTheTimeWhenItBeganAndSaysHowLongItTook(t *testing.T) {
	c := Context(t.Context(), "restic", "check")
	c.Dir, c.began = "/home/mrs x", time.Date(2026, 11, 29, 13, 0, 0, 5e6, time.UTC)
	want := "2026-11-29T13:00:00.005Z 0 61.500 cd '/home/mrs x' && restic check\n"
	if got := c.line("0", c.began.Add(61500*time.Millisecond)); got != want {
		t.Errorf("%q", got)
	}
}

func TestNothingIsWrittenDownWhereNobodyKeepsIt(t *testing.T) {
	if err := Context(t.Context(), "true").Run(); err != nil {
		t.Error(err)
	}
	t.Cleanup(func() { log.Store(nil) })
	Keep(t.TempDir(), "../mrs-x") // no project is called so
	if log.Load() != nil {
		t.Error("it is written down outside of the folder")
	}
	Keep("/dev/null/no-folder", "mrs-x") // nothing fails for it
	if err := Context(t.Context(), "true").Run(); err != nil {
		t.Error(err)
	}
}

func TestMrsHostRunsNothingElsewhere(t *testing.T) {
	for _, root := range []string{"..", "../../../cmd/mrs-host"} {
		err := filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() || filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return err
			}
			text, err := os.ReadFile(path)
			if regexp.MustCompile(`\bexec\.Command|\bos\.StartProcess`).Match(text) &&
				filepath.Base(path) != "command.go" {
				t.Errorf("%s runs a program that is not written down\nhint: command.Context", path)
			}
			return err
		})
		if err != nil {
			t.Error(err)
		}
	}
}

func TestWhoUndoesIsAloneWithWhatItRuns(t *testing.T) {
	group := func() string {
		out, err := Context(t.Context(), "sh", "-c", "ps -o pgid= -p $$").Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	ours := fmt.Sprint(syscall.Getpgrp())
	if got := group(); got != ours {
		t.Errorf("its group is %s, not %s", got, ours)
	}
	Apart()
	t.Cleanup(func() { apart.Store(false) })
	if got := group(); got == ours {
		t.Error("Ctrl-C is for it, too")
	}
}
