package application

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
)

// fake is an application that answers a command by its words.
type fake struct {
	answers map[string]string
	fails   string
	ran     []string
}

func (f *fake) exec(_ context.Context, env []string, input io.Reader, argv ...string) (string, error) {
	line := strings.Join(append(env, argv...), " ")
	if input != nil {
		given, _ := io.ReadAll(input)
		line += " <<<" + strings.TrimSpace(string(given))
	}
	f.ran = append(f.ran, line)
	if f.fails != "" && strings.Contains(line, f.fails) {
		return "", errors.New("exit status 1")
	}
	return f.answers[argv[1]], nil
}

func TestAnInstanceIsOpenedToDevelopersByTheApplicationsOwnCommands(t *testing.T) {
	app := &fake{}
	if err := MRS.OpenTo(t.Context(), app.exec, "dev", "secret"); err != nil {
		t.Fatal(err)
	}
	if len(app.ran) != 1 || !strings.HasPrefix(app.ran[0], "DEBUG= mrs shell -c import sys\n") ||
		!strings.Contains(app.ran[0], `(username="dev")`) || !strings.HasSuffix(app.ran[0], " <<<secret") {
		t.Errorf("ran\n%s", strings.Join(app.ran, "\n"))
	}
	if err := MRS.OpenTo(t.Context(), (&fake{fails: "shell"}).exec, "dev", "secret"); err == nil || strings.Contains(err.Error(), "secret") {
		t.Errorf("where it fails: %v", err)
	}
}

func TestTheTestDataIsLoadedAsTheApplicationNeedsIt(t *testing.T) {
	app := &fake{}
	if err := MRS.Fill(t.Context(), app.exec); err != nil {
		t.Fatal(err)
	}
	if want := "CI=1 DEBUG= mrs loaddata src/mrs/tests/data.json"; app.ran[0] != want {
		t.Errorf("ran %q, want %q", app.ran[0], want)
	}
}

func TestMigrationsThatAreNotAppliedAreNamed(t *testing.T) {
	for out, want := range map[string]string{
		"[X]  auth.0001_initial\n[X]  mrs.0002_more\n":                  "",
		"[X]  auth.0001_initial\n[ ]  mrs.0002_more\n[ ]  mrs.0003_x\n": "not all migrations are applied: mrs.0002_more, mrs.0003_x",
		"": "no migration is applied",
	} {
		app := &fake{answers: map[string]string{"showmigrations": out}}
		err := MRS.Migrated(t.Context(), app.exec)
		if want == "" && err != nil || want != "" && (err == nil || err.Error() != want) {
			t.Errorf("%q: %v, want %q", out, err, want)
		}
	}
	if err := MRS.Migrated(t.Context(), (&fake{fails: "showmigrations"}).exec); err == nil {
		t.Error("an application that can't tell has all migrations")
	}
}

func TestWhetherThereIsAUserIsAsked(t *testing.T) {
	for out, want := range map[string]bool{"id username\n1  dev\n": true, "No result found !\n": false, "": false, "id username\n1  developer\n": false} {
		got, err := MRS.Has(t.Context(), (&fake{answers: map[string]string{"ls": out}}).exec, "dev")
		if err != nil || got != want {
			t.Errorf("%q: %t, %v", out, got, err)
		}
	}
}

func TestAPasswordIsComparedAsDjangoDoes(t *testing.T) {
	const hash = "pbkdf2_sha256$150000$abcdefghijkl$VShx1nk/kOv7Jcnb/PoX5sg/AvN4U3JiKVDk5/2TAec="
	for password, want := range map[string]bool{"test": true, "dev": false, "": false} {
		if got := Opens(hash, password); got != want {
			t.Errorf("%q: %t", password, got)
		}
	}
	for _, hash := range []string{"", "!", "!abc", "pbkdf2_sha256$x$y$z", "pbkdf2_sha256$0$y$", "pbkdf2_sha256$99999999999$y$", "argon2$a$b$c"} {
		if Opens(hash, "test") || Opens(hash, "") {
			t.Errorf("%q is opened", hash)
		}
	}
}

func TestWhoHasAPasswordThatEverybodyKnowsIsOpen(t *testing.T) {
	const ofTest = "pbkdf2_sha256$150000$abcdefghijkl$VShx1nk/kOv7Jcnb/PoX5sg/AvN4U3JiKVDk5/2TAec="
	for want, hashes := range map[string]map[string]string{
		"[test]": {"test": ofTest, "dev": ofTest, "ann": ofTest}, // of dev and ann, nobody knows it
		"[]":     {"dev": "!", "": ""},
	} {
		if got := fmt.Sprint(Open(hashes)); got != want || Open(hashes) == nil {
			t.Errorf("%s, not %s", got, want)
		}
	}
}

func TestTheJobsClockIsThatOfTheApplication(t *testing.T) {
	for out, want := range map[string]string{"+0100\n": "09:00", "+0000\n": "08:00", "-0330": "04:30", "": "", "CET": ""} {
		app := func(context.Context, []string, io.Reader, ...string) (string, error) { return out, nil }
		zone, err := MRS.Zone(t.Context(), app)
		if want == "" {
			if err == nil {
				t.Errorf("%q is read as %v", out, zone)
			}
			continue
		}
		if err != nil || time.Date(2026, 11, 2, 8, 0, 0, 0, time.UTC).In(zone).Format("15:04") != want {
			t.Errorf("%q: %v, %v", out, zone, err)
		}
	}
}
