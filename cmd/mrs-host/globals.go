package main

import (
	"context"
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/betagouv/mrs-ops/internal/hostside/database"
	"github.com/betagouv/mrs-ops/internal/hostside/globals"
)

// patience is how long PostgreSQL may take for all that is beside the data.
const patience = 10 * time.Minute

// globalsCommand reads and restores what of a database pg_dump does not hold.
func globalsCommand(ctx context.Context, command string, args []string) error {
	var want database.Want
	f := flag.NewFlagSet("mrs-host globals "+command, flag.ExitOnError)
	f.StringVar(&want.Server, "server", "", "the container of PostgreSQL")
	f.StringVar(&want.Name, "database", "", "the database")
	f.StringVar(&want.Role, "role", "", "its superuser")
	if err := f.Parse(args); err != nil {
		return err
	}
	name := want.Name
	if command == "roles" || command == "create" {
		want.Name = "postgres" // that of the command need not be there
	}
	commands := map[string]func(*pgx.Conn) ([]string, error){
		"read": func(pg *pgx.Conn) ([]string, error) {
			facts, err := globals.Read(ctx, pg)
			if err != nil {
				return nil, err
			}
			text, err := json.Marshal(facts)
			return []string{string(text)}, err
		},
		"roles": func(pg *pgx.Conn) ([]string, error) {
			dump, err := globals.ReadDump(os.Stdin)
			if err != nil {
				return nil, err
			}
			return dump.Roles(ctx, pg)
		},
		"create": given(func(facts *globals.Facts, pg *pgx.Conn) ([]string, error) { return facts.Create(ctx, pg, name) }),
		"bring":  given(func(facts *globals.Facts, pg *pgx.Conn) ([]string, error) { return facts.Bring(ctx, pg) }),
		"settle": given(func(facts *globals.Facts, pg *pgx.Conn) ([]string, error) { return facts.Settle(ctx, pg) }),
	}
	if commands[command] == nil {
		return fmt.Errorf("mrs-host globals %s is not known\nhint: mrs-host says what there is", command)
	}
	if want.Server == "" || want.Role == "" || name == "" && command != "roles" {
		return errors.New("name the container, the database and its superuser: -server= -database= -role=")
	}
	ctx, cancel := context.WithTimeoutCause(ctx, patience, errors.New("PostgreSQL takes too long"))
	defer cancel()
	pg, err := database.Open(ctx, want)
	if err != nil {
		return err
	}
	defer pg.Close(context.WithoutCancel(ctx))
	lines, err := commands[command](pg)
	if err != nil {
		return err
	}
	for _, line := range lines {
		fmt.Println(line)
	}
	return nil
}

// given is a command to which what another database was is given, on standard input.
func given(f func(*globals.Facts, *pgx.Conn) ([]string, error)) func(*pgx.Conn) ([]string, error) {
	return func(pg *pgx.Conn) ([]string, error) {
		text, err := io.ReadAll(os.Stdin)
		if err != nil {
			return nil, err
		}
		facts, err := globals.Parse(text)
		if err != nil {
			return nil, err
		}
		return f(facts, pg)
	}
}
