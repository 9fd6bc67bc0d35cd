// Command mrs-host is what decides on a server: the scripts there call it. Each
// of its commands ends with 0 where all is as it has to be; otherwise the reason
// is on standard error.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"maps"
	"os"
	"os/signal"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/betagouv/mrs-ops/internal/answer"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/application"
	"github.com/betagouv/mrs-ops/internal/hostside/database"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/drain"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
	"github.com/betagouv/mrs-ops/internal/hostside/pgversion"
	"github.com/betagouv/mrs-ops/internal/hostside/site"
)

const usage = `usage: mrs-host COMMAND [-option=value …] [CONTAINER …]

  hold        holds the lock of -project for -holder until standard input ends, and ends then what works
              under it; with -within, holds off what works on it, once that has ended; exit status 75: somebody has it
  unlock      ends -holder, who has the lock of -project
  audit       appends the entry on standard input to the audit log of -project
  deploy      carries out the request on standard input: what is to run replaces what runs
  answers     waits until the site answers as it has to, or the container that is named
  proves      proves that the container uses the database that is backed up
  developers  has test data and the superuser dev in the container, and checks that dev gets in
  known       prints who gets in with a password that everybody knows, a name a line
  migrated    fails unless all migrations are applied in the container
  keeps       fails where the stack on standard input (docker compose config --format json) has an image
              with another PostgreSQL than its data folder is of
  takes       fails where the dump on standard input is of a newer PostgreSQL than the container's
  moment      waits until no job of the application runs within -lead, by the clock of the container
  quit        has the application in the containers end what it serves, and then itself
  restart     the same, after which the engine starts them again
  globals     what of a database pg_dump does not hold:
              read    prints it, in JSON
              roles   makes those of the dump of roles on standard input that the server lacks
              create  makes an empty database, as that on standard input (what read has printed) was made
              bring   gives a database what that on standard input had
              settle  the same of the server's superuser, and prints what then differs, a line each
  branches    the ephemeral instances of this server:
              list    prints them, in JSON
              expire  removes those whose time has passed; what a timer runs
              extend  lets -project live longer, -by that much
              remove  removes -project: containers, volumes, images, folder

In the home of an instance that has backups, for its scripts:

  backup      [timer|deploy|hand|init|repair]: see backup.sh. Exit status 75: the snapshot is good, but the
              mirror has not got it. fetch: has the repository from the mirror; 69: no mirror has it
  prune       [timer]: see prune.sh
  drill       [timer|SNAPSHOT]: see drill.sh
  restore     [list|[--only PART] SNAPSHOT|recover|discard|adopt|abandon|unit]: see restore.sh
  record      NAME VALUE …: keeps what was done to the backups; a value is a text unless NAME ends in ":"
  tell        TEXT: says it, and tells the team's Slack
  damaged     FOLDER: prints which files of the repository in it are damaged
`

// options are those of all commands, so that a script can keep them in one list.
type options struct {
	site       answer.Site
	within     time.Duration
	port       int
	lookup     string
	want       database.Want
	fixtures   bool
	lead       time.Duration
	project    string
	holder     string
	containers []string
}

func main() {
	scripts := map[string]func([]string) int{
		"backup": backupScript, "prune": pruneScript, "restore": restoreScript, "drill": drillScript,
		"record": recordScript, "tell": tellScript, "damaged": damagedScript,
	}
	if len(os.Args) > 1 && scripts[os.Args[1]] != nil {
		os.Exit(scripts[os.Args[1]](os.Args[2:]))
	}
	// What a caller that is ending ignores, its children ignore too.
	heed := slices.DeleteFunc([]os.Signal{os.Interrupt, syscall.SIGTERM, syscall.SIGHUP}, signal.Ignored)
	ctx, stop := context.WithCancel(context.Background())
	if len(heed) > 0 {
		ctx, stop = signal.NotifyContext(ctx, heed...)
	}
	defer stop()
	commands := map[string]func(context.Context, options) error{
		"answers": answers, "proves": proves, "developers": developers, "migrated": migrated, "quit": quit, "restart": restart, "moment": moment, "known": known,
		"keeps": keeps, "takes": takes, "deploy": deploy,
		"hold": hold, "unlock": unlock, "audit": appendEntry,
	}
	if len(os.Args) > 2 && groups[os.Args[1]] != nil {
		if err := groups[os.Args[1]](ctx, os.Args[2], os.Args[3:]); err != nil {
			fail(err)
		}
		return
	}
	if len(os.Args) < 2 || commands[os.Args[1]] == nil {
		fmt.Fprint(os.Stderr, usage)
		os.Exit(2)
	}
	o, err := parse(os.Args[2:])
	if err == nil {
		err = commands[os.Args[1]](ctx, o)
	}
	if err != nil {
		fail(err)
	}
}

// groups are commands that have commands of their own: mrs-host GROUP COMMAND …
var groups = map[string]func(ctx context.Context, command string, args []string) error{"globals": globalsCommand, "branches": branchesCommand}

// fail ends it. An error may know the exit status that its caller looks for.
func fail(err error) {
	if !errors.Is(err, errSaid) {
		fmt.Fprintln(os.Stderr, err)
	}
	status := 1
	if errors.Is(err, lock.ErrBusy) {
		status = hostapi.Busy
	}
	if known, ok := errors.AsType[interface {
		error
		Status() int
	}](err); ok {
		status = known.Status()
	}
	os.Exit(status)
}

func parse(args []string) (o options, err error) {
	var names, maintenance string
	f := flag.NewFlagSet("mrs-host", flag.ExitOnError)
	f.StringVar(&o.site.URL, "url", "", "where visitors come: PROTO://NAME")
	f.StringVar(&names, "names", "", "other names of the instance, separated by commas")
	f.StringVar(&o.site.Path, "path", "/", "the page that is asked for")
	f.StringVar(&o.site.Check, "check", "", "goes into the query, so that the load balancer's log has it")
	f.BoolVar(&o.site.BasicAuth, "basicauth", false, "being asked for a password is an answer")
	f.StringVar(&maintenance, "maintenance", "off", "on, off or either")
	f.DurationVar(&o.within, "within", 0, "how long to wait; 0: one answer counts")
	f.IntVar(&o.port, "port", 8000, "where the application listens in its container")
	f.StringVar(&o.lookup, "lookup", "/admin/", "a page for which the application looks up the visitor's session")
	f.StringVar(&o.want.Server, "server", "", "the container of the PostgreSQL that is backed up")
	f.StringVar(&o.want.Name, "database", "", "the database that is backed up")
	f.StringVar(&o.want.Role, "role", "", "its superuser")
	f.DurationVar(&o.lead, "lead", time.Minute, "how long before a job's minute no container may start")
	f.StringVar(&o.project, "project", "", "the instance's Compose project")
	f.StringVar(&o.holder, "holder", "", "who holds its lock, in JSON")
	f.BoolVar(&o.fixtures, "fixtures", false, "load the test data, too")
	if err := f.Parse(args); err != nil {
		return o, err
	}
	o.containers = f.Args()
	if names != "" {
		o.site.Names = strings.Split(names, ",")
	}
	switch maintenance {
	case "off":
		o.site.Maintenance = answer.Open
	case "on":
		o.site.Maintenance = answer.Closed
	case "either":
		o.site.Maintenance = answer.Either
	default:
		return o, fmt.Errorf("-maintenance=%s is not known", maintenance)
	}
	return o, nil
}

// container asks the engine about the one that is named.
func (o options) container(ctx context.Context) (docker.Container, error) {
	if len(o.containers) != 1 {
		return docker.Container{}, fmt.Errorf("name one container, not %d", len(o.containers))
	}
	return docker.Inspect(ctx, o.containers[0])
}

// first is the container that is named; empty: none is.
func (o options) first() string {
	if len(o.containers) == 0 {
		return ""
	}
	return o.containers[0]
}

// at is the site, and where the application listens.
func (o options) at() site.Site { return site.Site{Site: o.site, Port: o.port} }

func answers(ctx context.Context, o options) error {
	return o.at().Answers(ctx, o.first(), o.within)
}

func proves(ctx context.Context, o options) error {
	if len(o.containers) != 1 {
		return fmt.Errorf("name one container, not %d", len(o.containers))
	}
	return o.at().Proves(ctx, o.containers[0], o.lookup, o.want)
}

func developers(ctx context.Context, o options) error {
	c, err := o.container(ctx)
	if err != nil {
		return err
	}
	return o.at().Developers(ctx, c.ID, o.fixtures)
}

func known(ctx context.Context, o options) error {
	hashes, err := database.Passwords(ctx, o.want, slices.Collect(maps.Keys(application.Known)))
	if err != nil {
		return err
	}
	for _, name := range slices.Sorted(maps.Keys(hashes)) {
		if application.Opens(hashes[name], application.Known[name]) {
			fmt.Println(name)
		}
	}
	return nil
}

func migrated(ctx context.Context, o options) error {
	c, err := o.container(ctx)
	if err != nil {
		return err
	}
	return application.MRS.Migrated(ctx, c.Exec)
}

func moment(ctx context.Context, o options) error {
	return site.Moment(ctx, o.first(), o.want, o.lead, func(line string) { fmt.Println(line) })
}

func keeps(ctx context.Context, _ options) error { return pgversion.Keeps(ctx, os.Stdin) }

func takes(ctx context.Context, o options) error {
	c, err := o.container(ctx)
	if err != nil {
		return err
	}
	return pgversion.Takes(ctx, os.Stdin, c.Image)
}

func quit(ctx context.Context, o options) error {
	deadline := time.Now().Add(o.within)
	for _, id := range o.containers {
		drain.Quit(ctx, drain.Docker{}, deadline, id)
	}
	return nil
}

func restart(ctx context.Context, o options) error {
	deadline := time.Now().Add(o.within)
	for _, id := range o.containers {
		if err := drain.Restart(ctx, drain.Docker{}, deadline, id); err != nil {
			return err
		}
	}
	return nil
}
