package agent

import (
	"errors"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/anonymize"
)

// Whatever pg_dump writes of a schema may have somebody in it: each entry is looked
// at, also of kinds that nobody has thought of.
func TestAnybodyInASchemaIsFoundAndTheEntryIsNamed(t *testing.T) {
	knows := func() *anonymize.Scan {
		scan := anonymize.NewSchemaScan()
		people := &anonymize.TablePlan{Schema: "public", Name: "people"}
		for name, c := range map[string]struct {
			kind  anonymize.Kind
			value string
		}{
			"mail": {anonymize.Email, "jean@orange.example"}, "name": {anonymize.LastName, "Kerviel"},
			"nir": {anonymize.NIR, "185057512345612"},
		} {
			column := anonymize.ColumnPlan{Column: anonymize.Column{Name: name}, Rule: anonymize.Rule{Kind: c.kind}}
			scan.Learn(people, &column, []string{c.value})
		}
		return scan
	}
	const begin = "--\n-- PostgreSQL database dump\n--\n\nSET search_path = '';\n"
	entry := func(name, kind, sql string) string {
		return begin + "\n--\n-- Name: " + name + "; Type: " + kind + "; Schema: public; Owner: django\n--\n\n" + sql + "\n\n" +
			"--\n-- Name: other; Type: TABLE; Schema: public; Owner: django\n--\n\nCREATE TABLE public.other (id integer);\n"
	}
	for _, c := range []struct{ name, kind, sql string }{
		{"TABLE t", "COMMENT", "COMMENT ON TABLE public.t IS 'ask jean@orange.example';"},
		{"COLUMN t.a", "COMMENT", "COMMENT ON COLUMN public.t.a IS 'as in: KERVIEL';"},
		{"t a", "DEFAULT", "ALTER TABLE ONLY public.t ALTER COLUMN a SET DEFAULT 'Kerviel'::text;"},
		{"v", "VIEW", "CREATE VIEW public.v AS\n SELECT 1 WHERE ('kerviel' = current_user);"},
		{"m", "MATERIALIZED VIEW", "CREATE MATERIALIZED VIEW public.m AS\n SELECT '1 85 05 75 123 456 12'::text AS n;"},
		{"f()", "FUNCTION", "CREATE FUNCTION public.f() RETURNS text LANGUAGE plpgsql AS $_$begin /* M. Kerviel */ end$_$;"},
		{"p()", "PROCEDURE", "CREATE PROCEDURE public.p() LANGUAGE sql BEGIN ATOMIC SELECT 'jean@orange.example'; END;"},
		{"t c", "CHECK CONSTRAINT", "ALTER TABLE public.t ADD CONSTRAINT c CHECK ((a <> 'Kerviel'::text));"},
		{"mood", "TYPE", "CREATE TYPE public.mood AS ENUM (\n    'fine',\n    'Kerviel'\n);"},
		{"d", "DOMAIN", "CREATE DOMAIN public.d AS text DEFAULT 'jean@orange.example';"},
		{"part", "TABLE", "CREATE TABLE public.part PARTITION OF public.t FOR VALUES IN ('Kerviel');"},
		{"part", "TABLE ATTACH", "ALTER TABLE ONLY public.t ATTACH PARTITION public.part FOR VALUES FROM ('185057512345612') TO (MAXVALUE);"},
		{"i", "INDEX", "CREATE INDEX i ON public.t USING btree (id) WHERE (nir = '185057512345612'::text);"},
		{"TABLE t", "SECURITY LABEL", "SECURITY LABEL FOR anon ON TABLE public.t IS 'MASKED WITH VALUE ''jean@orange.example''';"},
		{"t g", "TRIGGER", "CREATE TRIGGER g BEFORE INSERT ON public.t FOR EACH ROW WHEN ((new.a = 'Kerviel')) EXECUTE FUNCTION public.f('x');"},
		{"t r", "RULE", "CREATE RULE r AS ON INSERT TO public.t WHERE new.a = 'Kerviel' DO INSTEAD NOTHING;"},
		{"t p", "POLICY", "CREATE POLICY p ON public.t USING ((a <> 'jean@orange.example'::text));"},
		{"pub", "PUBLICATION", "CREATE PUBLICATION pub FOR TABLE public.t WHERE (a = 'Kerviel');"},
		{"s", "STATISTICS", "CREATE STATISTICS public.s ON (a = 'Kerviel') FROM public.t;"},
		{"a(text)", "AGGREGATE", "CREATE AGGREGATE public.a(text) (SFUNC = x, STYPE = text, INITCOND = 'Kerviel');"},
		{"w", "TEXT SEARCH DICTIONARY", "CREATE TEXT SEARCH DICTIONARY public.w (TEMPLATE = pg_catalog.simple, stopwords = 'kerviel');"},
		{"TABLE t", "ACL", `GRANT SELECT ON TABLE public.t TO "kerviel";`},
		{"DEFAULT PRIVILEGES", "DEFAULT ACL", `ALTER DEFAULT PRIVILEGES FOR ROLE "jean@orange.example" GRANT SELECT ON TABLES TO x;`},
		{"ft", "FOREIGN TABLE", "CREATE FOREIGN TABLE public.ft (a integer) SERVER s OPTIONS (table_name 'kerviel');"},
		{"q", "SEQUENCE", "CREATE SEQUENCE public.q START WITH 185057512345612;"},
		{"new", "SOMETHING NEW", "CREATE SOMETHING public.new AS 'Kerviel';"},
	} {
		err := lookAtSchema(knows(), []byte(entry(c.name, c.kind, c.sql)))
		leak, ok := errors.AsType[*anonymize.Leak](err)
		if !ok || leak.Of.Table != "people" || leak.In != "the schema's "+strings.ToLower(c.kind)+" "+c.name {
			t.Errorf("%s: %v", c.sql, err)
			continue
		}
		if said := strings.ToLower(err.Error()); strings.Contains(said, "kerviel") || strings.Contains(said, "jean@") || strings.Contains(said, "1850575") {
			t.Errorf("%s: the error quotes it: %v", c.sql, err)
		}
	}
	err := lookAtSchema(knows(), []byte(begin+"SELECT pg_catalog.set_config('app.admin', 'jean@orange.example', false);\n"))
	if leak, ok := errors.AsType[*anonymize.Leak](err); !ok || leak.In != "the schema's beginning" {
		t.Errorf("before the first entry: %v", err)
	}
	for kind, name := range map[string]string{"TYPE": "Kerviel", "TABLE": "dossier-kerviel", "SCHEMA": "jean@orange.example"} {
		err := lookAtSchema(knows(), []byte(entry(name, kind, "CREATE "+kind+" x;")))
		if leak, ok := errors.AsType[*anonymize.Leak](err); !ok || leak.In != "a name in the schema" {
			t.Errorf("%s %s: %v", kind, name, err)
		}
	}
	if err := lookAtSchema(knows(), []byte(entry("t", "TABLE", "CREATE TABLE public.t (first_name text DEFAULT 'Jeanne'::text);"))); err != nil {
		t.Errorf("nobody is in it: %v", err)
	}
	if err := lookAtSchema(knows(), []byte("\n")); err == nil {
		t.Error("no schema is one without anybody")
	}
}

// It gives access to another server, as a user mapping does, which stays behind.
func TestAnAddressWithItsPasswordDoesNotLeaveInASchema(t *testing.T) {
	for sql, has := range map[string]bool{
		"CREATE VIEW v AS SELECT * FROM public.dblink('host=archive dbname=x user=y password=geheim'::text, 'select 1'::text);": true,
		"CREATE FUNCTION f() AS $$select dblink_connect('password=geheim host=archive')$$;":                                     true,
		"CREATE FUNCTION f() AS $$ c = 'host=archive\n  user=y\n  password=geheim' $$;":                                         true,
		"ALTER TABLE t ALTER COLUMN a SET DEFAULT 'postgresql://django:geheim@archive/mrs'::text;":                              true,
		"COMMENT ON TABLE t IS 'from https://mrs:geheim@backup.example/x';":                                                     true,
		"CREATE FUNCTION f() AS $$update users set password='x' where user=u and password=p$$;":                                 false,
		"COMMENT ON TABLE t IS 'see https://mrs.example/a:b@c';":                                                                false,
		"CREATE VIEW v AS SELECT * FROM users WHERE (password = 'host'::text);":                                                 false,
	} {
		err := lookAtSchema(anonymize.NewSchemaScan(), []byte("x\n-- Name: a; Type: VIEW; Schema: public\n"+sql))
		if has != (err != nil) || has && (!strings.Contains(err.Error(), "the schema's view a\nhint: ") || strings.Contains(err.Error(), "geheim")) {
			t.Errorf("%s: %v", sql, err)
		}
	}
}
