package stack

import (
	"testing"

	"github.com/compose-spec/compose-go/v2/template"
)

// The grammar is Compose's: where every variable has what it needs, our
// reading and compose-go's are one.
func TestVariablesReadAsInCompose(t *testing.T) {
	values := map[string]string{"SET": "v$1", "EMPTY": "", "_a1": "x"}
	get := func(name string) (string, bool) {
		value, ok := values[name]
		return value, ok
	}
	for text, want := range map[string]string{
		"":                                 "",
		"plain":                            "plain",
		"$SET":                             "v$1",
		"${SET}":                           "v$1",
		"a${SET}b${_a1}c":                  "av$1bxc",
		"$SET.$_a1/$EMPTY|":                "v$1.x/|",
		"$$SET $$${SET} $$$$":              "$SET $v$1 $$",
		"$5 a$ $-":                         "$5 a$ $-",
		"${EMPTY}":                         "",
		"${UNSET:-d}${EMPTY:-d}":           "dd",
		"${UNSET-d}${EMPTY-d}":             "d",
		"${UNSET:-}":                       "",
		"${SET:+w}${EMPTY:+w}${UNSET:+}":   "w",
		"${SET+w}${EMPTY+w}${UNSET+w}":     "ww",
		"${SET:?no}${EMPTY?no}":            "v$1",
		"${UNSET:-${SET}}":                 "v$1",
		"${UNSET:-${UNSET2:-$_a1}} ${SET}": "x v$1",
		"${UNSET:-a-b?c+d}":                "a-b?c+d",
		"${SET:+${_a1}}":                   "x",
		"${UNSET:-$$}":                     "$",
	} {
		e := expansion{get: get}
		if got := e.text(text); got != want || e.errs != nil || e.missing != nil {
			t.Errorf("%s: got %q, %v, %v; want %q", text, got, e.missing, e.errs, want)
		}
		theirs, err := template.Substitute(text, get)
		if err != nil || theirs != want {
			t.Errorf("%s: Compose reads %q, %v; want %q", text, theirs, err, want)
		}
	}
}

func TestVariablesThatComposeRefuses(t *testing.T) {
	for _, text := range []string{"${", "${}", "${1}", "${ A}", "${A!}", "${A:}", "${A:=x}"} {
		e := expansion{get: func(string) (string, bool) { return "x", true }}
		if got := e.text(text); len(e.errs) != 1 {
			t.Errorf("%s: got %q, %v", text, got, e.errs)
		}
	}
}

func TestServiceKeysAreThoseOfTheSpecification(t *testing.T) {
	for key, want := range map[string]bool{
		"image": true, "build": true, "shm_size": true, "ports": true, "networks": true, "scale": true, "x-note": true,
		"name": false, "version": false, "dockerfile": false, "services": false, "": false,
	} {
		if got := knownKey(key); got != want {
			t.Errorf("%q: %v, want %v", key, got, want)
		}
	}
}
