package pgcopy

import (
	"fmt"
	"math"
	"slices"
	"strings"

	"github.com/betagouv/mrs-ops/internal/anonymize"
	"github.com/betagouv/mrs-ops/internal/pgcopy/wire"
)

// smallTable is how many rows a table has at least of which only a part is
// copied: what is smaller is mostly what others refer to.
const smallTable = 1000

// sampling chooses a part of the rows of each table, so that every foreign key
// still holds: a row is copied if those are that it refers to. Tables that refer
// to nothing are cut by chance; so the part of a table that refers to two of
// these is smaller than share.
type sampling struct {
	share   float64
	refs    map[string][]anonymize.ForeignKey // by table
	targets map[string][]string               // columns that are referred to, sorted, by table
	whole   map[string]bool
}

// newSampling finds out which tables stay whole: the small ones, those that
// refer to themselves in a circle, and all that these refer to.
func newSampling(share float64, rows map[string]int64, refs []anonymize.ForeignKey) *sampling {
	s := &sampling{share, map[string][]anonymize.ForeignKey{}, map[string][]string{}, map[string]bool{}}
	for _, r := range refs {
		s.refs[r.Table] = append(s.refs[r.Table], r)
		all := slices.Sorted(slices.Values(append(s.targets[r.References], r.Referenced...)))
		s.targets[r.References] = slices.Compact(all)
	}
	for table, n := range rows {
		if n < smallTable || s.reaches(table, table, map[string]bool{}) {
			s.keep(table)
		}
	}
	return s
}

// reaches reports whether rows of a table refer to rows of target, directly or
// over others.
func (s *sampling) reaches(table, target string, seen map[string]bool) bool {
	for _, r := range s.refs[table] {
		if r.References == target {
			return true
		}
		if !seen[r.References] {
			seen[r.References] = true
			if s.reaches(r.References, target, seen) {
				return true
			}
		}
	}
	return false
}

func (s *sampling) keep(table string) {
	if s.whole[table] {
		return
	}
	s.whole[table] = true
	for _, r := range s.refs[table] {
		s.keep(r.References)
	}
}

// chosen returns which rows of a table are copied. Whatever several keys lead to is
// chosen by one query.
func (s *sampling) chosen(table string) wire.Chosen {
	q := &queries{sampling: s, names: map[string]string{}}
	where := q.where(table)
	if len(q.all) == 0 {
		return wire.Chosen{Where: where}
	}
	return wire.Chosen{With: "with " + strings.Join(q.all, ", "), Where: where}
}

// queries are those by which the rows of a table are chosen, each after what it refers to.
type queries struct {
	*sampling
	names map[string]string // of the query of a table
	all   []string
}

// where returns the condition for the rows of a table, empty for all.
func (q *queries) where(table string) string {
	if q.whole[table] {
		return ""
	}
	var all []string
	for _, r := range q.refs[table] {
		chosen := q.query(r.References)
		if chosen == "" {
			continue
		}
		// A key with a NULL in it refers to nothing (MATCH SIMPLE).
		var alternatives []string
		for _, c := range r.Columns {
			alternatives = append(alternatives, wire.Ident(c)+" is null")
		}
		alternatives = append(alternatives,
			fmt.Sprintf("(%s) in (select %s from %s)", wire.Idents(r.Columns), wire.Idents(r.Referenced), chosen))
		all = append(all, "("+strings.Join(alternatives, " or ")+")")
	}
	if len(all) > 0 {
		return strings.Join(all, " and ")
	}
	return fmt.Sprintf("hashtext(ctid::text) & %d < %d", math.MaxInt32, int64(q.share*math.MaxInt32))
}

// query returns the name of the query for what is referred to of a table, empty for
// all of it.
func (q *queries) query(table string) string {
	if name, ok := q.names[table]; ok {
		return name
	}
	where := q.where(table)
	name := ""
	if where != "" {
		name = fmt.Sprintf("chosen_%d", len(q.all)+1)
		q.all = append(q.all, fmt.Sprintf("%s as (select %s from %s where %s)",
			name, wire.Idents(q.targets[table]), qualified(table), where))
	}
	q.names[table] = name
	return name
}

// closure returns the tables that are named, and all that their rows refer to.
func closure(named []string, refs []anonymize.ForeignKey) []string {
	all := slices.Clone(named)
	for i := 0; i < len(all); i++ {
		for _, r := range refs {
			if r.Table == all[i] && !slices.Contains(all, r.References) {
				all = append(all, r.References)
			}
		}
	}
	return all
}

// only empties the tables of the plan that are not among those that are named,
// or always copied, or that these refer to.
func only(plan *anonymize.Plan, named []string, always map[string]bool, refs []anonymize.ForeignKey,
	root func(table string) string) error {
	full := func(name string) string {
		if strings.Contains(name, ".") {
			return name
		}
		return "public." + name
	}
	wanted := make([]string, 0, len(named)+len(always))
	for _, name := range named {
		wanted = append(wanted, full(name))
	}
	known := map[string]bool{}
	for _, t := range plan.Tables {
		known[root(t.Schema+"."+t.Name)] = true
	}
	for _, name := range wanted {
		if !known[name] {
			return fmt.Errorf("-tables: there is no table %s\nhint: -dryRun lists them", name)
		}
	}
	for name := range always {
		wanted = append(wanted, full(name))
	}
	wanted = closure(wanted, refs)
	for i := range plan.Tables {
		if t := &plan.Tables[i]; !slices.Contains(wanted, root(t.Schema+"."+t.Name)) {
			t.Empty = true
		}
	}
	return nil
}

func qualified(table string) string {
	schema, name, _ := strings.Cut(table, ".")
	return wire.Ident(schema) + "." + wire.Ident(name)
}
