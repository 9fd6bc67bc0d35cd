// Package answer decides whether a site answers as it has to: the one rule that
// deployments, trials and the state of an instance go by.
//
// It knows HTTP and what MRS answers to whom (docs/mrs.md). It must not know how
// a site is run, nor where its requests have to be sent: that is a dial function
// of whoever asks.
package answer

import (
	"cmp"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"maps"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"
)

// Maintenance is what a site is to be.
type Maintenance int

const (
	Open   Maintenance = iota // for everybody
	Closed                    // visitors are sent to the maintenance page
	Either                    // both are right: what ran before a deployment that is undone
)

// maintenancePage is where MRS sends visitors while it is closed.
const maintenancePage = "/maintenance/"

// Site is what has to answer, and how.
type Site struct {
	URL         string   // PROTO://NAME or PROTO://NAME:PORT, where visitors come
	Names       []string // host names of the same instance, which a redirect may lead to
	Path        string   // what is asked for; empty: /
	BasicAuth   bool     // being asked for a password is an answer
	Maintenance Maintenance
	// Check is in the query of each request, so that it can be found in the load balancer's log.
	Check string
}

// Judge says what an answer to a request for at is worth: nil, nil is as it has
// to be; a URL is where the verdict lies, because visitors are sent there; an
// error says what is wrong, after the site's name.
func (s Site) Judge(at *url.URL, status int, location string) (next *url.URL, err error) {
	switch {
	case status == http.StatusOK && at.Path == maintenancePage:
		return nil, nil // Judge has sent us there
	case status == http.StatusOK && s.Maintenance == Closed:
		return nil, errors.New("answers 200 to everybody, though it is to be closed for maintenance")
	case status == http.StatusOK:
		return nil, nil
	case status == http.StatusUnauthorized && s.BasicAuth:
		return nil, nil
	case status == http.StatusServiceUnavailable && s.Maintenance != Open:
		return nil, nil
	case status < 300 || status > 399:
		return nil, fmt.Errorf("answers %d, not 200", status)
	}
	next, err = at.Parse(location)
	if err != nil || location == "" {
		return nil, fmt.Errorf("answers %d, and does not say where to go", status)
	}
	if !s.ours(next.Hostname()) {
		return nil, fmt.Errorf("sends visitors to %s, which is not of this instance", next.Host)
	}
	if next.Path == maintenancePage && s.Maintenance == Open {
		return nil, errors.New("is closed for maintenance, though it is to be open")
	}
	return next, nil
}

// ours reports whether a host name is one of the instance's.
func (s Site) ours(name string) bool {
	own, err := url.Parse(s.URL)
	return err == nil && own.Hostname() == name || slices.Contains(s.Names, name)
}

// Dial opens a connection to what serves the site, whatever the address says.
type Dial func(ctx context.Context, network, address string) (net.Conn, error)

// Way is how a site is asked.
type Way struct {
	Dial   Dial
	Behind bool          // behind the load balancer: in plain HTTP, told what visitors come by
	Every  time.Duration // how often, by who waits
	Limit  time.Duration // for one request; 0: 10 s
}

// Final marks an error after which there is nothing to wait for.
func Final(err error) error { return final{err} }

type final struct{ error }

func (f final) Unwrap() error { return f.error }

// hops is how many redirects a visitor has to follow at most.
const hops = 4

// Ask asks the site once, as a visitor.
func (s Site) Ask(ctx context.Context, way Way) error {
	at, err := url.Parse(s.URL)
	if err != nil || at.Host == "" || at.Scheme != "http" && at.Scheme != "https" {
		return fmt.Errorf("%q is not where a site can answer", s.URL)
	}
	at.Path = s.Path
	if at.Path == "" {
		at.Path = "/"
	}
	for range hops {
		page := *at
		if query := page.Query(); s.Check != "" {
			query.Set("healthcheck", s.Check)
			page.RawQuery = query.Encode()
		}
		status, location, err := way.Get(ctx, &page, nil)
		if err != nil {
			return err
		}
		next, err := s.Judge(at, status, location)
		if err != nil {
			return fmt.Errorf("%s://%s %w", at.Scheme, at.Host, err)
		}
		if next == nil {
			return nil
		}
		at = next
	}
	return fmt.Errorf("%s sends visitors around in circles", s.URL)
}

// Get asks for a page once, with more in the header, and returns the answer's
// status and, of a redirect, where it leads. It does not go there.
func (w Way) Get(ctx context.Context, page *url.URL, header http.Header) (status int, location string, err error) {
	to := *page
	if w.Behind {
		to.Scheme = "http"
	}
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, to.String(), nil)
	if err != nil {
		return 0, "", err
	}
	maps.Copy(request.Header, header)
	if w.Behind {
		request.Header.Set("X-Forwarded-Proto", page.Scheme)
	}
	client := &http.Client{
		Transport: &http.Transport{
			DialContext: w.Dial, DisableKeepAlives: true, DisableCompression: true,
			// Whether the certificate is one that visitors trust is no matter of the application's, and on a new
			// server it comes a while after the site: the instance's status tells it.
			TLSClientConfig: &tls.Config{InsecureSkipVerify: true},
		},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Timeout:       cmp.Or(w.Limit, 10*time.Second),
	}
	response, err := client.Do(request)
	if err != nil {
		if e, ok := errors.AsType[*url.Error](err); ok {
			err = e.Err
		}
		return 0, "", fmt.Errorf("%s://%s does not answer: %w", page.Scheme, page.Host, err)
	}
	defer response.Body.Close()
	_, err = io.Copy(io.Discard, io.LimitReader(response.Body, 1<<20))
	return response.StatusCode, response.Header.Get("Location"), err
}

// Wait asks again and again until the site answers as it has to, an error is
// [Final], or ctx is over. It returns what was wrong last.
func (s Site) Wait(ctx context.Context, way Way) error {
	tick := time.NewTicker(way.Every)
	defer tick.Stop()
	var last error
	for {
		err := s.Ask(ctx, way)
		if err == nil {
			return nil
		}
		if _, over := errors.AsType[final](err); over {
			return err
		}
		if ctx.Err() == nil || last == nil { // the end of our patience is no answer
			last = err
		}
		select {
		case <-ctx.Done():
			return last
		case <-tick.C:
		}
	}
}

// Visitor dials the load balancer of this host, if one listens here: neither DNS
// nor the way back in from outside are what a deployment is about.
func Visitor(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	if _, port, err := net.SplitHostPort(address); err == nil && (port == "80" || port == "443") {
		if conn, err := d.DialContext(ctx, network, net.JoinHostPort("127.0.0.1", port)); err == nil {
			return conn, nil
		}
	}
	return d.DialContext(ctx, network, address)
}
