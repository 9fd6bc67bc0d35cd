package main

import (
	"io"
	"net"
	"net/textproto"
	"strings"
	"time"
)

const (
	maxMessage = 20 << 20        // bytes
	patience   = 5 * time.Minute // between two commands (RFC 5321, 4.5.3.2)
	maxLine    = 4 << 10         // bytes of a command: RFC 5321, 4.5.3.1.4 asks for 512 at least
	greeting   = "mail"          // what it calls itself
)

// serveSMTP takes mail for box until the listener is closed.
func serveSMTP(listener net.Listener, box *mailbox) error {
	for {
		conn, err := listener.Accept()
		if err != nil {
			return err
		}
		go func() {
			defer conn.Close()
			(&session{conn: conn, text: textproto.NewConn(conn), box: box}).run()
		}()
	}
}

// session is one client's connection (RFC 5321).
type session struct {
	conn net.Conn
	text *textproto.Conn
	box  *mailbox
	from string
	to   []string
}

// run talks to the client until it leaves, stays silent or breaks off.
func (s *session) run() {
	s.say(220, greeting+" ESMTP")
	for {
		if s.conn.SetDeadline(time.Now().Add(patience)) != nil {
			return
		}
		line, err := s.text.ReadLine()
		if err != nil {
			return
		}
		if len(line) > maxLine {
			s.say(500, "line too long")
			return
		}
		verb, rest, _ := strings.Cut(line, " ")
		if strings.EqualFold(verb, "QUIT") {
			s.say(221, "bye")
			return
		}
		if !s.command(strings.ToUpper(verb), rest) {
			return
		}
	}
}

// command answers one command; false ends the session.
func (s *session) command(verb, rest string) bool {
	switch verb {
	case "HELO", "NOOP", "RSET":
		if verb != "NOOP" {
			s.from, s.to = "", nil
		}
		return s.say(250, "ok")
	case "EHLO":
		s.from, s.to = "", nil
		return s.text.PrintfLine("250-8BITMIME\r\n250-SMTPUTF8\r\n250 SIZE %d", maxMessage) == nil
	case "MAIL":
		s.from = address(rest)
		return s.say(250, "ok")
	case "RCPT":
		s.to = append(s.to, address(rest))
		return s.say(250, "ok")
	case "DATA":
		if s.to == nil {
			return s.say(503, "RCPT first")
		}
		return s.data()
	}
	return s.say(502, "not here")
}

// data takes a message and puts it in the box.
func (s *session) data() bool {
	if !s.say(354, "go on; a dot alone ends it") {
		return false
	}
	raw, err := io.ReadAll(io.LimitReader(s.text.DotReader(), maxMessage+1))
	if err != nil {
		return false // broken off in the middle: no message
	}
	if len(raw) > maxMessage {
		s.say(552, "too large")
		return false
	}
	id := s.box.add(s.from, s.to, raw)
	s.from, s.to = "", nil
	return s.say(250, "kept as "+id)
}

func (s *session) say(code int, text string) bool {
	return s.text.PrintfLine("%d %s", code, text) == nil
}

// address returns what is between < and > in FROM:<…> and TO:<…>.
func address(text string) string {
	_, text, _ = strings.Cut(text, "<")
	text, _, _ = strings.Cut(text, ">")
	return text
}
