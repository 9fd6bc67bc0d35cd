// Package lab rehearses: production and staging on two machines of the
// Vagrantfile, with a registry of images that both pull from, and env files by
// which MRS_ENV=lab aims every target at these machines instead of the servers.
//
// It knows which images the instances need, how the registry is run and what
// the env files must say. It must not know how a machine is booted (vagrant),
// how an image is made (demo, host), nor what is deployed in the lab
// afterwards.
//
// The working directory is the project's root. What is written there, env/lab
// and .vagrant/lab, is not committed and goes with the lab; the images stay in
// the user's cache.
package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/setup"
	"github.com/betagouv/mrs-ops/internal/vagrant"
)

const (
	production = "production"
	staging    = "staging"
)

// machines are those of the Vagrantfile that the lab is made of.
var machines = []string{production, staging}

// playbook makes servers of the machines.
var playbook = filepath.Join("ansible", "lab.yml")

// Up makes the lab be there and be complete: machines, registry, images, env
// files, and on the machines sshd, Docker and Traefik. Where all is there it
// changes nothing. Its last line on standard output is the outcome.
func Up(ctx context.Context) error {
	start := time.Now()
	instances, planErr := plan(".")
	if _, err := ours(folder); errors.Join(planErr, err) != nil {
		return errors.Join(planErr, err)
	}
	if err := setup.Need(ctx, console.Say, setup.Lab...); err != nil {
		return err
	}
	// Before the machines: both may need the same base, and build it.
	if err := ensureImages(ctx); err != nil {
		return err
	}
	if err := vagrant.Ensure(ctx, machines...); err != nil {
		return err
	}
	addresses, err := find(ctx)
	if err != nil {
		return err
	}
	registry, err := startRegistry(ctx, addresses)
	if err != nil {
		return err
	}
	if err := registry.push(ctx, images...); err != nil {
		return err
	}
	if err := write(".", instances, registry.Address); err != nil {
		return err
	}
	if err := apply(ctx, instances, addresses, registry.Address); err != nil {
		return fmt.Errorf("the machines run, but are not what they must be: %w\n"+
			"hint: mage lab:up goes on where it stopped; mage lab:down removes all", err)
	}
	if err := registry.checkSeen(ctx, addresses); err != nil {
		return err
	}
	console.Done("the lab is up: production %s, staging %s, registry %s (%s); MRS_ENV=lab aims at it",
		addresses[production], addresses[staging], registry.Address, time.Since(start).Round(100*time.Millisecond))
	return nil
}

// Down removes the lab: the env files first, so that MRS_ENV=lab is refused
// from then on, then the machines with all that is on them, then the registry.
// What can't be removed keeps nothing else from being removed.
func Down(ctx context.Context) error {
	if err := errors.Join(removeFiles("."), vagrant.Destroy(ctx, machines...), stopRegistry()); err != nil {
		return err
	}
	console.Done("the lab is down: machines, registry and env/lab are removed; images and packages stay cached")
	return nil
}

// find returns the addresses of the machines, which must run, by name.
func find(ctx context.Context) (map[string]netip.Addr, error) {
	addresses := map[string]netip.Addr{}
	var errs []error
	for _, name := range machines {
		var err error
		if addresses[name], err = netip.ParseAddr(vagrant.Address(ctx, name)); err != nil {
			errs = append(errs, fmt.Errorf("the address of %s is unknown\nhint: mage vagrant:apply -machine=%[1]s", name))
		}
	}
	return addresses, errors.Join(errs...)
}

// seenFrom returns the address of this machine that all the machines reach it
// by: that of the network they share with it, which no other machine is on.
func seenFrom(addresses map[string]netip.Addr) (netip.Addr, error) {
	var here netip.Addr
	for _, name := range machines {
		// No packet is sent: the kernel is asked which address it would send from.
		conn, err := net.Dial("udp", netip.AddrPortFrom(addresses[name], 9).String())
		if err != nil {
			return here, fmt.Errorf("no way leads from here to %s: %w", name, err)
		}
		from := conn.LocalAddr().(*net.UDPAddr).AddrPort().Addr().Unmap()
		conn.Close()
		switch {
		case !from.IsPrivate():
			return here, fmt.Errorf("%s is reached from %s, which is no private address: "+
				"a registry there would be everybody's", name, from)
		case here.IsValid() && here != from:
			return here, fmt.Errorf("the machines are in different networks: %s and %s are this machine's addresses there\n"+
				"hint: mage lab:down, then mage lab:up", here, from)
		}
		here = from
	}
	return here, nil
}

// apply makes the machines what [playbook] says.
func apply(ctx context.Context, instances []instance, addresses map[string]netip.Addr, registry string) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	vars, err := json.Marshal(map[string]any{
		"lab_registry": registry, "lab_hosts": hostLines(instances, addresses), "mage": []string{binary},
	})
	if err != nil {
		return err
	}
	return vagrant.Bigsudo(ctx, playbook, "@"+production, "@"+staging, string(vars))
}

// hostLines returns the lines of /etc/hosts by which the machines find the
// instances, themselves and each other.
func hostLines(instances []instance, addresses map[string]netip.Addr) []string {
	var lines []string
	for _, machine := range machines {
		var names []string
		for _, i := range instances {
			if i.machine == machine {
				names = append(names, i.host(), "www."+i.host(), "mail."+i.host())
			}
		}
		lines = append(lines, addresses[machine].String()+" "+strings.Join(names, " "))
	}
	return lines
}
