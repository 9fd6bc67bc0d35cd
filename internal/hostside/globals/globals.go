// Package globals has what pg_dump does not put into a database's archive: roles and their memberships, and the
// properties of the database itself, such as who may connect to it and how it sorts. It reads them as facts,
// brings them back, and lists what differs.
//
// Roles come from what pg_dumpall --globals-only writes, for their passwords are in that alone; [Facts] hold no
// password, and may be shown, but for the values of settings of extensions and applications.
//
// It knows PostgreSQL 10 to 17. It must not know where a dump is kept, nor when it is restored.
package globals

import (
	"context"
	"embed"
	"encoding/json"
	"fmt"
	"regexp"
	"strings"

	"github.com/jackc/pgx/v5"
)

// File is the name of the facts in a backup, beside globals.sql.
const File = "globals.json"

// Facts are the properties of a database, and of the roles of its server.
type Facts struct {
	Version  int      `json:"version"` // server_version_num: 170002
	Database Database `json:"database"`
	// Public is the schema that every database is made with; nil: it was dropped.
	Public     *Schema     `json:"public,omitempty"`
	Defaults   []Default   `json:"defaults"`
	Roles      []Role      `json:"roles"` // but those that PostgreSQL itself has
	Members    []Member    `json:"members"`
	Parameters []Parameter `json:"parameters,omitempty"` // since PostgreSQL 15
}

// Database is what CREATE DATABASE and ALTER DATABASE say of one.
type Database struct {
	Name     string `json:"name"`
	Owner    string `json:"owner"`
	Encoding string `json:"encoding"`
	Collate  string `json:"collate"`
	Ctype    string `json:"ctype"`
	// Provider of the locale: c (libc), i (ICU), b (builtin).
	Provider   string    `json:"provider"`
	Locale     string    `json:"locale,omitempty"`    // of ICU's and the builtin provider
	ICURules   string    `json:"icu_rules,omitempty"` // since PostgreSQL 16
	Limit      int       `json:"limit"`               // of connections; -1: none
	Template   bool      `json:"template"`
	Comment    string    `json:"comment,omitempty"`
	Tablespace string    `json:"tablespace"`
	Grants     []Grant   `json:"grants"`
	Settings   []Setting `json:"settings"`
}

// Schema is who has it, and who may do what in it.
type Schema struct {
	Owner  string  `json:"owner"`
	Grants []Grant `json:"grants"`
}

// Grant is a privilege that somebody has, be it by default.
type Grant struct {
	Grantor   string `json:"grantor"`
	Grantee   string `json:"grantee,omitempty"` // empty: PUBLIC
	Privilege string `json:"privilege"`
	Grantable bool   `json:"grantable,omitempty"`
}

// Setting is what ALTER DATABASE SET, ALTER ROLE SET or ALTER ROLE IN DATABASE SET
// has set. A list is as PostgreSQL writes it.
type Setting struct {
	Role  string `json:"role,omitempty"` // empty: everybody's
	Name  string `json:"name"`
	Value string `json:"value"`
}

// Default is what ALTER DEFAULT PRIVILEGES has set.
type Default struct {
	Role   string `json:"role"`
	Schema string `json:"schema,omitempty"` // empty: all
	// Type is pg_default_acl's: r (tables), S (sequences), f (functions), T (types), n (schemas).
	Type   string  `json:"type"`
	Grants []Grant `json:"grants"`
}

// Role is one, without its password.
type Role struct {
	Name string `json:"name"`
	// Bootstrap is of the superuser that initdb has made, who can't be made again.
	Bootstrap   bool      `json:"bootstrap,omitempty"`
	Superuser   bool      `json:"superuser,omitempty"`
	Inherit     bool      `json:"inherit,omitempty"`
	CreateRole  bool      `json:"create_role,omitempty"`
	CreateDB    bool      `json:"create_db,omitempty"`
	Login       bool      `json:"login,omitempty"`
	Replication bool      `json:"replication,omitempty"`
	BypassRLS   bool      `json:"bypass_rls,omitempty"`
	Limit       int       `json:"limit"`              // of connections; -1: none
	Until       string    `json:"until,omitempty"`    // when the password ends to be valid, in UTC
	Password    string    `json:"password,omitempty"` // how it is kept: md5, SCRAM-SHA-256; empty: there is none
	Comment     string    `json:"comment,omitempty"`
	Settings    []Setting `json:"settings"`
}

// Member is that one role is a member of another.
type Member struct {
	Role   string `json:"role"`
	Member string `json:"member"`
	Admin  bool   `json:"admin,omitempty"`
	// These came with PostgreSQL 16. Before, members could always become the role, and
	// inherited what it may where they inherit at all; the grantor was no more than a note.
	Grantor string `json:"grantor,omitempty"`
	Inherit *bool  `json:"inherit,omitempty"`
	Set     *bool  `json:"set,omitempty"`
}

// Parameter is a setting of the server that others than superusers may change.
type Parameter struct {
	Name   string  `json:"name"`
	Grants []Grant `json:"grants"`
}

//go:embed *.sql
var queries embed.FS

var part = regexp.MustCompile(`<(grants|settings) ([^>]*)>`)

// query returns a query of a file, with the parts in their places: facts.sql says which there are.
func query(name string) string {
	text, err := queries.ReadFile(name + ".sql")
	if err != nil {
		panic(err) // there is no such file
	}
	return part.ReplaceAllStringFunc(string(text), func(found string) string {
		m := part.FindStringSubmatch(found)
		return strings.Replace(query(m[1]), "<it>", m[2], 1)
	})
}

// Read returns the facts of the database that a superuser is connected to.
func Read(ctx context.Context, pg *pgx.Conn) (*Facts, error) {
	if err := plainly(ctx, pg); err != nil {
		return nil, err
	}
	var text string
	if err := pg.QueryRow(ctx, query("facts")).Scan(&text); err != nil {
		return nil, fmt.Errorf("the properties of the database can't be read: %w", err)
	}
	f, err := Parse([]byte(text))
	if err != nil || f.Version < 150000 {
		return f, err
	}
	err = pg.QueryRow(ctx, query("parameters")).Scan(&text)
	if err == nil {
		err = json.Unmarshal([]byte(text), &f.Parameters)
	}
	if err != nil {
		return nil, fmt.Errorf("the privileges on parameters can't be read: %w", err)
	}
	return f, nil
}

// plainly has names mean what PostgreSQL means by them, the connected superuser be
// one, and no statement ended early, whatever is set for the database or the role.
// Who has a lock on what we change for longer is said, and not waited for.
func plainly(ctx context.Context, pg *pgx.Conn) error {
	for _, set := range []string{"set role none", "set search_path = pg_catalog", "set statement_timeout = 0",
		"set lock_timeout = '2min'", "set idle_in_transaction_session_timeout = 0"} {
		if _, err := pg.Exec(ctx, set); err != nil {
			return fmt.Errorf("the properties of the database can't be asked for: %w", err)
		}
	}
	return nil
}

// Parse reads facts as JSON has them.
func Parse(text []byte) (*Facts, error) {
	var f Facts
	if err := json.Unmarshal(text, &f); err != nil {
		return nil, fmt.Errorf("the properties of the backed-up database can't be read: %w", err)
	}
	if f.Version == 0 || f.Database.Name == "" {
		return nil, fmt.Errorf("the properties of the backed-up database are no facts: %s is not whole", File)
	}
	return &f, nil
}

func ident(name ...string) string { return pgx.Identifier(name).Sanitize() }

// literal is a text in SQL, however strings are read there.
func literal(text string) string {
	quoted := "'" + strings.ReplaceAll(text, "'", "''") + "'"
	if strings.Contains(text, `\`) {
		return " E" + strings.ReplaceAll(quoted, `\`, `\\`)
	}
	return quoted
}
