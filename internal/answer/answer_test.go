package answer

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"
	"time"
)

func TestAnAnswerIsJudgedByOneRule(t *testing.T) {
	site := Site{URL: "https://www.mrs.example", Names: []string{"mrs.example"}}
	with := func(change func(*Site)) Site { s := site; change(&s); return s }
	closed := with(func(s *Site) { s.Maintenance = Closed })
	either := with(func(s *Site) { s.Maintenance = Either })
	auth := with(func(s *Site) { s.BasicAuth = true })
	for name, test := range map[string]struct {
		site     Site
		at       string
		status   int
		location string
		next     string // where the verdict lies
		wrong    string // what the error says
	}{
		"200":                                   {site, "/", 200, "", "", ""},
		"a password is asked for, as it has to": {auth, "/", 401, "", "", ""},
		"a password is asked for, unexpectedly": {site, "/", 401, "", "", "answers 401, not 200"},
		"the wrong host":                        {auth, "/", 400, "", "", "answers 400, not 200"},
		"the database is away":                  {auth, "/", 500, "", "", "answers 500, not 200"},
		"the load balancer has nobody":          {closed, "/", 404, "", "", "answers 404, not 200"},
		"nobody behind the load balancer answers, in maintenance": {closed, "/", 502, "", "", "answers 502, not 200"},
		"closed":                             {closed, "/", 302, "/maintenance/", "https://www.mrs.example/maintenance/", ""},
		"the maintenance page":               {closed, "/maintenance/", 200, "", "", ""},
		"the maintenance page fails":         {closed, "/maintenance/", 500, "", "", "answers 500"},
		"closed, and should be open":         {site, "/", 302, "/maintenance/", "", "is closed for maintenance"},
		"open, and should be closed":         {closed, "/", 200, "", "", "though it is to be closed"},
		"what ran before was open":           {either, "/", 200, "", "", ""},
		"what ran before was closed":         {either, "/", 302, "/maintenance/", "https://www.mrs.example/maintenance/", ""},
		"another application in maintenance": {closed, "/", 503, "", "", ""},
		"unavailable":                        {site, "/", 503, "", "", "answers 503, not 200"},
		"to the other name":                  {site, "/", 302, "https://mrs.example/", "https://mrs.example/", ""},
		"to https":                           {with(func(s *Site) { s.URL = "http://www.mrs.example" }), "/", 301, "https://www.mrs.example/", "https://www.mrs.example/", ""},
		"to somebody else":                   {site, "/", 302, "https://mrs.example.evil/", "", "not of this instance"},
		"to nowhere":                         {site, "/", 302, "", "", "does not say where to go"},
		"to what is no URL":                  {site, "/", 302, "http://[", "", "does not say where to go"},
	} {
		t.Run(name, func(t *testing.T) {
			at, _ := url.Parse(test.site.URL + test.at)
			next, err := test.site.Judge(at, test.status, test.location)
			if got := ""; next != nil {
				got = next.String()
				if got != test.next {
					t.Errorf("sends on to %q, want %q", got, test.next)
				}
			} else if test.next != "" {
				t.Errorf("does not send on to %q", test.next)
			}
			if test.wrong == "" && err != nil || test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)) {
				t.Errorf("says %v, want %q", err, test.wrong)
			}
		})
	}
}

// serve has a server answer for every name, and returns the way to it.
func serve(t *testing.T, handler http.HandlerFunc) Way {
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return Way{Behind: true, Every: time.Second, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}}
}

func TestRedirectsAreFollowedAndJudgedWhereTheyEnd(t *testing.T) {
	asked := ""
	way := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked += r.Host + r.URL.Path + " " + r.Header.Get("X-Forwarded-Proto") + "\n"
		switch {
		case r.Host == "mrs.example":
			http.Redirect(w, r, "https://www.mrs.example/manifest.json", http.StatusFound)
		case r.URL.Path != "/maintenance/":
			http.Redirect(w, r, "/maintenance/", http.StatusFound)
		}
	})
	site := Site{URL: "https://mrs.example", Names: []string{"www.mrs.example"}, Path: "/manifest.json", Maintenance: Closed}
	if err := site.Ask(t.Context(), way); err != nil {
		t.Error(err)
	}
	if want := "mrs.example/manifest.json https\nwww.mrs.example/manifest.json https\nwww.mrs.example/maintenance/ https\n"; asked != want {
		t.Errorf("asked\n%swant\n%s", asked, want)
	}
	site.Maintenance = Open
	if err := site.Ask(t.Context(), way); err == nil || !strings.Contains(err.Error(), "is closed for maintenance") {
		t.Errorf("a closed site is taken for an open one: %v", err)
	}
}

func TestASiteThatSendsVisitorsAroundInCirclesIsNoAnswer(t *testing.T) {
	way := serve(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, "/again", http.StatusFound) })
	if err := (Site{URL: "http://mrs.example"}).Ask(t.Context(), way); err == nil || !strings.Contains(err.Error(), "circles") {
		t.Error(err)
	}
}

func TestWhoWaitsIsToldWhatWasWrongLast(t *testing.T) {
	way := serve(t, func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusBadGateway) })
	ctx, cancel := context.WithTimeout(t.Context(), 1200*time.Millisecond)
	defer cancel()
	if err := (Site{URL: "http://mrs.example"}).Wait(ctx, way); err == nil || !strings.Contains(err.Error(), "http://mrs.example answers 502, not 200") {
		t.Error(err)
	}
}

func TestACertificateThatNobodyTrustsYetIsNoMatterOfTheApplications(t *testing.T) {
	server := httptest.NewTLSServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) {}))
	defer server.Close()
	way := Way{Every: time.Second, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		return new(net.Dialer).DialContext(ctx, network, server.Listener.Addr().String())
	}}
	if err := (Site{URL: "https://mrs.example"}).Ask(t.Context(), way); err != nil {
		t.Error(err)
	}
}

func TestNobodyAnswers(t *testing.T) {
	way := Way{Dial: func(context.Context, string, string) (net.Conn, error) { return nil, Final(net.ErrClosed) }, Every: time.Second}
	if err := (Site{URL: "https://mrs.example"}).Wait(t.Context(), way); !errors.Is(err, net.ErrClosed) {
		t.Errorf("what is gone for good is waited for: %v", err)
	}
	if err := (Site{URL: "https://mrs.example"}).Ask(t.Context(), way); err == nil || !strings.Contains(err.Error(), "https://mrs.example does not answer") {
		t.Error(err)
	}
	if err := (Site{URL: "mrs.example"}).Ask(t.Context(), way); err == nil || !strings.Contains(err.Error(), "is not where a site can answer") {
		t.Error(err)
	}
}
