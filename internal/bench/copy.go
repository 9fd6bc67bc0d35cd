package bench

import (
	"bufio"
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

const (
	copyPeople = 600_000 // with 1.2 million requests
	copyRounds = 3
)

// Copy measures ops:copyProdToStaging in the lab, which must be up with
// production and staging deployed, next to what does less: pg_dump | psql,
// pgcopydb, and the first of these with an UPDATE of every table that is
// personal behind it. These copy within production's own PostgreSQL by its
// socket, without SSH. It then measures the filter alone, on one core, next to
// cat and to a loop over lines.
func Copy(ctx context.Context) error {
	if err := os.Setenv("MRS_ENV", "lab"); err != nil {
		return err
	}
	c, err := newCopies(ctx)
	if err != nil {
		return err
	}
	defer c.production.Close()
	console.Say("%d rounds of four copies: about a quarter of an hour", copyRounds)
	ways := []*copyWay{
		{name: "ops:copyProdToStaging, anonymised, over SSH, tried and swapped in", do: c.ours},
		{name: "its part until the rows are there", of: "loading"},
		{name: "pg_dump | psql", do: c.piped},
		{name: "pgcopydb clone, 2 jobs", do: c.pgcopydb},
		{name: "pg_dump | psql, then UPDATE and VACUUM FULL", do: c.updated},
	}
	for round := range copyRounds {
		for _, w := range ways {
			if w.do == nil {
				continue
			}
			console.Say("round %d: %s", round+1, w.name)
			if err := c.measure(ctx, w); err != nil {
				return fmt.Errorf("%s: %w", w.name, err)
			}
		}
		ways[1].wall = append(ways[1].wall, c.loading)
	}
	if err := c.print(ways); err != nil {
		return err
	}
	return c.filter(ctx)
}

// copyWay is a way to copy, and what it took.
type copyWay struct {
	name, of string
	do       func(ctx context.Context) error
	wall     []time.Duration
	cpu      []time.Duration // of the whole machine
}

type copies struct {
	binary     string
	production *target.Target
	image      string // with pgcopydb
	loading    time.Duration
	memory     int64 // that the largest agent had, in bytes
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
	if err := errors.Join(s.Runs(), c.seed(ctx), err); err != nil {
		s.Close()
		return nil, err
	}
	return c, nil
}

// seed makes production as large as it has to be.
func (c *copies) seed(ctx context.Context) error {
	out, err := c.sql(ctx, "mrs", "select count(*) from person_person")
	if err != nil {
		return err
	}
	n, err := strconv.Atoi(out)
	if err != nil || n >= copyPeople {
		return err
	}
	console.Say("adding %d people to production, which takes four minutes", copyPeople-n)
	_, err = local.Combined(ctx, c.binary, "ops:manage", "production", fmt.Sprintf("seed %d", copyPeople-n))
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
	out, err := local.Combined(ctx, c.binary, "ops:copyProdToStaging", "-yes")
	if err != nil {
		return err
	}
	m := loadingLine.FindStringSubmatch(out)
	if m == nil {
		return fmt.Errorf("it does not say how long the rows took:\n%s", out)
	}
	c.loading, err = time.ParseDuration(m[1])
	return err
}

// watch looks how much memory agents have.
func (c *copies) watch(ctx context.Context) {
	for ctx.Err() == nil {
		names, _ := filepath.Glob("/proc/[0-9]*/comm")
		for _, name := range names {
			comm, _ := os.ReadFile(name)
			if !strings.HasPrefix(string(comm), "pgcopy-") {
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
	least := min(median(ways[2].wall), median(ways[3].wall))
	rows := [][]string{{"COPY", "WALL", "CPU", "RATIO TO THE FASTEST OTHER"}}
	for _, w := range ways {
		cpu := ""
		if len(w.cpu) > 0 {
			cpu = seconds(median(w.cpu))
		}
		wall := median(w.wall)
		rows = append(rows, []string{w.name, seconds(wall), cpu, fmt.Sprintf("%.2f", float64(wall)/float64(least))})
	}
	if err := console.Table(rows...); err != nil {
		return err
	}
	ours, theirs := median(ways[0].wall), median(ways[3].wall)
	fmt.Printf("the largest agent had %s (aim: under 100 MB)\n", console.Bytes(float64(c.memory)))
	fmt.Printf("all of it takes %.2f of pgcopydb without anonymisation (aim: 1.00)\n", float64(ours)/float64(theirs))
	return nil
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
	table := [][]string{{"ON ONE CORE", "TEXT", "FILTER", "CAT", "LOOP OVER LINES"}}
	for i := range plan.Tables {
		t := &plan.Tables[i]
		if t.Rows < 100_000 {
			continue
		}
		file := filepath.Join(dir, t.Name)
		rows := c.inPostgres("psql", "-XqU", "django", "-d", "mrs", "-c", `copy (select * from "`+t.Name+`") to stdout`)
		if _, err := c.production.WithContext(ctx).Exec(rows...).WriteFile(file); err != nil {
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
		table = append(table, row)
	}
	return console.Table(table...)
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
