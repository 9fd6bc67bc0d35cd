package restore

import (
	"cmp"
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
)

// Alert tells, in the journal and the team, that a unit of the instance's has failed; result is what systemd says of
// how (systemd.exec(5), $SERVICE_RESULT), since when it ran: what was written down before is not why. The error is
// *[backup.Failure], of the message that nobody took.
func (i *Instance) Alert(ctx context.Context, unit, result string, since time.Time) error {
	what := strings.TrimPrefix(strings.TrimSuffix(unit, ".service"), i.Name+"-")
	if err := i.writeDownKilled(what, result); err != nil {
		i.Say("what came of it can't be written down: " + err.Error())
	}
	why, err := i.whyFailed(what, since)
	if err != nil {
		why = fmt.Sprintf("the %s failed: no reason is known", what)
	}
	text := fmt.Sprintf("%s on %s: %s (journalctl --unit %s; docs/runbook.md)", i.Name, i.Server, why, unit)
	i.Say(text)
	if err := i.Tell(ctx, text); err != nil {
		return &backup.Failure{Reason: "Slack did not take this message: " + err.Error(), Status: 1}
	}
	return nil
}

// writeDownKilled writes down what one that was killed could not.
func (i *Instance) writeDownKilled(what, result string) error {
	held := ".backup.lock"
	if what == "drill" {
		held = ".drill.lock"
	}
	// Another one may be at work; and of one that is done, it is for who tidies up.
	if what == "restore" && i.is(doneFile) {
		return nil
	}
	if !i.is(".running."+what) || !lock.Free(i.path(held)) {
		return nil
	}
	return i.WriteKilled(what, "killed: "+result)
}

// whyFailed is why the last run of a kind failed, and of when the last good backup is.
func (i *Instance) whyFailed(what string, since time.Time) (string, error) {
	kinds := []string{what}
	if what == "restore" { // the unit that restores adopts copies too
		kinds = append(kinds, "copy")
	}
	last, reason, err := i.Ledger.Latest(since, kinds...)
	if err != nil {
		return "", err
	}
	good, err := i.Ledger.LastGood("backup")
	if err != nil {
		return "", err
	}
	if last != "" && reason == "" { // killed when it tidied up
		reason = "it is done all the same"
	}
	return fmt.Sprintf("the %s failed: %s. The last good backup is of %s",
		cmp.Or(last, what), cmp.Or(reason, "no reason is known"), cmp.Or(good, "no time at all")), nil
}
