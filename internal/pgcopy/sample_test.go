package pgcopy

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/betagouv/mrs-ops/internal/anonymize"
	"github.com/betagouv/mrs-ops/internal/pgcopy/wire"
	"github.com/betagouv/mrs-ops/internal/target"
)

func key(table, column, references, referenced string) anonymize.ForeignKey {
	return anonymize.ForeignKey{Table: table, Columns: []string{column}, References: references, Referenced: []string{referenced}}
}

// mrs are the foreign keys of a schema like MRS's.
var mrs = []anonymize.ForeignKey{
	key("public.request", "insured_id", "public.person", "id"),
	key("public.request", "caisse_id", "public.caisse", "id"),
	key("public.attachment", "request_id", "public.request", "id"),
	key("public.folder", "parent_id", "public.folder", "id"),
	key("public.folder", "owner_id", "public.owner", "id"),
}

func TestASampleIsCutByChanceOnlyWhereNothingIsReferredTo(t *testing.T) {
	s := newSampling(0.1, map[string]int64{
		"public.person": 500_000, "public.caisse": 100, "public.request": 1_000_000, "public.attachment": 900_000,
		"public.folder": 5000, "public.owner": 5000,
	}, mrs)
	const people = `hashtext(ctid::text) & 2147483647 < 214748364`
	const requests = `("insured_id" is null or ("insured_id") in (select "id" from chosen_1))`
	const ofPeople = `with chosen_1 as (select "id" from "public"."person" where ` + people + `)`
	for table, want := range map[string]wire.Chosen{
		"public.person":  {Where: people},
		"public.caisse":  {}, // small
		"public.request": {With: ofPeople, Where: requests},
		"public.attachment": {With: ofPeople + `, chosen_2 as (select "id" from "public"."request" where ` + requests + `)`,
			Where: `("request_id" is null or ("request_id") in (select "id" from chosen_2))`},
		"public.folder": {}, // refers to itself
		"public.owner":  {}, // is referred to by what stays whole
	} {
		if got := s.chosen(table); got != want {
			t.Errorf("%s:\n%s\nnot\n%s", table, got, want)
		}
	}
}

func TestASampleGrowsWithTheTablesAlsoWhereTheyReferInDiamonds(t *testing.T) {
	rows := map[string]int64{"public.t0": 1_000_000}
	var refs []anonymize.ForeignKey
	for n := 1; n <= 30; n++ {
		table, target := fmt.Sprintf("public.t%d", n), fmt.Sprintf("public.t%d", n-1)
		rows[table] = 1_000_000
		refs = append(refs, key(table, "a", target, "id"), key(table, "b", target, "code"))
	}
	got := newSampling(0.1, rows, refs).chosen("public.t30")
	if strings.Count(got.With, " as (") != 30 || len(got.With) > 30*300 || len(got.Where) > 300 {
		t.Errorf("it is %d and %d characters: %.2000s", len(got.With), len(got.Where), got.With)
	}
	if !strings.Contains(got.With, `select "code", "id" from "public"."t29"`) {
		t.Errorf("what is referred to is not all chosen: %.2000s", got.With)
	}
}

func TestTheTablesThatAreNamedBringThoseTheyReferTo(t *testing.T) {
	plan := &anonymize.Plan{}
	for _, name := range []string{"person", "caisse", "request", "attachment", "folder", "owner", "migrations"} {
		plan.Tables = append(plan.Tables, anonymize.TablePlan{Schema: "public", Name: name})
	}
	same := func(table string) string { return table }
	if err := only(plan, []string{"request"}, map[string]bool{"migrations": true, "none": true}, mrs, same); err != nil {
		t.Fatal(err)
	}
	var full []string
	for _, table := range plan.Tables {
		if !table.Empty {
			full = append(full, table.Name)
		}
	}
	if want := []string{"person", "caisse", "request", "migrations"}; !slices.Equal(full, want) {
		t.Errorf("%v are copied, not %v", full, want)
	}
	if err := only(plan, []string{"requets"}, nil, mrs, same); err == nil || !strings.Contains(err.Error(), "requets") {
		t.Errorf("a table that there is not: %v", err)
	}
}

func TestEveryPageOfATableIsInOnePartOfIt(t *testing.T) {
	plan := &anonymize.Plan{Tables: []anonymize.TablePlan{{Name: "large", Pages: 100_000}, {Name: "empty", Empty: true, Pages: 9}, {Name: "small", Pages: 10}}}
	jobs := parts(plan, []int{0, 2, 1}, map[int]wire.Chosen{2: {Where: "true"}}, 2, true)
	var next int64
	large := 0
	for _, job := range jobs[:len(jobs)-1] {
		if job.Table != 0 || job.From != next {
			t.Fatalf("%+v does not follow page %d", job, next)
		}
		next = job.To
		large++
	}
	if next != 0 || large < 8 {
		t.Errorf("%d parts, the last to page %d", large, next)
	}
	if last := jobs[len(jobs)-1]; last != (wire.Job{Table: 2, Chosen: wire.Chosen{Where: "true"}}) {
		t.Errorf("a small table is %+v", last)
	}
	if jobs := parts(plan, []int{0, 2, 1}, nil, 2, false); len(jobs) != 2 {
		t.Errorf("undivided: %+v", jobs)
	}
}

func TestWhatDoesNotFitIsNamed(t *testing.T) {
	for want, u := range map[string]wire.Unfit{
		"people.nir: fakes do not fit the constraint nir_form, in 12 of 2,000 rows": {Schema: "public", Table: "people", Columns: []string{"nir"}, What: "constraint", Name: "nir_form", Rows: 12, Of: 2000},
		"a.t.x, y: fakes do not fit the type word, which ends in an error":          {Schema: "a", Table: "t", Columns: []string{"x", "y"}, What: "type word", Raised: true, Of: 3},
	} {
		if got := unfit(u); got != want {
			t.Errorf("it says %q, not %q", got, want)
		}
	}
}

func TestACopyIsRefusedThatHasNoRoom(t *testing.T) {
	c := &copying{schema: &anonymize.Schema{Tables: []anonymize.Table{{Bytes: 10 << 30}, {Bytes: 30 << 30}}}}
	if err := c.noRoom(); err != nil {
		t.Errorf("to standard output: %v", err)
	}
	c.To = "staging"
	for _, test := range []struct {
		sample float64
		free   int64
		fits   bool
	}{{0, 48 << 30, false}, {0, 48<<30 + reserve, true}, {0.25, 12 << 30, false}, {0.25, 12<<30 + reserve, true}} {
		c.Sample, c.to = test.sample, &end{Target: &target.Target{Name: "staging", Folder: "/home/mrs-staging"}, free: test.free}
		if err := c.noRoom(); (err == nil) != test.fits || err != nil && !strings.Contains(err.Error(), "free below") {
			t.Errorf("%+v: %v", test, err)
		}
	}
}
