package pgcopy

import (
	"fmt"
	"strings"
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
	parts  map[int]int            // how many jobs a table is, by table
	left   map[int]int            // of them
	rows   map[int]int64          // that came, of jobs that are done
	under  map[wire.Job]wire.Done // jobs that are under way
	pages  int64                  // of jobs that are done
	total  int64
	sent   int64 // bytes, compressed, of jobs that are done
	text   int64 // bytes of COPY's text
	values int   // real ones that were looked for in it
	ticker *time.Ticker
	done   chan struct{}
}

func newProgress(plan *anonymize.Plan, jobs []wire.Job) *progress {
	p := &progress{plan: plan, start: time.Now(), parts: map[int]int{}, left: map[int]int{}, rows: map[int]int64{},
		under: map[wire.Job]wire.Done{}, ticker: time.NewTicker(5 * time.Second), done: make(chan struct{})}
	for _, job := range jobs {
		p.parts[job.Table]++
		p.left[job.Table]++
		p.total += p.size(job)
	}
	go func() {
		for {
			select {
			case <-p.ticker.C:
				console.Say("%s", p.String())
			case <-p.done:
				return
			}
		}
	}()
	return p
}

// begin is when rows begin to come.
func (p *progress) begin() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.start = time.Now()
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

// far takes how far a job is that is under way.
func (p *progress) far(job wire.Job, done wire.Done) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.under[job] = done
}

// largeTable is how many rows a table has at least that gets a line of its own.
const largeTable = 100_000

// took takes a job that is done, and reports whether all of its table is there.
func (p *progress) took(job wire.Job, done wire.Done) bool {
	p.mu.Lock()
	defer p.mu.Unlock()
	delete(p.under, job)
	p.pages += p.size(job)
	p.sent += done.Sent
	p.text += done.Bytes
	p.values = max(p.values, done.Values)
	p.rows[job.Table] += done.Rows
	p.left[job.Table]--
	all := p.left[job.Table] == 0
	if all && p.rows[job.Table] >= largeTable {
		t := p.plan.Tables[job.Table]
		console.Say("%s: %s rows", name(t.Schema, t.Name), grouped(p.rows[job.Table]))
	}
	return all
}

// String says how much came, how fast, when it will be all, and what is under
// way.
func (p *progress) String() string {
	p.mu.Lock()
	defer p.mu.Unlock()
	pages, sent := float64(p.pages), p.sent
	var tables []string
	for i, t := range p.plan.Tables {
		rows := p.rows[i]
		some := false
		for job, done := range p.under {
			if job.Table == i {
				some = true
				rows += done.Rows
				sent += done.Sent
				pages += float64(p.size(job)) * min(1, float64(done.Rows)*float64(p.parts[i])/float64(max(t.Rows, 1)))
			}
		}
		if some {
			tables = append(tables, name(t.Schema, t.Name)+" "+grouped(rows))
		}
	}
	spent := time.Since(p.start)
	share := pages / float64(max(p.total, 1))
	line := fmt.Sprintf("%.0f %%, %s sent, %s/s", 100*share, console.Bytes(float64(sent)),
		console.Bytes(float64(sent)/spent.Seconds()))
	if share > 0.05 {
		line += fmt.Sprintf(", about %s left", time.Duration(float64(spent)*(1-share)/share).Round(time.Second))
	}
	if len(tables) > 0 {
		line += "; rows so far: " + strings.Join(tables, ", ")
	}
	return line
}

// name is how a table is called among people.
func name(schema, table string) string { return strings.TrimPrefix(schema+"."+table, "public.") }

// grouped writes a number with a comma between thousands.
func grouped(n int64) string {
	s := fmt.Sprint(n)
	for i := len(s) - 3; i > 0; i -= 3 {
		s = s[:i] + "," + s[i:]
	}
	return s
}
