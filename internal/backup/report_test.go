package backup

import (
	"bytes"
	"encoding/xml"
	"errors"
	"io"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/hostapi"
)

var evening = time.Date(2026, 11, 24, 20, 0, 0, 0, time.UTC)

// proven is the state of an instance that is well: a backup every night for
// days, of which the last has passed a drill.
func proven(days int) *State {
	s := &State{BackupStore: hostapi.BackupStore{Instance: "x", Repository: "/home/x/restic", Mirrored: true, Bytes: 6 << 30, DiskFree: 10 << 30, DiskSize: 40 << 30}}
	for i := days - 1; i >= 0; i-- {
		at := evening.Add(-21*time.Hour - time.Duration(i)*day)
		n := Snapshot{ID: "abcdef01", Time: at, Cause: "timer", Commit: "0123456789", Bytes: 5 << 30, Added: 20 << 20, Proven: i == 0}
		s.Snapshots = slices.Insert(s.Snapshots, 0, n)
		s.Runs = append(s.Runs, Run{Time: at, What: "backup", Cause: "timer", Outcome: "good", Snapshot: n.ID, Seconds: 80,
			Bytes: n.Bytes, Added: n.Added, Total: 6<<30 - int64(i)*(20<<20)})
	}
	s.Runs = append(s.Runs, Run{Time: evening.Add(-19 * time.Hour), What: "drill", Cause: "timer", Outcome: "good", Snapshot: "abcdef01", Seconds: 300})
	return s
}

func written(t *testing.T, pages ...Page) string {
	t.Helper()
	var b bytes.Buffer
	if err := WriteReport(&b, evening, pages); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(b.String(), "\u00a0", " ")
}

func TestAnInstanceIsWellOrItIsSaidWhyNot(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*State)
		level  level
		why    string
	}{
		"all is well": {func(*State) {}, well, ""},
		"never":       {func(s *State) { s.Snapshots = nil }, notWell, "no backup"},
		"unchecked": {func(s *State) {
			for i := range s.Snapshots {
				s.Snapshots[i].Unchecked = true
			}
		}, notWell, "no good backup"},
		"the last is unchecked": {func(s *State) {
			s.Snapshots = slices.Insert(s.Snapshots, 0, Snapshot{Time: evening, Unchecked: true})
		}, well, ""},
		"26 hours old": {func(s *State) { s.Snapshots[0].Time = evening.Add(-overdue) }, well, ""},
		"older":        {func(s *State) { s.Snapshots[0].Time = evening.Add(-overdue - time.Second) }, notWell, "overdue"},
		"of tomorrow":  {func(s *State) { s.Snapshots[0].Time = evening.Add(day) }, notWell, "clock wrong"},
		"of a clock a little ahead": {func(s *State) {
			s.Snapshots[0].Time = evening.Add(time.Minute)
		}, well, ""},
		"a failed backup": {func(s *State) {
			s.Runs = append(s.Runs, Run{Time: evening, What: "backup", Outcome: "failed", Reason: "no space"})
		}, notWell, "backup failed"},
		"a failed backup, then a good one": {func(s *State) {
			s.Runs = slices.Insert(s.Runs, 0, Run{Time: evening.Add(-40 * day), What: "backup", Outcome: "failed"})
		}, well, ""},
		"a failed drill, then a good backup": {func(s *State) {
			s.Runs = append(s.Runs, Run{Time: evening, What: "drill", Outcome: "failed"}, Run{Time: evening, What: "backup", Outcome: "good"})
		}, notWell, "drill failed"},
		"a failed prune": {func(s *State) {
			s.Runs = append(s.Runs, Run{Time: evening, What: "prune", Outcome: "failed"})
		}, notWell, "prune failed"},
		"a failed restore": {func(s *State) {
			s.Runs = append(s.Runs, Run{Time: evening, What: "restore", Outcome: "failed"})
		}, notWell, "restore failed"},
		"a restore that failed once": {func(s *State) {
			s.Runs = slices.Insert(s.Runs, 3, Run{Time: evening.Add(-50 * time.Hour), What: "restore", Outcome: "failed"})
		}, well, ""},
		"only here": {func(s *State) {
			s.Runs = append(s.Runs, Run{Time: evening, What: "backup", Outcome: "not mirrored"})
		}, attention, "not mirrored"},
		"no mirror": {func(s *State) { s.Mirrored = false }, attention, "no mirror"},
		"the log as it is to be": {func(s *State) {
			s.Log = &hostapi.Log{From: evening.Add(-day), Until: evening, Repository: evening, Mirror: evening.Add(-time.Hour)}
		}, well, ""},
		"no log since": {func(s *State) { s.Log = &hostapi.Log{Until: evening.Add(-6 * time.Minute)} }, notWell, "no log"},
		"the log not mirrored": {func(s *State) {
			s.Log = &hostapi.Log{Until: evening, Repository: evening, Mirror: evening.Add(-2 * time.Hour)}
		}, attention, "log only here"},
		"a drill differs": {func(s *State) {
			s.Runs = append(s.Runs, Run{Time: evening, What: "drill", Outcome: "good", Differs: "the role r is not there"})
		}, attention, "restores otherwise"},
		"elsewhere, no mirror": {func(s *State) { s.Mirrored, s.Repository = false, "sftp:x@y:/z" }, well, ""},
		"none is proven":       {func(s *State) { s.Snapshots[0].Proven = false }, attention, "unproven"},
		"one of this week is":  {func(s *State) { s.Snapshots[0].Proven, s.Snapshots[1].Proven = false, true }, well, ""},
		"one of long ago is": {func(s *State) {
			s.Snapshots[0].Proven, s.Snapshots[1].Proven = false, true
			s.Snapshots[1].Time = evening.Add(-10 * day)
		}, attention, "unproven"},
		"the worst comes first": {func(s *State) { s.Snapshots[0] = Snapshot{Time: evening.Add(-2 * day)} }, notWell, "overdue, unproven"},
	} {
		s := proven(5)
		test.change(s)
		if v := judge(Page{State: s}, evening); v.Level != test.level || v.Why() != test.why {
			t.Errorf("%s: %s, %q, want %s, %q", name, v.Level, v.Why(), test.level, test.why)
		}
	}
}

func TestAServerThatDoesNotTellIsSaidToBeUnreachable(t *testing.T) {
	page := written(t, Page{Name: "ecole", Server: "x@y", Err: errors.New("no route to host\nhint: <b>ping</b> it")}, Page{Name: "staging"})
	for _, want := range []string{"Unreachable", "no route to host\nhint: &lt;b&gt;ping&lt;/b&gt; it", "it was not asked", "Backups: 0 of 2 well"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

func TestThePageShowsWhatThereIs(t *testing.T) {
	page := written(t, Page{Name: "production", Server: "deploy@x", State: proven(90)})
	for _, want := range []string{"<title>Backups: 1 of 1 well</title>", "The one instance is well.", "all times are UTC", "Last good backup 21 h ago",
		"90 snapshots, 1 proven.", "abcdef01, 23 Nov 2026 23:00, timer, proven, 5 GiB", "5 GiB now, 20 MiB added last.", "Median: backups 1 min 20 s, drills 5 min.",
		"The only one has passed.", "The repository grows by 600 MiB a month: if nothing else on it does, its disk is full in 17 months, about April 2028.",
		"disk full at 16 GiB", "71 before these.", "Last 30 days: 29 with a good backup, 0 not mirrored, 0 failed, 0 without"} {
		if !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
	if n := strings.Count(page, `class="mark timer"`); n < 180 { // a mark for each snapshot, and one for each duration
		t.Errorf("%d marks for 90 snapshots and runs", n)
	}
}

func TestThePageTellsHowMuchWouldBeLostNowAndHowFarBackAnInstanceCanGo(t *testing.T) {
	if page := written(t, Page{Name: "production", State: proven(3)}); strings.Contains(page, "Lost with") {
		t.Error("an instance whose log is not received has some")
	}
	for want, c := range map[string]struct {
		log      hostapi.Log
		mirrored bool
	}{
		"3 s</dd><dd class=\"note\"><bdi>4 min with the server; any second since 22 Nov 2026 23:01 can be restored": {
			hostapi.Log{From: evening.Add(-45*time.Hour + time.Minute), Until: evening.Add(-3 * time.Second), Mirror: evening.Add(-4 * time.Minute)}, true},
		"2 s</dd><dd class=\"note\"><bdi>all with the archive's disk; no second yet can be restored": {
			hostapi.Log{Until: evening.Add(-2 * time.Second), Mirror: evening}, false},
	} {
		s := proven(3)
		s.Log, s.Mirrored = &c.log, c.mirrored
		if page := strings.ReplaceAll(written(t, Page{Name: "production", State: s}), "&#39;", "'"); !strings.Contains(page, want) {
			t.Errorf("the page does not say %q", want)
		}
	}
}

// hostile is what would run a script, or tear the page, if it were not escaped.
const hostile = `"'></title></style></svg><script>alert(1)</script><img src=x onerror=alert(1)>{{.}}` + "\x00\x1b[31m\u202e\xff"

// extreme is a state in which everything is wrong.
func extreme() *State {
	s := proven(40)
	s.Repository, s.Bytes, s.DiskFree, s.DiskSize = hostile, math.MaxInt64, math.MaxInt64, math.MaxInt64
	s.Snapshots = append(s.Snapshots, Snapshot{ID: hostile, Cause: hostile, Commit: hostile, Bytes: math.MinInt64, Added: -1},
		Snapshot{Time: time.Unix(0, 0)}, Snapshot{Time: time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC), Unchecked: true})
	for _, seconds := range []float64{-1, 0, 1e300} {
		for _, what := range []string{"backup", "drill", hostile} {
			for _, at := range []time.Time{{}, time.Unix(0, 0), evening, time.Date(9999, 1, 1, 0, 0, 0, 0, time.UTC)} {
				s.Runs = append(s.Runs, Run{Time: at, What: what, Cause: hostile, Outcome: "good", Seconds: seconds, Bytes: math.MaxInt64, Added: math.MaxInt64, Total: math.MaxInt64},
					Run{Time: at, What: what, Outcome: hostile, Reason: strings.Repeat(hostile, 99), Snapshot: hostile, Seconds: seconds, Bytes: -1, Added: -1, Total: -1})
			}
		}
	}
	return s
}

// pagesOfAllKinds are what a report can be of.
func pagesOfAllKinds() map[string][]Page {
	return map[string][]Page{
		"none":        nil,
		"nothing yet": {{Name: "x", Server: "y", State: &State{}}},
		"one":         {{Name: "x", Server: "y", State: proven(1)}},
		"years":       {{Name: "x", Server: "y", State: proven(1100)}},
		"hostile":     {{Name: hostile, Server: hostile, State: extreme()}, {Name: hostile, Err: errors.New(hostile)}},
	}
}

func TestThePageIsWholeAndRunsNothing(t *testing.T) {
	void := regexp.MustCompile(`<(meta|link)( [^>]*)>`)
	for name, pages := range pagesOfAllKinds() {
		page := written(t, pages...)
		d := xml.NewDecoder(strings.NewReader(void.ReplaceAllString(page, "<$1$2/>"))) // which is strict
		ids, wanted := map[string]bool{}, map[string]bool{}
		for {
			token, err := d.Token()
			if errors.Is(err, io.EOF) {
				break
			}
			if err != nil {
				t.Fatalf("%s: %v", name, err)
			}
			element, ok := token.(xml.StartElement)
			if !ok {
				continue
			}
			if slices.Contains([]string{"script", "img", "iframe", "object", "base", "form"}, element.Name.Local) {
				t.Errorf("%s: there is a %s", name, element.Name.Local)
			}
			for _, a := range element.Attr {
				switch key := a.Name.Local; {
				case strings.HasPrefix(key, "on") || key == "src":
					t.Errorf("%s: %s has %s=%q", name, element.Name.Local, key, a.Value)
				case key == "href" && a.Value != "data:,":
					if !strings.HasPrefix(a.Value, "#") {
						t.Errorf("%s: it refers to %q", name, a.Value)
					}
					wanted[strings.TrimPrefix(a.Value, "#")] = true
				case key == "aria-labelledby":
					for _, id := range strings.Fields(a.Value) {
						wanted[id] = true
					}
				case key == "id":
					if ids[a.Value] {
						t.Errorf("%s: id %q is there twice", name, a.Value)
					}
					ids[a.Value] = true
				case slices.Contains([]string{"x", "y", "cx", "cy", "x1", "x2", "y1", "y2", "width", "height", "d", "viewBox"}, key):
					if strings.Contains(a.Value, "NaN") || strings.Contains(a.Value, "Inf") {
						t.Errorf("%s: %s has %s=%q", name, element.Name.Local, key, a.Value)
					}
				}
			}
		}
		for id := range wanted {
			if !ids[id] {
				t.Errorf("%s: there is no id %q", name, id)
			}
		}
		for _, bad := range []string{"\u202e", "ZgotmplZ", "url(", "@import", "http://", "https://"} {
			if strings.Contains(page, bad) {
				t.Errorf("%s: there is %q", name, bad)
			}
		}
	}
}

func TestTheSamePagesAreTheSameReport(t *testing.T) {
	for name, pages := range pagesOfAllKinds() {
		first := written(t, pages...)
		for range 3 {
			if written(t, pages...) != first {
				t.Errorf("%s: it differs", name)
			}
		}
	}
}

func TestAReportThatCannotBeWrittenIsAnError(t *testing.T) {
	reader, writer := io.Pipe()
	reader.Close()
	if err := WriteReport(writer, evening, nil); !errors.Is(err, io.ErrClosedPipe) {
		t.Errorf("it is %v", err)
	}
}

func TestGrowthIsTheSlopeOfWhatHasHistory(t *testing.T) {
	points := func(values ...float64) []point { // every second day
		var list []point
		for i, v := range values {
			list = append(list, point{evening.Add(time.Duration(i) * 2 * day), v})
		}
		return list
	}
	for name, test := range map[string]struct {
		points []point
		perDay float64
		ok     bool
	}{
		"nothing":          {nil, 0, false},
		"two points":       {points(1, 2), 0, false},
		"too short":        {[]point{{evening, 1}, {evening.Add(day), 2}, {evening.Add(3*day - time.Second), 3}}, 0, false},
		"just enough":      {[]point{{evening, 1}, {evening.Add(day), 2}, {evening.Add(3 * day), 4}}, 1, true},
		"in any order":     {[]point{{evening.Add(3 * day), 4}, {evening, 1}, {evening.Add(day), 2}}, 1, true},
		"all at one time":  {[]point{{evening, 1}, {evening, 2}, {evening, 3}}, 0, false},
		"straight":         {points(10, 14, 18, 22), 2, true},
		"flat":             {points(7, 7, 7), 0, true},
		"shrinking":        {points(8, 6, 4), -1, true},
		"up and down":      {points(0, 2, 0, 2), 0.2, true},
		"with large terms": {points(1e18, 1e18+2048, 1e18+4096), 1024, true},
	} {
		perDay, ok := growth(test.points)
		if ok != test.ok || math.Abs(perDay-test.perDay) > 1e-9*max(1, math.Abs(test.perDay)) {
			t.Errorf("%s: %v, %t, want %v, %t", name, perDay, ok, test.perDay, test.ok)
		}
	}
}

func TestADiskIsFullWhenItsRoomIsUsedUp(t *testing.T) {
	for _, test := range []struct {
		free, perDay float64
		days         int
		ends         bool
	}{
		{100, 10, 10, true}, {0, 10, 0, true}, {100, 0, 0, false}, {100, -5, 0, false}, {0, 0, 0, false},
		{3650, 1, 3650, true}, {3651, 1, 0, false}, {math.MaxInt64, 1e-9, 0, false},
	} {
		full, ends := fullAt(evening, test.free, test.perDay)
		if ends != test.ends || ends && !full.Equal(evening.Add(time.Duration(test.days)*day)) {
			t.Errorf("%v at %v a day: %s, %t", test.free, test.perDay, full, ends)
		}
	}
}

func TestTheForecastSaysWhatItKnows(t *testing.T) {
	for name, test := range map[string]struct {
		change func(*State)
		want   string
		level  level
	}{
		"soon":      {func(s *State) { s.DiskFree = 110 << 20 }, "its disk is full in 5 d, about 30 November 2026", notWell},
		"in a week": {func(s *State) { s.DiskFree = 210 << 20 }, "its disk is full in 10 d, about 5 December 2026", attention},
		"full":      {func(s *State) { s.DiskFree = 0 }, "its disk is full now", notWell},
		"never":     {func(s *State) { s.DiskFree, s.DiskSize = 1<<50, 1<<51 }, "room for more than ten years", well},
		"elsewhere": {func(s *State) { s.DiskFree, s.DiskSize = 0, 0 }, "The repository grows by 600 MiB a month.", well},
		"too early": {func(s *State) { s.Runs = s.Runs[:2] }, "Not enough history yet", well},
		"shrinking": {func(s *State) {
			for i := range s.Runs {
				s.Runs[i].Total = 9<<30 - s.Runs[i].Total
			}
		}, "The repository does not grow.", well},
	} {
		s := proven(20)
		test.change(s)
		s.Runs = slices.DeleteFunc(s.Runs, func(r Run) bool { return r.What == "drill" })
		v := diskOf(s, s.Runs, evening, "x")
		if said := strings.ReplaceAll(v.Forecast, "\u00a0", " "); !strings.Contains(said, test.want) || v.Level != test.level {
			t.Errorf("%s: %s: %s", name, v.Level, said)
		}
	}
}

func TestAScaleIsNotFlattenedByAFew(t *testing.T) {
	for name, test := range map[string]struct {
		values []float64
		top    float64
		cut    bool
	}{
		"none":               {nil, 1, false},
		"nothing":            {[]float64{0, 0}, 1, false},
		"few":                {[]float64{1, 2, 1000}, 1000, false},
		"alike":              {[]float64{5, 6, 7, 8, 9, 10, 11, 12}, 12, false},
		"one stands out":     {[]float64{1, 2, 1, 2, 1, 2, 1, 900}, 2, true},
		"most are 0":         {[]float64{0, 0, 0, 0, 0, 0, 0, 900}, 900, false},
		"twice as large":     {[]float64{5, 5, 5, 5, 5, 5, 5, 5, 5, 10}, 10, false},
		"some are not usual": {[]float64{5, 5, 5, 5, 5, 5, 5, 19, 5, 1e9}, 19, true},
	} {
		if top, cut := ceiling(test.values); top != test.top || cut != test.cut {
			t.Errorf("%s: %v, %t, want %v, %t", name, top, cut, test.top, test.cut)
		}
	}
}

func TestScalesKeepWithinTheDrawing(t *testing.T) {
	y := valueScale(100, 20, 120)
	for v, want := range map[float64]float64{-5: 120, 0: 120, 106: 20, 53: 70, 1e300: 20} {
		if got := y(v); got != want {
			t.Errorf("%v is at %v, want %v", v, got, want)
		}
	}
	x := timeScale(evening, evening.Add(10*day))
	for days, want := range map[int]float64{-1: 1, 0: 1, 5: 50, 10: 99, 99: 99} {
		if got := x(evening.Add(time.Duration(days) * day)); got != want {
			t.Errorf("day %d is at %v, want %v", days, got, want)
		}
	}
	if got := timeScale(evening, evening)(evening); got != 1 {
		t.Errorf("all at one time is at %v", got)
	}
	age := ageScale(100 * day)
	for days, want := range map[int]float64{-1: 99, 0: 99, 1: 89.2, 25: 50, 100: 1, 999: 1} {
		if got := age(time.Duration(days) * day); got != want {
			t.Errorf("an age of %d days is at %v, want %v", days, got, want)
		}
	}
}

func TestTicksAreRoundAndFew(t *testing.T) {
	date := func(text string) time.Time {
		at, err := time.Parse("2006-01-02 15:04", text)
		if err != nil {
			t.Fatal(err)
		}
		return at
	}
	for _, test := range []struct{ from, to, want string }{
		{"2026-11-23 20:00", "2026-11-24 20:00", "00:00 06:00 12:00 18:00"},
		{"2026-11-21 20:00", "2026-11-24 20:00", "22 Nov 00:00, 22 Nov 12:00, 23 Nov 00:00, 23 Nov 12:00, 24 Nov 00:00, 24 Nov 12:00"},
		{"2026-11-19 20:00", "2026-11-24 20:00", "20 Nov, 21 Nov, 22 Nov, 23 Nov, 24 Nov"},
		{"2026-10-20 00:00", "2026-11-24 20:00", "26 Oct, 2 Nov, 9 Nov, 16 Nov, 23 Nov"},
		{"2026-08-20 00:00", "2027-01-10 20:00", "Sep, Oct, Nov, Dec, 2027"},
		{"2025-08-20 00:00", "2026-11-24 20:00", "Oct, 2026, Apr, Jul, Oct"},
		{"2022-03-20 00:00", "2026-11-24 20:00", "2023, 2024, 2025, 2026"},
		{"1970-01-01 00:00", "2026-11-24 20:00", "1970, 1980, 1990, 2000, 2010, 2020"},
	} {
		from, to := date(test.from), date(test.to)
		var names []string
		for _, tick := range timeTicks(from, to, timeScale(from, to)) {
			names = append(names, tick.Text)
		}
		separator := ", "
		if !strings.Contains(test.want, separator) {
			separator = " "
		}
		if got := strings.Join(names, separator); got != test.want {
			t.Errorf("%s to %s: %s, want %s", test.from, test.to, got, test.want)
		}
	}
	for oldest, want := range map[time.Duration]string{
		3 * day:       "3 days, 1 day, 6 h, now",
		92 * day:      "3 months, 1 month, 2 weeks, 1 week, 3 days, 1 day, now",
		3 * 365 * day: "3 years, 2 years, 1 year, 6 months, 3 months, 1 month, 1 week, now",
	} {
		var names []string
		for _, tick := range ageTicks(oldest, ageScale(oldest)) {
			names = append(names, tick.Text)
		}
		if got := strings.Join(names, ", "); got != want {
			t.Errorf("%s: %s, want %s", humanSpan(oldest), got, want)
		}
	}
	for top, want := range map[float64]float64{0: 0.25, 1: 0.25, 1000: 256, 5 << 30: 2 << 30} {
		if got := byteStep(top, 4); got != want {
			t.Errorf("bytes up to %v: %v, want %v", top, got, want)
		}
	}
	for top, want := range map[float64]float64{0: 0.1, 9.4: 5, 300: 120, 7200: 1800, 200000: 86400, 4e6: 16 * 86400} {
		if got := secondStep(top, 4); got != want {
			t.Errorf("seconds up to %v: %v, want %v", top, got, want)
		}
	}
}

func TestNumbersAreForHumans(t *testing.T) {
	for n, want := range map[float64]string{0: "0 B", 1023: "1023 B", 1023.9: "1 KiB", 1536: "1.5 KiB", 1 << 20: "1 MiB", 1047552: "1023 KiB", 1048000: "1023 KiB",
		1048100: "1 MiB", 123 << 30: "123 GiB", math.MaxInt64: "8 EiB", -2048: "-2 KiB"} {
		if got := strings.ReplaceAll(console.Bytes(n), "\u00a0", " "); got != want {
			t.Errorf("%v bytes: %s, want %s", n, got, want)
		}
	}
	for n, want := range map[float64]string{-1: "0 s", 0: "0 s", 0.42: "0.4 s", 9.4: "9.4 s", 9.96: "10 s", 59.6: "1 min", 80: "1 min 20 s", 3599.7: "1 h",
		3600: "1 h", 5430: "1 h 31 min", 86400: "24 h", 172800: "2 d", 180000: "2 d 2 h", 1e300: "over 100 years"} {
		if got := strings.ReplaceAll(humanSeconds(n), "\u00a0", " "); got != want {
			t.Errorf("%v seconds: %s, want %s", n, got, want)
		}
	}
	for d, want := range map[time.Duration]string{0: "0 s ago", -time.Minute: "0 s ago", -2 * time.Hour: "in the future", 90 * time.Minute: "90 min ago",
		47 * time.Hour: "47 h ago", 50 * time.Hour: "2 d ago", 70 * day: "2 months ago", 800 * day: "2 years ago"} {
		if got := strings.ReplaceAll(ago(d), "\u00a0", " "); got != want {
			t.Errorf("%s: %s, want %s", d, got, want)
		}
	}
}

func TestEveryDayOfTheLastIsDrawnByWhatBecameOfIt(t *testing.T) {
	at := func(daysAgo int, outcome string) Run {
		return Run{Time: evening.Add(-time.Duration(daysAgo) * day), What: "backup", Outcome: outcome}
	}
	for name, test := range map[string]struct {
		runs []Run
		want string // of the last days: good, not mirrored, failed, lacking, not due
	}{
		"nothing ran":            {nil, "-----"},
		"since lately":           {[]Run{at(3, "good"), at(2, "good"), at(1, "good"), at(0, "good")}, "-gggg"},
		"today's is to come":     {[]Run{at(4, "good"), at(3, "good"), at(2, "good"), at(1, "good")}, "gggg-"},
		"one lacks":              {[]Run{at(4, "good"), at(2, "good"), at(1, "good"), at(0, "good")}, "g.ggg"},
		"one failed":             {[]Run{at(4, "good"), at(3, "failed"), at(2, "good"), at(1, "good"), at(0, "failed")}, "gfggf"},
		"one failed, then not":   {[]Run{at(4, "failed"), at(4, "good"), at(3, "good"), at(3, "failed"), at(2, "failed"), at(2, "not mirrored"), at(1, "good")}, "ggmg-"},
		"what is no backup":      {[]Run{{Time: evening, What: "drill", Outcome: "failed"}}, "-----"},
		"the last are only here": {[]Run{at(4, "good"), at(3, "good"), at(2, "good"), at(1, "not mirrored"), at(0, "not mirrored")}, "gggmm"},
	} {
		v := nightsOf(test.runs, evening)
		got := ""
		for _, b := range v.Boxes[len(v.Boxes)-5:] {
			got += map[string]string{"well": "g", "attention": "m", "bad": "f", "none": ".", "before": "-"}[b.Class]
		}
		if len(v.Boxes) != nightsSeen || got != test.want {
			t.Errorf("%s: %s, want %s", name, got, test.want)
		}
	}
}

func TestWhatOthersSayIsCutAndPlain(t *testing.T) {
	for text, want := range map[string]string{
		" a\tb\r\n": "a b", "a\x1b[31mb": "a[31mb", "a\u202eb\u2066c": "abc", "a\nb": "a\nb", "éééééééééééé": "éééééééééé…", "\xff": "�",
	} {
		if got := legible(text, 10); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
}
