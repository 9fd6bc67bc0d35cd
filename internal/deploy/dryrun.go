package deploy

import (
	"encoding/json"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/bitfield/script"
	"go.yaml.in/yaml/v4"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/target"
)

// dryRun prints how what is to run differs from what runs, and the command line
// that would make it so.
func (d deployment) dryRun(s *target.Target, plan *Plan, inst *instance.Instance) error {
	have, err := s.Script(`[ ! -e "$1" ] || cat "$1"`, path.Join(s.Folder, "docker-compose.yml")).String()
	if err != nil {
		return err
	}
	want := plan.Request.File
	if n := d.release; n != "" {
		if want, err = s.Output("cat", path.Join(s.Folder, "releases", n, "docker-compose.yml")); err != nil {
			return err
		}
	}
	changes, err := differences(have, want)
	if err != nil {
		return err
	}
	holder, locked, err := s.Holder()
	if err != nil {
		return err
	}
	command, err := d.command(inst)
	if err != nil {
		return err
	}
	switch {
	case have == "":
		console.Say("%s: nothing is deployed on %s yet; all of this is new:", inst.Name, s)
	case len(changes) == 0:
		console.Say("%s: docker-compose.yml stays as it is; an image whose name stays may be another by now", inst.Name)
	default:
		console.Say("%s: what would change in %s/docker-compose.yml on %s:", inst.Name, s.Folder, s)
	}
	for _, c := range changes {
		fmt.Println(c)
	}
	if locked {
		console.Say("%s is locked at the moment by %s", inst.Name, holder)
	}
	fmt.Println(command.Line())
	if plan, err := d.explained(s, plan); err != nil {
		console.Say("%s: the plan can't be told: %v", inst.Name, err)
	} else {
		fmt.Println(plan)
	}
	console.Summary("%s: %d differences; nothing was changed", inst.Name, len(changes))
	return nil
}

// explained returns the steps that mrs-host would take, and the commands behind them. Nothing is changed on the
// server, but that mrs-host is there.
func (d deployment) explained(s *target.Target, plan *Plan) (string, error) {
	program, err := s.Program()
	if err != nil {
		return "", err
	}
	request := plan.Request
	request.Release, request.Pull, request.What = d.release, !d.here, d.what
	text, err := json.Marshal(request)
	if err != nil {
		return "", err
	}
	out, err := s.ExecFrom(script.Echo(string(text)), program, "explain", "deploy").String()
	return strings.TrimRight(out, "\n"), err
}

// secretName tells the variables of containers that are not shown.
var secretName = regexp.MustCompile(`(?i)(password|passwd|secret|token|key|dsn)`)

// differences returns how two compose files differ, a line each: what is gone
// begins with -, what is new with +. Secrets are told to differ, and not shown.
func differences(have, want string) ([]string, error) {
	before, err := flatten(have)
	if err != nil {
		return nil, fmt.Errorf("the docker-compose.yml that runs can't be read: %w", err)
	}
	after, err := flatten(want)
	if err != nil {
		return nil, err
	}
	names := slices.Sorted(maps.Keys(before))
	for name := range after {
		if _, both := before[name]; !both {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	var lines []string
	for _, name := range names {
		old, had := before[name]
		now, has := after[name]
		if had && has && old == now {
			continue
		}
		if v, _ := instance.Find(name[strings.LastIndex(name, ".")+1:]); v.Secret || secretName.MatchString(name) {
			old, now = "********", "********"
		}
		if had {
			lines = append(lines, "- "+name+": "+briefly(old))
		}
		if has {
			lines = append(lines, "+ "+name+": "+briefly(now))
		}
	}
	return lines, nil
}

// carriedName is the name of a file that a stack brings along, whose end is a sum
// of what is in it.
var carriedName = regexp.MustCompile(
	`(` + regexp.QuoteMeta(hostapi.Files) + `/[A-Za-z0-9._-]*-[0-9a-f]{4})[0-9a-f]{12}\b`)

// briefly returns a value with of each such sum as much as tells that the file is
// another one, and too little to try out what may be in it.
func briefly(value string) string { return carriedName.ReplaceAllString(value, "$1") }

// flatten returns the values of a YAML document by their paths.
func flatten(text string) (map[string]string, error) {
	var document any
	if err := yaml.Unmarshal([]byte(text), &document); err != nil {
		return nil, err
	}
	values := map[string]string{}
	var walk func(at string, value any)
	walk = func(at string, value any) {
		switch v := value.(type) {
		case map[string]any:
			for name, child := range v {
				walk(strings.TrimPrefix(at+"."+name, "."), child)
			}
		case []any:
			for i, child := range v {
				walk(fmt.Sprintf("%s[%d]", at, i), child)
			}
		case nil:
			if at != "" {
				values[at] = ""
			}
		default:
			values[at] = fmt.Sprint(v)
		}
	}
	walk("", document)
	return values, nil
}
