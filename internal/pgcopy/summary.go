package pgcopy

import (
	"time"

	"github.com/betagouv/mrs-ops/internal/anonymize"
	"github.com/betagouv/mrs-ops/internal/console"
)

// summary is what is told of a copy that is done.
type summary struct {
	c       *copying
	rows    map[int]int64
	sent    int64 // bytes, compressed
	text    int64 // bytes of COPY's text
	values  int   // real ones that were looked for
	columns int   // that were changed
	loading time.Duration
}

// loaded takes the figures of a load that is done.
func (s *summary) loaded(l *load) {
	s.rows, s.sent, s.text, s.values = l.rows, l.progress.sent, l.progress.text, l.progress.values
	s.loading = time.Since(l.progress.start)
}

// print prints the summary, for people and for a ticket.
func (s *summary) print(took time.Duration) error {
	rows := [][]string{{"TABLE", "ROWS", "WHAT BECAME OF IT"}}
	var total int64
	tables := 0
	for _, i := range s.c.order() {
		t := s.c.plan.Tables[i]
		rows = append(rows, []string{name(t.Schema, t.Name), grouped(s.rows[i]), treatment(t)})
		total += s.rows[i]
		if !t.Empty {
			tables++
		}
		for _, col := range t.Columns {
			if kind := col.Rule.Kind; !t.Empty && kind != anonymize.Keep && kind != anonymize.Public {
				s.columns++
			}
		}
	}
	if err := console.Table(rows...); err != nil {
		return err
	}
	console.Say("%s of rows, %s sent, in %s; none of %s real values that were looked for was among them",
		console.Bytes(float64(s.text)), console.Bytes(float64(s.sent)), s.loading.Round(100*time.Millisecond), grouped(int64(s.values)))
	console.Summary("%s has the %s rows of %d tables of %s, %d columns of them anonymised (%s)", s.c.to.Name, grouped(total), tables, s.c.source(), s.columns, took.Round(100*time.Millisecond))
	return nil
}
