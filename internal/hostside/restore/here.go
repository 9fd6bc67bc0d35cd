package restore

import (
	"context"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"syscall"
	"time"

	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/backup"
	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/command"
	"github.com/betagouv/mrs-ops/internal/hostside/compose"
	"github.com/betagouv/mrs-ops/internal/hostside/disk"
	"github.com/betagouv/mrs-ops/internal/hostside/ledger"
	"github.com/betagouv/mrs-ops/internal/hostside/mirror"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
	"github.com/betagouv/mrs-ops/internal/hostside/slack"
)

// often is how often what takes long says how far it is.
const often = 10 * time.Second

// Here is the instance of this host that has a home, with the host's own restic, lftp, Docker and systemd.
func Here(home string, say func(string)) (*Instance, error) {
	text, err := os.ReadFile(filepath.Join(home, ".backup.env"))
	if err != nil {
		return nil, fmt.Errorf(
			"the settings of the backups can't be read: %w\nhint: run it in the instance's home; or deploy the instance", err)
	}
	settings, err := backup.ParseSettings(string(text))
	if err != nil {
		return nil, err
	}
	command.Keep(hostapi.Logs, settings.Name)
	system, others := &bound.System{}, &bound.System{}
	host, _ := os.Hostname()
	with := func(password string) restic.Repository {
		return restic.Repository{Location: settings.Repository, PasswordFile: password, Folder: home,
			Env: settings.Account, Runner: system}
	}
	stack := &backup.Running{Project: compose.Project{Name: settings.Name, Folder: home}, Database: settings.Database,
		Role: settings.Role, Server: settings.Server, Users: settings.Application, Runner: others, Say: say,
		Free: disk.Free}
	i := &backup.Instance{
		Settings: settings, Home: home, Locks: hostapi.Locks, Every: often, Say: say, Server: host,
		With:  func(password string) backup.Repository { return with(password) },
		Stack: stack, PostgreSQL: stack.Log,
		Ledger: ledger.Ledger{
			Project: settings.Name, Mirrored: settings.Mirror != "",
			Log:     filepath.Join(hostapi.Logs, settings.Name+".backups.log"),
			Metrics: filepath.Join("/var/lib/mrs-ops", settings.Name+".prom"),
		},
		Tell: func(ctx context.Context, text string) error {
			if settings.Slack == "" {
				return nil
			}
			return slack.Post(ctx, settings.Slack, text, 6)
		},
		Hold: func(f *os.File) { system.Holds = append(system.Holds, f) },
		Free: disk.Free, Device: disk.Device, Mounts: disk.Mounts, MountPoint: disk.MountPoint, Damaged: restic.Damaged,
	}
	if settings.Mirror != "" {
		i.Mirror = mirror.Mirror{Address: settings.Mirror, Plain: settings.Plain, Folder: settings.Name + "/restic",
			Runner: system}
	}
	running := thisStack{Running: stack, Patience: time.Duration(settings.Timeout) * time.Second,
		Folders: settings.Folders, drills: "-drill"}
	return &Instance{
		Instance: i, Repository: with(filepath.Join(home, ".restic_password")), Stack: running,
		Application: siteOf(settings, running, say), Files: Disk{},
		Systemd: thisSystemd{Project: settings.Name, Home: home, Runner: others},
		Into: func(folder, cache string) Copy {
			return with(filepath.Join(home, ".restic_password")).In(folder, cache)
		},
		As: func(file string) Stack {
			other := running
			other.of, other.drills = file, "-upgrade"
			return other
		},
		Calls: func(name string) { stack.Application = name },
		Now:   time.Now, Deafen: deafen, Leave: func(argv ...string) error { return leave(home, argv...) },
	}, nil
}

// deafen has no signal end us any more, nor what we run from then on.
func deafen() {
	signal.Ignore(os.Interrupt, syscall.SIGTERM, syscall.SIGHUP, syscall.SIGPIPE)
	command.Apart()
}

// leave has this program run with arguments in a home by itself, in a session of its own.
func leave(home string, argv ...string) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := command.Context(context.Background(), program, argv...)
	cmd.Dir, cmd.SysProcAttr = home, &syscall.SysProcAttr{Setsid: true}
	return cmd.Leave()
}
