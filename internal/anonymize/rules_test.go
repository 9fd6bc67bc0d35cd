package anonymize

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// described is a column of MRS, as demo/schema.tsv describes it.
type described struct{ table, column, sqlType, nullable, unique, references, personal string }

func description(t *testing.T) []described {
	t.Helper()
	text, err := os.ReadFile(filepath.Join("..", "..", "demo", "schema.tsv"))
	if err != nil {
		t.Fatal(err)
	}
	var all []described
	for _, line := range strings.Split(strings.TrimSpace(string(text)), "\n")[1:] {
		f := strings.Split(line, "\t")
		all = append(all, described{f[0], f[1], f[2], f[3], f[4], f[5], f[6]})
	}
	return all
}

// mrs is the schema of MRS's database.
func mrs(t *testing.T) *Schema {
	t.Helper()
	s := &Schema{Encoding: "UTF8"}
	for _, d := range description(t) {
		if n := len(s.Tables); n == 0 || s.Tables[n-1].Name != d.table {
			s.Tables = append(s.Tables, Table{Schema: "public", Name: d.table})
		}
		c := Column{Name: d.column, Type: d.sqlType, NotNull: d.nullable == "n", Unique: d.unique == "y"}
		if m := modifier.FindStringSubmatch(d.sqlType); m != nil && strings.HasPrefix(d.sqlType, "character") {
			c.Length, _ = strconv.Atoi(m[1])
		}
		if table, column, ok := strings.Cut(d.references, "."); ok {
			c.References = "public." + d.references
			s.ForeignKeys = append(s.ForeignKeys, ForeignKey{"public." + d.table, []string{d.column}, "public." + table, []string{column}})
		}
		t := &s.Tables[len(s.Tables)-1]
		t.Columns = append(t.Columns, c)
	}
	// Of databases older than the squashed migrations.
	s.Uniques = []Unique{{"public.mrsstat_stat", []string{"date", "caisse_id", "institution_id"}}}
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
	treated := map[string]Kind{}
	for _, table := range plan.Tables {
		if rules.Tables[table.Name].Line == 0 {
			t.Errorf("%s is not named", table.Name)
		}
		for _, c := range table.Columns {
			treated[table.Name+"."+c.Name] = c.Rule.Kind
		}
	}
	for _, d := range description(t) {
		kind, copied := treated[d.table+"."+d.column]
		if !copied || d.personal == "n" || kind != Keep && kind != Public {
			continue
		}
		// Whose journey it was is not told any more.
		if d.table != "mrsrequest_transport" || d.personal != "?" {
			t.Errorf("%s.%s is personal (%s), and kept", d.table, d.column, d.personal)
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
    path: {json: {a..b: keep, "c[": keep}}
    text: {template: "{id"}
    none: {fixed: }
    typed: fixd
    ? [odd]
    : keep
  session: vide
  other: 3
  public.person: empty
table: {}
others:
  - {rule: keep}
  - {name: "[", rule: keep}
  - {type: boolean}
  - {nom: x, rule: keep}
largeObjects: keep
optional: [sesion]
always: [lists]
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
		`rules.yml:13: person.path: a..b: a name is missing`,
		`rules.yml:13: person.path: c[: not a path: names have dots between them, and [] behind where they are lists`,
		`rules.yml:14: person.text: template: a { without a }; {{ is a brace`,
		`rules.yml:15: person.none: fixed takes a text, in quotes if it is empty or says null; the rule null writes NULL`,
		`rules.yml:16: person.typed: "fixd" is not a rule; did you mean fixed?`,
		`rules.yml:17: person: a name is a text`,
		`rules.yml:19: session: "vide" is not known; a table is empty, or has a rule for each column`,
		`rules.yml:20: other: "3" is not known; a table is empty, or has a rule for each column`,
		`rules.yml:21: tables: public.person is the table of line 3`,
		`rules.yml:22: "table" is not known; did you mean tables?`,
		`rules.yml:24: others: it needs a rule, and a name or a type`,
		`rules.yml:25: others: "[" is no pattern of names, like *_id`,
		`rules.yml:26: others: it needs a rule, and a name or a type`,
		`rules.yml:27: others: "nom" is not known; did you mean name?`,
		`rules.yml:27: others: it needs a rule, and a name or a type`,
		`rules.yml:28: largeObjects: "keep" is not known; drop leaves them behind`,
		`rules.yml:30: always: no table "lists" is named in tables`,
		`rules.yml:29: optional: no table "sesion" is named in tables; did you mean session?`,
	}
	if !slices.Equal(invalid.Problems, want) {
		t.Errorf("it says\n%s\nnot\n%s", strings.Join(invalid.Problems, "\n"), strings.Join(want, "\n"))
	}
}

func TestAFileThatIsNoRulesIsRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                                "r:1: it has no rules",
		"# nothing\n":                     "r:1: it has no rules",
		"tables:\n  a:\n    b: [x\n c: d": "r:4: it is no YAML: while parsing a flow sequence: did not find expected ',' or ']'\n",
		"a: 1\n b: 2":                     "r:2: it is no YAML: mapping values are not allowed in this context\n",
		"- a":                             "r:1: the file: there should be names with a : behind each",
		"tables: {}\n---\ntables: {}\n":   "r:2: a second YAML document begins here",
		"tables: {}\n---\na: [":           "r:3: it is no YAML",
		"tables: {t: {a: ~}}":             "r:1: t.a: there is no rule",
		"a: &a {b: *a}":                   `r:1: "a" is not known`,
		"optional: t":                     "r:1: optional: it is a list",
		"always: {t: 1}":                  "r:1: always: it is a list",
	} {
		_, err := ParseRules("r", []byte(text))
		if err == nil || !strings.HasPrefix(err.Error(), want) || strings.Count(err.Error(), "\nhint: ") != 1 {
			t.Errorf("%q: %v", text, err)
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
