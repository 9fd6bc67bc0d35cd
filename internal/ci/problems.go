package ci

import (
	"fmt"
	"strings"

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
func (r *Refused) Error() string {
	var b strings.Builder
	noun := "problems"
	if len(r.Problems) == 1 {
		noun = "problem"
	}
	fmt.Fprintf(&b, "%s: %d %s; nothing was touched", r.What, len(r.Problems), noun)
	for _, p := range r.Problems {
		fmt.Fprintf(&b, "\n  %s %s\n    hint: %s", p.Name, p.Reason, p.Mend)
	}
	return b.String()
}

// settings says where a system keeps what pipelines need.
func settings(system console.CI, name string) string {
	switch system {
	case console.GitLab:
		return "set " + name + " in the project's Settings, CI/CD, Variables"
	case console.GitHub:
		return "set " + name + " in the repository's Settings, Secrets and variables, Actions, and hand it to the step (env)"
	}
	return "set the secret " + name + " in the repository's Settings, Secrets, and hand it to the step (environment, from_secret)"
}
