package deploy

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/local"
	"github.com/betagouv/mrs-ops/internal/server"
)

// branchesScript looks after ephemeral instances on their server, where its
// timer has it too.
var branchesScript = filepath.Join("internal", "hostside", "provision", "files", "branches.sh")

// runBranches runs the script with args.
func runBranches(s *server.Server, args ...string) (string, error) {
	script, err := os.ReadFile(branchesScript)
	if err != nil {
		return "", err
	}
	out, err := s.Script(string(script), args...).String()
	if local.ExitCode(err) > 0 {
		err = errors.New(said(err))
	}
	return strings.TrimSpace(out), err
}

// said returns what a command said of its failure.
func said(err error) string {
	lines := strings.Split(strings.TrimSpace(err.Error()), "\n")
	if len(lines) > 1 { // the command line is the first, how it ended the last
		return lines[len(lines)-2]
	}
	return lines[0]
}

// Ephemeral is the deployment of a branch.
type Ephemeral struct {
	Project string    `json:"project"`
	Host    string    `json:"host,omitempty"`
	Until   time.Time `json:"until,omitzero"` // when it is removed; zero: never
	Commit  string    `json:"commit,omitempty"`
	Image   string    `json:"image,omitempty"`
	State   string    `json:"state"` // of django: healthy, unhealthy, exited …; gone where it has no container
}

// parseBranches reads what `branches.sh list` prints.
func parseBranches(out string) ([]Ephemeral, error) {
	branches := []Ephemeral{}
	for line := range strings.Lines(out) {
		words := strings.Fields(strings.ReplaceAll(line, " - ", "  - "))
		if len(words) != 6 {
			return nil, fmt.Errorf("the server says of its branches what is not understood: %q", line)
		}
		for i, word := range words {
			if word == "-" {
				words[i] = ""
			}
		}
		b := Ephemeral{Project: words[0], Host: words[2], Commit: words[3], Image: words[4], State: words[5]}
		if at, err := strconv.ParseInt(words[1], 10, 64); err == nil && at > 0 {
			b.Until = time.Unix(at, 0).UTC()
		}
		branches = append(branches, b)
	}
	return branches, nil
}

// left says how long a deployment lives on.
func (b Ephemeral) left(now time.Time) string {
	switch {
	case b.Until.IsZero():
		return "for ever"
	case b.Until.Before(now):
		return "its time has passed"
	}
	left := b.Until.Sub(now).Round(time.Minute)
	if left >= 48*time.Hour {
		left = left.Round(24 * time.Hour) // a week from a moment ago is a week
	}
	return console.Span(left)
}

// Branches prints the deployments of branches, and what is left of their lives.
func Branches(ctx context.Context, asJSON bool) error {
	s, _, err := openBranches(ctx)
	if err != nil {
		return err
	}
	defer s.Close()
	out, err := runBranches(s, "list")
	if err != nil {
		return err
	}
	branches, err := parseBranches(out)
	if err != nil {
		return err
	}
	if asJSON {
		return console.JSON(branches)
	}
	now := time.Now()
	rows := [][]string{{"PROJECT", "LEFT", "STATE", "COMMIT", "IMAGE", "HOST"}}
	for _, b := range branches {
		rows = append(rows, []string{b.Project, b.left(now), b.State, short(b.Commit), b.Image, b.Host})
	}
	if len(branches) > 0 {
		if err := console.Table(rows...); err != nil {
			return err
		}
	}
	console.Done("%d branches on %s", len(branches), s)
	return nil
}

// openBranches connects to the server that branches are deployed to.
func openBranches(ctx context.Context) (*server.Server, *instance.Instance, error) {
	inst, err := instance.Load(".", instance.Branches, os.Environ())
	if err := instance.Findable(err); err != nil {
		return nil, nil, err
	}
	s, err := server.Open(ctx, inst)
	return s, inst, err
}

// openBranch connects to the server of a branch, given by its name or project.
func openBranch(ctx context.Context, branch string) (*server.Server, error) {
	inst, _, err := instance.Lookup(branch)
	if err := instance.Findable(err); err != nil {
		return nil, err
	}
	if inst.Persistent() {
		return nil, fmt.Errorf("%s is no branch: it is persistent", branch)
	}
	return server.Open(ctx, inst)
}

// Extend lets the deployment of a branch live longer by a duration.
func Extend(ctx context.Context, branch string, by time.Duration) error {
	if by < time.Minute || by > 366*24*time.Hour {
		return fmt.Errorf("%s is no time to live longer by\nhint: from 1m to a year: 72h is three days", by)
	}
	s, err := openBranch(ctx, branch)
	if err != nil {
		return err
	}
	defer s.Close()
	var until string
	err = s.Audited(server.Operator(), "extend by "+by.String(), func() (err error) {
		until, err = runBranches(s, "extend", s.Project, strconv.Itoa(int(by.Seconds())))
		return err
	})
	if err != nil {
		return err
	}
	at, err := strconv.ParseInt(until, 10, 64)
	if err != nil {
		return err
	}
	console.Done("%s: lives until %s", s.Project, time.Unix(at, 0).Format("2006-01-02 15:04"))
	return nil
}

// Destroy removes the deployment of a branch with all that is in it, after a
// question unless yes.
func Destroy(ctx context.Context, branch string, yes bool) error {
	s, err := openBranch(ctx, branch)
	if err != nil {
		return err
	}
	defer s.Close()
	if !yes && os.Getenv("CI") == "" {
		if err := console.Sure(fmt.Sprintf("Remove %s from %s, with its database?", s.Project, s)); err != nil {
			return err
		}
	}
	if _, err := runBranches(s, "remove", s.Project, server.Operator()); err != nil {
		return err
	}
	console.Done("%s: removed from %s", s.Project, s)
	return nil
}
