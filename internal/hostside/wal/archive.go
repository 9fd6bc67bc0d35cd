// Package wal keeps the write-ahead log of an instance's PostgreSQL, as it is written, with base backups that it goes
// on from, so that the database can be recovered as it was at any second. All is done by PostgreSQL's own programs, of
// the image that the instance runs: pg_receivewal(1), pg_basebackup(1), pg_verifybackup(1). It needs PostgreSQL 13 or
// later.
//
// The archive is the folder WAL_ARCHIVE, root's and closed to all others: it is personal data in clear. In it:
//
//	STREAM/wal/            log of one cluster without a gap, in files as pg_receivewal writes them
//	STREAM/base/NAME/      a base backup: a data folder that the log goes on from
//	STREAM/base/NAME.json  [Base], written last: without it, the folder is of one that was cut short
//	STREAM/received.json   [Received]
//	STREAM/shipped.json    [Shipped]
//	STREAM/points          the restore points, a line each: their second, their name
//	recovery/              a recovery at work
//
// STREAM is when it began and the identifier of the cluster: 20261120T230000Z-7300000000000000000. Where the log can't
// be gone on with, a new one is begun, and a base backup with it; the old one stays for as long as it may be restored.
//
// It must not know what a restore or a repository is.
package wal

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
)

// Archive is that of an instance.
type Archive struct{ Folder string }

// Stream is log of one cluster without a gap, and the base backups that it goes on from.
type Stream struct{ Folder string }

// Base is a base backup that is whole: pg_verifybackup has found what its manifest says.
type Base struct {
	Name  string    `json:"name"`  // its folder's
	Image string    `json:"image"` // that it was made with: its id
	Named string    `json:"named"` // the same, as it can be pulled; may be empty
	Major int       `json:"major"` // of PostgreSQL
	Began time.Time `json:"began"`
	Ended time.Time `json:"ended"` // from then on it can be recovered to
	First string    `json:"first"` // the file of the log that it goes on from
	Bytes int64     `json:"bytes"`
}

// Received is how far the log was received: what was committed before that second is here, on the disk.
type Received struct {
	Until time.Time `json:"until"`
	// Left is how many bytes more PostgreSQL would keep for us if we did not read; -1: it does not say.
	Left int64 `json:"left"`
}

// Shipped is how far the log is in the repository, and how far at its mirror.
type Shipped struct {
	Repository time.Time `json:"repository,omitzero"`
	Mirror     time.Time `json:"mirror,omitzero"`
}

var (
	streamName = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z-[0-9]{1,20}$`)
	baseName   = regexp.MustCompile(`^[0-9]{8}T[0-9]{6}Z$`)
	fileName   = regexp.MustCompile(`^([0-9A-F]{8})([0-9A-F]{8})([0-9A-F]{8})(\.partial)?$`)
)

const (
	received = "received.json"
	shipped  = "shipped.json"
)

// Streams returns all of them, the oldest first.
func (a Archive) Streams() (all []Stream, err error) {
	entries, err := os.ReadDir(a.Folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	for _, entry := range entries { // by their names, which begin with their time
		if entry.IsDir() && streamName.MatchString(entry.Name()) {
			all = append(all, Stream{filepath.Join(a.Folder, entry.Name())})
		}
	}
	return all, err
}

// Recovery is the folder of a recovery at work. Nobody needs what one that was killed has left there.
func (a Archive) Recovery() string { return filepath.Join(a.Folder, "recovery") }

// Name is that of the stream's folder.
func (s Stream) Name() string { return filepath.Base(s.Folder) }

// System is the identifier of the cluster.
func (s Stream) System() string {
	_, system, _ := strings.Cut(s.Name(), "-")
	return system
}

// Log is the folder of the log.
func (s Stream) Log() string { return filepath.Join(s.Folder, "wal") }

// Data is the folder of a base backup.
func (s Stream) Data(b Base) string { return filepath.Join(s.Folder, "base", b.Name) }

// begin makes the folders of a stream, for PostgreSQL to write what is below the archive.
func (a Archive) begin(now time.Time, system string, uid, gid int) (Stream, error) {
	s := Stream{filepath.Join(a.Folder, now.UTC().Format(hostapi.Stamp)+"-"+system)}
	if !streamName.MatchString(s.Name()) {
		return s, fmt.Errorf("PostgreSQL says that its cluster is %q, which is no identifier of one", system)
	}
	for _, folder := range []string{s.Log(), filepath.Join(s.Folder, "base")} {
		if err := os.MkdirAll(folder, 0o700); err != nil {
			return s, err
		}
		if err := os.Chown(folder, uid, gid); err != nil {
			return s, err
		}
	}
	// What is below is PostgreSQL's, and the archive root's: its containers mount it, and do not pass through it.
	return s, os.Chmod(s.Folder, 0o700)
}

// read reads a file of the stream; one that is not there is of the zero value.
func read[T any](s Stream, name string) (value T, err error) {
	text, err := os.ReadFile(filepath.Join(s.Folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return value, nil
	}
	if err == nil {
		err = json.Unmarshal(text, &value)
	}
	if err != nil {
		err = fmt.Errorf("%s can't be read: %w", filepath.Join(s.Folder, name), err)
	}
	return value, err
}

func (s Stream) write(name string, value any) error {
	text, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return durable.Write(filepath.Join(s.Folder, name), append(text, '\n'), 0o600)
}

// Received is how far the log was received.
func (s Stream) Received() (Received, error) { return read[Received](s, received) }

// Shipped is how far the log is elsewhere.
func (s Stream) Shipped() (Shipped, error) { return read[Shipped](s, shipped) }

// Ship writes down how far it is.
func (s Stream) Ship(to Shipped) error { return s.write(shipped, to) }

// Bases returns the base backups that are whole, the oldest first.
func (s Stream) Bases() (all []Base, err error) {
	files, err := filepath.Glob(filepath.Join(s.Folder, "base", "*.json"))
	if err != nil {
		return nil, err
	}
	for _, file := range files { // sorted (filepath.Glob)
		name := strings.TrimSuffix(filepath.Base(file), ".json")
		b, err := read[Base](s, filepath.Join("base", name+".json"))
		if err != nil {
			return nil, err
		}
		if b.Name != name || !baseName.MatchString(name) || !fileName.MatchString(b.First) {
			return nil, fmt.Errorf("%s is not what a base backup has", file)
		}
		all = append(all, b)
	}
	return all, nil
}

// piece is a file of the log.
type piece struct {
	name     string // without .partial
	timeline uint64
	n        uint64 // how many come before it
	written  time.Time
}

// pieces returns the files of the log, in their order.
func (s Stream) pieces() (all []piece, err error) {
	entries, err := os.ReadDir(s.Log())
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var infos []fs.FileInfo
	var size int64
	for _, entry := range entries {
		info, err := entry.Info()
		if errors.Is(err, fs.ErrNotExist) { // it was just finished, or removed
			info, err = os.Stat(filepath.Join(s.Log(), strings.TrimSuffix(entry.Name(), ".partial")))
		}
		if errors.Is(err, fs.ErrNotExist) || err == nil && !fileName.MatchString(info.Name()) {
			continue
		}
		if err != nil {
			return nil, err
		}
		infos, size = append(infos, info), max(size, info.Size())
	}
	for _, info := range infos {
		// All have the size that the cluster was made with. One that has not is being made, or its disk was full then; or
		// it is damaged.
		if info.Size() != size || size == 0 || size > 1<<32 {
			continue
		}
		m := fileName.FindStringSubmatch(info.Name())
		number := func(hex string) uint64 { n, _ := strconv.ParseUint(hex, 16, 32); return n }
		p := piece{name: strings.TrimSuffix(info.Name(), ".partial"), timeline: number(m[1]), written: info.ModTime()}
		p.n = number(m[2])*(1<<32/uint64(size)) + number(m[3]) // so many make 4 GiB
		if len(all) == 0 || all[len(all)-1].name != p.name {
			all = append(all, p)
		}
	}
	return all, nil
}

// from returns the pieces from one on, up to the first that is missing, and whether that is all of them.
func from(all []piece, first string) (some []piece, whole bool) {
	at := slices.IndexFunc(all, func(p piece) bool { return p.name == first })
	if at < 0 {
		return nil, false
	}
	some = all[at : at+1]
	for _, p := range all[at+1:] {
		last := some[len(some)-1]
		if p.n != last.n+1 && !(p.timeline > last.timeline && p.n == last.n) {
			return some, false
		}
		some = all[at : at+len(some)+1]
	}
	return some, true
}

// Span is what the log goes on to from a base backup: any second from its end to Until.
type Span struct {
	Base  Base
	Until time.Time
	// Whole false: a file of the log is missing after Until.
	Whole bool
}

// Spans returns those of the stream's base backups, the oldest first.
func (s Stream) Spans() (all []Span, err error) {
	bases, err := s.Bases()
	if err != nil {
		return nil, err
	}
	pieces, err := s.pieces()
	if err != nil {
		return nil, err
	}
	r, err := s.Received()
	if err != nil {
		return nil, err
	}
	for _, b := range bases {
		some, whole := from(pieces, b.First)
		span := Span{Base: b, Until: r.Until, Whole: whole}
		if !whole && len(some) > 0 {
			// There is a commit in each Pause, so the piece has one after that.
			span.Until = some[len(some)-1].written.Add(-2 * Pause)
		}
		if len(some) > 0 && span.Until.After(b.Ended) {
			all = append(all, span)
		}
	}
	return all, nil
}

// Covering returns the span from the newest base backup that a second is covered by; of no second, the one that reaches
// the end.
func Covering(all []Span, at time.Time) (found Span, ok bool) {
	for _, s := range all {
		if at.IsZero() && s.Whole || !at.IsZero() && !at.Before(s.Base.Ended) && !at.After(s.Until) {
			found, ok = s, true
		}
	}
	return found, ok
}

// Reach is from when to when the spans reach without a gap up to their end; zero: there is none.
func Reach(all []Span) (from, until time.Time) {
	for _, s := range slices.Backward(all) {
		if !from.IsZero() && s.Until.Before(from) {
			break
		}
		if until.IsZero() {
			until = s.Until
		}
		from = s.Base.Ended
	}
	return from, until
}

// Standing is how far the log can be restored; nil: there is none.
func (a Archive) Standing() (*hostapi.Log, error) {
	all, err := a.Streams()
	if err != nil || a.Folder == "" || len(all) == 0 {
		return nil, err
	}
	s := all[len(all)-1]
	from, until, err := s.Reaches()
	done, e := s.Shipped()
	return &hostapi.Log{From: from, Until: until, Repository: done.Repository, Mirror: done.Mirror}, errors.Join(err, e)
}

// Reaches is from when to when any second can be recovered to: less than what was received, where a file of it is
// missing. Where there is no base backup yet, from is zero.
func (s Stream) Reaches() (from, until time.Time, err error) {
	spans, err := s.Spans()
	if err != nil {
		return from, until, err
	}
	if from, until = Reach(spans); !from.IsZero() {
		return from, until, nil
	}
	bases, err := s.Bases()
	got, e := s.Received()
	if until = got.Until; len(bases) > 0 { // the last one by itself
		from, until = bases[len(bases)-1].Ended, bases[len(bases)-1].Ended
	}
	return from, until, errors.Join(err, e)
}

// Size is how many bytes of log are from a base backup on.
func (s Stream) Size(b Base) (bytes int64) {
	entries, _ := os.ReadDir(s.Log())
	for _, entry := range entries {
		if info, err := entry.Info(); err == nil && strings.TrimSuffix(entry.Name(), ".partial") >= b.First {
			bytes += info.Size()
		}
	}
	return bytes
}

// night is when a base backup is due: when the dump is.
const night = 23

// Due reports whether a stream with these base backups and spans is to have another: each night, and where the log does
// not go on from the last one; but where that is so again and again, not for more than a tenth of the time.
func Due(bases []Base, spans []Span, now time.Time) bool {
	if len(bases) == 0 {
		return true
	}
	due := time.Date(now.Year(), now.Month(), now.Day(), night, 0, 0, 0, now.Location())
	if due.After(now) {
		due = due.AddDate(0, 0, -1)
	}
	last := bases[len(bases)-1]
	reaches, ok := Covering(spans, time.Time{})
	broken := !ok || reaches.Base.Name != last.Name
	return last.Began.Before(due) || broken && now.Sub(last.Began) > 10*last.Ended.Sub(last.Began)
}

// keeps is how many base backups stay here, each with the log from it on. Those before are in the repository.
const keeps = 2

// Tidy removes base backups before the last ones, and the log that only those needed, and what one that was cut short
// has left. What is in the repository stays there.
func (s Stream) Tidy() error {
	bases, err := s.Bases()
	if err != nil {
		return err
	}
	whole := map[string]bool{}
	for n, b := range bases {
		if n >= len(bases)-keeps {
			whole[b.Name] = true
		} else if err := durable.Remove(s.Data(b) + ".json"); err != nil { // first: the rest is no base backup any more
			return err
		}
	}
	entries, err := os.ReadDir(filepath.Join(s.Folder, "base"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, entry := range entries {
		if entry.IsDir() && !whole[entry.Name()] {
			if err := os.RemoveAll(filepath.Join(s.Folder, "base", entry.Name())); err != nil {
				return err
			}
		}
	}
	if len(bases) == 0 {
		return nil
	}
	first := bases[max(0, len(bases)-keeps)].First
	pieces, err := s.pieces()
	if err != nil {
		return err
	}
	at := slices.IndexFunc(pieces, func(p piece) bool { return p.name == first })
	for _, p := range pieces[:max(at, 0)] {
		if err := durable.Remove(filepath.Join(s.Log(), p.name)); err != nil {
			return err
		}
	}
	return nil
}

// Expire removes streams that have ended before a time, but never the newest.
func (a Archive) Expire(before time.Time) error {
	all, err := a.Streams()
	if err != nil {
		return err
	}
	for _, s := range all[:max(0, len(all)-1)] {
		r, err := s.Received()
		if err != nil {
			return err
		}
		done, err := s.Shipped()
		if err != nil {
			return err
		}
		if r.Until.Before(before) && !done.Repository.Before(r.Until) {
			if err := os.RemoveAll(s.Folder); err != nil {
				return err
			}
		}
	}
	return nil
}
