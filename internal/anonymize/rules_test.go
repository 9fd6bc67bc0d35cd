package anonymize

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// mrs is the schema of the demonstration's database.
func mrs(t *testing.T) *Schema {
	t.Helper()
	text, err := os.ReadFile("testdata/mrs.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseSchema(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// ours are the rules of env/anonymize.yml, with what is replaced by what.
func ours(t *testing.T, replaced ...string) (*Rules, error) {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "env", "anonymize.yml"))
	if err != nil {
		t.Fatal(err)
	}
	for i := 0; i < len(replaced); i += 2 {
		if !strings.Contains(string(text), replaced[i]) {
			t.Fatalf("env/anonymize.yml has no %q", replaced[i])
		}
	}
	return ParseRules("env/anonymize.yml", []byte(strings.NewReplacer(replaced...).Replace(string(text))))
}

func TestTheProjectsRulesNameEveryColumnOfTheApplication(t *testing.T) {
	rules, err := ours(t)
	if err != nil {
		t.Fatal(err)
	}
	plan, err := rules.Fit(mrs(t))
	if err != nil {
		t.Fatal(err)
	}
	for _, table := range plan.Tables {
		if rules.Tables[table.Name].Line == 0 {
			t.Errorf("%s is not named", table.Name)
		}
		if table.Rows > 1000 && table.Pages == 0 {
			t.Errorf("%s has no size", table.Name)
		}
	}
}

func TestEveryMistakeIsToldAtOnceWithItsLine(t *testing.T) {
	_, err := ParseRules("rules.yml", []byte(`tables:
  person:
    id: kep
    nir: nirr
    nir: nir
    born: {birthDate: {days: many}}
    name: {firstName: {gender: nir}}
    data: {json: {a.b: {json: {}}, c: {template: x}, d: mail}}
    code: fixed
    note: {fixed: [a]}
    list: [keep]
    nothing:
  session: vide
  other: 3
table: {}
others:
  - {rule: keep}
  - {name: "[", rule: keep}
  - {type: boolean}
  - {nom: x, rule: keep}
largeObjects: keep
`))
	invalid, ok := errors.AsType[*Invalid](err)
	if !ok {
		t.Fatal(err)
	}
	want := []string{
		`rules.yml:3: person.id: "kep" is not a rule; did you mean keep?`,
		`rules.yml:4: person.nir: "nirr" is not a rule; did you mean nir?`,
		`rules.yml:5: person: nir was named before, in line 4`,
		`rules.yml:6: person.born: birthDate takes {days: N}, by how many it moves at most, up to 3660`,
		`rules.yml:7: person.name: firstName takes {sex: COLUMN}`,
		`rules.yml:8: person.data: a.b: json is for columns`,
		`rules.yml:8: person.data: c: template is for columns`,
		`rules.yml:8: person.data: d: "mail" is not a rule; did you mean email?`,
		`rules.yml:9: person.code: fixed needs to be told more, as in {fixed: …}`,
		`rules.yml:10: person.note: fixed takes a text`,
		`rules.yml:11: person.list: a rule is one word, or {word: what it needs}`,
		`rules.yml:12: person.nothing: there is no rule`,
		`rules.yml:13: session: "vide" is not known; a table is empty, or has a rule for each column`,
		`rules.yml:14: other: "3" is not known; a table is empty, or has a rule for each column`,
		`rules.yml:15: "table" is not known; did you mean tables?`,
		`rules.yml:17: others: it needs a rule, and a name or a type`,
		`rules.yml:18: others: "[" is no pattern of names, like *_id`,
		`rules.yml:19: others: it needs a rule, and a name or a type`,
		`rules.yml:20: others: "nom" is not known; did you mean name?`,
		`rules.yml:20: others: it needs a rule, and a name or a type`,
		`rules.yml:21: largeObjects: "keep" is not known; drop leaves them behind`,
	}
	if !slices.Equal(invalid.Problems, want) {
		t.Errorf("it says\n%s\nnot\n%s", strings.Join(invalid.Problems, "\n"), strings.Join(want, "\n"))
	}
	for _, text := range []string{"", "# nothing\n", "a: [", "- a"} {
		if _, err := ParseRules("rules.yml", []byte(text)); err == nil {
			t.Errorf("%q: no error", text)
		}
	}
}

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
	schema.Foreign = []string{"public.elsewhere"}
	_, err = rules.Fit(schema)
	misfit, ok := errors.AsType[*Misfit](err)
	if !ok {
		t.Fatal(err)
	}
	want := []string{
		"the database has 3 large objects, which no rule is about; largeObjects: drop leaves them behind",
		"public.elsewhere: its rows are in another database",
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
		{"    nir: nir\n", "    nri: nir\n", "person_person.nri: there is no such column"},
		{"    nir: nir\n", "    nir: null\n", "person_person.nir"},
		{"  django_session: empty", "  django_sessions: empty", "there is no table django_sessions"},
		{"insured_id: keep", "insured_id: hash", "mrsrequest_mrsrequest.insured_id (hash) refers to person_person.id (keep)"},
		{"{sex: nir}", "{sex: nri}", "nri"},
		{`"agent-{id}"`, `"agent-{di}"`, "di"},
		{`"agent-{id}"`, `"agent"`, "mrsuser_user.username"},
		{"creation_ip: {fixed: 192.0.2.1}", "creation_ip: phone", "creation_ip"},
		{"adeli: hash", "adeli: email", "adeli"},
		{"insured.nir: nir", "insured..nir: nir", "insured..nir"},
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

func FuzzParseRules(f *testing.F) {
	f.Add("tables:\n  t: {a: keep, b: {json: {c: email}}}\nothers: [{name: x, rule: {fixed: y}}]\n")
	f.Add("a: &a [*a]\ntables: *a\n")
	f.Fuzz(func(t *testing.T, text string) {
		rules, err := ParseRules("r", []byte(text))
		if (rules == nil) != (err != nil) {
			t.Errorf("rules %v with the error %v", rules, err)
		}
	})
}
