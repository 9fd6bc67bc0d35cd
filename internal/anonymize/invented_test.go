package anonymize

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
)

// Staging is a copy of production, and a developer's machine gets one of staging.
func TestACopyOfACopyHasNobodyInIt(t *testing.T) {
	column := func(name, kind string, rule Rule) ColumnPlan {
		return ColumnPlan{Column: Column{Name: name, Type: kind}, Rule: rule}
	}
	plan := &TablePlan{Schema: "public", Name: "people", Columns: []ColumnPlan{
		column("id", "integer", Rule{Kind: Keep}), column("uuid", "uuid", Rule{Kind: UUID}),
		column("first_name", "text", Rule{Kind: FirstName}), column("last_name", "text", Rule{Kind: LastName}),
		column("name", "character varying(70)", Rule{Kind: FullName}), column("phone", "text", Rule{Kind: Phone}),
		column("mail", "text", Rule{Kind: Email}),
		column("narrow", "character varying(17)", Rule{Kind: Email}), column("nir", "text", Rule{Kind: NIR}),
		column("street", "text", Rule{Kind: Address}), column("code", "text", Rule{Kind: Address}),
		column("note", "text", Rule{Kind: FreeText}), column("account", "text", Rule{Kind: IBAN}),
		column("username", "text", Rule{Kind: Template, Text: "agent-{id}"}),
		column("file", "text", Rule{Kind: Template, Text: "{{{uuid}}} of {last_name|slug}, {phone}.pdf"}),
		column("doc", "jsonb", Rule{Kind: JSON, Paths: map[string]Rule{
			"who": {Kind: FullName}, "phones[]": {Kind: Phone}, "town": {Kind: Address}, "note": {Kind: FreeText},
		}}),
	}}
	const people = 4_000
	var rows strings.Builder
	for i := range people {
		name := fmt.Sprintf("Le %c%c%c%c-Kerviel", 'A'+i%26, 'a'+i/26%26, 'a'+i/676%26, 'a'+i/17576)
		fmt.Fprintf(&rows, "%d\t7d6c2f0e-9d3b-4a53-9d0a-%012x\tJean%[1]d\t%[3]s\t%[3]s Yann\t06 %[4]s\tjean.%[1]d@orange.example\tj%[1]d@a.example\t18505751%05[1]d\t"+
			"%[1]d rue %[3]s\t29%06[1]d\tIl vient de %[3]s, demain\tFR76300060000112345%05[1]d189\tkerviel-%[1]d\t%[3]s.pdf\t"+
			`{"who": "%[3]s Yann", "phones": ["+33 6 %[4]s"], "town": "%[3]s", "note": "%[3]s arrive"}`+"\n",
			i, i, name, fmt.Sprintf("%02d %02d %02d %02d", 10+i%7, i/7%100, i/700%100, i%100))
	}
	was := rows.String()
	for generation := range 4 {
		filter, err := plan.Filter(Key{byte(generation)})
		if err != nil {
			t.Fatal(err)
		}
		var is bytes.Buffer
		if _, err := filter.Copy(&is, strings.NewReader(was)); err != nil {
			t.Fatal(err)
		}
		scan := NewScan()
		values := make([][]string, len(plan.Columns))
		for row := range strings.Lines(was) {
			for i, v := range strings.Split(strings.TrimSuffix(row, "\n"), "\t") {
				values[i] = append(values[i], v)
			}
		}
		for i := range plan.Columns {
			if plan.Columns[i].Rule.Kind != Keep {
				scan.Learn(plan, &plan.Columns[i], values[i])
			}
		}
		if generation == 0 && scan.Values() < 12*people {
			t.Errorf("of real people %d values are known", scan.Values())
		}
		if err := scan.Look(plan, is.Bytes()); err != nil {
			t.Errorf("generation %d: %v", generation, err)
		}
		was = is.String()
	}
}

func TestWhatIsSomebodysIsNotTakenForInvented(t *testing.T) {
	for kind, values := range map[Kind][]string{
		FirstName: {"Yanni", "Alyx", "Styx", "Babe", "Babebyxe", "Max", "Onyx"},
		LastName:  {"Kerviel", "Le Babebibyx", "Babebyx-Kerviel", "Vyx", "Zyx", "Bazyx", "Babebibozyx"},
		FullName:  {"Babebyx Kerviel", "Jean Babebizyx"},
		Address:   {"12 rue des Écoles", "12 ruyx des Écoles", "29200 Brest", "29200", "12", "0033612345678"},
		FreeText:  {"loryx ipsyx Kerviel", "12", "loryx 0612345678"},
		Phone:     {"06 12 34 56 78", "0199001234x06", "63998", "Kerviel 01 99 00 12 34"},
		Email:     {"jean@example.org.fr", "jean@orange.example", "jean.kerviel@example.org", "jean@example.org"},
		NIR:       {"1855057512345"}, Hash: {"babebizyx"}, UUID: {"babebizyx"},
	} {
		for _, v := range values {
			if invented(kind, v) {
				t.Errorf("%s %q", kind, v)
			}
		}
	}
	plan := &TablePlan{Columns: []ColumnPlan{
		{Column: Column{Name: "id", Type: "bigint"}, Rule: Rule{Kind: Keep}},
		{Column: Column{Name: "label", Type: "text"}, Rule: Rule{Kind: Keep}},
		{Column: Column{Name: "name", Type: "text"}, Rule: Rule{Kind: LastName}},
	}}
	for template, values := range map[string]map[string]bool{
		"piece-{id}":        {"piece-12": true, "piece-": false, "piece-Kerviel": false, "piece-12.pdf": false, "une piece-12": false},
		"{label}-{id}.pdf":  {"Kerviel-12.pdf": false},
		"{name|slug}-{id}":  {"babebizyx-7": true, "kerviel-7": false, "babebizyx-kerviel-7": false},
		"{{{id}}} ({name})": {"{7} (Babebizyx)": true, "7 (Babebizyx)": false},
	} {
		templated := plan.templated(template)
		for v, want := range values {
			if templated(v) != want {
				t.Errorf("%s: %q is taken for its own: %t", template, v, !want)
			}
		}
	}
}
