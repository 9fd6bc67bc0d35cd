package stack_test

import (
	"fmt"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/stack"
)

// Services in YAML that the tables are made of.
const (
	behind = `labels: {traefik.enable: "true", "traefik.http.services.w.loadbalancer.server.port": "80", ` +
		`"traefik.http.routers.w.rule": "Host(\x60w.test\x60)"}, healthcheck: {test: x}`
	web     = "web: {image: w, " + behind + "}\n"
	db      = "postgres: {image: p}\n"
	waiting = "depends_on: {migrate: {condition: service_completed_successfully}}"
)

func TestWhatEachServiceIsIsDerivedFromTheComposeFile(t *testing.T) {
	for name, test := range map[string]struct{ services, want string }{
		"MRS": {"django: {image: a, volumes: [/log:/log, /spooler:/spooler], labels: {traefik.enable: \"true\"}}\n" + db,
			"django=rolls:8000 postgres=database"},
		"MRS without a load balancer": {"django: {image: a, ports: [\"9000:8000\"]}\n" + db,
			"django=other:8000(no load balancer is before it) postgres=database"},
		"two that roll":      {web + strings.ReplaceAll(web, "web:", "api:"), "api=rolls:80 web=rolls:80"},
		"replicas":           {strings.Replace(web, "image", "deploy: {replicas: 3}, image", 1), "web=rolls*3:80"},
		"scale":              {strings.Replace(web, "image", "scale: 3, image", 1), "web=rolls*3:80"},
		"none at all":        {strings.Replace(web, "image", "scale: 0, image", 1), "web=rolls*0:80"},
		"a fixed name":       {strings.Replace(web, "image", "container_name: xy, image", 1), "web=other:80(its container has a fixed name)"},
		"a published port":   {strings.Replace(web, "image", "ports: [\"81:80\"], image", 1), "web=other:80(it publishes a port)"},
		"the host's network": {strings.Replace(web, "image", "network_mode: host, image", 1), "web=other:80(it has no network of its own)"},
		"a fixed address": {strings.Replace(web, "image", "networks: {default: {ipv4_address: 10.0.0.9}}, image", 1),
			"web=other:80(it has a fixed address)"},
		"it writes to a volume": {strings.Replace(web, "image", "volumes: [/srv/x:/x], image", 1), "web=other:80(it writes to /srv/x)"},
		"several write to it":   {strings.Replace(web, "image", "scale: 2, volumes: [/srv/x:/x], image", 1), "web=rolls*2:80"},
		"it reads a volume":     {strings.Replace(web, "image", "volumes: [\"/srv/x:/x:ro\", /anonymous], tmpfs: [/tmp], image", 1), "web=rolls:80"},
		"a part of its container": {web + "log: {image: l, network_mode: \"service:web\"}\n",
			"log=other(no load balancer is before it) web=other:80(log is part of its container)"},
		"no port is known":  {"web: {image: w, labels: [traefik.enable=true]}\n", "web=other(no label tells the load balancer its port)"},
		"a port is exposed": {"web: {image: w, expose: [\"81\"], labels: [traefik.enable=true]}\n", "web=rolls:81"},
		"TCP beside HTTP": {strings.Replace(web, "labels: {", "labels: {traefik.tcp.routers.x.rule: \"HostSNI(*)\", ", 1),
			"web=other:80(it is not reached by HTTP alone)"},
		"a one-shot": {strings.Replace(web, "image", waiting+", image", 1) + "migrate: {image: w, restart: \"no\"}\n",
			"migrate=one-shot(no load balancer is before it) web=rolls:80"},
		"one that is tried again": {strings.Replace(web, "image", waiting+", image", 1) + "migrate: {image: w, restart: on-failure}\n",
			"migrate=one-shot(no load balancer is before it) web=rolls:80"},
		"a chain of them": {strings.Replace(web, "image", waiting+", image", 1) +
			"migrate: {image: w, depends_on: {seed: {condition: service_completed_successfully}}}\nseed: {image: s}\n",
			"migrate=one-shot(no load balancer is before it) seed=one-shot(no load balancer is before it) web=rolls:80"},
		"nobody waits for its end": {"web: {image: w, depends_on: [job]}\njob: {image: j, restart: \"no\"}\n",
			"job=other(no load balancer is before it) web=other(no load balancer is before it)"},
		"one of a profile": {web + "debug: {image: d, profiles: [debug], " + waiting + "}\nmigrate: {image: m}\n",
			"migrate=other(no load balancer is before it) web=rolls:80"},
		"a database by its label": {"db: {image: p, labels: [mrs-ops.database=true]}\n" + db,
			"db=database postgres=other(no load balancer is before it)"},
		"postgres is none": {"postgres: {image: p, labels: [mrs-ops.database=false]}\n", "postgres=other(no load balancer is before it)"},
		"no database":      {web, "web=rolls:80"},
	} {
		t.Run(name, func(t *testing.T) {
			content := "services:\n"
			for line := range strings.Lines(test.services) {
				content += "  " + strings.ReplaceAll(line, `\x60`, "\u0060")
			}
			rendered, err := one(t, content, nil, nil)
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, s := range rendered.Services {
				text := s.Name + "=" + string(s.Kind)
				if s.Replicas != 1 {
					text += fmt.Sprintf("*%d", s.Replicas)
				}
				if s.Port != 0 {
					text += fmt.Sprintf(":%d", s.Port)
				}
				if s.Fixed != "" && s.Kind != "database" {
					text += "(" + s.Fixed + ")"
				}
				got = append(got, text)
			}
			if strings.Join(got, " ") != test.want {
				t.Errorf("%s\nnot %s", strings.Join(got, " "), test.want)
			}
		})
	}
}

func TestAStackWhoseServicesCannotBeWhatTheySayIsRefused(t *testing.T) {
	for want, services := range map[string]string{
		"migrate: web waits for its end, and it never ends: restart always": strings.Replace(web, "image", waiting+", image", 1) +
			"migrate: {image: w, restart: always}\n",
		"migrate: web waits for its end, and it never ends: restart unless-stopped": strings.Replace(web, "image", waiting+", image", 1) +
			"migrate: {image: w, restart: unless-stopped}\n",
		"a and b are labelled mrs-ops.database": "a: {image: p, labels: [mrs-ops.database=true]}\nb: {image: p, labels: [mrs-ops.database=true]}\n",
		`label mrs-ops.database is "yes"`:       "a: {image: p, labels: [mrs-ops.database=yes]}\n",
	} {
		content := "services:\n"
		for line := range strings.Lines(services) {
			content += "  " + strings.ReplaceAll(line, `\x60`, "\u0060")
		}
		if _, err := one(t, content, nil, nil); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v, not %s", err, want)
		}
	}
}

func TestWhereVisitorsComeIsReadFromTheRoutes(t *testing.T) {
	for rules, want := range map[string]string{
		"Host(`b.test`, `a.test`)":                     "[a.test b.test] ",
		"Host(`a.test`) || Host(`b.test`)":             "[a.test b.test] ",
		"Host(`a.test`) && PathPrefix(`/api`)":         "[a.test] /api",
		"Host(`a.test`) && !PathPrefix(`/api`)":        "[a.test] ",
		"HostRegexp(`.+`)":                             "[] ",
		"Host(`a.test`) && Path(`/x`)\nHost(`a.test`)": "[a.test] ",
	} {
		content := "services:\n  web:\n    image: w\n    labels:\n"
		n := 0
		for rule := range strings.Lines(rules) {
			content += fmt.Sprintf("      traefik.http.routers.r%d.rule: %q\n", n, strings.TrimSpace(rule))
			n++
		}
		rendered, err := one(t, content, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		s := rendered.Services[0]
		if got := fmt.Sprintf("%v %s", s.Hosts, s.Path); got != want {
			t.Errorf("%s: %s, not %s", rules, got, want)
		}
	}
}

func TestTheExampleIsWhatItSaysThatItIs(t *testing.T) {
	values := map[string]string{"HOST_SLUG": "shop", "SITE": "shop.test", "DB_NAME": "shop", "DB_USER": "shop", "DB_PASSWORD": "hush"}
	rendered := render(t, stack.Options{
		Dir: composeDir, Files: []string{"examples/shop/compose.yml"}, Name: "shop", Lookup: from(values),
	})
	var got []string
	for _, s := range rendered.Services {
		got = append(got, fmt.Sprintf("%s %s*%d %v", s.Name, s.Kind, s.Replicas, s.Hosts))
	}
	if want := "[db database*1 [] migrate one-shot*1 [] web rolls*2 [shop.test]]"; fmt.Sprint(got) != want {
		t.Errorf("%v, not %s", got, want)
	}
}
