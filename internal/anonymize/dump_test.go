package anonymize

import (
	"bytes"
	"slices"
	"strings"
	"testing"
)

const dumpRules = `tables:
  people: {id: keep, name: lastName, "e mail": email}
  Odd.one: {day: birthDate, who: lastName}
  sessions: empty
`

const dumpText = `--
-- PostgreSQL database dump
--

\restrict abc

SET client_encoding = 'UTF8';
SELECT pg_catalog.set_config('search_path', '', false);

CREATE FUNCTION public.f() RETURNS void
    LANGUAGE sql
    AS $_$
COPY public.people (id, name) FROM stdin;
INSERT INTO people VALUES ('x;y');
$_$;

CREATE TABLE public.people (
    id integer DEFAULT nextval('public.x, y'::regclass) NOT NULL,
    name character varying(70) DEFAULT 'a; b
c'::character varying NOT NULL,
    "e mail" text COLLATE pg_catalog."C",
    twice integer GENERATED ALWAYS AS ((id * 2)) STORED,
    CONSTRAINT c CHECK (((id > 0) AND (name)::text <> 'Kerviel, no'::text))
);

COMMENT ON TABLE public.people IS 'it''s -- COPY x FROM stdin; /* E\';

CREATE TABLE "Odd".one (
    day date,
    who text
)
PARTITION BY RANGE (day);

CREATE TABLE "Odd".one_old (
    day date,
    who text
);

CREATE TABLE public.sessions (
    key text NOT NULL
);

ALTER TABLE ONLY "Odd".one ATTACH PARTITION "Odd".one_old FOR VALUES FROM (MINVALUE) TO ('2020-01-01');

COPY public.people ("e mail", id, name) FROM stdin;
jean.kerviel@orange.example	1	Kerviel
\N	2	Le Gall
\.

COPY "Odd".one_old (day, who) FROM stdin;
1985-05-12	Kerviel
\.

COPY public.sessions (key) FROM stdin;
abc
\.

SELECT pg_catalog.setval('public.people_id_seq', 2, true);

--
-- PostgreSQL database dump complete
--

\unrestrict abc
`

func filterDump(t *testing.T, text string) (string, error) {
	t.Helper()
	rules, err := ParseRules("rules.yml", []byte(dumpRules))
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	_, err = Dump(&out, strings.NewReader(text), rules, Key{1})
	return out.String(), err
}

func TestOfADumpOnlyRowsAreChanged(t *testing.T) {
	out, err := filterDump(t, dumpText)
	if err != nil {
		t.Fatal(err)
	}
	was, is := strings.Split(dumpText, "\n"), strings.Split(out, "\n")
	changed := 0
	for i, line := range was {
		switch {
		case line == "abc": // of the table that is empty
			is = append(is[:i:i], append([]string{line}, is[i:]...)...)
		case is[i] != line:
			changed++
			if strings.Count(is[i], "\t") != strings.Count(line, "\t") {
				t.Errorf("%q became %q", line, is[i])
			}
		}
	}
	if changed != 3 || len(was) != len(is) || strings.Count(out, "Kerviel") != 1 {
		t.Errorf("%d lines are changed:\n%s", changed, out)
	}
	fake := is[45]
	if !strings.HasSuffix(is[50], fake[strings.LastIndexByte(fake, '\t'):]) {
		t.Errorf("one name has two fakes: %q, %q", fake, is[50])
	}
}

func TestWhatADumpMayHideIsRefusedBeforeItIsWritten(t *testing.T) {
	for _, c := range []struct{ was, is, want string }{
		{"SELECT pg_catalog.setval", "INSERT INTO public.people VALUES (1, 'Kerviel');\nSELECT pg_catalog.setval", "INSERT"},
		{"SELECT pg_catalog.setval", "/* x */ insert into public.people VALUES (1, 'Kerviel');\nSELECT pg_catalog.setval", "insert"},
		{"SELECT pg_catalog.setval", "SELECT pg_catalog.lo_create('1');\nSELECT pg_catalog.setval", "SELECT"},
		{"SELECT pg_catalog.setval", "SET x = 1; INSERT INTO public.people VALUES (1, 'Kerviel');\nSELECT pg_catalog.setval", "two statements"},
		{"SELECT pg_catalog.setval", "DO $$ insert into people values ('Kerviel') $$;\nSELECT pg_catalog.setval", "DO"},
		{"SELECT pg_catalog.setval", "CREATE TABLE public.x AS\nSELECT 'Kerviel';\nSELECT pg_catalog.setval", "made of a query"},
		{"SELECT pg_catalog.setval", "COPY public.other (a) FROM stdin;\nKerviel\n\\.\nSELECT pg_catalog.setval", "public.other"},
		{"SELECT pg_catalog.setval", "COPY public.people FROM '/tmp/x';\nSELECT pg_catalog.setval", "COPY"},
		{"SELECT pg_catalog.setval", "CREATE VIEW v AS\nSELECT dblink('host=x\nuser=y password=Kerviel');\nSELECT pg_catalog.setval", "an address with its password"},
		{"SELECT pg_catalog.setval", "\\! cat\nSELECT pg_catalog.setval", "psql"},
		{"'UTF8'", "'LATIN1'", "LATIN1"},
		{"    who text\n);", "    who text,\n    phone text\n);", "Odd.one.phone"},
		{"    key text NOT NULL\n", "    key text NOT NULL\n);\nCREATE TABLE public.more (\n    a text\n", "more.a (text) has no rule"},
		{"2\tLe Gall\n\\.\n", "2\tLe Gall\n", "fields"},
		{"Kerviel\n\\N", "Kerviel\t\n\\N", "more fields"},
	} {
		if !strings.Contains(dumpText, c.was) {
			t.Fatalf("the dump has no %q", c.was)
		}
		out, err := filterDump(t, strings.Replace(dumpText, c.was, c.is, 1))
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%q: %v", c.is, err)
			continue
		}
		if strings.Contains(err.Error(), "Kerviel") || strings.Count(out, "Kerviel") > 1 {
			t.Errorf("%q: it shows what it should hide: %v\n%s", c.is, err, out)
		}
	}
	for n := range strings.Index(dumpText, "-- PostgreSQL database dump complete") {
		if _, err := filterDump(t, dumpText[:n]); err == nil {
			t.Errorf("cut after %d bytes it is well", n)
		}
	}
}

// around puts statements and rows between the beginning and the end of a dump.
func around(text string) string {
	return "-- PostgreSQL database dump\n\nSET client_encoding = 'UTF8';\nSELECT pg_catalog.set_config('search_path', '', false);\n\n" +
		text + "\n\n-- PostgreSQL database dump complete\n"
}

// What pg_dump writes by its options, and what of databases that have more than MRS has.
func TestWhateverPgDumpWritesPassesOrIsRefused(t *testing.T) {
	const people = "CREATE TABLE public.people (\n    id integer,\n    name text\n);\n"
	const row = "COPY public.people (id, name) FROM stdin;\n1\tKerviel\n\\.\n"
	const base = "CREATE TABLE public.base (\n    id integer,\n    name text\n);\n"
	for name, c := range map[string]struct{ text, refused string }{
		"INHERITS": {base + "CREATE TABLE public.child (\n    more text\n)\nINHERITS (public.base);\n" +
			"COPY public.child (id, name, more) FROM stdin;\n1\tKerviel\tKerviel\n\\.\n", ""},
		"INHERITS of two, without columns of its own": {base + "CREATE TABLE public.other (\n    name text,\n    more text\n);\n" +
			"CREATE TABLE public.child (\n)\nINHERITS (public.base, public.other)\nWITH (fillfactor='70');\n" +
			"COPY public.child (id, name, more) FROM stdin;\n1\tKerviel\tKerviel\n\\.\n", ""},
		"OF a type": {"CREATE TYPE public.person AS (\n\tid integer,\n\tname text COLLATE pg_catalog.\"C\"\n);\nCREATE TABLE public.people OF public.person;\n" + row, ""},
		"OF a type, with options": {"CREATE TYPE public.person AS (\n\tid integer,\n\tname text\n);\n" +
			"CREATE TABLE public.people OF public.person (\n    id WITH OPTIONS DEFAULT 1 NOT NULL,\n    CONSTRAINT c CHECK ((id > 0))\n);\n" + row, ""},
		"OF a type with a column that no rule names": {"CREATE TYPE public.person AS (\n\tid integer,\n\tname text,\n\tphone text\n);\nCREATE TABLE public.people OF public.person;\n" + row, "people.phone"},
		"PARTITION OF, as of PostgreSQL 10": {people[:len(people)-2] + "\nPARTITION BY RANGE (id);\n" +
			"CREATE TABLE public.p1 PARTITION OF public.people\nFOR VALUES FROM (1) TO (10);\n" +
			"CREATE TABLE public.p2 PARTITION OF public.people (\n    id WITH OPTIONS NOT NULL\n)\nFOR VALUES FROM (10) TO (20);\n" +
			"COPY public.p1 (id, name) FROM stdin;\n1\tKerviel\n\\.\nCOPY public.p2 (id, name) FROM stdin;\n11\tKerviel\n\\.\n", ""},
		"--load-via-partition-root": {people[:len(people)-2] + "\nPARTITION BY RANGE (id);\n" + row, ""},
		"no columns":                {"CREATE TABLE public.nothing (\n);\nCOPY public.nothing  FROM stdin;\n\n\n\\.\n", ""},
		"a domain":                  {"CREATE DOMAIN public.word AS text COLLATE pg_catalog.\"C\"\n\tCONSTRAINT c CHECK ((VALUE <> ''::text));\nCREATE DOMAIN public.called AS public.word;\nCREATE TABLE public.people (\n    id integer,\n    name public.called\n);\n" + row, ""},
		"a constraint of NOT NULL":  {people[:len(people)-4] + ",\n    NOT NULL id,\n    CONSTRAINT x NOT NULL name\n);\n" + row, ""},

		"--quote-all-identifiers": {"CREATE TABLE \"public\".\"people\" (\n    \"id\" integer,\n    \"name\" \"public\".\"citext\"\n);\nALTER TABLE \"public\".\"people\" OWNER TO \"x\";\n" +
			"COPY \"public\".\"people\" (\"id\", \"name\") FROM stdin;\n1\tKerviel\n\\.\nSELECT pg_catalog.setval('\"public\".\"s\"', 1, true);\n", ""},
		"--clean --if-exists --create": {"DROP DATABASE IF EXISTS mrs;\nCREATE DATABASE mrs WITH TEMPLATE = template0 ENCODING = 'UTF8';\n\\connect mrs\n" +
			"ALTER DATABASE mrs SET work_mem TO '7MB';\nALTER ROLE django IN DATABASE mrs SET work_mem TO '7MB';\n" +
			"ALTER TABLE IF EXISTS ONLY public.people DROP CONSTRAINT IF EXISTS c;\nDROP TABLE IF EXISTS public.people;\n" + people + row, ""},
		"--disable-triggers":     {people + "ALTER TABLE public.people DISABLE TRIGGER ALL;\n" + row + "ALTER TABLE public.people ENABLE TRIGGER ALL;\n", ""},
		"--data-only":            {row, "public.people"},
		"--section=data":         {"SET row_security = off;\n" + row, "public.people"},
		"--section=pre-data":     {people, ""},
		"--section=post-data":    {"ALTER TABLE ONLY public.people\n    ADD CONSTRAINT p PRIMARY KEY (id);\nCREATE INDEX i ON public.people USING btree (name);\n", ""},
		"\\restrict":             {"\\restrict Zg0\n" + people + row + "\\unrestrict Zg0\n", ""},
		"--inserts":              {people + "INSERT INTO public.people VALUES (1, 'Kerviel');\n", "INSERT"},
		"--column-inserts":       {people + "INSERT INTO public.people (id, name) VALUES (1, 'Kerviel');\n", "INSERT"},
		"--rows-per-insert":      {people + "INSERT INTO public.people VALUES\n\t(1, 'Kerviel'),\n\t(2, 'Kerviel');\n", "INSERT"},
		"--inserts of two lines": {people + "INSERT INTO public.people VALUES (1, 'Kerviel\nand son');\n", "INSERT"},
		"--inserts, short":       {"CREATE TABLE a.b (\n    a text\n);\nINSERT INTO a.b VALUES\n\t('Kerviel'),\n\t('');\n", "INSERT"},
		"--inserts of a type":    {people + "INSERT INTO public.people OVERRIDING SYSTEM VALUE VALUES (1, 'Kerviel') ON CONFLICT DO NOTHING;\n", "INSERT"},
		"--oids":                 {people + "COPY public.people (id, name) WITH OIDS FROM stdin;\n1\t1\tKerviel\n\\.\n", "COPY"},
		"--statistics": {people + "SELECT * FROM pg_catalog.pg_restore_attribute_stats(\n\t'schemaname', 'public',\n\t'relname', 'people',\n" +
			"\t'most_common_vals', '{Kerviel}'::text\n);\n", "SELECT"},
		"large objects":                     {"SELECT pg_catalog.lo_create('1');\nBEGIN;\nSELECT pg_catalog.lo_open('1', 131072);\nSELECT pg_catalog.lowrite(0, '\\x4b65727669656c');\nCOMMIT;\n", "--no-large-objects"},
		"large objects, --clean":            {"SELECT pg_catalog.lo_unlink('1');\n", "--no-blobs"},
		"large objects of many, of one row": {"SELECT pg_catalog.lo_create(t.loid) FROM (VALUES\n('1')) AS t(loid);\n", "--no-large-objects"},
		"--include-foreign-data":            {"CREATE FOREIGN TABLE public.far (\n    name text\n)\nSERVER archive;\nCOPY public.far (name) FROM stdin;\nKerviel\n\\.\n", "--exclude-table=public.far"},
		"an extension's rows":               {"COPY cron.job (command) FROM stdin;\nKerviel\n\\.\n", "cron.job"},
		"an extension's rows that are none": {"COPY cron.job (command) FROM stdin;\n\\.\n", ""},
		"an extension's rows, empty":        {people + "COPY cron.runs (command) FROM stdin;\nKerviel\nKerviel\n\\.\n" + row, ""},
		"pg_dumpall":                        {"CREATE ROLE x;\nALTER ROLE x WITH LOGIN PASSWORD 'Kerviel';\n", "password"},

		"a function in $$": {"CREATE FUNCTION public.f() RETURNS void\n    LANGUAGE sql\n    AS $$COPY public.people (id, name) FROM stdin;\nINSERT INTO x VALUES (';');$$;\n" + people + row, ""},
		"a function in quotes, --disable-dollar-quoting": {"CREATE FUNCTION public.f() RETURNS text\n    LANGUAGE sql\n    AS '\nINSERT INTO x VALUES (''it''''s; \\'');\nselect $x$;\n';\n" + people + row, ""},
		"a function in quotes, without standard_conforming_strings": {"SET standard_conforming_strings = off;\nCREATE FUNCTION public.f() RETURNS text\n    LANGUAGE sql\n    AS '\nINSERT INTO x VALUES (''\\\\'');\n';\n" +
			"COMMENT ON FUNCTION public.f() IS E'it''s \\';\\n';\n" + people + row, ""},
		"BEGIN ATOMIC": {"CREATE FUNCTION public.f(a integer) RETURNS integer\n    LANGUAGE sql\n    BEGIN ATOMIC\n INSERT INTO public.people (id)\n   VALUES (1);\n" +
			" SELECT\n         CASE\n             WHEN (f.a > 1) THEN 1\n             ELSE 2\n         END AS \"case\";\nEND;\n" + people + row, ""},
		"BEGIN ATOMIC of a procedure": {"CREATE OR REPLACE PROCEDURE public.f()\n    LANGUAGE sql\n    BEGIN ATOMIC\n DELETE FROM public.people;\n SELECT 1 AS \"END\";\nEND;\n" + people + row, ""},
		"behind a function":           {"CREATE FUNCTION public.f() RETURNS void\n    LANGUAGE sql\n    BEGIN ATOMIC\n SELECT 1;\nEND;\nINSERT INTO public.people VALUES (1, 'Kerviel');\n", "INSERT"},
		"a rule of several commands":  {people + "CREATE RULE r AS\n    ON INSERT TO public.people DO INSTEAD ( INSERT INTO public.log (id)\n  VALUES (new.id);\n UPDATE public.log SET a = ')';\n);\n" + row, ""},
		"comments with COPY in them": {"/* COPY public.people (id, name) FROM stdin;\n /* Kerviel */\n*/\n-- COPY public.people (id, name) FROM stdin;\n" +
			"COMMENT ON SCHEMA public IS 'so:\nCOPY public.people (id, name) FROM stdin;\n\\.\n';\n" + people + row, ""},
		"a table that is called as a query": {"CREATE TABLE public.\"x AS y\" (\n    id integer\n);\nCOPY public.\"x AS y\" (id) FROM stdin;\n1\n\\.\n", ""},
	} {
		rules, err := ParseRules("rules.yml", []byte("tables:\n  people: {id: keep, name: lastName}\n  cron.runs: empty\n"+
			"  x AS y: {id: keep}\nothers:\n  - {name: id, rule: keep}\n  - {name: name, rule: lastName}\n  - {name: more, rule: lastName}\n"))
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		_, err = Dump(&out, strings.NewReader(around(c.text)), rules, Key{1})
		switch {
		case c.refused == "" && err != nil, c.refused != "" && (err == nil || !strings.Contains(err.Error(), c.refused)):
			t.Errorf("%s: %v", name, err)
		case err != nil && strings.Contains(err.Error(), "Kerviel"), strings.Count(out.String(), "Kerviel") != strings.Count(c.text, "/* Kerviel"):
			t.Errorf("%s: somebody is still there: %v\n%s", name, err, out.String())
		case err == nil && !strings.Contains(c.text, "cron.runs") && strings.Count(out.String(), "\n") != strings.Count(around(c.text), "\n"):
			t.Errorf("%s: lines are missing:\n%s", name, out.String())
		}
	}
}

func TestWhatGivesAccessToOtherServersIsLeftOutOfADump(t *testing.T) {
	out := &bytes.Buffer{}
	rules, err := ParseRules("rules.yml", []byte(dumpRules))
	if err != nil {
		t.Fatal(err)
	}
	done, err := Dump(out, strings.NewReader(around(`DROP USER MAPPING IF EXISTS FOR django SERVER archive;
DROP SERVER IF EXISTS archive;
CREATE FOREIGN DATA WRAPPER http OPTIONS (
    token 'geheim'
);
CREATE SERVER archive TYPE 'x' FOREIGN DATA WRAPPER postgres_fdw OPTIONS (
    host 'archive.example',
    password 'geheim;
geheim'
);
ALTER SERVER archive OWNER TO django;
COMMENT ON SERVER archive IS 'geheim';
GRANT ALL ON FOREIGN SERVER archive TO django;
CREATE USER MAPPING FOR "the user" SERVER archive OPTIONS (
    password 'geheim',
    "user" 'x'
);
CREATE SUBSCRIPTION s CONNECTION 'host=archive.example password=geheim' PUBLICATION p WITH (connect = false, slot_name = 's');
ALTER SUBSCRIPTION s OWNER TO django;
CREATE PUBLICATION kept FOR ALL TABLES WITH (publish = 'insert');
COMMENT ON TABLE public.people IS 'GRANT ALL ON FOREIGN SERVER archive';`)), rules, Key{1})
	if err != nil {
		t.Fatal(err)
	}
	if text := out.String(); strings.Contains(text, "geheim") || strings.Contains(text, "archive ") || !strings.Contains(text, "PUBLICATION kept") || !strings.Contains(text, "COMMENT ON TABLE") {
		t.Errorf("it became\n%s", text)
	}
	want := []string{"foreign data wrapper http", "server archive", `user mapping for "the user" SERVER archive`, "subscription s"}
	if !slices.Equal(done.Left, want) {
		t.Errorf("%q were left out, not %q", done.Left, want)
	}
}

func FuzzDump(f *testing.F) {
	f.Add(dumpText)
	f.Fuzz(func(t *testing.T, text string) {
		out, err := filterDump(t, text)
		if err == nil && strings.Count(out, "\n") > strings.Count(text, "\n")+1 {
			t.Errorf("%q became %q", text, out)
		}
	})
}
