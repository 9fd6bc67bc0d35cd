package anonymize

import (
	"encoding/base64"
	"errors"
	"fmt"
	"strings"
	"testing"
)

var people, anything = &TablePlan{Schema: "public", Name: "people"}, &TablePlan{Schema: "public", Name: "t"}

// learnt is a scan that knows a value of a column of people.
func learnt(kind Kind, values ...string) *Scan {
	s := NewScan()
	s.Learn(people, &ColumnPlan{Column: Column{Name: "x"}, Rule: Rule{Kind: kind}}, values)
	return s
}

func TestTheScanFindsARealValueHoweverItIsWritten(t *testing.T) {
	for _, c := range []struct {
		kind        Kind
		value, rows string
	}{
		{LastName, "Kerviel", "1\tKerviel\n"},
		{LastName, "Kerviel", "1\tKERVIEL, Jean\n"},
		{LastName, "Lefèvre", "1\tLEFÈVRE\n"},
		{LastName, "Dupont-Moreau", `1	{"name": "dupont moreau"}` + "\n"},
		{LastName, "Kerviel", `1	RAS\nKerviel` + "\n"},
		{LastName, "Novak", `1	C:\\scans\\Novak.pdf` + "\n"},
		{LastName, "Novak", `1	RAS\Novak` + "\n"}, // no COPY writes that, and it is found all the same
		{LastName, "Da Silva", "1\tLuis da Silva\n"},
		{LastName, "Da Silva", "1\tLuis da\u00a0Silva\u202f: non\n"}, // blanks that do not break
		{LastName, "Kerviel", "1\t«Kerviel»\n"},
		{LastName, "Kerviel", "1\tde l’ami Kerviel’s\n"},
		{LastName, "Kerviel", "1\tami—Kerviel–\n"},
		{LastName, "d’Ormesson", "1\tM. d'Ormesson\n"},
		{LastName, "Éluard", "1\t“ÉLUARD”\n"},
		{Email, "jean.kerviel@orange.example", "x\tmailto:Jean.Kerviel@Orange.example\ty\n"},
		{NIR, "185057512345612", "185057512345612\n"},
		{NIR, "185057512345612", `{"nir": "1 85 05 75 123 456 12"}` + "\n"},
		{NIR, "185057512345612", "1850575123456\n"},
		{NIR, "1850575123456", "185057512345673\n"},
		{NIR, "1850575123456", "1 85 05 75 123 456 73\n"},
		{Phone, "06 12 34 56 78", "0612345678\n"},
		{Phone, "0612345678", "06.12.34.56.78\n"},
		{IBAN, "FR7630006000011234567890189", "FR76 3000 6000 0112 3456 7890 189\n"},
		{Address, "12 rue des Écoles", "12, RUE DES ÉCOLES\n"},
		{FreeText, "Merci de me rappeler au plus vite svp", "1\tmerci de me rappeler au plus tard\n"}, // its beginning
	} {
		err := learnt(c.kind, c.value).Look(anything, []byte(c.rows))
		leak, ok := errors.AsType[*Leak](err)
		if !ok {
			t.Errorf("%q is not found in %q: %v", c.value, c.rows, err)
			continue
		}
		if leak.Of.String() != "people.x" || leak.In != "t" || strings.Contains(err.Error(), c.value) {
			t.Errorf("the error says %q", err)
		}
	}
}

func TestTheScanFindsWhatIsInDocuments(t *testing.T) {
	s := NewScan()
	column := &ColumnPlan{Column: Column{Name: "data"}, Rule: Rule{Kind: JSON, Paths: map[string]Rule{
		"insured.name": {Kind: LastName}, "trips[].town": {Kind: Address}, "kind": {Kind: Keep}, "open": {Kind: Public},
	}}}
	s.Learn(&TablePlan{Schema: "public", Name: "requests"}, column, []string{
		`{"insured": {"name": "Kerviel", "secret": "Casanova"}, "trips": [{"town": "Quimper"}], "kind": "hospital", "open": {"all": "everybody"}}`,
		`no document`})
	for text, want := range map[string]string{
		"Kerviel":   "requests.data: insured.name",
		"Casanova":  "requests.data: insured.secret", // no rule names it: it is removed
		"Quimper":   "requests.data: trips[].town",
		"hospital":  "",
		"everybody": "",
	} {
		got := ""
		if leak, ok := errors.AsType[*Leak](s.Look(anything, []byte(text+"\n"))); ok {
			got = leak.Of.String()
		}
		if got != want {
			t.Errorf("%s: found as a value of %q, not of %q", text, got, want)
		}
	}
}

func TestTheScanFindsARealValueInAnotherForm(t *testing.T) {
	mail := "Bonjour Jean Kerviel, je suis là"
	for _, c := range []struct{ what, row string }{
		{"JSON's escapes", `1	{"name": "K\\u0065rviel"}`},
		{"JSON's escapes in JSON", `1	{"name": "K\\\\u0065rviel"}`},
		{"a URL", "1\thttps://mrs.example/?name=K%65rviel&x=1"},
		{"HTML", "1\t<p>K&#101;rviel</p>"},
		{"base64", "1\t" + base64.StdEncoding.EncodeToString([]byte(mail))},
		{"base64 for URLs", "1\t" + base64.RawURLEncoding.EncodeToString([]byte(mail))},
		{"base64 in a URL", "1\tdata:text/plain;base64," + base64.StdEncoding.EncodeToString([]byte(mail))},
		{"base64 behind a path", "1\t/Files/A/" + base64.StdEncoding.EncodeToString([]byte(mail))},
		{"base64 in base64", "1\t" + base64.StdEncoding.EncodeToString([]byte(base64.StdEncoding.EncodeToString([]byte(mail))))},
		{"a short one", "1\t" + base64.StdEncoding.EncodeToString([]byte("Kerviel"))},
		{"base64 in lines", `1	Qm9uam91ciBK\nZWFuIEtlcnZp\nZWwsIGplIHN1aXM\n`},
		{"base64 in lines in a document", `1	{"x": "Qm9uam91ciBK\\nZWFuIEtlcnZp\\nZWwsIGplIHN1aXM\\n"}`},
		{"a pickle of protocol 0", `1	KGRwMApWc3ViamVjdApwMQpWVm90cmUgZGVtYW5kZSAyMDIwMTEyMzAwMDQKcDIKc1Z0bwpwMwoo\nbHA0ClZqZWFuLmtlcnZpZWxAb3JhbmdlLmV4YW1wbGUKcDUKYXNWYm9keQpwNgpWQm9uam91ciBK\nZWFuIEtFUlZJRUwsXHUwMDBhXHUwMDBhbukgbGUgMTIvMDUvMTk4NSwgdm90cmUgbnVt6XJvIDE4\nNTA1NzUxMjM0NTYgZXN0IGNvbm51Llx1MDAwYU1vdCBkZSBwYXNzZSA6IHhcdTAwMGEKcDcKcy4=\n`},
		{"a pickle of protocol 2", `1	gAJ9cQAoWAcAAABzdWJqZWN0cQFYGgAAAFZvdHJlIGRlbWFuZGUgMjAyMDExMjMwMDA0cQJYAgAA\nAHRvcQNdcQRYGwAAAGplYW4ua2VydmllbEBvcmFuZ2UuZXhhbXBsZXEFYVgEAAAAYm9keXEGWGIA\nAABCb25qb3VyIEplYW4gS0VSVklFTCwKCm7DqSBsZSAxMi8wNS8xOTg1LCB2b3RyZSBudW3DqXJv\nIDE4NTA1NzUxMjM0NTYgZXN0IGNvbm51LgpNb3QgZGUgcGFzc2UgOiB4CnEHdS4=\n`},
		{"a pickle of protocol 3", `1	gAN9cQAoWAcAAABzdWJqZWN0cQFYGgAAAFZvdHJlIGRlbWFuZGUgMjAyMDExMjMwMDA0cQJYAgAA\nAHRvcQNdcQRYGwAAAGplYW4ua2VydmllbEBvcmFuZ2UuZXhhbXBsZXEFYVgEAAAAYm9keXEGWGIA\nAABCb25qb3VyIEplYW4gS0VSVklFTCwKCm7DqSBsZSAxMi8wNS8xOTg1LCB2b3RyZSBudW3DqXJv\nIDE4NTA1NzUxMjM0NTYgZXN0IGNvbm51LgpNb3QgZGUgcGFzc2UgOiB4CnEHdS4=\n`},
		{"a pickle of protocol 4", `1	gASVvgAAAAAAAAB9lCiMB3N1YmplY3SUjBpWb3RyZSBkZW1hbmRlIDIwMjAxMTIzMDAwNJSMAnRv\nlF2UjBtqZWFuLmtlcnZpZWxAb3JhbmdlLmV4YW1wbGWUYYwEYm9keZSMYkJvbmpvdXIgSmVhbiBL\nRVJWSUVMLAoKbsOpIGxlIDEyLzA1LzE5ODUsIHZvdHJlIG51bcOpcm8gMTg1MDU3NTEyMzQ1NiBl\nc3QgY29ubnUuCk1vdCBkZSBwYXNzZSA6IHgKlHUu\n`},
		{"it is compressed", `1	eJxzys/Lyi8tUvBKTcxT8HYNCvN09dHh4so7vFIhJ1XB0EjfwFTf0NLCVEehLL+kKFUhrzT38MqifAVDC1MDU3NTQyNjE1MzhdTiEoXk/Ly8Uj0u3/wShZRUhYLE4uJUBSuFCi6nYWADADXDWiU=`},
	} {
		if _, ok := errors.AsType[*Leak](learnt(LastName, "Kerviel").Look(anything, []byte(c.row+"\n"))); !ok {
			t.Errorf("%s: it is not found in %.200s", c.what, c.row)
		}
	}
	s := learnt(LastName, "Kerviel")
	for _, row := range []string{`C:\\users`, "100 %", "a & b", "%zz", `\\u00`, strings.Repeat("aB", 4000), "VGhpcyBpcyBub2JvZHk"} {
		if err := s.Look(anything, []byte(row+"\n")); err != nil {
			t.Errorf("%.40s: %v", row, err)
		}
	}
}

func TestTheScanFindsABirthdayInWhatIsKeptOfTextAndDocuments(t *testing.T) {
	column := func(kind Kind, sqlType string) ColumnPlan {
		return ColumnPlan{Column: Column{Type: sqlType}, Rule: Rule{Kind: kind}}
	}
	for _, c := range []struct {
		column ColumnPlan
		text   string
		leaks  bool
	}{
		{column(Keep, "text"), "né le 12/05/1985", true},
		{column(Keep, "character varying(20)"), "1985-05-12", true},
		{column(Keep, "jsonb"), `{"x": ["12.05.1985"]}`, true},
		{column(Keep, "text"), "13/05/1985", false},
		{column(Keep, "date"), "1985-05-12", false}, // somebody else's, or no birthday
		{column(Keep, "timestamp with time zone"), "1985-05-12 10:00", false},
		{column(BirthDate, "text"), "1985-05-12", false}, // of somebody else, by chance
		{ColumnPlan{Column: Column{Type: "jsonb"}, Rule: Rule{Kind: JSON, Paths: map[string]Rule{"d": {Kind: BirthDate}}}}, `{"d": "12/05/1985"}`, false},
		{ColumnPlan{Column: Column{Type: "jsonb"}, Rule: Rule{Kind: JSON, Paths: map[string]Rule{"d": {Kind: Keep}}}}, `{"d": "12/05/1985"}`, true},
	} {
		s := learnt(BirthDate, "1985-05-12")
		table := &TablePlan{Schema: "public", Name: "t", Columns: []ColumnPlan{column(Keep, "integer"), c.column}}
		err := s.Look(table, []byte("7\t"+c.text+"\n"))
		if _, leaks := errors.AsType[*Leak](err); leaks != c.leaks {
			t.Errorf("%s %s %q: %v", c.column.Rule.Kind, c.column.Type, c.text, err)
		}
	}
}

func TestTheScanIsSilentAboutWhatNamesNobody(t *testing.T) {
	everywhere := make([]string, 200)
	for i := range everywhere {
		everywhere[i] = fmt.Sprintf("Person%d", i)
		if i%10 == 0 {
			everywhere[i] = "unknown"
		}
	}
	for _, c := range []struct {
		what   string
		kind   Kind
		values []string
		rows   string
	}{
		{"it is kept", Keep, []string{"Kerviel"}, "Kerviel\n"},
		{"everybody knows it", Public, []string{"Kerviel"}, "Kerviel\n"},
		{"every day is somebody's", BirthDate, []string{"1985-05-12"}, "1985-05-12\n"},
		{"it is short", LastName, []string{"Roy", "Li"}, "Roy Li\n"},
		{"it is a small number", Address, []string{"75011"}, "75011\n"},
		{"one in ten has it", LastName, everywhere, "unknown\n"},
		{"it is a part of a word", LastName, []string{"Martin"}, "Martinique\n"},
		{"the words are in two fields", LastName, []string{"Da Silva"}, "da\tSilva\n"},
		{"the words are in two rows", LastName, []string{"Da Silva"}, "da\nSilva\n"},
	} {
		if err := learnt(c.kind, c.values...).Look(anything, []byte(c.rows)); err != nil {
			t.Errorf("%s: %v", c.what, err)
		}
	}
}

func TestAFreeTextThatIsKeptElsewhereIsNobodys(t *testing.T) {
	s := NewScan()
	s.Nobody([]string{"Refus : justificatif illisible"})
	s.Names("person_person", "birth_date", "distancevp")
	comments := &ColumnPlan{Column: Column{Name: "comment"}, Rule: Rule{Kind: FreeText}}
	s.Learn(people, comments, []string{"Refus : justificatif illisible", "birth_date, distancevp", "distancevp", "Kerviel est décédé"})
	s.Learn(people, &ColumnPlan{Rule: Rule{Kind: LastName}}, []string{"Distancevp"})
	s.Learn(people, &ColumnPlan{Column: Column{Type: "timestamp with time zone"}, Rule: Rule{Kind: Null}}, []string{"2024-01-03 10:00:00+00"})
	for row, leaks := range map[string]bool{
		"refus: justificatif illisible": false, `{"birth_date": 1, "other": 2}`: false, "2024-01-03 10:00:00+00": false,
		"Kerviel est décédé": true, "distancevp": true, // somebody's name
	} {
		if err := s.Look(anything, []byte(row+"\n")); (err != nil) != leaks {
			t.Errorf("%s: %v", row, err)
		}
	}
}

func TestTheScanDoesNotLookAtWhatIsPublic(t *testing.T) {
	column := func(kind Kind) ColumnPlan { return ColumnPlan{Rule: Rule{Kind: kind}} }
	funds := &TablePlan{Schema: "public", Name: "funds", Columns: []ColumnPlan{column(Keep), column(Public), column(Keep)}}
	s := learnt(LastName, "Quimper")
	for rows, leaks := range map[string]bool{
		"1\tCPAM de Quimper\tx\n2\tQuimper\t\n": false,
		"1\tx\tQuimper\n":                       true,
		"1\tx\t\nQuimper\tx\t\n":                true,
	} {
		if err := s.Look(funds, []byte(rows)); (err != nil) != leaks {
			t.Errorf("%q: %v", rows, err)
		}
	}
}

func FuzzTheScanReadsAnything(f *testing.F) {
	f.Add("Kerviel", "1\tKerviel\\n\n")
	f.Fuzz(func(t *testing.T, value, rows string) {
		s := learnt(LastName, value)
		_ = s.Look(anything, []byte(rows))
		if s.Values() == 0 || strings.ContainsAny(value, "\t\n\\") {
			return
		}
		if s.Look(anything, []byte("x\t"+value+"\n")) == nil {
			t.Errorf("%q is learnt, and not found", value)
		}
	})
}

func TestAShortFakeMayBeWhatSomebodyElseHas(t *testing.T) {
	column := func(kind Kind) ColumnPlan { return ColumnPlan{Rule: Rule{Kind: kind}} }
	requests := func(kinds ...Kind) *TablePlan {
		plan := &TablePlan{Schema: "public", Name: "requests"}
		for _, kind := range kinds {
			plan.Columns = append(plan.Columns, column(kind))
		}
		return plan
	}
	s := NewScan()
	s.Learn(people, &ColumnPlan{Rule: Rule{Kind: Hash}}, []string{"123456789", "Q7P2", "3f6ac1d29e874b5f8d1e", "12 Q7P2X"})
	s.Learn(people, &ColumnPlan{Rule: Rule{Kind: NIR}}, []string{"1840375123456"})
	for rows, leaks := range map[string]bool{
		"7\t123456789\t2840375123456\t\\N\n8\tq7p2\t1840375123456\t\\N\n": false,
		"7\t1\t184037512345695\tx\n":                                      false,
		// Others have escapes in them, and are read without these, too.
		"7\t123456789\t2840375123456\tHervé &amp; fils, 100%25\n8\tx\t1840375123456\t\\\\u00e9\n": false,
		"7\t1\t2\t\\\\u00e9, 123456789\n":               true,
		"7\t1\t2\t%09%0A123456789\n":                    true,
		"7\t1\t2\t%0A7%09123456789\n":                   true, // no other column
		"123456789\t1\t2\tx\n":                          true,
		"7\t1\t2\tx\n7\t1\t2\tle 123456789\n":           true, // it came through another column
		"7\t1\t123456789\t{}\n7\t1\t2\t1840375123456\n": true,
		"7\t3f6ac1d29e874b5f8d1e\t2\tx\n":               true, // no chance makes this
		"7\t12 q7p2x\t2\tx\n":                           true,
	} {
		for _, plan := range []*TablePlan{requests(Keep, Hash, NIR, Keep), requests(Keep, Hash, NIR, Keep, Public)} {
			if err := s.Look(plan, []byte(rows)); (err != nil) != leaks {
				t.Errorf("%q: %v", rows, err)
			}
		}
	}
}

func TestWhatARuleWritesInEveryRowIsNobodys(t *testing.T) {
	// As in the application's own test data: the picture of one point that all attachments become.
	file := ColumnPlan{Column: Column{Name: "attachment_file", Type: "text"}, Rule: Rule{Kind: Fixed, Text: "point_1x1.png"}}
	inside := ColumnPlan{Column: Column{Name: "data", Type: "jsonb"},
		Rule: Rule{Kind: JSON, Paths: map[string]Rule{"place": {Kind: Fixed, Text: "Cherbourg"}}}}
	files := &TablePlan{Schema: "public", Name: "files", Columns: []ColumnPlan{file, inside}}
	s := NewScan()
	s.Fixed([]TablePlan{*files})
	s.Learn(files, &file, []string{"point_1x1.png", "certificat-Kerviel.pdf"})
	s.Learn(files, &inside, []string{`{"place": "Cherbourg"}`, `{"place": "Plougastel"}`})
	s.Learn(people, &ColumnPlan{Rule: Rule{Kind: LastName}}, []string{"Cherbourg", "Kerviel"})
	if err := s.Look(files, []byte("point_1x1.png\t{\"place\": \"Cherbourg\"}\n")); err != nil {
		t.Error(err)
	}
	for _, real := range []string{"certificat-Kerviel.pdf\t\\N\n", "x\tPlougastel\n", "Kerviel\t\\N\n"} {
		if s.Look(files, []byte(real)) == nil {
			t.Errorf("%q leaves", real)
		}
	}
}

func BenchmarkScan(b *testing.B) {
	s := NewScan()
	values := make([]string, 10_000)
	for i := range values {
		values[i] = fmt.Sprintf("Kerviel%d", i)
	}
	s.Learn(people, &ColumnPlan{Rule: Rule{Kind: LastName}}, values)
	row := []byte(`7d6c2f0e-9d3b-4a53-9d0a-2b1a0c9e1f11	20220700000001	2025-01-01 10:00:00+00	192.0.2.7	{"insured": {"first_name": "Belyx", "birth_date": "03/07/1985", "contact": {"email": "x.y@example.org"}}, "comment": "RAS\\nLorem ipsum"}` + "\n")
	rows := []byte(strings.Repeat(string(row), 1000))
	b.SetBytes(int64(len(rows)))
	for b.Loop() {
		if err := s.Look(anything, rows); err != nil {
			b.Fatal(err)
		}
	}
}
