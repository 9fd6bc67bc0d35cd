package upgrade

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/restore"
	"github.com/betagouv/mrs-ops/internal/hostside/strike"
)

// way is what can be asked for, in a world that is made ready for it, and what the application has before and then.
type way struct {
	name      string
	asked     []string
	ready     func(*world)
	was, want string
}

// up has the world be upgraded, and rows be written since.
func up(rows string) func(*world) {
	return func(w *world) {
		w.must(way{asked: []string{"postgres:15"}}.do)
		w.write("postgres/data/rows", w.read("postgres/data/rows")+rows)
	}
}

var ways = []way{
	{"an upgrade", []string{"postgres:15"}, func(*world) {}, "postgres:10 old mail", "postgres:15 old mail"},
	{"a way back", []string{"back"}, up(""), "postgres:15 old mail", "postgres:10 old mail"},
	{"a way back that loses", []string{"back", "lose"}, up("new"), "postgres:15 oldnew mail", "postgres:10 old "},
}

func (c way) do(ctx context.Context, i *Instance) error {
	q, err := Parse(c.asked)
	if err != nil {
		return err
	}
	return i.Run(ctx, q)
}

func (c way) world(t *testing.T) *world {
	t.Helper()
	w := newWorld(t)
	c.ready(w)
	return w
}

func recovered(ctx context.Context, i *Instance) error { return i.Recover(ctx, restore.Boot) }

func (w *world) must(do func(context.Context, *Instance) error) {
	w.t.Helper()
	if err := w.run(nil, do); err != nil {
		w.t.Fatalf("%v\n%s", err, strings.Join(w.said, "\n"))
	}
}

// left are files that a run is to remove, in whichever way it ends.
func (w *world) left() (all []string) {
	for _, pattern := range []string{".restore*", ".running.*", ".next.*"} {
		found, _ := filepath.Glob(w.home(pattern))
		all = append(all, found...)
	}
	return all
}

// lost fails the test where rows that somebody has written are in no data folder, or a mail is nowhere.
func (w *world) lost(what, rows string) {
	w.t.Helper()
	var all, mails []string
	_ = filepath.WalkDir(w.home("."), func(path string, entry os.DirEntry, err error) error {
		if err == nil && entry.Name() == "rows" {
			text, _ := os.ReadFile(path)
			all = append(all, strings.ReplaceAll(string(text), "+late", ""))
		}
		if err == nil && entry.Name() == "1" {
			mails = append(mails, path)
		}
		return nil
	})
	if !slices.Contains(all, rows) || len(mails) != 1 {
		w.t.Errorf("%s: there are rows %q and mails %v", what, all, mails)
	}
}

func (c way) rows() string { return strings.Fields(c.was)[1] }

func TestAnUpgradeKeepsTheOldFolderAndEveryRow(t *testing.T) {
	w := newWorld(t)
	w.must(ways[0].do)
	if w.has() != ways[0].want || w.read("postgres/data/rows") != "old+late" {
		t.Errorf("the application has %s, with rows %q", w.has(), w.read("postgres/data/rows"))
	}
	if left := w.left(); len(left) > 0 {
		t.Errorf("left: %v", left)
	}
	stamp := "20261129T100001Z"
	if w.read("postgres-data."+stamp+"/rows") != "old+late" || w.read("docker-compose.yml."+stamp) != "postgres:10" {
		t.Error("what was there is not kept")
	}
	if want := "upgrade to postgres:15"; !slices.Equal(w.release, []string{want}) {
		t.Errorf("the releases are %q", w.release)
	}
	for _, want := range []string{"the env file is to say compose_postgres_image=postgres:15 from now on: deployments refuse another version",
		"kept as it was: " + w.home("postgres-data."+stamp), "mrs-x runs on postgres:15"} {
		if !slices.Contains(w.said, want) {
			t.Errorf("it does not say %q: %q", want, w.said)
		}
	}
	w.must(func(ctx context.Context, i *Instance) error { return i.Discard(ctx, stamp) })
	if w.is("postgres-data."+stamp) || w.is("upgrade."+stamp) || w.has() != ways[0].want {
		t.Errorf("after its discard the application has %s", w.has())
	}
	if err := w.run(nil, ways[1].do); err == nil || !strings.HasPrefix(err.Error(), "there is no way back") {
		t.Errorf("back from what is discarded: %v", err)
	}
}

func TestTheWayBackSaysWhatWasWrittenSinceAndLosesItOnlyWhereThatIsAskedFor(t *testing.T) {
	w := ways[2].world(t)
	err := w.run(nil, ways[1].do)
	f, _ := errors.AsType[*backup.Failure](err)
	if f == nil || !strings.HasPrefix(f.Reason, "3 rows were written since the upgrade, in a;") || f.Status != hostapi.AsBefore ||
		!strings.Contains(f.Hint, "-lose") {
		t.Fatalf("%+v", f)
	}
	if w.has() != ways[2].was || len(w.left()) > 0 {
		t.Errorf("the application has %s; left: %v", w.has(), w.left())
	}
	w.must(ways[2].do)
	if w.has() != ways[2].want || len(w.left()) > 0 {
		t.Errorf("the application has %s; left: %v", w.has(), w.left())
	}
	if !slices.Contains(w.said, "they are in snapshot 01234567, which PostgreSQL 15 or a newer one can restore") {
		t.Errorf("it says %q", w.said)
	}
	w.lost("lost, and kept", "oldnew")
	if found, _ := filepath.Glob(w.home("upgrade.*")); len(found) > 0 {
		t.Errorf("what was gone back from is still there: %v", found)
	}
	w.must(ways[0].do)
	if w.has() != "postgres:15 old " {
		t.Errorf("upgraded once more, the application has %s", w.has())
	}
}

func TestWhatStandsInTheWayIsRefusedBeforeAnythingIsChanged(t *testing.T) {
	for _, c := range []struct {
		ready func(*world)
		asked string
		want  string
	}{
		{func(*world) {}, "postgres:10", "postgres:10 is PostgreSQL 10, no newer one than 10, which the data are of"},
		{func(w *world) { w.live.Unfit = []string{"x is a tablespace"} }, "postgres:15", "x is a tablespace"},
		{func(w *world) { w.free = 1000 }, "postgres:15", "1000B free, and about 65MiB are needed"},
		{func(w *world) { w.wrong = []string{"max_connections is 100, and was 300"} }, "postgres:15",
			"the new server would not be configured as this one: max_connections is 100, and was 300"},
		{func(w *world) { w.extra = []string{"relation b"} }, "postgres:15",
			"the database on PostgreSQL 15 is not what it was: new: relation b"},
	} {
		w := newWorld(t)
		c.ready(w)
		err := w.run(nil, way{asked: []string{c.asked}}.do)
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
		if slices.Contains(w.calls.Made(), "stop#1") || w.has() != ways[0].was || len(w.left()) > 0 {
			t.Errorf("%s: the application has %s; left: %v", c.want, w.has(), w.left())
		}
	}
	w := newWorld(t)
	w.other = []string{"django psql"}
	err := w.run(nil, ways[0].do)
	if err == nil || !strings.HasPrefix(err.Error(), "the database is used by others than the application: django psql") ||
		w.has() != ways[0].was {
		t.Errorf("somebody else: %v, and the application has %s", err, w.has())
	}
	for _, words := range [][]string{{}, {"--image"}, {"postgres:15", "x"}, {"back", "x"}, {"a b"}, {"-v"}} {
		if q, err := Parse(words); err == nil {
			t.Errorf("%q is read as %+v", words, q)
		}
	}
}

// Every way is struck before, in and after every call of it; what undoes it is struck at every call, too.
func TestWhateverStrikesAnUpgradeAtWhateverMomentAVersionAnswersWithEveryRow(t *testing.T) {
	count := 0
	for _, c := range ways {
		w := c.world(t)
		w.must(c.do)
		for _, call := range w.calls.Made() {
			for _, s := range strike.All {
				t.Run(fmt.Sprintf("%s, %s %s", c.name, call, s), func(t *testing.T) {
					count++
					made := c.struck(t, strike.At{call: s})
					undoing := slices.Index(made, call)
					if s != strike.Fails || undoing < 0 || c.name == "a way back" {
						return
					}
					for _, next := range made[undoing+1:] {
						for _, again := range []strike.Strike{strike.Fails, strike.Killed, strike.KilledLate} {
							count++
							c.struck(t, strike.At{call: s, next: again})
						}
					}
				})
			}
		}
	}
	t.Logf("%d upgrades and ways back were struck", count)
}

// struck carries it out with strikes, and has the next one get it straight. It returns what was called.
func (c way) struck(t *testing.T, strikes strike.At) []string {
	t.Helper()
	w := c.world(t)
	err := w.run(strikes, c.do)
	made, what := w.calls.Made(), fmt.Sprint(strikes)
	killed := w.wreck != nil
	if killed {
		w = w.wrecked()
	}
	w.lost(what, c.rows())
	f, _ := errors.AsType[*backup.Failure](err)
	half := f != nil && (strings.Contains(f.Reason, "NOT all could be put back") || strings.Contains(f.Reason, "not all is tidied up"))
	switch {
	case killed || half:
	case err == nil && w.has() != c.want, err != nil && w.has() != c.was && w.has() != c.want:
		t.Errorf("%s: it ends with %v, and the application has %s", what, err, w.has())
	case err != nil && w.has() == c.was && !strings.Contains(f.Reason, "is as it was before") && f.Status != 1:
		t.Errorf("%s: it says %+v", what, f)
	}
	w.must(recovered)
	w.lost(what+", recovered", c.rows())
	has := w.has()
	if has != c.was && has != c.want || w.is(".restore.swap") || w.is(".restore.done") || w.is(".running.upgrade") {
		t.Errorf("%s: recovered, the application has %s; %v\n%s", what, has, w.left(), strings.Join(w.said, "\n"))
	}
	if has == c.was {
		w.must(c.do)
		if w.has() != c.want {
			t.Errorf("%s: the next one leaves the application with %s", what, w.has())
		}
		if left := w.left(); len(left) > 0 {
			t.Errorf("%s: the next one leaves %v", what, left)
		}
		w.lost(what+", once more", c.rows())
	}
	return made
}

// The folders are PostgreSQL's, whose user may have put anything there.
func TestWhatIsTakenAlongIsAFileOfTheDataFolder(t *testing.T) {
	from, to, secret := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "shadow")
	write := func(path, content string) {
		if err := os.WriteFile(path, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	write(secret, "hush")
	write(filepath.Join(from, "pg_hba.conf"), "host all all all md5\n")
	write(filepath.Join(to, "pg_hba.conf"), "host all all all scram-sha-256, and more\n")
	write(filepath.Join(to, "pg_ident.conf"), "new\n")
	if err := take(from, to, "pg_hba.conf"); err != nil {
		t.Error(err)
	}
	if text, _ := os.ReadFile(filepath.Join(to, "pg_hba.conf")); string(text) != "host all all all md5\n" {
		t.Errorf("it is %q", text)
	}
	if err := take(from, to, "postgresql.auto.conf"); err != nil {
		t.Errorf("of what is not there: %v", err)
	}
	if err := os.Symlink(secret, filepath.Join(from, "pg_ident.conf")); err != nil {
		t.Fatal(err)
	}
	if err := take(from, to, "pg_ident.conf"); err == nil {
		t.Error("a link is followed, that leads out of the folder")
	}
	write(filepath.Join(from, "of-ours"), "over it")
	if err := os.Symlink(secret, filepath.Join(to, "of-ours")); err != nil {
		t.Fatal(err)
	}
	if err := take(from, to, "of-ours"); err == nil {
		t.Error("a link is written to")
	}
	if text, _ := os.ReadFile(secret); string(text) != "hush" {
		t.Errorf("what it leads to is %q", text)
	}
}
