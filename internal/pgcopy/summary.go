package pgcopy

import (
	"time"

	"github.com/betagouv/mrs-ops/internal/anonymize"
	"github.com/betagouv/mrs-ops/internal/console"
)

// summary is what is told of a copy that is done.
type summary struct {
	c *copying
	*progress
	loading time.Duration
}

// print prints the summary, for people and for a ticket.
func (s *summary) print(took time.Duration) error {
	rows := [][]string{{"TABLE", "ROWS", "WHAT BECAME OF IT"}}
	var total int64
	var tables, columns int
	for _, i := range s.c.tables() {
		t := s.c.plan.Tables[i]
		rows = append(rows, []string{name(t.Schema, t.Name), grouped(s.rows[i]), treatment(t)})
		total += s.rows[i]
		if !t.Empty {
			tables++
		}
		for _, col := range t.Columns {
			if kind := col.Rule.Kind; !t.Empty && kind != anonymize.Keep && kind != anonymize.Public {
				columns++
			}
		}
	}
	if err := console.Table(rows...); err != nil {
		return err
	}
	console.Say("%s of rows, %s sent, in %s; none of %s real values that were looked for was among them",
		console.Bytes(float64(s.text)), console.Bytes(float64(s.sent)), s.loading.Round(100*time.Millisecond),
		grouped(int64(s.values)))
	console.Summary("%s has the %s rows of %d tables of %s, %d columns of them anonymised (%s)",
		s.c.to.Name, grouped(total), tables, s.c.source(), columns, took.Round(100*time.Millisecond))
	return nil
}
