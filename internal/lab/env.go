package lab

import (
	"bytes"
	"crypto/rand"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"

	mrs "github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/local"
)

// header begins every file that the lab writes; a file without it is not ours
// to change or remove.
const header = "# Written by `mage lab:up`, removed by `mage lab:down`.\n"

// folder of the lab's env files, from the project's root: that of MRS_ENV=lab.
var folder = filepath.Join("env", "lab")

type instance struct {
	name       string
	machine    string // where it runs
	persistent bool
	images     map[string]string // by service, without the registry
}

// host returns the name that the instance answers to in the lab.
func (i instance) host() string { return i.name + ".lab" }

// plan returns the instances of the project at root that are on a server, each
// on its machine of the lab: production on its own, the others on staging
// (cookbook: the staging server has ecole and the branches too). Instances on
// localhost are the same with the lab and without.
func plan(root string) ([]instance, error) {
	names, err := mrs.Names(root)
	if err != nil {
		return nil, err
	}
	var instances []instance
	var errs []error
	for _, name := range names {
		// As the env files have it, whatever this process would have, MRS_ENV
		// included. What it lacks, secrets above all, is what the lab gives it.
		inst, err := mrs.Load(root, name, nil)
		if inst == nil {
			errs = append(errs, err)
			continue
		}
		if inst.Get("server") == mrs.Here {
			continue
		}
		i := instance{name: name, machine: staging, persistent: inst.Persistent(),
			images: map[string]string{"django": mrsImage, "postgres": postgresImage}}
		if name == production {
			i.machine = production
		}
		if slices.Contains(inst.ComposeFiles(), "docker-compose.maildev.yml") {
			i.images["mail"] = mailImage
		}
		instances = append(instances, i)
	}
	return instances, errors.Join(errs...)
}

// env returns the content of env/lab/NAME.env, which stands over env/NAME.env.
func (i instance) env(registry string) string {
	var b strings.Builder
	set := func(why string, pairs ...string) {
		fmt.Fprintf(&b, "\n# %s\n", why)
		for n := 0; n < len(pairs); n += 2 {
			b.WriteString(mrs.Assign(pairs[n], pairs[n+1]))
		}
	}
	b.WriteString(header)
	fmt.Fprintf(&b, "# %s in the lab: MRS_ENV=lab reads this over env/%s.env.\n", i.name, i.name)
	set("A machine of the Vagrantfile, and the file that knows how to reach it.",
		"server", "vagrant@"+i.machine, "ssh_config", ".vagrant-ssh", "peer", "vagrant@"+i.machine+".lab")
	set("A name that the machines know. From here: curl --resolve www."+i.host()+":80:ADDRESS http://www."+i.host()+"/",
		"HOST", i.host(), "PROTO", "http", "ALLOWED_HOSTS", i.host()+",www."+i.host())
	if !i.persistent {
		set("Where nothing else is said, the branch called branch.",
			"project", "test-branch", "HOST_SLUG", "mrs-test-branch", "domain", "test.lab")
	}
	var images []string
	for _, service := range slices.Sorted(maps.Keys(i.images)) {
		images = append(images, "compose_"+service+"_image", registry+"/"+i.images[service])
	}
	set("Images from the lab's registry.", images...)
	set("A rehearsal leaves the lab in no way: no mail, no report, no backup elsewhere.",
		"EMAIL_HOST", "", "EMAIL_HOST_USER", "", "ADMINS", "", "TEAM_EMAIL", "", "LIQUIDATION_EMAIL", "", "SENTRY_URL", "",
		"RESTIC_REPOSITORY", "", "S3_ACCESS_KEY_ID", "", "S3_REGION", "", "POSTGRES_BACKUP", "", "WAL_ARCHIVE", "")
	return b.String()
}

// secrets returns the content of a new env/lab/NAME.secrets.env.
func (i instance) secrets() string {
	names := []string{"SECRET_KEY", "DB_PASSWORD"}
	if i.persistent {
		names = append(names, "RESTIC_PASSWORD")
	}
	content := header
	for _, name := range names {
		content += mrs.Assign(name, rand.Text())
	}
	return content
}

// write writes the env files of the instances. Secrets that are there stay:
// databases and backups were made with them.
func write(root string, instances []instance, registry string) error {
	dir := filepath.Join(root, folder)
	if _, err := ours(dir); err != nil {
		return err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for _, i := range instances {
		path := filepath.Join(dir, i.name)
		if err := local.WriteFile(path+".env", i.env(registry), 0o644); err != nil {
			return err
		}
		if _, err := os.Stat(path + ".secrets.env"); !errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err := local.WriteFile(path+".secrets.env", i.secrets(), 0o600); err != nil {
			return err
		}
	}
	return nil
}

// ours returns the files in dir. One that the lab did not write is an error.
func ours(dir string) ([]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var files []string
	var errs []error
	for _, entry := range entries {
		path := filepath.Join(dir, entry.Name())
		content, err := os.ReadFile(path)
		if err != nil || !bytes.HasPrefix(content, []byte(header)) {
			errs = append(errs, fmt.Errorf("%s was not written by the lab\n"+
				"hint: move it out of env/lab, which the lab owns", path))
			continue
		}
		files = append(files, path)
	}
	return files, errors.Join(errs...)
}

// removeFiles removes the env files, and leaves what the lab did not write.
func removeFiles(root string) error {
	dir := filepath.Join(root, folder)
	files, err := ours(dir)
	errs := []error{err}
	for _, file := range files {
		errs = append(errs, os.Remove(file))
	}
	if err == nil {
		if err := os.Remove(dir); !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, err)
		}
	}
	return errors.Join(errs...)
}
