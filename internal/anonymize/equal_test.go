package anonymize

import (
	"fmt"
	"strings"
	"testing"
)

// level2 is the locale of Django's case_insensitive collation.
const level2 = "und-u-ks-level2"

func TestWhatTheDatabaseTakesForEqualHasOneFake(t *testing.T) {
	typed := func(kind Kind, name, collation string) ColumnPlan {
		return ColumnPlan{Column: Column{Type: name, Collation: collation}, Rule: Rule{Kind: kind}}
	}
	for _, c := range []struct {
		column      ColumnPlan
		values      string
		equal, same bool // same: also spelt alike
	}{
		{typed(Hash, "numeric", ""), "1.0 1.00 1", true, false},
		{typed(Hash, "numeric", ""), "-12.50 -12.5", true, false},
		{typed(Hash, "numeric", ""), "0 0.00", true, false},
		{typed(Hash, "numeric", ""), "100 100.0", true, false},
		{typed(Hash, "numeric", ""), "100 10", false, false},
		{typed(Hash, "numeric(10,2)", ""), "1.50 15.00", false, false},
		{typed(Hash, "citext", ""), "Écoles écoles ÉCOLES", true, true},
		{typed(Hash, `"public"."citext"`, ""), "Abc aBC", true, true},
		{typed(Email, "public.citext", ""), "Jean@x.example jean@X.EXAMPLE", true, true},
		{typed(FullName, "citext", ""), "DUPONT,Jean Dupont,JEAN", true, true},
		{typed(FreeText, "citext", ""), "Bonjour BONJOUR", true, true},
		{typed(Hash, "citext[]", ""), `{Abc} {abc} {"ABC"}`, true, true},
		{typed(Hash, "text", level2), "Straße STRASSE", true, true},
		{typed(Hash, "text", "fr-FR-u-ks-level2"), "e\u0301cole ÉCOLE", true, true},
		{typed(Hash, "text", "@colStrength=secondary"), "Abc aBC", true, true},
		{typed(Hash, "text", level2), "ecole école", false, false},
		{typed(Hash, "text", level2), "Jean Jane", false, false},
		{typed(Hash, "text", "und-u-ks-level1"), "Ecole école", true, true},
		{typed(BirthDate, "text", "und-u-ks-level1"), "1985-07-03 1985-07-03", true, true},
		{typed(Hash, "text", ""), "Abc abc", false, false},
		{typed(Hash, "character(5)", ""), "ab ab__", true, true},
		{typed(Hash, "bpchar", ""), "ab ab__", true, true},
		{typed(Hash, "character(5)[]", ""), `{"ab___"} {"ab"}`, true, true},
		{typed(Hash, "text", ""), "ab ab__", false, false},
		{typed(UUID, "text", ""), "7D6C2F0E-9D3B-4A53-9D0A-2B1A0C9E1F11 7d6c2f0e-9d3b-4a53-9d0a-2b1a0c9e1f11", true, false},
	} {
		rows := strings.NewReplacer(" ", "\n", "_", " ").Replace(c.values) + "\n"
		out, err := filtered(t, rows, c.column)
		if err != nil {
			t.Errorf("%s: %v", c.values, err)
			continue
		}
		fakes := strings.Split(strings.TrimSuffix(out, "\n"), "\n")
		for i, was := range strings.Split(c.values, " ") {
			if i > 0 && (means(fakes[i]) == means(fakes[0])) != c.equal || c.same && fakes[i] != fakes[0] || strings.Contains(c.column.Type, "numeric") && point(was) != point(fakes[i]) {
				t.Errorf("%s of %s %q: %q became %q", c.column.Rule.Kind, c.column.Type, c.column.Collation, c.values, fakes)
			}
		}
	}
}

// means is a value without what PostgreSQL does not count of a number, and in one case.
func means(value string) string {
	if strings.Contains(value, ".") && !strings.Contains(value, "@") {
		value = strings.TrimSuffix(strings.TrimRight(value, "0"), ".")
	}
	return strings.ToLower(value)
}

// point is how many digits a number has behind its point.
func point(value string) int {
	_, digits, _ := strings.Cut(value, ".")
	return len(digits)
}

func TestATemplateHasTheFakeOfItsColumnAlsoWhereThatIsPadded(t *testing.T) {
	out, err := filtered(t, "ab   \t\n", ColumnPlan{Column: Column{Name: "code", Type: "character(5)"}, Rule: Rule{Kind: Hash}},
		ColumnPlan{Column: Column{Name: "path"}, Rule: Rule{Kind: Template, Text: "x-{code}"}})
	if err != nil {
		t.Fatal(err)
	}
	if code, path, _ := strings.Cut(strings.TrimSpace(out), "\t"); path != "x-"+code {
		t.Errorf("%q has %q", path, code)
	}
}

func TestNumbersInDocumentsThatAreEqualHaveOneFake(t *testing.T) {
	document := ColumnPlan{Column: Column{Type: "jsonb"}, Rule: Rule{Kind: JSON, Paths: map[string]Rule{"n": {Kind: Hash}}}}
	out, err := filtered(t, `{"n": 7.5}`+"\n"+`{"n": 7.500}`+"\n", document)
	if err != nil {
		t.Fatal(err)
	}
	if one, other, _ := strings.Cut(strings.TrimSpace(out), "\n"); strings.Replace(one, "}", "00}", 1) != other {
		t.Errorf("they became %s and %s", one, other)
	}
}

func TestAKeyByACollationThatIsNotKnownIsRefused(t *testing.T) {
	for _, c := range []struct {
		kind      string
		collation string
		unique    bool
		want      string
	}{
		{"hash", level2, true, ""},
		{"hash", "und-u-ks-level1", false, ""},
		{"keep", "und-u-ks-level1", true, ""},
		{"hash", "und-u-ks-level1", true, "t.who (text): hash: its collation"},
		{"email", "und-u-kn-ks-level2", true, "t.who (text): email: its collation"},
		{"hash", level2 + " &a = b", true, "its collation"},
	} {
		rules, err := ParseRules("r", []byte("tables:\n  t: {who: "+c.kind+"}\n"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = rules.Fit(&Schema{Tables: []Table{{Schema: "public", Name: "t", Columns: []Column{{Name: "who", Type: "text", Collation: c.collation, Unique: c.unique}}}}})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s by %q: %v", c.kind, c.collation, err)
		}
	}
	for collations, want := range map[[2]string]string{
		{level2, level2}: "", {"", level2}: "of another collation", {"und-u-ks-level1", "und-u-ks-level1"}: "its collation",
	} {
		rules, err := ParseRules("r", []byte("tables:\n  a: {x: hash, z: keep}\n  b: {y: hash, z: keep}\n"))
		if err != nil {
			t.Fatal(err)
		}
		column := func(name, collation string) []Column {
			return []Column{{Name: name, Type: "text", Collation: collation}, {Name: "z", Type: "integer"}}
		}
		_, err = rules.Fit(&Schema{
			Tables:      []Table{{Schema: "public", Name: "a", Columns: column("x", collations[0])}, {Schema: "public", Name: "b", Columns: column("y", collations[1])}},
			ForeignKeys: []ForeignKey{{"public.b", []string{"y", "z"}, "public.a", []string{"x", "z"}}},
		})
		if (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", collations, err)
		}
	}
}

func TestCollationsAreReadInADump(t *testing.T) {
	const text = `CREATE COLLATION public.ci (provider = icu, deterministic = false, locale = '%s');
CREATE COLLATION public.plain (provider = icu, locale = 'fr');
CREATE DOMAIN public.word AS text COLLATE public.ci;
CREATE TABLE public.people (
    id integer,
    name text COLLATE public.ci,
    other public.word,
    more text COLLATE public.plain
);
COPY public.people (id, name, other, more) FROM stdin;
1	Kerviel	KERVIEL	kerviel
\.
`
	for locale, refused := range map[string]bool{level2: false, "und-u-ks-level1": true} {
		rules, err := ParseRules("rules.yml", []byte("tables:\n  people: {id: keep, name: hash, other: hash, more: hash}\n"))
		if err != nil {
			t.Fatal(err)
		}
		var out strings.Builder
		_, err = Dump(&out, strings.NewReader(around(fmt.Sprintf(text, locale))), rules, Key{1})
		if (err != nil) != refused {
			t.Errorf("%s: %v", locale, err)
		}
		for _, row := range strings.Split(out.String(), "\n") {
			if f := strings.Split(row, "\t"); len(f) == 4 && (f[1] != f[2] || f[1] != f[3]) {
				t.Errorf("%s: %q", locale, row)
			}
		}
	}
}
