package stack

import (
	"path/filepath"
	"reflect"
	"regexp"
	"strings"
	"testing"
)

func TestParseMkdir(t *testing.T) {
	for label, want := range map[string][]Folder{
		"./log:1000:1000:0750":         {{"log", 1000, 1000, "0750"}},
		"./a,b/c/,./d/../e:0:999:2775": {{"a", 0, 999, "2775"}, {"b/c", 0, 999, "2775"}, {"e", 0, 999, "2775"}},
		"/mnt/backup/x:999:999:700":    {{"/mnt/backup/x", 999, 999, "0700"}},
		"pièces jointes:1:4294967294:0700": {
			{"pièces jointes", 1, 4294967294, "0700"},
		},
	} {
		got, err := parseMkdir(label)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Errorf("%s: got %v, %v; want %v", label, got, err, want)
		}
	}
}

func TestParseMkdirRefuses(t *testing.T) {
	for label, want := range map[string]string{
		"":                     "want PATH",
		"log":                  "want PATH",
		"a:b:1:1:0700":         "want PATH",
		":1:1:0700":            "a path is empty",
		"a,:1:1:0700":          "a path is empty",
		"..:1:1:0700":          "leaves home",
		"a/../../b:1:1:0700":   "leaves home",
		".:1:1:0700":           "is home itself",
		"a/..:1:1:0700":        "is home itself",
		"/:1:1:0700":           "is the root",
		"/a/..:1:1:0700":       "is the root",
		"~/a:1:1:0700":         "characters",
		"-a:1:1:0700":          "characters",
		"a\nb:1:1:0700":        "characters",
		"a :1:1:0700":          "characters",
		"a;b:1:1:0700":         "characters",
		"$(a):1:1:0700":        "characters",
		"a::1:0700":            `uid "" is not a number`,
		"a:+1:1:0700":          `uid "+1" is not a number`,
		"a:1:root:0700":        `gid "root" is not a number`,
		"a:1:4294967295:0700":  "gid",
		"a:1:99999999999:0700": "gid",
		"a:1:1:":               `mode "" is not`,
		"a:1:1:0800":           `mode "0800" is not`,
		"a:1:1:u=rwx":          `mode "u=rwx" is not`,
		"a:1:1:00700":          `mode "00700" is not`,
	} {
		if got, err := parseMkdir(label); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, %v; want an error with %q", label, got, err, want)
		}
	}
}

func FuzzMkdirLabel(f *testing.F) {
	f.Add("./log,./spooler:1000:1000:0750")
	f.Add("/mnt/x:0:0:700")
	f.Add("a/../..:1:1:0700")
	f.Add(",:::")
	f.Add("é b:1:1:7777")
	mode := regexp.MustCompile(`^[0-7]{4}$`)
	f.Fuzz(func(t *testing.T, label string) {
		folders, err := parseMkdir(label)
		if (err == nil) != (len(folders) > 0) {
			t.Fatalf("%q: %v, %v", label, folders, err)
		}
		for _, folder := range folders {
			if !filepath.IsAbs(folder.Path) && !filepath.IsLocal(folder.Path) {
				t.Errorf("%q: %q leaves home", label, folder.Path)
			}
			if folder.Path == "." || folder.Path == "/" || strings.ContainsAny(folder.Path, "\n\x00:,;$`\"'\\") {
				t.Errorf("%q: %q is no folder to create", label, folder.Path)
			}
			if folder.UID < 0 || folder.GID < 0 || !mode.MatchString(folder.Mode) {
				t.Errorf("%q: %+v", label, folder)
			}
			again, err := parseMkdir(folder.Path + ":" + folder.owner())
			if err != nil || len(again) != 1 || again[0] != folder {
				t.Errorf("%q: %+v reads back as %v, %v", label, folder, again, err)
			}
		}
	})
}
