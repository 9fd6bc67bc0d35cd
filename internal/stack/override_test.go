package stack_test

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/stack"
	"github.com/compose-spec/compose-go/v2/types"
)

func TestOverridesReplaceWhatAllFilesSay(t *testing.T) {
	dir := write(t, map[string]string{
		"a.yml": `
services:
  my-app.web:
    image: x:${NEEDED_UNLESS_OVERRIDDEN}
    ports: ["1:1", "${PORT}:2"]
    environment: {A: "1"}
  my-app:
    image: y
    build: .
    command: c
`,
		"b.yml": "services: {my-app.web: {ports: ['3:3'], environment: [B=2]}}",
	})
	rendered := render(t, stack.Options{
		Dir: dir, Files: []string{"a.yml", "b.yml"}, Name: "test",
		Overrides: map[string]string{
			"my_app_web_image":       "z:${LITERAL}$",
			"my_app_web_ports":       `["8000:8000", {"target": 9000, "published": "9000"}]`,
			"my_app_web_environment": `{"C": "$$3", "D": null}`,
			"my_app_web_privileged":  "true",
			"my_app_web_scale":       "2",
			"my_app_web_cpus":        "0.5",
			"my_app_web_hostname":    "1000",
			"my_app_web_shm_size":    "64m",
			"my_app_build":           "",
			"my_app_command":         `"quoted"`,
		},
	})
	project := load(t, rendered.YAML)
	web, app := project.Services["my-app.web"], project.Services["my-app"]
	if web.Image != "z:${LITERAL}$" {
		t.Errorf("image is %q: an override's value is literal", web.Image)
	}
	if len(web.Ports) != 2 || web.Ports[0].Published != "8000" || web.Ports[1].Target != 9000 {
		t.Errorf("ports are %v", web.Ports)
	}
	if len(web.Environment) != 1 || *web.Environment["C"] != "$$3" {
		t.Errorf("environment is %v", web.Environment)
	}
	if !web.Privileged || *web.Scale != 2 || web.CPUS != 0.5 || web.Hostname != "1000" || web.ShmSize != 64<<20 {
		t.Errorf("plain values are wrong:\n%s", rendered.YAML)
	}
	if app.Build != nil || app.Image != "y" || !slices.Equal(app.Command, types.ShellCommand{"quoted"}) {
		t.Errorf("my-app is wrong:\n%s", rendered.YAML)
	}
}

func TestAVariableOfARemovedKeyMayBeMissing(t *testing.T) {
	rendered, err := one(t, "services: {a: {image: x, command: '${NOWHERE}'}}", nil, map[string]string{"a_command": ""})
	if err != nil {
		t.Fatal(err)
	}
	if got := load(t, rendered.YAML).Services["a"].Command; got != nil {
		t.Errorf("command is %v", got)
	}
}

func TestNetworksAreAttachedDeclaredAndKeepTheDefault(t *testing.T) {
	rendered, err := one(t, "services: {a: {image: x}, b: {image: x}}\nnetworks: {inner: {internal: true}}\n",
		nil, map[string]string{"a_networks": "web, admin,default,inner"})
	if err != nil {
		t.Fatal(err)
	}
	project := load(t, rendered.YAML)
	if got := project.NetworkNames(); !slices.Equal(got, []string{"admin", "default", "inner", "web"}) {
		t.Errorf("networks are %v", got)
	}
	if got := len(project.Services["a"].Networks); got != 4 {
		t.Errorf("a has %d networks:\n%s", got, rendered.YAML)
	}
	if !project.Networks["web"].External || project.Networks["default"].External || project.Networks["inner"].External {
		t.Errorf("external networks are wrong:\n%s", rendered.YAML)
	}
	if !slices.Equal(rendered.Networks, []string{"admin", "web"}) {
		t.Errorf("listed networks are %v", rendered.Networks)
	}
}

func FuzzOverride(f *testing.F) {
	for _, seed := range [][2]string{
		{"django_image", "betagouv/mrs:master"}, {"django_image", ""}, {"django_image", "\xff$A"}, {"django_ports", `["8000:8000"]`}, {"django_ports", `[`},
		{"django_build", ""}, {"django_networks", "web"}, {"django_networks", "web,admin"}, {"django_environment", `{"A":"$"}`},
		{"my_app_shm_size", "64m"}, {"my_app_scale", "1e400"}, {"djagno_image", "x"}, {"my_app_", "x"}, {"_", ""}, {"django_labels", `{"a":null}`},
		{"django_volumes", `[{"type":"bind"}]`}, {"django_healthcheck", `{"test":[]}`}, {"django_deploy", `{"resources":{}}`},
		{"django_provider", `{"type":"x"}`}, {"django_pre_start", `[{}]`}, {"django_ulimits", `{"nofile":{}}`},
	} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, key, value string) {
		rendered, err := one(t, "services: {django: {image: x}, my-app: {image: y}}", nil, map[string]string{key: value})
		if err != nil {
			if !strings.Contains(err.Error(), "compose_") && !strings.Contains(err.Error(), "docker-compose.yml") {
				t.Errorf("the error names neither file nor override: %v", err)
			}
			return
		}
		project := load(t, rendered.YAML)
		if key == "django_image" && value != "" && !json.Valid([]byte(value)) && project.Services["django"].Image != value {
			t.Errorf("image %q became %q", value, project.Services["django"].Image)
		}
	})
}
