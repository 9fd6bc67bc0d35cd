package wal

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/dump"
)

// Server is the PostgreSQL of an instance ([PostgreSQL]).
type Server interface {
	Facts(ctx context.Context) (Facts, error)
	// Prepare has the role there that may do nothing but replication, and a bound of what a slot keeps.
	Prepare(ctx context.Context, f Facts) error
	// Slot reports whether there is the slot, and all log that it has not passed on yet.
	Slot(ctx context.Context) (whole bool, err error)
	// Renew makes the slot anew: it keeps the log from now on.
	Renew(ctx context.Context) error
	// Receive writes the log to a folder as it is written, until ctx ends, or it can't.
	Receive(ctx context.Context, f Facts, folder string) error
	// End removes who receives; with slot, the slot too: no log is kept any more.
	End(ctx context.Context, slot bool) error
	// Point has the log know this moment by a name.
	Point(ctx context.Context, name string) error
	// Beat commits something and waits a moment until it is in the log that was received. ok false: it is not, yet.
	Beat(ctx context.Context) (r Received, ok bool, err error)
	// Base makes a base backup in a new folder, and verifies it.
	Base(ctx context.Context, f Facts, folder string) error
	// Check reads the files of the log in a folder, from one to another, and says whether one is damaged.
	Check(ctx context.Context, folder, first, last string) error
	Close()
}

// Facts are those of a cluster.
type Facts struct {
	System       string // its identifier
	Major        int    // of PostgreSQL
	Segment      int64  // how many bytes a file of its log has
	Standby      bool
	Data         string // its folder, as the host sees it
	UID, GID     int    // whose that is
	Image, Named string // of the container: an id, and what can be pulled
}

// Oldest is the oldest PostgreSQL whose log is received: from it on, what a slot keeps is bounded.
const Oldest = 13

// ErrTooOld is the error of an older one.
var ErrTooOld = errors.New("the log is received of PostgreSQL 13 or later only: what an older one keeps for a reader " +
	"that is gone fills its disk\nhint: mage ops:upgradePostgres INSTANCE")

// Pause is between two looks at how far the log was received: at least one commit is in the log in that time.
const Pause = 5 * time.Second

// again is how long is waited after a failure. PostgreSQL may just start.
var again = 2 * time.Second

// Receiver receives the log of an instance.
type Receiver struct {
	Archive
	// Find returns PostgreSQL, once it answers.
	Find func(ctx context.Context) (Server, error)
	// Fits makes sure that the archive's disk is there, and another than that of the data in a folder.
	Fits func(data string) error
	// Tell is told how far it is, for the monitoring.
	Tell func(*hostapi.Log) error
	Say  func(string)
	Now  func() time.Time
}

// Run receives the log until ctx ends. Whatever fails is tried again, and said where it is not what was said last:
// PostgreSQL may be restarted, upgraded or made anew, and the archive's disk be full or gone. That it is received is
// said once it is.
func (r Receiver) Run(ctx context.Context) {
	last := ""
	say := func(line string) {
		if line != last {
			last = line
			r.Say(line)
		}
	}
	for ctx.Err() == nil {
		err := r.once(ctx, func(s Stream) { say("receiving the log into " + s.Folder) })
		if err != nil && ctx.Err() == nil {
			say(err.Error())
		}
		select {
		case <-ctx.Done():
		case <-time.After(again):
		}
	}
}

// once receives it for as long as nothing fails. well is called whenever all that was committed is here.
func (r Receiver) once(ctx context.Context, well func(Stream)) error {
	server, err := r.Find(ctx)
	if err != nil {
		return err
	}
	defer server.Close()
	facts, err := server.Facts(ctx)
	if err != nil {
		return err
	}
	switch {
	case facts.Major < Oldest:
		return ErrTooOld
	case facts.Standby:
		return errors.New("PostgreSQL is a standby: the log is received once it is promoted")
	}
	if err := r.Fits(facts.Data); err != nil {
		return err
	}
	if err := server.Prepare(ctx, facts); err != nil {
		return fmt.Errorf("PostgreSQL can't be prepared for who receives its log: %w", err)
	}
	stream, err := r.stream(ctx, server, facts)
	if err != nil {
		return err
	}
	receiving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { ended <- server.Receive(receiving, facts, stream.Log()) }()
	over := false
	defer func() {
		stop()
		if !over {
			<-ended
		}
	}()
	for {
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case err := <-ended:
			over = true
			return fmt.Errorf("the log is not received any more: %w", err)
		case <-time.After(Pause):
		}
		got, ok, err := server.Beat(ctx)
		if err != nil {
			return err
		}
		if !ok {
			continue
		}
		if err := stream.write(received, got); err != nil {
			return err
		}
		standing, err := r.Standing()
		if err == nil {
			err = r.Tell(standing)
		}
		if err != nil {
			return err
		}
		well(stream)
	}
}

// stream returns the one to go on with, or begins one: where PostgreSQL has a slot for what is in the newest of its
// cluster, the log goes on without a gap.
func (r Receiver) stream(ctx context.Context, server Server, f Facts) (Stream, error) {
	all, err := r.Streams()
	if err != nil {
		return Stream{}, err
	}
	whole, err := server.Slot(ctx)
	if err != nil {
		return Stream{}, err
	}
	if len(all) > 0 && whole {
		if last := all[len(all)-1]; last.System() == f.System {
			return last, nil
		}
	}
	if len(all) > 0 && !whole && all[len(all)-1].System() == f.System {
		r.Say("PostgreSQL has not kept all of the log until it was read: it begins anew, with a base backup")
	}
	now := r.Now()
	if len(all) > 0 { // their order is that of their names, whatever the clock does
		if t, err := time.Parse(hostapi.Stamp, all[len(all)-1].Name()[:len(hostapi.Stamp)]); err == nil && !now.After(t) {
			now = t.Add(time.Second)
		}
	}
	// First the folder: a slot is for what is in the newest one.
	s, err := r.begin(now, f.System, f.UID, f.GID)
	if err == nil {
		err = server.Renew(ctx)
	}
	return s, err
}

// Base makes a base backup of the cluster that a stream is of, after what one that was killed has left is removed.
func (s Stream) Base(ctx context.Context, server Server, now func() time.Time) (Base, error) {
	if err := s.Tidy(); err != nil {
		return Base{}, err
	}
	f, err := server.Facts(ctx)
	if err != nil {
		return Base{}, err
	}
	if f.System != s.System() {
		return Base{}, fmt.Errorf("%s is of another cluster than the one that runs: its log is not received yet", s.Folder)
	}
	b := Base{Image: f.Image, Named: f.Named, Major: f.Major, Began: now().UTC()}
	b.Name = b.Began.Format(hostapi.Stamp)
	folder := s.Data(b)
	if err := server.Base(ctx, f, folder); err != nil {
		return b, err
	}
	b.Ended = now().UTC()
	if b.First, err = first(folder); err != nil {
		return b, err
	}
	b.Bytes = dump.Size(folder)
	return b, s.write(filepath.Join("base", b.Name+".json"), b)
}

// Check has PostgreSQL read all log of the stream that is not written to any more, and says whether it is damaged.
func (s Stream) Check(ctx context.Context, server Server) error {
	all, err := s.pieces()
	if err != nil || len(all) < 2 {
		return err
	}
	all = all[:len(all)-1]
	last := all[len(all)-1]
	first := last
	for _, p := range slices.Backward(all[:len(all)-1]) { // its program reads one timeline, without a gap
		if p.timeline != last.timeline || p.n+1 != first.n {
			break
		}
		first = p
	}
	return server.Check(ctx, s.Log(), first.name, last.name)
}
