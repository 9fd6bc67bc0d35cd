package anonymize

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"regexp"
	"slices"
	"strings"
)

// What a program is steered by must arrive as it is: with other text for it, the
// program may not even start. Such values have forms that no name, address or
// number of a person has.

// cronField is a field of cron, in the forms of crontab(5), of Celery, and of
// djcall, where -5 is every five.
const (
	cronName = `(?i:(mon|tues?|wed(nes)?|thu(rs)?|fri|sat(ur)?|sun)(day)?|` +
		`jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)`
	cronField = `(\*|\?|[0-9]{1,2}|` + cronName + `|-[0-9]{1,2})(-([0-9]{1,2}|` + cronName + `))?(/[0-9]{1,2})?`
	cronList  = cronField + `(,` + cronField + `)*`
)

// cronFields are the values of a column that has one field of cron, and cronLine
// all of them.
var (
	cronFields = regexp.MustCompile(`^` + cronList + `$`)
	cronLine   = regexp.MustCompile(`^(@(reboot|yearly|annually|monthly|weekly|daily|midnight|hourly)|` +
		cronList + `( +` + cronList + `){4,6})$`)
)

// cronNames are the names of columns with a field of cron. Those of a moment
// alone may be of a birthday, too.
var (
	cronNames = regexp.MustCompile(`^(cron_)?(minutes?|hours?|days?(_of_(month|week))?|months?(_of_year)?|` +
		`week_?days?|dow|dom)$`)
	cronMoments = regexp.MustCompile(`^(cron_)?(minutes?|hours?|day_of_week|week_?days?|dow)$`)
)

// steering are the forms of other values by which programs are steered.
var steering = []*regexp.Regexp{
	cronLine,
	regexp.MustCompile(`^(Africa|America|Antarctica|Asia|Atlantic|Australia|Europe|Indian|Pacific|Etc)/` +
		`[A-Za-z_+-]+[0-9]*(/[A-Za-z_]+)?$|^UTC$`),
	regexp.MustCompile(`^(application|audio|font|image|multipart|text|video)/[A-Za-z0-9.+*-]+$`), // media types
	regexp.MustCompile(`^#([0-9a-fA-F]{3}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})$`),                      // colours
	regexp.MustCompile(`^(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS)$`),
	regexp.MustCompile(`^(?i:trace|debug|info|notice|warn|warning|error|critical|fatal)$`),
	regexp.MustCompile(`^(?i:true|false|on|off|yes|no|enabled|disabled)$`),
	// durations: PT5M of ISO 8601, 5 minutes, 30s
	regexp.MustCompile(`^(P([0-9]+[YMWD])+(T([0-9]+[HMS])+)?|PT([0-9]+[HMS])+|` +
		`[0-9]+ ?(ms|s|m|h|d|w|(second|minute|hour|day|week|month)s?))$`),
}

// code is the name of something in a program's source, and codeNames are the
// columns that have one: by itself, jean.dupont is one, too.
var (
	code      = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*([.:/][A-Za-z_][A-Za-z0-9_-]*)*(\(\))?$`)
	codeNames = regexp.MustCompile(`(^|_)(callback|callable|task|func|function|module|class|class_?name|python_?path|` +
		`entry_?point|backend|method|plugin|hook|template(_?name|_?path)?|view_?name|url_?name|` +
		`queue|spooler|exchange|routing_?key|channel|log_?level)$`)
)

// settings are the tables of what an application is set to.
var settings = regexp.MustCompile(`(^|_)(settings?|config|configuration|constance|parameters?|parametres?|options?|` +
	`flags?|switch(es)?|features?|feature_?toggles?|waffle_\w+|globalpreferencemodel|` +
	`crontabs?|crontabschedule|intervalschedule|periodictasks?|schedules?|cron|cronjobs?)$`)

// settingNames are the columns by which a program finds a setting, and
// settingValues those that have what is set. setting is what either may be: one
// word, or a number. What is longer may be a secret.
var (
	settingNames = regexp.MustCompile(`^(key|name|code|setting|option|param(eter)?|flag|variable|section|` +
		`period|cle|nom)$`)
	settingValues = regexp.MustCompile(`^(value|val|valeur|default(_value)?|period|every|unit)$`)
	setting       = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_.:-]{0,63}$`)
	settingValue  = regexp.MustCompile(`^([A-Za-z_]{1,16}|-?[0-9]{1,6}([.,][0-9]{1,6})?|/[a-z0-9_/-]*|` +
		`https?://[A-Za-z0-9.-]+(:[0-9]+)?/?)$`)
)

// templates are the tables of texts that a program fills in. Their columns are kept
// where no value has an address of mail.
var templates = regexp.MustCompile(`(^|_)([a-z]*templates?|flatpages?)$`)

// sites are what addresses of sites look like that name nobody's page, and
// siteNames the columns that have one: an origin that may frame us.
var (
	sites     = regexp.MustCompile(`^(https?://)?[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+(:[0-9]+)?/?$`)
	siteNames = regexp.MustCompile(`(^|_)(origins?|domain|endpoint|base_?url|site_?url|server_?name|allowed_?hosts?)$`)
)

var onlyDigits = regexp.MustCompile(`^[0-9 ]+$`)

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
