// Package anonymize changes what is personal in a PostgreSQL database while it
// streams by, in the text format of COPY.
//
// It knows the rules (env/anonymize.yml): what is done to each column of each
// table, and that nothing is let through which they do not name. The same input
// gives the same fake, in whatever table, column or row it is met, as long as the
// key is the same; without the key no fake leads back to its input. It must not
// know where data comes from or goes to: it is handed a schema, readers and
// writers.
package anonymize

// Kind is what is done to the values of a column. NULL stays NULL whatever the
// kind, except for [Fixed], which replaces every value.
type Kind string

// The kinds, as they are written in a file of rules.
const (
	Keep      Kind = "keep"      // as it is: it is nobody's
	Public    Kind = "public"    // as it is, and what it says is known to everybody: the leak scan does not look at it
	Null      Kind = "null"      // NULL
	Fixed     Kind = "fixed"     // one value for all: Rule.Text
	FirstName Kind = "firstName" // an invented one; Rule.Sex says where the sex comes from
	LastName  Kind = "lastName"
	FullName  Kind = "fullName"  // a first and a last name, in the order and with the fakes of its words
	Email     Kind = "email"     // below example.org (RFC 2606), so that nothing is ever sent to anybody
	Phone     Kind = "phone"     // digits of a range that is kept for fiction, in the format that the input has
	BirthDate Kind = "birthDate" // moved by up to Rule.Days days, never by none, in the format that the input has
	NIR       Kind = "nir"       // a French social security number, its sex kept, its key right where it has one
	Address   Kind = "address"   // a street, post code or town that does not exist
	FreeText  Kind = "freeText"  // words that say nothing, about as long
	IBAN      Kind = "iban"      // its country kept, its check digits right, of a bank that does not exist
	UUID      Kind = "uuid"      // another UUID, version 4
	Hash      Kind = "hash"      // letters and digits, as long as the input is, or digits alone for a number
	JSON      Kind = "json"      // by path: Rule.Paths; what no path names is removed
	Template  Kind = "template"  // made of other columns' fakes: Rule.Text
)

// Rule is what is done to a column, or to what a path leads to in a document.
type Rule struct {
	Kind Kind `json:"kind"`

	// Text is the value of Fixed, and the text of Template, where {column} stands
	// for what becomes of another column of the row, {column|lower} and
	// {column|slug} for that in lower case, or in lower case without accents and
	// with - for whatever is neither letter nor digit. {{ is a brace.
	Text string `json:"text,omitempty"`

	// Sex is the column that a FirstName has its sex from: a NIR, or a letter
	// or digit (M, F, H, 1, 2) of its own. Without it, the sex is anybody's.
	Sex string `json:"sex,omitempty"`

	// Days is how far BirthDate moves at most; 0 means 180.
	Days int `json:"days,omitempty"`

	// Paths are the rules of a JSON document's values: "insured.contact.email",
	// "transports[].date" for each element of a list. A path to an object or a
	// list that is Keep or Public lets through all that is in it.
	Paths map[string]Rule `json:"paths,omitempty"`

	Line int `json:"-"` // in the file of rules
}

// Table is a table of a database and what its columns are.
type Table struct {
	Schema  string   `json:"schema"`
	Name    string   `json:"name"`
	Root    string   `json:"root,omitempty"` // of a partition: the schema.name of the table at the top
	Columns []Column `json:"columns"`
	Rows    int64    `json:"rows"`  // as PostgreSQL estimates them; -1 where it never looked
	Bytes   int64    `json:"bytes"` // with indexes and what is stored beside
	Pages   int64    `json:"pages"` // of 8 KiB, of the rows alone
}

// Column is a column of a table. Those that are generated from others are not
// copied.
type Column struct {
	Name       string `json:"name"`
	Type       string `json:"type"`                 // as format_type writes it: "character varying(70)", "uuid", "text[]"
	Length     int    `json:"length,omitempty"`     // characters at most; 0 is no limit
	Collation  string `json:"collation,omitempty"`  // the locale of one that takes different spellings for equal
	NotNull    bool   `json:"notNull,omitempty"`    //
	Unique     bool   `json:"unique,omitempty"`     // alone, by a constraint or an index
	Generated  bool   `json:"generated,omitempty"`  // GENERATED ALWAYS AS (…) STORED
	References string `json:"references,omitempty"` // schema.table.column, of a foreign key of this column alone
}

// Plan is what happens to each table: rules and schema brought together by
// [Rules.Fit]. It can be sent elsewhere as JSON.
type Plan struct {
	Tables []TablePlan `json:"tables"`
}

// TablePlan is what happens to a table.
type TablePlan struct {
	Schema  string       `json:"schema"`
	Name    string       `json:"name"`
	Empty   bool         `json:"empty,omitempty"` // no row is copied
	Columns []ColumnPlan `json:"columns"`         // those that are copied, in the table's order
	Rows    int64        `json:"rows"`            // as of Table, like Bytes and Pages
	Bytes   int64        `json:"bytes"`
	Pages   int64        `json:"pages"`
}

// ColumnPlan is what happens to a column.
type ColumnPlan struct {
	Column
	Rule Rule `json:"rule"`
}

// Text reports whether the column's values are texts.
func (c *ColumnPlan) Text() bool { return typeOf(c.Type, c.Length).class == textClass }
