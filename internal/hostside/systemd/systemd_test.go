package systemd

import (
	"context"
	"errors"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

var units = []hostapi.Unit{
	{Name: "mrs-backup", Description: "Backup", Command: "/bin/bash /home/mrs/backup.sh timer", Calendar: "*-*-* 23:00:00", OnFailure: "mrs-alert@%n.service"},
	{Name: "mrs-recover", Description: "Recovery", Command: "x", AtBoot: true, IfExists: []string{"/a", "/b*"}, Before: []string{"mrs-backup"}},
	{Name: "mrs-alert@", Description: "Word", Command: "y"},
}

func TestUnitsHaveTheirFiles(t *testing.T) {
	var names []string
	for _, f := range Files(units) {
		names = append(names, strings.TrimPrefix(f.Path, Folder+"/"))
		for _, want := range map[string][]string{
			"mrs-backup.service":  {"\nExecStart=/bin/bash /home/mrs/backup.sh timer\n", "\nOnFailure=mrs-alert@%n.service\n"},
			"mrs-backup.timer":    {"\nOnCalendar=*-*-* 23:00:00\n", "\nPersistent=true\n"},
			"mrs-recover.service": {"\nBefore=mrs-backup.service\n", "\nConditionPathExistsGlob=|/a\nConditionPathExistsGlob=|/b*\n", "\n[Install]\nWantedBy=multi-user.target\n"},
		}[names[len(names)-1]] {
			if !strings.Contains(f.Content, want) {
				t.Errorf("%s has not %q:\n%s", f.Path, want, f.Content)
			}
		}
	}
	if got := strings.Join(names, " "); got != "mrs-backup.service mrs-backup.timer mrs-recover.service mrs-alert@.service" {
		t.Error(got)
	}
}

func TestTimersAreStartedOnceAndAgainWhenTheyAreNew(t *testing.T) {
	for name, test := range map[string]struct {
		running, changed, stale bool
		want, did               string
	}{
		"nothing runs yet":   {changed: true, want: "daemon-reload; enable --now mrs-backup.timer; daemon-reload; restart mrs-backup.timer; enable mrs-recover.service", did: "started mrs-backup.timer, enabled mrs-recover.service"},
		"all is as it was":   {running: true},
		"a new calendar":     {running: true, changed: true, want: "daemon-reload; daemon-reload; restart mrs-backup.timer"},
		"somebody wrote one": {running: true, stale: true, want: "daemon-reload; restart mrs-backup.timer"},
	} {
		t.Run(name, func(t *testing.T) {
			var ran []string
			did, err := Start(t.Context(), func(_ context.Context, argv ...string) (string, error) {
				line := strings.TrimPrefix(strings.Join(argv, " "), "--quiet ")
				switch {
				case strings.HasPrefix(line, "is-"):
					if !test.running {
						return "", errors.New("exit status 1")
					}
					return "", nil
				case strings.HasPrefix(line, "show "):
					if test.stale {
						return "yes", nil
					}
					return "no", nil
				}
				ran = append(ran, line)
				return "", nil
			}, units, test.changed)
			if got := strings.Join(ran, "; "); err != nil || got != test.want || strings.Join(did, ", ") != test.did {
				t.Errorf("ran %s; did %v; %v", got, did, err)
			}
		})
	}
}

func TestWhatIsToRunAtAllTimesIsStartedAgainHoweverItEndsAndWhereItIsAnother(t *testing.T) {
	always := []hostapi.Unit{{Name: "mrs-wal", Description: "Log", Command: "x", CommandAfter: "y", Always: true}}
	for _, want := range []string{"\nType=simple\n", "\nRestart=always\n", "\nStartLimitIntervalSec=0\n",
		"\nExecStopPost=y\n", "\nWantedBy=multi-user.target\n"} {
		if text := Files(always)[0].Content; !strings.Contains(text, want) {
			t.Errorf("it has not %q:\n%s", want, text)
		}
	}
	for name, test := range map[string]struct {
		running, changed bool
		want             string
	}{
		"it does not run": {false, true, "daemon-reload; enable --now mrs-wal.service"},
		"it is another":   {true, true, "daemon-reload; restart mrs-wal.service"},
		"it runs":         {true, false, ""},
	} {
		var ran []string
		_, err := Start(t.Context(), func(_ context.Context, argv ...string) (string, error) {
			line := strings.TrimPrefix(strings.Join(argv, " "), "--quiet ")
			if strings.HasPrefix(line, "is-") {
				if !test.running {
					return "", errors.New("exit status 1")
				}
				return "", nil
			}
			ran = append(ran, line)
			return "", nil
		}, always, test.changed)
		if got := strings.Join(ran, "; "); err != nil || got != test.want {
			t.Errorf("%s: it ran %s; %v", name, got, err)
		}
	}
}

func TestUnitsAreEndedWithTheirTimersAndWhatEndsByItselfIsLeftTo(t *testing.T) {
	root := t.TempDir()
	if err := os.MkdirAll(root+Folder, 0o755); err != nil {
		t.Fatal(err)
	}
	all := []hostapi.Unit{
		{Name: "mrs-ship", Command: "x", Calendar: "*:*"}, {Name: "mrs-wal", Command: "x", Always: true}, {Name: "mrs-alert@", Command: "x"},
	}
	for _, f := range Files(all) {
		if err := os.WriteFile(root+f.Path, []byte(f.Content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	var ran []string
	end := func() ([]string, error) {
		return End(t.Context(), func(_ context.Context, argv ...string) (string, error) {
			if !slices.Contains(argv, "reset-failed") {
				ran = append(ran, strings.TrimPrefix(strings.Join(argv, " "), "--quiet "))
			}
			return "", nil
		}, root, Paths("mrs-ship", "mrs-gone", "mrs-wal", "mrs-alert@")...)
	}
	did, err := end()
	if want := "disable --now mrs-ship.timer; disable --now mrs-wal.service; daemon-reload"; err != nil || len(did) != 4 ||
		strings.Join(ran, "; ") != want {
		t.Errorf("ran %q; did %v; %v", ran, did, err)
	}
	if left, _ := os.ReadDir(root + Folder); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	ran = nil
	if did, err := end(); err != nil || len(did)+len(ran) > 0 {
		t.Errorf("once more: ran %q; did %v; %v", ran, did, err)
	}
}
