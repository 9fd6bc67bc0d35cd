package ops

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/betagouv/mrs-ops/internal/answer"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/target"
)

const (
	dialTime = 5 * time.Second // connecting to a server may take
	askTime  = 9 * time.Second // it may take to hear all that a server says, connecting included
	// atOnce is how many instances of a server are asked at a time: sshd has at
	// most 10 sessions in a connection.
	atOnce = 8
)

// Status returns how all instances that have an env file stand, in that order,
// and the branches that are deployed; or, where name is not empty, how that one
// does. They are asked at the same moment, over one connection to each server.
//
// What can't be found out is in the rows: the error is about name, or MRS_ENV.
func Status(ctx context.Context, name string) ([]Row, error) {
	if name != "" {
		t, err := prepare(name)
		if err != nil {
			return nil, err
		}
		return askAll(ctx, []asked{t}), nil
	}
	names, err := instance.NamesIn(".", os.Getenv("MRS_ENV"))
	if err != nil {
		return nil, err
	}
	var targets []asked
	var broken []Row
	for _, name := range names {
		t, err := prepare(name)
		if err != nil {
			broken = append(broken, Row{Instance: name, Server: "-", State: NotWell,
				Problems: []string{"its env file can't be read"}, Error: err.Error()})
			continue
		}
		targets = append(targets, t)
	}
	return append(askAll(ctx, targets), broken...), nil
}

// asked is an instance to ask, and the row that is known of it before.
type asked struct {
	inst *instance.Instance
	row  *Row
}

// prepare returns the instance that name means with the beginning of its row.
// That it lacks something, even its server, is for the row to say.
func prepare(name string) (asked, error) {
	inst, _, err := instance.Lookup(name)
	if inst == nil {
		return asked{}, err
	}
	row := &Row{Instance: inst.Name, Server: inst.Get("server"), persistent: inst.Persistent(), site: siteOf(inst)}
	if inst.Get("HOST") != "" {
		row.URL = inst.URL()
	}
	if invalid, ok := errors.AsType[*instance.Invalid](err); ok {
		for _, p := range invalid.Problems {
			row.EnvProblems = append(row.EnvProblems, p.Name)
		}
	}
	return asked{inst, row}, nil
}

// siteOf returns what of an instance is to answer, and how, while it is open.
func siteOf(inst *instance.Instance) answer.Site {
	return answer.Site{URL: inst.URL(), Names: []string{inst.Alias()}, Path: inst.Get("healthcheck_path"),
		BasicAuth: inst.Get("BASICAUTH_DISABLE") == ""}
}

// askAll asks all instances at the same moment, over one connection to each server, and
// in place of the instance [instance.Branches] the branches there, which come last.
func askAll(ctx context.Context, targets []asked) (rows []Row) {
	type place struct{ server, config string }
	groups := map[place]*group{}
	answers := make([][]Row, len(targets))
	var all sync.WaitGroup
	for i, t := range targets {
		p := place{t.inst.Get("server"), t.inst.Get("ssh_config")}
		g := groups[p]
		if g == nil {
			// While one connects, the sites are asked.
			connect := sync.OnceValues(func() (*target.Target, error) { return reach(ctx, t.inst) })
			g = &group{connect, make(chan struct{}, atOnce)}
			groups[p] = g
		}
		all.Go(func() {
			if t.inst.Name == instance.Branches {
				answers[i] = g.askBranches(ctx, t)
			} else {
				answers[i] = []Row{g.ask(ctx, t)}
			}
		})
	}
	all.Wait()
	for _, g := range groups {
		if s, err := g.connect(); err == nil {
			s.Close()
		}
	}
	var others []Row
	for _, r := range slices.Concat(answers...) {
		if slices.ContainsFunc(targets, func(t asked) bool { return t.row.Instance == r.Instance }) {
			rows = append(rows, r)
		} else {
			others = append(others, r)
		}
	}
	return append(rows, others...)
}

// group is the instances on one server.
type group struct {
	connect func() (*target.Target, error) // once
	slots   chan struct{}
}

// askBranches asks all branches on the server, which is that of t. If it is
// dead, t is the row for those that there may be.
func (g *group) askBranches(ctx context.Context, t asked) []Row {
	s, err := g.connect()
	var targets []asked
	if err == nil {
		targets, err = branches(s)
	}
	if err != nil {
		t.row.unreachable(err)
		return []Row{*t.row}
	}
	rows := make([]Row, len(targets))
	var all sync.WaitGroup
	for i, t := range targets {
		all.Go(func() { rows[i] = g.ask(ctx, t) })
	}
	all.Wait()
	return rows
}

// ask asks an instance from here, and where it runs.
func (g *group) ask(ctx context.Context, t asked) Row {
	start, r := time.Now(), t.row
	if t.absent() {
		r.State = NotDeployed
		return *r
	}
	var here *hostapi.HTTP
	var both sync.WaitGroup
	both.Go(func() { here = answer.See(ctx, r.URL+r.site.Path, nil) })
	if s, err := g.connect(); err != nil {
		r.unreachable(err)
	} else {
		g.slots <- struct{}{}
		r.ask(s.For(t.inst), t.inst.Get("RESTIC_REPOSITORY"))
		<-g.slots
	}
	both.Wait()
	r.judge(here, time.Now())
	r.Seconds = time.Since(start).Seconds()
	return *r
}

// absent reports whether the instance is of this machine, and not there: to
// find out more would take root, whom a laptop may ask for a password.
func (t asked) absent() bool {
	if t.inst.Get("server") != instance.Here {
		return false
	}
	_, err := os.Stat(filepath.Join(target.Folder(t.inst), "docker-compose.yml"))
	return errors.Is(err, fs.ErrNotExist)
}

// clock ends what is waited for once that takes too long. It can be stopped meanwhile.
type clock struct {
	left  time.Duration
	since time.Time
	timer *time.Timer
}

func start(left time.Duration, end func()) *clock {
	return &clock{left, time.Now(), time.AfterFunc(left, end)}
}

// pause stops it until resume is called.
func (c *clock) pause() (resume func()) {
	c.timer.Stop()
	c.left -= time.Since(c.since)
	return func() { c.since = time.Now(); c.timer.Reset(c.left) }
}

// reach connects to the server of an instance, which has [askTime] from now on. To have mrs-host there is not of that:
// it is compiled here, and sent where there is none of this version, which says nothing of the server.
func reach(ctx context.Context, inst *instance.Instance) (*target.Target, error) {
	ctx, end := context.WithCancelCause(ctx)
	c := start(askTime, func() { end(fmt.Errorf("no answer within %s", askTime)) })
	s, err := dial(ctx, inst)
	if err != nil {
		c.timer.Stop()
		return nil, err
	}
	s.Pause = c.pause
	return s, nil
}

// dial connects to the server of an instance within [dialTime].
func dial(ctx context.Context, inst *instance.Instance) (*target.Target, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(dialTime, func() {
		cancel(fmt.Errorf("it does not answer within %s\n"+
			"hint: is the machine up, its address right, and no firewall in the way?", dialTime))
	})
	defer timer.Stop()
	return target.Open(ctx, inst)
}
