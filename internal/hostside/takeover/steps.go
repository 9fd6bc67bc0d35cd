package takeover

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
	"github.com/betagouv/mrs-ops/internal/hostside/generation"
	"github.com/betagouv/mrs-ops/internal/hostside/pgversion"
	"github.com/betagouv/mrs-ops/internal/hostside/place"
	"github.com/betagouv/mrs-ops/internal/hostside/plan"
	"github.com/betagouv/mrs-ops/internal/hostside/systemd"
)

const (
	// done is the file of a folder that says that all was kept that there was.
	done = "/complete"
	// containers is the one that names those that ran then.
	containers = "/containers"
)

// Prepare makes the last snapshot by the old means, and keeps what the new load balancer and the deployment are going
// to replace. Where it fails nothing has changed.
func (i *Instance) Prepare(ctx context.Context) error {
	if own, _ := i.kept(); i.is(own+done) && i.is(i.path(".version")) && !i.is(i.path(mark)) {
		i.Say(i.Project + " is taken over already; what the old system had is in " + own)
		return nil
	}
	if err := i.refuses(ctx); err != nil {
		return err
	}
	_, err := i.carryOut(ctx, []plan.Step{
		plan.To("see to it that it is gone back from", i.watch("run"), i.unwatch),
		plan.To("back up by the old means", i.snapshot, nil),
		plan.To("keep what there is", i.keepAll, i.forget),
		plan.To("keep the mails that wait", i.keepMails, nil),
	})
	return err
}

// Finish ends what the old system would do beside the new one: timers, the cleaner, the rotation of logs. The site is
// the new one by then, so nothing of it is undone: where it ends too early it is gone on with within a minute
// ([Instance.Recover]).
func (i *Instance) Finish(ctx context.Context) error {
	own, shared := i.kept()
	if own == "" || !i.is(i.path(".version")) {
		return fmt.Errorf(
			"%s is not deployed over what the old system had\nhint: mage takeover:run begins where it ended", i.Project)
	}
	_, err := i.carryOut(ctx, []plan.Step{
		plan.To("end its timers",
			func(ctx context.Context) error { return i.end(ctx, own, false, i.oldUnits()...) }, nil),
		plan.To("end the server's cleaner and rotation",
			func(ctx context.Context) error { return i.endShared(ctx, shared) }, nil),
		plan.To("see that it is done", i.unwatch, nil),
	})
	return err
}

// Back has the old system be there again as it was kept, on the data as they are now. Where it fails, or is
// interrupted, the new one runs on; where it is killed, it is gone on with within a minute ([Instance.Recover]).
func (i *Instance) Back(ctx context.Context) error {
	own, shared := i.kept()
	if !i.is(own + done) {
		return fmt.Errorf(
			"%s has no folder %s, so there is no way back\nhint: was it taken over? a restore brings data back",
			i.Project, i.path(generation.Kept+"DATE"))
	}
	// It was undone already, or never came so far: nothing of the old system that runs is touched.
	there, err := i.stillThere(ctx, own)
	if err != nil {
		return err
	}
	aside := i.path("new-system." + strings.TrimPrefix(filepath.Base(own), generation.Kept))
	deployed := i.is(i.path(".version")) || i.is(aside+i.path(".version"))
	steps := []plan.Step{plan.To("see to it that it is gone on with", i.watch("back"), nil)}
	if deployed { // else the last snapshot is of minutes ago, and the site may be down
		steps = append(steps, plan.To("back up what runs", i.backUp, nil))
	}
	if !there {
		steps = append(steps, plan.To("end the application", i.quit, i.up))
	}
	steps = append(steps,
		plan.To("end the new timers",
			func(ctx context.Context) error { return i.end(ctx, aside, true, i.newUnits()...) },
			func(ctx context.Context) error { return i.begin(ctx, aside, i.newUnits()...) }),
		plan.To("put the old files back",
			func(context.Context) error { return i.swapFiles(own, aside) },
			func(context.Context) error {
				return errors.Join(i.putBack(aside, i.oldFiles()...), i.backFrom(aside, i.newFiles()...))
			}),
		plan.To("begin the old timers",
			func(ctx context.Context) error { return i.begin(ctx, own, i.oldUnits()...) },
			func(ctx context.Context) error { return i.end(ctx, own, false, i.oldUnits()...) }))
	if !there {
		steps = append(steps, plan.To("start the old containers", i.upOld, nil))
	}
	if whole, err := i.carryOut(ctx, steps); err != nil {
		if !whole {
			return err
		}
		undone := i.unwatch
		if !deployed { // there is nothing that it could stay at
			undone = i.watch("run")
		}
		return errors.Join(err, os.RemoveAll(i.real(aside)), undone(context.WithoutCancel(ctx)))
	}
	// The site is the old one now, and stays it whoever wants us to end.
	ctx, stop := context.WithTimeout(context.WithoutCancel(ctx), undoes)
	defer stop()
	if i.last() {
		if err := errors.Join(i.beginShared(ctx, shared), i.balancerBack(ctx, shared)); err != nil {
			return err
		}
		if err := os.RemoveAll(i.real(shared)); shared != "" && err != nil {
			return err
		}
	}
	err = durable.Rename(i.real(own), i.real(i.path("was-"+filepath.Base(own))))
	return errors.Join(err, i.unwatch(ctx))
}

// Recover goes on with what was cut short, if anything was: forward where the site is the new one already, else back,
// since only who began it has the secrets for a deployment. It is what a timer calls while a takeover is under way.
func (i *Instance) Recover(ctx context.Context) error {
	own, _ := i.kept()
	run := i.going("run")
	switch {
	case run && i.is(i.path(".version")):
		return i.Finish(ctx)
	case i.is(own+done) && (run || i.going("back")):
		i.Say("a takeover was cut short: going back to the old system")
		return i.Back(ctx)
	case run: // it has not kept all, so it has replaced nothing
		if err := i.forget(ctx); err != nil {
			return err
		}
	}
	return i.unwatch(ctx)
}

// balancer returns the container of the load balancer, if there is one.
func (i *Instance) balancer(ctx context.Context) (c docker.Container, err error) {
	all, err := i.Containers(ctx)
	for _, one := range all {
		if one.Name == balancer {
			c = one
		}
	}
	return c, err
}

// refuses is all that keeps it from being taken over. Nothing is changed.
func (i *Instance) refuses(ctx context.Context) error {
	var reasons, hints []string
	problem := func(hint, format string, args ...any) {
		reasons, hints = append(reasons, fmt.Sprintf(format, args...)), append(hints, hint)
	}
	own, _ := i.kept()
	if own == "" && !generation.Foreign(i.real(i.Folder)) {
		problem("mage deploy:to NAME", "%s is not deployed by the old system", i.Project)
	}
	backs := i.is(i.path("backup.sh"))
	password := strings.TrimSpace(i.text(i.path(".restic_password")))
	switch {
	case backs && i.Password == "":
		problem("put it into the instance's secrets: it is in "+i.path(".restic_password")+" there",
			"RESTIC_PASSWORD is not set, and what the old system backs up would not be backed up any more")
	case backs && i.Password != password:
		problem("it is in "+i.path(".restic_password")+" there", "RESTIC_PASSWORD is not what opens the old repository")
	}
	if was, is := i.oldRepository(), cmp.Or(i.Repository, i.path("restic")); backs && was != is {
		problem("RESTIC_REPOSITORY="+was, "the old backups are in %s, and the new ones would be in %s", was, is)
	}
	version, _ := pgversion.Folder(i.real(i.path("postgres/data")))
	if _, tag, _ := strings.Cut(filepath.Base(i.Image), ":"); version != "" && major.FindString(tag) != "" &&
		major.FindString(tag) != version {
		problem("compose_postgres_image=postgres:"+version,
			"the data are of PostgreSQL %s, which stays what it is, and the instance is to have %s", version, i.Image)
	}
	application, _, err := i.service(ctx, hostapi.MRS)
	if was := application.Env["DB_PASSWORD"]; err == nil && was != "" && i.DBPassword != "" && was != i.DBPassword {
		problem("it is in "+i.path(current)+" there", "DB_PASSWORD is not the one that the database has")
	}
	if i.busy(ctx, i.Project+"-backup.service") {
		problem("wait for its end: journalctl --follow --unit "+i.Project+"-backup",
			"an old backup of %s is at work", i.Project)
	}
	if len(reasons) == 0 {
		return err
	}
	return &hostapi.Failure{Outcome: hostapi.Failed, Reason: strings.Join(reasons, "; ") + "; nothing was changed",
		Hint: strings.Join(hints, "; ")}
}

var (
	major      = regexp.MustCompile(`^\d+`)
	repository = regexp.MustCompile(`(?m)^\s*(?:export\s+)?RESTIC_REPOSITORY=["']?(/[^"'\s$]+)`)
	dumped     = "PostgreSQL database cluster dump complete"
)

// oldRepository is where the old backups are.
func (i *Instance) oldRepository() string {
	if m := repository.FindStringSubmatch(i.text(i.path("backup.sh"))); m != nil {
		return m[1]
	}
	return i.path("restic")
}

// ours reports whether a script is one of this project's.
func (i *Instance) ours(name string) bool { return strings.Contains(i.text(i.path(name)), "mrs-host") }

// snapshot has the old script make a snapshot, and reads it. What counts is what is in the repository then: the script
// may say that it has failed where its mirror has.
func (i *Instance) snapshot(ctx context.Context) error {
	switch {
	case !i.is(i.path("backup.sh")):
		i.Say(i.Project + " is NOT backed up by the old means: it has no backup.sh")
		return nil
	case i.ours("backup.sh"): // it came further, the last time
		return nil
	}
	folder, password := i.oldRepository(), i.real(i.path(".restic_password"))
	before, err := i.Snapshots(ctx, folder, password)
	if err != nil {
		return fmt.Errorf("the old repository can't be read: %w", err)
	}
	i.Say(fmt.Sprintf("backing up by the old backup.sh, within %v; the site serves meanwhile", i.Within))
	_, ended := i.Run(ctx, i.Within, i.Folder, []string{"BACKUP_FORCE=1"}, "bash", i.path("backup.sh"))
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	after, err := i.Snapshots(ctx, folder, password)
	if err != nil {
		return fmt.Errorf("the old repository can't be read: %w", err)
	}
	if len(after) <= len(before) {
		return fmt.Errorf("the old backup has made no snapshot: %v\n"+
			"hint: BACKUP_FORCE=1 %s shows why; -limit=2h gives it longer", ended, i.path("backup.sh"))
	}
	last := after[len(after)-1]
	text, err := i.End(ctx, folder, password, last.ID, "/postgres/dump/data.dump")
	if err != nil || !strings.Contains(text, dumped) {
		return fmt.Errorf(
			"snapshot %.8s of the old backup has no whole dump of the database (%w)\nhint: df -h; then again",
			last.ID, cmp.Or(err, errors.New("it is cut")))
	}
	i.Say(fmt.Sprintf("snapshot %.8s is there, and its dump is whole", last.ID))
	if ended != nil {
		i.Say("the old backup.sh says that it failed all the same: " + ended.Error())
	}
	return nil
}

// keepAll copies what is going to be replaced or ended.
func (i *Instance) keepAll(ctx context.Context) error {
	own, shared := i.kept()
	if i.is(own + done) {
		return nil
	}
	ids, err := i.running(ctx)
	if err != nil {
		return err
	}
	date := generation.Kept + i.Now().UTC().Format(hostapi.Stamp)
	own, shared = cmp.Or(own, i.path(date)), cmp.Or(shared, lib+"/"+date)
	if err := errors.Join(
		i.keep(shared, slices.Concat(sharedFiles, traefikFiles, []string{acme})...),
		i.keepUnits(ctx, shared, systemd.Paths(sharedUnits...)...),
		i.keep(own, i.oldFiles()...),
		i.keepUnits(ctx, own, systemd.Paths(i.oldUnits()...)...),
	); err != nil {
		return err
	}
	if err := durable.Write(i.real(own+containers), []byte(strings.Join(ids, "\n")), 0o600); err != nil {
		return err
	}
	return durable.Write(i.real(own+done), nil, 0o600)
}

// forget removes what was kept, where nothing has been replaced since.
func (i *Instance) forget(context.Context) error {
	own, shared := i.kept()
	if own == "" || i.is(i.path(".program")) {
		return nil
	}
	if i.last() && shared != "" {
		if err := os.RemoveAll(i.real(shared)); err != nil {
			return err
		}
	}
	return os.RemoveAll(i.real(own))
}

// last reports whether no other instance of the server is taken over.
func (i *Instance) last() bool {
	others := i.found(filepath.Join(filepath.Dir(i.Folder), "*", generation.Kept+"*"))
	return !slices.ContainsFunc(others, func(other string) bool { return filepath.Dir(other) != i.Folder })
}

// patience is how long mails that wait are waited for.
const patience = 30 * time.Second

// keepMails waits until nothing waits to be mailed in the old container, whose spooler goes with it, and copies what
// still does then: somebody has to look at it.
func (i *Instance) keepMails(ctx context.Context) error {
	own, _ := i.kept()
	application, runs, err := i.service(ctx, hostapi.MRS)
	if err != nil || !runs || application.Mounts["/app/spooler"] != "" {
		return err
	}
	waits := func() []string {
		out, _ := i.docker(ctx, "exec", application.ID, "find", "/app/spooler", "-type", "f", "-not", "-name", ".*")
		return strings.Fields(out)
	}
	left := waits()
	for begun := i.Now(); len(left) > 0 && i.Now().Sub(begun) < patience && ctx.Err() == nil; left = waits() {
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
	if len(left) == 0 {
		return nil
	}
	if _, err := i.docker(ctx, "cp", application.ID+":/app/spooler", i.real(own+"/spooler")); err != nil {
		return fmt.Errorf("the mails that wait can't be kept: %w", err)
	}
	i.Say(fmt.Sprintf("%d mails wait in the old container, which goes: they are kept in %s/spooler; "+
		"those that it has not sent by then can be moved to %s", len(left), own, i.path("spooler/mail")))
	return nil
}

// endShared ends what of the old system the instances of the server share.
func (i *Instance) endShared(ctx context.Context, shared string) error {
	if err := i.end(ctx, shared, false, sharedUnits...); err != nil {
		return err
	}
	if err := i.keep(shared, sharedFiles...); err != nil {
		return err
	}
	for _, file := range sharedFiles {
		if err := durable.Remove(i.real(file)); err != nil {
			return err
		}
	}
	return nil
}

func (i *Instance) beginShared(ctx context.Context, shared string) error {
	return errors.Join(i.putBack(shared, sharedFiles...), i.begin(ctx, shared, sharedUnits...))
}

// balancerBack has the old load balancer run again, if it was replaced, or was to be.
func (i *Instance) balancerBack(ctx context.Context, shared string) error {
	if shared == "" || !i.is(shared+traefik+"/"+current) {
		return nil
	}
	// The role's start of the new one goes on where its connection is lost, under this lock.
	_, err := i.Run(ctx, undoes, traefik, nil, "flock", ".", "true")
	c, e := i.balancer(ctx)
	if err = errors.Join(err, e, i.putBack(shared, traefikFiles...)); err != nil {
		return err
	}
	if c.Running && c.Labels[ourBalancer] == "" {
		return nil
	}
	i.Say("the old load balancer is started again: all sites of the server are away for seconds")
	return i.compose(ctx, traefik, "up", "-d", "--remove-orphans")
}

// compose runs the Compose that the old system has for the stack in a folder, or else the engine's plugin.
func (i *Instance) compose(ctx context.Context, folder string, argv ...string) error {
	const either = `docker-compose "$@" || docker compose "$@"`
	_, err := i.Run(ctx, undoes, folder, nil, append([]string{"bash", "-c", either, "compose"}, argv...)...)
	return err
}

// --- the application

// all returns the containers of the instance, also those that do not run.
func (i *Instance) all(ctx context.Context) ([]docker.Container, error) {
	all, err := i.Containers(ctx)
	return slices.DeleteFunc(all, func(c docker.Container) bool {
		return c.Labels["com.docker.compose.project"] != i.Project
	}), err
}

// service returns the newest container of a service of the instance that runs.
func (i *Instance) service(ctx context.Context, name string) (c docker.Container, runs bool, err error) {
	all, err := i.all(ctx)
	c, runs = docker.Serving(all, name)
	return c, runs, err
}

// running are the ids of the containers that run, in their order.
func (i *Instance) running(ctx context.Context) (ids []string, err error) {
	all, err := i.all(ctx)
	for _, c := range all {
		if c.Running {
			ids = append(ids, c.ID)
		}
	}
	slices.Sort(ids)
	return ids, err
}

// stillThere reports whether the old system runs as it was when it was kept: the same containers, of the same file. A
// deployment that was undone has made others of that, which are not those that the old scripts know.
func (i *Instance) stillThere(ctx context.Context, own string) (bool, error) {
	now, err := i.running(ctx)
	were := strings.Fields(i.text(own + containers))
	return len(were) > 0 && slices.Equal(now, were) && !i.going("back") &&
		i.text(i.path(current)) == i.text(own+i.path(current)), err
}

// backUp makes a snapshot by the new means. It is only for whoever wants it: the data stay where they are.
func (i *Instance) backUp(ctx context.Context) error {
	if !i.ours("backup.sh") {
		return nil
	}
	i.Say("backing up what runs")
	_, err := i.Run(ctx, i.Within, i.Folder, nil, "bash", i.path("backup.sh"), "deploy")
	if err != nil && ctx.Err() == nil {
		i.Say("it is NOT backed up, and its data stay where they are all the same: " + err.Error())
	}
	return context.Cause(ctx)
}

// quit ends the application. What it serves is served first.
func (i *Instance) quit(ctx context.Context) error {
	application, runs, err := i.service(ctx, hostapi.MRS)
	if err != nil || !runs {
		return err
	}
	i.Say("the application is ended: the site does not answer until the old one does")
	i.Quit(ctx, application.ID)
	// Not only ended: another restart policy than its file's is left by that.
	_, err = i.docker(ctx, "rm", "--force", application.ID)
	return err
}

// up has the stack run as its docker-compose.yml has it by now.
func (i *Instance) up(ctx context.Context) error {
	_, err := i.docker(ctx, "compose", "--project-name", i.Project, "--project-directory", i.Folder,
		"--env-file", "/dev/null", "--file", i.path(current), "up", "--detach", "--remove-orphans")
	return err
}

func (i *Instance) swapFiles(own, aside string) error {
	if i.ours("backup.sh") || i.text(i.path(current)) != i.text(own+i.path(current)) {
		if err := i.keep(aside, i.oldFiles()...); err != nil {
			return err
		}
	}
	return errors.Join(i.aside(aside, i.newFiles()...), i.putBack(own, i.oldFiles()...))
}

// upOld starts the old stack, and waits until its site answers.
func (i *Instance) upOld(ctx context.Context) error {
	if err := i.compose(ctx, i.Folder, "up", "-d", "--remove-orphans"); err != nil {
		return fmt.Errorf("the old containers do not start: %w", err)
	}
	application, _, err := i.service(ctx, hostapi.MRS)
	if err == nil {
		err = i.Answers(ctx, application.ID)
	}
	return err
}

// --- what was cut short

// going reports whether a takeover in a direction is under way, or was cut short.
func (i *Instance) going(direction string) bool {
	first, _, _ := strings.Cut(i.text(i.path(mark)), "\n")
	return first == direction
}

// unit goes on with a takeover that was cut short: each minute, where nobody is at it.
func (i *Instance) unit() []hostapi.Unit {
	return []hostapi.Unit{{Name: i.Project + "-takeover", Description: "The takeover of " + i.Project,
		Command: i.Program + " takeover recover -folder=" + i.Folder, Calendar: "*:*"}}
}

// watch has it written down which direction it goes, and a timer that goes on with it.
func (i *Instance) watch(direction string) func(context.Context) error {
	return func(ctx context.Context) error {
		files := systemd.Files(i.unit())
		for n := range files {
			files[n].Path = i.real(files[n].Path)
		}
		made, err := place.Files(files)
		if err == nil {
			_, err = systemd.Start(ctx, i.systemctl, i.unit(), len(made) > 0)
		}
		if err != nil {
			return err
		}
		return durable.Write(i.real(i.path(mark)), append([]byte(direction+"\n"), i.Request...), 0o600)
	}
}

// unwatch is the end of it.
func (i *Instance) unwatch(ctx context.Context) error {
	if err := durable.Remove(i.real(i.path(mark))); err != nil {
		return err
	}
	_, err := systemd.End(ctx, i.systemctl, i.Root, systemd.Paths(i.Project+"-takeover")...)
	return err
}

// Interrupted returns what a takeover in a folder that was cut short has written down for whoever goes on with it.
func Interrupted(folder string) (request []byte, is bool) {
	text, err := os.ReadFile(filepath.Join(folder, mark))
	_, rest, _ := strings.Cut(string(text), "\n")
	return []byte(rest), err == nil
}
