// Package release keeps what ran: of each release its docker-compose.yml, which
// images it had, and who made it (release.json, [hostapi.Release]), in the folder
// releases/N beside the stack's docker-compose.yml. The highest N runs.
//
// It must not know how a release comes to run.
package release

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
)

// Keep is how many there are at most.
const Keep = 10

// Image is the one that a service had.
type Image struct {
	Service string
	Name    string // as the compose file has it
	ID      string
	Digest  string // NAME@sha256:…; empty: it came from no registry
	Config  string // Compose's sum of the service's configuration
	Role    string // [Site], [OneShot] or [Idle]; empty: none of them
}

// What a service was, for who looks at an instance.
const (
	Site    = "site"     // visitors come to it
	OneShot = "one-shot" // it runs to its end, and need not be there afterwards
	Idle    = "idle"     // none of it is to run
)

// Same reports whether a service had the same image and configuration, however the
// image is called.
func (i Image) Same(other Image) bool {
	return i.Service == other.Service && i.ID == other.ID && i.Config == other.Config
}

// Folder is the releases of a stack.
type Folder string

// Of returns those of the stack in a folder.
func Of(stack string) Folder { return Folder(filepath.Join(stack, "releases")) }

// File returns where a file of a release is.
func (f Folder) File(n int, name string) string {
	return filepath.Join(string(f), strconv.Itoa(n), name)
}

// Compose is the name of a release's docker-compose.yml.
const Compose = "docker-compose.yml"

// List returns the numbers of those that are kept, the oldest first.
func (f Folder) List() ([]int, error) {
	entries, err := os.ReadDir(string(f))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	var all []int
	for _, e := range entries {
		if n, err := strconv.Atoi(e.Name()); err == nil && n > 0 {
			all = append(all, n)
		}
	}
	slices.Sort(all)
	return all, err
}

// Newest returns the number of the one that runs; 0: there is none.
func (f Folder) Newest() (int, error) {
	all, err := f.List()
	if err != nil || len(all) == 0 {
		return 0, err
	}
	return all[len(all)-1], nil
}

// All returns those that are kept, the oldest first, each with the image of its site.
func (f Folder) All() ([]hostapi.Release, error) {
	numbers, err := f.List()
	if err != nil {
		return nil, err
	}
	all := []hostapi.Release{}
	for _, n := range numbers {
		r, err := f.About(n)
		if err != nil {
			return nil, err
		}
		images, _ := f.Images(n) // without them there is an image less to show
		isSite := func(i Image) bool { return i.Role == Site || i.Service == hostapi.MRS }
		if i := slices.IndexFunc(images, isSite); i >= 0 {
			r.Image = images[i].Name
		}
		all = append(all, r)
	}
	return all, nil
}

// About returns what is written down of a release.
func (f Folder) About(n int) (r hostapi.Release, err error) {
	text, err := os.ReadFile(f.File(n, "release.json"))
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		err = fmt.Errorf("release %d can't be read: %w\n"+
			"hint: the releases are in the folder releases beside docker-compose.yml", n, err)
	}
	return r, err
}

// Images returns those of a release.
func (f Folder) Images(n int) ([]Image, error) {
	text, err := os.ReadFile(f.File(n, "images"))
	if errors.Is(err, fs.ErrNotExist) {
		all, _ := f.List()
		return nil, fmt.Errorf("there is no release %d; there are: %s", n, strings.Trim(fmt.Sprint(all), "[]"))
	}
	if err != nil {
		return nil, err
	}
	return parse(string(text))
}

// parse reads the file images: a line a service, SERVICE NAME ID DIGEST CONFIG ROLE, of
// which "-" is none, and the last may be missing.
func parse(text string) ([]Image, error) {
	var all []Image
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		if len(words) < 4 {
			return nil, fmt.Errorf("a release's images can't be read: %q", line)
		}
		i := Image{Service: words[0], Name: words[1], ID: words[2], Digest: strings.TrimPrefix(words[3], "-")}
		if len(words) > 4 {
			i.Config = strings.TrimPrefix(words[4], "-")
		}
		if len(words) > 5 {
			i.Role = words[5]
		}
		all = append(all, i)
	}
	return all, nil
}

func format(all []Image) string {
	var text strings.Builder
	for _, i := range all {
		line := fmt.Sprintln(i.Service, i.Name, i.ID, cmp.Or(i.Digest, "-"), cmp.Or(i.Config, "-"), i.Role)
		text.WriteString(strings.TrimRight(line, " \n") + "\n")
	}
	return text.String()
}

// Add keeps another one, and returns its number. It is there whole, or not at all.
// Of those before it, the oldest go.
func (f Folder) Add(r hostapi.Release, compose []byte, images []Image) (int, error) {
	all, err := f.List()
	if err != nil {
		return 0, err
	}
	r.Release = 1
	if len(all) > 0 {
		r.Release = all[len(all)-1] + 1
	}
	about, err := json.Marshal(r)
	if err != nil {
		return 0, err
	}
	next := filepath.Join(string(f), ".new")
	if err := os.RemoveAll(next); err != nil {
		return 0, err
	}
	err = os.MkdirAll(next, 0o700)
	files := map[string][]byte{Compose: compose, "images": []byte(format(images)), "release.json": append(about, '\n')}
	for name, content := range files {
		if err == nil {
			err = durable.Write(filepath.Join(next, name), content, 0o600)
		}
	}
	if err == nil {
		err = durable.Rename(next, filepath.Join(string(f), strconv.Itoa(r.Release)))
	}
	if err != nil {
		return 0, errors.Join(err, os.RemoveAll(next))
	}
	for _, old := range all[:max(0, len(all)+1-Keep)] {
		_ = os.RemoveAll(filepath.Join(string(f), strconv.Itoa(old)))
	}
	return r.Release, nil
}

// Have tells what images are on this host.
type Have func(name string) (id string, err error)

// Pins returns, by service, what the images of a release have to be called now, so
// that they are those that it had: where a name means another image by now, the
// digest of the one that it meant, or its id where no registry has that.
func Pins(n int, images []Image, have Have) (map[string]string, error) {
	pins := map[string]string{}
	for _, i := range images {
		now, err := have(i.Name)
		if err != nil {
			return nil, err
		}
		if now == i.ID {
			continue
		}
		there, err := have(i.ID)
		if err != nil {
			return nil, err
		}
		byDigest := ""
		if i.Digest != "" {
			if byDigest, err = have(i.Digest); err != nil {
				return nil, err
			}
		}
		switch {
		case there == "" && i.Digest == "":
			return nil, fmt.Errorf("the image that %s had in release %d is gone, and no registry has it", i.Service, n)
		case there == "" || byDigest == i.ID:
			pins[i.Service] = i.Digest
		default:
			pins[i.Service] = i.ID
		}
	}
	return pins, nil
}

// DigestOf returns which of an image's digests is of the registry that its name is
// of; empty: none is.
func DigestOf(name string, digests []string) string {
	name, _, _ = strings.Cut(name, "@")
	if colon := strings.LastIndex(name, ":"); colon > strings.LastIndex(name, "/") {
		name = name[:colon]
	}
	for _, d := range digests {
		if strings.HasPrefix(d, name+"@") {
			return d
		}
	}
	return ""
}
