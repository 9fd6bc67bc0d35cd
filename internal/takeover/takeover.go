// Package takeover brings instances from the old system (yourlabs.* roles, yourlabs.compose) to this one, on the server
// where they run: it looks, has mrs-host and the role traefik do it around the first deployment, and goes back.
//
// It must not know what the old system has where, nor how a part of it is kept or ended: that is
// internal/hostside/takeover.
//
// The working directory is the project's root.
package takeover

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/deploy"
	"github.com/betagouv/mrs-ops/internal/host"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/target"
)

// look asks a server what it has of the old system.
func look(s *target.Target) (found hostapi.OldServer, err error) {
	out, err := s.Ask("takeover", "look").String()
	if err == nil {
		err = json.Unmarshal([]byte(out), &found)
	}
	if err != nil {
		return found, fmt.Errorf("%s can't be looked at: %w", s, err)
	}
	return found, nil
}

// Check prints what servers, "HOST USER@HOST …", have of the old system, what becomes of it, and what stands in the
// way. Nothing is changed there, but that mrs-host is in its folder. config is an SSH configuration in place of the
// user's own, if it is not empty. The error counts what stands in the way.
func Check(ctx context.Context, list, config string, asJSON bool) error {
	hosts, err := host.Hosts(list)
	if err != nil {
		return err
	}
	blocking, homes, all := 0, 0, map[string]hostapi.OldServer{}
	for _, name := range hosts {
		s, err := target.OpenHost(ctx, name, config)
		if err != nil {
			return err
		}
		found, err := look(s)
		s.Close()
		if err != nil {
			return err
		}
		all[name] = found
		homes += len(found.Homes)
		blocking += len(inTheWay(found))
		if asJSON {
			continue
		}
		if err := table(name, found); err != nil {
			return err
		}
	}
	if asJSON {
		if err := console.JSON(all); err != nil {
			return err
		}
	}
	if blocking > 0 {
		return fmt.Errorf("%d problems stand in the way of a takeover; nothing was changed", blocking)
	}
	if !asJSON {
		console.Summary("%d instances can be taken over, each by: mage takeover:run INSTANCE; nothing was changed", homes)
	}
	return nil
}

func inTheWay(found hostapi.OldServer) (all []hostapi.OldProblem) {
	for _, p := range found.Problems {
		if p.Blocks {
			all = append(all, p)
		}
	}
	return all
}

// table prints what was found on a server: what there is on standard output, all about it on standard error.
func table(name string, found hostapi.OldServer) error {
	rows := [][]string{{"WHERE", "WHAT", "IS", "AFTERWARDS"}}
	for _, t := range found.Things {
		rows = append(rows, []string{t.Where, t.What, t.Is, t.After})
	}
	if err := console.Table(rows...); err != nil {
		return err
	}
	for _, h := range found.Homes {
		console.Say("\n%s: %s: %s", name, h.Name, estimate(h))
	}
	for _, p := range found.Problems {
		kind := "to know"
		if p.Blocks {
			kind = "IN THE WAY"
		}
		console.Say("\n%s: %s: %s: %s\nhint: %s", name, kind, p.Where, p.What, p.Mend)
	}
	return nil
}

func estimate(h hostapi.OldHome) string {
	return fmt.Sprintf("the snapshot takes about %d s, while the site serves; then it is away for at most %d s",
		h.Backup, h.Away)
}

// Options is how to go over.
type Options struct {
	Image   string        // of django; empty: the env file's
	Traefik string        // the image of the load balancer; empty: the role's
	Limit   time.Duration // for the snapshot by the old means
	Yes     bool          // no question
}

// Run takes the instance called name over, on the server where the old system runs it. What is there is kept, and the
// site and its neighbours are served as before wherever it fails; [Back] goes back later.
func Run(ctx context.Context, name string, o Options) error {
	s, inst, err := target.Find(ctx, name)
	if err != nil {
		return err
	}
	found, err := look(s)
	s.Close()
	if err != nil {
		return err
	}
	for _, p := range inTheWay(found) {
		err = errors.Join(err, fmt.Errorf("%s: %s\nhint: %s", p.Where, p.What, p.Mend))
	}
	if err != nil {
		return fmt.Errorf("%s: nothing was changed: %w", name, err)
	}
	for _, h := range found.Homes {
		if h.Name == inst.Project() {
			console.Say("%s: %s", name, estimate(h))
		}
	}
	console.Say("%s: what else is behind its server's load balancer is away for at most %d s", name, found.Away)
	began := false // and not yet deployed
	return deploy.With(ctx, name, "takeover", deploy.Options{Image: o.Image, Yes: o.Yes}, deploy.Beside{
		Before: func(ctx context.Context, s *target.Target, request hostapi.Deploy) error {
			err := deploy.Have(s, request, "takeover", "prepare", "-within="+cmp.Or(o.Limit, time.Hour).String())
			began = err == nil
			if err != nil || found.Traefik.Version == "" {
				return err
			}
			if err := balancer(ctx, inst, found.Traefik, o.Traefik); err != nil {
				return failed("the load balancer can't be replaced: %v", err)
			}
			return nil
		},
		After: func(_ context.Context, s *target.Target, request hostapi.Deploy) error {
			began = false
			if err := deploy.Have(s, request, "takeover", "finish"); err != nil {
				return failed("the site is the new one, and not all of the old system is ended, "+
					"which is tried again each minute: %v", err)
			}
			return nil
		},
		Undo: func(_ context.Context, s *target.Target, request hostapi.Deploy) error {
			if !began {
				return nil
			}
			console.Say("%s: going back to the old system", name)
			return deploy.Have(s, request, "takeover", "back")
		},
	})
}

// failed is an error that says what came of it: nobody has to look that up in the audit log.
func failed(format string, err error) error {
	reason, hint := hostapi.Explained(err)
	return &hostapi.Failure{Outcome: hostapi.Failed, Reason: fmt.Sprintf(format, reason), Hint: hint}
}

// letsEncrypt is Traefik's own default.
const letsEncrypt = "https://acme-v02.api.letsencrypt.org/directory"

// balancer replaces the server's load balancer, and leaves alone what else the role would change: the firewall, and
// the engine's settings, whose change restarts all containers.
func balancer(ctx context.Context, inst *instance.Instance, old hostapi.OldTraefik, image string) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	return host.Role{Name: "traefik", Hosts: inst.Get("server"), Config: inst.Get("ssh_config"), Vars: map[string]any{
		"mage": []string{binary}, "traefik_old": true, "traefik_firewall": false, "docker_logging": map[string]any{},
		"traefik_acme_directory": cmp.Or(old.Directory, letsEncrypt), "traefik_acme_email": old.Email,
		"traefik_image": image,
	}}.Apply(ctx)
}

// Back has the old system run the instance called name again, with every row that was written since, after a question.
func Back(ctx context.Context, name string, yes bool) error {
	start := time.Now()
	plan, err := deploy.NewPlan(ctx, name, os.Environ())
	if err != nil {
		return err
	}
	if !yes {
		if err := console.Sure(name + ": back to the old system, with the data as they are now?"); err != nil {
			return err
		}
	}
	ctx, stop := console.Interruptible(ctx)
	defer stop()
	s, _, err := target.Find(context.WithoutCancel(ctx), name)
	if err != nil {
		return err
	}
	defer s.Close()
	lock, err := s.Lock(target.Operator(), "takeover back")
	if err != nil {
		return err
	}
	defer context.AfterFunc(ctx, func() {
		console.Say("%s: interrupted; what was begun is being undone", name)
		_ = lock.Release()
	})()
	request := plan.Request
	request.Token = lock.Token
	err = deploy.Have(s, request, "takeover", "back")
	if ctx.Err() == nil {
		err = errors.Join(err, lock.Release())
	}
	if err != nil {
		return fmt.Errorf("%s: the old system does not run again: %w", name, err)
	}
	console.Done("%s: the old system runs again, on the data as they are (%s)", name,
		time.Since(start).Round(100*time.Millisecond))
	return nil
}
