package ci

import (
	"fmt"
	"slices"
	"strings"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/instance"
)

// persistent are the instances that a pipeline can deploy to by name.
var persistent = []string{"production", "staging", "ecole"}

// homes says where a push of a branch goes: to the first, unless the job's
// environment is another. All other branches become ephemeral instances.
var homes = map[string][]string{
	"master":  {"staging", "ecole"},
	"staging": {"staging"},
	"ecole":   {"ecole"},
}

// Target is what a run is to deploy: an instance, a branch, or nothing.
type Target struct {
	Instance string // of env/; empty for nothing
	Branch   string // set where Instance is that of branches
	Nothing  string // why nothing, and what would deploy
}

// String says in words what is deployed.
func (t Target) String() string {
	switch {
	case t.Nothing != "":
		return "nothing"
	case t.Branch != "":
		return "branch " + t.Branch
	}
	return t.Instance
}

// secret returns the name of the variable that the target's values are in.
func (t Target) secret() string { return strings.ToUpper(t.Instance) + "_ENV" }

// Target decides what the run means.
//
//   - Who asks for production, staging or ecole by name gets it, from any
//     branch: a promotion or a rollback (Drone), a manual job (GitLab), a
//     workflow_dispatch with the input environment, or a deployment (GitHub).
//   - A push of master or staging goes to staging, one of ecole to ecole. One of
//     master goes to ecole where the job says so: by its environment (GitLab),
//     the name of the step or pipeline (Drone), or of the job (GitHub).
//   - A push of any other branch becomes an ephemeral instance.
//   - Pull requests, tags and timers deploy nothing.
//
// A run that contradicts itself is an error.
func (r Run) Target() (Target, error) {
	switch r.Event {
	case PullRequest:
		return r.nothing("a pull request deploys nothing",
			"anybody can make one; a push of its branch to this repository deploys it as an instance of its own")
	case Tagged:
		return r.nothing("a tag deploys nothing",
			"the branch that has the commit was deployed by its push; "+r.promotion()+" deploys production")
	case Request:
		if !slices.Contains(persistent, r.Environment) {
			return Target{}, fmt.Errorf("%s asks for %q, and there is no such instance for it\nhint: there are %s",
				r.System, r.Environment, strings.Join(persistent, ", "))
		}
		return Target{Instance: r.Environment}, nil
	case Push:
		return r.pushed()
	}
	return r.nothing(fmt.Sprintf("%q deploys nothing", r.Said),
		"a push deploys its branch; "+r.promotion()+" deploys production")
}

// nothing is the target of a run that deploys nothing; where somebody waits for
// a deployment all the same, that is an error.
func (r Run) nothing(why, what string) (Target, error) {
	if r.Asked {
		return Target{}, fmt.Errorf("%s was asked for, but %s\nhint: %s", r.Environment, why, what)
	}
	return Target{Nothing: why + ": " + what}, nil
}

// promotion says how production is deployed.
func (r Run) promotion() string {
	switch r.System {
	case console.GitLab:
		return "a manual job whose environment is production"
	case console.GitHub:
		return "a workflow_dispatch with environment=production"
	}
	return "promoting a build to production"
}

// pushed decides what a push of a branch means.
func (r Run) pushed() (Target, error) {
	allowed := homes[r.Branch]
	switch {
	case r.Environment == "production":
		return Target{}, fmt.Errorf("the job is for production, but it runs by itself\nhint: %s deploys it", r.promotion())
	case allowed == nil && slices.Contains(persistent, r.Environment):
		return Target{}, fmt.Errorf("the job is for %s, but %q is not its branch\nhint: let the job run for %s only",
			r.Environment, r.Branch, strings.Join(branchesOf(r.Environment), " and "))
	case allowed == nil:
		return Target{Instance: instance.Branches, Branch: r.Branch}, nil
	case r.Environment == "":
		return Target{Instance: allowed[0]}, nil
	case !slices.Contains(allowed, r.Environment):
		return Target{}, fmt.Errorf("the job is for %q, but %s goes to %s\n"+
			"hint: let the job's environment be %s, or not run for %[2]s",
			r.Environment, r.Branch, strings.Join(allowed, " or "), allowed[0])
	}
	return Target{Instance: r.Environment}, nil
}

// branchesOf returns the branches whose pushes may go to an instance.
func branchesOf(name string) []string {
	var branches []string
	for branch, instances := range homes {
		if slices.Contains(instances, name) {
			branches = append(branches, branch)
		}
	}
	slices.Sort(branches)
	return branches
}
