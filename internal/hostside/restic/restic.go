// Package restic is the restic of this host, for one repository: its command lines, what its JSON says, what
// its exit statuses mean (restic-backup(1)), and the files that a repository in a folder consists of.
//
// It works with restic 0.11 to 0.18. It must not know what is backed up, nor when.
package restic

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/bound"
)

// Repository is one, and how it is opened. Its password is in a file, its account in
// the environment: neither is ever an argument.
type Repository struct {
	Location     string // a folder, or any of restic's backends
	PasswordFile string
	Folder       string // that relative paths to back up are of
	Env          []string
	Runner       bound.Runner
}

// Here reports whether the repository is a folder of this host.
func (r Repository) Here() bool { return strings.HasPrefix(r.Location, "/") }

var account = regexp.MustCompile(`://([^:/@\s]*):[^@/\s]*@`)

// Shown is the location without the password that an address may hold.
func (r Repository) Shown() string { return account.ReplaceAllString(r.Location, "://$1:…@") }

// told is what restic said, without passwords.
func (r Repository) told(text string) string {
	return account.ReplaceAllString(strings.ReplaceAll(text, r.Location, r.Shown()), "://$1:…@")
}

// Bounds. What asks is answered at once, or after a restic that has the repository locked; what moves data moves it.
var (
	asks  = bound.Time(10 * time.Minute)
	moves = bound.Limit{Idle: 15 * time.Minute, Least: 256 << 10}
)

// Failed is a restic that failed.
type Failed struct {
	Command string // "backup"
	Status  int    // its exit status; -1: it was not run to its end
	Said    string // its first complaint, without passwords
	Err     error
}

// Error is what it said, or how it ended.
func (f *Failed) Error() string {
	if f.Status < 0 {
		return f.Err.Error()
	}
	if f.Said == "" {
		return fmt.Sprintf("restic %s failed (exit status %d)", f.Command, f.Status)
	}
	return fmt.Sprintf("restic %s failed (exit status %d): %s", f.Command, f.Status, f.Said)
}

func (f *Failed) Unwrap() error { return f.Err }

func (r Repository) command(limit bound.Limit, argv ...string) bound.Command {
	return bound.Command{
		Name: "restic " + argv[0], Argv: append([]string{"restic"}, argv...), Dir: r.Folder, Limit: limit,
		Env: append([]string{"RESTIC_REPOSITORY=" + r.Location, "RESTIC_PASSWORD_FILE=" + r.PasswordFile,
			"RESTIC_PROGRESS_FPS=0.5", "RESTIC_CACHE_DIR=/var/cache/mrs-ops"}, r.Env...),
	}
}

func (r Repository) run(ctx context.Context, limit bound.Limit, argv ...string) ([]byte, error) {
	var out bytes.Buffer
	err := r.into(ctx, limit, &out, argv...)
	return out.Bytes(), err
}

func (r Repository) into(ctx context.Context, limit bound.Limit, out io.Writer, argv ...string) error {
	var said bound.Tail
	c := r.command(limit, argv...)
	c.Stdout, c.Stderr = out, &said
	if err := r.Runner.Run(ctx, c); err != nil {
		return r.failed(argv[0], err, complaint(said.String()))
	}
	return nil
}

func (r Repository) failed(command string, err error, said string) error {
	return &Failed{Command: command, Status: bound.Status(err), Said: r.told(said), Err: err}
}

// complaint is why it has failed, else the first line that says something; cut: a line may be long.
func complaint(text string) (first string) {
	for line := range strings.Lines(text) {
		line = strings.TrimSpace(line)
		if message := exitError(line); message != "" {
			return message
		}
		if strings.HasPrefix(line, "Fatal: ") {
			return cut(line)
		}
		first = cmp.Or(first, cut(line))
	}
	return first
}

func cut(line string) string {
	if runes := []rune(line); len(runes) > 200 {
		return string(runes[:200]) + "…"
	}
	return line
}

// exitError is the message of a line {"message_type":"exit_error"…}, which restic has since 0.17.
func exitError(line string) string {
	var m struct {
		Type    string `json:"message_type"`
		Message string `json:"message"`
	}
	if json.Unmarshal([]byte(line), &m) != nil || m.Type != "exit_error" {
		return ""
	}
	return cut(m.Message)
}

// ID returns the id of the repository, which tells it from others: also of one that a
// run that was killed has left locked, or that another works at.
func (r Repository) ID(ctx context.Context) (string, error) {
	out, err := r.run(ctx, asks, "cat", "config", "--no-lock")
	if err != nil {
		return "", err
	}
	var config struct{ ID string }
	if err := json.Unmarshal(out, &config); err != nil || config.ID == "" {
		return "", fmt.Errorf("restic cat config prints no id: %w", err)
	}
	return config.ID, nil
}

// Init makes a repository.
func (r Repository) Init(ctx context.Context) error { return r.into(ctx, asks, nil, "init", "--quiet") }

// Unlock removes locks of runs that were killed; living ones stay.
func (r Repository) Unlock(ctx context.Context) error {
	return r.into(ctx, asks, nil, "unlock", "--quiet")
}

// Snapshot is one of the repository.
type Snapshot struct {
	ID    string    `json:"id"`
	Time  time.Time `json:"time"`
	Host  string    `json:"hostname"`
	Tags  []string  `json:"tags"`
	Paths []string  `json:"paths"`
}

// Snapshots returns all of them, the oldest first.
func (r Repository) Snapshots(ctx context.Context) ([]Snapshot, error) {
	out, err := r.run(ctx, moves, "snapshots", "--json", "--no-lock")
	if err != nil {
		return nil, err
	}
	return parseSnapshots(out)
}

func parseSnapshots(out []byte) (all []Snapshot, err error) {
	if err := json.Unmarshal(out, &all); err != nil {
		return nil, fmt.Errorf("restic snapshots: %w", err)
	}
	for _, s := range all {
		if !id.MatchString(s.ID) {
			return nil, fmt.Errorf("restic snapshots: %q is no id", s.ID)
		}
	}
	slices.SortStableFunc(all, func(a, b Snapshot) int { return a.Time.Compare(b.Time) })
	return all, nil
}

var id = regexp.MustCompile(`^[0-9a-f]{64}$`)

// IDs returns the ids of all snapshots, also of those that can't be read.
func (r Repository) IDs(ctx context.Context) ([]string, error) {
	out, err := r.run(ctx, moves, "list", "snapshots", "--no-lock")
	return strings.Fields(string(out)), err
}

// Status is how far a backup is.
type Status struct {
	Percent          float64 `json:"percent_done"` // 0 to 1
	Files            int64   `json:"files_done"`
	TotalFiles       int64   `json:"total_files"`
	Bytes            int64   `json:"bytes_done"`
	TotalBytes       int64   `json:"total_bytes"`
	SecondsRemaining int64   `json:"seconds_remaining"`
}

// Made is a snapshot that was made.
type Made struct {
	ID    string `json:"snapshot_id"`           // all of it, or its first 8 digits before restic 0.15
	Bytes int64  `json:"total_bytes_processed"` // of all that is in it
	Files int64  `json:"total_files_processed"`
	Added int64  `json:"data_added"` // bytes that are new, before they are compressed
}

// Unreadable is how many files a backup could not read, by the reason. Their names are a person's, and are not kept.
type Unreadable map[string]int

// Error says how many, and why.
func (u Unreadable) Error() string {
	n := 0
	var reasons []string
	for reason, count := range u {
		n += count
		reasons = append(reasons, reason)
	}
	if n == 0 {
		return "some files could not be read"
	}
	slices.Sort(reasons)
	return fmt.Sprintf("%d files could not be read (%s)", n, strings.Join(reasons, ", "))
}

// Backup is what to make a snapshot of.
type Backup struct {
	Host  string
	Tags  []string
	Paths []string
}

func (b Backup) argv() []string {
	argv := []string{"backup", "--json", "--host", b.Host}
	for _, tag := range b.Tags {
		argv = append(argv, "--tag", tag)
	}
	return append(append(argv, "--"), b.Paths...)
}

// incomplete is the exit status of a backup that could not read all, and has made a
// snapshot of the rest (restic-backup(1)).
const incomplete = 3

// Backup makes a snapshot, and calls progress now and then. Where files could not be
// read, it has made a snapshot of the rest, and the error is [Unreadable].
func (r Repository) Backup(ctx context.Context, b Backup, progress func(Status)) (Made, error) {
	var s said
	var done atomic.Int64
	lines := &bound.Lines{Each: func(line string) {
		if status, ok := s.read(line); ok {
			done.Store(status.Bytes + status.Files)
			progress(status)
		}
	}}
	complaints := &bound.Lines{Each: s.complain}
	limit := moves
	limit.Also = func() int64 { return done.Load() * limit.Least } // an unchanged file is not read
	c := r.command(limit, b.argv()...)
	c.Stdout, c.Stderr = lines, complaints
	err := r.Runner.Run(ctx, c)
	lines.Close()
	complaints.Close()
	switch {
	case bound.Status(err) == incomplete:
		return s.made, s.unreadable
	case err != nil:
		return Made{}, r.failed("backup", err, s.last)
	case s.made.ID == "":
		return Made{}, errors.New("restic backup does not say which snapshot it has made")
	}
	return s.made, nil
}

type said struct {
	made       Made
	unreadable Unreadable
	last       string // that is no message about a file
}

func (s *said) read(line string) (status Status, ok bool) {
	var m struct {
		Type string `json:"message_type"`
		Status
		Made
	}
	if json.Unmarshal([]byte(line), &m) != nil {
		return Status{}, false
	}
	switch m.Type {
	case "status":
		return m.Status, true
	case "summary":
		s.made = m.Made
	}
	return Status{}, false
}

// complain reads a line of standard error. What it says of a file has its name, which may be a person's.
func (s *said) complain(line string) {
	if s.unreadable == nil {
		s.unreadable = Unreadable{}
	}
	if message := exitError(line); message != "" {
		s.last = message
		return
	}
	var m struct {
		Type  string `json:"message_type"`
		Error json.RawMessage
	}
	switch {
	case json.Unmarshal([]byte(line), &m) == nil && m.Type == "error":
		s.unreadable[reason(m.Error)]++
	case m.Type == "" && strings.TrimSpace(line) != "":
		s.last = cut(line)
	}
}

// reasons are what the system may say of a file, which say nothing of whose it is.
var reasons = map[int]string{
	1: "operation not permitted", 2: "no such file or directory", 5: "input/output error", 13: "permission denied",
	116: "stale file handle", 117: "structure needs cleaning",
}

// reason of restic's error about a file: {"Op":"lstat","Path":"…","Err":2} before restic
// 0.16, {"message":"lstat …: no such file or directory"} since then.
func reason(raw json.RawMessage) string {
	var e struct {
		Err     int
		Message string
	}
	_ = json.Unmarshal(raw, &e)
	if r, ok := reasons[e.Err]; ok {
		return r
	}
	for _, r := range reasons {
		if strings.HasSuffix(e.Message, r) {
			return r
		}
	}
	return "for another reason"
}

// Restore is what of a snapshot to restore, and to where.
type Restore struct {
	Target           string   // a folder
	Include, Exclude []string // patterns, as restic-restore(1) has them; no Include: all
}

func (o Restore) argv(snapshot string) []string {
	argv := []string{"restore", snapshot, "--quiet", "--target", o.Target}
	for _, pattern := range o.Include {
		argv = append(argv, "--include="+pattern)
	}
	for _, pattern := range o.Exclude {
		argv = append(argv, "--exclude="+pattern)
	}
	return argv
}

// Restore restores a snapshot. What restic says of it are names of people's files, and is not in the error.
func (r Repository) Restore(ctx context.Context, snapshot string, o Restore) error {
	if !id.MatchString(snapshot) {
		return fmt.Errorf("%q is no id of a snapshot", snapshot)
	}
	c := r.command(moves, o.argv(snapshot)...)
	if err := r.Runner.Run(ctx, c); err != nil {
		return r.failed("restore", err, "")
	}
	return nil
}

// Files calls a function with each file of a snapshot, and how many bytes it has.
func (r Repository) Files(ctx context.Context, snapshot string, each func(path string, size int64)) error {
	return r.into(ctx, moves, &bound.Lines{Each: func(line string) {
		var node struct {
			Type, Path string
			Size       int64
		}
		if json.Unmarshal([]byte(line), &node) == nil && node.Type == "file" {
			each(node.Path, node.Size)
		}
	}}, "ls", "--json", snapshot)
}

// End returns the end of a file of a snapshot, all of which is read.
func (r Repository) End(ctx context.Context, snapshot, path string) (string, error) {
	var end bound.Tail
	err := r.into(ctx, moves, &end, "dump", snapshot, path)
	return end.String(), err
}

// Stored returns how many bytes a snapshot takes in the repository.
func (r Repository) Stored(ctx context.Context, snapshot string) (int64, error) {
	out, err := r.run(ctx, moves, "stats", "--json", "--mode", "raw-data", snapshot)
	if err != nil {
		return 0, err
	}
	var total struct {
		Size int64 `json:"total_size"`
	}
	if err := json.Unmarshal(out, &total); err != nil {
		return 0, fmt.Errorf("restic stats: %w", err)
	}
	return total.Size, nil
}

// Copies reports whether this restic copies snapshots to another repository: since 0.14.
func (r Repository) Copies(ctx context.Context) bool {
	out, err := r.run(ctx, asks, "copy", "--help")
	return err == nil && strings.Contains(string(out), "--from-repo")
}

// In is a repository in a folder that opens with the same password, and copies from this one. Its
// cache is in a folder of its own, so that it can be removed with it. The address and the account
// of this one, which may hold passwords, are no arguments.
func (r Repository) In(folder, cache string) Repository {
	own := r
	own.Location = folder
	own.Env = append(slices.Clone(r.Env), "RESTIC_CACHE_DIR="+cache,
		"RESTIC_FROM_REPOSITORY="+r.Location, "RESTIC_FROM_PASSWORD_FILE="+r.PasswordFile)
	return own
}

// InitCopy makes a repository that [Repository.In] has returned, so that chunks are as they are in the other one.
func (r Repository) InitCopy(ctx context.Context) error {
	return r.into(ctx, asks, nil, "init", "--quiet", "--copy-chunker-params")
}

// Copy copies a snapshot into a repository that [Repository.In] has returned.
func (r Repository) Copy(ctx context.Context, snapshot string) error {
	return r.into(ctx, moves, nil, "copy", "--quiet", snapshot)
}

// Check looks whether the repository is whole. subset, if not empty, is which part of
// the data is read too, as restic has it: 3/28.
func (r Repository) Check(ctx context.Context, subset string) error {
	argv := []string{"check", "--quiet"}
	if subset != "" {
		argv = append(argv, "--read-data-subset", subset)
	}
	return r.into(ctx, moves, nil, argv...)
}

// Forget removes snapshots by their ids.
func (r Repository) Forget(ctx context.Context, ids ...string) error {
	for _, one := range ids {
		if !id.MatchString(one) {
			return fmt.Errorf("%q is no id of a snapshot", one)
		}
	}
	return r.into(ctx, moves, nil, append([]string{"forget", "--quiet"}, ids...)...)
}

// Policy is which snapshots are kept.
type Policy struct {
	Path                                 string // of those that it is about
	Last, Daily, Weekly, Monthly, Yearly int
}

func (p Policy) argv(more ...string) []string {
	argv := append([]string{"forget"}, more...)
	argv = append(argv, "--path", p.Path, "--group-by", "")
	for _, keep := range []struct {
		name string
		n    int
	}{{"last", p.Last}, {"daily", p.Daily}, {"weekly", p.Weekly}, {"monthly", p.Monthly}, {"yearly", p.Yearly}} {
		argv = append(argv, "--keep-"+keep.name, strconv.Itoa(keep.n))
	}
	return argv
}

// Removes returns the ids of the snapshots that a policy does not keep. It changes nothing.
func (r Repository) Removes(ctx context.Context, p Policy) ([]string, error) {
	out, err := r.run(ctx, moves, p.argv("--dry-run", "--json")...)
	if err != nil {
		return nil, err
	}
	return parseRemoves(out)
}

func parseRemoves(out []byte) (ids []string, err error) {
	out = bytes.TrimSpace(out)
	if len(out) == 0 { // there is no snapshot
		return nil, nil
	}
	var groups []struct{ Remove []Snapshot }
	if err := json.Unmarshal(out, &groups); err != nil {
		return nil, fmt.Errorf("restic forget: %w", err)
	}
	for _, g := range groups {
		for _, s := range g.Remove {
			if !id.MatchString(s.ID) {
				return nil, fmt.Errorf("restic forget: %q is no id", s.ID)
			}
			ids = append(ids, s.ID)
		}
	}
	return ids, nil
}

// Prune removes the snapshots that a policy does not keep, and the data that none of
// the others needs. What it says of its success is not to be believed: a server that only takes
// (rest-server --append-only) has restic of before 0.17 end with 0.
func (r Repository) Prune(ctx context.Context, p Policy) error {
	return r.into(ctx, moves, nil, p.argv("--quiet", "--cleanup-cache", "--prune")...)
}
