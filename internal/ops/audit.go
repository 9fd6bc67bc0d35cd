package ops

import (
	"context"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/target"
)

// Audit prints what was done to an instance, the oldest first, as a table or as
// JSON. It needs the server, not that the instance is still there.
func Audit(ctx context.Context, name string, asJSON bool) error {
	s, _, err := target.Find(ctx, name)
	if err != nil {
		return err
	}
	defer s.Close()
	entries, err := s.Audit()
	if err != nil {
		return err
	}
	if asJSON {
		return console.JSON(entries)
	}
	if len(entries) == 0 {
		console.Summary("%s: nothing is in its audit log on %s", name, s)
		return nil
	}
	return console.Table(auditTable(entries, time.Now())...)
}

func auditTable(entries []hostapi.Entry, now time.Time) [][]string {
	rows := [][]string{{"TIME", "AGO", "WHO", "WHAT", "OUTCOME", "TOOK", "COMMIT", "REASON"}}
	for _, e := range entries {
		took := (time.Duration(e.Seconds*10) * time.Second / 10).String()
		rows = append(rows, cells(e.Time.Local().Format("2006-01-02 15:04:05"), console.Span(now.Sub(e.Time)),
			e.Who, e.What, string(e.Outcome), took, short(e.Commit), e.Reason))
	}
	return rows
}

// cells returns a row in which nothing empty is mistaken for missing, and
// nothing moves the cursor of a terminal: what servers say may be anything.
func cells(row ...string) []string {
	for i, cell := range row {
		row[i] = plain(cell)
		if row[i] == "" {
			row[i] = "-"
		}
	}
	return row
}

// plain returns text on one line, without control characters.
func plain(text string) string {
	return strings.TrimSpace(strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case r < ' ' || 0x7f <= r && r < 0xa0 || r == '\u202e': // C0, DEL, C1; what turns the line around
			return -1
		}
		return r
	}, text))
}

// short returns a commit as git abbreviates it.
func short(commit string) string { return commit[:min(len(commit), 7)] }
