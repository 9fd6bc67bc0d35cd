package takeover

import (
	"context"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/strike"
)

// struck does something once unharmed, and then with each strike at each of its calls.
func struck(t *testing.T, begin func() *world, do func(*Instance, context.Context) error, check func(t *testing.T, w *world, s strike.Strike, err error)) {
	t.Helper()
	w := begin()
	if _, err := w.run(nil, do); err != nil {
		t.Fatal(err)
	}
	made := w.calls.Made()
	if len(made) < 4 {
		t.Fatalf("only %q was called", made)
	}
	for _, call := range made {
		for _, s := range strike.All {
			t.Run(call+" "+string(s), func(t *testing.T) {
				after, err := begin().run(strike.At{call: s}, do)
				after.t = t
				check(t, after, s, err)
			})
		}
	}
}

func killed(s strike.Strike) bool { return s == strike.Killed || s == strike.KilledLate }

// sees fails the test unless there is what is wanted.
func (w *world) sees(t *testing.T, what, want string) {
	t.Helper()
	if got := w.is(); got != want {
		t.Errorf("%s: there is\n%s\nand not\n%s", what, got, want)
	}
}

func TestWhateverStrikesThePreparationTheOldSystemRunsOnAndItCanBeBegunAgain(t *testing.T) {
	before := newWorld(t).is()
	struck(t, func() *world { return newWorld(t) }, (*Instance).Prepare, func(t *testing.T, w *world, s strike.Strike, err error) {
		if w.site != "old" || w.balancer != "old" {
			t.Errorf("the site is %q, the load balancer %q", w.site, w.balancer)
		}
		if err != nil && !killed(s) {
			w.sees(t, "it failed", before)
		}
		if killed(s) {
			left := w.copied()
			left.t = t
			if _, err := left.run(nil, (*Instance).Recover); err != nil {
				t.Fatalf("recovered: %v", err)
			}
			left.sees(t, "recovered", before)
			if own, shared := left.instance().kept(); own+shared != "" {
				t.Errorf("%s, %s are left", own, shared)
			}
		}
		if _, err := w.run(nil, (*Instance).Prepare); err != nil {
			t.Fatalf("again: %v", err)
		}
		own, shared := w.instance().kept()
		for _, file := range []string{own + home + "/docker-compose.yml", own + home + "/backup.sh", own + units + "/mrs-x-backup.timer",
			shared + "/etc/logrotate.d/mrs", shared + acme, shared + traefik + "/htpasswd/root", shared + units + "/yourlabs-compose-cleaner.service"} {
			if w.read(file) == "" {
				t.Errorf("%s is not kept", file)
			}
		}
		if _, err := w.run(nil, (*Instance).Back); err != nil {
			t.Fatalf("and back: %v", err)
		}
		w.sees(t, "back", before)
	})
}

// justPrepared is a world in which nothing has been replaced yet.
func justPrepared(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	if _, err := w.run(nil, (*Instance).Prepare); err != nil {
		t.Fatal(err)
	}
	return w
}

// prepared is a world in which the deployment has happened.
func prepared(t *testing.T) *world {
	t.Helper()
	return justPrepared(t).deployed()
}

// finished is a world that was taken over.
func finished(t *testing.T) *world {
	t.Helper()
	w := prepared(t)
	if _, err := w.run(nil, (*Instance).Finish); err != nil {
		t.Fatal(err)
	}
	return w
}

func TestAfterwardsNothingOfTheOldSystemIsAtWorkWhateverStruck(t *testing.T) {
	after := finished(t).is()
	for _, gone := range []string{"yourlabs-", "/etc/logrotate.d/mrs:", "enabled mrs-x-backup.service", "takeover"} {
		if strings.Contains(after, gone) {
			t.Errorf("%s is there:\n%s", gone, after)
		}
	}
	struck(t, func() *world { return prepared(t) }, (*Instance).Finish, func(t *testing.T, w *world, s strike.Strike, err error) {
		if _, err := w.run(nil, (*Instance).Recover); err != nil {
			t.Fatalf("recovered: %v", err)
		}
		w.sees(t, "again", after)
	})
}

func TestTheWayBackEndsWithTheOldSystemOrWithTheNewOneWhateverStrikes(t *testing.T) {
	old, now := newWorld(t).is(), finished(t).is()
	struck(t, func() *world { return finished(t) }, (*Instance).Back, func(t *testing.T, w *world, s strike.Strike, err error) {
		if !killed(s) && w.site == "" {
			t.Errorf("the site does not run:\n%s", w.is())
		}
		if err == nil {
			w.sees(t, "it went well", old)
		} else if is := w.is(); is != old && is != now {
			if !killed(s) && w.read(units+"/mrs-x-takeover.timer") == "" {
				t.Errorf("nobody goes on with it:\n%s", is)
			}
			if _, err := w.run(nil, (*Instance).Recover); err != nil {
				t.Fatalf("recovered: %v", err)
			}
			if is := w.is(); is != old && is != now {
				t.Errorf("recovered, there is\n%s", is)
			}
		}
		if own, _ := w.instance().kept(); own != "" {
			if _, err := w.run(nil, (*Instance).Back); err != nil {
				t.Fatalf("again: %v", err)
			}
		}
		w.sees(t, "again", old)
	})
}

func TestATakeoverThatWasCutShortBeforeTheSiteIsTheNewOneIsGoneBackFrom(t *testing.T) {
	old := newWorld(t).is()
	for name, change := range map[string]func(w *world){
		"nothing is replaced yet":                  func(w *world) { *w = *justPrepared(t) },
		"the load balancer's files are":            func(w *world) { *w = *justPrepared(t); w.write(traefik+"/docker-compose.yml", "new: role traefik") },
		"the new load balancer is being started":   func(w *world) { w.balancer, w.starting = "old", "new: role traefik" },
		"the old load balancer is gone":            func(w *world) { w.balancer = "" },
		"backups are, and the old containers run":  func(w *world) { w.write(home+"/docker-compose.yml", "old"); w.site = "old" },
		"the site is away":                         func(w *world) { w.site = "" },
		"the new site runs, and is no release yet": func(*world) {},
		"the new site runs by the old file":        func(w *world) { w.write(home+"/docker-compose.yml", "old") },
		"a deployment has undone itself":           func(w *world) { w.write(home+"/docker-compose.yml", "old"); w.site = "old" + byAnother },
	} {
		t.Run(name, func(t *testing.T) {
			begin := func() *world {
				w := prepared(t)
				for _, file := range []string{"/.version", "/releases/1/release.json"} {
					if err := os.Remove(w.root + home + file); err != nil {
						t.Fatal(err)
					}
				}
				w.write(home+"/.recreating", "")
				change(w)
				return w
			}
			w := begin()
			if _, err := w.run(nil, (*Instance).Recover); err != nil {
				t.Fatal(err)
			}
			w.start()
			w.sees(t, "recovered", old)
			if name != "the new site runs, and is no release yet" {
				return
			}
			struck(t, begin, (*Instance).Recover, func(t *testing.T, w *world, s strike.Strike, err error) {
				if _, again := w.run(nil, (*Instance).Recover); again != nil {
					t.Fatalf("after %v: %v", err, again)
				}
				w.sees(t, fmt.Sprintf("after %v", err), old)
			})
		})
	}
}

func TestOfATakeoverThatNobodyHasBegunNothingIsRecovered(t *testing.T) {
	for name, w := range map[string]*world{"never": newWorld(t), "done": finished(t)} {
		w.balancer = ""
		before := w.is()
		if _, err := w.run(nil, (*Instance).Recover); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		w.sees(t, name, before)
	}
	// It is back, and only its mark is left.
	w := finished(t)
	if _, err := w.run(nil, (*Instance).Back); err != nil {
		t.Fatal(err)
	}
	before := w.is()
	w.write(home+"/"+mark, "back\n{}")
	if _, err := w.run(nil, (*Instance).Recover); err != nil {
		t.Error(err)
	}
	w.sees(t, "back", before)
}

func TestWhatCannotBeTakenOverIsRefusedWithAllThatIsWrong(t *testing.T) {
	for name, c := range map[string]struct {
		change func(w *world, i *Instance)
		want   []string
	}{
		"it is no old home": {func(w *world, i *Instance) { w.write(home+"/.program", "x") }, []string{"is not deployed by the old system"}},
		"all of it": {func(_ *world, i *Instance) {
			i.Password, i.Repository, i.Image, i.DBPassword = "other", "/mnt/restic", "registry:5000/postgres:15", "x"
		}, []string{"RESTIC_PASSWORD is not what opens", "the old backups are in " + home + "/restic, and the new ones would be in /mnt/restic", "of PostgreSQL 10, which stays",
			"DB_PASSWORD is not the one", "hint: it is in", "compose_postgres_image=postgres:10"}},
		"it would have no backups": {func(_ *world, i *Instance) { i.Password = "" }, []string{"would not be backed up any more"}},
		"its repository is elsewhere": {func(w *world, i *Instance) {
			w.write(home+"/backup.sh", "export RESTIC_REPOSITORY=/mnt/backup/mrs-x/restic\n")
		}, []string{"hint: RESTIC_REPOSITORY=/mnt/backup/mrs-x/restic"}},
	} {
		w := newWorld(t)
		i := w.instance()
		c.change(w, i)
		before := w.is()
		err := i.Prepare(t.Context())
		if f, ok := errors.AsType[*hostapi.Failure](err); !ok || w.is() != before || w.snapshots != 2 {
			t.Errorf("%s: %v, %d snapshots: %v", name, err, w.snapshots, f)
			continue
		}
		for _, want := range c.want {
			if !strings.Contains(err.Error(), want) {
				t.Errorf("%s: %q is missing: %v", name, want, err)
			}
		}
	}
}

func TestASnapshotThatIsNotThereOrNotWholeEndsIt(t *testing.T) {
	w := newWorld(t)
	w.cut = true
	if _, err := w.run(nil, (*Instance).Prepare); err == nil || !strings.Contains(err.Error(), "has no whole dump") {
		t.Errorf("%v", err)
	}
	w = newWorld(t)
	if _, err := w.run(strike.At{"script mrs-x#1": strike.Fails}, (*Instance).Prepare); err == nil || !strings.Contains(err.Error(), "has made no snapshot") {
		t.Errorf("%v", err)
	}
	// Its mirror fails, and its exit status says so.
	w = newWorld(t)
	if _, err := w.run(strike.At{"script mrs-x#1": strike.FailsLate}, (*Instance).Prepare); err != nil || !strings.Contains(strings.Join(w.said, "\n"), "failed all the same") {
		t.Errorf("%v: %q", err, w.said)
	}
}

func TestMailsThatWaitInTheOldContainerAreToldAndKept(t *testing.T) {
	w := newWorld(t)
	w.mails = []string{"/app/spooler/mail/uwsgi_1", "/app/spooler/mail/uwsgi_2"}
	now := time.Date(2026, 11, 29, 12, 0, 0, 0, time.UTC)
	i := w.instance()
	i.Now = func() time.Time { now = now.Add(patience); return now }
	if err := i.Prepare(t.Context()); err != nil {
		t.Fatal(err)
	}
	if said := strings.Join(w.said, "\n"); !strings.Contains(said, "2 mails wait") || !slices.Contains(w.calls.Made(), "docker cp#1") {
		t.Errorf("%s: %q", said, w.calls.Made())
	}
}

func TestWhatSeveralInstancesShareIsEndedWithTheFirstAndBackWithTheLast(t *testing.T) {
	w := finished(t)
	w.write("/home/mrs-y/old-system.20261129T130000Z/complete", "")
	if _, err := w.run(nil, (*Instance).Back); err != nil {
		t.Fatal(err)
	}
	if w.site != "old" || w.enabled["yourlabs-compose-cleaner.timer"] || w.balancer == "old" {
		t.Errorf("the other one is still taken over, and there is\n%s", w.is())
	}
}

func TestLookTellsWhatThereIsAndWhatStandsInTheWay(t *testing.T) {
	w := newWorld(t)
	w.known, w.mirror = []string{"test"}, errors.New("connection refused")
	before := w.is()
	found, err := w.instance().Look(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	w.sees(t, "looked at", before)
	var things, problems []string
	for _, thing := range found.Things {
		things = append(things, strings.Join([]string{thing.Where, thing.What, thing.Is, thing.After}, "|"))
	}
	for _, p := range found.Problems {
		problems = append(problems, p.Where+"|"+p.What)
		if p.Blocks || p.Mend == "" {
			t.Errorf("%+v", p)
		}
	}
	for _, want := range []string{"host|system|CentOS Linux 8|kept", "host|SELinux|enforcing", "host|Docker engine|20.10.24", "host|Compose plugin|none|installed",
		"traefik|Traefik|3.1.0, of traefik:latest|replaced", "traefik|certificates|2|kept", "traefik|htpasswd|a folder", "mrs-x|PostgreSQL|10, 0 MB|kept",
		"mrs-x|attachments|1, 0 MB|kept", "mrs-x|mrs-x-backup|enabled|replaced", "mrs-x|backups|2 snapshots in " + home + "/restic", "host|yourlabs-compose-cleaner|enabled|disabled",
		"host|/etc/logrotate.d/mrs|", "host|branches|1|", "mrs-x|django|betagouv/mrs:1, commit 3f1c9ad", "one|neighbour|one.lab www.one.lab|not restarted"} {
		if !strings.Contains(strings.Join(things, "\n"), want) {
			t.Errorf("%q is missing in\n%s", want, strings.Join(things, "\n"))
		}
	}
	for _, want := range []string{"host|CentOS Linux 8 has had no updates since 2021-12", "everybody on the server may read", "nothing is served by: Host(`one.lab`, `www.one.lab`)",
		"whether the mirror holds anything is not known: connection refused", "test gets in with the password test"} {
		if !strings.Contains(strings.Join(problems, "\n"), want) {
			t.Errorf("%q is missing in\n%s", want, strings.Join(problems, "\n"))
		}
	}
	if h := found.Homes; len(h) != 1 || h[0].Name != "mrs-x" || h[0].Postgres != "10" || h[0].Away == 0 || found.Traefik.Email != "ops@example.org" {
		t.Errorf("%+v, %+v", h, found.Traefik)
	}
	if strings.Contains(strings.Join(append(things, problems...), "\n"), "hush") {
		t.Error("the mirror's password is said")
	}
	w.write(home+"/backup.sh", "RESTIC_REPOSITORY=/mnt/backup/restic\nftp://mrs:hush@mirror.example.org")
	w.site = ""
	found, _ = w.instance().Look(t.Context())
	text := ""
	for _, p := range found.Problems {
		if p.Blocks || strings.Contains(p.What, "never") {
			text += p.What + "\n"
		}
	}
	if !strings.Contains(text, "the mirror has never held anything") || !strings.Contains(text, "it does not run") {
		t.Errorf("%s", text)
	}
}
