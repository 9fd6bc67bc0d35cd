package slack

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
)

func TestALineIsToldAndWhatKeepsSlackFromItIsSaidWithoutTheWebhook(t *testing.T) {
	var text string
	status := http.StatusOK
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		var message struct{ Text string }
		if err := json.NewDecoder(r.Body).Decode(&message); err != nil || r.Header.Get("Content-Type") != "application/json" {
			t.Errorf("%v, %s", err, r.Header)
		}
		text = message.Text
		w.WriteHeader(status)
	}))
	webhook := server.URL + "/T0/B0/hush"
	if err := Tell(t.Context(), webhook, `it's "deployed"`); err != nil || text != `it's "deployed"` {
		t.Errorf("%v: %s", err, text)
	}
	fails := func(webhook, want string) {
		t.Helper()
		if err := Tell(t.Context(), webhook, "x"); err == nil || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("%v, not %s", err, want)
		}
	}
	status = http.StatusForbidden
	fails(webhook, "status 403")
	fails("http://[::1/hush", "no URL")
	fails("hush", "unsupported protocol")
	server.Close()
	fails(webhook, "refused")
}
