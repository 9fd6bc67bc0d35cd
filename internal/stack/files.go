package stack

import (
	"cmp"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"maps"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/compose-spec/compose-go/v2/types"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// File is a file of this machine's that the stack's services read on the host.
type File struct {
	// Path is relative in the stack's home. It follows from all that is below, so
	// that what changes is another file, and Compose replaces whoever reads it.
	Path string
	// Content may be secret, and anything: it is no text.
	Content []byte
	// UID owns the file.
	UID int
	// GID is the file's group.
	GID int
	// Mode is four octal digits, such as 0600.
	Mode string
}

const (
	// maxFile and maxFiles are, in bytes, how large a carried file may be, and all
	// together: they travel within one request, and each release keeps its own.
	maxFile  = 1 << 20
	maxFiles = 4 << 20
)

// carrier finds the files of a project that are on this machine only.
type carrier struct {
	dir       string // where relative names are, as Compose has it: the first compose file's
	project   *types.Project
	sources   []*source
	overrides []override
	vars      *variables
	declared  map[string]bool // folders, by their clean paths
	files     map[string]File // by their paths
	errs      []error
}

func newCarrier(o Options, project *types.Project, sources []*source, overrides []override, vars *variables) *carrier {
	first, _ := o.path(o.Files[0])
	return &carrier{dir: filepath.Dir(first), project: project, sources: sources, overrides: overrides, vars: vars,
		declared: map[string]bool{}, files: map[string]File{}}
}

// containers ranges over what the project says of containers, by service. What is
// changed stays so.
func (c *carrier) containers() iter.Seq2[string, *types.ContainerSpec] {
	return func(yield func(string, *types.ContainerSpec) bool) {
		for _, name := range c.project.ServiceNames() {
			service := c.project.Services[name]
			more := yield(name, &service.ContainerSpec)
			for i := range service.PreStart {
				more = more && yield(name, &service.PreStart[i].ContainerSpec)
			}
			c.project.Services[name] = service
			if !more {
				return
			}
		}
	}
}

// place returns where the files or an override say something of the service's key.
func (c *carrier) place(service, key string) place {
	at := place{saidBy(c.sources, c.overrides, service, key), service, key}
	if at.file == "" { // of a container that runs before the service's
		at = place{saidBy(c.sources, c.overrides, service, "pre_start"), service, "pre_start: " + key}
	}
	return at
}

// wrong notes what is wrong with a service's key. A container that runs before the
// service's has what that has, and is wrong in the same way.
func (c *carrier) wrong(service, key string, err error) {
	_ = each(err, func(err error) error {
		err = c.place(service, key).errorf("%w", err)
		if !slices.ContainsFunc(c.errs, func(other error) bool { return other.Error() == err.Error() }) {
			c.errs = append(c.errs, err)
		}
		return err
	})
}

// mappings has what env files and label files say be said by the containers
// themselves. What is on the host stays there, for Compose to read.
func (c *carrier) mappings() {
	for service, container := range c.containers() {
		c.environment(service, container)
		c.labels(service, container)
	}
}

// environment merges the container's env files, as Compose does when it starts it:
// a later file wins, and what the container's environment says wins over all.
func (c *carrier) environment(service string, container *types.ContainerSpec) {
	const key = "env_file"
	said := container.Environment
	all := map[string]string{}
	for name, value := range said {
		if value != nil {
			all[name] = *value
		}
	}
	var onHost []types.EnvFile
	merged := map[string]string{}
	for _, file := range container.EnvFiles {
		if path.IsAbs(file.Path) {
			if len(merged) > 0 {
				c.wrong(service, key, tooLate(file.Path))
			}
			onHost = append(onHost, file)
			continue
		}
		content, err := c.read(file.Path)
		if errors.Is(err, fs.ErrNotExist) && !bool(file.Required) {
			continue
		}
		if err == nil {
			err = c.parse(file.Path, file.Format, string(content), all, func(name string) (string, bool) {
				if value, ok := c.vars.get(name); ok {
					return value, true
				}
				if value := said[name]; value != nil {
					return *value, true
				}
				return "", false
			})
		}
		if err != nil {
			c.wrong(service, key, err)
			continue
		}
		maps.Copy(merged, all)
	}
	if len(merged) > 0 && container.Environment == nil {
		container.Environment = types.MappingWithEquals{}
	}
	for name, value := range merged {
		if _, wins := said[name]; !wins {
			container.Environment[name] = &value
		}
	}
	container.EnvFiles = onHost
}

// labels merges the container's label files, as Compose does: a later file wins,
// and what the container's labels say wins over all.
func (c *carrier) labels(service string, container *types.ContainerSpec) {
	const key = "label_file"
	var onHost []string
	merged := map[string]string{}
	for _, file := range container.LabelFiles {
		if path.IsAbs(file) {
			if len(merged) > 0 {
				c.wrong(service, key, tooLate(file))
			}
			onHost = append(onHost, file)
			continue
		}
		content, err := c.read(file)
		if err == nil {
			err = c.parse(file, "", string(content), merged, func(string) (string, bool) { return "", false })
		}
		if err != nil {
			c.wrong(service, key, err)
		}
	}
	if len(merged) > 0 {
		maps.Copy(merged, container.Labels)
		container.Labels = merged
	}
	container.LabelFiles = onHost
}

// tooLate returns the error for a file of the host's that should win over one that
// is a part of the rendered file by then.
func tooLate(file string) error {
	return fmt.Errorf("%s: it is on the host, and comes after one that is not, over which it would have to win\n"+
		"hint: name those with an absolute path first", file)
}

// parse reads an env file into vars, and keeps what is in it out of errors.
func (c *carrier) parse(file, format, content string, vars map[string]string, get func(string) (string, bool)) error {
	parsed := envFile{get: get, vars: vars}
	before := maps.Clone(vars)
	var err error
	switch format {
	case "":
		err = parsed.readDotenv(content)
	case "raw":
		err = parsed.readRaw(content)
	default:
		return fmt.Errorf("%s: format %q is not known\n"+
			"hint: there is raw; without a format it is read as Compose reads a .env", file, format)
	}
	for name, value := range vars {
		if was, there := before[name]; there && was == value {
			continue
		}
		c.vars.remember(fmt.Sprintf("the value of %s in %s", name, file), value)
	}
	if err == nil {
		return nil
	}
	return each(err, func(err error) error { return fmt.Errorf("%s: %w", file, err) })
}

// mounts has what the containers mount or read of this machine's be on the host.
func (c *carrier) mounts(folders []Folder) {
	for _, folder := range folders {
		c.declared[folder.Path] = true
	}
	for service, container := range c.containers() {
		for i := range container.Volumes {
			if err := c.bind(&container.Volumes[i]); err != nil {
				c.wrong(service, "volumes", err)
			}
		}
		for i, option := range container.SecurityOpt {
			if option, err := c.profile(option); err != nil {
				c.wrong(service, "security_opt", err)
			} else {
				container.SecurityOpt[i] = option
			}
		}
		c.objects(service, container)
	}
	for _, name := range c.project.ServiceNames() {
		if service := c.project.Services[name]; service.Image == "" && service.Build != nil {
			c.wrong(name, "build", errors.New("the host has not what it is built from\nhint: say by image what is built of it"))
		}
	}
	c.unused()
	for _, name := range slices.Sorted(maps.Keys(c.project.Volumes)) {
		c.device(name)
	}
}

// bind has a bind mount's source be carried along, unless it is a folder that the
// host has. Docker would make a folder, root's and empty, of what is not there.
func (c *carrier) bind(volume *types.ServiceVolumeConfig) error {
	if volume.Type != types.VolumeTypeBind || volume.Source == "" || c.onHost(volume.Source) {
		return nil
	}
	carried, err := c.carry(volume.Source, 0, 0, 0o600)
	if errors.Is(err, fs.ErrNotExist) && volume.Bind != nil && !bool(volume.Bind.CreateHostPath) {
		return nil // then Docker refuses it, and makes nothing
	}
	if err != nil {
		return withHint(err, "put the file there, or have the label "+mkdirLabel+" declare the folder; "+
			"what the host has itself is named by its absolute path")
	}
	volume.Source = carried
	if volume.Bind == nil {
		volume.Bind = &types.ServiceVolumeBind{}
	}
	volume.Bind.CreateHostPath = false
	return nil
}

// onHost reports whether a path is the host's own, or a folder that the stack declares.
func (c *carrier) onHost(name string) bool { return path.IsAbs(name) || c.declared[path.Clean(name)] }

// profile has a security option's seccomp profile be carried along.
func (c *carrier) profile(option string) (string, error) {
	at := strings.IndexAny(option, "=:")
	if at < 0 || option[:at] != "seccomp" {
		return option, nil
	}
	if name := option[at+1:]; name != "unconfined" && name != "builtin" && !path.IsAbs(name) {
		carried, err := c.carry(name, 0, 0, 0o600)
		return option[:at+1] + carried, err
	}
	return option, nil
}

// objects has the container's configs and secrets that are files be mounted, which
// is how Compose has them. A mount is a part of the service, so that whatever
// changes of it is seen, and it takes the owner and the mode that the service asks
// for, of which Compose takes none.
func (c *carrier) objects(service string, container *types.ContainerSpec) {
	container.Configs = slices.DeleteFunc(container.Configs, func(ref types.ServiceConfigObjConfig) bool {
		file := c.project.Configs[ref.Source].File
		return c.object(container, service, "configs", "/", file, types.FileReferenceConfig(ref))
	})
	container.Secrets = slices.DeleteFunc(container.Secrets, func(ref types.ServiceSecretConfig) bool {
		file := c.project.Secrets[ref.Source].File
		return c.object(container, service, "secrets", "/run/secrets/", file, types.FileReferenceConfig(ref))
	})
}

// object mounts a config or a secret that is a file, below folder where its target
// is not absolute. It reports whether it did, or had to.
func (c *carrier) object(
	container *types.ContainerSpec, service, key, folder, file string, ref types.FileReferenceConfig,
) bool {
	if !isHere(file) {
		if file != "" && (ref.UID != "" || ref.GID != "" || ref.Mode != nil) {
			c.wrong(service, key, fmt.Errorf("%s: uid, gid and mode change nothing of %s, which is the host's own\n"+
				"hint: leave them out, and give it to its reader on the host", ref.Source, file))
		}
		return false
	}
	uid, uidErr := parseID("uid", cmp.Or(ref.UID, "0"))
	gid, gidErr := parseID("gid", cmp.Or(ref.GID, "0"))
	mode, modeErr := fs.FileMode(0o600), error(nil)
	if ref.Mode != nil {
		mode = fs.FileMode(*ref.Mode)
		if mode&^0o777 != 0 {
			modeErr = fmt.Errorf("mode %o has more than permissions, such as 0440", mode)
		}
	}
	carried, err := c.carry(file, uid, gid, mode)
	failed := false
	for _, err := range []error{uidErr, gidErr, modeErr, err} {
		if err != nil {
			c.wrong(service, key, fmt.Errorf("%s: %w", ref.Source, err))
			failed = true
		}
	}
	if failed {
		return true
	}
	target := cmp.Or(ref.Target, ref.Source)
	if !path.IsAbs(target) {
		target = folder + target
	}
	container.Volumes = append(container.Volumes, types.ServiceVolumeConfig{
		Type: types.VolumeTypeBind, Source: carried, Target: target, ReadOnly: true, Bind: &types.ServiceVolumeBind{},
	})
	return true
}

// isHere reports whether a config or secret is a file of this machine's.
func isHere(file string) bool { return file != "" && !path.IsAbs(file) }

// unused removes the configs and secrets that are files of this machine's: whoever
// uses one mounts it by now. What only a build uses is of no use on the host.
func (c *carrier) unused() {
	maps.DeleteFunc(c.project.Configs, func(_ string, o types.ConfigObjConfig) bool { return isHere(o.File) })
	maps.DeleteFunc(c.project.Secrets, func(_ string, o types.SecretConfig) bool { return isHere(o.File) })
	for name, service := range c.project.Services {
		if service.Build != nil {
			service.Build.Secrets = slices.DeleteFunc(service.Build.Secrets, func(ref types.ServiceSecretConfig) bool {
				_, there := c.project.Secrets[ref.Source]
				return !there
			})
			c.project.Services[name] = service
		}
	}
}

// device notes a volume that is a folder of the host, which the stack does not declare.
func (c *carrier) device(name string) {
	volume := c.project.Volumes[name]
	device := volume.DriverOpts["device"]
	if volume.Driver != "local" || volume.DriverOpts["o"] != "bind" || device == "" || c.onHost(device) {
		return
	}
	at := place{saidBy(c.sources, c.overrides, "", "volumes"), "", "volumes"}
	c.errs = append(c.errs, at.errorf("%s: device %s is no folder that the stack declares\n"+
		"hint: have the label %s declare it", name, device, mkdirLabel))
}

var unfitName = regexp.MustCompile(`[^A-Za-z0-9._-]`)

// carry returns the path, relative in home, that the file name of this machine's has on the host.
func (c *carrier) carry(name string, uid, gid int, mode fs.FileMode) (string, error) {
	content, err := c.read(name)
	if err != nil {
		return "", err
	}
	file := File{Content: content, UID: uid, GID: gid, Mode: fmt.Sprintf("%04o", mode)}
	base := unfitName.ReplaceAllString(path.Base(name), "_")
	sum := sha256.New()
	fmt.Fprintf(sum, "%s %s %d:%d:%s\n", c.project.Name, base, uid, gid, file.Mode)
	sum.Write(content)
	file.Path = path.Join(hostapi.Files, fmt.Sprintf("%s-%x", base[:min(len(base), 64)], sum.Sum(nil)[:8]))
	c.files[file.Path] = file
	return "./" + file.Path, nil
}

// read returns the content of a file that a compose file names by a relative path.
// The error names it; [fs.ErrNotExist] is of one that is not there.
func (c *carrier) read(name string) ([]byte, error) {
	clean := filepath.Clean(filepath.FromSlash(name))
	if strings.ContainsFunc(name, unicode.IsControl) {
		return nil, fmt.Errorf("%q is no name of a file", name)
	}
	if strings.HasPrefix(name, "~") {
		return nil, fmt.Errorf("%s: ~ is another folder for each user\n"+
			"hint: what the host has is named by its absolute path", name)
	}
	if !filepath.IsLocal(clean) {
		return nil, fmt.Errorf("%s: it is not in %s, the folder of the compose file\n"+
			"hint: what is there is carried along", name, c.dir)
	}
	root, err := os.OpenRoot(c.dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	content, err := readRegular(root, clean)
	switch {
	case err == nil:
		return content, nil
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s: there is no such file in %s%w", name, c.dir, silent{fs.ErrNotExist})
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s: it can't be read in %s: permission denied", name, c.dir)
	}
	_, refused := errors.AsType[*fs.PathError](err)
	if _, elsewhere := os.Stat(filepath.Join(c.dir, clean)); refused && elsewhere == nil {
		err = fmt.Errorf("it is a link that leaves %s, the folder of the compose file", c.dir)
	}
	return nil, fmt.Errorf("%s: %w", name, err)
}

// silent is an error that is there to be asked for, and says nothing.
type silent struct{ error }

func (silent) Error() string { return "" }

func (s silent) Unwrap() error { return s.error }

// readRegular returns the content of a regular file.
func readRegular(root *os.Root, name string) ([]byte, error) {
	// Who opens a pipe would wait for somebody to write into it.
	file, err := root.OpenFile(name, os.O_RDONLY|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	info, err := file.Stat()
	switch {
	case err != nil:
		return nil, err
	case info.IsDir():
		return nil, errors.New("it is a folder, and only files are carried along")
	case !info.Mode().IsRegular():
		return nil, errors.New("it is no regular file")
	}
	content, err := io.ReadAll(io.LimitReader(file, maxFile+1))
	if err == nil && len(content) > maxFile {
		err = fmt.Errorf("it is larger than %d KiB, and too large to be carried along\n"+
			"hint: put it on the host, and name it by its absolute path", maxFile>>10)
	}
	return content, err
}

// all returns the files that are to be on the host, sorted, and an error that names
// everything that is wrong.
func (c *carrier) all() ([]File, error) {
	var files []File
	size := 0
	for _, name := range slices.Sorted(maps.Keys(c.files)) {
		files = append(files, c.files[name])
		size += len(c.files[name].Content)
	}
	if size > maxFiles {
		c.errs = append(c.errs, fmt.Errorf("the files that are carried along have %s KiB together, and may have %d\n"+
			"hint: put the largest on the host, and name them by their absolute paths", strconv.Itoa(size>>10), maxFiles>>10))
	}
	return files, errors.Join(c.errs...)
}

// withHint returns err with the hint, if it has none.
func withHint(err error, hint string) error {
	if strings.Contains(err.Error(), "\nhint: ") {
		return err
	}
	return fmt.Errorf("%w\nhint: %s", err, hint)
}
