package anonymize

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"slices"
	"strings"
)

// What a program is steered by must arrive as it is: with other text for it, the
// program may not even start. Such values have forms that no name, address or
// number of a person has.

var (
	cronFields    = pattern("cronFields")
	cronNames     = pattern("cronNames")
	cronMoments   = pattern("cronMoments")
	steering      = patterns["steering"]
	code          = pattern("code")
	codeNames     = pattern("codeNames")
	settings      = pattern("settings")
	settingNames  = pattern("settingNames")
	settingValues = pattern("settingValues")
	setting       = pattern("setting")
	settingValue  = pattern("settingValue")
	templates     = pattern("templates")
	sites         = pattern("sites")
	siteNames     = pattern("siteNames")
	onlyDigits    = pattern("onlyDigits")
)

// every reports whether there are values, and all that are not empty fit.
func every(values []string, fits func(string) bool) bool {
	some := false
	for _, v := range values {
		if v == "" {
			continue
		}
		if !fits(v) {
			return false
		}
		some = true
	}
	return some
}

// steers reports whether a column of text seems to be one that the application
// is steered by. The table is nil for what is in a document.
func (s *Schema) steers(t *Table, c *Column, values []string) bool {
	name := strings.ToLower(c.Name)
	for _, form := range steering {
		// Of digits alone cron's fields may be a telephone number.
		if every(values, form.MatchString) && !every(values, onlyDigits.MatchString) {
			return true
		}
	}
	if cronNames.MatchString(name) && every(values, cronFields.MatchString) {
		if t != nil && slices.ContainsFunc(t.Columns, func(other Column) bool {
			return other.Name != c.Name && cronMoments.MatchString(strings.ToLower(other.Name))
		}) {
			return true
		}
		if slices.ContainsFunc(values, func(v string) bool { return strings.ContainsAny(v, "*?/") }) {
			return true
		}
	}
	if codeNames.MatchString(name) && every(values, code.MatchString) ||
		siteNames.MatchString(name) && every(values, sites.MatchString) {
		return true
	}
	if t != nil && templates.MatchString(strings.ToLower(t.Name)) && !s.isSomebodys(t) &&
		every(values, func(v string) bool { return !strings.Contains(v, "@") }) {
		return true
	}
	if t == nil || !settings.MatchString(strings.ToLower(t.Name)) || s.isSomebodys(t) {
		return false
	}
	return settingNames.MatchString(name) && every(values, setting.MatchString) ||
		settingValues.MatchString(name) && every(values, isSetting)
}

// isSetting reports whether a value of a setting says nothing of anybody, as far
// as can be seen: a word or a number, also in a document or an object of Python.
func isSetting(value string) bool {
	if settingValue.MatchString(value) {
		return true
	}
	if b := pickle(value); b != nil {
		return !bytes.ContainsAny(b, "@ ")
	}
	var doc any
	return shapeOf([]string{value}) == JSON && json.Unmarshal([]byte(value), &doc) == nil && isSettingOf(doc)
}

func isSettingOf(doc any) bool {
	switch doc := doc.(type) {
	case map[string]any:
		for key, v := range doc {
			if !setting.MatchString(key) || !isSettingOf(v) {
				return false
			}
		}
	case []any:
		return !slices.ContainsFunc(doc, func(v any) bool { return !isSettingOf(v) })
	case string:
		return doc == "" || settingValue.MatchString(doc)
	}
	return true
}

// isSomebodys reports whether rows of a table belong to rows of another one: then
// they are somebody's settings, and not the application's.
func (s *Schema) isSomebodys(t *Table) bool {
	return slices.ContainsFunc(s.ForeignKeys, func(k ForeignKey) bool {
		return called(k.Table) == t.Called() && k.References != k.Table
	})
}

// pickled reports whether the values are objects of Python, in base64. Other
// text instead of one is an error when the program reads it.
func pickled(values []string) bool {
	return every(values, func(v string) bool { return pickle(v) != nil })
}

// pickle returns the object of Python that a value is in base64, or nil.
func pickle(value string) []byte {
	b, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(value), ""))
	if err == nil && len(b) > 3 && b[0] == 0x80 && b[1] >= 2 && b[1] <= 5 && b[len(b)-1] == '.' {
		return b
	}
	return nil
}
