package anonymize

import (
	"errors"
	"slices"
	"strings"
	"testing"
)

func TestWhatNobodyHasThoughtOfIsNotCopied(t *testing.T) {
	rules, err := ours(t)
	if err != nil {
		t.Fatal(err)
	}
	schema := mrs(t)
	for i := range schema.Tables {
		if table := &schema.Tables[i]; table.Name == "person_person" {
			table.Columns = append(table.Columns, Column{Name: "phone", Type: "character varying(20)", Length: 20}, Column{Name: "double", Type: "text", Generated: true})
		}
	}
	schema.Tables = append(schema.Tables, Table{Schema: "public", Name: "newsletter", Columns: []Column{{Name: "mail", Type: "text"}}})
	schema.LargeObjects = 3
	_, err = rules.Fit(schema)
	misfit, ok := errors.AsType[*Misfit](err)
	if !ok {
		t.Fatal(err)
	}
	want := []string{
		"the database has 3 large objects, which no rule is about; largeObjects: drop leaves them behind",
		"person_person.phone (character varying(20)) has no rule; proposal: phone",
		"newsletter.mail (text) has no rule; proposal: email",
	}
	if !slices.Equal(misfit.Problems, want) {
		t.Errorf("it says\n%s", strings.Join(misfit.Problems, "\n"))
	}
}

func TestRulesThatCanNotBeAppliedAreTold(t *testing.T) {
	for _, c := range []struct{ was, is, want string }{
		{"birth_date: birthDate", "birth_date: nir", "person_person.birth_date"},
		{"    nir: nir #", "    nri: nir #", "person_person.nri: there is no such column"},
		{"    nir: nir #", "    nir: null #", "person_person.nir"},
		{"  django_session: empty", "  django_sessions: empty", "there is no table django_sessions"},
		{"insured_id: keep", "insured_id: hash", "mrsrequest_mrsrequest.insured_id (hash) refers to person_person.id (keep)"},
		{"first_name: firstName\n    last_name: lastName\n    birth", "first_name: {firstName: {sex: nri}}\n    last_name: lastName\n    birth", "nri"},
		{`"agent-{id}"`, `"agent-{di}"`, "di"},
		{`"agent-{id}"`, `"agent"`, "auth_user.username"},
		{"adeli: hash", "adeli: email", "adeli"},
		{"changed.nir[]: nir", "changed..nir[]: nir", "changed..nir"},
	} {
		rules, err := ours(t, c.was, c.is)
		if err == nil {
			_, err = rules.Fit(mrs(t))
		}
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v", c.is, err)
		}
	}
}

func TestOthersAreForWhatNoTableNames(t *testing.T) {
	rules, err := ParseRules("r", []byte(`
tables:
  t: {a: hash}
others:
  - {name: "*_id", type: [integer, bigint], rule: keep}
  - {type: character varying, rule: freeText}
  - {name: x*, rule: null}
`))
	if err != nil {
		t.Fatal(err)
	}
	plan, err := rules.Fit(&Schema{Tables: []Table{{Schema: "public", Name: "t", Columns: []Column{
		{Name: "a", Type: "text"}, {Name: "b_id", Type: "bigint"}, {Name: "xyz", Type: "character varying(7)"}, {Name: "x_id", Type: "uuid"},
	}}}})
	if err != nil {
		t.Fatal(err)
	}
	var kinds []Kind
	for _, c := range plan.Tables[0].Columns {
		kinds = append(kinds, c.Rule.Kind)
	}
	if want := []Kind{Hash, Keep, FreeText, Null}; !slices.Equal(kinds, want) {
		t.Errorf("%v, not %v", kinds, want)
	}
}

func TestPartitionsTakeTheRulesOfTheirRoot(t *testing.T) {
	rules, err := ParseRules("r", []byte("tables:\n  Archive.day: {who: lastName}\n"))
	if err != nil {
		t.Fatal(err)
	}
	who := []Column{{Name: "who", Type: "text"}}
	schema := &Schema{Tables: []Table{{Schema: "Archive", Name: "day_1", Root: "Archive.day", Columns: who}, {Schema: "public", Name: "day_2", Root: "Archive.day", Columns: who}}}
	plan, err := rules.Fit(schema)
	if err != nil || len(plan.Tables) != 2 || plan.Tables[1].Columns[0].Rule.Kind != LastName {
		t.Errorf("%+v: %v", plan, err)
	}
	for i := range schema.Tables {
		schema.Tables[i].Columns = append(slices.Clone(who), Column{Name: "new", Type: "text"})
	}
	if _, err := rules.Fit(schema); err == nil || strings.Count(err.Error(), "Archive.day.new") != 1 {
		t.Errorf("what all partitions lack is told once: %v", err)
	}
}

func TestAllThatDoesNotFitIsToldAtOnceWithItsLine(t *testing.T) {
	rules, err := ParseRules("r.yml", []byte(`tables:
  person:
    id: hash
    mail: null
    tel: phone
    data:
      json:
        a.b: keep
        c: {fixed: x}
    frist_name: firstName
    born: {firstName: {sex: nir}}
  request: {person_id: keep}
  reqest: empty
`))
	if err != nil {
		t.Fatal(err)
	}
	_, err = rules.Fit(&Schema{
		Tables: []Table{
			{Schema: "public", Name: "person", Columns: []Column{
				{Name: "id", Type: "integer", NotNull: true, Unique: true}, {Name: "mail", Type: "text", NotNull: true},
				{Name: "tel", Type: "text", Unique: true}, {Name: "data", Type: "boolean"}, {Name: "first_name", Type: "text"}, {Name: "born", Type: "date"},
			}},
			{Schema: "public", Name: "request", Columns: []Column{{Name: "person_id", Type: "integer"}}},
		},
		ForeignKeys: []ForeignKey{{"public.request", []string{"person_id"}, "public.person", []string{"id"}}},
	})
	misfit, ok := errors.AsType[*Misfit](err)
	if !ok {
		t.Fatal(err)
	}
	want := []string{
		"person.first_name (text) has no rule; proposal: firstName",
		"r.yml:10: person.frist_name: there is no such column; did you mean first_name?",
		"r.yml:13: there is no table reqest; did you mean request?",
		"r.yml:12: request.person_id (keep) refers to person.id (hash): both have to be keep, or both the same of uuid, hash, nir and email",
		"r.yml:4: person.mail (text): null: the column is NOT NULL; fixed writes one value for all",
		"r.yml:5: person.tel (text): phone: the column is unique, and two fakes may be the same; there are only 10 000 numbers of each zone that are kept for fiction; hash makes a different value of each",
		"r.yml:7: person.data (boolean): json: the type is boolean, not json, jsonb or text without a limit",
		"r.yml:11: person.born (date): firstName: there is no column nir to have a sex from",
	}
	if !slices.Equal(misfit.Problems, want) {
		t.Errorf("it says\n%s\nnot\n%s", strings.Join(misfit.Problems, "\n"), strings.Join(want, "\n"))
	}
	if !strings.HasSuffix(err.Error(), "\nhint: name each column in r.yml; if it is nobody's, as keep") {
		t.Errorf("it ends with no hint: %v", err)
	}
}

func TestAForeignKeyHoldsOrIsToldOf(t *testing.T) {
	const bigint, integer, text = "bigint", "integer", "text"
	for _, c := range []struct {
		child, parent         string
		childType, parentType string
		want                  string
	}{
		{"keep", "keep", integer, integer, ""},
		{"keep", "public", text, text, ""},
		{"hash", "hash", integer, integer, ""},
		{"email", "email", text, text, ""},
		{"null", "hash", integer, integer, ""},
		{"hash", "hash", bigint, integer, "of another type, integer and not bigint"},
		{"keep", "hash", integer, integer, "both have to be keep"},
		{"hash", "keep", integer, integer, "both have to be keep"},
		{"hash", "email", text, text, "both have to be keep"},
		{"iban", "iban", text, text, "both have to be keep"},
	} {
		rules, err := ParseRules("r", []byte("tables:\n  a: {x: "+c.parent+"}\n  b: {y: "+c.child+"}\n"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = rules.Fit(&Schema{
			Tables: []Table{
				{Schema: "public", Name: "a", Columns: []Column{{Name: "x", Type: c.parentType, Unique: true}}},
				{Schema: "public", Name: "b", Columns: []Column{{Name: "y", Type: c.childType, References: "public.a.x"}}},
			},
			ForeignKeys: []ForeignKey{{"public.b", []string{"y"}, "public.a", []string{"x"}}},
		})
		if (err == nil) != (c.want == "") || err != nil && !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s -> %s: %v", c.child, c.parent, err)
		}
	}
}

func TestWhatIsUniqueTogetherStaysSoOrIsToldOf(t *testing.T) {
	for _, c := range []struct {
		rules  string
		unique []string
		fits   bool
	}{
		{"{who: lastName, born: keep, id: keep}", []string{"who", "born"}, false},
		{"{who: hash, born: keep, id: keep}", []string{"who", "born"}, true},
		{"{who: email, born: keep, id: keep}", []string{"who"}, true}, // on lower(who), or some rows
		{"{who: {fixed: x}, born: keep, id: keep}", []string{"who"}, false},
		{"{who: lastName, born: keep, id: keep}", []string{"who", "id"}, true}, // id alone differs
		{"{who: null, born: keep, id: keep}", []string{"who", "born"}, true},   // no NULL is another
		{"{who: public, born: keep, id: keep}", []string{"who", "born"}, true},
	} {
		rules, err := ParseRules("r", []byte("tables:\n  t: "+c.rules+"\n"))
		if err != nil {
			t.Fatal(err)
		}
		_, err = rules.Fit(&Schema{
			Tables:  []Table{{Schema: "public", Name: "t", Columns: []Column{{Name: "id", Type: "integer", Unique: true}, {Name: "who", Type: "text"}, {Name: "born", Type: "date"}}}},
			Uniques: []Unique{{"public.t", c.unique}},
		})
		if (err == nil) != c.fits {
			t.Errorf("%s, unique %v: %v", c.rules, c.unique, err)
		}
	}
}

func TestATableThatNeedNotBeThereMayBeMissing(t *testing.T) {
	rules, err := ParseRules("r", []byte("tables:\n  t: {a: keep}\n  silk: empty\noptional: [silk]\n"))
	if err != nil {
		t.Fatal(err)
	}
	for _, tables := range [][]Table{
		{{Schema: "public", Name: "t", Columns: []Column{{Name: "a", Type: "text"}}}},
		{{Schema: "public", Name: "t", Columns: []Column{{Name: "a", Type: "text"}}}, {Schema: "public", Name: "silk"}},
	} {
		if _, err := rules.Fit(&Schema{Tables: tables}); err != nil {
			t.Error(err)
		}
	}
}

func TestTablesThatRulesCanNotTellApartAreRefused(t *testing.T) {
	rules, err := ParseRules("r", []byte("tables:\n  a.b: {x: keep}\n"))
	if err != nil {
		t.Fatal(err)
	}
	x := []Column{{Name: "x", Type: "text"}}
	_, err = rules.Fit(&Schema{Tables: []Table{{Schema: "a", Name: "b", Columns: x}, {Schema: "public", Name: "a.b", Columns: x}}})
	if err == nil || !strings.Contains(err.Error(), "two tables that rules would call a.b") {
		t.Errorf("the rules of one are the other's: %v", err)
	}
}
