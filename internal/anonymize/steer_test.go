package anonymize

import (
	"encoding/base64"
	"strings"
	"testing"
)

// With other times, djcall refuses to start the application.
func TestWhatAnApplicationIsSteeredByIsKeptAndSaidToBeUncertain(t *testing.T) {
	text := func(names ...string) (columns []Column) {
		for _, name := range names {
			columns = append(columns, Column{Name: name, Type: "character varying(255)", Length: 255, NotNull: true})
		}
		return columns
	}
	schema := &Schema{Tables: []Table{
		{Schema: "public", Name: "djcall_cron", Columns: text("minute", "hour", "day", "month", "weekday")},
		{Schema: "public", Name: "djcall_caller", Columns: text("callback", "kwargs", "spooler")},
		{Schema: "public", Name: "django_celery_beat_crontabschedule", Columns: text("minute", "hour", "day_of_week", "timezone", "tz")},
		{Schema: "public", Name: "django_celery_beat_periodictask", Columns: text("name", "task", "queue")},
		{Schema: "public", Name: "django_q_schedule", Columns: text("func", "cron")},
		{Schema: "public", Name: "waffle_flag", Columns: text("name")},
		{Schema: "public", Name: "constance_config", Columns: text("key", "value")},
		{Schema: "public", Name: "app_settings", Columns: text("key", "value")},
		{Schema: "public", Name: "account_settings", Columns: text("name", "value")},
		{Schema: "public", Name: "person", Columns: text("day", "month", "first_name", "handler", "task")},
		{Schema: "public", Name: "mrsemail_emailtemplate", Columns: text("subject", "body", "sender")},
		{Schema: "public", Name: "institution", Columns: text("origin", "home")},
		{Schema: "public", Name: "x", Columns: text("level", "how", "colour", "accept", "every", "answer")},
	}, ForeignKeys: []ForeignKey{{"public.account_settings", []string{"name"}, "public.person", []string{"first_name"}}}}
	pickle := base64.StdEncoding.EncodeToString([]byte("\x80\x03}q\x00X\x02\x00\x00\x00toq\x01X\x0a\x00\x00\x00jean@a.examples."))
	samples := map[string][]string{
		"djcall_cron.minute": {"0", "-5", "*", "30"}, "djcall_cron.hour": {"8", "*", "1-5", "20"}, "djcall_cron.day": {"*", "*", "*", "1"},
		"djcall_cron.month": {"*", "*", "*", "*"}, "djcall_cron.weekday": {"1", "*", "*", "*"},
		"djcall_caller.callback": {"mrsstat.models.update_stat", "djcall.models.prune", "mrsemail.mails.daily_mail"},
		"djcall_caller.kwargs":   {pickle, ""}, "djcall_caller.spooler": {"mail", "stat", ""},
		"django_celery_beat_crontabschedule.minute": {"*/15", "0"}, "django_celery_beat_crontabschedule.hour": {"4", "8,20"},
		"django_celery_beat_crontabschedule.day_of_week": {"mon-fri", "sunday"}, "django_celery_beat_crontabschedule.timezone": {"Europe/Paris", "UTC"},
		"django_celery_beat_crontabschedule.tz": {"Europe/Paris", "America/Argentina/Salta"},
		"django_celery_beat_periodictask.name":  {"celery.backend_cleanup", "send-mails"}, "django_celery_beat_periodictask.task": {"celery.backend_cleanup", "app.tasks.send"},
		"django_celery_beat_periodictask.queue": {"default"},
		"django_q_schedule.func":                {"app.jobs.nightly"}, "django_q_schedule.cron": {"*/5 * * * *", "0 8 * * mon-fri", "@daily"},
		"waffle_flag.name": {"new-upload", "beta"}, "constance_config.key": {"MAX_SIZE", "THEME"},
		"constance_config.value": {`{"__type__": "default", "__value__": 12}`, `{"__type__": "default", "__value__": "dark"}`},
		"app_settings.key":       {"limit", "contact"}, "app_settings.value": {"5", "jean.dupont@example.fr"},
		"account_settings.name": {"Jean", "Ana"}, "account_settings.value": {"dark", "Kerviel"},
		"person.day": {"3", "14"}, "person.month": {"7", "12"}, "person.first_name": {"Jean", "Ana"}, "person.handler": {"jean.dupont"},
		"mrsemail_emailtemplate.subject": {"Votre demande"}, "mrsemail_emailtemplate.body": {"Bonjour {{ name }},"}, "mrsemail_emailtemplate.sender": {"jean@example.fr x"},
		"institution.origin": {"https://www.hopital.example", "http://a.example:8000/"}, "institution.home": {"www.kerviel.example"},
		"person.task": {"call Mrs Kerviel"},
		"x.level":     {"INFO", "debug"}, "x.how": {"GET", "POST"}, "x.colour": {"#ff0000", "#abc"}, "x.accept": {"text/html", "application/pdf"},
		"x.every": {"5 minutes", "PT5M", "1h"}, "x.answer": {"true", "off"},
	}
	got := string(Propose(schema, samples))
	table := ""
	rules := map[string]string{}
	for line := range strings.Lines(got) {
		line = strings.TrimRight(line, "\n")
		name, rule, found := strings.Cut(strings.TrimSpace(line), ":")
		switch {
		case strings.HasPrefix(line, "    ") && found:
			rules[table+"."+name] = strings.TrimSpace(rule)
		case strings.HasPrefix(line, "  ") && found:
			table = name
		}
	}
	changed := map[string]string{ // whatever else these seem to be
		"djcall_caller.kwargs": "", "app_settings.value": "", "account_settings.name": "", "account_settings.value": "",
		"person.day": "", "person.month": "", "person.first_name": "", "person.handler": "", "person.task": "",
		"mrsemail_emailtemplate.sender": "", "institution.home": "",
	}
	for column := range samples {
		kept := strings.HasPrefix(rules[column], "keep # uncertain: ")
		if _, may := changed[column]; kept == may {
			t.Errorf("%s: %q", column, rules[column])
		}
	}
	parsed, err := ParseRules("proposal.yml", []byte(got))
	if err == nil {
		_, err = parsed.Fit(schema)
	}
	if err != nil {
		t.Errorf("%v\n%s", err, got)
	}
}

func TestAnObjectOfPythonIsNotReplacedByWords(t *testing.T) {
	pickle := base64.StdEncoding.EncodeToString([]byte("\x80\x04\x95\x05\x00\x00\x00\x00\x00\x00\x00]\x94."))
	s := &Schema{}
	if p := s.propose(nil, &Column{Name: "kwargs", Type: "text"}, []string{pickle, pickle[:8] + "\n" + pickle[8:]}); p.text() != "null" || p.uncertain == "" {
		t.Errorf("%s (%s)", p.text(), p.uncertain)
	}
	if p := s.propose(nil, &Column{Name: "kwargs", Type: "text"}, []string{pickle, "Kerviel"}); p.text() != "freeText" {
		t.Errorf("of other text: %s", p.text())
	}
}
