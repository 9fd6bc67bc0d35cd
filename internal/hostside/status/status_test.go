package status

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/compose"
	"github.com/betagouv/mrs-ops/internal/hostside/database"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
)

var began = time.Date(2026, 11, 24, 17, 0, 0, 0, time.UTC)

// fake is a host on which all is well, but for what fails, hangs until nobody waits for it any more, or hangs for ever.
type fake struct {
	fails, hangs, dies []string
	forever            chan struct{}
	asked              restic.Repository
}

func (f *fake) do(ctx context.Context, what string) error {
	switch {
	case slices.Contains(f.fails, what):
		return errors.New(what + " fails")
	case slices.Contains(f.hangs, what):
		<-ctx.Done()
		return context.Cause(ctx)
	case slices.Contains(f.dies, what):
		<-f.forever
	}
	return nil
}

func (f *fake) Containers(ctx context.Context, project string) ([]docker.Container, error) {
	return []docker.Container{
		{ID: "1", Labels: map[string]string{"com.docker.compose.service": "django"}, Status: "running", Running: true,
			Health: "healthy", Started: "2026-11-24T17:00:00.123Z", Named: "mrs:7", Restarts: 2,
			Env: map[string]string{"GIT_COMMIT": "0123", "DB_ENGINE": "django.db.backends.postgresql", "SECRET_KEY": "geheim"}},
		{ID: "2", Labels: map[string]string{"com.docker.compose.service": "database"}, Status: "running", Running: true},
	}, f.do(ctx, "docker ps")
}

func (f *fake) Services(ctx context.Context, p compose.Project) ([]string, error) {
	return []string{"django", "database"}, f.do(ctx, "docker compose")
}

func (f *fake) See(ctx context.Context, url string) *hostapi.HTTP {
	if err := f.do(ctx, "the site"); err != nil {
		return &hostapi.HTTP{Error: err.Error()}
	}
	return &hostapi.HTTP{Status: 200, Sends: url}
}

func (f *fake) Snapshots(ctx context.Context, r restic.Repository) ([]restic.Snapshot, error) {
	f.asked = r
	return []restic.Snapshot{
		{ID: strings.Repeat("a", 64), Time: began.Add(-48 * time.Hour), Host: "mrs-x"},
		{ID: strings.Repeat("b", 64), Time: began.Add(-24 * time.Hour), Host: "mrs-x", Tags: []string{"timer"}},
		{ID: strings.Repeat("c", 64), Time: began, Host: "another"},
	}, f.do(ctx, "restic")
}

func (f *fake) Systemctl(ctx context.Context, argv ...string) (string, error) {
	if slices.Contains(argv, "Result") {
		return "success", f.do(ctx, "systemctl of a service")
	}
	return "Id=mrs-x-backup.timer\nNextElapseUSecRealtime=\nLastTriggerUSec=\n", f.do(ctx, "systemctl")
}

func (f *fake) Df(ctx context.Context, path string) (string, error) {
	if path == "/mnt/backup" {
		return "", f.do(ctx, "df")
	}
	return "Use% Avail 1B-blocks\n 41%  1000      2000\n", nil
}

func (f *fake) Holder(string) (hostapi.Holder, bool, error) {
	return hostapi.Holder{Token: "geheim", Who: "eve", What: "deploy", Since: 1}, true, f.do(context.Background(), "the lock")
}

func (f *fake) Passwords(ctx context.Context, want database.Want, names []string) (map[string]string, error) {
	if want != (database.Want{Server: "2", Name: "mrs", Role: "django"}) {
		return nil, fmt.Errorf("it is asked for %+v", want)
	}
	return map[string]string{"dev": "pbkdf2_sha256$1$salt$/b0FZhadvVeX13fMeYaznFvJ7CFbv6o8YWboSmGG25g=", "test": "!"}, f.do(ctx, "PostgreSQL")
}

// home is that of an instance, with its files.
func home(t *testing.T, more map[string]string) string {
	t.Helper()
	folder := t.TempDir()
	files := map[string]string{
		"docker-compose.yml": "", ".restic_password": "geheim", ".restic_id": "", "removeat": "1796000000\n",
		".backup.env":            "NAME=mrs-x\nRESTIC_REPOSITORY='rest:https://mrs:geheim@backup.example/'\nexport AWS_ACCESS_KEY_ID=key\nDB_SERVICE=database\nDB_NAME=mrs\nDB_USER=django\n",
		"releases/9/images":      "old mrs:1 sha256:1 - - site\n",
		"releases/10/images":     "django mrs:7 sha256:2 - - site\nmigrate mrs:7 sha256:2 - - one-shot\nidle mrs:7 sha256:2 - - idle\ndatabase postgres:15 sha256:3 - -\n",
		"releases/.new/images":   "half",
		"releases/11.bak/images": "",
	}
	for name, content := range more {
		files[name] = content
	}
	for name, content := range files {
		path := filepath.Join(folder, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o700), os.WriteFile(path, []byte(content), 0o600), os.Chtimes(path, began, began)); err != nil {
			t.Fatal(err)
		}
	}
	return folder
}

func request(folder string) hostapi.StatusRequest {
	return hostapi.StatusRequest{Project: "mrs-x", Folder: folder, URL: "http://x.example", Page: "/page", Repository: "/the/repository"}
}

func of(t *testing.T, f *fake, r hostapi.StatusRequest) hostapi.Status {
	t.Helper()
	s, err := Of(t.Context(), f, r)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// well is what is said of an instance with which all is well.
func well() hostapi.Status {
	at := func(t time.Time) hostapi.Moment { return hostapi.Moment{Time: t} }
	postgresql, none := "django.db.backends.postgresql", ""
	disk := hostapi.Disk{Used: 41, Free: 1000, Size: 2000}
	home, engine := disk, disk
	home.Path, engine.Path = "/home", "/var/lib/docker"
	return hostapi.Status{
		Deployed: true, Services: []string{"django", "database"}, Site: []string{"django"}, OneShots: []string{"migrate", "idle"},
		Backup: &hostapi.Backups{SetUp: true, Since: at(began), Last: at(began.Add(-24 * time.Hour)), ID: "bbbbbbbb", Tags: []string{"timer"}},
		Found: hostapi.Found{
			Containers: []hostapi.Container{
				{Service: "django", State: "running", Health: "healthy", Restarts: 2, Started: at(began.Add(123 * time.Millisecond)),
					Image: "mrs:7", Commit: "0123", Engine: &postgresql},
				{Service: "database", State: "running", Engine: &none},
			},
			HTTP:     &hostapi.HTTP{From: "server", Status: 200, Sends: "http://x.example/page"},
			Timers:   []hostapi.Timer{{Name: "backup", Result: "success"}},
			Disks:    []hostapi.Disk{home, engine},
			Lock:     &hostapi.Locked{Who: "eve", What: "deploy", Since: at(time.Unix(1, 0).UTC())},
			Known:    []string{"dev"},
			RemoveAt: at(time.Unix(1796000000, 0).UTC()),
		},
	}
}

func TestAnInstanceIsToldAsItStands(t *testing.T) {
	f := &fake{}
	got := of(t, f, request(home(t, nil)))
	got.Backup.Since.Time = got.Backup.Since.UTC()
	if !reflect.DeepEqual(got, well()) {
		t.Errorf("it is\n%+v\nnot\n%+v", got, well())
	}
	if f.asked.Location != "rest:https://mrs:geheim@backup.example/" || !slices.Equal(f.asked.Env, []string{"AWS_ACCESS_KEY_ID=key"}) {
		t.Errorf("the repository is %+v", f.asked)
	}
	line, err := json.Marshal(got)
	var back hostapi.Status
	if err == nil {
		err = json.Unmarshal(line, &back)
	}
	if err != nil || !reflect.DeepEqual(back, got) || strings.Contains(string(line), "geheim") {
		t.Errorf("%s, %v", line, err)
	}
}

// whatFails is what is not told where something fails, or does not answer.
var whatFails = map[string]func(*hostapi.Status){
	"docker ps":              func(s *hostapi.Status) { s.Containers, s.Known = nil, nil },
	"docker compose":         func(s *hostapi.Status) { s.Services = nil },
	"systemctl":              func(s *hostapi.Status) { s.Timers = nil },
	"systemctl of a service": func(s *hostapi.Status) { s.Timers = nil },
	"df":                     func(s *hostapi.Status) { s.Disks = nil },
	"PostgreSQL":             func(s *hostapi.Status) { s.Known = nil },
}

func TestWhatFailsIsNullAndAllElseIsTold(t *testing.T) {
	folder := home(t, nil)
	for what, change := range whatFails {
		got, want := of(t, &fake{fails: []string{what}}, request(folder)), well()
		if change(&want); !reflect.DeepEqual(got, want) {
			t.Errorf("where %s fails it is\n%+v\nnot\n%+v", what, got, want)
		}
	}
	got := of(t, &fake{fails: []string{"restic", "the site", "the lock"}}, request(folder))
	if got.Backup.Error != "restic fails" || !got.Backup.Last.IsZero() || got.HTTP.Error != "the site fails" || got.HTTP.Status != 0 || got.Lock != nil {
		t.Errorf("it is %+v, %+v", got.Backup, got.HTTP)
	}
}

func TestWhatDoesNotAnswerKeepsNobodyWaiting(t *testing.T) {
	folder := home(t, nil)
	for what, change := range whatFails {
		for _, forever := range []bool{false, true} {
			synctest.Test(t, func(t *testing.T) {
				f := &fake{forever: make(chan struct{})}
				if forever { // nothing ends it, as a program that waits for a disk that is gone
					f.dies = []string{what}
				} else {
					f.hangs = []string{what}
				}
				start := time.Now()
				got, want := of(t, f, request(folder)), well()
				if change(&want); !reflect.DeepEqual(got, want) {
					t.Errorf("where %s hangs it is\n%+v\nnot\n%+v", what, got, want)
				}
				if took := time.Since(start); took > limit+slack {
					t.Errorf("where %s hangs it takes %v", what, took)
				}
				close(f.forever)
			})
		}
	}
	synctest.Test(t, func(t *testing.T) {
		all := []string{"docker ps", "docker compose", "the site", "restic", "systemctl", "df", "the lock", "PostgreSQL"}
		f := &fake{dies: all, forever: make(chan struct{})}
		got := of(t, f, request(folder))
		if !got.Deployed || got.Backup != nil || got.HTTP != nil || got.Lock != nil || got.Containers != nil {
			t.Errorf("where nothing answers it is %+v", got)
		}
		close(f.forever)
	})
}

func TestWhoIsToldToEndSaysNothing(t *testing.T) {
	ctx, end := context.WithCancel(t.Context())
	end()
	if _, err := Of(ctx, &fake{hangs: []string{"docker ps"}}, request(home(t, nil))); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

func TestWhatIsNoInstanceIsRefused(t *testing.T) {
	for _, r := range []hostapi.StatusRequest{{}, {Project: "../x", Folder: "/home"}, {Project: "-x", Folder: "/home"}, {Project: "x", Folder: "home"}} {
		if _, err := Of(t.Context(), &fake{}, r); err == nil {
			t.Errorf("%+v is asked about", r)
		}
	}
	r := request(home(t, nil))
	for _, url := range []string{"", "file:///etc/passwd", "http://-x", "http://x/$(id)"} {
		if r.URL = url; of(t, &fake{}, r).HTTP != nil {
			t.Errorf("%q is asked", url)
		}
	}
}

func TestAnInstanceThatIsNotThereIsNotDeployed(t *testing.T) {
	got := of(t, &fake{}, request("/nowhere/mrs-x"))
	if got.Deployed || got.Services != nil || got.Backup == nil || got.Backup.SetUp || got.Known != nil || got.Site != nil || !got.RemoveAt.IsZero() {
		t.Errorf("it is %+v", got)
	}
}

func TestWhatOlderDeploymentsHaveWrittenIsRead(t *testing.T) {
	old, err := os.ReadFile("../generation/testdata/721196b/backup.env")
	if err != nil {
		t.Fatal(err)
	}
	for name, test := range map[string]struct{ settings, repository string }{
		"the scripts'":       {string(old), "/home/mrs-production/restic"},
		"without an address": {"NAME=mrs-x\n", "/the/repository"},
		"none":               {"", "/the/repository"},
	} {
		f := &fake{}
		if got := of(t, f, request(home(t, map[string]string{".backup.env": test.settings}))); got.Backup.ID != "bbbbbbbb" || f.asked.Location != test.repository {
			t.Errorf("%s: %+v, in %s", name, got.Backup, f.asked.Location)
		}
	}
	broken := of(t, &fake{}, request(home(t, map[string]string{".backup.env": "RESTIC_REPOSITORY=$(geheim)\n"})))
	if !strings.Contains(broken.Backup.Error, "line 1 of .backup.env") || broken.Known != nil || strings.Contains(broken.Backup.Error, "geheim") {
		t.Errorf("%+v", broken.Backup)
	}
}

func TestTimersAreThoseOfTheInstanceByTheirNames(t *testing.T) {
	t.Setenv("TZ", "UTC")
	local := time.Local
	t.Cleanup(func() { time.Local = local })
	time.Local = time.UTC
	at := func(hour int) hostapi.Moment {
		return hostapi.Moment{Time: time.Date(2026, 11, 24, hour, 0, 0, 0, time.UTC)}
	}
	for text, want := range map[string][]hostapi.Timer{
		"": {}, "\n": {}, "Id=mrs-x-backup.timer": {{Name: "backup"}},
		"Id=mrs-x-prune.timer\nNextElapseUSecRealtime=Tue 2026-11-24 23:00:00 UTC\nLastTriggerUSec=Tue 2026-11-24 04:00:00 UTC\n\n" +
			"NextElapseUSecRealtime=\nLastTriggerUSec=n/a\nId=mrs-x-backup.timer\n\nId=mrs-x-2-backup.timer\n\nId=mrs-x-$(id).timer\n": {
			{Name: "backup"}, {Name: "prune", Next: at(23), Last: at(4)}},
	} {
		if got := parseTimers("mrs-x", text); !reflect.DeepEqual(got, want) {
			t.Errorf("%q is %+v, not %+v", text, got, want)
		}
	}
}

func TestADiskIsReadFromTheLastLine(t *testing.T) {
	for text, want := range map[string]hostapi.Disk{
		"Use% Avail 1B-blocks\n 41%  1000      2000\n": {Used: 41, Free: 1000, Size: 2000}, "100% 0 3": {Used: 100, Size: 3},
		"": {}, "Use% Avail 1B-blocks\n": {}, "- 0 0": {}, "41% 1000": {},
	} {
		got, ok := parseDf(text)
		if ok != (want.Size > 0) || ok && got != want {
			t.Errorf("%q is %+v, %v", text, got, ok)
		}
	}
}

func TestAMomentOfRemovalIsANumberOrNone(t *testing.T) {
	for text, want := range map[string]int64{"1796000000\n": 1796000000, "": 0, "0": 0, "-1": 0, "$(reboot)": 0, "99999999999999999999": 0, "1 2": 0} {
		if got := removeAt(text); got.IsZero() != (want == 0) || want != 0 && got.Unix() != want {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestWhatTheProgramsSayIsWhatIsTold(t *testing.T) {
	bin, home := t.TempDir(), t.TempDir()
	write := func(path, content string) {
		t.Helper()
		if err := os.WriteFile(path, []byte(content), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	write(filepath.Join(bin, "docker"), "#!/bin/sh\nprintf 'django\\npostgres\\n'\n")
	socket := filepath.Join(bin, "engine")
	listener, err := net.Listen("unix", socket)
	if err != nil {
		t.Fatal(err)
	}
	t.Setenv("DOCKER_HOST", "unix://"+socket)
	engine := httptest.Server{Listener: listener, Config: &http.Server{Handler: http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		said := `[{"Id": "id"}]`
		if r.URL.Path == "/containers/id/json" {
			said = `{"Id": "id", "Created": "2026-11-24T17:00:00Z", "State": {"Status": "running", "Running": true, "StartedAt": "2026-11-24T17:00:00Z"}, "Config": {"Labels": {"com.docker.compose.service": "django"}}}`
		}
		fmt.Fprint(w, said)
	})}}
	engine.Start()
	defer engine.Close()
	write(filepath.Join(bin, "restic"), `#!/bin/sh
echo warning >&2
echo "Fatal: \"rest:https://mrs:geheim@backup.example/\" can't be $RESTIC_REPOSITORY \\" >&2
exit 1`)
	write(filepath.Join(bin, "systemctl"), `#!/bin/sh
case "$*" in
*--value*) echo success ;;
*) for unit in mrs-x-backup mrs-x-2-backup; do printf 'Id=%s.timer\nNextElapseUSecRealtime=Tue 2026-11-24 23:00:00 UTC\nLastTriggerUSec=\n\n' $unit; done | sed '$d' ;;
esac`)
	write(filepath.Join(bin, "df"), `#!/bin/sh
case "$*" in
*/mnt/backup) echo "df: no such thing" >&2; exit 1 ;;
*) printf 'Use%% Avail 1B-blocks\n 41%%  1000      2000\n' ;;
esac`)
	for name, content := range map[string]string{"docker-compose.yml": "", ".restic_password": "", ".restic_id": "", ".maintenance": "", "removeat": "$(reboot)"} {
		write(filepath.Join(home, name), content)
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	a, err := Of(t.Context(), This{}, hostapi.StatusRequest{Project: "mrs-x", Folder: home, URL: "http://x.example:1", Page: "/manifest.json", Repository: "/the/repository"})
	if err != nil {
		t.Fatal(err)
	}
	if !a.Deployed || !a.Maintenance || !a.RemoveAt.IsZero() || len(a.Containers) != 1 || !slices.Equal(a.Services, []string{"django", "postgres"}) {
		t.Errorf("it says %+v", a)
	}
	if got, want := a.Backup.Error, `Fatal: "rest:https://mrs:…@backup.example/" can't be /the/repository \`; !strings.HasSuffix(got, ": "+want) {
		t.Errorf("of the backups: %s, want %s", got, want)
	}
	if a.HTTP.Status != 0 || !strings.Contains(a.HTTP.Error, "127.0.0.1:1: connect: connection refused") {
		t.Errorf("of the site: %+v", a.HTTP)
	}
	if len(a.Timers) != 1 || a.Timers[0].Name != "backup" || a.Timers[0].Next.Unix() != 1795561200 || !a.Timers[0].Last.IsZero() {
		t.Errorf("of the timers: %+v", a.Timers)
	}
	if len(a.Disks) != 2 || a.Disks[0] != (hostapi.Disk{Path: "/home", Used: 41, Free: 1000, Size: 2000}) {
		t.Errorf("of the disks: %+v", a.Disks)
	}
}
