// Package pgcopy copies the database of one instance to another, anonymised on
// the way out: what is personal never leaves the server that it is on.
//
// On that server an agent (package agent) reads all tables in one snapshot,
// without the right to write, changes what the rules name (package anonymize),
// looks once more for real values in what comes out, and sends that. It goes
// through this process to the other server, into a new database, which is
// checked, tried by the application there, and swapped in by the same script
// that restores backups. It knows what has to be true before, meanwhile and
// after; it must not know how values are changed, nor how an application is
// tried.
//
// The working directory is the project's root.
package pgcopy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/bitfield/script"

	"github.com/betagouv/mrs-ops/internal/anonymize"
	"github.com/betagouv/mrs-ops/internal/backup"
	"github.com/betagouv/mrs-ops/internal/console"
	"github.com/betagouv/mrs-ops/internal/instance"
	"github.com/betagouv/mrs-ops/internal/pgcopy/wire"
	"github.com/betagouv/mrs-ops/internal/program"
	"github.com/betagouv/mrs-ops/internal/target"
)

// RulesFile is where the rules are, from the project's root.
const RulesFile = "env/anonymize.yml"

// Options are what to copy, and how. From and To are instances.
type Options struct {
	From, To string
	Snapshot string  // of From's backups, whose database is copied instead of the live one: an id, or "latest"
	DryRun   bool    // tell what would be copied, and change nothing
	Tables   string  // only these, separated by commas, and what they refer to; the others are empty
	Sample   float64 // the part of the rows to copy; 0 means all
	KeyFile  string  // a file whose text makes the fakes the same in every run; empty: they are others each time
	Direct   bool    // the rows go from host to host, with the operator's SSH agent
	Yes      bool    // no question
}

// copying is a copy that is under way.
type copying struct {
	Options
	from, to *end
	rules    *anonymize.Rules
	key      anonymize.Key

	lent    *backup.Lent
	hold    *hold
	schema  *anonymize.Schema
	archive *archive // the schema, to be restored
	plan    *anonymize.Plan
	wheres  map[int]wire.Chosen // which rows, by table; none means all

	looking  sync.WaitGroup // through the schema
	stop     func()         // looking; nil: it was not begun
	somebody error          // who was found there
}

// Copy copies the database of one instance to another. Nothing is changed before
// all that can be checked is, and what is wrong is said at once. The data of the
// instance that is copied to are as they were until all of the copy is there and
// the application runs well on it; then they are kept under a dated name.
func Copy(ctx context.Context, o Options) error {
	ctx, stop := console.Interruptible(ctx)
	defer stop()
	start := time.Now()
	c, err := prepare(ctx, o)
	switch {
	case err != nil && ctx.Err() != nil:
		return fmt.Errorf("%s: interrupted; nothing was changed", o.To)
	case err != nil:
		return err
	}
	defer c.close()
	if o.DryRun {
		return c.tell()
	}
	what := c.what()
	if c.lent == nil {
		if err := c.sure(); err != nil {
			return err
		}
	}
	lock, err := c.to.Lock(target.Operator(), what)
	if err != nil {
		return err
	}
	defer lock.Release()
	var done *summary
	err = c.to.Audited(target.Operator(), what, func() (err error) {
		done, err = c.run(ctx)
		return err
	})
	switch {
	case errors.Is(err, context.Canceled):
		return fmt.Errorf("%s: interrupted; %s is as it was before", c.to.Name, c.to.Name)
	case err != nil:
		return fmt.Errorf("%s: %s failed: %w", c.to.Name, what, err)
	}
	return done.print(time.Since(start))
}

// Init prints a first file of rules for the database of an instance, guessed
// where the database is from its schema and from a look at its values, of which
// none is printed or leaves.
func Init(ctx context.Context, name string) error {
	e, err := reach(ctx, name, true, target.Open)
	if err != nil {
		return err
	}
	defer e.Close()
	order, err := json.Marshal(wire.Hold{Server: e.wireServer(e.database)})
	if err != nil {
		return err
	}
	out, err := e.WithContext(ctx).ExecFrom(script.Echo(string(order)+"\n"), e.does("propose")...).String()
	if err != nil {
		return fmt.Errorf("%s: its database can't be read: %w", name, err)
	}
	fmt.Print(out)
	console.Say("a first guess for %s; what is marked as uncertain wants to be read, and so does the rest", RulesFile)
	return nil
}

// Check reports whether the rules still fit the database of an instance.
func Check(ctx context.Context, name string) error {
	c, err := prepare(ctx, Options{From: name})
	if err != nil {
		return err
	}
	defer c.close()
	if c.looking.Wait(); c.somebody != nil {
		return c.somebody
	}
	console.Done("%s: %s names every column of its %d tables, and nobody is in their schema",
		name, RulesFile, len(c.plan.Tables))
	return nil
}

// prepare finds out everything that has to be known before a copy. Without To,
// only what has to be known of From.
func prepare(ctx context.Context, o Options) (*copying, error) {
	c := &copying{Options: o}
	if err := c.know(ctx); err != nil {
		c.close()
		return nil, fmt.Errorf("nothing was copied: %w", err)
	}
	return c, nil
}

func (c *copying) know(ctx context.Context) error {
	if err := c.words(); err != nil {
		return err
	}
	go program.Build(ctx, "mrs-host", program.Here()) // who ships it asks again
	if err := c.reach(ctx); err != nil {
		return err
	}
	var err error
	if c.Snapshot != "" {
		// It takes long, so what is wrong already is said before.
		if err := c.unable(); err != nil {
			return err
		}
		if err := c.sure(); err != nil {
			return err
		}
		err = c.from.Audited(target.Operator(), "lend snapshot "+c.Snapshot+" to "+c.to.Name, func() (err error) {
			c.lent, err = backup.Lend(ctx, c.from.Target, c.Snapshot)
			return err
		})
		if err != nil {
			return err
		}
		c.from.database = c.lent.Database
	}
	if c.hold, err = c.from.holdSnapshot(); err != nil {
		return err
	}
	if c.schema, err = anonymize.ParseSchema(c.hold.Schema); err != nil {
		return fmt.Errorf("%s: its schema can't be read: %w", c.from.Name, err)
	}
	// The schema is dumped, and looked through, while fakes are tried.
	var dumping sync.WaitGroup
	var undumped, unchosen error
	dumping.Go(func() { c.archive, undumped = c.from.schema(c.hold.Snapshot) })
	plan, unfit := c.rules.Fit(c.schema)
	if unfit == nil {
		c.plan = plan
		if unchosen = c.choose(); unchosen == nil {
			if !c.DryRun {
				var looking context.Context
				looking, c.stop = context.WithCancel(ctx)
				c.looking.Go(func() { c.somebody = c.structure(looking) })
			}
			unchosen = c.try(ctx)
		}
	}
	dumping.Wait()
	if err := errors.Join(unfit, undumped, c.unable(), c.noRoom()); err != nil {
		return err
	}
	if left := c.left(); len(left) > 0 {
		console.Say("left out, as it gives access to other servers: %s", strings.Join(left, ", "))
	}
	return unchosen
}

// order is the line that an agent gets which reads the snapshot.
func (c *copying) order(from *end) (string, error) {
	line, err := json.Marshal(wire.Sender{Server: from.wireServer(from.database), Snapshot: c.hold.Snapshot,
		Key: c.key[:], Plan: *c.plan})
	return string(line) + "\n", err
}

// try makes fakes of some rows, and asks whether the database's constraints take them:
// else that is found out in the middle of the copy.
func (c *copying) try(ctx context.Context) error {
	order, err := c.order(c.from)
	if err != nil {
		return err
	}
	out, err := c.from.WithContext(ctx).ExecFrom(script.Echo(order), c.from.does("try")...).String()
	if err != nil {
		return fmt.Errorf("%s: fakes can't be tried: %w", c.from.Name, err)
	}
	var problems []error
	lines := json.NewDecoder(strings.NewReader(out))
	for lines.More() {
		var u wire.Unfit
		if err := lines.Decode(&u); err != nil {
			return fmt.Errorf("%s: what the agent says of fakes can't be read: %w", c.from.Name, err)
		}
		problems = append(problems, errors.New(unfit(u)))
	}
	if len(problems) > 0 {
		problems = append(problems,
			fmt.Errorf("hint: another rule for the column in %s, or a constraint that takes its fakes", RulesFile))
	}
	return errors.Join(problems...)
}

// unfit says what does not fit, among people.
func unfit(u wire.Unfit) string {
	text := fmt.Sprintf("%s.%s: fakes do not fit the %s", name(u.Schema, u.Table), strings.Join(u.Columns, ", "),
		strings.TrimSpace(u.What+" "+u.Name))
	if u.Raised {
		return text + ", which ends in an error"
	}
	return fmt.Sprintf("%s, in %s of %s rows", text, grouped(int64(u.Rows)), grouped(int64(u.Of)))
}

// left is what of the schema stays behind.
func (c *copying) left() []string {
	left := c.archive.left
	for _, name := range c.schema.Subscriptions {
		left = append(left, "subscription "+name)
	}
	return left
}

// structure looks for real values in the schema, where it is: a comment or a default
// may hold one, and no rule is about these.
func (c *copying) structure(ctx context.Context) error {
	const look = `set -euo pipefail
IFS= read -r order
{ printf '%s\n' "$order"; docker exec "${@:2}" </dev/null; } | "$1" copy structure`
	order, err := c.order(c.from)
	if err != nil {
		return err
	}
	words := append([]string{c.from.agent}, c.from.dump(c.hold.Snapshot)...)
	if _, err := c.from.WithContext(ctx).ScriptFrom(script.Echo(order), look, words...).String(); err != nil {
		return fmt.Errorf("%s: its schema: %w", c.from.Name, err)
	}
	return nil
}

// words checks what can be checked without a server.
func (c *copying) words() error {
	var problems []error
	text, err := os.ReadFile(RulesFile)
	if err == nil {
		c.rules, err = anonymize.ParseRules(RulesFile, text)
	} else if os.IsNotExist(err) {
		err = fmt.Errorf("there is no %s, which says what is done to every column\n"+
			"hint: mage ops:anonymizeInit %s > %[1]s, and read it", RulesFile, c.From)
	}
	problems = append(problems, err)
	if c.KeyFile == "" {
		c.key, err = anonymize.NewKey()
	} else {
		var key []byte
		if key, err = os.ReadFile(c.KeyFile); err == nil {
			c.key, err = anonymize.ParseKey(strings.TrimSpace(string(key)))
		}
	}
	if err != nil {
		problems = append(problems, fmt.Errorf("-key: %w", err))
	}
	if c.Sample < 0 || c.Sample > 1 {
		problems = append(problems,
			fmt.Errorf("-sample=%g is no part of the rows\nhint: -sample=0.1 copies one in ten", c.Sample))
	}
	if c.To != "" {
		problems = append(problems, notProduction(c.To))
		if c.From == c.To {
			problems = append(problems, fmt.Errorf("%s can't be copied to itself", c.From))
		}
	}
	return errors.Join(problems...)
}

// notProduction refuses production as what is copied to, however it is called.
func notProduction(name string) error {
	refused := fmt.Errorf("%s is production: nothing is ever copied there\n"+
		"hint: mage ops:restore %[1]s SNAPSHOT brings data back", name)
	if name == instance.Production {
		return refused
	}
	to, _, _ := instance.Lookup(name) // where there is no such instance, reach says it
	if to != nil && to.Production() {
		return refused
	}
	return nil
}

// reach connects to both ends at the same time.
func (c *copying) reach(ctx context.Context) error {
	var both sync.WaitGroup
	var errs [2]error
	both.Go(func() {
		open := target.Open
		if c.Direct {
			open = target.OpenLending
		}
		c.from, errs[0] = reach(ctx, c.From, true, open)
	})
	if c.To != "" {
		both.Go(func() { c.to, errs[1] = reach(ctx, c.To, false, target.Open) })
	}
	both.Wait()
	return errors.Join(errs[:]...)
}

func (c *copying) close() {
	if c.stop != nil {
		c.stop()
		c.looking.Wait()
	}
	if c.hold != nil {
		c.hold.release()
	}
	if c.lent != nil {
		c.lent.Return()
	}
	for _, e := range []*end{c.from, c.to} {
		if e != nil {
			e.Close()
		}
	}
}

// source says what is copied.
func (c *copying) source() string {
	if c.Snapshot != "" {
		return c.from.Name + "'s snapshot " + c.Snapshot
	}
	return c.from.Name
}

// sure asks whether the data of the instance that is copied to may go.
func (c *copying) sure() error {
	if c.Yes || c.DryRun {
		return nil
	}
	return console.Sure(fmt.Sprintf("%s on %s: the data of %s, anonymised, in place of those that are there?",
		c.to.Name, c.to, c.source()))
}

// what says what is done, for people and the audit log.
func (c *copying) what() string { return "copy from " + c.source() }

// unable returns for what a copy is refused, whatever is in the database.
func (c *copying) unable() error {
	var problems []error
	if c.To == "" {
		return nil
	}
	wrong := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if !c.to.adopts {
		wrong("%s can't take a copy: %s/restore.sh, which would swap it in, is missing or of an older deployment\n"+
			"hint: put RESTIC_PASSWORD=… in its secrets, then mage deploy:%[1]s", c.to.Name, c.to.Folder)
	}
	if from, to := c.from.version/10000, c.to.version/10000; from > to {
		wrong("%s has PostgreSQL %d and %s has %d: a copy goes to the same version, or a newer one",
			c.from.Name, from, c.to.Name, to)
	}
	if c.Direct {
		_, err := c.from.Relay(script.Echo("\n"), []string{"true"}, c.to.Target, []string{"cat"}).String()
		if err != nil {
			wrong("-direct: %s does not get to %s: %w\nhint: the way there is peer of %s, and the SSH agent has to"+
				" have a key for it", c.from, c.to, err, c.to.Name)
		}
	}
	return errors.Join(problems...)
}

// noRoom returns an error where the copy has no room.
func (c *copying) noRoom() error {
	if c.To == "" {
		return nil
	}
	var bytes int64
	for _, t := range c.schema.Tables {
		bytes += t.Bytes
	}
	if c.Sample > 0 {
		bytes = int64(float64(bytes) * c.Sample)
	}
	if need := bytes + bytes/5 + reserve; c.to.free < need {
		return fmt.Errorf("%s has %s free below %s/postgres, and the copy needs %s\n"+
			"hint: %[3]s/restore.sh discard STAMP removes what earlier restores have kept",
			c.to.Name, console.Bytes(float64(c.to.free)), c.to.Folder, console.Bytes(float64(need)))
	}
	return nil
}

// choose says which rows of which tables are copied.
func (c *copying) choose() error {
	roots := map[string]string{}
	rows := map[string]int64{}
	for _, t := range c.schema.Tables {
		full := t.Schema + "." + t.Name
		roots[full] = cmp.Or(t.Root, full)
		rows[roots[full]] += max(t.Rows, 0)
	}
	root := func(table string) string { return cmp.Or(roots[table], table) }
	refs := c.schema.ForeignKeys
	if c.Tables != "" {
		if err := only(c.plan, strings.Split(c.Tables, ","), c.rules.Always, refs, root); err != nil {
			return err
		}
	}
	c.wheres = map[int]wire.Chosen{}
	if c.Sample == 0 || c.Sample == 1 {
		return nil
	}
	s := newSampling(c.Sample, rows, refs)
	for i, t := range c.plan.Tables {
		c.wheres[i] = s.chosen(root(t.Schema + "." + t.Name))
	}
	return nil
}

// tables returns the tables, the largest first.
func (c *copying) tables() []int {
	order := make([]int, len(c.plan.Tables))
	for i := range order {
		order[i] = i
	}
	slices.SortStableFunc(order, func(a, b int) int {
		return cmp.Compare(c.plan.Tables[b].Pages, c.plan.Tables[a].Pages)
	})
	return order
}

// treatment says what is done to the columns of a table that are not kept.
func treatment(t anonymize.TablePlan) string {
	if t.Empty {
		return "no rows"
	}
	byKind := map[anonymize.Kind][]string{}
	for _, col := range t.Columns {
		byKind[col.Rule.Kind] = append(byKind[col.Rule.Kind], col.Name)
	}
	var parts []string
	for _, col := range t.Columns {
		kind := col.Rule.Kind
		if kind == anonymize.Keep || kind == anonymize.Public || byKind[kind] == nil {
			continue
		}
		parts = append(parts, string(kind)+": "+strings.Join(byKind[kind], " "))
		byKind[kind] = nil
	}
	return cmp.Or(strings.Join(parts, ", "), "as it is")
}

// tell prints what would be copied.
func (c *copying) tell() error {
	rows := [][]string{{"TABLE", "ROWS", "SIZE", "WHAT BECOMES OF IT"}}
	var bytes int64
	var count int
	for _, i := range c.tables() {
		t := c.plan.Tables[i]
		about := "~" + grouped(max(t.Rows, 0))
		if c.wheres[i].Where != "" {
			about = "a part of " + about
		}
		rows = append(rows, []string{name(t.Schema, t.Name), about, console.Bytes(float64(t.Bytes)), treatment(t)})
		if !t.Empty {
			bytes += t.Bytes
			count++
		}
	}
	if err := console.Table(rows...); err != nil {
		return err
	}
	console.Summary("%s would get %d tables of %s, %s with their indexes, in %s; nothing was changed",
		c.to.Name, count, c.source(), console.Bytes(float64(bytes)), c.estimate(bytes))
	return nil
}

// estimate says how long a copy may take: as long as the last one that went
// well.
func (c *copying) estimate(bytes int64) string {
	entries, err := c.to.Audit()
	if err == nil {
		for _, e := range slices.Backward(entries) {
			if e.What == c.what() && e.Outcome == "ok" {
				took := time.Duration(e.Seconds * float64(time.Second)).Round(time.Second)
				return fmt.Sprintf("about %s, as on %s", took, e.Time.Local().Format(time.DateOnly))
			}
		}
	}
	const rate = 30 << 20 // of the size in PostgreSQL, a second, on two cores (bench:copy)
	return fmt.Sprintf("about %s on a machine of two cores", 10*time.Second+time.Duration(bytes/rate)*time.Second)
}
