package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/local"
	"github.com/betagouv/mrs-ops/internal/target"
)

// askBranches has mrs-host do something with the ephemeral instances of a server, and
// reads what it answers into answer, which may be nil.
func askBranches(s *target.Target, answer any, words ...string) error {
	out, err := s.Ask(append([]string{"branches"}, words...)...).String()
	switch {
	case local.ExitCode(err) > 0:
		return errors.New(said(err))
	case err != nil || answer == nil:
		return err
	}
	return understood(out, answer)
}

func understood(out string, answer any) error {
	if err := json.Unmarshal([]byte(out), answer); err != nil {
		return fmt.Errorf("the server says of its branches what is not understood: %q: %w", out, err)
	}
	return nil
}

// said returns what a command said of its failure, its hint on a line of its own.
func said(err error) string {
	two := local.LastLines(local.Said(err), 2)
	if reason, last, more := strings.Cut(two, "\n"); more && !strings.HasPrefix(last, "hint: ") {
		return last
	} else if more {
		return reason + "\n" + last
	}
	return two
}

// left says how long a deployment lives on.
func left(b hostapi.Branch, now time.Time) string {
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
	inst, err := instance.Load(".", instance.Branches, os.Environ())
	if err := instance.Findable(err); err != nil {
		return err
	}
	s, err := target.Open(ctx, inst)
	if err != nil {
		return err
	}
	defer s.Close()
	branches := []hostapi.Branch{}
	if err := askBranches(s, &branches, "list"); err != nil {
		return err
	}
	if asJSON {
		return console.JSON(branches)
	}
	now := time.Now()
	rows := [][]string{{"PROJECT", "LEFT", "STATE", "COMMIT", "IMAGE", "HOST"}}
	for _, b := range branches {
		rows = append(rows, []string{b.Project, left(b, now), b.State, short(b.Commit), b.Image, b.Host})
	}
	if len(branches) > 0 {
		if err := console.Table(rows...); err != nil {
			return err
		}
	}
	console.Summary("%d branches on %s", len(branches), s)
	return nil
}

// openBranch connects to the server of a branch, given by its name or project.
func openBranch(ctx context.Context, branch string) (*target.Target, error) {
	inst, err := instance.Locate(branch)
	if err != nil {
		return nil, err
	}
	if inst.Persistent() {
		return nil, fmt.Errorf("%s is no branch: it is persistent", branch)
	}
	return target.Open(ctx, inst)
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
	var b hostapi.Branch
	err = s.Audited(target.Operator(), "extend by "+by.String(), func() error {
		return askBranches(s, &b, "extend", "-project="+s.Project, "-by="+by.String())
	})
	if err != nil {
		return err
	}
	console.Done("%s: lives until %s", s.Project, b.Until.Local().Format("2006-01-02 15:04"))
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
	if err := askBranches(s, nil, "remove", "-project="+s.Project, "-who="+target.Operator()); err != nil {
		return err
	}
	console.Done("%s: removed from %s", s.Project, s)
	return nil
}
