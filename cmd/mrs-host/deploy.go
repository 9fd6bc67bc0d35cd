package main

import (
	"cmp"
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/betagouv/mrs-ops/internal/answer"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/audit"
	"github.com/betagouv/mrs-ops/internal/hostside/command"
	"github.com/betagouv/mrs-ops/internal/hostside/compose"
	"github.com/betagouv/mrs-ops/internal/hostside/database"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
	"github.com/betagouv/mrs-ops/internal/hostside/generation"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
	"github.com/betagouv/mrs-ops/internal/hostside/provision"
	"github.com/betagouv/mrs-ops/internal/hostside/rollout"
	"github.com/betagouv/mrs-ops/internal/hostside/site"
	"github.com/betagouv/mrs-ops/internal/hostside/slack"
	"github.com/betagouv/mrs-ops/internal/hostside/systemd"
)

// deploy carries out the request on standard input ([hostapi.Deploy]), and says on
// standard output what it does and what came of it ([hostapi.Event], a line each).
func deploy(ctx context.Context, _ options) error {
	var d hostapi.Deploy
	if err := json.NewDecoder(os.Stdin).Decode(&d); err != nil {
		return fmt.Errorf("the request can't be read: %w", err)
	}
	d.What = cmp.Or(d.What, "deploy")
	command.Keep(hostapi.Logs, d.Project)
	// Nobody listens any more: that ends it as SIGTERM does.
	ctx, stop := whileListened(ctx)
	defer stop()
	out := &events{out: json.NewEncoder(os.Stdout)}
	if err := current(d); err != nil {
		out.send(hostapi.Event{Failed: failure(ctx, err)})
		return errSaid
	}
	subject := d.Name + ": " + strings.Replace(d.What+" ", "deploy ", "deployment ", 1) + "to " + host(d)
	told := tell(d, nil, subject+" starts, by "+d.Who, out.Say)
	begin := time.Now()
	entry := hostapi.Entry{Who: d.Who, What: d.What, Outcome: hostapi.OK}
	this := provision.This{}
	deployed, held, err := carryOut(ctx, d, this, out, &entry)
	entry.Time = time.Now().UTC().Truncate(time.Second)
	entry.Seconds = math.Round(time.Since(begin).Seconds())
	entry.Commit = deployed.Commit
	var failed *hostapi.Failure
	if err != nil {
		failed = failure(ctx, err)
		entry.Outcome, entry.Reason = failed.Outcome, failed.Reason
		if failed.Outcome != hostapi.Interrupted {
			failed.Hint = cmp.Or(failed.Hint, "what went wrong is said above; the stack's folder is "+d.Folder)
		}
	}
	if e := audit.Append(hostapi.Logs, d.Project, entry); e != nil {
		out.Say("what came of it is not in the audit log: " + e.Error())
	}
	// Only now: the next one's entry comes after this one.
	if held != nil {
		held.Release()
	}
	if failed != nil {
		<-tell(d, told, subject+" failed: "+failed.Reason+" (docs/runbook.md)", out.Say)
		out.send(hostapi.Event{Failed: failed})
		return errSaid
	}
	forget(this, out.Say)
	commit := ""
	if deployed.Commit != "" {
		commit = "commit " + deployed.Commit[:min(len(deployed.Commit), 8)] + ", "
	}
	<-tell(d, told, d.Name+": deployed, "+d.URL+" answers, "+commit+deployed.How, out.Say)
	return out.send(hostapi.Event{Deployed: &deployed})
}

// current returns an error unless the request is of this version, and what it is about of no newer one.
func current(d hostapi.Deploy) error {
	if f := hostapi.Mismatched(d.Version); f != nil {
		return f
	}
	if d.Persistent && generation.Foreign(d.Folder) {
		return &hostapi.Failure{
			Outcome: hostapi.Failed,
			Reason:  d.Folder + " was deployed by the old system, which runs there; nothing was changed",
			Hint:    "mage takeover:check SERVER, then mage takeover:run " + d.Name,
		}
	}
	return generation.Refuse(d.Name, d.Folder)
}

// host is what visitors know the site by.
func host(d hostapi.Deploy) string { return d.URL[strings.LastIndexByte(d.URL, '/')+1:] }

func failure(ctx context.Context, err error) *hostapi.Failure {
	if f, ok := errors.AsType[*hostapi.Failure](err); ok {
		return f
	}
	if ctx.Err() != nil || errors.Is(err, lock.ErrGone) {
		return &hostapi.Failure{Outcome: hostapi.Interrupted, Reason: "interrupted; nothing that runs was changed"}
	}
	reason, hint := hostapi.Explained(err)
	return &hostapi.Failure{Outcome: hostapi.Failed, Reason: reason, Hint: hint}
}

// tell tells the team's Slack a line, if there is one, once what it was told before
// has arrived. Nothing waits for it but the end.
func tell(d hostapi.Deploy, before <-chan struct{}, line string, say func(string)) <-chan struct{} {
	arrived := make(chan struct{})
	go func() {
		defer close(arrived)
		if before != nil {
			<-before
		}
		if d.Slack == "" {
			return
		}
		// Also of whoever is interrupted.
		if err := slack.Post(context.Background(), d.Slack, line+d.Change, 1); err != nil {
			say(fmt.Sprintf("Slack did not take the message (%v): %s", err, line+d.Change))
		}
	}()
	return arrived
}

// carryOut checks the host, and deploys under the instance's locks, which it returns where it has taken them.
func carryOut(ctx context.Context, d hostapi.Deploy, this provision.This, out *events, entry *hostapi.Entry) (
	deployed hostapi.Deployed, held *lock.Instance, err error,
) {
	if err := provision.Check(ctx, d, this); err != nil {
		return deployed, nil, err
	}
	program, err := os.Executable()
	if err != nil {
		return deployed, nil, err
	}
	held, err = lock.Take(ctx, hostapi.Locks, d.Project, hostapi.Holder{Token: d.Token, Who: d.Who, What: d.What}, out.Say)
	if err != nil {
		return deployed, nil, err
	}
	syscall.Umask(0o022) // for the folders above those that have a mode
	provided, err := provision.Provide(ctx, provision.Of(d, program), this, out.Say)
	if err != nil {
		return deployed, held, err
	}
	syscall.Umask(0o077)
	if err := decides(d.Folder, program); err != nil {
		return deployed, held, err
	}
	deployed, n, err := rollout.Run(ctx, d, newServer(d, out.Say), rollout.Talk{Say: out.Say, Detail: out.Detail})
	entry.Release = n
	if err == nil && deployed.Changes == 0 {
		entry.Reason = deployed.How
	}
	deployed.Changes += provided.Changes
	if err != nil {
		// What runs is what ran, and so are its backups.
		if e := provided.Undo(); e != nil {
			out.Say("what the backups were set to can't be put back: " + e.Error())
		}
		return deployed, held, err
	}
	marks, err := generation.Mark(marked(d, this))
	deployed.Changes += marks
	if err != nil {
		out.Say("older clones of mrs-ops are not kept from changing it: " + err.Error())
	}
	return deployed, held, nil
}

// marked is where it is to be seen which version has deployed it.
func marked(d hostapi.Deploy, this provision.This) generation.Place {
	p := generation.Place{
		Folder: d.Folder, Locks: hostapi.Locks, Programs: hostapi.Programs,
		Backed: d.Backup != nil, Branches: !d.Persistent && d.Lifetime > 0,
	}
	if booted, err := this.Booted(); err == nil && booted {
		p.Tmpfiles = "/etc/tmpfiles.d"
	}
	return p
}

// forget removes what decides for no instance of this server any more.
func forget(this provision.This, say func(string)) {
	ctx, stop := context.WithTimeout(context.Background(), time.Minute) // nobody waits for it longer
	defer stop()
	running, err := this.All(ctx)
	if err == nil {
		_, err = provision.Forget(hostapi.Programs, systemd.Folder, provision.Homes(running, systemd.Folder), time.Now())
	}
	if err != nil {
		say("older programs stay: " + err.Error())
	}
}

// errSaid is the error of what has said all of it.
var errSaid = errors.New("it was said what went wrong")

// events are shown to whoever waits.
type events struct {
	mu  sync.Mutex
	out *json.Encoder
}

func (e *events) send(event hostapi.Event) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	return e.out.Encode(event)
}

// Say says a line of what is done. Whether anybody listens is another's question.
func (e *events) Say(line string) { _ = e.send(hostapi.Event{Say: line}) }

// Detail says what helps to understand a failure.
func (e *events) Detail(text string) { _ = e.send(hostapi.Event{Detail: text}) }

// decides writes down that this program decides for the stack in a folder from now
// on, for whoever asks between deployments.
func decides(folder, program string) error {
	path := filepath.Join(folder, ".program")
	now, _ := os.ReadFile(path)
	was := strings.TrimSpace(string(now))
	if was == program {
		return nil
	}
	// A script that is at work still names it: it is not forgotten yet.
	_ = os.Chtimes(was, time.Time{}, time.Now())
	return durable.Write(path, []byte(program+"\n"), 0o600)
}

func newServer(d hostapi.Deploy, say func(string)) *server {
	check := strings.ToLower(rand.Text())
	return &server{say: say, Project: compose.Project{Name: d.Project, Folder: d.Folder},
		site: site.Site{Site: answer.Site{URL: d.URL, Names: d.Names, BasicAuth: d.BasicAuth, Check: check}},
		want: database.Want{Name: d.Database, Role: d.Role}, drain: time.Duration(d.Drain) * time.Second}
}
