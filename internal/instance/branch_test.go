package instance

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestABranchOfAnyNameGetsAHarmlessSlugOfItsOwn(t *testing.T) {
	for branch, want := range map[string]string{
		"fix-login":             "fix-login",
		"v2":                    "v2",
		"feature/É$(reboot)_x":  "feature-e-reboot-x-9b0fae6",
		"feature/x":             "feature-x-",
		"feature-x":             "feature-x",
		"test-foo":              "test-foo-", // test-foo is the project of the branch foo
		"Feature-x":             "feature-x-",
		"日本":                    "",
		"--":                    "",
		"-oProxyCommand=x":      "oproxycommand-x-",
		"fix-deadbee":           "fix-deadbee-", // could be another one's, with its hash
		strings.Repeat("a", 41): strings.Repeat("a", 32) + "-",
	} {
		got, err := Slug(branch)
		if err != nil || !strings.HasPrefix(got, want) || len(got) != len(want) && !hashed.MatchString(got) {
			t.Errorf("%q is %q, %v; want %q", branch, got, err, want)
		}
	}
	for _, none := range []string{"", " \t"} {
		if slug, err := Slug(none); err == nil {
			t.Errorf("%q is %q", none, slug)
		}
	}
}

func FuzzASlugCanStandInAHostNameAndIsNoOtherBranchs(f *testing.F) {
	for _, seed := range [][2]string{{"a", "A"}, {"feature/x", "feature-x"}, {"é", "e"}, {"a\x00", "a"}, {"x-1234567", "x"}} {
		f.Add(seed[0], seed[1])
	}
	f.Fuzz(func(t *testing.T, one, two string) {
		a, errA := Slug(one)
		b, errB := Slug(two)
		if errA != nil || errB != nil {
			return
		}
		for _, slug := range []string{a, b} {
			if !slugPattern.MatchString(slug) || len(slug) > maxSlug || !projectPattern.MatchString(branchPrefix+slug) {
				t.Errorf("%q is a slug", slug)
			}
		}
		if (one == two) != (a == b) {
			t.Errorf("%q is %q, %q is %q", one, a, two, b)
		}
	})
}

// branches is a project with two instances, one of them for branches.
func branches(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, content := range map[string]string{
		"staging.env": "server=staging\nhome=/home/mrs-staging\n",
		"branch.env":  "server=staging\ncompose=a.yml\ndomain=test.example.org\n",
	} {
		path := filepath.Join(root, "env", name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

func TestANameIsAnInstancesOrABranchsOrThatOfItsProject(t *testing.T) {
	root := branches(t)
	for name, want := range map[string]struct{ instance, host string }{
		"staging":   {"staging", ""},
		"branch":    {"branch", ""},
		"plain":     {"branch", "plain.test.example.org"},
		"test-x":    {"branch", "x.test.example.org"},
		"feature/x": {"branch", "feature-x-07c9d2a.test.example.org"},
	} {
		inst, more, err := Resolve(root, name, nil)
		if err != nil || inst != want.instance {
			t.Fatalf("%s is %s, %v", name, inst, err)
		}
		host := ""
		if i := slices.IndexFunc(more, func(pair string) bool { return strings.HasPrefix(pair, "HOST=") }); i >= 0 {
			host = strings.TrimPrefix(more[i], "HOST=")
		}
		if name == "feature/x" {
			host, want.host = host[:len("feature-x-")], "feature-x-"
		}
		if host != want.host {
			t.Errorf("%s answers at %q, want %q", name, host, want.host)
		}
	}
}

func TestBranchesWithoutADomainAreRefused(t *testing.T) {
	root := branches(t)
	if _, err := OfBranch(root, "x", []string{"domain="}); err == nil || !strings.Contains(err.Error(), "hint: put domain=… in env/branch.env") {
		t.Errorf("%v", err)
	}
}

func TestWhoLooksAfterAnInstanceMayLackItsSecrets(t *testing.T) {
	secret, place := Problem{Name: "SECRET_KEY", Reason: "is missing"}, Problem{Name: "server", Reason: "is missing"}
	if err := Findable(&Invalid{Problems: []Problem{secret}}); err != nil {
		t.Error(err)
	}
	err := Findable(&Invalid{Problems: []Problem{secret, place}})
	if err == nil || strings.Contains(err.Error(), "SECRET_KEY") || !strings.Contains(err.Error(), "server is missing") {
		t.Error(err)
	}
}
