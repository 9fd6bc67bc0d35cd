// Package backup makes, lists, prunes and restores the backups of instances
// where they run, by the scripts that the deployment has put there
// (ansible/roles/backup): what a target does by day is what the timers do at
// night.
//
// It knows these scripts' names, what they take and what they list. It must not
// know how they work.
//
// The working directory is the project's root.
package backup

import (
	"bufio"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path"
	"regexp"
	"strings"
	"time"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/local"
	"github.com/betagouv/mrs-ops/internal/server"
)

// production is restored only by who types its name.
const production = "production"

// Snapshot is a backup.
type Snapshot struct {
	ID     string    `json:"id"` // the first 8 digits
	Time   time.Time `json:"time"`
	Cause  string    `json:"cause,omitempty"`  // timer, deploy or hand
	Commit string    `json:"commit,omitempty"` // of the application that ran
}

// open connects to the server of a persistent instance that has backups. The
// connection outlives ctx, so that what was interrupted can still be undone.
func open(ctx context.Context, name string) (*server.Server, error) {
	inst, _, err := instance.Lookup(name)
	if err := instance.Findable(err); err != nil {
		return nil, err
	}
	if !inst.Persistent() {
		return nil, fmt.Errorf("%s is a branch, which has no backups", inst.Name)
	}
	s, err := server.Open(context.WithoutCancel(ctx), inst)
	if err != nil {
		return nil, err
	}
	if _, err := s.Output("test", "-x", path.Join(s.Folder, "backup.sh")); err != nil {
		s.Close()
		if local.ExitCode(err) == 1 {
			err = fmt.Errorf("%s has no backups: there is no %s/backup.sh on %s\nhint: put RESTIC_PASSWORD=… in its secrets, then deploy it", inst.Name, s.Folder, s)
		}
		return nil, err
	}
	return s, nil
}

//go:embed run.sh
var runScript string

// run runs one of the instance's scripts, and shows what it says as it says it.
// When ctx ends, the script is told to, and its own end is waited for.
func run(ctx context.Context, s *server.Server, what, name string, args ...string) error {
	ctx, stop := console.Interruptible(ctx)
	defer stop()
	start := time.Now()
	err := s.Audited(server.Operator(), what, func() error {
		r, w := io.Pipe()
		defer w.Close()
		stop := context.AfterFunc(ctx, func() { w.Close() })
		defer stop()
		out := s.ScriptFrom(script.NewPipe().WithReader(r), runScript, append([]string{path.Join(s.Folder, name)}, args...)...)
		err := show(s.Name, out)
		if ctx.Err() != nil {
			return context.Canceled
		}
		return err
	})
	switch status := local.ExitCode(err); {
	case ctx.Err() != nil:
		return fmt.Errorf("%s: %s was interrupted\nhint: mage ops:audit %s tells what came of it", s.Name, what, s.Name)
	case status == 75:
		return fmt.Errorf("%s: %s is done, but not to its end: %s", s.Name, what, lastWords(err))
	case err != nil:
		return fmt.Errorf("%s: %s failed: %s", s.Name, what, lastWords(err))
	}
	console.Done("%s: %s is done (%s)", s.Name, what, time.Since(start).Round(100*time.Millisecond))
	return nil
}

// show shows the lines of out, and a sign of life where there are none for long.
func show(name string, out *script.Pipe) error {
	quiet := console.Pulse(10*time.Second, console.Say, name)
	defer func() { quiet() }()
	lines := bufio.NewScanner(out)
	for lines.Scan() {
		quiet()
		console.Say("%s: %s", name, lines.Text())
		quiet = console.Pulse(10*time.Second, console.Say, name+": "+lines.Text())
	}
	return errors.Join(lines.Err(), out.Error())
}

// lastWords returns what a command said of its failure, without its command line.
func lastWords(err error) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	if len(lines) > 2 {
		lines = lines[1 : len(lines)-1]
	}
	return strings.Join(lines[max(0, len(lines)-4):], "\n")
}

// Run makes a backup of an instance now.
func Run(ctx context.Context, name string) error {
	s, err := open(ctx, name)
	if err != nil {
		return err
	}
	defer s.Close()
	return run(ctx, s, "backup", "backup.sh", "hand")
}

// Prune applies the retention policy to the backups of an instance.
func Prune(ctx context.Context, name string) error {
	s, err := open(ctx, name)
	if err != nil {
		return err
	}
	defer s.Close()
	return run(ctx, s, "prune", "prune.sh")
}

// Snapshots prints the backups of an instance, the newest first.
func Snapshots(ctx context.Context, name string, asJSON bool) error {
	s, err := open(ctx, name)
	if err != nil {
		return err
	}
	defer s.Close()
	out, err := s.Output(path.Join(s.Folder, "restore.sh"), "list")
	if err != nil {
		return fmt.Errorf("%s: its backups can't be listed: %s", name, lastWords(err))
	}
	snapshots, err := parse(out)
	if err != nil {
		return err
	}
	if asJSON {
		return console.JSON(snapshots)
	}
	rows := [][]string{{"SNAPSHOT", "TIME", "AGE", "CAUSE", "COMMIT"}}
	for _, n := range snapshots {
		rows = append(rows, []string{n.ID, n.Time.Local().Format("2006-01-02 15:04:05"), time.Since(n.Time).Round(time.Minute).String(), n.Cause, n.Commit[:min(8, len(n.Commit))]})
	}
	if len(snapshots) > 0 {
		if err := console.Table(rows...); err != nil {
			return err
		}
	}
	console.Done("%s: %d snapshots; mage ops:restore %s SNAPSHOT restores one", s.Name, len(snapshots), s.Name)
	return nil
}

// parse reads what `restic snapshots --json` prints, the oldest first.
func parse(out string) ([]Snapshot, error) {
	var list []struct {
		ID   string `json:"short_id"`
		Time time.Time
		Tags []string
	}
	if err := json.Unmarshal([]byte(out), &list); err != nil {
		return nil, fmt.Errorf("restic's list can't be read: %w", err)
	}
	snapshots := []Snapshot{}
	for i := len(list) - 1; i >= 0; i-- {
		n := Snapshot{ID: list[i].ID, Time: list[i].Time}
		for _, tag := range list[i].Tags {
			commit, found := strings.CutPrefix(tag, "commit-")
			switch {
			case found && commit != "unknown":
				n.Commit = commit
			case tag == "timer" || tag == "deploy" || tag == "hand":
				n.Cause = tag
			}
		}
		snapshots = append(snapshots, n)
	}
	return snapshots, nil
}

// snapshotID is what restore.sh takes.
var snapshotID = regexp.MustCompile(`^(latest|[0-9a-f]{8,64})$`)

// Restore restores a snapshot of an instance: an id of [Snapshots], or "latest".
// It holds the instance's lock. What is there runs on until all of the snapshot
// is there too, and is kept under a dated name. Before production its name must
// be typed; before others yes asks no question.
func Restore(ctx context.Context, name, snapshot string, yes bool) error {
	if !snapshotID.MatchString(snapshot) {
		return fmt.Errorf("%q is not a snapshot\nhint: mage ops:snapshots %s lists them; or say latest", snapshot, name)
	}
	s, err := open(ctx, name)
	if err != nil {
		return err
	}
	defer s.Close()
	question := fmt.Sprintf("%s on %s: replace its data by those of snapshot %s?", s.Name, s, snapshot)
	switch {
	case s.Name == production:
		err = console.Typed(question, production)
	case !yes:
		err = console.Sure(question)
	}
	if err != nil {
		return err
	}
	lock, err := s.Lock(context.WithoutCancel(ctx), server.Operator(), "restore "+snapshot, func(string) {})
	if err != nil {
		return err
	}
	defer lock.Release()
	return run(ctx, s, "restore "+snapshot, "restore.sh", snapshot)
}
