// Command mail stands in for MailHog where its image can't be pulled: it takes
// mail by SMTP on port 1025, delivers none, and shows it over HTTP on port 8025.
//
// The page at / is for people. GET /api/v2/messages and DELETE /api/v1/messages
// answer as MailHog's do, in the fields that scripts use. Mail is kept in
// memory: the last 500 messages, until the program ends.
package main

import (
	"log"
	"net"
	"net/http"
	"time"
)

func main() {
	log.SetFlags(0)
	box := &mailbox{}
	smtp, err := net.Listen("tcp", ":1025")
	if err != nil {
		log.Fatal(err)
	}
	go func() { log.Fatal(serveSMTP(smtp, box)) }()
	web := http.Server{Addr: ":8025", Handler: box.handler(), ReadTimeout: 10 * time.Second, WriteTimeout: time.Minute}
	log.Fatal(web.ListenAndServe())
}
