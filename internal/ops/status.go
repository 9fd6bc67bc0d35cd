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

	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/server"
)

const (
	dialTime = 5 * time.Second // connecting to a server may take
	askTime  = 9 * time.Second // everything may take
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
	ctx, cancel := context.WithTimeoutCause(ctx, askTime, fmt.Errorf("no answer within %s", askTime))
	defer cancel()
	if name != "" {
		inst, row, err := prepare(name)
		if inst == nil {
			return nil, err
		}
		return askAll(ctx, []target{{inst, row}}), nil
	}
	names, err := instance.NamesIn(".", os.Getenv("MRS_ENV"))
	if err != nil {
		return nil, err
	}
	var targets []target
	var broken []Row
	for _, name := range names {
		inst, row, err := prepare(name)
		if inst == nil {
			broken = append(broken, Row{Instance: name, Server: "-", State: NotWell, Problems: []string{"its env file can't be read"}, Error: err.Error()})
			continue
		}
		targets = append(targets, target{inst, row})
	}
	return append(askAll(ctx, targets), broken...), nil
}

// target is an instance to ask, and the row that is known of it before.
type target struct {
	inst *instance.Instance
	row  *Row
}

// prepare returns the instance that name means and the beginning of its row.
func prepare(name string) (*instance.Instance, *Row, error) {
	as, environ := resolve(name, os.Environ())
	inst, err := instance.Load(".", as, environ)
	if inst == nil {
		return nil, nil, err
	}
	inst.Name = name
	row := &Row{Instance: name, Server: inst.Get("server"), persistent: inst.Persistent(), basicAuth: inst.Get("BASICAUTH_DISABLE") == ""}
	if inst.Get("HOST") != "" && inst.Get("HOST") != nowhere {
		row.URL = inst.URL()
	}
	if invalid, ok := errors.AsType[*instance.Invalid](err); ok {
		for _, p := range invalid.Problems {
			row.EnvProblems = append(row.EnvProblems, p.Name)
		}
	}
	return inst, row, nil
}

// askAll asks all instances, each group over one connection to its server.
func askAll(ctx context.Context, targets []target) []Row {
	type place struct{ server, config string }
	var places []place
	groups := map[place][]target{}
	for _, t := range targets {
		p := place{t.inst.Get("server"), t.inst.Get("ssh_config")}
		if groups[p] == nil {
			places = append(places, p)
		}
		groups[p] = append(groups[p], t)
	}
	answers := make([][]Row, len(places))
	var all sync.WaitGroup
	for i, p := range places {
		all.Go(func() { answers[i] = askServer(ctx, groups[p]) })
	}
	all.Wait()
	rows := slices.Concat(answers...)
	// The order of the env files; branches follow.
	slices.SortStableFunc(rows, func(a, b Row) int {
		place := func(r Row) int {
			if n := slices.IndexFunc(targets, func(t target) bool { return t.row.Instance == r.Instance }); n >= 0 {
				return n
			}
			return len(targets)
		}
		return place(a) - place(b)
	})
	return rows
}

// askServer asks all instances on one server, and the branches there if the
// instance branch is among them.
func askServer(ctx context.Context, targets []target) []Row {
	start := time.Now()
	var all sync.WaitGroup
	here := make([]*HTTP, len(targets))
	for i, t := range targets {
		if t.absent() {
			t.row.State = NotDeployed
		} else if t.inst.Name != branch {
			all.Go(func() { here[i] = site(ctx, t.row.URL) })
		}
	}
	s, err := dial(ctx, targets[0].inst)
	var branchRows []Row
	if err == nil {
		defer s.Close()
		slots := make(chan struct{}, atOnce)
		for _, t := range targets {
			if t.row.State == NotDeployed {
				continue
			}
			if t.inst.Name == branch {
				all.Go(func() { branchRows = askBranches(ctx, s.For(t.inst), slots) })
				continue
			}
			all.Go(func() { t.ask(s, slots) })
		}
	}
	all.Wait()
	var rows []Row
	for i, t := range targets {
		if err != nil {
			t.row.unreachable(err)
		}
		if t.inst.Name == branch {
			if err != nil { // there may be some: nobody knows
				rows = append(rows, *t.row)
			}
			continue
		}
		t.row.judge(here[i], time.Now())
		t.row.Seconds = time.Since(start).Seconds()
		rows = append(rows, *t.row)
	}
	return append(rows, branchRows...)
}

// absent reports whether the instance is of this machine, and not there: to
// find out more would take root, whom a laptop may ask for a password.
func (t target) absent() bool {
	if t.inst.Get("server") != server.Here {
		return false
	}
	_, err := os.Stat(filepath.Join(server.Folder(t.inst), "docker-compose.yml"))
	return errors.Is(err, fs.ErrNotExist)
}

// ask asks the instance over a connection to its server, in a free slot.
func (t target) ask(s *server.Server, slots chan struct{}) {
	slots <- struct{}{}
	defer func() { <-slots }()
	t.row.ask(s.For(t.inst), t.row.URL, t.inst.Get("RESTIC_REPOSITORY"))
}

// askBranches asks all branches on the server of s.
func askBranches(ctx context.Context, s *server.Server, slots chan struct{}) []Row {
	start := time.Now()
	names, err := branches(ctx, s)
	if err != nil {
		row := Row{Instance: branch, Server: s.String()}
		row.unreachable(err)
		return []Row{row}
	}
	rows := make([]Row, len(names))
	var all sync.WaitGroup
	for i, name := range names {
		all.Go(func() {
			inst, row, err := prepare(name)
			if err != nil {
				rows[i] = Row{Instance: name, Server: s.String(), State: NotWell, Problems: []string{"it can't be asked"}, Error: err.Error()}
				return
			}
			target{inst, row}.ask(s, slots)
			row.judge(site(ctx, row.URL), time.Now())
			row.Seconds = time.Since(start).Seconds()
			rows[i] = *row
		})
	}
	all.Wait()
	return rows
}

// dial connects to the server of an instance within [dialTime].
func dial(ctx context.Context, inst *instance.Instance) (*server.Server, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	timer := time.AfterFunc(dialTime, func() {
		cancel(fmt.Errorf("it does not answer within %s\nhint: is the machine up, its address right, and no firewall in the way?", dialTime))
	})
	defer timer.Stop()
	return server.Open(ctx, inst)
}
