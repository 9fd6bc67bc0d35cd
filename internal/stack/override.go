package stack

import (
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/betagouv/mrs-ops/internal/console"
)

// override is one compose_SERVICE_KEY=VALUE, understood.
type override struct {
	written       string // SERVICE_KEY as written
	service, key  string
	value         any // nil removes the key
	externalNames []string
}

// name returns what the operator calls the override.
func (o override) name() string { return "compose_" + o.written }

func (o override) place() place { return place{o.name(), o.service, o.key} }

// parseOverrides returns the overrides of o, sorted, and an error that names
// each that can't be: whose service or key is unknown or whose value is no JSON.
func parseOverrides(o Options, sources []*source) ([]override, error) {
	var overrides []override
	var errs []error
	services := serviceNames(sources)
	for _, written := range slices.Sorted(maps.Keys(o.Overrides)) {
		parsed, err := parseOverride(written, o.Overrides[written], services)
		if err != nil {
			errs = append(errs, fmt.Errorf("%s: %w", strings.Join(o.Files, ", "), err))
			continue
		}
		overrides = append(overrides, parsed)
	}
	return overrides, errors.Join(errs...)
}

// serviceNames returns the names of all services, sorted.
func serviceNames(sources []*source) []string {
	var names []string
	for _, s := range sources {
		for name := range s.services() {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// parseOverride returns the override compose_written=value of one of the services.
func parseOverride(written, value string, services []string) (override, error) {
	service, key, err := splitOverride(written, services)
	if err != nil {
		return override{}, err
	}
	o := override{written: written, service: service, key: key}
	switch {
	case value == "":
		return o, nil
	case !isText(value):
		return override{}, o.place().errorf("the value holds bytes that are no UTF-8 text")
	case strings.HasPrefix(value, "[") || strings.HasPrefix(value, "{"):
		o.value, err = decodeJSON(value)
		if err != nil {
			return override{}, o.place().errorf("not JSON: %w", err)
		}
	case key == "networks":
		o.value, o.externalNames, err = parseNetworks(value)
		if err != nil {
			return override{}, o.place().errorf("%w", err)
		}
	default:
		o.value = scalar(o.place(), value)
	}
	return o, nil
}

// splitOverride returns the service and the key that SERVICE_KEY names: of the
// services whose name it begins with, the longest that leaves a known key.
func splitOverride(written string, services []string) (service, key string, err error) {
	byLength := slices.SortedStableFunc(slices.Values(services),
		func(a, b string) int { return cmp.Compare(len(b), len(a)) })
	var found []string
	for _, candidate := range byLength {
		rest, ok := strings.CutPrefix(written, slug(candidate)+"_")
		switch {
		case !ok:
		case len(found) == 0, !knownKey(key) && knownKey(rest):
			found, key = []string{candidate}, rest
		case rest == key:
			found = append(found, candidate)
		}
	}
	switch {
	case len(found) == 0:
		return "", "", unknownService(written, services)
	case len(found) > 1:
		return "", "", fmt.Errorf("compose_%s: is it service %s?", written, strings.Join(found, " or "))
	case !knownKey(key):
		at := place{"compose_" + written, found[0], key}
		return "", "", at.errorf("no such key of a service%s", console.DidYouMean(key, serviceKeys()))
	}
	return found[0], key, nil
}

// unknownService returns the error for an override of no service, that tells
// the service from the key by the longest key that it ends with.
func unknownService(written string, services []string) error {
	service, _, _ := strings.Cut(written, "_")
	longest := 0
	for _, key := range serviceKeys() {
		if name, ok := strings.CutSuffix(written, "_"+key); ok && len(key) > longest {
			service, longest = name, len(key)
		}
	}
	key := strings.TrimPrefix(strings.TrimPrefix(written, service), "_")
	return place{"compose_" + written, service, key}.errorf("no such service: there are %s%s",
		strings.Join(services, ", "), console.DidYouMean(service, services))
}

// slug returns a service's name as it is written in an override.
func slug(service string) string { return strings.NewReplacer("-", "_", ".", "_").Replace(service) }

var networkName = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`) // as the Compose specification has it

// parseNetworks returns a service's networks from a comma list, the default
// one always among them, and those of the list that are external.
func parseNetworks(list string) (value any, external []string, err error) {
	networks := map[string]any{"default": nil}
	for name := range strings.SplitSeq(list, ",") {
		name = strings.TrimSpace(name)
		if !networkName.MatchString(name) {
			return nil, nil, fmt.Errorf("%q is no name of a network", name)
		}
		if _, twice := networks[name]; !twice {
			external = append(external, name)
		}
		networks[name] = nil
	}
	return networks, external, nil
}

// scalar returns value as a number or boolean where it is one and the key at
// the place takes one, else as the text it is.
func scalar(at place, value string) any {
	decoded, err := decodeJSON(value)
	if _, isText := decoded.(string); err != nil || isText || decoded == nil || checkValue(at, decoded) != nil {
		return value
	}
	return decoded
}

// decodeJSON returns the one JSON value in text, its whole numbers as int. Its
// error never quotes the text.
func decodeJSON(text string) (any, error) {
	decoder := json.NewDecoder(bytes.NewReader([]byte(text)))
	decoder.UseNumber()
	var value any
	err := decoder.Decode(&value)
	if err == nil {
		if _, more := decoder.Token(); more != io.EOF {
			err = errors.New("more follows the value")
		}
	}
	if syntax, ok := errors.AsType[*json.SyntaxError](err); ok {
		err = fmt.Errorf("wrong at character %d", syntax.Offset)
	}
	return native(value), err
}

// native returns the decoded JSON value with numbers as YAML has them.
func native(value any) any {
	switch value := value.(type) {
	case json.Number:
		if i, err := value.Int64(); err == nil {
			return int(i)
		}
		f, err := value.Float64()
		if err != nil { // too large for any number: text it is
			return value.String()
		}
		return f
	case []any:
		for i := range value {
			value[i] = native(value[i])
		}
	case map[string]any:
		for key := range value {
			value[key] = native(value[key])
		}
	}
	return value
}

// texts returns every text in a decoded value.
func texts(value any) (all []string) {
	switch value := value.(type) {
	case string:
		return []string{value}
	case []any:
		for _, v := range value {
			all = append(all, texts(v)...)
		}
	case map[string]any:
		return texts(slices.Collect(maps.Values(value)))
	}
	return all
}

// checkOverrides returns an error for every override whose value the key does not take.
func checkOverrides(overrides []override) error {
	var errs []error
	for _, o := range overrides {
		if o.value == nil {
			continue
		}
		err := checkValue(o.place(), o.value)
		if _, isText := o.value.(string); err != nil && isText && !takesText(o.place()) {
			err = fmt.Errorf("%w\nhint: lists and mappings are given as JSON: %s='[\"…\"]'", err, o.name())
		}
		if err == nil && o.key == "labels" {
			err = checkLabels(o.place(), o.value)
		}
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

// takesText reports whether the key at the place may be a text of some kind, a
// number's or a boolean's included.
func takesText(at place) bool {
	return slices.ContainsFunc([]string{"text", "1", "true"}, func(s string) bool { return checkValue(at, s) == nil })
}

// overrideFile returns the overrides as the last file to merge. Networks that a
// file of the sources declares stay as declared there.
func overrideFile(overrides []override, sources []*source) types.ConfigFile {
	services, networks := map[string]any{}, map[string]any{}
	for _, o := range overrides {
		if o.value == nil {
			continue
		}
		service, ok := services[o.service].(map[string]any)
		if !ok {
			service = map[string]any{}
			services[o.service] = service
		}
		service[o.key] = o.value
		for _, name := range o.externalNames {
			if !declares(sources, name) {
				networks[name] = map[string]any{"external": true}
			}
		}
	}
	return types.ConfigFile{Filename: "overrides", Config: map[string]any{"services": services, "networks": networks}}
}

// declares reports whether one of the sources declares the network.
func declares(sources []*source, network string) bool {
	return slices.ContainsFunc(sources, func(s *source) bool {
		networks := child(s.root, "networks")
		return networks != nil && child(networks, network) != nil
	})
}
