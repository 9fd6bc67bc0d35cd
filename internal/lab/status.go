package lab

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/remote"
	"github.com/betagouv/mrs-ops/internal/vagrant"
)

// State is how a machine of the lab stands.
type State struct {
	Machine  string `json:"machine"`
	State    string `json:"state"`              // in the provider's word: running, not_created …
	Address  string `json:"address,omitempty"`  // where this machine reaches it
	Engine   string `json:"engine,omitempty"`   // the Docker engine's version; empty: none answers
	Traefik  string `json:"traefik,omitempty"`  // the status of its answer for a name that nothing has; empty: none
	Registry string `json:"registry,omitempty"` // the registry's address, if it answers the machine there
}

// Status returns how the machines of the lab stand. What does not answer within
// seconds is told as not answering.
func Status(ctx context.Context) ([]State, error) {
	all, err := vagrant.Status(ctx)
	if err != nil {
		return nil, err
	}
	r, err := readRegistry()
	if err != nil {
		return nil, err
	}
	var states []State
	for _, m := range all {
		if slices.Contains(machines, m.Name) {
			states = append(states, State{Machine: m.Name, State: m.State, Address: m.Address})
		}
	}
	lookAll(ctx, states, r)
	return states, nil
}

// lookAll asks all machines that have an address, at the same moment.
func lookAll(ctx context.Context, states []State, r registry) {
	var all sync.WaitGroup
	for i := range states {
		if states[i].Address != "" {
			all.Go(func() { states[i].look(ctx, r) })
		}
	}
	all.Wait()
}

// checkSeen returns an error for each machine that lacks something after all
// was done for it, above all the registry, which a firewall of this machine may
// keep from it.
func (r registry) checkSeen(ctx context.Context, addresses map[string]netip.Addr) error {
	var states []State
	for _, name := range machines {
		states = append(states, State{Machine: name, Address: addresses[name].String()})
	}
	lookAll(ctx, states, r)
	var errs []error
	for _, s := range states {
		if s.Registry == "" {
			errs = append(errs, fmt.Errorf("%s does not reach the registry\nhint: does this machine's firewall let it in? "+
				"ssh -F %s %[1]s curl http://%[3]s/v2/", s.Machine, vagrant.SSHConfig, r.Address))
		}
		if s.Engine == "" || s.Traefik == "" {
			errs = append(errs, fmt.Errorf("%s is not complete: its engine is %q, and Traefik answers %q\n"+
				"hint: mage lab:status", s.Machine, s.Engine, s.Traefik))
		}
	}
	return errors.Join(errs...)
}

func (s *State) look(ctx context.Context, r registry) {
	ctx, cancel := context.WithTimeout(ctx, 15*time.Second)
	defer cancel()
	if answer, err := get(ctx, "http://"+s.Address+"/"); err == nil {
		s.Traefik = answer.Status
	}
	machine, err := remote.Dial(ctx, s.Machine, remote.Options{Config: vagrant.SSHConfig})
	if err != nil {
		return
	}
	defer machine.Close()
	if version, err := machine.Sudo().Exec("docker", "version", "--format", "{{.Server.Version}}").String(); err == nil {
		s.Engine = strings.TrimSpace(version)
	}
	if r.Address == "" {
		return
	}
	curl := []string{"curl", "--noproxy", "*", "--silent", "--fail", "--max-time", "5", "--output", "/dev/null"}
	if _, err := machine.Exec(append(curl, "http://"+r.Address+"/v2/")...).String(); err == nil {
		s.Registry = r.Address
	}
}

// Show prints [Status] as a table, or as JSON. The table's last line says
// whether the lab is complete.
func Show(ctx context.Context, asJSON bool) error {
	states, err := Status(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return console.JSON(states)
	}
	table := [][]string{{"MACHINE", "STATE", "ADDRESS", "ENGINE", "TRAEFIK", "REGISTRY"}}
	for _, s := range states {
		table = append(table, []string{s.Machine, s.State, cmp.Or(s.Address, "-"), cmp.Or(s.Engine, "-"),
			cmp.Or(s.Traefik, "-"), cmp.Or(s.Registry, "-")})
	}
	if err := console.Table(table...); err != nil {
		return err
	}
	console.Summary("%s", verdict(states))
	return nil
}

func verdict(states []State) string {
	var lacking []string
	there := false
	for _, s := range states {
		there = there || s.State != "not_created"
		if s.Engine == "" || s.Traefik == "" || s.Registry == "" {
			lacking = append(lacking, s.Machine)
		}
	}
	switch {
	case len(lacking) == 0:
		return "the lab is up; MRS_ENV=lab aims at it"
	case !there:
		return "there is no lab; mage lab:up makes it"
	}
	return fmt.Sprintf("the lab is not complete: %s; mage lab:up mends it", strings.Join(lacking, ", "))
}
