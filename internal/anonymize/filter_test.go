package anonymize

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// filtered filters rows of a table with columns of one type each, by rules.
func filtered(t *testing.T, rows string, columns ...ColumnPlan) (string, error) {
	t.Helper()
	for i := range columns {
		if columns[i].Name == "" {
			columns[i].Name = fmt.Sprint("c", i)
		}
		if columns[i].Type == "" {
			columns[i].Type = "text"
		}
	}
	f, err := (&TablePlan{Schema: "public", Name: "t", Columns: columns}).Filter(Key{7})
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	n, err := f.Copy(&out, strings.NewReader(rows))
	if err == nil && int(n) != strings.Count(rows, "\n") {
		t.Errorf("%d rows of %q", n, rows)
	}
	return out.String(), err
}

func of(kind Kind) ColumnPlan { return ColumnPlan{Rule: Rule{Kind: kind}} }

// one filters one value.
func one(t *testing.T, kind Kind, value string) string {
	t.Helper()
	out, err := filtered(t, value+"\n", of(kind))
	if err != nil {
		t.Fatalf("%s %q: %v", kind, value, err)
	}
	return strings.TrimSuffix(out, "\n")
}

func TestTheSameValueHasTheSameFakeWhereverItIs(t *testing.T) {
	document := ColumnPlan{Column: Column{Name: "doc", Type: "jsonb"}, Rule: Rule{Kind: JSON, Paths: map[string]Rule{
		"nom": {Kind: LastName}, "nir": {Kind: NIR}, "mail": {Kind: Email}, "né": {Kind: BirthDate}}}}
	out, err := filtered(t, `Kerviel	KERVIEL	185057512345612	jean@orange.example	1985-07-03	{"nom": "Kerviel", "nir": "1 85 05 75 123 456 12", "mail": "JEAN@orange.example", "né": "03/07/1985", "secret": "Kerviel"}`+"\n",
		of(LastName), of(LastName), of(NIR), of(Email), ColumnPlan{Column: Column{Type: "date"}, Rule: Rule{Kind: BirthDate}}, document)
	if err != nil {
		t.Fatal(err)
	}
	fields := strings.Split(strings.TrimSpace(out), "\t")
	var doc map[string]string
	if err := json.Unmarshal([]byte(fields[5]), &doc); err != nil {
		t.Fatalf("%s: %v", fields[5], err)
	}
	date := strings.Split(doc["né"], "/")
	if fields[1] != strings.ToUpper(fields[0]) || doc["nom"] != fields[0] || strings.ReplaceAll(doc["nir"], " ", "") != fields[2] ||
		!strings.EqualFold(doc["mail"], fields[3]) || fields[4] != date[2]+"-"+date[1]+"-"+date[0] || len(doc) != 4 {
		t.Errorf("%q", fields)
	}
	if strings.Contains(strings.ToLower(out), "kerviel") || strings.Contains(out, "1985-07-03") {
		t.Errorf("somebody is still there: %s", out)
	}
}

func TestEachKindMakesWhatItIsFor(t *testing.T) {
	for _, c := range []struct {
		kind  Kind
		value string
		want  string
	}{
		{FirstName, "Jean-Pierre", `^[A-Z][a-z]+-[A-Z][a-z]+yxa?$`},
		{FullName, "Jean KERVIEL", `^[A-Z][a-z]+ [A-Z]+$`},
		{Email, "jean.kerviel@orange.example", `^[a-z0-9.]+@example\.org$`},
		{Phone, "06 12 34 56 78", `^0\d( \d\d){4}$`},
		{Phone, "+33612345678", `^\+33\d{9}$`},
		{NIR, "185057512345612", `^1\d\d[5-9]\d\d{10}$`},
		{NIR, "2 85 05 2A 123 456", `^2 \d\d [5-9]\d (\d\d|2[AB]) \d{3} \d{3}$`},
		{IBAN, "FR76 3000 6000 0112 3456 7890 189", `^FR\d\d( \d{4}){5} \d{3}$`},
		{UUID, "7d6c2f0e-9d3b-4a53-9d0a-2b1a0c9e1f11", `^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$`},
		{Hash, "abc-123-xyz", `^[0-9A-Za-z-]{11}$`},
		{Address, "12 rue des Écoles", `\S`},
		{FreeText, "Merci de me rappeler", `\S`},
		{BirthDate, "1985-02-28", `^198[45]-\d\d-\d\d$`},
	} {
		got := one(t, c.kind, c.value)
		if !regexp.MustCompile(c.want).MatchString(got) || got == c.value {
			t.Errorf("%s: %q became %q", c.kind, c.value, got)
		}
		if again := one(t, c.kind, c.value); again != got {
			t.Errorf("%s: %q became %q and %q", c.kind, c.value, got, again)
		}
		if one(t, c.kind, "") != "" || one(t, c.kind, `\N`) != `\N` {
			t.Errorf("%s: nothing became something", c.kind)
		}
	}
}

func TestSocialSecurityNumbersStayUniqueAndKeepTheirKeysRight(t *testing.T) {
	seen := map[string]string{}
	var rows strings.Builder
	for i := range 30_000 {
		digits := fmt.Sprintf("%d%02d%02d%02d%03d%03d", 1+i%2, i/7%100, 1+i%12, 1+i%95, i%990, i/990+1)
		n, _ := strconv.Atoi(digits)
		fmt.Fprintf(&rows, "%s%02d\n", digits, 97-n%97)
	}
	out, err := filtered(t, rows.String(), of(NIR))
	if err != nil {
		t.Fatal(err)
	}
	was := strings.Fields(rows.String())
	for i, nir := range strings.Fields(out) {
		n, err := strconv.Atoi(nir[:13])
		if key, _ := strconv.Atoi(nir[13:]); err == nil && key != 97-n%97 {
			t.Fatalf("%s has the key %d", nir, 97-n%97)
		}
		if nir[0] != was[i][0] {
			t.Fatalf("%s became %s, of another sex", was[i], nir)
		}
		if other := seen[nir]; other != "" && other != was[i] {
			t.Fatalf("%s and %s both became %s", was[i], other, nir)
		}
		seen[nir] = was[i]
	}
}

func TestWhatIsWrongWithARowIsToldWithoutShowingIt(t *testing.T) {
	document := ColumnPlan{Column: Column{Type: "jsonb"}, Rule: Rule{Kind: JSON, Paths: map[string]Rule{"a": {Kind: LastName}}}}
	for rows, columns := range map[string][]ColumnPlan{
		"Kerviel\n":              {of(Keep), of(LastName)},
		"1\tKerviel\tx\n":        {of(Keep), of(LastName)},
		"1\tKerviel":             {of(Keep), of(LastName)},
		"1\tKerviel\\\n":         {of(Keep), of(LastName)},
		`{"a": "Kerviel"` + "\n": {document},
		`{"a": Kerviel}` + "\n":  {document},
		"\\.\n":                  {of(Keep)},
		"{Kerviel,\"x\n":         {{Column: Column{Type: "text[]"}, Rule: Rule{Kind: LastName}}},
	} {
		out, err := filtered(t, rows, columns...)
		if err == nil {
			t.Errorf("%q became %q", rows, out)
		} else if strings.Contains(err.Error(), "Kerviel") || !strings.Contains(err.Error(), "row 1") {
			t.Errorf("%q: %v", rows, err)
		}
	}
}

func TestArraysAreChangedElementByElement(t *testing.T) {
	out, err := filtered(t, `{Kerviel,NULL,"","Le Gall"}`+"\n", ColumnPlan{Column: Column{Type: "text[]"}, Rule: Rule{Kind: LastName}})
	if err != nil || !regexp.MustCompile(`^\{"?[A-Z][a-z]+"?,NULL,"","[A-Z][a-z]+ [A-Z][a-z]+"\}\n$`).MatchString(out) {
		t.Errorf("%q: %v", out, err)
	}
}

func TestADocumentIsReadHoweverItIsSpaced(t *testing.T) {
	document := ColumnPlan{Column: Column{Type: "json"}, Rule: Rule{Kind: JSON, Paths: map[string]Rule{"a": {Kind: LastName}, "b.c": {Kind: Keep}}}}
	out, err := filtered(t, `{"a": "Kerviel", "b": {"c": 1}}`+"\n"+`{"a":  "Kerviel" ,"b":{  "c" :1}, "d": [ ]}`+"\n", document)
	rows := strings.Split(out, "\n")
	if err != nil || rows[0] != rows[1] || !strings.HasSuffix(rows[0], `, "b": {"c": 1}}`) {
		t.Errorf("%q: %v", out, err)
	}
}

func TestTemplatesAreMadeOfWhatOtherColumnsBecome(t *testing.T) {
	columns := []ColumnPlan{
		{Column: Column{Name: "id"}, Rule: Rule{Kind: Keep}}, {Column: Column{Name: "nom"}, Rule: Rule{Kind: LastName}},
		{Column: Column{Name: "file"}, Rule: Rule{Kind: Template, Text: "{nom|slug}-{id}.png"}},
	}
	out, err := filtered(t, "7\tKerviel\tKerviel.png\n", columns...)
	fields := strings.Split(strings.TrimSpace(out), "\t")
	if err != nil || fields[2] != strings.ToLower(fields[1])+"-7.png" {
		t.Errorf("%q: %v", out, err)
	}
}

// FuzzKeep: what is kept comes byte for byte, or not at all.
func FuzzKeep(f *testing.F) {
	f.Add("a\tb\n\\N\t\\\\\n")
	f.Fuzz(func(t *testing.T, rows string) {
		out, err := filtered(t, rows, of(Keep), of(Keep))
		if err == nil && out != rows {
			t.Errorf("%q became %q", rows, out)
		}
	})
}

// FuzzFilter: whatever comes, what goes has as many rows and fields, or there is
// an error.
func FuzzFilter(f *testing.F) {
	f.Add("1\tKerviel\t185057512345612\ta@b.fr\t1985-07-03\t{\"a\": {\"b\": [\"x\", 1]}}\t{a,b}\tnote\\n\n")
	f.Add("\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\t\\N\n")
	f.Fuzz(func(t *testing.T, rows string) {
		out, err := filtered(t, rows, of(Keep), of(LastName), of(NIR), of(Email),
			ColumnPlan{Column: Column{Type: "date"}, Rule: Rule{Kind: BirthDate}},
			ColumnPlan{Column: Column{Type: "jsonb"}, Rule: Rule{Kind: JSON, Paths: map[string]Rule{"a.b[]": {Kind: FullName}, "c": {Kind: Keep}}}},
			ColumnPlan{Column: Column{Type: "text[]"}, Rule: Rule{Kind: FirstName}}, of(FreeText))
		if err != nil {
			return
		}
		was, is := strings.Split(rows, "\n"), strings.Split(out, "\n")
		if len(was) != len(is) {
			t.Fatalf("%d rows became %d", len(was), len(is))
		}
		for i := range was {
			if strings.Count(was[i], "\t") != strings.Count(is[i], "\t") || !valid([]byte(is[i])) {
				t.Errorf("%q became %q", was[i], is[i])
			}
		}
	})
}

// requests are rows like those of the demonstration's requests.
func requests(n int) []byte {
	var b bytes.Buffer
	for i := range n {
		fmt.Fprintf(&b, "7d6c2f0e-9d3b-4a53-9d0a-%012x\t2025-01-01 10:00:00+00\t2025010100%02d\t2025-01-03 08:30:00+00\t120\t43.20\t2000\t3\t\\N\t%d\t7\t2025-01-03\t41.00\t42.00\t%09d\t2.10\t11.00\t120.00\tf\t"+
			`{"nir": "185057%07d", "email": "jean.kerviel%d@orange.example", "last_name": "Kerviel%d", "birth_date": "03/07/1985", "distancevp": 120, "first_name": "Jean"}`+
			"\tt\t\\N\tf\t\\N\t0\t0\tq8sAk2%09dxYzLmN0pQrStUv\tf\tA%013d\t\\N\t3.20\t2025-01-20\n", i, i%100, i, i, i, i, i, i, i)
	}
	return b.Bytes()
}

func BenchmarkFilterOfRequests(b *testing.B) {
	t := &testing.T{}
	rules, err := ours(t)
	if err != nil {
		b.Fatal(err)
	}
	plan, err := rules.Fit(mrs(t))
	if err != nil {
		b.Fatal(err)
	}
	text := requests(20_000)
	for i := range plan.Tables {
		if plan.Tables[i].Name != "mrsrequest_mrsrequest" {
			continue
		}
		filter, err := plan.Tables[i].Filter(Key{1})
		if err != nil {
			b.Fatal(err)
		}
		b.SetBytes(int64(len(text)))
		for b.Loop() {
			if _, err := filter.Copy(io.Discard, bytes.NewReader(text)); err != nil {
				b.Fatal(err)
			}
		}
	}
}

// BenchmarkLines is what a loop over lines costs that does nothing else.
func BenchmarkLines(b *testing.B) {
	text := requests(20_000)
	b.SetBytes(int64(len(text)))
	for b.Loop() {
		lines := bufio.NewScanner(bytes.NewReader(text))
		out := bufio.NewWriter(io.Discard)
		for lines.Scan() {
			_, _ = out.Write(lines.Bytes())
			_ = out.WriteByte('\n')
		}
	}
}

func TestTheValuesOfARowAreWhatItsEscapesSay(t *testing.T) {
	values, err := Fields([]byte(`a\tb` + "\t" + `\N` + "\t\t" + `\\N`))
	if err != nil || len(values) != 4 || *values[0] != "a\tb" || values[1] != nil || *values[2] != "" || *values[3] != `\N` {
		t.Errorf("%v: %v", values, err)
	}
	if _, err := Fields([]byte(`a\q`)); err == nil {
		t.Error("an escape that is none is read")
	}
}
