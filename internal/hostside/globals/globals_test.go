package globals

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// roles10 is what pg_dumpall of PostgreSQL 10 begins with, with -c and of all databases.
const roles10 = `--
-- PostgreSQL database cluster dump
--

SET default_transaction_read_only = off;
SET standard_conforming_strings = on;

DROP DATABASE mrs;
DROP ROLE reader;

CREATE ROLE django;
ALTER ROLE django WITH SUPERUSER INHERIT CREATEROLE CREATEDB LOGIN REPLICATION BYPASSRLS PASSWORD 'md5b0';
CREATE ROLE "she ""left""; -- x";
ALTER ROLE "she ""left""; -- x" WITH NOSUPERUSER LOGIN CONNECTION LIMIT 7;
COMMENT ON ROLE "she ""left""; -- x" IS E'it''s \'; CREATE ROLE evil;\\';
CREATE ROLE reader;
ALTER ROLE reader WITH NOLOGIN;
ALTER ROLE reader SET "app.key" TO 'a;
\connect mrs
b';
ALTER ROLE reader IN DATABASE mrs SET work_mem TO '5MB';

GRANT pg_monitor TO reader WITH ADMIN OPTION GRANTED BY django;
GRANT reader TO "she ""left""; -- x" GRANTED BY "granted by";
CREATE TABLESPACE fast OWNER django LOCATION '/fast';
CREATE DATABASE mrs WITH TEMPLATE = template0 OWNER = django;
GRANT CONNECT ON DATABASE mrs TO reader;

\connect mrs

COPY public.t (a) FROM stdin;
CREATE ROLE evil SUPERUSER;
ALTER ROLE reader WITH SUPERUSER;
\.
`

func TestOfADumpTheRolesAreReadAndNothingThatOnlyLooksLikeOne(t *testing.T) {
	d, err := ReadDump(strings.NewReader(roles10))
	if err != nil {
		t.Fatal(err)
	}
	const she = `she "left"; -- x`
	quoted := `"she ""left""; -- x"`
	want := []dumped{
		{"django", []string{"CREATE ROLE django", "ALTER ROLE django WITH SUPERUSER INHERIT CREATEROLE CREATEDB LOGIN REPLICATION BYPASSRLS PASSWORD 'md5b0'"}},
		{she, []string{"CREATE ROLE " + quoted, "ALTER ROLE " + quoted + " WITH NOSUPERUSER LOGIN CONNECTION LIMIT 7", "COMMENT ON ROLE " + quoted + ` IS E'it''s \'; CREATE ROLE evil;\\'`}},
		{"reader", []string{"CREATE ROLE reader", "ALTER ROLE reader WITH NOLOGIN", "ALTER ROLE reader SET \"app.key\" TO 'a;\n\\connect mrs\nb'"}},
	}
	if !reflect.DeepEqual(d.roles, want) {
		t.Errorf("the roles are\n%q", d.roles)
	}
	if got := fmt.Sprint(d.members); got != "[membership of reader in pg_monitor, with admin option membership of "+she+" in reader]" {
		t.Errorf("the memberships are %s", got)
	}
}

func TestTheMembershipsOfPostgreSQL16HaveTheirOptions(t *testing.T) {
	d, err := ReadDump(strings.NewReader(`\restrict abc
GRANT a TO b WITH INHERIT TRUE GRANTED BY postgres;
GRANT a TO "B" WITH ADMIN OPTION, INHERIT FALSE, SET FALSE GRANTED BY "pg x";
GRANT SET, ALTER SYSTEM ON PARAMETER work_mem TO "B" WITH GRANT OPTION;
\unrestrict abc
`))
	if err != nil || len(d.members) != 2 || len(d.parameters) != 1 || d.parameters[0].role != "B" {
		t.Fatalf("%+v, %v", d, err)
	}
	for _, c := range []struct {
		version int
		want    []string
	}{
		{150000, []string{`GRANT "a" TO "b"`, `GRANT "a" TO "B" WITH ADMIN OPTION`}},
		{170000, []string{
			`GRANT "a" TO "b" WITH ADMIN false, INHERIT true, SET true GRANTED BY "postgres"`,
			`GRANT "a" TO "B" WITH ADMIN true, INHERIT false, SET false GRANTED BY "pg x"`,
		}},
	} {
		s := &session{version: c.version}
		if got := []string{s.membership(d.members[0]), s.membership(d.members[1])}; !slices.Equal(got, c.want) {
			t.Errorf("for %d: %q", c.version, got)
		}
	}
}

func TestADumpThatWasCutShortIsNone(t *testing.T) {
	for _, cut := range []string{"CREATE ROLE a;\nALTER ROLE a WITH LO", "COMMENT ON ROLE a IS 'x;\n", `CREATE ROLE "a;`} {
		if _, err := ReadDump(strings.NewReader(cut)); err == nil {
			t.Errorf("%q is whole", cut)
		}
	}
	if _, err := ReadDump(strings.NewReader("CREATE ROLE '" + strings.Repeat("x", longest+1))); err == nil {
		t.Error("a statement may be of any length")
	}
	for _, cut := range []string{"", "{", "{}", `{"version": 150000}`} {
		if _, err := Parse([]byte(cut)); err == nil {
			t.Errorf("%q are facts", cut)
		}
	}
}

func TestASettingIsWrittenAsItIsRead(t *testing.T) {
	for _, c := range []struct{ name, value, want string }{
		{"work_mem", "7MB", "'7MB'"},
		{"app.key", `it's \`, ` E'it''s \\'`},
		{"search_path", `"$user", public`, "'$user', 'public'"},
		{"Search_Path", `"a, ""b""",c`, `'a, "b"', 'c'`},
		{"search_path", `""`, "''"},
		{"search_path", "", "''"},
		{"datestyle", "SQL, DMY", "'SQL, DMY'"},
	} {
		if got := (Setting{Name: c.name, Value: c.value}).value(); got != c.want {
			t.Errorf("%s = %s is written %s, not %s", c.name, c.value, got, c.want)
		}
	}
}

func TestEveryPropertyThatDiffersIsListedAndNoSecretIs(t *testing.T) {
	yes, no := true, false
	was := func() *Facts {
		return &Facts{
			Version:  170000,
			Database: Database{Name: "a", Owner: "o", Encoding: "UTF8", Collate: "C", Ctype: "C", Provider: "c", Limit: -1, Tablespace: "pg_default", Grants: []Grant{{"o", "", "CONNECT", false}}, Settings: []Setting{{"", "work_mem", "7MB"}, {"r", "app.key", "hush"}}},
			Public:   &Schema{Owner: "o", Grants: []Grant{{"o", "", "USAGE", false}}},
			Defaults: []Default{{Role: "o", Type: "r", Grants: []Grant{{"o", "r", "SELECT", false}}}},
			Roles:    []Role{{Name: "o", Bootstrap: true, Superuser: true, Password: "md5"}, {Name: "r", Login: true, Limit: 7, Password: "md5", Comment: "hush"}},
			Members:  []Member{{Role: "pg_monitor", Member: "r", Grantor: "o", Inherit: &yes, Set: &yes}}, Parameters: []Parameter{{"work_mem", []Grant{{"o", "r", "SET", false}}}},
		}
	}
	same := was()
	same.Database.Name = "another"
	same.Roles[0].Password = "SCRAM-SHA-256" // the superuser's is the server's
	same.Roles = append(same.Roles, Role{Name: "new"})
	same.Members = append(same.Members, Member{Role: "r", Member: "new"})
	if got := Differences(was(), same); len(got) != 0 {
		t.Errorf("the same differs in %q", got)
	}
	old := was()
	old.Version, old.Members[0].Grantor, old.Members[0].Inherit, old.Members[0].Set, old.Parameters = 100000, "", nil, nil, nil
	old.Defaults[0].Grants = append(old.Defaults[0].Grants, Grant{"o", "r", "MAINTAIN", false})
	if got := Differences(old, was()); len(got) != 0 {
		t.Errorf("another version differs in %q", got)
	}
	for want, change := range map[string]func(f *Facts){
		"the owner is r, and was o":                                           func(f *Facts) { f.Database.Owner = "r" },
		"the encoding is LATIN1, and was UTF8":                                func(f *Facts) { f.Database.Encoding = "LATIN1" },
		"LC_COLLATE is x, and was C":                                          func(f *Facts) { f.Database.Collate = "x" },
		"LC_CTYPE is x, and was C":                                            func(f *Facts) { f.Database.Ctype = "x" },
		"the locale provider is icu, and was libc":                            func(f *Facts) { f.Database.Provider = "i" },
		"the locale is fr, and was none":                                      func(f *Facts) { f.Database.Locale = "fr" },
		"the ICU rules is x, and was none":                                    func(f *Facts) { f.Database.ICURules = "x" },
		"the limit of connections is 3, and was -1":                           func(f *Facts) { f.Database.Limit = 3 },
		"that it is a template is true, and was false":                        func(f *Facts) { f.Database.Template = true },
		"the tablespace is fast, and was pg_default":                          func(f *Facts) { f.Database.Tablespace = "fast" },
		"the comment was not there":                                           func(f *Facts) { f.Database.Comment = "hush" },
		"the setting work_mem is 8MB, and was 7MB":                            func(f *Facts) { f.Database.Settings[0].Value = "8MB" },
		"the setting app.key of r is another":                                 func(f *Facts) { f.Database.Settings[1].Value = "hush-too" },
		"the setting app.key of r is gone":                                    func(f *Facts) { f.Database.Settings = f.Database.Settings[:1] },
		"the setting app.new was not there":                                   func(f *Facts) { f.Database.Settings = append(f.Database.Settings, Setting{"", "app.new", "hush"}) },
		"not granted any more: CONNECT on the database to PUBLIC, by o":       func(f *Facts) { f.Database.Grants = nil },
		"granted, and was not: CONNECT on the database to r, by o":            func(f *Facts) { f.Database.Grants = append(f.Database.Grants, Grant{"o", "r", "CONNECT", false}) },
		"there is no schema public":                                           func(f *Facts) { f.Public = nil },
		"the owner of the schema public is r, and was o":                      func(f *Facts) { f.Public.Owner = "r" },
		"not granted any more: USAGE on the schema public to PUBLIC, by o":    func(f *Facts) { f.Public.Grants = nil },
		"not granted any more: SELECT on what o makes (r) to r, by o":         func(f *Facts) { f.Defaults = nil },
		"the role r is not there":                                             func(f *Facts) { f.Roles = f.Roles[:1] },
		"the role r: LOGIN is gone":                                           func(f *Facts) { f.Roles[1].Login = false },
		"the role r: SUPERUSER was not there":                                 func(f *Facts) { f.Roles[1].Superuser = true },
		"the role r: the limit of connections is -1, and was 7":               func(f *Facts) { f.Roles[1].Limit = -1 },
		"the role r: the end of its password is tomorrow, and was none":       func(f *Facts) { f.Roles[1].Until = "tomorrow" },
		"the role r: how its password is kept is none, and was md5":           func(f *Facts) { f.Roles[1].Password = "" },
		"the role r: the comment is another":                                  func(f *Facts) { f.Roles[1].Comment = "hush-too" },
		"the role r: the setting role was not there":                          func(f *Facts) { f.Roles[1].Settings = []Setting{{"r", "role", "o"}} },
		"not granted any more: membership of r in pg_monitor, by o":           func(f *Facts) { f.Members = nil },
		"granted, and was not: membership of r in o, with admin option":       func(f *Facts) { f.Members = append(f.Members, Member{Role: "o", Member: "r", Admin: true}) },
		"granted, and was not: membership of r in pg_x, without set option":   func(f *Facts) { f.Members = append(f.Members, Member{Role: "pg_x", Member: "r", Set: &no}) },
		"not granted any more: SET on the parameter work_mem to r, by o":      func(f *Facts) { f.Parameters = nil },
		"granted, and was not: SET on the parameter work_mem to PUBLIC, by o": func(f *Facts) { f.Parameters[0].Grants = append(f.Parameters[0].Grants, Grant{"o", "", "SET", false}) },
		"granted, and was not: USAGE on what o makes in s (S) to PUBLIC, by o": func(f *Facts) {
			f.Defaults = append(f.Defaults, Default{"o", "s", "S", []Grant{{"o", "", "USAGE", false}}})
		},
		"granted, and was not: CREATE on the schema public to r, by o, with grant option": func(f *Facts) { f.Public.Grants = append(f.Public.Grants, Grant{"o", "r", "CREATE", true}) },
	} {
		is := was()
		change(is)
		got := Differences(was(), is)
		if !slices.Equal(got, []string{want}) {
			t.Errorf("%q is listed as %q", want, got)
		}
		if strings.Contains(fmt.Sprint(got), "hush") {
			t.Errorf("a secret is in %q", got)
		}
	}
	none := was()
	none.Public = nil
	if got := Differences(none, was()); !slices.Equal(got, []string{"there is a schema public, and was none"}) {
		t.Errorf("a schema more is %q", got)
	}
}
