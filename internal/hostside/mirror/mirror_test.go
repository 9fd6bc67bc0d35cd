package mirror

import (
	"context"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
)

const dsn = "ftp://mirror:hush-ftp@ftp.example.org"

// fake answers as an lftp does.
type fake struct {
	out, errs string
	fails     bool
	err       error
	got       string // on standard input
	argv      []string
	limit     bound.Limit
}

func (f *fake) Run(_ context.Context, c bound.Command) error {
	text, _ := io.ReadAll(c.Stdin)
	f.got, f.argv, f.limit = string(text), c.Argv, c.Limit
	_, _ = io.WriteString(c.Stdout, f.out)
	_, _ = io.WriteString(c.Stderr, f.errs)
	if f.fails {
		return exec.Command("false").Run()
	}
	return f.err
}

func TestWhatLftpIsToldToDo(t *testing.T) {
	const options = "--verbose --parallel=4 --no-perms --no-umask --ignore-time --exclude=-tmp-"
	for _, c := range []struct {
		name string
		run  func(Mirror) error
		want []string
	}{
		{"look", func(m Mirror) error { _, err := m.HasRepository(t.Context()); return err },
			[]string{`mkdir -p -f "mrs-x/restic"`, `cls -1 "mrs-x/restic"`}},
		{"config", func(m Mirror) error { _, err := m.Config(t.Context()); return err },
			[]string{`cat "mrs-x/restic/config"`}},
		{"size", func(m Mirror) error { _, err := m.Size(t.Context()); return err }, []string{`du -bs "mrs-x/restic"`}},
		{"some files, in their order", func(m Mirror) error {
			return m.Put(t.Context(), `/home/x "y"/restic`, []string{"data/ab/abc", "snapshots/def"})
		},
			[]string{`put "/home/x \"y\"/restic/data/ab/abc" -o "mrs-x/restic/data/ab/abc"`,
				`put "/home/x \"y\"/restic/snapshots/def" -o "mrs-x/restic/snapshots/def"`}},
		{"all, data first and what makes it a repository last", func(m Mirror) error {
			return m.Copy(t.Context(), "/r",
				true)
		},
			[]string{
				`mirror --reverse ` + options + ` "/r/data" "mrs-x/restic/data"`, `mirror --reverse ` + options +
					` "/r/keys" "mrs-x/restic/keys"`,
				`mirror --reverse ` + options + ` "/r/index" "mrs-x/restic/index"`, `mirror --reverse ` + options +
					` "/r/snapshots" "mrs-x/restic/snapshots"`,
				`put "/r/config" -o "mrs-x/restic/config"`,
			}},
		{"deleting, what refers to others first", func(m Mirror) error { return m.Remove(t.Context(), "/r") },
			[]string{
				`mirror --reverse ` + options + ` --delete "/r/snapshots" "mrs-x/restic/snapshots"`,
				`mirror --reverse ` + options + ` --delete "/r/index" "mrs-x/restic/index"`, `mirror --reverse ` + options +
					` --delete "/r/data" "mrs-x/restic/data"`,
			}},
		{"a file from there", func(m Mirror) error { return m.Get(t.Context(), "data/ab/abc", "/r/.repair.new") },
			[]string{`get "mrs-x/restic/data/ab/abc" -o "/r/.repair.new"`}},
		{"all from there", func(m Mirror) error { return m.Fetch(t.Context(), "/r.fetched") },
			[]string{`mirror ` + options + ` --no-symlinks "mrs-x/restic" "/r.fetched"`}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f := &fake{}
			if err := c.run(Mirror{Address: dsn, Folder: "mrs-x/restic", Runner: f}); err != nil {
				t.Fatal(err)
			}
			_, commands, _ := strings.Cut(f.got, `open "`+dsn+`"`+"\n")
			if got := strings.Split(strings.TrimSuffix(commands, "\n"), "\n"); !slices.Equal(got, c.want) {
				t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(c.want, "\n"))
			}
			if !slices.Equal(f.argv, []string{"lftp"}) {
				t.Errorf("its arguments are %q: the address is secret", f.argv)
			}
			if f.limit.Total == 0 && f.limit.Idle == 0 {
				t.Error("it has no bound")
			}
		})
	}
}

func TestACertificateIsCheckedUnlessThereIsNone(t *testing.T) {
	for plain, want := range map[bool]string{false: "set ssl:verify-certificate yes\n", true: "set ftp:ssl-allow no\n"} {
		f := &fake{}
		_, _ = Mirror{Address: dsn, Plain: plain, Folder: "x", Runner: f}.Config(t.Context())
		if !strings.Contains(f.got, want) || strings.Contains(f.got, "verify-certificate") == plain {
			t.Errorf("plain %v: it is told\n%s", plain, f.got)
		}
	}
}

func TestNothingGetsOutOfAWord(t *testing.T) {
	f := &fake{}
	m := Mirror{Address: "ftp://a:b\\\"c@host", Folder: "x", Runner: f}
	if _, err := m.Config(t.Context()); err != nil || !strings.Contains(f.got, `open "ftp://a:b\\\"c@host"`+"\n") {
		t.Errorf("%v\n%s", err, f.got)
	}
	f.got = ""
	for _, bad := range []string{"ftp://host\nrm -r .", "ftp://host\rx", "ftp://host\x00"} {
		m.Address = bad
		if _, err := m.Config(t.Context()); err == nil || f.got != "" {
			t.Errorf("%q: %v\n%s", bad, err, f.got)
		}
	}
}

func TestWhatTheMirrorHoldsIsRead(t *testing.T) {
	for said, want := range map[string]bool{"": false, "x/restic/config\nx/restic/data/\n": true, "config\n": true,
		"configuration\n": false, "data/\n": false} {
		if has, err := (Mirror{Address: dsn, Folder: "x/restic", Runner: &fake{out: said}}).HasRepository(t.Context()); has != want ||
			err != nil {
			t.Errorf("%q: %v, %v", said, has, err)
		}
	}
	if n, err := (Mirror{Runner: &fake{out: "163200000\tx/restic\n"}}).Size(t.Context()); n != 163200000 || err != nil {
		t.Errorf("it has %d, %v", n, err)
	}
	if n, err := (Mirror{Runner: &fake{out: "nobody knows"}}).Size(t.Context()); n != 0 || err != nil {
		t.Errorf("it has %d, %v", n, err)
	}
}

func TestAMirrorThatFailsSaysWhyAndNoSecret(t *testing.T) {
	for _, c := range []struct {
		name string
		fake fake
		want string
	}{
		{"it is down", fake{fails: true, errs: "one\nmkdir: Fatal error: max-retries exceeded (Connection refused)\n\n"},
			"mkdir: Fatal error: max-retries exceeded (Connection refused)"},
		{"with its address", fake{fails: true, errs: "cd: " + dsn + "/x: No such file\n"}, "cd: the mirror No such file"},
		{"with its password", fake{fails: true, errs: "PASS hush-ftp is wrong\n"}, "PASS … is wrong"},
		{"it takes some bytes and then no more", fake{fails: true, errs: "mirror: ab/abc: no progress timeout\n"},
			"the copy to the mirror stood still: nothing moved for 10 min, so it was ended"},
		{"it stalls", fake{err: &bound.Exceeded{Name: "the copy to the mirror", Limit: moves}, errs: "something\n"},
			"the copy to the mirror stood still: nothing moved for 10 min, so it was ended"},
	} {
		err := Mirror{Address: dsn, Folder: "x", Runner: &c.fake}.Copy(t.Context(), "/r", false)
		if err == nil || err.Error() != c.want {
			t.Errorf("%s: got %v, want %s", c.name, err, c.want)
		}
	}
}
