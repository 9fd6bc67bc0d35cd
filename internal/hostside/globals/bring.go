package globals

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
)

// session is a superuser's connection. Once it has an error, nothing more is tried.
type session struct {
	pg      *pgx.Conn
	version int
	said    []string // what was made, and what could not be, a sentence each
	err     error    // of a server that can't be asked
}

// begin opens a session in whose course the server's log gets no statement: some hold passwords.
func begin(ctx context.Context, pg *pgx.Conn) (*session, error) {
	s := &session{pg: pg}
	if err := plainly(ctx, pg); err != nil {
		return nil, err
	}
	for _, set := range []string{
		"log_statement = 'none'", "log_min_duration_statement = -1",
		"log_min_error_statement = 'panic'", "log_error_verbosity = 'terse'",
		"pg_stat_statements.track = 'none'", // a statement is kept there as it is
		"standard_conforming_strings = on", "default_transaction_read_only = off", "client_min_messages = 'error'",
	} {
		if err := s.run(ctx, "set "+set); err != nil {
			return nil, fmt.Errorf("the roles can't be restored: %w", err)
		}
	}
	err := pg.QueryRow(ctx, "select current_setting('server_version_num')::int").Scan(&s.version)
	return s, err
}

// run runs one statement: by the protocol that takes no second one.
func (s *session) run(ctx context.Context, statement string) error {
	_, err := s.pg.PgConn().ExecParams(ctx, statement, nil, nil, nil, nil).Close()
	return err
}

// within runs f in a transaction, or in a part of one: whole, or not at all.
func (s *session) within(ctx context.Context, f func() error) error {
	open, end, back := "begin", "commit", "rollback"
	if s.pg.PgConn().TxStatus() == 'T' {
		open, end, back = "savepoint part", "release part", "rollback to part"
	}
	if err := s.run(ctx, open); err != nil {
		return err
	}
	if err := f(); err != nil {
		return errors.Join(err, s.run(context.WithoutCancel(ctx), back))
	}
	return s.run(ctx, end)
}

// try runs statements as a whole, and returns why PostgreSQL refuses one of them,
// without what it was about. err is of a server that can't be asked.
func (s *session) try(ctx context.Context, statements ...string) (why string, err error) {
	err = s.within(ctx, func() error {
		for _, statement := range statements {
			if err := s.run(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok && !s.pg.IsClosed() {
		return refused.Message, nil
	}
	return "", err
}

func (s *session) names(ctx context.Context, query string) ([]string, error) {
	rows, err := s.pg.Query(ctx, query)
	if err != nil {
		return nil, err
	}
	return pgx.CollectRows(rows, pgx.RowTo[string])
}

// Roles makes those of a dump that the server lacks, as they were: attributes, password, settings, comment, the
// roles that each is in and those that are in it. One that is there stays as it is, and the connected superuser
// above all. It returns what it has made and what it could not, a sentence each.
func (d *Dump) Roles(ctx context.Context, pg *pgx.Conn) (said []string, err error) {
	s, err := begin(ctx, pg)
	if err != nil {
		return nil, err
	}
	known, err := s.names(ctx, "select rolname from pg_roles")
	if err != nil {
		return nil, fmt.Errorf("the roles can't be listed: %w", err)
	}
	// A role without its memberships would count as one that is there the next time.
	err = s.within(ctx, func() error {
		var made []string
		for _, role := range d.roles {
			if slices.Contains(known, role.name) {
				continue
			}
			if strings.HasPrefix(role.name, "pg_") {
				s.said = append(s.said, fmt.Sprintf("PostgreSQL has no role %s here", role.name))
				continue
			}
			if err := s.run(ctx, role.statements[0]); err != nil {
				return fmt.Errorf("the role %s can't be made: %w", role.name, plain(err))
			}
			made = append(made, role.name)
			s.said = append(s.said, fmt.Sprintf("made the role %s, which the snapshot has", role.name))
			for _, statement := range role.statements[1:] {
				why, err := s.try(ctx, statement)
				if err != nil {
					return fmt.Errorf("the role %s can't be made: %w", role.name, err)
				}
				if why != "" {
					s.said = append(s.said, fmt.Sprintf("the role %s is not all that it was: %s", role.name, why))
				}
			}
		}
		for _, p := range d.parameters {
			if slices.Contains(made, p.role) {
				s.say(ctx, "what "+p.role+" may set", p.statement)
			}
		}
		s.grant(ctx, slices.DeleteFunc(slices.Clone(d.members), func(m Member) bool {
			return !slices.Contains(made, m.Role) && !slices.Contains(made, m.Member)
		}))
		return s.err
	})
	if err != nil {
		return nil, err
	}
	return s.said, nil
}

// Superuser gives a role that is there what the dump says of it, all of it or nothing.
func (d *Dump) Superuser(ctx context.Context, pg *pgx.Conn, name string) error {
	s, err := begin(ctx, pg)
	if err != nil {
		return err
	}
	role := d.role(name)
	if role == nil {
		return fmt.Errorf("the dump of the roles has none that is called %s", name)
	}
	err = s.within(ctx, func() error {
		for _, statement := range role.statements[1:] {
			if err := s.run(ctx, statement); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("the role %s can't be what it was: %w", name, plain(err))
	}
	return nil
}

// plain is an error of PostgreSQL's without its details, which may be data.
func plain(err error) error {
	if refused, ok := errors.AsType[*pgconn.PgError](err); ok {
		return errors.New(refused.Message)
	}
	return err
}

// say tries statements, and says what did not come back where they are refused.
func (s *session) say(ctx context.Context, what string, statements ...string) {
	if s.err != nil {
		return
	}
	why, err := s.try(ctx, statements...)
	if why != "" {
		s.said = append(s.said, fmt.Sprintf("%s is not restored: %s", what, why))
	}
	s.err = err
}

// grant grants memberships. Who grants has to have got the right to before, so the order is found by trying.
func (s *session) grant(ctx context.Context, members []Member) {
	s.until(ctx, len(members), func(i int, last bool) (what string, statements [][]string) {
		m := members[i]
		statements = [][]string{{s.membership(m)}}
		// The superuser that initdb has made may have another name here, and others who granted may be gone.
		if last {
			m.Grantor = ""
			statements = append(statements, []string{s.membership(m)})
		}
		return fmt.Sprintf("the membership of %s in %s", m.Member, m.Role), statements
	})
}

// ways are those in which the i-th thing may be done, and what it is called. Before
// it is given up there may be more of them.
type ways func(i int, last bool) (what string, statements [][]string)

// until tries n things as often as one of them comes to pass, and says what does not at
// last. Each is a list of ways, of which one is enough.
func (s *session) until(ctx context.Context, n int, ways ways) {
	left := make([]int, n)
	for i := range left {
		left[i] = i
	}
	for last := false; len(left) > 0 && s.err == nil; {
		var again []int
		var not []string
		for _, i := range left {
			what, all := ways(i, last)
			var why string
			for _, way := range all {
				if why, s.err = s.try(ctx, way...); s.err != nil {
					s.err = fmt.Errorf("%s can't be restored: %w", what, s.err)
					return
				}
				if why == "" {
					break
				}
			}
			if why != "" {
				again = append(again, i)
				not = append(not, fmt.Sprintf("%s is not restored: %s", what, why))
			}
		}
		if len(again) == len(left) {
			if last {
				s.said = append(s.said, not...)
				return
			}
			last = true
		}
		left = again
	}
}

// membership is the statement for one, as far as the server has its options.
func (s *session) membership(m Member) string {
	statement := "GRANT " + ident(m.Role) + " TO " + ident(m.Member)
	if s.version < 160000 || m.Inherit == nil {
		if m.Admin {
			statement += " WITH ADMIN OPTION"
		}
		return statement
	}
	set := m.Set == nil || *m.Set
	statement += fmt.Sprintf(" WITH ADMIN %t, INHERIT %t, SET %t", m.Admin, *m.Inherit, set)
	if m.Grantor != "" {
		statement += " GRANTED BY " + ident(m.Grantor)
	}
	return statement
}

// Create makes an empty database, as far as it has to be made so: its encoding and how it sorts. Where the server
// lacks the locale, it sorts as the server's own do, and that is said; with another encoding no database is made.
func (f *Facts) Create(ctx context.Context, pg *pgx.Conn, name string) (said []string, err error) {
	s, err := begin(ctx, pg)
	if err != nil {
		return nil, err
	}
	d := f.Database
	base := fmt.Sprintf("CREATE DATABASE %s TEMPLATE template0 ENCODING %s", ident(name), literal(d.Encoding))
	locale := fmt.Sprintf(" LC_COLLATE %s LC_CTYPE %s", literal(d.Collate), literal(d.Ctype))
	if s.version >= 150000 {
		switch d.Provider {
		case "i":
			locale += " LOCALE_PROVIDER icu ICU_LOCALE " + literal(d.Locale)
			if d.ICURules != "" {
				locale += " ICU_RULES " + literal(d.ICURules)
			}
		case "b":
			locale += " LOCALE_PROVIDER builtin BUILTIN_LOCALE " + literal(d.Locale)
		default:
			locale += " LOCALE_PROVIDER libc"
		}
	}
	err = s.run(ctx, base+locale)
	refused, ok := errors.AsType[*pgconn.PgError](err)
	if ok && slices.Contains([]string{wrongObjectType, invalidParameter, notSupported}, refused.Code) {
		said = append(said, fmt.Sprintf("the locale of the database, %s, is not on this server (%s): "+
			"it sorts as the server does", d.locale(), refused.Message))
		// That the server's own locale is of another encoding is no reason to lose text.
		if err = s.run(ctx, base); err != nil {
			err = s.run(ctx, base+" LC_COLLATE 'C' LC_CTYPE 'C'")
		}
	}
	if err != nil {
		return nil, fmt.Errorf("no database can be made as the one of the snapshot was, with encoding %s: %w",
			d.Encoding, plain(err))
	}
	return said, nil
}

// What PostgreSQL says of a locale that it lacks, by the version and the provider.
const (
	wrongObjectType  = "42809"
	invalidParameter = "22023"
	notSupported     = "0A000"
)

func (d Database) locale() string {
	text := map[string]string{"i": "ICU ", "b": "builtin "}[d.Provider] + d.Locale
	if d.Provider == "c" {
		text = d.Collate
		if d.Ctype != d.Collate {
			text += " and " + d.Ctype
		}
	}
	return strings.TrimSpace(text)
}

// Bring gives the database that pg is connected to, whatever its name is, what it has had, but for what
// [Facts.Create] does and the tablespace: owner, grants, limit of connections, comment, settings, and the
// schema public's owner and grants. It returns what could not be brought back, a sentence each.
func (f *Facts) Bring(ctx context.Context, pg *pgx.Conn) (said []string, err error) {
	s, err := begin(ctx, pg)
	if err != nil {
		return nil, err
	}
	is, err := Read(ctx, pg)
	if err != nil {
		return nil, err
	}
	err = s.within(ctx, func() (err error) {
		was, database := f.Database, "DATABASE "+ident(is.Database.Name)
		if was.Owner != is.Database.Owner {
			s.say(ctx, "the owner "+was.Owner, "ALTER "+database+" OWNER TO "+ident(was.Owner))
		}
		if f.Public != nil && is.Public != nil && f.Public.Owner != is.Public.Owner {
			s.say(ctx, "the owner of the schema public", "ALTER SCHEMA public OWNER TO "+ident(f.Public.Owner))
		}
		s.say(ctx, "the limit of connections", fmt.Sprintf("ALTER %s CONNECTION LIMIT %d", database, was.Limit))
		if was.Comment != is.Database.Comment {
			comment := "NULL"
			if was.Comment != "" {
				comment = literal(was.Comment)
			}
			s.say(ctx, "the comment", "COMMENT ON "+database+" IS "+comment)
		}
		s.settings(ctx, is.Database.Name, was.Settings, is.Database.Settings)
		if s.err != nil {
			return s.err
		}
		// A new owner has the grants of the one before.
		if is, err = Read(ctx, pg); err != nil {
			return err
		}
		s.acl(ctx, database, was.Grants, is.Database.Grants)
		if f.Public != nil && is.Public != nil {
			s.acl(ctx, "SCHEMA public", f.Public.Grants, is.Public.Grants)
		}
		return s.err
	})
	if err != nil {
		return nil, fmt.Errorf("what the database had beside its data can't be restored: %w", plain(err))
	}
	return s.said, nil
}

// settings sets what was set for a database, and nothing else.
func (s *session) settings(ctx context.Context, database string, was, is []Setting) {
	if slices.Equal(was, is) {
		return
	}
	for _, set := range is {
		s.say(ctx, "the setting "+set.Name, set.reset(database))
	}
	for _, set := range was {
		s.say(ctx, "the setting "+set.Name, set.set(database))
	}
}

// set and reset are the statements for a setting; of a role everywhere where the database has no name.
func (s Setting) set(database string) string {
	return s.alter(database) + " SET " + s.parameter() + " TO " + s.value()
}
func (s Setting) reset(database string) string { return s.alter(database) + " RESET " + s.parameter() }

func (s Setting) alter(database string) string {
	switch {
	case s.Role == "":
		return "ALTER DATABASE " + ident(database)
	case database == "":
		return "ALTER ROLE " + ident(s.Role)
	}
	return "ALTER ROLE " + ident(s.Role) + " IN DATABASE " + ident(database)
}

func (s Setting) parameter() string { return ident(strings.Split(s.Name, ".")...) }

// lists are the settings whose value PostgreSQL keeps as a list of names, quoted
// where they have to be (GUC_LIST_QUOTE in its sources).
var lists = []string{"local_preload_libraries", "search_path", "session_preload_libraries",
	"shared_preload_libraries", "temp_tablespaces", "unix_socket_directories"}

// value is a setting's, as SET takes it.
func (s Setting) value() string {
	if !slices.Contains(lists, strings.ToLower(s.Name)) || strings.TrimSpace(s.Value) == "" {
		return literal(s.Value)
	}
	var all []string
	for rest := s.Value; ; {
		rest = strings.TrimLeft(rest, " \t\n,")
		if rest == "" {
			return strings.Join(all, ", ")
		}
		if rest[0] == '"' {
			name, end := quoted(rest, 0, false)
			all, rest = append(all, literal(name)), rest[end:]
			continue
		}
		name, after, _ := strings.Cut(rest, ",")
		all, rest = append(all, literal(strings.TrimSpace(name))), after
	}
}

// acl gives an object the grants that it had, and no others.
func (s *session) acl(ctx context.Context, object string, was, is []Grant) {
	if same(was, is) || s.err != nil {
		return
	}
	var revoke []string
	for _, g := range is {
		revoke = append(revoke, fmt.Sprintf("REVOKE ALL ON %s FROM %s CASCADE", object, g.to()))
	}
	slices.Sort(revoke)
	why, err := s.try(ctx, slices.Compact(revoke)...)
	if why != "" || err != nil {
		s.said = append(s.said, "what may be done with the "+strings.ToLower(object)+" is not restored: "+why)
		s.err = err
		return
	}
	s.until(ctx, len(was), func(i int, _ bool) (string, [][]string) {
		g := was[i]
		grant := fmt.Sprintf("GRANT %s ON %s TO %s", g.Privilege, object, g.to())
		if g.Grantable {
			grant += " WITH GRANT OPTION"
		}
		return g.Privilege + " of " + g.who(), [][]string{{"SET LOCAL ROLE " + ident(g.Grantor), grant, "RESET ROLE"}}
	})
}

// to is the grantee in SQL, who for people.
func (g Grant) to() string {
	if g.Grantee == "" {
		return "PUBLIC"
	}
	return ident(g.Grantee)
}

func (g Grant) who() string {
	if g.Grantee == "" {
		return "PUBLIC"
	}
	return g.Grantee
}

// same reports whether these are the same, in whatever order.
func same(a, b []Grant) bool {
	return len(a) == len(b) && !slices.ContainsFunc(a, func(g Grant) bool { return !slices.Contains(b, g) })
}

// Settle gives the superuser that initdb has made, who is there on every server, what he has had and has not:
// settings, and memberships, which give him nothing that he may not do anyway. To call once the database is the
// one that counts. It returns what then differs.
func (f *Facts) Settle(ctx context.Context, pg *pgx.Conn) (differences []string, err error) {
	s, err := begin(ctx, pg)
	if err != nil {
		return nil, err
	}
	is, err := Read(ctx, pg)
	if err != nil {
		return nil, err
	}
	was, ok := f.bootstrap()
	now, there := is.bootstrap()
	if ok && there && was.Name == now.Name {
		for _, set := range was.Settings {
			if !slices.ContainsFunc(now.Settings, func(n Setting) bool { return n.Name == set.Name }) {
				s.say(ctx, "the setting "+set.Name, set.set(""))
			}
		}
		s.grant(ctx, slices.DeleteFunc(slices.Clone(f.Members), func(m Member) bool {
			return m.Member != was.Name ||
				slices.ContainsFunc(is.Members, func(n Member) bool { return n.Role == m.Role && n.Member == m.Member })
		}))
		if s.err != nil {
			return nil, s.err
		}
	}
	if is, err = Read(ctx, pg); err != nil {
		return nil, err
	}
	return Differences(f, is), nil
}

func (f *Facts) bootstrap() (Role, bool) {
	return first(f.Roles, func(r Role) bool { return r.Bootstrap })
}
