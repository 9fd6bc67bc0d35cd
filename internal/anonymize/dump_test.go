package anonymize

import (
	"bytes"
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

func FuzzDump(f *testing.F) {
	f.Add(dumpText)
	f.Fuzz(func(t *testing.T, text string) {
		out, err := filterDump(t, text)
		if err == nil && strings.Count(out, "\n") > strings.Count(text, "\n")+1 {
			t.Errorf("%q became %q", text, out)
		}
	})
}
