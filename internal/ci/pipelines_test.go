package ci

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"go.yaml.in/yaml/v4"

	"github.com/betagouv/mrs-ops/internal/gobuild"
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

// dronePipeline is a document of Drone's file.
type dronePipeline struct {
	Name  string
	Steps []struct {
		Name        string
		Commands    []string
		Environment map[string]any
	}
	Trigger   struct{ Event, Cron []string }
	DependsOn []string `yaml:"depends_on"`
}

func droneSteps(t *testing.T) (list []step) {
	for _, p := range documents[dronePipeline](t, ".drone.yml") {
		for _, s := range p.Steps {
			list = append(list, step{s.Name, s.Commands, names(s.Environment)})
		}
	}
	return list
}

type (
	gitlabRule struct{ If, When string }
	gitlabJob  struct {
		Script      []string
		Extends     string
		Rules       []gitlabRule
		Variables   map[string]string
		Environment struct{ Name string }
	}
)

// gitlabJobs returns what GitLab runs, by name.
func gitlabJobs(t *testing.T) map[string]gitlabJob {
	t.Helper()
	all, jobs := map[string]gitlabJob{}, map[string]gitlabJob{}
	for _, file := range documents[map[string]yaml.Node](t, ".gitlab-ci.yml") {
		for name, node := range file {
			var j gitlabJob
			if node.Kind == yaml.MappingNode && node.Decode(&j) == nil {
				all[name] = j
			}
		}
	}
	for name, j := range all {
		j.Script = append(j.Script, all[j.Extends].Script...)
		if j.Script != nil && !strings.HasPrefix(name, ".") {
			jobs[name] = j
		}
	}
	return jobs
}

func gitlabSteps(t *testing.T) (list []step) {
	for name, j := range gitlabJobs(t) {
		list = append(list, step{name: name, commands: j.Script})
		if name != "branch" && j.Environment.Name != "" && j.Environment.Name != name {
			t.Errorf("GitLab's job %s is for %s", name, j.Environment.Name)
		}
	}
	return list
}

// githubWorkflow is a file of GitHub's.
type (
	githubWorkflow struct {
		On          map[string]yaml.Node
		Permissions map[string]string
		Jobs        map[string]githubJob
	}
	githubJob struct {
		If          string
		Permissions map[string]string
		Steps       []struct {
			Uses, Run string
			With, Env map[string]any
		}
	}
)

// workflows returns all of GitHub's, by their files.
func workflows(t *testing.T) map[string]githubWorkflow {
	t.Helper()
	files, err := filepath.Glob("../../.github/workflows/*")
	if err != nil || len(files) == 0 {
		t.Fatalf("%q, %v", files, err)
	}
	all := map[string]githubWorkflow{}
	for _, file := range files {
		name := strings.TrimPrefix(filepath.ToSlash(file), "../../")
		for _, w := range documents[githubWorkflow](t, name) {
			all[name] = w
		}
	}
	return all
}

func githubSteps(t *testing.T) (list []step) {
	for _, w := range workflows(t) {
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

// uncommented returns those of a file of the project's that are no comments.
func uncommented(t *testing.T, path string) (list []string) {
	t.Helper()
	content, err := os.ReadFile("../../" + path)
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(content)) {
		if line = strings.TrimSpace(line); !strings.HasPrefix(line, "#") {
			list = append(list, line)
		}
	}
	return list
}

// campaign is what runs at night.
const campaign = "go tool mage test:soak -for=1h"

func TestPipelinesRunTheTargetsAndNothingElse(t *testing.T) {
	for file, steps := range map[string][]step{".drone.yml": droneSteps(t), ".gitlab-ci.yml": gitlabSteps(t), "GitHub": githubSteps(t)} {
		var ran []string
		for _, s := range steps {
			ran = append(ran, s.commands...)
		}
		slices.Sort(ran)
		if got := slices.Compact(ran); !slices.Equal(got, []string{"go tool mage ci:deploy", "go tool mage ci:image", "go tool mage ci:test", campaign}) {
			t.Errorf("%s runs %q", file, got)
		}
	}
}

// TestStepsAreHandedTheSecretsOfWhatTheyAreFor: Drone and GitHub hand over what
// the file says, and what a step is for is in its name.
func TestStepsAreHandedTheSecretsOfWhatTheyAreFor(t *testing.T) {
	for file, steps := range map[string][]step{".drone.yml": droneSteps(t), "GitHub": githubSteps(t)} {
		for _, s := range steps {
			want := map[string][]string{
				"go tool mage ci:test":   nil,
				campaign:                 nil,
				"go tool mage ci:image":  {"DOCKER_PASS", "DOCKER_USER", "REPO"},
				"go tool mage ci:deploy": {"CGO_ENABLED", "GOFLAGS", "REPO", "SSH_CERT", "SSH_FINGERPRINTS", "SSH_KEY"},
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

// pinned is an action as it has to be used: by a commit, with its version.
var pinned = regexp.MustCompile(`^(?:- )?uses: ([\w.-]+/[\w./-]+)@[0-9a-f]{40} # v\d+\.\d+\.\d+$`)

func TestActionsOfOthersArePinnedToTheCommitOfAVersion(t *testing.T) {
	uses := map[string]string{}
	for file := range workflows(t) {
		for _, line := range uncommented(t, file) {
			if !strings.Contains(line, "uses:") {
				continue
			}
			action := pinned.FindStringSubmatch(line)
			if action == nil {
				t.Errorf("%s: %q is no action at a commit, with its version behind it", file, line)
				continue
			}
			line = strings.TrimPrefix(line, "- ")
			if other, seen := uses[action[1]]; seen && other != line {
				t.Errorf("%s: %q, and elsewhere %q", file, line, other)
			}
			uses[action[1]] = line
		}
	}
}

func TestJobsMayReadTheRepositoryAndNothingElse(t *testing.T) {
	for file, w := range workflows(t) {
		if w.Permissions == nil || len(w.Permissions) > 0 {
			t.Errorf("%s: the permissions of all jobs are %v, want {}", file, w.Permissions)
		}
		for name, j := range w.Jobs {
			for what, may := range j.Permissions {
				if what != "contents" || may != "read" {
					t.Errorf("%s: %s has %s: %s", file, name, what, may)
				}
			}
			for _, s := range j.Steps {
				if strings.HasPrefix(s.Uses, "actions/checkout@") && s.With["persist-credentials"] != false {
					t.Errorf("%s: %s leaves the token to all later steps", file, name)
				}
			}
		}
	}
}

// TestSecretsAreForPushesAndForWhoAsks: what anybody can send, such as a pull
// request, never runs beside one.
func TestSecretsAreForPushesAndForWhoAsks(t *testing.T) {
	for file, w := range workflows(t) {
		for _, event := range []string{"pull_request_target", "workflow_run", "issue_comment"} {
			if _, on := w.On[event]; on {
				t.Errorf("%s runs on %s, with secrets, for anybody", file, event)
			}
		}
		handed, said := 0, 0
		for name, j := range w.Jobs {
			for _, s := range j.Steps {
				for variable, value := range s.Env {
					if !strings.Contains(fmt.Sprint(value), "secrets.") {
						continue
					}
					handed++
					event, rest, _ := strings.Cut(j.If, " && ")
					if !slices.Contains([]string{"github.event_name == 'push'", "github.event_name == 'workflow_dispatch'"}, event) || strings.Contains(rest, "||") {
						t.Errorf("%s: %s is handed %s if %q", file, name, variable, j.If)
					}
				}
			}
		}
		for _, line := range uncommented(t, file) {
			said += strings.Count(line, "secrets")
		}
		if said != handed {
			t.Errorf("%s speaks of secrets %d times, and hands %d to steps: to what else?", file, said, handed)
		}
	}
	for _, p := range documents[dronePipeline](t, ".drone.yml") {
		for _, s := range p.Steps {
			for _, event := range p.Trigger.Event {
				if len(s.Environment) > 0 && !slices.Contains([]string{"push", "custom", "promote", "rollback"}, event) {
					t.Errorf("Drone's %s is handed %q on %s", s.Name, names(s.Environment), event)
				}
			}
		}
	}
	type gitlab struct{ Workflow struct{ Rules []gitlabRule } }
	for _, file := range documents[gitlab](t, ".gitlab-ci.yml") {
		if want := []gitlabRule{{If: "$CI_COMMIT_BRANCH"}}; !slices.Equal(file.Workflow.Rules, want) {
			t.Errorf("GitLab runs pipelines by %q, want %q", file.Workflow.Rules, want)
		}
	}
}

// The application's own pipelines stay beside ours: acceptance depends on docker, and runs REPO:COMMIT.
func TestThePipelinesFitBesideTheApplicationsOwn(t *testing.T) {
	order := map[string][]string{}
	for _, p := range documents[dronePipeline](t, ".drone.yml") {
		order[p.Name] = p.DependsOn
	}
	if want := map[string][]string{
		"test": nil, "docker": {"test"}, "deploy": {"docker"}, "promotion": nil, "nightly": nil,
	}; !reflect.DeepEqual(order, want) {
		t.Errorf("Drone has %v, want %v", order, want)
	}
	for file, wanted := range map[string][]string{
		".drone.yml":                {"python, js, docs and acceptance stay", "depends_on: [docker, python, js, acceptance]", "docs/ci.md"},
		".gitlab-ci.yml":            {"python, js and docs", "acceptance", "docs/ci.md", "stages: [test, image, acceptance, deploy]"},
		".github/workflows/mrs.yml": {"python, js, docs", "needs: [image, acceptance]", "docs/ci.md"},
	} {
		text, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range wanted {
			if !strings.Contains(string(text), want) {
				t.Errorf("%s does not say %q", file, want)
			}
		}
	}
}

// docs/ci.md is what somebody reads who moves the secrets.
func TestThePageAboutCIHasEverySecretThatAStepIsHanded(t *testing.T) {
	page, err := os.ReadFile("../../docs/ci.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range append(droneSteps(t), githubSteps(t)...) {
		for _, name := range s.env {
			if name == "CGO_ENABLED" || name == "GOFLAGS" { // the compiler's, no secrets
				continue
			}
			if !strings.Contains(string(page), "| `"+name+"` |") {
				t.Errorf("%s of step %s is not in the table", name, s.name)
			}
		}
	}
}

// onceADay is a cron line of a fixed minute and hour.
var onceADay = regexp.MustCompile(`^\d+ \d+ \* \* \*$`)

func TestAtNightThereIsTheCampaignAloneOnGitHub(t *testing.T) {
	nightly := 0
	for file, w := range workflows(t) {
		schedule, timed := w.On["schedule"]
		if !timed {
			continue
		}
		nightly++
		var times []struct{ Cron string }
		if err := schedule.Decode(&times); err != nil || len(times) != 1 || !onceADay.MatchString(times[0].Cron) {
			t.Errorf("%s runs at %v, %v", file, times, err)
		}
		for event := range w.On {
			if event != "schedule" && event != "workflow_dispatch" {
				t.Errorf("%s, which runs at night, runs on %s too", file, event)
			}
		}
		for name, j := range w.Jobs {
			for _, s := range j.Steps {
				if s.Run != "" && s.Run != campaign || s.Env != nil {
					t.Errorf("%s: %s runs %q at night, with %q", file, name, s.Run, names(s.Env))
				}
			}
		}
	}
	if nightly != 1 {
		t.Errorf("%d workflows run at night", nightly)
	}
}

func TestAtNightThereIsTheCampaignAloneOnGitLab(t *testing.T) {
	const timer = `$CI_PIPELINE_SOURCE == "schedule"`
	var nightly []string
	for name, j := range gitlabJobs(t) {
		if slices.Equal(j.Rules, []gitlabRule{{If: timer}}) {
			nightly = append(nightly, name)
			if !slices.Equal(j.Script, []string{campaign}) || j.Environment.Name != "" || j.Variables != nil {
				t.Errorf("at night %s runs %q, in the environment %q, with %v", name, j.Script, j.Environment.Name, j.Variables)
			}
		} else if len(j.Rules) < 2 || j.Rules[0] != (gitlabRule{If: timer, When: "never"}) {
			t.Errorf("%s may run at night: its rules are %q", name, j.Rules)
		}
	}
	if len(nightly) != 1 {
		t.Errorf("at night there are %q", nightly)
	}
}

func TestAtNightThereIsTheCampaignAloneOnDrone(t *testing.T) {
	nightly := 0
	for _, p := range documents[dronePipeline](t, ".drone.yml") {
		if len(p.Trigger.Event) == 0 {
			t.Errorf("%s runs on every event", p.Name)
		}
		if !slices.Contains(p.Trigger.Event, "cron") {
			continue
		}
		nightly++
		if len(p.Trigger.Event) != 1 || !slices.Equal(p.Trigger.Cron, []string{"nightly"}) {
			t.Errorf("%s runs on %q, of the timers %q", p.Name, p.Trigger.Event, p.Trigger.Cron)
		}
		for _, s := range p.Steps {
			if !slices.Equal(s.Commands, []string{campaign}) || s.Environment != nil {
				t.Errorf("at night %s runs %q, with %q", s.Name, s.Commands, names(s.Environment))
			}
		}
	}
	if nightly != 1 {
		t.Errorf("%d pipelines run at night", nightly)
	}
}

// With other flags go compiles all that mage and mrs-host both have a second time, a third of what a job takes.
func TestJobsThatDeployCompileByTheFlagsOfMrsHost(t *testing.T) {
	want := strings.Join(gobuild.Compiled, " ")
	for file, jobs := range map[string]int{".drone.yml": 4, ".gitlab-ci.yml": 1, ".github/workflows/mrs.yml": 4} {
		text, err := os.ReadFile("../../" + file)
		if err != nil {
			t.Fatal(err)
		}
		found := regexp.MustCompile(`(?m)^ +GOFLAGS: (.+?) +#`).FindAllStringSubmatch(string(text), -1)
		if len(found) != jobs {
			t.Errorf("%s: %d jobs have GOFLAGS, not %d", file, len(found), jobs)
		}
		for _, m := range found {
			if m[1] != want {
				t.Errorf("%s: GOFLAGS is %s, not %s", file, m[1], want)
			}
		}
	}
}
