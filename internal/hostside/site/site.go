// Package site asks the application as it runs on this host: whether it answers as
// it has to, uses the database that is backed up, when its jobs run, and lets
// developers in.
//
// It must not know why that is asked.
package site

import (
	"cmp"
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"sync"
	"time"

	"github.com/betagouv/mrs-ops/internal/answer"
	"github.com/betagouv/mrs-ops/internal/hostside/application"
	"github.com/betagouv/mrs-ops/internal/hostside/database"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/jobs"
	"github.com/betagouv/mrs-ops/internal/stack/model"
)

// Site is the site of an instance, and where it listens in its containers.
type Site struct {
	answer.Site
	Port int // 0: where their labels say
}

func (s Site) port(c docker.Container) int { return cmp.Or(s.Port, model.PortOf(c.Labels)) }

// looks is how often the engine is asked whether a container that does not answer yet still runs, which takes longer
// than to ask the container.
const looks = 250 * time.Millisecond

// Answers waits until visitors get an answer as it has to be, or with a container's
// id, that gives one by itself. Without a time to wait, one answer counts.
func (s Site) Answers(ctx context.Context, container string, within time.Duration) error {
	way := answer.Way{Dial: answer.Visitor, Every: 250 * time.Millisecond}
	if container != "" {
		way = answer.Way{Behind: true, Every: 100 * time.Millisecond}
		look := sometimes(func(ctx context.Context) (docker.Container, error) { return docker.Inspect(ctx, container) })
		way.Dial = func(ctx context.Context, network, address string) (net.Conn, error) {
			met, c, err := look(ctx) // one that crashes gets other networks, or none
			if err != nil {
				return nil, err
			}
			if err := lives(met, c); err != nil {
				return nil, answer.Final(err)
			}
			return c.Loopback(s.port(c))(ctx, network, address)
		}
	}
	if within == 0 {
		return s.Ask(ctx, way)
	}
	waiting, cancel := context.WithTimeout(ctx, within)
	defer cancel()
	// To ask anew is to stand at the end of the queue again, behind visitors.
	way.Limit = 30 * time.Second
	err := s.Wait(waiting, way)
	if waiting.Err() != nil && err != nil {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
		return fmt.Errorf("%w within %v", err, within)
	}
	return err
}

// sometimes returns what asks for a container at most every [looks], and returns how it was at first and how it is.
func sometimes(
	ask func(context.Context) (docker.Container, error),
) func(context.Context) (met, is docker.Container, err error) {
	var lock sync.Mutex // a dial that is given up may still be at it
	var first, last docker.Container
	var looked time.Time
	return func(ctx context.Context) (met, is docker.Container, err error) {
		lock.Lock()
		defer lock.Unlock()
		if time.Since(looked) < looks {
			return first, last, nil
		}
		c, err := ask(ctx)
		if err != nil {
			return first, last, err
		}
		if looked.IsZero() {
			first = c
		}
		last, looked = c, time.Now()
		return first, last, nil
	}
}

// Lookup is a page for which the application looks up the visitor's session.
const Lookup = "/admin/"

// lives returns an error unless a container still runs as it was met. One that runs for weeks
// may have been restarted before, by us too, and the engine keeps the count.
func lives(met, now docker.Container) error {
	switch {
	case now.Restarts > met.Restarts:
		return errors.New("it crashes")
	case !now.Running:
		return errors.New("it does not run any more")
	}
	return nil
}

// Proves returns nil once the container has been seen using the database.
func (s Site) Proves(ctx context.Context, container, lookup string, want database.Want) error {
	c, err := docker.Inspect(ctx, container)
	if err != nil {
		return err
	}
	app := database.App{Container: container, Port: s.port(c), URL: s.URL, Path: cmp.Or(lookup, Lookup)}
	return database.Prove(ctx, app, want)
}

// Dev is the superuser of what is not production, and its password.
const Dev = "dev"

// Developers has the superuser dev in the container, with fixtures also the test
// data, and checks that the site lets dev in. Who has worked with the data finds it
// as it was left.
func (s Site) Developers(ctx context.Context, container string, fixtures bool) error {
	c, err := docker.Inspect(ctx, container)
	if err != nil {
		return err
	}
	if fixtures {
		there, err := application.MRS.Has(ctx, c.Exec, Dev)
		if err == nil && !there {
			err = application.MRS.Fill(ctx, c.Exec)
		}
		if err != nil {
			return err
		}
	}
	if err := application.MRS.OpenTo(ctx, c.Exec, Dev, Dev); err != nil {
		return err
	}
	return s.LetsIn(ctx, container)
}

// LetsIn checks that the site lets dev in, where it asks for a password.
func (s Site) LetsIn(ctx context.Context, container string) error {
	if !s.BasicAuth {
		return nil
	}
	c, err := docker.Inspect(ctx, container)
	if err != nil {
		return err
	}
	page, err := url.Parse(s.URL + s.Path)
	if err != nil {
		return err
	}
	way := answer.Way{Dial: c.Loopback(s.port(c)), Behind: true}
	password := base64.StdEncoding.EncodeToString([]byte(Dev + ":" + Dev))
	status, _, err := way.Get(ctx, page, http.Header{"Authorization": {"Basic " + password}})
	if err == nil && status >= 400 {
		err = fmt.Errorf("%s, asked by dev with the password dev, answers %d", s.URL, status)
	}
	return err
}

// Moment waits until no job of the application runs within lead, by the clock of
// the container, and says for what it waits.
func Moment(ctx context.Context, container string, want database.Want, lead time.Duration, say func(string)) error {
	all, err := database.Jobs(ctx, want)
	if err != nil {
		return fmt.Errorf("when the application's jobs run can't be read: %w", err)
	}
	zone := clock(ctx, container)
	for said := false; ; said = true {
		wait, near, ceaseless := jobs.Wait(all, time.Now().In(zone), lead)
		if len(ceaseless) > 0 && !said {
			say(fmt.Sprintf("the jobs %v run too often to be waited for: they may run twice", ceaseless))
		}
		if wait <= 0 {
			return nil
		}
		say(fmt.Sprintf("waiting %v, until the application's job of %v has run: "+
			"in every container that is there it would run once more",
			wait.Round(time.Second), near))
		select {
		case <-ctx.Done():
			return context.Cause(ctx)
		case <-time.After(min(wait, 30*time.Second)):
		}
	}
}

// clock is the time zone of the jobs in the container; of one that does not run, UTC.
func clock(ctx context.Context, container string) *time.Location {
	c, err := docker.Inspect(ctx, container)
	if err != nil || !c.Running {
		return time.UTC
	}
	zone, err := application.MRS.Zone(ctx, c.Exec)
	if err != nil {
		return time.UTC
	}
	return zone
}
