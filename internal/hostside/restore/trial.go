package restore

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/betagouv/mrs-ops/internal/hostside/compose"
	"github.com/betagouv/mrs-ops/internal/hostside/place"
)

// Trial is the application on data that are not in use.
type Trial struct {
	Folder   string // has mrsattachments and log; what else the stack has on the host is empty there
	Database string // of the PostgreSQL that runs; empty: it has a PostgreSQL of its own
	Network  string // that of the PostgreSQL that runs
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
	trial, err := t.own(stack.Services, "django")
	if err != nil {
		return nil, err
	}
	env, ok := trial["environment"].(map[string]any)
	if !ok {
		env = map[string]any{}
		trial["environment"] = env
	}
	// Nobody gets mail of a rehearsal, nor a report of its errors.
	env["EMAIL_HOST"], env["EMAIL_PORT"], env["SENTRY_DSN"], env["ADMINS"] = "127.0.0.1", "9", "", ""
	services := map[string]any{"trial": trial}
	network := map[string]any{"internal": true}
	if t.Database != "" {
		env["DB_NAME"] = t.Database
		network = map[string]any{"external": true, "name": t.Network}
	} else if services["postgres"], err = t.own(stack.Services, "postgres"); err != nil {
		return nil, err
	}
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	file := map[string]any{"services": services, "networks": map[string]any{"default": network}}
	if err := encoder.Encode(file); err != nil {
		return nil, err
	}
	// Compose would look for variables in what is rendered already.
	text := strings.ReplaceAll(out.String(), "$$", "$")
	return []byte(strings.ReplaceAll(text, "$", "$$")), nil
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
		if compose.IsPort(label) {
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
	case name == "mrsattachments", name == "log", name == "dump", name == "data":
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
