// Package systemd has an instance's units there and its timers run.
//
// It knows systemctl(1), systemd.timer(5) and systemd.service(5). It must not know what the units do.
package systemd

import (
	"context"
	_ "embed"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/command"
	"github.com/betagouv/mrs-ops/internal/hostside/durable"
)

// Booted reports whether systemd runs this host (sd_booted(3)).
func Booted() (bool, error) {
	_, err := os.Stat("/run/systemd/system")
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Folder is where the administrator's units are.
const Folder = "/etc/systemd/system"

// Files returns the files of units.
func Files(units []hostapi.Unit) (files []hostapi.File) {
	for _, u := range units {
		files = append(files, hostapi.File{Path: Folder + "/" + u.Name + ".service", Content: service(u)})
		if u.Calendar != "" {
			files = append(files, hostapi.File{Path: Folder + "/" + u.Name + ".timer", Content: timer(u)})
		}
	}
	return files
}

func service(u hostapi.Unit) string {
	var text strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&text, format+"\n", args...) }
	line("# %s: written by mrs-ops.", u.Name)
	line("[Unit]\nDescription=%s", u.Description)
	line("Wants=docker.service network-online.target\nAfter=docker.service network-online.target")
	for _, unit := range u.Before {
		line("Before=%s.service", unit)
	}
	if u.OnFailure != "" {
		line("OnFailure=%s", u.OnFailure)
	}
	for _, path := range u.IfExists {
		line("ConditionPathExistsGlob=|%s", path)
	}
	kind := "oneshot"
	if u.Always {
		kind = "simple"
		line("StartLimitIntervalSec=0")
	}
	line("\n[Service]\nType=%s\nExecStart=%s", kind, u.Command)
	if u.Always {
		line("Restart=always\nRestartSec=1")
	}
	if u.CommandAfter != "" {
		line("ExecStopPost=%s", u.CommandAfter)
	}
	line("# What it undoes when it is told to end, or afterwards, takes the time it takes.")
	line("TimeoutStopSec=15min\nKillMode=mixed\nNice=10\nIOSchedulingClass=idle")
	if u.AtBoot || u.Always {
		line("\n[Install]\nWantedBy=multi-user.target")
	}
	return text.String()
}

//go:embed timer.txt
var timerText string

func timer(u hostapi.Unit) string {
	return fmt.Sprintf(timerText, u.Name, u.Description, u.Calendar)
}

// Control runs systemctl, and returns what it prints.
type Control func(ctx context.Context, argv ...string) (string, error)

// acts bounds it: what a unit runs may take its time to end.
const acts = 10 * bound.Quick

// Systemctl is the host's own.
func Systemctl(ctx context.Context, argv ...string) (string, error) {
	ctx, cancel := bound.Within(ctx, "systemctl", acts)
	defer cancel()
	out, err := command.Context(ctx, "systemctl", argv...).Output()
	if err != nil && ctx.Err() != nil {
		return "", context.Cause(ctx)
	}
	if exit, ok := errors.AsType[*exec.ExitError](err); ok && len(exit.Stderr) > 0 {
		err = fmt.Errorf("systemctl %s: %w: %s", argv[0], err, strings.TrimSpace(string(exit.Stderr)))
	}
	return strings.TrimSpace(string(out)), err
}

// Paths are the files of units of these names. Timers come first: one that is due each second and finds no service
// fails, and is remembered.
func Paths(names ...string) (files []string) {
	for _, name := range names {
		files = append(files, Folder+"/"+name+".timer", Folder+"/"+name+".service")
	}
	return files
}

// Lasts reports whether what a unit's file has in it is to run at all times: a timer, or what is started again when it
// ends.
func Lasts(file, content string) bool {
	return strings.HasSuffix(file, ".timer") || strings.Contains(content, "\nRestart=always\n")
}

// End has units neither run nor start any more, and removes their files, below a root that is empty but in tests. What
// ends by itself is not stopped: it may be who asks.
func End(ctx context.Context, control Control, root string, files ...string) (did []string, err error) {
	for _, file := range files {
		unit := filepath.Base(file)
		content, err := os.ReadFile(root + file)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return did, err
		}
		argv := []string{"--quiet", "disable"}
		lasts := Lasts(file, string(content))
		if lasts {
			argv = append(argv, "--now")
		}
		if lasts || strings.Contains(string(content), "[Install]") { // else it can't be enabled
			if _, err := control(ctx, append(argv, unit)...); err != nil {
				return did, fmt.Errorf("%s can't be ended: %w", unit, err)
			}
		}
		if err := durable.Remove(root + file); err != nil {
			return did, err
		}
		did = append(did, unit)
	}
	if len(did) == 0 {
		return nil, nil
	}
	_, err = control(ctx, "daemon-reload")
	for _, unit := range did {
		_, _ = control(ctx, "--quiet", "reset-failed", unit) // or what had failed before stays in lists
	}
	return did, err
}

// Start has the timers run, now and after every boot, and the services that are for it start at every boot.
// changed is whether a file of the units is new. It returns what it has changed.
func Start(ctx context.Context, control Control, units []hostapi.Unit, changed bool) (did []string, err error) {
	run := func(argv ...string) (out string) { // nothing more, once one has failed
		if err == nil {
			out, err = control(ctx, argv...)
		}
		return out
	}
	if changed {
		run("daemon-reload")
	}
	is := func(what, unit string) bool { _, err := control(ctx, "--quiet", what, unit); return err == nil }
	for _, u := range units {
		if err != nil {
			return did, err
		}
		if name := u.Name + ".service"; u.AtBoot && !is("is-enabled", name) {
			run("--quiet", "enable", name)
			did = append(did, "enabled "+name)
		}
		if name := u.Name + ".service"; u.Always && (!is("is-enabled", name) || !is("is-active", name)) {
			run("--quiet", "enable", "--now", name)
			did = append(did, "started "+name)
		} else if u.Always && changed {
			run("restart", name)
		}
		if u.Calendar == "" {
			continue
		}
		name := u.Name + ".timer"
		if !is("is-enabled", name) || !is("is-active", name) {
			run("--quiet", "enable", "--now", name)
			did = append(did, "started "+name)
		}
		// A new calendar counts from now on, not from the next boot on.
		if stale := run("show", "--property", "NeedDaemonReload", "--value", name); changed || stale == "yes" {
			run("daemon-reload")
			run("restart", name)
		}
	}
	return did, err
}
