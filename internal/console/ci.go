package console

import (
	"fmt"
	"io"
	"os"
	"strings"
	"sync/atomic"
	"time"
)

// CI is a system that runs targets for somebody who reads the log of it: the
// variable by which the system makes itself known, as "true".
type CI string

// The systems whose ways are known. Their logs show colour.
const (
	Drone  CI = "DRONE"
	GitHub CI = "GITHUB_ACTIONS"
	GitLab CI = "GITLAB_CI"
)

// String returns the system's own name.
func (c CI) String() string {
	switch c {
	case Drone:
		return "Drone"
	case GitHub:
		return "GitHub Actions"
	case GitLab:
		return "GitLab CI"
	}
	return "no CI"
}

// CIs returns the systems that the environment, looked up by getenv, is one of.
func CIs(getenv func(name string) string) []CI {
	var found []CI
	for _, c := range []CI{Drone, GitHub, GitLab} {
		if getenv(string(c)) == "true" {
			found = append(found, c)
		}
	}
	return found
}

// ci returns the system whose log this process writes to; empty for none.
func ci() CI {
	if found := CIs(os.Getenv); len(found) == 1 {
		return found[0]
	}
	return ""
}

// Group does what, of which title says what it is. Where the log is one of a CI
// system that can fold lines away, those that are printed meanwhile are folded.
func Group(title string, what func() error) error {
	// To standard output, which has the many lines: the order of what goes to
	// the other one is not certain in a log.
	end := group(os.Stdout, ci(), title, time.Now)
	defer end()
	return what()
}

// groups counts the groups: GitLab tells them by their names.
var groups atomic.Int64

func group(w io.Writer, c CI, title string, now func() time.Time) (end func()) {
	switch c {
	case GitHub:
		fmt.Fprintf(w, "::group::%s\n", workflowData(title))
		return func() { fmt.Fprintln(w, "::endgroup::") }
	case GitLab:
		name := fmt.Sprintf("mrs_ops_%d", groups.Add(1))
		fmt.Fprintf(w, "\033[0Ksection_start:%d:%s[collapsed=true]\r\033[0K\033[36m%s\033[0m\n", now().Unix(), name, title)
		return func() { fmt.Fprintf(w, "\033[0Ksection_end:%d:%s\r\033[0K\n", now().Unix(), name) }
	}
	Say("%s", title)
	return func() {}
}

// Mask tells GitHub's runner not to show a value, wherever it is printed from
// now on. Nobody else is told: to any other reader it would be shown by this.
func Mask(value string) {
	// A runner reads what is printed; a file or a terminal is no runner.
	if info, err := os.Stdout.Stat(); ci() == GitHub && err == nil && info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0 {
		mask(os.Stdout, value)
	}
}

func mask(w io.Writer, value string) {
	if strings.TrimSpace(value) != "" { // to mask nothing is an error there
		fmt.Fprintf(w, "::add-mask::%s\n", workflowData(value))
	}
}

// workflowData escapes the data of a workflow command of GitHub's (its
// "Workflow commands", and escapeData of actions/toolkit).
func workflowData(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
}
