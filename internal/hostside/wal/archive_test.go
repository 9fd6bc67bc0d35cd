package wal

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/strike"
)

var noon = time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)

// file is the name of a file of the log, of which 4 GiB are four.
func file(n int) string { return fmt.Sprintf("00000001%08X%08X", n/4, n%4) }

// logged is a stream with these files of log, of 1 GiB each, and base backups of these hours that go on from some.
func logged(t *testing.T, files []string, bases map[int]string) Stream {
	t.Helper()
	s := Stream{filepath.Join(t.TempDir(), "20261119T220000Z-7")}
	if err := errors.Join(os.MkdirAll(s.Log(), 0o700), os.MkdirAll(filepath.Join(s.Folder, "base"), 0o700)); err != nil {
		t.Fatal(err)
	}
	for _, name := range files {
		path := filepath.Join(s.Log(), name)
		err := errors.Join(os.WriteFile(path, nil, 0o600), os.Truncate(path, 1<<30), os.Chtimes(path, noon, noon))
		if err != nil {
			t.Fatal(err)
		}
	}
	for hour, first := range bases {
		at := noon.Truncate(24 * time.Hour).Add(time.Duration(hour) * time.Hour)
		b := Base{Name: at.Format(hostapi.Stamp), Began: at, Ended: at.Add(time.Minute), First: first}
		if err := errors.Join(os.Mkdir(s.Data(b), 0o700), s.write("base/"+b.Name+".json", b)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.write(received, Received{Until: noon.Add(time.Hour)}); err != nil {
		t.Fatal(err)
	}
	return s
}

func TestASecondIsCoveredWhereNoFileOfTheLogIsMissingFromABaseBackupOn(t *testing.T) {
	all := []string{file(2), file(3), file(4), file(5) + ".partial"}
	switched := []string{file(2), file(3), "00000002" + file(3)[8:], "00000002" + file(4)[8:], "00000002.history"}
	at := func(hour, minute int) time.Time {
		return noon.Add(time.Duration(hour-12)*time.Hour + time.Duration(minute)*time.Minute)
	}
	for name, c := range map[string]struct {
		files  []string
		second time.Time
		base   string // its hour; empty: it is not covered
	}{
		"the last base backup before it": {all, at(12, 30), "11"}, "one before": {all, at(10, 0), "09"},
		"the end": {all, time.Time{}, "11"}, "before all": {all, at(8, 0), ""}, "while the first was made": {all, at(9, 0), ""},
		"after all": {all, at(14, 0), ""}, "the last one": {all, at(13, 0), "11"},
		"after a gap":                     {[]string{file(2), file(4), file(5)}, at(12, 30), "11"},
		"in a gap":                        {[]string{file(2), file(4), file(5)}, at(10, 59), "09"},
		"the first file is gone":          {[]string{file(3), file(5)}, at(10, 0), ""},
		"on another timeline":             {switched, at(10, 0), "09"},
		"the end, behind a gap":           {[]string{file(2), file(3), file(4), file(6)}, time.Time{}, ""},
		"before the gap, by what is left": {[]string{file(2), file(3), file(4), file(6)}, at(11, 30), "11"},
		"in what may be missing":          {[]string{file(2), file(3), file(4), file(6)}, at(12, 0), ""},
	} {
		s := logged(t, c.files, map[int]string{9: file(2), 11: file(4)})
		spans, err := s.Spans()
		found, ok := Covering(spans, c.second)
		if err != nil || ok != (c.base != "") || ok && found.Base.Name[9:11] != c.base {
			t.Errorf("%s: %v, %+v, %v", name, ok, found, err)
		}
	}
}

func TestTheLogReachesFromTheFirstBaseBackupThatGoesOnToTheEnd(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		from  string
	}{
		"all":              {[]string{file(2), file(3), file(4)}, "09:01"},
		"a gap":            {[]string{file(2), file(4)}, "09:01"}, // bridged by the second one
		"the first gone":   {[]string{file(4)}, "11:01"},
		"nothing to go on": {[]string{file(5)}, "00:00"},
	} {
		spans, err := logged(t, c.files, map[int]string{9: file(2), 11: file(4)}).Spans()
		from, _ := Reach(spans)
		if err != nil || from.Format("15:04") != c.from {
			t.Errorf("%s: it reaches from %s, %v", name, from, err)
		}
	}
}

func TestAFileThatIsBeingMadeIsNoGapAndOneThatIsCutShortIs(t *testing.T) {
	for name, c := range map[string]struct {
		cut   string // to a page
		until string
	}{
		"none": {"", "13:00"}, "the next, which is being made": {file(5) + ".partial", "13:00"},
		"one that was whole": {file(3), "11:59"}, // its base backup ended before
	} {
		s := logged(t, []string{file(2), file(3), file(4), file(5) + ".partial"}, map[int]string{9: file(2)})
		if c.cut != "" {
			if err := os.Truncate(filepath.Join(s.Log(), c.cut), 8192); err != nil {
				t.Fatal(err)
			}
		}
		spans, err := s.Spans()
		if _, until := Reach(spans); err != nil || until.Format("15:04") != c.until {
			t.Errorf("%s: it reaches to %s, %v", name, until, err)
		}
	}
}

func TestHowMuchWouldBeLostCountsFromWhereAFileIsMissing(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		bases map[int]string
		from  string
		until time.Time
	}{
		"all is there":   {[]string{file(2), file(3), file(4)}, map[int]string{9: file(2)}, "09:01", noon.Add(time.Hour)},
		"one is missing": {[]string{file(2), file(4)}, map[int]string{9: file(2)}, "09:01", noon.Add(-2 * Pause)},
		"bridged":        {[]string{file(2), file(4)}, map[int]string{9: file(2), 11: file(4)}, "09:01", noon.Add(time.Hour)},
		"no base backup": {[]string{file(2), file(4)}, nil, "00:00", noon.Add(time.Hour)},
		"none goes on":   {[]string{file(4)}, map[int]string{9: file(2)}, "09:01", noon.Add(-3*time.Hour + time.Minute)},
	} {
		s := logged(t, c.files, c.bases)
		got, err := Archive{filepath.Dir(s.Folder)}.Standing()
		if err != nil || got.From.Format("15:04") != c.from || !got.Until.Equal(c.until) {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
}

// pg_receivewal writes all of a file before anything into it, and does not take up one that a full disk has cut short.
func TestAFileOfTheLogThatTheDiskHadNoRoomForIsBegunAnew(t *testing.T) {
	s := logged(t, []string{file(2), file(3) + ".partial"}, nil)
	for _, length := range []int64{1 << 30, 8192} {
		if err := errors.Join(os.Truncate(filepath.Join(s.Log(), file(3)+".partial"), length), begun(s.Log(), 1<<30)); err != nil {
			t.Fatal(err)
		}
		left, err := os.ReadDir(s.Log())
		if want := map[bool]int{true: 2, false: 1}[length == 1<<30]; err != nil || len(left) != want || left[0].Name() != file(2) {
			t.Errorf("of %d bytes: %v are left, %v", length, left, err)
		}
	}
}

func TestAllLogIsReadThatIsNotWrittenToAnyMore(t *testing.T) {
	for name, c := range map[string]struct {
		files []string
		want  []string
	}{
		"none": {nil, nil}, "one": {[]string{file(2) + ".partial"}, nil},
		"all":        {[]string{file(2), file(3), file(4) + ".partial"}, []string{"check " + file(2) + " " + file(3) + "#1"}},
		"from a gap": {[]string{file(2), file(4), file(5), file(6)}, []string{"check " + file(4) + " " + file(5) + "#1"}},
		"of the last timeline": {[]string{file(2), file(3), "00000002" + file(3)[8:], "00000002" + file(4)[8:]},
			[]string{"check 00000002" + file(3)[8:] + " 00000002" + file(3)[8:] + "#1"}},
	} {
		f := &fake{calls: &strike.Calls{}}
		if err := logged(t, c.files, nil).Check(t.Context(), f); err != nil || !slices.Equal(f.calls.Made(), c.want) {
			t.Errorf("%s: %q, %v", name, f.calls.Made(), err)
		}
	}
}

func TestABaseBackupIsDueEachNightAndWhereTheLogDoesNotGoOnFromOne(t *testing.T) {
	base := func(at time.Time) Base {
		return Base{Name: at.Format(hostapi.Stamp), Began: at, Ended: at.Add(time.Minute)}
	}
	at := func(day, hour int) time.Time { return time.Date(2026, 11, day, hour, 30, 0, 0, time.UTC) }
	for name, c := range map[string]struct {
		base  time.Time
		whole bool
		now   time.Time
		due   bool
	}{
		"none": {time.Time{}, true, at(20, 12), true}, "of last night": {at(19, 23), true, at(20, 22), false},
		"another night": {at(19, 23), true, at(20, 23), true}, "of before last night": {at(18, 23), true, at(20, 1), true},
		"the log is broken": {at(20, 1), false, at(20, 12), true},
		"just now":          {at(20, 11), false, at(20, 11).Add(9 * time.Minute), false},
	} {
		var bases []Base
		var spans []Span
		if !c.base.IsZero() {
			bases, spans = []Base{base(c.base)}, []Span{{base(c.base), c.now, c.whole}}
		}
		if got := Due(bases, spans, c.now); got != c.due {
			t.Errorf("%s: due is %v", name, got)
		}
	}
}

func TestNoLogGoesThatABaseBackupNeedsWhichStays(t *testing.T) {
	s := logged(t, []string{file(1), file(2), file(3), file(4), file(5), file(6)},
		map[int]string{7: file(1), 9: file(2), 11: file(4), 12: file(5)})
	if err := os.Mkdir(filepath.Join(s.Folder, "base", "20261120T110500Z"), 0o700); err != nil { // cut short
		t.Fatal(err)
	}
	for range 2 {
		if err := s.Tidy(); err != nil {
			t.Fatal(err)
		}
		var names []string
		for _, pattern := range []string{"wal/*", "base/*"} {
			found, _ := filepath.Glob(filepath.Join(s.Folder, pattern))
			for _, path := range found {
				names = append(names, filepath.Base(path))
			}
		}
		want := []string{file(4), file(5), file(6),
			"20261120T110000Z", "20261120T110000Z.json", "20261120T120000Z", "20261120T120000Z.json"}
		if !slices.Equal(names, want) {
			t.Errorf("it leaves %v, not %v", names, want)
		}
	}
}

func TestALogThatHasEndedStaysUntilItIsShippedAndOld(t *testing.T) {
	a := Archive{t.TempDir()}
	for name, shipped := range map[string]time.Time{
		"20261101T000000Z-1": noon, "20261102T000000Z-2": noon.Add(-time.Hour), "20261103T000000Z-3": noon,
	} {
		s := Stream{filepath.Join(a.Folder, name)}
		if err := errors.Join(os.Mkdir(s.Folder, 0o700), s.write(received, Received{Until: noon}),
			s.Ship(Shipped{Repository: shipped})); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct {
		before time.Time
		left   int
	}{{noon, 3}, {noon.Add(time.Hour), 2}} { // one was not shipped, and the newest stays
		if err := a.Expire(c.before); err != nil {
			t.Fatal(err)
		}
		if all, err := a.Streams(); err != nil || len(all) != c.left {
			t.Errorf("%v are left, %v", all, err)
		}
	}
}

// fake is a PostgreSQL that can be struck at every call.
type fake struct {
	calls  *strike.Calls
	system string
	major  int
	slot   bool
	beats  int
	told   *hostapi.Log
	cut    chan struct{} // whoever receives is cut off
	full   atomic.Bool   // so is the archive's disk
}

func (f *fake) Facts(ctx context.Context) (facts Facts, err error) {
	return Facts{System: f.system, Major: f.major, UID: os.Getuid(), GID: os.Getgid()},
		f.calls.Do(ctx, "facts", func() error { return nil })
}
func (f *fake) Prepare(ctx context.Context, _ Facts) error {
	return f.calls.Do(ctx, "prepare", func() error { return nil })
}
func (f *fake) Slot(ctx context.Context) (bool, error) {
	return f.slot, f.calls.Do(ctx, "slot", func() error { return nil })
}
func (f *fake) Renew(ctx context.Context) error {
	return f.calls.Do(ctx, "renew", func() error { f.slot = true; return nil })
}
func (f *fake) Receive(ctx context.Context, _ Facts, folder string) error {
	if _, err := os.Stat(folder); err != nil {
		return err
	}
	return f.calls.Do(ctx, "receive", func() error {
		if f.full.Load() {
			return syscall.ENOSPC
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-f.cut:
			return errors.New("cut off")
		}
	})
}
func (f *fake) Beat(ctx context.Context) (r Received, ok bool, err error) {
	return Received{Until: time.Now()}, true, f.calls.Do(ctx, "beat", func() error { f.beats++; return nil })
}
func (f *fake) Base(ctx context.Context, _ Facts, folder string) error {
	return f.calls.Do(ctx, "base", func() error {
		return errors.Join(os.Mkdir(folder, 0o700), os.WriteFile(filepath.Join(folder, "backup_label"),
			[]byte("START WAL LOCATION: 0/3000028 (file 000000010000000000000003)\nCHECKPOINT LOCATION: 0/3000060\n"), 0o600))
	})
}
func (f *fake) Check(ctx context.Context, _, first, last string) error {
	return f.calls.Do(ctx, "check "+first+" "+last, func() error { return nil })
}
func (f *fake) Close()                          {}
func (f *fake) End(context.Context, bool) error { return nil }
func (f *fake) Point(ctx context.Context, _ string) error {
	return f.calls.Do(ctx, "point", func() error { return nil })
}

// receive receives for a while, and returns what was said.
func (f *fake) receive(t *testing.T, a Archive, during func()) (said []string) {
	t.Helper()
	ctx, end := context.WithCancel(t.Context())
	f.cut = make(chan struct{}, 1)
	r := Receiver{Archive: a, Find: func(context.Context) (Server, error) { return f, nil },
		Fits: func(string) error { return nil }, Tell: func(l *hostapi.Log) error { f.told = l; return nil }, Say: func(line string) { said = append(said, line) }, Now: time.Now}
	ended := make(chan struct{})
	go func() { defer close(ended); r.Run(ctx) }()
	time.Sleep(time.Minute)
	during()
	time.Sleep(time.Minute)
	end()
	<-ended
	return said
}

func TestThatTheLogIsNotReceivedIsSaidOnceAndThatItIsOnceItIs(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := &fake{calls: &strike.Calls{}, system: "7", major: 15}
		said := f.receive(t, Archive{t.TempDir()}, func() {
			f.full.Store(true)
			f.cut <- struct{}{}
			time.Sleep(time.Minute)
			f.full.Store(false)
		})
		var got []string
		for _, line := range said {
			got = append(got, strings.TrimSpace(line[:min(17, len(line))]))
		}
		want := []string{"receiving the log", "the log is not re", "the log is not re", "receiving the log"} // cut off, and full
		if !slices.Equal(got, want) {
			t.Errorf("said is\n%s", strings.Join(said, "\n"))
		}
	})
}

func TestTheFirstErrorIsWhyAProgramEnded(t *testing.T) {
	for _, c := range [][3]string{
		{"pg_receivewal", "pg_receivewal: error: could not write 8192 bytes to WAL file \"0000\": No space left on device\n" +
			"pg_receivewal: error: disconnected\n", "could not write 8192 bytes to WAL file \"0000\": No space left on device"},
		{"pg_waldump", "pg_waldump: first record is after 0/3000000\npg_waldump: fatal: no record", "no record"},
		{"pg_basebackup", "docker: Error response from daemon: conflict\n\nRun 'docker run --help' for more information\n",
			"Error response from daemon: conflict"},
		{"pg_basebackup", "something\nelse\n", "else"},
		{"pg_basebackup", "\n", ""},
	} {
		if got := firstError(c[0], c[1]); got != c[2] {
			t.Errorf("%s says %q, and why is %q", c[0], c[1], got)
		}
	}
}

func TestWhateverStrikesWhoReceivesTheLogItGoesOn(t *testing.T) {
	for _, call := range []string{"facts#1", "prepare#1", "slot#1", "renew#1", "receive#1", "beat#1", "beat#3"} {
		for _, s := range []strike.Strike{strike.Fails, strike.FailsLate} {
			synctest.Test(t, func(t *testing.T) {
				a := Archive{t.TempDir()}
				f := &fake{calls: &strike.Calls{Strikes: strike.At{call: s}}, system: "7", major: 15}
				said := f.receive(t, a, func() {})
				all, err := a.Streams()
				if err != nil || len(all) == 0 {
					t.Fatalf("%s %s: %v, %v", call, s, all, err)
				}
				got, err := all[len(all)-1].Received()
				if err != nil || time.Since(got.Until) > 2*Pause || f.beats < 15 || !f.told.Until.Equal(got.Until) {
					t.Errorf("%s %s: %+v after %d, %v; %q", call, s, got, f.beats, err, said)
				}
				// Only what PostgreSQL has no slot for is begun anew.
				if struck := strings.HasPrefix(call, "renew"); len(all) > 1 && !(struck && s == strike.Fails) {
					t.Errorf("%s %s: it was begun %d times", call, s, len(all))
				}
			})
		}
	}
}

func TestTheLogGoesOnAsLongAsPostgreSQLHasKeptItAndIsBegunAnewWhereNot(t *testing.T) {
	for name, c := range map[string]struct {
		during func(*fake)
		begun  int
	}{
		"restarted":                        {func(f *fake) { f.cut <- struct{}{} }, 1},
		"the slot lost":                    {func(f *fake) { f.slot = false; f.cut <- struct{}{} }, 2},
		"made anew":                        {func(f *fake) { f.system, f.slot = "8", false; f.cut <- struct{}{} }, 2},
		"another with a slot of that name": {func(f *fake) { f.system = "8"; f.cut <- struct{}{} }, 2},
	} {
		synctest.Test(t, func(t *testing.T) {
			a, f := Archive{t.TempDir()}, &fake{calls: &strike.Calls{}, system: "7", major: 15}
			said := f.receive(t, a, func() { c.during(f) })
			if all, err := a.Streams(); err != nil || len(all) != c.begun || all[len(all)-1].System() != f.system {
				t.Errorf("%s: %v, %v; %q", name, all, err, said)
			}
		})
	}
}

func TestAnOlderPostgreSQLIsToldSoOnceAndNotStreamed(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		a, f := Archive{t.TempDir()}, &fake{calls: &strike.Calls{}, system: "7", major: 12}
		said := f.receive(t, a, func() {})
		if all, _ := a.Streams(); len(all) > 0 || len(said) != 1 || !strings.Contains(said[0], "ops:upgradePostgres") {
			t.Errorf("%v, %q", all, said)
		}
	})
}

func TestABaseBackupThatIsStruckIsNone(t *testing.T) {
	for _, s := range []strike.Strike{strike.Fails, strike.FailsLate, ""} {
		a := Archive{t.TempDir()}
		f := &fake{calls: &strike.Calls{Strikes: strike.At{"base#1": s}}, system: "7", major: 15}
		st, err := a.begin(noon, "7", os.Getuid(), os.Getgid())
		if err != nil {
			t.Fatal(err)
		}
		b, err := st.Base(t.Context(), f, func() time.Time { return noon })
		bases, e := st.Bases()
		if (err == nil) != (s == "") || e != nil || len(bases) != map[bool]int{true: 1}[s == ""] {
			t.Errorf("%s: %v, %v, %v", s, bases, err, e)
		}
		if s == "" && (b.First != "000000010000000000000003" || b.Bytes == 0) {
			t.Errorf("it is %+v", b)
		}
		// The next one has its place.
		if _, err := st.Base(t.Context(), f, func() time.Time { return noon.Add(time.Hour) }); err != nil {
			t.Error(err)
		}
	}
}

func TestARecoveryReachesNobodyAndStopsAtTheSecond(t *testing.T) {
	r := Recovery{Stream: Stream{"/a/s"}, Project: "mrs-x-trial", Folder: "/a/recovery", Dump: "/d",
		Until: time.Date(2026, 11, 20, 15, 3, 7, 0, time.FixedZone("", 3600))}
	line := strings.Join(r.Argv("sha256:1"), " ")
	for _, part := range []string{"--network none", "recovery_target_time=2026-11-20 14:03:07+00", "/a/s/wal:/wal:ro",
		"com.docker.compose.project=mrs-x-trial", "recovery_target_action=promote"} {
		if !strings.Contains(line, part) {
			t.Errorf("%s is not in %s", part, line)
		}
	}
	r.XID = 4711
	if line := strings.Join(r.Argv("i"), " "); !strings.Contains(line, "recovery_target_xid=4711") ||
		!strings.Contains(line, "recovery_target_inclusive=off") || strings.Contains(line, "recovery_target_time") {
		t.Errorf("to the end of a transaction it is %s", line)
	}
	r.Until, r.XID = time.Time{}, 0
	if line := strings.Join(r.Argv("i"), " "); strings.Contains(line, "recovery_target_time") {
		t.Errorf("to the end it is %s", line)
	}
}

func TestATransactionIsKnownByItsNumberAsPostgreSQLTellsIt(t *testing.T) {
	for text, want := range map[string]uint32{
		"3": 3, "4711": 4711, "4294967295": 1<<32 - 1, "4294972007": 4711, // after the first 2³²
		"0": 0, "2": 0, "4294967296": 0, "-1": 0, "": 0, "4711x": 0, "0x10": 0, "18446744073709551616": 0,
	} {
		if got, ok := ParseXID(text); ok != (want != 0) || ok && got != want {
			t.Errorf("%q: %d, %v", text, got, ok)
		}
	}
}
