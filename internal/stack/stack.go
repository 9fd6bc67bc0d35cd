// Package stack renders the one docker-compose.yml that an instance deploys,
// from the project's compose files, the instance's variables and its overrides.
//
// It is a function from files and values to bytes: the compose files it is told
// to read, and what these name beside them, are all that it touches. It must not
// know what an instance is, where its variables come from, on which host the
// result will run, nor anything of the Docker engine; it never reads the
// process's environment.
//
// # Variables
//
// ${NAME} and its forms (:- - :? ? :+ +) are Compose's, with one difference: a
// ${NAME} without a value is an error, where Compose warns and goes on with an
// empty one. Authors write ${NAME:-} where empty is fine. Variables work in the
// values of the whole file and in the keys below a service, labels first of
// all. A service's `- NAME`, without a value, gets NAME's value, and is left
// out where NAME has none.
//
// # Overrides
//
// SERVICE_KEY=VALUE replaces what all files together say of that key. VALUE is
// JSON where the key is a list or a mapping, else the plain value; empty
// removes the key. VALUE is literal: a $ in it is a $. A dash or a dot in the
// service's name is written _. SERVICE_networks=web,admin attaches the service
// to these networks and to the default one, and declares them external.
//
// # Folders
//
// The label io.yourlabs.compose.mkdir=PATH[,PATH…]:UID:GID:MODE names folders
// that have to exist before the stack starts, relative ones in the home of the
// stack. A service whose folders differ in owner or mode has several of these
// labels, told apart by a suffix: io.yourlabs.compose.mkdir.data=….
// The labels stay in the rendered file, so that it says all that its host needs.
//
// # Files
//
// The host has the rendered file, and not what lies beside the compose files
// here. So what a relative path names there, below the folder of the first
// compose file, comes along:
//
//   - What env_file and label_file say becomes part of environment and labels,
//     as Compose merges them ([envFile]).
//   - A file that is mounted, a config's or a secret's file:, a seccomp profile:
//     each becomes a [File], which is to be on the host before the stack starts.
//     It is root's, mode 0600, unless a service's config or secret says uid, gid
//     and mode. What runs in the container without root reads it only so.
//
// A relative path that is mounted is either such a file or a folder that a mkdir
// label declares. All else is an error: a folder, a link that leads elsewhere,
// what is larger than a MiB, what is not there; only of a bind mount that says
// create_host_path: false it is Docker that refuses what is not there. An absolute
// path is the host's, and stays.
//
// # The application's own compose files
//
// A file that is not in Dir is read as Compose and the role yourlabs.compose read it:
// a variable that is all of a value in environment, labels or sysctls may be without
// one; in a mkdir label a path /x is below home, unless it is mounted, root:www-data
// are accounts, and a comma may be behind the last path; a folder that is mounted
// and not declared is made; a rule of Traefik 2's is written as Traefik 3 has it.
// What is another than the file says is in [Stack.Notes].
//
// # What is not supported
//
// include and extends would pull in more than the list of files says; a secret
// or config from an environment variable would need that variable on the host.
// These are errors, and so are language models and jobs. The result is one file,
// for a folder of its own.
package stack

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/stack/model"
)

// Options says which stack to render.
type Options struct {
	// Dir is the folder that relative file names resolve in.
	Dir string
	// Files are the compose files, merged in this order: names in Dir, such as
	// docker-compose.yml, absolute paths, or paths with a slash from the folder above
	// Dir, such as ../docker-compose.yml.
	Files []string
	// Name is the project's name, that Compose prefixes containers and networks with.
	Name string
	// Lookup returns a variable's value and whether it has one. Nil has none.
	Lookup func(name string) (string, bool)
	// Overrides maps SERVICE_KEY to VALUE, as in the package's documentation.
	Overrides map[string]string
}

// Stack is a rendered stack, and what a host must have before it starts.
type Stack struct {
	// Name is the project's name.
	Name string `json:"name"`
	// YAML is the docker-compose.yml. It holds the values of the variables, so
	// it is as secret as they are: write it with mode 0600.
	YAML []byte `json:"-"`
	// Files are to be in the stack's home before it starts, sorted by path. They
	// are as secret as YAML.
	Files []File `json:"-"`
	// Folders are to be created before the stack starts, sorted by path.
	Folders []Folder `json:"folders"`
	// Networks are the external networks that have to exist, sorted.
	Networks []string `json:"networks"`
	// Images maps each service to its image. A service that only has a build is absent.
	Images map[string]string `json:"images"`
	// Services are what each of them is, by their names.
	Services []hostapi.Service `json:"services"`
	// Notes tell what is another than the files say, or could be doubted, a line each.
	// They hold no value of a variable but what labels for Traefik and mkdir have of it.
	Notes []string `json:"-"`
	// Published are the TCP ports of the host that the stack takes, sorted.
	Published []string `json:"published"`
}

// Render merges the compose files, fills in variables, applies the overrides
// and returns the stack. Its error names everything that is wrong, by file,
// service and key; it never holds the value of a variable.
func Render(ctx context.Context, o Options) (*Stack, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	sources, err := read(o)
	if err := errors.Join(checkName(o.Name), err); err != nil {
		return nil, err
	}
	vars := newVariables(o, sources)
	overrides, err := parseOverrides(o, sources)
	vars.hide(overrides)
	for _, s := range sources {
		s.drop(overrides)
	}
	lacking, missing := interpolate(sources, vars)
	adopted, refused := adopt(sources)
	err = errors.Join(err, missing, vars.unfitError(), refused, check(sources, lacking), checkOverrides(overrides))
	if err != nil {
		return nil, vars.redact(err)
	}
	project, err := merge(ctx, o.Name, sources, overrides, vars)
	if err := errors.Join(err, vars.unfitError()); err != nil {
		return nil, vars.redact(fmt.Errorf("%s: %w", strings.Join(o.Files, ", "), err))
	}
	carried := newCarrier(o, project, sources, overrides, vars)
	carried.mappings()
	for _, service := range project.Services {
		maps.DeleteFunc(service.Environment, func(_ string, value *string) bool { return value == nil })
		unchecked(service.HealthCheck)
	}
	folders, err := foldersOf(project, sources, overrides)
	more, made := implied(project, sources, folders, carried.dir)
	folders = append(folders, more...)
	keep(project, folders)
	slices.SortFunc(folders, func(a, b Folder) int { return cmp.Compare(a.Path, b.Path) })
	carried.mounts(folders)
	files, wrong := carried.all()
	if err := errors.Join(err, wrong); err != nil {
		return nil, vars.redact(err)
	}
	rendered, err := encode(project, o)
	if err != nil {
		return nil, vars.redact(err)
	}
	services, err := servicesOf(rendered)
	if err != nil {
		return nil, vars.redact(fmt.Errorf("%s: %w", strings.Join(o.Files, ", "), err))
	}
	return &Stack{
		Name:      o.Name,
		YAML:      rendered,
		Files:     files,
		Folders:   folders,
		Networks:  externalNetworks(project),
		Images:    images(project),
		Services:  services,
		Published: published(project),
		Notes:     unique(slices.Concat(o.whichAreMeant(), vars.notes, adopted, made)),
	}, nil
}

// servicesOf returns what the services of a rendered file are.
func servicesOf(rendered []byte) ([]hostapi.Service, error) {
	var document any
	if err := yaml.Unmarshal(rendered, &document); err != nil {
		return nil, err
	}
	config, err := json.Marshal(document)
	if err != nil {
		return nil, err
	}
	return model.Parse(config)
}

// unchecked has a health check that is called NONE be none. As a text, Compose
// takes it for the name of a program, and the service is never healthy.
func unchecked(check *types.HealthCheckConfig) {
	if check == nil || len(check.Test) != 2 || !strings.HasPrefix(check.Test[0], "CMD") {
		return
	}
	if strings.EqualFold(strings.TrimSpace(check.Test[1]), "NONE") {
		check.Test = types.HealthCheckTest{"NONE"}
	}
}

// checkName returns an error unless Compose takes name for a project.
func checkName(name string) error {
	if name == "" || loader.NormalizeProjectName(name) != name {
		return fmt.Errorf("project name %q: only small letters, digits, - and _, beginning with a letter or digit", name)
	}
	return nil
}

// loaderOptions has compose-go parse, check and merge, and nothing else: the
// variables are already replaced, and paths are for the host to resolve.
func loaderOptions(name string) func(*loader.Options) {
	return func(o *loader.Options) {
		o.SetProjectName(name, true)
		o.Profiles = []string{"*"}
		o.ResolvePaths = false
		o.SkipInclude = true
		o.SkipExtends = true
		o.SkipNormalization = true
		o.SkipResolveEnvironment = true
		o.SkipResolveLabels = true
		// Interpolation itself stays on, as it also turns "2" into 2 where a number is due.
		o.Interpolate.Substitute = asIs
		o.Interpolate.LookupValue = func(string) (string, bool) { return "", false }
	}
}

var errNoService = errors.New("no file defines a service")

// merge returns the one project that the sources and overrides make.
func merge(ctx context.Context, name string, sources []*source, overrides []override, vars *variables) (
	*types.Project, error) {
	details := types.ConfigDetails{WorkingDir: ".", Environment: types.Mapping{}}
	for _, s := range sources {
		file, err := s.configFile()
		if err != nil {
			return nil, err
		}
		details.ConfigFiles = append(details.ConfigFiles, file)
	}
	if len(overrides) > 0 {
		details.ConfigFiles = append(details.ConfigFiles, overrideFile(overrides, sources))
	}
	if len(sources) == 0 {
		return nil, errNoService
	}
	options := loaderOptions(name)
	model, err := loader.LoadModelWithContext(ctx, details, options)
	if err != nil {
		return nil, err
	}
	if services, _ := model["services"].(map[string]any); len(services) == 0 {
		return nil, errNoService
	}
	model["name"] = name
	if model, err = loader.Normalize(model, byName(model, vars)); err != nil {
		return nil, err
	}
	return loader.ModelToProject(model, loader.ToOptions(&details, []func(*loader.Options){options}), details)
}

// byName returns the values of the variables that the model's services name
// without a value, in their environment or their build's arguments.
func byName(model map[string]any, vars *variables) types.Mapping {
	found := types.Mapping{}
	look := func(name string) {
		if value, ok := vars.get(name); ok {
			found[name] = value
		}
	}
	services, _ := model["services"].(map[string]any)
	for _, s := range services {
		service, _ := s.(map[string]any)
		build, _ := service["build"].(map[string]any)
		for _, entries := range []any{service["environment"], build["args"]} {
			switch entries := entries.(type) {
			case []any:
				for _, entry := range entries {
					if text, ok := entry.(string); ok && !strings.Contains(text, "=") {
						look(text)
					}
				}
			case map[string]any:
				for name, value := range entries {
					if value == nil {
						look(name)
					}
				}
			}
		}
	}
	return found
}

// externalNetworks returns the names of the networks that the project expects to find.
func externalNetworks(project *types.Project) []string {
	names := []string{}
	for _, network := range project.Networks {
		if network.External {
			names = append(names, network.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// images returns the image of each service that has one.
func images(project *types.Project) map[string]string {
	found := map[string]string{}
	for name, service := range project.Services {
		if service.Image != "" {
			found[name] = service.Image
		}
	}
	return found
}

// published returns the TCP ports of the host that the project's services ask for.
func published(project *types.Project) []string {
	ports := []string{}
	for _, service := range project.Services {
		for _, port := range service.Ports {
			if port.Published != "" && port.Protocol == "tcp" {
				ports = append(ports, port.Published)
			}
		}
	}
	slices.Sort(ports)
	return slices.Compact(ports)
}
