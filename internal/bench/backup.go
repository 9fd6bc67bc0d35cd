package bench

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/engine"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/local"
)

const (
	backupHome   = "/tmp/mrs-bench"
	backupPeople = 210_000 // with what comes with them, 1 GB in PostgreSQL
	backupRounds = 3
)

// Backup measures backups and restores of a database of 1 GB, in a local
// instance of its own, next to `pg_dump | restic backup --stdin` and `restic
// dump | psql`: the first backup, and those after no change, after a change of
// the newest 1 % of the rows, and of 1 % of them at random. Then what it costs
// to receive PostgreSQL's log, next to not doing so, in turn, and a restore to a
// second. It prints what it found, and whether that is what is aimed at, and
// removes what it made.
func Backup(ctx context.Context) (err error) {
	ctx, stop := console.Interruptible(ctx)
	defer stop()
	b, err := newBackups(ctx)
	if err != nil {
		return err
	}
	defer func() {
		console.Say("removing what was made")
		err = errors.Join(err, b.remove(context.WithoutCancel(ctx)))
	}()
	if err := b.begin(ctx); err != nil {
		return err
	}
	var f backupFigures
	if err := b.backups(ctx, &f); err != nil {
		return err
	}
	if err := b.restores(ctx, &f); err != nil {
		return err
	}
	if err := b.log(ctx, &f); err != nil {
		return err
	}
	return f.print()
}

// backups is the instance that is measured, and what the alternative needs.
type backups struct {
	binary, dir string // the targets; the folder of the alternative
	name, user  string // of the database
	server      string // the container of PostgreSQL
	ours, plain backupWork
}

type backupWork struct {
	argv, env  []string
	repository string
}

// newBackups says what is measured, and removes what a run that was killed has
// left of it.
func newBackups(ctx context.Context) (*backups, error) {
	// Backups that are nobody's, and that nobody is told of.
	for _, name := range []string{"RESTIC_PASSWORD", "RESTIC_REPOSITORY", "POSTGRES_BACKUP", "LFTP_DSN", "SLACK_TOKEN"} {
		if err := os.Setenv(name, map[string]string{"RESTIC_PASSWORD": "bench"}[name]); err != nil {
			return nil, err
		}
	}
	binary, err := os.Executable()
	if err != nil {
		return nil, err
	}
	inst, err := instance.Load(".", "local", os.Environ())
	if err != nil {
		return nil, err
	}
	b := &backups{binary: binary, name: inst.Get("DB_NAME"), user: inst.Get("DB_USER")}
	return b, b.remove(ctx)
}

// begin deploys the instance and fills it.
func (b *backups) begin(ctx context.Context) error {
	listener, err := net.Listen("tcp", ":0")
	if err != nil {
		return err
	}
	port := listener.Addr().(*net.TCPAddr).Port
	if err := listener.Close(); err != nil {
		return err
	}
	console.Say("deploying %s", backupHome)
	deploy := []string{b.binary, "deploy:local", "-home=" + backupHome, fmt.Sprintf("-port=%d", port)}
	if _, err := runLines(ctx, nil, deploy...); err != nil {
		return err
	}
	if b.server, err = b.container(ctx, "postgres"); err != nil {
		return err
	}
	django, err := b.container(ctx, "django")
	if err != nil {
		return err
	}
	stop := console.Pulse(20*time.Second, console.Say, fmt.Sprintf("adding %d people", backupPeople))
	_, err = runLines(ctx, nil, engine.Docker("exec", django, "mrs", "seed", strconv.Itoa(backupPeople))...)
	stop()
	if err != nil {
		return err
	}
	if err := b.alternative(ctx); err != nil {
		return err
	}
	return b.settle(ctx)
}

func (b *backups) container(ctx context.Context, service string) (string, error) {
	id, err := engine.Output(ctx, "ps", "--quiet", "--no-trunc",
		"--filter", "label=com.docker.compose.project="+filepath.Base(backupHome),
		"--filter", "label=com.docker.compose.service="+service)
	if err == nil && id == "" {
		err = fmt.Errorf("%s has no container of %s", backupHome, service)
	}
	return id, err
}

// alternative makes the repository of the alternative, and says how both back up.
func (b *backups) alternative(ctx context.Context) error {
	dir, err := os.MkdirTemp(filepath.Dir(backupHome), filepath.Base(backupHome)+"-")
	if err != nil {
		return err
	}
	b.dir = dir
	b.ours = backupWork{
		argv:       local.Root(filepath.Join(backupHome, "backup.sh")),
		repository: filepath.Join(backupHome, "restic"),
	}
	b.plain = backupWork{
		argv: b.piped(b.inServer(false, "pg_dump", "--dbname", b.name),
			[]string{"restic", "backup", "--quiet", "--stdin", "--stdin-filename", "mrs.sql"}),
		repository: filepath.Join(dir, "restic"),
	}
	// The password is in the environment of this process.
	b.plain.env = []string{"RESTIC_REPOSITORY=" + b.plain.repository, "RESTIC_CACHE_DIR=" + filepath.Join(dir, "cache")}
	_, err = runLines(ctx, b.plain.env, "restic", "init", "--quiet")
	return err
}

// piped is a command line that connects two.
func (b *backups) piped(from, to []string) []string {
	return []string{"bash", "-c", "set -o pipefail; " + local.Quote(from...) + " | " + local.Quote(to...) + " >/dev/null"}
}

// inServer is the command line of a program of PostgreSQL's in its container.
func (b *backups) inServer(reads bool, program string, args ...string) []string {
	argv := []string{"exec", "--user", "postgres"}
	if reads {
		argv = append(argv, "--interactive")
	}
	return engine.Docker(append(append(argv, b.server, program, "--username", b.user), args...)...)
}

// sql has the database do statements, each on its own, and returns what it answers.
func (b *backups) sql(ctx context.Context, statements ...string) (string, error) {
	args := []string{"--dbname", b.name, "-XqtA", "--set", "ON_ERROR_STOP=1"}
	for _, s := range statements {
		args = append(args, "--command", s)
	}
	return local.Output(ctx, b.inServer(false, "psql", args...)...)
}

// settle has PostgreSQL and the kernel do now what they would do while we
// measure, and warms the caches for whoever is measured next.
func (b *backups) settle(ctx context.Context) error {
	if _, err := b.sql(ctx, "vacuum (analyze)", "checkpoint"); err != nil {
		return err
	}
	warm := b.piped(b.inServer(false, "pg_dump", "--dbname", b.name), []string{"cat"})
	_, err := local.Output(ctx, warm...)
	syscall.Sync()
	return err
}

// remove removes the instance, and what it leaves outside its home.
func (b *backups) remove(ctx context.Context) error {
	name := filepath.Base(backupHome)
	// restic names its cache by the id of the repository.
	id, err := local.Output(ctx, local.Root("head", "--lines", "1", filepath.Join(backupHome, ".restic_id"))...)
	cached := err == nil && len(id) == 64
	var errs []error
	_, err = local.Combined(ctx, b.binary, "local:destroy", "-home="+backupHome, "-yes")
	errs = append(errs, err)
	locks := "/run/lock/mrs-ops/" + name
	left := []string{"rm", "-rf", "--", "/var/log/mrs-ops/" + name + ".log",
		locks + ".lock", locks + ".pid", locks + ".work", logArchive}
	if cached {
		left = append(left, "/var/cache/mrs-ops/"+id)
	}
	_, err = local.Output(ctx, local.Root(left...)...)
	errs = append(errs, err)
	if b.dir != "" {
		errs = append(errs, os.RemoveAll(b.dir))
	}
	return errors.Join(errs...)
}

// --- what it costs

// backupCost is what something has cost.
type backupCost struct {
	wall, cpu time.Duration // cpu: of the whole machine
	added     int64         // bytes, to the repository
}

func (b *backups) measure(ctx context.Context, name string, w backupWork) (c backupCost, lines []printed, err error) {
	before, err := b.size(ctx, w.repository)
	if err != nil {
		return c, nil, err
	}
	syscall.Sync()
	busy, err := busyTime()
	if err != nil {
		return c, nil, err
	}
	start := time.Now()
	lines, err = runLines(ctx, w.env, w.argv...)
	c.wall = time.Since(start)
	if err != nil {
		return c, lines, fmt.Errorf("%s: %w", name, err)
	}
	after, err := busyTime()
	c.cpu = after - busy
	size, sizeErr := b.size(ctx, w.repository)
	c.added = size - before
	console.Say("%s: %s", name, seconds(c.wall))
	return c, lines, errors.Join(err, sizeErr)
}

func (b *backups) size(ctx context.Context, folder string) (int64, error) {
	if folder == "" {
		return 0, nil
	}
	out, err := local.Output(ctx, local.Root("du", "--summarize", "--bytes", folder)...)
	if err != nil {
		return 0, err
	}
	text, _, _ := strings.Cut(out, "\t")
	return strconv.ParseInt(text, 10, 64)
}

// --- backups

type backupFigures struct {
	database int64         // bytes of the database
	steps    []*backupStep // backups
	restore  *backupStep
	// Of each restore of ours: until the database is there, which is what the
	// alternative does, and what of that is not reading the repository.
	untilTried, databaseOnly []time.Duration
	// By pg_restore, of a folder that is there.
	folder backupCost
	log    logFigures
}

// backupStep is something that both have done, as often.
type backupStep struct {
	name, plainName string
	ours, plain     []backupCost
}

// costOf returns the costs in the middle, each for itself.
func costOf(costs []backupCost) backupCost {
	var wall, cpu, added []time.Duration
	for _, c := range costs {
		wall, cpu, added = append(wall, c.wall), append(cpu, c.cpu), append(added, time.Duration(c.added))
	}
	return backupCost{median(wall), median(cpu), int64(median(added))}
}

// ratio is that of the wall times to the alternative's.
func (s *backupStep) ratio() float64 {
	return float64(costOf(s.ours).wall) / float64(costOf(s.plain).wall)
}

// The columns that a change touches, by table.
var backupChanges = []struct{ table, order, set string }{
	{"person_person", "id", "email = 'bench-%d-' || id || '@example.org'"},
	{"mrsrequest_mrsrequest", "display_id",
		"status = 1000, status_datetime = now(), data = data || jsonb_build_object('comment', 'bench %d ' || display_id)"},
	{"mrsattachment_mrsattachment", "id", "filename = 'bench %d ' || filename"},
}

// change updates 1 % of the rows: the newest ones, or some at random.
func (b *backups) change(ctx context.Context, newest bool, round int) error {
	var statements []string
	for _, c := range backupChanges {
		where := "random() < 0.01"
		if newest {
			where = fmt.Sprintf("%s in (select %[1]s from %s order by 1 desc limit (select count(*) / 100 from %[2]s))",
				c.order, c.table)
		}
		statements = append(statements, fmt.Sprintf("update %s set "+c.set+" where %s", c.table, round, where))
	}
	_, err := b.sql(ctx, statements...)
	return err
}

// backups measures the backups. Of the newest rows first: once rows at random
// were changed, there is room for the new versions of rows everywhere.
func (b *backups) backups(ctx context.Context, f *backupFigures) error {
	size, err := b.sql(ctx, "select pg_database_size(current_database())")
	if err != nil {
		return err
	}
	if f.database, err = strconv.ParseInt(size, 10, 64); err != nil {
		return err
	}
	const plain = "pg_dump | restic backup --stdin"
	for _, s := range []struct {
		name   string
		rounds int
		change func(round int) error
	}{
		{"first backup", 1, nil},
		{"nothing changed", backupRounds, nil},
		{"the newest 1 % changed", backupRounds, func(round int) error { return b.change(ctx, true, round) }},
		{"1 % at random changed", backupRounds, func(round int) error { return b.change(ctx, false, round) }},
	} {
		step := &backupStep{name: s.name, plainName: plain}
		f.steps = append(f.steps, step)
		for round := range s.rounds {
			if s.change != nil {
				if err := s.change(round); err != nil {
					return err
				}
				if err := b.settle(ctx); err != nil {
					return err
				}
			}
			err := inTurns(round,
				func() error {
					c, _, err := b.measure(ctx, s.name, b.ours)
					step.ours = append(step.ours, c)
					return err
				},
				func() error {
					c, _, err := b.measure(ctx, s.name+", "+plain, b.plain)
					step.plain = append(step.plain, c)
					return err
				})
			if err != nil {
				return err
			}
		}
	}
	return nil
}

// inTurns calls both, the second first in every second round.
func inTurns(round int, one, two func() error) error {
	if round%2 == 1 {
		one, two = two, one
	}
	if err := one(); err != nil {
		return err
	}
	return two()
}

// --- restores

// restores measures the restores of what was backed up last.
func (b *backups) restores(ctx context.Context, f *backupFigures) error {
	step := &backupStep{name: "restore, tried and swapped in", plainName: "restic dump | psql"}
	f.restore = step
	for round := range backupRounds {
		err := inTurns(round,
			func() error {
				tried, database, err := b.restoreOurs(ctx, step, "restoring snapshot ", "latest")
				f.untilTried, f.databaseOnly = append(f.untilTried, tried), append(f.databaseOnly, database)
				return err
			},
			func() error {
				c, err := b.restoreInto(ctx, step.plainName, func(database string) backupWork {
					return backupWork{
						argv: b.piped([]string{"restic", "dump", "latest", "mrs.sql"},
							b.inServer(true, "psql", "--dbname", database, "--no-psqlrc", "--quiet", "--set", "ON_ERROR_STOP=1")),
						env: b.plain.env,
					}
				})
				step.plain = append(step.plain, c)
				return err
			})
		if err != nil {
			return err
		}
	}
	const folder = "/dump/bench"
	dump := b.inServer(false, "pg_dump", "--dbname", b.name, "--format", "directory", "--compress", "0", "--jobs", "2",
		"--file", folder)
	if _, err := local.Output(ctx, dump...); err != nil {
		return err
	}
	c, err := b.restoreInto(ctx, "pg_restore of a folder", func(database string) backupWork {
		return backupWork{argv: b.inServer(false, "pg_restore", "--dbname", database, "--jobs", "2", folder)}
	})
	f.folder = c
	return err
}

// restoreOurs restores as an operator does, and removes what that has kept. It
// returns how long it took from a line that it says until the database was there,
// and what of that was the database alone.
func (b *backups) restoreOurs(ctx context.Context, step *backupStep, first string, asked ...string) (
	tried, database time.Duration, err error) {
	script := filepath.Join(backupHome, "restore.sh")
	c, lines, err := b.measure(ctx, step.name, backupWork{argv: local.Root(append([]string{script}, asked...)...)})
	if err != nil {
		return 0, 0, err
	}
	step.ours = append(step.ours, c)
	var began, from, to time.Time
	var stamp string
	for _, line := range lines {
		switch {
		case began.IsZero() && strings.HasPrefix(line.text, first):
			began = line.at
		case strings.HasPrefix(line.text, "restoring the database"):
			from = line.at
		case strings.HasPrefix(line.text, "trying "):
			to = line.at
		}
		if _, after, ok := strings.Cut(line.text, "restore.sh discard "); ok {
			stamp = after
		}
	}
	if began.IsZero() || from.IsZero() || to.IsZero() || stamp == "" {
		return 0, 0, fmt.Errorf("%s says something else than what is known of it", script)
	}
	if _, err := local.Output(ctx, local.Root(script, "discard", stamp)...); err != nil {
		return 0, 0, err
	}
	_, err = b.sql(ctx, "checkpoint")
	return to.Sub(began), to.Sub(from), err
}

// restoreInto measures a restore into a new database, which it then drops.
func (b *backups) restoreInto(ctx context.Context, name string, into func(string) backupWork) (backupCost, error) {
	const database = "bench"
	if _, err := b.sql(ctx, "create database "+database+" template template0"); err != nil {
		return backupCost{}, err
	}
	c, _, err := b.measure(ctx, name, into(database))
	if err != nil {
		return c, err
	}
	_, err = b.sql(ctx, "drop database "+database+" with (force)", "checkpoint")
	return c, err
}

// --- what is said of it

func (f *backupFigures) print() error {
	rows := [][]string{{fmt.Sprintf("DATABASE OF %s", megabytes(f.database)), "WALL", "CPU", "ADDED", "RATIO"}}
	row := func(name string, c backupCost, base time.Duration) {
		added := ""
		if c.added != 0 {
			added = megabytes(c.added)
		}
		ratio := fmt.Sprintf("%.2f", float64(c.wall)/float64(base))
		rows = append(rows, []string{name, seconds(c.wall), seconds(c.cpu), added, ratio})
	}
	for _, s := range f.steps {
		ours, plain := costOf(s.ours), costOf(s.plain)
		row(s.name, ours, plain.wall)
		row(s.name+", "+s.plainName, plain, plain.wall)
	}
	restore := f.restore
	base := costOf(restore.plain).wall
	row(restore.name, costOf(restore.ours), base)
	tried := median(f.untilTried)
	for _, part := range []struct {
		name string
		took time.Duration
	}{{"restore, of it until it is tried", tried}, {"restore, of it the database only", median(f.databaseOnly)}} {
		ratio := fmt.Sprintf("%.2f", float64(part.took)/float64(base))
		rows = append(rows, []string{part.name, seconds(part.took), "", "", ratio})
	}
	row("restore, "+restore.plainName, costOf(restore.plain), base)
	row("restore, pg_restore of a folder that is there", f.folder, base)
	row(f.log.restore.name, costOf(f.log.restore.ours), base)
	second := median(f.log.tried)
	rows = append(rows, []string{"restore to a second, of it until it is tried", seconds(second), "", "",
		fmt.Sprintf("%.2f", float64(second)/float64(base))})
	if err := console.Table(rows...); err != nil {
		return err
	}
	fmt.Printf("CPU is of the whole machine; until it is tried, a restore to a second takes %.1f times as long as "+
		"pg_restore of a folder\n", float64(second)/float64(f.folder.wall))
	if err := f.log.print(); err != nil {
		return err
	}

	first, newest, random := f.steps[0], f.steps[2], f.steps[3]
	share := func(s *backupStep) float64 {
		return 100 * float64(costOf(s.ours).added) / float64(costOf(first.ours).added)
	}
	var slowest float64
	for _, s := range f.steps {
		slowest = max(slowest, s.ratio())
	}
	faster, whole := float64(base)/float64(tried), 1/restore.ratio()
	met := func(is bool) string {
		if is {
			return "met"
		}
		return "NOT met"
	}
	console.Done("aims: a second backup adds less than 3 %% of the first: %.1f %% for the newest rows, %s, "+
		"%.1f %% for rows at random, %s; a backup takes at most 1.1 times as long: %.2f at worst, %s; "+
		"a restore is 1.5 times as fast as psql: %.2f until it is tried, %s, %.2f as a whole, %s",
		share(newest), met(share(newest) < 3), share(random), met(share(random) < 3), slowest, met(slowest <= 1.1),
		faster, met(faster >= 1.5), whole, met(whole >= 1.5))
	return nil
}

func megabytes(n int64) string {
	if n < 1e6 {
		return fmt.Sprintf("%.0f kB", float64(n)/1e3)
	}
	return fmt.Sprintf("%.1f MB", float64(n)/1e6)
}
