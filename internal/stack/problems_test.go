package stack_test

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/stack"
)

func TestProblemsAreNamed(t *testing.T) {
	const app = "services: {django: {image: x}, my-app: {image: y}}"
	for name, c := range map[string]struct {
		content   string
		values    map[string]string
		overrides map[string]string
		want      string // the whole error
	}{
		"a required variable is not set": {
			content: "services: {django: {image: 'x:${TAG}'}}",
			want: "docker-compose.yml: service django: image: TAG is not set\n" +
				"hint: give TAG a value; where empty is fine, the compose file says ${NAME:-}",
		},
		"a required variable is empty, and its author says why": {
			content: "services: {django: {image: 'x:${TAG:?the version to run}'}}",
			values:  map[string]string{"TAG": ""},
			want: "docker-compose.yml: service django: image: TAG is empty: the version to run\n" +
				"hint: give TAG a value; where empty is fine, the compose file says ${NAME:-}",
		},
		"all required variables, in keys, lists and other sections too, each once": {
			content: `
services:
  django:
    image: ${A}${B?}
    labels: {"${KEY}": "${KEY}"}
    environment: ["X=${C:-${D}}"]
networks: {web: {name: "$E", external: true}}
`,
			want: "docker-compose.yml: service django: image: A is not set\n" +
				"docker-compose.yml: service django: image: B is not set\n" +
				"docker-compose.yml: service django: labels: KEY is not set\n" +
				"docker-compose.yml: service django: environment: D is not set\n" +
				"docker-compose.yml: networks: E is not set\n" +
				"hint: give A, B, D, E, KEY a value; where empty is fine, the compose file says ${NAME:-}",
		},
		"a variable is misspelt": {
			content: "services: {django: {image: 'x:${TAG!}', hostname: 'h${'}}",
			want: `docker-compose.yml: service django: image: "${TAG!}" is no variable` + "\nhint: a literal $ is written $$\n" +
				`docker-compose.yml: service django: hostname: "${" is no variable` + "\nhint: a literal $ is written $$",
		},
		"a value is not text": {
			content: "services: {django: {image: x, environment: [BINARY, 'NUL=${NUL}']}}",
			values:  map[string]string{"BINARY": "\xff", "NUL": "a\x00b"},
			want:    "variable NUL holds bytes that are no UTF-8 text",
		},
		"a value named by - NAME is not text": {
			content: "services: {django: {image: x, environment: [BINARY]}}",
			values:  map[string]string{"BINARY": "\xff"},
			want:    "docker-compose.yml: variable BINARY holds bytes that are no UTF-8 text",
		},
		"an override of an unknown service": {
			content:   app,
			overrides: map[string]string{"djagno_image": "x"},
			want: "docker-compose.yml: compose_djagno_image: service djagno: image: no such service: there are django, my-app\n" +
				"hint: did you mean django?",
		},
		"an override of an unknown service that is near none, with a key of two words": {
			content:   app,
			overrides: map[string]string{"nginx_shm_size": "1g"},
			want:      "docker-compose.yml: compose_nginx_shm_size: service nginx: shm_size: no such service: there are django, my-app",
		},
		"an override of an unknown key": {
			content:   app,
			overrides: map[string]string{"my_app_prots": "[]"},
			want:      "docker-compose.yml: compose_my_app_prots: service my-app: prots: no such key of a service\nhint: did you mean ports?",
		},
		"an override without key": {
			content:   app,
			overrides: map[string]string{"django": "x"},
			want:      "docker-compose.yml: compose_django: service django: no such service: there are django, my-app\nhint: did you mean django?",
		},
		"an override of one of two services that are written alike": {
			content:   "services: {a-b: {image: x}, a_b: {image: x}}",
			overrides: map[string]string{"a_b_image": "y"},
			want:      "docker-compose.yml: compose_a_b_image: is it service a-b or a_b?",
		},
		"an override that is no JSON": {
			content:   app,
			overrides: map[string]string{"django_ports": `["8000:8000"`, "django_volumes": `["a"] ["b"]`},
			want: "docker-compose.yml: compose_django_ports: service django: ports: not JSON: unexpected EOF\n" +
				"docker-compose.yml: compose_django_volumes: service django: volumes: not JSON: more follows the value",
		},
		"an override with a plain value for a list": {
			content:   app,
			overrides: map[string]string{"django_ports": "8000:8000"},
			want: "compose_django_ports: service django: ports: must be an array\n" +
				`hint: lists and mappings are given as JSON: compose_django_ports='["…"]'`,
		},
		"an override with a word for a number": {
			content:   app,
			overrides: map[string]string{"django_cpus": "many"},
			want:      "compose_django_cpus: service django: cpus: not a number, or neither true nor false, where cpus wants it",
		},
		"an override that is not text": {
			content:   app,
			overrides: map[string]string{"django_image": "\xff"},
			want:      "docker-compose.yml: compose_django_image: service django: image: the value holds bytes that are no UTF-8 text",
		},
		"an override with a bad network": {
			content:   app,
			overrides: map[string]string{"django_networks": "web,, admin"},
			want:      `docker-compose.yml: compose_django_networks: service django: networks: "" is no name of a network`,
		},
		"an override with a bad folder": {
			content:   app,
			overrides: map[string]string{"django_labels": `{"io.yourlabs.compose.mkdir": "log"}`},
			want: "compose_django_labels: service django: labels: io.yourlabs.compose.mkdir: " +
				"want PATH[,PATH…]:UID:GID:MODE, such as ./log:1000:1000:0750",
		},
		"two overrides that can't be": {
			content:   app,
			overrides: map[string]string{"djagno_image": "x", "django_imgae": "x"},
			want: "docker-compose.yml: compose_djagno_image: service djagno: image: no such service: there are django, my-app\n" +
				"hint: did you mean django?\n" +
				"docker-compose.yml: compose_django_imgae: service django: imgae: no such key of a service\nhint: did you mean image?",
		},
		"bad folders, everything that is wrong with them": {
			content: `services: {django: {image: x, labels: ["io.yourlabs.compose.mkdir=../up,:a:-1:9"]}}`,
			want: strings.ReplaceAll(`@uid "a" is not a number, such as 1000
@gid "-1" is not a number, such as 1000
@mode "9" is not three or four octal digits, such as 0750
@path "../up" leaves home
@a path is empty`, "@", "docker-compose.yml: service django: labels: io.yourlabs.compose.mkdir: "),
		},
		"a folder where carried files are": {
			content: `services: {django: {image: x, labels: ["io.yourlabs.compose.mkdir=log,./.files/x:0:0:0700"]}}`,
			want: "docker-compose.yml: service django: labels: io.yourlabs.compose.mkdir: " +
				`path "./.files/x" is where the files are that the stack brings along`,
		},
		"one folder for two owners": {
			content: `
services:
  a: {image: x, labels: ["io.yourlabs.compose.mkdir=./log:1000:1000:0750"]}
  b: {image: x, labels: {io.yourlabs.compose.mkdir.logs: "log/:999:1000:750"}}
`,
			want: "docker-compose.yml: service b: labels: io.yourlabs.compose.mkdir.logs: " +
				"log is to be 999:1000:0750, but docker-compose.yml: service a: labels has it as 1000:1000:0750",
		},
		"a file that is no YAML": {
			content: "services:\n  a:\n    image: [x\n  b: y\n",
			want: "docker-compose.yml: yaml: while parsing a flow sequence at line 2, column 12: " +
				"line 3, column 4: did not find expected ',' or ']'",
		},
		"a key given twice": {
			content: "services:\n  a:\n    image: x\n    image: y\n",
			want:    "docker-compose.yml: line 4: image is already on line 3",
		},
		"a key that is a number": {
			content: "services:\n  a:\n    environment:\n      1: x\n",
			want:    "docker-compose.yml: line 4: a key must be text\nhint: put it in quotes",
		},
		"a merge key that merges a text": {
			content: "services:\n  a:\n    <<: text\n",
			want:    "docker-compose.yml: line 3: << merges mappings only",
		},
		"aliases that multiply": {
			content: "a: &a [x,x,x,x,x,x,x,x,x,x]\nb: &b [*a,*a,*a,*a,*a,*a,*a,*a,*a,*a]\nc: &c [*b,*b,*b,*b,*b,*b,*b,*b,*b,*b]\n" +
				"d: &d [*c,*c,*c,*c,*c,*c,*c,*c,*c,*c]\ne: [*d,*d,*d,*d,*d,*d,*d,*d,*d,*d]\n",
			want: "docker-compose.yml: line 1: aliases make this file larger than 100000 values",
		},
		"an alias within itself": {
			content: "a: &a [*a]\n",
			want:    "docker-compose.yml: line 1: aliases make this file larger than 100000 values",
		},
		"a file that is a list": {
			content: "- services\n",
			want:    "docker-compose.yml: line 1: a compose file is a mapping, with services and so on",
		},
		"a file that says nothing": {
			content: "# nothing\n",
			want:    "docker-compose.yml: no file defines a service",
		},
		"a file without services": {
			content: "networks: {web: {external: true}}",
			want:    "docker-compose.yml: no file defines a service",
		},
		"keys that Compose does not have": {
			content: "services: {django: {iamge: x, build: {contxt: .}}}\nnetworks: {web: {externl: true}}\nfoo: 1\n",
			want: "docker-compose.yml: service django: iamge: no such key of a service\nhint: did you mean image?\n" +
				"docker-compose.yml: service django: build: additional properties 'contxt' not allowed\n" +
				"docker-compose.yml: networks: web additional properties 'externl' not allowed\n" +
				"docker-compose.yml: foo: additional properties 'foo' not allowed",
		},
		"a service that is a text": {
			content: "services: {django: image}",
			want:    "docker-compose.yml: service django: a service is a mapping, with image and so on",
		},
		"services that are a list": {
			content: "services: [django]",
			want:    "docker-compose.yml: services: must be a mapping",
		},
		"a volume without target": {
			content: "services: {django: {image: x, volumes: ['./log:']}}",
			want:    "docker-compose.yml: service django: volumes: invalid spec: ./log:: empty section between colons",
		},
		"a service without image": {
			content: "services: {django: {command: x}}",
			want:    `docker-compose.yml: service "django" has neither an image nor a build context specified: invalid compose project`,
		},
		"a network that no file declares": {
			content: "services: {django: {image: x, networks: [web]}}",
			want:    `docker-compose.yml: service "django" refers to undefined network web: invalid compose project`,
		},
		"include, extends, and secrets of the environment": {
			content: "include: [x.yml]\nservices: {a: {extends: b}, b: {image: x}}\nsecrets: {k: {environment: K}}\n",
			want: "docker-compose.yml: service a: extends: not supported: a stack is the files that it names\n" +
				"hint: name each file in the list, or use a YAML anchor\n" +
				"docker-compose.yml: include: not supported: a stack is the files that it names\n" +
				"hint: name each file in the list, or use a YAML anchor\n" +
				"docker-compose.yml: secrets: k: environment is not supported: the host has no such variable\nhint: use file",
		},
		"an option of a mount that Compose would pass over": {
			content:   "services: {a: {image: x, volumes: ['/a:/a:r0', '/b:/b:ro,zz', '/c:/c:ro,Z,rslave', 'c:/c:nocopy', '/d']}}",
			overrides: map[string]string{"a_tmpfs": "/tmp:size=1m"},
			want: "docker-compose.yml: service a: volumes: no such option of a mount: \"r0\"\nhint: did you mean ro?\n" +
				"docker-compose.yml: service a: volumes: no such option of a mount: \"zz\"",
		},
		"the same in an override": {
			content:   "services: {a: {image: x}}",
			overrides: map[string]string{"a_volumes": `["/a:/a:read-only"]`},
			want:      `compose_a_volumes: service a: volumes: no such option of a mount: "read-only"`,
		},
		"what would have to be built on the host": {
			content: "services: {a: {build: .}, b: {image: x, build: .}}",
			want: "docker-compose.yml: service a: build: the host has not what it is built from\n" +
				"hint: say by image what is built of it",
		},
		"jobs": {
			content: "services: {a: {image: x}}\njobs: {j: {image: x}}\n",
			want: "docker-compose.yml: jobs: not supported: nothing here starts a job\n" +
				`hint: make it a service, which restart: "no" has end`,
		},
		"problems of every kind, at once": {
			content:   "services: {django: {image: 'x:${TAG}', ports: 1, labels: ['io.yourlabs.compose.mkdir=x']}}",
			overrides: map[string]string{"djagno_image": "x"},
			want: "docker-compose.yml: compose_djagno_image: service djagno: image: no such service: there are django\n" +
				"hint: did you mean django?\n" +
				"docker-compose.yml: service django: image: TAG is not set\n" +
				"hint: give TAG a value; where empty is fine, the compose file says ${NAME:-}\n" +
				"docker-compose.yml: service django: ports: must be an array\n" +
				"docker-compose.yml: service django: labels: io.yourlabs.compose.mkdir: " +
				"want PATH[,PATH…]:UID:GID:MODE, such as ./log:1000:1000:0750",
		},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := one(t, c.content, c.values, c.overrides)
			if err == nil {
				t.Fatal("no error")
			}
			if err.Error() != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", err, c.want)
			}
		})
	}
}

func TestMissingFilesAreNamedWithThoseThatAreThere(t *testing.T) {
	dir := write(t, map[string]string{"docker-compose.yml": "", "docker-compose.persist.yml": ""})
	_, err := stack.Render(t.Context(), stack.Options{
		Dir: dir, Name: "Test", Files: []string{"docker-compose.yml", "docker-compose.persit.yml", "/nonexistent/x.yml", "../x.yml", "a\nb"},
	})
	want := `project name "Test": only small letters, digits, - and _, beginning with a letter or digit
docker-compose.persit.yml: no such file in DIR: there are docker-compose.persist.yml, docker-compose.yml
hint: did you mean docker-compose.persist.yml?
/nonexistent/x.yml: no such file in /nonexistent: no compose file is there
../x.yml: no such file in ABOVE: no compose file is there
"a\nb" is no name of a compose file`
	if err == nil || strings.NewReplacer(dir, "DIR", filepath.Join(dir, "../.."), "ABOVE").Replace(err.Error()) != want {
		t.Errorf("got:\n%v\nwant:\n%s", err, want)
	}
}

func TestNoFileIsAnError(t *testing.T) {
	_, err := stack.Render(t.Context(), stack.Options{Dir: composeDir, Name: "test"})
	if err == nil || err.Error() != "no compose file given" {
		t.Errorf("got %v", err)
	}
}

func TestAFileThatCannotBeReadIsNamed(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "folder.yml"), 0o755); err != nil {
		t.Fatal(err)
	}
	_, err := stack.Render(t.Context(), stack.Options{Dir: dir, Files: []string{"folder.yml"}, Name: "test"})
	if err == nil || !strings.Contains(err.Error(), filepath.Join(dir, "folder.yml")) {
		t.Errorf("got %v", err)
	}
}

func TestACancelledRenderStops(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := stack.Render(ctx, typical["minimal"]); !errors.Is(err, context.Canceled) {
		t.Errorf("got %v", err)
	}
}

func TestErrorsHideValues(t *testing.T) {
	const secret = `s3cret"with$quote`
	for name, content := range map[string]string{
		"in a port":    "services: {a: {image: x, ports: ['${SECRET}:80']}}",
		"in a number":  "services: {a: {image: x, scale: '${SECRET}'}}",
		"in a boolean": "services: {a: {image: x, privileged: '${SECRET}'}}",
		"in a folder":  "services: {a: {image: x, labels: ['io.yourlabs.compose.mkdir=/a:${SECRET}:1:0700']}}",
		"in a network": "services: {a: {image: x, networks: ['${SECRET}']}}",
		"in a key":     "services: {a: {image: x, ulimits: {'${SECRET}': x}}}",
		"in a volume":  "services: {a: {image: x, volumes: ['${SECRET}::']}}",
	} {
		_, err := one(t, content, map[string]string{"SECRET": secret}, nil)
		if err == nil {
			t.Errorf("%s: no error", name)
			continue
		}
		if strings.Contains(err.Error(), "s3cret") {
			t.Errorf("%s: the error shows the value: %v", name, err)
		}
	}
	_, err := one(t, "services: {a: {image: x}}", nil, map[string]string{"a_ports": `["s3cret:80"]`, "a_cpus": "s3cret"})
	if err == nil || strings.Contains(err.Error(), "s3cret") {
		t.Errorf("an override's value is in the error: %v", err)
	}
}
