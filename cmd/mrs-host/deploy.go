package main

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math"
	"os"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/betagouv/mrs-ops/internal/answer"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/audit"
	"github.com/betagouv/mrs-ops/internal/hostside/compose"
	"github.com/betagouv/mrs-ops/internal/hostside/database"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
	"github.com/betagouv/mrs-ops/internal/hostside/rollout"
	"github.com/betagouv/mrs-ops/internal/hostside/site"
)

// deploy carries out the request on standard input ([hostapi.Deploy]). The last
// line on standard output is what came of it ([hostapi.Deployed]); before it are
// lines for people. Where it fails, the reason is on standard error, with its hint
// on the last line.
func deploy(ctx context.Context, _ options) error {
	var d hostapi.Deploy
	if err := json.NewDecoder(os.Stdin).Decode(&d); err != nil {
		return fmt.Errorf("the request can't be read: %w", err)
	}
	syscall.Umask(0o077)
	// Nobody listens any more: that ends it as SIGTERM does, and not in the middle of a line.
	ctx, stop := signal.NotifyContext(ctx, syscall.SIGPIPE)
	defer stop()
	talk := rollout.Talk{Say: sayer(d), Detail: func(text string) { fmt.Fprintln(os.Stderr, text) }}
	begin := time.Now()
	entry := hostapi.Entry{Who: d.Who, What: d.What, Outcome: hostapi.OK}
	deployed, err := locked(ctx, d, talk, &entry)
	entry.Time = time.Now().UTC().Truncate(time.Second)
	entry.Seconds = math.Round(time.Since(begin).Seconds())
	entry.Commit = deployed.Commit
	if err == nil && !deployed.Changed {
		entry.Reason = deployed.How
	}
	if err != nil {
		failure, ok := errors.AsType[*rollout.Failure](err)
		if !ok {
			failure = &rollout.Failure{Outcome: hostapi.Failed, Reason: err.Error()}
			if ctx.Err() != nil {
				failure = &rollout.Failure{Outcome: hostapi.Interrupted, Reason: "interrupted"}
			}
		}
		entry.Outcome, entry.Reason = failure.Outcome, failure.Reason
		talk.Say(failure.Reason)
		err = failure
	}
	if e := audit.Append(hostapi.Logs, d.Project, entry); e != nil {
		talk.Say("what came of it is not in the audit log: " + e.Error())
	}
	if err != nil {
		return err
	}
	return json.NewEncoder(os.Stdout).Encode(deployed)
}

// locked deploys under the instance's locks.
func locked(ctx context.Context, d hostapi.Deploy, talk rollout.Talk, entry *hostapi.Entry) (hostapi.Deployed, error) {
	held, err := lock.Take(ctx, hostapi.Locks, d.Project, hostapi.Holder{Token: d.Token, Who: d.Who, What: d.What}, talk.Say)
	if err != nil {
		return hostapi.Deployed{}, err
	}
	defer held.Release()
	if err := decides(d.Folder); err != nil {
		return hostapi.Deployed{}, err
	}
	deployed, n, err := rollout.Run(ctx, d, newServer(d), talk)
	entry.Release = n
	return deployed, err
}

// sayer returns what shows a line to whoever waits. Whoever holds the lock shows
// them at once; Ansible shows standard output at the end.
func sayer(d hostapi.Deploy) func(string) {
	var progress io.Writer = io.Discard
	if d.Token != "" {
		file, err := os.OpenFile(filepath.Join(hostapi.Locks, d.Project+".progress"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err == nil {
			progress = file
		}
	}
	return func(line string) {
		fmt.Println(line)
		fmt.Fprintln(progress, line)
	}
}

// decides writes down that this program decides for the stack in a folder from now
// on, for whoever asks between deployments.
func decides(folder string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	path := filepath.Join(folder, ".program")
	if now, _ := os.ReadFile(path); strings.TrimSpace(string(now)) == program {
		return nil
	}
	return durable.Write(path, []byte(program+"\n"), 0o600)
}

// newServer is this server, as a rollout asks it.
func newServer(d hostapi.Deploy) *server {
	s := &server{
		Project: compose.Project{Name: d.Project, Folder: d.Folder},
		want:    database.Want{Name: d.Database, Role: d.Role},
		drain:   time.Duration(d.Drain) * time.Second,
	}
	s.site = site.Site{Site: answer.Site{URL: d.URL, Names: d.Names, BasicAuth: d.BasicAuth, Check: strings.ToLower(rand.Text())}}
	return s
}
