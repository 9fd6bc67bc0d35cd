package bench

import (
	"bufio"
	"cmp"
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/anonymize"
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/local"
	"github.com/betagouv/mrs-ops/internal/pgcopy"
	"github.com/betagouv/mrs-ops/internal/target"
)

// fewPeople are as many as are copied to see what a copy takes that has nearly nothing to copy.
const fewPeople = 3000

// CopyOptions are how much [Copy] copies, and how often.
type CopyOptions struct {
	People int // with twice as many requests; 0: 600,000
	Rounds int // 0: 3
}

// Copy measures ops:copyProdToStaging in the lab, which must be up with
// production and staging deployed, next to what does less: pg_dump | psql,
// pgcopydb, and the first of these with an UPDATE of every table that is
// personal behind it. These copy within production's own PostgreSQL by its
// socket, without SSH. It then measures the filter alone, on one core, next to
// cat and to a loop over lines; and copies of few people, next to pgcopydb.
// Production gets as many people as that takes, and loses those that it has.
func Copy(ctx context.Context, o CopyOptions) error {
	if err := os.Setenv("MRS_ENV", "lab"); err != nil {
		return err
	}
	o.People, o.Rounds = cmp.Or(o.People, 600_000), cmp.Or(o.Rounds, 3)
	c, err := newCopies(ctx)
	if err != nil {
		return err
	}
	defer c.production.Close()
	n, err := c.people(ctx)
	if err != nil {
		return err
	}
	many := func() error { return c.many(ctx, o) }
	parts := []func() error{func() error { return c.few(ctx) }, many}
	if n > fewPeople { // they need not be made twice
		slices.Reverse(parts)
	}
	for _, part := range parts {
		if err := part(); err != nil {
			return err
		}
	}
	return nil
}

// few measures copies of few people.
func (c *copies) few(ctx context.Context) error {
	if err := c.seed(ctx, fewPeople); err != nil {
		return err
	}
	ours := &copyWay{name: fmt.Sprintf("ops:copyProdToStaging of %d people", fewPeople), do: c.ours}
	ways := []*copyWay{ours, {name: "pgcopydb clone, 2 jobs, of the same", do: c.pgcopydb}}
	if err := c.rounds(ctx, 5, ways, func() {}); err != nil {
		return err
	}
	if err := table(ways, median(ours.wall), "RATIO TO OURS"); err != nil {
		return err
	}
	return c.printSteps()
}

// many measures copies of many people.
func (c *copies) many(ctx context.Context, o CopyOptions) error {
	if err := c.seed(ctx, o.People); err != nil {
		return err
	}
	ways := []*copyWay{
		{name: "ops:copyProdToStaging, anonymised, over SSH, tried and swapped in", do: c.ours},
		{name: "its part until the rows are there", of: "loading"},
		{name: "pg_dump | psql", do: c.piped},
		{name: "pgcopydb clone, 2 jobs", do: c.pgcopydb},
		{name: "pg_dump | psql, then UPDATE and VACUUM FULL, once", do: c.updated, once: true},
	}
	err := c.rounds(ctx, o.Rounds, ways, func() { ways[1].wall = append(ways[1].wall, c.loading) })
	if err != nil {
		return err
	}
	if err := c.print(ways); err != nil {
		return err
	}
	if err := c.printSteps(); err != nil {
		return err
	}
	return c.filter(ctx)
}

// rounds goes each way once a round, so that what the machine does meanwhile is shared.
func (c *copies) rounds(ctx context.Context, n int, ways []*copyWay, after func()) error {
	for round := range n {
		for _, w := range ways {
			if w.do == nil || w.once && round > 0 {
				continue
			}
			console.Say("round %d of %d: %s", round+1, n, w.name)
			if err := c.measure(ctx, w); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
		}
		after()
	}
	return nil
}

// copyWay is a way to copy, and what it took.
type copyWay struct {
	name, of string
	do       func(ctx context.Context) error
	once     bool // in the first round alone: it takes minutes
	wall     []time.Duration
	cpu      []time.Duration // of the whole machine
}

type copies struct {
	binary     string
	production *target.Target
	image      string        // with pgcopydb
	loading    time.Duration // of the last copy
	steps      []step        // of the last copy
	memory     int64         // that the largest agent had, in bytes
}

func newCopies(ctx context.Context) (*copies, error) {
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	s, _, err := target.Find(ctx, "production")
	if err != nil {
		return nil, fmt.Errorf("%w\nhint: mage lab:up makes the lab; MRS_ENV=lab mage deploy:production, deploy:staging", err)
	}
	c := &copies{binary: binary, production: s}
	c.image, err = pushed(ctx, binary, "mrs-ops/bench:pgcopydb", "FROM postgres:15\nRUN apt-get update && "+
		"apt-get install --yes --no-install-recommends pgcopydb && rm -rf /var/lib/apt/lists/*\n")
	if err := errors.Join(s.Runs(), err); err != nil {
		s.Close()
		return nil, err
	}
	return c, nil
}

// people are as many as production has.
func (c *copies) people(ctx context.Context) (n int, err error) {
	out, err := c.sql(ctx, "mrs", "select count(*) from person_person")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(out)
}

// nobody empties the tables that seed fills, and what refers to them.
const nobody = `truncate person_person, mrsrequest_mrsrequest, mrsattachment_mrsattachment, djcall_caller,
  django_admin_log, django_session, captcha_captchastore, contact_contact, explorer_querylog, mrsstat_stat cascade`

// seed makes production as large as it has to be.
func (c *copies) seed(ctx context.Context, people int) error {
	n, err := c.people(ctx)
	if err == nil && n > people {
		console.Say("removing the %d people of production", n)
		_, err = c.sql(ctx, "mrs", nobody)
		n = 0
	}
	if err != nil || n == people {
		return err
	}
	console.Say("adding %d people to production: about 3,000 a second", people-n)
	_, err = local.Combined(ctx, c.binary, "ops:manage", "production", fmt.Sprintf("seed %d", people-n))
	return err
}

// inPostgres returns a command of production's PostgreSQL.
func (c *copies) inPostgres(argv ...string) []string {
	return append([]string{"docker", "exec", "-i", "mrs-production-postgres-1"}, argv...)
}

func (c *copies) sql(ctx context.Context, database, text string) (string, error) {
	psql := c.inPostgres("psql", "-XqtA", "-U", "django", "-v", "ON_ERROR_STOP=1", "-d", database)
	out, err := c.production.WithContext(ctx).ExecFrom(script.Echo(text), psql...).String()
	return strings.TrimSpace(out), err
}

func (c *copies) measure(ctx context.Context, w *copyWay) error {
	if _, err := c.sql(ctx, "postgres", "drop database if exists bench_copy"); err != nil {
		return err
	}
	if _, err := c.sql(ctx, "postgres", "create database bench_copy template template0; checkpoint"); err != nil {
		return err
	}
	busy, err := busyTime()
	if err != nil {
		return err
	}
	start := time.Now()
	err = w.do(ctx)
	w.wall = append(w.wall, time.Since(start))
	after, busyErr := busyTime()
	w.cpu = append(w.cpu, after-busy)
	_, dropErr := c.sql(context.WithoutCancel(ctx), "postgres", "drop database if exists bench_copy")
	return errors.Join(err, busyErr, dropErr)
}

// loadingLine is what the target says of its rows.
var loadingLine = regexp.MustCompile(`sent, in ([0-9.ms]+);`)

func (c *copies) ours(ctx context.Context) error {
	watching, stop := context.WithCancel(ctx)
	defer stop()
	go c.watch(watching)
	start := time.Now()
	lines, err := runLines(ctx, nil, c.binary, "ops:copyProdToStaging", "-yes")
	if err != nil {
		return err
	}
	c.steps = stepsOf(start, lines)
	for _, line := range lines {
		if m := loadingLine.FindStringSubmatch(line.text); m != nil {
			c.loading, err = time.ParseDuration(m[1])
			return err
		}
	}
	return errors.New("it does not say how long the rows took")
}

// printSteps prints where the time of the last copy went, but for what took next to none of it.
func (c *copies) printSteps() error {
	rows := [][]string{{"OF THE LAST COPY", "TOOK"}}
	for _, s := range c.steps {
		if s.took >= 50*time.Millisecond {
			rows = append(rows, []string{s.said, seconds(s.took)})
		}
	}
	return console.Table(rows...)
}

// watch looks how much memory agents have.
func (c *copies) watch(ctx context.Context) {
	for ctx.Err() == nil {
		names, _ := filepath.Glob("/proc/[0-9]*/comm")
		for _, name := range names {
			comm, _ := os.ReadFile(name)
			words, _ := os.ReadFile(path.Join(path.Dir(name), "cmdline"))
			if !strings.HasPrefix(string(comm), "mrs-host-") || !strings.Contains(string(words), "\x00copy\x00") {
				continue
			}
			status, _ := os.ReadFile(path.Join(path.Dir(name), "status"))
			for line := range strings.Lines(string(status)) {
				if rest, ok := strings.CutPrefix(line, "VmHWM:"); ok {
					kB, _ := strconv.ParseInt(strings.Fields(rest)[0], 10, 64)
					c.memory = max(c.memory, kB<<10)
				}
			}
		}
		time.Sleep(200 * time.Millisecond)
	}
}

func (c *copies) piped(ctx context.Context) error {
	const pipe = "set -o pipefail; pg_dump -U django mrs | psql -XqU django -v ON_ERROR_STOP=1 bench_copy >/dev/null"
	_, err := c.production.WithContext(ctx).Exec(c.inPostgres("bash", "-c", pipe)...).String()
	return err
}

func (c *copies) pgcopydb(ctx context.Context) error {
	_, err := c.production.WithContext(ctx).Exec("docker", "run", "--rm", "--network=none", "--user=postgres",
		"--volume="+c.production.Folder+"/postgres/run:/var/run/postgresql", "--entrypoint=pgcopydb", c.image,
		"clone", "--dir=/tmp/bench", "--table-jobs=2", "--index-jobs=2",
		"--source=postgres:///mrs?user=django", "--target=postgres:///bench_copy?user=django").String()
	return err
}

//go:embed updates.sql
var updates string

func (c *copies) updated(ctx context.Context) error {
	if err := c.piped(ctx); err != nil {
		return err
	}
	_, err := c.sql(ctx, "bench_copy", updates)
	return err
}

func (c *copies) print(ways []*copyWay) error {
	ours, theirs := median(ways[0].wall), median(ways[3].wall)
	if err := table(ways, theirs, "RATIO TO PGCOPYDB"); err != nil {
		return err
	}
	fmt.Printf("the largest agent had %s (aim: under 100 MB)\n", console.Bytes(float64(c.memory)))
	fmt.Printf("all of it takes %.2f of pgcopydb without anonymisation (aim: 1.40)\n", float64(ours)/float64(theirs))
	return nil
}

// table prints what ways took, next to a time.
func table(ways []*copyWay, one time.Duration, ratio string) error {
	rows := [][]string{{"COPY", "WALL", "CPU", ratio}}
	for _, w := range ways {
		cpu := ""
		if len(w.cpu) > 0 {
			cpu = seconds(median(w.cpu))
		}
		wall := median(w.wall)
		rows = append(rows, []string{w.name, seconds(wall), cpu, fmt.Sprintf("%.2f", float64(wall)/float64(one))})
	}
	return console.Table(rows...)
}

// filter measures the filter on one core, over the rows of two tables.
func (c *copies) filter(ctx context.Context) error {
	text, err := os.ReadFile(pgcopy.RulesFile)
	if err != nil {
		return err
	}
	rules, err := anonymize.ParseRules(pgcopy.RulesFile, text)
	if err != nil {
		return err
	}
	out, err := c.sql(ctx, "mrs", anonymize.SchemaQuery(150000))
	if err != nil {
		return err
	}
	schema, err := anonymize.ParseSchema([]byte(out))
	if err != nil {
		return err
	}
	plan, err := rules.Fit(schema)
	if err != nil {
		return err
	}
	key, err := anonymize.NewKey()
	if err != nil {
		return err
	}
	dir, err := os.MkdirTemp("", "mrs-bench-copy-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	defer runtime.GOMAXPROCS(runtime.GOMAXPROCS(1))
	rows := [][]string{{"ON ONE CORE", "TEXT", "FILTER", "CAT", "LOOP OVER LINES"}}
	for i := range plan.Tables {
		t := &plan.Tables[i]
		if t.Rows < 100_000 || t.Empty {
			continue
		}
		file := filepath.Join(dir, t.Name)
		all := c.inPostgres("psql", "-XqU", "django", "-d", "mrs", "-c", `copy (select * from "`+t.Name+`") to stdout`)
		if _, err := c.production.WithContext(ctx).Exec(all...).WriteFile(file); err != nil {
			return err
		}
		filter, err := t.Filter(key)
		if err != nil {
			return err
		}
		row := []string{t.Name, ""}
		for _, do := range []func(in *os.File) error{
			func(in *os.File) error { _, err := filter.Copy(io.Discard, in); return err },
			func(in *os.File) error {
				cat := exec.CommandContext(ctx, "cat") // without Stdout, to the null device
				cat.Stdin = in
				return cat.Run()
			},
			loopOverLines,
		} {
			speed, size, err := best(file, do)
			if err != nil {
				return err
			}
			row[1] = console.Bytes(float64(size))
			row = append(row, fmt.Sprintf("%.0f MB/s", speed/1e6))
		}
		rows = append(rows, row)
	}
	return console.Table(rows...)
}

// best returns the best of three speeds, in bytes a second.
func best(file string, do func(in *os.File) error) (speed float64, size int64, err error) {
	for range 3 {
		in, err := os.Open(file)
		if err != nil {
			return 0, 0, err
		}
		start := time.Now()
		err = do(in)
		took := time.Since(start)
		info, statErr := in.Stat()
		in.Close()
		if err := errors.Join(err, statErr); err != nil {
			return 0, 0, err
		}
		size = info.Size()
		speed = max(speed, float64(size)/took.Seconds())
	}
	return speed, size, nil
}

func loopOverLines(in *os.File) error {
	lines := bufio.NewReaderSize(in, 1<<16)
	out := bufio.NewWriterSize(io.Discard, 1<<16)
	for {
		line, err := lines.ReadSlice('\n')
		if _, err := out.Write(line); err != nil {
			return err
		}
		switch err {
		case nil, bufio.ErrBufferFull:
		case io.EOF:
			return out.Flush()
		default:
			return err
		}
	}
}
