package stack

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/compose-spec/compose-go/v2/format"
	"github.com/compose-spec/compose-go/v2/interpolation"
	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/schema"
	"github.com/compose-spec/compose-go/v2/transform"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"

	"github.com/betagouv/mrs-ops/internal/console"
)

// source is one document of a compose file, without aliases, merge keys, version and x- sections.
type source struct {
	file    string // as named in Options.Files
	foreign bool   // it is none of those in Options.Dir
	root    *yaml.Node
}

// read reads and parses all files. Its error names each that can't be.
func read(o Options) ([]*source, error) {
	if len(o.Files) == 0 {
		return nil, errors.New("no compose file given")
	}
	var sources []*source
	var errs []error
	for _, name := range o.Files {
		file, foreign := o.path(name)
		content, err := readFile(file, name)
		if err == nil {
			var documents []*source
			documents, err = parse(name, content)
			for _, s := range documents {
				s.foreign = foreign
			}
			sources = append(sources, documents...)
		}
		errs = append(errs, err)
	}
	return sources, errors.Join(errs...)
}

// readFile returns the content of the compose file called name, which is at path.
func readFile(path, name string) ([]byte, error) {
	if strings.ContainsFunc(name, func(r rune) bool { return r < ' ' || r == 0x7f }) || name == "" {
		return nil, fmt.Errorf("%q is no name of a compose file", name)
	}
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		err = noSuchFile(name, filepath.Dir(path))
	}
	return content, err
}

// noSuchFile returns the error for a compose file that is not in dir, with those that are.
func noSuchFile(name, dir string) error {
	there, _ := filepath.Glob(filepath.Join(dir, "*.y*ml"))
	for i := range there {
		there[i] = filepath.Base(there[i])
	}
	list := "no compose file is there"
	if len(there) > 0 {
		list = "there are " + strings.Join(there, ", ")
	}
	return fmt.Errorf("%s: no such file in %s: %s%s", name, dir, list, console.DidYouMean(filepath.Base(name), there))
}

// parse returns the documents of a compose file.
func parse(name string, content []byte) ([]*source, error) {
	var sources []*source
	decoder := yaml.NewDecoder(bytes.NewReader(content))
	for {
		var document yaml.Node
		err := decoder.Decode(&document)
		if errors.Is(err, io.EOF) {
			return sources, nil
		}
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		root, err := flatten(&document)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", name, err)
		}
		if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
			continue
		}
		if root.Kind != yaml.MappingNode {
			return nil, fmt.Errorf("%s: line %d: a compose file is a mapping, with services and so on", name, root.Line)
		}
		// x- sections only hold anchors, and version says nothing to Compose v2.
		removeKeys(root, func(key string) bool { return strings.HasPrefix(key, "x-") || key == "version" })
		sources = append(sources, &source{file: name, root: root})
	}
}

// configFile returns the source in the form that compose-go takes.
func (s *source) configFile() (types.ConfigFile, error) {
	content, err := yaml.Marshal(s.root)
	return types.ConfigFile{Filename: s.file, Content: content}, err
}

// services ranges over the services of the source, by name.
func (s *source) services() iter.Seq2[string, *yaml.Node] {
	return func(yield func(string, *yaml.Node) bool) {
		services := child(s.root, "services")
		if services == nil {
			return
		}
		for name, service := range entries(services) {
			if !yield(name, service) {
				return
			}
		}
	}
}

// parts ranges over what can be wrong on its own: each key of each service,
// and each other section of the file.
func (s *source) parts() iter.Seq2[place, *yaml.Node] {
	return func(yield func(place, *yaml.Node) bool) {
		for name, service := range s.services() {
			for i := 0; i+1 < len(service.Content) && service.Kind == yaml.MappingNode; i += 2 {
				if !yield(place{s.file, name, service.Content[i].Value}, service.Content[i+1]) {
					return
				}
			}
		}
		for key, section := range entries(s.root) {
			if key == "services" && section.Kind == yaml.MappingNode {
				continue
			}
			if !yield(place{file: s.file, key: key}, section) {
				return
			}
		}
	}
}

// drop removes the keys that overrides replace or remove.
func (s *source) drop(overrides []override) {
	for name, service := range s.services() {
		removeKeys(service, func(key string) bool {
			return slices.ContainsFunc(overrides, func(o override) bool { return o.service == name && o.key == key })
		})
	}
}

// check returns an error for every part of the sources that is no valid
// compose file, but for the parts that lack a variable and can't be judged.
func check(sources []*source, lacking map[place]bool) error {
	var errs []error
	for _, s := range sources {
		for name, service := range s.services() {
			if service.Kind != yaml.MappingNode {
				errs = append(errs, place{file: s.file, service: name}.errorf("a service is a mapping, with image and so on"))
			}
		}
		for at, node := range s.parts() {
			if !lacking[at] {
				errs = append(errs, checkPart(at, node))
			}
		}
	}
	return errors.Join(errs...)
}

// checkPart returns an error unless the part of a file is valid by itself.
func checkPart(at place, node *yaml.Node) error {
	if at.key == "include" || at.key == "extends" {
		return at.errorf("not supported: a stack is the files that it names\n" +
			"hint: name each file in the list, or use a YAML anchor")
	}
	if at.service == "" && at.key == "models" {
		return at.errorf("not supported: language models are no part of a stack here")
	}
	if at.service == "" && at.key == "jobs" {
		return at.errorf("not supported: nothing here starts a job\nhint: make it a service, which restart: \"no\" has end")
	}
	if at.service != "" && !knownKey(at.key) {
		return at.errorf("no such key of a service%s", console.DidYouMean(at.key, serviceKeys()))
	}
	var value any
	if err := node.Decode(&value); err != nil {
		return at.errorf("%w", err)
	}
	if value == nil { // nothing said, or !reset
		return nil
	}
	if at.key == "labels" {
		return errors.Join(checkValue(at, value), checkLabels(at, value))
	}
	if at.service == "" && (at.key == "secrets" || at.key == "configs") {
		return errors.Join(checkValue(at, value), checkNoVariable(at, value))
	}
	return checkValue(at, value)
}

// checkNoVariable returns an error for secrets or configs that are a variable on the host.
func checkNoVariable(at place, value any) error {
	var errs []error
	all, _ := value.(map[string]any)
	for _, name := range slices.Sorted(maps.Keys(all)) {
		if one, _ := all[name].(map[string]any); one["environment"] != nil {
			errs = append(errs, at.errorf("%s: environment is not supported: the host has no such variable\n"+
				"hint: use file", name))
		}
	}
	return errors.Join(errs...)
}

// checkValue returns an error unless value is what the Compose specification
// wants at the place. The schema is the one that compose-go carries.
func checkValue(at place, value any) error {
	model, prefix := map[string]any{at.key: value}, at.key
	if at.service != "" {
		prefix = "services." + at.service + "." + at.key
		model = map[string]any{"services": map[string]any{at.service: model}}
	}
	options := loader.ToOptions(&types.ConfigDetails{}, []func(*loader.Options){loaderOptions("check")})
	model, err := interpolation.Interpolate(model, *options.Interpolate)
	if err != nil { // asIs never fails: a text did not become the number or boolean that is due
		return at.errorf("not a number, or neither true nor false, where %s wants it",
			strings.ReplaceAll(strings.Join(failedPaths(err), ", "), "services."+at.service+".", ""))
	}
	if err = schema.Validate(model); err == nil {
		_, err = transform.Canonical(model, false) // the short forms of ports, volumes and so on
	}
	if err != nil {
		text := strings.TrimLeft(strings.TrimPrefix(err.Error(), prefix), ".: ")
		return at.errorf("%s", strings.Replace(text, "must be a array", "must be an array", 1))
	}
	if at.service != "" && at.key == "volumes" {
		return checkMounts(at, value)
	}
	return nil
}

// mountOptions are what may be behind the second colon of a mount.
var mountOptions = append(strings.Fields("ro rw nocopy z Z cached delegated consistent"), format.Propagations...)

// checkMounts returns an error for every option of a mount that Compose would pass
// over: what was to be read-only could be written.
func checkMounts(at place, value any) error {
	var errs []error
	all, _ := value.([]any)
	for _, one := range all {
		text, _ := one.(string)
		parts := strings.Split(text, ":")
		if len(parts) < 3 {
			continue
		}
		for option := range strings.SplitSeq(parts[len(parts)-1], ",") {
			if !slices.Contains(mountOptions, option) {
				errs = append(errs, at.errorf("no such option of a mount: %q%s", option, console.DidYouMean(option, mountOptions)))
			}
		}
	}
	return errors.Join(errs...)
}

var interpolatedPath = regexp.MustCompile(`error while interpolating (\S+):`)

// failedPaths returns where in the model the errors of an interpolation are.
// compose-go says so in the text only, next to the value, that is not for show.
func failedPaths(err error) []string {
	var paths []string
	for _, match := range interpolatedPath.FindAllStringSubmatch(err.Error(), -1) {
		paths = append(paths, match[1])
	}
	return paths
}

// knownKey reports whether a service may have the key.
func knownKey(key string) bool {
	return strings.HasPrefix(key, "x-") || slices.Contains(serviceKeys(), key)
}

// serviceKeys returns the keys that a service may have, sorted: those that the
// Compose specification's schema gives it.
var serviceKeys = sync.OnceValue(func() []string {
	var specification struct {
		Defs map[string]struct {
			Properties map[string]json.RawMessage `json:"properties"`
		} `json:"$defs"`
	}
	if err := json.Unmarshal([]byte(schema.Schema), &specification); err != nil {
		panic(fmt.Sprintf("the schema that compose-go carries is no JSON: %v", err))
	}
	var keys []string
	for _, part := range []string{"container_spec", "workload_spec", "service"} {
		keys = slices.AppendSeq(keys, maps.Keys(specification.Defs[part].Properties))
	}
	slices.Sort(keys)
	return slices.Compact(keys)
})
