package pgcopy

import (
	"bytes"
	"encoding/binary"
	"slices"
	"strings"
	"testing"
)

// item is an entry of an archive, as pg_dump writes it.
func item(tag, kind, definition string) []byte {
	var out []byte
	number := func(n uint32) { out = binary.LittleEndian.AppendUint32(append(out, 0), n) }
	text := func(s string) {
		number(uint32(len(s)))
		out = append(out, s...)
	}
	text(tag)
	text(kind)
	number(2) // pre-data
	text(definition)
	text("DROP x;")
	text("")
	text("public")
	return out
}

const tableOfContents = `;
; Archive created at 2026-11-29 06:41:21 UTC
;     dbname: mrs
;
; Selected TOC Entries:
;
5; 2328 16390 FOREIGN DATA WRAPPER - http django
3; 1417 16388 SERVER - archive django
3407; 0 0 COMMENT - SERVER archive django
;	depends on: 3
4; 1418 16389 USER MAPPING - USER MAPPING django SERVER archive django
;	depends on: 3
215; 1259 16391 TABLE public SERVER django
216; 1259 16392 FOREIGN TABLE public far django
;	depends on: 3 215
217; 1259 16393 VIEW public near django
;	depends on: 215
`

func TestWhatGivesAccessToOtherServersIsNoPartOfTheSchema(t *testing.T) {
	const secret = "CREATE USER MAPPING FOR django SERVER archive OPTIONS (\n    password 'geheim'\n);\n"
	kept := slices.Concat(item("SERVER", "TABLE", "CREATE TABLE public.\"SERVER\" (\n    a text DEFAULT 'geheimnis'\n);\n"), item("near", "VIEW", "CREATE VIEW …"))
	text := slices.Concat([]byte("PGDMP"), item("http", "FOREIGN DATA WRAPPER", "CREATE FOREIGN DATA WRAPPER http OPTIONS (token 'geheim');\n"),
		item("archive", "SERVER", "CREATE SERVER archive …;\n"), item("USER MAPPING django SERVER archive", "USER MAPPING", secret),
		item("far", "FOREIGN TABLE", "CREATE FOREIGN TABLE …"), kept)
	long := len(text)
	a := &archive{text: text, entries: contents(tableOfContents)}
	if err := a.leave(); err != nil {
		t.Fatal(err)
	}
	if want := []string{"foreign data wrapper http", "server archive", "user mapping django SERVER archive", "foreign table public.far"}; !slices.Equal(a.left, want) {
		t.Errorf("%q stay behind, not %q", a.left, want)
	}
	slices.Sort(a.passed)
	if want := []string{"216", "3", "3407", "4", "5"}; !slices.Equal(a.passed, want) {
		t.Errorf("%q are not restored, not %q", a.passed, want)
	}
	if bytes.Contains(a.text, []byte("geheim'")) || len(a.text) != long || !bytes.HasSuffix(a.text, kept) {
		t.Errorf("the archive is %q", a.text)
	}
}

func TestWhatNeedsAnotherServerIsRefusedByName(t *testing.T) {
	text := slices.Concat(item("a", "FOREIGN DATA WRAPPER", ""), item("a", "SERVER", ""), item("a", "USER MAPPING", ""), item("a", "FOREIGN TABLE", ""))
	for is, want := range map[string]string{
		"VIEW public seen django":                "VIEW public seen needs foreign table public.far,",
		"TABLE ATTACH public far django":         "TABLE ATTACH public far needs foreign table public.far,",
		"FUNCTION public f(public.far) django":   "FUNCTION public f(public.far) needs foreign table public.far,",
		"COMMENT public FOREIGN TABLE far owner": "",
	} {
		a := &archive{text: slices.Clone(text), entries: contents(tableOfContents + "300; 1259 20000 " + is + "\n;\tdepends on: 215 216\n")}
		if err := a.leave(); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v", is, err)
		}
	}
	a := &archive{text: text[:len(text)/2], entries: contents(tableOfContents)}
	if err := a.leave(); err == nil {
		t.Error("an archive of another form is sent with what may be in it")
	}
}
