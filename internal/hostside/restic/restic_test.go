package restic

import (
	"context"
	"errors"
	"io"
	"os/exec"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
)

// fake answers as a restic does.
type fake struct {
	out, errs string
	status    int
	err       error
	ran       []bound.Command
}

func (f *fake) Run(_ context.Context, c bound.Command) error {
	f.ran = append(f.ran, c)
	if c.Stdout != nil {
		_, _ = io.WriteString(c.Stdout, f.out)
	}
	if c.Stderr != nil {
		_, _ = io.WriteString(c.Stderr, f.errs)
	}
	if f.err != nil || f.status == 0 {
		return f.err
	}
	return exec.Command("sh", "-c", "exit "+strconv.Itoa(f.status)).Run()
}

const (
	one = "83eade4efa32da2886964096eeb1e02f13856cc552692efb8592852db26b78c6"
	two = "909c2ca79b0065bbe2fa5d42dca4142a20c80bebca6034546560dcc046d1ecf6"
)

func TestCommandLines(t *testing.T) {
	policy := Policy{Path: "/home/x/docker-compose.yml", Last: 7, Daily: 7, Weekly: 5, Monthly: 12, Yearly: 75}
	const keeps = " --path /home/x/docker-compose.yml --group-by  --keep-last 7 --keep-daily 7 --keep-weekly 5 " +
		"--keep-monthly 12 --keep-yearly 75"
	for want, run := range map[string]func(Repository) error{
		"cat config --no-lock":            func(r Repository) error { _, err := r.ID(t.Context()); return err },
		"init --quiet":                    func(r Repository) error { return r.Init(t.Context()) },
		"unlock --quiet":                  func(r Repository) error { return r.Unlock(t.Context()) },
		"snapshots --json --no-lock":      func(r Repository) error { _, err := r.Snapshots(t.Context()); return err },
		"list snapshots --no-lock":        func(r Repository) error { _, err := r.IDs(t.Context()); return err },
		"check --quiet":                   func(r Repository) error { return r.Check(t.Context(), "") },
		"forget --quiet " + one:           func(r Repository) error { return r.Forget(t.Context(), one) },
		"forget --dry-run --json" + keeps: func(r Repository) error { _, err := r.Removes(t.Context(), policy); return err },
		"check --quiet --read-data-subset 3/28": func(r Repository) error {
			return r.Check(t.Context(), "3/28")
		},
		"forget --quiet --cleanup-cache --prune" + keeps: func(r Repository) error { return r.Prune(t.Context(), policy) },
		"restore " + one + " --quiet --target /t --include=log --exclude=/log": func(r Repository) error {
			return r.Restore(t.Context(), one, Restore{Target: "/t", Include: []string{"log"}, Exclude: []string{"/log"}})
		},
		"stats --json --mode raw-data " + one: func(r Repository) error {
			_, err := r.Stored(t.Context(), one)
			return err
		},
		"ls --json " + one: func(r Repository) error { return r.Files(t.Context(), one, nil) },
		"copy --help":      func(r Repository) error { r.Copies(t.Context()); return nil },
		"backup --json --host mrs-x --tag mrs-x --tag hand -- log /dump": func(r Repository) error {
			_, err := r.Backup(t.Context(), Backup{Host: "mrs-x", Tags: []string{"mrs-x", "hand"}, Paths: []string{"log",
				"/dump"}}, nil)
			return err
		},
	} {
		f := &fake{}
		_ = run(
			Repository{
				Location:     "rest:http://me:hush@host/",
				PasswordFile: "/home/x/.restic_password",
				Env:          []string{"AWS_SECRET_ACCESS_KEY=hush"},
				Runner:       f,
			},
		)
		if len(f.ran) != 1 {
			t.Errorf("%s: %d programs were run", want, len(f.ran))
			continue
		}
		c := f.ran[0]
		if got := strings.Join(c.Argv, " "); got != "restic "+want {
			t.Errorf("got  %s\nwant restic %s", got, want)
		}
		if strings.Contains(strings.Join(c.Argv, " "), "hush") {
			t.Errorf("%s: a secret is an argument", want)
		}
		if !slices.Contains(c.Env, "RESTIC_REPOSITORY=rest:http://me:hush@host/") ||
			!slices.Contains(c.Env, "AWS_SECRET_ACCESS_KEY=hush") ||
			!slices.Contains(c.Env, "RESTIC_PASSWORD_FILE=/home/x/.restic_password") {
			t.Errorf("%s: the environment is %q", want, c.Env)
		}
		if c.Limit.Total == 0 && c.Limit.Idle == 0 {
			t.Errorf("%s has no bound", want)
		}
	}
}

func TestASnapshotIsCopiedWithoutASecretInAnArgument(t *testing.T) {
	f := &fake{}
	r := Repository{Location: "rest:http://me:hush@host/", PasswordFile: "/p", Runner: f}
	own := r.In("/own", "/cache")
	if err := errors.Join(own.InitCopy(t.Context()), own.Copy(t.Context(), one)); err != nil {
		t.Fatal(err)
	}
	for n, want := range []string{"restic init --quiet --copy-chunker-params", "restic copy --quiet " + one} {
		c := f.ran[n]
		if got := strings.Join(c.Argv, " "); got != want {
			t.Errorf("got  %s\nwant %s", got, want)
		}
		for _, want := range []string{
			"RESTIC_REPOSITORY=/own", "RESTIC_FROM_REPOSITORY=rest:http://me:hush@host/", "RESTIC_FROM_PASSWORD_FILE=/p",
		} {
			if !slices.Contains(c.Env, want) {
				t.Errorf("the environment is %q, without %s", c.Env, want)
			}
		}
		// Of two, the last one counts.
		if last := c.Env[len(c.Env)-3]; last != "RESTIC_CACHE_DIR=/cache" {
			t.Errorf("the cache is %s", last)
		}
	}
}

func TestTheFilesOfASnapshotAreRead(t *testing.T) {
	r := Repository{Runner: &fake{out: `{"struct_type":"snapshot","id":"83ea"}
{"name":"log","type":"dir","path":"/home/log"}
{"name":"a","type":"file","path":"/home/log/a","size":7}
{"name":"b","type":"file","path":"/home/b"}
`}}
	var got []string
	err := r.Files(
		t.Context(),
		one,
		func(path string, size int64) { got = append(got, path+" "+strconv.Itoa(int(size))) },
	)
	if err != nil || !slices.Equal(got, []string{"/home/log/a 7", "/home/b 0"}) {
		t.Errorf("it is %q, %v", got, err)
	}
	if err := r.Restore(t.Context(), "latest", Restore{}); err == nil {
		t.Error("a snapshot without an id is restored")
	}
}

func TestNoPasswordIsSaid(t *testing.T) {
	r := Repository{Location: "rest:http://me:hush@host/"}
	r.Runner = &fake{
		status: 1,
		errs:   "\nFatal: unable to open repository at rest:http://me:hush@host/: http://me:hush@host/config refused\nmore\n",
	}
	_, err := r.ID(t.Context())
	const want = "restic cat failed (exit status 1): Fatal: unable to open repository at rest:http://me:…@host/: " +
		"http://me:…@host/config refused"
	if err == nil || err.Error() != want {
		t.Errorf("got  %v\nwant %s", err, want)
	}
	if got := r.Shown(); got != "rest:http://me:…@host/" {
		t.Errorf("it is shown as %s", got)
	}
}

func TestWhatABackupSaysIsRead(t *testing.T) {
	const status = `{"message_type":"status","percent_done":0.5,"total_files":4,"files_done":2,"total_bytes":100,"bytes_done":50,"seconds_remaining":3}` + "\n"
	const summary = `{"message_type":"summary","files_new":2,"data_added":1045,"total_files_processed":2,"total_bytes_processed":4,"snapshot_id":"9bee833a"}` + "\n"
	for _, c := range []struct {
		name      string
		restic    fake
		made      Made
		err       string
		statusOf  int
		remaining int64
	}{
		{name: "all is well", restic: fake{out: status + "no JSON\n" + summary}, made: Made{ID: "9bee833a", Bytes: 4,
			Files: 2, Added: 1045}, remaining: 3},
		{name: "a file has gone, before restic 0.16",
			restic: fake{status: 3, out: summary, errs: `{"message_type":"error","error":{"Op":"lstat","Path":"/x/dupont.pdf","Err":2},"during":"archival","item":"/x/dupont.pdf"}` + "\n" +
				`{"message_type":"error","error":{"Op":"read","Path":"/x/durand.pdf","Err":5},"during":"archival","item":"/x/durand.pdf"}` + "\nWarning: at least one source file could not be read\n"},
			made: Made{ID: "9bee833a", Bytes: 4, Files: 2, Added: 1045},
			err:  "2 files could not be read (input/output error, no such file or directory)", statusOf: -1},
		{name: "a file has gone, since restic 0.16",
			restic: fake{status: 3, out: summary, errs: `{"message_type":"error","error":{"message":"open /x/dupont.pdf: ` +
				`permission denied"},"during":"archival","item":"/x/dupont.pdf"}` + "\n"},
			made: Made{ID: "9bee833a", Bytes: 4, Files: 2, Added: 1045}, err: "1 files could not be read (permission denied)",
			statusOf: -1},
		{name: "what is not known is not said", restic: fake{status: 3,
			errs: `{"message_type":"error","error":{"message":"dupont"},"item":"/x/dupont.pdf"}` + "\n"},
			err: "1 files could not be read (for another reason)", statusOf: -1},
		{name: "there is no room", restic: fake{status: 1, out: status,
			errs: `{"message_type":"error","error":{"Op":"open","Path":"/x/dupont.pdf","Err":2}}` +
				"\nFatal: unable to save snapshot: no space left on device\n"},
			err: "restic backup failed (exit status 1): Fatal: unable to save snapshot: no space left on device", statusOf: 1,
			remaining: 3},
		{name: "there is no room, since restic 0.17", restic: fake{status: 1,
			errs: `{"message_type":"exit_error","code":1,"message":"Fatal: no space left on device"}` + "\n"},
			err: "restic backup failed (exit status 1): Fatal: no space left on device", statusOf: 1},
		{name: "it stands still", restic: fake{err: &bound.Exceeded{Name: "restic backup", Limit: moves}},
			err: "restic backup stood still: nothing moved for 15 min, so it was ended", statusOf: -1},
		{name: "it does not say what it has made", restic: fake{out: status},
			err: "restic backup does not say which snapshot it has made", statusOf: -1, remaining: 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			var seen Status
			made, err := Repository{Runner: &c.restic}.Backup(t.Context(), Backup{}, func(s Status) { seen = s })
			if got := text(err); got != c.err {
				t.Errorf("the error is %q, want %q", got, c.err)
			}
			if made != c.made {
				t.Errorf("it made %+v, want %+v", made, c.made)
			}
			if f, ok := errors.AsType[*Failed](err); ok && f.Status != c.statusOf {
				t.Errorf("its status is %d, want %d", f.Status, c.statusOf)
			}
			if seen.SecondsRemaining != c.remaining {
				t.Errorf("it was seen to be at %+v", seen)
			}
			if strings.Contains(text(err), "dupont") {
				t.Errorf("a person's file is named: %v", err)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestSnapshotsAreRead(t *testing.T) {
	f := &fake{
		out: `[{"time":"2026-11-29T09:42:10.192933431Z","paths":["/h/log"],"hostname":"n","tags":["hand"],"id":"` + one + `"},
		{"time":"2026-11-29T10:42:09.5+02:00","hostname":"m","id":"` + two + `"}]`,
	}
	all, err := Repository{Runner: f}.Snapshots(t.Context())
	if err != nil || len(all) != 2 || all[0].ID != two || all[1].Host != "n" ||
		!reflect.DeepEqual(all[1].Paths, []string{"/h/log"}) {
		t.Errorf("%v, %+v", err, all)
	}
	for _, bad := range []string{`[{"id":"--all"}]`, `[{"id":"83eade4e"}]`, "{}", "nothing"} {
		if _, err := (Repository{Runner: &fake{out: bad}}).Snapshots(t.Context()); err == nil {
			t.Errorf("%s: there is no error", bad)
		}
	}
	if all, err := (Repository{Runner: &fake{out: "null\n"}}).Snapshots(t.Context()); err != nil || len(all) != 0 {
		t.Errorf("of an empty repository: %v, %v", all, err)
	}
}

func TestWhatAPolicyRemovesIsRead(t *testing.T) {
	out := `[{"tags":null,"keep":[{"id":"` + one + `"}],"remove":[{"id":"` + two + `"}],"reasons":[]}]` + "\n"
	ids, err := Repository{Runner: &fake{out: out}}.Removes(t.Context(), Policy{})
	if err != nil || !slices.Equal(ids, []string{two}) {
		t.Errorf("%v, %v", ids, err)
	}
	if ids, err := (Repository{Runner: &fake{out: "\n"}}).Removes(t.Context(), Policy{}); err != nil || ids != nil {
		t.Errorf("where there is no snapshot: %v, %v", ids, err)
	}
	if _, err := (Repository{Runner: &fake{out: "would remove 1"}}).Removes(t.Context(), Policy{}); err == nil {
		t.Error("what can't be read is taken for nothing")
	}
	f := &fake{}
	if err := (Repository{Runner: f}).Forget(t.Context(), "latest"); err == nil || len(f.ran) != 0 {
		t.Errorf("what is no id is forgotten: %v", err)
	}
}
