package agent

import (
	"slices"
	"testing"

	"github.com/betagouv/mrs-ops/internal/anonymize"
)

func TestFakesAreTriedWithWhatTheyAreMadeOf(t *testing.T) {
	column := func(name string, rule anonymize.Rule) anonymize.ColumnPlan {
		return anonymize.ColumnPlan{Column: anonymize.Column{Name: name, Type: "text"}, Rule: rule}
	}
	table := anonymize.TablePlan{Schema: "public", Name: "t", Columns: []anonymize.ColumnPlan{
		column("id", anonymize.Rule{Kind: anonymize.Keep}),
		column("sex", anonymize.Rule{Kind: anonymize.Keep}),
		column("first", anonymize.Rule{Kind: anonymize.FirstName, Sex: "sex"}),
		column("login", anonymize.Rule{Kind: anonymize.Template, Text: "{first|lower}-{id}"}),
		column("note", anonymize.Rule{Kind: anonymize.FreeText}),
		column("said", anonymize.Rule{Kind: anonymize.FreeText}),
		column("Left on", anonymize.Rule{Kind: anonymize.Keep}),
		column("other", anonymize.Rule{Kind: anonymize.Keep}),
		column("data", anonymize.Rule{Kind: anonymize.JSON, Paths: map[string]anonymize.Rule{"a": {Kind: anonymize.FirstName, Sex: "sex"}}}),
	}}
	part := tried(&table, []demand{{SQL: `(length(note) < 5) AND ("Left on" IS NOT NULL) AND others(x)`}})
	var names []string
	for _, c := range part.Columns {
		names = append(names, c.Name)
	}
	if want := []string{"id", "sex", "first", "login", "note", "Left on"}; !slices.Equal(names, want) {
		t.Errorf("%q are tried, not %q", names, want)
	}
	if got := changedIn(`length(note) < 5 AND "Left on" > id`, &part); !slices.Equal(got, []string{"note"}) {
		t.Errorf("it is about %q", got)
	}
}

func TestACheckIsAskedOfRowsThatAreInTheQuery(t *testing.T) {
	table := anonymize.TablePlan{Schema: "public", Name: "the t", Columns: []anonymize.ColumnPlan{
		{Column: anonymize.Column{Name: "a"}}, {Column: anonymize.Column{Name: `B"`}}}}
	types := map[string]string{"a": "integer", `B"`: "public.word"}
	const rows = `from (select v1::integer as "a", v2::public.word as "B""" from unnest(` +
		`array(select json_array_elements_text($1)), array(select json_array_elements_text($2))) as v(v1, v2)) "the t"`
	for check, want := range map[demand]string{
		{SQL: "a > 0", False: true}:    "select count(*) " + rows + " where not (a > 0)",
		{SQL: `lower("B"""), (a > 0)`}: `select 0 * count(row(lower("B"""), (a > 0))::text) ` + rows,
	} {
		if got := checkQuery(check, table.Name, &table, types); got != want {
			t.Errorf("%s\nnot\n%s", got, want)
		}
	}
}
