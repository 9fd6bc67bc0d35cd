// Package provision has there what an instance needs on its server beside its containers: programs, folders,
// the scripts of its backups with their settings, and the units of systemd that run them.
//
// It must not know how a deployment goes on, nor what the scripts do.
package provision

import (
	"bytes"
	"cmp"
	"context"
	"embed"
	"errors"
	"fmt"
	"os"
	"path"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/command"
	"github.com/betagouv/mrs-ops/internal/hostside/disk"
	"github.com/betagouv/mrs-ops/internal/hostside/place"
	"github.com/betagouv/mrs-ops/internal/hostside/preflight"
	"github.com/betagouv/mrs-ops/internal/hostside/systemd"
	"github.com/betagouv/mrs-ops/internal/stack/model"
)

//go:embed files
var files embed.FS

// Needs is all that an instance needs beside its containers.
type Needs struct {
	Programs []string // of the host, by the names of their packages
	Folders  []hostapi.Folder
	Files    []hostapi.File
	Units    []hostapi.Unit
	Gone     []string // files of older versions, which are to go
	Ended    []string // units that are not to run any more
	// Password opens the repository that Files belong to; empty: there is none.
	Password string
	Folder   string // the stack's
}

// Of returns what a deployment needs, which program decides for: an absolute path.
func Of(d hostapi.Deploy, program string) Needs {
	n := Needs{Folder: d.Folder, Folders: []hostapi.Folder{
		{Path: hostapi.Programs},
		{Path: d.Folder, Mode: "0700"},
		{Path: path.Join(d.Folder, "releases"), Mode: "0700"},
	}}
	n.Folders = append(n.Folders, d.Folders...)
	n.Files = append(n.Files, commandsRotation())
	switch {
	case d.Persistent:
		n.Files = append(n.Files, rotation(d))
	case d.Lifetime > 0:
		n.ends(program)
	}
	if d.Backup != nil {
		n.backups(d, program)
	}
	return n
}

// commandsRotation is how the logs of what mrs-host runs are rotated, of all instances of the server: a file is opened
// for each line, so that nobody has to be told.
func commandsRotation() hostapi.File {
	return hostapi.File{Path: "/etc/logrotate.d/mrs-ops-commands",
		Content: strings.ReplaceAll(content("commands.logrotate"), "LOGS", hostapi.Logs)}
}

// rotation is how the application's log is rotated (logrotate(8)).
func rotation(d hostapi.Deploy) hostapi.File {
	fill := strings.NewReplacer("PROJECT", d.Project, "HOME", d.Folder)
	return hostapi.File{Path: "/etc/logrotate.d/mrs-ops-" + d.Project,
		Content: fill.Replace(content("application.logrotate"))}
}

// ends has ephemeral instances removed once their time has passed.
func (n *Needs) ends(program string) {
	n.Gone = append(n.Gone, path.Join(hostapi.Programs, "branches.sh"))
	n.Units = append(n.Units, hostapi.Unit{
		Name: "mrs-ops-branches", Description: "Removal of the deployments of branches whose time has passed",
		Command: program + " branches expire", Calendar: "*:00/15",
	})
}

// scripts are those of the backups (cookbook, "Persistance").
var scripts = []string{"backup.sh", "restore.sh", "prune.sh", "drill.sh", "export.sh", "lend.sh", "alert.sh"}

// backups has the instance backed up (cookbook, "Persistance" and "Cron").
func (n *Needs) backups(d hostapi.Deploy, program string) {
	n.Programs, n.Password = []string{"curl", "restic", "lftp"}, d.Backup.Password
	// What older scripts shared.
	n.Gone = append(n.Gone, path.Join(d.Folder, "backup-common.sh"))
	// First: a power cut may leave older scripts with a newer program, with which these still undo a swap, and not newer
	// scripts with a program that lacks what they call.
	env := hostapi.File{Path: path.Join(d.Folder, ".backup.env"), Content: settings(d, program), Mode: "0400"}
	n.Files = append(n.Files, env)
	for _, name := range scripts {
		n.Files = append(n.Files, hostapi.File{Path: path.Join(d.Folder, name), Content: content(name), Mode: "0700"})
	}
	// By bash's path: SELinux lets no unit execute a script in /home.
	run := func(line string) string { return "/bin/bash " + d.Folder + "/" + line }
	unit := func(name, description, command, calendar string) hostapi.Unit {
		return hostapi.Unit{Name: d.Project + "-" + name, Description: fmt.Sprintf(description, d.Project),
			Command: run(command), Calendar: calendar, OnFailure: d.Project + "-alert@%n.service"}
	}
	restore := unit("restore", "Restore of %s, as restore.sh was asked to", "restore.sh unit", "")
	restore.CommandAfter = run("restore.sh recover") // however it ended, also by SIGKILL
	drill := unit("drill", "Proof that the last backup of %s restores", "drill.sh timer", "Sun *-*-* 05:00:00")
	drill.CommandAfter = run("restore.sh recover drill") // killed, it leaves all data
	n.log(d, program)
	recovery := unit("recover", "What a loss of power has cut short in %s", "restore.sh recover boot", "")
	recovery.AtBoot = true
	for _, missed := range []string{"backup", "prune", "drill"} { // while the power was off
		recovery.Before = append(recovery.Before, d.Project+"-"+missed)
	}
	for _, mark := range []string{".restore.swap", ".recreating", ".running.*", ".drill"} {
		recovery.IfExists = append(recovery.IfExists, path.Join(d.Folder, mark))
	}
	n.Units = append(n.Units,
		unit("backup", "Backup of %s", "backup.sh timer", "*-*-* 23:00:00"),
		unit("prune", "Retention policy of the backups of %s", "prune.sh timer", "*-*-* 04:00:00"),
		drill, restore, recovery,
		hostapi.Unit{Name: d.Project + "-alert@", Description: "Word that %i has failed", Command: run("alert.sh %i")})
}

// log has PostgreSQL's log received at all times, and shipped every five minutes; or no more.
func (n *Needs) log(d hostapi.Deploy, program string) {
	receive, ship := hostapi.LogUnits(d.Project)
	if d.Backup.LogArchive == "" {
		n.Ended = append(n.Ended, receive, ship)
		return
	}
	// For root alone: it is personal data in clear.
	n.Folders = append(n.Folders, hostapi.Folder{Path: d.Backup.LogArchive, Mode: "0700"})
	run := func(verb string) string { return program + " wal " + verb + " " + d.Folder }
	n.Units = append(n.Units,
		hostapi.Unit{Name: receive, Description: "Log of PostgreSQL of " + d.Project + ", as it is written",
			Command: run("receive"), CommandAfter: run("ended"), Always: true},
		// What comes of it, it tells itself: not every five minutes.
		hostapi.Unit{Name: ship, Description: "Log of PostgreSQL of " + d.Project + " for the repository",
			Command: run("ship"), Calendar: "*:00/5"})
}

// settings is what the scripts of the backups read: a file of bash.
func settings(d hostapi.Deploy, program string) string {
	var text strings.Builder
	text.WriteString("# Settings of backup.sh, restore.sh, prune.sh, drill.sh and alert.sh. Written by the deployment.\n")
	line := func(name, value string) { fmt.Fprintf(&text, "%s=%s\n", name, quote(value)) }
	flag := func(name string, is bool) {
		value := ""
		if is {
			value = "1"
		}
		line(name, value)
	}
	b := d.Backup
	line("NAME", d.Project)
	line("RESTIC_REPOSITORY", cmp.Or(b.Repository, path.Join(d.Folder, "restic")))
	for _, of := range [][2]string{
		{"AWS_ACCESS_KEY_ID", b.S3.KeyID}, {"AWS_SECRET_ACCESS_KEY", b.S3.Secret}, {"AWS_DEFAULT_REGION", b.S3.Region},
	} {
		if of[1] != "" {
			line("export "+of[0], of[1])
		}
	}
	line("WAL_ARCHIVE", b.LogArchive)
	line("LFTP_DSN", b.Mirror)
	flag("LFTP_PLAIN", b.MirrorPlain)
	line("DB_NAME", d.Database)
	line("DB_USER", d.Role)
	if len(d.Services) > 0 {
		site := model.Site(d.Services, d.URL, d.Page)
		folders, _ := model.Folders(d.Services)
		line("DB_SERVICE", model.Of(d.Services, hostapi.Database).Name)
		line("APPLICATION", strings.Join(model.Uses(d.Services, site.Name), ","))
		fmt.Fprintf(&text, "PORT=%d\n", site.Port)
		line("FOLDERS", strings.Join(folders, ","))
	}
	// How many snapshots stay (restic forget --keep-…).
	text.WriteString("KEEP_LAST=7\nKEEP_DAILY=7\nKEEP_WEEKLY=5\nKEEP_MONTHLY=12\nKEEP_YEARLY=75\n")
	line("MRS_HOST", program)
	line("URL", d.URL)
	line("NAMES", strings.Join(d.Names, ","))
	line("PAGE", d.Page)
	flag("BASICAUTH", d.BasicAuth)
	flag("JOBS", d.Jobs)
	flag("PRODUCTION", d.Production)
	fmt.Fprintf(&text, "TIMEOUT=%d\n", d.Timeout)
	line("SLACK", d.Slack)
	return text.String()
}

// quote returns a word that bash reads as the text, whatever is in it.
func quote(text string) string { return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'" }

func content(name string) string {
	text, err := files.ReadFile("files/" + name)
	if err != nil {
		panic(err) // the list of scripts is wrong
	}
	return string(text)
}

// Check returns what keeps the host from taking a deployment, all of it. Nothing is changed.
func Check(ctx context.Context, d hostapi.Deploy, h preflight.Host) error {
	problems := preflight.Problems(ctx, h, d.Project, d.Folder)
	if b := d.Backup; b != nil && b.LogArchive != "" {
		device := func(path string) (uint64, error) { return disk.Device(preflight.Nearest(path)) }
		if err := disk.Apart(b.LogArchive, path.Join(d.Folder, "postgres/data"), device); err != nil {
			problems = append(problems, err)
		}
	}
	var reasons, hints []string
	for _, problem := range problems {
		reason, hint := hostapi.Explained(problem)
		reasons, hints = append(reasons, reason), append(hints, hint)
	}
	if len(reasons) == 0 {
		return nil
	}
	return &hostapi.Failure{Outcome: hostapi.Failed, Reason: strings.Join(reasons, "; ") + "; nothing was changed",
		Hint: strings.Join(hints, "; ")}
}

// Host is what is changed.
type Host interface {
	preflight.Host
	// Install has programs there, by the names of their packages.
	Install(ctx context.Context, packages ...string) error
	// Open opens the repository of the backups of the instance in a folder with a password, or makes it. Where
	// it or the password is new, said tells people so, in lines; empty: nothing is.
	Open(ctx context.Context, folder, password string) (said string, err error)
	// Booted reports whether systemd runs the host, Systemctl runs systemctl.
	Booted() (bool, error)
	Systemctl(ctx context.Context, argv ...string) (string, error)
}

// Provided is what was not there as it had to be.
type Provided struct {
	Changes int
	// before has what files of the stack's folder had in them.
	before []hostapi.File
}

// Undo puts the files back that were in the stack's folder before: the settings and the scripts of what runs.
func (p Provided) Undo() error {
	_, err := place.Files(p.before)
	return err
}

// keep has what a file has in it now, for [Provided.Undo].
func (p *Provided) keep(f hostapi.File) error {
	content, err := os.ReadFile(f.Path)
	if errors.Is(err, os.ErrNotExist) || string(content) == f.Content {
		return nil
	}
	if err != nil {
		return err
	}
	f.Content = string(content)
	p.before = append(p.before, f)
	return nil
}

// Provide has all of it there. What runs goes on as it was; where it can't be all there, so do its backups.
func Provide(ctx context.Context, n Needs, h Host, say func(string)) (p Provided, err error) {
	defer func() {
		if err != nil {
			err = errors.Join(err, p.Undo())
		}
	}()
	n.Gone = slices.DeleteFunc(slices.Clone(n.Gone), keepsAway)
	files := slices.Clone(n.Files)
	for _, gone := range n.Gone { // a script that older ones call
		files = append([]hostapi.File{{Path: gone, Mode: "0700"}}, files...)
	}
	for _, f := range files {
		if strings.HasPrefix(f.Path, n.Folder+"/") {
			if err := p.keep(f); err != nil {
				return p, err
			}
		}
	}
	p.Changes, err = provide(ctx, n, h, say)
	return p, err
}

// keepsAway reports whether there is a folder in the place of a script of older versions, which package generation has
// put there.
func keepsAway(path string) bool {
	info, err := os.Lstat(path)
	return err == nil && info.IsDir()
}

func provide(ctx context.Context, n Needs, h Host, say func(string)) (changes int, err error) {
	if missing := preflight.Missing(h, n.Programs...); len(missing) > 0 {
		say("installing " + strings.Join(missing, ", "))
		if err := h.Install(ctx, missing...); err != nil {
			return changes, err
		}
		changes += len(missing)
	}
	did := func(made []string, e error) bool {
		changes, err = changes+len(made), e
		return e == nil
	}
	if !did(place.Folders(n.Folders)) || !did(place.Files(n.Files)) {
		return changes, err
	}
	if n.Password != "" {
		said, err := h.Open(ctx, n.Folder, n.Password)
		// That it is a new one, and not the one of the mirror, is nothing to keep quiet.
		for line := range strings.Lines(said) {
			if line = strings.TrimSpace(line); line != "" {
				say(line)
			}
		}
		if err != nil {
			return changes, err
		}
		if said != "" {
			changes++
		}
	}
	started, err := start(ctx, n.Units, n.Ended, h, say)
	changes += started
	if err != nil {
		return changes, err
	}
	for _, file := range n.Gone {
		switch err := os.Remove(file); {
		case err == nil:
			changes++
		case !errors.Is(err, os.ErrNotExist):
			return changes, err
		}
	}
	return changes, nil
}

// start has units there, and their timers run, and those that have ended there no more.
func start(
	ctx context.Context, units []hostapi.Unit, ended []string, h Host, say func(string),
) (changes int, err error) {
	if len(units)+len(ended) == 0 {
		return 0, nil
	}
	booted, err := h.Booted()
	if err != nil {
		return 0, err
	}
	if !booted {
		var names []string
		for _, u := range units {
			if u.Calendar != "" || u.Always {
				names = append(names, u.Name)
			}
		}
		say("systemd does not run here, so there is nobody to run " + strings.Join(names, ", "))
		return 0, nil
	}
	gone, err := systemd.End(ctx, h.Systemctl, "", systemd.Paths(ended...)...)
	if err != nil {
		return len(gone), err
	}
	made, err := place.Files(systemd.Files(units))
	if err != nil {
		return len(made), err
	}
	did, err := systemd.Start(ctx, h.Systemctl, units, len(made) > 0)
	return len(gone) + len(made) + len(did), err
}

// This is the host that this runs on.
type This struct{ preflight.This }

// Install asks the package manager.
func (t This) Install(ctx context.Context, packages ...string) error {
	return preflight.Install(ctx, t, packages...)
}

// Open runs backup.sh.
func (This) Open(ctx context.Context, folder, password string) (said string, err error) {
	var complaints bytes.Buffer
	cmd := command.Context(ctx, "./backup.sh", "init")
	cmd.Dir, cmd.Stdin, cmd.Stderr = folder, strings.NewReader(password), &complaints
	// It takes back what it has begun.
	cmd.Cancel, cmd.WaitDelay = func() error { return cmd.Process.Signal(syscall.SIGTERM) }, time.Minute
	out, err := cmd.Output()
	if ctx.Err() != nil {
		return string(out), context.Cause(ctx)
	}
	if err != nil {
		return string(out), failure(complaints.String(), err)
	}
	return string(out), nil
}

// failure is what a script has said, whose last line may be a hint.
func failure(said string, err error) error {
	lines := strings.Split(strings.TrimSpace(said), "\n")
	f := &hostapi.Failure{Outcome: hostapi.Failed}
	if hint, ok := strings.CutPrefix(lines[len(lines)-1], "hint: "); ok {
		f.Hint, lines = hint, lines[:len(lines)-1]
	}
	if len(lines) > 0 {
		f.Reason = lines[len(lines)-1]
	}
	if f.Reason == "" {
		f.Reason = "the repository of the backups can't be opened: " + err.Error()
	}
	return f
}

// Booted asks [systemd.Booted].
func (This) Booted() (bool, error) { return systemd.Booted() }

// Systemctl runs the host's.
func (This) Systemctl(ctx context.Context, argv ...string) (string, error) {
	return systemd.Systemctl(ctx, argv...)
}
