// Package application is what of MRS's own commands an operation needs: test
// data, a user for developers, whether all migrations are applied.
//
// The commands are in one table, those of the real application (docs/mrs.md). It
// must not know when they are wanted.
package application

import (
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"
)

// Command is a command of the application in its container.
type Command struct {
	Env  []string // more of the environment
	Argv []string
}

// Commands are those that operations need. NAME in them is the user's name.
type Commands struct {
	Fixtures   Command // loads the test data; again, it changes nothing
	Find       Command // prints NAME, a word, if there is that user
	Open       Command // makes NAME an active superuser with the password on standard input
	Clock      Command // prints the offset of the jobs' time zone, as date +%z
	Migrations Command // prints all, those that are not applied with [ ] before them
}

// MRS are those of betagouv/mrs. Without CI, its loaddata has no end.
var MRS = Commands{
	Fixtures: Command{Env: []string{"CI=1", "DEBUG="}, Argv: []string{"mrs", "loaddata", "src/mrs/tests/data.json"}},
	Find:     Command{Argv: []string{"djcli", "ls", "settings.AUTH_USER_MODEL", "username=NAME"}},
	// djcli chpasswd takes a password as an argument alone. The application's users have no column is_staff.
	Open: Command{Env: []string{"DEBUG="}, Argv: []string{"mrs", "shell", "-c", `import sys
from django.contrib.auth import get_user_model
user, _ = get_user_model().objects.get_or_create(username="NAME")
for field in user._meta.get_fields():
    if field.name in ("is_active", "is_staff", "is_superuser"):
        setattr(user, field.name, True)
user.set_password(sys.stdin.readline().rstrip("\n"))
user.save()`}},
	// Django sets TZ for the whole of uWSGI. Where the image has no data of time zones, that is UTC.
	Clock:      Command{Argv: []string{"sh", "-c", `TZ=${TIME_ZONE:-Europe/Paris} date +%z`}},
	Migrations: Command{Env: []string{"DEBUG="}, Argv: []string{"mrs", "showmigrations", "--plan"}},
}

// Exec runs a command in the application's container.
type Exec func(ctx context.Context, env []string, input io.Reader, argv ...string) (string, error)

// limit is how long a command may take.
const limit = 5 * time.Minute

func (c Command) run(ctx context.Context, exec Exec, input io.Reader, user string) (string, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, limit, fmt.Errorf("it takes longer than %v", limit))
	defer cancel()
	argv := make([]string, len(c.Argv))
	for i, word := range c.Argv {
		argv[i] = strings.ReplaceAll(word, "NAME", user)
	}
	out, err := exec(ctx, c.Env, input, argv...)
	if err != nil {
		return "", fmt.Errorf("%s: %w", strings.Join(argv[:min(2, len(argv))], " "), err)
	}
	return out, nil
}

// OpenTo has a superuser of that name with that password.
func (c Commands) OpenTo(ctx context.Context, exec Exec, user, password string) error {
	_, err := c.Open.run(ctx, exec, strings.NewReader(password+"\n"), user)
	return err
}

// Has reports whether there is a user of that name.
func (c Commands) Has(ctx context.Context, exec Exec, user string) (bool, error) {
	out, err := c.Find.run(ctx, exec, nil, user)
	return slices.Contains(strings.Fields(out), user), err
}

// Fill loads the test data.
func (c Commands) Fill(ctx context.Context, exec Exec) error {
	_, err := c.Fixtures.run(ctx, exec, nil, "")
	return err
}

// Zone returns the time zone that the application's jobs run by.
func (c Commands) Zone(ctx context.Context, exec Exec) (*time.Location, error) {
	out, err := c.Clock.run(ctx, exec, nil, "")
	if err != nil {
		return nil, err
	}
	at, err := time.Parse("-0700", strings.TrimSpace(out))
	if err != nil {
		return nil, err
	}
	_, offset := at.Zone()
	return time.FixedZone(strings.TrimSpace(out), offset), nil
}

// Migrated returns an error that names the migrations that are not applied.
func (c Commands) Migrated(ctx context.Context, exec Exec) error {
	out, err := c.Migrations.run(ctx, exec, nil, "")
	if err != nil {
		return err
	}
	missing, applied := Unapplied(out)
	switch {
	case len(missing) > 0:
		return fmt.Errorf("not all migrations are applied: %s", strings.Join(missing, ", "))
	case applied == 0:
		return errors.New("no migration is applied")
	}
	return nil
}

// Unapplied reads what showmigrations --plan prints: a line each, [X] or [ ]
// before its name.
func Unapplied(out string) (missing []string, applied int) {
	for line := range strings.Lines(out) {
		line = strings.TrimSpace(line)
		if name, ok := strings.CutPrefix(line, "[ ]"); ok {
			missing = append(missing, strings.TrimSpace(name))
		} else if strings.HasPrefix(line, "[X]") {
			applied++
		}
	}
	return missing, applied
}
