package release

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

func TestTheNewestReleasesAreKept(t *testing.T) {
	f := Of(t.TempDir())
	images := []Image{{"django", "app:1", "sha256:1", "app@sha256:d", "c", Site}, {"postgres", "postgres:15", "sha256:2", "", "", ""}}
	for n := 1; n <= Keep+2; n++ {
		if got, err := f.Add(hostapi.Release{Who: "me", What: "deploy"}, []byte("services: {}\n"), images); got != n || err != nil {
			t.Fatalf("release %d: %d, %v", n, got, err)
		}
	}
	all, err := f.List()
	if want := "[3 4 5 6 7 8 9 10 11 12]"; fmt.Sprint(all) != want || err != nil {
		t.Errorf("kept are %v, %v", all, err)
	}
	if got, err := f.Images(12); !reflect.DeepEqual(got, images) || err != nil {
		t.Errorf("its images are %v, %v", got, err)
	}
	var about hostapi.Release
	text, err := os.ReadFile(f.File(12, "release.json"))
	if err == nil {
		err = json.Unmarshal(text, &about)
	}
	if err != nil || about.Release != 12 || about.Who != "me" {
		t.Errorf("%s, %v", text, err)
	}
}

func TestAReleaseThatCannotBeWrittenIsNone(t *testing.T) {
	f := Of(t.TempDir())
	if err := os.WriteFile(string(f), nil, 0o600); err != nil { // where the folder has to be
		t.Fatal(err)
	}
	if n, err := f.Add(hostapi.Release{}, nil, nil); err == nil {
		t.Errorf("release %d is kept in a file", n)
	}
}

// full is set where this test runs again as a process that can write no file.
const full = "MRS_OPS_TEST_FULL"

func TestAReleaseThatADiskHasNoRoomForIsNone(t *testing.T) {
	if folder := os.Getenv(full); folder != "" {
		signal.Ignore(syscall.SIGXFSZ) // so that it is an error, as a full disk is
		n, err := Of(folder).Add(hostapi.Release{Who: "me"}, []byte("services: {}\n"), nil)
		fmt.Printf("added %d: %v\n", n, err)
		return
	}
	folder := t.TempDir()
	if _, err := Of(folder).Add(hostapi.Release{}, []byte("services: {}\n"), nil); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("bash", "-c", `ulimit -f 0; exec "$0" -test.run "^$1$"`, os.Args[0], t.Name())
	cmd.Env = append(os.Environ(), full+"="+folder)
	out, err := cmd.CombinedOutput()
	if err != nil || !strings.Contains(string(out), "added 0: ") || !strings.Contains(string(out), "file too large") {
		t.Errorf("%v: %s", err, out)
	}
	if all, err := Of(folder).List(); fmt.Sprint(all) != "[1]" || err != nil {
		t.Errorf("there are %v, %v", all, err)
	}
}

func TestWhatAnOlderVersionLeftInTheFolderIsNoRelease(t *testing.T) {
	f := Of(t.TempDir())
	for _, name := range []string{".new", "7", "x", "10"} {
		if err := os.MkdirAll(filepath.Join(string(f), name), 0o700); err != nil {
			t.Fatal(err)
		}
	}
	if n, err := f.Newest(); n != 10 || err != nil {
		t.Error(n, err)
	}
	if _, err := f.Images(3); err == nil || err.Error() != "there is no release 3; there are: 7 10" {
		t.Error(err)
	}
}

func TestOldImagesAreCalledByWhatStillMeansThem(t *testing.T) {
	for name, test := range map[string]struct {
		image Image
		here  string // NAME=ID …
		want  string
	}{
		"its name still means it":                {Image{"a", "n", "1", "d", "", ""}, "n=1", "map[]"},
		"its name means another one":             {Image{"a", "n", "1", "d", "", ""}, "n=2 1=1 d=1", "map[a:d]"},
		"the digest means nothing here":          {Image{"a", "n", "1", "d", "", ""}, "n=2 1=1", "map[a:1]"},
		"it is gone, and a registry may have it": {Image{"a", "n", "1", "d", "", ""}, "n=2", "map[a:d]"},
		"it came from no registry":               {Image{"a", "n", "1", "", "", ""}, "n=2 1=1", "map[a:1]"},
		"it came from no registry, and is gone":  {Image{"a", "n", "1", "", "", ""}, "n=2", "the image that a had in release 4 is gone, and no registry has it"},
	} {
		t.Run(name, func(t *testing.T) {
			pins, err := Pins(4, []Image{test.image}, func(name string) (string, error) {
				for word := range strings.FieldsSeq(test.here) {
					if id, ok := strings.CutPrefix(word, name+"="); ok {
						return id, nil
					}
				}
				return "", nil
			})
			got := fmt.Sprint(pins)
			if err != nil {
				got = err.Error()
			}
			if got != test.want {
				t.Errorf("%s, not %s", got, test.want)
			}
		})
	}
}

func TestTheDigestIsThatOfTheImagesOwnRegistry(t *testing.T) {
	digests := []string{"other.example/app@sha256:1", "registry.example:5000/app@sha256:2"}
	for name, want := range map[string]string{
		"registry.example:5000/app":     "registry.example:5000/app@sha256:2",
		"registry.example:5000/app:tag": "registry.example:5000/app@sha256:2",
		"registry.example:5000/app@x":   "registry.example:5000/app@sha256:2",
		"app:tag":                       "",
	} {
		if got := DigestOf(name, digests); got != want {
			t.Errorf("%s: %q, not %q", name, got, want)
		}
	}
}

func TestReleasesAreReadAsTheyWereWritten(t *testing.T) {
	stack := t.TempDir()
	write := func(n, about, images string) {
		t.Helper()
		folder := filepath.Join(stack, "releases", n)
		if err := errors.Join(os.MkdirAll(folder, 0o700), os.WriteFile(filepath.Join(folder, "release.json"), []byte(about), 0o600),
			os.WriteFile(filepath.Join(folder, "images"), []byte(images), 0o600)); err != nil {
			t.Fatal(err)
		}
	}
	if all, err := Of(stack).All(); err != nil || len(all) != 0 || all == nil {
		t.Errorf("where there is none: %v, %v", all, err)
	}
	const about = `{"release": 10, "time": "2026-11-24T20:14:57Z", "who": "a@b", "what": "deploy", "commit": "f83ac49"}`
	write("10", about, "postgres p:1 sha256:1 -\ndjango reg:5000/mrs:1 sha256:2 -\n") // of an older version
	write("9", `{"release": 9}`, "migrate shop:2 sha256:1 - - one-shot\nweb shop:2 sha256:1 - - site\n")
	write(".new", "{half", "")
	all, err := Of(stack).All()
	if err != nil || len(all) != 2 || all[0].Image != "shop:2" || all[1].Image != "reg:5000/mrs:1" || all[1].Commit != "f83ac49" ||
		all[1].Time.Hour() != 20 || all[1].Release != 10 {
		t.Errorf("%+v, %v", all, err)
	}
	write("11", about, "web shop:2\n")
	if all, err := Of(stack).All(); err != nil || all[2].Image != "" {
		t.Errorf("without its images: %+v, %v", all, err)
	}
	write("11", "{half", "")
	if _, err := Of(stack).All(); err == nil || !strings.Contains(err.Error(), "hint: ") {
		t.Errorf("half a release: %v", err)
	}
}
