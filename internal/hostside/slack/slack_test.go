package slack

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
)

func TestATextIsPostedOnceAndTheAddressIsSecret(t *testing.T) {
	var got []string
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var m struct{ Text string }
		_ = json.NewDecoder(r.Body).Decode(&m)
		got = append(got, m.Text)
	}))
	if err := Post(t.Context(), server.URL+"/hush", `it "failed"`, 6); err != nil || strings.Join(got, "|") != `it "failed"` {
		t.Errorf("%v, %q", err, got)
	}
	server.Close()
	if err := post(t.Context(), server.URL+"/hush", nil); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("a server that is gone: %v", err)
	}
	if err := post(t.Context(), "http://x y/hush", nil); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("no address: %v", err)
	}
}

// transport answers what no network does.
type transport func() (*http.Response, error)

func (f transport) RoundTrip(*http.Request) (*http.Response, error) { return f() }

func TestAServerThatIsBusyIsAskedAgainAndThenNoMore(t *testing.T) {
	const tries = 6
	was := http.DefaultClient.Transport
	defer func() { http.DefaultClient.Transport = was }()
	for fails, want := range map[int]string{2: "", 100: "status 503"} {
		synctest.Test(t, func(t *testing.T) {
			asked := 0
			http.DefaultClient.Transport = transport(func() (*http.Response, error) {
				asked++
				answer := httptest.NewRecorder()
				if asked <= fails {
					answer.WriteHeader(http.StatusServiceUnavailable)
				}
				return answer.Result(), nil
			})
			err := Post(t.Context(), "http://slack/hush", "text", tries)
			if got := text(err); got != want || asked != min(fails+1, tries) {
				t.Errorf("asked %d times: %q, want %q", asked, got, want)
			}
		})
	}
}

func text(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}
