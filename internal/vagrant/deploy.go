package vagrant

import (
	"context"
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/betagouv/mrs-ops/internal/bigsudo"
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/demo"
	"github.com/betagouv/mrs-ops/internal/deploy"
	"github.com/betagouv/mrs-ops/internal/engine"
	"github.com/betagouv/mrs-ops/internal/local"
)

// playbook deploys MRS, and instance is what it deploys where no other is named:
// to the cookbook these machines are an alternative to a local deployment.
const (
	playbook = "ansible/deploy.yml"
	instance = "local"
)

// deployment makes the request deploy instance, if it is for playbook and names
// none, and returns the images that it then needs.
func deployment(ctx context.Context, request *bigsudo.Request) (images []string, err error) {
	if filepath.Clean(request.Source) != filepath.FromSlash(playbook) || names(request.Vars, "instance") {
		return nil, nil
	}
	plan, err := deploy.NewPlan(ctx, instance, os.Environ())
	if err != nil {
		return nil, err
	}
	request.Vars = append(request.Vars, `{"instance":"`+instance+`"}`)
	return slices.Compact(slices.Sorted(maps.Values(plan.Images))), nil
}

// names reports whether one of the JSON objects has the name given.
func names(objects []string, name string) bool {
	return slices.ContainsFunc(objects, func(object string) bool {
		var values map[string]json.RawMessage
		return json.Unmarshal([]byte(object), &values) == nil && values[name] != nil
	})
}

// provide makes a machine's engine have the images of a deployment. One that it
// can't pull is sent from this machine, which builds what no registry hands out. A
// machine without an engine gets none: what it lacks is for the playbook to say.
func provide(ctx context.Context, machine string, images []string) error {
	if _, err := local.Output(ctx, ssh(machine, "sudo", "-n", "docker", "version")...); err != nil {
		return nil
	}
	var missing []string
	for _, image := range images {
		if !onMachine(ctx, machine, "image", "inspect", image) && !onMachine(ctx, machine, "pull", "--quiet", image) {
			missing = append(missing, image)
		}
	}
	if missing == nil {
		return nil
	}
	if err := demo.Ensure(ctx, ".", missing, console.Say); err != nil {
		return err
	}
	console.Say("%s: sending what it can't pull", machine)
	return send(ctx, machine, missing)
}

// onMachine reports whether a docker command succeeds on the machine.
func onMachine(ctx context.Context, machine string, args ...string) bool {
	_, err := local.Output(ctx, ssh(machine, "sudo", "-n", "--", "docker", local.Quote(args...))...)
	return err == nil
}

func send(ctx context.Context, machine string, images []string) error {
	save, load := engine.Docker(slices.Concat([]string{"save"}, images)...), ssh(machine, "sudo", "-n", "docker", "load")
	_, err := local.Exec(ctx, save...).ExecCommand(load[0], load[1:]...).WithStdout(os.Stderr).Stdout()
	return err
}
