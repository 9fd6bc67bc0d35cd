package main

import (
	"bytes"
	"crypto/rand"
	_ "embed"
	"encoding/json"
	"html/template"
	"io"
	"log"
	"mime"
	"net/http"
	"net/mail"
	"slices"
	"strings"
	"sync"
	"time"
)

// most is how many messages are kept; the oldest go first.
const most = 500

// mailbox is all mail, the newest first.
type mailbox struct {
	sync.Mutex
	messages []message
}

// message has the fields of MailHog's /api/v2/messages that scripts use.
type message struct {
	ID      string
	Content struct {
		Headers map[string][]string
		Body    string // as sent: neither decoded nor taken apart
	}
	Created time.Time
	Raw     struct {
		From string
		To   []string
		Data string
	}
}

// Subject returns the message's subject in readable form, for the page.
func (m message) Subject() string {
	subject := strings.Join(m.Content.Headers["Subject"], " ")
	if decoded, err := new(mime.WordDecoder).DecodeHeader(subject); err == nil {
		return decoded
	}
	return subject
}

// add keeps a message and returns its id.
func (b *mailbox) add(from string, to []string, raw []byte) string {
	m := message{ID: rand.Text(), Created: time.Now().UTC()}
	m.Raw.From, m.Raw.To, m.Raw.Data = from, to, string(raw)
	m.Content.Body = string(raw)
	if parsed, err := mail.ReadMessage(bytes.NewReader(raw)); err == nil {
		m.Content.Headers = parsed.Header
		if body, err := io.ReadAll(parsed.Body); err == nil {
			m.Content.Body = string(body)
		}
	}
	b.Lock()
	defer b.Unlock()
	b.messages = slices.Insert(b.messages, 0, m)
	b.messages = b.messages[:min(len(b.messages), most)]
	return m.ID
}

func (b *mailbox) all() []message {
	b.Lock()
	defer b.Unlock()
	return slices.Clone(b.messages)
}

// handler answers over HTTP.
func (b *mailbox) handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /{$}", b.page)
	mux.HandleFunc("GET /api/v2/messages", b.list)
	mux.HandleFunc("DELETE /api/v1/messages", func(http.ResponseWriter, *http.Request) {
		b.Lock()
		defer b.Unlock()
		b.messages = nil
	})
	return mux
}

func (b *mailbox) list(w http.ResponseWriter, _ *http.Request) {
	items := append([]message{}, b.all()...) // never null
	list := map[string]any{"total": len(items), "count": len(items), "start": 0, "items": items}
	w.Header().Set("Content-Type", "application/json")
	if err := json.NewEncoder(w).Encode(list); err != nil {
		log.Print(err)
	}
}

//go:embed page.html
var html string

var page = template.Must(template.New("").Parse(html))

func (b *mailbox) page(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'")
	if err := page.Execute(w, b.all()); err != nil {
		log.Print(err)
	}
}
