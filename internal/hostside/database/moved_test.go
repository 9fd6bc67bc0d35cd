package database

import (
	"errors"
	"strings"
	"testing"
)

func TestASiteDoesNotBeginAnewBecauseDBNameWasChanged(t *testing.T) {
	for name, c := range map[string]struct {
		was    string
		tables map[string]int // of the databases that there are
		says   string
	}{
		"the same":                    {"mrs", map[string]int{"mrs": 35}, ""},
		"nothing runs yet":            {"", nil, ""},
		"another, which is empty":     {"old", map[string]int{"old": 35, "mrs": 0}, "the data are in the database old, and DB_NAME is mrs"},
		"another, which is not there": {"old", map[string]int{"old": 35}, "the data are in the database old, and DB_NAME is mrs"},
		"another, with the data":      {"old", map[string]int{"old": 35, "mrs": 35}, ""},
		"it was renamed":              {"old", map[string]int{"mrs": 35}, ""},
		"there have never been data":  {"old", map[string]int{"old": 0}, ""},
		"PostgreSQL can't be asked":   {"old", nil, ""},
	} {
		err := moved(c.was, "mrs", func(name string) (int, error) {
			n, there := c.tables[name]
			if !there {
				return 0, errors.New("there is no such database")
			}
			return n, nil
		})
		if said := ""; err != nil {
			said = err.Error()
			if c.says == "" || !strings.HasPrefix(said, c.says) || !strings.Contains(said, "\nhint: DB_NAME=old ") {
				t.Errorf("%s: %q", name, said)
			}
		} else if c.says != "" {
			t.Errorf("%s: it is taken", name)
		}
	}
}
