package stack

import (
	"cmp"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"
)

// path returns where the compose file called name is, and whether it is foreign: not
// one of those in Dir, but of the application's own repository, say. Those are read
// as Compose and the role yourlabs.compose read them ([adopt]).
func (o Options) path(name string) (file string, foreign bool) {
	switch {
	case filepath.IsAbs(name):
		file = filepath.Clean(name)
	case strings.ContainsRune(name, '/'):
		file = filepath.Join(filepath.Dir(o.Dir), name)
	default:
		return filepath.Join(o.Dir, name), false
	}
	ours, err := filepath.Abs(o.Dir)
	theirs, wrong := filepath.Abs(filepath.Dir(file))
	return file, err != nil || wrong != nil || ours != theirs
}

// whichAreMeant tells which file each name of a compose file stands for, where that
// could be doubted.
func (o Options) whichAreMeant() (notes []string) {
	for _, name := range o.Files {
		file, foreign := o.path(name)
		if absolute, err := filepath.Abs(file); err == nil && foreign {
			notes = append(notes, fmt.Sprintf("%s is a file of its own, %s: ours of that name is not read", name, absolute))
			continue
		}
		other := filepath.Join(filepath.Dir(o.Dir), "..", filepath.Base(file))
		if _, err := os.Stat(other); err == nil {
			notes = append(notes, fmt.Sprintf("%s is ours, %s; the application's is compose=../%s", name, file, name))
		}
	}
	return notes
}

// lenient are the keys of a service in which a foreign file's ${NAME} that is all of a
// value may be without one, as Compose has it.
var lenient = []string{"environment", "labels", "sysctls"}

// wholeValue is a value, of a mapping or behind NAME=, that is one variable.
var wholeValue = regexp.MustCompile(`^([A-Za-z0-9_.-]+=)?\$(?:\{([A-Za-z_][A-Za-z0-9_]*)\}|([A-Za-z_][A-Za-z0-9_]*))$`)

// unset reports whether the text is a variable without a value, and what is left.
func (e *expansion) unset(text string) (left string, unset bool) {
	m := wholeValue.FindStringSubmatch(text)
	if m == nil || !e.lenient {
		return "", false
	}
	name := cmp.Or(m[2], m[3])
	if _, set := e.get(name); set {
		return "", false
	}
	e.empty = append(e.empty, name)
	return m[1], true
}

// adopt has the foreign files say in our words what they said in those of
// yourlabs.compose and of Traefik 2. What can't be said is for others to refuse. It
// returns what is another than it was.
func adopt(sources []*source) (notes []string, err error) {
	var errs []error
	for _, s := range sources {
		for name, service := range s.services() {
			if !s.foreign || service.Kind != yaml.MappingNode {
				continue
			}
			at := place{s.file, name, "labels"}
			mounted := mountSources(sources)
			eachText(child(service, "labels"), func(key, value string) string {
				now, err := value, error(nil)
				switch {
				case isMkdir(key):
					now = adoptFolders(value, mounted)
				case routerRule.MatchString(key):
					now, err = adoptRule(value)
				}
				if err != nil {
					errs = append(errs, at.errorf("%s: %w", key, err))
				}
				if now != value {
					notes = append(notes, fmt.Sprintf("%s: %s is read as %s", at, key, now))
				}
				return now
			})
			if sysctls := child(service, "sysctls"); sysctls != nil {
				before := len(sysctls.Content)
				dropEmpty(sysctls)
				if len(sysctls.Content) != before {
					at.key = "sysctls"
					notes = append(notes, fmt.Sprintf("%s: one without a value is left out: the kernel takes none", at))
				}
			}
		}
	}
	return notes, errors.Join(errs...)
}

// eachText replaces the values of labels, a list of KEY=VALUE or a mapping.
func eachText(labels *yaml.Node, replace func(key, value string) string) {
	if labels == nil {
		return
	}
	for key, value := range entries(labels) {
		if value.Kind == yaml.ScalarNode {
			value.Value = replace(key, value.Value)
		}
	}
	if labels.Kind == yaml.SequenceNode {
		for _, item := range labels.Content {
			if key, value, found := strings.Cut(item.Value, "="); found {
				item.Value = key + "=" + replace(key, value)
			}
		}
	}
}

// dropEmpty removes what has no value of a list of KEY=VALUE or a mapping.
func dropEmpty(n *yaml.Node) {
	if n.Kind == yaml.SequenceNode {
		n.Content = slices.DeleteFunc(n.Content, func(item *yaml.Node) bool { return strings.HasSuffix(item.Value, "=") })
	}
	removeKeys(n, func(key string) bool {
		value := child(n, key)
		return value.Kind == yaml.ScalarNode && value.Value == ""
	})
}

// mountSources returns the paths of the host that services mount.
func mountSources(sources []*source) (all []string) {
	for _, s := range sources {
		for _, service := range s.services() {
			volumes := child(service, "volumes")
			if volumes == nil {
				continue
			}
			for _, item := range volumes.Content {
				source, _, _ := strings.Cut(item.Value, ":")
				if long := child(item, "source"); long != nil {
					source = long.Value
				}
				all = append(all, path.Clean(source))
			}
		}
	}
	return all
}

// accounts are the numbers of accounts that are the same on every host, or with
// www-data on every one of Debian's family.
var accounts = map[string]string{"root": "0", "www-data": "33", "nobody": "65534", "nogroup": "65534"}

// adoptFolders returns a mkdir label in our words: names of accounts as numbers, no
// comma behind the last path, and /x below home unless /x itself is mounted.
func adoptFolders(label string, mounted []string) string {
	fields := strings.Split(label, ":")
	if len(fields) != 4 {
		return label
	}
	paths := strings.Split(strings.TrimRight(fields[0], ","), ",")
	for i, name := range paths {
		if path.IsAbs(name) && !slices.ContainsFunc(mounted, func(source string) bool { return source == path.Clean(name) }) {
			paths[i] = "." + name
		}
	}
	fields[0] = strings.Join(paths, ",")
	for i := 1; i <= 2; i++ {
		fields[i] = cmp.Or(accounts[fields[i]], fields[i])
	}
	return strings.Join(fields, ":")
}

var (
	routerRule = regexp.MustCompile(`(?i)^traefik\.(http|tcp)\.routers\.[^.]+\.rule$`)
	matcher    = regexp.MustCompile("([A-Za-z]+)\\(((?:\\s*(?:`[^`]*`|\"[^\"]*\")\\s*,?)*)\\)")
	// severalNames are the matchers of Traefik 2 that took several arguments, any of which matches.
	severalNames = []string{"Host", "HostSNI", "Path", "PathPrefix", "Method", "ClientIP"}
	argument     = regexp.MustCompile("`[^`]*`|\"[^\"]*\"")
)

// adoptRule returns a rule of Traefik 2's in the words of Traefik 3, in which a
// matcher has one name (Traefik, "Migration: v2 to v3").
func adoptRule(rule string) (string, error) {
	var errs []error
	now := matcher.ReplaceAllStringFunc(rule, func(text string) string {
		m := matcher.FindStringSubmatch(text)
		name, arguments := m[1], argument.FindAllString(m[2], -1)
		braces := strings.ContainsRune(m[2], '{')
		switch name {
		case "HostHeader":
			name = "Host"
		case "HostRegexp", "HostSNIRegexp", "Path", "PathPrefix":
			if braces {
				errs = append(errs, fmt.Errorf("%s with {…} is of Traefik 2\nhint: HostRegexp(`^[a-z]+\\.example\\.org$`) "+
					"or PathRegexp(`^/x/[0-9]+$`), a regular expression as a whole", name))
			}
		case "Headers", "HeadersRegexp", "Query":
			errs = append(errs, fmt.Errorf("%s is of Traefik 2\n"+
				"hint: Header(`NAME`, `VALUE`), HeaderRegexp, Query(`NAME`, `VALUE`)", name))
		}
		if len(arguments) < 2 || !slices.Contains(severalNames, name) {
			return name + text[len(m[1]):]
		}
		for i := range arguments {
			arguments[i] = name + "(" + arguments[i] + ")"
		}
		return "(" + strings.Join(arguments, " || ") + ")"
	})
	return now, errors.Join(errs...)
}

// implied returns the folders that foreign files mount and no label declares: Docker
// made them, root's, and PostgreSQL's image took them over. dir is where the compose
// files are: a file there is no folder.
func implied(
	project *types.Project, sources []*source, declared []Folder, dir string,
) (folders []Folder, notes []string) {
	known := map[string]bool{}
	for _, folder := range declared {
		known[folder.Path] = true
	}
	for _, name := range project.ServiceNames() {
		service := project.Services[name]
		foreign := slices.ContainsFunc(sources, func(s *source) bool {
			service := maps.Collect(s.services())[name]
			return s.foreign && service != nil && child(service, "volumes") != nil
		})
		for _, volume := range service.Volumes {
			where := path.Clean(volume.Source)
			info, err := os.Stat(filepath.Join(dir, where))
			isFile := err == nil && !info.IsDir()
			if !foreign || volume.Type != types.VolumeTypeBind || known[where] || isFile || !filepath.IsLocal(where) {
				continue
			}
			folder := Folder{Path: where, Mode: "0755"}
			if postgresImage.MatchString(service.Image) {
				folder = Folder{Path: where, UID: 999, GID: 999, Mode: "0700"}
				// The image opens the socket to all each time it starts, and who reaches it is
				// the database's superuser: the folder above is closed.
				if above := path.Dir(where); volume.Target == "/var/run/postgresql" {
					folder.Mode = "3775"
					if above != "." && !known[above] {
						known[above] = true
						folders = append(folders, Folder{Path: above, Mode: "0700"})
					}
				}
			}
			known[where] = true
			folders = append(folders, folder)
			notes = append(notes, fmt.Sprintf("service %s: no label declares %s: it is made as %s", name, where, folder.owner()))
		}
	}
	return folders, notes
}

// postgresImage is PostgreSQL's on Debian, in which postgres is 999.
var postgresImage = regexp.MustCompile(`^([^/]+/)?(library/)?postgres:[0-9.]+` +
	`(-(trixie|bookworm|bullseye|buster|stretch))?$`)
