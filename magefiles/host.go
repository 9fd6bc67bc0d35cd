//go:build mage

package main

import (
	"context"
	"fmt"
	"os"

	"github.com/magefile/mage/mg"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/host"
)

// Host is the namespace of what servers must be: hosts are one argument, "HOST USER@HOST:PORT …".
type Host mg.Namespace

// SSH hardens sshd, and gives you an account with your key and sudo without password.
//
// No more root, no more passwords. The new configuration is tested before sshd has it, and the host
// takes the old one back unless you can log in with it. -user= and -key= (a file) are yours where
// they are not given; -config=.vagrant-ssh reaches Vagrant's machines.
func (Host) SSH(ctx context.Context, hosts string, user, key, config *string) error {
	return host.Role{Name: "ssh", Hosts: hosts, Config: value(config), Vars: map[string]any{
		"ssh_user": value(user), "ssh_key": value(key),
	}}.Apply(ctx)
}

// AddUser gives somebody an account on the hosts, with their SSH keys.
//
// The keys are those that GitHub shows for NAME, unless -key= says another https address, a file or
// the key itself. -groups=sudo gives sudo without password. For one who has an account, keys and
// groups are added.
func (Host) AddUser(ctx context.Context, name, hosts string, key, groups, config *string) error {
	return host.Role{Name: "ssh", Tasks: "adduser", Hosts: hosts, Config: value(config), Vars: map[string]any{
		"username": name, "key": value(key), "usergroups": value(groups),
	}}.Apply(ctx)
}

// DelUser removes somebody's account from the hosts, and ends their sessions at once.
//
// The home is kept, as root's, under its name and the date; -removeHome removes it.
func (Host) DelUser(ctx context.Context, name, hosts string, removeHome *bool, config *string) error {
	vars := map[string]any{"username": name}
	if value(removeHome) {
		vars["userhome"] = "remove"
	}
	return host.Role{Name: "ssh", Tasks: "deluser", Hosts: hosts, Config: value(config), Vars: vars}.Apply(ctx)
}

// Docker installs the Docker engine and Compose on the hosts, where they are missing.
//
// Logs are rotated, and unused images older than a week removed every week; volumes never are.
func (Host) Docker(ctx context.Context, hosts string, config *string) error {
	return host.Role{Name: "docker", Hosts: hosts, Config: value(config)}.Apply(ctx)
}

// Traefik installs the load balancer on the hosts, with Docker and a firewall (22, 80, 443).
//
// TRAEFIK_HTPASSWD (lines of htpasswd -nB) lists who may see the dashboard. Where a host can't pull
// the image, it is built here from source, which takes about ten minutes once.
func (Host) Traefik(ctx context.Context, hosts string, config *string) error {
	binary, err := os.Executable()
	if err != nil {
		return err
	}
	return host.Role{Name: "traefik", Hosts: hosts, Config: value(config), Vars: map[string]any{
		"mage": []string{binary},
	}}.Apply(ctx)
}

// Netdata installs netdata and Prometheus on the hosts, at netdata.FQDN and prometheus.FQDN by Traefik.
//
// Those that Traefik's htpasswd lists may see them. Alarms go to Slack by NETDATA_SLACK_WEBHOOK; what
// is not given is asked once, and remembered on the host.
func (Host) Netdata(ctx context.Context, hosts string, config *string) error {
	return host.Role{Name: "netdata", Hosts: hosts, Config: value(config)}.Apply(ctx)
}

// TraefikImage prints the path of an image of Traefik for a processor (amd64, arm64), for docker import.
//
// It is what hosts get that can't pull one. The first build takes about ten minutes.
func (Host) TraefikImage(ctx context.Context, processor string) error {
	path, err := host.TraefikImage(ctx, processor, console.Say)
	if err == nil {
		fmt.Println(path)
	}
	return err
}

// Check tells for each host whether you can log in by SSH key and use sudo without password.
//
// -json prints the same for scripts. The exit status is not 0 if one of them lacks either.
func (Host) Check(ctx context.Context, hosts string, config *string, json *bool) error {
	return host.Show(ctx, hosts, value(config), value(json))
}
