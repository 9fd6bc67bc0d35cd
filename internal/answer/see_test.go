package answer

import (
	"crypto/tls"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestACertificateIsLookedAtAndNotBelieved(t *testing.T) {
	site1 := httptest.NewUnstartedServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		http.Redirect(w, r, "/elsewhere", http.StatusFound)
	}))
	site1.TLS = &tls.Config{}
	site1.StartTLS()
	defer site1.Close()
	h := See(t.Context(), site1.URL, nil)
	if h == nil || h.Status != http.StatusFound || h.Trusted || !h.Expires.Equal(site1.Certificate().NotAfter) {
		t.Errorf("answer is %+v", h)
	}
}

func TestASiteWhoseNameIsNotKnownHereIsNotAskedHere(t *testing.T) {
	for _, address := range []string{"http://nothing.invalid", "", "://", "http://"} {
		if h := See(t.Context(), address, nil); h != nil {
			t.Errorf("%q: %+v", address, h)
		}
	}
	closed := httptest.NewServer(nil)
	closed.Close()
	if h := See(t.Context(), closed.URL, nil); h == nil || h.Error == "" || strings.Contains(h.Error, "http://") {
		t.Errorf("nobody listens: %+v", h)
	}
}

func TestASiteIsAskedByItsNameWhereverThatLeads(t *testing.T) {
	asked := ""
	way := serve(t, func(w http.ResponseWriter, r *http.Request) {
		asked = r.Host + r.URL.Path
		http.Redirect(w, r, "https://www.mrs.example/", http.StatusFound)
	})
	h := See(t.Context(), "http://nothing.invalid/manifest.json", way.Dial)
	if h == nil || h.Status != http.StatusFound || h.Sends != "https://www.mrs.example/" || !h.Expires.IsZero() {
		t.Errorf("answer is %+v", h)
	}
	if asked != "nothing.invalid/manifest.json" {
		t.Errorf("it asked %s", asked)
	}
}
