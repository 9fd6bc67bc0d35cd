package ci

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/console"
)

const (
	commit  = "3f1c9ad0b7e24c5d8a6f90e1b2c3d4e5f6a7b8c9"
	hostile = "feature/É$(reboot)_x"
)

// recorded returns an environment as a CI system makes it, from testdata.
func recorded(t *testing.T, name string) map[string]string {
	t.Helper()
	content, err := os.ReadFile(filepath.Join("testdata", name+".env"))
	if err != nil {
		t.Fatal(err)
	}
	env := map[string]string{}
	for line := range strings.Lines(string(content)) {
		name, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), "=")
		env[name] = value
	}
	return env
}

func getenv(env map[string]string) func(string) string {
	return func(name string) string { return env[name] }
}

// changed returns env with other values.
func changed(env map[string]string, pairs ...string) map[string]string {
	env = maps.Clone(env)
	for i := 0; i < len(pairs); i += 2 {
		env[pairs[i]] = pairs[i+1]
	}
	return env
}

var nothing = Target{Nothing: "anything"}

// meanings is what each recorded run does: one of the five things, nothing, or
// an error that holds the words.
var meanings = map[string]struct {
	want Target
	err  string
}{
	"drone-push-master":             {want: Target{Instance: "staging"}},
	"drone-push-master-ecole":       {want: Target{Instance: "ecole"}},
	"drone-push-branch":             {want: Target{Instance: "branch", Branch: hostile}},
	"drone-promote-production":      {want: Target{Instance: "production"}},
	"drone-rollback-production":     {want: Target{Instance: "production"}},
	"drone-pull-request":            {want: nothing},
	"drone-promote-pull-request":    {err: "a pull request deploys nothing"},
	"drone-tag":                     {want: nothing},
	"drone-cron":                    {want: nothing},
	"gitlab-push-master":            {want: Target{Instance: "staging"}},
	"gitlab-push-master-ecole":      {want: Target{Instance: "ecole"}},
	"gitlab-push-branch":            {want: Target{Instance: "branch", Branch: hostile}},
	"gitlab-manual-production":      {want: Target{Instance: "production"}},
	"gitlab-merge-request":          {want: nothing},
	"gitlab-tag":                    {want: nothing},
	"gitlab-schedule":               {want: nothing},
	"gitlab-stop":                   {want: nothing},
	"github-push-master":            {want: Target{Instance: "staging"}},
	"github-push-master-ecole":      {want: Target{Instance: "ecole"}},
	"github-push-branch":            {want: Target{Instance: "branch", Branch: hostile}},
	"github-dispatch-production":    {want: Target{Instance: "production"}},
	"github-dispatch-branch":        {want: Target{Instance: "branch", Branch: "fix"}},
	"github-deployment-production":  {want: Target{Instance: "production"}},
	"github-pull-request-of-a-fork": {want: nothing},
	"github-pull-request-target":    {want: nothing},
	"github-tag":                    {want: nothing},
	"github-schedule":               {want: nothing},
}

func TestEachRecordedRunDoesTheRightThing(t *testing.T) {
	files, err := filepath.Glob("testdata/*.env")
	if err != nil || len(files) != len(meanings) {
		t.Errorf("%d recorded environments, %d meanings (%v)", len(files), len(meanings), err)
	}
	for name, m := range meanings {
		t.Run(name, func(t *testing.T) {
			r, err := Read(getenv(recorded(t, name)))
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Target()
			if m.err != "" {
				if err == nil || !strings.Contains(err.Error(), m.err) || !strings.Contains(err.Error(), "hint: ") {
					t.Errorf("got %+v, %v, want an error with %q and a hint", got, err, m.err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if m.want == nothing {
				if got.Nothing == "" || got.Instance != "" || !strings.Contains(got.Nothing, "deploys nothing: ") {
					t.Errorf("got %+v, want nothing, why, and what would deploy", got)
				}
				return
			}
			if got != m.want {
				t.Errorf("got %+v, want %+v", got, m.want)
			}
			if r.Commit != commit {
				t.Errorf("the commit is %q", r.Commit)
			}
		})
	}
}

func TestAPushGoesWhereItsBranchBelongsAndARequestWhereItIsAskedTo(t *testing.T) {
	for name, c := range map[string]struct {
		record string
		change []string
		want   Target
		err    string
	}{
		"the branch staging":                         {"gitlab-push-master", []string{"CI_COMMIT_BRANCH", "staging"}, Target{Instance: "staging"}, ""},
		"the branch ecole":                           {"drone-push-master", []string{"DRONE_COMMIT_BRANCH", "ecole", "DRONE_STEP_NAME", "deploy"}, Target{Instance: "ecole"}, ""},
		"a job that does not say where":              {"github-push-master", []string{"GITHUB_JOB", "deploy"}, Target{Instance: "staging"}, ""},
		"a pipeline's name, where the step has none": {"drone-push-master", []string{"DRONE_STEP_NAME", "deploy", "DRONE_STAGE_NAME", "Deploy-Ecole"}, Target{Instance: "ecole"}, ""},
		"a branch called production":                 {"drone-push-master", []string{"DRONE_COMMIT_BRANCH", "production", "DRONE_STEP_NAME", "deploy"}, Target{Instance: "branch", Branch: "production"}, ""},
		"a branch called refs/heads/master":          {"github-push-master", []string{"GITHUB_REF", "refs/heads/refs/heads/master", "GITHUB_JOB", "branch"}, Target{Instance: "branch", Branch: "refs/heads/master"}, ""},
		"a branch called tags/v1":                    {"github-push-master", []string{"GITHUB_REF", "refs/heads/refs/tags/v1", "GITHUB_JOB", "branch"}, Target{Instance: "branch", Branch: "refs/tags/v1"}, ""},
		"a promotion to ecole of a branch":           {"drone-promote-production", []string{"DRONE_DEPLOY_TO", "ecole", "DRONE_COMMIT_BRANCH", "fix"}, Target{Instance: "ecole"}, ""},
		"a manual job for a branch":                  {"gitlab-push-branch", []string{"CI_JOB_MANUAL", "true"}, Target{Instance: "branch", Branch: hostile}, ""},

		"production by itself (GitLab)":   {"gitlab-manual-production", []string{"CI_JOB_MANUAL", ""}, Target{}, "runs by itself"},
		"production by itself (Drone)":    {"drone-push-master", []string{"DRONE_STEP_NAME", "deploy production"}, Target{}, "runs by itself"},
		"production by itself (GitHub)":   {"github-push-master", []string{"GITHUB_JOB", "production"}, Target{}, "runs by itself"},
		"staging from a branch":           {"gitlab-push-master", []string{"CI_COMMIT_BRANCH", "fix"}, Target{}, "not its branch"},
		"ecole from the branch staging":   {"gitlab-push-master-ecole", []string{"CI_COMMIT_BRANCH", "staging"}, Target{}, "goes to staging"},
		"an environment nobody knows":     {"gitlab-push-master", []string{"CI_ENVIRONMENT_NAME", "prod"}, Target{}, "goes to staging or ecole"},
		"a promotion to nowhere":          {"drone-promote-production", []string{"DRONE_DEPLOY_TO", ""}, Target{}, "no such instance"},
		"a promotion to elsewhere":        {"drone-promote-production", []string{"DRONE_DEPLOY_TO", "../local"}, Target{}, "no such instance"},
		"a promotion of a tag":            {"drone-promote-production", []string{"DRONE_TAG", "v1"}, Target{}, "a tag deploys nothing"},
		"a manual job of a tag":           {"gitlab-manual-production", []string{"CI_COMMIT_TAG", "v1", "CI_COMMIT_BRANCH", ""}, Target{}, "a tag deploys nothing"},
		"a manual job of a merge request": {"gitlab-manual-production", []string{"CI_PIPELINE_SOURCE", "merge_request_event", "CI_COMMIT_BRANCH", ""}, Target{}, "a pull request deploys nothing"},
		"a dispatch on a tag":             {"github-dispatch-production", []string{"GITHUB_REF", "refs/tags/v1"}, Target{}, "a tag deploys nothing"},
		"a dispatch on a pull request":    {"github-dispatch-production", []string{"GITHUB_REF", "refs/pull/7/merge"}, Target{}, "a pull request deploys nothing"},
		"a deployment of a pull request":  {"github-deployment-production", []string{"GITHUB_REF", "refs/pull/7/merge"}, Target{}, "a pull request deploys nothing"},
	} {
		t.Run(name, func(t *testing.T) {
			r, err := Read(getenv(changed(recorded(t, c.record), c.change...)))
			if err != nil {
				t.Fatal(err)
			}
			got, err := r.Target()
			switch {
			case c.err == "" && (err != nil || got != c.want):
				t.Errorf("got %+v, %v, want %+v", got, err, c.want)
			case c.err != "" && (err == nil || !strings.Contains(err.Error(), c.err) || !strings.Contains(err.Error(), "hint: ")):
				t.Errorf("got %+v, %v, want an error with %q and a hint", got, err, c.err)
			}
		})
	}
}

func TestWhatContradictsItselfIsNoRun(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want string
	}{
		"no CI":                    {map[string]string{"CI": "true"}, "no run of Drone, GitLab CI or GitHub Actions"},
		"two systems":              {changed(recorded(t, "drone-push-master"), "GITLAB_CI", "true"), "Drone and of GitLab CI at once"},
		"a step for two":           {changed(recorded(t, "drone-push-master"), "DRONE_STEP_NAME", "ecole and staging"), "ecole and staging at once"},
		"no commit":                {changed(recorded(t, "gitlab-push-master"), "CI_COMMIT_SHA", ""), "as the commit"},
		"a commit that is none":    {changed(recorded(t, "gitlab-push-master"), "CI_COMMIT_SHA", "3f1c9ad"), "as the commit"},
		"a branch's end":           {changed(recorded(t, "github-push-branch"), "GITHUB_SHA", strings.Repeat("0", 40)), "as the commit"},
		"no branch":                {changed(recorded(t, "gitlab-push-branch"), "CI_COMMIT_BRANCH", ""), "no branch"},
		"an event that is gone":    {changed(recorded(t, "github-push-branch"), "GITHUB_EVENT_PATH", "testdata/none"), "can't be read"},
		"an event that is no JSON": {changed(recorded(t, "github-push-branch"), "GITHUB_EVENT_PATH", "run_test.go"), "no JSON"},
	} {
		t.Run(name, func(t *testing.T) {
			if r, err := Read(getenv(c.env)); err == nil || !strings.Contains(err.Error(), c.want) {
				t.Errorf("got %+v, %v, want an error with %q", r, err, c.want)
			}
		})
	}
}

func TestWhoDidItAndWhereItIsReadAreTold(t *testing.T) {
	for name, want := range map[string][3]string{
		"drone-push-master":          {"James Pic", "drone #42 (jpic)", "https://drone.example.org/betagouv/mrs/42"},
		"drone-promote-production":   {"James Pic", "drone #42 (alice)", "https://drone.example.org/betagouv/mrs/42"},
		"gitlab-push-master":         {"James Pic", "gitlab-ci #87 (alice)", "https://gitlab.example.org/betagouv/mrs/-/pipelines/1234"},
		"github-push-master":         {"James Pic", "github-actions #311 (alice)", "https://github.com/betagouv/mrs/actions/runs/7788990011"},
		"github-dispatch-production": {"alice", "github-actions #311 (alice)", "https://github.com/betagouv/mrs/actions/runs/7788990011"},
	} {
		r, err := Read(getenv(recorded(t, name)))
		if got := [3]string{r.Author, r.Operator(), r.Link}; err != nil || got != want {
			t.Errorf("%s: got %q, %v, want %q", name, got, err, want)
		}
	}
}

func TestAnAuthorsNameStaysInItsLine(t *testing.T) {
	r, err := Read(getenv(changed(recorded(t, "gitlab-push-master"), "CI_COMMIT_AUTHOR", "Bobby\n::add-path::/tmp\x1b[2J"+strings.Repeat("é", 300)+" <b@example.org>")))
	if err != nil {
		t.Fatal(err)
	}
	if want := "Bobby ::add-path::/tmp [2J"; !strings.HasPrefix(r.Author, want) || strings.ContainsAny(r.Author, "\n\x1b") || len([]rune(r.Author)) > 200 {
		t.Errorf("got %q", r.Author)
	}
}

// TestEverySystemSaysHowProductionIsDeployed in its own words.
func TestEverySystemSaysHowProductionIsDeployed(t *testing.T) {
	var said []string
	for _, c := range []console.CI{console.Drone, console.GitLab, console.GitHub} {
		said = append(said, Run{System: c}.promotion())
	}
	if slices.Sort(said); len(slices.Compact(said)) != 3 {
		t.Errorf("got %q", said)
	}
}
