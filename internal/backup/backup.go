// Package backup makes, lists, proves, prunes and restores the backups of
// instances where they run, by the scripts that the deployment has put there
// (internal/hostside/provision): what a target does by day is what the timers do at
// night.
//
// It knows these scripts' names, what they take and what they list. It must not
// know how they work.
//
// The working directory is the project's root.
package backup

import (
	"bufio"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/local"
	"github.com/betagouv/mrs-ops/internal/target"
)

// open connects to the server of a persistent instance that has backups
// ([target.Reach]).
func open(ctx context.Context, name string) (*target.Target, error) {
	inst, err := instance.Locate(name)
	if err != nil {
		return nil, err
	}
	if !inst.Persistent() {
		return nil, fmt.Errorf("%s is a branch, which has no backups", inst.Name)
	}
	s, err := target.Reach(ctx, inst)
	if err != nil {
		return nil, err
	}
	if err := s.Has("drill.sh", "has no backups", setUp); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

// setUp is how an instance comes to its backups.
const setUp = "put RESTIC_PASSWORD=… in its secrets, then deploy it"

// job is a script of an instance's that runs for long.
type job struct {
	what string // for people and the audit log
	name string // the script, without .sh, and the last part of its unit's name
	args []string
}

// begun says the process that a job is, and runs it. An interruption (SIGINT) is for that: it knows whether it has
// begun the unit that is at work, or shows somebody else's.
const begun = `echo "$$"; ` + oneStream

// oneStream runs a command. What it complains of comes in order with what it says.
const oneStream = `exec 2>&1; exec "$@"`

// run runs a job, shows what it says as it says it, and writes down what came of
// it.
func run(ctx context.Context, s *target.Target, j job) error {
	ctx, stop := console.Interruptible(ctx)
	defer stop()
	start := time.Now()
	err := s.Audited(target.Operator(), j.what, func() error { return work(ctx, s, j) })
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: %s was interrupted, and undone\n"+
			"hint: mage ops:audit %s tells what was done before", s.Name, j.what, s.Name)
	case local.ExitCode(err) == hostapi.NotMirrored:
		return fmt.Errorf("%s: %s is done, but: %w", s.Name, j.what, err)
	case err != nil:
		return fmt.Errorf("%s: %s failed: %w", s.Name, j.what, err)
	}
	took := time.Since(start).Round(100 * time.Millisecond).String()
	if ctx.Err() != nil {
		took += "; the interruption came too late"
	}
	console.Done("%s: %s is done (%s)", s.Name, j.what, took)
	return nil
}

// work runs a job, and shows what it says as it says it. On the server it is
// systemd that runs it, so it goes on where the connection is lost; when ctx ends
// it is told to end, and its own end is waited for. The error is then
// context.Canceled, if it has undone what it began.
func work(ctx context.Context, s *target.Target, j job) error {
	over, process := make(chan struct{}), make(chan string, 1)
	defer close(over)
	stop := context.AfterFunc(ctx, func() {
		console.Say("%s: ending it, and waiting until all is as it was", s.Name)
		select {
		case id := <-process:
			_, _ = s.Exec("kill", "-s", "INT", id).String()
		case <-over:
		}
	})
	defer stop()
	out := s.Script(begun, append([]string{s.Folder + "/" + j.name + ".sh"}, j.args...)...)
	why, err := show(s.Name, out, process)
	return j.came(ctx, why, err, func() bool {
		// The scripts of older versions say of one that could not be undone, too, that it was interrupted.
		_, err := s.Output("test", "!", "-e", s.Folder+"/.restore.swap")
		return err == nil
	})
}

// came is what a job that ended with err, and said why, has come to. whole tells whether no restore has left things
// half way.
func (j job) came(ctx context.Context, why string, err error, whole func() bool) error {
	undone := false
	switch status := local.ExitCode(err); {
	case ctx.Err() == nil || err == nil:
	case status == hostapi.AsBefore:
		undone = true
	case status == hostapi.Stopped:
		undone = j.name != "restore" || whole()
	case status == 128+int(syscall.SIGTERM):
		undone = why == "" // it had not begun anything
	}
	switch {
	case undone:
		return context.Canceled
	case err != nil && why != "":
		return &failure{why, err}
	}
	return err
}

// failure is a script that failed, and said why.
type failure struct {
	why string
	err error // how it ended
}

func (f *failure) Error() string { return f.why }
func (f *failure) Unwrap() error { return f.err }

// reason is a script's last line where it failed; everything else is said as it
// comes.
var reason = regexp.MustCompile(`^[a-z]+\.sh: `)

// explains reports whether a line is of a script's last words, why it failed and
// what to do, and adds it to why if it is.
func explains(line string, why *string) bool {
	switch {
	case reason.MatchString(line):
		*why = reason.ReplaceAllString(line, "")
	case *why != "" && strings.HasPrefix(line, "hint: "):
		*why += "\n" + line
	default:
		return false
	}
	return true
}

func narrate(name string) *console.Narrator { return console.Narrate(name, 20*time.Second) }

// show shows the lines of out, but the first, which is for process. It returns why it failed, with the hint that
// follows.
func show(name string, out *script.Pipe, process chan<- string) (why string, err error) {
	aloud := narrate(name)
	defer aloud.End()
	lines := bufio.NewScanner(out)
	if lines.Scan() {
		process <- lines.Text()
	}
	for lines.Scan() {
		if line := lines.Text(); !explains(line, &why) {
			aloud.Say(line)
		}
	}
	return why, errors.Join(lines.Err(), out.Error())
}

// Make makes a backup of an instance now. It is the unit that the timer starts
// at night.
func Make(ctx context.Context, name string) error {
	return runOn(ctx, name, job{"backup", "backup", []string{"hand"}})
}

// Prune applies the retention policy to the backups of an instance, and checks
// what remains.
func Prune(ctx context.Context, name string) error {
	return runOn(ctx, name, job{"prune", "prune", nil})
}

// Drill proves a snapshot of an instance, an id of [Snapshots] or "latest": it
// is restored into a stack of its own beside the instance, and removed again.
func Drill(ctx context.Context, name, snapshot string) error {
	if err := checkID(name, snapshot); err != nil {
		return err
	}
	return runOn(ctx, name, job{"drill " + snapshot, "drill", []string{snapshot}})
}

func runOn(ctx context.Context, name string, j job) error {
	return with(ctx, name, func(s *target.Target) error { return run(ctx, s, j) })
}

func with(ctx context.Context, name string, do func(*target.Target) error) error {
	s, err := open(ctx, name)
	if err != nil {
		return err
	}
	defer s.Close()
	return do(s)
}

// Look asks an instance's server how its backups stand.
func Look(ctx context.Context, name string) (state *State, err error) {
	err = with(ctx, name, func(s *target.Target) error {
		out, err := s.Output(s.Folder+"/restore.sh", "list")
		if err != nil {
			return fmt.Errorf("%s: its backups can't be listed: %w", name, err)
		}
		state, err = parse(out)
		return err
	})
	return state, err
}

// Snapshots prints the backups of an instance, the newest first.
func Snapshots(ctx context.Context, name string, asJSON bool) error {
	state, err := Look(ctx, name)
	if err != nil {
		return err
	}
	if asJSON {
		return console.JSON(state)
	}
	rows := [][]string{{"SNAPSHOT", "TIME", "AGE", "CAUSE", "COMMIT", "SIZE", "NEW", "STATE"}}
	unproven, now := 0, time.Now()
	for _, n := range state.Snapshots {
		verdict := "unproven"
		switch {
		case n.Unchecked:
			verdict = "NOT CHECKED"
		case n.Proven:
			verdict = "proven"
		default:
			unproven++
		}
		age := console.Span(now.Sub(n.Time))
		if n.Time.After(now) { // a clock went back
			age = "in " + age
		}
		rows = append(rows, []string{n.ID, n.Time.Local().Format("2006-01-02 15:04:05"), age, n.Cause,
			n.Commit[:min(8, len(n.Commit))], knownBytes(n.Bytes), knownBytes(n.Added), verdict})
	}
	if len(rows) > 1 {
		if err := console.Table(rows...); err != nil {
			return err
		}
	}
	if l := state.Log; l != nil {
		console.Say("%s: %s", name, standing(*l, state.Mirrored, now))
	}
	console.Summary("%s: %d snapshots in %s, %d of them unproven; "+
		"mage ops:restore %[1]s SNAPSHOT restores one, ops:drill proves one",
		name, len(state.Snapshots), state.Repository, unproven)
	return nil
}

var ( // restore.sh
	pointPattern = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]{0,62}$`)
	xidPattern   = regexp.MustCompile(`^[1-9][0-9]{0,19}$`)
	timePattern  = regexp.MustCompile(`^\d{4}-\d{2}-\d{2}([ T]\d{2}:\d{2}(:\d{2})?(Z| UTC|[+-]\d{2}:?\d{2})?)?$`)
)

func checkID(name, snapshot string) error {
	if hostapi.IsSnapshot(snapshot) {
		return nil
	}
	return fmt.Errorf("%q is not a snapshot\nhint: mage ops:snapshots %s lists them; or say latest", snapshot, name)
}

// RestoreOptions is what to restore; the zero value: all of it, after a
// question.
type RestoreOptions struct {
	// At is a second, "2026-11-20 14:00:07", as the server's clock has it: what the log has of it, else the last snapshot
	// before it.
	At string
	// Point is a restore point, of the log that was received.
	Point string
	// XID is a transaction in that log, after At: what it has done is left out, and all that came after it.
	XID  string
	Only string // "database" or "attachments"
	Yes  bool   // no question, but before production
	// DryRun prints the plan of the server, and the commands behind it, and does nothing of it.
	DryRun bool
}

// Restore restores a snapshot of an instance: an id of [Snapshots], or "latest".
// It holds the instance's lock. What is there runs on until all of the snapshot
// is there too, and is kept under a dated name. Before production its name must
// be typed.
func Restore(ctx context.Context, name, snapshot string, o RestoreOptions) error {
	var args []string
	what := "restore " + snapshot
	switch o.Only {
	case "":
	case "database", "attachments":
		args = append(args, "--only", o.Only)
		what += ", only its " + o.Only
	default:
		return fmt.Errorf("-only=%q is not known\nhint: -only=database or -only=attachments", o.Only)
	}
	switch {
	case o.Point != "":
		if snapshot != "latest" || o.At != "" {
			return errors.New("-restorePoint= is for latest, and by itself says when")
		}
		if !pointPattern.MatchString(o.Point) {
			return fmt.Errorf("-restorePoint=%q is no name of a restore point\nhint: letters, digits and . _ -", o.Point)
		}
		args = append(args, "--point", o.Point)
		what += " of restore point " + o.Point
	case o.At == "":
		if err := checkID(name, snapshot); err != nil {
			return err
		}
		args = append(args, snapshot)
	case snapshot != "latest":
		return errors.New("-at= is for latest: what the log has of that second, or the last snapshot before it")
	case !timePattern.MatchString(o.At):
		return fmt.Errorf("-at=%q is not a time\nhint: -at=\"2026-11-20 14:00\"", o.At)
	default:
		args = append(args, "--at", o.At)
		what += " of " + o.At
	}
	if o.XID != "" {
		if o.At == "" {
			return errors.New("-xid= says not when that transaction was\n" +
				"hint: -at=\"2026-11-20 14:00\", a time shortly before it")
		}
		if !xidPattern.MatchString(o.XID) {
			return fmt.Errorf("-xid=%q is no transaction\nhint: what xmin of a row says that it has written", o.XID)
		}
		args = append(args, "--xid", o.XID)
		what += ", before the end of transaction " + o.XID
	}
	return replace(ctx, name, job{what, "restore", args}, o.DryRun, o.Yes)
}

// replace runs a job that replaces what an instance has, under its lock and after a question, or explains it.
func replace(ctx context.Context, name string, j job, dryRun, yes bool) error {
	return with(ctx, name, func(s *target.Target) error {
		if dryRun {
			return explain(s, j.what, j.args)
		}
		question := fmt.Sprintf("%s on %s: %s, in place of the data that are there?", s.Name, s, j.what)
		var err error
		switch {
		case s.Name == instance.Production:
			err = console.Typed(question, s.Name)
		case !yes:
			err = console.Sure(question)
		}
		if err != nil {
			return err
		}
		lock, err := s.Lock(target.Operator(), j.what)
		if err != nil {
			return err
		}
		defer lock.Release()
		return run(ctx, s, j)
	})
}

// standing says how far back the log goes, and how much would be lost now.
func standing(l hostapi.Log, mirrored bool, now time.Time) string {
	if l.From.IsZero() {
		return "the log is received, and there is no base backup yet that it goes on from"
	}
	lost := func(until time.Time) string {
		if until.IsZero() {
			return "all"
		}
		return console.Span(now.Sub(until))
	}
	since := l.From.Local().Format("2006-01-02 15:04:05")
	text := fmt.Sprintf("any second since %s can be restored; "+
		"what would be lost now is the last %s with the data's disk, %s with the archive's too",
		since, lost(l.Until), lost(l.Repository))
	if mirrored {
		text += ", " + lost(l.Mirror) + " with the server"
	}
	return text
}

// RestorePoint has the log of an instance's database know this moment by a name.
func RestorePoint(ctx context.Context, name, point string) error {
	if !pointPattern.MatchString(point) {
		return fmt.Errorf("%q is no name of a restore point\nhint: letters, digits and . _ -", point)
	}
	return runOn(ctx, name, job{"restore point " + point, "restore", []string{"point", point}})
}

// explain prints what a restore would do.
func explain(s *target.Target, what string, args []string) error {
	out, err := s.Output(append([]string{s.Folder + "/restore.sh", "explain"}, args...)...)
	if err != nil {
		return fmt.Errorf("%s: %s can't be explained: %w", s.Name, what, err)
	}
	fmt.Println(out)
	console.Summary("%s: %s; nothing was done", s.Name, what)
	return nil
}

// pages asks the servers of all persistent instances, at the same moment.
func pages(ctx context.Context) ([]Page, error) {
	names, err := instance.NamesIn(".", os.Getenv("MRS_ENV"))
	if err != nil {
		return nil, err
	}
	var all []Page
	for _, name := range names {
		inst, _, err := instance.Lookup(name)
		switch {
		case inst == nil:
			all = append(all, Page{Name: name, Err: err})
		case inst.Persistent() && inst.Get("server") != instance.Here:
			all = append(all, Page{Name: name, Server: inst.Get("server")})
		}
	}
	var asked sync.WaitGroup
	for i := range all {
		if p := &all[i]; p.Err == nil {
			asked.Go(func() { p.State, p.Err = Look(ctx, p.Name) })
		}
	}
	asked.Wait()
	return all, nil
}

// Report writes a page about the backups of all persistent instances on servers
// to the file called to. A server that does not tell is on it too, and an error.
func Report(ctx context.Context, to string) error {
	all, err := pages(ctx)
	if err != nil {
		return err
	}
	var page strings.Builder
	if err := WriteReport(&page, time.Now(), all); err != nil {
		return err
	}
	if err := local.WriteFile(to, page.String(), 0o644); err != nil {
		return err
	}
	var errs []error
	for _, p := range all {
		if p.Err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", p.Name, p.Err))
		}
	}
	if err := errors.Join(errs...); err != nil {
		return fmt.Errorf("%w\n%s is written, without them", err, to)
	}
	console.Done("%s shows the backups of %d instances", to, len(all))
	return nil
}

// Adopt swaps in a database that somebody has filled beside an instance's own, as
// [Restore] does: the application is tried on it first. The caller holds the
// instance's lock, and writes down what came of it. If it fails, the database is
// removed; the error is context.Canceled if ctx has ended and all is as it was.
func Adopt(ctx context.Context, s *target.Target, database string) error {
	return work(ctx, s, job{"", "restore", []string{"adopt", database}})
}

// Lent is the database of a snapshot, restored beside an instance's own.
type Lent struct {
	Database string // its name on the instance's PostgreSQL
	input    *io.PipeWriter
	said     *bufio.Scanner
}

// Lend restores the database of a snapshot, an id of [Snapshots] or "latest",
// beside the instance's own, on the instance's server. It is dropped by
// [Lent.Return], when ctx ends, and when the connection is lost.
func Lend(ctx context.Context, s *target.Target, snapshot string) (*Lent, error) {
	if err := checkID(s.Name, snapshot); err != nil {
		return nil, err
	}
	if err := s.Has("lend.sh", "lends no snapshots", setUp); err != nil {
		return nil, err
	}
	input, w := io.Pipe()
	out := s.WithContext(ctx).ScriptFrom(script.NewPipe().WithReader(input), oneStream, s.Folder+"/lend.sh", snapshot)
	l := &Lent{input: w, said: bufio.NewScanner(out)}
	aloud := narrate(s.Name)
	defer aloud.End()
	var why string
	for l.said.Scan() {
		line := l.said.Text()
		if database, is := strings.CutPrefix(line, "lent "); is {
			l.Database = database
			return l, nil
		}
		if !explains(line, &why) {
			aloud.Say(line)
		}
	}
	l.Return()
	err := cmp.Or(out.Error(), l.said.Err(), io.ErrUnexpectedEOF)
	if why != "" {
		err = &failure{why, err}
	}
	return nil, fmt.Errorf("%s: its snapshot %s can't be restored: %w", s.Name, snapshot, err)
}

// Return drops the database, and waits until it is gone.
func (l *Lent) Return() {
	l.input.Close()
	for l.said.Scan() {
	}
}
