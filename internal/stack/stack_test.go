package stack_test

import (
	"encoding/json"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/stack"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

var update = flag.Bool("update", false, "write the golden files anew")

const composeDir = "../../compose"

// from returns the lookup of a map.
func from(values map[string]string) func(string) (string, bool) {
	return func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
}

// write makes a folder of compose files and returns it.
func write(t testing.TB, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, content := range files {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func render(t testing.TB, o stack.Options) *stack.Stack {
	t.Helper()
	rendered, err := stack.Render(t.Context(), o)
	if err != nil {
		t.Fatalf("render: %v", err)
	}
	return rendered
}

// one renders a single compose file.
func one(t testing.TB, content string, values, overrides map[string]string) (*stack.Stack, error) {
	t.Helper()
	dir := write(t, map[string]string{"docker-compose.yml": content})
	return stack.Render(t.Context(), stack.Options{
		Dir: dir, Files: []string{"docker-compose.yml"}, Name: "test", Lookup: from(values), Overrides: overrides,
	})
}

// load reads a rendered file the way Compose does on a host, with no variable set.
func load(t testing.TB, rendered []byte) *types.Project {
	t.Helper()
	project, err := loader.LoadWithContext(t.Context(), types.ConfigDetails{
		WorkingDir:  "/home/test",
		ConfigFiles: []types.ConfigFile{{Filename: "docker-compose.yml", Content: rendered}},
		Environment: types.Mapping{},
	}, func(o *loader.Options) {
		o.SetProjectName("test", false)
		o.ResolvePaths = false
	})
	if err != nil {
		t.Fatalf("Compose does not take the rendered file: %v\n%s", err, rendered)
	}
	return project
}

// typical are the stacks that the cookbook deploys.
var typical = map[string]stack.Options{
	"minimal": {
		Files:  []string{"docker-compose.yml"},
		Name:   "minimal",
		Lookup: from(map[string]string{"SECRET_KEY": "notsecret"}),
	},
	"local": {
		Files: []string{"docker-compose.yml", "docker-compose.persist.yml"},
		Name:  "testmrs",
		Lookup: from(map[string]string{
			"SECRET_KEY": "notsecret", "BASICAUTH_DISABLE": "1", "HOST": "localhost:8000",
			"ALLOWED_HOSTS": "127.0.0.1,localhost", "POSTGRES_BACKUP": "/tmp/backup/mrs-production-postgres",
		}),
		Overrides: map[string]string{
			"django_ports": `["8000:8000"]`, "django_build": "", "django_image": "betagouv/mrs:master",
		},
	},
	"production": {
		Files: []string{"docker-compose.yml", "docker-compose.traefik.yml", "docker-compose.persist.yml"},
		Name:  "mrs-production",
		Lookup: from(map[string]string{
			"SECRET_KEY": `p4$$w0rd #"quoted" ${NOT_A_VARIABLE}`, "HOST": "mrs.beta.gouv.fr", "SITE": "www.mrs.beta.gouv.fr", "SITE_ALIAS": "mrs.beta.gouv.fr", "CERT_RESOLVER": "leresolver", "CERT_RESOLVER_MORE": "leresolver", "HOST_SLUG": "mrs-beta-gouv-fr",
			"PROTO": "https", "ALLOWED_HOSTS": "mrs.beta.gouv.fr", "LISTEN": "1024",
			"DEFAULT_FROM_EMAIL": "Équipe <equipe@mrs.beta.gouv.fr>", "POSTGRES_BACKUP": "/mnt/backup/mrs-production/postgres",
		}),
		Overrides: map[string]string{"django_build": "", "django_image": "betagouv/mrs:1234567"},
	},
	"staging": {
		Files: []string{
			"docker-compose.yml", "docker-compose.traefik.yml", "docker-compose.persist.yml", "docker-compose.maildev.yml",
		},
		Name: "mrs-staging",
		Lookup: from(map[string]string{
			"SECRET_KEY": "notsecret", "HOST": "staging.mrs.beta.gouv.fr", "SITE": "www.staging.mrs.beta.gouv.fr", "SITE_ALIAS": "staging.mrs.beta.gouv.fr", "CERT_RESOLVER": "leresolver", "CERT_RESOLVER_MORE": "leresolver", "HOST_SLUG": "staging-mrs-beta-gouv-fr",
			"PROTO": "https", "EMAIL_HOST": "smtp.gouv.fr", "EMAIL_HOST_PASSWORD": "not for the test server",
		}),
		Overrides: map[string]string{"django_build": ""},
	},
	"branch": {
		Files: []string{"docker-compose.yml", "docker-compose.maildev.yml", "docker-compose.traefik.yml"},
		Name:  "test-branch",
		Lookup: from(map[string]string{
			"SECRET_KEY": "notsecret", "HOST": "test-branch.mrs.beta.gouv.fr", "SITE": "test-branch.mrs.beta.gouv.fr", "SITE_ALIAS": "www.test-branch.mrs.beta.gouv.fr", "HOST_SLUG": "test-branch-mrs-beta-gouv-fr",
		}),
		Overrides: map[string]string{"django_build": "", "django_image": "betagouv/mrs:branch"},
	},
}

func TestTypicalStacksRenderAsBefore(t *testing.T) {
	for name, o := range typical {
		t.Run(name, func(t *testing.T) {
			o.Dir = composeDir
			rendered := render(t, o)
			needs, err := json.MarshalIndent(rendered, "", "  ")
			if err != nil {
				t.Fatal(err)
			}
			golden(t, name+".yml", rendered.YAML)
			golden(t, name+".json", append(needs, '\n'))
		})
	}
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *update {
		if err := os.WriteFile(path, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if string(got) != string(want) {
		t.Errorf("%s differs; `go test ./internal/stack -update` and git diff show how. Got:\n%s", path, got)
	}
}

func TestRenderingTwiceGivesTheSameBytes(t *testing.T) {
	for name, o := range typical {
		o.Dir = composeDir
		first := render(t, o)
		for range 10 {
			if again := render(t, o); string(again.YAML) != string(first.YAML) {
				t.Fatalf("%s: rendered differently:\n%s\n%s", name, first.YAML, again.YAML)
			}
		}
	}
}

func TestARenderedFileRendersToItself(t *testing.T) {
	for name, o := range typical {
		o.Dir = composeDir
		rendered := render(t, o)
		again, err := one(t, string(rendered.YAML), nil, nil)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		got := strings.Replace(body(again.YAML), "name: test\n", "name: "+o.Name+"\n", 1)
		if got != body(rendered.YAML) {
			t.Errorf("%s became:\n%s", name, got)
		}
		if want, got := mustJSON(t, rendered.Folders), mustJSON(t, again.Folders); got != want {
			t.Errorf("%s: folders %s became %s", name, want, got)
		}
	}
}

// body returns a rendered file without its comment.
func body(rendered []byte) string {
	lines := strings.SplitAfter(string(rendered), "\n")
	for len(lines) > 0 && strings.HasPrefix(lines[0], "#") {
		lines = lines[1:]
	}
	return strings.Join(lines, "")
}

func mustJSON(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTheCommentHasNamesAndNoValues(t *testing.T) {
	o := typical["production"]
	o.Dir = composeDir
	comment := strings.TrimSuffix(string(render(t, o).YAML), body(render(t, o).YAML))
	for _, want := range []string{"docker-compose.persist.yml", "compose_django_image"} {
		if !strings.Contains(comment, want) {
			t.Errorf("the comment does not name %s:\n%s", want, comment)
		}
	}
	for _, value := range []string{"p4$", "1234567"} {
		if strings.Contains(comment, value) {
			t.Errorf("the comment has the value %s:\n%s", value, comment)
		}
	}
}

func TestTheProcessEnvironmentIsNotRead(t *testing.T) {
	t.Setenv("FROM_PROCESS", "leaked")
	t.Setenv("COMPOSE_PROJECT_NAME", "leaked")
	rendered, err := one(t, `
services:
  a:
    image: x:${FROM_PROCESS:-default}
    environment: [FROM_PROCESS, "NAME=${COMPOSE_PROJECT_NAME}"]
`, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	if strings.Contains(string(rendered.YAML), "leaked") {
		t.Errorf("the process's environment is in the rendered file:\n%s", rendered.YAML)
	}
	if got := *load(t, rendered.YAML).Services["a"].Environment["NAME"]; got != "test" {
		t.Errorf("COMPOSE_PROJECT_NAME is %q, want the project's name", got)
	}
}

func TestVariablesNamedWithoutValueGetTheirs(t *testing.T) {
	values := map[string]string{"SET": "value", "EMPTY": ""}
	for form, environment := range map[string]string{
		"list":    "[SET, EMPTY, UNSET]",
		"mapping": "{SET: , EMPTY: , UNSET: }",
	} {
		rendered, err := one(t, "services: {a: {image: x, environment: "+environment+", build: {context: ., args: "+environment+"}}}", values, nil)
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		service := load(t, rendered.YAML).Services["a"]
		for what, got := range map[string]types.MappingWithEquals{"environment": service.Environment, "args": service.Build.Args} {
			if got["SET"] == nil || *got["SET"] != "value" {
				t.Errorf("%s: %s: SET is not passed: %v", form, what, got)
			}
			if got["EMPTY"] == nil || *got["EMPTY"] != "" {
				t.Errorf("%s: %s: EMPTY is not passed as empty: %v", form, what, got)
			}
			if _, there := got["UNSET"]; there {
				t.Errorf("%s: %s: UNSET is not left out: %v", form, what, got)
			}
		}
	}
}

func TestVariablesWorkInLabelKeys(t *testing.T) {
	for form, labels := range map[string]string{
		"list":    `["traefik.http.routers.${HOST_SLUG}.rule=Host(${HOST})"]`,
		"mapping": `{"traefik.http.routers.${HOST_SLUG}.rule": "Host(${HOST})"}`,
	} {
		rendered, err := one(t, "services: {a: {image: x, labels: "+labels+"}}",
			map[string]string{"HOST_SLUG": "a-b", "HOST": "a.b"}, nil)
		if err != nil {
			t.Fatalf("%s: %v", form, err)
		}
		if got := load(t, rendered.YAML).Services["a"].Labels["traefik.http.routers.a-b.rule"]; got != "Host(a.b)" {
			t.Errorf("%s: the label is %q in\n%s", form, got, rendered.YAML)
		}
	}
}

// Compose runs a program called NONE otherwise, and the service is never healthy.
func TestNoHealthCheckIsNoneInEachOfItsSpellings(t *testing.T) {
	for written, want := range map[string]string{
		"{disable: true}":                    `{"disable":true}`,
		`{disable: "yes"}`:                   `{"disable":true}`,
		"{disable: true, test: [CMD, x]}":    `{"test":["CMD","x"],"disable":true}`,
		`{test: ["NONE"]}`:                   `{"test":["NONE"]}`,
		"{test: NONE}":                       `{"test":["NONE"]}`,
		"{test: none}":                       `{"test":["NONE"]}`,
		`{test: ["CMD", "NONE"]}`:            `{"test":["NONE"]}`,
		`{test: ["CMD-SHELL", " NONE "]}`:    `{"test":["NONE"]}`,
		"{test: []}":                         `{}`,
		`{test: ["CMD", "check", "NONE"]}`:   `{"test":["CMD","check","NONE"]}`,
		`{test: "echo NONE", interval: 10s}`: `{"test":["CMD-SHELL","echo NONE"],"interval":"10s"}`,
	} {
		s, err := one(t, "services: {django: {image: x, healthcheck: "+written+"}}", nil, nil)
		if err != nil {
			t.Errorf("%s: %v", written, err)
			continue
		}
		got, err := json.Marshal(load(t, s.YAML).Services["django"].HealthCheck)
		if err != nil || string(got) != want {
			t.Errorf("%s: %s, %v, not %s", written, got, err, want)
		}
	}
}

func TestLaterFilesWin(t *testing.T) {
	dir := write(t, map[string]string{
		"a.yml": "services: {a: {image: first, ports: ['1:1'], command: old, environment: {A: '1', B: '1'}}}",
		"b.yml": "services: {a: {image: second, ports: !override ['2:2'], command: !reset null, environment: [B=2]}}",
	})
	rendered := render(t, stack.Options{Dir: dir, Files: []string{"a.yml", filepath.Join(dir, "b.yml")}, Name: "test"})
	a := load(t, rendered.YAML).Services["a"]
	if a.Image != "second" || *a.Environment["A"] != "1" || *a.Environment["B"] != "2" {
		t.Errorf("not merged:\n%s", rendered.YAML)
	}
	if len(a.Ports) != 1 || a.Ports[0].Published != "2" || a.Command != nil {
		t.Errorf("!override and !reset are lost:\n%s", rendered.YAML)
	}
}

func TestAnchorsAndMergeKeysWorkAndMayBeOverridden(t *testing.T) {
	rendered, err := one(t, `
version: "2.3"
x-unused: ${NOBODY_NEEDS_THIS}
x-base: &base
  image: x
  restart: always
  environment: &env
    REQUIRED: ${REQUIRED}
services:
  a:
    <<: *base
    image: y
  b:
    <<: [{restart: "no"}, *base]
    environment: *env
`, map[string]string{"REQUIRED": "there"}, map[string]string{"a_environment": "", "b_image": "z"})
	if err != nil {
		t.Fatal(err)
	}
	services := load(t, rendered.YAML).Services
	a, b := services["a"], services["b"]
	if a.Image != "y" || a.Restart != "always" || len(a.Environment) != 0 {
		t.Errorf("a is wrong:\n%s", rendered.YAML)
	}
	if b.Image != "z" || b.Restart != "no" || *b.Environment["REQUIRED"] != "there" {
		t.Errorf("b is wrong:\n%s", rendered.YAML)
	}
}

func TestBindPathsStayRelative(t *testing.T) {
	o := typical["local"]
	o.Dir = composeDir
	project := load(t, render(t, o).YAML)
	for _, volume := range project.Services["django"].Volumes {
		if filepath.IsAbs(volume.Source) {
			t.Errorf("%s is absolute: the host resolves it in home", volume.Source)
		}
	}
}

func TestExternalNetworksAreListedByTheirRealName(t *testing.T) {
	rendered, err := one(t, `
services: {a: {image: x, networks: [web, inner]}}
networks: {web: {external: true, name: "${NET}"}, inner: }
`, map[string]string{"NET": "traefik"}, nil)
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(rendered.Networks, ","); got != "traefik" {
		t.Errorf("networks are %s, want traefik", got)
	}
}

func FuzzValueSurvives(f *testing.F) {
	for _, seed := range []string{
		"", " ", "plain", "a$b", "$$", "${X}", "$", "a\nb\n", "\r\n", "\t", " 0\n", "\n x\n\n", `"`, `'`, "#", "a # b", ": ", "- a", "é€😀",
		"\ufeff", "\u2028", "\x01", "\x7f", "~", "null", "true", "yes", "0x1f", "1e3", "012", "1:20", "!tag", "&a", "*a", "|", ">", "%", "@", "`", "{", "[",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, value string) {
		rendered, err := one(t, `
services:
  a:
    image: x
    environment: [VALUE, "INLINE=<${VALUE}>"]
    labels: {value: "${VALUE}"}
    command: ["${VALUE}"]
`, map[string]string{"VALUE": value}, map[string]string{"a_hostname": "h", "a_entrypoint": mustMarshal([]string{value})})
		if err != nil {
			if strings.Contains(err.Error(), "VALUE holds bytes that are no UTF-8 text") {
				return
			}
			t.Fatal(err)
		}
		a := load(t, rendered.YAML).Services["a"]
		for where, got := range map[string]string{
			"- VALUE": *a.Environment["VALUE"], "label": a.Labels["value"], "command": a.Command[0], "override": a.Entrypoint[0],
		} {
			if got != value {
				t.Errorf("%s: %q became %q in\n%s", where, value, got, rendered.YAML)
			}
		}
		if got := *a.Environment["INLINE"]; got != "<"+value+">" {
			t.Errorf("${VALUE}: %q became %q", value, got)
		}
		again, err := one(t, string(rendered.YAML), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		if body(again.YAML) != body(rendered.YAML) {
			t.Errorf("rendered again, this differs:\n%s\n%s", rendered.YAML, again.YAML)
		}
	})
}

func mustMarshal(v any) string {
	text, err := json.Marshal(v)
	if err != nil {
		panic(err)
	}
	return string(text)
}

func TestTheFolderForDumpsIsRootsWhateverALabelSays(t *testing.T) {
	for label, want := range map[string]string{
		"./pg/dump:999:999:0700":     "[{pg/dump 0 999 1770}]",
		"/mnt/backup/x:70:70:0750":   "[{/mnt/backup/x 0 70 1770}]",
		"./dump:0:0:0755":            "[{dump 0 0 0755}]",
		"./a,./dump/:999:999:0700":   "[{a 999 999 0700} {dump 0 999 1770}]",
		"./dump/data,./x:999:9:0700": "[{dump/data 999 9 0700} {x 0 9 1770}]",
	} {
		source, _, _ := strings.Cut(label[strings.LastIndex(label, ",")+1:], ":")
		rendered, err := one(t, `{services: {postgres: {image: "postgres:17", volumes: ["`+source+`:/dump"],
labels: ["io.yourlabs.compose.mkdir=`+label+`"]}}}`, nil, nil)
		if err != nil {
			t.Errorf("%s: %v", label, err)
			continue
		}
		if got := fmt.Sprint(rendered.Folders); got != want {
			t.Errorf("%s: %s, want %s", label, got, want)
		}
		if !strings.Contains(string(rendered.YAML), label) {
			t.Errorf("%s: PostgreSQL would be replaced:\n%s", label, rendered.YAML)
		}
	}
}
