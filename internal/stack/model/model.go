// Package model derives from a compose file what each of its services is to whoever
// deploys it: whether it rolls, runs to its end, is the database that is backed up, or
// is recreated; where it listens, and where the load balancer sends visitors on to it.
// Both sides go by it: the operator's for what is rendered, the server's for what ran.
//
// It reads JSON as docker compose config --format json prints it, and is a pure
// function. It must not know an image, a container, or in which way things are replaced.
package model

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// Label says with true which service is the database that is backed up, and with false
// that one called [postgres] is not.
const Label = "mrs-ops.database"

// postgres is what the database is called unless a label says which it is (cookbook, "Compose").
const postgres = "postgres"

// mrsPort is where MRS listens (docs/mrs.md).
const mrsPort = 8000

// file is what of a compose file counts here.
type file struct{ Services map[string]service }

type service struct {
	Image         string
	Labels        labels
	Ports         []any
	Expose        []any
	Profiles      []string
	Restart       string
	Scale         *int
	ContainerName string                  `json:"container_name"`
	NetworkMode   string                  `json:"network_mode"`
	VolumesFrom   []string                `json:"volumes_from"`
	DependsOn     map[string]dependsOn    `json:"depends_on"`
	Networks      map[string]*interfaceOf `json:"networks"`
	PID, IPC      string
	Volumes       []any
	Deploy        struct {
		Replicas      *int
		RestartPolicy *struct{ Condition string } `json:"restart_policy"`
	}
	Healthcheck *struct {
		Disable any
		Test    any
	}
}

type dependsOn struct{ Condition string }

type interfaceOf struct {
	IPv4 string `json:"ipv4_address"`
	IPv6 string `json:"ipv6_address"`
	MAC  string `json:"mac_address"`
}

// ends is the condition of who waits for a one-shot.
const ends = "service_completed_successfully"

// Parse returns the services of a compose file by their names, without those of a
// profile, which nothing starts here. The error names all that can't be.
func Parse(config []byte) ([]hostapi.Service, error) {
	var f file
	if err := json.Unmarshal(config, &f); err != nil {
		return nil, fmt.Errorf("docker compose config: %w", err)
	}
	maps.DeleteFunc(f.Services, func(_ string, s service) bool { return len(s.Profiles) > 0 })
	database, err := f.database()
	problems := []error{err}
	var all []hostapi.Service
	for _, name := range slices.Sorted(maps.Keys(f.Services)) {
		s := f.Services[name]
		m := hostapi.Service{Name: name, Image: s.Image, Kind: hostapi.Other, Replicas: 1, Routes: Routes(s.Labels)}
		if n := cmp.Or(s.Scale, s.Deploy.Replicas); n != nil {
			m.Replicas = max(0, *n)
		}
		for other := range s.DependsOn {
			if _, here := f.Services[other]; here {
				m.After = append(m.After, other)
			}
		}
		slices.Sort(m.After)
		if check := s.Healthcheck; check != nil {
			m.Unchecked = isTrue(check.Disable) || isNone(check.Test)
			m.Checked = !m.Unchecked && isTest(check.Test)
		}
		s.listens(&m)
		m.Writes = s.writes()
		m.Fixed = f.fixed(name, s, m)
		waiting := f.waitFor(name)
		switch {
		case waiting != "" && (name == database || s.stays()):
			problems = append(problems, fmt.Errorf("service %s: %s waits for its end, and it never ends: restart %s\n"+
				`hint: restart: "no", or another condition than %s`, name, waiting, cmp.Or(s.restarts(), "no"), ends))
		case waiting != "":
			m.Kind = hostapi.OneShot
		case name == database:
			m.Kind = hostapi.Database
		case m.Fixed == "":
			m.Kind = hostapi.Rolls
		}
		all = append(all, m)
	}
	return all, errors.Join(problems...)
}

// database returns the service that is backed up; empty: there is none.
func (f file) database() (string, error) {
	var labelled []string
	for _, name := range slices.Sorted(maps.Keys(f.Services)) {
		value, there := f.Services[name].Labels[Label]
		if is, err := strconv.ParseBool(value); there && err != nil {
			return "", fmt.Errorf("service %s: label %s is %q, not true or false", name, Label, value)
		} else if is {
			labelled = append(labelled, name)
		}
	}
	if len(labelled) > 1 {
		both := strings.Join(labelled, " and ")
		return "", fmt.Errorf("%s are labelled %s, and one database is backed up", both, Label)
	}
	if len(labelled) == 1 {
		return labelled[0], nil
	}
	if s, there := f.Services[postgres]; there && s.Labels[Label] == "" {
		return postgres, nil
	}
	return "", nil
}

// waitFor returns who waits for the end of a service, and is there itself.
func (f file) waitFor(name string) string {
	for _, other := range slices.Sorted(maps.Keys(f.Services)) {
		if f.Services[other].DependsOn[name].Condition == ends {
			return other
		}
	}
	return ""
}

// restarts is the service's restart policy; empty: none.
func (s service) restarts() string {
	if policy := s.Deploy.RestartPolicy; s.Restart == "" && policy != nil {
		return map[string]string{"any": "always", "on-failure": "on-failure"}[policy.Condition]
	}
	return s.Restart
}

// stays reports whether the engine starts it again whenever it has ended.
func (s service) stays() bool { return s.restarts() == "always" || s.restarts() == "unless-stopped" }

// balanced reports whether the load balancer is before it (Traefik: traefik.enable).
func (s service) balanced() bool {
	is, _ := strconv.ParseBool(s.Labels["traefik.enable"])
	return is
}

// fixed returns why a service can't run twice, or can't be handed over by the load balancer.
func (f file) fixed(name string, s service, m hostapi.Service) string {
	for _, other := range slices.Sorted(maps.Keys(f.Services)) {
		o := f.Services[other]
		from := func(v string) bool { return v == name || strings.HasPrefix(v, name+":") }
		shared := []string{o.NetworkMode, o.PID, o.IPC}
		if slices.Contains(shared, "service:"+name) || slices.ContainsFunc(o.VolumesFrom, from) {
			return other + " is part of its container"
		}
	}
	addressed := func(i *interfaceOf) bool { return i != nil && *i != interfaceOf{} }
	switch {
	case !s.balanced():
		return "no load balancer is before it"
	case len(s.Ports) > 0:
		return "it publishes a port"
	case s.ContainerName != "":
		return "its container has a fixed name"
	case slices.Contains([]string{"host", "none"}, s.NetworkMode) || strings.Contains(s.NetworkMode, ":"):
		return "it has no network of its own"
	case slices.ContainsFunc(slices.Collect(maps.Values(s.Networks)), addressed):
		return "it has a fixed address"
	case m.Port == 0:
		return "no label tells the load balancer its port"
	}
	for label := range s.Labels {
		if strings.HasPrefix(label, "traefik.tcp.") || strings.HasPrefix(label, "traefik.udp.") {
			return "it is not reached by HTTP alone"
		}
	}
	// MRS does, and whoever has several replicas has said that they may.
	if len(m.Writes) > 0 && name != hostapi.MRS && m.Replicas < 2 {
		return "it writes to " + m.Writes[0]
	}
	return ""
}

// writes returns the volumes that the service writes to, and every container of it would.
func (s service) writes() (all []string) {
	for _, v := range s.Volumes {
		switch v := v.(type) {
		case string: // [SOURCE:]TARGET[:MODE]
			parts := strings.Split(v, ":")
			if len(parts) > 1 && !slices.Contains(strings.Split(parts[len(parts)-1], ","), "ro") {
				all = append(all, parts[0])
			}
		case map[string]any:
			source, _ := v["source"].(string)
			readOnly, _ := v["read_only"].(bool)
			if source != "" && !readOnly && v["type"] != "image" && v["type"] != "tmpfs" {
				all = append(all, source)
			}
		}
	}
	return all
}

var (
	portLabel = regexp.MustCompile(`^traefik\.http\.services\.[^.]+\.loadbalancer\.server\.port$`)
	ruleLabel = regexp.MustCompile(`^traefik\.http\.routers\.[^.]+\.rule$`)
	hostRule  = regexp.MustCompile(`Host\(([^)]*)\)`)
	pathRule  = regexp.MustCompile("(?:^|[^!])Path(?:Prefix)?\\(`([^`]*)`")
	quoted    = regexp.MustCompile("`([^`]*)`")
)

// listens says where the service listens, and where visitors come to it.
func (s service) listens(m *hostapi.Service) {
	var fallback int
	whole := false // a router has it answer for all paths
	for _, p := range s.Ports {
		target, published := 0, ""
		switch p := p.(type) {
		case map[string]any:
			if p["protocol"] == "udp" {
				continue
			}
			target, _ = strconv.Atoi(text(p["target"]))
			published = text(p["published"])
		default: // [[IP:]PUBLISHED:]TARGET
			parts := strings.Split(text(p), ":")
			target, _ = strconv.Atoi(parts[len(parts)-1])
			published = parts[max(0, len(parts)-2)]
			if len(parts) == 1 {
				published = ""
			}
		}
		fallback = cmp.Or(fallback, target)
		if published != "" {
			m.Published = append(m.Published, published)
		}
	}
	if len(s.Expose) > 0 {
		exposed, _ := strconv.Atoi(strings.TrimSuffix(text(s.Expose[0]), "/tcp"))
		fallback = cmp.Or(fallback, exposed)
	}
	if m.Name == hostapi.MRS {
		fallback = cmp.Or(fallback, mrsPort)
	}
	for _, name := range slices.Sorted(maps.Keys(s.Labels)) {
		value := s.Labels[name]
		if portLabel.MatchString(name) {
			if n, err := strconv.Atoi(value); err == nil && m.Port == 0 {
				m.Port = n
			}
		}
		if !ruleLabel.MatchString(name) {
			continue
		}
		for _, host := range hostRule.FindAllStringSubmatch(value, -1) {
			for _, name := range quoted.FindAllStringSubmatch(host[1], -1) {
				m.Hosts = append(m.Hosts, name[1])
			}
		}
		path := pathRule.FindStringSubmatch(value)
		if path == nil { // all of them
			path, whole = []string{"", ""}, true
		}
		m.Path = cmp.Or(m.Path, path[1])
	}
	if whole {
		m.Path = ""
	}
	m.Port = cmp.Or(m.Port, fallback)
	slices.Sort(m.Hosts)
	m.Hosts = slices.Compact(m.Hosts)
}

func text(value any) string {
	if value == nil {
		return ""
	}
	return fmt.Sprint(value)
}

// isNone reports whether a health check's test is NONE, which is that there is none.
func isNone(test any) bool {
	words, ok := test.([]any)
	return ok && len(words) > 0 && words[0] == "NONE" || test == "NONE"
}

// isTest reports whether there is a test; an empty list is as if there were no key.
func isTest(test any) bool {
	words, ok := test.([]any)
	return ok && len(words) > 0 || !ok && test != nil
}

// isTrue reads a boolean, also one that is written as a text, as Compose does.
func isTrue(value any) bool {
	return slices.Contains([]string{"true", "yes", "on", "y", "t", "1"}, strings.ToLower(text(value)))
}

// PortOf returns where an application listens whose container has these labels.
func PortOf(labels map[string]string) int {
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if n, err := strconv.Atoi(labels[name]); err == nil && IsPort(name) {
			return n
		}
	}
	return mrsPort
}

// IsPort reports whether a label tells that.
func IsPort(label string) bool { return portLabel.MatchString(label) }

// labels are a map, or a list of NAME=VALUE.
type labels map[string]string

// UnmarshalJSON reads both, of which a value may be a number or a boolean. A $ is doubled in a compose file.
func (l *labels) UnmarshalJSON(content []byte) error {
	*l = labels{}
	var list []string
	if json.Unmarshal(content, &list) == nil {
		for _, line := range list {
			name, value, _ := strings.Cut(line, "=")
			(*l)[name] = strings.ReplaceAll(value, "$$", "$")
		}
		return nil
	}
	var values map[string]any
	if err := json.Unmarshal(content, &values); err != nil {
		return err
	}
	for name, value := range values {
		(*l)[name] = strings.ReplaceAll(text(value), "$$", "$")
	}
	return nil
}

// Routes returns a sum of what Traefik reads of these labels.
func Routes(labels map[string]string) string {
	sum := sha256.New()
	for _, name := range slices.Sorted(maps.Keys(labels)) {
		if strings.HasPrefix(name, "traefik.") {
			fmt.Fprintf(sum, "%q=%q\n", name, labels[name])
		}
	}
	return fmt.Sprintf("%x", sum.Sum(nil))[:12]
}

// Order returns the services in the order in which they are replaced: each after those
// that it waits for, and of those that may come next what can't run twice first, what
// rolls last.
func Order(services []hostapi.Service) (sorted []hostapi.Service) {
	rank := []hostapi.Kind{hostapi.Database, hostapi.Other, hostapi.OneShot, hostapi.Rolls}
	left := slices.SortedStableFunc(slices.Values(services), func(a, b hostapi.Service) int {
		return cmp.Or(cmp.Compare(slices.Index(rank, a.Kind), slices.Index(rank, b.Kind)), cmp.Compare(a.Name, b.Name))
	})
	for len(left) > 0 {
		next := max(0, slices.IndexFunc(left, func(s hostapi.Service) bool { // a circle ends somewhere
			waits := func(other hostapi.Service) bool { return slices.Contains(s.After, other.Name) }
			return !slices.ContainsFunc(left, waits)
		}))
		sorted = append(sorted, left[next])
		left = slices.Delete(left, next, next+1)
	}
	return sorted
}

// Site returns the service that visitors of a URL's page come to: MRS, or whom the load
// balancer sends them on to, or who publishes the port. Without a name, nobody is known to be it.
func Site(services []hostapi.Service, site, page string) (found hostapi.Service) {
	at, err := url.Parse(site)
	if err != nil {
		return found
	}
	port := cmp.Or(at.Port(), map[string]string{"http": "80", "https": "443"}[at.Scheme])
	for _, s := range services {
		switch {
		case s.Name == hostapi.MRS:
			return s
		case s.Kind == hostapi.OneShot:
		case slices.Contains(s.Hosts, at.Hostname()) && strings.HasPrefix(page, s.Path):
			if found.Name == "" || len(found.Hosts) == 0 || len(s.Path) > len(found.Path) {
				found = s
			}
		case found.Name == "" && slices.Contains(s.Published, port):
			found = s
		}
	}
	return found
}

// Uses returns the services that use the database, that of the site first: they stand still while
// another one is put in its place. Of MRS' stack it is MRS alone.
func Uses(services []hostapi.Service, site string) []string {
	var names []string
	if site != "" {
		names = append(names, site)
	}
	for _, s := range services {
		if site != hostapi.MRS && s.Name != site && (s.Kind == hostapi.Rolls || s.Kind == hostapi.Other) {
			names = append(names, s.Name)
		}
	}
	return names
}

// ours are MRS' own folders that are backed up: what is in its others is no loss (cookbook, "Persistance").
var ours = []string{"log", "mrsattachments"}

var plainName = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)

// Folders returns those beside the compose file that are backed up with the database, and what else
// its users write to, which is not.
func Folders(services []hostapi.Service) (kept, lost []string) {
	if Named(services, hostapi.MRS).Name != "" {
		return ours, nil
	}
	for _, s := range services {
		for _, source := range s.Writes {
			name, inside := strings.CutPrefix(source, "./")
			name, _, _ = strings.Cut(name, "/")
			switch {
			case s.Kind == hostapi.Database:
			case inside && plainName.MatchString(name):
				kept = append(kept, name)
			default:
				lost = append(lost, source)
			}
		}
	}
	slices.Sort(kept)
	slices.Sort(lost)
	return slices.Compact(kept), slices.Compact(lost)
}

// Of returns the service that is of a kind, as the database; without a name, there is none.
func Of(services []hostapi.Service, kind hostapi.Kind) hostapi.Service {
	if i := slices.IndexFunc(services, func(s hostapi.Service) bool { return s.Kind == kind }); i >= 0 {
		return services[i]
	}
	return hostapi.Service{}
}

// Named returns the service of a name; without one, there is none.
func Named(services []hostapi.Service, name string) hostapi.Service {
	if i := slices.IndexFunc(services, func(s hostapi.Service) bool { return s.Name == name }); i >= 0 {
		return services[i]
	}
	return hostapi.Service{}
}
