package ci

import (
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"
)

// step is what of a pipeline's file runs something.
type step struct {
	name     string // of the step (Drone) or the job
	commands []string
	env      []string // the variables handed to it, where the file says so
}

// documents returns the YAML documents of a file of the project's.
func documents[T any](t *testing.T, path string) (list []T) {
	t.Helper()
	file, err := os.Open("../../" + path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for decoder := yaml.NewDecoder(file); ; {
		var document T
		if err := decoder.Decode(&document); errors.Is(err, io.EOF) {
			return list
		} else if err != nil {
			t.Fatalf("%s: %v", path, err)
		}
		list = append(list, document)
	}
}

func names(env map[string]any) (list []string) {
	for name := range env {
		list = append(list, name)
	}
	return list
}

func droneSteps(t *testing.T) (list []step) {
	type pipeline struct {
		Steps []struct {
			Name        string
			Commands    []string
			Environment map[string]any
		}
	}
	for _, p := range documents[pipeline](t, ".drone.yml") {
		for _, s := range p.Steps {
			list = append(list, step{s.Name, s.Commands, names(s.Environment)})
		}
	}
	return list
}

func gitlabSteps(t *testing.T) (list []step) {
	type job struct {
		Script      []string
		Extends     string
		Environment struct{ Name string }
	}
	for _, file := range documents[map[string]yaml.Node](t, ".gitlab-ci.yml") {
		jobs := map[string]job{}
		for name, node := range file {
			var j job
			if node.Kind == yaml.MappingNode && node.Decode(&j) == nil {
				jobs[name] = j
			}
		}
		for name, j := range jobs {
			if strings.HasPrefix(name, ".") {
				continue
			}
			if commands := append(j.Script, jobs[j.Extends].Script...); commands != nil {
				list = append(list, step{name: name, commands: commands})
			}
			if name != "branch" && j.Environment.Name != "" && j.Environment.Name != name {
				t.Errorf("GitLab's job %s is for %s", name, j.Environment.Name)
			}
		}
	}
	return list
}

func githubSteps(t *testing.T) (list []step) {
	type workflow struct {
		Jobs map[string]struct {
			Steps []struct {
				Run string
				Env map[string]any
			}
		}
	}
	for _, w := range documents[workflow](t, ".github/workflows/mrs.yml") {
		for name, j := range w.Jobs {
			for _, s := range j.Steps {
				if s.Run != "" {
					list = append(list, step{name, []string{s.Run}, names(s.Env)})
				}
			}
		}
	}
	return list
}

func TestPipelinesRunTheTargetsAndNothingElse(t *testing.T) {
	for file, steps := range map[string][]step{".drone.yml": droneSteps(t), ".gitlab-ci.yml": gitlabSteps(t), "mrs.yml": githubSteps(t)} {
		var ran []string
		for _, s := range steps {
			ran = append(ran, s.commands...)
		}
		slices.Sort(ran)
		if got := slices.Compact(ran); !slices.Equal(got, []string{"go tool mage ci:deploy", "go tool mage ci:image", "go tool mage ci:test"}) {
			t.Errorf("%s runs %q", file, got)
		}
	}
}

// TestStepsAreHandedTheSecretsOfWhatTheyAreFor: Drone and GitHub hand over what
// the file says, and what a step is for is in its name.
func TestStepsAreHandedTheSecretsOfWhatTheyAreFor(t *testing.T) {
	for file, steps := range map[string][]step{".drone.yml": droneSteps(t), "mrs.yml": githubSteps(t)} {
		for _, s := range steps {
			want := map[string][]string{
				"go tool mage ci:test":   nil,
				"go tool mage ci:image":  {"DOCKER_PASS", "DOCKER_USER", "REPO"},
				"go tool mage ci:deploy": {"REPO", "SSH_FINGERPRINTS", "SSH_KEY"},
			}[s.commands[0]]
			if s.commands[0] == "go tool mage ci:deploy" {
				want = append(want, map[string][]string{
					"staging": {"STAGING_ENV"}, "ecole": {"ECOLE_ENV"}, "branch": {"BRANCH_ENV"},
					"deploy": {"PRODUCTION_ENV"},                             // Drone, promoted
					"asked":  {"PRODUCTION_ENV", "STAGING_ENV", "ECOLE_ENV"}, // GitHub
				}[s.name]...)
			}
			slices.Sort(s.env)
			slices.Sort(want)
			if !slices.Equal(s.env, want) {
				t.Errorf("%s: %s is handed %q, want %q", file, s.name, s.env, want)
			}
		}
	}
}
