package backup

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/disk"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
	"github.com/betagouv/mrs-ops/internal/hostside/ledger"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
	"github.com/betagouv/mrs-ops/internal/hostside/wal"
)

// Archive is where the log of the instance's PostgreSQL is received; its Folder is empty where it is not.
func (i *Instance) Archive() wal.Archive { return wal.Archive{Folder: i.LogArchive} }

// logs is the host that snapshots of the log have: a group of their own, which no policy of the backups counts.
func (i *Instance) logs() string { return i.Name + "-wal" }

// Shipped is a snapshot of a stream of the log, with its base backups, and of the folders beside the database.
type Shipped struct {
	Snapshot
	Stream      string    // its folder, as it was then
	From, Until time.Time // the seconds that it covers
	Points      []wal.Point
}

// Ship has the log that was received in the repository and at its mirror, and makes the base backup that is due. What
// comes of it is told where it is not what came of the last one. The error is *[Failure].
func (i *Instance) Ship(ctx context.Context) error {
	r := i.Begin("wal", "timer")
	defer r.Release()
	return r.tells(ctx, Explain(ctx, r.ship(ctx)))
}

// tells writes down, and tells, that it does not go well any more, or again; every five minutes nobody would listen.
func (r *Run) tells(ctx context.Context, err error) error {
	reason := ""
	if err != nil {
		if ctx.Err() != nil {
			return err
		}
		reason = err.Error()
	}
	ctx = context.WithoutCancel(ctx)
	_, before, e := r.Ledger.Latest(time.Time{}, r.what)
	if e != nil || (before == "") == (reason == "") {
		return errors.Join(err, e)
	}
	outcome, text := ledger.Good, fmt.Sprintf("the log of %s is received and shipped again", r.Name)
	if reason != "" {
		outcome, text = ledger.Failed, fmt.Sprintf("%s on %s: %s (docs/runbook.md)", r.Name, r.Server, reason)
	}
	e = r.Ledger.Record(time.Now(), ledger.Entry{{Name: "what", Value: r.what}, {Name: "outcome", Value: outcome},
		{Name: "reason", Value: reason}})
	r.Announce(ctx, text)
	return errors.Join(err, e)
}

func (r *Run) ship(ctx context.Context) error {
	if r.LogArchive == "" {
		return die("WAL_ARCHIVE in the instance's env file, then deploy", "the log of %s is not received", r.Name)
	}
	if err := Do(ctx, r.TakeRepository, r.Open); err != nil {
		return err
	}
	streams, err := r.Archive().Streams()
	if err != nil {
		return err
	}
	if len(streams) == 0 {
		if server, err := r.PostgreSQL(ctx); err == nil {
			defer server.Close()
			if facts, err := server.Facts(ctx); err == nil && facts.Major < wal.Oldest {
				return wal.ErrTooOld
			}
		}
		return r.unreceived(time.Time{})
	}
	for _, s := range streams {
		if err := r.shipOne(ctx, s); err != nil {
			return err
		}
	}
	newest := streams[len(streams)-1]
	made, based := r.base(ctx, newest)
	if made {
		// What was before it goes once it is in the repository.
		if err := Do(ctx, func(ctx context.Context) error { return r.shipOne(ctx, newest) },
			func(context.Context) error { return newest.Tidy() },
			func(context.Context) error { return r.Archive().Expire(time.Now().AddDate(0, 0, -r.KeepDaily)) }); err != nil {
			return err
		}
	}
	mirrored := r.mirror(ctx, false)
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	for _, s := range streams {
		done, err := s.Shipped()
		if err == nil && mirrored == nil && r.Mirrors() && !done.Mirror.Equal(done.Repository) {
			done.Mirror = done.Repository
			err = s.Ship(done)
		}
		if err != nil && !errors.Is(err, os.ErrNotExist) { // it has expired
			return err
		}
	}
	var told error
	for _, err := range []error{r.received(newest), based, mirrored} { // what loses most comes first
		if told == nil {
			told = err
		} else if err != nil {
			r.Say(err.Error())
		}
	}
	return told
}

// received is the failure where not all that PostgreSQL has committed until now can be restored from a stream, or
// that is about to be so.
func (r *Run) received(s wal.Stream) error {
	got, err := s.Received()
	if err != nil {
		return err
	}
	if err := r.unreceived(got.Until); err != nil {
		return err
	}
	_, until, err := s.Reaches()
	if err != nil {
		return err
	}
	if until.Before(got.Until) {
		return die(lookAtIt, "a file of the log is missing in %s, which has no gap until %s", s.Log(), exact(until))
	}
	if got.Left >= 0 && got.Left < little {
		return die("is PostgreSQL writing more than the archive's disk takes? df -h "+r.LogArchive,
			"PostgreSQL keeps only %s more of its log until it is read", Human(got.Left))
	}
	return nil
}

func exact(t time.Time) string { return t.UTC().Format(hostapi.Second) }

// little is how little PostgreSQL may be about to keep for us.
const little = 256 << 20

// unreceived is the failure where the log was last received too long ago.
func (r *Run) unreceived(until time.Time) error {
	if time.Since(until) < hostapi.LogLate {
		return nil
	}
	since := "yet"
	if !until.IsZero() {
		since = "since " + exact(until)
	}
	unit, _ := hostapi.LogUnits(r.Name)
	return die("journalctl --unit "+unit, "the log of PostgreSQL was not received %s", since)
}

// base makes the base backup of a stream that is due.
func (r *Run) base(ctx context.Context, s wal.Stream) (made bool, err error) {
	spans, err := s.Spans()
	if err != nil {
		return false, err
	}
	bases, err := s.Bases()
	if err != nil {
		return false, err
	}
	got, err := s.Received()
	// One that no log goes on from is good for nothing.
	if err != nil || time.Since(got.Until) > hostapi.LogLate || !wal.Due(bases, spans, time.Now()) {
		return false, err
	}
	server, err := r.PostgreSQL(ctx)
	if err != nil {
		return false, err
	}
	defer server.Close()
	facts, err := server.Facts(ctx)
	if err != nil {
		return false, err
	}
	if facts.System != s.System() { // it was just made anew
		return false, nil
	}
	if last := len(bases) - 1; last >= 0 {
		if err := r.Enough(map[string]int64{r.LogArchive: bases[last].Bytes * 11 / 10}); err != nil {
			return false, err
		}
	}
	r.Say("making a base backup")
	missing := r.received(s)
	b, err := s.Base(ctx, server, time.Now)
	if err != nil {
		return false, err
	}
	r.Say(fmt.Sprintf("base backup %s is good: %s", b.Name, Human(b.Bytes)))
	if missing != nil {
		return true, missing
	}
	// Of what was received until now, a drill reads a part, once a week.
	if err := s.Check(ctx, server); err != nil {
		return true, die(lookAtIt, "the log before base backup %s is damaged in %s: %v", b.Name, s.Log(), err)
	}
	return true, nil
}

const lookAtIt = "look at the disk: dmesg, smartctl; what was shipped before is in the repository"

// shipOne makes a snapshot of a stream, unless all of it that can be recovered is in the repository.
func (r *Run) shipOne(ctx context.Context, s wal.Stream) error {
	spans, err := s.Spans()
	if err != nil {
		return err
	}
	done, err := s.Shipped()
	if err != nil {
		return err
	}
	from, until := wal.Reach(spans)
	if until.IsZero() || !until.After(done.Repository) {
		return nil
	}
	paths := []string{s.Folder}
	for _, name := range r.Folders {
		if _, err := os.Stat(r.path(name)); err == nil {
			paths = append(paths, r.path(name))
		}
	}
	tags := []string{r.Name, fmt.Sprintf("from-%d", from.Unix()+1), fmt.Sprintf("until-%d", until.Unix())}
	points, err := s.Points()
	if err != nil {
		return err
	}
	for _, p := range points[max(0, len(points)-20):] {
		tags = append(tags, fmt.Sprintf("point-%d-%s", p.At.Unix(), p.Name))
	}
	made, err := r.backupTwice(ctx, restic.Backup{Host: r.logs(), Paths: paths, Tags: tags})
	if err == nil {
		err = r.verified(ctx, made.ID)
	}
	if err == nil {
		err = durable.Remove(r.path(".backup.unchecked"))
	}
	if err != nil {
		return err
	}
	done.Repository = until
	return s.Ship(done)
}

// Shipped returns the snapshots of the log, the oldest first, but those that were not checked.
func (r *Run) Shipped(ctx context.Context) (found []Shipped, err error) {
	all, err := r.listed(ctx)
	for _, s := range all {
		if s.Host != r.logs() || s.Unchecked || len(s.Paths) == 0 {
			continue
		}
		one := Shipped{Snapshot: s}
		for _, path := range s.Paths {
			if !strings.HasPrefix(path, r.Home+"/") {
				one.Stream = path
			}
		}
		for _, tag := range s.Tags {
			if p, ok := wal.ParsePoint(strings.Replace(strings.TrimPrefix(tag, "point-"), "-", " ", 1)); ok {
				one.Points = append(one.Points, p)
			}
			for prefix, to := range map[string]*time.Time{"from-": &one.From, "until-": &one.Until} {
				value, is := strings.CutPrefix(tag, prefix)
				if n, err := strconv.ParseInt(value, 10, 64); is && err == nil {
					*to = time.Unix(n, 0).UTC()
				}
			}
		}
		if one.Stream != "" && !one.Until.IsZero() {
			found = append(found, one)
		}
	}
	return found, err
}

// forgetLogs forgets the snapshots of the log that are not to be kept. Their data go with the next
// backup that the policy does not keep.
func (r *Run) forgetLogs(ctx context.Context) error {
	all, err := r.Shipped(ctx)
	if err != nil {
		return err
	}
	ids := expired(all, r.KeepDaily, time.Now())
	if len(ids) == 0 {
		return nil
	}
	r.Say(fmt.Sprintf("%d snapshots of the log; forgetting %d", len(all), len(ids)))
	return r.repository.Forget(ctx, ids...)
}

// expired returns the snapshots of the log that are not to be kept: of the last two hours all are, then of each hour of
// a day, and of each day as many as there are daily backups, the last one. Each has all that a recovery from its base
// backups needs, which are of the two nights before it: so none takes away log that another needs, and what remains
// covers every second.
func expired(all []Shipped, days int, now time.Time) (ids []string) {
	kept := map[string]bool{}
	for _, s := range slices.Backward(all) {
		age := now.Sub(s.Time)
		span := s.Time.UTC().Format("2006-01-02")
		switch {
		case age > time.Duration(days+1)*24*time.Hour:
			ids = append(ids, s.ID)
			continue
		case age < 2*time.Hour:
			continue
		case age < 24*time.Hour:
			span = s.Time.UTC().Format("2006-01-02 15")
		}
		// Each stream by itself: the end of one that has ended is in no other.
		if span = filepath.Base(s.Stream) + " " + span; kept[span] {
			ids = append(ids, s.ID)
		}
		kept[span] = true
	}
	return ids
}

// Fits makes sure that the disk of the archive is there, and another than that of the data in a folder: else one disk
// that dies takes both.
func (i *Instance) Fits(data string) error {
	if err := disk.There(i.LogArchive, i.Mounts()); err != nil {
		return err
	}
	return disk.Apart(i.LogArchive, data, i.Device)
}

// Receive receives the log until ctx ends.
func (i *Instance) Receive(ctx context.Context) error {
	if i.LogArchive == "" {
		return die("WAL_ARCHIVE in the instance's env file, then deploy", "the log of %s is not received", i.Name)
	}
	wal.Receiver{Archive: i.Archive(), Find: i.PostgreSQL, Fits: i.Fits, Tell: i.tellMonitoring, Say: i.Say,
		Now: time.Now}.Run(ctx)
	return nil
}

// logMetrics is what the monitoring reads, in Prometheus' text format: seconds up to which nothing would be lost with
// the data, and with the server.
func (i *Instance) logMetrics() string {
	return strings.TrimSuffix(i.Ledger.Metrics, ".prom") + ".wal.prom"
}

func (i *Instance) tellMonitoring(l *hostapi.Log) error {
	elsewhere := l.Elsewhere(i.Mirrors())
	text := fmt.Sprintf("mrs_log_received_timestamp_seconds{instance=\"%s\"} %d\n", i.Name, l.Until.Unix())
	// Until it is somewhere else for the first time, it is not late.
	if !elsewhere.IsZero() {
		text += fmt.Sprintf("mrs_log_elsewhere_timestamp_seconds{instance=\"%s\"} %d\n", i.Name, elsewhere.Unix())
	}
	if err := os.MkdirAll(filepath.Dir(i.logMetrics()), 0o755); err != nil {
		return err
	}
	return durable.Write(i.logMetrics(), []byte(text), 0o644)
}

// ReceivedNoMore removes what one that received the log has left. Where it is not to be received any more, PostgreSQL
// keeps none for us; where that is not known to be done, its own bound is the end of it.
func (i *Instance) ReceivedNoMore(ctx context.Context) error {
	if i.LogArchive == "" {
		if err := durable.Remove(i.logMetrics()); err != nil {
			return err
		}
	}
	server, err := i.PostgreSQL(ctx)
	if err != nil { // it may have ended too
		i.Say(err.Error())
		return nil
	}
	defer server.Close()
	return server.End(ctx, i.LogArchive == "")
}

// Point has the log know this moment by a name. Where none is received, it is an error.
func (i *Instance) Point(ctx context.Context, name string) error {
	streams, err := i.Archive().Streams()
	if err != nil {
		return err
	}
	if i.LogArchive == "" || len(streams) == 0 {
		return die("WAL_ARCHIVE in the instance's env file, then deploy", "the log of %s is not received", i.Name)
	}
	server, err := i.PostgreSQL(ctx)
	if err != nil {
		return err
	}
	defer server.Close()
	if err := streams[len(streams)-1].Mark(ctx, server, name, time.Now); err != nil {
		return err
	}
	i.Say("the log of " + i.Name + " knows this moment as " + name)
	return nil
}

// markDeployment has the log know the moment before a deployment changes anything. Where it can't, that is said.
func (r *Run) markDeployment(ctx context.Context) error {
	if r.cause != "deploy" || r.LogArchive == "" {
		return nil
	}
	if err := r.Point(ctx, "deploy-"+r.began.UTC().Format(hostapi.Stamp)); err != nil {
		reason, _, _ := strings.Cut(Explain(ctx, err).Error(), "\nhint: ")
		r.Say("there is no restore point before this deployment: " + reason)
	}
	return nil
}
