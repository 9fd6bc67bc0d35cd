package restore

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
	"github.com/betagouv/mrs-ops/internal/hostside/place"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
	"github.com/betagouv/mrs-ops/internal/hostside/wal"
)

// source is log that the database can be recovered from, with its base backups: here, or in a snapshot.
type source struct {
	stream      wal.Stream
	spans       []wal.Span // of what is here
	snapshot    string     // that has it; empty: it is here
	from, until time.Time  // the seconds that it covers
	points      []wal.Point
}

// logged is what the database is recovered from, to a second.
type logged struct {
	source
	at      time.Time // zero: the end of the log
	point   string    // of the second after at; empty: to at
	xid     uint32    // a transaction after at; 0: to at
	span    wal.Span  // of what is here
	folders bool      // the folders come from a snapshot of the log, too
	or      *logged   // the same from the repository, where what is here is damaged; nil: it is not there
}

// second is to when.
func (l *logged) second() string {
	switch {
	case l.xid != 0:
		return fmt.Sprintf("the moment before transaction %d ended", l.xid)
	case l.point != "":
		return "the restore point " + l.point
	case l.at.IsZero():
		return "the end of the log"
	}
	return exact(l.at)
}

// String is to when, and from what.
func (l *logged) String() string {
	if l.snapshot != "" {
		return fmt.Sprintf("%s, from base backup and log of snapshot %s", l.second(), backup.Short(l.snapshot))
	}
	log := l.stream.Size(l.span.Base)
	return fmt.Sprintf("%s, from base backup %s (%s) and %s of log: about %d min", l.second(), l.span.Base.Name,
		backup.Human(l.span.Base.Bytes), backup.Human(log), 1+(l.span.Base.Bytes+2*log)/fast)
}

// fast is about how many bytes of a base backup, or of log, are recovered in a minute: it is said, and nothing more.
const fast = 3 << 30

func exact(t time.Time) string { return t.UTC().Format(hostapi.Second) }

// sources returns all log that there is: the snapshots, the oldest first, then what is here, and so is there at once.
func (r *run) sources(ctx context.Context) (all []source, err error) {
	shipped, err := r.record.Shipped(ctx)
	if err != nil {
		return nil, err
	}
	for _, s := range shipped {
		all = append(all, source{stream: wal.Stream{Folder: s.Stream}, snapshot: s.ID, from: s.From, until: s.Until,
			points: s.Points})
	}
	streams, err := r.Archive().Streams()
	for _, stream := range streams {
		s := source{stream: stream}
		var e, ee error
		s.spans, e = stream.Spans()
		s.points, ee = stream.Points()
		if s.from, s.until = wal.Reach(s.spans); !s.until.IsZero() {
			all = append(all, s)
		}
		err = errors.Join(err, e, ee)
	}
	return all, err
}

// covering finds the log that covers a second, the last that does; nil: there was no log then.
func covering(all []source, at time.Time) (found *logged) {
	for _, s := range all {
		if s.snapshot != "" && !at.Before(s.from) && !at.After(s.until) {
			found = &logged{source: s, at: at}
		}
		if span, ok := wal.Covering(s.spans, at); ok {
			found = &logged{source: s, at: at, span: span, or: found}
		}
	}
	return found
}

// lost has the log go on from the latest snapshot to its end, where the cluster that it is of is gone, and another one
// runs. Of the one that runs, the latest is the last backup. A base backup may well be newer than that backup.
func (r *run) lost(ctx context.Context, all []source) (*logged, error) {
	snapshots, err := r.record.Snapshots(ctx)
	if err != nil {
		return nil, err
	}
	n := slices.IndexFunc(snapshots, func(s backup.Snapshot) bool { return s.ID == r.record.Snapshot })
	// What was received in the last moments before the loss is not known to be: the end of the log may be after that.
	since := snapshots[n].Time.Add(-2 * wal.Pause)
	newer := slices.DeleteFunc(slices.Clone(all), func(s source) bool { return s.until.Before(since) })
	if len(newer) == 0 {
		return nil, nil
	}
	server, err := r.PostgreSQL(ctx)
	if err != nil { // it is waited for later on, and then it is known that it does not come
		return nil, nil
	}
	defer server.Close()
	facts, err := server.Facts(ctx)
	if err != nil {
		return nil, err
	}
	newer = slices.DeleteFunc(newer, func(s source) bool { return s.stream.System() == facts.System })
	if len(newer) == 0 {
		return nil, nil
	}
	found := covering(newer, slices.MaxFunc(newer, func(a, b source) int { return a.until.Compare(b.until) }).until)
	for l := found; l != nil; l = l.or {
		l.at = time.Time{}
		for _, s := range newer { // the newest that there is of it
			if l.snapshot != "" && s.snapshot != "" && s.stream.Name() == l.stream.Name() {
				l.source = s
			}
		}
	}
	return found, nil
}

// find finds what is restored: the log where it covers what was asked for, else a snapshot, and says which of the two.
func (r *run) find(ctx context.Context) (err error) {
	var all []source
	if r.asked.Only != "attachments" && r.LogArchive != "" {
		if all, err = r.sources(ctx); err != nil {
			return err
		}
	}
	if r.asked.Wanted == "" {
		if r.log, err = r.asks(all); err != nil {
			return err
		}
	}
	if r.log == nil {
		if err := r.pick(ctx); err != nil {
			return err
		}
	}
	if len(all) > 0 && r.asked.Wanted == "latest" {
		if r.log, err = r.lost(ctx, all); err != nil {
			return err
		}
	}
	switch {
	case r.log != nil:
		r.Say("the database is recovered to " + r.log.String())
		return r.findFolders(ctx)
	case !r.asked.At.IsZero():
		r.Say(fmt.Sprintf("there is no log of %s: it is the last snapshot before that, %s", exact(r.asked.At),
			backup.Short(r.record.Snapshot)))
	}
	return nil
}

// asks finds the log that has the second, or the restore point, that was asked for; nil: no log covers that second.
func (r *run) asks(all []source) (*logged, error) {
	at, last := r.asked.At, source{}
	for _, s := range all {
		for _, p := range s.points {
			if p.Name == r.asked.Point {
				at = p.At
			}
		}
		if !s.until.Before(last.until) {
			last = s
		}
	}
	var found *logged
	if !at.IsZero() { // it would be the end of the log
		found = covering(all, at)
	}
	switch {
	case r.asked.Point != "" && found == nil:
		return nil, refused(listed, "no log has the restore point %s", r.asked.Point)
	case r.asked.XID != 0 && len(all) == 0:
		return nil, refused(listed, "there is no log that could have transaction %d", r.asked.XID)
	// Who asks may not know that it ends before that.
	case found == nil && len(all) > 0 && (at.After(last.until) || r.asked.XID != 0):
		return nil, refused(fmt.Sprintf(`--at "%s"; or name a snapshot: %s`, exact(last.until), listed),
			"the log covers %s to %s, and not %s", exact(last.from), exact(last.until), exact(at))
	}
	for l := found; l != nil; l = l.or {
		l.point, l.xid = r.asked.Point, r.asked.XID
	}
	return found, nil
}

// drillLog proves that the log can be recovered, to a second that nobody has chosen: it is, and what comes of it is
// dumped, and its rows counted. The repository's lock must be held.
func (r *run) drillLog(ctx context.Context) error {
	if r.LogArchive == "" {
		return nil
	}
	all, err := r.sources(ctx)
	if err != nil {
		return err
	}
	long := slices.DeleteFunc(slices.Clone(all), func(s source) bool { return s.until.Sub(s.from) < 3*time.Second })
	if len(long) == 0 {
		r.Say("no log is there yet to be proven")
		return nil
	}
	s := long[rand.IntN(len(long))]
	within := rand.Int64N(int64(s.until.Sub(s.from) - 2*time.Second))
	at := s.from.Add(time.Duration(within)).Truncate(time.Second).Add(time.Second)
	if r.log = covering(all, at); r.log == nil {
		return die("", "no log covers %s, which it was to", exact(at))
	}
	defer func() { r.log = nil }()
	need, err := r.needs(ctx)
	if err == nil {
		err = r.Enough(map[string]int64{r.LogArchive: need, r.Home: need})
	}
	if err != nil {
		return err
	}
	folder := filepath.Join(r.drillFolder(), "logged")
	r.log.or = nil // what is here is to be good itself
	if err := r.recoverInto(ctx, folder); err != nil {
		return err
	}
	rows := dump.Rows(folder)
	r.record.Fact("second", exact(at))
	r.Say(fmt.Sprintf("the log is proven: the database was recovered to %s, with %d rows", exact(at), rows))
	before, after, err := r.Ledger.RowsAround(at)
	if err != nil {
		return err
	}
	if !plausible(rows, before, after) {
		r.differs = append(r.differs, fmt.Sprintf(
			"recovered to %s there are %d rows, and the backups around it have %d and %d", exact(at), rows, before, after))
		r.Say(r.differs[0])
		r.record.Fact("differs", r.differs[0])
	}
	return os.RemoveAll(folder)
}

// plausible reports whether a database may have had so many rows between two backups, where these had so many; 0: it
// is not known. How many it had then nobody has counted: rows come and go. But it is no other database.
func plausible(rows, before, after int64) bool {
	if before == 0 && after == 0 {
		return true
	}
	least, most := min(before, after), max(before, after)
	if least == 0 { // one of them is not known
		least = most
	}
	slack := most/10 + 1000
	return rows >= least-slack && rows <= most+slack
}

// findFolders finds the snapshot that the folders come from, where the database is recovered to a second: the last one
// before it that has them, of the backups or of the log.
func (r *run) findFolders(ctx context.Context) error {
	all, err := r.record.Snapshots(ctx)
	if err != nil {
		return err
	}
	shipped, err := r.record.Shipped(ctx)
	if err != nil {
		return err
	}
	at := r.log.at
	if at.IsZero() {
		at = r.Now()
	}
	for _, s := range shipped {
		if len(s.Paths) > len(r.Folders) {
			all = append(all, s.Snapshot)
		}
	}
	var found backup.Snapshot
	for _, s := range all {
		if !s.Unchecked && !s.Time.After(at) && !s.Time.Before(found.Time) {
			found = s
		}
	}
	if found.ID == "" && len(r.moves.Folders) > 0 {
		return die("--only database", "no snapshot before %s has the folders", exact(at))
	}
	r.record.Snapshot = found.ID
	r.log.folders = slices.ContainsFunc(shipped, func(s backup.Shipped) bool { return s.ID == found.ID })
	return nil
}

// included is what restic restores of the folders. A snapshot of the log has folders of PostgreSQL's too, which may
// have the same names.
func (r *run) included() (all []string) {
	for _, name := range r.moves.Folders {
		if r.log != nil && r.log.folders {
			name = r.path(name)
		}
		all = append(all, name)
	}
	return all
}

// recovers are the commands behind [run.recoverInto].
func (r *run) recovers(folder string) []string {
	work, stream := r.Archive().Recovery(), r.log.stream
	recovery := r.log.recovery(stream, r.log.span, work, folder)
	recovery.Project = r.Name + "-trial"
	var lines []string
	if r.log.snapshot != "" {
		fetched := filepath.Join(work, "fetched")
		lines = append(lines, hostapi.Quote("restic", "restore", r.log.snapshot, "--quiet", "--target", fetched,
			"--include="+stream.Folder))
		recovery.Stream.Folder = filepath.Join(fetched, stream.Folder)
		recovery.Base.Name = "BASE"
	}
	return append(lines,
		hostapi.Quote("cp", "--archive", recovery.Stream.Data(recovery.Base), filepath.Join(recovery.Folder, "data")),
		hostapi.Quote("touch", filepath.Join(recovery.Folder, "data", "recovery.signal")),
		hostapi.Quote(recovery.Argv("IMAGE")...),
		hostapi.Quote("docker", "exec", "--user", "postgres", recovery.Project+"-recovery", "pg_dump", "--username", r.Role,
			"--dbname", r.Database, "--format", "directory", "--file", "/dump/data"))
}

// needs is the room that a recovery takes: the base backup once more, and what comes from the repository.
func (r *run) needs(ctx context.Context) (bytes int64, err error) {
	if r.log.snapshot == "" {
		return r.log.span.Base.Bytes, nil
	}
	err = r.Repository.Files(ctx, r.log.snapshot, func(_ string, size int64) { bytes += size })
	return 2 * bytes, err
}

// recoverInto recovers the database to the second that was asked for, in a container of its own, and dumps it into a
// folder that PostgreSQL may write to. Where what is here is damaged, the repository may have it whole.
func (r *run) recoverInto(ctx context.Context, folder string) error {
	err := r.recoverFrom(ctx, r.log, folder)
	if or := r.log.or; err != nil && or != nil && ctx.Err() == nil {
		r.Say(err.Error() + ": once more, from snapshot " + backup.Short(or.snapshot))
		if err = os.RemoveAll(folder); err == nil {
			err = r.recoverFrom(ctx, or, folder)
		}
	}
	return err
}

func (r *run) recoverFrom(ctx context.Context, l *logged, folder string) error {
	work := r.Archive().Recovery()
	if err := os.RemoveAll(work); err != nil {
		return err
	}
	defer os.RemoveAll(work)
	stream, span := l.stream, l.span
	if l.snapshot != "" {
		fetched := filepath.Join(work, "fetched")
		if err := os.MkdirAll(fetched, 0o700); err != nil {
			return err
		}
		s := r.fetched(fetched)
		err := r.Repository.Restore(ctx, l.snapshot, restic.Restore{Target: fetched, Include: []string{stream.Folder}})
		s.Stop()
		if err != nil {
			return r.unread("the log", err)
		}
		stream = wal.Stream{Folder: filepath.Join(fetched, stream.Folder)}
		spans, err := stream.Spans()
		if err != nil {
			return err
		}
		var ok bool
		if span, ok = wal.Covering(spans, l.at); !ok {
			return die(listed, "a file of the log is missing in snapshot %s", backup.Short(l.snapshot))
		}
	}
	info, err := os.Stat(stream.Data(span.Base))
	if err == nil {
		err = os.Mkdir(folder, 0o700)
	}
	if err == nil {
		err = place.Like(folder, info)
	}
	if err != nil {
		return err
	}
	r.Say("recovering the database in a container of its own")
	err = r.Stack.Recover(ctx, l.recovery(stream, span, work, folder))
	if err != nil && ctx.Err() == nil {
		return die(listed+"; another second, or a snapshot, may be well", "%v", err)
	}
	return err
}

// recovery is what is recovered of a stream, with its data below a folder, and dumped into another.
func (l *logged) recovery(stream wal.Stream, span wal.Span, work, folder string) wal.Recovery {
	return wal.Recovery{Stream: stream, Base: span.Base, Until: l.at, Point: l.point, XID: l.xid, Reaches: span.Until,
		Folder: filepath.Join(work, "cluster"), Dump: folder}
}

func (s thisStack) Recover(ctx context.Context, recovery wal.Recovery) (err error) {
	recovery.Project, recovery.Role, recovery.Runner = s.Name+"-trial", s.Role, s.Runner
	defer func() { err = errors.Join(err, recovery.End(context.WithoutCancel(ctx))) }()
	server, err := recovery.Start(ctx)
	if err != nil {
		return err
	}
	server.Database = s.Database
	_, err = dump.Make(ctx, server, dump.Options{Database: s.Database, Role: s.Role, Folder: recovery.Dump,
		Inside: "/dump", Jobs: jobs(), Every: often, Progress: func(dumped, of int64) {
			s.Say(fmt.Sprintf("dumped %s, of a database of %s", backup.Human(dumped), backup.Human(of)))
		}})
	return err
}
