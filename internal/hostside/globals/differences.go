package globals

import (
	"fmt"
	"slices"
	"strings"
)

// Differences lists what a database is that another was not, a sentence each: its
// own properties, and of the roles those that the other's server had. Its name does
// not count; nor does what one version of PostgreSQL has and the other does not know.
func Differences(was, is *Facts) []string {
	d := &differences{}
	a, b := was.Database, is.Database
	d.text("the owner", a.Owner, b.Owner)
	d.text("the encoding", a.Encoding, b.Encoding)
	d.text("LC_COLLATE", a.Collate, b.Collate)
	d.text("LC_CTYPE", a.Ctype, b.Ctype)
	d.text("the locale provider", provider(a.Provider), provider(b.Provider))
	d.text("the locale", a.Locale, b.Locale)
	d.text("the ICU rules", a.ICURules, b.ICURules)
	d.text("the limit of connections", fmt.Sprint(a.Limit), fmt.Sprint(b.Limit))
	d.text("that it is a template", fmt.Sprint(a.Template), fmt.Sprint(b.Template))
	d.text("the tablespace", a.Tablespace, b.Tablespace)
	d.hidden("the comment", a.Comment, b.Comment)
	d.settings("", a.Settings, b.Settings)
	d.grants("the database", a.Grants, b.Grants)
	switch {
	case was.Public != nil && is.Public != nil:
		d.text("the owner of the schema public", was.Public.Owner, is.Public.Owner)
		d.grants("the schema public", was.Public.Grants, is.Public.Grants)
	case was.Public != nil:
		d.say("there is no schema public")
	case is.Public != nil:
		d.say("there is a schema public, and was none")
	}
	d.defaults(was, is)
	d.roles(was, is)
	d.members(was, is)
	d.parameters(was, is)
	return d.all
}

type differences struct{ all []string }

func (d *differences) say(format string, args ...any) {
	d.all = append(d.all, fmt.Sprintf(format, args...))
}

// first returns the first of which something is true, and whether there is one.
func first[T any](all []T, is func(T) bool) (one T, there bool) {
	if i := slices.IndexFunc(all, is); i >= 0 {
		return all[i], true
	}
	return one, false
}

func (d *differences) text(what, was, is string) {
	if was != is {
		d.say("%s is %s, and was %s", what, shown(is), shown(was))
	}
}

func shown(text string) string {
	if text == "" {
		return "none"
	}
	return text
}

// hidden is text that may say anything about anybody.
func (d *differences) hidden(what, was, is string) {
	switch {
	case was == is:
	case is == "":
		d.say("%s is gone", what)
	case was == "":
		d.say("%s was not there", what)
	default:
		d.say("%s is another", what)
	}
}

func provider(letter string) string {
	if name := map[string]string{"c": "libc", "i": "icu", "b": "builtin"}[letter]; name != "" {
		return name
	}
	return letter
}

func (d *differences) settings(of string, was, is []Setting) {
	name := func(s Setting) string {
		text := of + "the setting " + s.Name
		if s.Role != "" && of == "" {
			text += " of " + s.Role
		}
		return text
	}
	find := func(all []Setting, like Setting) (Setting, bool) {
		return first(all, func(s Setting) bool { return s.Role == like.Role && s.Name == like.Name })
	}
	for _, s := range was {
		now, found := find(is, s)
		switch {
		case !found:
			d.say("%s is gone", name(s))
		case now.Value == s.Value:
		case strings.Contains(s.Name, "."): // an application's own: perhaps a key
			d.say("%s is another", name(s))
		default:
			d.text(name(s), s.Value, now.Value)
		}
	}
	for _, s := range is {
		if _, found := find(was, s); !found {
			d.say("%s was not there", name(s))
		}
	}
}

func (d *differences) grants(on string, was, is []Grant) {
	text := func(g Grant) string {
		text := fmt.Sprintf("%s on %s to %s, by %s", g.Privilege, on, g.who(), g.Grantor)
		if g.Grantable {
			text += ", with grant option"
		}
		return text
	}
	for _, g := range was {
		if !slices.Contains(is, g) {
			d.say("not granted any more: %s", text(g))
		}
	}
	for _, g := range is {
		if !slices.Contains(was, g) {
			d.say("granted, and was not: %s", text(g))
		}
	}
}

// defaults compares what is granted on objects that are yet to be made.
func (d *differences) defaults(was, is *Facts) {
	find := func(all []Default, like Default) []Grant {
		of, _ := first(all, func(f Default) bool {
			return f.Role == like.Role && f.Schema == like.Schema && f.Type == like.Type
		})
		return slices.DeleteFunc(slices.Clone(of.Grants), func(g Grant) bool {
			// PostgreSQL 17 has made it of what older ones call all.
			return g.Privilege == "MAINTAIN" && (was.Version < 170000) != (is.Version < 170000)
		})
	}
	seen := map[string]bool{}
	for _, f := range slices.Concat(was.Defaults, is.Defaults) {
		on := "what " + f.Role + " makes"
		if f.Schema != "" {
			on += " in " + f.Schema
		}
		on += " (" + f.Type + ")"
		if !seen[on] {
			seen[on] = true
			d.grants(on, find(was.Defaults, f), find(is.Defaults, f))
		}
	}
}

func (d *differences) roles(was, is *Facts) {
	for _, a := range was.Roles {
		b, there := first(is.Roles, func(r Role) bool { return r.Name == a.Name })
		if !there {
			d.say("the role %s is not there", a.Name)
			continue
		}
		of := "the role " + a.Name + ": "
		for _, attribute := range []struct {
			name    string
			was, is bool
		}{
			{"SUPERUSER", a.Superuser, b.Superuser}, {"INHERIT", a.Inherit, b.Inherit},
			{"CREATEROLE", a.CreateRole, b.CreateRole}, {"CREATEDB", a.CreateDB, b.CreateDB}, {"LOGIN", a.Login, b.Login},
			{"REPLICATION", a.Replication, b.Replication}, {"BYPASSRLS", a.BypassRLS, b.BypassRLS},
		} {
			switch {
			case attribute.was && !attribute.is:
				d.say("%s%s is gone", of, attribute.name)
			case attribute.is && !attribute.was:
				d.say("%s%s was not there", of, attribute.name)
			}
		}
		d.text(of+"the limit of connections", fmt.Sprint(a.Limit), fmt.Sprint(b.Limit))
		d.text(of+"the end of its password", a.Until, b.Until)
		// The superuser's is the server's own: the deployment has given it.
		if !a.Bootstrap || !b.Bootstrap {
			d.text(of+"how its password is kept", a.Password, b.Password)
		}
		d.hidden(of+"the comment", a.Comment, b.Comment)
		d.settings(of, a.Settings, b.Settings)
	}
}

func (d *differences) members(was, is *Facts) {
	both := was.Version >= 160000 && is.Version >= 160000
	reduce := func(all []Member) (kept []Member) {
		for _, m := range all {
			if !both {
				m.Grantor, m.Inherit, m.Set = "", nil, nil
			}
			if !slices.ContainsFunc(kept, m.equal) {
				kept = append(kept, m)
			}
		}
		return kept
	}
	ours := func(name string) bool {
		return slices.ContainsFunc(was.Roles, func(r Role) bool { return r.Name == name })
	}
	a, b := reduce(was.Members), reduce(is.Members)
	for _, m := range a {
		if !slices.ContainsFunc(b, m.equal) {
			d.say("not granted any more: %s", m)
		}
	}
	for _, m := range b {
		if ours(m.Member) && (ours(m.Role) || strings.HasPrefix(m.Role, "pg_")) && !slices.ContainsFunc(a, m.equal) {
			d.say("granted, and was not: %s", m)
		}
	}
}

func (m Member) equal(n Member) bool {
	return m.Role == n.Role && m.Member == n.Member && m.Admin == n.Admin && m.Grantor == n.Grantor &&
		value(m.Inherit) == value(n.Inherit) && value(m.Set) == value(n.Set)
}

// value is -1 where there is none.
func value(b *bool) int {
	switch {
	case b == nil:
		return -1
	case *b:
		return 1
	}
	return 0
}

// String says who is in what, and how.
func (m Member) String() string {
	text := fmt.Sprintf("membership of %s in %s", m.Member, m.Role)
	if m.Admin {
		text += ", with admin option"
	}
	if m.Inherit != nil && !*m.Inherit {
		text += ", without inherit option"
	}
	if m.Set != nil && !*m.Set {
		text += ", without set option"
	}
	if m.Grantor != "" {
		text += ", by " + m.Grantor
	}
	return text
}

func (d *differences) parameters(was, is *Facts) {
	if was.Version < 150000 || is.Version < 150000 {
		return
	}
	for _, p := range was.Parameters {
		now, _ := first(is.Parameters, func(q Parameter) bool { return q.Name == p.Name })
		d.grants("the parameter "+p.Name, p.Grants, now.Grants)
	}
}
