package backup

import (
	"reflect"
	"strings"
	"testing"
)

const env = `# Settings. Written by the deployment.
NAME=mrs-x
RESTIC_REPOSITORY='rest:http://me:p a$s@host/'
export AWS_ACCESS_KEY_ID=id
export AWS_SECRET_ACCESS_KEY='it'"'"'s hush'

LFTP_DSN=ftp://mirror:hush-ftp@127.0.0.1
LFTP_PLAIN=''
DB_NAME=mrs
DB_USER=django
KEEP_LAST=7
KEEP_DAILY=7
KEEP_WEEKLY=5
KEEP_MONTHLY=12
KEEP_YEARLY=75
JOBS='two
lines'
URL=https://x.example.org
NAMES=x.example.org,b
PAGE=/
BASICAUTH=1
TIMEOUT=60
SLACK=https://hooks.example.org/T0/B0/hush
`

func TestSettingsAreReadAsAShellReadsThem(t *testing.T) {
	got, err := ParseSettings(env)
	want := Settings{
		Name: "mrs-x", Repository: "rest:http://me:p a$s@host/", Account: []string{"AWS_ACCESS_KEY_ID=id",
			"AWS_SECRET_ACCESS_KEY=it's hush"},
		Mirror: "ftp://mirror:hush-ftp@127.0.0.1", Database: "mrs", Role: "django",
		Slack:  "https://hooks.example.org/T0/B0/hush",
		Server: "postgres", Application: []string{"django"}, Port: 8000, Folders: []string{"log", "mrsattachments"},
		URL: "https://x.example.org", Names: []string{"x.example.org", "b"}, Page: "/", BasicAuth: true, Jobs: true,
		Timeout:  60,
		KeepLast: 7, KeepDaily: 7, KeepWeekly: 5, KeepMonthly: 12, KeepYearly: 75,
	}
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
	for text, want := range map[string]string{
		"": "", "plain": "plain", "'a b'": "a b", `"a \"b\" \$c \\ \d"`: `a "b" $c \ \d`, `a\ b`: "a b", `''`: "",
		`'a'b"c"`: "abc", "a#b": "a#b", `"a"'b'"c"`: "abc",
	} {
		if got, rest, err := word(text + "\nNEXT=1"); got != want || rest != "NEXT=1" || err != nil {
			t.Errorf("%s is %q, %q, %v", text, got, rest, err)
		}
	}
}

func TestTheSettingsOfAnotherApplicationNameItsServicesAndFolders(t *testing.T) {
	got, err := ParseSettings(env + "DB_SERVICE=db\nAPPLICATION='web,worker'\nPORT=80\nFOLDERS=''\n")
	if err != nil || got.Server != "db" || !reflect.DeepEqual(got.Application, []string{"web", "worker"}) || got.Port != 80 ||
		len(got.Folders) != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	for _, bad := range []string{"DB_SERVICE=", "DB_SERVICE='a b'", "APPLICATION='web,../x'", "FOLDERS='../x'", "PORT=x"} {
		if _, err := ParseSettings(env + bad + "\n"); err == nil {
			t.Errorf("%s is taken", bad)
		}
	}
}

func TestSettingsThatAreNotUnderstoodAreRefused(t *testing.T) {
	for _, bad := range []string{"NAME=$(id)", "NAME=`id`", `NAME="$HOME"`, "NAME='open", `NAME="open`, "NAME=a b",
		"NAME=a;b", "no assignment", "1A=x", "NAME=a&", "NAME='../etc'", "NAME=--all",
		"KEEP_LAST=all", "KEEP_LAST=-1", "DB_NAME=", "DB_NAME=abcdefghijklmnopqrstuvwxyz0123456789abc", "DB_NAME='m\"; x'", "DB_USER=--a", "URL=", "TIMEOUT=soon"} {
		name, _, _ := strings.Cut(bad, "=")
		var kept []string
		for line := range strings.Lines(env) {
			if !strings.HasPrefix(line, name+"=") {
				kept = append(kept, line)
			}
		}
		if _, err := ParseSettings(strings.Join(kept, "") + bad + "\n"); err == nil {
			t.Errorf("%s is taken", bad)
		} else if strings.Contains(err.Error(), "hush") {
			t.Errorf("a secret is said: %v", err)
		}
	}
}

func TestProductionIsWhatTheDeploymentHasWrittenAndIfThatWroteNothingWhatItIsCalled(t *testing.T) {
	for text, is := range map[string]bool{
		"NAME=mrs-x\nPRODUCTION=1\n": true, "NAME=mrs-x\nPRODUCTION=\n": false, "NAME=mrs-x\n": false,
		"NAME=mrs-production\n": true, "NAME=production\n": true, "NAME=mrs-production\nPRODUCTION=\n": false,
		"NAME=mrs-production-2\n": false,
	} {
		s, err := ParseSettings(text + "RESTIC_REPOSITORY=/r\nDB_NAME=mrs\nDB_USER=django\nURL=http://x\nTIMEOUT=1\n" +
			"KEEP_LAST=1\nKEEP_DAILY=1\nKEEP_WEEKLY=1\nKEEP_MONTHLY=1\nKEEP_YEARLY=1\n")
		if err != nil || s.Production != is {
			t.Errorf("%q: %v, %v", text, s.Production, err)
		}
	}
}
