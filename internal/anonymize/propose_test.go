package anonymize

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
)

func TestAProposalIsAFileThatFits(t *testing.T) {
	schema := mrs(t)
	samples := map[string][]string{}
	for i := range 100 {
		samples["mrsrequest_mrsrequest.data"] = append(samples["mrsrequest_mrsrequest.data"], fmt.Sprintf(`{"insured": {"first_name": "Yann", "nir": "18505751234561%d", "contact": {"email": "yann.kerviel%d@orange.example"}},
"iban": "FR76 3000 6000 0112 3456 7890 189", "trips": [{"when": "2024-01-02", "to": "Quimper"}], "odd.key": 1, "comment": "rien %d"}`, i%10, i, i))
		samples["person_person.last_name"] = append(samples["person_person.last_name"], "Kerviel")
	}
	text := Propose(schema, samples)
	if again := Propose(schema, samples); string(again) != string(text) {
		t.Error("it is another one each time")
	}
	rules, err := ParseRules("proposal.yml", text)
	if err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if _, err := rules.Fit(schema); err != nil {
		t.Errorf("%v\n%s", err, text)
	}
	for _, want := range []string{
		"  django_session: empty\n", "  django_admin_log: empty\n", "    birth_date: birthDate\n", "    nir: nir\n", "    email: email\n",
		"    first_name: {firstName: {sex: nir}}\n", "    insured_id: keep\n", `    password: {fixed: "!"}`, "insured.contact.email: email\n", `"trips[].to": `, "iban: iban\n",
		"\nalways: [auth_permission, django_content_type, django_migrations]\n",
	} {
		if !strings.Contains(string(text), want) {
			t.Errorf("it has no %q:\n%s", want, text)
		}
	}
	for _, value := range []string{"Kerviel", "Yann", "Quimper", "orange"} {
		if strings.Contains(string(text), value) {
			t.Errorf("it shows %s", value)
		}
	}
}

func TestAProposalShowsNoValueThatIsAKeyOfADocument(t *testing.T) {
	schema := &Schema{Tables: []Table{{Schema: "public", Name: "t", Columns: []Column{{Name: "data", Type: "jsonb"}, {Name: "typed", Type: "text"}}}}}
	var samples []string
	for i := range 300 {
		samples = append(samples, fmt.Sprintf(`{"byName": {"Kerviel": 1, "Le Gall": 2, "kerviel%c%c": 3}, "by_nir": {"18505751234%d": "x"}, "Nom": "Roy", "seen": {"yann%c%c": true}, "ok": true, "n": 3}`,
			'a'+i%26, 'a'+i/26, 10+i, 'a'+i%26, 'a'+i/26))
	}
	samples = append(samples, `{"casanova": "once"}`)
	text := string(Propose(schema, map[string][]string{"t.data": samples, "t.typed": samples}))
	for _, value := range []string{"erviel", "Gall", "18505", "yann", "casanova", "Roy"} {
		if strings.Contains(text, value) {
			t.Errorf("it shows %s:\n%s", value, text)
		}
	}
	for _, want := range []string{"        Nom: lastName\n", "        ok: keep\n"} {
		if strings.Count(text, want) != 2 { // in a text as in a document
			t.Errorf("it has no %q:\n%s", want, text)
		}
	}
	for _, one := range []string{`{"Martin": 1}`, `{"kerviel": {"x": 1}}`} {
		if text := string(Propose(schema, map[string][]string{"t.data": {one}})); strings.Contains(text, "artin") || strings.Contains(text, "kerviel") {
			t.Errorf("what a single document has is shown:\n%s", text)
		}
	}
}

func TestNamesAndValuesAreUnderstood(t *testing.T) {
	repeat := func(values ...string) (all []string) {
		for range 60 {
			all = append(all, values...)
		}
		return all
	}
	for _, c := range []struct {
		column    Column
		values    []string
		want      string
		uncertain bool
	}{
		{Column{Name: "nom", Type: "text"}, nil, "lastName", false},
		{Column{Name: "prenom", Type: "text"}, nil, "firstName", false},
		{Column{Name: "Prenom_Usage", Type: "text"}, nil, "firstName", false},
		{Column{Name: "date_naissance", Type: "date"}, nil, "birthDate", false},
		{Column{Name: "birth", Type: "timestamp with time zone"}, nil, "birthDate", false},
		{Column{Name: "created", Type: "timestamp with time zone"}, nil, "keep", false},
		{Column{Name: "courriel", Type: "character varying(254)", Length: 254}, nil, "email", false},
		{Column{Name: "mail", Type: "character varying(10)", Length: 10}, nil, "hash", true}, // no address fits
		{Column{Name: "telephone", Type: "text"}, nil, "phone", false},
		{Column{Name: "num_secu", Type: "text"}, nil, "nir", false},
		{Column{Name: "iban", Type: "text"}, nil, "iban", false},
		{Column{Name: "rue", Type: "text"}, nil, "address", false},
		{Column{Name: "ville", Type: "text"}, nil, "address", false},
		{Column{Name: "code_postal", Type: "text"}, nil, "address", false},
		{Column{Name: "commentaire", Type: "text"}, nil, "freeText", false},
		{Column{Name: "notes", Type: "text"}, nil, "freeText", false},
		{Column{Name: "token", Type: "text"}, nil, "hash", false},
		{Column{Name: "token", Type: "uuid", Unique: true}, nil, "uuid", false},
		{Column{Name: "password", Type: "text"}, nil, `{fixed: "!"}`, false},
		{Column{Name: "creation_ip", Type: "inet"}, nil, `{fixed: "192.0.2.1"}`, false},
		{Column{Name: "ip", Type: "text"}, nil, `{fixed: "192.0.2.1"}`, false},
		{Column{Name: "latitude", Type: "double precision", NotNull: true}, nil, "hash", true},
		{Column{Name: "latitude", Type: "double precision"}, nil, "null", false},
		{Column{Name: "is_active", Type: "boolean"}, nil, "keep", false},
		{Column{Name: "mood", Type: "mood"}, nil, "keep", false},
		{Column{Name: "words", Type: "tsvector"}, nil, "null", true},
		{Column{Name: "scan", Type: "bytea"}, nil, "null", true},
		{Column{Name: "tags", Type: "text[]", NotNull: true}, nil, "{fixed: \"{}\"}", true},
		{Column{Name: "name", Type: "text"}, nil, "fullName", true},
		{Column{Name: "status", Type: "text"}, nil, "keep", true},
		{Column{Name: "sigle", Type: "character varying(4)", Length: 4, Unique: true, NotNull: true}, nil, "keep", true}, // too short for hashes that differ
		// By what the values look like:
		{Column{Name: "a", Type: "text"}, []string{"yann@orange.example"}, "email", true},
		{Column{Name: "a", Type: "text"}, []string{"185057512345612"}, "freeText", true}, // its key is wrong
		{Column{Name: "a", Type: "text"}, []string{"1 85 05 75 123 456 73"}, "nir", true},
		{Column{Name: "a", Type: "bigint"}, []string{"1850575123456"}, "hash", true},
		{Column{Name: "a", Type: "text"}, []string{"06 12 34 56 78"}, "phone", true},
		{Column{Name: "a", Type: "text"}, []string{"FR76 3000 6000 0112 3456 7890 189"}, "iban", true},
		{Column{Name: "a", Type: "text"}, []string{"03/07/1985"}, "birthDate", true},
		{Column{Name: "a", Type: "text"}, repeat("new", "in_progress"), "keep", true},
		{Column{Name: "a", Type: "text"}, repeat("Yann Kerviel", "Ana Roy"), "freeText", true},
		{Column{Name: "note", Type: "text"}, []string{"yann@orange.example"}, "email", true}, // the name says otherwise
	} {
		p := (&Schema{Enums: []string{"mood"}}).propose(nil, &c.column, c.values)
		if p.text() != c.want || (p.uncertain != "") != c.uncertain {
			t.Errorf("%s %s: %s (uncertain: %q), not %s", c.column.Name, c.column.Type, p.text(), p.uncertain, c.want)
		}
	}
}

// Whatever a schema is like, what is proposed for it fits it.
func TestProposalsFitWhateverTheSchemaIs(t *testing.T) {
	names := []string{"id", "nom", "first_name", "email", "nir", "tel", "birth_date", "note", "password", "ip", "lat", "data", "x", "sexe", "Odd \"name\": #", "token", "iban", "y", "null"}
	types := []struct {
		name   string
		length int
	}{{"text", 0}, {"character varying(4)", 4}, {"character varying(70)", 70}, {"integer", 0}, {"bigint", 0}, {"date", 0}, {"uuid", 0}, {"boolean", 0}, {"jsonb", 0},
		{"bytea", 0}, {"text[]", 0}, {"inet", 0}, {"mood", 0}, {"point", 0}, {"numeric(7,2)", 0}, {"numeric", 0}, {"double precision", 0}, {"timestamp with time zone", 0}, {"character(3)", 3}}
	for seed := range uint64(300) {
		rng := rand.New(rand.NewPCG(seed, 0))
		s := &Schema{Enums: []string{"mood"}}
		for i := range 5 {
			table := Table{Schema: []string{"public", "Archive"}[rng.IntN(2)], Name: []string{"t", "person", "django_session", "Odd: t", "token"}[i]}
			for _, n := range rng.Perm(len(names))[:8] {
				typ := types[rng.IntN(len(types))]
				table.Columns = append(table.Columns, Column{Name: names[n], Type: typ.name, Length: typ.length, NotNull: rng.IntN(2) == 0, Unique: rng.IntN(3) == 0, Generated: rng.IntN(12) == 0})
			}
			if rng.IntN(2) == 0 {
				s.Uniques = append(s.Uniques, Unique{table.full(), []string{table.Columns[0].Name, table.Columns[1].Name}})
			}
			s.Tables = append(s.Tables, table)
		}
		for range 4 { // to columns of a type that is alike
			from, to := &s.Tables[rng.IntN(5)], &s.Tables[rng.IntN(5)]
			a, b := &from.Columns[rng.IntN(8)], &to.Columns[rng.IntN(8)]
			if typeOf(a.Type, 0).class == typeOf(b.Type, 0).class && !a.Generated && !b.Generated {
				a.References = to.full() + "." + b.Name
				s.ForeignKeys = append(s.ForeignKeys, ForeignKey{from.full(), []string{a.Name}, to.full(), []string{b.Name}})
			}
		}
		text := Propose(s, nil)
		rules, err := ParseRules("proposal.yml", text)
		if err == nil {
			_, err = rules.Fit(s)
		}
		if err != nil {
			t.Fatalf("schema %d: %v\n%s", seed, err, text)
		}
	}
}
