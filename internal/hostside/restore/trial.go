package restore

import (
	"encoding/json"
	"fmt"
	"net/url"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/place"
	"github.com/betagouv/mrs-ops/internal/stack/model"
)

// Trial is the application on data that are not in use.
type Trial struct {
	Folder   string   // has Folders; what else the stack has on the host is empty there
	Database string   // of the PostgreSQL that runs; empty: it has a PostgreSQL of its own
	Network  string   // that of the PostgreSQL that runs
	Was      string   // the database that the application has
	Server   string   // the service of the database
	Site     string   // the service that is tried, as trial; one-shots that it waits for run before it
	Folders  []string // that Folder has
}

// kept is what of a service a trial has, too.
var kept = []string{"image", "environment", "command", "entrypoint", "healthcheck", "shm_size", "sysctls", "user",
	"working_dir", "ulimits", "tmpfs", "stop_grace_period", "init", "cap_add", "cap_drop", "security_opt", "mem_limit"}

// File returns a compose file of a trial that touches nothing of what runs, and makes the folders
// that it names. config is what docker compose config --format json prints of the stack. With a
// PostgreSQL of its own, the trial's network has no way out.
func (t Trial) File(config []byte) ([]byte, error) {
	var stack struct{ Services map[string]map[string]any }
	if err := json.Unmarshal(config, &stack); err != nil {
		return nil, fmt.Errorf("what docker compose says of the stack can't be read: %w", err)
	}
	all, err := model.Parse(config)
	if err != nil {
		return nil, err
	}
	services := map[string]any{}
	if err := t.add(services, stack.Services, all, t.Site, "trial"); err != nil {
		return nil, err
	}
	network := map[string]any{"internal": true}
	if t.Database != "" {
		network = map[string]any{"external": true, "name": t.Network}
	} else if services[t.Server], err = t.own(stack.Services, t.Server); err != nil {
		return nil, err
	}
	file, err := hostapi.Marshal(map[string]any{"services": services, "networks": map[string]any{"default": network}})
	if err != nil {
		return nil, err
	}
	// Compose would look for variables in what is rendered already.
	text := strings.ReplaceAll(string(file), "$$", "$")
	return []byte(strings.ReplaceAll(text, "$", "$$")), nil
}

// add adds a service under a name, and before it the one-shots that it waits for.
func (t Trial) add(
	to map[string]any, services map[string]map[string]any, all []hostapi.Service, service, name string,
) error {
	own, err := t.own(services, service)
	if err != nil {
		return err
	}
	env, ok := own["environment"].(map[string]any)
	if !ok {
		env = map[string]any{}
		own["environment"] = env
	}
	// Nobody gets mail of a rehearsal, nor a report of its errors.
	env["EMAIL_HOST"], env["EMAIL_PORT"], env["SENTRY_DSN"], env["ADMINS"] = "127.0.0.1", "9", "", ""
	if t.Database != "" {
		for name, value := range env {
			env[name] = t.named(value)
		}
		env["DB_NAME"] = t.Database
	}
	to[name] = own
	waits := map[string]any{}
	for _, other := range model.Named(all, service).After {
		if model.Named(all, other).Kind != hostapi.OneShot {
			continue
		}
		waits[other] = map[string]any{"condition": "service_completed_successfully"}
		if to[other] == nil {
			if err := t.add(to, services, all, other, other); err != nil {
				return err
			}
		}
	}
	if len(waits) > 0 {
		own["depends_on"] = waits
	}
	return nil
}

// named returns the value of a variable that names the live database, by itself or as the end of
// an address, with the one that is tried.
func (t Trial) named(value any) any {
	text, _ := value.(string)
	if text != "" && text == t.Was {
		return t.Database
	}
	at, err := url.Parse(text)
	if err == nil && strings.HasPrefix(at.Scheme, "postgres") && t.Was != "" && at.Path == "/"+t.Was {
		at.Path = "/" + t.Database
		return at.String()
	}
	return value
}

// own returns a service as the trial has it.
func (t Trial) own(services map[string]map[string]any, name string) (map[string]any, error) {
	service, ok := services[name]
	if !ok {
		return nil, fmt.Errorf("the stack has no %s", name)
	}
	own := map[string]any{}
	for _, key := range kept {
		if value, ok := service[key]; ok {
			own[key] = value
		}
	}
	// Where it listens; the load balancer does not look at it.
	labels := map[string]any{"traefik.enable": "false"}
	given, _ := service["labels"].(map[string]any)
	for label, value := range given {
		if model.IsPort(label) {
			labels[label] = value
		}
	}
	own["labels"] = labels
	volumes := []any{}
	all, _ := service["volumes"].([]any)
	for _, v := range all {
		volume, _ := v.(map[string]any)
		if volume["type"] != "bind" {
			continue
		}
		source, _ := volume["source"].(string)
		target, _ := volume["target"].(string)
		readOnly, _ := volume["read_only"].(bool)
		path, isFile, err := t.place(name, source, target)
		if err != nil {
			return nil, err
		}
		volumes = append(volumes,
			map[string]any{"type": "bind", "source": path, "target": target, "read_only": readOnly || isFile})
	}
	own["volumes"] = volumes
	return own, nil
}

// place is where the trial has what a service has on the host: a file where it is, a folder below
// that of the trial, empty unless it is there.
func (t Trial) place(service, source, target string) (path string, isFile bool, err error) {
	name := filepath.Base(source)
	switch {
	case target == "/dump":
		path = filepath.Join(t.Folder, "dump")
	case slices.Contains(t.Folders, name), name == "dump", name == "data":
		path = filepath.Join(t.Folder, name)
	default:
		path = filepath.Join(t.Folder, service+"-"+name)
	}
	was, err := os.Stat(source)
	if err != nil {
		return path, false, nil
	}
	if was.Mode().IsRegular() {
		return source, true, nil
	}
	if _, err := os.Stat(path); err == nil || !was.IsDir() {
		return path, false, nil
	}
	if err := os.MkdirAll(path, 0o700); err != nil {
		return "", false, err
	}
	return path, false, place.Like(path, was)
}
