package backup

import (
	"cmp"
	_ "embed"
	"fmt"
	"html/template"
	"io"
	"math"
	"slices"
	"strings"
	"time"
	"unicode"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// Page is what the report tells of an instance.
type Page struct {
	Name   string // the instance's
	Server string // where it runs
	State  *State // what its server says; nil where it does not tell
	Err    error  // why it does not tell
}

const (
	day   = 24 * time.Hour
	month = 30 * day // for rates and ages

	overdue    = 26 * time.Hour     // a backup is made every night
	unproven   = 9 * 24 * time.Hour // one is proven every week
	skew       = time.Hour          // by which clocks may differ
	growthOver = 180 * day          // what the forecast follows
	farthest   = 10 * 365 * day     // beyond which it tells nothing
	oldestSeen = 10 * 365 * day     // what is older is drawn at the edge

	nightsSeen = 30 // in the overview, and how many drills are marked
	runsSeen   = 20 // in the table of runs
	drillsSeen = 8  // in the table of drills

	reasonSeen = 400 // characters of a reason, and so on
	nameSeen   = 80
	wordSeen   = 24
)

//go:embed report.html
var reportHTML string

var reportPage = template.Must(template.New("report").Funcs(template.FuncMap{
	"bytes": knownBytes, "seconds": humanSeconds, "level": levelOf, "proof": proofOf,
	"word":   func(text string) string { return legible(text, wordSeen) },
	"reason": func(text string) string { return legible(text, reasonSeen) },
	"plus":   func(a, b float64) float64 { return a + b },
}).Parse(reportHTML))

// report is what the page is made of.
type report struct {
	Now       moment
	Overdue   string
	Title     string
	Summary   string
	Instances []instanceView
}

// When is how the page tells a time.
func (r report) When(t time.Time) moment { return moment{t.UTC(), r.Now.Year()} }

// WriteReport writes one self-contained HTML page about the backups of
// instances to w: a summary of all, then for each of them how its backups stand
// at the time now, drawings of its snapshots and of what they cost, a forecast
// of its disk, and its last runs. The page needs neither script nor network, and
// shows times in UTC. The same arguments give the same page.
func WriteReport(w io.Writer, now time.Time, pages []Page) error {
	now = now.UTC()
	r := report{Now: moment{Time: now}, Overdue: humanSpan(overdue)}
	counts := map[level]int{}
	for i, p := range pages {
		v := r.viewOf(p, fmt.Sprintf("i%d", i+1))
		counts[v.Verdict.Level]++
		r.Instances = append(r.Instances, v)
	}
	r.Title = fmt.Sprintf("Backups: %d of %d well", counts[well], len(pages))
	r.Summary = summaryOf(counts, len(pages))
	if err := reportPage.Execute(w, r); err != nil {
		return fmt.Errorf("the report on backups can't be written: %w", err)
	}
	return nil
}

// summaryOf says in a sentence how all instances stand.
func summaryOf(counts map[level]int, all int) string {
	switch {
	case all == 0:
		return "No instance has backups."
	case counts[well] == all && all == 1:
		return "The one instance is well."
	case counts[well] == all:
		return fmt.Sprintf("All %d instances are well.", all)
	}
	var parts []string
	for l, words := range []string{"well", "to look at", "not well", "out of reach"} {
		if n := counts[level(l)]; n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, words))
		}
	}
	return fmt.Sprintf("%s: %s.", plural(all, "instance"), strings.Join(parts, ", "))
}

// level tells how an instance's backups stand; the higher, the worse.
type level int

const (
	well level = iota
	attention
	notWell
	unreachable
)

func (l level) String() string { return [...]string{"Well", "Attention", "Not well", "Unreachable"}[l] }

// Class is the level's name in the page's style and among its symbols.
func (l level) Class() string { return [...]string{"well", "attention", "bad", "unreachable"}[l] }

type verdict struct {
	Level    level
	Headline string
	Notes    []note // why it is not well, the worst first
}

// note is one thing that is not well.
type note struct {
	Level       level
	Short, Long string // Short is for the summary
}

// Why returns the notes in a few words.
func (v verdict) Why() string {
	var list []string
	for _, n := range v.Notes {
		if n.Short != "" {
			list = append(list, n.Short)
		}
	}
	return strings.Join(list, ", ")
}

// judge returns how the backups of an instance stand.
func judge(p Page, now time.Time) verdict {
	if p.State == nil {
		reason := "it was not asked"
		if p.Err != nil {
			reason = p.Err.Error()
		}
		return verdict{unreachable, "The server does not tell", []note{{unreachable, "", legible(reason, reasonSeen)}}}
	}
	var v verdict
	add := func(l level, short, long, reason string) {
		if reason = legible(reason, reasonSeen); reason != "" {
			long += ": " + reason
		} else {
			long += "."
		}
		v.Level = max(v.Level, l)
		v.Notes = append(v.Notes, note{l, short, long})
	}

	s, latest := p.State, newest(p.State.Snapshots, trusted)
	switch {
	case latest == nil && len(s.Snapshots) > 0:
		v.Headline = "No good backup"
		add(notWell, "no good backup", "Every snapshot was made by a run that ended before it was checked", "")
	case latest == nil:
		v.Headline = "No backup yet"
		add(notWell, "no backup", "There is no snapshot to go back to", "")
	default:
		v.Headline = "Last good backup " + ago(now.Sub(latest.Time))
		switch age := now.Sub(latest.Time); {
		case age < -skew:
			add(notWell, "clock wrong", "Its date is in the future: a clock is wrong", "")
		case age > overdue:
			add(notWell, "overdue", "One is due every night, and this one is older than "+humanSpan(overdue), "")
		}
	}

	last := map[string]Run{}
	var end Run
	for _, r := range inOrder(s.Runs) {
		last[r.What], end = r, r
	}
	judged := []string{"backup", "drill", "prune"}
	for _, what := range judged {
		if r, ran := last[what]; ran && !r.Good() {
			add(notWell, what+" failed", "The last "+what+" failed "+ago(now.Sub(r.Time)), r.Reason)
		}
	}
	if len(s.Runs) > 0 && !end.Good() && !slices.Contains(judged, end.What) {
		what := legible(end.What, wordSeen)
		add(notWell, what+" failed", "The last run, a "+what+", failed "+ago(now.Sub(end.Time)), end.Reason)
	}

	if r := last["backup"]; r.Outcome == "not mirrored" {
		add(attention, "not mirrored", "The last backup is good, but it is on the server alone", r.Reason)
	} else if !s.Mirrored && strings.HasPrefix(s.Repository, "/") {
		add(attention, "no mirror", "There is no mirror: what loses the server loses its backups", "")
	}
	if l := s.Log; l != nil {
		elsewhere := l.Elsewhere(s.Mirrored)
		if now.Sub(l.Until) > hostapi.LogLate {
			add(notWell, "no log", "What was committed in the last "+humanSpan(now.Sub(l.Until))+
				" can't be restored: the log of PostgreSQL is not received, or a file of it is missing", "")
		} else if !elsewhere.IsZero() && now.Sub(elsewhere) > hostapi.LogLateElsewhere {
			add(attention, "log only here", "The log of the last "+humanSpan(now.Sub(elsewhere))+" is nowhere else", "")
		}
	}
	if r := last["drill"]; r.Good() && r.Differs != "" {
		add(attention, "restores otherwise", "What the last drill restored is not all as it was backed up", r.Differs)
	}
	if latest != nil {
		proven := newest(s.Snapshots, provenAndTrusted)
		switch {
		case proven == nil:
			add(attention, "unproven", "No snapshot that is left has passed a drill", "")
		case latest.Time.Sub(proven.Time) > unproven:
			add(attention, "unproven", "The last snapshot that has passed a drill is of "+ago(now.Sub(proven.Time)), "")
		}
	}
	return v
}

func trusted(n Snapshot) bool { return !n.Unchecked }

func provenAndTrusted(n Snapshot) bool { return n.Proven && !n.Unchecked }

// newest returns the newest of the snapshots that are fit, nil if none is.
func newest(snapshots []Snapshot, fit func(Snapshot) bool) *Snapshot {
	var found *Snapshot
	for i, n := range snapshots {
		if fit(n) && (found == nil || n.Time.After(found.Time)) {
			found = &snapshots[i]
		}
	}
	return found
}

// inOrder returns the runs, the oldest first.
func inOrder(runs []Run) []Run {
	return slices.SortedStableFunc(slices.Values(runs), func(a, b Run) int { return a.Time.Compare(b.Time) })
}

type instanceView struct {
	ID, Name, Server string
	Verdict          verdict
	Told             bool // whether the server tells
	Last, Proven     string
	Repository       string    // its size
	Count            int       // of snapshots
	Latest           *Snapshot // that is good
	LatestProven     *Snapshot
	Oldest           string // its age
	Where            string // the repository is
	Nights           nightsView
	Timeline         drawing
	Sizes            drawing
	Durations        drawing
	Log              *logView // nil: none is received
	Disk             diskView
	Drills           drillsView
	Runs             []Run // the newest first
	MoreRuns         int   // that are not shown
	Snapshots        []Snapshot
}

func (r report) viewOf(p Page, id string) instanceView {
	now := r.Now.Time
	v := instanceView{ID: id, Name: legible(p.Name, nameSeen), Server: legible(p.Server, nameSeen),
		Verdict: judge(p, now), Last: "?", Proven: "?", Repository: "?"}
	if p.State == nil {
		return v
	}
	s, runs := p.State, inOrder(p.State.Runs)
	v.Told, v.Count = true, len(s.Snapshots)
	v.Last, v.Proven, v.Repository = "none", "never", knownBytes(s.Bytes)
	v.Drills = drillsOf(runs)

	dated := slices.DeleteFunc(slices.Clone(runs), func(r Run) bool { return r.Time.IsZero() })
	newestFirst := func(a, b Snapshot) int { return b.Time.Compare(a.Time) }
	snapshots := slices.SortedStableFunc(slices.Values(s.Snapshots), newestFirst)
	datedSnapshots := slices.DeleteFunc(slices.Clone(snapshots), func(n Snapshot) bool { return n.Time.IsZero() })
	v.Nights = nightsOf(dated, now)
	v.Log = logOf(s, now)
	v.Disk = diskOf(s, dated, now, id)
	v.Timeline = timelineOf(datedSnapshots, dated, now, id)
	v.Sizes = sizesOf(dated, now, id)
	v.Durations = durationsOf(dated, now, id)

	if v.Latest = newest(s.Snapshots, trusted); v.Latest != nil {
		v.Last = ago(now.Sub(v.Latest.Time))
	}
	if v.LatestProven = newest(s.Snapshots, provenAndTrusted); v.LatestProven != nil {
		v.Proven = ago(now.Sub(v.LatestProven.Time))
	}
	if n := len(datedSnapshots); n > 0 {
		v.Oldest = ago(now.Sub(datedSnapshots[n-1].Time))
	}
	v.Where = legible(s.Repository, nameSeen) + map[bool]string{true: ", mirrored", false: ", no mirror"}[s.Mirrored]
	v.Where = strings.Trim(v.Where, ", ")
	v.Runs, v.Snapshots = newestFew(runs, runsSeen), snapshots
	v.MoreRuns = len(runs) - len(v.Runs)
	return v
}

// newestFew returns the last of the runs, the newest first.
func newestFew(runs []Run, most int) []Run {
	few := slices.Clone(runs[max(0, len(runs)-most):])
	slices.Reverse(few)
	return few
}

// proofOf says how far a snapshot can be trusted.
func proofOf(n Snapshot) string {
	switch {
	case n.Unchecked:
		return "unchecked"
	case n.Proven:
		return "proven"
	}
	return "not drilled"
}

func levelOf(r Run) level {
	switch {
	case r.Outcome == "good":
		return well
	case r.Good():
		return attention
	}
	return notWell
}

// logView is how much would be lost now, and from when on any second can be restored.
type logView struct{ Lost, Elsewhere, From string }

func logOf(s *State, now time.Time) *logView {
	if s.Log == nil {
		return nil
	}
	lost := func(until time.Time) string {
		if until.IsZero() {
			return "all"
		}
		return humanSeconds(now.Sub(until).Seconds())
	}
	with := map[bool]string{true: " with the server", false: " with the archive's disk"}[s.Mirrored]
	v := &logView{Lost: lost(s.Log.Until), Elsewhere: lost(s.Log.Elsewhere(s.Mirrored)) + with, From: "no second yet"}
	if !s.Log.From.IsZero() {
		v.From = "any second since " + stamp(s.Log.From)
	}
	return v
}

type drillsView struct {
	Lead  string
	Marks []Run // the oldest first
	Last  []Run // the newest first
}

func drillsOf(runs []Run) drillsView {
	var v drillsView
	passed := 0
	for _, r := range runs {
		if r.What != "drill" {
			continue
		}
		if r.Good() {
			passed++
		}
		v.Marks = append(v.Marks, r)
	}
	switch n := len(v.Marks); {
	case n == 0:
		return v
	case n == passed && n == 1:
		v.Lead = "The only one has passed."
	case n == passed:
		v.Lead = fmt.Sprintf("All %d have passed.", n)
	default:
		v.Lead = fmt.Sprintf("%d of %d have passed.", passed, n)
	}
	v.Marks = v.Marks[max(0, len(v.Marks)-nightsSeen):]
	v.Last = newestFew(v.Marks, drillsSeen)
	return v
}

// nightsView is a strip of days, the oldest first.
type nightsView struct {
	Desc  string
	Boxes []night
}

type night struct{ Class, Title string }

// nightsOf tells what became of the backups of the last days.
func nightsOf(runs []Run, now time.Time) nightsView {
	var v nightsView
	today := now.Truncate(day)
	words := map[string]string{"well": "a good backup", "attention": "a backup that is not mirrored", "bad": "failed",
		"none": "no backup", "before": "no backup was due yet"}
	counts := map[string]int{}
	for i := range nightsSeen {
		from := today.Add(time.Duration(i-nightsSeen+1) * day)
		kind, first := "none", true
		for _, r := range runs {
			if r.What != "backup" {
				continue
			}
			if r.Time.Before(from.Add(day)) {
				first = false
			}
			if r.Time.Before(from) || !r.Time.Before(from.Add(day)) {
				continue
			}
			switch {
			case levelOf(r) == well:
				kind = "well"
			case levelOf(r) == attention && kind != "well":
				kind = "attention"
			case kind == "none":
				kind = "bad"
			}
		}
		if kind == "none" && (first || from.Equal(today)) {
			kind = "before" // the first backup, or today's
		} else {
			counts[kind]++
		}
		v.Boxes = append(v.Boxes, night{kind, from.Format("2 Jan 2006") + ": " + words[kind]})
	}
	v.Desc = fmt.Sprintf("Last %d days: %d with a good backup, %d not mirrored, %d failed, %d without",
		nightsSeen, counts["well"], counts["attention"], counts["bad"], counts["none"])
	return v
}

// A drawing is as wide as the page lets it be: x is in percent of its width, y
// in pixels, so that neither letters nor marks are stretched with it. It is made
// here because charting libraries bake colours and sizes in, and these follow
// the reader's.
type drawing struct {
	ID, Title, Lead, Desc string
	Empty                 string // said instead of a drawing
	Level                 level  // of what Lead says
	Top, Base             float64
	Ticks                 []tick // from Top down to Base
	Steps                 []step
	Bands                 []box
	Lines                 []line
	Paths                 []path
	Boxes                 []box
	Marks                 []mark
	Texts                 []label
	Keys                  []key
	Note                  string
}

// step is a line all over a drawing, and its name left of it.
type step struct {
	Y           float64
	Class, Text string
}

type box struct {
	X, Y, W, H float64
	Class      string
	Title      string
}

type line struct {
	Y     float64
	Class string
}

type path struct{ D, Class string }

// mark is a symbol of the page's.
type mark struct {
	X, Y                float64
	Symbol, Class, Name string
}

func (d *drawing) mark(x, y float64, symbol, class, name string) {
	d.Marks = append(d.Marks, mark{rounded(x), rounded(y), symbol, class, name})
}

type label struct {
	X, Y        float64
	Class, Text string
}

// key is a line of a legend.
type key struct{ Symbol, Class, Text string }

// key explains a symbol, if there is any.
func (d *drawing) key(n int, symbol, class, text string) {
	if n > 0 {
		d.Keys = append(d.Keys, key{symbol, class, text})
	}
}

func rounded(x float64) float64 { return math.Round(x*100) / 100 }

// valueAxis draws multiples of step up to top.
func (d *drawing) valueAxis(y atValue, top, size float64, name func(float64) string) {
	d.Steps = append(d.Steps, step{y(0), "tick", "0"})
	for v := size; v <= top*headroom && v < 10*size; v += size {
		d.Steps = append(d.Steps, step{y(v), "tick", name(v)})
	}
}

// outline returns the path through points.
func outline(points []point, x atTime, y atValue) string {
	var b strings.Builder
	for i, p := range points {
		b.WriteByte("ML"[min(i, 1)])
		fmt.Fprintf(&b, "%.2f,%.2f", x(p.At), y(p.Value))
	}
	return b.String()
}

// curve draws a line through points over an area down to base; a point alone is
// a mark.
func (d *drawing) curve(points []point, x atTime, y atValue, base float64, class string) {
	if len(points) == 1 {
		d.mark(x(points[0].At), y(points[0].Value), "dot", class, "")
	}
	if len(points) < 2 {
		return
	}
	through := outline(points, x, y)
	first, last := points[0], points[len(points)-1]
	d.Paths = append(d.Paths,
		path{fmt.Sprintf("%sL%.2f,%.2fL%.2f,%.2fZ", through, x(last.At), base, x(first.At), base), "area " + class},
		path{through, "curve " + class})
}

// timelineOf draws a mark for each snapshot, of which the newest is the first,
// in a lane for each cause, and for each run that failed.
func timelineOf(snapshots []Snapshot, runs []Run, now time.Time, id string) drawing {
	d := drawing{ID: id + "-timeline", Title: "What there is to go back to"}
	causes := map[string]string{"timer": "timer", "deploy": "deploy", "hand": "by hand"}
	lanes := map[string]int{}
	counts := map[string]int{}
	oldest := 3 * day
	for _, n := range snapshots {
		oldest = max(oldest, min(now.Sub(n.Time), oldestSeen))
		lanes[laneOf(n)]++
		counts[proofOf(n)]++
	}
	seen := max(oldest, month) // what failed before is history
	for _, r := range runs {
		if age := now.Sub(r.Time); !r.Good() && age <= seen {
			oldest = max(oldest, age)
			lanes["failed"]++
		}
	}
	if len(lanes) == 0 {
		d.Empty = "No snapshot yet."
		return d
	}
	x := ageScale(oldest + oldest/50)

	const laneHeight = 30
	y := map[string]float64{}
	base := 4.0
	for _, lane := range []string{"timer", "deploy", "hand", "other", "failed"} {
		if lanes[lane] == 0 {
			continue
		}
		y[lane] = base + laneHeight/2
		base += laneHeight
		d.Steps = append(d.Steps, step{y[lane], "lane " + lane, cmp.Or(causes[lane], lane)})
	}
	fresh := x(overdue)
	d.Bands = append(d.Bands, box{X: rounded(fresh), Y: 0, W: rounded(100 - fresh), H: base, Class: "fresh"})
	d.Ticks, d.Base = ageTicks(oldest, x), base

	for _, n := range slices.Backward(snapshots) { // the newest on top
		symbol := map[string]string{"unchecked": "crossed", "proven": "dot", "not drilled": "ring"}[proofOf(n)]
		lane := laneOf(n)
		name := []string{legible(n.ID, wordSeen), stamp(n.Time), cmp.Or(causes[lane], "cause not known"), proofOf(n)}
		if n.Bytes > 0 {
			name = append(name, console.Bytes(float64(n.Bytes)))
		}
		d.mark(x(now.Sub(n.Time)), y[lane], symbol, lane, strings.Join(name, ", "))
	}
	for _, r := range runs {
		if !r.Good() && now.Sub(r.Time) <= seen {
			d.mark(x(now.Sub(r.Time)), y["failed"], "cross", "failed", legible(r.What, wordSeen)+" failed, "+stamp(r.Time))
		}
	}

	all := plural(len(snapshots), "snapshot")
	d.Lead = fmt.Sprintf("%s, %d proven.", all, counts["proven"])
	d.Desc = fmt.Sprintf("%s: %d proven by a drill, %d not drilled, %d unchecked. %s.",
		all, counts["proven"], counts["not drilled"], counts["unchecked"], plural(lanes["failed"], "failed run"))
	d.key(counts["proven"], "dot", "", "proven by a drill")
	d.key(counts["not drilled"], "ring", "", "not drilled")
	d.key(counts["unchecked"], "crossed", "", "unchecked: not to be trusted")
	d.key(lanes["failed"], "cross", "failed", "failed run")
	d.Keys = append(d.Keys, key{"swatch", "fresh", "the last " + humanSpan(overdue)})
	d.Note = "The older, the closer together."
	return d
}

// laneOf returns where a snapshot is drawn, which is one of a few words.
func laneOf(n Snapshot) string {
	if n.Cause == "timer" || n.Cause == "deploy" || n.Cause == "hand" {
		return n.Cause
	}
	return "other"
}

// sizesOf draws what is in the snapshots, over what each added to the
// repository: two scales, since the one is often a thousandth of the other.
func sizesOf(runs []Run, now time.Time, id string) drawing {
	d := drawing{ID: id + "-sizes", Title: "Size of backups", Empty: "No backup has told its size yet."}
	var size, added []point
	for _, r := range runs {
		if r.What == "backup" && r.Good() && r.Bytes > 0 {
			size = append(size, point{r.Time, float64(r.Bytes)})
			added = append(added, point{r.Time, float64(max(r.Added, 0))})
		}
	}
	if len(size) == 0 {
		return d
	}
	d.Empty = ""
	const top, middle, low, base = 34, 134, 174, 226
	from, to := spanOf(size, now)
	x := timeScale(from, to)
	d.Ticks, d.Top, d.Base = timeTicks(from, to, x), top, base

	sizeTop, sizeCut := ceiling(values(size))
	y := valueScale(sizeTop, top, middle)
	d.valueAxis(y, sizeTop, byteStep(sizeTop, 4), console.Bytes)
	d.Lines = []line{{middle, "axis"}}
	d.Texts = []label{{0, 10, "panel", "in the snapshot"}, {0, middle + 20, "panel", "added to the repository"}}
	d.curve(size, x, y, middle, "timer")
	d.beyond(size, x, y, sizeTop, console.Bytes)

	addedTop, addedCut := ceiling(values(added))
	y = valueScale(addedTop, low, base)
	d.valueAxis(y, addedTop, byteStep(addedTop, 2), console.Bytes)
	width := min(max(60/float64(len(added)), 0.25), 2)
	for i, p := range added {
		height := base - y(p.Value)
		if p.Value > 0 {
			height = max(height, 1)
		}
		title := fmt.Sprintf("%s: %s, added %s", stamp(p.At), console.Bytes(size[i].Value), console.Bytes(p.Value))
		d.Boxes = append(d.Boxes, box{rounded(x(p.At) - width/2), rounded(base - height), rounded(width), rounded(height),
			"bar", title})
	}
	d.beyond(added, x, y, addedTop, console.Bytes)

	last, first := size[len(size)-1], size[0]
	d.Lead = fmt.Sprintf("%s now, %s added last.", console.Bytes(last.Value), console.Bytes(added[len(added)-1].Value))
	d.Desc = fmt.Sprintf("%s, from %s on %s to %s on %s.", plural(len(size), "backup"),
		console.Bytes(first.Value), stamp(first.At), console.Bytes(last.Value), stamp(last.At))
	if sizeCut || addedCut {
		d.Note = "▲ goes far beyond the scale."
	}
	return d
}

// beyond marks the points that are over the top of a scale, and names the
// highest.
func (d *drawing) beyond(points []point, x atTime, y atValue, top float64, name func(float64) string) {
	var highest point
	for _, p := range points {
		if p.Value > top*headroom {
			d.mark(x(p.At), y(p.Value), "beyond", "", stamp(p.At)+": "+name(p.Value))
			if p.Value > highest.Value {
				highest = p
			}
		}
	}
	if highest.Value > 0 {
		d.Texts = append(d.Texts, label{x(highest.At), y(highest.Value) - 7, "value", name(highest.Value)})
	}
}

func durationsOf(runs []Run, now time.Time, id string) drawing {
	d := drawing{ID: id + "-durations", Title: "Duration", Empty: "No backup or drill has run yet."}
	var all, backups, drills []point
	good := map[string]*[]point{"backup": &backups, "drill": &drills}
	failed := 0
	for _, r := range runs {
		list := good[r.What]
		if list == nil {
			continue
		}
		p := point{r.Time, max(r.Seconds, 0)}
		all = append(all, p)
		if r.Good() {
			*list = append(*list, p)
		} else {
			failed++
		}
	}
	if len(all) == 0 {
		return d
	}
	d.Empty = ""
	const top, base = 18, 226
	from, to := spanOf(all, now)
	x := timeScale(from, to)
	d.Ticks, d.Top, d.Base = timeTicks(from, to, x), top, base
	high, cutBackups := ceiling(values(backups))
	highDrills, cutDrills := ceiling(values(drills))
	if high = max(high, highDrills); len(backups)+len(drills) == 0 {
		high, cutBackups = ceiling(values(all))
	}
	y := valueScale(high, top, base)
	d.valueAxis(y, high, secondStep(high, 4), humanSeconds)
	if len(backups) > 1 {
		d.Paths = append(d.Paths, path{outline(backups, x, y), "curve timer thin"})
	}
	for _, r := range runs {
		if good[r.What] == nil {
			continue
		}
		at, seconds := x(r.Time), max(r.Seconds, 0)
		symbol, class := "point", "timer"
		switch {
		case !r.Good():
			symbol, class = "cross", "failed"
		case seconds > high*headroom:
			continue // marked below
		case r.What == "drill":
			symbol, class = "diamond", "drill"
		}
		d.mark(at, y(seconds), symbol, class,
			fmt.Sprintf("%s, %s: %s, %s", r.What, stamp(r.Time), humanSeconds(seconds), legible(r.Outcome, wordSeen)))
	}
	d.beyond(slices.Concat(backups, drills), x, y, high, humanSeconds)
	if cutBackups || cutDrills {
		d.Note = "▲ goes far beyond the scale."
	}

	d.key(len(backups), "point", "timer", "backup")
	d.key(len(drills), "diamond", "drill", "drill")
	d.key(failed, "cross", "failed", "failed")
	var lead []string
	if len(backups) > 0 {
		lead = append(lead, "backups "+humanSeconds(median(values(backups))))
	}
	if len(drills) > 0 {
		lead = append(lead, "drills "+humanSeconds(median(values(drills))))
	}
	if len(lead) > 0 {
		d.Lead = "Median: " + strings.Join(lead, ", ") + "."
	}
	d.Desc = fmt.Sprintf("%s, %s passed, %d failed. %s",
		plural(len(backups), "good backup"), plural(len(drills), "drill"), failed, d.Lead)
	return d
}

// diskView is the disk that a repository is on, and when it will be full.
type diskView struct {
	Known      bool // whether it is a disk of the server
	Parts      []box
	Repository string
	Other      string // what else is on it
	Free, Size string
	Forecast   string
	Level      level // of the forecast
	When       string
	Drawing    drawing
}

func diskOf(s *State, runs []Run, now time.Time, id string) diskView {
	size, free, used := float64(s.DiskSize), max(float64(s.DiskFree), 0), max(float64(s.Bytes), 0)
	v := diskView{Known: s.DiskSize > 0}
	var totals, lately []point
	for _, r := range runs {
		if r.Total > 0 {
			totals = append(totals, point{r.Time, float64(r.Total)})
			if now.Sub(r.Time) <= growthOver {
				lately = append(lately, totals[len(totals)-1])
			}
		}
	}
	if v.Known {
		free, used := min(free, size), min(used, size-min(free, size))
		other := size - free - used
		v.Free, v.Size = console.Bytes(free), console.Bytes(size)
		v.Repository, v.Other = console.Bytes(used), console.Bytes(other)
		x := 0.0
		for _, part := range []box{{W: used, Class: "repository"}, {W: other, Class: "others"}, {W: free, Class: "free"}} {
			part.X, part.W = rounded(x), rounded(100*part.W/size)
			x += part.W
			v.Parts = append(v.Parts, part)
		}
	}

	perDay, enough := growth(lately)
	full, ends := fullAt(now, free, perDay)
	pace := fmt.Sprintf("The repository grows by %s a month", console.Bytes(perDay*float64(month/day)))
	switch {
	case !enough:
		v.Forecast = "Not enough history yet for a forecast, which needs 3 runs over 3 days."
	case perDay <= 0:
		v.Forecast = "The repository does not grow."
	case !v.Known:
		v.Forecast = pace + "."
	case !ends:
		v.Forecast = pace + ": there is room for more than ten years."
	default:
		v.When = "full " + inTime(full.Sub(now))
		v.Forecast = fmt.Sprintf("%s: if nothing else on it does, its disk is %s, about %s.",
			pace, v.When, roughly(full, now))
		switch left := full.Sub(now); {
		case left < 7*day:
			v.Level = notWell
		case left < month:
			v.Level = attention
		}
	}
	if !v.Known {
		free = math.Inf(1)
	}
	v.Drawing = forecastOf(totals, point{now, used}, free, perDay, enough, id)
	v.Drawing.Lead, v.Drawing.Desc, v.Drawing.Level = v.Forecast, v.Forecast, v.Level
	return v
}

// forecastOf draws the bytes of a repository until now, and from there on at
// their pace until free bytes are used up, or for as long as there is history.
func forecastOf(totals []point, here point, free, perDay float64, enough bool, id string) drawing {
	d := drawing{ID: id + "-disk", Title: "Forecast"}
	if here.Value <= 0 && len(totals) > 0 {
		here.Value = totals[len(totals)-1].Value
	}
	if here.Value <= 0 {
		d.Empty = "Nothing is known of the repository's size yet."
		return d
	}
	totals = append(slices.Clone(totals), here)
	from, _ := spanOf(totals, here.At)
	to, limit := here.At, here.Value+free
	end, limited := here, false
	if enough {
		past := here.At.Sub(from)
		future := max(past, 14*day)
		if perDay > 0 && free/perDay*float64(day) <= float64(8*past) {
			future, limited = time.Duration(free/perDay*float64(day)), true
		}
		end = point{here.At.Add(future), min(max(here.Value+perDay*future.Hours()/24, 0), limit)}
		to = end.At.Add(future / 12)
	}
	const top, base = 26, 150
	x := timeScale(from, to)
	d.Ticks, d.Top, d.Base = timeTicks(from, to, x), top, base
	history := slices.Clone(totals)
	high := max(slices.Max(values(history)), end.Value)
	if !limited && limit < 3*high {
		limited = true
	}
	if limited {
		high = max(high, limit)
	}
	y := valueScale(high, top, base)
	d.valueAxis(y, high, byteStep(high, 4), console.Bytes)
	if len(history) < 3 {
		history = history[len(history)-1:]
	}
	d.curve(history, x, y, base, "repository")
	if enough {
		at := x(here.At)
		d.Bands = append(d.Bands, box{X: rounded(at), Y: top - 12, W: rounded(100 - at), H: base - top + 12, Class: "future"})
		d.Paths = append(d.Paths, path{outline([]point{here, end}, x, y), "curve repository dashed"})
		d.mark(at, y(here.Value), "dot", "repository", "now: "+console.Bytes(here.Value))
	}
	switch {
	case limited:
		d.Lines = []line{{y(limit), "limit"}}
		d.Texts = []label{{0, y(limit) - 6, "limit", "disk full at " + console.Bytes(limit)}}
		if enough && end.Value >= limit {
			d.mark(x(end.At), y(limit), "cross", "failed", "full about "+roughly(end.At, here.At))
		}
	case !math.IsInf(free, 1):
		d.Texts = []label{{0, top - 12, "panel", "↑ disk full at " + console.Bytes(limit) + ", far above"}}
	}
	return d
}

// atTime and atValue are where on a drawing something is.
type (
	atTime  func(time.Time) float64
	atValue func(float64) float64
)

type point struct {
	At    time.Time
	Value float64
}

func values(points []point) []float64 {
	list := make([]float64, len(points))
	for i, p := range points {
		list[i] = p.Value
	}
	return list
}

// growth returns the slope of the line through points that has the least
// squares, a day. It is no use, and ok is false, with fewer than three points or
// less than three days between the first and the last.
func growth(points []point) (perDay float64, ok bool) {
	if len(points) < 3 {
		return 0, false
	}
	byTime := func(a, b point) int { return a.At.Compare(b.At) }
	first := slices.MinFunc(points, byTime).At
	if slices.MaxFunc(points, byTime).At.Sub(first) < 3*day {
		return 0, false
	}
	n := float64(len(points))
	days := func(p point) float64 { return p.At.Sub(first).Hours() / 24 }
	var meanX, meanY, xy, xx float64
	for _, p := range points {
		meanX += days(p) / n
		meanY += p.Value / n
	}
	for _, p := range points {
		xy += (days(p) - meanX) * (p.Value - meanY)
		xx += (days(p) - meanX) * (days(p) - meanX)
	}
	return xy / xx, true
}

// fullAt returns when free bytes are used up, unless that is never or beyond
// what can be told.
func fullAt(now time.Time, free, perDay float64) (full time.Time, ends bool) {
	if perDay <= 0 || free/perDay > float64(farthest/day) {
		return time.Time{}, false
	}
	return now.Add(time.Duration(free / perDay * float64(day))), true
}

// ceiling returns the top of a scale for values: the highest, but where a few
// are so high that they would flatten all others, the highest of these others.
func ceiling(values []float64) (top float64, cut bool) {
	sorted := slices.Sorted(slices.Values(values))
	n := len(sorted)
	if n == 0 || sorted[n-1] <= 0 {
		return 1, false
	}
	usual := sorted[(n-1)*9/10]
	if n < 8 || usual <= 0 || sorted[n-1] <= 4*usual {
		return sorted[n-1], false
	}
	for i := n - 1; ; i-- {
		if sorted[i] <= 4*usual {
			return sorted[i], true
		}
	}
}

func median(values []float64) float64 { return slices.Sorted(slices.Values(values))[(len(values)-1)/2] }

// headroom is how much higher a scale goes than its top.
const headroom = 1.06

// valueScale returns the y of values from 0, at base, up to a little over top,
// at high. What is beyond is there too.
func valueScale(top, high, base float64) atValue {
	return func(v float64) float64 {
		return rounded(base - (base-high)*min(max(v/(top*headroom), 0), 1))
	}
}

// timeScale returns the x of times, in percent, with a margin for marks.
func timeScale(from, to time.Time) atTime {
	return func(t time.Time) float64 {
		return inPercent(float64(t.Sub(from)) / float64(max(to.Sub(from), 1)))
	}
}

// ageScale returns the x of ages, in percent, from now at the right to oldest.
// What a retention policy keeps gets rarer with age: by the square root of it,
// the last nights have room, and so have the years.
func ageScale(oldest time.Duration) func(time.Duration) float64 {
	return func(age time.Duration) float64 {
		return inPercent(1 - math.Sqrt(float64(max(age, 0))/float64(max(oldest, 1))))
	}
}

func inPercent(fraction float64) float64 { return rounded(1 + 98*min(max(fraction, 0), 1)) }

// spanOf returns the time from the first point until now, a day at least.
func spanOf(points []point, now time.Time) (from, to time.Time) {
	from = now.Add(-day)
	for _, p := range points {
		if p.At.Before(from) {
			from = p.At
		}
	}
	if oldest := now.Add(-oldestSeen); from.Before(oldest) {
		from = oldest
	}
	return from, now
}

// tick is a named place on an axis.
type tick struct {
	X     float64 // in percent
	Text  string
	Minor bool // goes without saying where there is little room
}

// ageTicks returns the round ages that have room on a scale, with now.
func ageTicks(oldest time.Duration, x func(time.Duration) float64) []tick {
	const wide, narrow = 6, 22 // percent between two names, on a large screen and on a small one
	ages := []time.Duration{6 * time.Hour, day, 3 * day, 7 * day, 14 * day, 30 * day, 91 * day, 182 * day,
		365 * day, 2 * 365 * day, 3 * 365 * day, 5 * 365 * day, 10 * 365 * day}
	names := []string{"6 h", "1 day", "3 days", "1 week", "2 weeks", "1 month", "3 months", "6 months",
		"1 year", "2 years", "3 years", "5 years", "10 years"}
	ticks := []tick{{X: x(0), Text: "now"}}
	for _, pass := range []struct {
		room  float64
		minor bool
	}{{narrow, false}, {wide, true}} {
		for i, age := range ages {
			at := x(age)
			if age > oldest || slices.ContainsFunc(ticks, func(t tick) bool { return math.Abs(t.X-at) < pass.room }) {
				continue
			}
			ticks = append(ticks, tick{at, names[i], pass.minor})
		}
	}
	slices.SortFunc(ticks, func(a, b tick) int { return cmp.Compare(a.X, b.X) })
	return ticks
}

// timeTicks returns the round times between two, six at most.
func timeTicks(from, to time.Time, x atTime) []tick {
	steps := []struct {
		months int
		exact  time.Duration
		format string
	}{
		{0, time.Hour, "15:04"}, {0, 3 * time.Hour, "15:04"}, {0, 6 * time.Hour, "15:04"}, {0, 12 * time.Hour, "2 Jan 15:04"},
		{0, day, "2 Jan"}, {0, 2 * day, "2 Jan"}, {0, 7 * day, "2 Jan"}, {0, 14 * day, "2 Jan"},
		{1, month, "Jan"}, {2, 2 * month, "Jan"}, {3, 3 * month, "Jan"}, {6, 6 * month, "Jan"},
		{12, 365 * day, "2006"}, {24, 2 * 365 * day, "2006"}, {60, 5 * 365 * day, "2006"}, {120, 10 * 365 * day, "2006"},
	}
	from, to = from.UTC(), to.UTC()
	step := steps[len(steps)-1]
	for _, s := range steps {
		if to.Sub(from) <= 6*s.exact {
			step = s
			break
		}
	}
	next := func(t time.Time) time.Time { return t.Add(step.exact) }
	at := from.Truncate(step.exact)
	if step.months > 0 {
		next = func(t time.Time) time.Time { return t.AddDate(0, step.months, 0) }
		at = time.Date(from.Year(), 1, 1, 0, 0, 0, 0, time.UTC)
		if years := step.months / 12; years > 1 {
			at = at.AddDate(-(from.Year() % years), 0, 0)
		}
	}
	var ticks []tick
	for ; !at.After(to) && len(ticks) < 8; at = next(at) {
		if at.Before(from) {
			continue
		}
		text := at.Format(step.format)
		if step.format == "Jan" && at.Month() == time.January {
			text = at.Format("2006")
		}
		ticks = append(ticks, tick{X: x(at), Text: text})
	}
	for i := range ticks {
		ticks[i].Minor = len(ticks) > 4 && (len(ticks)-i)%2 == 0
	}
	return ticks
}

// byteStep returns the power of two of which no more than most make up top.
func byteStep(top float64, most int) float64 {
	return math.Exp2(math.Ceil(math.Log2(max(top, 1) / float64(most))))
}

// secondStep returns the round duration, in seconds, of which no more than most
// make up top.
func secondStep(top float64, most int) float64 {
	for _, s := range []float64{0.1, 0.2, 0.5, 1, 2, 5, 10, 15, 30, 60, 120, 300, 600, 900, 1800,
		3600, 7200, 10800, 21600, 43200} {
		if top <= s*float64(most) {
			return s
		}
	}
	return 86400 * byteStep(top/86400, most)
}

// knownBytes is [console.Bytes] where nothing stands for what is not known.
func knownBytes(n int64) string {
	if n <= 0 {
		return "–"
	}
	return console.Bytes(float64(n))
}

// humanSeconds returns a duration in at most two units.
func humanSeconds(seconds float64) string {
	if seconds = max(seconds, 0); seconds < 59.5 {
		return console.Rounded(seconds) + "\u00a0s"
	}
	n := math.Round(seconds)
	if n > 100*365*86400 {
		return "over 100 years"
	}
	for _, u := range []struct {
		below, unit, rest float64
		name, restName    string
	}{
		{3600, 60, 1, "min", "s"}, {48 * 3600, 3600, 60, "h", "min"}, {math.Inf(1), 86400, 3600, "d", "h"},
	} {
		if n = math.Round(n/u.rest) * u.rest; n >= u.below {
			continue
		}
		text := fmt.Sprintf("%.0f\u00a0%s", math.Floor(n/u.unit), u.name)
		if rest := math.Floor(math.Mod(n, u.unit) / u.rest); rest > 0 && n < 100*u.unit {
			text += fmt.Sprintf("\u00a0%.0f\u00a0%s", rest, u.restName)
		}
		return text
	}
	return ""
}

// humanSpan returns an age in the largest unit that says enough.
func humanSpan(d time.Duration) string {
	n, unit := console.SpanIn(d)
	switch d = d.Abs(); {
	case d >= 2*365*day:
		n, unit = int(d/(365*day)), "years"
	case d >= 2*month:
		n, unit = int(d/month), "months"
	}
	return fmt.Sprintf("%d\u00a0%s", n, unit)
}

func ago(age time.Duration) string {
	if age < -skew {
		return "in the future"
	}
	return humanSpan(max(age, 0)) + " ago"
}

func inTime(d time.Duration) string {
	if d < time.Minute {
		return "now"
	}
	return "in " + humanSpan(d)
}

// roughly returns a date as exactly as a forecast can tell it.
func roughly(t, now time.Time) string {
	if t.Sub(now) < 2*month {
		return t.Format("2 January 2006")
	}
	return t.Format("January 2006")
}

func stamp(t time.Time) string { return t.UTC().Format("2 Jan 2006 15:04") }

func plural(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// moment is a time in UTC; the year is left out of what it says if it is the
// one given.
type moment struct {
	time.Time
	year int
}

// ISO returns the time for machines.
func (m moment) ISO() string { return m.UTC().Format("2006-01-02T15:04:05Z") }

func (m moment) String() string {
	if m.IsZero() {
		return "no date"
	}
	if m.Year() == m.year {
		return m.UTC().Format("2 Jan 15:04")
	}
	return stamp(m.Time)
}

// legible returns what others say without control characters, and cut after
// most others. It is not safe in a page unless it is escaped.
func legible(text string, most int) string {
	text = strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n':
			return r
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Bidi_Control, r): // what turns a line around
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, "�")))
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}
