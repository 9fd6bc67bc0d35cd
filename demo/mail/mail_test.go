package main

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/smtp"
	"strings"
	"testing"
)

// running returns the addresses of a mail server: SMTP, and the web page's URL.
func running(t *testing.T) (address, url string) {
	t.Helper()
	box := &mailbox{}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go serveSMTP(listener, box)
	web := httptest.NewServer(box.handler())
	t.Cleanup(func() { listener.Close(); web.Close() })
	return listener.Addr().String(), web.URL
}

func get(t *testing.T, url string) string {
	t.Helper()
	answer, err := http.Get(url)
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	content, err := io.ReadAll(answer.Body)
	if err != nil || answer.StatusCode != http.StatusOK {
		t.Fatalf("%s: %s, %v", url, answer.Status, err)
	}
	return string(content)
}

func TestWhatIsSentIsShownAndNothingIsRunOfIt(t *testing.T) {
	address, url := running(t)
	const text = "Subject: =?utf-8?q?Re=C3=A7u?= <script>\r\nTo: b@c.fr\r\n\r\nHello\r\n.\r\n..dots\r\n<script>alert(1)</script>\r\n"
	for range 2 {
		if err := smtp.SendMail(address, nil, "a@b.fr", []string{"b@c.fr", "d@e.fr"}, []byte(text)); err != nil {
			t.Fatal(err)
		}
	}
	var list struct {
		Total int
		Items []message
	}
	if err := json.Unmarshal([]byte(get(t, url+"/api/v2/messages")), &list); err != nil {
		t.Fatal(err)
	}
	if list.Total != 2 || len(list.Items) != 2 || list.Items[0].ID == list.Items[1].ID {
		t.Fatalf("got %+v", list)
	}
	m := list.Items[0]
	if m.Raw.From != "a@b.fr" || len(m.Raw.To) != 2 || m.Content.Headers["To"][0] != "b@c.fr" || m.Content.Body != "Hello\n.\n..dots\n<script>alert(1)</script>\n" {
		t.Errorf("got %+v", m)
	}
	html := get(t, url)
	if !strings.Contains(html, "2 messages") || !strings.Contains(html, "Reçu") || strings.Contains(html, "<script>") {
		t.Errorf("the page is:\n%s", html)
	}
}

func TestMailCanBeRemoved(t *testing.T) {
	address, url := running(t)
	if err := smtp.SendMail(address, nil, "a@b.fr", []string{"b@c.fr"}, []byte("x\r\n")); err != nil {
		t.Fatal(err)
	}
	request, err := http.NewRequest(http.MethodDelete, url+"/api/v1/messages", nil)
	if err != nil {
		t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if list := get(t, url+"/api/v2/messages"); !strings.Contains(list, `"items":[],`) {
		t.Errorf("left: %s", list)
	}
}

func TestNonsenseIsAnsweredAndForgotten(t *testing.T) {
	address, url := running(t)
	conn, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := io.WriteString(conn, "DATA\r\nSTARTTLS\r\nMAIL FROM:<a@b.fr>\r\nRCPT TO:<b@c.fr>\r\nRSET\r\nDATA\r\nQUIT\r\n"); err != nil {
		t.Fatal(err)
	}
	said, err := io.ReadAll(conn)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for line := range strings.Lines(string(said)) {
		codes = append(codes, line[:3])
	}
	if got := strings.Join(codes, " "); got != "220 503 502 250 250 250 503 221" {
		t.Errorf("it said %s", got)
	}
	if list := get(t, url+"/api/v2/messages"); !strings.Contains(list, `"total":0`) {
		t.Errorf("kept: %s", list)
	}
}
