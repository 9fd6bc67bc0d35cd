// Package host makes servers what they must be, by the roles of ansible/, and
// looks whether they are.
//
// It knows which role does what and what the role's variables are called. It
// must not know how a role does it, nor what runs on the servers afterwards.
package host

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"github.com/betagouv/mrs-ops/internal/address"
	"github.com/betagouv/mrs-ops/internal/bigsudo"
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/setup"
)

// Role is a role to apply to hosts.
type Role struct {
	Name   string         // of its folder in ansible/roles
	Tasks  string         // its task file; empty: main
	Hosts  string         // "[@]HOST[:PORT] …" or "USER@HOST[:PORT] …", between spaces or commas
	Vars   map[string]any // its variables; empty strings are left out, for the role's defaults to hold
	Config string         // an SSH configuration in place of the user's own, such as .vagrant-ssh
}

// Apply applies the role by Ansible, as `bigsudo yourlabs.NAME` does. Its last
// line on standard output is the outcome.
func (r Role) Apply(ctx context.Context) error {
	request, err := r.request()
	if err != nil {
		return err
	}
	if err := setup.Need(ctx, console.Say, "ansible"); err != nil {
		return err
	}
	return request.Run(ctx, "")
}

func (r Role) request() (bigsudo.Request, error) {
	hosts, err := Hosts(r.Hosts)
	request := bigsudo.Request{Source: "yourlabs." + r.Name}
	errs := []error{err}
	for _, host := range hosts {
		if !strings.Contains(host, "@") {
			host = "@" + host
		}
		request.Hosts = append(request.Hosts, host)
	}
	if r.Tasks != "" {
		request.Tasks = []string{r.Tasks}
	}
	vars := map[string]any{}
	for name, value := range r.Vars {
		if value != "" {
			vars[name] = value
		}
	}
	object, err := json.Marshal(vars)
	errs = append(errs, err)
	request.Vars = []string{string(object)}
	if r.Config != "" {
		request.Args, err = bigsudo.SSHArgs(r.Config)
		errs = append(errs, err)
	}
	return request, errors.Join(errs...)
}

// Hosts returns the hosts that list names, "[@]HOST[:PORT]" or
// "USER@HOST[:PORT]" each, between spaces or commas. All that are malformed are
// reported together.
func Hosts(list string) ([]string, error) {
	var hosts []string
	var errs []error
	for _, word := range strings.FieldsFunc(list, func(r rune) bool { return strings.ContainsRune(" ,\t\n", r) }) {
		host := strings.TrimPrefix(word, "@")
		if _, err := address.Parse(host); err != nil {
			errs = append(errs, fmt.Errorf("%q is not a host: %w; several are between spaces", word, err))
			continue
		}
		hosts = append(hosts, host)
	}
	if len(hosts) == 0 && len(errs) == 0 {
		errs = append(errs, errors.New("there is no host\nhint: name the hosts in one argument: \"HOST USER@HOST\""))
	}
	return hosts, errors.Join(errs...)
}
