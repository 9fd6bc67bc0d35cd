package model

import (
	"fmt"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

const traefik = `"labels": {"traefik.enable": "true", "traefik.http.services.mrs.loadbalancer.server.port": "8100"`

func TestWhatCountsOfAServiceIsReadFromAComposeFile(t *testing.T) {
	for name, test := range map[string]struct{ service, want string }{
		"it can run twice":                     {`{"image": "app", ` + traefik + `}}`, "app fixed= port=8100 checked=false unchecked=false"},
		"labels in a list":                     {`{"image": "app", "labels": ["traefik.enable=true", "other"]}`, "app fixed=no label tells the load balancer its port port=0 checked=false unchecked=false"},
		"no load balancer is before it":        {`{"image": "app"}`, "app fixed=no load balancer is before it port=0 checked=false unchecked=false"},
		"it is switched off":                   {`{"image": "app", "labels": {"traefik.enable": false}}`, "app fixed=no load balancer is before it port=0 checked=false unchecked=false"},
		"a port, in short":                     {`{"ports": ["8000:8000"], ` + traefik + `}}`, " fixed=it publishes a port port=8100 checked=false unchecked=false"},
		"a port, at length":                    {`{"ports": [{"target": 1}], ` + traefik + `}}`, " fixed=it publishes a port port=8100 checked=false unchecked=false"},
		"a fixed name":                         {`{"container_name": "x", ` + traefik + `}}`, " fixed=its container has a fixed name port=8100 checked=false unchecked=false"},
		"a health check":                       {`{"healthcheck": {"test": ["CMD", "x"]}, ` + traefik + `}}`, " fixed= port=8100 checked=true unchecked=false"},
		"a health check in a word":             {`{"healthcheck": {"test": "x"}, ` + traefik + `}}`, " fixed= port=8100 checked=true unchecked=false"},
		"only its interval":                    {`{"healthcheck": {"interval": "1s"}, ` + traefik + `}}`, " fixed= port=8100 checked=false unchecked=false"},
		"no health check: disable":             {`{"healthcheck": {"disable": true}, ` + traefik + `}}`, " fixed= port=8100 checked=false unchecked=true"},
		"no health check: NONE":                {`{"healthcheck": {"test": ["NONE"]}, ` + traefik + `}}`, " fixed= port=8100 checked=false unchecked=true"},
		"no health check: disable, as a text":  {`{"healthcheck": {"disable": "yes", "test": ["CMD", "x"]}, ` + traefik + `}}`, " fixed= port=8100 checked=false unchecked=true"},
		"no health check: NONE, as a text":     {`{"healthcheck": {"test": "NONE"}, ` + traefik + `}}`, " fixed= port=8100 checked=false unchecked=true"},
		"no health check: NONE, not disabled":  {`{"healthcheck": {"disable": false, "test": ["NONE", "x"]}, ` + traefik + `}}`, " fixed= port=8100 checked=false unchecked=true"},
		"a health check that is not disabled":  {`{"healthcheck": {"disable": "false", "test": ["CMD", "x"]}, ` + traefik + `}}`, " fixed= port=8100 checked=true unchecked=false"},
		"the image's: an empty test":           {`{"healthcheck": {"test": []}, ` + traefik + `}}`, " fixed= port=8100 checked=false unchecked=false"},
		"the image's: nothing is said":         {`{"healthcheck": {}, ` + traefik + `}}`, " fixed= port=8100 checked=false unchecked=false"},
		"no health check: disable, and a test": {`{"healthcheck": {"disable": true, "test": "x"}, ` + traefik + `}}`, " fixed= port=8100 checked=false unchecked=true"},
	} {
		t.Run(name, func(t *testing.T) {
			all, err := Parse([]byte(`{"services": {"s": ` + test.service + `}}`))
			if err != nil || len(all) != 1 {
				t.Fatal(all, err)
			}
			s := all[0]
			if got := fmt.Sprintf("%s fixed=%s port=%d checked=%t unchecked=%t", s.Image, s.Fixed, s.Port, s.Checked, s.Unchecked); got != test.want {
				t.Errorf("%s\nnot %s", got, test.want)
			}
		})
	}
}

func TestRoutesAreTheSameForAFileAndItsContainer(t *testing.T) {
	all, err := Parse([]byte(`{"services": {"s": {"labels": {"traefik.enable": "true", "traefik.a": "^x$$", "other": "1"}}}}`))
	if err != nil {
		t.Fatal(err)
	}
	container := map[string]string{"traefik.a": "^x$", "traefik.enable": "true", "com.docker.service": "s"}
	if all[0].Routes != Routes(container) {
		t.Error("they differ")
	}
	container["traefik.a"] = "y"
	if all[0].Routes == Routes(container) {
		t.Error("other routes are the same")
	}
}

func TestAnApplicationListensWhereItsLabelsSay(t *testing.T) {
	for labels, want := range map[string]int{
		"": 8000, "traefik.http.services.mrs.loadbalancer.server.port=8100": 8100,
		"traefik.http.services.mrs.loadbalancer.server.port=x": 8000, "traefik.tcp.services.mrs.loadbalancer.server.port=5432": 8000,
	} {
		name, value, _ := strings.Cut(labels, "=")
		if got := PortOf(map[string]string{name: value}); got != want {
			t.Errorf("%s: %d", labels, got)
		}
	}
}

func TestServicesAreReplacedAfterThoseThatTheyWaitFor(t *testing.T) {
	services := func(all ...string) (list []hostapi.Service) { // NAME KIND AFTER…
		for _, line := range all {
			words := strings.Fields(line)
			list = append(list, hostapi.Service{Name: words[0], Kind: hostapi.Kind(words[1]), After: words[2:]})
		}
		return list
	}
	for want, given := range map[string][]hostapi.Service{
		"mail postgres django":       services("django rolls postgres", "mail other", "postgres other"),
		"db seed migrate worker web": services("db database", "migrate one-shot seed", "seed one-shot db", "web rolls migrate", "worker other migrate"),
		"api smoke web":              services("api rolls", "smoke one-shot api", "web rolls smoke"),
		"a b c":                      services("a other c", "b other a", "c other b"), // which Compose refuses
		"":                           nil,
	} {
		var got []string
		for _, s := range Order(given) {
			got = append(got, s.Name)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%v, not %s", got, want)
		}
	}
}

func TestTheSiteIsWhomVisitorsComeTo(t *testing.T) {
	at := func(name, host, path string, ports ...string) hostapi.Service {
		s := hostapi.Service{Name: name, Path: path, Published: ports}
		if host != "" {
			s.Hosts = []string{host}
		}
		return s
	}
	for name, test := range map[string]struct {
		url, page, want string
		services        []hostapi.Service
	}{
		"MRS, whatever else there is":     {"http://a", "/", "django", []hostapi.Service{at("a", "a", ""), at("django", "", "")}},
		"by its name":                     {"https://a:8443", "/", "a", []hostapi.Service{at("a", "a", ""), at("b", "b", "")}},
		"by the longest path":             {"http://a", "/api/x", "api", []hostapi.Service{at("a", "a", ""), at("api", "a", "/api"), at("z", "a", "/other")}},
		"by the port that it publishes":   {"http://a:81", "/", "b", []hostapi.Service{at("a", "", "", "80"), at("b", "", "", "81")}},
		"the load balancer's comes first": {"http://a", "/", "b", []hostapi.Service{at("a", "", "", "80"), at("b", "a", "")}},
		"nobody is known to be it":        {"http://a", "/", "", []hostapi.Service{at("a", "b", "")}},
		"no URL":                          {"::", "/", "", []hostapi.Service{at("a", "b", "")}},
	} {
		if got := Site(test.services, test.url, test.page).Name; got != test.want {
			t.Errorf("%s: %q, not %q", name, got, test.want)
		}
	}
}

func TestWhatIsBackedUpAndStandsStillIsKnown(t *testing.T) {
	shop := []hostapi.Service{
		{Name: "db", Kind: hostapi.Database, Writes: []string{"./postgres/data"}},
		{Name: "migrate", Kind: hostapi.OneShot},
		{Name: "web", Kind: hostapi.Rolls, Writes: []string{"./media/a", "./media/b", "/srv/x"}},
		{Name: "worker", Kind: hostapi.Other, Writes: []string{"cache", "./../etc"}},
	}
	for _, test := range []struct {
		services []hostapi.Service
		want     string
	}{
		{shop, "uses [web worker], keeps [media], loses [./../etc /srv/x cache]"},
		{[]hostapi.Service{{Name: hostapi.MRS, Kind: hostapi.Rolls, Writes: []string{"./spooler"}}, {Name: "mail", Kind: hostapi.Rolls}},
			"uses [django], keeps [log mrsattachments], loses []"},
	} {
		site := Site(test.services, "http://x", "/").Name
		if site == "" {
			site = "web"
		}
		kept, lost := Folders(test.services)
		if got := fmt.Sprintf("uses %v, keeps %v, loses %v", Uses(test.services, site), kept, lost); got != test.want {
			t.Errorf("%s\nnot %s", got, test.want)
		}
	}
}
