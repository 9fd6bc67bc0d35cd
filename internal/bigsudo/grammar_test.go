package bigsudo

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the golden files anew")

// testdata is where it is, whatever the working directory becomes.
var testdata, _ = filepath.Abs("testdata")

// golden compares got with a file of testdata.
func golden(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join(testdata, name+".golden")
	if *update {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if got != string(want) {
		t.Errorf("%s:\n got\n%s\nwant\n%s", path, got, want)
	}
}

func TestEveryWordFindsItsPlace(t *testing.T) {
	for _, c := range []struct {
		words string
		want  Request
	}{
		{"yourlabs.traefik", Request{Source: "yourlabs.traefik"}},
		{"yourlabs.ssh @host", Request{Source: "yourlabs.ssh", Hosts: []string{"@host"}}},
		{"yourlabs.ssh adduser usergroups=sudo username=jpic @mrs.beta.gouv.fr root@staging.mrs.beta.gouv.fr", Request{
			Source: "yourlabs.ssh", Tasks: []string{"adduser"}, Hosts: []string{"@mrs.beta.gouv.fr", "root@staging.mrs.beta.gouv.fr"},
			Vars: []string{`{"usergroups":"sudo"}`, `{"username":"jpic"}`}}},
		{`ansible/deploy.yml home=/tmp/testmrs ports='["8000:8000"]' build= image=a/b:c`, Request{
			Source: "ansible/deploy.yml",
			Vars:   []string{`{"home":"/tmp/testmrs"}`, `{"ports":"[\"8000:8000\"]"}`, `{"build":""}`, `{"image":"a/b:c"}`}}},
		{`. update '{"a": 1, "b": [1.0, true, null], "c": "x@y=z"}'`, Request{Source: ".", Tasks: []string{"update"},
			Vars: []string{`{"a": 1, "b": [1.0, true, null], "c": "x@y=z"}`}}},
		{"r email=a@b url=https://x/?a=b@c", Request{Source: "r", Vars: []string{`{"email":"a@b"}`, `{"url":"https://x/?a=b@c"}`}}},
		{"r a=1 a=2", Request{Source: "r", Vars: []string{`{"a":"1"}`, `{"a":"2"}`}}},
		{"yourlabs.traefik -v", Request{Source: "yourlabs.traefik", Args: []string{"-v"}}},
		{"r one two/three -e @file x=y @z '' --nosudo -vv", Request{Source: "r", Tasks: []string{"one", "two/three"}, NoSudo: true,
			Args: []string{"-e", "@file", "", "-vv"}, Hosts: []string{"@z"}, Vars: []string{`{"x":"y"}`}}},
		{"r -v a=1 -e b=2 --become --limit c=3 @h -fd=4 --tags x e=5 --diff u@h -be f=6", Request{Source: "r",
			Args:  []string{"-v", "-e", "b=2", "--become", "--limit", "c=3", "-fd=4", "--tags", "x", "--diff", "-be", "f=6"},
			Hosts: []string{"@h", "u@h"}, Vars: []string{`{"a":"1"}`, `{"e":"5"}`}}},
		{"run r one @a", Request{Source: "r", Tasks: []string{"one"}, Hosts: []string{"@a"}}},
		{"role r a,u@b x=y", Request{Kind: "role", Source: "r", Hosts: []string{"@a", "u@b"}, Vars: []string{`{"x":"y"}`}}},
		{`playbook site '["a","b"]'`, Request{Kind: "playbook", Source: "site", Hosts: []string{"@a", "@b"}}},
		{"tasks more.yml a @b -v", Request{Kind: "tasks", Source: "more.yml", Hosts: []string{"@a", "@b"}, Args: []string{"-v"}}},
		{"r --nosudo -v", Request{Source: "r", NoSudo: true, Args: []string{"-v"}}},
		{"git@example.org:you/role.git,v1 @a", Request{Source: "git@example.org:you/role.git,v1", Hosts: []string{"@a"}}},
		{"https://example.org/x/site.yml @a", Request{Source: "https://example.org/x/site.yml", Hosts: []string{"@a"}}},
	} {
		words, err := Words(c.words)
		if err != nil {
			t.Fatal(err)
		}
		got, err := Parse(words)
		if err != nil || !reflect.DeepEqual(got, c.want) {
			t.Errorf("%s:\n got %+v, %v\nwant %+v", c.words, got, err, c.want)
		}
	}
}

func TestWordsThatFitNothingAreAllSaidWithTheGrammar(t *testing.T) {
	var out strings.Builder
	for _, words := range [][]string{
		nil,
		{"-v"},
		{""},
		{"@host"},
		{"home=/x", "@host"},
		{`{"a":1}`},
		{"roleup"},
		{"-x", "yourlabs.ssh"},
		{"role name"},
		{"role;id"},
		{"yourlabs.ssh", "@-oProxyCommand=id", "@a$b", "{a:1}", `{"a-b":1,"c":2}`, "[1]", "a-b=c", "", "../x", "$(id)", "--", "ok"},
		{"ansible/deploy.yml", "host"},
		{"r", "x=\xff"},
		{"https://me:sesame@example.org/role.git"},
		{"https://me:sesame %@example.org/role.git"},
		{"http://example.org/role.git"},
		{"http://example.org/site.yml"},
		{"https://example.org/role.git,-x"},
		{"ext::sh -c id"},
		{"git+ext://sh"},
	} {
		_, err := Parse(words)
		if err == nil {
			t.Errorf("%q was accepted", words)
			continue
		}
		said, found := strings.CutSuffix(err.Error(), "\nhint: the grammar is\n"+Usage)
		if !found {
			t.Errorf("%q: the grammar is not shown", words)
		}
		if strings.Contains(said, "sesame") {
			t.Errorf("%q: a password is repeated", words)
		}
		fmt.Fprintf(&out, "%q\n  %s\n", words, strings.ReplaceAll(said, "\n", "\n  "))
	}
	golden(t, "refused", out.String())
}

// missing returns the first word that is neither in the request nor said in err.
func missing(words []string, r Request, err error) error {
	said := ""
	if err != nil {
		said = err.Error()
	}
	places := slices.Concat([]string{r.Source}, r.Hosts, r.Tasks, r.Args)
	for _, object := range r.Vars {
		var values map[string]any
		if json.Unmarshal([]byte(object), &values) == nil {
			for name, value := range values {
				places = append(places, fmt.Sprintf("%s=%v", name, value))
			}
		}
		places = append(places, object)
	}
	if r.NoSudo {
		places = append(places, "--nosudo")
	}
	for _, word := range words {
		if slices.Contains(firstWords, words[0]) { // lists of hosts are split
			break
		}
		if !slices.Contains(places, word) && !slices.Contains(places, strings.TrimSpace(word)) && !strings.Contains(said, fmt.Sprintf("%q", word)) {
			return errors.New(word)
		}
	}
	return nil
}

func FuzzNoWordIsLost(f *testing.F) {
	for _, line := range []string{
		"yourlabs.ssh\nadduser\nusername=jpic\n@a\nroot@b\n-v\n--nosudo\nx",
		"p.yml\n{\"a\":1}\n{\nx=\xff\n\n@", "\n", "-\n-", "https://a:b@c/d\na=b=c\n=\n{}@\n{\"a=b\": 2}", "r\n \n\u00e9=1\na=\u2028", "roleup\n[",
	} {
		f.Add(line)
	}
	f.Fuzz(func(t *testing.T, line string) {
		words := strings.Split(line, "\n")
		r, err := Parse(words)
		if lost := missing(words, r, err); lost != nil {
			t.Errorf("%q: lost %q; %+v, %v", words, lost, r, err)
		}
		if err != nil {
			return
		}
		for _, object := range r.Vars {
			if !json.Valid([]byte(object)) {
				t.Errorf("%q: %q is not JSON", words, object)
			}
		}
		for _, word := range append(slices.Clone(r.Hosts), r.Tasks...) {
			if strings.HasPrefix(word, "-") || strings.ContainsAny(word, " ;$\n") {
				t.Errorf("%q: %q was accepted", words, word)
			}
		}
	})
}
