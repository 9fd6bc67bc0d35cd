package host

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/remote"
)

// State is what [Check] found out about a host.
type State struct {
	Host    string  `json:"host"`              // as it was given
	User    string  `json:"user,omitempty"`    // who one is there
	SSH     bool    `json:"ssh"`               // whether it lets one in by key
	Sudo    bool    `json:"sudo"`              // whether sudo asks for no password
	System  string  `json:"system,omitempty"`  // the name it has for itself
	Seconds float64 `json:"seconds"`           // how long it took to find out
	Problem string  `json:"problem,omitempty"` // why not, where SSH or Sudo is false
}

// probe prints who one is and what the system is called.
const probe = `id -un; . /etc/os-release 2>/dev/null && echo "$PRETTY_NAME" || uname -sr`

// Check looks at all hosts at the same moment: whether each lets one in by SSH
// key, and whether sudo asks for no password there. config is an SSH
// configuration in place of the user's own, if it is not empty.
func Check(ctx context.Context, hosts []string, config string) []State {
	states := make([]State, len(hosts))
	var all sync.WaitGroup
	for i, host := range hosts {
		all.Go(func() { states[i] = checkOne(ctx, host, config) })
	}
	all.Wait()
	return states
}

func checkOne(ctx context.Context, host, config string) (s State) {
	s.Host = host
	defer func(start time.Time) { s.Seconds = time.Since(start).Seconds() }(time.Now())
	// Longer than it takes to say what is wrong with a host: one that stops in
	// the middle of an answer.
	ctx, cancel := context.WithTimeout(ctx, 30*time.Second)
	defer cancel()
	h, err := remote.Dial(ctx, host, remote.Options{Config: config})
	if err != nil {
		s.Problem = err.Error()
		return s
	}
	defer h.Close()
	said, err := h.Exec("sh", "-c", probe).String()
	if err != nil {
		s.Problem = err.Error()
		return s
	}
	s.SSH = true
	s.User, s.System, _ = strings.Cut(strings.TrimSpace(said), "\n")
	if _, err := h.Exec("sudo", "-n", "true").String(); err != nil {
		s.Problem = err.Error() + "\nhint: mage host:addUser " + s.User + " " + host + " -groups=sudo, by somebody who may"
		return s
	}
	s.Sudo = true
	return s
}

// Show prints what [Check] finds out about the hosts in list, in a table or as
// JSON, and what is wrong below it. The error counts the hosts that are not as
// they must be.
func Show(ctx context.Context, list, config string, json bool) error {
	hosts, err := Hosts(list)
	if err != nil {
		return err
	}
	states := Check(ctx, hosts, config)
	print := table
	if json {
		print = func(states []State) error { return console.JSON(states) }
	}
	if err := print(states); err != nil {
		return err
	}
	bad := 0
	for _, s := range states {
		if s.Problem != "" {
			bad++
			console.Say("\n%s: %s", s.Host, strings.TrimPrefix(s.Problem, s.Host+": "))
		}
	}
	if bad > 0 {
		return fmt.Errorf("%d of %d hosts can't be operated", bad, len(states))
	}
	if !json {
		console.Summary("all hosts can be operated: %d", len(states))
	}
	return nil
}

func table(states []State) error {
	word := map[bool]string{true: "yes", false: "NO"}
	rows := [][]string{{"HOST", "SSH", "SUDO", "USER", "SYSTEM", "SECONDS"}}
	for _, s := range states {
		sudo := word[s.Sudo]
		if !s.SSH {
			sudo = "-"
		}
		rows = append(rows, []string{s.Host, word[s.SSH], sudo, s.User, s.System, fmt.Sprintf("%.1f", s.Seconds)})
	}
	return console.Table(rows...)
}
