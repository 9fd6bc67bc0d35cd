package check

import (
	"fmt"
	"strings"
	"testing"
)

func TestTheSlowestTestsAreThoseWithoutSubtests(t *testing.T) {
	const events = `{"Action":"start","Package":"e2e"}
{"Action":"run","Package":"e2e","Test":"TestAll/one"}
{"Action":"output","Package":"e2e","Test":"TestAll/one","Output":"deploying\n"}
{"Action":"pass","Package":"e2e","Test":"TestAll/one","Elapsed":1.5}
a line of somebody else's
{"Action":"fail","Package":"e2e","Test":"TestAll/both_of_them/a","Elapsed":20}
{"Action":"fail","Package":"e2e","Test":"TestAll/both_of_them","Elapsed":20.5}
{"Action":"fail","Package":"e2e","Test":"TestAll","Elapsed":22}
{"Action":"attr","Package":"e2e","Test":"TestAllOfIt","Key":"waited","Value":"390.25"}
{"Action":"attr","Package":"e2e","Test":"TestAllOfIt","Key":"colour","Value":"7"}
{"Action":"pass","Package":"e2e","Test":"TestAllOfIt","Elapsed":393.25}
{"Action":"skip","Package":"unit","Test":"TestAll","Elapsed":0}
{"Action":"pass","Package":"e2e","Elapsed":25}
`
	all, err := timings(strings.NewReader(events))
	if err != nil {
		t.Fatal(err)
	}
	var file strings.Builder
	if err := writeTimings(&file, all); err != nil {
		t.Fatal(err)
	}
	want := `22.00	TestAll
20.50	TestAll/both of them
20.00	TestAll/both of them/a
3.00	TestAllOfIt
1.50	TestAll/one
0.00	TestAll
`
	if file.String() != want {
		t.Errorf("the file is\n%s\nnot\n%s", file.String(), want)
	}
	got := fmt.Sprint(slowest(all, 2))
	if got != "[[SECONDS THE SLOWEST TESTS] [20.0 TestAll/both of them/a] [3.0 TestAllOfIt]]" {
		t.Errorf("the slowest are %s", got)
	}
	if n := len(slowest(all, 10)); n != 5 {
		t.Errorf("there are %d rows", n)
	}
}
