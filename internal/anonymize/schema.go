package anonymize

import (
	_ "embed"
	"encoding/json"
	"fmt"
	"slices"
	"strings"
)

// Schema is what a database consists of, as far as a copy of its data has to know.
type Schema struct {
	Tables      []Table      `json:"tables"` // with rows of their own: no views, no table that only has partitions
	ForeignKeys []ForeignKey `json:"foreignKeys"`

	// Uniques are the unique indexes that say nothing of one column alone.
	Uniques []Unique `json:"uniques"`

	// Indexes are those of tables that are no part of another.
	Indexes []Index `json:"indexes"`

	// Enums are the types that are lists of words.
	Enums []string `json:"enums"`

	// LargeObjects is how many pg_largeobject has: they belong to no column.
	LargeObjects int64 `json:"largeObjects"`
	// Subscriptions are what fetches rows of other databases.
	Subscriptions []string `json:"subscriptions"`
	Encoding      string   `json:"encoding"` // of the server: "UTF8"
}

// ForeignKey says that rows of a table refer to rows of another. Tables are
// schema.name; of partitions, only their root has it.
type ForeignKey struct {
	Table      string   `json:"table"`
	Columns    []string `json:"columns"`
	References string   `json:"references"`
	Referenced []string `json:"referenced"` // its columns
}

// Unique says that no two rows of a table have the same in all of its columns: an
// index on several, on some rows only, or on what is made of the columns, like
// lower(email).
type Unique struct {
	Table   string   `json:"table"` // schema.name
	Columns []string `json:"columns"`
}

// Index is an index, or the constraint that it is of.
type Index struct {
	Table      string `json:"table"` // schema.name
	Schema     string `json:"schema"`
	Relation   string `json:"relation"` // the table's name alone
	Name       string `json:"name"`     // of the constraint, if it is one's
	Constraint bool   `json:"constraint"`
}

// SchemaQuery returns SQL that returns the schema of a database as JSON, for
// [ParseSchema]. version is PostgreSQL's server_version_num, from 100000 on. Tables
// of extensions are theirs to fill. A domain is the type that it is made of. What of
// pg_collation there is depends on the version: nondeterministic ones came with 12,
// and the column of their locale has had three names.
func SchemaQuery(version int) string {
	var older []string
	if version < 120000 { // no column is generated (release notes of 12)
		older = append(older, "a.attgenerated <> ''", "false")
	}
	if version < 110000 { // no index includes more than its key, no foreign key is a partition's (of 11)
		older = append(older, "i.indnkeyatts", "i.indnatts", "indnkeyatts", "indnatts", " and k.conparentid = 0", "")
	}
	return strings.NewReplacer(older...).Replace(schemaQuery)
}

//go:embed schema.sql
var schemaQuery string

// ParseSchema reads what [SchemaQuery] returns. What of it can't be copied,
// [Rules.Fit] says.
func ParseSchema(text []byte) (*Schema, error) {
	s := &Schema{}
	if err := json.Unmarshal(text, s); err != nil {
		return nil, fmt.Errorf("what PostgreSQL says of its schema can't be read: %w", err)
	}
	return s, nil
}

// full is how SQL calls a table.
func (t *Table) full() string { return t.Schema + "." + t.Name }

// Called returns how rules call a table: by its root, without the schema public.
func (t *Table) Called() string {
	name := t.full()
	if t.Root != "" {
		name = t.Root
	}
	return called(name)
}

// jointly are the columns, as schema.table.column, that have to differ for rows to
// differ: those of unique indexes that hold no column which is unique alone.
func (s *Schema) jointly() map[string]bool {
	alone := map[string]bool{}
	for i := range s.Tables {
		for _, c := range s.Tables[i].Columns {
			if c.Unique {
				alone[s.Tables[i].full()+"."+c.Name] = true
			}
		}
	}
	all := map[string]bool{}
	for _, u := range s.Uniques {
		if slices.ContainsFunc(u.Columns, func(c string) bool { return alone[u.Table+"."+c] }) {
			continue
		}
		for _, c := range u.Columns {
			all[u.Table+"."+c] = true
		}
	}
	return all
}

// roots are the tables as rules see them: a partitioned one is one table.
func roots(tables []Table) []*Table {
	var all []*Table
	seen := map[string]bool{}
	for i := range tables {
		if t := &tables[i]; !seen[t.Called()] {
			seen[t.Called()] = true
			all = append(all, t)
		}
	}
	slices.SortFunc(all, func(a, b *Table) int { return strings.Compare(a.Called(), b.Called()) })
	return all
}
