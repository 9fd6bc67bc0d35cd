package main

import (
	"testing"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
)

func TestThePasswordOfTheDatabaseIsThatOfTheApplicationAsItIsMeant(t *testing.T) {
	const file = `services:
  another:
    environment:
      DB_PASSWORD: of another
  django:
    environment:
      DB_PORT: 5432
      EMPTY:
      DB_PASSWORD: 'it''s $$ "here": #1'
`
	for text, want := range map[string]string{file: `it's $ "here": #1`, "": "", "services: {django: {}}": "", "\t": ""} {
		i := oldInstance(hostapi.Deploy{Project: "mrs-x", File: text}, "/mrs-host", time.Hour, func(string) {})
		if i.DBPassword != want {
			t.Errorf("%q, not %q", i.DBPassword, want)
		}
	}
}
