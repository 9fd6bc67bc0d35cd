package anonymize

import (
	"os"
	"slices"
	"testing"
)

// What PostgreSQL 15 answers to SchemaQuery in a database of testdata/odd.sql.
func TestWhatPostgreSQLSaysOfItsSchemaIsUnderstood(t *testing.T) {
	text, err := os.ReadFile("testdata/odd.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	s, err := ParseSchema(text)
	if err != nil {
		t.Fatal(err)
	}
	columns := map[string]Column{}
	var tables []string
	for i := range s.Tables {
		table := &s.Tables[i]
		tables = append(tables, table.full()+" of "+table.Called())
		for _, c := range table.Columns {
			columns[table.Name+"."+c.Name] = c
		}
	}
	if want := []string{"Archive.d1 of Archive.Day", "public.a.b of a.b", "public.child of child", "public.d21 of Archive.Day", "public.dom of dom", "public.person of person"}; !slices.Equal(tables, want) {
		t.Errorf("there are %q", tables)
	}
	for name, want := range map[string]Column{
		"person.id":        {Name: "id", Type: "integer", NotNull: true, Unique: true},
		"person.last_name": {Name: "last_name", Type: "character varying(70)", Length: 70},                         // unique with another only
		"person.mail":      {Name: "mail", Type: "text"},                                                           // unique in lower case
		"person.code":      {Name: "code", Type: "character varying(15)", Length: 15, NotNull: true, Unique: true}, // of a domain
		"person.gen":       {Name: "gen", Type: "text", Generated: true},
		"person.c":         {Name: "c", Type: "character(3)", Length: 3},
		"dom.a":            {Name: "a", Type: "character varying(15)", Length: 15, NotNull: true}, // of a domain of a domain
		"d21.person":       {Name: "person", Type: "integer", References: "public.person.id"},     // of its root's root
	} {
		if columns[name] != want {
			t.Errorf("%s is %+v, not %+v", name, columns[name], want)
		}
	}
	if _, ok := columns["person.n"]; ok {
		t.Error("a column that was dropped is there")
	}
	jointly := s.jointly()
	for name, want := range map[string]bool{
		"public.person.last_name": true, "public.person.born": true, "public.person.mail": true, "public.person.first_name": true,
		"public.person.code": false, "public.person.active": false, "Archive.d1.id": true,
	} {
		if jointly[name] != want {
			t.Errorf("%s has to differ: %v", name, jointly[name])
		}
	}
	if key := s.ForeignKeys[len(s.ForeignKeys)-1]; key.Table != "public.child" || key.References != "Archive.Day" || !slices.Equal(key.Referenced, []string{"id", "day"}) {
		t.Errorf("the last foreign key is %+v", key)
	}
	if !slices.Equal(s.Enums, []string{"mood"}) {
		t.Errorf("lists of words are %q", s.Enums)
	}
	if _, err := ParseSchema([]byte("{")); err == nil {
		t.Error("half an answer is taken for a schema")
	}
}
