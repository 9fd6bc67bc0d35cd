package deploy

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/demo"
	"github.com/betagouv/mrs-ops/internal/engine"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/local"
	"github.com/betagouv/mrs-ops/internal/setup"
)

// LocalOptions is what may differ from env/local.env; a zero field leaves it.
type LocalOptions struct {
	Image string
	Home  string
	Port  int
}

// load returns what the options add to the process environment, and the instance
// local as it is then, which has to be on this machine.
func (o LocalOptions) load() (env []string, inst *instance.Instance, err error) {
	if inst, err = instance.Load(".", "local", os.Environ()); inst == nil {
		return nil, nil, err
	}
	if o.Image != "" {
		env = append(env, "compose_django_image="+o.Image)
	}
	if o.Port != 0 {
		env = append(env, fmt.Sprintf(`compose_django_ports=["%d:8000"]`, o.Port), fmt.Sprintf("HOST=localhost:%d", o.Port))
	}
	if o.Home != "" && o.Home != inst.Get("home") {
		env = append(env, "home="+o.Home)
		// Two local deployments must not share their backups: those of another
		// home are kept inside it, unless the operator gave them a place.
		for _, name := range []string{"RESTIC_REPOSITORY", "POSTGRES_BACKUP"} {
			if inst.From(name) == filepath.Join("env", "local.env") {
				env = append(env, name+"=")
			}
		}
	}
	if inst, err = instance.Load(".", "local", append(os.Environ(), env...)); err != nil {
		return nil, nil, err
	}
	if host := inst.Get("server"); host != instance.Here {
		return nil, nil, fmt.Errorf("instance local is on %s, not on this machine\n"+
			"hint: leave server=localhost in env/local.env", host)
	}
	return env, inst, nil
}

// Local deploys the instance local on this machine, as
// production is deployed but without load balancer (cookbook, "Local"), and
// says where it answers. It sets up what this machine lacks, and builds the
// images that can't be pulled.
func Local(ctx context.Context, o LocalOptions) error {
	start := time.Now()
	env, _, err := o.load()
	if err != nil {
		return err
	}
	plan, err := NewPlan(ctx, "local", append(os.Environ(), env...))
	if err != nil {
		return err
	}
	if err := setup.Need(ctx, console.Say, setup.Deploy...); err != nil {
		return err
	}
	if err := checkPorts(ctx, plan); err != nil {
		return err
	}
	images := slices.Compact(slices.Sorted(maps.Values(plan.Images)))
	if err := demo.Ensure(ctx, ".", images, console.Say); err != nil {
		return err
	}
	d := newDeployment("local", env, Options{})
	d.here = true
	deployed, err := d.apply(ctx, plan)
	if err != nil {
		return err
	}
	return console.Table(outcome(plan, o, deployed, time.Since(start))...)
}

// outcome says in rows what a local deployment came to and what can be done
// with it now.
func outcome(plan *Plan, o LocalOptions, deployed hostapi.Deployed, took time.Duration) [][]string {
	home := plan.Request.Folder
	compose := func(args ...string) string {
		// The stack's file holds secrets: only root reads it.
		line := append([]string{"docker", "compose", "-f", filepath.Join(home, "docker-compose.yml")}, args...)
		return local.Quote(local.Root(line...)...)
	}
	destroy := "go tool mage local:destroy"
	if o.Home != "" {
		destroy += " -home=" + home
	}
	return [][]string{
		{"log in", compose("exec", "django", "mrs", "createsuperuser") + ", then " + plan.Request.URL + "/admin/"},
		{"logs", compose("logs", "--follow")},
		{"remove", destroy},
		{"deployed", fmt.Sprintf("%s answers (%s in %s)",
			plan.Request.URL, came(deployed), took.Round(100*time.Millisecond))},
	}
}

// checkPorts returns an error for each port that the stack publishes and that
// belongs to somebody else, since Docker would only find out after the old
// stack is gone.
func checkPorts(ctx context.Context, plan *Plan) error {
	var errs []error
	for _, port := range plan.Published {
		ours, err := engine.Output(ctx, "ps", "--quiet", "--filter", "publish="+port,
			"--filter", "label=com.docker.compose.project="+plan.Request.Project)
		if err != nil {
			return err
		}
		if ours != "" {
			continue
		}
		listener, err := net.Listen("tcp", ":"+port)
		switch {
		case errors.Is(err, syscall.EADDRINUSE):
			errs = append(errs, fmt.Errorf("port %s is taken\nhint: -port=N publishes the site elsewhere", port))
		case err == nil:
			errs = append(errs, listener.Close())
		} // any other error is about this account, not about the port
	}
	return errors.Join(errs...)
}

// DestroyLocal removes the local deployment whose home is given, empty for that
// of env/local.env: containers, networks, volumes and timers, and the home
// itself if yes or if the operator confirms. Backups outside the home stay.
func DestroyLocal(ctx context.Context, home string, yes bool) error {
	_, inst, err := LocalOptions{Home: home}.load()
	if err != nil {
		return err
	}
	home = inst.Get("home")
	project := inst.Project()
	if err := setup.Need(ctx, console.Say, "docker", "compose"); err != nil {
		return err
	}
	has := func(path string) bool {
		_, err := local.Output(ctx, local.Root("test", "-e", path)...)
		return err == nil
	}
	if err := checkOurs(ctx, project, home); err != nil {
		return err
	}
	if has(home) && !has(filepath.Join(home, "releases")) {
		return fmt.Errorf("%s was not made by a deployment; nothing was removed\nhint: -home= names the one to remove", home)
	}
	// Compose knows what is the project's by labels, so it needs no file, which may be gone.
	_, err = engine.Output(ctx, "compose", "--project-name", project, "down", "--volumes", "--remove-orphans")
	if err != nil {
		return err
	}
	if err := removeUnits(ctx, project); err != nil {
		return err
	}
	if !has(home) {
		console.Done("%s: there is no %s; nothing is left", project, home)
		return nil
	}
	what := "its database, attachments and logs"
	if has(filepath.Join(home, "restic")) {
		what += ", and its BACKUPS"
	}
	if !yes && !console.Confirm("Remove "+home+" too, with "+what+"?") {
		console.Done("%s: containers and networks are removed, %s is kept\n"+
			"hint: local:destroy -yes removes it", project, home)
		return nil
	}
	if _, err := local.Output(ctx, local.Root("rm", "-rf", "--", home)...); err != nil {
		return err
	}
	console.Done("%s: removed, with %s", project, home)
	return nil
}

// checkOurs returns an error if the project's containers, which Compose knows by
// the project's name alone, are of another home.
func checkOurs(ctx context.Context, project, home string) error {
	homes, err := engine.Output(ctx, "ps", "--all", "--filter", "label=com.docker.compose.project="+project,
		"--format", `{{.Label "com.docker.compose.project.working_dir"}}`)
	if err != nil {
		return err
	}
	for other := range strings.Lines(homes) {
		if other = strings.TrimSpace(other); other != home {
			return fmt.Errorf("project %s is the one in %s, not in %s; nothing was removed\n"+
				"hint: -home= names the one to remove", project, other, home)
		}
	}
	return nil
}

// removeUnits removes what a deployment leaves outside home for a project. Those of
// a project whose name begins like ours are not ours.
func removeUnits(ctx context.Context, project string) error {
	const folder = "/etc/systemd/system"
	files := []string{"/etc/logrotate.d/mrs-ops-" + project, "/etc/sysctl.d/90-mrs-ops-" + project + ".conf",
		"/var/lib/mrs-ops/" + project + ".prom", "/var/lib/mrs-ops/" + project + ".wal.prom",
		"/var/log/mrs-ops/" + project + ".backups.log"}
	var units []string
	for _, name := range hostapi.BackupUnits(project) {
		for _, unit := range []string{name + ".timer", name + ".service"} {
			files = append(files, filepath.Join(folder, unit))
			if _, err := os.Stat(filepath.Join(folder, unit)); err == nil && !strings.HasSuffix(name, "@") {
				units = append(units, unit)
			}
		}
	}
	systemctl := func(ctx context.Context, argv ...string) error {
		if _, err := os.Stat("/run/systemd/system"); err != nil {
			return nil
		}
		_, err := local.Output(ctx, local.Root(append([]string{"systemctl"}, argv...)...)...)
		return err
	}
	if units != nil {
		_ = systemctl(ctx, append([]string{"--quiet", "disable", "--now"}, units...)...) // one may run no more
	}
	_ = systemctl(ctx, "stop", project+"-undo.service") // of restore.sh, where there is one
	if _, err := local.Output(ctx, local.Root(append([]string{"rm", "-f", "--"}, files...)...)...); err != nil {
		return err
	}
	return systemctl(ctx, "daemon-reload")
}
