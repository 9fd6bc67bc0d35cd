package ci

import (
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/instance"
)

// Refused lists everything that keeps a target from being begun. No secret is
// in it.
type Refused struct {
	What     string // that was to be done
	Problems []instance.Problem
}

// Error has a line for each problem, and below it how to mend it.
func (r *Refused) Error() string { return instance.Listed(r.What, "; nothing was touched", r.Problems) }

// settings says where a system keeps what pipelines need.
func settings(system console.CI, name string) string {
	switch system {
	case console.GitLab:
		return "set " + name + " in the project's Settings, CI/CD, Variables"
	case console.GitHub:
		return "set " + name + " in the repository's Settings, Secrets and variables, Actions, and hand it to the step (env)"
	}
	return "set the secret " + name + " in the repository's Settings, Secrets, " +
		"and hand it to the step (environment, from_secret)"
}
