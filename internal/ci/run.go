// Package ci is what a pipeline does of its own: it reads what the CI system
// tells about the run, decides what that means, and has it done with the secrets
// that the system hands over.
//
// Drone, GitLab CI and GitHub Actions are understood, by their own variables.
// Deciding ([Read], [Run.Target]) is pure; it must not know how anything is
// deployed, which is for package deploy. Secrets go on by the process
// environment and by files that only we can read and that are gone afterwards:
// never by arguments, output or errors.
package ci

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"unicode"

	"github.com/betagouv/mrs-ops/internal/console"
)

// Event is what made a CI system start a run.
type Event int

const (
	Push        Event = iota // of a branch, or somebody who runs its pipeline again
	Request                  // somebody asked for an environment by name
	PullRequest              // or merge request, from here or from a fork
	Tagged
	Other // such as a timer
)

// Run is what a CI system tells about the run that this process is part of.
type Run struct {
	System console.CI
	Event  Event
	Asked  bool   // somebody asked for Environment by name, whatever the event
	Said   string // the event in the system's own words

	Branch string // empty where there is none
	Commit string

	// Environment is what the job deploys to; empty where it does not say.
	Environment string

	Author string // of the commit
	Who    string // made the run start
	Number string // of the run
	Link   string // to the run
}

// Read returns what the CI system tells in the environment, which getenv looks up.
func Read(getenv func(name string) string) (Run, error) {
	systems := console.CIs(getenv)
	switch len(systems) {
	case 0:
		return Run{}, errors.New("this is no run of Drone, GitLab CI or GitHub Actions: " +
			"none of DRONE, GITLAB_CI, GITHUB_ACTIONS is true\n" +
			"hint: elsewhere, mage deploy:to INSTANCE and deploy:branch NAME deploy")
	case 1:
	default:
		return Run{}, fmt.Errorf("this looks like a run of %s and of %s at once\nhint: unset %s or %s",
			systems[0], systems[1], string(systems[0]), string(systems[1]))
	}
	read := map[console.CI]func(func(string) string) (Run, error){
		console.Drone: readDrone, console.GitLab: readGitLab, console.GitHub: readGitHub,
	}[systems[0]]
	r, err := read(getenv)
	if err != nil {
		return Run{}, fmt.Errorf("%s: %w", systems[0], err)
	}
	r.System = systems[0]
	r.Asked = r.Asked || r.Event == Request
	for _, text := range []*string{&r.Author, &r.Who, &r.Number, &r.Link} {
		*text = plain(*text)
	}
	return r, r.check()
}

// commitPattern is a whole SHA-1 or SHA-256, as all three systems give it.
var commitPattern = regexp.MustCompile(`^([0-9a-f]{40}|[0-9a-f]{64})$`)

func (r Run) check() error {
	if !commitPattern.MatchString(r.Commit) || strings.Trim(r.Commit, "0") == "" {
		return fmt.Errorf("%s gives %q as the commit, which is none", r.System, r.Commit)
	}
	if r.Event == Push && r.Branch == "" {
		return fmt.Errorf("%s gives no branch for its event %s", r.System, r.Said)
	}
	return nil
}

// Operator returns who does what is done, for locks and audit logs.
func (r Run) Operator() string {
	names := map[console.CI]string{console.Drone: "drone", console.GitLab: "gitlab-ci", console.GitHub: "github-actions"}
	name := names[r.System]
	if r.Number != "" {
		name += " #" + r.Number
	}
	if r.Who != "" {
		name += " (" + r.Who + ")"
	}
	return name
}

// plain returns text, which anybody who commits can choose, as part of a line.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if !unicode.IsPrint(r) {
			return ' '
		}
		return r
	}, text)
	runes := []rune(text)
	return strings.TrimSpace(string(runes[:min(len(runes), 200)]))
}

// readDrone reads what Drone tells ("Environment, Reference" of its manual).
func readDrone(getenv func(string) string) (Run, error) {
	event, ref := getenv("DRONE_BUILD_EVENT"), getenv("DRONE_COMMIT_REF")
	r := Run{
		Said:   event,
		Branch: cmp.Or(getenv("DRONE_COMMIT_BRANCH"), getenv("DRONE_BRANCH")),
		Commit: cmp.Or(getenv("DRONE_COMMIT_SHA"), getenv("DRONE_COMMIT")),
		Author: cmp.Or(getenv("DRONE_COMMIT_AUTHOR_NAME"), getenv("DRONE_COMMIT_AUTHOR")),
		Number: getenv("DRONE_BUILD_NUMBER"),
		Link:   getenv("DRONE_BUILD_LINK"),
	}
	// "@hook" where a push made it start.
	if r.Who = getenv("DRONE_BUILD_TRIGGER"); r.Who == "" || strings.HasPrefix(r.Who, "@") {
		r.Who = getenv("DRONE_COMMIT_AUTHOR")
	}
	r.Event = eventOf(event, map[string]Event{
		"promote": Request, "rollback": Request, "push": Push, "custom": Push, "pull_request": PullRequest, "tag": Tagged,
	})
	var err error
	switch r.Event {
	case Request:
		r.Environment, r.Asked = getenv("DRONE_DEPLOY_TO"), true
	case Push:
		r.Environment, err = named(getenv("DRONE_STEP_NAME"), getenv("DRONE_STAGE_NAME"))
	}
	// What is promoted is a build, of whatever it was.
	switch {
	case strings.HasPrefix(ref, "refs/pull/"), strings.HasPrefix(ref, "refs/merge-requests/"),
		getenv("DRONE_PULL_REQUEST") != "":
		r.Event = PullRequest
	case strings.HasPrefix(ref, "refs/tags/"), getenv("DRONE_TAG") != "":
		r.Event = Tagged
	}
	return r, err
}

// eventOf returns what an event is that a system has a word for.
func eventOf(said string, events map[string]Event) Event {
	if event, known := events[said]; known {
		return event
	}
	return Other
}

// readGitLab reads what GitLab tells ("Predefined CI/CD variables reference").
func readGitLab(getenv func(string) string) (Run, error) {
	source := getenv("CI_PIPELINE_SOURCE")
	author, _, _ := strings.Cut(getenv("CI_COMMIT_AUTHOR"), "<") // Name <email>
	r := Run{
		Said:        source,
		Branch:      getenv("CI_COMMIT_BRANCH"),
		Commit:      getenv("CI_COMMIT_SHA"),
		Environment: getenv("CI_ENVIRONMENT_NAME"),
		Author:      author,
		Who:         getenv("GITLAB_USER_LOGIN"),
		Number:      cmp.Or(getenv("CI_PIPELINE_IID"), getenv("CI_PIPELINE_ID")),
		Link:        getenv("CI_PIPELINE_URL"),
	}
	if action := getenv("CI_ENVIRONMENT_ACTION"); action != "" && action != "start" {
		r.Event, r.Said = Other, "environment:action: "+action
		return r, nil
	}
	r.Asked = getenv("CI_JOB_MANUAL") == "true" && slices.Contains(persistent, r.Environment)
	switch {
	case source == "merge_request_event", source == "external_pull_request_event", getenv("CI_MERGE_REQUEST_IID") != "":
		r.Event = PullRequest
	case getenv("CI_COMMIT_TAG") != "":
		r.Event = Tagged
	case r.Asked:
		r.Event = Request
	case slices.Contains([]string{"push", "web", "webide", "api", "trigger", "pipeline", "parent_pipeline"}, source):
		r.Event = Push
	default:
		r.Event = Other
	}
	return r, nil
}

// readGitHub reads what GitHub tells ("Variables reference", "Events that
// trigger workflows").
func readGitHub(getenv func(string) string) (Run, error) {
	event, ref := getenv("GITHUB_EVENT_NAME"), getenv("GITHUB_REF")
	payload, err := readPayload(getenv("GITHUB_EVENT_PATH"))
	if err != nil {
		return Run{}, err
	}
	branch, isBranch := strings.CutPrefix(ref, "refs/heads/")
	if !isBranch { // a tag, a pull request, or nothing
		branch = ""
	}
	r := Run{
		Said:   event,
		Branch: branch,
		Commit: getenv("GITHUB_SHA"),
		Author: cmp.Or(payload.HeadCommit.Author.Name, getenv("GITHUB_ACTOR")),
		Who:    cmp.Or(getenv("GITHUB_TRIGGERING_ACTOR"), getenv("GITHUB_ACTOR")),
		Number: getenv("GITHUB_RUN_NUMBER"),
	}
	server, repository, id := getenv("GITHUB_SERVER_URL"), getenv("GITHUB_REPOSITORY"), getenv("GITHUB_RUN_ID")
	if server != "" && repository != "" && id != "" {
		r.Link = server + "/" + repository + "/actions/runs/" + id
	}
	r.Event = eventOf(event, map[string]Event{
		"push": Push, "workflow_dispatch": Push, "deployment": Request, "merge_group": PullRequest,
		"pull_request": PullRequest, "pull_request_target": PullRequest,
		"pull_request_review": PullRequest, "pull_request_review_comment": PullRequest,
	})
	switch event {
	case "push":
		r.Environment, err = named(getenv("GITHUB_JOB"))
	case "workflow_dispatch":
		if r.Environment = payload.Inputs.Environment; r.Environment != "" {
			r.Event, r.Asked = Request, true
		}
	case "deployment":
		r.Environment, r.Asked = payload.Deployment.Environment, true
	}
	switch {
	case strings.HasPrefix(ref, "refs/pull/"):
		r.Event = PullRequest
	case strings.HasPrefix(ref, "refs/tags/"), getenv("GITHUB_REF_TYPE") == "tag":
		r.Event = Tagged
	}
	return r, err
}

// payload is what of GitHub's event is in no variable.
type payload struct {
	Inputs     struct{ Environment string }
	Deployment struct{ Environment string }
	HeadCommit struct {
		Author struct{ Name string }
	} `json:"head_commit"`
}

func readPayload(path string) (p payload, err error) {
	if path == "" {
		return p, nil
	}
	content, err := os.ReadFile(path)
	if err != nil {
		return p, fmt.Errorf("the event (GITHUB_EVENT_PATH) can't be read: %w", err)
	}
	if err := json.Unmarshal(content, &p); err != nil {
		return p, errors.New("the event (GITHUB_EVENT_PATH) is no JSON that we understand") // it quotes what may be secret
	}
	return p, nil
}

var word = regexp.MustCompile(`[a-z0-9]+`)

// named returns the instance that the first of the names which has any has
// among its words, as in "deploy-ecole". Drone's steps and GitHub's jobs say by
// their names alone what they deploy to.
func named(names ...string) (string, error) {
	for _, name := range names {
		var found []string
		for _, w := range word.FindAllString(strings.ToLower(name), -1) {
			if slices.Contains(persistent, w) && !slices.Contains(found, w) {
				found = append(found, w)
			}
		}
		if len(found) > 1 {
			return "", fmt.Errorf("the name %q is of %s at once\nhint: make a step or job of each",
				name, strings.Join(found, " and "))
		}
		if len(found) == 1 {
			return found[0], nil
		}
	}
	return "", nil
}
