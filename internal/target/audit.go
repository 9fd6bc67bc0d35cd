package target

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/user"
	"path"
	"strings"
	"time"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

// Record appends an entry to the audit log, where the power does not take it.
func (s *Target) Record(e hostapi.Entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = text(s.about(script.Echo(string(line)), "audit"))
	return err
}

// Audited does what and records how it ended, as done by who.
func (s *Target) Audited(who, what string, do func() error) error {
	start := time.Now()
	err := do()
	e := hostapi.Entry{Time: time.Now().UTC().Truncate(time.Second), Who: who, What: what, Outcome: hostapi.OK,
		Seconds: time.Since(start).Round(100 * time.Millisecond).Seconds()}
	if err != nil {
		e.Outcome = hostapi.Failed
		if errors.Is(err, context.Canceled) {
			e.Outcome = hostapi.Interrupted
		}
		e.Reason, _, _ = strings.Cut(err.Error(), "\n")
	}
	if recordErr := s.Record(e); err == nil && recordErr != nil {
		return fmt.Errorf("%s was done, but is not in the audit log: %w", what, recordErr)
	}
	return err
}

// Audit returns the audit log, which stays when the instance goes: the oldest entry
// first. Lines that are none are left out.
func (s *Target) Audit() ([]hostapi.Entry, error) {
	out, err := text(s.Script(`[ ! -e "$1" ] || cat "$1"`, path.Join(hostapi.Logs, s.Project+".log")))
	if err != nil {
		return nil, err
	}
	entries := []hostapi.Entry{}
	for line := range strings.Lines(out) {
		var e hostapi.Entry
		if json.Unmarshal([]byte(line), &e) == nil {
			entries = append(entries, e)
		}
	}
	return entries, nil
}

// Operator returns who runs this, for locks and audit logs: the account and the
// machine, or what MRS_OPERATOR says.
func Operator() string {
	if who := os.Getenv("MRS_OPERATOR"); who != "" {
		return strings.Map(func(r rune) rune {
			if r < ' ' {
				return ' '
			}
			return r
		}, who)
	}
	name := os.Getenv("SUDO_USER")
	if u, err := user.Current(); name == "" && err == nil {
		name = u.Username
	}
	machine, _ := os.Hostname()
	return name + "@" + machine
}
