package server

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

// Entry is what was done to an instance: a line of the audit log.
type Entry = hostapi.Entry

// auditLog is where the audit log of a project is; it stays when the project goes.
func auditLog(project string) string { return path.Join(hostapi.Logs, project+".log") }

// Record appends an entry to the audit log, where the power does not take it.
func (s *Server) Record(e Entry) error {
	line, err := json.Marshal(e)
	if err != nil {
		return err
	}
	_, err = text(s.ask(script.Echo(string(line)), "audit"))
	return err
}

// Audited does what and records how it ended, as done by who.
func (s *Server) Audited(who, what string, do func() error) error {
	start := time.Now()
	err := do()
	e := Entry{Time: time.Now().UTC().Truncate(time.Second), Who: who, What: what, Outcome: hostapi.OK, Seconds: time.Since(start).Round(100 * time.Millisecond).Seconds()}
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

// Audit returns the audit log, the oldest entry first. Lines that are none are
// left out.
func (s *Server) Audit() ([]Entry, error) {
	out, err := text(s.Script(`[ ! -e "$1" ] || cat "$1"`, auditLog(s.Project)))
	if err != nil {
		return nil, err
	}
	entries := []Entry{}
	for line := range strings.Lines(out) {
		var e Entry
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
