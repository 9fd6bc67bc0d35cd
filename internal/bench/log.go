package bench

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"time"

	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/local"
)

const (
	// Where the log is received: another disk than that of the data, as it has to be, and one that every machine has.
	logArchive  = "/dev/shm/mrs-bench-wal"
	logDatabase = "bench_log" // pgbench's
	logPairs    = 7
	logSeconds  = 15      // each of them
	logHour     = 180_000 // transactions: 50 a second
	logClients  = 4
)

// logFigures are what it costs to have PostgreSQL's log received, and what a restore to a second takes.
type logFigures struct {
	with, without []float64 // transactions a second, by pair
	restore       backupStep
	tried         []time.Duration // until the database was there
}

// log measures production's work while its log is received, and while it is not, in turn; then a restore to the end of
// an hour of work, 50 transactions a second, after the base backup.
func (b *backups) log(ctx context.Context, f *backupFigures) (err error) {
	if _, err := b.sql(ctx, "create database "+logDatabase); err != nil {
		return err
	}
	if _, err := b.pgbench(ctx, "--initialize", "--quiet", "--scale=20"); err != nil {
		return err
	}
	for pair := range logPairs {
		var with, without float64
		err := inTurns(pair,
			func() error {
				return b.received(ctx, func(func() error) (err error) { with, err = b.work(ctx); return err })
			},
			func() (err error) { without, err = b.work(ctx); return err })
		if err != nil {
			return err
		}
		console.Say("pair %d of %d: %.0f transactions a second, %.0f while the log is received", pair+1, logPairs,
			without, with)
		f.log.with, f.log.without = append(f.log.with, with), append(f.log.without, without)
	}
	return b.received(ctx, func(caughtUp func() error) error { return b.toASecond(ctx, f, caughtUp) })
}

// pgbench runs it in the server's container.
func (b *backups) pgbench(ctx context.Context, argv ...string) (string, error) {
	return local.Combined(ctx, b.inServer(false, "pgbench", append(argv, logDatabase)...)...)
}

var logSpeed = regexp.MustCompile(`(?m)^tps = ([0-9.]+)`)

// work has pgbench work for a while, and returns how many transactions a second it did.
func (b *backups) work(ctx context.Context) (float64, error) {
	if _, err := b.sql(ctx, "checkpoint"); err != nil {
		return 0, err
	}
	said, err := b.pgbench(ctx, fmt.Sprintf("--client=%d", logClients), "--jobs=2", fmt.Sprintf("--time=%d", logSeconds))
	if err != nil {
		return 0, err
	}
	m := logSpeed.FindStringSubmatch(said)
	if m == nil {
		return 0, fmt.Errorf("pgbench does not say how fast it was:\n%s", said)
	}
	return strconv.ParseFloat(m[1], 64)
}

// host is what systemd runs on a server: mrs-host wal VERB.
func (b *backups) host(verb string) []string {
	return local.Root("bash", "-c", `. "$0/.backup.env"; exec "$MRS_HOST" wal "$1" "$0"`, backupHome, verb)
}

// received has the log received while do does something. caughtUp waits until all is received that was committed.
// Before and after it, nothing is kept of it: a slot that nobody reads has PostgreSQL make new files for its log.
func (b *backups) received(ctx context.Context, do func(caughtUp func() error) error) (err error) {
	set := func(ctx context.Context, folder string) error {
		_, err := local.Output(ctx, local.Root("sed", "--in-place", "s|^WAL_ARCHIVE=.*|WAL_ARCHIVE="+folder+"|",
			filepath.Join(backupHome, ".backup.env"))...)
		return err
	}
	_, err = local.Output(ctx, local.Root("install", "--directory", "--mode=0700", logArchive)...)
	if err == nil {
		err = set(ctx, logArchive)
	}
	if err != nil {
		return err
	}
	receiving, stop := context.WithCancel(ctx)
	ended := make(chan error, 1)
	go func() { _, err := runLines(receiving, nil, b.host("receive")...); ended <- err }()
	defer func() {
		stop()
		<-ended
		ctx := context.WithoutCancel(ctx)
		_, e := local.Output(ctx, local.Root("rm", "-rf", logArchive)...)
		ee := set(ctx, "")
		_, eee := local.Output(ctx, b.host("ended")...)
		err = errors.Join(err, e, ee, eee)
	}()
	caughtUp := func() error {
		for at := time.Now(); ; {
			var l hostapi.BackupList
			out, err := local.Output(ctx, local.Root(filepath.Join(backupHome, "restore.sh"), "list")...)
			if err == nil {
				err = json.Unmarshal([]byte(out), &l)
			}
			if err != nil || l.Log != nil && l.Log.Until.After(at) {
				return err
			}
			select {
			case err := <-ended:
				ended <- err
				return fmt.Errorf("the log is not received: %w", err)
			case <-time.After(time.Second):
			}
		}
	}
	if err := caughtUp(); err != nil {
		return err
	}
	return do(caughtUp)
}

// toASecond measures restores of the database to the end of an hour of work after a base backup.
func (b *backups) toASecond(ctx context.Context, f *backupFigures, caughtUp func() error) error {
	// Two: the first makes the base backup, which a backup of the folders has to be older than.
	for range 2 {
		if _, err := local.Combined(ctx, b.host("ship")...); err != nil {
			return err
		}
		if err := caughtUp(); err != nil {
			return err
		}
	}
	console.Say("an hour of work: %d transactions", logHour)
	_, err := b.pgbench(ctx, fmt.Sprintf("--client=%d", logClients), "--jobs=2",
		fmt.Sprintf("--transactions=%d", logHour/logClients))
	if err == nil {
		err = caughtUp()
	}
	if err != nil {
		return err
	}
	f.log.restore.name = "restore to a second, with an hour of log, tried and swapped in"
	at := time.Now().UTC().Format("2006-01-02 15:04:05Z")
	if err := caughtUp(); err != nil {
		return err
	}
	for range backupRounds {
		tried, _, err := b.restoreOurs(ctx, &f.log.restore, "recovering the database", "--only", "database", "--at", at)
		if err != nil {
			return err
		}
		f.log.tried = append(f.log.tried, tried)
	}
	return nil
}

// print says what it costs that the log is received.
func (f *logFigures) print() error {
	var ratios []float64
	for n := range f.with {
		ratios = append(ratios, f.with[n]/f.without[n])
	}
	middle := func(all []float64) float64 { return slices.Sorted(slices.Values(all))[len(all)/2] }
	rows := [][]string{{"PGBENCH, TRANSACTIONS A SECOND", "MEDIAN", "LEAST", "MOST", "RATIO"}}
	row := func(name string, all []float64, ratio string) {
		rows = append(rows, []string{name, fmt.Sprintf("%.0f", middle(all)), fmt.Sprintf("%.0f", slices.Min(all)),
			fmt.Sprintf("%.0f", slices.Max(all)), ratio})
	}
	row("no log is received", f.without, "1.00")
	row("the log is received", f.with, fmt.Sprintf("%.2f (%.2f to %.2f)", middle(ratios), slices.Min(ratios),
		slices.Max(ratios)))
	if err := console.Table(rows...); err != nil {
		return err
	}
	cost, spread := 1-middle(ratios), (slices.Max(f.without)-slices.Min(f.without))/middle(f.without)
	aim := map[bool]string{true: "met", false: "NOT met"}[cost <= max(0.1, spread)]
	fmt.Printf("receiving the log costs %.0f %% (aim: at most 10 %%, or the spread, %.0f %%): %s\n", 100*cost, 100*spread,
		aim)
	return nil
}
