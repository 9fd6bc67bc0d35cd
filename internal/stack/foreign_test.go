package stack_test

import (
	"encoding/json"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/betagouv/mrs-ops/internal/stack"
)

// application are the stacks that the application's own pipeline deployed, by the names of their compose files. The
// files in testdata/application say what betagouv/mrs's say, as of March 2021; they are not copies.
var application = map[string][]string{
	"local":      {"", "persist."},
	"branch":     {"", "maildev.", "traefik."},
	"staging":    {"", "maildev.", "traefik.", "persist."},
	"production": {"", "traefik.", "persist."},
}

func applicationFiles(dir string, parts []string) (files []string) {
	for _, part := range parts {
		files = append(files, filepath.Join(dir, "docker-compose."+part+"yml"))
	}
	return files
}

// applicationEnv is what the pipeline set.
var applicationEnv = map[string]string{
	"HOST": "staging.mrs.beta.gouv.fr", "HOST_SLUG": "mrs-staging", "PROTO": "https", "SECRET_KEY": "s3cr$t", "LISTEN": "128",
	"EMAIL_HOST_USER": "", "BASICAUTH_DISABLE": "1",
}

// recorded returns what `docker compose config` makes of the files: what it made of them when -update was given.
func recorded(t *testing.T, name string, files []string) (services map[string]map[string]any) {
	t.Helper()
	path := filepath.Join("testdata", "application", name+".json")
	if *update {
		argv := []string{"compose", "--project-name", "x"}
		for _, file := range files {
			argv = append(argv, "--file", file)
		}
		cmd := exec.Command("docker", append(argv, "config", "--format", "json", "--no-path-resolution")...)
		cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "HOME=" + t.TempDir()}
		for name, value := range applicationEnv {
			cmd.Env = append(cmd.Env, name+"="+value)
		}
		cmd.Stderr = os.Stderr
		out, err := cmd.Output()
		if err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, out, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	var config struct{ Services map[string]map[string]any }
	if err := json.Unmarshal([]byte(strings.ReplaceAll(string(text), "$$", "$")), &config); err != nil {
		t.Fatal(err)
	}
	return config.Services
}

func TestTheApplicationsOwnFilesMeanWhatComposeMakesOfThem(t *testing.T) {
	for name, parts := range application {
		t.Run(name, func(t *testing.T) {
			files := applicationFiles("testdata/application", parts)
			want := recorded(t, name, files)
			for _, service := range want {
				labels, _ := service["labels"].(map[string]any)
				for key, value := range labels {
					// Traefik 3 has one name in a matcher.
					labels[key] = strings.Replace(value.(string), "Host(`staging.mrs.beta.gouv.fr`, `www.staging.mrs.beta.gouv.fr`)",
						"(Host(`staging.mrs.beta.gouv.fr`) || Host(`www.staging.mrs.beta.gouv.fr`))", 1)
				}
				environment, _ := service["environment"].(map[string]any)
				maps.DeleteFunc(environment, func(_ string, value any) bool { return value == nil })
				for _, key := range []string{"command", "entrypoint"} {
					if service[key] == nil {
						delete(service, key)
					}
				}
			}
			rendered := render(t, stack.Options{Dir: composeDir, Files: absolute(t, files), Name: "x", Lookup: from(applicationEnv)})
			var got struct{ Services map[string]map[string]any }
			if err := yaml.Unmarshal([]byte(strings.ReplaceAll(string(rendered.YAML), "$$", "$")), &got); err != nil {
				t.Fatal(err)
			}
			if !slices.Equal(slices.Sorted(maps.Keys(got.Services)), slices.Sorted(maps.Keys(want))) {
				t.Errorf("services %v, want %v", slices.Sorted(maps.Keys(got.Services)), slices.Sorted(maps.Keys(want)))
			}
			for service, keys := range want {
				for _, key := range slices.Sorted(maps.Keys(keys)) {
					if !reflect.DeepEqual(plain(got.Services[service][key]), plain(keys[key])) {
						t.Errorf("%s: %s:\n got %v\nwant %v", service, key, got.Services[service][key], keys[key])
					}
				}
				for key := range got.Services[service] {
					if _, there := keys[key]; !there {
						t.Errorf("%s: %s is said, and was not", service, key)
					}
				}
			}
			if len(parts) > 2 && !slices.Equal(rendered.Networks, []string{"web"}) {
				t.Errorf("networks %v", rendered.Networks)
			}
			if slices.Contains(parts, "persist.") {
				golden(t, "application/folders.txt", []byte(fmt.Sprintf("%+v\n", rendered.Folders)))
			}
		})
	}
}

// absolute returns the files' absolute paths.
func absolute(t *testing.T, files []string) (all []string) {
	t.Helper()
	for _, file := range files {
		path, err := filepath.Abs(file)
		if err != nil {
			t.Fatal(err)
		}
		all = append(all, path)
	}
	return all
}

// plain returns the value as JSON has it.
func plain(value any) any {
	text, _ := json.Marshal(value)
	var out any
	_ = json.Unmarshal(text, &out)
	return out
}

func TestWhatTheOldRoleTookIsTakenOfTheApplicationsFilesAlone(t *testing.T) {
	content := `
services:
  django:
    image: x
    sysctls: ["net.core.somaxconn=${LISTEN}", "kernel.sem=${SEM}"]
    environment: {A: "${UNSET}", B: $UNSET, LISTEN: }
    volumes: ["/data:/data", "./cache:/cache"]
    labels:
      io.yourlabs.compose.mkdir: "log,/spool,/data,:root:www-data:0750"
      traefik.http.routers.a.rule: "!PathPrefix(` + "`/a`, `/b`) && Host(`x`) && HostHeader(`y`" + `)"
`
	dir := write(t, map[string]string{"docker-compose.yml": content})
	o := stack.Options{Dir: filepath.Join(dir, "ops", "compose"), Files: []string{"../docker-compose.yml"}, Name: "test",
		Lookup: from(map[string]string{"LISTEN": "100"})}
	rendered := render(t, o)
	if got, want := fmt.Sprint(rendered.Folders), "[{/data 0 33 0750} {cache 0 0 0755} {log 0 33 0750} {spool 0 33 0750}]"; got != want {
		t.Errorf("folders %s, want %s", got, want)
	}
	service := load(t, rendered.YAML).Services["django"]
	if got, want := service.Labels["traefik.http.routers.a.rule"], "!(PathPrefix(`/a`) || PathPrefix(`/b`)) && Host(`x`) && Host(`y`)"; got != want {
		t.Errorf("rule %s, want %s", got, want)
	}
	if got := fmt.Sprint(service.Sysctls); got != "map[net.core.somaxconn:100]" {
		t.Errorf("sysctls %s", got)
	}
	for _, want := range []string{"../docker-compose.yml is a file of its own, " + filepath.Join(dir, "docker-compose.yml"),
		"environment: UNSET is not set", "sysctls: one without a value is left out", "no label declares cache", "read as !(PathPrefix"} {
		if !strings.Contains(strings.Join(rendered.Notes, "\n"), want) {
			t.Errorf("%q is not told in\n%s", want, strings.Join(rendered.Notes, "\n"))
		}
	}

	// In one of ours, all of it is a mistake.
	if _, err := one(t, content, nil, nil); err == nil || !strings.Contains(err.Error(), "UNSET is not set") ||
		!strings.Contains(err.Error(), "a path is empty") || !strings.Contains(err.Error(), `uid "root" is not a number`) {
		t.Errorf("as one of ours: %v", err)
	}
}

func TestWhichFileIsMeantIsSaidWhereThereAreTwo(t *testing.T) {
	dir := write(t, map[string]string{"docker-compose.yml": "services: {a: {image: x}}"})
	ours := filepath.Join(dir, "ops", "compose")
	if err := os.MkdirAll(ours, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(ours, "docker-compose.yml"), []byte("services: {a: {image: ours}}"), 0o600); err != nil {
		t.Fatal(err)
	}
	for file, want := range map[string]string{"docker-compose.yml": "ours", "../docker-compose.yml": "x", "compose/docker-compose.yml": "ours"} {
		rendered := render(t, stack.Options{Dir: ours, Files: []string{file}, Name: "test"})
		said := strings.Join(rendered.Notes, "\n")
		if rendered.Images["a"] != want || strings.Contains(said, "a file of its own") != (want == "x") {
			t.Errorf("%s: image %s, and it says %q", file, rendered.Images["a"], said)
		}
	}
}

func TestWhatCannotBeSaidInTraefik3IsRefusedWithWhatToWrite(t *testing.T) {
	for rule, want := range map[string]string{
		"HostRegexp(`{sub:[a-z]+}.example.org`)": "hint: HostRegexp(`^[a-z]+",
		"Path(`/x/{id:[0-9]+}`)":                 "PathRegexp(",
		"Headers(`A`, `b`)":                      "hint: Header(",
	} {
		dir := write(t, map[string]string{"x.yml": "services: {a: {image: x, labels: {traefik.http.routers.a.rule: '" + rule + "'}}}"})
		_, err := stack.Render(t.Context(), stack.Options{Dir: composeDir, Files: []string{filepath.Join(dir, "x.yml")}, Name: "test"})
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", rule, err)
		}
	}
}
