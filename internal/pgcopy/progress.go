package pgcopy

import (
	"fmt"
	"sync"
	"time"

	"github.com/betagouv/mrs-ops/internal/anonymize"
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/pgcopy/wire"
)

// progress says how far a copy is: each table once it is there, and all of it
// every few seconds.
type progress struct {
	plan  *anonymize.Plan
	start time.Time

	mu     sync.Mutex
	parts  map[int]int   // that are missing, by table
	rows   map[int]int64 // that came
	pages  int64         // of what came
	total  int64
	bytes  int64 // that went through this process
	text   int64 // of COPY's text
	values int   // real ones that were looked for in it
	ticker *time.Ticker
	done   chan struct{}
}

func newProgress(plan *anonymize.Plan, jobs []wire.Job) *progress {
	p := &progress{plan: plan, start: time.Now(), parts: map[int]int{}, rows: map[int]int64{}, ticker: time.NewTicker(5 * time.Second), done: make(chan struct{})}
	for _, job := range jobs {
		p.parts[job.Table]++
		p.total += p.size(job)
	}
	go func() {
		for {
			select {
			case <-p.ticker.C:
				p.say()
			case <-p.done:
				return
			}
		}
	}()
	return p
}

func (p *progress) end() {
	p.ticker.Stop()
	close(p.done)
}

// size is how many pages a job is about; one more, as an empty table takes time
// too.
func (p *progress) size(job wire.Job) int64 {
	to := job.To
	if to == 0 {
		to = p.plan.Tables[job.Table].Pages
	}
	return max(to-job.From, 0) + 1
}

func (p *progress) passed(n int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.bytes += int64(n)
}

// largeTable is how many rows a table has at least that gets a line of its own.
const largeTable = 100_000

func (p *progress) took(job wire.Job, done wire.Done) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.pages += p.size(job)
	p.text += done.Bytes
	p.values = max(p.values, done.Values)
	p.rows[job.Table] += done.Rows
	if p.parts[job.Table]--; p.parts[job.Table] == 0 && p.rows[job.Table] >= largeTable {
		t := p.plan.Tables[job.Table]
		console.Say("%s: %s rows", name(t.Schema, t.Name), grouped(p.rows[job.Table]))
	}
}

func (p *progress) say() {
	p.mu.Lock()
	defer p.mu.Unlock()
	spent := time.Since(p.start)
	line := fmt.Sprintf("%.0f %%, %s sent, %s/s", 100*float64(p.pages)/float64(p.total), console.Bytes(float64(p.bytes)), console.Bytes(float64(p.bytes)/spent.Seconds()))
	if p.pages*20 > p.total {
		left := time.Duration(float64(spent) * float64(p.total-p.pages) / float64(p.pages))
		line += fmt.Sprintf(", about %s left", left.Round(time.Second))
	}
	for i := range p.plan.Tables {
		if p.parts[i] > 0 && p.rows[i] > 0 {
			line += fmt.Sprintf("; %s: %s rows so far", name(p.plan.Tables[i].Schema, p.plan.Tables[i].Name), grouped(p.rows[i]))
		}
	}
	console.Say("%s", line)
}

// name is how a table is called among people.
func name(schema, table string) string {
	if schema == "public" {
		return table
	}
	return schema + "." + table
}

// grouped writes a number with a comma between thousands.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
