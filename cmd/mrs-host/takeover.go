package main

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"maps"
	"math"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"go.yaml.in/yaml/v4"

	"github.com/betagouv/mrs-ops/internal/answer"
	"github.com/betagouv/mrs-ops/internal/hostapi"
	"github.com/betagouv/mrs-ops/internal/hostside/application"
	"github.com/betagouv/mrs-ops/internal/hostside/audit"
	"github.com/betagouv/mrs-ops/internal/hostside/bound"
	"github.com/betagouv/mrs-ops/internal/hostside/command"
	"github.com/betagouv/mrs-ops/internal/hostside/database"
	"github.com/betagouv/mrs-ops/internal/hostside/docker"
	"github.com/betagouv/mrs-ops/internal/hostside/drain"
	"github.com/betagouv/mrs-ops/internal/hostside/lock"
	"github.com/betagouv/mrs-ops/internal/hostside/mirror"
	"github.com/betagouv/mrs-ops/internal/hostside/restic"
	"github.com/betagouv/mrs-ops/internal/hostside/takeover"
	"github.com/betagouv/mrs-ops/internal/stack/model"
)

// takeoverCommand goes over from the old system. look prints [hostapi.OldServer]; recover goes on with what was cut
// short in a folder; the others read a request ([hostapi.Deploy]), and say events as deploy does.
func takeoverCommand(ctx context.Context, verb string, args []string) error {
	f := flag.NewFlagSet("mrs-host takeover "+verb, flag.ExitOnError)
	within := f.Duration("within", time.Hour, "how long the snapshot by the old means may take")
	folder := f.String("folder", "", "the instance's")
	if err := f.Parse(args); err != nil {
		return err
	}
	syscall.Umask(0o077)
	switch verb {
	case "look":
		s := &takeover.Server{Host: oldHost{}, Now: time.Now, Say: func(string) {}}
		found, err := s.Look(ctx)
		if err != nil {
			return err
		}
		return json.NewEncoder(os.Stdout).Encode(found)
	case "recover":
		return recoverTakeover(ctx, *folder, *within)
	}
	var d hostapi.Deploy
	if err := json.NewDecoder(os.Stdin).Decode(&d); err != nil {
		return fmt.Errorf("the request can't be read: %w", err)
	}
	command.Keep(hostapi.Logs, d.Project)
	ctx, stop := whileListened(ctx)
	defer stop()
	out := &events{out: json.NewEncoder(os.Stdout)}
	err := error(hostapi.Mismatched(d.Version))
	if f := hostapi.Mismatched(d.Version); f == nil {
		err = takeOver(ctx, verb, d, *within, out.Say)
	}
	if err != nil {
		out.send(hostapi.Event{Failed: failure(ctx, err)})
		return errSaid
	}
	return out.send(hostapi.Event{Deployed: &hostapi.Deployed{}})
}

// takeOver does a part of a takeover, under the instance's locks, and writes it down.
func takeOver(ctx context.Context, verb string, d hostapi.Deploy, within time.Duration, say func(string)) error {
	program, err := os.Executable()
	if err != nil {
		return err
	}
	i := oldInstance(d, program, within, say)
	do := map[string]func(context.Context) error{"prepare": i.Prepare, "finish": i.Finish, "back": i.Back}[verb]
	if do == nil {
		return fmt.Errorf("mrs-host takeover %s is not known\nhint: mrs-host says what there is", verb)
	}
	what := "takeover " + verb
	held, err := lock.Take(ctx, hostapi.Locks, d.Project, hostapi.Holder{Token: d.Token, Who: d.Who, What: what}, say)
	if err != nil {
		return err
	}
	defer held.Release()
	begin := time.Now()
	err = do(ctx)
	entry := hostapi.Entry{Time: time.Now().UTC().Truncate(time.Second), Who: d.Who, What: what, Outcome: hostapi.OK,
		Seconds: math.Round(time.Since(begin).Seconds())}
	if err != nil {
		f := failure(ctx, err)
		entry.Outcome, entry.Reason = f.Outcome, f.Reason
	}
	return cmp.Or(err, audit.Append(hostapi.Logs, d.Project, entry))
}

func oldInstance(d hostapi.Deploy, program string, within time.Duration, say func(string)) *takeover.Instance {
	host := oldHost{newServer(d, say), model.Site(d.Services, d.URL, d.Page).Port, d.Page}
	i := &takeover.Instance{
		Server:  &takeover.Server{Host: host, Now: time.Now, Say: say},
		Project: d.Project, Folder: d.Folder, Within: within, Program: program,
		Image: model.Of(d.Services, hostapi.Database).Image,
	}
	if d.Backup != nil {
		i.Password, i.Repository = d.Backup.Password, d.Backup.Repository
	}
	var stack struct {
		Services map[string]struct{ Environment map[string]string }
	}
	if yaml.Unmarshal([]byte(d.File), &stack) == nil { // else it is refused when it is deployed
		// What stands for itself is written twice.
		password := stack.Services[hostapi.MRS].Environment["DB_PASSWORD"]
		i.DBPassword = strings.ReplaceAll(password, "$$", "$")
	}
	// Whoever goes on with it, needs to know how the site answers, and no secrets.
	d.File, d.Backup, d.Carried, d.Slack, d.Token = "", nil, nil, "", ""
	i.Request, _ = json.Marshal(d)
	return i
}

// recoverTakeover goes on with what was cut short, unless somebody is at it.
func recoverTakeover(ctx context.Context, folder string, within time.Duration) error {
	d := hostapi.Deploy{Project: filepath.Base(folder), Folder: folder}
	if text, is := takeover.Interrupted(folder); !is {
	} else if err := json.Unmarshal(text, &d); err != nil {
		return fmt.Errorf("what was cut short in %s can't be read: %w\nhint: mage takeover:back NAME, or takeover:run",
			folder, err)
	}
	command.Keep(hostapi.Logs, d.Project)
	held, err := lock.Try(hostapi.Locks, d.Project, hostapi.Holder{Who: "systemd", What: "takeover recover"})
	if errors.Is(err, lock.ErrBusy) {
		return nil
	}
	if err != nil {
		return err
	}
	defer held.Release()
	program, err := os.Executable()
	if err != nil {
		return err
	}
	return oldInstance(d, program, within, func(line string) { fmt.Println(hostapi.Said(line)) }).Recover(ctx)
}

// oldHost is this server ([takeover.Host]).
type oldHost struct {
	site *server // nil: nobody asks whether it answers
	port int
	page string
}

func (oldHost) Containers(ctx context.Context) ([]docker.Container, error) { return docker.All(ctx) }

// Run has a process group of its own, which is ended as a whole: what the old script waits for has no end.
func (oldHost) Run(ctx context.Context, within time.Duration, folder string, env []string, argv ...string) (
	string, error,
) {
	ctx, stop := bound.Within(ctx, filepath.Base(argv[0])+" "+filepath.Base(argv[1]), within)
	defer stop()
	var out bytes.Buffer
	var said bound.Tail
	cmd := command.Context(ctx, argv[0], argv[1:]...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = folder, append(os.Environ(), env...), &out, &said
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel, cmd.WaitDelay = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }, 30*time.Second
	err := cmd.Run()
	switch {
	case err != nil && ctx.Err() != nil:
		err = context.Cause(ctx)
	case err != nil:
		err = fmt.Errorf("%w: %s", err, reason(said.String()))
	}
	return out.String(), err
}

// repository is one of the old system's: a folder of this server.
func repository(at, passwordFile string) restic.Repository {
	return restic.Repository{Location: at, PasswordFile: passwordFile, Runner: &bound.System{}}
}

func (oldHost) Snapshots(ctx context.Context, at, passwordFile string) ([]restic.Snapshot, error) {
	return repository(at, passwordFile).Snapshots(ctx)
}

func (oldHost) End(ctx context.Context, at, passwordFile, snapshot, file string) (string, error) {
	r, path := repository(at, passwordFile), ""
	// restic keeps a path as it was given: below the home, or from the root.
	err := r.Files(ctx, snapshot, func(name string, _ int64) {
		if strings.HasSuffix(name, file) {
			path = name
		}
	})
	if err == nil && path == "" {
		err = errors.New("it has no " + file)
	}
	if err != nil {
		return "", err
	}
	return r.End(ctx, snapshot, path)
}

// asksMirror is how long a mirror may take to tell what it holds.
const asksMirror = 15 * time.Second

func (oldHost) Mirror(ctx context.Context, address, folder string) (bool, error) {
	ctx, stop := bound.Within(ctx, "the mirror", asksMirror)
	defer stop()
	config, err := mirror.Mirror{Address: address, Folder: folder, Runner: &bound.System{}}.Config(ctx)
	return len(config) > 0, err
}

func (oldHost) Known(ctx context.Context, server docker.Container, name, role string) (open []string, err error) {
	hashes, err := database.Passwords(ctx, database.Want{Server: server.ID, Name: name, Role: role},
		slices.Collect(maps.Keys(application.Known)))
	return application.Open(hashes), err
}

func (oldHost) Quit(ctx context.Context, container string) {
	if (drain.Docker{}).Stay(ctx, container) == nil {
		drain.Quit(ctx, drain.Docker{}, time.Now().Add(endsWithin), container)
	}
}

// oldComes is how long the old application may take to answer.
const oldComes = 3 * time.Minute

func (o oldHost) Answers(ctx context.Context, container string) error {
	o.site.site.Port = o.port
	return o.site.Answers(ctx, container, o.page, answer.Either, oldComes)
}
